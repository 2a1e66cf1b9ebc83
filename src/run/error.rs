//! Errors that prevent a run's tests.

use crate::diagnostic::Diagnostic;
use crate::lint::LintError;
use crate::package::PackageError;
use crate::stage::StageError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("lint found {0} error(s); nothing was launched (--lint-disable skips the check)")]
    Lint(usize),
    #[error(transparent)]
    Linter(#[from] LintError),
    #[error("{}", lines(.0))]
    Package(Vec<PackageError>),
    /// Files of the project can't be read.
    #[error("{}", lines(.0))]
    Files(Vec<Diagnostic>),
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A signal, the time budget or `--max-fail` stopped the run. Not shown, since the events say
    /// so.
    #[error("stopped")]
    Stopped,
    #[error("interrupted twice, before everything was deleted")]
    Abandoned,
    #[error("internal error: {0}")]
    Broken(String),
}

fn lines(problems: &[impl ToString]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
