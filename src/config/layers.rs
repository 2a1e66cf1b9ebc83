//! Which files, variables and flags make up a configuration, each read into a layer.
//!
//! Follows `Config.create` in TaskCat's `_config.py`. How layers are laid over each other is
//! `merge`'s, what a key may hold is `validate`'s.

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
const OVERRIDES_FILE: &str = ".taskcat_overrides.yml";

/// What the input file contributes.
#[derive(Default)]
pub(super) struct InputLayers {
    /// The project file, or a legacy one in its stead.
    pub project: ConfigLayer,
    /// Present if the input file is a template: what its `Metadata.taskcat` says, or a single test
    /// named `default`.
    pub template: Option<ConfigLayer>,
}

/// TaskCat's defaults.
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
        // TaskCat has this default in every layer, so that its environment layer puts any other ACL
        // back to `private`. Here an ACL that is set stays set.
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

/// `~/.taskcat.yml`, or the legacy overrides that TaskCat would turn into it.
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

/// The input file: a project's configuration, a legacy one, or a template.
pub(super) fn input(request: &LoadRequest, diagnostics: &mut Vec<Diagnostic>) -> InputLayers {
    let file = request.in_project(&request.input_file);
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
        // What a template's own rules have to say about it is said where templates are read.
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

/// What to do about an input file that doesn't exist: it may have another name, or be in another
/// folder.
fn help_with_missing(request: &LoadRequest, file: &Path) -> String {
    if !file.ends_with(PROJECT_FILE) {
        return "name the project's root with --project-root, or the file with --input-file"
            .to_owned();
    }
    let folder = file.parent().unwrap_or(file);
    let near = [".taskcat.yaml", "taskcat.yml", "taskcat.yaml"]
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

/// True for a CloudFormation template, as opposed to a configuration.
fn is_template(root: &Node) -> bool {
    let has = |keys: &[&str]| keys.iter().any(|key| root.get(key).is_some());
    has(&["Resources", "AWSTemplateFormatVersion"]) && !has(&["general", "project", "tests"])
}

/// The project file beside a template that is the input: it may be missing.
fn project_of_template(request: &LoadRequest, diagnostics: &mut Vec<Diagnostic>) -> ConfigLayer {
    let file = request.in_project(Path::new(PROJECT_FILE));
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

/// A template's `Metadata.taskcat`, which may hold whatever a project file may.
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

/// `.taskcat_overrides.yml`: parameters that win over the project's and its tests'.
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
    // A file that was converted and left in place says nothing else.
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

/// Variables named `TASKCAT_<SECTION>_<KEY>`, as `TASKCAT_PROJECT_S3_BUCKET`.
///
/// TaskCat makes numbers and booleans of what looks like one and takes nothing but text, number and
/// boolean; here the key says what the text is, and lists and mappings can be given too.
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

/// What the user said on the command line. `tests.*.<key>` sets a key of every test in `known`.
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

/// A layer that sets one key to a text from outside a file.
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

/// A text as the kind of value that its key takes: `a,b` or `[a, b]` as a list, YAML as a mapping.
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
    /// A path relative to the project root, without the dots of `./`.
    pub(super) fn in_project(&self, path: &Path) -> PathBuf {
        without_dots(&self.project_root.join(path))
    }
}

fn without_dots(path: &Path) -> PathBuf {
    path.components()
        .filter(|component| *component != Component::CurDir)
        .collect()
}
