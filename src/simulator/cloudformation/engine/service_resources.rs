//! Resources that exist in other simulated services: buckets and their policies, parameters, and
//! secrets, with the tags that CloudFormation adds
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-resource-tags.html>).

use jiff::Timestamp;
use rand::distr::{Alphanumeric, SampleString};
use serde_json::Value as Json;

use super::password;
use crate::simulator::cloudformation::resource::{
    DeclaredResource, ResourceProperties, property_tags,
};
use crate::simulator::cloudformation::state::resource_record::ResourceRecord;
use crate::simulator::cloudformation::state::stack::StackRecord;
use crate::simulator::secrets_manager::SecretDescription;
use crate::simulator::ssm::{self, ParameterDescription, SsmParameterType};
use crate::simulator::{Caller, Cloud};
use crate::template::Value;

/// Creates the resource in its service, and returns its physical ID: the given one, or the one that
/// the service has assigned.
pub(super) fn create(
    cloud: &Cloud,
    stack: &StackRecord,
    declared: &DeclaredResource,
    physical_id: String,
    at: Timestamp,
) -> Result<String, String> {
    let owner = &stack.owner;
    match declared.kind {
        "AWS::S3::Bucket" => {
            if cloud.s3.bucket(&physical_id).is_some() {
                return Err(format!("{physical_id} already exists"));
            }
            cloud
                .s3
                .create_bucket(owner, &physical_id, at)
                .map_err(|error| error.message)?;
            set_up_bucket(
                cloud,
                stack,
                declared.logical_id,
                &physical_id,
                declared.properties,
            );
            Ok(physical_id)
        }
        "AWS::S3::BucketPolicy" => {
            put_bucket_policy(cloud, declared.properties)?;
            Ok(physical_id)
        }
        "AWS::SSM::Parameter" => {
            ssm::check_name(&physical_id).map_err(|error| error.message)?;
            if cloud.ssm.parameter(owner, &physical_id).is_some() {
                return Err(format!("{physical_id} already exists."));
            }
            put_parameter(
                cloud,
                stack,
                declared.logical_id,
                &physical_id,
                declared.properties,
                at,
            );
            Ok(physical_id)
        }
        "AWS::SecretsManager::Secret" => {
            let name = text(declared.properties.get("Name"));
            let name = name.unwrap_or_else(|| {
                format!(
                    "{}-{}",
                    declared.logical_id,
                    Alphanumeric.sample_string(&mut rand::rng(), 12)
                )
            });
            let created =
                cloud
                    .secrets
                    .create(owner, &name, secret(declared.properties).as_deref(), at);
            let arn = created.map_err(|error| error.message)?;
            cloud.secrets.describe(
                owner,
                &arn,
                description(stack, declared.logical_id, declared.properties),
                at,
            );
            Ok(arn)
        }
        "AWS::SecretsManager::ResourcePolicy" => {
            put_secret_policy(cloud, owner, declared.properties);
            Ok(physical_id)
        }
        _ => Ok(physical_id),
    }
}

/// Updates the resource in its service.
///
/// # Errors
/// Returns the service's message if it refuses.
pub(super) fn update(
    cloud: &Cloud,
    stack: &StackRecord,
    id: &str,
    resource: &ResourceRecord,
    at: Timestamp,
) -> Result<(), String> {
    let Some(physical_id) = resource.physical_id.as_deref() else {
        return Ok(());
    };
    let owner = &stack.owner;
    let properties = &resource.properties;
    match &*resource.kind {
        "AWS::S3::Bucket" => set_up_bucket(cloud, stack, id, physical_id, properties),
        "AWS::S3::BucketPolicy" => put_bucket_policy(cloud, properties)?,
        "AWS::SSM::Parameter" => put_parameter(cloud, stack, id, physical_id, properties, at),
        "AWS::SecretsManager::Secret" => {
            cloud
                .secrets
                .describe(owner, physical_id, description(stack, id, properties), at);
            let given = text(properties.get("SecretString"));
            let current = cloud.secrets.value(owner, physical_id, None, None).ok();
            let is_other = |value: &String| current.as_ref() != Some(value);
            if let Some(value) = given.filter(is_other) {
                cloud.secrets.put_value(owner, physical_id, &value, at);
            }
        }
        "AWS::SecretsManager::ResourcePolicy" => put_secret_policy(cloud, owner, properties),
        _ => {}
    }
    Ok(())
}

/// Returns whether a resource's service has it; none if the service isn't simulated.
pub(in crate::simulator::cloudformation) fn exists(
    cloud: &Cloud,
    owner: &Caller,
    kind: &str,
    physical_id: &str,
) -> Option<bool> {
    Some(match kind {
        "AWS::S3::Bucket" => cloud.s3.bucket(physical_id).is_some(),
        "AWS::SSM::Parameter" => cloud.ssm.parameter(owner, physical_id).is_some(),
        "AWS::SecretsManager::Secret" => {
            cloud.secrets.value(owner, physical_id, None, None).is_ok()
        }
        "AWS::EC2::KeyPair" => {
            cloud
                .seeds
                .has(owner, "AWS::EC2::KeyPair::KeyName", physical_id)
                == Some(true)
                || cloud.key_pairs.has(owner, physical_id)
        }
        _ => return None,
    })
}

/// Returns why a resource can't be imported: its service is simulated, and doesn't have it.
pub(super) fn missing(
    cloud: &Cloud,
    stack: &StackRecord,
    resource: &ResourceRecord,
) -> Option<String> {
    let physical_id = resource.physical_id.as_deref()?;
    let is_missing = exists(cloud, &stack.owner, &resource.kind, physical_id) == Some(false);
    is_missing.then(|| {
        format!(
            "Resource of type '{}' with identifier '{physical_id}' was not found.",
            resource.kind
        )
    })
}

/// # Errors
/// Returns the service's message if it refuses.
pub(super) fn delete(
    cloud: &Cloud,
    stack: &StackRecord,
    resource: &ResourceRecord,
    physical_id: &str,
) -> Result<(), String> {
    match &*resource.kind {
        "AWS::S3::Bucket" => match cloud.s3.delete_bucket(physical_id) {
            Err(error) if error.code != "NoSuchBucket" => Err(format!(
                "{} (Service: S3, Status Code: {})",
                error.message, error.status
            )),
            _ => Ok(()),
        },
        "AWS::S3::BucketPolicy" => {
            cloud
                .s3
                .delete_policy(&text(resource.properties.get("Bucket")).unwrap_or_default());
            Ok(())
        }
        "AWS::SSM::Parameter" => {
            cloud.ssm.delete(&stack.owner, physical_id);
            Ok(())
        }
        "AWS::SecretsManager::Secret" => {
            cloud.secrets.delete(&stack.owner, physical_id);
            Ok(())
        }
        "AWS::SecretsManager::ResourcePolicy" => {
            let secret = text(resource.properties.get("SecretId")).unwrap_or_default();
            cloud.secrets.set_policy(&stack.owner, &secret, None);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Returns all tags of a resource: its own, the stack's, and those that CloudFormation adds.
fn all_tags(
    stack: &StackRecord,
    logical_id: &str,
    properties: &ResourceProperties,
) -> Vec<(String, String)> {
    let origin = [
        ("stack-name", &*stack.name),
        ("logical-id", logical_id),
        ("stack-id", &*stack.id),
    ];
    let origin =
        origin.map(|(name, value)| (format!("aws:cloudformation:{name}"), value.to_owned()));
    let mut all: Vec<(String, String)> = origin.into();
    for (key, value) in stack
        .settings
        .tags
        .iter()
        .cloned()
        .chain(property_tags(properties))
    {
        match all.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => all.push((key, value)),
        }
    }
    all
}

fn set_up_bucket(
    cloud: &Cloud,
    stack: &StackRecord,
    logical_id: &str,
    name: &str,
    properties: &ResourceProperties,
) {
    cloud.s3.set_up_bucket(
        name,
        &all_tags(stack, logical_id, properties),
        &json(properties),
    );
}

fn put_bucket_policy(cloud: &Cloud, properties: &ResourceProperties) -> Result<(), String> {
    let bucket = text(properties.get("Bucket")).unwrap_or_default();
    cloud
        .s3
        .put_policy(&bucket, &document(properties.get("PolicyDocument")))
}

fn put_parameter(
    cloud: &Cloud,
    stack: &StackRecord,
    logical_id: &str,
    name: &str,
    properties: &ResourceProperties,
    at: Timestamp,
) {
    let is_list = text(properties.get("Type")).as_deref() == Some("StringList");
    let value = text(properties.get("Value")).unwrap_or_default();
    cloud.ssm.put(
        &stack.owner,
        name,
        if is_list {
            SsmParameterType::StringList
        } else {
            SsmParameterType::String
        },
        &value,
        at,
    );
    let description = ParameterDescription {
        text: text(properties.get("Description")),
        tier: text(properties.get("Tier")),
        allowed_pattern: text(properties.get("AllowedPattern")),
        data_type: text(properties.get("DataType")),
        tags: all_tags(stack, logical_id, properties),
    };
    cloud.ssm.describe(&stack.owner, name, description);
}

fn description(
    stack: &StackRecord,
    logical_id: &str,
    properties: &ResourceProperties,
) -> SecretDescription {
    SecretDescription {
        text: text(properties.get("Description")),
        kms_key_id: text(properties.get("KmsKeyId")),
        tags: all_tags(stack, logical_id, properties),
    }
}

/// Returns `SecretString`, or a password that `GenerateSecretString` describes.
fn secret(properties: &ResourceProperties) -> Option<String> {
    if let Some(given) = text(properties.get("SecretString")) {
        return Some(given);
    }
    let generate = properties.get("GenerateSecretString")?.to_json();
    let password = password::generate(&generate);
    let (Some(template), Some(key)) = (
        generate["SecretStringTemplate"].as_str(),
        generate["GenerateStringKey"].as_str(),
    ) else {
        return Some(password);
    };
    let mut json: Json = serde_json::from_str(template).ok()?;
    json.as_object_mut()?
        .insert(key.to_owned(), password.into());
    Some(json.to_string())
}

fn put_secret_policy(cloud: &Cloud, owner: &Caller, properties: &ResourceProperties) {
    let secret = text(properties.get("SecretId")).unwrap_or_default();
    cloud.secrets.set_policy(
        owner,
        &secret,
        Some(document(properties.get("ResourcePolicy"))),
    );
}

/// Returns a policy, which may be written as a string.
fn document(value: Option<&Value>) -> String {
    match value {
        Some(value @ Value::Map(_)) => value.to_json().to_string(),
        other => text(other).unwrap_or_default(),
    }
}

fn json(properties: &ResourceProperties) -> Json {
    Json::Object(
        properties
            .iter()
            .map(|(name, value)| (name.clone(), value.to_json()))
            .collect(),
    )
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_text)
}
