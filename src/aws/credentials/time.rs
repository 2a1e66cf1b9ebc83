//! Times as credentials carry them.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Returns the time of a text such as `2026-01-31T12:00:00Z`, `…+00:00` or the AWS CLI's `…UTC`.
/// Without a zone it is UTC.
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    let zoned = text
        .strip_suffix("UTC")
        .map(|it| format!("{}Z", it.trim_end()));
    let text = zoned.as_deref().unwrap_or(text);
    let timestamp = text.parse::<Timestamp>().ok();
    let civil = || {
        TimeZone::UTC
            .to_timestamp(text.parse::<DateTime>().ok()?)
            .ok()
    };
    SystemTime::try_from(timestamp.or_else(civil)?).ok()
}

/// `2026-01-31T12:00:00Z`
pub(super) fn format(time: SystemTime) -> String {
    let timestamp = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_all_their_forms() {
        let expected = parse("2026-01-31T12:00:00Z");
        assert!(expected.is_some());
        for text in [
            "2026-01-31T12:00:00UTC",
            "2026-01-31T12:00:00+00:00",
            "2026-01-31T13:00:00+01:00",
            "2026-01-31T12:00:00",
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse("soon"), None);
        assert_eq!(format(expected.unwrap()), "2026-01-31T12:00:00Z");
    }
}
