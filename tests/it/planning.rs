//! `taskcat plan`: what would become of every test and region, without AWS.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::configuration::Untouched;
use crate::project::Project;
use crate::servers::venv;
use crate::taskcat::{Outcome, Taskcat};

/// Plans where a call would hang, with nobody's credentials, and shows that there was none.
#[track_caller]
fn plan(project: &Project, args: &[&str]) -> Outcome {
    let aws = Untouched::listen();
    let proxy = aws.endpoint();
    let plan = Taskcat::offline(project)
        .env("AWS_ENDPOINT_URL", &proxy)
        .env("HTTPS_PROXY", &proxy);
    let outcome = plan.args(["plan"]).args(args.iter().copied()).run();
    aws.assert_untouched();
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    outcome
}

#[track_caller]
fn json_of(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}", outcome.stdout))
}

#[track_caller]
fn cell<'a>(plan: &'a Value, test: &str, region: &str) -> &'a Value {
    let mut cells = plan["cells"].as_array().unwrap().iter();
    cells
        .find(|it| it["test"] == test && it["region"] == region)
        .unwrap_or_else(|| panic!("{test} {region}: {plan:#}"))
}

/// A map without the region names the cell, the map, the key, file and line.
#[test]
fn one_of_ten_regions_is_not_in_the_map() {
    let project = Project::copy_of("ten-regions");
    let outcome = plan(&project, &[]);
    outcome.assert_code(1);
    let expect = "\
web
  ok         us-east-1 us-east-2 us-west-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2
             ap-southeast-2 sa-east-1
  FAIL       eu-west-3

error: Template error: Unable to get mapping for RegionMap::eu-west-3::AMI
  --> templates/web.template.yaml:32:9
   |
 7 |   RegionMap:
   |   --------- mapping RegionMap is defined here, without eu-west-3
...
32 |         - RegionMap
   |         ^
   |
   = note: test web in eu-west-3

10 tests × regions: 9 would launch, 1 would fail
";
    assert_eq!(outcome.stdout, expect);
    plan(&project, &["-r", "us-east-1,eu-west-1"]).assert_code(0);
}

/// Rows of tests where there is room for them, each failure once, and what only AWS knows.
#[test]
fn the_whole_picture() {
    let project = Project::copy_of("offline");
    let outcome = plan(&project, &[]);
    outcome.assert_code(1);
    let expect = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/projects/offline/expected.txt"
    ));
    assert_eq!(outcome.stdout, expect.unwrap());
    assert!(
        !outcome.stdout.contains('\u{1b}'),
        "no escape codes without a terminal"
    );
}

#[test]
fn a_value_that_a_nested_stack_refuses_leads_back_to_where_it_was_set() {
    let project = Project::copy_of("offline");
    let outcome = plan(
        &project,
        &["-t", "sized", "-r", "us-east-1", "--format", "json"],
    );
    outcome.assert_code(1);
    let plan = json_of(&outcome);
    let place =
        |file: &str, line: u32, column: u32| json!({"file": file, "line": line, "column": column});
    let failure = &cell(&plan, "sized", "us-east-1")["failures"][0];
    assert_eq!(
        failure["message"],
        "Parameter 'InstanceType' must be one of AllowedValues"
    );
    assert_eq!(
        (&failure["file"], &failure["line"]),
        (&json!("templates/nested/queue.template.yaml"), &json!(2))
    );
    let chain: Vec<_> = failure["nested_in"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["logical_id"])
        .collect();
    assert_eq!(chain, ["Middle", "Innermost"]);
    let notes: Vec<_> = failure["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["at"].clone())
        .collect();
    let expect = [
        place("templates/nested/middle.template.yaml", 12, 28),
        place("templates/sized.template.yaml", 14, 20),
        place(".taskcat.yml", 17, 7),
    ];
    assert_eq!(notes, expect);
}

#[test]
fn what_if_in_every_region() {
    let project = Project::copy_of("offline");
    let outcome = plan(
        &project,
        &["-t", "farm", "-r", "us-west-2", "--all-regions"],
    );
    // Only what is declared counts.
    outcome.assert_code(0);
    let rows: Vec<_> = outcome.stdout.lines().take(4).collect();
    assert_eq!(rows[..2], ["farm", "  ok         us-west-2* me-south-1"]);
    assert_eq!(rows[2], "  ok if      me-central-1");
    assert!(
        rows[3].starts_with("  FAIL       af-south-1 ap-east-1 "),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome
            .stdout
            .ends_with("\nin declared regions: 1 test × region: 1 would launch\n"),
        "{}",
        outcome.stdout
    );
    let outcome = plan(
        &project,
        &["-t", "farm", "--all-regions", "--format", "json"],
    );
    outcome.assert_code(1);
    let plan = json_of(&outcome);
    assert_eq!(cell(&plan, "farm", "us-east-1")["declared"], true);
    assert_eq!(cell(&plan, "farm", "sa-east-1")["declared"], false);
    assert!(
        plan["cells"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| !it["region"].as_str().unwrap().starts_with("cn-"))
    );
}

#[test]
fn secrets_are_shown_nowhere() {
    let project = Project::copy_of("offline");
    let outcome = plan(&project, &["--format", "json"]);
    let plan_of_all = json_of(&outcome);
    let parameters = &cell(&plan_of_all, "good", "us-east-1")["parameters"];
    assert_eq!(
        (&parameters["Password"], &parameters["Token"]),
        (&json!("****"), &json!("****"))
    );
    // A secret that fails, that is a key of a map, and that stands beside a line that is shown.
    project.replace(
        "templates/good.template.yaml",
        "    NoEcho: true\nResources",
        "    NoEcho: true\n    MaxLength: 2\nResources",
    );
    project.replace(
        "templates/good.template.yaml",
        "Outputs:",
        "  Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      \
        QueueName: !FindInMap [Names, !Ref Bucket, !Ref Token]\nMappings:\n  Names: {}\nOutputs:",
    );
    for format in ["json", "text"] {
        let outcome = plan(&project, &["-t", "good", "--format", format]);
        outcome.assert_code(1);
        let all = outcome.stdout.clone() + &outcome.stderr;
        assert!(
            !all.contains("t0ps3cret") && all.contains("Parameter 'Token' must contain at most 2"),
            "{all}"
        );
    }
}

/// A nested template that the defaults of parameters don't lead to is found by its URL.
#[test]
fn a_nested_template_is_found_by_its_url() {
    let project = Project::copy_of("offline");
    project.replace(
        "templates/gone.template.yaml",
        "nested/gone.template.yaml",
        "${Path}",
    );
    project.replace(
        "templates/gone.template.yaml",
        "Resources",
        "  Path:\n    Type: String\nResources",
    );
    project.replace(
        ".taskcat.yml",
        "templates/gone.template.yaml\n",
        "templates/gone.template.yaml\n    parameters:\n      Path: nested/queue.template.yaml\n",
    );
    let outcome = plan(&project, &["-t", "gone", "-r", "us-east-1"]);
    outcome.assert_code(1);
    assert!(
        outcome
            .stdout
            .contains("Parameters: [InstanceType] must have values"),
        "{}",
        outcome.stdout
    );
    project.write("templates/nested/queue.template.yaml", "Resources: [\n");
    let outcome = plan(&project, &["-t", "gone", "-r", "us-east-1"]);
    outcome.assert_code(1);
    assert!(
        outcome.stdout.contains("error: Template format error: "),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stdout.contains("queue.template.yaml:1:"),
        "{}",
        outcome.stdout
    );
}

/// What `AWS::Include` puts in is read where it lies in the project.
#[test]
fn what_is_included_is_read() {
    let project = Project::copy_of("offline");
    let include = "Transform:\n  - Name: AWS::Include\n    Parameters:\n      Location: !Sub \
        s3://${Bucket}/offline/maps.yaml\n";
    let template = project.read("templates/ours.template.yaml");
    let (head, rest) = template.split_once("Mappings:").unwrap();
    let (_, rest) = rest.split_once("Conditions:").unwrap();
    project.write(
        "templates/ours.template.yaml",
        &format!("{include}{head}Conditions:{rest}"),
    );
    project.write(
        "maps.yaml",
        "Mappings:\n  Names:\n    us-east-1: {Topic: a}\n    eu-west-1: {Topic: b}\n",
    );
    plan(&project, &["-t", "ours"]).assert_code(0);
    let told = |message: &str| {
        let outcome = plan(&project, &["-t", "ours", "-r", "us-east-1"]);
        outcome.assert_code(1);
        let message = format!(
            "error: Transform AWS::Include failed with: {message}\n --> \
             templates/ours.template.yaml:4:"
        );
        assert!(outcome.stdout.contains(&message), "{}", outcome.stdout);
    };
    project.write("maps.yaml", "Mappings: [\n");
    told("The specified S3 object's content should be valid Yaml/JSON");
    project.write(".taskcatignore", "maps.yaml\n");
    told("S3 error: The specified key does not exist. (offline/maps.yaml)");
}

/// What isn't staged isn't there.
#[test]
fn what_is_ignored_is_not_there() {
    let project = Project::copy_of("offline");
    plan(&project, &["-t", "good"]).assert_code(0);
    project.write(".taskcatignore", "templates/nested/\n");
    let outcome = plan(&project, &["-t", "good"]);
    outcome.assert_code(1);
    let message = "S3 error: The specified key does not exist. \
        (offline/templates/nested/queue.template.yaml)";
    assert!(outcome.stdout.contains(message), "{}", outcome.stdout);
}

#[test]
fn another_bucket_is_anybodys() {
    let project = Project::copy_of("offline");
    project.replace(".taskcat.yml", "$[taskcat_autobucket]", "somebodys-bucket");
    let outcome = plan(&project, &["-t", "sized,gone", "-r", "us-east-1"]);
    outcome.assert_code(0);
    assert!(
        outcome
            .stdout
            .contains("object s3://somebodys-bucket/offline/templates/nested/gone"),
        "{}",
        outcome.stdout
    );
    // The same bucket is the test's own.
    project.replace(
        ".taskcat.yml",
        "project:\n",
        "project:\n  s3_bucket: somebodys-bucket\n",
    );
    plan(&project, &["-t", "sized", "-r", "us-east-1"]).assert_code(1);
    plan(&project, &["-t", "gone", "-r", "us-east-1"]).assert_code(1);
}

/// Every shape of the output is as its schema says.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_json_fits_its_schema() {
    let project = Project::copy_of("offline");
    let outcome = plan(&project, &["--all-regions", "--format", "json"]);
    outcome.assert_code(1);
    project.write("plan.json", &outcome.stdout);
    let check = "import json, sys, jsonschema\n\
                 schema, plan = (json.load(open(name)) for name in sys.argv[1:])\n\
                 jsonschema.Draft202012Validator.check_schema(schema)\n\
                 jsonschema.Draft202012Validator(schema).validate(plan)\n";
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/plan.schema.json");
    let python = venv("moto").join("bin/python");
    let status = Command::new(python)
        .args(["-c", check, schema])
        .arg(project.path().join("plan.json"))
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn what_is_wrong_with_a_project_is_told_as_in_a_run() {
    for scenario in ["bad-config", "missing-parameter"] {
        let outcome = plan(&Project::copy_of(scenario), &[]);
        outcome.assert_code(2).assert_says(".taskcat.yml:");
        assert_eq!(outcome.stdout, "");
    }
    let project = Project::copy_of("offline");
    plan(&project, &["-t", "goood"])
        .assert_code(2)
        .assert_says("did you mean `good`?");
    plan(&project, &["-r", "us-east-9"])
        .assert_code(2)
        .assert_says("us-east-9");
    plan(&project, &["--format", "xml"])
        .assert_code(2)
        .assert_says("text, json");
    plan(&project, &["--no-such-flag"])
        .assert_code(2)
        .assert_says("--no-such-flag");
    plan(&project, &["-p", "nowhere"])
        .assert_code(2)
        .assert_says("nowhere");
    plan(&project, &["-i", "nothing.yml"])
        .assert_code(2)
        .assert_says("nothing.yml");
}

/// Projects of every kind are looked at without harm.
#[test]
fn every_fixture_has_a_plan() {
    let scenarios =
        fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/projects")).unwrap();
    for scenario in scenarios {
        let scenario = scenario.unwrap().file_name().into_string().unwrap();
        for args in [&["--format", "json"][..], &["--all-regions"]] {
            let outcome = plan(&Project::copy_of(&scenario), args);
            assert!(
                matches!(outcome.code, Some(0..=2)),
                "{scenario}: {outcome:?}"
            );
        }
    }
}
