//! Finds unresolved names: of parameters, resources and conditions that the template doesn't
//! declare, and of resources that don't exist.
//!
//! CloudFormation resolves names before it evaluates anything, so an undeclared name fails even in
//! a resource whose condition is false and in the branch of `Fn::If` that isn't taken. Evaluation
//! treats such a name as unknown, since it is reported here.

use std::collections::HashSet;
use std::hash::Hash;

use indexmap::IndexMap;

use super::Existing;
use super::references::{BranchState, Reference, ReferenceKind, ReferenceWalk};
use crate::diagnostic::Position;
use crate::template::evaluate::function::is_pseudo_parameter;
use crate::template::evaluate::{ConditionValue, Evaluator};
use crate::template::value::{Failure, FailureNote, Unknown};
use crate::yaml::Node;

/// Maximum number of additional locations reported for a failure.
const MAX_NOTES: usize = 20;

/// Returns failures for all unresolved names, in the order of the blocks that CloudFormation names.
/// Uncertain ones are recorded as undecided.
pub(super) fn unresolved(evaluator: &Evaluator, existing: &Existing) -> Vec<Failure> {
    let mut failures =
        UndeclaredNames::new(evaluator, existing, ReferenceBlock::Conditions).failures();
    failures
        .extend(UndeclaredNames::new(evaluator, existing, ReferenceBlock::Resources).failures());
    failures.extend(UndeclaredNames::new(evaluator, existing, ReferenceBlock::Outputs).failures());
    failures
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReferenceBlock {
    Conditions,
    Resources,
    Outputs,
}

struct UndeclaredNames<'n> {
    evaluator: &'n Evaluator<'n>,
    existing: &'n Existing<'n>,
    parameters: HashSet<&'n str>,
    block: ReferenceBlock,
    /// Names that CloudFormation reports in one list, with the first location of each.
    listed: IndexMap<&'n str, Position>,
    /// Names for the same list that may not be needed.
    open: IndexMap<&'n str, (Position, Unknown)>,
    /// Separate failures, each reported once.
    others: IndexMap<String, Position>,
}

impl<'n> UndeclaredNames<'n> {
    fn new(
        evaluator: &'n Evaluator<'n>,
        existing: &'n Existing<'n>,
        block: ReferenceBlock,
    ) -> Self {
        let parameters = evaluator
            .template
            .parameters
            .iter()
            .map(|parameter| parameter.key.as_str())
            .collect();
        let listed = IndexMap::new();
        let open = IndexMap::new();
        let others = IndexMap::new();
        Self {
            evaluator,
            existing,
            parameters,
            block,
            listed,
            open,
            others,
        }
    }

    fn failures(mut self) -> Vec<Failure> {
        match self.block {
            ReferenceBlock::Conditions => self.conditions(),
            ReferenceBlock::Resources => self.entries("Resources"),
            ReferenceBlock::Outputs => self.entries("Outputs"),
        }
        let evaluator = self.evaluator;
        for (name, (at, unknown)) in &self.open {
            evaluator.undecided(unknown, evaluator.failure(*at, self.message(&[name])));
        }
        let mut failures: Vec<Failure> = self
            .others
            .iter()
            .map(|(message, at)| evaluator.failure(*at, message.as_str()))
            .collect();
        if let Some((_, at)) = self.listed.first() {
            let names: Vec<&str> = self.listed.keys().copied().collect();
            let further = self.listed.iter().skip(1).take(MAX_NOTES);
            let notes = further.map(|(name, at)| FailureNote {
                message: format!("{name} is referred to here"),
                at: Some(evaluator.location(*at)),
                is_secret: false,
            });
            failures.push(Failure {
                notes: notes.collect(),
                ..evaluator.failure(*at, self.message(&names))
            });
        }
        failures
    }

    /// Returns CloudFormation's message for a list of names. For outputs it omits the prefix used
    /// elsewhere.
    fn message(&self, names: &[&str]) -> String {
        let names = names.join(", ");
        match self.block {
            ReferenceBlock::Conditions => format!(
                "Template format error: Unresolved dependencies [{names}]. Cannot reference \
                 resources in the Conditions \
                 block of the template"
            ),
            ReferenceBlock::Resources => format!(
                "Template format error: Unresolved resource dependencies [{names}] in the \
                 Resources block of the template"
            ),
            ReferenceBlock::Outputs => {
                format!(
                    "Unresolved resource dependencies [{names}] in the Outputs block of the \
                     template"
                )
            }
        }
    }

    fn conditions(&mut self) {
        let evaluator = self.evaluator;
        let mut found = |reference: Reference<'n>, _: &BranchState| {
            self.looked_up(&reference, &BranchState::Live)
        };
        let mut walk = ReferenceWalk {
            evaluator,
            found: &mut found,
        };
        for (_, expression) in evaluator.section("Conditions") {
            walk.conditions(expression, &BranchState::Live);
            walk.node(expression, &BranchState::Live);
        }
    }

    fn entries(&mut self, section: &str) {
        let evaluator = self.evaluator;
        for (id, entry) in evaluator.section(section) {
            if let Some(name) = entry.get("Condition").filter(|name| name.is_scalar()) {
                self.condition(name);
            }
            let exists = match section {
                "Resources" => self
                    .existing
                    .get(&*id.text)
                    .cloned()
                    .unwrap_or(ConditionValue::True),
                _ => evaluator.exists(entry).unwrap_or(ConditionValue::False),
            };
            let mut found =
                |reference: Reference<'n>, life: &BranchState| self.looked_up(&reference, life);
            super::entry(
                evaluator,
                entry,
                &BranchState::Live.and(&exists),
                &mut found,
            );
        }
    }

    /// Checks the name in a `Condition` key.
    fn condition(&mut self, name: &'n Node) {
        if !self.is_condition(&name.text) {
            let message = format!(
                "Template format error: Condition {} is not defined.",
                name.text
            );
            once(&mut self.others, message, name.at);
        }
    }

    fn is_condition(&self, name: &str) -> bool {
        self.evaluator.entry("Conditions", name).is_some()
            || self.evaluator.macros.may_have("Conditions", name)
    }

    fn looked_up(&mut self, reference: &Reference<'n>, life: &BranchState) {
        let Reference { name, by, at, .. } = *reference;
        match by {
            ReferenceKind::If | ReferenceKind::Condition if self.is_condition(name) => {}
            ReferenceKind::If => self.other(
                format!("Template error: unresolved condition dependency {name} in Fn::If"),
                at,
            ),
            ReferenceKind::Condition => {
                self.other(
                    format!("Template error: unresolved condition dependency {name} in Condition"),
                    at,
                );
            }
            ReferenceKind::Ref | ReferenceKind::Sub
                if is_pseudo_parameter(name) || self.parameters.contains(name) => {}
            _ if self.block == ReferenceBlock::Conditions => once(&mut self.listed, name, at),
            _ => match self.existing.get(name) {
                Some(ConditionValue::False) if by != ReferenceKind::DependsOn => {
                    self.missing(name, at, life)
                }
                Some(_) => {}
                None if self.evaluator.macros.may_have("Resources", name) => {}
                None => self.undeclared(name, by, at),
            },
        }
    }

    /// Reports a resource whose condition is false.
    fn missing(&mut self, name: &'n str, at: Position, life: &BranchState) {
        match life {
            BranchState::Live => once(&mut self.listed, name, at),
            BranchState::Open(unknown) => once(&mut self.open, name, (at, unknown.clone())),
            BranchState::Dead => {}
        }
    }

    fn undeclared(&mut self, name: &'n str, by: ReferenceKind, at: Position) {
        match by {
            ReferenceKind::GetAtt => {
                self.other(
                    format!(
                        "Template error: instance of Fn::GetAtt references undefined \
                    resource {name}"
                    ),
                    at,
                );
            }
            ReferenceKind::SubAttribute(whole) => {
                let message = format!(
                    "Template error: instance of Fn::Sub references invalid resource attribute \
                     {whole}"
                );
                self.other(message, at);
            }
            _ => once(&mut self.listed, name, at),
        }
    }

    fn other(&mut self, message: String, at: Position) {
        once(&mut self.others, message, at);
    }
}

fn once<K: Hash + Eq, V>(map: &mut IndexMap<K, V>, key: K, value: V) {
    map.entry(key).or_insert(value);
}
