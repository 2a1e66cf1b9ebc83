//! Access to buckets: host names, bucket names, accounts, regions, and the scenario's faults.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::host::{S3Host, VirtualHost};
use s3s::path::S3Path;
use s3s::validation::NameValidation;
use s3s::{S3Error, S3Result};

use super::super::fault::{CallRefusal, inject_fault};
use super::super::scenario::HiddenKind;
use super::super::{Caller, Cloud};
use super::policy::action_of;
use super::store::StoredBucket;
use super::{Faults, Requester, access_denied, acl, no_such_bucket, refusal, refused};

/// Bucket names in host names: `bucket.s3.eu-west-1.amazonaws.com`, `bucket.localhost`.
pub(super) struct VirtualHosts;

impl S3Host for VirtualHosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let found = VirtualHost::new(host);
        Ok(match bucket_in_host(host) {
            Some(bucket) => found.with_bucket(bucket),
            None => found,
        })
    }
}

/// Returns the bucket that a host name begins with, or `None` if the path begins with it.
pub(crate) fn bucket_in_host(host: &str) -> Option<&str> {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    if without_port.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let before = match without_port.strip_suffix(".localhost") {
        Some(before) => match before.rsplit_once('.') {
            _ if before == "s3" => return None,
            Some((bucket, "s3")) => bucket,
            // The region is between `s3` and `localhost`.
            Some(("s3", _)) => return None,
            Some((rest, _)) => rest.strip_suffix(".s3").unwrap_or(before),
            None => before,
        },
        // The last occurrence, because a bucket's name may contain `.s3.`.
        None => without_port.get(
            ..without_port
                .rfind(".s3.")
                .or_else(|| without_port.rfind(".s3-"))?,
        )?,
    };
    Some(before).filter(|bucket| !bucket.is_empty())
}

/// Accepts any bucket name, because [`BucketAccess`] checks names and answers with S3's message.
pub(super) struct UncheckedNames;

impl NameValidation for UncheckedNames {
    fn validate_bucket_name(&self, _: &str) -> bool {
        true
    }
}

/// A credential store without keys. It is never asked, because signatures are removed before.
pub(super) struct NoSecretKeys;

#[async_trait::async_trait]
impl S3Auth for NoSecretKeys {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Err(access_denied())
    }
}

/// Checks the access to buckets, and applies the scenario's faults.
pub(super) struct BucketAccess(pub Arc<Cloud>);

#[async_trait::async_trait]
impl S3Access for BucketAccess {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = context.s3_op().name().to_owned();
        let operation = operation.as_str();
        let bucket = context.s3_path().get_bucket_name().map(str::to_owned);
        let key = context.s3_path().get_object_key().map(str::to_owned);
        let expected_owner = context
            .headers()
            .get("x-amz-expected-bucket-owner")
            .cloned();
        let requester = Requester::of(context.extensions_mut());
        let faults = context
            .extensions_mut()
            .get::<Faults>()
            .cloned()
            .unwrap_or_default();

        // CreateBucket has stricter rules, which the store checks.
        if bucket
            .as_deref()
            .is_some_and(|name| operation != "CreateBucket" && !s3s::path::check_bucket_name(name))
        {
            return Err(refusal(
                400,
                "InvalidBucketName",
                "The specified bucket is not valid.",
            ));
        }
        let caller = self.caller(&requester, bucket.as_deref());
        match inject_fault(&self.0, "s3", operation, &caller, bucket.as_deref()).await {
            Ok(later) => faults.apply_later(later),
            Err(CallRefusal::Error(error)) => return Err(refused(error)),
            Err(CallRefusal::Cut) => {
                faults.cut();
                return Err(access_denied());
            }
        }
        // A stack may have created or deleted the bucket by now.
        self.0.cloudformation.catch_up(&self.0);
        let Some(name) = bucket.filter(|_| operation != "CreateBucket") else {
            return if requester.account.is_some() {
                Ok(())
            } else {
                Err(access_denied())
            };
        };
        if is_hidden(&self.0, &name) {
            return Err(no_such_bucket());
        }
        self.0.s3.with(&name, |bucket| {
            if expected_owner.is_some_and(|owner| owner.as_bytes() != bucket.account.as_bytes()) {
                return Err(access_denied());
            }
            let elsewhere = requester
                .region
                .as_ref()
                .is_some_and(|region| *region != bucket.region);
            if elsewhere && operation != "GetBucketLocation" {
                return Err(redirect(bucket));
            }
            let allowed = requester.account.as_deref() == Some(&bucket.account)
                || grants_access(
                    bucket,
                    &name,
                    key.as_deref(),
                    operation,
                    requester.account.as_deref(),
                );
            if allowed {
                Ok(())
            } else {
                Err(access_denied())
            }
        })
    }
}

impl BucketAccess {
    /// Returns the caller for faults: an anonymous one in the bucket's region if the request isn't
    /// signed.
    fn caller(&self, requester: &Requester, bucket: Option<&str>) -> Caller {
        let region = requester
            .region
            .clone()
            .or_else(|| Some(self.0.s3.bucket(bucket?)?.region));
        Caller {
            account: requester.account.clone().unwrap_or_default(),
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        }
    }
}

/// Returns whether the scenario hides the bucket for a while after its creation.
pub(super) fn is_hidden(cloud: &Cloud, name: &str) -> bool {
    let Some(facts) = cloud.s3.bucket(name) else {
        return false;
    };
    let Some(hidden) = cloud
        .scenario
        .hidden_for(HiddenKind::Bucket, &facts.region, name)
    else {
        return false;
    };
    let created = cloud.s3.with(name, |bucket| Ok(bucket.created));
    created.is_ok_and(|created| cloud.clock.now() < created + cloud.clock.scaled(hidden))
}

/// Returns the error for a bucket in another region, which clients read from the header.
fn redirect(bucket: &StoredBucket) -> S3Error {
    let mut error = refusal(
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. \
         Please send all future \
         requests to this endpoint.",
    );
    let mut headers = HeaderMap::new();
    if let Ok(region) = HeaderValue::from_str(&bucket.region) {
        headers.insert("x-amz-bucket-region", region);
    }
    error.set_headers(headers);
    error
}

/// Returns whether a policy or an ACL grants access to a caller that doesn't own the bucket.
fn grants_access(
    bucket: &StoredBucket,
    name: &str,
    key: Option<&str>,
    operation: &str,
    account: Option<&str>,
) -> bool {
    let settings = &bucket.settings;
    let resource = key.map_or_else(|| name.to_owned(), |key| format!("{name}/{key}"));
    let by_policy = settings.policy.as_ref().is_some_and(|policy| {
        let restricted =
            policy.is_public() && settings.blocks(|block| block.restrict_public_buckets);
        !restricted && policy.allows(account, &action_of(operation), &resource)
    });
    let acl = match (operation, key) {
        ("GetObject" | "HeadObject", Some(key)) => {
            bucket.current(key).map(|(_, object)| &object.acl)
        }
        ("ListObjects" | "ListObjectsV2" | "HeadBucket", None) => Some(&settings.acl),
        _ => None,
    };
    let ignored = settings.has_acls_off() || settings.blocks(|block| block.ignore_public_acls);
    by_policy || (!ignored && acl.is_some_and(|acl| acl::grants_read(acl, account.is_some())))
}

/// Returns whether an account may read an object, as copying requires of the source.
pub(super) fn may_read(bucket: &StoredBucket, path: &S3Path, requester: &Requester) -> bool {
    let name = path.get_bucket_name().unwrap_or_default();
    let key = path.get_object_key();
    requester.account.as_deref() == Some(&bucket.account)
        || grants_access(bucket, name, key, "GetObject", requester.account.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_are_read_from_host_names() {
        let check =
            |host: &str, expect: Option<&str>| assert_eq!(bucket_in_host(host), expect, "{host}");
        check("127.0.0.1:4566", None);
        check("localhost:4566", None);
        check("s3.localhost", None);
        check("s3.us-east-1.localhost:1", None);
        check("bucket.localhost:4566", Some("bucket"));
        check("a.b.localhost", Some("a.b"));
        check("bucket.s3.localhost:4566", Some("bucket"));
        check("a.b.s3.eu-west-1.localhost", Some("a.b"));
        check("s3.amazonaws.com", None);
        check("s3.eu-west-1.amazonaws.com", None);
        check("bucket.s3.amazonaws.com", Some("bucket"));
        check("bucket.s3.eu-west-1.amazonaws.com", Some("bucket"));
        check(
            "bucket.s3.dualstack.eu-west-1.amazonaws.com",
            Some("bucket"),
        );
        check("bucket.s3-eu-west-1.amazonaws.com", Some("bucket"));
        check(
            "my.s3.bucket.s3.cn-north-1.amazonaws.com.cn",
            Some("my.s3.bucket"),
        );
        check("cloudformation.us-east-1.amazonaws.com", None);
        check(".localhost", None);
        check("[::1]:80", None);
    }
}
