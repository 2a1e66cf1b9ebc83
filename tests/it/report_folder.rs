//! What a folder of reports says is of the run that wrote there last, and of no other.

use std::fs;

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

const REPORTS: [&str; 4] = ["index.html", "junit.xml", "report.json", "events.ndjson"];

fn local(project: &Project) -> Taskcat {
    Taskcat::offline(project).args([
        "test",
        "run",
        "--local",
        "-l",
        "-t",
        "plain",
        "-r",
        "us-east-1",
    ])
}

/// Every report says that the run did not start, and why.
#[track_caller]
fn assert_not_started(outcome: &Outcome, why: &str) {
    let files = outcome.outputs();
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["events.ndjson", "index.html", "junit.xml", "report.json"]
    );
    let report = outcome.report();
    assert_eq!(
        (&report["verdict"], &report["cells"]),
        (&"error".into(), &serde_json::json!([])),
        "{report:#}"
    );
    assert!(
        report["error"].as_str().unwrap().contains(why),
        "{report:#}"
    );
    assert!(
        files["junit.xml"].contains("errors=\"1\"") && files["junit.xml"].contains("<error "),
        "{}",
        files["junit.xml"]
    );
    assert!(
        files["index.html"].contains("The run stopped before its tests"),
        "the previous page is still there"
    );
}

#[test]
fn a_run_that_fails_before_it_starts_leaves_no_former_verdict() {
    let project = Project::copy_of("first-run");
    let pass = || {
        let outcome = local(&project).run();
        outcome.assert_code(0);
        assert!(
            outcome
                .outputs()
                .keys()
                .any(|name| name.ends_with("-cfnlogs.txt"))
        );
    };
    pass();
    // No credentials.
    let outcome = Taskcat::offline(&project).args(["test", "run", "-l"]).run();
    outcome.assert_code(3);
    assert_not_started(&outcome, "no credentials were found");
    pass();
    // A test that isn't there.
    let outcome = Taskcat::offline(&project)
        .args(["test", "run", "--local", "-t", "nowhere"])
        .run();
    outcome.assert_code(2);
    assert_not_started(&outcome, "nowhere");
    pass();
    // A configuration that is wrong.
    project.write(".taskcat.yml", "project: {nme: x}\n");
    let outcome = local(&project).run();
    outcome.assert_code(2);
    assert_not_started(&outcome, "nme");
    // The same page comes of its events.
    let page = outcome.output("index.html");
    Taskcat::offline(&project)
        .args(["report"])
        .run()
        .assert_code(0);
    assert_eq!(outcome.output("index.html"), page);
}

/// In a folder that the user chose, files of others stay.
#[test]
fn only_reports_are_deleted() {
    let project = Project::copy_of("first-run");
    let foreign = [
        ("index.html", "<p>my page</p>\n"),
        ("junit.xml", "<testsuites/>\n"),
        ("notes.txt", "mine\n"),
    ];
    foreign
        .iter()
        .for_each(|(name, text)| project.write(&format!("public/{name}"), text));
    project.write(".taskcat.yml", "project: {nme: x}\n");
    fs::create_dir(project.path().join("public/report.json")).unwrap();
    let outcome = local(&project).args(["-o", "public"]).run();
    outcome
        .assert_code(2)
        .assert_says("a report could not be written: cannot write public/report.json");
    assert_eq!(project.read("public/notes.txt"), "mine\n");
    assert!(project.path().join("public/report.json").is_dir());
}

/// A link among the reports leads to a file that is not the run's to write.
#[test]
fn no_link_is_followed() {
    let project = Project::copy_of("first-run");
    fs::create_dir(project.path().join("taskcat_outputs")).unwrap();
    let precious = project.path().with_file_name("precious");
    fs::write(&precious, "mine\n").unwrap();
    for name in REPORTS
        .iter()
        .copied()
        .chain(["index.html.partial", ".taskcat.lock"])
    {
        let link = project.path().join("taskcat_outputs").join(name);
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(&precious, link).unwrap();
        let outcome = local(&project).run();
        outcome.assert_code(if name == ".taskcat.lock" { 5 } else { 0 });
        assert_eq!(fs::read_to_string(&precious).unwrap(), "mine\n", "{name}");
    }
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let project = Project::copy_of("first-run");
    project.write("slow.yml", "resources: [{type: '*', takes: 10h}]\n");
    let mut first = local(&project).args(["--scenario", "slow.yml"]).start();
    let events = project.path().join("taskcat_outputs/events.ndjson");
    first.wait_until("its stack is in progress", || {
        fs::read_to_string(&events)
            .unwrap_or_default()
            .contains("CREATE_IN_PROGRESS")
    });
    for args in [&["test", "run", "--local", "-l"][..], &["report"]] {
        let second = Taskcat::offline(&project).args(args.iter().copied()).run();
        second
            .assert_code(2)
            .assert_says("another run writes its reports to ")
            .assert_says("taskcat_outputs (process ");
        second.assert_says("-o DIR");
    }
    local(&project).args(["-o", "other"]).run().assert_code(0);
    first.signal("INT");
    let first = first.wait();
    first.assert_code(130);
    assert_eq!(first.report()["verdict"], "interrupted");
    // The lock goes with the run.
    local(&project).run().assert_code(0);
    assert!(
        !project
            .path()
            .join("taskcat_outputs/.taskcat.lock")
            .exists()
    );
}
