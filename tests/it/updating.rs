//! Tests that launch an earlier version of a stack and update it: `update_from`,
//! `forbid_replacement` and `idempotent`.

use std::process::Command;

use serde_json::{Value, json};

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::simulator::Simulator;
use crate::taskcat::{Outcome, Taskcat};

const OLD: &str = "Parameters:
  Name: {Type: String}
  Title: {Type: String}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Ref Name}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !Ref Title}
  Extra: {Type: AWS::SNS::Topic}
";

const NEW: &str = "Parameters:
  Name: {Type: String}
  Title: {Type: String}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Ref Name, DelaySeconds: 5}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !Ref Title}
  Added: {Type: AWS::SNS::Topic}
Outputs:
  Queue: {Value: !GetAtt Queue.QueueName}
";

/// A project whose test has these further keys.
fn project(more: &str) -> Project {
    let project = Project::empty("updating");
    let parameters = "{Name: '$[taskcat_genuuid]', Title: new}";
    let config = format!(
        "project: {{name: shop, regions: [us-east-1]}}\ntests:\n  main:\n    template: \
         new.yaml\n    parameters: {parameters}\n    {more}\n"
    );
    project.write(".taskcat.yml", &config);
    project.write("old.yaml", OLD);
    project.write("new.yaml", NEW);
    project
}

fn run(project: &Project, server: &Server) -> Outcome {
    Taskcat::test_run(project, server).args(["-l"]).run()
}

fn cell(outcome: &Outcome) -> Value {
    outcome.cell("main", "us-east-1")
}

/// The events of resources with a status, in their order.
fn resources_in(cell: &Value, status: &str) -> Vec<String> {
    let events = cell["events"].as_array().unwrap().iter();
    let found = events.filter(|it| it["status"] == status);
    let ids = found.map(|it| it["logical_id"].as_str().unwrap().to_owned());
    ids.collect()
}

/// The action and logical ID of each change of the update.
fn changes(cell: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let changes = cell["update"]["changes"].as_array().unwrap().iter();
    let mut changes: Vec<_> = changes
        .map(|it| (text(&it["action"]), text(&it["logical_id"])))
        .collect();
    changes.sort();
    changes
}

#[test]
fn the_earlier_version_is_updated_to_the_new_one() {
    let server = Server::take(Kind::Simulator);
    let project = project(
        "update_from: {template: old.yaml, parameters: {Title: old}}\n    checks: [{output: {key: \
         Queue, matches: '-'}}]",
    );
    let outcome = run(&project, &server);
    outcome
        .assert_code(0)
        .assert_says("4 changes: 1 to add, 2 to modify, 1 to delete");
    let cell = cell(&outcome);
    assert_eq!(cell["update"]["from"], "old.yaml");
    assert_eq!(cell["checks"][0]["result"], "passed", "{cell:#}");
    assert_eq!(cell["stack_status"], "UPDATE_COMPLETE");
    let expect = [
        ("Add", "Added"),
        ("Modify", "Queue"),
        ("Modify", "Topic"),
        ("Remove", "Extra"),
    ];
    let expect = expect.map(|(action, id)| (action.to_owned(), id.to_owned()));
    // The generated name is the same in both versions, or the queue would be replaced.
    assert_eq!(changes(&cell), expect);
    let queue = cell["update"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["logical_id"] == "Queue");
    assert_eq!(queue.unwrap()["replacement"], "False");
    assert!(resources_in(&cell, "CREATE_COMPLETE").contains(&"Extra".to_owned()));
    assert!(resources_in(&cell, "UPDATE_COMPLETE").contains(&"Topic".to_owned()));
    assert_eq!(cell["outputs"][0]["key"], "Queue");
    let page = outcome.output("index.html");
    assert!(
        page.contains("Updated from</dt><dd><code>old.yaml</code>: 4 changes"),
        "{page}"
    );
    let standing = server.standing(&["us-east-1"]);
    assert!(standing.stacks.is_empty() && standing.buckets.is_empty());
}

#[test]
fn a_forbidden_replacement_or_deletion_fails_before_it_happens() {
    let cases = [
        (
            "parameters: {Name: other-name}",
            "Queue",
            "the update would replace Queue (AWS::SQS::Queue) because of QueueName, which \
             `forbid_replacement` forbids",
        ),
        (
            "parameters: {Title: old}",
            "Extra",
            "the update would delete Extra (AWS::SNS::Topic), which `forbid_replacement` forbids",
        ),
    ];
    for (old, forbidden, reason) in cases {
        let server = Server::take(Kind::Simulator);
        let project = project(&format!(
            "update_from: {{template: old.yaml, {old}}}\n    forbid_replacement: [{forbidden}]"
        ));
        let outcome = run(&project, &server);
        outcome.assert_code(1).assert_says(reason);
        let cell = cell(&outcome);
        assert_eq!(cell["reason"], reason);
        assert_eq!(cell["stack_status"], "CREATE_COMPLETE");
        assert_eq!(resources_in(&cell, "UPDATE_IN_PROGRESS"), [""; 0]);
        let standing = server.standing(&["us-east-1"]);
        assert!(standing.stacks.is_empty() && standing.buckets.is_empty());
    }
}

#[test]
fn a_failed_update_has_its_cause() {
    let server = Server::take(Kind::Simulator);
    let project = project("update_from: {template: old.yaml, parameters: {Name: good}}");
    project.replace(".taskcat.yml", "'$[taskcat_genuuid]'", "'no name!'");
    let outcome = run(&project, &server);
    outcome.assert_code(1).assert_says("new.yaml:5");
    let cell = cell(&outcome);
    assert_eq!(cell["stack_status"], "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(cell["root_cause"]["path"], json!(["Queue"]), "{cell:#}");
    assert!(server.standing(&["us-east-1"]).stacks.is_empty());
}

/// The stack sets the SSM parameter that it reads.
#[test]
fn an_update_that_changes_something_again_is_not_idempotent() {
    let server = Server::take(Kind::Simulator);
    let project = project("idempotent: true");
    run(&project, &server).assert_code(0);

    let project = Project::empty("updating");
    project.write(
        ".taskcat.yml",
        "project: {name: shop, regions: [us-east-1]}\ntests:\n  main:\n    template: new.yaml\n    \
         update_from: {template: old.yaml}\n    idempotent: true\n",
    );
    let release = "Resources:\n  Release: {Type: AWS::SSM::Parameter, Properties: {Name: \
                   /release, Type: String, Value: one}}\n";
    project.write("old.yaml", release);
    project.write(
        "new.yaml",
        &format!(
            "Parameters:\n  Seen: {{Type: 'AWS::SSM::Parameter::Value<String>', Default: \
             /release}}\n{}  Topic: {{Type: AWS::SNS::Topic, Properties: {{DisplayName: !Ref \
             Seen}}}}\n",
            release.replace("one", "two")
        ),
    );
    run(&project, &server).assert_code(1).assert_says(
        "not idempotent: updating the stack to the same version again would change Topic \
         (AWS::SNS::Topic)",
    );
    assert!(server.standing(&["us-east-1"]).stacks.is_empty());
}

#[test]
fn an_update_without_changes_passes() {
    let server = Server::take(Kind::Simulator);
    let project = project("update_from: {template: new.yaml}\n    idempotent: true");
    let outcome = run(&project, &server);
    outcome.assert_code(0);
    let cell = cell(&outcome);
    assert_eq!(cell["update"]["changes"], json!([]));
    assert_eq!(cell["stack_status"], "CREATE_COMPLETE");
}

#[test]
fn nested_stacks_are_followed_through_the_update() {
    let server = Server::take(Kind::Simulator);
    let project = project("update_from: {template: old.yaml}");
    let outer = |child: &str| {
        format!(
            "Parameters:\n  Name: {{Type: String}}\n  Title: {{Type: String}}\nResources:\n  \
             Inner:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      TemplateURL: \
             !Sub https://${{Bucket}}.s3.amazonaws.com/shop/{child}\n"
        )
        .replace("Parameters:\n", "Parameters:\n  Bucket: {Type: String}\n")
    };
    project.replace(
        ".taskcat.yml",
        "{Name:",
        "{Bucket: '$[taskcat_autobucket]', Name:",
    );
    project.write("old.yaml", &outer("one.yaml"));
    project.write("new.yaml", &outer("two.yaml"));
    let topic = |name: &str| {
        format!(
            "Resources:\n  Topic: {{Type: AWS::SNS::Topic, Properties: {{DisplayName: {name}}}}}\n"
        )
    };
    project.write("one.yaml", &topic("one"));
    project.write("two.yaml", &topic("two"));
    let outcome = run(&project, &server);
    outcome.assert_code(0);
    let cell = cell(&outcome);
    assert!(
        resources_in(&cell, "UPDATE_COMPLETE").contains(&"Topic".to_owned()),
        "{cell:#}"
    );
    assert!(server.standing(&["us-east-1"]).stacks.is_empty());
}

#[test]
fn a_denied_change_set_fails_the_test_alone() {
    let project = project("update_from: {template: old.yaml}\n  other: {template: plain.yaml}");
    project.write(
        "plain.yaml",
        "Resources: {Topic: {Type: AWS::SNS::Topic}}\n",
    );
    project.write(
        "denied.yml",
        "calls: [{service: cloudformation, action: CreateChangeSet, fault: deny}]\n",
    );
    let outcome = Taskcat::offline(&project)
        .args(["test", "run", "--local", "-l", "--scenario", "denied.yml"])
        .run();
    outcome
        .assert_code(1)
        .assert_says("the stack cannot be updated: us-east-1: CreateChangeSet: AccessDenied")
        .assert_says("1 failed, 1 passed");
    assert_eq!(cell(&outcome)["teardown"]["state"], "deleted");
}

#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn moto_updates_the_earlier_version() {
    let server = Server::take(Kind::Moto);
    let project = project("update_from: {template: old.yaml, parameters: {Title: old}}");
    let outcome = run(&project, &server);
    outcome.assert_code(0);
    assert_eq!(cell(&outcome)["stack_status"], "UPDATE_COMPLETE");
    server.standing(&["us-east-1"]).assert_nothing();
}

/// CloudFormation deletes no stack while it is updated.
#[test]
fn an_interrupted_update_is_cancelled_and_its_stack_deleted() {
    let project = project("update_from: {template: old.yaml}");
    project.write(
        "../slow.yml",
        "resources: [{logical_id: Queue, phase: update, takes: 10m}]\n",
    );
    let scenario = project.path().join("../slow.yml");
    let server = Simulator::start(&["--scenario", scenario.to_str().unwrap()]);
    let mut run = Taskcat::test_run_at(&project, Kind::Simulator, &server.endpoint())
        .args(["-l"])
        .start();
    run.wait_until("the queue is being updated", || {
        let path = project.path().join("taskcat_outputs/events.ndjson");
        let events = std::fs::read_to_string(path).unwrap_or_default();
        events.contains("UPDATE_IN_PROGRESS")
    });
    run.signal("INT");
    let outcome = run.wait();
    outcome.assert_code(130);
    let cell = cell(&outcome);
    assert_eq!(cell["state"], "interrupted");
    assert_eq!(cell["teardown"]["state"], "deleted", "{cell:#}");
}

/// Runs `git` in the project, as somebody.
fn git(project: &Project, arguments: &[&str]) {
    let user = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    let mut git = Command::new("git");
    git.arg("-C").arg(project.path()).args(user).args(arguments);
    let output = git.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// Both versions nest a template of the same name, from the key prefix that a parameter names.
#[test]
fn the_earlier_version_comes_from_git_with_its_files_and_parameters() {
    let server = Server::take(Kind::Simulator);
    let project = Project::empty("updating");
    let config = |more: &str| {
        format!(
            "project: {{name: shop, regions: [us-east-1]}}\ntests:\n  main:\n    template: \
             main.yaml\n    parameters: {{Bucket: '$[taskcat_autobucket]', KeyPrefix: \
             '$[taskcat_project_name]/'{more}\n"
        )
    };
    let outer = |extra: &str| {
        format!(
            "Parameters:\n  Bucket: {{Type: String}}\n  KeyPrefix: {{Type: String}}\n{extra}\
             Resources:\n  Inner:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      \
             TemplateURL: !Sub https://${{Bucket}}.s3.amazonaws.com/${{KeyPrefix}}inner.yaml\n"
        )
    };
    let inner = |name: &str| {
        format!(
            "Resources:\n  Topic: {{Type: AWS::SNS::Topic, Properties: {{DisplayName: \
             {name}}}}}\n"
        )
    };
    project.write(".taskcat.yml", &config(", Gone: here}"));
    project.write("main.yaml", &outer("  Gone: {Type: String}\n"));
    project.write("inner.yaml", &inner("before"));
    git(&project, &["init", "--quiet"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "--quiet", "--message", "first"]);
    git(&project, &["tag", "v1.0.0"]);
    project.write(
        ".taskcat.yml",
        &config("}\n    update_from: {git_ref: v1.0.0}"),
    );
    project.write("main.yaml", &outer(""));
    project.write("inner.yaml", &inner("after"));
    let outcome = run(&project, &server);
    outcome
        .assert_code(0)
        .assert_says("4 files")
        .assert_silent_about("ignoring parameter");
    let cell = cell(&outcome);
    assert_eq!(cell["update"]["from"], "v1.0.0:main.yaml");
    assert!(
        resources_in(&cell, "UPDATE_COMPLETE").contains(&"Topic".to_owned()),
        "{cell:#}"
    );
    let standing = server.standing(&["us-east-1"]);
    assert!(standing.stacks.is_empty() && standing.buckets.is_empty());

    project.replace(".taskcat.yml", "v1.0.0", "v9");
    let outcome = run(&project, &server);
    outcome
        .assert_code(2)
        .assert_says("`git_ref`: the repository has no commit, branch or tag `v9`")
        .assert_says(".taskcat.yml:6:19");
}

#[test]
fn what_cannot_be_updated_is_named_at_once() {
    let project = project(
        "update_from: {template: old.yaml}\n    forbid_replacement: [Queu]\n  second:\n    \
         template: new.yaml\n    parameters: {Name: a, Title: b}\n    forbid_replacement: \
         [Queue]\n  third:\n    template: new.yaml\n    parameters: {Name: a, Title: b}\n    \
         update_from: {template: gone.yaml}\n  fourth:\n    template: new.yaml\n    parameters: \
         {Name: a, Title: b}\n    update_from: {template: needs.yaml}",
    );
    project.write(
        "needs.yaml",
        "Parameters: {Size: {Type: String}}\nResources: {Queue: {Type: AWS::SQS::Queue}}\n",
    );
    Taskcat::offline(&project)
        .args(["plan"])
        .run()
        .assert_code(2)
        .assert_says(".taskcat.yml:7:26")
        .assert_says("`forbid_replacement`: old.yaml has no resource `Queu`")
        .assert_says("did you mean `Queue`?")
        .assert_says("`forbid_replacement` of test `second` needs `update_from`")
        .assert_says("template gone.yaml does not exist")
        .assert_says("set them under tests.fourth.update_from.parameters");
}
