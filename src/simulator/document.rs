//! Files in YAML or JSON that are read into a type. The type's schema defines the keys and their
//! values, and all errors of a file are reported at once, each at its position.
//!
//! Scenario and seed files are read this way. They check themselves what the schema can't express,
//! with [`Checker::error`].

use std::path::Path;
use std::sync::Arc;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::diagnostic::{Diagnostic, Location, Position, Severity};
use crate::duration::HumanDuration;
use crate::spelling::{did_you_mean, did_you_mean_one_of};
use crate::yaml::{Node, NodeValue, Parsed};

/// Reads a parsed file as a `T`; an empty file is the default value. `subject` names the file in
/// messages: "the scenario". `rules` checks what the schema can't express.
///
/// # Errors
/// Returns all errors of the file.
pub(super) fn read<T: DeserializeOwned + JsonSchema + Default>(
    file: &Arc<Path>,
    subject: &'static str,
    parsed: Parsed,
    rules: impl FnOnce(&mut Checker, &Node),
) -> Result<T, Vec<Diagnostic>> {
    let schema = schema::<T>().to_value();
    let mut checker = Checker {
        file: file.clone(),
        subject,
        schema,
        diagnostics: parsed.diagnostics,
    };
    let Some(root) = parsed.root.filter(|root| !root.is_null()) else {
        return if checker.diagnostics.is_empty() {
            Ok(T::default())
        } else {
            Err(checker.diagnostics)
        };
    };
    let rule = checker.schema.clone();
    checker.check(&root, &rule, "");
    rules(&mut checker, &root);
    checker
        .diagnostics
        .sort_by_key(|it| it.location.as_ref().map(|location| location.at));
    if checker
        .diagnostics
        .iter()
        .any(|it| it.severity == Severity::Error)
    {
        return Err(checker.diagnostics);
    }
    // The schema and the types agree; should they ever differ, the file is still refused with a
    // reason.
    serde_json::from_value::<T>(root.to_json()).map_err(|error| {
        checker.error(root.at, error.to_string(), None);
        checker.diagnostics
    })
}

/// Returns the JSON Schema (2020-12) of the files that are read as a `T`, as it is published.
#[cfg(test)]
pub(super) fn published<T: JsonSchema>(name: &str) -> Schema {
    crate::json_schema::with_id(schema::<T>(), name)
}

/// Returns the schema without its `$id`.
pub(super) fn schema<T: JsonSchema>() -> Schema {
    let mut settings = SchemaSettings::draft2020_12();
    // Optional values are left out; they are never `null`.
    settings
        .transforms
        .push(Box::new(RecursiveTransform(|schema: &mut Schema| {
            if let Some(Json::Array(types)) = schema.get("type")
                && let [one, Json::String(null)] = types.as_slice()
                && null == "null"
            {
                let one = one.clone();
                schema.insert("type".to_owned(), one);
            }
            if let Some(Json::Array(any)) = schema.get("anyOf")
                && let [Json::Object(one), null] = any.as_slice()
                && null.get("type").is_some_and(|kind| kind == "null")
            {
                let one = one.clone();
                schema.remove("anyOf");
                one.into_iter()
                    .for_each(|(key, value)| drop(schema.insert(key, value)));
            }
            for key in ["default", "format"] {
                schema.remove(key);
            }
        })));
    settings
        .with_transform(RecursiveTransform(crate::json_schema::join_lines))
        .into_generator()
        .into_root_schema_for::<T>()
}

/// Checks a file against its schema, and collects the errors.
pub(crate) struct Checker {
    file: Arc<Path>,
    subject: &'static str,
    schema: Json,
    diagnostics: Vec<Diagnostic>,
}

impl Checker {
    /// Adds an error at a position in the file.
    pub(crate) fn error(&mut self, at: Position, message: String, help: Option<String>) {
        let location = Location {
            file: self.file.clone(),
            at,
        };
        let diagnostic = Diagnostic {
            help,
            ..Diagnostic::error(message).at(location)
        };
        self.diagnostics.push(diagnostic);
    }

    fn check(&mut self, node: &Node, rule: &Json, path: &str) {
        let rule = self.resolved(rule);
        let what = if path.is_empty() {
            self.subject.to_owned()
        } else {
            format!("`{path}`")
        };
        if let Some(tag) = &node.tag {
            return self.error(
                node.at,
                format!("{what} has the unsupported tag `{tag}`"),
                None,
            );
        }
        if let Some(allowed) = choices(&rule) {
            return self.choice(node, &allowed, &what);
        }
        match rule.get("type").and_then(Json::as_str).unwrap_or_default() {
            "object" => self.mapping(node, &rule, path, &what),
            "array" => match node.as_sequence() {
                Some(items) => {
                    let rule = rule.get("items").cloned().unwrap_or_default();
                    items
                        .iter()
                        .enumerate()
                        .for_each(|(n, item)| self.check(item, &rule, &format!("{path}[{n}]")));
                }
                None => self.wrong_type(node, "a list", &what),
            },
            "integer" => self.integer(node, &rule, &what),
            "boolean" if node.as_bool().is_none() => self.wrong_type(node, "true or false", &what),
            "string" => self.text(node, &rule, &what),
            _ => {}
        }
    }

    fn resolved(&self, rule: &Json) -> Json {
        let name = rule
            .get("$ref")
            .and_then(Json::as_str)
            .and_then(|name| name.strip_prefix("#/$defs/"));
        let found = name.and_then(|name| self.schema.get("$defs")?.get(name));
        found.unwrap_or(rule).clone()
    }

    fn mapping(&mut self, node: &Node, rule: &Json, path: &str, what: &str) {
        let Some(entries) = node.as_mapping() else {
            return self.wrong_type(node, "a mapping", what);
        };
        let properties = rule
            .get("properties")
            .and_then(Json::as_object)
            .cloned()
            .unwrap_or_default();
        let others = rule
            .get("additionalProperties")
            .filter(|others| **others != Json::Bool(false));
        for (key, value) in entries {
            match properties.get(&*key.text).or(others) {
                Some(rule) => self.check(value, rule, &inside(path, &key.text)),
                None => {
                    let known: Vec<&str> = properties.keys().map(String::as_str).collect();
                    let help = did_you_mean_one_of(&key.text, &known);
                    self.error(
                        key.at,
                        format!("{what} has no key `{}`", key.text),
                        Some(help),
                    );
                }
            }
        }
        for required in rule
            .get("required")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
        {
            if node.get(required).is_none() {
                self.error(node.at, format!("{what} lacks `{required}`"), None);
            }
        }
    }

    fn choice(&mut self, node: &Node, allowed: &[String], what: &str) {
        match node.as_str() {
            Some(text) if allowed.iter().any(|choice| choice == text) => {}
            Some(text) => {
                let message = format!(
                    "{what} is `{text}`, but must be one of {}",
                    allowed.join(", ")
                );
                let help = did_you_mean(text, allowed.iter().map(String::as_str));
                self.error(node.at, message, help);
            }
            None => self.wrong_type(node, &format!("one of {}", allowed.join(", ")), what),
        }
    }

    fn integer(&mut self, node: &Node, rule: &Json, what: &str) {
        let NodeValue::Int(value) = node.value else {
            return self.wrong_type(node, "a whole number", what);
        };
        let bound = |name: &str| rule.get(name).and_then(Json::as_i64);
        let least = bound("minimum").unwrap_or(0);
        let most = bound("maximum").unwrap_or(i64::from(u32::MAX));
        if value < least || value > most {
            self.error(
                node.at,
                format!("{what} is {value}, but must be between {least} and {most}"),
                None,
            );
        }
    }

    fn text(&mut self, node: &Node, rule: &Json, what: &str) {
        let Some(text) = node.as_str() else {
            let help = node
                .is_scalar()
                .then(|| format!("write it in quotes: \"{}\"", node.text));
            let is_duration = rule.get("pattern").is_some();
            let kind = if is_duration {
                "a duration such as 30s"
            } else {
                "text"
            };
            let message = format!("{what} is {}, but must be {kind}", node.kind_name());
            return self.error(
                node.at,
                message,
                help.filter(|_| !is_duration && !node.is_null()),
            );
        };
        if rule.get("pattern").is_some() && HumanDuration::parse(text).is_none() {
            self.error(
                node.at,
                format!("{what} is `{text}`, but must be a duration such as 30s"),
                None,
            );
        }
    }

    fn wrong_type(&mut self, node: &Node, must_be: &str, what: &str) {
        self.error(
            node.at,
            format!("{what} is {}, but must be {must_be}", node.kind_name()),
            None,
        );
    }
}

/// Returns the path of a key in the mapping at `path`.
fn inside(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Returns the values of an enum, which `schemars` writes in two forms.
fn choices(rule: &Json) -> Option<Vec<String>> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    if let Some(allowed) = rule.get("enum").and_then(Json::as_array) {
        return Some(allowed.iter().filter_map(text).collect());
    }
    let one_of = rule.get("oneOf").and_then(Json::as_array)?;
    let each = |one: &Json| match (one.get("const"), choices(one)) {
        (Some(value), _) => text(value).into_iter().collect(),
        (None, more) => more.unwrap_or_default(),
    };
    Some(one_of.iter().flat_map(each).collect())
}
