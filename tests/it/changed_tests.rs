//! Selections by patterns, by what has changed since a commit, and by what failed in the last run.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

fn taskcat(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::offline(project).args(args.iter().copied()).run()
}

fn git(project: &Project, args: &[&str]) {
    let user = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    let mut git = Command::new("git");
    git.arg("-C").arg(project.path()).args(user).args(args);
    let output = git.output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
}

const TOPIC: &str = "Parameters: {Name: {Type: String, Default: x}}\nResources: {Topic: {Type: \
    AWS::SNS::Topic}}\n";

/// Three tests, of which one nests a template.
fn project() -> Project {
    let project = Project::empty("choice");
    project.write(
        ".taskcat.yml",
        "project: {name: choice, regions: [us-east-1, eu-west-1]}\ntests:\n  \
         net-small: {template: templates/small.yaml}\n  \
         net-big: {template: templates/big.yaml, parameters: {Name: a}}\n  \
         other: {template: templates/other.yaml, regions: [us-east-1]}\n",
    );
    for name in ["small", "other", "child"] {
        project.write(&format!("templates/{name}.yaml"), TOPIC);
    }
    let url = "https://choice.s3.amazonaws.com/choice/templates/child.yaml";
    project.write(
        "templates/big.yaml",
        &format!(
            "Parameters: {{Name: {{Type: String}}}}\nResources: {{Child: {{Type: \
             AWS::CloudFormation::Stack, Properties: {{TemplateURL: '{url}'}}}}}}\n"
        ),
    );
    project.write("scripts/run.sh", "#!/bin/sh\n");
    project.write("README.md", "# Choice\n");
    project.write(
        ".gitignore",
        "/taskcat_outputs\n/.taskcat\n/.taskcat_overrides.yml\n",
    );
    git(&project, &["init", "--quiet", "--initial-branch", "main"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "--quiet", "-m", "1"]);
    project
}

/// The planned `test/region`s.
#[track_caller]
fn planned(project: &Project, args: &[&str]) -> Vec<String> {
    let outcome = taskcat(
        project,
        &[&["plan", "-l", "--format", "json"], args].concat(),
    );
    let plan: Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", outcome.stderr));
    assert_eq!(
        plan["errors"].as_array().unwrap().len(),
        0,
        "{}",
        outcome.stderr
    );
    let cells = plan["cells"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    cells
        .map(|it| format!("{}/{}", text(&it["test"]), text(&it["region"])))
        .collect()
}

#[test]
fn patterns_and_exclusions() {
    let project = project();
    let check = |args: &[&str], expect: &[&str]| {
        assert_eq!(planned(&project, args), expect, "{args:?}");
    };
    check(
        &["-t", "net-*", "--exclude", "*big"],
        &["net-small/us-east-1", "net-small/eu-west-1"],
    );
    check(
        &["-r", "us-*", "--exclude", "net-big"],
        &["net-small/us-east-1", "other/us-east-1"],
    );
    check(
        &["-t", "net-small,oth?r", "--exclude-regions", "eu-*"],
        &["net-small/us-east-1", "other/us-east-1"],
    );
    let check = |args: &[&str], message: &str, help: &str| {
        for command in [&["plan"][..], &["lint"], &["test", "run", "--local"]] {
            let outcome = taskcat(&project, &[command, args].concat());
            outcome
                .assert_code(2)
                .assert_says(message)
                .assert_says(help);
        }
    };
    check(
        &["-t", "nte-*"],
        "no test matches `nte-*`",
        "expected one of",
    );
    check(
        &["-t", "othr*"],
        "no test matches `othr*`",
        "did you mean `other`?",
    );
    check(
        &["--exclude", "othr"],
        "there is no test `othr`",
        "did you mean `other`?",
    );
    check(
        &["-r", "eu-wset-*"],
        "no region of a test matches",
        "did you mean `eu-west-1`?",
    );
    check(&["--exclude", "*"], "--exclude leaves no test", "error");

    let outcome = taskcat(&project, &["lint", "-t", "other"]);
    outcome
        .assert_code(0)
        .assert_says("other.yaml")
        .assert_silent_about("small.yaml");
}

#[test]
fn tests_that_differ_from_a_commit() {
    let project = project();
    let check = |expect: &[&str]| {
        let args = ["--changed-since", "main", "-r", "us-east-1"];
        assert_eq!(planned(&project, &args), expect);
    };
    let restore = || git(&project, &["checkout", "--quiet", "--", "."]);
    check(&[]);
    project.write("templates/other.yaml", &format!("{TOPIC}# changed\n"));
    check(&["other/us-east-1"]);
    restore();
    // A nested template, a parameter, a test that is new.
    project.write("templates/child.yaml", &format!("{TOPIC}# changed\n"));
    check(&["net-big/us-east-1"]);
    restore();
    project.replace(".taskcat.yml", "{Name: a}", "{Name: b}");
    check(&["net-big/us-east-1"]);
    restore();
    project.replace(
        ".taskcat.yml",
        "  other: {",
        "  new: {template: templates/other.yaml}\n  other: {",
    );
    check(&["new/us-east-1"]);
    restore();
    // Any stack may read a staged file, also one that isn't tracked yet; documentation doesn't
    // count, nor does what Git ignores.
    let all = [
        "net-small/us-east-1",
        "net-big/us-east-1",
        "other/us-east-1",
    ];
    project.write("scripts/run.sh", "#!/bin/sh -e\n");
    check(&all);
    restore();
    project.write("scripts/new.sh", "");
    check(&all);
    fs::remove_file(project.path().join("scripts/new.sh")).unwrap();
    project.write("README.md", "# Changed\n");
    project.write(".taskcat_overrides.yml", "Name: c\n");
    check(&[]);
}

#[test]
fn what_is_left_out_is_said() {
    let project = project();
    project.write("templates/other.yaml", &format!("{TOPIC}# changed\n"));
    let run = ["test", "run", "--local", "-l", "--changed-since", "main"];
    let outcome = taskcat(&project, &run);
    outcome
        .assert_code(0)
        .assert_says("selecting other: templates/other.yaml differs from main")
        .assert_says("leaving out net-small: its templates, parameters and staged files are");
    assert_eq!(outcome.states(), ["other/us-east-1 passed"]);
    git(&project, &["commit", "--quiet", "-a", "-m", "2"]);
    let nothing = "no selected test differs from main; there is nothing to do";
    let outcome = taskcat(&project, &run);
    outcome.assert_code(0).assert_says(nothing);
    assert!(!project.path().join("taskcat_outputs/report.json").exists());
    for command in ["plan", "lint"] {
        let outcome = taskcat(&project, &[command, "--changed-since", "main"]);
        outcome.assert_code(0).assert_says(nothing);
    }
    taskcat(&project, &["plan", "--changed-since", "mian"])
        .assert_code(2)
        .assert_says("--changed-since: the repository has no commit, branch or tag `mian`")
        .assert_says("help: fetch it first");
}

#[test]
fn what_failed_is_run_again() {
    let project = project();
    project.write(
        "fails.yml",
        "resources: [{stack: '*other*', type: '*', fails: no room}]\n",
    );
    let run = |args: &[&str]| {
        let run = ["test", "run", "--local", "-l", "--rerun-failed"];
        taskcat(&project, &[&run[..], args].concat())
    };
    run(&[])
        .assert_code(2)
        .assert_says("there is no report of an earlier run in ./taskcat_outputs");
    // The nested template of net-big isn't in the bucket that the configuration doesn't name.
    let first = ["test", "run", "--local", "-l", "--exclude", "net-big"];
    let scenario = ["--scenario", "fails.yml"];
    taskcat(&project, &[&first[..], &scenario].concat()).assert_code(1);
    // A run that cannot start keeps the report.
    run(&["-t", "nobody"]).assert_code(2);
    let outcome = run(&["--scenario", "fails.yml"]);
    outcome.assert_code(1);
    assert_eq!(outcome.states(), ["other/us-east-1 failed"]);
    let configuration = project.read(".taskcat.yml");
    project.replace(".taskcat.yml", "  other: {", "  another: {");
    run(&[])
        .assert_code(2)
        .assert_says("the configuration no longer has the test `other`");
    project.write(".taskcat.yml", &configuration);
    let outcome = run(&[]);
    outcome.assert_code(0);
    assert_eq!(outcome.states(), ["other/us-east-1 passed"]);
    run(&[])
        .assert_code(0)
        .assert_says("the last run passed; there is nothing to run again");
    project.write("taskcat_outputs/report.json", "{}");
    run(&[]).assert_code(2).assert_says("is not a report");
}

#[test]
fn the_changes_of_an_upload_as_json() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("undeclared-parameter");
    let upload = |endpoint: &str, args: &[&str]| {
        let upload = Taskcat::at(&project, endpoint).args(["upload"]);
        upload.args(args.iter().copied()).run()
    };
    let outcome = upload(&server.endpoint(), &["--dry-run", "--json"]);
    outcome.assert_code(0);
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let change = &json["changes"][0];
    assert_eq!(change["action"], "upload");
    assert_eq!(
        change["key"],
        "undeclared-parameter/templates/topic.template.yaml"
    );
    upload(&server.endpoint(), &["--json"])
        .assert_code(2)
        .assert_says("--dry-run");
    let denied = crate::proxy::Proxy::with_faults(&server, &["GetCallerIdentity=403:AccessDenied"]);
    let outcome = upload(&denied.endpoint(), &["--dry-run", "--json"]);
    outcome.assert_code(3);
    assert_eq!(outcome.stdout, "");
}
