//! Resources are created and updated, and rolled back when an update fails.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::{Engine, service_resources};
use crate::simulator::cloudformation::evaluation::revision;
use crate::simulator::cloudformation::resource::{
    self, DeclaredResource, RequiresRecreation, ResourceProperties,
};
use crate::simulator::cloudformation::state::check::CheckKind;
use crate::simulator::cloudformation::state::operation::{
    OperationPhase, ScheduledAction, TaskState,
};
use crate::simulator::cloudformation::state::resource_record::{
    ResourceRecord, STACK, StatusReason,
};
use crate::simulator::cloudformation::state::settings::StackNumber;
use crate::simulator::cloudformation::state::stack_policy::UpdateAction;
use crate::simulator::scenario::ResourcePhase;
use crate::status::{ResourceStatus, StackStatus};
use crate::template;

/// How soon invalid properties are reported.
const REFUSED_AFTER: Duration = Duration::from_secs(1);

const CREATION_CANCELLED: &str = "Resource creation cancelled";

const UPDATE_CANCELLED: &str = "Resource update cancelled";

const CREATION_INITIATED: &str = "Resource creation Initiated";

const REQUIRES_REPLACEMENT: &str =
    "Requested update requires the creation of a new physical resource; hence creating one.";

/// What an update does with a resource
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UpdateBehavior {
    Create,
    Replacement,
    Update,
    /// The resource isn't changed.
    NoChange,
}

impl Engine<'_> {
    /// Begins to create, update or replace a resource.
    pub(crate) fn begin_create_or_update(
        &mut self,
        number: StackNumber,
        task: usize,
        at: Timestamp,
    ) {
        let Some(id) = self.logical_id(number, task) else {
            return;
        };
        let evaluated = revision::evaluate_leniently(self.cloud, self.state, number, |evaluator| {
            evaluator.one_resource(&id)
        });
        match evaluated {
            Some(Ok(Some(wanted))) => self.begin_change(number, task, &id, &wanted, at),
            Some(Err(failures)) => {
                let reason = revision::first_message(failures);
                self.begin_failed(number, task, &id, reason, at);
            }
            Some(Ok(None)) => self.complete_task(number, task, at),
            None => self.report_defect(format!("{} has no template", self.stack(number).id)),
        }
    }

    fn begin_change(
        &mut self,
        number: StackNumber,
        task: usize,
        id: &str,
        wanted: &template::EvaluatedResource,
        at: Timestamp,
    ) {
        let stack = self.stack(number);
        let depends_on = stack
            .revision
            .as_ref()
            .and_then(|it| it.depends_on.get(id))
            .cloned();
        let existing = stack
            .resources
            .get(id)
            .filter(|it| it.physical_id.is_some() && !it.is_deleted());
        let (properties, refused) = self.properties(number, id, wanted);
        let properties = Arc::new(properties);
        let behavior = match existing.map_or(UpdateBehavior::Create, |existing| {
            self.update_behavior(existing, &properties)
        }) {
            UpdateBehavior::NoChange
                if resource::is_taggable(&wanted.kind) && self.changes_tags(number) =>
            {
                UpdateBehavior::Update
            }
            behavior => behavior,
        };
        let policy = |name: &str| wanted.body.get(name).and_then(template::Value::as_text);
        let resource = ResourceRecord {
            kind: Arc::from(wanted.kind.as_str()),
            physical_id: existing.and_then(|it| it.physical_id.clone()),
            status: existing.and_then(|it| it.status.clone()),
            reason: existing.and_then(|it| it.reason.clone()),
            changed: existing.map_or(at, |it| it.changed),
            properties,
            deletion_policy: policy("DeletionPolicy"),
            update_replace_policy: policy("UpdateReplacePolicy"),
            depends_on: depends_on.unwrap_or_default(),
            child: existing.and_then(|it| it.child),
        };
        let refusal = match behavior {
            UpdateBehavior::NoChange => None,
            _ => self
                .denial(number, id, &resource.kind, behavior)
                .or(refused),
        };
        self.state
            .stack_mut(number)
            .resources
            .insert(id.to_owned(), resource);
        match behavior {
            UpdateBehavior::NoChange => return self.complete_task(number, task, at),
            UpdateBehavior::Create => {
                self.clear_physical_id(number, id);
                self.set_resource_status(number, id, ResourceStatus::CreateInProgress, None, at);
            }
            UpdateBehavior::Replacement => {
                self.set_resource_status(
                    number,
                    id,
                    ResourceStatus::UpdateInProgress,
                    Some(REQUIRES_REPLACEMENT.into()),
                    at,
                );
                self.clear_physical_id(number, id);
            }
            // Whether the nested stack changes is known only later.
            UpdateBehavior::Update if wanted.kind == STACK => {}
            UpdateBehavior::Update => {
                self.set_resource_status(number, id, ResourceStatus::UpdateInProgress, None, at)
            }
        }
        match refusal {
            Some(reason) => {
                let at = self.after(at, REFUSED_AFTER);
                self.schedule(number, at, ScheduledAction::FinishTask(task, Some(reason)));
            }
            None => self.schedule_change(number, task, id, &wanted.kind, behavior, at),
        }
    }

    /// Returns the properties to create a resource with, and why they are invalid whatever the
    /// values are that the simulator made up.
    fn properties(
        &self,
        number: StackNumber,
        id: &str,
        wanted: &template::EvaluatedResource,
    ) -> (ResourceProperties, Option<String>) {
        let stack = self.stack(number);
        let refusal = |wanted: &template::EvaluatedResource| {
            resource::refusal(&DeclaredResource {
                account: &stack.owner.account,
                region: &stack.owner.region,
                stack_name: &stack.name,
                logical_id: id,
                kind: &wanted.kind,
                properties: &*wanted.created_with()?,
            })
        };
        let filled = |wanted: &template::EvaluatedResource| {
            wanted
                .properties()
                .map(|it| resource::properties_with_placeholders(&wanted.kind, it))
                .unwrap_or_default()
        };
        let Some(refused) = refusal(wanted) else {
            return (filled(wanted), None);
        };
        let known =
            revision::evaluate_without_made_up(self.cloud, self.state, number, |evaluator| {
                evaluator.one_resource(id)
            });
        match known.and_then(Result::ok).flatten() {
            Some(known) if refusal(&known).is_none() => (filled(&known), None),
            _ => (filled(wanted), Some(refused)),
        }
    }

    fn schedule_change(
        &mut self,
        number: StackNumber,
        task: usize,
        id: &str,
        kind: &str,
        behavior: UpdateBehavior,
        at: Timestamp,
    ) {
        let phase = if behavior == UpdateBehavior::Create {
            ResourcePhase::Create
        } else {
            ResourcePhase::Update
        };
        let fault = self.fault(number, id, kind, phase);
        let duration_phase = if behavior == UpdateBehavior::Replacement {
            ResourcePhase::Create
        } else {
            phase
        };
        let takes = fault
            .takes
            .unwrap_or_else(|| resource::nominal_duration(kind, duration_phase));
        let initiated = self.after(at, (takes / 4).min(Duration::from_secs(1)));
        let ends = self.after(at, takes);
        let fails = match (fault.fails, fault.hook) {
            (Some(reason), Some(hook)) => Some(self.refuse(number, id, kind, hook, reason, at)),
            (fails, _) => fails,
        };
        match fails {
            Some(reason) => self.schedule(
                number,
                ends,
                ScheduledAction::FinishTask(task, Some(reason)),
            ),
            None => {
                self.schedule(number, initiated, ScheduledAction::InitiateTask(task));
                // A nested stack completes the task itself.
                if kind != STACK {
                    self.schedule(number, ends, ScheduledAction::FinishTask(task, None));
                }
            }
        }
    }

    /// Records that a Hook refuses a resource, and returns the resource's status reason.
    /// <https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/hooks-concepts.html>
    fn refuse(
        &mut self,
        number: StackNumber,
        id: &str,
        kind: &str,
        hook: String,
        reason: String,
        at: Timestamp,
    ) -> String {
        let status_reason = format!("The following hook(s) failed: [{hook}]");
        let check = CheckKind::Hook { name: hook };
        self.state
            .stack_mut(number)
            .record_check(id, Arc::from(kind), check, reason, at);
        status_reason
    }

    /// Fails a resource whose properties can't be evaluated.
    fn begin_failed(
        &mut self,
        number: StackNumber,
        task: usize,
        id: &str,
        reason: String,
        at: Timestamp,
    ) {
        let stack = self.state.stack_mut(number);
        let kind = stack.declared_type(id);
        let is_new = !stack.resources.contains_key(id);
        let undeclared = || ResourceRecord {
            kind,
            physical_id: None,
            status: None,
            reason: None,
            changed: at,
            properties: Arc::new(IndexMap::new()),
            deletion_policy: None,
            update_replace_policy: None,
            depends_on: Arc::default(),
            child: None,
        };
        stack
            .resources
            .entry(id.to_owned())
            .or_insert_with(undeclared);
        stack.set_resource_status(
            id,
            if is_new {
                ResourceStatus::CreateInProgress
            } else {
                ResourceStatus::UpdateInProgress
            },
            None,
            at,
        );
        self.finish_create_or_update(number, task, Some(reason), at);
    }

    fn update_behavior(
        &self,
        existing: &ResourceRecord,
        wanted: &ResourceProperties,
    ) -> UpdateBehavior {
        if &*existing.kind == STACK {
            return UpdateBehavior::Update;
        }
        let changes = resource::property_changes(&existing.kind, &existing.properties, wanted);
        if changes
            .iter()
            .any(|change| change.requires_recreation == RequiresRecreation::Always)
        {
            UpdateBehavior::Replacement
        } else if changes.is_empty() {
            UpdateBehavior::NoChange
        } else {
            UpdateBehavior::Update
        }
    }

    /// Returns whether the current update changes the stack's tags, which its resources inherit.
    fn changes_tags(&self, number: StackNumber) -> bool {
        let before = self
            .operation(number)
            .and_then(|operation| operation.before.as_deref());
        before.is_some_and(|before| before.settings.tags != self.stack(number).settings.tags)
    }

    /// Returns why the stack policy doesn't allow the update of a resource.
    fn denial(
        &self,
        number: StackNumber,
        id: &str,
        kind: &str,
        behavior: UpdateBehavior,
    ) -> Option<String> {
        let action = match behavior {
            UpdateBehavior::Update => UpdateAction::Modify,
            UpdateBehavior::Replacement => UpdateAction::Replace,
            UpdateBehavior::Create | UpdateBehavior::NoChange => return None,
        };
        self.stack(number)
            .effective_policy()?
            .denial(action, id, kind)
    }

    fn clear_physical_id(&mut self, number: StackNumber, id: &str) {
        if let Some(resource) = self.resource_mut(number, id) {
            resource.physical_id = None;
            resource.child = None;
        }
    }

    /// Starts the creation or update in the resource's service. The resource has a physical ID from
    /// now on.
    pub(crate) fn initiate(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        if !self.is_running(number, task) {
            return;
        }
        let Some(id) = self.logical_id(number, task) else {
            return;
        };
        let Some(resource) = self.resource_mut(number, &id).cloned() else {
            return;
        };
        if &*resource.kind == STACK {
            return self.initiate_nested(number, task, &id, &resource, at);
        }
        if resource.physical_id.is_some() {
            if let Err(reason) =
                service_resources::update(self.cloud, self.stack(number), &id, &resource, at)
            {
                self.finish_create_or_update(number, task, Some(reason), at);
            }
            return;
        }
        let is_replaced = resource.has_status(&ResourceStatus::UpdateInProgress);
        let created = self.reserve_name(number, &id, &resource).and_then(|()| {
            let stack = self.stack(number);
            let declared = stack.declared(&id, &resource);
            service_resources::create(
                self.cloud,
                stack,
                &declared,
                resource::physical_id(&declared),
                at,
            )
        });
        match created {
            Ok(physical_id) => {
                if let Some(resource) = self.resource_mut(number, &id) {
                    resource.physical_id = Some(physical_id.into());
                }
                let status = if is_replaced {
                    ResourceStatus::UpdateInProgress
                } else {
                    ResourceStatus::CreateInProgress
                };
                self.set_resource_status(number, &id, status, Some(CREATION_INITIATED.into()), at);
            }
            Err(reason) => self.finish_create_or_update(number, task, Some(reason), at),
        }
    }

    /// Reserves the resource's name, if no second resource may have it.
    fn reserve_name(
        &mut self,
        number: StackNumber,
        id: &str,
        resource: &ResourceRecord,
    ) -> Result<(), String> {
        let stack = self.stack(number);
        let Some(key) = stack.unique_name(id, resource) else {
            return Ok(());
        };
        let name = key.3.clone();
        let own = stack.id.clone();
        match self.state.reserved_names.get(&key) {
            Some(holder)
                if *holder == own && resource.has_status(&ResourceStatus::UpdateInProgress) =>
            {
                Err(format!(
                    "CloudFormation cannot update a stack when a custom-named resource requires \
                     replacing. Rename {name} and \
                 update the stack again."
                ))
            }
            Some(holder) => Err(format!("{name} already exists in stack {holder}")),
            None => {
                self.state.reserved_names.insert(key, own);
                Ok(())
            }
        }
    }

    /// Ends the creation or update of a resource, with the reason if it failed.
    pub(crate) fn finish_create_or_update(
        &mut self,
        number: StackNumber,
        task: usize,
        reason: Option<String>,
        at: Timestamp,
    ) {
        let Some(id) = self.logical_id(number, task) else {
            return;
        };
        let before = self
            .operation(number)
            .and_then(|operation| operation.before.as_deref());
        let is_update = before.is_some_and(|before| before.resources.contains_key(&id));
        match (is_update, &reason) {
            (false, None) => {
                self.set_resource_status(number, &id, ResourceStatus::CreateComplete, None, at)
            }
            (true, None) => {
                self.set_resource_status(number, &id, ResourceStatus::UpdateComplete, None, at)
            }
            (false, Some(_)) => self.set_resource_status(
                number,
                &id,
                ResourceStatus::CreateFailed,
                reason.clone().map(StatusReason::Owned),
                at,
            ),
            (true, Some(_)) => self.set_resource_status(
                number,
                &id,
                ResourceStatus::UpdateFailed,
                reason.clone().map(StatusReason::Owned),
                at,
            ),
        }
        match reason {
            None => self.complete_task(number, task, at),
            Some(_) => self.fail_task(number, task, at),
        }
    }

    /// Starts no further tasks, and fails those that are running.
    pub(crate) fn cancel(&mut self, number: StackNumber, at: Timestamp) {
        let Some(operation) = self.current_operation(number) else {
            return;
        };
        operation.is_cancelled = true;
        let mut running = Vec::new();
        for task in &mut operation.tasks {
            match task.state {
                TaskState::Scheduled => {
                    task.state = TaskState::Waiting;
                    operation.active -= 1;
                }
                TaskState::Running => {
                    task.state = TaskState::Failed;
                    operation.active -= 1;
                    operation.failed.push(task.logical_id.clone());
                    running.push(task.logical_id.clone());
                }
                TaskState::Waiting | TaskState::Done | TaskState::Failed => {}
            }
        }
        for id in running {
            let Some(resource) = self.stack(number).resources.get(&id) else {
                continue;
            };
            let child = resource.child;
            let is_update = resource.has_status(&ResourceStatus::UpdateInProgress);
            let (status, reason) = if is_update {
                (ResourceStatus::UpdateFailed, UPDATE_CANCELLED)
            } else {
                (ResourceStatus::CreateFailed, CREATION_CANCELLED)
            };
            self.set_resource_status(number, &id, status, Some(reason.into()), at);
            if let Some(child) = child {
                self.cancel_nested(child, at);
            }
        }
        self.complete_phase_if_idle(number, at);
    }

    /// Begins to roll a resource back to what it was before the update.
    pub(crate) fn begin_resource_rollback(
        &mut self,
        number: StackNumber,
        task: usize,
        at: Timestamp,
    ) {
        let Some(id) = self.logical_id(number, task) else {
            return;
        };
        let Some(before) = self.task(number, task).and_then(|it| it.subject.clone()) else {
            return self.complete_task(number, task, at);
        };
        let kind = before.kind.clone();
        let Some(resource) = self.resource_mut(number, &id) else {
            return;
        };
        let status = resource.status.take();
        *resource = ResourceRecord { status, ..*before };
        if &*kind == STACK {
            let resource = resource.clone();
            if resource
                .child
                .is_some_and(|child| self.stack(child).status == StackStatus::UpdateRollbackFailed)
            {
                return self.roll_back_nested(number, task, &id, &resource, at);
            }
            return self.initiate_nested(number, task, &id, &resource, at);
        }
        self.set_resource_status(number, &id, ResourceStatus::UpdateInProgress, None, at);
        let fault = self.fault(number, &id, &kind, ResourcePhase::Rollback);
        let ends = self.after(
            at,
            fault
                .takes
                .unwrap_or_else(|| resource::nominal_duration(&kind, ResourcePhase::Rollback)),
        );
        self.schedule(number, ends, ScheduledAction::FinishTask(task, fault.fails));
    }

    /// Ends the rollback of a resource, with the reason if it failed.
    pub(crate) fn finish_resource_rollback(
        &mut self,
        number: StackNumber,
        task: usize,
        reason: Option<String>,
        at: Timestamp,
    ) {
        let Some(id) = self.logical_id(number, task) else {
            return;
        };
        let Some(resource) = self.resource_mut(number, &id).cloned() else {
            return;
        };
        let change =
            || service_resources::update(self.cloud, self.stack(number), &id, &resource, at).err();
        match reason.or_else(change) {
            None => {
                self.set_resource_status(number, &id, ResourceStatus::UpdateComplete, None, at);
                self.complete_task(number, task, at);
            }
            Some(reason) => {
                self.set_resource_status(
                    number,
                    &id,
                    ResourceStatus::UpdateFailed,
                    Some(reason.into()),
                    at,
                );
                self.fail_task(number, task, at);
            }
        }
    }

    /// Fails a creation whose `TimeoutInMinutes` has passed.
    pub(crate) fn time_out(&mut self, number: StackNumber, at: Timestamp) {
        let Some(operation) = self
            .operation_mut(number)
            .filter(|it| it.phase == OperationPhase::Create)
        else {
            return;
        };
        operation.reason = Some("Stack creation time exceeded the specified timeout.".to_owned());
        self.cancel(number, at);
    }
}
