//! The options of several commands that select tests and regions.

use clap::Args;

use super::error::CliError;
use super::project::{CliProject, argument};
use super::{listed, streams};
use crate::config::{CommandLineValue, Selection};

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
            return Ok(true);
        };
        let tests = &mut project.loaded.config.tests;
        tests.retain(|name, _| {
            let reason = changes.reason(name);
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
        }
        Ok(!tests.is_empty())
    }
}

fn trimmed(names: &[String]) -> Vec<String> {
    let names = names.iter().map(|it| it.trim().to_owned());
    names.filter(|it| !it.is_empty()).collect()
}
