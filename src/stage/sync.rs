//! A bucket's content is brought up to date: what is missing or different is sent, what the project no longer has goes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, TryStreamExt};

use super::StageError;
use super::bucket::Bucket;
use super::exclude::Exclusions;
use super::local::LocalFile;
use crate::event::{Events, Happening};

/// What has to change in one bucket.
pub struct Changes<'f> {
    pub uploads: Vec<&'f LocalFile>,
    /// Full keys, with the prefix.
    pub removals: Vec<String>,
    pub unchanged: usize,
}

impl<'f> Changes<'f> {
    /// What an empty bucket needs, or one that is yet to be made.
    pub fn all(files: &'f [LocalFile]) -> Self {
        Self { uploads: files.iter().collect(), removals: Vec::new(), unchanged: 0 }
    }
}

/// Compares by key and checksum. `prefix` ends with a slash; keys under it that the project doesn't have, and that the
/// exclusions don't protect, are to be removed.
pub async fn compare<'f>(
    bucket: &Bucket,
    files: &'f [LocalFile],
    exclusions: &Exclusions,
    prefix: &str,
) -> Result<Changes<'f>, StageError> {
    if bucket.fresh {
        return Ok(Changes::all(files));
    }
    let listed = bucket.clients.list_objects(&bucket.name, prefix).await?;
    let mut remote: HashMap<&str, &str> =
        listed.iter().map(|object| (&object.key[prefix.len()..], object.etag.as_str())).collect();
    let uploads: Vec<_> = files.iter().filter(|file| remote.remove(file.key.as_str()) != Some(&file.etag)).collect();
    let mut removals: Vec<_> =
        remote.into_keys().filter(|key| !exclusions.excludes_remote(key)).map(|key| format!("{prefix}{key}")).collect();
    removals.sort_unstable();
    Ok(Changes { unchanged: files.len() - uploads.len(), uploads, removals })
}

/// Carries the changes out, `concurrency` uploads at a time. `acl` is dropped, with a warning, where the bucket takes none.
pub async fn apply(
    bucket: &Bucket,
    changes: Changes<'_>,
    prefix: &str,
    acl: Option<&str>,
    concurrency: usize,
    events: &Events,
) -> Result<(), StageError> {
    let name = &bucket.name;
    events.send(Happening::UploadStarted {
        bucket: name.clone(),
        uploads: changes.uploads.len(),
        unchanged: changes.unchanged,
        removals: changes.removals.len(),
        bytes: changes.uploads.iter().map(|file| file.size).sum(),
    });
    bucket.clients.delete_objects(name, &changes.removals).await?;
    for key in changes.removals {
        events.send(Happening::ObjectRemoved { bucket: name.clone(), key });
    }
    let with_acl = AtomicBool::new(true);
    let uploads = changes.uploads.into_iter().map(Ok::<_, StageError>);
    stream::iter(uploads)
        .try_for_each_concurrent(concurrency, |file| upload(bucket, file, prefix, acl, &with_acl, events))
        .await?;
    events.send(Happening::UploadFinished { bucket: name.clone() });
    Ok(())
}

async fn upload(
    bucket: &Bucket,
    file: &LocalFile,
    prefix: &str,
    acl: Option<&str>,
    with_acl: &AtomicBool,
    events: &Events,
) -> Result<(), StageError> {
    let key = format!("{prefix}{}", file.key);
    let sent_acl = acl.filter(|_| with_acl.load(Ordering::Relaxed));
    let mut sent = bucket.clients.upload(&bucket.name, &key, &file.path, file.size, sent_acl).await;
    if sent_acl.is_some() && sent.as_ref().is_err_and(|error| error.has_code("AccessControlListNotSupported")) {
        if with_acl.swap(false, Ordering::Relaxed) {
            events.warn(None, format!("bucket {} takes no ACLs: `s3_object_acl` is not applied", bucket.name));
        }
        sent = bucket.clients.upload(&bucket.name, &key, &file.path, file.size, None).await;
    }
    sent?;
    events.send(Happening::ObjectUploaded { bucket: bucket.name.clone(), key, bytes: file.size });
    Ok(())
}
