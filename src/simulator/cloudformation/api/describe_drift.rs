//! Drift detection: resources whose service is simulated may have been changed or deleted outside
//! of their stack.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html>

use serde_json::Value as Json;
use uuid::Uuid;

use super::lookup::visible_stack;
use super::pages::{list_result, page};
use crate::catalog;
use crate::simulator::Cloud;
use crate::simulator::cloudformation::engine::{Engine, service_resources};
use crate::simulator::cloudformation::error::{XmlResult, invalid};
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::cloudformation::state::resource_record::{ResourceRecord, format_timestamp};
use crate::simulator::cloudformation::state::stack::{DriftDetection, StackRecord};
use crate::simulator::xml::XmlWriter;
use crate::status::StackStatus;

/// Carries out `DetectStackDrift`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DetectStackDrift.html>
pub(super) fn detect_stack_drift(engine: &mut Engine, request: &QueryRequest) -> XmlResult {
    let number = visible_stack(engine, request, request.required("StackName")?)?;
    let now = engine.now;
    let stack = engine.state.stack(number);
    if stack.is_busy()
        || matches!(
            stack.status,
            StackStatus::ReviewInProgress | StackStatus::DeleteComplete
        )
    {
        return Err(invalid(format!(
            "Drift detection cannot be performed on stack [{}] while it is in {} status.",
            stack.id, stack.status
        )));
    }
    let id = Uuid::new_v4();
    let drifted = stack.resources.iter().filter_map(|(logical_id, resource)| {
        let actual = drifted(engine.cloud, stack, resource)?;
        Some((logical_id.clone(), actual))
    });
    let drifted = drifted.collect();
    engine.state.stack_mut(number).drift = Some(DriftDetection {
        id,
        at: now,
        drifted,
    });
    let mut xml = XmlWriter::new();
    xml.text("StackDriftDetectionId", id);
    Ok(xml.finish())
}

/// Carries out `DescribeStackDriftDetectionStatus`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackDriftDetectionStatus.html>
pub(super) fn describe_stack_drift_detection_status(
    engine: &Engine,
    request: &QueryRequest,
) -> XmlResult {
    let detection_id = request.required("StackDriftDetectionId")?;
    let is_it = |stack: &StackRecord| {
        stack
            .drift
            .as_ref()
            .is_some_and(|it| it.id.to_string() == detection_id)
    };
    let missing = || {
        invalid(format!(
            "Stack drift detection with id {detection_id} does not exist"
        ))
    };
    let (_, stack) = engine
        .state
        .stacks_of(request.caller)
        .find(|(_, stack)| is_it(stack))
        .ok_or_else(missing)?;
    let drift = stack.drift.as_ref();
    let mut xml = XmlWriter::new();
    xml.text("StackId", &stack.id)
        .text("StackDriftDetectionId", detection_id)
        .optional("StackDriftStatus", drift.map(DriftDetection::status))
        .text("DetectionStatus", "DETECTION_COMPLETE")
        .optional(
            "DriftedStackResourceCount",
            drift.map(|it| it.drifted.len()),
        )
        .optional(
            "Timestamp",
            stack.drift.as_ref().map(|it| format_timestamp(it.at)),
        );
    Ok(xml.finish())
}

/// Carries out `DescribeStackResourceDrifts`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResourceDrifts.html>
pub(super) fn describe_stack_resource_drifts(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let stack = engine.state.stack(visible_stack(
        engine,
        request,
        request.required("StackName")?,
    )?);
    let wanted = request.list("StackResourceDriftStatusFilters");
    let is_wanted = |id: &str| wanted.is_empty() || wanted.contains(&status(stack, id));
    let resources = stack
        .resources
        .iter()
        .filter(|(id, it)| is_wanted(id) && is_supported(it));
    let resources: Vec<(&String, &ResourceRecord)> = resources.collect();
    let page = page(request, &resources, |xml, (id, resource)| {
        let actual = stack.drift.as_ref().and_then(|it| it.drifted.get(*id));
        write_drift(
            xml,
            engine,
            stack,
            (id, resource),
            (status(stack, id), actual),
        )
    })?;
    Ok(list_result("StackResourceDrifts", page))
}

/// Carries out `DetectStackResourceDrift`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DetectStackResourceDrift.html>
pub(super) fn detect_stack_resource_drift(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let stack = engine.state.stack(visible_stack(
        engine,
        request,
        request.required("StackName")?,
    )?);
    let id = request.required("LogicalResourceId")?;
    let missing = || {
        invalid(format!(
            "Resource {id} does not exist for stack {}",
            stack.name
        ))
    };
    let resource = stack.resources.get(id).ok_or_else(missing)?;
    if !is_supported(resource) {
        return Err(invalid(format!(
            "Drift detection is not supported for resource {id} of type {}",
            resource.kind
        )));
    }
    let mut xml = XmlWriter::new();
    let drifted = drifted(engine.cloud, stack, resource);
    let status = drifted.as_ref().map_or(IN_SYNC, status_of);
    xml.element("StackResourceDrift", |xml| {
        write_drift(
            xml,
            engine,
            stack,
            (id, resource),
            (status, drifted.as_ref()),
        )
    });
    Ok(xml.finish())
}

const IN_SYNC: &str = "IN_SYNC";

/// Returns a resource's status in the last detection.
fn status(stack: &StackRecord, id: &str) -> &'static str {
    let drift = stack.drift.as_ref();
    drift.map_or("NOT_CHECKED", |drift| {
        drift.drifted.get(id).map_or(IN_SYNC, status_of)
    })
}

fn status_of(actual: &Option<Json>) -> &'static str {
    actual.as_ref().map_or("DELETED", |_| "MODIFIED")
}

/// Returns the actual properties of a resource that has drifted, or none if it was deleted.
fn drifted(cloud: &Cloud, stack: &StackRecord, resource: &ResourceRecord) -> Option<Option<Json>> {
    let owner = &stack.owner;
    let kind = &*resource.kind;
    let physical_id = resource.physical_id.as_deref()?;
    if resource.is_removed() {
        return None;
    }
    if service_resources::exists(cloud, owner, kind, physical_id) == Some(false) {
        return Some(None);
    }
    if kind != "AWS::SSM::Parameter" {
        return None;
    }
    let found = cloud.ssm.parameter(owner, physical_id)?;
    let mut actual = expected(resource);
    let value = actual.get_mut("Value")?;
    let has_changed = value.as_str() != Some(&found.value);
    *value = found.value.into();
    has_changed.then_some(Some(actual))
}

fn expected(resource: &ResourceRecord) -> Json {
    let properties = resource
        .properties
        .iter()
        .map(|(name, value)| (name.clone(), value.to_json()));
    Json::Object(properties.collect())
}

fn is_supported(resource: &ResourceRecord) -> bool {
    resource.physical_id.is_some() && catalog::resource_type(&resource.kind).is_some()
}

fn write_drift(
    xml: &mut XmlWriter,
    engine: &Engine,
    stack: &StackRecord,
    (id, resource): (&str, &ResourceRecord),
    (status, drifted): (&str, Option<&Option<Json>>),
) {
    let expected = expected(resource);
    // A deleted resource has none.
    let actual = drifted.map_or(Some(&expected), Option::as_ref);
    let at = stack.drift.as_ref().map_or(engine.now, |it| it.at);
    xml.text("StackId", &stack.id)
        .text("LogicalResourceId", id)
        .optional("PhysicalResourceId", resource.physical_id.as_deref())
        .text("ResourceType", &resource.kind)
        .text("ExpectedProperties", &expected)
        .optional("ActualProperties", actual)
        .element("PropertyDifferences", |xml| {
            if let Some(actual) = actual {
                write_differences(xml, &expected, actual);
            }
        })
        .text("StackResourceDriftStatus", status)
        .text("Timestamp", format_timestamp(at));
}

fn write_differences(xml: &mut XmlWriter, expected: &Json, actual: &Json) {
    for (name, value) in expected.as_object().into_iter().flatten() {
        let Some(found) = actual.get(name).filter(|found| *found != value) else {
            continue;
        };
        let text = |value: &Json| value.as_str().map_or(value.to_string(), str::to_owned);
        xml.element("member", |xml| {
            xml.text("PropertyPath", format!("/{name}"))
                .text("ExpectedValue", text(value))
                .text("ActualValue", text(found))
                .text("DifferenceType", "NOT_EQUAL");
        });
    }
}
