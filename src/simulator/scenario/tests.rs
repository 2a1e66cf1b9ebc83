use super::*;

fn scenario(json: serde_json::Value) -> Scenario {
    Scenario::new(serde_json::from_value(json).unwrap())
}

const QUEUE: ResourceFacts = ResourceFacts {
    account: "123456789012",
    region: "us-east-1",
    stack: "tcat-a",
    logical_id: "Queue",
    resource_type: "AWS::SQS::Queue",
    phase: ResourcePhase::Create,
};

#[test]
fn rules_match_when_all_conditions_hold() {
    let check = |rule: serde_json::Value, expect: bool| {
        let mut rule = rule;
        rule["fails"] = "x".into();
        let found =
            scenario(serde_json::json!({"resources": [rule]})).resource_fault(&QUEUE, &|_| true);
        assert_eq!(found.fails.is_some(), expect, "{rule}");
    };
    check(serde_json::json!({}), true);
    check(
        serde_json::json!({"stack": "tcat-*", "logical_id": "Queue", "type": "AWS::SQS::*"}),
        true,
    );
    check(
        serde_json::json!({"regions": ["eu-*", "us-east-1"], "accounts": ["123456789012"]}),
        true,
    );
    check(serde_json::json!({"stack": "other"}), false);
    check(serde_json::json!({"logical_id": "Que"}), false);
    check(serde_json::json!({"type": "AWS::SNS::Topic"}), false);
    check(serde_json::json!({"regions": ["eu-*"]}), false);
    check(serde_json::json!({"accounts": ["1"]}), false);
    check(serde_json::json!({"phase": "delete"}), false);
    check(serde_json::json!({"phase": "create"}), true);
}

#[test]
fn faults_end_after_attempts_or_when_a_bucket_is_empty() {
    let minutes = |n: u64| Some(Duration::from_secs(60 * n));
    let file = serde_json::json!({"resources": [
        {"logical_id": "Queue", "fails": "first", "until": {"attempts": 2}},
        {"logical_id": "Queue", "fails": "full", "until": {"bucket_is_empty": "b"}},
        {"takes": "5m"},
        {"takes": "9m"},
    ]});
    let scenario = scenario(file);
    let failure_of = |facts: &ResourceFacts, empty: bool| {
        let fault = scenario.resource_fault(facts, &|bucket| bucket == "b" && empty);
        assert_eq!(fault.takes, minutes(5));
        fault.fails
    };
    assert_eq!(failure_of(&QUEUE, false).as_deref(), Some("first"));
    let elsewhere = ResourceFacts {
        region: "eu-west-1",
        ..QUEUE
    };
    assert_eq!(
        failure_of(&elsewhere, true).as_deref(),
        Some("first"),
        "each resource is counted for itself"
    );
    assert_eq!(failure_of(&QUEUE, false).as_deref(), Some("first"));
    assert_eq!(failure_of(&QUEUE, false).as_deref(), Some("full"));
    assert_eq!(failure_of(&QUEUE, true), None);
}

#[test]
fn calls_are_counted() {
    let facts = |service, action| CallFacts {
        service,
        action,
        account: "1",
        region: "us-east-1",
        name: Some("tcat-a"),
    };
    let create = facts("cloudformation", "CreateStack");
    let check = |rule: serde_json::Value, expect: &str| {
        let mut rule = rule;
        rule["service"] = "cloudformation".into();
        rule["fault"] = "throttle".into();
        let scenario = scenario(serde_json::json!({"calls": [rule]}));
        let hits: String = (0..8)
            .map(|_| {
                if scenario.call_fault(&create).is_some() {
                    'x'
                } else {
                    '.'
                }
            })
            .collect();
        assert_eq!(hits, expect, "{rule}");
    };
    check(serde_json::json!({}), "xxxxxxxx");
    check(serde_json::json!({"times": 2}), "xx......");
    check(serde_json::json!({"skip": 3}), "...xxxxx");
    check(serde_json::json!({"every": 3}), "..x..x..");
    check(
        serde_json::json!({"skip": 1, "every": 2, "times": 2}),
        "..x.x...",
    );
    check(
        serde_json::json!({"action": "Create*", "name": "tcat-*", "regions": ["us-*"],
            "accounts": ["1"]}),
        "xxxxxxxx",
    );
    check(serde_json::json!({"action": "Delete*"}), "........");
    check(serde_json::json!({"name": "other"}), "........");
    check(serde_json::json!({"accounts": ["2"]}), "........");
    let silent = scenario(serde_json::json!({"calls": [{"service": "s3", "fault": "cut"}]}));
    assert_eq!(silent.call_fault(&create), None);
    assert_eq!(
        silent.call_fault(&facts("s3", "PutObject")),
        Some((CallPhase::Before, CallFault::Cut))
    );
    let after = scenario(
        serde_json::json!({"calls": [{"service": "s3", "fault": "cut", "phase": "after"}]}),
    );
    assert_eq!(
        after.call_fault(&facts("s3", "PutObject")),
        Some((CallPhase::After, CallFault::Cut))
    );
}

#[test]
fn faults_are_built_from_rules() {
    let check = |rule: serde_json::Value, expect: CallFault| {
        let mut rule = rule;
        rule["service"] = "*".into();
        let facts = CallFacts {
            service: "s3",
            action: "PutObject",
            account: "1",
            region: "r",
            name: None,
        };
        let found = scenario(serde_json::json!({"calls": [rule]})).call_fault(&facts);
        assert_eq!(found, Some((CallPhase::Before, expect)), "{rule}");
    };
    check(
        serde_json::json!({"fault": "deny"}),
        CallFault::Deny { message: None },
    );
    check(
        serde_json::json!({"fault": "hang"}),
        CallFault::Hang(Duration::from_secs(30)),
    );
    check(
        serde_json::json!({"fault": "delay", "for": "1s"}),
        CallFault::Delay(Duration::from_secs(1)),
    );
    let error = |status, code: &str, message: &str| CallFault::Error {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    };
    check(
        serde_json::json!({"fault": "error"}),
        error(500, "InternalFailure", "Fault injected by the scenario."),
    );
    check(
        serde_json::json!({"fault": "error", "code": "C", "message": "M", "status": 409}),
        error(409, "C", "M"),
    );
}

#[test]
fn regions_can_be_disabled_and_new_resources_hidden() {
    let file = serde_json::json!({
        "disabled_regions": ["me-*"],
        "hidden": [{"kind": "bucket", "name": "tcat-*", "regions": ["us-east-1"], "for": "2s"}],
    });
    let scenario = scenario(file);
    assert!(scenario.is_disabled("me-south-1") && !scenario.is_disabled("us-east-1"));
    let hidden = |kind, region, name| scenario.hidden_for(kind, region, name).is_some();
    assert!(hidden(HiddenKind::Bucket, "us-east-1", "tcat-b"));
    assert!(!hidden(HiddenKind::Stack, "us-east-1", "tcat-b"));
    assert!(!hidden(HiddenKind::Bucket, "eu-west-1", "tcat-b"));
    assert!(!hidden(HiddenKind::Bucket, "us-east-1", "b"));
}
