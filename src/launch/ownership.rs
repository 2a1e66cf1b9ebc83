//! Determines whose an existing stack is, before anything is done to it.
//!
//! A command tags the long-lived stacks that it creates. A stack in review, which exists only
//! because of its change sets, has no tags of its own; there the change sets tell.

use std::fmt;

use uuid::Uuid;

use super::aws_cli::AwsCli;
use crate::aws::{AwsError, Clients, Stack};
use crate::status::StackStatus;

/// How a command identifies its stacks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnershipTag {
    /// The tag's key; its value is the stack's name.
    pub tag: &'static str,
    /// The command, such as `taskcat deploy run`.
    pub command: &'static str,
    /// The command's option that deletes a stack whose creation failed and creates it again.
    pub replaces_failed: Option<&'static str>,
}

/// An existing stack that the command didn't create.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct ForeignStack {
    pub stack_name: String,
    pub region: String,
    pub account_id: String,
    /// The command, such as `taskcat deploy run`.
    pub command: &'static str,
    pub evidence: ForeignEvidence,
}

/// Evidence that a stack is somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ForeignEvidence {
    /// Keys and values of its tags.
    Tags(Vec<(String, String)>),
    /// It is in review for a change set with this name, which somebody else created.
    ChangeSet(String),
    /// It is in review without a change set.
    NoChangeSet,
    /// It is nested in the stack with this ARN.
    NestedIn(String),
}

impl ForeignStack {
    /// Returns whether it may be adopted; a nested stack belongs to its parent.
    pub(crate) fn can_be_adopted(&self) -> bool {
        !matches!(self.evidence, ForeignEvidence::NestedIn(_))
    }
}

impl fmt::Display for ForeignStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stack_name,
            region,
            account_id,
            command,
            evidence,
        } = self;
        write!(
            f,
            "the stack {stack_name} in {region} (account {account_id}) was not created by \
             `{command}`: "
        )?;
        match evidence {
            ForeignEvidence::Tags(tags) if tags.is_empty() => f.write_str("it has no tags"),
            ForeignEvidence::Tags(tags) => write!(f, "its tags are {}", listed(tags)),
            ForeignEvidence::ChangeSet(name) => {
                write!(
                    f,
                    "it is in review, and somebody else has created its change set {name}"
                )
            }
            ForeignEvidence::NoChangeSet => {
                f.write_str("it is in review, without any change set that would tell whose it is")
            }
            ForeignEvidence::NestedIn(root) => write!(f, "it is nested in {root}"),
        }
    }
}

/// Formats as `owner=web, team=shop`.
pub(crate) fn listed(tags: &[(String, String)]) -> String {
    tags.iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns the evidence that the stack is somebody else's; `None` if it has the command's tag.
pub(crate) async fn foreign(
    stack: &Stack,
    mark: OwnershipTag,
    account_id: &str,
    clients: &Clients,
) -> Result<Option<ForeignStack>, AwsError> {
    let foreign = |evidence| {
        Ok(Some(ForeignStack {
            stack_name: stack.stack_name.clone(),
            region: clients.region().to_owned(),
            account_id: account_id.to_owned(),
            command: mark.command,
            evidence,
        }))
    };
    if let Some(root) = stack.root_id.as_ref().filter(|_| stack.is_nested()) {
        return foreign(ForeignEvidence::NestedIn(root.clone()));
    }
    let name = Some(stack.stack_name.as_str());
    if !stack.is_in_review() {
        return if stack.tag(mark.tag) == name {
            Ok(None)
        } else {
            foreign(ForeignEvidence::Tags(stack.tags.clone()))
        };
    }
    let mut evidence = Some(ForeignEvidence::NoChangeSet);
    for change_set in clients.change_set_names(&stack.stack_id).await? {
        match clients
            .find_change_set(&stack.stack_id, &change_set)
            .await?
        {
            Some(found) if is_run_name(&change_set) && found.tag(mark.tag) == name => {
                evidence = None
            }
            Some(_) => return foreign(ForeignEvidence::ChangeSet(change_set)),
            // Deleted meanwhile, so it tells nothing.
            None => {}
        }
    }
    match evidence {
        Some(evidence) => foreign(evidence),
        None => Ok(None),
    }
}

/// Returns whether a change set has the name of a run or of a pipeline execution: `taskcat-` and a
/// UUID with or without dashes.
fn is_run_name(change_set: &str) -> bool {
    change_set
        .strip_prefix("taskcat-")
        .is_some_and(|id| Uuid::try_parse(id).is_ok())
}

/// Returns what to do if the stack's status doesn't allow a change set; `None` if CloudFormation
/// may accept one
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>).
pub(crate) fn status_advice(stack: &Stack, mark: OwnershipTag, cli: &AwsCli) -> Option<String> {
    let name = stack.stack_name.as_str();
    match &stack.status {
        StackStatus::ReviewInProgress => None,
        StackStatus::RollbackComplete | StackStatus::RollbackFailed | StackStatus::DeleteFailed => {
            let by_hand = format!(
                "delete them with `{}` and deploy again",
                cli.delete_stack(name)
            );
            let option = mark.replaces_failed.filter(|_| stack.was_never_created());
            Some(option.map_or(by_hand.clone(), |option| {
                format!("{by_hand}, or pass {option} to have it replaced")
            }))
        }
        StackStatus::UpdateRollbackFailed => {
            let go_on = cli.command(
                "cloudformation",
                &["continue-update-rollback", "--stack-name", name],
            );
            Some(format!(
                "complete the rollback with `{go_on}` and deploy again"
            ))
        }
        status if status.is_in_progress() => {
            Some("wait until that has ended and deploy again".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(status: &str) -> String {
        let stack = Stack {
            stack_id: "arn:aws:cloudformation:us-east-1:123456789012:stack/a/1".into(),
            stack_name: "a".into(),
            status: status.into(),
            reason: None,
            parameters: Vec::new(),
            outputs: Vec::new(),
            tags: Vec::new(),
            role_arn: None,
            root_id: None,
            is_protected: false,
            created: None,
            updated: None,
        };
        let cli = AwsCli {
            profile: "default".into(),
            region: "us-east-1".into(),
            endpoint: None,
        };
        let mark = OwnershipTag {
            tag: "tag",
            command: "command",
            replaces_failed: Some("--replace"),
        };
        status_advice(&stack, mark, &cli).unwrap_or_default()
    }

    #[test]
    fn a_status_has_advice() {
        for status in [
            "REVIEW_IN_PROGRESS",
            "CREATE_COMPLETE",
            "UPDATE_ROLLBACK_COMPLETE",
            "IMPORT_COMPLETE",
        ] {
            assert_eq!(advice(status), "", "{status}");
        }
        for status in ["ROLLBACK_COMPLETE", "DELETE_FAILED"] {
            assert!(
                advice(status).contains("delete-stack --stack-name a"),
                "{status}"
            );
        }
        assert!(advice("ROLLBACK_COMPLETE").ends_with("or pass --replace to have it replaced"));
        assert!(!advice("ROLLBACK_FAILED").contains("--replace"));
        assert!(
            advice("UPDATE_ROLLBACK_FAILED").contains("continue-update-rollback --stack-name a")
        );
        for status in [
            "UPDATE_IN_PROGRESS",
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "DELETE_IN_PROGRESS",
        ] {
            assert!(advice(status).starts_with("wait until"), "{status}");
        }
    }

    #[test]
    fn only_change_sets_of_runs_are_recognised() {
        assert!(is_run_name("taskcat-0123456789abcdef0123456789abcdef"));
        for name in [
            "taskcat-",
            "taskcat-release",
            "0123456789abcdef0123456789abcdef",
            "taskcat-0123456789abcdef",
        ] {
            assert!(!is_run_name(name), "{name}");
        }
    }
}
