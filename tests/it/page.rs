//! `index.html` as a reader meets it: in a real browser, with and without scripts, by keyboard, in
//! the dark, on a phone and on paper.
//!
//! Runs are made here, by the real binary; `tests/python/page.py` opens their pages and holds them
//! against `report.json`. Pictures of each are left in `target/report-pages`, to be looked at.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::project::Project;
use crate::servers::{support, venv};
use crate::taskcat::Taskcat;

/// `tests/run.sh` finds it, or installs it.
fn chromium() -> PathBuf {
    std::env::var_os("CHROMIUM").map_or_else(|| "/usr/bin/chromium".into(), PathBuf::from)
}

/// Opens the page of a run that lies in a folder of the project.
#[track_caller]
fn open(project: &Project, folder: &str, scenario: &str, how: &[&str]) {
    assert!(
        chromium().exists(),
        "{} is missing, and without a browser the page cannot be tested: apt-get install chromium",
        chromium().display()
    );
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/report-pages")
        .join(scenario);
    let output = Command::new(venv("browser").join("bin/python"))
        .arg(support("page.py"))
        .args([project.path().join(folder), pictures])
        .args(how)
        .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"))
        .env("CHROMIUM", chromium())
        .output()
        .unwrap();
    let (out, error) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    print!("{out}");
    assert!(output.status.success(), "{scenario}: {error}");
}

/// The page of a recorded run under `fixtures/events`.
#[track_caller]
fn open_recorded(scenario: &str) {
    let project = Project::empty(scenario);
    let events = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/events")
        .join(scenario)
        .join("events.ndjson");
    Taskcat::bare(&project)
        .args(["report", events.to_str().unwrap(), "-o", "there"])
        .run()
        .assert_code(0);
    open(&project, "there", scenario, &[]);
}

#[test]
#[ignore = "needs a browser; run tests/run.sh"]
fn a_run_that_passed() {
    let project = Project::copy_of("first-run");
    Taskcat::bare(&project)
        .args(["test", "run", "--local", "-l"])
        .run()
        .assert_code(0);
    open(&project, "taskcat_outputs", "local-passed", &[]);
}

#[test]
#[ignore = "needs a browser; run tests/run.sh"]
fn a_run_that_failed() {
    let project = Project::copy_of("first-run");
    let run = ["test", "run", "--local", "-l", "--scenario", "broken.yml"];
    Taskcat::bare(&project).args(run).run().assert_code(1);
    open(&project, "taskcat_outputs", "local-failed", &[]);
    open_recorded("one-failed");
}

/// Two stacks down, with a place in a template, a value and a hint.
#[test]
#[ignore = "needs a browser; run tests/run.sh"]
fn a_nested_stack_that_failed() {
    let project = Project::copy_of("nested-fail");
    let reason = "API: sqs:CreateQueue You are not authorized to perform this operation.";
    project.write(
        "denied.yml",
        &format!("resources:\n  - logical_id: Orders\n    fails: \"{reason}\"\n"),
    );
    let run = ["test", "run", "--local", "-l", "--scenario", "denied.yml"];
    let cause = Taskcat::bare(&project)
        .args(run)
        .run()
        .assert_code(1)
        .cell("deep", "us-east-1")["root_cause"]
        .clone();
    assert_eq!(cause["path"], json!(["Middle", "Lowest", "Orders"]));
    assert_eq!(cause["source"]["template"], "templates/queue.template.yaml");
    assert!(
        cause["hint"].is_string() && !cause["parameters"].as_array().unwrap().is_empty(),
        "{cause:#}"
    );
    open(&project, "taskcat_outputs", "local-nested-failed", &[]);
}

#[test]
#[ignore = "needs a browser; run tests/run.sh"]
fn a_run_that_was_interrupted() {
    open_recorded("interrupted");
}

#[test]
#[ignore = "needs a browser; run tests/run.sh"]
fn a_run_that_left_something_behind() {
    open_recorded("delete-failed");
}

/// Several times, so that some stand in details that are open, and some in those that a script
/// opens.
#[test]
#[ignore = "needs a browser; run tests/run.sh"]
fn hostile_names_and_values_stay_text() {
    let project = Project::empty("hostile");
    let recorded =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/events/hostile/events.ndjson");
    let recorded = std::fs::read_to_string(recorded).unwrap();
    let mut record = Record::default();
    for line in recorded.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let copy = |number: usize, of: &Value| {
            let mut cell = of.clone();
            cell["test"] = format!("{}{number}", of["test"].as_str().unwrap()).into();
            cell
        };
        let copies = if event["cell"].is_object() { 6 } else { 1 };
        for number in 0..copies {
            let mut event = event.clone();
            if event["cell"].is_object() {
                event["cell"] = copy(number, &event["cell"]);
            } else if let Some(cell) = event.pointer("/cells/0").cloned() {
                event["cells"] = (0..6).map(|number| copy(number, &cell)).collect();
            }
            record.push(event);
        }
    }
    project.write("events.ndjson", &record.lines);
    Taskcat::bare(&project)
        .args(["report", "events.ndjson", "-o", "there"])
        .run()
        .assert_code(0);
    open(&project, "there", "hostile", &[]);
}

/// Tests don't time; what was measured is printed, and shown by `cargo test … -- --nocapture`.
#[test]
#[ignore = "needs a browser; run tests/run.sh"]
fn a_run_of_three_hundred_stacks() {
    let project = Project::empty("many");
    project.write("events.ndjson", &many(15, 20, 200));
    Taskcat::bare(&project)
        .args(["report", "events.ndjson", "-o", "there"])
        .run()
        .assert_code(0);
    open(&project, "there", "three-hundred", &["many"]);
}

/// A record of tests in regions, with as many events of CloudFormation's each; every eleventh or so
/// fails.
fn many(tests: usize, regions: usize, events: usize) -> String {
    let cells: Vec<Made> = (0..tests)
        .flat_map(|test| (0..regions).map(move |region| Made::new(test, region)))
        .collect();
    let mut record = Record::default();
    let resources: Vec<Value> = (0..events)
        .map(|at| json!({"line": 10 + 7 * at, "depends_on": depends_on(at)}))
        .collect();
    let resources: serde_json::Map<String, Value> = resources
        .into_iter()
        .enumerate()
        .map(|(at, it)| (format!("Resource{at}"), it))
        .collect();
    record.push(json!({
        "event": "run_started", "run_id": "4f9a2c1e7b3d4e5f8a6b9c0d1e2f3a4b", "taskcat_version": "0.1.0", "task": "test",
        "project": "landing-zone", "endpoint": null,
        "templates": [{"template": "templates/main.yaml", "resources": resources}],
        "cells": cells.iter().map(|cell| json!({
            "test": cell.test, "region": cell.region, "stack_name": cell.stack, "template": "templates/main.yaml",
            "account_id": "123456789012", "parameters": [{"key": "Environment", "value": "test"}],
        })).collect::<Vec<_>>(),
    }));
    cells
        .iter()
        .for_each(|cell| cell.record(events, &mut record));
    record.push(json!({
        "event": "run_finished", "passed": cells.iter().filter(|it| !it.fails).count(),
        "failed": cells.iter().filter(|it| it.fails).count(), "interrupted": 0, "left_behind": 0, "error": null,
    }));
    record.lines
}

fn depends_on(at: usize) -> Vec<String> {
    at.checked_sub(3)
        .map(|before| format!("Resource{before}"))
        .into_iter()
        .collect()
}

struct Made {
    test: String,
    region: String,
    stack: String,
    fails: bool,
}

impl Made {
    fn new(test: usize, region: usize) -> Self {
        let (fails, test, region) = (
            (test * 7 + region * 3).is_multiple_of(11),
            format!("test-{test}"),
            format!("xx-east-{region}"),
        );
        Self {
            stack: format!("tCaT-landing-zone-{test}-4f9a2c1e7b3d4e5f8a6b9c0d1e2f3a4b"),
            test,
            region,
            fails,
        }
    }

    /// The stack's own events, and three for each resource.
    fn record(&self, events: usize, record: &mut Record) {
        let stack_id = format!(
            "arn:aws:cloudformation:{}:123456789012:stack/{}/1",
            self.region, self.stack
        );
        let cell = json!({"test": self.test, "region": self.region});
        record.push(
            json!({"event": "stack_creating", "cell": cell, "stack_name": self.stack, "client_request_token": "t"}),
        );
        record.push(json!({"event": "stack_created", "cell": cell, "stack_id": stack_id}));
        let mut event = |number: usize, of: Option<usize>, status: &str, reason: Value| {
            let resource = of.map(|of| {
                (
                    format!("Resource{of}"),
                    format!("physical-{of}"),
                    "AWS::SSM::Parameter",
                )
            });
            let (logical, physical, kind) = resource.unwrap_or((
                self.stack.clone(),
                stack_id.clone(),
                "AWS::CloudFormation::Stack",
            ));
            record.push(json!({
                "event": "stack_event", "cell": cell, "event_id": format!("{logical}-{number}-{status}"),
                "stack_id": stack_id, "stack_name": self.stack, "depth": 0,
                "timestamp": format!("2026-11-02T10:{:02}:{:02}Z", number / 60, number % 60), "logical_id": logical,
                "physical_id": physical, "resource_type": kind, "status": status, "reason": reason,
            }));
        };
        event(0, None, "CREATE_IN_PROGRESS", json!("User Initiated"));
        for number in 1..events - 1 {
            let (of, step) = ((number - 1) / 3, (number - 1) % 3);
            let last = number + 3 >= events - 1 && step == 2;
            match step {
                0 => event(number, Some(of), "CREATE_IN_PROGRESS", Value::Null),
                1 => event(
                    number,
                    Some(of),
                    "CREATE_IN_PROGRESS",
                    json!("Resource creation Initiated"),
                ),
                _ if last && self.fails => {
                    event(
                        number,
                        Some(of),
                        "CREATE_FAILED",
                        json!("API: ssm:PutParameter You are not authorized"),
                    );
                }
                _ => event(number, Some(of), "CREATE_COMPLETE", Value::Null),
            }
        }
        let (status, outcome) = if self.fails {
            ("ROLLBACK_COMPLETE", "failed")
        } else {
            ("CREATE_COMPLETE", "passed")
        };
        event(events - 1, None, status, Value::Null);
        record.push(json!({"event": "stack_settled", "cell": cell, "status": status, "reason": null, "outputs": []}));
        record.push(
            json!({"event": "cell_finished", "cell": cell, "outcome": outcome, "reason": null}),
        );
        record.push(json!({"event": "stack_deleted", "cell": cell, "stack_id": stack_id}));
    }
}

#[derive(Default)]
struct Record {
    count: usize,
    lines: String,
}

impl Record {
    fn push(&mut self, mut event: Value) {
        self.count += 1;
        event["seq"] = self.count.into();
        // A hundred a second, so that a long record ends within the hour.
        let (seconds, part) = (self.count / 100, self.count % 100);
        event["at"] = format!(
            "2026-11-02T11:{:02}:{:02}.{part:02}Z",
            seconds / 60,
            seconds % 60
        )
        .into();
        writeln!(self.lines, "{event}").unwrap();
    }
}
