//! The variables of the process, as settings and credentials read them.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::path::PathBuf;

/// The variables of the process. One that is empty, as a CI leaves it that nobody has filled, is
/// not set.
#[derive(Clone, Default)]
pub(super) struct Environment {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

impl Environment {
    /// Reads the variables of this process.
    pub(super) fn of_process() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = env::vars_os()
            .map(|(name, value)| (text(name), text(value)))
            .collect();
        Self {
            variables,
            home: env::home_dir(),
        }
    }

    /// Returns the value as it is set, blanks and all.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).filter(|value| !value.trim().is_empty())
    }

    /// Returns the value even if it is empty, where that has a meaning.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Returns the variables and their values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the first of the variables that is set, with its name.
    pub(super) fn first_of<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &str)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    /// Returns a file below the user's home.
    pub(super) fn in_home(&self, path: &str) -> PathBuf {
        self.home.clone().unwrap_or_default().join(path)
    }

    /// Replaces `$NAME` and `${NAME}` by variables and a leading `~` by the user's home, as
    /// Python's `os.path` does.
    pub(super) fn expanded_path(&self, path: &str) -> PathBuf {
        let mut expanded = String::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let braced = after
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'));
            let bare = after.len()
                - after
                    .trim_start_matches(|it: char| it.is_ascii_alphanumeric() || it == '_')
                    .len();
            let (name, following) = braced.unwrap_or_else(|| after.split_at(bare));
            match self.raw(name) {
                Some(value) => expanded.push_str(value),
                None => expanded.push_str(&rest[before.len()..rest.len() - following.len()]),
            }
            rest = following;
        }
        expanded.push_str(rest);
        match expanded.strip_prefix('~') {
            Some("") => self.in_home(""),
            Some(below) if below.starts_with('/') => self.in_home(below.trim_start_matches('/')),
            _ => PathBuf::from(expanded),
        }
    }
}

#[cfg(test)]
pub(super) fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables = variables
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    Environment {
        variables,
        home: Some("/home/u".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn paths_are_expanded() {
        let environment = environment(&[("D", "/d"), ("HOME", "/ignored")]);
        let check = |path: &str, expected: &str| {
            assert_eq!(environment.expanded_path(path), Path::new(expected))
        };
        check("~/.aws/config", "/home/u/.aws/config");
        check("$D/x", "/d/x");
        check("${D}x$E", "/dx$E");
        check("a~b", "a~b");
    }
}
