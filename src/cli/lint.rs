//! `taskcat lint`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::error::{CliError, Exit};
use super::project::Project;
use super::{AwsArgs, block_on, output};
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::lint::Finding;
use crate::lint::cfn_lint::{self, Lint as Answer};
use crate::plan::Draft;

/// Check the templates with cfn-lint, without AWS.
///
/// Of every test, with the templates that it nests, for the regions of the test. cfn-lint has to be on PATH
/// (`pip install cfn-lint`). Ends with 1 if it finds errors.
#[derive(Args)]
pub(super) struct Lint {
    /// Configuration, or a template, relative to the project root.
    #[arg(short, long, default_value = "./.taskcat.yml", value_name = "FILE")]
    input_file: PathBuf,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR")]
    project_root: PathBuf,

    /// Use what symbolic links of the project lead to outside of it.
    #[arg(long)]
    follow_links: bool,

    /// Fail on warnings as well as on errors.
    #[arg(short, long)]
    strict: bool,
}

impl Lint {
    pub fn run(self, aws: &AwsArgs) -> Result<Exit, CliError> {
        let project = Project::load(&self.project_root, &self.input_file, aws, Vec::new())?;
        let (templates, diagnostics) = Draft::templates(&project.loaded, &project.root, self.follow_links);
        if diagnostics.iter().any(|it| it.severity == Severity::Error) {
            return Err(CliError::Diagnostics(diagnostics));
        }
        output::diagnostics(&project.loaded.warnings);
        output::diagnostics(&diagnostics);
        let targets = project.lint_targets(&templates);
        let answer = block_on(async {
            cfn_lint::run(&targets, &project.root).await.map_err(|error| CliError::Usage(error.to_string()))
        })?;
        let Answer::Findings { findings, warnings } = answer else {
            return Err(CliError::Usage("`cfn-lint` is not on PATH; `pip install cfn-lint` installs it".to_owned()));
        };
        warnings.iter().for_each(|warning| output::warning(warning));
        let found: Vec<_> = findings.iter().map(|finding| diagnostic(finding, &project)).collect();
        output::diagnostics(&found);
        let fails = |it: &Diagnostic| it.severity == Severity::Error || self.strict;
        Ok(if found.iter().any(fails) { Exit::Failed } else { Exit::Passed })
    }
}

fn diagnostic(finding: &Finding, project: &Project) -> Diagnostic {
    let file = Arc::from(project.root.join(&finding.location.file));
    Diagnostic {
        severity: finding.severity,
        message: format!("{}: {}", finding.rule, finding.message),
        location: Some(Location { file, at: finding.location.at }),
        help: None,
    }
}
