//! Runs the tables of `fixtures/functions`, whose README describes their format.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::template::evaluate;
use crate::template::evaluate::tests::{parameter_values, place};
use crate::template::evaluate::{EvaluatedStack, OfflineEnvironment};
use crate::template::expression::Function;
use crate::template::long_form::long_form;
use crate::template::{Templates, sections};
use crate::yaml::{self, Node, NodeValue, Parsed};

/// The resource that contains the expression of a case.
const CARRIER: &str = "CaseUnderTest";

/// Tables that aren't fully implemented.
const PENDING: [&str; 0] = [];

/// Returns the table of a function.
fn table_of(function: &str) -> String {
    let name = function.strip_prefix("Fn::").unwrap_or(function);
    match name {
        "And" | "Condition" | "Equals" | "If" | "Not" | "Or" => "conditions".to_owned(),
        "Contains" | "EachMemberEquals" | "EachMemberIn" | "RefAll" | "ValueOf" | "ValueOfAll" => {
            "rules".to_owned()
        }
        "GetAZs" => "get_azs".to_owned(),
        _ => {
            let words = name.char_indices().map(|(index, c)| match c {
                c if c.is_ascii_uppercase() && index > 0 => format!("_{}", c.to_ascii_lowercase()),
                c => c.to_ascii_lowercase().to_string(),
            });
            words.collect()
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/functions")
}

#[test]
fn every_function_has_cases() {
    for function in Function::ALL.iter().map(|function| function.key()) {
        let path = folder().join(table_of(function)).with_extension("yaml");
        assert!(path.is_file(), "{function} has no table {}", path.display());
        let table = CaseTable::read(&path);
        let used = table
            .sections
            .iter()
            .chain(&table.cases)
            .any(|node| uses(node, function));
        assert!(used, "no case of {} uses {function}", path.display());
    }
}

fn uses(node: &Node, function: &str) -> bool {
    let is_it =
        |key: &Node| &*key.text == function || key.text.starts_with(&format!("{function}::"));
    node.entries()
        .iter()
        .any(|(key, value)| is_it(key) || uses(value, function))
        || node
            .as_sequence()
            .unwrap_or_default()
            .iter()
            .any(|item| uses(item, function))
}

#[test]
fn cases_of_the_documentation() {
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "yaml"));
    files.retain(|path| {
        !PENDING
            .iter()
            .any(|name| path.ends_with(format!("{name}.yaml")))
    });
    files.sort();
    let mut faults = Vec::new();
    for path in &files {
        let table = CaseTable::read(path);
        assert!(!table.cases.is_empty(), "{} has no cases", path.display());
        for (index, case) in table.cases.iter().enumerate() {
            if let Err(fault) = table.check(case, table.lines(index)) {
                let name = path.file_name().unwrap().to_str().unwrap();
                faults.push(format!(
                    "{name}:{}: {}\n    {fault}",
                    case.at.line,
                    text(case, "shows")
                ));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} cases fail:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

struct CaseTable {
    sections: Option<Node>,
    cases: Vec<Node>,
}

impl CaseTable {
    fn read(path: &Path) -> Self {
        let Parsed {
            root, diagnostics, ..
        } = yaml::read(path);
        assert_eq!(diagnostics, [], "{}", path.display());
        let root = long_form(root.unwrap());
        let cases = root
            .get("cases")
            .and_then(Node::as_sequence)
            .unwrap_or_default()
            .to_vec();
        Self {
            sections: root.get("template").cloned(),
            cases,
        }
    }

    /// Returns where a failure may be located: in the shared sections or in the case.
    fn lines(&self, index: usize) -> impl Fn(u32) -> bool {
        let line = |index: usize| self.cases.get(index).map_or(u32::MAX, |case| case.at.line);
        let first = line(0);
        let start = line(index);
        let end = line(index + 1);
        move |line| line < first || (start..end).contains(&line)
    }

    fn check(&self, case: &Node, is_place: impl Fn(u32) -> bool) -> Result<(), String> {
        let root = self.template(case);
        let file: Arc<Path> = Arc::from(Path::new("case.yaml"));
        let parsed = Parsed {
            root: Some(root),
            diagnostics: Vec::new(),
            complete: true,
        };
        let (template, diagnostics) = sections::template(parsed, &file, "case.yaml".to_owned());
        let Some(template) = template else {
            let said: Vec<_> = diagnostics.iter().map(|it| it.message.as_str()).collect();
            return same_failure(case, &said);
        };
        let region = if case.get("region").is_some() {
            text(case, "region")
        } else {
            "us-east-1"
        };
        let parameters = case.get("parameters").map_or(&[][..], Node::entries);
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(key, value)| (&*key.text, &*value.text))
            .collect();
        let mut place = place(region);
        if region.starts_with("us-gov-") {
            place.partition = "aws-us-gov".to_owned();
        }
        let stack = evaluate(
            &template,
            &place,
            &parameter_values(&parameters),
            &OfflineEnvironment(&Templates::default()),
        );
        if let Some(stray) = stack
            .failures
            .iter()
            .find(|failure| !is_place(failure.at.at.line))
        {
            return Err(format!(
                "stands in line {}: {}",
                stray.at.at.line, stray.message
            ));
        }
        let said: Vec<_> = stack
            .failures
            .iter()
            .map(|failure| failure.message.as_str())
            .collect();
        if case.get("fails").is_some() || !said.is_empty() {
            return same_failure(case, &said);
        }
        if let Some(expect) = case.get("undecided") {
            let undecided: Vec<_> = stack
                .undecided
                .iter()
                .map(|it| &*it.failure.message)
                .collect();
            if !undecided.contains(&&*expect.text) {
                return Err(format!(
                    "hangs on something unknown: {undecided:?}, not {:?}",
                    expect.text
                ));
            }
        }
        let found = result(&stack, case);
        let expect = case.get("gives").map(Node::to_json);
        match (&found, &expect) {
            (None, None) => Ok(()),
            (None, Some(expect)) if expect == "ok" => Ok(()),
            _ if found == expect => Ok(()),
            _ => Err(format!("gives {}, not {}", shown(&found), shown(&expect))),
        }
    }

    /// Returns the case's own template, or the table's with the expression as a property.
    fn template(&self, case: &Node) -> Node {
        if let Some(template) = case.get("template") {
            return template.clone();
        }
        let value = case
            .get("value")
            .unwrap_or_else(|| panic!("line {}: no value", case.at.line));
        let mut root = self
            .sections
            .clone()
            .unwrap_or_else(|| mapping(case, Vec::new()));
        let carrier = mapping(
            case,
            vec![
                (name(case, "Type"), name(case, "Custom::Case")),
                (
                    name(case, "Properties"),
                    mapping(case, vec![(name(case, "Value"), value.clone())]),
                ),
            ],
        );
        let NodeValue::Mapping(sections) = &mut root.value else {
            panic!("template is no mapping")
        };
        let at = sections
            .iter()
            .position(|(key, _)| &*key.text == "Resources");
        let at = at.unwrap_or_else(|| {
            sections.push((name(case, "Resources"), mapping(case, Vec::new())));
            sections.len() - 1
        });
        if let NodeValue::Mapping(resources) = &mut sections[at].1.value {
            resources.push((name(case, CARRIER), carrier));
        }
        root
    }
}

fn result(stack: &EvaluatedStack, case: &Node) -> Option<serde_json::Value> {
    if case.get("value").is_some() {
        return stack.resources[CARRIER]
            .properties()?
            .get("Value")
            .map(|value| value.to_json());
    }
    if let Some(unknown) = &stack.rewritten_by {
        return Some(serde_json::json!({"Unknown": unknown.to_string()}));
    }
    stack
        .outputs
        .get("Out")?
        .value()
        .map(|value| value.to_json())
}

/// Compares with the expected message.
fn same_failure(case: &Node, said: &[&str]) -> Result<(), String> {
    match case.get("fails") {
        Some(expect) if said == [&*expect.text] => Ok(()),
        Some(expect) => Err(format!("says  {said:?}\n    wants {:?}", &*expect.text)),
        None => Err(format!("fails: {said:?}")),
    }
}

fn shown(value: &Option<serde_json::Value>) -> String {
    value
        .as_ref()
        .map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

fn text<'n>(case: &'n Node, key: &str) -> &'n str {
    &case
        .get(key)
        .unwrap_or_else(|| panic!("line {}: no {key}", case.at.line))
        .text
}

fn name(case: &Node, text: &str) -> Node {
    Node {
        value: NodeValue::String(text.into()),
        tag: None,
        text: text.into(),
        at: case.at,
    }
}

fn mapping(case: &Node, entries: Vec<(Node, Node)>) -> Node {
    Node {
        value: NodeValue::Mapping(entries),
        tag: None,
        text: "".into(),
        at: case.at,
    }
}
