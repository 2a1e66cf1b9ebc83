//! Pages that list what the sources have: messages, and pseudo-parameters.

use std::fs;
use std::path::Path;

use regex::Regex;

use super::markdown::{page, root};
use crate::layers::sources;

#[test]
fn quoted_messages_are_in_the_sources() {
    let continuation = Regex::new(r"\\\n\s*").unwrap();
    let texts = sources(&root().join("src"));
    let texts = texts.iter().map(|file| fs::read_to_string(file).unwrap());
    let texts: Vec<String> = texts
        .map(|text| continuation.replace_all(&text, "").into_owned())
        .collect();
    let page = page(Path::new("docs/troubleshooting.md"));
    let mut quoted = 0;
    let mut unknown = Vec::new();
    for (line, text) in page.prose() {
        let Some(message) = text.strip_prefix("| `") else {
            continue;
        };
        let message = message.split('`').next().unwrap();
        quoted += 1;
        let mut parts = message
            .split('…')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let is_known = |part: &str| texts.iter().any(|text| text.contains(part));
        if let Some(part) = parts.find(|part| !is_known(part)) {
            unknown.push(format!("line {line}: no message has `{part}`"));
        }
    }
    assert!(quoted > 20, "only {quoted} messages were found");
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn every_pseudo_parameter_is_listed() {
    let source = fs::read_to_string(root().join("src/plan/parameters/keywords.rs")).unwrap();
    let example =
        Regex::new(r#"(?m)^ *"\$\[taskcat_([a-z-]+_?(?:region|name|branch|id|prefix)?)"#).unwrap();
    let page = page(Path::new("docs/reference/parameters.md"));
    let names: Vec<&str> = example
        .captures_iter(&source)
        .map(|found| found.extract::<1>().1[0])
        .collect();
    assert!(names.len() > 25, "only {names:?} were found");
    let missing: Vec<&&str> = names
        .iter()
        .filter(|name| !page.text.contains(&format!("$[taskcat_{name}")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
