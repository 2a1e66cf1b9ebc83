//! Validation of a resource's properties when it is created. `crate::properties` finds what is
//! invalid; this module adds the identifiers of the request.

use super::DeclaredResource;
use super::pattern::SeededText;
use crate::properties::{self, PropertyRefusal};

/// Returns why CloudFormation refuses the properties; none for types that the catalog doesn't know.
pub(crate) fn refusal(declared: &DeclaredResource) -> Option<String> {
    let refusal = properties::refusal(declared.kind, declared.properties)?;
    let PropertyRefusal::ByHandler {
        message, service, ..
    } = refusal
    else {
        return Some(refusal.message(declared.logical_id));
    };
    let mut source =
        SeededText::from_seed(&format!("{} {}", declared.stack_name, declared.logical_id));
    let request = service.map(|service| {
        format!(
            " (Service: {service}, Status Code: 400, Request ID: {})",
            source.uuid()
        )
    });
    let request = request.unwrap_or_default();
    let token = source.uuid();
    Some(format!(
        r#"Resource handler returned message: "{message}{request}" (RequestToken: {token}, HandlerErrorCode: InvalidRequest)"#
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Arc;

    use indexmap::IndexMap;

    use super::super::tests::{declared, properties};
    use super::super::{ResourceProperties, attribute, physical_id};
    use super::*;
    use crate::template::{
        EvaluationEnvironment, NestedTemplate, ParameterValue, ParameterValues, StackEnvironment,
        Template, Unknown, Value, corpus, evaluate,
    };

    #[test]
    fn schema_violations_are_refused() {
        let check = |kind: &str, json: &str, expect: &str| {
            let properties = properties(json);
            let found = refusal(&declared(kind, &properties)).unwrap_or_default();
            let start = "Properties validation failed for resource Thing with message:\n";
            assert_eq!(
                found.strip_prefix(start).unwrap_or(&found),
                expect,
                "{kind} {json}"
            );
        };
        let queue = "AWS::SQS::Queue";
        check(
            queue,
            r#"{"Foo":1}"#,
            "#: extraneous key [Foo] is not permitted",
        );
        check(
            queue,
            r#"{"Tags":{"Key":"a","Value":"b"}}"#,
            "#/Tags: expected type: JSONArray, found: JSONObject",
        );
        check(
            queue,
            r#"{"Tags":[{"Key":"a"}]}"#,
            "#/Tags/0: required key [Value] not found",
        );
        check(
            queue,
            r#"{"Tags":["a"]}"#,
            "#/Tags/0: expected type: JSONObject, found: String",
        );
        check(
            queue,
            r#"{"QueueName":{}}"#,
            "#/QueueName: expected type: String, found: JSONObject",
        );
        check(
            queue,
            r#"{"FifoQueue":"yes"}"#,
            "#/FifoQueue: expected type: Boolean, found: String",
        );
        check(
            queue,
            r#"{"DelaySeconds":"soon"}"#,
            "#/DelaySeconds: expected type: Integer, found: String",
        );
        check(
            queue,
            r#"{"Foo":1,"Tags":1}"#,
            "#: extraneous key [Foo] is not permitted\n#/Tags: expected type: JSONArray, found: \
             Integer",
        );
        check(
            "AWS::CloudTrail::Trail",
            r#"{"S3BucketName":"b"}"#,
            "#: required key [IsLogging] not found",
        );
        check(
            "AWS::IAM::Role",
            r#"{"Foo":1}"#,
            "#: required key [AssumeRolePolicyDocument] not found\n#: extraneous key [Foo] is not \
             permitted",
        );
    }

    #[test]
    fn service_checked_types_have_their_own_messages() {
        let check = |json: &str, expect: &str| {
            let properties = properties(json);
            let found = refusal(&declared("AWS::SSM::Parameter", &properties)).unwrap_or_default();
            assert_eq!(
                found,
                format!("Property validation failure: [{expect}]"),
                "{json}"
            );
        };
        check(r#"{"Value":"a"}"#, "The property {/Type} is required");
        check(
            r#"{"Value":"a","Type":"String","Foo":1}"#,
            "Encountered unsupported properties in {/}: [Foo]",
        );
        check(
            r#"{"Value":["a"],"Type":"String"}"#,
            "Value of property {/Value} does not match type {String}",
        );
        check(
            "{}",
            "The property {/Type} is required, The property {/Value} is required",
        );
    }

    #[test]
    fn names_that_handlers_reject_are_refused() {
        let check = |kind: &str, json: &str, expect: &str| {
            let properties = properties(json);
            let found = refusal(&declared(kind, &properties)).unwrap_or_default();
            let found = found
                .strip_prefix("Resource handler returned message: \"")
                .unwrap_or(&found);
            let ends = |ending: &str| found.find(ending).unwrap_or(found.len());
            assert_eq!(
                &found[..ends("\" (Req").min(ends(" (Service: Sqs, "))],
                expect,
                "{kind} {json}"
            );
            assert!(
                found.is_empty() || found.ends_with(", HandlerErrorCode: InvalidRequest)"),
                "{found}"
            );
        };
        let bucket = "AWS::S3::Bucket";
        check(
            bucket,
            r#"{"BucketName":"Mine"}"#,
            "Bucket name should not contain uppercase characters",
        );
        check(
            bucket,
            r#"{"BucketName":"my_own"}"#,
            "Bucket name should not contain '_'",
        );
        check(
            bucket,
            r#"{"BucketName":"ab"}"#,
            "Bucket name should be between 3 and 63 characters long",
        );
        check(bucket, r#"{"BucketName":"my.own-1"}"#, "");
        check(bucket, "{}", "");
        let queue = "AWS::SQS::Queue";
        let plain =
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
        let fifo = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
            underscores, must end \
            with .fifo suffix and be 1 to 80 in length.";
        check(queue, r#"{"QueueName":"a","FifoQueue":true}"#, fifo);
        check(queue, r#"{"QueueName":"a","FifoQueue":"true"}"#, fifo);
        check(queue, r#"{"QueueName":"a.fifo","FifoQueue":true}"#, "");
        check(queue, r#"{"QueueName":"a.fifo"}"#, plain);
        check(queue, r#"{"QueueName":"a_b-C"}"#, "");
        check(queue, r#"{"FifoQueue":true}"#, "");
        check(queue, r#"{"QueueName":""}"#, "");
    }

    #[test]
    fn accepted_values_are_not_refused() {
        let check = |kind: &str, json: &str| {
            let properties = properties(json);
            assert_eq!(refusal(&declared(kind, &properties)), None, "{kind} {json}");
        };
        let queue = "AWS::SQS::Queue";
        check(
            queue,
            r#"{"DelaySeconds":"5","FifoQueue":"True","QueueName":1,"RedrivePolicy":{"a":1}}"#,
        );
        check(
            queue,
            r#"{"QueueName":true,"RedrivePolicy":"{}","Tags":[{"Key":1,"Value":1.5}]}"#,
        );
        check("AWS::SNS::Topic", r#"{"TopicArn":"arn"}"#);
        check("Custom::Thing", r#"{"Foo":{"Bar":1}}"#);
        check("Acme::Web::Site", r#"{"Foo":1}"#);
        let mut unknown = properties(r#"{"Tags":1}"#);
        unknown.insert("Tags".to_owned(), Unknown::asked("export X").into());
        assert_eq!(refusal(&declared(queue, &unknown)), None);
    }

    /// A world that holds the simulated resources of one template.
    struct SimulatedWorld(BTreeMap<String, (String, ResourceProperties, String)>);

    impl EvaluationEnvironment for SimulatedWorld {
        fn physical_id(&self, logical_id: &str) -> Result<Value, String> {
            Ok(self
                .0
                .get(logical_id)
                .map_or(Value::text("id"), |(_, _, id)| Value::text(id)))
        }

        fn attribute(&self, logical_id: &str, name: &str) -> Result<Value, String> {
            match self.0.get(logical_id) {
                Some((kind, properties, id)) => attribute(&declared(kind, properties), id, name),
                None => Ok(Value::text("x")),
            }
        }

        fn nested<'w>(&'w self, _: &'w Template, _: &str, _: &Value) -> NestedTemplate<'w> {
            NestedTemplate::Unknown {
                unknown: Unknown::launched("nested stack"),
                likely: None,
            }
        }
    }

    /// The resources of real projects are valid, with their simulated IDs and attributes.
    #[test]
    #[ignore = "needs ../shared/corpus; run tests/run.sh"]
    fn corpus_templates_are_accepted() {
        let corpus = corpus::corpus();
        let mut count = 0;
        for path in corpus::templates(&corpus) {
            let text = std::fs::read_to_string(&path).unwrap();
            let (Some(template), _) =
                Template::parse(&Arc::from(Path::new("t")), String::new(), &text)
            else {
                continue;
            };
            let place = StackEnvironment::new("eu-west-1", "aws", "amazonaws.com");
            let given = |name: &str| ParameterValue {
                value: Unknown::asked(format!("parameter {name}")).into(),
                set: Vec::new(),
            };
            let wanted = template
                .parameters
                .iter()
                .filter(|parameter| parameter.default.is_none());
            let givens: ParameterValues = wanted
                .map(|parameter| (parameter.key.clone(), given(&parameter.key)))
                .collect();
            let mut world = SimulatedWorld(BTreeMap::new());
            for _ in 0..2 {
                let stack = evaluate(&template, &place, &givens, &world);
                if !stack.failures.is_empty() {
                    continue;
                }
                for (logical_id, resource) in &stack.resources {
                    let of_properties = match resource.body.get("Properties") {
                        Some(Value::Map(entries)) => entries.clone(),
                        _ => IndexMap::new(),
                    };
                    let id = physical_id(&declared(&resource.kind, &of_properties));
                    assert!(
                        !id.is_empty() && !id.contains(['{', '}']),
                        "{} {id}",
                        resource.kind
                    );
                    let refused = refusal(&declared(&resource.kind, &of_properties));
                    assert_eq!(
                        refused,
                        None,
                        "{} {logical_id} {of_properties:?}",
                        path.display()
                    );
                    world.0.insert(
                        logical_id.clone(),
                        (resource.kind.clone(), of_properties, id),
                    );
                    count += 1;
                }
            }
        }
        assert!(count > 1000, "{count}");
    }
}
