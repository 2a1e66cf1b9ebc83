//! Dynamic references: `{{resolve:ssm:name:version}}` and its like, in texts that are handed to a
//! service
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>).
//!
//! Functions take them as the text that they are; only what a resource is created with is resolved.

use super::{Evaluator, Value};
use crate::diagnostic::Position;
use crate::template::value::{Failure, Failures, Unknown, together};

const OPEN: &str = "{{resolve:";
const CLOSE: &str = "}}";
const SECURE: &str = "{{resolve:ssm-secure:";

/// The properties that take secure strings, by resource type; `*` stands for any item of a list.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-ssm-secure-strings.html>
const SECURE_PROPERTIES: [(&str, &str); 11] = [
    ("AWS::DirectoryService::MicrosoftAD", "Password"),
    ("AWS::DirectoryService::SimpleAD", "Password"),
    ("AWS::ElastiCache::ReplicationGroup", "AuthToken"),
    ("AWS::IAM::User", "LoginProfile/Password"),
    (
        "AWS::KinesisFirehose::DeliveryStream",
        "RedshiftDestinationConfiguration/Password",
    ),
    ("AWS::OpsWorks::App", "AppSource/Password"),
    ("AWS::OpsWorks::Stack", "CustomCookbooksSource/Password"),
    ("AWS::OpsWorks::Stack", "RdsDbInstances/*/DbPassword"),
    ("AWS::RDS::DBCluster", "MasterUserPassword"),
    ("AWS::RDS::DBInstance", "MasterUserPassword"),
    ("AWS::Redshift::Cluster", "MasterUserPassword"),
];

/// A property that holds a secure string and doesn't take one.
pub(super) struct MisplacedSecret {
    /// `AWS::Lambda::Function/Properties/Environment/Variables/Key`
    path: String,
    at: Position,
}

impl Evaluator<'_> {
    /// The value with every dynamic reference in it replaced by what it stands for.
    pub(super) fn resolved(&self, value: Value, at: Position) -> Result<Value, Failures> {
        Ok(match value {
            Value::String(text) if text.contains(OPEN) => self.resolved_text(&text, at)?,
            Value::List(items) => Value::List(together(
                items.into_iter().map(|item| self.resolved(item, at)),
            )?),
            Value::Map(entries) => {
                let entries = entries
                    .into_iter()
                    .map(|(key, value)| Ok((key, self.resolved(value, at)?)));
                Value::Map(together(entries)?.into_iter().collect())
            }
            other => other,
        })
    }

    fn resolved_text(&self, text: &str, at: Position) -> Result<Value, Failures> {
        let mut known = String::new();
        let mut unknowns = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(OPEN) {
            let Some(length) = rest[start..].find(CLOSE) else {
                break;
            };
            let end = start + length + CLOSE.len();
            known.push_str(&rest[..start]);
            let reference = &rest[start..end];
            if is_malformed(reference) {
                let message = format!(
                    "Incorrect format is used in the following SSM reference: [{reference}]"
                );
                return Err(self.fail(at, message));
            }
            match self
                .environment
                .dynamic_reference(reference)
                .map_err(|message| self.fail(at, message))?
            {
                Value::Unknown(unknown) => unknowns.push(unknown),
                value => known.push_str(&value.as_text().unwrap_or_default()),
            }
            rest = &rest[end..];
        }
        known.push_str(rest);
        Ok(match Unknown::all(unknowns) {
            Some(unknown) => unknown.into(),
            None => Value::String(known),
        })
    }

    /// What CloudFormation says of them, all at once; none of none.
    pub(super) fn misplaced_failure(&self, misplaced: &[MisplacedSecret]) -> Option<Failure> {
        let at = misplaced.first()?.at;
        let paths: Vec<&str> = misplaced
            .iter()
            .map(|secret| secret.path.as_str())
            .collect();
        Some(self.failure(
            at,
            format!(
                "SSM Secure reference is not supported in: [{}]",
                paths.join(",")
            ),
        ))
    }
}

/// The properties in which a resource has a secure string and may have none. Nothing is resolved in
/// `properties` yet.
pub(super) fn misplaced_secrets(
    kind: &str,
    properties: &Value,
    at: Position,
) -> Vec<MisplacedSecret> {
    let mut paths = Vec::new();
    secure_paths(properties, &mut Vec::new(), &mut paths);
    let misplaced = paths
        .iter()
        .filter(|path| !SECURE_PROPERTIES.contains(&(kind, path.as_str())))
        .map(|path| {
            // What is inside of a list isn't named.
            let shown = path.split("/*").next().unwrap_or_default();
            MisplacedSecret {
                path: format!("{kind}/Properties/{shown}"),
                at,
            }
        });
    misplaced.collect()
}

/// The paths at which texts hold a reference to a secure string.
fn secure_paths<'v>(value: &'v Value, path: &mut Vec<&'v str>, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains(SECURE) => found.push(path.join("/")),
        Value::List(items) => {
            path.push("*");
            items
                .iter()
                .for_each(|item| secure_paths(item, path, found));
            path.pop();
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                path.push(key);
                secure_paths(value, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// The names, perhaps with versions, in references to stored parameters that aren't secure.
fn stored_parameters(text: &str) -> impl Iterator<Item = &str> {
    let references = text
        .split(OPEN)
        .skip(1)
        .filter_map(|rest| rest.split_once(CLOSE));
    references.filter_map(|(inner, _)| inner.strip_prefix("ssm:"))
}

/// Whether a parameter's value refers to stored parameters and nothing else. These are resolved
/// wherever the value is used, outputs included.
pub(super) fn refers_to_stored_parameters(value: &str) -> bool {
    let references = value.matches(OPEN).count();
    references > 0 && stored_parameters(value).count() == references
}

/// Whether a parameter's default refers to a stored parameter without its version, which
/// CloudFormation doesn't allow there.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-ssm.html>
pub(super) fn is_versionless(default: &str) -> bool {
    stored_parameters(default).any(|name| !name.contains(':'))
}

/// Whether a reference to a stored parameter is anything but a name, perhaps with a version: labels
/// are refused, and so is a colon with nothing behind it. An ARN has colons of its own.
fn is_malformed(reference: &str) -> bool {
    let inner = reference
        .strip_prefix(OPEN)
        .and_then(|rest| rest.strip_suffix(CLOSE))
        .unwrap_or_default();
    let Some(stored) = inner
        .strip_prefix("ssm:")
        .or_else(|| inner.strip_prefix("ssm-secure:"))
    else {
        return false;
    };
    if stored.starts_with("arn:") {
        return false;
    }
    let (name, version) = stored
        .split_once(':')
        .map_or((stored, None), |(name, version)| (name, Some(version)));
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let is_version =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.is_empty() || !name.chars().all(is_name) || !version.is_none_or(is_version)
}
