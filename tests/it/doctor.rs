//! `taskcat doctor`: every profile that the project uses.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::simulator::Simulator;
use crate::sources::home_file;
use crate::taskcat::{Outcome, Taskcat};

const CREDENTIALS: &str = "[everyday]\naws_access_key_id = AKIAEVERYDAY\naws_secret_access_key = \
     s3cr3t\n[europe]\naws_access_key_id = AKIAEUROPE\naws_secret_access_key = s3cr3t\n";

/// A project whose regions have profiles of their own, and a server.
fn project(auth: &str) -> (Project, Server) {
    let project = Project::copy_of("given-bucket");
    project.replace(
        ".taskcat.yml",
        "  s3_bucket: the-users-own-bucket\n",
        &format!("  auth: {auth}\n"),
    );
    home_file(&project, ".aws/credentials", CREDENTIALS);
    (project, Server::take(Kind::Simulator))
}

fn doctor(project: &Project, server: &Server, arguments: &[&str]) -> Outcome {
    let run = Taskcat::offline(project).env("AWS_ENDPOINT_URL", server.endpoint());
    let run = run.args(["doctor"]).args(arguments.iter().copied());
    let outcome = run.run();
    assert!(!outcome.stdout.contains("s3cr3t"), "{}", outcome.stdout);
    outcome
}

fn rows<'a>(outcome: &'a Outcome, name: &str) -> Vec<&'a str> {
    let rows = outcome.stdout.lines();
    rows.filter_map(|line| line.strip_prefix(name))
        .map(str::trim)
        .collect()
}

fn profiles(outcome: &Outcome) -> Value {
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    json["profiles"].clone()
}

#[test]
fn every_profile_of_the_project_is_checked() {
    let (project, server) = project("{default: everyday, eu-west-1: europe}");
    let outcome = doctor(&project, &server, &[]);
    outcome.assert_code(0);
    let place = |line| format!("{}/.aws/credentials:{line}", project.home().display());
    let expected = [
        format!("profile `everyday` ({})", place(1)),
        format!("profile `europe` ({})", place(4)),
    ];
    assert_eq!(rows(&outcome, "profile "), expected);
    assert_eq!(
        rows(&outcome, "region "),
        ["us-east-1 (of the tests)", "eu-west-1 (of the tests)"]
    );
    assert_eq!(rows(&outcome, "tests "), ["topic", "topic"]);
    assert_eq!(rows(&outcome, "account "), ["123456789012"; 2]);

    let outcome = doctor(&project, &server, &["--format", "json"]);
    outcome.assert_code(0);
    let profiles = profiles(&outcome);
    let names: Vec<_> = profiles
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["everyday", "europe"]);
    assert_eq!(profiles[1]["regions"], json!(["eu-west-1"]));
    assert_eq!(profiles[1]["tests"], json!(["topic"]));
    assert_eq!(profiles[1]["setup"]["account"], "123456789012");
    assert_eq!(profiles[1]["setup"]["ca_bundle"], "the system's");
    assert_eq!(profiles[1]["error"], Value::Null);
}

/// One that can't be used doesn't keep the others from being checked.
#[test]
fn a_profile_that_fails_is_named_beside_the_others() {
    let (project, server) = project("{default: evryday, eu-west-1: europe}");
    let outcome = doctor(&project, &server, &[]);
    outcome
        .assert_code(3)
        .assert_says("profile `evryday` doesn't exist")
        .assert_says("did you mean `everyday`?");
    assert_eq!(outcome.stderr.matches("error:").count(), 1);
    assert_eq!(rows(&outcome, "account "), ["123456789012"]);

    let outcome = doctor(&project, &server, &["-f", "json"]);
    outcome.assert_code(3);
    let profiles = profiles(&outcome);
    let error = &profiles[0]["error"];
    assert!(
        error["message"].as_str().unwrap().contains("evryday"),
        "{error}"
    );
    assert!(
        error["help"].as_str().unwrap().contains("everyday"),
        "{error}"
    );
    assert_eq!(profiles[1]["error"], Value::Null);

    // --profile counts for regions without a profile of their own.
    let outcome = doctor(&project, &server, &["--profile", "everyday"]);
    outcome.assert_code(0);
    assert_eq!(rows(&outcome, "account "), ["123456789012"; 2]);
}

#[test]
fn outside_of_a_project_the_selected_profile_is_checked() {
    let server = Server::take(Kind::Simulator);
    let project = Project::empty("elsewhere");
    home_file(&project, ".aws/credentials", CREDENTIALS);
    let outcome = doctor(&project, &server, &["--profile", "europe"]);
    outcome.assert_code(0);
    assert_eq!(rows(&outcome, "region "), ["us-east-1 (AWS_REGION)"]);
    doctor(&project, &server, &[]).assert_code(3);
    // A configuration that is named has to be there.
    doctor(&project, &server, &["-i", "other.yml"]).assert_code(2);
    project.write(".taskcat.yml", "project: {nmae: p}\n");
    doctor(&project, &server, &[])
        .assert_code(2)
        .assert_says("nmae");
}

/// The configuration of a project that needs programs, and its files.
const NEEDY: &str = "\
project: {name: needy, regions: [us-east-1, me-south-1]}
tests:
  one:
    template: template.yaml
    prehooks: [{type: script, config: {command: [./check.py]}}]
    posthooks: [{type: notify}]
";

fn needy() -> Project {
    let project = Project::empty("needy");
    project.write(".taskcat.yml", NEEDY);
    project.write("template.yaml", "Resources: {T: {Type: AWS::SNS::Topic}}\n");
    project.write("lambda_functions/source/f/Dockerfile", "FROM scratch\n");
    project.write("check.py", "#!/usr/bin/env python3\n");
    project
}

/// Runs `doctor` in an environment with a PATH of its own, against a simulator with a scenario.
fn checkup(project: &Project, scenario: &str, path: &str, args: &[&str]) -> Outcome {
    let file = project.home().join("scenario.yml");
    std::fs::write(&file, scenario).unwrap();
    let simulator = Simulator::start(&["--scenario", file.to_str().unwrap()]);
    Taskcat::bare(project)
        .env("AWS_ENDPOINT_URL", simulator.endpoint())
        .env("AWS_ACCESS_KEY_ID", "AKIAEVERYDAY")
        .env("AWS_SECRET_ACCESS_KEY", "s3cr3t")
        .env("PATH", path)
        .args(["doctor"].into_iter().chain(args.iter().copied()))
        .run()
}

/// Writes programs that succeed, and returns their directory.
fn programs(project: &Project, names: &[&str]) -> String {
    let directory = project.home().join("programs");
    std::fs::create_dir_all(&directory).unwrap();
    for name in names {
        let file = directory.join(name);
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    directory.to_str().unwrap().to_owned()
}

const ALL_PROGRAMS: [&str; 4] = ["git", "podman", "python3", "taskcat-hook-notify"];

#[test]
fn what_a_project_needs_is_found() {
    let project = needy();
    let path = programs(&project, &ALL_PROGRAMS);
    let outcome = checkup(&project, "{}\n", &path, &[]);
    outcome.assert_code(0);
    assert_eq!(outcome.stderr, "");
    assert_eq!(rows(&outcome, "clock "), ["the same time as AWS"]);
    assert_eq!(rows(&outcome, "enabled "), ["us-east-1, me-south-1"]);
    let permissions = rows(&outcome, "permissions ");
    assert!(
        permissions[0].contains(" actions allowed (simulated by IAM); not checked: "),
        "{permissions:?}"
    );
    assert_eq!(rows(&outcome, "git "), [format!("{path}/git")]);
    assert_eq!(rows(&outcome, "container "), ["podman"]);
    assert_eq!(rows(&outcome, "hooks "), ["2 found"]);
}

#[test]
fn missing_programs_are_named_with_what_needs_them() {
    let project = needy();
    let path = programs(&project, &[]);
    let outcome = checkup(&project, "{}\n", &path, &[]);
    outcome
        .assert_code(1)
        .assert_says("warning: `git` was not found on PATH")
        .assert_says("error: a Lambda function has a Dockerfile, but there is no program")
        .assert_says("error: a hook of test one fails (")
        .assert_says(".taskcat.yml:5:")
        .assert_says("the interpreter of `./check.py`, `/usr/bin/env python3`, was not found")
        .assert_says("no program `taskcat-hook-notify` was found on PATH");
    assert_eq!(rows(&outcome, "hooks "), ["0 of 2 found"]);
}

#[test]
fn a_wrong_clock_and_disabled_regions_are_reported() {
    let project = needy();
    let path = programs(&project, &ALL_PROGRAMS);
    let scenario = "clock_ahead: 20m\ndisabled_regions: [me-*]\n";
    let outcome = checkup(&project, scenario, &path, &[]);
    outcome
        .assert_code(3)
        .assert_says("min behind AWS, which refuses requests")
        .assert_says("help: synchronize the clock")
        .assert_says("error: the region me-south-1 is not enabled in account 123456789012")
        .assert_says("aws account enable-region --region-name me-south-1");
    assert_eq!(
        rows(&outcome, "enabled "),
        ["us-east-1; not enabled: me-south-1"]
    );

    let outcome = checkup(&project, scenario, &path, &["--format", "json"]);
    outcome.assert_code(3);
    let checks = &profiles(&outcome)[0]["checks"];
    assert_eq!(checks[1]["name"], "enabled");
    assert_eq!(checks[1]["problems"][0]["severity"], "error");
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(json["programs"][0]["problems"], json!([]));
}

#[test]
fn denied_actions_are_named() {
    let project = needy();
    let path = programs(&project, &ALL_PROGRAMS);
    let denied = |rules: &str| {
        let scenario = format!("calls: [{rules}]\n");
        checkup(&project, &scenario, &path, &[])
    };
    denied("{service: cloudformation, action: CreateStack, fault: deny}")
        .assert_code(3)
        .assert_says("error: the policies of arn:aws:iam::123456789012:user/simulated do not allow")
        .assert_says("what taskcat calls: cloudformation:CreateStack")
        .assert_says("`taskcat generate-iam-policy`");
    // A schema lists whatever a handler may call.
    denied("{service: sns, fault: deny}")
        .assert_code(0)
        .assert_says("warning: the policies of")
        .assert_says("what CloudFormation may call for the resources: sns:CreateTopic");
    // Without IAM, two calls are tried.
    let outcome = denied("{service: iam, fault: deny}");
    outcome
        .assert_code(0)
        .assert_says("warning: most permissions cannot be checked without changing something")
        .assert_says("help: allow iam:SimulatePrincipalPolicy");
    assert_eq!(
        rows(&outcome, "permissions "),
        [
            "allowed when tried: cloudformation:DescribeStacks, s3:ListAllMyBuckets; the others \
          were not checked"
        ]
    );
    denied("{service: iam, fault: deny}, {service: cloudformation, fault: deny}")
        .assert_code(3)
        .assert_says("error: cloudformation:DescribeStacks failed: us-east-1: DescribeStacks");
}

/// What needs no credentials is checked.
#[test]
fn without_credentials_the_programs_are_checked() {
    let project = needy();
    let path = programs(&project, &ALL_PROGRAMS[1..]);
    let outcome = Taskcat::bare(&project)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("PATH", path)
        .args(["doctor"])
        .run();
    outcome
        .assert_code(3)
        .assert_says("no credentials were found")
        .assert_says("warning: `git` was not found on PATH");
    assert_eq!(
        rows(&outcome, "permissions "),
        ["not checked: AWS cannot be called with this profile"]
    );
    assert_eq!(rows(&outcome, "hooks "), ["2 found"]);
}
