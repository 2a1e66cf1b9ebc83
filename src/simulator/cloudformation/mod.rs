//! CloudFormation: stacks that go through the service's states.

use super::Caller;

/// Stacks, change sets and exports of all accounts and regions.
#[derive(Default)]
pub struct Service {}

/// A call as awsQuery sends it: the action's name, and parameters by their dotted names (`Parameters.member.1.ParameterKey`).
pub struct Call<'a> {
    pub caller: &'a Caller,
    pub action: &'a str,
    pub parameters: &'a [(String, String)],
}

/// What the service answers: the XML inside of `<ActionResult>`, or an error.
pub type Answer = Result<String, ServiceError>;

/// An error as the service words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// HTTP status.
    pub status: u16,
    /// `ValidationError`
    pub code: String,
    pub message: String,
}

impl Service {
    pub fn call(&self, _cloud: &super::Cloud, call: &Call) -> Answer {
        let message = format!("Could not find operation {} for version 2010-05-15", call.action);
        Err(ServiceError { status: 400, code: "InvalidAction".to_owned(), message })
    }
}
