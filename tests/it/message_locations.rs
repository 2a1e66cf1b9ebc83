//! Where messages point to: the file, its line, and what is underlined there; and what they say to
//! do.

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

const CONFIG: &str =
    "project:\n  name: places\n  regions: [us-east-1]\ntests:\n  one:\n    template: main.yaml\n";

/// A project of one test, whose template is `main.yaml`.
fn project(template: &str) -> Project {
    let project = Project::empty("places");
    project.write(".taskcat.yml", CONFIG);
    project.write("main.yaml", template);
    project
}

fn offline(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::offline(project).args(args.iter().copied()).run()
}

fn local(project: &Project) -> Outcome {
    offline(project, &["test", "run", "--local", "-l"])
}

const TOPIC: &str = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n";

/// What explains an error is said with it, by every command.
#[test]
fn warnings_come_with_the_error_that_they_explain() {
    let project = project(TOPIC);
    project.write(
        ".taskcat.yml",
        "project: {name: a, regions: [us-east-1]}\nproject: {name: b}\ntests: {one: {template: \
         main.yaml}}\n",
    );
    for args in [
        &["plan"][..],
        &["test", "run", "--local"],
        &["deploy", "run", "--yes"],
    ] {
        let outcome = offline(&project, args);
        outcome
            .assert_code(2)
            .assert_says("duplicate key `project`")
            .assert_says("test `one` has no regions");
    }
}

#[test]
fn missing_parameters_are_shown_where_they_are_declared() {
    let project = project(&format!("Parameters:\n  Need: {{Type: String}}\n{TOPIC}"));
    let outcome = offline(&project, &["plan"]);
    outcome
        .assert_code(2)
        .assert_says("test `one` has no value for parameters that main.yaml requires: Need\n");
    outcome
        .assert_says("main.yaml:2:3\n")
        .assert_says("---- parameter Need has no default");
    outcome.assert_silent_about(project.path().to_str().unwrap());
}

#[test]
fn a_template_that_is_a_url_is_called_so() {
    let project = project(TOPIC);
    for url in [
        "https://bucket.s3.amazonaws.com/main.yaml",
        "http://x/y",
        "s3://bucket/main.yaml",
    ] {
        project.write(
            ".taskcat.yml",
            &CONFIG.replace("main.yaml", &format!("\"{url}\"")),
        );
        let outcome = offline(&project, &["plan"]);
        outcome.assert_code(2).assert_says(&format!(
            "template {url} is a URL, not a file of the project"
        ));
        outcome.assert_silent_about("does not exist");
    }
}

#[test]
fn values_are_underlined_as_a_whole() {
    let project = project(TOPIC);
    let check = |config: &str, underlined: &str| {
        project.write(".taskcat.yml", config);
        offline(&project, &["plan"])
            .assert_code(2)
            .assert_says(&format!("| {underlined}\n"));
    };
    check(
        "project: {name: \"two words: x\"}\n",
        "                ^^^^^^^^^^^^^^",
    );
    check(
        "project:\n  package_lambda: 'it''s not'\n",
        "                  ^^^^^^^^^^^",
    );
    check(
        "project:\n  name: [a, {b: c}] # comment\n",
        "        ^^^^^^^^^^^",
    );
    check("project:\n  name: \"abc\n", "        ^^^^ it opens here");
    check(
        "project:\n  regions: us east # comment\n",
        "           ^^^^^^^",
    );
}

/// Before anything is staged, with the line of the configuration.
#[test]
fn hooks_that_cannot_be_run_are_refused() {
    let project = project(TOPIC);
    let hooks =
        |hooks: &str| project.write(".taskcat.yml", &format!("{CONFIG}    posthooks:\n{hooks}"));
    hooks("      - {type: script}\n");
    for args in [&["plan"][..], &["test", "run", "--local", "-l"]] {
        let outcome = offline(&project, args);
        outcome
            .assert_code(2)
            .assert_says("hook `script`: `config.command`: expected a string")
            .assert_says(".taskcat.yml:8:");
        outcome.assert_silent_about("uploaded");
    }
    hooks("      - type: script\n        config: {command: x, timeout: soon}\n");
    local(&project)
        .assert_code(2)
        .assert_says("`config.timeout` is \"soon\"")
        .assert_says(".taskcat.yml:8:");
    hooks("      - type: nobody-knows\n");
    local(&project)
        .assert_code(2)
        .assert_says("no program `taskcat-hook-nobody-knows` was found on PATH");
    // Where nothing is run, nothing has to be installed.
    offline(&project, &["plan"]).assert_code(0);
}

#[test]
fn a_failed_hook_is_named_once() {
    let project = project(TOPIC);
    project.write(
        ".taskcat.yml",
        &format!("{CONFIG}    prehooks: [{{type: script, config: {{command: exit 3}}}}]\n"),
    );
    let outcome = local(&project);
    outcome
        .assert_code(1)
        .assert_says("one us-east-1 prehook script failed: `exit 3` exited with code 3\n");
    outcome.assert_silent_about("of stack");
}

#[test]
fn an_open_bracket_of_the_ignore_file_is_an_error() {
    let project = project(TOPIC);
    for (text, place) in [
        ("[\n", "1:1"),
        ("ok\nsub/a[b\n", "2:6"),
        ("a[]\n", "1:2"),
        ("[a]\nx[!]y\n", "2:2"),
    ] {
        project.write(".taskcatignore", text);
        let outcome = local(&project);
        outcome
            .assert_code(2)
            .assert_says("is not a pattern: unclosed `[`");
        outcome
            .assert_says(&format!(".taskcatignore:{place}\n"))
            .assert_says("^ it opens here");
    }
    project.write(".taskcatignore", "# [\n\\[x\n[]a]\n[!a-c]\na\\[b\n");
    local(&project).assert_code(0);
}

/// A main template that is kept at home can't be launched, and no nested one has to do with it.
#[test]
fn a_test_needs_its_template_staged() {
    let project = project(TOPIC);
    project.write(".taskcatignore", "*.yaml\n");
    for args in [&["plan"][..], &["test", "run", "--local", "-l"]] {
        let outcome = offline(&project, args);
        outcome
            .assert_code(2)
            .assert_says("template main.yaml is excluded from the upload")
            .assert_says(".taskcatignore");
        outcome
            .assert_silent_about("nested")
            .assert_says(".taskcat.yml:6:");
    }
}

/// A run points to the line that `plan` points to.
#[test]
fn failures_of_a_launch_have_their_line() {
    let check = |template: &str, expect: &[&str]| {
        let project = project(template);
        let outcome = local(&project);
        expect
            .iter()
            .for_each(|text| _ = outcome.assert_code(1).assert_says(text));
        (project, outcome)
    };
    let name = |value: &str| format!("{TOPIC}    Properties:\n      TopicName: {value}\n");
    check(
        &name("!Ref Nope"),
        &[
            "Unresolved resource dependencies [Nope]",
            "declared at main.yaml:5\n",
        ],
    );
    check(&name("!Select [3, [a, b]]"), &["declared at main.yaml:5\n"]);
    let output = |value: &str| {
        format!("{TOPIC}Mappings:\n  M: {{a: {{b: c}}}}\nOutputs:\n  X:\n    Value: {value}\n")
    };
    check(
        &output("!FindInMap [M, x, b]"),
        &["declared at main.yaml:8\n", "the mapping M has no x"],
    );
    check(
        &output("!Select [3, [a, b]]"),
        &["declared at main.yaml:8\n"],
    );
    check(&output("!Ref Nope"), &["declared at main.yaml:8\n"]);
    let (_project, report) = check(
        &TOPIC.replace("SNS::Topic", "SNS::Topci"),
        &[
            "declared at main.yaml:3\n",
            "hint: there is no type AWS::SNS::Topci; did you mean AWS::SNS::Topic?",
        ],
    );
    report.assert_silent_about("this region doesn't have");
    assert_eq!(
        report.cell("one", "us-east-1")["root_cause"]["source"]["line"],
        3
    );
}

/// What a pseudo-parameter came to was set in the configuration, whatever the template says.
#[test]
fn a_value_that_cannot_be_had_is_shown_where_it_is_set() {
    let project = project(&format!(
        "Parameters:\n  Zones: {{Type: String, Default: any}}\n{TOPIC}"
    ));
    let set = |value: &str| {
        project.write(
            ".taskcat.yml",
            &format!("{CONFIG}    parameters:\n      Zones: {value}\n"),
        )
    };
    set("$[taskcat_genaz_99]");
    let outcome = local(&project);
    outcome
        .assert_code(1)
        .assert_says("zones in us-east-1, 99 wanted")
        .assert_says("set at .taskcat.yml:8\n");
    outcome
        .assert_silent_about("Zones=any")
        .assert_silent_about("declared at");
    for (value, expect) in [
        (
            "$[taskcat_ssm_/no/key]",
            "SSM parameter /no/key in us-east-1: the simulator doesn't have it",
        ),
        (
            "$[taskcat_secretsmanager_none]",
            "secret none in us-east-1: the simulator doesn't have it",
        ),
    ] {
        set(value);
        local(&project)
            .assert_code(1)
            .assert_says(expect)
            .assert_says("set at .taskcat.yml:8\n");
    }
}

/// A nested stack gets its parameters from the template around it.
#[test]
fn parameters_of_nested_stacks() {
    let nesting = |given: &str, topic: &str| {
        format!(
            "Parameters:\n  Bucket: {{Type: String}}\n  Size: {{Type: String, Default: \
             large}}\n{TOPIC}  Child:\n    \
             Type: AWS::CloudFormation::Stack\n    Properties:\n      \
             TemplateURL: !Sub https://${{Bucket}}.s3.amazonaws.com/places/child.yaml\n      \
             Parameters: {{Size: {given}}}\n  \
             Other:\n    Type: AWS::SNS::Topic\n    Properties: {{TopicName: {topic}}}\n"
        )
    };
    let child = "Parameters:\n  Size: {Type: String, AllowedValues: [small]}\nResources:\n  T: \
        {Type: AWS::SNS::Topic}\nOutputs:\n  Out: {Value: x}\n";
    let run = |given: &str, topic: &str, args: &[&str]| {
        let project = project(&nesting(given, topic));
        project.write("child.yaml", child);
        project.write(
            ".taskcat.yml",
            &format!("{CONFIG}    parameters:\n      Bucket: $[taskcat_autobucket]\n"),
        );
        offline(&project, args)
    };
    let local = ["test", "run", "--local", "-l"];
    let by_function = run("!Join ['', [lar, !Ref AWS::Region]]", "a", &local);
    by_function
        .assert_code(1)
        .assert_says("hint: change what Child is given for Size (main.yaml:7)");
    by_function.assert_silent_about("set the parameter in `.taskcat.yml`");
    run("large", "a", &local)
        .assert_says("hint: change the value that Child is given for Size (main.yaml:7)");
    let by_parameter = run("!Ref Size", "a", &local);
    by_parameter
        .assert_code(1)
        .assert_says("hint: Child gets Size from the parameter Size: set that in `.taskcat.yml`");
    // A parameter that the nested template doesn't declare isn't mended by another value.
    let undeclared = run("small, Shade: !Ref Size", "a", &local);
    undeclared
        .assert_code(1)
        .assert_says("Parameters: [Shade] do not exist in the template")
        .assert_says(
            "hint: declare Shade in the nested template, or remove it from what Child is \
            given (main.yaml:7)",
        );
    // An output that a nested stack lacks is told alike before and after.
    let words = "resource Child does not support attribute type Outputs.None in Fn::GetAtt";
    run("small", "!GetAtt Child.Outputs.None", &local)
        .assert_code(1)
        .assert_says(words)
        .assert_says("main.yaml:14");
    let plan = run("small", "!GetAtt Child.Outputs.None", &["plan"]);
    plan.assert_code(1);
    assert!(plan.stdout.contains(words), "{}", plan.stdout);
}

/// A rule that meets nothing is a slip: whoever wrote it believes to have seen the fault.
#[test]
fn rules_of_a_scenario_that_meet_nothing_are_named() {
    let project = project(TOPIC);
    project.write(
        "scenario.yml",
        "resources:\n  - {logical_id: Topic, takes: 1s}\n  - {logical_id: Topci, fails: full}\n\
         calls:\n  - {service: cloudformation, action: Creat, fault: throttle}\n  \
         - {service: cloudformation, action: Describe*, fault: throttle, every: 3}\n",
    );
    let outcome = offline(
        &project,
        &["test", "run", "--local", "-l", "--scenario", "scenario.yml"],
    );
    outcome
        .assert_code(0)
        .assert_says("warning: scenario rule resources[1] matched nothing in this run");
    outcome
        .assert_says("rule calls[0] matched nothing")
        .assert_silent_about("resources[0]")
        .assert_silent_about("calls[1]");
}

/// CloudFormation takes the later of two entries silently: the template is launched, with a warning
/// that names both lines.
#[test]
fn duplicate_keys_of_a_template_are_warned_about() {
    let template = "\
Parameters:
  Label: {Type: Number, Default: none}
  Label: {Type: String, Default: late}
Resources:
  Topic: {Type: AWS::SNS::Nothing}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: early, DisplayName: !Ref Label}
Outputs:
  Label: {Value: !Ref Label}
";
    let project = project(template);
    let plan = offline(&project, &["plan"]);
    plan.assert_code(0)
        .assert_says("duplicate key `DisplayName`")
        .assert_says("the earlier one is at line 8, column 18");
    let run = local(&project);
    run.assert_code(0)
        .assert_says("duplicate key `Topic`")
        .assert_says("the earlier one is at line 5, column 3");
    assert_eq!(run.cell("one", "us-east-1")["outputs"][0]["value"], "late");
    let render = offline(&project, &["render", "main.yaml", "--region", "us-east-1"]);
    render.assert_code(0).assert_says("duplicate key `Label`");
    let rendered: serde_json::Value = serde_json::from_str(&render.stdout).unwrap();
    let topic =
        serde_json::json!({"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "late"}});
    assert_eq!(rendered["Resources"], serde_json::json!({"Topic": topic}));
}
