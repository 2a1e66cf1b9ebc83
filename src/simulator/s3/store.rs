//! Buckets, keys and versions, and what other services use of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use md5::{Digest, Md5};
use s3s::S3Result;
use s3s::dto::{self, Checksum, Grant, Metadata, ServerSideEncryption, StorageClass, TagSet};
use uuid::Uuid;

use super::super::error::ServiceError;
use super::super::{Caller, lock};
use super::bucket_settings::BucketSettings;
use super::{acl, no_such_bucket, refusal};

/// The buckets of all accounts and regions, whose names are globally unique.
#[derive(Default)]
pub(crate) struct Store {
    pub(super) buckets: Mutex<BTreeMap<String, StoredBucket>>,
}

/// The account and region of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BucketFacts {
    pub account: String,
    pub region: String,
}

/// What doesn't exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectNotFound {
    Bucket,
    Key,
}

/// A bucket.
pub(super) struct StoredBucket {
    pub account: String,
    pub region: String,
    pub created: Timestamp,
    pub settings: BucketSettings,
    /// The versions of each key, the newest last; never empty.
    pub keys: BTreeMap<String, Vec<StoredVersion>>,
    /// By upload ID.
    pub uploads: BTreeMap<String, PendingUpload>,
}

/// A version of a key.
pub(super) struct StoredVersion {
    /// `null` if the bucket isn't versioned.
    pub id: String,
    pub modified: Timestamp,
    /// None is a delete marker.
    pub object: Option<StoredObject>,
}

/// An object. It is cheap to clone, because the bytes are shared.
#[derive(Clone)]
pub(super) struct StoredObject {
    pub bytes: Bytes,
    /// Without quotes.
    pub etag: String,
    pub checksum: Checksum,
    pub about: Arc<ObjectHeaders>,
    pub tags: TagSet,
    pub acl: Vec<Grant>,
}

/// The headers that are stored with an object.
#[derive(Clone, Default)]
pub(super) struct ObjectHeaders {
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub expires: Option<dto::Timestamp>,
    pub metadata: Option<Metadata>,
    pub storage_class: Option<StorageClass>,
    pub website_redirect_location: Option<String>,
    pub encryption: Option<ServerSideEncryption>,
    pub kms_key_id: Option<String>,
}

/// A multipart upload that is neither complete nor aborted.
pub(super) struct PendingUpload {
    pub key: String,
    pub initiated: Timestamp,
    pub about: Arc<ObjectHeaders>,
    pub tags: TagSet,
    pub acl: Vec<Grant>,
    pub algorithm: Option<dto::ChecksumAlgorithm>,
    pub checksum_type: Option<dto::ChecksumType>,
    pub parts: BTreeMap<i32, UploadedPart>,
}

/// An uploaded part of a multipart upload.
#[derive(Clone)]
pub(super) struct UploadedPart {
    pub bytes: Bytes,
    pub etag: String,
    pub checksum: Checksum,
    pub modified: Timestamp,
}

/// The ID of versions in a bucket that isn't versioned.
pub(super) const NULL_VERSION: &str = "null";

impl Store {
    /// Returns an object's current content.
    ///
    /// # Errors
    /// Fails if there is no such bucket or key.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> Result<Bytes, ObjectNotFound> {
        let buckets = lock(&self.buckets);
        let bucket = buckets.get(bucket).ok_or(ObjectNotFound::Bucket)?;
        bucket
            .current(key)
            .map(|(_, object)| object.bytes.clone())
            .ok_or(ObjectNotFound::Key)
    }

    /// Returns the account and region of a bucket.
    pub(crate) fn bucket(&self, name: &str) -> Option<BucketFacts> {
        let facts = |bucket: &StoredBucket| BucketFacts {
            account: bucket.account.clone(),
            region: bucket.region.clone(),
        };
        lock(&self.buckets).get(name).map(facts)
    }

    /// Returns whether a bucket is empty or doesn't exist.
    pub(crate) fn is_empty(&self, name: &str) -> bool {
        lock(&self.buckets)
            .get(name)
            .is_none_or(|bucket| bucket.keys.is_empty())
    }

    /// Creates a bucket in the caller's region.
    ///
    /// # Errors
    /// Fails with S3's error if the name is taken or invalid.
    pub(crate) fn create_bucket(
        &self,
        caller: &Caller,
        name: &str,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        if !is_bucket_name(name) {
            return Err(ServiceError::new(
                400,
                "InvalidBucketName",
                "The specified bucket is not valid.",
            ));
        }
        let mut buckets = lock(&self.buckets);
        match buckets.get(name) {
            Some(bucket) if bucket.account == caller.account => Err(ServiceError::new(
                409,
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own \
                 it.",
            )),
            Some(_) => Err(ServiceError::new(
                409,
                "BucketAlreadyExists",
                "The requested bucket name is not available. The bucket namespace is shared by all \
                 users of the system. \
                 Please select a different name and try again.",
            )),
            None => {
                buckets.insert(name.to_owned(), StoredBucket::new(caller, now));
                Ok(())
            }
        }
    }

    /// Deletes an empty bucket.
    ///
    /// # Errors
    /// Fails with S3's error if there is no such bucket, or if it isn't empty.
    pub(crate) fn delete_bucket(&self, name: &str) -> Result<(), ServiceError> {
        let mut buckets = lock(&self.buckets);
        let Some(bucket) = buckets.get(name) else {
            return Err(ServiceError::new(
                404,
                "NoSuchBucket",
                "The specified bucket does not exist",
            ));
        };
        if bucket.keys.is_empty() {
            buckets.remove(name);
            return Ok(());
        }
        let message = match bucket.settings.versioning {
            None => "The bucket you tried to delete is not empty",
            Some(_) => {
                "The bucket you tried to delete is not empty. You must delete all versions in the \
                 bucket."
            }
        };
        Err(ServiceError::new(409, "BucketNotEmpty", message))
    }

    /// Writes an object with default headers.
    ///
    /// # Errors
    /// Fails if there is no such bucket.
    pub(crate) fn put(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        now: Timestamp,
    ) -> Result<(), ObjectNotFound> {
        let mut buckets = lock(&self.buckets);
        let bucket = buckets.get_mut(bucket).ok_or(ObjectNotFound::Bucket)?;
        let object = StoredObject {
            etag: etag_of(&bytes),
            bytes,
            checksum: Checksum::default(),
            about: Arc::default(),
            tags: TagSet::new(),
            acl: acl::private(&bucket.account),
        };
        bucket.put(key, object, now);
        Ok(())
    }

    /// Calls `act` with a bucket, which is locked meanwhile.
    pub(super) fn with<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut StoredBucket) -> S3Result<T>,
    ) -> S3Result<T> {
        act(lock(&self.buckets)
            .get_mut(name)
            .ok_or_else(no_such_bucket)?)
    }

    /// Returns name, region and creation time of an account's buckets.
    pub(super) fn of_account(&self, account: &str) -> Vec<(String, String, Timestamp)> {
        let buckets = lock(&self.buckets);
        let owned = buckets
            .iter()
            .filter(|(_, bucket)| bucket.account == account);
        owned
            .map(|(name, bucket)| (name.clone(), bucket.region.clone(), bucket.created))
            .collect()
    }
}

impl StoredBucket {
    fn new(caller: &Caller, now: Timestamp) -> Self {
        Self {
            account: caller.account.clone(),
            region: caller.region.clone(),
            created: now,
            settings: BucketSettings::new(acl::private(&caller.account)),
            keys: BTreeMap::new(),
            uploads: BTreeMap::new(),
        }
    }

    /// Returns the current version of a key, unless it is deleted.
    pub(super) fn current(&self, key: &str) -> Option<(&StoredVersion, &StoredObject)> {
        let version = self.keys.get(key)?.last()?;
        Some((version, version.object.as_ref()?))
    }

    /// Returns a version of a key, or the current one.
    ///
    /// # Errors
    /// Fails with S3's error if there is no such key or version, or if it is a delete marker.
    pub(super) fn find(
        &self,
        key: &str,
        id: Option<&str>,
    ) -> S3Result<(&StoredVersion, &StoredObject)> {
        let versions = self.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        let Some(id) = id else {
            return self.current(key).ok_or_else(|| {
                let mut error = super::no_such_key();
                if let Some(marker) = versions.last() {
                    error.set_headers(marker_headers(marker));
                }
                error
            });
        };
        let Some(version) = versions.iter().find(|version| version.id == id) else {
            return Err(refusal(
                404,
                "NoSuchVersion",
                "The specified version does not exist.",
            ));
        };
        let object = version.object.as_ref().ok_or_else(|| {
            let mut error = refusal(
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            );
            error.set_headers(marker_headers(version));
            error
        })?;
        Ok((version, object))
    }

    /// Does what [`find`](Self::find) does, and returns the version ID with the object.
    pub(super) fn find_mut(
        &mut self,
        key: &str,
        id: Option<&str>,
    ) -> S3Result<(&str, &mut StoredObject)> {
        self.find(key, id)?;
        let versions = self
            .keys
            .get_mut(key)
            .map(Vec::as_mut_slice)
            .unwrap_or_default();
        let version = match id {
            Some(id) => versions.iter_mut().find(|version| version.id == id),
            None => versions.last_mut(),
        };
        let found =
            version.and_then(|version| Some((version.id.as_str(), version.object.as_mut()?)));
        found.ok_or_else(super::no_such_key)
    }

    /// Writes an object, and returns its version ID if the bucket is versioned.
    pub(super) fn put(
        &mut self,
        key: &str,
        object: StoredObject,
        now: Timestamp,
    ) -> Option<String> {
        self.push(key, Some(object), now)
    }

    /// Deletes a version; without an ID, adds a delete marker or deletes the only version,
    /// depending on the bucket's versioning.
    pub(super) fn delete(&mut self, key: &str, id: Option<&str>, now: Timestamp) -> DeletionResult {
        if let Some(id) = id {
            let Some(versions) = self.keys.get_mut(key) else {
                return DeletionResult::default();
            };
            let at = versions.iter().position(|version| version.id == id);
            let removed = at.map(|at| versions.remove(at));
            if versions.is_empty() {
                self.keys.remove(key);
            }
            let was_marker = removed.is_some_and(|version| version.object.is_none());
            return DeletionResult {
                version_id: Some(id.to_owned()),
                marker: was_marker,
            };
        }
        if self.settings.versioning.is_none() {
            self.keys.remove(key);
            return DeletionResult::default();
        }
        let version_id = self.push(key, None, now);
        DeletionResult {
            version_id,
            marker: true,
        }
    }

    fn push(&mut self, key: &str, object: Option<StoredObject>, now: Timestamp) -> Option<String> {
        let is_enabled = self.settings.is_versioned();
        let versions = self.keys.entry(key.to_owned()).or_default();
        let id = if is_enabled {
            Uuid::new_v4().simple().to_string()
        } else {
            versions.retain(|version| version.id != NULL_VERSION);
            NULL_VERSION.to_owned()
        };
        versions.push(StoredVersion {
            id: id.clone(),
            modified: now,
            object,
        });
        self.settings.versioning.is_some().then_some(id)
    }
}

/// The result of a deletion.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DeletionResult {
    pub version_id: Option<String>,
    /// Whether a delete marker was added, or the deleted version was one.
    pub marker: bool,
}

fn marker_headers(marker: &StoredVersion) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    headers.insert(
        "x-amz-delete-marker",
        http::HeaderValue::from_static("true"),
    );
    if let Ok(id) = http::HeaderValue::from_str(&marker.id) {
        headers.insert("x-amz-version-id", id);
    }
    headers
}

/// Returns whether a bucket may be created with the name.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
pub(crate) fn is_bucket_name(name: &str) -> bool {
    let reserved = ["sthree-", "amzn-s3-demo-"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|suffix| name.ends_with(suffix));
    s3s::path::check_bucket_name(name) && !reserved
}

/// Returns the MD5 of the content in hexadecimal digits.
pub(super) fn etag_of(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

/// Returns the ETag as S3 shows it, which isn't the MD5 of the content if a KMS key encrypts it.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>
pub(super) fn shown_etag(etag: String, about: &ObjectHeaders) -> String {
    let is_kms = about
        .encryption
        .as_ref()
        .is_some_and(|it| it.as_str().starts_with("aws:kms"));
    if is_kms {
        etag_of(format!("encrypted {etag}").as_bytes())
    } else {
        etag
    }
}

/// Returns a time in S3's type.
pub(super) fn time(timestamp: Timestamp) -> dto::Timestamp {
    let system = SystemTime::try_from(timestamp).unwrap_or(SystemTime::UNIX_EPOCH);
    dto::Timestamp::from(system)
}

/// Returns a time in whole seconds, as headers have it.
pub(super) fn whole_seconds(timestamp: Timestamp) -> dto::Timestamp {
    time(Timestamp::from_second(timestamp.as_second()).unwrap_or(timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(account: &str) -> Caller {
        Caller {
            account: account.into(),
            region: "eu-west-1".into(),
        }
    }

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn buckets_are_created_filled_and_deleted() {
        let store = Store::default();
        let create = |account: &str, name: &str| {
            store
                .create_bucket(&caller(account), name, NOW)
                .map_err(|error| error.code)
        };
        assert_eq!(create("1", "bucket"), Ok(()));
        assert_eq!(create("1", "bucket"), Err("BucketAlreadyOwnedByYou".into()));
        assert_eq!(create("2", "bucket"), Err("BucketAlreadyExists".into()));
        for bad in [
            "Bucket",
            "ab",
            "a..b",
            "192.168.1.1",
            "xn--abc",
            "abc-s3alias",
            "a_b_c",
            "sthree-abc",
        ] {
            assert_eq!(create("1", bad), Err("InvalidBucketName".into()), "{bad}");
        }
        assert_eq!(
            store.bucket("bucket"),
            Some(BucketFacts {
                account: "1".into(),
                region: "eu-west-1".into()
            })
        );
        assert_eq!(store.object("bucket", "k"), Err(ObjectNotFound::Key));
        assert_eq!(store.object("nowhere", "k"), Err(ObjectNotFound::Bucket));
        store
            .put("bucket", "k", Bytes::from_static(b"v"), NOW)
            .unwrap();
        assert_eq!(store.object("bucket", "k").unwrap(), "v");
        assert!(!store.is_empty("bucket"));
        let delete = || {
            store
                .delete_bucket("bucket")
                .map_err(|error| (error.status, error.message))
        };
        assert_eq!(
            delete(),
            Err((409, "The bucket you tried to delete is not empty".into()))
        );
        store
            .with("bucket", |bucket| Ok(bucket.delete("k", None, NOW)))
            .unwrap_or_else(|_| panic!());
        assert!(store.is_empty("bucket"));
        assert_eq!(delete(), Ok(()));
        assert_eq!(
            delete(),
            Err((404, "The specified bucket does not exist".into()))
        );
    }

    #[test]
    fn versioned_buckets_keep_versions() {
        let store = Store::default();
        store.create_bucket(&caller("1"), "bucket", NOW).unwrap();
        let put = |text: &'static str| {
            store
                .put("bucket", "k", Bytes::from_static(text.as_bytes()), NOW)
                .unwrap()
        };
        let count = || {
            store
                .with("bucket", |bucket| {
                    Ok(bucket.keys.get("k").map_or(0, Vec::len))
                })
                .unwrap()
        };
        let delete = |id: Option<String>| {
            store
                .with("bucket", |bucket| {
                    Ok(bucket.delete("k", id.as_deref(), NOW))
                })
                .unwrap()
        };
        put("a");
        put("b");
        assert_eq!(count(), 1);
        let version = |status: &str| {
            store.set_up_bucket(
                "bucket",
                &[],
                &serde_json::json!({"VersioningConfiguration": {"Status": status}}),
            );
        };
        version("Enabled");
        put("c");
        put("d");
        assert_eq!(
            (count(), store.object("bucket", "k").unwrap()),
            (3, Bytes::from_static(b"d"))
        );
        let marker = delete(None);
        assert!(marker.marker && marker.version_id.is_some());
        assert_eq!(
            (count(), store.object("bucket", "k")),
            (4, Err(ObjectNotFound::Key))
        );
        assert!(!store.is_empty("bucket"));
        assert!(delete(marker.version_id).marker);
        assert_eq!(store.object("bucket", "k").unwrap(), "d");
        version("Suspended");
        put("e");
        // The version from before versioning had the same ID as this one.
        assert_eq!(count(), 3);
        assert_eq!(
            delete(Some(NULL_VERSION.into())),
            DeletionResult {
                version_id: Some(NULL_VERSION.into()),
                marker: false
            }
        );
        assert_eq!(count(), 2);
        let message = store.delete_bucket("bucket").unwrap_err().message;
        assert!(
            message.ends_with("You must delete all versions in the bucket."),
            "{message}"
        );
    }
}
