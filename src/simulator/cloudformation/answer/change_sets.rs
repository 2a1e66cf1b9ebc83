//! Change sets, as they are looked at before they are executed.

use super::super::Answer;
use super::super::change_set::{Action, ChangeSet, Detail, ResourceChange, find};
use super::super::engine::Engine;
use super::super::request::Request;
use super::super::resource::Replaces;
use super::super::stack::Stack;
use super::{listed, members, moment, page, seen};
use crate::simulator::xml::Xml;

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html>
pub fn describe_change_set(engine: &Engine, request: &Request) -> Answer {
    let (number, name) = find(engine, request)?;
    let stack = engine.state.stack(number);
    let found = &stack.change_sets[&name];
    let with_values = request.flag("IncludePropertyValues");
    let (changes, next) = page(request, &found.changes, |xml, change| {
        xml.text("Type", "Resource").element("ResourceChange", |xml| change_of(xml, change, with_values));
    })?;
    let mut xml = Xml::new();
    head(engine, &mut xml, stack, found);
    xml.element("Parameters", |xml| {
        for parameter in &found.begun.revision.parameters {
            xml.element("member", |xml| {
                xml.text("ParameterKey", &parameter.key)
                    .text("ParameterValue", &parameter.value)
                    .optional("ResolvedValue", parameter.resolved.as_deref());
            });
        }
    });
    members(&mut xml, "NotificationARNs", &found.settings.notification_arns);
    members(&mut xml, "Capabilities", &found.settings.capabilities);
    xml.element("Tags", |xml| {
        for (key, value) in &found.settings.tags {
            xml.element("member", |xml| {
                xml.text("Key", key).text("Value", value);
            });
        }
    });
    let is_ready = engine.now >= found.ready;
    xml.raw("Changes", &if is_ready { changes.finish() } else { String::new() });
    xml.optional("NextToken", next.filter(|_| is_ready)).text("IncludeNestedStacks", !found.nested.is_empty());
    Ok(xml.finish())
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListChangeSets.html>
pub fn list_change_sets(engine: &Engine, request: &Request) -> Answer {
    let stack = engine.state.stack(seen(engine, request, request.required("StackName")?)?);
    let sets: Vec<_> = stack.change_sets.values().collect();
    Ok(listed("Summaries", page(request, &sets, |xml, found| head(engine, xml, stack, found))?))
}

fn head(engine: &Engine, xml: &mut Xml, stack: &Stack, found: &ChangeSet) {
    let (status, execution) = found.status(engine.now);
    xml.text("ChangeSetName", &found.name)
        .text("ChangeSetId", &found.id)
        .text("StackId", &stack.id)
        .text("StackName", &stack.name)
        .optional("RootChangeSetId", found.root.as_deref())
        .optional("Description", found.description.as_deref())
        .text("CreationTime", moment(found.created))
        .text("ExecutionStatus", execution)
        .text("Status", status)
        .optional("StatusReason", found.refused.as_deref().filter(|_| status == "FAILED"));
}

fn change_of(xml: &mut Xml, change: &ResourceChange, with_values: bool) {
    let action = match change.action {
        Action::Add => "Add",
        Action::Modify => "Modify",
        Action::Remove => "Remove",
    };
    xml.text("Action", action)
        .text("LogicalResourceId", &change.logical_id)
        .optional("PhysicalResourceId", change.physical_id.as_deref())
        .text("ResourceType", &change.kind)
        .optional("ChangeSetId", change.change_set.as_deref());
    if change.action == Action::Modify {
        xml.text("Replacement", replacement(change.replaces, ["False", "Conditional", "True"]));
    }
    let mut scope: Vec<&str> = change.details.iter().map(|detail| detail.attribute.as_str()).collect();
    scope.dedup();
    members(xml, "Scope", scope);
    xml.element("Details", |xml| {
        for detail in &change.details {
            xml.element("member", |xml| detail_of(xml, detail, with_values));
        }
    });
}

fn detail_of(xml: &mut Xml, detail: &Detail, with_values: bool) {
    xml.element("Target", |xml| {
        xml.text("Attribute", &detail.attribute).optional("Name", detail.name.as_deref());
        xml.text("RequiresRecreation", replacement(detail.replaces, ["Never", "Conditionally", "Always"]));
        if let Some(name) = detail.name.as_deref().filter(|_| with_values) {
            xml.text("Path", format!("/Properties/{name}"))
                .optional("BeforeValue", detail.before.as_deref())
                .optional("AfterValue", detail.after.as_deref());
        }
    });
    let (evaluation, source) = match detail.cause {
        Some(_) => ("Dynamic", "ResourceReference"),
        None => ("Static", "DirectModification"),
    };
    xml.text("Evaluation", evaluation).text("ChangeSource", source).optional("CausingEntity", detail.cause.as_deref());
}

fn replacement(replaces: Replaces, words: [&'static str; 3]) -> &'static str {
    match replaces {
        Replaces::Never => words[0],
        Replaces::Conditionally => words[1],
        Replaces::Always => words[2],
    }
}
