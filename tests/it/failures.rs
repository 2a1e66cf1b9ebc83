//! A cell that fails fails alone, and everything that a user reads says why.

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::simulator::Simulator;
use crate::taskcat::{Outcome, Taskcat};

tests_on!(all: one_bad_cell_of_six_fails_alone, a_denied_region_fails_alone, throttling_is_waited_out);

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

const ONE_FAILED: [&str; 6] = [
    "open/us-east-1 passed",
    "open/eu-west-1 passed",
    "open/ap-southeast-2 passed",
    "licensed/us-east-1 passed",
    "licensed/eu-west-1 failed",
    "licensed/ap-southeast-2 passed",
];

/// The words of each server for an import that nobody exports. ministack fails the resource while
/// the stack is created, moto refuses the launch. CloudFormation, and so the simulator, accepts it
/// and fails the stack as a whole.
fn reason(kind: Kind) -> &'static str {
    match kind {
        Kind::Ministack => "Export 'license-of-the-service' not found",
        Kind::Moto | Kind::Simulator => "No export named license-of-the-service found.",
    }
}

fn one_bad_cell_of_six_fails_alone(kind: Kind) {
    let server = Server::take(kind);
    let project = Project::copy_of("one-bad");
    // A check before the launch would find the missing export.
    let outcome = Taskcat::test_run(&project, &server)
        .args(["-l", "--no-check"])
        .run();
    outcome.assert_code(1);
    assert_eq!(outcome.states(), ONE_FAILED);
    assert_reason_everywhere(&outcome, "licensed", "eu-west-1", reason(kind));
    let html = outcome.output("index.html");
    // The string that existing buildspecs look for stands there only if a stack really got that
    // status.
    assert_eq!(html.contains("CREATE_FAILED"), kind != Kind::Moto);
    let standing = server.standing(&REGIONS);
    assert!(standing.buckets.is_empty(), "{standing:#?}");
    match kind {
        Kind::Ministack | Kind::Simulator => standing.assert_nothing(),
        // moto keeps a stack whose launch it refused, in CREATE_IN_PROGRESS; AWS makes none.
        Kind::Moto => assert_eq!(standing.stacks.len(), 1, "{standing:#?}"),
    }
}

/// A server that dies in the middle is an error like any other: the run ends, says why, and names
/// what it had to leave.
#[test]
fn a_server_that_dies_is_the_reason() {
    let server = Simulator::start(&["--speed", "1"]);
    let project = Project::copy_of("first-run");
    let mut run = Taskcat::at(&project, &server.endpoint())
        .args(["test", "run", "-l", "-t", "plain", "-r", "us-east-1"])
        .start();
    run.wait_until("the stack is followed", || {
        let events = std::fs::read_to_string(project.path().join("taskcat_outputs/events.ndjson"))
            .unwrap_or_default();
        events.contains("CREATE_IN_PROGRESS")
    });
    drop(server);
    let outcome = run.wait();
    outcome
        .assert_code(1)
        .assert_says("not deleted: stack")
        .assert_says("Connection refused");
    let cause = outcome.cell("plain", "us-east-1")["root_cause"]["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(cause.contains("the stack cannot be followed"), "{cause}");
}

/// The same words in the terminal, `report.json`, `junit.xml`, `index.html` and the log of the
/// cell's stack.
#[track_caller]
fn assert_reason_everywhere(outcome: &Outcome, test: &str, region: &str, reason: &str) {
    outcome.assert_says(reason);
    let cell = outcome.cell(test, region);
    assert_eq!(cell["state"], "failed");
    assert!(
        cell["root_cause"]["text"]
            .as_str()
            .unwrap()
            .contains(reason),
        "{cell:#}"
    );
    let log = format!(
        "{}-{region}-cfnlogs.txt",
        cell["stack_name"].as_str().unwrap()
    );
    for (file, escaped) in [
        ("junit.xml", reason.replace('\'', "&apos;")),
        ("index.html", reason.replace('\'', "&#x27;")),
        (&log, reason.to_owned()),
    ] {
        let text = outcome.output(file);
        assert!(
            text.contains(reason) || text.contains(&escaped),
            "{file} does not say {reason:?}:\n{text}"
        );
    }
    let junit = outcome.output("junit.xml");
    assert!(junit.contains(r#"failures="1""#), "{junit}");
}

/// moto checks nothing in a nested stack that could fail. On ministack a nested stack that fails is
/// named by no event of its parent, so its own events can't be found; what the parent says of it is
/// the cause.
#[test]
#[ignore = "needs ministack; run tests/run.sh"]
fn the_cause_comes_from_a_nested_stack() {
    let server = Server::take(Kind::Ministack);
    let project = Project::copy_of("nested-fail");
    let outcome = Taskcat::test_run(&project, &server).args(["-l"]).run();
    outcome.assert_code(1);
    let reason = "Invalid value for the parameter MessageRetentionPeriod. Value must be between 60 \
        and 1209600.";
    assert_reason_everywhere(&outcome, "deep", "us-east-1", reason);
    let cell = outcome.cell("deep", "us-east-1");
    assert_eq!(
        cell["root_cause"]["path"],
        serde_json::json!(["Middle"]),
        "{:#}",
        cell["root_cause"]
    );
    let standing = server.standing(&["us-east-1"]);
    assert!(standing.buckets.is_empty(), "{standing:#?}");
    // ministack deletes a parent without the nested stack whose creation failed; AWS takes it
    // along.
    let nested = format!("{}-Middle-", cell["stack_name"].as_str().unwrap());
    assert!(
        standing
            .stack_names()
            .iter()
            .all(|name| name.starts_with(&nested)),
        "{standing:#?}"
    );
}

fn a_denied_region_fails_alone(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::with_faults(&server, &["CreateStack@eu-west-1=403:AccessDenied"]);
    let project = Project::copy_of("given-bucket");
    server.given(&["bucket", "the-users-own-bucket", "us-east-1"]);
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome.assert_code(1);
    assert_eq!(
        outcome.states(),
        ["topic/us-east-1 passed", "topic/eu-west-1 failed"]
    );
    assert_reason_everywhere(&outcome, "topic", "eu-west-1", "AccessDenied");
    assert_eq!(
        proxy.calls().count("CreateStack"),
        2,
        "a denial is not tried again"
    );
    assert!(server.standing(&REGIONS).stacks.is_empty());
}

/// CloudFormation throttles everybody who tests in many regions; no cell fails for that.
fn throttling_is_waited_out(kind: Kind) {
    let server = Server::take(kind);
    let refusals = [
        "CreateStack=400:Throttling*2",
        "DescribeStackEvents=400:Throttling*2",
        "DeleteStack=400:Throttling*2",
    ];
    let proxy = Proxy::with_faults(&server, &refusals);
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome.assert_code(0);
    server.standing(&REGIONS).assert_nothing();
    assert_eq!(
        proxy.calls().count("CreateStack"),
        3,
        "{}",
        proxy.calls().summary()
    );
}

/// moto answers a template that it can't digest with a page of HTML and status 500; ministack never
/// does. The second attempt finds what the first one began, because moto does not know client
/// request tokens, and which never settles.
#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn an_answer_that_is_no_answer_fails_its_cell() {
    let server = Server::take(Kind::Moto);
    let project = Project::copy_of("undeclared-parameter");
    project.write(
        "templates/topic.template.yaml",
        "Parameters: {DisplayName: {Type: String}}\n\
         Mappings: {Images: {us-east-1: {Ami: ami-1}}}\n\
         Resources:\n  Image:\n    Type: AWS::SSM::Parameter\n    Properties:\n      Name: \
         image\n      Type: String\n      \
         Value: !FindInMap [Images, nowhere, Ami]\n",
    );
    let proxy = Proxy::before(&server);
    let outcome = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .args(["-l", "--timeout", "5s"])
        .run();
    outcome.assert_code(1);
    assert_eq!(outcome.states(), ["topic/us-east-1 failed"]);
    let calls = proxy.calls();
    assert_eq!(calls.of("CreateStack")[0]["status"], 500);
    let token = |call: &&serde_json::Value| call["form"]["ClientRequestToken"].clone();
    let tokens: Vec<_> = calls.of("CreateStack").iter().map(token).collect();
    assert!(tokens.iter().all(|it| it == &tokens[0]), "{tokens:?}");
    assert!(server.standing(&REGIONS).buckets.is_empty());
}
