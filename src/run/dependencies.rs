//! Tests that depend on others: launched after those, and torn down before them.
//!
//! Every cell publishes what became of it. A dependent waits until all of its dependencies have
//! passed, and a dependency deletes its stack only when its dependents are over.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

use super::StepContext;
use crate::event::{
    CellId, CellParameter, EventKind, KeepReason, Outcome, PredictedFailure, StackOutput,
};
use crate::mask::MASK;
use crate::plan::{NeededOutput, Plan, PlannedParameter, StackPlan};

/// The cells of a run and how they depend on each other.
pub(super) struct CellGraph {
    nodes: BTreeMap<CellId, CellNode>,
}

struct CellNode {
    progress: watch::Sender<CellProgress>,
    dependents: Vec<CellId>,
}

/// What became of a cell so far.
#[derive(Clone, Debug, Default)]
struct CellProgress {
    /// The outcome, and the stack's outputs if it passed.
    verdict: Option<(Outcome, Vec<StackOutput>)>,
    /// Set when its stack was dealt with, too.
    end: Option<CellEnd>,
}

/// How a cell ended.
#[derive(Clone, Copy, Debug)]
struct CellEnd {
    /// Why its stack, or that of one of its dependents, was kept.
    kept: Option<KeepReason>,
}

/// What a cell waits for has ended in another way than it needs.
pub(super) enum DependencyFailure {
    /// A dependency didn't pass.
    Skipped(String),
    /// The run stops.
    Stopped,
    /// A parameter can't get its value.
    Unresolved {
        reason: String,
        place: PredictedFailure,
    },
}

impl CellGraph {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut nodes: BTreeMap<CellId, CellNode> = BTreeMap::new();
        let node = || CellNode {
            progress: watch::Sender::new(CellProgress::default()),
            dependents: Vec::new(),
        };
        for cell in &plan.cells {
            nodes.entry(cell.cell.clone()).or_insert_with(node);
            for needed in &cell.dependencies {
                let needed = nodes.entry(needed.clone()).or_insert_with(node);
                needed.dependents.push(cell.cell.clone());
            }
        }
        let graph = Self { nodes };
        for refused in &plan.refused {
            graph.decide(&refused.cell.id, Outcome::Failed, Vec::new());
            graph.end(&refused.cell.id, None);
        }
        graph
    }

    /// Returns whether other cells depend on this one.
    pub(super) fn has_dependents(&self, cell: &CellId) -> bool {
        let node = self.nodes.get(cell);
        node.is_some_and(|node| !node.dependents.is_empty())
    }

    /// Publishes a verdict.
    pub(super) fn decide(&self, cell: &CellId, outcome: Outcome, outputs: Vec<StackOutput>) {
        if let Some(node) = self.nodes.get(cell) {
            node.progress
                .send_modify(|progress| progress.verdict = Some((outcome, outputs)));
        }
    }

    /// Publishes that a cell is over.
    pub(super) fn end(&self, cell: &CellId, kept: Option<KeepReason>) {
        if let Some(node) = self.nodes.get(cell) {
            node.progress
                .send_modify(|progress| progress.end = Some(CellEnd { kept }));
        }
    }

    /// Waits until the dependents of a cell are over. Returns why one of them, or one of theirs,
    /// keeps its stack.
    pub(super) async fn dependents_over(&self, cell: &CellId) -> Option<KeepReason> {
        let mut kept = None;
        let dependents = self.nodes.get(cell).map_or(&[][..], |it| &it.dependents);
        for node in dependents.iter().filter_map(|it| self.nodes.get(it)) {
            let mut progress = node.progress.subscribe();
            // The sender lives as long as the graph.
            if let Ok(progress) = progress.wait_for(|it| it.end.is_some()).await {
                kept = kept.or(progress.end.and_then(|end| end.kept));
            }
        }
        kept
    }

    /// Waits until the dependencies of a cell have passed, and returns its plan with their outputs.
    pub(super) async fn ready(
        &self,
        context: &StepContext<'_>,
        plan: &StackPlan,
    ) -> Result<StackPlan, DependencyFailure> {
        let mut outputs: BTreeMap<&CellId, Vec<StackOutput>> = BTreeMap::new();
        for needed in &plan.dependencies {
            let Some(node) = self.nodes.get(needed) else {
                continue;
            };
            let mut progress = node.progress.subscribe();
            let decided = progress.wait_for(|it| it.verdict.is_some());
            let decided = context.stop.until_stopped(decided).await;
            let Some(Ok(decided)) = decided else {
                return Err(DependencyFailure::Stopped);
            };
            let CellId { test, region } = needed;
            match &decided.verdict {
                Some((Outcome::Passed, found)) => {
                    outputs.insert(needed, found.clone());
                }
                Some((Outcome::Interrupted, _)) => return Err(DependencyFailure::Stopped),
                Some((Outcome::Skipped, _)) => {
                    let reason = format!("it depends on {test}, which was skipped in {region}");
                    return Err(DependencyFailure::Skipped(reason));
                }
                Some((Outcome::Failed, _)) | None => {
                    let reason = format!("it depends on {test}, which failed in {region}");
                    return Err(DependencyFailure::Skipped(reason));
                }
            }
        }
        if plan.needed_outputs.is_empty() {
            return Ok(plan.clone());
        }
        let parameters = resolved(plan, &plan.parameters, &outputs)?;
        let mut update = plan.update.clone();
        if let Some(earlier) = &mut update.from {
            earlier.parameters = resolved(plan, &earlier.parameters, &outputs)?;
        }
        context.events.send(EventKind::ParametersResolved {
            cell: plan.cell.clone(),
            parameters: parameters.iter().map(shown).collect(),
        });
        Ok(StackPlan {
            parameters,
            update,
            ..plan.clone()
        })
    }
}

/// Returns the parameters with the outputs of other stacks in them.
fn resolved(
    plan: &StackPlan,
    parameters: &[PlannedParameter],
    outputs: &BTreeMap<&CellId, Vec<StackOutput>>,
) -> Result<Vec<PlannedParameter>, DependencyFailure> {
    let mut parameters = parameters.to_vec();
    for NeededOutput { output, place, .. } in &plan.needed_outputs {
        let found = outputs.get(&output.cell).into_iter().flatten();
        let Some(found) = found.into_iter().find(|it| it.key == output.key) else {
            let CellId { test, region } = &output.cell;
            let key = &output.key;
            let parameter = &place.message;
            return Err(DependencyFailure::Unresolved {
                reason: format!("{parameter}the stack of {test} in {region} has no output {key}"),
                place: place.clone(),
            });
        };
        let reference = output.to_string();
        for parameter in &mut parameters {
            parameter.value = parameter.value.replace(&reference, &found.value);
        }
    }
    Ok(parameters)
}

fn shown(parameter: &PlannedParameter) -> CellParameter {
    let value = if parameter.secret {
        MASK
    } else {
        &parameter.value
    };
    CellParameter {
        key: parameter.key.clone(),
        value: value.to_owned(),
    }
}

/// Returns the outputs that secret parameters of other tests get, which are secret therefore.
pub(super) fn secret_outputs(plan: &Plan) -> BTreeSet<(CellId, String)> {
    let needed = plan.cells.iter().flat_map(|cell| &cell.needed_outputs);
    needed
        .filter(|it| it.is_secret)
        .map(|it| (it.output.cell.clone(), it.output.key.clone()))
        .collect()
}
