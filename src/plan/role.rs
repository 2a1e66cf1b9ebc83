//! The service role of a test's stacks, from the name or ARN in `role_name`.

use thiserror::Error;

/// A role that CloudFormation assumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StackRole {
    /// The role's name, after its path if it has one: `deploy`, `ci/deploy`.
    Name(String),
    Arn {
        arn: String,
        partition: String,
    },
}

/// Why a `role_name` is invalid. Reads after the value.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum InvalidRole {
    #[error("is not the name of an IAM role (letters, digits and +=,.@_-, at most 64 of them)")]
    Name,
    #[error("has a path that IAM doesn't allow")]
    Path,
    #[error("is not the ARN of an IAM role (expected arn:aws:iam::123456789012:role/NAME)")]
    Arn,
    #[error(
        "is the ARN of a session, not of a role (expected arn:aws:iam::123456789012:role/NAME)"
    )]
    Session,
    #[error("has no account ID of 12 digits")]
    Account,
}

/// The maximum length of a role's name, in characters
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
const MAX_NAME: usize = 64;
const MAX_PATH: usize = 512;

impl StackRole {
    /// Parses the value of `role_name`.
    ///
    /// # Errors
    /// It is neither the name nor the ARN of a role.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidRole> {
        if !text.starts_with("arn:") {
            let name = text.strip_prefix('/').unwrap_or(text);
            check_name(name)?;
            return Ok(Self::Name(name.to_owned()));
        }
        let [_, partition, service, region, account, resource] =
            text.splitn(6, ':').collect::<Vec<_>>()[..]
        else {
            return Err(InvalidRole::Arn);
        };
        let name = match (service, region, resource.split_once('/')) {
            ("iam", "", Some(("role", name))) => name,
            ("sts", _, Some(("assumed-role", _))) => return Err(InvalidRole::Session),
            _ => return Err(InvalidRole::Arn),
        };
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidRole::Account);
        }
        check_name(name)?;
        Ok(Self::Arn {
            arn: text.to_owned(),
            partition: partition.to_owned(),
        })
    }

    /// Returns the role's ARN for a stack in an account (`RegionObj.role_arn`).
    ///
    /// # Errors
    /// The ARN belongs to another partition.
    pub(super) fn arn(&self, partition: &str, account_id: &str) -> Result<String, String> {
        match self {
            Self::Name(name) => Ok(format!("arn:{partition}:iam::{account_id}:role/{name}")),
            Self::Arn {
                arn,
                partition: own,
            } if own == partition => Ok(arn.clone()),
            Self::Arn {
                arn,
                partition: own,
            } => Err(format!(
                "role {arn} is in the partition {own}, the stack would be in {partition}"
            )),
        }
    }
}

/// Checks a role's name with its path.
fn check_name(text: &str) -> Result<(), InvalidRole> {
    let (path, name) = text.rsplit_once('/').unwrap_or(("", text));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(allowed) {
        return Err(InvalidRole::Name);
    }
    // Including the slashes around it.
    let is_path =
        path.len() + 2 <= MAX_PATH && path.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if is_path {
        Ok(())
    } else {
        Err(InvalidRole::Path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_names_or_arns() {
        let check = |text: &str, expect: Result<&str, &str>| {
            let role = StackRole::parse(text).map_err(|error| error.to_string());
            let arn = role.and_then(|role| role.arn("aws-cn", "123456789012"));
            assert_eq!(arn.as_deref().map_err(String::as_str), expect, "{text}");
        };
        check("deploy", Ok("arn:aws-cn:iam::123456789012:role/deploy"));
        check(
            "ci/deploy",
            Ok("arn:aws-cn:iam::123456789012:role/ci/deploy"),
        );
        check(
            "/service-role/a+b=c",
            Ok("arn:aws-cn:iam::123456789012:role/service-role/a+b=c"),
        );
        let whole = "arn:aws-cn:iam::210987654321:role/ci/deploy";
        check(whole, Ok(whole));
        let name =
            "is not the name of an IAM role (letters, digits and +=,.@_-, at most 64 of them)";
        check("my role", Err(name));
        check("ci/", Err(name));
        check(&"x".repeat(65), Err(name));
        check("arn:aws-cn:iam::123456789012:role/", Err(name));
        check("two words/x", Err("has a path that IAM doesn't allow"));
        let arn = "is not the ARN of an IAM role (expected arn:aws:iam::123456789012:role/NAME)";
        for text in [
            "arn:aws",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::123456789012:role",
            "arn:aws:iam:us-east-1:123456789012:role/x",
            "arn:aws:s3:::bucket/x",
        ] {
            check(text, Err(arn));
        }
        check(
            "arn:aws:sts::123456789012:assumed-role/x/session",
            Err("is the ARN of a session, not of a role (expected \
                 arn:aws:iam::123456789012:role/NAME)"),
        );
        check(
            "arn:aws-cn:iam::1234:role/x",
            Err("has no account ID of 12 digits"),
        );
        check(
            "arn:aws:iam::123456789012:role/x",
            Err(
                "role arn:aws:iam::123456789012:role/x is in the partition aws, the stack would be \
                 in aws-cn",
            ),
        );
    }
}
