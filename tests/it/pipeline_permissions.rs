//! The permissions of the pipeline's roles: those that walks need, and no others.

use serde_json::json;

use crate::deploying::{CHECKS, FAILED_CHECK};
use crate::pipeline_walk::{REGION, Walk};

/// Permissions that no walk uses, and why the roles have them.
const UNUSED: &[(&str, &str)] = &[
    (
        "MergeRole DeadLetters sqs:SendMessage",
        "Lambda sends the event itself, once an invocation has failed three times: \
         https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html",
    ),
    ("PipelineRole Artifacts s3:GetObject", MINIMUM),
    ("PipelineRole Artifacts s3:GetObjectVersion", MINIMUM),
    ("PipelineRole Configuration s3:GetObjectTagging", S3_SOURCE),
    (
        "PipelineRole Configuration s3:GetObjectVersionTagging",
        S3_SOURCE,
    ),
    ("PipelineRole LookIntoBuckets s3:GetBucketAcl", MINIMUM),
    ("PipelineRole LookIntoBuckets s3:GetBucketLocation", MINIMUM),
    (
        "PipelineRole LookIntoBuckets s3:ListBucket",
        "S3 says that configuration.zip doesn't exist only to who may list the bucket: \
         https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html",
    ),
    (
        "PipelineRole SourceByItsFormerName codestar-connections:UseConnection",
        FORMER_NAME,
    ),
    (
        "SyncRole FetchTheMergedCommitByItsFormerName codestar-connections:UseConnection",
        FORMER_NAME,
    ),
    (
        "TestRole FetchTheRepositoryByItsFormerName codestar-connections:UseConnection",
        FORMER_NAME,
    ),
    (
        "TestRole StacksUnderTest cloudformation:DescribeEvents",
        "taskcat looks for the failed checks of a stack that fails",
    ),
    (
        "TestRole StacksUnderTest cloudformation:ListStackResources",
        "taskcat looks for what keeps a stack from being deleted",
    ),
    (
        "TestRole StagingBuckets s3:AbortMultipartUpload",
        "the upload of a large file fails half-way",
    ),
];

/// AWS's minimum for the role of every pipeline.
const MINIMUM: &str =
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html";
const S3_SOURCE: &str = "only a real account can prove whether the S3 source action reads tags";
const FORMER_NAME: &str = "a connection whose ARN still has the service's former name";

const TASKCAT: &str = "\
project: {name: shop, regions: [us-east-1]}
tests:
  main:
    template: templates/shop.yaml
    parameters:
      ArtifactBucket: $[taskcat_autobucket]
      ArtifactPrefix: $[taskcat_project_name]/
      Zones: $[taskcat_genaz_2]
";

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn every_permission_is_used() {
    let mut walk = Walk::begin(&[
        "OverridesSecretArn=arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/overrides",
        "KeptReleases=1",
    ]);
    let overrides = ["secret", REGION, "shop/overrides", "Cidr: 10.3.0.0/16"];
    walk.server.given(&overrides);
    let shop = "shop/templates/shop.yaml";
    let parameters = "Transform: AWS::LanguageExtensions
Parameters:
  Label: {Type: String, Default: orders}
  Zones: {Type: String, Default: none}
";
    walk.own.replace(
        shop,
        "topic, and a network in a stack of its own.\nParameters:\n",
        &format!("topic.\n{parameters}"),
    );
    walk.own.replace(
        shop,
        "VisibilityTimeout: 30",
        "VisibilityTimeout: 60\n      QueueName: !Ref Label",
    );
    walk.push("transformed");
    let production = |label: &str| json!({"Parameters": {"Label": label}}).to_string();

    // A killed run, whose stacks the build has to delete.
    let killed = TASKCAT.replace(
        "project: {",
        "project: {posthooks: [{type: script, config: {command: 'kill -9 $PPID'}}], ",
    );
    let walked = walk.configure_with(&killed, &production("shop"));
    walked
        .assert_allowed()
        .assert_stage("Test", "Taskcat failed");

    // A merge with a conflict.
    let conflict = |walk: &Walk| {
        walk.git("shop", &["checkout", "-q", "main"]);
        walk.own
            .replace(shop, "VisibilityTimeout: 30", "VisibilityTimeout: 31");
        walk.git("shop", &["commit", "-q", "-a", "-m", "conflict"]);
        walk.git("shop", &["push", "-q", "origin", "main"]);
        walk.git("shop", &["checkout", "-q", "develop"]);
    };
    conflict(&walk);
    let walked = walk.configure_with(TASKCAT, &production("shop"));
    walked
        .assert_allowed()
        .assert_stage("GitMerge", "Merge failed");
    walk.git(
        "shop",
        &["merge", "-q", "-s", "ours", "-m", "solved", "main"],
    );
    walk.git("shop", &["push", "-q", "origin", "develop"]);

    // A new stack whose change set fails CloudFormation's checks.
    walk.own.write("failed.xml", FAILED_CHECK);
    walk.own.write("checks.xml", CHECKS);
    let fault = |call: &str, file: &str| {
        let path = walk.own.path().join(file);
        format!("{call}=body:{}*1", path.display())
    };
    let faults = [
        fault("DescribeChangeSet", "failed.xml"),
        fault("DescribeEvents", "checks.xml"),
    ];
    walk.command(&json!({"faults": faults}));
    let walked = walk.run();
    walked
        .assert_allowed()
        .assert_stage("Production", "ChangeSet failed");
    let told = walked.stage("Production");
    assert!(told.contains("in templates/shop.yaml:18"), "{told}");
    assert_eq!(walk.production(), None);

    // A new stack whose creation fails: it is deleted, so that the next one can be created.
    walk.configure_with(TASKCAT, &production("no name!"));
    let walked = walk.approve(true);
    walked
        .assert_allowed()
        .assert_stage("Production", "Execute failed: DELETE_COMPLETE");
    assert_eq!(walk.production(), None);
    let policy = json!({"Statement": [{
        "Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*",
    }]});
    let good = json!({"Parameters": {"Label": "shop"}, "StackPolicy": policy});
    walk.configure_with(TASKCAT, &good.to_string());
    let walked = walk.approve(true);
    walked
        .assert_allowed()
        .assert_stage("Production", "Prune: built");

    // The next release, after which the files of the first one are deleted.
    walk.own
        .replace(shop, "VisibilityTimeout: 60", "VisibilityTimeout: 90");
    walk.push("longer");
    let permanent = TASKCAT.replace("regions:", "s3_regional_buckets: true, regions:");
    walk.configure_with(&permanent, &good.to_string());
    let walked = walk.approve(true);
    walked
        .assert_allowed()
        .assert_stage("Production", "Prune: built");
    assert_eq!(walk.releases(&walked), [walk.released()]);

    let unused = walked.0["unused"].as_array().unwrap();
    let unused: Vec<&str> = unused.iter().map(|it| it.as_str().unwrap()).collect();
    // The list has every unused permission, and no others.
    let listed: Vec<&str> = UNUSED.iter().map(|(permission, _)| *permission).collect();
    assert_eq!(unused, listed);
}
