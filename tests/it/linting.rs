//! cfn-lint before the launch, if it is on PATH.

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::Taskcat;

#[test]
#[ignore = "needs ministack and cfn-lint; run tests/run.sh"]
fn an_error_stops_the_run_before_anything_is_made() {
    let server = Server::take(Kind::Ministack);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("lint-error");
    let outcome = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .with_python_tools()
        .run();
    outcome.assert_code(1);
    outcome
        .assert_says("templates/topic.template.yaml:9:")
        .assert_says("E1010");
    let calls = proxy.calls();
    assert_eq!(
        calls.count("CreateBucket") + calls.count("CreateStack"),
        0,
        "{}",
        calls.summary()
    );
    assert!(
        outcome.output("index.html").contains("lint"),
        "the report says why there are no results"
    );
}

#[test]
#[ignore = "needs ministack and cfn-lint; run tests/run.sh"]
fn the_project_decides_what_is_ignored() {
    let server = Server::take(Kind::Ministack);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("lint-error");
    project.write(".cfnlintrc", "ignore_checks:\n  - E1010\n");
    let outcome = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .with_python_tools()
        .run();
    outcome.assert_silent_about("E1010");
    assert_eq!(
        proxy.calls().count("CreateStack"),
        1,
        "the server has the last word"
    );
    server.standing(&["us-east-1"]).assert_nothing();
}

#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn without_cfn_lint_there_is_one_warning() {
    let server = Server::take(Kind::Moto);
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::test_run(&project, &server)
        .env("PATH", project.home())
        .run();
    outcome.assert_code(0);
    let warnings: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|line| line.contains("cfn-lint"))
        .collect();
    assert_eq!(warnings.len(), 1, "{}", outcome.stderr);
    let outcome = Taskcat::test_run(&project, &server)
        .env("PATH", project.home())
        .args(["-l"])
        .run();
    outcome.assert_code(0).assert_silent_about("cfn-lint");
}

/// The command by itself needs nobody.
#[test]
#[ignore = "needs cfn-lint; run tests/run.sh"]
fn lint_alone() {
    let project = Project::copy_of("lint-error");
    let lint = |args: &[&str]| {
        Taskcat::offline(&project)
            .with_python_tools()
            .args(["lint"])
            .args(args.iter().copied())
            .run()
    };
    let template = project
        .path()
        .canonicalize()
        .unwrap()
        .join("templates/topic.template.yaml");
    let passed = format!("Linting passed for file: {}\n", template.display());
    let outcome = lint(&[]);
    outcome
        .assert_code(1)
        .assert_says("error: E1010: ")
        .assert_says("templates/topic.template.yaml:9:");
    outcome
        .assert_says(&format!(
            "Linting detected issues in: {}\n",
            template.display()
        ))
        .assert_silent_about(&passed);
    project.write(".cfnlintrc", "ignore_checks:\n  - E1010\n");
    lint(&[])
        .assert_code(0)
        .assert_silent_about("E1010")
        .assert_says(&passed);
    // A parameter that nobody uses is worth a warning.
    project.replace(
        "templates/topic.template.yaml",
        "Resources:",
        "Parameters:\n  Unused: {Type: String, Default: x}\nResources:",
    );
    let warned = lint(&[]);
    warned.assert_code(0).assert_says("warning: W2001: ");
    // TaskCat's own line.
    warned.assert_says(
        "    line 4 [2001] [Check if Parameters are Used] Parameter Unused not used.\n",
    );
    lint(&["--strict"])
        .assert_code(1)
        .assert_says("warning: W2001: ");
    lint(&["-i", "gone.yml"])
        .assert_code(2)
        .assert_says("gone.yml");
    let outcome = Taskcat::offline(&project)
        .env("PATH", project.home())
        .args(["lint"])
        .run();
    outcome
        .assert_code(2)
        .assert_says("`cfn-lint` is not on PATH");
}
