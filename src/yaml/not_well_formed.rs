//! Finds the position at which CloudFormation stops parsing a malformed template.
//!
//! CloudFormation reports only a position: `YAML not well-formed. (line 5, column 15)`. It is where
//! the service's parser gave up, which is often behind the mistake that the other diagnostics point
//! to: Jackson counts the character that it can't use, and SnakeYAML notices an open bracket only
//! at the end of the file.

use granit_parser::{ErrorKind, Parser};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::diagnostic::Position;

/// The format that a text is parsed as, and the position of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotWellFormed {
    /// `JSON` for texts that begin with a brace, else `YAML`.
    pub format: &'static str,
    /// The position that CloudFormation reports.
    pub at: Position,
}

/// Returns the error, or `None` for a text that can be parsed.
pub fn not_well_formed(text: &str) -> Option<NotWellFormed> {
    if text.trim_start().starts_with('{') {
        return json(text).map(|at| NotWellFormed { format: "JSON", at });
    }
    yaml(text).map(|at| NotWellFormed { format: "YAML", at })
}

fn json(text: &str) -> Option<Position> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let error = IgnoredAny::deserialize(&mut reader)
        .and_then(|_| reader.end())
        .err()?;
    let line = text
        .split('\n')
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    // serde_json counts bytes before the offending character; Jackson counts characters and
    // includes it.
    let characters = line
        .bytes()
        .take(error.column())
        .filter(|byte| byte & 0xC0 != 0x80)
        .count();
    Some(position(error.line(), characters + 1))
}

fn yaml(text: &str) -> Option<Position> {
    let error = Parser::new_from_str(text).find_map(Result::err)?;
    let mark = error.marker();
    let line = text
        .split('\n')
        .nth(mark.line().saturating_sub(1))
        .unwrap_or_default();
    Some(match error.kind() {
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEof
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => end_of(text),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => position(
            mark.line(),
            line.chars().position(|c| c == '\t').unwrap_or(mark.col()) + 1,
        ),
        ErrorKind::MismatchedFlowCollectionEnd { close, .. } => {
            let start = mark.byte_offset().unwrap_or(text.len());
            let found = text.get(start..).and_then(|rest| rest.find(*close));
            end_of(text.get(..start + found.unwrap_or(0)).unwrap_or(text))
        }
        // Noticed only when the next token begins on another line.
        ErrorKind::SimpleKeyExpected => next_token(text, mark.line()),
        _ => position(mark.line(), mark.col() + 1),
    })
}

/// Returns the position after the last character.
fn end_of(text: &str) -> Position {
    let last = text.rsplit('\n').next().unwrap_or_default();
    position(text.matches('\n').count() + 1, last.chars().count() + 1)
}

/// Returns the position of the first token in the lines after `line`.
fn next_token(text: &str, line: usize) -> Position {
    let starts = |line: &str| {
        line.chars()
            .position(|c| !c.is_whitespace())
            .filter(|_| !line.trim().starts_with('#'))
    };
    let found = text
        .split('\n')
        .enumerate()
        .skip(line)
        .find_map(|(index, line)| Some((index, starts(line)?)));
    found.map_or_else(
        || end_of(text),
        |(index, column)| position(index + 1, column + 1),
    )
}

fn position(line: usize, column: usize) -> Position {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position {
        line: count(line),
        column: count(column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_services_readers() {
        let check = |text: &str, expect: Option<(&'static str, u32, u32)>| {
            let found = not_well_formed(text).map(|it| (it.format, it.at.line, it.at.column));
            assert_eq!(found, expect, "{text:?}");
        };
        check("Resources: {}\n", None);
        check("{\"Resources\": {}}", None);
        check("{\"no colon\"=\"here\"}", Some(("JSON", 1, 13)));
        check("{\"Resources\": {\"Que", Some(("JSON", 1, 20)));
        check("{\n  \"Resources\": {},\n}\n", Some(("JSON", 3, 2)));
        check("{\"ü\"=1}", Some(("JSON", 1, 6)));
        check("{\"a\": 1\n", Some(("JSON", 2, 1)));
        // The positions that PyYAML reports; it is a port of the same parser as SnakeYAML.
        let yaml = |text: &str, line: u32, column: u32| check(text, Some(("YAML", line, column)));
        yaml(
            "Resources:\n  Queue:\n    Type AWS::SQS::Queue\n    Properties:\n      DelaySeconds: \
             1\n",
            4,
            15,
        );
        yaml("Resources:\n  Queue: [\n", 3, 1);
        yaml("Resources:\n  Queue: [a}\n", 2, 12);
        yaml("Resources:\n  Queue:\n\tType: x\n", 3, 1);
        yaml("Resources:\n  Queue: {Type: 'x\n", 3, 1);
        yaml("a: b: c\n", 1, 5);
        yaml("a: b\nc\nd: e\n", 3, 1);
        yaml("Resources:\n  Queue: @x\n", 2, 10);
    }
}
