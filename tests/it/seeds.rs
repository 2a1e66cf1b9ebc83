//! Tests seeds: resources that exist in the simulator from the start, by `--seed`, by a scenario
//! file, or by the configuration.

use serde_json::json;

use crate::project::Project;
use crate::simulator::Simulator;
use crate::taskcat::{Outcome, Taskcat};

const CONFIG: &str = "\
project:
  name: fed
  regions: [eu-central-1]
tests:
  everything:
    template: site.yaml
    parameters:
      Motto: $[taskcat_ssm_/site/motto]
      Token: $[taskcat_secretsmanager_site-token]
      Licence: $[taskcat_getlicensecontent]/site-licences/2030.txt
      Key: ops
      Vpc: vpc-0a1
      Groups: sg-0a1,sg-0b2
      Zone: Z111
";

const SITE: &str = "\
Parameters:
  Motto: {Type: String}
  Token: {Type: String}
  Licence: {Type: String}
  Key: {Type: AWS::EC2::KeyPair::KeyName}
  Vpc: {Type: AWS::EC2::VPC::Id}
  Groups: {Type: List<AWS::EC2::SecurityGroup::Id>}
  Zone: {Type: AWS::Route53::HostedZone::Id}
  Image: {Type: AWS::SSM::Parameter::Value<String>, Default: /images/base}
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: !Ref Motto
      TopicName: !ImportValue shared-TopicName
  Module:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://partner-modules.s3.amazonaws.com/v2/queue.yaml
      Parameters: {Name: '{{resolve:secretsmanager:site-db:SecretString:user}}'}
Outputs:
  Motto: {Value: !Ref Motto}
  Image: {Value: !Ref Image}
  Queue: {Value: !GetAtt Module.Outputs.Name}
";

const SEEDS: &str = "\
ssm_parameters:
  - {name: /site/motto, value: more light}
  - {name: /images/base, value: ami-1, regions: [us-*]}
  - {name: /images/base, value: ami-2, regions: [eu-*]}
secrets:
  - {name: site-token, value: t0ps3cret}
  - {name: site-db, keys: {user: alice, password: hunter2}}
buckets:
  - name: site-licences
    objects: [{key: 2030.txt, text: licensed until 2030}]
  - name: partner-modules
    region: eu-central-1
    folders: [{path: ../partner, prefix: v2}]
exports:
  - {name: shared-TopicName, value: news}
key_pairs: [{name: ops}]
hosted_zones: [{id: Z111, name: example.com}]
vpcs:
  - id: vpc-0a1
    security_groups: [{id: sg-0a1}, {id: sg-0b2}]
";

/// A project that needs many resources of its account; `seeds/all.yml` provides them.
fn project_with_seeds() -> Project {
    let project = Project::empty("fed");
    project.write(".taskcat.yml", CONFIG);
    project.write("site.yaml", SITE);
    project.write("seeds/all.yml", SEEDS);
    project.write(
        "partner/queue.yaml",
        "Parameters: {Name: {Type: String}}\nResources: {Queue: {Type: AWS::SQS::Queue}}\nOutputs: \
         {Name: {Value: !Ref Name}}\n",
    );
    project
}

fn local(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::bare(project)
        .args(["test", "run", "--local", "-l"])
        .args(args.iter().copied())
        .run()
}

#[track_caller]
fn output(outcome: &Outcome, key: &str) -> serde_json::Value {
    let cell = outcome.cell("everything", "eu-central-1");
    let outputs = cell["outputs"].as_array().unwrap();
    let found = outputs.iter().find(|output| output["key"] == key);
    found.unwrap_or_else(|| panic!("no output {key}: {cell:#}"))["value"].clone()
}

#[test]
fn a_seed_file_provides_what_a_project_needs() {
    let project = project_with_seeds();
    let outcome = local(&project, &["--seed", "seeds/all.yml"]);
    outcome.assert_code(0);
    assert_eq!(output(&outcome, "Motto"), "more light");
    assert_eq!(output(&outcome, "Image"), "ami-2");
    assert_eq!(output(&outcome, "Queue"), "alice");
    for (name, text) in outcome.outputs() {
        assert!(!text.contains("t0ps3cret"), "{name} tells a secret");
    }
}

#[test]
fn a_scenario_file_may_contain_seeds() {
    let project = project_with_seeds();
    let seeds: String = SEEDS.lines().map(|line| format!("  {line}\n")).collect();
    project.write(
        "seeds/scenario.yml",
        &format!("disabled_regions: [me-south-1]\nseeds:\n{seeds}"),
    );
    local(&project, &["--scenario", "seeds/scenario.yml"]).assert_code(0);
}

/// Later files take precedence.
#[test]
fn several_seed_files_are_merged() {
    let project = project_with_seeds();
    project.write(
        "seeds/more.yml",
        "ssm_parameters: [{name: /site/motto, value: less noise}]\n",
    );
    let outcome = local(
        &project,
        &["--seed", "seeds/all.yml", "--seed", "seeds/more.yml"],
    );
    outcome.assert_code(0);
    assert_eq!(output(&outcome, "Motto"), "less noise");
}

/// If resources of a type are seeded, no others of that type exist; if none are seeded, the simulator
/// accepts any.
#[test]
fn a_parameter_with_an_unseeded_resource_is_refused() {
    let project = project_with_seeds();
    let check = |from: &str, to: &str, value: &str, parameter: &str| {
        project.write("seeds/all.yml", &SEEDS.replace(from, to));
        let outcome = local(&project, &["--seed", "seeds/all.yml"]);
        outcome.assert_code(1).assert_says(&format!(
            "Parameter validation failed: parameter value {value} for parameter name {parameter} \
             does not exist"
        ));
    };
    check("{name: ops}", "{name: dev}", "ops", "Key");
    check(
        "{name: ops}",
        "{name: ops, regions: [us-east-1]}",
        "ops",
        "Key",
    );
    check("key_pairs: [{name: ops}]", "key_pairs: []", "ops", "Key");
    check("{id: sg-0b2}", "{id: sg-0c3}", "sg-0b2", "Groups");
    check("{id: Z111,", "{id: Z222,", "Z111", "Zone");
    check("id: vpc-0a1", "id: vpc-0b2", "vpc-0a1", "Vpc");
    project.write(
        "seeds/all.yml",
        &SEEDS.replace("key_pairs: [{name: ops}]\n", ""),
    );
    local(&project, &["--seed", "seeds/all.yml"]).assert_code(0);
}

/// The errors of all files are reported before anything is done.
#[test]
fn invalid_seed_files_are_refused() {
    let project = project_with_seeds();
    project.write(
        "seeds/one.yml",
        "ssm_parameters:\n- {name: /a}\nsecret: []\n",
    );
    project.write(
        "seeds/two.yml",
        "buckets:\n- name: b-1\n  folders: [{path: nowhere}]\n",
    );
    project.write("seeds/scenario.yml", "seeds:\n  exports: [{name: x}]\n");
    let outcome = local(
        &project,
        &[
            "--seed",
            "seeds/one.yml",
            "--seed",
            "seeds/two.yml",
            "--scenario",
            "seeds/scenario.yml",
            "--seed",
            "gone.yml",
        ],
    );
    outcome.assert_code(2);
    for (says, at) in [
        ("`ssm_parameters[0]` lacks `value`", "seeds/one.yml:2:3"),
        ("the seed file has no key `secret`", "seeds/one.yml:3:1"),
        (
            "`buckets[0].folders[0].path`: nowhere isn't a folder",
            "seeds/two.yml:3:20",
        ),
        (
            "`seeds.exports[0]` lacks `value`",
            "seeds/scenario.yml:2:13",
        ),
        ("cannot read gone.yml", ""),
    ] {
        outcome.assert_says(says).assert_says(at);
    }
    assert_eq!(outcome.report()["cells"], json!([]), "nothing was tested");
    Taskcat::bare(&project)
        .args(["test", "run", "--seed", "seeds/all.yml"])
        .run()
        .assert_code(2)
        .assert_says("--local");
}

/// The user's own bucket exists, wherever the configuration names it.
#[test]
fn buckets_of_the_configuration_exist() {
    let project = Project::empty("own-bucket");
    project.write(
        "topic.yaml",
        "Resources: {Topic: {Type: AWS::SNS::Topic}}\n",
    );
    project.write(
        ".taskcat.yml",
        "general: {s3_bucket: team-bucket}\nproject: {name: own, template: topic.yaml, regions: \
         [eu-west-1, us-east-1]}\n\
         tests: {shared: {}, other: {s3_bucket: other-bucket}}\n",
    );
    let outcome = local(&project, &[]);
    outcome.assert_code(0);
    let mut buckets: Vec<_> = outcome.report()["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["bucket"].clone())
        .collect();
    buckets.sort_by_key(ToString::to_string);
    assert_eq!(buckets, ["other-bucket", "team-bucket"]);
}

#[test]
fn a_server_can_be_seeded() {
    let project = project_with_seeds();
    project.write(
        "seeds/all.yml",
        &SEEDS.replace(
            "../partner",
            &project.path().join("partner").display().to_string(),
        ),
    );
    let file = project.path().join("seeds/all.yml").display().to_string();
    let simulator = Simulator::start(&["--speed", "inf", "--seed", &file]);
    let outcome = Taskcat::offline(&project)
        .env("AWS_ACCESS_KEY_ID", "210987654321")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .args(["test", "run", "-l", "--endpoint-url", &simulator.endpoint()])
        .run();
    // Buckets belong to one account, everything else to every account.
    outcome
        .assert_code(1)
        .assert_says("object s3://site-licences/2030.txt")
        .assert_silent_about("motto");
}

/// Each test reports a missing resource once, with the pseudo-parameter, its position, and how to
/// seed the resource.
#[test]
fn errors_name_the_missing_seed() {
    let check = |value: &str, says: &[&str]| {
        let project = Project::empty("bare");
        project.write(
            "topic.yaml",
            "Parameters: {K: {Type: String}}\nResources: {T: {Type: AWS::SNS::Topic}}\n",
        );
        project.write(
            ".taskcat.yml",
            &format!(
                "project: {{name: bare, regions: [us-east-1]}}\n\
                 tests: {{one: {{template: topic.yaml, parameters: {{K: '{value}'}}}}}}\n"
            ),
        );
        let outcome = local(&project, &[]);
        outcome.assert_code(1);
        let cause = &outcome.cell("one", "us-east-1")["root_cause"];
        let (reason, hint) = (
            cause["reason"].as_str().unwrap(),
            cause["hint"].as_str().unwrap(),
        );
        assert!(
            reason.starts_with(&format!("parameter K: {}", says[0])),
            "{reason}"
        );
        outcome.assert_says(".taskcat.yml:2");
        assert!(
            reason.ends_with("the simulator doesn't have it"),
            "{reason}"
        );
        assert!(hint.starts_with(says[1]), "{hint}");
    };
    check(
        "$[taskcat_ssm_/my/key]",
        &[
            "$[taskcat_ssm_/my/key]: SSM parameter /my/key in us-east-1",
            "seed it: `ssm_parameters: [{name: /my/key,",
        ],
    );
    check(
        "$[taskcat_secretsmanager_db]",
        &[
            "$[taskcat_secretsmanager_db]: secret db in us-east-1",
            "seed it: `secrets: [{name: db,",
        ],
    );
    check(
        "$[taskcat_getlicensecontent]/mine/a/b.txt",
        &[
            "$[taskcat_getlicensecontent]/mine/a/b.txt: object s3://mine/a/b.txt",
            "seed it: `buckets: [{name: mine, objects: [{key: a/b.txt,",
        ],
    );
}

/// A bucket of another account may exist in AWS.
#[test]
fn a_bucket_of_another_account_is_only_missing_in_the_simulator() {
    let project = Project::empty("foreign");
    project.write(
        "site.yaml",
        "Resources:\n  Child:\n    Type: AWS::CloudFormation::Stack\n    Properties: {TemplateURL: \
         !Sub \
         'https://modules-${AWS::Region}.s3.amazonaws.com/q/vpc.yaml'}\n",
    );
    project.write(
        ".taskcat.yml",
        "project: {name: foreign, regions: [us-east-1]}\ntests: {one: {template: site.yaml}}\n",
    );
    let outcome = local(&project, &[]);
    outcome
        .assert_code(1)
        .assert_silent_about("The specified bucket does not exist");
    outcome.assert_says("the simulator has no bucket `modules-us-east-1`");
    outcome.assert_says(
        "hint: seed it: `buckets: [{name: modules-us-east-1, objects: [{key: q/vpc.yaml,",
    );
    project.write(
        "seeds.yml",
        "buckets: [{name: modules-us-east-1, objects: [{key: q/vpc.yaml, text: 'Resources: {T: \
         {Type: AWS::SNS::Topic}}'}]}]\n",
    );
    local(&project, &["--seed", "seeds.yml"]).assert_code(0);
}

/// Templates by `cdk synth` read the version of the account's bootstrap stack, with any qualifier.
#[test]
fn synthesized_cdk_templates_are_deployed() {
    let project = Project::empty("synthesized");
    project.write(
        "cdk.out/Web.template.json",
        r#"{
  "Parameters": {
    "BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/team1/version"}
  },
  "Rules": {
    "CheckBootstrapVersion": {
      "Assertions": [{
        "Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2", "3", "4", "5"], {"Ref": "BootstrapVersion"}]}]},
        "AssertDescription": "CDK bootstrap stack version 6 required."
      }]
    }
  },
  "Resources": {
    "Topic": {"Type": "AWS::SNS::Topic"},
    "CDKMetadata": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": "v2:deflate64:AAAA"}}
  }
}"#,
    );
    project.write(
        ".taskcat.yml",
        "project: {name: cdk, regions: [us-east-1]}\ntests: {web: {template: \
         cdk.out/Web.template.json}}\n",
    );
    local(&project, &[]).assert_code(0);
    // A seed takes precedence.
    project.write(
        "old.yml",
        "ssm_parameters: [{name: /cdk-bootstrap/team1/version, value: '5'}]\n",
    );
    let outcome = local(&project, &["--seed", "old.yml"]);
    outcome
        .assert_code(1)
        .assert_says("CDK bootstrap stack version 6 required.");
}

/// The templates of nested stacks are assets: `cdk deploy` would upload them first.
#[test]
fn assets_of_synthesized_cdk_templates_exist() {
    let project = Project::empty("nested");
    project.write(
        "cdk.out/Web.template.json",
        r#"{"Resources": {"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": {"Fn::Join": ["", [
  "https://s3.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"},
  {"Fn::Sub": "/cdk-team1-assets-${AWS::AccountId}-${AWS::Region}"}, "/0a1b.json"
]]}}}}}"#,
    );
    project.write(
        "cdk.out/WebInner.nested.template.json",
        r#"{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}"#,
    );
    let manifest = |path: &str| {
        format!(
            r#"{{"version": "48.0.0", "files": {{
  "0a1b": {{"source": {{"path": "{path}", "packaging": "file"}}, "destinations": {{"current_account-current_region": {{
    "bucketName": "cdk-team1-assets-${{AWS::AccountId}}-${{AWS::Region}}", "objectKey": "0a1b.json"}}}}}},
  "2c3d": {{"source": {{"path": "asset.2c3d", "packaging": "zip"}}, "destinations": {{"current_account-eu-west-1": {{
    "bucketName": "cdk-team1-assets-${{AWS::AccountId}}-eu-west-1", "objectKey": "2c3d.zip", "region": "eu-west-1"}}}}}}
}}, "dockerImages": {{}}}}"#
        )
    };
    project.write(
        "cdk.out/Web.assets.json",
        &manifest("WebInner.nested.template.json"),
    );
    project.write(
        ".taskcat.yml",
        "project: {name: cdk, regions: [us-east-1, cn-north-1]}\ntests: {web: {template: \
         cdk.out/Web.template.json}}\n",
    );
    let outcome = local(&project, &[]);
    outcome.assert_code(0).assert_silent_about("warning");
    assert_eq!(
        outcome.states(),
        ["web/us-east-1 passed", "web/cn-north-1 passed"]
    );
    // Unreadable assets are reported, and the nested stack fails as it does without them.
    project.write("cdk.out/Web.assets.json", &manifest("gone.json"));
    let outcome = local(&project, &[]);
    outcome
        .assert_code(1)
        .assert_says("gone.json: no such file")
        .assert_says("run `cdk synth` again");
    project.write("cdk.out/Web.assets.json", "{");
    local(&project, &[])
        .assert_code(1)
        .assert_says("Web.assets.json is not an asset manifest: ");
}

/// A shell doesn't expand the tilde of `--seed=~/x`.
#[test]
fn a_tilde_stands_for_the_home_directory() {
    let project = Project::empty("tilde");
    project.write(
        "topic.yaml",
        "Resources: {Topic: {Type: AWS::SNS::Topic}}\n",
    );
    project.write(
        ".taskcat.yml",
        "project: {name: tilde, regions: [us-east-1]}\ntests: {one: {template: topic.yaml}}\n",
    );
    let home = project.home();
    let run = |args: &[&str]| {
        Taskcat::bare(&project)
            .env("HOME", &home)
            .args(["test", "run", "--local", "-l"])
            .args(args.iter().copied())
            .run()
    };
    project.write(
        "../home/seeds.yml",
        "secrets: [{name: token, value: hush}]\n",
    );
    project.write(
        "../home/scenario.yml",
        "resources: [{logical_id: Topic, fails: on purpose}]\n",
    );
    run(&["--seed=~/seeds.yml"]).assert_code(0);
    run(&["--scenario=~/scenario.yml"])
        .assert_code(1)
        .assert_says("on purpose");
}
