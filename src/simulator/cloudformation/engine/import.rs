//! Existing resources are imported into a stack.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources.html>

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::completion::failure_reason;
use super::{Engine, service_resources};
use crate::simulator::Caller;
use crate::simulator::cloudformation::evaluation::revision;
use crate::simulator::cloudformation::state::change_set::ResourceToImport;
use crate::simulator::cloudformation::state::operation::{
    OperationPhase, ScheduledAction, StackOperation, StackSnapshot, tasks,
};
use crate::simulator::cloudformation::state::resource_record::{ResourceRecord, StatusReason};
use crate::simulator::cloudformation::state::revision::AcceptedRevision;
use crate::simulator::cloudformation::state::settings::{StackNumber, StackSettings};
use crate::status::{ResourceStatus, StackStatus};
use crate::template;

/// The nominal time to look a resource up, and to import it.
const IMPORT_DURATION: Duration = Duration::from_secs(2);

impl Engine<'_> {
    /// Begins to import resources into a stack.
    pub(crate) fn begin_import(
        &mut self,
        number: StackNumber,
        accepted: AcceptedRevision,
        settings: StackSettings,
        imports: &[ResourceToImport],
        at: Timestamp,
    ) {
        let stack = self.state.stack_mut(number);
        let before = StackSnapshot {
            revision: stack.revision.replace(accepted.revision),
            resources: stack.resources.clone(),
            outputs: stack.outputs.clone(),
            settings: std::mem::replace(&mut stack.settings, settings),
        };
        self.set_status(
            number,
            StackStatus::ImportInProgress,
            Some("User Initiated".to_owned()),
            at,
        );
        let operation = StackOperation {
            reason: accepted.failure,
            before: Some(Box::new(before)),
            imports: imports
                .iter()
                .map(|it| (it.logical_id.clone(), it.physical_id.clone()))
                .collect(),
            ..StackOperation::new(
                OperationPhase::Import,
                tasks(
                    imports.iter().map(|it| (it.logical_id.as_str(), None)),
                    |_| Vec::new(),
                ),
            )
        };
        self.start_operation(number, operation, at);
    }

    /// Returns whether a resource exists that belongs to no stack: its service has it, or a stack
    /// has retained it.
    pub(crate) fn exists_outside(&self, owner: &Caller, kind: &str, physical_id: &str) -> bool {
        let left = || self.state.has_retained(owner, kind, physical_id);
        let exists =
            service_resources::exists(self.cloud, owner, kind, physical_id).unwrap_or_else(left);
        exists && !self.state.has_resource(owner, physical_id)
    }

    /// Begins to import a resource.
    pub(crate) fn begin_resource_import(
        &mut self,
        number: StackNumber,
        task: usize,
        at: Timestamp,
    ) {
        let Some(id) = self.logical_id(number, task) else {
            return;
        };
        let physical_id = self
            .operation(number)
            .and_then(|it| it.imports.get(&id))
            .cloned();
        let evaluated = revision::evaluate_current(self.cloud, self.state, number, |evaluator| {
            evaluator.one_resource(&id)
        });
        let (wanted, refused) = match evaluated {
            Some(Ok(wanted)) => (wanted, None),
            Some(Err(failures)) => (None, Some(revision::first_message(failures))),
            None => {
                return self.report_defect(format!("{} has no template", self.stack(number).id));
            }
        };
        let policy = |name: &str| {
            wanted
                .as_ref()?
                .body
                .get(name)
                .and_then(template::Value::as_text)
        };
        let stack = self.state.stack_mut(number);
        let depends_on = stack
            .revision
            .as_ref()
            .and_then(|it| it.depends_on.get(&id))
            .cloned();
        let resource = ResourceRecord {
            kind: stack.declared_type(&id),
            physical_id: physical_id.map(Arc::from),
            status: None,
            reason: None,
            changed: at,
            properties: Arc::new(
                wanted
                    .as_ref()
                    .and_then(|it| it.properties())
                    .cloned()
                    .unwrap_or_else(IndexMap::new),
            ),
            deletion_policy: policy("DeletionPolicy"),
            update_replace_policy: policy("UpdateReplacePolicy"),
            depends_on: depends_on.unwrap_or_default(),
            child: None,
        };
        stack.resources.insert(id.clone(), resource);
        self.set_resource_status(
            number,
            &id,
            ResourceStatus::ImportInProgress,
            Some("Resource import started.".into()),
            at,
        );
        let at = self.after(at, IMPORT_DURATION);
        self.schedule(number, at, ScheduledAction::FinishTask(task, refused));
    }

    /// Ends the import of a resource, with the reason if it failed.
    pub(crate) fn finish_resource_import(
        &mut self,
        number: StackNumber,
        task: usize,
        reason: Option<String>,
        at: Timestamp,
    ) {
        let Some(id) = self.logical_id(number, task) else {
            return;
        };
        let stack = self.stack(number);
        let missing = || {
            stack
                .resources
                .get(&id)
                .and_then(|it| service_resources::missing(self.cloud, stack, it))
        };
        match reason.or_else(missing) {
            None => {
                let completed = "Resource import completed.";
                self.set_resource_status(
                    number,
                    &id,
                    ResourceStatus::ImportComplete,
                    Some(completed.into()),
                    at,
                );
                self.complete_task(number, task, at);
            }
            Some(reason) => {
                self.set_resource_status(
                    number,
                    &id,
                    ResourceStatus::ImportFailed,
                    Some(StatusReason::Owned(reason)),
                    at,
                );
                self.fail_task(number, task, at);
            }
        }
    }

    /// Completes an import. Either all resources are imported, or none is.
    pub(crate) fn complete_import(
        &mut self,
        number: StackNumber,
        operation: StackOperation,
        at: Timestamp,
    ) {
        let reason = operation
            .reason
            .or_else(|| failure_reason("import", &operation.failed));
        let reason = reason.map_or_else(|| self.set_outputs(number), Err);
        let Some(before) = operation.before else {
            return self.report_defect(format!("{} isn't being updated", self.stack(number).id));
        };
        match reason {
            Ok(()) => self.set_status(number, StackStatus::ImportComplete, None, at),
            Err(reason) => {
                self.set_status(
                    number,
                    StackStatus::ImportRollbackInProgress,
                    Some(reason),
                    at,
                );
                let stack = self.state.stack_mut(number);
                stack.resources = before.resources;
                stack.revision = before.revision;
                stack.settings = before.settings;
                stack.outputs = before.outputs;
                let at = self.after(at, IMPORT_DURATION);
                self.set_status(number, StackStatus::ImportRollbackComplete, None, at);
            }
        }
    }
}
