//! Calls, read from awsQuery's dotted names (`Parameters.member.1.ParameterKey`).

pub(crate) mod constraints;
pub(crate) mod template_text;

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::error::{error, invalid};
use super::state::revision::Revision;
use super::state::settings::{OnFailure, RollbackConfiguration, StackSettings};
use super::state::stack_policy::StackPolicy;
use crate::simulator::error::ServiceError;
use crate::simulator::{Caller, Cloud, query};

/// A call: the caller, and the parameters by their names.
#[derive(Clone, Copy)]
pub(crate) struct QueryRequest<'a> {
    pub caller: &'a Caller,
    pub parameters: &'a [(String, String)],
}

/// A parameter of a stack as it is sent.
pub(crate) struct RequestParameter<'a> {
    pub key: &'a str,
    pub value: Option<&'a str>,
    pub uses_previous: bool,
}

/// The types of rollback triggers.
const TRIGGERS: [&str; 2] = ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"];

impl<'a> QueryRequest<'a> {
    /// Returns the value of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        query::parameter(self.parameters, name)
    }

    /// # Errors
    /// Fails if the parameter is absent or empty.
    pub(crate) fn required(&self, name: &str) -> Result<&'a str, ServiceError> {
        let mut member = name.to_owned();
        member.get_mut(..1).map(str::make_ascii_lowercase);
        let absent = || {
            error(
                "ValidationError",
                format!(
                    "1 validation error detected: Value null at '{member}' failed to satisfy \
                     constraint: Member must not be null"
                ),
            )
        };
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(absent)
    }

    /// Returns the `ClientRequestToken` with the action that it is for.
    pub(crate) fn token(&self, action: &'static str) -> Option<(Arc<str>, &'static str)> {
        self.text("ClientRequestToken")
            .map(|token| (Arc::from(token), action))
    }

    /// Returns whether a parameter is `true`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// Returns the members of a list of strings.
    pub(crate) fn list(&self, name: &str) -> Vec<&'a str> {
        query::list(self.parameters, &format!("{name}.member"))
    }

    /// Returns the members of a list of structures in order, each by the names of its own members.
    pub(crate) fn structures(&self, name: &str) -> Vec<BTreeMap<&'a str, &'a str>> {
        let prefix = format!("{name}.member.");
        let mut found: BTreeMap<u32, BTreeMap<&str, &str>> = BTreeMap::new();
        for (key, value) in self.parameters {
            let Some((number, member)) = key
                .strip_prefix(&prefix)
                .and_then(|rest| rest.split_once('.'))
            else {
                continue;
            };
            let Ok(number) = number.parse() else { continue };
            found.entry(number).or_default().insert(member, value);
        }
        found.into_values().collect()
    }

    /// Returns the template's text, if one is sent.
    ///
    /// # Errors
    /// Fails if it can't be read, or is sent in two ways.
    pub(crate) fn template(&self, cloud: &Cloud) -> Result<Option<String>, ServiceError> {
        match (
            self.text("TemplateBody"),
            self.text("TemplateURL").filter(|url| !url.is_empty()),
        ) {
            (Some(_), Some(_)) => Err(invalid(
                "Only one of TemplateBody or TemplateUrl may be specified.",
            )),
            (Some(body), None) => template_text::from_body(body).map(Some),
            (None, Some(url)) => template_text::from_url(cloud, url).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// # Errors
    /// Fails if none is sent, or it can't be read.
    pub(crate) fn required_template(&self, cloud: &Cloud) -> Result<String, ServiceError> {
        let none = || invalid("Either Template URL or Template Body must be specified.");
        self.template(cloud)?.ok_or_else(none)
    }

    /// Returns the stack policy of `…Body` or `…URL`, if one is sent. An empty file is the empty
    /// policy.
    ///
    /// # Errors
    /// Fails if it isn't a policy, can't be read, or is sent in two ways.
    pub(crate) fn stack_policy(
        &self,
        cloud: &Cloud,
        name: &str,
    ) -> Result<Option<StackPolicy>, ServiceError> {
        let text = match (
            self.text(&format!("{name}Body")),
            self.text(&format!("{name}URL")),
        ) {
            (Some(_), Some(_)) => {
                return Err(invalid(format!(
                    "You cannot specify both {name}URL and {name}Body"
                )));
            }
            (Some(body), None) => body.to_owned(),
            (None, Some(url)) => template_text::from_url(cloud, url)?,
            (None, None) => return Ok(None),
        };
        let text = if text.is_empty() { "{}" } else { &text };
        StackPolicy::parse(text).map(Some)
    }

    /// Returns the parameters of the stack.
    pub(crate) fn stack_parameters(&self) -> Vec<RequestParameter<'a>> {
        let sent = |members: BTreeMap<&'a str, &'a str>| {
            let key = *members.get("ParameterKey")?;
            let uses_previous = members.get("UsePreviousValue") == Some(&"true");
            Some(RequestParameter {
                key,
                value: members.get("ParameterValue").copied(),
                uses_previous,
            })
        };
        self.structures("Parameters")
            .into_iter()
            .filter_map(sent)
            .collect()
    }

    /// # Errors
    /// Fails if both `OnFailure` and `DisableRollback` are sent, and for reserved tags and invalid
    /// rollback triggers.
    pub(crate) fn settings(&self) -> Result<StackSettings, ServiceError> {
        let on_failure = match self
            .text("OnFailure")
            .or_else(|| self.text("OnStackFailure"))
        {
            Some(_) if self.text("DisableRollback").is_some() => {
                return Err(invalid(
                    "Only one of DisableRollback or OnFailure may be specified.",
                ));
            }
            None if self.flag("DisableRollback") => OnFailure::DoNothing,
            Some("DELETE") => OnFailure::Delete,
            Some("DO_NOTHING") => OnFailure::DoNothing,
            _ => OnFailure::Rollback,
        };
        let timeout_minutes = self
            .text("TimeoutInMinutes")
            .and_then(|minutes| minutes.parse().ok());
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        Ok(StackSettings {
            tags: self.tags()?,
            capabilities: owned(self.list("Capabilities")),
            notification_arns: owned(self.list("NotificationARNs")),
            role_arn: self.text("RoleARN").map(str::to_owned),
            timeout_minutes,
            on_failure,
            disable_rollback: on_failure == OnFailure::DoNothing,
            retain_except_on_create: self.flag("RetainExceptOnCreate"),
            is_protected: self.flag("EnableTerminationProtection"),
            rollback: self.rollback_configuration()?,
        })
    }

    fn rollback_configuration(&self) -> Result<RollbackConfiguration, ServiceError> {
        let trigger = |members: BTreeMap<&str, &str>| {
            let member = |name: &str| members.get(name).copied().unwrap_or_default().to_owned();
            let arn = member("Arn");
            let kind = member("Type");
            if !TRIGGERS.contains(&kind.as_str()) {
                return Err(invalid("Rollback Trigger Type not supported"));
            }
            let is_alarm = arn
                .splitn(6, ':')
                .nth(5)
                .is_some_and(|id| id.starts_with("alarm:"));
            if is_alarm {
                Ok((arn, kind))
            } else {
                Err(invalid(
                    "RelativeId of a Rollback Trigger's ARN is incorrect",
                ))
            }
        };
        let triggers = self
            .structures("RollbackConfiguration.RollbackTriggers")
            .into_iter()
            .map(trigger);
        let minutes = self.text("RollbackConfiguration.MonitoringTimeInMinutes");
        Ok(RollbackConfiguration {
            monitoring_minutes: minutes.and_then(|minutes| minutes.parse().ok()),
            triggers: triggers.collect::<Result<_, _>>()?,
        })
    }

    /// Checks the types of a stack's resources against `ResourceTypes`
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>).
    ///
    /// # Errors
    /// Fails if a type isn't allowed.
    pub(crate) fn check_resource_types<'t>(
        &self,
        kinds: impl IntoIterator<Item = &'t str>,
    ) -> Result<(), ServiceError> {
        let allowed = self.list("ResourceTypes");
        let allows = |pattern: &&str, kind: &str| match pattern.strip_suffix("::*") {
            Some(start) => kind
                .strip_prefix(start)
                .is_some_and(|rest| rest.starts_with("::")),
            None => *pattern == kind,
        };
        let refused = kinds
            .into_iter()
            .find(|kind| !allowed.iter().any(|pattern| allows(pattern, kind)));
        match refused.filter(|_| !allowed.is_empty()) {
            Some(kind) => {
                let allowed = allowed.join(", ");
                Err(invalid(format!(
                    "Resource type {kind} is not allowed by parameter ResourceTypes [{allowed}]"
                )))
            }
            None => Ok(()),
        }
    }

    fn tags(&self) -> Result<Vec<(String, String)>, ServiceError> {
        let tag = |members: BTreeMap<&str, &str>| {
            let member = |name: &str| members.get(name).map(|text| (*text).to_owned());
            Some((member("Key")?, member("Value").unwrap_or_default()))
        };
        let tags: Vec<_> = self
            .structures("Tags")
            .into_iter()
            .filter_map(tag)
            .collect();
        match tags.iter().find(|(key, _)| key.starts_with("aws:")) {
            Some(_) => Err(invalid(
                "aws: prefixed tag key names are not allowed for external use.",
            )),
            None => Ok(tags),
        }
    }
}

/// Returns the values of a stack's parameters from those that are sent and those that the stack
/// has.
///
/// # Errors
/// Fails if a previous value is to be used that was never set.
pub(super) fn parameter_values(
    request: &QueryRequest,
    previous: Option<&Revision>,
) -> Result<IndexMap<String, String>, ServiceError> {
    let value = |sent: RequestParameter| {
        if sent.uses_previous && sent.value.is_some_and(|value| !value.is_empty()) {
            let message =
                "Cannot specify usePreviousValue as true and non empty value for a parameter";
            return Err(invalid(format!(
                "Invalid input for parameter key {}. {message}",
                sent.key
            )));
        }
        let value = match previous.and_then(|revision| revision.parameter_values.get(sent.key)) {
            Some(value) if sent.uses_previous => Some(value.clone()),
            // The default value remains in effect.
            None if sent.uses_previous && previous.is_some() => None,
            _ if sent.uses_previous => {
                let message = format!(
                    "Invalid input for parameter key {}. Cannot specify usePreviousValue as true \
                     for a parameter key not in the previous template",
                    sent.key
                );
                return Err(invalid(message));
            }
            _ => Some(sent.value.unwrap_or_default().to_owned()),
        };
        Ok(value.map(|value| (sent.key.to_owned(), value)))
    };
    let sent = request
        .stack_parameters()
        .into_iter()
        .map(value)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(sent.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        parameters: &[(&str, &str)],
        read: impl Fn(&QueryRequest) -> Option<ServiceError>,
        expect: &str,
    ) {
        let caller = Caller {
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let parameters: Vec<_> = parameters.iter().map(owned).collect();
        let refused = read(&QueryRequest {
            caller: &caller,
            parameters: &parameters,
        });
        assert_eq!(
            refused.map(|error| error.message).unwrap_or_default(),
            expect,
            "{parameters:?}"
        );
    }

    #[test]
    fn contradicting_settings_are_refused() {
        let settings = |request: &QueryRequest| request.settings().err();
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
        let trigger = |arn, kind| {
            [
                ("RollbackConfiguration.RollbackTriggers.member.1.Arn", arn),
                ("RollbackConfiguration.RollbackTriggers.member.1.Type", kind),
            ]
        };
        let arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:busy";
        let alarm = "AWS::CloudWatch::Alarm";
        check(&trigger(arn, alarm), settings, "");
        check(
            &trigger(arn, "AWS::SNS::Topic"),
            settings,
            "Rollback Trigger Type not supported",
        );
        check(
            &trigger("arn:aws:cloudwatch:us-east-1:123456789012:busy", alarm),
            settings,
            "RelativeId of a Rollback Trigger's ARN is incorrect",
        );
    }

    #[test]
    fn resource_types_are_allowed_by_patterns() {
        let check = |pattern: &str, kind: &str, expect: bool| {
            let caller = Caller {
                account: "123456789012".to_owned(),
                region: "us-east-1".to_owned(),
            };
            let parameters = [("ResourceTypes.member.1".to_owned(), pattern.to_owned())];
            let request = QueryRequest {
                caller: &caller,
                parameters: &parameters,
            };
            let refused = format!(
                "Resource type {kind} is not allowed by parameter ResourceTypes [{pattern}]"
            );
            let found = request
                .check_resource_types([kind])
                .map_err(|error| error.message);
            assert_eq!(found, if expect { Ok(()) } else { Err(refused) });
        };
        check("AWS::*", "AWS::SNS::Topic", true);
        check("AWS::SNS::*", "AWS::SNS::Topic", true);
        check("AWS::SNS::Topic", "AWS::SNS::Topic", true);
        check("Custom::*", "Custom::Thing", true);
        check("AWS::SQS::*", "AWS::SNS::Topic", false);
        check("AWS::SNS:*", "AWS::SNS::Topic", false);
        check("AWS::SN::*", "AWS::SNS::Topic", false);
    }
}
