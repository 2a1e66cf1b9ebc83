//! `AWS::LanguageExtensions`: `Fn::ForEach`, and functions where the basic language requires a name
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html>).
//!
//! A loop's item is inserted where CloudFormation inserts it, which is less than its documentation
//! promises: in the keys of the fragment (`${X}`, and `&{X}` for only its letters and digits), in
//! the string of `Fn::Sub` (only `${X}`) and for `Ref`. Other strings keep their braces.

use std::collections::HashSet;

use super::{LANGUAGE_EXTENSIONS, TransformState, mapping, named, sequence, text};
use super::{NamePattern, add};
use crate::diagnostic::Position;
use crate::template::evaluate::function::is_pseudo_parameter;
use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::expression::{
    Attribute, Expression, ForEach, Function, FunctionCall, GetAtt, Sub, loop_name,
};
use crate::template::substitution::{Segment, Segments};
use crate::template::value::{Unknown, Value};
use crate::yaml::{self, Node};

const NO_COLLECTION: &str = "Could not find a collection or could not be resolved for Fn::ForEach";

/// Maximum number of nested loops (<https://github.com/aws-cloudformation/cfn-language-discussion>,
/// RFC 0009).
const MAX_LOOPS: usize = 5;

/// Maximum size of the template in bytes, approximately: twice what CloudFormation accepts as the
/// result, to leave room for intermediate results.
const MAX_BYTES: usize = 2_000_000;

/// Maximum number of entries created in a section: ten times what CloudFormation accepts.
const MAX_ENTRIES: usize = 5_000;

/// Returns the template with its loops expanded and its names evaluated.
pub(super) fn expanded(work: &mut TransformState, root: &Node) -> Node {
    let mut language = LanguageExtensions {
        work,
        bytes: 0,
        is_full: false,
    };
    let section = |(key, section): &(Node, Node)| {
        let section = match &*key.text {
            name @ ("Conditions" | "Resources" | "Outputs") => {
                language.node(section, &LoopScope::default(), LoopPosition::Section(name))
            }
            _ => section.clone(),
        };
        (key.clone(), section)
    };
    mapping(root.entries().iter().map(section).collect(), root.at)
}

struct LanguageExtensions<'w, 'e> {
    work: &'w mut TransformState<'e>,
    /// Size of what was created.
    bytes: usize,
    /// Whether nothing more may be created.
    is_full: bool,
}

/// The loop variables visible in a part of the template.
#[derive(Clone, Default)]
struct LoopScope<'s> {
    /// From the outermost loop inward, each with its item; without one if the item isn't known.
    names: Vec<(&'s str, Option<&'s str>)>,
}

#[derive(Clone, Copy)]
enum LoopPosition<'n> {
    Section(&'n str),
    /// In a resource or an output.
    Entry,
    /// In a condition's expression or a part of one.
    Condition,
    Inside,
}

impl LoopPosition<'_> {
    fn below(self) -> Self {
        match self {
            Self::Section("Conditions") | Self::Condition => Self::Condition,
            Self::Section(_) => Self::Entry,
            Self::Entry | Self::Inside => Self::Inside,
        }
    }

    fn items(self) -> Self {
        if let Self::Condition = self {
            self
        } else {
            Self::Inside
        }
    }
}

impl LanguageExtensions<'_, '_> {
    fn node(&mut self, node: &Node, scope: &LoopScope, place: LoopPosition) -> Node {
        if !self.makes(2 + node.text.len(), node.at) {
            return mapping(Vec::new(), node.at);
        }
        match &node.value {
            yaml::NodeValue::Sequence(items) => sequence(
                items
                    .iter()
                    .map(|item| self.node(item, scope, place.items()))
                    .collect(),
                node.at,
            ),
            yaml::NodeValue::Mapping(entries) => match self.function(node, scope) {
                Some(made) => made,
                None => self.mapping(entries, scope, place, node.at),
            },
            _ => node.clone(),
        }
    }

    /// Expands a function that may use a loop variable or a name; returns `None` for other
    /// functions.
    fn function(&mut self, node: &Node, scope: &LoopScope) -> Option<Node> {
        match Expression::of(node) {
            Expression::Ref(argument) if argument.is_scalar() => match scope.item(&argument.text) {
                Some(item) => self
                    .makes(item.len(), argument.at)
                    .then(|| text(item, argument.at)),
                None => Some(called(Function::Ref, argument.clone())),
            },
            Expression::Ref(argument) => Some(
                self.name(argument, scope)
                    .map_or_else(|unknown| unknown, |name| called(Function::Ref, name)),
            ),
            Expression::GetAtt(GetAtt {
                attribute: Attribute::List { id, names },
                at,
            }) if !id.is_scalar() => {
                let id = match self.name(id, scope) {
                    Ok(name) => name,
                    Err(unknown) => return Some(unknown),
                };
                let names = names
                    .iter()
                    .map(|name| self.node(name, scope, LoopPosition::Inside));
                let parts = std::iter::once(id).chain(names).collect();
                Some(called(Function::GetAtt, sequence(parts, at)))
            }
            Expression::Sub(sub) => self.sub(&sub, scope),
            _ => None,
        }
    }

    /// Inserts items in `Fn::Sub`; returns only the string if no variables remain.
    fn sub(&mut self, sub: &Sub, scope: &LoopScope) -> Option<Node> {
        let argument = sub.argument;
        if let Some([template, own @ ..]) = argument.as_sequence() {
            if !template.is_scalar() {
                return None;
            }
            let template = self.filled(template, scope);
            let own = own
                .iter()
                .map(|own| self.node(own, scope, LoopPosition::Inside));
            let parts = std::iter::once(template).chain(own).collect();
            return Some(called(Function::Sub, sequence(parts, argument.at)));
        }
        if !argument.is_scalar() || scope.names.is_empty() {
            return None;
        }
        let filled = self.filled(argument, scope);
        let is_text = Segments::of(&filled.text).all(|segment| matches!(segment, Segment::Text(_)));
        Some(if is_text {
            filled
        } else {
            called(Function::Sub, filled)
        })
    }

    /// Inserts items in the string of `Fn::Sub`.
    fn filled(&mut self, template: &Node, scope: &LoopScope) -> Node {
        let filled = scope.filled(Segments::of(&template.text)).concat();
        if self.makes(2 + filled.len(), template.at) {
            text(&filled, template.at)
        } else {
            template.clone()
        }
    }

    /// Evaluates a function used as a name; returns a substitute if it isn't known.
    fn name(&mut self, node: &Node, scope: &LoopScope) -> Result<Node, Node> {
        let node = self.node(node, scope, LoopPosition::Inside);
        match self.work.evaluator.value(&node, EvaluationScope::Stack) {
            Ok(value) => match value.as_text() {
                Some(name) => Ok(text(&name, node.at)),
                None if value.unknown().is_some() => Err(called(
                    Function::Transform,
                    text(LANGUAGE_EXTENSIONS, node.at),
                )),
                None => Ok(node),
            },
            // Evaluated again later, where the failure is reported.
            Err(_) => Ok(node),
        }
    }

    fn mapping(
        &mut self,
        entries: &[(Node, Node)],
        scope: &LoopScope,
        place: LoopPosition,
        at: Position,
    ) -> Node {
        let mut out = LoopEntries {
            made: Vec::new(),
            names: HashSet::new(),
        };
        let has_loops = entries
            .iter()
            .any(|(key, _)| loop_name(&key.text).is_some());
        if has_loops {
            let plain = entries
                .iter()
                .filter(|(key, _)| loop_name(&key.text).is_none());
            out.names.extend(plain.map(|(key, _)| key.text.clone()));
        }
        for (key, value) in entries {
            if let Some(name) = loop_name(&key.text) {
                self.for_each((key, name), value, scope, place, &mut out);
                continue;
            }
            let made = match (place, &*key.text) {
                (LoopPosition::Entry | LoopPosition::Condition, "Condition")
                    if !value.is_scalar() =>
                {
                    self.condition(value, scope)
                }
                (LoopPosition::Entry, "DependsOn") => Some(self.depends_on(value, scope)),
                _ => Some(self.node(value, scope, place.below())),
            };
            out.made.extend(made.map(|made| (key.clone(), made)));
        }
        mapping(out.made, at)
    }

    /// Evaluates a function used as a condition's name; returns `None` for other conditions.
    fn condition(&mut self, node: &Node, scope: &LoopScope) -> Option<Node> {
        let node = self.node(node, scope, LoopPosition::Inside);
        let evaluator = self.work.evaluator;
        match evaluator.value(&node, EvaluationScope::Stack) {
            Ok(Value::NoValue) => None,
            Ok(Value::Unknown(unknown)) => {
                self.work.doubt(
                    node.at,
                    &unknown,
                    "Template format error: Every Condition member must be a string.",
                );
                None
            }
            Ok(value) => Some(
                value
                    .as_text()
                    .map_or_else(|| node.clone(), |name| text(&name, node.at)),
            ),
            Err(failures) => {
                self.work.failures.extend(failures);
                None
            }
        }
    }

    fn depends_on(&mut self, node: &Node, scope: &LoopScope) -> Node {
        match node.as_sequence() {
            Some(items) => sequence(
                items
                    .iter()
                    .map(|item| self.depends_on(item, scope))
                    .collect(),
                node.at,
            ),
            None if FunctionCall::of(node).is_some() => {
                self.name(node, scope).unwrap_or_else(|unknown| unknown)
            }
            None => node.clone(),
        }
    }

    /// Counts what is created. Nothing more is created once the template is too large.
    fn makes(&mut self, bytes: usize, at: Position) -> bool {
        if self.is_full {
            return false;
        }
        self.bytes += bytes;
        match self.work.evaluator.spend(bytes, at) {
            Ok(()) if self.bytes <= MAX_BYTES => return true,
            Ok(()) => self.work.fail(at, "Transformation data limit exceeded"),
            Err(failures) => self.work.failures.extend(failures),
        }
        self.end();
        false
    }

    /// Stops creating entries.
    fn end(&mut self) {
        self.is_full = true;
        for section in ["Conditions", "Resources", "Outputs"] {
            self.work
                .made(section, NamePattern::any(), named(LANGUAGE_EXTENSIONS));
        }
    }
}

/// The entries of a mapping that contains loops.
struct LoopEntries {
    made: Vec<(Node, Node)>,
    names: HashSet<Box<str>>,
}

impl LanguageExtensions<'_, '_> {
    /// Adds what a loop creates. A loop that fails or can't be expanded records what it may have
    /// created.
    fn for_each(
        &mut self,
        (key, name): (&Node, &str),
        arguments: &Node,
        scope: &LoopScope,
        place: LoopPosition,
        out: &mut LoopEntries,
    ) {
        let it = match self.loop_of(&key.text, name, arguments, scope) {
            Ok(it) => it,
            Err(message) => return self.broken(key, place, &message),
        };
        let items = match self.items(it.collection, scope) {
            _ if self.is_full => return,
            Ok(items) => items,
            Err(message) => {
                self.may_make(&it, scope, place, &named(LANGUAGE_EXTENSIONS));
                return self.fail(key.at, &message);
            }
        };
        for item in items {
            match item {
                Ok(item) => self.iteration(&it, &scope.and(it.identifier, Some(&item)), place, out),
                Err(unknown) => {
                    self.work
                        .doubt(key.at, &unknown, format!("{} cannot be unrolled", key.text));
                    self.may_make(&it, scope, place, &unknown);
                }
            }
            if self.is_full {
                return;
            }
        }
    }

    /// Returns the arguments of a loop, or what is wrong with them.
    fn loop_of<'n>(
        &self,
        key: &str,
        name: &str,
        arguments: &'n Node,
        scope: &LoopScope,
    ) -> Result<ForEach<'n>, String> {
        let identifier = arguments
            .as_sequence()
            .and_then(<[Node]>::first)
            .map_or("", |it| &it.text);
        if is_parameter(self.work.evaluator, name) {
            Err(format!(
                "{key}: loop name '{name}' conflicts with parameter name"
            ))
        } else if is_parameter(self.work.evaluator, identifier) {
            Err(format!(
                "{key}: identifier '{identifier}' conflicts with parameter name"
            ))
        } else if scope.names.len() >= MAX_LOOPS {
            Err(format!("{key} nests deeper than {MAX_LOOPS} loops"))
        } else {
            ForEach::of(arguments).ok_or_else(incorrect_layout)
        }
    }

    /// Returns the items of a collection, each a string or unknown; an unknown collection is one
    /// unknown item.
    fn items(
        &mut self,
        collection: &Node,
        scope: &LoopScope,
    ) -> Result<Vec<Result<String, Unknown>>, String> {
        if collection.is_scalar() {
            return Err(incorrect_layout());
        }
        let collection = self.node(collection, scope, LoopPosition::Inside);
        if is_deferred(self.work.evaluator, &collection) {
            return Err(NO_COLLECTION.to_owned());
        }
        match self
            .work
            .evaluator
            .value(&collection, EvaluationScope::Stack)
        {
            Ok(Value::List(items)) => items
                .into_iter()
                .map(|item| match (item.as_text(), item) {
                    (Some(text), _) => Ok(Ok(text)),
                    (None, Value::Unknown(unknown)) => Ok(Err(unknown)),
                    (None, _) => Err(incorrect_layout()),
                })
                .collect(),
            Ok(Value::Unknown(unknown)) => Ok(vec![Err(unknown)]),
            Ok(Value::NoValue) => Ok(Vec::new()),
            Ok(_) => Err(NO_COLLECTION.to_owned()),
            Err(failures) => {
                self.work.failures.extend(failures);
                Err(NO_COLLECTION.to_owned())
            }
        }
    }

    /// Adds what a loop creates for an item.
    fn iteration(
        &mut self,
        it: &ForEach,
        scope: &LoopScope,
        place: LoopPosition,
        out: &mut LoopEntries,
    ) {
        for (key, value) in it.fragment {
            if !self.makes(1, key.at) {
                return;
            }
            if let Some(name) = loop_name(&key.text) {
                self.for_each((key, name), value, scope, place, out);
                continue;
            }
            let name = scope.filled(Segments::of_key(&key.text)).concat();
            if let LoopPosition::Section("Outputs") = place
                && !name.chars().all(|c| c.is_ascii_alphanumeric())
            {
                self.fail(
                    key.at,
                    &format!("OutputKey '{name}' should be alphanumeric"),
                );
                continue;
            }
            if !out.names.insert(name.as_str().into()) {
                self.fail(
                    key.at,
                    &format!(
                        "Duplicate key '{name}' when merging keys to parent object in Fn::ForEach"
                    ),
                );
                continue;
            }
            let value = self.node(value, scope, place.below());
            out.made.push((text(&name, key.at), value));
            // The quota is reported with the others.
            if matches!(place, LoopPosition::Section(_)) && out.made.len() >= MAX_ENTRIES {
                return self.end();
            }
        }
    }

    /// Records the names that a loop may create, so that references to them aren't reported.
    fn may_make(
        &mut self,
        it: &ForEach,
        scope: &LoopScope,
        place: LoopPosition,
        unknown: &Unknown,
    ) {
        let LoopPosition::Section(section) = place else {
            return;
        };
        let scope = scope.and(it.identifier, None);
        for (key, value) in it.fragment {
            if loop_name(&key.text).is_none() {
                let pieces = scope.filled(Segments::of_key(&key.text));
                self.work
                    .made(section, NamePattern::of(pieces), unknown.clone());
            } else if let Some(inner) = ForEach::of(value)
                && scope.names.len() < MAX_LOOPS
            {
                self.may_make(&inner, &scope, place, unknown);
            }
        }
    }

    fn broken(&mut self, key: &Node, place: LoopPosition, message: &str) {
        if let LoopPosition::Section(section) = place {
            self.work
                .made(section, NamePattern::any(), named(LANGUAGE_EXTENSIONS));
        }
        self.fail(key.at, message);
    }

    fn fail(&mut self, at: Position, message: &str) {
        self.work.fail(
            at,
            format!("Transform AWS::LanguageExtensions failed with: {message}"),
        );
    }
}

/// Returns whether a collection requires something that a transform can't know, or something other
/// than a parameter.
fn is_deferred(evaluator: &Evaluator, node: &Node) -> bool {
    match FunctionCall::of(node) {
        Some(FunctionCall {
            function: Some(function),
            ..
        }) if function.asks_aws() => true,
        Some(FunctionCall {
            function: Some(Function::Ref),
            argument,
            ..
        }) if argument.is_scalar() => {
            !is_pseudo_parameter(&argument.text) && !is_parameter(evaluator, &argument.text)
        }
        _ => {
            let items = node.as_sequence().unwrap_or_default().iter();
            items
                .chain(node.entries().iter().map(|(_, value)| value))
                .any(|it| is_deferred(evaluator, it))
        }
    }
}

/// Returns a function call at the position of its argument.
fn called(function: Function, argument: Node) -> Node {
    let at = argument.at;
    mapping(vec![(text(function.key(), at), argument)], at)
}

fn incorrect_layout() -> String {
    format!("{} layout is incorrect", Function::ForEach.key())
}

fn is_parameter(evaluator: &Evaluator, name: &str) -> bool {
    evaluator
        .template
        .parameters
        .iter()
        .any(|parameter| parameter.key == name)
}

impl<'s> LoopScope<'s> {
    fn and<'t>(&self, name: &'t str, item: Option<&'t str>) -> LoopScope<'t>
    where
        's: 't,
    {
        let mut names = self.names.clone();
        names.push((name, item));
        LoopScope { names }
    }

    fn item(&self, name: &str) -> Option<&'s str> {
        self.names
            .iter()
            .rev()
            .find(|(known, _)| *known == name)
            .and_then(|(_, item)| *item)
    }

    /// Inserts the items in a string. Where an item isn't known, the string is split in two.
    fn filled(&self, segments: Segments) -> Vec<String> {
        let mut pieces = vec![String::new()];
        for segment in segments {
            let variable = match segment {
                Segment::Text(text) | Segment::Escape(text) => {
                    add(&mut pieces, text);
                    continue;
                }
                Segment::Variable(variable) => variable,
            };
            match self
                .names
                .iter()
                .rev()
                .find(|(known, _)| *known == variable.inside())
            {
                Some((_, Some(item))) if variable.is_alphanumeric() => {
                    add(
                        &mut pieces,
                        &item
                            .chars()
                            .filter(char::is_ascii_alphanumeric)
                            .collect::<String>(),
                    );
                }
                Some((_, Some(item))) => add(&mut pieces, item),
                Some((_, None)) => pieces.push(String::new()),
                None => add(&mut pieces, variable.written()),
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::tests::{expand, said, stack};
    use crate::template::evaluate::tests::{place, template};
    use crate::template::value::Value;
    use crate::template::{EvaluationEnvironment, NestedTemplate, Template, evaluate};

    const SECTIONS: &str = "Transform: AWS::LanguageExtensions
Parameters:
  Names: {Type: CommaDelimitedList, Default: 'A, B'}
  Name: {Type: String, Default: C}
  Stored: {Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: /names}
";

    /// Returns the template with additional sections, expanded.
    fn check(sections: &str, expect: &str) {
        let text = format!("{SECTIONS}{sections}");
        assert_eq!(expand(&text, &[]), expect, "{sections}");
        assert_eq!(said(&text, &[]), [""; 0], "{sections}");
    }

    #[test]
    fn loops_are_expanded_in_place() {
        check(
            "Resources:\n  First: {Type: T}\n  Fn::ForEach::L: [X, [A, B], {'Q${X}': {Type: T}, \
             'R${X}': {Type: U}}]\n  Last: {Type: T}\n",
            r#"{"Resources":{"First":{"Type":"T"},"QA":{"Type":"T"},"RA":{"Type":"U"},"QB":{"Type":"T"},"RB":{"Type":"U"},"Last":{"Type":"T"}}}"#,
        );
        check(
            "Conditions:\n  Fn::ForEach::L: [X, !Ref Names, {'Is${X}': !Equals [!Ref Name, !Ref \
             X]}]\nResources: {A: {Type: T, Condition: IsA}}\n",
            r#"{"Conditions":{"IsA":{"Fn::Equals":[{"Ref":"Name"},"A"]},"IsB":{"Fn::Equals":[{"Ref":"Name"},"B"]}},"Resources":{"A":{"Type":"T","Condition":"IsA"}}}"#,
        );
        check(
            "Resources: {A: {Type: T, Properties: {P: {a: b, 'Fn::ForEach::L': [X, [c, d], \
             {'${X}': [!Ref X]}]}}}}\n",
            r#"{"Resources":{"A":{"Type":"T","Properties":{"P":{"a":"b","c":["c"],"d":["d"]}}}}}"#,
        );
        check(
            "Resources: {A: {Type: T}}\nOutputs:\n  Fn::ForEach::L: [X, [!Ref Name, 8], {'O${X}': \
             {Value: !Ref X}}]\n",
            r#"{"Resources":{"A":{"Type":"T"}},"Outputs":{"OC":{"Value":"C"},"O8":{"Value":"8"}}}"#,
        );
        check(
            "Resources:\n  A: {Type: T}\n  Fn::ForEach::L: [X, [], {'Q${X}': {Type: T}}]\n",
            r#"{"Resources":{"A":{"Type":"T"}}}"#,
        );
    }

    #[test]
    fn loops_in_loops() {
        check(
            "Resources:\n  Fn::ForEach::O:\n    - X\n    - [A, B]\n    - 'N${X}': {Type: T}\n      \
             Fn::ForEach::I: [Y, [!Ref X, C], {'${X}${Y}': {Type: T, Properties: {P: !Ref Y}}}]\n",
            r#"{"Resources":{"NA":{"Type":"T"},"AA":{"Type":"T","Properties":{"P":"A"}},"AC":{"Type":"T","Properties":{"P":"C"}},"NB":{"Type":"T"},"BB":{"Type":"T","Properties":{"P":"B"}},"BC":{"Type":"T","Properties":{"P":"C"}}}}"#,
        );
        // The inner variable shadows the outer one.
        check(
            "Resources:\n  Fn::ForEach::O: [X, [A], {'Fn::ForEach::I': [X, [B], {'Q${X}': {Type: \
             T, Properties: {P: !Ref X}}}]}]\n",
            r#"{"Resources":{"QB":{"Type":"T","Properties":{"P":"B"}}}}"#,
        );
    }

    #[test]
    fn where_items_are_put_in() {
        let check = |value: &str, item: &str, expect: &str| {
            let text = format!(
                "{SECTIONS}Resources:\n  A: {{Type: T}}\n  Fn::ForEach::L: [X, ['{item}'], \
                 {{'Q&{{X}}': {{Type: T, Metadata: {value}}}}}]\n"
            );
            let key = item.replace(|c: char| !c.is_ascii_alphanumeric(), "");
            let expect = format!(
                "{{\"Resources\":{{\"A\":{{\"Type\":\"T\"}},\"Q{key}\":{{\"Type\":\"T\",\"Metadata\":{expect}}}}}}}"
            );
            assert_eq!(expand(&text, &[]), expect, "{value}");
        };
        check("!Ref X", "a-b", r#""a-b""#);
        check(
            "!Sub '${X}/${Name} ${!X} &{X} ${Y}'",
            "a-b",
            r#"{"Fn::Sub":"a-b/${Name} ${!X} &{X} ${Y}"}"#,
        );
        check("!Sub '${X}.${X}'", "a-b", r#""a-b.a-b""#);
        check(
            "!Sub ['${X} ${Y}', {Y: !Ref X}]",
            "b",
            r#"{"Fn::Sub":["b ${Y}",{"Y":"b"}]}"#,
        );
        check("!Sub '${Name${X}}'", "b", r#"{"Fn::Sub":"${Name${X}}"}"#);
        check(
            "['${X}', {'${X}': '&{X}'}]",
            "b",
            r#"["${X}",{"${X}":"&{X}"}]"#,
        );
        check("{Ref: !Sub '${X}'}", "A", r#"{"Ref":"A"}"#);
        check(
            "!GetAtt [!Sub '${X}', !Ref X]",
            "A",
            r#"{"Fn::GetAtt":["A","A"]}"#,
        );
        check("!GetAtt '${X}.Arn'", "A", r#"{"Fn::GetAtt":"${X}.Arn"}"#);
        check(
            "!If ['${X}', !Ref X, b]",
            "A",
            r#"{"Fn::If":["${X}","A","b"]}"#,
        );
        check("!Ref Name", "A", r#"{"Ref":"Name"}"#);
    }

    #[test]
    fn functions_in_the_place_of_names() {
        check(
            "Conditions:\n  C: !Equals [a, a]\n  D: !Not [{Condition: !Ref Name}]\n  \
             Fn::ForEach::L: [X, [C], {'Not${X}': !Not [{Condition: !Sub '${X}'}]}]\n\
             Resources:\n  C: {Type: T}\n  \
             Fn::ForEach::L: [X, [C], {'Q${X}': {Type: T, Condition: !Sub 'Not${X}', DependsOn: \
             [!Ref X, C]}}]\n  \
             B: {Type: T, Condition: !Ref AWS::NoValue, DependsOn: !Ref Name}\n",
            r#"{"Conditions":{"C":{"Fn::Equals":["a","a"]},"D":{"Fn::Not":[{"Condition":"C"}]},"NotC":{"Fn::Not":[{"Condition":"C"}]}},"Resources":{"C":{"Type":"T"},"QC":{"Type":"T","Condition":"NotC","DependsOn":["C","C"]},"B":{"Type":"T","DependsOn":"C"}}}"#,
        );
    }

    #[test]
    fn positions_are_kept() {
        let text = format!(
            "{SECTIONS}Resources:\n  Fn::ForEach::L:\n    - X\n    - [A, B]\n    - \
             Q${{X}}:\n        Type: T\n        DependsOn: Nothing\n        Properties: {{P: !Ref \
             None}}\n"
        );
        let stack = stack(&text, &[]);
        let places: Vec<_> = stack
            .resources
            .iter()
            .map(|(id, it)| (id.as_str(), it.at.at.line))
            .collect();
        assert_eq!(places, [("QA", 10), ("QB", 10)]);
        assert_eq!(
            said(&text, &[]),
            [
                "12: Template format error: Unresolved resource dependencies [Nothing, None] in \
                 the Resources block of the template"
            ]
        );
    }

    #[test]
    fn broken_loops() {
        let check = |resources: &str, expect: &[&str]| {
            let text =
                format!("{SECTIONS}Resources:\n  A: {{Type: T, DependsOn: QX}}\n{resources}");
            let failed = |it: &&str| match it.split_once(' ') {
                Some((line, message)) => {
                    format!("{line} Transform AWS::LanguageExtensions failed with: {message}")
                }
                None => (*it).to_owned(),
            };
            assert_eq!(
                said(&text, &[]),
                expect.iter().map(failed).collect::<Vec<_>>(),
                "{resources}"
            );
        };
        let layout = "8: Fn::ForEach layout is incorrect";
        let collection = "8: Could not find a collection or could not be resolved for Fn::ForEach";
        check("  Fn::ForEach::L: {Q: a}\n", &[layout]);
        check(
            "  Fn::ForEach::Names: [X, [A], {'Q${X}': {Type: T}}]\n",
            &["8: Fn::ForEach::Names: loop name 'Names' conflicts with parameter name"],
        );
        check(
            "  Fn::ForEach::L: [Name, [A], {'Q${Name}': {Type: T}}]\n",
            &["8: Fn::ForEach::L: identifier 'Name' conflicts with parameter name"],
        );
        check("  Fn::ForEach::L: [X, [A, B]]\n", &[layout]);
        check(
            "  Fn::ForEach::L: [[X], [A, B], {'Q${X}': {Type: T}}]\n",
            &[layout],
        );
        check(
            "  Fn::ForEach::L: ['', [A, B], {'Q${X}': {Type: T}}]\n",
            &[layout],
        );
        check("  Fn::ForEach::L: [X, [A, B], [Q]]\n", &[layout]);
        check(
            "  Fn::ForEach::L: [X, A, {'Q${X}': {Type: T}}]\n",
            &[layout],
        );
        check(
            "  Fn::ForEach::L: [X, [[A]], {'Q${X}': {Type: T}}]\n",
            &[layout],
        );
        check(
            "  Fn::ForEach::L: [X, !Ref Name, {'Q${X}': {Type: T}}]\n",
            &[collection],
        );
        check(
            "  Fn::ForEach::L: [X, !GetAZs '', {'Q${X}': {Type: T}}]\n",
            &[collection],
        );
        check(
            "  Fn::ForEach::L: [X, [a, !GetAtt A.Arn], {'Q${X}': {Type: T}}]\n",
            &[collection],
        );
        check(
            "  Fn::ForEach::L: [X, !Ref Nobody, {'Q${X}': {Type: T}}]\n",
            &[collection],
        );
        check(
            "  Fn::ForEach::L: [Y, [A, X], {'Q${Y}': {Type: T}, Q: {Type: T}}]\n",
            &["8: Duplicate key 'Q' when merging keys to parent object in Fn::ForEach"],
        );
        check(
            "  Fn::ForEach::L: [Y, [X, X], {'Q${Y}': {Type: T}}]\n",
            &["8: Duplicate key 'QX' when merging keys to parent object in Fn::ForEach"],
        );
        check(
            "  Fn::ForEach::L: [Y, [X], {'Q${Y}': {Type: T}}]\n  QX: {Type: T}\n",
            &["8: Duplicate key 'QX' when merging keys to parent object in Fn::ForEach"],
        );
        check(
            "  Fn::ForEach::L: [Y, [X], {'Q${Y}': {Type: T, Properties: {'Fn::ForEach::M': \
             [Z]}}}]\n",
            &[layout],
        );
        let nest = |count: usize| {
            let open: String = (0..count)
                .map(|n| format!("Fn::ForEach::L{n}: [X{n}, [X], {{"))
                .collect();
            format!("  {open}'Q${{X0}}': {{Type: T}}{}\n", "}]".repeat(count))
        };
        check(&nest(5), &[]);
        check(&nest(6), &["8: Fn::ForEach::L5 nests deeper than 5 loops"]);
    }

    #[test]
    fn keys_of_outputs_are_letters_and_digits() {
        let text = format!(
            "{SECTIONS}Resources: {{A: {{Type: T}}}}\nOutputs:\n  Fn::ForEach::L: [X, [a-b, c], \
             {{'${{X}}': {{Value: !Ref X}}}}]\n"
        );
        assert_eq!(
            said(&text, &[]),
            [
                "8: Transform AWS::LanguageExtensions failed with: OutputKey 'a-b' should be \
                 alphanumeric"
            ]
        );
    }

    #[test]
    fn an_unknown_collection_records_its_possible_names() {
        let text = |resources: &str| {
            format!(
                "{SECTIONS}Resources:\n  Fn::ForEach::L: [X, !Ref Stored, {{'Q${{X}}Z': {{Type: \
                 T}}, 'Fn::ForEach::M': [Y, [a], {{'M${{Y}}': {{Type: T}}}}]}}]\n{resources}"
            )
        };
        let unrolled = "7? Fn::ForEach::L cannot be unrolled (SSM parameter /names)";
        let check = |resources: &str, expect: &[&str]| {
            let mut all: Vec<String> = expect.iter().map(|it| (*it).to_owned()).collect();
            all.push(unrolled.to_owned());
            assert_eq!(said(&text(resources), &[]), all, "{resources}");
        };
        check(
            "  A: {Type: T, DependsOn: QanyZ, Properties: {P: !GetAtt Ma.Arn}}\n",
            &[],
        );
        check(
            "  A: {Type: T, DependsOn: Qany}\n",
            &[
                "8: Template format error: Unresolved resource dependencies [Qany] in the \
                 Resources block of the template",
            ],
        );
        let stack = stack(
            &text("  A: {Type: T, Properties: {P: !GetAtt Q1Z.Arn}}\n"),
            &[],
        );
        assert_eq!(stack.resources.keys().collect::<Vec<_>>(), ["A"]);
        assert_eq!(
            stack.resources["A"].properties().unwrap()["P"].to_json()["Unknown"],
            "SSM parameter /names"
        );
    }

    #[test]
    fn outputs_of_a_nested_stack_may_be_made() {
        struct OneChild(Template);
        impl EvaluationEnvironment for OneChild {
            fn nested<'w>(&'w self, _: &'w Template, _: &str, _: &Value) -> NestedTemplate<'w> {
                NestedTemplate::Template(&self.0)
            }
        }
        let child = template(&format!(
            "{SECTIONS}Resources: {{Q: {{Type: T}}}}\nOutputs:\n  Fn::ForEach::L: [X, !Ref Stored, \
             {{'O${{X}}': {{Value: v}}}}]\n"
        ));
        let parent = |output: &str| {
            template(&format!(
                "Resources:\n  S: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: \
                 u}}}}\n  \
                 A: {{Type: T, Properties: {{P: !GetAtt S.Outputs.{output}}}}}\n"
            ))
        };
        let world = OneChild(child);
        let failures = |output| {
            evaluate(
                &parent(output),
                &place("us-east-1"),
                &Default::default(),
                &world,
            )
            .failures
        };
        assert_eq!(failures("O1"), []);
        assert_eq!(failures("P1").len(), 1);
    }

    #[test]
    fn many_loops_that_are_not_unrolled() {
        let resources: String = (0..2_000)
            .map(|n| {
                format!(
                    "  Fn::ForEach::L{n}: [X, !Ref Stored, {{'A{n}${{X}}': {{Type: \
                T}}}}]\n  B{n}: {{Type: T, DependsOn: A{n}x}}\n"
                )
            })
            .collect();
        let text = format!("{SECTIONS}Resources:\n{resources}");
        let failures: Vec<_> = stack(&text, &[])
            .failures
            .into_iter()
            .map(|it| it.message)
            .collect();
        assert_eq!(
            failures,
            [
                "Template format error: Number of resources, 2000, is greater than maximum \
                 allowed, 500"
            ]
        );
    }

    #[test]
    fn one_item_that_is_not_known_leaves_the_others() {
        let text = format!(
            "{SECTIONS}Resources:\n  Fn::ForEach::L: [X, [A, !Ref AWS::AccountId], {{'Q${{X}}': \
             {{Type: T}}}}]\nOutputs: {{O: {{Value: !Ref Q1}}}}\n"
        );
        assert_eq!(
            said(&text, &[]),
            ["7? Fn::ForEach::L cannot be unrolled (AWS::AccountId)"]
        );
        assert_eq!(
            stack(&text, &[]).resources.keys().collect::<Vec<_>>(),
            ["QA"]
        );
    }

    #[test]
    fn exponential_expansion_ends_early() {
        let items: String = (0..1_000).map(|n| format!("x{n},")).collect();
        let check = |resources: &str, expect: &[&str]| {
            let text = format!("{SECTIONS}Resources:\n  A: {{Type: T}}\n{resources}");
            let started = Instant::now();
            let stack = stack(&text, &[]);
            let said: Vec<_> = stack
                .failures
                .iter()
                .map(|it| format!("{}: {}", it.at.at.line, it.message))
                .collect();
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "{:?}",
                started.elapsed()
            );
            assert_eq!(
                said.iter()
                    .filter(|it| !it.contains("Number of resources"))
                    .collect::<Vec<_>>(),
                expect
            );
        };
        let limit = "8: Transformation data limit exceeded";
        // Resources end at ten times their quota.
        let loops = format!(
            "Fn::ForEach::L: [X, [{items}], {{Fn::ForEach::M: [Y, [{items}], {{Fn::ForEach::N: [Z, \
             [{items}]"
        );
        check(
            &format!("  {loops}, {{'Q${{X}}${{Y}}${{Z}}': {{Type: T}}}}]}}]}}]\n"),
            &[],
        );
        check(&format!("  {loops}, {{}}]}}]}}]\n"), &[limit]);
        check(
            &format!(
                "  B: {{Type: T, Properties: {{{loops}, {{'Q${{X}}${{Y}}${{Z}}': [!Ref \
                 X]}}]}}]}}]}}}}\n"
            ),
            &[limit],
        );
    }
}
