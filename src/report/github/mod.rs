//! Reports a run to GitHub Actions: annotations at the lines of templates, and the job summary.
//!
//! Annotations are workflow commands on standard output
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>);
//! [`summary`] is a page beside them. `cli` detects GitHub Actions and its paths. The runner parses
//! everything that a step prints, so foreign text in other lines goes through [`inert`] first.

mod summary;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

pub use summary::summary;

use super::model::{BucketState, CellReport, CellState, RunReport, TeardownState};
use super::{EventConsumer, at_path, text};
use crate::event::{EventKind, LintFinding, RunEvent};

/// Maximum number of errors, and of warnings, that GitHub shows per step.
const SHOWN: usize = 10;
/// Maximum length of an annotation's message in characters: enough for AWS's messages, and far
/// below GitHub's limit.
const MESSAGE_LIMIT: usize = 4000;
/// Maximum size of a step's summary in bytes; GitHub drops larger ones.
const SUMMARY_LIMIT: usize = 1024 * 1024;

/// What to write for GitHub Actions.
#[derive(Clone, Debug, Default)]
pub struct GithubActions {
    /// Whether to print workflow commands.
    pub annotate: bool,
    /// The file that the job summary is appended to.
    pub summary: Option<PathBuf>,
    /// The project root's path in the repository; absent if it is elsewhere.
    pub project: Option<PathBuf>,
}

/// Writes the annotations of a run to `out` and appends the summary to its file.
pub fn write(report: &RunReport, target: &GithubActions, out: &mut dyn Write) -> io::Result<()> {
    if target.annotate {
        for line in annotations(report, target.project.as_deref()) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
    }
    match &target.summary {
        Some(path) => append(report, path).map_err(|error| at_path(path, error)),
        None => Ok(()),
    }
}

fn append(report: &RunReport, path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    // Earlier commands of the same step may have written to it.
    let before = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    file.write_all(summary(report, SUMMARY_LIMIT.saturating_sub(before)).as_bytes())
}

/// Returns the consumer that writes at the end of a run. Failures to write are reported with `warn`
/// and don't fail the run.
pub fn consumer(
    target: GithubActions,
    out: Box<dyn Write + Send>,
    warn: fn(&str),
) -> Box<dyn EventConsumer> {
    Box::new(GithubConsumer {
        target,
        out,
        warn,
        report: RunReport::default(),
    })
}

struct GithubConsumer {
    target: GithubActions,
    out: Box<dyn Write + Send>,
    warn: fn(&str),
    report: RunReport,
}

impl EventConsumer for GithubConsumer {
    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        self.report.apply(event);
        if let EventKind::CellFinished { cell, .. } = &event.kind {
            // The root cause has been determined from them.
            self.report.forget_events(cell);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.report.conclude();
        if let Err(error) = write(&self.report, &self.target, &mut self.out) {
            (self.warn)(&format!(
                "cannot write the annotations or the summary for GitHub: {error}"
            ));
        }
        Ok(())
    }
}

/// Returns the workflow commands, one per line: failures, followed by leftover resources, most
/// important first. `project` is the project root's path in the repository; without it, annotations
/// have no file.
pub fn annotations(report: &RunReport, project: Option<&Path>) -> Vec<String> {
    let mut lines = limited(errors(report, project), "errors");
    lines.extend(limited(warnings(report, project), "warnings"));
    lines
}

/// Returns the workflow command `error`, `warning` or `notice` for a line and column of a file in
/// the repository.
pub fn annotation(
    command: &'static str,
    title: &str,
    file: &Path,
    (line, column): (u32, u32),
    message: &str,
) -> String {
    let annotation = Annotation {
        command,
        title: title.to_owned(),
        place: Some((
            file.to_string_lossy().into_owned(),
            Some(line),
            Some(column),
        )),
        message: message.to_owned(),
    };
    annotation.to_string()
}

/// A workflow command. Its text is foreign; `Display` escapes it.
struct Annotation {
    command: &'static str,
    title: String,
    /// File in the repository, line and column.
    place: Option<(String, Option<u32>, Option<u32>)>,
    message: String,
}

impl fmt::Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "::{} title={}", self.command, property(&self.title))?;
        if let Some((file, line, column)) = &self.place {
            write!(f, ",file={}", property(file))?;
            line.iter().try_for_each(|line| write!(f, ",line={line}"))?;
            column
                .iter()
                .try_for_each(|column| write!(f, ",col={column}"))?;
        }
        write!(f, "::{}", data(&self.message))
    }
}

fn data(text: &str) -> String {
    text::clean(text)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Returns as many commands as GitHub shows; the last one counts the others.
fn limited(mut annotations: Vec<Annotation>, what: &str) -> Vec<String> {
    let more = annotations.len().saturating_sub(SHOWN);
    annotations.truncate(SHOWN);
    if let (1.., Some(last)) = (more, annotations.last_mut()) {
        last.message
            .push_str(&format!("\n… and {more} more {what} (see the report)"));
    }
    annotations.iter().map(ToString::to_string).collect()
}

fn errors(report: &RunReport, project: Option<&Path>) -> Vec<Annotation> {
    let title = |text: String| titled(report, text);
    let error = |title, place, message| Annotation {
        command: "error",
        title,
        place,
        message,
    };
    let findings = || report.lint.iter().flat_map(|lint| &lint.findings);
    let mut errors: Vec<Annotation> = findings()
        .filter(|finding| finding.error)
        .map(|finding| {
            error(
                finding.rule.clone(),
                place_of(finding, project),
                finding.message.clone(),
            )
        })
        .collect();
    // Lint errors have annotations of their own.
    if let Some(stopped) = report.error.as_ref().filter(|_| errors.is_empty()) {
        errors.push(error(
            title("taskcat stopped before the tests".into()),
            None,
            stopped.clone(),
        ));
    }
    errors.extend(distinct_first(report).into_iter().map(|cell| {
        let source = cell
            .root_cause
            .as_ref()
            .and_then(|cause| cause.source.as_ref());
        let place = source
            .and_then(|it| Some((in_repository(project?, &it.template)?, Some(it.line), None)));
        let template = || Some((in_repository(project?, &cell.template)?, None, None));
        error(
            title(format!("{} in {} failed", cell.id.test, cell.id.region)),
            place.or_else(template),
            told(cell),
        )
    }));
    errors
}

/// Returns the failed cells, repeated failures last: the same mistake in twenty regions must not
/// displace other failures.
fn distinct_first(report: &RunReport) -> Vec<&CellReport> {
    let mut seen = HashSet::new();
    let mut first = Vec::new();
    let mut others = Vec::new();
    for cell in report
        .cells
        .iter()
        .filter(|cell| cell.state == CellState::Failed)
    {
        let cause = cell.root_cause.as_ref();
        let path = cause.map(|it| it.path.as_slice()).unwrap_or_default();
        // The failure of a whole stack has no path, only a reason.
        let words = cause
            .map(|it| it.reason.as_str())
            .filter(|_| path.is_empty());
        let is_first = seen.insert((cell.template.as_str(), path, words));
        if is_first { &mut first } else { &mut others }.push(cell);
    }
    first.extend(others);
    first
}

fn warnings(report: &RunReport, project: Option<&Path>) -> Vec<Annotation> {
    let warning = |title, place, message| Annotation {
        command: "warning",
        title,
        place,
        message,
    };
    let mut warnings = Vec::new();
    if let Some(signal) = &report.interrupted_by {
        warnings.push(warning(
            titled(report, "taskcat was interrupted".into()),
            None,
            format!("by {signal}"),
        ));
    }
    let title = || titled(report, "not deleted".into());
    warnings.extend(
        left_behind(report)
            .into_iter()
            .map(|(what, why)| warning(title(), None, format!("{what}: {why}"))),
    );
    let findings = report
        .lint
        .iter()
        .flat_map(|lint| &lint.findings)
        .filter(|finding| !finding.error);
    warnings.extend(
        findings.map(|it| warning(it.rule.clone(), place_of(it, project), it.message.clone())),
    );
    warnings
}

/// Returns what still exists but should have been deleted, and why.
fn left_behind(report: &RunReport) -> Vec<(String, String)> {
    let stacks = report.cells.iter().filter_map(|cell| match &cell.teardown {
        TeardownState::DeleteFailed { reason, left, .. } => {
            let left: Vec<String> = left
                .iter()
                .map(|it| format!("{} ({})", it.logical_id, it.resource_type))
                .collect();
            let left = if left.is_empty() {
                String::new()
            } else {
                format!("; still there: {}", left.join(", "))
            };
            let what = format!("stack {} in {}", cell.stack_name, cell.id.region);
            Some((
                what,
                format!("{}{left}", reason.trim_end_matches(['.', ' '])),
            ))
        }
        _ => None,
    });
    let buckets = report.buckets.iter().filter_map(|it| match &it.end {
        BucketState::DeleteFailed { reason } => {
            Some((format!("bucket {}", it.bucket), reason.clone()))
        }
        _ => None,
    });
    stacks.chain(buckets).collect()
}

/// Returns the root cause and the notes below it.
fn told(cell: &CellReport) -> String {
    let Some(cause) = &cell.root_cause else {
        return cell.reason.clone().unwrap_or_else(|| "failed".into());
    };
    let text = text::shortened(&cause.text, MESSAGE_LIMIT);
    let notes = cause
        .notes()
        .into_iter()
        .map(|note| text::shortened(&text::one_line(&note), MESSAGE_LIMIT / 4));
    std::iter::once(text)
        .chain(notes)
        .collect::<Vec<_>>()
        .join("\n")
}

fn titled(report: &RunReport, title: String) -> String {
    if report.simulated {
        format!("simulated: {title}")
    } else {
        title
    }
}

fn place_of(
    finding: &LintFinding,
    project: Option<&Path>,
) -> Option<(String, Option<u32>, Option<u32>)> {
    Some((
        in_repository(project?, &finding.template)?,
        Some(finding.line),
        Some(finding.column),
    ))
}

/// Returns a template's path in the repository, or `None` if it would be outside.
fn in_repository(project: &Path, template: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in project.components().chain(Path::new(template).components()) {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir => _ = parts.pop()?,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// Returns text in which GitHub's runner finds no commands. A command is a line that begins with
/// `::` after white space or contains `##[` anywhere.
pub fn inert(text: &str) -> Cow<'_, str> {
    let is_command = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
    if !text.split(['\n', '\r']).any(is_command) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive(['\n', '\r']).map(|line| {
        let line = line.replace("##[", "# #[");
        if line.trim_start().starts_with("::") {
            line.replacen("::", ": :", 1)
        } else {
            line
        }
    });
    Cow::Owned(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{
        CellId, CellParameter, Outcome, PlannedCell, ResourceSource, TemplateSource,
    };
    use crate::report::tests::{SCENARIOS, fixture, many};

    fn annotated(events: &[RunEvent]) -> Vec<String> {
        annotations(
            &RunReport::from_events(events),
            Some(Path::new("stacks/demo")),
        )
    }

    #[test]
    fn annotations_of_every_scenario() {
        let all = SCENARIOS.map(|scenario| {
            format!(
                "==> {scenario} <==\n{}",
                annotated(&fixture(scenario)).join("\n")
            )
        });
        insta::assert_snapshot!("annotations", all.join("\n"));
    }

    #[test]
    fn workflow_commands_are_escaped() {
        let check = |title: &str, message: &str, expect: &str| {
            let place = Some((title.to_owned(), Some(3), Some(4)));
            let annotation = Annotation {
                command: "error",
                title: title.into(),
                place,
                message: message.into(),
            };
            assert_eq!(annotation.to_string(), expect);
        };
        check(
            "a",
            "b: c, d",
            "::error title=a,file=a,line=3,col=4::b: c, d",
        );
        check(
            "50%,a:b",
            "100%",
            "::error title=50%25%2Ca%3Ab,file=50%25%2Ca%3Ab,line=3,col=4::100%25",
        );
        check(
            "a\nb",
            "one\r\ntwo\n::error::x",
            "::error title=a%0Ab,file=a%0Ab,line=3,col=4::one%0Atwo%0A::error::x",
        );
        check("a\rb", "a\rb", "::error title=ab,file=ab,line=3,col=4::ab");
        check(
            "%0A::",
            "%0A",
            "::error title=%250A%3A%3A,file=%250A%3A%3A,line=3,col=4::%250A",
        );
        check(
            "\u{1b}[1mx",
            "a\u{7}\u{202e}b",
            "::error title=x,file=x,line=3,col=4::ab",
        );
    }

    #[test]
    fn paths_are_relative_to_the_repository() {
        let check = |project: &str, template: &str, expect: Option<&str>| {
            assert_eq!(
                in_repository(Path::new(project), template).as_deref(),
                expect,
                "{project} {template}"
            );
        };
        check("", "templates/a.yaml", Some("templates/a.yaml"));
        check(
            "stacks/demo",
            "./templates/a.yaml",
            Some("stacks/demo/templates/a.yaml"),
        );
        check(
            "stacks/demo",
            "../shared/a.yaml",
            Some("stacks/shared/a.yaml"),
        );
        check("", "../a.yaml", None);
        check("demo", "../../a.yaml", None);
        check("demo", "/etc/a.yaml", None);
        check("", "", None);
    }

    #[test]
    fn no_line_of_a_log_is_a_command() {
        let check = |text: &str, expect: &str| assert_eq!(inert(text), expect, "{text:?}");
        check("plain :: text", "plain :: text");
        check("AWS::EC2::VPC", "AWS::EC2::VPC");
        check("::error::x", ": :error::x");
        check(" \t\u{a0}::add-mask::x", " \t\u{a0}: :add-mask::x");
        check(
            "one\n  ::error::x\r::debug::y\n",
            "one\n  : :error::x\r: :debug::y\n",
        );
        check("2026 ##[add-mask]x", "2026 # #[add-mask]x");
        check("# [a] #[b]", "# [a] #[b]");
    }

    /// Returns a cell of `test` in `region` that fails at `line` of its template because of
    /// `reason`.
    fn failing(cells: &[(&str, &str, u32, &str)]) -> RunReport {
        let id = |test: &str, region: &str| CellId {
            test: test.into(),
            region: region.into(),
        };
        let mut events = fixture("one-failed");
        events.truncate(1);
        let EventKind::RunStarted(run) = &mut events[0].kind else {
            unreachable!()
        };
        let sources = cells.iter().map(|(test, _, line, _)| TemplateSource {
            template: format!("templates/{test}.yaml"),
            resources: [(
                "Thing".to_owned(),
                ResourceSource {
                    line: *line,
                    ..Default::default()
                },
            )]
            .into(),
            ..Default::default()
        });
        run.templates = sources.collect();
        let cell = |(test, region, ..): &(&str, &str, u32, &str)| PlannedCell {
            id: id(test, region),
            stack_name: "s".into(),
            template: format!("templates/{test}.yaml"),
            account_id: "1".into(),
            parameters: vec![CellParameter {
                key: "Size".into(),
                value: "large".into(),
            }],
            update_from: None,
        };
        run.cells = cells.iter().map(cell).collect();
        let at = events[0].at;
        for (test, region, _, reason) in cells {
            let detail = crate::event::StackEvent {
                event_id: "e".into(),
                stack_id: "stack".into(),
                stack_name: "s".into(),
                depth: 0,
                timestamp: at,
                logical_id: "Thing".into(),
                physical_id: None,
                resource_type: "AWS::SNS::Topic".into(),
                status: "CREATE_FAILED".into(),
                reason: Some((*reason).into()),
            };
            let kinds = [
                EventKind::StackEvent {
                    cell: id(test, region),
                    detail,
                },
                EventKind::CellFinished {
                    cell: id(test, region),
                    outcome: Outcome::Failed,
                    reason: None,
                },
            ];
            events.extend(kinds.map(|kind| RunEvent { seq: 1, at, kind }));
        }
        RunReport::from_events(&events)
    }

    #[test]
    fn a_failure_is_annotated_at_its_line() {
        let report = failing(&[("app", "eu-west-1", 12, "no\nroom")]);
        assert_eq!(
            annotations(&report, Some(Path::new(""))),
            [
                "::error title=app in eu-west-1 failed,file=templates/app.yaml,line=12::Thing \
                 (AWS::SNS::Topic) \
              CREATE_FAILED: no%0Aroom%0Adeclared at templates/app.yaml:12"
            ]
        );
        // Outside of the repository, no file is named.
        assert!(
            annotations(&report, None)[0]
                .starts_with("::error title=app in eu-west-1 failed::Thing")
        );
        let simulated = RunReport {
            simulated: true,
            ..report
        };
        assert!(
            annotations(&simulated, None)[0]
                .starts_with("::error title=simulated%3A app in eu-west-1 failed::")
        );
    }

    #[test]
    fn ten_are_shown_and_different_failures_come_first() {
        let regions: Vec<String> = (0..12).map(|it| format!("r{it}")).collect();
        let mut cells: Vec<_> = regions
            .iter()
            .map(|region| ("same", region.as_str(), 3, "no"))
            .collect();
        cells.push(("other", "r0", 4, "no"));
        let lines = annotations(&failing(&cells), Some(Path::new("")));
        assert_eq!(lines.len(), 10);
        assert!(
            lines[0].contains("same in r0") && lines[1].contains("other in r0"),
            "{lines:#?}"
        );
        assert!(
            lines[9].ends_with("%0A… and 3 more errors (see the report)"),
            "{}",
            lines[9]
        );
        assert!(lines[..9].iter().all(|line| !line.contains("more errors")));
        let lines = annotated(&many(15, 20));
        assert_eq!(lines.len(), 10, "{lines:#?}");
    }

    #[test]
    fn the_end_of_a_run_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        std::fs::write(&path, "before\n").unwrap();
        let out = folder.path().join("out");
        let consume = |target: GithubActions| {
            let out = Box::new(std::fs::File::create(&out).unwrap());
            let mut consumer = consumer(target, out, |message| panic!("{message}"));
            fixture("one-failed")
                .iter()
                .for_each(|event| consumer.take(event).unwrap());
            consumer.finish().unwrap();
        };
        consume(GithubActions {
            annotate: true,
            summary: Some(path.clone()),
            project: Some("".into()),
        });
        let text = std::fs::read_to_string(&path).unwrap();
        let report = RunReport::from_events(&fixture("one-failed"));
        assert_eq!(text, format!("before\n{}", summary(&report, SUMMARY_LIMIT)));
        assert_eq!(
            std::fs::read_to_string(&out).unwrap(),
            annotations(&report, Some(Path::new(""))).join("\n") + "\n"
        );
        consume(GithubActions {
            annotate: false,
            summary: None,
            project: None,
        });
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "");
        let unwritable = GithubActions {
            summary: Some(folder.path().into()),
            ..GithubActions::default()
        };
        let error = write(&report, &unwritable, &mut Vec::new())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&folder.path().display().to_string()),
            "{error}"
        );
    }
}
