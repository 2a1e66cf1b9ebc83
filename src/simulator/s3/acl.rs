//! Access control lists, and the owner's ID.

use md5::{Digest, Md5};
use s3s::S3Result;
use s3s::dto::{AccessControlPolicy, Grant, Grantee, Owner, Permission, Type};

use super::bucket_settings::BucketSettings;
use super::{access_denied, invalid_argument, refusal};

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// Returns an account's canonical ID: 64 hexadecimal digits.
pub(super) fn owner(account: &str) -> Owner {
    let half = |salt: &str| hex::encode(Md5::digest(format!("{salt}{account}")));
    Owner {
        display_name: None,
        id: Some(half("a") + &half("b")),
    }
}

/// Returns the ACL that grants full control to the owner only.
pub(super) fn private(account: &str) -> Vec<Grant> {
    let grantee = Grantee {
        display_name: None,
        email_address: None,
        id: owner(account).id,
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    vec![grant(grantee, Permission::FULL_CONTROL)]
}

fn grant(grantee: Grantee, permission: &'static str) -> Grant {
    Grant {
        grantee: Some(grantee),
        permission: Some(Permission::from_static(permission)),
    }
}

fn to_group(uri: &str, permission: &'static str) -> Grant {
    let type_ = Type::from_static(Type::GROUP);
    let grantee = Grantee {
        display_name: None,
        email_address: None,
        id: None,
        type_,
        uri: Some(uri.to_owned()),
    };
    grant(grantee, permission)
}

/// Returns the grants of a canned ACL.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl>
fn canned_acl(name: &str, account: &str) -> S3Result<Vec<Grant>> {
    let more = match name {
        "private" | "aws-exec-read" | "bucket-owner-read" | "bucket-owner-full-control" => vec![],
        "public-read" => vec![to_group(ALL_USERS, Permission::READ)],
        "public-read-write" => vec![
            to_group(ALL_USERS, Permission::READ),
            to_group(ALL_USERS, Permission::WRITE),
        ],
        "authenticated-read" => vec![to_group(AUTHENTICATED_USERS, Permission::READ)],
        "log-delivery-write" => {
            vec![
                to_group(LOG_DELIVERY, Permission::WRITE),
                to_group(LOG_DELIVERY, Permission::READ_ACP),
            ]
        }
        _ => return Err(invalid_argument("")),
    };
    Ok(private(account).into_iter().chain(more).collect())
}

/// The ACL in a request.
#[derive(Default)]
pub(super) struct AclRequest<'a> {
    /// `x-amz-acl`
    pub canned: Option<&'a str>,
    /// `x-amz-grant-…`: permission and grantees.
    pub grants: Vec<(&'static str, &'a str)>,
    pub policy: Option<AccessControlPolicy>,
}

impl AclRequest<'_> {
    /// Returns the ACL of a new object.
    ///
    /// A bucket with ACLs disabled accepts those that grant everything to its owner. S3 documents
    /// `bucket-owner-full-control`; `private`, which the Python TaskCat always sends, grants the
    /// same.
    pub(super) fn for_object(
        self,
        settings: &BucketSettings,
        account: &str,
    ) -> S3Result<Vec<Grant>> {
        if settings.has_acls_off() {
            let harmless = matches!(
                self.canned,
                None | Some("private" | "bucket-owner-full-control")
            );
            if !harmless || !self.grants.is_empty() {
                return Err(not_supported());
            }
            return Ok(private(account));
        }
        self.list(settings, account)
    }

    /// Returns the ACL that replaces that of a bucket or an object.
    pub(super) fn replacement(
        self,
        settings: &BucketSettings,
        account: &str,
    ) -> S3Result<Vec<Grant>> {
        if settings.has_acls_off() {
            return Err(not_supported());
        }
        self.list(settings, account)
    }

    fn list(self, settings: &BucketSettings, account: &str) -> S3Result<Vec<Grant>> {
        let list = match (self.canned, self.policy) {
            (Some(name), _) => canned_acl(name, account)?,
            (None, Some(policy)) => policy.grants.unwrap_or_default(),
            (None, None) if self.grants.is_empty() => private(account),
            (None, None) => self
                .grants
                .iter()
                .flat_map(|(permission, to)| grantees(permission, to))
                .collect(),
        };
        if is_public(&list) && settings.blocks(|block| block.block_public_acls) {
            return Err(access_denied());
        }
        Ok(list)
    }
}

/// `id="…", uri="http://acs.amazonaws.com/groups/global/AllUsers"`
fn grantees(permission: &'static str, header: &str) -> Vec<Grant> {
    let one = |item: &str| {
        let (kind, value) = item.trim().split_once('=')?;
        let value = value.trim_matches('"');
        if kind == "uri" {
            return Some(to_group(value, permission));
        }
        let type_ = Type::from_static(Type::CANONICAL_USER);
        let id = Some(value.to_owned());
        Some(grant(
            Grantee {
                display_name: None,
                email_address: None,
                id,
                type_,
                uri: None,
            },
            permission,
        ))
    };
    header.split(',').filter_map(one).collect()
}

fn is_public(list: &[Grant]) -> bool {
    let to_everybody = |uri: &String| uri == ALL_USERS || uri == AUTHENTICATED_USERS;
    list.iter()
        .filter_map(|grant| grant.grantee.as_ref()?.uri.as_ref())
        .any(to_everybody)
}

/// Returns whether the grants let anybody but the owner read.
pub(super) fn grants_read(list: &[Grant], is_signed: bool) -> bool {
    list.iter().any(|grant| {
        let uri = grant
            .grantee
            .as_ref()
            .and_then(|grantee| grantee.uri.as_deref());
        let permission = grant.permission.as_ref().map(Permission::as_str);
        let group = uri == Some(ALL_USERS) || (is_signed && uri == Some(AUTHENTICATED_USERS));
        group
            && matches!(
                permission,
                Some(Permission::READ | Permission::FULL_CONTROL)
            )
    })
}

fn not_supported() -> s3s::S3Error {
    refusal(
        400,
        "AccessControlListNotSupported",
        "The bucket does not allow ACLs",
    )
}

#[cfg(test)]
mod tests {
    use s3s::dto::ObjectOwnership;

    use super::*;

    fn with_acls() -> BucketSettings {
        let mut settings = BucketSettings::new(private("1"));
        settings.ownership = Some(ObjectOwnership::from_static(ObjectOwnership::OBJECT_WRITER));
        settings.public_access_block = None;
        settings
    }

    fn canned_request(canned: &str) -> AclRequest<'_> {
        AclRequest {
            canned: Some(canned),
            ..AclRequest::default()
        }
    }

    #[test]
    fn new_buckets_have_acls_disabled() {
        let settings = BucketSettings::new(private("1"));
        let check = |given: AclRequest, expect: Option<&str>| {
            let found = given
                .for_object(&settings, "1")
                .map_err(|error| error.code().as_str().to_owned());
            assert_eq!(found.err().as_deref(), expect);
        };
        check(AclRequest::default(), None);
        check(canned_request("bucket-owner-full-control"), None);
        check(canned_request("private"), None);
        check(
            canned_request("public-read"),
            Some("AccessControlListNotSupported"),
        );
        check(
            AclRequest {
                grants: vec![("READ", "id=\"x\"")],
                ..AclRequest::default()
            },
            Some("AccessControlListNotSupported"),
        );
        assert!(
            canned_request("private")
                .replacement(&settings, "1")
                .is_err()
        );
    }

    #[test]
    fn public_acls_are_blocked_by_default() {
        let mut settings = with_acls();
        let list = canned_request("public-read")
            .for_object(&settings, "1")
            .unwrap();
        assert!(grants_read(&list, false) && list.len() == 2);
        let list = canned_request("authenticated-read")
            .for_object(&settings, "1")
            .unwrap();
        assert!(grants_read(&list, true) && !grants_read(&list, false));
        let header = format!("uri=\"{ALL_USERS}\", id=\"abc\"");
        let list = AclRequest {
            grants: vec![(Permission::READ, &header)],
            ..AclRequest::default()
        }
        .for_object(&settings, "1")
        .unwrap();
        assert!(grants_read(&list, false) && list.len() == 2);
        settings.public_access_block = BucketSettings::new(private("1")).public_access_block;
        assert_eq!(
            canned_request("public-read")
                .for_object(&settings, "1")
                .unwrap_err()
                .code()
                .as_str(),
            "AccessDenied"
        );
        assert!(
            canned_request("private")
                .replacement(&settings, "1")
                .is_ok()
        );
        assert_eq!(
            canned_request("publik")
                .replacement(&settings, "1")
                .unwrap_err()
                .code()
                .as_str(),
            "InvalidArgument"
        );
    }

    #[test]
    fn owners_have_canonical_ids() {
        let id = owner("1").id.unwrap();
        assert!(
            id.len() == 64
                && Some(&id) == owner("1").id.as_ref()
                && Some(&id) != owner("2").id.as_ref()
        );
    }
}
