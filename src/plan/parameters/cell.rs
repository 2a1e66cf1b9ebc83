//! Pseudo-parameters that need no lookup: region, project, test, account and bucket.

use thiserror::Error;

use super::CellContext;
use crate::template::Unknown;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CellPseudo {
    /// `$[taskcat_autobucket]`: the name of the test's bucket, whoever created it.
    Autobucket,
    /// `$[taskcat_autobucket_prefix]`
    AutobucketPrefix,
    /// Placeholders with the same value in every run, meant to be overridden:
    /// `$[taskcat_getkeypair]` is `cikey`; `$[taskcat_getlicensebucket]` and
    /// `$[taskcat_getmediabucket]` are `override_this`.
    Fixed(&'static str),
    /// `$[taskcat_current_region]`
    CurrentRegion,
    /// `$[taskcat_project_name]`
    ProjectName,
    /// `$[taskcat_test_name]`
    TestName,
    /// `$[taskcat_git_branch]`: the last component of the branch's name.
    GitBranch,
    /// `$[taskcat_account_id]`; TaskCat 0.9.58 doesn't have it.
    AccountId,
    /// `$[taskcat_partition]`; TaskCat 0.9.58 doesn't have it.
    Partition,
}

/// Something that only a run knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} is not known before a run")]
pub(super) struct NotKnownYet {
    what: &'static str,
    /// The reason why the value is unknown.
    reason: &'static str,
    /// A value of the same form, if it has a fixed one.
    example: Option<&'static str>,
}

impl NotKnownYet {
    pub(super) fn unknown(self) -> Unknown {
        let unknown = Unknown::asked(self.reason);
        match self.example {
            Some(example) => unknown.like(example),
            None => unknown.non_empty(),
        }
    }
}

impl CellPseudo {
    pub(super) fn value(self, scope: &CellContext) -> Result<String, NotKnownYet> {
        let value = match self {
            CellPseudo::Autobucket => known(scope.bucket, BUCKET),
            CellPseudo::AutobucketPrefix => known(scope.bucket, BUCKET).map(bucket_prefix),
            CellPseudo::Fixed(text) => Ok(text),
            CellPseudo::CurrentRegion => Ok(scope.region),
            CellPseudo::ProjectName => Ok(scope.project_name),
            CellPseudo::TestName => Ok(scope.test_name),
            CellPseudo::GitBranch => known(scope.git_branch, GIT_BRANCH),
            CellPseudo::AccountId => known(scope.account_id, ACCOUNT_ID),
            CellPseudo::Partition => Ok(scope.partition),
        };
        value.map(str::to_owned)
    }
}

const BUCKET: NotKnownYet = NotKnownYet {
    what: "the name of the bucket",
    reason: "name of the bucket",
    example: None,
};
const GIT_BRANCH: NotKnownYet = NotKnownYet {
    what: "the project's git branch",
    reason: "git branch of the project",
    example: None,
};
const ACCOUNT_ID: NotKnownYet = NotKnownYet {
    what: "the account id",
    reason: "AWS::AccountId",
    example: Some("123456789012"),
};

fn known(value: Option<&str>, not_known: NotKnownYet) -> Result<&str, NotKnownYet> {
    value.ok_or(not_known)
}

/// Returns the text before the second dash of a bucket that TaskCat named (`tcat-quickstart` for
/// `tcat-quickstart-aws-vpc-2x4z6b8d`); any other name unchanged (`_get_autobucket_prefix`).
fn bucket_prefix(bucket: &str) -> &str {
    if !bucket
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("tcat"))
    {
        return bucket;
    }
    bucket
        .match_indices('-')
        .nth(1)
        .map_or(bucket, |(dash, _)| &bucket[..dash])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_buckets() {
        let check =
            |bucket: &str, expect: &str| assert_eq!(bucket_prefix(bucket), expect, "{bucket}");
        check("tcat-quickstart-aws-vpc-2x4z6b8d", "tcat-quickstart");
        check("tcat-vpc-2x4z6b8d", "tcat-vpc");
        check("tcat-vpc", "tcat-vpc");
        check("tcatvpc", "tcatvpc");
        check("my-own-bucket", "my-own-bucket");
        check("tc", "tc");
    }
}
