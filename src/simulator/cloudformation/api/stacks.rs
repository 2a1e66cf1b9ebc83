//! Actions on stacks: they are created, updated and deleted.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::simulator::Caller;
use crate::simulator::cloudformation::engine::{BY_USER, Engine, new_id};
use crate::simulator::cloudformation::error::{XmlResult, error, invalid};
use crate::simulator::cloudformation::evaluation::revision::{
    EvaluatedRevision, RevisionTarget, evaluate_revision,
};
use crate::simulator::cloudformation::request::{QueryRequest, parameter_values};
use crate::simulator::cloudformation::state::parsed_template::ParsedTemplate;
use crate::simulator::cloudformation::state::settings::{StackNumber, StackSettings};
use crate::simulator::cloudformation::state::stack::StackRecord;
use crate::simulator::error::ServiceError;
use crate::simulator::xml::XmlWriter;
use crate::status::StackStatus;

/// Statuses in which a stack can be updated.
const UPDATABLE: [StackStatus; 7] = [
    StackStatus::CreateComplete,
    StackStatus::UpdateComplete,
    StackStatus::UpdateRollbackComplete,
    StackStatus::UpdateFailed,
    StackStatus::CreateFailed,
    StackStatus::ImportComplete,
    StackStatus::ImportRollbackComplete,
];

/// A template, the values of its parameters, and the settings that a call sends for a stack.
pub(super) type RequestedStack = (Arc<ParsedTemplate>, IndexMap<String, String>, StackSettings);

impl Engine<'_> {
    /// Carries out `CreateStack`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>
    pub(crate) fn create_stack(&mut self, request: &QueryRequest) -> XmlResult {
        let name = request.required("StackName")?;
        let token = request.token("CreateStack");
        let number = self.state.find(request.caller, name);
        let in_review =
            number.filter(|number| self.stack(*number).status == StackStatus::ReviewInProgress);
        if let Some(there) = number
            .filter(|_| in_review.is_none())
            .map(|number| self.stack(number))
        {
            return if token.is_some() && there.token == token {
                Ok(stack_and_operation(there))
            } else {
                Err(error(
                    "AlreadyExistsException",
                    format!("Stack [{name}] already exists"),
                ))
            };
        }
        let id = in_review.map_or_else(
            || new_id(request.caller, name),
            |number| self.stack(number).id.to_string(),
        );
        let policy = request.stack_policy(self.cloud, "StackPolicy")?;
        let (source, parameter_values, settings) = self.creation_request(request)?;
        let acknowledged = settings.clone();
        let evaluated = self.evaluate_for(
            request.caller,
            (name, &id, None),
            &source,
            parameter_values,
            &acknowledged,
        )?;
        request.check_resource_types(evaluated.resource_types())?;
        let number = match in_review {
            Some(number) => {
                let stack = self.state.stack_mut(number);
                stack.mark_change_sets_obsolete();
                stack.settings = settings;
                number
            }
            None => self.add_stack(request.caller, name, &id, settings, None, self.now),
        };
        let stack = self.state.stack_mut(number);
        stack.policy = policy;
        stack.token = token;
        self.begin_creation(number, evaluated.accept(), self.now);
        Ok(stack_and_operation(self.stack(number)))
    }

    /// Carries out `UpdateStack`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html>
    pub(crate) fn update_stack(&mut self, request: &QueryRequest) -> XmlResult {
        let name = request.required("StackName")?;
        let missing = || invalid(format!("Stack [{name}] does not exist"));
        let number = self.state.find(request.caller, name).ok_or_else(missing)?;
        let token = request.token("UpdateStack");
        let stack = self.stack(number);
        if token.is_some() && stack.token == token {
            return Ok(stack_and_operation(stack));
        }
        self.check_updatable(number)?;
        let policy = request.stack_policy(self.cloud, "StackPolicy")?;
        let policy_during_update = request.stack_policy(self.cloud, "StackPolicyDuringUpdate")?;
        let (source, parameter_values, settings) = self.update_request(number, request)?;
        let stack = self.stack(number);
        let name = stack.name.clone();
        let id = stack.id.clone();
        let acknowledged = StackSettings {
            capabilities: request
                .list("Capabilities")
                .into_iter()
                .map(str::to_owned)
                .collect(),
            ..settings.clone()
        };
        let evaluated = self.evaluate_for(
            request.caller,
            (&name, &id, Some(number)),
            &source,
            parameter_values,
            &acknowledged,
        )?;
        request.check_resource_types(evaluated.resource_types())?;
        // A transform may return something else each time.
        let is_transformed = source.template.root.get("Transform").is_some();
        let is_tagged = settings.tags != self.stack(number).settings.tags;
        if !is_transformed && !is_tagged && !self.would_change(number, &evaluated) {
            return Err(invalid("No updates are to be performed."));
        }
        let stack = self.state.stack_mut(number);
        stack.mark_change_sets_obsolete();
        stack.change_set_id = None;
        stack.policy_during_update = policy_during_update.or_else(|| stack.policy.clone());
        stack.policy = policy.or_else(|| stack.policy.take());
        stack.token = token;
        self.begin_update(number, evaluated.accept(), Some(settings), self.now);
        Ok(stack_and_operation(self.stack(number)))
    }

    /// Carries out `DeleteStack`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html>
    pub(crate) fn delete_stack(&mut self, request: &QueryRequest) -> XmlResult {
        let name = request.required("StackName")?;
        let is_forced = request.text("DeletionMode") == Some("FORCE_DELETE_STACK");
        let Some(number) = self.state.find(request.caller, name) else {
            return Ok(String::new());
        };
        let stack = self.stack(number);
        if stack.is_deleted() || stack.status == StackStatus::DeleteInProgress {
            return Ok(String::new());
        }
        if stack.settings.is_protected {
            let message = format!(
                "Stack [{}] cannot be deleted while TerminationProtection is enabled",
                stack.name
            );
            return Err(invalid(message));
        }
        if stack.is_busy() && stack.status != StackStatus::CreateInProgress {
            let id = &stack.id;
            let status = &stack.status;
            return Err(invalid(format!(
                "Stack {id} cannot be deleted while in status {status}"
            )));
        }
        let retain: Vec<String> = request
            .list("RetainResources")
            .into_iter()
            .map(str::to_owned)
            .collect();
        if stack.status != StackStatus::DeleteFailed && (!retain.is_empty() || is_forced) {
            let what = if is_forced {
                "DeletionMode FORCE_DELETE_STACK"
            } else {
                "RetainResources"
            };
            let message = format!(
                "Invalid operation on stack [{}]. {what} can only be used when the stack is in the \
                 DELETE_FAILED state.",
                stack.id
            );
            return Err(invalid(message));
        }
        if let Some(unknown) = retain.iter().find(|id| !stack.resources.contains_key(*id)) {
            return Err(invalid(format!(
                "Resource {unknown} does not exist for stack {}",
                stack.name
            )));
        }
        let token = request.token("DeleteStack");
        self.state.stack_mut(number).token = token;
        self.begin_deletion(
            number,
            Some(BY_USER),
            retain.into_iter(),
            is_forced,
            self.now,
        );
        Ok(String::new())
    }

    /// Carries out `UpdateTerminationProtection`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateTerminationProtection.html>
    pub(crate) fn update_termination_protection(&mut self, request: &QueryRequest) -> XmlResult {
        let number = self
            .state
            .find_required(request.caller, request.required("StackName")?)?;
        let stack = self.state.stack_mut(number);
        if stack.nested_in.is_some() {
            return Err(invalid(
                "TerminationProtection cannot be set on nested stacks.",
            ));
        }
        stack.settings.is_protected = request.flag("EnableTerminationProtection");
        let mut xml = XmlWriter::new();
        xml.text("StackId", &stack.id);
        Ok(xml.finish())
    }

    /// Carries out `SetStackPolicy`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SetStackPolicy.html>
    pub(crate) fn set_stack_policy(&mut self, request: &QueryRequest) -> XmlResult {
        let name = request.required("StackName")?;
        let missing = || invalid(format!("Stack [{name}] does not exist"));
        let number = self
            .state
            .find(request.caller, name)
            .filter(|it| !self.stack(*it).is_deleted())
            .ok_or_else(missing)?;
        let policy = request.stack_policy(self.cloud, "StackPolicy")?;
        if let Some(policy) = policy {
            self.state.stack_mut(number).policy = Some(policy);
        }
        Ok(String::new())
    }

    /// Returns what a call sends for a stack that doesn't exist yet.
    pub(crate) fn creation_request(
        &mut self,
        request: &QueryRequest,
    ) -> Result<RequestedStack, ServiceError> {
        let settings = request.settings()?;
        let source = self
            .state
            .templates
            .read(&request.required_template(self.cloud)?)?;
        Ok((source, parameter_values(request, None)?, settings))
    }

    /// Returns what a call sends for an existing stack, completed by what the stack has.
    pub(crate) fn update_request(
        &mut self,
        number: StackNumber,
        request: &QueryRequest,
    ) -> Result<RequestedStack, ServiceError> {
        let text = request.template(self.cloud)?;
        let stack = self.state.stack(number);
        let source = match (text, &stack.revision) {
            (Some(text), _) => self.state.templates.read(&text)?,
            (None, Some(revision)) if request.flag("UsePreviousTemplate") => {
                revision.source.clone()
            }
            (None, _) => {
                return Err(invalid(
                    "Either Template URL or Template Body must be specified.",
                ));
            }
        };
        let stack = self.stack(number);
        let parameter_values = parameter_values(request, stack.revision.as_ref())?;
        let asked = request.settings()?;
        let has = |list: &str| {
            request
                .parameters
                .iter()
                .any(|(name, _)| name.starts_with(list))
        };
        let kept = &stack.settings;
        let settings = StackSettings {
            tags: if has("Tags.") {
                asked.tags
            } else {
                kept.tags.clone()
            },
            notification_arns: if has("NotificationARNs") {
                asked.notification_arns
            } else {
                kept.notification_arns.clone()
            },
            role_arn: asked.role_arn.or_else(|| kept.role_arn.clone()),
            retain_except_on_create: asked.retain_except_on_create,
            rollback: if has("RollbackConfiguration.") {
                asked.rollback
            } else {
                kept.rollback.clone()
            },
            capabilities: if has("Capabilities") {
                asked.capabilities
            } else {
                kept.capabilities.clone()
            },
            disable_rollback: request.flag("DisableRollback"),
            ..kept.clone()
        };
        Ok((source, parameter_values, settings))
    }

    /// Evaluates a template for a stack, which is given by name, ID and, if it exists, number.
    pub(crate) fn evaluate_for(
        &mut self,
        caller: &Caller,
        (name, id, number): (&str, &str, Option<StackNumber>),
        source: &Arc<ParsedTemplate>,
        parameter_values: IndexMap<String, String>,
        acknowledged: &StackSettings,
    ) -> Result<EvaluatedRevision, ServiceError> {
        let target = RevisionTarget {
            caller,
            name,
            id,
            notification_arns: &acknowledged.notification_arns,
            number,
        };
        let evaluated = evaluate_revision(
            self.cloud,
            self.state,
            target,
            source,
            parameter_values,
            &acknowledged.capabilities,
        )?;
        let Some(stack) = number.map(|number| self.stack(number)) else {
            return Ok(evaluated);
        };
        let other_kind = evaluated.stack.resources.iter().filter(|(id, wanted)| {
            stack
                .resources
                .get(*id)
                .is_some_and(|there| *there.kind != *wanted.kind)
        });
        let other_kind: Vec<&str> = other_kind.map(|(id, _)| id.as_str()).collect();
        if !other_kind.is_empty() {
            let message = format!(
                "Update of resource type is not permitted. The new template modifies resource type \
                 of the following \
                 resources: [{}]",
                other_kind.join(", ")
            );
            return Err(invalid(message));
        }
        Ok(evaluated)
    }

    /// Checks that a stack can be updated in its status.
    ///
    /// # Errors
    /// Fails in CloudFormation's words if it can't.
    pub(crate) fn check_updatable(&self, number: StackNumber) -> Result<(), ServiceError> {
        let stack = self.stack(number);
        if UPDATABLE.contains(&stack.status) {
            return Ok(());
        }
        Err(invalid(format!(
            "Stack:{} is in {} state and can not be updated.",
            stack.id, stack.status
        )))
    }
}

/// Returns the response of actions that begin an operation.
pub(crate) fn stack_and_operation(stack: &StackRecord) -> String {
    let mut xml = XmlWriter::new();
    xml.text("StackId", &stack.id)
        .text("OperationId", stack.operation_id());
    xml.finish()
}
