//! The `Conditions` section, and what holds of conditions wherever they stand.
//!
//! All conditions are evaluated before anything is created
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html>),
//! so a failure in one that nobody uses counts.

use indexmap::IndexMap;

use super::{EvaluationScope, Evaluator, Truth};
use crate::template::function;
use crate::template::value::{Failure, Failures, Unknown};
use crate::yaml::Node;

/// What has become of a condition.
#[derive(Clone)]
pub(super) enum State {
    Known(Truth),
    Failed(Failures),
}

impl Evaluator<'_> {
    /// Every condition in the order of the section, and what fails in them.
    pub(super) fn all_conditions(&self) -> (IndexMap<String, Truth>, Vec<Failure>) {
        let mut truths = IndexMap::new();
        let mut failures = Vec::new();
        for (name, expression) in self.section("Conditions") {
            match self.named_condition(&name.text, expression) {
                Ok(truth) => {
                    truths.insert(name.text.to_string(), truth);
                }
                Err(failed) => failures.extend(failed),
            }
        }
        (truths, failures)
    }

    /// A condition by its name. One that fails, isn't declared or stands in a circle is unknown to
    /// its users, since that is told once: by the condition, or by `template::graph`.
    pub(in crate::template) fn condition(&self, name: &str) -> Truth {
        let unknown = || Truth::Unknown(Unknown::asked(format!("condition {name}")));
        let Some((_, expression)) = self.entry("Conditions", name) else {
            return self
                .macros
                .made("Conditions", name)
                .map_or_else(unknown, Truth::Unknown);
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

    fn named_condition(&self, name: &str, expression: &Node) -> Result<Truth, Failures> {
        let state = self.conditions.borrow().get(name).cloned();
        match state {
            Some(State::Known(truth)) => Ok(truth),
            Some(State::Failed(failures)) => Err(failures),
            None => {
                self.begun_conditions.borrow_mut().push(name.to_owned());
                let truth = self.truth(expression, EvaluationScope::Condition);
                self.begun_conditions.borrow_mut().pop();
                let state = truth.clone().map_or_else(State::Failed, State::Known);
                self.conditions.borrow_mut().insert(name.to_owned(), state);
                truth
            }
        }
    }

    /// What a condition expression comes to.
    pub(in crate::template) fn truth(
        &self,
        expression: &Node,
        scope: EvaluationScope,
    ) -> Result<Truth, Failures> {
        let _deeper = self.deeper(expression.at)?;
        self.spend(1, expression.at)?;
        function::truth(self, expression, scope)
    }

    /// Whether what carries a `Condition` key exists.
    pub(in crate::template) fn exists(&self, entry: &Node) -> Result<Truth, Failures> {
        match entry.get("Condition") {
            Some(name) if name.is_scalar() => Ok(self.condition(&name.text)),
            Some(other) => Err(self.fail(
                other.at,
                "Template format error: Every Condition member must be a string.",
            )),
            None => Ok(Truth::True),
        }
    }
}

impl Truth {
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
    pub fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut unknowns = Vec::new();
        for truth in truths {
            match truth {
                Self::True => {}
                Self::False => return Self::False,
                Self::Unknown(unknown) => unknowns.push(unknown),
            }
        }
        Unknown::all(unknowns).map_or(Self::True, Self::Unknown)
    }

    pub fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        Self::all(truths.into_iter().map(Self::not)).not()
    }
}
