//! Traces a failure back to the template: the line that declares the resource, and the parameter
//! values that it uses.
//!
//! The events contain every template once ([`TemplateSource`]); a cell's path of logical IDs is
//! followed through them. Nothing is evaluated: a literal or a `Ref` passed to a nested stack is
//! known; of a computed value, only the parameters in it are.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use indexmap::IndexMap;
use regex::Regex;
use schemars::JsonSchema;
use serde::Serialize;

use crate::event::{CellParameter, ParameterBinding, ResourceSource, TemplateSource};
use crate::mask::MASK;

/// The templates of a run by path.
#[derive(Clone, Debug, Default)]
pub struct TemplateSources(BTreeMap<String, TemplateSource>);

/// A location in a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TemplateLocation {
    /// The template's path, relative to the project root.
    pub template: String,
    /// The line, from 1.
    pub line: u32,
}

/// Where something is declared, and the parameters that it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceOrigin {
    /// The location of its declaration.
    pub place: TemplateLocation,
    /// The parameters that it uses; secrets are masked.
    pub parameters: Vec<CellParameter>,
}

/// What is known about a parameter's value.
#[derive(Clone)]
enum KnownValue {
    Value(String),
    /// Computed from these parameters.
    MadeOf(Vec<CellParameter>),
}

/// A stack's parameters by name.
type KnownValues = IndexMap<String, KnownValue>;

impl TemplateSources {
    /// Collects the templates of a run.
    pub fn new(templates: &[TemplateSource]) -> Self {
        Self(
            templates
                .iter()
                .map(|it| (it.template.clone(), it.clone()))
                .collect(),
        )
    }

    /// Returns the template at a path of the project.
    pub fn template_at(&self, path: &str) -> Option<&TemplateSource> {
        self.0.get(path)
    }

    /// Returns the resource at the end of a path of logical IDs that begins in `template`, and the
    /// template that declares it.
    pub fn resource<'s>(
        &'s self,
        template: &str,
        path: &[&str],
    ) -> Option<(&'s TemplateSource, &'s ResourceSource)> {
        let (last, outer) = path.split_last()?;
        let mut source = self.0.get(template)?;
        for id in outer {
            source = self
                .0
                .get(source.resources.get(*id)?.template.as_deref()?)?;
        }
        Some((source, source.resources.get(*last)?))
    }

    /// Returns the template of the stack at a path of logical IDs; the test's own for an empty
    /// path.
    pub fn template(&self, template: &str, path: &[&str]) -> Option<&TemplateSource> {
        match path {
            [] => self.0.get(template),
            path => self
                .0
                .get(self.resource(template, path)?.1.template.as_deref()?),
        }
    }

    /// Returns where the resource at the end of a path is declared and the parameters that it uses.
    /// `given` are the test's parameters.
    pub fn origin(
        &self,
        template: &str,
        given: &[CellParameter],
        path: &[&str],
    ) -> Option<ResourceOrigin> {
        let (source, resource) = self.resource(template, path)?;
        let values = self.values(template, given, &path[..path.len() - 1])?;
        let mut parameters: Vec<CellParameter> = Vec::new();
        for key in &resource.parameters {
            let more = match values.get(key) {
                Some(KnownValue::Value(value)) => vec![CellParameter {
                    key: key.clone(),
                    value: value.clone(),
                }],
                Some(KnownValue::MadeOf(parts)) => parts.clone(),
                None => Vec::new(),
            };
            more.into_iter().for_each(|it| {
                if !parameters.contains(&it) {
                    parameters.push(it);
                }
            });
        }
        let place = TemplateLocation {
            template: source.template.clone(),
            line: resource.line,
        };
        Some(ResourceOrigin { place, parameters })
    }

    /// Returns what a message about a whole stack refers to: the parameters that it names, or else
    /// a mapping or a resource.
    pub fn named_in(
        &self,
        template: &str,
        given: &[CellParameter],
        message: &str,
    ) -> Option<ResourceOrigin> {
        static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(
                r"(?:[Pp]arameters?(?: name)?:? ?['\[]*|[\[,] ?|[Rr]esources? '?|references undefined resource |mapping for )(\w+)",
            )
            .ok()
        });
        let source = self.0.get(template)?;
        let named: Vec<&str> = NAMED
            .as_ref()?
            .captures_iter(message)
            .filter_map(|it| Some(it.get(1)?.as_str()))
            .collect();
        let values = self.values(template, given, &[])?;
        let parameters = source
            .parameters
            .iter()
            .filter(|(key, _)| named.contains(&key.as_str()));
        let mut place = None;
        let parameters = parameters.filter_map(|(key, parameter)| {
            place.get_or_insert(parameter.line);
            match values.get(key)? {
                KnownValue::Value(value) => Some(CellParameter {
                    key: key.clone(),
                    value: value.clone(),
                }),
                KnownValue::MadeOf(_) => None,
            }
        });
        let parameters: Vec<CellParameter> = parameters.collect();
        let other = || {
            let resource = |name: &&str| source.resources.get(*name).map(|it| it.line);
            named.iter().find_map(|name| {
                source
                    .mappings
                    .get(*name)
                    .copied()
                    .or_else(|| resource(name))
            })
        };
        let line = place.or_else(other)?;
        Some(ResourceOrigin {
            place: TemplateLocation {
                template: source.template.clone(),
                line,
            },
            parameters,
        })
    }

    /// Returns the parameters of the stack at a path.
    fn values(
        &self,
        template: &str,
        given: &[CellParameter],
        path: &[&str],
    ) -> Option<KnownValues> {
        let mut source = self.0.get(template)?;
        let given = given
            .iter()
            .map(|it| (it.key.clone(), KnownValue::Value(it.value.clone())));
        let mut values = with_defaults(source, given.collect());
        for id in path {
            let resource = source.resources.get(*id)?;
            source = self.0.get(resource.template.as_deref()?)?;
            let given = resource
                .gives
                .iter()
                .map(|(key, binding)| (key.clone(), received(binding, &values)));
            values = with_defaults(source, given.collect());
        }
        Some(values)
    }
}

/// Adds the defaults of parameters without a value, and removes secret ones.
fn with_defaults(source: &TemplateSource, mut values: KnownValues) -> KnownValues {
    for (key, parameter) in &source.parameters {
        if let (false, Some(default)) = (values.contains_key(key), &parameter.default) {
            values.insert(key.clone(), KnownValue::Value(default.clone()));
        }
        if let (true, Some(value)) = (parameter.no_echo, values.get_mut(key)) {
            *value = KnownValue::Value(MASK.to_owned());
        }
    }
    values
}

/// Returns what a nested stack's parameter gets from the outer stack.
fn received(binding: &ParameterBinding, outer: &KnownValues) -> KnownValue {
    match binding {
        ParameterBinding::Value(value) => KnownValue::Value(value.clone()),
        ParameterBinding::Ref(key) => outer
            .get(key)
            .cloned()
            .unwrap_or(KnownValue::MadeOf(Vec::new())),
        ParameterBinding::MadeOf(keys) => {
            let parts = keys.iter().filter_map(|key| {
                Some(match outer.get(key)? {
                    KnownValue::Value(value) => vec![CellParameter {
                        key: key.clone(),
                        value: value.clone(),
                    }],
                    KnownValue::MadeOf(parts) => parts.clone(),
                })
            });
            KnownValue::MadeOf(parts.flatten().collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> TemplateSources {
        let templates = serde_json::json!([
            {
                "template": "main.yaml",
                "parameters": {
                    "Env": {"line": 2, "default": "dev"}, "Size": {"line": 3},
                    "Secret": {"line": 4, "no_echo": true}
                },
                "mappings": {"Images": 7},
                "resources": {
                    "Net": {
                        "line": 10, "template": "net.yaml", "parameters": ["Env", "Size"],
                        "gives": {
                            "Cidr": {"value": "10.0.0.0/8"}, "Env": {"ref": "Env"}, "Mix": {"made_of": ["Env", "Size"]},
                            "Hush": {"ref": "Size"}, "Topic": {"made_of": []}
                        }
                    },
                    "Topic": {"line": 20, "parameters": ["Size", "Secret", "Gone"]}
                }
            },
            {
                "template": "net.yaml",
                "parameters": {
                    "Cidr": {"line": 2}, "Env": {"line": 3}, "Mix": {"line": 4}, "Hush": {"line": 5, "no_echo": true},
                    "Own": {"line": 6, "default": "x"}, "Topic": {"line": 7}
                },
                "resources": {
                    "Vpc": {"line": 9, "parameters": ["Cidr", "Env", "Mix", "Hush", "Own", "Topic"]},
                    "Deep": {"line": 12, "template": "net.yaml", "gives": {"Cidr": {"ref": "Mix"}, "Mix": {"made_of": ["Mix"]}}}
                }
            }
        ]);
        TemplateSources::new(&serde_json::from_value::<Vec<TemplateSource>>(templates).unwrap())
    }

    fn given() -> Vec<CellParameter> {
        [("Size", "large"), ("Secret", "****")]
            .map(|(key, value)| CellParameter {
                key: key.into(),
                value: value.into(),
            })
            .to_vec()
    }

    fn said(origin: Option<ResourceOrigin>) -> String {
        let Some(origin) = origin else {
            return "nothing".to_owned();
        };
        let parameters = origin
            .parameters
            .iter()
            .map(|it| format!(" {}={}", it.key, it.value))
            .collect::<String>();
        format!(
            "{}:{}{parameters}",
            origin.place.template, origin.place.line
        )
    }

    #[test]
    fn line_and_values() {
        let check = |path: &[&str], expect: &str| {
            assert_eq!(
                said(sources().origin("main.yaml", &given(), path)),
                expect,
                "{path:?}"
            );
        };
        check(&["Topic"], "main.yaml:20 Size=large Secret=****");
        check(&["Net"], "main.yaml:10 Env=dev Size=large");
        check(
            &["Net", "Vpc"],
            "net.yaml:9 Cidr=10.0.0.0/8 Env=dev Size=large Hush=**** Own=x",
        );
        check(
            &["Net", "Deep", "Vpc"],
            "net.yaml:9 Env=dev Size=large Own=x",
        );
        check(&["Net", "Gone"], "nothing");
        check(&["Topic", "Vpc"], "nothing");
        check(&[], "nothing");
        assert_eq!(
            said(sources().origin("other.yaml", &given(), &["Topic"])),
            "nothing"
        );
    }

    #[test]
    fn names_in_messages_are_found() {
        let check = |message: &str, expect: &str| {
            assert_eq!(
                said(sources().named_in("main.yaml", &given(), message)),
                expect,
                "{message}"
            );
        };
        check(
            "Parameters: [Size, Env] must have values",
            "main.yaml:2 Env=dev Size=large",
        );
        check(
            "Parameter validation failed: parameter value large for parameter name Size does not \
             exist",
            "main.yaml:3 Size=large",
        );
        check(
            "Parameter 'Secret' must be one of AllowedValues",
            "main.yaml:4 Secret=****",
        );
        check(
            "Template format error: Unresolved resource dependencies [X, Topic] in the Resources \
             block",
            "main.yaml:20",
        );
        check(
            "Template error: Unable to get mapping for Images::eu-west-1::Linux",
            "main.yaml:7",
        );
        // Words that happen to be a parameter's name aren't references.
        check("The Size of the Env is wrong", "nothing");
    }
}
