//! Finds a nested stack that `taskcat test retry` launches again, with what its parent gave it
//! (TaskCat's `Test.retry` in `_cli_modules/test.py`).

use serde_json::Value;

use super::clean::{Leftover, LeftoverKind, RUN_TAG};
use crate::aws::{Aws, AwsError};
use crate::status::StackStatus;
use crate::watch::STACK_TYPE;

/// A nested stack as its parent's newest event describes it.
#[derive(Clone, Debug)]
pub(crate) struct NestedStack {
    pub template_url: String,
    /// The parameters by name; values of `NoEcho` parameters are `****`.
    pub parameters: Vec<(String, String)>,
    /// The stack, if it still exists.
    pub existing: Option<Leftover>,
}

/// Why a nested stack can't be launched again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelaunchError {
    #[error("there is no stack {stack} in {region}")]
    NoStack { stack: String, region: String },
    #[error("the stack {0} was not created by a test run of taskcat")]
    Foreign(String),
    #[error("the stack {stack} has no resource {resource}")]
    NoResource { stack: String, resource: String },
    #[error("{resource} is a resource of type {resource_type}, not a nested stack")]
    NotNested {
        resource: String,
        resource_type: String,
    },
    #[error("the events of {0} don't tell the template and parameters of the nested stack")]
    Unreadable(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Returns the nested stack of a stack that a test run has created.
///
/// # Errors
/// There is no such nested stack, or the stack isn't of a test run.
pub(crate) async fn nested_stack(
    stack_name: &str,
    resource: &str,
    profile: &str,
    region: &str,
    aws: &Aws,
) -> Result<NestedStack, RelaunchError> {
    let clients = aws.clients(profile, region).await;
    let Some(parent) = clients.describe_stack(stack_name).await? else {
        return Err(RelaunchError::NoStack {
            stack: stack_name.to_owned(),
            region: region.to_owned(),
        });
    };
    let Some(run_id) = parent.tag(RUN_TAG) else {
        return Err(RelaunchError::Foreign(parent.stack_name));
    };
    let event = clients.resource_event(&parent.stack_id, resource).await?;
    let Some(event) = event else {
        return Err(RelaunchError::NoResource {
            stack: parent.stack_name,
            resource: resource.to_owned(),
        });
    };
    if event.resource_type != STACK_TYPE || event.physical_id.as_ref() == Some(&parent.stack_id) {
        return Err(RelaunchError::NotNested {
            resource: resource.to_owned(),
            resource_type: event.resource_type,
        });
    }
    let described = event.properties.as_deref().and_then(described);
    let Some((template_url, parameters)) = described else {
        return Err(RelaunchError::Unreadable(resource.to_owned()));
    };
    let nested = match &event.physical_id {
        Some(id) => clients.describe_stack(id).await?,
        None => None,
    };
    let existing = nested
        .filter(|it| it.status != StackStatus::DeleteComplete)
        .map(|nested| Leftover {
            kind: LeftoverKind::Stack {
                stack_id: Some(nested.stack_id.clone()),
                unconfirmed_since: None,
            },
            account_id: nested
                .stack_id
                .split(':')
                .nth(4)
                .unwrap_or_default()
                .to_owned(),
            name: nested.stack_name,
            run_id: run_id.to_owned(),
            project: String::new(),
            installer: None,
            test: None,
            profile: profile.to_owned(),
            region: region.to_owned(),
            created: nested.created,
        });
    Ok(NestedStack {
        template_url,
        parameters,
        existing,
    })
}

/// Returns the template's URL and the parameters in the properties of a nested stack.
fn described(properties: &str) -> Option<(String, Vec<(String, String)>)> {
    let properties: Value = serde_json::from_str(properties).ok()?;
    let template_url = properties.get("TemplateURL")?.as_str()?.to_owned();
    let parameters = match properties.get("Parameters") {
        Some(Value::Object(parameters)) => parameters
            .iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
        _ => Vec::new(),
    };
    Some((template_url, parameters))
}

/// Returns a parameter's value as CloudFormation takes it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_texts() {
        let check = |properties: &str, expect: Option<(&str, &[(&str, &str)])>| {
            let expect = expect.map(|(url, parameters)| {
                let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
                (url.to_owned(), parameters.iter().map(owned).collect())
            });
            assert_eq!(described(properties), expect, "{properties}");
        };
        check(
            r#"{"TemplateURL": "https://b/k", "Parameters": {"A": "x", "B": 1, "C": ["y", true]}}"#,
            Some(("https://b/k", &[("A", "x"), ("B", "1"), ("C", "y,true")])),
        );
        check(r#"{"TemplateURL": "u"}"#, Some(("u", &[])));
        check("{}", None);
        check("", None);
    }
}
