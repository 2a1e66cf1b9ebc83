//! Estimates how long the tests will still take, from the duration of the same cells in the
//! previous run, or else of other cells of the same test in this one.
//!
//! The estimate is for the time until the last verdict, without later deletions. There is none
//! without a basis, and a cell that takes longer than expected is ignored.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

use super::super::model::{CellReport, CellState, RunReport};
use super::progress::CellPhase;
use crate::event::CellId;
use crate::input;

/// Number of seconds below which no estimate is shown.
const WORTH_IT: f64 = 5.0;

/// Durations of the cells that passed in an earlier run.
#[derive(Clone, Debug, Default)]
pub struct PreviousRun {
    simulated: bool,
    seconds: HashMap<CellId, f64>,
}

/// The parts of a `report.json` that are used.
#[derive(Deserialize)]
struct PreviousReport {
    #[serde(default)]
    simulated: bool,
    cells: Vec<PreviousCell>,
}

#[derive(Deserialize)]
struct PreviousCell {
    #[serde(flatten)]
    id: CellId,
    state: String,
    duration_seconds: Option<f64>,
}

impl PreviousRun {
    /// Reads the `report.json` in a folder. A missing or unreadable one results in no estimates.
    pub fn read(folder: &Path) -> Self {
        let bytes = input::read(&folder.join("report.json"), input::RECORD).unwrap_or_default();
        let Ok(report) = serde_json::from_slice::<PreviousReport>(&bytes) else {
            return Self::default();
        };
        let passed = report
            .cells
            .into_iter()
            .filter(|cell| cell.state == "passed");
        let seconds = passed
            .filter_map(|cell| Some((cell.id, cell.duration_seconds?)))
            .collect();
        Self {
            simulated: report.simulated,
            seconds,
        }
    }

    /// Returns the seconds until the last verdict, if they can be estimated and are worth showing.
    pub fn left(
        &self,
        report: &RunReport,
        phases: impl Fn(&CellId) -> CellPhase,
        now: Timestamp,
    ) -> Option<f64> {
        let of_tests = means(report);
        let expected = |cell: &CellReport| {
            // A simulation's durations aren't comparable with AWS's.
            let before = self
                .seconds
                .get(&cell.id)
                .filter(|_| self.simulated == report.simulated);
            before.or_else(|| of_tests.get(&*cell.id.test)).copied()
        };
        let mut longest = 0.0_f64;
        let mut sum = 0.0;
        let mut waiting = 0;
        let mut places = 0;
        for cell in &report.cells {
            match cell.state {
                CellState::Running => {
                    places += 1;
                    let so_far = cell
                        .started_at
                        .map_or(0, |at| (now.as_millisecond() - at.as_millisecond()).max(0));
                    let rest = (expected(cell)? - so_far as f64 / 1000.0).max(0.0);
                    (longest, sum) = (longest.max(rest), sum + rest);
                }
                CellState::Waiting => {
                    let rest = expected(cell)?;
                    waiting += 1;
                    (longest, sum) = (longest.max(rest), sum + rest);
                }
                // A stack counts as concurrent until it is deleted.
                _ => places += usize::from(phases(&cell.id) == CellPhase::Deleting),
            }
        }
        if places == 0 || longest < WORTH_IT {
            return None;
        }
        // Waiting cells take the places of active ones, one after the other.
        let in_turn = if waiting > 0 {
            sum / places as f64
        } else {
            0.0
        };
        Some(longest.max(in_turn))
    }
}

/// Returns the average duration of the cells that passed, by test.
fn means(report: &RunReport) -> HashMap<&str, f64> {
    let mut sums: HashMap<&str, (f64, f64)> = HashMap::new();
    let passed = report
        .cells
        .iter()
        .filter(|cell| cell.state == CellState::Passed);
    for (test, seconds) in passed.filter_map(|cell| Some((&*cell.id.test, cell.duration_seconds?)))
    {
        let (sum, count) = sums.entry(test).or_default();
        (*sum, *count) = (*sum + seconds, *count + 1.0);
    }
    sums.into_iter()
        .map(|(test, (sum, count))| (test, sum / count))
        .collect()
}

/// Returns `about 3m left`, no more precise than the estimate.
pub(super) fn about(seconds: f64) -> String {
    let tens = (seconds / 10.0).ceil() as u64 * 10;
    let minutes = (seconds / 60.0).round() as u64;
    match minutes {
        _ if tens < 60 => format!("about {tens}s left"),
        0..=1 => "about 1m left".to_owned(),
        2..60 => format!("about {minutes}m left"),
        _ => format!("about {}h {:02}m left", minutes / 60, minutes % 60 / 5 * 5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::fixture;

    fn previous(cells: &[(&str, &str, f64)]) -> PreviousRun {
        let id = |test: &str, region: &str| CellId {
            test: test.into(),
            region: region.into(),
        };
        let seconds = cells
            .iter()
            .map(|(test, region, seconds)| (id(test, region), *seconds))
            .collect();
        PreviousRun {
            simulated: false,
            seconds,
        }
    }

    /// Returns the estimate `second` seconds into a recorded run, whose six cells start in its
    /// fifth second.
    fn left(previous: &PreviousRun, second: i64) -> Option<f64> {
        let events = fixture("passing");
        let now = events[0].at + jiff::SignedDuration::from_secs(second);
        let mut report = RunReport::default();
        events
            .iter()
            .take_while(|event| event.at <= now)
            .for_each(|event| report.apply(event));
        previous
            .left(&report, |_| CellPhase::Creating, now)
            .map(f64::round)
    }

    const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

    fn all(vpc: f64, app: f64) -> Vec<(&'static str, &'static str, f64)> {
        REGIONS
            .iter()
            .flat_map(|region| [("vpc", *region, vpc), ("app", *region, app)])
            .collect()
    }

    #[test]
    fn the_longest_active_cell_counts() {
        let begun = left(&previous(&all(100.0, 200.0)), 30).unwrap();
        assert_eq!(left(&previous(&all(100.0, 200.0)), 40), Some(begun - 10.0));
        assert!((170.0..180.0).contains(&begun), "{begun}");
        // A cell that exceeds its estimate says nothing about the others; if all do, there is no
        // estimate.
        assert_eq!(left(&previous(&all(1.0, 200.0)), 30), Some(begun));
        assert_eq!(left(&previous(&all(1.0, 1.0)), 30), None);
    }

    #[test]
    fn without_a_basis_there_is_no_estimate() {
        assert_eq!(left(&PreviousRun::default(), 30), None);
        // A cell without a basis may take any time.
        assert_eq!(left(&previous(&all(100.0, 200.0)[1..]), 30), None);
        // Durations in a simulation say nothing about AWS.
        assert_eq!(
            left(
                &PreviousRun {
                    simulated: true,
                    ..previous(&all(100.0, 200.0))
                },
                30
            ),
            None
        );
        // Nothing has started, or everything has finished.
        assert_eq!(left(&previous(&all(100.0, 200.0)), 0), None);
        assert_eq!(left(&previous(&all(100.0, 200.0)), 10_000), None);
    }

    #[test]
    fn a_test_that_passed_elsewhere_is_a_basis() {
        let mut report = RunReport::from_events(&fixture("passing"));
        let waiting = report
            .cells
            .iter_mut()
            .find(|cell| &*cell.id.test == "app")
            .unwrap();
        let id = waiting.id.clone();
        (waiting.state, waiting.duration_seconds) = (CellState::Waiting, None);
        let now = report.started_at.unwrap();
        let of_others = report
            .cells
            .iter()
            .filter(|cell| &*cell.id.test == "app" && cell.id != id);
        let others: Vec<f64> = of_others.filter_map(|cell| cell.duration_seconds).collect();
        let expect = others.iter().sum::<f64>() / others.len() as f64;
        // It waits until a stack that is being deleted is gone.
        let left = PreviousRun::default()
            .left(&report, |_| CellPhase::Deleting, now)
            .unwrap();
        assert!((left - expect).abs() < 0.001, "{left} {expect}");
    }

    #[test]
    fn waiting_cells_take_turns() {
        let mut report = RunReport::from_events(&fixture("passing"));
        let now = report.started_at.unwrap();
        for (index, cell) in report.cells.iter_mut().enumerate() {
            cell.state = if index < 2 {
                CellState::Running
            } else {
                CellState::Waiting
            };
            cell.started_at = Some(now);
        }
        // Six cells of a hundred seconds, two at a time.
        assert_eq!(
            previous(&all(100.0, 100.0)).left(&report, |_| CellPhase::Creating, now),
            Some(300.0)
        );
    }

    #[test]
    fn durations_are_read_from_a_report() {
        let folder = tempfile::tempdir().unwrap();
        assert!(PreviousRun::read(folder.path()).seconds.is_empty());
        for text in ["", "{}", "[1]", "{\"cells\": [{}]}"] {
            std::fs::write(folder.path().join("report.json"), text).unwrap();
            assert!(
                PreviousRun::read(folder.path()).seconds.is_empty(),
                "{text}"
            );
        }
        crate::report::write(
            &RunReport::from_events(&fixture("one-failed")),
            folder.path(),
        )
        .unwrap();
        let previous = PreviousRun::read(folder.path());
        assert_eq!(previous.seconds.len(), 5, "one failed: {previous:?}");
        assert_eq!(
            previous.seconds[&CellId {
                test: "vpc".into(),
                region: "us-east-1".into()
            }]
                .round(),
            97.0
        );
    }

    #[test]
    fn estimates_are_rounded() {
        let check = |seconds: f64, expect: &str| assert_eq!(about(seconds), expect);
        check(0.5, "about 10s left");
        check(41.0, "about 50s left");
        check(50.0, "about 50s left");
        check(51.0, "about 1m left");
        check(89.0, "about 1m left");
        check(91.0, "about 2m left");
        check(185.0, "about 3m left");
        check(3599.0, "about 1h 00m left");
        check(4500.0, "about 1h 15m left");
    }
}
