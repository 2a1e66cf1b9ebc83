//! A file's tree to a [`Template`]: the sections that others build on, and what is wrong with their shape.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::long_form::long_form;
use super::{Parameter, Template};
use crate::diagnostic::{Diagnostic, Location, Position, Severity};
use crate::yaml::{Node, Parsed, Value};

/// CloudFormation's limit for a template in S3, in bytes
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
const MAX_BYTES: u64 = 1_048_576;

/// CloudFormation's limit for the parameters of a template, from the same page.
const MAX_PARAMETERS: usize = 200;

/// Reads a template; [`Template::children`] are left to `project`. Without a template at least one diagnostic is an
/// error, and with one none is.
pub fn read(file: &Arc<Path>, relative: String) -> (Option<Template>, Vec<Diagnostic>) {
    match file.metadata() {
        Ok(metadata) if metadata.len() > MAX_BYTES => {
            let message = format!("{} is larger than 1 MB, which CloudFormation refuses", file.display());
            (None, vec![Diagnostic::error(message)])
        }
        _ => template(crate::yaml::read(file), file, relative),
    }
}

/// The template in what was parsed.
fn template(parsed: Parsed, file: &Arc<Path>, relative: String) -> (Option<Template>, Vec<Diagnostic>) {
    let Parsed { root, diagnostics } = parsed;
    let mut sections = Sections { file, diagnostics };
    if sections.has_errors() {
        return (None, sections.diagnostics);
    }
    let Some(root) = root.map(long_form) else {
        sections.error(Position { line: 1, column: 1 }, "the template is empty".to_owned());
        return (None, sections.diagnostics);
    };
    sections.resources(&root);
    let parameters = sections.parameters(&root);
    if sections.has_errors() {
        return (None, sections.diagnostics);
    }
    let template = Template { file: file.clone(), relative, root, parameters, children: Vec::new() };
    (Some(template), sections.diagnostics)
}

struct Sections<'a> {
    file: &'a Arc<Path>,
    diagnostics: Vec<Diagnostic>,
}

impl Sections<'_> {
    fn resources(&mut self, root: &Node) {
        if root.as_mapping().is_none() {
            let message = format!("the template is {}, and must be a mapping", root.kind_name());
            self.error(root.at, message);
            return;
        }
        match root.get("Resources") {
            None => self.error(root.at, "the template has no Resources section".to_owned()),
            Some(resources) => {
                for (id, resource) in self.entries("Resources", resources) {
                    // A loop of AWS::LanguageExtensions is a list and no resource.
                    if !id.text.starts_with("Fn::") {
                        self.resource(id, resource);
                    }
                }
            }
        }
    }

    fn resource(&mut self, id: &Node, resource: &Node) {
        let id = &id.text;
        match (resource.as_mapping(), resource.get("Type")) {
            (None, _) => {
                self.error(resource.at, format!("resource {id} is {}, and must be a mapping", resource.kind_name()));
            }
            (Some(_), None) => self.error(resource.at, format!("resource {id} has no Type")),
            (Some(_), Some(kind)) if kind.as_str().is_none() => {
                self.error(kind.at, format!("Type of resource {id} is {}, and must be text", kind.kind_name()));
            }
            (Some(_), Some(_)) => {}
        }
    }

    fn parameters(&mut self, root: &Node) -> Vec<Parameter> {
        let Some(section) = root.get("Parameters") else { return Vec::new() };
        let entries = self.entries("Parameters", section);
        if let Some((key, _)) = entries.get(MAX_PARAMETERS) {
            let message =
                format!("the template has more than {MAX_PARAMETERS} parameters, which CloudFormation refuses");
            self.error(key.at, message);
            return Vec::new();
        }
        entries.iter().filter_map(|(key, entry)| self.parameter(key, entry)).collect()
    }

    fn parameter(&mut self, key: &Node, entry: &Node) -> Option<Parameter> {
        let name = &key.text;
        if entry.as_mapping().is_none() {
            self.error(entry.at, format!("parameter {name} is {}, and must be a mapping", entry.kind_name()));
            return None;
        }
        let kind = match entry.get("Type").map(|kind| (kind, kind.as_str())) {
            Some((_, Some(kind))) => kind.to_owned(),
            Some((kind, None)) => {
                self.error(kind.at, format!("Type of parameter {name} is {}, and must be text", kind.kind_name()));
                return None;
            }
            None => {
                self.error(key.at, format!("parameter {name} has no Type"));
                return None;
            }
        };
        let default = entry.get("Default").filter(|default| !default.is_null());
        if let Some(default) = default
            && default.as_mapping().is_some()
        {
            self.error(default.at, format!("Default of parameter {name} is a mapping, and must be text"));
            return None;
        }
        let no_echo = entry.get("NoEcho").is_some_and(is_true);
        let allowed = entry.get("AllowedValues").and_then(Node::as_sequence).unwrap_or_default();
        let allowed_values = allowed.iter().filter(|it| it.is_scalar()).map(|it| it.text.to_string()).collect();
        let (key, at) = (name.to_string(), key.at);
        Some(Parameter { key, kind, default: default.cloned(), no_echo, allowed_values, at })
    }

    /// A section's entries; of duplicate keys the last, as CloudFormation takes it. An empty section is none.
    fn entries<'n>(&mut self, section: &str, node: &'n Node) -> Vec<(&'n Node, &'n Node)> {
        if node.as_mapping().is_none() && !node.is_null() {
            self.error(node.at, format!("{section} is {}, and must be a mapping", node.kind_name()));
        }
        let mut seen = HashSet::new();
        let last = node.entries().iter().rev().filter(|(key, _)| seen.insert(&key.text));
        let mut entries: Vec<_> = last.map(|(key, value)| (key, value)).collect();
        entries.reverse();
        entries
    }

    fn error(&mut self, at: Position, message: String) {
        self.diagnostics.push(Diagnostic::error(message).at(Location { file: self.file.clone(), at }));
    }

    fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// CloudFormation takes `true` and `"true"`.
fn is_true(node: &Node) -> bool {
    match &node.value {
        Value::Bool(value) => *value,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (Option<Template>, Vec<String>) {
        let file = Arc::from(Path::new("t.yaml"));
        let (template, diagnostics) = template(crate::yaml::parse(&file, text), &file, "t.yaml".to_owned());
        (template, diagnostics.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn parameters_in_order_with_what_they_declare() {
        let (template, diagnostics) = read_text(
            "Parameters:\n  Name: {Type: String, Default: web}\n  Key: {Type: 'AWS::EC2::KeyPair::KeyName'}\n  \
             Size: {Type: Number, Default: 8, AllowedValues: [8, '16']}\n  Pass: {Type: String, NoEcho: true}\n  \
             Pass2: {Type: String, NoEcho: 'TRUE', Default: ~}\n  Shown: {Type: String, NoEcho: false}\n\
             Resources: {}\n",
        );
        assert_eq!(diagnostics, [""; 0]);
        let parameters = template.unwrap().parameters;
        assert_eq!(parameters[2].allowed_values, ["8", "16"]);
        let found: Vec<_> = parameters
            .into_iter()
            .map(|p| (p.key, p.kind, p.default.map(|d| d.text.to_string()), p.no_echo, p.at.line))
            .collect();
        let entry = |key: &str, kind: &str, default: Option<&str>, no_echo, line| {
            (key.to_owned(), kind.to_owned(), default.map(str::to_owned), no_echo, line)
        };
        assert_eq!(
            found,
            [
                entry("Name", "String", Some("web"), false, 2),
                entry("Key", "AWS::EC2::KeyPair::KeyName", None, false, 3),
                entry("Size", "Number", Some("8"), false, 4),
                entry("Pass", "String", None, true, 5),
                entry("Pass2", "String", None, true, 6),
                entry("Shown", "String", None, false, 7),
            ]
        );
    }

    #[test]
    fn all_that_is_wrong_is_said_with_its_place() {
        let check = |text: &str, expect: &[&str]| {
            let (template, diagnostics) = read_text(text);
            assert_eq!(
                (template.is_some(), diagnostics.as_slice()),
                (false, &expect.iter().map(|s| s.to_string()).collect::<Vec<_>>()[..]),
                "{text}"
            );
        };
        check("", &["t.yaml:1:1: the template is empty"]);
        check("# nothing\n", &["t.yaml:1:1: the template is empty"]);
        check("[a]", &["t.yaml:1:1: the template is a list, and must be a mapping"]);
        check("a: b", &["t.yaml:1:1: the template has no Resources section"]);
        check("Resources: [a]", &["t.yaml:1:12: Resources is a list, and must be a mapping"]);
        check("Parameters: 1\nResources: {}", &["t.yaml:1:13: Parameters is a whole number, and must be a mapping"]);
        check(
            "Parameters:\n  A: x\n  B: {}\n  C: {Type: 1}\n  D: {Type: String, Default: {a: b}}\n\
             Resources:\n  R: 1\n  S: {}\n  T: {Type: [x]}\n",
            &[
                "t.yaml:7:6: resource R is a whole number, and must be a mapping",
                "t.yaml:8:6: resource S has no Type",
                "t.yaml:9:13: Type of resource T is a list, and must be text",
                "t.yaml:2:6: parameter A is text, and must be a mapping",
                "t.yaml:3:3: parameter B has no Type",
                "t.yaml:4:13: Type of parameter C is a whole number, and must be text",
                "t.yaml:5:30: Default of parameter D is a mapping, and must be text",
            ],
        );
    }

    #[test]
    fn the_number_of_parameters_is_limited() {
        let check = |count: usize, expect: &[&str]| {
            let parameters: String = (0..count).map(|n| format!("  P{n}: {{Type: String}}\n")).collect();
            let (template, diagnostics) = read_text(&format!("Parameters:\n{parameters}Resources: {{}}\n"));
            assert_eq!(
                (template.is_some(), diagnostics),
                (expect.is_empty(), expect.iter().map(ToString::to_string).collect())
            );
        };
        check(200, &[]);
        check(201, &["t.yaml:202:3: the template has more than 200 parameters, which CloudFormation refuses"]);
    }

    #[test]
    fn a_syntax_error_is_the_readers() {
        let (template, diagnostics) = read_text("Resources:\n  A: [\n");
        assert!(template.is_none());
        assert!(diagnostics[0].starts_with("t.yaml:"), "{diagnostics:?}");
    }

    #[test]
    fn loops_are_no_resources() {
        let text = "Resources:\n  Fn::ForEach::Topics: [Name, [a, b], {'Topic${Name}': {Type: 'AWS::SNS::Topic'}}]\n";
        let (template, diagnostics) = read_text(text);
        assert_eq!((template.is_some(), diagnostics.len()), (true, 0));
    }

    #[test]
    fn too_large_a_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let file: Arc<Path> = Arc::from(directory.path().join("t.yaml"));
        std::fs::write(&file, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        let (template, diagnostics) = read(&file, "t.yaml".to_owned());
        assert!(template.is_none());
        let message = format!("{} is larger than 1 MB, which CloudFormation refuses", file.display());
        assert_eq!(diagnostics, [Diagnostic::error(message)]);
    }
}
