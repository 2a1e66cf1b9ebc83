//! What leads outside of the project is neither published nor written: configured paths, and
//! symbolic links.

use std::fs;
use std::os::unix::fs::symlink;

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

const BUCKET: &str = "the-users-own-bucket";
/// Nobody listens there, so what isn't refused before has another exit code.
const NOWHERE: &str = "http://127.0.0.1:1";

/// A project, and beside it a folder with a secret, a template and a Lambda function.
fn project() -> Project {
    let project = Project::copy_of("given-bucket");
    let outside = outside(&project);
    fs::create_dir_all(outside.join("function")).unwrap();
    fs::write(outside.join("secret.txt"), "secret").unwrap();
    fs::write(outside.join("function/index.py"), "secret").unwrap();
    fs::copy(
        project.path().join("templates/topic.template.yaml"),
        outside.join("topic.template.yaml"),
    )
    .unwrap();
    project
}

fn outside(project: &Project) -> std::path::PathBuf {
    project.path().with_file_name("outside")
}

fn link(project: &Project, to: &str, at: &str) {
    let at = project.path().join(at);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    symlink(to, at).unwrap();
}

fn run(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::at(project, NOWHERE)
        .args(args.iter().copied())
        .run()
}

/// Every command that would stage the project.
const STAGING: [&[&str]; 3] = [
    &["test", "run", "-l"],
    &["upload"],
    &["deploy", "run", "--yes", "-l"],
];

#[test]
fn configured_paths_stay_in_the_project() {
    for value in ["../outside", "/tmp", "functions/../../outside", "linked"] {
        for key in ["lambda_zip_path", "lambda_source_path"] {
            let project = project();
            link(&project, "../outside", "linked");
            project.write(".taskcatignore", "linked\n");
            project.replace(
                ".taskcat.yml",
                "  s3_bucket",
                &format!("  {key}: {value}\n  s3_bucket"),
            );
            for command in STAGING {
                let outcome = run(&project, command);
                outcome
                    .assert_code(2)
                    .assert_says(&format!("`{key}`: {value} is "));
                outcome
                    .assert_says("outside the project")
                    .assert_says(".taskcat.yml:5:")
                    .assert_says("help: use a directory");
            }
            run(&project, &["plan"])
                .assert_code(2)
                .assert_says("outside the project");
            // Nothing outside is written, whatever is followed.
            let followed = run(&project, &["upload", "--follow-links"]);
            assert_eq!(
                followed.code == Some(2),
                key == "lambda_zip_path" || value != "linked",
                "{}",
                followed.stderr
            );
            assert!(!outside(&project).join("function/lambda.zip").exists());
        }
    }
    let project = project();
    project.replace(".taskcat.yml", "templates/topic", "../outside/topic");
    for command in [&["test", "run", "-l"][..], &["plan"], &["lint"]] {
        run(&project, command)
            .assert_code(2)
            .assert_says("outside the project")
            .assert_says(".taskcat.yml:8:");
    }
}

#[test]
fn links_out_of_the_project_are_not_staged() {
    for (to, at) in [
        ("../outside/secret.txt", "notes.txt"),
        ("/etc", "config"),
        ("../../outside", "docs/all"),
    ] {
        let project = project();
        link(&project, to, at);
        for command in STAGING {
            let outcome = run(&project, command);
            outcome
                .assert_code(2)
                .assert_says(&format!("{at} is a symbolic link to /"))
                .assert_says("--follow-links");
        }
        // What is excluded doesn't matter.
        project.write(".taskcatignore", &format!("{at}\n"));
        assert_ne!(run(&project, &["upload"]).code, Some(2));
    }
    let server = Server::take(Kind::Simulator);
    server.given(&["bucket", BUCKET, "us-east-1"]);
    let project = project();
    link(&project, "../outside/secret.txt", "notes.txt");
    link(&project, "templates/topic.template.yaml", "inside.yaml");
    link(&project, "../outside", ".git/hooks");
    link(&project, "nowhere", "dangling");
    let upload = |args: &[&str]| {
        Taskcat::at(&project, &server.endpoint())
            .args(["upload"])
            .args(args.iter().copied())
            .run()
    };
    upload(&[]).assert_code(2);
    assert_eq!(server.standing(&[]).keys(BUCKET), [""; 0]);
    upload(&["--follow-links"])
        .assert_code(0)
        .assert_says("is a dangling symbolic link");
    let keys = ["inside.yaml", "notes.txt", "templates/topic.template.yaml"];
    assert_eq!(
        server.standing(&[]).keys(BUCKET),
        keys.map(|key| format!("given-bucket/{key}"))
    );
}

#[test]
fn links_out_of_the_project_are_not_packaged() {
    let places = [
        // Read from there: a file, a folder, the function itself.
        (
            "../../../../outside/secret.txt",
            "lambda_functions/source/f/secret.txt",
        ),
        ("../../../../outside", "lambda_functions/source/f/all"),
        ("../../../outside/function", "lambda_functions/source/g"),
        // Written there.
        ("../../../outside/function", "lambda_functions/packages/f"),
        ("../../outside/function", "lambda_functions/packages"),
    ];
    for (to, at) in places {
        let project = project();
        project.write("lambda_functions/source/f/index.py", "");
        link(&project, to, at);
        for command in STAGING {
            let outcome = run(&project, command);
            outcome
                .assert_code(2)
                .assert_says(at)
                .assert_says("outside the project");
        }
        if at.starts_with("lambda_functions/packages") {
            run(&project, &["upload", "--follow-links"]).assert_code(2);
            assert_eq!(
                fs::read_dir(outside(&project).join("function"))
                    .unwrap()
                    .count(),
                1
            );
        } else {
            assert_ne!(run(&project, &["upload", "--follow-links"]).code, Some(2));
        }
    }
}

#[test]
fn links_out_of_the_project_are_not_read_as_templates() {
    let nested = "Resources:\n  Child:\n    Type: AWS::CloudFormation::Stack\n    \
        Properties:\n      TemplateURL: !Sub \
        https://${AWS::Region}.s3.amazonaws.com/given-bucket/templates/child.yaml\n";
    let project = project();
    project.write("templates/topic.template.yaml", nested);
    link(
        &project,
        "../../outside/topic.template.yaml",
        "templates/child.yaml",
    );
    let render = ["render", "-r", "us-east-1", "templates/topic.template.yaml"];
    for command in [&["plan"][..], &["lint"], &render, &["test", "run", "-l"]] {
        let outcome = run(&project, command);
        outcome
            .assert_code(2)
            .assert_says("templates/child.yaml is a symbolic link to /");
        outcome.assert_says("templates/topic.template.yaml:5:25");
    }
    let followed = [&render[..], &["--follow-links"]].concat();
    run(&project, &followed)
        .assert_code(0)
        .assert_silent_about("no file of the project");

    let project = self::project();
    link(
        &project,
        "../../outside/topic.template.yaml",
        "templates/linked.yaml",
    );
    project.replace(
        ".taskcat.yml",
        "templates/topic.template.yaml",
        "templates/linked.yaml",
    );
    for command in [
        &["plan"][..],
        &["lint"],
        &["test", "run", "-l"],
        &["deploy", "run", "--yes", "-l"],
    ] {
        let outcome = run(&project, command);
        outcome
            .assert_code(2)
            .assert_says("templates/linked.yaml is a symbolic link to /");
    }
    run(&project, &["plan", "--follow-links"]).assert_code(0);
    project.replace(".taskcat.yml", "  s3_bucket: the-users-own-bucket\n", "");
    let local = ["test", "run", "--local", "-l", "--follow-links"];
    Taskcat::offline(&project).args(local).run().assert_code(0);
}

#[test]
fn links_out_of_the_project_are_not_included() {
    let include = "Resources:\n  Fn::Transform:\n    Name: AWS::Include\n    Parameters: \
        {Location: !Sub 's3://${Bucket}/p/part.yaml'}\n";
    let project = Project::empty("p");
    project.write(
        "t.yaml",
        &format!("Parameters: {{Bucket: {{Type: String}}}}\n{include}"),
    );
    project.write(
        ".taskcat.yml",
        "project: {name: p, regions: [us-east-1]}\ntests:\n  t: {template: t.yaml, parameters: \
         {Bucket: '$[taskcat_autobucket]'}}\n",
    );
    fs::write(
        project.path().with_file_name("part.yaml"),
        "Topic: {Type: 'AWS::SNS::Topic'}\n",
    )
    .unwrap();
    link(&project, "../part.yaml", "part.yaml");
    run(&project, &["plan"])
        .assert_code(2)
        .assert_says("part.yaml is a symbolic link to /");
    run(&project, &["plan", "--follow-links"]).assert_code(0);
}
