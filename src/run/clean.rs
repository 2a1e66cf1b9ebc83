//! What earlier runs have not deleted is found and deleted: `taskcat test clean` and `test list`.
//!
//! Two sources tell of it: the journals of runs that were killed, which name stacks and buckets
//! exactly, and the tags that stacks and buckets of a run carry. Neither is enough to delete
//! something: the tag has to be the run's, and the account the one that the journal was written
//! for. TaskCat's `_cli_modules/delete.py` and `list.py` know the tags of stacks only.

mod delete;
mod find;

pub(crate) use delete::clean;
pub(super) use delete::{current_stack, started};
pub(super) use find::age;
pub(crate) use find::find;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::journal::{JournalFolders, JournalRecord};
use crate::event::CellId;
use crate::teardown::BucketOrigin;

/// Where resources of runs are searched.
#[derive(Clone, Debug)]
pub(crate) struct SearchScope {
    pub profile: String,
    /// `None`: every region that the account has enabled.
    pub regions: Option<Vec<String>>,
}

/// What is to be found and deleted.
#[derive(Clone, Debug)]
pub(crate) struct CleanRequest {
    /// A project's name, a run's `taskcat-id` or its beginning, or `ALL`.
    pub what: String,
    pub search: SearchScope,
    /// Where journals are looked for.
    pub folders: JournalFolders,
    /// The endpoint called instead of AWS. A journal is valid only for the endpoint that it was
    /// written for.
    pub endpoint: Option<String>,
    /// Also what belongs to runs that seem to go on.
    pub include_running: bool,
    /// Only runs whose newest event is older.
    pub older_than: Option<Duration>,
}

/// Without a journal, a run whose newest event is younger is taken for one that goes on.
pub(super) const QUIET: Duration = Duration::from_secs(60 * 60);

/// A shorter text isn't taken for the beginning of a `taskcat-id`.
const MIN_PREFIX: usize = 6;

/// The `taskcat-id` that a text is; TaskCat takes both spellings of a UUID.
pub(crate) fn run_id(text: &str) -> Option<String> {
    Uuid::parse_str(text).ok().map(|id| id.simple().to_string())
}

impl CleanRequest {
    /// The run that is meant.
    pub(crate) fn run_id(&self) -> Option<String> {
        run_id(&self.what)
    }

    /// The beginning of a `taskcat-id` that is meant, if it could be one.
    fn run_prefix(&self) -> Option<&str> {
        let is_hex = self
            .what
            .chars()
            .all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
        (is_hex && (MIN_PREFIX..32).contains(&self.what.len())).then_some(&self.what)
    }

    fn means(&self, project: &str, run_id: &str) -> bool {
        self.run_id().as_deref() == Some(run_id)
            || self.what == "ALL"
            || self.what == project
            || self
                .run_prefix()
                .is_some_and(|prefix| run_id.starts_with(prefix))
    }

    /// How long a run without a journal has to have been quiet to be taken for one that has ended.
    /// Whoever names a run knows that it has.
    fn quiet(&self) -> Duration {
        match self.older_than {
            Some(limit) => limit,
            None if self.include_running || self.run_id().is_some() => Duration::ZERO,
            None => QUIET,
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct CleanFindings {
    /// What can be deleted.
    pub leftovers: Vec<Leftover>,
    /// What was left out, and why: it belongs to a run that goes on.
    pub running: Vec<Leftover>,
    /// What could not be searched or followed, and why.
    pub unsearched: Vec<String>,
    /// Projects and runs of which something was found that wasn't asked for.
    pub others: BTreeSet<(String, String)>,
    /// Runs whose journals say that they go on.
    pub(super) running_runs: BTreeSet<String>,
    /// The journals of the leftovers' runs, with their locks.
    pub(super) journals: Vec<JournalRecord>,
}

/// A stack or bucket of an earlier run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub kind: LeftoverKind,
    pub name: String,
    /// The `taskcat-id`.
    pub run_id: String,
    pub project: String,
    /// Of a stack: the test that it belongs to, as far as that is known.
    pub test: Option<String>,
    pub profile: String,
    pub account_id: String,
    pub region: String,
    /// When it was created; unknown of something that only a journal names.
    pub created: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LeftoverKind {
    Stack {
        /// Absent as long as CloudFormation has not confirmed the creation.
        stack_id: Option<String>,
        /// When the creation was requested, unless it was confirmed.
        unconfirmed_since: Option<Timestamp>,
    },
    Bucket {
        unconfirmed_since: Option<Timestamp>,
    },
}

impl CleanFindings {
    /// Whether nothing at all is known of what was asked for.
    pub(crate) fn is_unknown(&self) -> bool {
        self.leftovers.is_empty()
            && self.running.is_empty()
            && self.running_runs.is_empty()
            && self.journals.is_empty()
            && self.unsearched.is_empty()
    }

    /// Whether the run that was asked for goes on.
    pub(crate) fn is_running(&self, run_id: &str) -> bool {
        self.running_runs.contains(run_id)
    }
}

impl Leftover {
    /// Of a bucket: what is known of its creation.
    pub(super) fn bucket_origin(&self) -> Option<BucketOrigin<'_>> {
        let LeftoverKind::Bucket { unconfirmed_since } = self.kind else {
            return None;
        };
        Some(BucketOrigin {
            run_id: &self.run_id,
            project: &self.project,
            account_id: &self.account_id,
            unconfirmed_since,
        })
    }

    pub(crate) fn is_stack(&self) -> bool {
        matches!(self.kind, LeftoverKind::Stack { .. })
    }

    /// Called by the stack's name, since several runs of one test may have left one each.
    fn cell(&self) -> CellId {
        CellId {
            test: self.name.as_str().into(),
            region: self.region.as_str().into(),
        }
    }
}
