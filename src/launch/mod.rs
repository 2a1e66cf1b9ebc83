//! Launches a stack, and handles what can go wrong.
//!
//! [`change_set`] creates and updates long-lived stacks. [`hook`] runs hooks before the launch and
//! once the stack is complete. [`ownership`] tells whose an existing stack is, and [`aws_cli`] how
//! users can handle it. [`check`] checks a complete stack. `watch` follows the stack. Called by
//! `run`; depends on `plan`, `event` and `aws`.

pub(crate) mod aws_cli;
pub(crate) mod change_set;
pub(crate) mod check;
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
    /// The creation failed, and whether the stack exists could not be determined.
    #[error("{0}; the stack may exist nevertheless")]
    Unconfirmed(AwsError),
    #[error(transparent)]
    NotRecorded(#[from] JournalWriteFailed),
    #[error(transparent)]
    Foreign(#[from] ForeignStack),
    /// The stack's status doesn't allow a change set.
    #[error("the stack {stack_name} in {region} is in {status}: {help}")]
    Unchangeable {
        stack_name: String,
        region: String,
        status: StackStatus,
        help: String,
    },
}

impl LaunchError {
    /// Returns whether the stack may have been created nevertheless.
    pub(crate) fn may_exist(&self) -> bool {
        matches!(self, Self::Unconfirmed(_))
    }
}

/// Creates the planned stack and returns its ARN. `template_url` is the URL of the staged template.
/// `stop` ends the wait for a throttled call, never a call in progress.
///
/// The client request token makes repeated calls safe. If the answer is lost, the stack may exist
/// nevertheless: it is looked up by name, and considered ours only if it has this run's
/// `taskcat-id`.
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
        // A retry of a call whose answer was lost may fail because the stack already exists.
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

/// An existing stack with the planned name.
enum ExistingStack {
    /// The ARN of this run's stack.
    Ours(String),
    Foreign,
    Nothing,
}

/// Looks for the stack after a failed creation. It may not be visible at first.
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
