//! Recognizes the report files of a run: `report` deletes those of earlier runs, and `stage`
//! doesn't upload them.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Names of the files that every run writes.
const NAMES: [&str; 4] = ["index.html", "junit.xml", "report.json", EVENTS];

const EVENTS: &str = "events.ndjson";

/// Suffix of the names of stacks' logs.
const LOG: &str = "-cfnlogs.txt";

/// Locked in the folder of the reports as long as the run lasts.
pub(crate) const LOCK: &str = ".taskcat.lock";

/// Number of bytes read from a file to recognize a report.
const HEAD: u64 = 64 * 1024;

/// Returns whether a name in a reports folder is that of a report, or of one that is only partially
/// written.
pub(crate) fn is_report_name(name: &str) -> bool {
    let name = name.strip_suffix(".partial").unwrap_or(name);
    NAMES.contains(&name) || name.ends_with(LOG)
}

/// Returns whether taskcat has written reports to a folder, or is about to.
pub(crate) fn is_report_folder(folder: &Path) -> bool {
    let has = |name: &str| is_report(&folder.join(name), name);
    fs::symlink_metadata(folder.join(LOCK)).is_ok() || has(EVENTS) || has("report.json")
}

/// Returns whether a file is what taskcat or TaskCat writes under this name.
pub(crate) fn is_report(path: &Path, name: &str) -> bool {
    let is_log = name.ends_with(LOG);
    if !is_log && !NAMES.contains(&name) {
        return false;
    }
    let Some(head) = head(path) else { return false };
    match name {
        "index.html" => head.to_ascii_lowercase().contains("taskcat"),
        "junit.xml" => head.contains("<testsuites") && head.contains("\"taskcat-id\""),
        "report.json" => head.contains("\"taskcat_version\""),
        EVENTS => head
            .lines()
            .next()
            .is_some_and(|line| line.contains("\"event\":\"run_started\"")),
        // The log of a stack that was never launched contains only a reason.
        _ => is_log,
    }
}

/// Returns the beginning of a regular file.
fn head(path: &Path) -> Option<String> {
    if !fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(HEAD)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
