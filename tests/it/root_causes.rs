//! Every way to fail, live in the simulator: what each output says of the root cause is what
//! `fixtures/events/failures/expected.txt` expects.

use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::project::Project;
use crate::taskcat::Taskcat;

#[test]
fn every_shape_of_failure() {
    let project = Project::copy_of("failures");
    let run = Taskcat::bare(&project)
        .args([
            "test",
            "run",
            "--local",
            "-l",
            "--redact",
            "--scenario",
            "scenario.yml",
        ])
        .run();
    run.assert_code(1);
    let expected =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/events/failures/expected.txt");
    let expected = plain(&std::fs::read_to_string(expected).unwrap());
    let report: Value = serde_json::from_str(&project.read("taskcat_outputs/report.json")).unwrap();
    assert_eq!(plain(&told(&report)), expected);
    let (page, junit) = (
        project.read("taskcat_outputs/index.html"),
        project.read("taskcat_outputs/junit.xml"),
    );
    // What is code there stands between backticks elsewhere.
    let page = unescaped(&page)
        .replace("<code>", "`")
        .replace("</code>", "`");
    let junit = unescaped(&junit);
    for cell in report["cells"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|cell| cell["root_cause"].is_object())
    {
        let cause = &cell["root_cause"];
        let (text, reason) = (
            cause["text"].as_str().unwrap(),
            cause["reason"].as_str().unwrap(),
        );
        assert!(junit.contains(text), "not in junit.xml: {text}");
        assert!(page.contains(reason), "not in index.html: {reason}");
        assert!(
            run.stderr
                .contains(&text.split_whitespace().collect::<Vec<_>>().join(" ")),
            "not said: {text}"
        );
        if let Some(line) = cause["source"]["line"].as_u64() {
            let place = format!("{}:{line}", cause["source"]["template"].as_str().unwrap());
            assert!(
                junit.contains(&place) && page.contains(&place),
                "{place} is missing"
            );
        }
        if let Some(hint) = cause["hint"].as_str() {
            assert!(
                junit.contains(hint) && page.contains(hint),
                "{hint} is missing"
            );
        }
    }
    // A secret is in none of them, though it is what failed.
    for name in project.files("taskcat_outputs") {
        assert!(
            !project
                .read(&format!("taskcat_outputs/{name}"))
                .contains("hush-hush"),
            "{name}"
        );
    }
}

/// As `expected.txt` tells it: a cell a paragraph, what is to be known of its root cause indented.
fn told(report: &Value) -> String {
    let mut lines = Vec::new();
    for cell in report["cells"].as_array().unwrap() {
        let cause = &cell["root_cause"];
        let text = cause["text"]
            .as_str()
            .unwrap_or("no root cause")
            .replace('\n', " ");
        let part = |value: &Value| value.as_str().unwrap().to_owned();
        lines.push(format!(
            "{}/{} {}: {text}",
            part(&cell["test"]),
            part(&cell["region"]),
            part(&cell["state"])
        ));
        if cause["source"].is_object() {
            lines.push(format!(
                "    declared at {}:{}",
                part(&cause["source"]["template"]),
                cause["source"]["line"]
            ));
        }
        let parameters = cause["parameters"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let parameters: Vec<String> = parameters
            .iter()
            .map(|it| format!("{}={}", part(&it["key"]), part(&it["value"])))
            .collect();
        if !parameters.is_empty() {
            lines.push(format!("    with {}", parameters.join(", ")));
        }
        if let Some(hint) = cause["hint"].as_str() {
            lines.push(format!("    hint: {hint}"));
        }
    }
    lines.join("\n") + "\n"
}

/// Masked buckets are numbered as they come, which differs from run to run.
fn plain(text: &str) -> String {
    Regex::new(r"bucket-\d+")
        .unwrap()
        .replace_all(text, "bucket")
        .into_owned()
}

fn unescaped(text: &str) -> String {
    let entities = [
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&apos;", "'"),
        ("&#x2f;", "/"),
        ("&gt;", ">"),
        ("&lt;", "<"),
    ];
    entities
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
        .replace("&amp;", "&")
}
