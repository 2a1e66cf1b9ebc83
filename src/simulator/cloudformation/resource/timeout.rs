//! What happens to a resource that waits for a response that never comes.

use std::time::Duration;

use uuid::Uuid;

use super::{DeclaredResource, nominal_duration};
use crate::simulator::scenario::ResourcePhase;
use crate::template::{Value, is_custom_resource};
use crate::yaml::Node;

/// Seconds that a custom resource has to respond, unless its template sets fewer.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudformation-customresource.html>
const CUSTOM_RESOURCE_TIMEOUT: u64 = 3600;
/// The most seconds that a wait condition waits for its signals.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-waitcondition.html>
const MAX_WAIT_CONDITION_TIMEOUT: u64 = 43_200;
/// Seconds of a creation policy without `Timeout`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-creationpolicy.html>
const DEFAULT_CREATION_POLICY_TIMEOUT: u64 = 300;
/// A service gives up on a resource that doesn't become ready after this multiple of the nominal
/// duration.
const STABILIZATION_TIMEOUT_FACTOR: u32 = 10;

/// Returns after which nominal time the resource fails, and the reason. `policy` is its creation
/// policy as it is written.
pub(crate) fn timeout(
    declared: &DeclaredResource,
    policy: Option<&Node>,
    phase: ResourcePhase,
) -> (Duration, String) {
    let number = |name: &str| {
        declared
            .property(name)
            .and_then(Value::as_text)?
            .parse::<u64>()
            .ok()
    };
    if declared.kind == "AWS::CloudFormation::WaitCondition" {
        let seconds = number("Timeout")
            .unwrap_or(MAX_WAIT_CONDITION_TIMEOUT)
            .min(MAX_WAIT_CONDITION_TIMEOUT);
        let count = number("Count").unwrap_or(1);
        let reason =
            format!("WaitCondition timed out. Received 0 conditions when expecting {count}");
        return (Duration::from_secs(seconds), reason);
    }
    if is_custom_resource(declared.kind) {
        let seconds = number("ServiceTimeout")
            .unwrap_or(CUSTOM_RESOURCE_TIMEOUT)
            .min(CUSTOM_RESOURCE_TIMEOUT);
        let reason = format!(
            "CloudFormation did not receive a response from your Custom Resource. Please check \
             your logs for requestId \
             [{}]. If you are using the Python cfn-response module, you may need to update your \
             Lambda function code so \
             that CloudFormation can attach the updated version.",
            Uuid::new_v4()
        );
        return (Duration::from_secs(seconds), reason);
    }
    match policy
        .and_then(|policy| policy.get("ResourceSignal"))
        .filter(|_| phase == ResourcePhase::Create)
    {
        Some(signal) => {
            let count = signal.get("Count").map_or("1", |count| &*count.text);
            let within = signal
                .get("Timeout")
                .and_then(|timeout| seconds(&timeout.text));
            let reason = format!(
                "Failed to receive {count} resource signal(s) within the specified duration"
            );
            (
                Duration::from_secs(within.unwrap_or(DEFAULT_CREATION_POLICY_TIMEOUT)),
                reason,
            )
        }
        None => {
            let reason = format!(
                "Resource handler returned message: \"Exceeded attempts to wait\" (RequestToken: \
                 {}, HandlerErrorCode: \
                 NotStabilized)",
                Uuid::new_v4()
            );
            (
                nominal_duration(declared.kind, phase) * STABILIZATION_TIMEOUT_FACTOR,
                reason,
            )
        }
    }
}

/// Returns the seconds of `PT1H30M10S`; none for other forms.
fn seconds(text: &str) -> Option<u64> {
    let mut rest = text.strip_prefix("PT")?;
    let mut total = 0_u64;
    for (unit, length) in [('H', 3600), ('M', 60), ('S', 1)] {
        if let Some((number, after)) = rest.split_once(unit) {
            total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(length)?)?;
            rest = after;
        }
    }
    rest.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::tests::{declared, properties};
    use super::*;

    #[test]
    fn timeouts_have_the_reasons_of_cloudformation() {
        let check = |kind: &str, json: &str, policy: &str, within: u64, starts: &str| {
            let properties = properties(json);
            let policy = crate::yaml::parse(&Arc::from(Path::new("t")), policy).root;
            let (after, reason) = timeout(
                &declared(kind, &properties),
                policy.as_ref(),
                ResourcePhase::Create,
            );
            assert_eq!(after, Duration::from_secs(within), "{kind}");
            assert!(reason.starts_with(starts), "{reason}");
        };
        let wait = "AWS::CloudFormation::WaitCondition";
        let timed_out = "WaitCondition timed out. Received 0 conditions when expecting";
        check(
            wait,
            r#"{"Timeout": "600", "Count": 2}"#,
            "",
            600,
            &format!("{timed_out} 2"),
        );
        check(wait, "{}", "", 43_200, &format!("{timed_out} 1"));
        let silent = "CloudFormation did not receive a response from your Custom Resource.";
        check("Custom::Thing", "{}", "", 3600, silent);
        check(
            "AWS::CloudFormation::CustomResource",
            r#"{"ServiceTimeout": 30}"#,
            "",
            30,
            silent,
        );
        let group = "AWS::AutoScaling::AutoScalingGroup";
        let signals = "Failed to receive 3 resource signal(s) within the specified duration";
        check(
            group,
            "{}",
            "{ResourceSignal: {Count: 3, Timeout: PT1H2M3S}}",
            3723,
            signals,
        );
        check(group, "{}", "{ResourceSignal: {Count: 3}}", 300, signals);
        let unready = "Resource handler returned message: \"Exceeded attempts to wait\"";
        check(
            "AWS::SQS::Queue",
            "{}",
            "",
            nominal_duration("AWS::SQS::Queue", ResourcePhase::Create).as_secs() * 10,
            unready,
        );
    }

    #[test]
    fn iso_8601_durations_are_parsed() {
        let check = |text: &str, expect: Option<u64>| assert_eq!(seconds(text), expect, "{text}");
        check("PT15M", Some(900));
        check("PT1H", Some(3600));
        check("PT1H30S", Some(3630));
        check("15M", None);
        check("PT15", None);
        check("PTxM", None);
    }
}
