//! Lints templates before anything is created.
//!
//! The lint engine runs in this process; cfn-lint, if it is asked for, in one of its own. `run`
//! decides what findings stop; `report` shows those of a run.
//!
//! - `engine`: AWS's engine, constructed once, with its own `allocator`; `document`: a template as
//!   it reads it
//! - `builtin`: the checks of every template with the values of each test in each region
//! - `corrections`: findings of the engine that are wrong; `additions`: errors that it doesn't
//!   find; `pinpoint` finds better positions
//! - `cfn_lint`: runs cfn-lint, and `merged` adds its findings to those of the engine
//! - `rc_file`, `selection`, `suppression`: what `.cfnlintrc`, the command line and templates
//!   ignore
//! - `guard_file`: rules in the language of CloudFormation Guard
//! - `output`: the formats for other programs

#[cfg(feature = "lint")]
mod additions;
#[cfg(feature = "lint")]
mod allocator;
#[cfg(feature = "lint")]
mod builtin;
pub(crate) mod cfn_lint;
#[cfg(feature = "lint")]
mod corrections;
#[cfg(feature = "lint")]
mod document;
#[cfg(feature = "lint")]
mod engine;
mod guard_file;
mod job;
mod merged;
pub(crate) mod output;
#[cfg(feature = "lint")]
mod pinpoint;
mod rc_file;
mod selection;
mod suppression;

use std::path::PathBuf;

use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::event::CellId;

#[cfg(feature = "lint")]
pub use allocator::EngineAllocator;
pub(crate) use guard_file::GuardRuleFile;
pub(crate) use job::{
    LintEngineKind, LintError, LintJob, LintOutcome, LintSubject, property_errors, run,
};
pub(crate) use rc_file::CfnLintSettings;
pub(crate) use selection::RuleSelection;

/// Something that a rule found in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub level: FindingLevel,
    /// The rule's ID, such as `E3012`, or the name of a Guard rule.
    pub rule: String,
    pub message: String,
    /// What the rule checks: `Check if Parameters are Used`.
    pub short_description: String,
    /// The logical ID of the resource that it is about.
    pub resource: Option<String>,
    /// Where it is; the file is the same as [`Finding::template`].
    pub location: Location,
    /// The template, relative to the project root or as the caller named it.
    pub template: PathBuf,
    /// The tests and regions that it holds for; empty if it holds for all that use the template.
    pub only_in: Vec<CellId>,
}

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FindingLevel {
    Info,
    Warning,
    Error,
}

/// The rule for a file that isn't a template; cfn-lint's.
const NOT_A_TEMPLATE: &str = "E0000";

impl FindingLevel {
    /// Returns the level's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Finding {
    pub(crate) fn is_error(&self) -> bool {
        self.level == FindingLevel::Error
    }

    /// Creates the finding for an error that the reader of templates reports; `None` if it isn't
    /// about a template.
    pub(crate) fn of_reader(diagnostic: &Diagnostic, template: PathBuf) -> Option<Self> {
        let location = diagnostic.location.clone()?;
        (diagnostic.severity == Severity::Error).then(|| Self {
            level: FindingLevel::Error,
            rule: NOT_A_TEMPLATE.to_owned(),
            message: diagnostic.message.clone(),
            short_description: "Parsing error found when parsing the template".to_owned(),
            resource: None,
            location,
            template,
            only_in: Vec::new(),
        })
    }
}

/// Starts to construct in the background what the check of properties needs.
pub(crate) fn prepare_schemas() {
    #[cfg(feature = "lint")]
    engine::prepare_schemas();
}

/// Starts to construct the lint engine in the background, if there is one in this process.
pub(crate) fn prepare() {
    #[cfg(feature = "lint")]
    engine::prepare();
}
