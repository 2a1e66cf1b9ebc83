//! Events by the operations that they belong to.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::elements::write_event;
use super::lookup::{find_change_set, is_hidden};
use super::pages::{list_result, page};
use crate::simulator::cloudformation::engine::Engine;
use crate::simulator::cloudformation::error::{XmlResult, invalid};
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::cloudformation::state::change_set::ChangeSetRecord;
use crate::simulator::cloudformation::state::check::{CheckKind, CheckRecord};
use crate::simulator::cloudformation::state::operation::OperationKind;
use crate::simulator::cloudformation::state::resource_record::{
    EventRecord, STACK, format_timestamp,
};
use crate::simulator::cloudformation::state::stack::StackRecord;
use crate::simulator::error::ServiceError;
use crate::simulator::xml::XmlWriter;
use crate::status::{ChangeSetStatus, ResourceStatus};

/// An event that DescribeEvents lists.
enum OperationEvent<'e> {
    Stack {
        stack: &'e StackRecord,
        event: &'e EventRecord,
        ends: Option<Timestamp>,
    },
    /// A check of a resource has failed.
    Check {
        stack: &'e StackRecord,
        check: &'e CheckRecord,
    },
    /// A change set was created.
    ChangeSet {
        stack: &'e StackRecord,
        change_set: &'e ChangeSetRecord,
    },
}

/// Carries out `DescribeEvents`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html>
pub(super) fn describe_events(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let only_failed = request.flag("Filters.FailedEvents");
    let mut events = match (
        request.text("ChangeSetName"),
        request.text("OperationId"),
        request.text("StackName"),
    ) {
        (Some(_), ..) => {
            let (number, id) = find_change_set(engine, request)?;
            let stack = engine.state.stack(number);
            vec![OperationEvent::ChangeSet {
                stack,
                change_set: &stack.change_sets[&id],
            }]
        }
        (None, Some(operation), _) => operation_events(engine, request, operation)?,
        (None, None, Some(name)) => {
            let missing = || invalid(format!("Stack [{name}] does not exist"));
            let number = engine
                .state
                .find(request.caller, name)
                .filter(|it| !is_hidden(engine, *it))
                .ok_or_else(missing)?;
            stack_events(engine.state.stack(number))
        }
        (None, None, None) => {
            return Err(invalid(
                "One of ChangeSetName, OperationId or StackName must be specified as input.",
            ));
        }
    };
    events.retain(|event| !only_failed || event.is_failure(engine.now));
    Ok(list_result(
        "OperationEvents",
        page(request, &events, |xml, event| event.write(xml, engine.now))?,
    ))
}

fn operation_events<'e>(
    engine: &'e Engine,
    request: &QueryRequest,
    operation: &str,
) -> Result<Vec<OperationEvent<'e>>, ServiceError> {
    let missing = || invalid(format!("Operation [{operation}] does not exist"));
    let id: Uuid = operation.parse().map_err(|_| missing())?;
    for (_, stack) in engine.state.stacks_of(request.caller) {
        if let Some(change_set) = stack.change_sets.values().find(|it| it.operation == id) {
            return Ok(vec![OperationEvent::ChangeSet { stack, change_set }]);
        }
        if stack.operations.iter().any(|it| it.id == id) {
            let mut events = stack_events(stack);
            events.retain(|it| it.is_of(id));
            return Ok(events);
        }
    }
    Err(missing())
}

/// Returns the events of a stack and of its change sets, the newest first.
fn stack_events(stack: &StackRecord) -> Vec<OperationEvent<'_>> {
    let mut ends: HashMap<Uuid, Timestamp> = HashMap::new();
    for event in stack
        .events
        .iter()
        .filter(|it| is_of_stack(it) && is_terminal(&it.status))
    {
        ends.insert(event.operation, event.at);
    }
    let stack_events = stack
        .events
        .iter()
        .rev()
        .map(|event| OperationEvent::Stack {
            stack,
            event,
            ends: ends.get(&event.operation).copied(),
        });
    let change_set_events = stack
        .change_sets
        .values()
        .rev()
        .map(|change_set| OperationEvent::ChangeSet { stack, change_set });
    let checks = stack
        .checks
        .iter()
        .rev()
        .map(|check| OperationEvent::Check { stack, check });
    let mut all: Vec<_> = stack_events
        .chain(checks)
        .chain(change_set_events)
        .collect();
    all.sort_by_key(|event| std::cmp::Reverse(event.at()));
    all
}

fn is_of_stack(event: &EventRecord) -> bool {
    &*event.kind == STACK && event.is_of_stack_itself()
}

fn is_terminal(status: &ResourceStatus) -> bool {
    status.is_terminal()
}

impl OperationEvent<'_> {
    /// Returns whether the event belongs to an operation on the stack itself.
    fn is_of(&self, operation: Uuid) -> bool {
        match self {
            Self::Stack { event, .. } => event.operation == operation,
            Self::Check { check, .. } => check.operation == operation,
            Self::ChangeSet { .. } => false,
        }
    }

    fn at(&self) -> Timestamp {
        match self {
            Self::Check { check, .. } => check.at,
            Self::Stack { event, .. } => event.at,
            Self::ChangeSet { change_set, .. } => change_set.created,
        }
    }

    fn is_failure(&self, now: Timestamp) -> bool {
        match self {
            Self::Stack { event, .. } => event.status.is_failed(),
            Self::Check { .. } => true,
            Self::ChangeSet { change_set, .. } => {
                change_set.status(now).0 == ChangeSetStatus::Failed
            }
        }
    }

    fn write(&self, xml: &mut XmlWriter, now: Timestamp) {
        match self {
            Self::Stack { stack, event, ends } => {
                write_event_of_operation(xml, stack, event, *ends)
            }
            Self::Check { stack, check } => write_check(xml, stack, check),
            Self::ChangeSet { stack, change_set } => {
                write_change_set_event(xml, stack, change_set, now)
            }
        }
    }
}

fn write_event_of_operation(
    xml: &mut XmlWriter,
    stack: &StackRecord,
    event: &EventRecord,
    ends: Option<Timestamp>,
) {
    let operation = stack.operations.iter().find(|it| it.id == event.operation);
    let kind = operation.map_or(OperationKind::CreateStack, |it| it.kind);
    xml.text("OperationType", kind.name());
    if is_of_stack(event) {
        let status = match &event.status {
            status if !is_terminal(status) => "IN_PROGRESS",
            status if status.is_failed() => "FAILED",
            _ => "SUCCEEDED",
        };
        xml.text("OperationStatus", status)
            .text("EventType", "STACK_EVENT");
        xml.optional(
            "StartTime",
            operation.map(|it| format_timestamp(it.started)),
        );
        xml.optional(
            "EndTime",
            ends.filter(|_| is_terminal(&event.status))
                .map(format_timestamp),
        );
    } else {
        let is_error = event.status.is_failed();
        xml.text(
            "EventType",
            if is_error {
                "PROVISIONING_ERROR"
            } else {
                "PROGRESS_EVENT"
            },
        );
    }
    write_event(xml, stack, event);
}

fn write_check(xml: &mut XmlWriter, stack: &StackRecord, check: &CheckRecord) {
    let operation = stack.operations.iter().find(|it| it.id == check.operation);
    let kind = operation.map_or(OperationKind::CreateStack, |it| it.kind);
    xml.text("EventId", check.id)
        .text("StackId", &stack.id)
        .text("OperationId", check.operation)
        .text("OperationType", kind.name())
        .text("LogicalResourceId", &check.logical_id)
        .text("ResourceType", &check.kind)
        .text("Timestamp", format_timestamp(check.at));
    match &check.check {
        CheckKind::Validation { name, property } => {
            let resource = format!("/Resources/{}", check.logical_id);
            let path = match property {
                Some(property) => format!("{resource}/Properties/{property}"),
                None => resource,
            };
            xml.text("EventType", "VALIDATION_ERROR")
                .text("ValidationFailureMode", "FAIL")
                .text("ValidationName", name)
                .text("ValidationStatus", "FAILED")
                .text("ValidationStatusReason", &check.reason)
                .text("ValidationPath", path);
        }
        CheckKind::Hook { name } => {
            xml.text("EventType", "HOOK_INVOCATION_ERROR")
                .text("HookType", name)
                .text("HookStatus", "HOOK_COMPLETE_FAILED")
                .text("HookStatusReason", &check.reason)
                .text("HookInvocationPoint", "PRE_PROVISION")
                .text("HookFailureMode", "FAIL");
        }
    }
}

fn write_change_set_event(
    xml: &mut XmlWriter,
    stack: &StackRecord,
    change_set: &ChangeSetRecord,
    now: Timestamp,
) {
    let status = match change_set.status(now).0 {
        ChangeSetStatus::CreateInProgress => "IN_PROGRESS",
        ChangeSetStatus::Failed => "FAILED",
        _ => "SUCCEEDED",
    };
    let is_ready = status != "IN_PROGRESS";
    xml.text("EventId", change_set.operation)
        .text("StackId", &stack.id)
        .text("OperationId", change_set.operation)
        .text("OperationType", "CREATE_CHANGESET")
        .text("OperationStatus", status)
        .text("EventType", "STACK_EVENT")
        .text("LogicalResourceId", &stack.name)
        .text("PhysicalResourceId", &stack.id)
        .text("ResourceType", STACK)
        .text(
            "Timestamp",
            format_timestamp(if is_ready {
                change_set.ready
            } else {
                change_set.created
            }),
        )
        .text("StartTime", format_timestamp(change_set.created))
        .optional(
            "EndTime",
            is_ready.then(|| format_timestamp(change_set.ready)),
        );
}
