//! Determines what isn't staged: TaskCat's own exclusions, `--exclude-prefix`, and the project's
//! `.taskcatignore`.
//!
//! `local` checks every folder and file, and `sync` the keys without a local file. TaskCat's
//! exclusions follow `_s3_sync.py` exactly: file names by two `fnmatch` patterns, folders and
//! remote keys by `gitwildmatch` of the Python package `pathspec`, which differs from git (a
//! pattern for a folder matches its content, and the last matching pattern decides).
//! `.taskcatignore` has the semantics of gitignore, implemented by the crate `ignore`.

use std::path::Path;
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use regex::{Regex, escape};

use crate::diagnostic::{Diagnostic, Location, Position};
use crate::input;

/// The file in the project root that lists what isn't staged, in gitignore's syntax.
pub(crate) const IGNORE_FILE: &str = ".taskcatignore";

/// S3Sync's `exclude_files` and `exclude_path_prefixes`, in its order.
const TASKCAT: [&str; 7] = [
    ".*",
    "*.md",
    "lambda_functions/source/",
    "functions/source/",
    ".",
    "venv/",
    "taskcat_outputs/",
];

#[derive(Clone, Debug)]
pub(crate) struct Exclusions {
    patterns: Vec<ExclusionPattern>,
    ignore_file: Gitignore,
}

/// A gitwildmatch pattern; a negated one (`!…`) reverts exclusions of earlier ones.
#[derive(Clone, Debug)]
struct ExclusionPattern {
    regex: Regex,
    excludes: bool,
}

impl Exclusions {
    /// Loads the exclusions; `prefixes` are the values of `--exclude-prefix`.
    ///
    /// # Errors
    /// Every invalid pattern of both sources, since ignoring it could publish what the user wants
    /// to exclude.
    pub(crate) fn load(project_root: &Path, prefixes: &[String]) -> Result<Self, Vec<Diagnostic>> {
        let (ignore_file, mut errors) = read_ignore_file(project_root);
        let mut patterns = Vec::new();
        for text in TASKCAT
            .into_iter()
            .chain(prefixes.iter().map(String::as_str))
        {
            match ExclusionPattern::parse(text) {
                Ok(pattern) => patterns.extend(pattern),
                Err(reason) => {
                    errors.push(Diagnostic::error(format!(
                        "the exclude prefix `{text}` is not a pattern: {reason}"
                    )));
                }
            }
        }
        if errors.is_empty() {
            Ok(Self {
                patterns,
                ignore_file,
            })
        } else {
            Err(errors)
        }
    }

    /// Returns whether TaskCat would keep an object with this key (relative to the project's
    /// prefix) without a local file: S3Sync's `_exclude_remote`. `.taskcatignore` doesn't apply
    /// here: an object staged before it was ignored is a leftover and is removed.
    pub(crate) fn excludes_remote(&self, key: &str) -> bool {
        let key = key
            .strip_prefix('/')
            .or_else(|| key.strip_prefix("./"))
            .unwrap_or(key);
        let last = self
            .patterns
            .iter()
            .rev()
            .find(|pattern| pattern.regex.is_match(key));
        last.is_some_and(|pattern| pattern.excludes)
    }

    /// Returns whether a file is excluded, itself or by its folders. `key` is relative to the
    /// project root, with `/`.
    pub(crate) fn excludes(&self, key: &str) -> bool {
        let mut folders = key.match_indices('/').map(|(at, _)| &key[..at]);
        self.excludes_file(key)
            || key
                .rsplit_once('/')
                .is_some_and(|(folder, _)| self.excludes_files_of(folder))
            || folders.any(|folder| self.excludes_tree(folder))
    }

    /// Returns whether the files directly in a folder are excluded. `folder` is relative to the
    /// project root, with `/`.
    pub(super) fn excludes_files_of(&self, folder: &str) -> bool {
        self.excludes_remote(&format!("{folder}/"))
    }

    /// Returns whether everything under a folder is excluded, so that it needn't be walked.
    pub(super) fn excludes_tree(&self, folder: &str) -> bool {
        self.ignore_file.matched(folder, true).is_ignore()
            // A pattern that matches a folder matches everything in it; only a negated one can
            // revert that.
            || (self.excludes_files_of(folder)
                && self.patterns.iter().all(|pattern| pattern.excludes))
    }

    /// Returns whether a file itself is excluded. `key` is relative to the project root, with `/`.
    pub(super) fn excludes_file(&self, key: &str) -> bool {
        let name = key.rsplit('/').next().unwrap_or(key);
        name.starts_with('.')
            || name.ends_with(".md")
            || self.ignore_file.matched(key, false).is_ignore()
    }
}

fn read_ignore_file(project_root: &Path) -> (Gitignore, Vec<Diagnostic>) {
    let file = project_root.join(IGNORE_FILE);
    if !file.exists() {
        return (Gitignore::empty(), Vec::new());
    }
    if let Err(error) = input::open(&file, input::DOCUMENT) {
        let diagnostic = Diagnostic::error(format!("cannot read {}: {error}", file.display()));
        return (Gitignore::empty(), vec![diagnostic]);
    }
    // Paths are relative to the project root, which the crate calls `.`.
    let mut builder = GitignoreBuilder::new(".");
    let mut errors = unclosed_brackets(&file);
    if let Some(error) = builder.add(&file) {
        diagnose(&file, None, &error, &mut errors);
    }
    let ignore_file = builder.build().unwrap_or_else(|error| {
        diagnose(&file, None, &error, &mut errors);
        Gitignore::empty()
    });
    (ignore_file, errors)
}

/// Reports lines with an unclosed bracket. git matches nothing with them (`wildmatch.c`), and the
/// crate takes them literally; neither is intended.
fn unclosed_brackets(file: &Path) -> Vec<Diagnostic> {
    let text = input::text(file).unwrap_or_default();
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.starts_with('#'));
    let unclosed = lines.filter_map(|(number, line)| Some((number, line, unclosed_bracket(line)?)));
    let diagnostic = |(line, text, column): (u32, &str, u32)| {
        let location = Location {
            file: Arc::from(file),
            at: Position { line, column },
        };
        Diagnostic::error(format!("`{text}` is not a pattern: unclosed `[`"))
            .at(location)
            .label("it opens here")
            .help("close the bracket, or write `\\[` for the character itself")
    };
    unclosed.map(diagnostic).collect()
}

/// Returns the column of a `[` without a `]`. A `]` right after the `[` is a member of the set.
fn unclosed_bracket(line: &str) -> Option<u32> {
    let mut characters = (1..).zip(line.chars());
    while let Some((column, character)) = characters.next() {
        match character {
            '\\' => _ = characters.next(),
            '[' => {
                let inside: String = characters.clone().map(|(_, c)| c).collect();
                let members = inside.trim_start_matches(['!', '^']);
                let first = members.chars().next().map_or(0, char::len_utf8);
                let end = members.get(first..).unwrap_or_default().find(']');
                let Some(end) = end else { return Some(column) };
                let skipped = inside.len() - members.len() + first + end + 1;
                let skipped = inside.get(..skipped)?.chars().count();
                characters.by_ref().take(skipped).for_each(drop);
            }
            _ => {}
        }
    }
    None
}

/// Adds one diagnostic per problem in an ignore file, at its line if known.
fn diagnose(file: &Path, line: Option<u64>, error: &ignore::Error, into: &mut Vec<Diagnostic>) {
    match error {
        ignore::Error::Partial(errors) => errors
            .iter()
            .for_each(|error| diagnose(file, line, error, into)),
        ignore::Error::WithLineNumber { line, err } => diagnose(file, Some(*line), err, into),
        ignore::Error::WithPath { err, .. } | ignore::Error::WithDepth { err, .. } => {
            diagnose(file, line, err, into)
        }
        error => {
            let line = line.and_then(|line| u32::try_from(line).ok()).unwrap_or(1);
            let location = Location {
                file: Arc::from(file),
                at: Position { line, column: 1 },
            };
            let message = match error {
                ignore::Error::Glob {
                    glob: Some(glob),
                    err,
                } => format!("`{glob}` is not a pattern: {err}"),
                error => format!("cannot read it: {error}"),
            };
            into.push(Diagnostic::error(message).at(location));
        }
    }
}

impl ExclusionPattern {
    /// Implements `GitWildMatchPattern.pattern_to_regex` of pathspec 0.10. Returns `None` for a
    /// comment, a blank line, or `/`.
    fn parse(text: &str) -> Result<Option<Self>, String> {
        let text = text.trim();
        if text.is_empty() || text == "/" || text.starts_with('#') {
            return Ok(None);
        }
        let (text, excludes) = match text.strip_prefix('!') {
            Some(rest) => (rest, false),
            None => (text, true),
        };
        let regex = path_regex(text)?;
        let regex = Regex::new(&regex).map_err(|error| match error {
            regex::Error::Syntax(_) => "a bracket expression is out of order".to_owned(),
            error => error.to_string(),
        })?;
        Ok(Some(Self { regex, excludes }))
    }
}

/// Converts a pattern for paths. `.` also matches a line feed, since file names may contain one.
fn path_regex(pattern: &str) -> Result<String, String> {
    let mut segments: Vec<&str> = pattern.split('/').collect();
    segments.dedup_by(|next, before| *next == "**" && *before == "**");
    if segments == ["**", ""] {
        return Ok("(?s)^.+/.*$".to_owned());
    }
    if segments.first() == Some(&"") {
        segments.remove(0);
    } else if matches!(segments.as_slice(), [name] | [name, ""] if *name != "**") {
        // A single name, with or without a trailing slash, matches at any depth.
        segments.insert(0, "**");
    }
    let count = segments.len();
    if count == 0 {
        return Err("nothing follows the `!`".to_owned());
    }
    if let Some(last @ &mut "") = segments.last_mut()
        && count > 1
    {
        *last = "**";
    }
    let mut regex = "(?s)^".to_owned();
    let mut wants_slash = false;
    for (at, segment) in segments.iter().enumerate() {
        let is_first = at == 0;
        let is_last = at + 1 == count;
        match (*segment, is_first, is_last) {
            ("**", true, true) => regex.push_str("[^/]+(?:/.*)?"),
            ("**", true, false) => regex.push_str("(?:.+/)?"),
            ("**", false, true) => regex.push_str("/.*"),
            ("**", false, false) => {
                regex.push_str("(?:/.+)?");
                wants_slash = true;
            }
            (name, _, is_last) => {
                if wants_slash {
                    regex.push('/');
                }
                regex.push_str(&if name == "*" {
                    "[^/]+".to_owned()
                } else {
                    segment_regex(name)?
                });
                if is_last {
                    regex.push_str("(?:/.*)?");
                }
                wants_slash = true;
            }
        }
    }
    regex.push('$');
    Ok(regex)
}

/// Implements `_translate_segment_glob`: `*`, `?`, bracket expressions and backslashes within a
/// path segment.
fn segment_regex(segment: &str) -> Result<String, String> {
    let mut regex = String::new();
    let mut rest = segment;
    while let Some(char) = rest.chars().next() {
        rest = rest.get(char.len_utf8()..).unwrap_or_default();
        match char {
            '\\' => {
                let escaped = rest
                    .chars()
                    .next()
                    .ok_or("a backslash with nothing behind it")?;
                rest = rest.get(escaped.len_utf8()..).unwrap_or_default();
                regex.push_str(&escape(escaped.encode_utf8(&mut [0; 4])));
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => match bracket(rest) {
                Some((class, behind)) => {
                    regex.push_str(&class);
                    rest = behind;
                }
                None => regex.push_str("\\["),
            },
            char => regex.push_str(&escape(char.encode_utf8(&mut [0; 4]))),
        }
    }
    Ok(regex)
}

/// Converts a bracket expression after its `[`; returns the regex class and the text after the `]`.
fn bracket(rest: &str) -> Option<(String, &str)> {
    let negated = rest.strip_prefix('!');
    let members_from = negated.unwrap_or(rest);
    // A `]` that comes first is a member, not the end.
    let first = members_from.chars().next().map_or(0, char::len_utf8);
    let end = first + members_from.get(first..)?.find(']')?;
    let members = members_from.get(..end)?;
    let behind = members_from.get(end + 1..)?;
    let mut class = if negated.is_some() {
        "[^".to_owned()
    } else {
        "[".to_owned()
    };
    for member in members.chars() {
        // Unlike Rust, Python has no set operations or nested classes inside brackets.
        if "[]\\^&~".contains(member) {
            class.push('\\');
        }
        class.push(member);
    }
    class.push(']');
    Some((class, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(prefixes: &[&str]) -> Result<Exclusions, Vec<Diagnostic>> {
        let folder = tempfile::tempdir().unwrap();
        Exclusions::load(
            folder.path(),
            &prefixes
                .iter()
                .map(|&prefix| prefix.to_owned())
                .collect::<Vec<_>>(),
        )
    }

    /// The results of pathspec 0.10.3 with these patterns after TaskCat's own.
    #[test]
    fn remote_keys_as_pathspec_matches_them() {
        let check = |prefixes: &[&str], key: &str, expect: bool| {
            assert_eq!(
                with(prefixes).unwrap().excludes_remote(key),
                expect,
                "{prefixes:?} {key}"
            );
        };
        check(&[], "templates/a.yaml", false);
        check(&[], "README.md", true);
        check(&[], "docs/a.md", true);
        check(&[], "docs.md/a.txt", true);
        check(&[], "a/.git/config", true);
        check(&[], "./a", false);
        check(&[], "functions/source/a.py", true);
        check(&[], "sub/functions/source/a.py", false);
        check(&[], "sub/venv/a", true);
        check(&[], "venv", false);
        check(&["docs"], "docs", true);
        check(&["docs"], "a/docs/b", true);
        check(&["/docs"], "a/docs/b", false);
        check(&["docs/"], "docs", false);
        check(&["a/b"], "x/a/b", false);
        check(&["a/*/c"], "a/b/c/d", true);
        check(&["a/**/c"], "a/c", true);
        check(&["a/**/**/c"], "a/x/y/c", true);
        check(&["**"], "anything", true);
        check(&["**/"], "anything", false);
        check(&["**/"], "any/thing", true);
        check(&["a?c"], "abc/x", true);
        check(&["a?c"], "a/c", false);
        check(&["[ab]x"], "bx", true);
        check(&["[!ab]x"], "bx", false);
        check(&["[!ab]x"], "cx", true);
        check(&["[^a]"], "^", true);
        check(&["[]a]"], "]", true);
        check(&["[a&&b]"], "&", true);
        check(&["[a"], "[a", true);
        check(&["\\*"], "*", true);
        check(&["\\*"], "a", false);
        check(&["#a"], "#a", false);
        check(&[" a "], "a", true);
        check(&["/"], "a", false);
        check(&["a.c"], "abc", false);
        check(&["!venv/"], "venv/a", false);
        check(&["docs/", "!docs/keep/"], "docs/keep/a", false);
        check(&["!docs/keep/", "docs/"], "docs/keep/a", true);
    }

    #[test]
    fn every_invalid_pattern_is_reported() {
        let errors = with(&["a/", "!", "b\\", "[z-a]"]).unwrap_err();
        let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        let expected = [
            "the exclude prefix `!` is not a pattern: nothing follows the `!`",
            "the exclude prefix `b\\` is not a pattern: a backslash with nothing behind it",
            "the exclude prefix `[z-a]` is not a pattern: a bracket expression is out of order",
        ];
        assert_eq!(messages, expected);
    }

    #[test]
    fn a_bad_line_of_the_ignore_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(IGNORE_FILE);
        std::fs::write(&file, "a\n[z-a]\nb\n{x\n").unwrap();
        let errors = Exclusions::load(folder.path(), &[]).unwrap_err();
        let shown: Vec<_> = errors.iter().map(|error| error.to_string()).collect();
        let expected = [
            format!(
                "{}:2:1: `[z-a]` is not a pattern: invalid range; 'z' > 'a'",
                file.display()
            ),
            format!(
                "{}:4:1: `{{x` is not a pattern: unclosed alternate group; missing '}}' (maybe \
                 escape '{{' with '[{{]'?)",
                file.display()
            ),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_ignore_file_leaves_remote_keys_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(IGNORE_FILE), "secret/\n").unwrap();
        let exclusions = Exclusions::load(folder.path(), &[]).unwrap();
        assert!(exclusions.excludes_tree("secret") && !exclusions.excludes_remote("secret/a"));
    }
}
