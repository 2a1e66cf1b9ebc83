//! Parses strings that contain `${…}`, for `Fn::Sub` and for keys of loops
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html>).
//!
//! This is the only parser of that notation. Callers determine the values of variables: evaluation,
//! the dependency graph, loops, and the URLs of nested stacks. Every segment borrows its part of
//! the string, and all segments together are the string.

/// A part of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment<'t> {
    /// Literal text, including a `${` that is never closed with everything after it.
    Text(&'t str),
    /// `${!`, which produces [`Segment::ESCAPED`]. What follows is parsed like other text, so
    /// `${!A:-${B}}` has the variable `B`.
    Escape(&'t str),
    Variable(Variable<'t>),
}

/// `${Name}`, or `&{Name}` in the key of a loop, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variable<'t>(&'t str);

/// The segments of a string, in order.
#[derive(Clone, Debug)]
pub(super) struct Segments<'t> {
    rest: &'t str,
    /// Whether `&{` begins a variable, too.
    is_key: bool,
}

impl Segment<'_> {
    /// The result of an escape.
    pub(super) const ESCAPED: &'static str = "${";
}

impl<'t> Variable<'t> {
    /// Returns the variable with its braces.
    pub(super) fn written(self) -> &'t str {
        self.0
    }

    /// Returns everything between the braces.
    pub(super) fn inside(self) -> &'t str {
        &self.0[2..self.0.len() - 1]
    }

    /// Returns the name, without white space around it: `Name`, `Name.Attribute`, `AWS::Region`.
    pub(super) fn name(self) -> &'t str {
        self.inside().trim()
    }

    /// Returns whether only the letters and digits of the value are inserted, as for `&{Name}`.
    pub(super) fn is_alphanumeric(self) -> bool {
        self.0.starts_with('&')
    }
}

impl<'t> Segments<'t> {
    /// Parses the string of `Fn::Sub`.
    pub(super) fn of(text: &'t str) -> Self {
        Self {
            rest: text,
            is_key: false,
        }
    }

    /// Parses a key in a loop.
    pub(super) fn of_key(text: &'t str) -> Self {
        Self {
            rest: text,
            is_key: true,
        }
    }

    /// Returns the names of the variables, repeated if they repeat; invalid names are left out.
    pub(super) fn names(self) -> impl Iterator<Item = &'t str> {
        self.filter_map(|segment| match segment {
            Segment::Variable(variable) if is_name(variable.name()) => Some(variable.name()),
            _ => None,
        })
    }

    /// Returns where the next variable or escape begins.
    fn opening(&self) -> Option<usize> {
        let bytes = self.rest.as_bytes();
        let braces = self
            .rest
            .match_indices('{')
            .filter_map(|(at, _)| at.checked_sub(1));
        let mut openings =
            braces.filter(|at| bytes[*at] == b'$' || (self.is_key && bytes[*at] == b'&'));
        openings.next()
    }

    /// Consumes and returns that many bytes.
    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

impl<'t> Iterator for Segments<'t> {
    type Item = Segment<'t>;

    fn next(&mut self) -> Option<Segment<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        let start = self.opening().unwrap_or(self.rest.len());
        if start > 0 {
            return Some(Segment::Text(self.take(start)));
        }
        let inside = self.rest[2..].trim_start();
        if inside.starts_with('!') {
            return Some(Segment::Escape(
                self.take(self.rest.len() - inside.len() + 1),
            ));
        }
        Some(match self.rest.find('}') {
            Some(end) => Segment::Variable(Variable(self.take(end + 1))),
            None => Segment::Text(self.take(self.rest.len())),
        })
    }
}

/// Returns whether CloudFormation accepts the name of a variable.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.:".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Formats segments, with escapes as `!` and variables as `<name>`.
    fn shown(segments: Segments) -> Vec<String> {
        let shown = segments.map(|segment| match segment {
            Segment::Text(text) => text.to_owned(),
            Segment::Escape(_) => "!".to_owned(),
            Segment::Variable(variable) => format!("<{}>", variable.name()),
        });
        shown.collect()
    }

    #[test]
    fn texts_are_cut_into_segments() {
        let check = |text: &str, expect: &[&str]| {
            assert_eq!(shown(Segments::of(text)), expect, "{text}");
            let written = Segments::of(text).map(|segment| match segment {
                Segment::Text(text) | Segment::Escape(text) => text,
                Segment::Variable(variable) => variable.written(),
            });
            assert_eq!(written.collect::<String>(), text);
        };
        check("", &[]);
        check("a", &["a"]);
        check("a${B}c", &["a", "<B>", "c"]);
        check("${A}${B.C}", &["<A>", "<B.C>"]);
        check("${ C }\t${\nD\n}", &["<C>", "\t", "<D>"]);
        check("${!B}", &["!", "B}"]);
        check("a${!B}${C}", &["a", "!", "B}", "<C>"]);
        check("${!A:-${B}}", &["!", "A:-", "<B>", "}"]);
        check("${!A:-${!B}}", &["!", "A:-", "!", "B}}"]);
        check("${ !B}", &["!", "B}"]);
        check("$${B}", &["$", "<B>"]);
        check("{a} ä{${B}ö}", &["{a} ä{", "<B>", "ö}"]);
        check("${B", &["${B"]);
        check("a${", &["a", "${"]);
        check("${!", &["!"]);
        check("}${A}}", &["}", "<A>", "}"]);
        check("${A${B}}", &["<A${B>", "}"]);
        check("${}", &["<>"]);
        check("&{A}", &["&{A}"]);
    }

    #[test]
    fn keys_of_loops_have_a_second_notation() {
        let check = |text: &str, expect: &[&str]| {
            assert_eq!(shown(Segments::of_key(text)), expect, "{text}")
        };
        check("A${B}&{C}D", &["A", "<B>", "<C>", "D"]);
        check("&{A", &["&{A"]);
        let signs = Segments::of_key("${A}&{ B }").map(|segment| match segment {
            Segment::Variable(variable) => (variable.inside(), variable.is_alphanumeric()),
            other => panic!("{other:?}"),
        });
        assert_eq!(signs.collect::<Vec<_>>(), [("A", false), (" B ", true)]);
    }

    #[test]
    fn invalid_names_are_left_out() {
        let check = |text: &str, expect: &[&str]| {
            assert_eq!(Segments::of(text).names().collect::<Vec<_>>(), expect)
        };
        check(
            "${A} ${B.C} ${AWS::Region} ${A}",
            &["A", "B.C", "AWS::Region", "A"],
        );
        check("${A-b} ${} ${ C } ${!D}", &["C"]);
    }
}
