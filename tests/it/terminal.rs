//! A run at a terminal, and what people ask of one that is under way: `tests/python/terminal.py`
//! is the terminal.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::project::Project;
use crate::taskcat::Taskcat;

const RUN: [&str; 6] = ["test", "run", "--local", "-l", "--speed", "10"];
/// Functions take ten seconds of ours, in which there is time to ask, however busy the machine is.
const SLOW: [&str; 8] = [
    "test",
    "run",
    "--local",
    "-l",
    "--speed",
    "30",
    "--scenario",
    "slow.yml",
];
const SLOW_FUNCTIONS: &str = "resources: [{type: AWS::Lambda::Function, takes: 5m}]\n";
/// That a stack is in progress stands in the line of the live view that counts.
const UNDER_WAY: &str = "wait=6 creating";

/// What came of `taskcat test run` at a terminal of this size.
fn at_terminal(size: &str, variables: &[(&str, &str)], args: &[&str], actions: &[&str]) -> Value {
    let project = Project::copy_of("first-run");
    project.write("slow.yml", SLOW_FUNCTIONS);
    on_terminal(&project, size, variables, args, actions)
}

/// The program in the project's folder, on a terminal at which things are done; what came of it, as
/// `terminal.py` tells.
pub fn on_terminal(
    project: &Project,
    size: &str,
    variables: &[(&str, &str)],
    args: &[&str],
    actions: &[&str],
) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/terminal.py");
    let mut command = Command::new("python3");
    command
        .current_dir(project.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .env("TERM", "xterm-256color")
        .envs(variables.iter().copied());
    command
        .args([script, size, env!("CARGO_BIN_EXE_taskcat")])
        .args(args)
        .arg("--")
        .args(actions);
    let output = command.output().expect("python3 is there");
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"))
}

/// What calls to AWS need in that environment.
pub fn for_aws(endpoint: &str) -> [(&str, &str); 4] {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
    ]
}

/// The settings of the terminal are those of the shell again, and were others while the run went
/// on.
#[track_caller]
fn assert_given_back(end: &Value, code: i32) {
    assert_eq!(end["code"], code, "{end:#}");
    assert_eq!(end["after"], true, "the terminal is not as it was: {end:#}");
    assert!(
        end["raw"].as_array().unwrap().iter().all(|raw| raw == true),
        "keys don't come one by one: {end:#}"
    );
}

#[track_caller]
fn assert_shows_state(text: &str) {
    let (_, state) = text
        .split_once("the status of every stack:")
        .unwrap_or_else(|| panic!("no state:\n{text}"));
    let lines: Vec<&str> = state.lines().collect();
    for cell in ["plain    us-east-1", "alarmed  ap-southeast-2"] {
        let line = lines
            .iter()
            .find(|line| line.contains(cell))
            .unwrap_or_else(|| panic!("no {cell}:\n{text}"));
        assert!(
            line.contains("CREATE_IN_PROGRESS") && line.contains("/"),
            "{line}"
        );
    }
    let nested = lines
        .iter()
        .find(|line| line.trim_start().starts_with("Network"))
        .unwrap();
    assert!(nested.contains("CREATE_"), "{nested}");
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_key_shows_the_state_of_every_stack() {
    let end = at_terminal(
        "24x100",
        &[],
        &SLOW,
        &[
            UNDER_WAY,
            "wait=waiting for Greet",
            "raw",
            "type=s",
            "wait=Network",
        ],
    );
    assert_given_back(&end, 0);
    assert_shows_state(end["output"].as_str().unwrap());
    assert_eq!(end["raw"].as_array().unwrap().len(), 1);
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_terminal_is_given_back_however_the_run_ends() {
    assert_given_back(
        &at_terminal("24x100", &[], &RUN, &[UNDER_WAY, "raw", "type=^C"]),
        130,
    );
    assert_given_back(
        &at_terminal(
            "24x100",
            &[],
            &RUN,
            &[UNDER_WAY, "raw", "type=^C", "wait=interrupted", "type=^C"],
        ),
        130,
    );
    assert_given_back(
        &at_terminal("24x100", &[], &RUN, &[UNDER_WAY, "raw", "signal=TERM"]),
        130,
    );
    assert_given_back(
        &at_terminal("24x100", &[], &RUN, &[UNDER_WAY, "raw", "type=^\\"]),
        131,
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_terminal_is_the_shells_while_the_run_is_stopped_or_in_the_background() {
    let end = at_terminal(
        "24x100",
        &[],
        &RUN,
        &[
            UNDER_WAY,
            "raw",
            "type=^Z",
            "wait=passed",
            "wait=deleting",
            "raw",
        ],
    );
    assert_given_back(&end, 0);
    assert_eq!(end["stopped"], serde_json::json!([true, true]), "{end:#}");
    assert_eq!(
        end["raw"].as_array().unwrap().len(),
        2,
        "the key is listened to again"
    );
}

/// Keys belong to the live view: elsewhere the terminal is left alone.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn without_a_live_view_the_terminal_is_left_alone() {
    for (before, after) in [(vec!["-d"], vec![]), (vec![], vec!["-m"])] {
        let args = [before, RUN.to_vec(), after].concat();
        let end = at_terminal("24x100", &[], &args, &["wait=CREATE_IN_PROGRESS", "raw"]);
        assert_eq!(
            (&end["code"], &end["after"]),
            (&0.into(), &true.into()),
            "{end:#}"
        );
        assert_eq!(end["raw"], serde_json::json!([false]), "{args:?}");
    }
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn small_terminals_and_no_colour() {
    for (size, variables) in [("8x40", vec![("NO_COLOR", "1")]), ("24x60", vec![])] {
        let end = at_terminal(
            size,
            &variables,
            &RUN,
            &[UNDER_WAY, "size=10x50", "wait=passed", "type=s"],
        );
        assert_given_back(&end, 0);
        let output = end["output"].as_str().unwrap();
        assert!(output.contains("6 passed"), "{output}");
        assert_eq!(
            output.contains("\u{1b}[32m"),
            variables.is_empty(),
            "{output}"
        );
    }
}

#[test]
fn a_signal_shows_the_state_of_every_stack() {
    let project = Project::copy_of("first-run");
    project.write("slow.yml", SLOW_FUNCTIONS);
    let mut run = Taskcat::bare(&project).args(SLOW).start();
    run.wait_until("nested stacks are in progress", || {
        let events = std::fs::read_to_string(project.path().join("taskcat_outputs/events.ndjson"))
            .unwrap_or_default();
        events.matches("\"logical_id\":\"Greet\"").count() >= 6
    });
    run.signal("USR1");
    let outcome = run.wait();
    outcome.assert_code(0);
    assert_shows_state(&outcome.stderr);
    assert_eq!(
        outcome.stderr.matches("the status of every stack:").count(),
        1
    );
    outcome.assert_ended_within(Duration::from_secs(30));
}
