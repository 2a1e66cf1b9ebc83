//! `AllowedPattern`: a Java regular expression that must match the whole value.
//!
//! Java's and Rust's syntax differ in details. The translation here covers the patterns of real
//! templates; for a pattern that still can't be compiled, only AWS can tell.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fancy_regex::{Regex, RegexBuilder};

/// Backtracking limit of a match, since some patterns take exponential time on certain texts.
const MAX_BACKTRACKING: usize = 100_000;

pub(super) struct AllowedPattern(Regex);

/// Maximum number of cached patterns; a project has fewer.
const MAX_KEPT: usize = 1_000;

impl AllowedPattern {
    /// Returns a cached [`AllowedPattern::new`], since compiling takes far longer than matching,
    /// and the same templates are evaluated for every test and region.
    pub(super) fn of(pattern: &str) -> Option<Arc<Self>> {
        static KEPT: OnceLock<Mutex<HashMap<String, Option<Arc<AllowedPattern>>>>> =
            OnceLock::new();
        let kept = || {
            KEPT.get_or_init(Mutex::default)
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = kept().get(pattern) {
            return known.clone();
        }
        // Compiled without the lock, so that other threads needn't wait.
        let made = Self::new(pattern).map(Arc::new);
        let mut kept = kept();
        if kept.len() < MAX_KEPT {
            kept.insert(pattern.to_owned(), made.clone());
        }
        made
    }

    /// Compiles a pattern; returns `None` if that fails.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        let whole = format!("\\A(?:{})\\z", translated(pattern));
        RegexBuilder::new(&whole)
            .backtrack_limit(MAX_BACKTRACKING)
            .build()
            .ok()
            .map(Self)
    }

    /// Matches a text; returns `None` if the search takes too long.
    pub(super) fn matches(&self, text: &str) -> Option<bool> {
        self.0.is_match(text).ok()
    }
}

/// Translates the pattern to Rust's syntax: Java's `\w`, `\d` and `\s` are limited to ASCII, its
/// POSIX classes are written `\p{Alpha}`, and a `-` in a class that can't be a range is literal
/// (`[\w-_]`).
fn translated(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern.chars().peekable();
    let mut depth = 0usize;
    let mut before = BeforeDash::Start;
    while let Some(character) = rest.next() {
        let now = match character {
            '\\' => escape(&mut rest, &mut translated, depth > 0),
            '[' => {
                depth += 1;
                translated.push('[');
                if depth == 1 && rest.next_if_eq(&'^').is_some() {
                    translated.push('^');
                }
                // An unmatched closing bracket is literal.
                if rest.next_if_eq(&']').is_some() {
                    translated.push_str("\\]");
                }
                BeforeDash::Start
            }
            ']' if depth > 0 => {
                depth -= 1;
                translated.push(']');
                BeforeDash::Class
            }
            '-' if depth > 0 => {
                let is_itself =
                    before != BeforeDash::Character || rest.peek().is_none_or(|next| *next == ']');
                translated.push_str(if is_itself { "\\-" } else { "-" });
                if is_itself {
                    BeforeDash::Character
                } else {
                    BeforeDash::Dash
                }
            }
            '~' if depth > 0 => {
                translated.push_str("\\~");
                BeforeDash::Character
            }
            other => {
                translated.push(other);
                if before == BeforeDash::Dash {
                    BeforeDash::Class
                } else {
                    BeforeDash::Character
                }
            }
        };
        before = now;
    }
    translated
}

/// What precedes a character of a class, which determines the meaning of a `-`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BeforeDash {
    Start,
    Character,
    /// The dash of a range.
    Dash,
    /// The end of a range, or a nested class: no range can begin with it.
    Class,
}

/// Translates what follows a backslash.
fn escape(
    rest: &mut std::iter::Peekable<std::str::Chars>,
    translated: &mut String,
    in_class: bool,
) -> BeforeDash {
    let class = match rest.next() {
        Some('w') => "[0-9A-Za-z_]",
        Some('W') => "[^0-9A-Za-z_]",
        Some('d') => "[0-9]",
        Some('D') => "[^0-9]",
        Some('s') => "[\\t\\n\\x0B\\f\\r ]",
        Some('S') => "[^\\t\\n\\x0B\\f\\r ]",
        Some('h') => "[\\t ]",
        Some(property @ ('p' | 'P')) => {
            let name: String = match rest.next_if_eq(&'{') {
                Some(_) => rest.by_ref().take_while(|it| *it != '}').collect(),
                None => rest.next().into_iter().collect(),
            };
            match posix(&name) {
                Some(class) if property == 'p' => translated.push_str(&format!("[[:{class}:]]")),
                Some(class) => translated.push_str(&format!("[^[:{class}:]]")),
                None => translated.push_str(&format!("\\{property}{{{name}}}")),
            }
            return BeforeDash::Class;
        }
        // In Java these are literal in a class, too.
        Some(character) if in_class && !character.is_ascii_alphanumeric() => {
            translated.push('\\');
            translated.push(character);
            return BeforeDash::Character;
        }
        Some('Z') => {
            translated.push_str("\\z");
            return BeforeDash::Character;
        }
        // Rust has no escapes for letters that Java takes literally, and vice versa.
        Some(character) if !character.is_ascii() => {
            translated.push(character);
            return BeforeDash::Character;
        }
        Some(character) => {
            translated.push('\\');
            translated.push(character);
            return BeforeDash::Character;
        }
        None => {
            translated.push('\\');
            return BeforeDash::Character;
        }
    };
    translated.push_str(class);
    BeforeDash::Class
}

/// Returns Rust's name for Java's name of a POSIX class.
fn posix(name: &str) -> Option<&'static str> {
    Some(match name {
        "Lower" => "lower",
        "Upper" => "upper",
        "ASCII" => "ascii",
        "Alpha" => "alpha",
        "Digit" => "digit",
        "Alnum" => "alnum",
        "Punct" => "punct",
        "Graph" => "graph",
        "Print" => "print",
        "Blank" => "blank",
        "Cntrl" => "cntrl",
        "XDigit" => "xdigit",
        "Space" => "space",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let read = AllowedPattern::new(pattern)
            .unwrap_or_else(|| panic!("{pattern} cannot be read: {}", translated(pattern)));
        for text in yes {
            assert_eq!(read.matches(text), Some(true), "{pattern} and {text:?}");
        }
        for text in no {
            assert_eq!(read.matches(text), Some(false), "{pattern} and {text:?}");
        }
    }

    #[test]
    fn the_whole_value_has_to_match() {
        check("[a-z]+", &["abc"], &["", "abc1", "1abc", "abc\n"]);
        check("^[a-z]+$", &["abc"], &["abc\n", "ABC"]);
        check("a|bc", &["a", "bc"], &["ac", "abc"]);
        check("", &[""], &["x"]);
        check("^$|x", &["", "x"], &["xx"]);
    }

    #[test]
    fn javas_notation_is_read() {
        check(r"[\w-_]*", &["a-b_c"], &["a b", "ä"]);
        check(r"[\w\-\.]+@[\w-]+", &["a.b@c-d"], &["a@"]);
        check(r"\d{3}", &["123"], &["١٢٣"]);
        check(r"[\p{Alnum}\p{Punct}]+", &["a1!"], &["a b"]);
        check(r"\P{Digit}+", &["ab"], &["1"]);
        check(r"(?=.*[A-Z])(?=.*[0-9]).{8,}", &["Passw0rd"], &["password"]);
        check(r"(?!rds_superuser$)[a-z_]+", &["admin"], &["rds_superuser"]);
        check(r"[^~]+", &["a"], &["~"]);
        check(r"[!-~]+", &["a!~"], &[" "]);
        check(r"[ -~]*", &["a b"], &["ä"]);
        check(r"[a-z0-9-/]+", &["a-/"], &["A"]);
        check(r"[]a]+", &["]a"], &["b"]);
        check(r"(?>a+)b", &["aab"], &["a"]);
        check(r"[a-z&&[^b]]+", &["ac"], &["ab"]);
        check(
            r"((\d{1,3})\.){3}\d{1,3}/\d{1,2}",
            &["10.0.0.0/16"],
            &["10.0.0.0"],
        );
        check(
            r"^([0-9]{1,3}\.){3}[0-9]{1,3}(\/([0-9]|[1-2][0-9]|3[0-2]))$",
            &["10.0.0.0/16"],
            &["10.0.0.0/33"],
        );
        check("(?s).+", &["a\nb"], &[""]);
    }

    #[test]
    fn invalid_patterns_are_not_compiled() {
        assert!(AllowedPattern::new("(").is_none());
        assert!(AllowedPattern::new(r"\").is_none());
        assert!(AllowedPattern::new("[").is_none());
    }

    #[test]
    fn matching_a_slow_pattern_is_abandoned() {
        let read = AllowedPattern::new(r"(?=a)(a|aa)+(?=b)\1b").unwrap();
        assert_eq!(read.matches(&"a".repeat(200)), None);
    }
}
