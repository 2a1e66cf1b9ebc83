//! Determines whether the run of a journal is in progress.
//!
//! A run holds an exclusive lock on its journal, which the operating system releases however the
//! process ends, and which other PID namespaces of the same machine see, too. Without locks in the
//! file system, on Windows, or for a journal of another machine, the modification time decides: a
//! run touches its journal every [`HEARTBEAT`].

use std::fs::{self, File, TryLockError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::os;

/// Interval at which a run touches its journal.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Age up to which a journal's modification time means that its run is in progress.
const FRESH: Duration = Duration::from_secs(60);

/// The process of a run, identifiable across PID namespaces and reboots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunProcess {
    pub id: u32,
    /// Identifies the boot of the machine; absent if the system doesn't provide it.
    pub boot_id: Option<String>,
    /// Identifies a process together with its ID: its start in clock ticks since the boot.
    pub started: Option<u64>,
}

impl RunProcess {
    /// Returns this process.
    pub(crate) fn current() -> Self {
        let id = std::process::id();
        Self {
            id,
            boot_id: boot_id(),
            started: start_time(id),
        }
    }

    fn is_of_this_boot(&self) -> bool {
        self.boot_id.is_some() && self.boot_id == boot_id()
    }

    fn exists(&self) -> bool {
        self.started.is_some() && start_time(self.id) == self.started
    }
}

/// Returns the boot's ID (<https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html>).
fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

/// Returns field 22 of `/proc/PID/stat`
/// (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).
fn start_time(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name in parentheses and may contain anything.
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()
}

/// Whether a run is in progress.
#[derive(Debug)]
pub(crate) enum Liveness {
    /// Its process holds the lock, or has touched the journal recently.
    Alive,
    /// It has ended. This process now holds the lock, so that no other one follows the journal.
    Ended(File),
}

/// Takes the lock of a journal if its run has ended. `file` is the open journal.
pub(super) fn take(file: File, process: &RunProcess) -> Liveness {
    match os::try_lock_readable(&file) {
        Err(TryLockError::WouldBlock) => Liveness::Alive,
        // A lock on another machine may not be visible here, even though the file is.
        Ok(()) if process.is_of_this_boot() || !is_fresh(&file) => Liveness::Ended(file),
        Err(TryLockError::Error(_)) if process.is_of_this_boot() && !process.exists() => {
            Liveness::Ended(file)
        }
        Err(TryLockError::Error(_)) if !process.is_of_this_boot() && !is_fresh(&file) => {
            Liveness::Ended(file)
        }
        Ok(()) | Err(TryLockError::Error(_)) => Liveness::Alive,
    }
}

fn is_fresh(file: &File) -> bool {
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    // A time in the future counts as now.
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).unwrap_or_default() < FRESH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> (tempfile::NamedTempFile, impl Fn() -> File) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        (file, move || {
            File::options().read(true).write(true).open(&path).unwrap()
        })
    }

    fn is_alive(file: File, process: &RunProcess) -> bool {
        matches!(take(file, process), Liveness::Alive)
    }

    #[test]
    fn a_lock_tells_a_run_that_goes_on() {
        let (_file, open) = journal();
        let process = RunProcess::current();
        let holder = open();
        holder.lock().unwrap();
        assert!(is_alive(open(), &process));
        drop(holder);
        // The process still exists, but belongs to another run: the lock decides.
        assert!(!is_alive(open(), &process));
    }

    #[test]
    fn a_journal_of_another_machine_is_judged_by_its_age() {
        let (_file, open) = journal();
        let elsewhere = RunProcess {
            id: 1,
            boot_id: Some("another".into()),
            started: Some(1),
        };
        assert!(is_alive(open(), &elsewhere));
        open()
            .set_modified(SystemTime::now() - FRESH - Duration::from_secs(1))
            .unwrap();
        assert!(!is_alive(open(), &elsewhere));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_is_known_by_its_start() {
        let current = RunProcess::current();
        assert!(current.is_of_this_boot() && current.exists());
        let reused = RunProcess {
            started: current.started.map(|at| at + 1),
            ..current
        };
        assert!(!reused.exists());
    }
}
