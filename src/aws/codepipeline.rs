//! CodePipeline: what a pipeline is at, and the two answers that a job's worker owes it.

use aws_sdk_codepipeline::config::retry::RetryConfig;
use aws_sdk_codepipeline::types::{
    ActionState as SdkAction, ExecutionDetails, FailureDetails, FailureType,
};
use jiff::Timestamp;

use super::endpoint::config_for;
use super::trace::Trace;
use super::{AwsError, Clients};

/// A stage and what it is at.
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StageState.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageState {
    /// The stage's name.
    pub name: String,
    /// `Succeeded`, `InProgress`, `Failed`, `Stopped`, …; absent where nothing has come to it yet.
    pub status: Option<String>,
    /// The ID of its latest execution; absent before the first one.
    pub execution_id: Option<String>,
    /// The states of the stage's actions.
    pub actions: Vec<ActionState>,
}

/// The same of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionState {
    /// The action's name.
    pub name: String,
    /// The status of its latest execution; absent before the first one.
    pub status: Option<String>,
    /// When the status last changed, UTC.
    pub changed_at: Option<Timestamp>,
    /// Why it failed, or what it says of itself.
    pub note: Option<String>,
    /// Where more of it can be seen: the build, the change set.
    pub url: Option<String>,
    /// It goes on when somebody approves.
    pub awaits_approval: bool,
}

/// What became of a job that didn't fail.
pub enum JobSuccess {
    /// It is done; later actions read its output variables as `#{namespace.name}`.
    Done {
        /// Names and values of the output variables.
        variables: Vec<(&'static str, String)>,
    },
    /// There will be another job, and the token comes with it. 2,048 characters at most.
    Continued {
        /// The continuation token of the next call.
        token: String,
    },
}

/// The kinds of failure that CodePipeline knows and that say what to look at.
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_FailureDetails.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobFailure {
    /// The job itself failed.
    JobFailed,
    /// The action's configuration is wrong.
    ConfigurationError,
    /// A permission is missing.
    PermissionError,
    /// A service is temporarily unavailable.
    SystemUnavailable,
}

/// Of `executionDetails.summary`, in characters.
const LONGEST_SUMMARY: usize = 2_048;
/// Of `failureDetails.message`, in characters.
const LONGEST_MESSAGE: usize = 5_000;

impl Clients {
    /// Returns the stages of a pipeline, in its order.
    pub async fn pipeline_state(&self, pipeline: &str) -> Result<Vec<StageState>, AwsError> {
        const OPERATION: &str = "GetPipelineState";
        let answer = self
            .codepipeline()
            .get_pipeline_state()
            .name(pipeline)
            .send()
            .await;
        let answer = answer
            .map_err(|error| AwsError::new(OPERATION, &self.region, error).named(pipeline))?;
        let stages = answer.stage_states().iter().map(|stage| StageState {
            name: stage.stage_name().unwrap_or_default().to_owned(),
            status: stage
                .latest_execution()
                .map(|it| it.status().as_str().to_owned()),
            execution_id: stage
                .latest_execution()
                .map(|it| it.pipeline_execution_id().to_owned()),
            actions: stage.action_states().iter().map(action_state).collect(),
        });
        Ok(stages.collect())
    }

    /// Reports that a job has succeeded, or continues.
    pub async fn put_job_success(
        &self,
        job: &str,
        success: JobSuccess,
        summary: &str,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "PutJobSuccessResult";
        let details = ExecutionDetails::builder().summary(shortened(summary, LONGEST_SUMMARY));
        let call = self.codepipeline().put_job_success_result().job_id(job);
        let call = match success {
            JobSuccess::Done { variables } => variables.into_iter().fold(
                call.execution_details(details.percent_complete(100).build()),
                |call, (name, value)| call.output_variables(name, value),
            ),
            JobSuccess::Continued { token } => call
                .execution_details(details.build())
                .continuation_token(token),
        };
        call.send()
            .await
            .map(drop)
            .map_err(|error| AwsError::new(OPERATION, &self.region, error).named(job))
    }

    /// Reports that a job has failed.
    pub async fn put_job_failure(
        &self,
        job: &str,
        kind: JobFailure,
        message: &str,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "PutJobFailureResult";
        let details = FailureDetails::builder()
            .r#type(kind.into())
            .message(shortened(message, LONGEST_MESSAGE));
        let details = details.build().map_err(|error| {
            AwsError::unexpected(
                OPERATION,
                &self.region,
                format!("{job}: the failure cannot be described: {error}"),
            )
        })?;
        self.codepipeline()
            .put_job_failure_result()
            .job_id(job)
            .failure_details(details)
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsError::new(OPERATION, &self.region, error).named(job))
    }

    /// Returns a client with fewer attempts than elsewhere: the worker of a job has little time
    /// left.
    fn codepipeline(&self) -> aws_sdk_codepipeline::Client {
        let config =
            aws_sdk_codepipeline::config::Builder::from(&config_for(&self.config, "CodePipeline"))
                .retry_config(RetryConfig::standard().with_max_attempts(4))
                .interceptor(Trace)
                .build();
        aws_sdk_codepipeline::Client::from_conf(config)
    }
}

fn action_state(action: &SdkAction) -> ActionState {
    let execution = action.latest_execution();
    let error = execution.and_then(|it| it.error_details()?.message());
    let at = execution.and_then(|it| it.last_status_change());
    ActionState {
        name: action.action_name().unwrap_or_default().to_owned(),
        status: execution
            .and_then(|it| it.status())
            .map(|status| status.as_str().to_owned()),
        changed_at: at.and_then(|at| Timestamp::from_nanosecond(at.as_nanos()).ok()),
        note: error
            .or_else(|| execution.and_then(|it| it.summary()))
            .map(str::to_owned),
        url: execution
            .and_then(|it| it.external_execution_url())
            .or(action.entity_url())
            .map(str::to_owned),
        // Nothing else has a token.
        awaits_approval: execution.is_some_and(|it| it.token().is_some()),
    }
}

impl From<JobFailure> for FailureType {
    fn from(kind: JobFailure) -> Self {
        match kind {
            JobFailure::JobFailed => Self::JobFailed,
            JobFailure::ConfigurationError => Self::ConfigurationError,
            JobFailure::PermissionError => Self::PermissionError,
            JobFailure::SystemUnavailable => Self::SystemUnavailable,
        }
    }
}

/// Returns the text with no more characters than may be sent, and a sign where some are missing.
fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars()
        .take(longest.saturating_sub(1))
        .chain(['…'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_to_their_length_in_characters() {
        assert_eq!(shortened("merged", 6), "merged");
        assert_eq!(shortened("merged", 5), "merg…");
        assert_eq!(shortened("ÄÖÜ", 3), "ÄÖÜ");
        assert_eq!(shortened("ÄÖÜ!", 3), "ÄÖ…");
        assert_eq!(
            shortened(&"x".repeat(6_000), LONGEST_MESSAGE)
                .chars()
                .count(),
            LONGEST_MESSAGE
        );
    }
}
