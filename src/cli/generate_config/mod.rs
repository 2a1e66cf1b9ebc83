//! `taskcat generate-config`, alias `init`: writes a configuration for a project's templates, and
//! predicts at once whether its tests would launch.
//!
//! - `discovery`: finds the templates of a project
//! - `questions`: asks on a terminal

mod discovery;
mod questions;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};

use super::error::{CliError, ExitStatus};
use super::paths::path;
use super::plan::PlanArgs;
use super::project::found_root;
use super::{AwsArgs, output, streams};
use crate::diagnostic::{Diagnostic, Severity};
use crate::input;
use crate::plan::{self, Suggestion, git};
use crate::template::{Template, Templates};
use crate::yaml;

/// The schema that TaskCat publishes, which has all keys of the generated file.
const SCHEMA: &str =
    "https://raw.githubusercontent.com/aws-ia/taskcat/main/taskcat/cfg/config_schema.json";

/// Write a .taskcat.yml for the templates of a project, and predict whether they would launch.
///
/// Without --main-template, every template in the project gets a test, except those that others
/// nest and those in git submodules. Parameters get pseudo-parameters that fit their names, types
/// and constraints: `$[taskcat_genaz_2]` for Availability Zones, `$[taskcat_genpass_16]` for
/// passwords, `$[taskcat_autobucket]` for the bucket of the project's files, and so on. Defaults of
/// the template are kept. Parameters that only you can know, such as the ID of a VPC, are listed
/// and, on a terminal, asked for.
///
/// Then runs `taskcat plan`, and exits with its code: 1 if a test would fail, 2 if a parameter of
/// every test still needs a value.
#[derive(Args)]
pub(super) struct GenerateConfigArgs {
    /// Configuration to write, relative to the project root.
    #[arg(short, long, default_value = ".taskcat.yml", value_name = "FILE", value_parser = path())]
    output_file: PathBuf,

    /// Template to test, relative to the project root [default: all that no other nests].
    #[arg(short, long, value_name = "FILE")]
    main_template: Option<String>,

    /// Email address of the owner.
    #[arg(
        short,
        long,
        value_name = "EMAIL",
        default_value = "noreply@example.com"
    )]
    user_email: String,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Region to test in.
    #[arg(short, long, value_name = "REGION", default_value = "us-east-1")]
    aws_region: String,

    /// Overwrite an existing configuration.
    #[arg(short, long, visible_alias = "force")]
    replace: bool,

    /// Don't ask, even on a terminal.
    #[arg(short, long)]
    yes: bool,
}

/// What is written.
struct NewConfig {
    name: String,
    owner: String,
    regions: Vec<String>,
    tests: Vec<NewTest>,
}

struct NewTest {
    name: String,
    template: String,
    parameters: Vec<(String, Suggestion)>,
}

impl GenerateConfigArgs {
    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        let root = found_root(&self.project_root)?;
        let target = root.join(&self.output_file);
        self.refuse_existing(&target)?;
        let templates = self.templates(&root)?;
        let mut config = self.config(&root, &templates);
        if !self.yes && io::stdin().is_terminal() && io::stderr().is_terminal() {
            questions::ask(&mut config, &templates)?;
        }
        if self.replace && input::is_given(&target) {
            output::warning(&format!("{} is overwritten", self.output_file.display()));
        }
        input::write_whole(&target, config.text().as_bytes()).map_err(|error| {
            let reason = input::reason(&error);
            CliError::unwritten(format_args!("cannot write {}: {reason}", target.display()))
        })?;
        streams::tell(format_args!("wrote {}", self.output_file.display()));
        config.note_unknown(&self.output_file);
        PlanArgs::of(self.project_root, self.output_file).run(aws)
    }

    /// Refuses to overwrite a configuration with content, as TaskCat does.
    fn refuse_existing(&self, target: &Path) -> Result<(), CliError> {
        let is_empty = target
            .metadata()
            .is_ok_and(|it| it.is_file() && it.len() == 0);
        if self.replace || is_empty || !input::is_given(target) {
            return Ok(());
        }
        let message = format!("{} exists already", self.output_file.display());
        let help = "pass --replace to overwrite it, or another file with --output-file";
        Err(CliError::Diagnostics(vec![
            Diagnostic::error(message).help(help),
        ]))
    }

    /// Reads the templates to test, with those that they nest.
    fn templates(&self, root: &Path) -> Result<Templates, CliError> {
        let asked = match &self.main_template {
            Some(template) => vec![template.clone()],
            None => discovery::templates(root)?,
        };
        let asked = asked.into_iter().map(|it| (it, None));
        let (templates, diagnostics) = Templates::load(root, asked);
        if diagnostics.iter().any(|it| it.severity == Severity::Error) {
            return Err(CliError::Diagnostics(diagnostics));
        }
        output::diagnostics(&diagnostics);
        Ok(templates)
    }

    fn config(&self, root: &Path, templates: &Templates) -> NewConfig {
        let folder = root.file_name().map(|it| it.to_string_lossy().into_owned());
        let name = git::repository_name(root).or(folder);
        let mut tests: Vec<NewTest> = Vec::new();
        for template in discovery::roots(templates) {
            let suggestions = plan::suggest(template, &self.aws_region, &|key| {
                let all = templates.iter();
                all.map(|it| it.selected_items(key))
                    .max()
                    .unwrap_or_default()
            });
            tests.push(NewTest {
                name: String::new(),
                template: template.relative.clone(),
                parameters: suggestions,
            });
        }
        name_tests(&mut tests);
        NewConfig {
            name: name.unwrap_or_else(|| "project".to_owned()),
            owner: self.user_email.clone(),
            regions: vec![self.aws_region.clone()],
            tests,
        }
    }
}

/// Names a single test as TaskCat does, and several after their files.
fn name_tests(tests: &mut [NewTest]) {
    if let [only] = tests {
        "default".clone_into(&mut only.name);
        return;
    }
    let mut taken: Vec<String> = Vec::new();
    for test in tests {
        let file = test.template.rsplit('/').next().unwrap_or_default();
        let stem = file.split('.').next().unwrap_or_default();
        let kept = stem
            .chars()
            .filter(|it| it.is_ascii_alphanumeric() || *it == '-');
        let stem: String = kept.collect();
        let stem = if stem.is_empty() {
            "test".to_owned()
        } else {
            stem
        };
        let mut name = stem.clone();
        for number in 2.. {
            if !taken.contains(&name) {
                break;
            }
            name = format!("{stem}-{number}");
        }
        taken.push(name.clone());
        test.name = name;
    }
}

impl NewConfig {
    fn text(&self) -> String {
        let mut tests = Map::new();
        for test in &self.tests {
            let values = test.parameters.iter().filter_map(|(key, suggestion)| {
                let Suggestion::Value(value) = suggestion else {
                    return None;
                };
                Some((key.clone(), Value::from(value.as_str())))
            });
            let parameters: Map<String, Value> = values.collect();
            let mut entry = Map::new();
            entry.insert("template".to_owned(), test.template.as_str().into());
            if !parameters.is_empty() {
                entry.insert("parameters".to_owned(), parameters.into());
            }
            tests.insert(test.name.clone(), entry.into());
        }
        let config = json!({
            "project": {"name": self.name, "owner": self.owner, "regions": self.regions},
            "tests": tests,
        });
        format!(
            "# yaml-language-server: $schema={SCHEMA}\n{}",
            yaml::text(&config)
        )
    }

    /// Names the parameters that still need a value.
    fn note_unknown(&self, file: &Path) {
        for test in &self.tests {
            let unknown: Vec<&str> = test
                .parameters
                .iter()
                .filter(|(_, suggestion)| *suggestion == Suggestion::Unknown)
                .map(|(key, _)| key.as_str())
                .collect();
            if !unknown.is_empty() {
                let message = format!(
                    "no value can be suggested for these parameters of {}: {}",
                    test.template,
                    unknown.join(", ")
                );
                let help = format!(
                    "set them in {} under `tests.{}.parameters`",
                    file.display(),
                    test.name
                );
                output::warning_with_help(&message, &help);
            }
        }
    }
}

/// Returns a test's template.
fn template_of<'t>(templates: &'t Templates, test: &NewTest) -> Option<&'t Template> {
    templates.get(&test.template)
}
