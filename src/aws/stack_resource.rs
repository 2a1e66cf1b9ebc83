//! What the events of a stack tell about one of its resources.

use super::{AwsError, Clients};

/// The newest event of a resource.
#[derive(Clone, Debug)]
pub struct ResourceEvent {
    /// The resource type.
    pub resource_type: String,
    /// The physical ID; absent if the resource wasn't created.
    pub physical_id: Option<String>,
    /// The properties with which the resource was to be created, as JSON; values of `NoEcho`
    /// parameters are `****`.
    pub properties: Option<String>,
}

/// A resource of a stack.
#[derive(Clone, Debug)]
pub struct StackResource {
    /// The resource type.
    pub resource_type: String,
    /// The physical ID; absent if the resource wasn't created.
    pub physical_id: Option<String>,
}

impl Clients {
    /// Returns a resource of a stack; `None` if the stack has none of that logical ID
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResource.html>).
    pub async fn stack_resource(
        &self,
        stack_id: &str,
        logical_id: &str,
    ) -> Result<Option<StackResource>, AwsError> {
        const OPERATION: &str = "DescribeStackResource";
        let call = self.cloudformation.describe_stack_resource();
        let call = call.stack_name(stack_id).logical_resource_id(logical_id);
        let found = match call.send().await {
            Ok(found) => found,
            Err(error) => {
                let error = AwsError::new(OPERATION, &self.region, error);
                let is_missing = error.has_code("ValidationError");
                return if is_missing { Ok(None) } else { Err(error) };
            }
        };
        Ok(found.stack_resource_detail().map(|it| StackResource {
            resource_type: it.resource_type().unwrap_or_default().to_owned(),
            physical_id: it
                .physical_resource_id()
                .filter(|id| !id.is_empty())
                .map(str::to_owned),
        }))
    }

    /// Returns the newest event of a resource; `None` if the stack has none of that logical ID
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html>).
    pub async fn resource_event(
        &self,
        stack_id: &str,
        logical_id: &str,
    ) -> Result<Option<ResourceEvent>, AwsError> {
        const OPERATION: &str = "DescribeStackEvents";
        let mut pages = self
            .cloudformation
            .describe_stack_events()
            .stack_name(stack_id)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new(OPERATION, &self.region, error))?;
            let mut events = page.stack_events().iter();
            let found = events.find(|it| it.logical_resource_id() == Some(logical_id));
            if let Some(event) = found {
                return Ok(Some(ResourceEvent {
                    resource_type: event.resource_type().unwrap_or_default().to_owned(),
                    physical_id: event
                        .physical_resource_id()
                        .filter(|id| !id.is_empty())
                        .map(str::to_owned),
                    properties: event.resource_properties().map(str::to_owned),
                }));
            }
        }
        Ok(None)
    }
}
