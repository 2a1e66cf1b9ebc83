//! The steps in order: what to merge, the token, whether the branch has moved since the tests, the
//! merge.

use std::time::Duration;

use taskcat::aws::{Aws, AwsError, ErrorKind, JobFailure};

use crate::client::Client;
use crate::continuation::Continuation;
use crate::deadline::{self, Deadline};
use crate::github::{Github, Merged};
use crate::job::Job;
use crate::parameters::{Secret, UserParameters, not_a_commit};
use crate::stop::{Later, Stop};
use crate::token::Credentials;

/// A finished merge, of this job or an earlier one.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    /// The merge commit, or the head of the base branch if there was nothing to merge.
    pub merge_commit: String,
    pub base_branch: String,
    /// The tested commit.
    pub head_commit: String,
    /// Whether the merge has exactly the files that were tested.
    pub is_tested: bool,
    pub summary: String,
}

/// Does the job, within the time of the invocation.
pub async fn within(aws: &Aws, job: &Job, deadline: Deadline) -> Result<Done, Stop> {
    let work = merge(aws, job, deadline);
    tokio::time::timeout_at(deadline.at(), work)
        .await
        .unwrap_or_else(|_| {
            let why =
                "the time of the invocation ran out before AWS and GitHub had answered".to_owned();
            Err(Stop::Later(Later {
                not_before: None,
                why,
            }))
        })
}

async fn merge(aws: &Aws, job: &Job, deadline: Deadline) -> Result<Done, Stop> {
    let parameters = UserParameters::of(job.parameters.as_deref()).map_err(|faults| {
        let message = format!(
            "the action's UserParameters cannot be used: {}.",
            faults.join("; ")
        );
        Stop::failed(JobFailure::ConfigurationError, message)
    })?;
    let commit = tested(job, &parameters)?;
    tracing::info!(
        owner = %parameters.owner, repo = %parameters.repo, base = %parameters.base_branch,
        head = %parameters.head_branch, commit = %commit, "merging what was tested"
    );
    patience(job, deadline).await?;
    let token = match credentials(aws, &parameters.secret).await? {
        Credentials::Token(token) => token,
        Credentials::App(app) => app.token(&parameters, deadline).await?,
    };
    let client = Client {
        api: &parameters.api,
        token: &token,
        deadline,
    };
    let github = Github {
        client,
        parameters: &parameters,
    };
    let done = steps(&github, &commit, &job.id)
        .await
        .map_err(|stop| stop.without(&token))?;
    Ok(Done {
        summary: token.masked(&done.summary),
        ..done
    })
}

/// Returns the tested commit, from the parameters or from the source action's artifact.
fn tested(job: &Job, parameters: &UserParameters) -> Result<String, Stop> {
    let configuration =
        |message: String| Err(Stop::failed(JobFailure::ConfigurationError, message));
    match (&parameters.commit, &job.revision) {
        (Some(commit), _) => Ok(commit.clone()),
        (None, Some(revision)) => match not_a_commit(revision) {
            None => Ok(revision.to_ascii_lowercase()),
            Some(fault) => configuration(format!(
                "the revision of the input artifact {fault}: the source isn't a git \
                 repository. Set `commit` in UserParameters to the tested commit."
            )),
        },
        (None, None) => configuration(
            "the tested commit is unknown. Give the action the source's artifact as an \
             input artifact, or set \
             `commit` in UserParameters to the source action's `#{Source.CommitId}`."
                .to_owned(),
        ),
    }
}

/// Waits, or hands the job over, if GitHub asked an earlier job to wait until later than now.
async fn patience(job: &Job, deadline: Deadline) -> Result<(), Stop> {
    let Some(continuation) = Continuation::of(job.continuation.as_deref()) else {
        let message =
            "the job's continuation token is not one of this function's. Retry the stage.";
        return Err(Stop::failed(JobFailure::JobFailed, message));
    };
    let pause = Duration::from_secs(continuation.not_before.saturating_sub(deadline::now()));
    if pause.is_zero() {
        return Ok(());
    }
    let until = deadline::clock(continuation.not_before);
    tracing::info!(
        pause = pause.as_secs(),
        "GitHub limits the token's calls until {until}: waiting"
    );
    if pause < deadline.left() {
        tokio::time::sleep(pause).await;
        return Ok(());
    }
    // Sleeps as long as it can, so that few invocations are needed.
    tokio::time::sleep(deadline.left().saturating_sub(Duration::from_secs(1))).await;
    let why = format!("GitHub limits the token's calls until {until}");
    Err(Stop::Later(Later {
        not_before: Some(continuation.not_before),
        why,
    }))
}

/// Reads the secret for each job, so that the next job uses a changed token.
async fn credentials(aws: &Aws, secret: &Secret) -> Result<Credentials, Stop> {
    let clients = aws
        .clients(taskcat::aws::DEFAULT_PROFILE, &secret.region)
        .await;
    let text = clients
        .secret(&secret.arn)
        .await
        .map_err(|error| unread(secret, &error))?;
    tracing::info!(secret = %secret.arn, "read the secret");
    Credentials::of(&text).map_err(|fault| {
        let message = format!(
            "the secret {} {fault}. It is the token itself, JSON with the token under the key \
             `token`, or JSON with \
             `appId` and `privateKey` of a GitHub App.",
            secret.arn
        );
        Stop::failed(JobFailure::ConfigurationError, message)
    })
}

fn unread(secret: &Secret, error: &AwsError) -> Stop {
    let (kind, what_to_do) = match error.kind {
        ErrorKind::NotFound => (
            JobFailure::ConfigurationError,
            "Set `secretsManagerArn` to the ARN of the secret with GitHub's token",
        ),
        ErrorKind::Denied | ErrorKind::Credentials | ErrorKind::MissingProfile => (
            JobFailure::PermissionError,
            "Allow the function's role `secretsmanager:GetSecretValue` on it, and `kms:Decrypt` on \
             its key if that is \
             your own",
        ),
        ErrorKind::Throttled
        | ErrorKind::Unreachable
        | ErrorKind::Network
        | ErrorKind::Unavailable => (JobFailure::SystemUnavailable, "Retry the stage"),
        ErrorKind::AlreadyExists | ErrorKind::NotImplemented | ErrorKind::Other => (
            JobFailure::ConfigurationError,
            "It must exist, not be scheduled for deletion, and contain text",
        ),
    };
    Stop::failed(
        kind,
        format!(
            "the secret with the token cannot be read: {error}. {what_to_do}. ({})",
            secret.arn
        ),
    )
}

async fn steps(github: &Github<'_>, commit: &str, job: &str) -> Result<Done, Stop> {
    let UserParameters {
        base_branch: base,
        head_branch: head,
        ..
    } = github.parameters;
    let found = github.head(head).await?;
    tracing::info!(branch = %head, head = %found, "asked for the branch");
    if found != commit {
        moved(github.parameters, commit, &found)?;
    }
    let message = format!(
        "Merge {head} into {base}\n\nMerges {commit}, which was tested by the pipeline (job {job})."
    );
    let merged = github.merge(commit, &message).await?;
    let (merge_commit, mut summary) = match &merged {
        Merged::Made(merge_commit) => (
            merge_commit.clone(),
            format!("{commit} of `{head}` was merged into `{base}`: {merge_commit}"),
        ),
        Merged::AlreadyThere => (
            github.head(base).await?,
            format!("nothing to merge: `{base}` has {commit} of `{head}` already"),
        ),
    };
    let is_tested = github.tree(&merge_commit).await? == github.tree(commit).await?;
    if !is_tested {
        if merged == Merged::AlreadyThere && !github.parameters.allow_untested {
            return Err(untested(github.parameters, commit, &merge_commit));
        }
        summary += &format!("; `{base}` has changes that were not tested together with it");
    }
    tracing::info!(merge = %merge_commit, is_tested, "{summary}");
    Ok(Done {
        merge_commit,
        base_branch: base.clone(),
        head_commit: commit.to_owned(),
        is_tested,
        summary,
    })
}

/// Returns the failure for a release branch that has moved on since it received the tested commit.
fn untested(parameters: &UserParameters, commit: &str, merge_commit: &str) -> Stop {
    let UserParameters {
        base_branch: base,
        head_branch: head,
        ..
    } = parameters;
    Stop::failed(
        JobFailure::JobFailed,
        format!(
            "nothing to merge: `{base}` has {commit} of `{head}` already, but its head \
             {merge_commit} has other files, \
             which this pipeline has not tested. Merge `{base}` into `{head}` and push, so that \
             they are tested, or set \
             `allowUntested` to true to go on all the same."
        ),
    )
}

/// Fails if the source branch has moved on, since later commits were not tested.
fn moved(parameters: &UserParameters, commit: &str, found: &str) -> Result<(), Stop> {
    let head = &parameters.head_branch;
    if parameters.allow_moved {
        tracing::warn!(branch = %head, head = %found, "the branch has moved on; the tested commit \
            alone is merged");
        return Ok(());
    }
    Err(Stop::failed(
        JobFailure::JobFailed,
        format!(
            "`{head}` has moved on: {commit} was tested, and its head is now {found}. \
             Nothing was merged. Let the \
             pipeline run with the new head, or set `allowMoved` to true to merge the tested \
             commit all the same."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(revision: Option<&str>) -> Job {
        Job {
            id: "1".into(),
            parameters: None,
            revision: revision.map(str::to_owned),
            continuation: None,
        }
    }

    fn parameters(commit: Option<&str>) -> UserParameters {
        let text = r#"{"owner": "o", "repo": "r", "baseBranch": "b", "headBranch": "h",
                       "secretsManagerArn": "arn:aws:secretsmanager:us-east-1:1:secret:s"}"#;
        let read = UserParameters::of(Some(text)).unwrap();
        UserParameters {
            commit: commit.map(str::to_owned),
            ..read
        }
    }

    #[test]
    fn the_tested_commit_is_what_the_parameters_say_or_the_source_took() {
        let one = "1".repeat(40);
        let two = "2".repeat(40);
        assert_eq!(tested(&job(Some(&two)), &parameters(Some(&one))), Ok(one));
        assert_eq!(tested(&job(Some(&two)), &parameters(None)), Ok(two));
        let check = |revision: Option<&str>, expect: &str| match tested(
            &job(revision),
            &parameters(None),
        ) {
            Err(Stop::Failed(failure)) => {
                assert_eq!(failure.kind, JobFailure::ConfigurationError);
                assert!(failure.message.starts_with(expect), "{}", failure.message);
            }
            other => panic!("{other:?}"),
        };
        check(None, "the tested commit is unknown.");
        check(
            Some("xyz.version"),
            "the revision of the input artifact is not the full id of a commit",
        );
    }
}
