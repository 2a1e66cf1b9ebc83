//! Restricts the tests and regions to those that the user selected with `--test-names`,
//! `--regions`, `--exclude` and `--exclude-regions`.
//!
//! Follows `_trim_tests` and `_trim_regions` in TaskCat's `testing/_cfn_test.py`, except that an
//! unknown name is an error here; TaskCat ignores it.

use super::LoadedConfig;
use crate::diagnostic::Diagnostic;
use crate::spelling::did_you_mean_one_of;
use crate::wildcard::matches_wildcard;

/// Which tests and regions to keep. Names may contain wildcards: `*` for any characters, `?` for
/// one.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The tests to keep; `None` for all.
    pub tests: Option<Vec<String>>,
    /// The regions to keep; `None` for all.
    pub regions: Option<Vec<String>>,
    /// Of these, the tests to remove.
    pub excluded_tests: Vec<String>,
    /// Of these, the regions to remove.
    pub excluded_regions: Vec<String>,
}

impl LoadedConfig {
    /// Removes all other tests, and all other regions of the tests. A name that selects nothing is
    /// an error, and so is a selection without any test.
    pub fn trim(&mut self, selection: &Selection) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        let known: Vec<String> = self.config.tests.keys().cloned().collect();
        let known_regions = self.regions();
        let named = selection.tests.as_deref().unwrap_or_default();
        diagnostics.extend(unknown("test", named, &known));
        diagnostics.extend(unknown("test", &selection.excluded_tests, &known));
        self.config.tests.retain(|name, _| {
            let is_named = selection.tests.as_ref().is_none_or(|it| matches(it, name));
            is_named && !matches(&selection.excluded_tests, name)
        });
        if self.config.tests.is_empty() && diagnostics.is_empty() && !known.is_empty() {
            diagnostics.push(Diagnostic::error("--exclude leaves no test"));
        }
        if selection.regions.as_ref().is_some_and(Vec::is_empty) {
            diagnostics.push(
                Diagnostic::error("--regions is empty").help("ALL uses the regions of each test"),
            );
        }
        let wanted = selection.regions.as_deref().unwrap_or_default();
        diagnostics.extend(unknown("region", wanted, &known_regions));
        let excluded = &selection.excluded_regions;
        diagnostics.extend(unknown("region", excluded, &known_regions));
        for (name, test) in &mut self.config.tests {
            let Some(regions) = &mut test.regions else {
                continue;
            };
            let had_some = !regions.is_empty();
            regions.retain(|region| {
                let is_named = selection
                    .regions
                    .as_ref()
                    .is_none_or(|it| matches(it, region));
                is_named && !matches(excluded, region)
            });
            if had_some && regions.is_empty() {
                let reason = if wanted.is_empty() {
                    format!("all of its regions are among {}", excluded.join(", "))
                } else {
                    format!("it has none of the regions {}", wanted.join(", "))
                };
                let message = format!("skipping test `{name}`: {reason}");
                diagnostics.push(Diagnostic::warning(message));
            }
        }
        diagnostics
    }

    /// Returns every region of every test, each once.
    fn regions(&self) -> Vec<String> {
        let mut regions: Vec<String> = self
            .config
            .tests
            .values()
            .flat_map(|test| test.regions.clone().unwrap_or_default())
            .collect();
        regions.sort();
        regions.dedup();
        regions
    }
}

fn matches(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|it| matches_wildcard(it, name))
}

fn unknown(what: &str, asked: &[String], known: &[String]) -> Vec<Diagnostic> {
    let selects_any = |pattern: &&String| known.iter().any(|it| matches_wildcard(pattern, it));
    let known_names: Vec<&str> = known.iter().map(String::as_str).collect();
    let unknown = asked.iter().filter(|pattern| !selects_any(pattern));
    let diagnostics = unknown.map(|name| {
        let help = if known.is_empty() {
            format!("the configuration has no {what}s")
        } else {
            did_you_mean_one_of(&name.replace(['*', '?'], ""), &known_names)
        };
        let is_pattern = name.contains(['*', '?']);
        let message = match (what, is_pattern) {
            ("test", false) => format!("there is no test `{name}`"),
            ("test", true) => format!("no test matches `{name}`"),
            (_, false) => format!("no test has the region `{name}`"),
            (_, true) => format!("no region of a test matches `{name}`"),
        };
        Diagnostic::error(message).help(help)
    });
    diagnostics.collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::TempProject;
    use super::*;

    const CONFIG: &str = "project: {name: p, regions: [us-east-1, us-west-2]}\ntests:\n  small: \
        {}\n  large: \
                          {regions: [eu-west-1]}\n  none: {regions: []}\n";

    fn strings(list: &str) -> Option<Vec<String>> {
        (!list.is_empty()).then(|| list.split(',').map(str::to_owned).collect())
    }

    /// Returns the remaining `test region…` lines and the diagnostics. Empty names select all.
    #[track_caller]
    fn check(tests: &str, regions: &str, left: &[&str], said: &[&str]) {
        let project = TempProject::new(&[(".taskcat.yml", CONFIG)]);
        let mut loaded = project.load();
        // What begins with a minus is excluded.
        let split = |list: &str| -> (Option<Vec<String>>, Vec<String>) {
            let all = strings(list).unwrap_or_default();
            let (excluded, named): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|it| it.starts_with('-'));
            let excluded = excluded.iter().map(|it| it[1..].to_owned()).collect();
            (Some(named).filter(|it| !it.is_empty()), excluded)
        };
        let (tests, excluded_tests) = split(tests);
        let (regions, excluded_regions) = split(regions);
        let diagnostics = loaded.trim(&Selection {
            tests,
            regions,
            excluded_tests,
            excluded_regions,
        });
        let tests = loaded.config.tests.iter();
        let tests: Vec<String> = tests
            .map(|(name, test)| {
                format!(
                    "{name} {}",
                    test.regions.clone().unwrap_or_default().join(" ")
                )
            })
            .collect();
        assert_eq!(
            (tests, project.said(&diagnostics)),
            (
                left.iter().map(|line| (*line).to_owned()).collect(),
                said.iter().map(|line| (*line).to_owned()).collect(),
            )
        );
    }

    #[test]
    fn tests_and_regions_are_narrowed() {
        check(
            "",
            "",
            &["small us-east-1 us-west-2", "large eu-west-1", "none "],
            &[],
        );
        check("small", "", &["small us-east-1 us-west-2"], &[]);
        check(
            "large,small",
            "us-west-2,eu-west-1",
            &["small us-west-2", "large eu-west-1"],
            &[],
        );
        check(
            "",
            "us-west-2",
            &["small us-west-2", "large ", "none "],
            &["skipping test `large`: it has none of the regions us-west-2"],
        );
    }

    #[test]
    fn unknown_names_are_errors() {
        check(
            "smal,large",
            "",
            &["large eu-west-1"],
            &["there is no test `smal` (did you mean `small`?)"],
        );
        check(
            "xyz",
            "",
            &[],
            &["there is no test `xyz` (expected one of small, large, none)"],
        );
        check(
            "small",
            "us-west-1,us-east-1",
            &["small us-east-1"],
            &["no test has the region `us-west-1` (did you mean `us-west-2`?)"],
        );
    }

    #[test]
    fn wildcards_and_exclusions() {
        check(
            "*l*",
            "us-*",
            &["small us-east-1 us-west-2", "large "],
            &["skipping test `large`: it has none of the regions us-*"],
        );
        check("?mall", "-us-east-*", &["small us-west-2"], &[]);
        check("-none,-lar*", "", &["small us-east-1 us-west-2"], &[]);
        check(
            "-none",
            "-eu-*",
            &["small us-east-1 us-west-2", "large "],
            &["skipping test `large`: all of its regions are among eu-*"],
        );
        check("small,-s*", "", &[], &["--exclude leaves no test"]);
        check(
            "smal*x,-larg",
            "",
            &[],
            &[
                "no test matches `smal*x` (did you mean `small`?)",
                "there is no test `larg` (did you mean `large`?)",
            ],
        );
        check(
            "small",
            "ap-*",
            &["small "],
            &[
                "no region of a test matches `ap-*` (expected one of eu-west-1, us-east-1, \
                 us-west-2)",
                "skipping test `small`: it has none of the regions ap-*",
            ],
        );
    }
}
