//! Masks secrets: values of `NoEcho` parameters, generated passwords, fetched secrets.
//!
//! A secret can be part of any evaluated text, so texts are searched for secrets before they are
//! shown.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use serde_json::Value as Json;

/// Text that replaces a secret.
pub const MASK: &str = "****";

/// Length in bytes below which a secret is masked only as a whole word: as part of other words it
/// would mask ordinary text.
const SHORTEST: usize = 4;

/// Secret values, searched for all at once.
#[derive(Clone, Default)]
pub struct Secrets(Matcher);

#[derive(Clone, Default)]
enum Matcher {
    #[default]
    Nothing,
    Values(Arc<AhoCorasick>),
    /// The values couldn't be compiled, so that every text may contain one.
    Everything,
}

impl Secrets {
    /// Creates a set of secrets; empty values are ignored.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<_> = values
            .into_iter()
            .filter(|value| !value.is_empty())
            .collect();
        if values.is_empty() {
            return Self::default();
        }
        let compiled = AhoCorasick::new(values);
        Self(compiled.map_or(Matcher::Everything, |values| {
            Matcher::Values(Arc::new(values))
        }))
    }

    /// Creates a set of only those values that are long enough to be masked inside other words.
    pub fn long(values: impl IntoIterator<Item = String>) -> Self {
        Self::new(values.into_iter().filter(|value| value.len() >= SHORTEST))
    }

    /// Returns whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Matcher::Nothing)
    }

    /// Returns the text with every secret masked, overlapping ones by one mask.
    pub fn mask(&self, text: &str) -> String {
        let secrets = match &self.0 {
            Matcher::Nothing => return text.to_owned(),
            Matcher::Everything => return MASK.to_owned(),
            Matcher::Values(secrets) => secrets,
        };
        let mut spans: Vec<Range<usize>> = secrets
            .find_overlapping_iter(text)
            .map(|found| found.range())
            .filter(|span| span.len() >= SHORTEST || is_word(text, span))
            .collect();
        spans.sort_unstable_by_key(|span| (span.start, Reverse(span.end)));
        let mut masked = String::with_capacity(text.len());
        let mut end = 0;
        for span in spans {
            if end <= span.start {
                masked.push_str(&text[end..span.start]);
                masked.push_str(MASK);
            }
            end = end.max(span.end);
        }
        masked + &text[end..]
    }

    /// Masks all strings in a value except keys.
    pub fn mask_json(&self, value: &mut Json) {
        self.mask_fields(value, &|_| true);
    }

    /// Masks the strings in the fields that `is_text` accepts, by the key of the string or of the
    /// list that contains it. Returns whether any secret was found.
    pub fn mask_fields(&self, value: &mut Json, is_text: &dyn Fn(&str) -> bool) -> bool {
        self.mask_texts(value, is_text, "")
    }

    fn mask_texts(&self, value: &mut Json, is_text: &dyn Fn(&str) -> bool, field: &str) -> bool {
        match value {
            Json::String(text) if is_text(field) => {
                let masked = self.mask(text);
                let has_secret = masked != *text;
                *text = masked;
                has_secret
            }
            Json::Array(items) => items.iter_mut().fold(false, |found, item| {
                self.mask_texts(item, is_text, field) | found
            }),
            Json::Object(entries) => {
                let entries = entries.iter_mut();
                entries.fold(false, |found, (field, item)| {
                    self.mask_texts(item, is_text, field) | found
                })
            }
            Json::String(_) | Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }
}

/// Returns whether a span isn't adjacent to a letter or digit.
fn is_word(text: &str, span: &Range<usize>) -> bool {
    let before = text[..span.start].chars().next_back();
    let after = text[span.end..].chars().next();
    !before.into_iter().chain(after).any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_anywhere_in_a_text() {
        let secrets = Secrets::new(["hunter2", "hunter2hunter2", "ab", "", "é"].map(str::to_owned));
        let check = |text: &str, expect: &str| assert_eq!(secrets.mask(text), expect, "{text}");
        check(
            "Parameter Password with value hunter2 is too short",
            "Parameter Password with value **** is too short",
        );
        check("xhunter2hunter2y", "x****y");
        check("ab", "****");
        check("M::ab::AMI abba cab ab", "M::****::AMI abba cab ****");
        check("abab", "abab");
        check("é-né", "****-né");
        check("", "");
    }

    #[test]
    fn overlapping_secrets_leave_nothing_of_each_other() {
        let secrets = Secrets::new(["1234", "34567890", "0abc"].map(str::to_owned));
        assert_eq!(secrets.mask("<1234567890abc>"), "<****>");
        assert_eq!(secrets.mask("12341234"), "********");
    }
}
