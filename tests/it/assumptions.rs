//! What `plan` decides although only AWS knows a value, and what it assumes then.

use serde_json::{Value, json};

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

/// A project `p` with the test `t` of `t.yaml` in us-east-1.
fn project(template: &str, parameters: &str) -> Project {
    let project = Project::empty("p");
    project.write(
        ".taskcat.yml",
        &format!(
            "project: {{name: p, regions: [us-east-1]}}\n\
             tests: {{t: {{template: t.yaml, parameters: {parameters}}}}}\n"
        ),
    );
    project.write("t.yaml", template);
    project
}

#[track_caller]
fn plan(project: &Project, args: &[&str]) -> Outcome {
    let outcome = Taskcat::offline(project)
        .args(["plan"])
        .args(args.iter().copied())
        .run();
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    outcome
}

#[track_caller]
fn cells(project: &Project, args: &[&str]) -> Vec<Value> {
    let outcome = plan(project, &[&["--format", "json"], args].concat());
    let plan: Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}{}", outcome.stdout, outcome.stderr));
    plan["cells"].as_array().unwrap().clone()
}

fn texts(cell: &Value) -> Vec<&str> {
    let assumptions = cell["assumptions"].as_array().unwrap().iter();
    assumptions.map(|it| it["text"].as_str().unwrap()).collect()
}

/// The verdict on a test, with its assumptions or failures.
#[track_caller]
fn check(template: &str, parameters: &str, verdict: &str, expect: &[&str]) {
    let project = project(template, parameters);
    let cells = cells(&project, &[]);
    let [cell] = cells.as_slice() else {
        panic!("{cells:#?}")
    };
    assert_eq!(cell["verdict"], verdict, "{template}\n{cell:#}");
    let messages = |key: &str| {
        let failures = cell[key].as_array().unwrap().iter();
        failures
            .map(|it| it["message"].as_str().unwrap())
            .collect::<Vec<_>>()
    };
    let found = match verdict {
        "would_fail" => messages("failures"),
        "undecided" => messages("possible_failures"),
        _ => texts(cell),
    };
    assert_eq!(found, expect, "{template}\n{cell:#}");
}

const NO_ITEM: &str = "Template error: Fn::Select cannot select nonexistent value at index 2";

/// A topic named by an expression, in a template with these parameters.
fn named(parameters: &str, name: &str) -> String {
    format!(
        "Parameters: {{{parameters}}}\nResources:\n  Topic: {{Type: AWS::SNS::Topic, Properties: \
         {{TopicName: {name}}}}}\n"
    )
}

#[test]
fn generated_zones_are_a_list_of_known_length() {
    let two = "{Zones: '$[taskcat_genaz_2]'}";
    let list = "Zones: {Type: 'List<AWS::EC2::AvailabilityZone::Name>'}";
    let text = "Zones: {Type: String}";
    check(
        &named(list, "!Select [1, !Ref Zones]"),
        two,
        "would_launch",
        &[],
    );
    check(
        &named(list, "!Select [2, !Ref Zones]"),
        two,
        "would_fail",
        &[NO_ITEM],
    );
    let split = |index: u8| {
        named(
            text,
            &format!("!Select [{index}, !Split [',', !Ref Zones]]"),
        )
    };
    check(&split(1), two, "would_launch", &[]);
    check(&split(2), two, "would_fail", &[NO_ITEM]);
    let joined = "!Select [2, !Split [',', !Join [',', !Ref Zones]]]";
    check(&named(list, joined), two, "would_fail", &[NO_ITEM]);
    let appended = "!Select [2, !Split [',', !Sub ['${All},x', {All: !Join [',', !Ref Zones]}]]]";
    check(&named(list, appended), two, "would_launch", &[]);
    let six = "{Zones: '$[taskcat_genaz_6]'}";
    let assumption = "6 availability zones in us-east-1";
    check(
        &named(list, "!Select [5, !Ref Zones]"),
        six,
        "would_launch_if",
        &[assumption],
    );
    check(
        &named("", "!Select [4, !GetAZs '']"),
        "{}",
        "would_launch_if",
        &["5 availability zones in us-east-1"],
    );
    check(
        &named("", "!Select [2, !GetAZs '']"),
        "{}",
        "would_launch",
        &[],
    );
}

/// us-west-1 has three zones, but accounts see two.
#[test]
fn as_many_zones_as_every_account_has_are_not_listed() {
    let template = named(
        "Zones: {Type: CommaDelimitedList}",
        "!Select [0, !Ref Zones]",
    );
    let project = project(&template, "{Zones: '$[taskcat_genaz_3]'}");
    project.replace(".taskcat.yml", "[us-east-1]", "[us-east-1, us-west-1]");
    let found = cells(&project, &[]);
    let verdicts: Vec<_> = found.iter().map(|cell| &cell["verdict"]).collect();
    assert_eq!(verdicts, ["would_launch", "would_launch_if"]);
    let expect = json!([{
        "kind": "availability_zones",
        "region": "us-west-1",
        "count": 3,
        "excluded": [],
        "text": "3 availability zones in us-west-1",
        "parameters": ["Zones"],
    }]);
    assert_eq!(found[1]["assumptions"], expect);
}

/// A zone may be any, but it isn't empty, and no two of a list are the same.
#[test]
fn a_condition_on_a_zone_is_decided_by_its_form_alone() {
    let conditional = |condition: &str| {
        format!(
            "Parameters: {{Zones: {{Type: CommaDelimitedList}}}}\nConditions: {{C: \
             {condition}}}\nMappings: {{M: {{a: {{b: c}}}}}}\nResources:\n  Topic: {{Type: \
             AWS::SNS::Topic}}\n  Other: {{Type: AWS::SNS::Topic, Condition: C, Properties: \
             {{TopicName: !FindInMap [M, x, b]}}}}\n"
        )
    };
    let two = "{Zones: '$[taskcat_genaz_2]'}";
    let failure = "Template error: Unable to get mapping for M::x::b";
    let first = "!Select [0, !Ref Zones]";
    check(
        &conditional(&format!("!Equals [{first}, us-east-1a]")),
        two,
        "undecided",
        &[failure],
    );
    check(
        &conditional(&format!("!Equals [{first}, '']")),
        two,
        "would_launch",
        &[],
    );
    check(
        &conditional("!Equals ['', !Join ['', !Ref Zones]]"),
        two,
        "would_launch",
        &[],
    );
    check(
        &conditional(&format!("!Equals [{first}, !Select [1, !Ref Zones]]")),
        two,
        "would_launch",
        &[],
    );
    let project = project(&conditional(&format!("!Equals [{first}, us-east-1a]")), two);
    plan(&project, &[]).assert_code(0);
    let text = plan(&project, &["--strict"]);
    text.assert_code(1);
    let expect = "\
undecided, depends on
  availability zones of us-east-1
      test t in us-east-1
      t.yaml:6: Template error: Unable to get mapping for M::x::b

1 test × region: 1 undecided
";
    assert!(text.stdout.ends_with(expect), "{}", text.stdout);
}

/// The ID of a VPC that a sibling creates isn't empty.
#[test]
fn ids_of_other_stacks_are_not_empty() {
    let project = project(
        "Parameters: {Bucket: {Type: String}}\n\
         Resources:\n  \
           Network: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: !Sub \
           'https://${Bucket}.s3.amazonaws.com/p/network.yaml'}}\n  \
           Host: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: !Sub \
           'https://${Bucket}.s3.amazonaws.com/p/host.yaml', Parameters: {Vpc: !GetAtt \
           Network.Outputs.Vpc}}}\n",
        "{Bucket: '$[taskcat_autobucket]'}",
    );
    project.write(
        "network.yaml",
        "Resources: {Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}}\n\
         Outputs: {Vpc: {Value: !Ref Vpc}}\n",
    );
    project.write(
        "host.yaml",
        "Parameters: {Vpc: {Type: String, Default: '', AllowedPattern: 'vpc-[0-9a-f]{17}|'}}\n\
         Conditions: {OwnVpc: !Equals [!Ref Vpc, '']}\n\
         Mappings: {M: {a: {b: c}}}\n\
         Resources:\n  \
           Topic: {Type: AWS::SNS::Topic}\n  \
           Own: {Type: AWS::SNS::Topic, Condition: OwnVpc, Properties: {TopicName: !FindInMap [M, \
           x, b]}}\n",
    );
    let found = cells(&project, &[]);
    assert_eq!(found[0]["verdict"], "would_launch", "{:#}", found[0]);
    assert_eq!(found[0]["possible_failures"], json!([]));
}

/// Constraints on values that only AWS knows, unless any value of their form meets them.
#[test]
fn constraints_on_unknown_values_are_assumptions() {
    let size = "Size: {Type: String, AllowedValues: [t3.micro]}";
    check(
        &named(size, "!Ref Size"),
        "{Size: '$[taskcat_ssm_/size]'}",
        "would_launch_if",
        &[
            "SSM parameter `/size` is set in us-east-1",
            "the value of parameter `Size` (SSM parameter /size) is one of its AllowedValues",
        ],
    );
    let account = "Owner: {Type: String, AllowedPattern: '[0-9]{12}'}";
    check(
        &named(account, "!Ref Owner"),
        "{Owner: '$[taskcat_account_id]'}",
        "would_launch",
        &[],
    );
    let ours = "Owner: {Type: String, AllowedPattern: '99[0-9]{10}'}";
    check(
        &named(ours, "!Ref Owner"),
        "{Owner: '$[taskcat_account_id]'}",
        "would_launch_if",
        &["the value of parameter `Owner` (AWS::AccountId) matches its AllowedPattern"],
    );
    let zone = "Zone: {Type: String, AllowedValues: [us-east-1c]}";
    check(
        &named(zone, "!Ref Zone"),
        "{Zone: '$[taskcat_gensingleaz_1]'}",
        "would_launch_if",
        &[
            "the value of parameter `Zone` (availability zones of us-east-1) is one of its \
             AllowedValues",
        ],
    );
}

#[test]
fn every_kind_of_assumption_has_its_name() {
    let template = "\
Transform: Mine
Parameters:
  Key: {Type: AWS::EC2::KeyPair::KeyName}
  Vpc: {Type: AWS::EC2::VPC::Id, Default: vpc-1}
  Image: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /golden}
  Public: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: \
/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}
Resources:
  Secret: {Type: AWS::SNS::Topic, Properties: {TopicName: '{{resolve:secretsmanager:db:SecretString:u}}'}}
  Text: {Type: AWS::SNS::Topic, Properties: {TopicName: '{{resolve:ssm:/x:3}}'}}
  Export: {Type: AWS::SNS::Topic, Properties: {TopicName: !ImportValue net-name}}
  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: \
'https://theirs.s3.amazonaws.com/a/b.yaml'}}
";
    let project = project(template, "{Key: cikey}");
    let found = cells(&project, &[]);
    let cell = &found[0];
    assert_eq!(cell["verdict"], "would_launch_if");
    let subjects: Vec<Value> = cell["assumptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let mut it = it.clone();
            it.as_object_mut().unwrap().remove("parameters");
            it
        })
        .collect();
    let in_region = |kind: &str, name: &str, text: &str| {
        json!({"kind": kind, "region": "us-east-1", "name": name,
            "text": format!("{text} in us-east-1")})
    };
    let expect = [
        in_region("ssm_parameter", "/golden", "SSM parameter `/golden` is set"),
        in_region("secret", "db", "secret `db` exists"),
        in_region("ssm_parameter", "/x:3", "SSM parameter `/x:3` is set"),
        in_region("export", "net-name", "export `net-name` exists"),
        json!({"kind": "object", "bucket": "theirs", "key": "a/b.yaml",
            "text": "the object s3://theirs/a/b.yaml exists"}),
        in_region("macro", "Mine", "macro `Mine` exists"),
        in_region("key_pair", "cikey", "key pair `cikey` exists"),
        json!({"kind": "resource", "region": "us-east-1", "type": "AWS::EC2::VPC::Id", "name":
            "vpc-1", "text": "VPC `vpc-1` exists in us-east-1"}),
    ];
    for subject in &expect {
        assert!(subjects.contains(subject), "{subject:#}\n{subjects:#?}");
    }
    assert_eq!(subjects.len(), expect.len(), "{subjects:#?}");
    let text = plan(&project, &[]);
    text.assert_code(0);
    for line in [
        "would launch if",
        "  key pair `cikey` exists in us-east-1",
        "1 test × region: 1 would launch if these assumptions hold",
    ] {
        assert!(text.stdout.lines().any(|it| it == line), "{}", text.stdout);
    }
}

#[test]
fn what_the_stack_creates_is_not_assumed() {
    let template = "\
Resources:
  Stored: {Type: AWS::SSM::Parameter, Properties: {Name: /x, Type: String, Value: v}}
  Secret: {Type: AWS::SecretsManager::Secret, Properties: {Name: db, SecretString: s}}
  One: {Type: AWS::SNS::Topic, DependsOn: Secret, Properties: {TopicName: \
'{{resolve:secretsmanager:db}}'}}
  Two: {Type: AWS::SNS::Topic, DependsOn: Stored, Properties: {TopicName: '{{resolve:ssm:/x:1}}'}}
";
    check(template, "{}", "would_launch", &[]);
}

/// A program that reads JSON gets it whatever is wrong.
#[test]
fn a_wrong_configuration_is_json_as_well() {
    let project = project(&named("", "x"), "{}");
    project.replace(".taskcat.yml", "regions: [us-east-1]", "regions: []");
    let outcome = plan(&project, &["--format", "json"]);
    outcome
        .assert_code(2)
        .assert_says("test `t` has no regions");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        (&report["cells"], &report["project"]),
        (&json!([]), &Value::Null)
    );
    let error = &report["errors"][0];
    assert_eq!(error["message"], "test `t` has no regions");
    assert_eq!(error["at"]["file"], ".taskcat.yml");
    let outcome = plan(&project, &["--format", "json", "-p", "gone"]);
    outcome.assert_code(2);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["errors"].as_array().unwrap().len(), 1);
}

#[test]
fn a_test_whose_template_is_not_staged_fails_alone() {
    let project = project(&named("", "x"), "{}}, u: {template: u.yaml");
    project.write("u.yaml", &named("", "y"));
    project.write(".taskcatignore", "u.yaml\n");
    let found = cells(&project, &[]);
    let verdicts: Vec<_> = found.iter().map(|cell| &cell["verdict"]).collect();
    assert_eq!(verdicts, ["would_launch", "would_fail"]);
    let message = "template u.yaml is excluded from the upload, so it cannot be launched";
    assert_eq!(found[1]["failures"][0]["message"], message);
    let run = Taskcat::offline(&project)
        .args(["test", "run", "--local", "-l"])
        .run();
    run.assert_code(1);
    let mut states = run.states();
    states.sort();
    assert_eq!(states, ["t/us-east-1 passed", "u/us-east-1 failed"]);
}
