//! Which rules are reported: what the command line and `.cfnlintrc` select and ignore.

#[cfg(feature = "lint")]
use std::collections::BTreeSet;

#[cfg(feature = "lint")]
use super::NOT_A_TEMPLATE;
use super::{Finding, FindingLevel};
#[cfg(feature = "lint")]
use crate::{diagnostic::Diagnostic, spelling};

/// A choice of rules. Each pattern is the beginning of rule IDs, as in cfn-lint: `E3012`, `W`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RuleSelection {
    /// The only rules to report; empty for all.
    pub select: Vec<String>,
    /// Rules not to report.
    pub ignore: Vec<String>,
    /// Informational rules to report besides.
    pub include: Vec<String>,
    /// Rules that nothing in a template can suppress.
    pub mandatory: Vec<String>,
    /// Whether informational findings are reported.
    pub all: bool,
}

impl RuleSelection {
    /// Returns whether the finding's rule is reported; `is_wanted` for one that is reported even
    /// if it is informational.
    pub(super) fn reports(&self, finding: &Finding, is_wanted: bool) -> bool {
        let rule = &finding.rule;
        if self.is_mandatory(rule) {
            return true;
        }
        if matches_any(&self.ignore, rule) {
            return false;
        }
        if !self.select.is_empty() {
            return matches_any(&self.select, rule);
        }
        let is_wanted = is_wanted || self.all || matches_any(&self.include, rule);
        let is_noise = finding.level == FindingLevel::Info || OF_THE_ENGINE.contains(&&**rule);
        is_wanted || !is_noise
    }

    /// Returns an error if a selected pattern is the beginning of no known rule's ID.
    #[cfg(feature = "lint")]
    pub(super) fn unknown(&self, known: &[&str]) -> Option<Diagnostic> {
        let of_readers = std::iter::once(NOT_A_TEMPLATE);
        let known = of_readers.chain(known.iter().copied());
        let ids: BTreeSet<String> = known
            .flat_map(|rule| std::iter::once(rule.to_owned()).chain(cfn_lint_ids(rule)))
            .collect();
        let patterns = self.select.iter().filter(|pattern| !pattern.is_empty());
        let mut unknown = patterns.filter(|pattern| !ids.iter().any(|id| begins_with(id, pattern)));
        let pattern = unknown.next()?;
        let nearest = spelling::did_you_mean(pattern, ids.iter().map(String::as_str));
        let help = nearest.unwrap_or_else(|| format!("the rules are those of {RULES_OF_CFN_LINT}"));
        Some(Diagnostic::error(format!("no rule `{pattern}` (--select)")).help(help))
    }

    /// Returns whether a template can't suppress the rule.
    pub(super) fn is_mandatory(&self, rule: &str) -> bool {
        matches_any(&self.mandatory, rule)
    }
}

#[cfg(feature = "lint")]
const RULES_OF_CFN_LINT: &str =
    "https://github.com/aws-cloudformation/cfn-lint/blob/main/docs/rules.md";

/// Returns whether one of the patterns is the beginning of the rule's ID, or of the ID that
/// cfn-lint has for the same check.
pub(super) fn matches_any(patterns: &[String], rule: &str) -> bool {
    let ids = || std::iter::once(rule.to_owned()).chain(cfn_lint_ids(rule));
    let patterns = patterns.iter().filter(|pattern| !pattern.is_empty());
    patterns
        .into_iter()
        .any(|pattern| ids().any(|id| begins_with(&id, pattern)))
}

fn begins_with(id: &str, pattern: &str) -> bool {
    let beginning = id.get(..pattern.len());
    beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(pattern))
}

/// Warnings about the engine itself: it gave up on some combinations of conditions, or was given an
/// odd pseudo-parameter.
const OF_THE_ENGINE: [&str; 2] = ["W9012", "W9052"];

/// The engine's rules for what CloudFormation refuses begin with `F`. Most have the number of
/// cfn-lint's rule; these have another one
/// (<https://github.com/aws-cloudformation/cfn-lint/blob/main/docs/rules.md>).
const OTHER_NUMBERS: [(&str, &[&str]); 24] = [
    ("F0001", &["E1001"]),
    ("F0002", &["E1001"]),
    ("F0003", &["E2010"]),
    ("F0004", &["E6010"]),
    ("F0005", &["E1001"]),
    ("F0006", &["E3006", "E3001"]),
    ("F0007", &["E3010"]),
    ("F0008", &["E7010"]),
    ("F0010", &["E1019"]),
    ("F0011", &["E1003"]),
    ("F0013", &["E1028"]),
    ("F0014", &["E8001", "E8003", "E8004", "E8005", "E8006"]),
    ("F0015", &["E2015", "E2001"]),
    ("F0016", &["E2001"]),
    ("F0017", &["E7001"]),
    ("F0018", &["E3036"]),
    ("F0040", &["E6002", "E6001"]),
    ("F0050", &["E7001"]),
    ("F1010", &["E1020"]),
    ("F1012", &["E1011"]),
    ("F1018", &["E1019"]),
    ("F1020", &["E1010", "E1020"]),
    ("F2012", &["E2015"]),
    ("F3016", &["E3035"]),
];

/// Returns the IDs that cfn-lint has for the check of an engine's rule.
pub(super) fn cfn_lint_ids(rule: &str) -> Vec<String> {
    let Some(number) = rule.strip_prefix('F') else {
        return Vec::new();
    };
    let is_number = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Vec::new();
    }
    let mut ids = vec![format!("E{number}")];
    let other = OTHER_NUMBERS.iter().find(|(engine, _)| *engine == rule);
    ids.extend(
        other
            .into_iter()
            .flat_map(|(_, ids)| *ids)
            .map(|&id| id.to_owned()),
    );
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "lint")]
    fn a_selected_rule_exists() {
        let check = |pattern: &str, expect: Option<&str>| {
            let selection = RuleSelection {
                select: vec![pattern.to_owned()],
                ..RuleSelection::default()
            };
            let unknown = selection.unknown(&["F3012", "W2001", "topics_are_encrypted"]);
            let unknown = unknown.map(|it| it.to_string());
            let expect = expect.map(|help| format!("no rule `{pattern}` (--select) ({help})"));
            assert_eq!(unknown, expect);
        };
        check("E3012", None);
        check("e3", None);
        check("E0000", None);
        check("topics", None);
        check("", None);
        check("W2010", Some("did you mean `W2001`?"));
        check(
            "SECURITY",
            Some(&format!("the rules are those of {RULES_OF_CFN_LINT}")),
        );
    }

    #[test]
    fn patterns_are_beginnings_of_either_id() {
        let check = |pattern: &str, rule: &str, expect: bool| {
            assert_eq!(
                matches_any(&[pattern.to_owned()], rule),
                expect,
                "{pattern} {rule}"
            );
        };
        check("E3012", "E3012", true);
        check("e3012", "E3012", true);
        check("E3", "E3012", true);
        check("E3013", "E3012", false);
        check("W", "W2001", true);
        check("", "W2001", false);
        check("E3012", "F3012", true);
        check("F3012", "F3012", true);
        check("F3012", "E3012", false);
        check("E1010", "F1020", true);
        check("E", "F3002", true);
        check("S3_BUCKET", "S3_BUCKET_NAME", true);
        check("E", "FORBIDDEN", false);
        check("ä", "E3012", false);
    }
}
