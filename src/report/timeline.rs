//! The timeline of a cell: when each resource was created, updated and deleted, and which of them
//! the others waited for.
//!
//! Computed from the cell's events until its stack's status is terminal, and from its templates'
//! dependencies. Pure: takes a [`CellReport`] and returns rows in reading order. The formats draw
//! it; `root_cause` finds what failed first.

use std::cmp::Reverse;
use std::collections::HashMap;

use indexmap::IndexMap;

use super::model::CellReport;
use crate::event::StackEvent;
use crate::status::Operation;

/// The events of a cell's stacks over time. All times are milliseconds since the first event.
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    /// Time from the first event to the last.
    pub length: i64,
    /// The cell's stack, followed by its resources in the order in which they started; those of a
    /// nested stack follow it.
    pub rows: Vec<TimelineRow<'a>>,
}

/// A resource, or the cell's stack.
#[derive(Clone, Debug)]
pub struct TimelineRow<'a> {
    /// The resource's logical ID; a stack's name if its parent is unknown.
    pub name: &'a str,
    /// The resource's type; `None` for a stack that isn't a resource of another.
    pub resource_type: Option<&'a str>,
    /// The level of nesting: 0 is the cell's stack, 1 a resource of it.
    pub depth: u32,
    /// The operations, oldest first; empty if no known status was seen.
    pub bars: Vec<TimelineBar>,
    /// Whether it is on the critical path: resources that waited for each other until the end or
    /// the failure.
    pub critical: bool,
    /// Index of the row's most significant event in the cell's events: its first failure, else its
    /// last.
    pub event: usize,
}

/// An operation on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelineBar {
    /// The operation.
    pub phase: TimelinePhase,
    /// When it started.
    pub begin: i64,
    /// When it ended; the end of the timeline if `end_state` is [`BarEnd::Open`].
    pub end: i64,
    /// How it ended.
    pub end_state: BarEnd,
}

/// The operation that a bar shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimelinePhase {
    /// Creation.
    Create,
    /// An update.
    Update,
    /// A rollback of a stack.
    Rollback,
    /// Deletion.
    Delete,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarEnd {
    /// Completed.
    Complete,
    /// Failed.
    Failed,
    /// Cancelled because something else failed.
    Cancelled,
    /// Not finished at the last event.
    Open,
}

impl TimelineBar {
    /// Returns what was done in words: `created`, `update failed`.
    pub fn words(&self) -> &'static str {
        match (self.phase, self.end_state) {
            (TimelinePhase::Create, BarEnd::Complete) => "created",
            (TimelinePhase::Create, BarEnd::Failed) => "creation failed",
            (TimelinePhase::Create, BarEnd::Cancelled) => "creation cancelled",
            (TimelinePhase::Create, BarEnd::Open) => "creation not ended",
            (TimelinePhase::Update, BarEnd::Complete) => "updated",
            (TimelinePhase::Update, BarEnd::Failed) => "update failed",
            (TimelinePhase::Update, BarEnd::Cancelled) => "update cancelled",
            (TimelinePhase::Update, BarEnd::Open) => "update not ended",
            (TimelinePhase::Rollback, BarEnd::Complete) => "rolled back",
            (TimelinePhase::Rollback, BarEnd::Failed) => "rollback failed",
            (TimelinePhase::Rollback, BarEnd::Cancelled) => "rollback cancelled",
            (TimelinePhase::Rollback, BarEnd::Open) => "rollback not ended",
            (TimelinePhase::Delete, BarEnd::Complete) => "deleted",
            (TimelinePhase::Delete, BarEnd::Failed) => "deletion failed",
            (TimelinePhase::Delete, BarEnd::Cancelled) => "deletion skipped",
            (TimelinePhase::Delete, BarEnd::Open) => "deletion not ended",
        }
    }

    /// Returns its duration in milliseconds.
    pub fn length(&self) -> i64 {
        self.end - self.begin
    }

    fn is_forward(&self) -> bool {
        matches!(self.phase, TimelinePhase::Create | TimelinePhase::Update)
    }
}

/// Returns the timeline of a cell's events, or `None` without events.
pub fn of_cell(cell: &CellReport) -> Option<Timeline<'_>> {
    let start = cell.events.iter().map(|event| event.timestamp).min()?;
    let since = |event: &StackEvent| event.timestamp.as_millisecond() - start.as_millisecond();
    let length = cell.events.iter().map(since).max()?;
    let mut lanes = lanes(cell);
    for lane in &mut lanes {
        let events = lane
            .events
            .iter()
            .filter_map(|position| cell.events.get(*position));
        lane.bars = bars(events.map(|event| (since(event), event)), length);
    }
    mark_critical(cell, &mut lanes);
    let mut rows = Vec::with_capacity(lanes.len());
    for lane in (0..lanes.len()).filter(|lane| lanes[*lane].parent.is_none()) {
        push_rows(cell, &lanes, lane, &mut rows);
    }
    Some(Timeline { length, rows })
}

/// A row during construction, by its index among all rows.
struct TimelineLane<'a> {
    stack_id: &'a str,
    /// The logical ID; `None` for a stack that isn't known to be a resource of another.
    logical_id: Option<&'a str>,
    events: Vec<usize>,
    /// The index of the stack that contains it.
    parent: Option<usize>,
    children: Vec<usize>,
    bars: Vec<TimelineBar>,
    critical: bool,
}

impl TimelineLane<'_> {
    fn begin(&self) -> Option<i64> {
        self.bars.first().map(|bar| bar.begin)
    }

    /// Returns when it finished; `None` if it hasn't.
    fn end(&self) -> Option<i64> {
        let last = self.bars.iter().rfind(|bar| bar.is_forward())?;
        Some(if last.end_state == BarEnd::Open {
            i64::MAX
        } else {
            last.end
        })
    }
}

/// Returns one lane per resource, in the order of their first events. A nested stack's own events
/// duplicate those of its resource in the parent, so they count only if that resource is unknown.
fn lanes(cell: &CellReport) -> Vec<TimelineLane<'_>> {
    let mut found: IndexMap<(&str, Option<&str>), Vec<usize>> = IndexMap::new();
    for (position, event) in cell.events.iter().enumerate() {
        let logical_id = (!event.is_of_stack()).then_some(&*event.logical_id);
        found
            .entry((&event.stack_id, logical_id))
            .or_default()
            .push(position);
    }
    let stands_for: HashMap<&str, (&str, Option<&str>)> = cell
        .stacks
        .iter()
        .filter_map(|stack| {
            Some((
                &*stack.stack_id,
                (stack.parent.as_deref()?, Some(stack.logical_id.as_deref()?)),
            ))
        })
        .filter(|(_, resource)| found.contains_key(resource))
        .collect();
    found.retain(|(stack_id, logical_id), _| {
        logical_id.is_some() || !stands_for.contains_key(stack_id)
    });
    let of_stack = |stack_id: &str| {
        found
            .get_index_of(stands_for.get(stack_id).unwrap_or(&(stack_id, None)))
            .filter(|_| !stack_id.is_empty())
    };
    let parents: Vec<Option<usize>> = found
        .keys()
        .map(|(stack_id, id)| id.and_then(|_| of_stack(stack_id)))
        .collect();
    let lane = |((stack_id, logical_id), events)| {
        let parent = None;
        let children = Vec::new();
        let bars = Vec::new();
        TimelineLane {
            stack_id,
            logical_id,
            events,
            parent,
            children,
            bars,
            critical: false,
        }
    };
    let mut lanes: Vec<TimelineLane> = found.into_iter().map(lane).collect();
    for (position, parent) in parents.into_iter().enumerate() {
        let Some(parent) = parent.filter(|parent| !is_within(&lanes, *parent, position)) else {
            continue;
        };
        lanes[position].parent = Some(parent);
        lanes[parent].children.push(position);
    }
    lanes
}

/// Returns whether `lane` is `outer` or inside of it. Recorded events may claim that a stack is
/// nested in itself.
fn is_within(lanes: &[TimelineLane], lane: usize, outer: usize) -> bool {
    let mut next = Some(lane);
    while let Some(at) = next {
        if at == outer {
            return true;
        }
        next = lanes[at].parent;
    }
    false
}

/// Converts the events of one resource, each with its time, to bars.
fn bars<'a>(events: impl Iterator<Item = (i64, &'a StackEvent)>, length: i64) -> Vec<TimelineBar> {
    let mut bars: Vec<TimelineBar> = Vec::new();
    for (at, event) in events {
        let Some((phase, end)) = read_status(event) else {
            continue;
        };
        match bars.last_mut() {
            Some(bar) if bar.end_state == BarEnd::Open && bar.phase == phase => {
                (bar.end, bar.end_state) = (at, end)
            }
            // A repeated end.
            Some(bar) if end != BarEnd::Open && (bar.phase, bar.end_state) == (phase, end) => {}
            last => {
                if let Some(bar) = last.filter(|bar| bar.end_state == BarEnd::Open) {
                    // A stack that is rolled back may never have had a status with FAILED.
                    let given_up = if phase == TimelinePhase::Rollback {
                        BarEnd::Failed
                    } else {
                        BarEnd::Cancelled
                    };
                    (bar.end, bar.end_state) = (at, given_up);
                }
                bars.push(TimelineBar {
                    phase,
                    begin: at,
                    end: at,
                    end_state: end,
                });
            }
        }
    }
    for bar in bars.iter_mut().filter(|bar| bar.end_state == BarEnd::Open) {
        bar.end = length;
    }
    bars
}

/// Returns the operation of a status and how it ended; `None` if the status names neither.
fn read_status(event: &StackEvent) -> Option<(TimelinePhase, BarEnd)> {
    let status = &event.status;
    let phase = match status.operation()? {
        Operation::Rollback => TimelinePhase::Rollback,
        Operation::Create | Operation::Import => TimelinePhase::Create,
        Operation::Update => TimelinePhase::Update,
        Operation::Delete => TimelinePhase::Delete,
    };
    let reason = event.reason.as_deref().unwrap_or_default().trim_start();
    let is_cancelled = reason.starts_with("Resource ") && reason.contains(" cancelled");
    let end = match status {
        _ if status.is_in_progress() => BarEnd::Open,
        _ if status.is_complete() => BarEnd::Complete,
        _ if status.is_skipped() || is_cancelled => BarEnd::Cancelled,
        _ if status.is_failed() => BarEnd::Failed,
        _ => return None,
    };
    Some((phase, end))
}

/// Walks back from what failed, or from what ended last, to what each had to wait for.
fn mark_critical(cell: &CellReport, lanes: &mut [TimelineLane]) {
    let mut next = end_of_path(cell, lanes);
    while let Some(at) = next {
        // Contradictory times must not cause an endless loop.
        if std::mem::replace(&mut lanes[at].critical, true) {
            break;
        }
        // A nested stack lasts until the last of its resources ends.
        next = last_ended(lanes, lanes[at].children.iter().copied())
            .or_else(|| waited_for(cell, lanes, at));
    }
    // The stack as a whole is on every path.
    lanes
        .iter_mut()
        .filter(|lane| lane.logical_id.is_none())
        .for_each(|lane| lane.critical = false);
}

/// Returns the resource of the root cause, else the cell's own resource that ended last.
fn end_of_path(cell: &CellReport, lanes: &[TimelineLane]) -> Option<usize> {
    let resources = || (0..lanes.len()).filter(|lane| lanes[*lane].logical_id.is_some());
    let is_cause = |lane: usize| {
        let cause = cell.root_cause.as_ref()?.event_id.as_deref()?;
        let mut events = lanes[lane]
            .events
            .iter()
            .filter_map(|position| cell.events.get(*position));
        events.any(|event| event.event_id == cause).then_some(())
    };
    let is_outermost = |lane: &usize| {
        lanes[*lane]
            .parent
            .is_none_or(|parent| lanes[parent].logical_id.is_none())
    };
    resources()
        .find(|lane| is_cause(*lane).is_some())
        .or_else(|| last_ended(lanes, resources().filter(is_outermost)))
}

fn last_ended(lanes: &[TimelineLane], among: impl Iterator<Item = usize>) -> Option<usize> {
    let ended =
        among.filter_map(|lane| Some((lanes[lane].end()?, Reverse(lanes[lane].begin()), lane)));
    ended
        .max_by_key(|(end, begin, _)| (*end, *begin))
        .map(|(_, _, lane)| lane)
}

/// Returns what `at` waited for: a resource of its own stack, or, for the first one in a nested
/// stack, what that stack waited for.
fn waited_for(cell: &CellReport, lanes: &mut [TimelineLane], at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        if let Some(found) = predecessor(cell, lanes, at) {
            return Some(found);
        }
        at = lanes[at].parent?;
        lanes[at].critical = true;
    }
}

/// Returns the last resource of the same stack that ended before `at` started: among its
/// dependencies in the template, or among all if the template isn't known.
fn predecessor(cell: &CellReport, lanes: &[TimelineLane], at: usize) -> Option<usize> {
    let lane = &lanes[at];
    let begin = lane.begin()?;
    let mut path = cell.path_of(lane.stack_id);
    path.push(lane.logical_id?);
    let needs = cell
        .sources
        .resource(&cell.template, &path)
        .map(|(_, resource)| &resource.depends_on);
    let is_needed =
        |id: Option<&str>| needs.is_none_or(|needs| needs.iter().any(|need| Some(&**need) == id));
    let siblings = (0..lanes.len()).filter(|it| *it != at && lanes[*it].stack_id == lane.stack_id);
    let before = siblings.filter(|it| {
        let sibling = &lanes[*it];
        sibling.logical_id.is_some()
            && is_needed(sibling.logical_id)
            && sibling.end().is_some_and(|end| end <= begin)
    });
    last_ended(lanes, before)
}

/// Adds the rows of a lane and of everything nested in it.
fn push_rows<'a>(
    cell: &'a CellReport,
    lanes: &[TimelineLane<'a>],
    outermost: usize,
    rows: &mut Vec<TimelineRow<'a>>,
) {
    let mut open = vec![(outermost, 0)];
    while let Some((position, depth)) = open.pop() {
        let lane = &lanes[position];
        let events = || {
            lane.events
                .iter()
                .filter_map(|at| Some((*at, cell.events.get(*at)?)))
        };
        let failed = events().find(|(_, event)| event.status.is_failed());
        if let Some((event, detail)) = failed.or_else(|| events().next_back()) {
            rows.push(TimelineRow {
                name: lane.logical_id.unwrap_or(&detail.stack_name),
                resource_type: lane.logical_id.map(|_| &*detail.resource_type),
                depth,
                bars: lane.bars.clone(),
                critical: lane.critical,
                event,
            });
        }
        open.extend(lane.children.iter().rev().map(|child| (*child, depth + 1)));
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::event::{
        CellId, EventKind, Outcome, PlannedCell, ResourceSource, RunEvent, RunStarted, RunTask,
        TemplateSource,
    };
    use crate::report::RunReport;

    const ROOT: &str = "arn:root";

    /// Parses one event per line: `second | stack | logical id | status [| reason]`. `stack` is the
    /// nested stack's path, `.` the cell's own; a line without logical ID is about the stack
    /// itself; a logical ID in brackets is a nested stack's.
    fn event((number, line): (usize, &str)) -> EventKind {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let stack_id = |path: &str| {
            if path == "." {
                ROOT.to_owned()
            } else {
                format!("{ROOT}/{path}")
            }
        };
        let second = fields[0];
        let path = fields[1];
        let logical = fields[2];
        let status = fields[3];
        let nested = logical.trim_matches(['[', ']']);
        let (logical_id, physical_id, kind) = match logical {
            "" => (
                "the-stack",
                Some(stack_id(path)),
                "AWS::CloudFormation::Stack",
            ),
            _ if nested != logical => {
                let path = if path == "." {
                    nested.to_owned()
                } else {
                    format!("{path}/{nested}")
                };
                (nested, Some(stack_id(&path)), "AWS::CloudFormation::Stack")
            }
            _ => (logical, None, "AWS::X::Y"),
        };
        let detail = StackEvent {
            event_id: number.to_string(),
            stack_id: stack_id(path),
            stack_name: path.into(),
            depth: if path == "." {
                0
            } else {
                path.split('/').count() as u32
            },
            timestamp: Timestamp::from_second(second.parse().unwrap()).unwrap(),
            logical_id: logical_id.into(),
            physical_id,
            resource_type: kind.into(),
            status: status.into(),
            reason: fields.get(4).map(|reason| (*reason).to_owned()),
        };
        EventKind::StackEvent { cell: id(), detail }
    }

    fn id() -> CellId {
        CellId {
            test: "t".into(),
            region: "r".into(),
        }
    }

    /// Parses `Logical: Needed Needed > template`, one resource per line.
    fn template(name: &str, text: &str) -> TemplateSource {
        let resource = |line: &str| {
            let (logical, rest) = line.split_once(':').unwrap();
            let (needs, template) = rest
                .split_once('>')
                .map_or((rest, None), |(needs, it)| (needs, Some(it)));
            let source = ResourceSource {
                depends_on: needs.split_whitespace().map(str::to_owned).collect(),
                template: template.map(|it| it.trim().to_owned()),
                ..ResourceSource::default()
            };
            (logical.trim().to_owned(), source)
        };
        let resources = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(resource)
            .collect();
        TemplateSource {
            template: name.into(),
            resources,
            ..TemplateSource::default()
        }
    }

    /// Formats the rows as text; `*` marks the critical path.
    fn rows(templates: Vec<TemplateSource>, lines: &str, outcome: Outcome) -> Vec<String> {
        let cell = PlannedCell {
            id: id(),
            stack_name: String::new(),
            template: "main".into(),
            account_id: String::new(),
            parameters: Vec::new(),
            update_from: None,
        };
        let mut kinds = vec![EventKind::RunStarted(RunStarted {
            run_id: String::new(),
            taskcat_version: String::new(),
            task: RunTask::Test,
            project: String::new(),
            endpoint: None,
            simulated: false,
            templates,
            cells: vec![cell],
        })];
        kinds.extend(
            lines
                .lines()
                .filter(|line| !line.trim().is_empty())
                .enumerate()
                .map(event),
        );
        kinds.push(EventKind::CellFinished {
            cell: id(),
            outcome,
            reason: None,
        });
        let stamp = |(seq, kind)| RunEvent {
            seq: seq as u64,
            at: Timestamp::UNIX_EPOCH,
            kind,
        };
        let events: Vec<RunEvent> = kinds.into_iter().enumerate().map(stamp).collect();
        let report = RunReport::from_events(&events);
        let row = |row: &TimelineRow| {
            let bar = |bar: &TimelineBar| {
                format!("{}-{} {}", bar.begin / 1000, bar.end / 1000, bar.words())
            };
            let bars = row.bars.iter().map(bar).collect::<Vec<_>>().join(", ");
            let indent = "  ".repeat(row.depth as usize);
            let mark = if row.critical { " *" } else { "" };
            format!("{indent}{}{mark} {bars}", row.name)
        };
        of_cell(&report.cells[0])
            .map(|it| it.rows.iter().map(row).collect())
            .unwrap_or_default()
    }

    #[test]
    fn operations_on_resources_become_bars() {
        let check = |lines: &str, expect: &[&str]| {
            assert_eq!(
                rows(Vec::new(), lines, Outcome::Interrupted),
                expect,
                "{lines}"
            );
        };
        check("", &[]);
        // Started twice, as CloudFormation reports it, and ended once; another has not ended and
        // waited for it.
        check(
            "0 | . |   | CREATE_IN_PROGRESS
             1 | . | A | CREATE_IN_PROGRESS
             2 | . | A | CREATE_IN_PROGRESS | Resource creation Initiated
             5 | . | A | CREATE_COMPLETE
             6 | . | B | CREATE_IN_PROGRESS
             9 | . | C | CREATE_COMPLETE",
            &[
                ". 0-9 creation not ended",
                "  A * 1-5 created",
                "  B * 6-9 creation not ended",
                "  C 9-9 created",
            ],
        );
        // A failure, what it caused, and the rollback.
        check(
            "0 | . |   | CREATE_IN_PROGRESS
             1 | . | A | CREATE_IN_PROGRESS
             1 | . | B | CREATE_IN_PROGRESS
             1 | . | C | CREATE_IN_PROGRESS
             2 | . | C | CREATE_COMPLETE
             4 | . | A | CREATE_FAILED | name is taken
             5 | . | B | CREATE_FAILED | Resource creation cancelled
             5 | . | B | CREATE_FAILED | Resource creation cancelled
             6 | . |   | ROLLBACK_IN_PROGRESS | The following resource(s) failed to create: [A].
             7 | . | C | DELETE_IN_PROGRESS
             8 | . | C | DELETE_FAILED
             9 | . |   | ROLLBACK_FAILED",
            &[
                ". 0-6 creation failed, 6-9 rollback failed",
                "  A * 1-4 creation failed",
                "  B 1-5 creation cancelled",
                "  C 1-2 created, 7-8 deletion failed",
            ],
        );
        // An update; a review isn't a start; a retained resource is skipped.
        check(
            "0 | . |   | REVIEW_IN_PROGRESS
             1 | . |   | UPDATE_IN_PROGRESS
             2 | . | A | UPDATE_IN_PROGRESS
             3 | . | A | UPDATE_COMPLETE
             4 | . |   | UPDATE_COMPLETE_CLEANUP_IN_PROGRESS
             5 | . | B | DELETE_SKIPPED
             6 | . |   | UPDATE_COMPLETE",
            &[
                ". 1-6 updated",
                "  A * 2-3 updated",
                "  B 5-5 deletion skipped",
            ],
        );
    }

    #[test]
    fn nested_stacks_are_below_their_own_rows() {
        let lines = "0 | . |     | CREATE_IN_PROGRESS
             1 | .   | [A] | CREATE_IN_PROGRESS
             1 | .   | Z   | CREATE_IN_PROGRESS
             2 | A   |     | CREATE_IN_PROGRESS
             3 | A   | [B] | CREATE_IN_PROGRESS
             4 | A/B |     | CREATE_IN_PROGRESS
             5 | A/B | R   | CREATE_IN_PROGRESS
             6 | A/B | R   | CREATE_COMPLETE
             7 | A/B |     | CREATE_COMPLETE
             8 | A   | [B] | CREATE_COMPLETE
             9 | A   |     | CREATE_COMPLETE
            10 | .   | [A] | CREATE_COMPLETE
            11 | .   | Z   | CREATE_COMPLETE
            11 | .   |     | CREATE_COMPLETE";
        let expect = [
            ". 0-11 created",
            "  A 1-10 created",
            "    B 3-8 created",
            "      R 5-6 created",
            "  Z * 1-11 created",
        ];
        assert_eq!(rows(Vec::new(), lines, Outcome::Passed), expect);
        // If the parent is unknown, a stack's own events are its row.
        let alone: String = lines
            .lines()
            .filter(|line| line.contains("A/B"))
            .map(|it| format!("{it}\n"))
            .collect();
        assert_eq!(
            rows(Vec::new(), &alone, Outcome::Passed),
            ["A/B 0-3 created", "  R * 1-2 created"]
        );
        // Stacks that claim to be nested in each other.
        let circle = "0 | A | [A/B] | CREATE_IN_PROGRESS\n 1 | A/A/B | A | CREATE_COMPLETE\n 2 | A \
            | [A] | CREATE_COMPLETE";
        assert_eq!(rows(Vec::new(), circle, Outcome::Passed).len(), 3);
    }

    #[test]
    fn the_critical_path() {
        const LINES: &str = "0 | .   |       | CREATE_IN_PROGRESS
             1 | .   | Slow  | CREATE_IN_PROGRESS
             1 | .   | Fast  | CREATE_IN_PROGRESS
             2 | .   | Fast  | CREATE_COMPLETE
             3 | .   | [Net] | CREATE_IN_PROGRESS
             4 | Net | First | CREATE_IN_PROGRESS
             5 | Net | First | CREATE_COMPLETE
             5 | Net | Other | CREATE_IN_PROGRESS
             6 | Net | Last  | CREATE_IN_PROGRESS
             7 | Net | Other | CREATE_COMPLETE
             9 | Net | Last  | CREATE_COMPLETE
            10 | .   | [Net] | CREATE_COMPLETE
            10 | .   | Slow  | CREATE_COMPLETE
            11 | .   | End   | CREATE_IN_PROGRESS
            12 | .   | End   | CREATE_COMPLETE
            12 | .   |       | CREATE_COMPLETE";
        let check =
            |templates: Vec<TemplateSource>, lines: &str, outcome: Outcome, expect: &str| {
                let rows = rows(templates, lines, outcome);
                let critical = rows.iter().filter(|row| row.contains(" * "));
                let names: Vec<&str> = critical
                    .map(|row| row.trim_start().split(' ').next().unwrap())
                    .collect();
                assert_eq!(names.join(" "), expect, "{rows:#?}");
            };
        let main = |text: &str| {
            vec![
                template("main", text),
                template("net", "First:\nOther:\nLast: First"),
            ]
        };
        // Along the template's dependencies, into the nested stack and out at its start.
        let needs = "Slow:\nFast:\nNet: Fast > net\nEnd: Net";
        check(
            main(needs),
            LINES,
            Outcome::Passed,
            "Fast Net First Last End",
        );
        check(
            main("Slow:\nFast:\nNet: > net\nEnd: Net Fast"),
            LINES,
            Outcome::Passed,
            "Net First Last End",
        );
        check(
            main("Slow:\nFast:\nNet: > net\nEnd:"),
            LINES,
            Outcome::Passed,
            "End",
        );
        check(
            main("Slow:\nFast:\nNet: > net\nEnd: Slow"),
            LINES,
            Outcome::Passed,
            "Slow End",
        );
        // By time alone: of two that ended at once, the one that took longer.
        check(Vec::new(), LINES, Outcome::Passed, "Slow End");
        check(
            Vec::new(),
            &LINES.replace("10 | .   | Slow", "7 | .   | Slow"),
            Outcome::Passed,
            "Fast Net First Last End",
        );
        // To the root cause and no further, although others ended later.
        let failed = LINES.replace(
            "9 | Net | Last  | CREATE_COMPLETE",
            "9 | Net | Last | CREATE_FAILED | no",
        );
        let failed = failed.replace(
            "12 | .   |       | CREATE_COMPLETE",
            "12 | . | | ROLLBACK_IN_PROGRESS",
        );
        check(main(needs), &failed, Outcome::Failed, "Fast Net First Last");
        // What has not ended makes all others wait.
        let stopped: Vec<&str> = LINES
            .lines()
            .filter(|line| !line.contains("Slow  | CREATE_COMPLETE"))
            .collect();
        check(
            main(needs),
            &stopped.join("\n"),
            Outcome::Interrupted,
            "Slow",
        );
    }
}
