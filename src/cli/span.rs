//! Determines what to underline at a location: diagnostics know where a value or a key begins, and
//! the text shows where it ends.

use std::ops::Range;

use crate::diagnostic::Location;

/// Returns the byte range of the key or value at a location. It ends at the end of its line at the
/// latest.
pub(super) fn span(location: &Location, source: &str) -> Range<usize> {
    let line = usize::try_from(location.at.line)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let column = usize::try_from(location.at.column)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let line_start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source.get(line_start..).unwrap_or_default();
    let text = rest.lines().next().unwrap_or_default();
    let start = text
        .char_indices()
        .nth(column)
        .map_or(text.len(), |(at, _)| at);
    let (before, value) = text.split_at(start);
    let start = line_start + start;
    start..start + length(before, value)
}

/// Returns the length of the value at the beginning of a text; `before` precedes it on its line.
fn length(before: &str, value: &str) -> usize {
    match value.chars().next() {
        None => 0,
        Some(quote @ ('"' | '\'')) => quoted(value, quote),
        Some('[' | '{') => collection(value),
        // Begins a list item, or separates a key from its value.
        Some('-' | ':' | '?')
            if value[1..].is_empty() || value[1..].starts_with(char::is_whitespace) =>
        {
            1
        }
        Some(_) => plain(value, is_in_flow(before)),
    }
}

/// Returns the length including both quotes; without the second one, the rest of the line.
fn quoted(value: &str, quote: char) -> usize {
    let mut characters = value.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == '\\' && quote == '"' {
            characters.next();
        } else if character == quote {
            // In single quotes a quote is written twice.
            if quote == '\'' && characters.next_if(|(_, next)| *next == quote).is_some() {
                continue;
            }
            return at + quote.len_utf8();
        }
    }
    value.trim_end().len()
}

/// Returns the length including both brackets; without the second one, the rest of the line.
fn collection(value: &str) -> usize {
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(character) = value[at..].chars().next() {
        match character {
            '"' | '\'' if begins_a_value(&value[..at]) => {
                at += quoted(&value[at..], character);
                continue;
            }
            '[' | '{' => open += 1,
            ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        at += character.len_utf8();
        if open == 0 {
            return at;
        }
    }
    value.trim_end().len()
}

/// Returns whether a quote can begin here: an apostrophe inside of a word isn't a quote.
fn begins_a_value(before: &str) -> bool {
    before.trim_end().ends_with(['[', '{', ',', ':']) || before.ends_with(char::is_whitespace)
}

/// Returns the length of a key up to its colon, or of a value up to a comment or the end of its
/// line, and in brackets up to a comma or bracket.
fn plain(value: &str, is_in_flow: bool) -> usize {
    let ends = |(at, character): &(usize, char)| {
        let rest = &value[*at + character.len_utf8()..];
        match character {
            ':' => rest.is_empty() || rest.starts_with(char::is_whitespace),
            '#' => value[..*at].ends_with(char::is_whitespace),
            ',' | ']' | '}' => is_in_flow,
            _ => false,
        }
    };
    let end = value
        .char_indices()
        .skip(1)
        .find(ends)
        .map_or(value.len(), |(at, _)| at);
    value[..end].trim_end().len().max(1)
}

/// Returns whether brackets are open at the end of a text.
fn is_in_flow(before: &str) -> bool {
    let opened = before.matches(['[', '{']).count();
    opened > before.matches([']', '}']).count()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::Position;

    /// The location is marked by `|`.
    #[track_caller]
    fn check(marked: &str, expect: &str) {
        let column = marked.chars().position(|c| c == '|').unwrap() as u32 + 1;
        let source = format!("first: line\n{}\nlast: line\n", marked.replacen('|', "", 1));
        let location = Location {
            file: Arc::from(Path::new("f")),
            at: Position { line: 2, column },
        };
        assert_eq!(&source[span(&location, &source)], expect, "{marked}");
    }

    #[test]
    fn keys_and_values_are_underlined_as_a_whole() {
        check("|key: value", "key");
        check("key: |value", "value");
        check("key: |two words # comment", "two words");
        check("key: |a#b:c", "a#b:c");
        check("key: |\"two words: x\"  # c", "\"two words: x\"");
        check("key: |\"a \\\" b\" c", "\"a \\\" b\"");
        check("key: |'it''s'", "'it''s'");
        check("key: |\"never closed ", "\"never closed");
        check("|\"quoted key\": 1", "\"quoted key\"");
        check("key: |[a, b] # c", "[a, b]");
        check("key: |{a: [b, \"]\"], c: d}", "{a: [b, \"]\"], c: d}");
        check("key: |[don't, x]", "[don't, x]");
        check("key: |[a, b", "[a, b");
        check("key: [a, |b c]", "b c");
        check("key: {a: |b, c: d}", "b");
        check("key: {|a: b}", "a");
        check("ü: |über", "über");
        check("a|: b", ":");
        check("  |- item", "-");
        check("key: |-1", "-1");
        check("key:|", "");
    }

    #[test]
    fn a_place_outside_of_the_file_is_its_end() {
        let location = Location {
            file: Arc::from(Path::new("f")),
            at: Position { line: 9, column: 9 },
        };
        assert_eq!(span(&location, "a: b\n"), 5..5);
    }
}
