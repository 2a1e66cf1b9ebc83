//! `list`, `deploy list` and `delete`: stacks by the tags of taskcat, permanent ones included.

use serde_json::Value;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};
use crate::terminal::{for_aws, on_terminal};

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const RUN: &str = "0123456789abcdef0123456789abcdef";
const INSTALLED: &str = "fedcba9876543210fedcba9876543210";

/// A server with a stack of a test run in two regions, one that the Python TaskCat has installed,
/// one of our `deploy run`, and two that aren't taskcat's.
fn server_with_stacks() -> Server {
    let server = Server::take(Kind::Simulator);
    let tags = |id: &str, more: &[&str]| {
        let own = [
            format!("taskcat-id={id}"),
            "taskcat-project-name=shop".to_owned(),
            "taskcat-test-name=main".to_owned(),
        ];
        let more = more.iter().map(|tag| (*tag).to_owned());
        own.into_iter().chain(more).collect::<Vec<_>>()
    };
    let stack = |name: &str, region: &str, tags: &[String]| {
        let tags = tags.iter().map(String::as_str);
        let what: Vec<&str> = ["stack", name, region].into_iter().chain(tags).collect();
        server.given(&what);
    };
    stack("tCaT-shop-main", "us-east-1", &tags(RUN, &[]));
    stack("tCaT-shop-main", "eu-west-1", &tags(RUN, &[]));
    stack("tCaT-shop-other", "eu-west-1", &tags(RUN, &[]));
    let installed = tags(INSTALLED, &["taskcat-installer=nifty-fox"]);
    stack("tCaT-shop-main-installed", "us-east-1", &installed);
    let deployed = ["taskcat-installer=shop-main".to_owned()];
    stack("shop-main", "us-east-1", &deployed);
    stack("copied-tags", "us-east-1", &deployed);
    stack("somebody-elses", "us-east-1", &[]);
    server
}

fn taskcat(project: &Project, endpoint: &str, args: &[&str]) -> Outcome {
    let taskcat = Taskcat::at(project, endpoint).args(args.iter().copied());
    taskcat.args(["-r", "us-east-1,eu-west-1"]).run()
}

fn names(server: &Server) -> Vec<String> {
    server.standing(&REGIONS).stack_names()
}

#[test]
fn stacks_are_listed_by_their_tags() {
    let server = server_with_stacks();
    let project = Project::empty("elsewhere");
    let list = |args: &[&str]| {
        let outcome = taskcat(&project, &server.endpoint(), args);
        outcome.assert_code(0);
        outcome.stdout
    };
    assert_eq!(
        list(&["list"]),
        "\
NAME         PROJECT    ID                                  REGION
nifty-fox    shop       fedcba9876543210fedcba9876543210    us-east-1
shop         shop       0123456789abcdef0123456789abcdef    eu-west-1
shop         shop       0123456789abcdef0123456789abcdef    us-east-1
shop-main    -          -                                   us-east-1
"
    );
    let permanent = "\
NAME         PROJECT    ID                                  REGION
nifty-fox    shop       fedcba9876543210fedcba9876543210    us-east-1
shop-main    -          -                                   us-east-1
";
    assert_eq!(list(&["list", "-s", "project"]), permanent);
    assert_eq!(list(&["deploy", "list"]), permanent);
    assert_eq!(
        list(&["list", "--stack-type", "test"]),
        "\
NAME    ID                                  REGION
shop    0123456789abcdef0123456789abcdef    eu-west-1
shop    0123456789abcdef0123456789abcdef    us-east-1
"
    );
    let jobs: Value = serde_json::from_str(&list(&["list", "--json"])).unwrap();
    assert_eq!(jobs.as_array().unwrap().len(), 4);
    assert_eq!(jobs[1]["name"], "shop");
    assert_eq!(jobs[1]["id"], RUN);
    assert_eq!(jobs[1]["active_stacks"], 2);
    assert_eq!(jobs[1]["stack_type"], "test");
    assert_eq!(jobs[3]["name"], "shop-main");
    assert_eq!(jobs[3]["id"], Value::Null);
    assert_eq!(jobs[3]["stack_type"], "project");
    let runs: Value = serde_json::from_str(&list(&["test", "list", "--json"])).unwrap();
    assert_eq!(runs.as_array().unwrap().len(), 2);
    assert_eq!(runs[0]["region"], "eu-west-1");
    assert_eq!(runs[0]["active_stacks"], 2);
    assert_eq!(runs[0]["buckets"], 0);
}

#[test]
fn nothing_found_is_said() {
    let server = Server::take(Kind::Simulator);
    let project = Project::empty("elsewhere");
    for (args, said) in [
        (&["list"][..], "no stacks found"),
        (&["deploy", "list"], "no stacks found"),
        (&["test", "list"], "no stacks or buckets found"),
    ] {
        let outcome = taskcat(&project, &server.endpoint(), args);
        outcome.assert_code(0).assert_says(said);
        assert_eq!(outcome.stdout, "", "{args:?}");
        let json = taskcat(&project, &server.endpoint(), &[args, &["--json"]].concat());
        json.assert_code(0);
        assert_eq!(json.stdout, "[]\n", "{args:?}");
    }
}

#[test]
fn several_profiles_are_searched() {
    let server = server_with_stacks();
    let project = Project::empty("elsewhere");
    std::fs::create_dir_all(project.home().join(".aws")).unwrap();
    let credentials = "[one]\naws_access_key_id = 123456789012\naws_secret_access_key = s\n\
        [two]\naws_access_key_id = 210987654321\naws_secret_access_key = s\n";
    std::fs::write(project.home().join(".aws/credentials"), credentials).unwrap();
    let list = |profiles: &str, command: &[&str]| {
        let run = Taskcat::offline(&project).env("AWS_ENDPOINT_URL", server.endpoint());
        let run = run.args(command.iter().copied());
        run.args(["-p", profiles, "-r", "us-east-1"]).run()
    };
    let json = |profiles: &str| {
        let outcome = list(profiles, &["list", "--json"]);
        outcome.assert_code(0);
        let jobs: Value = serde_json::from_str(&outcome.stdout).unwrap();
        jobs.as_array().unwrap().len()
    };
    assert_eq!((json("one"), json("two"), json("one,two")), (3, 0, 3));
    // The profiles that can be used are searched.
    for command in [&["list"][..], &["test", "list"], &["deploy", "list"]] {
        list("one,nobody", command)
            .assert_code(4)
            .assert_says("profile nobody was not searched");
    }
    list("nobody", &["list"])
        .assert_code(3)
        .assert_says("nobody");
    list(",", &["list"])
        .assert_code(2)
        .assert_says("expected names of profiles, found an empty list");
}

#[test]
fn a_denied_search_is_an_error() {
    let server = server_with_stacks();
    let project = Project::empty("elsewhere");
    let proxy = Proxy::with_faults(&server, &["DescribeStacks=403:AccessDenied"]);
    for args in [
        &["list"][..],
        &["deploy", "list"],
        &["test", "list"],
        &["delete", "shop-main"],
        &["test", "clean", "shop"],
    ] {
        taskcat(&project, &proxy.endpoint(), args)
            .assert_code(3)
            .assert_says("AccessDenied");
    }
    let proxy = Proxy::with_faults(&server, &["DescribeStacks@eu-west-1=403:AccessDenied"]);
    let partly = taskcat(&project, &proxy.endpoint(), &["list"]);
    partly
        .assert_code(4)
        .assert_says("eu-west-1 was not searched");
    assert!(partly.stdout.contains("nifty-fox"), "{}", partly.stdout);
}

#[test]
fn permanent_stacks_are_deleted_by_name() {
    let server = server_with_stacks();
    let project = Project::empty("elsewhere");
    let delete = |args: &[&str]| {
        taskcat(
            &project,
            &server.endpoint(),
            &[&["delete", "-w"], args].concat(),
        )
    };
    delete(&["nobody"])
        .assert_code(2)
        .assert_says("no project or run matches `nobody`")
        .assert_says("nifty-fox");
    delete(&["ALL"]).assert_code(2).assert_says("pass --yes");
    let dry = delete(&["ALL", "--dry-run", "-s", "project", "--json"]);
    dry.assert_code(0);
    let found: Value = serde_json::from_str(&dry.stdout).unwrap();
    let found: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(found, ["shop-main", "tCaT-shop-main-installed"]);
    let recent = delete(&["shop-main", "--older-than", "1h"]);
    recent.assert_code(0).assert_says("skipped 1 resource");
    assert_eq!(names(&server).len(), 7);

    delete(&["shop-main"])
        .assert_code(0)
        .assert_says("1 stack and 0 buckets deleted");
    delete(&["nifty-fox", "-s", "project"])
        .assert_code(0)
        .assert_says("1 stack and 0 buckets deleted");
    let left = [
        "copied-tags@us-east-1",
        "somebody-elses@us-east-1",
        "tCaT-shop-main@eu-west-1",
        "tCaT-shop-main@us-east-1",
        "tCaT-shop-other@eu-west-1",
    ];
    assert_eq!(names(&server), left);
    // The stacks of a test run are deleted by its ID, or by the project when the run has ended.
    delete(&["shop"])
        .assert_code(0)
        .assert_says("skipped 3 resources of runs that seem to be in progress");
    assert_eq!(names(&server), left);
    delete(&["-s", "test", RUN])
        .assert_code(0)
        .assert_says("3 stacks and 0 buckets deleted");
    assert_eq!(names(&server), left[..2]);
}

#[test]
fn cleaning_keeps_permanent_stacks() {
    let server = server_with_stacks();
    let project = Project::empty("elsewhere");
    let clean = ["test", "clean", "-w", "--yes", "--include-running", "ALL"];
    taskcat(&project, &server.endpoint(), &clean)
        .assert_code(0)
        .assert_says("3 stacks and 0 buckets deleted");
    assert_eq!(
        names(&server),
        [
            "copied-tags@us-east-1",
            "shop-main@us-east-1",
            "somebody-elses@us-east-1",
            "tCaT-shop-main-installed@us-east-1"
        ]
    );
}

#[test]
fn what_is_not_deleted_is_named() {
    let server = server_with_stacks();
    let project = Project::empty("elsewhere");
    let proxy = Proxy::with_faults(&server, &["DeleteStack=403:AccessDenied"]);
    let outcome = taskcat(
        &project,
        &proxy.endpoint(),
        &["delete", "-w", "shop-main", "--delete-timeout", "3s"],
    );
    outcome
        .assert_code(4)
        .assert_says("not deleted: stack shop-main in us-east-1");
    assert_eq!(names(&server).len(), 7);
}

#[test]
fn regions_are_verified() {
    let server = server_with_stacks();
    let project = Project::empty("elsewhere");
    let delete = |args: &[&str]| {
        let run = Taskcat::at(&project, &server.endpoint()).args(["delete", "-w"]);
        run.args(args.iter().copied()).run()
    };
    delete(&["shop-main", "-r", "us-east-1,us-eest-1"])
        .assert_code(2)
        .assert_says("unknown region `us-eest-1`")
        .assert_says("us-east-1")
        .assert_says("--no-verify");
    delete(&["shop-main", "-s", "stack"])
        .assert_code(2)
        .assert_says("[possible values: project, test, ALL]");
    delete(&["shop-main", "-r", "us-eest-1", "-n"])
        .assert_code(2)
        .assert_says("no project or run matches");
    // The region of the profile.
    delete(&["shop-main", "-r", "default", "-s", "all"])
        .assert_code(0)
        .assert_says("1 stack and 0 buckets deleted");
}

/// On a terminal, what would be deleted is shown first, and nothing goes without a yes.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_terminal_is_asked() {
    let server = server_with_stacks();
    let project = Project::empty("elsewhere");
    let answer = |args: &[&str], answer: &str| {
        let endpoint = server.endpoint();
        let actions = ["wait=Delete them?", &format!("type={answer}")];
        let args = [args, &["-w", "-r", "us-east-1,eu-west-1"]].concat();
        on_terminal(&project, "40x160", &for_aws(&endpoint), &args, &actions)
    };
    let delete = ["delete", "nifty-fox"];
    let end = answer(&delete, "n\r");
    assert_eq!(end["code"], 0, "{end:#}");
    let output = end["output"].as_str().unwrap();
    assert!(
        output.contains("tCaT-shop-main-installed  us-east-1"),
        "{output}"
    );
    assert!(output.contains("permanent stack nifty-fox"), "{output}");
    assert_eq!(names(&server).len(), 7);
    assert_eq!(answer(&delete, "y\r")["code"], 0);
    assert_eq!(names(&server).len(), 6);
    let clean = ["test", "clean", "ALL", "--include-running"];
    answer(&clean, "\r");
    assert_eq!(names(&server).len(), 6);
    assert_eq!(answer(&clean, "y\r")["code"], 0);
    assert_eq!(names(&server).len(), 3);
}
