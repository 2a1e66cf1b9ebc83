//! `taskcat test retry`.

use std::path::{Path, PathBuf};

use clap::{Args, Command, FromArgMatches};

use super::error::{CliError, ExitStatus, exit_of};
use super::paths::path;
use super::project::CliProject;
use super::test::TestRunArgs;
use super::{AwsArgs, Verbosity, block_on, output, streams};
use crate::aws::DEFAULT_PROFILE;
use crate::catalog::s3_url::{self, S3UrlTarget};
use crate::config::{BaseConfig, OnlyTest, ValueOrigin};
use crate::diagnostic::{Diagnostic, Severity};
use crate::plan::{PlanDraft, TestLimits};
use crate::report::folder::Folder;
use crate::run::{self, CleanFindings, DeletionOptions, NestedStack, RelaunchError};

/// The name of the test, as in TaskCat.
const TEST_NAME: &str = "default";

/// Relaunch one nested stack of a test, with the parameters that its parent gave it.
///
/// Keep the stacks of a failed run with `taskcat test run --keep-failed`, correct the template of
/// the nested stack, and retry it alone: the nested stack is deleted and launched again as a test
/// named `default`, with the project's files as they are now. Its parent is left as it is.
#[derive(Args)]
pub(super) struct RetryArgs {
    /// Region of the stack.
    region: String,

    /// Name or ARN of the parent stack.
    stack_name: String,

    /// Logical ID of the nested stack in the parent's template.
    resource_name: String,

    /// Configuration or template, relative to the project root.
    #[arg(short, long, default_value = "./.taskcat.yml", value_name = "FILE",
        value_parser = path())]
    config_file: PathBuf,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Keep the stack and the bucket after the test.
    #[arg(short, long)]
    no_delete: bool,

    /// Keep the stack if it fails.
    #[arg(short, long)]
    keep_failed: bool,

    /// Print only status changes of stacks.
    #[arg(short, long)]
    minimal_output: bool,

    /// Request the deletion of the stack without waiting for it.
    #[arg(short, long)]
    dont_wait_for_delete: bool,

    /// Directory for the reports.
    #[arg(short, long, default_value = "./taskcat_outputs", value_name = "DIR",
        value_parser = path())]
    output_directory: PathBuf,
}

impl RetryArgs {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        let project = CliProject::load(&self.project_root, &self.config_file, aws, Vec::new())?;
        let config = &project.loaded.config;
        let nested = block_on(self.find(config, aws))?;
        let only_test = self.test(&nested, &project)?;
        self.refuse_unreadable(&only_test, aws)?;
        if nested.existing.is_some() {
            // Whatever would prevent the launch is found before anything is deleted.
            drop(Folder::claim(&self.output_directory)?);
            let exit = block_on(self.delete(nested, config, aws, verbosity))?;
            if exit != ExitStatus::Passed {
                return Ok(exit);
            }
        }
        self.test_run(only_test)?.run(aws, verbosity)
    }

    async fn find(&self, config: &BaseConfig, aws: &AwsArgs) -> Result<NestedStack, CliError> {
        let (clients, _) = aws.connect(Some(config))?;
        let mut tests = config.tests.values();
        let profile = tests.find_map(|test| test.profile(&self.region));
        let profile = profile.or(aws.profile()).unwrap_or(DEFAULT_PROFILE);
        let found = run::nested_stack(
            &self.stack_name,
            &self.resource_name,
            profile,
            &self.region,
            &clients,
        );
        found.await.map_err(|error| {
            let help = match error {
                RelaunchError::Aws(error) => return CliError::aws(profile.to_owned(), error),
                RelaunchError::NoStack { .. } | RelaunchError::Foreign(_) => {
                    "`taskcat list` shows the stacks of taskcat"
                }
                _ => "name a resource of type AWS::CloudFormation::Stack in the parent's template",
            };
            CliError::Diagnostics(vec![Diagnostic::error(error.to_string()).help(help)])
        })
    }

    /// Returns the test that launches the nested stack.
    fn test(&self, nested: &NestedStack, project: &CliProject) -> Result<OnlyTest, CliError> {
        let config = &project.loaded.config;
        let name = config.project.name.as_deref().unwrap_or_default();
        let Some(template) = template_of(&nested.template_url, name, &project.root) else {
            let message = format!(
                "the template of {} isn't in this project: {}",
                self.resource_name, nested.template_url
            );
            let error = Diagnostic::error(message)
                .help("pass the project that was tested with --project-root");
            return Err(CliError::Diagnostics(vec![error]));
        };
        let mut unknown = Vec::new();
        let mut parameters = Vec::new();
        for (key, value) in &nested.parameters {
            let is_hidden = !value.is_empty() && value.chars().all(|c| c == '*');
            match configured(config, key).filter(|_| is_hidden) {
                Some(configured) => parameters.push((key.clone(), configured)),
                None if is_hidden => {
                    let message =
                        format!("the value of `{key}` is hidden in the events of the parent stack");
                    let help = format!("set project.parameters.{key} in the configuration");
                    unknown.push(Diagnostic::error(message).help(help));
                }
                None => parameters.push((key.clone(), value.clone())),
            }
        }
        if !unknown.is_empty() {
            return Err(CliError::Diagnostics(unknown));
        }
        Ok(OnlyTest {
            name: TEST_NAME.to_owned(),
            template,
            region: self.region.clone(),
            parameters,
            origin: ValueOrigin::CommandLine("test retry".into()),
        })
    }

    /// Returns an error if the template, or one that it nests, cannot be read.
    fn refuse_unreadable(&self, only_test: &OnlyTest, aws: &AwsArgs) -> Result<(), CliError> {
        let project = CliProject::load_with(
            &self.project_root,
            &self.config_file,
            aws,
            Vec::new(),
            Some(only_test.clone()),
        )?;
        let (_, found) = PlanDraft::templates(&project.loaded, &project.root, false);
        if found.iter().any(|it| it.severity == Severity::Error) {
            return Err(CliError::Diagnostics(found));
        }
        Ok(())
    }

    async fn delete(
        &self,
        nested: NestedStack,
        config: &BaseConfig,
        aws: &AwsArgs,
        verbosity: Verbosity,
    ) -> Result<ExitStatus, CliError> {
        let (clients, endpoint) = aws.connect(Some(config))?;
        let findings = CleanFindings::of_stacks(nested.existing.into_iter().collect());
        let options = DeletionOptions {
            wait: true,
            force: false,
            limit: TestLimits::default().deletion,
        };
        let what = &self.resource_name;
        if !verbosity.quiet {
            streams::tell(format_args!("deleting the nested stack {what} first"));
        }
        let consumers = vec![output::terminal(verbosity, self.minimal_output, None)];
        let ended = run::clean(what, findings, options, &clients, endpoint, consumers).await;
        Ok(exit_of(&ended))
    }

    /// Returns a `test run` of the test alone. The templates aren't linted, as in TaskCat.
    fn test_run(self, only_test: OnlyTest) -> Result<TestRunArgs, CliError> {
        let flags = [
            ("--no-delete", self.no_delete),
            ("--keep-failed", self.keep_failed),
            ("--minimal-output", self.minimal_output),
            ("--dont-wait-for-delete", self.dont_wait_for_delete),
            ("--lint-disable", true),
        ];
        let flags = flags.iter().filter(|(_, is_set)| *is_set);
        let words = std::iter::once("run").chain(flags.map(|(flag, _)| *flag));
        let parsed = TestRunArgs::augment_args(Command::new("run"))
            .try_get_matches_from(words)
            .and_then(|matches| TestRunArgs::from_arg_matches(&matches));
        // The flags are those of `test run`, so that this can't fail.
        let mut run = parsed.map_err(|error| CliError::Usage(error.to_string()))?;
        run.project_root = self.project_root;
        run.input_file = self.config_file;
        run.output_directory = self.output_directory;
        run.only_test = Some(only_test);
        Ok(run)
    }
}

/// Returns the value of a parameter in the configuration, general ones first.
fn configured(config: &BaseConfig, key: &str) -> Option<String> {
    let general = config.general.parameters.iter();
    let mut sections = general.chain(&config.project.parameters);
    let value = sections.find_map(|parameters| parameters.get(key));
    let tests = || {
        config
            .tests
            .values()
            .find_map(|test| test.parameters.get(key))
    };
    value.or_else(tests).map(|value| value.text(&[]))
}

/// Returns the path of a staged template in the project: its key without the project's name, or the
/// longest end of it that is a file.
fn template_of(url: &str, project: &str, root: &Path) -> Option<String> {
    let key = match s3_url::target(url) {
        S3UrlTarget::Object { key, .. } => key,
        _ => url
            .split_once("://")?
            .1
            .split(['?', '#'])
            .next()?
            .to_owned(),
    };
    let own = key
        .strip_prefix(project)
        .and_then(|it| it.strip_prefix('/'));
    let ends = key.match_indices('/').map(|(at, _)| &key[at + 1..]);
    let mut candidates = own.into_iter().chain([key.as_str()]).chain(ends);
    let is_file = |path: &&str| {
        let is_plain = path.split('/').all(|it| !matches!(it, "" | "." | ".."));
        is_plain && root.join(path).is_file()
    };
    candidates.find(is_file).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_found_by_their_urls() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["templates/a.yaml", "submodules/x/templates/b.yaml"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let check = |url: &str, expect: Option<&str>| {
            let found = template_of(url, "shop", folder.path());
            assert_eq!(found.as_deref(), expect, "{url}");
        };
        let host = "https://b.s3.eu-west-1.amazonaws.com";
        check(
            &format!("{host}/shop/templates/a.yaml"),
            Some("templates/a.yaml"),
        );
        check(
            "https://s3.amazonaws.com/b/shop/submodules/x/templates/b.yaml",
            Some("submodules/x/templates/b.yaml"),
        );
        check(
            "http://127.0.0.1:4566/b/shop/templates/a.yaml",
            Some("templates/a.yaml"),
        );
        check(&format!("{host}/shop/templates/c.yaml"), None);
        check(
            &format!("{host}/shop/../templates/a.yaml"),
            Some("templates/a.yaml"),
        );
        check("templates/a.yaml", None);
    }
}
