//! How much a run asks of AWS: calls are counted on the wire.

use std::collections::BTreeMap;

use crate::project::Project;
use crate::proxy::{Calls, Proxy};
use crate::servers::{Kind, Server};
use crate::taskcat::Taskcat;

tests_on!(all: #[ignore = "needs pip; run tests/run.sh"] nothing_is_listed_account_wide);

/// What TaskCat 0.9.58 sends for two tests in three regions whose stacks stand when CreateStack
/// answers; `differential` counts it again.
const TASKCAT_CALLS: usize = 95;

/// moto's stacks stand when CreateStack answers, so every call beyond those needed is one too many.
#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn half_of_taskcats_calls_at_most() {
    let server = Server::take(Kind::Moto);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("sample");
    let outcome = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .with_python_tools()
        .args(["-l"])
        .run();
    outcome.assert_code(0);
    let calls = proxy.calls();
    assert!(
        calls.0.len() <= TASKCAT_CALLS / 2,
        "{} calls\n{}",
        calls.0.len(),
        calls.summary()
    );
    for (action, count) in [
        ("GetCallerIdentity", 1),
        ("DescribeAvailabilityZones", 3),
        ("CreateBucket", 1),
        ("PutObject", 5),
        ("CreateStack", 6),
        ("DeleteStack", 6),
        ("DeleteObjects", 1),
        ("DeleteBucket", 1),
        ("GetBucketLocation", 0),
        ("ListObjectsV2", 0),
    ] {
        assert_eq!(calls.count(action), count, "{action}\n{}", calls.summary());
    }
}

fn nothing_is_listed_account_wide(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("sample");
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .with_python_tools()
        .args(["-l"])
        .run();
    outcome.assert_code(0);
    let calls = proxy.calls();
    for call in calls.of("DescribeStacks") {
        assert!(
            call["form"]["StackName"].is_string(),
            "account-wide: {call:#}"
        );
    }
    for action in ["ListStacks", "ListBuckets", "DescribeRegions"] {
        assert_eq!(calls.count(action), 0, "{}", calls.summary());
    }
    for call in calls.of("DescribeStackEvents") {
        assert!(
            call["form"]["NextToken"].is_null(),
            "the whole history again: {call:#}"
        );
    }
}

/// Stacks that take five seconds; moto has none.
#[test]
#[ignore = "needs ministack; run tests/run.sh"]
fn one_poll_for_each_stack_and_tick() {
    let server = Server::take(Kind::Ministack);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("slow");
    project.replace(
        "templates/waiting.template.yaml",
        "Timeout: \"60\"",
        "Timeout: \"5\"",
    );
    let outcome = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome.assert_code(1);
    let calls = proxy.calls();
    // Status and outputs of a stack are asked for once, when its events say that it has settled.
    assert!(calls.count("DescribeStacks") <= 2, "{}", calls.summary());
    let polls = polls_before_deletion(&calls);
    assert_eq!(polls.len(), 2, "{polls:?}");
    for (stack, polls) in polls {
        let gaps: Vec<f64> = polls.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            (5..=20).contains(&polls.len()),
            "{} polls of {stack}",
            polls.len()
        );
        assert!(gaps.iter().all(|gap| *gap < 5.0), "{stack}: {gaps:?}");
        // In the first moments looks are close together; later no two of them come within one tick.
        let later = gaps
            .iter()
            .zip(&polls)
            .filter(|(_, at)| *at - polls[0] > 1.0);
        assert!(
            later.clone().count() > 0 && later.clone().all(|(gap, _)| *gap > 0.4),
            "{stack}: {gaps:?}"
        );
    }
}

/// When each stack was looked at while it was created, by its id.
fn polls_before_deletion(calls: &Calls) -> BTreeMap<String, Vec<f64>> {
    let mut polls = BTreeMap::<String, Vec<f64>>::new();
    let mut deleting = Vec::new();
    for call in &calls.0 {
        let stack = call["form"]["StackName"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match call["action"].as_str() {
            Some("DeleteStack") => deleting.push(stack),
            Some("DescribeStackEvents") if !deleting.contains(&stack) => {
                polls
                    .entry(stack)
                    .or_default()
                    .push(call["at"].as_f64().unwrap());
            }
            _ => {}
        }
    }
    polls
}
