//! `taskcat test run`.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use clap::Args;
use uuid::Uuid;

use super::asking::StatusListener;
use super::earlier::EarlierVersion;
use super::error::{CliError, ExitStatus, exit_of};
use super::paths::path;
use super::project::{CliProject, argument};
use super::selection::{SelectionArgs, tell_pulled_in};
use super::simulator::{LocalSimulator, SimulatorBehavior};
use super::{
    AwsArgs, Verbosity, block_on, check, discovery, github, output, remains, rerun, streams,
};
use crate::config::{BaseConfig, CommandLineValue, OnlyTest};
use crate::duration::HumanDuration;
use crate::event::{CellId, RunStarted, RunTask};
use crate::lint;
use crate::plan::forecast::RegionScope;
use crate::plan::{self, PlanDraft};
use crate::report::folder::Folder;
use crate::report::redact::RedactedConsumer;
use crate::report::terminal::{self, PreviousRun};
use crate::report::{self, EventConsumer};
use crate::run::{self, Budget, RunJob, RunSettings, Staging};
use crate::simulator::scenario::RuleUsage;
use crate::template::Templates;

/// The speed of `--local`: a stack that takes two minutes on AWS takes a second here. A higher
/// speed gains little, since stacks are polled every half second.
const LOCAL_SPEED: &str = "120";

/// The directory for the reports, in the working directory or in the project found above it.
const OUTPUT_DIRECTORY: &str = "./taskcat_outputs";

#[derive(Args)]
#[command(mut_arg("speed", |speed| speed.requires("local").default_value(LOCAL_SPEED)))]
#[command(mut_arg("scenario", |scenario| scenario.requires("local")))]
#[command(mut_arg("seed", |seed| seed.requires("local")))]
pub(super) struct TestRunArgs {
    #[command(flatten)]
    selection: SelectionArgs,

    /// Run only the tests and regions that the last run did not pass: those that failed, were
    /// interrupted or skipped in the `report.json` of the output directory.
    #[arg(long)]
    rerun_failed: bool,

    /// Configuration or template, relative to the project root.
    #[arg(short, long, default_value = "./.taskcat.yml", value_name = "FILE",
        value_parser = path())]
    pub(super) input_file: PathBuf,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    pub(super) project_root: PathBuf,

    /// Keep the stacks and the bucket after the test.
    #[arg(short, long)]
    no_delete: bool,

    /// Don't ask AWS first whether what the tests need exists: key pairs, SSM parameters, exports.
    #[arg(long)]
    no_check: bool,

    /// Don't check the templates with `taskcat lint` first.
    #[arg(short, long)]
    lint_disable: bool,

    /// Accept requests signed with Signature Version 2 on automatic buckets.
    #[arg(short, long)]
    enable_sig_v2: bool,

    /// Keep stacks that failed.
    #[arg(short, long)]
    keep_failed: bool,

    /// Directory for the reports.
    #[arg(short, long, default_value = OUTPUT_DIRECTORY, value_name = "DIR",
        value_parser = path())]
    pub(super) output_directory: PathBuf,

    /// Print only status changes of stacks.
    #[arg(short, long)]
    minimal_output: bool,

    /// Request the deletion of the stacks without waiting for it.
    #[arg(short, long)]
    dont_wait_for_delete: bool,

    /// Upload nothing and test what is in the bucket already; requires `s3_bucket` in the
    /// configuration.
    #[arg(short, long)]
    skip_upload: bool,

    /// Maximum number of concurrent stacks across all regions [default: unlimited].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    max_concurrency: Option<usize>,

    /// Maximum number of concurrent stacks in a region [default: unlimited].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    max_concurrency_per_region: Option<usize>,

    /// Run only part K of N, to spread a run over several machines: 1/4, 2/4 and so on.
    /// `taskcat report` merges their reports.
    #[arg(long, value_name = "K/N", value_parser = part)]
    partition: Option<(usize, usize)>,

    /// Time limit for a test: its hooks, and its stack until it reaches a final status [default:
    /// 12h].
    #[arg(long, value_name = "DURATION")]
    timeout: Option<HumanDuration>,

    /// Time limit for a hook without a timeout of its own [default: 1h].
    #[arg(long, value_name = "DURATION")]
    hook_timeout: Option<HumanDuration>,

    /// Time limit for the deletion of a stack, retries included [default: 3h].
    #[arg(long, value_name = "DURATION")]
    delete_timeout: Option<HumanDuration>,

    /// Time limit for the whole run; the deletion of stacks begins early enough to finish in time
    /// [default: unlimited].
    ///
    /// In CodeBuild the time counts from the start of the build [env: TASKCAT_PROJECT_BUDGET].
    #[arg(long, value_name = "DURATION")]
    budget: Option<HumanDuration>,

    /// Retry a test up to N times if AWS caused its failure, such as insufficient capacity; at most
    /// 10
    /// [default: 0].
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// Stop the run after N failed tests [default: unlimited].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    max_fail: Option<usize>,

    /// Stop the run after the first failed test; the same as --max-fail 1.
    #[arg(long, conflicts_with = "max_fail")]
    fail_fast: bool,

    /// Warn about a stack that has been in progress for longer than this [default: 1h].
    #[arg(long, value_name = "DURATION")]
    slow_after: Option<HumanDuration>,

    /// As a last resort, delete stacks but retain the resources that cannot be deleted.
    #[arg(long)]
    force_delete: bool,

    /// Follow symbolic links that lead out of the project.
    #[arg(long)]
    follow_links: bool,

    /// Program that builds and runs images of Lambda functions [default: the first of docker,
    /// podman, finch and nerdctl that works].
    #[arg(long, value_name = "PROGRAM")]
    container_cli: Option<OsString>,

    /// Keep the objects of a shared bucket while another run's marker is younger than this.
    #[arg(long, value_name = "DURATION", default_value = "12h")]
    marker_limit: HumanDuration,

    /// Mask account IDs and bucket names in everything that is printed or written, so that it can
    /// be published. Only the journal keeps them, which is needed to clean up after a killed run.
    #[arg(long)]
    redact: bool,

    /// Test against a simulator in this process instead of AWS: no account, no credentials, and no
    /// call leaves the machine.
    #[arg(long)]
    local: bool,

    #[command(flatten)]
    behaviour: SimulatorBehavior,

    /// The test that `test retry` runs instead of those of the configuration.
    #[arg(skip)]
    pub(super) only_test: Option<OnlyTest>,
}

/// What to test.
struct TestSubject<'s> {
    project: &'s CliProject,
    draft: PlanDraft,
    templates: Templates,
    earlier: &'s [EarlierVersion],
    /// Where the reports of an earlier run may be.
    folder: &'s Folder,
}

impl TestRunArgs {
    pub(super) fn run(
        mut self,
        aws: &AwsArgs,
        verbosity: Verbosity,
    ) -> Result<ExitStatus, CliError> {
        let root = discovery::locate(&self.project_root, &self.input_file);
        if root != self.project_root && self.output_directory.as_os_str() == OUTPUT_DIRECTORY {
            self.output_directory = root.join(OUTPUT_DIRECTORY);
        }
        self.project_root = root;
        if self.lints() {
            lint::prepare();
        }
        let previous = PreviousRun::read(&self.output_directory);
        let folder = Folder::claim(&self.output_directory)?;
        let rerun = if self.rerun_failed {
            Some(rerun::not_passed(&self.output_directory)?)
        } else {
            None
        };
        if rerun.as_ref().is_some_and(Vec::is_empty) {
            streams::tell("the last run passed; there is nothing to run again");
            return Ok(ExitStatus::Passed);
        }
        // Whatever prevents the run, an earlier verdict must not be mistaken for its own. One that
        // is needed for another attempt stays until the run begins.
        if rerun.is_none() {
            folder.clear().map_err(CliError::unwritten)?;
        }
        let is_rerun = rerun.is_some();
        let tested = self.tested(&folder, rerun, previous, aws, verbosity);
        if let Err(error) = &tested
            && !is_rerun
            && let Err(unwritten) =
                folder.write_not_started(self.not_started(), &streams::masked(error.text()))
        {
            output::error(&format!("a report could not be written: {unwritten}"), None);
        }
        tested
    }

    /// Returns the start event of a run that did not start.
    fn not_started(&self) -> RunStarted {
        let root = self.project_root.canonicalize().unwrap_or_default();
        RunStarted {
            task: RunTask::Test,
            run_id: Uuid::new_v4().simple().to_string(),
            taskcat_version: env!("CARGO_PKG_VERSION").to_owned(),
            project: root
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            endpoint: None,
            simulated: self.local,
            templates: Vec::new(),
            cells: Vec::new(),
        }
    }

    /// Runs the tests. The error is what prevented the run from starting.
    fn tested(
        &self,
        folder: &Folder,
        rerun: Option<Vec<CellId>>,
        previous: PreviousRun,
        aws: &AwsArgs,
        verbosity: Verbosity,
    ) -> Result<ExitStatus, CliError> {
        let simulated = if self.local {
            aws.refuse_beside("--local")?;
            Some(self.behaviour.read()?)
        } else {
            None
        };
        let mut project = CliProject::load_with(
            &self.project_root,
            &self.input_file,
            aws,
            self.arguments(),
            self.only_test.clone(),
        )?;
        if let Some(redaction) = streams::redaction() {
            let tests = project.loaded.config.tests.values();
            redaction.know_buckets(tests.filter_map(|test| test.s3_bucket.clone()));
        }
        project.follow_links = self.follow_links;
        project.container_cli.clone_from(&self.container_cli);
        if let Some(cells) = &rerun {
            project.refuse_removed(cells)?;
        }
        if !self.selection.apply(&mut project)? {
            return Ok(ExitStatus::Passed);
        }
        if self.skip_upload
            && project
                .loaded
                .config
                .tests
                .values()
                .any(|test| test.s3_bucket.is_none())
        {
            return Err(CliError::Usage(
                "--skip-upload needs an `s3_bucket` in the configuration".to_owned(),
            ));
        }
        let run_id = Uuid::new_v4();
        let (mut draft, templates) = project.draft(run_id)?;
        let earlier = project.add_earlier_versions(&mut draft, run_id)?;
        if !self.skip_upload {
            project.mark_excluded(&mut draft)?;
        } else if !earlier.is_empty() {
            let message = "--skip-upload: the files of `update_from.git_ref` have to be uploaded";
            return Err(CliError::Usage(message.to_owned()));
        }
        let path = env::var_os("PATH").unwrap_or_default();
        project.mark_bad_hooks(&mut draft, Some(&path));
        CliProject::refuse_unplannable(&draft)?;
        project.refuse_endless(&draft, &templates)?;
        if let Some(cells) = &rerun {
            tell_pulled_in(draft.keep(cells));
        }
        if let Some((part, of)) = self.partition {
            tell_pulled_in(draft.keep_part(part, of));
        }
        block_on(async {
            let mut usage = RuleUsage::default();
            let local = match simulated {
                Some((scenario, mut seeds)) => {
                    project.seed_buckets(&mut seeds);
                    usage = scenario.usage();
                    Some(LocalSimulator::start(self.behaviour.cloud(scenario, seeds)).await?)
                }
                None => None,
            };
            let subject = TestSubject {
                project: &project,
                draft,
                templates,
                earlier: &earlier,
                folder,
            };
            let tested = self
                .test(subject, aws, local.as_ref(), previous, verbosity)
                .await;
            if let Some(local) = local {
                local.stop().await;
                // A run that was stopped may not have reached them.
                let is_complete = matches!(tested, Ok(ExitStatus::Passed | ExitStatus::Failed));
                for rule in usage.unmatched_rules().iter().filter(|_| is_complete) {
                    let message = format!("scenario rule {rule} matched nothing in this run");
                    output::warning_with_help(
                        &message,
                        "compare its patterns with the names of the stacks, resources and calls",
                    );
                }
                return tested.map_err(CliError::simulated);
            }
            tested
        })
    }

    fn staging(
        &self,
        project: &CliProject,
        earlier: &[EarlierVersion],
    ) -> Result<Staging, CliError> {
        let files = earlier.iter().map(EarlierVersion::files);
        Ok(Staging {
            earlier: files.collect::<Result<_, _>>()?,
            marker_limit: self.marker_limit.0,
            ..project.staging(true, &[])?
        })
    }

    async fn test(
        &self,
        TestSubject {
            project,
            mut draft,
            mut templates,
            earlier,
            folder: claimed,
        }: TestSubject<'_>,
        aws: &AwsArgs,
        local: Option<&LocalSimulator>,
        previous: PreviousRun,
        verbosity: Verbosity,
    ) -> Result<ExitStatus, CliError> {
        let staging = if self.skip_upload {
            None
        } else {
            Some(self.staging(project, earlier)?)
        };
        let (clients, endpoint) = match local {
            Some(local) => (local.aws(), None),
            None => aws.connect(Some(&project.loaded.config))?,
        };
        let folder = &self.output_directory;
        let mut view = output::view(
            verbosity,
            self.minimal_output,
            Some(folder.join("index.html").display().to_string()),
        );
        view.previous = previous;
        let mut asking = StatusListener::listen(&view);
        let is_checked = !self.no_check && local.is_none();
        let forecast = if is_checked || self.lints() {
            Some(project.forecast(&draft, &mut templates, RegionScope::Declared)?)
        } else {
            None
        };
        if let Some(forecast) = forecast.as_ref().filter(|_| is_checked) {
            check::refuse_missing(project, &mut draft, &mut templates, forecast, &clients).await?;
        }
        let draft = &draft;
        let templates = &templates;
        let (plan, warnings) = run::prepare(draft, &clients).await?;
        output::diagnostics(&warnings);
        let folders = remains::journal_folders(&project.root, Some(folder));
        let output = folders.output.clone();
        let foreseen = OnceLock::new();
        let foresee = |cell: &CellId| {
            let foreseen = foreseen.get_or_init(|| project.foreseen(draft, templates));
            foreseen.get(cell).cloned().unwrap_or_default()
        };
        let job = RunJob {
            plan,
            settings: self.settings(project),
            lint: match forecast.filter(|_| self.lints()) {
                Some(forecast) => Some(project.lint_job(&forecast, templates)?),
                None => None,
            },
            staging,
            templates: plan::sources(templates),
            endpoint,
            journal: local.is_none().then(|| folders.clone()),
            output,
            hook_environment: local
                .map(LocalSimulator::hook_environment)
                .unwrap_or_default(),
            foresee: Some(&foresee),
        };
        // The run of the nested stack's parent has been kept on purpose.
        if self.only_test.is_none() {
            remains::warn_of_earlier_runs(&folders, aws);
        }
        if self.rerun_failed {
            claimed.clear().map_err(CliError::unwritten)?;
        }
        let mut consumers = report::files(folder).map_err(CliError::unwritten)?;
        asking.read_keys(&mut view);
        consumers.push(terminal::consumer(view));
        consumers.extend(github::consumer(&project.root));
        if let Some(redaction) = streams::redaction().filter(|_| self.redact) {
            redaction.know_buckets(job.plan.buckets.iter().map(|bucket| bucket.name.clone()));
            let masked = |consumer| -> Box<dyn EventConsumer> {
                Box::new(RedactedConsumer::new(consumer, redaction.clone()))
            };
            consumers = consumers.into_iter().map(masked).collect();
        }
        let ended = run::run(&job, &clients, consumers).await;
        drop(asking);
        let ended = ended
            .map_err(|error| CliError::unwritten(format_args!("the run's journal: {error}")))?;
        remains::report(&ended, aws);
        Ok(exit_of(&ended))
    }

    fn lints(&self) -> bool {
        !self.lint_disable && !self.skip_upload
    }

    fn arguments(&self) -> Vec<CommandLineValue> {
        let mut arguments = Vec::new();
        if self.enable_sig_v2 {
            arguments.push(argument(
                "project.s3_enable_sig_v2",
                "true",
                "--enable-sig-v2",
            ));
        }
        arguments.extend(self.selection.arguments());
        let limits = [
            ("timeout", self.timeout),
            ("hook_timeout", self.hook_timeout),
            ("delete_timeout", self.delete_timeout),
        ];
        for (key, limit) in limits {
            let flag = format!("--{}", key.replace('_', "-"));
            let limit = limit.map(|it| argument(&format!("tests.*.{key}"), &it.to_string(), &flag));
            arguments.extend(limit);
        }
        arguments.extend(
            self.retries
                .map(|it| argument("tests.*.retries", &it.to_string(), "--retries")),
        );
        arguments.extend(
            self.budget
                .map(|it| argument("project.budget", &it.to_string(), "--budget")),
        );
        let max_fail = self.max_fail.or(self.fail_fast.then_some(1));
        arguments
            .extend(max_fail.map(|it| argument("project.max_fail", &it.to_string(), "--max-fail")));
        arguments.extend(
            self.slow_after
                .map(|it| argument("project.slow_after", &it.to_string(), "--slow-after")),
        );
        arguments
    }

    fn settings(&self, project: &CliProject) -> RunSettings {
        let BaseConfig {
            general, project, ..
        } = &project.loaded.config;
        let slow_after = project
            .slow_after
            .or(general.slow_after)
            .map_or(run::SLOW_AFTER, |it| it.0);
        RunSettings {
            force_delete: self.force_delete,
            max_fail: project.max_fail.or(general.max_fail),
            slow_after,
            budget: project
                .budget
                .or(general.budget)
                .map(|total| Budget::new(total, age_of_build())),
            no_delete: self.no_delete,
            keep_failed: self.keep_failed,
            wait_for_delete: !self.dont_wait_for_delete,
            max_concurrency: self.max_concurrency,
            max_concurrency_per_region: self.max_concurrency_per_region,
        }
    }
}

/// Returns the time since the start of the build in CodeBuild, elsewhere zero
/// (<https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html>).
fn age_of_build() -> Duration {
    let milliseconds = env::var("CODEBUILD_START_TIME")
        .ok()
        .and_then(|text| text.parse().ok());
    let start = milliseconds.map(|it| SystemTime::UNIX_EPOCH + Duration::from_millis(it));
    start
        .and_then(|start| start.elapsed().ok())
        .unwrap_or_default()
}

fn part(text: &str) -> Result<(usize, usize), String> {
    let numbers = text
        .split_once('/')
        .and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    numbers
        .filter(|(part, of)| (1..=*of).contains(part))
        .ok_or_else(|| "expected K/N with K from 1 to N, such as 2/4".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| "expected a whole number of at least 1".to_owned())
}
