//! Records what a run is about to create, on disk before it is created, so that the resources of a
//! killed run can be deleted.
//!
//! A journal is `.taskcat/runs/<taskcat-id>.ndjson` in the project, or in another of the
//! [`JournalFolders`]: a [`JournalHeader`] with everything that the run may create, followed by the
//! run's events about stacks and buckets, which are folded into a [`Ledger`]. It is removed once
//! everything in it has been deleted.

mod folders;
mod ledger;
mod lock;
mod read;

pub(crate) use folders::JournalFolders;
pub(crate) use ledger::Ledger;
pub(crate) use lock::{HEARTBEAT, Liveness, RunProcess};
pub(crate) use read::{JournalRecord, LeftoverMarker, read_all};

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RunSettings;
use crate::event::{CellId, RunEvent};
use crate::os;
use crate::plan::{BucketKind, BucketPlan, Plan};

/// The first line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JournalHeader {
    /// The run's ID (`taskcat-id`), 32 hex digits.
    pub run_id: String,
    pub project: String,
    pub project_root: PathBuf,
    /// The folder of the reports.
    pub output: Option<PathBuf>,
    pub process: RunProcess,
    pub started: Timestamp,
    /// The endpoint used instead of AWS, if any. The journal is valid only for it.
    pub endpoint: Option<String>,
    /// Whether stacks are kept, as the run's user requested.
    pub no_delete: bool,
    pub keep_failed: bool,
    pub stacks: Vec<PlannedStack>,
    pub buckets: Vec<PlannedBucket>,
    /// Buckets that the run stages to but doesn't own: it puts only a marker there, and a journal
    /// can't delete anything else.
    #[serde(default)]
    pub shared_buckets: Vec<PlannedBucket>,
}

/// What the journal of a run still holds at its end.
#[derive(Debug)]
pub(crate) struct LeftoverLedger {
    pub header: JournalHeader,
    pub ledger: Ledger,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedStack {
    pub cell: CellId,
    pub stack_name: String,
    pub profile: String,
    pub account_id: String,
    /// The template's path, relative to the project root.
    pub template: String,
    /// Whether checks or hooks must run once the stack is complete.
    pub has_posthooks: bool,
}

/// A bucket that the run stages to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedBucket {
    pub name: String,
    pub region: String,
    pub profile: String,
    pub account_id: String,
}

impl JournalHeader {
    pub(crate) fn new(
        plan: &Plan,
        settings: &RunSettings,
        endpoint: Option<String>,
        output: Option<PathBuf>,
    ) -> Self {
        let stacks = plan.cells.iter().map(|cell| PlannedStack {
            cell: cell.cell.clone(),
            stack_name: cell.stack_name.clone(),
            profile: cell.profile.clone(),
            account_id: cell.account_id.clone(),
            template: cell.template.clone(),
            has_posthooks: !(cell.posthooks.is_empty()
                && cell.checks.is_empty()
                && cell.update.is_empty()),
        });
        let planned = |bucket: &BucketPlan| PlannedBucket {
            name: bucket.name.clone(),
            region: bucket.region.clone(),
            profile: bucket.profile.clone(),
            account_id: bucket.account_id.clone(),
        };
        let (own, shared): (Vec<_>, Vec<_>) = plan
            .buckets
            .iter()
            .partition(|it| it.kind == BucketKind::Auto);
        Self {
            run_id: plan.run_id.simple().to_string(),
            project: plan.project_name.clone(),
            project_root: plan.project_root.clone(),
            output,
            process: RunProcess::current(),
            started: Timestamp::now(),
            endpoint,
            no_delete: settings.no_delete,
            keep_failed: settings.keep_failed,
            stacks: stacks.collect(),
            buckets: own.into_iter().map(planned).collect(),
            shared_buckets: shared.into_iter().map(planned).collect(),
        }
    }
}

impl JournalHeader {
    /// Returns whether the run creates and deletes the bucket.
    fn owns(&self, bucket: &str) -> bool {
        self.buckets.iter().any(|own| own.name == bucket)
    }
}

/// The journal of a run in progress. It is locked as long as it is open.
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    header: JournalHeader,
    ledger: Ledger,
    touched: SystemTime,
}

impl Journal {
    /// Creates the journal in the first folder that can be written to.
    ///
    /// # Errors
    /// None can be written to.
    pub(crate) fn create(folders: &JournalFolders, header: &JournalHeader) -> io::Result<Self> {
        let path = folders
            .writable()?
            .join(format!("{}.ndjson", header.run_id));
        let mut file = File::options().write(true).create_new(true).open(&path)?;
        // A file system without locks is no reason not to test, since the modification time is
        // checked, too.
        let _ = os::try_lock_readable(&file);
        write_line(&mut file, header)?;
        file.sync_data()?;
        let touched = SystemTime::now();
        Ok(Self {
            file,
            path,
            header: header.clone(),
            ledger: Ledger::default(),
            touched,
        })
    }

    /// Continues the journal of a run that has ended; `None` if it is still in progress.
    pub(crate) fn resume(record: JournalRecord) -> Option<Self> {
        let JournalRecord {
            path,
            header,
            ledger,
            liveness,
            ..
        } = record;
        let Liveness::Ended(file) = liveness else {
            return None;
        };
        let mut journal = Self {
            file,
            path,
            header,
            ledger,
            touched: SystemTime::UNIX_EPOCH,
        };
        // New lines are appended, even after an incomplete one.
        let _ = io::Seek::seek(&mut journal.file, io::SeekFrom::End(0));
        let _ = journal.file.write_all(b"\n");
        Some(journal)
    }

    pub(crate) fn header(&self) -> &JournalHeader {
        &self.header
    }

    /// Returns what may exist now.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Writes an event that concerns the run's resources; `durably` waits for the disk.
    pub(crate) fn write(&mut self, event: &RunEvent, durably: bool) -> io::Result<()> {
        if Ledger::concerns(&event.kind) {
            write_line(&mut self.file, event)?;
            self.ledger.apply(event, |bucket| self.header.owns(bucket));
        }
        if durably {
            self.file.sync_data()
        } else {
            Ok(())
        }
    }

    /// Updates the modification time, so that other machines see that the run is in progress.
    pub(crate) fn touch(&mut self) {
        let now = SystemTime::now();
        if now.duration_since(self.touched).unwrap_or_default() >= HEARTBEAT {
            self.touched = now;
            // If this fails, the lock still shows it.
            let _ = self.file.set_modified(now);
        }
    }

    /// Closes the journal, and removes it if everything in it has been deleted.
    pub(crate) fn close(self) {
        if self.ledger.is_empty() {
            // A journal that can't be removed does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn write_line(file: &mut File, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::EventKind;

    pub fn header() -> JournalHeader {
        let account_id = "123456789012".to_owned();
        let cell = CellId {
            test: "a".into(),
            region: "eu-west-1".into(),
        };
        JournalHeader {
            run_id: "0123456789abcdef0123456789abcdef".into(),
            project: "demo".into(),
            project_root: "/demo".into(),
            output: None,
            process: RunProcess::current(),
            started: Timestamp::UNIX_EPOCH,
            endpoint: None,
            no_delete: false,
            keep_failed: false,
            stacks: vec![PlannedStack {
                cell,
                stack_name: "tCaT-demo-a".into(),
                profile: "default".into(),
                account_id: account_id.clone(),
                template: "a.yaml".into(),
                has_posthooks: false,
            }],
            buckets: vec![PlannedBucket {
                name: "tcat-demo-12345678".into(),
                region: "us-east-1".into(),
                profile: "default".into(),
                account_id,
            }],
            shared_buckets: Vec::new(),
        }
    }

    #[test]
    fn a_journal_goes_when_everything_in_it_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let folders = JournalFolders {
            project_root: folder.path().into(),
            ..JournalFolders::default()
        };
        let bucket = "tcat-demo-12345678".to_owned();
        let event = |kind| RunEvent {
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            kind,
        };
        let mut journal = Journal::create(&folders, &header()).unwrap();
        let region = "us-east-1".to_owned();
        let creating = EventKind::BucketCreating {
            bucket: bucket.clone(),
            region,
        };
        journal.write(&event(creating), true).unwrap();
        assert!(read_all(&folders).0[0].is_alive());
        journal.close();

        let record = read_all(&folders).0.remove(0);
        assert_eq!(record.buckets().count(), 1);
        assert_eq!(record.stacks().count(), 0);
        assert!(
            read_all(&folders).0[0].is_alive(),
            "whoever follows a journal holds its lock"
        );
        let mut journal = Journal::resume(record).unwrap();
        journal
            .write(&event(EventKind::BucketDeleted { bucket }), false)
            .unwrap();
        journal.close();
        assert!(folders.journals().is_empty());
    }
}
