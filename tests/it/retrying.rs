//! `test retry`: one nested stack is launched again with what its parent gave it.

use serde_json::Value;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

const REGIONS: [&str; 1] = ["us-east-1"];

/// A project with a nested stack whose test has run and kept its stacks, and the parent's name.
fn tested(server: &Server) -> (Project, String) {
    let project = Project::copy_of("deploy");
    Taskcat::test_run(&project, server)
        .args(["-l", "-n"])
        .run()
        .assert_code(0);
    let names = server.standing(&REGIONS).stack_names();
    let parent = names.iter().min_by_key(|name| name.len()).unwrap();
    let parent = parent.trim_end_matches("@us-east-1").to_owned();
    (project, parent)
}

fn retry(project: &Project, endpoint: &str, args: &[&str]) -> Outcome {
    let run = Taskcat::at(project, endpoint).args(["test", "retry"]);
    run.args(args.iter().copied()).run()
}

fn stack<'s>(stacks: &'s [Value], part: &str) -> Option<&'s Value> {
    let has_name = |it: &&Value| it["name"].as_str().unwrap().contains(part);
    stacks.iter().find(has_name)
}

#[test]
fn a_nested_stack_is_launched_again() {
    let server = Server::take(Kind::Simulator);
    let (project, parent) = tested(&server);
    // A parameter of the configuration doesn't replace what the parent gave.
    project.replace(
        ".taskcat.yml",
        "tests:\n",
        "  parameters: {Cidr: 10.9.0.0/16}\ntests:\n",
    );
    project.replace(
        "templates/network.yaml",
        "      CidrBlock: !Ref Cidr",
        "      CidrBlock: !Ref Cidr\n  Gate:\n    Type: AWS::EC2::InternetGateway",
    );
    let outcome = retry(
        &project,
        &server.endpoint(),
        &["us-east-1", &parent, "Network", "-n"],
    );
    outcome
        .assert_code(0)
        .assert_says("deleting the nested stack Network first")
        .assert_says("default us-east-1 CREATE_COMPLETE")
        .assert_says("1 passed");
    let stacks = server.standing(&REGIONS).stacks;
    let again = stack(&stacks, "tCaT-shop-default-").unwrap();
    assert_eq!(
        again["parameters"],
        serde_json::json!({"Cidr": "10.0.0.0/16"})
    );
    assert!(
        stack(&stacks, &format!("{parent}-Network")).is_none(),
        "{stacks:#?}"
    );
    assert!(stack(&stacks, &parent).is_some(), "{stacks:#?}");

    // Its stack is no longer there, and the one of the retry is deleted in the end.
    retry(
        &project,
        &server.endpoint(),
        &["us-east-1", &parent, "Network"],
    )
    .assert_code(0)
    .assert_silent_about("deleting the nested stack")
    .assert_says("1 passed");
    assert_eq!(server.standing(&REGIONS).stacks.len(), 2);
}

#[test]
fn what_cannot_be_retried_is_refused() {
    let server = Server::take(Kind::Simulator);
    let (project, parent) = tested(&server);
    server.given(&["stack", "somebody-elses", "us-east-1"]);
    let check = |args: &[&str], said: &str| {
        retry(&project, &server.endpoint(), args)
            .assert_code(2)
            .assert_says(said);
    };
    check(&["us-east-1", &parent], "<RESOURCE_NAME>");
    check(
        &["us-east-1", "no-such-stack", "Network"],
        "there is no stack no-such-stack in us-east-1",
    );
    check(
        &["us-east-1", "somebody-elses", "Topic"],
        "the stack somebody-elses was not created by a test run of taskcat",
    );
    check(
        &["us-east-1", &parent, "Nothing"],
        &format!("the stack {parent} has no resource Nothing"),
    );
    check(
        &["us-east-1", &parent, "Topic"],
        "Topic is a resource of type AWS::SNS::Topic, not a nested stack",
    );
    let other = Project::copy_of("undeclared-parameter");
    retry(
        &other,
        &server.endpoint(),
        &["us-east-1", &parent, "Network"],
    )
    .assert_code(2)
    .assert_says("the template of Network isn't in this project");
    // Nothing is deleted that can't be launched again.
    project.write("templates/network.yaml", "Resources: [\n");
    let args = ["us-east-1", &parent, "Network"];
    retry(&project, &server.endpoint(), &args)
        .assert_code(2)
        .assert_says("templates/network.yaml");
    assert_eq!(server.standing(&REGIONS).stacks.len(), 3);
}

#[test]
fn a_denied_call_launches_nothing() {
    let server = Server::take(Kind::Simulator);
    let (project, parent) = tested(&server);
    let args = ["us-east-1", &parent, "Network"];
    let proxy = Proxy::with_faults(&server, &["DescribeStackEvents=403:AccessDenied"]);
    retry(&project, &proxy.endpoint(), &args)
        .assert_code(3)
        .assert_says("AccessDenied");
    // A deletion that fails is tried again for a while.
    let proxy = Proxy::with_faults(&server, &["DeleteStack=403:AccessDenied"]);
    retry(&project, &proxy.endpoint(), &args)
        .assert_code(4)
        .assert_says("not deleted: stack");
    assert_eq!(proxy.calls().count("CreateStack"), 0);
    assert_eq!(server.standing(&REGIONS).stacks.len(), 2);
}

/// CloudFormation doesn't tell the values of `NoEcho` parameters.
#[test]
fn a_hidden_value_is_taken_from_the_configuration() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("deploy");
    project.replace(
        "templates/shop.yaml",
        "  Cidr:\n    Type: String\n",
        "  Cidr:\n    Type: String\n    NoEcho: true\n",
    );
    Taskcat::test_run(&project, &server)
        .args(["-l", "-n"])
        .run()
        .assert_code(0);
    let names = server.standing(&REGIONS).stack_names();
    let parent = names.iter().min_by_key(|name| name.len()).unwrap();
    let parent = parent.trim_end_matches("@us-east-1");
    let args = ["us-east-1", parent, "Network", "-n"];
    retry(&project, &server.endpoint(), &args)
        .assert_code(2)
        .assert_says("the value of `Cidr` is hidden in the events of the parent stack")
        .assert_says("set project.parameters.Cidr");
    project.replace(
        ".taskcat.yml",
        "tests:\n",
        "  parameters: {Cidr: 10.9.0.0/16}\ntests:\n",
    );
    retry(&project, &server.endpoint(), &args).assert_code(0);
    let stacks = server.standing(&REGIONS).stacks;
    let again = stack(&stacks, "tCaT-shop-default-").unwrap();
    assert_eq!(
        again["parameters"],
        serde_json::json!({"Cidr": "10.9.0.0/16"})
    );
}
