//! CodePipeline: the state of pipelines that stacks have created. They never run here, so no action
//! has a state yet.
//!
//! <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GetPipelineState.html>

use serde_json::{Value as Json, json};

use super::json::{JsonInput, JsonResult, error, unknown_action};
use super::{Caller, Cloud};

/// Carries out an action.
pub(super) fn call(cloud: &Cloud, caller: &Caller, action: &str, input: &JsonInput) -> JsonResult {
    match action {
        "GetPipelineState" => state(cloud, caller, input),
        action => Err(unknown_action(action)),
    }
}

fn state(cloud: &Cloud, caller: &Caller, input: &JsonInput) -> JsonResult {
    let name = input.required("name")?;
    let found = cloud
        .cloudformation
        .resource(cloud, caller, "AWS::CodePipeline::Pipeline", name);
    let Some((properties, made)) = found else {
        let message = format!(
            "Account '{}' does not have a pipeline with name '{name}'",
            caller.account
        );
        return Err(error("PipelineNotFoundException", message));
    };
    let stages = list(&properties, "Stages").map(|stage| {
        let actions = list(stage, "Actions").map(|action| json!({"actionName": action["Name"]}));
        json!({
            "stageName": stage["Name"],
            "inboundTransitionState": {"enabled": true},
            "actionStates": actions.collect::<Vec<_>>(),
        })
    });
    Ok(json!({
        "pipelineName": name,
        "pipelineVersion": 1,
        "stageStates": stages.collect::<Vec<_>>(),
        "created": made.as_second(),
        "updated": made.as_second(),
    }))
}

fn list<'j>(of: &'j Json, name: &str) -> impl Iterator<Item = &'j Json> {
    of[name].as_array().into_iter().flatten()
}
