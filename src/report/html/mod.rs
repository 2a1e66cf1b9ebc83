//! Renders `index.html`: a self-contained page that shows what was tested, what failed and why.
//!
//! `index.html` and `cell.html` beside this file are the templates, `page.css` contains the design,
//! and `page.js` adds optional interaction; this module and `chart` prepare the data. The template
//! engine escapes all text, after characters that could mislead a reader are removed. The page may
//! run only its own script: the policy in its head contains the script's hash.

mod chart;

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Error, Output, State, Value, escape_formatter};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::chart::Chart;
use super::model::{
    BucketReport, CellReport, CellState, LintReport, PackageReport, RunReport, RunVerdict, Totals,
    why_kept,
};
use super::{RootCause, cfn_logs, changes, text, timeline};
use crate::event::{KeepReason, StackEvent};
use crate::status::{ResourceStatus, StackStatus};

/// The page; the cells replace [`CELLS`].
const PAGE: &str = include_str!("index.html");
const CELL: &str = include_str!("cell.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Number of failed cells whose events are initially expanded.
const OPEN_CELLS: usize = 3;
/// Text can't contain this, since the templates escape every `<`.
const CELLS: &str = "<!--cells-->";

/// Writes the page cell by cell, since a run has thousands of events and only one cell's should be
/// in the engine's memory.
pub fn render(report: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    let environment = environment().map_err(io::Error::other)?;
    let render = |template: &str, values: Value| {
        let text = environment
            .get_template(template)
            .and_then(|template| template.render(values));
        text.map_err(io::Error::other)
    };
    let hide = !has_create_failed(report);
    let mut write = |text: &str| match hide && text.contains(StackStatus::CreateFailed.as_str()) {
        // As a character reference it looks the same.
        true => out.write_all(
            text.replace(StackStatus::CreateFailed.as_str(), "CREATE_&#70;AILED")
                .as_bytes(),
        ),
        false => out.write_all(text.as_bytes()),
    };
    let anchors = anchors(report);
    let page = render(
        "index.html",
        Value::from(Serde(ReportPage::new(report, &anchors))),
    )?;
    let (head, tail) = page.split_once(CELLS).unwrap_or((&page, ""));
    write(head)?;
    let mut cells: Vec<(&CellReport, &String)> = report.cells.iter().zip(&anchors).collect();
    cells.sort_by_key(|(cell, _)| urgency(cell));
    for (position, (cell, anchor)) in cells.into_iter().enumerate() {
        let mut view = CellView::new(report, cell, anchor);
        view.is_open = position < OPEN_CELLS && cell.root_cause.is_some();
        write(&render("cell.html", Value::from(Serde(view)))?)?;
    }
    write(tail)
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()?;
    environment.set_syntax(syntax);
    environment.set_formatter(write_clean);
    environment.add_filter("duration", |seconds: f64| text::duration(seconds));
    environment.add_filter("utc", |at: String| {
        at.parse::<Timestamp>().map_or(at, date_and_time)
    });
    environment.add_filter("why_kept", |Serde(why): Serde<KeepReason>| why_kept(why));
    environment.add_global("style", Value::from_safe_string(STYLE.to_owned()));
    environment.add_global("script", Value::from_safe_string(SCRIPT.to_owned()));
    environment.add_global(
        "script_hash",
        Value::from_safe_string(BASE64_STANDARD.encode(Sha256::digest(SCRIPT))),
    );
    // The extensions of the names enable escaping.
    environment.add_template("index.html", PAGE)?;
    environment.add_template("cell.html", CELL)?;
    Ok(environment)
}

/// Returns whether a stack or resource had this status. CI pipelines search the page for it, so it
/// must not appear in parameters or messages otherwise.
fn has_create_failed(report: &RunReport) -> bool {
    let of_cell = |cell: &CellReport| {
        let mut events = cell.events.iter().chain(&cell.teardown_events);
        cell.stack_status == Some(StackStatus::CreateFailed)
            || events.any(|event| event.status == ResourceStatus::CreateFailed)
    };
    report.cells.iter().any(of_cell)
}

fn write_clean(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if value.kind() == ValueKind::String && !value.is_safe() => {
            escape_formatter(out, state, &Value::from(text::clean(text).into_owned()))
        }
        _ => escape_formatter(out, state, value),
    }
}

/// The data for the template.
#[derive(Serialize)]
struct ReportPage<'a> {
    report: PageHeader<'a>,
    verdict: &'static str,
    /// The class that determines the verdict's color: `failed`, `interrupted` or `passed`.
    tone: &'static str,
    counts: String,
    duration_seconds: Option<f64>,
    regions: Vec<&'a str>,
    rows: Vec<MatrixRow<'a>>,
    /// The states to filter by, with the number of cells in each.
    states: Vec<(&'static str, usize)>,
}

/// The report without its cells.
#[derive(Serialize)]
struct PageHeader<'a> {
    run_id: &'a str,
    merged_runs: &'a [String],
    taskcat_version: &'a str,
    project: &'a str,
    endpoint: &'a Option<String>,
    simulated: bool,
    started_at: Option<Timestamp>,
    verdict: RunVerdict,
    error: &'a Option<String>,
    interrupted_by: &'a Option<String>,
    totals: Totals,
    warnings: &'a [String],
    lint: &'a Option<LintReport>,
    packages: &'a [PackageReport],
    buckets: &'a [BucketReport],
}

#[derive(Serialize)]
struct MatrixRow<'a> {
    test: &'a str,
    /// One per region; `None` if the test doesn't run there.
    cells: Vec<Option<MatrixCell>>,
}

#[derive(Clone, Serialize)]
struct MatrixCell {
    anchor: String,
    state: &'static str,
    glyph: &'static str,
    duration_seconds: Option<f64>,
    left_behind: bool,
}

#[derive(Serialize)]
struct CellView<'a> {
    #[serde(flatten)]
    cell: &'a CellReport,
    at_a_glance: MatrixCell,
    /// The part of the root cause's text before the reason.
    cause_head: Option<&'a str>,
    cause_reason: Option<&'a str>,
    /// What the update from an earlier version changes.
    update_summary: Option<String>,
    /// The same by resource, a line each.
    update_lines: Option<String>,
    /// The index and time of the root cause's event.
    cause_event: Option<(usize, String)>,
    /// The console page of the nested stack with the root cause.
    cause_url: Option<String>,
    log_file: Option<String>,
    console_url: Option<String>,
    nested: Vec<NestedStackView<'a>>,
    /// Whether its events are initially expanded.
    is_open: bool,
    chart: Option<Chart<'a>>,
    event_rows: Vec<EventRow<'a>>,
    /// Numbered after the other events.
    teardown_rows: Vec<EventRow<'a>>,
}

#[derive(Serialize)]
struct NestedStackView<'a> {
    path: String,
    stack_name: &'a str,
    status: Option<&'a str>,
    console_url: Option<String>,
}

#[derive(Serialize)]
struct EventRow<'a> {
    status: &'a str,
    reason: Option<&'a str>,
    time: String,
    tone: Option<&'static str>,
    /// The outer stacks' logical IDs, each followed by a slash.
    prefix: String,
    /// The resource's logical ID, or a nested stack's own in its parent.
    name: &'a str,
    kind: &'a str,
    indent: u32,
    is_cause: bool,
}

impl<'a> ReportPage<'a> {
    fn new(report: &'a RunReport, anchors: &[String]) -> Self {
        let (verdict, tone) = match report.verdict {
            RunVerdict::Passed => ("Passed", "passed"),
            RunVerdict::Failed => ("Failed", "failed"),
            RunVerdict::LeftBehind => ("Passed, not cleaned up", "interrupted"),
            RunVerdict::Interrupted => ("Interrupted", "interrupted"),
            RunVerdict::Error => ("Stopped before the tests", "failed"),
            RunVerdict::Incomplete => ("Incomplete", "interrupted"),
        };
        let (regions, rows) = matrix(report, anchors);
        let totals = report.totals;
        let states = [
            ("failed", totals.failed),
            ("interrupted", totals.interrupted),
            ("skipped", totals.skipped),
            ("unfinished", totals.unfinished),
            ("passed", totals.passed),
            (
                "not deleted",
                report
                    .cells
                    .iter()
                    .filter(|cell| cell.is_left_behind())
                    .count(),
            ),
        ];
        let states = states.into_iter().filter(|(_, count)| *count > 0).collect();
        let counts = report.counts();
        let duration_seconds = report.duration_seconds();
        let report = PageHeader {
            run_id: &report.run_id,
            merged_runs: &report.merged_runs,
            taskcat_version: &report.taskcat_version,
            project: &report.project,
            endpoint: &report.endpoint,
            simulated: report.simulated,
            started_at: report.started_at,
            verdict: report.verdict,
            error: &report.error,
            interrupted_by: &report.interrupted_by,
            totals: report.totals,
            warnings: &report.warnings,
            lint: &report.lint,
            packages: &report.packages,
            buckets: &report.buckets,
        };
        Self {
            report,
            verdict,
            tone,
            counts,
            duration_seconds,
            regions,
            rows,
            states,
        }
    }
}

/// Returns the sort key that puts the most urgent cells first; otherwise the plan's order is kept.
fn urgency(cell: &CellReport) -> u8 {
    match cell.state {
        CellState::Failed => 0,
        CellState::Interrupted | CellState::Skipped => 1,
        CellState::Running | CellState::Waiting => 2,
        CellState::Passed if cell.is_left_behind() => 3,
        CellState::Passed => 4,
    }
}

fn matrix<'a>(report: &'a RunReport, anchors: &[String]) -> (Vec<&'a str>, Vec<MatrixRow<'a>>) {
    let mut regions: Vec<&str> = Vec::new();
    let mut rows: Vec<MatrixRow> = Vec::new();
    for cell in &report.cells {
        if !regions.contains(&&*cell.id.region) {
            regions.push(&cell.id.region);
        }
    }
    for (cell, anchor) in report.cells.iter().zip(anchors) {
        let test = &*cell.id.test;
        let region = &*cell.id.region;
        if rows.iter().all(|row| row.test != test) {
            rows.push(MatrixRow {
                test,
                cells: vec![None; regions.len()],
            });
        }
        let row = rows.iter_mut().find(|row| row.test == test);
        let column = regions.iter().position(|it| *it == region);
        if let Some(slot) = row
            .zip(column)
            .and_then(|(row, column)| row.cells.get_mut(column))
        {
            *slot = Some(MatrixCell::new(cell, anchor));
        }
    }
    (regions, rows)
}

/// Returns a fragment for each cell that is stable across runs: `vpc/us-east-1`.
fn anchors(report: &RunReport) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let unique = |cell: &CellReport| {
        let mut anchor = format!(
            "{}/{}",
            text::name_safe(&cell.id.test),
            text::name_safe(&cell.id.region)
        );
        while !taken.insert(anchor.clone()) {
            anchor.push('_');
        }
        anchor
    };
    report.cells.iter().map(unique).collect()
}

impl MatrixCell {
    fn new(cell: &CellReport, anchor: &str) -> Self {
        let glyph = match cell.state {
            CellState::Passed => "✓",
            CellState::Failed => "✕",
            CellState::Interrupted => "◼",
            CellState::Skipped => "–",
            CellState::Running | CellState::Waiting => "…",
        };
        let anchor = anchor.to_owned();
        let left_behind = cell.is_left_behind();
        Self {
            anchor,
            state: cell.state.word(),
            glyph,
            duration_seconds: cell.duration_seconds,
            left_behind,
        }
    }
}

impl<'a> CellView<'a> {
    fn new(report: &'a RunReport, cell: &'a CellReport, anchor: &str) -> Self {
        let cause = cell.root_cause.as_ref();
        let paths: HashMap<&str, Vec<&str>> = cell
            .stacks
            .iter()
            .map(|stack| (&*stack.stack_id, cell.path_of(&stack.stack_id)))
            .collect();
        let row = |event: &'a StackEvent| EventRow::new(event, paths.get(&*event.stack_id), cause);
        let cause_at = cause.and_then(|cause| {
            cell.events
                .iter()
                .position(|event| cause.event_id.as_ref() == Some(&event.event_id))
        });
        let cause_event = cause_at.and_then(|at| Some((at, cell.events.get(at)?)));
        let console = |stack_id: &str| {
            console_url(stack_id).filter(|_| report.endpoint.is_none() && !report.simulated)
        };
        let nested = cell
            .stacks
            .iter()
            .filter(|stack| stack.depth > 0)
            .map(|stack| NestedStackView {
                path: paths
                    .get(&*stack.stack_id)
                    .map(|path| path.join("/"))
                    .unwrap_or_default(),
                stack_name: &stack.stack_name,
                status: stack.status.as_ref().map(StackStatus::as_str),
                console_url: console(&stack.stack_id),
            });
        let update = cell.update.as_ref();
        Self {
            cell,
            at_a_glance: MatrixCell::new(cell, anchor),
            cause_head: cause.and_then(|cause| cause.text.strip_suffix(&cause.reason)),
            cause_reason: cause.map(|cause| &*cause.reason),
            update_summary: update.map(|it| changes::summary(&it.changes)),
            update_lines: update
                .filter(|it| !it.changes.is_empty())
                .map(|it| changes::lines(&it.changes).join("\n")),
            cause_event: cause_event.map(|(at, event)| (at + 1, clock(event))),
            cause_url: cause_event
                .filter(|(_, event)| event.depth > 0)
                .and_then(|(_, event)| console(&event.stack_id)),
            log_file: cfn_logs::file_name(cell),
            console_url: cell.stack_id.as_deref().and_then(console),
            nested: nested.collect(),
            is_open: false,
            chart: timeline::of_cell(cell).map(|timeline| Chart::new(&timeline)),
            event_rows: cell.events.iter().map(row).collect(),
            teardown_rows: cell.teardown_events.iter().map(row).collect(),
        }
    }
}

impl<'a> EventRow<'a> {
    fn new(event: &'a StackEvent, path: Option<&Vec<&'a str>>, cause: Option<&RootCause>) -> Self {
        let path = path.map(Vec::as_slice).unwrap_or_default();
        // CloudFormation names a nested stack after its parents with a suffix; its logical ID is
        // clearer.
        let (outer, name, kind) = match path.split_last() {
            _ if !event.is_of_stack() => (path, &*event.logical_id, &*event.resource_type),
            Some((name, outer)) => (outer, *name, "the nested stack"),
            None => (path, &*event.logical_id, "the stack"),
        };
        Self {
            status: event.status.as_str(),
            reason: event.reason.as_deref(),
            time: clock(event),
            tone: tone_of(&event.status),
            prefix: outer.iter().map(|id| format!("{id}/")).collect(),
            name,
            kind,
            indent: event.depth.min(6),
            is_cause: cause.is_some_and(|cause| cause.event_id.as_ref() == Some(&event.event_id)),
        }
    }
}

fn clock(event: &StackEvent) -> String {
    event.timestamp.strftime("%H:%M:%S").to_string()
}

/// Returns the class of a status; `None` while in progress.
fn tone_of(status: &ResourceStatus) -> Option<&'static str> {
    match status {
        _ if status.is_failed() => Some("failed"),
        _ if status.is_rollback() => Some("interrupted"),
        _ if status.is_complete() => Some("passed"),
        _ => None,
    }
}

/// Returns the stack's page in its partition's console; `None` if the console of the partition
/// isn't known.
fn console_url(stack_id: &str) -> Option<String> {
    let mut parts = stack_id.split(':').skip(1);
    let (partition, _, region, account) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if !account.bytes().all(|byte| byte.is_ascii_digit()) {
        // The ID has been masked and can't be used in a link.
        return None;
    }
    let host = match partition {
        "aws" => "console.aws.amazon.com",
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        "aws-eusc" => "console.amazonaws-eusc.eu",
        _ => return None,
    };
    if region.is_empty() || region.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
        return None;
    }
    let host = if partition == "aws-us-gov" {
        host.into()
    } else {
        format!("{region}.{host}")
    };
    let encoded = utf8_percent_encode(stack_id, UNRESERVED_ONLY);
    Some(format!(
        "https://{host}/cloudformation/home?region={region}#/stacks/stackinfo?stackId={encoded}"
    ))
}

/// Everything but the unreserved characters of a URI.
const UNRESERVED_ONLY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

fn date_and_time(at: Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CellId, EventKind, PlannedCell, RunEvent, RunStarted, RunTask};

    #[test]
    fn consoles_of_the_partitions() {
        let check = |stack_id: &str, expect: Option<&str>| {
            assert_eq!(console_url(stack_id).as_deref(), expect)
        };
        check(
            "arn:aws:cloudformation:us-east-1:1:stack/a/b",
            Some(
                "https://us-east-1.console.aws.amazon.com/cloudformation/home?region=us-east-1#/stacks/stackinfo\
                 ?stackId=arn%3Aaws%3Acloudformation%3Aus-east-1%3A1%3Astack%2Fa%2Fb",
            ),
        );
        check(
            "arn:aws-cn:cloudformation:cn-north-1:1:stack/a",
            Some(
                "https://cn-north-1.console.amazonaws.cn/cloudformation/home?region=cn-north-1#/stacks/stackinfo\
                 ?stackId=arn%3Aaws-cn%3Acloudformation%3Acn-north-1%3A1%3Astack%2Fa",
            ),
        );
        check(
            "arn:aws-us-gov:cloudformation:us-gov-west-1:1:s",
            Some(
                "https://console.amazonaws-us-gov.com/cloudformation/home?region=us-gov-west-1#/stacks/stackinfo\
                 ?stackId=arn%3Aaws-us-gov%3Acloudformation%3Aus-gov-west-1%3A1%3As",
            ),
        );
        check("arn:aws-iso:cloudformation:us-iso-east-1:1:stack/a", None);
        check("arn:aws:cloudformation:evil.example/:1:stack/a", None);
        check("arn:aws:cloudformation::1:stack/a", None);
        check("no arn", None);
    }

    #[test]
    fn every_cell_has_an_anchor_of_its_own() {
        let cell = |test: &str| PlannedCell {
            id: CellId {
                test: test.into(),
                region: "r".into(),
            },
            stack_name: String::new(),
            template: String::new(),
            account_id: String::new(),
            parameters: vec![],
            update_from: None,
        };
        let run = RunStarted {
            run_id: String::new(),
            taskcat_version: String::new(),
            task: RunTask::Test,
            project: String::new(),
            endpoint: None,
            simulated: false,
            templates: Vec::new(),
            cells: vec![cell("a b"), cell("a_b"), cell("a/b")],
        };
        let event = RunEvent {
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            kind: EventKind::RunStarted(run),
        };
        assert_eq!(
            anchors(&RunReport::from_events([&event])),
            ["a_b/r", "a_b/r_", "a_b/r__"]
        );
    }
}
