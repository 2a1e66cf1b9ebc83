//! Finds tests that failed for the same cause, so that a report can show it once.

use std::sync::LazyLock;

use regex::Regex;

use super::model::CellReport;

/// Tests that failed for the same cause, in the report's order.
pub type SharedCause<'r> = Vec<&'r CellReport>;

/// What differs in a reason from one test to the other: IDs of requests and of resources.
static IDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{8,}\b").ok()
});

/// Groups tests by the cause of their failure, in the order of their first ones.
pub fn by_cause<'r>(cells: impl IntoIterator<Item = &'r CellReport>) -> Vec<SharedCause<'r>> {
    let mut groups: Vec<(String, SharedCause)> = Vec::new();
    for cell in cells {
        let key = key(cell);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(cell),
            None => groups.push((key, vec![cell])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Returns the tests and regions: `net in 3 regions, db us-east-1`.
pub fn places(cells: &[&CellReport]) -> String {
    let mut tests: Vec<(&str, Vec<&str>)> = Vec::new();
    for cell in cells {
        match tests.iter_mut().find(|(test, _)| *test == &*cell.id.test) {
            Some((_, regions)) => regions.push(&cell.id.region),
            None => tests.push((&cell.id.test, vec![&cell.id.region])),
        }
    }
    let is_alone = tests.len() == 1;
    let place = |(test, regions): &(&str, Vec<&str>)| match regions.as_slice() {
        [region] => format!("{test} {region}"),
        regions if is_alone && regions.len() <= 4 => format!("{test} {}", regions.join(", ")),
        regions => format!("{test} in {} regions", regions.len()),
    };
    tests.iter().map(place).collect::<Vec<_>>().join(", ")
}

/// Returns the cause without what is the test's own.
fn key(cell: &CellReport) -> String {
    let cause = cell.root_cause.as_ref();
    let text = cause.map(|it| &*it.text).or(cell.reason.as_deref());
    let mut text = text.unwrap_or_default().to_owned();
    for own in [&*cell.stack_name, &*cell.id.region, &*cell.account_id] {
        if !own.is_empty() {
            text = text.replace(own, "*");
        }
    }
    if let Some(ids) = &*IDS {
        text = ids.replace_all(&text, "*").into_owned();
    }
    let source = cause.and_then(|it| it.source.as_ref());
    let source = source.map(|it| format!("{}:{}", it.template, it.line));
    format!("{}\n{text}", source.unwrap_or_default())
}
