//! Which cells a run has: `--test-names`, `--regions`, `--project-root`, `--input-file`, and the
//! limits on how many at once.

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::Taskcat;

tests_on!(all: only_the_named_tests_and_regions_run, a_template_that_brings_its_tests, at_most_so_many_at_once);

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

fn only_the_named_tests_and_regions_run(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("one-bad");
    let args = [
        "-l",
        "-t",
        "open,licensed",
        "-r",
        "us-east-1,ap-southeast-2",
    ];
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .args(args)
        .run();
    outcome.assert_code(0);
    let expected = [
        "open/us-east-1 passed",
        "open/ap-southeast-2 passed",
        "licensed/us-east-1 passed",
        "licensed/ap-southeast-2 passed",
    ];
    assert_eq!(outcome.states(), expected);
    assert!(
        proxy
            .calls()
            .0
            .iter()
            .all(|call| call["region"] != "eu-west-1"),
        "{}",
        proxy.calls().summary()
    );

    let args = [
        "--lint-disable",
        "--test-names",
        "licensed",
        "--regions",
        "us-east-1",
    ];
    let outcome = Taskcat::test_run(&project, &server).args(args).run();
    outcome.assert_code(0);
    assert_eq!(outcome.states(), ["licensed/us-east-1 passed"]);
    server.standing(&REGIONS).assert_nothing();
}

#[test]
fn a_test_that_is_not_there_is_named() {
    let project = Project::copy_of("one-bad");
    let outcome = Taskcat::at(&project, "http://127.0.0.1:1")
        .args(["test", "run", "-t", "lisenced"])
        .run();
    outcome
        .assert_code(2)
        .assert_says("lisenced")
        .assert_says("licensed");
}

/// A bare template as `--input-file`, with its configuration in `Metadata.taskcat`.
fn a_template_that_brings_its_tests(kind: Kind) {
    let server = Server::take(kind);
    let project = Project::copy_of("metadata-only");
    let args = ["-l", "-i", "templates/alarm-topic.template.yaml"];
    let outcome = Taskcat::test_run(&project, &server).args(args).run();
    outcome.assert_code(0);
    assert_eq!(
        outcome.states(),
        [
            "quiet/us-east-1 passed",
            "quiet/eu-west-1 passed",
            "loud/eu-west-1 passed"
        ]
    );
    let parameter = |test| outcome.cell(test, "eu-west-1")["parameters"][0]["value"].clone();
    assert_eq!(
        (parameter("quiet"), parameter("loud")),
        ("quiet".into(), "LOUD".into())
    );
    server.standing(&REGIONS).assert_nothing();
}

#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn the_project_may_lie_elsewhere() {
    let server = Server::take(Kind::Moto);
    let project = Project::copy_of("undeclared-parameter");
    let elsewhere = Project::empty("elsewhere");
    let root = project.path();
    let args = ["-l", "-p", root.to_str().unwrap(), "-o", "reports/today"];
    let outcome = Taskcat::test_run(&elsewhere, &server).args(args).run();
    outcome.assert_code(0);
    let reports = elsewhere.files("reports/today");
    assert!(reports.contains(&"index.html".to_owned()), "{reports:?}");
    assert!(project.files("taskcat_outputs").is_empty());
}

fn at_most_so_many_at_once(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("one-bad");
    let args = ["-l", "-t", "open", "--max-concurrency", "1"];
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .args(args)
        .run();
    outcome.assert_code(0);
    let calls = proxy.calls();
    let launches_and_ends: Vec<&str> = calls
        .0
        .iter()
        .filter_map(|it| it["action"].as_str())
        .filter(|it| *it == "CreateStack" || *it == "DeleteStack")
        .collect();
    assert_eq!(launches_and_ends, ["CreateStack", "DeleteStack"].repeat(3));
}
