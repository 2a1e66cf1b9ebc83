//! Checks before something is provisioned: validations and Hooks, with the names of
//! CloudFormation's API.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

/// A failed check of a resource.
#[derive(Clone, Debug)]
pub(crate) struct CheckRecord {
    pub id: Uuid,
    pub at: Timestamp,
    /// The ID of the operation that it belongs to.
    pub operation: Uuid,
    pub logical_id: Arc<str>,
    /// `AWS::SNS::Topic`
    pub kind: Arc<str>,
    pub check: CheckKind,
    pub reason: String,
}

/// What has failed.
#[derive(Clone, Debug)]
pub(crate) enum CheckKind {
    Validation {
        /// `PROPERTY_VALIDATION`
        name: &'static str,
        /// Path of the property in the template; absent if it is about the whole resource.
        property: Option<String>,
    },
    Hook {
        /// `Acme::Naming::Hook`
        name: String,
    },
}
