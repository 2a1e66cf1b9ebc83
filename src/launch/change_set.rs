//! Creates change sets, which show what would change in a stack before it does.
//!
//! Called by `run`. A stack that somebody else created gets no change set, unless it is to be
//! adopted. A rejected change set is deleted, together with the stack in review that CloudFormation
//! creates for a new stack.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::LaunchError;
use super::aws_cli::AwsCli;
use super::ownership::{self, ForeignStack, OwnershipTag};
use crate::aws::{
    AwsError, ChangeSet, ChangeSetOptions, Clients, CreateChangeSet, Stack, request_token,
};
use crate::event::{EventKind, EventSender, ReportedChange, ReportedChangeDetail};
use crate::mask::{MASK, Secrets};
use crate::plan::{OWN_TAGS, StackPlan};
use crate::status::{ChangeSetStatus, StackStatus};

/// Tag of an adopted stack: its tags that the configuration doesn't set are kept in later updates,
/// too.
pub(crate) const ADOPTED_TAG: &str = "taskcat-adopted";

/// Number of times to look for a change set whose creation wasn't confirmed.
const LOOKS: u32 = 5;
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// Number of times to poll for the deletion of a change set: those of nested stacks are deleted in
/// the background.
const DELETION_LOOKS: u32 = 60;
/// How long an interrupted deployment waits for its change set to be deleted.
const DISCARD_LIMIT: Duration = Duration::from_secs(45);

/// The change set to create.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChangeSetRequest<'a> {
    pub plan: &'a StackPlan,
    /// The change set's name. A generated one contains the run's ID and so is this run's; a change
    /// set with a name that the user chose is replaced.
    pub name: &'a str,
    pub replaces: bool,
    /// URL of the staged template.
    pub template_url: &'a str,
    pub mark: OwnershipTag,
    /// Adopt a stack that lacks the tag.
    pub adopt: bool,
    /// Delete a stack whose creation failed and was rolled back, and create it again. The value
    /// limits the time of the deletion.
    pub replace_failed: Option<Duration>,
    pub options: ChangeSetOptions,
}

/// A change set that can be executed, or that would change nothing.
#[derive(Clone, Debug)]
pub(crate) struct ProposedChangeSet {
    pub id: String,
    pub name: String,
    pub stack_id: String,
    /// Changes of resources; empty if only outputs, tags or the like change.
    pub changes: Vec<ReportedChange>,
    /// Whether CloudFormation found no changes and so can't execute it.
    pub is_unchanged: bool,
    pub adoption: Option<TagChanges>,
    /// Whether the stack was created, in review, for this change set.
    pub is_new: bool,
}

/// How adopting a stack changes its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagChanges {
    /// The stack and whose it is according to its tags.
    pub stack: ForeignStack,
    /// Keys and values of the tags to remove.
    pub removed: Vec<(String, String)>,
    /// Key, old value and new value.
    pub overwritten: Vec<(String, String, String)>,
}

/// Creates the change set that turns the stack into the planned one. If the answer is lost, a
/// change set with this name is this run's.
///
/// # Errors
/// The stack is somebody else's, can't be changed, or CloudFormation refuses. Then there is no
/// change set, unless [`AwsError::may_have_taken_effect`] says otherwise.
pub(crate) async fn create(
    request: ChangeSetRequest<'_>,
    cli: &AwsCli,
    clients: &Clients,
    events: &EventSender,
) -> Result<ProposedChangeSet, LaunchError> {
    let ChangeSetRequest { plan, name, .. } = request;
    let mut existing = clients.describe_stack(&plan.stack_name).await?;
    let foreign = match &existing {
        Some(stack) => ownership::foreign(stack, request.mark, &plan.account_id, clients).await?,
        None => None,
    };
    if let Some(foreign) = foreign
        .as_ref()
        .filter(|it| !request.adopt || !it.can_be_adopted())
    {
        return Err(foreign.clone().into());
    }
    if let (Some(limit), Some(failed)) = (
        request.replace_failed,
        existing.as_ref().filter(|it| it.was_never_created()),
    ) {
        delete_failed(plan, failed, limit, clients, events).await?;
        existing = None;
    }
    if let Some((stack, help)) = existing
        .as_ref()
        .and_then(|it| Some((it, ownership::status_advice(it, request.mark, cli)?)))
    {
        let stack_name = plan.stack_name.clone();
        let status = stack.status.clone();
        return Err(LaunchError::Unchangeable {
            stack_name,
            region: cli.region.clone(),
            status,
            help,
        });
    }
    if let (true, Some(stack)) = (request.replaces, &existing) {
        delete_named(&stack.stack_id, name, clients).await?;
    }
    let tags = tags(plan, existing.as_ref(), foreign.is_some());
    let adoption = foreign.map(|stack| TagChanges::new(stack, existing.as_ref(), &tags));
    let stack_name = plan.stack_name.clone();
    let creating = EventKind::ChangeSetCreating {
        cell: plan.cell.clone(),
        stack_name,
        change_set: name.to_owned(),
    };
    events.record(creating).await?;
    let token = request_token();
    let call = CreateChangeSet {
        stack_name: &plan.stack_name,
        change_set: name,
        creates: existing.as_ref().is_none_or(Stack::is_in_review),
        template_url: request.template_url,
        parameters: plan.sent_parameters(),
        tags: &tags,
        role_arn: plan.role_arn.as_deref(),
        client_token: &token,
        options: request.options,
    };
    Ok(ProposedChangeSet {
        adoption,
        is_new: existing.is_none(),
        ..submit(&call, clients).await?
    })
}

/// Creates the change set that updates a stack of this run to the planned one.
///
/// # Errors
/// CloudFormation refuses, or whether there is a change set isn't known.
pub(crate) async fn create_update(
    plan: &StackPlan,
    name: &str,
    template_url: &str,
    clients: &Clients,
) -> Result<ProposedChangeSet, AwsError> {
    let call = CreateChangeSet {
        stack_name: &plan.stack_name,
        change_set: name,
        creates: false,
        template_url,
        parameters: plan.sent_parameters(),
        tags: &plan.tags,
        role_arn: plan.role_arn.as_deref(),
        client_token: &request_token(),
        options: ChangeSetOptions::default(),
    };
    submit(&call, clients).await
}

/// Requests the change set, and looks for it if the answer is lost.
async fn submit(
    call: &CreateChangeSet<'_>,
    clients: &Clients,
) -> Result<ProposedChangeSet, AwsError> {
    let name = call.change_set;
    let (id, stack_id) = match clients.create_change_set(call).await {
        Ok(ids) => ids,
        Err(error) => {
            let is_unanswered = error.may_have_taken_effect();
            let found = look_for(call.stack_name, name, is_unanswered, clients).await;
            found.map(|it| (it.id, it.stack_id)).ok_or(error)?
        }
    };
    Ok(ProposedChangeSet {
        id,
        name: name.to_owned(),
        stack_id,
        changes: Vec::new(),
        is_unchanged: false,
        adoption: None,
        is_new: false,
    })
}

/// Deletes a stack whose creation was rolled back, which CloudFormation can't update, and waits
/// until it is deleted.
async fn delete_failed(
    plan: &StackPlan,
    failed: &Stack,
    limit: Duration,
    clients: &Clients,
    events: &EventSender,
) -> Result<(), LaunchError> {
    let started = Instant::now();
    events.warn(
        Some(&plan.cell),
        format!(
            "deleting the stack {}, which is in {}",
            failed.stack_name, failed.status
        ),
    );
    clients
        .delete_stack(&failed.stack_id, &request_token())
        .await?;
    while let Some(stack) = clients.describe_stack(&failed.stack_id).await? {
        if stack.status == StackStatus::DeleteComplete {
            break;
        }
        if stack.status == StackStatus::DeleteFailed || started.elapsed() >= limit {
            return Err(AwsError::unfinished(
                "DeleteStack",
                clients.region(),
                stack.status.as_str(),
            )
            .into());
        }
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

/// Deletes the stack's change set with that name, if there is one, and waits until it is deleted.
async fn delete_named(stack_id: &str, name: &str, clients: &Clients) -> Result<(), AwsError> {
    let Some(found) = clients.find_change_set(stack_id, name).await? else {
        return Ok(());
    };
    clients.delete_change_set(&found.id).await?;
    for _ in 0..DELETION_LOOKS {
        match clients.find_change_set(stack_id, name).await? {
            None => return Ok(()),
            Some(found) if found.status == ChangeSetStatus::DeleteFailed => {
                return Err(AwsError::unfinished(
                    "DeleteChangeSet",
                    clients.region(),
                    found.status.as_str(),
                ));
            }
            Some(_) => sleep(Duration::from_millis(500)).await,
        }
    }
    Err(AwsError::unfinished(
        "DeleteChangeSet",
        clients.region(),
        found.status.as_str(),
    ))
}

/// Looks for the change set after a failed creation: it may have been created nevertheless, and may
/// appear late if there was no answer.
async fn look_for(
    stack_name: &str,
    name: &str,
    is_unanswered: bool,
    clients: &Clients,
) -> Option<ChangeSet> {
    for look in 0..if is_unanswered { LOOKS } else { 1 } {
        if look > 0 {
            sleep(LOOK_INTERVAL).await;
        }
        if let Ok(Some(found)) = clients.find_change_set(stack_name, name).await {
            return Some(found);
        }
    }
    None
}

/// Returns the stack's tags: the plan's, and for an adopted stack also existing ones that the plan
/// doesn't set.
fn tags(plan: &StackPlan, existing: Option<&Stack>, adopts: bool) -> Vec<(String, String)> {
    let mut tags = plan.tags.clone();
    let Some(stack) = existing.filter(|it| adopts || it.tag(ADOPTED_TAG).is_some()) else {
        return tags;
    };
    let is_kept = |key: &str| {
        // AWS's own can't be set, and with a test run's tags `test clean` would delete the stack.
        !key.starts_with("aws:")
            && !OWN_TAGS.contains(&key)
            && plan.tags.iter().all(|(planned, _)| planned != key)
    };
    tags.extend(
        stack
            .tags
            .iter()
            .filter(|(key, _)| is_kept(key) && key != ADOPTED_TAG)
            .cloned(),
    );
    tags.push((ADOPTED_TAG.to_owned(), "true".to_owned()));
    tags
}

impl TagChanges {
    fn new(stack: ForeignStack, existing: Option<&Stack>, tags: &[(String, String)]) -> Self {
        let mut adoption = Self {
            stack,
            removed: Vec::new(),
            overwritten: Vec::new(),
        };
        for (key, before) in existing.iter().flat_map(|stack| &stack.tags) {
            match tags.iter().find(|(name, _)| name == key) {
                None => adoption.removed.push((key.clone(), before.clone())),
                Some((_, after)) if after != before => {
                    adoption
                        .overwritten
                        .push((key.clone(), before.clone(), after.clone()));
                }
                Some(_) => {}
            }
        }
        adoption
    }
}

/// Waits until the change set is created, and reads its changes.
///
/// # Errors
/// CloudFormation's refusal, or `limit` is reached. The change set still exists then.
pub(crate) async fn work_out(
    proposal: &mut ProposedChangeSet,
    plan: &StackPlan,
    limit: Duration,
    clients: &Clients,
) -> Result<(), AwsError> {
    let changes = clients.changes(&proposal.id, limit).await?;
    proposal.is_unchanged = changes.is_none();
    proposal.changes = changes.unwrap_or_default();
    hide(&mut proposal.changes, plan);
    Ok(())
}

/// Masks the values of properties that contain a secret parameter, as far as that can be
/// determined.
fn hide(changes: &mut [ReportedChange], plan: &StackPlan) {
    let secret: Vec<_> = plan.parameters.iter().filter(|it| it.secret).collect();
    let values = Secrets::new(secret.iter().map(|it| it.value.clone()));
    let holds =
        |text: &Option<String>| text.as_ref().is_some_and(|text| values.mask(text) != *text);
    each_detail(changes, &mut |detail| {
        let by_secret = detail
            .cause
            .as_ref()
            .is_some_and(|cause| secret.iter().any(|it| it.key == *cause));
        if by_secret || holds(&detail.before) || holds(&detail.after) {
            [&mut detail.before, &mut detail.after]
                .into_iter()
                .flatten()
                .for_each(|it| *it = MASK.to_owned());
        }
    });
}

fn each_detail(changes: &mut [ReportedChange], act: &mut impl FnMut(&mut ReportedChangeDetail)) {
    for change in changes {
        change.details.iter_mut().for_each(&mut *act);
        each_detail(&mut change.nested, act);
    }
}

/// Executes the change set. The stack's events show the progress.
///
/// # Errors
/// It wasn't executed, or that isn't known.
pub(crate) async fn execute(
    proposal: &ProposedChangeSet,
    options: ChangeSetOptions,
    clients: &Clients,
) -> Result<(), AwsError> {
    let Err(error) = clients
        .execute_change_set(&proposal.id, options, &request_token())
        .await
    else {
        return Ok(());
    };
    // The answer to an attempt that took effect may have been lost.
    for look in 0..if error.may_have_taken_effect() {
        LOOKS
    } else {
        1
    } {
        if look > 0 {
            sleep(LOOK_INTERVAL).await;
        }
        let found = clients
            .find_change_set(&proposal.stack_id, &proposal.name)
            .await;
        if found.is_ok_and(|found| found.is_some_and(|it| it.is_executed())) {
            return Ok(());
        }
    }
    Err(error)
}

/// Deletes the change set, and the stack in review if it exists only because of it.
///
/// # Errors
/// One of them may still exist, for example because the deletion takes longer than
/// [`DISCARD_LIMIT`].
pub(crate) async fn discard(
    proposal: &ProposedChangeSet,
    clients: &Clients,
) -> Result<(), AwsError> {
    match timeout(DISCARD_LIMIT, discard_all(proposal, clients)).await {
        Ok(discarded) => discarded,
        Err(_) => Err(AwsError::unfinished(
            "DeleteChangeSet",
            clients.region(),
            "unknown",
        )),
    }
}

async fn discard_all(proposal: &ProposedChangeSet, clients: &Clients) -> Result<(), AwsError> {
    let ProposedChangeSet { stack_id, name, .. } = proposal;
    let requested = clients.delete_change_set(&proposal.id).await;
    let mut looks = 0;
    while let Some(found) = clients.find_change_set(stack_id, name).await? {
        requested.clone()?;
        looks += 1;
        // On AWS, a deletion continues in the background only for nested stacks.
        if looks == DELETION_LOOKS || found.status == ChangeSetStatus::DeleteFailed {
            return Err(AwsError::unfinished(
                "DeleteChangeSet",
                clients.region(),
                found.status.as_str(),
            ));
        }
        sleep(Duration::from_millis(500)).await;
    }
    if !proposal.is_new {
        return Ok(());
    }
    let mut stack = clients.describe_stack(stack_id).await?;
    // A stack that was just created may not be visible yet.
    for _ in 0..LOOKS {
        if stack.is_none() {
            sleep(LOOK_INTERVAL).await;
            stack = clients.describe_stack(stack_id).await?;
        }
    }
    // Somebody else may have added another change set meanwhile.
    if stack.is_some_and(|it| it.is_in_review())
        && clients.change_set_names(stack_id).await?.is_empty()
    {
        clients.delete_stack(stack_id, &request_token()).await?;
    }
    Ok(())
}
