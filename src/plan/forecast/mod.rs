//! Predicts offline for each test and region whether it would launch, under which assumptions about
//! the account, or would fail.
//!
//! Combines the tests and values of a [`PlanDraft`] with the evaluation of `template` and with what
//! is known about the environment, the staged files and the region's resource types. Values that
//! only a run knows are replaced by placeholders if their form is known (run IDs and random
//! strings, and thus names of buckets and stacks), and are unknown otherwise. A false *would fail*
//! is worse than a missed one.

mod assumptions;
mod facts;
mod launched;
mod model;
mod quotas;
mod request;
mod resources;
mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::thread;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::draft::{PlanDraft, TestDraft};
use super::parameters::{CellContext, MissingAnswer};
use super::place::ProfileRegion;
use super::{BucketPlan, Lookup, LookupAnswer, LookupAnswers, LookupKind, ProfileIdentity};
use crate::catalog::{self, Partition};
use crate::diagnostic::{Diagnostic, Location, Position};
use crate::mask::Secrets;
use crate::template::{self, EvaluatedStack, Failure, FailureNote, Template, Templates, Value};

pub use crate::template::Assumption;
use assumptions::AssumptionFinder;
pub use facts::{Fact, Facts, RegionFacts};
pub use launched::ForecastStack;
pub use model::{PlanReport, VerdictCounts, schema};
pub use quotas::{Quota, QuotaUse};
use request::StackRequest;
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
    /// The profile; empty for a hypothetical region.
    pub profile: String,
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
    /// What must hold in AWS for the stack to be launched.
    pub assumptions: Vec<CellAssumption>,
    /// Failures that depend on something unknown.
    pub possible: Vec<PossibleFailure>,
    /// The stacks that it launches, for `lint`.
    pub stacks: Vec<ForecastStack>,
    /// How much of each quota the stack certainly uses.
    pub adds: BTreeMap<Quota, usize>,
}

/// What must hold in AWS for a stack to be launched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellAssumption {
    /// What must hold; may contain secrets.
    pub assumption: Assumption,
    /// Its description, without secrets.
    pub text: String,
    /// The test's parameters whose values need it.
    pub parameters: Vec<String>,
    /// Whether it holds in practically every account, so that nobody has to check it.
    pub is_ordinary: bool,
}

/// A failure that depends on something unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PossibleFailure {
    /// What fails or may fail.
    pub failure: Failure,
    /// What isn't known: `AWS::AccountId`.
    pub depends_on: Vec<String>,
    /// Whether it certainly fails in a part of the template that depends on something unknown.
    /// Otherwise an unknown value would have to be an unsuitable one.
    pub is_certain_in_branch: bool,
}

/// The prediction for a test in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForecastVerdict {
    /// The stack would be launched.
    WouldLaunch,
    /// The stack would be launched if its assumptions hold.
    WouldLaunchIf,
    /// CloudFormation would refuse the stack.
    WouldFail,
    /// A part of the template that depends on something unknown would fail.
    Undecided,
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
        } else if self.possible.iter().any(|it| it.is_certain_in_branch) {
            ForecastVerdict::Undecided
        } else if self.notable_assumptions().next().is_some() {
            ForecastVerdict::WouldLaunchIf
        } else {
            ForecastVerdict::WouldLaunch
        }
    }

    /// Returns the assumptions that a person may want to check.
    pub fn notable_assumptions(&self) -> impl Iterator<Item = &CellAssumption> {
        self.assumptions.iter().filter(|it| !it.is_ordinary)
    }
}

impl PlanDraft {
    /// Predicts every test and region with what is known about the accounts. The result is
    /// deterministic.
    pub fn forecast(
        &self,
        templates: &Templates,
        staged: &(dyn Fn(&str) -> StagedState + Sync),
        regions: RegionScope,
        facts: &Facts,
    ) -> Forecast {
        let mut forecast = Forecast {
            project: self.project.name.clone(),
            cells: Vec::new(),
            missed: MissingFiles::default(),
        };
        let mut cells = Vec::new();
        for test in &self.tests {
            let place = |place: ProfileRegion| CellForecaster {
                draft: self,
                test,
                templates,
                staged,
                facts: facts.of(&place.profile, &place.region),
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

/// The evaluated stack of a test in a region.
struct CellEvaluation {
    stack: EvaluatedStack,
    assumed: Vec<Assumption>,
    missed: MissingFiles,
}

/// Predicts a test in a region.
struct CellForecaster<'a> {
    draft: &'a PlanDraft,
    test: &'a TestDraft,
    templates: &'a Templates,
    staged: &'a (dyn Fn(&str) -> StagedState + Sync),
    facts: RegionFacts,
    place: ProfileRegion,
}

impl CellForecaster<'_> {
    fn cell(&self) -> (ForecastCell, MissingFiles) {
        let partition = catalog::partition_of(&self.place.region);
        let account_id = String::new();
        let regions = vec![self.place.region.clone()];
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
        let (mut cell, missing) = match self.templates.get(&self.test.template) {
            Some(template) if self.test.problems.is_empty() => {
                self.evaluated(template, bucket, partition)
            }
            // A problem of the template that isn't one of the test has been reported with the
            // template.
            _ => (self.unplanned(bucket), MissingFiles::default()),
        };
        if let Some(name) = self.test.bucket.unresolved(&self.place.region) {
            cell.bucket.name = name;
        }
        (cell, missing)
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
            profile: self.place.profile.clone(),
            is_declared: self.test.places.contains(&self.place),
            stack_name: self.test.stack_name.clone(),
            template: self.test.template.clone(),
            tags: self.draft.tags(self.test),
            failures: self.test.problems.iter().map(failure).collect(),
            assumptions: Vec::new(),
            possible: Vec::new(),
            stacks: Vec::new(),
            adds: BTreeMap::new(),
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
        let mut facts = self.facts.clone();
        let mut evaluation = self.evaluation(template, &bucket, partition, &sent, &facts);
        let mut created = assumptions::created_by(&evaluation.stack);
        if facts.forget_missing(&created) {
            evaluation = self.evaluation(template, &bucket, partition, &sent, &facts);
            created = assumptions::created_by(&evaluation.stack);
        }
        let CellEvaluation {
            mut stack,
            assumed,
            missed,
        } = evaluation;
        let (failures, undecided) = resources::check(&stack, &self.place.region, self.templates);
        stack.failures.splice(
            0..0,
            failures
                .into_iter()
                .chain(sent.failures.clone())
                .chain(self.role_elsewhere(partition)),
        );
        stack.undecided.extend(undecided);
        let added = quotas::added_by(&stack, template.location(template.root.at));
        let mut assumed = assumed;
        self.quotas(&added, &facts, &mut stack, &mut assumed);
        let secrets = self.secrets(&sent, &stack);
        let finder = AssumptionFinder {
            region: &self.place.region,
            facts: &facts,
            created,
            secrets: &secrets,
        };
        let (assumptions, possible) = finder.found(&sent.assumptions, assumed, &stack.undecided);
        let stacks = launched::stacks(&stack, self.test, self.templates, &secrets);
        let cell = ForecastCell {
            test: self.test.name.clone(),
            region: self.place.region.clone(),
            profile: self.place.profile.clone(),
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
            assumptions,
            possible,
            stacks,
            adds: added
                .into_iter()
                .map(|(quota, (count, _))| (quota, count))
                .collect(),
            parameters: sent
                .shown
                .into_iter()
                .map(|(key, value)| (key, shown(value, &secrets)))
                .collect(),
            bucket,
        };
        (cell, missed)
    }

    fn evaluation(
        &self,
        template: &Template,
        bucket: &BucketPlan,
        partition: &Partition,
        sent: &StackRequest,
        facts: &RegionFacts,
    ) -> CellEvaluation {
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
            bucket,
            region: &self.place.region,
            url_suffix: partition.dns_suffix,
            has_prehooks: !self.test.prehooks.is_empty(),
            facts,
            assumed: RefCell::default(),
            missed: RefCell::default(),
        };
        let stack = template::evaluate(template, &place, &sent.parameter_values, &world);
        CellEvaluation {
            stack,
            assumed: world.assumed.into_inner(),
            missed: world.missed.into_inner(),
        }
    }

    /// Adds the failures and assumptions of quotas that the stack exceeds.
    fn quotas(
        &self,
        added: &BTreeMap<Quota, (usize, Location)>,
        facts: &RegionFacts,
        stack: &mut EvaluatedStack,
        assumed: &mut Vec<Assumption>,
    ) {
        for (quota, (count, at)) in added {
            let Some(quota_use) = facts.quota(*quota) else {
                continue;
            };
            if let Some(failure) = quotas::exceeded(*quota, quota_use, *count, at.clone()) {
                stack.failures.push(failure);
            } else if let Some(requirement) = quotas::shared(*quota, quota_use, &self.place.region)
            {
                assumed.push(Assumption::Value { requirement });
            }
        }
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
        let answers = answers(values.parameters.lookups(&scope), &self.facts);
        let rendered = values
            .parameters
            .render(&scope, &answers, MissingAnswer::Unknown, &mut rng);
        let assumptions = values.parameters.assumptions(&scope).into_iter();
        let of_sent = assumptions.filter(|(key, _)| !values.unsent.iter().any(|it| it == key));
        let mut sent = StackRequest {
            assumptions: of_sent.map(|(key, it)| (key.to_owned(), it)).collect(),
            ..StackRequest::default()
        };
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

/// Returns the answers to the lookups that are among the facts.
fn answers(lookups: Vec<Lookup>, facts: &RegionFacts) -> LookupAnswers {
    let missing = || Err("it doesn't exist".to_owned());
    let answer = |lookup: &Lookup| match &lookup.question {
        LookupKind::AvailabilityZones => {
            Some(Ok(LookupAnswer::AvailabilityZones(facts.zones()?.to_vec())))
        }
        LookupKind::SsmParameter { name } => {
            let name = name.clone();
            match facts.get(&Assumption::SsmParameter { name })? {
                Fact::Missing => Some(missing()),
                Fact::Value(text) => Some(Ok(LookupAnswer::Text(text.clone()))),
                Fact::Exists => None,
            }
        }
        LookupKind::Secret { id } => {
            let id = id.clone();
            let fact = facts.get(&Assumption::Secret { id })?;
            (*fact == Fact::Missing).then(missing)
        }
        LookupKind::Object { bucket, key } | LookupKind::PresignedUrl { bucket, key, .. } => {
            let object = Assumption::Object {
                bucket: bucket.clone(),
                key: key.clone(),
            };
            (*facts.get(&object)? == Fact::Missing).then(missing)
        }
    };
    let answered = lookups.into_iter().filter_map(|lookup| {
        let answer = answer(&lookup)?;
        Some((lookup, answer))
    });
    answered.collect()
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
mod tests;
