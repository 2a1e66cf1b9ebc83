//! Checks that requests come from programs on this machine: a web page must not reach the
//! simulator.
//!
//! The server listens on the loopback interface, but a browser sends requests there for any page,
//! and a page's own host name may resolve to 127.0.0.1. Signatures aren't verified, so headers
//! decide that a page can't forge: the host, the origin, and the browser's fetch metadata. No
//! response has a CORS header.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::request::Parts;
use http::{HeaderName, HeaderValue, header};

/// Checks that a request is for a local host name, and isn't sent by a page of another site.
///
/// # Errors
/// Returns why the request is refused.
pub(super) fn check(parts: &Parts) -> Result<(), String> {
    check_host(parts)?;
    for name in [header::ORIGIN, header::REFERER] {
        for value in parts.headers.get_all(&name) {
            if !host_of_url(value).is_some_and(is_local) {
                return Err(refusal(&name, value));
            }
        }
    }
    // Images and links send no origin.
    let site = HeaderName::from_static("sec-fetch-site");
    match parts
        .headers
        .get_all(&site)
        .iter()
        .find(|value| *value == "cross-site")
    {
        Some(value) => Err(refusal(&site, value)),
        None => Ok(()),
    }
}

fn check_host(parts: &Parts) -> Result<(), String> {
    const EXPECTED: &str = "the simulator answers requests for localhost, 127.0.0.1 and [::1] only";
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().unwrap_or_default(),
        _ => return Err(format!("{EXPECTED}; expected one Host header")),
    };
    // An absolute URL in the request line overrides the header.
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    match [Some(host), authority]
        .into_iter()
        .flatten()
        .find(|name| !is_local(name))
    {
        Some(foreign) => Err(format!("{EXPECTED}; found Host `{foreign}`")),
        None => Ok(()),
    }
}

fn refusal(name: &HeaderName, value: &HeaderValue) -> String {
    let value = String::from_utf8_lossy(value.as_bytes());
    format!("the simulator refuses requests from pages of other sites; found {name} `{value}`")
}

/// Returns the host and port of a URL; none if it has none, like `null` and `file:///a`.
fn host_of_url(value: &HeaderValue) -> Option<&str> {
    let url = value.to_str().ok()?;
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))?;
    rest.split(['/', '?', '#']).next()
}

/// Returns whether a host with or without a port is this machine, or a bucket's name followed by
/// `.localhost`, which no name server resolves.
fn is_local(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = without_port.to_ascii_lowercase();
    if let Some(address) = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address.parse() == Ok(Ipv6Addr::LOCALHOST);
    }
    let is_label = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    name == "localhost"
        || name.parse() == Ok(Ipv4Addr::LOCALHOST)
        || name
            .strip_suffix(".localhost")
            .is_some_and(|bucket| !bucket.is_empty() && bucket.bytes().all(is_label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(uri: &str, headers: &[(&str, &str)]) -> Result<(), String> {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn only_local_hosts_are_answered() {
        for host in [
            "localhost",
            "LocalHost:4566",
            "127.0.0.1",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:4566",
            "[0:0:0:0:0:0:0:1]:1",
            "bucket.localhost:4566",
            "my.bucket.s3.us-east-1.localhost",
        ] {
            assert_eq!(found("/", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example:127.0.0.1",
            "evil.example#.localhost",
            "evil.example/.localhost",
            "user@localhost",
            "notlocalhost",
            ".localhost",
            "localhost.",
            "[::2]",
            "[::1].evil.example",
            "::1",
            "0.0.0.0",
            "bucket.s3.us-east-1.amazonaws.com",
        ] {
            assert!(found("/", &[("host", host)]).is_err(), "{host}");
        }
        assert!(found("/", &[]).is_err());
        assert!(found("/", &[("host", "localhost"), ("host", "evil.example")]).is_err());
        assert!(found("http://evil.example/", &[("host", "localhost")]).is_err());
        assert_eq!(
            found("http://localhost:1/", &[("host", "localhost")]),
            Ok(())
        );
    }

    #[test]
    fn cross_site_requests_are_refused() {
        let with = |name, value| found("/", &[("host", "localhost"), (name, value)]);
        for origin in [
            "http://localhost:3000",
            "https://127.0.0.1",
            "http://[::1]:1",
        ] {
            assert_eq!(with("origin", origin), Ok(()), "{origin}");
        }
        for origin in [
            "https://evil.example",
            "null",
            "",
            "file://",
            "http://localhost.evil.example",
            "localhost",
        ] {
            assert!(with("origin", origin).is_err(), "{origin}");
        }
        assert!(with("referer", "https://evil.example/page").is_err());
        assert_eq!(with("referer", "http://localhost/page?a"), Ok(()));
        assert!(with("sec-fetch-site", "cross-site").is_err());
        assert_eq!(with("sec-fetch-site", "none"), Ok(()));
    }
}
