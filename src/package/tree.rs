//! Lists the content of a folder, following links, for archives and copies.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use walkdir::WalkDir;

use super::PackageError;
use crate::links::ProjectBoundary;
use crate::os;

#[derive(Debug)]
pub(super) struct ArchiveTree {
    /// The entries sorted by name, so that a folder precedes its content.
    pub entries: Vec<ArchiveEntry>,
    pub warnings: Vec<String>,
}

#[derive(Debug)]
pub(super) struct ArchiveEntry {
    /// The path relative to the root, with `/`; a folder's ends with one.
    pub name: String,
    pub path: PathBuf,
    pub kind: ArchiveEntryKind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ArchiveEntryKind {
    Folder,
    /// A file of `size` bytes.
    File {
        executable: bool,
        size: u64,
    },
}

/// Lists a folder without the paths in `skip`. Links are followed; a dangling one is a warning, one
/// that leaves the bounds is an error.
pub(super) fn list(
    root: &Path,
    skip: &[PathBuf],
    bounds: Option<&ProjectBoundary>,
) -> Result<ArchiveTree, PackageError> {
    let mut tree = ArchiveTree {
        entries: Vec::new(),
        warnings: Vec::new(),
    };
    let mut walk = WalkDir::new(root)
        .follow_links(true)
        .min_depth(1)
        .into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                tree.warnings.push(dangling(root, error)?);
                continue;
            }
        };
        if skip.iter().any(|skipped| skipped == entry.path()) {
            if entry.file_type().is_dir() {
                walk.skip_current_dir();
            }
            continue;
        }
        if let Some(bounds) =
            bounds.filter(|bounds| entry.path_is_symlink() && !bounds.follows_links())
        {
            bounds.check(entry.path())?;
        }
        let path = entry.path().to_owned();
        let metadata = entry.metadata().map_err(|error| read_error(root, error))?;
        let Some(name) = path.strip_prefix(root).ok().and_then(os::with_slashes) else {
            return Err(PackageError::Name { path });
        };
        if metadata.is_dir() {
            tree.entries.push(ArchiveEntry {
                name: name + "/",
                path,
                kind: ArchiveEntryKind::Folder,
            });
        } else if metadata.is_file() {
            let executable = os::is_executable(&metadata);
            tree.entries.push(ArchiveEntry {
                name,
                path,
                kind: ArchiveEntryKind::File {
                    executable,
                    size: metadata.len(),
                },
            });
        } else {
            tree.warnings.push(format!(
                "{path:?} is neither a file nor a directory, so it is not packaged"
            ));
        }
    }
    tree.entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(tree)
}

/// Creates a temporary folder, which is deleted with the value.
pub(super) fn temporary() -> Result<TempDir, PackageError> {
    tempfile::Builder::new()
        .prefix("taskcat-")
        .tempdir()
        .map_err(|error| PackageError::Write {
            path: env::temp_dir(),
            error,
        })
}

/// Copies a folder, following links, into one that exists and is empty.
pub(super) fn copy(
    tree: &ArchiveTree,
    to: &Path,
    stop: &CancellationToken,
) -> Result<(), PackageError> {
    for entry in &tree.entries {
        if stop.is_cancelled() {
            return Err(PackageError::Stopped);
        }
        let target = to.join(&entry.name);
        match entry.kind {
            ArchiveEntryKind::Folder => {
                fs::create_dir(&target).map_err(|error| PackageError::Write {
                    path: target,
                    error,
                })?
            }
            ArchiveEntryKind::File { .. } => {
                fs::copy(&entry.path, &target).map_err(|error| PackageError::Read {
                    path: entry.path.clone(),
                    error,
                })?;
            }
        }
    }
    Ok(())
}

/// Returns the warning for a dangling link; other errors are returned unchanged.
fn dangling(root: &Path, error: walkdir::Error) -> Result<String, PackageError> {
    let leads_nowhere = error
        .io_error()
        .is_some_and(|error| error.kind() == io::ErrorKind::NotFound);
    match error.path() {
        Some(path) if leads_nowhere && path.is_symlink() => Ok(format!(
            "{path:?} is a dangling symbolic link, so it is not packaged"
        )),
        _ => Err(read_error(root, error)),
    }
}

fn read_error(root: &Path, error: walkdir::Error) -> PackageError {
    let path = error.path().unwrap_or(root).to_owned();
    match error.loop_ancestor() {
        Some(ancestor) => PackageError::LinkLoop {
            ancestor: ancestor.to_owned(),
            path,
        },
        None => PackageError::Read {
            path,
            error: error.into(),
        },
    }
}
