//! Finds what a value of a resource consists of, to explain why it changes.

use indexmap::IndexSet;

use super::references::{BranchState, Reference, ReferenceKind, ReferenceWalk};
use crate::template::evaluate::{ConditionValue, Evaluator};
use crate::template::expression::{Expression, Function, FunctionCall};
use crate::yaml::Node;

/// Something that a value uses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReferencedValue {
    /// The value of a parameter, or of `Ref` for a resource.
    Name(String),
    /// The value of `Fn::GetAtt`: `Arn` of `Queue`.
    Attribute {
        /// The resource's logical ID.
        resource: String,
        /// The attribute's name, such as `Arn`.
        attribute: String,
    },
}

/// Returns what the value at a path of a resource's entry uses, each thing once. The path is such
/// as `["Properties", "Tags", "0"]`; if it leads into an expression, the whole expression counts.
/// Branches excluded by conditions don't count.
pub fn mentioned(evaluator: &Evaluator, id: &str, path: &[&str]) -> IndexSet<ReferencedValue> {
    let mut all = IndexSet::new();
    let Some((_, entry)) = evaluator.entry("Resources", id) else {
        return all;
    };
    let mut found = |reference: Reference, life: &BranchState| {
        let name = reference.name.to_owned();
        match reference.by {
            _ if *life == BranchState::Dead => {}
            ReferenceKind::Ref | ReferenceKind::Sub => _ = all.insert(ReferencedValue::Name(name)),
            ReferenceKind::GetAtt | ReferenceKind::SubAttribute(_) => {
                all.insert(ReferencedValue::Attribute {
                    resource: name,
                    attribute: reference.attribute.to_owned(),
                });
            }
            ReferenceKind::DependsOn | ReferenceKind::If | ReferenceKind::Condition => {}
        }
    };
    ReferenceWalk {
        evaluator,
        found: &mut found,
    }
    .node(at_path(evaluator, entry, path), &BranchState::Live);
    all
}

/// Returns the deepest node along the path.
fn at_path<'n>(evaluator: &Evaluator, entry: &'n Node, path: &[&str]) -> &'n Node {
    let mut node = entry;
    for part in path {
        node = taken(evaluator, node);
        let next = match node.as_sequence() {
            _ if FunctionCall::of_value(node).is_some() => None,
            // An omitted item moves the items after it.
            Some(items) if items.iter().any(is_choice) => None,
            Some(items) => part
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index)),
            None => node.get(part),
        };
        match next {
            Some(next) => node = next,
            None => return node,
        }
    }
    node
}

/// Returns the branch of `Fn::If` that is taken; other nodes unchanged.
fn taken<'n>(evaluator: &Evaluator, mut node: &'n Node) -> &'n Node {
    while let Expression::If(choice) = Expression::of(node) {
        node = match evaluator.condition(&choice.condition.text) {
            ConditionValue::True => choice.yes,
            ConditionValue::False => choice.no,
            ConditionValue::Unknown(_) => return node,
        };
    }
    node
}

fn is_choice(node: &Node) -> bool {
    FunctionCall::of(node).is_some_and(|call| call.function == Some(Function::If))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::evaluate::tests::{parameter_values, place, template};
    use crate::template::{OfflineEnvironment, Templates};

    #[test]
    fn a_path_selects_the_references_of_its_value() {
        let text = "
Parameters: {P: {Type: String, Default: p}, Q: {Type: String, Default: q}}
Conditions: {Yes: !Equals [a, a]}
Resources:
  T: {Type: T}
  R:
    Type: T
    Properties:
      Plain: text
      Ref: !Ref P
      Sub: !Sub 'x${Q}${T.Arn}${AWS::Region}'
      Deep: {List: [a, !GetAtt [T, A.B]], Map: !If [Yes, {One: !Ref P, Two: !Ref T}, !Ref Q]}
      Shifted: [!If [Yes, !Ref P, !Ref 'AWS::NoValue'], !Ref Q]
";
        let template = template(text);
        let templates = Templates::default();
        let place = place("us-east-1");
        let parameter_values = parameter_values(&[]);
        let world = OfflineEnvironment(&templates);
        let evaluator = crate::template::evaluator(&template, &place, &parameter_values, &world);
        let check = |path: &str, expect: &[&str]| {
            let parts: Vec<&str> = path.split('/').collect();
            let said: Vec<String> = mentioned(&evaluator, "R", &parts)
                .into_iter()
                .map(|it| match it {
                    ReferencedValue::Name(name) => name,
                    ReferencedValue::Attribute {
                        resource,
                        attribute,
                    } => format!("{resource}.{attribute}"),
                })
                .collect();
            assert_eq!(said, expect, "{path}");
        };
        check("Properties/Plain", &[]);
        check("Properties/Ref", &["P"]);
        check("Properties/Sub", &["Q", "T.Arn", "AWS::Region"]);
        check("Properties/Deep", &["T.A.B", "P", "T"]);
        check("Properties/Deep/List/0", &[]);
        check("Properties/Deep/List/1", &["T.A.B"]);
        check("Properties/Deep/Map/Two", &["T"]);
        check("Properties/Shifted/0", &["P", "Q"]);
        check("Properties/Ref/Deeper", &["P"]);
        assert!(mentioned(&evaluator, "Gone", &[]).is_empty());
    }
}
