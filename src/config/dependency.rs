//! Tests that need other tests: `depends_on`, and which tests a selection pulls in.

use std::fmt;

use indexmap::IndexMap;

use super::TestConfig;
use crate::wildcard::matches_wildcard;

/// A test in the region of the one that names it (`network`), or in another (`network@eu-west-1`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TestReference {
    /// The test's name.
    pub test: String,
    /// The region; absent for that of the dependent test.
    pub region: Option<String>,
}

impl TestReference {
    /// Parses an entry of `depends_on`.
    pub fn parse(text: &str) -> Self {
        let parts = text.rsplit_once('@');
        let (test, region) = parts.map_or((text, None), |(test, region)| (test, Some(region)));
        Self {
            test: test.trim().to_owned(),
            region: region.map(|region| region.trim().to_owned()),
        }
    }

    /// Returns the region of the test that a dependent in `region` needs.
    pub fn region_for<'r>(&'r self, region: &'r str) -> &'r str {
        self.region.as_deref().unwrap_or(region)
    }
}

/// Formats as in the configuration.
impl fmt::Display for TestReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.region {
            Some(region) => write!(f, "{}@{region}", self.test),
            None => f.write_str(&self.test),
        }
    }
}

impl TestConfig {
    /// Returns the tests that this one depends on.
    pub fn dependencies(&self) -> impl Iterator<Item = TestReference> {
        let names = self.depends_on.iter().flatten();
        names.map(|name| TestReference::parse(name))
    }
}

/// A test in a region that a selection pulls in, since a selected test depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulledInTest {
    /// The test's name.
    pub test: String,
    /// The region.
    pub region: String,
    /// The test that depends on it.
    pub dependent: String,
}

impl PulledInTest {
    /// Returns whether one of these patterns names the test.
    pub fn is_named_by(&self, patterns: &[String]) -> bool {
        patterns.iter().any(|it| matches_wildcard(it, &self.test))
    }
}

/// Adds to the selected tests what they depend on, as far as `all` tests have it. The order is that
/// of `all`.
pub fn add_dependencies(
    selected: &mut IndexMap<String, TestConfig>,
    all: &IndexMap<String, TestConfig>,
) -> Vec<PulledInTest> {
    let regions = |test: &TestConfig| test.regions.clone().unwrap_or_default();
    let of_test = |(name, test): (&String, &TestConfig)| {
        let pairs = regions(test).into_iter();
        pairs
            .map(|region| (name.clone(), region))
            .collect::<Vec<_>>()
    };
    let mut open: Vec<(String, String)> = selected.iter().flat_map(of_test).collect();
    let mut kept = open.clone();
    let mut pulled_in = Vec::new();
    while let Some((dependent, region)) = open.pop() {
        let dependencies = all.get(&dependent).into_iter();
        for needed in dependencies.flat_map(TestConfig::dependencies) {
            let region = needed.region_for(&region).to_owned();
            let has_region = |it: &TestConfig| regions(it).contains(&region);
            let pair = (needed.test, region.clone());
            if kept.contains(&pair) || !all.get(&pair.0).is_some_and(has_region) {
                continue;
            }
            kept.push(pair.clone());
            pulled_in.push(PulledInTest {
                test: pair.0.clone(),
                region,
                dependent: dependent.clone(),
            });
            open.push(pair);
        }
    }
    if !pulled_in.is_empty() {
        let mut tests = IndexMap::new();
        for (name, test) in all {
            let mut test = test.clone();
            let is_kept = |region: &String| kept.contains(&(name.clone(), region.clone()));
            let has_any = regions(&test).iter().any(is_kept);
            if let Some(regions) = &mut test.regions {
                regions.retain(is_kept);
            }
            if has_any || selected.contains_key(name) {
                tests.insert(name.clone(), test);
            }
        }
        *selected = tests;
    }
    pulled_in
}
