//! Evaluates the `Resources` section: which resources exist and what they are created with
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html>).

use std::borrow::Cow;
use std::rc::Rc;

use indexmap::IndexMap;

use super::dynamic_references::misplaced_secrets;
use super::{ConditionValue, EvaluatedResource, EvaluatedStack, EvaluationScope, Evaluator, Value};
use crate::template::evaluate::function;
use crate::template::expression::FunctionCall;
use crate::template::value::{Evaluated, Failure, Failures, NestingStack};
use crate::yaml::Node;

/// The resource type of a nested stack.
pub(super) const STACK: &str = "AWS::CloudFormation::Stack";

/// Resource attributes that are policies, with their allowed values. They may be functions, with
/// and without AWS::LanguageExtensions, that don't depend on resources, other stacks or zones
/// (<https://github.com/aws-cloudformation/cfn-lint/pull/2784>,
/// <https://github.com/aws-cloudformation/cfn-lint/issues/2915>).
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html>
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatereplacepolicy.html>
const POLICIES: [(&str, &[&str]); 2] = [
    (
        "DeletionPolicy",
        &["Delete", "Retain", "RetainExceptOnCreate", "Snapshot"],
    ),
    ("UpdateReplacePolicy", &["Delete", "Retain", "Snapshot"]),
];

impl Evaluator<'_> {
    /// Evaluates the resources that exist or may exist. Failures in those that certainly exist are
    /// added to `failures`.
    pub(in crate::template) fn all_resources(
        &self,
        failures: &mut Vec<Failure>,
    ) -> IndexMap<String, EvaluatedResource> {
        let resources = self.existing("Resources", failures, |id, entry, exists, failures| {
            self.resource(id, entry, exists, failures)
        });
        failures.extend(self.misplaced_failure(&self.misplaced.borrow()));
        resources
    }

    /// Evaluates a single resource; returns `None` if the template has no such resource or its
    /// condition is false.
    ///
    /// # Errors
    /// All failures in it.
    pub fn one_resource(&self, id: &str) -> Result<Option<EvaluatedResource>, Vec<Failure>> {
        let Some((key, entry)) = self.entry("Resources", id) else {
            return Ok(None);
        };
        let exists = self
            .exists(entry)
            .map_err(|failed| failed.into_iter().collect::<Vec<_>>())?;
        if exists == ConditionValue::False {
            return Ok(None);
        }
        let mut failures = Vec::new();
        let resource = self.resource(key, entry, exists, &mut failures);
        if failures.is_empty() {
            Ok(Some(resource))
        } else {
            Err(failures)
        }
    }

    /// Evaluates a section's entries that exist or may exist with `make`.
    pub(super) fn existing<T>(
        &self,
        section: &str,
        failures: &mut Vec<Failure>,
        make: impl Fn(&Node, &Node, ConditionValue, &mut Vec<Failure>) -> T,
    ) -> IndexMap<String, T> {
        let mut made = IndexMap::new();
        for (key, entry) in self.section(section) {
            match self.exists(entry) {
                Ok(ConditionValue::False) => {}
                Ok(exists) => {
                    made.insert(key.text.to_string(), make(key, entry, exists, failures));
                }
                Err(failed) => failures.extend(failed),
            }
        }
        made
    }

    /// Evaluates an entry's members except `Condition` with `value`; members that fail are left
    /// out, and their failures are recorded.
    pub(super) fn body(
        &self,
        entry: &Node,
        exists: &ConditionValue,
        failures: &mut Vec<Failure>,
        value: impl Fn(&str, &Node) -> Evaluated,
    ) -> IndexMap<String, Value> {
        let mut body = IndexMap::new();
        for (key, node) in entry
            .entries()
            .iter()
            .filter(|(key, _)| &*key.text != "Condition")
        {
            match value(&key.text, node) {
                Ok(Value::NoValue) => {}
                Ok(value) => {
                    body.insert(key.text.to_string(), value);
                }
                Err(failed) => self.blame(failed, exists, failures),
            }
        }
        body
    }

    fn resource(
        &self,
        id: &Node,
        entry: &Node,
        exists: ConditionValue,
        failures: &mut Vec<Failure>,
    ) -> EvaluatedResource {
        let kind = entry
            .get("Type")
            .map(|kind| kind.text.to_string())
            .unwrap_or_default();
        let misplaced_before = self.misplaced.borrow().len();
        let body = self.body(entry, &exists, failures, |key, node| {
            self.attribute_of_entry(&id.text, &kind, key, node)
        });
        if let ConditionValue::Unknown(unknown) = &exists {
            let misplaced = self.misplaced.borrow_mut().split_off(misplaced_before);
            self.misplaced_failure(&misplaced)
                .into_iter()
                .for_each(|failure| self.undecided(unknown, failure));
        }
        let nested = (kind == STACK)
            .then(|| self.nested_stack(&id.text))
            .flatten();
        if let Some(stack) = &nested {
            self.take_over(stack, id, entry, &exists, failures);
        }
        let has_properties = entry.get("Properties").is_some();
        EvaluatedResource {
            kind,
            at: self.location(id.at),
            exists,
            body,
            has_properties,
            nested,
        }
    }

    /// Returns a resource's type; empty if it has none.
    pub(in crate::template) fn resource_type(&self, id: &str) -> &str {
        self.entry("Resources", id)
            .and_then(|(_, entry)| entry.get("Type"))
            .map_or("", |kind| &*kind.text)
    }

    /// Returns whether a resource exists, or `None` if the template doesn't declare it.
    pub(in crate::template) fn resource_exists(&self, id: &str) -> Option<ConditionValue> {
        let (_, entry) = self.entry("Resources", id)?;
        let condition = entry.get("Condition").filter(|name| name.is_scalar());
        Some(condition.map_or(ConditionValue::True, |name| self.condition(&name.text)))
    }

    fn attribute_of_entry(&self, id: &str, kind: &str, key: &str, node: &Node) -> Evaluated {
        if let Some((_, allowed)) = POLICIES.iter().find(|(policy, _)| *policy == key) {
            return self.policy(id, key, allowed, node);
        }
        let value = self.value(node, EvaluationScope::Stack)?;
        if key != "Properties" {
            return Ok(value);
        }
        let misplaced = misplaced_secrets(kind, &value, node.at);
        if misplaced.is_empty() {
            return self.resolved(value, node.at);
        }
        // CloudFormation resolves nothing in such a template.
        self.misplaced.borrow_mut().extend(misplaced);
        Ok(value)
    }

    /// Evaluates a policy: a string, or a function whose value is known before anything is created.
    fn policy(&self, id: &str, key: &str, allowed: &[&str], node: &Node) -> Evaluated {
        let malformed = || {
            let message = format!("Template format error: Every {key} member must be a string.");
            self.fail(node.at, message)
        };
        let is_function = FunctionCall::of_value(node).is_some();
        if !node.is_scalar() && !is_function || function::depends_on_others(self, node) {
            return Err(malformed());
        }
        let value = match self.value(node, EvaluationScope::Stack)? {
            Value::Unknown(unknown) => return Ok(unknown.into()),
            value => value.as_text().ok_or_else(malformed)?,
        };
        if !allowed.contains(&value.as_str()) {
            let message =
                format!("Template format error: Unrecognized {key} {value} for resource {id}");
            return Err(self.fail(node.at, message));
        }
        Ok(Value::String(value))
    }

    /// Records failures: of an entry that certainly exists as failures, of one that may exist as
    /// undecided.
    pub(super) fn blame(
        &self,
        failed: Failures,
        exists: &ConditionValue,
        failures: &mut Vec<Failure>,
    ) {
        match exists {
            ConditionValue::Unknown(unknown) => failed
                .into_iter()
                .for_each(|failure| self.undecided(unknown, failure)),
            ConditionValue::True | ConditionValue::False => failures.extend(failed),
        }
    }

    /// Adds the failures of a nested stack.
    fn take_over(
        &self,
        stack: &Rc<EvaluatedStack>,
        id: &Node,
        entry: &Node,
        exists: &ConditionValue,
        failures: &mut Vec<Failure>,
    ) {
        let url = entry
            .get("Properties")
            .and_then(|properties| properties.get("TemplateURL"));
        let nested_in = NestingStack {
            logical_id: id.text.to_string(),
            at: self.location(url.map_or(id.at, |url| url.at)),
        };
        let mut stack = EvaluatedStack {
            failures: stack.failures.clone(),
            undecided: stack.undecided.clone(),
            ..EvaluatedStack::default()
        };
        stack.nest_in(&nested_in);
        if let ConditionValue::Unknown(unknown) = exists {
            stack.hang_on(unknown);
        }
        failures.append(&mut stack.failures);
        self.undecided.borrow_mut().append(&mut stack.undecided);
    }
}

impl EvaluatedResource {
    /// Returns the properties that the resource is created with, empty if it has no `Properties`;
    /// `None` if they failed or are unknown.
    pub fn created_with(&self) -> Option<Cow<'_, IndexMap<String, Value>>> {
        match self.properties() {
            Some(properties) => Some(Cow::Borrowed(properties)),
            None => (!self.has_properties).then(|| Cow::Owned(IndexMap::new())),
        }
    }

    /// Returns the evaluated properties, or `None` if there are none.
    pub fn properties(&self) -> Option<&IndexMap<String, Value>> {
        match self.body.get("Properties") {
            Some(Value::Map(properties)) => Some(properties),
            _ => None,
        }
    }
}
