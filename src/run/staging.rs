//! Packages and uploads the project, before tests or on its own (`taskcat upload`).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::journal::LeftoverMarker;
use super::{BucketCreation, RunError, StepContext};
use crate::aws::Aws;
use crate::event::{EventKind, EventSender};
use crate::package::{self, LambdaArchive, PackageProgress};
use crate::plan::{BucketKind, BucketPlan};
use crate::stage::StageError;
use crate::stage::bucket::{self, StagingBucket};
use crate::stage::exclude::Exclusions;
use crate::stage::local::{self, LocalFile};
use crate::stage::marker::{PlacedMarker, RunMarkers};
use crate::stage::sync::{self, BucketChanges, UploadSettings};

/// Maximum number of concurrent uploads to all buckets.
const UPLOADS: usize = 32;

/// What to upload to the buckets, and how.
pub(crate) struct Staging {
    /// How to package Lambda functions; `None` if packaging is disabled.
    pub package: Option<package::PackageRequest>,
    pub exclusions: Exclusions,
    /// Stage files that links outside the project point to.
    pub follow_links: bool,
    /// Files of earlier versions of the project.
    pub earlier: Vec<EarlierFiles>,
    /// Age up to which another run's marker prevents the removal of objects.
    pub marker_limit: Duration,
}

/// The files of an earlier version of the project, checked out.
#[derive(Clone, Debug)]
pub(crate) struct EarlierFiles {
    pub root: PathBuf,
    pub exclusions: Exclusions,
    /// The key prefix of the files, after the project's own.
    pub prefix: String,
}

/// A bucket with the project's files, or why it can't be used.
pub(super) type StagedBucket = Result<StagingBucket, RunError>;

/// Finds or creates the plan's buckets and updates their content. Without [`Staging`], uses what is
/// there. A bucket that can't be created or filled, for example in a region that isn't enabled,
/// only affects the tests that need it.
///
/// # Errors
/// The run was stopped, the files can't be staged anywhere, or no bucket can be used.
pub(super) async fn stage(context: &StepContext<'_>) -> Result<Vec<StagedBucket>, RunError> {
    let plan = &context.job.plan;
    let Some(staging) = &context.job.staging else {
        return some(ensure_buckets(context).await);
    };
    if let Some(request) = &staging.package {
        context
            .stop
            .until_stopped(package_all(context, staging, request))
            .await
            .unwrap_or(Err(RunError::Stopped))?;
    }
    if context.stop.token.is_cancelled() {
        return Err(RunError::Stopped);
    }
    // The archives are staged, too, so the files are listed only now; that makes no calls, so the
    // buckets are created meanwhile. Neither cancels the other: a bucket whose creation is in
    // progress must be recorded.
    let (buckets, files) = futures::join!(ensure_buckets(context), list(context, staging));
    let mut buckets = some(buckets)?;
    let files = files?;
    let prefix = prefix(&plan.project_name);
    let _ = context.keys.set(
        files
            .iter()
            .map(|file| format!("{prefix}{}", file.key))
            .collect(),
    );
    let markers = RunMarkers {
        run_id: plan.run_id,
        prefix: &prefix,
        limit: staging.marker_limit,
    };
    if !plan.cells.is_empty() || changes_anything(&mut buckets, &files, staging, markers).await {
        mark(context, &mut buckets, markers).await;
    }
    let concurrency = (UPLOADS / buckets.len().max(1)).max(4);
    let uploads = plan
        .buckets
        .iter()
        .zip(&buckets)
        .map(async |(planned, bucket)| {
            let Ok(bucket) = bucket else { return Ok(()) };
            let changes = sync::compare(bucket, &files, &staging.exclusions, markers).await?;
            let upload = UploadSettings {
                bucket,
                markers,
                acl: acl(context, planned),
                concurrency,
                events: context.events,
            };
            upload.apply(changes, &files).await
        });
    let uploaded = context
        .stop
        .until_stopped(join_all(uploads))
        .await
        .ok_or(RunError::Stopped)?;
    fail(&mut buckets, uploaded);
    some(buckets)
}

/// Returns the buckets, or the first one's error if none can be used.
fn some(mut buckets: Vec<StagedBucket>) -> Result<Vec<StagedBucket>, RunError> {
    if buckets.is_empty() || buckets.iter().any(Result::is_ok) {
        return Ok(buckets);
    }
    buckets.swap_remove(0).map(|bucket| vec![Ok(bucket)])
}

/// Replaces each bucket that failed with its error.
fn fail<T>(buckets: &mut [StagedBucket], results: Vec<Result<T, StageError>>) {
    for (bucket, result) in buckets.iter_mut().zip(results) {
        if let (Ok(_), Err(error)) = (&bucket, result) {
            *bucket = Err(error.into());
        }
    }
}

/// Returns whether anything must be uploaded or removed. Without later launches, markers are needed
/// only for that.
async fn changes_anything(
    buckets: &mut [StagedBucket],
    files: &[LocalFile],
    staging: &Staging,
    markers: RunMarkers<'_>,
) -> bool {
    let compared = join_all(buckets.iter().map(async |bucket| {
        match bucket {
            Ok(bucket) => sync::compare(bucket, files, &staging.exclusions, markers)
                .await
                .map(Some),
            Err(_) => Ok(None),
        }
    }));
    let changes = compared.await;
    let changes_one =
        |changes: &BucketChanges| !changes.uploads.is_empty() || !changes.removals.is_empty();
    let changes_any = changes.iter().flatten().flatten().any(changes_one);
    fail(buckets, changes);
    changes_any
}

/// Puts the run's marker into every bucket that other runs may stage to.
async fn mark(context: &StepContext<'_>, buckets: &mut [StagedBucket], markers: RunMarkers<'_>) {
    let planned = context.job.plan.buckets.iter().zip(buckets.iter());
    let marked = join_all(planned.map(async |(planned, bucket)| {
        let Some(bucket) = bucket
            .as_ref()
            .ok()
            .filter(|_| planned.kind != BucketKind::Auto)
        else {
            return Ok(());
        };
        let marker = markers.place(bucket);
        // Recorded before it is put, and never cancelled, since a call in progress may take effect.
        context.markers().push(marker.clone());
        let acl = Some(planned.object_acl.as_str())
            .filter(|acl| *acl != "private" && planned.kind.is_given());
        marker.put(acl, context.events).await
    }));
    fail(buckets, marked.await);
}

/// Deletes the run's markers at its end.
pub(super) async fn release(context: &StepContext<'_>) {
    let markers = std::mem::take(&mut *context.markers());
    join_all(markers.iter().map(|marker| marker.release(context.events))).await;
}

/// Deletes the markers left by killed runs; returns whether all are certainly deleted.
pub(super) async fn release_left(
    markers: Vec<LeftoverMarker>,
    aws: &Aws,
    events: &EventSender,
) -> bool {
    let released = markers.into_iter().map(
        async |LeftoverMarker {
                   bucket,
                   region,
                   key,
               }| {
            let clients = aws.clients(&bucket.profile, &region).await;
            PlacedMarker {
                bucket: bucket.name,
                key,
                clients,
            }
            .release(events)
            .await
        },
    );
    join_all(released)
        .await
        .into_iter()
        .all(|is_released| is_released)
}

/// What an upload would do with an object. Formats as `upload s3://bucket/key`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UploadChange {
    pub action: UploadAction,
    pub bucket: String,
    pub key: String,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UploadAction {
    Upload,
    Remove,
}

impl fmt::Display for UploadChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            UploadAction::Upload => "upload",
            UploadAction::Remove => "remove",
        };
        write!(f, "{action} s3://{}/{}", self.bucket, self.key)
    }
}

/// Returns what an upload would change in each bucket. Archives are built; buckets aren't created.
pub(super) async fn dry_run(context: &StepContext<'_>) -> Result<Vec<UploadChange>, RunError> {
    let plan = &context.job.plan;
    let Some(staging) = &context.job.staging else {
        return Ok(Vec::new());
    };
    if let Some(request) = &staging.package {
        package(context, request).await?;
    }
    let files = list(context, staging).await?;
    let prefix = prefix(&plan.project_name);
    let markers = RunMarkers {
        run_id: plan.run_id,
        prefix: &prefix,
        limit: staging.marker_limit,
    };
    let mut found_changes = Vec::new();
    for planned in &plan.buckets {
        let found = bucket::find(planned, context.aws).await?;
        let mut changes = match found {
            Some(bucket) => sync::compare(&bucket, &files, &staging.exclusions, markers).await?,
            None => BucketChanges::all(&files),
        };
        changes.respect_others(&planned.name, context.events);
        let name = &planned.name;
        context.events.send(changes.started(name));
        let change = |action, key: String| UploadChange {
            action,
            bucket: name.clone(),
            key,
        };
        let removals = changes.removals.iter();
        found_changes.extend(removals.map(|key| change(UploadAction::Remove, key.clone())));
        let uploads = changes.uploads.iter();
        found_changes.extend(
            uploads.map(|file| change(UploadAction::Upload, format!("{prefix}{}", file.key))),
        );
    }
    Ok(found_changes)
}

async fn ensure_buckets(context: &StepContext<'_>) -> Vec<StagedBucket> {
    let plan = &context.job.plan;
    let ensured = plan
        .buckets
        .iter()
        .enumerate()
        .map(async |(index, planned)| {
            let requested = Timestamp::now();
            let region = planned.region.clone();
            let mut creation = BucketCreation {
                requested,
                is_confirmed: false,
                region,
            };
            context.begun().insert(index, creation.clone());
            let ensured = bucket::ensure(planned, plan.run_id, context.aws, context.events).await;
            match &ensured {
                Ok(bucket) => {
                    creation.is_confirmed = true;
                    creation.region = bucket.clients.region().to_owned();
                    context.begun().insert(index, creation);
                }
                Err(error) if error.is_refusal() => _ = context.begun().remove(&index),
                Err(StageError::Aws(error)) => {
                    creation.region.clone_from(&error.region);
                    context.begun().insert(index, creation);
                }
                Err(_) => {}
            }
            Ok(ensured?)
        });
    // All are awaited, even after an error, since a creation in progress may take effect.
    join_all(ensured).await
}

/// Lists the project's files and those of earlier versions, sorted by key.
async fn list(context: &StepContext<'_>, staging: &Staging) -> Result<Vec<LocalFile>, RunError> {
    let present = EarlierFiles {
        root: context.job.plan.project_root.clone(),
        exclusions: staging.exclusions.clone(),
        prefix: String::new(),
    };
    let mut files = list_one(context, present, staging.follow_links).await?;
    for earlier in &staging.earlier {
        files.extend(list_one(context, earlier.clone(), false).await?);
    }
    files.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    Ok(files)
}

async fn list_one(
    context: &StepContext<'_>,
    files: EarlierFiles,
    follow_links: bool,
) -> Result<Vec<LocalFile>, RunError> {
    let EarlierFiles {
        root,
        exclusions,
        prefix,
    } = files;
    let listed = spawn_blocking(move || local::list(&root, &exclusions, follow_links)).await;
    let mut listing = listed
        .map_err(|error| RunError::Broken(error.to_string()))?
        .map_err(RunError::Files)?;
    listing
        .warnings
        .iter()
        .for_each(|warning| context.events.warn(None, warning.to_string()));
    for file in &mut listing.files {
        file.key.insert_str(0, &prefix);
    }
    Ok(listing.files)
}

/// Packages the Lambda functions of the project and of its earlier versions.
async fn package_all(
    context: &StepContext<'_>,
    staging: &Staging,
    request: &package::PackageRequest,
) -> Result<(), RunError> {
    package(context, request).await?;
    for earlier in &staging.earlier {
        let request = package::PackageRequest {
            project_root: earlier.root.clone(),
            ..request.clone()
        };
        package(context, &request).await?;
    }
    Ok(())
}

async fn package(
    context: &StepContext<'_>,
    request: &package::PackageRequest,
) -> Result<(), RunError> {
    let events = context.events;
    let report = |progress: PackageProgress| match progress {
        PackageProgress::Started { lambda, .. } => {
            events.send(EventKind::PackageStarted { lambda })
        }
        PackageProgress::Finished(LambdaArchive {
            lambda, archive, ..
        }) => {
            events.send(EventKind::PackageFinished { lambda, archive });
        }
        PackageProgress::Warning(message) => events.warn(None, message),
    };
    package::package(request, report)
        .await
        .map(|_| ())
        .map_err(RunError::Package)
}

/// Returns the ACL to set. `private` is S3's default, and automatic buckets don't accept ACLs.
fn acl<'b>(context: &StepContext<'_>, bucket: &'b BucketPlan) -> Option<&'b str> {
    let acl = Some(bucket.object_acl.as_str()).filter(|acl| *acl != "private")?;
    if !bucket.kind.is_given() {
        context.events.warn(
            None,
            format!("`s3_object_acl: {acl}` is not applied: automatic buckets are private"),
        );
        return None;
    }
    Some(acl)
}

fn prefix(project_name: &str) -> String {
    format!("{project_name}/")
}
