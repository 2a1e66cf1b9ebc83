//! The pipeline's template as CloudFormation evaluates it for different parameters.

use serde_json::{Value, json};

use crate::pipeline_command::{Owner, PARAMETERS, given};
use crate::pipeline_template::project;
use crate::taskcat::Taskcat;

/// The projects of all builds.
const PROJECTS: [&str; 4] = [
    "TestProject",
    "SyncProject",
    "ChangeSetProject",
    "PruneProject",
];

/// Evaluates the template, and returns the properties of resources by logical ID.
fn rendered(parameters: &[&str]) -> impl Fn(&str) -> Value + use<> {
    let project = project();
    let given = parameters.iter().flat_map(|it| ["--parameter", it]);
    let outcome = Taskcat::offline(&project)
        .args(["render", "pipeline.yaml", "--region", "eu-central-1"])
        .args(given)
        .run();
    outcome.assert_code(0);
    let template: Value = serde_json::from_str(&outcome.stdout).unwrap();
    move |logical_id| template["Resources"][logical_id]["Properties"].clone()
}

/// Docker runs in privileged mode only:
/// <https://docs.aws.amazon.com/codebuild/latest/userguide/sample-docker-section.html>
#[test]
fn the_tests_alone_may_run_docker() {
    let check = |parameters: &[&str], expect: &str| {
        let properties = rendered(parameters);
        let mode = |project| properties(project)["Environment"]["PrivilegedMode"].clone();
        assert_eq!(mode("TestProject"), expect);
        for project in &PROJECTS[1..] {
            assert!(mode(project).is_null(), "{project}");
        }
    };
    check(&[], "false");
    check(&["PrivilegedMode=true"], "true");
}

/// taskcat counts its budget from the start of the build, and deletes the stacks within it:
/// CodeBuild kills a build that times out
/// (<https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details.html>).
#[test]
fn the_tests_end_before_their_build_times_out() {
    let project = rendered(&["TestTimeoutMinutes=45"])("TestProject");
    assert_eq!(
        project["TimeoutInMinutes"].to_string().trim_matches('"'),
        "45"
    );
    let variables = project["Environment"]["EnvironmentVariables"].as_array();
    let budget = variables
        .unwrap()
        .iter()
        .find(|it| it["Name"] == "TASKCAT_PROJECT_BUDGET");
    assert_eq!(budget.unwrap()["Value"], "45m");
}

/// The current images are in `al/x86_64/standard` and `al/aarch64/standard` of
/// <https://github.com/aws/aws-codebuild-docker-images>.
#[test]
fn builds_run_on_amazon_linux_2023() {
    let check = |architecture: &str, kind: &str, image: &str| {
        let properties = rendered(&[format!("Architecture={architecture}").as_str()]);
        for project in PROJECTS {
            let environment = properties(project)["Environment"].clone();
            let found = (&environment["Type"], &environment["Image"]);
            assert_eq!(found, (&json!(kind), &json!(image)), "{project}");
        }
        let function = properties("MergeFunction");
        assert_eq!(function["Architectures"], json!([architecture]));
        assert_eq!(function["Runtime"], "provided.al2023");
    };
    check(
        "x86_64",
        "LINUX_CONTAINER",
        "aws/codebuild/amazonlinux-x86_64-standard:6.0",
    );
    check(
        "arm64",
        "ARM_CONTAINER",
        "aws/codebuild/amazonlinux-aarch64-standard:4.0",
    );
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html>
#[test]
fn the_merge_runs_in_a_vpc_if_it_gets_subnets() {
    let properties = rendered(&[]);
    assert!(properties("MergeFunction")["VpcConfig"].is_null());
    assert!(properties("MergeRole")["ManagedPolicyArns"].is_null());

    let subnets = [
        "MergeSubnetIds=subnet-1,subnet-2",
        "MergeSecurityGroupIds=sg-1",
    ];
    let properties = rendered(&subnets);
    assert_eq!(
        properties("MergeFunction")["VpcConfig"],
        json!({"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]})
    );
    let policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole";
    assert_eq!(
        properties("MergeRole")["ManagedPolicyArns"],
        json!([policy])
    );
}

#[test]
fn links_lead_to_the_console_of_the_partition() {
    let owner = Owner::new();
    for (region, domain) in [
        ("us-east-1", "console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-east-1", "console.amazonaws-us-gov.com"),
    ] {
        let deployed = owner.deploy(&[&given(&PARAMETERS)[..], &["-r", region]].concat());
        deployed.assert_code(0);
        let stacks = owner.server.standing(&[region]).stacks;
        let outputs = &stacks[0]["outputs"];
        let check = |output: &str, page: &str| {
            let link = outputs[output].as_str().unwrap();
            let expect = format!("https://{region}.{domain}/{page}?region={region}");
            assert!(link.starts_with(&expect), "{link}");
        };
        let name = outputs["PipelineName"].as_str().unwrap();
        let page = format!("codesuite/codepipeline/pipelines/{name}/view");
        check("PipelineUrl", &page);
        check("DashboardUrl", "cloudwatch/home");
        let link = outputs["PipelineUrl"].as_str().unwrap();
        assert!(deployed.stdout.contains(link), "{}", deployed.stdout);
    }
}
