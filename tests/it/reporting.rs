//! `taskcat report`: what a run wrote is written again from its events, to the byte; several
//! records become one report; and what every report is, by the schemas of those who read it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::project::Project;
use crate::servers::{support, venv};
use crate::taskcat::{Outcome, Taskcat};

/// Everything in a folder, by name.
fn files(project: &Project, folder: &str) -> BTreeMap<String, String> {
    let names = project.files(folder);
    names
        .into_iter()
        .map(|name| (name.clone(), project.read(&format!("{folder}/{name}"))))
        .collect()
}

fn report(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::bare(project)
        .args(["report"])
        .args(args.iter().copied())
        .run()
}

/// `taskcat test run --local` with these further arguments.
fn test_run(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::bare(project)
        .args(["test", "run", "--local", "-l"])
        .args(args.iter().copied())
        .run()
}

fn json(project: &Project, file: &str) -> Value {
    serde_json::from_str(&project.read(file)).unwrap()
}

#[test]
fn every_file_is_written_again_to_the_byte() {
    let project = Project::copy_of("first-run");
    test_run(&project, &["--scenario", "broken.yml"]).assert_code(1);
    let written = files(&project, "taskcat_outputs");
    assert!(
        written.len() == 4 + 6 && written["index.html"].contains("CREATE_FAILED"),
        "{:?}",
        written.keys()
    );

    report(&project, &["taskcat_outputs/events.ndjson", "-o", "again"]).assert_code(0);
    let again = files(&project, "again");
    assert!(again == written, "{:?} {:?}", again.keys(), written.keys());

    // In place, where the run left them or somebody has lost them.
    fs::remove_file(project.path().join("taskcat_outputs/junit.xml")).unwrap();
    report(&project, &[]).assert_code(0);
    assert!(files(&project, "taskcat_outputs") == written);
}

#[test]
fn of_a_run_that_was_killed_it_shows_how_far_it_came() {
    let project = Project::copy_of("first-run");
    test_run(&project, &[]).assert_code(0);
    let events = project.read("taskcat_outputs/events.ndjson");
    let half = &events[..events.len() / 2];
    project.write("taskcat_outputs/events.ndjson", half);
    report(&project, &["taskcat_outputs"]).assert_code(0);
    assert!(
        project
            .read("taskcat_outputs/report.json")
            .contains("\"simulated\": true")
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn shards_and_reruns_become_one_report() {
    let project = Project::copy_of("first-run");
    test_run(&project, &["-o", "one", "-t", "plain"]).assert_code(0);
    test_run(
        &project,
        &["-o", "two", "-t", "alarmed", "--scenario", "broken.yml"],
    )
    .assert_code(1);
    let merged = report(&project, &["two", "one", "-o", "whole"]);
    assert_eq!(
        (merged.code, merged.stdout.as_str()),
        (
            Some(0),
            "simulated: 3 failed, 3 passed; report: whole/index.html\n"
        )
    );
    let whole = json(&project, "whole/report.json");
    assert_eq!(whole["totals"]["cells"], 6, "{}", whole["totals"]);
    assert_eq!(whole["merged_runs"].as_array().unwrap().len(), 2);
    // The whole is a record too.
    report(&project, &["whole", "-o", "again"]).assert_code(0);
    assert!(files(&project, "whole") == files(&project, "again"));

    // The failed test once more: it passes, and what it did before is told.
    test_run(&project, &["-o", "three", "-t", "alarmed"]).assert_code(0);
    let merged = report(&project, &["one", "two", "three", "-o", "whole"]);
    assert_eq!(
        (merged.code, merged.stdout.as_str()),
        (Some(0), "simulated: 6 passed; report: whole/index.html\n")
    );
    let whole = json(&project, "whole/report.json");
    let failed = |cell: &&Value| cell["attempts"][0]["state"] == "failed";
    let attempts = whole["cells"]
        .as_array()
        .unwrap()
        .iter()
        .filter(failed)
        .count();
    assert!(attempts > 0 && whole["verdict"] == "passed");
    let junit = project.read("whole/junit.xml");
    assert_eq!(junit.matches("<flakyFailure ").count(), attempts, "{junit}");
    check_schemas(&project, &["one", "two", "three", "whole"]);

    // And once more: it fails again.
    test_run(
        &project,
        &["-o", "four", "-t", "alarmed", "--scenario", "broken.yml"],
    )
    .assert_code(1);
    report(&project, &["one", "two", "four", "-o", "whole"]).assert_code(0);
    let junit = project.read("whole/junit.xml");
    assert_eq!(junit.matches("<rerunFailure ").count(), attempts, "{junit}");
    check_schemas(&project, &["whole"]);
}

#[test]
fn parts_test_everything_once() {
    let project = Project::copy_of("first-run");
    let mut cells = Vec::new();
    for part in ["1/4", "2/4", "3/4", "4/4"] {
        let folder = part.replace('/', "-of-");
        test_run(&project, &["-o", &folder, "--partition", part]).assert_code(0);
        let report = json(&project, &format!("{folder}/report.json"));
        cells.push(report["cells"].as_array().unwrap().len());
    }
    assert_eq!(cells, [2, 2, 1, 1]);
    let merged = report(
        &project,
        &["1-of-4", "2-of-4", "3-of-4", "4-of-4", "-o", "whole"],
    );
    assert_eq!(
        (merged.code, merged.stdout.as_str()),
        (Some(0), "simulated: 6 passed; report: whole/index.html\n")
    );
    let whole = json(&project, "whole/report.json");
    assert!(
        whole["cells"]
            .as_array()
            .unwrap()
            .iter()
            .all(|cell| cell["attempts"].is_null()),
        "{whole}"
    );
    for wrong in ["0/4", "5/4", "1/0", "1", "a/b"] {
        test_run(&project, &["--partition", wrong])
            .assert_code(2)
            .assert_says("such as 2/4");
    }
}

/// Every output of the recorded runs is what readers of JUnit and the published schema take it for.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn recorded_runs_keep_to_the_schemas() {
    let project = Project::empty("recorded");
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/events");
    let mut folders = Vec::new();
    for entry in fs::read_dir(recorded).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("events.ndjson").is_file() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        report(&project, &[folder.to_str().unwrap(), "-o", &name]).assert_code(0);
        folders.push(name);
    }
    assert!(folders.len() >= 8, "{folders:?}");
    check_schemas(
        &project,
        &folders.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

fn check_schemas(project: &Project, folders: &[&str]) {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let checked = Command::new(venv("schemas").join("bin/python"))
        .arg(support("schemas.py"))
        .arg(schemas)
        .args(folders)
        .current_dir(project.path())
        .output()
        .unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn junit_holds_what_codebuild_takes() {
    let project = Project::empty("many");
    let recorded =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/events/launch-failed/events.ndjson");
    let text = fs::read_to_string(recorded).unwrap();
    // Each of its cells, one of which fails, 300 times.
    let mut lines: Vec<String> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let event: Value = serde_json::from_str(line).unwrap();
        if index == 0 {
            let mut started = event.clone();
            let cells = event["cells"].as_array().unwrap();
            let renamed = (0..300).flat_map(|number| {
                cells.iter().map(move |cell| {
                    let mut cell = cell.clone();
                    cell["region"] =
                        format!("{}-{number}", cell["region"].as_str().unwrap()).into();
                    cell
                })
            });
            started["cells"] = renamed.collect();
            lines.push(started.to_string());
        } else if event["cell"].is_object() {
            lines.extend((0..300).map(|number| {
                let mut event = event.clone();
                event["cell"]["region"] =
                    format!("{}-{number}", event["cell"]["region"].as_str().unwrap()).into();
                event.to_string()
            }));
        } else {
            lines.push(line.to_owned());
        }
    }
    project.write("events.ndjson", &(lines.join("\n") + "\n"));
    report(&project, &["events.ndjson"]).assert_code(0);
    let junit = project.read("junit.xml");
    assert_eq!(junit.matches("<testcase ").count(), 500);
    assert_eq!(junit.matches("<failure ").count(), 300);
    assert!(
        junit.contains("<property name=\"passed-and-left-out\" value=\"100\"/>"),
        "{}",
        &junit[..2000]
    );
    check_schemas(&project, &["."]);
}

#[test]
fn what_is_masked_is_masked_everywhere() {
    let account = "123456789012";
    let project = Project::copy_of("first-run");
    let run = test_run(&project, &["--redact", "--scenario", "broken.yml"]);
    run.assert_code(1);
    let bucket_of = |events: &str| -> String {
        let line = events
            .lines()
            .find(|line| line.contains("\"upload_started\""))
            .unwrap()
            .to_owned();
        serde_json::from_str::<Value>(&line).unwrap()["bucket"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let written = files(&project, "taskcat_outputs");
    assert_eq!(bucket_of(&written["events.ndjson"]), "bucket-1");
    for (name, text) in written
        .iter()
        .map(|(name, text)| (name.as_str(), text))
        .chain([("stderr", &run.stderr), ("stdout", &run.stdout)])
    {
        assert!(
            !text.contains(account) && !text.contains("tcat-"),
            "{name}: {text}"
        );
    }
    assert!(written["report.json"].contains("arn:aws:cloudformation:us-east-1:account-1:stack/"));
    // From its record it is the same again.
    report(&project, &["taskcat_outputs", "-o", "again"]).assert_code(0);
    assert!(files(&project, "again") == written);

    // A record that tells all is masked on its way into the report.
    test_run(&project, &[]).assert_code(0);
    let bucket = bucket_of(&project.read("taskcat_outputs/events.ndjson"));
    assert!(
        project
            .read("taskcat_outputs/report.json")
            .contains(account)
    );
    report(&project, &["taskcat_outputs", "--redact", "-o", "masked"]).assert_code(0);
    for (name, text) in files(&project, "masked") {
        assert!(
            !text.contains(account) && !text.contains(&bucket),
            "{name}: {text}"
        );
    }
}

#[test]
fn what_is_no_record_is_refused() {
    let project = Project::empty("nothing");
    let check = |args: &[&str], expect: &str| {
        report(&project, args).assert_code(2).assert_says(expect);
    };
    check(&[], "taskcat_outputs");
    project.write("empty.ndjson", "");
    check(&["empty.ndjson"], "empty.ndjson: no run is recorded there");
    project.write("other.ndjson", "{\"seq\": 1}\n");
    check(&["other.ndjson"], "other.ndjson:1: not a taskcat event: ");
    let recorded = |scenario: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/events")
            .join(scenario);
        path.to_str().unwrap().to_owned()
    };
    let (passing, failing) = (recorded("passing"), recorded("one-failed"));
    let text = fs::read_to_string(Path::new(&passing).join("events.ndjson")).unwrap();
    project.write(
        "second/events.ndjson",
        &text.replace("4f9a2c1e7b3d4e5f8a6b9c0d1e2f3a4b", "second"),
    );
    check(
        &[&failing, "second"],
        "several records need a directory for their report (-o DIR)",
    );
    check(
        &[&passing, &passing, "-o", "x"],
        "are records of the same run",
    );
    project.write(
        "other/events.ndjson",
        &text.replacen("\"project\":\"demo\"", "\"project\":\"another\"", 1),
    );
    check(&[&failing, "other", "-o", "x"], "no report can be of both");
}
