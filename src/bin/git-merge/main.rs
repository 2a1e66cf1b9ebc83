//! The Lambda of a pipeline's stage `GitMerge`: it merges the commit that was tested into the
//! release branch.
//!
//! CodePipeline invokes it with a job and waits for the job's result. One file, one subject:
//! [`job`] is what CodePipeline sends, [`parameters`] what the pipeline's author set, [`token`] the
//! credentials for GitHub, [`client`] one call to GitHub with everything that can go wrong on the
//! way, [`github`] what its answers mean, [`merge`] the steps in order, [`continuation`] what is
//! handed over to a later job, and [`report`] the result for CodePipeline. `taskcat::aws` calls
//! AWS.

mod app;
mod client;
mod continuation;
mod deadline;
mod github;
mod job;
mod merge;
mod parameters;
mod report;
mod stop;
mod token;

use std::process::ExitCode;

use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use taskcat::aws::Aws;
use tracing::Instrument;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use deadline::Deadline;
use job::Job;

/// Variables that Lambda sets for every function, and that the runtime needs.
const VARIABLES: [&str; 5] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_REGION",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log_to_stdout();
    let missing: Vec<&str> = VARIABLES
        .into_iter()
        .filter(|name| std::env::var(name).is_err())
        .collect();
    if !missing.is_empty() {
        eprintln!(
            "git-merge is an AWS Lambda function, and this is not Lambda: {} not set",
            missing.join(", ")
        );
        return ExitCode::FAILURE;
    }
    let aws = &Aws::new(None);
    let region = &std::env::var("AWS_REGION").unwrap_or_default();
    let service = service_fn(move |event: LambdaEvent<Value>| answer(aws, region, event));
    match Runtime::new(service).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the Lambda runtime stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Handles one invocation. It fails only if the result can't be reported to CodePipeline: then
/// Lambda retries it, and its metrics and the dead-letter queue show it.
async fn answer(aws: &Aws, region: &str, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let (payload, context) = event.into_parts();
    let deadline = Deadline::of(context.deadline());
    let Some(job) = Job::of(&payload) else {
        return Err(Diagnostic {
            error_type: "NoJob".to_owned(),
            error_message:
                "the event has no `CodePipeline.job` with an `id`: this function is an action of \
                 CodePipeline"
                    .to_owned(),
        });
    };
    let span = tracing::info_span!("job", id = %job.id);
    let work = async {
        let result = merge::within(aws, &job, deadline).await;
        report::send(aws, region, &job, result).await
    };
    work.instrument(span).await.map_err(|error| Diagnostic {
        error_type: "ResultNotReported".to_owned(),
        error_message: format!(
            "the result of job {} could not be reported to CodePipeline: {error}",
            job.id
        ),
    })
}

/// CloudWatch puts a time on each line. Other crates' warnings are wanted, but not what the SDK has
/// to say of headers.
fn log_to_stdout() {
    let wanted = Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_target("git_merge", LevelFilter::INFO)
        .with_target("lambda_runtime", LevelFilter::WARN);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stdout)
        .with_ansi(false)
        .with_target(false)
        .without_time();
    tracing_subscriber::registry()
        .with(lines)
        .with(wanted)
        .init();
}
