//! What a run made is taken away again.
//!
//! Deleting is asked for here and followed by `watch`; `run` joins the two. Only what this run made is touched: its
//! stacks by id, its buckets by the plan, and buckets inside its stacks that block their deletion.

use futures::future::BoxFuture;

use crate::aws::{AwsError, Clients, ErrorKind, request_token};
use crate::event::{CellId, Events, Happening, LeftResource};

/// Nested stacks are searched this deep for what blocks a deletion.
const DEPTH: u32 = 10;

/// Asks CloudFormation to delete the stack.
pub async fn delete_stack(cell: &CellId, stack_id: &str, clients: &Clients, events: &Events) -> Result<(), AwsError> {
    events.send(Happening::StackDeleting { cell: cell.clone(), stack_id: stack_id.to_owned() });
    clients.delete_stack(stack_id, &request_token()).await
}

/// Clears what is known to block the deletion of a stack: buckets that the stack made and that its resources filled,
/// which CloudFormation deletes only when empty. Returns whether another try is worth it.
pub async fn unblock(cell: &CellId, stack_id: &str, clients: &Clients, events: &Events) -> bool {
    let left = left_behind(stack_id, clients).await;
    let buckets = left
        .iter()
        .filter(|resource| resource.resource_type == "AWS::S3::Bucket" && resource.status == "DELETE_FAILED");
    let mut cleared = false;
    for bucket in buckets.filter_map(|resource| resource.physical_id.as_deref()) {
        match clients.empty_bucket(bucket).await {
            Ok(()) => cleared = true,
            Err(error) => {
                events.warn(Some(cell), format!("{bucket} blocks the deletion and can't be emptied: {error}"))
            }
        }
    }
    cleared
}

/// The resources of a stack, and of those nested in it, that still stand. What can't be listed is left out: the list is
/// for people and for [`unblock`], and the stack itself is reported in any case.
pub async fn left_behind(stack_id: &str, clients: &Clients) -> Vec<LeftResource> {
    let mut left = Vec::new();
    collect_left(stack_id, clients, DEPTH, &mut left).await;
    left
}

fn collect_left<'a>(
    stack_id: &'a str,
    clients: &'a Clients,
    depth: u32,
    into: &'a mut Vec<LeftResource>,
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

/// Deletes a bucket that the run made, with its content. `keys` is what the run put there, which saves listing it; what
/// others put there is found when the deletion is refused.
pub async fn delete_bucket(bucket: &str, keys: &[String], clients: &Clients, events: &Events) {
    let result = match clients.delete_objects(bucket, keys).await {
        Ok(()) => match clients.delete_bucket(bucket).await {
            Err(error) if error.has_code("BucketNotEmpty") => match clients.empty_bucket(bucket).await {
                Ok(()) => clients.delete_bucket(bucket).await,
                failed => failed,
            },
            result => result,
        },
        failed => failed,
    };
    events.send(match result {
        Ok(()) => Happening::BucketDeleted { bucket: bucket.to_owned() },
        Err(error) if error.is(ErrorKind::NotFound) => Happening::BucketDeleted { bucket: bucket.to_owned() },
        Err(error) => Happening::BucketDeleteFailed { bucket: bucket.to_owned(), reason: error.to_string() },
    });
}
