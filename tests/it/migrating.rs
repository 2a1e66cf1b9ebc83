//! `docs/migrating.md` lists every command and option of the Python TaskCat 0.9.58, and this program
//! has each of them, under the same name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::project::Project;
use crate::servers::venv;
use crate::taskcat::Taskcat;

/// The commands of TaskCat that have no subcommands.
const COMMANDS: [&str; 18] = [
    "config convert",
    "delete",
    "deploy list",
    "deploy run",
    "generate-config",
    "generate-iam-policy",
    "lint",
    "list",
    "package",
    "package-single",
    "test clean",
    "test list",
    "test resume",
    "test retry",
    "test run",
    "update-ami",
    "upload",
    "",
];

/// A command, and one of its options with its short form, or the name of an argument.
type Row = (String, BTreeSet<String>);

#[test]
fn every_listed_option_exists() {
    let project = Project::empty("migrating");
    let known = |command: &str| {
        let outcome = Taskcat::offline(&project)
            .args(command.split_whitespace())
            .args(["--help"])
            .run();
        outcome.assert_code(0);
        options(&outcome.stdout)
    };
    for command in COMMANDS {
        let known = known(command);
        for (_, names) in listed().iter().filter(|(listed, _)| listed == command) {
            let found = known.iter().any(|option| names.is_subset(option));
            // The name of an argument is free.
            let is_argument = !names.iter().any(|name| name.starts_with('-'));
            assert!(
                found || is_argument,
                "`{command}` lacks {names:?}: {known:?}"
            );
        }
    }
}

#[test]
fn every_row_says_what_differs() {
    for line in page().lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" |").map(str::trim).collect();
        let [_, _, verdict, notes] = cells[..] else {
            panic!("{line}");
        };
        assert!(["same", "better", "differs"].contains(&verdict), "{line}");
        assert!(verdict == "same" || !notes.is_empty(), "{line}");
    }
}

#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn every_option_of_taskcat_is_listed() {
    let project = Project::empty("migrating");
    let mut found = BTreeSet::new();
    for command in COMMANDS {
        let outcome = Taskcat::program(venv("taskcat").join("bin/taskcat"), &project)
            .with_python_tools()
            .env("COLUMNS", "200")
            .args(command.split_whitespace())
            .args(["--help"])
            .run();
        outcome.assert_code(0);
        let options = options(&outcome.stdout)
            .into_iter()
            .chain(arguments(&outcome.stdout))
            // Every command has it; the table lists it once.
            .filter(|names| command.is_empty() || !names.contains("--help"));
        found.extend(options.map(|names| (command.to_owned(), names)));
    }
    assert_eq!(listed(), found);
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/migrating.md");
    fs::read_to_string(path).unwrap()
}

/// The rows of the page's tables.
fn listed() -> BTreeSet<Row> {
    let page = page();
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let command = cells.next()?.trim_matches('`').to_owned();
        let names = cells.next().filter(|cell| cell.starts_with('`'))?;
        let names = names
            .split(", ")
            .map(|name| name.trim_matches('`').to_owned());
        Some((command, names.collect()))
    });
    rows.collect()
}

/// The options that a page of help lists, with their short and long forms.
fn options(help: &str) -> Vec<BTreeSet<String>> {
    let lines = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'));
    lines
        .map(|line| {
            let spelt = line.trim_start().split("  ").next().unwrap_or_default();
            let words = spelt.split([' ', ',', '=']);
            words
                .filter(|word| word.starts_with('-'))
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

/// The arguments that a page of Python's help lists.
fn arguments(help: &str) -> Vec<BTreeSet<String>> {
    let lines = help
        .lines()
        .skip_while(|line| *line != "positional arguments:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .map(|name| BTreeSet::from([name.to_owned()]))
        .collect()
}
