//! Updates a test's stack from its earlier version, and checks what that does.

use std::collections::HashMap;

use tokio::time::Instant;

use super::StepContext;
use super::stop::WaitOutcome;
use super::verdict::{CellVerdict, settled, until};
use crate::aws::{AwsError, ChangeSetOptions};
use crate::event::{EventKind, ReportedChange};
use crate::launch::change_set::{self, ProposedChangeSet};
use crate::plan::StackPlan;
use crate::status::StackStatus;
use crate::watch::{SettledStack, Watcher};

/// How much of a list of resources a reason names.
const NAMED: usize = 5;

/// The update of a stack that is complete.
pub(super) struct StackUpdate<'u> {
    pub context: &'u StepContext<'u>,
    pub plan: &'u StackPlan,
    /// The URL of the template to update to.
    pub template_url: String,
    /// When the test's time is over.
    pub deadline: Instant,
}

/// A stack after its update.
pub(super) struct UpdatedStack {
    pub settled: SettledStack,
    /// The status that it has to have.
    pub complete: StackStatus,
}

/// The physical IDs of resources by their logical IDs.
type PhysicalIds = HashMap<String, Option<String>>;

impl StackUpdate<'_> {
    /// Updates the stack to the planned version, and tries another update if that must change
    /// nothing. `launched` is the stack before.
    ///
    /// # Errors
    /// The verdict of the test: the update isn't allowed, changes something again, or can't be
    /// done.
    pub(super) async fn run(
        &self,
        launched: SettledStack,
        watcher: &mut Watcher,
    ) -> Result<UpdatedStack, CellVerdict> {
        let mut stack = UpdatedStack {
            settled: launched,
            complete: StackStatus::CreateComplete,
        };
        if self.plan.update.from.is_some() {
            stack = self.update(stack, watcher).await?;
        }
        if stack.settled.status == stack.complete && self.plan.update.is_idempotent {
            self.repeat(watcher).await?;
        }
        Ok(stack)
    }

    async fn update(
        &self,
        launched: UpdatedStack,
        watcher: &mut Watcher,
    ) -> Result<UpdatedStack, CellVerdict> {
        let Self { context, plan, .. } = self;
        let name = format!("taskcat-{}", context.job.plan.run_id.simple());
        context.events.send(EventKind::ChangeSetCreating {
            cell: plan.cell.clone(),
            stack_name: plan.stack_name.clone(),
            change_set: name.clone(),
        });
        let proposal = self.proposal(&name, watcher).await?;
        context.events.send(EventKind::ChangeSetCreated {
            cell: plan.cell.clone(),
            stack_id: proposal.stack_id.clone(),
            change_set: name.clone(),
            changes: proposal.changes.clone(),
            options: Vec::new(),
        });
        if proposal.is_unchanged {
            self.discard(&proposal, watcher).await;
            return Ok(launched);
        }
        let forbidden = &plan.update.forbid_replacement;
        let lost = lost(&proposal.changes, forbidden);
        if !lost.is_empty() {
            return Err(CellVerdict::failed_for_good(forbidden_reason(&lost)));
        }
        let before = self.physical_ids(watcher).await?;
        let clients = watcher.clients();
        let executed = async {
            change_set::execute(&proposal, ChangeSetOptions::default(), &clients).await?;
            context.events.send(EventKind::ChangeSetExecuted {
                cell: plan.cell.clone(),
                change_set: name.clone(),
            });
            watcher.await_change();
            settled(context, &plan.cell, watcher).await
        };
        let settled = match context.stop.within(until(self.deadline), executed).await {
            WaitOutcome::Stopped => return Err(CellVerdict::interrupted(context)),
            WaitOutcome::TimedOut => {
                let status = format!("the update was still {}", watcher.status());
                return Err(CellVerdict::timed_out(plan, &status));
            }
            WaitOutcome::Done(settled) => settled.map_err(cannot_update)?,
        };
        let updated = UpdatedStack {
            settled,
            complete: StackStatus::UpdateComplete,
        };
        if updated.settled.status == updated.complete {
            self.refuse_replaced(&before, watcher).await?;
        }
        Ok(updated)
    }

    /// Fails if another update to the same version would change something.
    async fn repeat(&self, watcher: &Watcher) -> Result<(), CellVerdict> {
        let name = format!("taskcat-{}-again", self.context.job.plan.run_id.simple());
        let proposal = self.proposal(&name, watcher).await?;
        if proposal.is_unchanged {
            self.discard(&proposal, watcher).await;
            return Ok(());
        }
        let changed: Vec<String> = proposal.changes.iter().map(described).collect();
        let what = if changed.is_empty() {
            "outputs or tags".to_owned()
        } else {
            listed(&changed)
        };
        Err(CellVerdict::failed_for_good(format!(
            "not idempotent: updating the stack to the same version again would change {what}"
        )))
    }

    /// Creates a change set, which is deleted with the stack unless it is executed before.
    async fn proposal(
        &self,
        name: &str,
        watcher: &Watcher,
    ) -> Result<ProposedChangeSet, CellVerdict> {
        let Self { context, plan, .. } = self;
        let clients = watcher.clients();
        let limit = until(self.deadline);
        let working = async {
            let url = &self.template_url;
            let created = change_set::create_update(plan, name, url, &clients).await;
            let mut proposal = created?;
            change_set::work_out(&mut proposal, plan, limit, &clients).await?;
            Ok(proposal)
        };
        match context.stop.within(limit, working).await {
            WaitOutcome::Stopped => Err(CellVerdict::interrupted(context)),
            WaitOutcome::TimedOut => {
                let what = "its change set was still being created";
                Err(CellVerdict::timed_out(plan, what))
            }
            WaitOutcome::Done(proposal) => proposal.map_err(cannot_update),
        }
    }

    /// Deletes a change set that changes nothing. One that stays is deleted with its stack.
    async fn discard(&self, proposal: &ProposedChangeSet, watcher: &Watcher) {
        if let Err(error) = change_set::discard(proposal, &watcher.clients()).await {
            tracing::debug!("the change set {} remains: {error}", proposal.name);
        }
    }

    /// Returns the physical IDs of the resources that may not be replaced.
    async fn physical_ids(&self, watcher: &Watcher) -> Result<PhysicalIds, CellVerdict> {
        let forbidden = &self.plan.update.forbid_replacement;
        if forbidden.is_empty() {
            return Ok(PhysicalIds::new());
        }
        let clients = watcher.clients();
        let listing = clients.left_resources(watcher.stack_id());
        let resources = match self
            .context
            .stop
            .within(until(self.deadline), listing)
            .await
        {
            WaitOutcome::Stopped => return Err(CellVerdict::interrupted(self.context)),
            WaitOutcome::TimedOut => {
                let what = "its resources were still being listed";
                return Err(CellVerdict::timed_out(self.plan, what));
            }
            WaitOutcome::Done(resources) => resources.map_err(cannot_update)?,
        };
        let ids = resources
            .into_iter()
            .filter(|it| forbidden.contains(&it.logical_id))
            .map(|it| (it.logical_id, it.physical_id));
        Ok(ids.collect())
    }

    /// Fails if a resource was replaced although the change set left that open.
    async fn refuse_replaced(
        &self,
        before: &PhysicalIds,
        watcher: &Watcher,
    ) -> Result<(), CellVerdict> {
        let after = self.physical_ids(watcher).await?;
        let replaced = before.iter().filter(|(id, physical)| {
            let now = after.get(*id);
            now.is_some_and(|now| now != *physical)
        });
        let mut lost: Vec<String> = replaced.map(|(id, _)| format!("replaced {id}")).collect();
        lost.sort();
        if lost.is_empty() {
            return Ok(());
        }
        Err(CellVerdict::failed_for_good(format!(
            "the update {}, which `forbid_replacement` forbids",
            listed(&lost)
        )))
    }
}

/// Returns the changes that certainly delete or replace one of the resources.
fn lost<'c>(changes: &'c [ReportedChange], resources: &[String]) -> Vec<&'c ReportedChange> {
    let is_lost = |change: &&ReportedChange| {
        let is_gone = change.action == "Remove" || change.replacement.as_deref() == Some("True");
        is_gone && resources.contains(&change.logical_id)
    };
    changes.iter().filter(is_lost).collect()
}

/// Formats as `the update would replace Database (AWS::RDS::DBInstance) because of Engine, …`.
fn forbidden_reason(lost: &[&ReportedChange]) -> String {
    let losses: Vec<String> = lost
        .iter()
        .map(|change| {
            let resource = described(change);
            if change.action == "Remove" {
                return format!("delete {resource}");
            }
            let names: Vec<&str> = change
                .details
                .iter()
                .filter(|it| it.recreation != "Never")
                .map(|it| it.name.as_str())
                .collect();
            let because = if names.is_empty() {
                String::new()
            } else {
                format!(" because of {}", names.join(", "))
            };
            format!("replace {resource}{because}")
        })
        .collect();
    format!(
        "the update would {}, which `forbid_replacement` forbids",
        listed(&losses)
    )
}

/// Formats as `Database (AWS::RDS::DBInstance)`.
fn described(change: &ReportedChange) -> String {
    format!("{} ({})", change.logical_id, change.resource_type)
}

fn listed(items: &[String]) -> String {
    let mut named = items
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if items.len() > NAMED {
        named += &format!(" and {} more", items.len() - NAMED);
    }
    named
}

fn cannot_update(error: AwsError) -> CellVerdict {
    CellVerdict::failed(format!("the stack cannot be updated: {error}"))
}
