//! Determines whether a value is in a branch of `Fn::If` that known conditions exclude.

use super::expression::{Expression, FunctionCall};
use crate::yaml::Node;

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PathEnd {
    /// To a value that may be taken.
    Possible,
    /// To a value in an excluded branch.
    Excluded,
    /// Nowhere.
    Missing,
}

/// Returns whether the value at the path, such as `["Properties", "VpcConfig", "SubnetIds", "0"]`,
/// exists only in branches that the conditions exclude. The path doesn't name the functions.
pub fn is_excluded(node: &Node, path: &[&str], conditions: &[(String, bool)]) -> bool {
    end(node, path, conditions) == PathEnd::Excluded
}

fn end(node: &Node, path: &[&str], conditions: &[(String, bool)]) -> PathEnd {
    if let Expression::If(branches) = Expression::of(node) {
        let known = conditions
            .iter()
            .find(|(name, _)| branches.condition.as_str() == Some(name));
        let of_branch = |branch: &Node, taken: bool| {
            let end = end(branch, path, conditions);
            let is_excluded = known.is_some_and(|(_, is_true)| *is_true != taken);
            match end {
                PathEnd::Possible if is_excluded => PathEnd::Excluded,
                end => end,
            }
        };
        let ends = [of_branch(branches.yes, true), of_branch(branches.no, false)];
        let best = [PathEnd::Possible, PathEnd::Excluded];
        let found = best.into_iter().find(|end| ends.contains(end));
        return found.unwrap_or(PathEnd::Missing);
    }
    let Some((first, rest)) = path.split_first() else {
        return PathEnd::Possible;
    };
    if FunctionCall::of_value(node).is_some() {
        // The path leads into the value of a function; one that removes the value has none.
        let removes = node
            .entries()
            .iter()
            .any(|(_, value)| value.as_str() == Some(NO_VALUE));
        return if removes {
            PathEnd::Missing
        } else {
            PathEnd::Possible
        };
    }
    let next = match node.as_sequence() {
        Some(items) => first.parse().ok().and_then(|index: usize| items.get(index)),
        None => node.get(first),
    };
    next.map_or(PathEnd::Missing, |next| end(next, rest, conditions))
}

const NO_VALUE: &str = "AWS::NoValue";

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::template::Template;

    #[test]
    fn branches_are_excluded_by_their_conditions() {
        let text = "Resources:\n  R:\n    Type: T\n    Properties:\n      \
            A: !If [C, {B: [!Ref X]}, !Ref AWS::NoValue]\n      \
            D: [!If [C, {E: 1}, {F: 2}], {G: 3}]\n      \
            H: !If [C, !If [N, {I: 1}, {J: 2}], {I: 3}]\n";
        let file = Arc::from(Path::new("t.yaml"));
        let template = Template::parse(&file, "t.yaml".to_owned(), text).0.unwrap();
        let resource = template.root.get("Resources").unwrap().get("R").unwrap();
        let check = |path: &str, conditions: &[(&str, bool)], expect: bool| {
            let path: Vec<&str> = path.split('.').collect();
            let conditions: Vec<_> = conditions
                .iter()
                .map(|(name, value)| (name.to_string(), *value))
                .collect();
            let found = is_excluded(resource, &path, &conditions);
            assert_eq!(found, expect, "{path:?} {conditions:?}");
        };
        check("Properties.A.B.0", &[("C", false)], true);
        check("Properties.A.B.0.x", &[("C", false)], true);
        check("Properties.A.B.0", &[("C", true)], false);
        check("Properties.A.B.0", &[], false);
        check("Properties.A.B.0", &[("Other", false)], false);
        check("Properties.A", &[("C", false)], false);
        check("Properties.D.0.E", &[("C", false)], true);
        check("Properties.D.0.F", &[("C", false)], false);
        check("Properties.D.1.G", &[("C", false)], false);
        check("Properties.H.I", &[("C", false)], false);
        check("Properties.H.J", &[("C", false)], true);
        check("Properties.H.J", &[("C", true), ("N", true)], true);
        check("Properties.H.J", &[("C", true), ("N", false)], false);
        check("Properties.Missing", &[("C", false)], false);
    }
}
