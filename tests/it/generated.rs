//! What taskcat prints for other programs: completions for shells, manual pages, JSON Schemas.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

fn offline(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::offline(project).args(args.iter().copied()).run()
}

/// Runs a program that reads a file in the project's directory.
#[track_caller]
fn program(project: &Project, program: &str, args: &[&str]) -> Output {
    let output = Command::new(program)
        .args(args)
        .current_dir(project.path())
        .env("HOME", project.home())
        .output();
    output.unwrap_or_else(|error| panic!("{program}: {error}"))
}

#[track_caller]
fn assert_silent_success(output: &Output) {
    let text = [output.stdout.clone(), output.stderr.clone()].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success() && text.is_empty(), "{text}");
}

#[test]
fn completions_know_commands_and_options() {
    let project = Project::empty("completions");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = offline(&project, &["completions", shell]);
        outcome.assert_code(0);
        for word in ["package-single", "output-directory", "completions"] {
            assert!(outcome.stdout.contains(word), "{shell}: {word}");
        }
    }
    offline(&project, &["completions", "tcsh"])
        .assert_code(2)
        .assert_says("[possible values: bash,");
    offline(&project, &["completions"])
        .assert_code(2)
        .assert_says("<SHELL>");
}

#[test]
fn bash_loads_the_completions() {
    let project = Project::empty("completions");
    project.write(
        "taskcat.bash",
        &offline(&project, &["completions", "bash"]).stdout,
    );
    let script = "set -u; . ./taskcat.bash; COMP_WORDS=(taskcat test re); COMP_CWORD=2; \
        COMPREPLY=(); _taskcat taskcat re test; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = program(&project, "bash", &["--norc", "-c", script]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.lines().any(|line| line == "resume"), "{text}");
}

/// zsh and fish are asked to parse the script and to complete with it.
#[test]
#[ignore = "needs zsh and fish; run tests/run.sh"]
fn zsh_and_fish_load_the_completions() {
    let project = Project::empty("completions");
    project.write(
        "_taskcat",
        &offline(&project, &["completions", "zsh"]).stdout,
    );
    assert_silent_success(&program(&project, "zsh", &["-f", "-n", "_taskcat"]));
    let script = "fpath=($PWD $fpath); autoload -U compinit; compinit -u -d ./dump; \
        print -r -- $_comps[taskcat]; autoload -U +X _taskcat && print loaded";
    let output = program(&project, "zsh", &["-f", "-c", script]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text, "_taskcat\nloaded\n", "{output:?}");

    project.write(
        "taskcat.fish",
        &offline(&project, &["completions", "fish"]).stdout,
    );
    assert_silent_success(&program(
        &project,
        "fish",
        &["--no-execute", "taskcat.fish"],
    ));
    let script = "source taskcat.fish; complete --do-complete 'taskcat test re'";
    let output = program(&project, "fish", &["--no-config", "-c", script]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.lines().any(|line| line.starts_with("resume")),
        "{text}"
    );
}

#[test]
fn manual_pages_are_written() {
    let project = Project::empty("manual");
    offline(&project, &["man", "-o", "man/man1"]).assert_code(0);
    let pages = project.files("man/man1");
    for page in [
        "taskcat.1",
        "taskcat-test-run.1",
        "taskcat-package-single.1",
    ] {
        assert!(pages.iter().any(|it| it == page), "{page}: {pages:?}");
    }
    let page = offline(&project, &["man", "test", "run"]);
    page.assert_code(0);
    assert_eq!(page.stdout, project.read("man/man1/taskcat-test-run.1"));
    assert!(page.stdout.contains("max\\-concurrency"), "{}", page.stdout);
    offline(&project, &["man", "test", "rn"])
        .assert_code(2)
        .assert_says("`taskcat test` has no command `rn`; did you mean `run`?");
    offline(&project, &["man", "plan", "x"])
        .assert_code(2)
        .assert_says("it has no subcommands");
    fs::write(project.path().join("file"), "").unwrap();
    offline(&project, &["man", "-o", "file/man1"]).assert_code(5);
}

/// mandoc checks what groff only formats.
#[test]
#[ignore = "needs mandoc; run tests/run.sh"]
fn mandoc_accepts_the_manual_pages() {
    let project = Project::empty("manual");
    offline(&project, &["man", "-o", "pages"]).assert_code(0);
    for page in project.files("pages") {
        let file = format!("pages/{page}");
        // Warnings are about style: roff has no date, and paragraphs follow each other.
        let output = program(&project, "mandoc", &["-T", "lint", "-W", "error", &file]);
        assert_silent_success(&output);
        let output = program(&project, "mandoc", &["-T", "utf8", &file]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("taskcat"),
            "{text}"
        );
    }
}

#[test]
fn schemas_are_printed_by_name() {
    let project = Project::empty("schemas");
    let mut ids = Vec::new();
    for name in ["config", "report", "plan", "lint", "scenario", "seed"] {
        let outcome = offline(&project, &["schema", name]);
        outcome.assert_code(0);
        let schema: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let id = schema["$id"].as_str().unwrap().to_owned();
        assert!(
            id.starts_with("urn:uuid:") && !ids.contains(&id),
            "{name}: {id}"
        );
        ids.push(id);
    }
    let of_config = offline(&project, &["schema", "config"]).stdout;
    assert_eq!(offline(&project, &["schema"]).stdout, of_config);
    offline(&project, &["schema", "reprot"])
        .assert_code(2)
        .assert_says("tip: a similar value exists: 'report'");
}
