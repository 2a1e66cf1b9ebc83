//! The `Conditions` section, and what holds of conditions wherever they stand.
//!
//! All conditions are evaluated before anything is created
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html>),
//! so a failure in one that nobody uses counts.

use indexmap::IndexMap;

use super::{ConditionValue, EvaluationScope, Evaluator};
use crate::template::evaluate::function;
use crate::template::value::{Failure, Failures, Unknown};
use crate::yaml::Node;

/// What has become of a condition.
#[derive(Clone)]
pub(super) enum ConditionState {
    Known(ConditionValue),
    Failed(Failures),
}

impl Evaluator<'_> {
    /// Every condition in the order of the section, and what fails in them.
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

    /// A condition by its name. One that fails, isn't declared or stands in a circle is unknown to
    /// its users, since that is told once: by the condition, or by `template::graph`.
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

    /// What a condition expression comes to.
    pub(in crate::template) fn condition_value(
        &self,
        expression: &Node,
        scope: EvaluationScope,
    ) -> Result<ConditionValue, Failures> {
        let _deeper = self.deeper(expression.at)?;
        self.spend(1, expression.at)?;
        function::condition_value(self, expression, scope)
    }

    /// Whether what carries a `Condition` key exists.
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

    /// False as soon as one is; unknown only if it hangs on the unknown ones.
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

    pub fn any(condition_values: impl IntoIterator<Item = Self>) -> Self {
        Self::all(condition_values.into_iter().map(Self::not)).not()
    }
}
