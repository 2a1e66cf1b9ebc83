//! Checks parameter values against their declarations and determines their values for `Ref`
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>).
//!
//! The messages are CloudFormation's. Apart from the one for things that don't exist, they don't
//! contain the value, which may be secret; that one leaves out values of `NoEcho` parameters.

use super::dynamic_references::{is_versionless, refers_to_stored_parameters};
use super::{Evaluator, ParameterValue, ParameterValues, Value, examples};
use crate::mask::MASK;
use crate::template::assumption::Assumption;
use crate::template::pattern::AllowedPattern;
use crate::template::value::{Failure, FailureNote, Unknown, UnknownForm, text_of};
use crate::template::{Template, TemplateParameter};
use crate::yaml::Node;

/// CloudFormation's limit for a value, in bytes.
const MAX_VALUE: usize = 4096;

/// What a parameter's `Type` says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ParameterType<'a> {
    is_list: bool,
    is_stored: bool,
    /// The type of a list's items or of the stored value: `String`, `Number`, `AWS::EC2::VPC::Id`.
    item: &'a str,
}

impl<'a> ParameterType<'a> {
    /// Parses `List<…>`, `CommaDelimitedList`, `AWS::SSM::Parameter::Value<…>` around either, or a
    /// plain type.
    fn of(kind: &'a str) -> Self {
        let inside = |kind: &'a str, around: &str| kind.strip_prefix(around)?.strip_suffix('>');
        let stored = inside(kind, "AWS::SSM::Parameter::Value<");
        let kind = stored.unwrap_or(kind);
        let (is_list, item) = match inside(kind, "List<") {
            Some(item) => (true, item),
            None if kind == "CommaDelimitedList" => (true, "String"),
            None => (false, kind),
        };
        Self {
            is_list,
            is_stored: stored.is_some(),
            item,
        }
    }

    /// Returns whether the type exists. AWS adds types, so any name in its namespace is accepted.
    fn is_known(self) -> bool {
        self.item == "String" || self.item.starts_with("AWS::") || self.item == "Number"
    }

    /// Returns the value that `Ref` gives for a text.
    fn value(self, text: &str) -> Value {
        if self.is_list {
            Value::List(items(text).map(Value::text).collect())
        } else {
            Value::text(text)
        }
    }

    /// Returns what the constraints apply to: each item of a list, the name of an SSM parameter,
    /// otherwise the whole text.
    fn checked(self, text: &str) -> Vec<&str> {
        if self.is_list && !self.is_stored {
            items(text).collect()
        } else {
            vec![text]
        }
    }

    /// Returns an unknown value of this type with what the type says about its form.
    fn formed(self, unknown: Unknown, region: &str) -> Unknown {
        let has_example = unknown.example().is_some();
        match examples::of_parameter(self.item, region) {
            Some(example) if !self.is_list && !has_example => unknown.like(example),
            _ if self.is_stored => unknown.non_empty(),
            _ => unknown,
        }
    }

    /// Returns whether CloudFormation checks that the named thing exists in the account.
    fn names_what_exists(self) -> bool {
        !self.is_stored
            && self.item.starts_with("AWS::")
            && self.item != "AWS::SSM::Parameter::Name"
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

impl Template {
    /// Returns CloudFormation's message if the declaration alone rules a value out.
    pub fn refusal(
        &self,
        parameter: &TemplateParameter,
        value: &str,
        region: &str,
    ) -> Option<String> {
        ParameterDeclaration::of(self, parameter).refusal(value, region)
    }
}

impl Evaluator<'_> {
    /// Sets the given values and the defaults of the other parameters, and records what
    /// CloudFormation would refuse.
    pub(super) fn take_parameters(&mut self, parameter_values: &ParameterValues) {
        self.refuse_undeclared(parameter_values);
        self.refuse_malformed();
        let mut missing = Vec::new();
        for parameter in &self.template.parameters {
            let given = parameter_values.get(&parameter.key);
            let value = match (given.map(|given| &given.value), &parameter.default) {
                (Some(value), _) => value.clone(),
                (None, Some(_)) => Value::String(parameter.default_text().unwrap_or_default()),
                (None, None) => {
                    missing.push(parameter);
                    continue;
                }
            };
            let value = self.taken(parameter, given, value);
            self.parameters.insert(parameter.key.clone(), value);
        }
        if let [first, ..] = missing.as_slice() {
            let keys: Vec<&str> = missing
                .iter()
                .map(|parameter| parameter.key.as_str())
                .collect();
            let message = format!("Parameters: [{}] must have values", keys.join(", "));
            self.early.push(self.failure(first.at, message));
        }
    }

    /// Refuses declarations that are invalid for any value.
    fn refuse_malformed(&mut self) {
        for parameter in &self.template.parameters {
            if !ParameterType::of(&parameter.kind).is_known() {
                let message = format!(
                    "Template format error: Unrecognized parameter type: {}",
                    parameter.kind
                );
                self.early.push(self.failure(parameter.at, message));
            }
            if let Some(default) = parameter
                .default
                .as_ref()
                .filter(|default| !default.is_scalar())
            {
                let message = "Template format error: Every Default member must be a string.";
                self.early.push(self.failure(default.at, message));
            }
            if let Some(default) = parameter
                .default
                .as_ref()
                .filter(|default| is_versionless(&text_of(default)))
            {
                let key = &parameter.key;
                let message = format!(
                    "Template error: parameter {key} should not contain ssm versionless resolver"
                );
                self.early.push(self.failure(default.at, message));
            }
        }
    }

    fn refuse_undeclared(&mut self, parameter_values: &ParameterValues) {
        let declared = |key: &str| {
            self.template
                .parameters
                .iter()
                .any(|parameter| parameter.key == key)
        };
        let undeclared: Vec<_> = parameter_values
            .iter()
            .filter(|(key, _)| !declared(key))
            .collect();
        if undeclared.is_empty() {
            return;
        }
        let keys: Vec<&str> = undeclared.iter().map(|(key, _)| key.as_str()).collect();
        let at = self
            .template
            .root
            .get("Parameters")
            .unwrap_or(&self.template.root)
            .at;
        let message = format!(
            "Parameters: [{}] do not exist in the template",
            keys.join(", ")
        );
        let notes = undeclared
            .iter()
            .flat_map(|(_, given)| given.set.clone())
            .collect();
        self.early.push(Failure {
            notes,
            ..self.failure(at, message)
        });
    }

    /// Sets a parameter. A refused value is unknown to the rest of the template, so that it fails
    /// only once.
    fn taken(
        &mut self,
        parameter: &TemplateParameter,
        given: Option<&ParameterValue>,
        value: Value,
    ) -> Value {
        let declaration = ParameterDeclaration::of(self.template, parameter);
        let notes = given.map(|given| given.set.clone()).unwrap_or_default();
        let text = match (value.as_text(), value) {
            (Some(text), _) => text,
            (None, unknown) => {
                let unknown = unknown
                    .unknown()
                    .unwrap_or_else(|| Unknown::asked(format!("parameter {}", parameter.key)));
                return self.taken_unknown(&declaration, notes, unknown);
            }
        };
        if self.environment.is_made_up(&parameter.key) {
            let stored =
                || Unknown::asked(format!("SSM parameter of parameter {}", parameter.key)).into();
            return if declaration.kind.is_stored {
                stored()
            } else {
                declaration.kind.value(&text)
            };
        }
        let failure = |message| Failure {
            notes: notes.clone(),
            ..self.failure(parameter.at, message)
        };
        if let Some(message) = declaration.refusal(&text, &self.place.region) {
            self.early.push(failure(message));
            return Unknown::asked(format!("parameter {}", parameter.key)).into();
        }
        if let Some((unknown, message)) = declaration.unread_pattern(&text) {
            let requirement = declaration.requirement("matches its AllowedPattern", None);
            self.required(&unknown, failure(message), requirement);
        }
        match declaration.missing(&text, |kind, value| self.environment.exists(kind, value)) {
            MissingThings::Nothing => {}
            MissingThings::Unknown(unknown, message, names) => {
                for name in names {
                    let parameter_type = declaration.kind.item.to_owned();
                    let assumption = Assumption::Named {
                        parameter_type,
                        name,
                    };
                    self.assumed(&unknown, failure(message.clone()), assumption);
                }
            }
            MissingThings::Known(message) => {
                self.early.push(failure(message));
                return Unknown::asked(format!("parameter {}", parameter.key)).into();
            }
        }
        let kind = declaration.kind;
        if !kind.is_stored {
            return self.with_stored(parameter, kind, text);
        }
        match self.environment.ssm_parameter(&text, kind.is_list) {
            Ok(Value::String(stored)) => kind.value(&stored),
            Ok(Value::Unknown(unknown)) => kind.formed(unknown, &self.place.region).into(),
            Ok(value) => value,
            Err(message) => {
                self.early.push(failure(message));
                Unknown::asked(format!("parameter {}", parameter.key)).into()
            }
        }
    }

    /// Resolves the SSM parameters that a value refers to.
    fn with_stored(
        &mut self,
        parameter: &TemplateParameter,
        kind: ParameterType,
        text: String,
    ) -> Value {
        if !refers_to_stored_parameters(&text) {
            return kind.value(&text);
        }
        match self.resolved(Value::String(text), parameter.at) {
            Ok(Value::String(resolved)) => kind.value(&resolved),
            Ok(unknown) => unknown,
            Err(failures) => {
                self.early.extend(failures);
                Unknown::asked(format!("parameter {}", parameter.key)).into()
            }
        }
    }

    /// Sets a parameter to an unknown value: a list if the number of its items is known.
    fn taken_unknown(
        &self,
        declaration: &ParameterDeclaration,
        notes: Vec<FailureNote>,
        unknown: Unknown,
    ) -> Value {
        let kind = declaration.kind;
        if kind.is_stored {
            return kind
                .formed(unknown.with_form(UnknownForm::Any), &self.place.region)
                .into();
        }
        let unknown = kind.formed(unknown, &self.place.region);
        self.doubt(declaration, notes, &unknown);
        let items = kind.is_list.then(|| unknown.items()).flatten();
        items.map_or(Value::Unknown(unknown), Value::List)
    }

    /// Records that an unknown value may violate the declaration, unless its form fits.
    fn doubt(
        &self,
        declaration: &ParameterDeclaration,
        notes: Vec<FailureNote>,
        unknown: &Unknown,
    ) {
        let fits = |example| declaration.refusal(example, &self.place.region).is_none();
        if unknown.example().is_some_and(fits) {
            return;
        }
        if let Some((message, constraint)) = declaration.any_constraint() {
            let failure = Failure {
                notes,
                ..self.failure(declaration.parameter.at, message)
            };
            let requirement = declaration.requirement(constraint, Some(unknown));
            self.required(unknown, failure, requirement);
        }
    }
}

/// Whether something that a value names doesn't exist.
enum MissingThings {
    Nothing,
    /// Not known; with the failure if it doesn't exist, and what isn't known to exist.
    Unknown(Unknown, String, Vec<String>),
    /// Doesn't exist; with the failure.
    Known(String),
}

/// A parameter's declaration in the template.
struct ParameterDeclaration<'a> {
    parameter: &'a TemplateParameter,
    kind: ParameterType<'a>,
    node: Option<&'a Node>,
}

impl<'a> ParameterDeclaration<'a> {
    fn of(template: &'a Template, parameter: &'a TemplateParameter) -> Self {
        Self {
            parameter,
            kind: ParameterType::of(&parameter.kind),
            node: template.declaration(parameter),
        }
    }

    /// Returns CloudFormation's message if the declaration alone rules the value out.
    fn refusal(&self, text: &str, region: &str) -> Option<String> {
        let key = &self.parameter.key;
        if text.len() > MAX_VALUE {
            return Some(format!(
                "Parameter '{key}' must contain at most {MAX_VALUE} bytes"
            ));
        }
        let checked = self.kind.checked(text);
        if self.kind.item == "Number"
            && !self.kind.is_stored
            && !checked.iter().all(|item| number(item).is_some())
        {
            return Some(format!("Parameter '{key}' must be a number."));
        }
        if self.kind.item == "AWS::EC2::AvailabilityZone::Name" && !self.kind.is_stored {
            let elsewhere = checked
                .iter()
                .find(|zone| !zone.is_empty() && !zone.starts_with(region));
            if let Some(zone) = elsewhere {
                return Some(self.does_not_exist(zone));
            }
        }
        let broken = checked
            .iter()
            .find_map(|item| self.broken_constraint(item))?;
        Some(match self.text("ConstraintDescription") {
            Some(description) => {
                format!("Parameter {key} failed to satisfy constraint: {description}")
            }
            None => broken,
        })
    }

    /// Returns the message for the first constraint that a value violates.
    fn broken_constraint(&self, item: &str) -> Option<String> {
        let key = &self.parameter.key;
        if let Some(allowed) = self.get("AllowedValues").and_then(Node::as_sequence)
            && !allowed.iter().any(|allowed| self.is_same(allowed, item))
        {
            return Some(format!("Parameter '{key}' must be one of AllowedValues"));
        }
        if let Some(pattern) = self.text("AllowedPattern")
            && AllowedPattern::of(&pattern).is_some_and(|it| it.matches(item) == Some(false))
        {
            return Some(format!("Parameter '{key}' must match pattern {pattern}"));
        }
        let length = item.chars().count();
        if self.kind.item == "Number" && !self.kind.is_stored {
            return self.outside_of_bounds(number(item)?);
        }
        match (self.count("MinLength"), self.count("MaxLength")) {
            (Some(least), _) if length < least => Some(format!(
                "Parameter '{key}' must contain at least {least} characters"
            )),
            (_, Some(most)) if length > most => Some(format!(
                "Parameter '{key}' must contain at most {most} characters"
            )),
            _ => None,
        }
    }

    fn outside_of_bounds(&self, value: f64) -> Option<String> {
        let key = &self.parameter.key;
        let bound = |name| {
            let text = self.text(name)?;
            let value = number(&text)?;
            Some((text, value))
        };
        match (bound("MinValue"), bound("MaxValue")) {
            (Some((text, least)), _) if value < least => Some(format!(
                "Parameter '{key}' must be a number not less than {text}"
            )),
            (_, Some((text, most))) if value > most => Some(format!(
                "Parameter '{key}' must be a number not greater than {text}"
            )),
            _ => None,
        }
    }

    /// Returns a pattern that only AWS can match.
    fn unread_pattern(&self, text: &str) -> Option<(Unknown, String)> {
        let key = &self.parameter.key;
        let pattern = self.text("AllowedPattern")?;
        if AllowedPattern::of(&pattern)
            .and_then(|it| it.matches(text))
            .is_some()
        {
            return None;
        }
        let unknown = Unknown::asked(format!(
            "AllowedPattern of parameter {key}, which only Java supports"
        ));
        Some((
            unknown,
            format!("Parameter '{key}' must match pattern {pattern}"),
        ))
    }

    /// Returns whether something that a value names doesn't exist, according to `exists`.
    fn missing(&self, text: &str, exists: impl Fn(&str, &str) -> Option<bool>) -> MissingThings {
        if !self.kind.names_what_exists() {
            return MissingThings::Nothing;
        }
        let named = self
            .kind
            .checked(text)
            .into_iter()
            .filter(|value| !value.is_empty());
        let known: Vec<_> = named
            .map(|value| (value, exists(self.kind.item, value)))
            .collect();
        if let Some((value, _)) = known.iter().find(|(_, exists)| *exists == Some(false)) {
            return MissingThings::Known(self.does_not_exist(value));
        }
        if !known.is_empty() && known.iter().all(|(_, exists)| *exists == Some(true)) {
            return MissingThings::Nothing;
        }
        let shown = if self.parameter.no_echo { MASK } else { text };
        let unknown = Unknown::asked(format!("whether {} {shown} exists", self.kind.item));
        let unsure = known.iter().filter(|(_, exists)| exists.is_none());
        let names = unsure.map(|(value, _)| (*value).to_owned()).collect();
        MissingThings::Unknown(unknown, self.does_not_exist(shown), names)
    }

    fn does_not_exist(&self, value: &str) -> String {
        let value = if self.parameter.no_echo { MASK } else { value };
        let key = &self.parameter.key;
        format!(
            "Parameter validation failed: parameter value {value} for parameter name {key} does \
             not exist"
        )
    }

    /// Returns the message for an unknown value, and the constraint that it must meet, if the
    /// parameter has one.
    fn any_constraint(&self) -> Option<(String, &'static str)> {
        let key = &self.parameter.key;
        if self.get("AllowedValues").is_some() {
            let message = format!("Parameter '{key}' must be one of AllowedValues");
            return Some((message, "is one of its AllowedValues"));
        }
        let pattern = self.text("AllowedPattern")?;
        let message = format!("Parameter '{key}' must match pattern {pattern}");
        Some((message, "matches its AllowedPattern"))
    }

    /// Describes what the value must be: ``the value of parameter `Size` (SSM parameter /size) is
    /// one of its AllowedValues``.
    fn requirement(&self, constraint: &str, unknown: Option<&Unknown>) -> String {
        let key = &self.parameter.key;
        let source = unknown.map(|unknown| format!(" ({unknown})"));
        let source = source.unwrap_or_default();
        format!("the value of parameter `{key}`{source} {constraint}")
    }

    /// Compares with an allowed value: as text after YAML's conversion (`8` for `010`, `true` for
    /// `Yes`), numbers as numbers.
    fn is_same(&self, allowed: &Node, item: &str) -> bool {
        let text = text_of(allowed);
        text == item
            || self.kind.item == "Number"
                && number(item).is_some_and(|value| number(&text) == Some(value))
    }

    fn count(&self, name: &str) -> Option<usize> {
        self.text(name)?.trim().parse().ok()
    }

    /// Returns the text of a scalar in the declaration.
    fn text(&self, name: &str) -> Option<String> {
        self.get(name).filter(|it| it.is_scalar()).map(text_of)
    }

    fn get(&self, name: &str) -> Option<&Node> {
        self.node?.get(name)
    }
}

/// Parses integers and decimals that the type `Number` accepts.
fn number(text: &str) -> Option<f64> {
    text.trim()
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::OfflineEnvironment;
    use super::super::tests::{parameter_values, place, said, stack, template};
    use super::*;
    use crate::diagnostic::Location;
    use crate::template::{Templates, evaluate};

    /// Evaluates a parameter `P` on line 2 with this declaration and value.
    #[track_caller]
    fn check(declared: &str, value: &str, expect: &[&str]) {
        let text = format!("Parameters:\n  P: {{{declared}}}\nResources: {{Q: {{Type: T}}}}\n");
        let expect: Vec<String> = expect
            .iter()
            .map(|message| format!("2: {message}"))
            .collect();
        assert_eq!(
            said(&stack(&text, "us-east-1", &[("P", value)])),
            expect,
            "{declared} and {value:?}"
        );
    }

    #[test]
    fn constraints_have_cloudformations_messages() {
        let allowed = "Type: String, AllowedValues: [a, 1, yes, '010']";
        for value in ["a", "1", "true", "010"] {
            check(allowed, value, &[]);
        }
        for value in ["b", "yes", "8"] {
            check(
                allowed,
                value,
                &["Parameter 'P' must be one of AllowedValues"],
            );
        }
        check(
            "Type: CommaDelimitedList, AllowedValues: [a, b]",
            "a, b",
            &[],
        );
        check(
            "Type: CommaDelimitedList, AllowedValues: [a, b]",
            "a,c",
            &["Parameter 'P' must be one of AllowedValues"],
        );
        check("Type: String, AllowedPattern: '[a-z]+'", "abc", &[]);
        check(
            "Type: String, AllowedPattern: '[a-z]+'",
            "abc1",
            &["Parameter 'P' must match pattern [a-z]+"],
        );
        check(
            "Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: lower case only",
            "A",
            &["Parameter P failed to satisfy constraint: lower case only"],
        );
        check("Type: String, MinLength: '2', MaxLength: 3", "ää", &[]);
        check(
            "Type: String, MinLength: '2'",
            "a",
            &["Parameter 'P' must contain at least 2 characters"],
        );
        check(
            "Type: String, MaxLength: 3",
            "abcd",
            &["Parameter 'P' must contain at most 3 characters"],
        );
        check(
            "Type: String",
            &"x".repeat(4097),
            &["Parameter 'P' must contain at most 4096 bytes"],
        );
    }

    /// Scalars without quotes are resolved by YAML 1.1 in every part of a declaration.
    #[test]
    fn booleans_and_numbers_become_text_by_one_rule() {
        let given = |declared: &str, expect: &str| {
            let text = format!("Parameters:\n  P: {{{declared}}}\nResources: {{Q: {{Type: T}}}}\n");
            let stack = stack(&text, "us-east-1", &[]);
            assert_eq!(
                (said(&stack), stack.parameters["P"].to_json()),
                (vec![], expect.into()),
                "{declared}"
            );
        };
        given(
            "Type: String, Default: True, AllowedValues: [true, false]",
            "true",
        );
        given(
            "Type: String, Default: OFF, AllowedValues: [Yes, No]",
            "false",
        );
        given(
            "Type: String, Default: 'true', AllowedValues: [on, off]",
            "true",
        );
        given("Type: String, Default: 010, AllowedValues: [8, 0x10]", "8");
        given(
            "Type: String, Default: '16', AllowedValues: [8, 0x10]",
            "16",
        );
        given("Type: String, Default: 1.10, AllowedValues: [1.1]", "1.1");
        given(
            "Type: Number, Default: 0x1F, MinValue: 0x1F, MaxValue: 037",
            "31",
        );
        given(
            "Type: String, Default: yes, AllowedPattern: true, MinLength: 04, MaxLength: 0b100",
            "true",
        );
        given(
            "Type: String, Default: 2012-10-17, AllowedValues: [2012-10-17]",
            "2012-10-17",
        );
        check(
            "Type: Number, MinValue: 010",
            "7",
            &["Parameter 'P' must be a number not less than 8"],
        );
        check(
            "Type: String, AllowedPattern: 010",
            "9",
            &["Parameter 'P' must match pattern 8"],
        );
        check(
            "Type: String, MaxLength: 010",
            "123456789",
            &["Parameter 'P' must contain at most 8 characters"],
        );
        check(
            "Type: String, AllowedValues: [a], ConstraintDescription: No",
            "b",
            &["Parameter P failed to satisfy constraint: false"],
        );
    }

    #[test]
    fn numbers_are_numbers() {
        check("Type: Number", "1.5", &[]);
        check("Type: Number", "ten", &["Parameter 'P' must be a number."]);
        check("Type: Number, MinValue: 1, MaxValue: '10'", "10", &[]);
        check(
            "Type: Number, MinValue: 1",
            "0.5",
            &["Parameter 'P' must be a number not less than 1"],
        );
        check(
            "Type: Number, MaxValue: 10",
            "11",
            &["Parameter 'P' must be a number not greater than 10"],
        );
        check("Type: Number, AllowedValues: [1, 2]", "1.0", &[]);
        check("Type: List<Number>", "1, 2", &[]);
        check(
            "Type: List<Number>",
            "1,x",
            &["Parameter 'P' must be a number."],
        );
        check(
            "Type: 'AWS::SSM::Parameter::Value<List<Number>>'",
            "/name",
            &[],
        );
    }

    #[test]
    fn declarations_that_cannot_be_read_are_refused() {
        check(
            "Type: Strin",
            "x",
            &["Template format error: Unrecognized parameter type: Strin"],
        );
        check("Type: List<String>", "x", &[]);
        check("Type: 'AWS::New::Thing::Id'", "x", &[]);
        check(
            "Type: CommaDelimitedList, Default: [a, b]",
            "x",
            &["Template format error: Every Default member must be a string."],
        );
    }

    #[test]
    fn zones_of_other_regions_do_not_exist() {
        let message = "Parameter validation failed: parameter value us-west-2a for parameter name \
            P does not exist";
        check(
            "Type: 'AWS::EC2::AvailabilityZone::Name'",
            "us-east-1a",
            &[],
        );
        check(
            "Type: 'AWS::EC2::AvailabilityZone::Name'",
            "us-west-2a",
            &[message],
        );
        check(
            "Type: 'List<AWS::EC2::AvailabilityZone::Name>'",
            "us-east-1a, us-west-2a",
            &[message],
        );
    }

    #[test]
    fn values_without_a_declaration_and_declarations_without_a_value() {
        let text = "Parameters:\n  A: {Type: String}\n  B: {Type: String, Default: x}\n  C: {Type: \
            String}\nResources: {Q: {Type: T}}\n";
        assert_eq!(
            said(&stack(text, "us-east-1", &[("D", "1"), ("E", "2")])),
            [
                "2: Parameters: [D, E] do not exist in the template",
                "2: Parameters: [A, C] must have values"
            ]
        );
    }

    #[test]
    fn a_failure_notes_where_the_value_was_set_and_does_not_tell_it() {
        let template = template(
            "Parameters:\n  P: {Type: String, NoEcho: true, AllowedPattern: x}\nResources: {Q: \
             {Type: T}}\n",
        );
        let templates = Templates::default();
        let mut parameter_values = parameter_values(&[("P", "hunter2")]);
        let at = Location {
            file: std::path::Path::new(".taskcat.yml").into(),
            at: crate::diagnostic::Position { line: 7, column: 3 },
        };
        let note = FailureNote {
            message: "parameter P is set here".to_owned(),
            at: Some(at),
            is_secret: true,
        };
        parameter_values["P"].set = vec![note.clone()];
        let stack = evaluate(
            &template,
            &place("us-east-1"),
            &parameter_values,
            &OfflineEnvironment(&templates),
        );
        assert_eq!(stack.failures[0].notes, [note]);
        assert!(!format!("{stack:?}").contains("hunter2"), "{stack:?}");
    }

    #[test]
    fn values_that_only_aws_knows_are_undecided() {
        let check = |declared: &str, value: &str, expect: &[(&str, &str)]| {
            let text = format!("Parameters:\n  P: {{{declared}}}\nResources: {{Q: {{Type: T}}}}\n");
            let stack = stack(&text, "us-east-1", &[("P", value)]);
            assert_eq!(said(&stack), [""; 0], "{declared}");
            let undecided: Vec<_> = stack
                .undecided
                .iter()
                .map(|it| (it.unknown.to_string(), &*it.failure.message))
                .collect();
            let expect: Vec<_> = expect
                .iter()
                .map(|(unknown, message)| ((*unknown).to_owned(), *message))
                .collect();
            assert_eq!(undecided, expect, "{declared}");
        };
        check(
            "Type: 'AWS::EC2::KeyPair::KeyName'",
            "cikey",
            &[(
                "whether AWS::EC2::KeyPair::KeyName cikey exists",
                "Parameter validation failed: parameter value cikey for parameter name P does not \
                 exist",
            )],
        );
        check("Type: 'AWS::SSM::Parameter::Name'", "/a", &[]);
        check(
            "Type: String, AllowedPattern: '['",
            "x",
            &[(
                "AllowedPattern of parameter P, which only Java supports",
                "Parameter 'P' must match pattern [",
            )],
        );
    }

    #[test]
    fn values_are_text_lists_or_unknown() {
        let check = |kind: &str, value: &str, expect: serde_json::Value| {
            let text =
                format!("Parameters:\n  P: {{Type: '{kind}'}}\nResources: {{Q: {{Type: T}}}}\n");
            let stack = stack(&text, "us-east-1", &[("P", value)]);
            assert_eq!(stack.parameters["P"].to_json(), expect, "{kind}");
        };
        check("String", " a,b ", " a,b ".into());
        check("Number", "010", "010".into());
        check(
            "CommaDelimitedList",
            "a, b ,c",
            serde_json::json!(["a", "b", "c"]),
        );
        check(
            "List<AWS::EC2::Subnet::Id>",
            "subnet-1,subnet-2",
            serde_json::json!(["subnet-1", "subnet-2"]),
        );
        check(
            "AWS::SSM::Parameter::Value<String>",
            "/x",
            serde_json::json!({"Unknown": "SSM parameter /x"}),
        );
    }
}
