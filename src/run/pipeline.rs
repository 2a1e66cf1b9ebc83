//! Implements `taskcat pipeline`: deploys, inspects and deletes the stack of the CI/CD pipeline.
//!
//! It is deployed like any long-lived stack, except that its bucket of programs is created before
//! the stack and deleted after it. Only a stack and a bucket with our tag are deleted, and no
//! bucket is emptied before CloudFormation has started to delete the stack.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::deletion::{self, DeletionOptions};
use super::deploy::{self, Decide, Decision, DeployOptions, Unfinished};
use super::harness::{EndedRun, RunContext, RunHarness};
use super::prepare::identity;
use super::{RunJob, StepContext, clean, staging, started};
use crate::aws::{Aws, AwsError, Clients, ErrorKind, Stack, StageState};
use crate::event::{CellId, EventKind, EventSender, RunStarted, RunTask};
use crate::launch::aws_cli::AwsCli;
use crate::launch::ownership::{self, ForeignStack, OwnershipTag};
use crate::pipeline::{self, Target, program_prefix};
use crate::plan::BucketKind;
use crate::report::EventConsumer;
use crate::status::StackStatus;
use crate::teardown;

/// Time limit for the deletion of a pipeline's stack.
const DELETE_LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

/// Number of times to poll for the deletion of a stack in review: it has no resources, so that
/// takes seconds.
const DELETION_LOOKS: u32 = 30;

/// The tag of stacks created by `taskcat pipeline deploy`.
const MARK: OwnershipTag = OwnershipTag {
    tag: pipeline::TAG,
    command: "taskcat pipeline deploy",
    replaces_failed: None,
};

/// A stack with the name of a pipeline.
#[derive(Clone, Debug)]
pub(crate) struct PipelineStack {
    pub target: Target,
    pub stack: Stack,
    /// Present if the stack is somebody else's.
    pub foreign: Option<ForeignStack>,
}

/// The buckets of a pipeline, which are deleted with it.
#[derive(Clone, Debug)]
pub(crate) struct PipelineBuckets {
    /// Existing buckets that the stack created.
    pub own: Vec<String>,
    pub tools: ToolsBucket,
}

/// The bucket created for a pipeline's programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToolsBucket {
    /// It doesn't exist, or the programs are in a bucket of the user's.
    Absent,
    Ours(String),
    /// A bucket with that name exists, but may be somebody else's for this reason.
    Foreign {
        bucket: String,
        reason: String,
    },
}

/// Returns the pipeline's name, account and region; by default, the profile's home region.
pub(crate) async fn target(
    name: &str,
    region: Option<&str>,
    profile: &str,
    aws: &Aws,
) -> Result<Target, AwsError> {
    let region = match region {
        Some(region) => region.to_owned(),
        None => aws.home_region(profile).await,
    };
    let identity = identity(profile, &region, aws).await?;
    Ok(Target {
        name: name.to_owned(),
        region,
        profile: profile.to_owned(),
        identity,
    })
}

/// Finds the stack with that name, whoever owns it.
pub(crate) async fn find(target: &Target, aws: &Aws) -> Result<Option<PipelineStack>, AwsError> {
    let clients = clients(target, aws).await;
    let Some(stack) = clients.describe_stack(&target.name).await? else {
        return Ok(None);
    };
    let foreign = ownership::foreign(&stack, MARK, &target.identity.account_id, &clients).await?;
    Ok(Some(PipelineStack {
        target: target.clone(),
        stack,
        foreign,
    }))
}

/// Returns AWS CLI settings for the pipeline's owner.
pub(crate) fn aws_cli(target: &Target, endpoint: Option<&str>) -> AwsCli {
    AwsCli {
        profile: target.profile.clone(),
        region: target.region.clone(),
        endpoint: endpoint.map(str::to_owned),
    }
}

/// Returns the buckets of a pipeline.
pub(crate) async fn buckets(
    pipeline: &PipelineStack,
    aws: &Aws,
) -> Result<PipelineBuckets, AwsError> {
    let PipelineStack { target, stack, .. } = pipeline;
    let clients = clients(target, aws).await;
    let resources = clients.left_resources(&stack.stack_id).await?;
    let own = resources
        .into_iter()
        .filter(|it| it.resource_type == "AWS::S3::Bucket");
    let own = own.filter_map(|it| it.physical_id).collect();
    // The tags of a stack in review don't say where its programs are.
    let is_made = stack
        .parameter("ToolsBucket")
        .is_none_or(|bucket| bucket == target.tools_bucket());
    let tools = if is_made {
        tools_bucket(target, &clients).await?
    } else {
        ToolsBucket::Absent
    };
    Ok(PipelineBuckets { own, tools })
}

/// Checks whether the bucket for the programs can be used: an existing one must be ours, or contain
/// the pipeline's programs.
pub(crate) async fn usable_tools_bucket(
    target: &Target,
    previous: Option<&Stack>,
    aws: &Aws,
) -> Result<ToolsBucket, AwsError> {
    let found = tools_bucket(target, &*clients(target, aws).await).await?;
    let is_used =
        |bucket: &str| previous.and_then(|stack| stack.parameter("ToolsBucket")) == Some(bucket);
    Ok(match found {
        ToolsBucket::Foreign { bucket, .. } if is_used(&bucket) => ToolsBucket::Ours(bucket),
        found => found,
    })
}

async fn tools_bucket(target: &Target, clients: &Clients) -> Result<ToolsBucket, AwsError> {
    let bucket = target.tools_bucket();
    let account = &target.identity.account_id;
    let reason = match clients.own_bucket_tags(&bucket, account).await {
        Ok(None) => return Ok(ToolsBucket::Absent),
        Ok(Some(tags))
            if tags
                .iter()
                .any(|(key, value)| key == pipeline::TAG && *value == target.name) =>
        {
            return Ok(ToolsBucket::Ours(bucket));
        }
        Ok(Some(_)) => format!("it lacks the tag {}={}", pipeline::TAG, target.name),
        Err(error) if error.is(ErrorKind::Denied) => {
            format!("it does not belong to account {account} ({error})")
        }
        Err(error) => return Err(error),
    };
    Ok(ToolsBucket::Foreign { bucket, reason })
}

/// Returns the state of the pipeline's stages; `None` if the stack doesn't have a pipeline yet.
pub(crate) async fn state(
    pipeline: &PipelineStack,
    aws: &Aws,
) -> Result<Option<Vec<StageState>>, AwsError> {
    match pipeline.stack.output("PipelineName") {
        Some(name) => clients(&pipeline.target, aws)
            .await
            .pipeline_state(name)
            .await
            .map(Some),
        None => Ok(None),
    }
}

/// Returns the region of a bucket; `None` if it does not exist.
pub(crate) async fn bucket_region(
    target: &Target,
    bucket: &str,
    aws: &Aws,
) -> Result<Option<String>, AwsError> {
    clients(target, aws).await.bucket_region(bucket).await
}

/// Uploads `configuration.zip` to the pipeline's bucket, which starts an execution.
pub(crate) async fn upload_configuration(
    target: &Target,
    bucket: &str,
    archive: Vec<u8>,
    aws: &Aws,
) -> Result<(), AwsError> {
    let clients = clients(target, aws).await;
    clients
        .put_object(bucket, pipeline::CONFIGURATION, archive, None)
        .await
}

/// Returns whether a bucket of the pipeline holds an object.
pub(crate) async fn holds(
    target: &Target,
    bucket: &str,
    key: &str,
    aws: &Aws,
) -> Result<bool, AwsError> {
    let found = clients(target, aws).await.list_objects(bucket, key).await?;
    Ok(found.iter().any(|object| object.key == key))
}

/// Returns the stack that the pipeline deploys to, if it exists.
pub(crate) async fn production(
    pipeline: &PipelineStack,
    aws: &Aws,
) -> Result<Option<Stack>, AwsError> {
    match pipeline.stack.parameter("ProductionStackName") {
        Some(name) => {
            clients(&pipeline.target, aws)
                .await
                .describe_stack(name)
                .await
        }
        None => Ok(None),
    }
}

/// Stages the programs and deploys the stack; `former` is the existing one. Unused programs are
/// deleted: the old ones after an update, the new ones if the deployment fails.
pub(crate) async fn deploy(
    job: &RunJob<'_>,
    target: &Target,
    previous: Option<&Stack>,
    options: DeployOptions,
    aws: &Aws,
    decide: Decide,
    consumers: Vec<Box<dyn EventConsumer>>,
) -> EndedRun {
    let started = RunStarted {
        task: RunTask::Deploy,
        project: target.name.clone(),
        ..started(job, aws)
    };
    let harness = RunHarness::new(started, consumers);
    harness
        .run_to_end(async |context: &RunContext| {
            let context = StepContext::new(job, aws, context);
            let mut unfinished = Unfinished::new(&cell_of(target), context.events);
            if previous.is_none() {
                let Target { name, region, .. } = target;
                let delete = format!("taskcat pipeline delete {name} --region {region}");
                unfinished.remains(format!(
                    "the bucket of programs may remain; delete it with `{delete}`"
                ));
            }
            let deployed = deploy::steps(&context, &options, MARK, decide).await;
            staging::release(&context).await;
            let stack = settled_stack(target, aws).await;
            match (deployed.as_ref().unwrap_or(&Decision::Drop), previous) {
                // Reviewing the change set requires its programs.
                (Decision::Leave, _) => {}
                // A stack, of this deployment or of a concurrent one, needs the programs.
                (_, None) if matches!(stack, Ok(None)) => {
                    take_programs_back(&context, target).await
                }
                (Decision::Execute, None) => {}
                (Decision::Drop, None) => {
                    let kept = "the programs were kept: the pipeline's stack may exist";
                    context.events.warn(Some(&cell_of(target)), kept);
                }
                (_, Some(previous)) => {
                    take_unused_programs(&context, target, previous, stack).await
                }
            }
            unfinished.ends();
            deployed.map(drop)
        })
        .await
}

/// Returns the stack with that name, once a deletion in progress has ended.
async fn settled_stack(target: &Target, aws: &Aws) -> Result<Option<Stack>, AwsError> {
    let clients = clients(target, aws).await;
    let mut stack = clients.describe_stack(&target.name).await;
    for _ in 0..DELETION_LOOKS {
        match &stack {
            Ok(Some(found)) if found.status == StackStatus::DeleteInProgress => {}
            _ => break,
        }
        sleep(Duration::from_secs(1)).await;
        stack = clients.describe_stack(&target.name).await;
    }
    stack
}

/// Returns the cell of the pipeline's deployment, its only one.
fn cell_of(target: &Target) -> CellId {
    CellId {
        test: target.name.as_str().into(),
        region: target.region.as_str().into(),
    }
}

/// Deletes the programs of a stack that wasn't created, with the bucket if it was created for them.
async fn take_programs_back(context: &StepContext<'_>, target: &Target) {
    for bucket in context.begun_buckets() {
        let clients = context.aws.clients(&bucket.profile, &bucket.region).await;
        if bucket.kind == BucketKind::Given {
            let prefix = format!("{}/", context.job.plan.project_name);
            delete_programs((&bucket.name, &prefix), &clients, context.events).await;
            continue;
        }
        let endpoint = context.job.endpoint.as_deref();
        let tools = tools_bucket(target, &clients).await;
        delete_tools(
            tools,
            context.staged_keys(),
            target,
            endpoint,
            &clients,
            context.events,
        )
        .await;
    }
}

/// Deletes the bucket created for the programs if it is certainly ours; otherwise says how to
/// delete it.
async fn delete_tools(
    tools: Result<ToolsBucket, AwsError>,
    keys: &[String],
    target: &Target,
    endpoint: Option<&str>,
    clients: &Clients,
    events: &EventSender,
) {
    let (bucket, reason) = match tools {
        Ok(ToolsBucket::Absent) => return,
        Ok(ToolsBucket::Ours(bucket)) => {
            return teardown::delete_bucket(&bucket, keys, clients, events).await;
        }
        Ok(ToolsBucket::Foreign { bucket, reason }) => (bucket, reason),
        Err(error) => (target.tools_bucket(), error.to_string()),
    };
    let delete = aws_cli(target, endpoint).delete_bucket(&bucket);
    let reason =
        format!("{reason}, so it was left alone; if it is yours, delete it with `{delete}`");
    events.send(EventKind::BucketDeleteFailed { bucket, reason });
}

/// Deletes those of the new and old programs that the stack doesn't use. During an update it may
/// need both.
async fn take_unused_programs(
    context: &StepContext<'_>,
    target: &Target,
    previous: &Stack,
    stack: Result<Option<Stack>, AwsError>,
) {
    let Ok(Some(stack)) = stack else { return };
    if !stack.status.is_complete() {
        return;
    }
    let prefix = format!("{}/", context.job.plan.project_name);
    for bucket in context.begun_buckets() {
        let clients = context.aws.clients(&bucket.profile, &bucket.region).await;
        let places = [
            programs(previous),
            Some((bucket.name.as_str(), prefix.as_str())),
        ];
        for place in places
            .into_iter()
            .flatten()
            .filter(|place| Some(*place) != programs(&stack))
        {
            delete_own_programs(place, target, &clients, context.events).await;
        }
    }
}

/// Returns bucket and prefix of the programs.
fn programs(stack: &Stack) -> Option<(&str, &str)> {
    let place = stack
        .parameter("ToolsBucket")
        .zip(stack.parameter("ToolsPrefix"));
    place.filter(|(_, prefix)| !prefix.is_empty())
}

/// Deletes the pipeline: the stack, the contents of its buckets, the programs. CloudFormation's
/// deletion is requested first, so that nothing is emptied if it is refused; buckets that block the
/// deletion are emptied, and it is repeated.
pub(crate) async fn delete(
    pipeline: &PipelineStack,
    aws: &Aws,
    endpoint: Option<String>,
    consumers: Vec<Box<dyn EventConsumer>>,
) -> EndedRun {
    let started = clean::started(&pipeline.target.name, endpoint.clone(), aws);
    let harness = RunHarness::new(started, consumers);
    harness
        .run_to_end(async |context: &RunContext| {
            let PipelineStack { target, stack, .. } = pipeline;
            let clients = clients(target, aws).await;
            let cell = cell_of(target);
            let stack_id = stack.stack_id.clone();
            let options = DeletionOptions {
                wait: true,
                force: false,
                limit: DELETE_LIMIT,
            };
            if !deletion::delete_found(&cell, stack_id, clients.clone(), options, &context.events)
                .await
            {
                return Ok(());
            }
            match programs(stack).filter(|(bucket, _)| *bucket != target.tools_bucket()) {
                Some(place) => delete_own_programs(place, target, &clients, &context.events).await,
                None => {
                    // Looked up again, since time has passed since it was shown.
                    let tools = tools_bucket(target, &clients).await;
                    delete_tools(
                        tools,
                        &[],
                        target,
                        endpoint.as_deref(),
                        &clients,
                        &context.events,
                    )
                    .await;
                }
            }
            Ok(())
        })
        .await
}

/// Returns the bucket of programs left by an interrupted deployment or deletion of a pipeline that
/// has no stack.
pub(crate) async fn leftover_tools(target: &Target, aws: &Aws) -> Result<Option<String>, AwsError> {
    match tools_bucket(target, &*clients(target, aws).await).await? {
        ToolsBucket::Ours(bucket) => Ok(Some(bucket)),
        ToolsBucket::Absent | ToolsBucket::Foreign { .. } => Ok(None),
    }
}

/// Deletes the leftover bucket of programs.
pub(crate) async fn delete_leftover_tools(
    target: &Target,
    aws: &Aws,
    endpoint: Option<String>,
    consumers: Vec<Box<dyn EventConsumer>>,
) -> EndedRun {
    let harness = RunHarness::new(
        clean::started(&target.name, endpoint.clone(), aws),
        consumers,
    );
    harness
        .run_to_end(async |context: &RunContext| {
            let clients = clients(target, aws).await;
            let tools = tools_bucket(target, &clients).await;
            delete_tools(
                tools,
                &[],
                target,
                endpoint.as_deref(),
                &clients,
                &context.events,
            )
            .await;
            Ok(())
        })
        .await
}

/// Deletes programs unless another pipeline may use them: earlier versions put the programs of all
/// pipelines that shared a user's bucket into one folder.
async fn delete_own_programs(
    place: (&str, &str),
    target: &Target,
    clients: &Clients,
    events: &EventSender,
) {
    let (bucket, prefix) = place;
    if bucket == target.tools_bucket() || prefix.starts_with(&program_prefix(&target.name)) {
        delete_programs(place, clients, events).await;
    } else {
        events.warn(
            None,
            format!(
                "s3://{bucket}/{prefix} was left alone: another pipeline may use the programs in it"
            ),
        );
    }
}

/// Deletes what `deploy` has uploaded.
async fn delete_programs((bucket, prefix): (&str, &str), clients: &Clients, events: &EventSender) {
    let deleted = match clients.list_objects(bucket, prefix).await {
        Ok(objects) => {
            let keys: Vec<String> = objects.into_iter().map(|object| object.key).collect();
            clients.delete_objects(bucket, &keys).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = deleted {
        events.warn(
            None,
            format!("programs are left in s3://{bucket}/{prefix}: {error}"),
        );
    }
}

async fn clients(target: &Target, aws: &Aws) -> Arc<Clients> {
    aws.clients(&target.profile, &target.region).await
}
