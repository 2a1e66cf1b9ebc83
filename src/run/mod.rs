//! Executes a plan.
//!
//! [`prepare`] looks up in AWS what the plan needs; [`run`] executes the steps in order. Around
//! them are the dispatcher, which has the run's state and verdict, the [`journal`], and the
//! handling of signals. Called by `cli`; reports get the events.

mod cell;
mod check;
mod checks;
mod clean;
mod deletion;
mod dependencies;
mod deploy;
mod dispatcher;
mod error;
mod harness;
mod interrupt;
pub(crate) mod journal;
mod limits;
pub(crate) mod pipeline;
mod prepare;
mod redact;
mod relaunch;
mod resume;
mod retry;
mod stack_checks;
mod staging;
mod stop;
mod update;
mod verdict;

pub(crate) use check::{CheckScope, UnansweredCheck, check_assumptions};
pub(crate) use clean::{
    CleanFindings, CleanRequest, Leftover, OWN_REGION, SearchError, SearchScope, StackType, clean,
    find, run_id,
};
pub(crate) use deletion::DeletionOptions;
pub(crate) use deploy::{
    Decide, Decision, DeployOptions, Proposed, deploy, foreign_stacks, shared_stacks,
};
pub(crate) use error::RunError;
pub(crate) use harness::EndedRun;
pub(crate) use prepare::{PrepareError, prepare};
pub(crate) use relaunch::{NestedStack, RelaunchError, nested_stack};
pub(crate) use resume::{ResumeError, ResumeRequest, Resumption, resume};
pub(crate) use staging::{EarlierFiles, Staging, UploadChange};
pub(crate) use stop::{Budget, StopReason};

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::aws::Aws;
use crate::event::{
    CellId, EventKind, EventSender, KeepReason, LintFinding, Outcome, PlannedCell,
    PredictedFailure, RunStarted, RunTask, TemplateSource,
};
use crate::lint::{self, Finding, LintJob, LintOutcome};
use crate::plan::{BucketKind, BucketPlan, Plan, StackPlan};
use crate::report::EventConsumer;
use crate::stage::marker::PlacedMarker;
use crate::teardown;
use dependencies::{CellGraph, DependencyFailure};
use dispatcher::RunSecrets;
use harness::{RunContext, RunHarness};
use jiff::Timestamp;
use journal::{Journal, JournalFolders, JournalHeader};
use limits::LaunchLimits;
use staging::StagedBucket;
use stop::StopSwitch;
use teardown::BucketOrigin;

/// Everything to do in a run.
pub(crate) struct RunJob<'j> {
    pub plan: Plan,
    pub settings: RunSettings,
    /// What to lint first; `None` skips linting.
    pub lint: Option<LintJob>,
    /// What to upload to the buckets; `None` uses what is there.
    pub staging: Option<Staging>,
    /// The templates' declarations, for the reports.
    pub templates: Vec<TemplateSource>,
    /// The endpoint used instead of AWS, for the reports.
    pub endpoint: Option<String>,
    /// The folders for the journal; `None` for a simulator in this process, which ends with it.
    pub journal: Option<JournalFolders>,
    /// The folder of the reports, which the journal contains.
    pub output: Option<PathBuf>,
    /// Changes to the environment of hooks; `None` removes a variable.
    pub hook_environment: Vec<(String, Option<String>)>,
    /// Predicts the failures of a cell; called only for cells that fail.
    pub foresee: Option<&'j PredictFailures<'j>>,
}

impl RunJob<'_> {
    /// Creates a job that neither lints nor stages, with the default settings and no journal.
    pub(crate) fn new(plan: Plan, endpoint: Option<String>) -> Self {
        Self {
            plan,
            settings: RunSettings::default(),
            lint: None,
            staging: None,
            templates: Vec::new(),
            endpoint,
            journal: None,
            output: None,
            hook_environment: Vec::new(),
            foresee: None,
        }
    }
}

/// Returns possible causes of a cell's failure with their locations in the project's files.
pub(crate) type PredictFailures<'j> = dyn Fn(&CellId) -> Vec<PredictedFailure> + Sync + 'j;

const LINT_ABSENT: &str = "cfn-lint is not on PATH, so templates are not checked before the launch \
    (`pip install cfn-lint`; -l skips the check)";

/// The default age at which a stack in progress is slow.
pub(crate) const SLOW_AFTER: Duration = Duration::from_secs(60 * 60);

/// The user's settings for a run, besides the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunSettings {
    pub no_delete: bool,
    pub keep_failed: bool,
    pub wait_for_delete: bool,
    /// Maximum number of concurrent stacks; `None` is unlimited.
    pub max_concurrency: Option<usize>,
    pub max_concurrency_per_region: Option<usize>,
    /// Delete stacks without the resources that can't be deleted, as a last step.
    pub force_delete: bool,
    /// Number of failed tests after which the run stops.
    pub max_fail: Option<usize>,
    /// Age at which to warn about a stack in progress.
    pub slow_after: Duration,
    pub budget: Option<Budget>,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            no_delete: false,
            keep_failed: false,
            wait_for_delete: false,
            max_concurrency: None,
            max_concurrency_per_region: None,
            force_delete: false,
            max_fail: None,
            slow_after: SLOW_AFTER,
            budget: None,
        }
    }
}

/// The context of every step of a run.
struct StepContext<'r> {
    job: &'r RunJob<'r>,
    aws: &'r Aws,
    events: &'r EventSender,
    cancel: &'r CancellationToken,
    stop: &'r StopSwitch,
    /// Indexes of the plan's buckets that this run may have created.
    begun: Mutex<BTreeMap<usize, BucketCreation>>,
    /// Markers that this run may have put into shared buckets.
    markers: Mutex<Vec<PlacedMarker>>,
    /// Number of failed tests so far.
    failures: AtomicUsize,
    /// Keys of the staged files, once they are known.
    keys: OnceLock<Vec<String>>,
}

impl<'r> StepContext<'r> {
    fn new(job: &'r RunJob<'r>, aws: &'r Aws, context: &'r RunContext) -> Self {
        let events = &context.events;
        let cancel = &context.cancel;
        let stop = &context.stop;
        let begun = Mutex::default();
        let failures = AtomicUsize::new(0);
        let keys = OnceLock::new();
        Self {
            job,
            aws,
            events,
            cancel,
            stop,
            begun,
            markers: Mutex::default(),
            failures,
            keys,
        }
    }
}

/// What is known about the creation of a bucket.
#[derive(Clone, Debug)]
struct BucketCreation {
    requested: Timestamp,
    is_confirmed: bool,
    /// The region where it was last requested.
    region: String,
}

impl StepContext<'_> {
    fn settings(&self) -> &RunSettings {
        &self.job.settings
    }

    fn begun(&self) -> MutexGuard<'_, BTreeMap<usize, BucketCreation>> {
        // A panic while the lock was held leaves valid values.
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn markers(&self) -> MutexGuard<'_, Vec<PlacedMarker>> {
        self.markers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begun_buckets(&self) -> impl Iterator<Item = &BucketPlan> {
        self.bucket_creations().map(|(bucket, _)| bucket)
    }

    fn bucket_creations(&self) -> impl Iterator<Item = (&BucketPlan, BucketCreation)> {
        let begun = self.begun().clone();
        begun
            .into_iter()
            .map(|(index, creation)| (&self.job.plan.buckets[index], creation))
    }

    /// Sends the possible causes of a cell's failure and their locations.
    fn locate_failures(&self, cell: &CellId, mut places: Vec<PredictedFailure>) {
        if let Some(foresee) = self.job.foresee {
            places.extend(foresee(cell));
        }
        if !places.is_empty() {
            self.events.send(EventKind::FailuresLocated {
                cell: cell.clone(),
                places,
            });
        }
    }

    /// Counts a failed test, and stops the run if the limit is reached.
    fn count_failure(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if self
            .settings()
            .max_fail
            .is_some_and(|limit| failures >= limit)
        {
            self.stop.stop(StopReason::Failures(failures), self.events);
        }
    }

    /// Returns the keys of the staged files, as far as they are known.
    fn staged_keys(&self) -> &[String] {
        self.keys.get().map(Vec::as_slice).unwrap_or_default()
    }
}

/// Tests every cell; returns when everything is reported and deleted. The error is the journal's:
/// without a journal, nothing is created.
pub(crate) async fn run(
    job: &RunJob<'_>,
    aws: &Aws,
    consumers: Vec<Box<dyn EventConsumer>>,
) -> io::Result<EndedRun> {
    let header = || {
        JournalHeader::new(
            &job.plan,
            &job.settings,
            job.endpoint.clone(),
            job.output.clone(),
        )
    };
    let journal = match &job.journal {
        Some(folders) => Some(Journal::create(folders, &header())?),
        None => None,
    };
    let harness = RunHarness {
        secrets: secrets(&job.plan),
        journal,
        budget: job.settings.budget,
        ..RunHarness::new(started(job, aws), consumers)
    };
    Ok(harness
        .run_to_end(async |context| steps(&StepContext::new(job, aws, context)).await)
        .await)
}

/// Packages and uploads the project and keeps the buckets.
pub(crate) async fn upload(
    job: &RunJob<'_>,
    aws: &Aws,
    consumers: Vec<Box<dyn EventConsumer>>,
) -> EndedRun {
    let harness = RunHarness::new(uploading(job, aws), consumers);
    let work = async |context: &RunContext| {
        let context = StepContext::new(job, aws, context);
        let staged = staging::stage(&context).await;
        staging::release(&context).await;
        // All other buckets have the files.
        match staged.and_then(|buckets| buckets.into_iter().collect::<Result<Vec<_>, _>>()) {
            Ok(_) | Err(RunError::Stopped) => Ok(()),
            Err(error) => Err(error),
        }
    };
    harness.run_to_end(work).await
}

/// Returns what an upload would do.
pub(crate) async fn dry_run(
    job: &RunJob<'_>,
    aws: &Aws,
    consumers: Vec<Box<dyn EventConsumer>>,
) -> (EndedRun, Vec<UploadChange>) {
    let started = RunStarted {
        task: RunTask::DryRun,
        ..uploading(job, aws)
    };
    let harness = RunHarness::new(started, consumers);
    let mut changes = Vec::new();
    let work = async |context: &RunContext| {
        let context = StepContext::new(job, aws, context);
        let found = context
            .cancel
            .run_until_cancelled(staging::dry_run(&context))
            .await;
        changes = found.unwrap_or(Ok(Vec::new()))?;
        Ok(())
    };
    let ended = harness.run_to_end(work).await;
    (ended, changes)
}

/// Runs the steps. The error is what prevented all tests.
async fn steps(context: &StepContext<'_>) -> Result<(), RunError> {
    let result = match before_cells(context).await {
        Ok(buckets) => {
            test_cells(context, &buckets).await;
            Ok(())
        }
        Err(RunError::Stopped) => {
            let reason = context.stop.reason().map(|reason| reason.to_string());
            not_run(context, Outcome::Interrupted, reason.as_deref());
            Ok(())
        }
        Err(error) => {
            not_run(context, Outcome::Skipped, Some(&error.to_string()));
            Err(error)
        }
    };
    delete_buckets(context).await;
    staging::release(context).await;
    result
}

/// Lints, packages and uploads. Lint errors stop the run before anything is created.
///
/// # Errors
/// [`RunError::Stopped`] if the run was stopped meanwhile. The creation of buckets isn't cancelled,
/// since a call in progress may take effect.
async fn before_cells(context: &StepContext<'_>) -> Result<Vec<StagedBucket>, RunError> {
    if context.job.plan.cells.is_empty() && context.job.plan.buckets.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(job) = &context.job.lint {
        context
            .stop
            .until_stopped(check(context, job))
            .await
            .unwrap_or(Err(RunError::Stopped))?;
    }
    staging::stage(context).await
}

async fn check(context: &StepContext<'_>, job: &LintJob) -> Result<(), RunError> {
    // Several tests may use one template.
    let templates: BTreeSet<_> = job.subjects.iter().map(|it| &it.template).collect();
    context.events.send(EventKind::LintStarted {
        templates: templates.len(),
    });
    let LintOutcome::Findings {
        findings, warnings, ..
    } = lint::run(job).await?
    else {
        context.events.send(EventKind::LintSkipped {
            reason: LINT_ABSENT.to_owned(),
        });
        return Ok(());
    };
    warnings
        .into_iter()
        .for_each(|warning| context.events.warn(None, warning));
    let errors = findings.iter().filter(|it| it.is_error()).count();
    let warnings = findings.len() - errors;
    findings.into_iter().for_each(|finding| {
        context
            .events
            .send(EventKind::LintFinding(lint_finding(finding)))
    });
    context
        .events
        .send(EventKind::LintFinished { errors, warnings });
    if errors == 0 {
        Ok(())
    } else {
        Err(RunError::Lint(errors))
    }
}

fn lint_finding(finding: Finding) -> LintFinding {
    LintFinding {
        error: finding.is_error(),
        message: lint::output::full_message(&finding),
        rule: finding.rule,
        template: finding.template.display().to_string(),
        line: finding.location.at.line,
        column: finding.location.at.column,
    }
}

/// Sends the results of cells that can't be launched.
fn refuse(context: &StepContext<'_>) {
    for refused in &context.job.plan.refused {
        if !refused.places.is_empty() {
            let cell = refused.cell.id.clone();
            let places = refused.places.clone();
            context
                .events
                .send(EventKind::FailuresLocated { cell, places });
        }
        refuse_cell(context, &refused.cell.id, &refused.reason);
    }
}

fn refuse_cell(context: &StepContext<'_>, cell: &CellId, reason: &str) {
    let cell = cell.clone();
    let reason = reason.to_owned();
    let failed = EventKind::LaunchFailed {
        cell: cell.clone(),
        reason: reason.clone(),
        may_exist: false,
    };
    context.events.send(failed);
    context.events.send(EventKind::CellFinished {
        cell,
        outcome: Outcome::Failed,
        reason: Some(reason),
    });
    context.count_failure();
}

async fn test_cells(context: &StepContext<'_>, buckets: &[StagedBucket]) {
    let RunJob { plan, settings, .. } = context.job;
    refuse(context);
    let regions = plan.cells.iter().map(|cell| &cell.cell.region);
    let limits = LaunchLimits::new(
        settings.max_concurrency,
        settings.max_concurrency_per_region,
        regions,
    );
    let graph = CellGraph::new(plan);
    join_all(plan.cells.iter().map(async |cell| {
        let refuse = |reason: &str| {
            refuse_cell(context, &cell.cell, reason);
            graph.decide(&cell.cell, Outcome::Failed, Vec::new());
            graph.end(&cell.cell, None);
        };
        let bucket = match &buckets[cell.bucket] {
            Ok(bucket) => bucket,
            Err(error) => return refuse(&error.to_string()),
        };
        match graph.ready(context, cell).await {
            Ok(ready) => cell::run_cell(context, &limits, &ready, bucket, &graph).await,
            Err(DependencyFailure::Unresolved { reason, place }) => {
                context.locate_failures(&cell.cell, vec![place]);
                refuse(&reason);
            }
            Err(DependencyFailure::Skipped(reason)) => {
                not_launched(context, &graph, &cell.cell, Outcome::Skipped, reason);
            }
            Err(DependencyFailure::Stopped) => {
                let reason = context.stop.reason().map(|reason| reason.to_string());
                let reason = reason.unwrap_or_default();
                not_launched(context, &graph, &cell.cell, Outcome::Interrupted, reason);
            }
        }
    }))
    .await;
}

/// Ends a cell whose dependencies didn't pass.
fn not_launched(
    context: &StepContext<'_>,
    graph: &CellGraph,
    cell: &CellId,
    outcome: Outcome,
    reason: String,
) {
    context.events.send(EventKind::CellFinished {
        cell: cell.clone(),
        outcome,
        reason: Some(reason),
    });
    graph.decide(cell, outcome, Vec::new());
    graph.end(cell, None);
}

fn not_run(context: &StepContext<'_>, outcome: Outcome, reason: Option<&str>) {
    for cell in cells(&context.job.plan) {
        context.events.send(EventKind::CellFinished {
            cell: cell.id,
            outcome,
            reason: reason.map(str::to_owned),
        });
    }
}

/// Deletes the buckets created for this run, whether or not anything was uploaded.
async fn delete_buckets(context: &StepContext<'_>) {
    let keys = context.staged_keys();
    let auto = context
        .bucket_creations()
        .filter(|(bucket, _)| bucket.kind == BucketKind::Auto);
    join_all(auto.map(async |(bucket, creation)| {
        if context.settings().no_delete {
            let bucket = bucket.name.clone();
            context.events.send(EventKind::BucketKept {
                bucket,
                why: KeepReason::NoDelete,
            });
            return;
        }
        let clients = context.aws.clients(&bucket.profile, &creation.region).await;
        if creation.is_confirmed {
            return teardown::delete_bucket(&bucket.name, keys, &clients, context.events).await;
        }
        let origin = BucketOrigin {
            run_id: &context.job.plan.run_id.simple().to_string(),
            project: &context.job.plan.project_name,
            account_id: &bucket.account_id,
            unconfirmed_since: Some(creation.requested),
        };
        teardown::delete_bucket_of_run(&bucket.name, &origin, &clients, context.events).await;
    }))
    .await;
}

fn started(job: &RunJob<'_>, aws: &Aws) -> RunStarted {
    let templates = job.templates.clone();
    let cells = cells(&job.plan);
    RunStarted {
        task: RunTask::Test,
        templates,
        cells,
        ..uploading(job, aws)
    }
}

fn uploading(job: &RunJob<'_>, aws: &Aws) -> RunStarted {
    RunStarted {
        task: RunTask::Upload,
        run_id: job.plan.run_id.simple().to_string(),
        taskcat_version: env!("CARGO_PKG_VERSION").to_owned(),
        project: job.plan.project_name.clone(),
        endpoint: job.endpoint.clone(),
        simulated: aws.is_simulated(),
        templates: Vec::new(),
        cells: Vec::new(),
    }
}

/// Returns every cell for events, those that can't be launched last.
fn cells(plan: &Plan) -> Vec<PlannedCell> {
    let refused = plan.refused.iter().map(|refused| refused.cell.clone());
    plan.cells
        .iter()
        .map(StackPlan::to_event)
        .chain(refused)
        .collect()
}

fn secrets(plan: &Plan) -> RunSecrets {
    let earlier = plan.cells.iter().filter_map(|it| it.update.from.as_ref());
    let parameters = plan.cells.iter().flat_map(|cell| &cell.parameters);
    let parameters = parameters.chain(earlier.flat_map(|it| &it.parameters));
    let secret = parameters.filter(|parameter| parameter.secret);
    let values = secret.map(|parameter| parameter.value.clone()).collect();
    RunSecrets::new(values, dependencies::secret_outputs(plan))
}
