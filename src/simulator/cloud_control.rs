//! Cloud Control: what stacks have created, read resource by resource.
//!
//! <https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/Welcome.html>

use serde_json::{Value as Json, json};

use super::json::{JsonInput, JsonResult, error, unknown_action};
use super::{Caller, Cloud};
use crate::catalog;

/// Carries out an action.
pub(super) fn call(cloud: &Cloud, caller: &Caller, action: &str, input: &JsonInput) -> JsonResult {
    match action {
        "GetResource" => resource(cloud, caller, input),
        action => Err(unknown_action(action)),
    }
}

/// Carries out `GetResource`. The properties are those that the template sets, and the primary
/// identifier; AWS also returns others that the service sets, as far as they are known only there.
/// <https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/API_GetResource.html>
fn resource(cloud: &Cloud, caller: &Caller, input: &JsonInput) -> JsonResult {
    let kind = input.required("TypeName")?;
    let identifier = input.required("Identifier")?;
    let Some(known) = catalog::resource_type(kind) else {
        let message = format!("The type '{kind}' cannot be found.");
        return Err(error("TypeNotFoundException", message));
    };
    let Some((mut properties, _)) = cloud
        .cloudformation
        .resource(cloud, caller, kind, identifier)
    else {
        let message =
            format!("Resource of type '{kind}' with identifier '{identifier}' was not found.");
        return Err(error("ResourceNotFoundException", message));
    };
    if let ([path], Json::Object(properties)) = (&known.primary_identifier[..], &mut properties) {
        properties.entry(*path).or_insert_with(|| identifier.into());
    }
    Ok(json!({
        "TypeName": kind,
        "ResourceDescription": {
            "Identifier": identifier,
            "Properties": properties.to_string(),
        },
    }))
}
