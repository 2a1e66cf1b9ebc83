//! The settings of a bucket.

use s3s::dto::*;

use super::policy::BucketPolicy;

/// The settings of a bucket. The defaults are those of new buckets since April 2023.
pub(super) struct BucketSettings {
    pub tags: Option<TagSet>,
    pub policy: Option<BucketPolicy>,
    pub encryption: ServerSideEncryptionConfiguration,
    pub public_access_block: Option<PublicAccessBlockConfiguration>,
    pub ownership: Option<ObjectOwnership>,
    /// Absent until versioning was enabled once.
    pub versioning: Option<BucketVersioningStatus>,
    pub acl: Vec<Grant>,
    pub lifecycle: Option<LifecycleRules>,
}

impl BucketSettings {
    /// Returns the settings of a new bucket with an ACL.
    pub(super) fn new(acl: Vec<Grant>) -> Self {
        Self {
            tags: None,
            policy: None,
            encryption: default_encryption(),
            public_access_block: Some(PublicAccessBlockConfiguration {
                block_public_acls: Some(true),
                block_public_policy: Some(true),
                ignore_public_acls: Some(true),
                restrict_public_buckets: Some(true),
            }),
            ownership: Some(ObjectOwnership::from_static(
                ObjectOwnership::BUCKET_OWNER_ENFORCED,
            )),
            versioning: None,
            acl,
            lifecycle: None,
        }
    }

    /// Returns whether ACLs are disabled.
    pub(super) fn has_acls_off(&self) -> bool {
        self.ownership.as_ref().map(ObjectOwnership::as_str)
            == Some(ObjectOwnership::BUCKET_OWNER_ENFORCED)
    }

    /// Returns whether the public access block has a flag set.
    pub(super) fn blocks(&self, what: fn(&PublicAccessBlockConfiguration) -> Option<bool>) -> bool {
        self.public_access_block
            .as_ref()
            .and_then(what)
            .unwrap_or_default()
    }

    /// Returns whether versioning is enabled.
    pub(super) fn is_versioned(&self) -> bool {
        self.versioning.as_ref().map(BucketVersioningStatus::as_str)
            == Some(BucketVersioningStatus::ENABLED)
    }

    /// Returns the default encryption: algorithm and key.
    pub(super) fn encrypts(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        let rule = self
            .encryption
            .rules
            .first()
            .and_then(|rule| rule.apply_server_side_encryption_by_default.as_ref());
        (
            rule.map(|rule| rule.sse_algorithm.clone()),
            rule.and_then(|rule| rule.kms_master_key_id.clone()),
        )
    }
}

/// Returns the encryption of a new bucket.
pub(super) fn default_encryption() -> ServerSideEncryptionConfiguration {
    let by_default = ServerSideEncryptionByDefault {
        kms_master_key_id: None,
        sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
    };
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(by_default),
        bucket_key_enabled: Some(false),
    };
    ServerSideEncryptionConfiguration { rules: vec![rule] }
}
