//! Lints templates before anything is created.
//!
//! There is one file per source of findings. `run` decides what they stop; `report` shows them.

pub(crate) mod cfn_lint;
mod submodule;

use std::path::PathBuf;

use crate::diagnostic::{Location, Severity};

/// Something that a rule found in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub severity: Severity,
    /// The rule's ID, such as `E3012`.
    pub rule: String,
    pub message: String,
    /// What the rule checks: `Check if Parameters are Used`.
    pub short_description: String,
    /// Where it is; the file is the same as [`Finding::template`].
    pub location: Location,
    /// The template, as the caller named it.
    pub template: PathBuf,
}
