//! Asks the system's `git` which files of a project have changed, and for earlier versions of them.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::{Command, Output};

use super::error::CliError;
use crate::diagnostic::Diagnostic;

/// A project in a Git repository, which may be one of its directories.
pub(super) struct GitProject<'a> {
    root: &'a Path,
}

impl<'a> GitProject<'a> {
    /// # Errors
    /// `git` cannot be run, or the project isn't in a repository. `flag` needs it.
    pub(super) fn open(root: &'a Path, flag: &str) -> Result<Self, CliError> {
        let project = Self { root };
        let output = project.run(&["rev-parse", "--show-toplevel"])?;
        if output.status.success() {
            return Ok(project);
        }
        let message = format!("{flag}: {} is not in a Git repository", root.display());
        let help = message_of(&output);
        Err(refused(message, &help))
    }

    /// Returns the ID of the commit that a name means.
    ///
    /// # Errors
    /// There is none, or `flag` names something else.
    pub(super) fn commit(&self, name: &str, flag: &str) -> Result<String, CliError> {
        let revision = format!("{name}^{{commit}}");
        let output = self.run(&[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &revision,
        ])?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let message = format!("{flag}: the repository has no commit, branch or tag `{name}`");
        let help = "fetch it first; a shallow clone (`fetch-depth` in GitHub Actions, \
            `git-clone-depth` in CodeBuild) lacks earlier commits and other branches";
        Err(refused(message, help))
    }

    /// Returns the files of the repository that differ between two commits: those of the project
    /// relative to it, others with `../`. A submodule counts as one file.
    pub(super) fn changed_between(&self, from: &str, to: &str) -> Result<Vec<String>, CliError> {
        let output = self.run(&["rev-parse", "--show-prefix"])?;
        let prefix = String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned();
        let changed = self.paths(&["diff", "--name-only", "-z", "--no-renames", from, to, "--"])?;
        let relative = changed.iter().map(|path| match path.strip_prefix(&prefix) {
            Some(path) => path.to_owned(),
            None => format!("../{path}"),
        });
        Ok(relative.collect())
    }

    /// Returns the files of the project that differ from a commit, and those that aren't tracked
    /// but not ignored either.
    pub(super) fn changed_since(&self, commit: &str) -> Result<Vec<String>, CliError> {
        let args = [
            "diff",
            "--name-only",
            "-z",
            "--no-renames",
            "--relative",
            commit,
            "--",
            ".",
        ];
        let mut changed = self.paths(&args)?;
        let untracked = [
            "ls-files",
            "-z",
            "--others",
            "--exclude-standard",
            "--",
            ".",
        ];
        changed.extend(self.paths(&untracked)?);
        changed.sort();
        changed.dedup();
        Ok(changed)
    }

    /// Returns the content that a file of the project has in a commit; `None` if it isn't in it.
    pub(super) fn content(&self, commit: &str, path: &str) -> Result<Option<Vec<u8>>, CliError> {
        let output = self.run(&["show", &format!("{commit}:./{path}")])?;
        Ok(output.status.success().then_some(output.stdout))
    }

    /// Writes the files that the project has in a commit to an empty directory, without submodules.
    /// Neither the repository nor its index changes.
    pub(super) fn check_out(&self, commit: &str, directory: &Path) -> Result<(), CliError> {
        let inside = self.run(&["rev-parse", "--show-prefix"])?;
        let inside = String::from_utf8_lossy(&inside.stdout);
        let tree = format!("{commit}:{}", inside.trim_end());
        let top = self.run(&["rev-parse", "--show-toplevel"])?;
        let top = String::from_utf8_lossy(&top.stdout).trim_end().to_owned();
        let index = directory.with_extension("index");
        let prefix = format!("--prefix={}/", directory.display());
        for args in [
            &["read-tree", &tree][..],
            &["checkout-index", "--all", &prefix],
        ] {
            let mut git = Command::new("git");
            git.arg("-C").arg(&top).args(args);
            git.env("GIT_INDEX_FILE", &index);
            let output = git.output().map_err(not_run)?;
            if !output.status.success() {
                let command = args.first().copied().unwrap_or_default();
                return Err(CliError::local(
                    format_args!("`git {command}` failed"),
                    message_of(&output),
                ));
            }
        }
        Ok(())
    }

    /// Returns whether Git ignores a file that it doesn't track.
    pub(super) fn ignores(&self, path: &str) -> Result<bool, CliError> {
        let output = self.run(&["check-ignore", "--quiet", "--", path])?;
        Ok(output.status.success())
    }

    /// Returns the files of a directory of the project in a commit.
    pub(super) fn files(&self, commit: &str, folder: &str) -> Result<Vec<String>, CliError> {
        self.paths(&["ls-tree", "-r", "-z", "--name-only", commit, "--", folder])
    }

    fn paths(&self, args: &[&str]) -> Result<Vec<String>, CliError> {
        let output = self.run(args)?;
        if !output.status.success() {
            let command = args.first().copied().unwrap_or_default();
            let reason = message_of(&output);
            return Err(CliError::local(
                format_args!("`git {command}` failed"),
                reason,
            ));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let paths = text.split('\0').filter(|path| !path.is_empty());
        Ok(paths.map(str::to_owned).collect())
    }

    fn run(&self, args: &[&str]) -> Result<Output, CliError> {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.root).args(args);
        git.output().map_err(not_run)
    }
}

fn not_run(error: io::Error) -> CliError {
    match error.kind() {
        ErrorKind::NotFound => refused(
            "`git` was not found on PATH".to_owned(),
            "install Git, or leave out what needs earlier commits",
        ),
        _ => CliError::local("cannot run `git`", error),
    }
}

fn message_of(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("fatal: ").to_owned()
}

fn refused(message: String, help: &str) -> CliError {
    let error = Diagnostic::error(message);
    CliError::Diagnostics(vec![if help.is_empty() {
        error
    } else {
        error.help(help)
    }])
}
