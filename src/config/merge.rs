//! Merges layers into one configuration: TaskCat's inheritance within a layer, and its merge of
//! layers.
//!
//! Follows `BaseConfig._merge`, `BaseConfig.merge` (`_dataclasses.py`) and `merge_nested_dict`
//! (`_common_utils.py`): each layer is propagated by itself and merged into the layers before it,
//! and the result is propagated again.

use indexmap::IndexMap;
use serde_json::Value;

use super::origin::ValueOrigin;

/// Keys whose entries are inherited one by one. The parent takes precedence: general over project
/// over test.
const PROPAGATED_ENTRIES: [&str; 3] = ["tags", "parameters", "auth"];

/// Keys that are inherited as a whole, only if the child doesn't have them.
pub(super) const PROPAGATED_KEYS: [&str; 12] = [
    "regions",
    "s3_bucket",
    "template",
    "az_blacklist",
    "s3_regional_buckets",
    "prehooks",
    "posthooks",
    "role_name",
    "timeout",
    "hook_timeout",
    "delete_timeout",
    "retries",
];

pub(super) type SettingSection = IndexMap<String, ConfigSetting>;

/// A layer of the configuration, or several layers merged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigLayer {
    pub general: SettingSection,
    pub project: SettingSection,
    /// Each test is a [`SettingContent::Section`].
    pub tests: SettingSection,
}

/// A test that replaces those of the configuration.
#[derive(Clone, Debug)]
pub struct OnlyTest {
    /// The name of the test.
    pub name: String,
    /// The template's path, relative to the project root.
    pub template: String,
    /// The region to test in.
    pub region: String,
    /// All parameters, by name.
    pub parameters: Vec<(String, String)>,
    /// Where all of this comes from.
    pub origin: ValueOrigin,
}

/// A configuration value and its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigSetting {
    pub content: SettingContent,
    pub origin: ValueOrigin,
    /// Whether the value was inherited from the section above rather than set here.
    pub inherited: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SettingContent {
    /// A single value, or a tree that isn't merged (a hook's configuration).
    Value(Value),
    List(Vec<ConfigSetting>),
    Section(SettingSection),
}

impl ConfigLayer {
    /// Propagates another layer and merges it over this one.
    pub fn add(&mut self, mut layer: ConfigLayer) {
        layer.propagate();
        self.overlay(layer);
        self.propagate();
    }

    /// Merges into a layer that isn't complete yet, without propagation.
    pub fn overlay(&mut self, layer: ConfigLayer) {
        overlay(&mut self.general, layer.general);
        overlay(&mut self.project, layer.project);
        overlay(&mut self.tests, layer.tests);
    }

    /// Replaces the tests by one, which inherits everything from the project but its template,
    /// region and parameters.
    pub fn replace_tests(&mut self, only: &OnlyTest) {
        let setting = |content| ConfigSetting::new(content, only.origin.clone());
        let text = |text: &str| SettingContent::Value(text.into());
        let parameters = only
            .parameters
            .iter()
            .map(|(key, value)| (key.clone(), setting(text(value))));
        let regions = vec![setting(text(&only.region))];
        let test = SettingSection::from_iter([
            ("template".to_owned(), setting(text(&only.template))),
            ("regions".to_owned(), setting(SettingContent::List(regions))),
            (
                "parameters".to_owned(),
                setting(SettingContent::Section(parameters.collect())),
            ),
        ]);
        for section in [&mut self.general, &mut self.project] {
            section.shift_remove("parameters");
        }
        let test = setting(SettingContent::Section(test));
        self.tests = SettingSection::from_iter([(only.name.clone(), test)]);
        self.propagate();
    }

    /// Applies inheritance within a layer: from general to project, from project to each test.
    fn propagate(&mut self) {
        inherit(&self.general, &mut self.project);
        for test in self.tests.values_mut() {
            if let SettingContent::Section(test) = &mut test.content {
                inherit(&self.project, test);
            }
        }
    }

    pub fn to_json(&self) -> Value {
        let sections = [
            ("general", &self.general),
            ("project", &self.project),
            ("tests", &self.tests),
        ];
        sections
            .map(|(name, section)| (name.to_owned(), section_to_json(section)))
            .into_iter()
            .collect()
    }
}

impl ConfigSetting {
    pub fn new(content: SettingContent, origin: ValueOrigin) -> Self {
        Self {
            content,
            origin,
            inherited: false,
        }
    }

    pub fn as_section(&self) -> Option<&SettingSection> {
        match &self.content {
            SettingContent::Section(section) => Some(section),
            _ => None,
        }
    }

    /// Returns the entries of a section; empty for other values.
    pub fn into_section(self) -> SettingSection {
        match self.content {
            SettingContent::Section(section) => section,
            _ => SettingSection::new(),
        }
    }

    pub fn to_json(&self) -> Value {
        match &self.content {
            SettingContent::Value(value) => value.clone(),
            SettingContent::List(items) => items.iter().map(ConfigSetting::to_json).collect(),
            SettingContent::Section(section) => section_to_json(section),
        }
    }
}

fn section_to_json(section: &SettingSection) -> Value {
    section
        .iter()
        .map(|(key, setting)| (key.clone(), setting.to_json()))
        .collect()
}

fn inherit(parent: &SettingSection, child: &mut SettingSection) {
    for (key, value) in parent {
        let by_entry = PROPAGATED_ENTRIES.contains(&key.as_str());
        if !by_entry && !PROPAGATED_KEYS.contains(&key.as_str()) {
            continue;
        }
        let inherited = |setting: &ConfigSetting| ConfigSetting {
            inherited: true,
            ..setting.clone()
        };
        match (
            child.get_mut(key).map(|own| &mut own.content),
            &value.content,
        ) {
            (None, _) => {
                child.insert(key.clone(), inherited(value));
            }
            (Some(SettingContent::Section(own)), SettingContent::Section(entries)) if by_entry => {
                own.extend(
                    entries
                        .iter()
                        .map(|(name, entry)| (name.clone(), inherited(entry))),
                );
            }
            _ => {}
        }
    }
}

/// Merges sections at any depth; other values are replaced.
fn overlay(base: &mut SettingSection, layer: SettingSection) {
    for (key, new) in layer {
        match (base.get_mut(&key).map(|old| &mut old.content), new.content) {
            (Some(SettingContent::Section(old)), SettingContent::Section(new)) => overlay(old, new),
            (_, content) => {
                base.insert(key, ConfigSetting { content, ..new });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn section(value: &Value) -> SettingSection {
        value
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (key.clone(), setting(value)))
            .collect()
    }

    fn setting(value: &Value) -> ConfigSetting {
        let content = if value.is_object() {
            SettingContent::Section(section(value))
        } else {
            SettingContent::Value(value.clone())
        };
        ConfigSetting::new(content, ValueOrigin::Default)
    }

    fn layer(value: &Value) -> ConfigLayer {
        let part = |name: &str| value.get(name).map(section).unwrap_or_default();
        ConfigLayer {
            general: part("general"),
            project: part("project"),
            tests: part("tests"),
        }
    }

    #[track_caller]
    fn check(layers: &[Value], expect: Value) {
        let mut config = ConfigLayer::default();
        layers.iter().for_each(|value| config.add(layer(value)));
        assert_eq!(config.to_json(), expect);
    }

    #[test]
    fn parameters_tags_and_auth_are_inverted() {
        let own = json!({"A": "t", "B": "t", "C": "t"});
        check(
            &[
                json!({"general": {"parameters": {"A": "g"}, "tags": {"A": "g"}},
                "project": {"parameters": {"A": "p", "B": "p"}},
                "tests": {"t": {"parameters": own}}}),
            ],
            json!({
                "general": {"parameters": {"A": "g"}, "tags": {"A": "g"}},
                "project": {"parameters": {"A": "g", "B": "p"}, "tags": {"A": "g"}},
                "tests": {"t": {"parameters": {"A": "g", "B": "p", "C": "t"}, "tags": {"A": "g"}}},
            }),
        );
    }

    #[test]
    fn other_keys_are_inherited_where_they_are_absent() {
        check(
            &[json!({"general": {"regions": "g", "artifact_regions": "g"},
                    "project": {"template": "p", "name": "n"},
                "tests": {"t": {"regions": "t"}, "u": {}}})],
            json!({
                "general": {"regions": "g", "artifact_regions": "g"},
                "project": {"template": "p", "name": "n", "regions": "g"},
                "tests": {"t": {"regions": "t", "template": "p"},
                "u": {"template": "p", "regions": "g"}},
            }),
        );
    }

    #[test]
    fn a_later_layer_does_not_reach_what_a_test_inherited_earlier() {
        check(
            &[
                json!({"project": {"s3_bucket": "first"}, "tests": {"t": {}}}),
                json!({"project": {"s3_bucket": "second"}}),
            ],
            json!({"general": {}, "project": {"s3_bucket": "second"},
                "tests": {"t": {"s3_bucket": "first"}}}),
        );
        check(
            &[
                json!({"tests": {"t": {}}}),
                json!({"project": {"s3_bucket": "second"}}),
            ],
            json!({"general": {}, "project": {"s3_bucket": "second"},
                "tests": {"t": {"s3_bucket": "second"}}}),
        );
    }
}
