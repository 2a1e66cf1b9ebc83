//! Which project a command works on: one found above the working directory, one with another name
//! of its configuration, a template from standard input.

use std::fs;

use crate::project::Project;
use crate::taskcat::Taskcat;

fn within(project: &Project, folder: &str, args: &[&str]) -> Taskcat {
    fs::create_dir_all(project.path().join(folder)).unwrap();
    let run = Taskcat::offline(project).within(folder);
    run.args(args.iter().copied())
}

#[test]
fn a_project_above_the_working_directory_is_used() {
    let project = Project::copy_of("undeclared-parameter");
    let root = project.path().canonicalize().unwrap();
    let note = format!("note: using the project in {}", root.display());
    for args in [
        &["plan"][..],
        &["lint"],
        &["config", "show"],
        &["upload", "--no-such"],
        &["test", "run", "--local", "-l"],
    ] {
        let outcome = within(&project, "templates/deep", args).run();
        if args.contains(&"--no-such") {
            outcome.assert_code(2);
            continue;
        }
        outcome.assert_code(0).assert_says_once(&note);
    }
    // The reports are where the project is.
    assert!(project.path().join("taskcat_outputs/report.json").is_file());
    assert!(project.files("templates/deep").is_empty());

    // `.` is the working directory itself, and so is any other root that is named.
    within(&project, "templates", &["plan", "-p", "."])
        .run()
        .assert_code(2)
        .assert_says(&format!("pass `--project-root {}`", root.display()));
    within(
        &project,
        "templates",
        &["plan", "-i", "topic.template.yaml"],
    )
    .run()
    .assert_silent_about("using the project");
    // The search ends at the repository's root.
    fs::create_dir(project.path().join("templates/.git")).unwrap();
    within(&project, "templates/deep", &["plan"])
        .run()
        .assert_code(2)
        .assert_says(".taskcat.yml: no such file");
}

#[test]
fn the_other_name_of_the_configuration_is_taken_with_a_warning() {
    let project = Project::copy_of("undeclared-parameter");
    let file = |name: &str| project.path().join(name);
    fs::rename(file(".taskcat.yml"), file(".taskcat.yaml")).unwrap();
    for args in [&["plan"][..], &["lint"], &["test", "run", "--local", "-l"]] {
        let outcome = within(&project, ".", args).run();
        outcome
            .assert_code(0)
            .assert_says_once("warning: the configuration is named .taskcat.yaml")
            .assert_says("help: rename it to .taskcat.yml");
    }
    within(&project, "templates", &["plan"])
        .run()
        .assert_code(0)
        .assert_says("using the project in");
    within(&project, ".", &["plan", "-i", ".taskcat.yaml"])
        .run()
        .assert_code(0)
        .assert_silent_about("is named");
    fs::copy(file(".taskcat.yaml"), file(".taskcat.yml")).unwrap();
    within(&project, ".", &["plan"])
        .run()
        .assert_code(0)
        .assert_says("ignoring .taskcat.yaml, since there is a .taskcat.yml");
}

const TEMPLATE: &str = "\
Parameters:
  Name: {Type: String, Default: orders}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Name}}
";

#[test]
fn a_template_is_read_from_standard_input() {
    let project = Project::empty("stdin");
    let run = |args: &[&str], text: &str| within(&project, ".", args).stdin(text).run();
    let render = ["render", "-", "-r", "us-east-1"];
    let outcome = run(&render, TEMPLATE);
    outcome.assert_code(0);
    assert!(outcome.stdout.contains("\"orders\""), "{}", outcome.stdout);
    let broken = "Resources:\n  A: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Nme}}\n";
    run(&render, broken)
        .assert_code(1)
        .assert_says("<stdin>:2")
        .assert_silent_about("/stdin");
    run(&render, "").assert_code(2).assert_says("<stdin>");
    run(
        &[&render[..], &["--parameter", "Nmae=x"]].concat(),
        TEMPLATE,
    )
    .assert_code(2)
    .assert_says("did you mean `Name`?");

    run(&["lint", "-"], TEMPLATE)
        .assert_code(0)
        .assert_says("Linting passed for file: <stdin>");
    run(&["lint", "-i", "-"], TEMPLATE)
        .assert_code(0)
        .assert_says("Linting passed for file: <stdin>");
    run(&["lint", "-"], broken)
        .assert_code(1)
        .assert_says("<stdin>:2")
        .assert_silent_about("/stdin");
    let json = run(&["lint", "-", "--format", "json"], broken);
    json.assert_code(1);
    assert!(
        json.stdout.contains("\"file\": \"stdin\""),
        "{}",
        json.stdout
    );
    run(&["lint", "-", "x.yaml"], TEMPLATE)
        .assert_code(2)
        .assert_says("`-` cannot be combined with other templates");
}
