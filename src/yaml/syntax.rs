//! Explains syntax errors to the person who wrote the file, and says what to do.

use granit_parser::ErrorKind;

use super::findings::shown;
use crate::diagnostic::Diagnostic;

/// Maximum number of levels in a tree with aliases expanded. Deep enough for any template, shallow
/// enough for recursion.
pub(super) const MAX_DEPTH: usize = 128;

/// Returns an error without its location, which `compose` adds. Rare errors keep the parser's
/// message.
pub(super) fn explain(kind: &ErrorKind) -> Diagnostic {
    let said = |message: &str, help: &str| Diagnostic::error(message).help(help);
    match kind {
        ErrorKind::RecursionLimitExceeded => too_deep(),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => {
            said("the indentation contains a tab", "indent with spaces")
        }
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation => said(
            "inconsistent indentation",
            "align this line with the lines around it",
        ),
        ErrorKind::MappingValueNotAllowed => said(
            "a `:` where no key is allowed",
            "put a value that contains `: ` in quotes, or fix the indentation",
        ),
        ErrorKind::InvalidColonPlacement => said(
            "a `:` where no key is allowed",
            "is a bracket or a quote before it left open?",
        ),
        ErrorKind::SimpleKeyExpected => said(
            "a key without its `:`",
            "add the colon, or fix the indentation",
        ),
        ErrorKind::BlockSequenceEntryNotAllowed => said(
            "a list cannot start here",
            "begin it on a new line, or put a value that starts with `- ` in quotes",
        ),
        ErrorKind::UnexpectedCharacter { character } if character.is_ascii_punctuation() => said(
            &format!("a value without quotes cannot start with `{character}`"),
            "put it in quotes",
        ),
        ErrorKind::UnexpectedCharacter { character } => said(
            &format!(
                "the character `{}` is not allowed here",
                character.escape_default()
            ),
            "remove it",
        ),
        ErrorKind::UnknownQuotedScalarEscape => said(
            "unknown escape sequence",
            "in double quotes a backslash starts an escape: write `\\\\`, or use single quotes",
        ),
        ErrorKind::UnclosedQuotedScalar => {
            Diagnostic::error("unclosed quote").label("it opens here")
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            Diagnostic::error(format!("unclosed `{open}`")).label("it opens here")
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => said(
            &format!("a `{open}` is closed by `{close}`"),
            "close it with the matching bracket",
        )
        .label("it opens here"),
        ErrorKind::ExpectedFlowMappingSeparator => {
            said("expected `,` or `}`", "separate the entries")
        }
        ErrorKind::ExpectedFlowSequenceSeparator => {
            said("expected `,` or `]`", "separate the items")
        }
        ErrorKind::MisplacedFlowCollectionEnd => said(
            "unmatched closing bracket",
            "remove it, or add the opening bracket",
        ),
        ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar => said(
            "unexpected text after a closing quote",
            "is a comma or a line break missing, or should the quotes enclose the whole value?",
        ),
        ErrorKind::ExpectedDocumentStart => said(
            "unexpected content after the end of the document",
            "is a bracket closed too early, or a line not indented?",
        ),
        other => Diagnostic::error(other.to_string()),
    }
}

/// Explains an error at a second tag, as in `!Base64 !Sub x`, which CloudFormation refuses as well.
/// `before` and `rest` are the file's text before and after the error.
pub(super) fn two_tags(before: &str, rest: &str) -> Option<Diagnostic> {
    let first = before.trim_end().rsplit(char::is_whitespace).next()?;
    let outer = first.strip_prefix('!').filter(|name| !name.is_empty())?;
    let inner = rest.strip_prefix('!')?.split(char::is_whitespace).next()?;
    Some(
        Diagnostic::error(format!(
            "`{}` after `{}`; a value takes only one tag",
            shown(&format!("!{inner}")),
            shown(first)
        ))
        .help(format!(
            "write the outer function in full: `Fn::{}:`",
            shown(outer)
        )),
    )
}

pub(super) fn too_deep() -> Diagnostic {
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
    fn common_mistakes_are_explained_in_plain_words() {
        check(
            "a:\n\tb: 1\n",
            "f:2:2: the indentation contains a tab (indent with spaces)",
        );
        check(
            "a:\n  b: 1\n c: 2\n",
            "f:3:2: inconsistent indentation (align this line with the \
             lines around it)",
        );
        check(
            "a: b: c\n",
            "f:1:5: a `:` where no key is allowed (put a value that contains `: ` in quotes, or \
             fix the indentation)",
        );
        check(
            "a: [1\nb: 2\n",
            "f:2:2: a `:` where no key is allowed (is a bracket or a quote before it left \
             open?)",
        );
        check(
            "a: b\nc\nd: e\n",
            "f:2:1: a key without its `:` (add the colon, or fix the indentation)",
        );
        check(
            "a: - b\n",
            "f:1:4: a list cannot start here (begin it on a new line, or put a value that \
             starts with `- ` in \
             quotes)",
        );
        check(
            "a: @b\n",
            "f:1:4: a value without quotes cannot start with `@` (put it in quotes)",
        );
        check(
            "a: \u{1}\n",
            "f:1:4: the character `\\u{1}` is not allowed here (remove it)",
        );
        check(
            "a: \"\\q\"\n",
            "f:1:4: unknown escape sequence (in double quotes a backslash starts an \
             escape: write `\\\\`, \
             or use single quotes)",
        );
        check("a: 'b\n", "f:1:4: unclosed quote");
        check("a: {b: 1\n", "f:1:4: unclosed `{`");
        check(
            "{a: [b] c: d}\n",
            "f:1:9: expected `,` or `}` (separate the entries)",
        );
        check(
            "[{a: b} c]\n",
            "f:1:9: expected `,` or `]` (separate the items)",
        );
        check(
            "a: b ]\nc: ]\n",
            "f:2:4: unmatched closing bracket (remove it, or add the opening bracket)",
        );
        check(
            "{\"a\": \"b\" \"c\": \"d\"}\n",
            "f:1:11: unexpected text after a closing quote (is a comma or a line break missing, \
             or should the quotes \
             enclose the whole value?)",
        );
        check(
            "{a: b} c\n",
            "f:1:8: unexpected content after the end of the document (is a bracket closed too \
             early, or a line \
             not indented?)",
        );
        check(
            "a: !Base64 !Sub x\n",
            "f:1:12: `!Sub` after `!Base64`; a value takes only one tag (write the outer \
             function in full: \
             `Fn::Base64:`)",
        );
        check(
            "a:\n  - !If\n    !Equals [a, b]\n",
            "f:3:5: `!Equals` after `!If`; a value takes only one tag (write the outer \
             function in full: `Fn::If:`)",
        );
        check(
            "a: [1}\n",
            "f:1:4: a `[` is closed by `}` (close it with the matching bracket)",
        );
    }
}
