//! Renders an evaluated template as CloudFormation sees it, for `taskcat render`.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use super::Template;
use super::evaluate::{ConditionValue, EvaluatedStack};
use super::value::Value;
use crate::mask::Secrets;

/// Returns `AWSTemplateFormatVersion`, `Description`, `Resources` and `Outputs`, except those that
/// the template doesn't have.
///
/// Entries that conditions exclude or that failed are left out. If it is unknown whether an entry
/// exists, its `Condition` is `{"Unknown": "<why>"}`. `shown` is the stack with its secrets hidden;
/// values that failed that way are taken from `stack`, with its secrets masked.
pub fn rendered(
    template: &Template,
    stack: &EvaluatedStack,
    shown: &EvaluatedStack,
    secrets: &Secrets,
) -> Json {
    let mut document = Map::new();
    for key in ["AWSTemplateFormatVersion", "Description"] {
        if let Some(node) = template.root.get(key) {
            document.insert(key.to_owned(), node.to_json());
        }
    }
    let resources = stack.resources.iter().map(|(id, resource)| {
        let hidden = shown.resources.get(id).map(|it| &it.body);
        (
            id.clone(),
            entry(&resource.exists, &resource.body, hidden, secrets),
        )
    });
    document.insert("Resources".to_owned(), Json::Object(resources.collect()));
    let outputs = stack.outputs.iter().map(|(id, output)| {
        let hidden = shown.outputs.get(id).map(|it| &it.body);
        (
            id.clone(),
            entry(&output.exists, &output.body, hidden, secrets),
        )
    });
    let outputs: Map<_, _> = outputs.collect();
    if !outputs.is_empty() {
        document.insert("Outputs".to_owned(), Json::Object(outputs));
    }
    if let Some(unknown) = &stack.macros_of_aws {
        document.insert(
            "Transform".to_owned(),
            json!({ "Unknown": unknown.to_string() }),
        );
    }
    Json::Object(document)
}

fn entry(
    exists: &ConditionValue,
    body: &IndexMap<String, Value>,
    hidden: Option<&IndexMap<String, Value>>,
    secrets: &Secrets,
) -> Json {
    let condition = match exists {
        ConditionValue::Unknown(unknown) => Some((
            "Condition".to_owned(),
            json!({ "Unknown": unknown.to_string() }),
        )),
        ConditionValue::True | ConditionValue::False => None,
    };
    let value = |(key, value): (&String, &Value)| {
        let mut json = hidden
            .and_then(|hidden| hidden.get(key))
            .unwrap_or(value)
            .to_json();
        secrets.mask_json(&mut json);
        (key.clone(), json)
    };
    let mut body: Vec<_> = body.iter().map(value).collect();
    // After the type, where people write it.
    let place = body.len().min(1);
    body.splice(place..place, condition);
    Json::Object(body.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::super::evaluate::tests::{parameter_values, place, template};
    use super::super::{HidingSecrets, OfflineEnvironment, Templates, evaluate};
    use super::*;

    #[test]
    fn templates_are_rendered_as_cloudformation_sees_them() {
        let text = "
AWSTemplateFormatVersion: 2010-09-09
Description: all of it
Parameters:
  Env: {Type: String, Default: dev}
  Password: {Type: String, NoEcho: true}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsOurs: !Equals [!Ref AWS::AccountId, '123456789012']
  HasPassword: !Equals [!Ref Password, xy]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    DeletionPolicy: Retain
    Properties: {QueueName: !Ref Env, KmsMasterKeyId: !Ref AWS::NoValue, Tags: [!Ref Password, \
    !Ref AWS::AccountId],
      Url: !Sub 'axy:${Password}xy', Is: !If [HasPassword, 'yes', 'no']}
  Prod: {Type: AWS::SNS::Topic, Condition: IsProd}
  Ours: {Type: AWS::SNS::Topic, Condition: IsOurs, Properties: {TopicName: !GetAtt Queue.QueueName}}
Outputs:
  Url: {Value: !Ref Queue}
";
        let template = template(text);
        let templates = Templates::default();
        let parameter_values = parameter_values(&[("Password", "xy")]);
        let world = OfflineEnvironment(&templates);
        let stack = evaluate(&template, &place("us-east-1"), &parameter_values, &world);
        let shown = evaluate(
            &template,
            &place("us-east-1"),
            &parameter_values,
            &HidingSecrets(world),
        );
        let expect = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "all of it",
            "Resources": {
                "Queue": {
                    "Type": "AWS::SQS::Queue",
                    "DeletionPolicy": "Retain",
                    "Properties": {
                        "QueueName": "dev",
                        "Tags": ["****", {"Unknown": "AWS::AccountId"}],
                        "Url": "axy:********",
                        "Is": "yes",
                    },
                },
                "Ours": {
                    "Type": "AWS::SNS::Topic",
                    "Condition": {"Unknown": "AWS::AccountId"},
                    "Properties": {"TopicName": {"Unknown": "attribute QueueName of Queue"}},
                },
            },
            "Outputs": {"Url": {"Value": {"Unknown": "physical ID of Queue"}}},
        });
        let secrets = crate::template::secrets(&template, &parameter_values);
        assert_eq!(
            rendered(&template, &stack, &shown, &secrets).to_string(),
            expect.to_string()
        );
    }
}
