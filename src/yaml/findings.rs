//! Diagnostics found while parsing a file: located, limited in number, with the severity that the
//! file's dialect demands.
//!
//! `compose` and `json` report here; neither of them counts.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::Dialect;
use super::node::{Node, NodeValue};
use crate::diagnostic::{Diagnostic, Location, Position, Severity};

/// Maximum number of diagnostics per file and severity; more of them wouldn't help the user.
pub(super) const MAX_DIAGNOSTICS: usize = 200;

/// Maximum number of characters of the file's text that a message repeats.
const MAX_SHOWN: usize = 60;

/// Number of entries up to which comparing all pairs is faster than hashing.
const FEW_ENTRIES: usize = 12;

pub(super) struct YamlFindings<'a> {
    file: &'a Arc<Path>,
    pub dialect: Dialect,
    errors: usize,
    warnings: usize,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> YamlFindings<'a> {
    pub(super) fn new(file: &'a Arc<Path>, dialect: Dialect) -> Self {
        Self {
            file,
            dialect,
            errors: 0,
            warnings: 0,
            diagnostics: Vec::new(),
        }
    }

    /// Returns all diagnostics in the order of the file.
    pub(super) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.diagnostics
            .sort_by_key(|diagnostic| diagnostic.location.as_ref().map(|location| location.at));
        self.diagnostics
    }

    pub(super) fn error(&mut self, at: Position, message: impl FnOnce() -> String) {
        self.add(Severity::Error, at, || Diagnostic::error(message()));
    }

    pub(super) fn warning(&mut self, at: Position, message: impl FnOnce() -> String) {
        self.add(Severity::Warning, at, || Diagnostic::warning(message()));
    }

    /// Adds a diagnostic of the given severity; builds it only if the limit isn't reached.
    pub(super) fn add(
        &mut self,
        severity: Severity,
        at: Position,
        finding: impl FnOnce() -> Diagnostic,
    ) {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count < MAX_DIAGNOSTICS {
            *count += 1;
            let location = Location {
                file: self.file.clone(),
                at,
            };
            self.diagnostics.push(
                Diagnostic {
                    severity,
                    ..finding()
                }
                .at(location),
            );
        }
    }

    /// Warns about duplicate keys of a mapping. In a template the last entry replaces the first,
    /// and the others are dropped: PyYAML takes the last one, and so does CloudFormation, in YAML
    /// and JSON, silently
    /// (<https://github.com/aws-cloudformation/cfn-language-discussion/issues/96>).
    pub(super) fn settle_duplicates(
        &mut self,
        mut entries: Vec<(Node, Node)>,
    ) -> Vec<(Node, Node)> {
        let duplicates = self.duplicate_keys(&entries);
        if duplicates.is_empty() || self.dialect == Dialect::PyYaml {
            return entries;
        }
        duplicates
            .iter()
            .for_each(|(first, later)| entries.swap(*first, *later));
        let dropped: HashSet<usize> = duplicates.into_iter().map(|(_, later)| later).collect();
        let kept = |(index, entry)| (!dropped.contains(&index)).then_some(entry);
        entries.into_iter().enumerate().filter_map(kept).collect()
    }

    /// Returns pairs of indices: the first entry with a key, and each duplicate of it.
    fn duplicate_keys(&mut self, entries: &[(Node, Node)]) -> Vec<(usize, usize)> {
        let mut duplicates = Vec::new();
        if entries.len() <= FEW_ENTRIES {
            for (index, (key, _)) in entries.iter().enumerate() {
                let same = |(other, _): &(Node, Node)| {
                    self.dialect.identity(other) == self.dialect.identity(key)
                };
                duplicates.extend(
                    entries[..index]
                        .iter()
                        .position(same)
                        .map(|first| (first, index)),
                );
            }
        } else {
            let mut seen = HashMap::with_capacity(entries.len());
            for (index, (key, _)) in entries.iter().enumerate() {
                let first = *seen.entry(self.dialect.identity(key)).or_insert(index);
                duplicates.extend((first < index).then_some((first, index)));
            }
        }
        for (first, later) in &duplicates {
            self.duplicate_key(&entries[*later].0, entries[*first].0.at);
        }
        duplicates
    }

    fn duplicate_key(&mut self, key: &Node, first: Position) {
        let what_counts = match self.dialect {
            Dialect::PyYaml => "the later one counts",
            Dialect::CloudFormation => "CloudFormation takes the later one silently",
        };
        self.add(Severity::Warning, key.at, || {
            Diagnostic::warning(format!(
                "duplicate key `{}`; {what_counts}",
                shown(&key.text)
            ))
            .help(format!(
                "the earlier one is at line {}, column {}",
                first.line, first.column
            ))
        });
    }
}

/// What makes two mapping keys equal.
#[derive(PartialEq, Eq, Hash)]
pub enum KeyIdentity<'n> {
    Text(&'n str),
    Null,
    Bool(bool),
    Int(i64),
    /// By its bit pattern.
    Float(u64),
    Timestamp(&'n str),
}

impl Dialect {
    /// Returns the key's identity. PyYAML tells strings from other scalars (`1` and `"1"`);
    /// CloudFormation's keys are all strings.
    pub fn identity<'n>(self, key: &'n Node) -> KeyIdentity<'n> {
        match (self, &key.value) {
            (Dialect::CloudFormation, _) => KeyIdentity::Text(&key.text),
            (Dialect::PyYaml, NodeValue::Null) => KeyIdentity::Null,
            (Dialect::PyYaml, NodeValue::Bool(value)) => KeyIdentity::Bool(*value),
            (Dialect::PyYaml, NodeValue::Int(value)) => KeyIdentity::Int(*value),
            (Dialect::PyYaml, NodeValue::Float(value)) => KeyIdentity::Float(value.to_bits()),
            (Dialect::PyYaml, NodeValue::Timestamp(text)) => KeyIdentity::Timestamp(text),
            (Dialect::PyYaml, NodeValue::String(text)) => KeyIdentity::Text(text),
            // Keys are never collections; `compose` refuses those.
            (Dialect::PyYaml, NodeValue::Sequence(_) | NodeValue::Mapping(_)) => KeyIdentity::Null,
        }
    }
}

/// Returns a text of the file for use in a message: on one line and shortened.
pub fn shown(text: &str) -> Cow<'_, str> {
    let end = text
        .char_indices()
        .nth(MAX_SHOWN)
        .map_or(text.len(), |(end, _)| end);
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
