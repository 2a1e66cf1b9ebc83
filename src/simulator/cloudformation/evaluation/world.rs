//! What templates refer to outside of themselves: the stack's resources, exports, stored values,
//! zones, and files in S3.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::simulator::cloudformation::resource::{self, DeclaredResource};
use crate::simulator::cloudformation::state::CloudFormationState;
use crate::simulator::cloudformation::state::resource_record::ResourceRecord;
use crate::simulator::cloudformation::state::stack::StackRecord;
use crate::simulator::s3::ObjectNotFound;
use crate::simulator::scenario::{ResourceFacts, ResourcePhase};
use crate::simulator::{Caller, Cloud, ec2, ssm};
use crate::template::{EvaluationEnvironment, NestedTemplate, Template, Unknown, Value};
use crate::yaml::{self, Node};

/// The world of one stack at this moment.
pub(crate) struct StackWorld<'a> {
    pub cloud: &'a Cloud,
    pub state: &'a CloudFormationState,
    pub caller: &'a Caller,
    pub template: &'a Template,
    /// None before the stack is created.
    pub stack: Option<&'a StackRecord>,
    pub is_nested: bool,
    /// Parameters whose values the simulator made up for the parent stack.
    pub made_up: Cow<'a, BTreeSet<String>>,
    /// SSM values as they were when the operation began; none before, when current values are used
    /// and recorded.
    pub ssm_values: Option<&'a HashMap<String, String>>,
    pub visibility: Visibility<'a>,
    pub references: RefCell<ExternalReferences>,
}

/// What an evaluation may see of the stack's resources.
#[derive(Clone, Copy, Default)]
pub(crate) struct Visibility<'a> {
    /// Resources that are about to be replaced: their IDs and attributes are unknown.
    pub replaced: Option<&'a BTreeSet<String>>,
    /// Whether all attributes of resources are unknown.
    pub hides_attributes: bool,
    /// Whether made-up values are unknown, to find out whether a failure depends on them.
    pub hides_made_up: bool,
}

/// What an evaluation has referred to.
#[derive(Default)]
pub(crate) struct ExternalReferences {
    /// Values of SSM parameters by the names that were used.
    pub ssm_values: HashMap<String, String>,
    pub imports: BTreeSet<String>,
}

/// The beginning of the message for a missing export, which fails the stack after it was accepted.
pub(crate) const NO_EXPORT: &str = "No export named ";

/// Returns whether a macro has failed, which is reported only when the stack or its change set is
/// created.
pub(crate) fn is_failed_transform(message: &str) -> bool {
    message.starts_with("Transform ") && message.contains(" failed with: ")
}

/// Returns whether a message says that a resource type doesn't have an attribute, which
/// CloudFormation reports before creation only for the types that it checks itself.
pub(crate) fn is_unsupported_attribute(message: &str) -> bool {
    message.starts_with("Resource type ") && message.contains(" does not support attribute {")
}

impl StackWorld<'_> {
    fn resource(&self, logical_id: &str) -> Option<&ResourceRecord> {
        if self
            .visibility
            .replaced
            .is_some_and(|replaced| replaced.contains(logical_id))
        {
            return None;
        }
        self.stack?
            .resources
            .get(logical_id)
            .filter(|resource| !resource.is_deleted())
    }

    fn declared<'f>(
        &'f self,
        logical_id: &'f str,
        resource: &'f ResourceRecord,
    ) -> DeclaredResource<'f> {
        DeclaredResource {
            account: &self.caller.account,
            region: &self.caller.region,
            stack_name: self.stack.map(|stack| &*stack.name).unwrap_or_default(),
            logical_id,
            kind: &resource.kind,
            properties: &resource.properties,
        }
    }

    /// Returns a value, or an unknown one if it is made up and made-up values are hidden.
    fn value_unless_made_up(
        &self,
        value: &str,
        is_made_up: bool,
        what: impl FnOnce() -> String,
    ) -> Value {
        if is_made_up && self.visibility.hides_made_up {
            Unknown::launched(what()).into()
        } else {
            Value::text(value)
        }
    }

    fn declared_type(&self, logical_id: &str) -> Option<&str> {
        Some(
            &self
                .template
                .root
                .get("Resources")?
                .get(logical_id)?
                .get("Type")?
                .text,
        )
    }

    /// Resolves `secret-id:secret-string:json-key:version-stage:version-id`, where all but the ID
    /// may be empty or left out
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-secretsmanager.html>).
    fn secret(&self, reference: &str) -> Result<Value, String> {
        /// The number of colons in an ARN.
        const COLONS_OF_AN_ARN: usize = 6;
        let in_id = if reference.starts_with("arn:") {
            COLONS_OF_AN_ARN
        } else {
            0
        };
        let (id, rest) = reference
            .match_indices(':')
            .nth(in_id)
            .map_or((reference, ""), |(at, _)| {
                (&reference[..at], &reference[at + 1..])
            });
        let mut parts = rest
            .split(':')
            .skip(1)
            .map(|part| Some(part).filter(|part| !part.is_empty()));
        let mut next = || parts.next().flatten();
        let key = next();
        let stage = next();
        let version_id = next();
        let text = self
            .cloud
            .secrets
            .value(self.caller, id, stage, version_id)
            .map_err(|error| error.message)?;
        let Some(key) = key else {
            return Ok(Value::String(text));
        };
        let json: serde_json::Value = serde_json::from_str(&text)
            .map_err(|_| "Could not parse SecretString JSON".to_owned())?;
        match json.get(key) {
            Some(serde_json::Value::String(value)) => Ok(Value::text(value.as_str())),
            Some(other) => Ok(Value::text(other.to_string())),
            None => {
                Err("Could not find a value associated with JSONKey in SecretString".to_owned())
            }
        }
    }
}

/// Returns an attribute that the scenario sets. The data of a wait condition are JSON in a string.
fn scenario_value(kind: &str, value: &Json) -> Value {
    match value {
        Json::Object(_) if kind == "AWS::CloudFormation::WaitCondition" => {
            Value::text(value.to_string())
        }
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => Value::Number(value.clone()),
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => {
            Value::List(items.iter().map(|item| scenario_value("", item)).collect())
        }
        Json::Object(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, entry)| (key.clone(), scenario_value("", entry)))
                .collect(),
        ),
    }
}

/// Returns the version of the CDK's bootstrap stack, which every template that `cdk synth` writes
/// reads, whatever its qualifier. The simulator has no such stack, and launching the template needs
/// nothing of it. <https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html>
fn bootstrap_version(name: &str) -> Option<&'static str> {
    const NEW_ENOUGH_FOR_ALL: &str = "30";
    let qualifier = name
        .strip_prefix("/cdk-bootstrap/")?
        .strip_suffix("/version")?;
    (!qualifier.is_empty() && !qualifier.contains('/')).then_some(NEW_ENOUGH_FOR_ALL)
}

impl EvaluationEnvironment for StackWorld<'_> {
    fn is_made_up(&self, parameter: &str) -> bool {
        self.made_up.contains(parameter)
    }

    fn physical_id(&self, logical_id: &str) -> Result<Value, String> {
        let what = || format!("physical ID of {logical_id}");
        let found = self
            .resource(logical_id)
            .and_then(|it| Some((it, it.physical_id.as_deref()?)));
        let Some((resource, id)) = found else {
            return Ok(Unknown::launched(what()).into());
        };
        let is_made_up = resource.child.is_none()
            && resource::has_made_up_id(&self.declared(logical_id, resource));
        Ok(self.value_unless_made_up(id, is_made_up, what))
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Result<Value, String> {
        let unknown =
            || Ok(Unknown::launched(format!("attribute {attribute} of {logical_id}")).into());
        let found = self
            .resource(logical_id)
            .filter(|_| !self.visibility.hides_attributes);
        let Some((resource, physical_id)) =
            found.and_then(|it| Some((it, it.physical_id.as_deref()?)))
        else {
            return match self.declared_type(logical_id) {
                Some(kind)
                    if resource::is_checked_by_service(kind)
                        && !resource::has_attribute(kind, attribute) =>
                {
                    Err(format!(
                        "Resource type {kind} does not support attribute {{{attribute}}}"
                    ))
                }
                _ => unknown(),
            };
        };
        if let Some(child) = resource.child {
            let unsupported = || {
                format!(
                    "Template error: resource {logical_id} does not support attribute type \
                     {attribute} in Fn::GetAtt"
                )
            };
            let Some(output) = attribute.strip_prefix("Outputs.") else {
                return Err(unsupported());
            };
            let child = self.state.stack(child);
            return match child.outputs.iter().find(|found| found.key == output) {
                Some(found) => Ok(self.value_unless_made_up(
                    &found.value,
                    found.is_made_up,
                    || format!("output {output} of nested stack {logical_id}"),
                )),
                None if child.is_busy() => unknown(),
                None => Err(unsupported()),
            };
        }
        let declared = self.declared(logical_id, resource);
        let facts = ResourceFacts {
            account: declared.account,
            region: declared.region,
            stack: declared.stack_name,
            logical_id,
            resource_type: declared.kind,
            phase: ResourcePhase::Create,
        };
        if let Some(value) = self.cloud.scenario.attribute(&facts, attribute) {
            return Ok(scenario_value(declared.kind, value));
        }
        let is_there = resource::has_attribute(&resource.kind, attribute);
        if self.visibility.hides_made_up
            && is_there
            && resource::is_made_up_attribute(&declared, physical_id, attribute)
        {
            return unknown();
        }
        resource::attribute(&declared, physical_id, attribute)
    }

    fn availability_zones(&self, region: &str) -> Result<Value, String> {
        Ok(Value::List(
            ec2::zones(region)
                .into_iter()
                .map(|(name, _)| Value::String(name))
                .collect(),
        ))
    }

    fn export(&self, name: &str) -> Result<Value, String> {
        let key = (
            self.caller.account.clone(),
            self.caller.region.clone(),
            name.to_owned(),
        );
        let export = self
            .state
            .exports
            .get(&key)
            .ok_or_else(|| format!("{NO_EXPORT}{name} found."))?;
        self.references.borrow_mut().imports.insert(name.to_owned());
        let outputs = export
            .stack
            .into_iter()
            .flat_map(|number| &self.state.stack(number).outputs);
        let is_made_up = outputs
            .filter(|it| it.export_name.as_deref() == Some(name))
            .any(|it| it.is_made_up);
        Ok(self.value_unless_made_up(&export.value, is_made_up, || format!("export {name}")))
    }

    fn stack_output(
        &self,
        stack: &str,
        output: &str,
        region: Option<&str>,
    ) -> Result<Value, String> {
        let region = region.unwrap_or(&self.caller.region).to_owned();
        let caller = Caller {
            account: self.caller.account.clone(),
            region,
        };
        let number = self
            .state
            .find(&caller, stack)
            .ok_or_else(|| format!("Stack with id {stack} does not exist"))?;
        let found = self
            .state
            .stack(number)
            .outputs
            .iter()
            .find(|found| found.key == output);
        found
            .map(|found| {
                self.value_unless_made_up(&found.value, found.is_made_up, || {
                    format!("output {output} of stack {stack}")
                })
            })
            .ok_or_else(|| format!("Stack {stack} has no output {output}"))
    }

    fn ssm_parameter(&self, name: &str, is_list: bool) -> Result<Value, String> {
        if let Some(value) = self.ssm_values.and_then(|ssm_values| ssm_values.get(name)) {
            return Ok(Value::text(value.as_str()));
        }
        let missing = || {
            format!("Unable to fetch parameters [{name}] from parameter store for this account.")
        };
        let Some(parameter) = self.cloud.ssm.parameter(self.caller, name) else {
            return bootstrap_version(name).map(Value::text).ok_or_else(missing);
        };
        if parameter.kind == ssm::SsmParameterType::SecureString {
            return Err(format!(
                "Parameters [{name}] referenced by template have types not supported by \
                 CloudFormation."
            ));
        }
        // The type of the stored parameter counts, not whether its value contains commas.
        if (parameter.kind == ssm::SsmParameterType::StringList) != is_list {
            return Err(format!(
                "Types for SSM parameters [{name}] defined in CFN template and SSM are incompatible"
            ));
        }
        self.references
            .borrow_mut()
            .ssm_values
            .insert(name.to_owned(), parameter.value.clone());
        Ok(Value::String(parameter.value))
    }

    /// Only kinds of resources of which some are seeded can be checked. A nested stack may get
    /// attributes of its parent's resources, which nobody knows.
    fn exists(&self, parameter_type: &str, value: &str) -> Option<bool> {
        if self.is_nested {
            return None;
        }
        let is_seeded = self.cloud.seeds.has(self.caller, parameter_type, value)?;
        let is_created = parameter_type == "AWS::EC2::KeyPair::KeyName"
            && self.cloud.key_pairs.has(self.caller, value);
        Some(is_seeded || is_created || self.state.has_resource(self.caller, value))
    }

    fn dynamic_reference(&self, reference: &str) -> Result<Value, String> {
        let inside = reference
            .trim_start_matches("{{resolve:")
            .trim_end_matches("}}");
        match inside.split_once(':') {
            Some((service @ ("ssm" | "ssm-secure"), name)) => {
                let missing = || {
                    format!(
                        "Unable to fetch parameters [{name}] from parameter store for this account."
                    )
                };
                let parameter = self
                    .cloud
                    .ssm
                    .parameter(self.caller, name)
                    .ok_or_else(missing)?;
                if service == "ssm" && parameter.kind == ssm::SsmParameterType::SecureString {
                    let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
                    return Err(format!(
                        "Non-secure ssm prefix was used for secure parameter {name}"
                    ));
                }
                Ok(Value::String(parameter.value))
            }
            // Secrets are looked up when the resource is created, not before.
            Some(("secretsmanager", _)) if self.stack.is_none() => {
                Ok(Unknown::asked(format!("dynamic reference {reference}")).into())
            }
            Some(("secretsmanager", rest)) => self.secret(rest),
            _ => Err(format!(
                "Template error: the dynamic reference {reference} is not supported."
            )),
        }
    }

    fn included(&self, location: &str) -> Result<Option<Node>, String> {
        let failed = |message: &str| format!("Transform AWS::Include failed with: {message}");
        let Some((bucket, key)) = location
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'))
        else {
            return Err(failed("The location parameter is not a valid S3 uri."));
        };
        let content = self
            .cloud
            .s3
            .object(bucket, key)
            .map_err(|missing| match missing {
                ObjectNotFound::Bucket => failed(&format!("S3 bucket [{bucket}] does not exist.")),
                // Not confirmed by a recording.
                ObjectNotFound::Key => failed("S3 error: The specified key does not exist."),
            })?;
        let text = String::from_utf8_lossy(&content);
        let parsed = yaml::parse(&Arc::from(Path::new("included")), &text);
        let malformed = || failed("The specified S3 object's content should be valid Yaml/JSON");
        parsed.root.map(Some).ok_or_else(malformed)
    }

    /// A nested stack is evaluated as a stack of its own.
    fn nested<'w>(&'w self, _: &'w Template, logical_id: &str, _: &Value) -> NestedTemplate<'w> {
        NestedTemplate::Unknown {
            unknown: Unknown::launched(format!("nested stack {logical_id}")),
            likely: None,
        }
    }
}
