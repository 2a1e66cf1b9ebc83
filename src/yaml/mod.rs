//! Parses every YAML and JSON file that a user writes: configurations and templates.
//!
//! Every node of the tree knows its position, and scalars are resolved like PyYAML's `SafeLoader`
//! does (YAML 1.1: `010` is 8, `Yes` is true, `2012-10-17` is a date), since the files were written
//! for that. CloudFormation's YAML is a little narrower; a [`Dialect`] selects the rules. What the
//! keys mean is left to `config` and `template`.
//!
//! A file is untrusted input: its size, its depth and the expansion of its aliases are limited, and
//! any content results in a tree and diagnostics, never a panic.
//!
//! - `json`: parses strict JSON; anything else goes on to `compose`
//! - `compose`: builds the tree from YAML's events, with `scalar` to resolve plain scalars and
//!   `syntax` to explain errors
//! - `findings`: collects and limits the diagnostics
//! - `not_well_formed`: finds the position that CloudFormation reports for a text that it can't
//!   parse

mod compose;
mod findings;
mod json;
mod node;
mod not_well_formed;
mod scalar;
mod syntax;
mod write;

use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Location, Position};
use crate::input;

pub use findings::shown;
pub use node::{Node, NodeValue};
pub use not_well_formed::{NotWellFormed, not_well_formed};
pub use write::{YamlLine, lines, text};

/// The content of a file and everything that is wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The first document; `None` for an empty file. After a syntax error it holds what precedes
    /// the error.
    pub root: Option<Node>,
    /// The diagnostics in the order of the file. If there is an error among them, the tree is
    /// unreliable.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the file was read to its end. Then the tree is complete even if there are errors.
    pub complete: bool,
}

/// The rules that a file follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A configuration or a snippet that a template includes, read like PyYAML's `SafeLoader` does.
    /// The last of duplicate keys counts, with a warning; aliases and merge keys are expanded.
    PyYaml,
    /// A template. Only the last of duplicate keys is kept, with a warning; aliases are errors;
    /// merge keys and tags that CloudFormation doesn't know are warnings; dates are strings.
    CloudFormation,
}

/// Parses the text of a configuration. `file` is used only in diagnostics.
pub fn parse(file: &Arc<Path>, text: &str) -> Parsed {
    parse_as(Dialect::PyYaml, file, text)
}

/// Parses a text in the given dialect.
pub fn parse_as(dialect: Dialect, file: &Arc<Path>, text: &str) -> Parsed {
    json::parse(file, text, dialect).unwrap_or_else(|| compose::compose(file, text, dialect))
}

/// Returns whether any YAML parser reads the text without quotes as the same string.
pub fn is_plain(text: &str) -> bool {
    let tame = |c: char| c.is_ascii_alphanumeric() || " _-./@+=,$()[]{}:*%".contains(c);
    if !text.chars().all(tame)
        || text.starts_with(|c: char| " ,[]{}:*%@=-".contains(c))
        || text.ends_with([' ', ':'])
    {
        return false;
    }
    let parsed = parse(&Arc::from(Path::new("")), &format!("key: {text}"));
    parsed.diagnostics.is_empty()
        && parsed
            .root
            .is_some_and(|root| root.get("key").and_then(Node::as_str) == Some(text))
}

/// Reads and parses a configuration.
pub fn read(path: &Path) -> Parsed {
    read_as(Dialect::PyYaml, path)
}

/// Reads and parses a file in UTF-8, or in UTF-16 with a byte order mark (as PowerShell writes it).
pub fn read_as(dialect: Dialect, path: &Path) -> Parsed {
    let file: Arc<Path> = Arc::from(path);
    match read_text(&file) {
        Ok(text) => parse_as(dialect, &file, &text),
        Err(diagnostic) => Parsed {
            root: None,
            diagnostics: vec![*diagnostic],
            complete: false,
        },
    }
}

/// Returns a file's text; `None` if it can't be read.
pub fn source_text(path: &Arc<Path>) -> Option<String> {
    read_text(path).ok()
}

/// Returns the byte offset of a position in a text that was parsed; `None` if the text ends before
/// it. A byte order mark has no column.
pub fn offset(text: &str, at: Position) -> Option<usize> {
    let mark = '\u{FEFF}';
    let start = text.strip_prefix(mark).map_or(0, |_| mark.len_utf8());
    let mut here = Position { line: 1, column: 1 };
    let mut characters = text.get(start..)?.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        if here == at {
            return Some(start + index);
        }
        let is_end = match character {
            '\n' => true,
            // `\r\n` is one line break, and so is a lone `\r`.
            '\r' => characters.peek().is_none_or(|(_, next)| *next != '\n'),
            _ => false,
        };
        if is_end {
            here = Position {
                line: here.line + 1,
                column: 1,
            };
        } else {
            here.column += 1;
        }
    }
    None
}

fn read_text(path: &Arc<Path>) -> Result<String, Box<Diagnostic>> {
    let unreadable = |error| {
        Box::new(Diagnostic::error(format!(
            "cannot read {}: {error}",
            path.display()
        )))
    };
    let bytes = input::read(path, input::DOCUMENT).map_err(unreadable)?;
    decode(path, bytes)
}

fn decode(path: &Arc<Path>, bytes: Vec<u8>) -> Result<String, Box<Diagnostic>> {
    let utf16 = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = rest.chunks(2).map(|pair| match pair {
            [a, b] => unit([*a, *b]),
            // An odd trailing byte becomes a lone surrogate, which is refused.
            _ => 0xDC00,
        });
        char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|_| {
                Box::new(Diagnostic::error(format!(
                    "cannot read {}: it is not valid UTF-16",
                    path.display()
                )))
            })
    };
    match bytes.as_slice() {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes).map_err(|error| {
            let good = error
                .as_bytes()
                .get(..error.utf8_error().valid_up_to())
                .unwrap_or_default();
            let before = String::from_utf8_lossy(good);
            let line = before.matches('\n').count() as u32 + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() as u32 + 1;
            let at = Location {
                file: path.clone(),
                at: Position { line, column },
            };
            Box::new(
                Diagnostic::error("the file is not valid UTF-8")
                    .at(at)
                    .help("save it as UTF-8"),
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(bytes: &[u8]) -> (Option<serde_json::Value>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f.yml");
        std::fs::write(&path, bytes).unwrap();
        let parsed = read(&path);
        let prefix = format!("{}/", directory.path().display());
        let said = parsed
            .diagnostics
            .iter()
            .map(|d| d.to_string().replace(&prefix, ""))
            .collect();
        (parsed.root.map(|root| root.to_json()), said)
    }

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        std::iter::once(0xFEFF)
            .chain(text.encode_utf16())
            .flat_map(unit)
            .collect()
    }

    #[test]
    fn files_are_decoded_or_refused_with_a_reason() {
        let good = |bytes: &[u8]| {
            assert_eq!(
                read_bytes(bytes),
                (Some(serde_json::json!({"a": "ü"})), vec![])
            )
        };
        good("a: ü".as_bytes());
        good("\u{FEFF}a: ü".as_bytes());
        good(&utf16("a: ü\n", u16::to_le_bytes));
        good(&utf16("a: ü\n", u16::to_be_bytes));

        let bad = |bytes: &[u8], message: &str| {
            assert_eq!(read_bytes(bytes), (None, vec![message.to_owned()]))
        };
        bad(
            b"a: 1\nb: \xC3\x28",
            "f.yml:2:4: the file is not valid UTF-8 (save it as UTF-8)",
        );
        bad(b"\xFF\xFEa", "cannot read f.yml: it is not valid UTF-16");
        bad(
            &vec![b' '; input::DOCUMENT as usize + 1],
            "cannot read f.yml: it is 16.0 MiB, larger than the limit of 16 MiB",
        );
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let check = |path: &str, message: &str| {
            let said: Vec<_> = read(Path::new(path))
                .diagnostics
                .iter()
                .map(Diagnostic::to_string)
                .collect();
            assert_eq!(said, [message]);
        };
        check(
            "/nonexistent/x.yml",
            "cannot read /nonexistent/x.yml: no such file",
        );
        check("/", "cannot read /: it is a directory");
    }
}
