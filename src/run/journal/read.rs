//! Reads the journals of earlier runs.
//!
//! A journal is in the project, where a pull request can add one. So it is untrusted input: its
//! type, size and every name in it are checked, and nothing is deleted only because a journal names
//! it.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;

use super::folders::JournalFolders;
use super::ledger::{Creation, Ledger};
use super::lock::{self, Liveness};
use super::{JournalHeader, PlannedBucket, PlannedStack};
use crate::event::RunEvent;
use crate::input;
use crate::os;
use crate::stage::marker;

/// Maximum size of a journal in bytes. A run with 1,000 stacks needs about 1 MB.
const MAX_SIZE: u64 = 64 * 1024 * 1024;

/// Why a file can't be read as a journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error("cannot read the journal {}: {}", path.display(), input::reason(error))]
    Read { path: PathBuf, error: io::Error },
    #[error("ignored {}: not a journal: {reason}", path.display())]
    Invalid { path: PathBuf, reason: String },
}

/// The journal of an earlier run.
#[derive(Debug)]
pub(crate) struct JournalRecord {
    pub path: PathBuf,
    pub header: JournalHeader,
    pub ledger: Ledger,
    /// When the run was last known to be in progress.
    pub newest: Option<Timestamp>,
    /// Whether the run is in progress. The record of an ended run holds the lock of its journal.
    pub liveness: Liveness,
}

impl JournalRecord {
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.liveness, Liveness::Alive)
    }

    /// Returns stacks that may exist.
    pub(crate) fn stacks(&self) -> impl Iterator<Item = (&PlannedStack, &Creation)> {
        let creation = |it| self.ledger.stacks.get(it);
        self.header
            .stacks
            .iter()
            .filter_map(move |it| Some((it, creation(&it.cell)?)))
    }

    /// Returns the run's own buckets that may exist.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (&PlannedBucket, &Creation)> {
        let creation = |it: &str| self.ledger.buckets.get(it);
        self.header
            .buckets
            .iter()
            .filter_map(move |it| Some((it, creation(&it.name)?)))
    }

    /// Returns the run's own markers that may be in shared buckets.
    pub(crate) fn markers(&self) -> Vec<LeftoverMarker> {
        let own = marker::key_of(&format!("{}/", self.header.project), &self.header.run_id);
        let left = self
            .ledger
            .markers
            .iter()
            .filter(|((_, key), _)| *key == own);
        let left = left.filter_map(|((name, key), region)| {
            let bucket = self
                .header
                .shared_buckets
                .iter()
                .find(|it| it.name == *name)?
                .clone();
            Some(LeftoverMarker {
                bucket,
                region: region.clone(),
                key: key.clone(),
            })
        });
        left.collect()
    }
}

/// A marker that a killed run left in a shared bucket.
#[derive(Clone, Debug)]
pub(crate) struct LeftoverMarker {
    pub bucket: PlannedBucket,
    /// The bucket's actual region.
    pub region: String,
    pub key: String,
}

/// Reads all journals of a project. The second list contains errors about other files.
pub(crate) fn read_all(folders: &JournalFolders) -> (Vec<JournalRecord>, Vec<JournalError>) {
    let mut records = Vec::new();
    let mut errors = Vec::new();
    for path in folders.journals() {
        match read(&path) {
            Ok(record) => records.push(record),
            Err(error) => errors.push(error),
        }
    }
    (records, errors)
}

fn read(path: &Path) -> Result<JournalRecord, JournalError> {
    let failed = |error| JournalError::Read {
        path: path.to_owned(),
        error,
    };
    let invalid = |reason: &str| JournalError::Invalid {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let file = open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(invalid("not a regular file"));
    }
    if metadata.len() > MAX_SIZE {
        let size = metadata.len();
        return Err(invalid(&format!(
            "{size} bytes are more than the limit of {MAX_SIZE}"
        )));
    }
    let mut lines = BufReader::new((&file).take(MAX_SIZE)).split(b'\n');
    let first = lines
        .next()
        .transpose()
        .map_err(failed)?
        .unwrap_or_default();
    let header: JournalHeader =
        serde_json::from_slice(&first).map_err(|error| invalid(&error.to_string()))?;
    check(&header, path).map_err(|reason| invalid(&reason))?;
    let mut ledger = Ledger::default();
    for line in lines {
        // The last line of a killed run may be incomplete; what it announces had not started.
        if let Ok(event) = serde_json::from_slice::<RunEvent>(&line.map_err(failed)?) {
            ledger.apply(&event, |bucket| header.owns(bucket));
        }
    }
    let newest = metadata
        .modified()
        .ok()
        .and_then(|at| Timestamp::try_from(at).ok());
    let liveness = lock::take(file, &header.process);
    Ok(JournalRecord {
        path: path.to_owned(),
        header,
        ledger,
        newest,
        liveness,
    })
}

/// Opens a file without following a symbolic link and without waiting for the other end of a FIFO.
/// Also for writing if possible, since a resumed run continues its journal.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = os::without_links(&mut options);
    match options.read(true).write(true).open(path) {
        Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            options.write(false).open(path)
        }
        opened => opened,
    }
}

static RUN_ID: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[0-9a-f]{32}$").ok());
/// Names of stacks
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>).
static STACK_NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[a-zA-Z][-a-zA-Z0-9]{0,127}$").ok());
/// Names of buckets
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>).
static BUCKET_NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]$").ok());
static REGION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$").ok());
static ACCOUNT_ID: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[0-9]{12}$").ok());

/// Checks that every name in the header has the form that a run writes.
fn check(header: &JournalHeader, path: &Path) -> Result<(), String> {
    let matches = |regex: &LazyLock<Option<Regex>>, what: &str, text: &str| {
        let is_valid = regex.as_ref().is_some_and(|regex| regex.is_match(text));
        is_valid
            .then_some(())
            .ok_or_else(|| format!("`{text}` is not {what}"))
    };
    matches(&RUN_ID, "a run ID", &header.run_id)?;
    if path.file_stem().is_none_or(|stem| *stem != *header.run_id) {
        return Err(format!("its name isn't that of the run {}", header.run_id));
    }
    for stack in &header.stacks {
        matches(&STACK_NAME, "a stack name", &stack.stack_name)?;
        matches(&REGION, "a region", &stack.cell.region)?;
        matches(&ACCOUNT_ID, "an account ID", &stack.account_id)?;
    }
    for bucket in header.buckets.iter().chain(&header.shared_buckets) {
        matches(&BUCKET_NAME, "a bucket name", &bucket.name)?;
        matches(&REGION, "a region", &bucket.region)?;
        matches(&ACCOUNT_ID, "an account ID", &bucket.account_id)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::run::journal::tests::header;

    fn read_text(name: &str, text: &str) -> Result<JournalRecord, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        read(&path).map_err(|error| {
            error
                .to_string()
                .replace(folder.path().to_str().unwrap(), "")
        })
    }

    #[test]
    fn a_journal_is_checked_like_any_input() {
        let good = header();
        let name = format!("{}.ndjson", good.run_id);
        let check = |change: &dyn Fn(&mut JournalHeader), expect: &str| {
            let mut header = good.clone();
            change(&mut header);
            let error = read_text(&name, &serde_json::to_string(&header).unwrap()).unwrap_err();
            assert_eq!(error, format!("ignored /{name}: not a journal: {expect}"));
        };
        assert!(read_text(&name, &serde_json::to_string(&good).unwrap()).is_ok());
        check(
            &|it| it.run_id = "../../x".into(),
            "`../../x` is not a run ID",
        );
        let other = "1".repeat(32);
        check(
            &|it| it.run_id.clone_from(&other),
            &format!("its name isn't that of the run {other}"),
        );
        check(
            &|it| it.stacks[0].stack_name = "a b".into(),
            "`a b` is not a stack name",
        );
        check(
            &|it| it.stacks[0].account_id = "1".into(),
            "`1` is not an account ID",
        );
        check(
            &|it| it.buckets[0].name = "No".into(),
            "`No` is not a bucket name",
        );
        check(
            &|it| it.buckets[0].region = "nowhere".into(),
            "`nowhere` is not a region",
        );
        let error = read_text(&name, "{}").unwrap_err();
        assert!(error.contains("missing field"), "{error}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe.ndjson");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("not a journal: not a regular file"),
            "{error}"
        );
        let link = folder.path().join("link.ndjson");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert!(matches!(read(&link), Err(JournalError::Read { .. })));
    }
}
