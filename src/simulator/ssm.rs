//! SSM: parameters, and the public ones under `/aws/service/`, of which templates mostly read AMI
//! IDs.

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use md5::{Digest, Md5};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::clock::Clock;
use super::error::ServiceError;
use super::json::{JsonInput, JsonResult, error, unknown_action, validation};
use super::{Caller, lock};
use crate::catalog;

/// The parameters of all accounts and regions.
#[derive(Debug, Default)]
pub(crate) struct ParameterStore {
    parameters: Mutex<BTreeMap<ParameterKey, StoredParameter>>,
}

/// Account, region and name.
type ParameterKey = (String, String, String);

/// A parameter with its versions.
#[derive(Clone, Debug, Default)]
struct StoredParameter {
    /// The oldest first, never empty.
    versions: Vec<ParameterVersion>,
    description: ParameterDescription,
}

/// The description of a parameter: everything but its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ParameterDescription {
    pub text: Option<String>,
    /// `Advanced`; absent if it depends on the value.
    pub tier: Option<String>,
    pub allowed_pattern: Option<String>,
    pub data_type: Option<String>,
    pub tags: Vec<(String, String)>,
}

/// A version of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParameterVersion {
    pub kind: SsmParameterType,
    pub value: String,
    /// The first one is 1.
    pub version: i64,
    pub modified: Timestamp,
}

/// Type of an SSM parameter
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum SsmParameterType {
    #[default]
    String,
    StringList,
    SecureString,
}

impl SsmParameterType {
    fn named(name: &str) -> Option<Self> {
        [Self::String, Self::StringList, Self::SecureString]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// Returns the name of the type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::StringList => "StringList",
            Self::SecureString => "SecureString",
        }
    }
}

/// The longest values of the two tiers, in characters.
const MAX_STANDARD_LENGTH: usize = 4096;
const MAX_ADVANCED_LENGTH: usize = 8192;
/// The largest number of names in GetParameters and DeleteParameters.
const MAX_NAMES: usize = 10;
/// The number of versions that are kept
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html>).
const MAX_VERSIONS: usize = 100;

impl ParameterStore {
    /// Returns a parameter, public ones included. `name` may be an ARN, and may end with
    /// `:version`.
    pub(crate) fn parameter(&self, caller: &Caller, name: &str) -> Option<ParameterVersion> {
        self.find(caller, name).ok()
    }

    /// Creates a parameter or adds a version, and returns the version's number.
    pub(crate) fn put(
        &self,
        caller: &Caller,
        name: &str,
        kind: SsmParameterType,
        value: &str,
        now: Timestamp,
    ) -> i64 {
        let mut parameters = lock(&self.parameters);
        let versions = &mut parameters.entry(key(caller, name)).or_default().versions;
        let version = versions.last().map_or(1, |old| old.version + 1);
        versions.push(ParameterVersion {
            kind,
            value: value.to_owned(),
            version,
            modified: now,
        });
        if versions.len() > MAX_VERSIONS {
            versions.remove(0);
        }
        version
    }

    /// Sets the description of a parameter.
    pub(crate) fn describe(&self, caller: &Caller, name: &str, description: ParameterDescription) {
        if let Some(stored) = lock(&self.parameters).get_mut(&key(caller, name)) {
            stored.description = description;
        }
    }

    /// Deletes a parameter; returns whether it existed.
    pub(crate) fn delete(&self, caller: &Caller, name: &str) -> bool {
        lock(&self.parameters).remove(&key(caller, name)).is_some()
    }

    /// Carries out an action.
    ///
    /// # Errors
    /// Returns the service's error.
    pub(super) fn call(
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

    fn find(&self, caller: &Caller, name: &str) -> Result<ParameterVersion, ServiceError> {
        let name = local_name(name);
        let (name, version) = match name.split_once(':') {
            Some((name, version)) => (name, Some(version)),
            None => (name, None),
        };
        let stored = lock(&self.parameters)
            .get(&key(caller, name))
            .map(|stored| stored.versions.clone());
        let published = || public_parameter(caller, name).map(|found| vec![found]);
        let versions = stored.or_else(published).ok_or_else(not_found)?;
        let found = match version {
            Some(version) => versions
                .iter()
                .find(|found| found.version.to_string() == version),
            None => versions.last(),
        };
        let unknown = || {
            let version = version.unwrap_or_default();
            let message = format!(
                "Systems Manager could not find version {version} of {name}. Verify the version \
                 and try again."
            );
            error("ParameterVersionNotFound", message)
        };
        found.cloned().ok_or_else(unknown)
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
        let (mut parameters, mut invalid) = (Vec::new(), Vec::new());
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
            described["LastModifiedUser"] = super::sts::user_arn(caller).into();
            Some(described)
        };
        let mut output = json!({"Parameters": here.iter().filter_map(each).collect::<Vec<_>>()});
        if let Some(((_, _, name), _)) = here.last().filter(|_| more) {
            output["NextToken"] = name.as_str().into();
        }
        Ok(output)
    }

    fn put_parameter(&self, clock: &Clock, caller: &Caller, input: &JsonInput) -> JsonResult {
        let (name, value) = (
            local_name(input.required("Name")?),
            input.required("Value")?,
        );
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

/// A filter of DescribeParameters.
struct ParameterFilter {
    /// `Name`, `Type`, `Path`
    key: String,
    /// `Equals`, `BeginsWith`, `Contains`, `Recursive`, `OneLevel`
    option: String,
    values: Vec<String>,
}

/// Reads `ParameterFilters`, and the older `Filters`, which match prefixes.
fn filters(input: &JsonInput) -> Result<Vec<ParameterFilter>, ServiceError> {
    let list = |member: &str| {
        input
            .get(member)
            .and_then(Json::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let texts = |json: &Json| -> Vec<String> {
        json.as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect()
    };
    let filter = |json: &Json, option: &str| {
        let key = json["Key"].as_str().unwrap_or_default();
        if !matches!(
            key,
            "Name" | "Type" | "Path" | "KeyId" | "Tier" | "DataType"
        ) && !key.starts_with("tag:")
        {
            return Err(error(
                "InvalidFilterKey",
                format!("The following filter key is not valid: {key}"),
            ));
        }
        let option = json["Option"].as_str().unwrap_or(option).to_owned();
        Ok(ParameterFilter {
            key: key.to_owned(),
            option,
            values: texts(&json["Values"]),
        })
    };
    let new = list("ParameterFilters");
    let old = list("Filters");
    new.iter()
        .map(|it| filter(it, "Equals"))
        .chain(old.iter().map(|it| filter(it, "BeginsWith")))
        .collect()
}

impl ParameterFilter {
    fn matches(&self, name: &str, stored: &StoredParameter) -> bool {
        let description = &stored.description;
        let any = |test: &dyn Fn(&str) -> bool| self.values.iter().any(|value| test(value));
        match self.key.as_str() {
            "Path" => any(&|value| {
                let below = name.strip_prefix(&format!("{}/", value.trim_end_matches('/')));
                below.is_some_and(|rest| self.option == "Recursive" || !rest.contains('/'))
            }),
            "Type" => any(&|value| {
                stored
                    .versions
                    .last()
                    .is_some_and(|found| value == found.kind.name())
            }),
            "Tier" => any(&|value| value == description.tier.as_deref().unwrap_or("Standard")),
            "DataType" => any(&|value| value == description.data_type.as_deref().unwrap_or("text")),
            "Name" => any(&|value| match self.option.as_str() {
                "BeginsWith" => name.starts_with(value),
                "Contains" => name.contains(value),
                _ => name == value,
            }),
            key => key.strip_prefix("tag:").is_some_and(|wanted| {
                let has = |value: &str| {
                    description
                        .tags
                        .iter()
                        .any(|(key, found)| key == wanted && found == value)
                };
                self.values.is_empty() && description.tags.iter().any(|(key, _)| key == wanted)
                    || any(&has)
            }),
        }
    }
}

/// Returns the tags in a request.
pub(super) fn request_tags(input: &JsonInput) -> Vec<(String, String)> {
    let tags = input
        .get("Tags")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let pair = |tag: &Json| {
        Some((
            tag["Key"].as_str()?.to_owned(),
            tag["Value"].as_str()?.to_owned(),
        ))
    };
    tags.filter_map(pair).collect()
}

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

/// Checks the name of a parameter that is to be created.
///
/// # Errors
/// Fails with the service's error if the name is invalid.
pub(crate) fn check_name(name: &str) -> Result<(), ServiceError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(validation(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a \
             path, it can consist of \
             sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, \
             numbers and the \
             following 3 symbols .-_",
        ));
    }
    let first = name
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if first.starts_with("aws") {
        return Err(error(
            "AccessDeniedException",
            format!("No access to reserved parameter name: {name}."),
        ));
    }
    if first.starts_with("ssm") {
        return Err(validation(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive).",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(validation("Parameter name must be a fully qualified name."));
    }
    Ok(())
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

/// Returns the name in a parameter's ARN.
fn local_name(name: &str) -> &str {
    match name
        .strip_prefix("arn:")
        .and_then(|arn| arn.split_once(":parameter/"))
    {
        // In an ARN, names that are paths keep their leading slash.
        Some((_, rest)) if rest.contains('/') => {
            name.split_once(":parameter").map_or(rest, |(_, path)| path)
        }
        Some((_, rest)) => rest,
        None => name,
    }
}

fn key(caller: &Caller, name: &str) -> ParameterKey {
    (
        caller.account.clone(),
        caller.region.clone(),
        name.to_owned(),
    )
}

fn not_found() -> ServiceError {
    error("ParameterNotFound", "")
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

/// Returns a time as JSON services write it: seconds with a fraction.
pub(super) fn epoch_seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

/// Returns a text that doesn't contain the value, in place of KMS's ciphertext.
fn ciphertext(value: &str) -> String {
    BASE64_STANDARD.encode([&b"simulated ciphertext "[..], Md5::digest(value).as_slice()].concat())
}

/// Returns a public parameter: an AMI ID in the form of AWS's, the same for each call.
fn public_parameter(caller: &Caller, name: &str) -> Option<ParameterVersion> {
    let path = name.strip_prefix("/aws/service/")?;
    let ami = || {
        let hash = Md5::digest(format!("{}{name}", caller.region));
        let mut digits = hex::encode(&hash[..9]);
        digits.truncate(17);
        format!("ami-{digits}")
    };
    let value = match is_ami_path(name) {
        true => ami(),
        // The complete recommendation, which contains `…/image_id`.
        false if path.ends_with("/recommended") => {
            let image = json!({
                "image_id": ami(),
                "image_name": "simulated",
                "os": "simulated",
                "schema_version": 1,
            });
            image.to_string()
        }
        false => return None,
    };
    Some(ParameterVersion {
        kind: SsmParameterType::String,
        value,
        version: 1,
        modified: Timestamp::UNIX_EPOCH,
    })
}

/// Returns whether AWS, Canonical, Bottlerocket or the Marketplace publish AMI IDs under the path.
fn is_ami_path(name: &str) -> bool {
    let Some(path) = name.strip_prefix("/aws/service/") else {
        return false;
    };
    let last = path.rsplit('/').next().unwrap_or_default();
    let first = path.split('/').next().unwrap_or_default();
    matches!(last, "image_id" | "ami-id" | "ami_id")
        || first.starts_with("ami-")
        || first == "marketplace"
        || (first == "canonical" && last.starts_with("ami"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(region: &str) -> Caller {
        Caller {
            account: "123456789012".into(),
            region: region.into(),
        }
    }

    fn call_action(service: &ParameterStore, action: &str, input: Json) -> JsonResult {
        service.call(
            &Clock::new(1.0),
            &caller("us-east-1"),
            action,
            &JsonInput::of(input),
        )
    }

    fn refused(answer: JsonResult) -> (String, String) {
        let error = answer.unwrap_err();
        (error.code, error.message)
    }

    #[test]
    fn parameters_are_described_without_their_values() {
        let service = ParameterStore::default();
        for (name, kind) in [
            ("/a/b", "String"),
            ("/a/c/d", "StringList"),
            ("plain", "SecureString"),
        ] {
            call_action(
                &service,
                "PutParameter",
                json!({"Name": name, "Value": "x", "Type": kind}),
            )
            .unwrap();
        }
        let check = |input: Json, expect: &[&str]| {
            let found = call_action(&service, "DescribeParameters", input.clone()).unwrap();
            let found = found["Parameters"].as_array().unwrap();
            let names: Vec<_> = found
                .iter()
                .map(|it| it["Name"].as_str().unwrap())
                .collect();
            assert_eq!(names, expect, "{input}");
            assert!(
                found
                    .iter()
                    .all(|it| it.get("Value").is_none() && it["Tier"] == "Standard"),
                "{found:?}"
            );
        };
        let by = |key: &str, option: &str, value: &str| {
            let filter = json!({"Key": key, "Option": option, "Values": [value]});
            json!({"ParameterFilters": [filter]})
        };
        check(json!({}), &["/a/b", "/a/c/d", "plain"]);
        check(by("Name", "BeginsWith", "/a"), &["/a/b", "/a/c/d"]);
        check(by("Name", "Contains", "lai"), &["plain"]);
        check(by("Name", "Equals", "/a"), &[]);
        check(by("Path", "OneLevel", "/a"), &["/a/b"]);
        check(by("Path", "Recursive", "/a/"), &["/a/b", "/a/c/d"]);
        check(by("Type", "Equals", "SecureString"), &["plain"]);
        check(
            json!({"Filters": [{"Key": "Name", "Values": ["/a/c"]}]}),
            &["/a/c/d"],
        );
        let page = call_action(&service, "DescribeParameters", json!({"MaxResults": 2})).unwrap();
        assert_eq!(page["NextToken"], "/a/c/d");
        check(json!({"NextToken": "/a/c/d"}), &["plain"]);
        assert_eq!(
            refused(call_action(
                &service,
                "DescribeParameters",
                by("Colour", "Equals", "x")
            ))
            .0,
            "InvalidFilterKey"
        );
    }

    #[test]
    fn parameters_are_kept_by_account_and_region() {
        let service = ParameterStore::default();
        let put = |input| call_action(&service, "PutParameter", input);
        assert_eq!(
            put(json!({"Name": "/a/b", "Value": "x", "Type": "String"})).unwrap(),
            json!({"Version": 1, "Tier": "Standard"})
        );
        assert_eq!(
            refused(put(json!({"Name": "/a/b", "Value": "y"}))).0,
            "ParameterAlreadyExists"
        );
        assert_eq!(
            put(json!({"Name": "/a/b", "Value": "y", "Overwrite": true})).unwrap()["Version"],
            2
        );
        let get = |name: &str| call_action(&service, "GetParameter", json!({"Name": name}));
        let found = get("/a/b").unwrap();
        assert_eq!(found["Parameter"]["Value"], "y");
        assert_eq!(
            found["Parameter"]["ARN"],
            "arn:aws:ssm:us-east-1:123456789012:parameter/a/b"
        );
        assert_eq!(
            get("arn:aws:ssm:us-east-1:123456789012:parameter/a/b").unwrap()["Parameter"]["Name"],
            "/a/b"
        );
        assert_eq!(get("/a/b:2").unwrap()["Parameter"]["Value"], "y");
        let first = get("/a/b:1").unwrap();
        assert_eq!(
            (
                &first["Parameter"]["Value"],
                &first["Parameter"]["Selector"]
            ),
            (&json!("x"), &json!(":1"))
        );
        assert_eq!(refused(get("/a/b:3")).0, "ParameterVersionNotFound");
        assert_eq!(service.parameter(&caller("eu-west-1"), "/a/b"), None);
        let many = call_action(&service, "GetParameters", json!({"Names": ["/a/b", "c"]})).unwrap();
        assert_eq!(
            (
                many["Parameters"][0]["Value"].clone(),
                many["InvalidParameters"].clone()
            ),
            (json!("y"), json!(["c"]))
        );
        assert_eq!(
            call_action(&service, "DeleteParameter", json!({"Name": "/a/b"})).unwrap(),
            json!({})
        );
        assert_eq!(
            refused(call_action(
                &service,
                "DeleteParameter",
                json!({"Name": "/a/b"})
            )),
            ("ParameterNotFound".into(), "".into())
        );
    }

    #[test]
    fn secure_strings_are_decrypted_on_request() {
        let service = ParameterStore::default();
        service.put(
            &caller("us-east-1"),
            "p",
            SsmParameterType::SecureString,
            "hush",
            Timestamp::UNIX_EPOCH,
        );
        let get = |decrypted: bool| {
            let found = call_action(
                &service,
                "GetParameter",
                json!({"Name": "p", "WithDecryption": decrypted}),
            )
            .unwrap();
            found["Parameter"]["Value"].as_str().unwrap().to_owned()
        };
        assert_eq!(get(true), "hush");
        assert!(!get(false).contains("hush"));
    }

    #[test]
    fn paths_are_listed_in_pages() {
        let service = ParameterStore::default();
        for n in 10..25 {
            service.put(
                &caller("us-east-1"),
                &format!("/a/p{n}"),
                SsmParameterType::String,
                "v",
                Timestamp::UNIX_EPOCH,
            );
        }
        service.put(
            &caller("us-east-1"),
            "/a/deep/er",
            SsmParameterType::String,
            "v",
            Timestamp::UNIX_EPOCH,
        );
        service.put(
            &caller("us-east-1"),
            "/ab",
            SsmParameterType::String,
            "v",
            Timestamp::UNIX_EPOCH,
        );
        let page = |recursive: bool, token: &Json| {
            let page = call_action(
                &service,
                "GetParametersByPath",
                json!({"Path": "/a/", "Recursive": recursive, "NextToken": token}),
            );
            let page = page.unwrap();
            (
                page["Parameters"].as_array().unwrap().len(),
                page["NextToken"].clone(),
            )
        };
        let (first, token) = page(false, &Json::Null);
        assert_eq!((first, page(false, &token)), (10, (5, Json::Null)));
        let (first, token) = page(true, &Json::Null);
        assert_eq!((first, page(true, &token)), (10, (6, Json::Null)));
    }

    #[test]
    fn invalid_parameters_are_refused() {
        let check = |input: Json, code: &str, message: &str| {
            let (found, said) = refused(call_action(
                &ParameterStore::default(),
                "PutParameter",
                input.clone(),
            ));
            assert_eq!(found, code, "{input}");
            assert!(said.starts_with(message), "{said}");
        };
        check(
            json!({"Name": "a", "Value": "x"}),
            "ValidationException",
            "A parameter type is required",
        );
        check(
            json!({"Name": "a", "Value": "x", "Type": "Text"}),
            "UnsupportedParameterType",
            "Text is not a valid",
        );
        check(
            json!({"Name": "a", "Value": "", "Type": "String"}),
            "ValidationException",
            "1 validation error detected: Value ''",
        );
        check(
            json!({"Name": "a b", "Value": "x", "Type": "String"}),
            "ValidationException",
            "Parameter name: can't be",
        );
        check(
            json!({"Name": "/aws/x", "Value": "x", "Type": "String"}),
            "AccessDeniedException",
            "No access to reserved parameter name: /aws/x.",
        );
        check(
            json!({"Name": "a/b", "Value": "x", "Type": "String"}),
            "ValidationException",
            "Parameter name must be a fully qualified name.",
        );
        check(
            json!({"Name": "a", "Value": "x".repeat(4097), "Type": "String"}),
            "ValidationException",
            "Standard tier parameters support",
        );
        check(
            json!({"Value": "x"}),
            "ValidationException",
            "1 validation error detected: Value null at 'name'",
        );
        assert_eq!(
            refused(call_action(
                &ParameterStore::default(),
                "GetParameters",
                json!({"Names": []})
            ))
            .0,
            "ValidationException"
        );
        assert_eq!(
            refused(call_action(
                &ParameterStore::default(),
                "DescribeOpsItems",
                json!({})
            ))
            .0,
            "UnknownOperationException"
        );
    }

    #[test]
    fn public_parameters_resolve_to_ami_ids() {
        let service = ParameterStore::default();
        let value = |region: &str, name: &str| {
            service
                .parameter(&caller(region), name)
                .map(|found| found.value)
        };
        let name = "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2";
        let ami = value("us-east-1", name).unwrap();
        assert!(ami.len() == 21 && ami.starts_with("ami-"), "{ami}");
        assert_eq!(value("us-east-1", name).unwrap(), ami);
        assert_ne!(value("eu-west-1", name).unwrap(), ami);
        for name in [
            "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_id",
            "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
            "/aws/service/bottlerocket/aws-ecs-1/x86_64/latest/image_id",
            "/aws/service/marketplace/prod-abc/latest",
        ] {
            assert!(
                value("us-east-1", name).unwrap().starts_with("ami-"),
                "{name}"
            );
        }
        assert!(
            value(
                "us-east-1",
                "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended"
            )
            .unwrap()
            .contains("\"image_id\":\"ami-")
        );
        assert_eq!(
            value("us-east-1", "/aws/service/global-infrastructure/regions"),
            None
        );
    }
}
