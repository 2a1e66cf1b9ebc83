//! Files that are read are regular and of a size that makes sense; all else is refused at once, by
//! name.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

const LOCAL: [&str; 8] = [
    "test",
    "run",
    "--local",
    "-l",
    "-t",
    "plain",
    "-r",
    "us-east-1",
];

/// What may stand in the place of a file, and what is said of it.
const KINDS: [(&str, &str); 4] = [
    ("pipe", "it is a named pipe, not a regular file"),
    ("zero", "it is a device, not a regular file"),
    ("large", "it is 100 MiB, larger than the limit of 16 MiB"),
    ("directory", "it is a directory"),
];

fn replace(path: &Path, kind: &str) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
    match kind {
        "pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "zero" => symlink("/dev/zero", path).unwrap(),
        "large" => File::create(path).unwrap().set_len(100 << 20).unwrap(),
        _ => fs::create_dir(path).unwrap(),
    }
}

#[track_caller]
fn assert_refused(outcome: &Outcome, file: &str, why: &str) {
    outcome.assert_code(2).assert_says(file).assert_says(why);
    outcome.assert_ended_within(Duration::from_secs(10));
}

#[test]
fn what_is_no_file_or_too_large_is_refused() {
    let files = [
        (".taskcat.yml", &["config", "show"][..]),
        (".taskcat_overrides.yml", &["config", "show"]),
        ("../home/.taskcat.yml", &["config", "show"]),
        (
            "scenario.yml",
            &["test", "run", "--local", "-l", "--scenario", "scenario.yml"],
        ),
        ("other.yml", &["plan", "-i", "other.yml"]),
        (".taskcatignore", &["plan"]),
    ];
    for (file, args) in files {
        for (kind, why) in KINDS {
            // A folder of that name is nobody's configuration.
            if kind == "directory" && !matches!(file, "scenario.yml" | "other.yml") {
                continue;
            }
            let project = Project::copy_of("first-run");
            project.home();
            replace(&project.path().join(file), kind);
            let outcome = Taskcat::offline(&project).args(args.iter().copied()).run();
            assert_refused(&outcome, file.rsplit('/').next().unwrap(), why);
        }
    }
}

#[test]
fn templates_are_files_too() {
    for (kind, why) in [
        ("pipe", "is not a regular file"),
        ("zero", "is not a regular file"),
        ("large", TOO_LARGE),
    ] {
        let project = Project::copy_of("first-run");
        replace(&project.path().join("templates/site.template.yaml"), kind);
        for args in [&["plan"][..], &LOCAL] {
            let outcome = Taskcat::offline(&project).args(args.iter().copied()).run();
            assert_refused(&outcome, "site.template.yaml", why);
        }
    }
    // A nested one, which only a warning is about.
    let project = Project::copy_of("first-run");
    replace(
        &project.path().join("templates/network.template.yaml"),
        "large",
    );
    let outcome = Taskcat::offline(&project).args(["plan"]).run();
    outcome.assert_says(TOO_LARGE);
    outcome.assert_ended_within(Duration::from_secs(10));
}

#[test]
fn so_are_records_of_runs() {
    for kind in ["pipe", "zero"] {
        let project = Project::empty("records");
        replace(&project.path().join("events.ndjson"), kind);
        let outcome = Taskcat::offline(&project)
            .args(["report", "events.ndjson"])
            .run();
        outcome
            .assert_code(2)
            .assert_says("events.ndjson: it is a ")
            .assert_says("not a regular file");
        // What an earlier run left is looked at for estimates; a pipe there is no reason to wait.
        let project = Project::copy_of("first-run");
        fs::create_dir(project.path().join("taskcat_outputs")).unwrap();
        replace(&project.path().join("taskcat_outputs/report.json"), kind);
        Taskcat::offline(&project).args(LOCAL).run().assert_code(0);
    }
}

#[test]
fn pipes_in_the_project_are_not_staged() {
    let project = Project::copy_of("first-run");
    replace(&project.path().join("templates/pipe.txt"), "pipe");
    let outcome = Taskcat::offline(&project).args(LOCAL).run();
    outcome
        .assert_code(0)
        .assert_says("pipe.txt")
        .assert_says("is neither a file nor a directory; it is not staged");
}

/// CloudFormation's limit comes before ours.
const TOO_LARGE: &str = "Template may not exceed 1000000 bytes in size.";

const NESTING: &str = "Resources:
  Again:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub https://${Bucket}.s3.${AWS::Region}.${AWS::URLSuffix}/nesting/FILE
      Parameters: {Bucket: !Ref Bucket}
";

fn nesting() -> Project {
    let project = Project::empty("nesting");
    project.write(
        ".taskcat.yml",
        "project: {name: nesting, regions: [us-east-1], parameters: {Bucket: \
         '$[taskcat_autobucket]'}}\n\
         tests: {deep: {template: a.yaml}}\n",
    );
    project
}

fn template(file: &str) -> String {
    format!(
        "Parameters: {{Bucket: {{Type: String}}}}\n{}",
        NESTING.replace("FILE", file)
    )
}

#[track_caller]
fn assert_endless(project: &Project, why: &str) {
    let plan = Taskcat::offline(project).args(["plan"]).run();
    plan.assert_code(1);
    assert!(plan.stdout.contains(why), "{}", plan.stdout);
    let run = Taskcat::offline(project)
        .args(["test", "run", "--local", "-l"])
        .run();
    run.assert_code(2).assert_says(why);
    assert!(
        !run.output("events.ndjson").contains("bucket_creating"),
        "something was made"
    );
    assert!(
        plan.elapsed.max(run.elapsed) < Duration::from_secs(30),
        "{:?} {:?}",
        plan.elapsed,
        run.elapsed
    );
}

/// A template that nests itself, by itself or by way of others, would make stacks without an end.
#[test]
fn stacks_that_nest_without_an_end_are_refused() {
    let project = nesting();
    project.write("a.yaml", &template("a.yaml"));
    assert_endless(&project, "circular nested stacks: a.yaml → a.yaml");
    project.write("a.yaml", &template("b.yaml"));
    project.write("b.yaml", &template("a.yaml"));
    assert_endless(&project, "circular nested stacks: a.yaml → b.yaml → a.yaml");
}

/// Twelve files of which each nests the next one twice make 4,095 stacks.
#[test]
fn stacks_that_double_are_refused() {
    let project = nesting();
    for level in 0..11 {
        let next = format!("{}.yaml", char::from(b'b' + level));
        let twice = template(&next)
            + NESTING
                .replace("Resources:\n", "")
                .replace("Again", "Twice")
                .replace("FILE", &next)
                .as_str();
        project.write(&format!("{}.yaml", char::from(b'a' + level)), &twice);
    }
    project.write(
        "l.yaml",
        "Parameters: {Bucket: {Type: String}}\nResources: {Topic: {Type: AWS::SNS::Topic}}\n",
    );
    assert_endless(&project, "too many nested stacks: at most 2000 are allowed");
}
