//! The main job: two tests in three regions with nested stacks, pseudo-parameters and Lambda
//! packaging.

use serde_json::Value;

use crate::project::Project;
use crate::proxy::{Proxy, form_list};
use crate::servers::{Kind, Server};
use crate::taskcat::Taskcat;

tests_on!(
    all:
    #[ignore = "needs pip; run tests/run.sh"] passes_and_leaves_nothing,
    #[ignore = "needs pip; run tests/run.sh"] sends_what_the_configuration_says,
);

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

const PASSED: [&str; 6] = [
    "minimal/us-east-1 passed",
    "minimal/eu-west-1 passed",
    "minimal/ap-southeast-2 passed",
    "full/us-east-1 passed",
    "full/eu-west-1 passed",
    "full/ap-southeast-2 passed",
];

fn passes_and_leaves_nothing(kind: Kind) {
    let server = Server::take(kind);
    let project = Project::copy_of("sample");
    let outcome = Taskcat::test_run(&project, &server)
        .with_python_tools()
        .run();
    outcome.assert_code(0);
    assert_eq!(outcome.states(), PASSED);
    server.standing(&REGIONS).assert_nothing();

    let report = outcome.report();
    assert_eq!(report["verdict"], "passed");
    assert_eq!(
        report["simulated"],
        kind == Kind::Simulator,
        "the other servers don't say that they simulate"
    );
    assert_eq!(report["project"], "sample-orders");
    assert_eq!(report["buckets"][0]["end"]["state"], "deleted");
    let html = outcome.output("index.html");
    assert!(
        !html.contains("CREATE_FAILED"),
        "buildspecs look for that string"
    );
    let junit = outcome.output("junit.xml");
    assert!(
        junit.contains(r#"tests="6""#) && junit.contains(r#"failures="0""#),
        "{junit}"
    );
    let logs: Vec<String> = outcome
        .outputs()
        .into_keys()
        .filter(|name| name.ends_with("-cfnlogs.txt"))
        .collect();
    assert_eq!(logs.len(), 6, "{logs:?}");
    for cell in report["cells"].as_array().unwrap() {
        let name = format!(
            "{}-{}-cfnlogs.txt",
            text(&cell["stack_name"]),
            text(&cell["region"])
        );
        let log = outcome.output(&name);
        assert!(
            log.contains(&format!("Region: {}\n", text(&cell["region"]))),
            "{log}"
        );
        assert!(log.contains("CREATE_COMPLETE"), "{log}");
        assert!(html.contains(&name), "the report links to {name}");
    }

    // moto writes no events of resources, which name the nested stacks.
    if kind != Kind::Moto {
        let stacks = outcome.cell("full", "us-east-1")["stacks"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(stacks, 3, "the nested stacks are followed");
    }

    let events = outcome.events();
    assert_eq!(events.first().unwrap()["event"], "run_started");
    assert_eq!(events.last().unwrap()["event"], "run_finished");
    let numbers: Vec<u64> = events
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    assert!(
        !outcome.stderr.contains('\u{1b}'),
        "escape codes without a terminal:\n{}",
        outcome.stderr
    );
    assert_eq!(outcome.stdout, "", "standard output is for machines");
}

/// Parameters, tags, names and files, as they went over the wire.
fn sends_what_the_configuration_says(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("sample");
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .with_python_tools()
        .args(["-l"])
        .run();
    outcome.assert_code(0);
    let calls = proxy.calls();
    let run_id = text(&outcome.report()["run_id"]);

    let launches = calls.of("CreateStack");
    assert_eq!(launches.len(), 6, "{}", calls.summary());
    for launch in &launches {
        let form = &launch["form"];
        let name = text(&form["StackName"]);
        let test = if name.contains("minimal") {
            "minimal"
        } else {
            "full"
        };
        assert_eq!(
            name,
            format!(
                "tCaT-sample-orders-{test}-{}",
                name.rsplit('-').next().unwrap()
            )
        );
        assert!(is_hex(name.rsplit('-').next().unwrap(), 32), "{name}");
        assert!(text(&form["ClientRequestToken"]).len() >= 16, "{form}");
        assert!(
            text(&form["TemplateURL"]).ends_with("/sample-orders/templates/orders.template.yaml"),
            "{form}"
        );
        assert_eq!(form["DisableRollback"], "true");
        let tags = form_list(launch, "Tags.member", ["Key", "Value"]);
        let mut expected = vec![
            ["taskcat-id", &run_id],
            ["taskcat-project-name", "sample-orders"],
        ];
        expected.extend([["taskcat-test-name", test], ["Team", "orders"]]);
        if test == "full" {
            expected.push(["Stage", "full"]);
        }
        let sorted = |mut tags: Vec<[String; 2]>| {
            tags.sort();
            tags
        };
        assert_eq!(
            sorted(tags),
            sorted(expected.iter().map(|tag| tag.map(str::to_owned)).collect())
        );
    }

    let full = launches
        .iter()
        .find(|launch| {
            launch["region"] == "eu-west-1" && text(&launch["form"]["StackName"]).contains("full")
        })
        .unwrap();
    let parameters = form_list(
        full,
        "Parameters.member",
        ["ParameterKey", "ParameterValue"],
    );
    let value = |key: &str| {
        let found = parameters.iter().find(|[name, _]| name == key);
        found.unwrap_or_else(|| panic!("no {key} in {parameters:?}"))[1].as_str()
    };
    let bucket = value("ArtifactBucket");
    assert!(
        bucket.starts_with("tcat-sample-orders-")
            && bucket.len() == "tcat-sample-orders-".len() + 8,
        "{bucket}"
    );
    assert_eq!(value("BucketPrefix"), "tcat-sample");
    assert_eq!(value("ArtifactPrefix"), "sample-orders/");
    assert_eq!(value("StageName"), "full");
    assert_eq!(value("LaunchRegion"), "eu-west-1");
    let label = value("Label").strip_prefix("full-eu-west-1-").unwrap();
    assert!(
        label.len() == 20 && label.bytes().all(|b| b.is_ascii_digit()),
        "{label}"
    );
    let zones: Vec<&str> = value("ZoneNames").split(',').collect();
    assert!(
        zones.len() == 2 && zones.iter().all(|zone| zone.starts_with("eu-west-1")),
        "{zones:?}"
    );
    assert_eq!(value("FirstZone"), zones[0]);
    assert_eq!(value("AdminPassword").len(), 24);
    assert!(
        value("AdminPassword")
            .bytes()
            .any(|b| !b.is_ascii_alphanumeric()),
        "no special character"
    );
    assert_eq!(value("ReaderPassword").len(), 12);
    assert!(
        value("ReaderPassword")
            .bytes()
            .all(|b| b.is_ascii_alphanumeric())
    );
    assert_eq!(value("RepeatedPassword"), value("AdminPassword"));
    for uuid in ["DeploymentId", "CorrelationId"] {
        assert!(
            uuid::Uuid::parse_str(value(uuid)).is_ok(),
            "{uuid}: {}",
            value(uuid)
        );
    }
    assert!(value("Suffix").len() == 20 && value("Suffix").bytes().all(|b| b.is_ascii_lowercase()));
    assert_eq!(value("KeyPairName"), "cikey");
    assert_eq!(value("LicenseBucket"), "override_this");
    assert_eq!(value("MediaBucket"), "override_this");
    assert_eq!(value("RetentionDays"), "7");
    assert_eq!(value("EncryptQueue"), "True");
    assert_eq!(
        value("Approvers"),
        "first@example.com,sample-orders@example.com"
    );

    let mut keys: Vec<String> = calls
        .of("PutObject")
        .iter()
        .map(|call| text(&call["path"]))
        .collect();
    keys.sort();
    let expected = [
        "lambda_functions/packages/label/lambda.zip",
        "lambda_functions/packages/notify/lambda.zip",
        "templates/functions.template.yaml",
        "templates/messaging.template.yaml",
        "templates/orders.template.yaml",
    ];
    assert_eq!(
        keys,
        expected.map(|key| format!("/{bucket}/sample-orders/{key}"))
    );
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
