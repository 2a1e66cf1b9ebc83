//! A stack is asked for, and what can go wrong with that.
//!
//! What is to stay is asked for by change sets, in [`change_set`]. Hooks, which run before a launch and after a stack has
//! settled, are in [`hook`]. [`ownership`] tells whose an existing stack is, [`aws_cli`] what people can do about it. Following the stack is `watch`'s. Called by `run`; knows `plan`, `event` and `aws`.

pub mod aws_cli;
pub mod change_set;
pub mod hook;
pub mod ownership;

use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::aws::{AwsError, Clients, CreateStack, ErrorKind, request_token};
use crate::event::{Events, Happening, NotRecorded};
use crate::plan::StackPlan;
use ownership::ForeignStack;

/// How long CloudFormation may not see a stack after its creation.
const INVISIBLE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    NotRecorded(#[from] NotRecorded),
    #[error(transparent)]
    Foreign(#[from] ForeignStack),
    /// The stack's status allows no change set.
    #[error("the stack {stack_name} in {region} is in {status}: {help}")]
    Unchangeable { stack_name: String, region: String, status: String, help: String },
}

impl LaunchError {
    /// Whether the stack may have been created all the same.
    pub fn may_exist(&self) -> bool {
        matches!(self, Self::Aws(error) if error.is_ambiguous())
    }
}

/// Creates the planned stack and returns its id. `template_url` is where the template was staged to.
///
/// The client request token makes the SDK's retries safe. Where the answer to the call itself got lost, the stack may
/// stand all the same: it is looked up by name, and taken for ours only if it carries this run's `taskcat-id`.
pub async fn launch(
    plan: &StackPlan,
    run_id: Uuid,
    template_url: &str,
    clients: &Clients,
    events: &Events,
) -> Result<String, LaunchError> {
    let token = request_token();
    events
        .record(Happening::StackCreating {
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
    let stack_id = match clients.create_stack(&request).await {
        Ok(stack_id) => stack_id,
        // A repeated call whose first answer got lost may be told that the stack already exists.
        Err(error) if error.is_ambiguous() || error.is(ErrorKind::AlreadyExists) => {
            adopt(plan, run_id, clients).await.ok_or(error)?
        }
        Err(error) => return Err(error.into()),
    };
    events.send(Happening::StackCreated { cell: plan.cell.clone(), stack_id: stack_id.clone() });
    Ok(stack_id)
}

/// The ID of the stack of the planned name, if this run created it. It may not be visible at first.
async fn adopt(plan: &StackPlan, run_id: Uuid, clients: &Clients) -> Option<String> {
    let started = Instant::now();
    loop {
        match clients.describe_stack(&plan.stack_name).await {
            Ok(Some(stack)) => {
                let is_ours = stack.tag("taskcat-id") == Some(&run_id.simple().to_string());
                return is_ours.then_some(stack.stack_id);
            }
            Ok(None) | Err(_) if started.elapsed() < INVISIBLE => sleep(LOOK).await,
            Ok(None) | Err(_) => return None,
        }
    }
}
