//! Parses strict JSON (RFC 8259) to the same tree as YAML.
//!
//! A YAML parser reads nearly all JSON, but not keys of more than 1024 characters nor all
//! characters that JSON allows in its strings; besides, templates in JSON are large. Anything but
//! strict JSON (comments, errors, too many levels) is left to the YAML parser and its error
//! messages. The exception is a comma before a closing bracket: YAML allows it, but CloudFormation
//! refuses it, so in templates it is an error.

use std::path::Path;
use std::sync::Arc;

use super::findings::YamlFindings;
use super::node::{Node, NodeValue};
use super::syntax::MAX_DEPTH;
use super::{Dialect, Parsed, scalar};
use crate::diagnostic::{Diagnostic, Position, Severity};

/// Parses an object or a list; returns `None` for anything but strict JSON.
pub(super) fn parse(file: &Arc<Path>, text: &str, dialect: Dialect) -> Option<Parsed> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let findings = YamlFindings::new(file, dialect);
    let mut reader = JsonReader {
        text,
        at: 0,
        line: 1,
        line_start: 0,
        continuations: 0,
        trailing_comma: None,
        findings,
    };
    reader.skip_whitespace();
    if !matches!(reader.peek(), Some(b'{' | b'[')) {
        return None;
    }
    let Some(root) = reader.value(1) else {
        return reader.trailing_comma();
    };
    reader.skip_whitespace();
    let ends = reader.at == text.len();
    ends.then(|| Parsed {
        root: Some(root),
        diagnostics: reader.findings.into_diagnostics(),
        complete: true,
    })
}

struct JsonReader<'a> {
    text: &'a str,
    /// Byte offset of the next byte.
    at: usize,
    line: u32,
    /// Byte offset of the start of the line.
    line_start: usize,
    /// Number of UTF-8 continuation bytes in the line so far, since columns count characters.
    continuations: usize,
    /// Position of a comma before a closing bracket, where parsing ended.
    trailing_comma: Option<Position>,
    findings: YamlFindings<'a>,
}

impl<'a> JsonReader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        (self.peek()? == expected).then(|| self.at += 1)
    }

    /// Consumes the byte if it comes next.
    fn takes(&mut self, expected: u8) -> bool {
        self.take(expected).is_some()
    }

    fn skip_whitespace(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            self.at += 1;
            // As YAML counts lines: `\r\n` is one line break, and so is a lone `\r`.
            if byte == b'\n' || byte == b'\r' && self.peek() != Some(b'\n') {
                self.line = self.line.saturating_add(1);
                self.line_start = self.at;
                self.continuations = 0;
            }
        }
    }

    fn position(&self) -> Position {
        let column = self.at - self.line_start - self.continuations + 1;
        Position {
            line: self.line,
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    /// Parses the next value. `depth` is its own level.
    fn value(&mut self, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return None;
        }
        let at = self.position();
        let collection = |value| Node {
            value,
            tag: None,
            text: "".into(),
            at,
        };
        match self.peek()? {
            b'{' => Some(collection(NodeValue::Mapping(self.object(depth)?))),
            b'[' => Some(collection(NodeValue::Sequence(self.list(depth)?))),
            b'"' => self.string(),
            b't' => self.word("true", NodeValue::Bool(true)),
            b'f' => self.word("false", NodeValue::Bool(false)),
            b'n' => self.word("null", NodeValue::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Vec<(Node, Node)>> {
        self.take(b'{')?;
        self.skip_whitespace();
        let mut entries = Vec::new();
        if self.takes(b'}') {
            return Some(entries);
        }
        loop {
            let key = self.string()?;
            self.skip_whitespace();
            self.take(b':')?;
            self.skip_whitespace();
            let value = self.value(depth + 1)?;
            entries.push((key, value));
            if !self.goes_on(b'}')? {
                break;
            }
        }
        self.take(b'}')?;
        Some(self.findings.settle_duplicates(entries))
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Node>> {
        self.take(b'[')?;
        self.skip_whitespace();
        let mut items = Vec::new();
        if self.takes(b']') {
            return Some(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.goes_on(b']')? {
                break;
            }
        }
        self.take(b']')?;
        Some(items)
    }

    /// Returns whether another member follows after a comma; `None` for a syntax error.
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        self.skip_whitespace();
        let comma = self.position();
        if !self.takes(b',') {
            return Some(false);
        }
        self.skip_whitespace();
        if self.peek() == Some(end) {
            self.trailing_comma = Some(comma);
            return None;
        }
        Some(true)
    }

    /// Returns the error for a comma before a closing bracket, if that is what ended parsing.
    fn trailing_comma(mut self) -> Option<Parsed> {
        let at = self
            .trailing_comma
            .filter(|_| self.findings.dialect == Dialect::CloudFormation)?;
        self.findings.add(Severity::Error, at, || {
            Diagnostic::error("Template format error: JSON not well-formed.")
                .help("remove the comma before the closing bracket")
        });
        Some(Parsed {
            root: None,
            diagnostics: self.findings.into_diagnostics(),
            complete: false,
        })
    }

    fn word(&mut self, word: &str, value: NodeValue) -> Option<Node> {
        let at = self.position();
        self.text.get(self.at..)?.strip_prefix(word)?;
        self.at += word.len();
        Some(Node {
            value,
            tag: None,
            text: word.into(),
            at,
        })
    }

    fn string(&mut self) -> Option<Node> {
        let at = self.position();
        self.take(b'"')?;
        let text: Box<str> = match self.unescaped() {
            text if self.takes(b'"') => text.into(),
            start => self.escaped(start.to_owned())?.into(),
        };
        Some(Node {
            value: NodeValue::String(text.clone()),
            tag: None,
            text,
            at,
        })
    }

    /// Consumes characters up to a quote, an escape or a character that strings can't contain.
    fn unescaped(&mut self) -> &'a str {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' | b'\\' | 0..b' ' => break,
                0x80..=0xBF => self.continuations += 1,
                _ => {}
            }
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Parses the rest of a string with escapes, including its closing quote.
    fn escaped(&mut self, mut text: String) -> Option<String> {
        while !self.takes(b'"') {
            self.take(b'\\')?;
            let escape = self.peek()?;
            self.at += 1;
            text.push(match escape {
                b'"' | b'\\' | b'/' => char::from(escape),
                b'b' => '\u{8}',
                b'f' => '\u{C}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => self.code_point()?,
                _ => return None,
            });
            text.push_str(self.unescaped());
        }
        Some(text)
    }

    /// Parses the hex digits after `\u`. A character beyond the basic plane takes a surrogate pair;
    /// half a pair is an error.
    fn code_point(&mut self) -> Option<char> {
        let unit = self.code_unit()?;
        if !(0xD800..0xDC00).contains(&unit) {
            return char::from_u32(unit);
        }
        self.take(b'\\')?;
        self.take(b'u')?;
        let low = self.code_unit()?;
        let low = (0xDC00..0xE000).contains(&low).then(|| low - 0xDC00)?;
        char::from_u32(0x10000 + ((unit - 0xD800) << 10) + low)
    }

    fn code_unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hexadecimal {
            u32::from_str_radix(digits, 16).ok()
        } else {
            None
        }
    }

    fn number(&mut self) -> Option<Node> {
        let start = self.at;
        let at = self.position();
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _ = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        let text = self.text.get(start..self.at)?;
        let value = self.number_value(text);
        Some(Node {
            value,
            tag: None,
            text: text.into(),
            at,
        })
    }

    /// Consumes at least one digit.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// Resolves a number like PyYAML, for which `1e3` is a string; in a template it is the number
    /// that JSON says it is.
    fn number_value(&self, text: &str) -> NodeValue {
        let value = scalar::resolve(text, self.findings.dialect)
            .unwrap_or_else(|_| NodeValue::String(text.into()));
        match (&value, text.parse::<f64>()) {
            (NodeValue::String(_), Ok(number))
                if self.findings.dialect == Dialect::CloudFormation
                    && number.is_finite()
                    && text.contains(['e', 'E']) =>
            {
                NodeValue::Float(number)
            }
            _ => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::compose::compose;
    use super::*;
    use crate::diagnostic::Severity;

    fn parse_as(dialect: Dialect, text: &str) -> Option<Parsed> {
        parse(&Arc::from(Path::new("f")), text, dialect)
    }

    /// Asserts that JSON parses to the same tree as YAML, including positions and texts.
    #[track_caller]
    fn check(text: &str, expect: &str) {
        let parsed = parse_as(Dialect::PyYaml, text).expect("strict JSON");
        assert_eq!(
            parsed,
            compose(&Arc::from(Path::new("f")), text, Dialect::PyYaml),
            "{text}"
        );
        assert_eq!(
            (
                parsed.root.unwrap().to_json().to_string().as_str(),
                parsed.diagnostics
            ),
            (expect, vec![]),
            "{text}"
        );
    }

    #[test]
    fn json_is_read_as_yaml_reads_it() {
        check("{}", "{}");
        check(" [ ] \n", "[]");
        check("\u{FEFF}[]", "[]");
        check(
            r#"{"a":1,"b":[true,false,null,"c"],"":{}}"#,
            r#"{"a":1,"b":[true,false,null,"c"],"":{}}"#,
        );
        check(
            "{\t\"a\"\t:\t1\t,\t\"b\"\r\n:\r\n[\r]\n\n}",
            r#"{"a":1,"b":[]}"#,
        );
        check(r#"{"ü😀": "ü", "x": 1}"#, r#"{"ü😀":"ü","x":1}"#);
        check(r#"["\"\\\/\b\f\n\r\t"]"#, r#"["\"\\/\b\f\n\r\t"]"#);
        check(
            r#"["\u00fc\u0000\ud83d\ude00\uD83D\uDE00 x"]"#,
            r#"["ü\u0000😀😀 x"]"#,
        );
        check(
            "[0, -1, 1.5, -0.25, 1.5e+3, 9223372036854775808]",
            r#"[0,-1,1.5,-0.25,1500.0,"9223372036854775808"]"#,
        );
        check(
            r#"["010", "yes", "~", "2012-10-17", "<<", "!Ref x", "*a", "a # c"]"#,
            r#"["010","yes","~","2012-10-17","<<","!Ref x","*a","a # c"]"#,
        );
        check(r#"{"<<": {"a": 1}}"#, r#"{"<<":{"a":1}}"#);
        check(
            &format!("{0}{1}", "[".repeat(128), "]".repeat(128)),
            &format!("{0}{1}", "[".repeat(128), "]".repeat(128)),
        );
    }

    #[test]
    fn json_that_yaml_cannot_read() {
        let check = |text: &str, expect: &serde_json::Value| {
            let parsed = parse_as(Dialect::CloudFormation, text).expect("strict JSON");
            assert_eq!(
                (&parsed.root.unwrap().to_json(), parsed.diagnostics),
                (expect, vec![])
            );
            assert_ne!(
                compose(&Arc::from(Path::new("f")), text, Dialect::CloudFormation).diagnostics,
                []
            );
        };
        let long = "k".repeat(5000);
        check(
            &format!("{{\"{long}\":1}}"),
            &serde_json::json!({long.as_str(): 1}),
        );
        check(
            "[\"\u{7f}\u{92}\u{FFFE}\"]",
            &serde_json::json!(["\u{7f}\u{92}\u{FFFE}"]),
        );
    }

    #[test]
    fn numbers_with_an_exponent_are_numbers_in_templates() {
        let check = |dialect, expect: &str| {
            let root = parse_as(dialect, "[1e3, 2E-1, 1e999]")
                .unwrap()
                .root
                .unwrap();
            assert_eq!(root.to_json().to_string(), expect);
            assert_eq!(
                root.as_sequence()
                    .unwrap()
                    .iter()
                    .map(|it| &*it.text)
                    .collect::<Vec<_>>(),
                ["1e3", "2E-1", "1e999"]
            );
        };
        check(Dialect::PyYaml, r#"["1e3","2E-1","1e999"]"#);
        check(Dialect::CloudFormation, r#"[1000.0,0.2,"1e999"]"#);
    }

    #[test]
    fn duplicate_keys_are_reported() {
        let check = |dialect, expect: (Severity, &str)| {
            let parsed = parse_as(dialect, "{\"a\": {\"b\": 1},\n \"a\": 2}").unwrap();
            let said: Vec<_> = parsed
                .diagnostics
                .iter()
                .map(|it| (it.severity, it.to_string()))
                .collect();
            assert_eq!(said, [(expect.0, expect.1.to_owned())]);
            assert!(parsed.complete);
        };
        check(
            Dialect::PyYaml,
            (
                Severity::Warning,
                "f:2:2: duplicate key `a`; the later one counts (the earlier one is at line 1, \
                 column 2)",
            ),
        );
        check(
            Dialect::CloudFormation,
            (
                Severity::Warning,
                "f:2:2: duplicate key `a`; CloudFormation takes the later one silently (the \
                 earlier one is at line 1, column 2)",
            ),
        );
    }

    #[test]
    fn a_comma_before_a_closing_bracket_is_an_error_of_templates() {
        let check = |text: &str, at: &str| {
            let parsed =
                super::super::parse_as(Dialect::CloudFormation, &Arc::from(Path::new("f")), text);
            let said: Vec<_> = parsed.diagnostics.iter().map(ToString::to_string).collect();
            let expect = format!(
                "f:{at}: Template format error: JSON not well-formed. (remove the comma before the \
                 closing bracket)"
            );
            assert_eq!((parsed.root, said), (None, vec![expect]), "{text}");
            let parsed = super::super::parse(&Arc::from(Path::new("f")), text);
            assert_eq!(
                (parsed.root.is_some(), parsed.diagnostics),
                (true, vec![]),
                "{text}"
            );
        };
        check("{\"a\":1,}", "1:7");
        check("{\n  \"a\": [1, 2 ,\n ] }", "2:14");
        check("{\"a\": {\"b\": \"c\",\n}}", "1:16");
    }

    #[test]
    fn other_than_strict_json_is_left_to_yaml() {
        let check =
            |text: &str| assert_eq!(parse_as(Dialect::CloudFormation, text), None, "{text}");
        for text in ["", " ", "a: 1", "\"a\"", "1", "null", "# c\n{}", "---\n{}"] {
            check(text);
        }
        for text in [
            "{",
            "[",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "[1",
            "[1 2]",
            "{} {}",
            "{}]",
            "[]\n---\n[]",
        ] {
            check(text);
        }
        for text in [
            "[,]",
            "[1,,2]",
            "{a: 1}",
            "{a: 1,}",
            "[{a: 1},]",
            "{'a': 1}",
            "[1] # c",
            "[/*c*/1]",
            "{\"a\" 1}",
        ] {
            check(text);
        }
        for text in [
            "[tru]", "[True]", "[nul]", "[NaN]", "[+1]", "[.5]", "[1.]", "[01]", "[-]", "[1e]",
            "[0x1]", "[x]",
        ] {
            check(text);
        }
        for text in [
            "[\"a]",
            "[\"\\q\"]",
            "[\"\\u12\"]",
            "[\"\\u12g4\"]",
            "[\"\\u+123\"]",
            "[\"\\x41\"]",
            "[\"a\nb\"]",
            "[\"a\tb\"]",
        ] {
            check(text);
        }
        for text in [
            "[\"\\ud83d\"]",
            "[\"\\ude00\"]",
            "[\"\\ud83dx\"]",
            "[\"\\ud83d\\n\"]",
            "[\"\\ud83d\\ud83d\"]",
            "[\"\\u123ü\"]",
        ] {
            check(text);
        }
        check(&format!("{}1{}", "[".repeat(128), "]".repeat(128)));
        check(&"[".repeat(100_000));
    }
}
