//! Habits of the source that no lint knows: what is spelt in one file stays there.

use std::fs;
use std::path::{Path, PathBuf};

use taskcat::status::{ResourceStatus, StackStatus};

use crate::layers::sources;

/// Statuses are spelt in `status.rs` alone; everything else asks what they mean.
#[test]
fn statuses_are_spelt_in_one_file() {
    let texts: Vec<String> =
        StackStatus::TEXTS.iter().chain(ResourceStatus::TEXTS).map(|text| format!("\"{text}\"")).collect();
    let mut faults = Vec::new();
    let mut read = 0;
    for file in sources(&src()).into_iter().filter(|file| !file.ends_with("src/status.rs")) {
        let source = fs::read_to_string(&file).unwrap();
        for (number, line) in code(&source) {
            read += 1;
            if let Some(text) = texts.iter().find(|text| line.contains(*text)) {
                faults.push(format!("{}:{number}: {text}", file.display()));
            }
        }
    }
    assert!(read > 10_000, "only {read} lines were read");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every mask is that of `mask.rs`.
#[test]
fn secrets_are_masked_in_one_file() {
    let mut faults = Vec::new();
    for file in sources(&src()).into_iter().filter(|file| !file.ends_with("src/mask.rs")) {
        let source = fs::read_to_string(&file).unwrap();
        let found = code(&source).filter(|(_, line)| line.contains("\"****"));
        faults.extend(
            found.filter(|(_, line)| !line.contains("*****")).map(|(at, _)| format!("{}:{at}", file.display())),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The numbered lines of a source without its comments, up to its unit tests.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.lines().take_while(|line| *line != "#[cfg(test)]").enumerate();
    lines.map(|(at, line)| (at + 1, line.trim_start())).filter(|(_, line)| !line.starts_with("//"))
}
