//! Finds dependencies between resources: explicit ones by `DependsOn`, implicit ones by `Ref`,
//! `Fn::GetAtt` and `Fn::Sub`
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-dependson.html>).
//!
//! - `references`: finds the names in an expression
//! - `names`: reports names that aren't declared
//! - `circle`: finds circles and a topological order in a graph of numbers
//! - `mentioned`: finds what a value of a resource consists of
//! - `uses`: finds what a resource refers to, regardless of parameter values

mod circle;
mod mentioned;
mod names;
mod references;
mod uses;

use std::collections::HashMap;

use indexmap::IndexMap;

pub use self::mentioned::{ReferencedValue, mentioned};
use self::references::{BranchState, Reference, ReferenceKind, ReferenceWalk};
pub use self::uses::{ParameterSourceExpression, ResourceUses, uses};
use super::evaluate::{ConditionValue, Evaluator};
use super::value::{Failure, FailureNote, Unknown};
use crate::diagnostic::{Location, Position};
use crate::yaml::Node;

/// Maximum number of locations reported for a circle.
const MAX_NOTES: usize = 20;

/// A resource that must be created first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Its logical ID.
    pub on: String,
    /// Location of the first reference to it.
    pub at: Location,
    /// Whether the dependency is a `DependsOn` rather than a reference.
    pub explicit: bool,
    /// Why the dependency isn't certain: the existence of either resource or the branch of `Fn::If`
    /// is unknown.
    pub unknown: Option<Unknown>,
}

/// Returns the dependencies of each resource that exists or may exist, both in the template's
/// order.
///
/// A `DependsOn` of a resource whose condition is false has no effect.
pub fn dependencies(evaluator: &Evaluator) -> IndexMap<String, Vec<Dependency>> {
    Graph::of(evaluator, &existing(evaluator)).dependencies(evaluator)
}

/// Returns the logical IDs in topological order: dependencies first, then in the template's order.
/// Circles and resources that depend on them are left out.
pub fn order(dependencies: &IndexMap<String, Vec<Dependency>>) -> Vec<&str> {
    let targets = |found: &Vec<Dependency>| {
        found
            .iter()
            .filter_map(|it| dependencies.get_index_of(&it.on))
            .collect()
    };
    let edges: Vec<Vec<usize>> = dependencies.values().map(targets).collect();
    let ids = circle::order(&edges)
        .into_iter()
        .filter_map(|index| dependencies.get_index(index));
    ids.map(|(id, _)| id.as_str()).collect()
}

/// Returns failures for undeclared names and for circles, each with its path.
pub(super) fn problems(evaluator: &Evaluator) -> Vec<Failure> {
    let existing = existing(evaluator);
    let mut failures = names::unresolved(evaluator, &existing);
    failures.extend(condition_circles(evaluator));
    failures.extend(Graph::of(evaluator, &existing).circles(evaluator));
    failures
}

/// Declared resources and whether they exist.
type Existing<'n> = HashMap<&'n str, ConditionValue>;

fn existing<'n>(evaluator: &'n Evaluator) -> Existing<'n> {
    let ids = evaluator.section("Resources").iter().map(|(id, _)| id);
    ids.filter_map(|id| Some((&*id.text, evaluator.resource_exists(&id.text)?)))
        .collect()
}

/// Visits a resource or an output.
fn entry<'n>(
    evaluator: &Evaluator,
    entry: &'n Node,
    life: &BranchState,
    found: &mut dyn FnMut(Reference<'n>, &BranchState),
) {
    let mut walk = ReferenceWalk { evaluator, found };
    for (key, node) in entry.entries() {
        match &*key.text {
            "Type" | "Condition" => {}
            "DependsOn" => walk.depends_on(node, life),
            _ => walk.node(node, life),
        }
    }
}

/// The resources that exist or may exist, and their dependencies, by number.
#[derive(Default)]
struct Graph<'n> {
    ids: Vec<&'n str>,
    edges: Vec<IndexMap<usize, Edge>>,
}

#[derive(Clone)]
struct Edge {
    at: Position,
    explicit: bool,
    unknown: Option<Unknown>,
}

impl<'n> Graph<'n> {
    fn of(evaluator: &'n Evaluator, existing: &Existing<'n>) -> Self {
        let exists = |id: &Node| existing.get(&*id.text).unwrap_or(&ConditionValue::False);
        let resources = evaluator
            .section("Resources")
            .iter()
            .filter(|(id, _)| *exists(id) != ConditionValue::False);
        let resources: IndexMap<&str, &Node> =
            resources.map(|(id, node)| (&*id.text, node)).collect();
        let edges_of = |id: &&'n str, node: &&'n Node| {
            let mut edges: IndexMap<usize, Edge> = IndexMap::new();
            let mut found = |reference: Reference<'n>, life: &BranchState| {
                let Some(target) = resources.get_index_of(reference.name) else {
                    return;
                };
                let life = life.and(
                    existing
                        .get(reference.name)
                        .unwrap_or(&ConditionValue::False),
                );
                let unknown = match (reference.by, life) {
                    (ReferenceKind::If | ReferenceKind::Condition, _) | (_, BranchState::Dead) => {
                        return;
                    }
                    (_, BranchState::Open(unknown)) => Some(unknown),
                    (_, BranchState::Live) => None,
                };
                let edge = Edge {
                    at: reference.at,
                    explicit: reference.by == ReferenceKind::DependsOn,
                    unknown,
                };
                match edges.get_mut(&target) {
                    // A certain dependency takes precedence over an uncertain one.
                    Some(known) if known.unknown.is_some() && edge.unknown.is_none() => {
                        *known = edge
                    }
                    Some(_) => {}
                    None => {
                        edges.insert(target, edge);
                    }
                }
            };
            entry(
                evaluator,
                node,
                &BranchState::Live.and(existing.get(*id).unwrap_or(&ConditionValue::False)),
                &mut found,
            );
            edges
        };
        let edges = resources
            .iter()
            .map(|(id, node)| edges_of(id, node))
            .collect();
        Self {
            ids: resources.keys().copied().collect(),
            edges,
        }
    }

    fn dependencies(&self, evaluator: &Evaluator) -> IndexMap<String, Vec<Dependency>> {
        let dependency = |(target, edge): (&usize, &Edge)| Dependency {
            on: self.ids[*target].to_owned(),
            at: evaluator.location(edge.at),
            explicit: edge.explicit,
            unknown: edge.unknown.clone(),
        };
        let entries = self.ids.iter().zip(&self.edges);
        entries
            .map(|(id, edges)| ((*id).to_owned(), edges.iter().map(dependency).collect()))
            .collect()
    }

    /// Returns the circles that certainly exist; records uncertain ones as undecided.
    fn circles(&self, evaluator: &Evaluator) -> Vec<Failure> {
        let certain = |edge: &Edge| edge.unknown.is_none();
        let edges = self.numbers(certain);
        let found = circle::circles(&edges);
        let failures = found
            .iter()
            .map(|members| self.failure(evaluator, members, &circle::way(&edges, members)));
        let failures = failures.collect();
        let any = self.numbers(|_| true);
        for members in circle::circles(&any) {
            let way = circle::way(&any, &members);
            let unknown = self
                .ways(&way)
                .filter_map(|(_, edge, _)| edge.unknown.clone());
            if let Some(unknown) = Unknown::all(unknown) {
                evaluator.undecided(&unknown, self.failure(evaluator, &members, &way));
            }
        }
        failures
    }

    fn numbers(&self, counts: impl Fn(&Edge) -> bool) -> Vec<Vec<usize>> {
        let targets = |edges: &IndexMap<usize, Edge>| {
            edges
                .iter()
                .filter(|(_, edge)| counts(edge))
                .map(|(target, _)| *target)
                .collect()
        };
        self.edges.iter().map(targets).collect()
    }

    /// Returns the edges along the path of a circle.
    fn ways<'w>(&'w self, way: &'w [usize]) -> impl Iterator<Item = (usize, &'w Edge, usize)> {
        let ends = way.iter().zip(way.iter().cycle().skip(1));
        ends.filter_map(|(from, to)| self.edges[*from].get(to).map(|edge| (*from, edge, *to)))
    }

    fn failure(&self, evaluator: &Evaluator, members: &[usize], way: &[usize]) -> Failure {
        let ids = members
            .iter()
            .map(|member| self.ids[*member])
            .collect::<Vec<_>>()
            .join(", ");
        let at = self
            .ways(way)
            .next()
            .map_or(evaluator.root.at, |(_, edge, _)| edge.at);
        let around = note(around(way.iter().map(|node| self.ids[*node])), None);
        let edges = self.ways(way).take(MAX_NOTES).map(|(from, edge, to)| {
            let verb = if edge.explicit {
                "depends on"
            } else {
                "refers to"
            };
            let message = format!("{} {verb} {} here", self.ids[from], self.ids[to]);
            note(message, Some(evaluator.location(edge.at)))
        });
        let notes = std::iter::once(around).chain(edges).collect();
        Failure {
            notes,
            ..evaluator.failure(
                at,
                format!("Circular dependency between resources: [{ids}]"),
            )
        }
    }
}

fn note(message: String, at: Option<Location>) -> FailureNote {
    FailureNote {
        message,
        at,
        is_secret: false,
    }
}

/// Formats as `A → B → A`.
fn around<'i>(ids: impl Iterator<Item = &'i str>) -> String {
    let mut ids: Vec<&str> = ids.collect();
    ids.extend(ids.first().copied());
    if ids.len() > MAX_NOTES {
        ids.splice(MAX_NOTES / 2..ids.len() - MAX_NOTES / 2, ["…"]);
    }
    ids.join(" → ")
}

/// Returns circular references between conditions.
fn condition_circles(evaluator: &Evaluator) -> Vec<Failure> {
    let conditions: IndexMap<&str, &(Node, Node)> = evaluator
        .section("Conditions")
        .iter()
        .map(|condition| (&*condition.0.text, condition))
        .collect();
    let asked = |(_, expression): &&(Node, Node)| {
        let mut targets = Vec::new();
        let mut found = |reference: Reference<'_>, _: &BranchState| {
            if matches!(reference.by, ReferenceKind::If | ReferenceKind::Condition) {
                targets.extend(conditions.get_index_of(reference.name));
            }
        };
        let mut walk = ReferenceWalk {
            evaluator,
            found: &mut found,
        };
        walk.conditions(expression, &BranchState::Live);
        walk.node(expression, &BranchState::Live);
        targets
    };
    let edges: Vec<Vec<usize>> = conditions.values().map(asked).collect();
    let failure = |members: &Vec<usize>| {
        let names = |numbers: &[usize]| -> Vec<&str> {
            numbers
                .iter()
                .filter_map(|number| conditions.get_index(*number))
                .map(|(name, _)| *name)
                .collect()
        };
        let at = members
            .first()
            .and_then(|first| conditions.get_index(*first))
            .map(|(_, (name, _))| name.at);
        let message = format!(
            "Template error: Found circular condition dependency: [{}]",
            names(members).join(", ")
        );
        let note = note(
            around(names(&circle::way(&edges, members)).into_iter()),
            None,
        );
        Failure {
            notes: vec![note],
            ..evaluator.failure(at.unwrap_or(evaluator.root.at), message)
        }
    };
    circle::circles(&edges).iter().map(failure).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::template::evaluate::tests::{parameter_values, place, stack, template};
    use crate::template::{OfflineEnvironment, Templates};

    const SECTIONS: &str = "
Parameters: {Env: {Type: String, Default: dev}}
Conditions:
  Yes: !Equals [!Ref Env, dev]
  No: !Not [!Condition Yes]
  Ours: !Equals [!Ref AWS::AccountId, '1']
";

    /// Returns the failures of a template with these resources as `line: message`, followed by
    /// undecided ones as `line? message (why)`. The first resource is on line 8.
    fn check(resources: &str, expect: &[&str]) {
        let text = format!("{SECTIONS}Resources:\n{resources}");
        let mut found = problems_of(&text);
        let undecided = stack(&text, "us-east-1", &[]).undecided.into_iter();
        let undecided = undecided.map(|it| {
            format!(
                "{}? {} ({})",
                it.failure.at.at.line, it.failure.message, it.unknown
            )
        });
        found.extend(undecided);
        assert_eq!(found, expect, "{text}");
    }

    fn problems_of(text: &str) -> Vec<String> {
        let problems = with_evaluator(text, problems);
        problems
            .iter()
            .map(|it| format!("{}: {}", it.at.at.line, it.message))
            .collect()
    }

    #[test]
    fn circles_are_named_once_each() {
        check(
            "  A: {Type: T, Properties: {P: !Ref B}}\n  B: {Type: T, Properties: {P: !GetAtt \
             C.Arn}}\n  \
             C: {Type: T, Metadata: {M: !Sub 'x${A.Arn}'}}\n  D: {Type: T, DependsOn: [A, E]}\n  \
             E: {Type: T, DependsOn: D}\n  F: {Type: T, UpdatePolicy: {U: !Ref F}}\n  G: {Type: T, \
             DependsOn: F}\n",
            &[
                "8: Circular dependency between resources: [A, B, C]",
                "11: Circular dependency between resources: [D, E]",
                "13: Circular dependency between resources: [F]",
            ],
        );
        check(
            "  A: {Type: T}\n  B: {Type: T, DependsOn: A, Properties: {P: [!Ref A, !Ref A]}}\n",
            &[],
        );
    }

    #[test]
    fn a_circle_is_reported_with_its_locations() {
        let text = "Resources:\n  A: {Type: T, DependsOn: B}\n  B: {Type: T, Properties: {P: !Ref \
            C, Q: !Ref A}}\n  \
                    C: {Type: T, Properties: {P: !Ref A}}\n";
        let stack = stack(text, "us-east-1", &[]);
        let [failure] = stack.failures.as_slice() else {
            panic!("{:?}", stack.failures)
        };
        assert_eq!(
            failure.message,
            "Circular dependency between resources: [A, B, C]"
        );
        let place = |note: &FailureNote| note.at.as_ref().map(|it| (it.at.line, it.at.column));
        let notes: Vec<_> = failure
            .notes
            .iter()
            .map(|note| (note.message.as_str(), place(note)))
            .collect();
        assert_eq!(
            notes,
            [
                ("A → B → A", None),
                ("A depends on B here", Some((2, 27))),
                ("B refers to A here", Some((3, 48))),
            ]
        );
        assert_eq!((failure.at.at.line, failure.at.at.column), (2, 27));
    }

    #[test]
    fn conditions_make_circles_uncertain() {
        check(
            "  A: {Type: T, Properties: {P: !If [No, !Ref B, x]}}\n  B: {Type: T, DependsOn: A}\n",
            &[],
        );
        check(
            "  A: {Type: T, DependsOn: B}\n  B: {Type: T, Condition: No, DependsOn: A}\n",
            &[],
        );
        let circle = "Circular dependency between resources: [A, B]";
        check(
            "  A: {Type: T, Properties: {P: !If [Yes, !Ref B, x]}}\n  B: {Type: T, DependsOn: A}\n",
            &[&format!("8: {circle}")],
        );
        let open = format!("8? {circle} (AWS::AccountId)");
        check(
            "  A: {Type: T, Properties: {P: !If [Ours, !Ref B, x]}}\n  B: {Type: T, DependsOn: \
             A}\n",
            &[&open],
        );
        check(
            "  A: {Type: T, DependsOn: B}\n  B: {Type: T, Condition: Ours, DependsOn: A}\n",
            &[&open],
        );
        // A certain reference and an uncertain one.
        check(
            "  A: {Type: T, Properties: {P: !If [Ours, !Ref B, x], Q: !Ref B}}\n  B: {Type: T, \
             DependsOn: A}\n",
            &[&format!("8: {circle}")],
        );
    }

    #[test]
    fn unresolved_names_are_one_list() {
        check(
            "  A: {Type: T, Properties: {P: !Ref X, Q: !Sub '${Y} ${Env} ${A.B.C}', R: !Ref X}, \
             DependsOn: [B, Z]}\n  \
             B: {Type: T, Properties: {P: !GetAtt W.Arn, Q: !GetAtt Env.Arn, R: !Sub '${V.Arn}', \
             S: !Ref AWS::Stage}}\n\
             Outputs:\n  O: {Value: !Ref Z, Export: {Name: !Sub '${Y}'}}\n  P: {Value: !GetAtt \
             W.Arn}\n",
            &[
                "9: Template error: instance of Fn::GetAtt references undefined resource W",
                "9: Template error: instance of Fn::GetAtt references undefined resource Env",
                "9: Template error: instance of Fn::Sub references invalid resource attribute \
                 V.Arn",
                "8: Template format error: Unresolved resource dependencies [X, Y, Z, AWS::Stage] \
                 in the Resources block \
                 of the template",
                "12: Template error: instance of Fn::GetAtt references undefined resource W",
                "11: Unresolved resource dependencies [Z, Y] in the Outputs block of the template",
                "8: Circular dependency between resources: [A]",
            ],
        );
        check(
            "  A: {Type: T, DependsOn: Env}\n",
            &[
                "8: Template format error: Unresolved resource dependencies [Env] in the Resources \
                 block of the template",
            ],
        );
    }

    #[test]
    fn names_are_looked_up_everywhere_but_only_what_counts_must_exist() {
        let undeclared = "Template format error: Unresolved resource dependencies [X] in the \
            Resources block of the template";
        let line = format!("8: {undeclared}");
        check(
            "  A: {Type: T, Properties: {P: !If [No, !Ref X, x]}}\n",
            &[&line],
        );
        check(
            "  A: {Type: T, Condition: No, Properties: {P: !Ref X}}\n",
            &[&line],
        );
        check(
            "  A: {Type: T, Condition: Ours, Properties: {P: !Ref X}}\n",
            &[&line],
        );

        let gone = "  Gone: {Type: T, Condition: No}\n";
        let unresolved = "Template format error: Unresolved resource dependencies [Gone] in the \
            Resources block of the template";
        let check = |a: &str, expect: &[&str]| check(&format!("{gone}{a}"), expect);
        check(
            "  A: {Type: T, Properties: {P: !Ref Gone}}\n",
            &[&format!("9: {unresolved}")],
        );
        check(
            "  A: {Type: T, Properties: {P: !GetAtt Gone.Arn}}\n",
            &[&format!("9: {unresolved}")],
        );
        check(
            "  A: {Type: T, Properties: {P: !Sub '${Gone.Arn}'}}\n",
            &[&format!("9: {unresolved}")],
        );
        check(
            "  A: {Type: T, Properties: {P: !If [No, !Ref Gone, x]}}\n",
            &[],
        );
        check(
            "  A: {Type: T, Condition: No, Properties: {P: !Ref Gone}}\n",
            &[],
        );
        check("  A: {Type: T, DependsOn: Gone}\n", &[]);
        let open = format!("9? {unresolved} (AWS::AccountId)");
        check(
            "  A: {Type: T, Condition: Ours, Properties: {P: !Ref Gone}}\n",
            &[&open],
        );
        check(
            "  A: {Type: T, Properties: {P: !If [Ours, !Ref Gone, x]}}\n",
            &[&open],
        );
        check(
            "Outputs: {O: {Value: !GetAtt Gone.Arn}}\n",
            &["9: Unresolved resource dependencies [Gone] in the Outputs block of the template"],
        );
        check(
            "Outputs: {O: {Condition: No, Value: !GetAtt Gone.Arn}}\n",
            &[],
        );
    }

    #[test]
    fn further_places_are_notes() {
        let text = "Resources:\n  A: {Type: T, Properties: {P: !Ref X}}\n  B: {Type: T, \
            Properties: {P: !Ref Y}}\n";
        let stack = stack(text, "us-east-1", &[]);
        let notes: Vec<_> = stack
            .failures
            .iter()
            .flat_map(|failure| &failure.notes)
            .collect();
        let [note] = notes.as_slice() else {
            panic!("{notes:?}")
        };
        assert_eq!(note.message, "Y is referred to here");
        assert_eq!(note.at.as_ref().unwrap().to_string(), "t.yaml:3:37");
    }

    #[test]
    fn conditions_name_conditions_and_parameters() {
        let check = |conditions: &str, expect: &[&str]| {
            let text = format!("Conditions:\n{conditions}Resources: {{Q: {{Type: T}}}}\n");
            assert_eq!(problems_of(&text), expect, "{text}");
        };
        check(
            "  A: !Equals [!Ref Q, !Ref X]\n  B: !Equals [!GetAtt Q.Arn, !Ref X]\n",
            &[
                "2: Template format error: Unresolved dependencies [Q, X]. Cannot reference \
                 resources in the Conditions \
               block of the template",
            ],
        );
        check(
            "  A: !Not [!Condition X]\n  B: !Equals [!If [Y, a, b], c]\n  C: !And [!Condition X, \
             !Condition A]\n",
            &[
                "2: Template error: unresolved condition dependency X in Condition",
                "3: Template error: unresolved condition dependency Y in Fn::If",
            ],
        );
        check(
            "  A: !Not [!Condition B]\n  B: !Or [!Condition C, !Equals [a, b]]\n  C: !Not \
             [!Condition A]\n  \
             D: !Condition D\n  E: !Condition A\n  F: !Equals [!If [F, a, b], a]\n",
            &[
                "2: Template error: Found circular condition dependency: [A, B, C]",
                "5: Template error: Found circular condition dependency: [D]",
                "7: Template error: Found circular condition dependency: [F]",
            ],
        );
    }

    #[test]
    fn undeclared_conditions_are_reported() {
        check(
            "  A: {Type: T, Condition: X}\n  B: {Type: T, Condition: X, Properties: {P: !If [Y, a, \
             b]}}\n  \
             C: {Type: T, Condition: No, Properties: {P: !If [No, !If [Z, a, b], c]}}\nOutputs:\n  \
             O: {Condition: W, Value: x}\n",
            &[
                "8: Template format error: Condition X is not defined.",
                "9: Template error: unresolved condition dependency Y in Fn::If",
                "10: Template error: unresolved condition dependency Z in Fn::If",
                "12: Template format error: Condition W is not defined.",
            ],
        );
    }

    fn with_evaluator<T>(text: &str, ask: impl FnOnce(&Evaluator) -> T) -> T {
        let template = template(text);
        let templates = Templates::default();
        let place = place("us-east-1");
        let world = OfflineEnvironment(&templates);
        ask(&crate::template::evaluator(
            &template,
            &place,
            &parameter_values(&[]),
            &world,
        ))
    }

    #[test]
    fn dependencies_and_their_order() {
        let resources = "  D: {Type: T, DependsOn: [C, Gone, A]}\n  \
                         C: {Type: T, Properties: {P: !Sub ['${Own} ${B.Arn}', {Own: !Ref A}], Q: \
                         !If [Ours, !Ref E, x]}}\n  \
                         B: {Type: T, Properties: {P: !GetAtt [A, Arn], Q: !Ref Env, R: !If [No, \
                         !Ref E, x]}}\n  \
                         A: {Type: T}\n  Gone: {Type: T, Condition: No, DependsOn: A}\n  E: {Type: \
                         T, Condition: Ours}\n  \
                         F: {Type: T, DependsOn: F}\n  G: {Type: T, DependsOn: F}\n";
        with_evaluator(&format!("{SECTIONS}Resources:\n{resources}"), |evaluator| {
            let dependencies = dependencies(evaluator);
            let line = |(id, found): (&String, &Vec<Dependency>)| {
                let found = found.iter().map(|it| {
                    let how = if it.explicit {
                        "depends on"
                    } else {
                        "refers to"
                    };
                    let why = it
                        .unknown
                        .as_ref()
                        .map(|it| format!(" if {it}"))
                        .unwrap_or_default();
                    format!("{how} {} in {}{why}", it.on, it.at.at.line)
                });
                format!("{id}: {}", found.collect::<Vec<_>>().join(", "))
            };
            assert_eq!(
                dependencies.iter().map(line).collect::<Vec<_>>(),
                [
                    "D: depends on C in 8, depends on A in 8",
                    "C: refers to A in 9, refers to B in 9, refers to E in 9 if AWS::AccountId",
                    "B: refers to A in 10",
                    "A: ",
                    "E: ",
                    "F: depends on F in 14",
                    "G: depends on F in 15",
                ]
            );
            assert_eq!(order(&dependencies), ["A", "B", "E", "C", "D"]);
        });
    }

    /// As large as a template may be: 2,000 resources, each of which refers to fifty others.
    #[test]
    fn a_hundred_thousand_edges_are_fast() {
        let resource = |from: usize| {
            let names: String = (0..50)
                .map(|step| format!("${{R{}}}", (from + step * 37) % 2_000))
                .collect();
            format!("  R{from}: {{Type: T, Properties: {{P: !Sub '{names}'}}}}\n")
        };
        let text = format!(
            "Resources:\n{}",
            (0..2_000).map(resource).collect::<String>()
        );
        assert!(text.len() < 1_000_000, "{}", text.len());
        with_evaluator(&text, |evaluator| {
            let started = Instant::now();
            let problems = problems(evaluator);
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "{:?}",
                started.elapsed()
            );
            assert_eq!(problems.len(), 1);
            assert!(
                problems[0]
                    .message
                    .starts_with("Circular dependency between resources: [R0, R1, R2, ")
            );
            assert_eq!(
                dependencies(evaluator)
                    .values()
                    .map(Vec::len)
                    .sum::<usize>(),
                100_000
            );
        });
    }
}
