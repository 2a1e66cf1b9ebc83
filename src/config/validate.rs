//! Checks a file's tree against the schema and converts it to a layer. Reports all problems at
//! once, each with its location.
//!
//! `schema` defines the types of the keys; this module words the violations. Used by `layers` and
//! `legacy`.

use std::collections::HashMap;

use regex::Regex;
use serde_json::Value as Json;

use super::merge::{ConfigLayer, ConfigSetting, SettingContent, SettingSection};
use super::origin::LayerSource;
use super::schema;
use crate::diagnostic::{Diagnostic, Position};
use crate::spelling::{did_you_mean, did_you_mean_one_of, nearest};
use crate::yaml::{Node, NodeValue};

/// Checks the trees of a source. Diagnostics of several sources are collected in one list.
pub(super) struct ConfigValidator<'a> {
    source: &'a LayerSource,
    diagnostics: &'a mut Vec<Diagnostic>,
    patterns: HashMap<&'static str, Option<Regex>>,
}

impl<'a> ConfigValidator<'a> {
    pub(super) fn new(source: &'a LayerSource, diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        Self {
            source,
            diagnostics,
            patterns: HashMap::new(),
        }
    }

    /// Checks a whole configuration.
    pub(super) fn config(&mut self, node: &Node) -> ConfigLayer {
        let mut sections = self
            .value(node, KeyRule::root(), "")
            .map_or_else(SettingSection::new, ConfigSetting::into_section);
        let mut take = |name: &str| {
            sections
                .shift_remove(name)
                .map_or_else(SettingSection::new, ConfigSetting::into_section)
        };
        ConfigLayer {
            general: take("general"),
            project: take("project"),
            tests: take("tests"),
        }
    }

    /// Checks the value of a key, such as `project.s3_bucket`; returns `None` if it is wrong.
    pub(super) fn value(
        &mut self,
        node: &Node,
        rule: KeyRule,
        path: &str,
    ) -> Option<ConfigSetting> {
        if let Some(tagged) = first_tagged(node, rule.takes()) {
            self.tag(tagged, path);
            return None;
        }
        let content = match rule.takes() {
            ValueType::Parameter => self.parameter(node, path)?,
            ValueType::Mapping => SettingContent::Section(self.mapping(node, rule, path)?),
            ValueType::List => SettingContent::List(self.list(node, rule, path)?),
            ValueType::Text => self.text(node, rule, path)?,
            ValueType::Boolean => match node.as_bool() {
                Some(value) => SettingContent::Value(value.into()),
                None => return self.wrong_type(node, "true or false", path),
            },
            ValueType::Integer => self.integer(node, rule, path)?,
            ValueType::Anything => self.anything(node),
        };
        Some(ConfigSetting::new(content, self.source.origin(node.at)))
    }

    fn mapping(&mut self, node: &Node, rule: KeyRule, path: &str) -> Option<SettingSection> {
        let Some(entries) = node.as_mapping() else {
            return self.wrong_type(node, "a mapping", path);
        };
        let mut section = SettingSection::new();
        for (key, value) in entries {
            let key_path = if path.is_empty() {
                key.text.to_string()
            } else {
                format!("{path}.{}", key.text)
            };
            let Some(rule) = rule.entry(&key.text) else {
                self.unknown_key(key, rule, path);
                continue;
            };
            if value.is_null()
                && value.tag.is_none()
                && !matches!(rule.takes(), ValueType::Parameter | ValueType::Anything)
            {
                let message = format!("`{key_path}` is empty and counts as absent");
                self.push(
                    Diagnostic::warning(message).help("give it a value or remove the key"),
                    key.at,
                );
                // An empty test is still a test.
                if path == "tests" {
                    section.insert(
                        key.text.to_string(),
                        ConfigSetting::new(
                            SettingContent::Section(SettingSection::new()),
                            self.source.origin(key.at),
                        ),
                    );
                }
                continue;
            }
            if let Some(mut setting) = self.value(value, rule, &key_path) {
                setting.origin = self.source.origin(key.at);
                section.insert(key.text.to_string(), setting);
            }
        }
        Some(section)
    }

    fn list(&mut self, node: &Node, rule: KeyRule, path: &str) -> Option<Vec<ConfigSetting>> {
        let Some(items) = node.as_sequence() else {
            return self.wrong_type(node, "a list", path);
        };
        let item_rule = rule.item();
        let items = items.iter().enumerate();
        Some(
            items
                .filter_map(|(n, item)| self.value(item, item_rule, &format!("{path}[{n}]")))
                .collect(),
        )
    }

    fn integer(&mut self, node: &Node, rule: KeyRule, path: &str) -> Option<SettingContent> {
        let (least, most) = rule.bounds();
        // In the environment and on the command line, numbers are text.
        let number = node.as_int().or_else(|| node.as_str()?.parse().ok());
        match number {
            Some(number) if (least..=most).contains(&number) => {
                Some(SettingContent::Value(number.into()))
            }
            Some(number) => {
                let message =
                    format!("`{path}` is {number}, but must be between {least} and {most}");
                self.error(node.at, message, "");
                None
            }
            None => self.wrong_type(
                node,
                &format!("a whole number from {least} to {most}"),
                path,
            ),
        }
    }

    /// Converts a tree without checking it; keeps only the origins of its values.
    fn anything(&self, node: &Node) -> SettingContent {
        let setting =
            |node: &Node, at| ConfigSetting::new(self.anything(node), self.source.origin(at));
        match &node.value {
            NodeValue::Sequence(items) => {
                SettingContent::List(items.iter().map(|item| setting(item, item.at)).collect())
            }
            NodeValue::Mapping(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| (key.text.to_string(), setting(value, key.at)));
                SettingContent::Section(entries.collect())
            }
            _ => SettingContent::Value(node.to_json()),
        }
    }

    fn text(&mut self, node: &Node, rule: KeyRule, path: &str) -> Option<SettingContent> {
        let must_be = self.failed_pattern(&node.text, rule);
        let Some(text) = node.as_str() else {
            return match must_be.filter(|_| node.is_scalar()) {
                Some(must_be) => self.wrong_form(node, path, must_be),
                None => self.wrong_type(node, "text", path),
            };
        };
        if let Some(allowed) = rule.allowed().filter(|allowed| !allowed.contains(&text)) {
            let message = format!(
                "`{path}` is `{text}`, but must be one of {}",
                allowed.join(", ")
            );
            let help = did_you_mean(text, allowed.iter().copied());
            self.error(node.at, message, help.as_deref().unwrap_or(""));
            return None;
        }
        match must_be {
            Some(must_be) => self.wrong_form(node, path, must_be),
            None => Some(SettingContent::Value(text.into())),
        }
    }

    /// Returns what a text must be if it doesn't match the rule's pattern.
    fn failed_pattern(&mut self, text: &str, rule: KeyRule) -> Option<&'static str> {
        let (pattern, must_be) = rule.pattern()?;
        let regex = self
            .patterns
            .entry(pattern)
            .or_insert_with(|| Regex::new(pattern).ok());
        let is_other = regex.as_ref().is_some_and(|regex| !regex.is_match(text));
        is_other.then_some(must_be)
    }

    fn wrong_form<T>(&mut self, node: &Node, path: &str, must_be: &str) -> Option<T> {
        let message = format!("`{path}` is `{}`, but {must_be}", node.text);
        self.error(node.at, message, "");
        None
    }

    /// Converts a parameter's value: a scalar, converted to a string as by TaskCat, or a list of
    /// scalars.
    pub(super) fn parameter(&mut self, node: &Node, path: &str) -> Option<SettingContent> {
        let Some(items) = node.as_sequence() else {
            return self.parameter_scalar(node, path).map(SettingContent::Value);
        };
        let mut list = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let origin = self.source.origin(item.at);
            let value = self.parameter_scalar(item, &format!("{path}[{n}]"));
            list.extend(
                value.map(|value| ConfigSetting::new(SettingContent::Value(value), origin)),
            );
        }
        Some(SettingContent::List(list))
    }

    fn parameter_scalar(&mut self, node: &Node, path: &str) -> Option<Json> {
        if node.tag.is_some() {
            self.tag(node, path);
            return None;
        }
        match &node.value {
            NodeValue::String(text) => Some(Json::from(&**text)),
            // Kept as written: `1.10` stays `1.10`.
            NodeValue::Float(_) | NodeValue::Timestamp(_) => Some(Json::from(&*node.text)),
            NodeValue::Int(number) => {
                if *node.text != number.to_string() {
                    // The number isn't shown, since it may be a PIN.
                    let message =
                        format!("`{path}` is written in a form that YAML reads as another number");
                    self.push(
                        Diagnostic::warning(message)
                            .help("put it in quotes to keep it as it is written"),
                        node.at,
                    );
                }
                Some(number.to_string().into())
            }
            NodeValue::Bool(value) => {
                if !node
                    .text
                    .eq_ignore_ascii_case(if *value { "true" } else { "false" })
                {
                    let message = format!(
                        "`{path}` is `{}`, which YAML reads as the boolean {value}",
                        node.text
                    );
                    self.push(
                        Diagnostic::warning(message)
                            .help("put it in quotes to keep it as it is written"),
                        node.at,
                    );
                }
                Some((*value).into())
            }
            NodeValue::Null => {
                self.error(
                    node.at,
                    format!("`{path}` has no value"),
                    "write '' for an empty text, or remove the key",
                );
                None
            }
            NodeValue::Sequence(_) | NodeValue::Mapping(_) => {
                let message = format!(
                    "`{path}` takes a single value or a list of them, not {}",
                    node.kind_name()
                );
                self.error(node.at, message, "");
                None
            }
        }
    }

    fn tag(&mut self, node: &Node, path: &str) {
        let tag = node.tag.as_deref().unwrap_or_default();
        let message = format!(
            "{}has the tag `{tag}`, but a configuration cannot contain tags",
            about(path)
        );
        self.error(
            node.at,
            message,
            "functions work in templates only; pseudo-parameters look like `$[taskcat_…]`",
        );
    }

    fn unknown_key(&mut self, key: &Node, rule: KeyRule, path: &str) {
        let name = &*key.text;
        let known: Vec<&str> = rule.keys().collect();
        let message = match path {
            "" => format!("a configuration has no section `{name}`"),
            _ => format!("`{path}` has no key `{name}`"),
        };
        let owner = ["project", "general"]
            .iter()
            .filter(|_| !path.is_empty())
            .find(|section| KeyRule::root().at(&[section, name]).is_some());
        let help = match owner {
            Some(section) if nearest(name, known.iter().copied()).is_none() => {
                format!("it is a key of `{section}`")
            }
            _ => did_you_mean_one_of(name, &known),
        };
        self.error(key.at, message, &help);
    }

    fn wrong_type<T>(&mut self, node: &Node, takes: &str, path: &str) -> Option<T> {
        let message = format!("{}takes {takes}, not {}", about(path), node.kind_name());
        let help = match (takes, &node.value) {
            (
                "text",
                NodeValue::Int(_)
                | NodeValue::Float(_)
                | NodeValue::Bool(_)
                | NodeValue::Timestamp(_),
            ) => {
                format!("put it in quotes: \"{}\"", node.text)
            }
            ("true or false", NodeValue::String(text)) if matches!(&**text, "true" | "false") => {
                format!("write {text} without quotes")
            }
            ("a list", NodeValue::String(text)) => format!("write it as a list: [{text}]"),
            _ => String::new(),
        };
        self.error(node.at, message, &help);
        None
    }

    fn error(&mut self, at: Position, message: String, help: &str) {
        let diagnostic = Diagnostic::error(message);
        self.push(
            if help.is_empty() {
                diagnostic
            } else {
                diagnostic.help(help)
            },
            at,
        );
    }

    fn push(&mut self, diagnostic: Diagnostic, at: Position) {
        self.diagnostics.push(self.source.place(diagnostic, at));
    }
}

/// Returns the node itself if it has a tag; in a tree that isn't checked, the first node that has
/// one.
fn first_tagged(node: &Node, takes: ValueType) -> Option<&Node> {
    if node.tag.is_some() {
        return Some(node);
    }
    match &node.value {
        _ if takes != ValueType::Anything => None,
        NodeValue::Sequence(items) => items.iter().find_map(|item| first_tagged(item, takes)),
        NodeValue::Mapping(entries) => entries
            .iter()
            .find_map(|(_, value)| first_tagged(value, takes)),
        _ => None,
    }
}

fn about(path: &str) -> String {
    if path.is_empty() {
        "the configuration ".to_owned()
    } else {
        format!("`{path}` ")
    }
}

/// The type of value that a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueType {
    Mapping,
    List,
    Text,
    Boolean,
    Integer,
    Parameter,
    Anything,
}

/// A part of the schema: the type of one key.
#[derive(Clone, Copy)]
pub(super) struct KeyRule(&'static Json);

impl KeyRule {
    pub(super) fn root() -> Self {
        KeyRule(schema::json_schema())
    }

    /// Returns the rule for a key under this one, by its path.
    pub(super) fn at(self, path: &[&str]) -> Option<KeyRule> {
        path.iter().try_fold(self, |rule, key| rule.entry(key))
    }

    pub(super) fn takes(self) -> ValueType {
        if self.reference() == Some("ParameterValue") {
            return ValueType::Parameter;
        }
        match self.resolved().get("type").and_then(Json::as_str) {
            Some("object") => ValueType::Mapping,
            Some("array") => ValueType::List,
            Some("string") => ValueType::Text,
            Some("boolean") => ValueType::Boolean,
            Some("integer") => ValueType::Integer,
            _ => ValueType::Anything,
        }
    }

    /// Returns the name of the definition that this rule refers to.
    fn reference(self) -> Option<&'static str> {
        // Beside a description, draft 7 requires the reference to be wrapped.
        let holder = match self.0.get("allOf") {
            Some(Json::Array(all)) => all.first()?,
            _ => self.0,
        };
        holder.get("$ref")?.as_str()?.strip_prefix("#/definitions/")
    }

    fn resolved(self) -> &'static Json {
        let definitions = || schema::json_schema().get("definitions");
        self.reference()
            .and_then(|name| definitions()?.get(name))
            .unwrap_or(self.0)
    }

    fn entry(self, key: &str) -> Option<KeyRule> {
        let rule = self.resolved();
        if let Some(known) = rule
            .get("properties")
            .and_then(|properties| properties.get(key))
        {
            return Some(KeyRule(known));
        }
        rule.get("additionalProperties")
            .filter(|additional| **additional != Json::Bool(false))
            .map(KeyRule)
    }

    fn keys(self) -> impl Iterator<Item = &'static str> {
        let properties = self.resolved().get("properties").and_then(Json::as_object);
        properties
            .into_iter()
            .flat_map(|properties| properties.keys().map(String::as_str))
    }

    /// Returns the minimum and maximum of a number.
    fn bounds(self) -> (i64, i64) {
        let bound = |name: &str| self.resolved().get(name).and_then(Json::as_i64);
        (
            bound("minimum").unwrap_or(i64::MIN),
            bound("maximum").unwrap_or(i64::MAX),
        )
    }

    fn item(self) -> KeyRule {
        KeyRule(self.resolved().get("items").unwrap_or(&Json::Null))
    }

    fn allowed(self) -> Option<Vec<&'static str>> {
        Some(
            self.resolved()
                .get("enum")?
                .as_array()?
                .iter()
                .filter_map(Json::as_str)
                .collect(),
        )
    }

    /// Returns a pattern and the message for a text that doesn't match it.
    fn pattern(self) -> Option<(&'static str, &'static str)> {
        let rule = self.resolved();
        Some((
            rule.get("pattern")?.as_str()?,
            rule.get("patternErrorMessage")?.as_str()?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TempProject;

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        let project = TempProject::new(&[(".taskcat.yml", text)]);
        let said = project.all_said();
        let said: Vec<&str> = said
            .iter()
            .map(|line| line.strip_prefix(".taskcat.yml:").unwrap_or(line))
            .collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        check(
            "projekt: {}\nproject: {name: p, regons: [us-east-1], colour: red}\ntests: {t: \
             {parameter: {}, org_id: \
             o-1}}\nx: 1\n",
            &[
                "1:1: a configuration has no section `projekt` (did you mean `project`?)",
                "2:20: `project` has no key `regons` (did you mean `regions`?)",
                "2:41: `project` has no key `colour` (expected one of name, auth, owner, regions, \
                 artifact_regions, \
                 az_blacklist, \
                 package_lambda, lambda_zip_path, lambda_source_path, s3_bucket, \
                 s3_regional_buckets, parameters, \
                 build_submodules, template, tags, s3_enable_sig_v2, s3_object_acl, \
                 shorten_stack_name, role_name, \
                 org_id, prehooks, posthooks, timeout, \
                 hook_timeout, delete_timeout, retries, budget, max_fail, slow_after, \
                 call_timeout, guard_rules)",
                "3:13: `tests.t` has no key `parameter` (did you mean `parameters`?)",
                "3:28: `tests.t` has no key `org_id` (it is a key of `project`)",
                "4:1: a configuration has no section `x` (expected one of general, project, tests)",
            ],
        );
        check(
            "project: {name: p, prehooks: [{kind: x, confg: {}}]}\n",
            &[
                "1:32: `project.prehooks[0]` has no key `kind` (expected one of type, config)",
                "1:41: `project.prehooks[0]` has no key `confg` (did you mean `config`?)",
            ],
        );
    }

    #[test]
    fn wrong_types_name_the_expected_type() {
        check(
            "project:\n  name: 12\n  regions: us-east-1\n  package_lambda: 'true'\n  tags: {Cost: \
             1}\n  parameters: \
             []\n  prehooks: {}\n  shorten_stack_name: maybe\n",
            &[
                "2:9: `project.name` takes text, not a whole number (put it in quotes: \"12\")",
                "3:12: `project.regions` takes a list, not text (write it as a list: [us-east-1])",
                "4:19: `project.package_lambda` takes true or false, not text (write true without \
                 quotes)",
                "5:16: `project.tags.Cost` takes text, not a whole number (put it in \
                 quotes: \"1\")",
                "6:15: `project.parameters` takes a mapping, not a list",
                "7:13: `project.prehooks` takes a list, not a mapping",
                "8:23: `project.shorten_stack_name` takes true or false, not text",
            ],
        );
        check(
            "[a]\n",
            &["1:1: the configuration takes a mapping, not a list"],
        );
    }

    #[test]
    fn texts_fit_their_patterns() {
        check(
            "project:\n  name: p\n  s3_bucket: a.b\n  regions: [us-east-1, useast1, us-gov-east-1, \
             mars-north-12]\n  \
             az_blacklist: [use1-az9, us-east-1a]\n  s3_object_acl: publik-read\ngeneral: \
             {s3_bucket: A}\n",
            &[
                "3:14: `project.s3_bucket` is `a.b`, but must consist of lower case letters, \
                 digits and -",
                "4:24: `project.regions[1]` is `useast1`, but must be an AWS region such as \
                 us-east-1",
                "5:28: `project.az_blacklist[1]` is `us-east-1a`, but must be an Availability Zone \
                 ID such as use1-az1",
                "6:18: `project.s3_object_acl` is `publik-read`, but must be one of private, \
                 public-read, \
                 aws-exec-read, \
                 public-read-write, authenticated-read, bucket-owner-read, \
                 bucket-owner-full-control (did you mean \
                 `public-read`?)",
                "7:22: `general.s3_bucket` is `A`, but must consist of lower case letters, digits \
                 and -",
            ],
        );
    }

    #[test]
    fn parameters_keep_their_text_or_are_warned_about() {
        let text = "project: {name: p}\ntests:\n  t:\n    parameters:\n      Date: \
            2012-10-17\n      Version: \
                    1.10\n      Octal: 010\n      Word: yes\n      Flag: true\n      Mixed: [1.50, \
                    on, x]\n";
        check(
            text,
            &[
                "7:14: `tests.t.parameters.Octal` is written in a form that YAML reads as another \
                 number (put it in \
                 quotes to keep it as it is written)",
                "8:13: `tests.t.parameters.Word` is `yes`, which YAML reads as the boolean true \
                 (put it in quotes to \
                 keep it as it is written)",
                "10:21: `tests.t.parameters.Mixed[1]` is `on`, which YAML reads as the boolean \
                 true (put it in quotes \
                 to keep it as it is written)",
            ],
        );
        let loaded = TempProject::new(&[(".taskcat.yml", text)]).load();
        let texts = loaded.config.tests["t"]
            .parameters
            .values()
            .map(|value| value.text(&[]))
            .collect::<Vec<_>>();
        assert_eq!(
            texts,
            ["2012-10-17", "1.10", "8", "True", "True", "1.50,True,x"]
        );
    }

    #[test]
    fn parameters_are_values_or_lists_of_them() {
        check(
            "project: {name: p, parameters: {A: , B: {x: 1}, C: [[1]], D: !Ref X, E: [~], F: [!Sub \
             y]}}\n",
            &[
                "1:34: `project.parameters.A` has no value (write '' for an empty text, or remove \
                 the key)",
                "1:41: `project.parameters.B` takes a single value or a list of them, not a \
                 mapping",
                "1:53: `project.parameters.C[0]` takes a single value or a list of them, not a \
                 list",
                "1:67: `project.parameters.D` has the tag `!Ref`, but a configuration cannot \
                 contain tags (functions work in \
                 templates only; pseudo-parameters look like `$[taskcat_…]`)",
                "1:74: `project.parameters.E[0]` has no value (write '' for an empty text, or \
                 remove the key)",
                "1:87: `project.parameters.F[0]` has the tag `!Sub`, but a configuration cannot \
                 contain tags (functions \
                 work in templates only; pseudo-parameters look like `$[taskcat_…]`)",
            ],
        );
        check(
            "project: {name: p, prehooks: [{config: {a: [!Ref b]}}]}\n",
            &[
                "1:50: `project.prehooks[0].config.a` has the tag `!Ref`, but a configuration \
                 cannot contain tags \
                 (functions work in templates only; pseudo-parameters look like `$[taskcat_…]`)",
            ],
        );
    }

    #[test]
    fn an_empty_key_counts_as_absent() {
        let text = "general:\nproject: {name: p, tags: , regions: [us-east-1]}\ntests:\n  t:\n  u: \
            {parameters: }\n";
        check(
            text,
            &[
                "1:1: `general` is empty and counts as absent (give it a value or remove the key)",
                "2:20: `project.tags` is empty and counts as absent (give it a value or remove the \
                 key)",
                "4:3: `tests.t` is empty and counts as absent (give it a value or remove the key)",
                "5:7: `tests.u.parameters` is empty and counts as absent (give it a value or \
                 remove the key)",
            ],
        );
        let loaded = TempProject::new(&[(".taskcat.yml", text)]).load();
        assert_eq!(loaded.config.tests.keys().collect::<Vec<_>>(), ["t", "u"]);
        assert_eq!(
            loaded.config.tests["t"].regions.as_deref(),
            Some(&["us-east-1".to_owned()][..])
        );
        check(
            "# nothing\n",
            &[
                "1:1: the file is empty",
                "the project has no name; using the name of its directory, `project` (set \
                 project.name)",
            ],
        );
    }

    #[test]
    fn all_problems_of_all_sources_are_reported_at_once() {
        let project = TempProject::new(&[
            (".taskcat.yml", "project: {name: p, foo: 1}\n"),
            (".taskcat_overrides.yml", "A: {}\n"),
        ])
        .env("TASKCAT_PROJECT_S3_BUKET", "b")
        .env("TASKCAT_PROJECT_PACKAGE_LAMBDA", "perhaps")
        .env("TASKCAT_TESTS_T", "x")
        .argument("project.regions", "us-east-1,nowhere", "--regions")
        .argument("project.parameters", "{A: [}", "--parameters");
        assert_eq!(
            project.all_said(),
            [
                ".taskcat.yml:1:20: `project` has no key `foo` (expected one of name, auth, owner, \
                 regions, \
                 artifact_regions, \
                 az_blacklist, package_lambda, lambda_zip_path, lambda_source_path, s3_bucket, \
                 s3_regional_buckets, \
                 parameters, build_submodules, template, tags, s3_enable_sig_v2, s3_object_acl, \
                 shorten_stack_name, \
                 role_name, org_id, prehooks, posthooks, timeout, hook_timeout, delete_timeout, \
                 retries, budget, max_fail, slow_after, call_timeout, guard_rules)",
                ".taskcat_overrides.yml:1:4: `project.parameters.A` takes a single value or a list \
                 of them, not a \
                 mapping",
                "TASKCAT_PROJECT_S3_BUKET: `project` has no key `s3_buket` (did you mean \
                 `s3_bucket`?)",
                "TASKCAT_PROJECT_PACKAGE_LAMBDA: `project.package_lambda` takes true or false, not \
                 text",
                "TASKCAT_TESTS_T: a variable can set keys of general and project, not tests",
                "--regions: `project.regions[1]` is `nowhere`, but must be an AWS region such as \
                 us-east-1",
                "--parameters: a `[` is closed by `}` (close it with the matching bracket)",
            ]
        );
    }

    #[test]
    fn a_broken_file_is_one_error_with_its_place() {
        check("project: {name: p\n", &["1:10: unclosed `{`"]);
    }
}
