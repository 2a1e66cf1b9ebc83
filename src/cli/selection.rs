//! The options of several commands that select tests and regions.

use std::collections::BTreeMap;

use clap::Args;
use indexmap::IndexMap;

use super::changes::ChangedTests;
use super::error::CliError;
use super::project::{CliProject, argument};
use super::{listed, streams};
use crate::config::{self, CommandLineValue, PulledInTest, Selection, TestConfig};
use crate::diagnostic::Diagnostic;
use crate::event::CellId;

/// Selects every test, or every region of each.
const ALL: &str = "ALL";

/// Which tests and regions of the configuration a command works on.
#[derive(Args)]
pub(super) struct SelectionArgs {
    /// Tests to select, separated by commas; `*` matches any characters and `?` one. ALL
    /// selects every test of the configuration.
    #[arg(short, long, default_value = ALL, value_name = "NAMES")]
    pub test_names: String,

    /// Regions to select, separated by commas, with the same wildcards. ALL selects the regions of
    /// each test.
    #[arg(short, long, default_value = ALL, value_name = "REGIONS")]
    pub regions: String,

    /// Leave out these tests, separated by commas, with the same wildcards.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub exclude: Vec<String>,

    /// Leave out these regions, separated by commas, with the same wildcards.
    #[arg(long, value_name = "REGIONS", value_delimiter = ',')]
    pub exclude_regions: Vec<String>,

    /// Select only tests whose templates, nested templates, staged files or parameters differ from
    /// this commit, branch or tag. Untracked files count, files that Git ignores don't. If nothing
    /// differs, the command does nothing and succeeds.
    #[arg(long, value_name = "REF")]
    pub changed_since: Option<String>,
}

impl SelectionArgs {
    /// Returns the arguments that select everything.
    pub(super) fn all() -> Self {
        Self {
            test_names: ALL.to_owned(),
            regions: ALL.to_owned(),
            exclude: Vec::new(),
            exclude_regions: Vec::new(),
            changed_since: None,
        }
    }

    /// Returns the regions for tests without regions of their own.
    pub(super) fn arguments(&self) -> Vec<CommandLineValue> {
        let is_list = self.regions != ALL && !self.regions.contains(['*', '?']);
        let regions = is_list.then(|| argument("project.regions", &self.regions, "--regions"));
        regions.into_iter().collect()
    }

    /// Keeps the selected tests and regions. Returns false if --changed-since leaves none.
    pub(super) fn apply(&self, project: &mut CliProject) -> Result<bool, CliError> {
        let all = project.loaded.config.tests.clone();
        let changes = match &self.changed_since {
            Some(since) => Some(project.changes_since(since)?),
            None => None,
        };
        let tests = listed(&self.test_names);
        if tests.as_ref().is_some_and(Vec::is_empty) {
            let message = "expected names of tests or ALL, found an empty list (--test-names)";
            return Err(CliError::Usage(message.to_owned()));
        }
        project.trim(&Selection {
            tests,
            regions: listed(&self.regions),
            excluded_tests: trimmed(&self.exclude),
            excluded_regions: trimmed(&self.exclude_regions),
        })?;
        let Some(changes) = changes else {
            self.add_dependencies(project, &all)?;
            return Ok(true);
        };
        let reasons = reasons(&all, &changes);
        let tests = &mut project.loaded.config.tests;
        tests.retain(|name, _| {
            let reason = reasons.get(name.as_str());
            let since = &changes.since;
            match reason {
                Some(reason) => streams::tell(format_args!("selecting {name}: {reason}")),
                None => streams::tell(format_args!(
                    "leaving out {name}: its templates, parameters and staged files are those of \
                     {since}"
                )),
            }
            reason.is_some()
        });
        if tests.is_empty() {
            streams::tell(format_args!(
                "no selected test differs from {}; there is nothing to do",
                changes.since
            ));
            return Ok(false);
        }
        self.add_dependencies(project, &all)?;
        Ok(true)
    }

    /// Selects what the selected tests depend on, too.
    fn add_dependencies(
        &self,
        project: &mut CliProject,
        all: &IndexMap<String, TestConfig>,
    ) -> Result<(), CliError> {
        let pulled_in = config::add_dependencies(&mut project.loaded.config.tests, all);
        let names = trimmed(&self.exclude);
        let excluded = |it: &&PulledInTest| it.is_named_by(&names);
        let refused = pulled_in.iter().filter(excluded).map(|it| {
            let message = format!("--exclude {}: {} depends on it", it.test, it.dependent);
            Diagnostic::error(message).help(format!("exclude {}, too", it.dependent))
        });
        let refused: Vec<Diagnostic> = refused.collect();
        if !refused.is_empty() {
            return Err(CliError::Diagnostics(refused));
        }
        tell_pulled_in(pulled_in.into_iter().map(|it| {
            let test = it.test.as_str().into();
            let region = it.region.as_str().into();
            (CellId { test, region }, it.dependent)
        }));
        Ok(())
    }
}

/// Says which tests are selected since others depend on them.
pub(super) fn tell_pulled_in(pulled_in: impl IntoIterator<Item = (CellId, String)>) {
    for (CellId { test, region }, dependent) in pulled_in {
        streams::tell(format_args!(
            "selecting {test} in {region}, too: {dependent} depends on it"
        ));
    }
}

/// Returns why tests are selected: they differ, or they depend on one that does.
fn reasons(all: &IndexMap<String, TestConfig>, changes: &ChangedTests) -> BTreeMap<String, String> {
    let own = all.keys().filter_map(|name| {
        let reason = changes.reason(name)?;
        Some((name.clone(), reason.to_string()))
    });
    let mut reasons: BTreeMap<String, String> = own.collect();
    for _ in all {
        for (name, test) in all {
            let mut needed = test.dependencies();
            let changed = needed.find(|it| reasons.contains_key(&it.test));
            if let Some(changed) = changed.filter(|_| !reasons.contains_key(name)) {
                let reason = format!("it depends on {}", changed.test);
                reasons.insert(name.clone(), reason);
            }
        }
    }
    reasons
}

fn trimmed(names: &[String]) -> Vec<String> {
    let names = names.iter().map(|it| it.trim().to_owned());
    names.filter(|it| !it.is_empty()).collect()
}
