//! The earlier version that a test's stack is updated from, and what the update may not do.

use super::PlannedParameter;
use super::values::TemplateParameters;

/// The update of a test as far as files show it.
#[derive(Clone, Debug, Default)]
pub(super) struct UpdateDraft {
    pub previous: Option<PreviousDraft>,
    pub forbid_replacement: Vec<String>,
    pub is_idempotent: bool,
}

/// The earlier version.
#[derive(Clone, Debug)]
pub(super) struct PreviousDraft {
    /// The template's path, relative to the project root, with `/`.
    pub template: String,
    pub values: TemplateParameters,
    /// Where it is in Git; `None` for the working copy.
    pub version: Option<GitVersion>,
}

/// A version of the project in Git, whose files are staged beside those of the working copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitVersion {
    /// The revision as configured: `v1.2.0`.
    pub revision: String,
    /// The key prefix of its files, after the project's own: `taskcat-update-from/v1-2-0/`.
    pub prefix: String,
}

impl GitVersion {
    /// Returns the version with this revision. The prefix has only characters that templates
    /// usually allow in a parameter for it.
    pub fn new(revision: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = revision.chars().map(plain).collect();
        Self {
            revision: revision.to_owned(),
            prefix: format!("taskcat-update-from/{name}/"),
        }
    }

    /// Returns a parameter's value with the key prefix of this version, if it begins with the
    /// project's.
    pub(super) fn moved(&self, value: &str, project: &str) -> Option<String> {
        let path = value.strip_prefix(project)?.strip_prefix('/')?;
        Some(format!("{project}/{}{path}", self.prefix))
    }
}

/// The update of a test's stack.
#[derive(Clone, Debug, Default)]
pub struct UpdatePlan {
    /// The version to launch first; `None` launches the test's own and updates nothing.
    pub from: Option<PreviousVersion>,
    /// Logical IDs of the resources that the update may neither replace nor delete.
    pub forbid_replacement: Vec<String>,
    /// Whether the test fails if updating the stack once more would change something.
    pub is_idempotent: bool,
}

impl UpdatePlan {
    /// Returns whether the stack isn't updated.
    pub fn is_empty(&self) -> bool {
        self.from.is_none() && !self.is_idempotent
    }
}

/// An earlier version of a test's stack.
#[derive(Clone, Debug)]
pub struct PreviousVersion {
    /// The template's path, relative to the project root, after its Git revision if it has one:
    /// `v1.2.0:main.yaml`.
    pub template: String,
    /// Object key of the template in its bucket.
    pub template_key: String,
    /// The parameters in the order of the template's declarations.
    pub parameters: Vec<PlannedParameter>,
}
