//! Every wait of a run ends: time limits, the budget, `--max-fail`; and what AWS is to blame for is
//! tried again.

use std::time::Duration;

use crate::project::Project;
use crate::servers::Kind;
use crate::simulator::Simulator;
use crate::taskcat::Taskcat;

fn simulator(project: &Project, scenario: &str) -> Simulator {
    project.write("scenario.yml", scenario);
    Simulator::start(&[
        "--speed",
        "60",
        "--scenario",
        project.path().join("scenario.yml").to_str().unwrap(),
    ])
}

fn assert_nothing(project: &Project, server: &Simulator) {
    let list = Taskcat::at(project, &server.endpoint())
        .args(["test", "list", "-r", "us-east-1,eu-west-1"])
        .run();
    list.assert_code(0);
    assert_eq!(list.stdout, "");
}

fn run(project: &Project, server: &Simulator, args: &[&str]) -> crate::taskcat::Outcome {
    let run = Taskcat::test_run_at(project, Kind::Simulator, &server.endpoint()).args(["-l"]);
    run.args(args.iter().copied()).run()
}

#[test]
fn a_stack_that_never_settles_times_out() {
    let project = Project::copy_of("undeclared-parameter");
    let server = simulator(
        &project,
        "resources: [{type: AWS::SNS::Topic, takes: 9h}]\n",
    );
    let by_flag = run(
        &project,
        &server,
        &["--timeout", "2s", "--slow-after", "1s"],
    );
    by_flag
        .assert_code(1)
        .assert_says("timed out after 2s: the stack was still CREATE_IN_PROGRESS");
    by_flag.assert_says("the stack is still in progress after 1s");
    project.replace(
        ".taskcat.yml",
        "    parameters:",
        "    timeout: 3s\n    parameters:",
    );
    let by_key = run(&project, &server, &[]);
    by_key.assert_code(1).assert_says("timed out after 3s");
    assert_nothing(&project, &server);
    let wrong = run(&project, &server, &["--timeout", "soon"]);
    wrong
        .assert_code(2)
        .assert_says("expected a duration such as 30s, 5m or 1h30m, found `soon`");
}

#[test]
fn the_budget_leaves_time_to_clean_up() {
    let project = Project::copy_of("undeclared-parameter");
    let server = simulator(
        &project,
        "resources: [{type: AWS::SNS::Topic, takes: 9h}]\n",
    );
    let outcome = run(&project, &server, &["--budget", "10s"]);
    outcome
        .assert_code(1)
        .assert_says("interrupted to clean up within the time budget of 10s");
    outcome.assert_ended_within(Duration::from_secs(10));
    assert_eq!(outcome.states(), ["topic/us-east-1 interrupted"]);
    assert_nothing(&project, &server);
    // In CodeBuild the time counts from the start of the build.
    let start = std::time::SystemTime::now() - Duration::from_secs(3595);
    let start = start
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let late = Taskcat::test_run_at(&project, Kind::Simulator, &server.endpoint())
        .env("CODEBUILD_START_TIME", start.to_string())
        .env("TASKCAT_PROJECT_BUDGET", "1h")
        .args(["-l"])
        .run();
    late.assert_code(1)
        .assert_says("interrupted to clean up within the time budget of 1h");
    assert_nothing(&project, &server);
}

#[test]
fn a_hook_that_never_ends_is_killed() {
    let project = Project::copy_of("undeclared-parameter");
    let hook = "    prehooks: [{type: script, config: {command: sleep 600}}]\n    parameters:";
    project.replace(".taskcat.yml", "    parameters:", hook);
    let server = simulator(&project, "resources: []\n");
    let outcome = run(&project, &server, &["--hook-timeout", "1s"]);
    outcome
        .assert_code(1)
        .assert_says("the hook `script` timed out after 1s");
    assert_nothing(&project, &server);
}

#[test]
fn a_deletion_that_never_ends_is_given_up() {
    let project = Project::copy_of("undeclared-parameter");
    let server = simulator(
        &project,
        "resources: [{type: AWS::SNS::Topic, phase: delete, takes: 9h}]\n",
    );
    let outcome = run(&project, &server, &["--delete-timeout", "2s"]);
    outcome
        .assert_code(4)
        .assert_says("the stack was not deleted within 2s");
}

/// A deletion that fails once is tried again; one that always fails ends, with what is left.
#[test]
fn a_deletion_is_tried_again() {
    let project = Project::copy_of("undeclared-parameter");
    let once = "resources: [{type: AWS::SNS::Topic, phase: delete, fails: Internal Failure, until: \
        {attempts: 2}}]\n";
    let server = simulator(&project, once);
    run(&project, &server, &[]).assert_code(0);
    assert_nothing(&project, &server);

    let always = "resources: [{type: AWS::SNS::Topic, phase: delete, fails: It is stuck}]\n";
    let server = simulator(&project, always);
    let outcome = run(&project, &server, &[]);
    outcome
        .assert_code(4)
        .assert_says("not deleted: stack")
        .assert_says("test clean --yes");
    let forced = run(&project, &server, &["--force-delete"]);
    forced
        .assert_code(4)
        .assert_says("deleted by force, without these resources: Notices (AWS::SNS::Topic)");
}

/// What AWS is to blame for is tried again with a fresh stack, and every report says so.
#[test]
fn a_test_that_failed_for_lack_of_capacity_is_retried() {
    let project = Project::copy_of("undeclared-parameter");
    let fails = "Insufficient capacity.";
    let scenario = format!(
        "resources: [{{type: AWS::SNS::Topic, stack: 'tCaT-*', fails: '{fails}', until: \
         {{attempts: 1}}}}]\n"
    );
    let server = simulator(&project, &scenario);
    let outcome = run(&project, &server, &["--retries", "1"]);
    outcome
        .assert_code(0)
        .assert_says("attempt 1 failed, trying again")
        .assert_says("flaky");
    assert_eq!(outcome.states(), ["topic/us-east-1 passed"]);
    let cell = outcome.cell("topic", "us-east-1");
    assert_eq!(cell["attempts"].as_array().unwrap().len(), 1);
    assert!(outcome.output("junit.xml").contains("flakyFailure"));
    assert!(
        outcome
            .output("index.html")
            .contains("Flaky: passed on attempt 2")
    );
    assert_nothing(&project, &server);

    let server = simulator(
        &project,
        "resources: [{type: AWS::SNS::Topic, fails: Insufficient capacity.}]\n",
    );
    let outcome = run(&project, &server, &["--retries", "1"]);
    outcome.assert_code(1);
    assert_eq!(
        outcome.cell("topic", "us-east-1")["attempts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_nothing(&project, &server);

    // The template is to blame.
    let server = simulator(
        &project,
        "resources: [{type: AWS::SNS::Topic, fails: Invalid parameter}]\n",
    );
    let outcome = run(&project, &server, &["--retries", "1"]);
    outcome.assert_code(1);
    assert!(outcome.cell("topic", "us-east-1").get("attempts").is_none());
}

#[test]
fn failures_stop_the_run_where_that_is_wanted() {
    let project = Project::copy_of("undeclared-parameter");
    let tests = "tests:\n  slow: {template: templates/topic.template.yaml, parameters: \
        {DisplayName: slow}}\n  topic:";
    project.replace(".taskcat.yml", "tests:\n  topic:", tests);
    let scenario =
        "resources:\n  - {stack: '*-slow-*', takes: 9h}\n  - {stack: '*-topic-*', fails: Wrong}\n";
    let server = simulator(&project, scenario);
    for flags in [&["--fail-fast"] as &[&str], &["--max-fail", "1"]] {
        let outcome = run(&project, &server, flags);
        outcome
            .assert_code(1)
            .assert_says("interrupted because a test failed");
        assert_eq!(
            outcome.states(),
            ["slow/us-east-1 interrupted", "topic/us-east-1 failed"]
        );
        assert_nothing(&project, &server);
    }
}
