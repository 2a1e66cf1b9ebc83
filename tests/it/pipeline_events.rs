//! What starts the pipeline, in which order executions run, and which failures are reported.

use serde_json::json;

use crate::pipeline_walk::{PRODUCTION, REGION, Walk, Walked};

/// Returns the published messages.
fn messages(walked: &Walked) -> Vec<&str> {
    let messages = walked.0["messages"].as_array().unwrap();
    messages.iter().map(|it| it.as_str().unwrap()).collect()
}

/// CodePipeline runs a new pipeline at once, before it can have a configuration.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_first_execution_fails_and_is_reported() {
    let mut walk = Walk::begin(&[]);
    let walked = walk.command(&json!({"create": true}));
    walked.assert_allowed();
    walked.assert_stage("Source", "Configuration failed");
    let failed = walked.stage("Source");
    assert!(
        failed.contains("The specified key does not exist"),
        "{failed}"
    );
    let told = messages(&walked);
    assert!(
        told.len() == 1
            && told[0].starts_with("The stage Source of the pipeline ")
            && told[0].contains(walked.last()["id"].as_str().unwrap()),
        "{told:?}"
    );
}

/// A stage also fails if somebody rejects a change.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn who_approves_is_told_of_every_stage_that_failed() {
    let mut walk = Walk::begin(&["TestMachines=1"]);
    walk.run();
    let walked = walk.approve(false);
    walked.assert_allowed();
    let told = messages(&walked);
    assert!(
        told.len() == 1 && told[0].starts_with("The stage Production of the pipeline "),
        "{told:?}"
    );
    assert!(
        told[0].contains("https://us-east-1.console.aws.amazon.com/"),
        "{told:?}"
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_schedule_starts_the_pipeline() {
    let mut walk = Walk::begin(&["Schedule=rate(7 days)"]);
    let walked = walk.command(&json!({"tick": true}));
    walked.assert_allowed();
    assert_eq!(walked.0["schedules"], json!({"Scheduled": "rate(7 days)"}));
    assert_eq!(walked.0["executions"].as_array().unwrap().len(), 1);
    // EventBridge may send undelivered starts to the dead-letter queue.
    for rule in ["Scheduled", "ConfigurationChanged"] {
        walk.command(&json!({"undelivered": rule})).assert_allowed();
    }
    // Only pushes to the source branch start it.
    let walked = walk.command(&json!({"push": "another"}));
    assert_eq!(walked.0["executions"].as_array().unwrap().len(), 1);
    let walked = walk.command(&json!({"push": "develop"}));
    assert_eq!(walked.0["executions"].as_array().unwrap().len(), 2);

    let mut walk = Walk::begin(&[]);
    let walked = walk.command(&json!({"tick": true}));
    assert_eq!(walked.0["schedules"], json!({}));
    assert_eq!(walked.0["executions"], json!([]));
}

/// Pushes three changes: the first one waits for its approval while the others reach that stage.
fn three_changes(mode: &str) -> Walk {
    let mut walk = Walk::begin(&["TestMachines=1", &format!("ExecutionMode={mode}")]);
    let mut timeout = 30;
    for next in [60, 90, 120] {
        walk.own.replace(
            "shop/templates/shop.yaml",
            &format!("VisibilityTimeout: {timeout}"),
            &format!("VisibilityTimeout: {next}"),
        );
        timeout = next;
        walk.push("longer");
        walk.run().assert_allowed();
    }
    walk
}

fn statuses(walked: &Walked) -> Vec<&str> {
    let executions = walked.0["executions"].as_array().unwrap();
    let status = |it| -> &str { serde_json::Value::as_str(it).unwrap() };
    executions.iter().map(|it| status(&it["status"])).collect()
}

/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html>
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn what_waits_is_superseded_by_the_newest() {
    let mut walk = three_changes("SUPERSEDED");
    let walked = walk.approve(true);
    assert_eq!(statuses(&walked), ["Succeeded", "Superseded", "InProgress"]);
    walked.assert_stage("Production", "Approval: waiting");
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn what_is_queued_is_executed_in_its_order() {
    let mut walk = three_changes("QUEUED");
    let walked = walk.approve(true);
    assert_eq!(statuses(&walked), ["Succeeded", "InProgress", "InProgress"]);
    assert_eq!(
        walked.0["executions"][1]["stages"]["Production"],
        "Approval: waiting"
    );
    walk.approve(true);
    let walked = walk.approve(true);
    assert_eq!(statuses(&walked), ["Succeeded"; 3]);
}

/// The metrics and their dimensions are documented:
/// <https://docs.aws.amazon.com/codebuild/latest/userguide/cloudwatch_metrics-codebuild.html>,
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html>,
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>, and for SQS in
/// "Available CloudWatch metrics" of its guide.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_dashboard_shows_the_pipelines_metrics() {
    let dashboards = |parameters: &[&str]| {
        let walked = Walk::begin(parameters).command(&json!({"status": true}));
        walked.0["dashboard"].as_array().unwrap().clone()
    };
    let [dashboard] = &dashboards(&[])[..] else {
        panic!("there is not one dashboard");
    };
    let widgets = dashboard["widgets"].as_array().unwrap();
    let metrics = widgets
        .iter()
        .filter_map(|it| it["properties"]["metrics"].as_array());
    let mut shown = Vec::new();
    for metric in metrics.flatten() {
        let [namespace, name, dimension, value] =
            [0, 1, 2, 3].map(|index| metric[index].as_str().unwrap());
        assert!(value.starts_with("shop-pipeline-"), "{metric}");
        shown.push([namespace, name, dimension].join(" "));
    }
    let expect = [
        "AWS/CodeBuild SucceededBuilds ProjectName",
        "AWS/CodeBuild FailedBuilds ProjectName",
        "AWS/CodeBuild Duration ProjectName",
        "AWS/CodeBuild Duration ProjectName",
        "AWS/CodeBuild Duration ProjectName",
        "AWS/Events TriggeredRules RuleName",
        "AWS/Lambda Errors FunctionName",
        "AWS/SQS ApproximateNumberOfMessagesVisible QueueName",
        "AWS/SQS ApproximateNumberOfMessagesVisible QueueName",
    ];
    assert_eq!(shown, expect);
    assert_eq!(dashboards(&["Dashboard=false"]).len(), 0);
}

/// A production stack whose creation failed can't be updated: an earlier version of the pipeline,
/// or another tool, has left it.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_production_stack_that_failed_is_replaced() {
    let mut walk = Walk::begin(&["TestMachines=1"]);
    let broken = "Resources: {Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: no name!}}}";
    walk.server
        .given(&["template-stack", REGION, "shop", broken]);
    assert_eq!(walk.production().as_deref(), Some("ROLLBACK_COMPLETE"));
    let walked = walk.run();
    walked
        .assert_allowed()
        .assert_stage("Production", "Approval: waiting");
    walk.approve(true)
        .assert_allowed()
        .assert_stage("Production", "Prune: built");
    assert_eq!(walk.production().as_deref(), Some("CREATE_COMPLETE"));
}

/// The configuration of the tests may be only in `configuration.zip`.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_repository_needs_no_configuration() {
    let mut walk = Walk::begin(&["TestMachines=1"]);
    let taskcat = walk.own.read("shop/.taskcat.yml");
    walk.git("shop", &["rm", "-q", ".taskcat.yml"]);
    walk.push("without a configuration");
    let walked = walk.configure_with(&taskcat, PRODUCTION);
    walked
        .assert_allowed()
        .assert_stage("Production", "Approval: waiting");
}
