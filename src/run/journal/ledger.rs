//! What a run has created, or may have created, and not yet deleted.
//!
//! The ledger is folded from events, both by the writer, which keeps a journal until the ledger is
//! empty, and by the reader of a killed run's journal.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::event::{CellId, EventKind, RunEvent};

/// Resources that may exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Stacks by cell, since a cell has one stack at a time.
    pub stacks: BTreeMap<CellId, Creation>,
    /// Buckets by name.
    pub buckets: BTreeMap<String, Creation>,
    /// Markers in shared buckets, by bucket and key, with the bucket's region.
    pub markers: BTreeMap<(String, String), String>,
}

/// The creation of a stack or bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Creation {
    /// When it was requested.
    pub at: Timestamp,
    /// The stack's ARN or the bucket's name, once AWS has answered; `None` as long as the call may
    /// still take effect.
    pub confirmed: Option<String>,
    /// The region where it was last requested.
    pub region: String,
}

impl Creation {
    fn requested(at: Timestamp, region: &str) -> Self {
        Self {
            at,
            confirmed: None,
            region: region.to_owned(),
        }
    }
}

impl Ledger {
    /// Applies an event. Only buckets for which `is_own` returns true count; others are shared with
    /// later runs.
    pub(crate) fn apply(&mut self, event: &RunEvent, is_own: impl Fn(&str) -> bool) {
        match &event.kind {
            EventKind::StackCreating { cell, .. } => {
                self.stacks.insert(cell.clone(), Creation::requested(event.at, &cell.region));
            }
            EventKind::StackCreated { cell, stack_id } => {
                if let Some(creation) = self.stacks.get_mut(cell) {
                    creation.confirmed = Some(stack_id.clone());
                }
            }
            EventKind::LaunchFailed { cell, may_exist: false, .. }
            | EventKind::StackDeleted { cell, .. }
            // A deletion that isn't awaited counts as done; if it fails, the stack can be found by
            // its tags.
            | EventKind::StackDeleteUnawaited { cell, .. } => {
                self.stacks.remove(cell);
            }
            EventKind::BucketCreating { bucket, region } if is_own(bucket) => {
                self.buckets.insert(bucket.clone(), Creation::requested(event.at, region));
            }
            EventKind::BucketCreated { bucket, .. } => {
                if let Some(creation) = self.buckets.get_mut(bucket) {
                    creation.confirmed = Some(bucket.clone());
                }
            }
            EventKind::BucketDeleted { bucket } => {
                self.buckets.remove(bucket);
            }
            EventKind::StagingMarked { bucket, region, key } => {
                self.markers.insert((bucket.clone(), key.clone()), region.clone());
            }
            EventKind::StagingReleased { bucket, key } => {
                self.markers.remove(&(bucket.clone(), key.clone()));
            }
            _ => {}
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stacks.is_empty() && self.buckets.is_empty() && self.markers.is_empty()
    }

    /// Returns whether an event changes the ledger and so must be written to a journal.
    pub(crate) fn concerns(kind: &EventKind) -> bool {
        matches!(
            kind,
            EventKind::StackCreating { .. }
                | EventKind::StackCreated { .. }
                | EventKind::LaunchFailed { .. }
                | EventKind::StackDeleted { .. }
                | EventKind::StackDeleteUnawaited { .. }
                | EventKind::BucketCreating { .. }
                | EventKind::BucketCreated { .. }
                | EventKind::BucketDeleted { .. }
                | EventKind::StagingMarked { .. }
                | EventKind::StagingReleased { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deleted_resources_leave_the_ledger() {
        let cell = CellId {
            test: "a".into(),
            region: "eu-west-1".into(),
        };
        let mut ledger = Ledger::default();
        let mut apply = |kind| {
            ledger.apply(
                &RunEvent {
                    seq: 1,
                    at: Timestamp::UNIX_EPOCH,
                    kind,
                },
                |_| true,
            );
            (
                ledger.stacks.get(&cell).map(|it| it.confirmed.clone()),
                ledger.is_empty(),
            )
        };
        let creating = || EventKind::StackCreating {
            cell: cell.clone(),
            stack_name: "s".into(),
            client_request_token: "t".into(),
        };
        let failed = |may_exist| EventKind::LaunchFailed {
            cell: cell.clone(),
            reason: "cut".into(),
            may_exist,
        };
        let stack_id = || "arn".to_owned();
        assert_eq!(apply(creating()), (Some(None), false));
        assert_eq!(apply(failed(true)), (Some(None), false));
        assert_eq!(apply(failed(false)), (None, true));
        apply(creating());
        let created = EventKind::StackCreated {
            cell: cell.clone(),
            stack_id: stack_id(),
        };
        assert_eq!(apply(created), (Some(Some(stack_id())), false));
        let deleting = EventKind::StackDeleting {
            cell: cell.clone(),
            stack_id: stack_id(),
        };
        assert_eq!(apply(deleting), (Some(Some(stack_id())), false));
        let deleted = EventKind::StackDeleted {
            cell: cell.clone(),
            stack_id: stack_id(),
        };
        assert_eq!(apply(deleted), (None, true));
    }
}
