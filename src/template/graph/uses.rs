//! Finds what each resource of a template uses, regardless of parameter values, to trace a failed
//! resource back to its declaration and to the values passed to it.

use std::collections::HashSet;

use indexmap::{IndexMap, IndexSet};

use super::entry;
use super::references::{BranchState, Reference, ReferenceKind, ReferenceWalk};
use crate::diagnostic::Position;
use crate::template::evaluate::Evaluator;
use crate::template::expression::Expression;
use crate::yaml::Node;

/// A resource of the template, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceUses {
    /// Position of the logical ID.
    pub at: Position,
    /// Whether it has a `Condition`.
    pub conditional: bool,
    /// The parameters that it refers to, itself or through its conditions.
    pub parameters: IndexSet<String>,
    /// The resources that it refers to or depends on.
    pub resources: IndexSet<String>,
    /// For an `AWS::CloudFormation::Stack`: what it passes to its template's parameters.
    pub gives: IndexMap<String, ParameterSourceExpression>,
}

/// What a nested stack passes to a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterSourceExpression {
    /// A literal.
    Text(String),
    /// The value of this parameter, unchanged.
    Parameter(String),
    /// Something computed from these parameters and other values.
    MadeOf(IndexSet<String>),
}

/// Returns all resources in the template's order, including those that loops create with the
/// parameters' defaults.
pub fn uses(evaluator: &Evaluator) -> IndexMap<String, ResourceUses> {
    let names = |section: &'static str| {
        evaluator
            .section(section)
            .iter()
            .map(|(key, _)| &*key.text)
            .collect()
    };
    let reader = UsesReader {
        evaluator,
        parameters: names("Parameters"),
        resources: names("Resources"),
    };
    let resources = evaluator.section("Resources").iter();
    resources
        .map(|(id, resource)| (id.text.to_string(), reader.resource(id, resource)))
        .collect()
}

struct UsesReader<'n> {
    evaluator: &'n Evaluator<'n>,
    parameters: HashSet<&'n str>,
    resources: HashSet<&'n str>,
}

impl<'n> UsesReader<'n> {
    fn resource(&self, id: &Node, resource: &'n Node) -> ResourceUses {
        let condition = resource
            .get("Condition")
            .filter(|condition| condition.is_scalar());
        let parameters = IndexSet::new();
        let resources = IndexSet::new();
        let conditional = condition.is_some();
        let mut uses = ResourceUses {
            at: id.at,
            conditional,
            parameters,
            resources,
            gives: IndexMap::new(),
        };
        let mut conditions: Vec<&str> = condition
            .map(|condition| &*condition.text)
            .into_iter()
            .collect();
        entry(
            self.evaluator,
            resource,
            &BranchState::Live,
            &mut |reference, _| match reference.by {
                ReferenceKind::If | ReferenceKind::Condition => conditions.push(reference.name),
                _ if self.parameters.contains(reference.name) => {
                    _ = uses.parameters.insert(reference.name.to_owned())
                }
                _ if self.resources.contains(reference.name) => {
                    _ = uses.resources.insert(reference.name.to_owned())
                }
                _ => {}
            },
        );
        uses.resources.shift_remove(&*id.text);
        self.conditions(conditions, &mut uses.parameters);
        if resource.get("Type").and_then(Node::as_str) == Some("AWS::CloudFormation::Stack") {
            let given = resource
                .get("Properties")
                .and_then(|properties| properties.get("Parameters"));
            let given = given.map_or(&[][..], Node::entries).iter();
            uses.gives = given
                .map(|(key, value)| (key.text.to_string(), self.given(value)))
                .collect();
        }
        uses
    }

    /// Collects the parameters that decide the conditions.
    fn conditions(&self, mut open: Vec<&'n str>, parameters: &mut IndexSet<String>) {
        let mut seen = HashSet::new();
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            let expressions = self
                .evaluator
                .section("Conditions")
                .iter()
                .filter(|(key, _)| *key.text == *name);
            for (_, expression) in expressions {
                let mut found = |reference: Reference<'n>, _: &BranchState| match reference.by {
                    ReferenceKind::If | ReferenceKind::Condition => open.push(reference.name),
                    _ if self.parameters.contains(reference.name) => {
                        _ = parameters.insert(reference.name.to_owned())
                    }
                    _ => {}
                };
                let mut walk = ReferenceWalk {
                    evaluator: self.evaluator,
                    found: &mut found,
                };
                walk.conditions(expression, &BranchState::Live);
                walk.node(expression, &BranchState::Live);
            }
        }
    }

    fn given(&self, value: &'n Node) -> ParameterSourceExpression {
        match Expression::of(value) {
            Expression::Literal(text) if text.is_scalar() => {
                return ParameterSourceExpression::Text(text.text.to_string());
            }
            Expression::Ref(name) if self.parameters.contains(&*name.text) => {
                return ParameterSourceExpression::Parameter(name.text.to_string());
            }
            _ => {}
        }
        let mut parameters = IndexSet::new();
        let mut conditions = Vec::new();
        let mut found = |reference: Reference<'n>, _: &BranchState| match reference.by {
            ReferenceKind::If => conditions.push(reference.name),
            _ if self.parameters.contains(reference.name) => {
                _ = parameters.insert(reference.name.to_owned())
            }
            _ => {}
        };
        ReferenceWalk {
            evaluator: self.evaluator,
            found: &mut found,
        }
        .node(value, &BranchState::Live);
        self.conditions(conditions, &mut parameters);
        ParameterSourceExpression::MadeOf(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::evaluate::tests::{parameter_values, place, template};
    use crate::template::{OfflineEnvironment, Templates};

    /// Formats one resource per line: `id line[?]: parameters | resources | what it gives`.
    fn said(text: &str) -> Vec<String> {
        let template = template(text);
        let templates = Templates::default();
        let place = place("us-east-1");
        let parameter_values = parameter_values(&[]);
        let world = OfflineEnvironment(&templates);
        let evaluator = crate::template::evaluator(&template, &place, &parameter_values, &world);
        let list = |names: &IndexSet<String>| {
            names
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let line = |(id, uses): (&String, &ResourceUses)| {
            let gives = uses.gives.iter().map(|(key, given)| match given {
                ParameterSourceExpression::Text(text) => format!("{key}={text}"),
                ParameterSourceExpression::Parameter(name) => format!("{key}:{name}"),
                ParameterSourceExpression::MadeOf(names) => format!("{key}~{}", list(names)),
            });
            let gives = gives.collect::<Vec<_>>().join(" ");
            let line = uses.at.line;
            let open = if uses.conditional { "?" } else { "" };
            format!(
                "{id} {line}{open}: {} | {} | {gives}",
                list(&uses.parameters),
                list(&uses.resources)
            )
        };
        uses(&evaluator).iter().map(line).collect()
    }

    #[test]
    fn parameters_resources_and_bindings() {
        let text = "Parameters:\n  Env: {Type: String, Default: dev}\n  Size: {Type: String, \
            Default: s}\n  \
                    Cidr: {Type: String, Default: 10.0.0.0/8}\nConditions:\n  Big: !Or [!Condition \
                    Prod, !Equals [!Ref Size, l]]\n  \
                    Prod: !Equals [!Ref Env, prod]\nResources:\n  \
                    A: {Type: T, Properties: {P: !Sub '${Cidr} ${B.Arn} ${AWS::Region}', Q: !Ref \
                    A}, DependsOn: C}\n  \
                    B: {Type: T, Condition: Big}\n  C: {Type: T, Properties: {P: !If [Prod, !Ref \
                    Cidr, !Ref B]}}\n  \
                    D:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      Parameters: \
                    {One: '1', Two: !Ref Env, \
                    Three: !Join ['', [!Ref Size, !GetAtt A.Arn]], Four: !If [Prod, a, b], Five: \
                    !Ref A}\n";
        assert_eq!(
            said(text),
            [
                "A 9: Cidr | B C | ",
                "B 10?: Size Env |  | ",
                "C 11: Cidr Env | B | ",
                "D 12: Env Size | A | One=1 Two:Env Three~Size Four~Env Five~",
            ]
        );
    }

    #[test]
    fn resources_created_by_loops_are_found_by_name() {
        let text = "Transform: AWS::LanguageExtensions\nParameters: {Names: {Type: \
            CommaDelimitedList, Default: 'A,B'}, X: {Type: String, Default: x}}\n\
                    Resources:\n  Fn::ForEach::L: [N, !Ref Names, {'Topic${N}': {Type: T, \
                    Properties: {P: !Ref X}}}]\n";
        assert_eq!(said(text), ["TopicA 4: X |  | ", "TopicB 4: X |  | "]);
    }

    #[test]
    fn circles_of_conditions_end() {
        let text = "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\nResources: \
            {R: {Type: T, Condition: A}}\n";
        assert_eq!(said(text), ["R 4?:  |  | "]);
    }
}
