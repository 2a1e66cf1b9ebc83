//! The properties of `AWS::S3::Bucket` as bucket settings.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html>

use s3s::dto::{
    AbortIncompleteMultipartUpload, BucketVersioningStatus, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, NoncurrentVersionExpiration, ObjectOwnership, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule, Tag,
};
use serde_json::Value as Json;

use super::super::lock;
use super::acl;
use super::bucket_settings::BucketSettings;
use super::policy::BucketPolicy;
use super::store::Store;

impl Store {
    /// Applies the properties of an `AWS::S3::Bucket`. Settings that they leave out are those of a
    /// new bucket, except versioning, which can't be undone.
    pub(crate) fn set_up_bucket(&self, name: &str, tags: &[(String, String)], properties: &Json) {
        let mut buckets = lock(&self.buckets);
        let Some(bucket) = buckets.get_mut(name) else {
            return;
        };
        let tag = |(key, value): &(String, String)| Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        };
        let old = std::mem::replace(
            &mut bucket.settings,
            BucketSettings::new(acl::private(&bucket.account)),
        );
        let settings = &mut bucket.settings;
        settings.tags = Some(tags.iter().map(tag).collect());
        settings.policy = old.policy;
        settings.versioning = versioning(properties).or(old.versioning);
        if let Some(encryption) = encryption(properties) {
            settings.encryption = encryption;
        }
        if let Some(block) = public_access_block(properties) {
            settings.public_access_block = Some(block);
        }
        if let Some(ownership) =
            properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"].as_str()
        {
            settings.ownership = Some(ObjectOwnership::from(ownership.to_owned()));
        }
        let rules = properties["LifecycleConfiguration"]["Rules"].as_array();
        settings.lifecycle = rules.map(|rules| rules.iter().map(lifecycle_rule).collect());
    }

    /// Sets a bucket's policy; does nothing if the bucket doesn't exist here.
    ///
    /// # Errors
    /// Fails with S3's message if it isn't a policy for this bucket, or if the public access block
    /// forbids it.
    pub(crate) fn put_policy(&self, name: &str, text: &str) -> Result<(), String> {
        let mut buckets = lock(&self.buckets);
        let Some(bucket) = buckets.get_mut(name) else {
            return Ok(());
        };
        let policy = BucketPolicy::parse(text, name)
            .map_err(|error| error.message().unwrap_or_default().to_owned())?;
        if policy.is_public() && bucket.settings.blocks(|block| block.block_public_policy) {
            return Err("API: s3:PutBucketPolicy Access Denied".to_owned());
        }
        bucket.settings.policy = Some(policy);
        Ok(())
    }

    /// Deletes a bucket's policy.
    pub(crate) fn delete_policy(&self, name: &str) {
        if let Some(bucket) = lock(&self.buckets).get_mut(name) {
            bucket.settings.policy = None;
        }
    }
}

fn versioning(properties: &Json) -> Option<BucketVersioningStatus> {
    let status = properties["VersioningConfiguration"]["Status"].as_str()?;
    Some(BucketVersioningStatus::from(status.to_owned()))
}

fn encryption(properties: &Json) -> Option<ServerSideEncryptionConfiguration> {
    let rules = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"].as_array()?;
    let rule = |rule: &Json| {
        let default = &rule["ServerSideEncryptionByDefault"];
        let by_default =
            default["SSEAlgorithm"]
                .as_str()
                .map(|algorithm| ServerSideEncryptionByDefault {
                    kms_master_key_id: default["KMSMasterKeyID"].as_str().map(str::to_owned),
                    sse_algorithm: ServerSideEncryption::from(algorithm.to_owned()),
                });
        ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: by_default,
            bucket_key_enabled: Some(flag(&rule["BucketKeyEnabled"])),
        }
    };
    Some(ServerSideEncryptionConfiguration {
        rules: rules.iter().map(rule).collect(),
    })
}

fn public_access_block(properties: &Json) -> Option<PublicAccessBlockConfiguration> {
    let block = properties.get("PublicAccessBlockConfiguration")?;
    Some(PublicAccessBlockConfiguration {
        block_public_acls: Some(flag(&block["BlockPublicAcls"])),
        block_public_policy: Some(flag(&block["BlockPublicPolicy"])),
        ignore_public_acls: Some(flag(&block["IgnorePublicAcls"])),
        restrict_public_buckets: Some(flag(&block["RestrictPublicBuckets"])),
    })
}

fn lifecycle_rule(rule: &Json) -> LifecycleRule {
    let noncurrent = number(&rule["NoncurrentVersionExpiration"]["NoncurrentDays"])
        .or_else(|| number(&rule["NoncurrentVersionExpirationInDays"]));
    LifecycleRule {
        abort_incomplete_multipart_upload: number(
            &rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"],
        )
        .map(|days| AbortIncompleteMultipartUpload {
            days_after_initiation: Some(days),
        }),
        expiration: number(&rule["ExpirationInDays"]).map(|days| LifecycleExpiration {
            days: Some(days),
            ..LifecycleExpiration::default()
        }),
        filter: None,
        id: rule["Id"].as_str().map(str::to_owned),
        noncurrent_version_expiration: noncurrent.map(|days| NoncurrentVersionExpiration {
            noncurrent_days: Some(days),
            ..NoncurrentVersionExpiration::default()
        }),
        noncurrent_version_transitions: None,
        prefix: Some(rule["Prefix"].as_str().unwrap_or_default().to_owned()),
        status: ExpirationStatus::from(rule["Status"].as_str().unwrap_or_default().to_owned()),
        transitions: None,
    }
}

/// Templates write booleans and numbers as strings too.
fn flag(value: &Json) -> bool {
    value.as_bool().unwrap_or_else(|| {
        value
            .as_str()
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    })
}

fn number(value: &Json) -> Option<i32> {
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    i32::try_from(number).ok()
}
