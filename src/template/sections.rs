//! Converts a file's tree to a [`Template`]: reads the sections that other modules use, and reports
//! structural errors in CloudFormation's words.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::expression::is_function_key;
use super::long_form::long_form;
use super::value::text_of;
use super::{Template, TemplateParameter};
use crate::diagnostic::{Diagnostic, Location, Position, Severity};
use crate::yaml::{self, Dialect, Node, NodeValue, Parsed};

const START: Position = Position { line: 1, column: 1 };

/// CloudFormation's size limit for a template in S3, in bytes. The quotas
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>)
/// say 1 MB; the service's message, which is used here, says the number of bytes.
const MAX_BYTES: u64 = 1_000_000;

/// CloudFormation's limit for the number of parameters, from the same page.
const MAX_PARAMETERS: usize = 200;

/// CloudFormation's error for anything but a mapping.
const UNSUPPORTED: &str = "Template format error: unsupported structure.";

/// Not confirmed; follows the message for other members.
const MUST_BE_TEXT: &str = "Every Type member must be a string.";

/// The keys of a parameter's declaration
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>).
const PARAMETER_KEYS: [&str; 11] = [
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "Default",
    "Description",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
    "Type",
];

/// Maximum number of errors in the sections of a file; like in `yaml`, more of them wouldn't help
/// the user.
const MAX_ERRORS: usize = 200;

/// Reads a template without [`Template::children`], which `project` adds. There is an error exactly
/// if there is no template.
pub(super) fn read(file: &Arc<Path>, relative: String) -> (Option<Template>, Vec<Diagnostic>) {
    match file.metadata() {
        Ok(metadata) if metadata.len() > MAX_BYTES => too_large(file),
        _ => template(yaml::read_as(Dialect::CloudFormation, file), file, relative),
    }
}

/// Parses a template's text.
pub(super) fn parse(
    file: &Arc<Path>,
    relative: String,
    text: &str,
) -> (Option<Template>, Vec<Diagnostic>) {
    if text.len() as u64 > MAX_BYTES {
        return too_large(file);
    }
    template(
        yaml::parse_as(Dialect::CloudFormation, file, text),
        file,
        relative,
    )
}

fn too_large(file: &Arc<Path>) -> (Option<Template>, Vec<Diagnostic>) {
    let start = Location {
        file: file.clone(),
        at: START,
    };
    let message = format!("Template may not exceed {MAX_BYTES} bytes in size.");
    (None, vec![Diagnostic::error(message).at(start)])
}

/// Converts a parsed file to a template.
pub(super) fn template(
    parsed: Parsed,
    file: &Arc<Path>,
    relative: String,
) -> (Option<Template>, Vec<Diagnostic>) {
    let Parsed {
        root,
        diagnostics,
        complete,
    } = parsed;
    let mut sections = Sections {
        file,
        diagnostics,
        errors: 0,
    };
    // What an incomplete template lacks can't be known.
    if !complete && sections.has_errors() {
        return (None, sections.diagnostics);
    }
    let Some(root) = root.map(long_form) else {
        sections.error(START, UNSUPPORTED.to_owned());
        return (None, sections.diagnostics);
    };
    sections.keys(&root, &mut Vec::new());
    sections.resources(&root);
    let parameters = sections.parameters(&root);
    // Not confirmed for these sections; follows the message for the others.
    for section in ["Mappings", "Conditions", "Outputs"] {
        if let Some(node) = root.get(section) {
            sections.entries(section, node);
        }
    }
    if sections.has_errors() {
        return (None, sections.diagnostics);
    }
    let template = Template {
        file: file.clone(),
        relative,
        root,
        parameters,
        children: Vec::new(),
    };
    (Some(template), sections.diagnostics)
}

struct Sections<'a> {
    file: &'a Arc<Path>,
    diagnostics: Vec<Diagnostic>,
    /// Number of errors added here.
    errors: usize,
}

impl Sections<'_> {
    /// Returns CloudFormation's errors for keys that aren't strings: numbers without quotes, and
    /// functions (<https://github.com/aws-cloudformation/cfn-lint/issues/292>).
    fn keys<'n>(&mut self, node: &'n Node, path: &mut Vec<PathStep<'n>>) {
        match &node.value {
            NodeValue::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(PathStep::Index(index));
                    self.keys(item, path);
                    path.pop();
                }
            }
            NodeValue::Mapping(entries) => {
                for (key, value) in entries {
                    self.key(key, path);
                    path.push(PathStep::Key(&key.text));
                    self.keys(value, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn key(&mut self, key: &Node, path: &[PathStep]) {
        let received = match &key.value {
            _ if key.tag.is_some() => "a map".to_owned(),
            NodeValue::Int(_) | NodeValue::Float(_) => {
                format!("numeric [{}]", yaml::shown(&key.text))
            }
            _ => return,
        };
        let path: String = path.iter().map(PathStep::to_string).collect();
        let message = format!(
            "Template format error: [{path}] map keys must be strings; received {received} instead"
        );
        self.error(key.at, message);
    }

    fn resources(&mut self, root: &Node) {
        if root.as_mapping().is_none() {
            self.error(root.at, UNSUPPORTED.to_owned());
            return;
        }
        let rewritten = is_rewritten(root);
        match root.get("Resources") {
            None if rewritten => {}
            None => {
                self.error(
                    root.at,
                    "Template format error: At least one Resources member must be defined."
                        .to_owned(),
                );
            }
            Some(resources) => {
                for (id, resource) in self.entries("Resources", resources) {
                    // A loop of AWS::LanguageExtensions is a list rather than a resource, and what
                    // a transform adds here isn't known yet.
                    if !is_function(id) {
                        self.resource(id, resource, rewritten);
                    }
                }
            }
        }
    }

    fn resource(&mut self, id: &Node, resource: &Node, rewritten: bool) {
        let id = &id.text;
        match (resource.as_mapping(), resource.get("Type")) {
            (None, _) if resource.is_null() => {
                self.error(
                    resource.at,
                    format!("[/Resources/{id}] 'null' values are not allowed in templates"),
                );
            }
            (None, _) if resource.as_sequence().is_some() => {
                let message = format!(
                    "Template format error: [/Resources/{id}] resource definition is malformed"
                );
                self.error(resource.at, message);
            }
            (None, _) => self.error(resource.at, not_an_object("Resources")),
            (Some(entries), None)
                if rewritten || entries.iter().any(|(key, _)| is_function(key)) => {}
            // The result of a macro isn't known yet.
            (Some(_), Some(kind)) if kind.entries().iter().any(|(key, _)| is_function(key)) => {}
            (Some(_), None) => {
                let message = "Every Resources object must contain a Type member.";
                self.error(
                    resource.at,
                    format!("Template format error: [/Resources/{id}] {message}"),
                );
            }
            (Some(_), Some(kind)) if kind.is_null() => {
                self.error(
                    kind.at,
                    format!("[/Resources/{id}/Type] 'null' values are not allowed in templates"),
                );
            }
            (Some(_), Some(kind)) if kind.as_str().is_none() => {
                let message =
                    format!("Template format error: [/Resources/{id}/Type] {MUST_BE_TEXT}");
                self.error(kind.at, message);
            }
            (Some(_), Some(_)) => {}
        }
    }

    fn parameters(&mut self, root: &Node) -> Vec<TemplateParameter> {
        let Some(section) = root.get("Parameters") else {
            return Vec::new();
        };
        let entries = self.entries("Parameters", section);
        if let Some((key, _)) = entries.get(MAX_PARAMETERS) {
            let message = format!(
                "Template format error: Number of parameters, {}, is greater than maximum allowed, \
                 {MAX_PARAMETERS}",
                entries.len()
            );
            self.error(key.at, message);
            return Vec::new();
        }
        let declared = entries.iter().filter(|(key, _)| !is_function(key));
        declared
            .filter_map(|(key, entry)| self.parameter(key, entry))
            .collect()
    }

    fn parameter(&mut self, key: &Node, entry: &Node) -> Option<TemplateParameter> {
        let name = &key.text;
        if entry.as_mapping().is_none() {
            self.error(entry.at, not_an_object("Parameters"));
            return None;
        }
        if let Some((property, _)) = entry
            .entries()
            .iter()
            .find(|(key, _)| !PARAMETER_KEYS.contains(&&*key.text))
        {
            self.error(
                property.at,
                format!(
                    "Invalid template parameter property '{}'",
                    yaml::shown(&property.text)
                ),
            );
        }
        let kind = match entry.get("Type").map(|kind| (kind, kind.as_str())) {
            Some((_, Some(kind))) => kind.to_owned(),
            Some((kind, None)) => {
                self.error(
                    kind.at,
                    format!("Template format error: [/Parameters/{name}/Type] {MUST_BE_TEXT}"),
                );
                return None;
            }
            None => {
                let message =
                    "Template format error: Every Parameters object must contain a Type member.";
                self.error(key.at, message.to_owned());
                return None;
            }
        };
        let default = entry.get("Default").filter(|default| !default.is_null());
        if let Some(default) = default
            && default.as_mapping().is_some()
        {
            self.error(
                default.at,
                "Template format error: Every Default member must be a string.".to_owned(),
            );
            return None;
        }
        let no_echo = entry.get("NoEcho").is_some_and(is_true);
        let allowed = entry
            .get("AllowedValues")
            .and_then(Node::as_sequence)
            .unwrap_or_default();
        let allowed_values = allowed
            .iter()
            .filter(|it| it.is_scalar())
            .map(text_of)
            .collect();
        let at = key.at;
        let key = name.to_string();
        Some(TemplateParameter {
            key,
            kind,
            default: default.cloned(),
            no_echo,
            allowed_values,
            at,
        })
    }

    /// Returns a section's entries. An empty section has none.
    fn entries<'n>(&mut self, section: &str, node: &'n Node) -> &'n [(Node, Node)] {
        if node.as_mapping().is_none() && !node.is_null() {
            self.error(node.at, not_an_object(section));
        }
        node.entries()
    }

    fn error(&mut self, at: Position, message: String) {
        if self.errors == MAX_ERRORS {
            return;
        }
        self.errors += 1;
        self.diagnostics
            .push(Diagnostic::error(message).at(Location {
                file: self.file.clone(),
                at,
            }));
    }

    fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Returns CloudFormation's error for a member or a whole section that must be a mapping.
fn not_an_object(section: &str) -> String {
    format!("Template format error: Any {section} member must be an object.")
}

/// Returns whether a key is a transform or loop whose result isn't known yet.
fn is_function(key: &Node) -> bool {
    is_function_key(&key.text)
}

/// Returns whether a macro or an included file may add to the whole template. AWS's own language
/// extensions require a complete template.
fn is_rewritten(root: &Node) -> bool {
    let named =
        root.get("Transform")
            .map_or(&[][..], |transforms| match transforms.as_sequence() {
                Some(transforms) => transforms,
                None => std::slice::from_ref(transforms),
            });
    let complete = |name: &Node| name.text.starts_with("AWS::") && &*name.text != "AWS::Include";
    root.entries().iter().any(|(key, _)| is_function(key))
        || named
            .iter()
            .any(|transform| !complete(transform.get("Name").unwrap_or(transform)))
}

/// A step from a node to its child, in CloudFormation's notation.
enum PathStep<'n> {
    Key(&'n str),
    Index(usize),
}

impl fmt::Display for PathStep<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathStep::Key(key) => write!(f, "/{}", yaml::shown(key)),
            PathStep::Index(index) => write!(f, "/{index}"),
        }
    }
}

/// Returns whether a value is true; CloudFormation accepts `true` and `"true"`.
fn is_true(node: &Node) -> bool {
    match &node.value {
        NodeValue::Bool(value) => *value,
        NodeValue::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::corpus;

    fn read_text(text: &str) -> (Option<Template>, Vec<String>) {
        let file = Arc::from(Path::new("t.yaml"));
        let (template, diagnostics) = parse(&file, "t.yaml".to_owned(), text);
        (
            template,
            diagnostics.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn parameters_in_order_with_what_they_declare() {
        let (template, diagnostics) = read_text(
            "Parameters:\n  Name: {Type: String, Default: web}\n  Key: {Type: \
             'AWS::EC2::KeyPair::KeyName'}\n  \
             Size: {Type: Number, Default: 8, AllowedValues: [8, '16']}\n  Pass: {Type: String, \
             NoEcho: true}\n  \
             Pass2: {Type: String, NoEcho: 'TRUE', Default: ~}\n  Shown: {Type: String, NoEcho: \
             false}\n\
             Resources: {}\n",
        );
        assert_eq!(diagnostics, [""; 0]);
        let parameters = template.unwrap().parameters;
        assert_eq!(parameters[2].allowed_values, ["8", "16"]);
        let found: Vec<_> = parameters
            .into_iter()
            .map(|p| {
                (
                    p.key,
                    p.kind,
                    p.default.map(|d| d.text.to_string()),
                    p.no_echo,
                    p.at.line,
                )
            })
            .collect();
        let entry = |key: &str, kind: &str, default: Option<&str>, no_echo, line| {
            (
                key.to_owned(),
                kind.to_owned(),
                default.map(str::to_owned),
                no_echo,
                line,
            )
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
    fn all_problems_are_reported_with_their_location() {
        let check = |text: &str, expect: &[&str]| {
            let (template, diagnostics) = read_text(text);
            assert_eq!(
                (template.is_some(), diagnostics.as_slice()),
                (
                    false,
                    &expect.iter().map(|s| s.to_string()).collect::<Vec<_>>()[..]
                ),
                "{text}"
            );
        };
        let error =
            |at: &str, message: &str| format!("t.yaml:{at}: Template format error: {message}");
        let unsupported = error("1:1", "unsupported structure.");
        for text in ["", "# nothing\n", "[a]", "a", "1"] {
            check(text, &[&unsupported]);
        }
        check(
            "a: b",
            &[&error(
                "1:1",
                "At least one Resources member must be defined.",
            )],
        );
        check(
            "Resources: [a]",
            &[&error("1:12", "Any Resources member must be an object.")],
        );
        check(
            "Resources: ''",
            &[&error("1:12", "Any Resources member must be an object.")],
        );
        check(
            "Parameters: 1\nResources: {}",
            &[&error("1:13", "Any Parameters member must be an object.")],
        );
        check(
            "Resources: {}\nOutputs: a",
            &[&error("2:10", "Any Outputs member must be an object.")],
        );
        check(
            "Resources: {}\nMappings: [a]",
            &[&error("2:11", "Any Mappings member must be an object.")],
        );
        check(
            "Parameters:\n  A: x\n  B: {}\n  C: {Type: 1}\n  D: {Type: String, Default: {a: b}}\n  \
             E: {Type: String, Foo: 1}\n\
             Resources:\n  R: 1\n  S: {}\n  T: {Type: [x]}\n  U: ~\n  V: {Type: ~}\n  W: [a]\n",
            &[
                &error("8:6", "Any Resources member must be an object."),
                &error(
                    "9:6",
                    "[/Resources/S] Every Resources object must contain a Type member.",
                ),
                &error(
                    "10:13",
                    "[/Resources/T/Type] Every Type member must be a string.",
                ),
                "t.yaml:11:6: [/Resources/U] 'null' values are not allowed in templates",
                "t.yaml:12:13: [/Resources/V/Type] 'null' values are not allowed in templates",
                &error("13:6", "[/Resources/W] resource definition is malformed"),
                &error("2:6", "Any Parameters member must be an object."),
                &error("3:3", "Every Parameters object must contain a Type member."),
                &error(
                    "4:13",
                    "[/Parameters/C/Type] Every Type member must be a string.",
                ),
                &error("5:30", "Every Default member must be a string."),
                "t.yaml:6:21: Invalid template parameter property 'Foo'",
            ],
        );
    }

    #[test]
    fn reading_and_sections_are_judged_together() {
        let (template, diagnostics) = read_text(
            "Resources:\n  A: {Type: T}\n  A: {}\n  B: &b 1\nOutputs: *b\nMappings:\n  M:\n    \
             123456789012: {a: b}\n",
        );
        assert!(template.is_none());
        assert_eq!(
            diagnostics,
            [
                "t.yaml:3:3: duplicate key `A`; CloudFormation takes the later one silently (the \
                 earlier one is at line 2, column 3)",
                "t.yaml:5:10: Template error: YAML aliases are not allowed in CloudFormation \
                 templates (write out the value in place of the alias)",
                "t.yaml:8:5: Template format error: [/Mappings/M] map keys must be strings; \
                 received numeric \
                 [123456789012] instead",
                "t.yaml:3:6: Template format error: [/Resources/A] Every Resources object must \
                 contain a Type member.",
                "t.yaml:4:9: Template format error: Any Resources member must be an object.",
                "t.yaml:4:9: Template format error: Any Outputs member must be an object.",
            ]
        );
    }

    #[test]
    fn keys_must_be_strings() {
        let check = |text: &str, expect: &[&str]| {
            let (template, diagnostics) =
                read_text(&format!("Resources: {{}}\nMetadata:\n  {text}\n"));
            assert_eq!(
                (template.is_some(), diagnostics.as_slice()),
                (
                    expect.is_empty(),
                    &expect.iter().map(ToString::to_string).collect::<Vec<_>>()[..]
                )
            );
        };
        check("'1': a", &[]);
        check("2012-10-17: a", &[]);
        check("on: a", &[]);
        check("0x: a", &[]);
        check(
            "1: a",
            &[
                "t.yaml:3:3: Template format error: [/Metadata] map keys must be strings; received \
                 numeric [1] instead",
            ],
        );
        check(
            "a: [b, {1.5: c}]",
            &[
                "t.yaml:3:11: Template format error: [/Metadata/a/1] map keys must be strings; \
                 received numeric [1.5] instead",
            ],
        );
        check(
            "a: !Sub [b, {1: c}]",
            &[
                "t.yaml:3:16: Template format error: [/Metadata/a/Fn::Sub/1] map keys must be \
                 strings; received numeric [1] instead",
            ],
        );
        check(
            "!Sub '${a}': b",
            &[
                "t.yaml:3:8: Template format error: [/Metadata] map keys must be strings; received \
                 a map instead",
            ],
        );
        check(
            "[a]: b",
            &["t.yaml:3:3: a key is a single value, not a list"],
        );
    }

    #[test]
    fn the_number_of_errors_is_limited() {
        let resources: String = (0..1000).map(|n| format!("  R{n}: x\n")).collect();
        let (_, diagnostics) = read_text(&format!("Resources:\n{resources}"));
        assert_eq!(diagnostics.len(), MAX_ERRORS);
    }

    #[test]
    fn json_and_yaml_are_one_language() {
        let (yaml, _) = read_text(
            "Parameters: {P: {Type: String, Default: a/b}}\nResources: {R: {Type: T, Properties: \
             {a: !Ref P}}}",
        );
        let (json, diagnostics) = read_text(
            "{\n\t\"Parameters\": {\"P\": \
             {\"Type\": \"String\", \"Default\": \"a\\/b\"}},\n\t\"Resources\": {\"R\": \
             {\"Type\": \"T\", \
             \"Properties\": {\"a\": {\"Ref\": \"P\"}}}}\n}\n",
        );
        assert_eq!(diagnostics, [""; 0]);
        assert_eq!(yaml.unwrap().root.to_json(), json.unwrap().root.to_json());
        // YAML on one line, which isn't JSON.
        let (template, diagnostics) = read_text("{Resources: {R: {Type: T,},},}");
        assert_eq!((template.is_some(), diagnostics), (true, vec![]));
    }

    #[test]
    fn the_number_of_parameters_is_limited() {
        let check = |count: usize, expect: &[&str]| {
            let parameters: String = (0..count)
                .map(|n| format!("  P{n}: {{Type: String}}\n"))
                .collect();
            let (template, diagnostics) =
                read_text(&format!("Parameters:\n{parameters}Resources: {{}}\n"));
            assert_eq!(
                (template.is_some(), diagnostics),
                (
                    expect.is_empty(),
                    expect.iter().map(ToString::to_string).collect()
                )
            );
        };
        check(200, &[]);
        check(
            201,
            &[
                "t.yaml:202:3: Template format error: Number of parameters, 201, is greater than \
                 maximum allowed, 200",
            ],
        );
    }

    #[test]
    #[ignore = "needs ../shared/corpus; run tests/run.sh"]
    fn templates_of_the_corpus_are_read_without_an_error() {
        let corpus = corpus::corpus();
        let files = corpus::templates(&corpus);
        for file in &files {
            let (template, diagnostics) = read(&Arc::from(file.as_path()), String::new());
            assert_eq!(
                (template.is_some(), diagnostics),
                (true, vec![]),
                "{}",
                file.display()
            );
        }
        assert!(files.len() > 60, "only {} templates read", files.len());
    }

    #[test]
    fn a_syntax_error_is_the_readers() {
        let (template, diagnostics) = read_text("Resources:\n  A: [\n");
        assert!(template.is_none());
        assert!(diagnostics[0].starts_with("t.yaml:"), "{diagnostics:?}");
    }

    #[test]
    fn loops_are_not_resources() {
        let text = "Resources:\n  Fn::ForEach::Topics: [Name, [a, b], {'Topic${Name}': {Type: \
            'AWS::SNS::Topic'}}]\n";
        let (template, diagnostics) = read_text(text);
        assert_eq!((template.is_some(), diagnostics.len()), (true, 0));
    }

    #[test]
    fn entries_that_a_transform_may_add_are_not_reported() {
        let check = |text: &str, expect: &[&str]| {
            let (template, diagnostics) = read_text(text);
            assert_eq!(
                (template.is_some(), diagnostics),
                (
                    expect.is_empty(),
                    expect.iter().map(ToString::to_string).collect()
                ),
                "{text}"
            );
        };
        let include = "Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://b/k}}";
        check(include, &[]);
        check("Transform: Mine", &[]);
        check(
            "Transform: [AWS::LanguageExtensions, Mine]\nResources: {R: {}}",
            &[],
        );
        check(
            "Transform: {Name: AWS::Include, Parameters: {Location: s3://b/k}}\nResources: {R: {}}",
            &[],
        );
        check(&format!("Resources:\n  {include}"), &[]);
        check(&format!("Resources:\n  R:\n    {include}"), &[]);
        check("Resources: {R: {Type: !Transform {Name: Mine}}}", &[]);
        check(
            &format!("Resources: {{}}\nParameters:\n  {include}\n  P: {{Type: String}}"),
            &[],
        );
        check(
            "Transform: AWS::Serverless-2016-10-31",
            &["t.yaml:1:1: Template format error: At least one Resources member must be defined."],
        );
        check(
            "Transform: AWS::LanguageExtensions\nResources: {R: {}}",
            &[
                "t.yaml:2:16: Template format error: [/Resources/R] Every Resources object must \
                 contain a Type member.",
            ],
        );
        check(
            "Transform: Mine\nResources: {R: 1}",
            &["t.yaml:2:16: Template format error: Any Resources member must be an object."],
        );
    }

    #[test]
    fn too_large_a_file_is_not_read() {
        let (template, diagnostics) = read_text(&"#".repeat(MAX_BYTES as usize + 1));
        assert!(template.is_none());
        assert_eq!(
            diagnostics,
            ["t.yaml:1:1: Template may not exceed 1000000 bytes in size."]
        );

        let directory = tempfile::tempdir().unwrap();
        let file: Arc<Path> = Arc::from(directory.path().join("t.yaml"));
        std::fs::write(&file, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        let (template, diagnostics) = read(&file, "t.yaml".to_owned());
        assert!(template.is_none());
        let expect = format!(
            "{}:1:1: Template may not exceed 1000000 bytes in size.",
            file.display()
        );
        assert_eq!(
            diagnostics
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            [expect]
        );
    }
}
