//! S3: buckets, and the objects of a staged project.

use std::io;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{
    BucketLocationConstraint, CompletedMultipartUpload, CompletedPart, CreateBucketConfiguration,
    Delete, Error as ObjectError, ObjectCannedAcl, ObjectIdentifier,
    PublicAccessBlockConfiguration, Tag, Tagging,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use futures::stream::{self, StreamExt, TryStreamExt};

use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::cloudformation::timestamp;
use super::retry::timeouts;
use super::{AwsError, Clients, ErrorKind, UPLOAD_FACTOR};
use crate::input;

/// DeleteObjects takes this many keys at most.
const DELETE_BATCH: usize = 1000;
/// Attempts to delete objects that S3 is too busy to delete, with twice the time between them each.
const DELETE_ATTEMPTS: u32 = 7;
const DELETE_BACKOFF: Duration = Duration::from_millis(250);
/// Rounds of deletion that may make no progress. Listings are consistent, but other servers than S3
/// stand in for it, and a resource may write while it is being deleted.
const FUTILE_ROUNDS: u32 = 10;
/// Parts of one file in flight; each is held in memory.
const PARTS_IN_FLIGHT: usize = 4;

/// Size of a part of a multipart upload in bytes, and the size from which a file is uploaded in
/// parts: boto3's, so that ETags of files staged by TaskCat and by us are the same.
pub const PART_SIZE: u64 = 8 * 1024 * 1024;

/// A listed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The object's key.
    pub key: String,
    /// Without quotes.
    pub etag: String,
    /// In bytes.
    pub size: u64,
    /// By S3's clock, in whole seconds; not every server tells.
    pub modified: Option<Timestamp>,
}

/// A listed bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// Not every server tells.
    pub region: Option<String>,
    /// When the bucket was created, UTC.
    pub created: Option<Timestamp>,
}

/// A version of an object, or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ObjectVersion {
    key: String,
    version_id: Option<String>,
}

/// The metadata of an object under which its checksum is noted: `x-amz-meta-taskcat-checksum`.
const CHECKSUM: &str = "taskcat-checksum";

/// What a region knows about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectLookup {
    /// It exists.
    Exists,
    /// It doesn't exist.
    Missing,
    /// Its bucket is in this other region.
    InRegion(String),
}

impl Clients {
    /// Returns the configuration of a call that sends a file or a part of one.
    fn slow(&self) -> aws_sdk_s3::config::Builder {
        let limit = self.call_timeout.saturating_mul(UPLOAD_FACTOR);
        aws_sdk_s3::Config::builder().timeout_config(timeouts(limit))
    }

    /// Returns the account's buckets whose names begin with `prefix`.
    pub async fn list_buckets(&self, prefix: &str) -> Result<Vec<Bucket>, AwsError> {
        let mut pages = self
            .s3
            .list_buckets()
            .prefix(prefix)
            .into_paginator()
            .send();
        let mut buckets = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.s3_error("ListBuckets", prefix, error))?;
            buckets.extend(page.buckets().iter().filter_map(|bucket| {
                Some(Bucket {
                    name: bucket.name()?.to_owned(),
                    region: bucket.bucket_region().map(str::to_owned),
                    created: bucket.creation_date().and_then(timestamp),
                })
            }));
        }
        // Not every server knows the parameter.
        buckets.retain(|bucket| bucket.name.starts_with(prefix));
        Ok(buckets)
    }

    /// Keys and values of the bucket's tags; `None` where there is no such bucket.
    pub async fn bucket_tags(
        &self,
        bucket: &str,
    ) -> Result<Option<Vec<(String, String)>>, AwsError> {
        self.tags_of(bucket, None).await
    }

    /// Keys and values of the tags of a bucket of this account; `None` where there is no such
    /// bucket.
    ///
    /// # Errors
    /// `Denied` where it is another account's.
    pub async fn own_bucket_tags(
        &self,
        bucket: &str,
        account_id: &str,
    ) -> Result<Option<Vec<(String, String)>>, AwsError> {
        self.tags_of(bucket, Some(account_id.to_owned())).await
    }

    async fn tags_of(
        &self,
        bucket: &str,
        owner: Option<String>,
    ) -> Result<Option<Vec<(String, String)>>, AwsError> {
        match self
            .s3
            .get_bucket_tagging()
            .bucket(bucket)
            .set_expected_bucket_owner(owner)
            .send()
            .await
        {
            Ok(answer) => {
                let tags = answer
                    .tag_set()
                    .iter()
                    .map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
                Ok(Some(tags.collect()))
            }
            Err(error) => match self.s3_error("GetBucketTagging", bucket, error) {
                error if error.has_code("NoSuchTagSet") => Ok(Some(Vec::new())),
                error if error.is(ErrorKind::NotFound) => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Returns whether the bucket holds no version of any object.
    ///
    /// # Errors
    /// `Denied` where it isn't `owner`'s, if an account is given.
    pub async fn bucket_is_empty(
        &self,
        bucket: &str,
        owner: Option<&str>,
    ) -> Result<bool, AwsError> {
        let call = self.s3.list_object_versions().bucket(bucket).max_keys(1);
        let page = call
            .set_expected_bucket_owner(owner.map(str::to_owned))
            .send()
            .await;
        let page = page.map_err(|error| self.s3_error("ListObjectVersions", bucket, error))?;
        Ok(page.versions().is_empty() && page.delete_markers().is_empty())
    }

    /// Returns the region a bucket is in, or `None` where there is no such bucket.
    pub async fn bucket_region(&self, bucket: &str) -> Result<Option<String>, AwsError> {
        match self.s3.head_bucket().bucket(bucket).send().await {
            Ok(answer) => Ok(Some(
                answer.bucket_region().unwrap_or(&self.region).to_owned(),
            )),
            Err(error) => {
                // A bucket in another region, or one that may be written but not listed, still says
                // where it is.
                let elsewhere = error
                    .raw_response()
                    .and_then(|raw| raw.headers().get("x-amz-bucket-region"));
                let elsewhere = elsewhere.map(str::to_owned);
                match (self.s3_error("HeadBucket", bucket, error), elsewhere) {
                    (error, _) if error.is(ErrorKind::NotFound) => Ok(None),
                    (_, Some(region)) => Ok(Some(region)),
                    (error, None) => Err(self.worded(error, bucket).await),
                }
            }
        }
    }

    /// Returns the error of a `HEAD`, whose answer has no words: another question about the bucket
    /// brings S3's.
    async fn worded(&self, error: AwsError, bucket: &str) -> AwsError {
        if error.code.is_some() || error.is_unanswered() || error.is(ErrorKind::NotImplemented) {
            return error;
        }
        match self.s3.get_bucket_location().bucket(bucket).send().await {
            Err(worded) => self.s3_error("GetBucketLocation", bucket, worded),
            Ok(_) => AwsError {
                message: format!("{bucket}: S3 gave no reason"),
                ..error
            },
        }
    }

    /// Creates a bucket with tags, or without any where the caller may not set them, or the server
    /// doesn't take them, at the creation
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html>).
    pub async fn create_bucket(
        &self,
        bucket: &str,
        tags: &[(String, String)],
    ) -> Result<(), AwsError> {
        match self.create_bucket_with(bucket, tags).await {
            Err(error)
                if !tags.is_empty()
                    && !error.may_have_taken_effect()
                    && !error.is(ErrorKind::AlreadyExists) =>
            {
                self.create_bucket_with(bucket, &[]).await
            }
            created => created,
        }
    }

    async fn create_bucket_with(
        &self,
        bucket: &str,
        tags: &[(String, String)],
    ) -> Result<(), AwsError> {
        // us-east-1 is the one region that must not be named.
        let region = Some(self.region.as_str()).filter(|region| *region != "us-east-1");
        let tags = (!tags.is_empty())
            .then(|| self.tags("CreateBucket", tags))
            .transpose()?;
        let is_needed = region.is_some() || tags.is_some();
        let configuration = CreateBucketConfiguration::builder()
            .set_location_constraint(region.map(BucketLocationConstraint::from))
            .set_tags(tags)
            .build();
        let request = self.s3.create_bucket().bucket(bucket);
        let request = request.set_create_bucket_configuration(is_needed.then_some(configuration));
        self.new_buckets.created(bucket);
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.s3_error("CreateBucket", bucket, error))
    }

    fn tags(
        &self,
        operation: &'static str,
        tags: &[(String, String)],
    ) -> Result<Vec<Tag>, AwsError> {
        let tags = tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let unexpected = |error: aws_smithy_types::error::operation::BuildError| {
            AwsError::unexpected(operation, &self.region, error.to_string())
        };
        tags.collect::<Result<_, _>>().map_err(unexpected)
    }

    /// Blocks public access to a bucket in every way.
    pub async fn block_public_access(&self, bucket: &str) -> Result<(), AwsError> {
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let request = self
            .s3
            .put_public_access_block()
            .bucket(bucket)
            .public_access_block_configuration(all);
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.s3_error("PutPublicAccessBlock", bucket, error))
    }

    /// Sets the bucket's tags.
    pub async fn tag_bucket(
        &self,
        bucket: &str,
        tags: &[(String, String)],
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "PutBucketTagging";
        let tagging = Tagging::builder()
            .set_tag_set(Some(self.tags(OPERATION, tags)?))
            .build()
            .map_err(|error| AwsError::unexpected(OPERATION, &self.region, error.to_string()))?;
        let request = self.s3.put_bucket_tagging().bucket(bucket).tagging(tagging);
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.s3_error(OPERATION, bucket, error))
    }

    /// Sets the policy of a bucket.
    pub async fn put_bucket_policy(&self, bucket: &str, policy: &str) -> Result<(), AwsError> {
        let request = self.s3.put_bucket_policy().bucket(bucket).policy(policy);
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.s3_error("PutBucketPolicy", bucket, error))
    }

    /// Deletes an empty bucket.
    pub async fn delete_bucket(&self, bucket: &str) -> Result<(), AwsError> {
        self.new_buckets.deleting(bucket);
        let request = self.s3.delete_bucket().bucket(bucket);
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.s3_error("DeleteBucket", bucket, error))
    }

    /// Returns the objects whose keys begin with `prefix`.
    pub async fn list_objects(&self, bucket: &str, prefix: &str) -> Result<Vec<Object>, AwsError> {
        let mut pages = self
            .s3
            .list_objects_v2()
            .bucket(bucket)
            .prefix(prefix)
            .into_paginator()
            .send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.s3_error("ListObjectsV2", bucket, error))?;
            objects.extend(page.contents().iter().filter_map(|object| {
                let etag = object
                    .e_tag()
                    .unwrap_or_default()
                    .trim_matches('"')
                    .to_owned();
                let modified = object.last_modified().and_then(timestamp);
                let size = object
                    .size()
                    .and_then(|size| u64::try_from(size).ok())
                    .unwrap_or_default();
                Some(Object {
                    key: object.key()?.to_owned(),
                    etag,
                    size,
                    modified,
                })
            }));
        }
        Ok(objects)
    }

    /// Returns the checksum that [`Clients::upload`] has noted with an object; `None` where there
    /// is none.
    pub async fn noted_checksum(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<Option<String>, AwsError> {
        let answer = self.s3.head_object().bucket(bucket).key(key).send().await;
        let answer = answer
            .map_err(|error| self.s3_error("HeadObject", &format!("{bucket}/{key}"), error))?;
        Ok(answer.metadata().and_then(|it| it.get(CHECKSUM)).cloned())
    }

    /// Looks an object up, without reading it.
    pub async fn object_lookup(&self, bucket: &str, key: &str) -> Result<ObjectLookup, AwsError> {
        let answer = self.s3.head_object().bucket(bucket).key(key).send().await;
        let error = match answer {
            Ok(_) => return Ok(ObjectLookup::Exists),
            Err(error) => error,
        };
        let raw = error.raw_response();
        if raw.map(|it| it.status().as_u16()) == Some(404) {
            return Ok(ObjectLookup::Missing);
        }
        let region = raw.and_then(|it| it.headers().get("x-amz-bucket-region"));
        match region.filter(|region| *region != self.region) {
            Some(region) => Ok(ObjectLookup::InRegion(region.to_owned())),
            None => Err(self.s3_error("HeadObject", &format!("{bucket}/{key}"), error)),
        }
    }

    /// Puts a small object. `acl` is sent only where given.
    pub async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<Vec<u8>>,
        acl: Option<&str>,
    ) -> Result<(), AwsError> {
        let body = ByteStream::from(body.into());
        let request = self
            .s3
            .put_object()
            .bucket(bucket)
            .key(key)
            .set_acl(acl.map(ObjectCannedAcl::from))
            .body(body);
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.s3_error("PutObject", &format!("{bucket}/{key}"), error))
    }

    /// Uploads a file of `size` bytes, in parts where it is large, and notes its checksum with it,
    /// since the ETag isn't one where a KMS key encrypts. `acl` is sent only where given.
    pub async fn upload(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        (size, checksum): (u64, &str),
        acl: Option<&str>,
    ) -> Result<(), AwsError> {
        let acl = acl.map(ObjectCannedAcl::from);
        if size >= PART_SIZE {
            return self
                .upload_in_parts(bucket, key, path, (size, checksum), acl)
                .await;
        }
        let file = path.to_owned();
        let read = spawn_blocking(move || input::read(&file, PART_SIZE).map_err(io::Error::other));
        let body = read
            .await
            .unwrap_or_else(|error| Err(error.into()))
            .map_err(|error| self.unreadable(path, error))?;
        let request = self
            .s3
            .put_object()
            .bucket(bucket)
            .key(key)
            .set_acl(acl)
            .metadata(CHECKSUM, checksum);
        let request = request.body(ByteStream::from(body));
        let sent = request
            .customize()
            .config_override(self.slow())
            .send()
            .await;
        sent.map(|_| ())
            .map_err(|error| self.s3_error("PutObject", &format!("{bucket}/{key}"), error))
    }

    async fn upload_in_parts(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        (size, checksum): (u64, &str),
        acl: Option<ObjectCannedAcl>,
    ) -> Result<(), AwsError> {
        let name = format!("{bucket}/{key}");
        let started = self
            .s3
            .create_multipart_upload()
            .bucket(bucket)
            .key(key)
            .set_acl(acl)
            .metadata(CHECKSUM, checksum);
        let started = started.send().await;
        let started =
            started.map_err(|error| self.s3_error("CreateMultipartUpload", &name, error))?;
        let upload_id = started.upload_id().unwrap_or_default();
        let parts = stream::iter(0..size.div_ceil(PART_SIZE))
            .map(|index| self.upload_part(bucket, key, upload_id, path, index, size))
            .buffered(PARTS_IN_FLIGHT)
            .try_collect::<Vec<_>>()
            .await;
        let completed = match parts {
            Ok(parts) => {
                let parts = CompletedMultipartUpload::builder()
                    .set_parts(Some(parts))
                    .build();
                let request = self
                    .s3
                    .complete_multipart_upload()
                    .bucket(bucket)
                    .key(key)
                    .upload_id(upload_id);
                let sent = request.multipart_upload(parts).send().await;
                sent.map(|_| ())
                    .map_err(|error| self.s3_error("CompleteMultipartUpload", &name, error))
            }
            Err(error) => Err(error),
        };
        if completed.is_err() {
            // Parts of an upload that never completes cost money and are invisible. If this fails
            // too there is nothing more to do; the error that matters is the first.
            let _ = self
                .s3
                .abort_multipart_upload()
                .bucket(bucket)
                .key(key)
                .upload_id(upload_id)
                .send()
                .await;
        }
        completed
    }

    async fn upload_part(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        path: &Path,
        index: u64,
        size: u64,
    ) -> Result<CompletedPart, AwsError> {
        let offset = index * PART_SIZE;
        let body = ByteStream::read_from()
            .path(path)
            .offset(offset)
            .length(Length::Exact(PART_SIZE.min(size - offset)))
            .build()
            .await
            .map_err(|error| self.unreadable(path, error))?;
        // S3 allows 10,000 parts, so the number always fits.
        let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
        let request = self
            .s3
            .upload_part()
            .bucket(bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(number);
        let sent = request
            .body(body)
            .customize()
            .config_override(self.slow())
            .send()
            .await;
        let sent =
            sent.map_err(|error| self.s3_error("UploadPart", &format!("{bucket}/{key}"), error))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag().map(str::to_owned))
            .build())
    }

    /// Deletes one object; that there is none is no error.
    pub async fn delete_object(&self, bucket: &str, key: &str) -> Result<(), AwsError> {
        let request = self.s3.delete_object().bucket(bucket).key(key);
        let name = format!("{bucket}/{key}");
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.s3_error("DeleteObject", &name, error))
    }

    /// Deletes the objects with these keys; keys that don't exist are no error.
    pub async fn delete_objects(&self, bucket: &str, keys: &[String]) -> Result<(), AwsError> {
        for batch in keys.chunks(DELETE_BATCH) {
            let objects = batch
                .iter()
                .map(|key| ObjectVersion {
                    key: key.clone(),
                    version_id: None,
                })
                .collect();
            self.delete_batch(bucket, objects).await?;
        }
        Ok(())
    }

    /// Deletes every object of a bucket, all versions and delete markers included.
    ///
    /// Versions with the ID `null` are deleted by that ID: without it, S3 adds a delete marker
    /// where versioning is suspended, round after round
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectsfromVersioningSuspendedBuckets.html>).
    ///
    /// # Errors
    /// As of the calls, and where deletions succeed but the bucket doesn't get empty.
    pub async fn empty_bucket(&self, bucket: &str) -> Result<(), AwsError> {
        const OPERATION: &str = "DeleteObjects";
        let mut previous = Vec::new();
        let mut was_last_page = false;
        let mut futile_rounds = 0;
        loop {
            let page = self.s3.list_object_versions().bucket(bucket).send().await;
            let page = page.map_err(|error| self.s3_error("ListObjectVersions", bucket, error))?;
            let found = listed_versions(&page);
            let Some(first) = found.first() else {
                return Ok(());
            };
            let is_unchanged = found == previous;
            if is_unchanged || was_last_page {
                futile_rounds += 1;
            }
            if futile_rounds > FUTILE_ROUNDS {
                let why = format!(
                    "{bucket} does not get empty: {} is still listed after its deletion",
                    first.key
                );
                let why = if is_unchanged {
                    why
                } else {
                    format!("{bucket} does not get empty: objects are still written")
                };
                return Err(AwsError::unexpected(OPERATION, &self.region, why));
            }
            if futile_rounds > 0 {
                sleep(DELETE_BACKOFF).await;
            }
            was_last_page = !page.is_truncated().unwrap_or_default();
            // A server may list `null` as a version and not take it as one.
            let with_null = !is_unchanged || futile_rounds % 2 == 0;
            let named = |it: &ObjectVersion| with_null || it.version_id.as_deref() != Some("null");
            let objects = found.iter().map(|it| ObjectVersion {
                key: it.key.clone(),
                version_id: it.version_id.clone().filter(|_| named(it)),
            });
            self.delete_batch(bucket, objects.collect()).await?;
            previous = found;
        }
    }

    /// Deletes what one call takes, and again what S3 was too busy to delete.
    async fn delete_batch(
        &self,
        bucket: &str,
        mut objects: Vec<ObjectVersion>,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "DeleteObjects";
        let mut wait = DELETE_BACKOFF;
        for attempt in 1.. {
            let identifiers = objects.iter().map(|object| {
                ObjectIdentifier::builder()
                    .key(&object.key)
                    .set_version_id(object.version_id.clone())
                    .build()
            });
            let delete = identifiers
                .collect::<Result<Vec<_>, _>>()
                .and_then(|objects| {
                    Delete::builder()
                        .set_objects(Some(objects))
                        .quiet(true)
                        .build()
                })
                .map_err(|error| {
                    AwsError::unexpected(OPERATION, &self.region, error.to_string())
                })?;
            let answer = self
                .s3
                .delete_objects()
                .bucket(bucket)
                .delete(delete)
                .send()
                .await;
            let answer = answer.map_err(|error| self.s3_error(OPERATION, bucket, error))?;
            let refused = answer
                .errors()
                .iter()
                .find(|error| !is_gone(error) && !may_pass(error));
            let busy: Vec<_> = answer
                .errors()
                .iter()
                .filter(|error| may_pass(error))
                .collect();
            if let Some(error) =
                refused.or(busy.first().copied().filter(|_| attempt >= DELETE_ATTEMPTS))
            {
                return Err(AwsError::with_code(
                    OPERATION,
                    &self.region,
                    error.code().unwrap_or("Unknown"),
                    format!(
                        "{bucket}/{}: {}",
                        error.key().unwrap_or_default(),
                        error.message().unwrap_or_default()
                    ),
                ));
            }
            if busy.is_empty() {
                break;
            }
            let is_busy = |object: &ObjectVersion| {
                busy.iter()
                    .any(|error| error.key() == Some(object.key.as_str()))
            };
            objects.retain(is_busy);
            sleep(wait).await;
            wait *= 2;
        }
        Ok(())
    }

    /// Returns an object's content as text.
    pub async fn object_text(&self, bucket: &str, key: &str) -> Result<String, AwsError> {
        const OPERATION: &str = "GetObject";
        let name = format!("{bucket}/{key}");
        let answer = self.s3.get_object().bucket(bucket).key(key).send().await;
        let answer = answer.map_err(|error| self.s3_error(OPERATION, &name, error))?;
        let body = answer.body.collect().await;
        let body = body.map_err(|error| {
            AwsError::unexpected(OPERATION, &self.region, format!("{name}: {error}"))
        })?;
        String::from_utf8(body.to_vec()).map_err(|_| {
            AwsError::unexpected(OPERATION, &self.region, format!("{name} is not UTF-8 text"))
        })
    }

    /// Returns a URL that fetches the object without credentials for a while. Makes no call.
    pub async fn presigned_url(
        &self,
        bucket: &str,
        key: &str,
        expires: Duration,
    ) -> Result<String, AwsError> {
        let config = PresigningConfig::expires_in(expires)
            .map_err(|error| AwsError::unexpected("GetObject", &self.region, error.to_string()))?;
        let request = self
            .s3
            .get_object()
            .bucket(bucket)
            .key(key)
            .presigned(config)
            .await;
        Ok(request
            .map_err(|error| self.s3_error("GetObject", &format!("{bucket}/{key}"), error))?
            .uri()
            .to_owned())
    }

    fn s3_error<E>(
        &self,
        operation: &'static str,
        name: &str,
        error: SdkError<E, Response>,
    ) -> AwsError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        AwsError::new(operation, &self.region, error).named(name)
    }

    fn unreadable(&self, path: &Path, error: impl std::fmt::Display) -> AwsError {
        AwsError::unexpected(
            "PutObject",
            &self.region,
            format!(
                "cannot read {}: {}",
                path.display(),
                input::without_number(&error.to_string())
            ),
        )
    }
}

fn listed_versions(page: &ListObjectVersionsOutput) -> Vec<ObjectVersion> {
    let versions = page
        .versions()
        .iter()
        .map(|found| (found.key(), found.version_id()));
    let markers = page
        .delete_markers()
        .iter()
        .map(|found| (found.key(), found.version_id()));
    versions
        .chain(markers)
        .filter_map(|(key, id)| {
            Some(ObjectVersion {
                key: key?.to_owned(),
                version_id: id.map(str::to_owned),
            })
        })
        .collect()
}

/// Returns whether an object didn't exist when it was to be deleted.
fn is_gone(error: &ObjectError) -> bool {
    matches!(error.code(), Some("NoSuchKey" | "NoSuchVersion"))
}

/// Returns whether the same deletion may succeed later.
fn may_pass(error: &ObjectError) -> bool {
    matches!(
        error.code(),
        Some(
            "SlowDown"
                | "InternalError"
                | "ServiceUnavailable"
                | "RequestTimeout"
                | "OperationAborted"
        )
    )
}
