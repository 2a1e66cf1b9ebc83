//! Tests runs whose calls are throttled or refused, or whose responses are lost or late: the verdict
//! is right, and nothing is left behind.

use std::fmt::Write as _;
use std::time::Duration;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// Runs the project's only test, which passes without faults, and checks that nothing is left.
#[track_caller]
fn run(faults: &[&str], args: &[&str]) -> (Outcome, Proxy) {
    let server = Server::take(Kind::Simulator);
    let proxy = Proxy::with_faults(&server, faults);
    let project = Project::copy_of("undeclared-parameter");
    let run = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint()).args(["-l"]);
    let outcome = run.args(args.iter().copied()).run();
    server.standing(&REGIONS).assert_nothing();
    assert!(
        project.files(".taskcat/runs").is_empty(),
        "{faults:?}: {:?}",
        project.files(".taskcat/runs")
    );
    (outcome, proxy)
}

#[test]
fn creations_with_lost_answers_are_found_again() {
    for fault in [
        "CreateStack=after:cut*1",
        "CreateStack=after:internal*1",
        "CreateBucket=after:cut*1",
        "CreateBucket=after:internal*1",
        // Credentials may expire between two attempts.
        "CreateStack=after:cut*1 CreateStack=403:AccessDenied",
        "CreateBucket=after:cut*1 CreateBucket=403:AccessDenied",
    ] {
        let (outcome, _) = run(&fault.split(' ').collect::<Vec<_>>(), &[]);
        outcome.assert_code(0);
    }
}

#[test]
fn a_refused_creation_leaves_nothing_to_look_for() {
    let (outcome, proxy) = run(&["CreateStack=403:AccessDenied"], &[]);
    outcome
        .assert_code(1)
        .assert_says("AccessDenied")
        .assert_silent_about("may exist");
    assert_eq!(proxy.calls().count("CreateStack"), 1);
}

#[test]
fn resources_that_appear_late_are_awaited() {
    let (outcome, _) = run(&["hide:bucket=3", "hide:stack=3"], &[]);
    outcome
        .assert_code(0)
        .assert_silent_about("deleted by somebody else");
}

#[test]
fn an_unanswered_call_is_repeated() {
    for action in [
        "GetCallerIdentity",
        "CreateStack",
        "DescribeStackEvents",
        "PutObject",
        "DeleteStack",
    ] {
        let (outcome, proxy) = run(&[&format!("{action}=hang*1")], &["--call-timeout", "1s"]);
        outcome.assert_code(0);
        assert!(
            proxy.calls().count(action) >= 2,
            "{action} was not repeated"
        );
    }
}

#[test]
fn a_configured_limit_applies_to_calls() {
    let server = Server::take(Kind::Simulator);
    let proxy = Proxy::with_faults(&server, &["GetCallerIdentity=hang*1"]);
    let project = Project::copy_of("undeclared-parameter");
    project.replace(".taskcat.yml", "project:", "project:\n  call_timeout: 1s");
    let outcome = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome.assert_code(0);
    outcome.assert_ended_within(Duration::from_secs(30));
}

/// Many more simultaneous creations than the account may request: all wait for their turn.
#[test]
fn throttled_creations_succeed() {
    let server = Server::take(Kind::Simulator);
    let proxy = Proxy::with_faults(&server, &["CreateStack=rate:5"]);
    let project = Project::empty("throttled");
    project.write(
        "template.yml",
        "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n",
    );
    let mut tests = String::new();
    for number in 0..50 {
        writeln!(
            tests,
            "  t{number}: {{template: template.yml, regions: [us-east-1]}}"
        )
        .unwrap();
    }
    project.write(
        ".taskcat.yml",
        &format!("project: {{name: throttled}}\ntests:\n{tests}"),
    );
    let outcome = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome.assert_code(0);
    assert_eq!(
        outcome
            .states()
            .iter()
            .filter(|state| state.ends_with(" passed"))
            .count(),
        50
    );
    assert!(
        proxy.calls().count("CreateStack") > 50,
        "nothing was throttled"
    );
    server.standing(&REGIONS).assert_nothing();
}

/// A creation that is throttled for minutes doesn't delay an interruption.
#[test]
fn an_interruption_ends_the_wait_for_a_throttled_creation() {
    let server = Server::take(Kind::Simulator);
    let proxy = Proxy::with_faults(&server, &["CreateStack=throttle"]);
    let project = Project::copy_of("undeclared-parameter");
    let mut run = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .args(["-l"])
        .start();
    run.wait_until("the creation is throttled", || {
        proxy.calls().count("CreateStack") >= 2
    });
    run.signal("INT");
    let outcome = run.wait();
    outcome.assert_code(130);
    assert_eq!(outcome.states(), ["topic/us-east-1 interrupted"]);
    server.standing(&REGIONS).assert_nothing();
    assert!(project.files(".taskcat/runs").is_empty());
}
