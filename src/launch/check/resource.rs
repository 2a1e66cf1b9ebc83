//! Checks a resource, as Cloud Control describes it.

use serde_json::Value;

use super::{CheckFailure, Checked, CheckedStack};
use crate::event::CheckResult;
use crate::plan::OutputText;

/// Reads the resource and compares one of its properties.
pub(super) async fn check(
    logical_id: &str,
    property: Option<&(String, Value)>,
    identifier: Option<&OutputText>,
    stack: &CheckedStack<'_>,
) -> Checked {
    let failed = |error: crate::aws::AwsError| CheckFailure::new(error.to_string());
    let found = stack.clients.stack_resource(stack.stack_id, logical_id);
    let found = found.await.map_err(failed)?;
    let missing = || CheckFailure::new(format!("the stack has no resource {logical_id}"));
    let resource = found.ok_or_else(missing)?;
    let identifier = match identifier {
        Some(identifier) => stack.resolve(identifier)?,
        None => resource.physical_id.ok_or_else(missing)?,
    };
    let resource_type = &resource.resource_type;
    let read = stack
        .clients
        .resource_properties(resource_type, &identifier);
    let properties = match read.await {
        Ok(properties) => properties,
        Err(error) if error.has_code("ResourceNotFoundException") => {
            let subject = format!("{logical_id} ({resource_type})");
            let found = format!("no resource `{identifier}`");
            return Err(CheckFailure::found(&subject, "a resource", found));
        }
        Err(error) => return Err(failed(error)),
    };
    let Some((path, expected)) = property else {
        return Ok(CheckResult::Passed);
    };
    match at(&properties, path) {
        Some(value) if equals(value, expected) => Ok(CheckResult::Passed),
        value => Err(CheckFailure::found(
            &format!("{logical_id}.{path}"),
            format!("`{}`", text(expected)),
            value.map_or("no such property".to_owned(), |it| {
                format!("`{}`", text(it))
            }),
        )),
    }
}

/// Returns the value at a path: `Tags.0.Value`.
fn at<'v>(properties: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.')
        .try_fold(properties, |value, step| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            value => value.get(step),
        })
}

/// Returns whether two values are the same. Some resource types return numbers and booleans as
/// strings.
fn equals(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let is_there = |(key, value)| found.get(key).is_some_and(|it| equals(it, value));
            found.len() == expected.len() && expected.iter().all(is_there)
        }
        (Value::Array(found), Value::Array(expected)) => {
            let mut pairs = found.iter().zip(expected);
            found.len() == expected.len() && pairs.all(|(found, expected)| equals(found, expected))
        }
        (Value::Number(found), Value::Number(expected)) => found.as_f64() == expected.as_f64(),
        (found, expected) => text(found) == text(expected),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_are_found_and_compared() {
        let properties = json!({
            "VisibilityTimeout": 30, "Fifo": "true", "Tags": [{"Key": "a", "Value": "b"}],
            "Policy": {"maxReceiveCount": "3"},
        });
        let check = |path: &str, expected: Value, expect: bool| {
            let found = at(&properties, path);
            let is_same = found.is_some_and(|it| equals(it, &expected));
            assert_eq!(is_same, expect, "{path} {expected}");
        };
        check("VisibilityTimeout", json!(30), true);
        check("VisibilityTimeout", json!(30.0), true);
        check("VisibilityTimeout", json!("30"), true);
        check("VisibilityTimeout", json!(31), false);
        check("Fifo", json!(true), true);
        check("Tags.0.Value", json!("b"), true);
        check("Tags.1.Value", json!("b"), false);
        check("Tags", json!([{"Value": "b", "Key": "a"}]), true);
        check("Tags", json!([]), false);
        check("Policy", json!({"maxReceiveCount": 3}), true);
        check("Policy.other", json!(null), false);
    }
}
