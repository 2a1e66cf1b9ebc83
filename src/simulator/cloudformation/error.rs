//! What CloudFormation's actions answer, and the errors that most of them share.

use crate::simulator::error::ServiceError;

/// What an action answers: the XML inside of `<ActionResult>`, or an error.
pub type XmlResult = Result<String, ServiceError>;

pub(crate) fn unknown(action: &str) -> ServiceError {
    error(
        "InvalidAction",
        format!("Could not find operation {action} for version 2010-05-15"),
    )
}

/// Nearly everything that is refused is so under this code.
pub(crate) fn invalid(message: impl Into<String>) -> ServiceError {
    error("ValidationError", message)
}

pub(crate) fn error(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(400, code, message)
}
