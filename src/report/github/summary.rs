//! Renders the job summary: the verdict, a table of tests and regions, and each failure with its
//! location, parameters and hint.
//!
//! The Markdown consists of HTML blocks, in which GitHub parses no Markdown. Every foreign text is
//! in a `code` element, in which GitHub creates no links or mentions.

use std::fmt::Write;

use super::super::model::{CellReport, CellState, RunReport, RunVerdict};
use super::super::text;
use super::left_behind;
use crate::report::RootCause;

/// Maximum number of regions in a readable table.
const TABLE_REGIONS: usize = 20;
/// Number of failures that are initially expanded.
const OPEN: usize = 3;
/// Maximum number of lint findings and of leftover resources to list.
const LISTED: usize = 20;
/// Maximum length of a foreign text in characters.
const TEXT_LIMIT: usize = 4000;
/// Number of bytes reserved for the note about omitted parts.
const RESERVE: usize = 1000;

/// Returns the summary in at most `limit` bytes. It begins and ends with an empty line, so that it
/// can follow and precede others.
pub fn summary(report: &RunReport, limit: usize) -> String {
    let mut page = SummaryText {
        text: String::new(),
        limit: limit.saturating_sub(RESERVE),
    };
    if !page.add(&head(report)) {
        return String::new();
    }
    page.add(&table(report, page.limit / 2));
    failures(report, &mut page);
    for (title, all) in [("Lint", lint_errors(report)), ("Not deleted", left(report))] {
        page.add(&list(title, &all));
    }
    page.text
}

/// Collects parts until the size limit.
struct SummaryText {
    text: String,
    limit: usize,
}

impl SummaryText {
    fn add(&mut self, part: &str) -> bool {
        let fits = self.text.len() + part.len() <= self.limit;
        if fits {
            self.text.push_str(part);
        }
        fits
    }
}

fn head(report: &RunReport) -> String {
    let mark = match report.verdict {
        RunVerdict::Passed => "✅",
        RunVerdict::Failed | RunVerdict::Error => "❌",
        RunVerdict::LeftBehind | RunVerdict::Interrupted | RunVerdict::Incomplete => "⚠️",
    };
    let before = match report.verdict {
        RunVerdict::Interrupted => "interrupted: ",
        RunVerdict::Incomplete => "incomplete: ",
        RunVerdict::Error => "stopped before the tests: ",
        _ => "",
    };
    let simulated = if report.simulated { "simulated: " } else { "" };
    let took = report
        .duration_seconds()
        .map(|it| format!(" in {}", text::duration(it)))
        .unwrap_or_default();
    let mut head = format!(
        "\n<h2>{mark} {}: {simulated}{before}{}{took}</h2>\n\n",
        code(&report.project),
        report.counts()
    );
    if report.simulated {
        head.push_str("<p><strong>Simulated.</strong> Nothing of this happened in AWS.</p>\n\n");
    }
    if let Some(error) = &report.error {
        head.push_str(&format!("<p>{}</p>\n\n", code(error)));
    }
    head
}

fn mark(state: CellState) -> &'static str {
    match state {
        CellState::Passed => "✅",
        CellState::Failed => "❌",
        CellState::Interrupted => "🛑",
        CellState::Skipped | CellState::Waiting | CellState::Running => "➖",
    }
}

/// Returns each `key` of the cells once, in order.
fn each<'a>(report: &'a RunReport, key: impl Fn(&'a CellReport) -> &'a str) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    report
        .cells
        .iter()
        .map(key)
        .filter(|name| seen.insert(*name))
        .collect()
}

/// Returns a table of tests and regions, or one line per test if there are too many regions; in at
/// most about `limit` bytes.
fn table(report: &RunReport, limit: usize) -> String {
    let tests = each(report, |cell| &cell.id.test);
    let regions = each(report, |cell| &cell.id.region);
    if tests.is_empty() {
        return String::new();
    }
    let in_table = regions.len() <= TABLE_REGIONS;
    let (mut text, end) = if in_table {
        let names: String = regions
            .iter()
            .map(|region| format!("<th>{}</th>", code(region)))
            .collect();
        (
            format!("<table>\n<tr><th>test</th>{names}</tr>\n"),
            "</table>\n",
        )
    } else {
        ("<ul>\n".to_owned(), "</ul>\n")
    };
    let mut by_test: std::collections::HashMap<&str, Vec<&CellReport>> =
        std::collections::HashMap::new();
    report
        .cells
        .iter()
        .for_each(|cell| by_test.entry(&cell.id.test).or_default().push(cell));
    let mut left_out = 0;
    for test in tests {
        let cells = by_test.get(test).map(Vec::as_slice).unwrap_or_default();
        let line = if in_table {
            row(test, cells, &regions)
        } else {
            line(test, cells)
        };
        if text.len() + line.len() <= limit {
            text.push_str(&line)
        } else {
            left_out += 1
        }
    }
    let more = if left_out > 0 {
        format!("<p>… and {left_out} more tests (see the report).</p>\n")
    } else {
        String::new()
    };
    format!("{text}{end}{more}\n")
}

fn row(test: &str, cells: &[&CellReport], regions: &[&str]) -> String {
    let mark_in = |region: &&str| {
        let cell = cells.iter().find(|cell| *cell.id.region == **region);
        format!(
            "<td align=\"center\">{}</td>",
            cell.map_or("", |cell| mark(cell.state))
        )
    };
    format!(
        "<tr><td>{}</td>{}</tr>\n",
        code(test),
        regions.iter().map(mark_in).collect::<String>()
    )
}

/// Returns `app: ❌ 2 failed in us-east-1, eu-west-1; ✅ 28 passed`.
fn line(test: &str, cells: &[&CellReport]) -> String {
    let states = [
        CellState::Failed,
        CellState::Interrupted,
        CellState::Skipped,
        CellState::Running,
        CellState::Passed,
    ];
    let parts = states.into_iter().filter_map(|state| {
        let of_state: Vec<_> = cells
            .iter()
            .filter(|cell| cell.state.word() == state.word())
            .collect();
        let regions: Vec<String> = of_state.iter().map(|cell| code(&cell.id.region)).collect();
        let regions = if state == CellState::Passed {
            String::new()
        } else {
            format!(" in {}", regions.join(", "))
        };
        (!of_state.is_empty()).then(|| {
            format!(
                "{} {} {}{regions}",
                mark(state),
                of_state.len(),
                state.word()
            )
        })
    });
    format!(
        "<li>{}: {}</li>\n",
        code(test),
        parts.collect::<Vec<_>>().join("; ")
    )
}

fn failures(report: &RunReport, page: &mut SummaryText) {
    let failed: Vec<&CellReport> = report
        .cells
        .iter()
        .filter(|cell| cell.state == CellState::Failed)
        .collect();
    if failed.is_empty() || !page.add("<h3>Failed</h3>\n\n") {
        return;
    }
    let open = failed.len() <= OPEN;
    let shown = failed
        .iter()
        .take_while(|cell| page.add(&failure(cell, open)))
        .count();
    if shown < failed.len() {
        // Fits into the reserve.
        let _ = write!(
            page.text,
            "<p>… and {} more (see the report).</p>\n\n",
            failed.len() - shown
        );
    }
}

fn failure(cell: &CellReport, open: bool) -> String {
    let took = cell
        .duration_seconds
        .map(|it| format!(" after {}", text::duration(it)))
        .unwrap_or_default();
    let cause = cell.root_cause.as_ref();
    let reason = cause
        .map(|cause| cause.reason.as_str())
        .or(cell.reason.as_deref())
        .unwrap_or("no reason was given");
    // The text ends with the reason; here they are two elements.
    let what = cause.and_then(|cause| cause.text.strip_suffix(cause.reason.as_str()));
    let what = what
        .map(|what| what.trim_end_matches([':', ' ']))
        .filter(|what| !what.is_empty());
    let what = what
        .map(|what| format!(": {}", code(what)))
        .unwrap_or_default();
    let open = if open { " open" } else { "" };
    let test = code(&cell.id.test);
    let region = code(&cell.id.region);
    let mut text = format!("<details{open}><summary>❌ {test} in {region}{took}{what}</summary>\n");
    text.push_str(&format!("<p>{}</p>\n", code(reason)));
    let notes = cause.map(notes).unwrap_or_default();
    if !notes.is_empty() {
        text.push_str(&format!("<ul>\n{notes}</ul>\n"));
    }
    text + "</details>\n\n"
}

fn notes(cause: &RootCause) -> String {
    // The label is ours; what follows is foreign.
    let note = |note: String| match ["declared at ", "with ", "hint: "]
        .iter()
        .find_map(|it| note.split_once(it))
    {
        // Prose with foreign words, which must not mention anybody.
        Some(("", rest)) if note.starts_with("hint: ") => {
            format!("<li>💡 {}</li>\n", escaped(&rest.replace('@', "@\u{200b}")))
        }
        Some(("", rest)) => format!(
            "<li>{} {}</li>\n",
            note[..note.len() - rest.len()].trim_end(),
            code(rest)
        ),
        _ => format!("<li>{}</li>\n", code(&note)),
    };
    cause.notes().into_iter().map(note).collect()
}

fn lint_errors(report: &RunReport) -> Vec<String> {
    let findings = report
        .lint
        .iter()
        .flat_map(|lint| &lint.findings)
        .filter(|finding| finding.error);
    findings.map(|finding| code(&finding.to_string())).collect()
}

fn left(report: &RunReport) -> Vec<String> {
    left_behind(report)
        .iter()
        .map(|(what, why)| format!("⚠️ {}: {}", code(what), code(why)))
        .collect()
}

fn list(title: &str, all: &[String]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut text = format!("<h3>{title}</h3>\n<ul>\n");
    all.iter()
        .take(LISTED)
        .for_each(|it| text.push_str(&format!("<li>{it}</li>\n")));
    if all.len() > LISTED {
        text.push_str(&format!(
            "<li>… and {} more (see the report)</li>\n",
            all.len() - LISTED
        ));
    }
    text + "</ul>\n\n"
}

/// Returns foreign text on one line, without any markup.
fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// Replaces punctuation with a meaning in HTML or Markdown by character references, which have
/// none.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text::shortened(&text::one_line(text), TEXT_LIMIT).chars() {
        match c {
            '-' | '_' | '.' | ',' | '/' | ':' | '(' | ')' | '=' | '+' | ';' | '?' => out.push(c),
            c if c.is_ascii_punctuation() => _ = write!(out, "&#{};", u32::from(c)),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::terminal::tests::with_templates;
    use crate::report::tests::{SCENARIOS, fixture, many};

    const ALL: usize = 1024 * 1024;

    fn of(scenario: &str) -> String {
        summary(&RunReport::from_events(&fixture(scenario)), ALL)
    }

    #[test]
    fn summaries() {
        insta::assert_snapshot!(
            "one-failed",
            summary(&RunReport::from_events(&with_templates()), ALL)
        );
        insta::assert_snapshot!("delete-failed", of("delete-failed"));
        insta::assert_snapshot!("hostile", of("hostile"));
    }

    #[test]
    fn a_run_is_marked_by_its_verdict_and_a_simulated_one_says_so() {
        let check = |scenario: &str, simulated: bool, expect: &str| {
            let report = RunReport {
                simulated,
                ..RunReport::from_events(&fixture(scenario))
            };
            let text = summary(&report, ALL);
            assert!(text.starts_with(expect), "{text}");
            assert_eq!(
                text.contains("<strong>Simulated.</strong> Nothing of this happened in AWS."),
                simulated,
                "{text}"
            );
        };
        check("passing", false, "\n<h2>✅ <code>demo</code>: 6 passed in ");
        check(
            "passing",
            true,
            "\n<h2>✅ <code>demo</code>: simulated: 6 passed in ",
        );
        check(
            "one-failed",
            false,
            "\n<h2>❌ <code>demo</code>: 1 failed, 5 passed in ",
        );
        check(
            "interrupted",
            false,
            "\n<h2>⚠️ <code>demo</code>: interrupted: ",
        );
    }

    #[test]
    fn hostile_text_is_text() {
        let check =
            |text: &str, expect: &str| assert_eq!(code(text), format!("<code>{expect}</code>"));
        check("a|b `c` *d*", "a&#124;b &#96;c&#96; &#42;d&#42;");
        check("<img src=x>", "&#60;img src=x&#62;");
        check(
            "</code></details>\n\n# head",
            "&#60;/code&#62;&#60;/details&#62; &#35; head",
        );
        check(
            "[a](https://b) ![c](d) @octocat #1",
            "&#91;a&#93;(https://b) &#33;&#91;c&#93;(d) &#64;octocat &#35;1",
        );
        check("&lt; \"'\\", "&#38;lt; &#34;&#39;&#92;");
        check("a\u{1b}[31mb\u{202e}c", "abc");
        // Only our code opens elements, and no text ends a block with an empty line.
        let text = of("hostile");
        let ours = [
            "code", "h2", "h3", "p", "table", "tr", "th", "td", "details", "summary", "ul", "li",
            "strong",
        ];
        for element in text.split('<').skip(1) {
            let name = element
                .trim_start_matches('/')
                .split([' ', '>'])
                .next()
                .unwrap_or_default();
            assert!(ours.contains(&name), "<{element}");
        }
        for block in text.split("\n\n").filter(|block| !block.trim().is_empty()) {
            assert!(block.trim_start().starts_with('<'), "{block}");
        }
        for meaningful in ["|", "`", "@", "[", "*"] {
            assert!(!text.contains(meaningful), "{meaningful}: {text}");
        }
    }

    #[test]
    fn every_element_is_closed() {
        for text in SCENARIOS.map(of) {
            for name in [
                "code", "p", "table", "tr", "th", "td", "details", "summary", "ul", "li", "h2",
                "h3",
            ] {
                let opened = text.matches(&format!("<{name}>")).count()
                    + text.matches(&format!("<{name} ")).count();
                assert_eq!(
                    opened,
                    text.matches(&format!("</{name}>")).count(),
                    "{name}: {text}"
                );
            }
        }
    }

    #[test]
    fn a_table_for_few_regions_and_a_list_for_many() {
        let text = summary(&RunReport::from_events(&many(5, 20)), ALL);
        assert!(
            text.contains(
                "<tr><td><code>vpc-0</code></td><td align=\"center\"></td><td \
                align=\"center\">✅</td>"
            ),
            "{text}"
        );
        let text = summary(&RunReport::from_events(&many(5, 21)), ALL);
        assert!(!text.contains("<table>"));
        assert!(
            text.contains("<li><code>app-1</code>: ❌ 2 failed in <code>xx-region-"),
            "{text}"
        );
    }

    #[test]
    fn it_stays_within_its_limit() {
        let report = RunReport::from_events(&many(15, 20));
        let whole = summary(&report, ALL);
        for limit in [0, 500, 2000, 4000, 20_000] {
            let text = summary(&report, limit);
            assert!(text.len() <= limit, "{limit}: {}", text.len());
            assert!(text.is_empty() == (limit < 2000), "{limit}");
            assert!(text.is_empty() || text.len() < whole.len());
        }
        let text = summary(&report, 20_000);
        assert!(text.contains("more (see the report).</p>"), "{text}");
        assert_eq!(
            text.matches("<details").count(),
            text.matches("</details>").count()
        );
    }
}
