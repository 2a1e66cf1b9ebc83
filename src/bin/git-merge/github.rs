//! The routes of GitHub's API that a merge needs, and what their answers mean to the pipeline's
//! author.
//!
//! <https://docs.github.com/en/rest/branches/branches>

use serde_json::{Value, json};
use taskcat::aws::JobFailure;

use crate::client::{Call, Client, GithubResponse};
use crate::parameters::{UserParameters, not_a_commit};
use crate::stop::Stop;

pub struct Github<'a> {
    pub client: Client<'a>,
    pub parameters: &'a UserParameters,
}

/// The result of a merge.
#[derive(Debug, PartialEq, Eq)]
pub enum Merged {
    /// A new commit on the base branch.
    Made(String),
    /// The base branch had the commit already.
    AlreadyThere,
}

impl Github<'_> {
    /// Returns the ID of the commit at the head of a branch.
    pub async fn head(&self, branch: &str) -> Result<String, Stop> {
        // A slash in a branch's name doesn't separate segments of the path.
        let name = form_urlencoded::byte_serialize(branch.as_bytes())
            .collect::<String>()
            .replace('+', "%20");
        let answer = self
            .client
            .call(Call::Get, &self.path(&format!("/branches/{name}")))
            .await?;
        match answer.status {
            200 => self.commit_in(&answer.body["commit"]["sha"]),
            404 => Err(self.missing(branch).await),
            _ => Err(self.refused(&answer)),
        }
    }

    /// Merges exactly this commit into the base branch.
    pub async fn merge(&self, commit: &str, message: &str) -> Result<Merged, Stop> {
        let body =
            json!({"base": self.parameters.base_branch, "head": commit, "commit_message": message});
        let answer = self
            .client
            .call(Call::Post(&body), &self.path("/merges"))
            .await?;
        match answer.status {
            201 => self.commit_in(&answer.body["sha"]).map(Merged::Made),
            204 => Ok(Merged::AlreadyThere),
            404 => Err(self.unmergeable(commit, &answer).await),
            409 => Err(self.conflict(commit, &answer)),
            _ => Err(self.refused(&answer)),
        }
    }

    /// Returns the ID of a commit's tree: commits with the same tree have the same files.
    pub async fn tree(&self, commit: &str) -> Result<String, Stop> {
        let answer = self
            .client
            .call(Call::Get, &self.path(&format!("/git/commits/{commit}")))
            .await?;
        match answer.status {
            200 => self.commit_in(&answer.body["tree"]["sha"]),
            _ => Err(self.refused(&answer)),
        }
    }

    fn path(&self, rest: &str) -> String {
        format!(
            "/repos/{}/{}{rest}",
            self.parameters.owner, self.parameters.repo
        )
    }

    fn repository(&self) -> String {
        format!("{}/{}", self.parameters.owner, self.parameters.repo)
    }

    /// GitHub answers "not found" for a branch, for a repository, and for a repository that the
    /// token may not see. Asking for the repository distinguishes the first from the others.
    async fn missing(&self, branch: &str) -> Stop {
        let repository = self.repository();
        match self.client.call(Call::Get, &self.path("")).await {
            Err(stop) => stop,
            Ok(answer) if answer.status == 200 => Stop::failed(
                JobFailure::ConfigurationError,
                format!(
                    "{repository} has no branch `{branch}`. Create it, or set the right name in \
                     UserParameters."
                ),
            ),
            Ok(answer) if answer.status == 404 => Stop::failed(
                JobFailure::ConfigurationError,
                format!(
                    "GitHub doesn't show the repository {repository}: it doesn't exist, or the \
                     token in {} cannot see \
                     it. Set the right `owner` and `repo`, or give the token access to it.",
                    self.parameters.secret.arn
                ),
            ),
            Ok(answer) => self.refused(&answer),
        }
    }

    /// Returns the failure for a missing base, a missing head, or a missing permission.
    async fn unmergeable(&self, commit: &str, answer: &GithubResponse) -> Stop {
        if let Err(stop) = self.head(&self.parameters.base_branch).await {
            return stop;
        }
        let repository = self.repository();
        if answer.message.to_lowercase().contains("head") {
            return Stop::failed(
                JobFailure::ConfigurationError,
                format!(
                    "{repository} has no commit {commit}. Set `commit` to the one that the source \
                     action took from \
                     this repository.{}",
                    quoted(answer)
                ),
            );
        }
        Stop::failed(JobFailure::PermissionError, self.powerless(answer))
    }

    fn conflict(&self, commit: &str, answer: &GithubResponse) -> Stop {
        let UserParameters {
            base_branch: base,
            head_branch: head,
            ..
        } = self.parameters;
        if !answer.message.to_lowercase().contains("conflict") {
            return self.refused(answer);
        }
        Stop::failed(
            JobFailure::JobFailed,
            format!(
                "{commit} of `{head}` cannot be merged into `{base}` of {}: both change the same \
                 lines. Merge `{base}` \
                 into `{head}`, resolve the conflict there, and push: the pipeline tests and \
                 merges the result.{}",
                self.repository(),
                quoted(answer)
            ),
        )
    }

    /// Returns the failure for any other status.
    fn refused(&self, answer: &GithubResponse) -> Stop {
        let repository = self.repository();
        let said = answer.message.to_lowercase();
        let quoted = quoted(answer);
        if answer.status == 401 {
            let text = format!(
                "GitHub doesn't accept the token in {}: it is wrong, expired or revoked. Put a new \
                 one into the \
                 secret.{quoted}",
                self.parameters.secret.arn
            );
            return Stop::failed(JobFailure::PermissionError, text);
        }
        let is_rule = said.contains("rule") && matches!(answer.status, 403 | 409 | 422);
        if is_rule || is_protection(answer) {
            return Stop::failed(JobFailure::PermissionError, self.ruled_out(answer));
        }
        match answer.status {
            403 => Stop::failed(JobFailure::PermissionError, self.powerless(answer)),
            422 => Stop::failed(
                JobFailure::JobFailed,
                format!(
                    "GitHub cannot do this merge in {repository}. Fix what it \
                     reports.{quoted}"
                ),
            ),
            status => Stop::failed(
                JobFailure::JobFailed,
                format!(
                    "GitHub answered with the unexpected status {status} for {repository}. Check \
                     that `apiUrl` is the URL of its API.{quoted}"
                ),
            ),
        }
    }

    /// Returns the message for a merge that a ruleset or the protection of the branch refuses.
    /// <https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/about-rulesets>
    fn ruled_out(&self, answer: &GithubResponse) -> String {
        let said = answer.message.to_lowercase();
        let base = &self.parameters.base_branch;
        let repository = self.repository();
        let requires = [
            (
                "merge queue",
                "a merge queue, which merges other commits than the one that was tested",
            ),
            ("pull request", "a pull request"),
            ("approving review", "an approving review"),
            ("review", "a review"),
            ("status check", "status checks"),
            ("signature", "signed commits"),
            ("linear history", "a linear history"),
        ];
        let what = requires.iter().find(|(word, _)| said.contains(word));
        let what = what
            .map(|(_, what)| format!(" `{base}` requires {what}."))
            .unwrap_or_default();
        let bypass = if is_protection(answer) {
            "allow the token's owner to bypass the branch's protection (repository settings, \
             Branches)"
        } else {
            "add the token's owner to the bypass list of the ruleset (repository settings, Rules)"
        };
        format!(
            "a rule of {repository} keeps the token from merging into `{base}`.{what} Either \
             {bypass}, or remove that requirement from the branch.{}",
            quoted(answer)
        )
    }

    fn powerless(&self, answer: &GithubResponse) -> String {
        format!(
            "the token in {} may not merge in {}: it needs the permission \"Contents: read and \
             write\" there (a classic \
             token: the scope `repo`).{}",
            self.parameters.secret.arn,
            self.repository(),
            quoted(answer)
        )
    }

    /// Checks what GitHub calls a commit, since it goes into messages and variables.
    fn commit_in(&self, value: &Value) -> Result<String, Stop> {
        match value.as_str() {
            Some(commit) if not_a_commit(commit).is_none() => Ok(commit.to_ascii_lowercase()),
            _ => Err(Stop::failed(
                JobFailure::JobFailed,
                format!(
                    "the answer of {}{} for {} has no commit, so it isn't GitHub's API. Correct \
                     `apiUrl`.",
                    self.client.api.origin,
                    self.client.api.path,
                    self.repository()
                ),
            )),
        }
    }
}

/// Returns whether the protection of the branch refuses the merge. Messages about required status
/// checks and reviews don't name it, but refer to its page.
fn is_protection(answer: &GithubResponse) -> bool {
    let said = answer.message.to_lowercase();
    said.contains("protected branch") || answer.documentation.contains("protected-branches")
}

fn quoted(answer: &GithubResponse) -> String {
    if answer.message.is_empty() {
        String::new()
    } else {
        format!(" GitHub says: \"{}\".", answer.message)
    }
}
