//! What this program calls itself, as IAM's actions.
//!
//! `tests/it/generate_iam_policy.rs` compares the calls of runs with this table.

use std::collections::BTreeSet;

use serde_json::Value;

use super::PolicyPurpose::{Cleanup, Deploy, Test};
use super::{PolicyPurpose, PolicyRequest, statement};

/// What an action is allowed on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CallTarget {
    /// The stacks of the project, and their change sets.
    Stacks,
    /// The buckets that the project is staged to.
    Buckets,
    /// The objects in those.
    Objects,
    /// Anything: actions that list things, or that IAM doesn't restrict.
    Anything,
}

use CallTarget::{Anything, Buckets, Objects, Stacks};

const ALWAYS: &[PolicyPurpose] = &[Test, Deploy, Cleanup];
const LAUNCHING: &[PolicyPurpose] = &[Test, Deploy];
const DELETING: &[PolicyPurpose] = &[Test, Cleanup];

/// The actions, with what they are needed for.
const CALLS: [(&str, CallTarget, &[PolicyPurpose]); 60] = [
    ("sts:GetCallerIdentity", Anything, ALWAYS),
    // Stacks.
    ("cloudformation:CreateStack", Stacks, &[Test]),
    ("cloudformation:DescribeStacks", Stacks, ALWAYS),
    ("cloudformation:DescribeStackEvents", Stacks, ALWAYS),
    ("cloudformation:DescribeEvents", Stacks, ALWAYS),
    ("cloudformation:DescribeStackResources", Stacks, ALWAYS),
    ("cloudformation:ListStackResources", Stacks, ALWAYS),
    ("cloudformation:GetTemplate", Stacks, LAUNCHING),
    // Checks of complete stacks.
    ("cloudformation:DescribeStackResource", Stacks, &[Test]),
    ("cloudformation:DetectStackDrift", Stacks, &[Test]),
    (
        "cloudformation:DescribeStackResourceDrifts",
        Stacks,
        &[Test],
    ),
    (
        "cloudformation:DescribeStackDriftDetectionStatus",
        Anything,
        &[Test],
    ),
    ("cloudformation:GetResource", Anything, &[Test]),
    ("cloudformation:DeleteStack", Stacks, ALWAYS),
    ("cloudformation:CancelUpdateStack", Stacks, DELETING),
    ("cloudformation:CreateChangeSet", Stacks, LAUNCHING),
    ("cloudformation:DescribeChangeSet", Stacks, LAUNCHING),
    ("cloudformation:ExecuteChangeSet", Stacks, LAUNCHING),
    ("cloudformation:ListChangeSets", Stacks, LAUNCHING),
    ("cloudformation:DeleteChangeSet", Stacks, LAUNCHING),
    ("cloudformation:TagResource", Stacks, LAUNCHING),
    ("cloudformation:ListStacks", Anything, ALWAYS),
    ("cloudformation:ListExports", Anything, LAUNCHING),
    // Staging.
    ("s3:CreateBucket", Buckets, &[Test]),
    ("s3:PutBucketTagging", Buckets, &[Test]),
    ("s3:GetBucketTagging", Buckets, ALWAYS),
    ("s3:PutBucketPolicy", Buckets, &[Test]),
    ("s3:GetBucketPolicy", Buckets, LAUNCHING),
    ("s3:PutBucketPublicAccessBlock", Buckets, &[Test]),
    ("s3:PutBucketOwnershipControls", Buckets, &[Test]),
    ("s3:GetBucketOwnershipControls", Buckets, LAUNCHING),
    ("s3:GetBucketLocation", Buckets, ALWAYS),
    ("s3:GetBucketVersioning", Buckets, ALWAYS),
    ("s3:ListBucket", Buckets, ALWAYS),
    ("s3:ListBucketVersions", Buckets, ALWAYS),
    ("s3:ListBucketMultipartUploads", Buckets, ALWAYS),
    ("s3:DeleteBucket", Buckets, DELETING),
    ("s3:DeleteBucketPolicy", Buckets, DELETING),
    ("s3:ListAllMyBuckets", Anything, ALWAYS),
    // CloudFormation reads the templates with the caller's permissions.
    ("s3:GetObject", Objects, LAUNCHING),
    ("s3:GetObjectVersion", Objects, LAUNCHING),
    ("s3:PutObject", Objects, LAUNCHING),
    ("s3:PutObjectAcl", Objects, LAUNCHING),
    ("s3:PutObjectTagging", Objects, LAUNCHING),
    ("s3:AbortMultipartUpload", Objects, ALWAYS),
    ("s3:ListMultipartUploadParts", Objects, ALWAYS),
    ("s3:DeleteObject", Objects, ALWAYS),
    ("s3:DeleteObjectVersion", Objects, DELETING),
    // Values of parameters, and what they name.
    ("ec2:DescribeRegions", Anything, ALWAYS),
    ("ec2:DescribeAvailabilityZones", Anything, LAUNCHING),
    ("ec2:DescribeKeyPairs", Anything, LAUNCHING),
    ("ec2:DescribeImages", Anything, LAUNCHING),
    ("ec2:DescribeVpcs", Anything, LAUNCHING),
    ("ec2:DescribeSubnets", Anything, LAUNCHING),
    ("ec2:DescribeSecurityGroups", Anything, LAUNCHING),
    ("route53:ListHostedZones", Anything, LAUNCHING),
    ("ssm:GetParameter", Anything, LAUNCHING),
    ("ssm:GetParameters", Anything, LAUNCHING),
    ("secretsmanager:ListSecrets", Anything, LAUNCHING),
    ("servicequotas:GetServiceQuota", Anything, LAUNCHING),
];

/// Only where something reads a secret.
const SECRETS: &str = "secretsmanager:GetSecretValue";

/// Returns the statements of this program's own calls.
pub(super) fn statements(request: &PolicyRequest) -> Vec<Value> {
    let actions = |wanted: CallTarget| {
        let calls = CALLS.iter().filter(move |(_, target, purposes)| {
            *target == wanted && purposes.contains(&request.purpose)
        });
        calls.map(|(action, _, _)| *action)
    };
    let arns = |names: &BTreeSet<String>, form: &dyn Fn(&str) -> String| {
        let forms = names.iter().map(|name| form(name));
        forms
            .flat_map(|rest| request.arns(&rest))
            .collect::<Vec<_>>()
    };
    let stacks = arns(&request.stacks, &|name| {
        format!(":cloudformation:*:*:stack/{name}/*")
    });
    let buckets = arns(&request.buckets, &|name| format!(":s3:::{name}"));
    let objects = arns(&request.buckets, &|name| format!(":s3:::{name}/*"));
    let secrets = (request.has_secrets && request.purpose != Cleanup).then_some(SECRETS);
    vec![
        statement("TaskcatStacks", actions(Stacks), &stacks),
        statement("TaskcatBuckets", actions(Buckets), &buckets),
        statement("TaskcatObjects", actions(Objects), &objects),
        statement("TaskcatLookups", actions(Anything).chain(secrets), &[]),
    ]
}
