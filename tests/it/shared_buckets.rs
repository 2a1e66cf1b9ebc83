//! Two runs that stage to one bucket: neither removes what the other needs, and their markers go.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Running, Taskcat};

tests_on!(all: another_branch_removes_nothing, a_killed_run_is_cleaned, old_markers_do_not_count);

const BUCKET: &str = "the-users-own-bucket";
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

fn server(kind: Kind) -> Server {
    let server = Server::take(kind);
    server.given(&["bucket", BUCKET, "us-east-1"]);
    server
}

/// A branch of one project, with a file of its own, whose run waits in a hook as long as the file
/// `held` is there.
fn branch(name: &str) -> Project {
    let project = Project::copy_of("given-bucket");
    project.write(&format!("only/{name}.txt"), name);
    project.write("shared.txt", name);
    project.write("held", "");
    project.replace(
        ".taskcat.yml",
        "regions: [us-east-1, eu-west-1]",
        "regions: [us-east-1]",
    );
    let hook = "\n    posthooks:\n      - type: script\n        config: {command: \"touch waits; \
        while test -e held; do sleep 0.1; done\"}\n";
    let config = project.read(".taskcat.yml");
    project.write(".taskcat.yml", &format!("{}{hook}", config.trim_end()));
    project.write(".taskcatignore", "held\nwaits\n");
    project
}

fn start(project: &Project, server: &Server) -> Running {
    let mut run = Taskcat::test_run(project, server).args(["-l"]).start();
    run.wait_until("the posthook waits", || {
        project.path().join("waits").exists()
    });
    run
}

fn end(project: &Project, run: Running) -> Outcome {
    fs::remove_file(project.path().join("held")).unwrap();
    let outcome = run.wait();
    outcome.assert_code(0);
    outcome
}

fn upload(project: &Project, server: &Server, args: &[&str]) -> Outcome {
    let outcome = Taskcat::at(project, &server.endpoint())
        .args(["upload"])
        .args(args.iter().copied())
        .run();
    outcome.assert_code(0);
    outcome
}

fn keys(server: &Server) -> Vec<String> {
    server.standing(&[]).keys(BUCKET)
}

fn markers(server: &Server) -> Vec<String> {
    keys(server)
        .into_iter()
        .filter(|key| key.starts_with("given-bucket/.taskcat/runs/"))
        .collect()
}

fn another_branch_removes_nothing(kind: Kind) {
    let server = server(kind);
    let one = branch("one");
    let other = branch("other");
    let run = start(&one, &server);
    let marker = markers(&server);
    assert_eq!(marker.len(), 1, "{marker:?}");
    let id = marker[0].rsplit('/').next().unwrap();
    for args in [&["--dry-run"][..], &[]] {
        let outcome = upload(&other, &server, args);
        outcome.assert_says(
            "1 object is not removed (the next upload removes them, once that run has \
                ended or after 20",
        );
        outcome.assert_says(&format!(
            "the run {id} uses the bucket {BUCKET} at this time"
        ));
        outcome.assert_says("1 of its files may be overwritten with other content");
        assert!(
            !outcome.stdout.contains("remove s3://"),
            "{}",
            outcome.stdout
        );
        outcome.assert_says_once("at this time");
    }
    let held = start(&other, &server);
    assert_eq!(markers(&server).len(), 2);
    end(&one, run);
    // The run that is still there keeps the first branch from removing its file.
    upload(&one, &server, &[]).assert_says("1 object is not removed");
    end(&other, held);
    let both = [
        "only/one.txt",
        "only/other.txt",
        "shared.txt",
        "templates/topic.template.yaml",
    ];
    assert_eq!(keys(&server), both.map(|key| format!("given-bucket/{key}")));
    // Once both have ended, things go as they always went.
    upload(&one, &server, &[]).assert_silent_about("not removed");
    let left = [
        "only/one.txt",
        "shared.txt",
        "templates/topic.template.yaml",
    ];
    assert_eq!(keys(&server), left.map(|key| format!("given-bucket/{key}")));
}

fn a_killed_run_is_cleaned(kind: Kind) {
    let server = server(kind);
    let project = branch("one");
    let run = start(&project, &server);
    run.signal("KILL");
    run.wait();
    let marker = markers(&server);
    assert_eq!(marker.len(), 1, "{marker:?}");
    let id = marker[0].rsplit('/').next().unwrap().to_owned();
    let clean = Taskcat::at(&project, &server.endpoint())
        .args(["test", "clean", "-w", "-r", "us-east-1", &id])
        .run();
    clean.assert_code(0);
    assert_eq!(markers(&server), [] as [&str; 0]);
    assert!(server.standing(&REGIONS).stacks.is_empty());
    assert!(
        project.files(".taskcat/runs").is_empty(),
        "the journal is not needed any more"
    );
    // What the run had staged stays, as in any bucket of the user's.
    assert!(keys(&server).contains(&"given-bucket/only/one.txt".to_owned()));
}

/// A marker that nobody has released is ignored and deleted once it is older than the limit.
fn old_markers_do_not_count(kind: Kind) {
    let server = server(kind);
    server.given(&[
        "object",
        BUCKET,
        "given-bucket/.taskcat/runs/0123456789abcdef0123456789abcdef",
        "",
    ]);
    server.given(&["object", BUCKET, "given-bucket/renamed-since.txt", "old"]);
    let project = Project::copy_of("given-bucket");
    upload(&project, &server, &[]).assert_says("1 object is not removed");
    // Times of objects are in whole seconds.
    thread::sleep(Duration::from_millis(2100));
    upload(&project, &server, &["--marker-limit", "1s"]).assert_silent_about("not removed");
    assert_eq!(
        keys(&server),
        ["given-bucket/templates/topic.template.yaml"]
    );
}
