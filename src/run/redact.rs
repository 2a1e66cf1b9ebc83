//! Masks secrets in the output of AWS, hooks and programs before it is shown.

use crate::event::EventKind;
use crate::mask::Secrets;

/// Fields with names, which aren't masked: a secret that equals the name of a test must not rename
/// the test. The strings of all other fields are masked, so that fields added later can't be
/// forgotten.
const NAMES: [&str; 40] = [
    "account_id",
    "action",
    "archive",
    "at",
    "bucket",
    "cause",
    "change_set",
    "client_request_token",
    "depends_on",
    "event",
    "event_id",
    "file",
    "key",
    "lambda",
    "logical_id",
    "made_of",
    "name",
    "outcome",
    "parameters",
    "project",
    "recreation",
    "ref",
    "region",
    "replacement",
    "resource_type",
    "result",
    "rule",
    "run_id",
    "signal",
    "stack_id",
    "stack_name",
    "stage",
    "status",
    "task",
    "taskcat_version",
    "template",
    "test",
    "timestamp",
    "type",
    "why",
];

/// Returns the event with every secret masked.
pub(super) fn mask(secrets: &Secrets, kind: EventKind) -> EventKind {
    if secrets.is_empty() {
        return kind;
    }
    let Ok(mut value) = serde_json::to_value(&kind) else {
        return kind;
    };
    if !secrets.mask_fields(&mut value, &|field| !NAMES.contains(&field)) {
        return kind;
    }
    // Only texts have changed, so the value can still be deserialized.
    serde_json::from_value(value).unwrap_or_else(|_| EventKind::Warning {
        cell: None,
        message: "an event held a secret and was dropped".into(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn masked(secret: &str, event: Value) -> Value {
        let kind = serde_json::from_value(event).unwrap();
        serde_json::to_value(mask(&Secrets::long([secret.to_owned()]), kind)).unwrap()
    }

    #[test]
    fn texts_are_masked() {
        let check = |message: &str, expected: &str| {
            let secrets = Secrets::long([
                "hunter2".to_owned(),
                "hunter2hunter2".to_owned(),
                "abc".to_owned(),
            ]);
            let warning = |message: &str| EventKind::Warning {
                cell: None,
                message: message.to_owned(),
            };
            assert_eq!(mask(&secrets, warning(message)), warning(expected));
        };
        check(
            "Parameter Password with value hunter2 is too short",
            "Parameter Password with value **** is too short",
        );
        check("hunter2hunter2", "****");
        check(
            "abc is too short to be searched for",
            "abc is too short to be searched for",
        );
        check("nothing here", "nothing here");
    }

    #[test]
    fn names_are_kept_and_all_else_is_masked() {
        let cell = json!({"test": "hush", "region": "hush"});
        let event = json!({
            "event": "failures_located", "cell": cell,
            "places": [{"message": "is hush", "file": "hush.yaml", "line": 3, "hint": "don't say \
                hush"}],
        });
        let found = masked("hush", event.clone());
        assert_eq!(found["cell"], cell);
        let place =
            json!({"message": "is ****", "file": "hush.yaml", "line": 3, "hint": "don't say ****"});
        assert_eq!(found["places"][0], place);
        let source = json!({
            "template": "hush.yaml", "parameters": {"hush": {"line": 1, "default": "a-hush"}},
            "resources": {"Net": {"line": 2, "parameters": ["hush"],
            "gives": {"A": {"value": "hush"}, "B": {"ref": "hush"}}}},
        });
        let run = json!({
            "event": "run_started", "run_id": "hush", "taskcat_version": "1", "task": "test",
            "project": "hush",
            "templates": [source], "cells": [],
        });
        let found = masked("hush", run);
        let source = &found["templates"][0];
        assert_eq!(source["parameters"]["hush"]["default"], "a-****");
        assert_eq!(source["resources"]["Net"]["parameters"], json!(["hush"]));
        assert_eq!(
            source["resources"]["Net"]["gives"],
            json!({"A": {"value": "****"}, "B": {"ref": "hush"}})
        );
        assert_eq!(found["project"], "hush");
    }
}
