//! Why the work ends before the merge: for good, or for now.

use taskcat::aws::JobFailure;

use crate::token::Token;

#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    Failed(Failure),
    Later(Later),
}

/// The end of the job: what is wrong, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: JobFailure,
    pub message: String,
}

/// Nothing is wrong yet, but this invocation is too short.
#[derive(Debug, PartialEq, Eq)]
pub struct Later {
    /// Seconds since the epoch before which nothing should be tried again; `None` where time ran
    /// out without GitHub asking for patience.
    pub not_before: Option<u64>,
    pub why: String,
}

impl Stop {
    pub fn failed(kind: JobFailure, message: impl Into<String>) -> Self {
        Self::Failed(Failure {
            kind,
            message: message.into(),
        })
    }

    /// Whatever brought it there, the token is not in the text.
    pub fn without(mut self, token: &Token) -> Self {
        let text = match &mut self {
            Self::Failed(failure) => &mut failure.message,
            Self::Later(later) => &mut later.why,
        };
        *text = token.masked(text);
        self
    }
}
