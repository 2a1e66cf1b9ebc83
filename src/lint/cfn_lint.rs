//! Lints the templates of a project with cfn-lint, if it is installed.
//!
//! Like TaskCat's `_cfn_lint.py`, but runs the command, so that the user's version is used.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use tempfile::NamedTempFile;

use super::{Finding, FindingLevel, LintError};
use crate::diagnostic::{Location, Position};
use crate::process::{self, ExitReason, FinishedProcess, last_lines};

/// The region to lint for if cfn-lint knows none of the template's regions: its own default.
const PRIMARY_REGION: &str = "us-east-1";

/// The rule for errors in cfn-lint's own configuration.
const CONFIG_RULE: &str = "E0003";

/// Time limit of a cfn-lint process, for any number of templates.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Findings, and what could not be linted as requested.
type FindingsAndWarnings = (Vec<Finding>, Vec<String>);

/// Lints templates, each for its regions; returns `None` if cfn-lint isn't there. Templates with
/// the same regions share a process, since starting it takes longer than linting most templates.
///
/// cfn-lint runs in the project root, where it finds the project's `.cfnlintrc`.
///
/// # Errors
/// cfn-lint exists but failed, which says nothing about the templates.
pub(super) async fn run(
    templates: &[LintTarget],
    project_root: &Path,
) -> Result<Option<FindingsAndWarnings>, LintError> {
    run_with(templates, project_root, None).await
}

/// Lints; `programs` replaces PATH in the search for cfn-lint.
async fn run_with(
    templates: &[LintTarget],
    project_root: &Path,
    programs: Option<&OsStr>,
) -> Result<Option<FindingsAndWarnings>, LintError> {
    let mut warnings = Vec::new();
    let groups = group(templates, project_root);
    let processes = std::thread::available_parallelism().map_or(1, usize::from);
    let lints: Vec<_> = groups
        .iter()
        .map(|(regions, names)| lint(regions, names, project_root, programs))
        .collect();
    let answers: Vec<Option<CfnLintOutput>> = stream::iter(lints)
        .buffer_unordered(processes)
        .try_collect()
        .await?;
    let Some(answers) = answers.into_iter().collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let unknown: BTreeSet<_> = answers
        .iter()
        .flat_map(|answer| &answer.unknown_regions)
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        let unknown = Vec::from_iter(unknown).join(", ");
        warnings.push(format!(
            "cfn-lint does not know {unknown}, and checks nothing there: a newer version may"
        ));
    }
    let names: BTreeMap<&Path, &Path> = groups
        .values()
        .flatten()
        .map(|(name, path)| (&**name, *path))
        .collect();
    let matches = answers.into_iter().flat_map(|answer| answer.matches);
    let mut findings: Vec<_> = matches.filter_map(|one| one.into_finding(&names)).collect();
    findings.sort_by(|a, b| (&a.location, &a.rule).cmp(&(&b.location, &b.rule)));
    Ok(Some((findings, warnings)))
}

/// A template and the regions of all tests that use it; without regions, cfn-lint's own settings
/// decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LintTarget {
    /// The template's path, absolute or relative to the project root.
    pub path: PathBuf,
    pub regions: Vec<String>,
}

/// Templates by their regions: the name for cfn-lint, and the caller's path.
type TemplateGroups<'a> = BTreeMap<BTreeSet<&'a str>, Vec<(PathBuf, &'a Path)>>;

fn group<'a>(templates: &'a [LintTarget], project_root: &Path) -> TemplateGroups<'a> {
    let mut regions_of: BTreeMap<PathBuf, (&Path, BTreeSet<&str>)> = BTreeMap::new();
    for target in templates {
        let path = project_root.join(&target.path);
        // Relative, like the patterns of `ignore_templates` in a `.cfnlintrc` and like cfn-lint's
        // output.
        let name = path.strip_prefix(project_root).unwrap_or(&path);
        let name = name
            .components()
            .filter(|component| *component != Component::CurDir)
            .collect();
        let (_, regions) = regions_of
            .entry(name)
            .or_insert((&target.path, BTreeSet::new()));
        regions.extend(target.regions.iter().map(String::as_str));
    }
    let mut groups = TemplateGroups::new();
    for (name, (path, regions)) in regions_of {
        groups.entry(regions).or_default().push((name, path));
    }
    groups
}

/// The output of cfn-lint for a group.
struct CfnLintOutput {
    matches: Vec<CfnLintMatch>,
    unknown_regions: Vec<String>,
}

/// Lints a group; returns `None` without cfn-lint. Unsupported regions make cfn-lint fail; then it
/// is run again without them.
async fn lint(
    regions: &BTreeSet<&str>,
    templates: &[(PathBuf, &Path)],
    project_root: &Path,
    programs: Option<&OsStr>,
) -> Result<Option<CfnLintOutput>, LintError> {
    let mut asked = regions.clone();
    let mut unknown_regions = Vec::new();
    loop {
        let report = NamedTempFile::new().map_err(LintError::Start)?;
        let mut command = process::command("cfn-lint", programs);
        command
            .current_dir(project_root)
            .args(["--format", "json", "--output-file"])
            .arg(report.path());
        if !asked.is_empty() {
            command.arg("--regions").args(&asked);
        }
        command
            .arg("--template")
            .args(templates.iter().map(|(name, _)| argument(name)));
        let finished = match process::run(command, Vec::new(), LIMIT).await {
            Ok(finished) => finished,
            Err(error) if error.kind() == io::ErrorKind::NotFound && project_root.is_dir() => {
                return Ok(None);
            }
            Err(error) => return Err(LintError::Start(error)),
        };
        match finished.end {
            // The convention for "command not found": a shim on PATH (of pyenv or asdf) has no
            // program to run.
            ExitReason::Exited(127) => return Ok(None),
            // A bit for each severity found: 2 for errors, 4 for warnings, 8 for informational
            // findings.
            ExitReason::Exited(code) if code & !0b1110 == 0 => {
                let matches = read(report.path())?;
                return Ok(Some(CfnLintOutput {
                    matches,
                    unknown_regions,
                }));
            }
            _ => {}
        }
        let unknown = unsupported(&finished.output.text(), &asked);
        if unknown.is_empty() {
            return Err(failure(&finished));
        }
        asked.retain(|region| !unknown.contains(region));
        unknown_regions.extend(unknown.into_iter().map(str::to_owned));
        if asked.is_empty() {
            asked.insert(PRIMARY_REGION);
        }
    }
}

/// Escapes an argument: cfn-lint interprets arguments as glob patterns, and a leading `-` as an
/// option.
fn argument(name: &Path) -> PathBuf {
    let text = name.to_string_lossy();
    let mut argument = if text.starts_with('-') {
        "./".to_owned()
    } else {
        String::new()
    };
    for char in text.chars() {
        match char {
            '[' | '*' | '?' => argument.extend(['[', char, ']']),
            char => argument.push(char),
        }
    }
    argument.into()
}

/// Returns those of `regions` that cfn-lint names in `Regions ['…'] are unsupported. Supported
/// regions are ['…']`.
fn unsupported<'a>(output: &str, regions: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let Some((refused, _)) = output.split_once("are unsupported") else {
        return Vec::new();
    };
    regions
        .iter()
        .copied()
        .filter(|region| refused.contains(&format!("'{region}'")))
        .collect()
}

fn failure(finished: &FinishedProcess) -> LintError {
    LintError::Failed {
        end: finished.end,
        output: last_lines(&finished.output.text(), 20),
    }
}

fn read(report: &Path) -> Result<Vec<CfnLintMatch>, LintError> {
    let report = std::fs::read(report).map_err(LintError::Start)?;
    let matches: Vec<CfnLintMatch> = serde_json::from_slice(&report).map_err(LintError::Output)?;
    let about_settings = matches
        .iter()
        .filter(|one| one.filename.is_none() && one.rule.id == CONFIG_RULE);
    let messages: Vec<_> = about_settings.map(|one| one.message.clone()).collect();
    if messages.is_empty() {
        Ok(matches)
    } else {
        Err(LintError::Settings { messages })
    }
}

/// An element of `--format json` (cfnlint/formatters/json.py).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CfnLintMatch {
    filename: Option<String>,
    level: String,
    message: String,
    rule: CfnLintRule,
    location: CfnLintSpan,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CfnLintRule {
    id: String,
    #[serde(default)]
    short_description: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CfnLintSpan {
    start: CfnLintPosition,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CfnLintPosition {
    line_number: u32,
    column_number: u32,
}

impl CfnLintMatch {
    /// Returns the finding, or `None` if it has no template: if its settings ignore all templates,
    /// cfn-lint reads its empty standard input and reports on that.
    fn into_finding(self, names: &BTreeMap<&Path, &Path>) -> Option<Finding> {
        let filename = PathBuf::from(self.filename?);
        let template = names
            .get(&*filename)
            .map_or_else(|| filename.clone(), |path| path.to_path_buf());
        let CfnLintPosition {
            line_number,
            column_number,
        } = self.location.start;
        Some(Finding {
            level: match self.level.as_str() {
                "Error" => FindingLevel::Error,
                "Informational" => FindingLevel::Info,
                _ => FindingLevel::Warning,
            },
            rule: self.rule.id,
            short_description: self.rule.short_description,
            message: self.message,
            location: Location {
                file: Arc::from(template.as_path()),
                at: Position {
                    line: line_number.max(1),
                    column: column_number.max(1),
                },
            },
            template,
            resource: None,
            only_in: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn target(path: impl Into<PathBuf>, regions: &[&str]) -> LintTarget {
        LintTarget {
            path: path.into(),
            regions: regions.iter().map(|&region| region.to_owned()).collect(),
        }
    }

    /// Returns findings as one line each, and warnings.
    async fn lint_all(
        root: &Path,
        targets: &[LintTarget],
    ) -> Result<(Vec<String>, Vec<String>), String> {
        let programs = process::path_with_python_tools();
        match run_with(targets, root, Some(&programs))
            .await
            .map_err(|error| error.to_string())?
        {
            None => panic!("cfn-lint is here"),
            Some((findings, warnings)) => {
                let shown = findings.iter().map(|one| {
                    assert_eq!(*one.location.file, *one.template);
                    format!("{} {:?} {}", one.location, one.level, one.rule)
                });
                Ok((shown.collect(), warnings))
            }
        }
    }

    const GOOD: &str = "Resources:\n  B:\n    Type: AWS::S3::Bucket\n";
    const BAD: &str = "Parameters:\n  Unused: {Type: String}\n\
        Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketNam: x\n";

    #[tokio::test]
    #[ignore = "needs cfn-lint; run tests/run.sh"]
    async fn findings_have_a_location_and_a_message() {
        let folder = project(&[
            ("t/bad.yaml", BAD),
            ("t/good.yaml", GOOD),
            ("t/broken.yaml", "a: [\n"),
            ("-[1]*.yaml", BAD),
        ]);
        let absolute = folder.path().join("t/bad.yaml");
        let targets = [
            target(&absolute, &["us-east-1"]),
            target("t/good.yaml", &["us-east-1", "eu-west-1"]),
            target("./t/broken.yaml", &["us-east-1"]),
            target("-[1]*.yaml", &[]),
        ];
        let (findings, warnings) = lint_all(folder.path(), &targets).await.unwrap();
        let bad = absolute.display();
        let expected = [
            "-[1]*.yaml:2:3 Warning W2001".to_owned(),
            "-[1]*.yaml:7:7 Error E3002".to_owned(),
            "./t/broken.yaml:2:1 Error E0000".to_owned(),
            format!("{bad}:2:3 Warning W2001"),
            format!("{bad}:7:7 Error E3002"),
        ];
        let mut findings = findings;
        findings.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!((findings, warnings), (expected, vec![]));
    }

    #[tokio::test]
    #[ignore = "needs cfn-lint; run tests/run.sh"]
    async fn regions_that_cfn_lint_does_not_know_are_left_out() {
        let folder = project(&[("bad.yaml", BAD), ("good.yaml", GOOD)]);
        let targets = [
            target("bad.yaml", &["us-east-1", "xx-moon-1"]),
            target("good.yaml", &["xx-moon-1", "xx-mars-2"]),
        ];
        let (findings, warnings) = lint_all(folder.path(), &targets).await.unwrap();
        assert_eq!(
            findings,
            ["bad.yaml:2:3 Warning W2001", "bad.yaml:7:7 Error E3002"]
        );
        let expected = "cfn-lint does not know xx-mars-2, xx-moon-1, and checks nothing there: a \
            newer version may";
        assert_eq!(warnings, [expected]);
    }

    #[tokio::test]
    #[ignore = "needs cfn-lint; run tests/run.sh"]
    async fn the_settings_of_the_project_count() {
        let folder = project(&[("t/bad.yaml", BAD), ("good.yaml", GOOD)]);
        let bad = [target("t/bad.yaml", &["us-east-1"])];
        let check = async |settings: &str, expect: Result<&[&str], &str>| {
            fs::write(folder.path().join(".cfnlintrc"), settings).unwrap();
            let found = lint_all(folder.path(), &bad)
                .await
                .map(|(findings, _)| findings);
            match (found, expect) {
                (Ok(found), Ok(expect)) => assert_eq!(found, expect, "{settings}"),
                (Err(error), Err(expect)) => assert!(error.contains(expect), "{settings}: {error}"),
                (found, _) => panic!("{settings}: {found:?}"),
            }
        };
        check(
            "ignore_checks: [W2001]",
            Ok(&["t/bad.yaml:7:7 Error E3002"]),
        )
        .await;
        check("ignore_templates: [t/*.yaml]", Ok(&[])).await;
        check(
            "ignore_templates: [nothing]\noutput_file: findings.json",
            Ok(&["t/bad.yaml:2:3 Warning W2001", "t/bad.yaml:7:7 Error E3002"]),
        )
        .await;
        check(
            "append_rules: [no_such_rules]",
            Err("No module named 'no_such_rules'"),
        )
        .await;
        check(
            "templates: nonsense: here",
            Err("`cfn-lint` exited with code 1 and linted nothing:\n  "),
        )
        .await;
    }

    #[tokio::test]
    #[ignore = "needs cfn-lint; run tests/run.sh"]
    async fn a_template_that_is_not_there_is_an_error() {
        let folder = project(&[("good.yaml", GOOD)]);
        let targets = [target("good.yaml", &[]), target("gone.yaml", &[])];
        match lint_all(folder.path(), &targets).await {
            Err(error) => {
                let expected = "`cfn-lint` cannot work with its settings:\n  gone.yaml could not \
                    be processed by glob.glob";
                assert_eq!(error, expected);
            }
            // Before 1.0 it was a finding.
            Ok((findings, _)) => assert_eq!(findings, ["gone.yaml:1:1 Error E0000"]),
        }
    }

    #[tokio::test]
    async fn a_missing_cfn_lint_is_not_an_error() {
        let nothing = tempfile::tempdir().unwrap();
        let absent = run_with(
            &[target("a.yaml", &[])],
            nothing.path(),
            Some(nothing.path().as_os_str()),
        )
        .await;
        assert_eq!(absent.unwrap(), None);
        // It must not block other tasks.
        let idle = tokio::spawn(async move { run(&[], nothing.path()).await });
        assert_eq!(idle.await.unwrap().unwrap(), Some((Vec::new(), Vec::new())));
    }

    #[test]
    fn templates_of_the_same_regions_share_a_process() {
        let targets = [
            target("a", &["r1", "r2"]),
            target("b", &["r2", "r1", "r2"]),
            target("c", &["r1"]),
            target("./c", &["r2"]),
            target("d", &["r1"]),
        ];
        let groups = group(&targets, Path::new("/p"));
        let shown: Vec<_> = groups
            .iter()
            .map(|(regions, names)| {
                let names: Vec<_> = names
                    .iter()
                    .map(|(name, _)| name.to_str().unwrap())
                    .collect();
                format!(
                    "{}: {}",
                    Vec::from_iter(regions.iter().copied()).join("+"),
                    names.join("+")
                )
            })
            .collect();
        assert_eq!(shown, ["r1: d", "r1+r2: a+b+c"]);
    }
}
