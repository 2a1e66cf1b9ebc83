//! Templates, parameters and tags in the properties of `AWS::CloudFormation::Stack`.

use indexmap::IndexMap;

use crate::simulator::Cloud;
use crate::simulator::cloudformation::error::invalid;
use crate::simulator::cloudformation::request::template_text;
use crate::simulator::cloudformation::resource::{ResourceProperties, property_tags};
use crate::simulator::cloudformation::state::resource_record::STACK;
use crate::simulator::cloudformation::state::settings::StackSettings;
use crate::simulator::error::ServiceError;
use crate::template::Value;

/// Returns the template and the parameters of a nested stack.
///
/// # Errors
/// Fails if the template can't be read.
pub(crate) fn nested_stack_input(
    cloud: &Cloud,
    properties: &ResourceProperties,
) -> Result<(String, IndexMap<String, String>), ServiceError> {
    let url = properties.get("TemplateURL").and_then(Value::as_text);
    let url = url.ok_or_else(|| invalid(format!("{STACK} must have a TemplateURL.")))?;
    let text = template_text::from_nested_url(cloud, &url)?;
    let parameters = match properties.get("Parameters") {
        Some(Value::Map(entries)) => entries
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), parameter_text(value)?)))
            .collect(),
        _ => IndexMap::new(),
    };
    Ok((text, parameters))
}

/// Returns a value as a parameter; the items of a list are joined by commas.
fn parameter_text(value: &Value) -> Option<String> {
    match value {
        Value::List(items) => Some(
            items
                .iter()
                .filter_map(Value::as_text)
                .collect::<Vec<_>>()
                .join(","),
        ),
        other => other.as_text(),
    }
}

/// Returns the tags of a nested stack: those of its parent, overridden by its own property
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html>).
pub(crate) fn nested_stack_tags(
    parent: &StackSettings,
    properties: &ResourceProperties,
) -> Vec<(String, String)> {
    let own = property_tags(properties);
    let is_kept = |(key, _): &&(String, String)| !own.iter().any(|(other, _)| other == key);
    parent
        .tags
        .iter()
        .filter(is_kept)
        .cloned()
        .chain(own.iter().cloned())
        .collect()
}
