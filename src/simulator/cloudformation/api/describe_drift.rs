//! Drift detection. Nothing changes resources outside of their stacks here, so no drift is found.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html>

use uuid::Uuid;

use super::lookup::visible_stack;
use super::pages::{list_result, page};
use crate::catalog;
use crate::simulator::cloudformation::engine::Engine;
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
    let stack = engine.state.stack_mut(number);
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
    stack.drift = Some(DriftDetection { id, at: now });
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
    let mut xml = XmlWriter::new();
    xml.text("StackId", &stack.id)
        .text("StackDriftDetectionId", detection_id)
        .text("StackDriftStatus", "IN_SYNC")
        .text("DetectionStatus", "DETECTION_COMPLETE")
        .text("DriftedStackResourceCount", 0)
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
    let status = if stack.drift.is_some() {
        "IN_SYNC"
    } else {
        "NOT_CHECKED"
    };
    let is_wanted = wanted.is_empty() || wanted.contains(&status);
    let resources = stack
        .resources
        .iter()
        .filter(|(_, it)| is_wanted && is_supported(it));
    let resources: Vec<(&String, &ResourceRecord)> = resources.collect();
    let page = page(request, &resources, |xml, (id, resource)| {
        write_drift(xml, engine, stack, (id, resource), status)
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
    xml.element("StackResourceDrift", |xml| {
        write_drift(xml, engine, stack, (id, resource), "IN_SYNC")
    });
    Ok(xml.finish())
}

fn is_supported(resource: &ResourceRecord) -> bool {
    resource.physical_id.is_some() && catalog::resource_type(&resource.kind).is_some()
}

fn write_drift(
    xml: &mut XmlWriter,
    engine: &Engine,
    stack: &StackRecord,
    (id, resource): (&str, &ResourceRecord),
    status: &str,
) {
    let properties = resource
        .properties
        .iter()
        .map(|(name, value)| (name.clone(), value.to_json()));
    let properties = serde_json::Value::Object(properties.collect()).to_string();
    let at = stack.drift.as_ref().map_or(engine.now, |it| it.at);
    xml.text("StackId", &stack.id)
        .text("LogicalResourceId", id)
        .optional("PhysicalResourceId", resource.physical_id.as_deref())
        .text("ResourceType", &resource.kind)
        .text("ExpectedProperties", &properties)
        .text("ActualProperties", &properties)
        .raw("PropertyDifferences", "")
        .text("StackResourceDriftStatus", status)
        .text("Timestamp", format_timestamp(at));
}
