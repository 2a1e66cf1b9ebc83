//! `deploy run` of a repository: cloned with its submodules, and nothing of it remains.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

const REGIONS: [&str; 1] = ["us-east-1"];

fn git(folder: &Path, args: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    let output = Command::new("git")
        .args(identity)
        .args(["-c", "protocol.file.allow=always", "-C"])
        .arg(folder)
        .args(args)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
}

fn commit(folder: &Path) {
    git(folder, &["init", "--quiet", "--initial-branch", "main"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "--message", "x"]);
}

/// The project `deploy` as a repository that has the nested template in a submodule, and beside it
/// an empty folder in which taskcat runs. Returns the URL of the repository.
fn repository(elsewhere: &Project) -> String {
    let origin = elsewhere.path().with_file_name("origin");
    let network = origin.join("org/network");
    let shop = origin.join("org/shop");
    let deploy = Project::copy_of("deploy");
    deploy.replace(
        "templates/shop.yaml",
        "templates/network.yaml",
        "submodules/network/network.yaml",
    );
    fs::create_dir_all(&network).unwrap();
    fs::create_dir_all(shop.join("templates")).unwrap();
    for (from, to) in [
        ("templates/network.yaml", network.join("network.yaml")),
        ("templates/shop.yaml", shop.join("templates/shop.yaml")),
        (".taskcat.yml", shop.join(".taskcat.yml")),
    ] {
        fs::write(to, deploy.read(from)).unwrap();
    }
    commit(&network);
    commit(&shop);
    let module = [
        "submodule",
        "--quiet",
        "add",
        "../network",
        "submodules/network",
    ];
    let url = format!("file://{}", shop.display());
    git(&shop, &["remote", "add", "origin", &url]);
    git(&shop, &module);
    git(&shop, &["commit", "--quiet", "--message", "submodule"]);
    url
}

fn deploy(elsewhere: &Project, server: &Server, args: &[&str]) -> Outcome {
    let run = Taskcat::at(elsewhere, &server.endpoint()).args(["deploy", "run", "--yes", "-l"]);
    run.args(args.iter().copied()).run()
}

/// Temporary folders are created in the home of a test.
fn assert_no_checkout(elsewhere: &Project) {
    let left: Vec<_> = fs::read_dir(elsewhere.home())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("taskcat-"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

/// Puts a program named `git` before the one on PATH, which does something else than cloning.
fn fake_git(elsewhere: &Project, script: &str) -> std::ffi::OsString {
    elsewhere.write(
        "bin/git",
        &format!("#!/bin/sh\n[ \"$1\" = clone ] || exit 1\n{script}\n"),
    );
    let program = elsewhere.path().join("bin/git");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::iter::once(elsewhere.path().join("bin"));
    std::env::join_paths(folders.chain(std::env::split_paths(&path))).unwrap()
}

#[test]
fn a_repository_is_cloned_with_its_submodules() {
    let server = Server::take(Kind::Simulator);
    let elsewhere = Project::empty("elsewhere");
    let url = repository(&elsewhere);
    deploy(&elsewhere, &server, &["-p", &url])
        .assert_code(0)
        .assert_says(&format!("cloning {url}"))
        .assert_says("1 deployed");
    let standing = server.standing(&REGIONS);
    let names = standing.stack_names();
    assert!(
        names.contains(&"shop-main@us-east-1".to_owned()),
        "{names:?}"
    );
    assert_eq!(
        names.len(),
        2,
        "the nested stack's template is in the submodule"
    );
    let staged: Vec<_> = standing
        .buckets
        .keys()
        .flat_map(|it| standing.keys(it))
        .collect();
    assert!(staged.iter().all(|key| !key.contains(".git")), "{staged:?}");
    assert_no_checkout(&elsewhere);
    deploy(&elsewhere, &server, &[&url])
        .assert_code(0)
        .assert_says("1 unchanged");

    // `org/repo` is on GitHub, which git can be told to find elsewhere; so are Quick Starts.
    let origin = elsewhere.path().with_file_name("origin");
    let org = origin.join("org").display().to_string();
    let config = format!(
        "[url \"file://{org}/\"]\n  insteadOf = https://github.com/example/\n  \
         insteadOf = https://github.com/aws-quickstart/\n\
         [url \"file://{org}/shop\"]\n  \
         insteadOf = https://github.com/aws-quickstart/quickstart-shop.git\n"
    );
    fs::write(elsewhere.home().join(".gitconfig"), config).unwrap();
    std::os::unix::fs::symlink(origin.join("org/shop"), origin.join("org/shop.git")).unwrap();
    for (project, cloned) in [
        ("example/shop", "https://github.com/example/shop.git"),
        (
            "shop",
            "https://github.com/aws-quickstart/quickstart-shop.git",
        ),
    ] {
        let run = Taskcat::at(&elsewhere, &server.endpoint())
            .env("GIT_ALLOW_PROTOCOL", "file")
            .args(["deploy", "run", "--yes", "-l", "-p", project]);
        run.run()
            .assert_code(0)
            .assert_says(&format!("cloning {cloned}"))
            .assert_says("1 unchanged");
    }
    assert_no_checkout(&elsewhere);
}

#[test]
fn a_repository_that_cannot_be_cloned_is_an_error() {
    let server = Server::take(Kind::Simulator);
    let elsewhere = Project::empty("elsewhere");
    let check = |args: &[&str], said: &str| {
        deploy(&elsewhere, &server, args)
            .assert_code(2)
            .assert_says(said);
        assert_no_checkout(&elsewhere);
    };
    check(
        &["file:///no/such/repository"],
        "cannot clone file:///no/such/repository: git exited with code 128",
    );
    check(&["ext::sh -c id"], "is not a git URL");
    check(&["ssh://-oProxyCommand=id/x"], "has no valid host");
    check(
        &["--", "--upload-pack=id"],
        "the project root --upload-pack=id doesn't exist",
    );
    check(&["./missing"], "the project root ./missing doesn't exist");
    check(&["-p", ".", "."], "cannot be used with");
    // Where a name isn't a folder, it is said what it was taken for.
    let run = Taskcat::at(&elsewhere, &server.endpoint()).env("GIT_ALLOW_PROTOCOL", "none");
    run.args(["deploy", "run", "--yes", "missing"])
        .run()
        .assert_code(2)
        .assert_says("cannot clone https://github.com/aws-quickstart/quickstart-missing.git")
        .assert_says("the project root missing doesn't exist");
    // A repository of the network doesn't bring a folder of this machine along.
    let url = repository(&elsewhere);
    let run = Taskcat::at(&elsewhere, &server.endpoint()).env("GIT_ALLOW_PROTOCOL", "https:ssh");
    run.args(["deploy", "run", "--yes", "-p", &url])
        .run()
        .assert_code(2)
        .assert_says("transport 'file' not allowed");
    server.standing(&REGIONS).assert_nothing();
}

#[test]
fn credentials_of_a_url_are_not_shown() {
    let server = Server::take(Kind::Simulator);
    let elsewhere = Project::empty("elsewhere");
    let script = "echo \"$@\" >arguments; env >environment; echo \"fatal: https://me:s3cr3t@127.0.0.1:9/a/shop.git \
        and s3cr3t\" >&2; exit 128";
    let path = fake_git(&elsewhere, script);
    let run = Taskcat::at(&elsewhere, &server.endpoint()).env("PATH", path);
    let url = "https://me:s3cr3t@127.0.0.1:9/a/shop.git";
    let outcome = run.args(["-d", "deploy", "run", "--yes", "-p", url]).run();
    outcome
        .assert_code(2)
        .assert_says("cannot clone https://127.0.0.1:9/a/shop.git")
        .assert_silent_about("s3cr3t");
    let arguments = elsewhere.read("arguments");
    assert!(!arguments.contains("s3cr3t"), "{arguments}");
    assert!(
        arguments.contains(" -- https://127.0.0.1:9/a/shop.git "),
        "{arguments}"
    );
    let environment = elsewhere.read("environment");
    let given = "GIT_CONFIG_KEY_0=url.https://me:s3cr3t@127.0.0.1:9/.insteadOf";
    assert!(environment.contains(given), "{environment}");
    assert_no_checkout(&elsewhere);
}

#[test]
fn a_clone_that_hangs_or_is_killed_leaves_nothing() {
    let server = Server::take(Kind::Simulator);
    let elsewhere = Project::empty("elsewhere");
    // The last argument is the folder.
    let script =
        "for last; do :; done; mkdir -p \"$last\"; echo x >\"$last/file\"; touch started; sleep 60";
    let path = fake_git(&elsewhere, script);
    let run = |args: &[&str]| {
        let run = Taskcat::at(&elsewhere, &server.endpoint()).env("PATH", &path);
        let run = run.args(["deploy", "run", "--yes", "-p", "https://127.0.0.1:9/a/b"]);
        run.args(args.iter().copied())
    };
    run(&["--clone-timeout", "1s"])
        .run()
        .assert_code(2)
        .assert_says("it took longer than 1s");
    assert_no_checkout(&elsewhere);
    for signal in ["KILL", "INT"] {
        let _ = fs::remove_file(elsewhere.path().join("started"));
        let mut running = run(&[]).start();
        running.wait_until("git runs", || elsewhere.path().join("started").exists());
        running.signal(signal);
        running.wait();
        let is_left = || {
            let mut names = fs::read_dir(elsewhere.home()).unwrap();
            names.any(|it| {
                it.unwrap()
                    .file_name()
                    .to_str()
                    .unwrap()
                    .starts_with("taskcat-")
            })
        };
        let started = std::time::Instant::now();
        while is_left() {
            assert!(
                started.elapsed().as_secs() < 30,
                "the folder remains after {signal}"
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}
