//! What the terminal says: normally, with `--minimal-output`, with `--quiet`.

use std::time::Duration;

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

tests_on!(all: quiet_says_what_failed_and_no_more, minimal_says_how_stacks_change);

fn run(kind: Kind, before: &[&str], after: &[&str]) -> Outcome {
    let server = Server::take(kind);
    let project = Project::copy_of("one-bad");
    let args = before
        .iter()
        .copied()
        .chain(["test", "run", "-l", "-e", "--no-check"])
        .chain(after.iter().copied());
    Taskcat::at(&project, &server.endpoint()).args(args).run()
}

fn quiet_says_what_failed_and_no_more(kind: Kind) {
    let outcome = run(kind, &["-q"], &[]);
    outcome
        .assert_code(1)
        .assert_says("licensed")
        .assert_says("eu-west-1")
        .assert_says("license-of-the-service");
    outcome
        .assert_silent_about("open/")
        .assert_silent_about("uploaded");
    assert!(outcome.stderr.lines().count() <= 5, "{}", outcome.stderr);

    let outcome = run(kind, &["-q"], &["-t", "open"]);
    outcome.assert_code(0);
    assert!(outcome.stderr.lines().count() <= 1, "{}", outcome.stderr);
}

fn minimal_says_how_stacks_change(kind: Kind) {
    let outcome = run(kind, &[], &["-m"]);
    outcome.assert_code(1).assert_says("license-of-the-service");
    let normal = run(kind, &[], &[]);
    for region in ["us-east-1", "eu-west-1", "ap-southeast-2"] {
        let line = |outcome: &Outcome| {
            let mut lines = outcome.stderr.lines();
            lines.any(|line| {
                line.contains("open") && line.contains(region) && line.contains("CREATE_COMPLETE")
            })
        };
        assert!(
            line(&outcome),
            "nothing of open in {region}:\n{}",
            outcome.stderr
        );
    }
    assert!(
        outcome.stderr.lines().count() <= normal.stderr.lines().count(),
        "{}",
        outcome.stderr
    );
    assert!(
        !normal.stderr.contains('\u{1b}') && !outcome.stderr.contains('\u{1b}'),
        "escape codes without a terminal"
    );
}

/// On a terminal, which `script` of util-linux makes, the view lives: it moves the cursor, and
/// NO_COLOR takes the colours. ministack's stacks are in progress long enough to be seen. Elsewhere
/// than on Linux `script` takes other arguments.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs ministack; run tests/run.sh"]
fn a_terminal_shows_a_live_view() {
    let server = Server::take(Kind::Ministack);
    let project = Project::copy_of("one-bad");
    let on_terminal = |name: &str, value: &str| {
        let command = format!("{} test run -l --no-check", env!("CARGO_BIN_EXE_taskcat"));
        let run =
            Taskcat::program("script", &project).args(["-qec", command.as_str(), "/dev/null"]);
        let run = run
            .env("AWS_ENDPOINT_URL", server.endpoint())
            .env("TERM", "xterm-256color")
            .env(name, value);
        run.env("AWS_ACCESS_KEY_ID", "testing")
            .env("AWS_SECRET_ACCESS_KEY", "testing")
            .run()
    };
    let coloured = on_terminal("COLUMNS", "100");
    coloured.assert_code(1);
    for text in [
        "License (AWS::SSM::Parameter) CREATE_FAILED",
        "1 failed, 5 passed",
        "\u{1b}[31m",
    ] {
        assert!(
            coloured.stdout.contains(text),
            "no {text:?} in\n{}",
            coloured.stdout
        );
    }
    let plain = on_terminal("NO_COLOR", "1");
    plain.assert_code(1);
    assert!(!plain.stdout.contains("\u{1b}[31m"), "{}", plain.stdout);
    // Something was drawn over: the view has moved the cursor up or cleared a line.
    assert!(
        plain.stdout.contains("\u{1b}[2K") || plain.stdout.contains("\u{1b}[1A"),
        "{:?}",
        plain.stdout
    );
}

#[test]
fn the_version_on_standard_output() {
    let project = Project::empty("nothing");
    for flag in ["--version", "-v"] {
        let outcome = Taskcat::offline(&project).args([flag]).run();
        outcome.assert_code(0);
        assert!(
            outcome.stdout.trim().ends_with(env!("CARGO_PKG_VERSION")),
            "{}",
            outcome.stdout
        );
        assert_eq!(outcome.stderr, "");
        outcome.assert_ended_within(Duration::from_secs(1));
    }
}

#[test]
fn help_shows_the_exit_codes() {
    let project = Project::empty("nothing");
    let outcome = Taskcat::offline(&project).args(["--help"]).run();
    outcome.assert_code(0);
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "130 "] {
        assert!(
            outcome
                .stdout
                .lines()
                .any(|line| line.trim_start().starts_with(code)),
            "{}",
            outcome.stdout
        );
    }
    // TaskCat's short flags of `test run`.
    let outcome = Taskcat::offline(&project)
        .args(["test", "run", "--help"])
        .run();
    for flag in [
        "-t", "-r", "-i", "-p", "-n", "-l", "-e", "-k", "-o", "-m", "-d", "-s",
    ] {
        assert!(
            outcome.stdout.contains(&format!("{flag}, --")),
            "{flag}\n{}",
            outcome.stdout
        );
    }
}
