//! Reads a project's `.cfnlintrc`
//! (<https://github.com/aws-cloudformation/cfn-lint#configuration>).
//!
//! The keys that select rules, templates and regions have the same meaning here; the others have
//! no effect on the engine in this process, and a warning says so.

use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use walkdir::WalkDir;

use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::yaml::{self, Node};

/// Names of the file, the first that exists.
const NAMES: [&str; 3] = [".cfnlintrc", ".cfnlintrc.yaml", ".cfnlintrc.yml"];

/// Keys that only cfn-lint itself knows how to follow.
const UNSUPPORTED: [&str; 7] = [
    "append_rules",
    "configure_rules",
    "custom_rules",
    "deployment_files",
    "override_spec",
    "parameter_files",
    "registry_schemas",
];

/// Extensions of the templates in a folder, as cfn-lint looks for them.
const TEMPLATE_EXTENSIONS: [&str; 4] = ["yaml", "yml", "json", "template"];

/// The settings of a `.cfnlintrc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CfnLintSettings {
    pub ignore_checks: Vec<String>,
    pub include_checks: Vec<String>,
    pub mandatory_checks: Vec<String>,
    /// Regions for templates that no test uses.
    pub regions: Vec<String>,
    /// Patterns of templates to lint without a project.
    pub templates: Vec<String>,
    /// Patterns of templates not to lint.
    pub ignore_templates: Vec<String>,
}

impl CfnLintSettings {
    /// Reads the file in the project root; without one, the settings are empty.
    ///
    /// # Errors
    /// The file isn't YAML, with all its diagnostics.
    pub(crate) fn read(project_root: &Path) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let path = NAMES.iter().map(|name| project_root.join(name));
        let Some(path) = path.into_iter().find(|path| path.is_file()) else {
            return Ok(Default::default());
        };
        let parsed = yaml::read(&path);
        let is_error = |it: &Diagnostic| it.severity == Severity::Error;
        if parsed.diagnostics.iter().any(is_error) {
            return Err(parsed.diagnostics);
        }
        let mut warnings = parsed.diagnostics;
        let Some(root) = parsed.root.filter(|root| !root.is_null()) else {
            return Ok((Self::default(), warnings));
        };
        let settings = Self {
            ignore_checks: list(&root, "ignore_checks"),
            include_checks: list(&root, "include_checks"),
            mandatory_checks: list(&root, "mandatory_checks"),
            regions: list(&root, "regions"),
            templates: list(&root, "templates"),
            ignore_templates: list(&root, "ignore_templates"),
        };
        for (key, _) in root.entries() {
            if UNSUPPORTED.contains(&&*key.text) {
                let message = format!("`{}` has no effect on the built-in lint engine", key.text);
                let location = Location {
                    file: path.clone().into(),
                    at: key.at,
                };
                let warning = Diagnostic::warning(message).at(location);
                warnings.push(warning.help("run cfn-lint itself with --engine cfn-lint"));
            }
        }
        Ok((settings, warnings))
    }

    /// Returns whether a template, relative to the project root, is ignored.
    pub(crate) fn ignores(&self, project_root: &Path, template: &str) -> bool {
        matcher(project_root, &self.ignore_templates)
            .is_some_and(|it| it.matched(template, false).is_ignore())
    }

    /// Returns the templates to lint without a project, relative to the project root.
    pub(crate) fn found_templates(&self, project_root: &Path) -> Vec<String> {
        let Some(wanted) = matcher(project_root, &self.templates) else {
            return Vec::new();
        };
        let files = WalkDir::new(project_root).sort_by_file_name().into_iter();
        let files = files
            .filter_entry(|entry| entry.file_name() != ".git")
            .flatten()
            .filter(|entry| entry.file_type().is_file());
        let relative = files.filter_map(|file| {
            let relative: PathBuf = file.path().strip_prefix(project_root).ok()?.into();
            let by_folder = || {
                let extension = relative.extension().and_then(|it| it.to_str());
                extension.is_some_and(|it| TEMPLATE_EXTENSIONS.contains(&it))
                    && wanted
                        .matched_path_or_any_parents(&relative, false)
                        .is_ignore()
            };
            let is_wanted = wanted.matched(&relative, false).is_ignore() || by_folder();
            is_wanted.then(|| relative.to_string_lossy().into_owned())
        });
        relative.collect()
    }
}

/// Returns a matcher of patterns, which are relative to the project root.
fn matcher(project_root: &Path, patterns: &[String]) -> Option<Gitignore> {
    if patterns.is_empty() {
        return None;
    }
    let mut builder = GitignoreBuilder::new(project_root);
    for pattern in patterns {
        let pattern = pattern.trim_start_matches("./").trim_start_matches('/');
        // A pattern that isn't valid matches nothing, as in Python.
        let _ = builder.add_line(None, &format!("/{pattern}"));
    }
    builder.build().ok()
}

/// Returns the items of a list; a single text is a list of one.
fn list(root: &Node, key: &str) -> Vec<String> {
    let Some(node) = root.get(key) else {
        return Vec::new();
    };
    match node.as_sequence() {
        Some(items) => items.iter().map(|item| item.text.to_string()).collect(),
        None if node.is_scalar() && !node.is_null() => vec![node.text.to_string()],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str) -> (tempfile::TempDir, CfnLintSettings, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".cfnlintrc"), text).unwrap();
        let (settings, warnings) = CfnLintSettings::read(folder.path()).unwrap();
        let warnings = warnings.into_iter().map(|it| it.message).collect();
        (folder, settings, warnings)
    }

    #[test]
    fn keys_of_cfn_lint_are_read() {
        let (_folder, settings, warnings) = read(
            "ignore_checks:\n  - E3012\n  - W\ninclude_checks: [I]\nmandatory_checks: E3002\n\
             regions: [eu-west-1]\nconfigure_rules:\n  E3012: {strict: false}\n",
        );
        assert_eq!(settings.ignore_checks, ["E3012", "W"]);
        assert_eq!(settings.include_checks, ["I"]);
        assert_eq!(settings.mandatory_checks, ["E3002"]);
        assert_eq!(settings.regions, ["eu-west-1"]);
        assert_eq!(
            warnings,
            ["`configure_rules` has no effect on the built-in lint engine"]
        );
        let (_folder, settings, warnings) = read("");
        assert_eq!((settings, warnings), (CfnLintSettings::default(), vec![]));
    }

    #[test]
    fn patterns_are_relative_to_the_project() {
        let (folder, settings, _) =
            read("templates: [a/*.yaml, b]\nignore_templates: ['a/old*.yaml', 'c/**/*.json']\n");
        for file in [
            "a/x.yaml",
            "a/old.yaml",
            "a/d/y.yaml",
            "b/e/z.json",
            "b/n.md",
            "x.yaml",
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(
            settings.found_templates(folder.path()),
            ["a/old.yaml", "a/x.yaml", "b/e/z.json"]
        );
        let ignores = |template: &str| settings.ignores(folder.path(), template);
        assert!(ignores("a/old.yaml"));
        assert!(ignores("c/d/e/x.json"));
        assert!(!ignores("a/x.yaml"));
        assert!(!ignores("d/a/old.yaml"));
    }
}
