//! Errors of packaging.

use std::io;
use std::path::PathBuf;

use crate::input;
use crate::links::PathEscape;
use crate::process::{ExitReason, indented};

#[derive(Debug, thiserror::Error)]
pub(crate) enum PackageError {
    #[error(
        "{} would become the same archive, {archive}: what follows the last dot of a name does not \
         count",
        lambdas.join(" and ")
    )]
    Collision {
        lambdas: Vec<String>,
        archive: String,
    },

    #[error(
        "{lambda} has a Dockerfile, and none of `docker`, `podman`, `finch` and `nerdctl` was \
         found on PATH: install one, or build the Lambda without"
    )]
    EngineMissing { lambda: String },

    #[error(
        "{lambda} has a Dockerfile, and `{program}` was not found on PATH: install it, or build \
         the Lambda without"
    )]
    ProgramMissing { lambda: String, program: String },

    #[error(
        "there is no Lambda function `{name}` in {folder}{}",
        nearest.as_ref().map(|it| format!("; did you mean `{it}`?")).unwrap_or_default()
    )]
    UnknownFunction {
        name: String,
        folder: String,
        nearest: Option<String>,
    },

    #[error(
        "{lambda} has a requirements.txt, and none of `pip3`, `pip` and `python3` was found on \
         PATH: \
         install Python with pip"
    )]
    PipMissing { lambda: String },

    /// A program exists but can't be started.
    #[error("{lambda}: cannot run `{program}`: {}", input::reason(error))]
    Start {
        lambda: String,
        program: String,
        error: io::Error,
    },

    /// A program failed; `output` is the end of its output.
    #[error("{lambda}: `{program}` {end}{}", indented(output))]
    Failed {
        lambda: String,
        program: String,
        end: ExitReason,
        output: String,
    },

    #[error(
        "{lambda}: the container left nothing in /output: its Dockerfile must put lambda.zip there"
    )]
    NoOutput { lambda: String },

    #[error(
        "{path:?} is a symbolic link to {ancestor:?}, which holds it: such an archive would have \
         no end"
    )]
    LinkLoop { path: PathBuf, ancestor: PathBuf },

    #[error("{path:?} has a name that is not UTF-8: rename it")]
    Name { path: PathBuf },

    #[error(
        "{path:?} is outside the project, so that it has no counterpart in the submodules: \
         set `build_submodules` to false"
    )]
    OutsideProject { path: PathBuf },

    #[error(transparent)]
    Outside(#[from] PathEscape),

    #[error("cannot read {path:?}: {}", input::reason(error))]
    Read { path: PathBuf, error: io::Error },

    #[error("cannot write {path:?}: {}", input::reason(error))]
    Write { path: PathBuf, error: io::Error },

    /// The run is over, so the archive isn't needed anymore.
    #[error("packaging was stopped")]
    Stopped,
}
