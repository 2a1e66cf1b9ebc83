//! What lies outside of a template: the stack's own resources, exports, stored values, zones, files
//! in S3.

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
use crate::template::{Environment, NestedTemplate, Template, Unknown, Value};
use crate::yaml::{self, Node};

/// The world of one stack, at this moment.
pub struct StackWorld<'a> {
    pub cloud: &'a Cloud,
    pub state: &'a CloudFormationState,
    pub caller: &'a Caller,
    pub template: &'a Template,
    /// None before it is created.
    pub stack: Option<&'a StackRecord>,
    pub is_nested: bool,
    /// Parameters whose values the simulator made up for the parent.
    pub made_up: Cow<'a, BTreeSet<String>>,
    /// Before anything happens, values that are stored are taken as they are now, and noted; later
    /// those count.
    pub ssm_values: Option<&'a HashMap<String, String>>,
    pub visibility: Visibility<'a>,
    pub references: RefCell<ExternalReferences>,
}

/// What an evaluation may know of the stack's resources.
#[derive(Clone, Copy, Default)]
pub struct Visibility<'a> {
    /// Resources that are about to be replaced: what they give isn't known yet.
    pub replaced: Option<&'a BTreeSet<String>>,
    /// No attribute of any resource is known.
    pub hides_attributes: bool,
    /// What the simulator made up isn't known: to tell whether a failure hangs on it.
    pub hides_made_up: bool,
}

/// What the evaluation asked for.
#[derive(Default)]
pub struct ExternalReferences {
    /// Values of SSM parameters, by the name that was asked for.
    pub ssm_values: HashMap<String, String>,
    pub imports: BTreeSet<String>,
}

/// Begins the message of a failure that the stack as a whole has, after it was accepted.
pub const NO_EXPORT: &str = "No export named ";

/// Whether a macro has failed, which shows only when the stack or its change set is made.
pub fn is_failed_transform(message: &str) -> bool {
    message.starts_with("Transform ") && message.contains(" failed with: ")
}

/// What CloudFormation says of an attribute that a resource type doesn't have, before there is a
/// resource of that type. It says so only of the types that it checks by itself.
pub fn is_unsupported_attribute(message: &str) -> bool {
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

    /// A value, or that it isn't known where it is made up and that counts.
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

    /// What `secret-id:secret-string:json-key:version-stage:version-id` stands for, where all but
    /// the ID may be empty or left out
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-secretsmanager.html>).
    fn secret(&self, reference: &str) -> Result<Value, String> {
        /// An ARN has so many colons of its own.
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
        let (key, stage, version_id) = (next(), next(), next());
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

/// An attribute that the scenario gives. The data of a wait condition are JSON as text.
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

/// The version of the CDK's bootstrap stack, for which every template that `cdk synth` writes asks,
/// whatever the qualifier. There is no such stack here, and nothing of it is needed to launch the
/// template. <https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html>
fn bootstrap_version(name: &str) -> Option<&'static str> {
    const NEW_ENOUGH_FOR_ALL: &str = "30";
    let qualifier = name
        .strip_prefix("/cdk-bootstrap/")?
        .strip_suffix("/version")?;
    (!qualifier.is_empty() && !qualifier.contains('/')).then_some(NEW_ENOUGH_FOR_ALL)
}

impl Environment for StackWorld<'_> {
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
        if parameter.kind == ssm::ParameterType::SecureString {
            return Err(format!(
                "Parameters [{name}] referenced by template have types not supported by \
                 CloudFormation."
            ));
        }
        // What counts is the stored parameter's type, not whether there are commas in it.
        if (parameter.kind == ssm::ParameterType::StringList) != is_list {
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

    /// Only what is seeded or made by a stack is known, and only of things of which something is
    /// seeded. A nested stack may be given what its parent makes: attributes that nobody knows.
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
                if service == "ssm" && parameter.kind == ssm::ParameterType::SecureString {
                    let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
                    return Err(format!(
                        "Non-secure ssm prefix was used for secure parameter {name}"
                    ));
                }
                Ok(Value::String(parameter.value))
            }
            // They are looked up when the resource is made, not before.
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
                // Not confirmed.
                ObjectNotFound::Key => failed("S3 error: The specified key does not exist."),
            })?;
        let text = String::from_utf8_lossy(&content);
        let parsed = yaml::parse(&Arc::from(Path::new("included")), &text);
        let malformed = || failed("The specified S3 object's content should be valid Yaml/JSON");
        parsed.root.map(Some).ok_or_else(malformed)
    }

    /// A nested stack is a stack of its own, with a world of its own.
    fn nested<'w>(&'w self, _: &'w Template, logical_id: &str, _: &Value) -> NestedTemplate<'w> {
        NestedTemplate::Unknown {
            unknown: Unknown::launched(format!("nested stack {logical_id}")),
            likely: None,
        }
    }
}
