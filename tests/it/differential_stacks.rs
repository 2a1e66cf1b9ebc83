//! The Python TaskCat 0.9.58 beside ours on the same moto: `list`, `deploy list`, `test list`,
//! `delete`, `test clean`, `deploy run` and `config convert`.
//!
//! Where the two differ on purpose, the difference is named here and nowhere else.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::project::Project;
use crate::proxy::{Proxy, form_list};
use crate::servers::{Kind, Server, support, venv};
use crate::taskcat::{Outcome, Taskcat};

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const IN_REGIONS: [&str; 2] = ["-r", "us-east-1,eu-west-1"];
const RUN: &str = "0123456789abcdef0123456789abcdef";
const OTHER_RUN: &str = "1123456789abcdef0123456789abcdef";
const INSTALLED: &str = "fedcba9876543210fedcba9876543210";

fn python(project: &Project, endpoint: &str, args: &[&str]) -> Outcome {
    Taskcat::program(venv("taskcat").join("bin/python"), project)
        .with_python_tools()
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "testing")
        .env("AWS_SECRET_ACCESS_KEY", "testing")
        .args([support("taskcat_offline.py").to_str().unwrap()])
        .args(args.iter().copied())
        .run()
}

fn ours(project: &Project, endpoint: &str, args: &[&str]) -> Outcome {
    let run = Taskcat::at(project, endpoint);
    run.args(args.iter().copied()).run()
}

/// A moto with stacks that have the tags of TaskCat, and one that has none.
fn server_with_stacks() -> Server {
    let server = Server::take(Kind::Moto);
    let stack = |name: &str, region: &str, id: &str, project: &str, installer: Option<&str>| {
        let tags = [
            Some(format!("taskcat-id={id}")),
            Some(format!("taskcat-project-name={project}")),
            Some("taskcat-test-name=main".to_owned()),
            installer.map(|name| format!("taskcat-installer={name}")),
        ];
        let tags: Vec<String> = tags.into_iter().flatten().collect();
        let tags = tags.iter().map(String::as_str);
        let what: Vec<&str> = ["stack", name, region].into_iter().chain(tags).collect();
        server.given(&what);
    };
    stack("tCaT-shop-main", "us-east-1", RUN, "shop", None);
    stack("tCaT-shop-main", "eu-west-1", RUN, "shop", None);
    stack("tCaT-store-main", "eu-west-1", OTHER_RUN, "store", None);
    stack(
        "tCaT-shop-installed",
        "us-east-1",
        INSTALLED,
        "shop",
        Some("nifty-fox"),
    );
    server.given(&["stack", "somebody-elses", "us-east-1"]);
    server
}

/// The lines of a table, sorted: TaskCat prints them in the order of its threads.
fn rows(table: &str) -> Vec<String> {
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    let mut rows: Vec<String> = lines.skip_while(|line| !line.starts_with("NAME")).collect();
    rows.sort();
    rows
}

#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn the_same_stacks_are_listed() {
    let server = server_with_stacks();
    let project = Project::empty("elsewhere");
    for (command, count) in [
        (&["list"][..], 5),
        (&["list", "-s", "ALL", "-p", "default"], 5),
        (&["list", "--stack-type", "test"], 4),
        (&["list", "-s", "project"], 2),
        (&["deploy", "list"], 2),
    ] {
        let args = [command, &IN_REGIONS].concat();
        let theirs = python(&project, &server.endpoint(), &args);
        let ours = ours(&project, &server.endpoint(), &args);
        ours.assert_code(0);
        // TaskCat prints to standard error.
        assert_eq!(rows(&ours.stdout), rows(&theirs.stderr), "{command:?}");
        assert_eq!(rows(&ours.stdout).len(), count, "{command:?}");
    }
    // Our `test list` has a table of its own, with the same runs.
    let args = [&["test", "list"][..], &IN_REGIONS].concat();
    let theirs = python(&project, &server.endpoint(), &args);
    let ours = ours(&project, &server.endpoint(), &args);
    for row in rows(&theirs.stderr)
        .iter()
        .filter(|row| !row.starts_with("NAME"))
    {
        let cells: Vec<&str> = row.split_whitespace().collect();
        let same = |line: &&str| cells.iter().all(|cell| line.contains(cell));
        assert_eq!(ours.stdout.lines().filter(same).count(), 1, "{row}");
    }
}

/// What is left after the same command of both, on a server each.
fn both_delete(theirs: &[&str], ours_args: &[&str]) -> [Vec<String>; 2] {
    let project = Project::empty("elsewhere");
    let server = server_with_stacks();
    python(
        &project,
        &server.endpoint(),
        &[theirs, &IN_REGIONS].concat(),
    )
    .assert_code(0);
    let after_theirs = server.standing(&REGIONS).stack_names();
    drop(server);
    let server = server_with_stacks();
    ours(
        &project,
        &server.endpoint(),
        &[ours_args, &IN_REGIONS].concat(),
    )
    .assert_code(0);
    [after_theirs, server.standing(&REGIONS).stack_names()]
}

#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn the_same_stacks_are_deleted() {
    let same = |args: &[&str], more: &[&str], left: usize| {
        let [theirs, ours] = both_delete(args, &[args, more].concat());
        assert_eq!(ours, theirs, "{args:?}");
        assert_eq!(ours.len(), left, "{args:?}");
    };
    same(&["delete", "nifty-fox", "-w"], &[], 4);
    same(&["delete", "-s", "project", INSTALLED], &["-w"], 4);
    // Ours skips runs whose stacks were created a moment ago, unless --include-running is given.
    let running = ["--include-running", "-w"];
    same(&["delete", "store", "-a", "default"], &running, 4);
    same(&["test", "clean", "store"], &running, 4);
    // Ours doesn't delete everything unasked.
    let all = ["--include-running", "-w", "--yes"];
    same(&["delete", "ALL"], &all, 1);

    // TaskCat's `-s project` deletes the stacks of tests, too, by the name of their project.
    let [theirs, ours] = both_delete(
        &["delete", "ALL", "-s", "project"],
        &[&["delete", "ALL", "-s", "project"][..], &all].concat(),
    );
    assert_eq!((theirs.len(), ours.len()), (1, 4));
    // TaskCat's `test clean` deletes permanent stacks of the project, too; ours keeps them.
    let [theirs, ours] = both_delete(
        &["test", "clean", "shop"],
        &["test", "clean", "shop", "-w", "--include-running"],
    );
    let kept: Vec<_> = ours.iter().filter(|name| !theirs.contains(name)).collect();
    assert_eq!(kept, ["tCaT-shop-installed@us-east-1"]);
    assert!(theirs.iter().all(|name| ours.contains(name)));
    // TaskCat's `test clean` promises to take a run's ID, and deletes nothing; ours does.
    let [theirs, ours] = both_delete(&["test", "clean", RUN], &["test", "clean", RUN, "-w"]);
    assert_eq!((theirs.len(), ours.len()), (5, 3));
}

/// By test: the template's key, the parameters, and the tags that a deployment brings along.
type Launches = BTreeMap<String, (String, Vec<[String; 2]>, Vec<[String; 2]>)>;

/// What a deployment asks CloudFormation for, and the objects that it stages.
fn deployed(is_python: bool) -> (Launches, Vec<String>) {
    let server = Server::take(Kind::Moto);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("given-bucket");
    server.given(&["bucket", "the-users-own-bucket", "us-east-1"]);
    let call = if is_python {
        let args = ["deploy", "run", "-p", ".", "-r", "us-east-1", "-n", "fox"];
        python(&project, &proxy.endpoint(), &args).assert_code(0);
        "CreateStack"
    } else {
        let args = ["deploy", "run", "-p", ".", "-r", "us-east-1", "-l", "--yes"];
        ours(&project, &proxy.endpoint(), &args).assert_code(0);
        "CreateChangeSet"
    };
    let calls = proxy.calls();
    let launches = calls.of(call).into_iter().map(|call| {
        let url = call["form"]["TemplateURL"].as_str().unwrap();
        let key = url.split_once("the-users-own-bucket").unwrap().1;
        let key = key.split_once("/given-bucket/").unwrap().1.to_owned();
        let names = ["ParameterKey", "ParameterValue"];
        let mut parameters = form_list(call, "Parameters.member", names);
        parameters.sort();
        let mut tags = form_list(call, "Tags.member", ["Key", "Value"]);
        tags.retain(|[key, _]| !key.starts_with("taskcat-"));
        tags.sort();
        (key.clone(), (key, parameters, tags))
    });
    let launches = launches.collect();
    (
        launches,
        server.standing(&REGIONS).keys("the-users-own-bucket"),
    )
}

/// Ours creates `given-bucket-topic` by a change set and marks it by its name; TaskCat creates a
/// stack as a test run does, with the tags of one.
#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn the_same_templates_and_parameters_are_deployed() {
    let (our_launches, our_objects) = deployed(false);
    let (their_launches, their_objects) = deployed(true);
    assert!(!our_launches.is_empty());
    assert_eq!(our_launches, their_launches);
    assert_eq!(our_objects, their_objects);
}

fn yaml(project: &Project, file: &str) -> Value {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let output = Command::new(venv("taskcat").join("bin/python"))
        .args(["-c", script])
        .arg(project.path().join(file))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{file}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The configuration as TaskCat resolves it.
fn resolved(project: &Project) -> Value {
    let output = Command::new(venv("taskcat").join("bin/python"))
        .arg(support("resolved.py"))
        .current_dir(project.path())
        .env("HOME", project.home())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn the_same_configuration_is_converted() {
    let legacy = || {
        let project = Project::empty("legacy");
        let config = "global:\n  qsname: legacy\n  owner: me@example.com\n  s3bucket: mine\n  \
            regions: [us-east-1, eu-west-1]\n  lambda_build: true\ntests:\n  one:\n    \
            template_file: one.yaml\n    parameter_input: one.json\n    regions: [us-west-2]\n  \
            two:\n    template_file: two.yaml\n    parameter_input: two.json\n";
        project.write("ci/taskcat.yml", config);
        let parameter = |key: &str, value: &str| {
            format!("{{\"ParameterKey\": \"{key}\", \"ParameterValue\": {value}}}")
        };
        let one = [
            parameter("Name", "\"x: y\""),
            parameter("Zones", "\"$[taskcat_genaz_2]\""),
        ];
        project.write("ci/one.json", &format!("[{}]", one.join(", ")));
        project.write("ci/two.json", &format!("[{}]", parameter("Count", "\"2\"")));
        let overrides = [parameter("Key", "\"mine\""), parameter("On", "\"yes\"")];
        let overrides = format!("[{}]", overrides.join(", "));
        project.write("ci/taskcat_project_override.json", &overrides);
        for template in ["one", "two"] {
            let text = "Resources: {Topic: {Type: AWS::SNS::Topic}}\n";
            project.write(&format!("templates/{template}.yaml"), text);
        }
        project
    };
    let ours_project = legacy();
    let convert = ["config", "convert"];
    Taskcat::offline(&ours_project)
        .args(convert)
        .run()
        .assert_code(0);
    let theirs_project = legacy();
    python(&theirs_project, "http://127.0.0.1:9", &convert).assert_code(0);
    // TaskCat converts the overrides with the next command that reads the configuration. It writes
    // what the tests inherit and a default, so that the files are compared by what they resolve to.
    assert_eq!(resolved(&ours_project), resolved(&theirs_project));
    let [ours, theirs] =
        [&ours_project, &theirs_project].map(|it| yaml(it, ".taskcat_overrides.yml"));
    assert_eq!(ours, theirs);
    let [ours, theirs] = [&ours_project, &theirs_project].map(|it| yaml(it, ".taskcat.yml"));
    assert_eq!(
        ours["tests"]["one"]["parameters"],
        theirs["tests"]["one"]["parameters"]
    );
    // Neither replaces a file that exists.
    let ours = Taskcat::offline(&ours_project).args(convert).run();
    ours.assert_code(2).assert_says("exists already");
}
