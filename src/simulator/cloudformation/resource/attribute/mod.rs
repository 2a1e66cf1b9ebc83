//! The attributes that `Fn::GetAtt` returns.
//!
//! The catalog knows which attributes a type has. A value is the property of the same name if the
//! template sets it, else what the table lists, else something of the form that the attribute's
//! name and shape suggest. The same resource returns the same values each time: made-up values
//! depend on the physical ID.
//!
//! - `table`: documented forms; `name_suffix`: forms that the attribute's name suggests

mod name_suffix;
mod table;
#[cfg(test)]
mod tests;

use serde_json::Number;

use super::identity::has_made_up_id;
use super::pattern::{Placeholders, SeededText, UPPER, is_documented, last_of_arn};
use super::{DeclaredResource, arn};
use crate::catalog::{JsonType, ResourceType, Shape, resource_type};
use crate::template::{Value, is_custom_resource};
use name_suffix::from_name_suffix;
use table::ATTRIBUTES;

/// Returns the value of an attribute.
///
/// # Errors
/// Fails in CloudFormation's words if the type doesn't have the attribute.
pub(crate) fn attribute(
    declared: &DeclaredResource,
    physical_id: &str,
    name: &str,
) -> Result<Value, String> {
    if is_custom_resource(declared.kind) {
        return Ok(Value::text(format!("simulated-{name}")));
    }
    let known = resource_type(declared.kind);
    if known
        .as_ref()
        .is_some_and(|known| known.accepts(name) == Some(false))
    {
        return Err(format!(
            "Requested attribute {name} does not exist in schema for {}",
            declared.kind
        ));
    }
    // A template can't set what only AWS sets.
    let is_read_only = known
        .as_ref()
        .is_some_and(|known| known.read_only.contains(&name));
    if let Some(value) = declared.property(name).filter(|_| !is_read_only) {
        return Ok(value.clone());
    }
    let text = attribute_text(declared, physical_id, name, known.as_ref());
    Ok(
        match known
            .as_ref()
            .and_then(|known| Some((known, known.shape(name)?)))
        {
            Some((known, shape)) => shape_value(known, shape, &text),
            None => Value::String(text),
        },
    )
}

/// Returns whether an attribute's value is made up: neither the template nor AWS's documentation
/// says what it looks like. The real value may be valid where this one isn't.
pub(crate) fn is_made_up_attribute(declared: &DeclaredResource, id: &str, name: &str) -> bool {
    if is_custom_resource(declared.kind) {
        return true;
    }
    let Some(known) = resource_type(declared.kind) else {
        return true;
    };
    let is_read_only = known.read_only.contains(&name);
    if !is_read_only && declared.property(name).is_some() {
        return false;
    }
    match listed_pattern(declared.kind, name) {
        Some("{id}") => has_made_up_id(declared),
        Some(pattern) => !is_documented(pattern),
        None if is_list(&known, name) && !is_read_only => false,
        None if name.eq_ignore_ascii_case("arn") || names_own_type(declared, name, "arn") => false,
        None if identifying_part(&known, id, name).is_some() => has_made_up_id(declared),
        None if names_own_type(declared, name, "id")
            || names_own_type(declared, name, "identifier") =>
        {
            has_made_up_id(declared)
        }
        None => !arn::kebab(name.rsplit('.').next().unwrap_or(name)).ends_with("port"),
    }
}

/// Returns the pattern of an attribute in the table.
fn listed_pattern(kind: &str, attribute: &str) -> Option<&'static str> {
    let matches = |known: &str| {
        known
            .strip_suffix('*')
            .map_or(known == kind, |start| kind.starts_with(start))
    };
    ATTRIBUTES
        .iter()
        .find(|(known, name, _)| *name == attribute && matches(known))
        .map(|(.., pattern)| *pattern)
}

/// Returns whether the type has the attribute; true for types that the catalog doesn't know, and
/// where it can't tell.
pub(crate) fn has_attribute(kind: &str, name: &str) -> bool {
    is_custom_resource(kind)
        || resource_type(kind).is_none_or(|known| known.accepts(name) != Some(false))
}

fn attribute_text(
    declared: &DeclaredResource,
    id: &str,
    attribute: &str,
    known: Option<&ResourceType>,
) -> String {
    let name = if declared.kind == "AWS::SecretsManager::Secret" {
        id
    } else {
        last_of_arn(id)
    };
    let source = SeededText::from_seed(&format!("{id} {attribute}"));
    let mut placeholders = Placeholders {
        declared,
        id,
        name,
        source,
        addresses: SeededText::from_seed(id),
    };
    if let Some(pattern) = listed_pattern(declared.kind, attribute) {
        let pattern = expand_special(declared, id, pattern);
        return placeholders.expand(&pattern);
    }
    // A list that the template could set, but doesn't.
    if known.is_some_and(|known| is_list(known, attribute) && !known.read_only.contains(&attribute))
    {
        return String::new();
    }
    if attribute.eq_ignore_ascii_case("arn") || names_own_type(declared, attribute, "arn") {
        return arn::arn(&mut placeholders);
    }
    if let Some(part) = known.and_then(|known| identifying_part(known, id, attribute)) {
        return part.to_owned();
    }
    from_name_suffix(&mut placeholders, attribute)
}

/// Expands placeholders that only attributes have: `{tail}`, `{parent}` and `{beneath}` are parts
/// of the ID, and `{number}` is the same in all attributes of a resource. The host names of
/// instances in us-east-1 don't contain their region.
fn expand_special(declared: &DeclaredResource, id: &str, pattern: &str) -> String {
    let tail = id.rsplit('/').next().unwrap_or(id);
    let parent = id.rsplit('/').nth(1).unwrap_or(id);
    let rest = id.split_once('/').map_or(id, |(_, rest)| rest);
    let number = SeededText::from_seed(id).text("123456789", 10);
    let hosted = format!("Z{}", SeededText::from_seed(id).text(UPPER, 13));
    let (internal, public) = match declared.region {
        "us-east-1" => ("ec2.internal", "compute-1"),
        _ => ("{region}.compute.internal", "{region}.compute"),
    };
    let placeholders = [
        ("{tail}", tail),
        ("{parent}", parent),
        ("{beneath}", rest),
        ("{number}", &number),
        ("{hosted}", &hosted),
        ("{internal}", internal),
        ("{public}", public),
    ];
    placeholders
        .iter()
        .fold(pattern.to_owned(), |text, (word, value)| {
            text.replace(word, value)
        })
}

/// Returns true for `TopicArn` of a topic and `ClusterName` of a cluster: the type's name or its
/// end, followed by `what`.
fn names_own_type(declared: &DeclaredResource, attribute: &str, what: &str) -> bool {
    let attribute = attribute.to_ascii_lowercase();
    let start = attribute.strip_suffix(what);
    start.is_some_and(|start| declared.type_name().to_ascii_lowercase().ends_with(start))
}

/// Returns the part of the ID that is this property.
fn identifying_part<'a>(known: &ResourceType, id: &'a str, property: &str) -> Option<&'a str> {
    let position = known
        .primary_identifier
        .iter()
        .position(|path| *path == property)?;
    match known.primary_identifier.len() {
        1 => Some(id),
        // `Ref` may return only one of the parts; then the others are unknown.
        count if id.split('|').count() == count => id.split('|').nth(position),
        _ => None,
    }
}

fn is_list(known: &ResourceType, attribute: &str) -> bool {
    matches!(known.shape(attribute), Some(Shape::List(_)))
}

/// Returns the text as a value of that shape.
fn shape_value(known: &ResourceType, shape: &Shape, text: &str) -> Value {
    match known.resolve(shape) {
        // The contents of such objects are unknown.
        Some(Shape::List(item)) if matches!(known.resolve(item), Some(Shape::Object(_))) => {
            Value::List(Vec::new())
        }
        Some(Shape::List(item)) => Value::List(
            text.split(',')
                .filter(|part| !part.is_empty())
                .map(|part| shape_value(known, item, part))
                .collect(),
        ),
        Some(Shape::Object(_)) => Value::Map(Default::default()),
        Some(Shape::Json(types)) => match types[..] {
            [JsonType::Boolean] => Value::Bool(false),
            [JsonType::Integer | JsonType::Number] => {
                Value::Number(text.parse().unwrap_or_else(|_| Number::from(1)))
            }
            // The data of a wait condition are JSON in a string.
            [JsonType::Object] if !text.starts_with('{') => Value::Map(Default::default()),
            [JsonType::Array] => Value::List(vec![Value::text(text)]),
            _ => Value::text(text),
        },
        Some(Shape::Anything | Shape::Definition(_)) | None => Value::text(text),
    }
}
