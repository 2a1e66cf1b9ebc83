//! Predicts offline for each test and region whether it would launch, under which assumptions about
//! the account, or would fail.
//!
//! Combines the tests and values of a [`PlanDraft`] with the evaluation of `template` and with what
//! is known about the environment, the staged files and the region's resource types. Values that
//! only a run knows are replaced by placeholders if their form is known (run IDs and random
//! strings, and thus names of buckets and stacks), and are unknown otherwise. A false *would fail*
//! is worse than a missed one.

mod assumptions;
mod cell;
mod dependencies;
mod facts;
mod launched;
mod model;
mod quotas;
mod request;
mod resources;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::thread;

use super::BucketPlan;
use super::draft::{PlanDraft, TestDraft};
use super::place::ProfileRegion;
use crate::catalog;
use crate::event::CellId;
use crate::mask::Secrets;
use crate::template::{Failure, Templates, Value};

pub use crate::template::Assumption;
use cell::CellForecaster;
use dependencies::DependencyForecasts;
pub use facts::{Fact, Facts, RegionFacts};
pub use launched::ForecastStack;
pub use model::{PlanReport, VerdictCounts, schema};
pub use quotas::{Quota, QuotaUse};

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
    /// The tests and regions whose stacks must be complete before the launch.
    pub dependencies: Vec<CellId>,
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
        let depths = self.depths();
        let depth = |cell: &CellForecaster| depths.get(&*cell.test.name).copied();
        let deepest = depths.values().copied().max().unwrap_or_default();
        let mut known = DependencyForecasts::default();
        let mut done: Vec<(usize, ForecastCell)> = Vec::new();
        // Tests precede those that depend on them.
        for level in 0..=deepest {
            let of_level = cells.iter().enumerate();
            let of_level = of_level.filter(|(_, cell)| depth(cell) == Some(level));
            let of_level: Vec<(usize, &CellForecaster)> = of_level.collect();
            let predicted = in_parallel(&of_level, |(_, cell)| cell.cell(&known));
            for ((index, _), (cell, missed, of_cell)) in of_level.into_iter().zip(predicted) {
                let id = CellId {
                    test: cell.test.as_str().into(),
                    region: cell.region.as_str().into(),
                };
                known.add(id, of_cell);
                done.push((index, cell));
                forecast.missed.templates.extend(missed.templates);
                forecast.missed.included.extend(missed.included);
            }
        }
        done.sort_unstable_by_key(|(index, _)| *index);
        forecast.cells = done.into_iter().map(|(_, cell)| cell).collect();
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

/// Masks secrets in a failure.
fn masked(mut failure: Failure, secrets: &Secrets) -> Failure {
    failure.message = secrets.mask(&failure.message);
    failure
        .notes
        .iter_mut()
        .for_each(|note| note.message = secrets.mask(&note.message));
    failure
}

#[cfg(test)]
mod tests;
