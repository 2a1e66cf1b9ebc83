//! Evaluates the `Conditions` section, and conditions wherever they are used.
//!
//! CloudFormation evaluates all conditions before it creates anything
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html>),
//! so a failure in an unused one counts, too.

use indexmap::IndexMap;

use super::{ConditionValue, EvaluationScope, Evaluator};
use crate::template::evaluate::function;
use crate::template::value::{Failure, Failures, Unknown};
use crate::yaml::Node;

/// The state of a condition's evaluation.
#[derive(Clone)]
pub(super) enum ConditionState {
    Known(ConditionValue),
    Failed(Failures),
}

impl Evaluator<'_> {
    /// Evaluates every condition in the order of the section and returns the failures in them.
    pub(in crate::template) fn all_conditions(
        &self,
    ) -> (IndexMap<String, ConditionValue>, Vec<Failure>) {
        let mut condition_values = IndexMap::new();
        let mut failures = Vec::new();
        for (name, expression) in self.section("Conditions") {
            match self.named_condition(&name.text, expression) {
                Ok(condition_value) => {
                    condition_values.insert(name.text.to_string(), condition_value);
                }
                Err(failed) => failures.extend(failed),
            }
        }
        (condition_values, failures)
    }

    /// Returns the value of a named condition. One that fails, isn't declared or is part of a
    /// circle is unknown to its users, since it is reported only once: with the condition, or by
    /// `template::graph`.
    pub(in crate::template) fn condition(&self, name: &str) -> ConditionValue {
        let unknown = || ConditionValue::Unknown(Unknown::asked(format!("condition {name}")));
        let Some((_, expression)) = self.entry("Conditions", name) else {
            return self
                .macros
                .made("Conditions", name)
                .map_or_else(unknown, ConditionValue::Unknown);
        };
        if self
            .begun_conditions
            .borrow()
            .iter()
            .any(|begun| begun == name)
        {
            return unknown();
        }
        self.named_condition(name, expression)
            .unwrap_or_else(|_| unknown())
    }

    fn named_condition(&self, name: &str, expression: &Node) -> Result<ConditionValue, Failures> {
        let state = self.conditions.borrow().get(name).cloned();
        match state {
            Some(ConditionState::Known(condition_value)) => Ok(condition_value),
            Some(ConditionState::Failed(failures)) => Err(failures),
            None => {
                self.begun_conditions.borrow_mut().push(name.to_owned());
                let condition_value = self.condition_value(expression, EvaluationScope::Condition);
                self.begun_conditions.borrow_mut().pop();
                let state = condition_value
                    .clone()
                    .map_or_else(ConditionState::Failed, ConditionState::Known);
                self.conditions.borrow_mut().insert(name.to_owned(), state);
                condition_value
            }
        }
    }

    /// Evaluates a condition expression.
    pub(in crate::template) fn condition_value(
        &self,
        expression: &Node,
        scope: EvaluationScope,
    ) -> Result<ConditionValue, Failures> {
        let _deeper = self.deeper(expression.at)?;
        self.spend(1, expression.at)?;
        function::condition_value(self, expression, scope)
    }

    /// Returns whether an entry with a `Condition` key exists.
    pub(in crate::template) fn exists(&self, entry: &Node) -> Result<ConditionValue, Failures> {
        match entry.get("Condition") {
            Some(name) if name.is_scalar() => Ok(self.condition(&name.text)),
            Some(other) => Err(self.fail(
                other.at,
                "Template format error: Every Condition member must be a string.",
            )),
            None => Ok(ConditionValue::True),
        }
    }
}

impl ConditionValue {
    /// Converts a boolean.
    pub fn of(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }

    pub(in crate::template) fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            unknown @ Self::Unknown(_) => unknown,
        }
    }

    /// Returns false if one is false; unknown only if the unknown ones decide.
    pub fn all(condition_values: impl IntoIterator<Item = Self>) -> Self {
        let mut unknowns = Vec::new();
        for condition_value in condition_values {
            match condition_value {
                Self::True => {}
                Self::False => return Self::False,
                Self::Unknown(unknown) => unknowns.push(unknown),
            }
        }
        Unknown::all(unknowns).map_or(Self::True, Self::Unknown)
    }

    /// Returns true if one is true; unknown only if the unknown ones decide.
    pub fn any(condition_values: impl IntoIterator<Item = Self>) -> Self {
        Self::all(condition_values.into_iter().map(Self::not)).not()
    }
}
