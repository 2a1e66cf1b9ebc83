//! Names that are only partially known: the possible values of `Queue${Name}`.

use crate::template::substitution::{Segment, Segments};

/// Literal parts of a name with arbitrary text between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::template) struct NamePattern {
    /// At least one: the first is the prefix of the name; if there are several, the last is its
    /// suffix.
    pieces: Vec<String>,
}

impl NamePattern {
    pub(in crate::template) fn any() -> Self {
        Self {
            pieces: vec![String::new(), String::new()],
        }
    }

    pub(in crate::template) fn exactly(name: &str) -> Self {
        Self {
            pieces: vec![name.to_owned()],
        }
    }

    pub(in crate::template) fn of(pieces: Vec<String>) -> Self {
        if pieces.is_empty() {
            Self::any()
        } else {
            Self { pieces }
        }
    }

    /// Returns the possible names of a key that contains `${Name}` and `&{Name}`.
    pub(in crate::template) fn written(text: &str) -> Self {
        let mut pieces = vec![String::new()];
        for segment in Segments::of_key(text) {
            match segment {
                Segment::Text(text) | Segment::Escape(text) => add(&mut pieces, text),
                Segment::Variable(_) => pieces.push(String::new()),
            }
        }
        Self { pieces }
    }

    pub(in crate::template) fn matches(&self, name: &str) -> bool {
        let (first, rest) = match self.pieces.as_slice() {
            [first, rest @ ..] => (first, rest),
            [] => return false,
        };
        let Some(mut name) = name.strip_prefix(first.as_str()) else {
            return false;
        };
        let Some((last, between)) = rest.split_last() else {
            return name.is_empty();
        };
        for piece in between {
            match name.find(piece.as_str()) {
                Some(found) => name = &name[found + piece.len()..],
                None => return false,
            }
        }
        name.ends_with(last.as_str())
    }
}

/// Appends text to the last part.
pub(in crate::template) fn add(pieces: &mut [String], text: &str) {
    if let Some(last) = pieces.last_mut() {
        last.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        let check = |pieces: &[&str], name: &str, expect: bool| {
            let pattern = NamePattern::of(pieces.iter().map(|piece| (*piece).to_owned()).collect());
            assert_eq!(pattern.matches(name), expect, "{pieces:?} {name}");
        };
        check(&["Queue"], "Queue", true);
        check(&["Queue"], "QueueA", false);
        check(&["Queue", ""], "QueueA", true);
        check(&["Queue", ""], "Topic", false);
        check(&["", "Queue"], "AQueue", true);
        check(&["", "Queue"], "QueueA", false);
        check(&["A", "B", "C"], "AxByC", true);
        check(&["A", "B", "C"], "ABC", true);
        check(&["A", "B", "C"], "ACB", false);
        check(&["A", "A"], "A", false);
        check(&[], "Whatever", true);
        assert_eq!(NamePattern::written("A"), NamePattern::exactly("A"));
        assert_eq!(
            NamePattern::written("A${X}B&{Y}"),
            NamePattern::of(vec!["A".into(), "B".into(), String::new()])
        );
        assert_eq!(
            NamePattern::written("${X}${"),
            NamePattern::of(vec![String::new(), "${".into()])
        );
        assert!(NamePattern::any().matches(""));
        assert!(NamePattern::exactly("A").matches("A"));
    }
}
