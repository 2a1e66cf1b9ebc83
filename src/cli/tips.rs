//! Tips for arguments that clap doesn't know and has no suggestion for: a positional argument,
//! another tool's flag, an ambiguous abbreviation, or a misspelled short name.

use std::env;
use std::ffi::OsString;
use std::path::Path;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};

use super::arguments;
use crate::spelling::nearest;

/// Flags of other tools, and ours for them; the first one that the command has is suggested.
const OTHER_NAMES: [(&[&str], &[&str]); 7] = [
    (
        &["concurrency", "jobs", "parallel", "workers"],
        &["max-concurrency"],
    ),
    (
        &["config", "file", "template"],
        &["input-file", "config-file"],
    ),
    (&["cwd", "dir", "path", "root"], &["project-root"]),
    (
        &["out", "output", "report-dir"],
        &["output-directory", "format"],
    ),
    (&["no-lint", "skip-lint"], &["lint-disable"]),
    (&["bucket"], &["bucket-name"]),
    (&["verbose"], &["debug"]),
];

/// Subcommands of other tools, and ours for them.
const OTHER_COMMANDS: [(&[&str], &str); 3] = [
    (&["ls"], "list"),
    (&["delete", "rm", "remove", "destroy"], "clean"),
    (&["validate", "check"], "plan"),
];

/// Adds a tip to an error of clap that has none.
pub(super) fn with_tip(mut error: Error) -> Error {
    let mut root = arguments::command();
    root.build();
    let command = invoked(&root, env::args_os().skip(1));
    if let Some(tip) = ambiguity_tip(&error, command) {
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, tips(tip));
        return error;
    }
    // Clap suggests hidden aliases, too.
    if let Some(ContextValue::String(near)) = error.get(ContextKind::SuggestedArg)
        && find(command, near.trim_start_matches('-')).is_none()
    {
        error.remove(ContextKind::SuggestedArg);
    }
    let has_suggestion = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand].iter();
    if has_suggestion
        .into_iter()
        .any(|kind| error.get(*kind).is_some())
    {
        // A subcommand with this exact name elsewhere is a better tip than one with similar
        // letters.
        if let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand)
            && let Some(path) = elsewhere(given, &root)
        {
            let tip = format!("use '{} {path}'", root.get_name());
            error.remove(ContextKind::SuggestedSubcommand);
            error.insert(ContextKind::Suggested, tips(tip));
        }
        return error;
    }
    let tip = match error.kind() {
        ErrorKind::UnknownArgument => argument_tip(&error, command),
        ErrorKind::InvalidSubcommand => subcommand_tip(&error, &root, command),
        _ => None,
    };
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, tips(tip));
    }
    error
}

fn tips(tip: String) -> ContextValue {
    ContextValue::StyledStrs(vec![StyledStr::from(tip)])
}

/// Returns the options or commands that an abbreviation may mean, if there are several.
fn ambiguity_tip(error: &Error, command: &Command) -> Option<String> {
    let meant: Vec<String> = match error.kind() {
        ErrorKind::UnknownArgument => {
            let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else {
                return None;
            };
            let name = given.strip_prefix("--")?.split('=').next()?;
            let longs = command.get_arguments().filter_map(Arg::get_long);
            let meant = longs.filter(|long| long.starts_with(name));
            meant.map(|long| format!("'--{long}'")).collect()
        }
        ErrorKind::InvalidSubcommand => {
            let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand)
            else {
                return None;
            };
            let names = command.get_subcommands().map(Command::get_name);
            let meant = names.filter(|name| name.starts_with(given.as_str()));
            meant.map(|name| format!("'{name}'")).collect()
        }
        _ => return None,
    };
    (meant.len() > 1).then(|| format!("it is short for any of {}", meant.join(", ")))
}

/// Returns the innermost subcommand that the arguments name.
fn invoked(root: &Command, arguments: impl Iterator<Item = OsString>) -> &Command {
    let mut command = root;
    let mut is_value = false;
    for argument in arguments {
        match command.find_subcommand(&argument) {
            Some(found) if !is_value => command = found,
            _ => {}
        }
        let valued = [
            "--profile",
            "--endpoint-url",
            "--ca-bundle",
            "--mfa-code",
            "--call-timeout",
        ];
        is_value = valued.iter().any(|option| argument == *option);
    }
    command
}

fn argument_tip(error: &Error, command: &Command) -> Option<String> {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    if !given.starts_with('-') {
        return positional_tip(given, command);
    }
    let name = given
        .trim_start_matches('-')
        .split('=')
        .next()
        .unwrap_or_default();
    let flag = |name: &str| find(command, name);
    if let Some(format) = flag("format")
        && format
            .get_possible_values()
            .iter()
            .any(|value| value.get_name() == name)
    {
        return Some(format!("use '--format {name}'"));
    }
    if given.len() == 2 && !given.starts_with("--") {
        let is_meant = |short: char| name.chars().all(|c| c.eq_ignore_ascii_case(&short));
        let meant = command
            .get_arguments()
            .find(|arg| arg.get_short().is_some_and(is_meant));
        return meant.and_then(|arg| Some(format!("use '--{}'", arg.get_long()?)));
    }
    let others = OTHER_NAMES
        .iter()
        .find(|(others, _)| others.contains(&name))
        .map_or(&[][..], |(_, ours)| ours);
    if let Some(ours) = others.iter().find(|ours| flag(ours).is_some()) {
        return Some(format!("use '--{ours}'"));
    }
    let known = command.get_arguments().filter_map(Arg::get_long);
    nearest(name, known).map(|known| format!("a similar argument exists: '--{known}'"))
}

fn positional_tip(given: &str, command: &Command) -> Option<String> {
    let has = |name: &str| find(command, name).is_some();
    let path = Path::new(given);
    let is_region = given.split('-').count() >= 3 && given.ends_with(|c: char| c.is_ascii_digit());
    let flag = match () {
        () if path.is_dir() => "project-root",
        () if path.is_file() && has("config-file") => "config-file",
        () if path.is_file() || given.contains(['/', '.']) => "input-file",
        () if is_region && has("regions") => "regions",
        () => "test-names",
    };
    Some(if has(flag) {
        format!("use '--{flag} {given}'")
    } else {
        "this command takes only flags; '--help' lists them".to_owned()
    })
}

fn subcommand_tip(error: &Error, root: &Command, command: &Command) -> Option<String> {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let ours = OTHER_COMMANDS
        .iter()
        .find(|(others, _)| others.contains(&given.as_str()))
        .map(|(_, ours)| *ours);
    let meant = ours.unwrap_or(given);
    let own = || command.get_subcommands().map(Command::get_name);
    let exact = own().find(|name| *name == meant);
    let path = elsewhere(meant, root);
    match exact.or_else(|| nearest(meant, own()).filter(|_| path.is_none())) {
        Some(near) => Some(format!("a similar subcommand exists: '{near}'")),
        None => Some(format!("use '{} {}'", root.get_name(), path?)),
    }
}

/// Returns the path of a subcommand with this name: `test clean`.
fn elsewhere(name: &str, root: &Command) -> Option<String> {
    let nested = root
        .get_subcommands()
        .find(|parent| parent.find_subcommand(name).is_some());
    match nested {
        Some(parent) => Some(format!("{} {name}", parent.get_name())),
        None => Some(root.find_subcommand(name)?.get_name().to_owned()),
    }
}

fn find<'c>(command: &'c Command, long: &str) -> Option<&'c Arg> {
    command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(long))
}
