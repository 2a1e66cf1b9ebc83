//! Replaces values in a text and keeps every other byte.

use std::ops::Range;

use crate::diagnostic::Position;
use crate::yaml;

/// A value to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AmiEdit {
    /// Where the value begins.
    pub at: Position,
    /// The value as written, without quotes.
    pub old: String,
    pub new: String,
}

/// Replaces the values in the text, inside of their quotes if they have any. Returns the new text,
/// and the edits whose value isn't written in one piece at its position.
pub(crate) fn apply<'e>(text: &str, edits: &'e [AmiEdit]) -> (String, Vec<&'e AmiEdit>) {
    let mut found: Vec<(Range<usize>, &AmiEdit)> = Vec::new();
    let mut unfound = Vec::new();
    for edit in edits {
        match range(text, edit) {
            Some(range) => found.push((range, edit)),
            None => unfound.push(edit),
        }
    }
    found.sort_by_key(|(range, _)| range.start);
    let mut changed = String::with_capacity(text.len());
    let mut end = 0;
    for (range, edit) in found {
        changed.push_str(text.get(end..range.start).unwrap_or_default());
        changed.push_str(&edit.new);
        end = range.end;
    }
    changed.push_str(text.get(end..).unwrap_or_default());
    (changed, unfound)
}

/// Returns where the value is, without its quotes.
fn range(text: &str, edit: &AmiEdit) -> Option<Range<usize>> {
    let start = yaml::offset(text, edit.at)?;
    let rest = text.get(start..)?;
    let quote = rest.chars().next().filter(|it| matches!(it, '"' | '\''));
    let (start, rest) = match quote {
        Some(quote) => (start + 1, rest.strip_prefix(quote)?),
        None => (start, rest),
    };
    let after = rest.strip_prefix(&*edit.old)?;
    let is_whole = match quote {
        Some(quote) => after.starts_with(quote),
        None => !edit.old.is_empty(),
    };
    is_whole.then(|| start..start + edit.old.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_values_change() {
        let check = |text: &str, at: (u32, u32), old: &str, expect: Option<&str>| {
            let edit = AmiEdit {
                at: Position {
                    line: at.0,
                    column: at.1,
                },
                old: old.to_owned(),
                new: "ami-new".to_owned(),
            };
            let edits = [edit];
            let (changed, unfound) = apply(text, &edits);
            assert_eq!(changed, expect.unwrap_or(text), "{text:?}");
            assert_eq!(unfound.is_empty(), expect.is_some(), "{text:?}");
        };
        let old = "ami-0a";
        check(
            "A: ami-0a # ami-0a\r\n",
            (1, 4),
            old,
            Some("A: ami-new # ami-0a\r\n"),
        );
        check(
            "\u{FEFF}A: 'ami-0a'",
            (1, 4),
            old,
            Some("\u{FEFF}A: 'ami-new'"),
        );
        check(
            "ä: 1\rB: \"ami-0a\"",
            (2, 4),
            old,
            Some("ä: 1\rB: \"ami-new\""),
        );
        check(
            "{ü: \"\", B: \"\"}",
            (1, 5),
            "",
            Some("{ü: \"ami-new\", B: \"\"}"),
        );
        check("A: >-\n  ami-0a\n", (1, 4), old, None);
        check("A: \"ami-\\x30a\"", (1, 4), old, None);
        check("A: ami-0a", (7, 1), old, None);
    }
}
