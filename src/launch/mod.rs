//! A stack is asked for, and what can go wrong with that.
//!
//! What is to stay is asked for by change sets, in [`change_set`]. Hooks, which run before a launch
//! and after a stack has settled, are in [`hook`]. [`ownership`] tells whose an existing stack is,
//! [`aws_cli`] what people can do about it. Following the stack is `watch`'s. Called by `run`;
//! knows `plan`, `event` and `aws`.

pub(crate) mod aws_cli;
pub(crate) mod change_set;
pub(crate) mod hook;
pub(crate) mod ownership;

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::aws::{AwsError, Clients, CreateStack, ErrorKind, INVISIBLE, request_token};
use crate::event::{EventKind, EventSender, JournalWriteFailed};
use crate::plan::StackPlan;
use crate::status::StackStatus;
use ownership::ForeignStack;

const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The creation failed, and whether there is a stack could not be found out.
    #[error("{0}; the stack may exist all the same")]
    Unconfirmed(AwsError),
    #[error(transparent)]
    NotRecorded(#[from] JournalWriteFailed),
    #[error(transparent)]
    Foreign(#[from] ForeignStack),
    /// The stack's status allows no change set.
    #[error("the stack {stack_name} in {region} is in {status}: {help}")]
    Unchangeable {
        stack_name: String,
        region: String,
        status: StackStatus,
        help: String,
    },
}

impl LaunchError {
    /// Whether the stack may have been created all the same.
    pub(crate) fn may_exist(&self) -> bool {
        matches!(self, Self::Unconfirmed(_))
    }
}

/// Creates the planned stack and returns its ID. `template_url` is where the template was staged
/// to. `stop` ends the wait for a call that is throttled, never a call that is under way.
///
/// The client request token makes repeated calls safe. Where the answer to the call got lost, the
/// stack may exist all the same: it is looked up by name, and taken for ours only if it carries
/// this run's `taskcat-id`.
///
/// # Errors
/// There is no stack, unless [`LaunchError::may_exist`] says otherwise.
pub(crate) async fn launch(
    plan: &StackPlan,
    run_id: Uuid,
    template_url: &str,
    clients: &Clients,
    stop: &CancellationToken,
    events: &EventSender,
) -> Result<String, LaunchError> {
    let token = request_token();
    events
        .record(EventKind::StackCreating {
            cell: plan.cell.clone(),
            stack_name: plan.stack_name.clone(),
            client_request_token: token.clone(),
        })
        .await?;
    let request = CreateStack {
        stack_name: &plan.stack_name,
        template_url,
        parameters: plan.sent_parameters(),
        tags: &plan.tags,
        role_arn: plan.role_arn.as_deref(),
        client_request_token: &token,
    };
    let stack_id = match clients.create_stack(&request, stop).await {
        Ok(stack_id) => stack_id,
        // A repeated call whose first answer got lost may be told that the stack already exists.
        Err(error) if error.may_have_taken_effect() || error.is(ErrorKind::AlreadyExists) => {
            match look_for(plan, run_id, clients).await {
                ExistingStack::Ours(stack_id) => stack_id,
                ExistingStack::Foreign => return Err(error.into()),
                ExistingStack::Nothing => return Err(LaunchError::Unconfirmed(error)),
            }
        }
        Err(error) => return Err(error.into()),
    };
    events.send(EventKind::StackCreated {
        cell: plan.cell.clone(),
        stack_id: stack_id.clone(),
    });
    Ok(stack_id)
}

/// What has the planned name.
enum ExistingStack {
    /// The ID of this run's stack.
    Ours(String),
    Foreign,
    Nothing,
}

/// Looks for the stack after a creation that failed. It may not be visible at first.
async fn look_for(plan: &StackPlan, run_id: Uuid, clients: &Clients) -> ExistingStack {
    let started = Instant::now();
    loop {
        match clients.describe_stack(&plan.stack_name).await {
            Ok(Some(stack)) if stack.tag("taskcat-id") == Some(&run_id.simple().to_string()) => {
                return ExistingStack::Ours(stack.stack_id);
            }
            Ok(Some(_)) => return ExistingStack::Foreign,
            Ok(None) | Err(_) if started.elapsed() < INVISIBLE => sleep(LOOK).await,
            Ok(None) | Err(_) => return ExistingStack::Nothing,
        }
    }
}
