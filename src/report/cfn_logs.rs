//! Writes `<stack>-<region>-cfnlogs.txt`: the events of a test's stack and its nested stacks in
//! TaskCat's layout.
//!
//! The layout is that of TaskCat's `_cfn/_log_stack_events.py`: a header and a table as Python's
//! `tabulate` formats it ("simple"), newest event first. Differences: TaskCat appends to a file of
//! an earlier run, this one replaces it; TaskCat names the file of a stack that could not be
//! launched `FailedToLaunch-…`, here it has the stack's name; TaskCat repeats a stack at the third
//! level of nesting; "Tested on" is the end of the run in UTC; the log of a simulated run begins
//! with a notice.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;

use super::model::{CellReport, RunReport};
use super::text;
use crate::event::StackEvent;
use crate::status::ResourceStatus;

const DASHES: &str =
    "-----------------------------------------------------------------------------";
const STARS: &str = "*****************************************************************************";
const HEADERS: [&str; 5] = [
    "TimeStamp",
    "ResourceStatus",
    "ResourceType",
    "LogicalResourceId",
    "ResourceStatusReason",
];

/// Returns the cells of each log by file name. Two cells share a file only if stack name and region
/// are the same in two accounts.
pub fn files(report: &RunReport) -> BTreeMap<String, Vec<&CellReport>> {
    let mut files: BTreeMap<String, Vec<&CellReport>> = BTreeMap::new();
    for cell in &report.cells {
        if let Some(name) = file_name(cell) {
            files.entry(name).or_default().push(cell);
        }
    }
    files
}

/// Writes the log of these cells.
pub fn render(cells: &[&CellReport], report: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    if report.simulated {
        writeln!(out, "Simulated: nothing of this happened in AWS.")?;
    }
    for cell in cells {
        if let Some(reason) = &cell.launch_error {
            writeln!(out, "{}", text::clean(reason))?;
            continue;
        }
        for stack in &cell.stacks {
            let newest_first: Vec<&StackEvent> = cell
                .events
                .iter()
                .rev()
                .filter(|event| event.stack_id == stack.stack_id)
                .collect();
            write_stack(
                out,
                &cell.id.region,
                &stack.stack_name,
                &newest_first,
                report.finished_at,
            )?;
        }
    }
    Ok(())
}

/// Returns the name of a cell's log, or `None` if there is nothing to log.
pub fn file_name(cell: &CellReport) -> Option<String> {
    let has_log = cell.launch_error.is_some() || !cell.events.is_empty();
    has_log.then(|| {
        format!(
            "{}-{}-cfnlogs.txt",
            text::name_safe(&cell.stack_name),
            text::name_safe(&cell.id.region)
        )
    })
}

fn write_stack(
    out: &mut dyn Write,
    region: &str,
    stack_name: &str,
    newest_first: &[&StackEvent],
    tested_on: Option<Timestamp>,
) -> io::Result<()> {
    let Some(newest) = newest_first.first() else {
        return Ok(());
    };
    let reason = match newest.status {
        ResourceStatus::CreateComplete => "Stack launch was successful",
        _ => newest.reason.as_deref().unwrap_or_default(),
    };
    writeln!(
        out,
        "{DASHES}\nRegion: {}\nStackName: {}\n{STARS}",
        text::one_line(region),
        text::one_line(stack_name)
    )?;
    writeln!(
        out,
        "ResourceStatusReason:  \n{}\n{STARS}",
        text::wrap(&text::clean(reason), 85).join("\n")
    )?;
    writeln!(
        out,
        "{STARS}\nEvents:  \n{}\n{STARS}\n{DASHES}",
        table(newest_first)
    )?;
    let tested_on = tested_on
        .map(|at| at.strftime("%A, %d. %B %Y %I:%M%p").to_string())
        .unwrap_or_default();
    writeln!(out, "Tested on: {tested_on}\n{DASHES}\n")
}

/// Formats the events like `tabulate.tabulate(rows, headers="keys")`: columns left-aligned and two
/// spaces apart, each at least two wider than its header, with the lines of a table cell below one
/// another.
fn table(events: &[&StackEvent]) -> String {
    let rows: Vec<[String; 5]> = events.iter().map(|event| row(event)).collect();
    let widths: [usize; 5] = std::array::from_fn(|column| {
        let widest = rows
            .iter()
            .flat_map(|row| row[column].lines())
            .map(width)
            .max();
        widest.unwrap_or(0).max(width(HEADERS[column]) + 2)
    });
    let mut lines = vec![
        line(&HEADERS, &widths),
        line(&widths.map(|width| "-".repeat(width)), &widths),
    ];
    for row in &rows {
        let height = row
            .iter()
            .map(|cell| cell.lines().count())
            .max()
            .unwrap_or(0)
            .max(1);
        for at in 0..height {
            lines.push(line(
                &row.each_ref()
                    .map(|cell| cell.lines().nth(at).unwrap_or_default()),
                &widths,
            ));
        }
    }
    lines.join("\n")
}

fn row(event: &StackEvent) -> [String; 5] {
    let reason = event.reason.as_deref().unwrap_or_default();
    [
        &python_time(event.timestamp),
        event.status.as_str(),
        &event.resource_type,
        &event.logical_id,
        reason,
    ]
    .map(|cell| text::clean(cell).trim().to_owned())
}

fn line<S: AsRef<str>>(cells: &[S; 5], widths: &[usize; 5]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, column)| {
        let cell = cell.as_ref();
        format!("{cell}{}", " ".repeat(column.saturating_sub(width(cell))))
    });
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Formats a time like Python's `str(datetime)`: `2026-11-02 10:00:00.123000+00:00`.
fn python_time(at: Timestamp) -> String {
    match at.subsec_microsecond() {
        0 => at.strftime("%Y-%m-%d %H:%M:%S+00:00").to_string(),
        _ => at.strftime("%Y-%m-%d %H:%M:%S.%6f+00:00").to_string(),
    }
}
