//! Tracks what each cell is doing, from events.

use std::collections::{HashMap, HashSet};
use std::fmt;

use jiff::Timestamp;

use super::super::model::{
    CellReport, RunReport, StackReport, check_name, hook_name, nested_stack_id,
};
use crate::event::{CellId, EventKind, RunEvent, StackEvent};
use crate::status::StackStatus;

/// The run so far. For a finished cell it holds only what the summary needs.
#[derive(Default)]
pub(super) struct RunProgress {
    pub report: RunReport,
    activities: HashMap<CellId, CellActivity>,
    /// Progress of the upload over all buckets: objects and bytes, done and total.
    pub upload: UploadProgress,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct UploadProgress {
    pub objects: u64,
    pub objects_in_all: u64,
    pub bytes: u64,
    pub bytes_in_all: u64,
    /// Number of buckets whose upload has started but not finished.
    pub open: usize,
}

/// What a cell is doing.
#[derive(Clone, Debug, Default)]
pub(super) struct CellActivity {
    pub phase: CellPhase,
    /// The stack's status, if it exists.
    pub status: Option<StackStatus>,
    /// The step before the stack exists.
    step: String,
    /// Number of resources deleted by a rollback or deletion, including those of nested stacks.
    pub gone: usize,
    /// Resources of each stack seen during creation, by stack ID.
    stacks: HashMap<String, ResourceCounts>,
    under_way: Vec<ResourceInProgress>,
    since: Option<Timestamp>,
}

/// The number of a stack's created resources and the total, which is unknown without the template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub done: usize,
    pub in_all: Option<usize>,
}

/// Formats as `12/20`, or `12 done` if the total isn't known.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.in_all {
            Some(in_all) => write!(f, "{}/{in_all}", self.done),
            None => write!(f, "{} done", self.done),
        }
    }
}

/// A stack's resources by logical ID: those mentioned in events, and those created.
#[derive(Clone, Debug, Default)]
struct ResourceCounts {
    begun: HashSet<String>,
    done: usize,
}

/// The states that cells are counted by if there are too many to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CellPhase {
    #[default]
    Waiting,
    Hooks,
    Checks,
    Creating,
    Deleting,
    /// Finished, including teardown.
    Over,
}

impl CellPhase {
    pub const ALL: [(CellPhase, &'static str); 5] = [
        (CellPhase::Hooks, "in hooks"),
        (CellPhase::Checks, "in checks"),
        (CellPhase::Creating, "creating"),
        (CellPhase::Deleting, "deleting"),
        (CellPhase::Waiting, "waiting"),
    ];
}

#[derive(Clone, Debug)]
struct ResourceInProgress {
    stack_id: String,
    logical_id: String,
    resource_type: String,
    depth: u32,
}

impl RunProgress {
    /// Applies an event; returns the new status of the cell's stack if it has changed.
    pub(super) fn apply(&mut self, event: &RunEvent) -> Option<(CellId, StackStatus)> {
        if !is_of_no_consequence(&event.kind) {
            self.report.apply(event);
        }
        self.count_upload(&event.kind);
        let (cell, phase, status) = match &event.kind {
            EventKind::RunStarted(run) => {
                self.activities.extend(
                    run.cells
                        .iter()
                        .map(|cell| (cell.id.clone(), CellActivity::default())),
                );
                return None;
            }
            EventKind::HookStarted { cell, hook } => {
                self.enter(event.at, cell, CellPhase::Hooks).step = hook_name(hook);
                return None;
            }
            EventKind::CheckStarted { cell, check } => {
                self.enter(event.at, cell, CellPhase::Checks).step = check_name(check);
                return None;
            }
            EventKind::StackCreating { cell, .. } => {
                let activity = self.enter(event.at, cell, CellPhase::Creating);
                (activity.status, activity.step) = (None, "launching".to_owned());
                return None;
            }
            EventKind::StackCreated { cell, .. } => {
                (cell, CellPhase::Creating, StackStatus::CreateInProgress)
            }
            EventKind::StackEvent { cell, detail } => {
                let activity = self.activities.entry(cell.clone()).or_default();
                activity.follow(detail);
                // A late event about the creation must not revert a deletion.
                if activity.phase == CellPhase::Over || !detail.is_of_stack() || detail.depth > 0 {
                    return None;
                }
                (cell, activity.phase, StackStatus::from(&detail.status))
            }
            EventKind::StackSettled { cell, status, .. } => {
                (cell, CellPhase::Creating, status.clone())
            }
            EventKind::StackDeleting { cell, .. } => {
                let activity = self.activities.entry(cell.clone()).or_default();
                (activity.gone, activity.under_way) = (0, Vec::new());
                (cell, CellPhase::Deleting, StackStatus::DeleteInProgress)
            }
            EventKind::StackDeleted { cell, .. } => {
                (cell, CellPhase::Over, StackStatus::DeleteComplete)
            }
            EventKind::StackDeleteFailed { cell, .. } => {
                (cell, CellPhase::Over, StackStatus::DeleteFailed)
            }
            EventKind::LaunchFailed { cell, .. } => {
                (cell, CellPhase::Over, StackStatus::launch_failed())
            }
            EventKind::CellFinished { cell, .. }
            | EventKind::StackKept { cell, .. }
            | EventKind::StackDeleteUnawaited { cell, .. } => {
                let activity = self.activities.entry(cell.clone()).or_default();
                // With the verdict, counts of created resources aren't needed anymore.
                (activity.phase, activity.stacks) = (CellPhase::Over, HashMap::new());
                return None;
            }
            _ => return None,
        };
        let activity = self.enter(event.at, cell, phase);
        let has_changed = activity.status.as_ref() != Some(&status);
        activity.status = Some(status.clone());
        has_changed.then(|| (cell.clone(), status))
    }

    fn enter(&mut self, at: Timestamp, cell: &CellId, phase: CellPhase) -> &mut CellActivity {
        let activity = self.activities.entry(cell.clone()).or_default();
        if activity.phase != phase {
            (activity.phase, activity.since) = (phase, Some(at));
        }
        activity
    }

    fn count_upload(&mut self, kind: &EventKind) {
        let upload = &mut self.upload;
        match kind {
            EventKind::UploadStarted { uploads, bytes, .. } => {
                upload.objects_in_all += *uploads as u64;
                upload.bytes_in_all += bytes;
                upload.open += 1;
            }
            EventKind::ObjectUploaded { bytes, .. } => {
                upload.objects += 1;
                upload.bytes += bytes;
            }
            EventKind::UploadFinished { .. } => upload.open = upload.open.saturating_sub(1),
            _ => {}
        }
    }

    pub(super) fn activity(&self, cell: &CellId) -> Option<&CellActivity> {
        self.activities.get(cell)
    }

    /// Returns the unfinished cells with their activity, in the plan's order.
    pub(super) fn active<'a>(&'a self) -> impl Iterator<Item = (&'a CellReport, &'a CellActivity)> {
        let of_cell = |cell: &'a CellReport| Some((cell, self.activities.get(&cell.id)?));
        self.report
            .cells
            .iter()
            .filter_map(of_cell)
            .filter(|(_, activity)| activity.phase != CellPhase::Over)
    }
}

/// Returns whether an event affects neither a root cause nor a nested stack's path. The report
/// files keep such events; a second copy in memory would be a waste.
fn is_of_no_consequence(kind: &EventKind) -> bool {
    let EventKind::StackEvent { detail, .. } = kind else {
        return false;
    };
    !detail.is_of_stack() && nested_stack_id(detail).is_none() && !detail.status.is_failed()
}

impl CellActivity {
    /// Returns the stack's status, or the step before it exists.
    pub(super) fn label(&self) -> &str {
        self.status.as_ref().map_or(&self.step, StackStatus::as_str)
    }

    fn follow(&mut self, event: &StackEvent) {
        if event.is_of_stack() {
            return;
        }
        let goes = event.status.is_deletion();
        let seen = self.stacks.entry(event.stack_id.clone()).or_default();
        if !goes && !seen.begun.contains(&event.logical_id) {
            seen.begun.insert(event.logical_id.clone());
        }
        let is_it = |it: &ResourceInProgress| {
            it.stack_id == event.stack_id && it.logical_id == event.logical_id
        };
        let position = self.under_way.iter().position(is_it);
        if event.status.is_in_progress() {
            if position.is_none() {
                let stack_id = event.stack_id.clone();
                let logical_id = event.logical_id.clone();
                let resource_type = event.resource_type.clone();
                self.under_way.push(ResourceInProgress {
                    stack_id,
                    logical_id,
                    resource_type,
                    depth: event.depth,
                });
            }
            return;
        }
        if let Some(position) = position {
            self.under_way.remove(position);
            match (goes, event.status.is_complete()) {
                (true, true) => self.gone += 1,
                (false, true) => seen.done += 1,
                _ => {}
            }
        }
    }

    /// Returns the resources of the cell: its own stack's and those of nested stacks that exist.
    pub(super) fn resources(&self, cell: &CellReport) -> Count {
        let nested = cell.stacks.iter().filter(|stack| stack.depth > 0);
        let own = cell
            .stacks
            .iter()
            .find(|stack| stack.depth == 0)
            .map(|stack| stack.stack_id.as_str());
        let done = self.stacks.values().map(|seen| seen.done).sum();
        let in_all = self
            .expected(cell, own.unwrap_or_default(), Some(&[]))
            .map(|own| {
                let nested = nested.map(|stack| {
                    self.resources_of(cell, stack)
                        .in_all
                        .unwrap_or_else(|| self.begun(&stack.stack_id))
                });
                (own + nested.sum::<usize>()).max(done)
            });
        Count { done, in_all }
    }

    /// Returns the resources of one nested stack, without those of stacks nested in it.
    pub(super) fn resources_of(&self, cell: &CellReport, stack: &StackReport) -> Count {
        let path = cell.path_of(&stack.stack_id);
        // The path is unknown if the parent's events are missing; it must not be taken for the
        // test's own stack.
        let path = (path.len() == stack.depth as usize).then_some(path.as_slice());
        let done = self.stacks.get(&stack.stack_id).map_or(0, |seen| seen.done);
        let in_all = self
            .expected(cell, &stack.stack_id, path)
            .map(|in_all| in_all.max(done));
        Count { done, in_all }
    }

    /// Returns the number of resources that the template declares without a condition, plus others
    /// that were seen.
    fn expected(&self, cell: &CellReport, stack_id: &str, path: Option<&[&str]>) -> Option<usize> {
        let template = cell.sources.template(&cell.template, path?)?;
        let is_certain = |id: &String| template.resources.get(id).is_some_and(|it| !it.conditional);
        let certain = template
            .resources
            .values()
            .filter(|it| !it.conditional)
            .count();
        let more = self.stacks.get(stack_id).map_or(0, |seen| {
            seen.begun.iter().filter(|id| !is_certain(id)).count()
        });
        Some(certain + more)
    }

    fn begun(&self, stack_id: &str) -> usize {
        self.stacks.get(stack_id).map_or(0, |seen| seen.begun.len())
    }

    /// Returns the logical ID and type of the resource in progress longest, in the innermost stack,
    /// since outer stacks wait for inner ones.
    pub(super) fn waiting_for(&self) -> Option<(&str, &str)> {
        let deepest = self.under_way.iter().map(|it| it.depth).max()?;
        let longest = self.under_way.iter().find(|it| it.depth == deepest)?;
        Some((&longest.logical_id, &longest.resource_type))
    }

    /// Returns the whole seconds in the current phase.
    pub(super) fn elapsed(&self, now: Timestamp) -> f64 {
        self.since.map_or(0.0, |since| {
            (now.as_second() - since.as_second()).max(0) as f64
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TemplateSource;
    use crate::report::tests::fixture;

    /// Returns the count of `app us-east-1` of a recorded run after each event that changes it,
    /// with these templates.
    fn counts(templates: serde_json::Value, until: &str) -> Vec<String> {
        let mut events = fixture("one-failed");
        if let EventKind::RunStarted(run) = &mut events[0].kind {
            run.templates = serde_json::from_value::<Vec<TemplateSource>>(templates).unwrap();
        }
        let mut progress = RunProgress::default();
        let mut counts: Vec<String> = Vec::new();
        for event in &events {
            progress.apply(event);
            let app = progress
                .active()
                .find(|(cell, _)| &*cell.id.test == "app" && &*cell.id.region == "us-east-1");
            let Some((cell, activity)) = app.filter(|(_, it)| it.phase == CellPhase::Creating)
            else {
                continue;
            };
            let count = activity.resources(cell).to_string();
            if counts.last() != Some(&count) {
                counts.push(count.clone());
            }
            if count == until {
                break;
            }
        }
        counts
    }

    fn resource(line: u32) -> serde_json::Value {
        serde_json::json!({"line": line})
    }

    #[test]
    fn resources_of_nested_stacks_count_once_they_have_appeared() {
        let mut network = serde_json::Map::new();
        for id in ["VPC", "InternetGateway", "PrivateSubnet1", "PublicSubnet1"] {
            network.insert(id.into(), resource(1));
        }
        network.insert(
            "Perhaps".into(),
            serde_json::json!({"line": 2, "conditional": true}),
        );
        let templates = serde_json::json!([
            {"template": "templates/app.template.yaml", "resources": {
                "NetworkStack": {"line": 1, "template": "templates/net.yaml"}, "Other": {"line": 2}}},
            {"template": "templates/net.yaml", "resources": network}
        ]);
        let counts = counts(templates, "3/8");
        // Two of its own, then the nested stack's four; resources that no template declares are
        // added.
        assert_eq!(
            counts.iter().map(String::as_str).collect::<Vec<_>>(),
            EXPECTED
        );
    }

    const EXPECTED: [&str; 7] = ["0/2", "0/6", "1/6", "2/6", "3/6", "3/7", "3/8"];

    #[test]
    fn without_the_template_only_the_number_done_is_known() {
        assert_eq!(
            counts(serde_json::json!([]), "3 done"),
            ["0 done", "1 done", "2 done", "3 done"]
        );
    }
}
