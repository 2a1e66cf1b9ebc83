//! The store of secrets, which other services use as well.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;
use md5::{Digest, Md5};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::catalog;
use crate::simulator::error::ServiceError;
use crate::simulator::json::{JsonInput, JsonResult, error};
use crate::simulator::{Caller, lock};

/// The secrets of all accounts and regions.
#[derive(Debug, Default)]
pub(crate) struct SecretsManager {
    pub(super) secrets: Mutex<BTreeMap<SecretKey, StoredSecret>>,
}

/// Account, region and name.
pub(super) type SecretKey = (String, String, String);

/// A secret with its values.
#[derive(Clone, Debug)]
pub(super) struct StoredSecret {
    pub(super) arn: String,
    pub(super) created: Timestamp,
    /// When it will be deleted; until then it can't be read.
    pub(super) deletion: Option<Timestamp>,
    pub(super) changed: Timestamp,
    pub(super) description: SecretDescription,
    /// A resource policy, as text.
    pub(super) policy: Option<String>,
    /// A secret can be created without a value.
    pub(super) current: Option<SecretVersion>,
    pub(super) previous: Option<SecretVersion>,
}

/// The description of a secret: everything but its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SecretDescription {
    pub text: Option<String>,
    pub kms_key_id: Option<String>,
    pub tags: Vec<(String, String)>,
}

/// A version of a secret's value.
#[derive(Clone, Debug)]
pub(super) struct SecretVersion {
    pub(super) id: String,
    pub(super) content: SecretContent,
    pub(super) created: Timestamp,
}

/// The value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SecretContent {
    Text(String),
    /// In base64, as it is sent and returned.
    Binary(String),
}

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
    pub(super) fn with_secret(
        &self,
        caller: &Caller,
        id: &str,
        act: impl FnOnce(&mut StoredSecret),
    ) {
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

    /// Creates a secret; `id` is the ID of its first version.
    ///
    /// # Errors
    /// Fails if there is a secret of that name, also if it is scheduled for deletion.
    pub(super) fn insert(
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
        let account = &caller.account;
        let region = &caller.region;
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

    /// Changes a secret that isn't scheduled for deletion.
    pub(super) fn change(
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
    /// Returns a version with its staging label.
    pub(super) fn version(
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

    /// Sets a new current value. The old one becomes the previous value.
    pub(super) fn put(&mut self, content: SecretContent, token: Option<&str>, now: Timestamp) {
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
pub(super) fn find<'a>(
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

/// Returns the ID of a new version: the client's request token, or a random one.
pub(super) fn version_id(token: Option<&str>) -> String {
    token.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

/// Returns the six letters and digits after the name in an ARN, which are the same for the same
/// secret.
pub(super) fn suffix(key: &SecretKey) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let hash = Md5::digest(format!("{}/{}/{}", key.0, key.1, key.2));
    hash.iter()
        .take(6)
        .filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()))
        .map(|byte| char::from(*byte))
        .collect()
}

/// Returns the error for a secret that doesn't exist.
pub(super) fn not_found() -> ServiceError {
    error(
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

/// Returns the error for a request that the state of the secret forbids.
pub(super) fn invalid_request(message: &str) -> ServiceError {
    error("InvalidRequestException", message)
}
