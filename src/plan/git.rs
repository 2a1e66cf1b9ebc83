//! Asks the system's `git` for the project's branch, if a parameter needs it, and its origin.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

/// Why the branch can't be determined.
#[derive(Debug, Error)]
pub enum GitError {
    /// `git` can't be started.
    #[error("git could not be run: {0}")]
    NotRun(#[from] io::Error),
    /// The project isn't in a git repository; with git's message.
    #[error("{} is not in a git repository: {message}", root.display())]
    NoRepository {
        /// The project root.
        root: PathBuf,
        /// What git prints.
        message: String,
    },
    /// No branch is checked out.
    #[error("no branch is checked out in {}", root.display())]
    Detached {
        /// The project root.
        root: PathBuf,
    },
}

/// Returns the last component of the branch's name, like TaskCat: `login` for `feature/login`.
pub fn branch(project_root: &Path) -> Result<String, GitError> {
    let root = if project_root.as_os_str().is_empty() {
        Path::new(".")
    } else {
        project_root
    };
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["symbolic-ref", "--quiet", "HEAD"])
        .output()?;
    if output.status.success() {
        let reference = String::from_utf8_lossy(&output.stdout);
        return Ok(last_component(reference.trim()).to_owned());
    }
    // With --quiet, git prints nothing and exits with 1 if HEAD is a commit.
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let root = root.to_owned();
    if message.is_empty() {
        Err(GitError::Detached { root })
    } else {
        Err(GitError::NoRepository { root, message })
    }
}

/// Returns `login` for `feature/login`.
pub(super) fn last_component(branch: &str) -> &str {
    branch.rsplit('/').next().unwrap_or(branch)
}

/// Returns the GitHub repository that the project was cloned from, as `owner/name`; `None` for
/// other origins.
pub fn github_repository(project_root: &Path) -> Option<String> {
    repository_of(&origin(project_root)?)
}

/// Returns the name of the repository that the project was cloned from: the last part of its URL;
/// `None` for a project in a subdirectory, which isn't the repository.
pub fn repository_name(project_root: &Path) -> Option<String> {
    // The way from the repository's root to the project.
    let prefix = answer(project_root, &["rev-parse", "--show-prefix"])?;
    if !prefix.is_empty() {
        return None;
    }
    let url = origin(project_root)?;
    let url = url.trim_end_matches('/');
    let name = url.rsplit(['/', ':']).next().unwrap_or(url);
    let name = name.strip_suffix(".git").unwrap_or(name);
    (!name.is_empty()).then(|| name.to_owned())
}

fn origin(project_root: &Path) -> Option<String> {
    answer(project_root, &["remote", "get-url", "origin"])
}

/// Returns the line that `git` prints, if it succeeds.
fn answer(project_root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(project_root)
        .args(arguments)
        .output()
        .ok()?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(line)
}

/// Parses `git@github.com:owner/name.git`, `https://github.com/owner/name` and
/// `ssh://git@github.com/owner/name`.
fn repository_of(url: &str) -> Option<String> {
    let (_, path) = url.split_once("github.com")?;
    let path = path.strip_prefix([':', '/'])?.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let (owner, name) = path.split_once('/')?;
    (!owner.is_empty() && !name.is_empty() && !name.contains('/')).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(folder: &Path, arguments: &[&str]) {
        let user = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        let output = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(user)
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    #[test]
    fn the_last_component_of_the_branch() {
        let folder = tempfile::tempdir().unwrap();
        git(
            folder.path(),
            &[
                "init",
                "--quiet",
                "--initial-branch",
                "feature/JIRA-1/login",
            ],
        );
        assert_eq!(branch(folder.path()).unwrap(), "login");
        git(
            folder.path(),
            &["commit", "--quiet", "--allow-empty", "--message", "x"],
        );
        git(folder.path(), &["checkout", "--quiet", "-b", "main"]);
        std::fs::create_dir(folder.path().join("project")).unwrap();
        assert_eq!(branch(&folder.path().join("project")).unwrap(), "main");

        git(folder.path(), &["checkout", "--quiet", "--detach"]);
        let message = branch(folder.path()).unwrap_err().to_string();
        assert_eq!(
            message,
            format!("no branch is checked out in {}", folder.path().display())
        );
    }

    #[test]
    fn repositories_on_github() {
        for url in [
            "git@github.com:example/shop.git",
            "https://github.com/example/shop",
            "https://github.com/example/shop.git/",
            "ssh://git@github.com/example/shop.git",
        ] {
            assert_eq!(repository_of(url).as_deref(), Some("example/shop"), "{url}");
        }
        assert_eq!(
            repository_of("https://git.example.com/example/shop.git"),
            None
        );
        assert_eq!(repository_of("https://github.com/example"), None);
    }

    #[test]
    fn a_missing_repository_is_a_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        let message = branch(folder.path()).unwrap_err().to_string();
        let start = format!(
            "{} is not in a git repository: fatal: ",
            folder.path().display()
        );
        assert!(message.starts_with(&start), "{message}");
    }
}
