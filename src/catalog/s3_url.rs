//! Parses the `TemplateURL` of an S3 object in every form that S3 accepts
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>).

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What CloudFormation takes a URL for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum S3UrlTarget {
    /// An object in S3.
    Object {
        /// The bucket's name.
        bucket: String,
        /// The object's key, percent-decoded.
        key: String,
        /// The suffix of the host: `amazonaws.com`.
        suffix: String,
    },
    /// A URL that CloudFormation refuses, with its message.
    Refused(String),
    /// A URL that may point to a server used instead of S3.
    Unknown,
}

/// Suffixes of S3's hosts, longer ones first.
const SUFFIXES: [&str; 3] = ["amazonaws.com.cn", "amazonaws.com", "amazonaws.eu"];

/// Parses a URL; its query and fragment are ignored.
pub fn target(url: &str) -> S3UrlTarget {
    let Some((scheme, rest)) = url.split_once("://") else {
        return refused();
    };
    if scheme.eq_ignore_ascii_case("s3") {
        let bucket = rest.split('/').next().unwrap_or_default();
        return S3UrlTarget::Refused(format!(
            "S3 error: Domain name specified in {bucket} is not a valid S3 domain"
        ));
    }
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return refused();
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.to_ascii_lowercase();
    let Some((name, suffix)) = SUFFIXES.iter().find_map(|suffix| {
        let name = host.strip_suffix(suffix)?.strip_suffix('.')?;
        Some((name, *suffix))
    }) else {
        return if may_stand_in(&host) {
            S3UrlTarget::Unknown
        } else {
            refused()
        };
    };
    let Some(bucket) = bucket_of(name) else {
        return S3UrlTarget::Unknown;
    };
    let (bucket, key) = if bucket.is_empty() {
        path.split_once('/').unwrap_or((path, ""))
    } else {
        (bucket, path)
    };
    S3UrlTarget::Object {
        bucket: bucket.to_owned(),
        key: decoded(key),
        suffix: suffix.to_owned(),
    }
}

fn refused() -> S3UrlTarget {
    S3UrlTarget::Refused("TemplateURL must be a supported URL.".to_owned())
}

/// Returns the bucket before `s3`, `s3.<region>`, `s3-<region>` or `s3.dualstack.<region>`, empty
/// if the bucket is in the path. `None` for hosts of other services.
fn bucket_of(name: &str) -> Option<&str> {
    let mut rest = name;
    // A region and `dualstack` may follow.
    for _ in 0..3 {
        let (before, label) = rest.rsplit_once('.').unwrap_or(("", rest));
        if label == "s3" || label.starts_with("s3-") {
            return Some(before);
        }
        rest = before;
    }
    None
}

/// Returns whether the host may be a server on the user's own machine or network.
fn may_stand_in(host: &str) -> bool {
    host.contains(':')
        || !host.contains('.')
        || host.ends_with(|c: char| c.is_ascii_digit())
        || host.contains("localhost")
        || host.contains("localstack")
}

/// Decodes percent-encoded bytes. Keeps malformed escapes, and text that wouldn't be UTF-8.
pub fn decoded(text: &str) -> String {
    percent_decode_str(text)
        .decode_utf8()
        .unwrap_or(Cow::Borrowed(text))
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_s3() {
        let check = |url: &str, bucket: &str, key: &str| match target(url) {
            S3UrlTarget::Object {
                bucket: found,
                key: path,
                ..
            } => assert_eq!((&*found, &*path), (bucket, key), "{url}"),
            other => panic!("{url}: {other:?}"),
        };
        check("https://b.s3.amazonaws.com/p/t.yaml", "b", "p/t.yaml");
        check(
            "https://b.s3.eu-west-1.amazonaws.com/p/t.yaml",
            "b",
            "p/t.yaml",
        );
        check(
            "https://b.s3-eu-west-1.amazonaws.com/p/t.yaml",
            "b",
            "p/t.yaml",
        );
        check(
            "https://b.s3.dualstack.eu-west-1.amazonaws.com/p/t.yaml",
            "b",
            "p/t.yaml",
        );
        check(
            "https://b.s3.cn-north-1.amazonaws.com.cn/p/t.yaml",
            "b",
            "p/t.yaml",
        );
        check(
            "https://dotted.b.s3.amazonaws.com/t.yaml",
            "dotted.b",
            "t.yaml",
        );
        check("https://s3.amazonaws.com/b/p/t.yaml", "b", "p/t.yaml");
        check(
            "https://s3.eu-west-1.amazonaws.com/b/p/t.yaml",
            "b",
            "p/t.yaml",
        );
        check(
            "https://s3-eu-west-1.amazonaws.com/b/p/t.yaml",
            "b",
            "p/t.yaml",
        );
        check(
            "https://s3.dualstack.eu-west-1.amazonaws.com/b/t.yaml",
            "b",
            "t.yaml",
        );
        check("https://s3.amazonaws.com/b", "b", "");
        check("HTTPS://B.S3.AmazonAWS.com/P/t.yaml", "b", "P/t.yaml");
        check("http://b.s3.amazonaws.com/t.yaml", "b", "t.yaml");
        check(
            "https://b.s3.amazonaws.com/t.yaml?versionId=1",
            "b",
            "t.yaml",
        );
        check("https://b.s3.amazonaws.com/a%20b%2Fc%zz%", "b", "a b/c%zz%");
        check("https://b.s3.amazonaws.com//t.yaml", "b", "/t.yaml");
        check(
            "https://s3-bucket.s3.amazonaws.com/t.yaml",
            "s3-bucket",
            "t.yaml",
        );
        assert_eq!(
            target("https://b.s3.cn-north-1.amazonaws.com.cn/t"),
            S3UrlTarget::Object {
                bucket: "b".to_owned(),
                key: "t".to_owned(),
                suffix: "amazonaws.com.cn".to_owned()
            }
        );
    }

    #[test]
    fn other_urls_are_refused_or_unknown() {
        let check = |url: &str, expect: S3UrlTarget| assert_eq!(target(url), expect, "{url}");
        for url in [
            "templates/t.yaml",
            "./t.yaml",
            "",
            "https://example.com/t.yaml",
            "file://t.yaml",
        ] {
            check(
                url,
                S3UrlTarget::Refused("TemplateURL must be a supported URL.".to_owned()),
            );
        }
        let domain = "S3 error: Domain name specified in my-bucket is not a valid S3 domain";
        check(
            "s3://my-bucket/t.yaml",
            S3UrlTarget::Refused(domain.to_owned()),
        );
        for url in [
            "http://localhost:4566/b/t.yaml",
            "http://127.0.0.1/b/t.yaml",
            "http://minio/b/t.yaml",
            "https://x.execute-api.us-east-1.amazonaws.com/t.yaml",
        ] {
            check(url, S3UrlTarget::Unknown);
        }
    }
}
