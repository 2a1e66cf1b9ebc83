//! Deletes what a run has created.
//!
//! Requests deletions; `watch` follows them, and `run` combines the two. Only what this run created
//! is touched: its stacks by ID, its buckets by their tag, and buckets inside its stacks that block
//! their deletion.

mod bucket;

pub(crate) use bucket::{BucketOrigin, delete_bucket, delete_bucket_of_run};

use futures::future::BoxFuture;

use crate::aws::{AwsError, Clients, ErrorKind, request_token};
use crate::event::{CellId, EventKind, EventSender, LeftoverResource};
use crate::status::ResourceStatus;

/// Maximum depth of nested stacks to search for what blocks a deletion.
const DEPTH: u32 = 10;

/// How CloudFormation deletes a stack
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeletionMode {
    Standard,
    /// Deletes without the resources that failed to be deleted.
    Force,
}

/// Requests the deletion of the stack. A stack that doesn't exist isn't an error.
pub(crate) async fn delete_stack(
    cell: &CellId,
    stack_id: &str,
    mode: &DeletionMode,
    clients: &Clients,
    events: &EventSender,
) -> Result<(), AwsError> {
    events.send(EventKind::StackDeleting {
        cell: cell.clone(),
        stack_id: stack_id.to_owned(),
    });
    let requested = match mode {
        DeletionMode::Standard => clients.delete_stack(stack_id, &request_token()).await,
        DeletionMode::Force => clients.force_delete_stack(stack_id, &request_token()).await,
    };
    match requested {
        Err(error) if error.is(ErrorKind::NotFound) => Ok(()),
        requested => requested,
    }
}

/// Returns whether a deletion failed because something else still uses a resource and will release
/// it: an export that another stack imports, or a network interface that Lambda or a load balancer
/// releases late.
pub(crate) fn is_held_by_others(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    [
        "cannot delete export",
        "is in use",
        "in use by",
        "dependencyviolation",
        "dependent object",
        "has dependencies",
    ]
    .iter()
    .any(|words| reason.contains(words))
}

/// Returns whether a deletion was refused because of an update of the stack in progress: `Stack […]
/// cannot be deleted while in status UPDATE_IN_PROGRESS`.
pub(crate) fn is_operation_in_progress(reason: &str) -> bool {
    let refused = reason.split_once("cannot be deleted while in status ");
    refused.is_some_and(|(_, status)| status.contains("_IN_PROGRESS"))
}

/// Removes known obstacles to the deletion of a stack: empties buckets that the stack created and
/// its resources filled, since CloudFormation deletes only empty ones. Returns whether another
/// attempt is worthwhile.
pub(crate) async fn unblock(
    cell: &CellId,
    stack_id: &str,
    clients: &Clients,
    events: &EventSender,
) -> bool {
    let left = left_behind(stack_id, clients).await;
    let buckets = left.iter().filter(|resource| {
        resource.resource_type == "AWS::S3::Bucket"
            && resource.status == ResourceStatus::DeleteFailed
    });
    let mut cleared = false;
    for bucket in buckets.filter_map(|resource| resource.physical_id.as_deref()) {
        // Its name may belong to somebody else by now.
        match clients.bucket_is_empty(bucket, account_of(stack_id)).await {
            // Something else blocks the deletion.
            Ok(true) => {}
            Err(error) if error.is(ErrorKind::Denied) => {
                events.warn(
                    Some(cell),
                    format!("{bucket} blocks the deletion and was left alone: {error}"),
                );
            }
            Ok(false) | Err(_) => match clients.empty_bucket(bucket).await {
                Ok(()) => cleared = true,
                Err(error) => {
                    events.warn(
                        Some(cell),
                        format!("{bucket} blocks the deletion and cannot be emptied: {error}"),
                    );
                }
            },
        }
    }
    cleared
}

/// Returns the account in an ARN such as `arn:aws:cloudformation:us-east-1:123456789012:stack/…`.
fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

/// Returns the resources of a stack and its nested stacks that aren't deleted. What can't be listed
/// is left out: the list is for display and for [`unblock`], and the stack itself is always
/// reported.
pub(crate) async fn left_behind(stack_id: &str, clients: &Clients) -> Vec<LeftoverResource> {
    let mut left = Vec::new();
    collect_left(stack_id, clients, DEPTH, &mut left).await;
    left
}

/// Formats as `Queue (AWS::SQS::Queue)`.
pub(crate) fn describe(resource: &LeftoverResource) -> String {
    format!("{} ({})", resource.logical_id, resource.resource_type)
}

fn collect_left<'a>(
    stack_id: &'a str,
    clients: &'a Clients,
    depth: u32,
    into: &'a mut Vec<LeftoverResource>,
) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        for resource in clients.left_resources(stack_id).await.unwrap_or_default() {
            if resource.resource_type == "AWS::CloudFormation::Stack"
                && let Some(nested) = &resource.physical_id
                && depth > 0
            {
                collect_left(nested, clients, depth - 1, into).await;
            }
            into.push(resource);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_in_use_are_recognized_by_the_reason() {
        assert!(is_held_by_others(
            "Cannot delete export net-vpc as it is in use by web."
        ));
        assert!(is_held_by_others(
            "The vpc 'vpc-1' has dependencies and cannot be deleted. (DependencyViolation)"
        ));
        assert!(is_held_by_others("resource sg-1 has a dependent object"));
        assert!(!is_held_by_others(
            "The following resource(s) failed to delete: [LogBucket]."
        ));
    }
}
