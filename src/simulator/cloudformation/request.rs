//! What a call asks for, read from awsQuery's dotted names.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::stack::{OnFailure, Settings};
use super::stack_policy::StackPolicy;
use super::{ServiceError, error, invalid, source};
use crate::simulator::{Caller, Cloud, query};

/// The caller, and the parameters by their names.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub caller: &'a Caller,
    pub parameters: &'a [(String, String)],
}

/// A parameter of a stack as it is sent.
pub struct Sent<'a> {
    pub key: &'a str,
    pub value: Option<&'a str>,
    pub uses_previous: bool,
}

/// Stack names, and those of change sets.
const NAME: &str = "[a-zA-Z][-a-zA-Z0-9]*";
const MAX_NAME: usize = 128;

const MAX_TAGS: usize = 50;

impl<'a> Request<'a> {
    pub fn text(&self, name: &str) -> Option<&'a str> {
        query::parameter(self.parameters, name)
    }

    /// # Errors
    /// There is none.
    pub fn required(&self, name: &str) -> Result<&'a str, ServiceError> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| constraint("null", name, "Member must not be null"))
    }

    /// The `ClientRequestToken`, with the action that it is for.
    pub fn token(&self, action: &'static str) -> Option<(Arc<str>, &'static str)> {
        self.text("ClientRequestToken").map(|token| (Arc::from(token), action))
    }

    pub fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    pub fn list(&self, name: &str) -> Vec<&'a str> {
        query::list(self.parameters, &format!("{name}.member"))
    }

    /// The members of a list of structures, each by the names of its own members, in order.
    pub fn structures(&self, name: &str) -> Vec<BTreeMap<&'a str, &'a str>> {
        let prefix = format!("{name}.member.");
        let mut found: BTreeMap<u32, BTreeMap<&str, &str>> = BTreeMap::new();
        for (key, value) in self.parameters {
            let Some((number, member)) = key.strip_prefix(&prefix).and_then(|rest| rest.split_once('.')) else {
                continue;
            };
            let Ok(number) = number.parse() else { continue };
            found.entry(number).or_default().insert(member, value);
        }
        found.into_values().collect()
    }

    /// The name of something that is to be made.
    ///
    /// # Errors
    /// There is none, or it can't be one.
    pub fn new_name(&self, name: &str) -> Result<&'a str, ServiceError> {
        let given = self.required(name)?;
        let mut characters = given.bytes();
        let starts = characters.next().is_some_and(|first| first.is_ascii_alphabetic());
        if !starts || !characters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            let pattern = format!("Member must satisfy regular expression pattern: {NAME}");
            return Err(constraint(&format!("'{given}'"), name, &pattern));
        }
        if given.len() > MAX_NAME {
            let length = format!("Member must have length less than or equal to {MAX_NAME}");
            return Err(constraint(&format!("'{given}'"), name, &length));
        }
        Ok(given)
    }

    /// The template's text, where one is sent.
    ///
    /// # Errors
    /// It can't be had, or is sent in two ways.
    pub fn template(&self, cloud: &Cloud) -> Result<Option<String>, ServiceError> {
        match (self.text("TemplateBody"), self.text("TemplateURL").filter(|url| !url.is_empty())) {
            (Some(_), Some(_)) => Err(invalid("Only one of TemplateBody or TemplateUrl may be specified.")),
            (Some(body), None) => source::of_body(body).map(Some),
            (None, Some(url)) => source::of_url(cloud, url).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// # Errors
    /// None is sent, or it can't be had.
    pub fn required_template(&self, cloud: &Cloud) -> Result<String, ServiceError> {
        let none = || invalid("Either Template URL or Template Body must be specified.");
        self.template(cloud)?.ok_or_else(none)
    }

    /// The stack policy of `…Body` or `…URL`, where one is sent. A file that is empty is the empty policy.
    ///
    /// # Errors
    /// It is no policy, can't be had, or is sent in two ways.
    pub fn stack_policy(&self, cloud: &Cloud, name: &str) -> Result<Option<StackPolicy>, ServiceError> {
        let text = match (self.text(&format!("{name}Body")), self.text(&format!("{name}URL"))) {
            (Some(_), Some(_)) => return Err(invalid(format!("You cannot specify both {name}URL and {name}Body"))),
            (Some(body), None) => body.to_owned(),
            (None, Some(url)) => source::of_url(cloud, url)?,
            (None, None) => return Ok(None),
        };
        let text = if text.is_empty() { "{}" } else { &text };
        StackPolicy::parse(text).map(Some)
    }

    pub fn sent_parameters(&self) -> Vec<Sent<'a>> {
        let sent = |members: BTreeMap<&'a str, &'a str>| {
            let key = *members.get("ParameterKey")?;
            let uses_previous = members.get("UsePreviousValue") == Some(&"true");
            Some(Sent { key, value: members.get("ParameterValue").copied(), uses_previous })
        };
        self.structures("Parameters").into_iter().filter_map(sent).collect()
    }

    /// # Errors
    /// Two ways at once to say what becomes of a failed stack, too many tags, a timeout that is none.
    pub fn settings(&self) -> Result<Settings, ServiceError> {
        let on_failure = match self.text("OnFailure") {
            Some(_) if self.text("DisableRollback").is_some() => {
                return Err(invalid("Only one of DisableRollback or OnFailure may be specified."));
            }
            None if self.flag("DisableRollback") => OnFailure::DoNothing,
            None | Some("ROLLBACK") => OnFailure::Rollback,
            Some("DELETE") => OnFailure::Delete,
            Some("DO_NOTHING") => OnFailure::DoNothing,
            Some(other) => {
                let expect = "Member must satisfy enum value set: [ROLLBACK, DELETE, DO_NOTHING]";
                return Err(constraint(&format!("'{other}'"), "OnFailure", expect));
            }
        };
        let timeout_minutes = match self.text("TimeoutInMinutes").map(str::parse::<u32>) {
            None => None,
            Some(Ok(minutes)) if minutes >= 1 => Some(minutes),
            Some(_) => {
                let expect = "Member must have value greater than or equal to 1";
                return Err(constraint("'0'", "TimeoutInMinutes", expect));
            }
        };
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        Ok(Settings {
            tags: self.tags()?,
            capabilities: owned(self.list("Capabilities")),
            notification_arns: owned(self.list("NotificationARNs")),
            role_arn: self.text("RoleARN").map(str::to_owned),
            timeout_minutes,
            on_failure,
            disable_rollback: on_failure == OnFailure::DoNothing,
            is_protected: self.flag("EnableTerminationProtection"),
        })
    }

    fn tags(&self) -> Result<Vec<(String, String)>, ServiceError> {
        let tag = |members: BTreeMap<&str, &str>| {
            let member = |name: &str| members.get(name).map(|text| (*text).to_owned());
            Some((member("Key")?, member("Value").unwrap_or_default()))
        };
        let tags: Vec<_> = self.structures("Tags").into_iter().filter_map(tag).collect();
        if tags.len() > MAX_TAGS {
            let length = format!("Member must have length less than or equal to {MAX_TAGS}");
            return Err(constraint("'[…]'", "Tags", &length));
        }
        match tags.iter().find(|(key, _)| key.starts_with("aws:")) {
            Some(_) => Err(invalid("aws: prefixed tag key names are not allowed for external use.")),
            None => Ok(tags),
        }
    }
}

/// The common words for a member that isn't as the API's model says.
fn constraint(value: &str, member: &str, expect: &str) -> ServiceError {
    let mut name = member.to_owned();
    name[..1].make_ascii_lowercase();
    error(
        "ValidationError",
        format!("1 validation error detected: Value {value} at '{name}' failed to satisfy constraint: {expect}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parameters: &[(&str, &str)], read: impl Fn(&Request) -> Option<ServiceError>, expect: &str) {
        let caller = Caller { account: "123456789012".to_owned(), region: "us-east-1".to_owned() };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let parameters: Vec<_> = parameters.iter().map(owned).collect();
        let refused = read(&Request { caller: &caller, parameters: &parameters });
        assert_eq!(refused.map(|error| error.message).unwrap_or_default(), expect, "{parameters:?}");
    }

    #[test]
    fn what_no_stack_can_be_told_is_refused() {
        let name = |request: &Request| request.new_name("StackName").err();
        let at = "1 validation error detected: Value";
        check(&[], name, &format!("{at} null at 'stackName' failed to satisfy constraint: Member must not be null"));
        check(
            &[("StackName", "1a")],
            name,
            &format!(
                "{at} '1a' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: {NAME}"
            ),
        );
        check(&[("StackName", "tcat-a-1")], name, "");
        let settings = |request: &Request| request.settings().err();
        check(
            &[("DisableRollback", "true"), ("OnFailure", "DELETE")],
            settings,
            "Only one of DisableRollback or OnFailure may be specified.",
        );
        check(
            &[("Tags.member.1.Key", "aws:a"), ("Tags.member.1.Value", "b")],
            settings,
            "aws: prefixed tag key names are not allowed for external use.",
        );
        check(
            &[("TimeoutInMinutes", "0")],
            settings,
            &format!(
                "{at} '0' at 'timeoutInMinutes' failed to satisfy constraint: Member must have value greater than or equal to 1"
            ),
        );
    }
}
