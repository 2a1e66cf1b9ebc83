//! What differs between operating systems: how files are opened and compared, programs and their
//! children are ended, and signals arrive. Everything else is the same on all of them.
//!
//! `unix` and `windows` have the same functions, and one of them is compiled.

use std::path::Path;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// Returns a relative path with `/`, as in keys of S3 and names in archives; `None` if it isn't
/// Unicode.
pub(crate) fn with_slashes(relative: &Path) -> Option<String> {
    let text = relative.to_str()?;
    // Elsewhere than on Windows, a backslash is part of a name.
    if cfg!(windows) {
        Some(text.replace('\\', "/"))
    } else {
        Some(text.to_owned())
    }
}
