//! Parses paths with a tilde that the shell hasn't expanded.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};

/// Parses a path. A leading `~` means the home directory, and `~user` that of another user, as in
/// TaskCat (`Path.expanduser`): bash doesn't expand the one in `--project-root=~/x`.
pub(super) fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| {
        let own = env::home_dir();
        let users = || fs::read_to_string("/etc/passwd").unwrap_or_default();
        expand(path, own.as_deref(), users)
    })
}

/// Expands the tilde of a path; `users` returns the text of `/etc/passwd`. A path whose user is
/// unknown stays as it is.
fn expand(path: PathBuf, own: Option<&Path>, users: impl FnOnce() -> String) -> PathBuf {
    let Some(first) = path.iter().next().and_then(|it| it.to_str()) else {
        return path;
    };
    let home = match first.strip_prefix('~') {
        None => return path,
        Some("") => own.map(Path::to_owned),
        Some(user) => home_of(user, &users()),
    };
    let rest: PathBuf = path.iter().skip(1).collect();
    match home {
        Some(home) if rest.as_os_str().is_empty() => home,
        Some(home) => home.join(rest),
        None => path,
    }
}

/// Returns the home directory of a user in the text of `/etc/passwd`
/// (<https://man7.org/linux/man-pages/man5/passwd.5.html>).
fn home_of(user: &str, users: &str) -> Option<PathBuf> {
    let fields = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let mut of_user = fields.filter(|it| it.first() == Some(&user));
    of_user.find_map(|it| it.get(5).map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_tilde_is_the_home_directory() {
        let check = |path: &str, expect: &str| {
            let users = || "root:x:0:0:root:/root:/bin/sh\nme:x:1:1::/home/me:/bin/sh\n".to_owned();
            assert_eq!(
                expand(path.into(), Some(Path::new("/h")), users),
                Path::new(expect)
            )
        };
        check("~", "/h");
        check("~/", "/h");
        check("~/a/b", "/h/a/b");
        check("~a", "~a");
        check("~a/b", "~a/b");
        check("~me", "/home/me");
        check("~me/x/y", "/home/me/x/y");
        check("~roo", "~roo");
        check("a/~/b", "a/~/b");
        check("./~", "./~");
        let unset = expand("~/a".into(), None, String::new);
        assert_eq!(unset, Path::new("~/a"));
    }
}
