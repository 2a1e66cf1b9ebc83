//! What is wrong with a project is said before anything is made: all of it at once, with file and
//! line.

use std::net::TcpListener;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

tests_on!(all: an_undeclared_parameter_is_dropped_with_a_warning, values_without_a_source_are_all_listed);

/// An endpoint that takes connections and never answers, and that knows whether somebody came.
pub struct Untouched(TcpListener);

impl Untouched {
    pub fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    #[track_caller]
    pub fn assert_untouched(&self) {
        assert!(self.0.accept().is_err(), "somebody connected");
    }
}

/// Runs the project where a call would hang, and shows that there was none.
#[track_caller]
fn refused(project: &Project, args: &[&str]) -> Outcome {
    let aws = Untouched::listen();
    let outcome = Taskcat::at(project, &aws.endpoint())
        .args(args.iter().copied())
        .run();
    aws.assert_untouched();
    outcome.assert_code(2);
    // What is written, if anything, says that nothing was tested.
    if !project.files("taskcat_outputs").is_empty() {
        let junit = project.read("taskcat_outputs/junit.xml");
        assert!(junit.contains("not started"), "{junit}");
    }
    outcome
}

#[test]
fn every_mistake_is_told_at_once() {
    let project = Project::copy_of("bad-config");
    let outcome = refused(&project, &["test", "run"]);
    for (line, words) in [
        (2, "name"),
        (4, "regions"),
        (5, "s3_object_acl"),
        (6, "shorten_stack_names"),
        (7, "package_lambda"),
        (11, "region"),
        (14, "parameters"),
        (17, "test"),
    ] {
        let place = format!(".taskcat.yml:{line}:");
        let told = outcome.stderr.lines().any(|text| text.contains(&place));
        assert!(
            told && outcome.stderr.contains(words),
            "nothing of {words} at {place}\n{}",
            outcome.stderr
        );
    }
    for nearest in ["shorten_stack_name", "regions", "tests"] {
        outcome.assert_says(nearest);
    }
}

#[test]
fn prefix_and_suffix_exclude_each_other() {
    let project = Project::copy_of("undeclared-parameter");
    project.replace(
        ".taskcat.yml",
        "    parameters:\n",
        "    stack_name_prefix: one\n    stack_name_suffix: two\n    parameters:\n",
    );
    refused(&project, &["test", "run"])
        .assert_says("stack_name_prefix")
        .assert_says("stack_name_suffix");
}

#[test]
fn files_that_are_not_there() {
    let project = Project::empty("nothing");
    refused(&project, &["test", "run"]).assert_says(".taskcat.yml");
    let project = Project::copy_of("undeclared-parameter");
    project.replace(".taskcat.yml", "templates/topic", "templates/topics");
    refused(&project, &["test", "run"])
        .assert_says(".taskcat.yml:6:")
        .assert_says("templates/topics.template.yaml");
}

#[test]
fn files_that_are_no_yaml() {
    let project = Project::copy_of("undeclared-parameter");
    project.write(".taskcat.yml", "project:\n  name: [broken\n");
    refused(&project, &["test", "run"]).assert_says(".taskcat.yml:");
    let project = Project::copy_of("undeclared-parameter");
    project.write(
        "templates/topic.template.yaml",
        "Resources:\n  Topic: {Type: AWS::SNS::Topic\n",
    );
    refused(&project, &["test", "run"]).assert_says("templates/topic.template.yaml:");
}

#[test]
fn arguments_that_are_not_there() {
    let project = Project::copy_of("undeclared-parameter");
    refused(&project, &["test", "run", "--no-such-flag"]).assert_says("--no-such-flag");
    refused(&project, &["test", "run", "--max-concurrency", "0"]).assert_says("--max-concurrency");
    refused(&project, &["tset", "run"]).assert_says("tset");
}

fn an_undeclared_parameter_is_dropped_with_a_warning(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome
        .assert_code(0)
        .assert_says(".taskcat.yml:9:")
        .assert_says("DisplayNmae");
    let calls = proxy.calls();
    assert!(
        !calls.of("CreateStack")[0]
            .to_string()
            .contains("DisplayNmae")
    );
}

fn values_without_a_source_are_all_listed(kind: Kind) {
    let server = Server::take(kind);
    let project = Project::copy_of("missing-parameter");
    let outcome = Taskcat::test_run(&project, &server).args(["-l"]).run();
    outcome.assert_code(2);
    for words in ["DisplayName", "Endpoint", "neither", "one-of-two"] {
        outcome.assert_says(words);
    }
    outcome.assert_silent_about("Protocol");
    server
        .standing(&["us-east-1", "eu-west-1"])
        .assert_nothing();
}

/// The origin of every value, for the reader who wonders.
#[test]
fn config_show_tells_where_a_value_came_from() {
    let project = Project::copy_of("undeclared-parameter");
    project.write(".taskcat_overrides.yml", "DisplayName: overridden\n");
    let outcome = Taskcat::offline(&project)
        .args(["config", "show", "--format", "yaml", "--origin"])
        .run();
    outcome.assert_code(0);
    for (value, origin) in [
        ("undeclared-parameter", ".taskcat.yml:2"),
        ("templates/topic.template.yaml", ".taskcat.yml:6"),
        ("overridden", ".taskcat_overrides.yml:1"),
    ] {
        let line = outcome.stdout.lines().find(|line| line.contains(value));
        let line = line.unwrap_or_else(|| panic!("no {value} in\n{}", outcome.stdout));
        assert!(line.contains(origin), "{line}");
    }
}

/// The converted file resolves as the legacy one did, and a file that is there is not overwritten.
#[test]
fn a_legacy_configuration_is_converted() {
    let project = Project::empty("legacy");
    for (file, text) in [
        (
            "ci/taskcat.yml",
            "global:\n  qsname: legacy\n  owner: a@example.com\n  s3bucket: legacy-bucket\n  \
             regions: [us-east-1]\ntests:\n  one:\n    template_file: t.yaml\n    parameter_input: \
             one.json\n",
        ),
        (
            "ci/one.json",
            "[{\"ParameterKey\": \"Name\", \"ParameterValue\": \"$[taskcat_random-string]\"}]",
        ),
        (
            "templates/t.yaml",
            "Parameters:\n  Name: {Type: String}\nResources: {}\n",
        ),
    ] {
        project.write(file, text);
    }
    let show = || {
        let outcome = Taskcat::offline(&project)
            .args(["config", "show", "--format", "json"])
            .run();
        outcome.assert_code(0);
        serde_json::from_str::<serde_json::Value>(&outcome.stdout).unwrap()
    };
    let legacy = show();
    assert_eq!(legacy["tests"]["one"]["template"], "templates/t.yaml");
    Taskcat::offline(&project)
        .args(["config", "convert"])
        .run()
        .assert_code(0);
    assert_eq!(show(), legacy);
    let again = Taskcat::offline(&project).args(["config", "convert"]).run();
    again.assert_code(2).assert_says(".taskcat.yml");
}

#[test]
fn a_file_that_is_no_text_is_named() {
    let project = Project::copy_of("undeclared-parameter");
    std::fs::write(
        project.path().join("latin-1.yml"),
        b"project: {name: caf\xe9}\n",
    )
    .unwrap();
    refused(&project, &["test", "run", "-i", "latin-1.yml"])
        .assert_says("error: the file is not valid UTF-8");
}

#[test]
fn an_endpoint_that_is_no_url() {
    let project = Project::copy_of("undeclared-parameter");
    for endpoint in ["localhost:4566", "http://[bad", "ftp://localhost"] {
        let outcome = Taskcat::at(&project, endpoint)
            .args(["test", "run", "-l"])
            .run();
        outcome
            .assert_code(2)
            .assert_says(endpoint)
            .assert_says("http://localhost:4566");
    }
}

/// A bucket of each account by one name, and the branch where git knows none.
#[test]
fn buckets_and_branches_of_an_account_and_a_ci_system() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("undeclared-parameter");
    let config = project.read(".taskcat.yml");
    project.write(
        ".taskcat.yml",
        &config.replacen(
            "project:\n",
            "project:\n  s3_bucket: staging-$[taskcat_account_id]\n",
            1,
        ),
    );
    let parameters = "Parameters:\n  Branch:\n    Type: String\n";
    project.replace("templates/topic.template.yaml", "Parameters:\n", parameters);
    project.replace(
        ".taskcat.yml",
        "parameters:",
        "parameters:\n      Branch: $[taskcat_git_branch]",
    );
    let commit = "git init -q && git add . && git -c user.name=t -c user.email=t@example.com \
        commit -qm x && git checkout -q --detach";
    let status = std::process::Command::new("sh")
        .args(["-c", commit])
        .current_dir(project.path())
        .status();
    assert!(status.unwrap().success());
    server.given(&["bucket", "staging-123456789012", "us-east-1"]);
    let run = |args: &[&str]| {
        let run = Taskcat::at(&project, &server.endpoint())
            .env("GITHUB_HEAD_REF", "feature/login")
            .env("GITHUB_REF_NAME", "26/merge")
            .env("GITHUB_REF_TYPE", "branch");
        run.args(["test", "run", "-l"])
            .args(args.iter().copied())
            .run()
    };
    run(&["-n"]).assert_code(0);
    let standing = server.standing(&["us-east-1"]);
    assert!(!standing.keys("staging-123456789012").is_empty());
    assert_eq!(standing.stacks[0]["parameters"]["Branch"], "login");
    run(&["--local"]).assert_code(0);
    let plan = Taskcat::offline(&project)
        .args(["plan", "--format", "json"])
        .env("GITHUB_HEAD_REF", "feature/login")
        .run();
    plan.assert_code(0);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let name = &plan["cells"][0]["bucket"]["name"];
    assert_eq!(name, "staging-$[taskcat_account_id]");
}
