//! Linux, macOS and other systems of the Unix family.

#[cfg(feature = "aws")]
use std::fs::TryLockError;
use std::fs::{self, File, FileType, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// A file that is always empty.
#[cfg(feature = "cli")]
pub(crate) const NULL_DEVICE: &str = "/dev/null";

/// Makes opening a file never wait for the other end of a named pipe.
pub(crate) fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(flags(OFlags::NONBLOCK))
}

/// Makes opening a symbolic link fail, and never wait for the other end of a named pipe.
pub(crate) fn without_links(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK))
}

/// All flags of `open(2)` fit into an `i32`.
fn flags(flags: OFlags) -> i32 {
    i32::try_from(flags.bits()).unwrap_or_default()
}

/// Returns what something is that is neither a file nor a directory.
pub(crate) fn special_kind(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "something else"
    }
}

/// Gives a temporary file the permissions of any new file, which the user's mask limits.
pub(crate) fn with_usual_permissions<'b, 'p, 's>(
    builder: &'b mut tempfile::Builder<'p, 's>,
) -> &'b mut tempfile::Builder<'p, 's> {
    builder.permissions(Permissions::from_mode(0o666))
}

/// Returns whether somebody may execute the file.
#[cfg(feature = "aws")]
pub(crate) fn is_executable(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o111 != 0
}

/// Returns whether the path still is the open file.
pub(crate) fn is_same_file(file: &File, path: &Path) -> bool {
    let same = |a: &Metadata, b: &Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((file.metadata(), fs::symlink_metadata(path)), (Ok(a), Ok(b)) if same(&a, &b))
}

/// Locks a file that others go on reading.
///
/// # Errors
/// Another process holds the lock, or there are no locks.
#[cfg(feature = "aws")]
pub(crate) fn try_lock_readable(file: &File) -> Result<(), TryLockError> {
    file.try_lock()
}

/// Returns whether an error of following a symbolic link means that it leads nowhere.
pub(crate) fn is_of_dangling_link(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOENT | Errno::LOOP)
    )
}

/// Returns how many files this process may open; `None` for no limit.
#[cfg(feature = "simulator")]
pub(crate) fn open_files_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(feature = "aws")]
pub(crate) use programs::*;

#[cfg(feature = "aws")]
mod programs {
    use std::ffi::OsStr;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Command, ExitStatus, Stdio};

    use rustix::process::{Pid, Signal, kill_process_group};

    /// Gives a program a process group of its own: signals from the terminal don't reach it, and
    /// [`kill_tree`] ends it with its children.
    pub(crate) fn in_own_group(command: &mut Command) -> &mut Command {
        command.process_group(0)
    }

    /// Ends a process that leads its group, and all of the group.
    pub(crate) fn kill_tree(leader: u32) {
        if let Some(group) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
            // Fails if the group has just ended; then there is nothing to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Returns the number of the signal that ended a program.
    pub(crate) fn signal(status: ExitStatus) -> i32 {
        status.signal().unwrap_or_default()
    }

    /// Returns the shell with a command line.
    pub(crate) fn shell(line: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]);
        shell
    }

    /// Returns a shell that waits for the end of this process, however it ends, and then kills a
    /// process group. The parent-death signal of Linux wouldn't reach grandchildren.
    pub(crate) fn orphan_guard(group: u32) -> Option<Command> {
        let mut guard = at_end_of_this_process("kill -s KILL -- \"-$0\"", group.to_string());
        guard.env_clear();
        Some(guard)
    }

    /// Returns a shell that waits for the end of this process, however it ends, and then deletes a
    /// directory. It tries again while a program may still be writing.
    #[cfg(feature = "cli")]
    pub(crate) fn deletion_guard(folder: &OsStr) -> Option<Command> {
        let delete = "for _ in 1 2 3 4 5; do rm -rf -- \"$0\"; [ -e \"$0\" ] || exit; sleep 1; \
            done";
        Some(at_end_of_this_process(delete, folder))
    }

    /// A shell whose input ends only with this process. It has a process group of its own, since a
    /// signal from the terminal that ends this process must not end it first.
    fn at_end_of_this_process(script: &str, argument: impl AsRef<OsStr>) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &format!("read _; {script}")])
            .arg(argument)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        in_own_group(&mut shell);
        shell
    }
}

#[cfg(feature = "aws")]
pub(crate) use signals::*;

#[cfg(feature = "aws")]
mod signals {
    use std::io;

    use tokio::signal::unix::{SignalKind, signal};
    use tokio::sync::mpsc;

    /// Returns the names of signals that stop a run, as they arrive. Closing a terminal sends
    /// SIGHUP.
    ///
    /// # Errors
    /// The signals can't be caught.
    pub(crate) fn stop_signals() -> io::Result<mpsc::Receiver<&'static str>> {
        let (sender, receiver) = mpsc::channel(8);
        let kinds = [
            ("SIGINT", SignalKind::interrupt()),
            ("SIGTERM", SignalKind::terminate()),
            ("SIGHUP", SignalKind::hangup()),
        ];
        for (name, kind) in kinds {
            let mut signals = signal(kind)?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() && sender.send(name).await.is_ok() {}
            });
        }
        Ok(receiver)
    }
}
