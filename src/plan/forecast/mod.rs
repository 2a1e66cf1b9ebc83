//! Predicts offline for each test and region whether it would launch, would fail, or needs AWS to
//! decide.
//!
//! Combines the tests and values of a [`PlanDraft`] with the evaluation of `template` and with what
//! is known about the environment, the staged files and the region's resource types. Values that
//! only a run knows are replaced by placeholders if their form is known (run IDs and random
//! strings, and thus names of buckets and stacks), and are unknown otherwise. A false *would fail*
//! is worse than a missed one.

mod model;
mod resources;
mod world;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::thread;

use indexmap::IndexMap;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::draft::{PlanDraft, TestDraft};
use super::parameters::{CellContext, MissingAnswer, RenderedValue};
use super::place::ProfileRegion;
use super::{BucketPlan, LookupAnswers, ProfileIdentity};
use crate::catalog::{self, Partition};
use crate::diagnostic::{Diagnostic, Location, Position};
use crate::mask::{MASK, Secrets};
use crate::template::{
    self, EvaluatedStack, Failure, FailureNote, KnownWhen, ParameterValue, ParameterValues,
    Template, Templates, UndecidedFailure, Unknown, UnknownReason, Value,
};

pub use model::{PlanReport, VerdictCounts, schema};
use world::CellWorld;

/// The beginning of a file.
const START: Position = Position { line: 1, column: 1 };

/// The prediction for every test and region, in the order of the configuration.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// The project's name, `project.name`.
    pub project: String,
    /// One prediction per test and region.
    pub cells: Vec<ForecastCell>,
    /// Files that weren't read; another forecast that has them is more precise.
    pub missed: MissingFiles,
}

/// Files of the project that [`Templates`] doesn't contain, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingFiles {
    /// Templates of nested stacks.
    pub templates: BTreeSet<String>,
    /// Files that `AWS::Include` inserts.
    pub included: BTreeSet<String>,
}

/// The prediction for a test in a region, without secrets.
#[derive(Clone, Debug)]
pub struct ForecastCell {
    /// The test's name.
    pub test: String,
    /// The region.
    pub region: String,
    /// Whether the test's configuration names the region; otherwise it is a hypothetical one.
    pub is_declared: bool,
    /// The stack's name.
    pub stack_name: String,
    /// The template's path, relative to the project root, with `/`.
    pub template: String,
    /// The bucket that the template is staged to.
    pub bucket: BucketPlan,
    /// The parameters to send, in the template's order; secret values are `****`.
    pub parameters: Vec<(String, Value)>,
    /// Keys and values of the stack's tags.
    pub tags: Vec<(String, String)>,
    /// What CloudFormation would refuse.
    pub failures: Vec<Failure>,
    /// What only AWS knows, by its description.
    pub needs: IndexMap<String, UnknownUse>,
    /// Failures that depend on something unknown until the stack is launched.
    pub possible: Vec<Failure>,
}

/// Why something must be known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownUse {
    /// The test's parameters whose value depends on it.
    pub parameters: Vec<String>,
    /// What would fail, or may.
    pub failures: Vec<Failure>,
}

/// The prediction for a test in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForecastVerdict {
    /// The stack would be launched.
    WouldLaunch,
    /// CloudFormation would refuse the stack.
    WouldFail,
    /// Only AWS can decide.
    NeedsAws,
}

/// Whether a path of the project is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StagedState {
    /// It is staged.
    Yes,
    /// It isn't, and no such object will exist.
    No,
    /// It isn't, but somebody else may have uploaded such an object.
    Unknown,
}

/// The regions to predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionScope {
    /// The configured regions.
    Declared,
    /// Every region of their partitions.
    All,
}

impl ForecastCell {
    /// Returns the verdict.
    pub fn verdict(&self) -> ForecastVerdict {
        if !self.failures.is_empty() {
            ForecastVerdict::WouldFail
        } else if !self.needs.is_empty() {
            ForecastVerdict::NeedsAws
        } else {
            ForecastVerdict::WouldLaunch
        }
    }
}

impl PlanDraft {
    /// Predicts every test and region. The result is deterministic.
    pub fn forecast(
        &self,
        templates: &Templates,
        staged: &(dyn Fn(&str) -> StagedState + Sync),
        regions: RegionScope,
    ) -> Forecast {
        let mut forecast = Forecast {
            project: self.project.name.clone(),
            cells: Vec::new(),
            missed: MissingFiles::default(),
        };
        let mut cells = Vec::new();
        for test in &self.tests {
            let place = |place| CellForecaster {
                draft: self,
                test,
                templates,
                staged,
                place,
            };
            cells.extend(places(test, regions).into_iter().map(place));
        }
        for (cell, missed) in in_parallel(&cells, CellForecaster::cell) {
            forecast.cells.push(cell);
            forecast.missed.templates.extend(missed.templates);
            forecast.missed.included.extend(missed.included);
        }
        forecast
    }
}

/// Returns a test's own regions; with [`RegionScope::All`], followed by the others in their
/// partitions.
fn places(test: &TestDraft, regions: RegionScope) -> Vec<ProfileRegion> {
    let mut places = test.places.clone();
    if regions == RegionScope::All {
        let partitions: BTreeSet<_> = test
            .places
            .iter()
            .map(|place| catalog::partition_of(&place.region).name)
            .collect();
        for region in partitions.into_iter().flat_map(catalog::regions) {
            if !places.iter().any(|place| place.region == region) {
                // No call is made, so the profile doesn't matter.
                places.push(ProfileRegion {
                    region: region.to_owned(),
                    profile: String::new(),
                });
            }
        }
    }
    places
}

/// Returns all results in the order of the items.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    /// Number of items below which a thread costs more than it saves.
    const ITEMS_A_THREAD: usize = 4;
    /// Stack size of a thread, in bytes; expressions may nest deeply.
    const STACK: usize = 16 << 20;
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(items.len() / ITEMS_A_THREAD)
        .max(1);
    let all = |items: &[T]| items.iter().map(&work).collect::<Vec<_>>();
    let all = &all;
    thread::scope(|scope| {
        let shares = items
            .chunks(items.len().div_ceil(threads).max(1))
            .map(|share| {
                let started = thread::Builder::new()
                    .stack_size(STACK)
                    .spawn_scoped(scope, move || all(share));
                // Without threads, the work is done here.
                started.map_err(|_| share)
            });
        let shares: Vec<_> = shares.collect();
        let done = shares.into_iter().map(|share| match share {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(share) => all(share),
        });
        done.flatten().collect()
    })
}

/// Predicts a test in a region.
struct CellForecaster<'a> {
    draft: &'a PlanDraft,
    test: &'a TestDraft,
    templates: &'a Templates,
    staged: &'a (dyn Fn(&str) -> StagedState + Sync),
    place: ProfileRegion,
}

impl CellForecaster<'_> {
    fn cell(&self) -> (ForecastCell, MissingFiles) {
        let partition = catalog::partition_of(&self.place.region);
        let (account_id, regions) = (String::new(), vec![self.place.region.clone()]);
        let identity = ProfileIdentity {
            account_id,
            partition: partition.name.to_owned(),
            regions,
        };
        let bucket = self.test.bucket.bucket(
            &self.place,
            &identity,
            &self.draft.project,
            self.draft.run_id,
        );
        match self.templates.get(&self.test.template) {
            Some(template) if self.test.problems.is_empty() => {
                self.evaluated(template, bucket, partition)
            }
            // A problem of the template that isn't one of the test has been reported with the
            // template.
            _ => (self.unplanned(bucket), MissingFiles::default()),
        }
    }

    /// Returns the failure of a test that can't be planned.
    fn unplanned(&self, bucket: BucketPlan) -> ForecastCell {
        let failure = |problem: &Diagnostic| Failure {
            message: problem.message.clone(),
            at: problem
                .location
                .clone()
                .unwrap_or_else(|| self.start_of_template()),
            nested_in: Vec::new(),
            notes: problem
                .help
                .iter()
                .map(|help| FailureNote {
                    message: help.clone(),
                    at: None,
                    is_secret: false,
                })
                .collect(),
        };
        ForecastCell {
            test: self.test.name.clone(),
            region: self.place.region.clone(),
            is_declared: self.test.places.contains(&self.place),
            stack_name: self.test.stack_name.clone(),
            template: self.test.template.clone(),
            tags: self.draft.tags(self.test),
            failures: self.test.problems.iter().map(failure).collect(),
            needs: IndexMap::new(),
            possible: Vec::new(),
            parameters: Vec::new(),
            bucket,
        }
    }

    fn evaluated(
        &self,
        template: &Template,
        bucket: BucketPlan,
        partition: &Partition,
    ) -> (ForecastCell, MissingFiles) {
        let sent = self.sent(template, &bucket, partition.name);
        let place = template::StackEnvironment {
            stack_name: Some(self.test.stack_name.clone()),
            ..template::StackEnvironment::new(
                &self.place.region,
                partition.name,
                partition.dns_suffix,
            )
        };
        let world = CellWorld {
            templates: self.templates,
            staged: self.staged,
            project: &self.draft.project.name,
            bucket: &bucket,
            url_suffix: partition.dns_suffix,
            has_prehooks: !self.test.prehooks.is_empty(),
            asked: RefCell::default(),
            missed: RefCell::default(),
        };
        let mut stack = template::evaluate(template, &place, &sent.parameter_values, &world);
        let (asked, missed) = (world.asked.into_inner(), world.missed.into_inner());
        let (failures, undecided) = resources::check(&stack, &self.place.region, self.templates);
        stack.failures.splice(
            0..0,
            failures
                .into_iter()
                .chain(sent.failures.clone())
                .chain(self.role_elsewhere(partition)),
        );
        stack.undecided.extend(undecided);
        let secrets = self.secrets(&sent, &stack);
        let cell = ForecastCell {
            test: self.test.name.clone(),
            region: self.place.region.clone(),
            is_declared: self.test.places.contains(&self.place),
            stack_name: self.test.stack_name.clone(),
            template: self.test.template.clone(),
            tags: self.draft.tags(self.test),
            failures: distinct(
                stack
                    .failures
                    .into_iter()
                    .map(|failure| masked(failure, &secrets)),
            ),
            needs: needs(&sent, asked, &stack.undecided, &secrets),
            possible: distinct(
                stack
                    .undecided
                    .into_iter()
                    .filter(|it| !it.needs_aws())
                    .map(|it| masked(it.failure, &secrets)),
            ),
            parameters: sent
                .shown
                .into_iter()
                .map(|(key, value)| (key, shown(value, &secrets)))
                .collect(),
            bucket,
        };
        (cell, missed)
    }

    /// Returns the failure for a role of another partition.
    fn role_elsewhere(&self, partition: &Partition) -> Option<Failure> {
        let role = self.test.role.as_ref()?;
        let message = role.role.arn(partition.name, "").err()?;
        let at = role
            .location
            .clone()
            .unwrap_or_else(|| self.start_of_template());
        Some(Failure {
            message,
            at,
            nested_in: Vec::new(),
            notes: Vec::new(),
        })
    }

    fn start_of_template(&self) -> Location {
        Location {
            file: self.draft.project_root.join(&self.test.template).into(),
            at: START,
        }
    }

    /// Returns the parameters as far as they are known.
    fn sent(&self, template: &Template, bucket: &BucketPlan, partition: &str) -> StackRequest {
        let scope = CellContext {
            project_name: &self.draft.project.name,
            test_name: &self.test.name,
            region: &self.place.region,
            profile: &self.place.profile,
            partition,
            account_id: None,
            bucket: Some(&bucket.name),
            git_branch: self.draft.git_branch.as_deref(),
            az_blacklist: &self.test.az_blacklist,
        };
        // Random values have a fixed form, so any value will do; a fixed seed makes the result
        // deterministic.
        let mut rng = StdRng::seed_from_u64(0);
        let values = &self.test.values;
        let rendered = values.parameters.render(
            &scope,
            &LookupAnswers::new(),
            MissingAnswer::Unknown,
            &mut rng,
        );
        let mut sent = StackRequest::default();
        for ((key, rendered), note) in rendered.into_iter().zip(&values.notes) {
            if !values.unsent.contains(&key) {
                let declared = template
                    .parameters
                    .iter()
                    .find(|parameter| parameter.key == key);
                let at = declared.map_or(template.root.at, |parameter| parameter.at);
                sent.take(key, rendered, note, template.location(at));
            }
        }
        sent
    }

    /// Returns all secrets: what is sent, and the values and defaults of nested stacks' `NoEcho`
    /// parameters.
    fn secrets(&self, sent: &StackRequest, stack: &EvaluatedStack) -> Secrets {
        let hidden = self
            .templates
            .iter()
            .flat_map(|template| &template.parameters)
            .filter(|it| it.no_echo);
        let hidden: Vec<_> = hidden.collect();
        let defaults = hidden.iter().filter_map(|it| it.default_text());
        let mut values: Vec<String> = sent.secrets.iter().cloned().chain(defaults).collect();
        let keys: BTreeSet<&str> = hidden.iter().map(|it| it.key.as_str()).collect();
        nested_values(stack, &keys, &mut values);
        Secrets::new(values)
    }
}

/// Collects the values of nested stacks' parameters with these names.
fn nested_values(stack: &EvaluatedStack, keys: &BTreeSet<&str>, values: &mut Vec<String>) {
    for nested in stack
        .resources
        .values()
        .filter_map(|resource| resource.nested.as_ref())
    {
        let hidden = nested
            .parameters
            .iter()
            .filter(|(key, _)| keys.contains(key.as_str()));
        values.extend(hidden.filter_map(|(_, value)| value.as_text()));
        nested_values(nested, keys, values);
    }
}

/// What would be sent to create a stack.
#[derive(Default)]
struct StackRequest {
    parameter_values: ParameterValues,
    /// The parameters with secrets masked.
    shown: Vec<(String, Value)>,
    secrets: Vec<String>,
    failures: Vec<Failure>,
}

impl StackRequest {
    /// Adds a parameter; `declared` is its location in the template.
    fn take(
        &mut self,
        key: String,
        rendered: RenderedValue,
        note: &FailureNote,
        declared: Location,
    ) {
        let (value, is_secret) = match rendered {
            RenderedValue::Value { text, secret } => (Value::String(text), secret),
            RenderedValue::Unknown(unknown) => (unknown.into(), false),
            RenderedValue::Error(reason) => {
                let message = format!("parameter {key}: {reason}");
                let failure = Failure {
                    message,
                    at: declared,
                    nested_in: Vec::new(),
                    notes: vec![note.clone()],
                };
                self.failures.push(failure);
                (Unknown::asked(format!("parameter {key}")).into(), false)
            }
        };
        let shown = if is_secret {
            Value::text(MASK)
        } else {
            value.clone()
        };
        if is_secret {
            self.secrets.extend(value.as_text());
        }
        self.shown.push((key.clone(), shown));
        let set = FailureNote {
            is_secret: note.is_secret || is_secret,
            ..note.clone()
        };
        self.parameter_values.insert(
            key,
            ParameterValue {
                value,
                set: vec![set],
            },
        );
    }
}

/// Returns everything that only AWS knows.
fn needs(
    sent: &StackRequest,
    asked: Vec<Unknown>,
    undecided: &[UndecidedFailure],
    secrets: &Secrets,
) -> IndexMap<String, UnknownUse> {
    let mut needs: IndexMap<String, UnknownUse> = IndexMap::new();
    let of_aws = |reason: &&UnknownReason| reason.until == KnownWhen::Asked;
    for (key, given) in &sent.parameter_values {
        for reason in given
            .value
            .unknown()
            .iter()
            .flat_map(Unknown::reasons)
            .filter(of_aws)
        {
            needs
                .entry(secrets.mask(&reason.what))
                .or_default()
                .parameters
                .push(key.clone());
        }
    }
    for unknown in &asked {
        unknown
            .reasons()
            .for_each(|reason| _ = needs.entry(secrets.mask(&reason.what)).or_default());
    }
    for UndecidedFailure { unknown, failure } in undecided {
        for reason in unknown.reasons().filter(of_aws) {
            let failures = &mut needs
                .entry(secrets.mask(&reason.what))
                .or_default()
                .failures;
            let failure = masked(failure.clone(), secrets);
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
    }
    needs
}

fn shown(value: Value, secrets: &Secrets) -> Value {
    match value {
        Value::String(text) => Value::String(secrets.mask(&text)),
        other => other,
    }
}

fn masked(mut failure: Failure, secrets: &Secrets) -> Failure {
    if failure.message.starts_with(world::MISSING) && failure.message.contains("submodules/") {
        let message =
            "if it is in a git submodule, run `git submodule update --init --recursive`".to_owned();
        failure.notes.push(FailureNote {
            message,
            at: None,
            is_secret: false,
        });
    }
    failure.message = secrets.mask(&failure.message);
    failure
        .notes
        .iter_mut()
        .for_each(|note| note.message = secrets.mask(&note.message));
    failure
}

/// Returns each failure once, in order.
fn distinct(failures: impl Iterator<Item = Failure>) -> Vec<Failure> {
    let mut kept: Vec<Failure> = Vec::new();
    for failure in failures {
        if !kept.contains(&failure) {
            kept.push(failure);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::draft::tests::TempProject;

    fn forecast(files: &[(&str, &str)], regions: RegionScope) -> Forecast {
        let project = TempProject::new(files);
        let (draft, _) = project
            .draft()
            .unwrap_or_else(|errors| panic!("{files:?}\n{errors:?}"));
        let asked = draft.tests.iter().map(|test| (test.template.clone(), None));
        let (templates, _) = Templates::load(project.root(), asked);
        // Objects whose name begins with a dot may be somebody else's.
        let staged = |path: &str| match path {
            _ if path.starts_with('.') => StagedState::Unknown,
            _ if project.root().join(path).is_file() => StagedState::Yes,
            _ => StagedState::No,
        };
        draft.forecast(&templates, &staged, regions)
    }

    /// Formats a cell as one line: failures as `file:line message`, or what AWS would be asked.
    fn said(cell: &ForecastCell) -> String {
        let failure = |failure: &Failure| {
            let file = failure.at.file.file_name().unwrap().to_string_lossy();
            let nested_in = failure
                .nested_in
                .iter()
                .map(|it| format!("{} > ", it.logical_id))
                .collect::<String>();
            format!(
                "{nested_in}{file}:{} {}",
                failure.at.at.line, failure.message
            )
        };
        match cell.verdict() {
            ForecastVerdict::WouldLaunch => "ok".to_owned(),
            ForecastVerdict::WouldFail => cell
                .failures
                .iter()
                .map(failure)
                .collect::<Vec<_>>()
                .join("; "),
            ForecastVerdict::NeedsAws => {
                let needs = cell.needs.keys().cloned().collect::<Vec<_>>().join(", ");
                format!("needs {needs}")
            }
        }
    }

    const CHILD: &str = "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n";

    /// A nested stack with this URL, in a test with these additional keys.
    #[track_caller]
    fn check_url(url: &str, keys: &str, expect: &str) {
        let config = format!(
            "project: {{name: team/p, template: t.yaml, regions: [eu-west-1]}}\ntests:\n  \
             one:\n    \
             parameters: {{Bucket: '$[taskcat_autobucket]'}}\n{keys}"
        );
        let template = format!(
            "Parameters: {{Bucket: {{Type: String}}}}\nResources:\n  Child:\n    Type: \
             AWS::CloudFormation::Stack\n    \
             Properties:\n      TemplateURL: {url}\n"
        );
        let files = [
            (".taskcat.yml", &*config),
            ("t.yaml", &*template),
            ("n/c.yaml", CHILD),
            ("n/broken.yaml", "["),
        ];
        let forecast = forecast(&files, RegionScope::Declared);
        let [cell] = forecast.cells.as_slice() else {
            panic!("{forecast:?}")
        };
        let bucket = &cell.bucket.name;
        assert_eq!(said(cell).replace(bucket, "BUCKET"), expect, "{url} {keys}");
    }

    #[test]
    fn nested_stacks_are_found_in_the_buckets_that_they_name() {
        let own = "!Sub https://${Bucket}.s3.amazonaws.com/team/p/n/c.yaml";
        check_url(own, "", "ok");
        check_url(
            "!Sub https://s3.${AWS::Region}.${AWS::URLSuffix}/${Bucket}/team/p/n/c.yaml",
            "",
            "ok",
        );
        let missing = |key: &str| {
            format!("Child > t.yaml:6 S3 error: The specified key does not exist. ({key})")
        };
        let gone = "!Sub https://${Bucket}.s3.amazonaws.com/team/p/n/gone.yaml";
        let other_prefix = "!Sub https://${Bucket}.s3.amazonaws.com/p/n/c.yaml";
        let left = "!Sub https://${Bucket}.s3.amazonaws.com/team/p/.n/c.yaml";
        check_url(gone, "", &missing("team/p/n/gone.yaml"));
        check_url(other_prefix, "", &missing("p/n/c.yaml"));
        check_url(left, "", &missing("team/p/.n/c.yaml"));
        // Others use the bucket, too.
        for shared in ["    s3_bucket: mine\n", "    s3_regional_buckets: true\n"] {
            check_url(own, shared, "ok");
            check_url(gone, shared, &missing("team/p/n/gone.yaml"));
            check_url(other_prefix, shared, "needs object s3://BUCKET/p/n/c.yaml");
            check_url(left, shared, "needs object s3://BUCKET/team/p/.n/c.yaml");
        }
        // A hook may upload it.
        let hook = "    prehooks: [{type: script, config: {command: make}}]\n";
        check_url(own, hook, "ok");
        check_url(gone, hook, "needs object s3://BUCKET/team/p/n/gone.yaml");
        check_url(
            "https://other.s3.amazonaws.com/team/p/n/c.yaml",
            "",
            "needs object s3://other/team/p/n/c.yaml",
        );
        // S3 in another partition.
        check_url(
            "!Sub https://${Bucket}.s3.cn-north-1.amazonaws.com.cn/team/p/n/c.yaml",
            "",
            "needs object s3://BUCKET/team/p/n/c.yaml",
        );
    }

    #[test]
    fn invalid_urls_are_refused() {
        check_url(
            "n/c.yaml",
            "",
            "Child > t.yaml:6 TemplateURL must be a supported URL.",
        );
        check_url(
            "[a]",
            "",
            "Child > t.yaml:6 Value of property TemplateURL must be of type String",
        );
        let broken = "!Sub https://${Bucket}.s3.amazonaws.com/team/p/n/broken.yaml";
        check_url(
            broken,
            "",
            "Child > t.yaml:6 Template format error: n/broken.yaml:1:1: a `[` is never closed",
        );
    }

    #[test]
    fn resource_types_that_a_region_lacks() {
        let template = "
Conditions: {IsOurs: !Equals [!Ref AWS::AccountId, '1'], Never: !Equals [a, b]}
Resources:
  Ours: {Type: AWS::DeviceFarm::Project, Condition: IsOurs, Properties: {Name: n}}
  Never: {Type: AWS::DeviceFarm::Project, Condition: Never}
  Mine: {Type: Custom::Anything}
";
        let config = "project: {name: p, template: t.yaml, regions: [us-west-2, us-east-1, \
            me-central-1, xx-moon-1]}\n\
                      tests: {one: {}}\n";
        let said = |template: &str| {
            let forecast = forecast(
                &[(".taskcat.yml", config), ("t.yaml", template)],
                RegionScope::Declared,
            );
            forecast.cells.iter().map(said).collect::<Vec<_>>()
        };
        let listed = "whether me-central-1 has AWS::DeviceFarm::Project";
        let unknown = format!("needs AWS::AccountId, {listed}");
        assert_eq!(
            said(template),
            ["ok", "needs AWS::AccountId", &*unknown, "ok"]
        );
        let refused = "t.yaml:4 Template format error: Unrecognized resource types: \
            [AWS::DeviceFarm::Project]";
        let listed = format!("needs {listed}");
        assert_eq!(
            said(&template.replace(", Condition: IsOurs", "")),
            ["ok", refused, &*listed, "ok"]
        );
    }

    #[test]
    fn every_region_of_the_partitions() {
        let config = "project: {name: p, template: t.yaml, regions: [xx-moon-1, \
            cn-north-1]}\ntests: {one: {}, two: \
                      {regions: [us-gov-west-1]}}\n";
        let forecast = forecast(
            &[(".taskcat.yml", config), ("t.yaml", "Resources: {}\n")],
            RegionScope::All,
        );
        let cells: Vec<_> = forecast
            .cells
            .iter()
            .map(|cell| (&*cell.test, &*cell.region, cell.is_declared))
            .collect();
        assert_eq!(
            cells[..2],
            [("one", "xx-moon-1", true), ("one", "cn-north-1", true)]
        );
        assert!(
            cells.contains(&("one", "us-east-1", false))
                && cells.contains(&("one", "cn-northwest-1", false))
        );
        let two: Vec<_> = cells.iter().filter(|(test, ..)| *test == "two").collect();
        assert_eq!(
            two,
            [
                &("two", "us-gov-west-1", true),
                &("two", "us-gov-east-1", false)
            ]
        );
    }

    #[test]
    fn values_are_known_as_far_as_files_tell() {
        let config = "project: {name: p, template: t.yaml, regions: [us-east-1]}\ntests:\n  \
            one:\n    parameters:\n      \
                      Zones: $[taskcat_genaz_2]\n      Account: a-$[taskcat_account_id]\n      \
                      Secret: $[taskcat_genpass_8]\n      Name: $[taskcat_test_name]\n";
        let template = "
Parameters:
  Zones: {Type: CommaDelimitedList}
  Account: {Type: String, AllowedPattern: a-.*}
  Secret: {Type: String, AllowedPattern: '[^a]*'}
  Name: {Type: String, AllowedValues: [two]}
  Size: {Type: Number, Default: 3, MaxValue: 2}
  Kind: {Type: String, Default: x, AllowedValues: [y]}
Resources: {Topic: {Type: AWS::SNS::Topic}}
";
        let forecast = forecast(
            &[(".taskcat.yml", config), ("t.yaml", template)],
            RegionScope::Declared,
        );
        let cell = &forecast.cells[0];
        let parameters: Vec<_> = cell
            .parameters
            .iter()
            .map(|(key, value)| (&**key, value.to_json()))
            .collect();
        let unknown = |what: &str| serde_json::json!({ "Unknown": what });
        assert_eq!(
            parameters,
            [
                ("Zones", unknown("availability zones of us-east-1")),
                ("Account", unknown("AWS::AccountId")),
                ("Secret", "****".into()),
                ("Name", "one".into()),
                ("Kind", "x".into()),
            ]
        );
        let failures: Vec<_> = cell
            .failures
            .iter()
            .map(|it| (it.at.at.line, &*it.message, it.notes.len()))
            .collect();
        assert_eq!(
            failures,
            [
                (6, "Parameter 'Name' must be one of AllowedValues", 1),
                (7, "Parameter 'Size' must be a number not greater than 2", 0),
                (8, "Parameter 'Kind' must be one of AllowedValues", 1),
            ]
        );
        let note = |index: usize| {
            let note = &cell.failures[index].notes[0];
            (&*note.message, note.at.as_ref().unwrap().at.line)
        };
        assert_eq!(note(0), ("parameter Name is set here", 8));
        assert_eq!(note(2), ("parameter Kind has its default here", 8));
        let needs: Vec<_> = cell
            .needs
            .iter()
            .map(|(what, need)| (&**what, need.parameters.join(" ")))
            .collect();
        let expect = [
            ("availability zones of us-east-1", "Zones".to_owned()),
            ("AWS::AccountId", "Account".to_owned()),
        ];
        assert_eq!(needs, expect);
        assert_eq!(cell.needs["AWS::AccountId"].failures.len(), 1);
    }
}
