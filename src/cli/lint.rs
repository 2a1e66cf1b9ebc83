//! `taskcat lint`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::error::{CliError, ExitStatus};
use super::paths::path;
use super::project::CliProject;
use super::{AwsArgs, block_on, output, streams};
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::lint::Finding;
use crate::lint::cfn_lint::{self, LintOutcome as Answer};
use crate::plan::PlanDraft;

/// Check the templates with cfn-lint (offline).
///
/// Checks the template of every test, and the templates nested in it, for the regions of the test.
/// cfn-lint must be on PATH (`pip install cfn-lint`). Lists every template that passes. Exits with
/// 1 if cfn-lint finds errors.
#[derive(Args)]
pub(super) struct LintArgs {
    /// Configuration or template, relative to the project root.
    #[arg(short, long, default_value = "./.taskcat.yml", value_name = "FILE",
        value_parser = path())]
    input_file: PathBuf,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Follow symbolic links that lead out of the project.
    #[arg(long)]
    follow_links: bool,

    /// Fail on warnings as well as on errors.
    #[arg(short, long)]
    strict: bool,
}

impl LintArgs {
    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        let project = CliProject::load(&self.project_root, &self.input_file, aws, Vec::new())?;
        let (templates, diagnostics) =
            PlanDraft::templates(&project.loaded, &project.root, self.follow_links);
        if diagnostics.iter().any(|it| it.severity == Severity::Error) {
            return Err(CliError::Diagnostics(project.with_warnings(diagnostics)));
        }
        output::diagnostics(&project.loaded.warnings);
        output::diagnostics(&diagnostics);
        if project.loaded.config.tests.is_empty() {
            let error =
                Diagnostic::error("the configuration has no tests").help("add one under tests");
            return Err(CliError::Diagnostics(vec![error]));
        }
        let targets = project.lint_targets(&templates);
        let answer = block_on(async {
            cfn_lint::run(&targets, &project.root)
                .await
                .map_err(|error| CliError::Usage(error.to_string()))
        })?;
        let Answer::Findings {
            findings,
            warnings,
            linted,
        } = answer
        else {
            return Err(CliError::Usage(
                "`cfn-lint` is not on PATH; `pip install cfn-lint` installs it".to_owned(),
            ));
        };
        warnings.iter().for_each(|warning| output::warning(warning));
        for (index, finding) in findings.iter().enumerate() {
            let is_first = index
                .checked_sub(1)
                .is_none_or(|before| findings[before].template != finding.template);
            if is_first {
                let path = project.root.join(&finding.template);
                streams::tell(format_args!(
                    "Linting detected issues in: {}",
                    path.display()
                ));
            }
            output::diagnostics(&[diagnostic(finding, &project)]);
            streams::tell(as_taskcat(finding));
        }
        let found: BTreeSet<_> = findings.iter().map(|finding| &finding.template).collect();
        let passed: BTreeSet<_> = linted.iter().filter(|path| !found.contains(path)).collect();
        for path in passed {
            streams::tell(format_args!(
                "Linting passed for file: {}",
                project.root.join(path).display()
            ));
        }
        let fails = |it: &Finding| it.severity == Severity::Error || self.strict;
        Ok(if findings.iter().any(fails) {
            ExitStatus::Failed
        } else {
            ExitStatus::Passed
        })
    }
}

/// Returns the line that TaskCat prints (`_cfn_lint.py`), for scripts that parse it.
fn as_taskcat(finding: &Finding) -> String {
    let Finding {
        rule,
        short_description,
        message,
        location,
        ..
    } = finding;
    let number = rule.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let message = message.replace('\n', " ");
    format!(
        "    line {} [{number}] [{short_description}] {message}",
        location.at.line
    )
}

fn diagnostic(finding: &Finding, project: &CliProject) -> Diagnostic {
    let file = Arc::from(project.root.join(&finding.location.file));
    let message = format!("{}: {}", finding.rule, finding.message);
    let location = Location {
        file,
        at: finding.location.at,
    };
    Diagnostic {
        severity: finding.severity,
        ..Diagnostic::error(message).at(location)
    }
}
