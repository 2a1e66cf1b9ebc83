//! Merges the findings of the engine in this process and of cfn-lint.

use super::Finding;
use super::selection::cfn_lint_ids;

/// Adds those of cfn-lint's findings that the engine doesn't have: another rule, or another line.
pub(super) fn merged(mut findings: Vec<Finding>, of_cfn_lint: Vec<Finding>) -> Vec<Finding> {
    let own = findings.len();
    for finding in of_cfn_lint {
        let is_known = findings
            .iter()
            .take(own)
            .any(|known| is_same(known, &finding));
        if !is_known {
            findings.push(finding);
        }
    }
    findings
}

fn is_same(own: &Finding, of_cfn_lint: &Finding) -> bool {
    own.template == of_cfn_lint.template
        && own.location.at.line == of_cfn_lint.location.at.line
        && (own.rule == of_cfn_lint.rule || cfn_lint_ids(&own.rule).contains(&of_cfn_lint.rule))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::{Location, Position};
    use crate::lint::FindingLevel;

    fn finding(rule: &str, line: u32) -> Finding {
        Finding {
            level: FindingLevel::Error,
            rule: rule.to_owned(),
            message: String::new(),
            short_description: String::new(),
            resource: None,
            location: Location {
                file: Arc::from(Path::new("t.yaml")),
                at: Position { line, column: 1 },
            },
            template: PathBuf::from("t.yaml"),
            only_in: Vec::new(),
        }
    }

    #[test]
    fn a_finding_of_both_appears_once() {
        let check = |own: &[(&str, u32)], other: &[(&str, u32)], expect: &[(&str, u32)]| {
            let findings = |list: &[(&str, u32)]| -> Vec<_> {
                list.iter()
                    .map(|(rule, line)| finding(rule, *line))
                    .collect()
            };
            assert_eq!(merged(findings(own), findings(other)), findings(expect));
        };
        check(&[("F3002", 1)], &[("E3002", 1)], &[("F3002", 1)]);
        check(&[("W2001", 1)], &[("W2001", 1)], &[("W2001", 1)]);
        check(
            &[("F3002", 1)],
            &[("E3002", 2), ("E3012", 1)],
            &[("F3002", 1), ("E3002", 2), ("E3012", 1)],
        );
        check(&[("F1020", 3)], &[("E1010", 3)], &[("F1020", 3)]);
        // cfn-lint reports a rule twice on a line if it is about two things.
        check(&[], &[("E1", 1), ("E1", 1)], &[("E1", 1), ("E1", 1)]);
    }
}
