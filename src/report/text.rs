//! Foreign text made fit to be shown: CloudFormation's reasons, template authors' names and values, AWS's messages.
//!
//! Escaping for a format (HTML, XML, JSON) is its library's work; here goes what no format may let through: terminal
//! escapes, control characters, and marks that turn the direction of the text around.

use std::borrow::Cow;

use jiff::{Timestamp, Unit};

/// `text` without terminal escapes, control characters (but line feed and tab) and direction marks.
pub fn clean(text: &str) -> Cow<'_, str> {
    let is_hostile = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_direction_mark(c) || is_no_character(c);
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let stripped = console::strip_ansi_codes(text).replace("\r\n", "\n");
    Cow::Owned(stripped.chars().filter(|c| !is_hostile(*c)).collect())
}

/// `clean`, on one line: runs of white space become one space.
pub fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The characters that can make text read otherwise than it is written (Unicode's bidirectional controls).
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}')
}

/// Code points that Unicode gives to no character; XML refuses two of them in any form.
fn is_no_character(c: char) -> bool {
    u32::from(c) & 0xfffe == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}')
}

/// A duration as people read it: `0.4s`, `42s`, `3m 05s`, `1h 02m`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        _ if seconds < 1.0 => format!("{:.1}s", seconds.max(0.0)),
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3600, whole % 3600 / 60),
    }
}

/// UTC in whole seconds: `2026-11-02T10:00:00Z`.
pub fn seconds(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).to_string()
}

/// Breaks one paragraph into lines of at most `width` characters: at white space, else after a hyphen between words,
/// else anywhere. White space of any kind counts as a space, and the spaces at a break are dropped.
///
/// This is the layout of Python's `textwrap.fill`, in which TaskCat writes a stack's reason.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let is_space = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let text: Vec<char> = expand_tabs(text).chars().map(|c| if is_space(c) { ' ' } else { c }).collect();
    let width = width.max(1);
    let mut chunks = chunks(&text);
    chunks.reverse();
    let mut lines = Vec::new();
    while let Some(first) = chunks.last() {
        // The space before a line's first word belongs to the break, but for the very first line.
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

/// Where to cut a chunk that is longer than a line when `room` is left on this one: after its last hyphen, else anywhere.
fn room_for_head(chunk: &[char], room: usize) -> usize {
    let hyphen = chunk.iter().take(room).rposition(|c| *c == '-').filter(|at| chunk[..*at].iter().any(|c| *c != '-'));
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
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    out
}

/// Runs of spaces, and words cut after the hyphens that may end a line.
fn chunks(text: &[char]) -> Vec<&[char]> {
    let mut chunks = Vec::new();
    let mut start = 0;
    for at in 1..=text.len() {
        let ends = match (text.get(at - 1), text.get(at)) {
            (Some(before), Some(after)) => {
                (*before == ' ') != (*after == ' ') || breaks_after_hyphen(text, at) || breaks_at_dash(text, at)
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

/// True if a line may end before `at`, after a hyphen in a compound of letters: `re-|use`, but not `us-east-1`'s last.
fn breaks_after_hyphen(text: &[char], at: usize) -> bool {
    let is = |index: Option<usize>, test: fn(char) -> bool| index.and_then(|it| text.get(it)).is_some_and(|c| test(*c));
    let letter = |c: char| c.is_alphabetic() || c == '_';
    let hyphen = |c: char| c == '-';
    if !is(at.checked_sub(1), hyphen) {
        return false;
    }
    let two_letters = is(at.checked_sub(2), letter) && is(at.checked_sub(3), letter);
    let initials =
        is(at.checked_sub(2), is_word_punct) && is(at.checked_sub(3), hyphen) && is(at.checked_sub(4), letter);
    let next =
        is(Some(at), letter) && (is(Some(at + 1), letter) || (is(Some(at + 1), hyphen) && is(Some(at + 2), letter)));
    (two_letters || initials) && next
}

/// True if `at` is an end of a dash of two or more hyphens between words.
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
        && at.checked_sub(hyphens_before + 1).and_then(|it| text.get(it)).is_some_and(|c| is_word_punct(*c));
    starts || ends
}

fn is_word_punct(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '!' | '"' | '\'' | '&' | '.' | ',' | '?')
}
