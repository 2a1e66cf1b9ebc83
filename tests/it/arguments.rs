//! Arguments as TaskCat takes them: abbreviated options, the flags of all commands after a command,
//! no arguments.

use std::process::Command;

use serde_json::Value;

use crate::project::Project;
use crate::servers::{support, venv};
use crate::taskcat::{Outcome, Taskcat};

fn offline(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::offline(project).args(args.iter().copied()).run()
}

#[test]
fn without_arguments_the_help_is_printed() {
    let project = Project::empty("help");
    let outcome = offline(&project, &[]);
    outcome.assert_code(0);
    assert_eq!(outcome.stdout, offline(&project, &["-h"]).stdout);
    assert_eq!(outcome.stderr, "");
    // A command without its subcommand is an error, as in TaskCat.
    offline(&project, &["test"])
        .assert_code(2)
        .assert_says("Usage: taskcat test");
}

#[test]
fn options_and_commands_can_be_abbreviated() {
    let project = Project::copy_of("undeclared-parameter");
    let root = project.path();
    let root = root.to_str().unwrap();
    let check = |args: &[&str]| _ = offline(&project, args).assert_code(0);
    check(&["plan", "--proj", root, "--test-n", "ALL", "--lint"]);
    check(&["plan", &format!("--project={root}"), "--lint"]);
    check(&["conf", "show", "--form", "json"]);
    check(&["test", "run", "--local", "--lint", "--re", "ALL"]);
    check(&["--qui", "plan", "-l"]);

    let check = |args: &[&str], tip: &str| {
        offline(&project, args)
            .assert_code(2)
            .assert_says(&format!("tip: {tip}"));
    };
    check(
        &["plan", "--c"],
        "it is short for any of '--changed-since', '--check', '--ca-bundle', '--call-timeout'",
    );
    check(
        &["test", "r"],
        "it is short for any of 'run', 'resume', 'retry'",
    );
}

/// Where a command has the same short name for something else, it means that, as in TaskCat.
#[test]
fn the_flags_of_all_commands_are_taken_after_the_command_too() {
    let project = Project::copy_of("undeclared-parameter");
    let run = |args: &[&str]| {
        let run = ["test", "run", "--local", "-l"];
        let outcome = offline(&project, &[&run[..], args].concat());
        outcome.assert_code(0);
        outcome
    };
    for quiet in ["-q", "--quiet"] {
        run(&[quiet]).assert_silent_about("CREATE_COMPLETE");
    }
    run(&[]).assert_says("CREATE_COMPLETE");
    run(&["--debug"]).assert_says("CreateStack");
    run(&["-d"])
        .assert_says("deletion requested, not awaited")
        .assert_silent_about("DEBUG");
    offline(&project, &["plan", "-d"]).assert_code(0);
    for args in [
        &["-q", "plan", "-d"][..],
        &["plan", "--quiet", "--debug"],
        &["-q", "-d", "plan"],
    ] {
        offline(&project, args)
            .assert_code(2)
            .assert_says("'--quiet' cannot be used with '--debug'");
    }
    let outcome = offline(&project, &["test", "list", "--profile", "nobody"]);
    outcome.assert_code(3).assert_says("`nobody`");
}

/// An abbreviated `--redact` masks as the whole one does, and other abbreviations don't.
#[test]
fn an_abbreviated_redact_is_honoured() {
    let project = Project::copy_of("first-run");
    for (flag, is_masked) in [("--red", true), ("--reda", true), ("--retries=0", false)] {
        let args = ["test", "run", "--local", "-l", "-t", "plain", "-n", flag];
        let outcome = offline(&project, &args);
        outcome.assert_code(0);
        let text = [outcome.stderr.clone(), outcome.output("report.json")].concat();
        assert_eq!(!text.contains("123456789012"), is_masked, "{flag}: {text}");
    }
}

/// Every abbreviation that argparse takes for an option of TaskCat means the same option here.
#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn every_abbreviation_of_the_python_taskcat_is_taken() {
    let project = Project::empty("abbreviations");
    let python = Command::new(venv("taskcat").join("bin/python"))
        .arg(support("taskcat_options.py"))
        .output()
        .unwrap();
    let pages: Vec<Value> = serde_json::from_slice(&python.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&python.stderr)));
    let mut checked = 0;
    for page in pages {
        let command = page["command"].as_array().unwrap().iter();
        let command: Vec<&str> = command.map(|it| it.as_str().unwrap()).collect();
        let help = offline(&project, &[&command[..], &["--help"]].concat());
        if help.code != Some(0) {
            continue;
        }
        for (option, abbreviations) in page["abbreviations"].as_object().unwrap() {
            if ["--help", "--version"].contains(&option.as_str())
                || !help.stdout.contains(&format!("{option} "))
                    && !help.stdout.contains(&format!("{option}\n"))
            {
                continue;
            }
            for abbreviation in abbreviations.as_array().unwrap() {
                let abbreviation = abbreviation.as_str().unwrap();
                // An unknown value of a known option, or a value that a flag doesn't take.
                let takes_value = page["takes_value"][option] == true;
                let given = if takes_value {
                    vec![abbreviation, "1/0", "--no-such-option"]
                } else {
                    vec![abbreviation, "--no-such-option"]
                };
                let outcome = offline(&project, &[&command[..], &given].concat());
                outcome
                    .assert_code(2)
                    .assert_says("'--no-such-option'")
                    .assert_silent_about(&format!("'{abbreviation}'"));
                checked += 1;
            }
        }
    }
    assert!(checked > 200, "only {checked} abbreviations were checked");
}
