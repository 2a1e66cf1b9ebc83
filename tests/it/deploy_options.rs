//! Options of `deploy run` for its change sets, and what the terminal and the page say of them.

use serde_json::Value;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

/// A queue whose name can be taken, and a bucket that stays.
const TEMPLATE: &str = "Resources:
  Files:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain
    Properties: {BucketName: shop-files}
  Queue:
    Type: AWS::SQS::Queue
    DependsOn: Files
    Properties: {QueueName: 'no name!'}
";

fn project() -> Project {
    let project = Project::empty("deploy-options");
    project.write(
        ".taskcat.yml",
        "project: {name: shop, regions: [us-east-1], s3_regional_buckets: true}\ntests: \
         {main: {template: main.yaml}}\n",
    );
    project.write("main.yaml", TEMPLATE);
    project
}

fn deploy(project: &Project, endpoint: &str, options: &[&str]) -> Outcome {
    Taskcat::at(project, endpoint)
        .args(["deploy", "run", "-l", "--yes", "-o", "review"])
        .args(options.iter().copied())
        .run()
}

/// The status of the stack, if it exists, and whether the bucket does.
fn left(server: &Server) -> (Option<String>, bool) {
    let standing = server.standing(&["us-east-1"]);
    let stack = standing.stacks.iter().find(|it| it["name"] == "shop-main");
    let status = stack.map(|it| it["status"].as_str().unwrap().to_owned());
    (status, standing.buckets.contains_key("shop-files"))
}

fn options_of(project: &Project) -> Value {
    let changes: Value = serde_json::from_str(&project.read("review/changes.json")).unwrap();
    changes[0]["options"].clone()
}

#[test]
fn a_failed_creation_ends_as_asked_for() {
    let cases: [(&[&str], Option<&str>, bool); 4] = [
        (&[], None, true),
        (
            &["--on-stack-failure", "rollback"],
            Some("ROLLBACK_COMPLETE"),
            true,
        ),
        (
            &["--on-stack-failure", "do-nothing"],
            Some("CREATE_FAILED"),
            true,
        ),
        (
            &[
                "--on-stack-failure",
                "rollback",
                "--retain-except-on-create",
            ],
            Some("ROLLBACK_COMPLETE"),
            false,
        ),
    ];
    for (options, status, keeps_bucket) in cases {
        let server = Server::take(Kind::Simulator);
        let project = project();
        deploy(&project, &server.endpoint(), options)
            .assert_code(1)
            .assert_says("Can only include alphanumeric characters");
        let status = status.map(str::to_owned);
        assert_eq!(left(&server), (status, keeps_bucket), "{options:?}");
    }
}

#[test]
fn options_are_shown_where_somebody_approves() {
    let server = Server::take(Kind::Simulator);
    let project = project();
    project.replace("main.yaml", "no name!", "orders");
    let options = [
        "--on-stack-failure",
        "rollback",
        "--retain-except-on-create",
    ];
    let first = deploy(&project, &server.endpoint(), &options);
    let failure = "if the creation fails, the stack is rolled back and remains";
    let retained = "if the execution is rolled back, new resources are deleted even if they are to be retained";
    first
        .assert_code(0)
        .assert_says(&format!("2 changes: 2 to add; {failure}; {retained}"));
    assert_eq!(options_of(&project), serde_json::json!([failure, retained]));
    let page = project.read("review/changes.html");
    assert!(page.contains(failure) && page.contains(retained), "{page}");
}

#[test]
fn an_existing_resource_is_imported() {
    let server = Server::take(Kind::Simulator);
    let project = project();
    project.replace("main.yaml", "no name!", "orders");
    deploy(&project, &server.endpoint(), &[]).assert_code(0);
    let other = ["--name", "other", "--import-existing-resources"];
    deploy(&project, &server.endpoint(), &["--name", "other"]).assert_code(1);
    // The bucket outlives its stack, and the second one takes it over.
    let deleted = Taskcat::at(&project, &server.endpoint())
        .args(["delete", "shop-main", "-r", "us-east-1", "-w", "--yes"])
        .run();
    deleted.assert_code(0);
    assert_eq!(left(&server), (None, true));
    deploy(&project, &server.endpoint(), &other)
        .assert_code(0)
        .assert_says("1 to import")
        .assert_says("existing resources with the names of new ones are imported");
    assert!(left(&server).1);
}

#[test]
fn drift_is_reverted_in_existing_stacks() {
    let server = Server::take(Kind::Simulator);
    let project = project();
    project.replace("main.yaml", "no name!", "orders");
    let proxy = Proxy::before(&server);
    deploy(&project, &proxy.endpoint(), &["--revert-drift"]).assert_code(0);
    project.replace("main.yaml", "orders", "bills");
    deploy(&project, &proxy.endpoint(), &["--revert-drift"]).assert_code(0);
    assert_eq!(
        options_of(&project),
        serde_json::json!(["resources that were changed outside of the stack are changed back"])
    );
    let calls = proxy.calls();
    let sent = calls.of("CreateChangeSet");
    let modes: Vec<&Value> = sent
        .iter()
        .map(|call| &call["form"]["DeploymentMode"])
        .collect();
    assert_eq!(modes.len(), 2);
    assert!(modes[0].is_null(), "{modes:?}");
    assert_eq!(
        modes[1].to_string().trim_matches(['[', ']', '"']),
        "REVERT_DRIFT"
    );
}
