//! Stacks, their events and their resources.

use super::elements::{members, write_event, write_parameters, write_tags};
use super::lookup::{is_hidden, visible_stack};
use super::pages::{PAGE, list_result, page, page_start, page_token};
use crate::simulator::cloudformation::engine::Engine;
use crate::simulator::cloudformation::error::{XmlResult, invalid};
use crate::simulator::cloudformation::evaluation::revision;
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::cloudformation::state::operation::OperationKind;
use crate::simulator::cloudformation::state::resource_record::{
    EventRecord, ResourceRecord, format_timestamp,
};
use crate::simulator::cloudformation::state::settings::{RollbackConfiguration, StackNumber};
use crate::simulator::cloudformation::state::stack::{DriftDetection, StackRecord};
use crate::simulator::error::ServiceError;
use crate::simulator::xml::XmlWriter;
use crate::status::{ResourceStatus, StackStatus};

/// Carries out `DescribeStacks`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html>
pub(super) fn describe_stacks(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let stacks: Vec<(StackNumber, &StackRecord)> =
        match request.text("StackName").filter(|name| !name.is_empty()) {
            Some(name) => {
                let number = visible_stack(engine, request, name)?;
                vec![(number, engine.state.stack(number))]
            }
            None => {
                let all = engine.state.stacks_of(request.caller);
                all.filter(|(number, stack)| !stack.is_deleted() && !is_hidden(engine, *number))
                    .collect()
            }
        };
    Ok(list_result(
        "Stacks",
        newest_first(request, &stacks, |xml, stack| {
            write_stack(engine, xml, stack)
        })?,
    ))
}

/// Carries out `ListStacks`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStacks.html>
pub(super) fn list_stacks(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let wanted = request.list("StackStatusFilter");
    let fits = |stack: &StackRecord| wanted.is_empty() || wanted.contains(&stack.status.as_str());
    let all = engine.state.stacks_of(request.caller);
    let stacks: Vec<_> = all
        .filter(|(number, stack)| fits(stack) && !is_hidden(engine, *number))
        .collect();
    Ok(list_result(
        "StackSummaries",
        newest_first(request, &stacks, |xml, stack| {
            write_summary(engine, xml, stack)
        })?,
    ))
}

/// Returns a page of stacks, the newest first. The token names the last stack of the page.
fn newest_first(
    request: &QueryRequest,
    stacks: &[(StackNumber, &StackRecord)],
    show: impl Fn(&mut XmlWriter, &StackRecord),
) -> Result<(XmlWriter, Option<String>), ServiceError> {
    let below = page_start(request, usize::MAX)?.unwrap_or(usize::MAX);
    let mut left = stacks.iter().filter(|(number, _)| number.0 < below);
    let mut xml = XmlWriter::new();
    let mut last = below;
    for (number, stack) in left.by_ref().take(PAGE) {
        xml.element("member", |xml| show(xml, stack));
        last = number.0;
    }
    Ok((xml, left.next().map(|_| page_token(last))))
}

/// Writes what ListStacks shows of a stack.
fn write_summary(engine: &Engine, xml: &mut XmlWriter, stack: &StackRecord) {
    xml.text("StackId", &stack.id)
        .text("StackName", &stack.name)
        .optional("TemplateDescription", description(stack))
        .text("CreationTime", format_timestamp(stack.created))
        .optional("LastUpdatedTime", stack.updated.map(format_timestamp))
        .optional("DeletionTime", stack.deleted.map(format_timestamp))
        .text("StackStatus", stack.status.as_str())
        .optional("StackStatusReason", stack.reason.as_deref());
    write_relations(engine, xml, stack);
}

fn write_relations(engine: &Engine, xml: &mut XmlWriter, stack: &StackRecord) {
    if let Some(nested) = &stack.nested_in {
        xml.text("ParentId", &engine.state.stack(nested.parent).id)
            .text("RootId", &engine.state.stack(nested.root).id);
    }
    xml.element("DriftInformation", |xml| {
        xml.text(
            "StackDriftStatus",
            stack
                .drift
                .as_ref()
                .map_or("NOT_CHECKED", DriftDetection::status),
        )
        .optional(
            "LastCheckTimestamp",
            stack.drift.as_ref().map(|it| format_timestamp(it.at)),
        );
    });
    write_last_operations(xml, stack);
}

/// Writes the last operation, and the rollback that it led to. Creations of change sets don't
/// count.
fn write_last_operations(xml: &mut XmlWriter, stack: &StackRecord) {
    let done: Vec<_> = stack
        .operations
        .iter()
        .filter(|it| it.kind != OperationKind::CreateChangeSet)
        .collect();
    let is_rollback = |kind| {
        matches!(
            kind,
            OperationKind::Rollback | OperationKind::ContinueRollback
        )
    };
    let rollbacks = done
        .iter()
        .rev()
        .take_while(|it| is_rollback(it.kind))
        .count();
    let last = done.iter().rev().take(rollbacks + 1);
    if done.is_empty() {
        return;
    }
    xml.element("LastOperations", |xml| {
        for operation in last {
            xml.element("member", |xml| {
                xml.text("OperationType", operation.kind.name())
                    .text("OperationId", operation.id);
            });
        }
    });
}

/// Carries out `GetStackPolicy`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetStackPolicy.html>
pub(super) fn get_stack_policy(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let name = request.required("StackName")?;
    let missing = |_| invalid(format!("Stack [{name}] does not exist"));
    let stack = engine
        .state
        .stack(visible_stack(engine, request, name).map_err(missing)?);
    let policy = stack
        .policy_during_update
        .as_ref()
        .or(stack.policy.as_ref());
    let mut xml = XmlWriter::new();
    xml.optional("StackPolicyBody", policy.map(|it| it.text.clone()));
    Ok(xml.finish())
}

/// Returns the description in a stack's template.
pub(super) fn description(stack: &StackRecord) -> Option<&str> {
    let description = stack
        .revision
        .as_ref()?
        .source
        .template
        .root
        .get("Description")?;
    Some(&description.text)
}

fn write_stack(engine: &Engine, xml: &mut XmlWriter, stack: &StackRecord) {
    let settings = &stack.settings;
    let in_review = stack.status == StackStatus::ReviewInProgress;
    xml.text("StackId", &stack.id)
        .text("StackName", &stack.name)
        .optional("ChangeSetId", stack.change_set_id.as_deref())
        .optional("Description", description(stack));
    if let Some(revision) = &stack.revision {
        write_parameters(xml, revision);
    }
    xml.text("CreationTime", format_timestamp(stack.created))
        .optional("DeletionTime", stack.deleted.map(format_timestamp))
        .optional("LastUpdatedTime", stack.updated.map(format_timestamp));
    write_rollback_configuration(xml, &settings.rollback);
    xml.text("StackStatus", stack.status.as_str())
        .optional("StackStatusReason", stack.reason.as_deref())
        .text("DisableRollback", settings.disable_rollback);
    members(xml, "NotificationARNs", &settings.notification_arns);
    xml.optional("TimeoutInMinutes", settings.timeout_minutes);
    if !settings.capabilities.is_empty() {
        members(xml, "Capabilities", &settings.capabilities);
    }
    write_list_unless_empty(xml, "Outputs", &stack.outputs, |xml, output| {
        xml.text("OutputKey", &output.key)
            .text("OutputValue", &output.value)
            .optional("Description", output.description.as_deref())
            .optional("ExportName", output.export_name.as_deref());
    });
    xml.optional("RoleARN", settings.role_arn.as_deref());
    // Until the change set is executed, the tags belong to it alone.
    write_tags(xml, if in_review { &[] } else { &settings.tags });
    if !stack.is_deleted() {
        xml.text("EnableTerminationProtection", settings.is_protected);
    }
    write_relations(engine, xml, stack);
}

/// Writes a list, or nothing if it is empty.
fn write_list_unless_empty<T>(
    xml: &mut XmlWriter,
    name: &str,
    items: &[T],
    show: impl Fn(&mut XmlWriter, &T),
) {
    if !items.is_empty() {
        xml.element(name, |xml| {
            for item in items {
                xml.element("member", |xml| show(xml, item));
            }
        });
    }
}

/// Writes the rollback configuration, even if it is empty.
pub(super) fn write_rollback_configuration(xml: &mut XmlWriter, rollback: &RollbackConfiguration) {
    xml.element("RollbackConfiguration", |xml| {
        write_list_unless_empty(
            xml,
            "RollbackTriggers",
            &rollback.triggers,
            |xml, (arn, kind)| {
                xml.text("Arn", arn).text("Type", kind);
            },
        );
        xml.optional("MonitoringTimeInMinutes", rollback.monitoring_minutes);
    });
}

/// Carries out `DescribeStackEvents`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html>
pub(super) fn describe_stack_events(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let name = request.required("StackName")?;
    let missing = |_| invalid(format!("Stack [{name}] does not exist"));
    let stack = engine
        .state
        .stack(visible_stack(engine, request, name).map_err(missing)?);
    // The token counts from the oldest event, so that new events don't shift the pages.
    let end = page_start(request, stack.events.len())?.unwrap_or(stack.events.len());
    let start = end.saturating_sub(PAGE);
    let mut xml = XmlWriter::new();
    for event in stack.events[start..end].iter().rev() {
        xml.element("member", |xml| write_stack_event(xml, stack, event));
    }
    Ok(list_result(
        "StackEvents",
        (xml, (start > 0).then(|| page_token(start))),
    ))
}

fn write_stack_event(xml: &mut XmlWriter, stack: &StackRecord, event: &EventRecord) {
    xml.text("StackName", &stack.name);
    write_event(xml, stack, event);
}

/// Carries out `ListStackResources`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html>
pub(super) fn list_stack_resources(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let stack = engine.state.stack(visible_stack(
        engine,
        request,
        request.required("StackName")?,
    )?);
    let resources: Vec<_> = stack.resources.iter().collect();
    let page = page(request, &resources, |xml, (id, resource)| {
        write_resource(xml, id, resource, "LastUpdatedTimestamp");
    })?;
    Ok(list_result("StackResourceSummaries", page))
}

fn write_resource(xml: &mut XmlWriter, id: &str, resource: &ResourceRecord, when: &str) {
    xml.text("LogicalResourceId", id)
        .optional("PhysicalResourceId", resource.physical_id.as_deref())
        .text("ResourceType", &resource.kind)
        .text(when, format_timestamp(resource.changed))
        .text(
            "ResourceStatus",
            resource.status.as_ref().map_or("", ResourceStatus::as_str),
        )
        .optional("ResourceStatusReason", resource.reason.as_deref())
        .element("DriftInformation", |xml| {
            xml.text("StackResourceDriftStatus", "NOT_CHECKED");
        });
}

/// Carries out `DescribeStackResource`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResource.html>
pub(super) fn describe_stack_resource(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let name = request.required("StackName")?;
    let absent = |_| invalid(format!("Stack '{name}' does not exist"));
    let number = visible_stack(engine, request, name).map_err(absent)?;
    let stack = engine.state.stack(number);
    let id = request.required("LogicalResourceId")?;
    let missing = || invalid(format!("Resource {id} does not exist for stack {name}"));
    let resource = stack.resources.get(id).ok_or_else(missing)?;
    let mut xml = XmlWriter::new();
    xml.element("StackResourceDetail", |xml| {
        xml.text("StackName", &stack.name)
            .text("StackId", &stack.id);
        write_resource(xml, id, resource, "LastUpdatedTimestamp");
        xml.text("Metadata", metadata(engine, number, id));
    });
    Ok(xml.finish())
}

/// Returns a resource's `Metadata` as JSON; an empty object if the template has none.
fn metadata(engine: &Engine, number: StackNumber, id: &str) -> String {
    let resource = revision::evaluate_current(engine.cloud, engine.state, number, |evaluator| {
        evaluator.one_resource(id)
    });
    let resource = resource.and_then(Result::ok).flatten();
    let metadata = resource
        .as_ref()
        .and_then(|resource| resource.body.get("Metadata"));
    metadata.map_or_else(
        || "{}".to_owned(),
        |metadata| metadata.to_json().to_string(),
    )
}

/// Carries out `DescribeStackResources`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html>
pub(super) fn describe_stack_resources(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let stack = match (
        request.text("StackName"),
        request.text("PhysicalResourceId"),
    ) {
        (Some(name), _) => engine.state.stack(visible_stack(engine, request, name)?),
        (None, Some(physical_id)) => {
            let has = |stack: &StackRecord| {
                stack
                    .resources
                    .values()
                    .any(|it| it.physical_id.as_deref() == Some(physical_id))
            };
            let missing = || invalid(format!("Stack for {physical_id} does not exist"));
            engine
                .state
                .stacks_of(request.caller)
                .map(|(_, stack)| stack)
                .find(|stack| has(stack))
                .ok_or_else(missing)?
        }
        (None, None) => {
            return Err(invalid(
                "Either StackName or PhysicalResourceId must be specified",
            ));
        }
    };
    let wanted = request.text("LogicalResourceId");
    let mut xml = XmlWriter::new();
    // DescribeStackResources returns at most 100 resources; ListStackResources returns all of them.
    for (id, resource) in stack
        .resources
        .iter()
        .filter(|(id, _)| wanted.is_none_or(|wanted| wanted == *id))
        .take(PAGE)
    {
        xml.element("member", |xml| {
            xml.text("StackName", &stack.name)
                .text("StackId", &stack.id);
            write_resource(xml, id, resource, "Timestamp");
        });
    }
    Ok(list_result("StackResources", (xml, None)))
}
