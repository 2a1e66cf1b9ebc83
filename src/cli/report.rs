//! `taskcat report`: a recorded run's report once more.

use std::path::{Path, PathBuf};

use clap::Args;

use super::error::{CliError, Exit};
use crate::report::{self, RunReport};

/// Writes the report of a recorded run again: `index.html`, `junit.xml`, `report.json` and the logs of stacks, from the
/// `events.ndjson` that every run leaves.
///
/// The files are those that the run itself wrote, byte for byte; of a run that was killed, they show how far it came.
#[derive(Args)]
pub(super) struct Report {
    /// The folder of a run's reports, or the events themselves.
    #[arg(default_value = "./taskcat_outputs", value_name = "DIR|EVENTS")]
    recorded: PathBuf,

    /// Folder for the files; without it, the one in which the events are.
    #[arg(short, long, value_name = "DIR")]
    output_directory: Option<PathBuf>,
}

impl Report {
    pub fn run(self) -> Result<Exit, CliError> {
        let events = if self.recorded.is_dir() { self.recorded.join("events.ndjson") } else { self.recorded };
        let recorded = report::events::read(&events).map_err(|error| CliError::Usage(error.to_string()))?;
        if recorded.is_empty() {
            return Err(CliError::Usage(format!("{}: no run is recorded there", events.display())));
        }
        let folder = self.output_directory.as_deref().or(events.parent()).unwrap_or(Path::new(""));
        let written =
            std::fs::create_dir_all(folder).and_then(|()| report::write(&RunReport::from_events(&recorded), folder));
        written.map_err(|error| CliError::Local(error.to_string()))?;
        anstream::println!("report: {}", folder.join("index.html").display());
        Ok(Exit::Passed)
    }
}
