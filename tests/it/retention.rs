//! What stays after a run when the user asks for it: `--no-delete`, `--keep-failed`,
//! `--dont-wait-for-delete`.

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::Taskcat;

tests_on!(all: no_delete_leaves_stacks_and_bucket, deletion_is_not_awaited);

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

fn no_delete_leaves_stacks_and_bucket(kind: Kind) {
    let server = Server::take(kind);
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::test_run(&project, &server)
        .args(["-l", "-n"])
        .run();
    outcome.assert_code(0);
    let standing = server.standing(&REGIONS);
    let cell = outcome.cell("topic", "us-east-1");
    assert_eq!(
        standing.stack_names(),
        [format!(
            "{}@us-east-1",
            cell["stack_name"].as_str().unwrap()
        )]
    );
    assert_eq!(standing.stacks[0]["status"], "CREATE_COMPLETE");
    let bucket = outcome.report()["buckets"][0]["bucket"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        standing.keys(&bucket),
        ["undeclared-parameter/templates/topic.template.yaml"]
    );
    assert_eq!(
        standing.buckets[&bucket]["tags"]["taskcat-id"],
        outcome.report()["run_id"]
    );
}

/// On moto a stack either stands or its launch was refused: there is no failed stack to keep.
#[test]
#[ignore = "needs ministack; run tests/run.sh"]
fn keep_failed_leaves_the_failed_stack_alone() {
    let server = Server::take(Kind::Ministack);
    let project = Project::copy_of("one-bad");
    let outcome = Taskcat::test_run(&project, &server)
        .args(["-l", "-k", "--no-check"])
        .run();
    outcome.assert_code(1);
    let standing = server.standing(&REGIONS);
    let cell = outcome.cell("licensed", "eu-west-1");
    assert_eq!(
        standing.stack_names(),
        [format!(
            "{}@eu-west-1",
            cell["stack_name"].as_str().unwrap()
        )]
    );
    assert_eq!(standing.stacks[0]["status"], "CREATE_FAILED");
    // What was asked for is no leftover.
    assert_eq!(outcome.report()["totals"]["left_behind"], 0);
}

fn deletion_is_not_awaited(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .args(["-l", "-d"])
        .run();
    outcome.assert_code(0);
    let calls = proxy.calls();
    let asked = calls
        .0
        .iter()
        .position(|call| call["action"] == "DeleteStack")
        .expect("a DeleteStack");
    let after: Vec<&str> = calls.0[asked + 1..]
        .iter()
        .filter_map(|call| call["action"].as_str())
        .collect();
    assert!(
        !after
            .iter()
            .any(|action| action.starts_with("DescribeStack")),
        "{after:?}"
    );
}

/// Both servers delete whatever they are asked to, so the deletion is refused on the way.
#[test]
#[ignore = "needs ministack; run tests/run.sh"]
fn a_stack_that_cannot_be_deleted_is_reported() {
    let server = Server::take(Kind::Ministack);
    let proxy = Proxy::with_faults(&server, &["DeleteStack=403:AccessDenied"]);
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome.assert_code(4);
    let cell = outcome.cell("topic", "us-east-1");
    assert_eq!(cell["state"], "passed");
    outcome
        .assert_says(cell["stack_name"].as_str().unwrap())
        .assert_says("AccessDenied");
    assert_eq!(outcome.report()["totals"]["left_behind"], 1);
    assert_eq!(outcome.report()["verdict"], "left_behind");
}
