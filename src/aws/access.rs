//! IAM: which actions the caller's policies allow. For `taskcat doctor`.

use std::collections::BTreeSet;

use super::signed::{SignedCall, SignedService, texts};
use super::{AwsError, CallerIdentity, Clients};

/// How many actions are asked about in a call, so that all results fit a page of 100.
const MAX_ACTIONS: usize = 50;

/// Whose policies decide what the caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// A user or role that IAM can simulate, by its ARN.
    Principal(String),
    /// The session of a role, whose name the caller's ARN has without its path.
    RoleName(String),
    /// The root user, whom no IAM policy restricts.
    Root,
    /// A principal that IAM cannot simulate, such as a federated user.
    Other,
}

impl PolicySource {
    /// Returns the source for a caller.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>
    pub fn of(identity: &CallerIdentity) -> Self {
        let resource = identity.arn.splitn(6, ':').nth(5).unwrap_or_default();
        match resource.split_once('/') {
            Some(("user", _)) => Self::Principal(identity.arn.clone()),
            Some(("assumed-role", rest)) => {
                Self::RoleName(rest.split('/').next().unwrap_or_default().to_owned())
            }
            _ if resource == "root" => Self::Root,
            _ => Self::Other,
        }
    }
}

impl Clients {
    /// Returns the ARN of a role, with its path.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>
    pub async fn role_arn(&self, name: &str) -> Result<String, AwsError> {
        let mut form = form("GetRole");
        form.append_pair("RoleName", name);
        let call = call("GetRole", form.finish());
        let body = self.signed(&call).await?;
        let arn = texts(&body, &["Arn"]).and_then(|it| it.into_iter().next());
        arn.map(|(_, arn)| arn).ok_or_else(|| self.garbled(&call))
    }

    /// Returns those of the actions that the policies of a user or role don't allow on the
    /// resources. Policies of resources and of sessions aren't considered.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
    pub async fn denied_actions(
        &self,
        principal: &str,
        actions: &[&str],
        resources: &[&str],
    ) -> Result<BTreeSet<String>, AwsError> {
        let mut denied = BTreeSet::new();
        for actions in actions.chunks(MAX_ACTIONS) {
            let mut form = form("SimulatePrincipalPolicy");
            form.append_pair("PolicySourceArn", principal);
            for (number, action) in (1..).zip(actions) {
                form.append_pair(&format!("ActionNames.member.{number}"), action);
            }
            for (number, resource) in (1..).zip(resources) {
                form.append_pair(&format!("ResourceArns.member.{number}"), resource);
            }
            let call = call("SimulatePrincipalPolicy", form.finish());
            let body = self.signed(&call).await?;
            denied.extend(denied_in(&body).ok_or_else(|| self.garbled(&call))?);
        }
        Ok(denied)
    }
}

fn form(operation: &str) -> form_urlencoded::Serializer<'static, String> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", operation)
        .append_pair("Version", "2010-05-08");
    form
}

fn call(operation: &'static str, body: String) -> SignedCall {
    SignedCall {
        service: SignedService::Iam,
        operation,
        body: body.into(),
        is_first_call: true,
    }
}

/// Returns the actions whose decision is `explicitDeny` or `implicitDeny`.
fn denied_in(body: &[u8]) -> Option<Vec<String>> {
    let mut actions = Vec::new();
    let mut decisions = Vec::new();
    for (element, text) in texts(body, &["EvalActionName", "EvalDecision"])? {
        if element == "EvalActionName" {
            actions.push(text)
        } else {
            decisions.push(text)
        }
    }
    let is_complete = actions.len() == decisions.len();
    let denied = actions.into_iter().zip(decisions);
    let denied = denied.filter_map(|(action, it)| (it != "allowed").then_some(action));
    is_complete.then(|| denied.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_have_the_policies_of_their_user_or_role() {
        let check = |arn: &str, expect: PolicySource| {
            let identity = CallerIdentity {
                account_id: "123456789012".to_owned(),
                partition: "aws".to_owned(),
                arn: arn.to_owned(),
            };
            assert_eq!(PolicySource::of(&identity), expect);
        };
        let user = "arn:aws:iam::123456789012:user/team/me";
        check(user, PolicySource::Principal(user.to_owned()));
        check(
            "arn:aws-cn:sts::123456789012:assumed-role/Build/session",
            PolicySource::RoleName("Build".to_owned()),
        );
        check("arn:aws:iam::123456789012:root", PolicySource::Root);
        check(
            "arn:aws:sts::123456789012:federated-user/me",
            PolicySource::Other,
        );
    }

    #[test]
    fn decisions_are_read_in_any_order_of_elements() {
        let body = b"<R><EvaluationResults><member><EvalDecision>implicitDeny</EvalDecision>\
            <EvalActionName>s3:PutObject</EvalActionName></member><member>\
            <EvalActionName>s3:GetObject</EvalActionName><EvalDecision>allowed</EvalDecision>\
            </member></EvaluationResults></R>";
        assert_eq!(denied_in(body), Some(vec!["s3:PutObject".to_owned()]));
        assert_eq!(
            denied_in(b"<R><EvalActionName>a</EvalActionName></R>"),
            None
        );
    }
}
