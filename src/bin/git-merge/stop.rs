//! Why a job ends before the merge: it failed, or it continues in a later invocation.

use taskcat::aws::JobFailure;

use crate::token::Token;

#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    Failed(FailedJob),
    Later(Later),
}

/// A failed job: what is wrong, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct FailedJob {
    pub kind: JobFailure,
    pub message: String,
}

/// A job that continues in a later invocation, since this one is too short.
#[derive(Debug, PartialEq, Eq)]
pub struct Later {
    /// Seconds since the epoch before which nothing should be tried again; `None` where time ran
    /// out without GitHub asking for patience.
    pub not_before: Option<u64>,
    pub why: String,
}

impl Stop {
    pub fn failed(kind: JobFailure, message: impl Into<String>) -> Self {
        Self::Failed(FailedJob {
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
