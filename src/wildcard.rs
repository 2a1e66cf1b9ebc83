//! Names with wildcards: `*` for any characters, `?` for one.

use schemars::JsonSchema;
use serde::Deserialize;

/// A name that may contain wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(crate) struct Wildcard(pub String);

impl Wildcard {
    /// Returns whether the pattern matches the whole text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        matches_wildcard(&self.0, text)
    }
}

/// Returns whether the whole text matches the pattern. Linear in both for any number of stars:
/// after a mismatch only the last star takes one more character.
pub(crate) fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let mut p = 0;
    let mut t = 0;
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        let check = |pattern: &str, text: &str, expect: bool| {
            assert_eq!(matches_wildcard(pattern, text), expect, "{pattern} {text}")
        };
        check("", "", true);
        check("", "a", false);
        check("*", "", true);
        check("tcat-*", "tcat-a-b", true);
        check("tcat-*", "cat-a", false);
        check("*-b", "a-b-b", true);
        check("a*b*c", "a1b2b3c", true);
        check("a*b*c", "a1b2b3", false);
        check("a?c", "aüc", true);
        check("a?c", "ac", false);
        check("Put*", "PutObject", true);
        check("put*", "PutObject", false);
        check("[a].", "[a].", true);
        check(&format!("{}b", "*a".repeat(40)), &"a".repeat(10_000), false);
    }
}
