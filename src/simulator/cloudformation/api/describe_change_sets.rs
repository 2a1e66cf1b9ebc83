//! Change sets as DescribeChangeSet and ListChangeSets show them.

use super::describe_stacks::write_rollback_configuration;
use super::elements::{members, write_parameters, write_tags};
use super::lookup::{find_change_set, is_hidden};
use super::pages::{list_result, page};
use crate::simulator::cloudformation::engine::Engine;
use crate::simulator::cloudformation::error::{XmlResult, invalid};
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::cloudformation::resource::RequiresRecreation;
use crate::simulator::cloudformation::state::change_set::{
    ChangeAction, ChangeSetRecord, ChangeSource, ResourceChange, ResourceChangeDetail,
    ResourceTargetDefinition,
};
use crate::simulator::cloudformation::state::resource_record::format_timestamp;
use crate::simulator::cloudformation::state::stack::StackRecord;
use crate::simulator::xml::XmlWriter;

/// Carries out `DescribeChangeSet`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html>
pub(super) fn describe_change_set(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let (number, id) = find_change_set(engine, request)?;
    let stack = engine.state.stack(number);
    let found = &stack.change_sets[&id];
    let with_values = request.flag("IncludePropertyValues");
    let changes = if with_values {
        &found.changes.by_value
    } else {
        &found.changes.by_name
    };
    let (changes, next) = page(request, changes, |xml, change| {
        xml.text("Type", "Resource")
            .element("ResourceChange", |xml| {
                write_change(xml, change, with_values)
            });
    })?;
    let mut xml = XmlWriter::new();
    write_summary(engine, &mut xml, stack, found);
    if let Some(accepted) = &found.accepted {
        write_parameters(&mut xml, &accepted.revision);
    }
    members(
        &mut xml,
        "NotificationARNs",
        &found.settings.notification_arns,
    );
    write_rollback_configuration(&mut xml, &found.settings.rollback);
    members(&mut xml, "Capabilities", &found.settings.capabilities);
    if !found.settings.tags.is_empty() {
        write_tags(&mut xml, &found.settings.tags);
    }
    let is_ready = engine.now >= found.ready;
    xml.raw(
        "Changes",
        &if is_ready {
            changes.finish()
        } else {
            String::new()
        },
    );
    xml.optional("NextToken", next.filter(|_| is_ready));
    Ok(xml.finish())
}

/// Carries out `ListChangeSets`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListChangeSets.html>
pub(super) fn list_change_sets(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let name = request.required("StackName")?;
    let missing = || invalid(format!("Stack [{name}] does not exist"));
    let number = engine
        .state
        .find(request.caller, name)
        .filter(|it| !is_hidden(engine, *it))
        .ok_or_else(missing)?;
    let stack = engine.state.stack(number);
    let sets: Vec<_> = stack
        .change_sets
        .values()
        .filter(|it| !it.is_executed())
        .collect();
    Ok(list_result(
        "Summaries",
        page(request, &sets, |xml, found| {
            write_summary(engine, xml, stack, found)
        })?,
    ))
}

fn write_summary(
    engine: &Engine,
    xml: &mut XmlWriter,
    stack: &StackRecord,
    found: &ChangeSetRecord,
) {
    let (status, execution) = found.status(engine.now);
    xml.text("ChangeSetName", &found.name)
        .text("ChangeSetId", &found.id)
        .text("StackId", &stack.id)
        .text("StackName", &stack.name)
        .optional("ParentChangeSetId", found.parent.as_deref())
        .optional("RootChangeSetId", found.root.as_deref())
        .optional("Description", found.description.as_deref())
        .text("CreationTime", format_timestamp(found.created))
        .text("ExecutionStatus", execution)
        .text("Status", status)
        .optional("StatusReason", found.status_reason(engine.now))
        .text("IncludeNestedStacks", found.includes_nested_stacks)
        .optional(
            "ImportExistingResources",
            found.imports_existing.then_some("true"),
        );
}

fn write_change(xml: &mut XmlWriter, change: &ResourceChange, with_values: bool) {
    let action = match change.action {
        ChangeAction::Add => "Add",
        ChangeAction::Modify => "Modify",
        ChangeAction::Remove => "Remove",
        ChangeAction::Import => "Import",
    };
    xml.optional("PolicyAction", change.policy_action)
        .text("Action", action)
        .text("LogicalResourceId", &change.logical_id)
        .optional("PhysicalResourceId", change.physical_id.as_deref())
        .text("ResourceType", &change.kind)
        .optional(
            "Replacement",
            change
                .replacement
                .map(|it| replacement(it, ["False", "Conditional", "True"])),
        )
        .optional("ChangeSetId", change.change_set.as_deref());
    let mut scope: Vec<&str> = Vec::new();
    for detail in &change.details {
        if !scope.contains(&detail.target.attribute.as_str()) {
            scope.push(&detail.target.attribute);
        }
    }
    members(xml, "Scope", scope);
    xml.element("Details", |xml| {
        for detail in &change.details {
            xml.element("member", |xml| write_detail(xml, detail, with_values));
        }
    });
    if with_values {
        xml.optional("BeforeContext", change.before.as_deref())
            .optional("AfterContext", change.after.as_deref());
    }
}

fn write_detail(xml: &mut XmlWriter, detail: &ResourceChangeDetail, with_values: bool) {
    xml.element("Target", |xml| {
        write_target(xml, &detail.target, with_values)
    });
    let source = match detail.source {
        ChangeSource::DirectModification => "DirectModification",
        ChangeSource::ParameterReference => "ParameterReference",
        ChangeSource::ResourceReference => "ResourceReference",
        ChangeSource::ResourceAttribute => "ResourceAttribute",
        ChangeSource::Automatic => "Automatic",
    };
    xml.text(
        "Evaluation",
        if detail.is_dynamic {
            "Dynamic"
        } else {
            "Static"
        },
    )
    .text("ChangeSource", source)
    .optional("CausingEntity", detail.cause.as_deref());
}

fn write_target(xml: &mut XmlWriter, target: &ResourceTargetDefinition, with_values: bool) {
    xml.text("Attribute", &target.attribute)
        .optional("Name", target.name.as_deref());
    xml.text(
        "RequiresRecreation",
        replacement(
            target.requires_recreation,
            ["Never", "Conditionally", "Always"],
        ),
    );
    if let Some(path) = target.path.as_deref().filter(|_| with_values) {
        let kind = match (&target.before, &target.after) {
            (None, _) => "Add",
            (_, None) => "Remove",
            _ => "Modify",
        };
        xml.text("Path", path)
            .optional("BeforeValue", target.before.as_deref())
            .optional("AfterValue", target.after.as_deref())
            .text("AttributeChangeType", kind);
    }
}

fn replacement(requires_recreation: RequiresRecreation, words: [&'static str; 3]) -> &'static str {
    match requires_recreation {
        RequiresRecreation::Never => words[0],
        RequiresRecreation::Conditionally => words[1],
        RequiresRecreation::Always => words[2],
    }
}
