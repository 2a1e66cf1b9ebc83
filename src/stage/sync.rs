//! Updates a bucket's content: uploads what is missing or different, and removes what the project
//! no longer has.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::StageError;
use super::bucket::StagingBucket;
use super::exclude::Exclusions;
use super::local::LocalFile;
use super::marker::{OtherMarkers, RunMarkers};
use crate::aws::{AwsError, Object};
use crate::event::{EventKind, EventSender};

/// Maximum number of objects whose checksum is requested concurrently.
const QUESTIONS: usize = 16;

/// The changes to a bucket.
#[derive(Default)]
pub(crate) struct BucketChanges<'f> {
    pub uploads: Vec<&'f LocalFile>,
    /// Full keys of the objects to remove, including the prefix.
    pub removals: Vec<String>,
    pub unchanged: usize,
    /// Number of uploads that replace an object with different content.
    pub replaced: usize,
    /// Other runs that stage to the bucket. As long as there are any, nothing is removed.
    pub others: OtherMarkers,
}

impl<'f> BucketChanges<'f> {
    /// Returns the changes to an empty bucket, or to one that will be created.
    pub(crate) fn all(files: &'f [LocalFile]) -> Self {
        Self {
            uploads: files.iter().collect(),
            ..Self::default()
        }
    }

    /// Returns the event that announces the changes.
    pub(crate) fn started(&self, bucket: &str) -> EventKind {
        EventKind::UploadStarted {
            bucket: bucket.to_owned(),
            uploads: self.uploads.len(),
            unchanged: self.unchanged,
            removals: self.removals.len(),
            bytes: self.uploads.iter().map(|file| file.size).sum(),
        }
    }

    /// Keeps what would be removed as long as another run stages to the bucket, and warns about the
    /// consequences.
    pub(crate) fn respect_others(&mut self, bucket: &str, events: &EventSender) {
        let Some(newest) = self.others.live.last() else {
            return;
        };
        let kept = std::mem::take(&mut self.removals).len();
        let mut effects = Vec::new();
        if kept > 0 {
            let what = if kept == 1 {
                "1 object is".to_owned()
            } else {
                format!("{kept} objects are")
            };
            let until = newest.until.strftime("%Y-%m-%d %H:%M UTC");
            effects.push(format!(
                "{what} not removed (the next upload removes them, once that run has ended or \
                 after {until})"
            ));
        }
        if self.replaced > 0 {
            let what = if self.replaced == 1 {
                "1 of its files".to_owned()
            } else {
                format!("{} of its files", self.replaced)
            };
            effects.push(format!("{what} may be overwritten with other content"));
        }
        if effects.is_empty() {
            return;
        }
        let more = self.others.live.len() - 1;
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let run_id = &newest.run_id;
        let message = format!(
            "the run {run_id}{more} uses the bucket {bucket} at this time: {}",
            effects.join("; ")
        );
        events.warn(None, message);
    }
}

/// Compares by key and checksum: the ETag, or the checksum that an earlier upload recorded if a KMS
/// key makes the ETag something else
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>). Keys under the project's
/// prefix without a local file are removed, unless exclusions protect them.
pub(crate) async fn compare<'f>(
    bucket: &StagingBucket,
    files: &'f [LocalFile],
    exclusions: &Exclusions,
    markers: RunMarkers<'_>,
) -> Result<BucketChanges<'f>, StageError> {
    if bucket.fresh {
        return Ok(BucketChanges::all(files));
    }
    let prefix = markers.prefix;
    let listed = bucket.clients.list_objects(&bucket.name, prefix).await?;
    let mut remote: HashMap<&str, &Object> = listed
        .iter()
        .map(|object| (&object.key[prefix.len()..], object))
        .collect();
    let mut changes = BucketChanges {
        others: markers.others(&listed),
        ..BucketChanges::default()
    };
    let mut unclear = Vec::new();
    for file in files {
        match remote.remove(file.key.as_str()) {
            Some(object) if object.etag == file.etag => changes.unchanged += 1,
            Some(object) if object.size == file.size => unclear.push((file, object)),
            found => {
                changes.replaced += usize::from(found.is_some());
                changes.uploads.push(file);
            }
        }
    }
    for (file, is_same) in noted_as(bucket, unclear).await {
        if is_same {
            changes.unchanged += 1
        } else {
            changes.replaced += 1;
            changes.uploads.push(file);
        }
    }
    let is_left = |key: &&str| !RunMarkers::is_marker(key) && !exclusions.excludes_remote(key);
    changes.removals = remote
        .into_keys()
        .filter(is_left)
        .map(|key| format!("{prefix}{key}"))
        .collect();
    changes.removals.sort_unstable();
    Ok(changes)
}

/// Returns whether the checksum that an earlier upload recorded with each object is the file's. If
/// it can't be read, the file is uploaded again.
async fn noted_as<'f>(
    bucket: &StagingBucket,
    unclear: Vec<(&'f LocalFile, &Object)>,
) -> Vec<(&'f LocalFile, bool)> {
    let asked = stream::iter(unclear).map(async |(file, object)| {
        let noted = bucket
            .clients
            .noted_checksum(&bucket.name, &object.key)
            .await;
        (
            file,
            noted.is_ok_and(|noted| noted.as_ref() == Some(&file.etag)),
        )
    });
    asked.buffered(QUESTIONS).collect().await
}

/// How to upload.
#[derive(Clone, Copy)]
pub(crate) struct UploadSettings<'r> {
    pub bucket: &'r StagingBucket,
    pub markers: RunMarkers<'r>,
    /// ACL of the objects; ignored with a warning if the bucket doesn't accept ACLs.
    pub acl: Option<&'r str>,
    /// Maximum number of concurrent uploads.
    pub concurrency: usize,
    pub events: &'r EventSender,
}

impl UploadSettings<'_> {
    /// Applies the changes.
    pub(crate) async fn apply(
        self,
        mut changes: BucketChanges<'_>,
        files: &[LocalFile],
    ) -> Result<(), StageError> {
        let Self {
            bucket,
            markers,
            events,
            ..
        } = self;
        let name = &bucket.name;
        if !changes.removals.is_empty() && changes.others.live.is_empty() {
            // A run that has started meanwhile may rely on the objects that it found.
            changes.others.live = markers.look(bucket).await?.live;
        }
        changes.respect_others(name, events);
        events.send(changes.started(name));
        for key in &changes.others.stale {
            bucket.clients.delete_object(name, key).await?;
        }
        bucket
            .clients
            .delete_objects(name, &changes.removals)
            .await?;
        for key in changes.removals {
            events.send(EventKind::ObjectRemoved {
                bucket: name.clone(),
                key,
            });
        }
        self.send(changes.uploads).await?;
        if !changes.others.live.is_empty() {
            // What another run removed meanwhile must be uploaded after all.
            let removed = self.missing(files).await?;
            self.send(removed).await?;
        }
        events.send(EventKind::UploadFinished {
            bucket: name.clone(),
        });
        Ok(())
    }

    async fn missing<'f>(&self, files: &'f [LocalFile]) -> Result<Vec<&'f LocalFile>, AwsError> {
        let prefix = self.markers.prefix;
        let listed = self
            .bucket
            .clients
            .list_objects(&self.bucket.name, prefix)
            .await?;
        let there: HashSet<&str> = listed
            .iter()
            .map(|object| &object.key[prefix.len()..])
            .collect();
        Ok(files
            .iter()
            .filter(|file| !there.contains(file.key.as_str()))
            .collect())
    }

    async fn send(&self, files: Vec<&LocalFile>) -> Result<(), StageError> {
        let with_acl = AtomicBool::new(true);
        let files = files.into_iter().map(Ok::<_, StageError>);
        stream::iter(files)
            .try_for_each_concurrent(self.concurrency, |file| self.upload(file, &with_acl))
            .await
    }

    async fn upload(&self, file: &LocalFile, with_acl: &AtomicBool) -> Result<(), StageError> {
        let Self { bucket, events, .. } = self;
        let key = format!("{}{}", self.markers.prefix, file.key);
        let sent_acl = self.acl.filter(|_| with_acl.load(Ordering::Relaxed));
        let content = (file.size, file.etag.as_str());
        let mut sent = bucket
            .clients
            .upload(&bucket.name, &key, &file.path, content, sent_acl)
            .await;
        if sent_acl.is_some()
            && sent
                .as_ref()
                .is_err_and(|error| error.has_code("AccessControlListNotSupported"))
        {
            if with_acl.swap(false, Ordering::Relaxed) {
                events.warn(
                    None,
                    format!(
                        "bucket {} takes no ACLs: `s3_object_acl` is not applied",
                        bucket.name
                    ),
                );
            }
            sent = bucket
                .clients
                .upload(&bucket.name, &key, &file.path, content, None)
                .await;
        }
        sent?;
        events.send(EventKind::ObjectUploaded {
            bucket: bucket.name.clone(),
            key,
            bytes: file.size,
        });
        Ok(())
    }
}
