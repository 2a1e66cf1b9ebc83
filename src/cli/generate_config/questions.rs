//! The questions for a new configuration.

use dialoguer::Input;

use super::{NewConfig, template_of};
use crate::cli::error::CliError;
use crate::cli::streams;
use crate::plan::Suggestion;
use crate::template::Templates;

/// Asks for the project's settings and for the parameters that no value is suggested for.
///
/// # Errors
/// A question was interrupted.
pub(super) fn ask(config: &mut NewConfig, templates: &Templates) -> Result<(), CliError> {
    config.name = line("Name of the project", Some(&config.name), |_| Ok(()))?;
    config.owner = line(
        "Email address of the owner",
        Some(&config.owner),
        |_| Ok(()),
    )?;
    let regions = config.regions.join(", ");
    let regions = line("Regions, separated by commas", Some(&regions), |_| Ok(()))?;
    let regions = regions
        .split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty());
    config.regions = regions.map(str::to_owned).collect();
    let region = config.regions.first().cloned().unwrap_or_default();
    for test in &mut config.tests {
        let Some(template) = template_of(templates, test) else {
            continue;
        };
        for (key, suggestion) in &mut test.parameters {
            let parameter = template.parameters.iter().find(|it| it.key == *key);
            let (Suggestion::Unknown, Some(parameter)) = (&*suggestion, parameter) else {
                continue;
            };
            let question = format!("{key} ({}; empty to set it later)", parameter.kind);
            let answer = line(&question, None, |answer| {
                if answer.is_empty() || answer.contains("$[") {
                    return Ok(());
                }
                template
                    .refusal(parameter, answer, &region)
                    .map_or(Ok(()), Err)
            })?;
            if !answer.is_empty() {
                *suggestion = Suggestion::Value(answer);
            }
        }
    }
    Ok(())
}

fn line(
    question: &str,
    default: Option<&str>,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<String, CliError> {
    let input = Input::<String>::new()
        .with_prompt(streams::masked(question))
        .allow_empty(default.is_none());
    let input = match default {
        Some(text) => input.default(text.to_owned()),
        None => input,
    };
    let answer = input
        .validate_with(|answer: &String| check(answer.trim()))
        .interact_text()
        .map_err(|error| CliError::local("no answer", error))?;
    Ok(answer.trim().to_owned())
}
