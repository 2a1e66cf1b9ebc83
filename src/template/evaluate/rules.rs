//! Evaluates the `Rules` section: assertions about parameters, checked before anything is created
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html>).

use super::{ConditionValue, EvaluationScope, Evaluator};
use crate::template::expression::{Function, FunctionCall};
use crate::template::value::{Failure, Failures};
use crate::yaml::Node;

/// The functions that rules may use. CloudFormation refuses `Fn::If`, although the documentation
/// lists it.
const ALLOWED: [Function; 11] = [
    Function::Ref,
    Function::And,
    Function::Contains,
    Function::EachMemberEquals,
    Function::EachMemberIn,
    Function::Equals,
    Function::Not,
    Function::Or,
    Function::RefAll,
    Function::ValueOf,
    Function::ValueOfAll,
];

impl Evaluator<'_> {
    /// Returns the assertions that fail, in the order of the section. One that depends on something
    /// unknown is undecided.
    pub(in crate::template) fn broken_rules(&self) -> Vec<Failure> {
        let mut failures = self.misplaced();
        // Functions that rules don't support make the whole template invalid.
        if !failures.is_empty() {
            return failures;
        }
        let condition_value = |condition| self.condition_value(condition, EvaluationScope::Rule);
        for (name, rule) in self.section("Rules") {
            match rule
                .get("RuleCondition")
                .map_or(Ok(ConditionValue::True), condition_value)
            {
                Ok(ConditionValue::False) => {}
                Ok(applies) => {
                    let assertions = rule
                        .get("Assertions")
                        .and_then(Node::as_sequence)
                        .unwrap_or_default();
                    for (number, assertion) in (1..).zip(assertions) {
                        if let Err(failed) = self.assertion(&name.text, number, assertion) {
                            self.blame(failed, &applies, &mut failures);
                        }
                    }
                }
                Err(failed) => failures.extend(failed),
            }
        }
        failures
    }

    /// Returns the functions that rules don't support, and references to undeclared parameters.
    fn misplaced(&self) -> Vec<Failure> {
        let mut functions = Vec::new();
        let mut undeclared = Vec::new();
        let mut open: Vec<&Node> = self.root.get("Rules").into_iter().collect();
        while let Some(node) = open.pop() {
            if let Some(call) = FunctionCall::of(node) {
                if !call
                    .function
                    .is_some_and(|function| ALLOWED.contains(&function))
                {
                    functions.push((call.name, call.argument.at));
                } else if call.function == Some(Function::Ref)
                    && !self.is_parameter(&call.argument.text)
                {
                    undeclared.push(call.argument);
                }
            }
            let children = node.as_sequence().unwrap_or_default().iter().rev();
            open.extend(children.chain(node.entries().iter().rev().map(|(_, value)| value)));
        }
        let mut failures = Vec::new();
        if let Some((_, at)) = functions.first() {
            let names = distinct(functions.iter().map(|(function, _)| *function));
            let message = format!(
                "Template format error: Following functions are not supported in the Rules block \
                 of the template: [{names}]"
            );
            failures.push(self.failure(*at, message));
        }
        if let Some(first) = undeclared.first() {
            let names = distinct(undeclared.iter().map(|name| &*name.text));
            let message = format!(
                "Template format error: Rules block references undeclared parameters: [{names}]"
            );
            failures.push(self.failure(first.at, message));
        }
        failures
    }

    fn is_parameter(&self, name: &str) -> bool {
        name.starts_with("AWS::")
            || self
                .template
                .parameters
                .iter()
                .any(|parameter| parameter.key == name)
    }

    /// Evaluates an assertion. CloudFormation's message for a false assertion isn't confirmed; the
    /// other messages are CloudFormation's.
    fn assertion(&self, rule: &str, number: usize, assertion: &Node) -> Result<(), Failures> {
        let Some(assert) = assertion.get("Assert") else {
            return Ok(());
        };
        let said = || {
            let description = assertion
                .get("AssertDescription")
                .filter(|it| it.is_scalar());
            description.map(|it| it.text.to_string())
        };
        let broken = || {
            let said = said().unwrap_or_else(|| format!("assertion {number} is false"));
            self.failure(
                assert.at,
                format!("Template error: rule {rule} failed: {said}"),
            )
        };
        match self.condition_value(assert, EvaluationScope::Rule)? {
            ConditionValue::True => Ok(()),
            ConditionValue::False => Err(broken().into()),
            ConditionValue::Unknown(unknown) => {
                let said = said().map(|said| format!(": {said}")).unwrap_or_default();
                let requirement = format!("rule `{rule}` holds for {unknown}{said}");
                self.required(&unknown, broken(), requirement);
                Ok(())
            }
        }
    }
}

/// Returns each name once, separated as in CloudFormation's messages.
fn distinct<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: indexmap::IndexSet<&str> = names.collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{said, stack};

    #[test]
    fn unsupported_functions_in_rules_are_refused() {
        let text = "
Rules:
  R:
    RuleCondition: !Condition C
    Assertions:
      - Assert: !Equals [!Sub a, !Ref Nobody]
      - Assert: !Equals [!Sub a, !Ref Nobody]
Resources: {Q: {Type: T}}
";
        assert_eq!(
            said(&stack(text, "us-east-1", &[])),
            [
                "4: Template format error: Following functions are not supported in the Rules \
                 block of the template: \
                 [Condition, Fn::Sub]",
                "6: Template format error: Rules block references undeclared parameters: [Nobody]",
            ]
        );
    }

    #[test]
    fn a_rule_holds_where_its_condition_does() {
        let text = "
Parameters: {Env: {Type: String, Default: dev}}
Rules:
  OnlyThere:
    RuleCondition: !Equals [!Ref Env, prod]
    Assertions:
      - Assert: !Equals [!Ref AWS::Region, us-east-1]
        AssertDescription: production is in us-east-1
      - {Assert: !Not [!Equals [!Ref Env, prod]]}
      - {Assert: !Equals [!Ref AWS::AccountId, '1'], AssertDescription: ours alone}
Resources: {Q: {Type: T}}
";
        assert_eq!(said(&stack(text, "eu-west-1", &[])), [""; 0]);
        let stack = stack(text, "eu-west-1", &[("Env", "prod")]);
        assert_eq!(
            said(&stack),
            [
                "7: Template error: rule OnlyThere failed: production is in us-east-1",
                "9: Template error: rule OnlyThere failed: assertion 2 is false",
            ]
        );
        assert_eq!(stack.undecided.len(), 1);
    }
}
