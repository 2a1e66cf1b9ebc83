//! Durations as people write them: `500ms`, `30s`, `5m`, `1.5h`, `1h30m`.
//!
//! Used in configurations, scenario files and on the command line.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration in human notation: numbers with the units `h`, `m`, `s` and `ms`, largest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

/// Regular expression of the notation. Hours have at most four digits.
pub(crate) const PATTERN: &str = r"^(\d{1,4}(\.\d{1,3})?h)?(\d{1,7}(\.\d{1,3})?m)?(\d{1,7}(\.\d{1,3})?s)?(\d{1,7}(\.\d{1,3})?ms)?$";

/// Units and their length in seconds, largest first.
const UNITS: [(&str, f64); 4] = [("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 1e-3)];

/// The text isn't a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as 30s, 5m or 1h30m, found `{0}`")]
pub struct InvalidDuration(String);

impl HumanDuration {
    /// Parses a duration; returns `None` if the text isn't one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut seconds = 0.0;
        let mut units = UNITS.iter();
        while !rest.is_empty() {
            let (number, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
            let unit_end = after
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_end);
            // The iterator only advances, so a unit can't repeat or follow a smaller one.
            let (_, length) = units.find(|(name, _)| *name == unit)?;
            let is_plain = number.len() <= 11
                && number
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'.');
            seconds += number.parse::<f64>().ok().filter(|_| is_plain)? * length;
            rest = after;
        }
        let is_given = !text.is_empty();
        Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|_| is_given)
            .map(Self)
    }
}

impl FromStr for HumanDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or_else(|| InvalidDuration(text.to_owned()))
    }
}

/// Formats in the shortest notation, in whole milliseconds: `1h30m`, `0s`.
impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_millis();
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, length) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if left >= length {
                write!(f, "{}{unit}", left / length)?;
                left %= length;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "HumanDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "pattern": PATTERN,
            "patternErrorMessage": "must be a duration such as 30s, 5m or 1h30m",
            "examples": ["500ms", "30s", "5m", "1.5h", "1h30m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let pattern = regex::Regex::new(PATTERN).unwrap();
        let check = |text: &str, millis: Option<u64>| {
            let found = HumanDuration::parse(text).filter(|_| pattern.is_match(text));
            assert_eq!(
                found.map(|it| it.0),
                millis.map(Duration::from_millis),
                "{text}"
            );
        };
        check("500ms", Some(500));
        check("30s", Some(30_000));
        check("1.5s", Some(1_500));
        check("5m", Some(300_000));
        check("1.5h", Some(5_400_000));
        check("1h30m", Some(5_400_000));
        check("1m5s250ms", Some(65_250));
        check("0s", Some(0));
        check("", None);
        check("30", None);
        check("30m1h", None);
        check("5m5m", None);
        check("1h30", None);
        check("-1s", None);
        check("1d", None);
        check("s", None);
        check("1..5s", None);
        check("99999999s", None);
        check("nans", None);
    }

    #[test]
    fn durations_are_shown_as_they_are_read() {
        for text in ["0s", "250ms", "30s", "5m", "1h30m", "1m5s250ms"] {
            assert_eq!(text.parse::<HumanDuration>().unwrap().to_string(), text);
        }
        assert_eq!(
            "soon".parse::<HumanDuration>().unwrap_err().to_string(),
            "expected a duration such as 30s, 5m or 1h30m, found `soon`"
        );
    }
}
