//! Finds or creates a bucket to stage to.

use std::sync::Arc;

use futures::try_join;
use uuid::Uuid;

use super::StageError;
use super::policy::bucket_policy;
use crate::aws::{Aws, AwsError, Clients, ErrorKind};
use crate::catalog;
use crate::event::{EventKind, EventSender};
use crate::plan::{BucketKind, BucketPlan};

/// An existing bucket.
pub(crate) struct StagingBucket {
    pub name: String,
    /// Clients for the bucket's actual region.
    pub clients: Arc<Clients>,
    /// Whether the bucket was just created and so is empty.
    pub fresh: bool,
}

/// Finds the planned bucket, or creates it if the plan says so. Follows TaskCat's
/// `S3BucketObj.create` and the checks of `_bucket_matches_existing`.
pub(crate) async fn ensure(
    plan: &BucketPlan,
    run_id: Uuid,
    aws: &Aws,
    events: &EventSender,
) -> Result<StagingBucket, StageError> {
    if let Some(bucket) = find(plan, aws).await? {
        return Ok(bucket);
    }
    if plan.kind == BucketKind::Given {
        return Err(StageError::NoSuchBucket {
            bucket: plan.name.clone(),
        });
    }
    let regions: Vec<&String> = std::iter::once(&plan.region)
        .chain(&plan.other_regions)
        .collect();
    for (region, next) in regions.iter().zip(regions.iter().skip(1)) {
        match create_in(region, plan, run_id, aws, events).await {
            Err(StageError::Aws(error)) if is_of_region(&error) => {
                let name = &plan.name;
                events.warn(
                    None,
                    format!("the bucket {name} cannot be created there: {error}; trying {next}"),
                );
            }
            created => return created,
        }
    }
    create_in(
        regions.last().copied().unwrap_or(&plan.region),
        plan,
        run_id,
        aws,
        events,
    )
    .await
}

async fn create_in(
    region: &str,
    plan: &BucketPlan,
    run_id: Uuid,
    aws: &Aws,
    events: &EventSender,
) -> Result<StagingBucket, StageError> {
    let clients = aws.clients(&plan.profile, region).await;
    create(plan, run_id, &clients, events).await?;
    Ok(StagingBucket {
        name: plan.name.clone(),
        clients,
        fresh: true,
    })
}

/// Returns whether nothing was created for a reason that may be specific to the region: it isn't
/// enabled, or a policy denies it.
fn is_of_region(error: &AwsError) -> bool {
    error.operation == "CreateBucket"
        && (error.is(ErrorKind::Credentials)
            || error.is(ErrorKind::Denied)
            || error.has_code("IllegalLocationConstraintException"))
}

/// Finds the planned bucket, if it exists. An automatic one never does, since its name is random.
pub(crate) async fn find(
    plan: &BucketPlan,
    aws: &Aws,
) -> Result<Option<StagingBucket>, StageError> {
    if plan.kind == BucketKind::Auto {
        return Ok(None);
    }
    let clients = aws.clients(&plan.profile, &plan.region).await;
    let Some(region) = clients.bucket_region(&plan.name).await? else {
        return Ok(None);
    };
    if plan.kind != BucketKind::Given && region != plan.region {
        let bucket = plan.name.clone();
        let expected = plan.region.clone();
        return Err(StageError::WrongRegion {
            bucket,
            found: region,
            expected,
        });
    }
    let clients = aws.clients(&plan.profile, &region).await;
    Ok(Some(StagingBucket {
        name: plan.name.clone(),
        clients,
        fresh: false,
    }))
}

async fn create(
    plan: &BucketPlan,
    run_id: Uuid,
    clients: &Clients,
    events: &EventSender,
) -> Result<(), StageError> {
    let bucket = plan.name.clone();
    let region = clients.region().to_owned();
    events
        .record(EventKind::BucketCreating {
            bucket: bucket.clone(),
            region: region.clone(),
        })
        .await?;
    match clients.create_bucket(&bucket, &tags(plan, run_id)).await {
        Ok(()) => {}
        // It didn't exist a moment ago: the answer to an earlier attempt was lost.
        Err(error) if plan.tag.is_some() && error.has_code("BucketAlreadyOwnedByYou") => {}
        // Another run in the same account creates the same regional bucket concurrently.
        Err(error)
            if plan.kind != BucketKind::Auto && error.has_code("BucketAlreadyOwnedByYou") =>
        {
            return Ok(());
        }
        // The answer to the call that created it was lost; the name belongs to this run.
        Err(error) if plan.kind == BucketKind::Auto && may_have_created(&error) => {
            if !is_ours(&bucket, run_id, clients).await {
                return Err(error.into());
            }
        }
        Err(error) => return Err(error.into()),
    }
    if let Err(error) = secure(plan, run_id, clients, events).await {
        if plan.kind != BucketKind::Auto {
            // Nothing is in it yet, and nobody would delete it later. The first error is the one to
            // report.
            let _ = clients.delete_bucket(&bucket).await;
        }
        // A bucket of the run's own is deleted at its end.
        return Err(error.into());
    }
    events.send(EventKind::BucketCreated { bucket, region });
    Ok(())
}

fn may_have_created(error: &AwsError) -> bool {
    error.may_have_taken_effect() || error.has_code("BucketAlreadyOwnedByYou")
}

/// Returns whether a bucket with this run's name belongs to it: it has no other run's tag.
async fn is_ours(bucket: &str, run_id: Uuid, clients: &Clients) -> bool {
    let run_id = run_id.simple().to_string();
    let tags = clients.bucket_tags(bucket).await.ok().flatten();
    tags.is_some_and(|tags| {
        tags.iter()
            .all(|(key, value)| key != "taskcat-id" || *value == run_id)
    })
}

/// Returns keys and values of the tags that identify a bucket.
fn tags(plan: &BucketPlan, run_id: Uuid) -> Vec<(String, String)> {
    match (plan.kind, &plan.tag) {
        (BucketKind::Auto, None) => vec![
            ("taskcat-id".to_owned(), run_id.simple().to_string()),
            ("taskcat-project-name".to_owned(), plan.project.clone()),
        ],
        (_, Some((key, value))) => vec![(key.to_string(), value.to_string())],
        (_, None) => Vec::new(),
    }
}

/// Blocks public access, requires TLS and sets our tags. Regional buckets don't have the run's tag,
/// since runs share them.
async fn secure(
    plan: &BucketPlan,
    run_id: Uuid,
    clients: &Clients,
    events: &EventSender,
) -> Result<(), AwsError> {
    let bucket = plan.name.as_str();
    let tags = tags(plan, run_id);
    let tagged = async {
        if tags.is_empty() {
            return Ok(());
        }
        // Not every server accepts tags at creation.
        clients.tag_bucket(bucket, &tags).await
    };
    // A policy that requires TLS would lock out a plain-HTTP endpoint.
    let plain_http = clients
        .s3_endpoint()
        .is_some_and(|url| url.starts_with("http://"));
    let policed = async {
        match bucket_policy(plan, !plain_http) {
            Some(policy) => clients.put_bucket_policy(bucket, &policy).await,
            None => Ok(()),
        }
    };
    let blocked = async {
        match clients.block_public_access(bucket).await {
            // An organization may forbid the call because it blocks public access for the whole
            // account.
            Err(error) if error.is(ErrorKind::Denied) => {
                events.warn(
                    None,
                    format!("public access to {bucket} could not be blocked: {error}"),
                );
                Ok(())
            }
            result => result,
        }
    };
    try_join!(tagged, policed, blocked).map(|_| ())
}

impl StagingBucket {
    /// Returns the URL of the object `key` for CloudFormation: virtual-hosted style on AWS, path
    /// style on other endpoints, where a loopback address becomes `localhost` (moto accepts no
    /// address there).
    pub(crate) fn url(&self, key: &str) -> String {
        let name = &self.name;
        match self.clients.s3_endpoint() {
            Some(endpoint) => {
                let endpoint = endpoint
                    .trim_end_matches('/')
                    .replace("://127.0.0.1", "://localhost");
                format!("{endpoint}/{name}/{key}")
            }
            None => {
                let region = self.clients.region();
                format!(
                    "https://{name}.s3.{region}.{}/{key}",
                    catalog::partition_of(region).dns_suffix
                )
            }
        }
    }
}
