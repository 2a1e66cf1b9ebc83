//! `test resume`: a run that was killed goes on.

use crate::project::Project;
use crate::servers::Kind;
use crate::simulator::Simulator;
use crate::taskcat::{Outcome, Running, Taskcat};

/// At 60 times AWS's speed the topic takes five seconds.
const SLOW: &str = "resources: [{type: AWS::SNS::Topic, takes: 5m}]\n";

fn server(project: &Project) -> Simulator {
    project.write("slow.yml", SLOW);
    Simulator::start(&[
        "--speed",
        "60",
        "--scenario",
        project.path().join("slow.yml").to_str().unwrap(),
    ])
}

fn begin(project: &Project, server: &Simulator) -> Running {
    let mut run = Taskcat::test_run_at(project, Kind::Simulator, &server.endpoint())
        .args(["-l"])
        .start();
    run.wait_until("the stack is followed", || {
        let path = project.path().join("taskcat_outputs/events.ndjson");
        std::fs::read_to_string(path)
            .unwrap_or_default()
            .contains("stack_event")
    });
    run
}

fn run_id(project: &Project) -> String {
    project.files(".taskcat/runs")[0]
        .trim_end_matches(".ndjson")
        .to_owned()
}

fn resume(project: &Project, server: &Simulator, id: &str) -> Outcome {
    Taskcat::at(project, &server.endpoint())
        .args(["test", "resume", "-r", "us-east-1", id])
        .run()
}

fn is_empty(project: &Project, server: &Simulator) {
    let list = Taskcat::at(project, &server.endpoint())
        .args(["test", "list", "-r", "us-east-1"])
        .run();
    list.assert_code(0)
        .assert_says("no stacks or buckets found");
    assert_eq!(list.stdout, "");
    assert!(project.files(".taskcat/runs").is_empty());
}

#[test]
fn a_killed_run_goes_on_from_its_journal() {
    let project = Project::copy_of("undeclared-parameter");
    let server = server(&project);
    let run = begin(&project, &server);
    let id = run_id(&project);
    let running = resume(&project, &server, &id);
    running
        .assert_code(2)
        .assert_says(&format!("the run {id} is still in progress"));
    run.signal("KILL");
    run.wait();
    let outcome = resume(&project, &server, &id);
    outcome.assert_code(0);
    assert_eq!(outcome.states(), ["topic/us-east-1 passed"]);
    let seqs: Vec<_> = outcome
        .events()
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
    let starts = outcome
        .events()
        .iter()
        .filter(|event| event["event"] == "run_started")
        .count();
    assert_eq!(starts, 1);
    let mut ids: Vec<_> = outcome
        .events()
        .iter()
        .filter_map(|it| Some(it["event_id"].as_str()?.to_owned()))
        .collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(
        ids.len(),
        all,
        "no event of CloudFormation is reported twice"
    );
    is_empty(&project, &server);
}

#[test]
fn without_a_journal_it_goes_on_by_tags() {
    let project = Project::copy_of("undeclared-parameter");
    let server = server(&project);
    let run = begin(&project, &server);
    let id = run_id(&project);
    run.signal("KILL");
    run.wait();
    for folder in [".taskcat", "taskcat_outputs"] {
        std::fs::remove_dir_all(project.path().join(folder)).unwrap();
    }
    let outcome = resume(&project, &server, &id);
    outcome.assert_code(0);
    assert_eq!(outcome.states(), ["topic/us-east-1 passed"]);
    is_empty(&project, &server);
    let again = resume(&project, &server, &id);
    again.assert_code(2).assert_says(&format!(
        "no journal, stack or bucket was found for run {id}"
    ));
}

/// Hooks get secrets that are written nowhere, so they can't be made up for.
#[test]
fn a_test_whose_posthooks_did_not_run_is_interrupted() {
    let project = Project::copy_of("undeclared-parameter");
    let hook = "    template: templates/topic.template.yaml\n    posthooks: [{type: script, \
        config: {command: 'true'}}]\n";
    project.replace(
        ".taskcat.yml",
        "    template: templates/topic.template.yaml\n",
        hook,
    );
    let server = server(&project);
    let run = begin(&project, &server);
    let id = run_id(&project);
    run.signal("KILL");
    run.wait();
    let outcome = resume(&project, &server, &id);
    outcome
        .assert_code(1)
        .assert_says("its update, checks or posthooks did not run");
    assert_eq!(outcome.states(), ["topic/us-east-1 interrupted"]);
    is_empty(&project, &server);
}
