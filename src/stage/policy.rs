//! The policy of a bucket that taskcat creates.

use serde_json::json;

use crate::plan::BucketPlan;

/// Returns the bucket's policy document, or `None` if it would be empty. `require_tls` is false
/// only for endpoints without TLS.
///
/// Signature version 2 is denied unless the configuration enables it, like TaskCat's `sigv4_policy`
/// does. Accounts of the organization may read what is staged, which is all that their stacks need
/// (TaskCat's `multi_account_policy` also lets them write).
pub(super) fn bucket_policy(bucket: &BucketPlan, require_tls: bool) -> Option<String> {
    let arn = format!("arn:{}:s3:::{}", bucket.partition, bucket.name);
    let objects = format!("{arn}/*");
    let mut statements = Vec::new();
    if require_tls {
        statements.push(json!({
            "Sid": "RequireTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": [arn, objects],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}
        }));
    }
    if !bucket.enable_sig_v2 {
        statements.push(json!({
            "Sid": "RequireSignatureV4", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": objects,
            "Condition": {"StringEquals": {"s3:signatureversion": "AWS"}}
        }));
    }
    if let Some(org_id) = &bucket.org_id {
        statements.push(json!({
            "Sid": "AllowOrganization", "Effect": "Allow", "Principal": "*",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": objects,
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": org_id}}
        }));
    }
    (!statements.is_empty())
        .then(|| json!({"Version": "2012-10-17", "Statement": statements}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::BucketKind;

    fn sids(enable_sig_v2: bool, org_id: Option<&str>, require_tls: bool) -> Vec<String> {
        let bucket = BucketPlan {
            name: "b".into(),
            project: "p".into(),
            region: "cn-north-1".into(),
            other_regions: Vec::new(),
            profile: "default".into(),
            account_id: "1".into(),
            partition: "aws-cn".into(),
            kind: BucketKind::Auto,
            tag: None,
            object_acl: "private".into(),
            enable_sig_v2,
            org_id: org_id.map(str::to_owned),
        };
        let Some(policy) = bucket_policy(&bucket, require_tls) else {
            return Vec::new();
        };
        assert!(policy.contains("arn:aws-cn:s3:::b/*"), "{policy}");
        let policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
        let statements = policy["Statement"].as_array().unwrap();
        statements
            .iter()
            .map(|statement| statement["Sid"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn statements_follow_the_configuration() {
        assert_eq!(
            sids(false, None, true),
            ["RequireTls", "RequireSignatureV4"]
        );
        assert_eq!(
            sids(true, Some("o-1"), true),
            ["RequireTls", "AllowOrganization"]
        );
        assert_eq!(sids(true, None, false), [] as [&str; 0]);
    }
}
