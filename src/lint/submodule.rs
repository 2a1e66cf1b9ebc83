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
pub(super) async fn folders(project_root: &Path) -> io::Result<Vec<PathBuf>> {
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
