//! Configuration and templates become a [`Plan`]: one [`StackPlan`] per test and region, fully
//! resolved.
//!
//! It goes in steps, since AWS is asked in between: [`PlanDraft::new`] checks everything that files
//! can tell; its [`PlanDraft::profiles`] are who must be asked for [`ProfileIdentities`], its
//! [`PlanDraft::lookups`] what must be asked for [`LookupAnswers`]; [`PlanDraft::build`] then gives
//! the plan. Nothing here calls AWS: `aws` does, and `run` carries a plan out.
//! [`PlanDraft::forecast`] asks nobody and says what would become of every cell.

mod bucket;
mod build;
mod draft;
pub mod forecast;
pub mod git;
mod limits;
mod names;
pub mod parameters;
mod place;
mod profile_name;
mod role;
mod sources;
mod values;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;

use uuid::Uuid;

use crate::event::{self, CellId};
use crate::mask::MASK;

pub use build::PlanError;
pub use draft::{OWN_TAGS, PlanDraft, unknown_region};
pub use limits::TestLimits;
pub use names::{auto_bucket_name, valid_stack_name};
pub use profile_name::{
    DEFAULT_PROFILE, EXPLICIT_DEFAULT_PROFILE, explicit_profile, profile_argument, profile_of,
};
pub use sources::sources;

/// The tag by which a stack that stays is recognised later; its value is the stack's name.
pub const INSTALLER_TAG: &str = "taskcat-installer";

/// The tag of a bucket that was created for an upload, with the project's name.
const UPLOAD_TAG: &str = "taskcat-upload";

/// Everything a run will do, decided.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The `taskcat-id`.
    pub run_id: Uuid,
    /// `project.name`: the key prefix in every bucket.
    pub project_name: String,
    pub project_root: PathBuf,
    pub buckets: Vec<BucketPlan>,
    /// In the order of the configuration: test by test, region by region.
    pub cells: Vec<StackPlan>,
    /// Cells that have failed already, in the same order: they have no identity, or a parameter
    /// that can't be rendered.
    pub refused: Vec<RefusedCell>,
}

impl Plan {
    /// Makes the buckets ones that stay: without the tag by which a run's own buckets are found and
    /// deleted.
    pub fn keep_buckets(&mut self) {
        for bucket in self
            .buckets
            .iter_mut()
            .filter(|bucket| bucket.kind == BucketKind::Auto)
        {
            bucket.tag = Some((UPLOAD_TAG.to_owned(), self.project_name.clone()));
        }
    }

    /// Makes the stacks ones that stay: with names of their own, and without the tags by which a
    /// run's stacks are found and taken away.
    pub fn to_stay(&mut self, name_of: impl Fn(&str) -> String) {
        for cell in &mut self.cells {
            cell.stack_name = name_of(&cell.cell.test);
            cell.tags
                .retain(|(key, _)| !draft::OWN_TAGS.contains(&key.as_str()));
            cell.tags.retain(|(key, _)| key != INSTALLER_TAG);
            cell.tags
                .push((INSTALLER_TAG.to_owned(), cell.stack_name.clone()));
        }
    }
}

/// A cell that can't be launched.
#[derive(Clone, Debug)]
pub struct RefusedCell {
    /// As far as it is known; without an identity `account_id` is empty.
    pub cell: event::PlannedCell,
    pub reason: String,
    /// Where its parameters are set.
    pub places: Vec<event::PredictedFailure>,
}

/// One test in one region.
#[derive(Clone, Debug)]
pub struct StackPlan {
    pub cell: CellId,
    pub profile: String,
    pub account_id: String,
    pub partition: String,
    pub stack_name: String,
    /// Relative to the project root, with `/`.
    pub template: String,
    /// Index into [`Plan::buckets`].
    pub bucket: usize,
    /// Key of the template in its bucket: `<project name>/<template>`.
    pub template_key: String,
    /// In the order of the template's declarations.
    pub parameters: Vec<PlannedParameter>,
    /// In the order they are sent: `taskcat-id`, `taskcat-project-name`, `taskcat-test-name`, then
    /// the test's own.
    pub tags: Vec<(String, String)>,
    pub role_arn: Option<String>,
    pub prehooks: Vec<HookPlan>,
    pub posthooks: Vec<HookPlan>,
    pub limits: TestLimits,
}

#[derive(Clone, PartialEq, Eq)]
pub struct PlannedParameter {
    pub key: String,
    /// As CreateStack takes it; lists joined with commas.
    pub value: String,
    /// The template says `NoEcho`, or the value is a generated password or a fetched secret: show
    /// it nowhere.
    pub secret: bool,
}

impl PlannedParameter {
    /// The value as it may be shown: a secret is `****`.
    pub fn shown(&self) -> &str {
        if self.secret { MASK } else { &self.value }
    }
}

impl fmt::Debug for PlannedParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={:?}", self.key, self.shown())
    }
}

impl StackPlan {
    /// Key and value of each parameter, as CloudFormation takes them: secrets too.
    pub fn sent_parameters(&self) -> Vec<(&str, &str)> {
        self.parameters
            .iter()
            .map(|it| (it.key.as_str(), it.value.as_str()))
            .collect()
    }

    /// The cell as events tell of it, without secrets.
    pub fn to_event(&self) -> event::PlannedCell {
        event::PlannedCell {
            id: self.cell.clone(),
            stack_name: self.stack_name.clone(),
            template: self.template.clone(),
            account_id: self.account_id.clone(),
            parameters: shown(&self.parameters),
        }
    }
}

/// Parameters as events tell of them.
fn shown(parameters: &[PlannedParameter]) -> Vec<event::CellParameter> {
    let shown = |it: &PlannedParameter| event::CellParameter {
        key: it.key.clone(),
        value: it.shown().to_owned(),
    };
    parameters.iter().map(shown).collect()
}

/// A hook of the configuration; `config` is handed to it as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct HookPlan {
    pub kind: String,
    pub config: serde_json::Value,
}

/// A bucket that the project is staged to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPlan {
    pub name: String,
    /// `project.name`
    pub project: String,
    pub region: String,
    /// Where an automatic bucket is created if the region can't be used, in order.
    pub other_regions: Vec<String>,
    pub profile: String,
    pub account_id: String,
    pub partition: String,
    pub kind: BucketKind,
    /// Key and value of the tag that it gets when it is created, by which it is recognised later.
    pub tag: Option<(String, String)>,
    /// `project.s3_object_acl`
    pub object_acl: String,
    /// `project.s3_enable_sig_v2`: do not deny old signatures.
    pub enable_sig_v2: bool,
    pub org_id: Option<String>,
}

/// Who made the bucket, which decides who may delete it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketKind {
    /// Made for this run and deleted with it.
    Auto,
    /// `s3_regional_buckets` without `s3_bucket`: made where missing, shared by later runs, never
    /// deleted.
    RegionalAuto,
    /// `s3_bucket`: the user's own; never created, never deleted.
    Given,
    /// `s3_regional_buckets` with `s3_bucket`: `<s3_bucket>-<region>`, made where missing, never
    /// deleted.
    RegionalGiven,
}

impl BucketKind {
    /// Whether the bucket is the user's own or named after it.
    pub fn is_given(self) -> bool {
        matches!(self, Self::Given | Self::RegionalGiven)
    }
}

/// A question that only AWS can answer. `profile` and `region` say whose credentials ask it, and
/// where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lookup {
    pub profile: String,
    pub region: String,
    pub question: LookupKind,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LookupKind {
    /// EC2 DescribeAvailabilityZones with `state=available`.
    AvailabilityZones,
    /// SSM GetParameter, decrypted.
    SsmParameter { name: String },
    /// Secrets Manager GetSecretValue, `SecretString`.
    Secret { id: String },
    /// S3 GetObject as UTF-8, trimmed.
    Object { bucket: String, key: String },
    PresignedUrl {
        bucket: String,
        key: String,
        expires_seconds: u64,
    },
}

#[derive(Clone, PartialEq, Eq)]
pub enum LookupAnswer {
    Text(String),
    /// A text that must not be shown.
    Secret(String),
    /// In AWS's order.
    AvailabilityZones(Vec<AvailabilityZone>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailabilityZone {
    /// `us-east-1a`
    pub name: String,
    /// `use1-az6`
    pub id: String,
}

/// What was asked and what came back; an error is the text that AWS, or the SDK, gave.
pub type LookupAnswers = HashMap<Lookup, Result<LookupAnswer, String>>;

/// Who a profile is, from STS GetCallerIdentity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileIdentity {
    pub account_id: String,
    pub partition: String,
    /// Regions where the profile's tests run, in their order; the one in which STS has answered
    /// comes first.
    pub regions: Vec<String>,
}

/// A profile in a partition, and the regions where its tests run: the only ones in which anything
/// is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRegions {
    pub profile: String,
    /// Name of the partition.
    pub partition: &'static str,
    pub regions: Vec<String>,
}

/// By names of profile and partition; an error names the profile and says why it is nobody.
pub type ProfileIdentities = BTreeMap<(String, String), Result<ProfileIdentity, String>>;
