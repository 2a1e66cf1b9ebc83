//! Chooses the bucket that a test is staged to.
//!
//! Follows `Config.get_buckets`: one bucket is created per account, or per account and region, or
//! the user's bucket is used. In TaskCat the first bucket of an account serves all its tests, even
//! one with its own bucket; here each test uses the bucket that it names.

use uuid::Uuid;

use super::place::{ProfileRegion, ProjectDraft};
use super::{BucketKind, BucketPlan, ProfileIdentity, names};
use crate::config::{ACCOUNT_ID, TestConfig};

/// A test's configuration of its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BucketChoice {
    /// The value of `s3_bucket`.
    given: Option<String>,
    /// The value of `s3_regional_buckets`.
    regional: bool,
}

impl BucketChoice {
    /// Returns the name of the user's bucket in a region as it is before the account is known;
    /// `None` if it doesn't depend on the account.
    pub(super) fn unresolved(&self, region: &str) -> Option<String> {
        let given = self.given.as_ref().filter(|it| it.contains(ACCOUNT_ID))?;
        Some(if self.regional {
            format!("{given}-{region}")
        } else {
            given.clone()
        })
    }

    pub(super) fn of(test: &TestConfig) -> Self {
        let given = test.given_bucket().map(str::to_owned);
        Self {
            given,
            regional: test.s3_regional_buckets.unwrap_or_default(),
        }
    }

    /// Returns the bucket for a profile and region.
    ///
    /// A bucket for all regions is in the first region where the profile's tests run, since an
    /// organization may deny all others. (TaskCat's is in a fixed region of the partition.) For the
    /// user's own bucket this is a guess, which staging corrects.
    pub(super) fn bucket(
        &self,
        place: &ProfileRegion,
        identity: &ProfileIdentity,
        project: &ProjectDraft,
        run_id: Uuid,
    ) -> BucketPlan {
        let region = &place.region;
        let ProfileIdentity {
            account_id,
            partition,
            ..
        } = identity;
        let (kind, name) = match (&self.given, self.regional) {
            (None, false) => (
                BucketKind::Auto,
                names::auto_bucket_name(&project.name, partition, account_id, run_id),
            ),
            (None, true) => (
                BucketKind::RegionalAuto,
                names::regional_bucket_name(&identity.account_id, region),
            ),
            (Some(given), false) => (BucketKind::Given, named(given, account_id)),
            (Some(given), true) => {
                let given = named(given, account_id);
                (BucketKind::RegionalGiven, format!("{given}-{region}"))
            }
        };
        let serves = if self.regional {
            std::slice::from_ref(region)
        } else {
            identity.regions.as_slice()
        };
        BucketPlan {
            name,
            project: project.name.clone(),
            region: serves.first().unwrap_or(region).clone(),
            other_regions: serves.iter().skip(1).cloned().collect(),
            profile: place.profile.clone(),
            account_id: identity.account_id.clone(),
            partition: identity.partition.clone(),
            kind,
            tag: None,
            object_acl: project.object_acl.clone(),
            enable_sig_v2: project.enable_sig_v2,
            org_id: project.org_id.clone(),
        }
    }
}

/// Returns a bucket's name with the account's ID. Before the account is known, any ID of its form
/// will do: templates that are staged there are found by the same name.
fn named(given: &str, account_id: &str) -> String {
    let known = match account_id {
        "" => "123456789012",
        known => known,
    };
    given.replace(ACCOUNT_ID, known)
}

/// Returns the index of the bucket in the list, adding it if necessary. A bucket's name is unique
/// in its partition, so the first profile that uses it stages to it.
pub(super) fn index_of(bucket: BucketPlan, buckets: &mut Vec<BucketPlan>) -> usize {
    let same =
        |other: &BucketPlan| other.name == bucket.name && other.partition == bucket.partition;
    buckets.iter().position(same).unwrap_or_else(|| {
        buckets.push(bucket);
        buckets.len() - 1
    })
}
