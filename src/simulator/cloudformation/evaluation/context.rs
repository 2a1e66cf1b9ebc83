//! A resource and its values as change sets show them: JSON in which scalars are strings.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::simulator::cloudformation::resource::ResourceProperties;
use crate::template::Value;

/// The text for a value that is known only after the execution.
pub(crate) const KNOWN_AFTER_APPLY: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// The attributes of a resource that change sets show.
pub(crate) const SHOWN: [&str; 6] = [
    "Properties",
    "Metadata",
    "CreationPolicy",
    "UpdatePolicy",
    "DeletionPolicy",
    "UpdateReplacePolicy",
];

/// Returns a resource's attributes as JSON, with these properties instead of its own.
pub(crate) fn context(body: &IndexMap<String, Value>, properties: &ResourceProperties) -> String {
    let properties = Value::Map(properties.clone());
    let part = |name: &str| {
        if name == "Properties" {
            Some(&properties)
        } else {
            body.get(name)
        }
    };
    let parts = SHOWN
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), json(part(name)?))));
    Json::Object(parts.collect()).to_string()
}

/// Returns a single value: a string, or else JSON with sorted keys.
pub(crate) fn value(value: &Value) -> String {
    match json(value) {
        Json::String(text) => text,
        other => sorted(other).to_string(),
    }
}

fn json(value: &Value) -> Json {
    match value {
        Value::Unknown(_) => KNOWN_AFTER_APPLY.into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, entry)| (key.clone(), json(entry)))
                .collect(),
        ),
        Value::Null | Value::NoValue => Json::Null,
        scalar => scalar.as_text().map_or(Json::Null, Json::String),
    }
}

fn sorted(value: Json) -> Json {
    match value {
        Json::Array(items) => items.into_iter().map(sorted).collect(),
        Json::Object(entries) => {
            let mut entries: Vec<_> = entries
                .into_iter()
                .map(|(key, entry)| (key, sorted(entry)))
                .collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            Json::Object(Map::from_iter(entries))
        }
        scalar => scalar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Unknown;

    #[test]
    fn scalars_are_text_and_unknown_values_are_marked() {
        let unknown = Value::Unknown(Unknown::launched("physical ID of Topic"));
        let tag = |value: Value| {
            Value::Map(
                [
                    ("Value".to_owned(), value),
                    ("Key".to_owned(), Value::text("k")),
                ]
                .into(),
            )
        };
        let properties = [
            ("Flag".to_owned(), Value::Bool(true)),
            ("Tags".to_owned(), Value::List(vec![tag(unknown)])),
        ];
        let body = [
            ("Type".to_owned(), Value::text("T")),
            ("DeletionPolicy".to_owned(), Value::text("Retain")),
        ];
        assert_eq!(
            context(&body.into(), &properties.into()),
            r#"{"Properties":{"Flag":"true","Tags":[{"Value":"{{changeSet:KNOWN_AFTER_APPLY}}","Key":"k"}]},"DeletionPolicy":"Retain"}"#
        );
        assert_eq!(
            value(&tag(Value::Number(1.into()))),
            r#"{"Key":"k","Value":"1"}"#
        );
        assert_eq!(value(&Value::Bool(false)), "false");
    }
}
