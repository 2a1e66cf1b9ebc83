use serde_json::{Value as Json, json};

use super::*;
use crate::simulator::Caller;
use crate::simulator::clock::Clock;
use crate::simulator::json::{JsonInput, JsonResult};

fn caller() -> Caller {
    Caller {
        account: "123456789012".into(),
        region: "us-east-1".into(),
    }
}

fn call_action(service: &SecretsManager, action: &str, input: Json) -> JsonResult {
    service.call(&Clock::new(1.0), &caller(), action, &JsonInput::of(input))
}

fn code(answer: JsonResult) -> String {
    answer.unwrap_err().code
}

#[test]
fn secrets_are_found_by_name_and_arn() {
    let service = SecretsManager::default();
    let created = call_action(
        &service,
        "CreateSecret",
        json!({"Name": "db/pass", "SecretString": "hush"}),
    )
    .unwrap();
    let arn = created["ARN"].as_str().unwrap();
    assert!(
        arn.starts_with("arn:aws:secretsmanager:us-east-1:123456789012:secret:db/pass-")
            && arn.len() == 67,
        "{arn}"
    );
    let get = |id: &str| call_action(&service, "GetSecretValue", json!({"SecretId": id}));
    for id in ["db/pass", arn, &arn[..arn.len() - 7]] {
        assert_eq!(get(id).unwrap()["SecretString"], "hush", "{id}");
    }
    assert_eq!(
        service.value(&caller(), arn, None, None).ok().as_deref(),
        Some("hush")
    );
    let elsewhere = Caller {
        region: "eu-west-1".into(),
        ..caller()
    };
    assert!(service.value(&elsewhere, "db/pass", None, None).is_err());
    assert_eq!(code(get("db/pas")), "ResourceNotFoundException");
    assert_eq!(
        code(call_action(
            &service,
            "CreateSecret",
            json!({"Name": "db/pass"})
        )),
        "ResourceExistsException"
    );
}

#[test]
fn secrets_are_listed_and_tagged() {
    let service = SecretsManager::default();
    for name in ["app/db", "app/api", "other"] {
        call_action(
            &service,
            "CreateSecret",
            json!({"Name": name, "SecretString": "x"}),
        )
        .unwrap();
    }
    let tags = json!([{"Key": "team", "Value": "a"}, {"Key": "gone", "Value": "b"}]);
    call_action(
        &service,
        "TagResource",
        json!({"SecretId": "app/db", "Tags": tags}),
    )
    .unwrap();
    call_action(
        &service,
        "UntagResource",
        json!({"SecretId": "app/db", "TagKeys": ["gone"]}),
    )
    .unwrap();
    call_action(&service, "DeleteSecret", json!({"SecretId": "other"})).unwrap();
    let check = |input: Json, expect: &[&str]| {
        let found = call_action(&service, "ListSecrets", input.clone()).unwrap();
        let names = found["SecretList"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["Name"].as_str().unwrap().to_owned());
        assert_eq!(names.collect::<Vec<_>>(), expect, "{input}");
        found
    };
    let by = |key: &str, value: &str| json!({"Filters": [{"Key": key, "Values": [value]}]});
    let all = check(json!({}), &["app/api", "app/db"]);
    assert_eq!(
        all["SecretList"][1]["Tags"],
        json!([{"Key": "team", "Value": "a"}])
    );
    assert!(
        all["SecretList"][0]["SecretVersionsToStages"].is_object(),
        "{all}"
    );
    check(
        json!({"IncludePlannedDeletion": true}),
        &["app/api", "app/db", "other"],
    );
    check(by("name", "App/d"), &["app/db"]);
    check(by("name", "!app/d"), &["app/api"]);
    check(by("tag-key", "team"), &["app/db"]);
    check(by("all", "api"), &[]);
    let page = check(json!({"MaxResults": 1}), &["app/api"]);
    check(json!({"NextToken": page["NextToken"]}), &["app/db"]);
}

#[test]
fn secret_values_are_versioned() {
    let service = SecretsManager::default();
    call_action(&service, "CreateSecret", json!({"Name": "s"})).unwrap();
    let get = |stage: &str| {
        call_action(
            &service,
            "GetSecretValue",
            json!({"SecretId": "s", "VersionStage": stage}),
        )
    };
    let error = get("AWSCURRENT").unwrap_err();
    assert_eq!(
        error.message,
        "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"
    );
    for value in ["one", "two"] {
        call_action(
            &service,
            "PutSecretValue",
            json!({"SecretId": "s", "SecretString": value}),
        )
        .unwrap();
    }
    assert_eq!(get("AWSCURRENT").unwrap()["SecretString"], "two");
    assert_eq!(get("AWSPREVIOUS").unwrap()["SecretString"], "one");
    call_action(
        &service,
        "PutSecretValue",
        json!({"SecretId": "s", "SecretBinary": "AAE="}),
    )
    .unwrap();
    assert_eq!(get("AWSCURRENT").unwrap()["SecretBinary"], "AAE=");
    assert!(service.value(&caller(), "s", None, None).is_err());
    let both = json!({"SecretId": "s", "SecretString": "a", "SecretBinary": "AAE="});
    assert_eq!(
        code(call_action(&service, "PutSecretValue", both)),
        "InvalidParameterException"
    );
}

#[test]
fn secrets_are_deleted_at_once_or_after_a_window() {
    let service = SecretsManager::default();
    let create = || {
        call_action(
            &service,
            "CreateSecret",
            json!({"Name": "s", "SecretString": "x"}),
        )
    };
    let delete = |mut input: Json| {
        input["SecretId"] = "s".into();
        call_action(&service, "DeleteSecret", input)
    };
    create().unwrap();
    delete(json!({"RecoveryWindowInDays": 7})).unwrap();
    assert_eq!(
        code(call_action(
            &service,
            "GetSecretValue",
            json!({"SecretId": "s"})
        )),
        "InvalidRequestException"
    );
    assert!(service.value(&caller(), "s", None, None).is_err());
    assert_eq!(code(create()), "InvalidRequestException");
    assert!(
        call_action(&service, "DescribeSecret", json!({"SecretId": "s"})).unwrap()["DeletedDate"]
            .is_number()
    );
    call_action(&service, "RestoreSecret", json!({"SecretId": "s"})).unwrap();
    assert_eq!(
        code(delete(json!({"RecoveryWindowInDays": 3}))),
        "InvalidParameterException"
    );
    delete(json!({"ForceDeleteWithoutRecovery": true})).unwrap();
    create().unwrap();
    assert!(service.delete(&caller(), "s") && !service.delete(&caller(), "s"));
}
