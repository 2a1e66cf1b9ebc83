//! A run that is stopped takes away what it made, whatever it was doing.

use std::fs;
use std::time::Duration;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::Taskcat;

tests_on!(all: while_a_hook_runs, while_files_are_sent);

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// moto has no stack in progress: it answers CreateStack when the stack stands.
#[test]
#[ignore = "needs ministack; run tests/run.sh"]
fn while_stacks_are_in_progress() {
    for signal in ["INT", "TERM"] {
        let server = Server::take(Kind::Ministack);
        let proxy = Proxy::before(&server);
        let project = Project::copy_of("slow");
        let mut run = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
            .args(["-l"])
            .start();
        run.wait_until("both stacks are followed", || {
            proxy.calls().count("DescribeStackEvents") >= 4
        });
        run.signal(signal);
        let outcome = run.wait();
        outcome.assert_code(130);
        outcome.assert_ended_within(Duration::from_secs(40));
        assert_eq!(
            outcome.states(),
            [
                "waiting/us-east-1 interrupted",
                "waiting/eu-west-1 interrupted"
            ]
        );
        assert_eq!(outcome.report()["verdict"], "interrupted");
        assert!(outcome.output("junit.xml").contains("interrupted"));
        server.standing(&REGIONS).assert_nothing();
    }
}

fn while_a_hook_runs(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::before(&server);
    let project = crate::hooks::project_of_scripts();
    // A duration that no other process on this machine sleeps.
    let sleep = format!(
        "sleep 77.{}",
        project
            .path()
            .parent()
            .unwrap()
            .metadata()
            .map(|it| inode(&it))
            .unwrap()
    );
    project.replace(".taskcat.yml", "./hooks/record.sh before", &sleep);
    let mut run = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .args(["-l", "-t", "recorded"])
        .start();
    run.wait_until("the hook runs", || processes(&sleep) > 0);
    run.signal("INT");
    let outcome = run.wait();
    outcome.assert_code(130);
    outcome.assert_ended_within(Duration::from_secs(30));
    assert_eq!(proxy.calls().count("CreateStack"), 0);
    assert_eq!(processes(&sleep), 0, "the hook still runs");
    server.standing(&REGIONS).assert_nothing();
}

fn while_files_are_sent(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("undeclared-parameter");
    for number in 0..1500 {
        project.write(
            &format!("files/{number:04}.txt"),
            &format!("file {number}\n"),
        );
    }
    let mut run = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .args(["-l"])
        .start();
    run.wait_until("the first files are sent", || {
        proxy.calls().count("PutObject") > 10
    });
    run.signal("INT");
    let outcome = run.wait();
    outcome.assert_code(130);
    assert!(
        proxy.calls().count("PutObject") < 1500,
        "it came too late to be seen"
    );
    assert_eq!(proxy.calls().count("CreateStack"), 0);
    server.standing(&REGIONS).assert_nothing();
}

fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

/// How many processes run this very command, as Linux tells; none elsewhere.
fn processes(command: &str) -> usize {
    let arguments = command.replace(' ', "\0") + "\0";
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|it| {
            fs::read_to_string(it.path().join("cmdline")).is_ok_and(|line| line == arguments)
        })
        .count()
}
