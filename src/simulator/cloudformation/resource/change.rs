//! What changes between two evaluations of a resource's properties, and whether it must be
//! replaced.

use std::iter::zip;

use super::ResourceProperties;
use crate::catalog::{ResourceType, resource_type};
use crate::template::{Value, is_custom_resource};

/// A property whose value differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PropertyChange {
    /// The name of a top-level property: `Tags`.
    pub property: String,
    pub requires_recreation: RequiresRecreation,
}

/// Whether a change replaces a resource, as change sets show it
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceTargetDefinition.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RequiresRecreation {
    Never,
    Conditionally,
    Always,
}

/// Returns the properties that were changed or added in the order of the new ones, then those that
/// were removed. Types that the catalog doesn't know are never replaced.
pub(crate) fn property_changes(
    kind: &str,
    old: &ResourceProperties,
    new: &ResourceProperties,
) -> Vec<PropertyChange> {
    let gone = old.keys().filter(|property| !new.contains_key(*property));
    let differing = new
        .keys()
        .chain(gone)
        .filter(|property| !is_same_value(old.get(*property), new.get(*property)));
    let known = if is_custom_resource(kind) {
        None
    } else {
        resource_type(kind)
    };
    let change = |property: &String| {
        let requires_recreation = known.as_ref().map_or(RequiresRecreation::Never, |known| {
            property_recreation(known, property, old, new)
        });
        PropertyChange {
            property: property.clone(),
            requires_recreation,
        }
    };
    differing.map(change).collect()
}

/// Returns whether a change of the value at a path alone replaces a resource: `Endpoint`, `Port`.
/// Numbers are indexes of lists.
pub(crate) fn recreation_at(kind: &str, path: &[String]) -> RequiresRecreation {
    let Some(known) = resource_type(kind).filter(|_| !is_custom_resource(kind)) else {
        return RequiresRecreation::Never;
    };
    let concerns = |declared: &&str| {
        let is_same_value = |(one, other): (&str, &String)| one == "*" || one == other;
        zip(declared.split('.'), path).all(is_same_value)
    };
    strictest(&known, concerns)
}

/// Returns the strictest update behavior among the paths of the type for which `concerned` returns
/// true.
fn strictest(known: &ResourceType, concerned: impl Fn(&&str) -> bool) -> RequiresRecreation {
    if known.create_only.iter().any(&concerned) {
        RequiresRecreation::Always
    } else if known.conditional_create_only.iter().any(&concerned) {
        RequiresRecreation::Conditionally
    } else {
        RequiresRecreation::Never
    }
}

fn property_recreation(
    known: &ResourceType,
    property: &str,
    old: &ResourceProperties,
    new: &ResourceProperties,
) -> RequiresRecreation {
    let concerns = |path: &&str| match path.strip_prefix(property) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('.')
            .is_some_and(|rest| differs(rest, old.get(property), new.get(property))),
        None => false,
    };
    strictest(known, concerns)
}

/// Returns whether the values at a path differ; `*` is any item of a list or any key of a map.
fn differs(path: &str, old: Option<&Value>, new: Option<&Value>) -> bool {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let deeper = |old: Option<&Value>, new: Option<&Value>| match rest {
        Some(rest) => differs(rest, old, new),
        None => !is_same_value(old, new),
    };
    match (old, new) {
        (Some(Value::List(old)), Some(Value::List(new))) if first == "*" => {
            (0..old.len().max(new.len())).any(|index| deeper(old.get(index), new.get(index)))
        }
        (Some(Value::Map(old)), Some(Value::Map(new))) if first == "*" => old
            .keys()
            .chain(new.keys())
            .any(|key| deeper(old.get(key), new.get(key))),
        (Some(Value::Map(old)), Some(Value::Map(new))) => deeper(old.get(first), new.get(first)),
        // The map was added or removed as a whole, with or without a value at the path.
        (Some(Value::Map(entries)), None) | (None, Some(Value::Map(entries))) if first != "*" => {
            deeper(entries.get(first), None)
        }
        _ => !is_same_value(old, new),
    }
}

/// Returns whether CloudFormation considers both values equal: `1` equals `"1"`, and the order of a
/// map's entries doesn't matter.
pub(crate) fn is_same_value(old: Option<&Value>, new: Option<&Value>) -> bool {
    match (old, new) {
        (None, None) => true,
        (Some(Value::List(old)), Some(Value::List(new))) => {
            old.len() == new.len()
                && zip(old, new).all(|(old, new)| is_same_value(Some(old), Some(new)))
        }
        (Some(Value::Map(old)), Some(Value::Map(new))) => {
            old.len() == new.len()
                && old
                    .iter()
                    .all(|(key, value)| is_same_value(Some(value), new.get(key)))
        }
        (Some(old), Some(new)) => {
            old == new
                || old
                    .as_text()
                    .is_some_and(|text| new.as_text() == Some(text))
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::properties;
    use super::*;

    #[test]
    fn only_real_changes_are_reported() {
        let check = |kind: &str, old: &str, new: &str, expect: &[(&str, RequiresRecreation)]| {
            let found = property_changes(kind, &properties(old), &properties(new));
            let found: Vec<_> = found
                .iter()
                .map(|change| (change.property.as_str(), change.requires_recreation))
                .collect();
            assert_eq!(found, expect, "{kind} {old} {new}");
        };
        let queue = "AWS::SQS::Queue";
        check(
            queue,
            r#"{"DelaySeconds":1}"#,
            r#"{"DelaySeconds":"1"}"#,
            &[],
        );
        check(
            queue,
            r#"{"DelaySeconds":1}"#,
            r#"{"DelaySeconds":2}"#,
            &[("DelaySeconds", RequiresRecreation::Never)],
        );
        let named = ("QueueName", RequiresRecreation::Always);
        let never = RequiresRecreation::Never;
        check(
            queue,
            r#"{"QueueName":"a","Tags":[]}"#,
            r#"{"FifoQueue":true,"QueueName":"b"}"#,
            &[
                ("FifoQueue", RequiresRecreation::Always),
                named,
                ("Tags", never),
            ],
        );
        check(queue, r#"{"QueueName":"a"}"#, "{}", &[named]);
        let tags = |pairs: &str| format!(r#"{{"Tags":[{pairs}]}}"#);
        check(
            queue,
            &tags(r#"{"Key":"a","Value":"b"}"#),
            &tags(r#"{"Value":"b","Key":"a"}"#),
            &[],
        );
        check(
            queue,
            &tags(r#"{"Key":"a"}"#),
            &tags(r#"{"Key":"a"},{"Key":"b"}"#),
            &[("Tags", never)],
        );
        check(
            "AWS::EC2::Instance",
            r#"{"InstanceType":"a"}"#,
            r#"{"InstanceType":"b"}"#,
            &[("InstanceType", RequiresRecreation::Conditionally)],
        );
        check("Custom::Thing", r#"{"A":1}"#, r#"{"A":2}"#, &[("A", never)]);
        check(
            "Acme::Thing",
            r#"{"A":{"B":[1]}}"#,
            r#"{"A":{"B":[2]}}"#,
            &[("A", never)],
        );
    }

    #[test]
    fn recreation_is_known_for_single_paths() {
        let check = |kind: &str, path: &str, expect: RequiresRecreation| {
            let path: Vec<String> = path.split('/').map(str::to_owned).collect();
            assert_eq!(recreation_at(kind, &path), expect, "{kind} {path:?}");
        };
        check("AWS::SNS::Topic", "TopicName", RequiresRecreation::Always);
        check("AWS::SNS::Topic", "Tags/0/Value", RequiresRecreation::Never);
        check(
            "AWS::EC2::Instance",
            "InstanceType",
            RequiresRecreation::Conditionally,
        );
        check("AWS::EC2::Subnet", "CidrBlock", RequiresRecreation::Always);
        check("Custom::Thing", "A", RequiresRecreation::Never);
    }

    /// Types such as `AWS::RDS::DBProxy` have nested paths.
    #[test]
    fn nested_paths_are_compared_alone() {
        let check = |path: &str, old: &str, new: &str, expect: bool| {
            let old = properties(old);
            let new = properties(new);
            assert_eq!(differs(path, old.get("P"), new.get("P")), expect, "{path}");
        };
        check(
            "A",
            r#"{"P":{"A":1,"B":1}}"#,
            r#"{"P":{"A":1,"B":2}}"#,
            false,
        );
        check(
            "B",
            r#"{"P":{"A":1,"B":1}}"#,
            r#"{"P":{"A":1,"B":2}}"#,
            true,
        );
        check(
            "A.C",
            r#"{"P":{"A":{"C":1,"D":1}}}"#,
            r#"{"P":{"A":{"C":1}}}"#,
            false,
        );
        check(
            "*.A",
            r#"{"P":[{"A":1,"B":1}]}"#,
            r#"{"P":[{"A":1}]}"#,
            false,
        );
        check(
            "*.A",
            r#"{"P":[{"A":1,"B":1}]}"#,
            r#"{"P":[{"A":1},{"A":2}]}"#,
            true,
        );
        check("A", "{}", r#"{"P":{"B":2}}"#, false);
        check("A", "{}", r#"{"P":{"A":2}}"#, true);
    }
}
