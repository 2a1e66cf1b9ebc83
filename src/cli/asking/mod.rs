//! Lets users request the status of all stacks during a run: with the key `s` in the live view and,
//! where there are such signals, with SIGUSR1.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::StatusListener;
#[cfg(windows)]
pub(super) use windows::StatusListener;

/// Returns whether the key requests the status.
fn is_key(key: char) -> bool {
    key.eq_ignore_ascii_case(&'s')
}
