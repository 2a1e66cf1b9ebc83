//! Multipart uploads.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use s3s::dto::{self, *};
use s3s::{S3Error, S3Result};
use uuid::Uuid;

use super::super::Cloud;
use super::checksum::{self, checksums_of, put_checksums};
use super::objects::{about, acl_given, check_conditions, encrypted, header_tags, source};
use super::store::{PendingUpload, StoredBucket, StoredObject, UploadedPart, shown_etag, time};
use super::{Requester, acl, invalid_argument, malformed_xml, refusal};

/// The smallest size in bytes of all parts but the last.
const MIN_PART_SIZE: usize = 5 * 1024 * 1024;
const MAX_PARTS: i32 = 10_000;
const PAGE: usize = 1000;

/// Carries out `CreateMultipartUpload`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>
pub(super) fn create_multipart_upload(
    cloud: &Cloud,
    _: &Requester,
    mut input: CreateMultipartUploadInput,
) -> S3Result<CreateMultipartUploadOutput> {
    let tags = header_tags(input.tagging.as_deref())?;
    cloud.s3.with(&input.bucket, |bucket| {
        let acl = acl_given!(input).for_object(&bucket.settings, &bucket.account)?;
        let about = encrypted(about!(input), &bucket.settings);
        let upload_id = Uuid::new_v4().simple().to_string();
        let algorithm = input.checksum_algorithm.clone();
        let checksum_type = input.checksum_type.clone().or_else(|| {
            let full = algorithm.as_ref()?.as_str() == ChecksumAlgorithm::CRC64NVME;
            Some(ChecksumType::from_static(if full {
                ChecksumType::FULL_OBJECT
            } else {
                ChecksumType::COMPOSITE
            }))
        });
        let encryption = about.encryption.clone();
        let kms_key_id = about.kms_key_id.clone();
        let upload = PendingUpload {
            key: input.key.clone(),
            initiated: cloud.clock.now(),
            about: Arc::new(about),
            tags,
            acl,
            algorithm: algorithm.clone(),
            checksum_type: checksum_type.clone(),
            parts: Default::default(),
        };
        bucket.uploads.insert(upload_id.clone(), upload);
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            upload_id: Some(upload_id),
            checksum_algorithm: algorithm,
            checksum_type,
            server_side_encryption: encryption,
            ssekms_key_id: kms_key_id,
            ..Default::default()
        })
    })
}

/// Returns the upload of this key.
fn upload<'a>(
    bucket: &'a mut StoredBucket,
    id: &str,
    key: &str,
) -> S3Result<&'a mut PendingUpload> {
    bucket
        .uploads
        .get_mut(id)
        .filter(|upload| upload.key == key)
        .ok_or_else(no_such_upload)
}

fn no_such_upload() -> S3Error {
    refusal(
        404,
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have \
         been aborted or completed.",
    )
}

fn check_number(number: i32) -> S3Result<()> {
    match number {
        1..=MAX_PARTS => Ok(()),
        _ => Err(invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive",
        )),
    }
}

/// Carries out `UploadPart`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
pub(super) fn upload_part(
    cloud: &Cloud,
    input: UploadPartInput,
    bytes: Bytes,
) -> S3Result<UploadPartOutput> {
    check_number(input.part_number)?;
    let etag = hex::encode(checksum::md5(&bytes, input.content_md5.as_deref())?);
    let given = checksums_of!(input);
    let named = input
        .checksum_algorithm
        .as_ref()
        .map(ChecksumAlgorithm::as_str);
    let algorithm = cloud.s3.with(&input.bucket, |bucket| {
        Ok(upload(bucket, &input.upload_id, &input.key)?
            .algorithm
            .as_ref()
            .map(|it| it.as_str().to_owned()))
    })?;
    let checksum = checksum::settle(&bytes, &given, named.or(algorithm.as_deref()))?;
    cloud.s3.with(&input.bucket, |bucket| {
        let (encryption, kms_key_id) = {
            let upload = upload(bucket, &input.upload_id, &input.key)?;
            let part = UploadedPart {
                bytes,
                etag: etag.clone(),
                checksum: checksum.clone(),
                modified: cloud.clock.now(),
            };
            upload.parts.insert(input.part_number, part);
            (
                upload.about.encryption.clone(),
                upload.about.kms_key_id.clone(),
            )
        };
        let mut output = UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            server_side_encryption: encryption,
            ssekms_key_id: kms_key_id,
            ..Default::default()
        };
        put_checksums!(checksum => output);
        Ok(output)
    })
}

/// Carries out `UploadPartCopy`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
pub(super) fn upload_part_copy(
    cloud: &Cloud,
    requester: &Requester,
    input: UploadPartCopyInput,
) -> S3Result<UploadPartCopyOutput> {
    check_number(input.part_number)?;
    let (from, copy_source_version_id) =
        source(cloud, requester, &input.copy_source, |_, _| Ok(()))?;
    let bytes = match &input.copy_source_range {
        None => from.bytes,
        Some(range) => {
            let invalid = || {
                invalid_argument(
                    "The x-amz-copy-source-range value must be of the form bytes=first-last where \
                     first and last are the zero-based offsets of the first and last bytes to copy",
                )
            };
            let range = dto::Range::parse(range).map_err(|_| invalid())?;
            let found = range
                .check(from.bytes.len() as u64)
                .map_err(|_| invalid())?;
            let (Ok(start), Ok(end)) = (usize::try_from(found.start), usize::try_from(found.end))
            else {
                return Err(invalid());
            };
            from.bytes.slice(start..end)
        }
    };
    let part = UploadPartInput {
        body: None,
        bucket: input.bucket,
        checksum_algorithm: None,
        checksum_crc32: None,
        checksum_crc32c: None,
        checksum_crc64nvme: None,
        checksum_sha1: None,
        checksum_sha256: None,
        content_length: None,
        content_md5: None,
        expected_bucket_owner: None,
        key: input.key,
        part_number: input.part_number,
        request_payer: None,
        sse_customer_algorithm: None,
        sse_customer_key: None,
        sse_customer_key_md5: None,
        upload_id: input.upload_id,
    };
    let put = upload_part(cloud, part, bytes)?;
    let copy_part_result = CopyPartResult {
        e_tag: put.e_tag,
        last_modified: Some(time(cloud.clock.now())),
        checksum_crc32: put.checksum_crc32,
        checksum_crc32c: put.checksum_crc32c,
        checksum_crc64nvme: put.checksum_crc64nvme,
        checksum_sha1: put.checksum_sha1,
        checksum_sha256: put.checksum_sha256,
    };
    Ok(UploadPartCopyOutput {
        copy_part_result: Some(copy_part_result),
        copy_source_version_id,
        server_side_encryption: put.server_side_encryption,
        ..Default::default()
    })
}

/// Returns the uploaded parts that a client lists, in order.
fn listed(upload: &PendingUpload, parts: &[CompletedPart]) -> S3Result<Vec<UploadedPart>> {
    let invalid = || {
        refusal(
            400,
            "InvalidPart",
            "One or more of the specified parts could not be found.  The part may not have been \
             uploaded, or the specified \
             entity tag may not match the part's entity tag.",
        )
    };
    let mut listed = Vec::with_capacity(parts.len());
    let mut before = 0;
    for part in parts {
        let number = part.part_number.ok_or_else(malformed_xml)?;
        if number <= before {
            let message = "The list of parts was not in ascending order. The parts list must be \
                specified in order by part number.";
            return Err(refusal(400, "InvalidPartOrder", message));
        }
        before = number;
        let found = upload.parts.get(&number).ok_or_else(invalid)?;
        let right = part
            .e_tag
            .as_ref()
            .is_none_or(|etag| etag.value() == found.etag);
        let known = checksum::present(&found.checksum);
        let sums = checksums_of!(part);
        let mut given = checksum::present(&sums).into_iter();
        if !right
            || !given
                .all(|(name, value)| known.iter().all(|(n, right)| *n != name || *right == value))
        {
            return Err(invalid());
        }
        listed.push(found.clone());
    }
    let sizes = listed.iter().map(|part| part.bytes.len());
    if sizes
        .take(listed.len().saturating_sub(1))
        .any(|size| size < MIN_PART_SIZE)
    {
        let message = "Your proposed upload is smaller than the minimum allowed size";
        return Err(refusal(400, "EntityTooSmall", message));
    }
    Ok(listed)
}

/// Returns the joined bytes, and the ETag with the number of parts.
fn together(parts: &[UploadedPart]) -> (Bytes, String) {
    let mut digests = Md5::new();
    for part in parts {
        digests.update(Md5::digest(&part.bytes));
    }
    let etag = format!("{}-{}", hex::encode(digests.finalize()), parts.len());
    if let [only] = parts {
        return (only.bytes.clone(), etag);
    }
    let mut bytes = BytesMut::with_capacity(parts.iter().map(|part| part.bytes.len()).sum());
    parts
        .iter()
        .for_each(|part| bytes.extend_from_slice(&part.bytes));
    (bytes.freeze(), etag)
}

/// Returns the checksum of the parts' checksums, or of the whole object, as the upload requested
/// it.
fn checksum_of(
    bytes: &[u8],
    parts: &[UploadedPart],
    algorithm: Option<&str>,
    kind: Option<&str>,
    given: &Checksum,
) -> S3Result<Checksum> {
    let sums: Vec<&Checksum> = parts.iter().map(|part| &part.checksum).collect();
    let composite = match (algorithm, kind) {
        (Some(algorithm), Some(ChecksumType::COMPOSITE) | None) => {
            checksum::composite(&sums, algorithm)?
        }
        _ => None,
    };
    let Some(composite) = composite else {
        return checksum::settle(bytes, given, algorithm);
    };
    let known = checksum::present(&composite);
    for (name, value) in checksum::present(given) {
        if known.iter().any(|(found, right)| {
            *found == name && right.split('-').next() != value.split('-').next()
        }) {
            let message =
                format!("The {name} you specified did not match the calculated checksum.");
            return Err(refusal(400, "BadDigest", message));
        }
    }
    Ok(composite)
}

/// Carries out `CompleteMultipartUpload`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
pub(super) fn complete_multipart_upload(
    cloud: &Cloud,
    _: &Requester,
    input: CompleteMultipartUploadInput,
) -> S3Result<CompleteMultipartUploadOutput> {
    let parts = input
        .multipart_upload
        .as_ref()
        .and_then(|given| given.parts.as_deref())
        .unwrap_or_default();
    if parts.is_empty() {
        return Err(malformed_xml());
    }
    let (listed, algorithm, kind) = cloud.s3.with(&input.bucket, |bucket| {
        let upload = upload(bucket, &input.upload_id, &input.key)?;
        Ok((
            listed(upload, parts)?,
            upload.algorithm.clone(),
            upload.checksum_type.clone(),
        ))
    })?;
    // Large objects are joined without holding the lock.
    let (bytes, etag) = together(&listed);
    let algorithm = algorithm.as_ref().map(ChecksumAlgorithm::as_str);
    let kind = kind.as_ref().map(ChecksumType::as_str);
    let checksum = checksum_of(&bytes, &listed, algorithm, kind, &checksums_of!(input))?;
    cloud.s3.with(&input.bucket, |bucket| {
        upload(bucket, &input.upload_id, &input.key)?;
        check_conditions(
            bucket,
            &input.key,
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        let upload = bucket
            .uploads
            .remove(&input.upload_id)
            .ok_or_else(no_such_upload)?;
        let encryption = upload.about.encryption.clone();
        let kms_key_id = upload.about.kms_key_id.clone();
        let etag = shown_etag(etag, &upload.about);
        let object = StoredObject {
            bytes,
            etag: etag.clone(),
            checksum: checksum.clone(),
            about: upload.about,
            tags: upload.tags,
            acl: upload.acl,
        };
        let version_id = bucket.put(&input.key, object, cloud.clock.now());
        let mut output = CompleteMultipartUploadOutput {
            location: Some(format!(
                "http://{}.s3.{}.amazonaws.com/{}",
                input.bucket, bucket.region, input.key
            )),
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            e_tag: Some(ETag::Strong(etag)),
            checksum_type: checksum.checksum_type,
            server_side_encryption: encryption,
            ssekms_key_id: kms_key_id,
            version_id,
            ..Default::default()
        };
        put_checksums!(checksum => output);
        Ok(output)
    })
}

/// Carries out `AbortMultipartUpload`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
pub(super) fn abort_multipart_upload(
    cloud: &Cloud,
    _: &Requester,
    input: AbortMultipartUploadInput,
) -> S3Result<AbortMultipartUploadOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        upload(bucket, &input.upload_id, &input.key)?;
        bucket.uploads.remove(&input.upload_id);
        Ok(AbortMultipartUploadOutput::default())
    })
}

fn page_size(asked: Option<i32>) -> usize {
    asked
        .and_then(|most| usize::try_from(most).ok())
        .map_or(PAGE, |most| most.min(PAGE))
}

/// Carries out `ListParts`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>
pub(super) fn list_parts(
    cloud: &Cloud,
    _: &Requester,
    input: ListPartsInput,
) -> S3Result<ListPartsOutput> {
    let most = page_size(input.max_parts);
    let after = input.part_number_marker.unwrap_or_default();
    cloud.s3.with(&input.bucket, |bucket| {
        let owner = acl::owner(&bucket.account);
        let upload = upload(bucket, &input.upload_id, &input.key)?;
        let mut rest = upload.parts.range(after.saturating_add(1)..);
        let shown = rest.by_ref().take(most).map(|(number, part)| dto::Part {
            part_number: Some(*number),
            e_tag: Some(ETag::Strong(part.etag.clone())),
            size: i64::try_from(part.bytes.len()).ok(),
            last_modified: Some(time(part.modified)),
            checksum_crc32: part.checksum.checksum_crc32.clone(),
            checksum_crc32c: part.checksum.checksum_crc32c.clone(),
            checksum_crc64nvme: part.checksum.checksum_crc64nvme.clone(),
            checksum_sha1: part.checksum.checksum_sha1.clone(),
            checksum_sha256: part.checksum.checksum_sha256.clone(),
        });
        let parts: Vec<_> = shown.collect();
        let is_truncated = rest.next().is_some();
        Ok(ListPartsOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            upload_id: Some(input.upload_id.clone()),
            part_number_marker: Some(after),
            next_part_number_marker: parts.last().and_then(|part| part.part_number),
            max_parts: i32::try_from(most).ok(),
            is_truncated: Some(is_truncated),
            initiator: Some(Initiator {
                id: owner.id.clone(),
                display_name: None,
            }),
            owner: Some(owner),
            checksum_algorithm: upload.algorithm.clone(),
            checksum_type: upload.checksum_type.clone(),
            storage_class: Some(storage_class(upload)),
            parts: Some(parts),
            ..Default::default()
        })
    })
}

fn storage_class(upload: &PendingUpload) -> StorageClass {
    upload
        .about
        .storage_class
        .clone()
        .unwrap_or_else(|| StorageClass::from_static(StorageClass::STANDARD))
}

/// Carries out `ListMultipartUploads`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
pub(super) fn list_multipart_uploads(
    cloud: &Cloud,
    _: &Requester,
    input: ListMultipartUploadsInput,
) -> S3Result<ListMultipartUploadsOutput> {
    let most = page_size(input.max_uploads);
    let prefix = input.prefix.clone().unwrap_or_default();
    let key_marker = input.key_marker.clone();
    let id_marker = input.upload_id_marker.clone();
    cloud.s3.with(&input.bucket, |bucket| {
        let owner = acl::owner(&bucket.account);
        let mut uploads: Vec<_> = bucket
            .uploads
            .iter()
            .filter(|(_, upload)| upload.key.starts_with(&prefix))
            .collect();
        uploads.sort_by(|(a, one), (b, other)| (&one.key, a).cmp(&(&other.key, b)));
        let is_behind = |(id, upload): &&(&String, &PendingUpload)| match (&key_marker, &id_marker)
        {
            (Some(key), Some(marker)) => {
                (upload.key.as_str(), id.as_str()) > (key.as_str(), marker.as_str())
            }
            (Some(key), None) => upload.key > *key,
            (None, _) => true,
        };
        let mut rest = uploads.iter().filter(is_behind);
        let shown = rest
            .by_ref()
            .take(most)
            .map(|(id, upload)| MultipartUpload {
                key: Some(upload.key.clone()),
                upload_id: Some((*id).clone()),
                initiated: Some(time(upload.initiated)),
                initiator: Some(Initiator {
                    id: owner.id.clone(),
                    display_name: None,
                }),
                owner: Some(owner.clone()),
                storage_class: Some(storage_class(upload)),
                checksum_algorithm: upload.algorithm.clone(),
                checksum_type: upload.checksum_type.clone(),
            });
        let shown: Vec<_> = shown.collect();
        let is_truncated = rest.next().is_some();
        let last = shown.last().filter(|_| is_truncated);
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket.clone()),
            prefix: input.prefix.clone(),
            key_marker: Some(key_marker.clone().unwrap_or_default()),
            upload_id_marker: Some(id_marker.clone().unwrap_or_default()),
            next_key_marker: last.and_then(|upload| upload.key.clone()),
            next_upload_id_marker: last.and_then(|upload| upload.upload_id.clone()),
            max_uploads: i32::try_from(most).ok(),
            is_truncated: Some(is_truncated),
            uploads: Some(shown),
            ..Default::default()
        })
    })
}
