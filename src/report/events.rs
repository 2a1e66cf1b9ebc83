//! `events.ndjson`: the events as they happen, one JSON object a line; and reading them back.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Consumer, Error, at_path};
use crate::event::RunEvent;

/// Writes each event as it comes. A run that is killed leaves all but perhaps its last line.
pub struct EventsFile {
    path: PathBuf,
    file: File,
}

impl EventsFile {
    /// Makes the file, or empties it.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path).map_err(|error| at_path(path, error))?;
        Ok(Self { path: path.into(), file })
    }
}

impl Consumer for EventsFile {
    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        // One write a line, with no buffer in between: what was taken is in the system's hands.
        self.file.write_all(&line).map_err(|error| at_path(&self.path, error))
    }
}

/// The events of a recorded run. A last line that was cut short is left out.
pub fn read(path: &Path) -> Result<Vec<RunEvent>, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    let mut events = Vec::new();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(event) => events.push(event),
            Err(_) if !line.ends_with(b"\n") => break,
            Err(source) => return Err(Error::Event { path: path.into(), line: index + 1, source }),
        }
    }
    Ok(events)
}
