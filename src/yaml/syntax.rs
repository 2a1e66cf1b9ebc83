//! What a syntax error means for the person who wrote the file: the parser's errors in plain words, and what to do.

use granit_parser::ErrorKind;

use super::compose::MAX_DEPTH;
use crate::diagnostic::Diagnostic;

/// An error without its place, which `compose` adds. What is rare keeps the parser's own words.
pub fn explain(kind: &ErrorKind) -> Diagnostic {
    let said = |message: &str, help: &str| Diagnostic::error(message).help(help);
    match kind {
        ErrorKind::RecursionLimitExceeded => too_deep(),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => said("a tab stands in the indentation", "indent with spaces"),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::InvalidIndentation => {
            said("the indentation of this line fits nothing above it", "align it with its neighbours")
        }
        ErrorKind::MappingValueNotAllowed => said(
            "a `:` stands where no key can be",
            "put a value that contains `: ` in quotes, or mend the indentation",
        ),
        ErrorKind::InvalidColonPlacement => {
            said("a `:` stands where no key can be", "is a bracket or a quote before it left open?")
        }
        ErrorKind::SimpleKeyExpected => said("a key without its `:`", "add the colon, or mend the indentation"),
        ErrorKind::BlockSequenceEntryNotAllowed => said(
            "a list cannot start here",
            "begin it on a line of its own, or put a value that starts with `- ` in quotes",
        ),
        ErrorKind::UnexpectedCharacter { character } if character.is_ascii_punctuation() => {
            said(&format!("a value without quotes cannot start with `{character}`"), "put it in quotes")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            said(&format!("the character `{}` is not allowed here", character.escape_default()), "remove it")
        }
        ErrorKind::UnknownQuotedScalarEscape => said(
            "an escape that YAML does not know",
            "in double quotes a backslash starts an escape: write `\\\\`, or use single quotes",
        ),
        ErrorKind::UnclosedQuotedScalar => said("a quote is never closed", "it opens here"),
        ErrorKind::UnclosedFlowCollection { open } => said(&format!("a `{open}` is never closed"), "it opens here"),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            said(&format!("the `{open}` that opens here is closed by `{close}`"), "close it by its own bracket")
        }
        other => Diagnostic::error(other.to_string()),
    }
}

pub fn too_deep() -> Diagnostic {
    Diagnostic::error(format!("the file nests deeper than {MAX_DEPTH} levels"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let parsed = crate::yaml::parse(&Arc::from(Path::new("f")), text);
        let said: Vec<String> = parsed.diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(said, [expect]);
    }

    #[test]
    fn common_mistakes_are_said_in_plain_words() {
        check("a:\n\tb: 1\n", "f:2:2: a tab stands in the indentation (indent with spaces)");
        check(
            "a:\n  b: 1\n c: 2\n",
            "f:3:2: the indentation of this line fits nothing above it (align it with its neighbours)",
        );
        check(
            "a: b: c\n",
            "f:1:5: a `:` stands where no key can be (put a value that contains `: ` in quotes, or mend the \
             indentation)",
        );
        check(
            "a: [1\nb: 2\n",
            "f:2:2: a `:` stands where no key can be (is a bracket or a quote before it left open?)",
        );
        check("a: b\nc\nd: e\n", "f:2:1: a key without its `:` (add the colon, or mend the indentation)");
        check(
            "a: - b\n",
            "f:1:4: a list cannot start here (begin it on a line of its own, or put a value that starts with `- ` in \
             quotes)",
        );
        check("a: @b\n", "f:1:4: a value without quotes cannot start with `@` (put it in quotes)");
        check("a: \u{1}\n", "f:1:4: the character `\\u{1}` is not allowed here (remove it)");
        check(
            "a: \"\\q\"\n",
            "f:1:4: an escape that YAML does not know (in double quotes a backslash starts an escape: write `\\\\`, \
             or use single quotes)",
        );
        check("a: 'b\n", "f:1:4: a quote is never closed (it opens here)");
        check("a: {b: 1\n", "f:1:4: a `{` is never closed (it opens here)");
        check("a: [1}\n", "f:1:4: the `[` that opens here is closed by `}` (close it by its own bracket)");
    }
}
