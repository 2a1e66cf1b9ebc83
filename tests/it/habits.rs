//! Habits of the source that no lint knows: what is spelt in one file stays there.

use std::fs;
use std::path::{Path, PathBuf};

use taskcat::status::{ResourceStatus, StackStatus};

use crate::layers::sources;

/// Statuses are spelt in `status.rs` alone; everything else asks what they mean.
#[test]
fn statuses_are_spelt_in_one_file() {
    let texts: Vec<String> = StackStatus::TEXTS
        .iter()
        .chain(ResourceStatus::TEXTS)
        .map(|text| format!("\"{text}\""))
        .collect();
    let mut faults = Vec::new();
    let mut read = 0;
    for file in sources(&src())
        .into_iter()
        .filter(|file| !file.ends_with("src/status.rs"))
    {
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
    for file in sources(&src())
        .into_iter()
        .filter(|file| !file.ends_with("src/mask.rs"))
    {
        let source = fs::read_to_string(&file).unwrap();
        let found = code(&source).filter(|(_, line)| line.contains("\"****"));
        faults.extend(
            found
                .filter(|(_, line)| !line.contains("*****"))
                .map(|(at, _)| format!("{}:{at}", file.display())),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Functions are spelt in `template/expression.rs` alone; everything else names a `Function`.
#[test]
fn functions_are_spelt_in_one_file() {
    let files: Vec<(PathBuf, String)> = sources(&src())
        .into_iter()
        .map(|file| (file.clone(), fs::read_to_string(file).unwrap()))
        .collect();
    let tests: Vec<PathBuf> = files
        .iter()
        .flat_map(|(file, source)| test_files(file, source))
        .collect();
    let mut spelt = 0;
    let mut faults = Vec::new();
    for (file, source) in files.iter().filter(|(file, _)| !tests.contains(file)) {
        let untested = source
            .split("\nmod tests {")
            .next()
            .unwrap_or_default()
            .replace("#[cfg(test)]", "");
        for (number, line) in code(&untested) {
            if line.contains("\"Fn::") || line.contains("\"Ref\"") {
                spelt += 1;
                if !file.ends_with("src/template/expression.rs") {
                    faults.push(format!("{}:{number}: {line}", file.display()));
                }
            }
        }
    }
    assert!(spelt > 20, "only {spelt} names were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The files of modules that are compiled for tests alone.
fn test_files(file: &Path, source: &str) -> Vec<PathBuf> {
    let declared = source
        .split("#[cfg(test)]\n")
        .skip(1)
        .filter_map(|rest| rest.lines().next());
    let names = declared.filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';'));
    names
        .map(|name| file.with_file_name(format!("{name}.rs")))
        .collect()
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The numbered lines of a source without its comments, up to its unit tests.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = source
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .enumerate();
    lines
        .map(|(at, line)| (at + 1, line.trim_start()))
        .filter(|(_, line)| !line.starts_with("//"))
}
