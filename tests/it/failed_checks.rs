//! Checks that CloudFormation makes before it provisions something: a failed validation or a Hook's
//! refusal is the root cause, with the property's line, also in nested stacks. Where DescribeEvents
//! can't be called, CloudFormation's own reason is.

use serde_json::Value;

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

const NESTING: &str = "Parameters:
  Bucket: {Type: String}
Resources:
  Orders:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub https://${Bucket}.s3.${AWS::Region}.${AWS::URLSuffix}/shop/queue.yaml
";

const QUEUE: &str = "Resources:
  Topic:
    Type: AWS::SNS::Topic
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: orders
      Tags:
        - Key: team
          Value: shop
";

/// Runs the tests `direct` and `nested` with a scenario's rules.
fn run(rules: &str) -> (Project, Outcome) {
    let project = Project::empty("failed-checks");
    project.write(
        ".taskcat.yml",
        "project: {name: shop, regions: [us-east-1]}\ntests:\n  direct: {template: \
         queue.yaml}\n  nested: {template: nesting.yaml, parameters: {Bucket: \
         '$[taskcat_autobucket]'}}\n",
    );
    project.write("queue.yaml", QUEUE);
    project.write("nesting.yaml", NESTING);
    project.write("scenario.yml", rules);
    let run = Taskcat::bare(&project)
        .args(["test", "run", "--local", "-l", "--scenario", "scenario.yml"])
        .run();
    run.assert_code(1);
    (project, run)
}

/// The root cause of each of the two tests: its text, template and line.
fn root_causes(project: &Project) -> [(String, String, u64); 2] {
    let report: Value = serde_json::from_str(&project.read("taskcat_outputs/report.json")).unwrap();
    ["direct", "nested"].map(|test| {
        let cells = report["cells"].as_array().unwrap();
        let cell = cells.iter().find(|cell| cell["test"] == test).unwrap();
        let cause = &cell["root_cause"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (
            text(&cause["text"]),
            text(&cause["source"]["template"]),
            cause["source"]["line"].as_u64().unwrap_or_default(),
        )
    })
}

#[test]
fn a_validation_leads_to_its_property() {
    let (project, run) = run(
        "resources:\n- {logical_id: Queue, validation: property, property: Tags/0/Value, fails: \
         '#/Tags/0/Value: expected maxLength: 3, actual: 4'}\n",
    );
    let reason =
        "(AWS::SQS::Queue) CREATE_FAILED: #/Tags/0/Value: expected maxLength: 3, actual: 4";
    let [direct, nested] = root_causes(&project);
    assert_eq!(direct, (format!("Queue {reason}"), "queue.yaml".into(), 10));
    assert_eq!(
        nested,
        (format!("Orders/Queue {reason}"), "queue.yaml".into(), 10)
    );
    run.assert_says("queue.yaml:10");
    // Nothing was provisioned in the stack that failed.
    let events = project.read("taskcat_outputs/events.ndjson");
    assert!(!events.contains("AWS::SNS::Topic\",\"status\":\"CREATE"));
}

#[test]
fn a_hook_is_named_with_its_reason() {
    let (project, run) = run(
        "resources:\n- {logical_id: Queue, hook: 'Acme::Queues::Encryption', fails: the queue must \
         be encrypted}\n",
    );
    let reason = "(AWS::SQS::Queue) CREATE_FAILED: denied by the Hook Acme::Queues::Encryption: \
                  the queue must be encrypted";
    let [direct, nested] = root_causes(&project);
    assert_eq!(direct, (format!("Queue {reason}"), "queue.yaml".into(), 4));
    assert_eq!(
        nested,
        (format!("Orders/Queue {reason}"), "queue.yaml".into(), 4)
    );
    run.assert_says("the account's Hook Acme::Queues::Encryption forbids it");
}

#[test]
fn without_the_call_the_status_reason_remains() {
    for fault in [
        "fault: deny",
        "fault: error, code: InvalidAction, message: Could not find operation, status: 400",
        "fault: throttle",
    ] {
        let (project, _) = run(&format!(
            "resources:\n- {{logical_id: Queue, hook: 'Acme::Queues::Encryption', fails: refused}}\n\
             calls:\n- {{service: cloudformation, action: DescribeEvents, {fault}}}\n"
        ));
        let [direct, nested] = root_causes(&project);
        let reason = "(AWS::SQS::Queue) CREATE_FAILED: The following hook(s) failed: \
                      [Acme::Queues::Encryption]";
        assert_eq!(direct.0, format!("Queue {reason}"), "{fault}");
        assert_eq!(nested.0, format!("Orders/Queue {reason}"), "{fault}");
    }
}
