//! Actions that roll a stack back: CancelUpdateStack, ContinueUpdateRollback, RollbackStack.

use super::stacks::stack_and_operation;
use crate::simulator::cloudformation::engine::{BY_USER, Engine, deletion_tasks};
use crate::simulator::cloudformation::error::{XmlResult, internal, invalid};
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::cloudformation::state::operation::{OperationPhase, StackOperation};
use crate::simulator::cloudformation::state::settings::StackNumber;
use crate::simulator::error::ServiceError;
use crate::status::{ResourceStatus, StackStatus};

impl Engine<'_> {
    /// Carries out `CancelUpdateStack`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html>
    pub(crate) fn cancel_update_stack(&mut self, request: &QueryRequest) -> XmlResult {
        let number = self.named_stack(request)?;
        if self.stack(number).status != StackStatus::UpdateInProgress {
            return Err(invalid(
                "CancelUpdateStack cannot be called from current stack status",
            ));
        }
        self.state.stack_mut(number).token = request.token("CancelUpdateStack");
        if let Some(operation) = self.operation_mut(number) {
            operation.reason = Some(BY_USER.to_owned());
        }
        self.cancel(number, self.now);
        Ok(String::new())
    }

    /// Carries out `ContinueUpdateRollback`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html>
    pub(crate) fn continue_update_rollback(&mut self, request: &QueryRequest) -> XmlResult {
        let number = self.named_stack(request)?;
        let stack = self.stack(number);
        if stack.status != StackStatus::UpdateRollbackFailed {
            return Err(invalid(format!(
                "Stack:{} is in {} state and can not continue rolling back.",
                stack.id, stack.status
            )));
        }
        if stack.nested_in.is_some() {
            return Err(invalid(format!(
                "RollbackUpdatedStack is not supported for nested stack {}; continue the rollback \
                 of its root stack",
                stack.id
            )));
        }
        let skipped = request.list("ResourcesToSkip");
        let skipped = skipped
            .into_iter()
            .map(|it| self.skipped_resource(number, it))
            .collect::<Result<Vec<_>, _>>()?;
        let token = request.token("ContinueUpdateRollback");
        self.state.stack_mut(number).token = token;
        let (own, nested): (Vec<_>, Vec<_>) =
            skipped.into_iter().partition(|(owner, _)| *owner == number);
        for (owner, id) in nested {
            self.state.stack_mut(owner).skipped_resources.insert(id);
        }
        let stack = self.state.stack_mut(number);
        stack
            .skipped_resources
            .extend(own.into_iter().map(|(_, id)| id));
        let Some(before) = stack.rollback_target.take() else {
            debug_assert!(false, "{} has nothing to roll back to", stack.id);
            return Err(internal(&format!(
                "{} has nothing to roll back to",
                stack.id
            )));
        };
        self.roll_back_update(number, *before, Some(BY_USER.to_owned()), self.now);
        Ok(String::new())
    }

    /// Returns the stack and the logical ID of a member of `ResourcesToSkip`, which has the form
    /// `NestedStackName.LogicalID` for resources of nested stacks.
    ///
    /// # Errors
    /// Fails if there is no such resource, or if it isn't in status UPDATE_FAILED.
    fn skipped_resource(
        &self,
        number: StackNumber,
        named: &str,
    ) -> Result<(StackNumber, String), ServiceError> {
        let (owner, id) = match named.split_once('.') {
            Some((name, id)) => {
                let nested = self.state.find(&self.stack(number).owner, name);
                let is_of_root = |it: &StackNumber| {
                    self.stack(*it)
                        .nested_in
                        .as_ref()
                        .is_some_and(|it| it.root == number)
                };
                (nested.filter(is_of_root), id)
            }
            None => (Some(number), named),
        };
        let found = owner.and_then(|owner| Some((owner, self.stack(owner).resources.get(id)?)));
        let Some((owner, resource)) = found else {
            return Err(invalid(format!(
                "Resource {named} does not exist for stack {}",
                self.stack(number).name
            )));
        };
        if !resource.has_status(&ResourceStatus::UpdateFailed) {
            let status = resource.status.as_ref().map_or("", ResourceStatus::as_str);
            return Err(invalid(format!(
                "Resource {named} is in {status} state and cannot be skipped; only resources in \
                 UPDATE_FAILED state can be"
            )));
        }
        Ok((owner, id.to_owned()))
    }

    /// Carries out `RollbackStack`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html>
    pub(crate) fn rollback_stack(&mut self, request: &QueryRequest) -> XmlResult {
        let number = self.named_stack(request)?;
        let stack = self.state.stack_mut(number);
        let before = stack.rollback_target.take();
        let token = request.token("RollbackStack");
        match (stack.status.clone(), before) {
            (StackStatus::CreateFailed, _) => {
                stack.token = token;
                self.set_status(
                    number,
                    StackStatus::RollbackInProgress,
                    Some(BY_USER.to_owned()),
                    self.now,
                );
                let operation = StackOperation::new(
                    OperationPhase::Rollback,
                    deletion_tasks(self.stack(number)),
                );
                self.start_operation(number, operation, self.now);
            }
            (StackStatus::UpdateFailed, Some(before)) => {
                stack.token = token;
                self.roll_back_update(number, *before, Some(BY_USER.to_owned()), self.now);
            }
            (status, before) => {
                stack.rollback_target = before;
                let message = format!(
                    "Stack:{} is in {status} state and can not be rolled back.",
                    stack.id
                );
                return Err(invalid(message));
            }
        }
        Ok(stack_and_operation(self.stack(number)))
    }

    fn named_stack(&self, request: &QueryRequest) -> Result<StackNumber, ServiceError> {
        let name = request.required("StackName")?;
        let missing = || invalid(format!("Stack [{name}] does not exist"));
        self.state
            .find(request.caller, name)
            .filter(|it| !self.stack(*it).is_deleted())
            .ok_or_else(missing)
    }
}
