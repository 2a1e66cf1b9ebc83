//! What `plan` says of a project and what a local run makes of it: one verdict, as CloudFormation gives it.

use std::fmt::Write;

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

/// A project `p` whose tests are named after their templates, each of which gets the run's bucket as `Bucket` if it
/// declares it.
fn project(tests: &[&str], files: &[(&str, &str)]) -> Project {
    let project = Project::empty("p");
    let mut config = "project:\n  name: p\n  regions: [us-east-1]\ntests:\n".to_owned();
    for test in tests {
        let template = files.iter().find(|(file, _)| file.strip_suffix(".yaml") == Some(test)).unwrap().1;
        let parameters =
            if template.contains("Bucket: {Type: String}") { "{Bucket: '$[taskcat_autobucket]'}" } else { "{}" };
        writeln!(config, "  {test}: {{template: {test}.yaml, parameters: {parameters}}}").unwrap();
    }
    project.write(".taskcat.yml", &config);
    files.iter().for_each(|(file, text)| project.write(file, text));
    project
}

#[track_caller]
fn plan(project: &Project) -> Outcome {
    let outcome = Taskcat::offline(project).args(["plan"]).run();
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    outcome
}

#[track_caller]
fn local(project: &Project) -> Outcome {
    let outcome = Taskcat::bare(project).args(["test", "run", "--local", "--lint-disable"]).run();
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    outcome
}

/// The words of `plan` for each test, in their order.
fn words(plan: &Outcome, tests: &[&str]) -> Vec<String> {
    let word = |test: &&str| {
        let line = plan.stdout.lines().find(|line| line.split_whitespace().next() == Some(test));
        let line = line.unwrap_or_else(|| panic!("no row {test}: {}", plan.stdout));
        line.trim_start().trim_start_matches(test).trim().to_owned()
    };
    tests.iter().map(word).collect()
}

/// The outputs of a test, `Key=value`.
fn outputs(local: &Outcome, test: &str) -> Vec<String> {
    let cell = local.cell(test, "us-east-1");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let outputs = cell["outputs"].as_array().unwrap().iter();
    outputs.map(|output| format!("{}={}", text(&output["key"]), text(&output["value"]))).collect()
}

const CHILD: &str = "\
Parameters: {One: {Type: String, Default: own}, Two: {Type: Number, Default: 2}}
Resources: {Topic: {Type: AWS::SNS::Topic}}
Outputs: {Both: {Value: !Sub '${One}-${Two}'}}
";

/// A nested stack of `child.yaml` with these parameters, whose output is `Both`.
fn parent(parameters: &str) -> String {
    format!(
        "Parameters: {{Bucket: {{Type: String}}, List: {{Type: CommaDelimitedList, Default: 'a,b'}}}}
Conditions: {{Yes: !Equals [a, a], No: !Equals [a, b]}}
Mappings: {{M: {{a: {{b: mapped}}}}}}
Resources:
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub 'https://${{Bucket}}.s3.amazonaws.com/p/child.yaml'
      Parameters: {parameters}
Outputs: {{Both: {{Value: !GetAtt Nested.Outputs.Both}}}}
"
    )
}

#[test]
fn the_parameters_of_a_nested_stack_may_come_from_a_function() {
    let given = parent("!If [Yes, {One: a, Two: 7}, !Ref AWS::NoValue]");
    let none = parent("!If [No, {One: a}, !Ref AWS::NoValue]");
    let deep = parent("!If [No, {One: a}, !If [Yes, {One: !FindInMap [M, a, b]}, {Nope: x}]]");
    let left = parent("{One: !If [Yes, !Ref AWS::NoValue, b], Two: 5}");
    let tests = ["given", "none", "deep", "left"];
    let files = [
        ("given.yaml", &*given),
        ("none.yaml", &none),
        ("deep.yaml", &deep),
        ("left.yaml", &left),
        ("child.yaml", CHILD),
    ];
    let project = project(&tests, &files);
    let plan = plan(&project);
    plan.assert_code(0);
    assert_eq!(words(&plan, &tests), ["ok"; 4], "{}", plan.stdout);
    let local = local(&project);
    local.assert_code(0);
    let found: Vec<_> = tests.iter().map(|test| outputs(&local, test).join(" ")).collect();
    assert_eq!(found, ["Both=a-7", "Both=own-2", "Both=mapped-2", "Both=own-5"]);
}

#[test]
fn a_parameter_that_a_function_gives_and_the_child_lacks_is_refused() {
    let parent = parent("!If [Yes, {Nope: x}, {One: a}]");
    let project = project(&["t"], &[("t.yaml", &parent), ("child.yaml", CHILD)]);
    let message = "Parameters: [Nope] do not exist in the template";
    let plan = plan(&project);
    plan.assert_code(1);
    assert!(plan.stdout.contains(message) && plan.stdout.contains("parameter Nope is set here"), "{}", plan.stdout);
    let local = local(&project);
    local.assert_code(1);
    assert!(local.stderr.contains(message), "{}", local.stderr);
}

/// The parent's own name, in a bucket that is written out.
#[test]
fn a_template_in_anothers_bucket_is_not_the_projects() {
    let url = |url: &str| {
        format!("Resources:\n  Nested: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: {url}}}}}\n")
    };
    let host = url("'https://theirs.s3.amazonaws.com/a/host.yaml'");
    let path = url("!Sub 'https://s3.${AWS::Region}.amazonaws.com/theirs/child.yaml'");
    let tests = ["host", "path"];
    let files = [("host.yaml", &*host), ("path.yaml", &path), ("child.yaml", CHILD)];
    let project = project(&tests, &files);
    let plan = plan(&project);
    plan.assert_code(0);
    assert!(plan.stdout.contains("object s3://theirs/a/host.yaml"), "{}", plan.stdout);
    assert!(!plan.stdout.contains("circle"), "{}", plan.stdout);
    assert_eq!(plan.stderr, "");
    let local = local(&project);
    local.assert_code(1);
    assert_eq!(local.states(), ["host/us-east-1 failed", "path/us-east-1 failed"]);
    let said = &local.stderr;
    assert!(said.contains("the simulator has no bucket `theirs`") && said.contains("--seed"), "{said}");
    assert!(!said.contains("The specified bucket does not exist"), "{said}");
}

#[test]
fn what_needs_no_transform_any_more_launches() {
    let text = "\
Parameters:
  Env: {Type: String, Default: prod}
  Encrypted: {Type: String, Default: True, AllowedValues: [true, false]}
Conditions: {IsProd: !Equals [!Ref Env, prod], IsEncrypted: !Equals [!Ref Encrypted, true]}
Mappings: {Sizes: {dev: {Name: small}}}
Resources:
  Kept: {Type: AWS::SNS::Topic, DeletionPolicy: !If [IsProd, Retain, Delete], UpdateReplacePolicy: !Sub Retain}
  There: {Type: AWS::SQS::Queue, Condition: IsEncrypted}
  Custom: {Type: Custom::Thing, Version: '1.0', Properties: {ServiceToken: !Sub 'arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:f'}}
Outputs:
  Size: {Value: !FindInMap [Sizes, !Ref Env, Name, {DefaultValue: large}]}
  Encrypted: {Value: !Ref Encrypted}
  There: {Value: !If [IsEncrypted, !GetAtt There.QueueName, none]}
";
    let project = project(&["t"], &[("t.yaml", text)]);
    plan(&project).assert_code(0);
    let local = local(&project);
    local.assert_code(0);
    let outputs = outputs(&local, "t").join(" ");
    assert!(outputs.contains("Size=large") && outputs.contains("Encrypted=true"), "{outputs}");
    assert!(!outputs.contains("There=none"), "{outputs}");
    assert!(local.output("events.ndjson").contains("DELETE_SKIPPED"), "{}", local.stderr);
}

#[test]
fn secure_strings_stand_where_they_may() {
    let resources = |resource: &str| format!("Resources:\n  R: {resource}\n");
    let function = resources(
        "{Type: AWS::Lambda::Function, Properties: {Role: r, Code: {ZipFile: x}, Environment: {Variables: {Key: \
         '{{resolve:ssm-secure:/s:1}}'}}}}",
    );
    let form = resources("{Type: AWS::SNS::Topic, Properties: {DisplayName: '{{resolve:ssm:/s:}}'}}");
    let project = project(&["function", "form"], &[("function.yaml", &function), ("form.yaml", &form)]);
    let plan = plan(&project);
    let local = local(&project);
    for message in [
        "SSM Secure reference is not supported in: [AWS::Lambda::Function/Properties/Environment/Variables/Key]",
        "Incorrect format is used in the following SSM reference: [{{resolve:ssm:/s:}}]",
    ] {
        assert!(plan.stdout.contains(message), "{}", plan.stdout);
        assert!(local.stderr.contains(message), "{}", local.stderr);
    }
    assert_eq!(words(&plan, &["function", "form"]), ["FAIL", "FAIL"]);
    assert_eq!(local.states(), ["function/us-east-1 failed", "form/us-east-1 failed"]);
}

/// Every form that the documentation gives, of a secret that the stack makes.
#[test]
fn a_key_of_a_secret_is_read_in_every_form() {
    let text = "\
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: {Name: db, SecretString: '{\"user\": \"ada\", \"port\": 5432}'}
  One: {Type: AWS::SSM::Parameter, Properties: {Name: /one, Type: String, Value: !Sub '{{resolve:secretsmanager:${Secret}::user}}'}}
  Two: {Type: AWS::SSM::Parameter, Properties: {Name: /two, Type: String, Value: !Sub '{{resolve:secretsmanager:${Secret}:SecretString:port}}'}}
  Three: {Type: AWS::SSM::Parameter, DependsOn: Secret, Properties: {Name: /three, Type: String, Value: '{{resolve:secretsmanager:db:SecretString:user:AWSCURRENT}}'}}
  Four: {Type: AWS::SSM::Parameter, DependsOn: Secret, Properties: {Name: /four, Type: String, Value: '{{resolve:secretsmanager:db::user::}}'}}
  Five: {Type: AWS::SSM::Parameter, Properties: {Name: /five, Type: String, Value: !Sub 'u-{{resolve:secretsmanager:${Secret}:::}}'}}
Outputs:
  One: {Value: !GetAtt One.Value}
  Two: {Value: !GetAtt Two.Value}
  Three: {Value: !GetAtt Three.Value}
  Four: {Value: !GetAtt Four.Value}
";
    let missing = text.replace("::user}}", "::nobody}}");
    let stage = text.replace("AWSCURRENT", "AWSPREVIOUS");
    let whole = text.replace("{\"user\": \"ada\", \"port\": 5432}", "no JSON");
    let tests = ["forms", "missing", "stage", "whole"];
    let files = [("forms.yaml", text), ("missing.yaml", &*missing), ("stage.yaml", &*stage), ("whole.yaml", &*whole)];
    for (test, expect) in tests.iter().zip([
        "",
        "Could not find a value associated with JSONKey in SecretString",
        "Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS",
        "Could not parse SecretString JSON",
    ]) {
        let project = project(&[test], &files);
        plan(&project).assert_code(0);
        let local = local(&project);
        local.assert_code(if expect.is_empty() { 0 } else { 1 });
        assert!(local.stderr.contains(expect), "{test}: {}", local.stderr);
    }
}

#[test]
fn regions_that_nobody_knows_are_told_once() {
    let project = project(&["a", "b"], &[("a.yaml", CHILD), ("b.yaml", CHILD)]);
    project.replace(".taskcat.yml", "[us-east-1]", "[us-esat-1, nowhere-west-9]");
    let outcome = plan(&project);
    outcome.assert_code(0);
    assert_eq!(outcome.stderr.matches("unknown region `us-esat-1`").count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("did you mean `us-east-1`?"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(".taskcat.yml:3:13"), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("unknown region `nowhere-west-9`").count(), 1, "{}", outcome.stderr);
    let render = Taskcat::offline(&project).args(["render", "a.yaml", "--region", "us-esat-1"]).run();
    render.assert_code(0);
    assert!(render.stderr.contains("did you mean `us-east-1`?"), "{}", render.stderr);
}

#[test]
fn a_test_without_regions_is_an_error() {
    let check = |regions: &str, args: &[&str], message: &str| {
        let project = project(&["t"], &[("t.yaml", CHILD)]);
        project.replace(".taskcat.yml", "[us-east-1]", regions);
        for command in [&["plan"][..], &["test", "run", "--local"]] {
            let outcome = Taskcat::bare(&project).args(command.iter().chain(args).copied()).run();
            outcome.assert_code(2);
            assert!(outcome.stderr.contains(message), "{}", outcome.stderr);
        }
    };
    check("[]", &[], "test `t` has no regions");
    check("[us-east-1]", &["-r", ""], "--regions names no region");
}
