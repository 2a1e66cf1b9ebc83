//! Finds a project's git submodules: another project's templates must be linted there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{self, OutputTail};

/// Time limit of git. Reading a file takes no time; a longer wait would be for something that never
/// happens.
const LIMIT: Duration = Duration::from_secs(60);

/// Returns the folders of the submodules in `.gitmodules`, below the project root. Like TaskCat's
/// `neglect_submodule_templates`, this needs only the file, not a repository.
pub(crate) async fn folders(project_root: &Path) -> io::Result<Vec<PathBuf>> {
    let file = project_root.join(".gitmodules");
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let mut git = process::command("git", None);
    git.args(["config", "--file"]).arg(&file).args([
        "--null",
        "--get-regexp",
        r"^submodule\..*\.path$",
    ]);
    let finished = process::run(git, Vec::new(), LIMIT).await?;
    match finished.end {
        process::ExitReason::Exited(0) => Ok(parse(&finished.stdout, project_root)),
        // No such key: a file without submodules.
        process::ExitReason::Exited(1) => Ok(Vec::new()),
        end => Err(io::Error::other(format!(
            "`git config` {end}{}",
            process::indented(&finished.stderr.text())
        ))),
    }
}

/// Parses entries that consist of the key, a line feed, the value, and a NUL.
fn parse(output: &OutputTail, project_root: &Path) -> Vec<PathBuf> {
    let text = output.text();
    let entries = text.split('\0').filter_map(|entry| entry.split_once('\n'));
    entries.map(|(_, path)| project_root.join(path)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn folders_are_read_from_gitmodules() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join(".gitmodules");
        let check = async |text: &str, expect: &[&str]| {
            fs::write(&file, text).unwrap();
            let expect: Vec<_> = expect.iter().map(|it| root.path().join(it)).collect();
            assert_eq!(folders(root.path()).await.unwrap(), expect, "{text}");
        };
        let modules = "[submodule \"a b\"]\n\tpath = submodules/one\n\turl = x\n\
            [submodule \"two\"]\n\tpath = \"two#2\"\n";
        check(modules, &["submodules/one", "two#2"]).await;
        check("", &[]).await;
        fs::write(&file, "[oops").unwrap();
        let error = folders(root.path()).await.unwrap_err().to_string();
        assert!(
            error.starts_with("`git config` exited with code "),
            "{error}"
        );
    }
}
