//! Secrets Manager: secrets with their current and previous value.

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use md5::{Digest, Md5};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::clock::Clock;
use super::error::ServiceError;
use super::json::{JsonInput, JsonResult, error, unknown_action};
use super::ssm::{epoch_seconds, request_tags};
use super::{Caller, lock};
use crate::catalog;

/// The secrets of all accounts and regions.
#[derive(Debug, Default)]
pub(crate) struct SecretsManager {
    secrets: Mutex<BTreeMap<SecretKey, StoredSecret>>,
}

/// Account, region and name.
type SecretKey = (String, String, String);

#[derive(Clone, Debug)]
struct StoredSecret {
    arn: String,
    created: Timestamp,
    /// When it will be deleted; until then it can't be read.
    deletion: Option<Timestamp>,
    changed: Timestamp,
    description: SecretDescription,
    /// A resource policy, as text.
    policy: Option<String>,
    /// A secret can be created without a value.
    current: Option<SecretVersion>,
    previous: Option<SecretVersion>,
}

impl StoredSecret {
    /// Returns a version with its staging label.
    fn version(
        &self,
        stage: Option<&str>,
        id: Option<&str>,
    ) -> Result<(&SecretVersion, &'static str), ServiceError> {
        if self.deletion.is_some() {
            return Err(invalid_request(
                "You can't perform this operation on the secret because it was marked for \
                 deletion.",
            ));
        }
        let stage = stage.unwrap_or("AWSCURRENT");
        let versions = [
            (self.current.as_ref(), "AWSCURRENT"),
            (self.previous.as_ref(), "AWSPREVIOUS"),
        ];
        let found = versions.into_iter().find_map(|(version, label)| {
            let version = version?;
            let is_wanted = id.map_or(label == stage, |id| version.id == id);
            is_wanted.then_some((version, label))
        });
        found.ok_or_else(|| {
            let what = id.map_or_else(
                || format!("staging label: {stage}"),
                |id| format!("VersionId: {id}"),
            );
            let message =
                format!("Secrets Manager can't find the specified secret value for {what}");
            error("ResourceNotFoundException", message)
        })
    }
}

/// The description of a secret: everything but its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SecretDescription {
    pub text: Option<String>,
    pub kms_key_id: Option<String>,
    pub tags: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct SecretVersion {
    id: String,
    content: SecretContent,
    created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SecretContent {
    Text(String),
    /// In base64, as it is sent and returned.
    Binary(String),
}

/// The largest value in bytes.
const MAX_VALUE: usize = 65_536;

impl SecretsManager {
    /// Returns a secret's text by name or ARN: of the given version or staging label, or the
    /// current one.
    ///
    /// # Errors
    /// Fails in the service's words if there is no such secret or version.
    pub(crate) fn value(
        &self,
        caller: &Caller,
        id: &str,
        stage: Option<&str>,
        version_id: Option<&str>,
    ) -> Result<String, ServiceError> {
        let secrets = lock(&self.secrets);
        let (_, secret) = find(&secrets, caller, id).ok_or_else(not_found)?;
        let (version, _) = secret.version(stage, version_id)?;
        match &version.content {
            SecretContent::Text(text) => Ok(text.clone()),
            SecretContent::Binary(_) => Err(not_found()),
        }
    }

    /// Creates a secret, and returns its ARN.
    ///
    /// # Errors
    /// Fails if there is a secret of that name.
    pub(crate) fn create(
        &self,
        caller: &Caller,
        name: &str,
        value: Option<&str>,
        now: Timestamp,
    ) -> Result<String, ServiceError> {
        let content = value.map(|text| SecretContent::Text(text.to_owned()));
        Ok(self.insert(caller, name, content, None, now)?.arn)
    }

    /// Sets the description of a secret.
    pub(crate) fn describe(
        &self,
        caller: &Caller,
        id: &str,
        description: SecretDescription,
        now: Timestamp,
    ) {
        self.with_secret(caller, id, |secret| {
            secret.changed = now;
            secret.description = description;
        });
    }

    /// Sets a new value of a secret.
    pub(crate) fn put_value(&self, caller: &Caller, id: &str, value: &str, now: Timestamp) {
        self.with_secret(caller, id, |secret| {
            secret.put(SecretContent::Text(value.to_owned()), None, now)
        });
    }

    /// Sets or deletes a secret's resource policy.
    pub(crate) fn set_policy(&self, caller: &Caller, id: &str, policy: Option<String>) {
        self.with_secret(caller, id, |secret| secret.policy = policy);
    }

    /// Calls `act` with a secret, if it exists.
    fn with_secret(&self, caller: &Caller, id: &str, act: impl FnOnce(&mut StoredSecret)) {
        let mut secrets = lock(&self.secrets);
        let key = find(&secrets, caller, id).map(|(key, _)| key.clone());
        if let Some(secret) = key.and_then(|key| secrets.get_mut(&key)) {
            act(secret);
        }
    }

    /// Deletes a secret at once; returns whether it existed.
    pub(crate) fn delete(&self, caller: &Caller, id: &str) -> bool {
        let mut secrets = lock(&self.secrets);
        let found = find(&secrets, caller, id).map(|(key, _)| key.clone());
        found.is_some_and(|key| secrets.remove(&key).is_some())
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
            "CreateSecret" => self.create_secret(clock, caller, input),
            "GetSecretValue" => self.get_secret_value(caller, input),
            "PutSecretValue" | "UpdateSecret" => self.put_secret_value(clock, caller, input),
            "ListSecrets" => self.list_secrets(caller, input),
            "TagResource" => self.tag_resource(caller, input),
            "UntagResource" => self.untag_resource(caller, input),
            "DescribeSecret" => self.describe_secret(caller, input),
            "DeleteSecret" => self.delete_secret(clock, caller, input),
            "RestoreSecret" => self.restore_secret(caller, input),
            "GetResourcePolicy" => self.get_resource_policy(caller, input),
            "PutResourcePolicy" | "DeleteResourcePolicy" => self.put_resource_policy(caller, input),
            action => Err(unknown_action(action)),
        }
    }

    fn insert(
        &self,
        caller: &Caller,
        name: &str,
        content: Option<SecretContent>,
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<StoredSecret, ServiceError> {
        let mut secrets = lock(&self.secrets);
        let key = (
            caller.account.clone(),
            caller.region.clone(),
            name.to_owned(),
        );
        if let Some(existing) = secrets.get(&key) {
            return Err(match existing.deletion {
                None => error(
                    "ResourceExistsException",
                    format!("The operation failed because the secret {name} already exists."),
                ),
                Some(_) => invalid_request(
                    "You can't create this secret because a secret with this name is already \
                     scheduled for deletion.",
                ),
            });
        }
        let partition = catalog::partition_of(&caller.region).name;
        let (account, region) = (&caller.account, &caller.region);
        let arn = format!(
            "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-{}",
            suffix(&key)
        );
        let current = content.map(|content| SecretVersion {
            id: version_id(id),
            content,
            created: now,
        });
        let secret = StoredSecret {
            arn,
            created: now,
            deletion: None,
            changed: now,
            description: SecretDescription::default(),
            policy: None,
            current,
            previous: None,
        };
        secrets.insert(key, secret.clone());
        Ok(secret)
    }

    fn create_secret(&self, clock: &Clock, caller: &Caller, input: &JsonInput) -> JsonResult {
        let name = input.required("Name")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
        if name.is_empty() || name.len() > 512 || !name.chars().all(allowed) {
            return Err(error(
                "ValidationException",
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of \
                 the following: -/_+=.@!",
            ));
        }
        let created = self.insert(
            caller,
            name,
            content(input)?,
            input.text("ClientRequestToken"),
            clock.now(),
        )?;
        let mut secrets = lock(&self.secrets);
        if let Some(secret) = secrets.get_mut(&(
            caller.account.clone(),
            caller.region.clone(),
            name.to_owned(),
        )) {
            secret.description = SecretDescription {
                text: input.text("Description").map(str::to_owned),
                kms_key_id: input.text("KmsKeyId").map(str::to_owned),
                tags: request_tags(input),
            };
        }
        let mut output = json!({"ARN": created.arn, "Name": name});
        if let Some(version) = created.current {
            output["VersionId"] = version.id.into();
        }
        Ok(output)
    }

    fn get_secret_value(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let secrets = lock(&self.secrets);
        let ((_, _, name), secret) =
            find(&secrets, caller, input.required("SecretId")?).ok_or_else(not_found)?;
        let (version, label) =
            secret.version(input.text("VersionStage"), input.text("VersionId"))?;
        let mut output = json!({
            "ARN": secret.arn, "Name": name, "VersionId": version.id, "VersionStages": [label],
            "CreatedDate": epoch_seconds(version.created),
        });
        match &version.content {
            SecretContent::Text(text) => output["SecretString"] = text.as_str().into(),
            SecretContent::Binary(base64) => output["SecretBinary"] = base64.as_str().into(),
        }
        Ok(output)
    }

    fn put_secret_value(&self, clock: &Clock, caller: &Caller, input: &JsonInput) -> JsonResult {
        let content = content(input)?;
        self.change(caller, input, |name, secret| {
            if let Some(content) = content {
                secret.put(content, input.text("ClientRequestToken"), clock.now());
            }
            if let Some(description) = input.text("Description") {
                secret.description.text = Some(description.to_owned());
                secret.changed = clock.now();
            }
            if let Some(key) = input.text("KmsKeyId") {
                secret.description.kms_key_id = Some(key.to_owned());
            }
            let mut output = json!({"ARN": secret.arn, "Name": name});
            if let Some(version) = &secret.current {
                output["VersionId"] = version.id.as_str().into();
                output["VersionStages"] = json!(["AWSCURRENT"]);
            }
            output
        })
    }

    fn describe_secret(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let secrets = lock(&self.secrets);
        let ((_, _, name), secret) =
            find(&secrets, caller, input.required("SecretId")?).ok_or_else(not_found)?;
        let mut stages = json!({});
        for (version, label) in [
            (&secret.current, "AWSCURRENT"),
            (&secret.previous, "AWSPREVIOUS"),
        ] {
            if let Some(version) = version {
                stages[version.id.as_str()] = json!([label]);
            }
        }
        let mut output = json!({
            "ARN": secret.arn, "Name": name, "CreatedDate": epoch_seconds(secret.created),
            "LastChangedDate": epoch_seconds(secret.changed), "VersionIdsToStages": stages,
        });
        let SecretDescription {
            text,
            kms_key_id,
            tags,
        } = &secret.description;
        if let Some(text) = text {
            output["Description"] = text.as_str().into();
        }
        if let Some(key) = kms_key_id {
            output["KmsKeyId"] = key.as_str().into();
        }
        if !tags.is_empty() {
            let tag = |(key, value): &(String, String)| json!({"Key": key, "Value": value});
            output["Tags"] = tags.iter().map(tag).collect();
        }
        if let Some(deletion) = secret.deletion {
            output["DeletedDate"] = epoch_seconds(deletion).into();
        }
        Ok(output)
    }

    /// Carries out `ListSecrets`.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html>
    fn list_secrets(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        const MOST: usize = 100;
        let limit = input
            .number("MaxResults")
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(MOST);
        let limit = limit.clamp(1, MOST);
        let after = input.text("NextToken").unwrap_or_default();
        let filters = input
            .get("Filters")
            .and_then(Json::as_array)
            .cloned()
            .unwrap_or_default();
        let names: Vec<String> = {
            let secrets = lock(&self.secrets);
            let here = secrets.iter().filter(|((account, region, name), secret)| {
                let is_there = secret.deletion.is_none() || input.flag("IncludePlannedDeletion");
                let is_wanted = filters
                    .iter()
                    .all(|filter| secret.matches_filter(name, filter));
                *account == caller.account
                    && *region == caller.region
                    && name.as_str() > after
                    && is_there
                    && is_wanted
            });
            here.map(|((_, _, name), _)| name.clone())
                .take(limit + 1)
                .collect()
        };
        let shown = names.iter().take(limit).map(|name| {
            let mut described = self.describe_secret(caller, &JsonInput::with("SecretId", name))?;
            if let Some(members) = described.as_object_mut()
                && let Some(stages) = members.shift_remove("VersionIdsToStages")
            {
                members.insert("SecretVersionsToStages".to_owned(), stages);
            }
            Ok(described)
        });
        let mut output = json!({"SecretList": shown.collect::<Result<Vec<_>, ServiceError>>()?});
        if let Some(last) = names
            .get(limit.wrapping_sub(1))
            .filter(|_| names.len() > limit)
        {
            output["NextToken"] = last.as_str().into();
        }
        Ok(output)
    }

    /// Carries out `TagResource`.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_TagResource.html>
    fn tag_resource(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let new = request_tags(input);
        self.retag(caller, input, |tags| {
            tags.retain(|(key, _)| new.iter().all(|(other, _)| other != key));
            tags.extend(new);
        })
    }

    /// Carries out `UntagResource`.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UntagResource.html>
    fn untag_resource(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let keys = input.texts("TagKeys");
        self.retag(caller, input, |tags| {
            tags.retain(|(key, _)| !keys.contains(&key.as_str()))
        })
    }

    fn retag(
        &self,
        caller: &Caller,
        input: &JsonInput,
        change: impl FnOnce(&mut Vec<(String, String)>),
    ) -> JsonResult {
        self.change(caller, input, |_, secret| {
            change(&mut secret.description.tags);
            json!({})
        })
    }

    fn delete_secret(&self, clock: &Clock, caller: &Caller, input: &JsonInput) -> JsonResult {
        let force = input.flag("ForceDeleteWithoutRecovery");
        let days = input.number("RecoveryWindowInDays");
        if force && days.is_some() {
            return Err(error(
                "InvalidParameterException",
                "You can't use ForceDeleteWithoutRecovery in conjunction with \
                 RecoveryWindowInDays.",
            ));
        }
        let days = days.unwrap_or(30);
        if !(7..=30).contains(&days) {
            return Err(error(
                "InvalidParameterException",
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            ));
        }
        let now = clock.now();
        let output = self.change(caller, input, |name, secret| {
            let hours = if force { 0 } else { days * 24 };
            let deletion = now
                .checked_add(jiff::SignedDuration::from_hours(hours))
                .unwrap_or(now);
            secret.deletion = Some(deletion);
            json!({"ARN": secret.arn, "Name": name, "DeletionDate": epoch_seconds(deletion)})
        })?;
        if force {
            self.delete(caller, input.required("SecretId")?);
        }
        Ok(output)
    }

    fn get_resource_policy(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let secrets = lock(&self.secrets);
        let ((_, _, name), secret) =
            find(&secrets, caller, input.required("SecretId")?).ok_or_else(not_found)?;
        let mut output = json!({"ARN": secret.arn, "Name": name});
        if let Some(policy) = &secret.policy {
            output["ResourcePolicy"] = policy.as_str().into();
        }
        Ok(output)
    }

    /// Sets the resource policy, or deletes it if none is sent.
    fn put_resource_policy(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        self.change(caller, input, |name, secret| {
            secret.policy = input.text("ResourcePolicy").map(str::to_owned);
            json!({"ARN": secret.arn, "Name": name})
        })
    }

    fn restore_secret(&self, caller: &Caller, input: &JsonInput) -> JsonResult {
        let mut secrets = lock(&self.secrets);
        let id = input.required("SecretId")?;
        let key = find(&secrets, caller, id)
            .map(|(key, _)| key.clone())
            .ok_or_else(not_found)?;
        let Some(secret) = secrets.get_mut(&key) else {
            return Err(not_found());
        };
        secret.deletion = None;
        Ok(json!({"ARN": secret.arn, "Name": key.2}))
    }

    /// Changes a secret that isn't scheduled for deletion.
    fn change(
        &self,
        caller: &Caller,
        input: &JsonInput,
        change: impl FnOnce(&str, &mut StoredSecret) -> Json,
    ) -> JsonResult {
        let mut secrets = lock(&self.secrets);
        let id = input.required("SecretId")?;
        let key = find(&secrets, caller, id)
            .map(|(key, _)| key.clone())
            .ok_or_else(not_found)?;
        match secrets.get_mut(&key) {
            Some(secret) if secret.deletion.is_none() => Ok(change(&key.2, secret)),
            Some(_) => Err(invalid_request(
                "You can't perform this operation on the secret because it was marked for \
                 deletion.",
            )),
            None => Err(not_found()),
        }
    }
}

impl StoredSecret {
    /// Returns whether the name, description or tags begin with one of a filter's values; `!`
    /// before a value negates it.
    fn matches_filter(&self, name: &str, filter: &Json) -> bool {
        let SecretDescription { text, tags, .. } = &self.description;
        let keys = || tags.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let values_of_tags = || {
            tags.iter()
                .map(|(_, value)| value.clone())
                .collect::<Vec<_>>()
        };
        let texts: Vec<String> = match filter["Key"].as_str().unwrap_or_default() {
            "name" => vec![name.to_owned()],
            "description" => text.iter().cloned().collect(),
            "tag-key" => keys(),
            "tag-value" => values_of_tags(),
            "all" => [
                vec![name.to_owned()],
                text.iter().cloned().collect(),
                keys(),
                values_of_tags(),
            ]
            .concat(),
            _ => Vec::new(),
        };
        let begins = |value: &str| {
            texts
                .iter()
                .any(|text| text.to_lowercase().starts_with(&value.to_lowercase()))
        };
        let values = filter["Values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str);
        values
            .into_iter()
            .any(|value| match value.strip_prefix('!') {
                Some(value) => !begins(value),
                None => begins(value),
            })
    }

    fn put(&mut self, content: SecretContent, token: Option<&str>, now: Timestamp) {
        self.previous = self.current.take();
        self.current = Some(SecretVersion {
            id: version_id(token),
            content,
            created: now,
        });
        self.changed = now;
    }
}

/// Finds a secret by its name, by its ARN, or by its ARN without the suffix that Secrets Manager
/// adds to the name.
fn find<'a>(
    secrets: &'a BTreeMap<SecretKey, StoredSecret>,
    caller: &Caller,
    id: &str,
) -> Option<(&'a SecretKey, &'a StoredSecret)> {
    let by_name = (caller.account.clone(), caller.region.clone(), id.to_owned());
    secrets.get_key_value(&by_name).or_else(|| {
        let is_arn = id.starts_with("arn:");
        let stem = |arn: &'a str| arn.rsplit_once('-').map(|(stem, _)| stem);
        secrets
            .iter()
            .find(|(_, secret)| is_arn && (secret.arn == id || stem(&secret.arn) == Some(id)))
    })
}

fn content(input: &JsonInput) -> Result<Option<SecretContent>, ServiceError> {
    let content = match (input.text("SecretString"), input.text("SecretBinary")) {
        (Some(_), Some(_)) => {
            let message = "You can't specify both a binary secret value and a string secret value \
                in the same secret.";
            return Err(error("InvalidParameterException", message));
        }
        (Some(text), None) => Some(SecretContent::Text(text.to_owned())),
        (None, Some(base64)) => Some(SecretContent::Binary(base64.to_owned())),
        (None, None) => None,
    };
    let length = match &content {
        Some(SecretContent::Text(text)) => text.len(),
        Some(SecretContent::Binary(base64)) => BASE64_STANDARD
            .decode(base64)
            .map_or(0, |bytes| bytes.len()),
        None => 0,
    };
    if length > MAX_VALUE {
        return Err(error(
            "InvalidParameterException",
            "The secret value is too large: it may have 65536 bytes.",
        ));
    }
    Ok(content)
}

fn version_id(token: Option<&str>) -> String {
    token.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

/// Returns the six letters and digits after the name in an ARN, which are the same for the same
/// secret.
fn suffix(key: &SecretKey) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let hash = Md5::digest(format!("{}/{}/{}", key.0, key.1, key.2));
    hash.iter()
        .take(6)
        .filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()))
        .map(|byte| char::from(*byte))
        .collect()
}

fn not_found() -> ServiceError {
    error(
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

fn invalid_request(message: &str) -> ServiceError {
    error("InvalidRequestException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller {
            account: "123456789012".into(),
            region: "us-east-1".into(),
        }
    }

    fn call_action(service: &SecretsManager, action: &str, input: Json) -> JsonResult {
        service.call(&Clock::new(1.0), &caller(), action, &JsonInput::of(input))
    }

    fn code(answer: JsonResult) -> String {
        answer.unwrap_err().code
    }

    #[test]
    fn secrets_are_found_by_name_and_arn() {
        let service = SecretsManager::default();
        let created = call_action(
            &service,
            "CreateSecret",
            json!({"Name": "db/pass", "SecretString": "hush"}),
        )
        .unwrap();
        let arn = created["ARN"].as_str().unwrap();
        assert!(
            arn.starts_with("arn:aws:secretsmanager:us-east-1:123456789012:secret:db/pass-")
                && arn.len() == 67,
            "{arn}"
        );
        let get = |id: &str| call_action(&service, "GetSecretValue", json!({"SecretId": id}));
        for id in ["db/pass", arn, &arn[..arn.len() - 7]] {
            assert_eq!(get(id).unwrap()["SecretString"], "hush", "{id}");
        }
        assert_eq!(
            service.value(&caller(), arn, None, None).ok().as_deref(),
            Some("hush")
        );
        let elsewhere = Caller {
            region: "eu-west-1".into(),
            ..caller()
        };
        assert!(service.value(&elsewhere, "db/pass", None, None).is_err());
        assert_eq!(code(get("db/pas")), "ResourceNotFoundException");
        assert_eq!(
            code(call_action(
                &service,
                "CreateSecret",
                json!({"Name": "db/pass"})
            )),
            "ResourceExistsException"
        );
    }

    #[test]
    fn secrets_are_listed_and_tagged() {
        let service = SecretsManager::default();
        for name in ["app/db", "app/api", "other"] {
            call_action(
                &service,
                "CreateSecret",
                json!({"Name": name, "SecretString": "x"}),
            )
            .unwrap();
        }
        let tags = json!([{"Key": "team", "Value": "a"}, {"Key": "gone", "Value": "b"}]);
        call_action(
            &service,
            "TagResource",
            json!({"SecretId": "app/db", "Tags": tags}),
        )
        .unwrap();
        call_action(
            &service,
            "UntagResource",
            json!({"SecretId": "app/db", "TagKeys": ["gone"]}),
        )
        .unwrap();
        call_action(&service, "DeleteSecret", json!({"SecretId": "other"})).unwrap();
        let check = |input: Json, expect: &[&str]| {
            let found = call_action(&service, "ListSecrets", input.clone()).unwrap();
            let names = found["SecretList"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["Name"].as_str().unwrap().to_owned());
            assert_eq!(names.collect::<Vec<_>>(), expect, "{input}");
            found
        };
        let by = |key: &str, value: &str| json!({"Filters": [{"Key": key, "Values": [value]}]});
        let all = check(json!({}), &["app/api", "app/db"]);
        assert_eq!(
            all["SecretList"][1]["Tags"],
            json!([{"Key": "team", "Value": "a"}])
        );
        assert!(
            all["SecretList"][0]["SecretVersionsToStages"].is_object(),
            "{all}"
        );
        check(
            json!({"IncludePlannedDeletion": true}),
            &["app/api", "app/db", "other"],
        );
        check(by("name", "App/d"), &["app/db"]);
        check(by("name", "!app/d"), &["app/api"]);
        check(by("tag-key", "team"), &["app/db"]);
        check(by("all", "api"), &[]);
        let page = check(json!({"MaxResults": 1}), &["app/api"]);
        check(json!({"NextToken": page["NextToken"]}), &["app/db"]);
    }

    #[test]
    fn secret_values_are_versioned() {
        let service = SecretsManager::default();
        call_action(&service, "CreateSecret", json!({"Name": "s"})).unwrap();
        let get = |stage: &str| {
            call_action(
                &service,
                "GetSecretValue",
                json!({"SecretId": "s", "VersionStage": stage}),
            )
        };
        let error = get("AWSCURRENT").unwrap_err();
        assert_eq!(
            error.message,
            "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"
        );
        for value in ["one", "two"] {
            call_action(
                &service,
                "PutSecretValue",
                json!({"SecretId": "s", "SecretString": value}),
            )
            .unwrap();
        }
        assert_eq!(get("AWSCURRENT").unwrap()["SecretString"], "two");
        assert_eq!(get("AWSPREVIOUS").unwrap()["SecretString"], "one");
        call_action(
            &service,
            "PutSecretValue",
            json!({"SecretId": "s", "SecretBinary": "AAE="}),
        )
        .unwrap();
        assert_eq!(get("AWSCURRENT").unwrap()["SecretBinary"], "AAE=");
        assert!(service.value(&caller(), "s", None, None).is_err());
        let both = json!({"SecretId": "s", "SecretString": "a", "SecretBinary": "AAE="});
        assert_eq!(
            code(call_action(&service, "PutSecretValue", both)),
            "InvalidParameterException"
        );
    }

    #[test]
    fn secrets_are_deleted_at_once_or_after_a_window() {
        let service = SecretsManager::default();
        let create = || {
            call_action(
                &service,
                "CreateSecret",
                json!({"Name": "s", "SecretString": "x"}),
            )
        };
        let delete = |mut input: Json| {
            input["SecretId"] = "s".into();
            call_action(&service, "DeleteSecret", input)
        };
        create().unwrap();
        delete(json!({"RecoveryWindowInDays": 7})).unwrap();
        assert_eq!(
            code(call_action(
                &service,
                "GetSecretValue",
                json!({"SecretId": "s"})
            )),
            "InvalidRequestException"
        );
        assert!(service.value(&caller(), "s", None, None).is_err());
        assert_eq!(code(create()), "InvalidRequestException");
        assert!(
            call_action(&service, "DescribeSecret", json!({"SecretId": "s"})).unwrap()["DeletedDate"]
                .is_number()
        );
        call_action(&service, "RestoreSecret", json!({"SecretId": "s"})).unwrap();
        assert_eq!(
            code(delete(json!({"RecoveryWindowInDays": 3}))),
            "InvalidParameterException"
        );
        delete(json!({"ForceDeleteWithoutRecovery": true})).unwrap();
        create().unwrap();
        assert!(service.delete(&caller(), "s") && !service.delete(&caller(), "s"));
    }
}
