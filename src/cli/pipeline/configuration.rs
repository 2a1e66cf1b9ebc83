//! The first `configuration.zip` of a pipeline, made from the project on this machine.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::config;
use crate::diagnostic::Diagnostic;
use crate::pipeline::{self, Parameters};
use crate::spelling::did_you_mean;
use crate::template::Templates;

/// Names of the two files in the project root.
const TASKCAT: &str = ".taskcat.yml";
const PRODUCTION: &str = "production.json";

/// Returns the archive: the project's `.taskcat.yml`, and its `production.json` or one without
/// parameters and tags.
///
/// # Errors
/// Why the project doesn't have what the pipeline needs.
pub(super) fn first(
    project_root: &Path,
    parameters: &Parameters,
) -> Result<Vec<u8>, Vec<Diagnostic>> {
    let one = |diagnostic| vec![diagnostic];
    let root = project_root.canonicalize().map_err(|error| {
        one(Diagnostic::error(format!(
            "cannot read the project {}: {error}",
            project_root.display()
        )))
    })?;
    let taskcat = read(&root, TASKCAT).map_err(one)?.ok_or_else(|| {
        let message = format!("there is no {TASKCAT} in {}", root.display());
        one(Diagnostic::error(message).help("--project-root names the root of the project"))
    })?;
    let request = config::LoadRequest {
        project_root: root.clone(),
        input_file: TASKCAT.into(),
        ..config::LoadRequest::default()
    };
    config::load(&request)?;
    let production = match read(&root, PRODUCTION).map_err(one)? {
        Some(text) => text,
        None => format!("{:#}\n", json!({"Parameters": {}, "Tags": {}})),
    };
    let given = given_parameters(&production).map_err(one)?;
    let faults = check(&root, parameters, &given)?;
    if !faults.is_empty() {
        return Err(faults);
    }
    pipeline::archive(&taskcat, &production).map_err(|error| {
        one(Diagnostic::error(format!(
            "cannot pack the configuration: {error}"
        )))
    })
}

fn read(root: &Path, name: &str) -> Result<Option<String>, Diagnostic> {
    let path = root.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Diagnostic::error(format!(
            "cannot read {}: {error}",
            path.display()
        ))),
    }
}

/// The production stack's parameters in `production.json`.
fn given_parameters(production: &str) -> Result<Map<String, Value>, Diagnostic> {
    let invalid = |reason: String| {
        let help = r#"expected {"Parameters": {…}, "Tags": {…}}"#;
        Diagnostic::error(format!("invalid {PRODUCTION}: {reason}")).help(help)
    };
    let value: Value =
        serde_json::from_str(production).map_err(|error| invalid(error.to_string()))?;
    let Value::Object(mut root) = value else {
        return Err(invalid("it is not an object".to_owned()));
    };
    match root.remove("Parameters") {
        None => Ok(Map::new()),
        Some(Value::Object(given)) => Ok(given),
        Some(_) => Err(invalid("`Parameters` is not an object".to_owned())),
    }
}

/// Parameters of the production template that would have no value, and values without a parameter.
fn check(
    root: &Path,
    parameters: &Parameters,
    given: &Map<String, Value>,
) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let value = |key: &str| parameters.get(key).map_or("", String::as_str);
    let path = value("ProductionTemplate");
    let (templates, faults) = Templates::load(root, [(path.to_owned(), None)]);
    let Some(template) = templates.get(path) else {
        return Err(faults);
    };
    let set_by_pipeline = [value("BucketParameter"), value("PrefixParameter")];
    let declared = || template.parameters.iter().map(|it| it.key.as_str());
    let missing = template.parameters.iter().filter(|it| {
        it.default.is_none()
            && !given.contains_key(&it.key)
            && !set_by_pipeline.contains(&it.key.as_str())
    });
    let missing = missing.map(|it| {
        let help = format!(
            "add its value to {PRODUCTION} in the project root: {}",
            json!({"Parameters": {it.key.as_str(): "…"}})
        );
        let message = format!("parameter `{}` of {path} has no default value", it.key);
        Diagnostic::error(message).help(help)
    });
    let unknown = given.keys().filter(|key| !declared().any(|it| it == *key));
    let unknown = unknown.map(|key| {
        let help = did_you_mean(key, declared());
        Diagnostic {
            help,
            ..Diagnostic::error(format!(
                "{PRODUCTION} sets the parameter `{key}`, which {path} doesn't have"
            ))
        }
    });
    Ok(missing.chain(unknown).collect())
}
