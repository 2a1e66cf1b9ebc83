//! Returns hints for well-known causes of failure, matched by AWS's messages.
//!
//! AWS publishes no list of these messages; they are from CloudFormation's troubleshooting guide
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html>), the
//! services' error codes
//! (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>) and messages
//! reported by users.

use std::sync::LazyLock;

use regex::Regex;

/// Returns the hint for a reason, if its cause is a well-known one.
pub(super) fn of(reason: &str) -> Option<String> {
    HINTS.iter().find_map(|(pattern, hint)| {
        let captures = pattern.captures(reason)?;
        let mut text = String::new();
        captures.expand(hint, &mut text);
        Some(text)
    })
}

/// Returns whether a reason refuses a parameter's value.
pub(super) fn is_of_parameter(reason: &str) -> bool {
    of(reason).as_deref() == Some(PARAMETER) || reason.starts_with("Parameter")
}

/// The hint for a wrong parameter value in a test.
const PARAMETER: &str = "set the parameter in `.taskcat.yml`, under `parameters` of the test";

static HINTS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    // Invalid patterns are found by the test below.
    TABLE
        .iter()
        .filter_map(|(pattern, hint)| Some((Regex::new(pattern).ok()?, *hint)))
        .collect()
});

/// Patterns and hints in the order in which they are tried; `${name}` is replaced by the pattern's
/// group.
const TABLE: &[(&str, &str)] = &[
    // Permissions.
    (
        r"(?s)not authorized to perform:? (?P<action>[\w-]+:[\w*]+).*explicit deny in a service control policy",
        "a service control policy of the organization forbids ${action}: nothing in this account \
         can allow it",
    ),
    (
        r"(?s)not authorized to perform:? (?P<action>[\w-]+:[\w*]+).*explicit deny",
        "a policy denies ${action} explicitly: an Allow elsewhere doesn't help",
    ),
    (
        r"not authorized to perform:? (?P<action>[\w-]+:[\w*]+)",
        "the caller lacks ${action}: allow it, or set a role that has it as \
         `role_name`",
    ),
    (
        r"API: (?P<action>[\w-]+:\w+) (?:You are not authorized|.*not authorized|Access ?Denied)",
        "the caller lacks ${action}: allow it, or set a role that has it as \
         `role_name`",
    ),
    (
        r"Encoded authorization failure message",
        "a permission is missing: `aws sts decode-authorization-message` says which",
    ),
    (
        r"must accept the terms|need to accept terms and subscribe",
        "subscribe to the image in the AWS Marketplace, once for each account",
    ),
    (
        r"ExpiredToken|[Tt]oken .*(?:is|has) expired",
        "the credentials expired during the test: use some that last longer (those of a role that \
         another role has assumed end after an hour)",
    ),
    (
        r"denied by the Hook (?P<hook>\S+):",
        "the account's Hook ${hook} forbids it: change the resource, or ask whoever runs the Hook \
         for an exception",
    ),
    // Regions that must be enabled. The messages are about credentials.
    (
        r"OptInRequired|not subscribed to this service|[Rr]egion .*(?:not enabled|is disabled)|InvalidClientTokenId|InvalidAccessKeyId|InvalidToken|IllegalLocationConstraintException|security token included in the request is invalid|AWS was not able to validate the provided access credentials",
        "if this works in other regions, this one must be enabled first (account settings, \
         AWS Regions)",
    ),
    // Missing data in a simulated account.
    (
        r"SSM parameter (?P<name>\S+) in \S+: the simulator doesn't have it",
        "seed it: `ssm_parameters: [{name: ${name}, value: …}]` in a file for `--seed` \
         (docs/seeds.md)",
    ),
    (
        r"secret (?P<name>\S+) in \S+: the simulator doesn't have it",
        "seed it: `secrets: [{name: ${name}, value: …}]` in a file for `--seed` (docs/seeds.md)",
    ),
    (
        r"object s3://(?P<bucket>[^/\s]+)/(?P<key>\S+): the simulator doesn't have it",
        "seed it: `buckets: [{name: ${bucket}, objects: [{key: ${key}, file: …}]}]` in a file for \
         `--seed` (docs/seeds.md)",
    ),
    (
        r"simulator has no bucket `(?P<bucket>[^`]+)`.*put its object (?P<key>\S+) there",
        "seed it: `buckets: [{name: ${bucket}, objects: [{key: ${key}, file: …}]}]` in a file for \
         `--seed` (docs/seeds.md)",
    ),
    (
        r"Unable to fetch parameters \[(?P<name>[^\]]*)\] from parameter store",
        "an SSM parameter ${name} must exist in the test's account and region; for a simulated \
         run, seed it (`ssm_parameters`)",
    ),
    (
        r"Secrets Manager can't find the specified secret",
        "the secret must exist in the test's account and region; for a simulated run, seed it \
         (`secrets`)",
    ),
    (
        r"parameter value (?P<value>\S+) for parameter name (?P<key>\S+) does not exist",
        "${value} must exist in the test's region; for a simulated run with such seeds, add it to \
         them (`key_pairs`, `images`, `hosted_zones` or `vpcs`)",
    ),
    // Problems of the template before anything is created.
    (
        r"Unable to get mapping for (?P<map>[\w.-]+)::(?P<top>[^:\s]+)::(?P<second>[\w.-]+)",
        "the mapping ${map} has no ${top} → ${second}: add it, or leave the region out of the test",
    ),
    (
        r"[Rr]equires capabilities\s*:?\s*\[(?P<capabilities>[^\]]*)\]",
        "taskcat acknowledges all capabilities; ${capabilities} must be passed on by the \
         proxy or endpoint between it and AWS",
    ),
    (
        r"No export named (?P<name>\S+) found",
        "a stack that exports ${name} must exist in the same account and region before the test; \
         for a simulated run, seed it (`exports`)",
    ),
    (
        r"Unrecognized resource types?: \[(?P<types>[^\]]*)\]",
        "this region doesn't have ${types}: leave it out of the test, or make the resource \
         conditional",
    ),
    (
        r"the simulator can't run macro",
        "macros run only on AWS: test this template there, or put the macro's output into \
         the test",
    ),
    (
        r"(?:failed to satisfy constraint|must have values|must be one of AllowedValues|must match pattern|do not exist in the template)",
        PARAMETER,
    ),
    (
        r"(?i)S3 error: (?:Access Denied|The specified key does not exist|NoSuchKey)|TemplateURL must",
        "the nested template isn't where its TemplateURL points: `taskcat plan` compares URLs with \
         what is staged",
    ),
    (
        r"Error occurred while GetObject\. S3 Error Code: (?P<code>\w+)",
        "the function's archive isn't where the template expects it (${code}): `taskcat upload \
         --dry-run` lists what is staged; a bucket must be in the function's region",
    ),
    // Capacity.
    (
        r"not supported in your requested Availability Zone|Unsupported.*Availability Zone|subnets? .*Availability Zone .*not supported",
        "this Availability Zone lacks the type: add its ID to `az_blacklist`, or use another \
         type",
    ),
    (
        r"(?i)Insufficient(?:\w*)Capacity|(?:do|does) not have sufficient .*capacity|Insufficient capacity|no capacity",
        "AWS has no capacity there at the moment: try again later, use another type, or add the \
         zone's ID to `az_blacklist`",
    ),
    (
        r"InsufficientFreeAddressesInSubnet|not enough free addresses",
        "the subnet has no free addresses: give it a larger CIDR block, or use another",
    ),
    // Quotas of resources; those of requests are above.
    (
        r"(?i)Rate exceeded|Throttling|TooManyRequests|RequestLimitExceeded",
        "AWS throttles the account: launch fewer stacks at once (`--max-concurrency-per-region`)",
    ),
    (
        r"(?i)LimitExceeded|limit (?:\S+ )?(?:has been |was |is )?(?:exceeded|reached)|quota|maximum number of|more \w+ (?:\w+ )?than your current|TooMany\w+",
        "a quota of the account is used up in this region: delete what isn't needed (`taskcat test \
         list` shows stacks of earlier runs), or ask for more in Service Quotas",
    ),
    // Names.
    (
        r"(?i)already exists|AlreadyExists|AlreadyOwnedByYou|already taken|already in use|name is taken",
        "the name is taken: leave it to CloudFormation, or build it from AWS::StackName and \
         AWS::Region, so that tests don't meet",
    ),
    // Missing prerequisites.
    (
        r"image id '?\[?(?P<image>ami-\w+)\]?'? does not exist|InvalidAMIID",
        "an image ID is valid in one region only: take it from a mapping by region or from SSM's \
         public parameters",
    ),
    (
        r"(?i)key ?pair '?(?P<key>[^']*?)'? does not exist|InvalidKeyPair",
        "key pairs belong to one region: create one there, or omit the parameter",
    ),
    (
        r"No default VPC for this user|VPCIdNotSpecified",
        "the account has no default VPC in this region: create one, or specify a VPC",
    ),
    (
        r"(?i)service[- ]linked role",
        "create the service-linked role once in the account: `aws iam create-service-linked-role`",
    ),
    // Timeouts.
    (
        r"Failed to receive \d+ resource signal|[Ww]aitCondition timed out|received 0 (?:conditions|signals)",
        "the instance never signalled: keep it with `--keep-failed` and read /var/log/cfn-init.log \
         and cloud-init-output.log",
    ),
    (
        r"(?i)did not receive a response from your custom resource|custom resource failed to stabilize|Received response status \[FAILED\] from custom resource",
        "the function behind the custom resource didn't succeed: its log group in CloudWatch Logs \
         says why",
    ),
    (
        r"Stack creation time exceeded the specified timeout|exceeded the specified timeout",
        "the stack's TimeoutInMinutes has passed: the timeline shows what took so long",
    ),
    (
        r"(?i)did not stabilize|failed to stabilize|Exceeded attempts to wait",
        "the service accepted the request, but the resource never became healthy: the service's \
         own \
         events or logs say why",
    ),
    // Deletion.
    (
        r"(?i)bucket you tried to delete is not empty|BucketNotEmpty",
        "something was written to the bucket during the test: empty it on deletion, or keep it \
         (`DeletionPolicy: Retain`)",
    ),
    (
        r"(?i)has (?:a )?dependen(?:t object|cies)|DependencyViolation|is currently in use|resource is in use",
        "something that isn't part of the stack still uses it: find that and delete it first",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one_and_names_only_groups_that_it_has() {
        assert_eq!(HINTS.len(), TABLE.len());
        for (pattern, hint) in HINTS.iter() {
            let groups: Vec<&str> = pattern.capture_names().flatten().collect();
            for name in hint
                .split("${")
                .skip(1)
                .filter_map(|rest| Some(rest.split_once('}')?.0))
            {
                assert!(groups.contains(&name), "{hint}: no group {name}");
            }
        }
    }

    /// Every hint in the table, for reasons in AWS's words.
    #[test]
    fn well_known_causes() {
        let check = |reason: &str, expect: &str| {
            let hint = of(reason);
            assert!(
                hint.as_deref().is_some_and(|hint| hint.starts_with(expect)),
                "{reason}: {hint:?}"
            );
        };
        check(
            "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: iam:CreateRole \
             on resource: x with an explicit deny in a service control policy",
            "a service control policy of the organization forbids iam:CreateRole: ",
        );
        check(
            "User: x is not authorized to perform: s3:PutBucketPolicy on resource: y with an \
             explicit deny in an identity-based policy",
            "a policy denies s3:PutBucketPolicy explicitly",
        );
        check(
            "Resource handler returned message: \"User: arn:aws:sts::1:assumed-role/ci/x is not \
             authorized to perform: kms:CreateKey because no identity-based policy allows the \
             kms:CreateKey action (Service: Kms, Status Code: 400)\"",
            "the caller lacks kms:CreateKey: ",
        );
        check(
            "API: ec2:RunInstances You are not authorized to perform this operation.",
            "the caller lacks ec2:RunInstances: ",
        );
        check(
            "API: iam:CreateRole Access Denied",
            "the caller lacks iam:CreateRole: ",
        );
        check(
            "You are not authorized to perform this operation. Encoded authorization failure \
             message: aGk",
            "a permission is missing: ",
        );
        check(
            "In order to use this AWS Marketplace product you need to accept terms and subscribe.",
            "subscribe ",
        );
        check(
            "The security token included in the request is invalid.",
            "if this works in other regions",
        );
        check(
            "ExpiredToken: The security token included in the request is expired",
            "the credentials expired",
        );
        check(
            "OptInRequired: You are not subscribed to this service.",
            "if this works in other regions",
        );
        check(
            "af-south-1: GetBucketLocation: InvalidAccessKeyId: tcat-x: The AWS Access Key Id you \
             provided does not exist in our records.",
            "if this works in other regions",
        );
        check(
            "af-south-1: GetBucketLocation: InvalidToken: tcat-x: The provided token is malformed \
             or otherwise invalid.",
            "if this works in other regions",
        );
        check(
            "Template error: Unable to get mapping for AWSAMIRegionMap::ap-east-1::AMZNLINUXHVM",
            "the mapping AWSAMIRegionMap has no ap-east-1 → AMZNLINUXHVM: ",
        );
        check(
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
            "taskcat acknowledges all capabilities; CAPABILITY_NAMED_IAM must",
        );
        check(
            "No export named shared-VpcId found. Rollback requested by user.",
            "a stack that exports shared-VpcId must",
        );
        check(
            "t.yml:1:2: parameter K: $[taskcat_ssm_/a/b]: SSM parameter /a/b in us-east-1: the \
             simulator doesn't have it",
            "seed it: `ssm_parameters: [{name: /a/b, value: …}]`",
        );
        check(
            "secret db in us-east-1: the simulator doesn't have it",
            "seed it: `secrets: [{name: db, value: …}]`",
        );
        check(
            "object s3://b/k/l: the simulator doesn't have it",
            "seed it: `buckets: [{name: b, objects: [{key: k/l, file: …}]}]`",
        );
        check(
            "the simulator has no bucket `b`, so what this nested stack creates isn't known; put \
             its object k/l.yaml there with --seed",
            "seed it: `buckets: [{name: b, objects: [{key: k/l.yaml, file: …}]}]`",
        );
        check(
            "Unable to fetch parameters [/a] from parameter store for this account.",
            "an SSM parameter /a must",
        );
        check(
            "Secrets Manager can't find the specified secret.",
            "the secret must exist",
        );
        check(
            "Parameter validation failed: parameter value ops for parameter name Key does not \
             exist",
            "ops must exist in the test's region",
        );
        check(
            "Template format error: Unrecognized resource types: [AWS::AppRunner::Service]",
            "this region doesn't have AWS::AppRunner::Service: ",
        );
        check(
            "Parameters: [KeyPairName] must have values",
            "set the parameter in ",
        );
        check(
            "Parameter Cidr failed to satisfy constraint: must be a CIDR",
            "set the parameter in ",
        );
        check(
            "S3 error: Access Denied For more information check http://docs.aws.amazon.com/",
            "the nested template isn't where",
        );
        check(
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The \
             specified key does not exist.",
            "the function's archive isn't where the template expects it (NoSuchKey): ",
        );
        check(
            "Your requested instance type (m7i.large) is not supported in your requested \
             Availability Zone (us-east-1e).",
            "this Availability Zone lacks the type: ",
        );
        check(
            "We currently do not have sufficient m5.large capacity in the Availability Zone you \
             requested (us-east-1e).",
            "AWS has no capacity there",
        );
        check(
            "denied by the Hook Acme::Names::Hook: the name lacks a prefix",
            "the account's Hook Acme::Names::Hook forbids it",
        );
        check(
            "InsufficientDBInstanceCapacity: db.r5.large",
            "AWS has no capacity there",
        );
        check(
            "InsufficientFreeAddressesInSubnet",
            "the subnet has no free addresses",
        );
        check(
            "Rate exceeded (Service: Lambda, Status Code: 429)",
            "AWS throttles",
        );
        check(
            "The maximum number of VPCs has been reached. (Service: Ec2, Status Code: 400)",
            "a quota of the account",
        );
        check(
            "The maximum number of addresses has been reached.",
            "a quota of the account",
        );
        check(
            "You have requested more vCPU capacity than your current vCPU limit of 32 allows",
            "a quota of the account",
        );
        check(
            "shop-assets already exists in stack arn:aws:cloudformation:us-east-1:1:stack/x/y",
            "the name is taken: ",
        );
        check(
            "The requested bucket name is not available: BucketAlreadyExists",
            "the name is taken: ",
        );
        check(
            "The image id '[ami-0abc]' does not exist",
            "an image ID is valid in one region",
        );
        check(
            "The key pair 'ops' does not exist",
            "key pairs belong to one region",
        );
        check(
            "No default VPC for this user",
            "the account has no default VPC",
        );
        check(
            "Unable to assume the service linked role. Please verify that the ECS service linked \
             role exists.",
            "create the service-linked role",
        );
        check(
            "Failed to receive 1 resource signal(s) within the specified duration",
            "the instance never signalled",
        );
        check(
            "WaitCondition timed out. Received 0 conditions when expecting 1",
            "the instance never signalled",
        );
        check(
            "CloudFormation did not receive a response from your Custom Resource. Please check \
             your logs",
            "the function behind",
        );
        check(
            "Stack creation time exceeded the specified timeout. Rollback requested by user.",
            "the stack's TimeoutInMinutes",
        );
        check(
            "Resource handler returned message: \"Exceeded attempts to wait\" (HandlerErrorCode: \
             NotStabilized)",
            "the service accepted the request",
        );
        check(
            "The bucket you tried to delete is not empty (Service: S3, Status Code: 409)",
            "something was written to the bucket",
        );
        check(
            "The vpc 'vpc-0' has dependencies and cannot be deleted. (DependencyViolation)",
            "something that isn't part of the stack",
        );
        assert_eq!(
            of(
                "Properties validation failed for resource Queue with message: extraneous key \
                 [Nmae] is not permitted"
            ),
            None
        );
        assert_eq!(of(""), None);
    }
}
