//! The text of a template, from a call's body or from an object in S3.

use crate::catalog::s3_url::{self, S3UrlTarget};
use crate::simulator::Cloud;
use crate::simulator::cloudformation::error::invalid;
use crate::simulator::error::ServiceError;
use crate::simulator::s3::{self, ObjectNotFound};

/// The maximum size in bytes of a template in the request, and of one in S3.
const MAX_BODY: usize = 51_200;

const MAX_OBJECT: usize = 1_048_576;

/// Returns the text of `TemplateBody`.
///
/// # Errors
/// Fails if it is empty or too long.
pub(crate) fn from_body(body: &str) -> Result<String, ServiceError> {
    let constraint = |what: &str| {
        format!(
            "1 validation error detected: Value '{body}' at 'templateBody' failed to satisfy \
             constraint: Member must have \
             length {what}"
        )
    };
    match body.len() {
        0 => Err(invalid(constraint("greater than or equal to 1"))),
        1..=MAX_BODY => Ok(body.to_owned()),
        _ => Err(invalid(constraint(&format!(
            "less than or equal to {MAX_BODY}"
        )))),
    }
}

/// Returns the text at a `TemplateURL`: an object in S3, in any form of S3's URLs or at the
/// simulator's own address.
///
/// # Errors
/// Fails if it isn't such a URL, if there is no such object, or if the object is too long.
pub(crate) fn from_url(cloud: &Cloud, url: &str) -> Result<String, ServiceError> {
    let s3_error = |message: &str| {
        invalid(format!(
            "S3 error: {message}\nFor more information check \
             http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
        ))
    };
    let (bucket, key) = bucket_and_key(url)?;
    let object = cloud
        .s3
        .object(&bucket, &key)
        .map_err(|missing| match missing {
            ObjectNotFound::Bucket => s3_error("The specified bucket does not exist"),
            ObjectNotFound::Key => s3_error("The specified key does not exist."),
        })?;
    if object.len() > MAX_OBJECT {
        return Err(invalid(format!(
            "Template may not exceed {MAX_OBJECT} bytes in size."
        )));
    }
    String::from_utf8(object.to_vec())
        .map_err(|_| invalid("Template format error: the template is not in UTF-8."))
}

/// Returns the text at the `TemplateURL` of a nested stack. A bucket that the simulator lacks may
/// exist in AWS, where it may be somebody else's, so the message says what the simulator lacks.
///
/// # Errors
/// Fails as [`from_url`] does, and if the bucket doesn't exist.
pub(crate) fn from_nested_url(cloud: &Cloud, url: &str) -> Result<String, ServiceError> {
    let (bucket, key) = bucket_and_key(url)?;
    if let Err(ObjectNotFound::Bucket) = cloud.s3.object(&bucket, &key) {
        return Err(invalid(format!(
            "the simulator has no bucket `{bucket}`, so what this nested stack creates isn't \
             known; put its object {key} \
             there with --seed"
        )));
    }
    from_url(cloud, url)
}

/// Returns the bucket and the key of a URL.
fn bucket_and_key(url: &str) -> Result<(String, String), ServiceError> {
    match s3_url::target(url) {
        S3UrlTarget::Object { bucket, key, .. } => Ok((bucket, key)),
        S3UrlTarget::Refused(message) => Err(invalid(message)),
        // A URL of the simulator itself.
        S3UrlTarget::Unknown => {
            let rest = url
                .split_once("://")
                .map_or(url, |(_, rest)| rest)
                .split(['?', '#'])
                .next()
                .unwrap_or_default();
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let (bucket, key) = match s3::bucket_in_host(host) {
                Some(bucket) => (bucket, path),
                None => path.split_once('/').unwrap_or((path, "")),
            };
            Ok((bucket.to_owned(), s3_url::decoded(key)))
        }
    }
}
