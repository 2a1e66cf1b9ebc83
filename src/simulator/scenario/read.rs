//! Reads a scenario file, and says everything that is wrong with it, each at its place.
//!
//! What keys there are and what they take is read from the schema of the types; what no schema says stands in `rules`.

use std::path::Path;
use std::sync::Arc;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value as Json;

use super::{Scenario, ScenarioFile};
use crate::diagnostic::{Diagnostic, Location, Position, Severity};
use crate::duration::HumanDuration;
use crate::yaml::{self, Node, Parsed, Value};

/// Reads a file in YAML or JSON.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(path: &Path) -> Result<Scenario, Vec<Diagnostic>> {
    scenario(&Arc::from(path), yaml::read(path))
}

fn scenario(file: &Arc<Path>, parsed: Parsed) -> Result<Scenario, Vec<Diagnostic>> {
    let mut reader = Reader { file: file.clone(), schema: schema().to_value(), diagnostics: parsed.diagnostics };
    let Some(root) = parsed.root.filter(|root| !root.is_null()) else {
        return if reader.diagnostics.is_empty() { Ok(Scenario::default()) } else { Err(reader.diagnostics) };
    };
    let rule = reader.schema.clone();
    reader.check(&root, &rule, "");
    rules(&mut reader, &root);
    reader.diagnostics.sort_by_key(|it| it.location.as_ref().map(|location| location.at));
    if reader.diagnostics.iter().any(|it| it.severity == Severity::Error) {
        return Err(reader.diagnostics);
    }
    match serde_json::from_value::<ScenarioFile>(root.to_json()) {
        Ok(read) => Ok(Scenario::new(read)),
        // The schema says the same as the types; should they ever part, the file is still refused with a reason.
        Err(error) => {
            reader.error(root.at, error.to_string(), None);
            Err(reader.diagnostics)
        }
    }
}

/// The JSON Schema (2020-12) of a scenario file.
pub fn schema() -> Schema {
    let mut settings = SchemaSettings::draft2020_12();
    // What may be left out is left out; nothing is ever `null`.
    settings.transforms.push(Box::new(RecursiveTransform(|schema: &mut Schema| {
        if let Some(Json::Array(types)) = schema.get("type")
            && let [one, Json::String(null)] = types.as_slice()
            && null == "null"
        {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
        if let Some(Json::Array(any)) = schema.get("anyOf")
            && let [Json::Object(one), null] = any.as_slice()
            && null.get("type").is_some_and(|kind| kind == "null")
        {
            let one = one.clone();
            schema.remove("anyOf");
            one.into_iter().for_each(|(key, value)| drop(schema.insert(key, value)));
        }
        for key in ["default", "format"] {
            schema.remove(key);
        }
    })));
    settings.into_generator().into_root_schema_for::<ScenarioFile>()
}

struct Reader {
    file: Arc<Path>,
    schema: Json,
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn error(&mut self, at: Position, message: String, help: Option<String>) {
        let location = Location { file: self.file.clone(), at };
        let diagnostic = Diagnostic { help, ..Diagnostic::error(message).at(location) };
        self.diagnostics.push(diagnostic);
    }

    fn check(&mut self, node: &Node, rule: &Json, path: &str) {
        let rule = self.resolved(rule);
        let what = if path.is_empty() { "the scenario".to_owned() } else { format!("`{path}`") };
        if let Some(tag) = &node.tag {
            return self.error(node.at, format!("{what} has the tag `{tag}`, which means nothing here"), None);
        }
        if let Some(allowed) = choices(&rule) {
            return self.choice(node, &allowed, &what);
        }
        match rule.get("type").and_then(Json::as_str).unwrap_or_default() {
            "object" => self.mapping(node, &rule, path, &what),
            "array" => match node.as_sequence() {
                Some(items) => {
                    let rule = rule.get("items").cloned().unwrap_or_default();
                    items.iter().enumerate().for_each(|(n, item)| self.check(item, &rule, &format!("{path}[{n}]")));
                }
                None => self.wrong_type(node, "a list", &what),
            },
            "integer" => self.integer(node, &rule, &what),
            "string" => self.text(node, &rule, &what),
            _ => {}
        }
    }

    fn resolved(&self, rule: &Json) -> Json {
        let name = rule.get("$ref").and_then(Json::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
        let found = name.and_then(|name| self.schema.get("$defs")?.get(name));
        found.unwrap_or(rule).clone()
    }

    fn mapping(&mut self, node: &Node, rule: &Json, path: &str, what: &str) {
        let Some(entries) = node.as_mapping() else { return self.wrong_type(node, "a mapping", what) };
        let properties = rule.get("properties").and_then(Json::as_object).cloned().unwrap_or_default();
        for (key, value) in entries {
            match properties.get(&*key.text) {
                Some(rule) if path.is_empty() => self.check(value, rule, &key.text),
                Some(rule) => self.check(value, rule, &format!("{path}.{}", key.text)),
                None => {
                    let known: Vec<&str> = properties.keys().map(String::as_str).collect();
                    let help = match nearest(&key.text, &known) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("it takes {}", known.join(", ")),
                    };
                    self.error(key.at, format!("{what} has no key `{}`", key.text), Some(help));
                }
            }
        }
        for required in rule.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            if node.get(required).is_none() {
                self.error(node.at, format!("{what} lacks `{required}`"), None);
            }
        }
    }

    fn choice(&mut self, node: &Node, allowed: &[String], what: &str) {
        match node.as_str() {
            Some(text) if allowed.iter().any(|choice| choice == text) => {}
            Some(text) => {
                let message = format!("{what} is `{text}`, but must be one of {}", allowed.join(", "));
                let known: Vec<&str> = allowed.iter().map(String::as_str).collect();
                let help = nearest(text, &known).map(|near| format!("did you mean `{near}`?"));
                self.error(node.at, message, help);
            }
            None => self.wrong_type(node, &format!("one of {}", allowed.join(", ")), what),
        }
    }

    fn integer(&mut self, node: &Node, rule: &Json, what: &str) {
        let Value::Int(value) = node.value else { return self.wrong_type(node, "a whole number", what) };
        let bound = |name: &str| rule.get(name).and_then(Json::as_i64);
        let (least, most) = (bound("minimum").unwrap_or(0), bound("maximum").unwrap_or(i64::from(u32::MAX)));
        if value < least || value > most {
            self.error(node.at, format!("{what} is {value}, but must be between {least} and {most}"), None);
        }
    }

    fn text(&mut self, node: &Node, rule: &Json, what: &str) {
        let Some(text) = node.as_str() else {
            let help = node.is_scalar().then(|| format!("write it in quotes: \"{}\"", node.text));
            let is_duration = rule.get("pattern").is_some();
            let kind = if is_duration { "a duration such as 30s" } else { "text" };
            let message = format!("{what} is {}, but must be {kind}", node.kind_name());
            return self.error(node.at, message, help.filter(|_| !is_duration && !node.is_null()));
        };
        if rule.get("pattern").is_some() && HumanDuration::parse(text).is_none() {
            self.error(node.at, format!("{what} is `{text}`, but must be a duration such as 30s"), None);
        }
    }

    fn wrong_type(&mut self, node: &Node, must_be: &str, what: &str) {
        self.error(node.at, format!("{what} is {}, but must be {must_be}", node.kind_name()), None);
    }
}

/// What the keys of one rule have to do with each other.
fn rules(reader: &mut Reader, root: &Node) {
    let list = |key: &str| root.get(key).and_then(Node::as_sequence).unwrap_or_default().iter().enumerate();
    for (n, rule) in list("resources").filter(|(_, rule)| rule.as_mapping().is_some()) {
        if rule.get("fails").is_none() && rule.get("takes").is_none() {
            reader.error(rule.at, format!("`resources[{n}]` changes nothing: it lacks `fails` or `takes`"), None);
        }
        if let (Some(until), None) = (rule.get("until"), rule.get("fails")) {
            reader.error(
                until.at,
                format!("`resources[{n}].until` says when to stop failing, but nothing fails"),
                None,
            );
        }
        if let Some(until) = rule.get("until").filter(|until| until.as_mapping().is_some_and(<[_]>::is_empty)) {
            let message = format!("`resources[{n}].until` says nothing: it lacks `attempts` or `bucket_is_empty`");
            reader.error(until.at, message, None);
        }
    }
    for (n, rule) in list("calls") {
        let Some(fault) = rule.get("fault").and_then(Node::as_str) else { continue };
        let takes = |key: &str| match key {
            "message" => matches!(fault, "error" | "deny"),
            "code" | "status" => fault == "error",
            "for" => matches!(fault, "delay" | "hang"),
            _ => true,
        };
        for (key, _) in rule.entries().iter().filter(|(key, _)| !takes(&key.text)) {
            reader.error(key.at, format!("`calls[{n}].{}` means nothing to the fault `{fault}`", key.text), None);
        }
    }
}

/// The values of an enum, of which `schemars` writes either form.
fn choices(rule: &Json) -> Option<Vec<String>> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    if let Some(allowed) = rule.get("enum").and_then(Json::as_array) {
        return Some(allowed.iter().filter_map(text).collect());
    }
    let one_of = rule.get("oneOf").and_then(Json::as_array)?;
    let each = |one: &Json| match (one.get("const"), choices(one)) {
        (Some(value), _) => text(value).into_iter().collect(),
        (None, more) => more.unwrap_or_default(),
    };
    Some(one_of.iter().flat_map(each).collect())
}

fn nearest<'a>(text: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = known.iter().map(|known| (strsim::damerau_levenshtein(text, known), *known));
    close.min().filter(|(distance, _)| *distance <= 2).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Scenario, Vec<String>> {
        let file: Arc<Path> = Arc::from(Path::new("s.yml"));
        let said = |all: Vec<Diagnostic>| all.iter().map(ToString::to_string).collect();
        scenario(&file, yaml::parse(&file, text)).map_err(said)
    }

    /// `UPDATE_SCHEMAS=1 cargo test --lib scenario` writes the file anew.
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
    fn everything_that_is_wrong_is_said_at_its_place() {
        let check = |text: &str, expect: &[&str]| assert_eq!(read_text(text).unwrap_err(), expect, "{text}");
        check("- a", &["s.yml:1:1: the scenario is a list, but must be a mapping"]);
        check("resource: []", &["s.yml:1:1: the scenario has no key `resource` (did you mean `resources`?)"]);
        check(
            "calls:\n- action: X\n  fault: thorttle\n- {service: s3, fault: cut, for: 1s, times: 0, skip: -1, regions: a}",
            &[
                "s.yml:2:3: `calls[0]` lacks `service`",
                "s.yml:3:10: `calls[0].fault` is `thorttle`, but must be one of throttle, deny, error, delay, hang, cut \
                 (did you mean `throttle`?)",
                "s.yml:4:29: `calls[1].for` means nothing to the fault `cut`",
                "s.yml:4:45: `calls[1].times` is 0, but must be between 1 and 4294967295",
                "s.yml:4:54: `calls[1].skip` is -1, but must be between 0 and 4294967295",
                "s.yml:4:67: `calls[1].regions` is text, but must be a list",
            ],
        );
        check(
            "resources:\n- {stack: a, until: {}}\n- {takes: 5, accounts: [123456789012], phase: [create]}\n- fails: !x y",
            &[
                "s.yml:2:3: `resources[0]` changes nothing: it lacks `fails` or `takes`",
                "s.yml:2:21: `resources[0].until` says when to stop failing, but nothing fails",
                "s.yml:2:21: `resources[0].until` says nothing: it lacks `attempts` or `bucket_is_empty`",
                "s.yml:3:11: `resources[1].takes` is a whole number, but must be a duration such as 30s",
                "s.yml:3:25: `resources[1].accounts[0]` is a whole number, but must be text (write it in quotes: \"123456789012\")",
                "s.yml:3:47: `resources[1].phase` is a list, but must be one of create, update, delete",
                "s.yml:4:13: `resources[2].fails` has the tag `!x`, which means nothing here",
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
    fn a_file_of_everything_is_read() {
        for empty in ["", "# nothing\n", "{}", "resources: []"] {
            assert_eq!(read_text(empty).unwrap().file, ScenarioFile::default(), "{empty}");
        }
        let all = "resources:\n\
             - {stack: 'tcat-*', logical_id: Q, type: 'AWS::SQS::*', regions: [us-east-1], accounts: ['1'], phase: delete,\n\
             \x20  takes: 5m, fails: no, until: {attempts: 2, bucket_is_empty: b}}\n\
             calls:\n\
             - {service: s3, action: Put*, name: b, regions: [a], accounts: ['1'], fault: error, code: C, message: M,\n\
             \x20  status: 503, skip: 1, every: 2, times: 3}\n\
             - {service: ec2, fault: hang, for: 1.5s}\n\
             hidden: [{kind: stack, name: s, regions: [a], for: 10s}]\n\
             disabled_regions: [me-south-1]\n";
        // YAML 1.1 takes `no` for a truth value, and a reason is text.
        assert_eq!(read_text(all).unwrap_err().len(), 1);
        let scenario = read_text(&all.replace("fails: no", "fails: 'no'")).unwrap();
        assert_eq!((scenario.file.resources.len(), scenario.file.calls.len(), scenario.file.hidden.len()), (1, 2, 1));
        let json = serde_json::json!({"calls": [{"service": "s3", "fault": "cut"}]}).to_string();
        assert_eq!(read_text(&json).unwrap().file.calls.len(), 1);
    }
}
