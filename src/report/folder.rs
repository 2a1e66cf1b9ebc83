//! Claims the folder of a run's reports: only one run at a time writes there, and reports of an
//! earlier run are deleted.
//!
//! `cli` claims the folder first, so that even a run with a broken configuration doesn't leave an
//! earlier verdict. The user may choose any folder, so only files that look like reports are
//! deleted.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::model::RunReport;
use super::{at_path, events, write};
use crate::event::{EventKind, RunEvent, RunFinished, RunStarted};
use crate::input;
use crate::os;
use crate::report_files::{LOCK, is_report};

/// Why a folder can't be claimed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("another run writes its reports to {}{}", folder.display(), process.map(|id| format!(" \
        (process {id})")).unwrap_or_default())]
    /// Another run uses the folder.
    Busy {
        /// The folder.
        folder: PathBuf,
        /// The other run's process ID, if known.
        process: Option<u32>,
    },
    /// The folder can't be created or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A folder that only this process writes to, until dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The locked file; absent if the file system doesn't support locks.
    lock: Option<File>,
}

impl Folder {
    /// Creates the folder if necessary and locks it.
    ///
    /// # Errors
    /// Another process holds the lock, or the folder can't be written.
    pub fn claim(path: &Path) -> Result<Self, FolderError> {
        fs::create_dir_all(path).map_err(|error| folder_error(path, &error))?;
        let lock_path = path.join(LOCK);
        loop {
            let mut file = open_lock(&lock_path).map_err(|error| at_path(&lock_path, error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(FolderError::Busy {
                        folder: path.to_owned(),
                        process: holder(&mut file),
                    });
                }
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    return Ok(Self {
                        path: path.to_owned(),
                        lock: None,
                    });
                }
                Err(TryLockError::Error(error)) => return Err(at_path(&lock_path, error).into()),
            }
            // The previous holder may have deleted the file between the two calls; then the lock is
            // useless.
            if os::is_same_file(&file, &lock_path) {
                let written = file
                    .set_len(0)
                    .and_then(|()| writeln!(file, "{}", std::process::id()));
                written.map_err(|error| at_path(&lock_path, error))?;
                return Ok(Self {
                    path: path.to_owned(),
                    lock: Some(file),
                });
            }
        }
    }

    /// Deletes the reports of an earlier run, including TaskCat's: page, verdicts, events and logs.
    pub fn clear(&self) -> io::Result<()> {
        let entries = fs::read_dir(&self.path).map_err(|error| at_path(&self.path, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| at_path(&self.path, error))?;
            if entry
                .file_name()
                .to_str()
                .is_some_and(|name| is_report(&entry.path(), name))
            {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Writes the reports of a run that could not start, with the reason.
    ///
    /// # Errors
    /// Names every file that could not be written.
    pub fn write_not_started(&self, run: RunStarted, reason: &str) -> io::Result<()> {
        let at = Timestamp::now();
        let finished = RunFinished {
            passed: 0,
            failed: 0,
            interrupted: 0,
            left_behind: 0,
            error: Some(reason.to_owned()),
        };
        let kinds = [EventKind::RunStarted(run), EventKind::RunFinished(finished)];
        let events: Vec<RunEvent> = (1..)
            .zip(kinds)
            .map(|(seq, kind)| RunEvent { seq, at, kind })
            .collect();
        events::write(&events, &self.path.join("events.ndjson"))?;
        write(&RunReport::from_events(&events), &self.path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // A leftover file does no harm: the lock ends with the process.
            let _ = fs::remove_file(self.path.join(LOCK));
        }
    }
}

/// Returns why the folder can't be created.
fn folder_error(path: &Path, error: &io::Error) -> io::Error {
    let reason = if path.is_file() {
        "it is a file".to_owned()
    } else {
        input::reason(error)
    };
    io::Error::new(
        error.kind(),
        format!("cannot create the directory {}: {reason}", path.display()),
    )
}

/// Deletes a file, if it exists.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at_path(path, error)),
        _ => Ok(()),
    }
}

/// Opens the lock file without following links, so that no other file is overwritten.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    os::without_links(&mut options).open(path)
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind()
        .and_then(|()| file.take(32).read_to_string(&mut text))
        .ok()?;
    text.trim().parse().ok()
}
