//! Packs a folder as a zip archive whose bytes depend only on names, contents and executable bits.
//!
//! Entries are those of Python's `shutil.make_archive` (including folders), but sorted, dated
//! 1980-01-01, with the permissions that Lambda needs, and with the content of linked folders,
//! which Python leaves empty.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::tree::{self, ArchiveEntryKind};
use super::{BuildResult, PackageError};
use crate::input;
use crate::links::ProjectBoundary;
use crate::os;

/// Packs `folder`, without `skip`, into the archive `to`, whose folder is created. With `bounds`,
/// links out of them are errors. The archive is replaced atomically, and only if it changed.
pub(super) fn write(
    folder: &Path,
    skip: &[PathBuf],
    bounds: Option<&ProjectBoundary>,
    to: &Path,
    stop: &CancellationToken,
) -> Result<BuildResult, PackageError> {
    let tree = tree::list(folder, skip, bounds)?;
    let mut file = create_beside(to)?;
    let mut zip = ZipWriter::new(BufWriter::new(file.as_file_mut()));
    let not_written = |error: io::Error| PackageError::Write {
        path: to.to_owned(),
        error,
    };
    for entry in tree.entries {
        match entry.kind {
            ArchiveEntryKind::Folder => zip
                .add_directory(&*entry.name, options(0o755))
                .map_err(|error| not_written(error.into()))?,
            ArchiveEntryKind::File { executable, size } => {
                // Sizes of 4 GiB and more need a longer header, which must be known before the
                // content.
                let options = options(if executable { 0o755 } else { 0o644 })
                    .large_file(size >= u64::from(u32::MAX));
                zip.start_file(&*entry.name, options)
                    .map_err(|error| not_written(error.into()))?;
                let not_read = |error| PackageError::Read {
                    path: entry.path.clone(),
                    error,
                };
                let opened = input::open(&entry.path, u64::MAX).map_err(io::Error::other);
                let (mut content, _) = opened.map_err(not_read)?;
                let mut buffer = [0; 64 * 1024];
                loop {
                    if stop.is_cancelled() {
                        return Err(PackageError::Stopped);
                    }
                    match content.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(read) => zip
                            .write_all(buffer.get(..read).unwrap_or_default())
                            .map_err(not_written)?,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(not_read(error)),
                    }
                }
            }
        }
    }
    zip.finish()
        .map_err(io::Error::from)
        .and_then(|mut file| file.flush())
        .map_err(not_written)?;
    Ok(BuildResult {
        changed: Some(exchange(file, to)?),
        warnings: tree.warnings,
    })
}

/// Creates a file in the folder of `to`, which is created, for [`exchange`]. Its name begins with a
/// dot, so that it is never staged.
pub(super) fn create_beside(to: &Path) -> Result<NamedTempFile, PackageError> {
    let folder = to.parent().unwrap_or(to);
    let create = |()| {
        os::with_usual_permissions(tempfile::Builder::new().prefix(".lambda-")).tempfile_in(folder)
    };
    fs::create_dir_all(folder)
        .and_then(create)
        .map_err(|error| PackageError::Write {
            path: folder.to_owned(),
            error,
        })
}

/// Replaces `to` with `file`, unless they have the same bytes. Returns whether it has changed.
pub(super) fn exchange(mut file: NamedTempFile, to: &Path) -> Result<bool, PackageError> {
    let not_written = |error| PackageError::Write {
        path: to.to_owned(),
        error,
    };
    if is_same(file.as_file_mut(), to).map_err(not_written)? {
        return Ok(false);
    }
    file.persist(to).map_err(|error| not_written(error.error))?;
    Ok(true)
}

/// Returns options with a fixed level and date, so that the bytes don't depend on defaults.
fn options(mode: u32) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(mode)
}

fn is_same(file: &mut File, other: &Path) -> io::Result<bool> {
    let mut other = match File::open(other) {
        Ok(other) => other,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    file.rewind()?;
    let mut ours = [0; 64 * 1024];
    let mut theirs = [0; 64 * 1024];
    loop {
        let read = file.read(&mut ours)?;
        let ours = ours.get(..read).unwrap_or_default();
        let theirs = theirs.get_mut(..read).unwrap_or_default();
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(theirs)?;
        if ours != theirs {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_archive_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("source")).unwrap();
        fs::write(folder.path().join("source/a"), "a").unwrap();
        let to = folder.path().join("zips/lambda.zip");
        let stop = CancellationToken::new();
        stop.cancel();
        let error = write(&folder.path().join("source"), &[], None, &to, &stop).unwrap_err();
        assert_eq!(error.to_string(), "packaging was stopped");
        assert_eq!(fs::read_dir(folder.path().join("zips")).unwrap().count(), 0);
    }

    #[test]
    fn unwritable_archives_are_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("source")).unwrap();
        fs::write(
            folder.path().join("zips"),
            "a file where a directory belongs",
        )
        .unwrap();
        let to = folder.path().join("zips/lambda.zip");
        let error = write(
            &folder.path().join("source"),
            &[],
            None,
            &to,
            &CancellationToken::new(),
        )
        .unwrap_err();
        let expected = format!("cannot write {:?}: ", folder.path().join("zips"));
        assert!(error.to_string().starts_with(&expected), "{error}");
    }

    #[test]
    fn archives_of_the_same_length_are_distinguished() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("lambda.zip");
        let put = |content: &[u8]| {
            let mut file = create_beside(&to).unwrap();
            file.write_all(content).unwrap();
            exchange(file, &to).unwrap()
        };
        let mut long = vec![7; 200_000];
        let first = vec![7; 200_000];
        *long.last_mut().unwrap() = 8;
        assert_eq!(
            [put(&first), put(&first), put(&long), put(&long), put(b"")],
            [true, false, true, false, true]
        );
    }
}
