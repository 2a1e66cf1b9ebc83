//! Shared parts of the published JSON Schemas. `config`, `plan`, `report` and the simulator
//! generate theirs from their types.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use uuid::Uuid;

/// Returns the JSON Schema (2020-12) of a document that taskcat writes, with the `$id` of its name.
pub(crate) fn of_output<T: JsonSchema>(name: &str) -> Schema {
    let schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(schemars::transform::RecursiveTransform(join_lines))
        .into_generator()
        .into_root_schema_for::<T>();
    with_id(schema, name)
}

/// Adds the `$id` of a published schema. It is the same in every version, and a name rather than an
/// address: the schemas aren't on the web; `taskcat schema` prints them.
pub(crate) fn with_id(mut schema: Schema, name: &str) -> Schema {
    let id = Uuid::new_v5(&Uuid::nil(), format!("taskcat schema {name}").as_bytes());
    let at = usize::from(schema.get("$schema").is_some());
    let id = id.urn().to_string().into();
    schema
        .ensure_object()
        .shift_insert(at, "$id".to_owned(), id);
    schema
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
