//! Reads a template from standard input, for `-` instead of its path.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::input;

/// The file that standard input was copied to, which messages show as `<stdin>`.
static COPY: OnceLock<PathBuf> = OnceLock::new();

/// A template from standard input, in a temporary directory of its own.
pub(super) struct StdinTemplate {
    /// Deletes the directory when it is dropped.
    _folder: TempDir,
    root: PathBuf,
    file: PathBuf,
}

impl StdinTemplate {
    /// Reads standard input if the path is `-`.
    pub(super) fn instead_of(path: &Path) -> io::Result<Option<Self>> {
        if path.as_os_str() != "-" {
            return Ok(None);
        }
        let mut text = Vec::new();
        let mut limited = io::stdin().lock().take(input::DOCUMENT + 1);
        limited.read_to_end(&mut text)?;
        if text.len() as u64 > input::DOCUMENT {
            return Err(io::Error::other("it is larger than the limit of 16 MiB"));
        }
        let folder = TempDir::new()?;
        let root = folder.path().canonicalize()?;
        let file = root.join("stdin");
        fs::write(&file, text)?;
        _ = COPY.set(file.clone());
        Ok(Some(Self {
            _folder: folder,
            root,
            file,
        }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    /// Returns the directory, which holds nothing else.
    pub(super) fn folder(&self) -> &Path {
        &self.root
    }
}

/// Returns whether a file is the copy of standard input.
pub(super) fn is_from_stdin(path: &Path) -> bool {
    COPY.get().is_some_and(|copy| copy == path)
}
