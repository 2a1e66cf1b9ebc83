//! `taskcat render`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::error::{CliError, ExitStatus};
use super::paths::path;
use super::stdin::StdinTemplate;
use super::{output, streams};
use crate::catalog;
use crate::config;
use crate::diagnostic::{Diagnostic, Severity};
use crate::input;
use crate::plan;
use crate::spelling::did_you_mean;
use crate::template::{
    self, FailureNote, HidingSecrets, OfflineEnvironment, ParameterValue, ParameterValues,
    StackEnvironment, Template, Templates, Unknown, Value,
};
use crate::yaml;

/// Print a template as CloudFormation would evaluate it (offline).
///
/// Evaluates parameters, conditions, mappings, functions and loops. A value that isn't known before
/// the launch is printed as `{"Unknown": "<why>"}`.
#[derive(Args)]
pub(super) struct RenderArgs {
    /// Path of the template; `-` reads it from standard input, without the templates that it nests.
    #[arg(value_name = "TEMPLATE", value_parser = path())]
    template: PathBuf,

    /// Region to evaluate the template for.
    #[arg(short, long, value_name = "REGION")]
    region: String,

    /// Value of a parameter; can be repeated. A parameter with neither a value nor a default is
    /// unknown.
    #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = super::key_and_value)]
    parameters: Vec<(String, String)>,

    /// Follow symbolic links that lead out of the project.
    #[arg(long)]
    follow_links: bool,

    /// Output format.
    #[arg(short, long, value_enum, default_value_t = RenderFormat::Json)]
    format: RenderFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum RenderFormat {
    Json,
    Yaml,
}

impl RenderArgs {
    pub(super) fn run(self) -> Result<ExitStatus, CliError> {
        let given = StdinTemplate::instead_of(&self.template)
            .map_err(|error| CliError::local("cannot read standard input", error))?;
        let (templates, asked) = self.templates(given.as_ref())?;
        if !catalog::is_known_region(&self.region) {
            output::diagnostics(&[plan::unknown_region(&self.region)]);
        }
        let Some(template) = templates.get(&asked) else {
            return Err(CliError::local(
                self.template.display(),
                "the template cannot be read",
            ));
        };
        let parameter_values = self.parameter_values(template)?;
        let world = OfflineEnvironment(&templates);
        let stack = template::evaluate(template, &self.place(), &parameter_values, &world);
        let shown = template::evaluate(
            template,
            &self.place(),
            &parameter_values,
            &HidingSecrets(world),
        );
        let secrets = template::secrets(template, &parameter_values);
        let rendered = template::rendered(template, &stack, &shown, &secrets);
        match self.format {
            RenderFormat::Json => streams::print_line(format_args!("{rendered:#}")),
            RenderFormat::Yaml => streams::print(yaml::text(&rendered)),
        }
        for failure in &stack.failures {
            let failure = template::Failure {
                message: secrets.mask(&failure.message),
                ..failure.clone()
            };
            streams::tell(output::failure(&failure, &[]));
        }
        Ok(if stack.failures.is_empty() {
            ExitStatus::Passed
        } else {
            ExitStatus::Failed
        })
    }

    /// Returns the template and those that it nests, with its path in the project that contains it.
    fn templates(&self, given: Option<&StdinTemplate>) -> Result<(Templates, String), CliError> {
        let unreadable = |error| {
            CliError::local(
                format_args!("cannot read the template {}", self.template.display()),
                input::reason(&error),
            )
        };
        let path = given.map_or(self.template.as_path(), StdinTemplate::path);
        let file = path.canonicalize().map_err(unreadable)?;
        let folder = file.parent().unwrap_or(&file);
        let is_root = |folder: &&Path| config::project_file(folder).is_some();
        let mut above = folder.ancestors().filter(|_| given.is_none());
        let root = above.find(is_root).unwrap_or(folder);
        let relative = file
            .strip_prefix(root)
            .unwrap_or(&file)
            .to_string_lossy()
            .into_owned();
        let (templates, diagnostics) =
            Templates::load_following(root, self.follow_links, [(relative.clone(), None)]);
        if diagnostics.iter().any(|it| it.severity == Severity::Error) {
            return Err(CliError::Diagnostics(diagnostics));
        }
        output::diagnostics(&diagnostics);
        Ok((templates, relative))
    }

    /// Returns the parameters of the command line, and unknown values for those without a value.
    fn parameter_values(&self, template: &Template) -> Result<ParameterValues, CliError> {
        let declared = || {
            template
                .parameters
                .iter()
                .map(|parameter| parameter.key.as_str())
        };
        let undeclared = self
            .parameters
            .iter()
            .filter(|(key, _)| !declared().any(|declared| declared == key));
        let problems = undeclared.map(|(key, _)| {
            let message = format!(
                "--parameter {key}: {} does not declare it",
                self.template.display()
            );
            Diagnostic {
                help: did_you_mean(key, declared()),
                ..Diagnostic::error(message)
            }
        });
        let problems: Vec<_> = problems.collect();
        if !problems.is_empty() {
            return Err(CliError::Diagnostics(problems));
        }
        let missing = template
            .parameters
            .iter()
            .filter(|parameter| parameter.default.is_none())
            .map(|parameter| {
                let unknown = Unknown::asked(format!("parameter {}", parameter.key));
                (
                    parameter.key.clone(),
                    ParameterValue {
                        value: unknown.into(),
                        set: Vec::new(),
                    },
                )
            });
        let given = self.parameters.iter().map(|(key, value)| {
            let set = FailureNote {
                message: format!("parameter {key} is set by --parameter"),
                at: None,
                is_secret: false,
            };
            (
                key.clone(),
                ParameterValue {
                    value: Value::text(value),
                    set: vec![set],
                },
            )
        });
        Ok(missing.chain(given).collect())
    }

    fn place(&self) -> StackEnvironment {
        let partition = catalog::partition_of(&self.region);
        StackEnvironment::new(&self.region, partition.name, partition.dns_suffix)
    }
}
