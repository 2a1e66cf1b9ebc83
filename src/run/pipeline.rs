//! `taskcat pipeline`: the stack that tests, merges and brings into production is deployed, looked at and taken away.
//!
//! Deployed as any stack that stays; what is peculiar is its bucket of programs, which stands before the stack does and
//! goes when it is gone. Taking it away empties the stack's own buckets, so it is done only to a stack that bears our tag.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use super::conductor::{Conductor, Ended, Spine};
use super::deletion::{self, DeletionOptions};
use super::deploy::{self, Decide, Decision};
use super::prepare::identity;
use super::{Context, Job, clean, staging, started};
use crate::aws::{Aws, AwsError, Clients, Stack, StageState};
use crate::event::{CellId, Events, RunStarted, Task};
use crate::pipeline::{self, Target};
use crate::plan::BucketKind;
use crate::report::Consumer;
use crate::teardown;

/// The time limit of the deletion of a pipeline's stack.
const DELETE_LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

/// A pipeline as it stands.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub target: Target,
    pub stack: Stack,
}

impl Pipeline {
    /// Made by `taskcat pipeline deploy`, or not made yet: a stack in review holds nothing, not even tags.
    pub fn is_ours(&self) -> bool {
        self.stack.tag(pipeline::TAG).is_some() || self.stack.is_in_review()
    }
}

/// What a pipeline keeps, and what goes with it.
#[derive(Clone, Debug)]
pub struct Buckets {
    /// Those that the stack has made, and that still stand.
    pub own: Vec<String>,
    /// The one that was made for the programs; absent where they are in one of the user's.
    pub tools: Option<String>,
}

/// Whose pipeline of that name, and where: in the profile's home region where none is given.
pub async fn target(name: &str, region: Option<&str>, profile: &str, aws: &Aws) -> Result<Target, AwsError> {
    let region = match region {
        Some(region) => region.to_owned(),
        None => aws.home_region(profile).await,
    };
    let identity = identity(profile, &region, aws).await?;
    Ok(Target { name: name.to_owned(), region, profile: profile.to_owned(), identity })
}

/// The stack of that name, whosever it is.
pub async fn find(target: &Target, aws: &Aws) -> Result<Option<Pipeline>, AwsError> {
    let stack = clients(target, aws).await.describe_stack(&target.name).await?;
    Ok(stack.map(|stack| Pipeline { target: target.clone(), stack }))
}

/// The buckets of a pipeline.
pub async fn buckets(pipeline: &Pipeline, aws: &Aws) -> Result<Buckets, AwsError> {
    let Pipeline { target, stack } = pipeline;
    let clients = clients(target, aws).await;
    let resources = clients.left_resources(&stack.stack_id).await?;
    let own = resources.into_iter().filter(|it| it.resource_type == "AWS::S3::Bucket");
    let own = own.filter_map(|it| it.physical_id).collect();
    let tools = target.tools_bucket();
    // A stack in review doesn't say where its programs are.
    let is_made = stack.parameter("ToolsBucket").is_none_or(|bucket| bucket == tools);
    let stands = is_made && clients.bucket_region(&tools).await?.is_some();
    Ok(Buckets { own, tools: stands.then_some(tools) })
}

/// What the pipeline's stages are at; `None` where the stack has no pipeline yet.
pub async fn state(pipeline: &Pipeline, aws: &Aws) -> Result<Option<Vec<StageState>>, AwsError> {
    match pipeline.stack.output("PipelineName") {
        Some(name) => clients(&pipeline.target, aws).await.pipeline_state(name).await.map(Some),
        None => Ok(None),
    }
}

/// Whether an object stands in a bucket of the pipeline's.
pub async fn holds(target: &Target, bucket: &str, key: &str, aws: &Aws) -> Result<bool, AwsError> {
    let found = clients(target, aws).await.list_objects(bucket, key).await?;
    Ok(found.iter().any(|object| object.key == key))
}

/// The stack that the pipeline brings changes to, if it stands already.
pub async fn production(pipeline: &Pipeline, aws: &Aws) -> Result<Option<Stack>, AwsError> {
    match pipeline.stack.parameter("ProductionStackName") {
        Some(name) => clients(&pipeline.target, aws).await.describe_stack(name).await,
        None => Ok(None),
    }
}

/// Stages the kit and deploys the stack, of which `former` is what stands so far. Programs that nothing needs in the end
/// are taken away: the former ones after an update, the new ones if nothing comes of it.
pub async fn deploy(
    job: &Job,
    target: &Target,
    former: Option<&Stack>,
    aws: &Aws,
    decide: Decide,
    consumers: Vec<Box<dyn Consumer>>,
) -> Ended {
    let started = RunStarted { task: Task::Deploy, project: target.name.clone(), ..started(job, aws) };
    let conductor = Conductor::new(started, consumers);
    conductor
        .conduct(async |spine: &Spine| {
            let context = Context::new(job, aws, spine);
            let deployed = deploy::steps(&context, decide).await;
            staging::release(&context).await;
            let stack = clients(target, aws).await.describe_stack(&target.name).await;
            match (deployed.as_ref().unwrap_or(&Decision::Drop), former) {
                // Whoever reviews the change set needs what it is about.
                (Decision::Leave, _) => {}
                (Decision::Execute, None) if !matches!(stack, Ok(None)) => {}
                (_, None) => take_programs_back(&context).await,
                (_, Some(former)) => take_unused_programs(&context, former, stack).await,
            }
            deployed.map(drop)
        })
        .await
}

/// Of a stack that has not come to be: with the bucket, if it was made for them.
async fn take_programs_back(context: &Context<'_>) {
    for bucket in context.begun_buckets() {
        let clients = context.aws.clients(&bucket.profile, &bucket.region).await;
        match bucket.kind {
            BucketKind::Given => {
                let prefix = format!("{}/", context.job.plan.project_name);
                delete_programs((&bucket.name, &prefix), &clients, context.events).await;
            }
            _ => teardown::delete_bucket(&bucket.name, context.staged_keys(), &clients, context.events).await,
        }
    }
}

/// Of the new programs and the former, those that the stack doesn't go by. While it is at work it may need both.
async fn take_unused_programs(context: &Context<'_>, former: &Stack, stack: Result<Option<Stack>, AwsError>) {
    let Ok(Some(stack)) = stack else { return };
    if !stack.status.ends_with("_COMPLETE") {
        return;
    }
    let prefix = format!("{}/", context.job.plan.project_name);
    for bucket in context.begun_buckets() {
        let places = [programs(former), Some((bucket.name.as_str(), prefix.as_str()))];
        for place in places.into_iter().flatten().filter(|place| Some(*place) != programs(&stack)) {
            let clients = context.aws.clients(&bucket.profile, &bucket.region).await;
            delete_programs(place, &clients, context.events).await;
        }
    }
}

/// Bucket and prefix.
fn programs(stack: &Stack) -> Option<(&str, &str)> {
    let place = stack.parameter("ToolsBucket").zip(stack.parameter("ToolsPrefix"));
    place.filter(|(_, prefix)| !prefix.is_empty())
}

/// Takes the pipeline away: what its buckets hold, the stack, the programs.
pub async fn delete(
    pipeline: &Pipeline,
    buckets: &Buckets,
    aws: &Aws,
    endpoint: Option<String>,
    consumers: Vec<Box<dyn Consumer>>,
) -> Ended {
    let started = clean::started(&pipeline.target.name, endpoint, aws);
    let conductor = Conductor::new(started, consumers);
    conductor
        .conduct(async |spine: &Spine| {
            let clients = clients(&pipeline.target, aws).await;
            let emptied = join_all(buckets.own.iter().map(|bucket| clients.empty_bucket(bucket))).await;
            for error in emptied.into_iter().filter_map(Result::err) {
                // The stack's deletion tries again, and says so if it is in vain.
                spine.events.warn(None, error.to_string());
            }
            let Target { name, region, .. } = &pipeline.target;
            let cell = CellId { test: name.as_str().into(), region: region.as_str().into() };
            let stack_id = pipeline.stack.stack_id.clone();
            let options = DeletionOptions { wait: true, force: false, limit: DELETE_LIMIT };
            if deletion::delete_found(&cell, stack_id, clients.clone(), options, &spine.events).await {
                match (&buckets.tools, programs(&pipeline.stack)) {
                    (Some(bucket), _) => teardown::delete_bucket(bucket, &[], &clients, &spine.events).await,
                    (None, Some(place)) => delete_programs(place, &clients, &spine.events).await,
                    (None, None) => {}
                }
            }
            Ok(())
        })
        .await
}

/// What `deploy` has put there.
async fn delete_programs((bucket, prefix): (&str, &str), clients: &Clients, events: &Events) {
    let deleted = match clients.list_objects(bucket, prefix).await {
        Ok(objects) => {
            let keys: Vec<String> = objects.into_iter().map(|object| object.key).collect();
            clients.delete_objects(bucket, &keys).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = deleted {
        events.warn(None, format!("programs are left in s3://{bucket}/{prefix}: {error}"));
    }
}

async fn clients(target: &Target, aws: &Aws) -> Arc<Clients> {
    aws.clients(&target.profile, &target.region).await
}
