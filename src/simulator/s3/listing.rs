//! Lists of keys and versions, in pages.

use std::collections::BTreeMap;
use std::ops::Bound;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::S3Result;
use s3s::dto::*;

use super::super::Cloud;
use super::store::{StoredBucket, StoredObject, StoredVersion, time};
use super::{Requester, acl, invalid_argument};

/// The largest number of entries in a page.
const PAGE: usize = 1000;

/// Returns an opaque token for the key after which the next page begins.
pub(super) fn to_token(after: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("after {after}"))
}

/// Returns the key in a token.
///
/// # Errors
/// Fails with S3's error if it isn't a token of [`to_token`].
pub(super) fn from_token(token: &str) -> S3Result<String> {
    let text = BASE64_URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let after = text.as_deref().and_then(|text| text.strip_prefix("after "));
    after
        .map(str::to_owned)
        .ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))
}

/// The parameters of a listing.
#[derive(Clone, Copy, Debug, Default)]
struct ListingQuery<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    /// Keys up to this one are skipped and, if it is a common prefix, all keys that begin with it.
    after: &'a str,
    most: usize,
}

/// A page: keys or common prefixes, in order.
#[derive(Debug, PartialEq, Eq)]
struct KeyPage<'a> {
    entries: Vec<ListingEntry<'a>>,
    is_truncated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ListingEntry<'a> {
    Key(&'a str),
    Prefix(&'a str),
}

impl<'a> ListingEntry<'a> {
    fn name(&self) -> &'a str {
        match self {
            Self::Key(name) | Self::Prefix(name) => name,
        }
    }
}

/// Collects a page of keys in order; keys below a common prefix are skipped.
fn page<'a, T>(
    keys: &'a BTreeMap<String, T>,
    query: ListingQuery,
    counts: impl Fn(&T) -> bool,
) -> KeyPage<'a> {
    let mut page = KeyPage {
        entries: Vec::new(),
        is_truncated: false,
    };
    if query.most == 0 {
        return page;
    }
    let is_below = |key: &str| {
        let folder = !query.delimiter.is_empty() && query.after.ends_with(query.delimiter);
        folder && query.after.len() > query.prefix.len() && key.starts_with(query.after)
    };
    let mut from = match query.after > query.prefix {
        true if is_below(query.after) => Bound::Excluded(after_prefix(query.after)),
        true => Bound::Excluded(query.after.to_owned()),
        false => Bound::Included(query.prefix.to_owned()),
    };
    while let Some((key, value)) = keys
        .range::<String, _>((from.as_ref(), Bound::Unbounded))
        .next()
    {
        let Some(rest) = key.strip_prefix(query.prefix) else {
            break;
        };
        let cut = (!query.delimiter.is_empty())
            .then(|| rest.find(query.delimiter))
            .flatten();
        let common = cut.and_then(|at| key.get(..query.prefix.len() + at + query.delimiter.len()));
        if !counts(value) {
            from = Bound::Excluded(key.clone());
            continue;
        }
        if page.entries.len() == query.most {
            page.is_truncated = true;
            break;
        }
        page.entries
            .push(common.map_or(ListingEntry::Key(key), ListingEntry::Prefix));
        from = Bound::Excluded(common.map_or_else(|| key.clone(), after_prefix));
    }
    page
}

/// Returns a string that is greater than every key with this prefix.
fn after_prefix(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

/// Everything but the characters that S3 leaves as they are in URL-encoded keys.
const URL_ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// How keys are written: unchanged or URL-encoded, because XML can't contain all characters.
struct KeyEncoding {
    encoded: bool,
}

impl KeyEncoding {
    fn of(encoding: Option<&EncodingType>) -> Self {
        Self {
            encoded: encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL),
        }
    }

    fn write(&self, name: &str) -> String {
        if !self.encoded {
            return name.to_owned();
        }
        utf8_percent_encode(name, URL_ENCODED).to_string()
    }

    fn optional(&self, name: Option<&str>) -> Option<String> {
        name.map(|name| self.write(name))
    }
}

/// Returns the number of entries of a page.
fn most(query: Option<i32>) -> S3Result<(usize, i32)> {
    let query = query.unwrap_or(1000);
    let count = usize::try_from(query)
        .map_err(|_| invalid_argument("maxKeys cannot be negative"))?
        .min(PAGE);
    Ok((count, i32::try_from(count).unwrap_or(i32::MAX)))
}

fn has_current_version(versions: &[StoredVersion]) -> bool {
    versions
        .last()
        .is_some_and(|version| version.object.is_some())
}

fn contents(
    bucket: &StoredBucket,
    page: &KeyPage,
    names: &KeyEncoding,
    with_owner: bool,
) -> (ObjectList, CommonPrefixList) {
    let mut objects = ObjectList::new();
    let mut prefixes = CommonPrefixList::new();
    for entry in &page.entries {
        match entry {
            ListingEntry::Prefix(prefix) => prefixes.push(CommonPrefix {
                prefix: Some(names.write(prefix)),
            }),
            ListingEntry::Key(key) => {
                objects.extend(bucket.current(key).map(|(version, object)| Object {
                    key: Some(names.write(key)),
                    e_tag: Some(ETag::Strong(object.etag.clone())),
                    size: i64::try_from(object.bytes.len()).ok(),
                    last_modified: Some(time(version.modified)),
                    owner: with_owner.then(|| acl::owner(&bucket.account)),
                    storage_class: Some(ObjectStorageClass::from(storage_class(object))),
                    checksum_algorithm: algorithms(object),
                    checksum_type: object.checksum.checksum_type.clone(),
                    ..Default::default()
                }))
            }
        }
    }
    (objects, prefixes)
}

fn storage_class(object: &StoredObject) -> String {
    object
        .about
        .storage_class
        .as_ref()
        .map_or("STANDARD", StorageClass::as_str)
        .to_owned()
}

fn algorithms(object: &StoredObject) -> Option<ChecksumAlgorithmList> {
    let present = super::checksum::present(&object.checksum);
    (!present.is_empty()).then(|| {
        present
            .into_iter()
            .map(|(name, _)| ChecksumAlgorithm::from_static(name))
            .collect()
    })
}

/// Carries out `ListObjectsV2`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
pub(super) fn list_objects_v2(
    cloud: &Cloud,
    _: &Requester,
    input: ListObjectsV2Input,
) -> S3Result<ListObjectsV2Output> {
    let names = KeyEncoding::of(input.encoding_type.as_ref());
    let (count, max_keys) = most(input.max_keys)?;
    let continued = input
        .continuation_token
        .as_deref()
        .map(from_token)
        .transpose()?;
    let query = ListingQuery {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after: continued
            .as_deref()
            .or(input.start_after.as_deref())
            .unwrap_or_default(),
        most: count,
    };
    cloud.s3.with(&input.bucket, |bucket| {
        let page = page(&bucket.keys, query, |versions| {
            has_current_version(versions)
        });
        let (objects, prefixes) =
            contents(bucket, &page, &names, input.fetch_owner.unwrap_or_default());
        let last = page.entries.last().filter(|_| page.is_truncated);
        Ok(ListObjectsV2Output {
            name: Some(input.bucket.clone()),
            prefix: Some(names.write(query.prefix)),
            delimiter: names.optional(input.delimiter.as_deref()),
            max_keys: Some(max_keys),
            key_count: i32::try_from(page.entries.len()).ok(),
            is_truncated: Some(page.is_truncated),
            continuation_token: input.continuation_token.clone(),
            next_continuation_token: last.map(|entry| to_token(entry.name())),
            start_after: names.optional(input.start_after.as_deref()),
            contents: Some(objects),
            common_prefixes: Some(prefixes),
            encoding_type: input.encoding_type.clone(),
            ..Default::default()
        })
    })
}

/// Carries out `ListObjects`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>
pub(super) fn list_objects(
    cloud: &Cloud,
    _: &Requester,
    input: ListObjectsInput,
) -> S3Result<ListObjectsOutput> {
    let names = KeyEncoding::of(input.encoding_type.as_ref());
    let (count, max_keys) = most(input.max_keys)?;
    let query = ListingQuery {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after: input.marker.as_deref().unwrap_or_default(),
        most: count,
    };
    cloud.s3.with(&input.bucket, |bucket| {
        let page = page(&bucket.keys, query, |versions| {
            has_current_version(versions)
        });
        let (objects, prefixes) = contents(bucket, &page, &names, true);
        // Without a delimiter, clients use the last key as the next marker.
        let last = page
            .entries
            .last()
            .filter(|_| page.is_truncated && !query.delimiter.is_empty());
        Ok(ListObjectsOutput {
            name: Some(input.bucket.clone()),
            prefix: Some(names.write(query.prefix)),
            delimiter: names.optional(input.delimiter.as_deref()),
            marker: Some(names.write(query.after)),
            next_marker: last.map(|entry| names.write(entry.name())),
            max_keys: Some(max_keys),
            is_truncated: Some(page.is_truncated),
            contents: Some(objects),
            common_prefixes: Some(prefixes),
            encoding_type: input.encoding_type.clone(),
            ..Default::default()
        })
    })
}

/// Carries out `ListObjectVersions`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
pub(super) fn list_object_versions(
    cloud: &Cloud,
    _: &Requester,
    input: ListObjectVersionsInput,
) -> S3Result<ListObjectVersionsOutput> {
    let names = KeyEncoding::of(input.encoding_type.as_ref());
    let (count, max_keys) = most(input.max_keys)?;
    let key_marker = input.key_marker.as_deref().unwrap_or_default();
    let version_marker = input
        .version_id_marker
        .as_deref()
        .filter(|marker| !marker.is_empty());
    if version_marker.is_some() && key_marker.is_empty() {
        return Err(invalid_argument(
            "A version-id marker cannot be specified without a key marker.",
        ));
    }
    let query = ListingQuery {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after: key_marker,
        // One key more than entries, to find out whether there are more.
        most: count.saturating_add(1),
    };
    cloud.s3.with(&input.bucket, |bucket| {
        let mut found = VersionPage::new(&names, bucket, count);
        if let (Some(marker), Some(versions)) = (version_marker, bucket.keys.get(key_marker)) {
            // The rest of the versions of the key at which the previous page ended.
            let at = versions
                .iter()
                .position(|version| version.id == marker)
                .unwrap_or_default();
            found.key(
                key_marker,
                versions.get(..at).unwrap_or_default(),
                versions.len(),
            );
        }
        for entry in page(&bucket.keys, query, |_| true).entries {
            match entry {
                ListingEntry::Prefix(prefix) => found.prefix(prefix),
                ListingEntry::Key(key) => {
                    let versions = bucket.keys.get(key).map(Vec::as_slice).unwrap_or_default();
                    found.key(key, versions, versions.len());
                }
            }
        }
        let (next_key, next_version) = found.last.filter(|_| found.is_truncated).unzip();
        Ok(ListObjectVersionsOutput {
            name: Some(input.bucket.clone()),
            prefix: Some(names.write(query.prefix)),
            delimiter: names.optional(input.delimiter.as_deref()),
            key_marker: Some(names.write(key_marker)),
            version_id_marker: Some(version_marker.unwrap_or_default().to_owned()),
            next_key_marker: names.optional(next_key),
            next_version_id_marker: next_version.flatten().map(str::to_owned),
            max_keys: Some(max_keys),
            is_truncated: Some(found.is_truncated),
            encoding_type: input.encoding_type.clone(),
            versions: Some(found.versions),
            delete_markers: Some(found.markers),
            common_prefixes: Some(found.prefixes),
            ..Default::default()
        })
    })
}

/// A page of versions while it is collected.
struct VersionPage<'a> {
    names: &'a KeyEncoding,
    bucket: &'a StoredBucket,
    most: usize,
    count: usize,
    versions: ObjectVersionList,
    markers: DeleteMarkers,
    prefixes: CommonPrefixList,
    is_truncated: bool,
    /// Key and version of the last entry; a common prefix has no version.
    last: Option<(&'a str, Option<&'a str>)>,
}

impl<'a> VersionPage<'a> {
    fn new(names: &'a KeyEncoding, bucket: &'a StoredBucket, most: usize) -> Self {
        Self {
            names,
            bucket,
            most,
            count: 0,
            versions: Vec::new(),
            markers: Vec::new(),
            prefixes: Vec::new(),
            is_truncated: false,
            last: None,
        }
    }

    /// Returns whether there is room for one more.
    fn has_room(&mut self) -> bool {
        let has_room = self.count < self.most;
        self.is_truncated |= !has_room && self.most > 0;
        self.count += usize::from(has_room);
        has_room
    }

    fn prefix(&mut self, prefix: &'a str) {
        if self.has_room() {
            self.prefixes.push(CommonPrefix {
                prefix: Some(self.names.write(prefix)),
            });
            self.last = Some((prefix, None));
        }
    }

    /// Adds the versions of a key, the newest first; the last of `of` is the current one.
    fn key(&mut self, key: &'a str, versions: &'a [StoredVersion], of: usize) {
        for (at, version) in versions.iter().enumerate().rev() {
            if !self.has_room() {
                return;
            }
            self.last = Some((key, Some(&version.id)));
            let is_latest = Some(at + 1 == of);
            let owner = Some(acl::owner(&self.bucket.account));
            let key = Some(self.names.write(key));
            let version_id = Some(version.id.clone());
            let last_modified = Some(time(version.modified));
            match &version.object {
                None => self.markers.push(DeleteMarkerEntry {
                    is_latest,
                    key,
                    last_modified,
                    owner,
                    version_id,
                }),
                Some(object) => self.versions.push(ObjectVersion {
                    is_latest,
                    key,
                    last_modified,
                    owner,
                    version_id,
                    e_tag: Some(ETag::Strong(object.etag.clone())),
                    size: i64::try_from(object.bytes.len()).ok(),
                    storage_class: Some(ObjectVersionStorageClass::from(storage_class(object))),
                    checksum_algorithm: algorithms(object),
                    ..Default::default()
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> BTreeMap<String, bool> {
        // Keys that begin with an exclamation mark are deleted.
        names
            .iter()
            .map(|name| (name.to_string(), !name.starts_with('!')))
            .collect()
    }

    #[test]
    fn listings_are_paged() {
        let all = keys(&["a", "b/1", "b/2", "b/c/3", "c", "d/1", "!gone", "ü"]);
        let check = |prefix: &str, delimiter: &str, after: &str, most: usize, expect: &str| {
            let page = page(
                &all,
                ListingQuery {
                    prefix,
                    delimiter,
                    after,
                    most,
                },
                |there| *there,
            );
            let shown: Vec<&str> = page.entries.iter().map(ListingEntry::name).collect();
            let more = if page.is_truncated { " …" } else { "" };
            assert_eq!(
                format!("{}{more}", shown.join(" ")),
                expect,
                "{prefix} {delimiter} {after} {most}"
            );
        };
        check("", "", "", 10, "a b/1 b/2 b/c/3 c d/1 ü");
        check("", "/", "", 10, "a b/ c d/ ü");
        check("", "/", "", 2, "a b/ …");
        check("", "/", "b/", 2, "c d/ …");
        check("", "/", "d/", 2, "ü");
        check("", "", "b/2", 2, "b/c/3 c …");
        check("b/", "", "", 10, "b/1 b/2 b/c/3");
        check("b/", "/", "", 10, "b/1 b/2 b/c/");
        check("b/", "/", "b/1", 1, "b/2 …");
        check("b/", "/", "b/c/", 10, "");
        check("b", "/", "", 10, "b/");
        check("", "/", "b/1", 10, "b/ c d/ ü");
        check("x", "", "", 10, "");
        check("b/", "", "z", 10, "");
        check("", "", "", 0, "");
        check("", "/c", "", 10, "a b/1 b/2 b/c c d/1 ü");
    }

    #[test]
    fn tokens_are_opaque_and_check_tags() {
        assert_eq!(from_token(&to_token("a/ü")).unwrap(), "a/ü");
        for bad in ["", "x", "a/ü", "YQ"] {
            assert_eq!(
                from_token(bad).unwrap_err().message(),
                Some("The continuation token provided is incorrect"),
                "{bad}"
            );
        }
    }

    #[test]
    fn keys_are_url_encoded_on_request() {
        let check = |encoded: bool, name: &str, expect: &str| {
            assert_eq!(KeyEncoding { encoded }.write(name), expect)
        };
        check(false, "a b/ü+", "a b/ü+");
        check(true, "a b/ü+~", "a%20b/%C3%BC%2B~");
    }
}
