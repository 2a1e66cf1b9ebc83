//! What a run is about to make, on disk before it is made, so that a run that was killed can be cleaned up after.
//!
//! A journal is `.taskcat/runs/<taskcat-id>.ndjson` in the project: a [`Header`] with everything the run may make, then
//! the run's events about stacks and buckets. It is removed when nothing stays behind.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::event::{CellId, Happening, RunEvent};
use crate::plan::{BucketKind, Plan};

/// Where journals are kept, relative to the project root. Hidden, so it is never staged.
pub const FOLDER: &str = ".taskcat/runs";

/// A journal's first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The `taskcat-id`, 32 hex digits.
    pub run_id: String,
    pub project: String,
    /// Process id of the run, for telling a live run from a dead one.
    pub process: u32,
    pub endpoint: Option<String>,
    pub stacks: Vec<PlannedStack>,
    pub buckets: Vec<PlannedBucket>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStack {
    pub cell: CellId,
    pub stack_name: String,
    pub profile: String,
}

/// A bucket that the run makes for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedBucket {
    pub name: String,
    pub region: String,
    pub profile: String,
}

impl Header {
    pub fn new(plan: &Plan, endpoint: Option<String>) -> Self {
        let stacks = plan.cells.iter().map(|cell| PlannedStack {
            cell: cell.cell.clone(),
            stack_name: cell.stack_name.clone(),
            profile: cell.profile.clone(),
        });
        let buckets = plan.buckets.iter().filter(|bucket| bucket.kind == BucketKind::Auto).map(|bucket| {
            PlannedBucket { name: bucket.name.clone(), region: bucket.region.clone(), profile: bucket.profile.clone() }
        });
        Self {
            run_id: plan.run_id.simple().to_string(),
            project: plan.project_name.clone(),
            process: std::process::id(),
            endpoint,
            stacks: stacks.collect(),
            buckets: buckets.collect(),
        }
    }
}

/// A run that left its journal behind.
#[derive(Clone, Debug)]
pub struct Unfinished {
    pub path: PathBuf,
    pub header: Header,
    /// Cells whose stacks were begun and not seen to go.
    pub stacks: Vec<PlannedStack>,
    /// The same of the run's own buckets.
    pub buckets: Vec<PlannedBucket>,
}

/// The journals in a project, of runs that are over: killed, or ended with something kept or left behind. A file that is
/// no journal is passed over.
pub fn unfinished(project_root: &Path) -> Vec<Unfinished> {
    let files = fs::read_dir(project_root.join(FOLDER)).into_iter().flatten().flatten();
    let mut found: Vec<_> = files.filter_map(|file| read(file.path())).filter(|run| !run.is_alive()).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn read(path: PathBuf) -> Option<Unfinished> {
    let text = fs::read_to_string(&path).ok()?;
    let mut lines = text.lines();
    let header: Header = serde_json::from_str(lines.next()?).ok()?;
    let (mut stacks, mut buckets) = (BTreeSet::new(), BTreeSet::new());
    // The last line of a killed run may be torn; what it was to say had not begun.
    for event in lines.filter_map(|line| serde_json::from_str::<RunEvent>(line).ok()) {
        match event.happening {
            Happening::StackCreating { cell, .. } => _ = stacks.insert(cell),
            Happening::LaunchFailed { cell, .. } | Happening::StackDeleted { cell, .. } => _ = stacks.remove(&cell),
            Happening::BucketCreating { bucket, .. } => _ = buckets.insert(bucket),
            Happening::BucketDeleted { bucket } => _ = buckets.remove(&bucket),
            _ => {}
        }
    }
    Some(Unfinished {
        path,
        stacks: header.stacks.iter().filter(|planned| stacks.contains(&planned.cell)).cloned().collect(),
        buckets: header.buckets.iter().filter(|planned| buckets.contains(&planned.name)).cloned().collect(),
        header,
    })
}

impl Unfinished {
    /// Whether the run's process still exists; its number alone may be another's by now. On a system that doesn't show its processes as files every run is taken
    /// for dead; whoever cleans up names the run.
    fn is_alive(&self) -> bool {
        let command = fs::read(format!("/proc/{}/cmdline", self.header.process)).unwrap_or_default();
        String::from_utf8_lossy(&command).contains("taskcat")
    }
}

pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    pub fn create(project_root: &Path, header: &Header) -> io::Result<Self> {
        let folder = project_root.join(FOLDER);
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.ndjson", header.run_id));
        let mut file = File::create(&path)?;
        write_line(&mut file, header)?;
        file.sync_data()?;
        Ok(Self { file, path })
    }

    /// Writes what concerns the run's remains and leaves the rest to the reports; `durably` waits for the disk.
    pub fn write(&mut self, event: &RunEvent, durably: bool) -> io::Result<()> {
        let wanted = matches!(
            event.happening,
            Happening::BucketCreating { .. }
                | Happening::BucketCreated { .. }
                | Happening::BucketDeleted { .. }
                | Happening::StackCreating { .. }
                | Happening::StackCreated { .. }
                | Happening::LaunchFailed { .. }
                | Happening::StackDeleted { .. }
        );
        if wanted {
            write_line(&mut self.file, event)?;
        }
        if durably { self.file.sync_data() } else { Ok(()) }
    }

    /// Ends the journal; removes it if nothing stays behind.
    pub fn close(self, clean: bool) {
        if clean {
            // A journal that can't be removed is only clutter.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn write_line(file: &mut File, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)
}
