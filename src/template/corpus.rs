//! Test helpers for real projects, which are in `shared/corpus` beside the repository and aren't
//! part of it.

use std::path::{Path, PathBuf};

/// Returns the folder of real projects beside the repository, or beside a worktree's parent. Tests
/// that need it are ignored by default and have `corpus` in their names, so that `tests/run.sh` can
/// leave them out.
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

/// Returns every file of the projects that looks like a template, sorted.
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
