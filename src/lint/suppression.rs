//! What a template itself suppresses: `Metadata.cfn-lint` of the template and of its resources, and
//! comments `# taskcat: ignore RULE`.
//!
//! The metadata is cfn-lint's
//! (<https://github.com/aws-cloudformation/cfn-lint#metadata>).

use std::collections::BTreeMap;

use super::Finding;
use super::selection::matches_any;
use crate::template::Template;
use crate::yaml::{self, Node};

/// What a template suppresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TemplateSuppressions {
    /// Rules that the template ignores as a whole.
    ignored: Vec<String>,
    /// Informational rules that it asks for.
    included: Vec<String>,
    /// Rules that its resources ignore, by logical ID.
    by_resource: BTreeMap<String, ResourceSuppressions>,
    /// Rules that a comment ignores, by line.
    by_line: BTreeMap<u32, Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ResourceSuppressions {
    ignored: Vec<String>,
    /// The resource's first line and the line of the entry that follows.
    lines: (u32, u32),
}

#[cfg_attr(
    not(feature = "lint"),
    expect(dead_code, reason = "only the engine asks")
)]
impl TemplateSuppressions {
    /// Reads them; the comments from the template's file.
    pub(super) fn of(template: &Template) -> Self {
        let text = yaml::source_text(&template.file).unwrap_or_default();
        Self {
            by_line: comments(&text),
            ..Self::of_metadata(&template.root)
        }
    }

    fn of_metadata(root: &Node) -> Self {
        let resources = root.get("Resources").map_or(&[][..], Node::entries);
        let next = |index: usize| {
            resources
                .get(index + 1)
                .map_or(u32::MAX, |(key, _)| key.at.line)
        };
        let by_resource = resources
            .iter()
            .enumerate()
            .map(|(index, (key, resource))| {
                let suppressions = ResourceSuppressions {
                    ignored: rules(resource, "ignore_checks"),
                    lines: (key.at.line, next(index)),
                };
                (key.text.to_string(), suppressions)
            });
        Self {
            ignored: rules(root, "ignore_checks"),
            included: rules(root, "include_checks"),
            by_resource: by_resource
                .filter(|(_, suppressions)| !suppressions.ignored.is_empty())
                .collect(),
            by_line: BTreeMap::new(),
        }
    }

    /// Returns whether the finding is suppressed.
    pub(super) fn hides(&self, finding: &Finding) -> bool {
        matches_any(&self.ignored, &finding.rule)
            || self.hides_by_resource(finding)
            || self.hides_by_comment(finding)
    }

    /// Returns whether a comment suppresses the finding.
    pub(super) fn hides_by_comment(&self, finding: &Finding) -> bool {
        let ignored = self.by_line.get(&finding.location.at.line);
        ignored.is_some_and(|ignored| matches_any(ignored, &finding.rule))
    }

    /// Returns whether the template asks for the rule, if it is an informational one.
    pub(super) fn includes(&self, rule: &str) -> bool {
        matches_any(&self.included, rule)
    }

    fn hides_by_resource(&self, finding: &Finding) -> bool {
        let line = finding.location.at.line;
        self.by_resource.iter().any(|(id, it)| {
            let is_its = match &finding.resource {
                Some(resource) => resource == id,
                None => (it.lines.0..it.lines.1).contains(&line),
            };
            is_its && matches_any(&it.ignored, &finding.rule)
        })
    }
}

/// Returns a list of rules in the `Metadata` of a template or resource.
fn rules(node: &Node, key: &str) -> Vec<String> {
    let config = node
        .get("Metadata")
        .and_then(|metadata| metadata.get("cfn-lint")?.get("config"));
    let list = config.and_then(|config| config.get(key)?.as_sequence());
    let list = list.unwrap_or_default().iter();
    list.filter_map(Node::as_str).map(str::to_owned).collect()
}

/// Returns the rules that comments ignore, by the line that they apply to: their own line, or the
/// next one that isn't a comment if they have a line for themselves.
fn comments(text: &str) -> BTreeMap<u32, Vec<String>> {
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let mut pending = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let ignored = ignored_by(line);
        if line.trim_start().starts_with('#') {
            pending.extend(ignored);
            continue;
        }
        let ignored: Vec<_> = pending.drain(..).chain(ignored).collect();
        if !ignored.is_empty() {
            found.insert(number, ignored);
        }
    }
    found
}

/// Returns the rules of `# taskcat: ignore RULE[,RULE]` in a line.
fn ignored_by(line: &str) -> Vec<String> {
    const MARK: &str = "taskcat:";
    let comments = line.match_indices('#').filter_map(|(at, _)| {
        let comment = line.get(at + 1..)?.trim_start();
        let rest = comment.strip_prefix(MARK)?.trim_start();
        let rest = rest.strip_prefix("ignore")?;
        rest.starts_with([' ', '\t', ':']).then_some(rest)
    });
    let rules = comments.flat_map(|rest| {
        let rest = rest.trim_start_matches([' ', '\t', ':']);
        let listed = rest.split('#').next().unwrap_or_default();
        listed.split([',', ' ', '\t'])
    });
    rules
        .map(str::trim)
        .filter(|rule| !rule.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_apply_to_their_line_or_the_next() {
        let check = |text: &str, expect: &[(u32, &[&str])]| {
            let found = comments(text);
            let found: Vec<(u32, Vec<&str>)> = found
                .iter()
                .map(|(line, rules)| (*line, rules.iter().map(String::as_str).collect()))
                .collect();
            let expect: Vec<(u32, Vec<&str>)> = expect
                .iter()
                .map(|(line, rules)| (*line, rules.to_vec()))
                .collect();
            assert_eq!(found, expect, "{text}");
        };
        check("a: 1 # taskcat: ignore E3002\nb: 2", &[(1, &["E3002"])]);
        check(
            "# taskcat: ignore E3002,W2001\nb: 2\nc: 3",
            &[(2, &["E3002", "W2001"])],
        );
        check(
            "#taskcat:ignore E3002, W2001\nb: 2",
            &[(2, &["E3002", "W2001"])],
        );
        check(
            "  # taskcat: ignore E1\n  # why\n  b: 2 # taskcat: ignore E2\n",
            &[(3, &["E1", "E2"])],
        );
        check("a: 1 # because # taskcat: ignore E1", &[(1, &["E1"])]);
        check("a: 1 # taskcat: ignored E1", &[]);
        check("a: 1 # taskcat: ignore", &[]);
    }
}
