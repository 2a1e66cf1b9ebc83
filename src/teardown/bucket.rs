//! Deletes a bucket that a run has created for itself, once it is certain that it has.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;
use uuid::Uuid;

use crate::aws::{AwsError, Clients, ErrorKind, INVISIBLE};
use crate::catalog;
use crate::event::{EventKind, EventSender};
use crate::plan::auto_bucket_name;

/// Attempts at emptying and deleting a bucket that something else still fills.
const ATTEMPTS: u32 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// What is known of the creation of a bucket.
#[derive(Clone, Debug)]
pub(crate) struct BucketOrigin<'a> {
    /// The `taskcat-id` of the run that created it: 32 hex digits.
    pub run_id: &'a str,
    pub project: &'a str,
    pub account_id: &'a str,
    /// When the creation was requested, unless AWS has confirmed it.
    pub unconfirmed_since: Option<Timestamp>,
}

/// Whose bucket a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BucketOwnership {
    Missing,
    /// Its `taskcat-id` is the run's.
    Tagged,
    /// It is empty, has no `taskcat-id`, and has the name that follows from the run's ID: the run
    /// ended between the bucket's creation and its tags.
    Untagged,
    Foreign,
}

/// Tells whether a bucket is the run's.
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

    /// How much longer a bucket that isn't found may still appear.
    fn settles_in(&self) -> Duration {
        let Some(since) = self.unconfirmed_since else {
            return Duration::ZERO;
        };
        let age = Duration::try_from(Timestamp::now().duration_since(since)).unwrap_or_default();
        INVISIBLE.saturating_sub(age)
    }
}

/// Deletes a bucket with its content, and sends how that ended. The caller knows that it may be
/// deleted. `keys` is what the run put there, which saves listing it; what others put there is
/// found when the deletion is refused.
pub(crate) async fn delete_bucket(
    bucket: &str,
    keys: &[String],
    clients: &Clients,
    events: &EventSender,
) {
    let deleted = delete_with_content(bucket, keys, clients).await;
    send(bucket, deleted, events);
}

/// Deletes a bucket with its content if it turns out to be the run's, and sends how that ended.
pub(crate) async fn delete_bucket_of_run(
    bucket: &str,
    origin: &BucketOrigin<'_>,
    clients: &Clients,
    events: &EventSender,
) {
    let result = match settled_ownership(bucket, origin, clients).await {
        Ok(BucketOwnership::Missing) => Ok(()),
        Ok(BucketOwnership::Tagged) => delete_with_content(bucket, &[], clients).await,
        // Nothing is deleted from it: should it not be empty after all, S3 refuses.
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

/// A bucket whose creation was not confirmed may appear late, so that its absence means nothing at
/// first.
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
