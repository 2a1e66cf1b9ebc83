//! Habits of the source that no lint knows: what is spelt in one file stays there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
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

/// What only systems of one family have is in `os`, so that the program builds on all of them.
#[test]
fn systems_differ_in_one_folder() {
    const WORDS: [&str; 5] = [
        "os::unix",
        "os::windows",
        "rustix::",
        "signal::unix",
        "cfg(unix)",
    ];
    let apart = |file: &Path| {
        let text = file.to_str().unwrap();
        text.contains("/src/os/") || text.contains("/src/cli/asking/")
    };
    let mut faults = Vec::new();
    for file in sources(&src()).into_iter().filter(|file| !apart(file)) {
        let source = fs::read_to_string(&file).unwrap();
        let found = code(&source).filter(|(_, line)| WORDS.iter().any(|word| line.contains(word)));
        faults.extend(found.map(|(at, line)| format!("{}:{at}: {line}", file.display())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Lines end at 100 columns, but for what can't be broken: addresses, raw strings, and texts that a
/// test shows as they are printed.
#[test]
fn lines_fit_in_100_columns() {
    const RAW: [&str; 2] = ["r\"", "r#\""];
    let mut faults = Vec::new();
    for file in sources(&src()) {
        let source = fs::read_to_string(&file).unwrap();
        let long = source
            .lines()
            .enumerate()
            .filter(|(_, line)| line.chars().count() > 100);
        for (index, line) in long {
            let is_address = line
                .split_whitespace()
                .any(|word| word.chars().count() >= 50);
            let is_shown = line.trim_start().starts_with('✗');
            if !is_address && !is_shown && !RAW.iter().any(|raw| line.contains(raw)) {
                faults.push(format!("{}:{}", file.display(), index + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A binding has a line of its own, and a condition is an `if`.
#[test]
fn bindings_have_their_lines_and_conditions_their_ifs() {
    let pair = Regex::new(r"^\s*let \((?:mut )?\w+(?:, (?:mut )?\w+)+\) = \(").unwrap();
    let mut faults = Vec::new();
    for file in sources(&src()) {
        let source = fs::read_to_string(&file).unwrap();
        let mut before = "";
        for (index, line) in source.lines().enumerate() {
            let is_match = before.contains("match ") && before.ends_with('{');
            let on_bool = ["true => ", "false => "]
                .iter()
                .any(|arm| line.trim_start().starts_with(arm));
            if (pair.is_match(line) && !line.ends_with(")();")) || (is_match && on_bool) {
                faults.push(format!("{}:{}: {line}", file.display(), index + 1));
            }
            before = line;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Type names that unrelated types share, and why.
const SHARED_NAMES: &[(&str, &str)] = &[];

/// `grep 'struct Name'` finds one answer.
#[test]
fn type_names_are_unique() {
    let declares = |line: &str| {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| word.starts_with("pub"));
        let kind = words.next()?;
        let name = words.next()?;
        let name: String = name
            .chars()
            .take_while(|it| it.is_alphanumeric() || *it == '_')
            .collect();
        ["struct", "enum", "trait", "union"]
            .contains(&kind)
            .then_some(name)
    };
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in sources(&src()) {
        let source = fs::read_to_string(&file).unwrap();
        for (number, line) in code(&source) {
            if let Some(name) = declares(line) {
                let place = format!("{}:{number}", file.display());
                places.entry(name).or_default().push(place);
            }
        }
    }
    assert!(places.len() > 500, "only {} types were found", places.len());
    let shared: Vec<String> = places
        .iter()
        .filter(|(name, places)| {
            places.len() > 1 && SHARED_NAMES.iter().all(|(known, _)| known != name)
        })
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect();
    assert!(shared.is_empty(), "{}", shared.join("\n"));
    for (name, _) in SHARED_NAMES {
        let count = places.get(*name).map_or(0, Vec::len);
        assert!(count > 1, "{name} is listed, and {count} types have it");
    }
}

/// Words that our texts don't use, because a native speaker wouldn't.
const ODD: [&str; 9] = [
    " stands",
    "in vain",
    " take away",
    " takes away",
    " is told",
    " are told",
    " comes to ",
    " came to ",
    " what it came",
];

/// Help texts, messages and documentation are in plain English.
#[test]
fn texts_are_plain() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts: Vec<(PathBuf, usize, String)> = Vec::new();
    let documentation = ["docs", "docs/ci", "docs/guides", "docs/reference"];
    let others = [".", "fixtures/help", "pipeline", "schemas", "fuzz"];
    for folder in documentation.into_iter().chain(others) {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let file = entry.unwrap().path();
            let is_text = file.extension().is_some_and(|it| it == "md" || it == "txt");
            if is_text {
                let text = fs::read_to_string(&file).unwrap();
                let lines = text.lines().enumerate();
                texts.extend(lines.map(|(at, line)| (file.clone(), at + 1, line.to_owned())));
            }
        }
    }
    assert!(texts.len() > 2_000, "only {} lines were read", texts.len());
    for file in sources(&src()) {
        let source = fs::read_to_string(&file).unwrap();
        let messages = code(&source).filter(|(_, line)| line.contains('"'));
        texts.extend(messages.map(|(at, line)| (file.clone(), at, line.to_owned())));
    }
    let odd: Vec<String> = texts
        .iter()
        .filter(|(_, _, line)| ODD.iter().any(|word| line.contains(word)))
        .map(|(file, at, line)| format!("{}:{at}: {line}", file.display()))
        .collect();
    assert!(odd.is_empty(), "{}", odd.join("\n"));
}
