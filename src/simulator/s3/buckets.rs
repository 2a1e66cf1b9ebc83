//! Buckets: created, listed and deleted.

use s3s::S3Result;
use s3s::dto::*;

use super::super::{Caller, Cloud};
use super::settings::{MAX_BUCKET_TAGS, check_tags};
use super::store::time;
use super::{Requester, access, acl, invalid_argument, refusal, refused};
use crate::catalog;

/// Carries out `CreateBucket`; `tags` are those of the configuration, which `s3s` doesn't read.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
pub(super) fn create_bucket(
    cloud: &Cloud,
    requester: &Requester,
    input: CreateBucketInput,
    tags: Option<TagSet>,
) -> S3Result<CreateBucketOutput> {
    let tags = tags
        .map(|tags| check_tags(tags, MAX_BUCKET_TAGS))
        .transpose()?;
    let here = requester
        .region
        .clone()
        .unwrap_or_else(|| "us-east-1".to_owned());
    let configuration = input.create_bucket_configuration;
    let constraint = configuration
        .as_ref()
        .and_then(|given| given.location_constraint.as_ref());
    let region = region(&here, constraint.map(BucketLocationConstraint::as_str))?;
    let caller = Caller {
        account: requester.account().to_owned(),
        region,
    };
    let name = input.bucket;
    let ownership = input.object_ownership;
    let canned = input
        .acl
        .as_ref()
        .map(BucketCannedACL::as_str)
        .filter(|canned| *canned != "private");
    let enforced = ownership
        .as_ref()
        .is_none_or(|it| it.as_str() == ObjectOwnership::BUCKET_OWNER_ENFORCED);
    if canned.is_some() && enforced {
        let message =
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
        return Err(refusal(400, "InvalidBucketAclWithObjectOwnership", message));
    }
    match cloud.s3.create_bucket(&caller, &name, cloud.clock.now()) {
        Ok(()) => {}
        // In us-east-1, creating a bucket again succeeds.
        Err(error) if error.code == "BucketAlreadyOwnedByYou" && here == "us-east-1" => {
            let same = cloud
                .s3
                .bucket(&name)
                .is_some_and(|facts| facts.region == here);
            return if same {
                Ok(created(&name))
            } else {
                Err(refused(error))
            };
        }
        Err(error) => return Err(refused(error)),
    }
    let settled = cloud.s3.with(&name, |bucket| {
        bucket.settings.tags = tags;
        if let Some(ownership) = ownership {
            bucket.settings.ownership = Some(ownership);
        }
        if canned.is_some() {
            let given = acl::AclRequest {
                canned,
                ..acl::AclRequest::default()
            };
            bucket.settings.acl = given.replacement(&bucket.settings, &bucket.account)?;
        }
        Ok(())
    });
    if let Err(error) = settled {
        let _ = cloud.s3.delete_bucket(&name);
        return Err(error);
    }
    Ok(created(&name))
}

fn created(name: &str) -> CreateBucketOutput {
    CreateBucketOutput {
        location: Some(format!("/{name}")),
    }
}

/// Returns the region of a new bucket from the endpoint's region and the location constraint.
fn region(here: &str, constraint: Option<&str>) -> S3Result<String> {
    let incompatible = |what: &str| {
        let message = format!(
            "The {what} location constraint is incompatible for the region specific endpoint this \
             request was sent to."
        );
        refusal(400, "IllegalLocationConstraintException", message)
    };
    let constraint = match constraint.filter(|constraint| !constraint.is_empty()) {
        Some("EU") => Some("eu-west-1"),
        constraint => constraint,
    };
    match constraint {
        None if here == "us-east-1" => Ok(here.to_owned()),
        None => Err(incompatible("unspecified")),
        Some("us-east-1") => Err(refusal(
            400,
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
        )),
        Some(there) if there == here => Ok(here.to_owned()),
        // us-east-1 creates buckets anywhere in its partition.
        Some(there) if here == "us-east-1" && catalog::regions("aws").contains(&there) => {
            Ok(there.to_owned())
        }
        Some(_) if here == "us-east-1" => Err(refusal(
            400,
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
        )),
        Some(there) => Err(incompatible(there)),
    }
}

/// Carries out `HeadBucket`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
pub(super) fn head_bucket(
    cloud: &Cloud,
    _: &Requester,
    input: HeadBucketInput,
) -> S3Result<HeadBucketOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        let bucket_region = Some(bucket.region.clone());
        Ok(HeadBucketOutput {
            bucket_region,
            access_point_alias: Some(false),
            ..Default::default()
        })
    })
}

/// Carries out `GetBucketLocation`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>
pub(super) fn get_bucket_location(
    cloud: &Cloud,
    _: &Requester,
    input: GetBucketLocationInput,
) -> S3Result<GetBucketLocationOutput> {
    cloud.s3.with(&input.bucket, |bucket| {
        // The location of us-east-1 is empty.
        let elsewhere = Some(bucket.region.clone()).filter(|region| region != "us-east-1");
        Ok(GetBucketLocationOutput {
            location_constraint: elsewhere.map(BucketLocationConstraint::from),
        })
    })
}

/// Carries out `DeleteBucket`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>
pub(super) fn delete_bucket(
    cloud: &Cloud,
    _: &Requester,
    input: DeleteBucketInput,
) -> S3Result<DeleteBucketOutput> {
    cloud.s3.delete_bucket(&input.bucket).map_err(refused)?;
    Ok(DeleteBucketOutput::default())
}

/// Returns the account's buckets in all regions of the partition, in pages if `MaxBuckets` is set.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
pub(super) fn list_buckets(
    cloud: &Cloud,
    requester: &Requester,
    input: ListBucketsInput,
) -> S3Result<ListBucketsOutput> {
    let most = match input.max_buckets {
        None => usize::MAX,
        Some(most @ 1..=10_000) => usize::try_from(most).unwrap_or_default(),
        Some(_) => {
            return Err(invalid_argument(
                "Argument maxBuckets must be an integer between 1 and 10000",
            ));
        }
    };
    let here = requester.region.as_deref().unwrap_or("us-east-1");
    let partition = catalog::partition_of(here).name;
    let prefix = input.prefix.clone().unwrap_or_default();
    let after = input
        .continuation_token
        .as_deref()
        .map(super::listing::from_token)
        .transpose()?;
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut more = false;
    for (name, region, created) in cloud.s3.of_account(requester.account()) {
        let wanted = name.starts_with(&prefix)
            && after.as_ref().is_none_or(|after| name > *after)
            && catalog::partition_of(&region).name == partition
            && input
                .bucket_region
                .as_ref()
                .is_none_or(|wanted| *wanted == region)
            && !access::is_hidden(cloud, &name);
        if !wanted {
            continue;
        }
        if buckets.len() == most {
            more = true;
            break;
        }
        buckets.push(Bucket {
            bucket_region: Some(region),
            creation_date: Some(time(created)),
            name: Some(name),
        });
    }
    let last = buckets
        .last()
        .and_then(|bucket| bucket.name.as_deref())
        .filter(|_| more);
    Ok(ListBucketsOutput {
        continuation_token: last.map(super::listing::to_token),
        buckets: Some(buckets),
        owner: Some(acl::owner(requester.account())),
        prefix: input.prefix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_constraints_must_match_the_endpoint() {
        let check = |here: &str, constraint: Option<&str>, expect: Result<&str, &str>| {
            let found = region(here, constraint).map_err(|error| error.code().as_str().to_owned());
            assert_eq!(
                found.as_deref().map_err(String::as_str),
                expect,
                "{here} {constraint:?}"
            );
        };
        check("us-east-1", None, Ok("us-east-1"));
        check("us-east-1", Some(""), Ok("us-east-1"));
        check(
            "us-east-1",
            Some("us-east-1"),
            Err("InvalidLocationConstraint"),
        );
        check("us-east-1", Some("eu-west-1"), Ok("eu-west-1"));
        check("us-east-1", Some("EU"), Ok("eu-west-1"));
        check(
            "us-east-1",
            Some("mars-1"),
            Err("InvalidLocationConstraint"),
        );
        check("eu-west-1", Some("eu-west-1"), Ok("eu-west-1"));
        check("eu-nowhere-9", Some("eu-nowhere-9"), Ok("eu-nowhere-9"));
        check("eu-west-1", None, Err("IllegalLocationConstraintException"));
        check(
            "eu-west-1",
            Some("us-east-1"),
            Err("InvalidLocationConstraint"),
        );
        check(
            "eu-west-1",
            Some("eu-west-2"),
            Err("IllegalLocationConstraintException"),
        );
    }
}
