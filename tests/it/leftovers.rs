//! What `test clean` deletes, and what it leaves alone: look-alikes, forged journals, runs that go
//! on.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::{Running, Taskcat};

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const RUN: &str = "0123456789abcdef0123456789abcdef";

fn clean(project: &Project, endpoint: &str, args: &[&str]) -> crate::taskcat::Outcome {
    let clean = Taskcat::at(project, endpoint).args(["test", "clean", "-r", "us-east-1,eu-west-1"]);
    clean.args(args.iter().copied()).run()
}

/// A project whose run waits in a posthook as long as the file `held` exists.
fn held_project() -> Project {
    let project = crate::hooks::project_of_scripts();
    project.write("held", "");
    let wait = "touch waits; while test -e held; do sleep 0.1; done";
    project.replace(".taskcat.yml", "./hooks/record.sh after", wait);
    project
}

fn held_run(project: &Project, endpoint: &str) -> Running {
    let args = ["-l", "-t", "recorded", "-r", "us-east-1"];
    let mut run = Taskcat::test_run_at(project, Kind::Simulator, endpoint)
        .args(args)
        .start();
    run.wait_until("the posthook waits", || {
        project.path().join("waits").exists()
    });
    run
}

fn kill(run: Running, project: &Project) -> String {
    run.signal("KILL");
    run.wait();
    std::fs::remove_file(project.path().join("held")).unwrap();
    let journals = project.files(".taskcat/runs");
    journals[0].trim_end_matches(".ndjson").to_owned()
}

fn forged_journal(buckets: &[&str]) -> String {
    let buckets: Vec<_> = buckets
        .iter()
        .map(|name| serde_json::json!({"name": name, "region": "us-east-1", "profile": "default", "account_id": "123456789012"}))
        .collect();
    let creating = buckets.iter().map(|bucket| {
        format!(
            r#"{{"seq":1,"at":"2026-01-01T00:00:00Z","event":"bucket_creating","bucket":{},"region":"us-east-1"}}"#,
            bucket["name"]
        )
    });
    let events: Vec<_> = creating.collect();
    let header = serde_json::json!({
        "run_id": RUN, "project": "forged", "project_root": "/x", "output": null,
        "process": {"id": 1, "boot_id": null, "started": null}, "started": "2026-01-01T00:00:00Z",
        "endpoint": "ENDPOINT", "no_delete": false, "keep_failed": false, "stacks": [], "buckets": buckets,
    });
    format!("{header}\n{}\n", events.join("\n"))
}

/// A pull request can bring a journal along; what it names isn't deleted unless it bears the run's
/// tag.
#[test]
fn a_forged_journal_deletes_nothing() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("undeclared-parameter");
    let id = format!("taskcat-id={}", "f".repeat(32));
    server.given(&["bucket", "the-users-own", "us-east-1"]);
    server.given(&["bucket", "tcat-forged-12345678", "us-east-1"]);
    server.given(&["bucket", "of-another-run", "us-east-1", &id]);
    let buckets = ["the-users-own", "tcat-forged-12345678", "of-another-run"];
    for bucket in buckets {
        server.given(&["object", bucket, "forged/precious.txt", "precious"]);
    }
    let journal = forged_journal(&buckets).replace("ENDPOINT", &server.endpoint());
    project.write(&format!(".taskcat/runs/{RUN}.ndjson"), &journal);
    // As old as its events say, so that nobody takes its run for one that goes on.
    let path = project.path().join(format!(".taskcat/runs/{RUN}.ndjson"));
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    std::fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(old)
        .unwrap();
    for what in ["forged", "ALL", RUN] {
        let outcome = clean(&project, &server.endpoint(), &["-w", "--yes", what]);
        outcome
            .assert_code(4)
            .assert_says("the-users-own could not be deleted: it isn't this run's");
    }
    let standing = server.standing(&REGIONS);
    for bucket in buckets {
        assert_eq!(standing.keys(bucket), ["forged/precious.txt"], "{bucket}");
    }
}

/// What isn't a journal is refused without being read, and the rest is cleaned up.
#[test]
fn files_that_are_no_journals_are_refused() {
    let server = Server::take(Kind::Simulator);
    let project = held_project();
    let run = held_run(&project, &server.endpoint());
    let id = kill(run, &project);
    let runs = project.path().join(".taskcat/runs");
    let fifo = Command::new("mkfifo")
        .arg(runs.join("a.ndjson"))
        .status()
        .unwrap();
    assert!(fifo.success());
    std::os::unix::fs::symlink("/dev/zero", runs.join("b.ndjson")).unwrap();
    let large = std::fs::File::create(runs.join("c.ndjson")).unwrap();
    large.set_len(1 << 40).unwrap();
    project.write(".taskcat/runs/d.ndjson", "[]\n");
    let outcome = clean(&project, &server.endpoint(), &["-w", "--yes", "ALL"]);
    outcome
        .assert_code(4)
        .assert_says("a.ndjson: not a journal: not a regular file");
    outcome
        .assert_says("cannot read the journal")
        .assert_says("c.ndjson: not a journal: 1099511627776 bytes");
    outcome
        .assert_says("d.ndjson: not a journal")
        .assert_says("1 stack and 1 bucket deleted");
    server.standing(&REGIONS).assert_nothing();
    assert!(
        !project
            .files(".taskcat/runs")
            .contains(&format!("{id}.ndjson"))
    );
}

/// A run that goes on is left alone: by its lock in its own folder, by its newest event anywhere
/// else.
#[test]
fn runs_that_go_on_are_left_alone() {
    let server = Server::take(Kind::Simulator);
    let project = held_project();
    let elsewhere = Project::copy_of("undeclared-parameter");
    let run = held_run(&project, &server.endpoint());
    let id = project.files(".taskcat/runs")[0]
        .trim_end_matches(".ndjson")
        .to_owned();
    for from in [&project, &elsewhere] {
        for what in ["ALL", "hooks"] {
            let outcome = clean(from, &server.endpoint(), &["-w", "--yes", what]);
            outcome
                .assert_code(0)
                .assert_says("skipped 2 resources of runs that seem to be in progress");
        }
    }
    clean(&project, &server.endpoint(), &["-w", "--yes", &id])
        .assert_code(0)
        .assert_says("skipped 2 resources");
    clean(&project, &server.endpoint(), &["--yes", ""])
        .assert_code(2)
        .assert_says("found an empty text");
    clean(&project, &server.endpoint(), &["ALL"])
        .assert_code(2)
        .assert_says("pass --yes");
    let standing = server.standing(&REGIONS);
    assert_eq!((standing.stacks.len(), standing.buckets.len()), (1, 1));

    let dry = clean(
        &elsewhere,
        &server.endpoint(),
        &["--dry-run", "--include-running", "hooks"],
    );
    dry.assert_code(0);
    assert!(
        dry.stdout.contains(&id) && dry.stdout.lines().count() == 2,
        "{}",
        dry.stdout
    );
    let recent = clean(
        &elsewhere,
        &server.endpoint(),
        &["--yes", "--older-than", "30m", &id],
    );
    recent.assert_code(0).assert_says("skipped 2 resources");

    std::fs::remove_file(project.path().join("held")).unwrap();
    run.wait().assert_code(0);
    server.standing(&REGIONS).assert_nothing();
}

#[test]
fn runs_that_go_on_are_deleted_on_request() {
    let server = Server::take(Kind::Simulator);
    let project = held_project();
    let elsewhere = Project::copy_of("undeclared-parameter");
    let run = held_run(&project, &server.endpoint());
    let outcome = clean(
        &elsewhere,
        &server.endpoint(),
        &["-w", "--yes", "--include-running", "hooks"],
    );
    outcome
        .assert_code(0)
        .assert_says("1 stack and 1 bucket deleted");
    server.standing(&REGIONS).assert_nothing();
    std::fs::remove_file(project.path().join("held")).unwrap();
    run.wait();
}

/// In a new container there is no journal; stacks and buckets are found by their tags, and
/// look-alikes are not.
#[test]
fn without_a_journal_tags_tell() {
    let server = Server::take(Kind::Simulator);
    let project = held_project();
    let run = held_run(&project, &server.endpoint());
    let id = kill(run, &project);
    std::fs::remove_dir_all(project.path().join(".taskcat")).unwrap();
    let other = format!("taskcat-id={}", "f".repeat(32));
    server.given(&["bucket", "tcat-hooks-aaaaaaaa", "us-east-1"]);
    server.given(&["bucket", "tcat-hooks-bbbbbbbb", "us-east-1", &other]);
    server.given(&[
        "bucket",
        "not-of-taskcat",
        "us-east-1",
        &format!("taskcat-id={id}"),
    ]);
    server.given(&["stack", "tCaT-hooks-one", "us-east-1"]);
    server.given(&["stack", "tCaT-hooks-two", "us-east-1", &other]);

    let list = Taskcat::at(&project, &server.endpoint())
        .args(["test", "list", "-r", "us-east-1"])
        .run();
    list.assert_code(0);
    let row = list
        .stdout
        .lines()
        .find(|line| line.contains(&id))
        .unwrap_or_else(|| panic!("{}", list.stdout));
    let columns: Vec<_> = row.split_whitespace().take(6).collect();
    assert_eq!(
        columns,
        ["hooks", &id, "us-east-1", "123456789012", "1", "1"],
        "{}",
        list.stdout
    );

    clean(&project, &server.endpoint(), &["-w", &id])
        .assert_code(0)
        .assert_says("1 stack and 1 bucket deleted");
    let standing = server.standing(&REGIONS);
    assert_eq!(
        standing.stack_names(),
        ["tCaT-hooks-one@us-east-1", "tCaT-hooks-two@us-east-1"]
    );
    let buckets: Vec<_> = standing.buckets.keys().map(String::as_str).collect();
    assert_eq!(
        buckets,
        [
            "not-of-taskcat",
            "tcat-hooks-aaaaaaaa",
            "tcat-hooks-bbbbbbbb"
        ]
    );
}

/// A journal says something about the endpoint and the account that it was written for, and nothing
/// about others.
#[test]
fn a_journal_is_followed_where_it_was_written_for() {
    let server = Server::take(Kind::Simulator);
    let another = Server::take(Kind::Simulator);
    let project = held_project();
    let run = held_run(&project, &server.endpoint());
    let id = kill(run, &project);
    let outcome = clean(&project, &another.endpoint(), &["-w", &id]);
    outcome
        .assert_code(4)
        .assert_says(&format!("it was written for {}", server.endpoint()));
    let keys = ["-w", &id];
    let stranger =
        Taskcat::at(&project, &server.endpoint()).env("AWS_ACCESS_KEY_ID", "210987654321");
    let stranger = stranger
        .args(["test", "clean", "-r", "us-east-1"])
        .args(keys)
        .run();
    stranger
        .assert_code(4)
        .assert_says("it was written for the account 123456789012");
    clean(&project, &server.endpoint(), &keys)
        .assert_code(0)
        .assert_says("1 stack and 1 bucket deleted");
    server.standing(&REGIONS).assert_nothing();
}

/// A checkout that can't be written doesn't keep a run from its journal, nor `clean` from finding
/// it.
#[test]
fn the_journal_is_kept_where_it_can_be_written() {
    let server = Server::take(Kind::Simulator);
    for (out, folder) in [
        (None, "taskcat_outputs/.taskcat/runs"),
        (Some("blocked"), "../home/.local/state/taskcat/runs"),
    ] {
        let project = held_project();
        project.write(".taskcat", "not a directory");
        if let Some(out) = out {
            project.write(&format!("{out}/.taskcat"), "not a directory");
        }
        let out = out.unwrap_or("taskcat_outputs");
        let args = ["-l", "-t", "recorded", "-r", "us-east-1", "-o", out];
        let mut run = Taskcat::test_run(&project, &server).args(args).start();
        run.wait_until("the posthook waits", || {
            project.path().join("waits").exists()
        });
        run.signal("KILL");
        run.wait();
        std::fs::remove_file(project.path().join("held")).unwrap();
        let journals = project.files(folder);
        assert_eq!(journals.len(), 1, "{folder}");
        clean(
            &project,
            &server.endpoint(),
            &["-w", "--yes", "-o", out, "hooks"],
        )
        .assert_code(0);
        assert!(project.files(folder).is_empty());
        server.standing(&REGIONS).assert_nothing();
    }
}

/// Two signals of one Ctrl-C are one; a later one ends the deletion, and the command that is
/// printed makes up for it.
#[test]
fn what_a_second_signal_leaves_is_named_with_the_command_that_deletes_it() {
    let server = Server::take(Kind::Simulator);
    let proxy = Proxy::with_faults(&server, &["DeleteStack=hang*1"]);
    let project = held_project();
    let run = held_run(&project, &proxy.endpoint());
    run.signal("INT");
    run.signal("TERM");
    let mut run = run;
    run.wait_until("the deletion hangs", || {
        run_calls(&proxy, "DeleteStack") > 0
    });
    std::thread::sleep(Duration::from_millis(1200));
    run.signal("INT");
    let outcome = run.wait();
    outcome
        .assert_code(130)
        .assert_says("not deleted: stack tCaT-hooks-recorded-");
    assert!(
        project.files(".taskcat/runs").len() == 1,
        "{:?}",
        project.files(".taskcat/runs")
    );
    let command = outcome
        .stderr
        .split('`')
        .find(|text| text.starts_with("taskcat "))
        .expect("a command")
        .to_owned();
    run_printed(&project, &command);
    server.standing(&REGIONS).assert_nothing();
    assert!(project.files(".taskcat/runs").is_empty());
}

fn run_calls(proxy: &Proxy, action: &str) -> usize {
    proxy.calls().count(action)
}

/// Types a command as it was printed.
#[track_caller]
fn run_printed(project: &Project, command: &str) {
    let folder = Path::new(env!("CARGO_BIN_EXE_taskcat")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let typed = Command::new("sh")
        .args(["-c", command])
        .current_dir(project.path())
        .env_clear()
        .envs([
            ("PATH", path.as_str()),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
        ])
        .env("AWS_REGION", "us-east-1")
        .env("HOME", project.home())
        .output()
        .unwrap();
    assert!(
        typed.status.success(),
        "{command}\n{}",
        String::from_utf8_lossy(&typed.stderr)
    );
}

/// A closed terminal is a signal like any other.
#[test]
fn a_hangup_cleans_up() {
    let server = Server::take(Kind::Simulator);
    let project = held_project();
    let run = held_run(&project, &server.endpoint());
    run.signal("HUP");
    run.wait()
        .assert_code(130)
        .assert_says("interrupted by SIGHUP");
    server.standing(&REGIONS).assert_nothing();
}

/// The answer to CreateBucket, or the process itself, is lost on the way: the bucket is found all
/// the same.
#[test]
fn a_bucket_whose_creation_was_cut_off_is_deleted() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("undeclared-parameter");

    let proxy = Proxy::with_faults(&server, &["CreateBucket=after:hang"]);
    let mut run = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .args(["-l"])
        .start();
    run.wait_until("the bucket exists", || {
        !server.standing(&REGIONS).buckets.is_empty()
    });
    run.signal("KILL");
    run.wait();
    let id = project.files(".taskcat/runs")[0]
        .trim_end_matches(".ndjson")
        .to_owned();
    // The proxy is the endpoint that the journal was written for.
    clean(&project, &proxy.endpoint(), &["-w", &id]).assert_code(0);
    server.standing(&REGIONS).assert_nothing();

    std::fs::remove_dir_all(project.path().join("taskcat_outputs")).unwrap();
    let proxy = Proxy::with_faults(&server, &["CreateBucket=delay:2"]);
    let mut run = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .args(["-l"])
        .start();
    let events = project.path().join("taskcat_outputs/events.ndjson");
    let is_creating = || {
        std::fs::read_to_string(&events)
            .unwrap_or_default()
            .contains("bucket_creating")
    };
    run.wait_until("the bucket is being created", is_creating);
    run.signal("INT");
    run.wait().assert_code(130);
    server.standing(&REGIONS).assert_nothing();
    assert!(project.files(".taskcat/runs").is_empty());
}
