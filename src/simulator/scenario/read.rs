//! Reads a scenario file, and reports all its errors with their positions.

use std::path::Path;
use std::sync::Arc;

#[cfg(test)]
use schemars::Schema;

use super::super::document::{self, Checker};
use super::super::seed::{self, LoadedObjects, Seeds};
use super::{Scenario, ScenarioFile};
use crate::diagnostic::Diagnostic;
use crate::yaml::{self, Node, Parsed};

/// Reads a file in YAML or JSON: the scenario, and the seeds in it.
///
/// # Errors
/// Returns all errors of the file.
pub(crate) fn read(path: &Path) -> Result<(Scenario, Seeds), Vec<Diagnostic>> {
    scenario(&Arc::from(path), yaml::read(path))
}

fn scenario(file: &Arc<Path>, parsed: Parsed) -> Result<(Scenario, Seeds), Vec<Diagnostic>> {
    let mut loaded = LoadedObjects::default();
    let mut read: ScenarioFile = document::read(file, "the scenario", parsed, |checker, root| {
        rules(checker, root);
        if let Some(seeds) = root.get("seeds") {
            loaded = seed::load(checker, file, seeds, "seeds.");
        }
    })?;
    let seeds = Seeds::new(std::mem::take(&mut read.seeds), loaded);
    Ok((Scenario::new(read), seeds))
}

/// Returns the JSON Schema (2020-12) of a scenario file.
#[cfg(test)]
pub(crate) fn schema() -> Schema {
    document::published::<ScenarioFile>("scenario")
}

/// Checks the keys of a rule that depend on each other.
fn rules(checker: &mut Checker, root: &Node) {
    let list = |key: &str| {
        root.get(key)
            .and_then(Node::as_sequence)
            .unwrap_or_default()
            .iter()
            .enumerate()
    };
    for (n, rule) in list("resources").filter(|(_, rule)| rule.as_mapping().is_some()) {
        let changes = ["fails", "times_out", "takes", "attributes"];
        if changes.iter().all(|key| rule.get(key).is_none()) {
            let message = format!(
                "`resources[{n}]` has no effect: expected `fails`, `times_out`, `takes` or \
                 `attributes`"
            );
            checker.error(rule.at, message, None);
        }
        if let (Some(_), Some(times_out)) = (rule.get("fails"), rule.get("times_out")) {
            checker.error(
                times_out.at,
                format!("`resources[{n}]` has both `fails` and `times_out`"),
                None,
            );
        }
        if let (Some(until), None) = (
            rule.get("until"),
            rule.get("fails").or(rule.get("times_out")),
        ) {
            checker.error(
                until.at,
                format!("`resources[{n}].until` requires `fails` or `times_out`"),
                None,
            );
        }
        for (key, needed) in [
            ("validation", "fails"),
            ("hook", "fails"),
            ("property", "validation"),
        ] {
            if let (Some(value), None) = (rule.get(key), rule.get(needed)) {
                let message = format!("`resources[{n}].{key}` requires `{needed}`");
                checker.error(value.at, message, None);
            }
        }
        if let Some(validation) = rule.get("validation") {
            let others = ["hook", "until", "takes"];
            for other in others.into_iter().filter(|other| rule.get(other).is_some()) {
                let message = format!("`resources[{n}]` has both `validation` and `{other}`");
                checker.error(validation.at, message, None);
            }
            let phase = rule.get("phase").and_then(Node::as_str);
            if phase.is_some_and(|phase| phase != "create") {
                let message = format!("`resources[{n}].validation` requires the phase `create`");
                checker.error(validation.at, message, None);
            }
        }
        if let Some(until) = rule
            .get("until")
            .filter(|until| until.as_mapping().is_some_and(<[_]>::is_empty))
        {
            let message = format!(
                "`resources[{n}].until` is empty: expected `attempts` or `bucket_is_empty`"
            );
            checker.error(until.at, message, None);
        }
    }
    for (n, rule) in list("calls") {
        let Some(fault) = rule.get("fault").and_then(Node::as_str) else {
            continue;
        };
        let takes = |key: &str| match key {
            "message" => matches!(fault, "error" | "deny"),
            "code" | "status" => fault == "error",
            "for" => matches!(fault, "delay" | "hang"),
            _ => true,
        };
        for (key, _) in rule.entries().iter().filter(|(key, _)| !takes(&key.text)) {
            checker.error(
                key.at,
                format!(
                    "`calls[{n}].{}` doesn't apply to the fault `{fault}`",
                    key.text
                ),
                None,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Scenario, Vec<String>> {
        let file: Arc<Path> = Arc::from(Path::new("s.yml"));
        let said = |all: Vec<Diagnostic>| all.iter().map(ToString::to_string).collect();
        scenario(&file, yaml::parse(&file, text))
            .map(|(scenario, _)| scenario)
            .map_err(said)
    }

    /// `UPDATE_SCHEMAS=1 cargo test --lib scenario` regenerates the file.
    #[test]
    fn the_published_schema_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/scenario.schema.json");
        let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &current).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), current);
    }

    #[test]
    fn every_error_is_reported_with_its_position() {
        let check = |text: &str, expect: &[&str]| {
            assert_eq!(read_text(text).unwrap_err(), expect, "{text}")
        };
        check(
            "- a",
            &["s.yml:1:1: the scenario is a list, but must be a mapping"],
        );
        check(
            "resource: []",
            &["s.yml:1:1: the scenario has no key `resource` (did you mean `resources`?)"],
        );
        check(
            "calls:\n- action: X\n  fault: thorttle\n- {service: s3, fault: cut, for: 1s, times: \
             0, skip: -1, regions: a}",
            &[
                "s.yml:2:3: `calls[0]` lacks `service`",
                "s.yml:3:10: `calls[0].fault` is `thorttle`, but must be one of throttle, deny, \
                 error, delay, hang, cut \
                 (did you mean `throttle`?)",
                "s.yml:4:29: `calls[1].for` doesn't apply to the fault `cut`",
                "s.yml:4:45: `calls[1].times` is 0, but must be between 1 and 4294967295",
                "s.yml:4:54: `calls[1].skip` is -1, but must be between 0 and 4294967295",
                "s.yml:4:67: `calls[1].regions` is text, but must be a list",
            ],
        );
        check(
            "resources:\n- {stack: a, until: {}}\n- {takes: 5, accounts: [123456789012], phase: \
             [create]}\n- fails: !x y",
            &[
                "s.yml:2:3: `resources[0]` has no effect: expected `fails`, `times_out`, `takes` \
                 or `attributes`",
                "s.yml:2:21: `resources[0].until` requires `fails` or `times_out`",
                "s.yml:2:21: `resources[0].until` is empty: expected `attempts` or \
                 `bucket_is_empty`",
                "s.yml:3:11: `resources[1].takes` is a whole number, but must be a duration such \
                 as 30s",
                "s.yml:3:25: `resources[1].accounts[0]` is a whole number, but must be text (write \
                 it in quotes: \"123456789012\")",
                "s.yml:3:47: `resources[1].phase` is a list, but must be one of create, update, \
                 delete, rollback",
                "s.yml:4:13: `resources[2].fails` has the unsupported tag `!x`",
            ],
        );
        check(
            "attributes: {Rand: abc}\nresources: [{fails: x, times_out: true}, {attributes: [], \
             times_out: 'true'}]",
            &[
                "s.yml:1:20: `attributes.Rand` is text, but must be a mapping",
                "s.yml:2:35: `resources[0]` has both `fails` and `times_out`",
                "s.yml:2:55: `resources[1].attributes` is a list, but must be a mapping",
                "s.yml:2:70: `resources[1].times_out` is text, but must be true or false",
            ],
        );
        check(
            "resources:\n- {validation: property, takes: 1s}\n- {fails: a, property: Tags}\n- \
             {fails: a, validation: name_conflict, phase: delete}",
            &[
                "s.yml:2:16: `resources[0].validation` requires `fails`",
                "s.yml:2:16: `resources[0]` has both `validation` and `takes`",
                "s.yml:3:24: `resources[1].property` requires `validation`",
                "s.yml:4:26: `resources[2].validation` requires the phase `create`",
            ],
        );
        check(
            "hidden: [{kind: queue, for: soon}]",
            &[
                "s.yml:1:17: `hidden[0].kind` is `queue`, but must be one of stack, bucket",
                "s.yml:1:29: `hidden[0].for` is `soon`, but must be a duration such as 30s",
            ],
        );
        assert!(read_text("calls: [").is_err());
    }

    #[test]
    fn every_key_is_read() {
        for empty in ["", "# nothing\n", "{}", "resources: []"] {
            assert_eq!(
                read_text(empty).unwrap().file,
                ScenarioFile::default(),
                "{empty}"
            );
        }
        let all = "resources:\n\
             - {stack: 'tcat-*', logical_id: Q, type: 'AWS::SQS::*', regions: [us-east-1], \
             accounts: ['1'], phase: delete,\n\
             \x20  takes: 5m, fails: no, until: {attempts: 2, bucket_is_empty: b}}\n\
             calls:\n\
             - {service: s3, action: Put*, name: b, regions: [a], accounts: ['1'], fault: error, \
             code: C, message: M,\n\
             \x20  status: 503, skip: 1, every: 2, times: 3}\n\
             - {service: ec2, fault: hang, for: 1.5s}\n\
             hidden: [{kind: stack, name: s, regions: [a], for: 10s}]\n\
             disabled_regions: [me-south-1]\n";
        // YAML 1.1 reads `no` as a boolean, and a reason is a string.
        assert_eq!(read_text(all).unwrap_err().len(), 1);
        let scenario = read_text(&all.replace("fails: no", "fails: 'no'")).unwrap();
        assert_eq!(
            (
                scenario.file.resources.len(),
                scenario.file.calls.len(),
                scenario.file.hidden.len()
            ),
            (1, 2, 1)
        );
        let json = serde_json::json!({"calls": [{"service": "s3", "fault": "cut"}]}).to_string();
        assert_eq!(read_text(&json).unwrap().file.calls.len(), 1);
    }
}
