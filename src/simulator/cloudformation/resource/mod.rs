//! A single resource, as far as its template and its stack determine it: its physical ID, its
//! attributes, how long AWS takes, whether its properties are valid, and what a change of them
//! requires.
//!
//! No state, no clock, no I/O. The data come from `crate::catalog`, and from tables beside the code
//! for what no schema contains. They are *plausible*: an ID has the form of AWS's IDs, an ARN that
//! of its service, and nothing more is guaranteed. `AWS::CloudFormation::Stack` isn't handled here.
//!
//! - `identity`: physical IDs and names, from `identity_table`; `arn`: ARNs; `attribute`: the
//!   attributes that `Fn::GetAtt` returns
//! - `pattern`: the notation of these tables, and made-up text
//! - `duration`: how long AWS takes; `timeout`: how long it waits for a response
//! - `check`: validation of properties; `change`: what an update changes

mod arn;
mod attribute;
mod change;
mod check;
mod duration;
mod identity;
mod identity_table;
mod pattern;
mod timeout;

use indexmap::IndexMap;

use crate::catalog;
use crate::template::Value;

pub(crate) use crate::properties::is_checked_by_service;
pub(crate) use attribute::{attribute, has_attribute, is_made_up_attribute};
pub(crate) use change::{RequiresRecreation, is_same_value, property_changes, recreation_at};
pub(crate) use check::refusal;
pub(crate) use duration::nominal_duration;
pub(crate) use identity::{declared_name, has_made_up_id, physical_id};
pub(crate) use timeout::timeout;

/// The evaluated properties of a resource, by their names.
pub(crate) type ResourceProperties = IndexMap<String, Value>;

/// A resource as its template and its stack declare it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeclaredResource<'a> {
    pub account: &'a str,
    pub region: &'a str,
    pub stack_name: &'a str,
    pub logical_id: &'a str,
    /// `AWS::SNS::Topic`
    pub kind: &'a str,
    /// The evaluated properties.
    pub properties: &'a ResourceProperties,
}

impl<'a> DeclaredResource<'a> {
    /// Returns the property at a path, whose parts are joined by dots.
    fn property(&self, path: &str) -> Option<&'a Value> {
        let (first, rest) = path
            .split_once('.')
            .map_or((path, None), |(first, rest)| (first, Some(rest)));
        let value = self.properties.get(first)?;
        rest.into_iter()
            .flat_map(|rest| rest.split('.'))
            .try_fold(value, |value, part| match value {
                Value::Map(entries) => entries.get(part),
                _ => None,
            })
    }

    /// Returns the last part of the type's name: `Topic`.
    fn type_name(&self) -> &'a str {
        self.kind.rsplit("::").next().unwrap_or(self.kind)
    }
}

/// Returns the properties to create a resource with if some aren't known: without an unknown name,
/// which is then generated, and with placeholders for the other unknown values.
pub(crate) fn properties_with_placeholders(
    kind: &str,
    properties: &ResourceProperties,
) -> ResourceProperties {
    let is_unknown_name = |name: &str, value: &Value| {
        matches!(value, Value::Unknown(_)) && identity::is_name(kind, name)
    };
    let kept = properties
        .iter()
        .filter(|(name, value)| !is_unknown_name(name, value));
    kept.map(|(name, value)| (name.clone(), with_placeholders(value.clone())))
        .collect()
}

/// Returns a value with a placeholder for everything unknown in it.
pub(crate) fn with_placeholders(value: Value) -> Value {
    match value {
        Value::Unknown(_) => Value::text("simulated"),
        Value::List(items) => Value::List(items.into_iter().map(with_placeholders).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key, with_placeholders(value)))
                .collect(),
        ),
        known => known,
    }
}

/// Returns the property `Tags`: a list of keys and values, or a map, which some types have.
pub(crate) fn property_tags(properties: &ResourceProperties) -> Vec<(String, String)> {
    match properties.get("Tags") {
        Some(Value::List(items)) => {
            let pair = |tag: &Value| Some((member(tag, "Key")?, member(tag, "Value")?));
            items.iter().filter_map(pair).collect()
        }
        Some(Value::Map(entries)) => entries
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.as_text()?)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns true if a name must be unique in all regions: of IAM and other global services, and of
/// buckets, whose names all accounts share.
pub(crate) fn is_global(kind: &str) -> bool {
    kind == "AWS::S3::Bucket" || arn::has_no_region(kind)
}

/// Returns whether resources of this type inherit the tags of their stack.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-resource-tags.html>
pub(crate) fn is_taggable(kind: &str) -> bool {
    catalog::resource_type(kind).is_some_and(|it| it.properties.shape("Tags").is_some())
}

/// The capability that a resource requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Capability {
    /// `CAPABILITY_IAM`; `CAPABILITY_NAMED_IAM` is accepted as well.
    Iam,
    /// `CAPABILITY_NAMED_IAM`
    NamedIam,
}

/// Returns the capability that a resource of this type requires. `is_set` returns whether the
/// template sets a property.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>
/// (`Capabilities`)
pub(crate) fn capability(kind: &str, is_set: impl Fn(&str) -> bool) -> Option<Capability> {
    let name = match kind.strip_prefix("AWS::IAM::")? {
        "AccessKey" | "Policy" | "UserToGroupAddition" => return Some(Capability::Iam),
        "Group" => "GroupName",
        "InstanceProfile" => "InstanceProfileName",
        "ManagedPolicy" => "ManagedPolicyName",
        "Role" => "RoleName",
        "User" => "UserName",
        _ => return None,
    };
    Some(if is_set(name) {
        Capability::NamedIam
    } else {
        Capability::Iam
    })
}

fn member(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Map(entries) => entries.get(name)?.as_text(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns properties from JSON.
    pub(super) fn properties(json: &str) -> ResourceProperties {
        match value(&serde_json::from_str(json).unwrap()) {
            Value::Map(entries) => entries,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn value(json: &serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(value) => Value::Number(value.clone()),
            serde_json::Value::String(text) => Value::text(text),
            serde_json::Value::Array(items) => Value::List(items.iter().map(value).collect()),
            serde_json::Value::Object(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, entry)| (key.clone(), value(entry)))
                    .collect(),
            ),
        }
    }

    pub(super) fn declared<'a>(
        kind: &'a str,
        properties: &'a ResourceProperties,
    ) -> DeclaredResource<'a> {
        let account = "123456789012";
        let region = "eu-west-1";
        DeclaredResource {
            account,
            region,
            stack_name: "tcat-web-a1b2",
            logical_id: "Thing",
            kind,
            properties,
        }
    }

    #[test]
    fn iam_resources_require_capabilities() {
        let check = |kind: &str, set: &str, expect: Option<Capability>| {
            assert_eq!(capability(kind, |name| name == set), expect, "{kind} {set}");
        };
        check("AWS::IAM::Role", "", Some(Capability::Iam));
        check("AWS::IAM::Role", "RoleName", Some(Capability::NamedIam));
        check("AWS::IAM::Role", "UserName", Some(Capability::Iam));
        check(
            "AWS::IAM::ManagedPolicy",
            "ManagedPolicyName",
            Some(Capability::NamedIam),
        );
        check("AWS::IAM::Policy", "PolicyName", Some(Capability::Iam));
        check(
            "AWS::IAM::UserToGroupAddition",
            "GroupName",
            Some(Capability::Iam),
        );
        check("AWS::IAM::OIDCProvider", "", None);
        check("AWS::S3::Bucket", "BucketName", None);
        assert!(Capability::Iam < Capability::NamedIam);
    }

    #[test]
    fn some_names_are_global() {
        let check = |kind: &str, expect: bool| assert_eq!(is_global(kind), expect, "{kind}");
        check("AWS::IAM::Role", true);
        check("AWS::S3::Bucket", true);
        check("AWS::CloudFront::Function", true);
        check("AWS::SQS::Queue", false);
        check("AWS::S3::AccessPoint", false);
    }
}
