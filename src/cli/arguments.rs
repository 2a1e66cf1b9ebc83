//! Parses the arguments as Python's argparse does for TaskCat: abbreviated options, and the flags
//! of all commands before and after a command.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};

use super::Cli;

/// The options of TaskCat 0.9.58 that another option here begins like. What is unambiguous in
/// TaskCat stays so: `test run --re` is `--regions` there.
const TASKCAT_OPTIONS: [(&str, &[&str]); 16] = [
    (
        "test run",
        &[
            "test-names",
            "regions",
            "input-file",
            "project-root",
            "no-delete",
            "lint-disable",
            "enable-sig-v2",
            "keep-failed",
            "output-directory",
            "minimal-output",
            "dont-wait-for-delete",
            "skip-upload",
        ],
    ),
    (
        "test retry",
        &[
            "config-file",
            "project-root",
            "no-delete",
            "keep-failed",
            "minimal-output",
            "dont-wait-for-delete",
        ],
    ),
    ("test list", &["profiles", "regions"]),
    ("test clean", &["aws-profile", "region", "wait-for-delete"]),
    (
        "upload",
        &[
            "config-file",
            "project-root",
            "enable-sig-v2",
            "bucket-name",
            "disable-lambda-packaging",
            "key-prefix",
            "dry-run",
            "object-acl",
            "exclude-prefix",
        ],
    ),
    ("lint", &["input-file", "project-root", "strict"]),
    (
        "package",
        &[
            "project-root",
            "source-folder",
            "zip-folder",
            "config-file",
            "from-ref",
            "to-ref",
        ],
    ),
    (
        "package-single",
        &[
            "project-root",
            "source-folder",
            "zip-folder",
            "from-ref",
            "to-ref",
            "name",
        ],
    ),
    (
        "deploy run",
        &["project", "test-names", "regions", "name", "input-file"],
    ),
    ("deploy list", &["profiles", "regions"]),
    ("list", &["profiles", "regions", "stack-type"]),
    (
        "delete",
        &[
            "aws-profile",
            "region",
            "no-verify",
            "stack-type",
            "wait-for-delete",
        ],
    ),
    (
        "generate-config",
        &[
            "output-file",
            "main-template",
            "user-email",
            "project-root",
            "aws-region",
            "replace",
        ],
    ),
    ("generate-iam-policy", &["output-file", "project-root"]),
    ("update-ami", &["project-root"]),
    ("config convert", &["project-root"]),
];

/// Parses the arguments of this process.
pub(super) fn parse() -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches()?;
    if names_redaction(&matches) {
        super::streams::redact();
    }
    Cli::from_arg_matches(&matches)
}

/// Returns whether output is to be redacted even if the arguments can't be parsed. After that,
/// the parsed arguments decide.
pub(super) fn may_name_redaction(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.any(|argument| {
        let text = argument.to_string_lossy();
        text.len() >= "--red".len() && "--redact".starts_with(&*text)
    })
}

fn names_redaction(matches: &ArgMatches) -> bool {
    let own = matches.try_get_one::<bool>("redact").ok().flatten();
    own == Some(&true)
        || matches
            .subcommand()
            .is_some_and(|(_, it)| names_redaction(it))
}

/// Returns the command line with everything that isn't declared beside the commands.
pub(super) fn command() -> Command {
    let mut root = Cli::command();
    let globals: Vec<Arg> = root
        .get_arguments()
        .filter(|it| it.is_global_set())
        .cloned()
        .collect();
    let commands = names(&root);
    for name in commands {
        root = root.mut_subcommand(&name, |it| completed(it, &name, &globals));
    }
    root
}

fn completed(mut command: Command, path: &str, globals: &[Arg]) -> Command {
    for name in names(&command) {
        let path = format!("{path} {name}");
        command = command.mut_subcommand(&name, |it| completed(it, &path, globals));
    }
    with_taskcat_abbreviations(without_taken_shorts(command, globals), path, globals)
}

fn names(command: &Command) -> Vec<String> {
    let names = command.get_subcommands().map(Command::get_name);
    names.map(str::to_owned).collect()
}

/// Leaves a short name to the command that has it for something else: `upload -d` is
/// `--disable-lambda-packaging`, as in TaskCat.
fn without_taken_shorts(command: Command, globals: &[Arg]) -> Command {
    let is_taken = |global: &&Arg| {
        let mut own = command.get_arguments();
        own.any(|it| it.get_short().is_some() && it.get_short() == global.get_short())
    };
    let taken: Vec<Arg> = globals.iter().filter(is_taken).cloned().collect();
    let longs = taken.into_iter().map(|it| it.short(None));
    command.args(longs)
}

fn with_taskcat_abbreviations(mut command: Command, path: &str, globals: &[Arg]) -> Command {
    let of_taskcat = TASKCAT_OPTIONS.iter().find(|(command, _)| *command == path);
    let Some((_, of_taskcat)) = of_taskcat else {
        return command;
    };
    let own = command.get_arguments().chain(globals);
    let mut longs: Vec<String> = own
        .filter_map(|it| it.get_long().map(str::to_owned))
        .collect();
    longs.sort();
    longs.dedup();
    let begin_with = |prefix: &str| longs.iter().filter(|it| it.starts_with(prefix)).count();
    for option in *of_taskcat {
        let arg = command
            .get_arguments()
            .find(|it| it.get_long() == Some(option));
        let Some(id) = arg.map(|it| it.get_id().clone()) else {
            continue;
        };
        let is_only_ours = |prefix: &&str| {
            let mut others = of_taskcat.iter().filter(|it| it != &option);
            begin_with(prefix) > 1
                && !longs.iter().any(|it| it == prefix)
                && !"help".starts_with(prefix)
                && !others.any(|it| it.starts_with(prefix))
        };
        let prefixes = (1..option.len()).filter_map(|end| option.get(..end));
        let ambiguous: Vec<&'static str> = prefixes.filter(is_only_ours).collect();
        command = command.mut_arg(id, |it| it.aliases(ambiguous));
    }
    command
}
