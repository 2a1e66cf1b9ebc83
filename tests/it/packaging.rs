//! Archives of Lambda functions: the same bytes from the same sources, and clear words where they
//! can't be made.

use std::fs;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::Taskcat;

const BUCKET: &str = "the-users-own-bucket";
const ARCHIVES: [&str; 2] = ["label/lambda.zip", "notify/lambda.zip"];

#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn the_same_sources_give_the_same_bytes() {
    let bytes = || {
        let server = Server::take(Kind::Moto);
        let project = Project::copy_of("sample");
        server.given(&["bucket", BUCKET, "us-east-1"]);
        Taskcat::at(&project, &server.endpoint())
            .with_python_tools()
            .args(["upload", "-b", BUCKET])
            .run()
            .assert_code(0);
        let packages = project.path().join("lambda_functions/packages");
        assert_eq!(project.files("lambda_functions/packages"), ARCHIVES);
        ARCHIVES.map(|archive| fs::read(packages.join(archive)).unwrap())
    };
    // Two copies in two folders, made at two times.
    let first = bytes();
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert!(first == bytes());
}

/// Docker and pip are asked for where a function needs them, and only there.
#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn what_is_missing_is_named() {
    let server = Server::take(Kind::Moto);
    let proxy = Proxy::before(&server);
    for (scenario, program, function) in [
        (
            "docker-lambda",
            "`docker`, `podman`, `finch` and `nerdctl`",
            "image",
        ),
        ("sample", "pip", "label"),
    ] {
        let project = Project::copy_of(scenario);
        let run = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint()).args(["-l"]);
        let outcome = run.env("PATH", project.home()).run();
        outcome
            .assert_code(1)
            .assert_says(program)
            .assert_says(function);
        assert_eq!(proxy.calls().count("CreateStack"), 0);
    }
    server.standing(&["us-east-1"]).assert_nothing();

    // A function that needs neither.
    let project = Project::copy_of("regional-buckets");
    let run = Taskcat::test_run(&project, &server).args(["-l"]);
    run.env("PATH", project.home()).run().assert_code(0);
}

#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn what_pip_says_is_passed_on() {
    let server = Server::take(Kind::Moto);
    let project = Project::copy_of("sample");
    project.write(
        "lambda_functions/source/label/requirements.txt",
        "./vendor/not-there\n",
    );
    let outcome = Taskcat::test_run(&project, &server)
        .with_python_tools()
        .args(["-l"])
        .run();
    outcome
        .assert_code(1)
        .assert_says("label")
        .assert_says("not-there");
    server.standing(&["us-east-1"]).assert_nothing();
}

#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn packaging_can_be_left_out() {
    let server = Server::take(Kind::Moto);
    let project = Project::copy_of("docker-lambda");
    project.replace(
        ".taskcat.yml",
        "  regions:",
        "  package_lambda: false\n  regions:",
    );
    Taskcat::test_run(&project, &server)
        .args(["-l"])
        .run()
        .assert_code(0);
    assert!(project.files("lambda_functions/packages").is_empty());
}
