//! Differences of values, and the details of changes that CloudFormation shows for them.

use super::context;
use crate::simulator::cloudformation::resource::{self, RequiresRecreation};
use crate::simulator::cloudformation::state::change_set::{
    ChangeSource, ResourceChangeDetail, ResourceTargetDefinition,
};
use crate::template::Value;

/// A single value that differs.
pub(super) struct ValueDifference {
    /// The path within the resource: `Properties`, `Tags`, `0`, `Value`.
    pub(super) path: Vec<String>,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
    pub(super) requires_recreation: RequiresRecreation,
}

/// What makes a value change: the source, whether it is dynamic, and the name of the entity.
pub(super) type CausingEntity = (ChangeSource, bool, String);

/// Collects the differences of two values, descending into both as long as they are of the same
/// kind.
pub(super) fn collect_differences(
    path: &mut Vec<String>,
    before: Option<&Value>,
    after: Option<&Value>,
    differences: &mut Vec<ValueDifference>,
) {
    if resource::is_same_value(before, after) {
        return;
    }
    let mut deeper = |part: String,
                      before: Option<&Value>,
                      after: Option<&Value>,
                      differences: &mut Vec<ValueDifference>| {
        path.push(part);
        collect_differences(path, before, after, differences);
        path.pop();
    };
    match (before, after) {
        (Some(Value::Map(old)), Some(Value::Map(new))) => {
            let gone = old.keys().filter(|key| !new.contains_key(*key));
            for key in new.keys().chain(gone) {
                deeper(key.clone(), old.get(key), new.get(key), differences);
            }
        }
        (Some(Value::List(old)), Some(Value::List(new))) => {
            for index in 0..old.len().max(new.len()) {
                deeper(
                    index.to_string(),
                    old.get(index),
                    new.get(index),
                    differences,
                );
            }
        }
        _ => differences.push(ValueDifference {
            path: path.clone(),
            before: before.cloned(),
            after: after.cloned(),
            requires_recreation: RequiresRecreation::Never,
        }),
    }
}

/// Returns the details for a value that differs: the direct one, and one for each cause.
pub(super) fn value_details(
    kind: &str,
    difference: &ValueDifference,
    causes: &[CausingEntity],
) -> Vec<ResourceChangeDetail> {
    let target = ResourceTargetDefinition {
        path: Some(format!("/{}", difference.path.join("/"))),
        before: difference.before.as_ref().map(context::value),
        after: difference.after.as_ref().map(context::value),
        ..target_definition(kind, &difference.path, difference.requires_recreation)
    };
    let direct = ResourceChangeDetail::direct(target.clone(), !causes.is_empty());
    // CloudFormation lists attributes before the value itself, and everything else after it.
    let (attributes, others): (Vec<_>, Vec<_>) = causes
        .iter()
        .cloned()
        .partition(|(source, ..)| *source == ChangeSource::ResourceAttribute);
    let details = |causes: Vec<CausingEntity>| {
        causes
            .into_iter()
            .map(|cause| caused_detail(&target, cause))
            .collect::<Vec<_>>()
    };
    details(attributes)
        .into_iter()
        .chain([direct])
        .chain(details(others))
        .collect()
}

/// Returns the detail for a change that another entity causes.
pub(super) fn caused_detail(
    target: &ResourceTargetDefinition,
    (source, is_dynamic, cause): CausingEntity,
) -> ResourceChangeDetail {
    ResourceChangeDetail {
        target: target.clone(),
        source,
        is_dynamic,
        cause: Some(cause),
    }
}

/// Returns the detail for a nested stack whose properties don't change, but whose template may.
pub(super) fn automatic_detail() -> ResourceChangeDetail {
    let target = ResourceTargetDefinition::new("Properties", None, RequiresRecreation::Never);
    ResourceChangeDetail {
        target,
        source: ChangeSource::Automatic,
        is_dynamic: true,
        cause: None,
    }
}

/// Returns the target of a detail. Tags are an attribute of their own, except those of buckets, for
/// which AWS was recorded to name the property.
pub(super) fn target_definition(
    kind: &str,
    path: &[String],
    requires_recreation: RequiresRecreation,
) -> ResourceTargetDefinition {
    let are_tags = |property: &str| property == "Tags" && kind != "AWS::S3::Bucket";
    match path {
        [part, property, ..] if part == "Properties" && are_tags(property) => {
            ResourceTargetDefinition::new("Tags", None, requires_recreation)
        }
        [part, property, ..] if part == "Properties" => {
            ResourceTargetDefinition::new(part, Some(property), requires_recreation)
        }
        [part, ..] => ResourceTargetDefinition::new(part, None, requires_recreation),
        [] => ResourceTargetDefinition::new("Properties", None, requires_recreation),
    }
}
