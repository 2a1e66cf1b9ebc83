//! `taskcat plan --check`, and the same before a run: what only AWS knows becomes a fact.

use serde_json::{Value, json};

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server, boto3};
use crate::simulator::Simulator;
use crate::taskcat::{Outcome, Taskcat};

/// One of each kind, as far as a template can need it.
const TEMPLATE: &str = "\
Parameters:
  Key: {Type: AWS::EC2::KeyPair::KeyName, Default: ops}
  Vpc: {Type: AWS::EC2::VPC::Id, Default: vpc-0a1}
  Subnets: {Type: 'List<AWS::EC2::Subnet::Id>', Default: subnet-0a1}
  Group: {Type: AWS::EC2::SecurityGroup::Id, Default: sg-0a1}
  Image: {Type: AWS::EC2::Image::Id, Default: ami-0123456789abcdef0}
  Zone: {Type: AWS::EC2::AvailabilityZone::Name, Default: us-east-1b}
  Domain: {Type: AWS::Route53::HostedZone::Id, Default: Z0123456789ABCDEFGHIJ}
  Size: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /size, AllowedValues: [/size]}
Conditions: {IsLarge: !Equals [!Ref Size, large]}
Mappings: {Sizes: {small: {Cores: '1'}, large: {Cores: '8'}}}
Resources:
  Cores: {Type: AWS::SNS::Topic, Properties: {TopicName: !FindInMap [Sizes, !Ref Size, Cores]}}
  Secret: {Type: AWS::SNS::Topic, Properties: {TopicName: \
'{{resolve:secretsmanager:db:SecretString:u}}'}}
  Text: {Type: AWS::SNS::Topic, Properties: {TopicName: '{{resolve:ssm:/text}}'}}
  Net: {Type: AWS::SNS::Topic, Properties: {TopicName: !ImportValue net-name}}
  Far: {Type: AWS::SNS::Topic, Properties: {TopicName: !Select [5, !GetAZs '']}}
  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: \
'https://theirs.s3.amazonaws.com/a/b.yaml'}}
";

const SEEDS: &str = "\
ssm_parameters: [{name: /size, value: large}, {name: /text, value: words}]
secrets: [{name: db, keys: {u: ada}}]
exports: [{name: net-name, value: net}]
key_pairs: [{name: ops}]
images: [{id: ami-0123456789abcdef0}]
hosted_zones: [{id: Z0123456789ABCDEFGHIJ, name: example.com}]
buckets: [{name: theirs, objects: [{key: a/b.yaml, text: 'Resources: {}'}]}]
vpcs:
- {id: vpc-0a1, subnets: [{id: subnet-0a1}], security_groups: [{id: sg-0a1}]}
";

/// What is said where nothing exists.
const MISSING: [&str; 11] = [
    "Parameter validation failed: parameter value ops for parameter name Key does not exist",
    "Parameter validation failed: parameter value vpc-0a1 for parameter name Vpc does not exist",
    "Parameter validation failed: parameter value subnet-0a1 for parameter name Subnets does not \
     exist",
    "Parameter validation failed: parameter value sg-0a1 for parameter name Group does not exist",
    "Parameter validation failed: parameter value Z0123456789ABCDEFGHIJ for parameter name Domain \
     does not exist",
    "Unable to fetch parameters [/size] from parameter store for this account.",
    "Secrets Manager can't find the specified secret.",
    "Unable to fetch parameters [/text] from parameter store for this account.",
    "No export named net-name found.",
    "S3 error: The specified key does not exist. (a/b.yaml)",
    "Parameter validation failed: parameter value ami-0123456789abcdef0 for parameter name Image \
     does not exist",
];

/// Seeds with none of what can be seeded, of which any exists otherwise.
const NOTHING: &str = "key_pairs: []\nimages: []\nvpcs: []\nhosted_zones: []\n";

fn project(template: &str) -> Project {
    let project = Project::empty("checked");
    project.write(
        ".taskcat.yml",
        "project: {name: checked, regions: [us-east-1]}\ntests: {t: {template: t.yaml}}\n",
    );
    project.write("t.yaml", template);
    project
}

fn simulator(project: &Project, seeds: &str, scenario: &str) -> Simulator {
    project.write("seeds.yml", seeds);
    project.write("scenario.yml", scenario);
    let path = |file: &str| project.path().join(file).display().to_string();
    Simulator::start(&[
        "--seed",
        &path("seeds.yml"),
        "--scenario",
        &path("scenario.yml"),
    ])
}

#[track_caller]
fn checked(project: &Project, endpoint: &str) -> (Outcome, Value) {
    let outcome = Taskcat::at(project, endpoint)
        .args(["plan", "--check", "--format", "json"])
        .run();
    let plan: Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}{}", outcome.stdout, outcome.stderr));
    let cell = plan["cells"][0].clone();
    (outcome, cell)
}

fn messages(cell: &Value) -> Vec<&str> {
    let failures = cell["failures"].as_array().unwrap().iter();
    failures.map(|it| it["message"].as_str().unwrap()).collect()
}

fn texts(cell: &Value) -> Vec<&str> {
    let assumptions = cell["assumptions"].as_array().unwrap().iter();
    assumptions.map(|it| it["text"].as_str().unwrap()).collect()
}

#[test]
fn what_exists_is_no_assumption() {
    let project = project(TEMPLATE);
    let simulator = simulator(&project, SEEDS, "{}");
    let (outcome, cell) = checked(&project, &simulator.endpoint());
    assert_eq!(cell["verdict"], "would_launch", "{cell:#}");
    outcome.assert_code(0);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn what_does_not_exist_would_fail() {
    let project = project(TEMPLATE);
    let simulator = simulator(&project, NOTHING, "{}");
    let (outcome, cell) = checked(&project, &simulator.endpoint());
    outcome.assert_code(1);
    assert_eq!(cell["verdict"], "would_fail", "{cell:#}");
    let found = messages(&cell);
    for message in MISSING {
        assert!(found.contains(&message), "{message}: {found:#?}");
    }
    assert_eq!(found.len(), MISSING.len(), "{found:#?}");
    let first = &cell["failures"][0];
    assert_eq!(
        (&first["file"], &first["line"]),
        (&json!("t.yaml"), &json!(2))
    );
}

/// Where nothing of a kind is seeded, the simulator launches whatever a parameter names.
#[test]
fn the_simulator_answers_as_it_launches() {
    let project = project(
        "Parameters:\n  Key: {Type: AWS::EC2::KeyPair::KeyName, Default: ops}\n  Vpc: {Type: \
         AWS::EC2::VPC::Id, Default: vpc-0a1}\n  Subnets: {Type: 'List<AWS::EC2::Subnet::Id>', \
         Default: 'subnet-0a1,subnet-0a2'}\n  Group: {Type: AWS::EC2::SecurityGroup::Id, Default: \
         sg-0a1}\n  Name: {Type: AWS::EC2::SecurityGroup::GroupName, Default: web}\n  Instance: \
         {Type: AWS::EC2::Instance::Id, Default: i-0a1}\n  Volume: {Type: AWS::EC2::Volume::Id, \
         Default: vol-0a1}\nResources: {Topic: {Type: AWS::SNS::Topic}}\n",
    );
    let server = Server::take(Kind::Simulator);
    let (outcome, cell) = checked(&project, &server.endpoint());
    outcome.assert_code(0);
    assert_eq!(cell["verdict"], "would_launch", "{cell:#}");
    let run = Taskcat::at(&project, &server.endpoint()).args(["test", "run", "-l"]);
    run.run().assert_code(0);
}

/// A denied or throttled call leaves its assumptions, and names the actions that are needed.
#[test]
fn what_cannot_be_asked_stays_an_assumption() {
    let project = project(TEMPLATE);
    let denied = "\
calls:
- {service: ec2, action: DescribeKeyPairs, fault: deny}
- {service: ssm, action: GetParameters, fault: deny}
- {service: s3, action: HeadObject, fault: deny}
- {service: cloudformation, action: ListExports, fault: throttle}
- {service: ec2, action: DescribeVpcs, fault: throttle}
";
    let simulator = simulator(&project, SEEDS, denied);
    let outcome = Taskcat::at(&project, &simulator.endpoint())
        .env("AWS_MAX_ATTEMPTS", "1")
        .args(["plan", "--check", "--format", "json"])
        .run();
    outcome.assert_code(0);
    let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let cell = &plan["cells"][0];
    assert_eq!(cell["verdict"], "would_launch_if");
    let expect = [
        "SSM parameter `/size` is set in us-east-1",
        "SSM parameter `/text` is set in us-east-1",
        "export `net-name` exists in us-east-1",
        "the object s3://theirs/a/b.yaml exists",
        "key pair `ops` exists in us-east-1",
        "VPC `vpc-0a1` exists in us-east-1",
    ];
    let found = texts(cell);
    for text in expect {
        assert!(found.contains(&text), "{text}: {found:#?}");
    }
    outcome
        .assert_says("cannot check key pairs in us-east-1: ")
        .assert_says("cannot check VPCs in us-east-1: RequestLimitExceeded")
        .assert_says("cannot check exports in us-east-1: Throttling")
        .assert_says("these IAM actions are needed and denied: ec2:DescribeKeyPairs")
        .assert_says("ssm:GetParameters");
}

/// A call that is throttled once is made again.
#[test]
fn a_throttled_call_is_repeated() {
    let project = project(TEMPLATE);
    let once = "\
calls:
- {service: ec2, action: DescribeKeyPairs, fault: throttle, times: 1}
- {service: ssm, action: GetParameters, fault: throttle, times: 1}
";
    let simulator = simulator(&project, SEEDS, once);
    let (outcome, cell) = checked(&project, &simulator.endpoint());
    assert_eq!(cell["verdict"], "would_launch", "{cell:#}");
    assert_eq!(outcome.stderr, "");
}

/// Stored values by their ARNs, and objects in buckets of other regions.
#[test]
fn things_elsewhere_are_asked_about_where_they_are() {
    let project = project(
        "Parameters:\n  Size: {Type: 'AWS::SSM::Parameter::Value<String>', Default: \
         'arn:aws:ssm:us-east-1:123456789012:parameter/size'}\nResources:\n  Secret: {Type: \
         AWS::SNS::Topic, Properties: {TopicName: \
         '{{resolve:secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:db:SecretString:u}}'}}\n  \
         Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: \
         'https://theirs.s3.eu-west-1.amazonaws.com/a/b.yaml'}}\n",
    );
    let seeds = SEEDS.replace("{name: theirs,", "{name: theirs, region: eu-west-1,");
    let (outcome, cell) = checked(&project, &simulator(&project, &seeds, "{}").endpoint());
    assert_eq!(cell["verdict"], "would_launch", "{cell:#}");
    outcome.assert_code(0);
    assert_eq!(outcome.stderr, "");
    let empty = "buckets: [{name: theirs, region: eu-west-1}]\n";
    let (outcome, cell) = checked(&project, &simulator(&project, empty, "{}").endpoint());
    outcome.assert_code(1);
    let expect = [
        "Unable to fetch parameters [arn:aws:ssm:us-east-1:123456789012:parameter/size] from \
         parameter store for this account.",
        "Secrets Manager can't find the specified secret.",
        "S3 error: The specified key does not exist. (a/b.yaml)",
    ];
    let mut found = messages(&cell);
    found.sort_by_key(|message| expect.iter().position(|it| it == message));
    assert_eq!(found, expect);
    let denied = "\
calls:
- {service: secretsmanager, action: DescribeSecret, fault: deny}
- {service: s3, action: HeadObject, fault: throttle}
";
    let simulator = simulator(&project, &seeds, denied);
    let outcome = Taskcat::at(&project, &simulator.endpoint())
        .env("AWS_MAX_ATTEMPTS", "1")
        .args(["plan", "--check"])
        .run();
    outcome
        .assert_code(0)
        .assert_says("cannot check secrets in us-east-1: ")
        .assert_says("cannot check objects in us-east-1: ")
        .assert_says("denied: secretsmanager:DescribeSecret");
}

/// However many tests and names: one call per kind and region.
#[test]
fn each_kind_is_asked_about_once_per_region() {
    let server = Server::take(Kind::Simulator);
    let proxy = Proxy::before(&server);
    let project = project(TEMPLATE);
    project.replace(
        "t.yaml",
        "Default: subnet-0a1",
        "Default: 'subnet-0a1,subnet-0a2'",
    );
    project.replace(
        ".taskcat.yml",
        "{t: {template: t.yaml}}",
        "{t: {template: t.yaml}, u: {template: t.yaml, parameters: {Key: other}, regions: \
         [us-east-1, eu-west-1]}}",
    );
    Taskcat::at(&project, &proxy.endpoint())
        .args(["plan", "--check"])
        .run()
        .assert_code(1);
    let calls = proxy.calls();
    for action in [
        "DescribeKeyPairs",
        "DescribeVpcs",
        "DescribeSubnets",
        "DescribeSecurityGroups",
        "DescribeImages",
        "GetParameters",
        "ListSecrets",
        "ListExports",
    ] {
        assert_eq!(calls.of(action).len(), 2, "{action}: {}", calls.summary());
    }
}

#[test]
fn without_credentials_nothing_can_be_checked() {
    let project = project(TEMPLATE);
    let simulator = simulator(&project, SEEDS, "{}");
    let outcome = Taskcat::offline(&project)
        .env("AWS_ENDPOINT_URL", simulator.endpoint())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .args(["plan", "--check"])
        .run();
    outcome.assert_code(3).assert_says("credentials");
}

/// A missing key pair costs a second, not a launch; other tests are run.
#[test]
fn a_run_refuses_what_is_missing_before_anything_is_staged() {
    let project = project(
        "Parameters: {Key: {Type: AWS::EC2::KeyPair::KeyName, Default: gone}}\n\
         Resources: {Topic: {Type: AWS::SNS::Topic}}\n",
    );
    project.replace(
        ".taskcat.yml",
        "{t: {template: t.yaml}}",
        "{t: {template: t.yaml}, good: {template: t.yaml, parameters: {Key: ops}}}",
    );
    let server = simulator(&project, "key_pairs: [{name: ops}]\n", "{}");
    let run = |args: &[&str]| {
        Taskcat::at(&project, &server.endpoint())
            .args(["test", "run", "-l"])
            .args(args.iter().copied())
            .run()
    };
    let outcome = run(&[]);
    outcome.assert_code(1);
    let mut states = outcome.states();
    states.sort();
    assert_eq!(states, ["good/us-east-1 passed", "t/us-east-1 failed"]);
    let reason = outcome.cell("t", "us-east-1")["root_cause"]["reason"].clone();
    assert_eq!(
        reason,
        "t.yaml:1: Parameter validation failed: parameter value gone for parameter name Key does \
         not exist"
    );
    let outcome = run(&["-t", "t"]);
    outcome
        .assert_code(1)
        .assert_silent_about("creating bucket");
    let outcome = run(&["-t", "t", "--no-check"]);
    outcome.assert_code(1).assert_says("bucket");
    assert_ne!(outcome.report()["buckets"], json!([]));
}

/// A check that the account denies is reported in one line, and the run continues.
#[test]
fn a_run_names_the_action_that_it_is_denied() {
    let project = project(
        "Parameters: {Key: {Type: AWS::EC2::KeyPair::KeyName, Default: ops}}\n\
         Resources: {Topic: {Type: AWS::SNS::Topic}}\n",
    );
    let denied = "calls: [{service: ec2, action: DescribeKeyPairs, fault: deny}]";
    let server = simulator(&project, SEEDS, denied);
    let run = |args: &[&str]| {
        Taskcat::at(&project, &server.endpoint())
            .args(["test", "run", "-l"])
            .args(args.iter().copied())
            .run()
    };
    let message = "cannot check first whether what the tests need exists: ec2:DescribeKeyPairs \
                   denied";
    let outcome = run(&[]);
    outcome.assert_code(0).assert_says(message);
    run(&["--no-check"])
        .assert_code(0)
        .assert_silent_about(message);
}

#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn moto_answers_as_well() {
    let server = Server::take(Kind::Moto);
    let project = project(TEMPLATE);
    project.replace(
        "t.yaml",
        "Parameters:\n",
        "Parameters:\n  Machine: {Type: AWS::EC2::Instance::Id, Default: i-0a1}\n  Disk: {Type: \
         AWS::EC2::Volume::Id, Default: vol-0a1}\n",
    );
    let (outcome, cell) = checked(&project, &server.endpoint());
    outcome.assert_code(1);
    let found = messages(&cell);
    let more = [("i-0a1", "Machine"), ("vol-0a1", "Disk")].map(|(id, name)| {
        format!(
            "Parameter validation failed: parameter value {id} for parameter name {name} does not \
             exist"
        )
    });
    for message in MISSING.into_iter().chain(more.iter().map(String::as_str)) {
        assert!(found.contains(&message), "{message}: {found:#?}");
    }
    let made = boto3(&server.endpoint(), "checked.py", &[]);
    for (old, new) in made.as_object().unwrap() {
        project.replace("t.yaml", old, new.as_str().unwrap());
    }
    let (outcome, cell) = checked(&project, &server.endpoint());
    outcome.assert_code(0);
    assert_eq!(cell["verdict"], "would_launch", "{cell:#}");
}

const NETWORK: &str = "\
Resources:
  One: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Two: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.1.0.0/16}}
  Address: {Type: AWS::EC2::EIP}
";

/// A stack that exceeds a quota alone would fail; tests that do so together are named.
#[test]
fn quotas_are_compared_with_what_is_there_and_what_is_added() {
    let project = project(NETWORK);
    let none = "vpcs: [{id: vpc-0a1}]\nservice_quotas: [{code: L-F678F1CE, value: 2}]\n";
    let (outcome, cell) = checked(&project, &simulator(&project, none, "{}").endpoint());
    outcome.assert_code(1);
    let message = "the quota of 2 VPCs is exceeded: 1 exist, and the stack adds 2";
    assert_eq!(messages(&cell), [message]);
    assert_eq!(cell["failures"][0]["line"], 2);

    let enough = none.replace("value: 2", "value: 3");
    let (outcome, cell) = checked(&project, &simulator(&project, &enough, "{}").endpoint());
    outcome.assert_code(0);
    assert_eq!(cell["verdict"], "would_launch", "{cell:#}");

    project.replace(
        ".taskcat.yml",
        "{t: {template: t.yaml}}",
        "{t: {template: t.yaml}, u: {template: t.yaml}}",
    );
    let (outcome, cell) = checked(&project, &simulator(&project, &enough, "{}").endpoint());
    outcome.assert_code(0);
    let text = "not all tests in us-east-1 run at once: they add 4 VPCs to 1, and 3 are allowed";
    assert_eq!(texts(&cell), [text]);

    let denied = "calls: [{service: servicequotas, fault: deny}, {service: ec2, action: \
                  DescribeAddresses, fault: deny}]";
    let (outcome, cell) = checked(&project, &simulator(&project, none, denied).endpoint());
    outcome
        .assert_code(0)
        .assert_says("servicequotas:GetServiceQuota");
    assert_eq!(cell["verdict"], "would_launch");
}
