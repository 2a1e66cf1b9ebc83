//! What is predicted of the tests that other tests depend on.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::CellId;
use crate::mask::Secrets;
use crate::plan::OutputReference;
use crate::plan::parameters::RenderedValue;
use crate::template::{
    Assumption, ConditionValue, EvaluatedOutput, EvaluatedStack, Template, Unknown, Value,
};

/// The predictions so far.
#[derive(Default)]
pub(super) struct DependencyForecasts {
    pub outputs: BTreeMap<OutputReference, RenderedValue>,
    cells: BTreeMap<CellId, DependencyForecast>,
}

/// What dependents need to know about a test in a region.
#[derive(Clone, Debug, Default)]
pub(super) struct DependencyForecast {
    pub outputs: Vec<(OutputReference, RenderedValue)>,
    /// What its stack creates.
    pub created: BTreeSet<Assumption>,
    /// Whether it would fail.
    pub fails: bool,
}

impl DependencyForecasts {
    pub(super) fn add(&mut self, cell: CellId, forecast: DependencyForecast) {
        self.outputs.extend(forecast.outputs.iter().cloned());
        self.cells.insert(cell, forecast);
    }

    /// Returns what these cells create.
    pub(super) fn created<'c>(
        &self,
        cells: impl IntoIterator<Item = &'c CellId>,
    ) -> BTreeSet<Assumption> {
        let found = cells.into_iter().filter_map(|cell| self.cells.get(cell));
        found.flat_map(|it| it.created.iter().cloned()).collect()
    }

    /// Returns whether a cell would fail.
    pub(super) fn fails(&self, cell: &CellId) -> bool {
        self.cells.get(cell).is_some_and(|it| it.fails)
    }
}

/// Returns the outputs of a stack for parameters of others. One that the template has and the stack
/// hasn't is an error.
pub(super) fn outputs(
    cell: &CellId,
    template: &Template,
    stack: &EvaluatedStack,
    secrets: &Secrets,
) -> Vec<(OutputReference, RenderedValue)> {
    let declared = template.root.get("Outputs");
    let declared = declared.map_or(&[][..], |it| it.entries()).iter();
    let declared = declared.map(|(key, _)| key.text.to_string());
    let keys: BTreeSet<String> = declared.chain(stack.outputs.keys().cloned()).collect();
    let rendered = |key: String| {
        let value = match stack.outputs.get(&key) {
            Some(output) => value(output, &key, cell, secrets),
            None => {
                let CellId { test, region } = cell;
                let reason = format!("the stack of {test} in {region} would have no output {key}");
                RenderedValue::Error(reason)
            }
        };
        let cell = cell.clone();
        (OutputReference { cell, key }, value)
    };
    keys.into_iter()
        .filter(|key| !crate::template::is_function_key(key))
        .map(rendered)
        .collect()
}

fn value(output: &EvaluatedOutput, key: &str, cell: &CellId, secrets: &Secrets) -> RenderedValue {
    let what = format!("output {key} of {} in {}", cell.test, cell.region);
    match (&output.exists, output.body.get("Value")) {
        (ConditionValue::Unknown(unknown), _) => RenderedValue::Unknown(unknown.renamed(what)),
        (_, Some(Value::Unknown(unknown))) => {
            let form = unknown.form().clone();
            RenderedValue::Unknown(unknown.renamed(what).with_form(form))
        }
        (_, value) => match value.and_then(Value::as_text) {
            Some(text) => RenderedValue::Value {
                secret: secrets.mask(&text) != text,
                text,
            },
            None => RenderedValue::Unknown(Unknown::launched(what)),
        },
    }
}
