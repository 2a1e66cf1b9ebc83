//! Change sets: what a stack would become is worked out, to be looked at before it is done.
//!
//! Called by `run`. Nothing is left of one that isn't wanted, nor of the stack in review that CloudFormation makes for a
//! new one.

use super::LaunchError;
use crate::aws::{AwsError, Clients, CreateChangeSet, Stack, request_token};
use crate::event::{Change, ChangeDetail, Events, Happening};
use crate::plan::StackPlan;
use crate::template::Secrets;

/// A change set that can be executed, or would change nothing.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub id: String,
    pub name: String,
    pub stack_id: String,
    /// Empty where there is nothing to execute; then it is gone already.
    pub changes: Vec<Change>,
    /// The stack came into being, in review, with this change set.
    is_new: bool,
}

/// Works out what the plan changes in its stack. `template_url` is where the template was staged to.
///
/// # Errors
/// What CloudFormation refuses; nothing is left of the change set then.
pub async fn propose(
    plan: &StackPlan,
    name: &str,
    template_url: &str,
    clients: &Clients,
    events: &Events,
) -> Result<Proposal, LaunchError> {
    let existing = clients.describe_stack(&plan.stack_name).await?;
    let creates = existing.as_ref().is_none_or(Stack::is_in_review);
    let cell = plan.cell.clone();
    let stack_name = plan.stack_name.clone();
    events.record(Happening::ChangeSetCreating { cell, stack_name, change_set: name.to_owned() }).await?;
    let token = request_token();
    let request = CreateChangeSet {
        stack_name: &plan.stack_name,
        change_set: name,
        creates,
        template_url,
        parameters: plan.sent_parameters(),
        tags: &plan.tags,
        role_arn: plan.role_arn.as_deref(),
        client_token: &token,
    };
    let (id, stack_id) = clients.create_change_set(&request).await?;
    let is_new = existing.is_none();
    let mut proposal = Proposal { id, name: name.to_owned(), stack_id, changes: Vec::new(), is_new };
    match clients.changes(&proposal.id).await {
        Ok(changes) => {
            proposal.changes = changes;
            hide(&mut proposal.changes, plan);
        }
        Err(error) => {
            // What it is about has been said by the error; that the rest can't be removed would only hide it.
            let _ = discard(&proposal, clients).await;
            return Err(error.into());
        }
    }
    if proposal.changes.is_empty() {
        discard(&proposal, clients).await?;
    }
    events.send(Happening::ChangeSetCreated {
        cell: plan.cell.clone(),
        stack_id: proposal.stack_id.clone(),
        change_set: name.to_owned(),
        changes: proposal.changes.clone(),
    });
    Ok(proposal)
}

/// Masks the values of properties that a secret parameter is part of, as far as that can be seen.
fn hide(changes: &mut [Change], plan: &StackPlan) {
    let secret: Vec<_> = plan.parameters.iter().filter(|it| it.secret).collect();
    let values = Secrets::new(secret.iter().map(|it| it.value.clone()));
    let holds = |text: &Option<String>| text.as_ref().is_some_and(|text| values.mask(text) != *text);
    each_detail(changes, &mut |detail| {
        let by_secret = detail.cause.as_ref().is_some_and(|cause| secret.iter().any(|it| it.key == *cause));
        if by_secret || holds(&detail.before) || holds(&detail.after) {
            [&mut detail.before, &mut detail.after].into_iter().flatten().for_each(|it| *it = "****".to_owned());
        }
    });
}

fn each_detail(changes: &mut [Change], act: &mut impl FnMut(&mut ChangeDetail)) {
    for change in changes {
        change.details.iter_mut().for_each(&mut *act);
        each_detail(&mut change.nested, act);
    }
}

/// Executes it. The stack's events tell the rest.
pub async fn execute(proposal: &Proposal, clients: &Clients) -> Result<(), AwsError> {
    clients.execute_change_set(&proposal.id, &request_token()).await
}

/// Removes it, and the stack if there is one only because of it.
pub async fn discard(proposal: &Proposal, clients: &Clients) -> Result<(), AwsError> {
    clients.delete_change_set(&proposal.id).await?;
    let in_review = clients.describe_stack(&proposal.stack_id).await?.is_some_and(|stack| stack.is_in_review());
    if proposal.is_new && in_review {
        clients.delete_stack(&proposal.stack_id, &request_token()).await?;
    }
    Ok(())
}
