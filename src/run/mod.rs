//! A plan is carried out: the steps in order.
//!
//! [`prepare`] asks AWS what the plan needs to know, [`run`] does what the plan says. Around the steps stand the
//! dispatcher, which owns the run's state and its verdict, the [`journal`], and the interruption by signals. Called by
//! `cli`; what people and machines see of it are the events.

mod cell;
mod clean;
mod conductor;
mod deploy;
mod dispatcher;
mod error;
mod interrupt;
pub mod journal;
mod limits;
pub mod pipeline;
mod prepare;
mod redact;
mod staging;

pub use clean::{CleanRequest, RunStack, Search, clean, find_stacks};
pub use conductor::Ended;
pub use deploy::{Decide, Decision, Proposed, deploy};
pub use error::RunError;
pub use prepare::{PrepareError, prepare};
pub use staging::Staging;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::aws::Aws;
use crate::diagnostic::Severity;
use crate::event::{Cell, Events, Happening, KeptWhy, LintFinding, Outcome, RunStarted, Task, TemplateSource};
use crate::lint::Finding;
use crate::lint::cfn_lint::{self, Lint, LintTarget};
use crate::plan::{BucketKind, BucketPlan, Plan, StackPlan};
use crate::report::Consumer;
use crate::stage::bucket::Bucket;
use crate::teardown;
use conductor::{Conductor, Spine};
use journal::{Header, Journal};
use limits::Limits;
use redact::Secrets;

/// Everything that is to be done.
pub struct Job {
    pub plan: Plan,
    pub settings: Settings,
    /// Templates to check first; `None` skips the check.
    pub lint: Option<Vec<LintTarget>>,
    /// What to send to the buckets; `None` takes what is there.
    pub staging: Option<Staging>,
    /// What the templates say of their resources, for the reports.
    pub templates: Vec<TemplateSource>,
    /// What stands in for AWS, for the reports.
    pub endpoint: Option<String>,
    /// AWS is in this process, and all that is made is gone with it: there is nothing to write down for later.
    pub in_process: bool,
    /// What hooks find in their environment, over that of this process; `None` takes a variable away.
    pub hook_environment: Vec<(String, Option<String>)>,
}

const LINT_ABSENT: &str = "cfn-lint is not on PATH, so templates are not checked before the launch (`pip install cfn-lint`; -l skips the check)";

/// What the user decided about a run, beyond the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub no_delete: bool,
    pub keep_failed: bool,
    pub wait_for_delete: bool,
    /// Stacks at once; `None` is no limit.
    pub max_concurrency: Option<usize>,
    pub max_concurrency_per_region: Option<usize>,
}

/// What every step of a run works with.
struct Context<'r> {
    job: &'r Job,
    aws: &'r Aws,
    events: &'r Events,
    cancel: &'r CancellationToken,
    /// Indexes of the plan's buckets that this run may have made.
    begun: Mutex<BTreeSet<usize>>,
    /// Keys of the staged files, once they are known.
    keys: OnceLock<Vec<String>>,
}

impl<'r> Context<'r> {
    fn new(job: &'r Job, aws: &'r Aws, spine: &'r Spine) -> Self {
        let (events, cancel) = (&spine.events, &spine.cancel);
        Self { job, aws, events, cancel, begun: Mutex::default(), keys: OnceLock::new() }
    }
}

impl Context<'_> {
    fn begun(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        // A panic while it was held leaves a set of indexes, which is as good as before.
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begun_buckets(&self) -> impl Iterator<Item = &BucketPlan> {
        let begun = self.begun().clone();
        begun.into_iter().map(|index| &self.job.plan.buckets[index])
    }

    /// Keys of the staged files, as far as they are known.
    fn staged_keys(&self) -> &[String] {
        self.keys.get().map(Vec::as_slice).unwrap_or_default()
    }
}

/// Tests every cell, and returns when everything is reported and gone. The error is the journal's: without it nothing is
/// begun.
pub async fn run(job: &Job, aws: &Aws, consumers: Vec<Box<dyn Consumer>>) -> io::Result<Ended> {
    let journal = match job.in_process {
        true => None,
        false => Some(Journal::create(&job.plan.project_root, &Header::new(&job.plan, job.endpoint.clone()))?),
    };
    let conductor = Conductor { started: started(job, aws), secrets: secrets(&job.plan), journal, consumers };
    Ok(conductor.conduct(async |spine| steps(&Context::new(job, aws, spine)).await).await)
}

/// Packages and uploads, and leaves the result where it is.
pub async fn upload(job: &Job, aws: &Aws, consumers: Vec<Box<dyn Consumer>>) -> Ended {
    let conductor = Conductor { started: uploading(job, aws), secrets: Secrets::default(), journal: None, consumers };
    let work = async |spine: &Spine| {
        let context = Context::new(job, aws, spine);
        spine.cancel.run_until_cancelled(staging::stage(&context)).await.map_or(Ok(()), |staged| staged.map(|_| ()))
    };
    conductor.conduct(work).await
}

/// What an upload would do, a line each: `upload s3://…`, `remove s3://…`.
pub async fn dry_run(job: &Job, aws: &Aws, consumers: Vec<Box<dyn Consumer>>) -> (Ended, Vec<String>) {
    let conductor = Conductor { started: uploading(job, aws), secrets: Secrets::default(), journal: None, consumers };
    let mut lines = Vec::new();
    let work = async |spine: &Spine| {
        let context = Context::new(job, aws, spine);
        let found = spine.cancel.run_until_cancelled(staging::dry_run(&context)).await;
        lines = found.unwrap_or(Ok(Vec::new()))?;
        Ok(())
    };
    let ended = conductor.conduct(work).await;
    (ended, lines)
}

/// The steps. The error is what kept the cells from being tested at all.
async fn steps(context: &Context<'_>) -> Result<(), RunError> {
    let staged = context.cancel.run_until_cancelled(before_cells(context)).await;
    let result = match staged {
        Some(Ok(buckets)) => {
            test_cells(context, &buckets).await;
            Ok(())
        }
        Some(Err(error)) => {
            not_run(context, Some(&error.to_string()));
            Err(error)
        }
        None => {
            not_run(context, None);
            Ok(())
        }
    };
    delete_buckets(context).await;
    result
}

/// Lint, then packaging and upload. Lint's errors stop the run before anything is made.
async fn before_cells(context: &Context<'_>) -> Result<Vec<Bucket>, RunError> {
    if let Some(targets) = &context.job.lint {
        check(context, targets).await?;
    }
    staging::stage(context).await
}

async fn check(context: &Context<'_>, targets: &[LintTarget]) -> Result<(), RunError> {
    // Several tests may lead to one template.
    let templates: BTreeSet<_> = targets.iter().map(|target| &target.path).collect();
    context.events.send(Happening::LintStarted { templates: templates.len() });
    let (findings, warnings) = match cfn_lint::run(targets, &context.job.plan.project_root).await? {
        Lint::Absent => (Vec::new(), vec![LINT_ABSENT.to_owned()]),
        Lint::Findings { findings, warnings } => (findings, warnings),
    };
    warnings.into_iter().for_each(|warning| context.events.warn(None, warning));
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = findings.len() - errors;
    findings.into_iter().for_each(|finding| context.events.send(Happening::LintFinding(lint_finding(finding))));
    context.events.send(Happening::LintFinished { errors, warnings });
    if errors == 0 { Ok(()) } else { Err(RunError::Lint(errors)) }
}

fn lint_finding(finding: Finding) -> LintFinding {
    LintFinding {
        error: finding.severity == Severity::Error,
        rule: finding.rule,
        message: finding.message,
        template: finding.template.display().to_string(),
        line: finding.location.at.line,
        column: finding.location.at.column,
    }
}

/// Tells of the cells that can't be launched.
fn refuse(context: &Context<'_>) {
    for refused in &context.job.plan.refused {
        let (cell, reason) = (refused.cell.id.clone(), refused.reason.clone());
        context.events.send(Happening::LaunchFailed { cell: cell.clone(), reason: reason.clone() });
        context.events.send(Happening::CellFinished { cell, outcome: Outcome::Failed, reason: Some(reason) });
    }
}

async fn test_cells(context: &Context<'_>, buckets: &[Bucket]) {
    let Job { plan, settings, .. } = context.job;
    refuse(context);
    let regions = plan.cells.iter().map(|cell| &cell.cell.region);
    let limits = Limits::new(settings.max_concurrency, settings.max_concurrency_per_region, regions);
    join_all(plan.cells.iter().map(|cell| cell::run_cell(context, &limits, cell, &buckets[cell.bucket]))).await;
}

fn not_run(context: &Context<'_>, reason: Option<&str>) {
    for cell in cells(&context.job.plan) {
        context.events.send(Happening::CellFinished {
            cell: cell.id,
            outcome: Outcome::Interrupted,
            reason: reason.map(str::to_owned),
        });
    }
}

/// Deletes the buckets that were made for this run, whether or not the run came to filling them.
async fn delete_buckets(context: &Context<'_>) {
    let settings = context.job.settings;
    let keys = context.staged_keys();
    let auto = context.begun_buckets().filter(|bucket| bucket.kind == BucketKind::Auto);
    join_all(auto.map(async |bucket| {
        if settings.no_delete {
            let bucket = bucket.name.clone();
            context.events.send(Happening::BucketKept { bucket, why: KeptWhy::NoDelete });
            return;
        }
        let clients = context.aws.clients(&bucket.profile, &bucket.region).await;
        teardown::delete_bucket(&bucket.name, keys, &clients, context.events).await;
    }))
    .await;
}

fn started(job: &Job, aws: &Aws) -> RunStarted {
    let (templates, cells) = (job.templates.clone(), cells(&job.plan));
    RunStarted { task: Task::Test, templates, cells, ..uploading(job, aws) }
}

fn uploading(job: &Job, aws: &Aws) -> RunStarted {
    RunStarted {
        task: Task::Upload,
        run_id: job.plan.run_id.simple().to_string(),
        taskcat_version: env!("CARGO_PKG_VERSION").to_owned(),
        project: job.plan.project_name.clone(),
        endpoint: job.endpoint.clone(),
        simulated: aws.is_simulated(),
        templates: Vec::new(),
        cells: Vec::new(),
    }
}

/// Every cell as events tell of it, those that can't be launched last.
fn cells(plan: &Plan) -> Vec<Cell> {
    let refused = plan.refused.iter().map(|refused| refused.cell.clone());
    plan.cells.iter().map(StackPlan::to_event).chain(refused).collect()
}

fn secrets(plan: &Plan) -> Secrets {
    let parameters = plan.cells.iter().flat_map(|cell| &cell.parameters);
    Secrets::new(parameters.filter(|parameter| parameter.secret).map(|parameter| parameter.value.clone()))
}
