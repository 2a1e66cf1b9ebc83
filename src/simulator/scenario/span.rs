//! Durations as people write them: `500ms`, `30s`, `5m`, `1.5h`.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// What a length of time looks like. Nothing takes longer than four digits of hours.
pub(super) const PATTERN: &str = r"^\d{1,7}(\.\d{1,3})?(ms|s|m)$|^\d{1,4}(\.\d{1,3})?h$";

impl Span {
    pub fn parse(text: &str) -> Option<Self> {
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = text.split_at(unit_at);
        let seconds = match unit {
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let tame = number.len() <= 11 && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number: f64 = number.parse().ok().filter(|_| tame)?;
        Duration::try_from_secs_f64(number * seconds).ok().map(Self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no duration")))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": PATTERN, "examples": ["500ms", "30s", "5m", "1.5h"]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let pattern = regex::Regex::new(PATTERN).unwrap();
        let check = |text: &str, millis: Option<u64>| {
            let found = Span::parse(text).filter(|_| pattern.is_match(text));
            assert_eq!(found.map(|span| span.0), millis.map(Duration::from_millis), "{text}");
        };
        check("500ms", Some(500));
        check("30s", Some(30_000));
        check("1.5s", Some(1_500));
        check("5m", Some(300_000));
        check("1.5h", Some(5_400_000));
        check("0s", Some(0));
        check("", None);
        check("30", None);
        check("-1s", None);
        check("1d", None);
        check("s", None);
        check("1..5s", None);
        check("99999999s", None);
        check("nans", None);
    }
}
