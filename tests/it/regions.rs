//! Calls stay in the regions that the tests name, and a region that can't be used costs only its
//! own tests.

use std::collections::BTreeSet;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

/// One topic in these regions. `more` is the rest of the project's section.
fn project(regions: &str, more: &str) -> Project {
    let project = Project::empty("placed");
    project.write(
        ".taskcat.yml",
        &format!(
            "project: {{name: placed, regions: [{regions}]{more}}}\n\
             tests: {{topic: {{template: topic.yaml, parameters: {{Zone: \
             '$[taskcat_gensingleaz_1]'}}}}}}\n"
        ),
    );
    project.write(
        "topic.yaml",
        "Parameters: {Zone: {Type: String}}\n\
         Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Zone}}}\n",
    );
    project
}

fn local(project: &Project, scenario: &str) -> Outcome {
    project.write("scenario.yml", scenario);
    Taskcat::bare(project)
        .args(["test", "run", "--local", "-l", "--scenario", "scenario.yml"])
        .run()
}

/// The region of the run's own bucket, which was deleted.
#[track_caller]
fn bucket_region(outcome: &Outcome) -> String {
    let report = outcome.report();
    let [bucket] = report["buckets"].as_array().unwrap().as_slice() else {
        panic!("{report:#}")
    };
    assert_eq!(bucket["end"]["state"], "deleted", "{bucket:#}");
    bucket["region"].as_str().unwrap().to_owned()
}

/// Whatever AWS_REGION says: identity, zones, staging, stacks and their deletion.
#[test]
fn no_call_leaves_the_regions_of_the_tests() {
    let server = Server::take(Kind::Simulator);
    for (regions, more) in [
        ("eu-central-1", ""),
        ("us-gov-west-1", ""),
        ("ap-south-1, cn-north-1", ""),
        ("eu-west-3, sa-east-1", ", s3_regional_buckets: true"),
    ] {
        let proxy = Proxy::before(&server);
        let project = project(regions, more);
        Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
            .args(["-l"])
            .run()
            .assert_code(0);
        let calls = proxy.calls();
        let called: BTreeSet<_> = calls
            .0
            .iter()
            .map(|call| call["region"].as_str().unwrap_or_default())
            .collect();
        assert_eq!(called, regions.split(", ").collect(), "{}", calls.summary());
    }
}

/// An organization may deny every region but those that are used.
#[test]
fn another_region_may_be_denied() {
    let project = project("eu-central-1", "");
    let outcome = local(&project, "disabled_regions: [us-east-1]\n");
    outcome.assert_code(0);
    assert_eq!(bucket_region(&outcome), "eu-central-1");
}

/// The first region serves the others only if it can.
#[test]
fn a_region_that_is_not_enabled_fails_alone() {
    let project = project("af-south-1, eu-west-1, us-east-1", "");
    let outcome = local(&project, "disabled_regions: [af-south-1]\n");
    outcome.assert_code(1);
    assert_eq!(
        outcome.states(),
        [
            "topic/eu-west-1 passed",
            "topic/us-east-1 passed",
            "topic/af-south-1 failed"
        ]
    );
    assert_eq!(bucket_region(&outcome), "eu-west-1");
    outcome.assert_says("hint: if this works in other regions, this one must be enabled first");
}

/// STS answers everywhere where S3 may be denied.
#[test]
fn the_bucket_is_created_where_that_is_allowed() {
    let denied =
        "calls: [{service: s3, action: CreateBucket, regions: [us-east-1], fault: deny}]\n";
    let pair = project("us-east-1, eu-west-1", "");
    let outcome = local(&pair, denied);
    outcome
        .assert_code(0)
        .assert_says("us-east-1: CreateBucket: AccessDenied")
        .assert_says("trying eu-west-1");
    assert_eq!(bucket_region(&outcome), "eu-west-1");
    let single = project("us-east-1", "");
    let outcome = local(&single, denied);
    outcome
        .assert_code(3)
        .assert_says("us-east-1: CreateBucket: AccessDenied");
}

#[test]
fn one_regional_bucket_of_many_fails_alone() {
    for scenario in [
        "disabled_regions: [af-south-1]\n",
        "calls: [{service: s3, regions: [af-south-1], fault: deny}]\n",
        "calls: [{service: s3, action: PutObject, regions: [af-south-1], fault: deny}]\n",
    ] {
        let project = project("us-east-1, af-south-1", ", s3_regional_buckets: true");
        project.replace("topic.yaml", "DisplayName: !Ref Zone", "DisplayName: x");
        project.replace(".taskcat.yml", "'$[taskcat_gensingleaz_1]'", "x");
        let outcome = local(&project, scenario);
        outcome
            .assert_code(1)
            .assert_silent_about("extended_request_id");
        let mut states = outcome.states();
        states.sort();
        assert_eq!(
            states,
            ["topic/af-south-1 failed", "topic/us-east-1 passed"],
            "{scenario}"
        );
        let reason = outcome.cell("topic", "af-south-1")["reason"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(reason.starts_with("af-south-1: "), "{reason}");
        let hint = "if this works in other regions, this one must be enabled first";
        let root_cause = &outcome.cell("topic", "af-south-1")["root_cause"];
        assert_eq!(
            root_cause["hint"]
                .as_str()
                .unwrap_or_default()
                .starts_with(hint),
            scenario.starts_with("disabled")
        );
    }
}

/// Every other bucket gets the files, and the error names the region.
#[test]
fn an_upload_names_the_region_that_cannot_be_used() {
    let project = project(
        "us-east-1, af-south-1, eu-west-1",
        ", s3_regional_buckets: true",
    );
    project.write("scenario.yml", "disabled_regions: [af-south-1]\n");
    let scenario = project.path().join("scenario.yml").display().to_string();
    let simulator = crate::simulator::Simulator::start(&["--scenario", &scenario]);
    let outcome = Taskcat::at(&project, &simulator.endpoint())
        .args(["upload"])
        .run();
    outcome
        .assert_code(3)
        .assert_says("af-south-1: GetBucketLocation: InvalidAccessKeyId");
    outcome
        .assert_says("-us-east-1, 0 unchanged, 0 removed")
        .assert_says("-eu-west-1, 0 unchanged, 0 removed");
}
