//! Parses paths with a tilde that the shell hasn't expanded.

use std::env;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};

/// Parses a path. A leading `~` means the home directory, as in TaskCat (`Path.expanduser`): bash
/// doesn't expand the one in `--project-root=~/x`.
pub(super) fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| expand(path, env::home_dir().as_deref()))
}

fn expand(path: PathBuf, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => home.to_owned(),
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_tilde_is_the_home_directory() {
        let check = |path: &str, expect: &str| {
            assert_eq!(
                expand(path.into(), Some(Path::new("/h"))),
                Path::new(expect)
            )
        };
        check("~", "/h");
        check("~/", "/h");
        check("~/a/b", "/h/a/b");
        check("~a", "~a");
        check("a/~/b", "a/~/b");
        check("./~", "./~");
        assert_eq!(expand("~/a".into(), None), Path::new("~/a"));
    }
}
