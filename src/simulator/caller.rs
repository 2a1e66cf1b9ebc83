//! The account, region and service that a request's signature names.
//!
//! Signatures aren't verified, because the simulator doesn't know any secret keys. The account is
//! the access key if that is twelve digits, the one inside a key that `sts` issued for a role, and
//! [`ACCOUNT_ID`] for any other key.

use std::time::Duration;

use http::request::Parts;
use jiff::Timestamp;

use super::{ACCOUNT_ID, Caller};

/// The contents of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub caller: Caller,
    /// The service as the credential scope names it: `cloudformation`.
    pub service: String,
    pub session_token: Option<String>,
    /// When a presigned URL expires; absent for requests that are signed in a header.
    pub expires: Option<Timestamp>,
}

/// A signature that can't be parsed, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MalformedSignature(pub String);

/// Returns the signature of a request, or `None` if it isn't signed.
pub(super) fn read_credential(parts: &Parts) -> Result<Option<Credential>, MalformedSignature> {
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let mut credential = match parts.headers.get("authorization") {
        Some(value) => {
            let value = value.to_str().map_err(|_| {
                MalformedSignature("the Authorization header isn't valid text".to_owned())
            })?;
            from_header(value, header("x-amz-region-set"))?
        }
        None => match from_query(parts.uri.query().unwrap_or_default())? {
            Some(credential) => credential,
            None => return Ok(None),
        },
    };
    if let Some(token) = header("x-amz-security-token") {
        credential.session_token = Some(token.to_owned());
    }
    Ok(Some(credential))
}

/// Parses `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, the asymmetric variant of
/// it, or S3's old `AWS key:signature`.
fn from_header(value: &str, region_set: Option<&str>) -> Result<Credential, MalformedSignature> {
    let (algorithm, rest) = value.split_once(' ').unwrap_or((value, ""));
    match algorithm {
        "AWS" => {
            let key = rest.split(':').next().unwrap_or_default();
            Ok(credential_of(key, "", "s3"))
        }
        "AWS4-HMAC-SHA256" | "AWS4-ECDSA-P256-SHA256" => {
            let missing = ["Credential", "Signature", "SignedHeaders"]
                .into_iter()
                .find(|name| {
                    !rest
                        .split(',')
                        .any(|item| item.trim().starts_with(&format!("{name}=")))
                });
            if let Some(name) = missing {
                return Err(MalformedSignature(format!(
                    "Authorization header requires '{name}' parameter."
                )));
            }
            let scope = rest
                .split(',')
                .find_map(|item| item.trim().strip_prefix("Credential="));
            from_scope(scope.unwrap_or_default(), region_set)
        }
        other => Err(MalformedSignature(format!(
            "Unsupported authorization type '{other}'."
        ))),
    }
}

/// Parses a presigned URL with a version 4 or version 2 signature.
fn from_query(query: &str) -> Result<Option<Credential>, MalformedSignature> {
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    };
    if let Some(scope) = value("X-Amz-Credential") {
        let mut credential = from_scope(&scope, value("X-Amz-Region-Set").as_deref())?;
        let from = value("X-Amz-Date").and_then(|date| parse_timestamp(&date));
        let lasts = value("X-Amz-Expires")
            .and_then(|seconds| seconds.parse().ok())
            .filter(|lasts| *lasts <= 604_800);
        let (Some(from), Some(lasts)) = (from, lasts) else {
            return Err(MalformedSignature(
                "X-Amz-Date and X-Amz-Expires must be a date and at most 604800 seconds".to_owned(),
            ));
        };
        credential.expires = from.checked_add(Duration::from_secs(lasts)).ok();
        credential.session_token = value("X-Amz-Security-Token");
        return Ok(Some(credential));
    }
    let (Some(key), Some(_)) = (value("AWSAccessKeyId"), value("Signature")) else {
        return Ok(None);
    };
    let mut credential = credential_of(&key, "", "s3");
    let expires =
        value("Expires").and_then(|seconds| Timestamp::from_second(seconds.parse().ok()?).ok());
    if expires.is_none() {
        return Err(MalformedSignature(
            "Invalid date (should be seconds since epoch)".to_owned(),
        ));
    }
    credential.expires = expires;
    credential.session_token = value("x-amz-security-token");
    Ok(Some(credential))
}

/// Parses `20261020T101112Z`.
fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
}

/// Parses `key/20261020/us-east-1/s3/aws4_request`; the asymmetric variant has no region.
fn from_scope(scope: &str, region_set: Option<&str>) -> Result<Credential, MalformedSignature> {
    let parts: Vec<&str> = scope.split('/').collect();
    match parts.as_slice() {
        // An access key may contain slashes itself.
        [key @ .., _date, region, service, "aws4_request"] if !key.is_empty() => {
            Ok(credential_of(&key.join("/"), region, service))
        }
        [key, _date, service, "aws4_request"] => {
            let region = region_set
                .and_then(|set| set.split(',').next())
                .filter(|region| *region != "*");
            Ok(credential_of(key, region.unwrap_or("us-east-1"), service))
        }
        _ => Err(malformed_scope(scope)),
    }
}

fn malformed_scope(scope: &str) -> MalformedSignature {
    MalformedSignature(format!(
        "Credential must have exactly 5 slash-delimited elements, e.g. \
         keyid/date/region/service/term, got '{scope}'"
    ))
}

fn credential_of(access_key: &str, region: &str, service: &str) -> Credential {
    let caller = Caller {
        account: account_of(access_key),
        region: region.to_owned(),
    };
    Credential {
        caller,
        service: service.to_owned(),
        session_token: None,
        expires: None,
    }
}

fn account_of(access_key: &str) -> String {
    let is_account =
        |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let issued = access_key
        .strip_prefix(ISSUED_PREFIX)
        .and_then(|rest| rest.strip_suffix(ISSUED_SUFFIX));
    let account = [Some(access_key), issued]
        .into_iter()
        .flatten()
        .find(|text| is_account(text));
    account.unwrap_or(ACCOUNT_ID).to_owned()
}

/// Access keys of roles carry their account, so that the simulator doesn't have to store them. No
/// real key contains a 0 or a 1.
const ISSUED_PREFIX: &str = "ASIA";
const ISSUED_SUFFIX: &str = "0SIM";

/// Returns an access key for a role of the account.
pub(super) fn issued_key(account: &str) -> String {
    format!("{ISSUED_PREFIX}{account}{ISSUED_SUFFIX}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_request(
        uri: &str,
        headers: &[(&str, &str)],
    ) -> Result<Option<Credential>, MalformedSignature> {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read_credential(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn credential_scopes_name_account_region_and_service() {
        let check = |scope: &str, account: &str, region: &str, service: &str| {
            let value =
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=abc");
            let found = read_request("/", &[("authorization", &value)])
                .unwrap()
                .unwrap();
            let expect = (account.to_owned(), region.to_owned(), service.to_owned());
            assert_eq!(
                (found.caller.account, found.caller.region, found.service),
                expect
            );
        };
        check(
            "testing/20261020/us-east-1/sts/aws4_request",
            ACCOUNT_ID,
            "us-east-1",
            "sts",
        );
        check(
            "210987654321/20261020/eu-west-1/s3/aws4_request",
            "210987654321",
            "eu-west-1",
            "s3",
        );
        check(
            "a/b/20261020/eu-west-1/s3/aws4_request",
            ACCOUNT_ID,
            "eu-west-1",
            "s3",
        );
        check(
            &format!("{}/20261020/x/ec2/aws4_request", issued_key("111122223333")),
            "111122223333",
            "x",
            "ec2",
        );
        check(
            "AKIA111122223333ABCD/20261020/x/ec2/aws4_request",
            ACCOUNT_ID,
            "x",
            "ec2",
        );
    }

    #[test]
    fn other_signature_versions_are_read() {
        let asymmetric = "AWS4-ECDSA-P256-SHA256 \
            Credential=k/20261020/s3/aws4_request,SignedHeaders=h,Signature=a";
        let found = read_request(
            "/",
            &[
                ("authorization", asymmetric),
                ("x-amz-region-set", "eu-west-1,us-*"),
            ],
        )
        .unwrap()
        .unwrap();
        assert_eq!(found.caller.region, "eu-west-1");
        let found = read_request(
            "/",
            &[
                ("authorization", "AWS key:sig"),
                ("x-amz-security-token", "t"),
            ],
        )
        .unwrap()
        .unwrap();
        assert_eq!(
            (found.service.as_str(), found.session_token.as_deref()),
            ("s3", Some("t"))
        );
        let presigned = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=k%2F20261020%2Feu-west-1%2Fs3%2Faws4_request\
            &X-Amz-Date=20261020T000010Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host\
            &X-Amz-Signature=abc";
        let found = read_request(presigned, &[]).unwrap().unwrap();
        let expires: Timestamp = "2026-10-20T00:01:10Z".parse().unwrap();
        assert_eq!(
            (found.caller.region.as_str(), found.expires),
            ("eu-west-1", Some(expires))
        );
        let found = read_request("/b/k?AWSAccessKeyId=k&Signature=s&Expires=10", &[])
            .unwrap()
            .unwrap();
        assert_eq!(found.expires, Some(Timestamp::from_second(10).unwrap()));
        assert_eq!(read_request("/b/k?versionId=1", &[]), Ok(None));
    }

    #[test]
    fn malformed_signatures_are_refused() {
        let check = |value: &str, message: &str| {
            assert_eq!(
                read_request("/", &[("authorization", value)]),
                Err(MalformedSignature(message.to_owned())),
                "{value}"
            );
        };
        check("Bearer x", "Unsupported authorization type 'Bearer'.");
        check(
            "AWS4-HMAC-SHA256 Credential=a",
            "Authorization header requires 'Signature' parameter.",
        );
        check(
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=h, Signature=s",
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term, got 'a/b'",
        );
    }
}
