//! Checks what CloudFormation refuses in a template regardless of values: quotas
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>),
//! names, and the contents of sections.
//!
//! Checks the tree after its transforms, since the quotas apply to that. Checks of `sections` are
//! repeated here, because a loop or an include may produce such errors, too. Only the size of the
//! file isn't checked here.

use super::evaluate::Evaluator;
use super::value::Failure;
use crate::diagnostic::Position;
use crate::yaml::{Node, NodeValue};

const MAX_RESOURCES: usize = 500;
const MAX_MAPPINGS: usize = 200;
const MAX_MAPPING_ATTRIBUTES: usize = 200;
const MAX_OUTPUTS: usize = 200;

/// Maximum length of a name in characters.
const MAX_NAME: usize = 255;

/// Maximum length of the template's `Description` in bytes.
const MAX_DESCRIPTION: usize = 1024;

const VERSION: &str = "2010-09-09";

const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// The section of the Serverless Application Model.
const GLOBALS: &str = "Globals";

const RESOURCE_KEYS: [&str; 10] = [
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Description",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// A key that only custom resources have
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html>).
const CUSTOM_RESOURCE_KEY: &str = "Version";

/// Returns whether a resource type is a custom resource, whose behavior is defined by the user's
/// function.
pub fn is_custom_resource(kind: &str) -> bool {
    kind.starts_with("Custom::") || kind == "AWS::CloudFormation::CustomResource"
}

/// Returns everything that is refused, in the order of the sections in CloudFormation's
/// documentation.
pub(super) fn exceeded(evaluator: &Evaluator) -> Vec<Failure> {
    let mut limits = TemplateQuotas {
        evaluator,
        failures: Vec::new(),
    };
    limits.sections();
    limits.parameters();
    limits.mappings();
    limits.resources();
    limits.outputs();
    limits.failures
}

struct TemplateQuotas<'e> {
    evaluator: &'e Evaluator<'e>,
    failures: Vec<Failure>,
}

impl TemplateQuotas<'_> {
    fn sections(&mut self) {
        let root = &self.evaluator.root;
        let is_serverless = self.evaluator.macros.is_serverless();
        let is_section =
            |name: &str| SECTIONS.contains(&name) || (is_serverless && name == GLOBALS);
        let others: Vec<&Node> = root
            .entries()
            .iter()
            .map(|(key, _)| key)
            .filter(|key| !is_section(&key.text))
            .collect();
        if let Some(first) = others.first() {
            let names = others
                .iter()
                .map(|key| &*key.text)
                .collect::<Vec<_>>()
                .join(", ");
            self.fail(
                first.at,
                format!("Invalid template property or properties [{names}]"),
            );
        }
        if let Some(version) = root
            .get("AWSTemplateFormatVersion")
            .filter(|it| !it.is_null() && *it.text != *VERSION)
        {
            let version = (version.at, &version.text);
            let message = format!(
                "Template format error: {} is not a supported value for AWSTemplateFormatVersion",
                version.1
            );
            self.fail(version.0, message);
        }
        if let Some(description) = root
            .get("Description")
            .filter(|it| it.text.len() > MAX_DESCRIPTION)
        {
            let message = format!(
                "Template format error: 'Description' length is greater than {MAX_DESCRIPTION}."
            );
            self.fail(description.at, message);
        }
        // A transform may remove them.
        if !self.evaluator.macros.are_any() {
            for (key, section) in root
                .entries()
                .iter()
                .filter(|(key, _)| &*key.text != "Metadata")
            {
                self.nulls(section, &mut vec![&key.text]);
            }
        }
    }

    /// Reports null values. In this message CloudFormation calls the properties of a resource
    /// `Type`.
    fn nulls<'n>(&mut self, node: &'n Node, path: &mut Vec<&'n str>) {
        match &node.value {
            NodeValue::Null => {
                let path = path.join("/");
                self.fail(
                    node.at,
                    format!("[/{path}] 'null' values are not allowed in templates"),
                );
            }
            NodeValue::Mapping(entries) => {
                for (key, value) in entries {
                    let is_properties =
                        path.len() == 2 && path[0] == "Resources" && &*key.text == "Properties";
                    path.push(if is_properties && !value.is_null() {
                        "Type"
                    } else {
                        &key.text
                    });
                    self.nulls(value, path);
                    path.pop();
                }
            }
            NodeValue::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    let index = index.to_string();
                    let mut path: Vec<&str> =
                        path.iter().copied().chain([index.as_str()]).collect();
                    self.nulls(item, &mut path);
                }
            }
            _ => {}
        }
    }

    fn parameters(&mut self) {
        for (key, _) in self.evaluator.section("Parameters") {
            if !is_alphanumeric(&key.text) {
                let message = format!(
                    "Template format error: Parameter name {} is non alphanumeric.",
                    key.text
                );
                self.fail(key.at, message);
            }
            self.length("Parameter", key);
        }
    }

    fn mappings(&mut self) {
        let mappings = self.evaluator.section("Mappings");
        self.count(mappings, MAX_MAPPINGS, |count| {
            format!(
                "Template format error: Mappings count {count} is greater than max allowed \
                {MAX_MAPPINGS}."
            )
        });
        for (name, mapping) in mappings {
            self.length("Mapping", name);
            if mapping.as_mapping().is_none() {
                self.fail(
                    mapping.at,
                    format!(
                        "Template format error: Every Mappings member {} must be a map",
                        name.text
                    ),
                );
            }
            for (key, attributes) in mapping.entries() {
                if attributes.as_mapping().is_none() {
                    let message = format!(
                        "Template format error: Every Mappings member {} must be a map",
                        key.text
                    );
                    self.fail(attributes.at, message);
                }
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
                if key.text.is_empty() || !key.text.chars().all(is_name) {
                    let message = format!(
                        "Template format error: Mappings element name '{}' must be non-empty and \
                         can contain only \
                         alphanumerics, '-' or '.'",
                        key.text
                    );
                    self.fail(key.at, message);
                }
                self.count(attributes.entries(), MAX_MAPPING_ATTRIBUTES, |count| {
                    format!(
                        "Template format error: Mapping attributes count {count} is greater than \
                         max allowed \
                         {MAX_MAPPING_ATTRIBUTES}."
                    )
                });
                for (name, value) in attributes.entries() {
                    self.attribute(name);
                    if value.as_mapping().is_some() {
                        let message = "Template format error: Every Mappings attribute must be a \
                            String or a List.";
                        self.fail(value.at, message);
                    }
                }
            }
        }
    }

    fn attribute(&mut self, name: &Node) {
        if !is_alphanumeric(&name.text) {
            let message = format!(
                "Template format error: Mappings attribute name '{}' must contain only \
                 alphanumeric characters.",
                name.text
            );
            self.fail(name.at, message);
        }
        self.length("Mapping attribute", name);
    }

    fn resources(&mut self) {
        let evaluator = self.evaluator;
        let resources = evaluator.section("Resources");
        if resources.is_empty() && !evaluator.macros.may_add_to("Resources") {
            let at = evaluator
                .root
                .get("Resources")
                .unwrap_or(&evaluator.root)
                .at;
            self.fail(
                at,
                "Template format error: At least one Resources member must be defined.",
            );
        }
        self.count(resources, MAX_RESOURCES, |count| {
            format!(
                "Template format error: Number of resources, {count}, is greater than maximum \
                 allowed, {MAX_RESOURCES}"
            )
        });
        let mut common: Vec<&Node> = Vec::new();
        for (id, resource) in resources {
            self.resource(id, resource);
            if evaluator
                .template
                .parameters
                .iter()
                .any(|parameter| *parameter.key == *id.text)
            {
                common.push(id);
            }
        }
        if let Some(first) = common.first() {
            let names = common
                .iter()
                .map(|id| &*id.text)
                .collect::<Vec<_>>()
                .join(", ");
            let message = format!(
                "Template error: all resources and parameters must have unique names. Common \
                 name(s):[{names}]"
            );
            self.fail(first.at, message);
        }
    }

    fn resource(&mut self, id: &Node, resource: &Node) {
        if resource.as_mapping().is_none() {
            let message = match resource.as_sequence() {
                Some(_) => format!("[/Resources/{}] resource definition is malformed", id.text),
                None => "Any Resources member must be an object.".to_owned(),
            };
            return self.fail(id.at, format!("Template format error: {message}"));
        }
        if !is_alphanumeric(&id.text) {
            self.fail(
                id.at,
                format!(
                    "Template format error: Resource name {} is non alphanumeric.",
                    id.text
                ),
            );
        }
        self.length("Resource", id);
        if resource.get("Type").is_none() {
            let message = format!(
                "Template format error: [/Resources/{}] Every Resources object must contain a Type \
                 member.",
                id.text
            );
            self.fail(id.at, message);
        }
        // The Serverless transform accepts more keys.
        if !self.evaluator.macros.is_serverless() {
            let is_custom = resource
                .get("Type")
                .is_some_and(|kind| is_custom_resource(&kind.text));
            let is_known = |key: &str| {
                RESOURCE_KEYS.contains(&key) || (is_custom && key == CUSTOM_RESOURCE_KEY)
            };
            for (key, _) in resource
                .entries()
                .iter()
                .filter(|(key, _)| !is_known(&key.text))
            {
                self.fail(
                    key.at,
                    format!("Invalid template resource property '{}'", key.text),
                );
            }
        }
        if let Some(depends_on) = resource.get("DependsOn")
            && !self.evaluator.macros.has_language_extensions()
        {
            self.depends_on(depends_on);
        }
    }

    fn depends_on(&mut self, node: &Node) {
        if node.as_mapping().is_some() {
            self.fail(
                node.at,
                "Template format error: DependsOn must be a string or list of strings.",
            );
        }
        let items = node.as_sequence().unwrap_or_default();
        if let Some(item) = items.iter().find(|item| !item.is_scalar()) {
            self.fail(
                item.at,
                "Template format error: Every DependsOn value must be a string.",
            );
        }
    }

    fn outputs(&mut self) {
        let outputs = self.evaluator.section("Outputs");
        self.count(outputs, MAX_OUTPUTS, |count| {
            format!(
                "Template format error: Outputs count {count} is greater than max allowed \
                {MAX_OUTPUTS}."
            )
        });
        for (key, _) in outputs {
            if !is_alphanumeric(&key.text) {
                let message = format!(
                    "Template format error: Outputs name '{}' is non alphanumeric.",
                    key.text
                );
                self.fail(key.at, message);
            }
            self.length("Output", key);
        }
    }

    /// Reports the first entry over the limit.
    fn count(&mut self, entries: &[(Node, Node)], max: usize, message: impl Fn(usize) -> String) {
        if let Some((key, _)) = entries.get(max) {
            self.fail(key.at, message(entries.len()));
        }
    }

    /// CloudFormation's message isn't confirmed; it follows the one for the description.
    fn length(&mut self, what: &str, name: &Node) {
        if name.text.chars().count() > MAX_NAME {
            let message = format!(
                "Template format error: {what} name '{}' length is greater than {MAX_NAME}.",
                name.text
            );
            self.fail(name.at, message);
        }
    }

    fn fail(&mut self, at: Position, message: impl Into<String>) {
        self.failures.push(self.evaluator.failure(at, message));
    }
}

fn is_alphanumeric(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::super::evaluate::tests::{said, stack};

    const RESOURCES: &str = "Resources: {Q: {Type: T}}\n";

    fn check(text: &str, expect: &[&str]) {
        assert_eq!(said(&stack(text, "us-east-1", &[])), expect, "{text}");
    }

    #[test]
    fn sections() {
        let check = |text: &str, expect: &[&str]| check(&format!("{RESOURCES}{text}"), expect);
        check(
            "AWSTemplateFormatVersion: 2010-09-09\nDescription: d\nMetadata: {a: b}\nHooks: {}\n",
            &[],
        );
        check("AWSTemplateFormatVersion: '2010-09-09'\n", &[]);
        check(
            "AWSTemplateFormatVersion: 2020-09-09\n",
            &[
                "2: Template format error: 2020-09-09 is not a supported value for \
                 AWSTemplateFormatVersion",
            ],
        );
        check(
            "Extra: 1\nMore: {}\n",
            &["2: Invalid template property or properties [Extra, More]"],
        );
        check(
            "Globals: {}\n",
            &["2: Invalid template property or properties [Globals]"],
        );
        check("Globals: {}\nTransform: AWS::Serverless-2016-10-31\n", &[]);
        check(&format!("Description: {}\n", "d".repeat(1024)), &[]);
        check(
            &format!("Description: {}\n", "d".repeat(1025)),
            &["2: Template format error: 'Description' length is greater than 1024."],
        );
    }

    #[test]
    fn nulls() {
        let check = |text: &str, expect: &[&str]| {
            let expect = expect
                .iter()
                .map(|it| format!("{it} 'null' values are not allowed in templates"));
            let expect: Vec<String> = expect.collect();
            let found = said(&stack(text, "us-east-1", &[]));
            let found: Vec<&String> = found.iter().filter(|it| it.contains("null")).collect();
            assert_eq!(found, expect.iter().collect::<Vec<_>>(), "{text}");
        };
        check(
            "Resources:\n  Q: {Type: T, Properties: {P: [a, ~], R: {S: ~}}, DependsOn: ~}\n  R: \
             {Type: T, Properties: ~}\n\
             Outputs: {O: {Value: ~}}\nConditions: ~\nMetadata: {a: ~}\n",
            &[
                "2: [/Resources/Q/Type/P/1]",
                "2: [/Resources/Q/Type/R/S]",
                "2: [/Resources/Q/DependsOn]",
                "3: [/Resources/R/Properties]",
                "4: [/Outputs/O/Value]",
                "5: [/Conditions]",
            ],
        );
        check(
            "Transform: AWS::Serverless-2016-10-31\nResources: {Q: {Type: T, Properties: ~}}\n",
            &[],
        );
    }

    #[test]
    fn names() {
        let long = "n".repeat(256);
        check(
            &format!(
                "Parameters:\n  my_p: {{Type: String, Default: a}}\n  {long}: {{Type: String, \
                 Default: a}}\n\
                 Mappings:\n  {long}: {{10.0.0.0/16: {{my-a: b, {long}: b}}, a-b.c: {{d: e}}}}\n\
                 Resources:\n  my-q: {{Type: T}}\n  {long}r: {{Type: T}}\n\
                 Outputs:\n  my_o: {{Value: v}}\n  {long}: {{Value: v}}\n"
            ),
            &[
                "2: Template format error: Parameter name my_p is non alphanumeric.",
                &format!(
                    "3: Template format error: Parameter name '{long}' length is greater than 255."
                ),
                &format!(
                    "5: Template format error: Mapping name '{long}' length is greater than 255."
                ),
                "5: Template format error: Mappings element name '10.0.0.0/16' must be non-empty \
                 and can contain only \
                 alphanumerics, '-' or '.'",
                "5: Template format error: Mappings attribute name 'my-a' must contain only \
                 alphanumeric characters.",
                &format!(
                    "5: Template format error: Mapping attribute name '{long}' length is greater \
                     than 255."
                ),
                "7: Template format error: Resource name my-q is non alphanumeric.",
                &format!(
                    "8: Template format error: Resource name '{long}r' length is greater than 255."
                ),
                "10: Template format error: Outputs name 'my_o' is non alphanumeric.",
                &format!(
                    "11: Template format error: Output name '{long}' length is greater than 255."
                ),
            ],
        );
        check(
            "Parameters: {A: {Type: String, Default: a}, B: {Type: String, Default: \
             a}}\nResources:\n  C: {Type: T}\n  A: {Type: T}\n  B: {Type: T}\n",
            &[
                "4: Template error: all resources and parameters must have unique names. Common \
                 name(s):[A, B]",
            ],
        );
    }

    #[test]
    fn resources() {
        check(
            "Resources: {}\n",
            &["1: Template format error: At least one Resources member must be defined."],
        );
        check(
            "Resources:\n",
            &[
                "1: [/Resources] 'null' values are not allowed in templates",
                "1: Template format error: At least one Resources member must be defined.",
            ],
        );
        check(
            "Resources: {A: {Type: T, Description: d, Invalid: a}}\n",
            &["1: Invalid template resource property 'Invalid'"],
        );
        for kind in ["Custom::Thing", "AWS::CloudFormation::CustomResource"] {
            check(
                &format!("Resources: {{A: {{Type: '{kind}', Version: '1.0'}}}}\n"),
                &[],
            );
            check(
                &format!("Resources: {{A: {{Type: '{kind}', Version: 1.0, Versions: 2}}}}\n"),
                &["1: Invalid template resource property 'Versions'"],
            );
        }
        check(
            "Resources: {A: {Type: 'AWS::CloudFormation::WaitCondition', Version: '1.0'}}\n",
            &["1: Invalid template resource property 'Version'"],
        );
        check(
            "Transform: AWS::Serverless-2016-10-31\nResources: {A: {Type: T, Connectors: {}}}\n",
            &[],
        );
        check(
            "Resources: {A: {Type: T, DependsOn: {B: c}}}\n",
            &["1: Template format error: DependsOn must be a string or list of strings."],
        );
        check(
            "Resources:\n  A: {Type: T, DependsOn: [B, !Ref B, !Ref B]}\n  B: {Type: T}\n",
            &["2: Template format error: Every DependsOn value must be a string."],
        );
        check(
            "Resources:\n  Fn::ForEach::Queues: [Name, [A, B], {'Queue${Name}': {Type: T}}]\n",
            &[
                "2: Template format error: [/Resources/Fn::ForEach::Queues] resource definition is \
                 malformed",
            ],
        );
        check(
            "Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::Queues: [Name, [A], \
             {'Queue-${Name}': {Typ: T}, 'R${Name}': a}]\n",
            &[
                "3: Template format error: Resource name Queue-A is non alphanumeric.",
                "3: Template format error: [/Resources/Queue-A] Every Resources object must \
                 contain a Type member.",
                "3: Invalid template resource property 'Typ'",
                "3: Template format error: Any Resources member must be an object.",
            ],
        );
    }

    #[test]
    fn quotas() {
        let many = |count: usize, entry: &str| -> String {
            (0..count)
                .map(|n| format!("  {}\n", entry.replace('#', &n.to_string())))
                .collect()
        };
        let resources = |count: usize| format!("Resources:\n{}", many(count, "R#: {Type: T}"));
        check(&resources(500), &[]);
        check(
            &resources(502),
            &[
                "502: Template format error: Number of resources, 502, is greater than maximum \
                 allowed, 500",
            ],
        );
        let outputs =
            |count: usize| format!("{RESOURCES}Outputs:\n{}", many(count, "O#: {Value: v}"));
        check(&outputs(200), &[]);
        check(
            &outputs(201),
            &["203: Template format error: Outputs count 201 is greater than max allowed 200."],
        );
        let mappings =
            |count: usize| format!("{RESOURCES}Mappings:\n{}", many(count, "M#: {a: {b: c}}"));
        check(&mappings(200), &[]);
        check(
            &mappings(201),
            &["203: Template format error: Mappings count 201 is greater than max allowed 200."],
        );
        let attributes = |count: usize| {
            format!(
                "{RESOURCES}Mappings: {{M: {{a: {{\n{}}}}}}}\n",
                many(count, "A#: b,")
            )
        };
        check(&attributes(200), &[]);
        check(
            &attributes(201),
            &[
                "203: Template format error: Mapping attributes count 201 is greater than max \
                 allowed 200.",
            ],
        );
        let items: String = (0..501).map(|n| format!("x{n},")).collect();
        check(
            &format!(
                "Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::L: [X, [{items}], \
                 {{'Q${{X}}': {{Type: T}}}}]\n"
            ),
            &[
                "3: Template format error: Number of resources, 501, is greater than maximum \
                 allowed, 500",
            ],
        );
    }

    /// Real templates exceed no limit, and their names are declared.
    #[test]
    #[ignore = "needs ../shared/corpus; run tests/run.sh"]
    fn the_corpus_has_no_failures() {
        let corpus = crate::template::corpus::corpus();
        let templates = crate::template::Templates::default();
        let place = super::super::evaluate::tests::place("us-east-1");
        let mut count = 0;
        for path in crate::template::corpus::templates(&corpus) {
            let file = std::sync::Arc::from(path.as_path());
            let (Some(template), _) = crate::template::sections::read(&file, String::new()) else {
                continue;
            };
            let world = crate::template::OfflineEnvironment(&templates);
            let evaluator =
                crate::template::evaluator(&template, &place, &Default::default(), &world);
            let mut said = super::exceeded(&evaluator);
            said.extend(crate::template::graph::problems(&evaluator));
            assert_eq!(said, []);
            count += 1;
        }
        assert!(count > 50, "{count}");
    }
}
