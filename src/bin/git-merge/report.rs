//! The answer to CodePipeline: it waits for one, and the stage's page shows it.

use serde_json::{Value, json};
use taskcat::aws::{Aws, AwsError, DEFAULT_PROFILE, JobFailure, JobSuccess};

use crate::continuation::Continuation;
use crate::job::Job;
use crate::merge::Done;
use crate::stop::{FailedJob, Later, Stop};

/// Reports the result to CodePipeline, and returns what the invocation shows.
pub async fn send(
    aws: &Aws,
    region: &str,
    job: &Job,
    result: Result<Done, Stop>,
) -> Result<Value, AwsError> {
    let clients = aws.clients(DEFAULT_PROFILE, region).await;
    let outcome = match settled(job, result) {
        Settled::Done(done) => {
            let variables = vec![
                ("mergeCommit", done.merge_commit),
                ("baseBranch", done.base_branch),
                ("headCommit", done.head_commit),
                ("isTested", done.is_tested.to_string()),
            ];
            clients
                .put_job_success(&job.id, JobSuccess::Done { variables }, &done.summary)
                .await
                .map(|()| "succeeded")
        }
        Settled::HandedOver { token, summary } => {
            tracing::warn!(continuation = %token, "{summary}");
            clients
                .put_job_success(&job.id, JobSuccess::Continued { token }, &summary)
                .await
                .map(|()| "continued")
        }
        Settled::Failed(failure) => {
            tracing::error!(kind = ?failure.kind, "{}", failure.message);
            clients
                .put_job_failure(&job.id, failure.kind, &failure.message)
                .await
                .map(|()| "failed")
        }
    };
    match outcome {
        Ok(outcome) => {
            tracing::info!(outcome, "reported the result to CodePipeline");
            Ok(json!({"jobId": job.id, "outcome": outcome}))
        }
        Err(error) => {
            tracing::error!("the result could not be reported to CodePipeline: {error}");
            Err(error)
        }
    }
}

#[derive(Debug)]
enum Settled {
    Done(Done),
    HandedOver { token: String, summary: String },
    Failed(FailedJob),
}

/// Returns whether the work may continue in another job.
fn settled(job: &Job, result: Result<Done, Stop>) -> Settled {
    let later = match result {
        Ok(done) => return Settled::Done(done),
        Err(Stop::Failed(failure)) => return Settled::Failed(failure),
        Err(Stop::Later(later)) => later,
    };
    let handed_over =
        Continuation::of(job.continuation.as_deref()).and_then(|so_far| so_far.next(&later));
    match handed_over {
        Some(next) => {
            let summary = format!(
                "{}: continuing in a later invocation (number {})",
                later.why, next.handovers
            );
            Settled::HandedOver {
                token: next.token(),
                summary,
            }
        }
        None => Settled::Failed(given_up(&later)),
    }
}

fn given_up(later: &Later) -> FailedJob {
    let what_to_do = match later.not_before {
        Some(_) => {
            "Find out what else uses the token, or give the pipeline one of its own, and retry the \
             stage"
        }
        None => {
            "Give the function a longer timeout (a minute or more), check that it has a route to \
             AWS and GitHub, and retry the stage"
        }
    };
    let message = format!(
        "gave up after several invocations: {}. {what_to_do}.",
        later.why
    );
    FailedJob {
        kind: JobFailure::SystemUnavailable,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::continuation::{MOST_HANDOVERS, MOST_SLOW};

    fn job(continuation: Option<String>) -> Job {
        Job {
            id: "1".into(),
            parameters: None,
            revision: None,
            continuation,
        }
    }

    /// Lets a job go on for as long as it may; how often it was handed over, and the end.
    fn patience(not_before: Option<u64>) -> (u32, FailedJob) {
        let mut continuation = None;
        let mut handed_over = 0;
        loop {
            let later = Later {
                not_before,
                why: "GitHub limits the token's calls".into(),
            };
            match settled(&job(continuation), Err(Stop::Later(later))) {
                Settled::HandedOver { token, summary } => {
                    handed_over += 1;
                    assert!(
                        summary.ends_with(&format!("(number {handed_over})")),
                        "{summary}"
                    );
                    continuation = Some(token);
                }
                Settled::Failed(failure) => return (handed_over, failure),
                Settled::Done(done) => panic!("{done:?}"),
            }
        }
    }

    #[test]
    fn jobs_are_handed_over_for_a_bounded_time() {
        let (limited, failure) = patience(Some(2_000_000_000));
        assert_eq!(
            (limited, failure.kind),
            (MOST_HANDOVERS, JobFailure::SystemUnavailable)
        );
        assert!(
            failure
                .message
                .contains("Find out what else uses the token"),
            "{}",
            failure.message
        );
        let (slow, failure) = patience(None);
        assert_eq!(
            (slow, failure.kind),
            (MOST_SLOW, JobFailure::SystemUnavailable)
        );
        assert!(
            failure.message.contains("a longer timeout"),
            "{}",
            failure.message
        );
    }
}
