//! Who calls AWS, and what is said where nobody can.

use std::net::TcpListener;
use std::time::Duration;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::Taskcat;

tests_on!(all: profiles_per_region, the_endpoint_as_an_argument);

/// One line that says it, exit code 3, at once, and nobody is asked.
#[test]
fn no_credentials_is_one_line() {
    let aws = TcpListener::bind("127.0.0.1:0").unwrap();
    aws.set_nonblocking(true).unwrap();
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::offline(&project)
        .env(
            "AWS_ENDPOINT_URL",
            format!("http://{}", aws.local_addr().unwrap()),
        )
        .args(["test", "run", "-l"])
        .run();
    outcome
        .assert_code(3)
        .assert_says("credentials")
        .assert_silent_about("panicked");
    outcome.assert_ended_within(Duration::from_secs(2));
    assert!(aws.accept().is_err(), "somebody was asked");
    let errors: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|line| line.contains("error"))
        .collect();
    assert_eq!(errors.len(), 1, "{}", outcome.stderr);
}

/// On a machine that might be an instance in EC2 the metadata service is asked, and given up on.
#[test]
fn no_credentials_on_a_machine_without_metadata_service() {
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::offline(&project)
        .env_remove("AWS_EC2_METADATA_DISABLED")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .args(["test", "run", "-l"])
        .run();
    outcome.assert_code(3).assert_says("credentials");
    outcome.assert_ended_within(Duration::from_secs(20));
}

#[test]
fn a_profile_that_is_not_there_is_named() {
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::offline(&project)
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .args(["--profile", "nobody", "test", "run", "-l"])
        .run();
    outcome.assert_code(3).assert_says("nobody");
}

#[test]
fn an_endpoint_where_nobody_listens() {
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::at(&project, "http://127.0.0.1:1")
        .args(["test", "run", "-l"])
        .run();
    outcome
        .assert_code(3)
        .assert_says("Connection refused")
        .assert_says("AWS_ENDPOINT_URL");
    outcome.assert_ended_within(Duration::from_secs(30));
}

#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn credentials_that_aws_does_not_know() {
    let server = Server::take(Kind::Moto);
    let proxy = Proxy::with_faults(&server, &["GetCallerIdentity=403:InvalidClientTokenId"]);
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome.assert_code(3).assert_says("InvalidClientTokenId");
    assert_eq!(proxy.calls().count("CreateBucket"), 0);
}

/// `auth` gives a region a profile of its own.
fn profiles_per_region(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("given-bucket");
    project.replace(
        ".taskcat.yml",
        "  s3_bucket: the-users-own-bucket\n",
        "  auth:\n    default: everyday\n    eu-west-1: europe\n",
    );
    std::fs::create_dir(project.home().join(".aws")).unwrap();
    std::fs::write(
        project.home().join(".aws/credentials"),
        "[everyday]\naws_access_key_id = 111111111111\naws_secret_access_key = x\n\
         [europe]\naws_access_key_id = 222222222222\naws_secret_access_key = x\n",
    )
    .unwrap();
    let run = Taskcat::offline(&project).env("AWS_ENDPOINT_URL", proxy.endpoint());
    let outcome = run.args(["test", "run", "-l", "-e"]).run();
    outcome.assert_code(0);
    let calls = proxy.calls();
    let keys = |action: &str| {
        let mut keys: Vec<String> = calls
            .of(action)
            .iter()
            .map(|call| format!("{} {}", call["region"], call["key"]).replace('"', ""))
            .collect();
        keys.sort();
        keys
    };
    assert_eq!(
        keys("CreateStack"),
        ["eu-west-1 222222222222", "us-east-1 111111111111"]
    );
    assert_eq!(keys("DeleteStack"), keys("CreateStack"));
    // moto alone doesn't take a key of twelve digits for an account; where it is one, each has a
    // bucket of its own.
    let buckets = if kind == Kind::Moto { 1 } else { 2 };
    assert_eq!(calls.count("CreateBucket"), buckets, "{}", calls.summary());
    assert_eq!(calls.count("DeleteBucket"), buckets, "{}", calls.summary());
}

fn the_endpoint_as_an_argument(kind: Kind) {
    let server = Server::take(kind);
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::at(&project, "http://127.0.0.1:1")
        .env_remove("AWS_ENDPOINT_URL")
        .args([
            "--endpoint-url",
            &server.endpoint(),
            "test",
            "run",
            "-l",
            "-e",
        ])
        .run();
    outcome.assert_code(0);
    assert_eq!(outcome.report()["endpoint"], server.endpoint());
    server.standing(&["us-east-1"]).assert_nothing();
}
