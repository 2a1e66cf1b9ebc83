//! The actions of Secrets Manager.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};

use super::store::{
    SecretContent, SecretDescription, SecretsManager, StoredSecret, find, not_found,
};
use crate::simulator::clock::Clock;
use crate::simulator::error::ServiceError;
use crate::simulator::json::{
    JsonInput, JsonResult, epoch_seconds, error, request_tags, unknown_action,
};
use crate::simulator::{Caller, lock};

/// The largest value in bytes.
const MAX_VALUE: usize = 65_536;

impl SecretsManager {
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
