//! Events by the operations that they belong to.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::super::change_set::{self, ChangeSet};
use super::super::engine::Engine;
use super::super::request::Request;
use super::super::stack::{Event, OperationKind, STACK, Stack};
use super::super::{Answer, ServiceError, invalid};
use super::{event_members, is_hidden, listed, moment, page};
use crate::simulator::xml::Xml;
use crate::status::{ChangeSetStatus, ResourceStatus};

/// One of them.
enum OperationEvent<'e> {
    OfStack {
        stack: &'e Stack,
        event: &'e Event,
        ends: Option<Timestamp>,
    },
    /// A change set was worked out.
    OfChangeSet {
        stack: &'e Stack,
        change_set: &'e ChangeSet,
    },
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html>
pub fn describe_events(engine: &Engine, request: &Request) -> Answer {
    let only_failed = request.flag("Filters.FailedEvents");
    let mut events = match (
        request.text("ChangeSetName"),
        request.text("OperationId"),
        request.text("StackName"),
    ) {
        (Some(_), ..) => {
            let (number, id) = change_set::find(engine, request)?;
            let stack = engine.state.stack(number);
            vec![OperationEvent::OfChangeSet {
                stack,
                change_set: &stack.change_sets[&id],
            }]
        }
        (None, Some(operation), _) => of_operation(engine, request, operation)?,
        (None, None, Some(name)) => {
            let missing = || invalid(format!("Stack [{name}] does not exist"));
            let number = engine
                .state
                .find(request.caller, name)
                .filter(|it| !is_hidden(engine, *it))
                .ok_or_else(missing)?;
            of_stack(engine.state.stack(number))
        }
        (None, None, None) => {
            return Err(invalid(
                "One of ChangeSetName, OperationId or StackName must be specified as input.",
            ));
        }
    };
    events.retain(|event| !only_failed || event.is_failure(engine.now));
    Ok(listed(
        "OperationEvents",
        page(request, &events, |xml, event| event.show(xml, engine.now))?,
    ))
}

fn of_operation<'e>(
    engine: &'e Engine,
    request: &Request,
    operation: &str,
) -> Result<Vec<OperationEvent<'e>>, ServiceError> {
    let missing = || invalid(format!("Operation [{operation}] does not exist"));
    let id: Uuid = operation.parse().map_err(|_| missing())?;
    for (_, stack) in engine.state.of(request.caller) {
        if let Some(change_set) = stack.change_sets.values().find(|it| it.operation == id) {
            return Ok(vec![OperationEvent::OfChangeSet { stack, change_set }]);
        }
        if stack.operations.iter().any(|it| it.id == id) {
            let events = of_stack(stack).into_iter();
            return Ok(events
                .filter(|it| matches!(it, OperationEvent::OfStack { event, .. } if event.operation == id))
                .collect());
        }
    }
    Err(missing())
}

/// Newest first, with those of its change sets.
fn of_stack(stack: &Stack) -> Vec<OperationEvent<'_>> {
    let mut ends: HashMap<Uuid, Timestamp> = HashMap::new();
    for event in stack
        .events
        .iter()
        .filter(|it| is_of_stack(it) && is_end(&it.status))
    {
        ends.insert(event.operation, event.at);
    }
    let of_stack = stack
        .events
        .iter()
        .rev()
        .map(|event| OperationEvent::OfStack {
            stack,
            event,
            ends: ends.get(&event.operation).copied(),
        });
    let of_sets = stack
        .change_sets
        .values()
        .rev()
        .map(|change_set| OperationEvent::OfChangeSet { stack, change_set });
    let mut all: Vec<_> = of_stack.chain(of_sets).collect();
    all.sort_by_key(|event| std::cmp::Reverse(event.at()));
    all
}

fn is_of_stack(event: &Event) -> bool {
    &*event.kind == STACK && event.is_of_stack_itself()
}

fn is_end(status: &ResourceStatus) -> bool {
    status.is_terminal()
}

impl OperationEvent<'_> {
    fn at(&self) -> Timestamp {
        match self {
            Self::OfStack { event, .. } => event.at,
            Self::OfChangeSet { change_set, .. } => change_set.created,
        }
    }

    fn is_failure(&self, now: Timestamp) -> bool {
        match self {
            Self::OfStack { event, .. } => event.status.is_failed(),
            Self::OfChangeSet { change_set, .. } => {
                change_set.status(now).0 == ChangeSetStatus::Failed
            }
        }
    }

    fn show(&self, xml: &mut Xml, now: Timestamp) {
        match self {
            Self::OfStack { stack, event, ends } => event_of(xml, stack, event, *ends),
            Self::OfChangeSet { stack, change_set } => change_set_of(xml, stack, change_set, now),
        }
    }
}

fn event_of(xml: &mut Xml, stack: &Stack, event: &Event, ends: Option<Timestamp>) {
    let operation = stack.operations.iter().find(|it| it.id == event.operation);
    let kind = operation.map_or(OperationKind::CreateStack, |it| it.kind);
    xml.text("OperationType", kind.name());
    if is_of_stack(event) {
        let status = match &event.status {
            status if !is_end(status) => "IN_PROGRESS",
            status if status.is_failed() => "FAILED",
            _ => "SUCCEEDED",
        };
        xml.text("OperationStatus", status)
            .text("EventType", "STACK_EVENT");
        xml.optional("StartTime", operation.map(|it| moment(it.begun)));
        xml.optional(
            "EndTime",
            ends.filter(|_| is_end(&event.status)).map(moment),
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
    event_members(xml, stack, event);
}

fn change_set_of(xml: &mut Xml, stack: &Stack, change_set: &ChangeSet, now: Timestamp) {
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
            moment(if is_ready {
                change_set.ready
            } else {
                change_set.created
            }),
        )
        .text("StartTime", moment(change_set.created))
        .optional("EndTime", is_ready.then(|| moment(change_set.ready)));
}
