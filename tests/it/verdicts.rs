//! What `plan` says of a project and what a local run makes of it: one verdict, as CloudFormation
//! gives it.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

/// A project `p` whose tests are named after their templates, each of which gets the run's bucket
/// as `Bucket` if it declares it.
fn project(tests: &[&str], files: &[(&str, &str)]) -> Project {
    let project = Project::empty("p");
    let mut config = "project:\n  name: p\n  regions: [us-east-1]\ntests:\n".to_owned();
    for test in tests {
        let template = files
            .iter()
            .find(|(file, _)| file.strip_suffix(".yaml") == Some(test))
            .unwrap()
            .1;
        let parameters = if template.contains("Bucket: {Type: String}") {
            "{Bucket: '$[taskcat_autobucket]'}"
        } else {
            "{}"
        };
        writeln!(
            config,
            "  {test}: {{template: {test}.yaml, parameters: {parameters}}}"
        )
        .unwrap();
    }
    project.write(".taskcat.yml", &config);
    files
        .iter()
        .for_each(|(file, text)| project.write(file, text));
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
    let outcome = Taskcat::bare(project)
        .args(["test", "run", "--local", "--lint-disable"])
        .run();
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    outcome
}

/// The words of `plan` for each test, in their order.
fn words(plan: &Outcome, tests: &[&str]) -> Vec<String> {
    let word = |test: &&str| {
        let line = plan
            .stdout
            .lines()
            .find(|line| line.split_whitespace().next() == Some(test));
        let line = line.unwrap_or_else(|| panic!("no row {test}: {}", plan.stdout));
        line.trim_start().trim_start_matches(test).trim().to_owned()
    };
    tests.iter().map(word).collect()
}

/// The verdicts of `plan`, by test and region.
fn verdicts(project: &Project, flags: &[&str]) -> Vec<[String; 3]> {
    let plan = Taskcat::offline(project)
        .args(["plan", "--format", "json"])
        .args(flags.iter().copied())
        .run();
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let cells = plan["cells"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |cell: &Value, key: &str| cell[key].as_str().unwrap().to_owned();
    cells
        .iter()
        .map(|cell| ["test", "region", "verdict"].map(|key| text(cell, key)))
        .collect()
}

/// Asserts that a local run confirms what `plan` says of each test in each region, and returns how
/// many of them were compared. What the lint engine adds to the plan stops the run before its
/// launch.
#[track_caller]
pub fn assert_one_verdict(project: &Project) -> usize {
    let run = |flags: &[&str]| {
        Taskcat::bare(project)
            .args(["test", "run", "--local", "--speed", "inf"])
            .args(flags.iter().copied())
            .run()
    };
    let evaluated = verdicts(project, &["--lint-disable"]);
    if evaluated.is_empty() {
        return 0;
    }
    let local = run(&["--lint-disable"]);
    // Without a test that can be planned, nothing is run.
    if local.code == Some(2) {
        let is_refused = |[_, _, verdict]: &[String; 3]| verdict == "would_fail";
        assert!(
            evaluated.iter().all(is_refused),
            "{evaluated:?}\n{}",
            local.stderr
        );
        return evaluated.len();
    }
    let mut compared = 0;
    for [test, region, verdict] in &evaluated {
        let state = local.cell(test, region)["state"].clone();
        // A run that can't package its functions here, without Docker or pip, says nothing.
        if state == "skipped" {
            continue;
        }
        compared += 1;
        let is_confirmed = match verdict.as_str() {
            "would_launch" => state == "passed",
            "would_fail" => state == "failed",
            _ => true,
        };
        assert!(
            is_confirmed,
            "{}: {test} in {region} {verdict}, but {state} locally:\n{}",
            project.path().display(),
            local.stderr
        );
    }
    if verdicts(project, &[]) != evaluated {
        run(&[]).assert_code(1).assert_says("lint found");
    }
    compared
}

/// Projects whose tests fail because of a scenario, a hook or a check.
const FAILING_ON_PURPOSE: &[&str] = &["checks", "every-key", "failures", "hooks"];

#[test]
fn plan_and_local_runs_agree_on_every_fixture() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/projects");
    let mut compared = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !FAILING_ON_PURPOSE.contains(&name.as_str()) {
            compared += assert_one_verdict(&Project::copy_of(&name));
        }
    }
    assert!(compared > 40, "only {compared} were compared");
}

/// The outputs of a test, `Key=value`.
fn outputs(local: &Outcome, test: &str) -> Vec<String> {
    let cell = local.cell(test, "us-east-1");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let outputs = cell["outputs"].as_array().unwrap().iter();
    outputs
        .map(|output| format!("{}={}", text(&output["key"]), text(&output["value"])))
        .collect()
}

const CHILD: &str = "\
Parameters: {One: {Type: String, Default: own}, Two: {Type: Number, Default: 2}}
Resources: {Topic: {Type: AWS::SNS::Topic}}
Outputs: {Both: {Value: !Sub '${One}-${Two}'}}
";

/// A nested stack of `child.yaml` with these parameters, whose output is `Both`.
fn parent(parameters: &str) -> String {
    format!(
        "Parameters: {{Bucket: {{Type: String}}, List: {{Type: CommaDelimitedList, Default: \
         'a,b'}}}}
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
    let found: Vec<_> = tests
        .iter()
        .map(|test| outputs(&local, test).join(" "))
        .collect();
    assert_eq!(
        found,
        ["Both=a-7", "Both=own-2", "Both=mapped-2", "Both=own-5"]
    );
}

#[test]
fn a_parameter_that_a_function_gives_and_the_child_lacks_is_refused() {
    let parent = parent("!If [Yes, {Nope: x}, {One: a}]");
    let project = project(&["t"], &[("t.yaml", &parent), ("child.yaml", CHILD)]);
    let message = "Parameters: [Nope] do not exist in the template";
    let plan = plan(&project);
    plan.assert_code(1);
    assert!(
        plan.stdout.contains(message) && plan.stdout.contains("parameter Nope is set here"),
        "{}",
        plan.stdout
    );
    let local = local(&project);
    local.assert_code(1);
    assert!(local.stderr.contains(message), "{}", local.stderr);
}

/// The parent's own name, in a bucket that is written out.
#[test]
fn a_template_in_anothers_bucket_is_not_the_projects() {
    let url = |url: &str| {
        format!(
            "Resources:\n  Nested: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: \
             {url}}}}}\n"
        )
    };
    let host = url("'https://theirs.s3.amazonaws.com/a/host.yaml'");
    let path = url("!Sub 'https://s3.${AWS::Region}.amazonaws.com/theirs/child.yaml'");
    let tests = ["host", "path"];
    let files = [
        ("host.yaml", &*host),
        ("path.yaml", &path),
        ("child.yaml", CHILD),
    ];
    let project = project(&tests, &files);
    let plan = plan(&project);
    plan.assert_code(0);
    assert!(
        plan.stdout.contains("object s3://theirs/a/host.yaml"),
        "{}",
        plan.stdout
    );
    assert!(!plan.stdout.contains("circle"), "{}", plan.stdout);
    assert_eq!(plan.stderr, "");
    let local = local(&project);
    local.assert_code(1);
    assert_eq!(
        local.states(),
        ["host/us-east-1 failed", "path/us-east-1 failed"]
    );
    let said = &local.stderr;
    assert!(
        said.contains("the simulator has no bucket `theirs`") && said.contains("--seed"),
        "{said}"
    );
    assert!(
        !said.contains("The specified bucket does not exist"),
        "{said}"
    );
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
  Kept: {Type: AWS::SNS::Topic, DeletionPolicy: !If [IsProd, Retain, Delete], UpdateReplacePolicy: \
  !Sub Retain}
  There: {Type: AWS::SQS::Queue, Condition: IsEncrypted}
  Custom: {Type: Custom::Thing, Version: '1.0', Properties: {ServiceToken: !Sub \
  'arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:f'}}
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
    assert!(
        outputs.contains("Size=large") && outputs.contains("Encrypted=true"),
        "{outputs}"
    );
    assert!(!outputs.contains("There=none"), "{outputs}");
    assert!(
        local.output("events.ndjson").contains("DELETE_SKIPPED"),
        "{}",
        local.stderr
    );
}

#[test]
fn secure_strings_stand_where_they_may() {
    let resources = |resource: &str| format!("Resources:\n  R: {resource}\n");
    let function = resources(
        "{Type: AWS::Lambda::Function, Properties: {Role: r, Code: {ZipFile: x}, Environment: \
         {Variables: {Key: \
         '{{resolve:ssm-secure:/s:1}}'}}}}",
    );
    let form =
        resources("{Type: AWS::SNS::Topic, Properties: {DisplayName: '{{resolve:ssm:/s:}}'}}");
    let project = project(
        &["function", "form"],
        &[("function.yaml", &function), ("form.yaml", &form)],
    );
    let plan = plan(&project);
    let local = local(&project);
    for message in [
        "SSM Secure reference is not supported in: \
         [AWS::Lambda::Function/Properties/Environment/Variables/Key]",
        "Incorrect format is used in the following SSM reference: [{{resolve:ssm:/s:}}]",
    ] {
        assert!(plan.stdout.contains(message), "{}", plan.stdout);
        assert!(local.stderr.contains(message), "{}", local.stderr);
    }
    assert_eq!(words(&plan, &["function", "form"]), ["FAIL", "FAIL"]);
    assert_eq!(
        local.states(),
        ["function/us-east-1 failed", "form/us-east-1 failed"]
    );
}

/// A parameter's default may refer to a stored parameter only with its version; what is stored is
/// the value then, in outputs too. Measured in cdktn-io/terraform-provider-cfncompat,
/// RFCs/dynamic-ssm/live-test-results.md, as is the next.
#[test]
fn defaults_refer_to_stored_parameters_with_their_version() {
    let template = |default: &str| {
        format!(
            "Parameters: {{Label: {{Type: String, Default: '{default}'}}}}\nResources:\n  Topic: \
             {{Type: \
             AWS::SNS::Topic}}\nOutputs:\n  Label: {{Value: !Ref Label}}\n"
        )
    };
    let project = project(
        &["latest", "pinned"],
        &[
            ("latest.yaml", &template("a {{resolve:ssm:/s}}")),
            ("pinned.yaml", &template("a {{resolve:ssm:/s:1}}")),
        ],
    );
    project.write("seeds.yml", "ssm_parameters: [{name: /s, value: one}]\n");
    let plan = plan(&project);
    let message = "Template error: parameter Label should not contain ssm versionless resolver";
    assert!(plan.stdout.contains(message), "{}", plan.stdout);
    assert_eq!(words(&plan, &["latest", "pinned"]), ["FAIL", "ok if"]);
    let local = Taskcat::bare(&project)
        .args(["test", "run", "--local", "-l", "--seed", "seeds.yml"])
        .run();
    local.assert_says(message);
    assert_eq!(
        local.states(),
        ["latest/us-east-1 failed", "pinned/us-east-1 passed"]
    );
    assert_eq!(outputs(&local, "pinned"), ["Label=a one"]);
}

/// A stored list is for a list, and a stored text for a single value, whatever is in it.
#[test]
fn stored_parameters_are_of_the_declared_type() {
    let template = |kind: &str, name: &str| {
        format!(
            "Parameters: {{P: {{Type: 'AWS::SSM::Parameter::Value<{kind}>', Default: \
             {name}}}}}\nResources:\n  Topic: \
             {{Type: AWS::SNS::Topic}}\n"
        )
    };
    let kinds = [
        ("String", "/text"),
        ("String", "/list"),
        ("List<String>", "/list"),
        ("CommaDelimitedList", "/text"),
    ];
    let [text, list_as_text, list, text_as_list] = kinds.map(|(kind, name)| template(kind, name));
    let files = [
        ("a.yaml", &*text),
        ("b.yaml", &*list_as_text),
        ("c.yaml", &*list),
        ("d.yaml", &*text_as_list),
    ];
    let project = project(&["a", "b", "c", "d"], &files);
    project.write(
        "seeds.yml",
        "ssm_parameters: [{name: /text, value: 'x,y'}, {name: /list, value: 'x,y', type: \
         StringList}]\n",
    );
    let local = Taskcat::bare(&project)
        .args(["test", "run", "--local", "-l", "--seed", "seeds.yml"])
        .run();
    assert_eq!(
        local.states(),
        [
            "a/us-east-1 passed",
            "b/us-east-1 failed",
            "c/us-east-1 passed",
            "d/us-east-1 failed"
        ]
    );
    for name in ["/list", "/text"] {
        local.assert_says(&format!(
            "Types for SSM parameters [{name}] defined in CFN template and SSM are incompatible"
        ));
    }
}

/// Every form that the documentation gives, of a secret that the stack makes.
#[test]
fn a_key_of_a_secret_is_read_in_every_form() {
    let text = "\
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: {Name: db, SecretString: '{\"user\": \"ada\", \"port\": 5432}'}
  One: {Type: AWS::SSM::Parameter, Properties: {Name: /one, Type: String, Value: !Sub \
  '{{resolve:secretsmanager:${Secret}::user}}'}}
  Two: {Type: AWS::SSM::Parameter, Properties: {Name: /two, Type: String, Value: !Sub \
  '{{resolve:secretsmanager:${Secret}:SecretString:port}}'}}
  Three: {Type: AWS::SSM::Parameter, DependsOn: Secret, Properties: {Name: /three, Type: String, \
  Value: '{{resolve:secretsmanager:db:SecretString:user:AWSCURRENT}}'}}
  Four: {Type: AWS::SSM::Parameter, DependsOn: Secret, Properties: {Name: /four, Type: String, \
  Value: '{{resolve:secretsmanager:db::user::}}'}}
  Five: {Type: AWS::SSM::Parameter, Properties: {Name: /five, Type: String, Value: !Sub \
  'u-{{resolve:secretsmanager:${Secret}:::}}'}}
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
    let files = [
        ("forms.yaml", text),
        ("missing.yaml", &*missing),
        ("stage.yaml", &*stage),
        ("whole.yaml", &*whole),
    ];
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

/// Wherever a macro is called: what it makes is unknown to `plan`, and a local run says that it
/// can't run it.
#[test]
fn macros_are_neither_run_nor_ignored() {
    let topic = "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n";
    let property = |property: &str| {
        format!("{topic}  Name: {{Type: AWS::SSM::Parameter, Properties: {property}}}\n")
    };
    let call = "{'Fn::Transform': {Name: Mine, Parameters: {A: b}}}";
    let tests = [
        (
            "sam",
            "AWS::Serverless-2016-10-31",
            format!(
                "Transform: AWS::Serverless-2016-10-31\nGlobals: {{}}\n{topic}  F: {{Type: \
                 AWS::Serverless::Function, Properties: {{Handler: a.b}}}}\n"
            ),
        ),
        (
            "list",
            "AWS::Serverless-2016-10-31",
            format!(
                "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\n{topic}  T: \
                 {{Type: AWS::Serverless::SimpleTable}}\n"
            ),
        ),
        ("top", "Mine", format!("Transform: Mine\n{topic}")),
        ("properties", "Mine", property(call)),
        (
            "value",
            "Mine",
            property(&format!("{{Type: String, Value: {call}}}")),
        ),
        (
            "beside",
            "Mine",
            property("{Type: String, 'Fn::Transform': [{Name: Mine}]}"),
        ),
        (
            "argument",
            "Mine",
            property(&format!("{{Type: String, Value: !Join ['', [a, {call}]]}}")),
        ),
        (
            "split",
            "Mine",
            property(&format!(
                "{{Type: String, Value: !Select [1, !Split [',', {call}]]}}"
            )),
        ),
        (
            "sub",
            "Mine",
            property(&format!("{{Type: String, Value: !Sub {call}}}")),
        ),
        (
            "map",
            "Mine",
            property(&format!(
                "{{Type: String, Value: !FindInMap [{call}, a, b]}}"
            )),
        ),
        ("kind", "Mine", format!("{topic}  Made: {{Type: {call}}}\n")),
        (
            "depends",
            "Mine",
            format!("{topic}  Made: {{Type: AWS::SQS::Queue, DependsOn: {call}}}\n"),
        ),
        (
            "condition",
            "Mine",
            format!("Conditions: {{C: !Not [{call}]}}\n{topic}"),
        ),
        (
            "output",
            "Mine",
            format!("{topic}Outputs: {{O: {{Value: {call}}}}}\n"),
        ),
        (
            "section",
            "Mine",
            format!("{topic}  'Fn::Transform': {{Name: Mine}}\n"),
        ),
    ];
    let nested = parent("{}").replace("child.yaml", "value.yaml").replace(
        "Outputs: {Both: {Value: !GetAtt Nested.Outputs.Both}}\n",
        "",
    );
    let mut files: Vec<(String, String)> = tests
        .iter()
        .map(|(test, _, text)| (format!("{test}.yaml"), text.clone()))
        .collect();
    files.push(("nested.yaml".to_owned(), nested));
    files.push(("plain.yaml".to_owned(), topic.to_owned()));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(file, text)| (&**file, &**text))
        .collect();
    let mut names: Vec<&str> = tests.iter().map(|(test, ..)| *test).collect();
    names.extend(["nested", "plain"]);
    let project = project(&names, &files);
    let plan = plan(&project);
    plan.assert_code(0);
    let of_account = |name: &&str| match *name {
        "sam" | "list" | "plain" => "ok",
        // As written, these have no type and no list of dependencies.
        "kind" | "depends" => "undecided",
        _ => "ok if",
    };
    let expect: Vec<_> = names.iter().map(of_account).collect();
    assert_eq!(words(&plan, &names), expect, "{}", plan.stdout);
    assert!(plan.stdout.contains("macro `Mine` exists in us-east-1"));
    assert!(!plan.stdout.contains("AWS::Serverless"), "{}", plan.stdout);
    let local = local(&project);
    local.assert_code(1);
    for (test, name, _) in &tests {
        let reason = local.cell(test, "us-east-1").to_string();
        assert!(
            reason.contains(&format!("the simulator can't run macro {name}")),
            "{test}: {reason}"
        );
    }
    assert!(
        local
            .cell("nested", "us-east-1")
            .to_string()
            .contains("the simulator can't run macro Mine")
    );
    assert_eq!(local.cell("plain", "us-east-1")["state"], "passed");
    assert!(
        !local.stderr.contains("this region doesn't have"),
        "{}",
        local.stderr
    );
    let render = Taskcat::offline(&project)
        .args(["render", "properties.yaml", "--region", "us-east-1"])
        .run();
    render.assert_code(0);
    assert!(
        render.stdout.contains(r#""Unknown": "macro Mine""#),
        "{}",
        render.stdout
    );
}

#[test]
fn properties_and_types_have_one_verdict() {
    let resource = |resource: &str| {
        format!("Resources:\n  Topic: {{Type: AWS::SNS::Topic}}\n  R: {resource}\n")
    };
    let list = parent("{One: !Ref List}");
    let tests = [
        (
            "extra",
            "extraneous key [Nonsense] is not permitted",
            resource(
                "{Type: AWS::SNS::Topic, \
            Properties: {Nonsense: x}}",
            ),
        ),
        (
            "missing",
            "#: required key [AssumeRolePolicyDocument] not found",
            resource(
                "{Type: \
            AWS::IAM::Role, Properties: {Path: /}}",
            ),
        ),
        (
            "bare",
            "#: required key [AssumeRolePolicyDocument] not found",
            resource(
                "{Type: \
            AWS::IAM::Role}",
            ),
        ),
        (
            "deep",
            "#/Tags/1: required key [Value] not found",
            resource(
                "{Type: AWS::SQS::Queue, \
            Properties: {Tags: [{Key: a, Value: b}, {Key: c}]}}",
            ),
        ),
        (
            "wrong",
            "#/Tags: expected type: JSONArray, found: JSONObject",
            resource(
                "{Type: \
            AWS::SQS::Queue, Properties: {Tags: {a: b}}}",
            ),
        ),
        (
            "name",
            "Bucket name should not contain '_'",
            resource(
                "{Type: AWS::S3::Bucket, \
            Properties: {BucketName: my_bucket}}",
            ),
        ),
        (
            "kind",
            "Unrecognized resource types: [AWS::SNS::Topick]",
            resource(
                "{Type: \
            AWS::SNS::Topick}",
            ),
        ),
        (
            "loop",
            "#/Tags/1: extraneous key [a] is not permitted",
            "Transform: \
            AWS::LanguageExtensions\nResources:\n  Q:\n    Type: AWS::SQS::Queue\n    \
            Properties:\n      Tags:\n        - {Key: k, Value: v}\n        - Fn::ForEach::Tags: \
            [T, [a, b], {'${T}': {Key: !Ref T, Value: x}}]\n"
                .to_owned(),
        ),
        (
            "list",
            "Value of property Parameters must be an object with String (or simple type) \
            properties",
            list,
        ),
    ];
    let mut files: Vec<(String, &str)> = tests
        .iter()
        .map(|(test, _, text)| (format!("{test}.yaml"), &**text))
        .collect();
    files.push(("child.yaml".to_owned(), CHILD));
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (&**file, *text)).collect();
    let names: Vec<&str> = tests.iter().map(|(test, ..)| *test).collect();
    let project = project(&names, &files);
    let plan = plan(&project);
    plan.assert_code(1);
    assert_eq!(words(&plan, &names), ["FAIL"; 9], "{}", plan.stdout);
    let local = local(&project);
    for (test, message, _) in &tests {
        assert!(plan.stdout.contains(message), "{test}: {}", plan.stdout);
        let reason = local.cell(test, "us-east-1");
        assert_eq!(reason["state"], "failed", "{test}");
        assert!(reason.to_string().contains(message), "{test}: {reason}");
    }
    assert!(plan.stdout.contains("deep.yaml:3:"), "{}", plan.stdout);
}

/// Values that only the type's schema refuses. A run lints first, with the same engine.
#[test]
fn values_of_properties_have_one_verdict() {
    let function = "Parameters: {Memory: {Type: Number}}\nResources:\n  F:\n    \
        Type: AWS::Lambda::Function\n    Properties:\n      Handler: index.handler\n      \
        Runtime: python3.13\n      \
        Role: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/f'\n      \
        Code: {ZipFile: 'x = 1'}\n      MemorySize: !Ref Memory\n";
    let files = [("large.yaml", function), ("small.yaml", function)];
    for (test, expect) in [("large", 1), ("small", 0)] {
        let project = project(&[test], &files);
        let memory = if expect == 1 { "90000" } else { "256" };
        let given = format!("parameters: {{Memory: '{memory}'}}");
        project.replace(".taskcat.yml", "parameters: {}", &given);
        let plan = plan(&project);
        plan.assert_code(expect);
        let says = "Properties validation failed for resource F with message:";
        assert_eq!(plan.stdout.contains(says), expect == 1, "{}", plan.stdout);
        assert_eq!(
            plan.stdout.contains("large.yaml:10"),
            expect == 1,
            "{}",
            plan.stdout
        );
        let local = Taskcat::bare(&project)
            .args(["test", "run", "--local"])
            .run();
        local.assert_code(expect);
        let skipped = Taskcat::offline(&project)
            .args(["plan", "--lint-disable"])
            .run();
        skipped.assert_code(0);
    }
}

/// What the simulator stands in for may have any form: of a custom resource, of signals, of a
/// generated name.
#[test]
fn made_up_values_decide_nothing() {
    let custom = "Properties: {ServiceToken: !Sub \
        'arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:f'}";
    let parent = |parameter: &str, child: &str| {
        format!(
            "Parameters: {{Bucket: {{Type: String}}}}
Resources:
  Rand: {{Type: Custom::Rand, {custom}}}
  Handle: {{Type: AWS::CloudFormation::WaitConditionHandle}}
  Wait: {{Type: AWS::CloudFormation::WaitCondition, Properties: {{Handle: !Ref Handle, Timeout: \
  '60'}}}}
  Topic: {{Type: AWS::SNS::Topic}}
  Logs: {{Type: AWS::S3::Bucket}}
  Database: {{Type: AWS::RDS::DBInstance, Properties: {{DBInstanceClass: db.t3.micro, Engine: \
  mysql, AllocatedStorage: '20', MasterUsername: admin, ManageMasterUserPassword: true}}}}
  Child:
    Type: AWS::CloudFormation::Stack
    Properties: {{TemplateURL: !Sub 'https://${{Bucket}}.s3.amazonaws.com/p/{child}.yaml', \
    Parameters: {{P: {parameter}}}}}
Outputs:
  Out: {{Value: !GetAtt Child.Outputs.Out}}
"
        )
    };
    let child = |declared: &str| {
        format!(
            "Parameters: {{P: {{{declared}}}}}\nResources: {{Topic: {{Type: \
             AWS::SNS::Topic}}}}\nOutputs: {{Out: {{Value: !Ref P}}}}\n"
        )
    };
    let short = child("Type: String, AllowedPattern: '[a-z]{2}', MaxLength: 2");
    let listed = child("Type: String, AllowedValues: [left, right]");
    let number = child("Type: Number, MaxValue: 3");
    let topic = child("Type: String, AllowedPattern: 'arn:aws:sns:.*'");
    let queue = child("Type: String, AllowedPattern: 'arn:aws:sqs:.*'");
    let taken = "Parameters: {P: {Type: String}}\nResources: {Topic: {Type: AWS::SNS::Topic, \
        Properties: {DisplayName: !Select [1, !Split [':', !Ref P]]}}}\nOutputs: {Out: {Value: \
        !Select [3, !Split [',', !Ref P]]}}\n";
    let middle = "Parameters: {P: {Type: String}, Bucket: {Type: String, Default: x}}\nResources: \
        {Topic: {Type: AWS::SNS::Topic}}\nOutputs: {Out: {Value: !Sub 'x-${P}'}}\n";
    let tests = [
        ("attribute", parent("!GetAtt Rand.Id", "short")),
        ("ref", parent("!Ref Rand", "listed")),
        ("joined", parent("!Sub 'x${Rand.Value}'", "number")),
        ("data", parent("!GetAtt Wait.Data", "taken")),
        ("bucket", parent("!Ref Logs", "short")),
        (
            "endpoint",
            parent("!GetAtt Database.Endpoint.Address", "short"),
        ),
        (
            "through",
            parent("!GetAtt Rand.Id", "middle").replace(
                "Outputs:\n",
                "  Second:\n    \
            Type: AWS::CloudFormation::Stack\n    Properties: {TemplateURL: !Sub \
            'https://${Bucket}.s3.amazonaws.com/p/short.yaml', Parameters: {P: !GetAtt \
            Child.Outputs.Out}}\nOutputs:\n",
            ),
        ),
        ("documented", parent("!Ref Topic", "topic")),
        (
            "name",
            format!(
                "Resources:\n  Rand: {{Type: Custom::Rand, {custom}}}\n  Named: {{Type: \
            AWS::S3::Bucket, Properties: {{BucketName: !Sub \
            'data-of-this-rather-long-name-of-mine-${{AWS::AccountId}}-${{Rand}}'}}}}\n  Queue: \
            {{Type: AWS::SQS::Queue, Properties: {{QueueName: !GetAtt Rand.Name, FifoQueue: true, \
            Tags: !GetAtt Rand.Tags}}}}\n"
            ),
        ),
        (
            "taken",
            format!(
                "Resources:\n  Rand: {{Type: Custom::Rand, {custom}}}\nOutputs:\n  \
            Token: {{Value: !Select [1, !Split [':', !GetAtt Rand.Data]]}}\n  Kept: {{Value: !Sub \
            'a-${{Rand.Data}}'}}\n"
            ),
        ),
    ];
    let wrong = parent("!Ref Topic", "queue");
    let children = [
        ("short", &*short),
        ("listed", &listed),
        ("number", &number),
        ("topic", &topic),
        ("queue", &queue),
        ("middle", middle),
    ];
    let mut files: Vec<(String, &str)> = tests
        .iter()
        .map(|(test, text)| (format!("{test}.yaml"), &**text))
        .collect();
    files.push(("wrong.yaml".to_owned(), &wrong));
    files.extend(
        children
            .iter()
            .map(|(child, text)| (format!("{child}.yaml"), *text)),
    );
    let data = tests
        .iter()
        .find(|(test, _)| *test == "data")
        .unwrap()
        .1
        .replace("/taken.yaml", "/apart.yaml");
    for (file, text) in &mut files {
        if file == "data.yaml" {
            *text = &data;
        }
    }
    files.push(("apart.yaml".to_owned(), taken));
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (&**file, *text)).collect();
    let mut names: Vec<&str> = tests.iter().map(|(test, ..)| *test).collect();
    names.push("wrong");
    let project = project(&names, &files);
    plan(&project).assert_code(0);
    let local = local(&project);
    for (test, _) in &tests {
        assert_eq!(
            local.cell(test, "us-east-1")["state"],
            "passed",
            "{test}: {}",
            local.stderr
        );
    }
    assert!(
        outputs(&local, "attribute")[0].starts_with("Out=simulated-"),
        "{:?}",
        outputs(&local, "attribute")
    );
    assert!(
        outputs(&local, "taken")
            .iter()
            .any(|output| output.starts_with("Kept=simulated"))
    );
    // What is documented stays checked.
    let wrong = local.cell("wrong", "us-east-1");
    assert_eq!(wrong["state"], "failed", "{wrong:#}");
    assert!(
        wrong
            .to_string()
            .contains("must match pattern arn:aws:sqs:.*"),
        "{wrong:#}"
    );
}

#[test]
fn regions_that_nobody_knows_are_told_once() {
    let project = project(&["a", "b"], &[("a.yaml", CHILD), ("b.yaml", CHILD)]);
    project.replace(".taskcat.yml", "[us-east-1]", "[us-esat-1, nowhere-west-9]");
    let outcome = plan(&project);
    outcome.assert_code(0);
    outcome.assert_says_once("unknown region `us-esat-1`");
    assert!(
        outcome.stderr.contains("did you mean `us-east-1`?"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains(".taskcat.yml:3:13"),
        "{}",
        outcome.stderr
    );
    assert_eq!(
        outcome
            .stderr
            .matches("unknown region `nowhere-west-9`")
            .count(),
        1,
        "{}",
        outcome.stderr
    );
    let render = Taskcat::offline(&project)
        .args(["render", "a.yaml", "--region", "us-esat-1"])
        .run();
    render.assert_code(0);
    assert!(
        render.stderr.contains("did you mean `us-east-1`?"),
        "{}",
        render.stderr
    );
}

#[test]
fn a_test_without_regions_is_an_error() {
    let check = |regions: &str, args: &[&str], message: &str| {
        let project = project(&["t"], &[("t.yaml", CHILD)]);
        project.replace(".taskcat.yml", "[us-east-1]", regions);
        for command in [&["plan"][..], &["test", "run", "--local"]] {
            let outcome = Taskcat::bare(&project)
                .args(command.iter().chain(args).copied())
                .run();
            outcome.assert_code(2);
            assert!(outcome.stderr.contains(message), "{}", outcome.stderr);
        }
    };
    check("[]", &[], "test `t` has no regions");
    check("[us-east-1]", &["-r", ""], "--regions is empty");
}
