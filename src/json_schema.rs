//! Shared parts of the published JSON Schemas. `config`, `plan`, `report` and the simulator
//! generate theirs from their types.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

/// Returns the JSON Schema (2020-12) of a document that taskcat writes.
pub(crate) fn of_output<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(schemars::transform::RecursiveTransform(join_lines))
        .into_generator()
        .into_root_schema_for::<T>()
}

/// Joins the lines of each paragraph of a description, since doc comments are wrapped at the width
/// of the source.
pub(crate) fn join_lines(schema: &mut Schema) {
    if let Some(serde_json::Value::String(description)) = schema.get_mut("description") {
        let paragraphs: Vec<String> = description
            .split("\n\n")
            .map(|paragraph| paragraph.replace('\n', " "))
            .collect();
        *description = paragraphs.join("\n\n");
    }
}
