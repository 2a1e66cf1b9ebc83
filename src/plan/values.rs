//! Determines the parameters of a test's stacks and their origin: the configuration or the
//! template's defaults.
//!
//! Follows `Config.get_rendered_parameters` and `Template.parameters`: a declared parameter gets
//! the configured value. Without one, a default that is a string or a list is sent like a
//! configured value, since it may contain pseudo-parameters; other defaults are left to
//! CloudFormation (TaskCat then drops even a configured value).

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::parameters::{ParameterSourceText, TestParameters};
use crate::config::{ConfiguredParameter, LoadedConfig, TestConfig, ValueOrigin};
use crate::diagnostic::Diagnostic;
use crate::spelling::nearest;
use crate::template::{FailureNote, Template, TemplateParameter};
use crate::yaml::{Node, NodeValue};

/// The key of a test's own parameters.
pub(super) const PARAMETERS: &str = "parameters";

/// A test's parameters in the template's order.
#[derive(Clone, Debug, Default)]
pub(super) struct TemplateParameters {
    pub parameters: TestParameters,
    /// Parameters that aren't sent, since the template's default applies; a `getval` may refer to
    /// them.
    pub unsent: Vec<String>,
    /// Where each value is set, in the same order.
    pub notes: Vec<FailureNote>,
}

/// Collects the parameters of all tests.
pub(super) struct TemplateParametersReader<'a> {
    loaded: &'a LoadedConfig,
    /// Configured values by name and origin, since one value may apply to many tests.
    given: IndexMap<(String, Option<ValueOrigin>), ConfiguredValue>,
}

/// A configured value and whether it is used.
#[derive(Default)]
struct ConfiguredValue {
    is_declared: bool,
    /// Templates that don't declare it.
    templates: BTreeSet<String>,
    nearest: Option<String>,
}

impl<'a> TemplateParametersReader<'a> {
    pub(super) fn new(loaded: &'a LoadedConfig) -> Self {
        Self {
            loaded,
            given: IndexMap::new(),
        }
    }

    /// Returns a test's values and problems. `section` is the key whose parameters take precedence
    /// over the test's own: its `parameters`, or those of `update_from`.
    pub(super) fn test(
        &mut self,
        name: &str,
        section: &str,
        test: &TestConfig,
        template: &Template,
    ) -> (TemplateParameters, Vec<Diagnostic>) {
        let loaded = self.loaded;
        let path = |key: &str| {
            let overriding = format!("tests.{name}.{section}.{key}");
            match loaded.origin(&overriding) {
                Some(_) => overriding,
                None => format!("tests.{name}.{PARAMETERS}.{key}"),
            }
        };
        self.note_given(&path, test, template);
        let mut sources = Vec::new();
        let mut unsent = Vec::new();
        let mut notes = Vec::new();
        let mut missing = Vec::new();
        for parameter in &template.parameters {
            let key = parameter.key.clone();
            let no_echo = parameter.no_echo;
            match (test.parameters.get(&key), &parameter.default) {
                (Some(value), _) => {
                    notes.push(set_by(&key, loaded.origin(&path(&key)), no_echo));
                    let location = loaded.location(&path(&key));
                    sources.push(ParameterSourceText {
                        key,
                        values: configured(value, parameter),
                        no_echo,
                        location,
                    });
                }
                (None, Some(default)) => {
                    if !is_sent(default) {
                        unsent.push(key.clone());
                    }
                    let location = Some(template.location(default.at));
                    let message = format!("parameter {key} has its default here");
                    notes.push(FailureNote {
                        message,
                        at: location.clone(),
                        is_secret: no_echo,
                    });
                    sources.push(ParameterSourceText {
                        key,
                        values: parameter.default_texts(),
                        no_echo,
                        location,
                    });
                }
                (None, None) => missing.push(parameter),
            }
        }
        let mut problems = Vec::new();
        if !missing.is_empty() {
            problems.push(self.missing(name, section, &missing, template));
        }
        let parameters = TestParameters::parse(sources).unwrap_or_else(|diagnostics| {
            problems.extend(diagnostics);
            TestParameters::default()
        });
        (
            TemplateParameters {
                parameters,
                unsent,
                notes,
            },
            problems,
        )
    }

    /// Returns a warning for each configured value that no template declares.
    pub(super) fn into_warnings(self) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for ((key, origin), given) in self.given {
            if !given.is_declared {
                diagnostics.push(dropped(&key, origin.as_ref(), &given));
            }
        }
        diagnostics
    }

    fn note_given(
        &mut self,
        path: &impl Fn(&str) -> String,
        test: &TestConfig,
        template: &Template,
    ) {
        let declared = || {
            template
                .parameters
                .iter()
                .map(|parameter| parameter.key.as_str())
        };
        for key in test.parameters.keys() {
            let origin = self.loaded.origin(&path(key)).cloned();
            let given = self.given.entry((key.clone(), origin)).or_default();
            if declared().any(|declared| declared == key) {
                given.is_declared = true;
            } else {
                given.templates.insert(template.relative.clone());
                given.nearest = given
                    .nearest
                    .take()
                    .or_else(|| nearest(key, declared()).map(str::to_owned));
            }
        }
    }

    fn missing(
        &self,
        name: &str,
        section: &str,
        missing: &[&TemplateParameter],
        template: &Template,
    ) -> Diagnostic {
        let list = missing
            .iter()
            .map(|parameter| parameter.key.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let file = &template.relative;
        let declared = |parameter: &&TemplateParameter| {
            (
                template.location(parameter.at),
                format!("parameter {} has no default", parameter.key),
            )
        };
        let related = missing.iter().map(declared).collect();
        let message =
            format!("test `{name}` has no value for parameters that {file} requires: {list}");
        let help = format!("set them under tests.{name}.{section} or project.parameters");
        let location = self.loaded.location(&format!("tests.{name}"));
        Diagnostic {
            location,
            related,
            ..Diagnostic::error(message).help(help)
        }
    }
}

/// Returns the note about where a configured value is set.
fn set_by(key: &str, origin: Option<&ValueOrigin>, is_secret: bool) -> FailureNote {
    let at = origin.and_then(ValueOrigin::location).cloned();
    let message = match (origin, &at) {
        (Some(origin), None) => format!("parameter {key} is set by {origin}"),
        _ => format!("parameter {key} is set here"),
    };
    FailureNote {
        message,
        at,
        is_secret,
    }
}

fn configured(value: &ConfiguredParameter, parameter: &TemplateParameter) -> Vec<String> {
    let default = parameter.default_text();
    let accepted: Vec<&str> = parameter
        .allowed_values
        .iter()
        .chain(&default)
        .map(String::as_str)
        .collect();
    match value {
        ConfiguredParameter::List(items) => items.iter().map(|item| item.text(&accepted)).collect(),
        ConfiguredParameter::String(_) | ConfiguredParameter::Bool(_) => {
            vec![value.text(&accepted)]
        }
    }
}

fn is_sent(default: &Node) -> bool {
    matches!(default.value, NodeValue::String(_) | NodeValue::Sequence(_))
}

fn dropped(key: &str, origin: Option<&ValueOrigin>, given: &ConfiguredValue) -> Diagnostic {
    let templates: Vec<&str> = given.templates.iter().map(String::as_str).collect();
    let why = match templates.as_slice() {
        [template] => format!("{template} does not declare it"),
        templates => format!("none of {} declares it", templates.join(", ")),
    };
    let location = origin.and_then(ValueOrigin::location).cloned();
    let from = match (origin, &location) {
        (Some(origin), None) => format!("{origin}: "),
        _ => String::new(),
    };
    let help = given
        .nearest
        .as_ref()
        .map(|near| format!("did you mean `{near}`?"));
    Diagnostic {
        location,
        help,
        ..Diagnostic::warning(format!("{from}ignoring parameter `{key}`: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::draft::tests::TempProject;
    use crate::plan::{LookupAnswers, ProfileIdentities, ProfileIdentity};

    /// Returns what is sent for these declarations and these configured parameters.
    fn check(declared: &str, configured: &str, expect: &[(&str, &str)]) {
        let template = format!("Parameters: {declared}\nResources: {{}}\n");
        let config = format!(
            "project: {{name: p, template: t.yaml, regions: [us-east-1]}}\ntests: {{one: \
             {{parameters: {configured}}}}}\n"
        );
        let project = TempProject::new(&[(".taskcat.yml", &config), ("t.yaml", &template)]);
        let (draft, _) = project
            .draft()
            .unwrap_or_else(|errors| panic!("{declared} {configured}\n{errors:?}"));
        let regions = vec!["us-east-1".to_owned()];
        let identity = ProfileIdentity {
            account_id: "1".to_owned(),
            partition: "aws".to_owned(),
            regions,
        };
        let identities =
            ProfileIdentities::from([(("default".to_owned(), "aws".to_owned()), Ok(identity))]);
        let (plan, _) = draft.build(&identities, &LookupAnswers::new()).unwrap();
        let sent: Vec<_> = plan.cells[0]
            .parameters
            .iter()
            .map(|it| (it.key.as_str(), it.value.as_str()))
            .collect();
        assert_eq!(sent, expect, "{declared} {configured}");
    }

    #[test]
    fn defaults_are_sent_as_taskcat_sends_them() {
        check("{A: {Type: String, Default: x}}", "{}", &[("A", "x")]);
        check("{A: {Type: String, Default: ''}}", "{}", &[("A", "")]);
        check(
            "{A: {Type: String, Default: 'x-$[taskcat_test_name]'}}",
            "{}",
            &[("A", "x-one")],
        );
        check(
            "{A: {Type: CommaDelimitedList, Default: [a, 1]}}",
            "{}",
            &[("A", "a,1")],
        );
        check(
            "{A: {Type: Number, Default: 1}, B: {Type: String, Default: true}}",
            "{}",
            &[],
        );
        check(
            "{A: {Type: Number, Default: 1.5}, B: {Type: String, Default: 2012-10-17}}",
            "{}",
            &[("B", "2012-10-17")],
        );
    }

    #[test]
    fn configured_values_win_in_the_templates_order() {
        let declared =
            "{B: {Type: String, Default: x}, A: {Type: Number, Default: 1}, C: {Type: String}}";
        check(
            declared,
            "{C: c, A: 2, B: ''}",
            &[("B", ""), ("A", "2"), ("C", "c")],
        );
        check(
            "{A: {Type: CommaDelimitedList}}",
            "{A: [a, 2, '$[taskcat_current_region]']}",
            &[("A", "a,2,us-east-1")],
        );
        check("{A: {Type: String}}", "{A: []}", &[("A", "")]);
    }

    #[test]
    fn booleans_take_the_templates_words() {
        check(
            "{A: {Type: String, AllowedValues: ['true', 'false']}}",
            "{A: true}",
            &[("A", "true")],
        );
        check(
            "{A: {Type: String, AllowedValues: ['Yes', 'No']}}",
            "{A: false}",
            &[("A", "No")],
        );
        check(
            "{A: {Type: String, Default: 'false'}}",
            "{A: true}",
            &[("A", "true")],
        );
        check(
            "{A: {Type: String, AllowedValues: [Yes, No]}}",
            "{A: false}",
            &[("A", "false")],
        );
        check(
            "{A: {Type: String, Default: No}}",
            "{A: true}",
            &[("A", "true")],
        );
        check("{A: {Type: String}}", "{A: true}", &[("A", "True")]);
    }

    #[test]
    fn getval_reaches_what_is_not_sent() {
        let declared = "{A: {Type: String}, Port: {Type: Number, Default: 8080}}";
        check(
            declared,
            "{A: 'p$[taskcat_getval_Port]'}",
            &[("A", "p8080")],
        );
    }
}
