//! `taskcat completions`: scripts that complete commands and options in a shell.

use clap::Args;
use clap_complete::Shell;

use super::error::ExitStatus;
use super::{arguments, streams};

/// Print a script that completes commands and options in a shell.
///
/// Bash, with the package bash-completion:
///   taskcat completions bash > ~/.local/share/bash-completion/completions/taskcat
///
/// Zsh, for a directory that is in `fpath` before `compinit` is called:
///   taskcat completions zsh > ~/.zfunc/_taskcat
///
/// Fish:
///   taskcat completions fish > ~/.config/fish/completions/taskcat.fish
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CompletionsArgs {
    /// Shell to complete in.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self) -> ExitStatus {
        let mut script = Vec::new();
        clap_complete::generate(
            self.shell,
            &mut arguments::command(),
            "taskcat",
            &mut script,
        );
        streams::print(String::from_utf8_lossy(&script));
        ExitStatus::Passed
    }
}
