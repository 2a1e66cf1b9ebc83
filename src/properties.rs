//! Checks a resource's properties like CloudFormation, as far as their values are known. Used by
//! `plan` and the simulator.
//!
//! CloudFormation validates properties against the type's schema before it calls the handler, with
//! the JSON Schema validator `org.everit.json.schema`, whose messages it passes on. The shapes of
//! the catalog accept too much rather than too little, and so does this check: everything that
//! CloudFormation might accept passes.
//!
//! The messages are those that users report: `#: required key [Name] not found`
//! (<https://github.com/aws-cloudformation/iac-model-evaluation/issues/29>); several of them on
//! separate lines (<https://github.com/org-formation/aws-resource-providers/issues/105>);
//! `extraneous key [ResponseHeaders] is not permitted` below `#/MethodResponses/0`; `expected type:
//! JSONArray, found: JSONObject` and `expected type: String, found: JSONArray`. Not confirmed: the
//! order of several messages, and `expected type: Boolean`. Since 2024 some regions put all
//! messages in brackets on one line: `with message: [#/Tags: …]`.

use indexmap::IndexMap;

use crate::catalog::{JsonType, ObjectShape, ResourceType, Shape, resource_type};
use crate::template::{Value, is_custom_resource};

const NESTED_STACK: &str = "AWS::CloudFormation::Stack";

/// Types whose properties and attributes CloudFormation checks itself instead of using their
/// schema, with other messages. There is no published list; these were seen in stack events.
const CHECKED_BY_SERVICE: [&str; 4] = [
    "AWS::AppSync::DataSource",
    "AWS::AppSync::GraphQLApi",
    "AWS::AppSync::Resolver",
    "AWS::SSM::Parameter",
];

/// Returns whether CloudFormation checks resources of the type itself.
pub(crate) fn is_checked_by_service(kind: &str) -> bool {
    CHECKED_BY_SERVICE.contains(&kind)
}

/// Why properties are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PropertyRefusal {
    /// They violate the type's schema, at least once.
    BySchema(Vec<SchemaViolation>),
    /// They violate the schema of a type that CloudFormation checks itself.
    ByService(Vec<SchemaViolation>),
    /// The resource handler refuses the value of a property.
    ByHandler {
        property: &'static str,
        message: &'static str,
        /// The service whose error the handler passes on, such as `Sqs`.
        service: Option<&'static str>,
    },
    /// CloudFormation itself refuses a value.
    OfValue {
        pointer: String,
        message: &'static str,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SchemaViolation {
    /// JSON pointer such as `/Rules/0/Id`; empty for the properties as a whole.
    pub pointer: String,
    pub message: String,
}

impl PropertyRefusal {
    /// Returns the JSON pointer of the property, such as `/Rules/0/Id`.
    pub(crate) fn pointer(&self) -> String {
        match self {
            Self::BySchema(violations) | Self::ByService(violations) => violations
                .first()
                .map(|first| first.pointer.clone())
                .unwrap_or_default(),
            Self::ByHandler { property, .. } => format!("/{property}"),
            Self::OfValue { pointer, .. } => pointer.clone(),
        }
    }

    /// Returns CloudFormation's message, without the identifiers of a request.
    pub(crate) fn message(&self, logical_id: &str) -> String {
        match self {
            Self::BySchema(violations) => {
                let lines = violations
                    .iter()
                    .map(|it| format!("#{}: {}", it.pointer, it.message));
                let lines = lines.collect::<Vec<_>>().join("\n");
                format!(
                    "Properties validation failed for resource {logical_id} with message:\n{lines}"
                )
            }
            Self::ByService(violations) => {
                let found: Vec<String> =
                    violations.iter().map(SchemaViolation::by_service).collect();
                format!("Property validation failure: [{}]", found.join(", "))
            }
            Self::ByHandler { message, .. } => {
                format!(
                    r#"Resource handler returned message: "{message}" (HandlerErrorCode: InvalidRequest)"#
                )
            }
            Self::OfValue { message, .. } => (*message).to_owned(),
        }
    }
}

impl SchemaViolation {
    /// Returns the message of a type that CloudFormation checks itself.
    fn by_service(&self) -> String {
        let pointer = &self.pointer;
        let inside = |start: &str, end: &str| self.message.strip_prefix(start)?.strip_suffix(end);
        if let Some(name) = inside("required key [", "] not found") {
            return format!("The property {{{pointer}/{name}}} is required");
        }
        if let Some(name) = inside("extraneous key [", "] is not permitted") {
            let at = if pointer.is_empty() { "/" } else { pointer };
            return format!("Encountered unsupported properties in {{{at}}}: [{name}]");
        }
        let expected = self
            .message
            .strip_prefix("expected type: ")
            .and_then(|rest| rest.split(',').next());
        let expected = match expected.unwrap_or_default() {
            "JSONArray" => "List",
            "JSONObject" => "Map",
            other => other,
        };
        format!("Value of property {{{pointer}}} does not match type {{{expected}}}")
    }
}

/// Returns why the properties of a type are refused. Types that the catalog doesn't have and
/// unknown values are accepted.
pub(crate) fn refusal(kind: &str, properties: &IndexMap<String, Value>) -> Option<PropertyRefusal> {
    if is_custom_resource(kind) {
        return None;
    }
    if kind == NESTED_STACK
        && let Some(refusal) = nested_parameters_refused(properties)
    {
        return Some(refusal);
    }
    let known = resource_type(kind)?;
    let mut check = PropertyCheck {
        known: &known,
        violations: Vec::new(),
    };
    check.object(&known.properties, properties, &PropertyPath::default());
    // The URL of a nested stack is checked together with the template that it points to.
    check
        .violations
        .retain(|it| kind != NESTED_STACK || !it.pointer.starts_with("/TemplateURL"));
    match check.violations {
        violations if violations.is_empty() => name_refused(kind, properties),
        violations if is_checked_by_service(kind) => Some(PropertyRefusal::ByService(violations)),
        violations => Some(PropertyRefusal::BySchema(violations)),
    }
}

/// The path of a value in the properties.
#[derive(Clone, Default)]
struct PropertyPath {
    /// As a JSON pointer without the leading `#`: `/Rules/0/Id`.
    pointer: String,
    /// In the notation of the catalog: `Rules.*.Id`.
    path: String,
}

impl PropertyPath {
    fn name(&self, name: &str) -> Self {
        self.at(name, name)
    }

    fn item(&self, index: usize) -> Self {
        self.at(&index.to_string(), "*")
    }

    fn at(&self, pointer: &str, path: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            pointer: format!("{}/{pointer}", self.pointer),
            path: format!("{}{dot}{path}", self.path),
        }
    }
}

struct PropertyCheck<'a> {
    known: &'a ResourceType,
    violations: Vec<SchemaViolation>,
}

impl PropertyCheck<'_> {
    fn violation(&mut self, place: &PropertyPath, what: &str) {
        self.violations.push(SchemaViolation {
            pointer: place.pointer.clone(),
            message: what.to_owned(),
        });
    }

    fn object(
        &mut self,
        object: &ObjectShape,
        entries: &IndexMap<String, Value>,
        place: &PropertyPath,
    ) {
        for name in object
            .required()
            .filter(|name| !entries.contains_key(*name))
        {
            // Properties that only AWS sets may be required in what AWS returns.
            if !self
                .known
                .read_only
                .contains(&place.name(name).path.as_str())
            {
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

    fn value(&mut self, shape: &Shape, value: &Value, place: &PropertyPath) {
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
            // Some types accept JSON as a string.
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

    fn mismatch(&mut self, expected: &str, value: &Value, place: &PropertyPath) {
        self.violation(
            place,
            &format!("expected type: {expected}, found: {}", found(value)),
        );
    }
}

/// Returns whether a value is accepted as a JSON type. Scalars are accepted for each other if their
/// text can be parsed as the type.
fn takes(json: JsonType, value: &Value) -> bool {
    match (json, value) {
        (JsonType::Array, Value::List(_)) | (JsonType::Object, Value::Map(_)) => true,
        (JsonType::Object, Value::String(text)) => text.trim_start().starts_with('{'),
        (JsonType::Array | JsonType::Object, _) | (_, Value::List(_) | Value::Map(_)) => false,
        (JsonType::Integer | JsonType::Number, Value::String(text)) => {
            text.trim().parse::<f64>().is_ok()
        }
        (JsonType::Boolean, Value::String(text)) => ["true", "false"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word)),
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

/// Checks the rules for names that aren't in the schemas and that tests often violate, with the
/// messages reported from their handlers
/// (<https://github.com/splunk/splunk-aws-gdi-toolkit/issues/25>,
/// <https://github.com/mapbox/cloudfriend/issues/94>).
fn name_refused(kind: &str, properties: &IndexMap<String, Value>) -> Option<PropertyRefusal> {
    let name = |property: &str| match properties.get(property) {
        Some(Value::String(name)) if !name.is_empty() => Some(name.as_str()),
        _ => None,
    };
    let (property, message, service) = match kind {
        "AWS::S3::Bucket" => (
            "BucketName",
            bucket_name_refused(name("BucketName")?)?,
            None,
        ),
        "AWS::SQS::Queue" => {
            let is_fifo = match properties.get("FifoQueue") {
                Some(Value::Unknown(_)) => return None,
                fifo => fifo
                    .and_then(Value::as_text)
                    .is_some_and(|fifo| is_true(&fifo)),
            };
            (
                "QueueName",
                queue_name_refused(name("QueueName")?, is_fifo)?,
                Some("Sqs"),
            )
        }
        _ => return None,
    };
    Some(PropertyRefusal::ByHandler {
        property,
        message,
        service,
    })
}

/// Refuses lists as parameters of a nested stack, which must be joined, with the message from
/// before there were schemas.
fn nested_parameters_refused(properties: &IndexMap<String, Value>) -> Option<PropertyRefusal> {
    let Some(Value::Map(parameters)) = properties.get("Parameters") else {
        return None;
    };
    let is_simple = |value: &Value| !matches!(value, Value::List(_) | Value::Map(_));
    let (name, _) = parameters.iter().find(|(_, value)| !is_simple(value))?;
    Some(PropertyRefusal::OfValue {
        pointer: format!("/Parameters/{name}"),
        message: "Value of property Parameters must be an object with String (or simple type) \
            properties",
    })
}

/// Checks in the order and with the messages of `BucketNameUtils` in the AWS SDK for Java.
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
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if is_fifo {
        let fits = name.len() <= 80 && name.strip_suffix(".fifo").is_some_and(is_plain);
        (!fits).then_some(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
             underscores, must end with \
            .fifo suffix and be 1 to 80 in length.",
        )
    } else {
        let fits = name.len() <= 80 && is_plain(name);
        (!fits).then_some(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )
    }
}

/// Returns whether a string means true.
pub(crate) fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}
