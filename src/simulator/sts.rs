//! STS: the caller's identity, and keys of roles.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::caller::{Credential, issued_key};
use super::cloudformation::XmlResult;
use super::error::ServiceError;
use super::query::{QueryForm, parameter};
use super::xml::XmlWriter;
use super::{Caller, Cloud};
use crate::catalog;

/// When a role's keys expire, according to the response; they are accepted forever.
const SESSION_DURATION: std::time::Duration = std::time::Duration::from_secs(3600);

/// Carries out an action; returns `None` if there is no such action.
pub(crate) fn call(cloud: &Cloud, credential: &Credential, form: &QueryForm) -> Option<XmlResult> {
    match form.action.as_str() {
        "GetCallerIdentity" => Some(Ok(caller_identity(credential))),
        "AssumeRole" => Some(assume_role(cloud, form)),
        "GetSessionToken" => {
            let mut xml = XmlWriter::new();
            let arn = user_arn(&credential.caller);
            xml.element("Credentials", |xml| {
                credentials(xml, cloud, &credential.caller.account, &arn)
            });
            Some(Ok(xml.finish()))
        }
        _ => None,
    }
}

/// Returns the ARN of the only user of an account.
pub(crate) fn user_arn(caller: &Caller) -> String {
    let partition = catalog::partition_of(&caller.region).name;
    format!("arn:{partition}:iam::{}:user/simulated", caller.account)
}

fn caller_identity(credential: &Credential) -> String {
    let role = credential.session_token.as_deref().and_then(role_in);
    let (arn, id) = match role {
        Some(arn) => {
            let session = arn.rsplit('/').next().unwrap_or_default();
            let id = format!("AROASIMULATED00000000:{session}");
            (arn, id)
        }
        None => (
            user_arn(&credential.caller),
            "AIDASIMULATED00000000".to_owned(),
        ),
    };
    let mut xml = XmlWriter::new();
    xml.text("Arn", arn)
        .text("UserId", id)
        .text("Account", &credential.caller.account);
    xml.finish()
}

fn assume_role(cloud: &Cloud, form: &QueryForm) -> XmlResult {
    let given = |name: &str| {
        parameter(&form.parameters, name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| {
                let member = name
                    .char_indices()
                    .map(|(at, c)| if at == 0 { c.to_ascii_lowercase() } else { c });
                let member: String = member.collect();
                invalid(format!(
                    "1 validation error detected: Value null at '{member}' failed to satisfy \
                 constraint: Member must not be null"
                ))
            })
    };
    let role = given("RoleArn")?;
    let session = given("RoleSessionName")?;
    let parts: Vec<&str> = role.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, path] = parts.as_slice() else {
        return Err(invalid(format!("{role} is invalid")));
    };
    let name = path
        .strip_prefix("role/")
        .and_then(|path| path.rsplit('/').next());
    let (Some(name), true) = (
        name,
        account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()),
    ) else {
        return Err(invalid(format!("{role} is invalid")));
    };
    let arn = format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}");
    let mut xml = XmlWriter::new();
    xml.element("AssumedRoleUser", |xml| {
        xml.text("Arn", &arn)
            .text("AssumedRoleId", format!("AROASIMULATED00000000:{session}"));
    });
    xml.element("Credentials", |xml| credentials(xml, cloud, account, &arn));
    Ok(xml.finish())
}

/// Writes keys that contain their account and role, so that the simulator doesn't have to store
/// them.
fn credentials(xml: &mut XmlWriter, cloud: &Cloud, account: &str, arn: &str) {
    let expires = cloud.clock.now() + SESSION_DURATION;
    xml.text("AccessKeyId", issued_key(account))
        .text(
            "SecretAccessKey",
            "simulated/simulated/simulated/simulated/",
        )
        .text("SessionToken", BASE64_STANDARD.encode(arn))
        .text("Expiration", expires.strftime("%Y-%m-%dT%H:%M:%SZ"));
}

/// Returns the role for which the simulator has issued a session token.
fn role_in(token: &str) -> Option<String> {
    let arn = String::from_utf8(BASE64_STANDARD.decode(token).ok()?).ok()?;
    arn.contains(":assumed-role/").then_some(arn)
}

fn invalid(message: String) -> ServiceError {
    ServiceError::new(400, "ValidationError", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::clock::Clock;
    use crate::simulator::scenario::Scenario;

    fn call_action(
        action: &str,
        parameters: &[(&str, &str)],
        session_token: Option<String>,
    ) -> Option<XmlResult> {
        let cloud = Cloud::new(Clock::new(1.0), Scenario::default());
        let caller = Caller {
            account: "111122223333".into(),
            region: "cn-north-1".into(),
        };
        let credential = Credential {
            caller,
            service: "sts".into(),
            session_token,
            expires: None,
        };
        let parameters = parameters
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        call(
            &cloud,
            &credential,
            &QueryForm {
                action: action.into(),
                version: String::new(),
                parameters,
            },
        )
    }

    #[test]
    fn callers_and_assumed_roles_are_identified() {
        let said = call_action("GetCallerIdentity", &[], None)
            .unwrap()
            .unwrap();
        assert_eq!(
            said,
            "<Arn>arn:aws-cn:iam::111122223333:user/simulated</Arn><UserId>AIDASIMULATED00000000</UserId>\
             <Account>111122223333</Account>"
        );
        let role = [
            ("RoleArn", "arn:aws:iam::210987654321:role/path/Deploy"),
            ("RoleSessionName", "me"),
        ];
        let assumed = call_action("AssumeRole", &role, None).unwrap().unwrap();
        assert!(
            assumed.contains("<AccessKeyId>ASIA2109876543210SIM</AccessKeyId>"),
            "{assumed}"
        );
        let token = assumed
            .split("<SessionToken>")
            .nth(1)
            .unwrap()
            .split('<')
            .next()
            .unwrap()
            .to_owned();
        let said = call_action("GetCallerIdentity", &[], Some(token))
            .unwrap()
            .unwrap();
        assert!(
            said.starts_with("<Arn>arn:aws:sts::210987654321:assumed-role/Deploy/me</Arn>"),
            "{said}"
        );
        assert_eq!(call_action("GetFederationToken", &[], None), None);
    }

    #[test]
    fn roles_are_named_by_arn() {
        let check = |role: &[(&str, &str)], message: &str| {
            assert_eq!(
                call_action("AssumeRole", role, None)
                    .unwrap()
                    .unwrap_err()
                    .message,
                message
            );
        };
        check(
            &[("RoleArn", "Deploy"), ("RoleSessionName", "me")],
            "Deploy is invalid",
        );
        check(
            &[
                ("RoleArn", "arn:aws:iam::1:role/x"),
                ("RoleSessionName", "me"),
            ],
            "arn:aws:iam::1:role/x is invalid",
        );
        check(
            &[("RoleArn", "arn:aws:iam::210987654321:role/x")],
            "1 validation error detected: Value null at 'roleSessionName' failed to satisfy \
             constraint: Member must not \
             be null",
        );
    }
}
