//! Questions on the terminal. All commands ask by these.

use dialoguer::{Confirm, Input};

use super::error::CliError;
use super::streams;

/// Asks a question that is answered yes or no.
///
/// # Errors
/// The question was interrupted.
pub(super) fn confirm(question: &str) -> Result<bool, CliError> {
    let question = Confirm::new()
        .with_prompt(streams::masked(question))
        .default(false)
        .wait_for_newline(true);
    question
        .interact()
        .map_err(|error| CliError::local("no answer", error))
}

/// Asks for a line of text. Returns it without the space around it, and `None` if the question was
/// interrupted.
pub(super) fn line(question: &str) -> Option<String> {
    let question = Input::<String>::new()
        .with_prompt(streams::masked(question))
        .allow_empty(true);
    let answer = question.interact_text().ok()?;
    Some(answer.trim().to_owned())
}
