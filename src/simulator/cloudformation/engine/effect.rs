//! Resources that are more than an entry in a stack: buckets, parameters and secrets are there for the other services.

use jiff::Timestamp;
use rand::distr::{Alphanumeric, SampleString};

use super::super::resource::Facts;
use super::super::stack::{Resource, Stack};
use crate::simulator::ssm::{self, Kind};
use crate::simulator::{Caller, Cloud};
use crate::template::Value;

/// Makes the thing, and gives its physical ID: the invented one, but where its service has given it another.
pub fn make(cloud: &Cloud, stack: &Stack, facts: &Facts, physical_id: String, at: Timestamp) -> Result<String, String> {
    let owner = &stack.owner;
    match facts.kind {
        "AWS::S3::Bucket" => {
            let exists = |_| format!("{physical_id} already exists");
            match cloud.s3.bucket(&physical_id) {
                Some(taken) => return Err(exists(taken)),
                None => cloud.s3.create_bucket(owner, &physical_id, at).map_err(|error| error.message)?,
            }
            set_up_bucket(cloud, stack, &physical_id, facts.properties);
            Ok(physical_id)
        }
        "AWS::SSM::Parameter" => {
            ssm::check_name(&physical_id).map_err(|error| error.message)?;
            if cloud.ssm.parameter(owner, &physical_id).is_some() {
                return Err(format!("{physical_id} already exists."));
            }
            put_parameter(cloud, owner, &physical_id, facts.properties, at);
            Ok(physical_id)
        }
        "AWS::SecretsManager::Secret" => {
            let name = text(facts.properties.get("Name"));
            let name = name.unwrap_or_else(|| {
                format!("{}-{}", facts.logical_id, Alphanumeric.sample_string(&mut rand::rng(), 12))
            });
            cloud.secrets.create(owner, &name, secret(facts).as_deref(), at).map_err(|error| error.message)
        }
        _ => Ok(physical_id),
    }
}

/// The thing has other properties from now on.
pub fn change(cloud: &Cloud, stack: &Stack, resource: &Resource, at: Timestamp) {
    let Some(physical_id) = resource.physical_id.as_deref() else { return };
    match &*resource.kind {
        "AWS::S3::Bucket" => set_up_bucket(cloud, stack, physical_id, &resource.properties),
        "AWS::SSM::Parameter" => put_parameter(cloud, &stack.owner, physical_id, &resource.properties, at),
        _ => {}
    }
}

/// Why a resource can't be imported: its service is there and has no such thing.
pub fn missing(cloud: &Cloud, stack: &Stack, resource: &Resource) -> Option<String> {
    let physical_id = resource.physical_id.as_deref()?;
    let is_there = match &*resource.kind {
        "AWS::S3::Bucket" => cloud.s3.bucket(physical_id).is_some(),
        "AWS::SSM::Parameter" => cloud.ssm.parameter(&stack.owner, physical_id).is_some(),
        "AWS::SecretsManager::Secret" => cloud.secrets.value(&stack.owner, physical_id, None, None).is_ok(),
        _ => true,
    };
    (!is_there).then(|| format!("Resource of type '{}' with identifier '{physical_id}' was not found.", resource.kind))
}

/// # Errors
/// The service refuses, in its words.
pub fn unmake(cloud: &Cloud, stack: &Stack, resource: &Resource, physical_id: &str) -> Result<(), String> {
    match &*resource.kind {
        "AWS::S3::Bucket" => match cloud.s3.delete_bucket(physical_id) {
            Err(error) if error.code != "NoSuchBucket" => {
                Err(format!("{} (Service: S3, Status Code: {})", error.message, error.status))
            }
            _ => Ok(()),
        },
        "AWS::SSM::Parameter" => {
            cloud.ssm.delete(&stack.owner, physical_id);
            Ok(())
        }
        "AWS::SecretsManager::Secret" => {
            cloud.secrets.delete(&stack.owner, physical_id);
            Ok(())
        }
        _ => Ok(()),
    }
}

type Properties = indexmap::IndexMap<String, Value>;

fn set_up_bucket(cloud: &Cloud, stack: &Stack, name: &str, properties: &Properties) {
    let own = [("aws:cloudformation:stack-name", &*stack.name), ("aws:cloudformation:stack-id", &*stack.id)];
    let mut tags: Vec<(String, String)> = own.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    tags.extend(stack.settings.tags.iter().cloned());
    if let Some(Value::List(items)) = properties.get("Tags") {
        tags.extend(items.iter().filter_map(|tag| Some((text(member(tag, "Key"))?, text(member(tag, "Value"))?))));
    }
    cloud.s3.tag_bucket(name, &tags);
    if let Some(status) = properties.get("VersioningConfiguration").and_then(|it| text(member(it, "Status"))) {
        cloud.s3.version_bucket(name, status == "Enabled");
    }
}

fn put_parameter(cloud: &Cloud, owner: &Caller, name: &str, properties: &Properties, at: Timestamp) {
    let is_list = text(properties.get("Type")).as_deref() == Some("StringList");
    let kind = if is_list { Kind::StringList } else { Kind::String };
    cloud.ssm.put(owner, name, kind, &text(properties.get("Value")).unwrap_or_default(), at);
}

/// `SecretString`, or a password made as `GenerateSecretString` wants it.
fn secret(facts: &Facts) -> Option<String> {
    const LENGTH: usize = 32;
    if let Some(given) = text(facts.properties.get("SecretString")) {
        return Some(given);
    }
    let generate = facts.properties.get("GenerateSecretString")?;
    let length = text(member(generate, "PasswordLength")).and_then(|length| length.parse().ok()).unwrap_or(LENGTH);
    let password = Alphanumeric.sample_string(&mut rand::rng(), length.min(4096));
    let template = text(member(generate, "SecretStringTemplate"));
    let (Some(template), Some(key)) = (template, text(member(generate, "GenerateStringKey"))) else {
        return Some(password);
    };
    let mut json: serde_json::Value = serde_json::from_str(&template).ok()?;
    json.as_object_mut()?.insert(key, password.into());
    Some(json.to_string())
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Map(entries) => entries.get(name),
        _ => None,
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_text)
}
