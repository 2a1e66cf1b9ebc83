//! Any text is read as a configuration and as a template: without a panic, within bounds, and to
//! what it says.

#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use taskcat::diagnostic::{Diagnostic, Severity};
use taskcat::template::Template;
use taskcat::yaml::{Dialect, Node, parse_as};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let file: Arc<Path> = Arc::from(Path::new("t"));
    for dialect in [Dialect::PyYaml, Dialect::CloudFormation] {
        let parsed = parse_as(dialect, &file, text);
        places_exist(&parsed.diagnostics, text);
        // Where the reading ended at what is too deep, a null stands in its place, one level too
        // deep.
        if let (Some(root), true) = (&parsed.root, parsed.complete) {
            json_is_read_again(root, &file);
        }
        if let Ok(expect @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) =
            serde_json::from_str(text)
        {
            assert!(parsed.complete, "JSON is read to its end");
            assert!(same(
                &parsed.root.expect("JSON has a value").to_json(),
                &expect
            ));
        }
    }
    let (template, diagnostics) = Template::parse(&file, String::new(), text);
    places_exist(&diagnostics, text);
    assert_eq!(
        template.is_none(),
        diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    );
});

/// Every diagnostic has a place in the text, or just after its end.
fn places_exist(diagnostics: &[Diagnostic], text: &str) {
    assert!(
        diagnostics.len() <= 1000,
        "{} diagnostics",
        diagnostics.len()
    );
    let lines = text.split(['\n', '\r']).count() as u32 + 1;
    for diagnostic in diagnostics {
        let at = diagnostic.location.as_ref().expect("a place").at;
        assert!(
            (1..=lines).contains(&at.line) && at.column >= 1,
            "{diagnostic}"
        );
        assert!(at.column as usize <= text.len() + 1, "{diagnostic}");
        assert!(
            diagnostic.message.len() + diagnostic.help.as_ref().map_or(0, String::len)
                < 4096 + text.len()
        );
    }
}

/// What a tree is as JSON is read to the same JSON.
fn json_is_read_again(root: &Node, file: &Arc<Path>) {
    let json = root.to_json();
    if json.is_object() || json.is_array() {
        let again = parse_as(Dialect::CloudFormation, file, &json.to_string());
        assert_eq!(
            (again.diagnostics.as_slice(), again.complete),
            (&[][..], true)
        );
        assert_eq!(again.root.map(|root| root.to_json()), Some(json));
    }
}

/// Equal but for numbers, which YAML 1.1 and JSON write and keep in different ways.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (a, b) {
        (_, Number(_)) => true,
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Object(a), Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
