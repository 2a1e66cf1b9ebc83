//! S3, in memory: buckets of all accounts and regions, their objects and settings. `s3s` provides
//! the protocol.
//!
//! - `store`: buckets, keys and versions, and what other services use of them
//! - `access`: host names and access checks: names, accounts, regions, faults
//! - `bucket_settings`: the settings of a bucket
//! - `api`: the table of operations; `buckets`, `objects`, `listing`, `multipart`, `settings` carry
//!   them out
//! - `chunked`: chunked bodies; `creation`: the tags of CreateBucket; `checksum`; `acl`; `policy`;
//!   `properties`: the properties of `AWS::S3::Bucket`
//!
//! Signatures aren't verified. Only the `Allow` statements of bucket policies are evaluated: `Deny`
//! statements usually depend on conditions that don't exist here.

mod access;
mod acl;
mod api;
mod bucket_settings;
mod buckets;
mod checksum;
mod chunked;
mod creation;
mod listing;
mod multipart;
mod objects;
mod policy;
mod properties;
mod settings;
mod store;

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3ErrorCode};
use uuid::Uuid;

use super::caller::Credential;
use super::dispatch::{Body, Reply};
use super::error::ServiceError;
use super::fault::{CallRefusal, InjectedFault};
use super::{Cloud, lock};
pub(crate) use access::bucket_in_host;
pub(crate) use store::{ObjectNotFound, Store, is_bucket_name};

/// The largest body in bytes. Real objects may have 50 TB and their parts 5 GB, but these are kept
/// in memory.
pub(crate) const MAX_BODY: usize = 1024 * 1024 * 1024;

/// The account and region of a request; absent if it isn't signed.
#[derive(Clone, Debug, Default)]
struct Requester {
    account: Option<String>,
    region: Option<String>,
}

/// The scenario's faults for a request: whether it is cut, and the fault to apply after it took
/// effect.
#[derive(Clone, Default)]
struct Faults(Arc<Mutex<(bool, InjectedFault)>>);

impl Faults {
    fn cut(&self) {
        lock(&self.0).0 = true;
    }

    fn apply_later(&self, fault: InjectedFault) {
        lock(&self.0).1 = fault;
    }

    /// Applies the faults after the request was carried out.
    async fn apply(&self) -> Result<(), CallRefusal> {
        let (is_cut, fault) = std::mem::take(&mut *lock(&self.0));
        if is_cut {
            Err(CallRefusal::Cut)
        } else {
            fault.apply().await
        }
    }
}

/// Returns the S3 service.
pub(super) fn service(cloud: Arc<Cloud>) -> S3Service {
    let mut builder = S3ServiceBuilder::new(api::S3Api(cloud.clone()));
    builder.set_host(access::VirtualHosts);
    builder.set_validation(access::UncheckedNames);
    // `s3s` checks access only if signatures could be verified.
    builder.set_auth(access::NoSecretKeys);
    builder.set_access(access::BucketAccess(cloud));
    builder.build()
}

/// Answers a request for S3.
pub(super) async fn answer(
    cloud: &Cloud,
    service: &S3Service,
    credential: Option<Credential>,
    mut parts: Parts,
    body: Bytes,
) -> Reply {
    if credential
        .as_ref()
        .and_then(|it| it.expires)
        .is_some_and(|end| end < cloud.clock.now())
    {
        return failure(&ServiceError::new(
            403,
            "AccessDenied",
            "Request has expired",
        ));
    }
    let body = match chunked::decode(&mut parts.headers, body) {
        Ok(body) => body,
        Err(why) => return failure(&why),
    };
    let caller = credential.map(|it| it.caller);
    let faults = Faults::default();
    parts.extensions.insert(Requester {
        account: caller.as_ref().map(|it| it.account.clone()),
        region: caller
            .map(|it| it.region)
            .filter(|region| !region.is_empty()),
    });
    parts.extensions.insert(faults.clone());
    unsign(&mut parts);
    let body = creation::take_tags(&mut parts, body);
    let length = body.len().into();
    parts.headers.insert("content-length", length);
    let reply = service
        .call(http::Request::from_parts(parts, Body::from(body)))
        .await;
    match (faults.apply().await, reply) {
        (Ok(()), Ok(response)) => Reply::Response(identified(response)),
        (Err(CallRefusal::Error(error)), _) => failure(&error),
        (Err(CallRefusal::Cut), _) | (Ok(()), Err(_)) => Reply::Cut,
    }
}

/// Removes the signature from a request, so that `s3s` doesn't verify it. Parameters of presigned
/// URLs that replace headers become headers.
fn unsign(parts: &mut Parts) {
    parts.headers.remove("authorization");
    let Some(query) = parts.uri.query() else {
        return;
    };
    let of_v2 = query.contains("AWSAccessKeyId=");
    let mut headers = HeaderMap::new();
    let kept = query.split('&').filter(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "x-amz-algorithm"
            | "x-amz-credential"
            | "x-amz-date"
            | "x-amz-expires"
            | "x-amz-signedheaders"
            | "x-amz-signature"
            | "x-amz-security-token"
            | "x-amz-content-sha256"
            | "x-amz-region-set"
            | "x-amz-user-agent"
            | "awsaccesskeyid" => false,
            "signature" | "expires" => !of_v2,
            name if name.starts_with("x-amz-") => {
                let pair = format!("v={value}");
                let value = form_urlencoded::parse(pair.as_bytes()).next();
                let header = HeaderName::from_bytes(name.as_bytes()).ok();
                let value = value.and_then(|(_, value)| HeaderValue::from_str(&value).ok());
                headers.extend(header.zip(value));
                false
            }
            _ => true,
        }
    });
    let kept = kept.collect::<Vec<_>>().join("&");
    let path = parts.uri.path();
    let target = if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{kept}")
    };
    let mut pieces = parts.uri.clone().into_parts();
    pieces.path_and_query = target.parse().ok();
    if let Ok(uri) = Uri::from_parts(pieces) {
        parts.uri = uri;
    }
    for (name, value) in headers
        .into_iter()
        .filter_map(|(name, value)| Some((name?, value)))
    {
        parts.headers.entry(name).or_insert(value);
    }
}

/// Returns an error response of S3 for a request that doesn't reach `s3s`.
pub(super) fn failure(error: &ServiceError) -> Reply {
    match refused(error.clone()).to_http_response() {
        Ok(response) => Reply::Response(identified(response)),
        Err(_) => Reply::Cut,
    }
}

fn identified(mut response: http::Response<Body>) -> http::Response<Body> {
    let id = Uuid::new_v4();
    let short = id.simple().to_string().to_uppercase();
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("x-amz-request-id", short.get(..16).unwrap_or_default());
    set("x-amz-id-2", &BASE64_STANDARD.encode(id.as_bytes()));
    set("server", "AmazonS3");
    response
}

fn refusal(status: u16, code: &str, message: impl Into<String>) -> S3Error {
    let mut error = S3Error::with_message(
        code.parse().unwrap_or(S3ErrorCode::InternalError),
        message.into(),
    );
    if let Ok(status) = StatusCode::from_u16(status) {
        error.set_status_code(status);
    }
    error
}

/// Returns a service's error as S3's.
fn refused(error: ServiceError) -> S3Error {
    refusal(error.status, &error.code, error.message)
}

fn no_such_bucket() -> S3Error {
    refusal(404, "NoSuchBucket", "The specified bucket does not exist")
}

fn no_such_key() -> S3Error {
    refusal(404, "NoSuchKey", "The specified key does not exist.")
}

fn access_denied() -> S3Error {
    refusal(403, "AccessDenied", "Access Denied")
}

fn invalid_argument(message: impl Into<String>) -> S3Error {
    refusal(400, "InvalidArgument", message)
}

fn malformed_xml() -> S3Error {
    refusal(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

impl Requester {
    fn of(extensions: &http::Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// Returns the account, which `access` requires for operations that use it.
    fn account(&self) -> &str {
        self.account.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_removed() {
        let check = |uri: &str, expect: &str, acl: Option<&str>| {
            let request = http::Request::builder()
                .uri(uri)
                .header("authorization", "AWS4-HMAC-SHA256 x");
            let mut parts = request.body(()).unwrap().into_parts().0;
            unsign(&mut parts);
            assert_eq!(parts.uri.to_string(), expect);
            assert!(!parts.headers.contains_key("authorization"));
            assert_eq!(
                parts
                    .headers
                    .get("x-amz-acl")
                    .map(|value| value.to_str().unwrap()),
                acl
            );
        };
        check("/b/k", "/b/k", None);
        check(
            "/b/k%20a?X-Amz-Algorithm=A&X-Amz-Signature=b&versionId=c%2B",
            "/b/k%20a?versionId=c%2B",
            None,
        );
        check(
            "/b/k?X-Amz-Credential=a&x-amz-acl=public%2Dread",
            "/b/k",
            Some("public-read"),
        );
        check(
            "/b/k?AWSAccessKeyId=a&Signature=b&Expires=1&uploads",
            "/b/k?uploads",
            None,
        );
        check("/b?prefix=a&expires=1", "/b?prefix=a&expires=1", None);
        check("http://h:1/b/k?X-Amz-Date=1", "http://h:1/b/k", None);
    }
}
