//! Renders a resolved configuration for `taskcat config show`.
//!
//! In YAML, a comment on each line shows the value's origin.

use serde_json::{Value, json};

use super::LoadedConfig;
use super::merge::{ConfigLayer, ConfigSetting, SettingContent};
use crate::yaml::lines;

/// Returns JSON in TaskCat's format: `general`, `project`, `tests`, without absent keys.
pub fn json(loaded: &LoadedConfig) -> String {
    pretty(&loaded.to_json())
}

/// Returns JSON with the configuration and the origin of each value by its path
/// (`tests.default.regions.0`).
pub fn json_with_origin(loaded: &LoadedConfig) -> String {
    let origins = leaves(&loaded.to_json(), "")
        .into_iter()
        .filter_map(|path| {
            loaded
                .origin(&path)
                .map(|origin| (path, Value::from(origin.to_string())))
        });
    pretty(&json!({
        "config": loaded.to_json(),
        "origins": origins.collect::<serde_json::Map<_, _>>(),
    }))
}

/// Returns YAML that can be read back.
pub fn yaml(loaded: &LoadedConfig) -> String {
    lines(&loaded.to_json())
        .into_iter()
        .map(|line| line.text + "\n")
        .collect()
}

/// Returns YAML with a comment on each value about its origin.
pub fn with_origin(loaded: &LoadedConfig) -> String {
    let lines = lines(&loaded.to_json());
    let width = lines
        .iter()
        .map(|line| line.text.chars().count())
        .filter(|width| *width <= 60)
        .max()
        .unwrap_or(0);
    let shown = lines.into_iter().map(|line| {
        match line.leaf.and_then(|path| loaded.origin(&path).cloned()) {
            Some(origin) => format!("{:width$}  # {origin}\n", line.text),
            None => line.text + "\n",
        }
    });
    shown.collect()
}

/// Returns the text of a `.taskcat.yml` with a layer's `project` and `tests`, without empty values.
pub fn project_file(layer: &ConfigLayer) -> String {
    let mut layer = layer.clone();
    layer.project.retain(|_, setting| match &setting.content {
        SettingContent::Value(value) => value != "",
        SettingContent::List(items) => !items.is_empty(),
        SettingContent::Section(section) => !section.is_empty(),
    });
    let mut config = layer.to_json();
    if let Some(sections) = config.as_object_mut() {
        sections.shift_remove("general");
    }
    lines(&config)
        .into_iter()
        .map(|line| line.text + "\n")
        .collect()
}

/// Returns the text of a `.taskcat_overrides.yml`.
pub fn parameters_file(parameters: &ConfigSetting) -> String {
    lines(&parameters.to_json())
        .into_iter()
        .map(|line| line.text + "\n")
        .collect()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Returns the paths of a tree's scalars, including list items.
fn leaves(value: &Value, path: &str) -> Vec<String> {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Object(entries) if !entries.is_empty() => entries
            .iter()
            .flat_map(|(key, value)| leaves(value, &below(key)))
            .collect(),
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .enumerate()
            .flat_map(|(n, value)| leaves(value, &below(&n.to_string())))
            .collect(),
        _ => vec![path.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TempProject;
    use super::*;

    const CONFIG: &str = r#"
project:
  name: p
  regions: [us-east-1]
  prehooks: [{type: script, config: {command: [make, "a b"], n: null}}]
tests:
  "yes":
    parameters:
      A: "010"
      B: $[taskcat_genaz_2]
      C: |
        two
        lines
      D: [x, ""]
      E: "- a #b"
      F: true
"#;

    #[test]
    fn yaml_can_be_read_back() {
        let loaded = TempProject::new(&[(".taskcat.yml", CONFIG)]).load();
        insta::assert_snapshot!(yaml(&loaded), @r##"
        general:
          parameters: {}
        project:
          name: p
          regions:
            - us-east-1
          package_lambda: true
          lambda_zip_path: lambda_functions/packages
          lambda_source_path: lambda_functions/source
          parameters: {}
          build_submodules: true
          s3_enable_sig_v2: false
          s3_object_acl: private
          shorten_stack_name: false
          prehooks:
            - type: script
              config:
                command:
                  - make
                  - a b
                n: null
        tests:
          "yes":
            parameters:
              A: "010"
              B: $[taskcat_genaz_2]
              C: "two\nlines\n"
              D:
                - x
                - ""
              E: "- a #b"
              F: "True"
            regions:
              - us-east-1
            prehooks:
              - type: script
                config:
                  command:
                    - make
                    - a b
                  n: null
        "##);
        let again = TempProject::new(&[(".taskcat.yml", &yaml(&loaded))]).load();
        assert_eq!(again.to_json(), loaded.to_json());
    }

    #[test]
    fn origins_are_beside_the_values() {
        let project =
            TempProject::new(&[(".taskcat.yml", CONFIG)]).env("TASKCAT_PROJECT_OWNER", "me");
        let root = format!("{}/", project.request.project_root.display());
        insta::assert_snapshot!(with_origin(&project.load()).replace(&root, ""), @r##"
        general:
          parameters: {}                               # default
        project:
          name: p                                      # .taskcat.yml:3:3
          owner: me                                    # TASKCAT_PROJECT_OWNER
          regions:
            - us-east-1                                # .taskcat.yml:4:13
          package_lambda: true                         # default
          lambda_zip_path: lambda_functions/packages   # default
          lambda_source_path: lambda_functions/source  # default
          parameters: {}                               # default
          build_submodules: true                       # default
          s3_enable_sig_v2: false                      # default
          s3_object_acl: private                       # default
          shorten_stack_name: false                    # default
          prehooks:
            - type: script                             # .taskcat.yml:5:15
              config:
                command:
                  - make                               # .taskcat.yml:5:48
                  - a b                                # .taskcat.yml:5:54
                n: null                                # .taskcat.yml:5:62
        tests:
          "yes":
            parameters:
              A: "010"                                 # .taskcat.yml:9:7
              B: $[taskcat_genaz_2]                    # .taskcat.yml:10:7
              C: "two\nlines\n"                        # .taskcat.yml:11:7
              D:
                - x                                    # .taskcat.yml:14:11
                - ""                                   # .taskcat.yml:14:14
              E: "- a #b"                              # .taskcat.yml:15:7
              F: "True"                                # .taskcat.yml:16:7
            regions:
              - us-east-1                              # .taskcat.yml:4:13
            prehooks:
              - type: script                           # .taskcat.yml:5:15
                config:
                  command:
                    - make                             # .taskcat.yml:5:48
                    - a b                              # .taskcat.yml:5:54
                  n: null                              # .taskcat.yml:5:62
        "##);
        let json: Value =
            serde_json::from_str(&json_with_origin(&project.load()).replace(&root, "")).unwrap();
        assert_eq!(
            json["origins"]["tests.yes.parameters.D.1"],
            ".taskcat.yml:14:14"
        );
        assert_eq!(json["config"]["project"]["owner"], "me");
    }

    #[test]
    fn json_is_taskcats_shape() {
        let loaded = TempProject::new(&[(".taskcat.yml", "project: {name: p}\n")]).load();
        insta::assert_snapshot!(json(&loaded), @r##"
        {
          "general": {
            "parameters": {}
          },
          "project": {
            "name": "p",
            "package_lambda": true,
            "lambda_zip_path": "lambda_functions/packages",
            "lambda_source_path": "lambda_functions/source",
            "parameters": {},
            "build_submodules": true,
            "s3_enable_sig_v2": false,
            "s3_object_acl": "private",
            "shorten_stack_name": false
          },
          "tests": {}
        }
        "##);
    }
}
