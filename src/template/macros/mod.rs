//! The macros that a template names or calls, and what isn't known because of them.
//!
//! `transform` applies the macros that are implemented; this module describes what the others may
//! change.
//!
//! - `pattern`: the names that a loop with unknown items or a module may create

mod pattern;

use super::expression::Function;
use super::value::{Failure, Unknown};
use crate::diagnostic::Position;
use crate::yaml::{Node, NodeValue};

pub(super) use self::pattern::{NamePattern, add};

pub(super) const INCLUDE: &str = "AWS::Include";
pub(super) const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";
const SERVERLESS: &str = "AWS::Serverless-2016-10-31";
const SERVERLESS_TYPES: &str = "AWS::Serverless::";

/// The beginning of the reason for what a macro makes unknown, before its name.
const MACRO: &str = "macro ";

/// AWS's transforms that don't affect the results here.
const HARMLESS: [&str; 3] = [
    "AWS::CodeDeployBlueGreen",
    "AWS::ServiceCatalog",
    "AWS::SecretsManager-",
];

/// Maximum number of name patterns; with more of them, any name may exist.
const MAX_MADE: usize = 200;

/// The macros of a template, and what isn't known because of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Macros {
    /// Names in the `Transform` section.
    names: Vec<String>,
    /// Whether the `Transform` section names the Serverless transform and it has anything to
    /// rewrite.
    serverless: bool,
    /// Called inside of the template, over a whole section.
    pub(super) over_sections: Vec<Unknown>,
    /// Called anywhere inside of the template.
    pub(super) called: Vec<Unknown>,
    made: Vec<MadeEntries>,
}

/// Entries that a transform may have created.
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
        // A module's resources have its name as a prefix.
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

    /// Returns whether the template uses the Serverless Application Model, which has keys and types
    /// of its own.
    pub(super) fn is_serverless(&self) -> bool {
        self.serverless
    }

    /// Ignores the Serverless transform if it has nothing to rewrite in the expanded template: no
    /// resource of its types, no connector, no `Globals`
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/transform-aws-serverless.html>).
    pub(super) fn settle_serverless(&mut self, root: &Node) {
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

    /// Adds entries that a transform may have created.
    pub(super) fn add_made(&mut self, section: &str, names: NamePattern, unknown: Unknown) {
        let names = if self.made.len() < MAX_MADE {
            names
        } else {
            NamePattern::any()
        };
        let is_known = |made: &MadeEntries| made.section == section && made.names == names;
        if !self.made.iter().any(is_known) {
            self.made.push(MadeEntries {
                section: section.to_owned(),
                names,
                unknown,
            });
        }
    }

    /// Returns why a missing entry of a section may have been created nevertheless.
    pub(super) fn made(&self, section: &str, name: &str) -> Option<Unknown> {
        let made = self
            .made
            .iter()
            .find(|made| made.section == section && made.names.matches(name));
        made.map(|made| made.unknown.clone())
    }

    /// Returns whether an entry may exist after the transforms. The Serverless Application Model
    /// adds roles, stages, permissions and more to its resources.
    pub(super) fn may_have(&self, section: &str, name: &str) -> bool {
        self.made(section, name).is_some() || (section == "Resources" && self.is_serverless())
    }

    /// Returns whether a section may get additional entries.
    pub(super) fn may_add_to(&self, section: &str) -> bool {
        self.made.iter().any(|made| made.section == section)
    }

    /// Returns whether the template names any transform.
    pub(super) fn are_any(&self) -> bool {
        !self.names.is_empty()
    }

    /// Returns macros that may change anything in the template: the account's own ones and those
    /// unknown here.
    pub(super) fn unknown(&self) -> Option<Unknown> {
        let unknown = self.of_aws().filter(|name| *name != SERVERLESS).map(named);
        Unknown::all(unknown.chain(self.over_sections.iter().cloned()))
    }

    /// Returns all macros that only AWS can run, including those called inside of the template.
    pub(super) fn only_aws_runs(&self) -> Option<Unknown> {
        Unknown::all(
            self.of_aws()
                .map(named)
                .chain(self.over_sections.iter().chain(&self.called).cloned()),
        )
    }

    /// Returns why a failure isn't certain: macros may change the part with the failure.
    pub(super) fn doubt(&self) -> Option<Unknown> {
        Unknown::all(
            self.unknown()
                .into_iter()
                .chain(self.called.iter().cloned()),
        )
    }

    /// Returns whether macros are called inside of the template.
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

/// The result of expanding a template.
#[derive(Default)]
pub(super) struct Expanded {
    /// The tree with its loops and includes expanded; `None` if it has none.
    pub root: Option<Node>,
    pub macros: Macros,
    pub failures: Vec<Failure>,
}

/// A macro call; malformed without a name.
pub(super) struct MacroCall<'n> {
    pub name: Option<&'n str>,
    pub parameters: Option<&'n Node>,
    pub at: Position,
}

/// Returns the macros of the `Transform` section in order.
pub(super) fn top_level(root: &Node) -> Vec<MacroCall<'_>> {
    root.get("Transform").map(calls).unwrap_or_default()
}

/// Parses a name, `{Name: …, Parameters: …}`, or a list of either.
pub(super) fn calls(node: &Node) -> Vec<MacroCall<'_>> {
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

/// Returns what isn't known about a function because macros are called anywhere in its argument.
pub(super) fn in_argument(argument: &Node) -> Option<Unknown> {
    let items = argument
        .as_sequence()
        .unwrap_or_default()
        .iter()
        .filter_map(in_argument);
    let entries = argument.entries().iter().filter_map(|(key, value)| {
        if is_call(key) {
            Some(of_calls(value))
        } else {
            in_argument(value)
        }
    });
    Unknown::all(items.chain(entries))
}

/// Returns whether a mapping's key calls a macro.
pub(super) fn is_call(key: &Node) -> bool {
    &*key.text == Function::Transform.key()
}

/// Returns the unknown result of `Fn::Transform` with this argument.
pub(super) fn of_calls(argument: &Node) -> Unknown {
    let unknowns = calls(argument)
        .into_iter()
        .filter_map(|call| call.name)
        .map(named);
    Unknown::all(unknowns).unwrap_or_else(|| Unknown::asked("a macro without a name"))
}

/// Returns whether a loop can create the name from a key as written: `QueueA` from `Queue${Name}`.
pub(super) fn can_become(key: &str, name: &str) -> bool {
    NamePattern::written(key).matches(name)
}

pub(super) fn named(name: &str) -> Unknown {
    Unknown::asked(format!("{MACRO}{name}"))
}

/// Returns the names of the account's own macros among the reasons.
pub(super) fn of_account(unknown: &Unknown) -> impl Iterator<Item = &str> {
    unknown
        .reasons()
        .filter_map(|reason| reason.what.strip_prefix(MACRO))
        .filter(|name| !name.starts_with("AWS::"))
}
