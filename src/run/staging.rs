//! Packaging and upload, in front of a run or alone (`taskcat upload`).

use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::{BucketCreation, Context, RunError};
use crate::event::Happening;
use crate::package::{self, Archive, Progress};
use crate::plan::{BucketKind, BucketPlan};
use crate::stage::StageError;
use crate::stage::bucket::{self, Bucket};
use crate::stage::exclude::Exclusions;
use crate::stage::local::{self, LocalFile};
use crate::stage::sync::{self, Changes};

/// Uploads in flight at once, to all buckets together.
const UPLOADS: usize = 32;

/// What is sent to the buckets, and how.
pub struct Staging {
    /// `None` where packaging is disabled.
    pub package: Option<package::Request>,
    pub exclusions: Exclusions,
}

/// Finds or makes the plan's buckets and brings their content up to date. Without [`Staging`], takes what is there.
pub(super) async fn stage(context: &Context<'_>) -> Result<Vec<Bucket>, RunError> {
    let plan = &context.job.plan;
    let Some(staging) = &context.job.staging else { return ensure_buckets(context).await };
    if let Some(request) = &staging.package {
        context.stop.until_stopped(package(context, request)).await.unwrap_or(Err(RunError::Stopped))?;
    }
    if context.stop.token.is_cancelled() {
        return Err(RunError::Stopped);
    }
    // Archives are staged too, so the files are listed only now; that makes no call, so the buckets are created meanwhile.
    // Neither cuts the other short: a bucket whose creation is on the way has to be known.
    let (buckets, files) = futures::join!(ensure_buckets(context), list(context, staging));
    let (buckets, files) = (buckets?, files?);
    let prefix = prefix(&plan.project_name);
    let _ = context.keys.set(files.iter().map(|file| format!("{prefix}{}", file.key)).collect());
    let concurrency = (UPLOADS / buckets.len().max(1)).max(4);
    let uploads = try_join_all(plan.buckets.iter().zip(&buckets).map(async |(planned, bucket)| {
        let changes = sync::compare(bucket, &files, &staging.exclusions, &prefix).await?;
        sync::apply(bucket, changes, &prefix, acl(context, planned), concurrency, context.events).await
    }));
    context.stop.until_stopped(uploads).await.ok_or(RunError::Stopped)??;
    Ok(buckets)
}

/// What an upload would change, bucket by bucket, without changing it. Archives are built, buckets are not.
pub(super) async fn dry_run(context: &Context<'_>) -> Result<Vec<String>, RunError> {
    let plan = &context.job.plan;
    let Some(staging) = &context.job.staging else { return Ok(Vec::new()) };
    if let Some(request) = &staging.package {
        package(context, request).await?;
    }
    let files = list(context, staging).await?;
    let prefix = prefix(&plan.project_name);
    let mut lines = Vec::new();
    for planned in &plan.buckets {
        let found = bucket::find(planned, context.aws).await?;
        let changes = match found {
            Some(bucket) => sync::compare(&bucket, &files, &staging.exclusions, &prefix).await?,
            None => Changes::all(&files),
        };
        let name = &planned.name;
        lines.extend(changes.removals.iter().map(|key| format!("remove s3://{name}/{key}")));
        lines.extend(changes.uploads.iter().map(|file| format!("upload s3://{name}/{prefix}{}", file.key)));
    }
    Ok(lines)
}

async fn ensure_buckets(context: &Context<'_>) -> Result<Vec<Bucket>, RunError> {
    let plan = &context.job.plan;
    let ensured = plan.buckets.iter().enumerate().map(async |(index, planned)| {
        let mut creation = BucketCreation { requested: Timestamp::now(), is_confirmed: false };
        context.begun().insert(index, creation);
        let ensured = bucket::ensure(planned, plan.run_id, context.aws, context.events).await;
        if ensured.is_ok() {
            creation.is_confirmed = true;
            context.begun().insert(index, creation);
        } else if ensured.as_ref().is_err_and(StageError::is_refusal) {
            context.begun().remove(&index);
        }
        ensured
    });
    // All are awaited, also after an error: a creation on the way may take effect.
    Ok(join_all(ensured).await.into_iter().collect::<Result<_, _>>()?)
}

async fn list(context: &Context<'_>, staging: &Staging) -> Result<Vec<LocalFile>, RunError> {
    let (root, exclusions) = (context.job.plan.project_root.clone(), staging.exclusions.clone());
    let listed = spawn_blocking(move || local::list(&root, &exclusions)).await;
    let listing = listed.map_err(|error| RunError::Broken(error.to_string()))?.map_err(RunError::Files)?;
    listing.warnings.iter().for_each(|warning| context.events.warn(None, warning.to_string()));
    Ok(listing.files)
}

async fn package(context: &Context<'_>, request: &package::Request) -> Result<(), RunError> {
    let events = context.events;
    let report = |progress: Progress| match progress {
        Progress::Started { lambda, .. } => events.send(Happening::PackageStarted { lambda }),
        Progress::Finished(Archive { lambda, archive, .. }) => {
            events.send(Happening::PackageFinished { lambda, archive });
        }
        Progress::Warning(message) => events.warn(None, message),
    };
    package::package(request, report).await.map(|_| ()).map_err(RunError::Package)
}

/// `private` is what S3 does without being told, and automatic buckets take no ACLs at all.
fn acl<'b>(context: &Context<'_>, bucket: &'b BucketPlan) -> Option<&'b str> {
    let acl = Some(bucket.object_acl.as_str()).filter(|acl| *acl != "private")?;
    if matches!(bucket.kind, BucketKind::Auto | BucketKind::RegionalAuto) {
        context.events.warn(None, format!("`s3_object_acl: {acl}` is not applied: automatic buckets are private"));
        return None;
    }
    Some(acl)
}

fn prefix(project_name: &str) -> String {
    format!("{project_name}/")
}
