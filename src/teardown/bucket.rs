//! Deletes a bucket that a run created, if it is certain that the run did.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;
use uuid::Uuid;

use crate::aws::{AwsError, Clients, ErrorKind, INVISIBLE};
use crate::catalog;
use crate::event::{EventKind, EventSender};
use crate::plan::auto_bucket_name;

/// Number of attempts to empty and delete a bucket that something else keeps filling.
const ATTEMPTS: u32 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// What is known about the creation of a bucket.
#[derive(Clone, Debug)]
pub(crate) struct BucketOrigin<'a> {
    /// The ID of the run that created it (`taskcat-id`), 32 hex digits.
    pub run_id: &'a str,
    pub project: &'a str,
    pub account_id: &'a str,
    /// When the creation was requested, if AWS hasn't confirmed it.
    pub unconfirmed_since: Option<Timestamp>,
}

/// Whose bucket has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BucketOwnership {
    Missing,
    /// Its tag `taskcat-id` is the run's.
    Tagged,
    /// It is empty, has no tag `taskcat-id`, and its name is derived from the run's ID: the run
    /// ended after creating the bucket and before tagging it.
    Untagged,
    Foreign,
}

/// Determines whether a bucket is the run's.
pub(super) async fn ownership(
    bucket: &str,
    origin: &BucketOrigin<'_>,
    clients: &Clients,
) -> Result<BucketOwnership, AwsError> {
    let Some(tags) = clients.bucket_tags(bucket).await? else {
        return Ok(BucketOwnership::Missing);
    };
    match tags.iter().find(|(key, _)| key == "taskcat-id") {
        Some((_, id)) if id == origin.run_id => Ok(BucketOwnership::Tagged),
        Some(_) => Ok(BucketOwnership::Foreign),
        None if origin.is_name_of(bucket, clients.region())
            && clients.bucket_is_empty(bucket, None).await? =>
        {
            Ok(BucketOwnership::Untagged)
        }
        None => Ok(BucketOwnership::Foreign),
    }
}

impl BucketOrigin<'_> {
    fn is_name_of(&self, bucket: &str, region: &str) -> bool {
        let partition = catalog::partition_of(region).name;
        let run_id = Uuid::parse_str(self.run_id);
        run_id.is_ok_and(|id| {
            auto_bucket_name(self.project, partition, self.account_id, id) == bucket
        })
    }

    /// Returns how much longer a missing bucket may still appear.
    fn settles_in(&self) -> Duration {
        let Some(since) = self.unconfirmed_since else {
            return Duration::ZERO;
        };
        let age = Duration::try_from(Timestamp::now().duration_since(since)).unwrap_or_default();
        INVISIBLE.saturating_sub(age)
    }
}

/// Deletes a bucket with its content, and sends the result as an event. The caller knows that it
/// may be deleted. `keys` lists what the run uploaded, which saves listing the bucket; other
/// objects are found when the deletion is refused.
pub(crate) async fn delete_bucket(
    bucket: &str,
    keys: &[String],
    clients: &Clients,
    events: &EventSender,
) {
    let deleted = delete_with_content(bucket, keys, clients).await;
    send(bucket, deleted, events);
}

/// Deletes a bucket with its content if it is the run's, and sends the result as an event.
pub(crate) async fn delete_bucket_of_run(
    bucket: &str,
    origin: &BucketOrigin<'_>,
    clients: &Clients,
    events: &EventSender,
) {
    let result = match settled_ownership(bucket, origin, clients).await {
        Ok(BucketOwnership::Missing) => Ok(()),
        Ok(BucketOwnership::Tagged) => delete_with_content(bucket, &[], clients).await,
        // Nothing in it is deleted: if it isn't empty, S3 refuses.
        Ok(BucketOwnership::Untagged) => clients
            .delete_bucket(bucket)
            .await
            .map_err(|error| error.to_string()),
        Ok(BucketOwnership::Foreign) => {
            let id = origin.run_id;
            Err(format!(
                "it isn't this run's: its tag taskcat-id is not {id}, so it was left alone"
            ))
        }
        Err(error) => Err(error.to_string()),
    };
    send(bucket, result, events);
}

fn send(bucket: &str, deleted: Result<(), String>, events: &EventSender) {
    let bucket = bucket.to_owned();
    events.send(match deleted {
        Ok(()) => EventKind::BucketDeleted { bucket },
        Err(reason) => EventKind::BucketDeleteFailed { bucket, reason },
    });
}

/// Determines the owner of a bucket repeatedly, since one whose creation wasn't confirmed may
/// appear late.
async fn settled_ownership(
    bucket: &str,
    origin: &BucketOrigin<'_>,
    clients: &Clients,
) -> Result<BucketOwnership, AwsError> {
    let mut wait = Duration::from_millis(250);
    loop {
        let found = ownership(bucket, origin, clients).await?;
        let left = origin.settles_in();
        if found != BucketOwnership::Missing || left.is_zero() {
            return Ok(found);
        }
        sleep(wait.min(left)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn delete_with_content(
    bucket: &str,
    keys: &[String],
    clients: &Clients,
) -> Result<(), String> {
    let mut wait = Duration::from_millis(500);
    let mut attempt = 1;
    let mut result = clients.delete_objects(bucket, keys).await;
    loop {
        result = match result {
            Ok(()) => clients.delete_bucket(bucket).await,
            Err(error) => Err(error),
        };
        let error = match result {
            Ok(()) => return Ok(()),
            Err(error) if error.is(ErrorKind::NotFound) => return Ok(()),
            Err(error) if attempt >= ATTEMPTS => return Err(error.to_string()),
            Err(error) => error,
        };
        if !error.has_code("BucketNotEmpty") {
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        attempt += 1;
        result = clients.empty_bucket(bucket).await;
    }
}
