//! Formats a forecast as text: the matrix, failures with their reasons, assumptions, what is
//! undecided, and a summary.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal};

use anstyle::{AnsiColor, Style};
use console::Term;
use indexmap::{IndexMap, IndexSet};

use super::super::output;
use crate::diagnostic::Location;
use crate::plan::forecast::{Forecast, ForecastCell, ForecastVerdict, VerdictCounts};
use crate::template::{Failure, FailureNote, NestingStack};

/// Width in columns without a terminal.
const WIDTH: usize = 100;

/// Minimum width in columns.
const NARROWEST: usize = 40;

/// Returns the whole text with colors. `all_regions`: not every cell is configured.
pub(super) fn text(forecast: &Forecast, all_regions: bool) -> String {
    let width = if io::stdout().is_terminal() {
        usize::from(Term::stdout().size().1).max(NARROWEST)
    } else {
        WIDTH
    };
    let tests = CellsByTest::of(forecast);
    let mut text = match tests.matrix(width) {
        Some(matrix) if !all_regions => matrix,
        _ => tests.lists(width, all_regions),
    };
    for fault in faults(forecast) {
        _ = write!(
            text,
            "\n{}\n",
            output::failure(fault.failure, &[fault.cells.to_string()])
        );
    }
    text.push_str(&assumptions(forecast));
    text.push_str(&undecided(forecast));
    _ = writeln!(text, "\n{}", summary(forecast, all_regions));
    text
}

fn word(verdict: ForecastVerdict) -> &'static str {
    match verdict {
        ForecastVerdict::WouldLaunch => "ok",
        ForecastVerdict::WouldLaunchIf => "ok if",
        ForecastVerdict::WouldFail => "FAIL",
        ForecastVerdict::Undecided => "undecided",
    }
}

/// Length of the longest word.
const WORD: usize = "undecided".len();

fn style(verdict: ForecastVerdict) -> Style {
    match verdict {
        ForecastVerdict::WouldLaunch | ForecastVerdict::WouldLaunchIf => {
            AnsiColor::Green.on_default()
        }
        ForecastVerdict::WouldFail => AnsiColor::Red.on_default().bold(),
        ForecastVerdict::Undecided => AnsiColor::Yellow.on_default(),
    }
}

/// Cells by test.
struct CellsByTest<'a>(IndexMap<&'a str, Vec<&'a ForecastCell>>);

impl<'a> CellsByTest<'a> {
    fn of(forecast: &'a Forecast) -> Self {
        let mut tests = IndexMap::<_, Vec<_>>::new();
        for cell in &forecast.cells {
            tests.entry(cell.test.as_str()).or_default().push(cell);
        }
        Self(tests)
    }

    /// Returns a table with a row per test and a column per region; `None` if it is too wide.
    fn matrix(&self, width: usize) -> Option<String> {
        let regions: IndexSet<&str> = self
            .0
            .values()
            .flatten()
            .map(|cell| cell.region.as_str())
            .collect();
        let first = self
            .0
            .keys()
            .map(|name| name.chars().count())
            .max()
            .unwrap_or_default();
        let column = |region: &str| region.len().max(WORD);
        if first
            + regions
                .iter()
                .map(|region| 2 + column(region))
                .sum::<usize>()
            > width
        {
            return None;
        }
        let mut text = " ".repeat(first);
        regions
            .iter()
            .for_each(|region| _ = write!(text, "  {region:0$}", column(region)));
        text = text.trim_end().to_owned() + "\n";
        for (name, cells) in &self.0 {
            let mut row = format!("{name:first$}");
            for region in &regions {
                let cell = cells.iter().find(|cell| cell.region == *region);
                let (word, style) = cell.map_or(("-", Style::new()), |cell| {
                    (word(cell.verdict()), style(cell.verdict()))
                });
                let padding = " ".repeat(column(region).saturating_sub(word.len()));
                _ = write!(row, "  {style}{word}{style:#}{padding}");
            }
            text.push_str(row.trim_end());
            text.push('\n');
        }
        Some(text)
    }

    /// Returns the regions of each test by verdict; configured ones are marked if not all are.
    fn lists(&self, width: usize, mark: bool) -> String {
        let mut text = String::new();
        for (name, cells) in &self.0 {
            _ = writeln!(text, "{name}");
            for verdict in [
                ForecastVerdict::WouldLaunch,
                ForecastVerdict::WouldLaunchIf,
                ForecastVerdict::WouldFail,
                ForecastVerdict::Undecided,
            ] {
                let cells = cells.iter().filter(|cell| cell.verdict() == verdict);
                let regions = cells.map(|cell| {
                    if cell.is_declared && mark {
                        format!("{}*", cell.region)
                    } else {
                        cell.region.clone()
                    }
                });
                let regions: Vec<String> = regions.collect();
                if regions.is_empty() {
                    continue;
                }
                let word = word(verdict);
                let style = style(verdict);
                let head = format!("  {style}{word:WORD$}{style:#}  ");
                text.push_str(&wrapped(&head, WORD + 4, &regions, width));
            }
        }
        if mark {
            text.push_str("* declared\n");
        }
        text
    }
}

/// Wraps words to the width, after a head of `indent` columns.
fn wrapped(head: &str, indent: usize, words: &[String], width: usize) -> String {
    let mut text = head.to_owned();
    let mut column = indent;
    for (index, word) in words.iter().enumerate() {
        if index > 0 && column + 1 + word.len() > width {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text + "\n"
}

/// A failure that several cells share, at most with a different region name.
struct SharedFailure<'a> {
    /// The failure in the first cell.
    failure: &'a Failure,
    cells: RegionsByTest<'a>,
}

fn faults(forecast: &Forecast) -> Vec<SharedFailure<'_>> {
    type FailureKey<'a> = (String, &'a Location, &'a [NestingStack], &'a [FailureNote]);
    let mut faults: IndexMap<FailureKey, SharedFailure> = IndexMap::new();
    for cell in &forecast.cells {
        for failure in &cell.failures {
            let message = anywhere(&failure.message, &cell.region);
            let key = (message, &failure.at, &*failure.nested_in, &*failure.notes);
            let fault = faults.entry(key).or_insert_with(|| SharedFailure {
                failure,
                cells: RegionsByTest::default(),
            });
            fault.cells.add(cell);
        }
    }
    faults.into_values().collect()
}

/// Something that isn't known, with the cells that depend on it.
#[derive(Default)]
struct SharedUnknown<'a> {
    /// Variants that differ only in the region's name.
    variants: IndexSet<&'a str>,
    parameters: IndexSet<&'a str>,
    /// The failures that depend on it.
    failures: IndexSet<String>,
    cells: RegionsByTest<'a>,
}

/// Number of dependent failures to show.
const SHOWN: usize = 3;

/// Returns what must hold for the cells that would launch then.
fn assumptions(forecast: &Forecast) -> String {
    let mut unknowns: IndexMap<String, SharedUnknown> = IndexMap::new();
    let cells = forecast.cells.iter();
    for cell in cells.filter(|cell| cell.verdict() == ForecastVerdict::WouldLaunchIf) {
        for it in cell.notable_assumptions() {
            let unknown = unknowns
                .entry(anywhere(&it.text, &cell.region))
                .or_default();
            unknown.variants.insert(&it.text);
            let parameters = it.parameters.iter().map(String::as_str);
            unknown.parameters.extend(parameters);
            unknown.cells.add(cell);
        }
    }
    section("would launch if", &unknowns)
}

/// Returns what the undecided cells depend on, with their failures.
fn undecided(forecast: &Forecast) -> String {
    let mut unknowns: IndexMap<String, SharedUnknown> = IndexMap::new();
    let cells = forecast.cells.iter();
    for cell in cells.filter(|cell| cell.verdict() == ForecastVerdict::Undecided) {
        for it in cell.possible.iter().filter(|it| it.is_certain_in_branch) {
            for what in &it.depends_on {
                let unknown = unknowns.entry(anywhere(what, &cell.region)).or_default();
                unknown.variants.insert(what);
                unknown.cells.add(cell);
                let at = output::near_place(&it.failure.at);
                unknown
                    .failures
                    .insert(format!("{at}: {}", it.failure.message));
            }
        }
    }
    section("undecided, depends on", &unknowns)
}

fn section(title: &str, unknowns: &IndexMap<String, SharedUnknown>) -> String {
    let mut text = String::new();
    if !unknowns.is_empty() {
        _ = writeln!(text, "\n{title}");
    }
    for unknown in unknowns.values() {
        let what = unknown.variants.first().copied().unwrap_or_default();
        let likewise = if unknown.variants.len() > 1 {
            ", likewise elsewhere"
        } else {
            ""
        };
        let parameters: Vec<&str> = unknown.parameters.iter().copied().collect();
        let parameters = match parameters.as_slice() {
            [] => String::new(),
            [one] => format!(", for parameter {one}"),
            more => format!(", for parameters {}", more.join(", ")),
        };
        _ = writeln!(text, "  {what}{likewise}{parameters}");
        _ = writeln!(text, "      {}", unknown.cells);
        for failure in unknown.failures.iter().take(SHOWN) {
            _ = writeln!(text, "      {failure}");
        }
        if unknown.failures.len() > SHOWN {
            _ = writeln!(text, "      and {} more", unknown.failures.len() - SHOWN);
        }
    }
    text
}

/// Replaces a region's name in a text.
fn anywhere(text: &str, region: &str) -> String {
    text.replace(region, "\0")
}

/// Regions by test.
#[derive(Default)]
struct RegionsByTest<'a>(IndexMap<&'a str, IndexSet<&'a str>>);

impl<'a> RegionsByTest<'a> {
    fn add(&mut self, cell: &'a ForecastCell) {
        self.0.entry(&cell.test).or_default().insert(&cell.region);
    }
}

/// Formats as `test one in us-east-1; tests two, three in 12 regions`.
impl fmt::Display for RegionsByTest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LISTED: usize = 4;
        let mut tests: IndexMap<Vec<&str>, Vec<&str>> = IndexMap::new();
        for (test, regions) in &self.0 {
            tests
                .entry(regions.iter().copied().collect())
                .or_default()
                .push(test);
        }
        for (index, (regions, tests)) in tests.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let tests_are = if tests.len() == 1 { "test" } else { "tests" };
            write!(f, "{separator}{tests_are} {} in ", tests.join(", "))?;
            if regions.len() > LISTED {
                write!(f, "{} regions", regions.len())?;
            } else {
                f.write_str(&regions.join(", "))?;
            }
        }
        Ok(())
    }
}

fn summary(forecast: &Forecast, all_regions: bool) -> String {
    let all = told(VerdictCounts::of(&forecast.cells));
    if !all_regions {
        return all;
    }
    let declared = told(VerdictCounts::of(
        forecast.cells.iter().filter(|cell| cell.is_declared),
    ));
    format!("{all}\nin declared regions: {declared}")
}

/// Returns `6 tests × regions: 4 would launch, 1 would fail, 1 undecided`.
fn told(summary: VerdictCounts) -> String {
    let VerdictCounts {
        cells,
        would_launch,
        would_launch_if,
        would_fail,
        undecided,
    } = summary;
    let parts = [
        (would_launch, "would launch"),
        (would_launch_if, "would launch if these assumptions hold"),
        (would_fail, "would fail"),
        (undecided, "undecided"),
    ];
    let parts = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"));
    let parts = parts.collect::<Vec<_>>().join(", ");
    match cells {
        0 => "nothing to plan".to_owned(),
        1 => format!("1 test × region: {parts}"),
        _ => format!("{cells} tests × regions: {parts}"),
    }
}
