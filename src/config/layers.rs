//! Finds the files, variables and flags that make up a configuration and reads each into a layer.
//!
//! Follows `Config.create` in TaskCat's `_config.py`. `merge` merges the layers; `validate` checks
//! their keys.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::file::{START, read};
use super::merge::{ConfigLayer, ConfigSetting, SettingContent, SettingSection};
use super::origin::{LayerSource, ValueOrigin};
use super::validate::{ConfigValidator, KeyRule, ValueType};
use super::{CommandLineValue, LoadRequest, has_errors, legacy};
use crate::diagnostic::Diagnostic;
use crate::input::is_given;
use crate::yaml::{self, Node, NodeValue};

const PROJECT_FILE: &str = ".taskcat.yml";
/// Another usual name, which TaskCat doesn't read.
const OTHER_PROJECT_FILE: &str = ".taskcat.yaml";
const OVERRIDES_FILE: &str = ".taskcat_overrides.yml";

/// The layers of the input file.
#[derive(Default)]
pub(super) struct InputLayers {
    /// The project file, or a legacy one instead.
    pub project: ConfigLayer,
    /// Present if the input file is a template: its `Metadata.taskcat`, or a single test named
    /// `default`.
    pub template: Option<ConfigLayer>,
}

/// Returns TaskCat's defaults.
pub(super) fn defaults() -> ConfigLayer {
    let set = |value: serde_json::Value| {
        ConfigSetting::new(SettingContent::Value(value), ValueOrigin::Default)
    };
    let project = [
        ("s3_enable_sig_v2", json!(false)),
        ("build_submodules", json!(true)),
        ("package_lambda", json!(true)),
        ("lambda_zip_path", json!("lambda_functions/packages")),
        ("lambda_source_path", json!("lambda_functions/source")),
        ("shorten_stack_name", json!(false)),
        // TaskCat has this default in every layer, so that its environment layer resets any other
        // ACL to `private`. Here an ACL that was set is kept.
        ("s3_object_acl", json!("private")),
    ];
    let parameters = ConfigSetting::new(
        SettingContent::Section(SettingSection::new()),
        ValueOrigin::Default,
    );
    ConfigLayer {
        general: SettingSection::from_iter([("parameters".to_owned(), parameters)]),
        project: project
            .into_iter()
            .map(|(key, value)| (key.to_owned(), set(value)))
            .collect(),
        tests: SettingSection::new(),
    }
}

/// Reads `~/.taskcat.yml`, or the legacy overrides that TaskCat would convert to it.
pub(super) fn global(request: &LoadRequest, diagnostics: &mut Vec<Diagnostic>) -> ConfigLayer {
    let file = request.global_file.as_deref().filter(|path| is_given(path));
    let legacy_file = request
        .legacy_global_overrides
        .as_deref()
        .filter(|path| is_given(path));
    if let Some(legacy_file) = legacy_file {
        let remedy = "write the parameters to `general: {parameters: {…}}` in ~/.taskcat.yml";
        diagnostics.push(legacy::overrides_warning(legacy_file, file, remedy));
    }
    match (file, legacy_file) {
        (Some(file), _) => read(file, diagnostics)
            .map_or_else(ConfigLayer::default, |(source, root)| {
                ConfigValidator::new(&source, diagnostics).config(&root)
            }),
        (None, Some(legacy_file)) => {
            let parameters = legacy::parameter_file(legacy_file, diagnostics);
            ConfigLayer {
                general: SettingSection::from_iter([("parameters".to_owned(), parameters)]),
                ..ConfigLayer::default()
            }
        }
        (None, None) => ConfigLayer::default(),
    }
}

/// Returns the configuration in a project's root; `.taskcat.yml` takes precedence. Legacy ones
/// don't count.
pub fn project_file(root: &Path) -> Option<PathBuf> {
    let names = [PROJECT_FILE, OTHER_PROJECT_FILE].into_iter();
    names
        .map(|name| root.join(name))
        .find(|file| is_given(file))
}

/// Returns the file to read instead of a missing `.taskcat.yml`. Warns about the other name.
fn named_otherwise(file: PathBuf, diagnostics: &mut Vec<Diagnostic>) -> PathBuf {
    let other = file.with_file_name(OTHER_PROJECT_FILE);
    if !file.ends_with(PROJECT_FILE) || !is_given(&other) {
        return file;
    }
    let help = "rename it to .taskcat.yml, the only name that TaskCat reads";
    if is_given(&file) {
        let message = format!("ignoring {OTHER_PROJECT_FILE}, since there is a {PROJECT_FILE}");
        diagnostics.push(Diagnostic::warning(message));
        return file;
    }
    let message = format!("the configuration is named {OTHER_PROJECT_FILE}");
    diagnostics.push(Diagnostic::warning(message).help(help));
    other
}

/// Reads the input file: a project's configuration, a legacy one, or a template.
pub(super) fn input(request: &LoadRequest, diagnostics: &mut Vec<Diagnostic>) -> InputLayers {
    let file = named_otherwise(request.in_project(&request.input_file), diagnostics);
    if !is_given(&file) && file.ends_with(PROJECT_FILE) {
        let legacy_file = request.in_project(Path::new(legacy::PROJECT_FILE));
        if is_given(&legacy_file) {
            return InputLayers {
                project: legacy::read_project(&legacy_file, diagnostics),
                template: None,
            };
        }
    }
    let found = diagnostics.len();
    let Some((source, root)) = read(&file, diagnostics) else {
        if let Some(diagnostic) = diagnostics.get_mut(found).filter(|_| !file.exists()) {
            diagnostic.help = Some(help_with_missing(request, &file));
        }
        return InputLayers::default();
    };
    if is_template(&root) {
        // Errors of the template itself are reported when `template` reads it.
        diagnostics.truncate(found);
        let project = project_of_template(request, diagnostics);
        return InputLayers {
            project,
            template: Some(template(request, &source, &root, diagnostics)),
        };
    }
    if legacy::is_legacy(&root) {
        return InputLayers {
            project: legacy::project(&file, &root, diagnostics),
            template: None,
        };
    }
    InputLayers {
        project: ConfigValidator::new(&source, diagnostics).config(&root),
        template: None,
    }
}

/// Returns help for a missing input file, which may have another name or be in another folder.
fn help_with_missing(request: &LoadRequest, file: &Path) -> String {
    if !file.ends_with(PROJECT_FILE) {
        return "name the project's root with --project-root, or the file with --input-file"
            .to_owned();
    }
    let folder = file.parent().unwrap_or(file);
    let near = ["taskcat.yml", "taskcat.yaml"]
        .into_iter()
        .find(|name| is_given(&folder.join(name)));
    if let Some(near) = near {
        return format!("rename {near} to {PROJECT_FILE}, or pass `--input-file {near}`");
    }
    let absolute = folder
        .canonicalize()
        .unwrap_or_else(|_| request.project_root.clone());
    let parents = absolute
        .ancestors()
        .skip(1)
        .filter(|parent| is_given(&parent.join(PROJECT_FILE)));
    if let Some(parent) = parents
        .into_iter()
        .find(|parent| Some(parent.join(PROJECT_FILE)) != request.global_file)
    {
        return format!("pass `--project-root {}`, which has one", parent.display());
    }
    "create it, with `project: {name: NAME, regions: [REGION]}` and `tests: {default: {template: \
     TEMPLATE}}`, \
     or name the project's root with --project-root, or a template with --input-file"
        .to_owned()
}

/// Returns whether a tree is a CloudFormation template rather than a configuration.
fn is_template(root: &Node) -> bool {
    let has = |keys: &[&str]| keys.iter().any(|key| root.get(key).is_some());
    has(&["Resources", "AWSTemplateFormatVersion"]) && !has(&["general", "project", "tests"])
}

/// Reads the project file beside an input file that is a template; it may be missing.
fn project_of_template(request: &LoadRequest, diagnostics: &mut Vec<Diagnostic>) -> ConfigLayer {
    let file = named_otherwise(request.in_project(Path::new(PROJECT_FILE)), diagnostics);
    let legacy_file = request.in_project(Path::new(legacy::PROJECT_FILE));
    if is_given(&file) {
        read(&file, diagnostics).map_or_else(ConfigLayer::default, |(source, root)| {
            ConfigValidator::new(&source, diagnostics).config(&root)
        })
    } else if is_given(&legacy_file) {
        legacy::read_project(&legacy_file, diagnostics)
    } else {
        ConfigLayer::default()
    }
}

/// Reads a template's `Metadata.taskcat`, which may contain anything that a project file may.
fn template(
    request: &LoadRequest,
    source: &LayerSource,
    root: &Node,
    diagnostics: &mut Vec<Diagnostic>,
) -> ConfigLayer {
    let metadata = root
        .get("Metadata")
        .and_then(|metadata| metadata.get("taskcat"))
        .filter(|node| !node.is_null());
    let mut layer = metadata.map_or_else(ConfigLayer::default, |node| {
        ConfigValidator::new(source, diagnostics).config(node)
    });
    let file = request.in_project(&request.input_file);
    let relative = file
        .strip_prefix(without_dots(&request.project_root))
        .unwrap_or(&file);
    let path = relative.to_string_lossy().replace('\\', "/");
    layer.project.insert(
        "template".to_owned(),
        ConfigSetting::new(SettingContent::Value(path.into()), source.origin(START)),
    );
    if layer.tests.is_empty() {
        let test = ConfigSetting::new(
            SettingContent::Section(SettingSection::new()),
            source.origin(START),
        );
        layer.tests.insert("default".to_owned(), test);
    }
    layer
}

/// Reads `.taskcat_overrides.yml`: parameters that take precedence over the project's and its
/// tests'.
pub(super) fn overrides(request: &LoadRequest, diagnostics: &mut Vec<Diagnostic>) -> ConfigLayer {
    let file = Some(request.in_project(Path::new(OVERRIDES_FILE))).filter(|path| is_given(path));
    let legacy_file =
        Some(request.in_project(Path::new(legacy::OVERRIDES_FILE))).filter(|path| is_given(path));
    let current = file.as_ref().and_then(|file| {
        let (source, root) = read(file, diagnostics)?;
        let rule = KeyRule::root().at(&["project", "parameters"])?;
        ConfigValidator::new(&source, diagnostics).value(&root, rule, "project.parameters")
    });
    let mut found = Vec::new();
    let legacy = legacy_file
        .as_ref()
        .map(|file| legacy::parameter_file(file, &mut found));
    let is_same = |(a, b): (&ConfigSetting, &ConfigSetting)| a.to_json() == b.to_json();
    // A file that was converted but not removed isn't worth a warning.
    if let Some(legacy_file) =
        legacy_file.filter(|_| !current.as_ref().zip(legacy.as_ref()).is_some_and(is_same))
    {
        let remedy = "`taskcat config convert` writes it as .taskcat_overrides.yml";
        diagnostics.push(legacy::overrides_warning(
            &legacy_file,
            file.as_deref(),
            remedy,
        ));
    }
    let parameters = match file {
        Some(_) => current,
        None => {
            diagnostics.extend(found);
            legacy
        }
    };
    let project = parameters
        .map(|parameters| ("parameters".to_owned(), parameters))
        .into_iter()
        .collect();
    ConfigLayer {
        project,
        ..ConfigLayer::default()
    }
}

/// Reads variables named `TASKCAT_<SECTION>_<KEY>`, such as `TASKCAT_PROJECT_S3_BUCKET`.
///
/// TaskCat converts what looks like a number or boolean and accepts only strings, numbers and
/// booleans. Here the key determines the type, and lists and mappings are accepted too.
pub(super) fn environment(request: &LoadRequest, diagnostics: &mut Vec<Diagnostic>) -> ConfigLayer {
    let mut layer = ConfigLayer::default();
    for (name, value) in &request.env {
        let Some(rest) = name.strip_prefix("TASKCAT_").map(str::to_lowercase) else {
            continue;
        };
        let Some((section, key)) = rest.split_once('_') else {
            continue;
        };
        let source = LayerSource::Environment(Arc::from(name.as_str()));
        match section {
            "general" | "project" => {
                layer.overlay(assigned(&[section, key], value, &source, diagnostics))
            }
            "tests" => {
                let diagnostic =
                    Diagnostic::error("a variable can set keys of general and project, not tests");
                diagnostics.push(source.place(diagnostic, START));
            }
            _ => {}
        }
    }
    layer
}

/// Reads the values of the command line. `tests.*.<key>` sets a key of every test in `known`.
pub(super) fn command_line(
    request: &LoadRequest,
    known: &SettingSection,
    diagnostics: &mut Vec<Diagnostic>,
) -> ConfigLayer {
    let mut layer = ConfigLayer::default();
    for CommandLineValue { key, value, flag } in &request.command_line {
        let source = LayerSource::CommandLine(Arc::from(flag.as_str()));
        let path: Vec<&str> = key.split('.').collect();
        match path.as_slice() {
            ["tests", "*", rest @ ..] => {
                for test in known.keys() {
                    let path = [&["tests", test.as_str()], rest].concat();
                    layer.overlay(assigned(&path, value, &source, diagnostics));
                }
            }
            path => layer.overlay(assigned(path, value, &source, diagnostics)),
        }
    }
    layer
}

/// Returns a layer that sets one key to a text that isn't from a file.
fn assigned(
    path: &[&str],
    text: &str,
    source: &LayerSource,
    diagnostics: &mut Vec<Diagnostic>,
) -> ConfigLayer {
    let takes = KeyRule::root()
        .at(path)
        .map_or(ValueType::Text, KeyRule::takes);
    let Some(value) = typed(text, takes, source, diagnostics) else {
        return ConfigLayer::default();
    };
    let root = path.iter().rev().fold(value, |node, key| {
        new_node(NodeValue::Mapping(vec![(
            new_node(NodeValue::String((*key).into())),
            node,
        )]))
    });
    ConfigValidator::new(source, diagnostics).config(&root)
}

/// Parses a text as the type that its key takes: `a,b` or `[a, b]` as a list, YAML as a mapping.
fn typed(
    text: &str,
    takes: ValueType,
    source: &LayerSource,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Node> {
    let string = |text: &str| new_node(NodeValue::String(text.into()));
    match takes {
        ValueType::Text | ValueType::Integer | ValueType::Parameter => Some(string(text)),
        ValueType::Boolean => Some(match text.to_lowercase().as_str() {
            "true" => new_node(NodeValue::Bool(true)),
            "false" => new_node(NodeValue::Bool(false)),
            _ => string(text),
        }),
        ValueType::List if !text.trim_start().starts_with('[') => {
            let items = text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(string);
            Some(new_node(NodeValue::Sequence(items.collect())))
        }
        ValueType::List | ValueType::Mapping | ValueType::Anything => {
            let parsed = yaml::parse(&Arc::from(Path::new("")), text);
            let failed = has_errors(&parsed.diagnostics);
            let placed = parsed.diagnostics.into_iter().map(|diagnostic| {
                source.place(
                    Diagnostic {
                        location: None,
                        ..diagnostic
                    },
                    START,
                )
            });
            diagnostics.extend(placed);
            if failed { None } else { parsed.root }
        }
    }
}

fn new_node(value: NodeValue) -> Node {
    let text = match &value {
        NodeValue::String(text) => text.clone(),
        NodeValue::Bool(value) => value.to_string().into(),
        _ => "".into(),
    };
    Node {
        value,
        tag: None,
        text,
        at: START,
    }
}

impl LoadRequest {
    /// Joins a path to the project root, without `./`.
    pub(super) fn in_project(&self, path: &Path) -> PathBuf {
        without_dots(&self.project_root.join(path))
    }
}

fn without_dots(path: &Path) -> PathBuf {
    path.components()
        .filter(|component| *component != Component::CurDir)
        .collect()
}
