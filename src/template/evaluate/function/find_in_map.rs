//! `Fn::FindInMap`: looks up a value in the `Mappings` section by map and two keys, with an
//! optional default; with AWS::LanguageExtensions any function may be an argument
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-findinmap.html>).
//!
//! The default used to require the extensions and no longer does
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-findinmap-enhancements.html>,
//! <https://github.com/aws-cloudformation/cfn-lint/issues/4627>).

use crate::diagnostic::Position;
use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::expression::{FindInMap, Function, FunctionCall};
use crate::template::value::{
    Evaluated, Failure, FailureNote, Failures, Unknown, UnknownForm, Value, together,
};
use crate::yaml::Node;

const MALFORMED: &str = "Template error: every Fn::FindInMap object requires three parameters, the \
    map name, map key and \
                         the attribute for return value";

/// Evaluates `[map, first, second]`, optionally followed by `{DefaultValue: …}`.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    let malformed = || evaluator.fail(argument.at, MALFORMED);
    let is_extended = evaluator.macros.has_language_extensions();
    let Some(it) = FindInMap::of(argument) else {
        return Err(malformed());
    };
    let has_no_default = it.options.is_some() && it.default().is_none();
    if !is_extended && (has_no_default || !it.keys.iter().all(|key| is_plain(key))) {
        return Err(malformed());
    }
    let keys = together(
        it.keys
            .iter()
            .map(|key| match evaluator.value(key, scope)? {
                Value::Unknown(unknown) => Ok(MapKey::Unknown(unknown)),
                value => value.as_text().map(MapKey::Known).ok_or_else(malformed),
            }),
    )?;
    let Ok([map, first, second]) = <[MapKey; 3]>::try_from(keys) else {
        return Err(malformed());
    };
    MapSearch {
        evaluator,
        map,
        first,
        second,
        at: argument.at,
        scope,
    }
    .result(it.default())
}

/// Returns whether an argument is allowed without the extensions: a string, `Ref` or
/// `Fn::FindInMap`.
fn is_plain(key: &Node) -> bool {
    let is_accepted = |function| matches!(function, Function::Ref | Function::FindInMap);
    key.is_scalar()
        || FunctionCall::of(key)
            .and_then(|call| call.function)
            .is_some_and(is_accepted)
}

/// A key to look up.
enum MapKey {
    Known(String),
    Unknown(Unknown),
}

impl MapKey {
    /// Returns whether a key of the template may match. One written as `010` or `Yes` also matches
    /// `8` or `true`.
    fn may_be(&self, key: &Node) -> bool {
        match self {
            Self::Unknown(_) => key.is_scalar(),
            Self::Known(name) => {
                key.is_scalar() && (&*key.text == name.as_str() || is_read_as(key, name))
            }
        }
    }

    fn unknown(&self) -> Option<Unknown> {
        match self {
            Self::Unknown(unknown) => Some(unknown.clone()),
            Self::Known(_) => None,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Known(name) => name.clone(),
            Self::Unknown(unknown) => format!("<{unknown}>"),
        }
    }
}

fn is_read_as(key: &Node, name: &str) -> bool {
    let text = match key.to_json() {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    text == name
}

struct MapSearch<'e> {
    evaluator: &'e Evaluator<'e>,
    map: MapKey,
    first: MapKey,
    second: MapKey,
    at: Position,
    scope: EvaluationScope,
}

impl<'e> MapSearch<'e> {
    fn result(&self, default: Option<&Node>) -> Evaluated {
        if let Some(unknown) = self.made_by_transform() {
            return Ok(unknown.into());
        }
        let found = self.found()?;
        let unknown = Unknown::all(
            [&self.map, &self.first, &self.second]
                .into_iter()
                .filter_map(|key| key.unknown()),
        );
        match (found.as_slice(), default, unknown) {
            // The key doesn't exist, whatever the unknown value is.
            ([], None, _) => Err(self.failure().into()),
            ([], Some(default), _) => self.evaluator.value(default, self.scope),
            ([first, ..], _, None) => self.value(first),
            (found, default, Some(unknown)) => self.candidates(found, default, unknown),
        }
    }

    /// Returns the value if all candidates and the default are the same, otherwise an unknown one.
    fn candidates(&self, found: &[&Node], default: Option<&Node>, unknown: Unknown) -> Evaluated {
        if default.is_none() {
            let map = self.map.shown();
            let first = self.first.shown();
            let second = self.second.shown();
            let requirement = format!("mapping `{map}` has a value for {first}, {second}");
            self.evaluator
                .required(&unknown, self.failure(), requirement);
        }
        let mut same = None;
        let default = default.map(|default| self.evaluator.value(default, self.scope));
        for value in found.iter().map(|node| self.value(node)).chain(default) {
            match value {
                Ok(value) if same.as_ref().is_none_or(|same| *same == value) => same = Some(value),
                Ok(_) => return Ok(unknown.with_form(UnknownForm::Any).into()),
                Err(failures) => {
                    failures
                        .into_iter()
                        .for_each(|failure| self.evaluator.undecided(&unknown, failure));
                    return Ok(unknown.with_form(UnknownForm::Any).into());
                }
            }
        }
        Ok(same.unwrap_or_else(|| unknown.with_form(UnknownForm::Any).into()))
    }

    /// Returns the value of a mapping's entry. Entries that can't be values have been reported with
    /// the mapping.
    fn value(&self, node: &Node) -> Evaluated {
        match node.as_mapping() {
            Some(_) => Ok(Unknown::asked(format!("mapping {}", self.map.shown())).into()),
            None => self.evaluator.value(node, self.scope),
        }
    }

    /// Returns why nothing is known about the mappings or about this one.
    fn made_by_transform(&self) -> Option<Unknown> {
        let macros = &self.evaluator.macros;
        match &self.map {
            MapKey::Known(map) => macros.made("Mappings", map),
            MapKey::Unknown(unknown) => macros.may_add_to("Mappings").then(|| unknown.clone()),
        }
    }

    /// Returns all entries that it may be.
    fn found(&self) -> Result<Vec<&'e Node>, Failures> {
        let maps: Vec<&Node> = match &self.map {
            MapKey::Known(map) => self
                .evaluator
                .entry("Mappings", map)
                .into_iter()
                .map(|(_, map)| map)
                .collect(),
            MapKey::Unknown(_) => self
                .evaluator
                .section("Mappings")
                .iter()
                .map(|(_, map)| map)
                .collect(),
        };
        self.inside(&self.second, self.inside(&self.first, maps)?)
    }

    /// Returns the entries of mappings that a key may match; the last one of duplicates.
    fn inside(&self, key: &MapKey, mappings: Vec<&'e Node>) -> Result<Vec<&'e Node>, Failures> {
        let mut found = Vec::new();
        for mapping in mappings {
            let entries = mapping.entries();
            self.evaluator.spend(entries.len(), self.at)?;
            let mut entries = entries
                .iter()
                .rev()
                .filter(|(name, _)| key.may_be(name))
                .map(|(_, value)| value);
            match key {
                MapKey::Known(_) => found.extend(entries.next()),
                MapKey::Unknown(_) => found.extend(entries),
            }
        }
        Ok(found)
    }

    /// Returns CloudFormation's failure, with the location of the mapping or of the part that lacks
    /// the key.
    fn failure(&self) -> Failure {
        let evaluator = self.evaluator;
        let map = self.map.shown();
        let first = self.first.shown();
        let second = self.second.shown();
        let message = format!("Template error: Unable to get mapping for {map}::{first}::{second}");
        let MapKey::Known(name) = &self.map else {
            return evaluator.failure(self.at, message);
        };
        let Some((name, mapping)) = evaluator.entry("Mappings", name) else {
            let message = format!(
                "Template error: Mapping named '{map}' is not present in the 'Mappings' section of \
                 template."
            );
            return evaluator.failure(self.at, message);
        };
        let key = match &self.first {
            MapKey::Known(_) => mapping
                .entries()
                .iter()
                .map(|(key, _)| key)
                .rfind(|key| self.first.may_be(key)),
            MapKey::Unknown(_) => None,
        };
        let (what, at) = match (key, &self.first) {
            (Some(key), _) => (
                format!("{first} in mapping {map} is defined here, without {second}"),
                key.at,
            ),
            (None, MapKey::Known(_)) => (
                format!("mapping {map} is defined here, without {first}"),
                name.at,
            ),
            (None, MapKey::Unknown(_)) => (format!("mapping {map} is defined here"), name.at),
        };
        let note = FailureNote {
            message: what,
            at: Some(evaluator.location(at)),
            is_secret: false,
        };
        Failure {
            notes: vec![note],
            ..evaluator.failure(self.at, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::template::FailureNote;
    use crate::template::evaluate::tests::stack;

    /// Returns the failure of a property on line 6 and its notes, each with its line.
    #[track_caller]
    fn check(property: &str, message: &str, note: Option<(u32, &str)>) {
        let text = format!(
            "Mappings:\n  M:\n    a: {{k: 1}}\n    b: {{k: 2}}\nResources:\n  R: {{Type: T, \
             Properties: {{V: {property}}}}}\n"
        );
        let stack = stack(&text, "eu-west-1", &[]);
        let [failure] = stack.failures.as_slice() else {
            panic!("{:?}", stack.failures)
        };
        assert_eq!((failure.at.at.line, &*failure.message), (6, message));
        let place = |note: &FailureNote| (note.at.clone().unwrap().at.line, note.message.clone());
        let noted: Vec<_> = failure.notes.iter().map(place).collect();
        assert_eq!(
            noted,
            note.map(|(line, said)| (line, said.to_owned()))
                .into_iter()
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_failure_is_at_the_function_and_notes_the_mapping() {
        check(
            "!FindInMap [M, !Ref AWS::Region, k]",
            "Template error: Unable to get mapping for M::eu-west-1::k",
            Some((2, "mapping M is defined here, without eu-west-1")),
        );
        check(
            "!FindInMap [M, b, l]",
            "Template error: Unable to get mapping for M::b::l",
            Some((4, "b in mapping M is defined here, without l")),
        );
        check(
            "!FindInMap [M, !Ref AWS::AccountId, l]",
            "Template error: Unable to get mapping for M::<AWS::AccountId>::l",
            Some((2, "mapping M is defined here")),
        );
        check(
            "!FindInMap [N, a, k]",
            "Template error: Mapping named 'N' is not present in the 'Mappings' section of \
             template.",
            None,
        );
    }
}
