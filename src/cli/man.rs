//! `taskcat man`: the manual pages.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use super::error::{CliError, ExitStatus};
use super::paths::path;
use super::{arguments, streams};
use crate::input;
use crate::spelling::did_you_mean_one_of;

/// Print a manual page, or write all of them.
///
/// `taskcat man | man -l -` shows the page of the program, and `taskcat man test run | man -l -`
/// that of a command. `taskcat man -o ~/.local/share/man/man1` installs all pages.
#[derive(Args)]
pub(super) struct ManArgs {
    /// Command whose page to print [default: the program].
    #[arg(value_name = "COMMAND", conflicts_with = "output_directory")]
    command: Vec<String>,

    /// Write the pages of the program and all commands to this directory.
    #[arg(short, long, value_name = "DIR", value_parser = path())]
    output_directory: Option<PathBuf>,
}

impl ManArgs {
    pub(super) fn run(self) -> Result<ExitStatus, CliError> {
        let mut root = arguments::command();
        root.build();
        if let Some(folder) = &self.output_directory {
            fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
            write_all(&root, folder)?;
            return Ok(ExitStatus::Passed);
        }
        let mut command = &root;
        for name in &self.command {
            let found = command.find_subcommand(name);
            command = found.ok_or_else(|| unknown(command, name))?;
        }
        let page = page(command).map_err(|error| CliError::local("the manual page", error))?;
        streams::print(String::from_utf8_lossy(&page));
        Ok(ExitStatus::Passed)
    }
}

fn unknown(command: &Command, name: &str) -> CliError {
    let known: Vec<&str> = commands(command).map(Command::get_name).collect();
    let help = match known.as_slice() {
        [] => "it has no subcommands".to_owned(),
        known => did_you_mean_one_of(name, known),
    };
    let parent = command.get_bin_name().unwrap_or(command.get_name());
    CliError::Usage(format!("`{parent}` has no command `{name}`; {help}"))
}

/// Returns the subcommands that have a page.
fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    let is_shown = |it: &&Command| it.get_name() != "help" && !it.is_hide_set();
    command.get_subcommands().filter(is_shown)
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}

/// Returns the name of a page: `taskcat-test-run`.
fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn write_all(command: &Command, folder: &Path) -> Result<(), CliError> {
    let file = folder.join(format!("{}.1", page_name(command)));
    page(command)
        .and_then(|page| fs::write(&file, page))
        .map_err(|error| unwritten(&file, &error))?;
    commands(command).try_for_each(|it| write_all(it, folder))
}

fn unwritten(path: &Path, error: &io::Error) -> CliError {
    let reason = input::reason(error);
    CliError::unwritten(format_args!("cannot write {}: {reason}", path.display()))
}
