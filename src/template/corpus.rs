//! For tests: real projects, which lie in `shared/corpus` beside the repository and are no part of
//! it.

use std::path::{Path, PathBuf};

/// Returns the folder beside the repository, or beside a worktree's parent, that holds real
/// projects. Tests that need it are ignored by default and have `corpus` in their names, so that
/// `tests/run.sh` can leave them out.
pub fn corpus() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = root
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("shared/corpus"));
    folders
        .find(|corpus| corpus.is_dir())
        .expect("shared/corpus lies beside the repository")
}

/// Every file of the projects that looks like a template, in order.
pub fn templates(corpus: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(corpus)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok);
    let named = files.map(walkdir::DirEntry::into_path).filter(|file| {
        let extension = file
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        matches!(extension, "yaml" | "yml" | "json" | "template")
            && !file.starts_with(corpus.join("expected"))
    });
    named
        .filter(|file| {
            std::fs::read_to_string(file).is_ok_and(|text| {
                text.contains("AWSTemplateFormatVersion") && text.contains("Resources")
            })
        })
        .collect()
}
