//! Reports what a run has not deleted, and the command that deletes it.

use std::env;
use std::path::{Path, PathBuf};

use super::{AwsArgs, discovery, output};
use crate::event::CellId;
use crate::process;
use crate::run::EndedRun;
use crate::run::journal::{self, JournalFolders, JournalHeader, Ledger};

/// Returns the directories of a project's journals.
pub(super) fn journal_folders(project_root: &Path, output: Option<&Path>) -> JournalFolders {
    let project_root = discovery::locate(project_root, Path::new(discovery::CONFIGURATION));
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    JournalFolders {
        project_root: absolute(&project_root),
        output: output.map(absolute),
        state: state_folder(),
    }
}

/// Returns the user's state directory
/// (<https://specifications.freedesktop.org/basedir-spec/latest/>).
fn state_folder() -> Option<PathBuf> {
    let set = env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    set.or_else(|| Some(env::home_dir()?.join(".local/state")))
}

/// Returns the command that deletes what a run has created.
pub(super) fn clean_command(header: &JournalHeader, aws: &AwsArgs) -> String {
    let mut words = vec!["taskcat".to_owned()];
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    if let Some(endpoint) = &header.endpoint {
        option("--endpoint-url", endpoint);
    }
    if let Some(profile) = &aws.profile {
        option("--profile", profile);
    }
    words.extend(["test", "clean", "--yes", "--wait-for-delete"].map(str::to_owned));
    let is_here = env::current_dir().is_ok_and(|here| here == header.project_root);
    if !is_here {
        words.extend([
            "--project-root".to_owned(),
            header.project_root.display().to_string(),
        ]);
    }
    let default_output = env::current_dir().map(|here| here.join("taskcat_outputs"));
    if let Some(output) = header
        .output
        .as_ref()
        .filter(|it| !default_output.is_ok_and(|default| default == **it))
    {
        words.extend([
            "--output-directory".to_owned(),
            output.display().to_string(),
        ]);
    }
    words.push(header.run_id.clone());
    words
        .iter()
        .map(|word| process::quoted(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Prints what the run has not deleted, and how to delete it.
pub(super) fn report(ended: &EndedRun, aws: &AwsArgs) {
    let Some(remains) = &ended.remains else {
        return;
    };
    let message = format!("not deleted: {}", names(&remains.header, &remains.ledger));
    output::note(
        &message,
        &format!("delete them with `{}`", clean_command(&remains.header, aws)),
    );
}

/// Warns about runs that were killed.
pub(super) fn warn_of_earlier_runs(folders: &JournalFolders, aws: &AwsArgs) {
    let (records, _) = journal::read_all(folders);
    let of_this_project = |header: &JournalHeader| header.project_root == folders.project_root;
    for record in records
        .iter()
        .filter(|it| !it.is_alive() && !it.ledger.is_empty() && of_this_project(&it.header))
    {
        let stacks = record.ledger.stacks.len();
        let buckets = record.ledger.buckets.len();
        output::warning_with_help(
            &format!("an earlier run was not cleaned up (stacks: {stacks}, buckets: {buckets})"),
            &format!("run `{}`", clean_command(&record.header, aws)),
        );
    }
}

/// Returns `stack tCaT-a in us-east-1, bucket tcat-a`; only the first of many.
fn names(header: &JournalHeader, ledger: &Ledger) -> String {
    const SHOWN: usize = 10;
    let name_of = |cell: &CellId| {
        header
            .stacks
            .iter()
            .find(|it| it.cell == *cell)
            .map(|it| it.stack_name.as_str())
    };
    let stacks = ledger.stacks.keys().map(|cell| match name_of(cell) {
        Some(name) => format!("stack {name} in {}", cell.region),
        None => format!("stack of {cell}"),
    });
    let buckets = ledger.buckets.keys().map(|name| format!("bucket {name}"));
    let markers = ledger
        .markers
        .keys()
        .map(|(bucket, key)| format!("s3://{bucket}/{key}"));
    let all: Vec<_> = stacks.chain(buckets).chain(markers).collect();
    let more = all.len().saturating_sub(SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", all[..all.len().min(SHOWN)].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_them() {
        let check = |word: &str, expect: &str| assert_eq!(process::quoted(word), expect);
        check("/a/b-c_1.x", "/a/b-c_1.x");
        check("http://localhost:4566", "http://localhost:4566");
        check("a b", "'a b'");
        check("it's", r"'it'\''s'");
        check("$(x)", "'$(x)'");
        check("", "''");
    }
}
