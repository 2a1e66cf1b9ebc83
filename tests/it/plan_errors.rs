//! A test that can't be planned fails alone, in each of its regions; the others are planned and
//! run.

use serde_json::Value;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

const TOPIC: &str = "\
Parameters:
  Label: {Type: String}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Label}}
";

/// Two regions, a test that is as it should be, and one that isn't.
fn project(bad: &str) -> Project {
    let project = Project::empty("mixed");
    project.write(
        ".taskcat.yml",
        &format!(
            "project: {{name: mixed, regions: [us-east-1, eu-west-1]}}\ntests:\n  bad: {bad}\n  \
             good: {{template: topic.yaml, parameters: {{Label: x}}}}\n"
        ),
    );
    project.write("topic.yaml", TOPIC);
    project.write(
        "broken.yaml",
        "Resources:\n  Topic: {Type: AWS::SNS::Topic\n",
    );
    project.write("directory.yaml/file", "");
    project
}

fn plan(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::offline(project)
        .args(["plan"])
        .args(args.iter().copied())
        .run()
}

fn run(project: &Project) -> Outcome {
    Taskcat::offline(project)
        .args(["test", "run", "--local", "-l"])
        .run()
}

/// What keeps a test from being planned, what is said of it, and the place that is named.
const BAD: [(&str, &str, &str); 7] = [
    (
        "{template: topic.yaml}",
        "test `bad` has no value for parameters",
        ".taskcat.yml:3:3",
    ),
    (
        "{template: gone.yaml}",
        "template gone.yaml does not exist",
        ".taskcat.yml:3:9",
    ),
    (
        "{template: directory.yaml}",
        "template directory.yaml is a directory",
        ".taskcat.yml:3:9",
    ),
    (
        "{template: broken.yaml}",
        "unclosed `{`",
        "broken.yaml:2:10",
    ),
    (
        "{template: topic.yaml, parameters: {Label: '$[taskcat_genpas_8]'}}",
        "unknown pseudo-parameter $[taskcat_genpas_8]",
        ".taskcat.yml:3:44",
    ),
    (
        "{template: topic.yaml, parameters: {Label: x}, role_name: \
         'arn:aws:iam::123456789012:user/ci'}",
        "arn:aws:iam::123456789012:user/ci is not the ARN of an IAM role",
        ".taskcat.yml:3:55",
    ),
    (
        "{template: topic.yaml, parameters: {Label: x}, role_name: deploy role}",
        "deploy role is not the name of an IAM role",
        ".taskcat.yml:3:55",
    ),
];

#[test]
fn a_plan_says_why_and_goes_on() {
    for (bad, says, at) in BAD {
        let project = project(bad);
        let text = plan(&project, &[]);
        text.assert_code(1);
        assert!(
            text.stdout.contains(says) && text.stdout.contains(at),
            "{bad}: {at}\n{}",
            text.stdout
        );
        assert_eq!(
            text.stdout.matches(says).count(),
            1,
            "it is said once: {}",
            text.stdout
        );
        assert!(
            text.stdout
                .ends_with("\n4 tests × regions: 2 would launch, 2 would fail\n"),
            "{}",
            text.stdout
        );

        let json = plan(&project, &["--format", "json"]);
        json.assert_code(1);
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        let verdicts = json["cells"].as_array().unwrap().iter().map(|cell| {
            let text = |key: &str| cell[key].as_str().unwrap().to_owned();
            format!("{}/{} {}", text("test"), text("region"), text("verdict"))
        });
        let expect = [
            "bad/us-east-1 would_fail",
            "bad/eu-west-1 would_fail",
            "good/us-east-1 would_launch",
            "good/eu-west-1 would_launch",
        ];
        assert_eq!(verdicts.collect::<Vec<_>>(), expect);
        let failure = &json["cells"][0]["failures"][0];
        let place = format!(
            "{}:{}:{}",
            failure["file"].as_str().unwrap(),
            failure["line"],
            failure["column"]
        );
        assert_eq!(place, at, "{failure:#}");
    }
}

#[test]
fn a_run_tests_the_others() {
    for (bad, says, at) in BAD {
        let project = project(bad);
        let outcome = run(&project);
        outcome.assert_code(1);
        let mut states = outcome.states();
        states.sort();
        assert_eq!(
            states,
            [
                "bad/eu-west-1 failed",
                "bad/us-east-1 failed",
                "good/eu-west-1 passed",
                "good/us-east-1 passed"
            ]
        );
        let cause = outcome.cell("bad", "eu-west-1")["root_cause"]["reason"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            cause.contains(says) && cause.starts_with(at),
            "{at}: {cause}"
        );
    }
}

/// Where no test can be planned, nothing is begun; who reads JSON gets the reasons all the same.
#[test]
fn without_any_test_that_can_be_planned_nothing_is_begun() {
    let project = Project::copy_of("missing-parameter");
    plan(&project, &[]).assert_code(2).assert_says("Endpoint");
    run(&project)
        .assert_code(2)
        .assert_says("Endpoint")
        .assert_silent_about("creating bucket");
    let outcome = plan(&project, &["--format", "json"]);
    outcome.assert_code(2).assert_says("Endpoint");
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(json["summary"]["would_fail"], 4);
}

/// What stays is deployed whole or not at all.
#[test]
fn a_deployment_needs_every_test() {
    let project = project("{template: topic.yaml}");
    project.replace(
        ".taskcat.yml",
        "name: mixed",
        "name: mixed, s3_bucket: some-bucket",
    );
    let outcome = Taskcat::at(&project, "http://127.0.0.1:9")
        .args(["deploy", "run", "--yes", "-l"])
        .run();
    outcome
        .assert_code(2)
        .assert_says("test `bad` has no value for parameters");
}

/// A name, an ARN, and what each stack gets in the end.
#[test]
fn roles_are_given_by_name_or_arn() {
    let server = Server::take(Kind::Simulator);
    let project = Project::empty("roles");
    project.write(
        ".taskcat.yml",
        "project: {name: roles, template: topic.yaml, role_name: ci/base, regions: [us-east-1, \
         cn-north-1]}\n\
         tests:\n  inherits: {regions: [us-east-1]}\n  names: {role_name: own, regions: \
         [us-east-1]}\n  \
         whole: {role_name: 'arn:aws:iam::123456789012:role/path/whole'}\n",
    );
    project.write(
        "topic.yaml",
        "Resources: {Topic: {Type: AWS::SNS::Topic}}\n",
    );
    let text = plan(&project, &[]);
    text.assert_code(1);
    let says = "role arn:aws:iam::123456789012:role/path/whole is in the partition aws, the stack \
        would be in aws-cn";
    assert!(
        text.stdout.contains(says) && text.stdout.contains(".taskcat.yml:5:11"),
        "{}",
        text.stdout
    );

    let proxy = Proxy::before(&server);
    let run = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint());
    run.args(["-l", "-r", "us-east-1"]).run().assert_code(0);
    let sent = proxy
        .calls()
        .of("CreateStack")
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    for role in ["ci/base", "own", "path/whole"] {
        let arn = format!("arn:aws:iam::123456789012:role/{role}");
        assert!(
            sent.iter().any(|call| call.contains(&arn)),
            "{role}: {sent:?}"
        );
    }
}

/// What a stack gets by default is as certain as what a test sets.
#[test]
fn a_default_that_the_schema_refuses_would_fail() {
    let project = Project::empty("p");
    project.write(
        ".taskcat.yml",
        "project: {name: p, template: t.yaml, regions: [us-east-1]}\ntests:\n  kept: {}\n  set: \
         {parameters: {Delay: 100}}\n",
    );
    let template = "Parameters:\n  Delay: {Type: Number, Default: 1000}\nResources:\n  \
                    Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      DelaySeconds: \
                    !Ref Delay\n";
    project.write("t.yaml", template);
    let outcome = Taskcat::offline(&project).args(["plan"]).run();
    outcome.assert_code(1);
    let plan = &outcome.stdout;
    assert!(plan.contains("1 would launch, 1 would fail"), "{plan}");
    assert!(
        plan.contains("Properties validation failed for resource Queue"),
        "{plan}"
    );
    assert!(plan.contains("test kept in us-east-1"), "{plan}");
}

#[test]
fn a_bad_hook_is_its_tests_failure() {
    let project = Project::empty("p");
    project.write(
        ".taskcat.yml",
        "project: {name: p, template: t.yaml, regions: [us-east-1]}\ntests:\n  good: {}\n  bad: \
         {prehooks: [{type: script}]}\n",
    );
    project.write("t.yaml", "Resources: {T: {Type: AWS::SNS::Topic}}\n");
    let outcome = Taskcat::offline(&project)
        .args(["plan", "--format", "json"])
        .run();
    outcome.assert_code(1);
    let plan: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let verdicts = plan["cells"].as_array().unwrap().iter();
    let verdicts: Vec<_> = verdicts
        .map(|cell| (cell["test"].as_str(), cell["verdict"].as_str()))
        .collect();
    let expect = [
        (Some("good"), Some("would_launch")),
        (Some("bad"), Some("would_fail")),
    ];
    assert_eq!(verdicts, expect, "{plan:#}");
    let failure = &plan["cells"][1]["failures"][0];
    assert!(
        failure["message"]
            .as_str()
            .unwrap()
            .starts_with("hook `script`: ")
    );
    let outcome = Taskcat::bare(&project)
        .args(["test", "run", "--local", "-l"])
        .run();
    outcome.assert_code(1);
    let mut states = outcome.states();
    states.sort();
    assert_eq!(states, ["bad/us-east-1 failed", "good/us-east-1 passed"]);
}
