//! `taskcat config`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::AwsArgs;
use super::error::{CliError, Exit};
use super::project::Project;
use super::{output, streams};
use crate::config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print the configuration as it is after every layer: files, overrides, environment.
    Show(Show),

    /// Write the legacy configuration (ci/taskcat.yml) in today's form, to .taskcat.yml.
    Convert(Convert),
}

#[derive(Args)]
pub(super) struct Show {
    /// Configuration or template, relative to the project root.
    #[arg(short, long, default_value = "./.taskcat.yml", value_name = "FILE")]
    input_file: PathBuf,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR")]
    project_root: PathBuf,

    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    format: Format,

    /// Say of each value which file and line it came from.
    #[arg(long)]
    origin: bool,
}

#[derive(Args)]
pub(super) struct Convert {
    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR")]
    project_root: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

impl Command {
    pub fn run(self, aws: &AwsArgs) -> Result<Exit, CliError> {
        match self {
            Self::Show(args) => args.run(aws),
            Self::Convert(args) => args.run(),
        }
    }
}

impl Show {
    fn run(self, aws: &AwsArgs) -> Result<Exit, CliError> {
        let project = Project::load(&self.project_root, &self.input_file, aws, Vec::new())?;
        output::diagnostics(&project.loaded.warnings);
        let text = match (self.origin, self.format) {
            (true, Format::Yaml) => config::show::with_origin(&project.loaded),
            (true, Format::Json) => config::show::json_with_origin(&project.loaded),
            (false, Format::Yaml) => config::show::yaml(&project.loaded),
            (false, Format::Json) => config::show::json(&project.loaded),
        };
        streams::print(text);
        Ok(Exit::Passed)
    }
}

impl Convert {
    fn run(self) -> Result<Exit, CliError> {
        let target = self.project_root.join(".taskcat.yml");
        let converted = config::legacy::convert(&self.project_root).map_err(CliError::Diagnostics)?;
        output::diagnostics(&converted.warnings);
        // Whoever has both files has converted before, and may have edited the result.
        let file = OpenOptions::new().write(true).create_new(true).open(&target);
        let written = file.and_then(|mut file| file.write_all(converted.yaml.as_bytes()));
        written.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => CliError::local(target.display(), error),
            _ => CliError::Unwritten(format!("{}: {error}", target.display())),
        })?;
        streams::tell(format_args!("wrote {}", target.display()));
        Ok(Exit::Passed)
    }
}
