//! Standard output and standard error. All output of this process goes through here, so that a
//! closed pipe or a full disk doesn't end it.
//!
//! If the reader of standard output exits (`| head`), further output is dropped and the command
//! ends normally. Any other failure is recorded, and [`failure`] returns it at the end. Failures
//! to write to standard error can't be reported and are ignored. With `--redact` all output is
//! masked.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::input;
use crate::report::redact::SharedRedaction;

/// The state of standard output.
enum StdoutState {
    Open,
    /// The reader has exited.
    Closed,
    Failed(io::Error),
}

static STDOUT: Mutex<StdoutState> = Mutex::new(StdoutState::Open);

static REDACTION: OnceLock<SharedRedaction> = OnceLock::new();

/// Masks account IDs and bucket names in all further output, including the messages of panics.
pub(super) fn redact() {
    REDACTION.get_or_init(SharedRedaction::default);
    std::panic::set_hook(Box::new(|panic| tell(panic)));
}

/// Returns the redaction, if output must be masked.
pub(super) fn redaction() -> Option<&'static SharedRedaction> {
    REDACTION.get()
}

/// Masks a text if necessary.
pub(super) fn masked(text: impl Display) -> String {
    let text = text.to_string();
    redaction().map(|it| it.text(&text)).unwrap_or(text)
}

/// Writes text to standard output, without colors if it isn't a terminal.
pub(super) fn print(text: impl Display) {
    write(masked(text).as_bytes());
}

/// Writes text and a line feed to standard output.
pub(super) fn print_line(text: impl Display) {
    print(format_args!("{text}\n"));
}

/// Writes text and a line feed to standard error.
pub(super) fn tell(text: impl Display) {
    tell_in_line(format_args!("{text}\n"));
}

/// Writes text without a line feed to standard error: a question, whose answer follows on the same
/// line.
pub(super) fn tell_in_line(text: impl Display) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr
        .write_all(masked(text).as_bytes())
        .and_then(|()| stderr.flush());
}

/// Returns whether a write to standard output failed for a reason other than a closed pipe.
pub(super) fn has_failed() -> bool {
    matches!(*stdout(), StdoutState::Failed(_))
}

/// Returns why writing to standard output failed, unless the reader has only exited.
pub(super) fn failure() -> Option<String> {
    match &*stdout() {
        StdoutState::Failed(error) => Some(input::reason(error)),
        StdoutState::Open | StdoutState::Closed => None,
    }
}

/// Standard output as a writer that never fails.
pub(super) struct Printer;

impl Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(bytes: &[u8]) {
    let mut state = stdout();
    if !matches!(*state, StdoutState::Open) {
        return;
    }
    let mut out = anstream::stdout().lock();
    // A failure to write buffered data at the end of the process would be lost.
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        *state = if error.kind() == ErrorKind::BrokenPipe {
            StdoutState::Closed
        } else {
            StdoutState::Failed(error)
        };
    }
}

fn stdout() -> MutexGuard<'static, StdoutState> {
    // A panic while the lock was held leaves a valid state.
    STDOUT.lock().unwrap_or_else(PoisonError::into_inner)
}
