//! `taskcat report`: renders the reports of recorded runs again.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::error::{CliError, ExitStatus};
use super::paths::path;
use super::{github, output, streams};
use crate::diagnostic::Diagnostic;
use crate::event::{EventKind, RunEvent};
use crate::report::folder::Folder;
use crate::report::{self, RunReport};

/// Regenerate the reports of a recorded run from its events.
///
/// Writes `index.html`, `junit.xml`, `report.json` and the stack logs from the `events.ndjson` of
/// the run. The files are identical to those that the run itself wrote; for a killed run, they show
/// how far it got.
///
/// Merges several records into one report: the parts of a run with --partition, or a run and reruns
/// of its failed tests. If a test ran more than once in a region, the last run counts, and the
/// earlier ones are listed as attempts.
#[derive(Args)]
pub(super) struct ReportArgs {
    /// Directories of reports, or `events.ndjson` files.
    #[arg(default_value = "./taskcat_outputs", value_name = "DIR|EVENTS", value_parser = path())]
    recorded: Vec<PathBuf>,

    /// Directory for the files [default: the directory of the events]. Required for merging several
    /// records.
    #[arg(short, long, value_name = "DIR", value_parser = path())]
    output_directory: Option<PathBuf>,

    /// Mask account IDs and bucket names in everything that is written.
    #[arg(long)]
    redact: bool,
}

/// The events of a recorded run.
struct RecordedRun {
    path: PathBuf,
    events: Vec<RunEvent>,
}

impl ReportArgs {
    pub(super) fn run(self) -> Result<ExitStatus, CliError> {
        let mut records: Vec<RecordedRun> = self
            .recorded
            .iter()
            .map(|path| RecordedRun::read(path))
            .collect::<Result<_, _>>()?;
        check(&records)?;
        let folder = match (&self.output_directory, records.as_slice()) {
            (Some(folder), _) => folder.clone(),
            (None, [record]) => record.path.parent().unwrap_or(Path::new("")).to_owned(),
            (None, _) => {
                return Err(CliError::Usage(
                    "several records need a directory for their report (-o DIR)".to_owned(),
                ));
            }
        };
        records.sort_by_key(|record| record.events.first().map(|event| event.at));
        let mut events: Vec<RunEvent> = records
            .iter()
            .flat_map(|record| record.events.iter().cloned())
            .collect();
        if self.redact {
            let mut redaction = report::redact::Redaction::of(&events);
            events = events
                .into_iter()
                .map(|event| redaction.event(event))
                .collect();
        }
        let own = records.len() == 1
            && !self.redact
            && records
                .iter()
                .any(|it| it.path == folder.join("events.ndjson"));
        let report = RunReport::from_events(&events);
        let _claimed = Folder::claim(&folder)?;
        let written = fs::create_dir_all(&folder).and_then(|()| {
            // The page contains links to it.
            if !own {
                report::events::write(&events, &folder.join("events.ndjson"))?;
            }
            report::write(&report, &folder)
        });
        written.map_err(CliError::unwritten)?;
        // The recorded events don't say where the project is.
        if let Some(target) = github::target(Path::new("."))
            && let Err(error) = report::github::write(&report, &target, &mut streams::Printer)
        {
            output::warning(&error.to_string());
        }
        let simulated = if report.simulated { "simulated: " } else { "" };
        streams::print_line(format_args!(
            "{simulated}{}; report: {}",
            report.counts(),
            folder.join("index.html").display()
        ));
        Ok(ExitStatus::Passed)
    }
}

impl RecordedRun {
    fn read(path: &Path) -> Result<Self, CliError> {
        let path = if path.is_dir() {
            path.join("events.ndjson")
        } else {
            path.to_owned()
        };
        let events = report::events::read(&path).map_err(|error| {
            let is_absent = !path.exists();
            let diagnostic = Diagnostic::error(error.to_string());
            CliError::Diagnostics(vec![if is_absent {
                diagnostic.help(
                    "pass the output directory of `taskcat test run`, or an `events.ndjson` file",
                )
            } else {
                diagnostic
            }])
        })?;
        if events.is_empty() {
            return Err(CliError::Usage(format!(
                "{}: no run is recorded there",
                path.display()
            )));
        }
        Ok(Self { path, events })
    }

    /// Returns the runs in it: their IDs and projects.
    fn runs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.events.iter().filter_map(|event| match &event.kind {
            EventKind::RunStarted(run) => Some((run.run_id.as_str(), run.project.as_str())),
            _ => None,
        })
    }
}

/// Checks that the records are of one project and each is given only once.
fn check(records: &[RecordedRun]) -> Result<(), CliError> {
    let mut seen: Vec<(&str, &str, &Path)> = Vec::new();
    for record in records {
        for (run, project) in record.runs() {
            let here = record.path.display();
            if let Some((_, other, path)) = seen.iter().find(|(_, other, _)| *other != project) {
                let message = format!(
                    "{here} is of project {project}, {} of {other}: no report can be of both",
                    path.display()
                );
                return Err(CliError::Usage(message));
            }
            if let Some((_, _, path)) = seen.iter().find(|(other, ..)| *other == run) {
                return Err(CliError::Usage(format!(
                    "{here} and {} are records of the same run",
                    path.display()
                )));
            }
            seen.push((run, project, &record.path));
        }
    }
    Ok(())
}
