//! Stack policies: which resources an update may change.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html>

use std::sync::Arc;

use serde_json::Value as Json;

use crate::simulator::cloudformation::error::invalid;
use crate::simulator::error::ServiceError;
use crate::simulator::scenario::matches_wildcard;

/// A stack policy.
#[derive(Clone, Debug)]
pub(crate) struct StackPolicy {
    pub text: Arc<str>,
    statements: Vec<StackPolicyStatement>,
}

#[derive(Clone, Debug)]
struct StackPolicyStatement {
    allows: bool,
    actions: NameMatch,
    /// `LogicalResourceId/Database`, with wildcards.
    resources: NameMatch,
    /// Resource types with wildcards; any type if empty.
    kinds: Vec<String>,
}

/// Names that match, or all others.
#[derive(Clone, Debug)]
struct NameMatch {
    names: Vec<String>,
    are_excluded: bool,
}

/// What an update does to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpdateAction {
    Modify,
    Replace,
    Delete,
}

const ACTIONS: [&str; 4] = [
    "Update:*",
    "Update:Modify",
    "Update:Replace",
    "Update:Delete",
];

impl UpdateAction {
    fn name(self) -> &'static str {
        match self {
            Self::Modify => "Update:Modify",
            Self::Replace => "Update:Replace",
            Self::Delete => "Update:Delete",
        }
    }
}

impl StackPolicy {
    /// # Errors
    /// Fails if the text isn't a stack policy.
    pub(crate) fn parse(text: &str) -> Result<Self, ServiceError> {
        let none = || invalid("Error validating stack policy: Invalid stack policy");
        let json: Json = serde_json::from_str(text).map_err(|_| none())?;
        let object = json.as_object().ok_or_else(none)?;
        let statements = match object.get("Statement") {
            None if object.is_empty() => Vec::new(),
            Some(Json::Array(statements)) => statements
                .iter()
                .map(statement)
                .collect::<Option<_>>()
                .ok_or_else(none)?,
            Some(one) => vec![statement(one).ok_or_else(none)?],
            None => return Err(none()),
        };
        Ok(Self {
            text: Arc::from(text),
            statements,
        })
    }

    /// Returns why the action isn't allowed: a statement denies it, or none allows it.
    pub(crate) fn denial(
        &self,
        action: UpdateAction,
        logical_id: &str,
        kind: &str,
    ) -> Option<String> {
        if self.statements.is_empty() {
            return None;
        }
        let resource = format!("LogicalResourceId/{logical_id}");
        let concerns = |it: &&StackPolicyStatement| {
            it.actions.includes(action.name())
                && it.resources.includes(&resource)
                && (it.kinds.is_empty()
                    || it
                        .kinds
                        .iter()
                        .any(|pattern| matches_wildcard(pattern, kind)))
        };
        let denying = self
            .statements
            .iter()
            .position(|it| !it.allows && concerns(&it));
        if let Some(index) = denying {
            let number = index + 1;
            let name = action.name();
            return Some(format!(
                "Action denied by stack policy: Statement [#{number}] does not allow [{name}] for \
                 resource [{resource}]"
            ));
        }
        let is_allowed = self.statements.iter().any(|it| it.allows && concerns(&it));
        (!is_allowed).then(|| "Action not allowed by stack policy".to_owned())
    }
}

impl NameMatch {
    fn includes(&self, name: &str) -> bool {
        self.names
            .iter()
            .any(|pattern| matches_wildcard(pattern, name))
            != self.are_excluded
    }
}

fn statement(json: &Json) -> Option<StackPolicyStatement> {
    let allows = match json.get("Effect")?.as_str()? {
        "Allow" => true,
        "Deny" => false,
        _ => return None,
    };
    let is_anybody = match json.get("Principal")? {
        Json::String(text) => text == "*",
        Json::Object(by) => by.len() == 1 && by.get("AWS").is_some_and(|it| texts(it) == ["*"]),
        _ => false,
    };
    let actions = names(json, "Action", "NotAction")?;
    let known = actions
        .names
        .iter()
        .all(|it| ACTIONS.iter().any(|known| known.eq_ignore_ascii_case(it)));
    let resources = names(json, "Resource", "NotResource")?;
    let kinds = match json.get("Condition") {
        None => Vec::new(),
        Some(condition) => {
            let operators = condition.as_object()?;
            operators
                .values()
                .flat_map(|it| it.get("ResourceType").map(texts).unwrap_or_default())
                .collect()
        }
    };
    (is_anybody && known).then_some(StackPolicyStatement {
        allows,
        actions,
        resources,
        kinds,
    })
}

fn names(json: &Json, key: &str, negated: &str) -> Option<NameMatch> {
    let found = match (json.get(key), json.get(negated)) {
        (Some(names), None) => NameMatch {
            names: texts(names),
            are_excluded: false,
        },
        (None, Some(names)) => NameMatch {
            names: texts(names),
            are_excluded: true,
        },
        _ => return None,
    };
    (!found.names.is_empty()).then_some(found)
}

/// Returns one string, or a list of them.
fn texts(json: &Json) -> Vec<String> {
    match json {
        Json::String(text) => vec![text.clone()],
        Json::Array(items) => items
            .iter()
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_policies_are_refused() {
        let check = |text: &str, is_valid: bool| {
            assert_eq!(StackPolicy::parse(text).is_ok(), is_valid, "{text}")
        };
        let statement = |member: &str, value: &str| {
            let mut all = serde_json::json!({
                "Effect": "Allow",
                "Action": "Update:*",
                "Principal": "*",
                "Resource": "*",
            });
            all[member] = serde_json::from_str(value).unwrap();
            serde_json::json!({"Statement": [all]}).to_string()
        };
        check("{}", true);
        check("", false);
        check("not json", false);
        check(r#"{"Statements": []}"#, false);
        check(&statement("Effect", r#""Deny""#), true);
        check(&statement("Effect", r#""Maybe""#), false);
        check(&statement("Principal", r#"{"AWS": "*"}"#), true);
        check(&statement("Principal", r#"{"AWS": "somebody"}"#), false);
        check(
            &statement("Action", r#"["Update:Modify", "update:replace"]"#),
            true,
        );
        check(&statement("Action", r#""Delete:*""#), false);
        check(&statement("NotAction", r#""Update:*""#), false);
    }

    #[test]
    fn explicit_denials_win_and_unlisted_actions_are_denied() {
        use UpdateAction::{Delete, Modify, Replace};
        let policy = r#"{"Statement": [
            {"Effect": "Allow", "Action": "Update:Modify", "Principal": "*", "Resource": "*"},
            {"Effect": "Allow", "NotAction": "Update:Delete", "Principal": "*",
             "NotResource": "LogicalResourceId/D*"},
            {"Effect": "Deny", "Action": "Update:*", "Principal": "*",
             "Resource": "LogicalResourceId/Db"},
            {"Effect": "Deny", "Action": "Update:Modify", "Principal": "*", "Resource": "*",
             "Condition": {"StringLike": {"ResourceType": ["AWS::RDS::*"]}}}]}"#;
        let policy = StackPolicy::parse(policy).unwrap();
        let check = |action: UpdateAction, id: &str, kind: &str, expect: &str| {
            assert_eq!(
                policy.denial(action, id, kind).unwrap_or_default(),
                expect,
                "{action:?} {id} {kind}"
            );
        };
        let none = "Action not allowed by stack policy";
        let denied = |number: u8, action: &str, id: &str| {
            format!(
                "Action denied by stack policy: Statement [#{number}] does not allow [{action}] \
                 for resource \
                 [LogicalResourceId/{id}]"
            )
        };
        check(Modify, "Queue", "AWS::SQS::Queue", "");
        check(Replace, "Queue", "AWS::SQS::Queue", "");
        check(Delete, "Queue", "AWS::SQS::Queue", none);
        check(Replace, "Dlq", "AWS::SQS::Queue", none);
        check(
            Modify,
            "Db",
            "AWS::SQS::Queue",
            &denied(3, "Update:Modify", "Db"),
        );
        check(
            Modify,
            "Queue",
            "AWS::RDS::DBInstance",
            &denied(4, "Update:Modify", "Queue"),
        );
        assert_eq!(
            StackPolicy::parse("{}")
                .unwrap()
                .denial(Delete, "Queue", "AWS::SQS::Queue"),
            None
        );
    }
}
