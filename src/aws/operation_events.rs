//! The checks that CloudFormation makes before it provisions something: its validations and the
//! account's Hooks.
//!
//! DescribeStackEvents and DescribeChangeSet name only the kind of a failed check; DescribeEvents
//! says which resource and property it is about, and why.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html>

use aws_sdk_cloudformation::types::{EventFilter, EventType, OperationEvent};
use jiff::Timestamp;

use super::cloudformation::timestamp;
use super::{AwsError, Clients};

/// A check that has failed before anything was provisioned
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCheck {
    /// The event's unique ID.
    pub event_id: String,
    /// When the check failed, UTC.
    pub timestamp: Timestamp,
    /// The resource's logical ID.
    pub logical_id: String,
    /// The resource's type, such as `AWS::SQS::Queue`.
    pub resource_type: String,
    /// The type name of the Hook that refused the resource; absent for a validation.
    pub hook: Option<String>,
    /// Where in the template: `/Resources/Queue/Properties/QueueName`.
    pub path: Option<String>,
    /// Why the check failed.
    pub reason: String,
}

/// What DescribeEvents lists the events of.
#[derive(Clone, Copy, Debug)]
pub enum CheckedOperation<'a> {
    /// The ARN of a change set.
    ChangeSet(&'a str),
    /// The ARN of a stack.
    Stack(&'a str),
}

impl Clients {
    /// Returns the checks that have failed, in the order of the answer.
    ///
    /// # Errors
    /// The call was denied or failed, or the endpoint doesn't have it.
    pub async fn failed_checks(
        &self,
        operation: CheckedOperation<'_>,
    ) -> Result<Vec<FailedCheck>, AwsError> {
        const OPERATION: &str = "DescribeEvents";
        let filter = EventFilter::builder().failed_events(true).build();
        let call = self.cloudformation.describe_events().filters(filter);
        let call = match operation {
            CheckedOperation::ChangeSet(id) => call.change_set_name(id),
            CheckedOperation::Stack(id) => call.stack_name(id),
        };
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new(OPERATION, &self.region, error))?;
            found.extend(page.operation_events().iter().filter_map(failed_check));
        }
        Ok(found)
    }
}

/// Returns the failed check that an event reports; none for other events, and for checks that only
/// warn.
fn failed_check(event: &OperationEvent) -> Option<FailedCheck> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let warns = |mode: Option<&str>| mode == Some("WARN");
    let (hook, reason) = match event.event_type()? {
        EventType::ValidationError => {
            let mode = event.validation_failure_mode().map(|it| it.as_str());
            (
                None,
                event.validation_status_reason().filter(|_| !warns(mode))?,
            )
        }
        EventType::HookInvocationError => {
            let mode = event.hook_failure_mode().map(|it| it.as_str());
            let hook = text(event.hook_type());
            (
                Some(hook),
                event.hook_status_reason().filter(|_| !warns(mode))?,
            )
        }
        _ => return None,
    };
    Some(FailedCheck {
        event_id: text(event.event_id()),
        timestamp: event.timestamp().and_then(timestamp).unwrap_or_default(),
        logical_id: text(event.logical_resource_id()),
        resource_type: text(event.resource_type()),
        hook,
        path: event.validation_path().map(str::to_owned),
        reason: reason.to_owned(),
    })
}
