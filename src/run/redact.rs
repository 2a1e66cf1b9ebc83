//! Secrets are taken out of whatever AWS, hooks and programs say, before anybody sees it.

use serde_json::Value;

use crate::event::Happening;
use crate::template;

/// The fields that carry other people's words. Ids, names and statuses are left as they are: a secret that happens to
/// be called like a test must not rename the test.
const FREE_TEXT: [&str; 10] =
    ["message", "reason", "error", "output", "value", "description", "export_name", "physical_id", "before", "after"];

/// The secret values of a run. Short ones can't be searched for: they would take ordinary words to pieces.
#[derive(Default)]
pub(super) struct Secrets(template::Secrets);

impl Secrets {
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        Self(template::Secrets::long(values))
    }

    /// The happening with every secret in every free text masked.
    pub fn redact(&self, happening: Happening) -> Happening {
        if self.0.is_empty() {
            return happening;
        }
        let Ok(mut value) = serde_json::to_value(&happening) else { return happening };
        if !self.mask(&mut value) {
            return happening;
        }
        // Only texts have changed, so the value still reads as what it was.
        serde_json::from_value(value).unwrap_or_else(|_| Happening::Warning {
            cell: None,
            message: "an event held a secret and was dropped".into(),
        })
    }

    /// Masks the free texts in place and says whether there was anything to mask.
    fn mask(&self, value: &mut Value) -> bool {
        match value {
            Value::Array(items) => items.iter_mut().fold(false, |found, item| self.mask(item) | found),
            Value::Object(entries) => entries.iter_mut().fold(false, |found, (key, item)| match item {
                Value::String(text) if FREE_TEXT.contains(&key.as_str()) => self.mask_text(text) | found,
                item => self.mask(item) | found,
            }),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn mask_text(&self, text: &mut String) -> bool {
        let masked = self.0.mask(text);
        let found = masked != *text;
        *text = masked;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let secrets = Secrets::new(["hunter2".to_owned(), "hunter2hunter2".to_owned(), "abc".to_owned()]);
        let check = |message: &str, expect: &str| {
            let warning = |message: &str| Happening::Warning { cell: None, message: message.to_owned() };
            assert_eq!(secrets.redact(warning(message)), warning(expect));
        };
        check("Parameter Password with value hunter2 is too short", "Parameter Password with value **** is too short");
        check("hunter2hunter2", "****");
        check("abc is too short to be searched for", "abc is too short to be searched for");
        check("nothing here", "nothing here");
    }
}
