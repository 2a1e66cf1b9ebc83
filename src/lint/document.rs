//! Writes a template as JSON for the lint engine, and finds the template's positions again.
//!
//! The engine would read YAML itself, but refuses some of what CloudFormation accepts, and its
//! positions would be those of another reader. Each key and each value has a line of its own, so
//! that the line of a finding is enough to tell which one it is about.

use std::fmt::Write;

use crate::diagnostic::Position;
use crate::template::Template;
use crate::yaml::{Node, NodeValue};

/// A template as JSON.
pub(super) struct LintDocument {
    pub text: String,
    /// The position in the template for each line.
    positions: Vec<Position>,
}

/// Names of the members of a template that matter here.
const PARAMETERS: &str = "Parameters";
const DEFAULT: &str = "Default";
const ALLOWED_PATTERN: &str = "AllowedPattern";

impl LintDocument {
    /// Writes a template. The named parameters lose their default, since a value that isn't known
    /// replaces it.
    pub(super) fn of(template: &Template, without_default: &[String]) -> Self {
        Self::without(template, |parameter, key| {
            key == DEFAULT && without_default.iter().any(|it| it == parameter)
        })
    }

    /// Writes a template without what the schemas of resources don't depend on: patterns of
    /// parameters, since the engine may take a second to compile one.
    pub(super) fn for_schemas(template: &Template, without_default: &[String]) -> Self {
        Self::without(template, |parameter, key| {
            key == ALLOWED_PATTERN
                || key == DEFAULT && without_default.iter().any(|it| it == parameter)
        })
    }

    /// Writes a template; `is_left_out` is asked about each key of each parameter.
    fn without(template: &Template, is_left_out: impl Fn(&str, &str) -> bool) -> Self {
        let mut document = Self {
            text: String::new(),
            positions: Vec::new(),
        };
        document.mapping(&template.root, |document, key, value| match key {
            PARAMETERS => document.parameters(value, &is_left_out),
            _ => document.value(value),
        });
        document
    }

    /// Returns the template's position for a line of the JSON, which counts from 1.
    pub(super) fn position(&self, line: u32) -> Option<Position> {
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        self.positions.get(index).copied()
    }

    fn parameters(&mut self, parameters: &Node, is_left_out: &impl Fn(&str, &str) -> bool) {
        if parameters.as_mapping().is_none() {
            return self.value(parameters);
        }
        self.mapping(parameters, |document, name, parameter| {
            let is_kept = |key: &str| !is_left_out(name, key);
            if parameter
                .entries()
                .iter()
                .all(|(key, _)| is_kept(&key.text))
            {
                return document.value(parameter);
            }
            let kept = parameter.entries().iter();
            let kept = kept.filter(|(key, _)| is_kept(&key.text)).cloned();
            document.value(&Node {
                value: NodeValue::Mapping(kept.collect()),
                ..parameter.clone()
            });
        });
    }

    fn value(&mut self, node: &Node) {
        match &node.value {
            NodeValue::Sequence(items) => {
                self.line(node.at, "[");
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.line(item.at, ",");
                    }
                    self.value(item);
                }
                self.line(node.at, "]");
            }
            NodeValue::Mapping(_) => self.mapping(node, |document, _, value| document.value(value)),
            _ => self.line(node.at, &node.to_json().to_string()),
        }
    }

    /// Writes a mapping; `write` writes each value.
    fn mapping(&mut self, node: &Node, write: impl Fn(&mut Self, &str, &Node)) {
        self.line(node.at, "{");
        for (index, (key, value)) in node.entries().iter().enumerate() {
            if index > 0 {
                self.line(key.at, ",");
            }
            let name = match key.to_json() {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            let quoted = serde_json::Value::from(name);
            self.line(key.at, &format!("{quoted}:"));
            write(self, &key.text, value);
        }
        self.line(node.at, "}");
    }

    fn line(&mut self, at: Position, text: &str) {
        // Writing to a string can't fail.
        let _ = writeln!(self.text, "{text}");
        self.positions.push(at);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    fn template(text: &str) -> Template {
        let file = Arc::from(Path::new("t.yaml"));
        Template::parse(&file, "t.yaml".to_owned(), text).0.unwrap()
    }

    const TEXT: &str = "Parameters:\n  A: {Type: String, Default: \"x\\ny\"}\n\
        Resources:\n  T:\n    Type: AWS::SNS::Topic\n    Properties:\n      TopicName: !Ref A\n";

    #[test]
    fn the_json_is_the_template_in_long_form() {
        let template = template(TEXT);
        let document = LintDocument::of(&template, &[]);
        let json: serde_json::Value = serde_json::from_str(&document.text).unwrap();
        assert_eq!(json, template.root.to_json());
        assert_eq!(document.text.lines().count(), document.positions.len());
    }

    #[test]
    fn each_key_and_value_has_its_position() {
        let document = LintDocument::of(&template(TEXT), &[]);
        let at = |text: &str| {
            let line = document.text.lines().position(|line| line == text).unwrap();
            let Position { line, column } = document.position(line as u32 + 1).unwrap();
            (line, column)
        };
        assert_eq!(at("\"T\":"), (4, 3));
        assert_eq!(at("\"TopicName\":"), (7, 7));
        assert_eq!(at("\"AWS::SNS::Topic\""), (5, 11));
        assert_eq!(at("\"x\\ny\""), (2, 30));
        assert_eq!(document.position(0), None);
        assert_eq!(document.position(u32::MAX), None);
    }

    #[test]
    fn schemas_need_no_patterns() {
        let text = TEXT.replace("Default:", "AllowedPattern: 'x.*', Default:");
        let check = |without_default: &[String], expect: serde_json::Value| {
            let document = LintDocument::for_schemas(&template(&text), without_default);
            let json: serde_json::Value = serde_json::from_str(&document.text).unwrap();
            assert_eq!(json["Parameters"]["A"], expect);
        };
        check(
            &[],
            serde_json::json!({"Type": "String", "Default": "x\ny"}),
        );
        check(&["A".to_owned()], serde_json::json!({"Type": "String"}));
    }

    #[test]
    fn a_default_can_be_left_out() {
        let document = LintDocument::of(&template(TEXT), &["A".to_owned()]);
        let json: serde_json::Value = serde_json::from_str(&document.text).unwrap();
        assert_eq!(
            json["Parameters"],
            serde_json::json!({"A": {"Type": "String"}})
        );
    }
}
