//! Converts errors to text, help and an exit code. No other module does that.

use std::fmt::Display;
use std::process::ExitCode;

use crate::aws::{AwsError, ErrorKind};
use crate::diagnostic::{Diagnostic, Severity};
use crate::event::RunFinished;
use crate::input;
use crate::report::folder::FolderError;
use crate::run::{EndedRun, PrepareError, RunError, SearchError};
use crate::stage::StageError;

use super::output;

/// The exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    Passed = 0,
    /// A test failed or would fail, lint found errors, a pipeline stage failed, or a Lambda
    /// function cannot be packaged.
    Failed = 1,
    /// The command line or the configuration is wrong, or no test can be planned.
    Usage = 2,
    /// AWS could not be used: no credentials, no bucket, no upload.
    Aws = 3,
    /// Every test passed, but some stacks or buckets were not deleted.
    LeftBehind = 4,
    /// The work was done, but a report or standard output could not be written.
    Unwritten = 5,
    /// AMI IDs were outdated. TaskCat's code for that.
    Changed = 100,
    /// Stopped by a signal.
    Interrupted = 130,
}

/// The table of exit codes in `--help`.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    success: every test passed
  1    a test failed or would fail, lint found errors, a pipeline's stage has failed,
       or a Lambda function cannot be packaged
  2    the command line or the configuration is wrong, or no test can be planned
  3    AWS could not be used: no credentials, no bucket, no upload
  4    every test passed, but some stacks or buckets were not deleted
  5    a file, a report or standard output could not be written: the local disk or directory
  100  `update-ami` found outdated AMI IDs
  130  interrupted";

impl ExitStatus {
    /// Returns the code if something also could not be written: any other failure takes precedence.
    pub fn or_unwritten(self) -> Self {
        if self == Self::Passed {
            Self::Unwritten
        } else {
            self
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        // The discriminants are the codes, and all fit.
        Self::from(exit as u8)
    }
}

/// Why a command failed.
pub(super) enum CliError {
    /// Files or arguments are wrong; with all problems.
    Diagnostics(Vec<Diagnostic>),
    /// The combination of arguments is invalid.
    Usage(String),
    Aws {
        profile: String,
        error: Box<AwsError>,
    },
    /// The simulator in this process refused a call.
    Simulated(String),
    /// Something on this machine cannot be read or used.
    Local(String),
    /// A file or directory cannot be written.
    Unwritten {
        message: String,
        help: Option<String>,
    },
}

impl From<PrepareError> for CliError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Identity { profile, error } => Self::aws(profile, error),
            PrepareError::Plan(error) => Self::Local(error.to_string()),
        }
    }
}

impl From<SearchError> for CliError {
    fn from(error: SearchError) -> Self {
        Self::aws(error.profile, *error.error)
    }
}

impl From<FolderError> for CliError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Busy { .. } => Self::Usage(format!(
                "{error}; wait until it has ended, or choose another directory with -o DIR"
            )),
            FolderError::Io(error) => {
                let help = Some("choose a directory that can be written with -o DIR".to_owned());
                Self::Unwritten {
                    message: error.to_string(),
                    help,
                }
            }
        }
    }
}

impl CliError {
    /// Creates the error of a failed AWS call.
    pub(super) fn aws(profile: impl Into<String>, error: AwsError) -> Self {
        Self::Aws {
            profile: profile.into(),
            error: Box::new(error),
        }
    }

    /// Creates the error of a file or directory that cannot be used.
    pub(super) fn local(what: impl Display, error: impl Display) -> Self {
        Self::Local(format!(
            "{what}: {}",
            input::without_number(&error.to_string())
        ))
    }

    /// Creates the error of a file or directory that cannot be written.
    pub(super) fn unwritten(error: impl Display) -> Self {
        Self::Unwritten {
            message: error.to_string(),
            help: None,
        }
    }

    /// Converts an AWS error to one of the simulator, which no setting of the environment would
    /// help with.
    pub(super) fn simulated(self) -> Self {
        match self {
            Self::Aws { profile, error } => Self::Simulated(error.of_profile(&profile)),
            other => other,
        }
    }

    /// Returns the message, for the report of a run that could not start.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Diagnostics(diagnostics) => {
                let errors = diagnostics
                    .iter()
                    .filter(|it| it.severity == Severity::Error);
                errors
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("\n")
            }
            Self::Aws { profile, error } => error.of_profile(profile),
            Self::Simulated(message) => format!("simulated: {message}"),
            Self::Usage(message) | Self::Local(message) | Self::Unwritten { message, .. } => {
                message.clone()
            }
        }
    }

    /// Returns the errors, for reports.
    pub(super) fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Diagnostics(diagnostics) => {
                let errors = diagnostics.iter();
                errors
                    .filter(|it| it.severity == Severity::Error)
                    .cloned()
                    .collect()
            }
            other => vec![Diagnostic::error(other.text())],
        }
    }

    /// Prints the error and returns its exit code.
    pub(super) fn report(self) -> ExitStatus {
        match self {
            Self::Diagnostics(diagnostics) => {
                output::diagnostics(&diagnostics);
                ExitStatus::Usage
            }
            Self::Usage(message) => {
                output::error(&message, None);
                ExitStatus::Usage
            }
            Self::Aws { profile, error } => {
                output::error(&error.of_profile(&profile), help(&error));
                ExitStatus::Aws
            }
            Self::Simulated(message) => {
                output::error(&format!("simulated: {message}"), None);
                ExitStatus::Aws
            }
            Self::Local(message) => {
                output::error(&message, None);
                ExitStatus::Usage
            }
            Self::Unwritten { message, help } => {
                output::error(&message, help.as_deref());
                ExitStatus::Unwritten
            }
        }
    }
}

/// What to do about an error.
pub(super) fn help(error: &AwsError) -> Option<&str> {
    error.help.as_deref().or(hint(error))
}

fn hint(error: &AwsError) -> Option<&'static str> {
    match error.kind {
        ErrorKind::Credentials if error.code.is_some() => Some(
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws \
             sso login` or `aws login`; \
             `auth` in .taskcat.yml and --profile choose a profile",
        ),
        ErrorKind::Unreachable | ErrorKind::Network => {
            Some("check the region's name, --endpoint-url and AWS_ENDPOINT_URL, and the network")
        }
        ErrorKind::Denied => Some(
            "allow the action to the caller; `taskcat generate-iam-policy` writes a policy with \
             all that a project needs, and `taskcat doctor` checks the permissions",
        ),
        _ => None,
    }
}

/// Returns the exit code of a finished run. Prints what could not be written.
pub(super) fn exit_of(ended: &EndedRun) -> ExitStatus {
    for what in &ended.unwritten {
        output::error(&format!("a report could not be written: {what}"), None);
    }
    if let Some(RunError::Stage(StageError::Aws(error))) = &ended.error
        && error.is(ErrorKind::Denied)
        && let Some(help) = help(error)
    {
        let message = format!("{} was denied in {}", error.operation, error.region);
        output::note(&message, help);
    }
    let exit = verdict(ended);
    if ended.unwritten.is_empty() {
        exit
    } else {
        exit.or_unwritten()
    }
}

fn verdict(ended: &EndedRun) -> ExitStatus {
    match ended {
        EndedRun {
            interrupted: true, ..
        } => ExitStatus::Interrupted,
        EndedRun {
            error: Some(RunError::Lint(_) | RunError::Linter(_) | RunError::Package(_)),
            ..
        } => ExitStatus::Failed,
        EndedRun {
            error: Some(RunError::Files(_)),
            ..
        } => ExitStatus::Usage,
        EndedRun { error: Some(_), .. } => ExitStatus::Aws,
        // Includes runs stopped by `--max-fail` or the time budget, which did not pass.
        EndedRun {
            finished:
                RunFinished { failed: 1.., .. }
                | RunFinished {
                    interrupted: 1.., ..
                },
            ..
        } => ExitStatus::Failed,
        EndedRun {
            finished: RunFinished {
                left_behind: 1.., ..
            },
            ..
        } => ExitStatus::LeftBehind,
        EndedRun { .. } => ExitStatus::Passed,
    }
}
