//! What is refused of a resource's properties.
//!
//! CloudFormation checks the properties against the type's schema before it calls the handler, with a validator for
//! JSON Schema that words what it finds (`org.everit.json.schema`). The shapes of the catalogue allow too much rather
//! than too little, and so does this: whatever CloudFormation might take passes.
//!
//! The words are those that people report: `#: required key [Name] not found`
//! (<https://github.com/aws-cloudformation/iac-model-evaluation/issues/29>); several of them, each on a line of its own
//! (<https://github.com/org-formation/aws-resource-providers/issues/105>); `extraneous key [ResponseHeaders] is not
//! permitted` beneath `#/MethodResponses/0`; `expected type: JSONArray, found: JSONObject` and `expected type: String,
//! found: JSONArray`. Not confirmed: the order of several, and `expected type: Boolean`. Since 2024 some regions put all
//! of it into brackets, on one line: `with message: [#/Tags: …]`.

use super::Facts;
use super::pattern::Source;
use crate::catalog::{JsonType, Object, ResourceType, Shape, resource_type};
use crate::template::{Value, is_custom_resource};

/// What CloudFormation refuses of the properties. Of types that the catalogue doesn't know: nothing.
pub fn refusal(facts: &Facts) -> Option<String> {
    if is_custom_resource(facts.kind) {
        return None;
    }
    let known = resource_type(facts.kind)?;
    let mut check = Check { known: &known, violations: Vec::new() };
    check.object(&known.properties, facts.properties, &Place::default());
    if check.violations.is_empty() {
        return value_refused(facts);
    }
    let (logical_id, violations) = (facts.logical_id, check.violations.join("\n"));
    Some(format!("Properties validation failed for resource {logical_id} with message:\n{violations}"))
}

/// Where in the properties something stands.
#[derive(Clone, Default)]
struct Place {
    /// `#/Rules/0/Id` without its `#`.
    pointer: String,
    /// As the catalogue's paths name it: `Rules.*.Id`.
    path: String,
}

impl Place {
    fn name(&self, name: &str) -> Self {
        self.at(name, name)
    }

    fn item(&self, index: usize) -> Self {
        self.at(&index.to_string(), "*")
    }

    fn at(&self, pointer: &str, path: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { pointer: format!("{}/{pointer}", self.pointer), path: format!("{}{dot}{path}", self.path) }
    }
}

struct Check<'a> {
    known: &'a ResourceType,
    violations: Vec<String>,
}

impl Check<'_> {
    fn violation(&mut self, place: &Place, what: &str) {
        self.violations.push(format!("#{}: {what}", place.pointer));
    }

    fn object(&mut self, object: &Object, entries: &indexmap::IndexMap<String, Value>, place: &Place) {
        for name in object.required().filter(|name| !entries.contains_key(*name)) {
            // What only AWS sets may be required of what AWS answers.
            if !self.known.read_only.contains(&place.name(name).path.as_str()) {
                self.violation(place, &format!("required key [{name}] not found"));
            }
        }
        for name in entries.keys().filter(|name| object.shape(name).is_none()) {
            self.violation(place, &format!("extraneous key [{name}] is not permitted"));
        }
        for (name, value) in entries {
            if let Some(shape) = object.shape(name) {
                self.value(shape, value, &place.name(name));
            }
        }
    }

    fn value(&mut self, shape: &Shape, value: &Value, place: &Place) {
        if matches!(value, Value::Unknown(_) | Value::NoValue | Value::Null) {
            return;
        }
        match (self.known.resolve(shape).unwrap_or(&Shape::Anything), value) {
            (Shape::Anything | Shape::Definition(_), _) => {}
            (Shape::List(item), Value::List(items)) => {
                for (index, value) in items.iter().enumerate() {
                    self.value(item, value, &place.item(index));
                }
            }
            (Shape::Object(object), Value::Map(entries)) => self.object(object, entries, place),
            // JSON as text, which some types take.
            (Shape::Object(_), Value::String(text)) if text.trim_start().starts_with('{') => {}
            (Shape::List(_), _) => self.mismatch("JSONArray", value, place),
            (Shape::Object(_), _) => self.mismatch("JSONObject", value, place),
            (Shape::Json(types), _) => {
                if !types.iter().any(|json| takes(*json, value)) {
                    let expected = types.first().map_or("String", |json| name_of(*json));
                    self.mismatch(expected, value, place);
                }
            }
        }
    }

    fn mismatch(&mut self, expected: &str, value: &Value, place: &Place) {
        self.violation(place, &format!("expected type: {expected}, found: {}", found(value)));
    }
}

/// Whether a value does for a JSON type. Scalars stand for each other where their text can be read so.
fn takes(json: JsonType, value: &Value) -> bool {
    match (json, value) {
        (JsonType::Array, Value::List(_)) | (JsonType::Object, Value::Map(_)) => true,
        (JsonType::Object, Value::String(text)) => text.trim_start().starts_with('{'),
        (JsonType::Array | JsonType::Object, _) | (_, Value::List(_) | Value::Map(_)) => false,
        (JsonType::Integer | JsonType::Number, Value::String(text)) => text.trim().parse::<f64>().is_ok(),
        (JsonType::Boolean, Value::String(text)) => {
            ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word))
        }
        (JsonType::String | JsonType::Integer | JsonType::Number | JsonType::Boolean, _) => true,
    }
}

fn name_of(json: JsonType) -> &'static str {
    match json {
        JsonType::String => "String",
        JsonType::Integer => "Integer",
        JsonType::Number => "Number",
        JsonType::Boolean => "Boolean",
        JsonType::Object => "JSONObject",
        JsonType::Array => "JSONArray",
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "BigDecimal",
        Value::Number(_) => "Integer",
        Value::List(_) => "JSONArray",
        Value::Map(_) => "JSONObject",
        Value::String(_) | Value::Null | Value::Unknown(_) | Value::NoValue => "String",
    }
}

/// What no schema says: the few rules for names that tests trip over, as their handlers are reported to word them
/// (<https://github.com/splunk/splunk-aws-gdi-toolkit/issues/25>, <https://github.com/mapbox/cloudfriend/issues/94>).
fn value_refused(facts: &Facts) -> Option<String> {
    let name = |property: &str| match facts.property(property) {
        Some(Value::String(name)) if !name.is_empty() => Some(name.as_str()),
        _ => None,
    };
    let mut source = Source::of(&format!("{} {}", facts.stack_name, facts.logical_id));
    let message = match facts.kind {
        "AWS::S3::Bucket" => bucket_name_refused(name("BucketName")?)?.to_owned(),
        "AWS::SQS::Queue" => {
            let is_fifo = facts.property("FifoQueue").and_then(Value::as_text).is_some_and(|fifo| is_true(&fifo));
            let message = queue_name_refused(name("QueueName")?, is_fifo)?;
            format!("{message} (Service: Sqs, Status Code: 400, Request ID: {})", source.uuid())
        }
        _ => return None,
    };
    let token = source.uuid();
    Some(format!(
        r#"Resource handler returned message: "{message}" (RequestToken: {token}, HandlerErrorCode: InvalidRequest)"#
    ))
}

/// In the order and the words of the AWS SDK for Java's `BucketNameUtils`.
fn bucket_name_refused(name: &str) -> Option<&'static str> {
    if !(3..=63).contains(&name.len()) {
        Some("Bucket name should be between 3 and 63 characters long")
    } else if name.contains(|letter: char| letter.is_ascii_uppercase()) {
        Some("Bucket name should not contain uppercase characters")
    } else if name.contains('_') {
        Some("Bucket name should not contain '_'")
    } else {
        None
    }
}

fn queue_name_refused(name: &str, is_fifo: bool) -> Option<&'static str> {
    let is_plain = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if is_fifo {
        let fits = name.len() <= 80 && name.strip_suffix(".fifo").is_some_and(is_plain);
        (!fits).then_some(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with \
            .fifo suffix and be 1 to 80 in length.",
        )
    } else {
        let fits = name.len() <= 80 && is_plain(name);
        (!fits).then_some("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
    }
}

/// Whether text stands for true.
pub(super) fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Arc;

    use indexmap::IndexMap;

    use super::super::tests::{facts, properties};
    use super::super::{attribute, physical_id};
    use super::*;
    use crate::template::{Given, Givens, Nested, Place, Template, Unknown, World, corpus, evaluate};

    #[test]
    fn what_no_schema_allows_is_refused() {
        let check = |kind: &str, json: &str, expect: &str| {
            let properties = properties(json);
            let found = refusal(&facts(kind, &properties)).unwrap_or_default();
            let start = "Properties validation failed for resource Thing with message:\n";
            assert_eq!(found.strip_prefix(start).unwrap_or(&found), expect, "{kind} {json}");
        };
        let queue = "AWS::SQS::Queue";
        check(queue, r#"{"Foo":1}"#, "#: extraneous key [Foo] is not permitted");
        check(queue, r#"{"Tags":{"Key":"a","Value":"b"}}"#, "#/Tags: expected type: JSONArray, found: JSONObject");
        check(queue, r#"{"Tags":[{"Key":"a"}]}"#, "#/Tags/0: required key [Value] not found");
        check(queue, r#"{"Tags":["a"]}"#, "#/Tags/0: expected type: JSONObject, found: String");
        check(queue, r#"{"QueueName":{}}"#, "#/QueueName: expected type: String, found: JSONObject");
        check(queue, r#"{"FifoQueue":"yes"}"#, "#/FifoQueue: expected type: Boolean, found: String");
        check(queue, r#"{"DelaySeconds":"soon"}"#, "#/DelaySeconds: expected type: Integer, found: String");
        check(
            queue,
            r#"{"Foo":1,"Tags":1}"#,
            "#: extraneous key [Foo] is not permitted\n#/Tags: expected type: JSONArray, found: Integer",
        );
        check("AWS::CloudTrail::Trail", r#"{"S3BucketName":"b"}"#, "#: required key [IsLogging] not found");
        check(
            "AWS::IAM::Role",
            r#"{"Foo":1}"#,
            "#: required key [AssumeRolePolicyDocument] not found\n#: extraneous key [Foo] is not permitted",
        );
    }

    #[test]
    fn names_that_no_handler_takes_are_refused() {
        let check = |kind: &str, json: &str, expect: &str| {
            let properties = properties(json);
            let found = refusal(&facts(kind, &properties)).unwrap_or_default();
            let found = found.strip_prefix("Resource handler returned message: \"").unwrap_or(&found);
            let ends = |ending: &str| found.find(ending).unwrap_or(found.len());
            assert_eq!(&found[..ends("\" (Req").min(ends(" (Service: Sqs, "))], expect, "{kind} {json}");
            assert!(found.is_empty() || found.ends_with(", HandlerErrorCode: InvalidRequest)"), "{found}");
        };
        let bucket = "AWS::S3::Bucket";
        check(bucket, r#"{"BucketName":"Mine"}"#, "Bucket name should not contain uppercase characters");
        check(bucket, r#"{"BucketName":"my_own"}"#, "Bucket name should not contain '_'");
        check(bucket, r#"{"BucketName":"ab"}"#, "Bucket name should be between 3 and 63 characters long");
        check(bucket, r#"{"BucketName":"my.own-1"}"#, "");
        check(bucket, "{}", "");
        let (queue, plain) =
            ("AWS::SQS::Queue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
        let fifo = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end \
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
    fn what_cloudformation_takes_is_not_refused() {
        let check = |kind: &str, json: &str| {
            let properties = properties(json);
            assert_eq!(refusal(&facts(kind, &properties)), None, "{kind} {json}");
        };
        let queue = "AWS::SQS::Queue";
        check(queue, r#"{"DelaySeconds":"5","FifoQueue":"True","QueueName":1,"RedrivePolicy":{"a":1}}"#);
        check(queue, r#"{"QueueName":true,"RedrivePolicy":"{}","Tags":[{"Key":1,"Value":1.5}]}"#);
        check("AWS::SNS::Topic", r#"{"TopicArn":"arn"}"#);
        check("Custom::Thing", r#"{"Foo":{"Bar":1}}"#);
        check("Acme::Web::Site", r#"{"Foo":1}"#);
        let mut unknown = properties(r#"{"Tags":1}"#);
        unknown.insert("Tags".to_owned(), Unknown::asked("export X").into());
        assert_eq!(refusal(&facts(queue, &unknown)), None);
    }

    /// Gives what this folder gives for the resources of one template.
    struct Simulated(BTreeMap<String, (String, IndexMap<String, Value>, String)>);

    impl World for Simulated {
        fn physical_id(&self, logical_id: &str) -> Result<Value, String> {
            Ok(self.0.get(logical_id).map_or(Value::text("id"), |(_, _, id)| Value::text(id)))
        }

        fn attribute(&self, logical_id: &str, name: &str) -> Result<Value, String> {
            match self.0.get(logical_id) {
                Some((kind, properties, id)) => attribute(&facts(kind, properties), id, name),
                None => Ok(Value::text("x")),
            }
        }

        fn nested<'w>(&'w self, _: &'w Template, _: &str, _: &Value) -> Nested<'w> {
            Nested::Unknown { unknown: Unknown::launched("nested stack"), likely: None }
        }
    }

    /// The resources of real projects pass, with IDs and attributes as they are simulated.
    #[test]
    fn real_templates_are_not_refused() {
        let Some(corpus) = corpus::corpus() else { return };
        let mut count = 0;
        for path in corpus::templates(&corpus) {
            let text = std::fs::read_to_string(&path).unwrap();
            let (Some(template), _) = Template::parse(&Arc::from(Path::new("t")), String::new(), &text) else {
                continue;
            };
            let place = Place::new("eu-west-1", "aws", "amazonaws.com");
            let given =
                |name: &str| Given { value: Unknown::asked(format!("parameter {name}")).into(), set: Vec::new() };
            let wanted = template.parameters.iter().filter(|parameter| parameter.default.is_none());
            let givens: Givens = wanted.map(|parameter| (parameter.key.clone(), given(&parameter.key))).collect();
            let mut world = Simulated(BTreeMap::new());
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
                    let id = physical_id(&facts(&resource.kind, &of_properties));
                    assert!(!id.is_empty() && !id.contains(['{', '}']), "{} {id}", resource.kind);
                    let refused = refusal(&facts(&resource.kind, &of_properties));
                    assert_eq!(refused, None, "{} {logical_id} {of_properties:?}", path.display());
                    world.0.insert(logical_id.clone(), (resource.kind.clone(), of_properties, id));
                    count += 1;
                }
            }
        }
        assert!(count > 1000, "{count}");
    }
}
