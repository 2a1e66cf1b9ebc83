//! Asks for an MFA code on the terminal, before a run begins.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use super::question;
use crate::aws::MfaPrompt;

/// Returns the prompt; `None` without a terminal, where the code must be an argument.
pub(super) fn prompt() -> Option<MfaPrompt> {
    (io::stdin().is_terminal() && io::stderr().is_terminal()).then(|| Arc::new(ask) as MfaPrompt)
}

/// Asks with the AWS CLI's prompt.
fn ask(serial: &str) -> Option<String> {
    question::line(&format!("Enter MFA code for {serial}"))
}
