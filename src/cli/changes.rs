//! Determines which tests differ from a Git commit, for `--changed-since`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::CliError;
use super::git::GitProject;
use super::output;
use super::project::CliProject;
use crate::config::{self, BaseConfig, LoadRequest, TestConfig};
use crate::input;
use crate::plan::PlanDraft;
use crate::stage::exclude::Exclusions;
use crate::template::Templates;

const FLAG: &str = "--changed-since";

/// What configures a project beside the input file. The directory `ci` holds legacy files.
const CONFIGURATION_FILES: [&str; 3] = [".taskcat.yml", ".taskcat.yaml", ".taskcat_overrides.yml"];
const LEGACY_FOLDER: &str = "ci/";

/// Keys of the project that count for every test and aren't passed on to the tests.
const PROJECT_KEYS: [&str; 7] = [
    "name",
    "package_lambda",
    "lambda_source_path",
    "lambda_zip_path",
    "build_submodules",
    "s3_enable_sig_v2",
    "shorten_stack_name",
];

/// The tests that differ from a commit, each with the first reason.
pub(super) struct ChangedTests {
    /// What the user called the commit.
    pub since: String,
    reasons: BTreeMap<String, String>,
}

impl ChangedTests {
    /// Returns why a test differs; `None` if it doesn't.
    pub(super) fn reason(&self, test: &str) -> Option<&str> {
        self.reasons.get(test).map(String::as_str)
    }
}

/// The files of a test.
struct TestFiles {
    /// Its template and those that it nests.
    templates: BTreeSet<String>,
    /// Their text and the test's hooks, to find the names of other files in.
    text: String,
}

impl CliProject {
    /// Compares every test of the configuration with a commit.
    ///
    /// # Errors
    /// There is no such commit, or Git can't be asked.
    pub(super) fn changes_since(&self, since: &str) -> Result<ChangedTests, CliError> {
        let git = GitProject::open(&self.root, FLAG)?;
        let commit = git.commit(since, FLAG)?;
        let changed = git.changed_since(&commit)?;
        let mut reasons = BTreeMap::new();
        let before = self.configuration_of(&git, &commit)?;
        if before.is_none() {
            output::warning(&format!(
                "the configuration of {since} cannot be read, so every test counts as changed"
            ));
        }
        let (templates, _) = PlanDraft::templates(&self.loaded, &self.root, self.follow_links);
        let exclusions = Exclusions::load(&self.root, &[]).map_err(CliError::Diagnostics)?;
        let tests = &self.loaded.config.tests;
        let files: BTreeMap<&str, TestFiles> = tests
            .iter()
            .map(|(name, test)| (name.as_str(), TestFiles::of(test, &templates)))
            .collect();
        for (name, test) in tests {
            let reason = match &before {
                None => Some("the configuration cannot be compared".to_owned()),
                Some(before) => difference(&self.loaded.config, before, name, test, since),
            };
            let counts = |path: &&String| self.counts(path, name, &files, &exclusions);
            let reason = reason.or_else(|| {
                let file = changed.iter().find(counts)?;
                Some(format!("{file} differs from {since}"))
            });
            reasons.extend(reason.map(|reason| (name.clone(), reason)));
        }
        Ok(ChangedTests {
            since: since.to_owned(),
            reasons,
        })
    }

    /// Returns whether a changed file counts for a test. A template counts for the tests that use
    /// it, any other file that is staged for all of them, since every stack may read it from the
    /// bucket. Of documentation and what isn't staged, a test uses what it names.
    fn counts(
        &self,
        path: &str,
        test: &str,
        files: &BTreeMap<&str, TestFiles>,
        exclusions: &Exclusions,
    ) -> bool {
        if CONFIGURATION_FILES.contains(&path) || path.starts_with(LEGACY_FOLDER) {
            return false;
        }
        let Some(own) = files.get(test) else {
            return false;
        };
        if files.values().any(|it| it.templates.contains(path)) {
            return own.templates.contains(path);
        }
        // A submodule is a directory.
        let is_staged = !exclusions.excludes(path);
        if is_staged && !is_documentation(path) {
            return true;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        own.text.contains(name)
    }

    /// Returns the configuration in a commit; `None` if it is invalid.
    fn configuration_of(
        &self,
        git: &GitProject<'_>,
        commit: &str,
    ) -> Result<Option<BaseConfig>, CliError> {
        let unusable = |error| CliError::local("cannot copy the configuration", error);
        let folder = tempfile::tempdir().map_err(unusable)?;
        // The name of the root may be the project's.
        let name = self.root.file_name().unwrap_or(self.root.as_os_str());
        let root = folder.path().join(Path::new("root").join(name));
        let mut paths: BTreeSet<String> = CONFIGURATION_FILES.map(str::to_owned).into();
        paths.extend(self.input_in_project());
        paths.extend(git.files(commit, LEGACY_FOLDER)?);
        for path in paths {
            let own = self.root.join(&path);
            let content = match git.content(commit, &path)? {
                Some(content) => Some(content),
                // Files that are never committed are the same on both sides.
                None if own.is_file() && git.ignores(&path)? => fs::read(&own).ok(),
                None => None,
            };
            let Some(content) = content else {
                continue;
            };
            let file = root.join(&path);
            fs::create_dir_all(file.parent().unwrap_or(&root)).map_err(unusable)?;
            fs::write(&file, content).map_err(unusable)?;
        }
        fs::create_dir_all(&root).map_err(unusable)?;
        let request = LoadRequest {
            project_root: root,
            ..self.request.clone()
        };
        Ok(config::load(&request).ok().map(|it| it.config))
    }

    /// Returns the path of the input file from the root.
    fn input_in_project(&self) -> Option<String> {
        let file = self.root.join(&self.request.input_file);
        let file: PathBuf = file.components().collect();
        let relative = file.strip_prefix(&self.root).ok()?;
        Some(relative.to_str()?.trim_start_matches("./").to_owned())
    }
}

impl TestFiles {
    fn of(test: &TestConfig, templates: &Templates) -> Self {
        let own = || test.templates().map(|(_, path)| path);
        let found: Vec<_> = own().filter_map(|path| templates.get(path)).collect();
        let nested = found.iter().flat_map(|it| templates.descendants(it));
        let used: Vec<_> = found.iter().copied().chain(nested).collect();
        let texts = used.iter().filter_map(|it| input::text(&it.file));
        let mut text: String = texts.collect();
        text += &serde_json::to_string(&(&test.prehooks, &test.posthooks)).unwrap_or_default();
        // A template that can't be read has only the path that the test gives it.
        let paths = used.iter().map(|it| it.relative.clone());
        Self {
            templates: paths.chain(own().map(str::to_owned)).collect(),
            text,
        }
    }
}

/// Returns how the configuration of a test differs from that of the commit.
fn difference(
    now: &BaseConfig,
    before: &BaseConfig,
    name: &str,
    test: &TestConfig,
    since: &str,
) -> Option<String> {
    let Some(old) = before.tests.get(name) else {
        return Some(format!("{since} has no such test"));
    };
    let project_now = serde_json::to_value(&now.project).unwrap_or_default();
    let project_before = serde_json::to_value(&before.project).unwrap_or_default();
    let of_project = PROJECT_KEYS
        .iter()
        .find(|key| project_now.get(key) != project_before.get(key));
    if let Some(key) = of_project {
        return Some(format!("`project.{key}` differs from {since}"));
    }
    let test_now = serde_json::to_value(test).unwrap_or_default();
    let test_before = serde_json::to_value(old).unwrap_or_default();
    let keys = |value: &Value| -> Vec<String> {
        let keys = value.as_object().map(|it| it.keys().cloned().collect());
        keys.unwrap_or_default()
    };
    let mut keys = [keys(&test_now), keys(&test_before)].concat().into_iter();
    let key = keys.find(|key| test_now.get(key) != test_before.get(key))?;
    Some(format!("its `{key}` differs from {since}"))
}

/// Returns whether a file is for people: no stack reads it unless a template names it.
fn is_documentation(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let has_extension = [".md", ".rst", ".adoc"].iter().any(|it| name.ends_with(it));
    has_extension
        || ["LICENSE", "NOTICE", "CODEOWNERS"]
            .iter()
            .any(|it| name.starts_with(it))
}
