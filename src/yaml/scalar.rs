//! Resolves plain scalars of YAML 1.1 like PyYAML's `SafeLoader` (`yaml/resolver.py` and
//! `yaml/constructor.py`).
//!
//! `compose` calls this for every scalar that is neither quoted nor has a local tag.

use super::Dialect;
use super::findings::shown;
use super::node::NodeValue;

/// A scalar that has the form of a value that can't exist, such as `2012-02-31`, with a message
/// about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MalformedScalar(pub String);

/// Resolves a plain scalar without a tag, in PyYAML's order: booleans, floats, integers, null,
/// timestamps, strings. CloudFormation has no timestamps: there, a date is a string.
pub(super) fn resolve(text: &str, dialect: Dialect) -> Result<NodeValue, MalformedScalar> {
    // Most scalars are words; only these first characters can begin anything else.
    let special = text.is_empty()
        || text.starts_with(|c: char| c.is_ascii_digit() || "-+.~yYnNtTfFoO".contains(c));
    if !special {
        return Ok(NodeValue::String(text.into()));
    }
    if let Some(value) = boolean(text) {
        return Ok(NodeValue::Bool(value));
    }
    if let Some(value) = float(text) {
        return Ok(NodeValue::Float(value));
    }
    if looks_like_int(text) {
        return int(text);
    }
    if is_null(text) {
        return Ok(NodeValue::Null);
    }
    if dialect == Dialect::PyYaml && looks_like_timestamp(text) {
        return timestamp(text);
    }
    Ok(NodeValue::String(text.into()))
}

/// Constructs a scalar with an explicit core tag (`!!int "8"`), named without its prefix. Returns
/// `None` for a tag that YAML 1.1 doesn't define for scalars.
pub(super) fn construct(tag: &str, text: &str) -> Option<Result<NodeValue, MalformedScalar>> {
    let malformed = |what: &str| Err(MalformedScalar(format!("`{}` is not {what}", shown(text))));
    Some(match tag {
        "str" | "binary" | "value" => Ok(NodeValue::String(text.into())),
        "null" => Ok(NodeValue::Null),
        "bool" => boolean_of(text).map_or_else(
            || malformed("a boolean"),
            |value| Ok(NodeValue::Bool(value)),
        ),
        "int" if looks_like_int(text) => int(text),
        "int" => malformed("a whole number"),
        "float" => match float(text).or_else(|| text.replace('_', "").parse().ok()) {
            Some(value) => Ok(NodeValue::Float(value)),
            None => malformed("a number"),
        },
        "timestamp" => timestamp(text),
        _ => return None,
    })
}

fn boolean(text: &str) -> Option<bool> {
    // `yes`, `Yes` and `YES`, but not `yES`.
    let rest = text.get(1..)?;
    let even = rest.chars().all(|c| c.is_ascii_lowercase())
        || text.chars().all(|c| c.is_ascii_uppercase());
    if even { boolean_of(text) } else { None }
}

fn boolean_of(text: &str) -> Option<bool> {
    const WORDS: [(&str, bool); 6] = [
        ("yes", true),
        ("no", false),
        ("true", true),
        ("false", false),
        ("on", true),
        ("off", false),
    ];
    WORDS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, value)| *value)
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn unsigned(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn all(text: &str, accept: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(accept)
}

fn digit_or_underscore(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// One part of a sexagesimal number after the first: `[0-5]?[0-9]`.
fn is_sixtieth(part: &str) -> bool {
    match part.as_bytes() {
        [unit] => unit.is_ascii_digit(),
        [ten, unit] => (b'0'..=b'5').contains(ten) && unit.is_ascii_digit(),
        _ => false,
    }
}

fn float(text: &str) -> Option<f64> {
    let (negative, body) = unsigned(text);
    let value = match body {
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        ".nan" | ".NaN" | ".NAN" if body.len() == text.len() => f64::NAN,
        _ if body.contains(':') => sexagesimal_float(body)?,
        _ => {
            let (mantissa, exponent) = match body.find(['e', 'E']) {
                Some(at) => (&body[..at], Some(&body[at + 1..])),
                None => (body, None),
            };
            let (whole, fraction) = mantissa.split_once('.')?;
            let digits = all(whole, digit_or_underscore) && all(fraction, digit_or_underscore);
            // A sign is allowed only before a digit: `-.5` is text.
            let starts = if whole.is_empty() {
                body.len() == text.len() && starts_with_digit(fraction)
            } else {
                starts_with_digit(whole)
            };
            let exponent_fits = exponent.is_none_or(|exponent| {
                let (_, power) = unsigned(exponent);
                power.len() < exponent.len()
                    && !power.is_empty()
                    && all(power, |b| b.is_ascii_digit())
            });
            if !(digits && starts && exponent_fits) {
                return None;
            }
            body.replace('_', "").parse().ok()?
        }
    };
    Some(if negative { -value } else { value })
}

/// Parses a float such as `190:20:30.15`.
fn sexagesimal_float(body: &str) -> Option<f64> {
    let (wholes, fraction) = body.split_once('.')?;
    let mut parts = wholes.split(':');
    let first = parts.next()?;
    if !(starts_with_digit(first)
        && all(first, digit_or_underscore)
        && all(fraction, digit_or_underscore))
    {
        return None;
    }
    let sixtieths: Vec<&str> = parts.collect();
    if sixtieths.is_empty() || !sixtieths.iter().all(|part| is_sixtieth(part)) {
        return None;
    }
    // Summed from the smallest part up, so that the rounding matches Python's.
    let clean = body.replace('_', "");
    let mut value = 0.0;
    let mut base = 1.0;
    for part in clean.rsplit(':') {
        value += part.parse::<f64>().ok()? * base;
        base *= 60.0;
    }
    Some(value)
}

fn looks_like_int(text: &str) -> bool {
    let (_, body) = unsigned(text);
    if let Some(bits) = body.strip_prefix("0b") {
        return !bits.is_empty() && all(bits, |b| matches!(b, b'0' | b'1' | b'_'));
    }
    if let Some(digits) = body.strip_prefix("0x") {
        return !digits.is_empty() && all(digits, |b| b.is_ascii_hexdigit() || b == b'_');
    }
    if let Some(digits) = body.strip_prefix('0') {
        return all(digits, |b| matches!(b, b'0'..=b'7' | b'_'));
    }
    let mut parts = body.split(':');
    parts
        .next()
        .is_some_and(|first| starts_with_digit(first) && all(first, digit_or_underscore))
        && parts.all(is_sixtieth)
}

/// Parses a text in one of the integer forms.
fn int(text: &str) -> Result<NodeValue, MalformedScalar> {
    let (negative, body) = unsigned(text);
    let body = body.replace('_', "");
    let (digits, radix) = match (
        body.strip_prefix("0b"),
        body.strip_prefix("0x"),
        body.strip_prefix('0'),
    ) {
        (Some(bits), _, _) => (bits, 2),
        (_, Some(digits), _) => (digits, 16),
        (_, _, Some(octal)) if !octal.is_empty() => (octal, 8),
        _ => (body.as_str(), 10),
    };
    if digits.is_empty() {
        return Err(MalformedScalar(format!(
            "`{}` looks like a number without digits",
            shown(text)
        )));
    }
    let magnitude = digits.split(':').try_fold(0i128, |value, part| {
        let part = i128::from_str_radix(part, radix).ok()?;
        value.checked_mul(60)?.checked_add(part)
    });
    Ok(match magnitude {
        Some(magnitude) => {
            let value = if negative { -magnitude } else { magnitude };
            match i64::try_from(value) {
                Ok(value) => NodeValue::Int(value),
                Err(_) => NodeValue::String(value.to_string().into()),
            }
        }
        None if radix == 10 && !digits.contains(':') => NodeValue::String(
            if negative {
                format!("-{digits}")
            } else {
                digits.to_owned()
            }
            .into(),
        ),
        None => NodeValue::String(text.into()),
    })
}

/// Returns whether PyYAML's resolver would call it a timestamp; [`timestamp`] decides.
fn looks_like_timestamp(text: &str) -> bool {
    match text.as_bytes() {
        [a, b, c, d, b'-', e, f, b'-', g, h] => {
            [a, b, c, d, e, f, g, h].iter().all(|b| b.is_ascii_digit())
        }
        _ => Stamp::read(text).is_some_and(|stamp| stamp.time.is_some()),
    }
}

/// The parts of a timestamp as written.
struct Stamp {
    year: u32,
    month: u32,
    day: u32,
    time: Option<Time>,
}

struct Time {
    hour: u32,
    minute: u32,
    second: u32,
    microsecond: u32,
    /// Minutes east of UTC; absent without a time zone.
    offset: Option<i32>,
}

/// Consumes digits and separators from the front of a text.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let length = self
            .0
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        if length < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        digits.parse().ok()
    }

    fn take(&mut self, expected: char) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn skip_blanks(&mut self) -> bool {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let any = rest.len() < self.0.len();
        self.0 = rest;
        any
    }
}

impl Stamp {
    fn read(text: &str) -> Option<Stamp> {
        let mut cursor = Cursor(text);
        let year = cursor.number(4, 4)?;
        cursor.take('-')?;
        let month = cursor.number(1, 2)?;
        cursor.take('-')?;
        let day = cursor.number(1, 2)?;
        let time = if cursor.0.is_empty() {
            None
        } else {
            Some(Time::read(&mut cursor)?)
        };
        cursor.0.is_empty().then_some(Stamp {
            year,
            month,
            day,
            time,
        })
    }
}

impl Time {
    fn read(cursor: &mut Cursor) -> Option<Time> {
        if cursor.take('T').or_else(|| cursor.take('t')).is_none() && !cursor.skip_blanks() {
            return None;
        }
        let hour = cursor.number(1, 2)?;
        cursor.take(':')?;
        let minute = cursor.number(2, 2)?;
        cursor.take(':')?;
        let second = cursor.number(2, 2)?;
        let mut microsecond = 0;
        if cursor.take('.').is_some() {
            let rest = cursor.0.trim_start_matches(|c: char| c.is_ascii_digit());
            let fraction = &cursor.0[..cursor.0.len() - rest.len()];
            cursor.0 = rest;
            microsecond = format!("{:0<6.6}", fraction).parse().ok()?;
        }
        let offset = if cursor.0.is_empty() {
            None
        } else {
            Some(Time::read_offset(cursor)?)
        };
        Some(Time {
            hour,
            minute,
            second,
            microsecond,
            offset,
        })
    }

    fn read_offset(cursor: &mut Cursor) -> Option<i32> {
        cursor.skip_blanks();
        if cursor.take('Z').is_some() {
            return Some(0);
        }
        let sign = if cursor.take('-').is_some() {
            -1
        } else {
            cursor.take('+').map(|()| 1)?
        };
        let hours = cursor.number(1, 2)? as i32;
        let minutes = if cursor.take(':').is_some() {
            cursor.number(2, 2)? as i32
        } else {
            0
        };
        Some(sign * (hours * 60 + minutes))
    }
}

fn timestamp(text: &str) -> Result<NodeValue, MalformedScalar> {
    let no_such = |what| {
        MalformedScalar(format!(
            "`{}` looks like a {what} that does not exist",
            shown(text)
        ))
    };
    let stamp = Stamp::read(text)
        .ok_or_else(|| MalformedScalar(format!("`{}` is not a date", shown(text))))?;
    let Stamp {
        year,
        month,
        day,
        time,
    } = stamp;
    if year == 0 || day == 0 || day > days_in(year, month) {
        return Err(no_such("date"));
    }
    let mut shown = format!("{year:04}-{month:02}-{day:02}");
    if let Some(time) = time {
        let offset = time.offset.unwrap_or(0);
        if time.hour > 23 || time.minute > 59 || time.second > 59 || offset.abs() >= 24 * 60 {
            return Err(no_such("time"));
        }
        shown += &format!(" {:02}:{:02}:{:02}", time.hour, time.minute, time.second);
        if time.microsecond > 0 {
            shown += &format!(".{:06}", time.microsecond);
        }
        if time.offset.is_some() {
            let sign = if offset < 0 { '-' } else { '+' };
            shown += &format!("{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60);
        }
    }
    Ok(NodeValue::Timestamp(shown.into()))
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of `[text, kind, Python's str()]` as PyYAML 6.0.3 reads them; the kind is `error` where
    /// it refuses the scalar.
    const PYYAML: &str = include_str!("../../fixtures/yaml/scalars.json");

    fn shown(value: NodeValue) -> (&'static str, String) {
        match value {
            NodeValue::Null => ("null", String::new()),
            NodeValue::Bool(value) => ("bool", value.to_string()),
            NodeValue::Int(value) => ("int", value.to_string()),
            NodeValue::Float(value) => ("float", value.to_string()),
            NodeValue::Timestamp(text) => ("timestamp", text.into()),
            NodeValue::String(text) => ("str", text.into()),
            other => panic!("{other:?} is no scalar"),
        }
    }

    #[test]
    fn scalars_resolve_as_in_pyyaml() {
        let table: Vec<(String, String, String)> = serde_json::from_str(PYYAML).unwrap();
        let mut counts = std::collections::BTreeMap::new();
        for (text, kind, expect) in &table {
            *counts.entry(kind.as_str()).or_insert(0) += 1;
            match (resolve(text, Dialect::PyYaml), kind.as_str()) {
                (Err(_), "error") => {}
                (Ok(NodeValue::Float(value)), "float") => {
                    let expect: f64 = expect.parse().unwrap();
                    assert!(
                        value == expect || value.is_nan() && expect.is_nan(),
                        "{text}: {value}, not {expect}"
                    );
                }
                // An integer that doesn't fit into 64 bits is kept as digits.
                (Ok(NodeValue::String(digits)), "int") => {
                    assert!(
                        expect.parse::<i64>().is_err() && *digits == **expect,
                        "{text}: {digits}, not {expect}"
                    );
                }
                (Ok(value), kind) => assert_eq!(shown(value), (kind, expect.clone()), "{text}"),
                (Err(MalformedScalar(message)), kind) => {
                    panic!("{text}: {message}, and PyYAML reads {kind} {expect}")
                }
            }
        }
        for kind in ["null", "bool", "int", "float", "timestamp", "str", "error"] {
            assert!(
                counts.get(kind).is_some_and(|n| *n >= 3),
                "too few of {kind}: {counts:?}"
            );
        }
    }

    #[test]
    fn impossible_values_have_a_reason() {
        let check = |text: &str, expect: &str| {
            assert_eq!(
                resolve(text, Dialect::PyYaml),
                Err(MalformedScalar(expect.to_owned()))
            )
        };
        check(
            "2012-02-30",
            "`2012-02-30` looks like a date that does not exist",
        );
        check(
            "2001-12-14 25:00:00",
            "`2001-12-14 25:00:00` looks like a time that does not exist",
        );
        check("0x_", "`0x_` looks like a number without digits");
    }

    #[test]
    fn explicit_tags_construct_what_they_name() {
        let check = |tag: &str, text: &str, kind: &'static str, expect: &str| {
            assert_eq!(
                construct(tag, text).unwrap().map(shown),
                Ok((kind, expect.to_owned())),
                "!!{tag} {text}"
            );
        };
        check("str", "010", "str", "010");
        check("int", "010", "int", "8");
        check("float", "1", "float", "1");
        check("bool", "yES", "bool", "true");
        check("null", "x", "null", "");
        check("timestamp", "2012-1-7", "timestamp", "2012-01-07");
        assert_eq!(
            construct("int", "x"),
            Some(Err(MalformedScalar("`x` is not a whole number".to_owned())))
        );
        assert_eq!(construct("map", "x"), None);
    }
}
