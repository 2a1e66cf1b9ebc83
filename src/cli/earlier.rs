//! Checks out the versions in Git that tests update their stacks from (`update_from.git_ref`).

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use uuid::Uuid;

use super::error::CliError;
use super::git::GitProject;
use super::project::CliProject;
use crate::config::{self, LoadRequest, LoadedConfig};
use crate::diagnostic::Diagnostic;
use crate::plan::{self, GitVersion, PlanDraft};
use crate::run::EarlierFiles;
use crate::stage::exclude::Exclusions;

/// A version that is checked out until this is dropped.
pub(super) struct EarlierVersion {
    version: GitVersion,
    root: PathBuf,
    _directory: TempDir,
}

impl CliProject {
    /// Checks out the versions that tests update from and adds them to the draft. A test whose
    /// version can't be planned gets its problems.
    ///
    /// # Errors
    /// Git can't be asked, or files can't be written.
    pub(super) fn add_earlier_versions(
        &self,
        draft: &mut PlanDraft,
        run_id: Uuid,
    ) -> Result<Vec<EarlierVersion>, CliError> {
        let mut versions: Vec<EarlierVersion> = Vec::new();
        for (name, test) in &self.loaded.config.tests {
            let Some(revision) = test.earlier_revision() else {
                continue;
            };
            let known = versions
                .iter()
                .position(|it| it.version.revision == revision);
            let index = match known {
                Some(index) => index,
                None => match self.checked_out(name, revision)? {
                    Ok(version) => {
                        versions.push(version);
                        versions.len() - 1
                    }
                    Err(problem) => {
                        draft.add_problem(name, *problem);
                        continue;
                    }
                },
            };
            self.add_earlier(draft, name, &versions[index], run_id);
        }
        Ok(versions)
    }

    /// Returns the version, or the problem of the test that names a revision that isn't there.
    fn checked_out(
        &self,
        test: &str,
        revision: &str,
    ) -> Result<Result<EarlierVersion, Box<Diagnostic>>, CliError> {
        let key = format!("tests.{test}.update_from.git_ref");
        let located = |error| match error {
            CliError::Diagnostics(mut found) if found.len() == 1 => {
                let mut problem = found.remove(0);
                problem.location = self.loaded.location(&key);
                Ok(Box::new(problem))
            }
            error => Err(error),
        };
        let git = match GitProject::open(&self.root, "`git_ref`") {
            Ok(git) => git,
            Err(error) => return located(error).map(Err),
        };
        let commit = match git.commit(revision, "`git_ref`") {
            Ok(commit) => commit,
            Err(error) => return located(error).map(Err),
        };
        let unusable = |error| CliError::local("cannot check out an earlier version", error);
        let directory = tempfile::tempdir().map_err(unusable)?;
        // The name of the root may be the project's.
        let name = self.root.file_name().unwrap_or(self.root.as_os_str());
        let root = directory.path().join("root").join(name);
        fs::create_dir_all(&root).map_err(unusable)?;
        git.check_out(&commit, &root)?;
        Ok(Ok(EarlierVersion {
            version: GitVersion::new(revision),
            root,
            _directory: directory,
        }))
    }

    /// Drafts the test in its earlier version, by the configuration of that version if it has the
    /// test, and otherwise by the present one.
    fn add_earlier(
        &self,
        draft: &mut PlanDraft,
        name: &str,
        earlier: &EarlierVersion,
        run_id: Uuid,
    ) {
        let request = LoadRequest {
            project_root: earlier.root.clone(),
            ..self.request.clone()
        };
        let own = config::load(&request).ok();
        let has_test = |it: &LoadedConfig| it.config.tests.contains_key(name);
        let mut loaded = own.filter(has_test).unwrap_or_else(|| self.loaded.clone());
        let (Some(present), Some(base)) = (
            self.loaded.config.tests.get(name),
            loaded.config.tests.get(name),
        ) else {
            return;
        };
        let Some(mut test) = present.earlier(base) else {
            return;
        };
        test.regions.clone_from(&present.regions);
        // The tests that it depends on are looked up among them.
        if test.dependencies().next().is_none() {
            loaded.config.tests.retain(|it, _| it == name);
        }
        loaded.config.tests.insert(name.to_owned(), test);
        let (templates, _) = PlanDraft::templates(&loaded, &earlier.root, false);
        let template = loaded
            .config
            .tests
            .get(name)
            .and_then(|it| it.template.as_deref());
        if let Some(previous) = template.and_then(|it| templates.get(it)) {
            for problem in plan::unknown_resources(&self.loaded, name, previous) {
                draft.add_problem(name, problem);
            }
        }
        match PlanDraft::new(&loaded, &earlier.root, &templates, run_id) {
            Ok((old, _)) => draft.set_earlier(name, old, earlier.version.clone()),
            Err(problems) => {
                for problem in problems {
                    draft.add_problem(name, problem);
                }
            }
        }
    }
}

impl EarlierVersion {
    /// Returns what to stage of it.
    ///
    /// # Errors
    /// Its exclusions can't be read.
    pub(super) fn files(&self) -> Result<EarlierFiles, CliError> {
        let exclusions = Exclusions::load(&self.root, &[]).map_err(CliError::Diagnostics)?;
        Ok(EarlierFiles {
            root: self.root.clone(),
            exclusions,
            prefix: self.version.prefix.clone(),
        })
    }
}
