//! Bucket settings: tags, policy, encryption, public access, ownership, versioning, ACL, lifecycle.

use std::collections::HashSet;

use s3s::S3Result;
use s3s::dto::{self, *};

use super::super::Cloud;
use super::bucket_settings::default_encryption;
use super::policy::BucketPolicy;
use super::{Requester, access_denied, acl, malformed_xml, refusal};

/// Checks tags as S3 does.
pub(super) fn check_tags(tags: TagSet, most: usize) -> S3Result<TagSet> {
    let key = |tag: &dto::Tag| tag.key.clone().unwrap_or_default();
    let invalid = |message: &str| Err(refusal(400, "InvalidTag", message));
    let mut seen = HashSet::new();
    for tag in &tags {
        let key = key(tag);
        let value = tag.value.as_deref().unwrap_or_default();
        if key.is_empty() || key.chars().count() > 128 {
            return invalid("The TagKey you have provided is invalid");
        }
        if value.chars().count() > 256 {
            return invalid("The TagValue you have provided is invalid");
        }
        if key.to_lowercase().starts_with("aws:") {
            return invalid("System tags cannot be added/updated by requester");
        }
        if !seen.insert(key) {
            return invalid("Cannot provide multiple Tags with the same key");
        }
    }
    if tags.len() > most {
        return Err(refusal(
            400,
            "BadRequest",
            format!("Bucket tag count cannot be greater than {most}"),
        ));
    }
    Ok(tags)
}

/// The largest number of a bucket's tags.
pub(super) const MAX_BUCKET_TAGS: usize = 50;

/// Carries out `GetBucketTagging`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html>
pub(super) fn get_bucket_tagging(
    cloud: &Cloud,
    _: &Requester,
    input: GetBucketTaggingInput,
) -> S3Result<GetBucketTaggingOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        let absent = || refusal(404, "NoSuchTagSet", "The TagSet does not exist");
        Ok(GetBucketTaggingOutput {
            tag_set: bucket.settings.tags.clone().ok_or_else(absent)?,
        })
    })
}

/// Carries out `PutBucketTagging`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>
pub(super) fn put_bucket_tagging(
    cloud: &Cloud,
    _: &Requester,
    input: PutBucketTaggingInput,
) -> S3Result<PutBucketTaggingOutput> {
    let tags = check_tags(input.tagging.tag_set, MAX_BUCKET_TAGS)?;
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.tags = Some(tags);
        Ok(PutBucketTaggingOutput::default())
    })
}

/// Carries out `DeleteBucketTagging`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html>
pub(super) fn delete_bucket_tagging(
    cloud: &Cloud,
    _: &Requester,
    input: DeleteBucketTaggingInput,
) -> S3Result<DeleteBucketTaggingOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.tags = None;
        Ok(DeleteBucketTaggingOutput::default())
    })
}

/// Carries out `GetBucketPolicy`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html>
pub(super) fn get_bucket_policy(
    cloud: &Cloud,
    _: &Requester,
    input: GetBucketPolicyInput,
) -> S3Result<GetBucketPolicyOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        let absent = || {
            refusal(
                404,
                "NoSuchBucketPolicy",
                "The bucket policy does not exist",
            )
        };
        let policy = bucket.settings.policy.as_ref().ok_or_else(absent)?;
        Ok(GetBucketPolicyOutput {
            policy: Some(policy.text.clone()),
        })
    })
}

/// Carries out `GetBucketPolicyStatus`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html>
pub(super) fn get_bucket_policy_status(
    cloud: &Cloud,
    _: &Requester,
    input: GetBucketPolicyStatusInput,
) -> S3Result<GetBucketPolicyStatusOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        let absent = || {
            refusal(
                404,
                "NoSuchBucketPolicy",
                "The bucket policy does not exist",
            )
        };
        let policy = bucket.settings.policy.as_ref().ok_or_else(absent)?;
        let policy_status = Some(PolicyStatus {
            is_public: Some(policy.is_public()),
        });
        Ok(GetBucketPolicyStatusOutput { policy_status })
    })
}

/// Carries out `PutBucketPolicy`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>
pub(super) fn put_bucket_policy(
    cloud: &Cloud,
    _: &Requester,
    input: PutBucketPolicyInput,
) -> S3Result<PutBucketPolicyOutput> {
    let policy = BucketPolicy::parse(&input.policy, &input.bucket)?;
    cloud.s3.with(&input.bucket, |bucket| {
        if policy.is_public() && bucket.settings.blocks(|block| block.block_public_policy) {
            return Err(access_denied());
        }
        bucket.settings.policy = Some(policy);
        Ok(PutBucketPolicyOutput::default())
    })
}

/// Carries out `DeleteBucketPolicy`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html>
pub(super) fn delete_bucket_policy(
    cloud: &Cloud,
    _: &Requester,
    input: DeleteBucketPolicyInput,
) -> S3Result<DeleteBucketPolicyOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.policy = None;
        Ok(DeleteBucketPolicyOutput::default())
    })
}

/// Carries out `GetBucketEncryption`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketEncryption.html>
pub(super) fn get_bucket_encryption(
    cloud: &Cloud,
    _: &Requester,
    input: GetBucketEncryptionInput,
) -> S3Result<GetBucketEncryptionOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        let server_side_encryption_configuration = Some(bucket.settings.encryption.clone());
        Ok(GetBucketEncryptionOutput {
            server_side_encryption_configuration,
        })
    })
}

/// Carries out `PutBucketEncryption`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>
pub(super) fn put_bucket_encryption(
    cloud: &Cloud,
    _: &Requester,
    input: PutBucketEncryptionInput,
) -> S3Result<PutBucketEncryptionOutput> {
    if input.server_side_encryption_configuration.rules.is_empty() {
        return Err(malformed_xml());
    }
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.encryption = input.server_side_encryption_configuration;
        Ok(PutBucketEncryptionOutput::default())
    })
}

/// Carries out `DeleteBucketEncryption`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketEncryption.html>
pub(super) fn delete_bucket_encryption(
    cloud: &Cloud,
    _: &Requester,
    input: DeleteBucketEncryptionInput,
) -> S3Result<DeleteBucketEncryptionOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.encryption = default_encryption();
        Ok(DeleteBucketEncryptionOutput::default())
    })
}

/// Carries out `GetPublicAccessBlock`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html>
pub(super) fn get_public_access_block(
    cloud: &Cloud,
    _: &Requester,
    input: GetPublicAccessBlockInput,
) -> S3Result<GetPublicAccessBlockOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        const CODE: &str = "NoSuchPublicAccessBlockConfiguration";
        let absent = || {
            refusal(
                404,
                CODE,
                "The public access block configuration was not found",
            )
        };
        let block = bucket
            .settings
            .public_access_block
            .clone()
            .ok_or_else(absent)?;
        Ok(GetPublicAccessBlockOutput {
            public_access_block_configuration: Some(block),
        })
    })
}

/// Carries out `PutPublicAccessBlock`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html>
pub(super) fn put_public_access_block(
    cloud: &Cloud,
    _: &Requester,
    input: PutPublicAccessBlockInput,
) -> S3Result<PutPublicAccessBlockOutput> {
    // Flags that aren't set are off.
    let given = input.public_access_block_configuration;
    let block = PublicAccessBlockConfiguration {
        block_public_acls: Some(given.block_public_acls.unwrap_or_default()),
        block_public_policy: Some(given.block_public_policy.unwrap_or_default()),
        ignore_public_acls: Some(given.ignore_public_acls.unwrap_or_default()),
        restrict_public_buckets: Some(given.restrict_public_buckets.unwrap_or_default()),
    };
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.public_access_block = Some(block);
        Ok(PutPublicAccessBlockOutput::default())
    })
}

/// Carries out `DeletePublicAccessBlock`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html>
pub(super) fn delete_public_access_block(
    cloud: &Cloud,
    _: &Requester,
    input: DeletePublicAccessBlockInput,
) -> S3Result<DeletePublicAccessBlockOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.public_access_block = None;
        Ok(DeletePublicAccessBlockOutput::default())
    })
}

/// Carries out `GetBucketOwnershipControls`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html>
pub(super) fn get_bucket_ownership_controls(
    cloud: &Cloud,
    _: &Requester,
    input: GetBucketOwnershipControlsInput,
) -> S3Result<GetBucketOwnershipControlsOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        const CODE: &str = "OwnershipControlsNotFoundError";
        let absent = || refusal(404, CODE, "The bucket ownership controls were not found");
        let object_ownership = bucket.settings.ownership.clone().ok_or_else(absent)?;
        let ownership_controls = Some(OwnershipControls {
            rules: vec![OwnershipControlsRule { object_ownership }],
        });
        Ok(GetBucketOwnershipControlsOutput { ownership_controls })
    })
}

/// Carries out `PutBucketOwnershipControls`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html>
pub(super) fn put_bucket_ownership_controls(
    cloud: &Cloud,
    _: &Requester,
    input: PutBucketOwnershipControlsInput,
) -> S3Result<PutBucketOwnershipControlsOutput> {
    let mut rules = input.ownership_controls.rules;
    let (Some(rule), true) = (rules.pop(), rules.is_empty()) else {
        return Err(malformed_xml());
    };
    let known = [
        ObjectOwnership::BUCKET_OWNER_ENFORCED,
        ObjectOwnership::BUCKET_OWNER_PREFERRED,
        ObjectOwnership::OBJECT_WRITER,
    ];
    if !known.contains(&rule.object_ownership.as_str()) {
        return Err(malformed_xml());
    }
    cloud.s3.with(&input.bucket, |bucket| {
        let enforces = rule.object_ownership.as_str() == ObjectOwnership::BUCKET_OWNER_ENFORCED;
        if enforces && bucket.settings.acl != acl::private(&bucket.account) {
            let message =
                "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
            return Err(refusal(400, "InvalidBucketAclWithObjectOwnership", message));
        }
        bucket.settings.ownership = Some(rule.object_ownership);
        Ok(PutBucketOwnershipControlsOutput::default())
    })
}

/// Carries out `DeleteBucketOwnershipControls`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html>
pub(super) fn delete_bucket_ownership_controls(
    cloud: &Cloud,
    _: &Requester,
    input: DeleteBucketOwnershipControlsInput,
) -> S3Result<DeleteBucketOwnershipControlsOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.ownership = None;
        Ok(DeleteBucketOwnershipControlsOutput::default())
    })
}

/// Carries out `GetBucketVersioning`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>
pub(super) fn get_bucket_versioning(
    cloud: &Cloud,
    _: &Requester,
    input: GetBucketVersioningInput,
) -> S3Result<GetBucketVersioningOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        Ok(GetBucketVersioningOutput {
            mfa_delete: None,
            status: bucket.settings.versioning.clone(),
        })
    })
}

/// Carries out `PutBucketVersioning`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>
pub(super) fn put_bucket_versioning(
    cloud: &Cloud,
    _: &Requester,
    input: PutBucketVersioningInput,
) -> S3Result<PutBucketVersioningOutput> {
    let status = input.versioning_configuration.status;
    let known = [
        BucketVersioningStatus::ENABLED,
        BucketVersioningStatus::SUSPENDED,
    ];
    if !status
        .as_ref()
        .is_some_and(|status| known.contains(&status.as_str()))
    {
        const CODE: &str = "IllegalVersioningConfigurationException";
        return Err(refusal(
            400,
            CODE,
            "The Versioning element must be specified",
        ));
    }
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.versioning = status;
        Ok(PutBucketVersioningOutput::default())
    })
}

/// Carries out `GetBucketAcl`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html>
pub(super) fn get_bucket_acl(
    cloud: &Cloud,
    _: &Requester,
    input: GetBucketAclInput,
) -> S3Result<GetBucketAclOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        let grants = Some(bucket.settings.acl.clone());
        Ok(GetBucketAclOutput {
            grants,
            owner: Some(acl::owner(&bucket.account)),
        })
    })
}

/// Carries out `PutBucketAcl`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html>
pub(super) fn put_bucket_acl(
    cloud: &Cloud,
    _: &Requester,
    input: PutBucketAclInput,
) -> S3Result<PutBucketAclOutput> {
    let grants = [
        (Permission::FULL_CONTROL, &input.grant_full_control),
        (Permission::READ, &input.grant_read),
        (Permission::READ_ACP, &input.grant_read_acp),
        (Permission::WRITE, &input.grant_write),
        (Permission::WRITE_ACP, &input.grant_write_acp),
    ];
    let given = acl::AclRequest {
        canned: input.acl.as_ref().map(BucketCannedACL::as_str),
        grants: grants
            .into_iter()
            .filter_map(|(permission, to)| Some((permission, to.as_deref()?)))
            .collect(),
        policy: input.access_control_policy,
    };
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.acl = given.replacement(&bucket.settings, &bucket.account)?;
        Ok(PutBucketAclOutput::default())
    })
}

/// Carries out `GetBucketLifecycleConfiguration`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html>
pub(super) fn get_bucket_lifecycle_configuration(
    cloud: &Cloud,
    _: &Requester,
    input: GetBucketLifecycleConfigurationInput,
) -> S3Result<GetBucketLifecycleConfigurationOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        const CODE: &str = "NoSuchLifecycleConfiguration";
        let absent = || refusal(404, CODE, "The lifecycle configuration does not exist");
        let rules = bucket.settings.lifecycle.clone().ok_or_else(absent)?;
        Ok(GetBucketLifecycleConfigurationOutput {
            rules: Some(rules),
            ..Default::default()
        })
    })
}

/// Carries out `PutBucketLifecycleConfiguration`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>
pub(super) fn put_bucket_lifecycle_configuration(
    cloud: &Cloud,
    _: &Requester,
    input: PutBucketLifecycleConfigurationInput,
) -> S3Result<PutBucketLifecycleConfigurationOutput> {
    let rules = input
        .lifecycle_configuration
        .map(|given| given.rules)
        .filter(|rules| !rules.is_empty());
    let rules = rules.ok_or_else(malformed_xml)?;
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.lifecycle = Some(rules);
        Ok(PutBucketLifecycleConfigurationOutput::default())
    })
}

/// Carries out `DeleteBucketLifecycle`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketLifecycle.html>
pub(super) fn delete_bucket_lifecycle(
    cloud: &Cloud,
    _: &Requester,
    input: DeleteBucketLifecycleInput,
) -> S3Result<DeleteBucketLifecycleOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        bucket.settings.lifecycle = None;
        Ok(DeleteBucketLifecycleOutput::default())
    })
}
