//! Sanitizes foreign text for display: CloudFormation's reasons, names and values of template
//! authors, AWS's messages.
//!
//! Escaping for a format (HTML, XML, JSON) is left to its library; here, characters are removed
//! that no format may contain: terminal escapes, control characters, and marks that reverse the
//! direction of text.

use std::borrow::Cow;

use jiff::Timestamp;

/// Returns the text without terminal escapes, control characters (except line feed and tab) and
/// direction marks.
pub fn clean(text: &str) -> Cow<'_, str> {
    let is_hostile = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || is_direction_mark(c) || is_no_character(c)
    };
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let stripped = console::strip_ansi_codes(text).replace("\r\n", "\n");
    Cow::Owned(stripped.chars().filter(|c| !is_hostile(*c)).collect())
}

/// Returns the text like [`clean`], on one line: runs of white space become one space.
pub fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns at most `limit` characters of the text, with an ellipsis if some are missing.
pub fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns the text for use in a file name or an anchor. Recorded events may be foreign, and no
/// name in them may lead out of the folder.
pub fn name_safe(text: &str) -> String {
    text.replace(
        |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'),
        "_",
    )
}

/// Returns whether a character can make text read differently than it is written (Unicode's
/// bidirectional controls).
fn is_direction_mark(c: char) -> bool {
    matches!(
        c,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}'
    )
}

/// Returns whether a code point is a Unicode noncharacter; XML refuses two of them in any form.
fn is_no_character(c: char) -> bool {
    u32::from(c) & 0xfffe == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}')
}

/// Formats a duration: `0.4s`, `42s`, `3m 05s`, `1h 02m`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        _ if seconds > 0.0 && seconds < 1.0 => format!("{seconds:.1}s"),
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3600, whole % 3600 / 60),
    }
}

/// Formats a time in UTC in whole seconds: `2026-11-02T10:00:00Z`.
pub fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Wraps a paragraph into lines of at most `width` characters: at white space, else after a hyphen
/// between words, else anywhere. Any white space counts as a space, and spaces at a line break are
/// dropped.
///
/// The result is that of Python's `textwrap.fill`, which TaskCat uses for a stack's reason.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let is_space = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let text: Vec<char> = expand_tabs(text)
        .chars()
        .map(|c| if is_space(c) { ' ' } else { c })
        .collect();
    let width = width.max(1);
    let mut chunks = chunks(&text);
    chunks.reverse();
    let mut lines = Vec::new();
    while let Some(first) = chunks.last() {
        // The space before a line's first word is dropped, except on the very first line.
        if !lines.is_empty() && first.iter().all(|c| *c == ' ') {
            chunks.pop();
            continue;
        }
        let mut line: Vec<char> = Vec::new();
        while let Some(chunk) = chunks.pop_if(|chunk| line.len() + chunk.len() <= width) {
            line.extend(chunk);
        }
        if let Some(chunk) = chunks.pop_if(|chunk| chunk.len() > width) {
            let (head, tail) = chunk.split_at(room_for_head(chunk, width - line.len()));
            line.extend(head);
            chunks.push(tail);
        }
        if line.last() == Some(&' ') {
            line.truncate(line.len() - line.iter().rev().take_while(|c| **c == ' ').count());
        }
        if !line.is_empty() {
            lines.push(line.into_iter().collect());
        }
    }
    lines
}

/// Returns where to cut a chunk longer than a line, with `room` left on this one: after its last
/// hyphen, or anywhere.
fn room_for_head(chunk: &[char], room: usize) -> usize {
    let hyphen = chunk
        .iter()
        .take(room)
        .rposition(|c| *c == '-')
        .filter(|at| chunk[..*at].iter().any(|c| *c != '-'));
    hyphen.map_or(room, |at| at + 1)
}

fn expand_tabs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' => {
                let spaces = 8 - column % 8;
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            _ => {
                out.push(c);
                column = if matches!(c, '\n' | '\r') {
                    0
                } else {
                    column + 1
                };
            }
        }
    }
    out
}

/// Returns runs of spaces, and words cut after hyphens that may end a line.
fn chunks(text: &[char]) -> Vec<&[char]> {
    let mut chunks = Vec::new();
    let mut start = 0;
    for at in 1..=text.len() {
        let ends = match (text.get(at - 1), text.get(at)) {
            (Some(before), Some(after)) => {
                (*before == ' ') != (*after == ' ')
                    || breaks_after_hyphen(text, at)
                    || breaks_at_dash(text, at)
            }
            _ => true,
        };
        if ends {
            chunks.extend(text.get(start..at));
            start = at;
        }
    }
    chunks
}

/// Returns whether a line may end before `at`, after a hyphen in a compound of letters: `re-|use`,
/// but not after the last hyphen of `us-east-1`.
fn breaks_after_hyphen(text: &[char], at: usize) -> bool {
    let is = |index: Option<usize>, test: fn(char) -> bool| {
        index.and_then(|it| text.get(it)).is_some_and(|c| test(*c))
    };
    let letter = |c: char| c.is_alphabetic() || c == '_';
    let hyphen = |c: char| c == '-';
    if !is(at.checked_sub(1), hyphen) {
        return false;
    }
    let two_letters = is(at.checked_sub(2), letter) && is(at.checked_sub(3), letter);
    let initials = is(at.checked_sub(2), is_word_punct)
        && is(at.checked_sub(3), hyphen)
        && is(at.checked_sub(4), letter);
    let next = is(Some(at), letter)
        && (is(Some(at + 1), letter) || (is(Some(at + 1), hyphen) && is(Some(at + 2), letter)));
    (two_letters || initials) && next
}

/// Returns whether `at` is an end of a dash of two or more hyphens between words.
fn breaks_at_dash(text: &[char], at: usize) -> bool {
    let hyphens_before = text[..at].iter().rev().take_while(|c| **c == '-').count();
    let hyphens_after = text[at..].iter().take_while(|c| **c == '-').count();
    let word = |c: &char| c.is_alphanumeric() || *c == '_';
    let starts = hyphens_before == 0
        && hyphens_after >= 2
        && text.get(at - 1).is_some_and(|c| is_word_punct(*c))
        && text.get(at + hyphens_after).is_some_and(word);
    let ends = hyphens_after == 0
        && hyphens_before >= 2
        && text.get(at).is_some_and(word)
        && at
            .checked_sub(hyphens_before + 1)
            .and_then(|it| text.get(it))
            .is_some_and(|c| is_word_punct(*c));
    starts || ends
}

fn is_word_punct(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '!' | '"' | '\'' | '&' | '.' | ',' | '?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_removed() {
        let check = |input: &str, expect: &str| assert_eq!(clean(input), expect, "{input:?}");
        check("plain\ttext\nof two lines", "plain\ttext\nof two lines");
        check("\u{1b}[1;31mred\u{1b}[0m", "red");
        check("\u{1b}]0;title\u{7}rest", "rest");
        check("\u{1b}[2J\u{1b}[H", "");
        check("one\r\ntwo\rthree", "one\ntwothree");
        check("nul\0 bell\u{7} back\u{8} c1\u{9b}31m", "nul bell back c1");
        check("abc\u{202e}fed\u{2069}", "abcfed");
        check("\u{fffe}\u{fdd0}", "");
        check("Größe 漢字 💥", "Größe 漢字 💥");
        assert_eq!(one_line("  a\n\n b\t\u{1b}[0mc "), "a b c");
    }

    #[test]
    fn durations() {
        let check = |seconds: f64, expect: &str| assert_eq!(duration(seconds), expect);
        check(0.0, "0s");
        check(-3.0, "0s");
        check(0.42, "0.4s");
        check(1.0, "1s");
        check(59.4, "59s");
        check(59.6, "1m 00s");
        check(185.0, "3m 05s");
        check(3599.6, "1h 00m");
        check(7325.0, "2h 02m");
    }

    /// The expected lines are those of Python's `textwrap.wrap`, which TaskCat's `fill` uses.
    #[test]
    fn lines_break_where_python_breaks_them() {
        let check = |text: &str, width: usize, expect: &[&str]| {
            assert_eq!(wrap(text, width), expect, "{text:?}")
        };
        check("", 10, &[]);
        check("   ", 10, &[]);
        check("one two three", 7, &["one two", "three"]);
        check("one  two   three", 8, &["one  two", "three"]);
        check("  leading", 20, &["  leading"]);
        check("trailing   ", 20, &["trailing"]);
        check(
            "xxxxxxxxxxxxxxxxxxxxxxxxx",
            10,
            &["xxxxxxxxxx", "xxxxxxxxxx", "xxxxx"],
        );
        check(
            "ab xxxxxxxxxxxxxxxxxxxxxxxxx",
            10,
            &["ab xxxxxxx", "xxxxxxxxxx", "xxxxxxxx"],
        );
        check(
            "re-use of self-signed x-y-z things",
            12,
            &["re-use of", "self-signed", "x-y-z things"],
        );
        check(
            "us-east-1 and us-east-1",
            5,
            &["us-ea", "st-1", "and", "us-ea", "st-1"],
        );
        check("aaa-bbb-ccc-ddd", 8, &["aaa-bbb-", "ccc-ddd"]);
        check(
            "a--b and word--word---more",
            8,
            &["a--b and", "word--", "word---", "more"],
        );
        check(
            "one\ttwo\n\nthree\u{b}four",
            9,
            &["one", "two", "three", "four"],
        );
        check(
            "--leading dashes -- here",
            6,
            &["--lead", "ing", "dashes", "--", "here"],
        );
        check(
            "arn:aws:cloudformation:us-east-1:123456789012:stack/tCaT-demo/5b0c2a30-7f0e",
            20,
            &[
                "arn:aws:cloudformati",
                "on:us-east-",
                "1:123456789012:stack",
                "/tCaT-",
                "demo/5b0c2a30-7f0e",
            ],
        );
        check(
            "a-b-c-d-e-f-g-h-i",
            4,
            &["a-b-", "c-d-", "e-f-", "g-", "h-i"],
        );
        check("word-- next", 6, &["word--", "next"]);
        check("Größe-Maß ist groß", 8, &["Größe-", "Maß ist", "groß"]);
        check("non breaking space", 6, &["non br", "eaking", "space"]);
        check("12-34-56-78", 4, &["12-", "34-", "56-", "78"]);
        check("foo_bar-baz_qux.", 9, &["foo_bar-", "baz_qux."]);
        check(
            "(well-known) [half-open] 'semi-open'",
            9,
            &["(well-", "known)", "[half-", "open]", "'semi-", "open'"],
        );
        check("-----------------", 5, &["-----", "-----", "-----", "--"]);
    }
}
