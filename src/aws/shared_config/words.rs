//! Splitting a line into words as Python's `shlex.split` does: section headers and
//! `credential_process` are read so.

/// Returns the words of a line; quotes and backslashes are those of a POSIX shell, and nothing else
/// is special.
///
/// # Errors
/// A quote isn't closed, or nothing follows a backslash.
pub(crate) fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or("a single quote isn't closed")? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => double_quoted(&mut characters, word.get_or_insert_default())?,
            '\\' => word
                .get_or_insert_default()
                .push(characters.next().ok_or("nothing follows a backslash")?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

fn double_quoted(
    characters: &mut impl Iterator<Item = char>,
    word: &mut String,
) -> Result<(), &'static str> {
    const UNCLOSED: &str = "a double quote isn't closed";
    loop {
        match characters.next().ok_or(UNCLOSED)? {
            '"' => return Ok(()),
            '\\' => match characters.next().ok_or(UNCLOSED)? {
                escaped @ ('"' | '\\') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_shlex() {
        let check =
            |text: &str, expected: &[&str]| assert_eq!(split(text).unwrap(), expected, "{text}");
        check("profile dev", &["profile", "dev"]);
        check("profile \"my own\"", &["profile", "my own"]);
        check(
            "/bin/p --a 'b c' \"d\\\"e\" f\\ g $HOME;x",
            &["/bin/p", "--a", "b c", "d\"e", "f g", "$HOME;x"],
        );
        check("a '' \"\"", &["a", "", ""]);
        check("a\"b\\c\"d", &["ab\\cd"]);
        check("  ", &[]);
        assert!(split("it's").is_err());
        assert!(split("\"a").is_err());
        assert!(split("a\\").is_err());
    }
}
