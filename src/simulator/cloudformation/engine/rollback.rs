//! Callers send a stack back to what it was: an update is cancelled, a rollback is continued, a failed stack is rolled
//! back.

use super::super::request::Request;
use super::super::stack::StackNumber;
use super::super::{Answer, invalid};
use super::calls::stack_and_operation;
use super::{Engine, Operation, Phase, deletions};

impl Engine<'_> {
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html>
    pub fn cancel_update_stack(&mut self, request: &Request) -> Answer {
        let number = self.named_stack(request)?;
        if self.stack(number).status != "UPDATE_IN_PROGRESS" {
            return Err(invalid("CancelUpdateStack cannot be called from current stack status"));
        }
        self.state.stack_mut(number).token = request.token("CancelUpdateStack");
        if let Some(operation) = self.operation_mut(number) {
            operation.reason = Some("User Initiated".to_owned());
        }
        self.cancel(number, self.now);
        Ok(String::new())
    }

    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html>
    pub fn continue_update_rollback(&mut self, request: &Request) -> Answer {
        let number = self.named_stack(request)?;
        let stack = self.stack(number);
        if stack.status != "UPDATE_ROLLBACK_FAILED" {
            return Err(invalid(format!(
                "Stack:{} is in {} state and can not continue rolling back.",
                stack.id, stack.status
            )));
        }
        let skipped: Vec<String> = request.list("ResourcesToSkip").into_iter().map(str::to_owned).collect();
        if let Some(unknown) = skipped.iter().find(|id| !stack.resources.contains_key(*id)) {
            return Err(invalid(format!("Resource {unknown} does not exist for stack {}", stack.name)));
        }
        let token = request.token("ContinueUpdateRollback");
        let stack = self.state.stack_mut(number);
        stack.token = token;
        let Some(mut before) = stack.unsettled.take() else { return Ok(String::new()) };
        for id in skipped {
            // CloudFormation takes it for what it was.
            before.resources.shift_remove(&id);
            stack.resource_becomes(&id, "UPDATE_COMPLETE", None, self.now);
        }
        self.roll_back_update(number, *before, "User Initiated".to_owned(), self.now);
        Ok(String::new())
    }

    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html>
    pub fn rollback_stack(&mut self, request: &Request) -> Answer {
        let number = self.named_stack(request)?;
        let stack = self.state.stack_mut(number);
        let before = stack.unsettled.take();
        let token = request.token("RollbackStack");
        match (stack.status, before) {
            ("CREATE_FAILED", _) => {
                stack.token = token;
                self.becomes(number, "ROLLBACK_IN_PROGRESS", Some("User Initiated".to_owned()), self.now);
                let operation = Operation::new(Phase::Rollback, deletions(self.stack(number)));
                self.operate(number, operation, self.now);
            }
            ("UPDATE_FAILED", Some(before)) => {
                stack.token = token;
                self.roll_back_update(number, *before, "User Initiated".to_owned(), self.now);
            }
            (status, before) => {
                stack.unsettled = before;
                let message = format!("Stack:{} is in {status} state and can not be rolled back.", stack.id);
                return Err(invalid(message));
            }
        }
        Ok(stack_and_operation(self.stack(number)))
    }

    fn named_stack(&self, request: &Request) -> Result<StackNumber, super::super::ServiceError> {
        let name = request.required("StackName")?;
        let missing = || invalid(format!("Stack [{name}] does not exist"));
        self.state.find(request.caller, name).filter(|it| !self.stack(*it).is_deleted()).ok_or_else(missing)
    }
}
