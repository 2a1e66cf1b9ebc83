//! The intrinsic functions: their names and the forms of their arguments
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>).
//!
//! This is the only file that spells them. Evaluation, the dependency graph, the URLs of nested
//! stacks and the transforms look at a template through [`FunctionCall`] and [`Expression`]. The
//! functions' behavior is in `function`, including the errors for arguments of another form.
//! Nothing here copies parts of the template.

use std::borrow::Cow;

use super::substitution::Segments;
use crate::diagnostic::Position;
use crate::yaml::Node;

/// Prefix of the long names of functions, except `Ref` and `Condition`.
const PREFIX: &str = "Fn::";

/// Prefix of the key of a loop; the loop's name follows.
const FOR_EACH: &str = "Fn::ForEach::";

/// Declares the functions, each with its key in the long form.
macro_rules! functions {
    ($($function:ident = $key:literal),+ $(,)?) => {
        /// An intrinsic function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Function {
            $(#[doc = concat!("`", $key, "`")] $function,)+
        }

        impl Function {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$function),+];

            /// Returns the name in the long form: `Fn::GetAtt`.
            pub(crate) const fn key(self) -> &'static str {
                match self {
                    $(Self::$function => $key,)+
                }
            }

            /// Returns the function of a mapping's key. The key of a loop contains the loop's name,
            /// too.
            pub(crate) fn from_key(key: &str) -> Option<Self> {
                match key {
                    $($key => Some(Self::$function),)+
                    _ => loop_name(key).map(|_| Self::ForEach),
                }
            }
        }
    };
}

functions! {
    And = "Fn::And",
    Base64 = "Fn::Base64",
    Cidr = "Fn::Cidr",
    Condition = "Condition",
    Contains = "Fn::Contains",
    EachMemberEquals = "Fn::EachMemberEquals",
    EachMemberIn = "Fn::EachMemberIn",
    Equals = "Fn::Equals",
    FindInMap = "Fn::FindInMap",
    ForEach = "Fn::ForEach",
    GetAZs = "Fn::GetAZs",
    GetAtt = "Fn::GetAtt",
    GetStackOutput = "Fn::GetStackOutput",
    If = "Fn::If",
    ImportValue = "Fn::ImportValue",
    Join = "Fn::Join",
    Length = "Fn::Length",
    Not = "Fn::Not",
    Or = "Fn::Or",
    Ref = "Ref",
    RefAll = "Fn::RefAll",
    Select = "Fn::Select",
    Split = "Fn::Split",
    Sub = "Fn::Sub",
    ToJsonString = "Fn::ToJsonString",
    Transform = "Fn::Transform",
    ValueOf = "Fn::ValueOf",
    ValueOfAll = "Fn::ValueOfAll",
}

/// Where a function may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// As a value.
    Value,
    /// As a value under `AWS::LanguageExtensions`.
    Extension,
    /// As a value in a rule.
    RuleValue,
    /// As a condition: in `Conditions`, and in a rule.
    Condition,
    /// As a condition, only in a rule.
    RuleCondition,
    /// As the key of entries that a transform expands.
    Loop,
}

impl Function {
    /// Returns where CloudFormation accepts the function. It accepts `Fn::Transform` as a
    /// condition, too.
    pub(super) const fn usage(self) -> Usage {
        match self {
            Self::Base64
            | Self::Cidr
            | Self::FindInMap
            | Self::GetAZs
            | Self::GetAtt
            | Self::GetStackOutput
            | Self::If
            | Self::ImportValue
            | Self::Join
            | Self::Ref
            | Self::Select
            | Self::Split
            | Self::Sub
            | Self::Transform => Usage::Value,
            Self::Length | Self::ToJsonString => Usage::Extension,
            Self::RefAll | Self::ValueOf | Self::ValueOfAll => Usage::RuleValue,
            Self::And | Self::Condition | Self::Equals | Self::Not | Self::Or => Usage::Condition,
            Self::Contains | Self::EachMemberEquals | Self::EachMemberIn => Usage::RuleCondition,
            Self::ForEach => Usage::Loop,
        }
    }

    /// Returns whether only AWS knows the value: of a resource, of another stack, of the account's
    /// zones.
    pub(super) const fn asks_aws(self) -> bool {
        matches!(
            self,
            Self::GetAZs | Self::GetAtt | Self::GetStackOutput | Self::ImportValue
        )
    }
}

/// Returns whether a mapping's key has the form of a function's long name, known or not.
pub fn is_function_key(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Returns the name of the loop with this key: `Topics` for `Fn::ForEach::Topics`.
pub(super) fn loop_name(key: &str) -> Option<&str> {
    key.strip_prefix(FOR_EACH)
}

/// Returns the key in the long form for a short tag (`!GetAtt`), also for a tag that isn't
/// CloudFormation's, which others refuse.
pub(super) fn key_of_tag(tag: &str) -> Cow<'_, str> {
    let name = tag.trim_start_matches('!');
    if name == Function::Ref.key() || name == Function::Condition.key() {
        name.into()
    } else {
        format!("{PREFIX}{name}").into()
    }
}

/// A mapping with one entry whose key is `Ref`, `Condition` or `Fn::…`.
#[derive(Clone, Copy, Debug)]
pub(super) struct FunctionCall<'n> {
    /// The name as written.
    pub name: &'n str,
    /// The function; `None` for a name that CloudFormation doesn't have.
    pub function: Option<Function>,
    pub argument: &'n Node,
}

impl<'n> FunctionCall<'n> {
    /// Returns the node as a call, if it is one.
    pub(super) fn of(node: &'n Node) -> Option<Self> {
        let [(key, argument)] = node.as_mapping()? else {
            return None;
        };
        let name = key.as_str()?;
        let function = Function::from_key(name);
        (function.is_some() || is_function_key(name)).then_some(Self {
            name,
            function,
            argument,
        })
    }

    /// Returns the node as a call if it is one where a value is expected. There, `Condition` is an
    /// ordinary key.
    pub(super) fn of_value(node: &'n Node) -> Option<Self> {
        Self::of(node).filter(|call| call.function != Some(Function::Condition))
    }

    /// Returns the call's function if it may be used this way.
    pub(super) fn function_used_as(&self, is_accepted: impl Fn(Usage) -> bool) -> Option<Function> {
        self.function
            .filter(|function| is_accepted(function.usage()))
    }
}

/// A node of a template, by what it does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expression<'n> {
    /// A scalar, a list or a mapping that calls no function.
    Literal(&'n Node),
    /// The argument of `Ref`: a name, unless the template is wrong or `AWS::LanguageExtensions`
    /// hasn't evaluated it yet.
    Ref(&'n Node),
    GetAtt(GetAtt<'n>),
    Sub(Sub<'n>),
    Join(Join<'n>),
    If(If<'n>),
    FindInMap(FindInMap<'n>),
    /// Any other function, or one of the above with an argument of another form.
    Call(FunctionCall<'n>),
}

impl<'n> Expression<'n> {
    /// Classifies a node in the long form.
    pub(super) fn of(node: &'n Node) -> Self {
        let Some(call) = FunctionCall::of(node) else {
            return Self::Literal(node);
        };
        let argument = call.argument;
        let known = match call.function {
            Some(Function::Ref) => Some(Self::Ref(argument)),
            Some(Function::GetAtt) => GetAtt::of(argument).map(Self::GetAtt),
            Some(Function::Sub) => Some(Self::Sub(Sub::of(argument))),
            Some(Function::Join) => Join::of(argument).map(Self::Join),
            Some(Function::If) => If::of(argument).map(Self::If),
            Some(Function::FindInMap) => FindInMap::of(argument).map(Self::FindInMap),
            _ => None,
        };
        known.unwrap_or(Self::Call(call))
    }
}

/// The argument of `Fn::GetAtt`.
#[derive(Clone, Copy, Debug)]
pub(super) struct GetAtt<'n> {
    pub attribute: Attribute<'n>,
    /// Position of the argument.
    pub at: Position,
}

/// An attribute of a resource, in either notation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attribute<'n> {
    /// `Id.Name`, split at the first dot.
    Text { id: &'n str, name: &'n str },
    /// `[Id, Name]`; a list of another length is an error that evaluation reports.
    List { id: &'n Node, names: &'n [Node] },
}

impl<'n> GetAtt<'n> {
    pub(super) fn of(argument: &'n Node) -> Option<Self> {
        let attribute = match argument.as_sequence() {
            Some(parts) => parts
                .split_first()
                .map(|(id, names)| Attribute::List { id, names }),
            None => argument
                .as_str()
                .and_then(|text| text.split_once('.'))
                .map(|(id, name)| Attribute::Text { id, name }),
        };
        Some(Self {
            attribute: attribute?,
            at: argument.at,
        })
    }
}

/// The argument of `Fn::Sub`, even if CloudFormation doesn't accept it: the names in it must be
/// declared anyway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sub<'n> {
    pub argument: &'n Node,
    pub text: &'n Node,
    /// The second item of a list: the variables.
    pub variables: Option<&'n Node>,
}

impl<'n> Sub<'n> {
    /// Splits a string, or a list of a string and a mapping of variables.
    pub(super) fn of(argument: &'n Node) -> Self {
        match argument.as_sequence() {
            Some([text, rest @ ..]) => Self {
                argument,
                text,
                variables: rest.first(),
            },
            Some([]) | None => Self {
                argument,
                text: argument,
                variables: None,
            },
        }
    }

    /// Returns whether CloudFormation accepts the argument.
    pub(super) fn is_well_formed(&self) -> bool {
        let is_mapping =
            |node: &Node| node.as_mapping().is_some() && FunctionCall::of(node).is_none();
        self.text.is_scalar()
            && match self.argument.as_sequence() {
                Some(items) => items.len() == 2 && self.variables.is_some_and(is_mapping),
                None => true,
            }
    }

    /// Returns the segments of the text as written.
    pub(super) fn segments(&self) -> Segments<'n> {
        Segments::of(&self.text.text)
    }

    /// Returns the variables that the function declares, with their values.
    pub(super) fn own(&self) -> &'n [(Node, Node)] {
        self.variables.map_or(&[], Node::entries)
    }

    /// Returns the value of a variable that the function declares.
    pub(super) fn variable(&self, name: &str) -> Option<&'n Node> {
        self.own()
            .iter()
            .find(|(key, _)| &*key.text == name)
            .map(|(_, value)| value)
    }
}

/// The argument of `Fn::Join`: `[delimiter, list]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Join<'n> {
    pub delimiter: &'n Node,
    pub list: &'n Node,
}

impl<'n> Join<'n> {
    pub(super) fn of(argument: &'n Node) -> Option<Self> {
        let [delimiter, list] = argument.as_sequence()? else {
            return None;
        };
        Some(Self { delimiter, list })
    }
}

/// The argument of `Fn::If`: `[condition, yes, no]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct If<'n> {
    /// The condition's name, unless the template is wrong.
    pub condition: &'n Node,
    pub yes: &'n Node,
    pub no: &'n Node,
}

impl<'n> If<'n> {
    pub(super) fn of(argument: &'n Node) -> Option<Self> {
        let [condition, yes, no] = argument.as_sequence()? else {
            return None;
        };
        Some(Self { condition, yes, no })
    }
}

/// The argument of `Fn::FindInMap`: `[map, first key, second key]`, optionally followed by
/// `{DefaultValue: …}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct FindInMap<'n> {
    pub keys: [&'n Node; 3],
    pub options: Option<&'n Node>,
}

impl<'n> FindInMap<'n> {
    pub(super) fn of(argument: &'n Node) -> Option<Self> {
        let [map, first, second, options @ ..] = argument.as_sequence()? else {
            return None;
        };
        let options = match options {
            [] => None,
            [options] if options.as_mapping().is_some() => Some(options),
            _ => return None,
        };
        Some(Self {
            keys: [map, first, second],
            options,
        })
    }

    /// Returns the value for keys that the mapping doesn't have.
    pub(super) fn default(&self) -> Option<&'n Node> {
        self.options?.get("DefaultValue")
    }
}

/// The argument of `Fn::Select`: `[index, list]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Select<'n> {
    pub index: &'n Node,
    pub list: &'n Node,
}

impl<'n> Select<'n> {
    pub(super) fn of(argument: &'n Node) -> Option<Self> {
        let [index, list] = argument.as_sequence()? else {
            return None;
        };
        Some(Self { index, list })
    }
}

/// The argument of `Fn::Split`: `[delimiter, text]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split<'n> {
    pub delimiter: &'n Node,
    pub text: &'n Node,
}

impl<'n> Split<'n> {
    pub(super) fn of(argument: &'n Node) -> Option<Self> {
        let [delimiter, text] = argument.as_sequence()? else {
            return None;
        };
        Some(Self { delimiter, text })
    }
}

/// The argument of `Fn::ForEach::…`: `[identifier, collection, fragment]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ForEach<'n> {
    pub identifier: &'n str,
    pub collection: &'n Node,
    /// The entries that each item of the collection adds to the mapping that contains the loop.
    pub fragment: &'n [(Node, Node)],
}

impl<'n> ForEach<'n> {
    pub(super) fn of(argument: &'n Node) -> Option<Self> {
        let [identifier, collection, fragment] = argument.as_sequence()? else {
            return None;
        };
        let is_name = identifier.is_scalar() && !identifier.text.is_empty();
        let fragment = fragment.as_mapping().filter(|_| is_name)?;
        Some(Self {
            identifier: &identifier.text,
            collection,
            fragment,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::template::long_form::long_form;

    fn parse(text: &str) -> Node {
        long_form(
            crate::yaml::parse(&Arc::from(Path::new("t.yaml")), text)
                .root
                .unwrap(),
        )
    }

    #[test]
    fn every_function_has_its_key_and_its_tag() {
        for function in Function::ALL {
            let key = function.key();
            assert_eq!(Function::from_key(key), Some(*function));
            let tag = format!("!{}", key.trim_start_matches(PREFIX));
            assert_eq!(key_of_tag(&tag), key);
        }
        assert_eq!(
            Function::from_key("Fn::ForEach::L"),
            Some(Function::ForEach)
        );
        assert_eq!(Function::from_key("Fn::Mine"), None);
        assert_eq!(Function::from_key("ref"), None);
    }

    #[test]
    fn calls() {
        let check = |text: &str, expect: Option<(&str, Option<Function>)>| {
            let node = parse(text);
            assert_eq!(
                FunctionCall::of(&node).map(|call| (call.name, call.function)),
                expect,
                "{text}"
            );
        };
        check("!Sub x", Some(("Fn::Sub", Some(Function::Sub))));
        check("{Ref: X}", Some(("Ref", Some(Function::Ref))));
        check("!Mine x", Some(("Fn::Mine", None)));
        check(
            "{Fn::ForEach::L: x}",
            Some(("Fn::ForEach::L", Some(Function::ForEach))),
        );
        check(
            "!Condition C",
            Some(("Condition", Some(Function::Condition))),
        );
        check("{Ref: X, Other: Y}", None);
        check("{Key: X}", None);
        check("[Ref]", None);
        check("Ref", None);
        assert!(FunctionCall::of_value(&parse("!Condition C")).is_none());
        assert!(FunctionCall::of_value(&parse("!Ref C")).is_some());
    }

    #[test]
    fn an_argument_of_another_shape_is_a_call() {
        let check = |text: &str, is_call: bool| {
            let node = parse(text);
            assert_eq!(
                matches!(Expression::of(&node), Expression::Call(_)),
                is_call,
                "{text}"
            );
        };
        check("!GetAtt A.B", false);
        check("!GetAtt [A, B]", false);
        check("!GetAtt A", true);
        check("!GetAtt []", true);
        check("!Join ['', []]", false);
        check("!Join x", true);
        check("!If [C, a, b]", false);
        check("!If [C, a]", true);
        check("!FindInMap [M, a, b]", false);
        check("!FindInMap [M, a, b, {DefaultValue: c}]", false);
        check("!FindInMap [M, a, b, c]", true);
        check("!Sub [a, b, c]", false);
        check("!Ref [a]", false);
        check("!Base64 a", true);
        check("a", false);
    }

    #[test]
    fn only_a_text_with_a_mapping_is_substituted_in() {
        let check = |text: &str, is_well_formed: bool, names: &[&str]| {
            let node = parse(text);
            let Expression::Sub(sub) = Expression::of(&node) else {
                panic!("{text}")
            };
            let own: Vec<&str> = sub.own().iter().map(|(key, _)| &*key.text).collect();
            assert_eq!(
                (sub.is_well_formed(), own.as_slice()),
                (is_well_formed, names),
                "{text}"
            );
        };
        check("!Sub x", true, &[]);
        check("!Sub [x, {A: b}]", true, &["A"]);
        check("!Sub [x]", false, &[]);
        check("!Sub []", false, &[]);
        check("!Sub {A: b}", false, &[]);
        check("!Sub [x, !Ref B]", false, &["Ref"]);
        check("!Sub [x, {A: b}, y]", false, &["A"]);
        check("!Sub [[x], {A: b}]", false, &["A"]);
    }

    #[test]
    fn a_loop_needs_a_name_and_a_mapping() {
        let check = |text: &str, expect: bool| {
            assert_eq!(ForEach::of(&parse(text)).is_some(), expect, "{text}")
        };
        check("[X, [a], {'${X}': b}]", true);
        check("[X, [a], b]", false);
        check("['', [a], {'${X}': b}]", false);
        check("[[X], [a], {'${X}': b}]", false);
        check("[X, [a]]", false);
    }
}
