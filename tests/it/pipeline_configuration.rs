//! The first configuration of a pipeline, and the bucket of its programs.

use serde_json::{Value, json};

use crate::pipeline_command::{Owner, PARAMETERS, given};
use crate::project::Project;

/// Returns an owner whose project is the fixture `deploy`.
fn owner_of_shop() -> Owner {
    let owner = Owner::new();
    let shop = Project::copy_of("deploy");
    for file in shop.files("") {
        owner.project.write(&file, &shop.read(&file));
    }
    owner
}

/// Returns the pipeline's parameters, with those for the location of the released files.
fn parameters() -> Vec<&'static str> {
    let names = [
        "BucketParameter=ArtifactBucket",
        "PrefixParameter=ArtifactPrefix",
    ];
    given(&[&PARAMETERS[..], &names].concat())
}

fn upload() -> Vec<&'static str> {
    [parameters(), vec!["--upload-configuration"]].concat()
}

/// Returns the files of the uploaded configuration, by name.
fn configuration(owner: &Owner) -> Value {
    let stack = owner.stack();
    let bucket = stack["outputs"]["ConfigurationBucketName"].as_str();
    let asked = ["archive", bucket.unwrap(), "configuration.zip"];
    owner.server.given(&asked)
}

const FAILS: &str = "This first execution fails in the stage Source";

/// CodePipeline runs a pipeline when it is created
/// (<https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-about-starting.html>).
#[test]
fn the_first_execution_is_explained() {
    let owner = owner_of_shop();
    let first = owner.deploy(&parameters());
    first.assert_code(0);
    let told = |text: &str| first.stdout.contains(text);
    assert!(
        told(FAILS) && told("zip configuration.zip"),
        "{}",
        first.stdout
    );
    // An update starts no execution.
    let second = owner.deploy(&["-P", "SourceBranch=next"]);
    second.assert_code(0);
    let told = |text: &str| second.stdout.contains(text);
    assert!(
        !told(FAILS) && told("zip configuration.zip"),
        "{}",
        second.stdout
    );
}

#[test]
fn a_first_configuration_is_made_from_the_project() {
    let owner = owner_of_shop();
    let deployed = owner.deploy(&upload());
    deployed.assert_code(0);
    let told = |text: &str| deployed.stdout.contains(text);
    assert!(
        told(FAILS) && told("Uploaded a first configuration.zip"),
        "{}",
        deployed.stdout
    );
    assert!(!told("aws s3 cp"), "{}", deployed.stdout);
    let files = configuration(&owner);
    assert_eq!(files["taskcat.yml"], owner.project.read(".taskcat.yml"));
    let production: Value =
        serde_json::from_str(files["production.json"].as_str().unwrap()).unwrap();
    assert_eq!(production, json!({"Parameters": {}, "Tags": {}}));

    // An existing configuration is kept.
    owner.project.write(
        "production.json",
        r#"{"Parameters": {"Cidr": "10.8.0.0/16"}}"#,
    );
    let again = owner.deploy(&["--upload-configuration"]);
    again.assert_code(0);
    assert!(!again.stdout.contains("Uploaded"), "{}", again.stdout);
    assert_eq!(configuration(&owner), files);
}

#[test]
fn production_gets_the_values_of_the_project() {
    let owner = owner_of_shop();
    let production = r#"{"Parameters": {"Cidr": "10.8.0.0/16"}, "Tags": {"of": "production"}}"#;
    owner.project.write("production.json", production);
    owner.deploy(&upload()).assert_code(0);
    assert_eq!(configuration(&owner)["production.json"], production);
}

#[test]
fn a_configuration_that_can_not_be_made_is_refused_at_once() {
    let owner = owner_of_shop();
    let check = |messages: &[&str]| {
        let refused = owner.deploy(&upload());
        refused.assert_code(2);
        messages.iter().for_each(|it| _ = refused.assert_says(it));
        owner.standing().assert_nothing();
    };
    let shop = "templates/shop.yaml";
    owner
        .project
        .replace(shop, "    Default: 10.0.0.0/16\n", "");
    owner.project.write(
        "production.json",
        r#"{"Parameters": {"Cird": "10.8.0.0/16"}}"#,
    );
    check(&[
        "parameter `Cidr` of templates/shop.yaml has no default value",
        "production.json sets the parameter `Cird`, which templates/shop.yaml doesn't have",
        "did you mean `Cidr`?",
    ]);
    owner.project.write("production.json", "[]");
    check(&["invalid production.json: it is not an object"]);
    owner.project.write(
        "production.json",
        r#"{"Parameters": {"Cidr": "10.8.0.0/16"}}"#,
    );
    owner.deploy(&upload()).assert_code(0);

    // Without --upload-configuration, its faults don't prevent a deployment.
    let owner = Owner::new();
    owner
        .deploy(&upload())
        .assert_code(2)
        .assert_says("there is no .taskcat.yml in ");
    owner.standing().assert_nothing();
    owner
        .deploy(&given(&PARAMETERS))
        .assert_code(0)
        .assert_silent_about(".taskcat.yml in");
}

/// Lambda reads the code of a function from buckets in its own region
/// (`S3Bucket` of <https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCode.html>).
#[test]
fn programs_in_another_region_are_refused_at_once() {
    let owner = Owner::new();
    let bucket = format!("own-{}", owner.server.port());
    owner.server.given(&["bucket", &bucket, "eu-west-1"]);
    let tools = format!("ToolsBucket={bucket}");
    let refused = owner.deploy(&given(&[&PARAMETERS[..], &[&tools]].concat()));
    refused.assert_code(2).assert_says(&format!(
        "the bucket {bucket} is in eu-west-1 and the pipeline in us-east-1"
    ));
    refused.assert_says("name a bucket in us-east-1 with -P ToolsBucket=NAME");
    let standing = owner.standing();
    assert_eq!(
        (standing.stacks.len(), standing.keys(&bucket)),
        (0, Vec::new())
    );
}
