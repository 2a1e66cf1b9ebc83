//! Finds and reads rule files of CloudFormation Guard.

use std::path::Path;

use walkdir::WalkDir;

use crate::diagnostic::Diagnostic;
#[cfg(feature = "lint")]
use crate::diagnostic::{Location, Position};
use crate::input;

/// Extensions of rule files, as `cfn-guard` reads them from a folder
/// (<https://docs.aws.amazon.com/cfn-guard/latest/ug/cfn-guard-validate.html>).
const EXTENSIONS: [&str; 2] = ["guard", "ruleset"];

/// A file with rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuardRuleFile {
    /// The file's path for messages.
    pub name: String,
    pub text: String,
}

impl GuardRuleFile {
    /// Reads a rule file, or all rule files in a folder.
    pub(crate) fn read_all(path: &Path) -> Result<Vec<Self>, Diagnostic> {
        if !path.is_dir() {
            return Ok(vec![Self::read(path)?]);
        }
        let mut files = Vec::new();
        for entry in WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(|error| unreadable(path, &error.to_string()))?;
            let extension = entry.path().extension().and_then(|it| it.to_str());
            let is_rules = extension.is_some_and(|it| EXTENSIONS.contains(&it));
            if is_rules && entry.path().is_file() {
                files.push(Self::read(entry.path())?);
            }
        }
        if files.is_empty() {
            let message = format!("the directory {} has no Guard rules", path.display());
            return Err(Diagnostic::error(message).help("rule files end with .guard or .ruleset"));
        }
        Ok(files)
    }

    /// Returns the error for the reason why the file can't be parsed, with its place.
    #[cfg(feature = "lint")]
    pub(super) fn invalid(&self, reason: &str) -> Diagnostic {
        const GRAMMAR: &str = "https://docs.aws.amazon.com/cfn-guard/latest/ug/writing-rules.html";
        let after = |text: &'_ str, mark: &str| Some(text.split_once(mark)?.1.to_owned());
        let number = |text: Option<String>| {
            let text = text.unwrap_or_default();
            let digits = text.split(|it: char| !it.is_ascii_digit()).next();
            digits.and_then(|it| it.parse().ok()).unwrap_or(1)
        };
        // "… at line 3 at column 11, when handling EXPECTED, fragment REST"
        let expected = after(reason, "when handling ").unwrap_or_default();
        let (expected, rest) = expected.split_once(", fragment ").unwrap_or_default();
        let found = rest.lines().next().unwrap_or_default().trim();
        let found = found.trim_end_matches('`').trim();
        let expected = match expected.trim().trim_start_matches("expecting ") {
            "" => "a rule, a condition or the end of a block",
            expected => expected,
        };
        let message = if found.is_empty() {
            format!("invalid Guard rules: expected {expected}, found the end of the file")
        } else {
            format!("invalid Guard rules: expected {expected}, found `{found}`")
        };
        let at = Position {
            line: number(after(reason, " at line ")),
            column: number(after(reason, " at column ")),
        };
        let file = Path::new(&self.name).into();
        let error = Diagnostic::error(message).at(Location { file, at });
        error.help(format!("{GRAMMAR} describes rules"))
    }

    fn read(path: &Path) -> Result<Self, Diagnostic> {
        let bytes = input::read(path, input::DOCUMENT)
            .map_err(|error| unreadable(path, &error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable(path, "it is not UTF-8"))?;
        Ok(Self {
            name: path.display().to_string(),
            text,
        })
    }
}

fn unreadable(path: &Path, reason: &str) -> Diagnostic {
    Diagnostic::error(format!(
        "cannot read the Guard rules {}: {reason}",
        path.display()
    ))
}
