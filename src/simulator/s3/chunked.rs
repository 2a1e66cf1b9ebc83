//! Bodies in AWS's chunked encoding, which carry signatures, and checksums as trailers.
//!
//! `s3s` decodes them only if it verifies signatures, so they are decoded here.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::error::ServiceError;

/// Returns the content of a body. Trailers become headers.
pub(super) fn decode(headers: &mut HeaderMap, body: Bytes) -> Result<Bytes, ServiceError> {
    let is_streaming = headers
        .get("x-amz-content-sha256")
        .is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"));
    let coding = headers
        .get("content-encoding")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let codings = || coding.split(',').map(str::trim);
    let is_chunked = codings().any(|coding| coding.eq_ignore_ascii_case("aws-chunked"));
    if !is_streaming && !is_chunked {
        return Ok(body);
    }
    let announced = headers.remove("x-amz-decoded-content-length");
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    headers.remove("x-amz-content-sha256");
    headers.remove("x-amz-trailer");
    // The other encodings belong to the object.
    let own = codings()
        .filter(|coding| !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect::<Vec<_>>()
        .join(",");
    headers.remove("content-encoding");
    if let (false, Ok(own)) = (own.is_empty(), HeaderValue::from_str(&own)) {
        headers.insert("content-encoding", own);
    }
    let (content, trailers) = chunks(body, announced.unwrap_or(0)).ok_or_else(incomplete)?;
    if announced.is_some_and(|length| length != content.len()) {
        return Err(incomplete());
    }
    for (name, value) in trailers {
        headers.insert(name, value);
    }
    Ok(content)
}

fn incomplete() -> ServiceError {
    let message = "The request body terminated unexpectedly";
    ServiceError::new(400, "IncompleteBody", message)
}

/// Decodes `size;chunk-signature=…`, the content, and a line feed for each chunk; a size of zero
/// ends them, and trailers follow.
fn chunks(mut body: Bytes, announced: usize) -> Option<(Bytes, Vec<(HeaderName, HeaderValue)>)> {
    let mut one = Bytes::new();
    let mut many = BytesMut::new();
    loop {
        let head = line(&mut body)?;
        let size = head.split(|byte| *byte == b';').next()?;
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?.trim(), 16).ok()?;
        if size == 0 {
            break;
        }
        if size > body.len() {
            return None;
        }
        let content = body.split_to(size);
        if !line(&mut body)?.is_empty() {
            return None;
        }
        // A single chunk, as small bodies have it, isn't copied.
        if one.is_empty() && many.is_empty() {
            one = content;
            continue;
        }
        if many.is_empty() {
            many.reserve(announced.min(one.len() + content.len() + body.len()));
            many.extend_from_slice(&std::mem::take(&mut one));
        }
        many.extend_from_slice(&content);
    }
    let content = if many.is_empty() { one } else { many.freeze() };
    let mut trailers = Vec::new();
    // The last line feed may be missing.
    while let Some(trailer) = line(&mut body).filter(|trailer| !trailer.is_empty()) {
        let (name, value) = std::str::from_utf8(&trailer).ok()?.split_once(':')?;
        let name = name.trim().to_ascii_lowercase();
        if name.starts_with("x-amz-checksum-") {
            trailers.push((
                HeaderName::try_from(name).ok()?,
                HeaderValue::from_str(value.trim()).ok()?,
            ));
        }
    }
    Some((content, trailers))
}

/// Returns the text up to the next line feed; `None` if there is none.
fn line(body: &mut Bytes) -> Option<Bytes> {
    let end = body.iter().position(|byte| *byte == b'\n')?;
    let mut line = body.split_to(end);
    body.advance(1);
    if line.ends_with(b"\r") {
        line.truncate(line.len() - 1);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_text(
        headers: &[(&'static str, &'static str)],
        body: &'static str,
    ) -> (HeaderMap, Result<Bytes, ServiceError>) {
        let pairs = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let mut headers: HeaderMap = pairs.collect();
        let result = decode(&mut headers, Bytes::from_static(body.as_bytes()));
        (headers, result)
    }

    const STREAMING: (&str, &str) = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");

    #[test]
    fn chunked_bodies_are_decoded() {
        let check = |headers: &[(&'static str, &'static str)], body, expect: &str| {
            assert_eq!(decode_text(headers, body).1.unwrap(), expect);
        };
        check(&[], "5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n");
        check(&[STREAMING], "5\r\nhello\r\n0\r\n\r\n", "hello");
        check(&[STREAMING], "0\r\n\r\n", "");
        check(&[STREAMING], "0;chunk-signature=abc\r\n", "");
        check(
            &[STREAMING],
            "5;chunk-signature=a\r\nhello\r\nA;chunk-signature=b\r\n, \
             wor\r\nld!\r\n1\r\n!\r\n0;chunk-signature=c\r\n\r\n",
            "hello, wor\r\nld!!",
        );
        check(
            &[
                ("content-encoding", "aws-chunked"),
                ("x-amz-decoded-content-length", "2"),
            ],
            "2\r\nhi\r\n0\r\n\r\n",
            "hi",
        );
    }

    #[test]
    fn trailers_become_headers_and_other_codings_stay() {
        let (headers, content) = decode_text(
            &[
                STREAMING,
                ("content-encoding", "gzip,aws-chunked"),
                ("x-amz-trailer", "x-amz-checksum-crc32"),
            ],
            "2\r\nhi\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\nx-amz-trailer-signature:abc\r\n\r\n",
        );
        assert_eq!(content.unwrap(), "hi");
        let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert_eq!(
            (
                &headers["content-encoding"],
                &headers["x-amz-checksum-crc32"]
            ),
            (
                &HeaderValue::from_static("gzip"),
                &HeaderValue::from_static("y/Q5Jg==")
            )
        );
    }

    #[test]
    fn truncated_bodies_are_refused() {
        for body in [
            "",
            "5\r\nhel",
            "5\r\nhello",
            "5\r\nhellow\r\n0\r\n",
            "x\r\n",
            "ffffffffffffffffff\r\n",
            "5\r\nhello\r\n",
        ] {
            assert_eq!(
                decode_text(&[STREAMING], body).1.unwrap_err().code,
                "IncompleteBody",
                "{body}"
            );
        }
        let short = decode_text(
            &[STREAMING, ("x-amz-decoded-content-length", "3")],
            "2\r\nhi\r\n0\r\n\r\n",
        );
        assert_eq!(short.1.unwrap_err().code, "IncompleteBody");
    }
}
