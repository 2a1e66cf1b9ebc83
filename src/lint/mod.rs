//! What is wrong with templates, found before anything is created.
//!
//! One file for each source of findings. `run` decides what they stop; `report` shows them.

pub(crate) mod cfn_lint;
mod submodule;

use std::path::PathBuf;

use crate::diagnostic::{Location, Severity};

/// One thing that a rule found in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub severity: Severity,
    /// `E3012`
    pub rule: String,
    pub message: String,
    /// What the rule is about: `Check if Parameters are Used`.
    pub short_description: String,
    /// Its file is written as [`Finding::template`] is.
    pub location: Location,
    /// The template, as the caller named it.
    pub template: PathBuf,
}
