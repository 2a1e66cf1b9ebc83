//! Everything that happens in a run, as values.
//!
//! The steps send [`EventKind`]s. The dispatcher in `run` stamps and orders them as [`RunEvent`]s,
//! which the reports consume; `events.ndjson` lists them, one JSON object per line. This module
//! depends only on `status` and carries IDs and small values, never the value of a secret
//! parameter.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::status::{ResourceStatus, StackStatus};
use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

/// One line of `events.ndjson`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    /// Sequence number, counted from 1 without gaps.
    pub seq: u64,
    /// When the dispatcher received the event, UTC.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Returns the current time, for an event that happens now.
///
/// The result never goes backwards: the system clock is read once, and later times are measured
/// from there with a monotonic clock.
pub fn now() -> Timestamp {
    static START: OnceLock<(Timestamp, Instant)> = OnceLock::new();
    let (at, since) = START.get_or_init(|| (Timestamp::now(), Instant::now()));
    at.checked_add(since.elapsed()).unwrap_or(*at)
}

/// A test in a region: the unit that passes or fails.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct CellId {
    /// Name of the test in the configuration.
    pub test: Arc<str>,
    /// AWS region, such as `eu-west-1`.
    pub region: Arc<str>,
}

/// Formats as `test/region`.
impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.test, self.region)
    }
}

/// What happened. Consumers match exhaustively, so that a new variant is a decision for each of
/// them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// Always the first event.
    RunStarted(RunStarted),
    /// Where in the project's files the causes of a test's failure are, as far as they were
    /// predicted. Precedes the test's verdict.
    FailuresLocated {
        /// The test that failed.
        cell: CellId,
        /// Possible causes and their locations.
        places: Vec<PredictedFailure>,
    },
    /// A problem that doesn't stop anything.
    Warning {
        /// The test in question; absent if the warning concerns the whole run.
        cell: Option<CellId>,
        /// The warning, one lower-case sentence without a full stop.
        message: String,
    },

    /// Linting has started.
    LintStarted {
        /// Number of templates to lint.
        templates: usize,
    },
    /// The linter found something.
    LintFinding(LintFinding),
    /// Linting has finished.
    LintFinished {
        /// Number of findings that are errors.
        errors: usize,
        /// Number of findings that are warnings.
        warnings: usize,
    },
    /// Linting was skipped.
    LintSkipped {
        /// Why it was skipped.
        reason: String,
    },

    /// A Lambda function is being packaged.
    PackageStarted {
        /// The function's directory, relative to the project root.
        lambda: String,
    },
    /// A Lambda function was packaged.
    PackageFinished {
        /// The function's directory, relative to the project root.
        lambda: String,
        /// The archive's path, relative to the project root.
        archive: String,
    },

    /// A bucket is about to be created. Sent, and on disk, before the call.
    BucketCreating {
        /// The bucket's name.
        bucket: String,
        /// The bucket's region.
        region: String,
    },
    /// A bucket was created.
    BucketCreated {
        /// The bucket's name.
        bucket: String,
        /// The bucket's region.
        region: String,
    },
    /// A marker is about to be put into a bucket that other runs may stage to. Sent, and on disk,
    /// before the call.
    ///
    /// If [`EventKind::StagingReleased`] doesn't follow, the run was killed and its marker must
    /// still be deleted. The key is always what `stage::marker::key_of` returns for the journal's
    /// project and run, so that a forged journal can't name another object, and the bucket is one
    /// of the shared buckets in the journal's header.
    StagingMarked {
        /// The shared bucket's name.
        bucket: String,
        /// The bucket's region.
        region: String,
        /// The marker's object key.
        key: String,
    },
    /// The marker was deleted.
    StagingReleased {
        /// The shared bucket's name.
        bucket: String,
        /// The marker's object key.
        key: String,
    },
    /// Uploading to a bucket has started.
    UploadStarted {
        /// The bucket's name.
        bucket: String,
        /// Number of objects to upload.
        uploads: usize,
        /// Number of objects that are the same in the bucket already.
        unchanged: usize,
        /// Number of objects to remove from the bucket.
        removals: usize,
        /// Bytes to upload.
        bytes: u64,
    },
    /// An object was uploaded.
    ObjectUploaded {
        /// The bucket's name.
        bucket: String,
        /// The object's key.
        key: String,
        /// The object's size in bytes.
        bytes: u64,
    },
    /// An object that the project no longer has was removed.
    ObjectRemoved {
        /// The bucket's name.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// Uploading to a bucket has finished.
    UploadFinished {
        /// The bucket's name.
        bucket: String,
    },

    /// A hook has started.
    HookStarted {
        /// The test that the hook belongs to.
        cell: CellId,
        /// The hook.
        hook: Hook,
    },
    /// A hook has finished.
    HookFinished {
        /// The test that the hook belongs to.
        cell: CellId,
        /// The hook.
        hook: Hook,
        /// Why it failed; absent on success.
        error: Option<String>,
        /// The end of its output; absent if it printed nothing.
        output: Option<String>,
    },

    /// The outputs of other stacks that a test's parameters refer to are known.
    ParametersResolved {
        /// The test.
        cell: CellId,
        /// All of its parameters in the template's order; secret values are `****`.
        parameters: Vec<CellParameter>,
    },

    /// A check of a complete stack has started.
    CheckStarted {
        /// The test that the check belongs to.
        cell: CellId,
        /// The check.
        check: StackCheck,
    },
    /// A check of a complete stack has finished.
    CheckFinished {
        /// The test that the check belongs to.
        cell: CellId,
        /// The check.
        check: StackCheck,
        /// Its result.
        result: CheckResult,
    },

    /// A stack is about to be created. Sent, and on disk, before the call.
    StackCreating {
        /// The test.
        cell: CellId,
        /// The stack's name.
        stack_name: String,
        /// The `ClientRequestToken` of the `CreateStack` call.
        client_request_token: String,
    },
    /// CloudFormation accepted `CreateStack`.
    StackCreated {
        /// The test.
        cell: CellId,
        /// The stack's ARN.
        stack_id: String,
    },
    /// `CreateStack` was refused, or the test failed before that call. The test is over.
    LaunchFailed {
        /// The test.
        cell: CellId,
        /// Why the launch failed.
        reason: String,
        /// Whether the stack may exist nevertheless: CloudFormation didn't answer, and no stack was
        /// found.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        may_exist: bool,
    },
    /// A CloudFormation event of the test's stack or of a stack nested in it.
    StackEvent {
        /// The test.
        cell: CellId,
        /// The event.
        #[serde(flatten)]
        detail: StackEvent,
    },
    /// The test's stack has reached a terminal status. Nothing more happens to it until it is
    /// deleted.
    StackSettled {
        /// The test.
        cell: CellId,
        /// The stack's status.
        status: StackStatus,
        /// The status reason; absent if CloudFormation gives none.
        reason: Option<String>,
        /// The stack's outputs.
        outputs: Vec<StackOutput>,
    },
    /// The test's verdict. Teardown may still follow.
    CellFinished {
        /// The test.
        cell: CellId,
        /// The verdict.
        outcome: Outcome,
        /// Why the test didn't pass; absent if it passed.
        reason: Option<String>,
    },

    /// An attempt failed for a reason that AWS is responsible for, and its stack was deleted.
    /// Another attempt with a new stack follows.
    CellRetried {
        /// The test.
        cell: CellId,
        /// Number of the attempt that failed, from 1 on.
        attempt: u32,
        /// Why the attempt failed.
        reason: String,
    },

    /// A change set is about to be created. Sent before the call.
    ChangeSetCreating {
        /// The test or deployment.
        cell: CellId,
        /// The stack's name.
        stack_name: String,
        /// The change set's name.
        change_set: String,
    },
    /// The change set was created and can be reviewed. One without changes was deleted again.
    ChangeSetCreated {
        /// The test or deployment.
        cell: CellId,
        /// The stack's ARN.
        stack_id: String,
        /// The change set's name.
        change_set: String,
        /// What executing it would change.
        changes: Vec<ReportedChange>,
        /// What executing it does besides that, one lower-case sentence each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        options: Vec<String>,
    },
    /// The change set is being executed; the stack's events follow.
    ChangeSetExecuted {
        /// The test or deployment.
        cell: CellId,
        /// The change set's name.
        change_set: String,
    },
    /// The change set was left for somebody to review.
    ChangeSetLeft {
        /// The test or deployment.
        cell: CellId,
        /// The change set's name.
        change_set: String,
    },
    /// The change set was rejected and deleted.
    ChangeSetDropped {
        /// The test or deployment.
        cell: CellId,
        /// The change set's name.
        change_set: String,
    },

    /// Deletion of the stack was requested.
    StackDeleting {
        /// The test.
        cell: CellId,
        /// The stack's ARN.
        stack_id: String,
    },
    /// The stack was deleted.
    StackDeleted {
        /// The test.
        cell: CellId,
        /// The stack's ARN.
        stack_id: String,
    },
    /// The stack couldn't be deleted, or not in time.
    StackDeleteFailed {
        /// The test.
        cell: CellId,
        /// The stack's ARN.
        stack_id: String,
        /// Why the deletion failed.
        reason: String,
        /// Resources that still exist.
        left: Vec<LeftoverResource>,
    },
    /// The stack isn't deleted, as the user requested.
    StackKept {
        /// The test.
        cell: CellId,
        /// The stack's ARN.
        stack_id: String,
        /// The option that keeps it.
        why: KeepReason,
    },
    /// Deletion of the stack was requested but not awaited, as the user requested.
    StackDeleteUnawaited {
        /// The test.
        cell: CellId,
        /// The stack's ARN.
        stack_id: String,
    },

    /// A bucket was deleted.
    BucketDeleted {
        /// The bucket's name.
        bucket: String,
    },
    /// A bucket isn't deleted, as the user requested.
    BucketKept {
        /// The bucket's name.
        bucket: String,
        /// The option that keeps it.
        why: KeepReason,
    },
    /// A bucket couldn't be deleted.
    BucketDeleteFailed {
        /// The bucket's name.
        bucket: String,
        /// Why the deletion failed.
        reason: String,
    },

    /// The user or the system asked the run to stop; teardown follows.
    Interrupted {
        /// The signal's name, such as `SIGINT`.
        signal: String,
    },
    /// Always the last event.
    RunFinished(RunFinished),
}

/// The first event of a run: what the run is about to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The `taskcat-id` of the run: 32 hex digits.
    pub run_id: String,
    /// The version of taskcat, such as `1.0.0`.
    pub taskcat_version: String,
    /// What the run is for.
    pub task: RunTask,
    /// The project's name.
    pub project: String,
    /// The URL of the endpoint that replaces AWS; absent for AWS itself.
    pub endpoint: Option<String>,
    /// Whether the endpoint only simulates AWS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// The templates of the tests and those nested in them, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<TemplateSource>,
    /// The tests, in the order of the plan.
    pub cells: Vec<PlannedCell>,
}

/// What a template says about its parameters and resources, so that a failure can be traced to its
/// line and to the values involved. Holds no parameter values except defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateSource {
    /// The template's path, relative to the project root.
    pub template: String,
    /// The template's parameters by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub parameters: IndexMap<String, ParameterSource>,
    /// Line of each mapping, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub mappings: IndexMap<String, u32>,
    /// The template's resources by logical ID, in the template's order.
    pub resources: IndexMap<String, ResourceSource>,
}

/// A parameter as declared in a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterSource {
    /// Line of the declaration, from 1.
    pub line: u32,
    /// The default, `****` if the template says `NoEcho`; absent if there isn't one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Whether the template declares `NoEcho`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_echo: bool,
}

/// A resource as declared in a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceSource {
    /// Line of the resource, from 1.
    pub line: u32,
    /// Whether the resource is created only if a condition is true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub conditional: bool,
    /// The template's parameters that the resource refers to, itself or through its conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// Logical IDs of the resources that must be created first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// For a nested stack: its template's path, if that is in the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// For a nested stack: what it passes to its template's parameters, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub gives: IndexMap<String, ParameterBinding>,
}

/// What a nested stack passes to a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterBinding {
    /// A literal value.
    Value(String),
    /// The value of one of the outer template's parameters.
    Ref(String),
    /// Something computed from these parameters of the outer template.
    MadeOf(Vec<String>),
}

/// What a run is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunTask {
    /// Stacks are launched, checked and deleted.
    #[default]
    Test,
    /// The project is staged; nothing is launched.
    Upload,
    /// Long-lived stacks are created and updated with change sets.
    Deploy,
    /// Prints what an upload would do.
    DryRun,
    /// Deletes what earlier runs didn't delete.
    Clean,
}

/// A possible cause of failure and its location in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PredictedFailure {
    /// Text that the failure's reason contains if this is its cause.
    pub message: String,
    /// The file, relative to the project root.
    pub file: String,
    /// Line in the file, from 1.
    pub line: u32,
    /// How to fix it; absent if that isn't known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What is known about a test before it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedCell {
    /// The test and its region.
    #[serde(flatten)]
    pub id: CellId,
    /// The stack's name.
    pub stack_name: String,
    /// The template's path, relative to the project root.
    pub template: String,
    /// The AWS account's 12-digit ID.
    pub account_id: String,
    /// Resolved parameters in the template's order; secret values are `****`.
    pub parameters: Vec<CellParameter>,
    /// The template of the version that the stack is updated from, relative to the project root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_from: Option<String>,
}

/// A parameter and its resolved value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CellParameter {
    /// The parameter's name.
    pub key: String,
    /// Its value; `****` for a secret.
    pub value: String,
}

/// A linter's finding in a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LintFinding {
    /// Whether the finding is an error, which stops the run, rather than a warning.
    pub error: bool,
    /// The rule's ID, such as `E3012`.
    pub rule: String,
    /// What the linter says.
    pub message: String,
    /// The template's path, relative to the project root.
    pub template: String,
    /// Line of the finding, from 1.
    pub line: u32,
    /// Column of the finding, from 1.
    pub column: u32,
}

/// Formats like a compiler: `templates/main.yaml:12:7: E3012 …`.
impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            message,
            template,
            line,
            column,
            ..
        } = self;
        write!(f, "{template}:{line}:{column}: {rule} {message}")
    }
}

/// A CloudFormation stack event, with the names of the API
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StackEvent {
    /// The event's unique ID.
    pub event_id: String,
    /// The ARN of the stack that the event belongs to.
    pub stack_id: String,
    /// That stack's name.
    pub stack_name: String,
    /// How deep the stack is nested; 0 is the test's own stack.
    pub depth: u32,
    /// When the status changed. RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: Timestamp,
    /// The resource's logical ID; the stack's name for an event about the stack itself.
    pub logical_id: String,
    /// The resource's physical ID; absent as long as it has none.
    pub physical_id: Option<String>,
    /// The resource's type, such as `AWS::SQS::Queue`.
    pub resource_type: String,
    /// The resource's status.
    pub status: ResourceStatus,
    /// The status reason; absent if CloudFormation gives none.
    pub reason: Option<String>,
}

impl StackEvent {
    /// Returns whether the event is about the stack itself rather than a resource in it.
    pub fn is_of_stack(&self) -> bool {
        self.physical_id.as_deref() == Some(self.stack_id.as_str())
    }
}

/// An output of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StackOutput {
    /// The output's logical ID.
    pub key: String,
    /// The output's value.
    pub value: String,
    /// The output's description, if the template gives one.
    pub description: Option<String>,
    /// The name of the export, if the output is exported.
    pub export_name: Option<String>,
}

/// What a change set would do to a resource
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedChange {
    /// `Add`, `Modify`, `Remove`, `Import` or `Dynamic`.
    pub action: String,
    /// The resource's logical ID.
    pub logical_id: String,
    /// The resource's physical ID; absent if it doesn't exist yet.
    pub physical_id: Option<String>,
    /// The resource's type, such as `AWS::SQS::Queue`.
    pub resource_type: String,
    /// `True`, `False` or `Conditional`: whether the resource is replaced. Present only if the
    /// action is `Modify`.
    pub replacement: Option<String>,
    /// What changes in the resource.
    pub details: Vec<ReportedChangeDetail>,
    /// For a nested stack: the changes inside, as far as they are known.
    pub nested: Vec<ReportedChange>,
}

/// A change of a property or attribute of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedChangeDetail {
    /// The property's path or the resource's attribute, such as `QueueName`, `Tags.0.Value` or
    /// `DeletionPolicy`.
    pub name: String,
    /// The old value as text or JSON; absent if it isn't known or didn't exist. `****` if it
    /// contains a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The new value, in the same form as `before`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// `Never`, `Conditionally` or `Always`: whether the change replaces the resource.
    pub recreation: String,
    /// What causes the change: a parameter or another resource; absent if that isn't known.
    pub cause: Option<String>,
}

/// A resource that still exists after a failed deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftoverResource {
    /// The resource's logical ID.
    pub logical_id: String,
    /// The resource's physical ID; absent if it has none.
    pub physical_id: Option<String>,
    /// The resource's type, such as `AWS::S3::Bucket`.
    pub resource_type: String,
    /// The resource's last status.
    pub status: ResourceStatus,
    /// The status reason; absent if CloudFormation gives none.
    pub reason: Option<String>,
}

/// A hook of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hook {
    /// Whether the hook runs before or after the launch.
    pub stage: HookStage,
    /// The hook's `type` in the configuration.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The two lists of hooks, by TaskCat's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookStage {
    /// Hooks that run before the launch.
    Prehooks,
    /// Hooks that run after the launch.
    Posthooks,
}

/// A check of a test's stack once it is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StackCheck {
    /// The check's position in the test's list, from 1.
    pub number: usize,
    /// The check's name; without one, what it checks.
    pub name: String,
    /// What kind of check it is.
    #[serde(rename = "type")]
    pub kind: StackCheckKind,
    /// The configuration file, relative to the project root; empty if it isn't known.
    pub file: String,
    /// Line of the check in the file, from 1.
    pub line: u32,
}

/// The kinds of checks, by their keys in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StackCheckKind {
    /// An HTTP request.
    Http,
    /// A TCP connection.
    Tcp,
    /// The value of an output.
    Output,
    /// A resource, as Cloud Control describes it.
    Resource,
    /// The drift of the stack.
    Drift,
    /// A program.
    Command,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum CheckResult {
    /// What was expected was found.
    Passed,
    /// The check failed, which fails its test.
    Failed {
        /// Why it failed, in one line or with the end of a program's output.
        reason: String,
        /// What was expected; absent if the check could not be made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<String>,
        /// What was found; absent if the check could not be made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        found: Option<String>,
    },
    /// The check could not be made where the run took place, which says nothing about the stack.
    NotChecked {
        /// Why it could not be made.
        reason: String,
    },
}

/// The verdict of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The stack was created, and all checks and hooks succeeded.
    Passed,
    /// The launch, the stack, a check or a hook failed.
    Failed,
    /// The run was stopped before the test had passed or failed.
    Interrupted,
    /// An error before the tests prevented the launch, or a test that it depends on didn't pass.
    Skipped,
}

/// The option that keeps a stack or bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeepReason {
    /// `--no-delete`
    NoDelete,
    /// `--keep-failed`
    KeepFailed,
}

impl KeepReason {
    /// Returns why the stack of a finished test isn't deleted, or `None` if it is deleted.
    pub fn of(outcome: Outcome, no_delete: bool, keep_failed: bool) -> Option<Self> {
        match outcome {
            _ if no_delete => Some(Self::NoDelete),
            Outcome::Failed if keep_failed => Some(Self::KeepFailed),
            _ => None,
        }
    }
}

/// The last event of a run: its counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFinished {
    /// Number of tests that passed.
    pub passed: usize,
    /// Number of tests that failed.
    pub failed: usize,
    /// Number of tests that were interrupted.
    pub interrupted: usize,
    /// Number of stacks and buckets that should have been deleted but still exist.
    pub left_behind: usize,
    /// What stopped the run before its tests, such as lint errors or a bucket that can't be
    /// created; absent in a normal run.
    pub error: Option<String>,
}

/// The sending side of the channel from the steps to the dispatcher. Clones are cheap.
#[derive(Clone)]
pub struct EventSender(mpsc::UnboundedSender<DispatcherMessage>);

/// A message from a step to the dispatcher.
pub struct DispatcherMessage {
    /// What happened.
    pub kind: EventKind,
    /// Answered when the event is on disk, or with the reason why it can't be written; absent if
    /// the sender doesn't wait.
    pub recorded: Option<oneshot::Sender<Result<(), String>>>,
}

/// The journal can't be written, so what the event announces must not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run's journal cannot be written: {0}")]
pub struct JournalWriteFailed(pub String);

impl EventSender {
    /// Creates a channel and returns its two ends.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<DispatcherMessage>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends an event without waiting for the journal.
    pub fn send(&self, kind: EventKind) {
        // The dispatcher outlives every sender, so sending can't fail.
        let _ = self.0.send(DispatcherMessage {
            kind,
            recorded: None,
        });
    }

    /// Sends a warning, about a test or about the whole run.
    pub fn warn(&self, cell: Option<&CellId>, message: impl Into<String>) {
        self.send(EventKind::Warning {
            cell: cell.cloned(),
            message: message.into(),
        });
    }

    /// Sends an event and returns once it is on disk. Await this before doing what the event
    /// announces.
    ///
    /// # Errors
    /// The journal can't be written.
    pub async fn record(&self, kind: EventKind) -> Result<(), JournalWriteFailed> {
        let (recorded, answer) = oneshot::channel();
        let _ = self.0.send(DispatcherMessage {
            kind,
            recorded: Some(recorded),
        });
        match answer.await {
            Ok(result) => result.map_err(JournalWriteFailed),
            Err(_) => Err(JournalWriteFailed("the dispatcher has stopped".to_owned())),
        }
    }
}
