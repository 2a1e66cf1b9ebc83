//! CloudFormation: the five calls that a run is made of.

use std::collections::BTreeMap;
use std::collections::HashSet;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{
    Capability, DeletionMode, Parameter, StackEvent as SdkEvent, Tag,
};
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::says_missing;
use super::retry::LONGEST_THROTTLING;
use super::{AwsError, Clients, ErrorKind};
use crate::event::{LeftoverResource, StackEvent, StackOutput};
use crate::status::{ResourceStatus, StackStatus};

/// What CreateStack is asked for. Rollback is disabled and all capabilities are acknowledged, as
/// TaskCat does: a failed stack has to stand still to be read, and a test knows what it creates.
#[derive(Clone, Debug)]
pub struct CreateStack<'a> {
    /// The stack's name.
    pub stack_name: &'a str,
    /// The template's URL in S3.
    pub template_url: &'a str,
    /// Key and value.
    pub parameters: Vec<(&'a str, &'a str)>,
    /// Keys and values of the stack's tags.
    pub tags: &'a [(String, String)],
    /// ARN of the service role that CloudFormation assumes; absent to use the caller's credentials.
    pub role_arn: Option<&'a str>,
    /// Makes the call safe to repeat.
    pub client_request_token: &'a str,
}

/// A stack as DescribeStacks shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The stack's ARN.
    pub stack_id: String,
    /// The stack's name.
    pub stack_name: String,
    /// The stack's status.
    pub status: StackStatus,
    /// The status reason; absent if CloudFormation gives none.
    pub reason: Option<String>,
    /// Key and value; of `NoEcho` ones the value is `****`.
    pub parameters: Vec<(String, String)>,
    /// The stack's outputs.
    pub outputs: Vec<StackOutput>,
    /// Keys and values of the stack's tags.
    pub tags: Vec<(String, String)>,
    /// With which CloudFormation works on the stack; absent where it does so as whoever asks.
    pub role_arn: Option<String>,
    /// Set on nested stacks.
    pub root_id: Option<String>,
    /// Termination protection is enabled, so CloudFormation refuses to delete the stack.
    pub is_protected: bool,
    /// When the stack was created, UTC.
    pub created: Option<Timestamp>,
    /// Of the newest update, if there was one.
    pub updated: Option<Timestamp>,
}

impl Stack {
    /// Returns whether another stack has created this one.
    pub fn is_nested(&self) -> bool {
        self.root_id
            .as_deref()
            .is_some_and(|root| root != self.stack_id)
    }

    /// Returns whether the stack was created by a change set that was never executed.
    pub fn is_in_review(&self) -> bool {
        self.status == StackStatus::ReviewInProgress
    }

    /// Its creation has failed and was rolled back, so that it can only be deleted.
    pub fn was_never_created(&self) -> bool {
        self.status == StackStatus::RollbackComplete
    }

    /// Returns the value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the value of a parameter.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the value of an output.
    pub fn output(&self, key: &str) -> Option<&str> {
        self.outputs
            .iter()
            .find(|output| output.key == key)
            .map(|output| output.value.as_str())
    }
}

impl Clients {
    /// Returns the new stack's ID. Throttling is waited out, unless `stop` is cancelled: it says
    /// nothing about the stack.
    pub async fn create_stack(
        &self,
        request: &CreateStack<'_>,
        stop: &CancellationToken,
    ) -> Result<String, AwsError> {
        const OPERATION: &str = "CreateStack";
        let started = Instant::now();
        let mut lost_attempt = false;
        loop {
            // The rate, which each throttled call lowers, keeps the attempts apart.
            if stop
                .run_until_cancelled(self.pace.turn(OPERATION))
                .await
                .is_none()
            {
                let error = AwsError::with_code(
                    OPERATION,
                    &self.region,
                    "Throttling",
                    "given up because the run stops",
                );
                return Err(AwsError {
                    lost_attempt,
                    ..error
                });
            }
            match self.try_to_create_stack(OPERATION, request).await {
                Err(error)
                    if error.is(ErrorKind::Throttled) && started.elapsed() < LONGEST_THROTTLING =>
                {
                    lost_attempt |= error.lost_attempt;
                }
                Err(error) => {
                    return Err(AwsError {
                        lost_attempt: lost_attempt | error.lost_attempt,
                        ..error
                    });
                }
                Ok(stack_id) => return Ok(stack_id),
            }
        }
    }

    async fn try_to_create_stack(
        &self,
        operation: &'static str,
        request: &CreateStack<'_>,
    ) -> Result<String, AwsError> {
        let answer = self
            .cloudformation
            .create_stack()
            .stack_name(request.stack_name)
            .template_url(request.template_url)
            .set_parameters(Some(parameters(&request.parameters)))
            .set_tags(Some(tags(request.tags)))
            .disable_rollback(true)
            .capabilities(Capability::CapabilityIam)
            .capabilities(Capability::CapabilityNamedIam)
            .capabilities(Capability::CapabilityAutoExpand)
            .set_role_arn(request.role_arn.map(str::to_owned))
            .client_request_token(request.client_request_token)
            .send()
            .await
            .map_err(|error| AwsError::new(operation, &self.region, error))?;
        answer.stack_id().map(str::to_owned).ok_or_else(|| {
            AwsError::unexpected(operation, &self.region, "the answer names no stack")
        })
    }

    /// Returns the stack's events that are not yet in `seen`, oldest first; `seen` grows by them.
    /// Pages are read from the newest until a known event appears, so that a history is never read
    /// twice.
    pub async fn new_events(
        &self,
        stack_id: &str,
        depth: u32,
        seen: &mut HashSet<String>,
    ) -> Result<Vec<StackEvent>, AwsError> {
        const OPERATION: &str = "DescribeStackEvents";
        let mut fresh = Vec::new();
        let mut token = None;
        loop {
            self.pace.turn(OPERATION).await;
            let answer = self
                .cloudformation
                .describe_stack_events()
                .stack_name(stack_id)
                .set_next_token(token)
                .send()
                .await;
            let page = answer.map_err(|error| AwsError::new(OPERATION, &self.region, error))?;
            let events = page.stack_events();
            let known = fresh.len();
            fresh.extend(
                events
                    .iter()
                    .filter_map(|event| stack_event(event, depth))
                    .filter(|e| !seen.contains(&e.event_id)),
            );
            token = page.next_token().map(str::to_owned);
            if token.is_none() || fresh.len() - known < events.len() {
                break;
            }
        }
        // Only now: a page that fails half-way must not make the next try believe that it has seen
        // the others.
        seen.extend(fresh.iter().map(|event| event.event_id.clone()));
        fresh.reverse();
        Ok(fresh)
    }

    /// Returns the stack as it is now, by name or id; `None` where there is none.
    pub async fn describe_stack(&self, name_or_id: &str) -> Result<Option<Stack>, AwsError> {
        const OPERATION: &str = "DescribeStacks";
        self.pace.turn(OPERATION).await;
        match self
            .cloudformation
            .describe_stacks()
            .stack_name(name_or_id)
            .send()
            .await
        {
            Ok(answer) => Ok(answer.stacks().first().map(stack)),
            // CloudFormation has no code of its own for a stack that isn't there.
            Err(error) if error.message().is_some_and(says_missing) => Ok(None),
            Err(error) => Err(AwsError::new(OPERATION, &self.region, error)),
        }
    }

    /// Returns every stack of the account in this region. For finding what earlier runs left; never
    /// called while following.
    pub async fn all_stacks(&self) -> Result<Vec<Stack>, AwsError> {
        const OPERATION: &str = "DescribeStacks";
        let mut pages = self
            .cloudformation
            .describe_stacks()
            .into_paginator()
            .send();
        let mut stacks = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new(OPERATION, &self.region, error))?;
            stacks.extend(page.stacks().iter().map(stack));
        }
        Ok(stacks)
    }

    /// Returns the values of the region's exports by name.
    pub async fn exports(&self) -> Result<BTreeMap<String, String>, AwsError> {
        const OPERATION: &str = "ListExports";
        let pages = self.cloudformation.list_exports().into_paginator();
        let mut items = pages.items().send();
        let mut exports = BTreeMap::new();
        while let Some(export) = items.next().await {
            let export = export.map_err(|error| AwsError::new(OPERATION, &self.region, error))?;
            let value = export.value().unwrap_or_default().to_owned();
            exports.insert(export.name().unwrap_or_default().to_owned(), value);
        }
        Ok(exports)
    }

    /// Returns the stack's resources that are not deleted.
    pub async fn left_resources(&self, stack_id: &str) -> Result<Vec<LeftoverResource>, AwsError> {
        const OPERATION: &str = "ListStackResources";
        let mut pages = self
            .cloudformation
            .list_stack_resources()
            .stack_name(stack_id)
            .into_paginator()
            .send();
        let mut left = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new(OPERATION, &self.region, error))?;
            left.extend(
                page.stack_resource_summaries()
                    .iter()
                    .filter_map(|resource| {
                        let status = ResourceStatus::from(resource.resource_status()?.as_str());
                        (status != ResourceStatus::DeleteComplete).then(|| LeftoverResource {
                            logical_id: resource
                                .logical_resource_id()
                                .unwrap_or_default()
                                .to_owned(),
                            physical_id: resource.physical_resource_id().map(str::to_owned),
                            resource_type: resource.resource_type().unwrap_or_default().to_owned(),
                            status,
                            reason: resource.resource_status_reason().map(str::to_owned),
                        })
                    }),
            );
        }
        Ok(left)
    }

    /// Returns the time of the stack's newest event.
    pub async fn newest_event_time(&self, stack_id: &str) -> Result<Option<Timestamp>, AwsError> {
        let answer = self
            .cloudformation
            .describe_stack_events()
            .stack_name(stack_id)
            .send()
            .await;
        let page =
            answer.map_err(|error| AwsError::new("DescribeStackEvents", &self.region, error))?;
        Ok(page
            .stack_events()
            .iter()
            .filter_map(|event| timestamp(event.timestamp()?))
            .max())
    }

    /// Deletes the stack without the resources that can't be deleted. Allowed of a stack that is
    /// `DELETE_FAILED`.
    pub async fn force_delete_stack(
        &self,
        stack_id: &str,
        client_request_token: &str,
    ) -> Result<(), AwsError> {
        self.pace.turn("DeleteStack").await;
        let call = self
            .cloudformation
            .delete_stack()
            .stack_name(stack_id)
            .client_request_token(client_request_token);
        let call = call.deletion_mode(DeletionMode::ForceDeleteStack);
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| AwsError::new("DeleteStack", &self.region, error))
    }

    /// Requests deletion of a stack.
    pub async fn delete_stack(
        &self,
        stack_id: &str,
        client_request_token: &str,
    ) -> Result<(), AwsError> {
        self.pace.turn("DeleteStack").await;
        self.cloudformation
            .delete_stack()
            .stack_name(stack_id)
            .client_request_token(client_request_token)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| AwsError::new("DeleteStack", &self.region, error))
    }

    /// Cancels the update of a stack in `UPDATE_IN_PROGRESS`, which is then rolled back
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html>).
    pub async fn cancel_update(
        &self,
        stack_id: &str,
        client_request_token: &str,
    ) -> Result<(), AwsError> {
        self.cloudformation
            .cancel_update_stack()
            .stack_name(stack_id)
            .client_request_token(client_request_token)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| AwsError::new("CancelUpdateStack", &self.region, error))
    }
}

/// Returns parameters as the SDK takes them.
pub(super) fn parameters(given: &[(&str, &str)]) -> Vec<Parameter> {
    let parameter = |(key, value): &(&str, &str)| {
        Parameter::builder()
            .parameter_key(*key)
            .parameter_value(*value)
            .build()
    };
    given.iter().map(parameter).collect()
}

/// Returns tags as the SDK takes them.
pub(super) fn tags(given: &[(String, String)]) -> Vec<Tag> {
    given
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// `None` for an event without an id, status or time, which CloudFormation never sends.
fn stack_event(event: &SdkEvent, depth: u32) -> Option<StackEvent> {
    let at = event.timestamp()?;
    Some(StackEvent {
        event_id: event.event_id()?.to_owned(),
        stack_id: event.stack_id()?.to_owned(),
        stack_name: event.stack_name().unwrap_or_default().to_owned(),
        depth,
        timestamp: Timestamp::from_nanosecond(at.as_nanos()).ok()?,
        logical_id: event.logical_resource_id().unwrap_or_default().to_owned(),
        physical_id: event
            .physical_resource_id()
            .filter(|id| !id.is_empty())
            .map(str::to_owned),
        resource_type: event.resource_type().unwrap_or_default().to_owned(),
        status: event.resource_status()?.as_str().into(),
        reason: event
            .resource_status_reason()
            .filter(|reason| !reason.is_empty())
            .map(str::to_owned),
    })
}

fn stack(found: &aws_sdk_cloudformation::types::Stack) -> Stack {
    let outputs = found.outputs().iter().map(|output| StackOutput {
        key: output.output_key().unwrap_or_default().to_owned(),
        value: output.output_value().unwrap_or_default().to_owned(),
        description: output.description().map(str::to_owned),
        export_name: output.export_name().map(str::to_owned),
    });
    let tags = found
        .tags()
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    let parameter = |it: &Parameter| {
        Some((
            it.parameter_key()?.to_owned(),
            it.parameter_value()?.to_owned(),
        ))
    };
    Stack {
        stack_id: found.stack_id().unwrap_or_default().to_owned(),
        stack_name: found.stack_name().unwrap_or_default().to_owned(),
        status: StackStatus::from(
            found
                .stack_status()
                .map(|status| status.as_str())
                .unwrap_or_default(),
        ),
        reason: found.stack_status_reason().map(str::to_owned),
        parameters: found.parameters().iter().filter_map(parameter).collect(),
        outputs: outputs.collect(),
        tags: tags.collect(),
        role_arn: found.role_arn().map(str::to_owned),
        root_id: found.root_id().map(str::to_owned),
        is_protected: found.enable_termination_protection().unwrap_or_default(),
        created: found.creation_time().and_then(timestamp),
        updated: found.last_updated_time().and_then(timestamp),
    }
}

/// Returns a time of the SDK.
pub(super) fn timestamp(at: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::from_nanosecond(at.as_nanos()).ok()
}
