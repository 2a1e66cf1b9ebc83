//! The actions of SSM.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use serde_json::{Value as Json, json};

use super::filter::filters;
use super::name::{check_name, local_name};
use super::public::is_ami_path;
use super::store::{
    ParameterDescription, ParameterKey, ParameterStore, ParameterVersion, SsmParameterType,
    StoredParameter, key, not_found,
};
use crate::catalog;
use crate::simulator::clock::Clock;
use crate::simulator::error::ServiceError;
use crate::simulator::json::{
    JsonInput, JsonResult, epoch_seconds, error, request_tags, unknown_action, validation,
};
use crate::simulator::{Caller, lock, sts};

impl ParameterStore {
    /// Carries out an action.
    ///
    /// # Errors
    /// Returns the service's error.
    pub(in crate::simulator) fn call(
        &self,
        clock: &Clock,
        caller: &Caller,
        action: &str,
        input: &JsonInput,
    ) -> JsonResult {
        match action {
            "GetParameter" => self.get_parameter(caller, input),
            "GetParameters" => self.get_parameters(caller, input),
            "GetParametersByPath" => self.get_parameters_by_path(caller, input),
            "DescribeParameters" => self.describe_parameters(caller, input),
            "PutParameter" => self.put_parameter(clock, caller, input),
            "DeleteParameter" => {
                let name = input.required("Name")?;
                if self.delete(caller, name) {
                    Ok(json!({}))
                } else {
                    Err(not_found())
                }
            }
            "DeleteParameters" => self.delete_parameters(caller, input),
            "ListTagsForResource" => self.list_tags(caller, input),
            "AddTagsToResource" | "RemoveTagsFromResource" => self.change_tags(caller, input),
            action => Err(unknown_action(action)),
        }
    }

    fn list_tags(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let parameters = lock(&self.parameters);
        let stored = parameters
            .get(&resource_key(caller, input)?)
            .ok_or_else(no_resource)?;
        let tag = |(key, value): &(String, String)| json!({"Key": key, "Value": value});
        Ok(json!({"TagList": stored.description.tags.iter().map(tag).collect::<Vec<_>>()}))
    }

    fn change_tags(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let mut parameters = lock(&self.parameters);
        let stored = parameters
            .get_mut(&resource_key(caller, input)?)
            .ok_or_else(no_resource)?;
        let tags = &mut stored.description.tags;
        let removed = input.texts("TagKeys");
        tags.retain(|(key, _)| !removed.contains(&key.as_str()));
        for (key, value) in request_tags(input) {
            tags.retain(|(known, _)| *known != key);
            tags.push((key, value));
        }
        Ok(json!({}))
    }

    fn get_parameter(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let name = input.required("Name")?;
        let found = self.find(caller, name)?;
        Ok(json!({"Parameter": parameter_json(caller, name, &found, input.flag("WithDecryption"))}))
    }

    fn get_parameters(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let names = names(input)?;
        let mut parameters = Vec::new();
        let mut invalid = Vec::new();
        for name in names {
            match self.find(caller, name) {
                Ok(found) => parameters.push(parameter_json(
                    caller,
                    name,
                    &found,
                    input.flag("WithDecryption"),
                )),
                Err(_) => invalid.push(name),
            }
        }
        Ok(json!({"Parameters": parameters, "InvalidParameters": invalid}))
    }

    fn get_parameters_by_path(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let path = input.required("Path")?;
        if !path.starts_with('/') {
            return Err(validation(
                "The parameter path must begin with a forward slash.",
            ));
        }
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let limit = input
            .number("MaxResults")
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(10)
            .clamp(1, 10);
        let after = input.text("NextToken").unwrap_or_default();
        let parameters = lock(&self.parameters);
        let here = parameters.iter().filter(|((account, region, name), _)| {
            let below = name.strip_prefix(&prefix);
            *account == caller.account
                && *region == caller.region
                && below.is_some_and(|rest| input.flag("Recursive") || !rest.contains('/'))
                && name.as_str() > after
        });
        let mut here: Vec<_> = here.take(limit + 1).collect();
        let more = here.len() > limit;
        here.truncate(limit);
        let last = here.last().map(|((_, _, name), _)| name.clone());
        let each = |((_, _, name), stored): &(&ParameterKey, &StoredParameter)| {
            Some(parameter_json(
                caller,
                name,
                stored.versions.last()?,
                input.flag("WithDecryption"),
            ))
        };
        let mut output = json!({"Parameters": here.iter().filter_map(each).collect::<Vec<_>>()});
        if let (true, Some(last)) = (more, last) {
            output["NextToken"] = last.into();
        }
        Ok(output)
    }

    /// Carries out `DescribeParameters`.
    /// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html>
    fn describe_parameters(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        const MOST: usize = 50;
        let limit = input
            .number("MaxResults")
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(MOST);
        let limit = limit.clamp(1, MOST);
        let after = input.text("NextToken").unwrap_or_default();
        let filters = filters(input)?;
        let parameters = lock(&self.parameters);
        let here = parameters
            .iter()
            .filter(|((account, region, name), stored)| {
                let is_wanted = filters.iter().all(|filter| filter.matches(name, stored));
                *account == caller.account
                    && *region == caller.region
                    && name.as_str() > after
                    && is_wanted
            });
        let mut here: Vec<_> = here.take(limit + 1).collect();
        let more = here.len() > limit;
        here.truncate(limit);
        let each = |((_, _, name), stored): &(&ParameterKey, &StoredParameter)| {
            let mut described = parameter_json(caller, name, stored.versions.last()?, false);
            if let Some(members) = described.as_object_mut() {
                members.remove("Value");
            }
            let ParameterDescription {
                text,
                tier,
                allowed_pattern,
                data_type,
                ..
            } = &stored.description;
            described["Tier"] = tier.as_deref().unwrap_or("Standard").into();
            let members = [
                ("Description", text),
                ("AllowedPattern", allowed_pattern),
                ("DataType", data_type),
            ];
            for (member, text) in members
                .into_iter()
                .filter_map(|(member, text)| Some((member, text.as_deref()?)))
            {
                described[member] = text.into();
            }
            described["Policies"] = json!([]);
            described["LastModifiedUser"] = sts::user_arn(caller).into();
            Some(described)
        };
        let mut output = json!({"Parameters": here.iter().filter_map(each).collect::<Vec<_>>()});
        if let Some(((_, _, name), _)) = here.last().filter(|_| more) {
            output["NextToken"] = name.as_str().into();
        }
        Ok(output)
    }

    fn put_parameter(&self, clock: &Clock, caller: &Caller, input: &JsonInput) -> JsonResult {
        let name = local_name(input.required("Name")?);
        let value = input.required("Value")?;
        check_name(name)?;
        let existing = self.find(caller, name).ok().map(|found| found.kind);
        let kind = match (input.text("Type"), existing) {
            (Some(name), _) => SsmParameterType::named(name).ok_or_else(|| {
                error(
                    "UnsupportedParameterType",
                    format!(
                        "{name} is not a valid parameter type. Valid values are String, \
                        StringList, SecureString."
                    ),
                )
            })?,
            (None, Some(kind)) => kind,
            (None, None) => {
                return Err(validation(
                    "A parameter type is required when you create a \
                parameter.",
                ));
            }
        };
        if existing.is_some() && !input.flag("Overwrite") {
            let message = "The parameter already exists. To overwrite this value, set the \
                overwrite option in the request to true.";
            return Err(error("ParameterAlreadyExists", message));
        }
        let tier = input.text("Tier").unwrap_or("Standard");
        check_value(value, tier)?;
        let version = self.put(caller, name, kind, value, clock.now());
        if version == 1 || input.text("Description").is_some() {
            let text = |name: &str| input.text(name).map(str::to_owned);
            let description = ParameterDescription {
                text: text("Description"),
                tier: text("Tier"),
                allowed_pattern: text("AllowedPattern"),
                data_type: text("DataType"),
                tags: request_tags(input),
            };
            self.describe(caller, name, description);
        }
        let is_advanced = tier == "Advanced" || value.chars().count() > MAX_STANDARD_LENGTH;
        Ok(json!({"Version": version, "Tier": if is_advanced { "Advanced" } else { "Standard" }}))
    }

    fn delete_parameters(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let (deleted, invalid): (Vec<&str>, Vec<&str>) = names(input)?
            .into_iter()
            .partition(|name| self.delete(caller, local_name(name)));
        Ok(json!({"DeletedParameters": deleted, "InvalidParameters": invalid}))
    }
}

/// The longest values of the two tiers, in characters.
const MAX_STANDARD_LENGTH: usize = 4096;

const MAX_ADVANCED_LENGTH: usize = 8192;

/// The largest number of names in GetParameters and DeleteParameters.
const MAX_NAMES: usize = 10;

/// Returns the key of the parameter that a call about tags names.
fn resource_key(caller: &Caller, input: &JsonInput) -> Result<ParameterKey, ServiceError> {
    if input.required("ResourceType")? != "Parameter" {
        return Err(no_resource());
    }
    Ok(key(caller, local_name(input.required("ResourceId")?)))
}

fn no_resource() -> ServiceError {
    error("InvalidResourceId", "")
}

fn names(input: &JsonInput) -> Result<Vec<&str>, ServiceError> {
    let names = input.texts("Names");
    if names.is_empty() || names.len() > MAX_NAMES {
        let parameter_json = names.join(", ");
        return Err(validation(format!(
            "1 validation error detected: Value '[{parameter_json}]' at 'names' failed to satisfy \
             constraint: Member must have \
             length {} than or equal to {}",
            if names.is_empty() { "greater" } else { "less" },
            if names.is_empty() { 1 } else { MAX_NAMES },
        )));
    }
    Ok(names)
}

fn check_value(value: &str, tier: &str) -> Result<(), ServiceError> {
    let length = value.chars().count();
    if length == 0 {
        return Err(validation(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member \
             must have length \
             greater than or equal to 1.",
        ));
    }
    let most = if tier == "Standard" {
        MAX_STANDARD_LENGTH
    } else {
        MAX_ADVANCED_LENGTH
    };
    if length > most {
        return Err(validation(format!(
            "{tier} tier parameters support a maximum parameter value of {most} characters. To \
             create a larger parameter \
             value, upgrade the parameter to use the advanced-parameter tier."
        )));
    }
    Ok(())
}

fn parameter_json(
    caller: &Caller,
    name: &str,
    parameter: &ParameterVersion,
    decrypted: bool,
) -> Json {
    let name = local_name(name);
    let (name, selector) = name
        .split_once(':')
        .map_or((name, None), |(name, selector)| (name, Some(selector)));
    let account = if name.starts_with("/aws/service/") {
        ""
    } else {
        caller.account.as_str()
    };
    let partition = catalog::partition_of(&caller.region).name;
    let slash = if name.starts_with('/') { "" } else { "/" };
    let value = match parameter.kind {
        SsmParameterType::SecureString if !decrypted => ciphertext(&parameter.value),
        _ => parameter.value.clone(),
    };
    let mut output = json!({
        "Name": name,
        "Type": parameter.kind.name(),
        "Value": value,
        "Version": parameter.version,
        "LastModifiedDate": epoch_seconds(parameter.modified),
        "ARN": format!("arn:{partition}:ssm:{}:{account}:parameter{slash}{name}", caller.region),
        "DataType": if is_ami_path(name) { "aws:ec2:image" } else { "text" },
    });
    if let Some(selector) = selector {
        output["Selector"] = format!(":{selector}").into();
    }
    output
}

/// Returns a text that doesn't contain the value, in place of KMS's ciphertext.
fn ciphertext(value: &str) -> String {
    BASE64_STANDARD.encode([&b"simulated ciphertext "[..], Md5::digest(value).as_slice()].concat())
}
