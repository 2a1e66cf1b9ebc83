//! Objects: written, read, copied and deleted, with their tags and ACLs.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use s3s::S3Result;
use s3s::dto::{self, *};
use s3s::path::S3Path;

use super::super::Cloud;
use super::bucket_settings::BucketSettings;
use super::checksum::{self, checksums_of, put_checksums};
use super::settings::check_tags;
use super::store::{
    NULL_VERSION, ObjectHeaders, StoredBucket, StoredObject, StoredVersion, etag_of, shown_etag,
    time, whole_seconds,
};
use super::{
    Requester, access, access_denied, acl, invalid_argument, malformed_xml, no_such_bucket,
    no_such_key, refusal,
};

/// The largest number of keys in DeleteObjects.
const MAX_DELETED_KEYS: usize = 1000;
const MAX_OBJECT_TAGS: usize = 10;

/// Takes an object's own headers from the input of an operation that creates one.
macro_rules! about {
    ($input:expr) => {
        $crate::simulator::s3::store::ObjectHeaders {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $input.content_encoding.take(),
            content_language: $input.content_language.take(),
            expires: $input.expires.take(),
            metadata: $input
                .metadata
                .take()
                .filter(|metadata| !metadata.is_empty()),
            storage_class: $input.storage_class.take(),
            website_redirect_location: $input.website_redirect_location.take(),
            encryption: $input.server_side_encryption.take(),
            kms_key_id: $input.ssekms_key_id.take(),
        }
    };
}
/// Reads the ACL of such an input.
macro_rules! acl_given {
    ($input:expr) => {{
        let grants = [
            (
                s3s::dto::Permission::FULL_CONTROL,
                &$input.grant_full_control,
            ),
            (s3s::dto::Permission::READ, &$input.grant_read),
            (s3s::dto::Permission::READ_ACP, &$input.grant_read_acp),
            (s3s::dto::Permission::WRITE_ACP, &$input.grant_write_acp),
        ];
        $crate::simulator::s3::acl::AclRequest {
            canned: $input.acl.as_ref().map(s3s::dto::ObjectCannedACL::as_str),
            grants: grants
                .into_iter()
                .filter_map(|(permission, to)| Some((permission, to.as_deref()?)))
                .collect(),
            policy: None,
        }
    }};
}
pub(super) use {about, acl_given};

/// Returns the complete body, which usually is in one piece already.
pub(super) async fn read_body(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(mut body) = body else {
        return Ok(Bytes::new());
    };
    let cut_off = |_| {
        refusal(
            400,
            "IncompleteBody",
            "The request body terminated unexpectedly",
        )
    };
    let Some(first) = body.next().await.transpose().map_err(cut_off)? else {
        return Ok(Bytes::new());
    };
    let mut rest = Vec::new();
    while let Some(piece) = body.next().await.transpose().map_err(cut_off)? {
        rest.push(piece);
    }
    Ok(if rest.is_empty() {
        first
    } else {
        [&[first][..], &rest].concat().concat().into()
    })
}

/// Carries out `PutObject`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
pub(super) fn put_object(
    cloud: &Cloud,
    mut input: PutObjectInput,
    bytes: Bytes,
) -> S3Result<PutObjectOutput> {
    let digest = checksum::md5(&bytes, input.content_md5.as_deref())?;
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .map(ChecksumAlgorithm::as_str);
    let checksum = checksum::settle(&bytes, &checksums_of!(input), algorithm)?;
    let tags = header_tags(input.tagging.as_deref())?;
    let size = i64::try_from(bytes.len()).ok();
    cloud.s3.with(&input.bucket, |bucket| {
        check_conditions(
            bucket,
            &input.key,
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        let acl = acl_given!(input).for_object(&bucket.settings, &bucket.account)?;
        let about = encrypted(about!(input), &bucket.settings);
        let etag = shown_etag(hex::encode(digest), &about);
        let object = StoredObject {
            bytes,
            etag: etag.clone(),
            checksum,
            about: Arc::new(about),
            tags,
            acl,
        };
        let checksum = object.checksum.clone();
        let about = object.about.clone();
        let version_id = bucket.put(&input.key, object, cloud.clock.now());
        let mut output = PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            checksum_type: checksum.checksum_type,
            server_side_encryption: about.encryption.clone(),
            ssekms_key_id: about.kms_key_id.clone(),
            size,
            version_id,
            ..Default::default()
        };
        put_checksums!(checksum => output);
        Ok(output)
    })
}

/// Applies the bucket's default encryption to an object that has none of its own.
pub(super) fn encrypted(mut about: ObjectHeaders, settings: &BucketSettings) -> ObjectHeaders {
    if about.encryption.is_none() {
        (about.encryption, about.kms_key_id) = settings.encrypts();
    }
    about
}

/// Parses `a=b&c=d`.
pub(super) fn header_tags(header: Option<&str>) -> S3Result<TagSet> {
    let pairs = form_urlencoded::parse(header.unwrap_or_default().as_bytes());
    let tags = pairs.map(|(key, value)| dto::Tag {
        key: Some(key.into_owned()),
        value: Some(value.into_owned()),
    });
    check_tags(tags.collect(), MAX_OBJECT_TAGS)
}

/// Checks `If-Match` and `If-None-Match` of a write.
pub(super) fn check_conditions(
    bucket: &StoredBucket,
    key: &str,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let current = bucket.current(key).map(|(_, object)| object.etag.as_str());
    match (if_match, current) {
        (Some(_), None) => return Err(no_such_key()),
        (Some(condition), Some(etag)) if !is_met(condition, etag) => return Err(unmet()),
        _ => {}
    }
    match (if_none_match, current) {
        (Some(condition), Some(etag)) if is_met(condition, etag) => Err(unmet()),
        _ => Ok(()),
    }
}

fn is_met(condition: &ETagCondition, etag: &str) -> bool {
    condition
        .as_etag()
        .is_none_or(|wanted| wanted.value() == etag)
}

fn unmet() -> s3s::S3Error {
    refusal(
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    )
}

/// The conditions of a read, whose headers have different names for reads and copies.
struct ReadConditions<'a> {
    if_match: Option<&'a ETagCondition>,
    if_none_match: Option<&'a ETagCondition>,
    if_modified_since: Option<&'a Timestamp>,
    if_unmodified_since: Option<&'a Timestamp>,
}

impl ReadConditions<'_> {
    /// Checks the conditions; those on the ETag take precedence over those on the date.
    fn check(
        &self,
        version: &StoredVersion,
        object: &StoredObject,
        unmodified: fn() -> s3s::S3Error,
    ) -> S3Result<()> {
        let modified = whole_seconds(version.modified);
        match (self.if_match, self.if_unmodified_since) {
            (Some(condition), _) if !is_met(condition, &object.etag) => return Err(unmet()),
            (None, Some(since)) if modified > *since => return Err(unmet()),
            _ => {}
        }
        match (self.if_none_match, self.if_modified_since) {
            (Some(condition), _) if is_met(condition, &object.etag) => Err(unmodified()),
            (None, Some(since)) if modified <= *since => Err(unmodified()),
            _ => Ok(()),
        }
    }
}

fn not_modified() -> s3s::S3Error {
    refusal(304, "NotModified", "Not Modified")
}

/// Returns the bytes of a range and its `Content-Range`; all bytes if there is no range.
fn ranged(bytes: &Bytes, range: Option<&Range>) -> S3Result<(Bytes, Option<String>)> {
    let Some(range) = range else {
        return Ok((bytes.clone(), None));
    };
    let unsatisfiable = || {
        refusal(
            416,
            "InvalidRange",
            "The requested range is not satisfiable",
        )
    };
    let length = bytes.len() as u64;
    let found = range.check(length).map_err(|_| unsatisfiable())?;
    let (Ok(start), Ok(end)) = (usize::try_from(found.start), usize::try_from(found.end)) else {
        return Err(unsatisfiable());
    };
    if start >= end {
        return Err(unsatisfiable());
    }
    Ok((
        bytes.slice(start..end),
        Some(format!("bytes {start}-{}/{length}", end - 1)),
    ))
}

/// Returns whether checksums are requested; those of the whole object don't apply to a range.
fn shows_checksum(mode: Option<&ChecksumMode>, range: Option<&String>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED) && range.is_none()
}

fn shown_version(bucket: &StoredBucket, version: &StoredVersion) -> Option<String> {
    bucket
        .settings
        .versioning
        .as_ref()
        .map(|_| version.id.clone())
}

fn check_part_number(number: Option<i32>) -> S3Result<()> {
    match number {
        None | Some(1) => Ok(()),
        Some(_) => Err(refusal(
            501,
            "NotImplemented",
            "the simulator doesn't keep the parts of an object",
        )),
    }
}

/// Returns the common output of reads, the requested bytes, and the object. The inputs and outputs
/// have the same member names but no common type.
macro_rules! read {
    ($output:ident, $bucket:expr, $input:expr) => {{
        let (version, object) = $bucket.find(&$input.key, $input.version_id.as_deref())?;
        let conditions = ReadConditions {
            if_match: $input.if_match.as_ref(),
            if_none_match: $input.if_none_match.as_ref(),
            if_modified_since: $input.if_modified_since.as_ref(),
            if_unmodified_since: $input.if_unmodified_since.as_ref(),
        };
        conditions.check(version, object, not_modified)?;
        let (bytes, content_range) = ranged(&object.bytes, $input.range.as_ref())?;
        let about = &object.about;
        let with_checksum = shows_checksum($input.checksum_mode.as_ref(), content_range.as_ref());
        let checksum = if with_checksum { object.checksum.clone() } else { Checksum::default() };
        let mut output = $output {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(bytes.len()).ok(),
            content_range,
            content_type: Some(content_type(about)),
            cache_control: about.cache_control.clone(),
            content_disposition: about.content_disposition.clone(),
            content_encoding: about.content_encoding.clone(),
            content_language: about.content_language.clone(),
            expires: about.expires.clone(),
            metadata: about.metadata.clone(),
            storage_class: about.storage_class.clone(),
            website_redirect_location: about.website_redirect_location.clone(),
            server_side_encryption: about.encryption.clone(),
            ssekms_key_id: about.kms_key_id.clone(),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(time(version.modified)),
            version_id: shown_version($bucket, version),
            checksum_type: checksum.checksum_type,
            ..Default::default()
        };
        put_checksums!(checksum => output);
        (output, bytes, object)
    }};
}

/// Carries out `GetObject`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
pub(super) fn get_object(
    cloud: &Cloud,
    _: &Requester,
    input: GetObjectInput,
) -> S3Result<GetObjectOutput> {
    check_part_number(input.part_number)?;
    cloud.s3.with(&input.bucket, |bucket| {
        let (output, bytes, object) = read!(GetObjectOutput, bucket, input);
        Ok(GetObjectOutput {
            body: Some(StreamingBlob::from(s3s::Body::from(bytes))),
            content_type: input.response_content_type.or(output.content_type),
            cache_control: input.response_cache_control.or(output.cache_control),
            content_disposition: input
                .response_content_disposition
                .or(output.content_disposition),
            content_encoding: input.response_content_encoding.or(output.content_encoding),
            content_language: input.response_content_language.or(output.content_language),
            expires: input.response_expires.or(output.expires),
            tag_count: i32::try_from(object.tags.len())
                .ok()
                .filter(|count| *count > 0),
            ..output
        })
    })
}

fn content_type(about: &ObjectHeaders) -> String {
    about
        .content_type
        .clone()
        .unwrap_or_else(|| "binary/octet-stream".to_owned())
}

/// Carries out `HeadObject`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
pub(super) fn head_object(
    cloud: &Cloud,
    _: &Requester,
    input: HeadObjectInput,
) -> S3Result<HeadObjectOutput> {
    check_part_number(input.part_number)?;
    cloud.s3.with(&input.bucket, |bucket| {
        let (output, ..) = read!(HeadObjectOutput, bucket, input);
        Ok(output)
    })
}

/// Carries out `DeleteObject`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>
pub(super) fn delete_object(
    cloud: &Cloud,
    _: &Requester,
    input: DeleteObjectInput,
) -> S3Result<DeleteObjectOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        if input.if_match.is_some() {
            check_conditions(bucket, &input.key, input.if_match.as_ref(), None)?;
        }
        let deleted = bucket.delete(&input.key, input.version_id.as_deref(), cloud.clock.now());
        // Version IDs aren't returned if the bucket never had versioning.
        let says = bucket.settings.versioning.is_some();
        Ok(DeleteObjectOutput {
            delete_marker: deleted.marker.then_some(true),
            version_id: deleted.version_id.filter(|_| says),
            ..Default::default()
        })
    })
}

/// Carries out `DeleteObjects`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
pub(super) fn delete_objects(
    cloud: &Cloud,
    _: &Requester,
    input: DeleteObjectsInput,
) -> S3Result<DeleteObjectsOutput> {
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > MAX_DELETED_KEYS {
        return Err(malformed_xml());
    }
    let quiet = input.delete.quiet.unwrap_or_default();
    cloud.s3.with(&input.bucket, |bucket| {
        let now = cloud.clock.now();
        let each = objects.into_iter().map(|object| {
            let deleted = bucket.delete(&object.key, object.version_id.as_deref(), now);
            // A new marker has an ID of its own; a deleted version is named by the requested ID.
            let made_marker = deleted.marker && object.version_id.is_none();
            DeletedObject {
                key: Some(object.key),
                version_id: object.version_id,
                delete_marker: deleted.marker.then_some(true),
                delete_marker_version_id: deleted
                    .version_id
                    .filter(|_| made_marker || deleted.marker),
            }
        });
        let deleted: Vec<_> = each.collect();
        Ok(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            ..Default::default()
        })
    })
}

/// Returns the source object of a copy, with the ID of its version if that is shown.
pub(super) fn source(
    cloud: &Cloud,
    requester: &Requester,
    from: &CopySource,
    check: impl FnOnce(&StoredVersion, &StoredObject) -> S3Result<()>,
) -> S3Result<(StoredObject, Option<String>)> {
    let CopySource::Bucket {
        bucket: name,
        key,
        version_id,
    } = from
    else {
        return Err(refusal(
            501,
            "NotImplemented",
            "the simulator doesn't support access points",
        ));
    };
    if access::is_hidden(cloud, name) {
        return Err(no_such_bucket());
    }
    cloud.s3.with(name, |bucket| {
        if !access::may_read(bucket, &S3Path::object(name, key), requester) {
            return Err(access_denied());
        }
        let (version, object) = bucket.find(key, version_id.as_deref())?;
        check(version, object)?;
        Ok((object.clone(), shown_version(bucket, version)))
    })
}

/// Carries out `CopyObject`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
pub(super) fn copy_object(
    cloud: &Cloud,
    requester: &Requester,
    mut input: CopyObjectInput,
) -> S3Result<CopyObjectOutput> {
    let conditions = |version: &StoredVersion, object: &StoredObject| {
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.as_ref(),
            if_none_match: input.copy_source_if_none_match.as_ref(),
            if_modified_since: input.copy_source_if_modified_since.as_ref(),
            if_unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
        };
        conditions.check(version, object, unmet)
    };
    let (from, copy_source_version_id) = source(cloud, requester, &input.copy_source, conditions)?;
    let replaces = input
        .metadata_directive
        .as_ref()
        .is_some_and(|it| it.as_str() == MetadataDirective::REPLACE);
    check_copies_elsewhere(&input, replaces)?;
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .map(ChecksumAlgorithm::as_str);
    let checksum = match algorithm {
        None if !checksum::present(&from.checksum).is_empty() => from.checksum.clone(),
        algorithm => checksum::settle(&from.bytes, &Checksum::default(), algorithm)?,
    };
    let etag = etag_of(&from.bytes);
    let new_tags = input
        .tagging_directive
        .as_ref()
        .is_some_and(|it| it.as_str() == TaggingDirective::REPLACE);
    let tags = if new_tags {
        header_tags(input.tagging.as_deref())?
    } else {
        from.tags.clone()
    };
    cloud.s3.with(&input.bucket, |bucket| {
        let acl = acl_given!(input).for_object(&bucket.settings, &bucket.account)?;
        let given = about!(input);
        let about = if replaces {
            given
        } else {
            copied(given, &from.about)
        };
        let about = Arc::new(encrypted(about, &bucket.settings));
        let etag = shown_etag(etag, &about);
        let etag_shown = ETag::Strong(etag.clone());
        let now = cloud.clock.now();
        let object = StoredObject {
            bytes: from.bytes,
            etag,
            checksum: checksum.clone(),
            about: about.clone(),
            tags,
            acl,
        };
        let version_id = bucket.put(&input.key, object, now);
        let mut copy_object_result = CopyObjectResult {
            e_tag: Some(etag_shown),
            last_modified: Some(time(now)),
            checksum_type: checksum.checksum_type,
            ..Default::default()
        };
        put_checksums!(checksum => copy_object_result);
        Ok(CopyObjectOutput {
            copy_object_result: Some(copy_object_result),
            copy_source_version_id,
            server_side_encryption: about.encryption.clone(),
            ssekms_key_id: about.kms_key_id.clone(),
            version_id,
            ..Default::default()
        })
    })
}

/// Fails if an object is copied onto itself without a change.
fn check_copies_elsewhere(input: &CopyObjectInput, replaces: bool) -> S3Result<()> {
    let is_same = match &input.copy_source {
        CopySource::Bucket {
            bucket,
            key,
            version_id: None,
        } => **bucket == *input.bucket && **key == *input.key,
        _ => false,
    };
    let changes =
        replaces || input.storage_class.is_some() || input.server_side_encryption.is_some();
    if !is_same || changes {
        return Ok(());
    }
    Err(refusal(
        400,
        "InvalidRequest",
        "This copy request is illegal because it is trying to copy an object to itself without \
         changing the object's \
         metadata, storage class, website redirect location or encryption attributes.",
    ))
}

/// Returns the headers of a copy: those of its source, except the ones that aren't copied.
fn copied(given: ObjectHeaders, from: &ObjectHeaders) -> ObjectHeaders {
    ObjectHeaders {
        storage_class: given.storage_class,
        encryption: given.encryption,
        kms_key_id: given.kms_key_id,
        website_redirect_location: given.website_redirect_location,
        ..from.clone()
    }
}

/// Carries out `GetObjectTagging`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html>
pub(super) fn get_object_tagging(
    cloud: &Cloud,
    _: &Requester,
    input: GetObjectTaggingInput,
) -> S3Result<GetObjectTaggingOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        let (version, object) = bucket.find(&input.key, input.version_id.as_deref())?;
        Ok(GetObjectTaggingOutput {
            tag_set: object.tags.clone(),
            version_id: shown_version(bucket, version),
        })
    })
}

/// Carries out `PutObjectTagging`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>
pub(super) fn put_object_tagging(
    cloud: &Cloud,
    _: &Requester,
    input: PutObjectTaggingInput,
) -> S3Result<PutObjectTaggingOutput> {
    let tags = check_tags(input.tagging.tag_set, MAX_OBJECT_TAGS)?;
    cloud.s3.with(&input.bucket, |bucket| {
        let (id, object) = bucket.find_mut(&input.key, input.version_id.as_deref())?;
        object.tags = tags;
        Ok(PutObjectTaggingOutput {
            version_id: shown_id(id),
        })
    })
}

/// Carries out `DeleteObjectTagging`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html>
pub(super) fn delete_object_tagging(
    cloud: &Cloud,
    _: &Requester,
    input: DeleteObjectTaggingInput,
) -> S3Result<DeleteObjectTaggingOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        let (id, object) = bucket.find_mut(&input.key, input.version_id.as_deref())?;
        object.tags.clear();
        Ok(DeleteObjectTaggingOutput {
            version_id: shown_id(id),
        })
    })
}

fn shown_id(id: &str) -> Option<String> {
    Some(id).filter(|id| *id != NULL_VERSION).map(str::to_owned)
}

/// Carries out `GetObjectAcl`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html>
pub(super) fn get_object_acl(
    cloud: &Cloud,
    _: &Requester,
    input: GetObjectAclInput,
) -> S3Result<GetObjectAclOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        let (_, object) = bucket.find(&input.key, input.version_id.as_deref())?;
        // With ACLs disabled, the owner has full control whatever was set before.
        let grants = if bucket.settings.has_acls_off() {
            acl::private(&bucket.account)
        } else {
            object.acl.clone()
        };
        Ok(GetObjectAclOutput {
            grants: Some(grants),
            owner: Some(acl::owner(&bucket.account)),
            ..Default::default()
        })
    })
}

/// Carries out `PutObjectAcl`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html>
pub(super) fn put_object_acl(
    cloud: &Cloud,
    _: &Requester,
    mut input: PutObjectAclInput,
) -> S3Result<PutObjectAclOutput> {
    let policy = input.access_control_policy.take();
    let grants = [
        &input.grant_full_control,
        &input.grant_read,
        &input.grant_read_acp,
        &input.grant_write_acp,
    ];
    if policy.is_none() && input.acl.is_none() && grants.iter().all(|grant| grant.is_none()) {
        return Err(invalid_argument(
            "Your request was missing a required header",
        ));
    }
    cloud.s3.with(&input.bucket, |bucket| {
        let given = acl::AclRequest {
            policy,
            ..acl_given!(input)
        };
        let list = given.replacement(&bucket.settings, &bucket.account)?;
        let (_, object) = bucket.find_mut(&input.key, input.version_id.as_deref())?;
        object.acl = list;
        Ok(PutObjectAclOutput::default())
    })
}
