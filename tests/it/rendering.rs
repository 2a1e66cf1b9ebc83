//! `taskcat render`: a template as CloudFormation would see it, without AWS.

use serde_json::{Value, json};

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

const TEMPLATE: &str = "\
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  Env:
    Type: String
    AllowedValues: [dev, prod]
    Default: dev
  Owner:
    Type: String
  Password:
    Type: String
    NoEcho: true
    Default: hunter2
Mappings:
  Names:
    dev: {Queue: small}
    prod: {Queue: large}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsOurs: !Equals [!Ref 'AWS::AccountId', '123456789012']
Resources:
  Queue:
    Type: AWS::SQS::Queue
    DeletionPolicy: Retain
    Properties:
      QueueName: !FindInMap [Names, !Ref Env, Queue]
      KmsMasterKeyId: !Ref AWS::NoValue
      Tags:
        - {Key: owner, Value: !Sub '${Owner} in ${AWS::Region}'}
        - {Key: url, Value: !Sub 'amqp://user:${Password}@host'}
        - {Key: encoded, Value: {'Fn::Base64': !Ref Password}}
  Alarm:
    Type: AWS::SNS::Topic
    Condition: IsProd
  Ours:
    Type: AWS::SNS::Topic
    Condition: IsOurs
Outputs:
  Arn:
    Value: !GetAtt Queue.Arn
";

#[track_caller]
fn render(project: &Project, args: &[&str]) -> Outcome {
    let outcome = Taskcat::offline(project)
        .args(["render"])
        .args(args.iter().copied())
        .run();
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    outcome
}

fn project() -> Project {
    let project = Project::empty("single");
    project.write("t.yaml", TEMPLATE);
    project
}

#[test]
fn what_cloudformation_would_see() {
    let outcome = render(
        &project(),
        &[
            "t.yaml",
            "--region",
            "cn-north-1",
            "--parameter",
            "Owner=me=you",
        ],
    );
    outcome.assert_code(0);
    let expect = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "DeletionPolicy": "Retain",
                "Properties": {
                    "QueueName": "small",
                    "Tags": [
                        {"Key": "owner", "Value": "me=you in cn-north-1"},
                        {"Key": "url", "Value": "amqp://user:****@host"},
                        {"Key": "encoded", "Value": "KioqKg=="},
                    ],
                },
            },
            "Ours": {"Type": "AWS::SNS::Topic", "Condition": {"Unknown": "AWS::AccountId"}},
        },
        "Outputs": {"Arn": {"Value": {"Unknown": "attribute Arn of Queue"}}},
    });
    assert_eq!(
        serde_json::from_str::<Value>(&outcome.stdout).unwrap(),
        expect
    );
    assert_eq!(outcome.stderr, "");
}

#[test]
fn as_yaml() {
    let outcome = render(
        &project(),
        &[
            "t.yaml",
            "-r",
            "us-east-1",
            "--parameter",
            "Env=prod",
            "--format",
            "yaml",
        ],
    );
    outcome.assert_code(0);
    let expect = "\
AWSTemplateFormatVersion: \"2010-09-09\"
Resources:
  Queue:
    Type: AWS::SQS::Queue
    DeletionPolicy: Retain
    Properties:
      QueueName: large
      Tags:
        - Key: owner
          Value:
            Unknown: parameter Owner
        - Key: url
          Value: amqp://user:****@host
        - Key: encoded
          Value: KioqKg==
  Alarm:
    Type: AWS::SNS::Topic
  Ours:
    Type: AWS::SNS::Topic
    Condition:
      Unknown: AWS::AccountId
Outputs:
  Arn:
    Value:
      Unknown: attribute Arn of Queue
";
    assert_eq!(outcome.stdout, expect);
}

/// What fails is told with its line, and the rest is printed all the same.
#[test]
fn failures_are_told_with_their_lines() {
    let outcome = render(
        &project(),
        &["t.yaml", "-r", "us-east-1", "--parameter", "Env=test"],
    );
    outcome.assert_code(1);
    outcome.assert_says("error: Parameter 'Env' must be one of AllowedValues\n --> t.yaml:3:3");
    outcome.assert_says("note: parameter Env is set by --parameter");
    assert_eq!(
        serde_json::from_str::<Value>(&outcome.stdout).unwrap()["AWSTemplateFormatVersion"],
        "2010-09-09"
    );

    let project = project();
    project.replace("t.yaml", "    prod: {Queue: large}\n", "");
    let outcome = render(
        &project,
        &["t.yaml", "-r", "us-east-1", "--parameter", "Env=prod"],
    );
    outcome
        .assert_code(1)
        .assert_says("Template error: Unable to get mapping for Names::prod::Queue");
    outcome.assert_says("t.yaml:24:");
}

/// Nested stacks of the project are looked into, from wherever in it the template is rendered.
#[test]
fn nested_stacks_give_their_outputs() {
    let project = Project::copy_of("offline");
    let parent = "templates/good.template.yaml";
    let output = |outcome: &Outcome| {
        let rendered: Value = serde_json::from_str(&outcome.assert_code(0).stdout).unwrap();
        rendered["Outputs"]["Type"]["Value"].clone()
    };
    assert_eq!(
        output(&render(&project, &[parent, "-r", "eu-west-1"])),
        "t3.micro"
    );
    let elsewhere = Project::empty("elsewhere");
    let absolute = project.path().join(parent);
    assert_eq!(
        output(&render(
            &elsewhere,
            &[absolute.to_str().unwrap(), "-r", "eu-west-1"]
        )),
        "t3.micro"
    );
}

#[test]
fn what_is_not_a_template_or_not_a_flag() {
    let project = project();
    let render = |args: &[&str]| render(&project, args);
    render(&["gone.yaml", "-r", "us-east-1"])
        .assert_code(2)
        .assert_says("gone.yaml: no such file");
    render(&[".", "-r", "us-east-1"])
        .assert_code(2)
        .assert_says("is a directory");
    render(&["t.yaml"]).assert_code(2).assert_says("--region");
    let misspelt = render(&["t.yaml", "-r", "us-east-1", "--parameter", "Evn=dev"]);
    misspelt
        .assert_code(2)
        .assert_says("--parameter Evn: t.yaml does not declare it")
        .assert_says("did you mean `Env`?");
    render(&["t.yaml", "-r", "us-east-1", "--parameter", "Env"])
        .assert_code(2)
        .assert_says("expected KEY=VALUE");
    render(&["t.yaml", "-r", "us-east-1", "--format", "xml"])
        .assert_code(2)
        .assert_says("json, yaml");
    project.write("t.yaml", "Resources: [\n");
    render(&["t.yaml", "-r", "us-east-1"])
        .assert_code(2)
        .assert_says("t.yaml:");
    project.write("t.yaml", "");
    render(&["t.yaml", "-r", "us-east-1"])
        .assert_code(2)
        .assert_says("Template format error: unsupported structure.");
}
