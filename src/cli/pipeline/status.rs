//! `taskcat pipeline status`.

use clap::Args;

use super::{PipelineArgs, find_existing, refused};
use crate::aws::{ActionState, StageState};
use crate::cli::error::{CliError, ExitStatus};
use crate::cli::{AwsArgs, block_on, streams};
use crate::report::github::inert;
use crate::report::text;
use crate::run::pipeline;

/// Show the status of every stage of a pipeline.
///
/// Prints the status of each action, when it last changed, and why it failed. Exits with 1 if a
/// stage has failed.
#[derive(Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pipeline: PipelineArgs,
}

impl Status {
    pub(crate) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        block_on(async {
            let (clients, endpoint) = aws.connect(None)?;
            let target = self.pipeline.target(aws, &clients).await?;
            let found = find_existing(&target, endpoint.as_deref(), &clients).await?;
            streams::print_line(format_args!(
                "{} in {}: {}",
                target.name, target.region, found.stack.status
            ));
            let Some(stages) = pipeline::state(&found, &clients)
                .await
                .map_err(refused(&target))?
            else {
                return Ok(ExitStatus::Passed);
            };
            streams::print(format_args!("\n{}", inert(&table(&stages))));
            if let Some(url) = found.stack.output("PipelineUrl") {
                streams::print_line(format_args!("\n{url}"));
            }
            let failed = stages
                .iter()
                .any(|stage| stage.status.as_deref() == Some("Failed"));
            Ok(if failed {
                ExitStatus::Failed
            } else {
                ExitStatus::Passed
            })
        })
    }
}

/// Returns a line for each action, with the stage's name before its first.
fn table(stages: &[StageState]) -> String {
    let width = |texts: &mut dyn Iterator<Item = &str>| {
        texts.map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let actions = || stages.iter().flat_map(|stage| &stage.actions);
    let of_stages = width(&mut stages.iter().map(|stage| stage.name.as_str()));
    let of_actions = width(&mut actions().map(|action| action.name.as_str()));
    let of_statuses = width(&mut actions().map(status));
    let mut text = String::new();
    for stage in stages {
        for (number, action) in stage.actions.iter().enumerate() {
            let name = if number == 0 { stage.name.as_str() } else { "" };
            let at = action
                .changed_at
                .map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
                .unwrap_or_default();
            let line = format!(
                "{} {name:of_stages$}  {:of_actions$}  {:of_statuses$}  {at:20}  {}",
                sign(action),
                action.name,
                status(action),
                note(action)
            );
            text += line.trim_end();
            text.push('\n');
        }
    }
    text
}

fn sign(action: &ActionState) -> char {
    match action.status.as_deref() {
        Some("Succeeded") => '✓',
        Some("Failed") => '✗',
        Some("InProgress") if action.awaits_approval => '?',
        Some("InProgress") => '▶',
        Some(_) => '!',
        None => '·',
    }
}

fn status(action: &ActionState) -> &str {
    match action.status.as_deref() {
        Some("InProgress") if action.awaits_approval => "to approve",
        Some(status) => status,
        None => "not yet",
    }
}

/// Returns the action's message, with a link to details while it runs or if it failed.
fn note(action: &ActionState) -> String {
    let said = action.note.as_deref().map(said).unwrap_or_default();
    let url = action
        .url
        .as_deref()
        .filter(|_| matches!(action.status.as_deref(), Some("Failed" | "InProgress")));
    [Some(said.as_str()), url]
        .into_iter()
        .flatten()
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join("  ")
}

/// Returns the first line of a message. A source action's message is JSON with that of the commit.
fn said(note: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(note).ok();
    let message = json
        .as_ref()
        .and_then(|it| it.get("CommitMessage")?.as_str())
        .unwrap_or(note);
    text::one_line(message.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_its_line() {
        let action = |name: &str, status: Option<&str>, note: Option<&str>| ActionState {
            name: name.into(),
            status: status.map(str::to_owned),
            changed_at: status.map(|_| "2026-11-26T09:10:11Z".parse().unwrap()),
            note: note.map(str::to_owned),
            url: status.map(|_| "https://example.com/more".into()),
            awaits_approval: name == "Approval",
        };
        let stage = |name: &str, status: Option<&str>, actions| StageState {
            name: name.into(),
            status: status.map(str::to_owned),
            execution_id: None,
            actions,
        };
        let commit =
            r#"{"ProviderType": "GitHub", "CommitMessage": "Name the bucket\n\nAt last."}"#;
        let stages = [
            stage(
                "Source",
                Some("Succeeded"),
                vec![
                    action("Repository", Some("Succeeded"), Some(commit)),
                    action("Configuration", Some("Succeeded"), None),
                ],
            ),
            stage(
                "Test",
                Some("Failed"),
                vec![action(
                    "Taskcat",
                    Some("Failed"),
                    Some("Build terminated\nwith 1"),
                )],
            ),
            stage("GitMerge", None, vec![action("Merge", None, None)]),
            stage(
                "Production",
                Some("InProgress"),
                vec![action("Approval", Some("InProgress"), None)],
            ),
        ];
        insta::assert_snapshot!(table(&stages), @r"
        ✓ Source      Repository     Succeeded   2026-11-26 09:10 UTC  Name the bucket
        ✓             Configuration  Succeeded   2026-11-26 09:10 UTC
        ✗ Test        Taskcat        Failed      2026-11-26 09:10 UTC  Build terminated  https://example.com/more
        · GitMerge    Merge          not yet
        ? Production  Approval       to approve  2026-11-26 09:10 UTC  https://example.com/more
        ");
    }
}
