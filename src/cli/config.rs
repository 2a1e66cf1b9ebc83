//! `taskcat config`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::AwsArgs;
use super::error::{CliError, ExitStatus};
use super::paths::path;
use super::project::CliProject;
use super::{output, streams};
use crate::{config, input};

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Print the effective configuration: files, overrides and environment merged.
    Show(ShowArgs),

    /// Convert ci/taskcat.yml and its overrides to .taskcat.yml and .taskcat_overrides.yml.
    Convert(ConvertArgs),
}

#[derive(Args)]
pub(super) struct ShowArgs {
    /// Configuration or template, relative to the project root.
    #[arg(short, long, default_value = "./.taskcat.yml", value_name = "FILE",
        value_parser = path())]
    input_file: PathBuf,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Output format.
    #[arg(short, long, value_enum, default_value_t = ShowFormat::Yaml)]
    format: ShowFormat,

    /// Show the file and line that each value comes from.
    #[arg(long)]
    origin: bool,
}

#[derive(Args)]
pub(super) struct ConvertArgs {
    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum ShowFormat {
    Yaml,
    Json,
}

impl ConfigCommand {
    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        match self {
            Self::Show(args) => args.run(aws),
            Self::Convert(args) => args.run(),
        }
    }
}

impl ShowArgs {
    fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        let project = CliProject::load(&self.project_root, &self.input_file, aws, Vec::new())?;
        output::diagnostics(&project.loaded.warnings);
        let text = match (self.origin, self.format) {
            (true, ShowFormat::Yaml) => config::show::with_origin(&project.loaded),
            (true, ShowFormat::Json) => config::show::json_with_origin(&project.loaded),
            (false, ShowFormat::Yaml) => config::show::yaml(&project.loaded),
            (false, ShowFormat::Json) => config::show::json(&project.loaded),
        };
        streams::print(text);
        Ok(ExitStatus::Passed)
    }
}

impl ConvertArgs {
    fn run(self) -> Result<ExitStatus, CliError> {
        let converted =
            config::legacy::convert(&self.project_root).map_err(CliError::Diagnostics)?;
        output::diagnostics(&converted.warnings);
        let files = [
            (".taskcat.yml", converted.yaml),
            (".taskcat_overrides.yml", converted.overrides),
        ];
        let mut existing = Vec::new();
        let mut is_written = false;
        for (name, text) in files
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
        {
            let target = self.project_root.join(name);
            // If both files exist, they were converted before, and may have been edited.
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&target);
            match file.and_then(|mut file| file.write_all(text.as_bytes())) {
                Ok(()) => {
                    is_written = true;
                    streams::tell(format_args!("wrote {}", target.display()));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    existing.push(format!("{} exists already", target.display()));
                }
                Err(error) => {
                    let reason = input::reason(&error);
                    return Err(CliError::unwritten(format_args!(
                        "cannot write {}: {reason}",
                        target.display()
                    )));
                }
            }
        }
        if !is_written {
            return Err(CliError::Usage(existing.join(", and ")));
        }
        existing.iter().for_each(|kept| output::warning(kept));
        Ok(ExitStatus::Passed)
    }
}
