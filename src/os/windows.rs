//! Windows.

use std::fs::{File, FileType, OpenOptions};
#[cfg(feature = "aws")]
use std::fs::{Metadata, TryLockError};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

/// A file that is always empty.
#[cfg(feature = "cli")]
pub(crate) const NULL_DEVICE: &str = "NUL";

/// `FILE_FLAG_OPEN_REPARSE_POINT`: opens a link itself
/// (<https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-createfilew>).
const OPEN_LINK: u32 = 0x0020_0000;

/// Named pipes aren't in directories.
pub(crate) fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Makes opening a symbolic link open the link and not what it leads to.
pub(crate) fn without_links(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(OPEN_LINK)
}

/// Returns what something is that is neither a file nor a directory.
pub(crate) fn special_kind(_: FileType) -> &'static str {
    "something else"
}

/// Files inherit their permissions from the directory.
pub(crate) fn with_usual_permissions<'b, 'p, 's>(
    builder: &'b mut tempfile::Builder<'p, 's>,
) -> &'b mut tempfile::Builder<'p, 's> {
    builder
}

/// Windows has no such permission, and on Lambda a program needs it: every file counts, as in AWS's
/// `build-lambda-zip`
/// (<https://docs.aws.amazon.com/lambda/latest/dg/golang-package.html>).
#[cfg(feature = "aws")]
pub(crate) fn is_executable(_: &Metadata) -> bool {
    true
}

/// Returns whether the path still is the open file.
pub(crate) fn is_same_file(file: &File, path: &Path) -> bool {
    let open = file.try_clone().and_then(same_file::Handle::from_file);
    matches!((open, same_file::Handle::from_path(path)), (Ok(a), Ok(b)) if a == b)
}

/// Locks a file that others go on reading, which Windows doesn't have: what one process has locked
/// can't be read by another
/// (<https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-lockfileex>).
///
/// # Errors
/// Always, as on a file system without locks.
#[cfg(feature = "aws")]
pub(crate) fn try_lock_readable(_: &File) -> Result<(), TryLockError> {
    Err(TryLockError::Error(io::ErrorKind::Unsupported.into()))
}

/// Returns whether an error of following a symbolic link means that it leads nowhere.
pub(crate) fn is_of_dangling_link(error: &io::Error) -> bool {
    /// `ERROR_CANT_RESOLVE_FILENAME`, of links that lead to each other.
    const CIRCLE: i32 = 1921;
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(CIRCLE)
}

/// Returns how many files this process may open: there is no limit that matters.
#[cfg(feature = "simulator")]
pub(crate) fn open_files_limit() -> Option<u64> {
    None
}

#[cfg(feature = "aws")]
pub(crate) use programs::*;

#[cfg(feature = "aws")]
mod programs {
    #[cfg(feature = "cli")]
    use std::ffi::OsStr;
    use std::os::windows::process::CommandExt;
    use std::process::{Command, ExitStatus, Stdio};

    /// `CREATE_NEW_PROCESS_GROUP`
    /// (<https://learn.microsoft.com/en-us/windows/win32/procthread/process-creation-flags>).
    const NEW_GROUP: u32 = 0x0000_0200;

    /// Gives a program a process group of its own: Ctrl-C doesn't reach it.
    pub(crate) fn in_own_group(command: &mut Command) -> &mut Command {
        command.creation_flags(NEW_GROUP)
    }

    /// Ends a process and its children.
    pub(crate) fn kill_tree(leader: u32) {
        // A process's children are known to Windows alone; this program of its own asks for them.
        let ended = Command::new("taskkill")
            .args(["/T", "/F", "/PID", &leader.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        // Fails if the process has just ended; then there is nothing to kill.
        drop(ended);
    }

    /// Windows ends programs with a code, never by a signal.
    pub(crate) fn signal(_: ExitStatus) -> i32 {
        0
    }

    /// Returns the command interpreter with a command line, which is passed on as it is.
    pub(crate) fn shell(line: &str) -> Command {
        let mut shell = Command::new("cmd");
        shell
            .args(["/D", "/S", "/C"])
            .raw_arg(format!("\"{line}\""));
        shell
    }

    /// Nothing on every Windows waits for the end of this process.
    pub(crate) fn orphan_guard(_: u32) -> Option<Command> {
        None
    }

    /// Nothing on every Windows waits for the end of this process.
    #[cfg(feature = "cli")]
    pub(crate) fn deletion_guard(_: &OsStr) -> Option<Command> {
        None
    }
}

#[cfg(feature = "aws")]
pub(crate) use signals::*;

#[cfg(feature = "aws")]
mod signals {
    use std::io;

    use tokio::signal::windows;
    use tokio::sync::mpsc;

    /// Returns the names of events that stop a run, as they arrive. Closing a console sends one,
    /// and ends the process some seconds later.
    ///
    /// # Errors
    /// The events can't be caught.
    pub(crate) fn stop_signals() -> io::Result<mpsc::Receiver<&'static str>> {
        let (sender, receiver) = mpsc::channel(8);
        macro_rules! forward {
            ($($name:literal from $listener:expr),+ $(,)?) => {
                $(
                    let mut events = $listener?;
                    let listening = sender.clone();
                    tokio::spawn(async move {
                        while events.recv().await.is_some()
                            && listening.send($name).await.is_ok()
                        {}
                    });
                )+
            };
        }
        forward!(
            "Ctrl-C" from windows::ctrl_c(),
            "Ctrl-Break" from windows::ctrl_break(),
            "the end of the console" from windows::ctrl_close(),
            "the shutdown" from windows::ctrl_shutdown(),
        );
        Ok(receiver)
    }
}
