//! Errors that the simulated services answer.

/// An error that a service answers, in the service's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceError {
    /// HTTP status.
    pub status: u16,
    /// `ValidationError`
    pub code: String,
    /// The text of the error, for people.
    pub message: String,
}

impl ServiceError {
    /// Returns an error with an HTTP status, a code and a message.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }
}
