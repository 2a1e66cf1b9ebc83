//! The branch that a CI system builds, from its environment variables. CI systems check out a
//! commit rather than a branch, so git doesn't know it.

/// The variables of each CI system, the one of a pull request's source branch first:
///
/// - CodeBuild: set for builds that a webhook starts; the source version may also be a commit or a
///   pull request
///   (<https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html>)
/// - GitHub Actions: `GITHUB_HEAD_REF` is set for pull requests, whose `GITHUB_REF_NAME` is
///   `26/merge` (<https://docs.github.com/en/actions/reference/variables-reference>)
/// - GitLab (<https://docs.gitlab.com/ci/variables/predefined_variables/>)
/// - Bitbucket (<https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/>)
/// - CircleCI (<https://circleci.com/docs/reference/variables/>)
/// - Azure Pipelines (<https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables>)
/// - Jenkins: `CHANGE_BRANCH` of a change request, whose `BRANCH_NAME` is `PR-24`
///   (<https://www.jenkins.io/doc/book/pipeline/multibranch/>), and `GIT_BRANCH` of the git plugin,
///   which has the remote's name before it (<https://plugins.jenkins.io/git/>)
const VARIABLES: [CiVariable; 14] = [
    CiVariable::new("CODEBUILD_WEBHOOK_HEAD_REF"),
    CiVariable::reference("CODEBUILD_SOURCE_VERSION"),
    CiVariable::new("GITHUB_HEAD_REF"),
    CiVariable::new("GITHUB_REF_NAME").unless("GITHUB_REF_TYPE", Some("tag")),
    CiVariable::new("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
    CiVariable::new("CI_COMMIT_BRANCH"),
    CiVariable::new("CI_COMMIT_REF_NAME").unless("CI_COMMIT_TAG", None),
    CiVariable::new("BITBUCKET_BRANCH"),
    CiVariable::new("CIRCLE_BRANCH"),
    CiVariable::new("SYSTEM_PULLREQUEST_SOURCEBRANCH"),
    CiVariable::reference("BUILD_SOURCEBRANCH"),
    CiVariable::new("CHANGE_BRANCH"),
    CiVariable::new("GIT_BRANCH").unless("TAG_NAME", None),
    CiVariable::new("BRANCH_NAME").unless("TAG_NAME", None),
];

struct CiVariable {
    name: &'static str,
    /// Whether only `refs/heads/…` is a branch.
    is_reference: bool,
    /// The variable, and its value if it matters, that says that a tag is built.
    tag: Option<(&'static str, Option<&'static str>)>,
}

impl CiVariable {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            is_reference: false,
            tag: None,
        }
    }

    const fn reference(name: &'static str) -> Self {
        Self {
            is_reference: true,
            ..Self::new(name)
        }
    }

    const fn unless(self, name: &'static str, value: Option<&'static str>) -> Self {
        Self {
            tag: Some((name, value)),
            ..self
        }
    }
}

/// Returns the branch that a CI system builds; `None` for a tag, or outside of CI.
pub(super) fn branch(env: &[(String, String)]) -> Option<String> {
    let value = |name: &str| {
        let found = env.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.trim())
            .filter(|it| !it.is_empty())
    };
    let is_tag = |variable: &CiVariable| match variable.tag {
        Some((name, Some(tag))) => value(name) == Some(tag),
        Some((name, None)) => value(name).is_some(),
        None => false,
    };
    let known = VARIABLES.iter().filter(|variable| !is_tag(variable));
    let mut values = known.filter_map(|it| Some((it, value(it.name)?)));
    values.find_map(|(variable, value)| branch_of(value, variable.is_reference))
}

/// Returns the branch that a value names; `None` for tags, pull requests and no branch at all.
fn branch_of(value: &str, is_reference: bool) -> Option<String> {
    // CodeBuild's source versions may end with `^{commit}`.
    let value = value.split('^').next().unwrap_or_default();
    let name = match value.strip_prefix("refs/heads/") {
        Some(name) => name,
        None if is_reference || value.starts_with("refs/") => return None,
        None => value,
    };
    // Jenkins calls no branch `detached`.
    (!name.is_empty() && name != "detached" && name != "HEAD").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ci_system_names_its_branch() {
        let check = |variables: &[(&str, &str)], expect: Option<&str>| {
            let env: Vec<_> = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(branch(&env).as_deref(), expect, "{variables:?}");
        };
        check(&[], None);
        check(
            &[("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/feature/login")],
            Some("feature/login"),
        );
        check(&[("CODEBUILD_WEBHOOK_HEAD_REF", "refs/tags/v1")], None);
        let pull_request = [
            ("GITHUB_HEAD_REF", "fix"),
            ("GITHUB_REF_NAME", "26/merge"),
            ("GITHUB_REF_TYPE", "branch"),
        ];
        check(&pull_request, Some("fix"));
        let push = [
            ("GITHUB_HEAD_REF", ""),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_REF_TYPE", "branch"),
        ];
        check(&push, Some("main"));
        let tag = [("GITHUB_REF_NAME", "v1"), ("GITHUB_REF_TYPE", "tag")];
        check(&tag, None);
        check(&[("CI_COMMIT_REF_NAME", "main")], Some("main"));
        let tag = [("CI_COMMIT_REF_NAME", "v1"), ("CI_COMMIT_TAG", "v1")];
        check(&tag, None);
        let merge_request = [
            ("CI_COMMIT_REF_NAME", "refs/merge-requests/59/head"),
            ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "fix"),
        ];
        check(&merge_request, Some("fix"));
        check(
            &[("GIT_BRANCH", "origin/feature/login")],
            Some("origin/feature/login"),
        );
        check(
            &[("GIT_BRANCH", "detached"), ("BRANCH_NAME", "main")],
            Some("main"),
        );
        let version = "refs/heads/fix^{0123456789012345678901234567890123456789}";
        check(&[("CODEBUILD_SOURCE_VERSION", version)], Some("fix"));
        check(&[("CODEBUILD_SOURCE_VERSION", "0123456789")], None);
        check(&[("BITBUCKET_BRANCH", "fix")], Some("fix"));
        check(&[("CIRCLE_BRANCH", "fix")], Some("fix"));
        let pull_request = [
            ("BUILD_SOURCEBRANCH", "refs/pull/1/merge"),
            ("SYSTEM_PULLREQUEST_SOURCEBRANCH", "refs/heads/fix"),
        ];
        check(&pull_request, Some("fix"));
        check(&[("BUILD_SOURCEBRANCH", "refs/tags/v1")], None);
        let change = [("BRANCH_NAME", "PR-24"), ("CHANGE_BRANCH", "fix")];
        check(&change, Some("fix"));
    }
}
