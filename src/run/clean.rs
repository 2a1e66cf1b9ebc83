//! Finds and deletes what taskcat has created: what earlier runs have not deleted (`taskcat test
//! clean` and `test list`), and permanent stacks (`taskcat delete` and `list`).
//!
//! There are two sources: the journals of runs that were killed, which name stacks and buckets
//! exactly, and the tags of stacks and buckets. Neither alone permits a deletion: the tag must be
//! the run's, and the account must be the journal's. TaskCat's `_cli_modules/delete.py` and
//! `list.py` use only the tags of stacks.

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
use crate::aws::{AwsError, Stack};
use crate::event::CellId;
use crate::plan::INSTALLER_TAG;
use crate::teardown::BucketOrigin;

/// Where to search for resources of runs.
#[derive(Clone, Debug)]
pub(crate) struct SearchScope {
    /// The profiles, at least one.
    pub profiles: Vec<String>,
    /// The regions, or [`OWN_REGION`]; `None` for every region enabled in the account.
    pub regions: Option<Vec<String>>,
}

/// Stands for the region of the profile, as in TaskCat's `delete --region default`.
pub(crate) const OWN_REGION: &str = "default";

/// What to find and delete.
#[derive(Clone, Debug)]
pub(crate) struct CleanRequest {
    /// A project's name, a run's ID (`taskcat-id`) or its beginning, or `ALL`.
    pub what: String,
    pub search: SearchScope,
    /// The folders to search for journals.
    pub folders: JournalFolders,
    /// The endpoint used instead of AWS. A journal is valid only for the endpoint that it was
    /// written for.
    pub endpoint: Option<String>,
    /// Also include runs that seem to be in progress.
    pub include_running: bool,
    /// Include only runs whose newest event is older.
    pub older_than: Option<Duration>,
    pub stack_type: StackType,
    /// Search only for stacks: neither for buckets nor in journals.
    pub stacks_only: bool,
}

/// Which stacks to find, as in TaskCat's `--stack-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StackType {
    /// Stacks of test runs.
    Test,
    /// Permanent stacks, which have the tag `taskcat-installer`.
    Project,
    All,
}

impl StackType {
    fn includes(self, is_permanent: bool) -> bool {
        match self {
            Self::Test => !is_permanent,
            Self::Project => is_permanent,
            Self::All => true,
        }
    }
}

/// A profile that can't be searched with.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .error.of_profile(.profile))]
pub(crate) struct SearchError {
    pub profile: String,
    pub error: Box<AwsError>,
}

/// Without a journal, a run with a newer event than this is considered to be in progress.
pub(super) const QUIET: Duration = Duration::from_secs(60 * 60);

/// The tag with the run's ID.
pub(super) const RUN_TAG: &str = "taskcat-id";
/// Minimum length of the beginning of a run's ID.
const MIN_PREFIX: usize = 6;

/// Parses a run's ID; like TaskCat, accepts both forms of a UUID.
pub(crate) fn run_id(text: &str) -> Option<String> {
    Uuid::parse_str(text).ok().map(|id| id.simple().to_string())
}

impl CleanRequest {
    /// Returns the requested run's ID, if a run is requested.
    pub(crate) fn run_id(&self) -> Option<String> {
        run_id(&self.what)
    }

    /// Returns the requested beginning of a run's ID, if it may be one.
    fn run_prefix(&self) -> Option<&str> {
        let is_hex = self
            .what
            .chars()
            .all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
        (is_hex && (MIN_PREFIX..32).contains(&self.what.len())).then_some(&self.what)
    }

    fn means(&self, project: &str, run_id: &str, installer: Option<&str>) -> bool {
        self.run_id().as_deref() == Some(run_id)
            || self.what == "ALL"
            || self.what == project
            || Some(self.what.as_str()) == installer
            || self
                .run_prefix()
                .is_some_and(|prefix| run_id.starts_with(prefix))
    }

    /// Returns how old the newest event of a run without a journal must be. A run that is named
    /// explicitly is known to have ended, and a permanent stack belongs to no run.
    fn quiet(&self, is_permanent: bool) -> Duration {
        let is_known = is_permanent || self.include_running || self.run_id().is_some();
        match self.older_than {
            Some(limit) => limit,
            None if is_known => Duration::ZERO,
            None => QUIET,
        }
    }
}

/// The result of a search.
#[derive(Debug, Default)]
pub(crate) struct CleanFindings {
    /// What can be deleted.
    pub leftovers: Vec<Leftover>,
    /// What was excluded because its run is in progress.
    pub running: Vec<Leftover>,
    /// What could not be searched or followed, with the reasons.
    pub unsearched: Vec<String>,
    /// Projects and runs of leftovers that weren't requested.
    pub others: BTreeSet<(String, String)>,
    /// Runs that are in progress according to their journals.
    pub(super) running_runs: BTreeSet<String>,
    /// The journals of the leftovers' runs, with their locks.
    pub(super) journals: Vec<JournalRecord>,
}

/// A stack or bucket of an earlier run, or a permanent stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub kind: LeftoverKind,
    pub name: String,
    /// The run's ID (`taskcat-id`); empty for a stack of our `deploy run`.
    pub run_id: String,
    /// The project's name; empty for a stack of our `deploy run`.
    pub project: String,
    /// The name of a permanent stack's installation (`taskcat-installer`).
    pub installer: Option<String>,
    /// The test that a stack belongs to, if known.
    pub test: Option<String>,
    pub profile: String,
    pub account_id: String,
    pub region: String,
    /// When it was created; unknown if only a journal names it.
    pub created: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LeftoverKind {
    Stack {
        /// The stack's ARN; absent until CloudFormation has confirmed the creation.
        stack_id: Option<String>,
        /// When the creation was requested, if it wasn't confirmed.
        unconfirmed_since: Option<Timestamp>,
    },
    Bucket {
        unconfirmed_since: Option<Timestamp>,
    },
}

impl CleanFindings {
    /// Returns findings of stacks alone.
    pub(crate) fn of_stacks(leftovers: Vec<Leftover>) -> Self {
        Self {
            leftovers,
            ..Self::default()
        }
    }

    /// Returns whether nothing was found for the request.
    pub(crate) fn is_unknown(&self) -> bool {
        self.leftovers.is_empty()
            && self.running.is_empty()
            && self.running_runs.is_empty()
            && self.journals.is_empty()
            && self.unsearched.is_empty()
    }

    /// Returns whether the requested run is in progress.
    pub(crate) fn is_running(&self, run_id: &str) -> bool {
        self.running_runs.contains(run_id)
    }
}

impl Leftover {
    /// Returns what is known about the creation of a bucket.
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

    /// Returns the ARN of a stack, if it is known.
    pub(crate) fn stack_id(&self) -> Option<&str> {
        match &self.kind {
            LeftoverKind::Stack { stack_id, .. } => stack_id.as_deref(),
            LeftoverKind::Bucket { .. } => None,
        }
    }

    /// Returns whether a stack that exists has the tags by which this one was found.
    fn is_marked_as(&self, stack: &Stack) -> bool {
        if self.run_id.is_empty() {
            self.installer.is_some() && stack.tag(INSTALLER_TAG) == self.installer.as_deref()
        } else {
            stack.tag(RUN_TAG) == Some(&self.run_id)
        }
    }

    /// Returns an ID with the stack's name, since several runs may have left a stack of the same
    /// test.
    fn cell(&self) -> CellId {
        CellId {
            test: self.name.as_str().into(),
            region: self.region.as_str().into(),
        }
    }
}
