//! `taskcat deploy run`: stacks that stay, by change sets that somebody has looked at.

use serde_json::Value;

use crate::project::Project;
use crate::servers::{Kind, Server, Standing};
use crate::taskcat::{Outcome, Taskcat};
use crate::terminal::{for_aws, on_terminal};

tests_on!(simulator: it_creates_shows_and_changes, what_fails_is_told_and_rolled_back, secrets_are_not_shown,
    who_is_asked_decides);

const REGIONS: [&str; 1] = ["us-east-1"];
const CHANGES: &str = "\
shop-main in us-east-1: 5 changes: 2 to add, 2 to replace, 1 to delete
  ! replace Queue    AWS::SQS::Queue
              VisibilityTimeout: 30 → 60
              QueueName: – → orders (replaces it)
  + add     Alarm    AWS::SNS::Topic
  ~ modify  Network  AWS::CloudFormation::Stack  Properties
  ! replace   Vpc    AWS::EC2::VPC
                CidrBlock: 10.0.0.0/16 → 10.1.0.0/16 (replaces it)
  + add       Gate   AWS::EC2::InternetGateway
  - delete  Topic    AWS::SNS::Topic
";

fn deploy(project: &Project, server: &Server, options: &[&str]) -> Outcome {
    let run = Taskcat::at(project, &server.endpoint()).args(["deploy", "run", "-l"]);
    run.args(options.iter().copied()).run()
}

/// The project's next version: something is added, changed, replaced and removed, in the nested stack too.
fn next_version(project: &Project) {
    let (shop, network) = ("templates/shop.yaml", "templates/network.yaml");
    project.replace(shop, "VisibilityTimeout: 30", "VisibilityTimeout: 60\n      QueueName: orders");
    project.replace(shop, "  Topic:", "  Alarm:");
    project.replace(
        network,
        "CidrBlock: !Ref Cidr",
        "CidrBlock: 10.1.0.0/16\n  Gate:\n    Type: AWS::EC2::InternetGateway",
    );
}

fn root(standing: &Standing) -> &Value {
    standing.stacks.iter().find(|stack| stack["name"] == "shop-main").unwrap_or_else(|| panic!("{standing:#?}"))
}

fn it_creates_shows_and_changes(kind: Kind) {
    let (server, project) = (Server::take(kind), Project::copy_of("deploy"));
    let first = deploy(&project, &server, &["--yes"]);
    first.assert_code(0).assert_says("shop-main in us-east-1: 3 changes: 3 to add").assert_says("1 deployed");
    let standing = server.standing(&REGIONS);
    assert_eq!(root(&standing)["status"], "CREATE_COMPLETE");
    // Nothing by which a clean-up after tests would find it.
    let tags = root(&standing)["tags"].to_string();
    assert!(!tags.contains("taskcat-id") && tags.contains("taskcat-installer") && tags.contains("owner"), "{tags}");
    let clean = Taskcat::at(&project, &server.endpoint()).args(["test", "clean", "ALL", "-r", "us-east-1", "-w"]).run();
    clean.assert_code(0);
    assert_eq!(root(&server.standing(&REGIONS))["status"], "CREATE_COMPLETE");

    deploy(&project, &server, &["--yes"]).assert_code(0).assert_says("1 unchanged");
    let quiet =
        Taskcat::at(&project, &server.endpoint()).args(["-q", "deploy", "run", "-l", "--yes", "--name", "quiet"]);
    quiet.run().assert_code(0).assert_says("1 deployed").assert_silent_about("+ add");

    next_version(&project);
    let review = deploy(&project, &server, &["--no-execute"]);
    review.assert_code(0).assert_says(CHANGES).assert_says("is left for review").assert_says("1 left for review");
    assert_eq!(root(&server.standing(&REGIONS))["status"], "CREATE_COMPLETE");
    deploy(&project, &server, &["--change-set", "--yes"]).assert_code(0).assert_says(CHANGES).assert_says("1 deployed");
    let standing = server.standing(&REGIONS);
    assert_eq!(root(&standing)["status"], "UPDATE_COMPLETE");
    // Each with the one that it nests.
    assert_eq!(standing.stacks.len(), 4);
}

fn what_fails_is_told_and_rolled_back(kind: Kind) {
    let (server, project) = (Server::take(kind), Project::copy_of("deploy"));
    deploy(&project, &server, &["--yes"]).assert_code(0);
    project.replace("templates/shop.yaml", "VisibilityTimeout: 30", "QueueName: no name!");
    let failed = deploy(&project, &server, &["--yes"]);
    failed.assert_code(1).assert_says("Queue (AWS::SQS::Queue) UPDATE_FAILED").assert_says("templates/shop.yaml:12");
    assert_eq!(root(&server.standing(&REGIONS))["status"], "UPDATE_ROLLBACK_COMPLETE");
    // A template that is refused leaves no change set, and no stack in review.
    project.replace("templates/shop.yaml", "QueueName: no name!", "VisibilityTimeout: !GetAtt Gone.Arn");
    deploy(&project, &server, &["--yes", "--name", "other"]).assert_code(1).assert_says("undefined resource Gone");
    assert_eq!(server.standing(&REGIONS).stacks.len(), 2);
}

fn secrets_are_not_shown(kind: Kind) {
    let (server, project) = (Server::take(kind), Project::copy_of("deploy"));
    let shop = "templates/shop.yaml";
    project.replace(shop, "Resources:", "  Secret: {Type: String, NoEcho: true}\nResources:");
    project.replace(
        shop,
        "  Topic:\n    Type: AWS::SNS::Topic",
        "  Topic:\n    Type: AWS::SNS::Topic\n    Properties: {DisplayName: !Ref Secret}",
    );
    project.replace(".taskcat.yml", "    parameters:", "    parameters:\n      Secret: hush-hush-1");
    deploy(&project, &server, &["--yes"]).assert_code(0);
    project.replace(".taskcat.yml", "hush-hush-1", "hush-hush-2");
    let changed = deploy(&project, &server, &["--yes"]);
    changed.assert_code(0).assert_says("DisplayName: **** → ****").assert_silent_about("hush-hush");
}

fn who_is_asked_decides(kind: Kind) {
    let (server, project) = (Server::take(kind), Project::copy_of("deploy"));
    let answer = |answer: &str| -> Value {
        let endpoint = server.endpoint();
        let actions = ["wait=[N]o:", &format!("type={answer}")];
        on_terminal(&project, "40x120", &for_aws(&endpoint), &["deploy", "run", "-l"], &actions)
    };
    // No, and the key for an interruption: the change set goes, and the stack in review with it.
    for (said, code) in [("n\r", 0), ("\r", 0), ("^C", 130)] {
        let end = answer(said);
        assert_eq!(end["code"], code, "{end:#}");
        let standing = server.standing(&REGIONS);
        assert!(standing.stacks.is_empty(), "{said:?}: {standing:#?}");
    }
    let end = answer("l\r");
    assert_eq!(end["code"], 0, "{end:#}");
    assert_eq!(root(&server.standing(&REGIONS))["status"], "REVIEW_IN_PROGRESS");
    let end = answer("y\r");
    assert_eq!(end["code"], 0, "{end:#}");
    assert_eq!(root(&server.standing(&REGIONS))["status"], "CREATE_COMPLETE");
    // What takes something away says so before it asks.
    next_version(&project);
    let end = answer("n\r");
    assert!(end["output"].as_str().unwrap().contains("Resources are deleted or replaced. Execute?"), "{end:#}");
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let project = Project::copy_of("deploy");
    let run = |options: &[&str]| {
        Taskcat::at(&project, "http://127.0.0.1:9").args(["deploy", "run"]).args(options.iter().copied()).run()
    };
    run(&[]).assert_code(2).assert_says("--yes executes the change sets, --no-execute leaves them for review");
    run(&["--yes", "--no-execute"]).assert_code(2).assert_says("cannot be used with");
}

#[test]
fn a_bucket_that_goes_is_refused() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    project.replace(".taskcat.yml", "  s3_regional_buckets: true\n", "");
    let refused = Taskcat::at(&project, &server.endpoint()).args(["deploy", "run", "--yes", "-l"]).run();
    refused.assert_code(2).assert_says("a stack that stays needs a bucket that stays");
    server.standing(&REGIONS).assert_nothing();
}
