//! Resource types that the catalog knows.

use serde_json::{Map, Value as Json, json};

use super::pages::{list_result, page};
use crate::catalog::{self, ObjectShape, ResourceType, Shape};
use crate::simulator::Caller;
use crate::simulator::cloudformation::error::{XmlResult, invalid};
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::cloudformation::state::resource_record::format_timestamp;
use crate::simulator::error::ServiceError;
use crate::simulator::xml::XmlWriter;

/// Carries out `ListTypes`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListTypes.html>
///
/// No private types are registered here, and no public third-party types are activated.
pub(super) fn list_types(request: &QueryRequest) -> XmlResult {
    let is_public = request.text("Visibility") == Some("PUBLIC");
    let is_resource = request.text("Type").is_none_or(|kind| kind == "RESOURCE");
    let category = request.text("Filters.Category").unwrap_or("AWS_TYPES");
    let prefix = request.text("Filters.TypeNamePrefix").unwrap_or_default();
    let is_offered = is_public && is_resource && category == "AWS_TYPES";
    let offers =
        |name: &&str| is_offered && name.starts_with(prefix) && is_offered_in(request.caller, name);
    let names: Vec<&str> = catalog::resource_type_names()
        .into_iter()
        .filter(offers)
        .collect();
    let page = page(request, &names, |xml, name| {
        xml.text("Type", "RESOURCE")
            .text("TypeName", name)
            .text("TypeArn", arn(request.caller, name))
            .text("LastUpdated", format_timestamp(jiff::Timestamp::UNIX_EPOCH))
            .text("IsActivated", false);
    })?;
    Ok(list_result("TypeSummaries", page))
}

/// Carries out `DescribeType`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeType.html>
pub(super) fn describe_type(request: &QueryRequest) -> XmlResult {
    let by_arn = || {
        request
            .text("Arn")
            .and_then(|arn| arn.rsplit('/').next())
            .map(|name| name.replace('-', "::"))
    };
    let name = request.text("TypeName").map(str::to_owned).or_else(by_arn);
    let name = name.ok_or_else(|| invalid("Either TypeName or Arn must be specified."))?;
    let missing = || {
        ServiceError::new(
            404,
            "TypeNotFoundException",
            format!("The type '{name}' cannot be found."),
        )
    };
    let known = catalog::resource_type(&name)
        .filter(|_| is_offered_in(request.caller, &name))
        .ok_or_else(missing)?;
    let service = name.split("::").nth(1).unwrap_or_default().to_lowercase();
    let mut xml = XmlWriter::new();
    xml.text("Arn", arn(request.caller, &name))
        .text("Type", "RESOURCE")
        .text("TypeName", &name)
        .text("Description", format!("Resource type of AWS {service}"))
        .text("Schema", schema(&known))
        .text("ProvisioningType", "FULLY_MUTABLE")
        .text("DeprecatedStatus", "LIVE")
        .text("Visibility", "PUBLIC")
        .text("IsActivated", false);
    Ok(xml.finish())
}

fn is_offered_in(caller: &Caller, name: &str) -> bool {
    catalog::offers(&caller.region, name) != catalog::Availability::No
}

fn arn(caller: &Caller, name: &str) -> String {
    let partition = catalog::partition_of(&caller.region).name;
    format!(
        "arn:{partition}:cloudformation:{}::type/resource/{}",
        caller.region,
        name.replace("::", "-")
    )
}

/// Returns the type's schema in CloudFormation's form, as far as the catalog knows it.
fn schema(known: &ResourceType) -> String {
    let pointers = |paths: &[&str]| -> Vec<String> {
        paths
            .iter()
            .map(|path| format!("/properties/{}", path.replace('.', "/")))
            .collect()
    };
    let definitions = known
        .definitions
        .iter()
        .map(|(name, shape)| ((*name).to_owned(), shape_of(shape)));
    json!({
        "typeName": known.name,
        "properties": properties(&known.properties),
        "required": known.properties.required().collect::<Vec<_>>(),
        "definitions": Json::Object(definitions.collect()),
        "additionalProperties": false,
        "readOnlyProperties": pointers(&known.read_only),
        "createOnlyProperties": pointers(&known.create_only),
        "conditionalCreateOnlyProperties": pointers(&known.conditional_create_only),
        "primaryIdentifier": pointers(&known.primary_identifier),
    })
    .to_string()
}

fn properties(object: &ObjectShape) -> Map<String, Json> {
    object
        .properties
        .iter()
        .map(|(name, property)| ((*name).to_owned(), shape_of(&property.shape)))
        .collect()
}

fn shape_of(shape: &Shape) -> Json {
    match shape {
        Shape::Anything => json!({}),
        Shape::Json(types) => {
            let names: Vec<String> = types
                .iter()
                .map(|kind| format!("{kind:?}").to_lowercase())
                .collect();
            match names.as_slice() {
                [one] => json!({ "type": one }),
                several => json!({ "type": several }),
            }
        }
        Shape::Definition(name) => json!({ "$ref": format!("#/definitions/{name}") }),
        Shape::List(item) => json!({ "type": "array", "items": shape_of(item) }),
        Shape::Object(object) => json!({
            "type": "object",
            "properties": properties(object),
            "required": object.required().collect::<Vec<_>>(),
            "additionalProperties": object
                .others
                .as_ref()
                .map_or(Json::Bool(false), |others| shape_of(others)),
        }),
    }
}
