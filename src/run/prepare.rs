//! Turns configuration and templates into a plan: looks up everything in AWS at once.

use std::time::Duration;

use futures::future::join_all;

use crate::aws::{Aws, AwsError, CallerIdentity, ErrorKind};
use crate::diagnostic::Diagnostic;
use crate::plan::{
    AvailabilityZone, Lookup, LookupAnswer, LookupAnswers, LookupKind, Plan, PlanDraft, PlanError,
    ProfileIdentities, ProfileIdentity, ProfileRegions,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    /// No profile could be identified; the error is the first one's.
    #[error("{}", .error.of_profile(.profile))]
    Identity { profile: String, error: AwsError },
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Looks up what the draft requires and builds the plan. A profile that can't be identified or a
/// lookup that fails only affects the cells that need it; it is an error if no profile can be
/// identified.
pub(crate) async fn prepare(
    draft: &PlanDraft,
    aws: &Aws,
) -> Result<(Plan, Vec<Diagnostic>), PrepareError> {
    let identities = identify(draft.profiles(), aws).await?;
    let answers = answer(draft.lookups(&identities), aws).await;
    Ok(draft.build(&identities, &answers)?)
}

/// Identifies the profiles, with one call each if their first region can be used.
async fn identify(
    profiles: Vec<ProfileRegions>,
    aws: &Aws,
) -> Result<ProfileIdentities, PrepareError> {
    let asked = join_all(profiles.into_iter().map(async |it| {
        let identified = aws.identify(&it.profile, &it.regions).await;
        (it, identified)
    }))
    .await;
    if asked.iter().all(|(_, identified)| identified.is_err())
        && let Some((it, Err(error))) = asked.first()
    {
        return Err(PrepareError::Identity {
            profile: it.profile.clone(),
            error: error.clone(),
        });
    }
    let identities = asked.into_iter().map(|(it, identified)| {
        let identity = match identified {
            Ok((caller, answered)) => Ok(of_caller(caller, answered, it.regions)),
            Err(error) => Err(error.of_profile(&it.profile)),
        };
        ((it.profile, it.partition.to_owned()), identity)
    });
    Ok(identities.collect())
}

/// Returns an identity, with the region that answered first, since it can be used.
fn of_caller(
    caller: CallerIdentity,
    answered: String,
    mut regions: Vec<String>,
) -> ProfileIdentity {
    regions.retain(|region| *region != answered);
    regions.insert(0, answered);
    ProfileIdentity {
        account_id: caller.account_id,
        partition: caller.partition,
        regions,
    }
}

/// Identifies a profile in a region.
pub(super) async fn identity(
    profile: &str,
    region: &str,
    aws: &Aws,
) -> Result<ProfileIdentity, AwsError> {
    let caller = aws.clients(profile, region).await.caller_identity().await?;
    Ok(of_caller(caller, region.to_owned(), Vec::new()))
}

/// Looks up what the parameters require. A failed lookup only affects the cells that need it.
async fn answer(lookups: Vec<Lookup>, aws: &Aws) -> LookupAnswers {
    let asked = lookups.into_iter().map(async |lookup| {
        let answer = ask(&lookup, aws).await.map_err(|error| {
            if error.is(ErrorKind::NotFound) && aws.is_simulated() {
                "the simulator doesn't have it".to_owned()
            } else {
                unanswered(&error)
            }
        });
        (lookup, answer)
    });
    join_all(asked).await.into_iter().collect()
}

/// Returns why a lookup failed; the message begins with what was looked up and where.
fn unanswered(error: &AwsError) -> String {
    match (&error.code, error.kind) {
        (Some(code), ErrorKind::NotFound) => format!("it doesn't exist ({code})"),
        (_, ErrorKind::MissingProfile) => error.to_string(),
        _ => format!("{}: {}", error.operation, error.answer()),
    }
}

async fn ask(lookup: &Lookup, aws: &Aws) -> Result<LookupAnswer, AwsError> {
    let clients = aws.clients(&lookup.profile, &lookup.region).await;
    Ok(match &lookup.question {
        LookupKind::AvailabilityZones => {
            let zones = clients.availability_zones().await?;
            LookupAnswer::AvailabilityZones(
                zones
                    .into_iter()
                    .map(|(name, id)| AvailabilityZone { name, id })
                    .collect(),
            )
        }
        LookupKind::SsmParameter { name } => match clients.ssm_parameter(name).await? {
            (value, true) => LookupAnswer::Secret(value),
            (value, false) => LookupAnswer::Text(value),
        },
        LookupKind::Secret { id } => LookupAnswer::Secret(clients.secret(id).await?),
        LookupKind::Object { bucket, key } => {
            let text = match clients.object_text(bucket, key).await {
                // The bucket is in another region than the test.
                Err(error) if error.has_code("PermanentRedirect") => {
                    match clients.bucket_region(bucket).await? {
                        Some(region) => {
                            aws.clients(&lookup.profile, &region)
                                .await
                                .object_text(bucket, key)
                                .await?
                        }
                        None => return Err(error),
                    }
                }
                text => text?,
            };
            LookupAnswer::Text(text.trim().to_owned())
        }
        LookupKind::PresignedUrl {
            bucket,
            key,
            expires_seconds,
        } => {
            // A signature is valid only for the bucket's own region. Without permission to look it
            // up, the test's region is the best guess.
            let region = clients.bucket_region(bucket).await.ok().flatten();
            let clients = aws
                .clients(&lookup.profile, region.as_deref().unwrap_or(&lookup.region))
                .await;
            LookupAnswer::Secret(
                clients
                    .presigned_url(bucket, key, Duration::from_secs(*expires_seconds))
                    .await?,
            )
        }
    })
}
