//! Finds the names that a part of the template refers to, and whether each reference counts: the
//! branch of `Fn::If` that isn't taken adds no dependencies, but its names must be declared
//! nevertheless.

use crate::diagnostic::Position;
use crate::template::evaluate::{ConditionValue, Evaluator};
use crate::template::expression::{
    Attribute, Expression, Function, FunctionCall, GetAtt, If, Sub, loop_name,
};
use crate::template::value::Unknown;
use crate::yaml::{Node, NodeValue};

/// A name and the position of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference<'n> {
    /// The name of a parameter or a resource; for [`ReferenceKind::If`] and
    /// [`ReferenceKind::Condition`], of a condition.
    pub name: &'n str,
    /// The attribute of a resource, such as `Arn`; empty if there is none or it isn't a literal.
    pub attribute: &'n str,
    pub by: ReferenceKind<'n>,
    pub at: Position,
}

/// The function or key that contains the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReferenceKind<'n> {
    DependsOn,
    Ref,
    GetAtt,
    /// `${Name}`
    Sub,
    /// `${Name.Attribute}`, as written.
    SubAttribute(&'n str),
    If,
    /// `Condition` in a condition expression.
    Condition,
}

/// Whether a part of the template is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BranchState {
    Live,
    /// Depends on something unknown.
    Open(Unknown),
    /// Excluded by a condition.
    Dead,
}

impl BranchState {
    /// Returns the state of a nested branch.
    pub(super) fn and(&self, condition_value: &ConditionValue) -> Self {
        match (self, condition_value) {
            (Self::Dead, _) | (_, ConditionValue::False) => Self::Dead,
            (life, ConditionValue::True) => life.clone(),
            (Self::Live, ConditionValue::Unknown(unknown)) => Self::Open(unknown.clone()),
            (Self::Open(one), ConditionValue::Unknown(other)) => {
                Self::Open(one.clone().and(other.clone()))
            }
        }
    }
}

/// Visits an expression and passes every reference in it to `found`, with the state of its branch.
pub(super) struct ReferenceWalk<'w, 'n> {
    pub evaluator: &'w Evaluator<'w>,
    pub found: &'w mut dyn FnMut(Reference<'n>, &BranchState),
}

impl<'n> ReferenceWalk<'_, 'n> {
    pub(super) fn node(&mut self, node: &'n Node, life: &BranchState) {
        match &node.value {
            NodeValue::Sequence(items) => items.iter().for_each(|item| self.node(item, life)),
            NodeValue::Mapping(_) if self.function(node, life) => {}
            NodeValue::Mapping(entries) => {
                // A remaining loop isn't valid in this template.
                let entries = entries
                    .iter()
                    .filter(|(key, _)| loop_name(&key.text).is_none());
                entries.for_each(|(_, value)| self.node(value, life));
            }
            _ => {}
        }
    }

    /// Visits a function that contains references; returns false for other nodes.
    fn function(&mut self, node: &'n Node, life: &BranchState) -> bool {
        match Expression::of(node) {
            Expression::Ref(name) if name.is_scalar() => {
                self.tell((&name.text, ""), ReferenceKind::Ref, name.at, life)
            }
            Expression::GetAtt(it) => self.get_att(it, life),
            Expression::Sub(sub) => self.sub(sub, life),
            Expression::If(choice) if choice.condition.is_scalar() => self.choice(choice, life),
            // How a macro uses its arguments is unknown.
            Expression::Call(FunctionCall {
                function: Some(Function::GetAtt | Function::Transform),
                ..
            }) => {}
            _ => return false,
        }
        true
    }

    fn get_att(&mut self, it: GetAtt<'n>, life: &BranchState) {
        match it.attribute {
            Attribute::Text { id, name } => {
                self.tell((id, name), ReferenceKind::GetAtt, it.at, life)
            }
            Attribute::List { id, names } => {
                let name = names
                    .first()
                    .filter(|name| name.is_scalar())
                    .map_or("", |name| &name.text);
                if id.is_scalar() {
                    self.tell((&id.text, name), ReferenceKind::GetAtt, it.at, life);
                } else {
                    self.node(id, life);
                }
                names.iter().for_each(|name| self.node(name, life));
            }
        }
    }

    fn sub(&mut self, sub: Sub<'n>, life: &BranchState) {
        sub.own()
            .iter()
            .for_each(|(_, value)| self.node(value, life));
        for name in sub
            .segments()
            .names()
            .filter(|name| sub.variable(name).is_none())
        {
            match name.split_once('.') {
                Some(found) => {
                    self.tell(found, ReferenceKind::SubAttribute(name), sub.text.at, life)
                }
                None => self.tell((name, ""), ReferenceKind::Sub, sub.text.at, life),
            }
        }
    }

    fn choice(&mut self, choice: If<'n>, life: &BranchState) {
        let name = choice.condition;
        self.tell((&name.text, ""), ReferenceKind::If, name.at, life);
        let condition_value = self.evaluator.condition(&name.text);
        self.node(choice.yes, &life.and(&condition_value));
        self.node(choice.no, &life.and(&condition_value.not()));
    }

    /// Visits the conditions in a condition expression.
    pub(super) fn conditions(&mut self, expression: &'n Node, life: &BranchState) {
        if let Some(FunctionCall {
            function: Some(Function::Condition),
            argument,
            ..
        }) = FunctionCall::of(expression)
            && argument.is_scalar()
        {
            self.tell(
                (&argument.text, ""),
                ReferenceKind::Condition,
                argument.at,
                life,
            );
        }
        let items = expression.as_sequence().unwrap_or_default().iter();
        items
            .chain(expression.entries().iter().map(|(_, value)| value))
            .for_each(|it| self.conditions(it, life));
    }

    pub(super) fn depends_on(&mut self, node: &'n Node, life: &BranchState) {
        let ids = node.as_sequence().unwrap_or(std::slice::from_ref(node));
        for id in ids.iter().filter(|id| id.is_scalar()) {
            self.tell((&id.text, ""), ReferenceKind::DependsOn, id.at, life);
        }
    }

    fn tell(
        &mut self,
        (name, attribute): (&'n str, &'n str),
        by: ReferenceKind<'n>,
        at: Position,
        life: &BranchState,
    ) {
        if !name.is_empty() {
            (self.found)(
                Reference {
                    name,
                    attribute,
                    by,
                    at,
                },
                life,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::evaluate::tests::{parameter_values, place, template};
    use crate::template::{OfflineEnvironment, Templates};

    /// Returns every reference of the property `P`, one per line, with its state unless it is live.
    fn check(value: &str, expect: &[&str]) {
        let text = format!(
            "Conditions:\n  Yes: !Equals [a, a]\n  Ours: !Equals [!Ref AWS::AccountId, '1']\n  \
             Round: !Not [!Condition Round]\nResources:\n  R: {{Type: T, Properties: {{P: \
             {value}}}}}\n"
        );
        let template = template(&text);
        let templates = Templates::default();
        let place = place("us-east-1");
        let world = OfflineEnvironment(&templates);
        let evaluator =
            crate::template::evaluator(&template, &place, &parameter_values(&[]), &world);
        let mut said = Vec::new();
        let mut found = |reference: Reference<'_>, life: &BranchState| {
            let life = match life {
                BranchState::Live => String::new(),
                BranchState::Open(unknown) => format!(" if {unknown}"),
                BranchState::Dead => " not".to_owned(),
            };
            said.push(format!("{:?} {}{life}", reference.by, reference.name));
        };
        let property = template
            .root
            .get("Resources")
            .and_then(|it| it.get("R"))
            .and_then(|it| it.get("Properties"));
        ReferenceWalk {
            evaluator: &evaluator,
            found: &mut found,
        }
        .node(property.unwrap(), &BranchState::Live);
        assert_eq!(said, expect, "{value}");
    }

    #[test]
    fn every_form() {
        check("!Ref A", &["Ref A"]);
        check("[{Ref: A}, {B: !Ref C}]", &["Ref A", "Ref C"]);
        check("!GetAtt A.B.C", &["GetAtt A"]);
        check("!GetAtt [A, !Ref B]", &["GetAtt A", "Ref B"]);
        check("!GetAtt A", &[]);
        check(
            "!Sub '${A} ${B.C.D} ${!E} ${F::G} $H {I} ${J'",
            &["Sub A", "SubAttribute(\"B.C.D\") B", "Sub F::G"],
        );
        check("!Sub '${A-b} ${} ${ C }'", &["Sub C"]);
        check(
            "!Sub ['${A} ${B} ${B}', {A: !Ref C}]",
            &["Ref C", "Sub B", "Sub B"],
        );
        check("!Join ['', [!Ref A, x]]", &["Ref A"]);
        check("{Ref: A, Fn::GetAtt: B.C}", &[]);
        check("{Ref: [A]}", &[]);
        check("{Condition: {StringEquals: {a: !Ref A}}}", &["Ref A"]);
        check("!Transform {Name: M, Parameters: {P: !Ref A}}", &[]);
        check(
            "{Fn::ForEach::L: [X, [a], {'${X}': !Ref X}], B: !Ref A}",
            &["Ref A"],
        );
    }

    #[test]
    fn branches() {
        check(
            "!If [Yes, !Ref A, !Ref B]",
            &["If Yes", "Ref A", "Ref B not"],
        );
        check(
            "!If [Ours, !Ref A, B]",
            &["If Ours", "Ref A if AWS::AccountId"],
        );
        check(
            "!If [Yes, !Ref C, !If [Ours, !Ref A, !Ref B]]",
            &["If Yes", "Ref C", "If Ours not", "Ref A not", "Ref B not"],
        );
        check(
            "!If [Ours, !If [Yes, !Ref A, !Ref B], C]",
            &[
                "If Ours",
                "If Yes if AWS::AccountId",
                "Ref A if AWS::AccountId",
                "Ref B not",
            ],
        );
        // Names are found even in malformed functions.
        check(
            "!If [Gone, !Ref A, !Ref B]",
            &[
                "If Gone",
                "Ref A if condition Gone",
                "Ref B if condition Gone",
            ],
        );
        check(
            "!If [Round, !Ref A, B]",
            &["If Round", "Ref A if condition Round"],
        );
        check("!If [[Yes], !Ref A, B]", &["Ref A"]);
        check("!If [Yes, !Ref A]", &["Ref A"]);
    }
}
