//! Reads the configuration of TaskCat before 0.9: `ci/taskcat.yml`, its parameter files and its
//! overrides.
//!
//! TaskCat writes a converted `.taskcat.yml` when it finds one (`_legacy_config.py`). Here the
//! conversion happens in memory, with a warning; [`convert`] returns the files that `taskcat config
//! convert` writes.

use std::path::Path;
use std::sync::Arc;

use super::file;
use super::merge::{ConfigLayer, ConfigSetting, SettingContent, SettingSection};
use super::origin::{LayerSource, ValueOrigin};
use super::show;
use super::validate::{ConfigValidator, KeyRule};
use crate::diagnostic::{Diagnostic, Location};
use crate::input::is_given;
use crate::yaml::{Node, NodeValue};

/// Path of the legacy project file, relative to the project root.
pub const PROJECT_FILE: &str = "ci/taskcat.yml";
/// Path of the legacy overrides, relative to the project root.
pub const OVERRIDES_FILE: &str = "ci/taskcat_project_override.json";

/// The files that `taskcat config convert` writes.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvertedConfig {
    /// The text of `.taskcat.yml`; `None` if there is no `ci/taskcat.yml`.
    pub yaml: Option<String>,
    /// The text of `.taskcat_overrides.yml`; `None` if there is no overrides file.
    pub overrides: Option<String>,
    /// Warnings about the legacy files.
    pub warnings: Vec<Diagnostic>,
}

/// Converts a project's `ci/taskcat.yml` and `ci/taskcat_project_override.json` without writing
/// anything.
///
/// # Errors
/// One of the files can't be read, or neither exists.
pub fn convert(project_root: &Path) -> Result<ConvertedConfig, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let file = project_root.join(PROJECT_FILE);
    let overrides_file = project_root.join(OVERRIDES_FILE);
    let overrides =
        is_given(&overrides_file).then(|| parameter_file(&overrides_file, &mut diagnostics));
    let layer = if overrides.is_some() && !is_given(&file) {
        None
    } else {
        let read = file::read(&file, &mut diagnostics);
        read.map(|(_, root)| project_layer(&file, &root, &mut diagnostics))
    };
    if super::has_errors(&diagnostics) {
        if !is_given(&file) && !is_given(&overrides_file) {
            let help = "the configuration of TaskCat before 0.9 is in the project's directory `ci`";
            diagnostics
                .iter_mut()
                .for_each(|it| it.help = Some(help.to_owned()));
        }
        return Err(diagnostics);
    }
    Ok(ConvertedConfig {
        yaml: layer.map(|layer| show::project_file(&layer)),
        overrides: overrides.map(|parameters| show::parameters_file(&parameters)),
        warnings: diagnostics,
    })
}

/// Returns whether a tree is a legacy configuration.
pub fn is_legacy(root: &Node) -> bool {
    root.get("global").is_some() && root.get("general").is_none() && root.get("project").is_none()
}

/// Reads a legacy project file into a layer.
pub fn read_project(file: &Path, diagnostics: &mut Vec<Diagnostic>) -> ConfigLayer {
    match file::read(file, diagnostics) {
        Some((_, root)) => project(file, &root, diagnostics),
        None => ConfigLayer::default(),
    }
}

/// Converts a legacy configuration to a layer and warns about its format.
pub fn project(file: &Path, root: &Node, diagnostics: &mut Vec<Diagnostic>) -> ConfigLayer {
    let location = Location {
        file: Arc::from(file),
        at: root.at,
    };
    diagnostics.push(
        Diagnostic::warning(
            "this is the format of TaskCat before 0.9; it is converted whenever it is read",
        )
        .at(location)
        .help("`taskcat config convert` writes it as .taskcat.yml"),
    );
    project_layer(file, root, diagnostics)
}

fn project_layer(file: &Path, root: &Node, diagnostics: &mut Vec<Diagnostic>) -> ConfigLayer {
    let source = LayerSource::File(Arc::from(file));
    let mut legacy = LegacyConfig {
        file,
        source: &source,
        diagnostics,
    };
    let project = legacy.global(root);
    let tests = match root.get("tests") {
        Some(tests) => legacy.tests(tests),
        None => SettingSection::new(),
    };
    ConfigLayer {
        general: SettingSection::new(),
        project,
        tests,
    }
}

struct LegacyConfig<'a> {
    file: &'a Path,
    source: &'a LayerSource,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl LegacyConfig<'_> {
    fn global(&mut self, root: &Node) -> SettingSection {
        let global = root.get("global").unwrap_or(root);
        let mut project = SettingSection::new();
        if global.get("qsname").is_none() {
            self.error(global, "`global` has no `qsname`, the project's name");
        }
        // Missing values become empty strings, as in TaskCat's conversion.
        let text = || SettingContent::Value("".into());
        let keys = [
            ("name", "qsname", text()),
            ("owner", "owner", text()),
            ("s3_bucket", "s3bucket", text()),
            (
                "package_lambda",
                "lambda_build",
                SettingContent::Value(false.into()),
            ),
            ("regions", "regions", SettingContent::List(Vec::new())),
        ];
        for (key, legacy_key, default) in keys {
            let setting = match global.get(legacy_key) {
                Some(node) => {
                    self.checked(node, &["project", key], &format!("global.{legacy_key}"))
                }
                None => Some(ConfigSetting::new(default, ValueOrigin::Default)),
            };
            project.extend(setting.map(|setting| (key.to_owned(), setting)));
        }
        project
    }

    fn tests(&mut self, node: &Node) -> SettingSection {
        let mut tests = SettingSection::new();
        for (name, test) in node.entries() {
            let path = format!("tests.{}", name.text);
            let mut section = SettingSection::new();
            if let Some(template) = self.required(test, "template_file", &path) {
                let template = SettingContent::Value(format!("templates/{template}").into());
                let at = test.get("template_file").unwrap_or(test).at;
                section.insert(
                    "template".to_owned(),
                    ConfigSetting::new(template, self.source.origin(at)),
                );
            }
            if let Some(input) = self.required(test, "parameter_input", &path) {
                let folder = self.file.parent().unwrap_or(Path::new(""));
                section.insert(
                    "parameters".to_owned(),
                    parameter_file(&folder.join(input), self.diagnostics),
                );
            }
            let regions = test
                .get("regions")
                .filter(|node| node.as_sequence().is_none_or(|items| !items.is_empty()));
            let regions = regions.and_then(|node| {
                self.checked(node, &["tests", "", "regions"], &format!("{path}.regions"))
            });
            section.extend(regions.map(|regions| ("regions".to_owned(), regions)));
            tests.insert(
                name.text.to_string(),
                ConfigSetting::new(
                    SettingContent::Section(section),
                    self.source.origin(name.at),
                ),
            );
        }
        tests
    }

    fn required<'n>(&mut self, test: &'n Node, key: &str, path: &str) -> Option<&'n str> {
        let text = test.get(key).and_then(Node::as_str);
        if text.is_none() {
            self.error(test, &format!("`{path}` has no `{key}`"));
        }
        text
    }

    fn checked(&mut self, node: &Node, rule: &[&str], path: &str) -> Option<ConfigSetting> {
        ConfigValidator::new(self.source, self.diagnostics).value(
            node,
            KeyRule::root().at(rule)?,
            path,
        )
    }

    fn error(&mut self, node: &Node, message: &str) {
        self.diagnostics
            .push(self.source.place(Diagnostic::error(message), node.at));
    }
}

/// Reads a file in the format of `aws cloudformation create-stack --parameters`: `[{"ParameterKey":
/// …, "ParameterValue": …}]`.
pub fn parameter_file(file: &Path, diagnostics: &mut Vec<Diagnostic>) -> ConfigSetting {
    let mut parameters = SettingSection::new();
    let Some((source, root)) = file::read(file, diagnostics) else {
        return ConfigSetting::new(SettingContent::Section(parameters), ValueOrigin::Default);
    };
    let Some(items) = root.as_sequence() else {
        let message = format!(
            "a parameter file is a list of ParameterKey and ParameterValue, not {}",
            root.kind_name()
        );
        diagnostics.push(source.place(Diagnostic::error(message), root.at));
        return ConfigSetting::new(SettingContent::Section(parameters), source.origin(root.at));
    };
    for item in items {
        match (item.get("ParameterKey"), item.get("ParameterValue")) {
            (Some(key), Some(value)) if key.is_scalar() && key.value != NodeValue::Null => {
                let content =
                    ConfigValidator::new(&source, diagnostics).parameter(value, &key.text);
                let setting =
                    content.map(|content| ConfigSetting::new(content, source.origin(key.at)));
                parameters.extend(setting.map(|setting| (key.text.to_string(), setting)));
            }
            _ => {
                let diagnostic =
                    Diagnostic::error("a parameter needs a ParameterKey and a ParameterValue");
                diagnostics.push(source.place(diagnostic, item.at));
            }
        }
    }
    ConfigSetting::new(SettingContent::Section(parameters), source.origin(root.at))
}

/// Returns the warning about a legacy overrides file. `current` is the file in the current format,
/// which takes precedence if it exists; `remedy` says how to convert.
pub fn overrides_warning(file: &Path, current: Option<&Path>, remedy: &str) -> Diagnostic {
    let location = Location {
        file: Arc::from(file),
        at: crate::diagnostic::Position { line: 1, column: 1 },
    };
    match current {
        Some(current) => {
            Diagnostic::warning(format!("ignored, since {} exists", current.display()))
                .at(location)
                .help("remove the file: its format is that of TaskCat before 0.9")
        }
        None => Diagnostic::warning(
            "this is the format of TaskCat before 0.9; it is converted whenever it is read",
        )
        .at(location)
        .help(remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TempProject;
    use super::*;

    const CONFIG: &str = "global:\n  qsname: old\n  regions: [us-east-1]\n  lambda_build: \
        true\ntests:\n  t:\n    \
                          template_file: main.template\n    parameter_input: t.json\n    regions: \
                          [us-west-2]\n";
    const PARAMETERS: &str = "[\n  {\"ParameterKey\": \"A\", \"ParameterValue\": \"x: y\"},\n  \
        {\"ParameterKey\": \
                              \"B\", \"ParameterValue\": true}\n]\n";

    #[test]
    fn a_legacy_project_is_read_with_a_warning_and_keeps_its_origins() {
        let project = TempProject::new(&[(PROJECT_FILE, CONFIG), ("ci/t.json", PARAMETERS)]);
        let warning = "ci/taskcat.yml:1:1: this is the format of TaskCat before 0.9; it is \
            converted whenever it is \
                       read (`taskcat config convert` writes it as .taskcat.yml)";
        assert_eq!(project.all_said(), [warning]);
        let loaded = project.load();
        let origin = |path: &str| {
            loaded
                .origin(path)
                .map(|o| o.to_string().rsplit('/').next().unwrap().to_owned())
        };
        assert_eq!(origin("project.name").as_deref(), Some("taskcat.yml:2:11"));
        assert_eq!(
            origin("tests.t.parameters.A").as_deref(),
            Some("t.json:2:20")
        );
        assert_eq!(
            origin("tests.t.template").as_deref(),
            Some("taskcat.yml:7:20")
        );

        // The same file as the input file.
        let mut named = TempProject::new(&[(PROJECT_FILE, CONFIG), ("ci/t.json", PARAMETERS)]);
        named.request.input_file = PROJECT_FILE.into();
        assert_eq!(named.load().config, loaded.config);
    }

    #[test]
    fn the_converted_file_is_equivalent() {
        let project = TempProject::new(&[(PROJECT_FILE, CONFIG), ("ci/t.json", PARAMETERS)]);
        let converted = convert(&project.request.project_root).unwrap();
        let yaml = converted.yaml.unwrap();
        insta::assert_snapshot!(yaml, @r#"
        project:
          name: old
          package_lambda: true
          regions:
            - us-east-1
        tests:
          t:
            template: templates/main.template
            parameters:
              A: "x: y"
              B: true
            regions:
              - us-west-2
        "#);
        let current = TempProject::new(&[(".taskcat.yml", &yaml)]).load();
        let mut legacy = project.load();
        // TaskCat's conversion writes empty strings for missing values.
        legacy.config.project.owner = None;
        legacy.config.project.s3_bucket = None;
        legacy.config.tests["t"].s3_bucket = None;
        assert_eq!(current.config, legacy.config);
    }

    #[test]
    fn problems_in_legacy_files_have_a_location() {
        let project = TempProject::new(&[
            (
                PROJECT_FILE,
                "global: {owner: 1, regions: [x]}\ntests:\n  a: {template_file: a}\n  b: \
                 {template_file: b, \
                 parameter_input: b.json}\n  c: {template_file: c, parameter_input: c.json}\n",
            ),
            (
                "ci/b.json",
                "[{\"ParameterKey\": \"A\"}, {\"ParameterKey\": \"B\", \"ParameterValue\": null}]",
            ),
        ]);
        let said = convert(&project.request.project_root).unwrap_err();
        assert_eq!(
            project.said(&said),
            [
                "ci/taskcat.yml:1:9: `global` has no `qsname`, the project's name",
                "ci/taskcat.yml:1:17: `global.owner` takes text, not a whole number (put it in \
                 quotes: \"1\")",
                "ci/taskcat.yml:1:30: `global.regions[0]` is `x`, but must be an AWS region such \
                 as us-east-1",
                "ci/taskcat.yml:3:6: `tests.a` has no `parameter_input`",
                "ci/b.json:1:2: a parameter needs a ParameterKey and a ParameterValue",
                "ci/b.json:1:65: `B` has no value (write '' for an empty text, or remove the key)",
                "cannot read ci/c.json: no such file",
            ]
        );
    }

    #[test]
    fn legacy_overrides_count_only_without_current_ones() {
        let config = (
            ".taskcat.yml",
            "project: {name: p, parameters: {A: file}}\n",
        );
        let legacy = (
            OVERRIDES_FILE,
            "[{\"ParameterKey\": \"A\", \"ParameterValue\": \"legacy\"}]",
        );
        let value = |project: &TempProject| {
            project.load().config.project.parameters.unwrap()["A"].text(&[])
        };

        let project = TempProject::new(&[config, legacy]);
        assert_eq!(value(&project), "legacy");
        assert_eq!(
            project.all_said(),
            [
                "ci/taskcat_project_override.json:1:1: this is the format of TaskCat before 0.9; \
                 it is converted \
                 whenever it is read (`taskcat config convert` writes it as .taskcat_overrides.yml)"
            ]
        );
        let project =
            TempProject::new(&[config, legacy, (".taskcat_overrides.yml", "A: legacy\n")]);
        assert_eq!(
            project.all_said(),
            [""; 0],
            "the converted file says the same"
        );
        let project =
            TempProject::new(&[config, legacy, (".taskcat_overrides.yml", "A: current\n")]);
        assert_eq!(value(&project), "current");
        assert_eq!(
            project.all_said(),
            [
                "ci/taskcat_project_override.json:1:1: ignored, since .taskcat_overrides.yml \
                 exists (remove the file: \
                 its format is that of TaskCat before 0.9)"
            ]
        );
    }
}
