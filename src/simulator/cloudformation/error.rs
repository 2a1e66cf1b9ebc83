//! The results of CloudFormation's actions, and the errors that most of them share.

use crate::simulator::error::ServiceError;

/// The result of an action: the XML inside `<ActionResult>`, or an error.
pub(crate) type XmlResult = Result<String, ServiceError>;

/// Returns the error for an action that doesn't exist.
pub(crate) fn unknown(action: &str) -> ServiceError {
    error(
        "InvalidAction",
        format!("Could not find operation {action} for version 2010-05-15"),
    )
}

/// Returns a `ValidationError`, the code of nearly all of CloudFormation's errors.
pub(crate) fn invalid(message: impl Into<String>) -> ServiceError {
    error("ValidationError", message)
}

/// Returns the error for a defect of the simulator.
pub(crate) fn internal(defect: &str) -> ServiceError {
    ServiceError::new(
        500,
        "InternalFailure",
        format!("the simulator has a defect, please report it: {defect}"),
    )
}

/// Returns an error with status 400.
pub(crate) fn error(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(400, code, message)
}
