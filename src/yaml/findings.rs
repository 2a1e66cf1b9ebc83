//! What is found wrong while a file is read: placed, bounded in number, and as severe as the file's dialect says.
//!
//! `compose` and `json` report here; neither of them knows how many findings there are already.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::Dialect;
use super::node::{Node, Value};
use crate::diagnostic::{Diagnostic, Location, Position, Severity};

/// How many diagnostics of one file and severity are kept: a file that is wrong everywhere is wrong once.
pub const MAX_DIAGNOSTICS: usize = 200;

/// So many characters of what the file holds are repeated in a message.
const MAX_SHOWN: usize = 60;

/// In a mapping of so many entries, looking through them beats hashing them.
const FEW_ENTRIES: usize = 12;

pub struct Findings<'a> {
    file: &'a Arc<Path>,
    pub dialect: Dialect,
    errors: usize,
    warnings: usize,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Findings<'a> {
    pub fn new(file: &'a Arc<Path>, dialect: Dialect) -> Self {
        Self { file, dialect, errors: 0, warnings: 0, diagnostics: Vec::new() }
    }

    /// All of them, in the order of the file.
    pub fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.location.as_ref().map(|location| location.at));
        self.diagnostics
    }

    pub fn error(&mut self, at: Position, message: impl FnOnce() -> String) {
        self.add(Severity::Error, at, || Diagnostic::error(message()));
    }

    pub fn warning(&mut self, at: Position, message: impl FnOnce() -> String) {
        self.add(Severity::Warning, at, || Diagnostic::warning(message()));
    }

    /// Adds a finding of the given severity, and makes it only if there is room for it.
    pub fn add(&mut self, severity: Severity, at: Position, finding: impl FnOnce() -> Diagnostic) {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count < MAX_DIAGNOSTICS {
            *count += 1;
            let location = Location { file: self.file.clone(), at };
            self.diagnostics.push(Diagnostic { severity, ..finding() }.at(location));
        }
    }

    /// Keys that stand in a mapping more than once. PyYAML takes the last one, and so does CloudFormation, which says
    /// nothing of it; but then what stands before it is in vain, so in a template it is an error
    /// (<https://github.com/aws-cloudformation/cfn-language-discussion/issues/96>).
    pub fn duplicate_keys(&mut self, entries: &[(Node, Node)]) {
        if entries.len() <= FEW_ENTRIES {
            for (index, (key, _)) in entries.iter().enumerate() {
                let same = |(other, _): &&(Node, Node)| self.dialect.identity(other) == self.dialect.identity(key);
                if let Some((first, _)) = entries.iter().take(index).rev().find(same) {
                    self.duplicate_key(key, first.at);
                }
            }
            return;
        }
        let mut seen = HashMap::with_capacity(entries.len());
        for (key, _) in entries {
            if let Some(first) = seen.insert(self.dialect.identity(key), key.at) {
                self.duplicate_key(key, first);
            }
        }
    }

    fn duplicate_key(&mut self, key: &Node, first: Position) {
        let (severity, what_counts) = match self.dialect {
            Dialect::PyYaml => (Severity::Warning, "the later one counts"),
            Dialect::CloudFormation => (Severity::Error, "CloudFormation takes the later one without a word"),
        };
        self.add(severity, key.at, || {
            Diagnostic::error(format!("`{}` stands twice in this mapping; {what_counts}", shown(&key.text)))
                .help(format!("the earlier one is at line {}, column {}", first.line, first.column))
        });
    }
}

/// A mapping key as far as it makes two entries the same.
#[derive(PartialEq, Eq, Hash)]
pub enum Identity<'n> {
    Text(&'n str),
    Null,
    Bool(bool),
    Int(i64),
    /// By its bits.
    Float(u64),
    Timestamp(&'n str),
}

impl Dialect {
    /// For PyYAML, text and what only looks like it are different keys: `1` and `"1"`. CloudFormation's keys are text.
    pub fn identity<'n>(self, key: &'n Node) -> Identity<'n> {
        match (self, &key.value) {
            (Dialect::CloudFormation, _) => Identity::Text(&key.text),
            (Dialect::PyYaml, Value::Null) => Identity::Null,
            (Dialect::PyYaml, Value::Bool(value)) => Identity::Bool(*value),
            (Dialect::PyYaml, Value::Int(value)) => Identity::Int(*value),
            (Dialect::PyYaml, Value::Float(value)) => Identity::Float(value.to_bits()),
            (Dialect::PyYaml, Value::Timestamp(text)) => Identity::Timestamp(text),
            (Dialect::PyYaml, Value::String(text)) => Identity::Text(text),
            // No key is a collection; `compose` refuses it.
            (Dialect::PyYaml, Value::Sequence(_) | Value::Mapping(_)) => Identity::Null,
        }
    }
}

/// A text of the file as a message repeats it: on one line, and not too much of it.
pub fn shown(text: &str) -> Cow<'_, str> {
    let end = text.char_indices().nth(MAX_SHOWN).map_or(text.len(), |(end, _)| end);
    match text.get(..end) {
        Some(start) if end < text.len() => format!("{}…", start.escape_debug()).into(),
        _ if text.contains(char::is_control) => text.escape_debug().to_string().into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shown_short_and_on_one_line() {
        let check = |text: &str, expect: &str| assert_eq!(shown(text), expect);
        check("", "");
        check("Queue", "Queue");
        check("grün \"quoted\"", "grün \"quoted\"");
        check("a\nb\u{1b}", "a\\nb\\u{1b}");
        check(&"ü".repeat(60), &"ü".repeat(60));
        check(&"ü".repeat(61), &format!("{}…", "ü".repeat(60)));
    }
}
