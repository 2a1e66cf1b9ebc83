//! The questions to the owner of a new pipeline, and the suggested answers.

use std::collections::HashMap;
use std::path::Path;

use dialoguer::Input;

use crate::cli::error::CliError;
use crate::cli::streams;
use crate::config;
use crate::pipeline::Parameters;
use crate::plan::git;
use crate::template::{Template, TemplateParameter, Templates};

/// Parameters that have a default and are asked for all the same, since few projects keep it.
const ASKED: [&str; 5] = [
    "SourceBranch",
    "ReleaseBranch",
    "BucketParameter",
    "PrefixParameter",
    "ApproverEmail",
];
/// Names that production templates give to the bucket and the prefix of their files.
const BUCKET_NAMES: [&str; 2] = ["S3BucketName", "ArtifactBucket"];
const PREFIX_NAMES: [&str; 2] = ["S3KeyPrefix", "ArtifactPrefix"];

/// Returns the parameters without a value, in the template's order. An existing pipeline has none.
pub(super) fn open<'t>(template: &'t Template, known: &Parameters) -> Vec<&'t TemplateParameter> {
    let is_asked =
        |it: &&TemplateParameter| it.default.is_none() || ASKED.contains(&it.key.as_str());
    template
        .parameters
        .iter()
        .filter(is_asked)
        .filter(|it| !known.contains_key(&it.key))
        .collect()
}

/// Returns the template's description of a parameter.
pub(super) fn description<'t>(template: &'t Template, parameter: &TemplateParameter) -> &'t str {
    let described = template
        .declaration(parameter)
        .and_then(|it| it.get("Description"));
    described.map(|node| &*node.text).unwrap_or_default()
}

/// Asks on the terminal, each question until CloudFormation would accept the answer.
///
/// # Errors
/// A question was interrupted.
pub(super) fn ask(
    template: &Template,
    open: &[&TemplateParameter],
    suggestions: &Suggestions,
    region: &str,
) -> Result<Parameters, CliError> {
    let mut answers = Parameters::new();
    for parameter in open {
        let default = parameter.default.as_ref().map(|node| node.text.to_string());
        let suggested = suggestions
            .0
            .get(parameter.key.as_str())
            .cloned()
            .or(default);
        streams::tell(format_args!("\n{}", description(template, parameter)));
        let question = Input::new()
            .with_prompt(&parameter.key)
            .allow_empty(suggested.as_deref() == Some(""));
        let question = match suggested.filter(|text| !text.is_empty()) {
            Some(text) => question.default(text),
            None => question,
        };
        let check = |answer: &String| {
            template
                .refusal(parameter, answer.trim(), region)
                .map_or(Ok(()), Err)
        };
        let answer = question.validate_with(check).interact_text();
        let answer: String = answer.map_err(|error| CliError::local("no answer", error))?;
        answers.insert(parameter.key.clone(), answer.trim().to_owned());
    }
    Ok(answers)
}

/// Values that the project on this machine suggests, by the parameters' names.
#[derive(Default)]
pub(super) struct Suggestions(HashMap<&'static str, String>);

impl Suggestions {
    /// Reads the project; what cannot be read suggests nothing.
    pub(super) fn of(project_root: &Path) -> Self {
        let mut found = Self::default();
        found.add("Repository", git::github_repository(project_root));
        let Ok(root) = project_root.canonicalize() else {
            return found;
        };
        let request = config::LoadRequest {
            project_root: root.clone(),
            input_file: ".taskcat.yml".into(),
            ..config::LoadRequest::default()
        };
        let Ok(loaded) = config::load(&request) else {
            return found;
        };
        let name = loaded.config.project.name.clone();
        found.add("ProductionStackName", name.clone());
        found.add("ProductionKeyPrefix", name);
        let path = loaded
            .config
            .tests
            .values()
            .find_map(|test| test.template.clone());
        found.add("ProductionTemplate", path.clone());
        let Some(path) = path else { return found };
        let (templates, _) = Templates::load(&root, [(path.clone(), None)]);
        if let Some(template) = templates.get(&path) {
            let named = |ends: &[&str]| {
                let keys = template.parameters.iter().map(|it| &it.key);
                keys.clone()
                    .find(|key| ends.iter().any(|end| key.ends_with(end)))
                    .cloned()
            };
            // The template refuses one without the other.
            if let (Some(bucket), Some(prefix)) = (named(&BUCKET_NAMES), named(&PREFIX_NAMES)) {
                found.add("BucketParameter", Some(bucket));
                found.add("PrefixParameter", Some(prefix));
            }
        }
        found
    }

    fn add(&mut self, parameter: &'static str, value: Option<String>) {
        self.0.extend(value.map(|value| (parameter, value)));
    }
}
