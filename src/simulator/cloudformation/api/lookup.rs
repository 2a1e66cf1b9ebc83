//! Finds the stacks and change sets that calls name.

use crate::simulator::cloudformation::engine::Engine;
use crate::simulator::cloudformation::error::invalid;
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::cloudformation::state::settings::StackNumber;
use crate::simulator::error::ServiceError;

/// Returns a stack that the caller can see already.
pub(crate) fn visible_stack(
    engine: &Engine,
    request: &QueryRequest,
    name: &str,
) -> Result<StackNumber, ServiceError> {
    let missing = || invalid(format!("Stack with id {name} does not exist"));
    let number = engine
        .state
        .find(request.caller, name)
        .ok_or_else(missing)?;
    if is_hidden(engine, number) {
        Err(missing())
    } else {
        Ok(number)
    }
}

/// Returns whether the scenario still hides a stack.
pub(crate) fn is_hidden(engine: &Engine, number: StackNumber) -> bool {
    engine
        .state
        .stack(number)
        .hidden_until
        .is_some_and(|until| engine.now < until)
}

/// Returns the stack and the ARN of the change set that a call names, by its ARN or by its name and
/// its stack's name. Change sets of deleted stacks are found by their ARNs.
///
/// # Errors
/// Fails if there is no such change set.
pub(super) fn find_change_set(
    engine: &Engine,
    request: &QueryRequest,
) -> Result<(StackNumber, String), ServiceError> {
    let asked = request.required("ChangeSetName")?;
    let missing = || {
        ServiceError::new(
            404,
            "ChangeSetNotFound",
            format!("ChangeSet [{asked}] does not exist"),
        )
    };
    if asked.starts_with("arn:") {
        let mut stacks = engine.state.stacks_of(request.caller);
        let found = stacks.find(|(_, stack)| stack.change_sets.contains_key(asked));
        return found
            .map(|(number, _)| (number, asked.to_owned()))
            .ok_or_else(missing);
    }
    let none =
        || invalid("StackName must be specified if ChangeSetName is not specified as an ARN.");
    let stack_name = request
        .text("StackName")
        .filter(|name| !name.is_empty())
        .ok_or_else(none)?;
    let no_stack = || invalid(format!("Stack [{stack_name}] does not exist"));
    let number = engine
        .state
        .find(request.caller, stack_name)
        .ok_or_else(no_stack)?;
    let stack = engine.state.stack(number);
    let executed = || stack.change_sets.values().rev().find(|it| it.name == asked);
    let found = stack.change_set_named(asked).or_else(executed);
    found.map(|it| (number, it.id.clone())).ok_or_else(missing)
}
