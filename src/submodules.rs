//! A project's git submodules, as `.gitmodules` names them
//! (<https://git-scm.com/docs/gitmodules>).
//!
//! Like TaskCat's `neglect_submodule_templates`, this needs only the file, not a repository or git.

use std::fs;
use std::path::{Path, PathBuf};

/// What checks out submodules.
pub(crate) const CHECK_OUT: &str = "run `git submodule update --init --recursive`";

/// Returns the folders of the submodules.
pub(crate) fn paths(project_root: &Path) -> Vec<PathBuf> {
    let folders = folders(project_root).into_iter();
    folders.map(|folder| project_root.join(folder)).collect()
}

/// Returns the folders of the submodules, relative to the project root, with `/`.
fn folders(project_root: &Path) -> Vec<String> {
    let text = fs::read_to_string(project_root.join(".gitmodules")).unwrap_or_default();
    let values = text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("path")
            .then(|| unquoted(value))
    });
    let folders = values.map(|value| value.trim_matches('/').to_owned());
    folders.filter(|folder| !folder.is_empty()).collect()
}

/// Returns the submodules that aren't checked out: their folders are missing or empty.
pub(crate) fn absent(project_root: &Path) -> Vec<String> {
    let mut folders = folders(project_root);
    folders.retain(|folder| {
        let mut entries = fs::read_dir(project_root.join(folder))
            .into_iter()
            .flatten();
        entries.next().is_none()
    });
    folders
}

/// Returns the advice about a missing file that may be in a submodule. `path` may begin with other
/// folders than those of the project, such as a bucket.
pub(crate) fn advice(absent: &[String], path: &str) -> Option<String> {
    let path = format!("/{path}");
    let mut absent = absent.iter();
    match absent.find(|folder| path.contains(&format!("/{folder}/"))) {
        Some(folder) => Some(format!(
            "the git submodule {folder} isn't checked out; {CHECK_OUT}"
        )),
        None if path.contains("submodules/") => {
            Some(format!("if it is in a git submodule, {CHECK_OUT}"))
        }
        None => None,
    }
}

/// Returns a value without quotes and comments
/// (<https://git-scm.com/docs/git-config#_syntax>).
fn unquoted(value: &str) -> String {
    let mut text = String::new();
    let mut is_quoted = false;
    let mut characters = value.trim().chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => is_quoted = !is_quoted,
            '\\' => text.extend(characters.next()),
            '#' | ';' if !is_quoted => break,
            other => text.push(other),
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_from_gitmodules() {
        let root = tempfile::tempdir().unwrap();
        let check = |text: &str, expect: &[&str]| {
            fs::write(root.path().join(".gitmodules"), text).unwrap();
            assert_eq!(folders(root.path()), expect, "{text}");
        };
        let modules = "[submodule \"a b\"]\n\tpath = submodules/one\n\turl = x\n\
            [submodule \"two\"]\n\tpath = \"two#2\" ; really\n[submodule \"3\"]\n Path=three/\n";
        check(modules, &["submodules/one", "two#2", "three"]);
        check("", &[]);
        check("[oops", &[]);
    }

    #[test]
    fn a_submodule_that_is_not_checked_out_is_named() {
        let root = tempfile::tempdir().unwrap();
        let modules = "[submodule \"a\"]\n\tpath = parts/a\n[submodule \"b\"]\n\tpath = b\n";
        fs::write(root.path().join(".gitmodules"), modules).unwrap();
        fs::create_dir_all(root.path().join("parts/a")).unwrap();
        fs::create_dir_all(root.path().join("b/templates")).unwrap();
        let absent = absent(root.path());
        assert_eq!(absent, ["parts/a"]);
        let check = |path: &str, expect: Option<&str>| {
            let advice = advice(&absent, path);
            let expect = expect.map(|expect| format!("{expect}{CHECK_OUT}"));
            assert_eq!(advice, expect, "{path}");
        };
        let named = Some("the git submodule parts/a isn't checked out; ");
        check("p/parts/a/t.yaml", named);
        check("/parts/a/t.yaml", named);
        check("p/parts/ab/t.yaml", None);
        check("b/t.yaml", None);
        let likely = Some("if it is in a git submodule, ");
        check("p/submodules/x/t.yaml", likely);
    }
}
