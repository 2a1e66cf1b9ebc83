//! Dynamic references: `{{resolve:ssm:name:version}}` and its like, in texts that are handed to a service
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>).
//!
//! Functions take them as the text that they are; only what a resource is created with is resolved.

use super::{Evaluator, Value};
use crate::diagnostic::Position;
use crate::template::value::{Failures, together};

const OPEN: &str = "{{resolve:";
const CLOSE: &str = "}}";

impl Evaluator<'_> {
    /// The value with every dynamic reference in it replaced by what it stands for.
    pub(super) fn resolved(&self, value: Value, at: Position) -> Result<Value, Failures> {
        Ok(match value {
            Value::String(text) if text.contains(OPEN) => self.resolved_text(&text, at)?,
            Value::List(items) => Value::List(together(items.into_iter().map(|item| self.resolved(item, at)))?),
            Value::Map(entries) => {
                let entries = entries.into_iter().map(|(key, value)| Ok((key, self.resolved(value, at)?)));
                Value::Map(together(entries)?.into_iter().collect())
            }
            other => other,
        })
    }

    fn resolved_text(&self, text: &str, at: Position) -> Result<Value, Failures> {
        let mut known = String::new();
        let mut unknowns = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(OPEN) {
            let Some(length) = rest[start..].find(CLOSE) else { break };
            let end = start + length + CLOSE.len();
            known.push_str(&rest[..start]);
            let reference = &rest[start..end];
            if has_label(reference) {
                let message = format!("Incorrect format is used in the following SSM reference: [{reference}]");
                return Err(self.fail(at, message));
            }
            match self.world.dynamic_reference(reference).map_err(|message| self.fail(at, message))? {
                Value::Unknown(unknown) => unknowns.push(unknown),
                value => known.push_str(&value.as_text().unwrap_or_default()),
            }
            rest = &rest[end..];
        }
        known.push_str(rest);
        Ok(match super::Unknown::all(unknowns) {
            Some(unknown) => unknown.into(),
            None => Value::String(known),
        })
    }
}

/// Whether a stored parameter's version is something else than a number: labels are refused.
fn has_label(reference: &str) -> bool {
    let inner = reference.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE)).unwrap_or_default();
    let stored = inner.strip_prefix("ssm:").or_else(|| inner.strip_prefix("ssm-secure:"));
    let version = stored.and_then(|stored| stored.split_once(':')).map(|(_, version)| version);
    version.is_some_and(|version| !version.contains(':') && !version.bytes().all(|byte| byte.is_ascii_digit()))
}
