//! Resolves dynamic references such as `{{resolve:ssm:name:version}}` in strings that are passed to
//! a service
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>).
//!
//! Functions see them as plain text; only what a resource is created with is resolved.

use super::{Evaluator, Value};
use crate::diagnostic::Position;
use crate::template::assumption::Assumption;
use crate::template::value::{Failure, Failures, Unknown, together};

const OPEN: &str = "{{resolve:";
const CLOSE: &str = "}}";
const SECURE: &str = "{{resolve:ssm-secure:";

/// The properties that accept secure strings, by resource type; `*` matches any item of a list.
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

/// What a dynamic reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredReference<'r> {
    /// An SSM parameter by its name, with `:` and a version if it has one.
    SsmParameter(&'r str),
    /// A secret by its name or ARN.
    Secret(&'r str),
}

impl<'r> StoredReference<'r> {
    /// Parses a reference with its braces; `None` for services that CloudFormation doesn't have.
    pub fn of(reference: &'r str) -> Option<Self> {
        let inner = reference.strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
        let (service, rest) = inner.split_once(':')?;
        match service {
            "ssm" | "ssm-secure" => Some(Self::SsmParameter(rest)),
            "secretsmanager" => Some(Self::Secret(secret_id(rest))),
            _ => None,
        }
    }

    /// Returns the assumption that it exists.
    pub fn assumption(self) -> Assumption {
        match self {
            Self::SsmParameter(name) => Assumption::SsmParameter {
                name: name.to_owned(),
            },
            Self::Secret(id) => Assumption::Secret { id: id.to_owned() },
        }
    }
}

/// Returns the secret of `secret-id:secret-string:json-key:version-stage:version-id`. An ARN has
/// seven parts of its own.
fn secret_id(reference: &str) -> &str {
    let parts = if reference.starts_with("arn:") { 7 } else { 1 };
    reference
        .match_indices(':')
        .nth(parts - 1)
        .map_or(reference, |(end, _)| &reference[..end])
}

/// A property with a secure string that it doesn't accept.
pub(super) struct MisplacedSecret {
    /// Path such as `AWS::Lambda::Function/Properties/Environment/Variables/Key`.
    path: String,
    at: Position,
}

impl Evaluator<'_> {
    /// Replaces every dynamic reference in a value by its value.
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

    /// Returns CloudFormation's failure for misplaced references, one for all of them.
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

/// Returns the properties of a resource that have a secure string but don't accept one. References
/// in `properties` must not be resolved yet.
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
            // CloudFormation doesn't name what is inside of a list.
            let shown = path.split("/*").next().unwrap_or_default();
            MisplacedSecret {
                path: format!("{kind}/Properties/{shown}"),
                at,
            }
        });
    misplaced.collect()
}

/// Finds the paths of strings that refer to a secure string.
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

/// Returns the names, with versions if given, in references to SSM parameters that aren't secure.
fn stored_parameters(text: &str) -> impl Iterator<Item = &str> {
    let references = text
        .split(OPEN)
        .skip(1)
        .filter_map(|rest| rest.split_once(CLOSE));
    references.filter_map(|(inner, _)| inner.strip_prefix("ssm:"))
}

/// Returns whether a parameter's value only refers to SSM parameters. Such references are resolved
/// wherever the value is used, including outputs.
pub(super) fn refers_to_stored_parameters(value: &str) -> bool {
    let references = value.matches(OPEN).count();
    references > 0 && stored_parameters(value).count() == references
}

/// Returns whether a parameter's default refers to an SSM parameter without its version, which
/// CloudFormation doesn't allow there
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-ssm.html>).
pub(super) fn is_versionless(default: &str) -> bool {
    stored_parameters(default).any(|name| !name.contains(':'))
}

/// Returns whether a reference to an SSM parameter is anything but a name with an optional version:
/// CloudFormation refuses labels and a trailing colon. An ARN contains colons of its own.
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
