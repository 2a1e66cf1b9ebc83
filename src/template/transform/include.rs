//! Macro calls inside of a template, and the snippets that `AWS::Include` inserts
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-include.html>).
//!
//! A macro may change all siblings of its call; an include adds to them. Inserted nodes get the
//! position of the call, since positions refer to the template's file.

use super::{INCLUDE, MacroCall, TransformState, calls, mapping, named, sequence, text};
use super::{NamePattern, is_call};
use crate::diagnostic::Position;
use crate::template::evaluate::EvaluationScope;
use crate::template::expression::Function;
use crate::template::value::{Unknown, Value};
use crate::yaml::{self, Node};

pub(super) const MALFORMED: &str = "Key Name of transform definition must be a string.";
const NO_S3_URI: &str =
    "Transform AWS::Include failed with: The location parameter is not a valid S3 uri.";

/// For content that isn't a mapping, short forms (`!Ref`), and a file that includes another.
const NO_CONTENT: &str = "Transform AWS::Include failed with: The specified S3 object's content \
    should be valid Yaml/JSON";

/// The sections whose entries are referred to by name.
const SECTIONS: [&str; 4] = ["Mappings", "Conditions", "Resources", "Outputs"];

/// Returns whether a macro is called anywhere inside.
pub(super) fn has_calls(node: &Node) -> bool {
    match &node.value {
        yaml::NodeValue::Sequence(items) => items.iter().any(has_calls),
        yaml::NodeValue::Mapping(entries) => entries
            .iter()
            .any(|(key, value)| is_call(key) || has_calls(value)),
        _ => false,
    }
}

/// Returns the template with its inner macro calls expanded.
pub(super) fn expanded(work: &mut TransformState, root: &Node) -> Node {
    let mut includes = IncludeTransform {
        work,
        unknown_mappings: Vec::new(),
    };
    let mut tree = includes.node(root, IncludePosition::Root);
    let unknown = includes.unknown_mappings;
    if let yaml::NodeValue::Mapping(sections) = &mut tree.value {
        for (_, section) in sections
            .iter_mut()
            .filter(|(name, _)| &*name.text == "Mappings")
        {
            if let yaml::NodeValue::Mapping(entries) = &mut section.value {
                entries.retain(|(name, _)| !unknown.iter().any(|unknown| **unknown == *name.text));
            }
        }
    }
    tree
}

/// Returns the template with what the `Transform` section includes.
pub(super) fn at_top_level(work: &mut TransformState, root: &Node, call: &MacroCall) -> Node {
    let mut sections = root.entries().to_vec();
    match included(work, call) {
        Ok(entries) => {
            for (name, included) in entries {
                let known = sections
                    .iter_mut()
                    .find(|(section, _)| section.text == name.text);
                match known.map(|(_, section)| section) {
                    Some(Node {
                        value: yaml::NodeValue::Mapping(known),
                        ..
                    }) => {
                        merge(known, included.entries().iter().cloned());
                    }
                    _ => merge(&mut sections, [(name, included)]),
                }
            }
        }
        Err(unknown) => {
            SECTIONS
                .iter()
                .for_each(|section| work.made(section, NamePattern::any(), unknown.clone()));
        }
    }
    mapping(sections, root.at)
}

struct IncludeTransform<'w, 'e> {
    work: &'w mut TransformState<'e>,
    /// Mappings changed by a macro.
    unknown_mappings: Vec<String>,
}

/// The position of a part of the template, as far as it matters.
#[derive(Clone, Copy)]
enum IncludePosition<'n> {
    Root,
    Section(&'n str),
    /// Inside a resource, an output or a condition.
    Entry(&'n str),
    /// Inside a mapping, at any depth.
    InMapping(&'n str),
    Inside,
}

impl<'n> IncludePosition<'n> {
    fn of(self, key: &'n str) -> Self {
        match self {
            Self::Root if SECTIONS.contains(&key) => Self::Section(key),
            Self::Section("Mappings") => Self::InMapping(key),
            Self::Section(section) => Self::Entry(section),
            Self::InMapping(name) => Self::InMapping(name),
            Self::Root | Self::Entry(_) | Self::Inside => Self::Inside,
        }
    }
}

impl IncludeTransform<'_, '_> {
    fn node(&mut self, node: &Node, place: IncludePosition) -> Node {
        match &node.value {
            yaml::NodeValue::Sequence(items) => {
                let place = place.of("");
                sequence(
                    items.iter().map(|item| self.node(item, place)).collect(),
                    node.at,
                )
            }
            yaml::NodeValue::Mapping(entries) => {
                let others = entries.iter().filter(|(key, _)| !is_call(key));
                let others =
                    others.map(|(key, value)| (key.clone(), self.node(value, place.of(&key.text))));
                let others: Vec<_> = others.collect();
                match entries.iter().find(|(key, _)| is_call(key)) {
                    Some((key, argument)) => self.called(key, argument, others, place, node.at),
                    None => mapping(others, node.at),
                }
            }
            _ => node.clone(),
        }
    }

    /// Expands a mapping that contains macro calls.
    fn called(
        &mut self,
        key: &Node,
        argument: &Node,
        mut others: Vec<(Node, Node)>,
        place: IncludePosition,
        at: Position,
    ) -> Node {
        let mut only_includes = true;
        let mut unknowns = Vec::new();
        for call in calls(argument) {
            match call.name {
                Some(INCLUDE) => match included(self.work, &call) {
                    Ok(entries) => merge(&mut others, entries),
                    Err(unknown) => unknowns.push(unknown),
                },
                Some(name) => {
                    only_includes = false;
                    self.work.macros.called.push(named(name));
                    unknowns.push(named(name));
                }
                None => {
                    self.work.fail(call.at, MALFORMED);
                    unknowns.push(Unknown::asked("a macro without a name"));
                }
            }
        }
        match Unknown::all(unknowns) {
            None => mapping(others, at),
            Some(unknown) => {
                let call = (text(Function::Transform.key(), key.at), argument.clone());
                mapping(
                    self.unknown(call, others, place, only_includes, unknown),
                    at,
                )
            }
        }
    }

    /// Returns the entries of a mapping that a macro changes in unknown ways.
    fn unknown(
        &mut self,
        call: (Node, Node),
        others: Vec<(Node, Node)>,
        place: IncludePosition,
        only_includes: bool,
        unknown: Unknown,
    ) -> Vec<(Node, Node)> {
        match place {
            IncludePosition::Root | IncludePosition::Section(_) if !only_includes => {
                self.work.macros.over_sections.push(unknown);
                others
            }
            IncludePosition::Root => {
                SECTIONS.iter().for_each(|section| {
                    self.work.made(section, NamePattern::any(), unknown.clone())
                });
                others
            }
            IncludePosition::Section(section) => {
                self.work.made(section, NamePattern::any(), unknown);
                others
            }
            IncludePosition::InMapping(name) => {
                self.work
                    .made("Mappings", NamePattern::exactly(name), unknown);
                self.unknown_mappings.push(name.to_owned());
                others
            }
            IncludePosition::Entry("Resources" | "Outputs") if only_includes => others,
            IncludePosition::Entry(section @ ("Resources" | "Outputs")) => {
                let at = call.0.at;
                let body = if section == "Resources" {
                    "Properties"
                } else {
                    "Value"
                };
                let kept = others
                    .into_iter()
                    .filter(|(key, _)| ["Type", "Condition"].contains(&&*key.text));
                kept.chain([(text(body, at), mapping(vec![call], at))])
                    .collect()
            }
            IncludePosition::Entry(_) | IncludePosition::Inside => vec![call],
        }
    }
}

/// Returns what an include inserts, at the position of its call. If it isn't known because of a
/// failure, the failure is recorded.
fn included(work: &mut TransformState, call: &MacroCall) -> Result<Vec<(Node, Node)>, Unknown> {
    let unknown = || named(INCLUDE);
    let evaluator = work.evaluator;
    let location = call
        .parameters
        .and_then(|parameters| parameters.get("Location"));
    let (location, at) =
        match location.map(|node| (evaluator.value(node, EvaluationScope::Stack), node.at)) {
            Some((Ok(Value::Unknown(why)), _)) => return Err(unknown().and(why)),
            Some((Ok(value), at)) => (value.as_text().unwrap_or_default(), at),
            None => (String::new(), call.at),
            Some((Err(failures), _)) => {
                work.failures.extend(failures);
                return Err(unknown());
            }
        };
    if location
        .strip_prefix("s3://")
        .and_then(|rest| rest.split_once('/'))
        .is_none()
    {
        work.fail(at, NO_S3_URI);
        return Err(unknown());
    }
    let content = match evaluator.environment.included(&location) {
        Ok(Some(content)) => content,
        Ok(None) => return Err(unknown()),
        Err(message) => {
            work.fail(at, message);
            return Err(unknown());
        }
    };
    if content.as_mapping().is_none() || has_tags(&content) || has_calls(&content) {
        work.fail(at, NO_CONTENT);
        return Err(unknown());
    }
    match evaluator.spend(size(&content), at) {
        Ok(()) => Ok(placed(content, call.at).entries().to_vec()),
        Err(failures) => {
            work.failures.extend(failures);
            Err(unknown())
        }
    }
}

/// Appends entries and replaces existing ones with the same key.
fn merge(entries: &mut Vec<(Node, Node)>, more: impl IntoIterator<Item = (Node, Node)>) {
    for (key, value) in more {
        match entries.iter_mut().find(|(known, _)| known.text == key.text) {
            Some((_, known)) => *known = value,
            None => entries.push((key, value)),
        }
    }
}

fn placed(node: Node, at: Position) -> Node {
    let value = match node.value {
        yaml::NodeValue::Sequence(items) => {
            yaml::NodeValue::Sequence(items.into_iter().map(|item| placed(item, at)).collect())
        }
        yaml::NodeValue::Mapping(entries) => yaml::NodeValue::Mapping(
            entries
                .into_iter()
                .map(|(key, value)| (placed(key, at), placed(value, at)))
                .collect(),
        ),
        scalar => scalar,
    };
    Node { value, at, ..node }
}

fn has_tags(node: &Node) -> bool {
    node.tag.is_some() || children(node).any(has_tags)
}

fn size(node: &Node) -> usize {
    1 + node.text.len() + children(node).map(size).sum::<usize>()
}

fn children(node: &Node) -> impl Iterator<Item = &Node> {
    let entries = node.entries().iter().flat_map(|(key, value)| [key, value]);
    node.as_sequence().unwrap_or_default().iter().chain(entries)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{expand, said, stack};
    use super::*;

    const FILES: &[(&str, &str)] = &[
        ("s3://bucket/queue.yaml", "More: {Type: AWS::SQS::Queue}\n"),
        (
            "s3://bucket/properties.json",
            "{\"QueueName\": {\"Ref\": \"Name\"}, \"Kept\": 2}",
        ),
        (
            "s3://bucket/section.yaml",
            "Mappings: {M: {a: {b: c}}}\nResources: {B: {Type: U}, A: {Type: V}}\n",
        ),
        ("s3://bucket/short.yaml", "QueueName: !Ref Name\n"),
        (
            "s3://bucket/nested.yaml",
            "Fn::Transform: {Name: AWS::Include}\n",
        ),
        ("s3://bucket/list.yaml", "- a\n"),
        ("s3://bucket/lost.yaml", "QueueName: {Ref: Nothing}\n"),
    ];

    fn include(location: &str) -> String {
        format!("{{Name: AWS::Include, Parameters: {{Location: {location}}}}}")
    }

    #[test]
    fn content_is_put_in_where_it_is_asked_for() {
        let check = |template: String, expect: &str| {
            let text = format!("Parameters: {{Name: {{Type: String, Default: n}}}}\n{template}");
            assert_eq!(expand(&text, FILES), expect, "{template}");
            assert_eq!(said(&text, FILES), [""; 0], "{template}");
        };
        let properties = include("s3://bucket/properties.json");
        check(
            format!(
                "Resources: {{A: {{Type: T}}, 'Fn::Transform': {}}}\n",
                include("s3://bucket/queue.yaml")
            ),
            r#"{"Resources":{"A":{"Type":"T"},"More":{"Type":"AWS::SQS::Queue"}}}"#,
        );
        check(
            format!(
                "Resources: {{A: {{Type: T, Properties: {{Kept: 1, Own: 3, 'Fn::Transform': \
                 {properties}}}}}}}\n"
            ),
            r#"{"Resources":{"A":{"Type":"T","Properties":{"Kept":2,"Own":3,"QueueName":{"Ref":"Name"}}}}}"#,
        );
        check(
            format!("Resources: {{A: {{Type: T, Properties: !Transform {properties}}}}}\n"),
            r#"{"Resources":{"A":{"Type":"T","Properties":{"QueueName":{"Ref":"Name"},"Kept":2}}}}"#,
        );
        check(
            format!(
                "Resources: {{A: {{Type: T, Properties: {{P: [{{'Fn::Transform': \
                 [{properties}]}}]}}}}}}\n"
            ),
            r#"{"Resources":{"A":{"Type":"T","Properties":{"P":[{"QueueName":{"Ref":"Name"},"Kept":2}]}}}}"#,
        );
        check(
            format!(
                "Transform: {}\nResources: {{A: {{Type: T}}}}\n",
                include("s3://bucket/section.yaml")
            ),
            r#"{"Resources":{"A":{"Type":"V"},"B":{"Type":"U"}}}"#,
        );
    }

    #[test]
    fn included_nodes_have_the_position_of_the_call() {
        let text = format!(
            "Resources:\n  A:\n    Type: T\n    Properties:\n      Fn::Transform:\n        {}\n",
            include("s3://bucket/lost.yaml")
        );
        assert_eq!(
            said(&text, FILES),
            [
                "6: Template format error: Unresolved resource dependencies [Nothing] in the \
                 Resources block of the template"
            ]
        );
    }

    #[test]
    fn invalid_includes_fail() {
        let check = |location: &str, expect: &[&str]| {
            let text = format!(
                "Resources:\n  A: {{Type: T, Properties: {{'Fn::Transform': {}}}}}\n",
                include(location)
            );
            assert_eq!(said(&text, FILES), expect, "{location}");
            assert_eq!(
                stack(&text, FILES).resources["A"].body["Properties"]
                    .to_json()
                    .to_string(),
                r#"{"Unknown":"macro AWS::Include"}"#
            );
        };
        check("./a.yaml", &[&format!("2: {NO_S3_URI}")]);
        check(
            "https://bucket.s3.amazonaws.com/a.yaml",
            &[&format!("2: {NO_S3_URI}")],
        );
        check("s3://bucket", &[&format!("2: {NO_S3_URI}")]);
        check("s3://bucket/short.yaml", &[&format!("2: {NO_CONTENT}")]);
        check("s3://bucket/nested.yaml", &[&format!("2: {NO_CONTENT}")]);
        check("s3://bucket/list.yaml", &[&format!("2: {NO_CONTENT}")]);
        check("s3://elsewhere/a.yaml", &[]);
        let text =
            "Resources:\n  A: {Type: T, Properties: {'Fn::Transform': {Name: !Ref AWS::Region}}}\n";
        assert_eq!(said(text, FILES), [format!("2: {MALFORMED}")]);
        let text =
            "Resources:\n  A: {Type: T, Properties: {'Fn::Transform': {Name: AWS::Include}}}\n";
        assert_eq!(said(text, FILES), [format!("2: {NO_S3_URI}")]);
    }

    #[test]
    fn the_location_may_be_a_parameter() {
        let text = "Parameters: {At: {Type: String, Default: \
            's3://bucket/queue.yaml'}}\nResources:\n  'Fn::Transform': \
                    {Name: AWS::Include, Parameters: {Location: !Ref At}}\n";
        assert_eq!(
            expand(text, FILES),
            r#"{"Resources":{"More":{"Type":"AWS::SQS::Queue"}}}"#
        );
    }

    #[test]
    fn the_result_of_macros_is_unknown() {
        let check = |resources: &str, property: &str, expect: &str| {
            let stack = stack(&format!("Resources:\n{resources}"), FILES);
            assert_eq!(stack.failures, [], "{resources}");
            assert_eq!(
                stack.resources["A"].body[property].to_json().to_string(),
                expect,
                "{resources}"
            );
        };
        check(
            "  A: {Type: T, Properties: {P: {a: b, 'Fn::Transform': {Name: M}}, Q: c}}\n",
            "Properties",
            r#"{"P":{"Unknown":"macro M"},"Q":"c"}"#,
        );
        check(
            "  A: {Type: T, Properties: {P: !Transform M}}\n",
            "Properties",
            r#"{"P":{"Unknown":"macro M"}}"#,
        );
        check(
            "  A: {Type: T, Metadata: {M: n}, 'Fn::Transform': M}\n",
            "Properties",
            r#"{"Unknown":"macro M"}"#,
        );
        check(
            "  A: {Type: T, Properties: {P: {'Fn::Transform': [{Name: M}, {Name: AWS::Include, \
             Parameters: {Location: 's3://b/c'}}]}}}\n",
            "Properties",
            r#"{"P":{"Unknown":"macro AWS::Include, macro M"}}"#,
        );
    }

    #[test]
    fn entries_that_macros_may_create_are_not_reported() {
        let check = |template: &str, expect: &[&str]| {
            assert_eq!(said(template, FILES), expect, "{template}")
        };
        let unknown = include("s3://elsewhere/a.yaml");
        // In sections.
        check(
            &format!("Resources: {{A: {{Type: T, DependsOn: B}}, 'Fn::Transform': {unknown}}}\n"),
            &[],
        );
        check(
            &format!(
                "Transform: {unknown}\nResources: {{A: {{Type: T, DependsOn: B, Condition: C}}}}\n"
            ),
            &[],
        );
        check(
            &format!(
                "Conditions: {{'Fn::Transform': {unknown}}}\nResources: {{A: {{Type: T, DependsOn: \
                 B, Condition: C}}}}\n"
            ),
            &[
                "2: Template format error: Unresolved resource dependencies [B] in the Resources \
                 block of the template",
            ],
        );
        // In a condition.
        let text = "Conditions: {C: !Transform M}\nResources: {A: {Type: T, Condition: C, \
            DependsOn: B}, B: {Type: T, Condition: C}}\n";
        check(text, &[]);
        assert_eq!(
            stack(text, FILES).resources["A"].exists,
            crate::template::ConditionValue::Unknown(named("M"))
        );
        // A whole section.
        check(
            "Resources: {A: {Type: T, DependsOn: B}, 'Fn::Transform': {Name: M}}\n",
            &[
                "1? Template format error: Unresolved resource dependencies [B] in the Resources \
                 block of the template (macro M)",
            ],
        );
    }

    #[test]
    fn mappings_in_which_macros_work_are_unknown_as_a_whole() {
        let text = "Mappings: {M: {a: {b: c}}, N: {a: {'Fn::Transform': {Name: X}}}}\nResources: \
            {A: {Type: T}}\n";
        let root = crate::template::evaluate::tests::template(text);
        let place = crate::template::evaluate::tests::place("us-east-1");
        let world = super::super::tests::IncludedFiles(FILES);
        let evaluator = crate::template::evaluator(&root, &place, &Default::default(), &world);
        assert_eq!(evaluator.section("Mappings").len(), 1);
        assert_eq!(evaluator.macros.made("Mappings", "N"), Some(named("X")));
        assert_eq!(evaluator.macros.made("Mappings", "O"), None);
    }
}
