//! What rewrites a template before it is evaluated: the `Transform` section and `Fn::Transform`
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/transform-section-structure.html>).
//!
//! Macros work from the most deeply nested one outward, those of the `Transform` section last and
//! in their order. Two are done here; of what others make nothing is known, and [`Macros`] says of
//! what that holds.
//!
//! - `include`: `AWS::Include`, and calls of macros inside of the template
//! - `language`: `AWS::LanguageExtensions`: loops, and functions where the plain language takes a
//!   name
//! - `pattern`: the names that a loop makes whose items aren't known

mod include;
mod language;
mod pattern;

use std::collections::HashSet;

use self::pattern::NamePattern;
use super::evaluate::{ConditionValue, Evaluator};
use super::value::{Evaluated, Failure, Unknown};
use crate::diagnostic::Position;
use crate::yaml::{Node, NodeValue};

const INCLUDE: &str = "AWS::Include";
const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";
const SERVERLESS: &str = "AWS::Serverless-2016-10-31";
const SERVERLESS_TYPES: &str = "AWS::Serverless::";

/// Transforms of AWS's that change nothing of what is asked of a template here.
const HARMLESS: [&str; 3] = [
    "AWS::CodeDeployBlueGreen",
    "AWS::ServiceCatalog",
    "AWS::SecretsManager-",
];

/// So many patterns of names are kept apart; where there are more, any name may have been made.
const MAX_MADE: usize = 200;

/// What rewrites a template, and what isn't known because of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Macros {
    /// What the `Transform` section names.
    names: Vec<String>,
    /// Whether the Serverless transform, which the section names, has anything to rewrite.
    serverless: bool,
    /// Inside of the template, but over a whole section.
    over_sections: Vec<Unknown>,
    /// Called anywhere inside of the template.
    called: Vec<Unknown>,
    made: Vec<MadeEntries>,
}

/// Entries that a transform may have made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MadeEntries {
    section: String,
    names: NamePattern,
    unknown: Unknown,
}

impl Macros {
    pub(super) fn of(root: &Node) -> Self {
        let names: Vec<String> = top_level(root)
            .into_iter()
            .filter_map(|call| call.name)
            .map(str::to_owned)
            .collect();
        let serverless = names.iter().any(|name| name == SERVERLESS);
        // The resources of a module get its name before their own.
        let resources = root.get("Resources").map_or(&[][..], Node::entries).iter();
        let modules = resources.filter(|(_, resource)| {
            resource
                .get("Type")
                .and_then(Node::as_str)
                .is_some_and(|kind| kind.ends_with("::MODULE"))
        });
        let made = modules.map(|(id, _)| MadeEntries {
            section: "Resources".to_owned(),
            names: NamePattern::of(vec![id.text.to_string(), String::new()]),
            unknown: Unknown::launched(format!("resources of module {}", id.text)),
        });
        Self {
            names,
            serverless,
            made: made.collect(),
            ..Self::default()
        }
    }

    pub(super) fn has_language_extensions(&self) -> bool {
        self.names.iter().any(|name| name == LANGUAGE_EXTENSIONS)
    }

    /// Whether the template is one of the Serverless Application Model, which has keys and types of
    /// its own.
    pub(super) fn is_serverless(&self) -> bool {
        self.serverless
    }

    /// Leaves the Serverless transform out where it has nothing to rewrite in the expanded
    /// template, as in the stack that holds the bucket of `sam deploy --resolve-s3`: no resource of
    /// its types, no connector, no `Globals`
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/transform-aws-serverless.html>).
    fn settle_serverless(&mut self, root: &Node) {
        let is_certain =
            self.unknown().is_none() && !self.are_called() && !self.may_add_to("Resources");
        let rewrites = |resource: &Node| {
            resource.get("Connectors").is_some()
                || resource
                    .get("Type")
                    .is_some_and(|kind| kind.text.starts_with(SERVERLESS_TYPES))
        };
        let resources = root.get("Resources").map_or(&[][..], Node::entries);
        let has_work = root.get("Globals").is_some()
            || resources.iter().any(|(_, resource)| rewrites(resource));
        self.serverless &= has_work || !is_certain;
    }

    /// Why an entry of a section that isn't there may have been made all the same.
    pub(super) fn made(&self, section: &str, name: &str) -> Option<Unknown> {
        let made = self
            .made
            .iter()
            .find(|made| made.section == section && made.names.matches(name));
        made.map(|made| made.unknown.clone())
    }

    /// Whether an entry may be there after the transforms that isn't there now. Of its resources
    /// the Serverless Application Model makes roles, stages, permissions and more.
    pub(super) fn may_have(&self, section: &str, name: &str) -> bool {
        self.made(section, name).is_some() || (section == "Resources" && self.is_serverless())
    }

    /// Whether there may be entries of a section that aren't there now.
    pub(super) fn may_add_to(&self, section: &str) -> bool {
        self.made.iter().any(|made| made.section == section)
    }

    /// Whether the template names any transform.
    pub(super) fn are_any(&self) -> bool {
        !self.names.is_empty()
    }

    /// Macros that may make anything of the template: those of the account's own, and those that
    /// nobody here knows.
    pub(super) fn unknown(&self) -> Option<Unknown> {
        let unknown = self.of_aws().filter(|name| *name != SERVERLESS).map(named);
        Unknown::all(unknown.chain(self.over_sections.iter().cloned()))
    }

    /// All macros that only AWS can run, those called anywhere inside of the template among them.
    pub(super) fn only_aws_runs(&self) -> Option<Unknown> {
        Unknown::all(
            self.of_aws()
                .map(named)
                .chain(self.over_sections.iter().chain(&self.called).cloned()),
        )
    }

    /// Why a failure isn't certain: macros may change the place where it is.
    pub(super) fn doubt(&self) -> Option<Unknown> {
        Unknown::all(
            self.unknown()
                .into_iter()
                .chain(self.called.iter().cloned()),
        )
    }

    /// Whether macros are called inside of the template.
    pub(super) fn are_called(&self) -> bool {
        !self.called.is_empty()
    }

    fn of_aws(&self) -> impl Iterator<Item = &str> {
        let is_done_here = move |name: &str| {
            [INCLUDE, LANGUAGE_EXTENSIONS].contains(&name)
                || (name == SERVERLESS && !self.serverless)
                || HARMLESS.iter().any(|harmless| name.starts_with(harmless))
        };
        self.names
            .iter()
            .map(String::as_str)
            .filter(move |name| !is_done_here(name))
    }
}

/// What a template has become.
#[derive(Default)]
pub(super) struct Expanded {
    /// The tree with its loops and includes expanded; none if it has none.
    pub root: Option<Node>,
    pub macros: Macros,
    pub failures: Vec<Failure>,
}

pub(super) fn expanded(evaluator: &Evaluator) -> Expanded {
    let root = &evaluator.template.root;
    let macros = evaluator.macros.clone();
    let mut work = TransformState {
        evaluator,
        macros,
        failures: Vec::new(),
        told: HashSet::new(),
    };
    let mut tree = include::has_calls(root).then(|| include::expanded(&mut work, root));
    for call in top_level(root) {
        let before = tree.as_ref().unwrap_or(root);
        match call.name {
            Some(INCLUDE) => tree = Some(include::at_top_level(&mut work, before, &call)),
            Some(LANGUAGE_EXTENSIONS) => tree = Some(language::expanded(&mut work, before)),
            Some(_) => {}
            None => work.fail(call.at, include::MALFORMED),
        }
    }
    work.macros.settle_serverless(tree.as_ref().unwrap_or(root));
    Expanded {
        root: tree,
        macros: work.macros,
        failures: work.failures,
    }
}

/// What the transforms of a template share.
struct TransformState<'e> {
    evaluator: &'e Evaluator<'e>,
    macros: Macros,
    failures: Vec<Failure>,
    /// What has been said, and of which place: a loop in a loop comes to the same mistake again and
    /// again.
    told: HashSet<(Position, String)>,
}

impl TransformState<'_> {
    fn fail(&mut self, at: Position, message: impl Into<String>) {
        let message = message.into();
        if self.told.insert((at, message.clone())) {
            self.failures.push(self.evaluator.failure(at, message));
        }
    }

    /// What may fail, or can't be done, because of something unknown.
    fn doubt(&mut self, at: Position, unknown: &Unknown, message: impl Into<String>) {
        let message = message.into();
        if self.told.insert((at, message.clone())) {
            self.evaluator
                .undecided(unknown, self.evaluator.failure(at, message));
        }
    }

    fn made(&mut self, section: &str, names: NamePattern, unknown: Unknown) {
        let names = if self.macros.made.len() < MAX_MADE {
            names
        } else {
            NamePattern::any()
        };
        if !self
            .macros
            .made
            .iter()
            .any(|made| made.section == section && made.names == names)
        {
            self.macros.made.push(MadeEntries {
                section: section.to_owned(),
                names,
                unknown,
            });
        }
    }
}

/// A call of a macro. Without a name it is malformed.
struct MacroCall<'n> {
    name: Option<&'n str>,
    parameters: Option<&'n Node>,
    at: Position,
}

/// The macros of the `Transform` section, in their order.
fn top_level(root: &Node) -> Vec<MacroCall<'_>> {
    root.get("Transform").map(calls).unwrap_or_default()
}

/// A name, `{Name: …, Parameters: …}`, or a list of either.
fn calls(node: &Node) -> Vec<MacroCall<'_>> {
    match &node.value {
        NodeValue::Sequence(items) => items.iter().flat_map(calls).collect(),
        NodeValue::Mapping(_) => {
            let name = node.get("Name").and_then(Node::as_str);
            vec![MacroCall {
                name,
                parameters: node.get("Parameters"),
                at: node.at,
            }]
        }
        _ => vec![MacroCall {
            name: node.as_str(),
            parameters: None,
            at: node.at,
        }],
    }
}

/// `Fn::Transform` where it is left over: whatever the macro makes of it.
pub(super) fn apply(argument: &Node) -> Evaluated {
    Ok(of_calls(argument).into())
}

/// What the macros in a function's argument leave unknown of the function, wherever in the argument
/// they are called.
pub(super) fn in_argument(argument: &Node) -> Option<Unknown> {
    let items = argument
        .as_sequence()
        .unwrap_or_default()
        .iter()
        .filter_map(in_argument);
    let entries =
        argument
            .entries()
            .iter()
            .filter_map(|(key, value)| match include::is_call(key) {
                true => Some(of_calls(value)),
                false => in_argument(value),
            });
    Unknown::all(items.chain(entries))
}

/// The same in the place of a condition.
pub(super) fn condition_value(argument: &Node) -> ConditionValue {
    ConditionValue::Unknown(of_calls(argument))
}

fn of_calls(argument: &Node) -> Unknown {
    let unknowns = calls(argument)
        .into_iter()
        .filter_map(|call| call.name)
        .map(named);
    Unknown::all(unknowns).unwrap_or_else(|| Unknown::asked("a macro without a name"))
}

/// Whether a loop can make the name of a key as it is written: `QueueA` of `Queue${Name}`.
pub(super) fn can_become(key: &str, name: &str) -> bool {
    NamePattern::written(key).matches(name)
}

fn named(name: &str) -> Unknown {
    Unknown::asked(format!("macro {name}"))
}

fn text(text: &str, at: Position) -> Node {
    Node {
        value: NodeValue::String(text.into()),
        tag: None,
        text: text.into(),
        at,
    }
}

fn sequence(items: Vec<Node>, at: Position) -> Node {
    Node {
        value: NodeValue::Sequence(items),
        tag: None,
        text: "".into(),
        at,
    }
}

fn mapping(entries: Vec<(Node, Node)>, at: Position) -> Node {
    Node {
        value: NodeValue::Mapping(entries),
        tag: None,
        text: "".into(),
        at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::evaluate::tests::{parameter_values, place, template};
    use crate::template::evaluate::{Environment, NestedTemplate};
    use crate::template::value::Value as Evaluated;
    use crate::template::{EvaluatedStack, Template, evaluate};

    /// Files by their S3 location.
    pub struct IncludedFiles<'a>(pub &'a [(&'a str, &'a str)]);

    impl Environment for IncludedFiles<'_> {
        fn included(&self, location: &str) -> Result<Option<Node>, String> {
            let content = self
                .0
                .iter()
                .find(|(known, _)| *known == location)
                .map(|(_, content)| *content);
            let file = std::sync::Arc::from(std::path::Path::new("snippet.yaml"));
            Ok(content.and_then(|content| crate::yaml::parse(&file, content).root))
        }

        fn nested<'w>(&'w self, _: &'w Template, _: &str, _: &Evaluated) -> NestedTemplate<'w> {
            NestedTemplate::Unknown {
                unknown: Unknown::asked("template"),
                likely: None,
            }
        }
    }

    /// What a template becomes, as JSON, without its `Parameters`, `Mappings` and `Transform`.
    pub fn expand(text: &str, files: &[(&str, &str)]) -> String {
        let template = template(text);
        let (place, world) = (place("us-east-1"), IncludedFiles(files));
        let evaluator = Evaluator::new(&template, &place, &parameter_values(&[]), &world);
        let mut json = evaluator.root.to_json();
        if let Some(sections) = json.as_object_mut() {
            ["Parameters", "Mappings", "Transform"]
                .iter()
                .for_each(|section| drop(sections.remove(*section)));
        }
        json.to_string()
    }

    pub fn stack(text: &str, files: &[(&str, &str)]) -> EvaluatedStack {
        evaluate(
            &template(text),
            &place("us-east-1"),
            &parameter_values(&[]),
            &IncludedFiles(files),
        )
    }

    /// Failures as `line: message`, what is undecided as `line? message (why)`.
    pub fn said(text: &str, files: &[(&str, &str)]) -> Vec<String> {
        let stack = stack(text, files);
        let failures = stack
            .failures
            .iter()
            .map(|it| format!("{}: {}", it.at.at.line, it.message));
        let undecided = stack.undecided.iter().map(|it| {
            format!(
                "{}? {} ({})",
                it.failure.at.at.line, it.failure.message, it.unknown
            )
        });
        failures.chain(undecided).collect()
    }

    #[test]
    fn what_the_transform_section_names() {
        let check = |transform: &str, extensions: bool, serverless: bool, unknown: Option<&str>| {
            let macros =
                Macros::of(&template(&format!("Transform: {transform}\nResources: {{}}\n")).root);
            let found = macros.unknown().map(|unknown| unknown.to_string());
            assert_eq!(
                (
                    macros.has_language_extensions(),
                    macros.is_serverless(),
                    found.as_deref()
                ),
                (extensions, serverless, unknown),
                "{transform}"
            );
        };
        check("AWS::LanguageExtensions", true, false, None);
        check(
            "[AWS::LanguageExtensions, AWS::Serverless-2016-10-31]",
            true,
            true,
            None,
        );
        check(
            "[[AWS::LanguageExtensions, AWS::Serverless-2016-10-31]]",
            true,
            true,
            None,
        );
        check(
            "{Name: AWS::Include, Parameters: {Location: s3://b/a}}",
            false,
            false,
            None,
        );
        check(
            "[AWS::CodeDeployBlueGreen, AWS::SecretsManager-2020-07-23, AWS::ServiceCatalog]",
            false,
            false,
            None,
        );
        check("Mine", false, false, Some("macro Mine"));
        check(
            "[Mine, {Name: '123456789012::Yours'}]",
            false,
            false,
            Some("macro 123456789012::Yours, macro Mine"),
        );
        check(
            "AWS::Future-2099",
            false,
            false,
            Some("macro AWS::Future-2099"),
        );
        check("[]", false, false, None);
    }

    #[test]
    fn a_template_without_transforms_stays_as_it_is() {
        let template = template("Resources: {A: {Type: T, Properties: {P: !Ref AWS::Region}}}\n");
        let (place, world) = (place("us-east-1"), IncludedFiles(&[]));
        let evaluator = Evaluator::new(&template, &place, &parameter_values(&[]), &world);
        assert_eq!(expanded(&evaluator).root, None);
    }

    #[test]
    fn serverless_models_make_resources() {
        let text = "Transform: AWS::Serverless-2016-10-31\nResources:\n  F: {Type: \
            AWS::Serverless::Function}\nOutputs:\n  \
                    Role: {Value: !GetAtt FRole.Arn}\n  Api: {Value: !Ref ServerlessRestApi}\n  F: \
                    {Value: !Ref F}\n";
        let stack = stack(text, &[]);
        assert_eq!(said(text, &[]), [""; 0]);
        let unknown =
            |output: &str| stack.outputs[output].value().unwrap().to_json()["Unknown"].to_string();
        assert_eq!(unknown("Role"), "\"attribute Arn of FRole\"");
        assert_eq!(unknown("Api"), "\"physical ID of ServerlessRestApi\"");
        assert_eq!(unknown("F"), "\"physical ID of F\"");
        let conditions = text.replace("Type: AWS", "Condition: C, Type: AWS");
        assert_eq!(
            said(&conditions, &[]),
            ["3: Template format error: Condition C is not defined."]
        );
    }

    #[test]
    fn a_serverless_transform_without_work_changes_nothing() {
        let check = |rest: &str, expected: Option<&str>, failures: &[&str]| {
            let text = format!("Transform: AWS::Serverless-2016-10-31\n{rest}");
            let template = template(&text);
            let (place, world) = (place("us-east-1"), IncludedFiles(&[]));
            let evaluator = Evaluator::new(&template, &place, &parameter_values(&[]), &world);
            let found = evaluator
                .macros
                .only_aws_runs()
                .map(|unknown| unknown.to_string());
            assert_eq!(
                (found.as_deref(), said(&text, &[])),
                (
                    expected,
                    failures.iter().map(|it| (*it).to_owned()).collect()
                ),
                "{text}"
            );
        };
        let serverless = Some("macro AWS::Serverless-2016-10-31");
        check("Resources: {B: {Type: AWS::S3::Bucket}}\n", None, &[]);
        check(
            "Resources: {B: {Type: AWS::Serverless::Api}}\n",
            serverless,
            &[],
        );
        check(
            "Resources: {B: {Type: AWS::S3::Bucket, Connectors: {C: {Properties: {}}}}}\n",
            serverless,
            &[],
        );
        check(
            "Globals: {Function: {Timeout: 3}}\nResources: {B: {Type: AWS::S3::Bucket}}\n",
            serverless,
            &[],
        );
        let misspelt = "Invalid template resource property 'Propertys'";
        check(
            "Resources: {B: {Type: AWS::S3::Bucket, Propertys: {}}}\n",
            None,
            &[&format!("2: {misspelt}")],
        );
        check(
            "Resources: {B: {Type: AWS::S3::Bucket, Propertys: {}}, C: {Type: \
             AWS::Serverless::Api}}\n",
            serverless,
            &[],
        );
    }

    #[test]
    fn modules_have_resources_of_their_own() {
        let text = "Resources:\n  M: {Type: Org::Service::Thing::MODULE}\n  A: {Type: T, \
            DependsOn: MBucket, Properties: {P: !GetAtt MBucket.Arn, Q: !Ref M.Bucket}}\n  \
                    B: {Type: T, DependsOn: NBucket}\n";
        assert_eq!(
            said(text, &[]),
            [
                "4: Template format error: Unresolved resource dependencies [NBucket] in the \
                 Resources block of the template"
            ]
        );
    }

    #[test]
    fn a_macro_over_the_template_makes_everything_undecided() {
        let text = "Transform: Mine\nResources: {A: {Type: T, DependsOn: B}}\n";
        assert_eq!(
            said(text, &[]),
            [
                "2? Template format error: Unresolved resource dependencies [B] in the Resources \
                 block of the template \
              (macro Mine)"
            ]
        );
        assert_eq!(
            stack(text, &[]).rewritten_by.unwrap().to_string(),
            "macro Mine"
        );
    }
}
