//! Why AWS can't be called as the files and the environment say: found before any service is
//! called.

use super::ErrorKind;

/// The cause, in words for people, and what to do about it. Secrets never get in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct ProfileError {
    pub kind: ErrorKind,
    pub message: String,
    pub help: Option<String>,
    /// Asking again later may lead to another answer.
    pub may_pass: bool,
}

impl ProfileError {
    /// Creates an error about credentials.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Credentials,
            message: message.into(),
            help: None,
            may_pass: false,
        }
    }

    /// Adds what to do about it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the kind of the error.
    pub(super) fn kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Marks an error that may be another one, or none, in a minute.
    pub(super) fn may_pass(mut self) -> Self {
        self.may_pass = true;
        self
    }
}
