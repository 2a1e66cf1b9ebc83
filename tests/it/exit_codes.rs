//! Every exit code of the table is reached, and `docs` and `--help` list the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::project::Project;
use crate::simulator::Simulator;
use crate::taskcat::{Outcome, Stream, Taskcat};

const SLOW: &str = "resources: [{type: '*', takes: 10h}]\n";

fn local(project: &Project) -> Taskcat {
    Taskcat::offline(project).args([
        "test",
        "run",
        "--local",
        "-l",
        "-t",
        "plain",
        "-r",
        "us-east-1",
    ])
}

/// `update-ami` of a template with an AMI ID that isn't the newest.
fn outdated_ami() -> Outcome {
    let project = Project::empty("fleet");
    project.write(
        ".taskcat.yml",
        "project: {name: fleet}\ntests: {t: {template: t.yml, regions: [us-east-1]}}\n",
    );
    project.write(
        "t.yml",
        "Metadata: {AWSAMIRegionMap: {Filters: {WEB: {architecture: x86_64}}}}\nMappings: \
         {AWSAMIRegionMap: {us-east-1: {WEB: ami-0a}}}\nResources: {T: {Type: \
         AWS::SNS::Topic}}\n",
    );
    project.write("seeds.yml", "images: [{id: ami-0b}]\n");
    let seeds = project.path().join("seeds.yml");
    let simulator = Simulator::start(&["--seed", seeds.to_str().unwrap()]);
    Taskcat::at(&project, &simulator.endpoint())
        .args(["update-ami"])
        .run()
}

#[test]
fn every_code_is_reached() {
    let mut codes = Vec::new();
    let mut check = |code: i32, outcome: Outcome| {
        outcome.assert_code(code);
        codes.push(code);
    };
    let project = Project::copy_of("first-run");
    check(0, local(&project).run());

    project.write("fails.yml", "resources: [{type: '*', fails: no room}]\n");
    check(1, local(&project).args(["--scenario", "fails.yml"]).run());

    check(
        2,
        Taskcat::offline(&project)
            .args(["test", "run", "--local", "-t", "nowhere"])
            .run(),
    );

    check(
        3,
        Taskcat::offline(&project)
            .args(["test", "run", "-l", "-t", "plain", "-r", "us-east-1"])
            .run(),
    );

    project.write(
        "stays.yml",
        "resources: [{type: '*', phase: delete, fails: It is in use.}]\n",
    );
    check(
        4,
        local(&project)
            .args(["--scenario", "stays.yml", "--speed", "1000"])
            .run(),
    );

    check(5, local(&project).args(["-o", "/proc/taskcat"]).run());

    check(100, outdated_ami());

    project.write("slow.yml", SLOW);
    let mut run = local(&project)
        .args(["--scenario", "slow.yml", "-o", "slow"])
        .start();
    let events = project.path().join("slow/events.ndjson");
    run.wait_until("the stack is in progress", || {
        fs::read_to_string(&events)
            .unwrap_or_default()
            .contains("CREATE_IN_PROGRESS")
    });
    run.signal("INT");
    check(130, run.wait());

    let documented = documented(&Taskcat::offline(&project).args(["--help"]).run().stdout);
    assert_eq!(
        documented.keys().copied().collect::<Vec<_>>(),
        codes,
        "codes of --help"
    );
}

#[test]
fn documentation_and_help_list_the_same() {
    let project = Project::empty("exit-codes");
    let help = documented(&Taskcat::offline(&project).args(["--help"]).run().stdout);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/exit-codes.md");
    let page = fs::read_to_string(page).unwrap();
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1);
    let rows = rows.take_while(|line| line.starts_with('|')).map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        (
            cells.next().unwrap().parse().unwrap(),
            cells.next().unwrap().to_owned(),
        )
    });
    assert_eq!(rows.collect::<BTreeMap<i32, String>>(), help);
}

/// The codes that `--help` lists, each with its meaning on one line.
fn documented(help: &str) -> BTreeMap<i32, String> {
    let (_, table) = help.split_once("Exit codes:\n").unwrap();
    let mut codes: BTreeMap<i32, String> = BTreeMap::new();
    let mut last = 0;
    for line in table.lines() {
        let line = line.trim();
        match line.split_once("  ") {
            Some((code, meaning)) => {
                last = code.parse().unwrap();
                codes.insert(last, meaning.trim().to_owned());
            }
            None => {
                let meaning = codes.get_mut(&last).unwrap();
                meaning.push(' ');
                meaning.push_str(line);
            }
        }
    }
    codes
}

/// A report that can't be written is an error even where every test passed, and no path leads to
/// it.
#[test]
fn a_report_that_cannot_be_written_ends_with_5() {
    let project = Project::copy_of("first-run");
    // A folder of that name can't be replaced by a file.
    project.write("taskcat_outputs/index.html.partial/x", "");
    let outcome = local(&project).run();
    outcome
        .assert_code(5)
        .assert_says("a report could not be written: ")
        .assert_says("index.html");
    outcome.assert_silent_about("; report: ");
    // A test that failed counts for more.
    project.write("fails.yml", "resources: [{type: '*', fails: no room}]\n");
    let outcome = local(&project).args(["--scenario", "fails.yml"]).run();
    outcome
        .assert_code(1)
        .assert_says("a report could not be written: ");
}

/// What follows in a pipe may end first (`| head -1`), and a disk may be full: neither is a panic.
#[test]
fn standard_output_that_cannot_be_written() {
    let project = Project::copy_of("first-run");
    let commands: [(&str, i32); 6] = [
        ("plan", 0),
        ("plan --format json", 0),
        ("config show", 0),
        ("render templates/site.template.yaml --region us-east-1", 0),
        ("--help", 0),
        ("--version", 0),
    ];
    for (command, code) in commands {
        let shell = |script: &str| {
            let script = format!("{} {command} {script}", env!("CARGO_BIN_EXE_taskcat"));
            Taskcat::program("sh", &project)
                .args(["-c", script.as_str()])
                .run()
        };
        let full = shell(">/dev/full");
        full.assert_code(5)
            .assert_says("error: cannot write to standard output: No space left on device");
        full.assert_silent_about("panicked");
        let closed = Taskcat::offline(&project)
            .args(command.split(' '))
            .unread(Stream::Output)
            .run();
        closed
            .assert_code(code)
            .assert_silent_about("panicked")
            .assert_silent_about("Broken pipe");
    }
}

/// A standard error that nobody reads ends neither the run nor its teardown.
#[test]
fn a_closed_standard_error_stops_nothing() {
    let project = Project::copy_of("first-run");
    let run = [
        "--debug",
        "test",
        "run",
        "--local",
        "-l",
        "-t",
        "plain",
        "-r",
        "us-east-1",
    ];
    let run = Taskcat::offline(&project)
        .args(run)
        .unread(Stream::Error)
        .run();
    run.assert_code(0);
    assert_eq!(run.report()["verdict"], "passed");
    assert!(
        run.output("events.ndjson")
            .contains("\"event\":\"stack_deleted\"")
    );
}
