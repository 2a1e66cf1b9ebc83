//! Restricts the tests and regions to those that the user selected with `--test-names` and
//! `--regions`.
//!
//! Follows `_trim_tests` and `_trim_regions` in TaskCat's `testing/_cfn_test.py`, except that an
//! unknown name is an error here; TaskCat ignores it.

use super::LoadedConfig;
use crate::spelling::did_you_mean_one_of;

use crate::diagnostic::Diagnostic;

impl LoadedConfig {
    /// Removes all other tests, and all other regions of the tests. `None` keeps all.
    pub fn trim(
        &mut self,
        test_names: Option<&[String]>,
        regions: Option<&[String]>,
    ) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        let known_regions = self.regions();
        if let Some(names) = test_names {
            let known: Vec<&str> = self.config.tests.keys().map(String::as_str).collect();
            diagnostics.extend(unknown("test", names, &known));
            self.config.tests.retain(|name, _| names.contains(name));
        }
        if let Some(wanted) = regions {
            if wanted.is_empty() {
                diagnostics.push(
                    Diagnostic::error("--regions is empty")
                        .help("ALL uses the regions of each test"),
                );
            }
            let known: Vec<&str> = known_regions.iter().map(String::as_str).collect();
            diagnostics.extend(unknown("region", wanted, &known));
            for (name, test) in &mut self.config.tests {
                let Some(regions) = &mut test.regions else {
                    continue;
                };
                let had_some = !regions.is_empty();
                regions.retain(|region| wanted.contains(region));
                if had_some && regions.is_empty() {
                    let message = format!(
                        "skipping test `{name}`: it has none of the regions {}",
                        wanted.join(", ")
                    );
                    diagnostics.push(Diagnostic::warning(message));
                }
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

fn unknown(what: &str, asked: &[String], known: &[&str]) -> Vec<Diagnostic> {
    let unknown = asked.iter().filter(|name| !known.contains(&name.as_str()));
    let diagnostics = unknown.map(|name| {
        let help = if known.is_empty() {
            format!("the configuration has no {what}s")
        } else {
            did_you_mean_one_of(name, known)
        };
        let message = match what {
            "test" => format!("there is no test `{name}`"),
            _ => format!("no test has the region `{name}`"),
        };
        Diagnostic::error(message).help(help)
    });
    diagnostics.collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::TempProject;

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
        let diagnostics = loaded.trim(strings(tests).as_deref(), strings(regions).as_deref());
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
}
