//! Detects GitHub Actions and its paths.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::{output, streams};
use crate::report::EventConsumer;
use crate::report::github::{self, GithubActions};

/// Returns what GitHub Actions expects; `None` outside of it.
pub(super) fn target(project_root: &Path) -> Option<GithubActions> {
    let set = |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let annotate = set("GITHUB_ACTIONS").is_some_and(|value| value == "true");
    let summary = set("GITHUB_STEP_SUMMARY").map(PathBuf::from);
    if !annotate && summary.is_none() {
        return None;
    }
    Some(GithubActions {
        annotate,
        summary,
        project: project_in_repository(project_root),
    })
}

/// Returns the project's path in the repository; `None` if it is outside.
pub(super) fn project_in_repository(project_root: &Path) -> Option<PathBuf> {
    let workspace = env::var_os("GITHUB_WORKSPACE").filter(|value| !value.is_empty());
    match workspace {
        Some(workspace) => within(Path::new(&workspace), project_root),
        // The repository's path isn't known, so the project is most likely at its root.
        None => Some(PathBuf::new()),
    }
}

/// Returns the consumer that reports the run to GitHub Actions.
pub(super) fn consumer(project_root: &Path) -> Option<Box<dyn EventConsumer>> {
    Some(github::consumer(
        target(project_root)?,
        Box::new(streams::Printer),
        output::warning,
    ))
}

/// Returns the path from one directory to another inside it.
fn within(outer: &Path, inner: &Path) -> Option<PathBuf> {
    let outer = fs::canonicalize(outer).ok()?;
    let inner = fs::canonicalize(inner).ok()?;
    Some(inner.strip_prefix(outer).ok()?.to_owned())
}
