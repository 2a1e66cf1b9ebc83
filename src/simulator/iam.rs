//! IAM: what clients ask before they begin. There are no users, roles or policies here: whatever
//! the scenario doesn't deny is allowed.

use super::cloudformation::XmlResult;
use super::error::ServiceError;
use super::query::{QueryForm, list, parameter};
use super::xml::XmlWriter;
use super::{Caller, Cloud};
use crate::catalog;

/// Carries out an action; returns `None` if there is no such action.
pub(super) fn call(cloud: &Cloud, caller: &Caller, form: &QueryForm) -> Option<XmlResult> {
    match form.action.as_str() {
        "ListAccountAliases" => Some(Ok(no_aliases())),
        "GetRole" => Some(role(caller, form)),
        "SimulatePrincipalPolicy" => Some(simulate(cloud, caller, form)),
        _ => None,
    }
}

/// Carries out `ListAccountAliases`.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html>
fn no_aliases() -> String {
    let mut xml = XmlWriter::new();
    xml.raw("AccountAliases", "").text("IsTruncated", false);
    xml.finish()
}

/// Carries out `GetRole`: every role exists, without a path.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>
fn role(caller: &Caller, form: &QueryForm) -> XmlResult {
    let name = required(form, "RoleName")?;
    let partition = catalog::partition_of(&caller.region).name;
    let mut xml = XmlWriter::new();
    xml.element("Role", |xml| {
        let account = &caller.account;
        xml.text("Path", "/")
            .text("RoleName", name)
            .text("Arn", format!("arn:{partition}:iam::{account}:role/{name}"));
    });
    Ok(xml.finish())
}

/// Carries out `SimulatePrincipalPolicy`: denied is what the scenario denies.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
fn simulate(cloud: &Cloud, caller: &Caller, form: &QueryForm) -> XmlResult {
    required(form, "PolicySourceArn")?;
    let actions = list(&form.parameters, "ActionNames.member");
    let mut xml = XmlWriter::new();
    xml.element("EvaluationResults", |xml| {
        for action in actions {
            let is_denied = cloud.scenario.denies(&caller.account, action);
            let decision = if is_denied { "implicitDeny" } else { "allowed" };
            xml.element("member", |xml| {
                xml.text("EvalActionName", action)
                    .text("EvalResourceName", "*")
                    .text("EvalDecision", decision);
            });
        }
    });
    xml.text("IsTruncated", false);
    Ok(xml.finish())
}

fn required<'f>(form: &'f QueryForm, name: &str) -> Result<&'f str, ServiceError> {
    let value = parameter(&form.parameters, name).filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        let message = format!("The request must contain the parameter {name}.");
        ServiceError::new(400, "ValidationError", message)
    })
}
