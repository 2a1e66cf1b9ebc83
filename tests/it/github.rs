//! What GitHub Actions is told of a run.

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

/// A run of which three cells fail, in a project that lies in a folder of the repository.
fn run(project: &Project, summary: &str) -> Outcome {
    let workspace = project.path().parent().unwrap().to_owned();
    let run =
        Taskcat::bare(project).args(["test", "run", "--local", "-l", "--scenario", "broken.yml"]);
    run.env("GITHUB_ACTIONS", "true")
        .env("GITHUB_WORKSPACE", workspace)
        .env("GITHUB_STEP_SUMMARY", project.path().join(summary))
        .run()
}

#[test]
fn annotations_and_the_summary_of_a_job() {
    let project = Project::copy_of("first-run");
    project.write("summary.md", "# of an earlier step\n");
    let outcome = run(&project, "summary.md");
    outcome.assert_code(1);
    let template = project.read("templates/site.template.yaml");
    let line = 1 + template
        .lines()
        .position(|line| line.trim() == "Greet:")
        .unwrap();
    let commands: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(commands.len(), 3, "{}", outcome.stdout);
    for (command, region) in commands
        .iter()
        .zip(["us-east-1", "eu-west-1", "ap-southeast-2"])
    {
        let begins = format!(
            "::error title=simulated%3A alarmed in {region} \
             failed,file=first-run/templates/site.template.yaml,\
             line={line}::Greet (AWS::Lambda::Function) CREATE_FAILED: The role defined for the \
             function cannot be \
             assumed by Lambda.%0Adeclared at templates/site.template.yaml:{line}"
        );
        assert!(command.starts_with(&begins), "{command}\n{begins}");
    }
    let summary = project.read("summary.md");
    assert!(summary.starts_with(
        "# of an earlier step\n\n<h2>❌ <code>first-run</code>: simulated: 3 failed, 3 passed in "
    ));
    for text in [
        "<tr><td><code>plain</code></td><td align=\"center\">✅</td>",
        "<tr><td><code>alarmed</code></td><td align=\"center\">❌</td>",
        "<code>Greet (AWS::Lambda::Function) CREATE_FAILED</code></summary>",
        &format!("<li>declared at <code>templates/site.template.yaml:{line}</code></li>"),
    ] {
        assert!(summary.contains(text), "no {text}:\n{summary}");
    }
}

#[test]
fn a_summary_that_cannot_be_written_is_a_warning() {
    let project = Project::copy_of("first-run");
    let outcome = run(&project, "nowhere/summary.md");
    outcome
        .assert_code(1)
        .assert_says("warning: cannot write the annotations or the summary for GitHub: ")
        .assert_says("nowhere/summary.md");
    assert_eq!(outcome.stdout.lines().count(), 3, "{}", outcome.stdout);
}

/// A file that is not in the repository can't be annotated; the words name it.
#[test]
fn a_project_outside_of_the_repository_has_no_files_in_it() {
    let (project, repository) = (Project::copy_of("first-run"), Project::empty("repository"));
    let run = Taskcat::bare(&project).args([
        "-q",
        "test",
        "run",
        "--local",
        "-l",
        "--scenario",
        "broken.yml",
    ]);
    let outcome = run
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_WORKSPACE", repository.path())
        .run();
    outcome.assert_code(1);
    assert_eq!(outcome.stdout.lines().count(), 3, "{}", outcome.stdout);
    for command in outcome.stdout.lines() {
        assert!(
            !command.contains("file=")
                && command.contains("declared at templates/site.template.yaml:"),
            "{command}"
        );
    }
}

#[test]
fn elsewhere_nothing_is_said_to_it() {
    let project = Project::copy_of("first-run");
    let outcome = Taskcat::bare(&project)
        .args(["test", "run", "--local", "-l", "--scenario", "broken.yml"])
        .run();
    outcome.assert_code(1);
    assert_eq!(outcome.stdout, "");
}
