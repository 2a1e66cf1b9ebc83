//! Tests that depend on others: what is wrong with `depends_on` and with references to outputs, and
//! which tests in which regions belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::draft::{PlanDraft, TestDraft};
use super::parameters::{OutputUse, PseudoOutput};
use crate::config::{LoadedConfig, TestReference};
use crate::diagnostic::{Diagnostic, Location};
use crate::event::{CellId, PredictedFailure};
use crate::spelling::did_you_mean_one_of;
use crate::template::Templates;

/// An output of a stack that another test needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputReference {
    /// The test and region whose stack has the output.
    pub cell: CellId,
    /// The output's key.
    pub key: String,
}

/// Formats as the pseudo-parameter with its region, which stands for the value until it is known.
impl fmt::Display for OutputReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CellId { test, region } = &self.cell;
        write!(f, "$[taskcat_output_{test}@{region}.{}]", self.key)
    }
}

/// An output that a parameter of a stack needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededOutput {
    /// The output.
    pub output: OutputReference,
    /// The parameter and where it is set.
    pub place: PredictedFailure,
    /// Whether the parameter's value must not be shown.
    pub is_secret: bool,
}

impl PseudoOutput {
    /// Returns the output that a test in `region` means.
    pub(super) fn in_region(&self, region: &str) -> OutputReference {
        OutputReference {
            cell: cell_in(&self.test, region),
            key: self.key.clone(),
        }
    }
}

/// Returns the cell that a dependent test in `region` means.
fn cell_in(reference: &TestReference, region: &str) -> CellId {
    CellId {
        test: reference.test.as_str().into(),
        region: reference.region_for(region).into(),
    }
}

struct DependencyChecker<'a> {
    loaded: &'a LoadedConfig,
    tests: &'a [TestDraft],
    templates: &'a Templates,
}

impl DependencyChecker<'_> {
    fn test(&self, name: &str) -> Option<&TestDraft> {
        self.tests.iter().find(|test| test.name == name)
    }

    /// Returns the dependencies on tests that don't exist, or not in the region.
    fn unknown(&self, test: &TestDraft) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let name = &test.name;
        let names: Vec<&str> = self
            .loaded
            .config
            .tests
            .keys()
            .map(String::as_str)
            .collect();
        for (index, needed) in test.depends_on.iter().enumerate() {
            let at = self
                .loaded
                .location(&format!("tests.{name}.depends_on.{index}"));
            let Some(other) = self.loaded.config.tests.get(&needed.test) else {
                let message = format!("test `{name}` depends on `{needed}`, which doesn't exist");
                let help = did_you_mean_one_of(&needed.test, &names);
                found.push(located(Diagnostic::error(message).help(help), at));
                continue;
            };
            let regions = other.regions.as_deref().unwrap_or_default();
            let wanted = test.places.iter().map(|it| needed.region_for(&it.region));
            let wanted: BTreeSet<&str> = wanted.collect();
            let is_missing = |region: &&&str| !regions.iter().any(|it| it == **region);
            let missing: Vec<&str> = wanted.iter().filter(is_missing).copied().collect();
            if !missing.is_empty() {
                let missing = missing.join(", ");
                let other = &needed.test;
                let message = format!(
                    "test `{name}` depends on `{other}` in {missing}, where `{other}` isn't tested"
                );
                let example = regions.first().map_or("REGION", String::as_str);
                let help =
                    format!("add it to the regions of {other}, or name another: {other}@{example}");
                found.push(located(Diagnostic::error(message).help(help), at));
            }
        }
        found
    }

    /// Returns the references to outputs of tests that aren't dependencies, and to outputs that
    /// their templates don't have. A macro may add some.
    fn outputs(&self, test: &TestDraft) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let name = &test.name;
        for it in test.output_uses() {
            let at = it.location.cloned();
            let needed = &it.output.test;
            let parameter = it.parameter;
            if !test.depends_on.contains(needed) {
                let message = format!(
                    "parameter {parameter}: {} needs test `{}`, on which `{name}` doesn't depend",
                    it.written, needed.test
                );
                let help = format!("add {needed} to tests.{name}.depends_on");
                found.push(located(Diagnostic::error(message).help(help), at));
                continue;
            }
            let Some(template) = self
                .test(&needed.test)
                .and_then(|other| self.templates.get(&other.template))
            else {
                continue;
            };
            let outputs = template.root.get("Outputs");
            let entries = outputs.map_or(&[][..], |it| it.entries());
            let keys: Vec<&str> = entries.iter().map(|(key, _)| &*key.text).collect();
            let key = it.output.key.as_str();
            let may_have_more = template.root.get("Transform").is_some()
                || keys.iter().any(|it| crate::template::is_function_key(it));
            if !keys.contains(&key) && !may_have_more {
                let file = &template.relative;
                let message = format!(
                    "parameter {parameter}: {file}, the template of `{}`, has no output `{key}`",
                    needed.test
                );
                let help = if keys.is_empty() {
                    "add it under Outputs".to_owned()
                } else {
                    did_you_mean_one_of(key, &keys)
                };
                found.push(located(Diagnostic::error(message).help(help), at));
            }
        }
        found
    }

    /// Returns each circle of tests once, at its first test.
    fn circles(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut reported: BTreeSet<BTreeSet<&str>> = BTreeSet::new();
        for test in self.tests {
            let Some(circle) = self.circle_of(test) else {
                continue;
            };
            if !reported.insert(circle.iter().copied().collect()) {
                continue;
            }
            let names = circle.join(" -> ");
            let name = &test.name;
            let message = format!("tests depend on each other in a circle: {names} -> {name}");
            let at = self.loaded.location(&format!("tests.{name}.depends_on"));
            let help = "remove one of these dependencies";
            found.push(located(Diagnostic::error(message).help(help), at));
        }
        found
    }

    /// Returns the shortest way from a test to itself.
    fn circle_of<'t>(&'t self, test: &'t TestDraft) -> Option<Vec<&'t str>> {
        let mut seen = BTreeSet::new();
        let mut ways = vec![vec![test.name.as_str()]];
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in ways {
                let last = way.last().and_then(|name| self.test(name));
                for needed in last.map_or(&[][..], |it| &it.depends_on) {
                    if needed.test == test.name {
                        return Some(way);
                    }
                    if seen.insert(needed.test.as_str()) {
                        longer.push([&way[..], &[needed.test.as_str()]].concat());
                    }
                }
            }
            ways = longer;
        }
        None
    }
}

fn located(diagnostic: Diagnostic, location: Option<Location>) -> Diagnostic {
    Diagnostic {
        location,
        ..diagnostic
    }
}

impl TestDraft {
    /// Returns everything that is wrong with dependencies and references to outputs.
    pub(super) fn dependency_problems(
        loaded: &LoadedConfig,
        tests: &[TestDraft],
        templates: &Templates,
    ) -> Vec<Diagnostic> {
        let checker = DependencyChecker {
            loaded,
            tests,
            templates,
        };
        let of_test = |test| {
            let mut found = checker.unknown(test);
            found.extend(checker.outputs(test));
            found
        };
        let mut found: Vec<Diagnostic> = tests.iter().flat_map(of_test).collect();
        found.extend(checker.circles());
        found
    }

    /// Returns the cells that the test in a region depends on.
    pub(super) fn dependencies(&self, region: &str) -> Vec<CellId> {
        let cells = self.depends_on.iter().map(|it| cell_in(it, region));
        cells.collect()
    }

    /// Returns the outputs that the parameters of the test in a region need.
    pub(super) fn needed_outputs(&self, region: &str, draft: &PlanDraft) -> Vec<NeededOutput> {
        let parameters = &self.values.parameters;
        let places = parameters.places(&draft.project_root);
        let needed = |it: OutputUse| {
            let message = format!("parameter {}: ", it.parameter);
            let place = places.iter().find(|place| place.message == message);
            NeededOutput {
                output: it.output.in_region(region),
                place: place.cloned().unwrap_or(PredictedFailure {
                    message,
                    file: String::new(),
                    line: 0,
                    hint: None,
                }),
                is_secret: it.is_secret,
            }
        };
        self.output_uses().map(needed).collect()
    }

    /// Returns the references to outputs in the parameters, those of an earlier version included.
    fn output_uses(&self) -> impl Iterator<Item = OutputUse<'_>> {
        let earlier = self.update.previous.iter();
        let earlier = earlier.flat_map(|it| it.values.parameters.outputs());
        self.values.parameters.outputs().chain(earlier)
    }
}

impl PlanDraft {
    /// Adds to `cells` those that they depend on. Returns what was added, each with the test that
    /// depends on it.
    pub(super) fn with_dependencies(&self, cells: &mut Vec<CellId>) -> Vec<(CellId, String)> {
        let mut added = Vec::new();
        let mut next = 0;
        while let Some(cell) = cells.get(next).cloned() {
            next += 1;
            let test = self.tests.iter().find(|test| test.name == *cell.test);
            for needed in test.map_or(Vec::new(), |test| test.dependencies(&cell.region)) {
                if !cells.contains(&needed) {
                    added.push((needed.clone(), cell.test.to_string()));
                    cells.push(needed);
                }
            }
        }
        added
    }

    /// Returns the number of tests that must precede each test, by name.
    pub(super) fn depths(&self) -> BTreeMap<&str, usize> {
        let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
        // Without circles, each round settles at least one test.
        for _ in &self.tests {
            for test in &self.tests {
                let needed = test.depends_on.iter();
                let deepest = needed.filter_map(|it| depths.get(it.test.as_str())).max();
                let depth = deepest.map_or(0, |depth| depth + 1);
                depths.insert(&test.name, depth);
            }
        }
        depths
    }
}
