//! The folders of journals.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::input;

/// The folder of journals, relative to the project root. Hidden, so that it is never staged.
pub(super) const FOLDER: &str = ".taskcat/runs";

/// The folders that may contain a project's journals, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JournalFolders {
    pub project_root: PathBuf,
    /// The folder of the reports.
    pub output: Option<PathBuf>,
    /// The user's state folder, shared by all projects.
    pub state: Option<PathBuf>,
}

impl JournalFolders {
    /// Returns the folders, whether or not they exist.
    pub(crate) fn all(&self) -> Vec<PathBuf> {
        let bases = [Some(&self.project_root), self.output.as_ref()];
        let mut folders: Vec<_> = bases
            .into_iter()
            .flatten()
            .map(|it| it.join(FOLDER))
            .collect();
        folders.extend(self.state.as_ref().map(|state| state.join("taskcat/runs")));
        folders
    }

    /// Returns the first folder that can be written to, creating it if necessary.
    ///
    /// # Errors
    /// None can be written; the error is the first folder's.
    pub(crate) fn writable(&self) -> io::Result<PathBuf> {
        let mut first = None;
        for folder in self.all() {
            match create(&folder) {
                Ok(()) => return Ok(folder),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
        Err(first.unwrap_or_else(|| io::Error::other("no directory for journals")))
    }

    /// Returns the existing journals, sorted by name.
    pub(crate) fn journals(&self) -> Vec<PathBuf> {
        let entries = self
            .all()
            .into_iter()
            .flat_map(|it| fs::read_dir(it).into_iter().flatten());
        let paths = entries.flatten().map(|entry| entry.path());
        let is_journal = |path: &PathBuf| path.extension().is_some_and(|it| it == "ndjson");
        let mut found: Vec<_> = paths.filter(is_journal).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Creates a folder and checks that files can be created in it.
fn create(folder: &Path) -> io::Result<()> {
    let named = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!(
                "cannot write {}: {}",
                folder.display(),
                input::reason(&error)
            ),
        )
    };
    fs::create_dir_all(folder).map_err(named)?;
    tempfile::tempfile_in(folder).map(drop).map_err(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_written_is_passed_over() {
        let base = tempfile::tempdir().unwrap();
        // A file in place of the folder, which also stops root.
        fs::write(base.path().join(".taskcat"), "").unwrap();
        let output = base.path().join("out");
        let mut folders = JournalFolders {
            project_root: base.path().into(),
            ..JournalFolders::default()
        };
        let error = folders.writable().unwrap_err().to_string();
        assert!(
            error.contains(base.path().join(FOLDER).to_str().unwrap()),
            "{error}"
        );
        folders.output = Some(output.clone());
        assert_eq!(folders.writable().unwrap(), output.join(FOLDER));
        fs::write(output.join(FOLDER).join("a.ndjson"), "").unwrap();
        assert_eq!(folders.journals(), [output.join(FOLDER).join("a.ndjson")]);
    }
}
