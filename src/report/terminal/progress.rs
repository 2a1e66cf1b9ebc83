//! What each cell is doing at the moment, as far as the events tell.

use std::collections::HashMap;

use jiff::Timestamp;

use super::super::model::{CellReport, RunReport, hook_name, nested_stack_id};
use crate::event::{CellId, Happening, RunEvent, StackEvent};

/// The run so far. It holds no more of a cell that has its verdict than the summary needs.
#[derive(Default)]
pub struct Progress {
    pub report: RunReport,
    activities: HashMap<CellId, Activity>,
    /// What an upload has sent, over all buckets: objects and bytes, done and in all.
    pub upload: Upload,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upload {
    pub objects: u64,
    pub objects_in_all: u64,
    pub bytes: u64,
    pub bytes_in_all: u64,
    /// Buckets whose upload has begun and not ended.
    pub open: usize,
}

/// What a cell is at.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    pub phase: Phase,
    /// The stack's status, or the step before there is a stack.
    pub status: String,
    /// Resources that have come up, or in the deletion gone, nested stacks' included.
    pub done: usize,
    under_way: Vec<UnderWay>,
    since: Option<Timestamp>,
}

/// The states that cells are counted by where there are too many to be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Waiting,
    Hooks,
    Creating,
    Deleting,
    /// Nothing more happens to it.
    Over,
}

impl Phase {
    pub const ALL: [(Phase, &'static str); 4] = [
        (Phase::Hooks, "in hooks"),
        (Phase::Creating, "creating"),
        (Phase::Deleting, "deleting"),
        (Phase::Waiting, "waiting"),
    ];
}

#[derive(Clone, Debug)]
struct UnderWay {
    stack_id: String,
    logical_id: String,
    resource_type: String,
    depth: u32,
}

impl Progress {
    /// Takes an event in, and tells the status that the cell's stack has changed to, if it has.
    pub fn apply(&mut self, event: &RunEvent) -> Option<(CellId, String)> {
        if !is_of_no_consequence(&event.happening) {
            self.report.apply(event);
        }
        self.count_upload(&event.happening);
        let (cell, phase, status) = match &event.happening {
            Happening::RunStarted(run) => {
                self.activities.extend(run.cells.iter().map(|cell| (cell.id.clone(), Activity::default())));
                return None;
            }
            Happening::HookStarted { cell, hook } => {
                self.enter(event.at, cell, Phase::Hooks, &hook_name(hook));
                return None;
            }
            Happening::StackCreating { cell, .. } => {
                self.enter(event.at, cell, Phase::Creating, "launching");
                return None;
            }
            Happening::StackCreated { cell, .. } => (cell, Phase::Creating, "CREATE_IN_PROGRESS"),
            Happening::StackEvent { cell, detail } => {
                let activity = self.activities.entry(cell.clone()).or_default();
                activity.follow(detail);
                // A late event about the creation must not take a deletion back.
                if activity.phase == Phase::Over || !detail.is_of_stack() || detail.depth > 0 {
                    return None;
                }
                (cell, activity.phase, detail.status.as_str())
            }
            Happening::StackSettled { cell, status, .. } => (cell, Phase::Creating, status.as_str()),
            Happening::StackDeleting { cell, .. } => {
                let activity = self.activities.entry(cell.clone()).or_default();
                (activity.done, activity.under_way) = (0, Vec::new());
                (cell, Phase::Deleting, "DELETE_IN_PROGRESS")
            }
            Happening::StackDeleted { cell, .. } => (cell, Phase::Over, "DELETE_COMPLETE"),
            Happening::StackDeleteFailed { cell, .. } => (cell, Phase::Over, "DELETE_FAILED"),
            Happening::LaunchFailed { cell, .. } => (cell, Phase::Over, "LAUNCH_FAILED"),
            Happening::CellFinished { cell, .. }
            | Happening::StackKept { cell, .. }
            | Happening::StackDeleteUnawaited { cell, .. } => {
                self.activities.entry(cell.clone()).or_default().phase = Phase::Over;
                return None;
            }
            _ => return None,
        };
        self.enter(event.at, cell, phase, status)
    }

    fn enter(&mut self, at: Timestamp, cell: &CellId, phase: Phase, status: &str) -> Option<(CellId, String)> {
        let activity = self.activities.entry(cell.clone()).or_default();
        if activity.phase != phase {
            (activity.phase, activity.since) = (phase, Some(at));
        }
        let changed = activity.status != status;
        activity.status = status.into();
        changed.then(|| (cell.clone(), status.into()))
    }

    fn count_upload(&mut self, happening: &Happening) {
        let upload = &mut self.upload;
        match happening {
            Happening::UploadStarted { uploads, bytes, .. } => {
                upload.objects_in_all += *uploads as u64;
                upload.bytes_in_all += bytes;
                upload.open += 1;
            }
            Happening::ObjectUploaded { bytes, .. } => {
                upload.objects += 1;
                upload.bytes += bytes;
            }
            Happening::UploadFinished { .. } => upload.open = upload.open.saturating_sub(1),
            _ => {}
        }
    }

    /// Cells to which something is still to happen, with what they are at; in the plan's order.
    pub fn active<'a>(&'a self) -> impl Iterator<Item = (&'a CellReport, &'a Activity)> {
        let of_cell = |cell: &'a CellReport| Some((cell, self.activities.get(&cell.id)?));
        self.report.cells.iter().filter_map(of_cell).filter(|(_, activity)| activity.phase != Phase::Over)
    }
}

/// True of the many events that neither a root cause nor a nested stack's path is read from. The report of the files
/// keeps them; a second copy in memory would serve nobody.
fn is_of_no_consequence(happening: &Happening) -> bool {
    let Happening::StackEvent { detail, .. } = happening else { return false };
    !detail.is_of_stack() && nested_stack_id(detail).is_none() && !detail.status.ends_with("_FAILED")
}

impl Activity {
    fn follow(&mut self, event: &StackEvent) {
        if event.is_of_stack() {
            return;
        }
        let is_it = |it: &UnderWay| it.stack_id == event.stack_id && it.logical_id == event.logical_id;
        let position = self.under_way.iter().position(is_it);
        if event.status.ends_with("_IN_PROGRESS") {
            if position.is_none() {
                let (stack_id, logical_id) = (event.stack_id.clone(), event.logical_id.clone());
                let resource_type = event.resource_type.clone();
                self.under_way.push(UnderWay { stack_id, logical_id, resource_type, depth: event.depth });
            }
            return;
        }
        if let Some(position) = position {
            self.under_way.remove(position);
            self.done += usize::from(event.status.ends_with("_COMPLETE"));
        }
    }

    /// What it has waited for longest: of the innermost stacks, since the outer ones wait for these. The resource's
    /// logical id and type.
    pub fn waiting_for(&self) -> Option<(&str, &str)> {
        let deepest = self.under_way.iter().map(|it| it.depth).max()?;
        let longest = self.under_way.iter().find(|it| it.depth == deepest)?;
        Some((&longest.logical_id, &longest.resource_type))
    }

    /// Whole seconds that it has been in its phase.
    pub fn elapsed(&self, now: Timestamp) -> f64 {
        self.since.map_or(0.0, |since| (now.as_second() - since.as_second()).max(0) as f64)
    }
}
