//! Evaluates the `Outputs` section, including exports
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/outputs-section-structure.html>).

use indexmap::IndexMap;

use super::{ConditionValue, EvaluatedOutput, EvaluationScope, Evaluator, Value};
use crate::template::value::Failure;
use crate::yaml::Node;

impl Evaluator<'_> {
    /// Evaluates only the outputs and returns those that exist or may exist.
    ///
    /// # Errors
    /// All failures in them.
    pub fn outputs(&self) -> Result<IndexMap<String, EvaluatedOutput>, Vec<Failure>> {
        let mut failures = Vec::new();
        let outputs = self.all_outputs(&mut failures);
        if failures.is_empty() {
            Ok(outputs)
        } else {
            Err(failures)
        }
    }

    /// Evaluates the outputs that exist or may exist. Failures in those that certainly exist are
    /// added to `failures`.
    pub(in crate::template) fn all_outputs(
        &self,
        failures: &mut Vec<Failure>,
    ) -> IndexMap<String, EvaluatedOutput> {
        self.existing("Outputs", failures, |key, entry, exists, failures| {
            self.output(key, entry, exists, failures)
        })
    }

    fn output(
        &self,
        key: &Node,
        entry: &Node,
        exists: ConditionValue,
        failures: &mut Vec<Failure>,
    ) -> EvaluatedOutput {
        if entry
            .as_mapping()
            .is_none_or(|_| entry.get("Value").is_none())
        {
            let message = "Template format error: Every Outputs member must contain a Value object";
            self.blame(self.fail(key.at, message), &exists, failures);
        }
        let body = self.body(entry, &exists, failures, |key, node| match self.value(node,
            EvaluationScope::Stack)? {
            Value::NoValue | Value::List(_) | Value::Map(_) if key == "Value" => {
                let message =
                    "Template format error: The Value field of every Outputs member must evaluate \
                     to a String.";
                Err(self.fail(node.at, message))
            }
            value => Ok(value),
        });
        EvaluatedOutput { exists, body }
    }
}

impl EvaluatedOutput {
    /// Returns the evaluated `Value`.
    pub fn value(&self) -> Option<&Value> {
        self.body.get("Value")
    }

    /// Returns the name of the export, if the output is exported.
    pub fn export_name(&self) -> Option<&Value> {
        match self.body.get("Export") {
            Some(Value::Map(export)) => export.get("Name"),
            _ => None,
        }
    }
}
