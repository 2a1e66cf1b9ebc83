//! Turns configuration and templates into a [`Plan`]: one fully resolved [`StackPlan`] per test and
//! region.
//!
//! There are several steps, since AWS is called in between: [`PlanDraft::new`] checks everything
//! that files show; [`PlanDraft::profiles`] lists the [`ProfileIdentities`] to look up, and
//! [`PlanDraft::lookups`] the [`LookupAnswers`]; [`PlanDraft::build`] returns the plan. Nothing
//! here calls AWS: `aws` does, and `run` executes a plan. [`PlanDraft::forecast`] predicts the
//! results offline.

mod bucket;
mod build;
mod check;
mod dependencies;
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
mod suggest;
mod update;
mod values;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;

use uuid::Uuid;

use crate::event::{self, CellId};
use crate::mask::MASK;

pub use build::PlanError;
pub use check::{CheckPlan, CheckSubject, OutputText};
pub use dependencies::{NeededOutput, OutputReference};
pub use draft::{OWN_TAGS, PlanDraft, unknown_region, unknown_resources};
pub use limits::TestLimits;
pub use names::{auto_bucket_name, valid_stack_name};
pub use profile_name::{
    DEFAULT_PROFILE, EXPLICIT_DEFAULT_PROFILE, explicit_profile, profile_argument, profile_of,
};
pub use sources::sources;
pub use suggest::{Suggestion, suggest};
pub use update::{GitVersion, PreviousVersion, UpdatePlan};

/// Tag that identifies a stack created by `taskcat deploy`; its value is the stack's name.
pub const INSTALLER_TAG: &str = "taskcat-installer";

/// Tag of a bucket created for an upload; its value is the project's name.
const UPLOAD_TAG: &str = "taskcat-upload";

/// Everything that a run will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The run's ID, the value of the tag `taskcat-id`.
    pub run_id: Uuid,
    /// The project's name (`project.name`), which is the key prefix in every bucket.
    pub project_name: String,
    /// The project's root folder.
    pub project_root: PathBuf,
    /// The buckets to stage to.
    pub buckets: Vec<BucketPlan>,
    /// The stacks to launch in the order of the configuration: test by test, region by region.
    pub cells: Vec<StackPlan>,
    /// Tests that can't be launched in a region, in the same order: the profile has no identity, or
    /// a parameter can't be resolved.
    pub refused: Vec<RefusedCell>,
}

impl Plan {
    /// Makes the buckets permanent by removing the tag that identifies a run's buckets for
    /// deletion.
    pub fn keep_buckets(&mut self) {
        for bucket in self
            .buckets
            .iter_mut()
            .filter(|bucket| bucket.kind == BucketKind::Auto)
        {
            bucket.tag = Some((UPLOAD_TAG.to_owned(), self.project_name.clone()));
        }
    }

    /// Makes the stacks permanent: gives them their own names and removes the tags that identify a
    /// run's stacks for deletion.
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

/// A test that can't be launched in a region.
#[derive(Clone, Debug)]
pub struct RefusedCell {
    /// The test as far as it is known; without an identity, `account_id` is empty.
    pub cell: event::PlannedCell,
    /// Why it can't be launched.
    pub reason: String,
    /// Where its parameters are set.
    pub places: Vec<event::PredictedFailure>,
}

/// A stack to launch: one test in one region.
#[derive(Clone, Debug)]
pub struct StackPlan {
    /// The test and region.
    pub cell: CellId,
    /// The profile whose credentials launch it.
    pub profile: String,
    /// The account's 12-digit ID.
    pub account_id: String,
    /// The partition: `aws`, `aws-cn`.
    pub partition: String,
    /// The stack's name.
    pub stack_name: String,
    /// The template's path, relative to the project root, with `/`.
    pub template: String,
    /// Index into [`Plan::buckets`].
    pub bucket: usize,
    /// Object key of the template in its bucket: `<project name>/<template>`.
    pub template_key: String,
    /// The parameters in the order of the template's declarations.
    pub parameters: Vec<PlannedParameter>,
    /// Tags in the order they are sent: `taskcat-id`, `taskcat-project-name`, `taskcat-test-name`,
    /// followed by the test's own.
    pub tags: Vec<(String, String)>,
    /// ARN of the service role that CloudFormation assumes; `None` to use the caller's credentials.
    pub role_arn: Option<String>,
    /// Hooks that run before the launch.
    pub prehooks: Vec<HookPlan>,
    /// Hooks that run after the stack is complete.
    pub posthooks: Vec<HookPlan>,
    /// Checks of the stack once it is complete, before the posthooks.
    pub checks: Vec<CheckPlan>,
    /// Time limits and retries.
    pub limits: TestLimits,
    /// The version that it is updated from.
    pub update: UpdatePlan,
    /// The tests and regions whose stacks must be complete before the launch.
    pub dependencies: Vec<CellId>,
    /// The outputs of those that the parameters refer to, by their notation in the values.
    pub needed_outputs: Vec<NeededOutput>,
}

/// A parameter to send.
#[derive(Clone, PartialEq, Eq)]
pub struct PlannedParameter {
    /// The parameter's name.
    pub key: String,
    /// The value as CreateStack takes it; lists joined with commas.
    pub value: String,
    /// Whether the value must not be shown: the template says `NoEcho`, or the value is a generated
    /// password or a fetched secret.
    pub secret: bool,
}

impl PlannedParameter {
    /// Returns the value for display; `****` for a secret.
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
    /// Returns the stack to launch first, if it is an earlier version.
    pub fn previous(&self) -> Option<Self> {
        let from = self.update.from.clone()?;
        Some(Self {
            template: from.template,
            template_key: from.template_key,
            parameters: from.parameters,
            ..self.clone()
        })
    }

    /// Returns the name and value of each parameter as CloudFormation takes them, including
    /// secrets.
    pub fn sent_parameters(&self) -> Vec<(&str, &str)> {
        self.parameters
            .iter()
            .map(|it| (it.key.as_str(), it.value.as_str()))
            .collect()
    }

    /// Returns the cell for events, without secrets.
    pub fn to_event(&self) -> event::PlannedCell {
        event::PlannedCell {
            id: self.cell.clone(),
            stack_name: self.stack_name.clone(),
            template: self.template.clone(),
            account_id: self.account_id.clone(),
            parameters: shown(&self.parameters),
            update_from: self.update.from.as_ref().map(|it| it.template.clone()),
        }
    }
}

/// Returns parameters for events.
fn shown(parameters: &[PlannedParameter]) -> Vec<event::CellParameter> {
    let shown = |it: &PlannedParameter| event::CellParameter {
        key: it.key.clone(),
        value: it.shown().to_owned(),
    };
    parameters.iter().map(shown).collect()
}

/// A hook of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct HookPlan {
    /// The hook's `type`.
    pub kind: String,
    /// The hook's `config`, passed on unchanged.
    pub config: serde_json::Value,
}

/// A bucket that the project is staged to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPlan {
    /// The bucket's name.
    pub name: String,
    /// The project's name, `project.name`.
    pub project: String,
    /// The bucket's region.
    pub region: String,
    /// Regions to create an automatic bucket in if `region` can't be used, in order.
    pub other_regions: Vec<String>,
    /// The profile whose credentials are used.
    pub profile: String,
    /// The account's 12-digit ID.
    pub account_id: String,
    /// The partition: `aws`, `aws-cn`.
    pub partition: String,
    /// How the bucket was created, which determines whether it is deleted.
    pub kind: BucketKind,
    /// Key and value of the tag that identifies a created bucket.
    pub tag: Option<(String, String)>,
    /// ACL of uploaded objects, `project.s3_object_acl`.
    pub object_acl: String,
    /// Whether signature version 2 is allowed, `project.s3_enable_sig_v2`.
    pub enable_sig_v2: bool,
    /// ID of the organization that may read the bucket, `project.org_id`.
    pub org_id: Option<String>,
}

/// Who creates a bucket, which determines who may delete it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketKind {
    /// Created for this run and deleted with it.
    Auto,
    /// `s3_regional_buckets` without `s3_bucket`: created if missing, shared by later runs, never
    /// deleted.
    RegionalAuto,
    /// `s3_bucket`: the user's own; never created or deleted.
    Given,
    /// `s3_regional_buckets` with `s3_bucket`: `<s3_bucket>-<region>`, created if missing, never
    /// deleted.
    RegionalGiven,
}

impl BucketKind {
    /// Returns whether the bucket is the user's own or named after it.
    pub fn is_given(self) -> bool {
        matches!(self, Self::Given | Self::RegionalGiven)
    }
}

/// Something to look up in AWS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lookup {
    /// The profile whose credentials are used.
    pub profile: String,
    /// The region to call.
    pub region: String,
    /// What to look up.
    pub question: LookupKind,
}

/// What to look up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LookupKind {
    /// The available zones: EC2 DescribeAvailabilityZones with `state=available`.
    AvailabilityZones,
    /// An SSM parameter: SSM GetParameter, decrypted.
    SsmParameter {
        /// The parameter's name.
        name: String,
    },
    /// A secret: `SecretString` of Secrets Manager GetSecretValue.
    Secret {
        /// The secret's name or ARN.
        id: String,
    },
    /// An object's text: S3 GetObject as UTF-8, trimmed.
    Object {
        /// The bucket's name.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// A presigned URL for an object.
    PresignedUrl {
        /// The bucket's name.
        bucket: String,
        /// The object's key.
        key: String,
        /// Validity of the URL in seconds.
        expires_seconds: u64,
    },
}

/// AWS's answer to a lookup.
#[derive(Clone, PartialEq, Eq)]
pub enum LookupAnswer {
    /// A string that may be shown.
    Text(String),
    /// A string that must not be shown.
    Secret(String),
    /// Availability Zones in AWS's order.
    AvailabilityZones(Vec<AvailabilityZone>),
}

/// An Availability Zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailabilityZone {
    /// The zone's name in the account, such as `us-east-1a`.
    pub name: String,
    /// The zone's ID, such as `use1-az6`.
    pub id: String,
}

/// Answers by lookup; an error is the message of AWS or the SDK.
pub type LookupAnswers = HashMap<Lookup, Result<LookupAnswer, String>>;

/// The identity of a profile, from STS GetCallerIdentity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileIdentity {
    /// The account's 12-digit ID.
    pub account_id: String,
    /// The partition: `aws`, `aws-cn`.
    pub partition: String,
    /// Regions where the profile's tests run, in order, but starting with the one where STS
    /// answered.
    pub regions: Vec<String>,
}

/// A profile in a partition, with the regions where its tests run. No other regions are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRegions {
    /// The profile's name.
    pub profile: String,
    /// The partition's name.
    pub partition: &'static str,
    /// The regions, in the order of the tests.
    pub regions: Vec<String>,
}

/// Identities by profile and partition; an error names the profile and says why it has none.
pub type ProfileIdentities = BTreeMap<(String, String), Result<ProfileIdentity, String>>;
