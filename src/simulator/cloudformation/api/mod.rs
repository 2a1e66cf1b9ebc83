//! The actions of CloudFormation's API.
//!
//! - `stacks`: stacks are created, updated and deleted; `rollback`: they are rolled back
//! - `change_sets`: change sets are created, executed and deleted; `nested_change_sets`, `import`
//! - `describe_*`: actions that only read: stacks, change sets, events, templates, types, exports,
//!   drift
//! - `lookup`: finds what calls name; `pages`: pagination; `elements`: shared parts of responses

mod change_sets;
mod describe_change_sets;
mod describe_drift;
mod describe_events;
mod describe_exports;
mod describe_stacks;
mod describe_templates;
mod describe_types;
mod elements;
mod import;
mod lookup;
mod nested_change_sets;
mod pages;
mod rollback;
mod stacks;

use super::engine::Engine;
use super::error::{XmlResult, unknown};
use super::request::{QueryRequest, constraints};

/// Checks a call against the API's model and carries it out.
///
/// # Errors
/// Returns the error that the service answers, in its words.
pub(super) fn call(engine: &mut Engine, action: &str, request: &QueryRequest) -> XmlResult {
    constraints::check(action, request)?;
    match action {
        "CreateStack" => engine.create_stack(request),
        "UpdateStack" => engine.update_stack(request),
        "DeleteStack" => engine.delete_stack(request),
        "UpdateTerminationProtection" => engine.update_termination_protection(request),
        "CreateChangeSet" => engine.create_change_set(request),
        "ExecuteChangeSet" => engine.execute_change_set(request),
        "DeleteChangeSet" => engine.delete_change_set(request),
        "CancelUpdateStack" => engine.cancel_update_stack(request),
        "ContinueUpdateRollback" => engine.continue_update_rollback(request),
        "RollbackStack" => engine.rollback_stack(request),
        "SetStackPolicy" => engine.set_stack_policy(request),
        "DetectStackDrift" => describe_drift::detect_stack_drift(engine, request),
        action => read(engine, action, request).unwrap_or_else(|| Err(unknown(action))),
    }
}

/// Carries out an action that changes nothing; returns none if there is no such action.
fn read(engine: &Engine, action: &str, request: &QueryRequest) -> Option<XmlResult> {
    Some(match action {
        "DescribeStacks" => describe_stacks::describe_stacks(engine, request),
        "ListStacks" => describe_stacks::list_stacks(engine, request),
        "DescribeStackEvents" => describe_stacks::describe_stack_events(engine, request),
        "ListStackResources" => describe_stacks::list_stack_resources(engine, request),
        "DescribeStackResource" => describe_stacks::describe_stack_resource(engine, request),
        "DescribeStackResources" => describe_stacks::describe_stack_resources(engine, request),
        "GetTemplate" => describe_templates::get_template(engine, request),
        "GetTemplateSummary" => describe_templates::get_template_summary(engine, request),
        "ValidateTemplate" => describe_templates::validate_template(engine, request),
        "DescribeChangeSet" => describe_change_sets::describe_change_set(engine, request),
        "ListChangeSets" => describe_change_sets::list_change_sets(engine, request),
        "DescribeEvents" => describe_events::describe_events(engine, request),
        "GetStackPolicy" => describe_stacks::get_stack_policy(engine, request),
        "EstimateTemplateCost" => describe_templates::estimate_template_cost(engine, request),
        "DescribeStackDriftDetectionStatus" => {
            describe_drift::describe_stack_drift_detection_status(engine, request)
        }
        "DescribeStackResourceDrifts" => {
            describe_drift::describe_stack_resource_drifts(engine, request)
        }
        "DetectStackResourceDrift" => describe_drift::detect_stack_resource_drift(engine, request),
        "ListTypes" => describe_types::list_types(request),
        "DescribeType" => describe_types::describe_type(request),
        "ListExports" => describe_exports::list_exports(engine, request),
        "ListImports" => describe_exports::list_imports(engine, request),
        _ => return None,
    })
}
