//! Tests scenario files: wait conditions and custom resources fail, time out or return data.

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

const SITE: &str = "\
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Ready:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref Handle, Timeout: '600', Count: 2}
  Lookup:
    Type: Custom::Lookup
    Properties: {ServiceToken: 'arn:aws:lambda:us-east-1:123456789012:function:lookup'}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !GetAtt Lookup.Label}
Outputs:
  Label: {Value: !GetAtt Lookup.Label}
  Zone: {Value: !Join ['+', !GetAtt Lookup.Zones]}
  Signals: {Value: !GetAtt Ready.Data}
";

fn run(scenario: &str) -> (Project, Outcome) {
    let project = Project::empty("waiting");
    project.write("site.yaml", SITE);
    project.write(
        ".taskcat.yml",
        "project: {name: waiting, regions: [us-east-1]}\ntests: {site: {template: site.yaml}}\n",
    );
    project.write("scenario.yml", scenario);
    let run = Taskcat::bare(&project).args(["test", "run", "--local", "-l", "--speed", "100000"]);
    let outcome = run.args(["--scenario", "scenario.yml"]).run();
    (project, outcome)
}

#[track_caller]
fn output(outcome: &Outcome, key: &str) -> String {
    let cell = outcome.cell("site", "us-east-1");
    let found = cell["outputs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|output| output["key"] == key)
        .cloned();
    found.unwrap_or_else(|| panic!("no output {key}: {cell:#}"))["value"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn scenarios_set_attributes_by_logical_id() {
    let (_project, outcome) =
        run("attributes:\n  Lookup: {Label: abc, Zones: [a, b]}\n  Ready: {Data: {one: done}}\n");
    outcome.assert_code(0);
    assert_eq!(output(&outcome, "Label"), "abc");
    assert_eq!(output(&outcome, "Zone"), "a+b");
    assert_eq!(output(&outcome, "Signals"), r#"{"one":"done"}"#);
}

/// An entry for a logical ID takes precedence over a rule.
#[test]
fn scenarios_set_attributes_by_rules() {
    let (_project, outcome) = run(
        "attributes: {Lookup: {Label: own}}\nresources:\n- {type: 'Custom::*', stack: tCaT-*, \
         attributes: {Label: \
         shared, Zones: [x]}}\n",
    );
    outcome.assert_code(0);
    assert_eq!(
        (output(&outcome, "Label"), output(&outcome, "Zone")),
        ("own".to_owned(), "x".to_owned())
    );
}

#[test]
fn wait_conditions_and_custom_resources_fail_or_time_out() {
    let given = "attributes: {Lookup: {Label: abc, Zones: [a]}}\nresources:\n";
    let check = |rule: &str, says: &str| {
        let (_project, outcome) = run(&format!("{given}- {rule}\n"));
        outcome.assert_code(1).assert_says(says);
    };
    check(
        "{logical_id: Ready, times_out: true}",
        "Ready (AWS::CloudFormation::WaitCondition) CREATE_FAILED: WaitCondition timed out. \
         Received 0 conditions when \
         expecting 2",
    );
    check(
        "{type: 'Custom::Lookup', times_out: true}",
        "Lookup (Custom::Lookup) CREATE_FAILED: CloudFormation did not receive a response from \
         your Custom Resource.",
    );
    check(
        "{logical_id: Ready, fails: \"WaitCondition received failed message: 'no' for uniqueId: \
         i-1\"}",
        "WaitCondition received failed message: 'no' for uniqueId: i-1",
    );
    check(
        "{logical_id: Lookup, fails: no such label}",
        "Lookup (Custom::Lookup) CREATE_FAILED: no such label",
    );
}
