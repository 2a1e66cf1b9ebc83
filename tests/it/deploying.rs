//! `taskcat deploy run`: stacks that stay, by change sets that somebody has looked at.

use serde_json::Value;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server, Standing};
use crate::taskcat::{Outcome, Taskcat};
use crate::terminal::{for_aws, on_terminal};

tests_on!(simulator: it_creates_shows_and_changes, what_fails_is_told_and_rolled_back, secrets_are_not_shown,
    #[ignore = "needs Python; run tests/run.sh"] who_is_asked_decides);

const REGIONS: [&str; 1] = ["us-east-1"];
const CHANGES: &str = "\
shop-main in us-east-1: 5 changes: 2 to add, 2 to replace, 1 to delete
  + add     Alarm    AWS::SNS::Topic
  ~ modify  Network  AWS::CloudFormation::Stack  Properties
  + add       Gate   AWS::EC2::InternetGateway
  ! replace   Vpc    AWS::EC2::VPC
                CidrBlock: 10.0.0.0/16 → 10.1.0.0/16 (replaces it)
  ! replace Queue    AWS::SQS::Queue
              QueueName: – → orders (replaces it)
              VisibilityTimeout: 30 → 60
  - delete  Topic    AWS::SNS::Topic
";

fn deploy(project: &Project, server: &Server, options: &[&str]) -> Outcome {
    let run = Taskcat::at(project, &server.endpoint()).args(["deploy", "run", "-l"]);
    run.args(options.iter().copied()).run()
}

/// The project's next version: something is added, changed, replaced and removed, in the nested
/// stack too.
fn next_version(project: &Project) {
    let (shop, network) = ("templates/shop.yaml", "templates/network.yaml");
    project.replace(
        shop,
        "VisibilityTimeout: 30",
        "VisibilityTimeout: 60\n      QueueName: orders",
    );
    project.replace(shop, "  Topic:", "  Alarm:");
    project.replace(
        network,
        "CidrBlock: !Ref Cidr",
        "CidrBlock: 10.1.0.0/16\n  Gate:\n    Type: AWS::EC2::InternetGateway",
    );
}

fn root(standing: &Standing) -> &Value {
    standing
        .stacks
        .iter()
        .find(|stack| stack["name"] == "shop-main")
        .unwrap_or_else(|| panic!("{standing:#?}"))
}

fn it_creates_shows_and_changes(kind: Kind) {
    let (server, project) = (Server::take(kind), Project::copy_of("deploy"));
    let first = deploy(&project, &server, &["--yes"]);
    first
        .assert_code(0)
        .assert_says("shop-main in us-east-1: 3 changes: 3 to add")
        .assert_says("1 deployed");
    let standing = server.standing(&REGIONS);
    assert_eq!(root(&standing)["status"], "CREATE_COMPLETE");
    // Nothing by which a clean-up after tests would find it.
    let tags = root(&standing)["tags"].to_string();
    assert!(
        !tags.contains("taskcat-id")
            && tags.contains("taskcat-installer")
            && tags.contains("owner"),
        "{tags}"
    );
    let clean = Taskcat::at(&project, &server.endpoint())
        .args(["test", "clean", "ALL", "-r", "us-east-1", "-w", "--yes"])
        .run();
    clean.assert_code(0);
    assert_eq!(
        root(&server.standing(&REGIONS))["status"],
        "CREATE_COMPLETE"
    );

    deploy(&project, &server, &["--yes"])
        .assert_code(0)
        .assert_says("1 unchanged");
    let quiet = Taskcat::at(&project, &server.endpoint())
        .args(["-q", "deploy", "run", "-l", "--yes", "--name", "quiet"]);
    quiet
        .run()
        .assert_code(0)
        .assert_says("1 deployed")
        .assert_silent_about("+ add");

    next_version(&project);
    let review = deploy(&project, &server, &["--no-execute"]);
    review
        .assert_code(0)
        .assert_says(CHANGES)
        .assert_says("is left for review")
        .assert_says("1 left for review");
    assert_eq!(
        root(&server.standing(&REGIONS))["status"],
        "CREATE_COMPLETE"
    );
    deploy(&project, &server, &["--change-set", "--yes"])
        .assert_code(0)
        .assert_says(CHANGES)
        .assert_says("1 deployed");
    let standing = server.standing(&REGIONS);
    assert_eq!(root(&standing)["status"], "UPDATE_COMPLETE");
    // Each with the one that it nests.
    assert_eq!(standing.stacks.len(), 4);
}

fn what_fails_is_told_and_rolled_back(kind: Kind) {
    let (server, project) = (Server::take(kind), Project::copy_of("deploy"));
    deploy(&project, &server, &["--yes"]).assert_code(0);
    project.replace(
        "templates/shop.yaml",
        "VisibilityTimeout: 30",
        "QueueName: no name!",
    );
    let failed = deploy(&project, &server, &["--yes"]);
    failed
        .assert_code(1)
        .assert_says("Queue (AWS::SQS::Queue) UPDATE_FAILED")
        .assert_says("templates/shop.yaml:12");
    assert_eq!(
        root(&server.standing(&REGIONS))["status"],
        "UPDATE_ROLLBACK_COMPLETE"
    );
    // A template that is refused leaves no change set, and no stack in review.
    project.replace(
        "templates/shop.yaml",
        "QueueName: no name!",
        "VisibilityTimeout: !GetAtt Gone.Arn",
    );
    deploy(&project, &server, &["--yes", "--name", "other"])
        .assert_code(1)
        .assert_says("undefined resource Gone");
    assert_eq!(server.standing(&REGIONS).stacks.len(), 2);
}

fn secrets_are_not_shown(kind: Kind) {
    let (server, project) = (Server::take(kind), Project::copy_of("deploy"));
    let shop = "templates/shop.yaml";
    project.replace(
        shop,
        "Resources:",
        "  Secret: {Type: String, NoEcho: true}\nResources:",
    );
    project.replace(
        shop,
        "  Topic:\n    Type: AWS::SNS::Topic",
        "  Topic:\n    Type: AWS::SNS::Topic\n    Properties: {DisplayName: !Ref Secret}",
    );
    project.replace(
        ".taskcat.yml",
        "    parameters:",
        "    parameters:\n      Secret: hush-hush-1",
    );
    deploy(&project, &server, &["--yes"]).assert_code(0);
    project.replace(".taskcat.yml", "hush-hush-1", "hush-hush-2");
    let changed = deploy(&project, &server, &["--yes"]);
    changed
        .assert_code(0)
        .assert_says("DisplayName: **** → ****")
        .assert_silent_about("hush-hush");
}

fn who_is_asked_decides(kind: Kind) {
    let (server, project) = (Server::take(kind), Project::copy_of("deploy"));
    let answer = |answer: &str| -> Value {
        let endpoint = server.endpoint();
        let actions = ["wait=[N]o:", &format!("type={answer}")];
        on_terminal(
            &project,
            "40x120",
            &for_aws(&endpoint),
            &["deploy", "run", "-l"],
            &actions,
        )
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
    assert_eq!(
        root(&server.standing(&REGIONS))["status"],
        "REVIEW_IN_PROGRESS"
    );
    let end = answer("y\r");
    assert_eq!(end["code"], 0, "{end:#}");
    assert_eq!(
        root(&server.standing(&REGIONS))["status"],
        "CREATE_COMPLETE"
    );
    // What takes something away says so before it asks.
    next_version(&project);
    let end = answer("n\r");
    assert!(
        end["output"]
            .as_str()
            .unwrap()
            .contains("Resources are deleted or replaced. Execute?"),
        "{end:#}"
    );
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let project = Project::copy_of("deploy");
    let run = |options: &[&str]| {
        Taskcat::at(&project, "http://127.0.0.1:9")
            .args(["deploy", "run"])
            .args(options.iter().copied())
            .run()
    };
    run(&[]).assert_code(2).assert_says(
        "pass --yes to execute the change sets or --no-execute to leave them for review",
    );
    run(&["--yes", "--no-execute"])
        .assert_code(2)
        .assert_says("cannot be used with");
}

#[test]
fn a_bucket_that_goes_is_refused() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    project.replace(".taskcat.yml", "  s3_regional_buckets: true\n", "");
    let refused = Taskcat::at(&project, &server.endpoint())
        .args(["deploy", "run", "--yes", "-l"])
        .run();
    refused
        .assert_code(2)
        .assert_says("permanent stacks need a permanent bucket");
    server.standing(&REGIONS).assert_nothing();
}

/// Somebody else's stack, with a bucket that holds something.
const FOREIGN: &str = "Resources: {Data: {Type: AWS::S3::Bucket}, Topic: {Type: AWS::SNS::Topic}}";
/// As long as a run's ID.
const RUN: &str = "0123456789abcdef0123456789abcdef";

fn given(server: &Server, what: &[&str], tags: &[&str]) {
    server.given(&[what, tags].concat());
}

/// Key and value, sorted.
fn tags(stack: &Value) -> Vec<(&str, &str)> {
    let tags = stack["tags"].as_object().unwrap().iter();
    let mut tags: Vec<_> = tags
        .map(|(key, value)| (key.as_str(), value.as_str().unwrap()))
        .collect();
    tags.sort_unstable();
    tags
}

/// The change sets of the stack that the fixture deploys.
fn change_sets(server: &Server) -> Vec<String> {
    let names = server.given(&["change-sets", "us-east-1", "shop-main"]);
    names
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_stack_that_somebody_else_created_is_refused() {
    let installed_by_another = ["taskcat-installer=ingenious-fox"];
    let of_a_test = [
        "taskcat-id=0123456789abcdef0123456789abcdef",
        "taskcat-project-name=shop",
    ];
    for (tags, said) in [
        (
            &["owner=web", "team=x"][..],
            "its tags are owner=web, team=x",
        ),
        (&[], "it has no tags"),
        (
            &installed_by_another,
            "its tags are taskcat-installer=ingenious-fox",
        ),
        (&of_a_test, "taskcat-project-name=shop"),
    ] {
        let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
        given(
            &server,
            &["template-stack", "us-east-1", "shop-main", FOREIGN],
            tags,
        );
        let before = server.standing(&REGIONS);
        for options in [&["--yes"][..], &["--no-execute"]] {
            let refused = deploy(&project, &server, options);
            refused
                .assert_code(2)
                .assert_says("the stack shop-main in us-east-1 (account 123456789012)");
            refused
                .assert_says("was not created by `taskcat deploy run`")
                .assert_says(said)
                .assert_says("--adopt");
        }
        // Not even a bucket, or a change set.
        let after = server.standing(&REGIONS);
        assert_eq!(
            (&after.stacks, &after.buckets),
            (&before.stacks, &before.buckets)
        );
        assert!(change_sets(&server).is_empty());
    }
}

#[test]
fn a_stack_in_review_is_its_change_sets_owners() {
    let ours = format!("taskcat-{RUN}");
    let mark = "taskcat-installer=shop-main";
    let check = |change_sets: &[(&str, &[&str])], code: i32, said: &str| {
        let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
        for (name, tags) in change_sets {
            given(
                &server,
                &["change-set", "us-east-1", "shop-main", name, FOREIGN],
                tags,
            );
        }
        deploy(&project, &server, &["--yes"])
            .assert_code(code)
            .assert_says(said);
        let status = if code == 0 {
            "CREATE_COMPLETE"
        } else {
            "REVIEW_IN_PROGRESS"
        };
        assert_eq!(
            root(&server.standing(&REGIONS))["status"],
            status,
            "{change_sets:?}"
        );
    };
    check(
        &[("release-7", &[])],
        2,
        "somebody else has created its change set release-7",
    );
    check(
        &[("taskcat-release", &[mark])],
        2,
        "its change set taskcat-release",
    );
    check(
        &[(&ours, &[])],
        2,
        "its change set taskcat-0123456789abcdef",
    );
    check(
        &[(&ours, &["taskcat-pipeline=shop-main"])],
        2,
        "its change set taskcat-0123456789abcdef",
    );
    check(
        &[(&ours, &[mark]), ("release-7", &[mark])],
        2,
        "its change set release-7",
    );
    check(&[(&ours, &[mark])], 0, "1 deployed");

    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    given(
        &server,
        &["change-set", "us-east-1", "shop-main", &ours, FOREIGN],
        &[mark],
    );
    given(
        &server,
        &["no-change-set", "us-east-1", "shop-main", &ours],
        &[],
    );
    deploy(&project, &server, &["--yes"])
        .assert_code(2)
        .assert_says("without any change set");
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_stack_is_adopted_with_what_it_has() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    let foreign = [
        "owner=web",
        "cost-centre=17",
        "taskcat-id=0123456789abcdef0123456789abcdef",
    ];
    given(
        &server,
        &["template-stack", "us-east-1", "shop-main", FOREIGN],
        &foreign,
    );
    let no = on_terminal(
        &project,
        "40x160",
        &for_aws(&server.endpoint()),
        &["deploy", "run", "-l", "--adopt"],
        &["wait=taken over", "wait=[N]o:", "type=n\r"],
    );
    assert_eq!(no["code"], 0, "{no:#}");
    assert!(change_sets(&server).is_empty());
    Taskcat::at(&project, &server.endpoint())
        .args(["deploy", "run", "-l", "--adopt"])
        .run()
        .assert_code(2)
        .assert_says("pass --yes to execute the change sets");

    let adopted = Taskcat::at(&project, &server.endpoint())
        .args(["-q", "deploy", "run", "-l", "--adopt", "--yes"])
        .run();
    adopted
        .assert_code(0)
        .assert_says("adopts the stack shop-main in us-east-1 (account 123456789012)");
    adopted
        .assert_says("deletes its Data (AWS::S3::Bucket) shop-main-data")
        .assert_says("overwrites its tag owner: web → shop");
    adopted.assert_says("removes its tag taskcat-id=0123456789abcdef0123456789abcdef");
    let expect = [
        ("cost-centre", "17"),
        ("owner", "shop"),
        ("taskcat-adopted", "true"),
        ("taskcat-installer", "shop-main"),
    ];
    assert_eq!(tags(root(&server.standing(&REGIONS))), expect);
    // From now on it is ours, and still has what others gave it.
    next_version(&project);
    deploy(&project, &server, &["--yes"])
        .assert_code(0)
        .assert_silent_about("adopts");
    assert_eq!(tags(root(&server.standing(&REGIONS))), expect);
}

#[test]
fn a_nested_stack_is_its_parents() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    deploy(&project, &server, &["--yes"]).assert_code(0);
    let standing = server.standing(&REGIONS);
    let nested = standing
        .stacks
        .iter()
        .find(|stack| !stack["parent"].is_null())
        .unwrap()["name"]
        .as_str()
        .unwrap();
    let refused = deploy(&project, &server, &["--yes", "--adopt", "--name", nested]);
    refused
        .assert_code(2)
        .assert_says("it is nested in arn:aws:cloudformation:")
        .assert_silent_about("--adopt");
}

#[test]
fn two_tests_do_not_deploy_one_stack() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    let test = "  other:\n    template: templates/network.yaml\n    stack_name: shop-main\n    \
        parameters: {Cidr: 10.0.0.0/8}\n";
    let configuration = project.read(".taskcat.yml");
    project.write(
        ".taskcat.yml",
        &format!("{}\n{test}", configuration.trim_end()),
    );
    let refused = deploy(&project, &server, &["--yes"]);
    refused
        .assert_code(2)
        .assert_says("the tests main and other would both deploy the stack shop-main in us-east-1");
    server.standing(&REGIONS).assert_nothing();
}

#[test]
fn a_status_without_change_sets_is_told_with_what_to_do() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    // As earlier versions, and other tools, have left it.
    let broken = "Resources: {Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: no name!}}}";
    let tag = "taskcat-installer=shop-main";
    let stack = ["template-stack", "us-east-1", "shop-main", broken, tag];
    server.given(&stack);
    assert_eq!(
        root(&server.standing(&REGIONS))["status"],
        "ROLLBACK_COMPLETE"
    );
    let delete = format!(
        "`aws cloudformation delete-stack --stack-name shop-main --region us-east-1 --endpoint-url \
         {}`",
        server.endpoint()
    );
    let again = deploy(&project, &server, &["--yes"]);
    again
        .assert_code(1)
        .assert_says("the stack shop-main in us-east-1 is in ROLLBACK_COMPLETE")
        .assert_says(&delete);
    again.assert_says("or pass --replace-failed to have it replaced");
    let replaced = deploy(&project, &server, &["--yes", "--replace-failed"]);
    replaced
        .assert_code(0)
        .assert_says("deleting the stack shop-main, which is in ROLLBACK_COMPLETE");
    assert_eq!(
        root(&server.standing(&REGIONS))["status"],
        "CREATE_COMPLETE"
    );
    // Of what isn't in that state nothing is deleted.
    let kept = deploy(&project, &server, &["--yes", "--replace-failed"]);
    kept.assert_code(0)
        .assert_says("1 unchanged")
        .assert_silent_about("deleting");
}

/// A change set of a new stack asks for that (`OnStackFailure`), so that the next deployment isn't
/// blocked; one of an existing stack may not.
#[test]
fn a_stack_whose_creation_fails_is_deleted() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    let (good, bad) = ("VisibilityTimeout: 30", "QueueName: no name!");
    project.replace("templates/shop.yaml", good, bad);
    let proxy = Proxy::before(&server);
    let failed = Taskcat::at(&project, &proxy.endpoint())
        .args(["deploy", "run", "-l", "--yes"])
        .run();
    failed
        .assert_code(1)
        .assert_says("CloudFormation deleted the stack shop-main, whose creation failed")
        .assert_says("Queue (AWS::SQS::Queue) CREATE_FAILED");
    assert_eq!(server.standing(&REGIONS).stacks, Vec::<Value>::new());
    project.replace("templates/shop.yaml", bad, good);
    deploy(&project, &server, &["--yes"])
        .assert_code(0)
        .assert_says("1 deployed");

    // An update that fails is rolled back, as CreateChangeSet takes DELETE for new stacks alone.
    project.replace("templates/shop.yaml", good, bad);
    let failed = Taskcat::at(&project, &proxy.endpoint())
        .args(["deploy", "run", "-l", "--yes"])
        .run();
    failed
        .assert_code(1)
        .assert_says("UPDATE_ROLLBACK_COMPLETE");
    let calls = proxy.calls();
    let asked = calls.of("CreateChangeSet").into_iter();
    let asked: Vec<_> = asked
        .map(|call| call["form"]["OnStackFailure"].clone())
        .collect();
    assert_eq!(asked, [Value::from("DELETE"), Value::Null]);
}

/// CloudFormation executes a change set that changes outputs alone, or creates a stack without
/// resources.
#[test]
fn what_changes_no_resource_is_deployed_too() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    deploy(&project, &server, &["--yes"]).assert_code(0);
    project.replace(
        "templates/shop.yaml",
        "Outputs:",
        "Outputs:\n  TopicArn:\n    Value: !Ref Topic",
    );
    let outputs = deploy(&project, &server, &["--yes"]);
    outputs
        .assert_code(0)
        .assert_says("shop-main in us-east-1: no resource changes")
        .assert_says("1 deployed");
    assert_eq!(
        root(&server.standing(&REGIONS))["status"],
        "UPDATE_COMPLETE"
    );
    deploy(&project, &server, &["--yes"])
        .assert_code(0)
        .assert_says("1 unchanged");

    let template = "Parameters: {ArtifactBucket: {Type: String}, ArtifactPrefix: {Type: String}}\n\
                    Conditions: {Never: !Equals [a, b]}\nResources: {Topic: {Type: \
                    AWS::SNS::Topic, Condition: Never}}\n\
                    Outputs: {Said: {Value: hello}}\n";
    project.write("templates/shop.yaml", template);
    deploy(&project, &server, &["--yes", "--name", "empty"])
        .assert_code(0)
        .assert_says("1 deployed");
    let standing = server.standing(&REGIONS);
    assert!(
        standing
            .stacks
            .iter()
            .any(|it| it["name"] == "empty" && it["status"] == "CREATE_COMPLETE"),
        "{standing:#?}"
    );
}

/// An answer that is lost after the call took effect: what was created is found again.
#[test]
fn lost_answers_leave_nothing_and_stop_nothing() {
    for fault in [
        "CreateChangeSet=after:cut*1",
        "CreateChangeSet=after:internal*1",
        "CreateChangeSet=after:cut*6",
        "ExecuteChangeSet=after:cut*1",
        "ExecuteChangeSet=after:internal*6",
    ] {
        let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
        let proxy = Proxy::with_faults(&server, &[fault]);
        let run = Taskcat::at(&project, &proxy.endpoint())
            .args(["deploy", "run", "-l", "--yes"])
            .run();
        run.assert_code(0).assert_says("1 deployed");
        assert_eq!(
            root(&server.standing(&REGIONS))["status"],
            "CREATE_COMPLETE",
            "{fault}"
        );
    }
    for fault in [
        "DeleteChangeSet=after:cut*1",
        "DeleteChangeSet=after:internal*6",
    ] {
        let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
        let proxy = Proxy::with_faults(&server, &[fault]);
        project.replace(
            "templates/shop.yaml",
            "VisibilityTimeout: 30",
            "VisibilityTimeout: !GetAtt Gone.Arn",
        );
        Taskcat::at(&project, &proxy.endpoint())
            .args(["deploy", "run", "-l", "--yes"])
            .run()
            .assert_code(1);
        assert!(server.standing(&REGIONS).stacks.is_empty(), "{fault}");
    }
}

/// What can't be deleted is named, with a command that deletes it as it is printed.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn what_remains_is_named() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    let proxy = Proxy::with_faults(&server, &["ExecuteChangeSet=403:AccessDenied"]);
    let run = Taskcat::at(&project, &proxy.endpoint())
        .args(["deploy", "run", "-l", "--yes"])
        .run();
    run.assert_code(1).assert_says(
        "and its stack shop-main in review remain; delete them with `aws cloudformation",
    );
    run.assert_says(&format!(
        "delete-stack --stack-name shop-main --region us-east-1 --endpoint-url {}`",
        proxy.endpoint()
    ));
    assert_eq!(
        root(&server.standing(&REGIONS))["status"],
        "REVIEW_IN_PROGRESS"
    );

    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    deploy(&project, &server, &["--yes"]).assert_code(0);
    let proxy = Proxy::with_faults(&server, &["DeleteChangeSet=403:AccessDenied"]);
    next_version(&project);
    let end = on_terminal(
        &project,
        "40x200",
        &for_aws(&proxy.endpoint()),
        &["deploy", "run", "-l"],
        &["wait=[N]o:", "type=n\r"],
    );
    assert_eq!(end["code"], 1, "{end:#}");
    let left = change_sets(&server);
    let delete = |name: &String| {
        format!("delete-change-set --stack-name shop-main --change-set-name {name}")
    };
    let output = end["output"].as_str().unwrap();
    assert!(
        left.len() == 1 && left.iter().any(|name| output.contains(&delete(name))),
        "{left:?}: {end:#}"
    );
}

#[test]
fn waits_end() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    let proxy = Proxy::with_faults(&server, &["DescribeChangeSet=throttle*9"]);
    let endless = Taskcat::at(&project, &proxy.endpoint()).args(["deploy", "run", "-l", "--yes"]);
    let ended = endless.args(["--change-set-timeout", "3s"]).run();
    ended.assert_code(1).assert_says("not worked out within 3s");
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    let proxy = Proxy::with_faults(&server, &["DescribeChangeSet=hang*1"]);
    let endless = Taskcat::at(&project, &proxy.endpoint()).args(["deploy", "run", "-l", "--yes"]);
    let ended = endless.args(["--change-set-timeout", "1s"]).run();
    ended.assert_code(1).assert_says("not worked out within 1s");
    assert!(server.standing(&REGIONS).stacks.is_empty());

    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    let proxy = Proxy::with_faults(&server, &["DescribeStackEvents=throttle+3"]);
    let endless = Taskcat::at(&project, &proxy.endpoint()).args([
        "deploy",
        "run",
        "-l",
        "--yes",
        "--timeout",
        "2s",
    ]);
    let ended = endless.run();
    ended
        .assert_code(1)
        .assert_says("the stack is not finished after 2s (--timeout)");
    ended.assert_says("CloudFormation continues to execute taskcat-");
}

#[test]
fn an_interrupted_deployment_says_what_continues() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    let proxy = Proxy::with_faults(&server, &["DescribeStackEvents=throttle+3"]);
    let mut run = Taskcat::at(&project, &proxy.endpoint())
        .args(["deploy", "run", "-l", "--yes"])
        .start();
    run.wait_until("it is executed", || {
        proxy.calls().count("ExecuteChangeSet") == 1
    });
    run.signal("HUP");
    let ended = run.wait();
    ended
        .assert_code(130)
        .assert_says("CloudFormation continues to execute taskcat-")
        .assert_says("in shop-main");

    // Given up while CloudFormation doesn't answer: the second signal says what may remain.
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    let proxy = Proxy::with_faults(&server, &["CreateChangeSet=after:hang"]);
    let mut run = Taskcat::at(&project, &proxy.endpoint())
        .args(["deploy", "run", "-l", "--yes"])
        .start();
    run.wait_until("the stack is in review", || {
        !server.standing(&REGIONS).stacks.is_empty()
    });
    run.signal("TERM");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    run.signal("TERM");
    let ended = run.wait();
    ended
        .assert_code(130)
        .assert_says("may have been created; delete it with `aws cloudformation delete-change-set");
}

#[test]
fn a_named_change_set_is_left_for_who_executes_it() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    let name = "taskcat-0f0f0f0f-0000-4000-8000-000000000000";
    let named = ["--no-execute", "--change-set-name", name, "-o", "review"];
    deploy(&project, &server, &named)
        .assert_code(0)
        .assert_says("is left for review");
    // Again: the one of that name is replaced, and its stack in review isn't somebody else's.
    deploy(&project, &server, &named)
        .assert_code(0)
        .assert_says("1 left for review");
    let sets = |stack: &str| server.given(&["change-sets", "us-east-1", stack]);
    assert_eq!(sets("shop-main"), serde_json::json!([name]));
    let json: Value = serde_json::from_str(&project.read("review/changes.json")).unwrap();
    assert_eq!(
        (&json[0]["stack_name"], &json[0]["summary"]),
        (&"shop-main".into(), &"3 changes: 3 to add".into())
    );
    assert!(
        project
            .read("review/changes.html")
            .contains("AWS::SQS::Queue")
    );

    // One that would change nothing is left, too: CodePipeline's action looks for it.
    deploy(&project, &server, &["--yes"])
        .assert_code(0)
        .assert_says("1 deployed");
    deploy(&project, &server, &named)
        .assert_code(0)
        .assert_says("1 unchanged");
    assert_eq!(sets("shop-main"), serde_json::json!([name]));
    let json: Value = serde_json::from_str(&project.read("review/changes.json")).unwrap();
    assert_eq!(json[0]["summary"], "no changes");
    deploy(&project, &server, &["--change-set-name", "no name"])
        .assert_code(2)
        .assert_says("letters, digits and hyphens");

    // Without staging nothing is uploaded.
    project.write("templates/later.yaml", "Resources: {}");
    let staged = deploy(&project, &server, &["--no-execute", "--staged"]);
    staged.assert_code(0).assert_silent_about("upload");
}

/// A change set that has failed CloudFormation's checks.
pub const FAILED_CHECK: &str = "<DescribeChangeSetResponse \
    xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">
<DescribeChangeSetResult><Status>FAILED</Status><ExecutionStatus>UNAVAILABLE</ExecutionStatus><StatusReason>\
The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation].</StatusReason>
</DescribeChangeSetResult></DescribeChangeSetResponse>";
/// The checks, as DescribeEvents shows them.
pub const CHECKS: &str = "<DescribeEventsResponse \
    xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">
<DescribeEventsResult><OperationEvents><member><EventType>VALIDATION_ERROR</EventType>
<LogicalResourceId>Queue</LogicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType>
<ValidationStatusReason>#/VisibilityTimeout: -1 is not greater or equal to \
0</ValidationStatusReason>
<ValidationPath>/Resources/Queue/Properties/VisibilityTimeout</ValidationPath></member></OperationEvents>
</DescribeEventsResult></DescribeEventsResponse>";

#[test]
fn failed_checks_are_told_with_their_lines() {
    let (server, project) = (Server::take(Kind::Simulator), Project::copy_of("deploy"));
    deploy(&project, &server, &["--yes"]).assert_code(0);
    project.replace(
        "templates/shop.yaml",
        "VisibilityTimeout: 30",
        "VisibilityTimeout: 40",
    );
    project.write("failed.xml", FAILED_CHECK);
    project.write("checks.xml", CHECKS);
    let fault =
        |call: &str, file: &str| format!("{call}=body:{}", project.path().join(file).display());
    let faults = [
        fault("DescribeChangeSet", "failed.xml*1"),
        fault("DescribeEvents", "checks.xml"),
    ];
    let proxy = Proxy::with_faults(&server, &[&faults[0], &faults[1]]);
    let failed = Taskcat::at(&project, &proxy.endpoint())
        .args(["deploy", "run", "-l", "--yes"])
        .run();
    failed
        .assert_code(1)
        .assert_says("AWS::EarlyValidation::PropertyValidation");
    failed.assert_says(
        "Queue: #/VisibilityTimeout: -1 is not greater or equal to 0 (VisibilityTimeout in \
         templates/shop.yaml:15)",
    );
}
