//! Masks secrets: values of `NoEcho` parameters, generated passwords, fetched secrets.
//!
//! A secret can be part of any evaluated text, so texts are searched for secrets before they are
//! shown.

use std::cmp::Reverse;

use serde_json::Value as Json;

/// Text that replaces a secret.
pub const MASK: &str = "****";

/// Length in bytes below which a secret is masked only as a whole word: as part of other words it
/// would mask ordinary text.
const SHORTEST: usize = 4;

/// Secret values, longest first, so that masking one can't leave a part of another that contains
/// it.
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Creates a set of secrets; empty values are ignored.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<_> = values
            .into_iter()
            .filter(|value| !value.is_empty())
            .collect();
        values.sort_unstable_by(|a, b| (Reverse(a.len()), a).cmp(&(Reverse(b.len()), b)));
        values.dedup();
        Self(values)
    }

    /// Creates a set of only those values that are long enough to be masked inside other words.
    pub fn long(values: impl IntoIterator<Item = String>) -> Self {
        Self::new(values.into_iter().filter(|value| value.len() >= SHORTEST))
    }

    /// Returns whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the text with every secret masked.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for secret in &self.0 {
            if secret.len() >= SHORTEST {
                masked = masked.replace(secret.as_str(), MASK);
            } else {
                masked = alone(&masked, secret);
            }
        }
        masked
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

/// Masks a word where it isn't adjacent to a letter or digit.
fn alone(text: &str, word: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let last = before
            .chars()
            .next_back()
            .or_else(|| masked.chars().next_back());
        let beside = [last, after.chars().next()];
        masked.push_str(before);
        masked.push_str(if beside.into_iter().flatten().any(char::is_alphanumeric) {
            word
        } else {
            MASK
        });
        rest = after;
    }
    masked + rest
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
}
