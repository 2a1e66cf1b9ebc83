use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::*;
use crate::simulator::Caller;
use crate::simulator::clock::Clock;
use crate::simulator::json::{JsonInput, JsonResult};

fn caller(region: &str) -> Caller {
    Caller {
        account: "123456789012".into(),
        region: region.into(),
    }
}

fn call_action(service: &ParameterStore, action: &str, input: Json) -> JsonResult {
    service.call(
        &Clock::new(1.0),
        &caller("us-east-1"),
        action,
        &JsonInput::of(input),
    )
}

fn refused(answer: JsonResult) -> (String, String) {
    let error = answer.unwrap_err();
    (error.code, error.message)
}

#[test]
fn parameters_are_described_without_their_values() {
    let service = ParameterStore::default();
    for (name, kind) in [
        ("/a/b", "String"),
        ("/a/c/d", "StringList"),
        ("plain", "SecureString"),
    ] {
        call_action(
            &service,
            "PutParameter",
            json!({"Name": name, "Value": "x", "Type": kind}),
        )
        .unwrap();
    }
    let check = |input: Json, expect: &[&str]| {
        let found = call_action(&service, "DescribeParameters", input.clone()).unwrap();
        let found = found["Parameters"].as_array().unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|it| it["Name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expect, "{input}");
        assert!(
            found
                .iter()
                .all(|it| it.get("Value").is_none() && it["Tier"] == "Standard"),
            "{found:?}"
        );
    };
    let by = |key: &str, option: &str, value: &str| {
        let filter = json!({"Key": key, "Option": option, "Values": [value]});
        json!({"ParameterFilters": [filter]})
    };
    check(json!({}), &["/a/b", "/a/c/d", "plain"]);
    check(by("Name", "BeginsWith", "/a"), &["/a/b", "/a/c/d"]);
    check(by("Name", "Contains", "lai"), &["plain"]);
    check(by("Name", "Equals", "/a"), &[]);
    check(by("Path", "OneLevel", "/a"), &["/a/b"]);
    check(by("Path", "Recursive", "/a/"), &["/a/b", "/a/c/d"]);
    check(by("Type", "Equals", "SecureString"), &["plain"]);
    check(
        json!({"Filters": [{"Key": "Name", "Values": ["/a/c"]}]}),
        &["/a/c/d"],
    );
    let page = call_action(&service, "DescribeParameters", json!({"MaxResults": 2})).unwrap();
    assert_eq!(page["NextToken"], "/a/c/d");
    check(json!({"NextToken": "/a/c/d"}), &["plain"]);
    assert_eq!(
        refused(call_action(
            &service,
            "DescribeParameters",
            by("Colour", "Equals", "x")
        ))
        .0,
        "InvalidFilterKey"
    );
}

#[test]
fn parameters_are_kept_by_account_and_region() {
    let service = ParameterStore::default();
    let put = |input| call_action(&service, "PutParameter", input);
    assert_eq!(
        put(json!({"Name": "/a/b", "Value": "x", "Type": "String"})).unwrap(),
        json!({"Version": 1, "Tier": "Standard"})
    );
    assert_eq!(
        refused(put(json!({"Name": "/a/b", "Value": "y"}))).0,
        "ParameterAlreadyExists"
    );
    assert_eq!(
        put(json!({"Name": "/a/b", "Value": "y", "Overwrite": true})).unwrap()["Version"],
        2
    );
    let get = |name: &str| call_action(&service, "GetParameter", json!({"Name": name}));
    let found = get("/a/b").unwrap();
    assert_eq!(found["Parameter"]["Value"], "y");
    assert_eq!(
        found["Parameter"]["ARN"],
        "arn:aws:ssm:us-east-1:123456789012:parameter/a/b"
    );
    assert_eq!(
        get("arn:aws:ssm:us-east-1:123456789012:parameter/a/b").unwrap()["Parameter"]["Name"],
        "/a/b"
    );
    assert_eq!(get("/a/b:2").unwrap()["Parameter"]["Value"], "y");
    let first = get("/a/b:1").unwrap();
    assert_eq!(
        (
            &first["Parameter"]["Value"],
            &first["Parameter"]["Selector"]
        ),
        (&json!("x"), &json!(":1"))
    );
    assert_eq!(refused(get("/a/b:3")).0, "ParameterVersionNotFound");
    assert_eq!(service.parameter(&caller("eu-west-1"), "/a/b"), None);
    let many = call_action(&service, "GetParameters", json!({"Names": ["/a/b", "c"]})).unwrap();
    assert_eq!(
        (
            many["Parameters"][0]["Value"].clone(),
            many["InvalidParameters"].clone()
        ),
        (json!("y"), json!(["c"]))
    );
    assert_eq!(
        call_action(&service, "DeleteParameter", json!({"Name": "/a/b"})).unwrap(),
        json!({})
    );
    assert_eq!(
        refused(call_action(
            &service,
            "DeleteParameter",
            json!({"Name": "/a/b"})
        )),
        ("ParameterNotFound".into(), "".into())
    );
}

#[test]
fn secure_strings_are_decrypted_on_request() {
    let service = ParameterStore::default();
    service.put(
        &caller("us-east-1"),
        "p",
        SsmParameterType::SecureString,
        "hush",
        Timestamp::UNIX_EPOCH,
    );
    let get = |decrypted: bool| {
        let found = call_action(
            &service,
            "GetParameter",
            json!({"Name": "p", "WithDecryption": decrypted}),
        )
        .unwrap();
        found["Parameter"]["Value"].as_str().unwrap().to_owned()
    };
    assert_eq!(get(true), "hush");
    assert!(!get(false).contains("hush"));
}

#[test]
fn paths_are_listed_in_pages() {
    let service = ParameterStore::default();
    for n in 10..25 {
        service.put(
            &caller("us-east-1"),
            &format!("/a/p{n}"),
            SsmParameterType::String,
            "v",
            Timestamp::UNIX_EPOCH,
        );
    }
    service.put(
        &caller("us-east-1"),
        "/a/deep/er",
        SsmParameterType::String,
        "v",
        Timestamp::UNIX_EPOCH,
    );
    service.put(
        &caller("us-east-1"),
        "/ab",
        SsmParameterType::String,
        "v",
        Timestamp::UNIX_EPOCH,
    );
    let page = |recursive: bool, token: &Json| {
        let page = call_action(
            &service,
            "GetParametersByPath",
            json!({"Path": "/a/", "Recursive": recursive, "NextToken": token}),
        );
        let page = page.unwrap();
        (
            page["Parameters"].as_array().unwrap().len(),
            page["NextToken"].clone(),
        )
    };
    let (first, token) = page(false, &Json::Null);
    assert_eq!((first, page(false, &token)), (10, (5, Json::Null)));
    let (first, token) = page(true, &Json::Null);
    assert_eq!((first, page(true, &token)), (10, (6, Json::Null)));
}

#[test]
fn invalid_parameters_are_refused() {
    let check = |input: Json, code: &str, message: &str| {
        let (found, said) = refused(call_action(
            &ParameterStore::default(),
            "PutParameter",
            input.clone(),
        ));
        assert_eq!(found, code, "{input}");
        assert!(said.starts_with(message), "{said}");
    };
    check(
        json!({"Name": "a", "Value": "x"}),
        "ValidationException",
        "A parameter type is required",
    );
    check(
        json!({"Name": "a", "Value": "x", "Type": "Text"}),
        "UnsupportedParameterType",
        "Text is not a valid",
    );
    check(
        json!({"Name": "a", "Value": "", "Type": "String"}),
        "ValidationException",
        "1 validation error detected: Value ''",
    );
    check(
        json!({"Name": "a b", "Value": "x", "Type": "String"}),
        "ValidationException",
        "Parameter name: can't be",
    );
    check(
        json!({"Name": "/aws/x", "Value": "x", "Type": "String"}),
        "AccessDeniedException",
        "No access to reserved parameter name: /aws/x.",
    );
    check(
        json!({"Name": "a/b", "Value": "x", "Type": "String"}),
        "ValidationException",
        "Parameter name must be a fully qualified name.",
    );
    check(
        json!({"Name": "a", "Value": "x".repeat(4097), "Type": "String"}),
        "ValidationException",
        "Standard tier parameters support",
    );
    check(
        json!({"Value": "x"}),
        "ValidationException",
        "1 validation error detected: Value null at 'name'",
    );
    assert_eq!(
        refused(call_action(
            &ParameterStore::default(),
            "GetParameters",
            json!({"Names": []})
        ))
        .0,
        "ValidationException"
    );
    assert_eq!(
        refused(call_action(
            &ParameterStore::default(),
            "DescribeOpsItems",
            json!({})
        ))
        .0,
        "UnknownOperationException"
    );
}

#[test]
fn public_parameters_resolve_to_ami_ids() {
    let service = ParameterStore::default();
    let value = |region: &str, name: &str| {
        service
            .parameter(&caller(region), name)
            .map(|found| found.value)
    };
    let name = "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2";
    let ami = value("us-east-1", name).unwrap();
    assert!(ami.len() == 21 && ami.starts_with("ami-"), "{ami}");
    assert_eq!(value("us-east-1", name).unwrap(), ami);
    assert_ne!(value("eu-west-1", name).unwrap(), ami);
    for name in [
        "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_id",
        "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
        "/aws/service/bottlerocket/aws-ecs-1/x86_64/latest/image_id",
        "/aws/service/marketplace/prod-abc/latest",
    ] {
        assert!(
            value("us-east-1", name).unwrap().starts_with("ami-"),
            "{name}"
        );
    }
    assert!(
        value(
            "us-east-1",
            "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended"
        )
        .unwrap()
        .contains("\"image_id\":\"ami-")
    );
    assert_eq!(
        value("us-east-1", "/aws/service/global-infrastructure/regions"),
        None
    );
}
