//! The tree that parsing returns, and access to its values.

use serde_json::{Map, Number};

use crate::diagnostic::Position;

/// A value with its position in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: NodeValue,
    /// The local tag as written, with its `!`: `!Ref`, `!GetAtt`. Core tags (`!!str`) are resolved
    /// and not kept. A scalar with a local tag is always a [`NodeValue::String`].
    pub tag: Option<Box<str>>,
    /// The source text of a scalar, without quotes and before resolution (`010` for 8); empty for
    /// collections.
    pub text: Box<str>,
    /// Where the value itself starts, after its tag and anchor. A value reached through an alias
    /// keeps its own position.
    pub at: Position,
}

/// A value, resolved by the rules of YAML 1.1.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// `null`, `~` or an absent value.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer. One that doesn't fit into 64 bits is a [`NodeValue::String`] of its decimal
    /// digits.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A YAML 1.1 timestamp as Python's `str()` formats it: `2012-10-17`, `2001-12-14
    /// 21:59:43.100000`.
    Timestamp(Box<str>),
    /// A string.
    String(Box<str>),
    /// A list.
    Sequence(Vec<Node>),
    /// Entries in the order of the file, merge keys (`<<`) expanded. [`Node::get`] returns the last
    /// of duplicates.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// Returns the value of a mapping's key; the last one of duplicates. Keys are compared by their
    /// source text, so `get("on")` finds the key `on`, although YAML 1.1 reads it as a boolean.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .rev()
            .find(|(k, _)| k.is_scalar() && &*k.text == key)
            .map(|(_, value)| value)
    }

    /// Returns a mapping's entries; empty for other values.
    pub fn entries(&self) -> &[(Node, Node)] {
        self.as_mapping().unwrap_or_default()
    }

    /// Returns a mapping's entries, or `None` for other values.
    pub fn as_mapping(&self) -> Option<&[(Node, Node)]> {
        match &self.value {
            NodeValue::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns a list's items, or `None` for other values.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            NodeValue::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the text of a string, or `None` for other values, including numbers and dates.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns an integer, or `None` for other values.
    pub fn as_int(&self) -> Option<i64> {
        match self.value {
            NodeValue::Int(value) => Some(value),
            _ => None,
        }
    }

    /// Returns a boolean, or `None` for other values.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            NodeValue::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Returns whether the value is null.
    pub fn is_null(&self) -> bool {
        self.value == NodeValue::Null
    }

    /// Returns whether the value is neither a mapping nor a list.
    pub fn is_scalar(&self) -> bool {
        !matches!(self.value, NodeValue::Sequence(_) | NodeValue::Mapping(_))
    }

    /// Returns the kind of value in words for a message: "a list", "text", "a whole number".
    pub fn kind_name(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "true or false",
            NodeValue::Int(_) => "a whole number",
            NodeValue::Float(_) => "a number",
            NodeValue::Timestamp(_) => "a date",
            NodeValue::String(_) => "text",
            NodeValue::Sequence(_) => "a list",
            NodeValue::Mapping(_) => "a mapping",
        }
    }

    /// Converts to JSON without tags and positions. Values that JSON can't represent (dates,
    /// infinities, keys other than strings) become strings; the last one of duplicates is kept.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            NodeValue::Null => serde_json::Value::Null,
            NodeValue::Bool(value) => (*value).into(),
            NodeValue::Int(value) => (*value).into(),
            NodeValue::Float(value) => match Number::from_f64(*value) {
                Some(number) => number.into(),
                None => value.to_string().to_lowercase().into(),
            },
            NodeValue::Timestamp(text) | NodeValue::String(text) => text.as_ref().into(),
            NodeValue::Sequence(items) => items.iter().map(Node::to_json).collect(),
            NodeValue::Mapping(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| (key.to_json_key(), value.to_json()));
                entries.collect::<Map<_, _>>().into()
            }
        }
    }

    /// Returns a mapping key as a JSON key: a string as it is, anything else as its JSON text.
    fn to_json_key(&self) -> String {
        match self.to_json() {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    fn parse(text: &str) -> Node {
        crate::yaml::parse(&Arc::from(Path::new("f.yml")), text)
            .root
            .unwrap()
    }

    #[test]
    fn get_compares_keys_by_text_and_returns_the_last() {
        let node = parse("{a: 1, a: 2, on: 3, 010: 4, 'q': 5}");
        let check = |key: &str, expect: Option<i64>| {
            assert_eq!(
                node.get(key).map(|n| n.value.clone()),
                expect.map(NodeValue::Int),
                "{key}"
            );
        };
        check("a", Some(2));
        check("on", Some(3));
        check("010", Some(4));
        check("q", Some(5));
        check("8", None);
        assert_eq!(parse("[a]").get("a"), None);
    }

    #[test]
    fn every_value_converts_to_json() {
        let check = |text: &str, expect: &str| {
            assert_eq!(parse(text).to_json().to_string(), expect, "{text}")
        };
        check(
            "{1: a, yes: b, ~: c, 1.5: d, 2012-10-17: e}",
            r#"{"1":"a","true":"b","null":"c","1.5":"d","2012-10-17":"e"}"#,
        );
        check(
            "[.inf, -.inf, .nan, 2012-10-17, ~]",
            r#"["inf","-inf","nan","2012-10-17",null]"#,
        );
        check("{a: 1, b: 2, a: 3}", r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn kinds_have_names() {
        let check =
            |text: &str, expect: &str| assert_eq!(parse(text).kind_name(), expect, "{text}");
        check("~", "nothing");
        check("off", "true or false");
        check("1", "a whole number");
        check("1.5", "a number");
        check("2012-10-17", "a date");
        check("x", "text");
        check("[]", "a list");
        check("{}", "a mapping");
    }
}
