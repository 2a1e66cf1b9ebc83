//! Writes and reads `events.ndjson`: the events in order, one JSON object per line.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{EventConsumer, ReportError, at_path, replace};
use crate::event::RunEvent;
use crate::input;

/// Writes each event immediately. A run that is killed loses at most part of its last line.
pub struct EventsFile {
    path: PathBuf,
    file: File,
}

impl EventsFile {
    /// Creates the file, replacing an earlier one.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = super::create(path).map_err(|error| at_path(path, error))?;
        Ok(Self {
            path: path.into(),
            file,
        })
    }
}

impl EventConsumer for EventsFile {
    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        // One unbuffered write per line, so that the operating system has every recorded event.
        self.file
            .write_all(&line)
            .map_err(|error| at_path(&self.path, error))
    }
}

/// Writes events like a run does.
pub fn write(events: &[RunEvent], path: &Path) -> io::Result<()> {
    replace(path, |out| {
        for event in events {
            serde_json::to_writer(&mut *out, event)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// Reads the events of a recorded run. An incomplete last line is ignored.
pub fn read(path: &Path) -> Result<Vec<RunEvent>, ReportError> {
    let bytes = input::read(path, input::RECORD).map_err(|source| ReportError::Read {
        path: path.into(),
        source,
    })?;
    let mut events = Vec::new();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(event) => events.push(event),
            Err(_) if !line.ends_with(b"\n") => break,
            Err(source) => {
                return Err(ReportError::Event {
                    path: path.into(),
                    line: index + 1,
                    source,
                });
            }
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::fixture_path;

    fn read_text(bytes: &[u8]) -> Result<Vec<RunEvent>, ReportError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path()).map_err(|error| match error {
            ReportError::Event { line, source, .. } => ReportError::Event {
                path: "events.ndjson".into(),
                line,
                source,
            },
            ReportError::Read { source, .. } => ReportError::Read {
                path: "events.ndjson".into(),
                source,
            },
        })
    }

    #[test]
    fn a_last_line_that_was_cut_short_is_left_out() {
        let whole = std::fs::read(fixture_path("passing")).unwrap();
        let count = whole.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(read_text(&whole).unwrap().len(), count);
        for cut in [1, 2, 40] {
            let read = read_text(&whole[..whole.len() - cut]).unwrap().len();
            // Without only its line feed, the last line is complete.
            assert_eq!(
                read,
                if cut == 1 { count } else { count - 1 },
                "{cut} bytes less"
            );
        }
        // A multi-byte character may be cut.
        assert_eq!(
            read_text("{\"seq\":1,\"at\":\"ä".as_bytes().split_last().unwrap().1).unwrap(),
            []
        );
        assert_eq!(read_text(b"").unwrap(), []);
    }

    #[test]
    fn an_invalid_event_is_reported_with_its_line() {
        let check = |text: &str, expect: &str| {
            assert_eq!(read_text(text.as_bytes()).unwrap_err().to_string(), expect)
        };
        let good = "{\"seq\":1,\"at\":\"2026-11-02T10:00:00Z\",\"event\":\"bucket_deleted\",\"bucket\":\"b\"}\n";
        check(
            &format!("{good}\n{{}}\n"),
            "events.ndjson:3: not a taskcat event: missing field `seq` at line 1 column 2",
        );
        check(
            &good.replace(",\"bucket\":\"b\"", ""),
            "events.ndjson:1: not a taskcat event: missing field `bucket` at line 1 column 62",
        );
        let missing = read(Path::new("/nonexistent/events.ndjson"))
            .unwrap_err()
            .to_string();
        assert_eq!(
            missing,
            "cannot read /nonexistent/events.ndjson: no such file"
        );
    }
}
