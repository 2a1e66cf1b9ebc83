//! `docs/reference/configuration.md` is generated from the JSON Schema of the configuration.
//! `UPDATE_REFERENCE=1 cargo test --test it -- configuration_reference` writes it again; a key
//! without an example gets one by `examples` in `src/config/schema.rs`.

use std::env;
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use super::markdown::root;

const PAGE: &str = "docs/reference/configuration.md";

const HEAD: &str = "\
# Configuration

<!-- Generated from schemas/taskcat-config.schema.json by tests/regenerate.sh. -->

All keys of `.taskcat.yml`, `~/.taskcat.yml` and `Metadata.taskcat` of a template. A configuration
has three sections: `general`, `project`, and `tests` with a section for each test.
[Another page](layers.md) says which value counts if several are set. `taskcat config show` prints
the result, and `taskcat schema` the JSON Schema.

Durations are written as `500ms`, `30s`, `5m`, `1.5h` or `1h30m`.
";

/// A key, and the sections that have it, each with its schema.
struct Key<'a> {
    name: &'a str,
    sections: Vec<(&'static str, &'a Value)>,
}

#[test]
fn the_reference_is_current() {
    let schema = fs::read(root().join("schemas/taskcat-config.schema.json")).unwrap();
    let schema: Value = serde_json::from_slice(&schema).unwrap();
    let page = page(&schema);
    if env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(root().join(PAGE), &page).unwrap();
    }
    let written = fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    assert!(
        page == written,
        "{PAGE} is not current: run tests/regenerate.sh"
    );
}

fn page(schema: &Value) -> String {
    let mut page = HEAD.to_owned();
    let keys = keys(schema);
    page.push_str("\n| key | in | what it sets |\n|---|---|---|\n");
    for key in &keys {
        let sections: Vec<&str> = key.sections.iter().map(|(name, _)| *name).collect();
        let (name, sections) = (key.name, sections.join(", "));
        let description = description(key.sections[0].1);
        writeln!(page, "| [`{name}`](#{name}) | {sections} | {description} |").unwrap();
    }
    for key in &keys {
        section(&mut page, key);
    }
    page
}

fn keys(schema: &Value) -> Vec<Key<'_>> {
    let mut keys: Vec<Key> = Vec::new();
    for (section, definition) in [
        ("general", "GeneralConfig"),
        ("project", "ProjectConfig"),
        ("tests", "TestConfig"),
    ] {
        let properties = &schema["definitions"][definition]["properties"];
        for (name, value) in properties.as_object().unwrap() {
            match keys.iter_mut().find(|key| key.name == name) {
                Some(key) => key.sections.push((section, value)),
                None => keys.push(Key {
                    name,
                    sections: vec![(section, value)],
                }),
            }
        }
    }
    keys.sort_by_key(|key| key.name);
    keys
}

/// A key's description, without what only one of its sections says.
fn description(value: &Value) -> &str {
    let text = value["description"].as_str().unwrap_or_default();
    text.split(';').next().unwrap()
}

fn section(page: &mut String, key: &Key) {
    writeln!(page, "\n## {}\n", key.name).unwrap();
    let texts = key
        .sections
        .iter()
        .map(|(_, value)| value["description"].as_str());
    let texts: Vec<&str> = texts.map(Option::unwrap_or_default).collect();
    if texts.iter().all(|text| *text == texts[0]) {
        let names: Vec<String> = key.sections.iter().map(|(name, _)| in_code(name)).collect();
        writeln!(page, "{}. In {}.", texts[0], names.join(", ")).unwrap();
    } else {
        for ((name, _), text) in key.sections.iter().zip(&texts) {
            writeln!(page, "- in `{name}`: {text}").unwrap();
        }
    }
    let (section, value) = key
        .sections
        .iter()
        .find(|(name, _)| *name == "project")
        .unwrap_or(&key.sections[0]);
    if let Some(values) = value["enum"].as_array() {
        let values: Vec<String> = values
            .iter()
            .map(|it| in_code(it.as_str().unwrap()))
            .collect();
        writeln!(page, "\nOne of {}.", values.join(", ")).unwrap();
    }
    let example = example(key.name, value);
    let entry = match example {
        Value::Object(_) | Value::Array(_) if !is_flat(&example) => {
            format!("{}:\n{}", key.name, indented(&block(&example)))
        }
        _ => format!("{}: {}\n", key.name, flow(&example)),
    };
    let entry = if *section == "tests" {
        format!("tests:\n  default:\n{}", indented(&indented(&entry)))
    } else {
        format!("{section}:\n{}", indented(&entry))
    };
    writeln!(page, "\n```yaml\n{entry}```").unwrap();
}

fn in_code(text: &str) -> String {
    format!("`{text}`")
}

fn example(name: &str, value: &Value) -> Value {
    if let Some(example) = value["examples"].get(0) {
        return example.clone();
    }
    if let Some(values) = value["enum"].as_array() {
        return values.last().unwrap().clone();
    }
    match value["type"].as_str() {
        Some("boolean") => Value::Bool(!value["description"].as_str().unwrap().contains("false")),
        _ => panic!("`{name}` has no example: add `examples` in src/config/schema.rs"),
    }
}

fn is_flat(value: &Value) -> bool {
    let is_simple = |value: &Value| !value.is_object() && !value.is_array();
    match value {
        Value::Array(items) => items.iter().all(is_simple),
        Value::Object(entries) => entries.values().all(is_simple),
        _ => true,
    }
}

/// YAML's notation on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries: Vec<String> = entries
                .map(|(key, value)| format!("{key}: {}", flow(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// YAML's notation on several lines.
fn block(value: &Value) -> String {
    match value {
        Value::Array(items) => items
            .iter()
            .map(|item| format!("- {}", indented(&block(item)).trim_start()))
            .collect(),
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| match value {
                Value::Object(_) | Value::Array(_) if !is_flat(value) => {
                    format!("{key}:\n{}", indented(&block(value)))
                }
                _ => format!("{key}: {}\n", flow(value)),
            })
            .collect(),
        other => format!("{}\n", flow(other)),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Whether a text needs no quotes.
fn is_plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || "./".contains(first))
        && !text.contains([',', '#', '[', ']', '{', '}', '"'])
        && !text.contains(": ")
}
