//! The part of CreateBucket that `s3s` doesn't read: the tags in the configuration of a general
//! purpose bucket.

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use s3s::dto::{BucketLocationConstraint, CreateBucketConfiguration, TagSet};
use s3s::xml::{DeError, DeResult, Deserializer, Serialize, Serializer};

use super::access::bucket_in_host;

/// The tags of a new bucket.
#[derive(Clone)]
pub(super) struct CreationTags(pub TagSet);

/// Moves the tags of a CreateBucket request to its extensions, and returns the body without them.
/// Other bodies are returned unchanged, and so are invalid ones, which `s3s` refuses.
pub(super) fn take_tags(parts: &mut Parts, body: Bytes) -> Bytes {
    if !is_create_bucket(parts) || body.is_empty() {
        return body;
    }
    let Ok((location_constraint, Some(tags))) = read(&body) else {
        return body;
    };
    let configuration = CreateBucketConfiguration {
        location_constraint,
        ..CreateBucketConfiguration::default()
    };
    let mut rest = Vec::new();
    if configuration
        .serialize(&mut Serializer::new(&mut rest))
        .is_err()
    {
        return body;
    }
    parts.extensions.insert(CreationTags(tags));
    // These checksums are those of the original body.
    parts.headers.remove("content-md5");
    let checksums = parts
        .headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-amz-checksum-"));
    for name in checksums.cloned().collect::<Vec<_>>() {
        parts.headers.remove(name);
    }
    rest.into()
}

/// Returns whether the request is a `PUT` of a bucket itself, not of a key or a setting.
fn is_create_bucket(parts: &Parts) -> bool {
    let header = parts
        .headers
        .get("host")
        .and_then(|host| host.to_str().ok());
    let host = header
        .or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
        .unwrap_or_default();
    let path = parts.uri.path().trim_matches('/');
    let names_bucket = if bucket_in_host(host).is_some() {
        path.is_empty()
    } else {
        !path.contains('/')
    };
    let has_setting = parts
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| !pair.starts_with("x-id=")));
    parts.method == Method::PUT && names_bucket && !has_setting
}

fn read(body: &[u8]) -> DeResult<(Option<BucketLocationConstraint>, Option<TagSet>)> {
    let mut deserializer = Deserializer::new(body);
    let mut constraint = None;
    let mut tags = None;
    deserializer.named_element("CreateBucketConfiguration", |inner| {
        inner.for_each_element(|inner, name| {
            match name {
                b"LocationConstraint" if constraint.is_none() => {
                    constraint = Some(inner.content()?)
                }
                b"Tags" if tags.is_none() => tags = Some(inner.list_content("Tag")?),
                b"LocationConstraint" | b"Tags" => return Err(DeError::DuplicateField),
                _ => return Err(DeError::UnexpectedTagName),
            }
            Ok(())
        })
    })?;
    deserializer.expect_eof()?;
    Ok((constraint, tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_create_bucket_requests_lose_their_tags() {
        let tagged = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                      <LocationConstraint>eu-west-1</LocationConstraint>\
                      <Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>";
        let check = |method: Method, uri: &str, host: &str, body: &str, takes: bool| {
            let request = http::Request::builder()
                .method(method)
                .uri(uri)
                .header("host", host);
            let mut parts = request.body(()).unwrap().into_parts().0;
            let rest = take_tags(&mut parts, Bytes::copy_from_slice(body.as_bytes()));
            assert_eq!(
                parts.extensions.get::<CreationTags>().is_some(),
                takes,
                "{uri} {body}"
            );
            let rest = String::from_utf8(rest.to_vec()).unwrap();
            if takes {
                assert!(
                    rest.contains("<LocationConstraint>eu-west-1</LocationConstraint>"),
                    "{rest}"
                );
                assert!(!rest.contains("Tags"), "{rest}");
            } else {
                assert_eq!(rest, body);
            }
        };
        check(Method::PUT, "/bucket", "localhost", tagged, true);
        check(
            Method::PUT,
            "/bucket/?x-id=CreateBucket",
            "localhost:1",
            tagged,
            true,
        );
        check(Method::PUT, "/", "bucket.localhost", tagged, true);
        check(Method::PUT, "/bucket/key", "localhost", tagged, false);
        check(Method::PUT, "/key", "bucket.localhost", tagged, false);
        check(Method::PUT, "/bucket?tagging", "localhost", tagged, false);
        check(Method::POST, "/bucket", "localhost", tagged, false);
        check(
            Method::PUT,
            "/bucket",
            "localhost",
            "<CreateBucketConfiguration/>",
            false,
        );
        check(
            Method::PUT,
            "/bucket",
            "localhost",
            "<CreateBucketConfiguration><Tags>",
            false,
        );
    }
}
