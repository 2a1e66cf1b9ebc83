//! Why a cell failed: the one event that failed first on its own account.
//!
//! A failed resource takes others with it: CloudFormation cancels its siblings, fails the stack, then every stack that
//! this one is nested in, and rolls back. All of these say `FAILED`; only the first says why. `model` asks once a cell;
//! every output shows the same answer.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::model::{CellReport, CellState, nested_stack_id};
use crate::event::{HookStage, StackEvent};

/// What failed first. Its text (`Display`) is one paragraph: `Network/Subnet (AWS::EC2::Subnet) CREATE_FAILED: reason`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RootCause {
    pub kind: CauseKind,
    /// The text that every output shows.
    pub text: String,
    /// What failed: the logical ids from the cell's own stack down, a hook's name, or nothing where it is the stack.
    pub path: Vec<String>,
    pub resource_type: Option<String>,
    /// CloudFormation's status of it.
    pub status: Option<String>,
    /// CloudFormation's, AWS's or the hook's own words.
    pub reason: String,
    /// The event that it was read from.
    pub event_id: Option<String>,
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub at: Option<Timestamp>,
}

/// Where the cell failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// A resource of the stack or of a nested one.
    Resource,
    /// A stack as a whole: a timeout, a failed transform.
    Stack,
    /// The stack could not be launched.
    Launch,
    /// A hook failed.
    Hook,
    /// Nobody said more than that it failed.
    Unknown,
}

impl fmt::Display for RootCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The root cause of a cell that has failed, or that was failing when it was stopped; none of any other.
pub fn of_cell(cell: &CellReport) -> Option<RootCause> {
    if cell.state == CellState::Passed {
        return None;
    }
    let found = of_launch(cell)
        .or_else(|| of_hook(cell, HookStage::Prehooks))
        .or_else(|| of_stack(cell))
        .or_else(|| of_hook(cell, HookStage::Posthooks));
    if found.is_some() || cell.state != CellState::Failed {
        return found;
    }
    let reason = cell.stack_status_reason.as_ref().or(cell.reason.as_ref());
    let status = cell.stack_status.clone();
    let reason = reason.map_or("no reason was given", String::as_str);
    Some(RootCause::new(CauseKind::Unknown, vec![], None, status, reason))
}

/// Every event that failed on its own account, the root cause first, for those who list them all.
pub fn own_failures(cell: &CellReport) -> Vec<&StackEvent> {
    let mut ranked: Vec<(Rank, &StackEvent)> =
        cell.events.iter().filter_map(|event| Some((rank(cell, event)?, event))).collect();
    let Some(best) = ranked.iter().map(|(rank, _)| *rank).min() else { return Vec::new() };
    ranked.retain(|(rank, _)| *rank == best);
    // What is nested deeper comes first at the same moment: its parent fails because of it.
    ranked.sort_by_key(|(_, event)| (event.timestamp, std::cmp::Reverse(event.depth)));
    ranked.into_iter().map(|(_, event)| event).collect()
}

/// How likely a failure is to be the first, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It failed on its own account and says why.
    Own,
    /// It failed and says nothing.
    Silent,
    /// A nested stack that failed of something unknown; its words name at least the resource in it.
    Nested,
    /// It failed because something else did.
    Cascade,
    /// It could not be undone.
    Rollback,
}

fn rank(cell: &CellReport, event: &StackEvent) -> Option<Rank> {
    let reason = event.reason.as_deref().map(str::trim).unwrap_or_default();
    // A stack that is rolled back at once, or that ends in ROLLBACK_COMPLETE, may never have had a status that says FAILED.
    let rolled_back = event.is_of_stack() && event.status == "ROLLBACK_IN_PROGRESS" && !reason.is_empty();
    let failed = event.status.ends_with("_FAILED") || rolled_back;
    if !failed {
        return None;
    }
    if event.status.starts_with("DELETE_") || event.status.contains("ROLLBACK_FAILED") {
        return Some(Rank::Rollback);
    }
    if is_cascade(reason) || fails_with_its_stack(cell, event) {
        return Some(Rank::Cascade);
    }
    if reason.starts_with("Embedded stack ") && reason.contains(" was not successfully ") {
        return Some(Rank::Nested);
    }
    Some(if reason.is_empty() { Rank::Silent } else { Rank::Own })
}

/// True for the words with which CloudFormation says that something else failed.
fn is_cascade(reason: &str) -> bool {
    const BEGINNINGS: [&str; 5] = [
        "Resource creation cancelled",
        "Resource update cancelled",
        "The following resource(s) failed to ",
        "Rollback requested by user",
        "[The following resource(s) failed to ",
    ];
    BEGINNINGS.iter().any(|beginning| reason.starts_with(beginning))
}

/// True for a nested stack's resource whose stack tells itself what failed in it.
fn fails_with_its_stack(cell: &CellReport, event: &StackEvent) -> bool {
    nested_stack_id(event).is_some_and(|nested| {
        cell.events.iter().any(|inner| inner.stack_id == nested && inner.status.ends_with("_FAILED"))
    })
}

fn of_stack(cell: &CellReport) -> Option<RootCause> {
    // A resource may fail and be made again; a stack that came up has no root cause.
    if matches!(cell.stack_status.as_deref(), Some("CREATE_COMPLETE" | "UPDATE_COMPLETE")) {
        return None;
    }
    let event = *own_failures(cell).first()?;
    let mut path: Vec<String> = cell.path_of(&event.stack_id).into_iter().map(str::to_owned).collect();
    let kind = if event.is_of_stack() { CauseKind::Stack } else { CauseKind::Resource };
    if kind == CauseKind::Resource {
        path.push(event.logical_id.clone());
    }
    let reason = event.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    let reason = reason.unwrap_or("CloudFormation gave no reason");
    let kind_of = Some(event.resource_type.clone()).filter(|_| kind == CauseKind::Resource);
    let cause = RootCause::new(kind, path, kind_of, Some(event.status.clone()), reason);
    Some(RootCause { event_id: Some(event.event_id.clone()), at: Some(event.timestamp), ..cause })
}

fn of_launch(cell: &CellReport) -> Option<RootCause> {
    let reason = cell.launch_error.as_deref()?;
    Some(RootCause::new(CauseKind::Launch, vec![], None, None, reason))
}

fn of_hook(cell: &CellReport, stage: HookStage) -> Option<RootCause> {
    let failed = cell.hooks.iter().find(|it| it.hook.stage == stage && it.error.is_some())?;
    let reason = failed.error.as_deref()?;
    Some(RootCause {
        at: failed.finished_at,
        ..RootCause::new(CauseKind::Hook, vec![failed.title()], None, None, reason)
    })
}

impl RootCause {
    fn new(
        kind: CauseKind,
        path: Vec<String>,
        resource_type: Option<String>,
        status: Option<String>,
        reason: &str,
    ) -> Self {
        let place = path.join("/");
        let reason = reason.trim().to_owned();
        let status_of = status.as_deref().unwrap_or("failed");
        let text = match (kind, &resource_type) {
            (CauseKind::Resource, Some(resource_type)) => format!("{place} ({resource_type}) {status_of}: {reason}"),
            (CauseKind::Launch, _) => format!("could not be launched: {reason}"),
            (CauseKind::Hook, _) => format!("{place} failed: {reason}"),
            (CauseKind::Unknown, _) if status.is_none() => reason.clone(),
            _ if place.is_empty() => format!("stack {status_of}: {reason}"),
            _ => format!("stack {place} {status_of}: {reason}"),
        };
        Self { kind, text, path, resource_type, status, reason, event_id: None, at: None }
    }
}
