//! `taskcat report`: what a run wrote is written again from its events, to the byte.

use std::collections::BTreeMap;

use crate::project::Project;
use crate::taskcat::Taskcat;

/// Everything in a folder, by name.
fn files(project: &Project, folder: &str) -> BTreeMap<String, String> {
    let names = project.files(folder);
    names.into_iter().map(|name| (name.clone(), project.read(&format!("{folder}/{name}")))).collect()
}

fn report(project: &Project, args: &[&str]) -> crate::taskcat::Outcome {
    Taskcat::bare(project).args(["report"]).args(args.iter().copied()).run()
}

#[test]
fn every_file_is_written_again_to_the_byte() {
    let project = Project::copy_of("first-run");
    let run = ["test", "run", "--local", "-l", "--scenario", "broken.yml"];
    Taskcat::bare(&project).args(run).run().assert_code(1);
    let written = files(&project, "taskcat_outputs");
    assert!(written.len() == 4 + 6 && written["index.html"].contains("CREATE_FAILED"), "{:?}", written.keys());

    report(&project, &["taskcat_outputs/events.ndjson", "-o", "again"]).assert_code(0);
    let mut again = files(&project, "again");
    assert!(again.insert("events.ndjson".to_owned(), written["events.ndjson"].clone()).is_none());
    assert!(again == written, "{:?} {:?}", again.keys(), written.keys());

    // In place, where the run left them or somebody has lost them.
    std::fs::remove_file(project.path().join("taskcat_outputs/junit.xml")).unwrap();
    report(&project, &[]).assert_code(0);
    assert!(files(&project, "taskcat_outputs") == written);
}

#[test]
fn of_a_run_that_was_killed_it_shows_how_far_it_came() {
    let project = Project::copy_of("first-run");
    Taskcat::bare(&project).args(["test", "run", "--local", "-l"]).run().assert_code(0);
    let events = project.read("taskcat_outputs/events.ndjson");
    let half = &events[..events.len() / 2];
    project.write("taskcat_outputs/events.ndjson", half);
    report(&project, &["taskcat_outputs"]).assert_code(0);
    assert!(project.read("taskcat_outputs/report.json").contains("\"simulated\": true"));
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
    check(&["other.ndjson"], "other.ndjson:1: not an event of taskcat: ");
}
