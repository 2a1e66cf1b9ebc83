//! What earlier runs left is found and deleted: `test list` and `test clean`.

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::taskcat::Taskcat;

tests_on!(all: after_a_killed_run, only_what_is_named);

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// Nothing can be done by a run that is killed, so the next says what it left, and `clean` finds
/// it: the stacks by their tags, the bucket by the journal.
fn after_a_killed_run(kind: Kind) {
    let server = Server::take(kind);
    let project = crate::hooks::project_of_scripts();
    project.write("held", "");
    project.replace(
        ".taskcat.yml",
        "./hooks/record.sh after",
        "touch waits; while test -e held; do sleep 0.1; done",
    );
    let mut run = Taskcat::test_run(&project, &server)
        .args(["-l", "-t", "recorded", "-r", "us-east-1"])
        .start();
    run.wait_until("the posthook waits", || {
        project.path().join("waits").exists()
    });
    run.signal("KILL");
    run.wait();
    std::fs::remove_file(project.path().join("held")).unwrap();
    let standing = server.standing(&REGIONS);
    assert_eq!(
        (standing.stacks.len(), standing.buckets.len()),
        (1, 1),
        "{:?}",
        standing.stacks
    );
    let journals = project.files(".taskcat/runs");
    assert_eq!(journals.len(), 1, "{journals:?}");
    let id = journals[0]
        .trim_end_matches(".ndjson")
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();

    let list = Taskcat::at(&project, &server.endpoint())
        .args(["test", "list", "-r", "us-east-1,eu-west-1"])
        .run();
    list.assert_code(0);
    assert!(
        list.stdout.contains(&id) && list.stdout.contains("hooks"),
        "{}",
        list.stdout
    );

    let next = Taskcat::test_run(&project, &server)
        .args(["-l", "-t", "recorded", "-r", "eu-west-1"])
        .run();
    let endpoint = server.endpoint();
    next.assert_says(&format!(
        "taskcat --endpoint-url {endpoint} test clean --yes --wait-for-delete {id}"
    ));
    let clean = Taskcat::at(&project, &server.endpoint());
    let clean = clean
        .args([
            "test",
            "clean",
            "-w",
            "-r",
            "us-east-1,eu-west-1",
            id.as_str(),
        ])
        .run();
    clean
        .assert_code(0)
        .assert_says("1 stack and 1 bucket deleted");
    server.standing(&REGIONS).assert_nothing();
    assert!(
        !project.files(".taskcat/runs").contains(&journals[0]),
        "the journal is not needed any more"
    );
}

/// Two projects left a stack each; the one that is named goes, in every region that the account
/// has.
fn only_what_is_named(kind: Kind) {
    let server = Server::take(kind);
    let (one, other) = (
        Project::copy_of("undeclared-parameter"),
        Project::copy_of("given-bucket"),
    );
    server.given(&["bucket", "the-users-own-bucket", "us-east-1"]);
    for project in [&one, &other] {
        Taskcat::test_run(project, &server)
            .args(["-l", "-n", "-r", "us-east-1"])
            .run()
            .assert_code(0);
    }
    assert_eq!(server.standing(&REGIONS).stacks.len(), 2);
    let clean = Taskcat::at(&one, &server.endpoint())
        .args(["test", "clean", "-w", "-y", "undeclared-parameter"])
        .run();
    clean
        .assert_code(0)
        .assert_says("1 stack and 1 bucket deleted");
    let standing = server.standing(&REGIONS);
    assert_eq!(standing.stacks.len(), 1);
    assert!(
        standing.stack_names()[0].contains("given-bucket"),
        "{:?}",
        standing.stack_names()
    );
    assert!(standing.buckets.contains_key("the-users-own-bucket"));
}
