//! Asks for an MFA code on the terminal, before a run begins.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use super::streams;
use crate::aws::MfaPrompt;

/// Returns the prompt; `None` without a terminal, where the code must be an argument.
pub(super) fn prompt() -> Option<MfaPrompt> {
    (io::stdin().is_terminal() && io::stderr().is_terminal()).then(|| Arc::new(ask) as MfaPrompt)
}

/// Asks with the AWS CLI's prompt.
fn ask(serial: &str) -> Option<String> {
    streams::tell_in_line(format_args!("Enter MFA code for {serial}: "));
    let mut code = String::new();
    io::stdin().read_line(&mut code).ok()?;
    Some(code)
}
