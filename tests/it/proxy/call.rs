//! Which API call a request is, by the wire formats of AWS's public protocols.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::http::Message;

/// Subresources of S3 that change what a method means:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html>
const BUCKET_SUBRESOURCES: [(&str, &str); 9] = [
    ("location", "BucketLocation"),
    ("tagging", "BucketTagging"),
    ("policy", "BucketPolicy"),
    ("acl", "BucketAcl"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("versioning", "BucketVersioning"),
    ("encryption", "BucketEncryption"),
    ("lifecycle", "BucketLifecycleConfiguration"),
];
const OBJECT_SUBRESOURCES: [(&str, &str); 3] = [
    ("tagging", "ObjectTagging"),
    ("acl", "ObjectAcl"),
    ("attributes", "ObjectAttributes"),
];

/// A call as the proxy's log holds it:
///
/// - `at`: seconds since the epoch, when the call came in
/// - `service`, `region` and `key` (the access key's id): from the signature
/// - `action`: the API's own name; for S3 worked out from method, path and query
/// - `method`, `path`, `query`
/// - `form`: the parameters of a call in the query protocol (CloudFormation, STS, EC2)
/// - `bytes`: size of the body that the client sent, without chunk signatures
pub fn describe(request: &Message) -> Value {
    let mut start = request.start.split(' ');
    let method = start.next().unwrap_or_default();
    let target = start.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameters: Map<String, Value> = form(query.as_bytes());
    let signed = request
        .header("authorization")
        .and_then(|header| header.split_once("Credential="));
    let scope = match signed {
        Some((_, credential)) => credential.split([',', ' ']).next().unwrap_or_default(),
        None => parameters
            .get("X-Amz-Credential")
            .and_then(Value::as_str)
            .unwrap_or_default(),
    };
    let scope: Vec<&str> = scope.split('/').collect();
    let (region, service) = match scope[..] {
        [_, .., region, service, _] if scope.len() >= 5 => (Some(region), Some(service)),
        _ => (None, None),
    };
    let decoded = request
        .header("x-amz-decoded-content-length")
        .and_then(|length| length.parse().ok());
    let mut call = json!({
        "at": SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        "service": service,
        "region": region,
        "key": scope[0],
        "method": method,
        "path": path,
        "query": query,
        "bytes": decoded.unwrap_or(request.body.len()),
        "action": null,
    });
    let has_form = || {
        request
            .header("content-type")
            .is_some_and(|it| it.starts_with("application/x-www-form-urlencoded"))
    };
    if let Some(target) = request.header("x-amz-target") {
        call["action"] = target.rsplit('.').next().into();
    } else if service == Some("s3") {
        call["action"] = s3_action(method, path, &parameters).into();
    } else if has_form() {
        let form = form(&request.body);
        call["action"] = form.get("Action").cloned().unwrap_or_default();
        call["form"] = form.into();
    }
    call
}

fn form(text: &[u8]) -> Map<String, Value> {
    form_urlencoded::parse(text)
        .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
        .collect()
}

/// Bucket and key of a path in S3, as they are encoded there.
pub fn s3_path(path: &str) -> (&str, &str) {
    let path = path.trim_start_matches('/');
    path.split_once('/').unwrap_or((path, ""))
}

fn s3_action(method: &str, path: &str, query: &Map<String, Value>) -> String {
    let verb = match method {
        "GET" => "Get",
        "PUT" => "Put",
        "DELETE" => "Delete",
        "POST" => "Post",
        "HEAD" => "Head",
        other => other,
    };
    let asks = |name: &str| query.contains_key(name);
    let (bucket, key) = s3_path(path);
    if bucket.is_empty() {
        return "ListBuckets".to_owned();
    }
    let subresources = if key.is_empty() {
        &BUCKET_SUBRESOURCES[..]
    } else {
        &OBJECT_SUBRESOURCES[..]
    };
    if let Some((_, subresource)) = subresources.iter().find(|(name, _)| asks(name)) {
        return format!("{verb}{subresource}");
    }
    let action = if key.is_empty() {
        match method {
            _ if asks("delete") => "DeleteObjects",
            _ if asks("versions") => "ListObjectVersions",
            _ if asks("uploads") => "ListMultipartUploads",
            "GET" if asks("list-type") => "ListObjectsV2",
            "GET" => "ListObjects",
            "PUT" => "CreateBucket",
            "HEAD" => "HeadBucket",
            "DELETE" => "DeleteBucket",
            other => other,
        }
    } else {
        match method {
            _ if asks("uploads") => "CreateMultipartUpload",
            "PUT" if asks("uploadId") => "UploadPart",
            "POST" if asks("uploadId") => "CompleteMultipartUpload",
            "DELETE" if asks("uploadId") => "AbortMultipartUpload",
            _ if asks("uploadId") => "ListParts",
            _ => return format!("{verb}Object"),
        }
    };
    action.to_owned()
}
