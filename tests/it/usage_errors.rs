//! What is said about mistakes on the command line, in the environment and in the choice of
//! folders.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

fn offline(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::offline(project).args(args.iter().copied()).run()
}

/// A CI's variable that nobody has filled is empty, and means what an absent one means.
#[test]
fn an_empty_endpoint_is_none() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("undeclared-parameter");
    let empty = [
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL_CLOUDFORMATION",
        "AWS_ENDPOINT_URL_EC2",
    ];
    let commands: [&[&str]; 3] = [&["test", "run", "-l"], &["upload"], &["test", "list"]];
    for args in commands {
        let of_environment = empty
            .into_iter()
            .fold(Taskcat::at(&project, &server.endpoint()), |run, it| {
                run.env(it, "")
            });
        of_environment
            .args(["--endpoint-url", " "])
            .args(args.iter().copied())
            .run()
            .assert_code(0);
        let of_argument = empty
            .into_iter()
            .fold(Taskcat::at(&project, " "), |run, it| run.env(it, " "));
        let endpoint = server.endpoint();
        of_argument
            .args(["--endpoint-url", &endpoint])
            .args(args.iter().copied())
            .run()
            .assert_code(0);
    }
    // Without any, AWS itself is called: by way of a proxy that doesn't exist.
    let none = Taskcat::at(&project, "")
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .args(["test", "run", "-l"])
        .run();
    none.assert_code(3)
        .assert_says("Connection refused")
        .assert_silent_about("os error");
}

#[test]
fn an_endpoint_that_is_no_url_is_named_with_its_variable() {
    let project = Project::copy_of("undeclared-parameter");
    for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
        let outcome = Taskcat::offline(&project)
            .env(variable, "localhost:4566")
            .args(["test", "list"])
            .run();
        outcome.assert_code(2).assert_says(&format!(
            "invalid endpoint URL `localhost:4566` in {variable}"
        ));
    }
    let outcome = offline(&project, &["--endpoint-url", "nope", "test", "list"]);
    outcome
        .assert_code(2)
        .assert_says("invalid endpoint URL `nope` in --endpoint-url");
}

/// By every command, however the profile was chosen.
#[test]
fn a_profile_that_does_not_exist_is_named_with_those_that_do() {
    let project = Project::copy_of("undeclared-parameter");
    fs::create_dir(project.home().join(".aws")).unwrap();
    let config = "[profile europe]\nregion = eu-west-1\n[profile everyday]\nregion = us-east-1\n";
    fs::write(project.home().join(".aws/config"), config).unwrap();
    let commands: [&[&str]; 4] = [
        &["test", "run", "-l"],
        &["test", "list"],
        &["test", "clean", "--yes", "ALL"],
        &["upload"],
    ];
    for args in commands {
        let outcome = offline(&project, &[&["--profile", "nobody"], args].concat());
        outcome
            .assert_code(3)
            .assert_says("profile `nobody` doesn't exist in")
            .assert_says(".aws/credentials");
        outcome.assert_says("expected one of europe, everyday");
        let outcome = Taskcat::offline(&project)
            .env("AWS_PROFILE", "nobody")
            .args(args.iter().copied())
            .run();
        outcome
            .assert_code(3)
            .assert_says("profile `nobody` (set by AWS_PROFILE) doesn't exist in");
        // One that exists and has no credentials.
        let outcome = offline(&project, &[&["--profile", "europe"], args].concat());
        outcome
            .assert_code(3)
            .assert_says("no credentials were found")
            .assert_silent_about("io error");
        offline(&project, args)
            .assert_code(3)
            .assert_says("no credentials were found");
    }
    fs::remove_file(project.home().join(".aws/config")).unwrap();
    offline(&project, &["--profile", "nobody", "test", "list"])
        .assert_says("create it with `aws configure --profile nobody`");
}

/// Says which file, what for, and what to do; the system's number says nothing to anybody.
#[test]
fn files_and_folders_that_cannot_be_used() {
    let project = Project::copy_of("undeclared-parameter");
    project.write("out", "");
    let check = |args: &[&str], code: i32, expect: &[&str]| {
        let outcome = offline(&project, args);
        outcome.assert_code(code).assert_silent_about("os error");
        expect.iter().for_each(|text| _ = outcome.assert_says(text));
    };
    check(
        &["test", "run", "--local", "-l", "-o", "out"],
        5,
        &["cannot create the directory out: it is a file", "-o DIR"],
    );
    check(
        &["test", "run", "--local", "-l", "-p", "nowhere"],
        2,
        &["the project root nowhere doesn't exist"],
    );
    check(
        &["plan", "-p", "out"],
        2,
        &["the project root out is not a directory", "--input-file"],
    );
    check(
        &["deploy", "run", "nowhere"],
        2,
        &["the project root nowhere doesn't exist"],
    );
    check(
        &["render", "-r", "us-east-1", "nowhere.yaml"],
        2,
        &["cannot read the template nowhere.yaml: no such file"],
    );
    check(&["report", "nowhere"], 2, &["cannot read nowhere"]);
    check(
        &["test", "run", "--local", "--scenario", "nowhere"],
        2,
        &["cannot read nowhere"],
    );
}

#[test]
fn a_configuration_that_is_elsewhere_is_found() {
    let project = Project::empty("none");
    offline(&project, &["plan"])
        .assert_code(2)
        .assert_says("help: create it, with `project: {name: NAME");
    project.write("taskcat.yaml", "");
    offline(&project, &["plan"])
        .assert_code(2)
        .assert_says("help: rename taskcat.yaml to .taskcat.yml");
    project.write(".taskcat.yml", "tests: {}\n");
    project.write("a/b/c", "");
    let root = project.path().canonicalize().unwrap();
    let help = format!(
        "help: pass `--project-root {}`, which has one",
        root.display()
    );
    offline(&project, &["lint", "-p", "a/b"])
        .assert_code(2)
        .assert_says(&help);
    offline(&project, &["plan", "-i", "other.yml"])
        .assert_code(2)
        .assert_says("--input-file");
}

#[test]
fn a_tilde_is_the_home_directory() {
    let project = Project::copy_of("undeclared-parameter");
    let home = project.home();
    std::os::unix::fs::symlink(project.path(), home.join("x")).unwrap();
    let elsewhere = |args: &[&str]| {
        Taskcat::offline(&project)
            .env("PWD", "/")
            .args(args.iter().copied())
            .run()
    };
    for args in [
        &["plan"][..],
        &["config", "show"],
        &["test", "run", "--local", "-l"],
    ] {
        for root in ["~/x", "~/x/"] {
            elsewhere(&[args, &["-p", root]].concat()).assert_code(0);
            elsewhere(&[args, &[&format!("--project-root={root}")]].concat()).assert_code(0);
        }
    }
    elsewhere(&["plan", "-p", "~no-such-user"])
        .assert_code(2)
        .assert_says("the project root ~no-such-user doesn't exist");
    // Another user's home, which has no project.
    elsewhere(&["plan", "-p", "~root/no-such-project"])
        .assert_code(2)
        .assert_says("the project root /root/no-such-project doesn't exist");
}

#[test]
fn what_is_unknown_on_the_command_line_has_a_tip() {
    let project = Project::copy_of("undeclared-parameter");
    let check = |args: &[&str], tip: &str| {
        offline(&project, args)
            .assert_code(2)
            .assert_says(&format!("tip: {tip}"));
    };
    check(&["plan", "--json"], "use '--format json'");
    check(&["config", "show", "--json"], "use '--format json'");
    check(&["plan", "--output", "json"], "use '--format'");
    check(&["test", "rn"], "a similar subcommand exists: 'run'");
    check(&["test", "ls"], "a similar subcommand exists: 'list'");
    check(&["run"], "use 'taskcat test run'");
    check(&["clean"], "use 'taskcat test clean'");
    check(
        &["plan", "templates/topic.template.yaml"],
        "use '--input-file templates/topic.template.yaml'",
    );
    check(&["test", "run", "topic"], "use '--test-names topic'");
    check(&["plan", "eu-west-1"], "use '--regions eu-west-1'");
    check(&["doctor", "something"], "this command takes only flags");
    check(
        &["test", "run", "--parallel", "3"],
        "use '--max-concurrency'",
    );
    check(&["plan", "--verbose"], "use '--debug'");
    check(&["-V"], "use '--version'");
}

/// The configuration comes first, and the question of who would be asked after it.
#[test]
fn a_deployment_without_a_terminal_reads_the_configuration_first() {
    let project = Project::empty("nothing");
    offline(&project, &["deploy", "run"])
        .assert_code(2)
        .assert_says(".taskcat.yml: no such file");
    let project = Project::copy_of("deploy");
    let outcome = offline(&project, &["deploy", "run"]);
    outcome
        .assert_code(2)
        .assert_says("stdin is not a terminal; pass --yes")
        .assert_says("--no-execute");
}

#[test]
fn commands_without_tests_say_so() {
    let project = Project::empty("untested");
    project.write(
        ".taskcat.yml",
        "project: {name: untested, regions: [us-east-1]}\n",
    );
    for args in [&["lint"][..], &["plan"], &["test", "run", "--local"]] {
        offline(&project, args)
            .assert_code(2)
            .assert_says("the configuration has no tests");
    }
    let project = Project::copy_of("undeclared-parameter");
    for names in ["", ","] {
        for args in [
            &["plan", "-t", names][..],
            &["test", "run", "--local", "-t", names],
        ] {
            let outcome = offline(&project, args);
            outcome
                .assert_code(2)
                .assert_says("expected names of tests or ALL")
                .assert_silent_about("has no tests");
        }
    }
}

/// Reports lie wherever `-o` puts them, and are never a part of what is tested.
#[test]
fn reports_are_not_staged() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("undeclared-parameter");
    project.write("site/index.html", "<p>about taskcat</p>");
    let run = |args: &[&str]| {
        Taskcat::test_run(&project, &server)
            .args(["-l"])
            .args(args.iter().copied())
            .run()
    };
    run(&["-o", "first"]).assert_code(0);
    run(&["-o", "deep/second"]).assert_code(0);
    run(&["-o", "templates", "--no-delete"]).assert_code(0);
    let standing = server.standing(&["us-east-1"]);
    let bucket = standing.buckets.keys().next().unwrap().clone();
    assert_eq!(
        standing.keys(&bucket),
        [
            "undeclared-parameter/site/index.html",
            "undeclared-parameter/templates/topic.template.yaml"
        ]
    );
    let dry = Taskcat::at(&project, &server.endpoint())
        .args(["upload", "--dry-run"])
        .run();
    dry.assert_code(0)
        .assert_says("dry run: 2 files to upload, 0 to delete; nothing was changed");
    dry.assert_silent_about("uploaded");
    assert!(!dry.stdout.contains("events.ndjson"), "{}", dry.stdout);
}

#[test]
fn cleaning_names_what_it_does_not_know() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("undeclared-parameter");
    let clean = |args: &[&str]| {
        let clean = Taskcat::at(&project, &server.endpoint()).args([
            "test",
            "clean",
            "--yes",
            "-r",
            "us-east-1",
        ]);
        clean.args(args.iter().copied()).run()
    };
    for what in ["nobody", "abcdef12"] {
        let nothing = clean(&[what]);
        nothing
            .assert_code(2)
            .assert_says(&format!("no project or run matches `{what}`"));
        nothing.assert_says("no leftovers of other projects or runs");
    }
    // One's own project, and a run whose ID is known, may well have nothing to delete.
    for what in ["undeclared-parameter", &"a".repeat(32)] {
        clean(&[what])
            .assert_code(0)
            .assert_says("0 stacks and 0 buckets deleted");
    }
    Taskcat::test_run(&project, &server)
        .args(["-l", "--no-delete"])
        .run()
        .assert_code(0);
    let id = project.files(".taskcat/runs")[0]
        .trim_end_matches(".ndjson")
        .to_owned();
    clean(&["nobody"]).assert_code(2).assert_says(&format!(
        "leftovers were found of undeclared-parameter (run {id})"
    ));
    // The beginning of a run's ID will do; what isn't awaited isn't called deleted.
    let outcome = clean(&[&id[..8]]);
    outcome
        .assert_code(0)
        .assert_says("deletion of 1 stack requested, pass -w to wait for it, 1 bucket deleted");
    outcome.assert_silent_about("0 stacks");
    assert!(
        project.files(".taskcat/runs").is_empty(),
        "the journal is not needed any more"
    );
}

/// What could not be deleted is called by its name.
#[test]
fn what_cleaning_leaves_behind_is_named() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("undeclared-parameter");
    Taskcat::test_run(&project, &server)
        .args(["-l", "--no-delete"])
        .run()
        .assert_code(0);
    let proxy = crate::proxy::Proxy::with_faults(&server, &["DeleteStack=403:AccessDenied"]);
    let id = project.files(".taskcat/runs")[0]
        .trim_end_matches(".ndjson")
        .to_owned();
    let clean = Taskcat::at(&project, &proxy.endpoint()).env("HOME", project.home());
    let clean = clean.args([
        "test",
        "clean",
        "-w",
        "--yes",
        "--delete-timeout",
        "5s",
        "-r",
        "us-east-1",
        "ALL",
    ]);
    let outcome = clean.args(["--include-running"]).run();
    outcome.assert_says(&format!(
        "not deleted: stack tCaT-undeclared-parameter-topic-{id} in us-east-1"
    ));
}

/// A deletion that wasn't awaited is no reason for the next run to warn.
#[test]
fn a_deletion_that_is_not_awaited_leaves_no_warning() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("undeclared-parameter");
    let first = Taskcat::test_run(&project, &server)
        .args(["-l", "-d"])
        .run();
    first
        .assert_code(0)
        .assert_says("deletion requested, not awaited")
        .assert_silent_about("not deleted:");
    assert!(project.files(".taskcat/runs").is_empty());
    let next = Taskcat::test_run(&project, &server).args(["-l"]).run();
    next.assert_code(0).assert_silent_about("an earlier run");
}

/// Nobody has interrupted anything where the run could not begin.
#[test]
fn an_error_before_the_tests_interrupts_none() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("given-bucket");
    let outcome = Taskcat::test_run(&project, &server).args(["-l"]).run();
    outcome
        .assert_code(3)
        .assert_says("stopped before the tests")
        .assert_silent_about("interrupted");
    assert!(
        outcome
            .states()
            .iter()
            .all(|state| state.ends_with(" skipped")),
        "{:?}",
        outcome.states()
    );
    let report = outcome.report();
    assert_eq!(
        (&report["verdict"], &report["totals"]["interrupted"]),
        (&"error".into(), &0.into())
    );
    assert!(!outcome.output("junit.xml").contains("interrupted"));
}

#[test]
fn a_check_that_was_skipped_found_nothing() {
    let project = Project::copy_of("undeclared-parameter");
    let run = Taskcat::offline(&project)
        .env("PATH", project.home())
        .args(["test", "run", "--local", "-l"]);
    let outcome = run.run();
    outcome
        .assert_code(0)
        .assert_silent_about("lint: nothing found");
    assert!(outcome.report()["lint"].is_null());
    let again = offline(&project, &["report"]);
    again.assert_code(0);
    assert!(
        again.stdout.starts_with("simulated: 1 passed; report: "),
        "{}",
        again.stdout
    );
}

/// A checkout that belongs to somebody else (a CI's container): what is written goes where it can
/// be.
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let project = Project::copy_of("undeclared-parameter");
    let folder = project.path().join("taskcat_outputs");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    // Root may write all the same.
    let is_root = fs::write(folder.join("probe"), "").is_ok();
    let outcome = offline(&project, &["test", "run", "--local", "-l"]);
    if !is_root {
        outcome
            .assert_code(5)
            .assert_says("cannot write ./taskcat_outputs")
            .assert_says("permission denied");
        outcome
            .assert_says("-o DIR")
            .assert_silent_about("os error");
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Legacy overrides are converted with the rest, and then nothing warns about them.
#[test]
fn a_converted_project_does_not_warn() {
    let project = Project::empty("old");
    let global = "global: {qsname: old, regions: [us-east-1]}\n";
    project.write(
        "ci/taskcat.yml",
        &format!("{global}tests: {{a: {{template_file: a.yaml, parameter_input: a.json}}}}\n"),
    );
    project.write(
        "ci/a.json",
        r#"[{"ParameterKey": "A", "ParameterValue": "a"}]"#,
    );
    project.write(
        "ci/taskcat_project_override.json",
        r#"[{"ParameterKey": "A", "ParameterValue": "010"}]"#,
    );
    let convert = offline(&project, &["config", "convert"]);
    convert
        .assert_code(0)
        .assert_says("wrote ./.taskcat.yml")
        .assert_says("wrote ./.taskcat_overrides.yml");
    assert_eq!(project.read(".taskcat_overrides.yml"), "A: \"010\"\n");
    let show = offline(&project, &["config", "show"]);
    show.assert_code(0).assert_silent_about("warning");
    assert!(show.stdout.contains("A: \"010\""), "{}", show.stdout);
    offline(&project, &["config", "convert"])
        .assert_code(2)
        .assert_says("exists already");
    // One who has converted the configuration before gets the rest.
    fs::remove_file(project.path().join(".taskcat_overrides.yml")).unwrap();
    offline(&project, &["config", "show"])
        .assert_says("`taskcat config convert` writes it as .taskcat_overrides.yml");
    offline(&project, &["config", "convert"])
        .assert_code(0)
        .assert_says("wrote ./.taskcat_overrides.yml");
}
