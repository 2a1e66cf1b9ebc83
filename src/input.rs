//! Reads users' files safely: anything but a regular file, or a file above the reader's limit, is
//! refused before it is read.
//!
//! A project is untrusted input: its configuration may be a named pipe without a writer, a link to
//! `/dev/zero`, or larger than memory. All readers of users' files use [`read`] or [`open`].
//! [`write_whole`] replaces a user's file.

use std::fmt;
use std::fs::{self, File, FileType, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::os;

/// Maximum size of a configuration or template, in bytes. CloudFormation accepts no template over 1
/// MB
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
pub(crate) const DOCUMENT: u64 = 16 * MIB;

/// Maximum size of a run's record, in bytes: about 5,000,000 events.
pub(crate) const RECORD: u64 = 2048 * MIB;

const MIB: u64 = 1024 * 1024;

/// Why a file can't be read. Reads after the file's name.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("it is {0}, not a regular file")]
    Kind(&'static str),
    #[error("it is {}, larger than the limit of {}", ByteSize(*size), ByteSize(*limit))]
    TooLarge { size: u64, limit: u64 },
    #[error("{}", reason(.0))]
    Io(#[from] io::Error),
}

/// Opens a regular file of at most `limit` bytes and returns it with its current size. Never
/// blocks.
///
/// # Errors
/// The file isn't regular, is larger, or can't be opened.
pub(crate) fn open(path: &Path, limit: u64) -> Result<(File, u64), InputError> {
    // Checked before opening, since opening a device may have effects.
    check(fs::metadata(path)?.file_type())?;
    // The file may have been replaced by a pipe without a writer since the check.
    let file = os::without_waiting(OpenOptions::new().read(true)).open(path)?;
    let metadata = file.metadata()?;
    check(metadata.file_type())?;
    if metadata.len() > limit {
        return Err(InputError::TooLarge {
            size: metadata.len(),
            limit,
        });
    }
    Ok((file, metadata.len()))
}

/// Returns the content of a regular file of at most `limit` bytes.
///
/// # Errors
/// Like [`open`], or the file grew beyond the limit while it was read.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, InputError> {
    let (file, size) = open(path, limit)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut bytes)?;
    let size = bytes.len() as u64;
    if size > limit {
        Err(InputError::TooLarge { size, limit })
    } else {
        Ok(bytes)
    }
}

/// Writes a file at once: after an error, the old content is still there. Keeps the permissions of
/// an existing file; a link to one stays a link.
///
/// # Errors
/// The file is read-only, or its directory cannot be written.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let existing = path.canonicalize().ok();
    let path = existing.as_deref().unwrap_or(path);
    let old = fs::metadata(path).map(|it| it.permissions()).ok();
    if old.as_ref().is_some_and(Permissions::readonly) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut file = os::with_usual_permissions(tempfile::Builder::new().prefix(".taskcat-"))
        .tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    if let Some(old) = old {
        file.as_file().set_permissions(old)?;
    }
    file.write_all(content)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Returns the content of a UTF-8 file for display, or `None` if it can't be read.
pub(crate) fn text(path: &Path) -> Option<String> {
    String::from_utf8(read(path, DOCUMENT).ok()?).ok()
}

/// Returns whether the path exists and isn't a folder. [`read`] may still refuse it.
pub(crate) fn is_given(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_dir())
}

fn check(kind: FileType) -> Result<(), InputError> {
    if kind.is_file() {
        Ok(())
    } else if kind.is_dir() {
        Err(io::Error::from(io::ErrorKind::IsADirectory).into())
    } else {
        Err(InputError::Kind(os::special_kind(kind)))
    }
}

/// Returns the text of an operating system's error without its number. Reads after the file's name.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        io::ErrorKind::AlreadyExists => "it exists already".to_owned(),
        _ => without_number(&error.to_string()).to_owned(),
    }
}

/// Removes the error number that Rust appends to an operating system's error: ` (os error 111)`.
pub(crate) fn without_number(text: &str) -> &str {
    text.split_once(" (os error ")
        .map_or(text, |(reason, _)| reason)
}

/// A number of bytes, formatted with a unit.
struct ByteSize(u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes < MIB => write!(f, "{bytes} bytes"),
            bytes if bytes.is_multiple_of(MIB) => write!(f, "{} MiB", bytes / MIB),
            bytes => write!(f, "{:.1} MiB", bytes as f64 / MIB as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("small"), "abc").unwrap();
        File::create(path("large"))
            .unwrap()
            .set_len(100 * MIB)
            .unwrap();
        mknodat(
            CWD,
            path("pipe"),
            FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        let _listener = UnixListener::bind(path("socket")).unwrap();
        for (link, target) in [
            ("to-small", "small"),
            ("to-pipe", "pipe"),
            ("to-zero", "/dev/zero"),
        ] {
            symlink(target, path(link)).unwrap();
        }
        let check = |name: &str, expect: Result<&str, &str>| {
            let read = read(&path(name), DOCUMENT).map_err(|error| error.to_string());
            assert_eq!(
                read,
                expect
                    .map(|text| text.as_bytes().to_vec())
                    .map_err(str::to_owned),
                "{name}"
            );
        };
        check("small", Ok("abc"));
        check("to-small", Ok("abc"));
        check(
            "large",
            Err("it is 100 MiB, larger than the limit of 16 MiB"),
        );
        check("pipe", Err("it is a named pipe, not a regular file"));
        check("to-pipe", Err("it is a named pipe, not a regular file"));
        check("socket", Err("it is a socket, not a regular file"));
        check("to-zero", Err("it is a device, not a regular file"));
        check("", Err("it is a directory"));
        check("none", Err("no such file"));
        // Files in /proc report a size of 0.
        assert!(matches!(
            super::read(Path::new("/proc/self/maps"), 10),
            Err(InputError::TooLarge { size: 11, .. })
        ));
    }
}
