//! `taskcat doctor`: every profile that the project uses.

use serde_json::{Value, json};

use crate::project::Project;
use crate::servers::{Kind, Server};
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
