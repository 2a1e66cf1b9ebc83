//! The store of parameters, which other services use as well.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::name::local_name;
use super::public::public_parameter;
use crate::simulator::error::ServiceError;
use crate::simulator::json::error;
use crate::simulator::{Caller, lock};

/// The parameters of all accounts and regions.
#[derive(Debug, Default)]
pub(crate) struct ParameterStore {
    pub(super) parameters: Mutex<BTreeMap<ParameterKey, StoredParameter>>,
}

/// Account, region and name.
pub(super) type ParameterKey = (String, String, String);

/// A parameter with its versions.
#[derive(Clone, Debug, Default)]
pub(super) struct StoredParameter {
    /// The oldest first, never empty.
    pub(super) versions: Vec<ParameterVersion>,
    pub(super) description: ParameterDescription,
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
    /// Returns the type with the given name.
    pub(super) fn named(name: &str) -> Option<Self> {
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

/// The number of versions that are kept
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html>).
pub(super) const MAX_VERSIONS: usize = 100;

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

    /// Finds a parameter, public ones included. `name` may be an ARN, and may end with `:version`.
    ///
    /// # Errors
    /// Fails in the service's words if there is no such parameter or version.
    pub(super) fn find(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<ParameterVersion, ServiceError> {
        let is_arn = name.starts_with("arn:");
        let name = local_name(name);
        let (name, version) = match name.split_once(':') {
            Some((name, version)) => (name, Some(version)),
            None => (name, None),
        };
        let named = |name: &str| {
            let parameters = lock(&self.parameters);
            let stored = parameters.get(&key(caller, name));
            stored.map(|stored| stored.versions.clone())
        };
        // The ARNs of `size` and `/size` are alike.
        let with_slash = || is_arn.then(|| named(&format!("/{name}"))).flatten();
        let stored = named(name).or_else(with_slash);
        let published = || {
            let value = public_parameter(caller, name)?;
            Some(vec![ParameterVersion {
                kind: SsmParameterType::String,
                value,
                version: 1,
                modified: Timestamp::UNIX_EPOCH,
            }])
        };
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
}

/// Returns the key of the parameter with the given name in the caller's account and region.
pub(super) fn key(caller: &Caller, name: &str) -> ParameterKey {
    (
        caller.account.clone(),
        caller.region.clone(),
        name.to_owned(),
    )
}

/// Returns the error for a parameter that doesn't exist.
pub(super) fn not_found() -> ServiceError {
    error("ParameterNotFound", "")
}
