//! What callers are shown: stacks, their events and resources, templates, change sets, exports.
//!
//! Long lists come in pages. A token says where the next one begins, so that what has come
//! meanwhile moves nothing.

mod change_sets;
mod drift;
mod events;
mod exports;
mod stacks;
mod templates;
mod types;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::engine::Engine;
use super::request::QueryRequest;
use super::revision::Revision;
use super::stack::{EventRecord, StackNumber, StackRecord, format_timestamp};
use super::{ServiceError, XmlResult, invalid};
use crate::simulator::xml::XmlWriter;

pub use drift::detect_stack_drift;

/// Answers a call that changes nothing; none where there is no such action.
pub fn read(engine: &Engine, action: &str, request: &QueryRequest) -> Option<XmlResult> {
    Some(match action {
        "DescribeStacks" => stacks::describe_stacks(engine, request),
        "ListStacks" => stacks::list_stacks(engine, request),
        "DescribeStackEvents" => stacks::describe_stack_events(engine, request),
        "ListStackResources" => stacks::list_stack_resources(engine, request),
        "DescribeStackResource" => stacks::describe_stack_resource(engine, request),
        "DescribeStackResources" => stacks::describe_stack_resources(engine, request),
        "GetTemplate" => templates::get_template(engine, request),
        "GetTemplateSummary" => templates::get_template_summary(engine, request),
        "ValidateTemplate" => templates::validate_template(engine, request),
        "DescribeChangeSet" => change_sets::describe_change_set(engine, request),
        "ListChangeSets" => change_sets::list_change_sets(engine, request),
        "DescribeEvents" => events::describe_events(engine, request),
        "GetStackPolicy" => stacks::get_stack_policy(engine, request),
        "EstimateTemplateCost" => templates::estimate_template_cost(engine, request),
        "DescribeStackDriftDetectionStatus" => {
            drift::describe_stack_drift_detection_status(engine, request)
        }
        "DescribeStackResourceDrifts" => drift::describe_stack_resource_drifts(engine, request),
        "DetectStackResourceDrift" => drift::detect_stack_resource_drift(engine, request),
        "ListTypes" => types::list_types(request),
        "DescribeType" => types::describe_type(request),
        "ListExports" => exports::list_exports(engine, request),
        "ListImports" => exports::list_imports(engine, request),
        _ => return None,
    })
}

/// Of everything that is listed, so much comes at once.
const PAGE: usize = 100;

/// A page of a list: what comes after the place that the token names, and the token of what is
/// left.
fn page<T>(
    request: &QueryRequest,
    items: &[T],
    mut show: impl FnMut(&mut XmlWriter, &T),
) -> Result<(XmlWriter, Option<String>), ServiceError> {
    let start = page_start(request, items.len())?.unwrap_or(0);
    let end = items.len().min(start + PAGE);
    let mut xml = XmlWriter::new();
    for item in &items[start..end] {
        xml.element("member", |xml| show(xml, item));
    }
    Ok((xml, (end < items.len()).then(|| page_token(end))))
}

/// The place that the token names, if there is one.
///
/// # Errors
/// It is no token of ours, or lies beyond the last place.
fn page_start(request: &QueryRequest, last: usize) -> Result<Option<usize>, ServiceError> {
    let Some(token) = request.text("NextToken").filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let bad = || invalid("The specified NextToken is invalid.");
    token_position(token)
        .filter(|position| *position <= last)
        .map(Some)
        .ok_or_else(bad)
}

fn page_token(position: usize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("next:{position}"))
}

fn token_position(token: &str) -> Option<usize> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes)
        .ok()?
        .strip_prefix("next:")?
        .parse()
        .ok()
}

/// A list under its name, and the token where there is more.
fn list_result(name: &str, page: (XmlWriter, Option<String>)) -> String {
    let mut xml = XmlWriter::new();
    xml.raw(name, &page.0.finish())
        .optional("NextToken", page.1);
    xml.finish()
}

/// What DescribeStackEvents and DescribeEvents both show of an event.
fn write_event(xml: &mut XmlWriter, stack: &StackRecord, event: &EventRecord) {
    xml.text("EventId", event.name())
        .text("StackId", &stack.id)
        .text("OperationId", event.operation)
        .text("LogicalResourceId", &event.logical_id)
        .text(
            "PhysicalResourceId",
            event.physical_id.as_deref().unwrap_or_default(),
        )
        .text("ResourceType", &event.kind)
        .text("Timestamp", format_timestamp(event.at))
        .text("ResourceStatus", event.status.as_str())
        .optional("ResourceStatusReason", event.reason.as_deref())
        .optional("ResourceProperties", event_properties(event))
        .optional("ClientRequestToken", event.token.as_deref());
}

/// What a resource was to be made of, as JSON.
fn event_properties(event: &EventRecord) -> Option<String> {
    let properties = event.properties.as_ref()?;
    let object = properties
        .iter()
        .map(|(name, value)| (name.clone(), value.to_json()))
        .collect();
    Some(serde_json::Value::Object(object).to_string())
}

fn members(
    xml: &mut XmlWriter,
    name: &str,
    texts: impl IntoIterator<Item = impl std::fmt::Display>,
) {
    xml.element(name, |xml| {
        for text in texts {
            xml.text("member", text);
        }
    });
}

/// A revision's parameters; nothing where there are none.
fn write_parameters(xml: &mut XmlWriter, revision: &Revision) {
    if revision.parameters.is_empty() {
        return;
    }
    xml.element("Parameters", |xml| {
        for parameter in &revision.parameters {
            xml.element("member", |xml| {
                xml.text("ParameterKey", &parameter.key)
                    .text("ParameterValue", &parameter.value)
                    .optional("ResolvedValue", parameter.resolved.as_deref());
            });
        }
    });
}

fn write_tags(xml: &mut XmlWriter, tags: &[(String, String)]) {
    xml.element("Tags", |xml| {
        for (key, value) in tags {
            xml.element("member", |xml| {
                xml.text("Key", key).text("Value", value);
            });
        }
    });
}

/// A stack that the caller can see by now.
fn visible_stack(
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

fn is_hidden(engine: &Engine, number: StackNumber) -> bool {
    engine
        .state
        .stack(number)
        .hidden_until
        .is_some_and(|until| engine.now < until)
}
