//! Prepares a cell's timeline for the page: times in words, bars in percent of the total.
//!
//! `timeline` determines what happened when. The words are sufficient without the bars, which are
//! empty elements for screen readers.

use serde::Serialize;

use super::super::text;
use super::super::timeline::{BarEnd, Timeline, TimelineBar, TimelinePhase, TimelineRow};

/// The data for the template.
#[derive(Serialize)]
pub(super) struct Chart<'a> {
    length: String,
    ticks: Vec<Tick>,
    /// The distance between ticks, in percent.
    step: String,
    /// Whether a row is on the critical path; otherwise the legend needs no symbol for it.
    has_critical: bool,
    resources: usize,
    rows: Vec<ChartRow<'a>>,
}

#[derive(Serialize)]
struct Tick {
    left: String,
    text: String,
}

#[derive(Serialize)]
struct ChartRow<'a> {
    name: &'a str,
    /// The resource's type; absent for a whole stack.
    kind: Option<&'a str>,
    indent: u32,
    /// The index of the row's most significant event.
    event: usize,
    critical: bool,
    began: String,
    took: String,
    course: String,
    /// The class that determines symbol and color.
    mark: &'static str,
    bars: Vec<ChartBar>,
}

#[derive(Serialize)]
struct ChartBar {
    class: String,
    left: String,
    width: String,
}

impl<'a> Chart<'a> {
    pub(super) fn new(timeline: &Timeline<'a>) -> Self {
        let length = timeline.length.max(1);
        let step = step(length);
        // The last tick's label must not extend beyond the chart.
        let ticks = (0..)
            .map(|count| count * step)
            .take_while(|at| at * 10 <= length * 9);
        Self {
            length: duration(timeline.length),
            ticks: ticks
                .map(|at| Tick {
                    left: percent(at, length),
                    text: duration(at),
                })
                .collect(),
            step: percent(step, length),
            has_critical: timeline.rows.iter().any(|row| row.critical),
            resources: timeline
                .rows
                .iter()
                .filter(|row| row.resource_type.is_some())
                .count(),
            rows: timeline
                .rows
                .iter()
                .map(|row| ChartRow::new(row, length))
                .collect(),
        }
    }
}

impl<'a> ChartRow<'a> {
    fn new(row: &TimelineRow<'a>, length: i64) -> Self {
        let first = row.bars.first();
        let took = |bar: &TimelineBar| match bar.end_state {
            BarEnd::Open => format!("over {}", duration(bar.length())),
            _ => duration(bar.length()),
        };
        let later = |bar: &TimelineBar| match bar.length() {
            0 => bar.words().to_owned(),
            length => format!("{} in {}", bar.words(), duration(length)),
        };
        let words = first
            .map(|bar| bar.words().to_owned())
            .into_iter()
            .chain(row.bars.iter().skip(1).map(later));
        Self {
            name: row.name,
            kind: row.resource_type,
            indent: row.depth.min(6),
            event: row.event + 1,
            critical: row.critical,
            began: first.map(|bar| duration(bar.begin)).unwrap_or_default(),
            took: first.map(took).unwrap_or_default(),
            course: words.collect::<Vec<_>>().join(", "),
            mark: mark(&row.bars),
            bars: row
                .bars
                .iter()
                .map(|bar| ChartBar::new(bar, length))
                .collect(),
        }
    }
}

impl ChartBar {
    fn new(bar: &TimelineBar, length: i64) -> Self {
        let phase = match bar.phase {
            TimelinePhase::Create => "create",
            TimelinePhase::Update => "update",
            TimelinePhase::Rollback => "rollback",
            TimelinePhase::Delete => "delete",
        };
        let end = match bar.end_state {
            BarEnd::Complete => "",
            BarEnd::Failed => " ill",
            BarEnd::Cancelled => " cut",
            BarEnd::Open => " open",
        };
        let left = percent(bar.begin, length);
        let width = percent(bar.length(), length);
        Self {
            class: format!("{phase}{end}"),
            left,
            width,
        }
    }
}

/// Returns a row's symbol and color: those of its worst bar.
fn mark(bars: &[TimelineBar]) -> &'static str {
    let any = |end: BarEnd| bars.iter().any(|bar| bar.end_state == end);
    match () {
        () if any(BarEnd::Failed) => "failed",
        () if any(BarEnd::Open) => "unfinished",
        () if any(BarEnd::Cancelled) || bars.is_empty() => "quiet",
        () => "passed",
    }
}

/// Returns a round distance between ticks, so that there are at most six.
fn step(length: i64) -> i64 {
    const SECOND: i64 = 1000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    let finest = [
        1,
        2,
        5,
        10,
        20,
        50,
        100,
        200,
        500,
        SECOND,
        2 * SECOND,
        5 * SECOND,
        10 * SECOND,
        30 * SECOND,
    ];
    let coarse = [
        MINUTE,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        20 * MINUTE,
        30 * MINUTE,
        HOUR,
        2 * HOUR,
        6 * HOUR,
    ];
    finest
        .into_iter()
        .chain(coarse)
        .find(|step| length / step < 6)
        .unwrap_or(length / 5)
}

/// Formats like `text::duration`, but with milliseconds if necessary: the simulator's resources are
/// fast.
fn duration(milliseconds: i64) -> String {
    match milliseconds {
        0 => "0s".to_owned(),
        1..1000 => format!("{milliseconds}ms"),
        1000..10_000 if milliseconds % 1000 >= 50 => {
            format!("{:.1}s", milliseconds as f64 / 1000.0)
        }
        _ => text::duration(milliseconds as f64 / 1000.0),
    }
}

fn percent(part: i64, whole: i64) -> String {
    let text = format!("{:.2}", part as f64 * 100.0 / whole as f64);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_steps_as_people_read_them() {
        let check = |milliseconds: i64, expect: &str| assert_eq!(duration(milliseconds), expect);
        check(0, "0s");
        check(4, "4ms");
        check(1000, "1s");
        check(1020, "1s");
        check(1200, "1.2s");
        check(12_400, "12s");
        check(125_000, "2m 05s");
        let check = |length: i64, expect: i64| assert_eq!(step(length), expect, "{length}");
        check(1, 1);
        check(209, 50);
        check(11_999, 2000);
        check(12_000, 5000);
        check(25 * 60_000, 5 * 60_000);
        check(90 * 3_600_000, 64_800_000);
        assert_eq!(
            (percent(1, 3), percent(1, 1), percent(0, 7)),
            ("33.33%".into(), "100%".into(), "0%".into())
        );
    }

    #[test]
    fn a_row_describes_its_bars_in_words() {
        let bar = |phase, begin, end, end_state| TimelineBar {
            phase,
            begin,
            end,
            end_state,
        };
        let check = |bars: Vec<TimelineBar>, expect: [&str; 4]| {
            let row = TimelineRow {
                name: "A",
                resource_type: Some("T"),
                depth: 9,
                bars,
                critical: false,
                event: 4,
            };
            let row = ChartRow::new(&row, 100_000);
            assert_eq!([row.mark, &row.began, &row.took, &row.course], expect);
            assert_eq!((row.event, row.indent), (5, 6));
        };
        check(
            vec![
                bar(TimelinePhase::Create, 1000, 3000, BarEnd::Complete),
                bar(TimelinePhase::Delete, 60_000, 65_000, BarEnd::Complete),
            ],
            ["passed", "1s", "2s", "created, deleted in 5s"],
        );
        check(
            vec![bar(TimelinePhase::Create, 0, 3000, BarEnd::Failed)],
            ["failed", "0s", "3s", "creation failed"],
        );
        check(
            vec![bar(TimelinePhase::Create, 0, 100_000, BarEnd::Open)],
            ["unfinished", "0s", "over 1m 40s", "creation not ended"],
        );
        check(Vec::new(), ["quiet", "", "", ""]);
    }
}
