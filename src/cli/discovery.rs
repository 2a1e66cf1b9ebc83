//! Finds the project of a command that runs in one of its directories.

use std::env;
use std::path::{Path, PathBuf};

use super::output;
use crate::config::{self, legacy};
use crate::input;

/// The default of --input-file and its like.
pub(super) const CONFIGURATION: &str = "./.taskcat.yml";

/// The default of --project-root; `.` asks for the working directory itself.
const ROOT: &str = "./";

/// Returns the project's root: the one that was asked for or, with the defaults and without a
/// configuration in the working directory, the nearest directory above that has one. The search
/// ends at the root of the Git repository. Prints which project was found.
pub(super) fn locate(root: &Path, input_file: &Path) -> PathBuf {
    let is_default = root.as_os_str() == ROOT && input_file.as_os_str() == CONFIGURATION;
    let here = env::current_dir().ok().filter(|_| is_default);
    let Some(found) = here.and_then(|here| above(&here, env::home_dir().as_deref())) else {
        return root.to_owned();
    };
    output::note(
        &format!("using the project in {}", found.display()),
        "the working directory has no .taskcat.yml; --project-root chooses another project",
    );
    found
}

/// The configuration of the home directory is the global one.
fn above(here: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let is_project = |folder: &Path| {
        config::project_file(folder).is_some()
            || input::is_given(&folder.join(legacy::PROJECT_FILE))
    };
    if is_project(here) {
        return None;
    }
    let mut folder = here;
    while !folder.join(".git").exists() {
        folder = folder.parent()?;
        if home != Some(folder) && is_project(folder) {
            return Some(folder.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_project_of_the_repository_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let write = |path: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        write(".taskcat.yml");
        write("repository/.git/HEAD");
        write("repository/project/.taskcat.yaml");
        write("repository/project/a/b/c");
        write("repository/old/ci/taskcat.yml");
        write("repository/none/x");
        write("elsewhere/x");
        let check = |here: &str, home: &Path, expect: Option<&str>| {
            let found = above(&root.join(here), Some(home));
            assert_eq!(found, expect.map(|it| root.join(it)), "{here}");
        };
        let home = root.join("home");
        check("repository/project/a/b", &home, Some("repository/project"));
        check("repository/project", &home, None);
        check("repository/old/ci", &home, Some("repository/old"));
        check("repository/none", &home, None);
        check("repository", &home, None);
        check("elsewhere", &home, Some(""));
        check("elsewhere", root, None);
    }
}
