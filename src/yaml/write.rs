//! Writes YAML that any parser reads back as the same values.
//!
//! serde_yaml writes YAML 1.2, in which `1:30` and `1_000` need no quotes; YAML 1.1 reads those as
//! numbers.

use serde_json::Value;

use super::is_plain;

/// Returns a value as a YAML document.
pub fn text(value: &Value) -> String {
    match value {
        Value::Object(entries) if !entries.is_empty() => {}
        Value::Array(items) if !items.is_empty() => {}
        scalar => return format!("{}\n", scalar_text(scalar)),
    }
    lines(value)
        .into_iter()
        .map(|line| line.text + "\n")
        .collect()
}

/// A line of YAML without its line break.
pub struct YamlLine {
    /// The line's text.
    pub text: String,
    /// The path of the value on this line, such as `tests.default.regions.0`; absent if there is
    /// none.
    pub leaf: Option<String>,
}

/// Returns a value in block style, with one scalar per line.
pub fn lines(value: &Value) -> Vec<YamlLine> {
    let mut lines = Vec::new();
    write(value, "", 0, &mut lines);
    lines
}

fn write(value: &Value, path: &str, indent: usize, lines: &mut Vec<YamlLine>) {
    let pad = " ".repeat(indent);
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                write_entry(
                    format!("{pad}{}:", string_text(key)),
                    value,
                    below(key),
                    indent,
                    lines,
                );
            }
        }
        Value::Array(items) => {
            for (n, value) in items.iter().enumerate() {
                let first = lines.len();
                write_entry(
                    format!("{pad}-"),
                    value,
                    below(&n.to_string()),
                    indent,
                    lines,
                );
                // A mapping starts on the line of its dash.
                if first + 1 < lines.len() {
                    lines.remove(first);
                    lines
                        .iter_mut()
                        .skip(first)
                        .take(1)
                        .for_each(|line| line.text.replace_range(indent..indent + 2, "- "));
                }
            }
        }
        _ => {}
    }
}

/// Writes a key or dash with its value, on the same line or indented below.
fn write_entry(
    head: String,
    value: &Value,
    path: String,
    indent: usize,
    lines: &mut Vec<YamlLine>,
) {
    let beside = match value {
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Object(_) | Value::Array(_) => {
            lines.push(YamlLine {
                text: head,
                leaf: None,
            });
            return write(value, &path, indent + 2, lines);
        }
        scalar => scalar_text(scalar),
    };
    lines.push(YamlLine {
        text: format!("{head} {beside}"),
        leaf: Some(path),
    });
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => string_text(text),
        other => other.to_string(),
    }
}

/// Returns a string, quoted only if a YAML parser would read it as something else.
fn string_text(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}
