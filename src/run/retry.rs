//! Recognizes failures that AWS is responsible for and that are temporary, so that a test may be
//! retried.

use std::sync::LazyLock;

use regex::RegexSet;

/// Patterns of the messages of such failures. The codes are those of resource handlers
/// (<https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html>).
static TRANSIENT: LazyLock<Option<RegexSet>> = LazyLock::new(|| {
    RegexSet::new([
        // Capacity: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch.html
        r"(?i)insufficient\w*capacity",
        r"(?i)(do(es)? not|don't) have (sufficient|enough) .*capacity",
        r"(?i)insufficient (instance )?capacity",
        // Internal failures of a service.
        r"HandlerErrorCode: (ServiceInternalError|InternalFailure|NetworkFailure|Throttling)\b",
        r"(?i)\binternal (failure|error|service error)\b",
        r"\bInternalFailure\b|\bInternalError\b|\bServiceUnavailable\w*\b",
        r"(?i)service (is )?(temporarily )?unavailable",
        // Throttled calls of a resource.
        r"(?i)\brate exceeded\b|\bthrottl(ed|ing)\b|\bThrottlingException\b|\bTooManyRequests\w*\b",
        r"\bRequestLimitExceeded\b",
        // A role that was created a moment ago and isn't visible everywhere yet:
        r"(?i)role .*cannot be assumed by",
        r"(?i)invalid principal in policy",
        r"(?i)invalid iam instance profile",
        r"(?i)(could|can)not assume role|unable to assume role",
    ])
    .ok()
});

/// Returns whether a stack that failed for this reason may succeed on another attempt.
pub(super) fn is_transient(reason: &str) -> bool {
    TRANSIENT
        .as_ref()
        .is_some_and(|patterns| patterns.is_match(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_aws_are_distinguished_from_those_of_the_template() {
        let transient = [
            "We currently do not have sufficient m5.large capacity in the Availability Zone you \
             requested (us-east-1e).",
            "Insufficient capacity.",
            "InsufficientDBInstanceCapacity: try another class",
            "Internal Failure",
            "Resource handler returned message: \"x\" (RequestToken: 1, HandlerErrorCode: \
             ServiceInternalError)",
            "Resource handler returned message: \"Rate exceeded\" (HandlerErrorCode: Throttling)",
            "The role defined for the function cannot be assumed by Lambda.",
            "Invalid IAM Instance Profile name",
        ];
        let permanent = [
            "Invalid value for the parameter MessageRetentionPeriod.",
            "Resource handler returned message: \"x\" (HandlerErrorCode: InvalidRequest)",
            "tcat already exists in stack arn:aws:cloudformation:us-east-1:1:stack/internals/1",
            "You have exceeded the number of VPCs that are allowed (ServiceLimitExceeded)",
            "Resource creation cancelled",
            "API: ec2:RunInstances You are not authorized to perform this operation.",
        ];
        transient
            .iter()
            .for_each(|reason| assert!(is_transient(reason), "{reason}"));
        permanent
            .iter()
            .for_each(|reason| assert!(!is_transient(reason), "{reason}"));
    }
}
