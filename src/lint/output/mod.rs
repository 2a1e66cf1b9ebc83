//! The formats of findings for other programs, one a file. Each is a text for standard output;
//! files are relative to the project root, with `/`.

mod gitlab;
mod json;
mod junit;
mod sarif;

use std::path::{Path, PathBuf};

use super::Finding;

pub(crate) use gitlab::gitlab;
pub(crate) use json::json;
pub(crate) use junit::junit;
pub(crate) use sarif::sarif;

/// What was linted, and what was found.
#[derive(Clone, Copy)]
pub(crate) struct LintResult<'a> {
    /// The findings, sorted by template and location.
    pub findings: &'a [Finding],
    /// All templates, including those without findings.
    pub linted: &'a [PathBuf],
    /// Whether warnings fail, too.
    pub strict: bool,
}

impl LintResult<'_> {
    /// Returns whether the finding fails the command.
    pub(crate) fn fails(&self, finding: &Finding) -> bool {
        finding.is_error() || self.strict && finding.level == super::FindingLevel::Warning
    }
}

/// Returns a path with `/`.
fn slashed(path: &Path) -> String {
    let pieces = path.components().map(|it| it.as_os_str().to_string_lossy());
    let joined = pieces.collect::<Vec<_>>().join("/");
    match joined.strip_prefix("//") {
        Some(rest) => format!("/{rest}"),
        None => joined,
    }
}

/// Returns the message with the tests and regions that it holds for.
pub(crate) fn full_message(finding: &Finding) -> String {
    match where_it_holds(finding) {
        Some(place) => format!("{} ({place})", finding.message),
        None => finding.message.clone(),
    }
}

/// Returns the tests and regions that the finding holds for: `only in test one in eu-west-1`;
/// `None` if it holds for all that use the template.
pub(crate) fn where_it_holds(finding: &Finding) -> Option<String> {
    /// Maximum number of tests and regions to list.
    const SHOWN: usize = 8;
    let cells = &finding.only_in;
    if cells.is_empty() {
        return None;
    }
    let mut shown: Vec<String> = cells
        .iter()
        .take(SHOWN)
        .map(|cell| format!("{} in {}", cell.test, cell.region))
        .collect();
    if cells.len() > SHOWN {
        shown.push(format!("{} more", cells.len() - SHOWN));
    }
    Some(format!("only for {}", shown.join(", ")))
}
