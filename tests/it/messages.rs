//! What the terminal says: normally, with `--minimal-output`, with `--quiet`.

use std::time::Duration;

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

tests_on!(both: quiet_says_what_failed_and_no_more, minimal_says_how_stacks_change);

fn run(kind: Kind, before: &[&str], after: &[&str]) -> Outcome {
    let server = Server::take(kind);
    let project = Project::copy_of("one-bad");
    let args = before.iter().copied().chain(["test", "run", "-l", "-e"]).chain(after.iter().copied());
    Taskcat::at(&project, &server.endpoint()).args(args).run()
}

fn quiet_says_what_failed_and_no_more(kind: Kind) {
    let outcome = run(kind, &["-q"], &[]);
    outcome.assert_code(1).assert_says("licensed").assert_says("eu-west-1").assert_says("license-of-the-service");
    outcome.assert_silent_about("open/").assert_silent_about("uploaded");
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
            lines.any(|line| line.contains("open") && line.contains(region) && line.contains("CREATE_COMPLETE"))
        };
        assert!(line(&outcome), "nothing of open in {region}:\n{}", outcome.stderr);
    }
    assert!(outcome.stderr.lines().count() <= normal.stderr.lines().count(), "{}", outcome.stderr);
    assert!(!normal.stderr.contains('\u{1b}') && !outcome.stderr.contains('\u{1b}'), "escape codes without a terminal");
}

#[test]
fn the_version_on_standard_output() {
    let project = Project::empty("nothing");
    for flag in ["--version", "-v"] {
        let outcome = Taskcat::without_credentials(&project).args([flag]).run();
        outcome.assert_code(0);
        assert!(outcome.stdout.trim().ends_with(env!("CARGO_PKG_VERSION")), "{}", outcome.stdout);
        assert_eq!(outcome.stderr, "");
        assert!(outcome.elapsed < Duration::from_secs(1), "{:?}", outcome.elapsed);
    }
}

#[test]
fn help_shows_the_exit_codes() {
    let project = Project::empty("nothing");
    let outcome = Taskcat::without_credentials(&project).args(["--help"]).run();
    outcome.assert_code(0);
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "130 "] {
        assert!(outcome.stdout.lines().any(|line| line.trim_start().starts_with(code)), "{}", outcome.stdout);
    }
    // TaskCat's short flags of `test run`.
    let outcome = Taskcat::without_credentials(&project).args(["test", "run", "--help"]).run();
    for flag in ["-t", "-r", "-i", "-p", "-n", "-l", "-e", "-k", "-o", "-m", "-d", "-s"] {
        assert!(outcome.stdout.contains(&format!("{flag}, --")), "{flag}\n{}", outcome.stdout);
    }
}
