//! Hooks: the user's programs before a stack and after it.

use serde_json::Value;

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::taskcat::Taskcat;

tests_on!(all: hooks_get_what_they_need_and_fail_their_cell_alone, a_prehook_that_fails_keeps_its_stack_from_being_made);

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// A project with hooks that are scripts of its own; no program has to be on PATH.
pub fn project_of_scripts() -> Project {
    let project = Project::copy_of("hooks");
    project.replace(
        ".taskcat.yml",
        "      - type: on-path\n        config:\n          colour: green\n",
        "",
    );
    project
}

fn run(project: &Project, server: &Server) -> crate::taskcat::Outcome {
    let path = std::env::join_paths([project.path().join("bin"), "/usr/bin".into(), "/bin".into()])
        .unwrap();
    Taskcat::test_run(project, server)
        .env("PATH", path)
        .args(["-l"])
        .run()
}

fn hooks_get_what_they_need_and_fail_their_cell_alone(kind: Kind) {
    let server = Server::take(kind);
    let project = Project::copy_of("hooks");
    let outcome = run(&project, &server);
    outcome.assert_code(1);
    let states = [
        "recorded/us-east-1 passed",
        "recorded/eu-west-1 passed",
        "refused/us-east-1 failed",
    ];
    assert_eq!(outcome.states(), states);
    outcome.assert_says("the topic has no subscriber");
    assert!(
        outcome
            .output("junit.xml")
            .contains("the topic has no subscriber")
    );
    server.standing(&REGIONS).assert_nothing();

    let seen = project.files("seen");
    let of = |prefix: &str| -> Vec<Value> {
        let files = seen.iter().filter(|name| name.starts_with(prefix));
        files
            .map(|name| serde_json::from_str(&project.read(&format!("seen/{name}"))).unwrap())
            .collect()
    };
    let (before, after, on_path) = (of("before"), of("after"), of("on-path"));
    assert_eq!(
        [before.len(), after.len(), on_path.len()],
        [2, 2, 2],
        "{seen:?}"
    );
    for input in &before {
        assert_eq!(input["config"]["colour"], "blue", "{input:#}");
        assert!(
            !input.to_string().contains("TopicArn"),
            "no outputs yet: {input:#}"
        );
    }
    for input in &on_path {
        assert_eq!(input["config"]["colour"], "green", "{input:#}");
    }
    for region in REGIONS {
        let of_region = |inputs: &[Value]| {
            inputs
                .iter()
                .find(|input| input["region"] == region)
                .cloned()
        };
        let input = of_region(&after).unwrap_or_else(|| panic!("no hook of {region}: {after:#?}"));
        assert_eq!(input["test"], "recorded", "{input:#}");
        let cell = outcome.cell("recorded", region);
        assert!(
            input
                .to_string()
                .contains(cell["stack_id"].as_str().unwrap()),
            "{input:#}"
        );
        let arn = cell["outputs"][0]["value"].as_str().unwrap();
        assert!(
            arn.starts_with("arn:aws:sns:") && input["outputs"]["TopicArn"] == arn,
            "{input:#}"
        );
        assert!(of_region(&before).is_some() && of_region(&on_path).is_some());
    }
}

fn a_prehook_that_fails_keeps_its_stack_from_being_made(kind: Kind) {
    let server = Server::take(kind);
    let project = Project::copy_of("hooks");
    project.replace(
        ".taskcat.yml",
        "    posthooks:\n      - type: script\n        config:\n          command: \
         ./hooks/refuse.sh",
        "    prehooks:\n      - type: script\n        config:\n          command: \
         ./hooks/refuse.sh",
    );
    let outcome = run(&project, &server);
    outcome
        .assert_code(1)
        .assert_says("the topic has no subscriber");
    let cell = outcome.cell("refused", "us-east-1");
    assert_eq!(
        (&cell["state"], &cell["stack_id"]),
        (&"failed".into(), &Value::Null),
        "{cell:#}"
    );
    server.standing(&REGIONS).assert_nothing();
}

#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn a_hook_that_is_not_there_is_named() {
    let server = Server::take(Kind::Moto);
    let project = Project::copy_of("hooks");
    project.replace(".taskcat.yml", "type: on-path", "type: on-no-path");
    let outcome = run(&project, &server);
    assert!(matches!(outcome.code, Some(1 | 2)), "{outcome:#?}");
    outcome.assert_says("taskcat-hook-on-no-path");
    server.standing(&REGIONS).assert_nothing();
}

/// A run that is killed without a chance to clean up leaves no program of its hooks behind,
/// grandchildren included.
#[cfg(target_os = "linux")]
#[test]
fn hooks_end_with_a_run_that_is_killed() {
    let project = project_of_scripts();
    project.replace(
        ".taskcat.yml",
        "./hooks/record.sh before",
        "echo $$ >leader; sleep 79 & echo $! >child; wait",
    );
    let mut run = Taskcat::offline(&project)
        .args([
            "test",
            "run",
            "--local",
            "-l",
            "-t",
            "recorded",
            "-r",
            "us-east-1",
        ])
        .start();
    let process = |name: &str| {
        std::fs::read_to_string(project.path().join(name))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    run.wait_until("the hook runs", || {
        !process("leader").is_empty() && !process("child").is_empty()
    });
    let is_alive = |process: &str| {
        let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z ")
    };
    let processes = [process("leader"), process("child")];
    assert!(processes.iter().all(|process| is_alive(process)));
    run.signal("KILL");
    drop(run);
    let started = std::time::Instant::now();
    while processes.iter().any(|process| is_alive(process)) {
        assert!(
            started.elapsed() < std::time::Duration::from_secs(10),
            "the hook still runs: {processes:?}"
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
