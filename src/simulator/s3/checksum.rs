//! Checksums: those that clients send are verified, and every object has one.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use s3s::S3Result;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{Checksum, ChecksumType};

use super::{invalid_argument, refusal};

/// Collects the five checksum members of an input or output.
macro_rules! checksums_of {
    ($from:expr) => {
        s3s::dto::Checksum {
            checksum_crc32: $from.checksum_crc32.clone(),
            checksum_crc32c: $from.checksum_crc32c.clone(),
            checksum_crc64nvme: $from.checksum_crc64nvme.clone(),
            checksum_sha1: $from.checksum_sha1.clone(),
            checksum_sha256: $from.checksum_sha256.clone(),
            checksum_type: None,
        }
    };
}
/// Sets the five checksum members of an output.
macro_rules! put_checksums {
    ($checksum:expr => $output:expr) => {
        $output.checksum_crc32 = $checksum.checksum_crc32;
        $output.checksum_crc32c = $checksum.checksum_crc32c;
        $output.checksum_crc64nvme = $checksum.checksum_crc64nvme;
        $output.checksum_sha1 = $checksum.checksum_sha1;
        $output.checksum_sha256 = $checksum.checksum_sha256;
    };
}
pub(super) use {checksums_of, put_checksums};

/// The algorithm if none is requested.
const DEFAULT: &str = "CRC64NVME";

/// Returns names and values of the checksums that are set.
pub(super) fn present(checksum: &Checksum) -> Vec<(&'static str, &str)> {
    let all = [
        ("CRC32", &checksum.checksum_crc32),
        ("CRC32C", &checksum.checksum_crc32c),
        ("CRC64NVME", &checksum.checksum_crc64nvme),
        ("SHA1", &checksum.checksum_sha1),
        ("SHA256", &checksum.checksum_sha256),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect()
}

/// Returns the checksum of content: verifies those that are given, or computes that of the
/// algorithm or the default.
pub(super) fn settle(
    bytes: &[u8],
    given: &Checksum,
    algorithm: Option<&str>,
) -> S3Result<Checksum> {
    let given = present(given);
    let names: Vec<&str> = if given.is_empty() {
        vec![algorithm.unwrap_or(DEFAULT)]
    } else {
        given.iter().map(|(name, _)| *name).collect()
    };
    let computed = compute(&names, |hasher| hasher.update(bytes))?;
    for (name, value) in given {
        if present(&computed)
            .into_iter()
            .any(|(found, right)| found == name && right != value)
        {
            let message =
                format!("The {name} you specified did not match the calculated checksum.");
            return Err(refusal(400, "BadDigest", message));
        }
    }
    Ok(computed)
}

/// Returns the checksum of an object that consists of parts: the checksum of the parts' checksums,
/// and their number.
pub(super) fn composite(parts: &[&Checksum], algorithm: &str) -> S3Result<Option<Checksum>> {
    let mut raw = Vec::new();
    for part in parts {
        let found = present(part)
            .into_iter()
            .find(|(name, _)| *name == algorithm);
        let Some(bytes) = found.and_then(|(_, value)| BASE64_STANDARD.decode(value).ok()) else {
            return Ok(None);
        };
        raw.extend(bytes);
    }
    let mut computed = compute(&[algorithm], |hasher| hasher.update(&raw))?;
    for value in [
        &mut computed.checksum_crc32,
        &mut computed.checksum_crc32c,
        &mut computed.checksum_crc64nvme,
        &mut computed.checksum_sha1,
        &mut computed.checksum_sha256,
    ] {
        *value = value.take().map(|value| format!("{value}-{}", parts.len()));
    }
    computed.checksum_type = Some(ChecksumType::from_static(ChecksumType::COMPOSITE));
    Ok(Some(computed))
}

fn compute(names: &[&str], feed: impl FnOnce(&mut ChecksumHasher)) -> S3Result<Checksum> {
    let mut hasher = ChecksumHasher::default();
    for name in names {
        match *name {
            "CRC32" => hasher.crc32 = Some(Crc32::new()),
            "CRC32C" => hasher.crc32c = Some(Crc32c::new()),
            "CRC64NVME" => hasher.crc64nvme = Some(Crc64Nvme::new()),
            "SHA1" => hasher.sha1 = Some(Sha1::new()),
            "SHA256" => hasher.sha256 = Some(Sha256::new()),
            _ => {
                return Err(invalid_argument(
                    "Checksum algorithm provided is unsupported. Please try again with any of the \
                     valid types: [CRC32, CRC32C, SHA1, SHA256, CRC64NVME]",
                ));
            }
        }
    }
    feed(&mut hasher);
    let mut computed = hasher.finalize();
    computed.checksum_type = Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT));
    Ok(computed)
}

/// Returns the MD5 of content, after comparing it with `Content-MD5`.
pub(super) fn md5(bytes: &[u8], given: Option<&str>) -> S3Result<[u8; 16]> {
    let digest: [u8; 16] = Md5::digest(bytes).into();
    if let Some(given) = given {
        let Some(given) = BASE64_STANDARD
            .decode(given)
            .ok()
            .filter(|given| given.len() == 16)
        else {
            return Err(refusal(
                400,
                "InvalidDigest",
                "The Content-MD5 you specified was invalid.",
            ));
        };
        if given != digest {
            return Err(refusal(
                400,
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_verified_or_computed() {
        let given = |crc32: &str| Checksum {
            checksum_crc32: Some(crc32.into()),
            ..Checksum::default()
        };
        // The CRC-32 of "123456789" is 0xCBF43926.
        let right = settle(b"123456789", &given("y/Q5Jg=="), None).unwrap();
        assert_eq!(present(&right), [("CRC32", "y/Q5Jg==")]);
        let wrong = settle(b"123456780", &given("y/Q5Jg=="), None).unwrap_err();
        assert_eq!(
            (wrong.code().as_str(), wrong.message()),
            (
                "BadDigest",
                Some("The CRC32 you specified did not match the calculated checksum.")
            )
        );
        let by_default = settle(b"123456789", &Checksum::default(), None).unwrap();
        // The CRC-64/NVME of it is 0xAE8B14860A799888.
        assert_eq!(present(&by_default), [("CRC64NVME", "rosUhgp5mIg=")]);
        assert_eq!(
            present(&settle(b"", &Checksum::default(), Some("SHA1")).unwrap())[0].0,
            "SHA1"
        );
        assert!(settle(b"", &Checksum::default(), Some("CRC8")).is_err());
        let parts = composite(&[&right, &right], "CRC32").unwrap().unwrap();
        assert!(present(&parts)[0].1.ends_with("-2"));
        assert!(
            composite(&[&right, &by_default], "CRC32")
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn content_md5_is_verified() {
        let code = |given: &str| {
            md5(b"", Some(given))
                .map_err(|error| error.code().as_str().to_owned())
                .err()
        };
        assert_eq!(code("1B2M2Y8AsgTpgAmY7PhCfg=="), None);
        assert_eq!(code("1B2M2Y8AsgTpgAmY7PhCfA=="), Some("BadDigest".into()));
        assert_eq!(code("x"), Some("InvalidDigest".into()));
    }
}
