//! Standard output and standard error. Every text that this process prints goes through here, so
//! that no closed pipe and no full disk ends it.
//!
//! Where the reader of standard output has gone (`| head`) nothing more is written, and the command
//! ends as it would have ended. Any other failure is kept, and [`failure`] returns it at the end.
//! What can't be written to standard error can be told nowhere, so that it is dropped. With
//! `--redact` all of it is masked.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::input;
use crate::report::redact::SharedRedaction;

/// What became of standard output.
enum StdoutState {
    Open,
    /// Nobody reads it any more.
    Closed,
    Failed(io::Error),
}

static STDOUT: Mutex<StdoutState> = Mutex::new(StdoutState::Open);

static REDACTION: OnceLock<SharedRedaction> = OnceLock::new();

/// Masks account ids and bucket names in all that is printed from now on, the messages of panics
/// included.
pub(super) fn redact() {
    REDACTION.get_or_init(SharedRedaction::default);
    std::panic::set_hook(Box::new(|panic| tell(panic)));
}

/// What masks the texts, where they are to be masked.
pub(super) fn redaction() -> Option<&'static SharedRedaction> {
    REDACTION.get()
}

/// The text as it may be shown.
pub(super) fn masked(text: impl Display) -> String {
    let text = text.to_string();
    redaction().map(|it| it.text(&text)).unwrap_or(text)
}

/// Writes text to standard output, without colours where it is no terminal.
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

/// Writes text to standard error: a question, whose answer follows on the same line.
pub(super) fn tell_in_line(text: impl Display) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr
        .write_all(masked(text).as_bytes())
        .and_then(|()| stderr.flush());
}

/// Whether a write to standard output failed for a reason other than a closed pipe.
pub(super) fn has_failed() -> bool {
    matches!(*stdout(), StdoutState::Failed(_))
}

/// Returns why standard output could not be written, unless its reader has merely gone.
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
    // What is left in a buffer would be lost without a word at the end of the process.
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        *state = if error.kind() == ErrorKind::BrokenPipe {
            StdoutState::Closed
        } else {
            StdoutState::Failed(error)
        };
    }
}

fn stdout() -> MutexGuard<'static, StdoutState> {
    // A panic while it was held leaves a state that is as good as before.
    STDOUT.lock().unwrap_or_else(PoisonError::into_inner)
}
