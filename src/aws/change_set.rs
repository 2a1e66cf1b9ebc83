//! CloudFormation's change sets: made, read, executed, deleted.

use std::time::Duration;

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, ResourceChange};
use tokio::time::sleep;

use super::cloudformation::{parameters, tags};
use super::{AwsError, Clients};
use crate::event::{Change, ChangeDetail};

/// Between looks at one that is being worked out.
const LOOK: Duration = Duration::from_millis(500);

/// What CreateChangeSet is asked for. All capabilities are acknowledged; nested stacks are looked into.
#[derive(Clone, Debug)]
pub struct CreateChangeSet<'a> {
    pub stack_name: &'a str,
    pub change_set: &'a str,
    /// The stack isn't there yet.
    pub creates: bool,
    pub template_url: &'a str,
    /// Key and value.
    pub parameters: Vec<(&'a str, &'a str)>,
    pub tags: &'a [(String, String)],
    pub role_arn: Option<&'a str>,
    /// Makes the call safe to repeat.
    pub client_token: &'a str,
}

impl Clients {
    /// Returns the ids of the change set and of its stack.
    pub async fn create_change_set(&self, request: &CreateChangeSet<'_>) -> Result<(String, String), AwsError> {
        const OPERATION: &str = "CreateChangeSet";
        let answer = self
            .cloudformation
            .create_change_set()
            .stack_name(request.stack_name)
            .change_set_name(request.change_set)
            .change_set_type(if request.creates { ChangeSetType::Create } else { ChangeSetType::Update })
            .template_url(request.template_url)
            .set_parameters(Some(parameters(&request.parameters)))
            .set_tags(Some(tags(request.tags)))
            .capabilities(Capability::CapabilityIam)
            .capabilities(Capability::CapabilityNamedIam)
            .capabilities(Capability::CapabilityAutoExpand)
            .include_nested_stacks(true)
            .set_role_arn(request.role_arn.map(str::to_owned))
            .client_token(request.client_token)
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, &self.region, error))?;
        let unexpected = |what| AwsError::unexpected(OPERATION, &self.region, what);
        let id = answer.id().ok_or_else(|| unexpected("the answer names no change set"))?;
        let stack_id = answer.stack_id().ok_or_else(|| unexpected("the answer names no stack"))?;
        Ok((id.to_owned(), stack_id.to_owned()))
    }

    /// Waits until the change set is worked out, nested ones too, and returns what it would do.
    ///
    /// # Errors
    /// Why it could not be. That nothing would change is no error.
    pub async fn changes(&self, id: &str) -> Result<Vec<Change>, AwsError> {
        let first = loop {
            let answer = self.describe_change_set(id, None).await?;
            match answer.status().map(|status| status.as_str()).unwrap_or_default() {
                "CREATE_PENDING" | "CREATE_IN_PROGRESS" => sleep(LOOK).await,
                "CREATE_COMPLETE" => break answer,
                status => {
                    let reason = answer.status_reason().unwrap_or(status);
                    if is_empty(reason) {
                        return Ok(Vec::new());
                    }
                    return Err(AwsError::unexpected("CreateChangeSet", &self.region, reason));
                }
            }
        };
        let mut found: Vec<ResourceChange> = resource_changes(&first);
        let mut token = first.next_token().map(str::to_owned);
        while let Some(next) = token {
            let page = self.describe_change_set(id, Some(next)).await?;
            found.extend(resource_changes(&page));
            token = page.next_token().map(str::to_owned);
        }
        let mut changes = Vec::new();
        for resource in found {
            let nested = match resource.change_set_id() {
                // One that is worked out says so in turn; the depth of nesting ends this.
                Some(nested) => Box::pin(self.changes(nested)).await?,
                None => Vec::new(),
            };
            changes.push(Change { nested, ..change(&resource) });
        }
        Ok(changes)
    }

    async fn describe_change_set(&self, id: &str, token: Option<String>) -> Result<DescribeChangeSetOutput, AwsError> {
        let call = self.cloudformation.describe_change_set().change_set_name(id).set_next_token(token);
        let call = call.include_property_values(true);
        call.send().await.map_err(|error| AwsError::new("DescribeChangeSet", &self.region, error))
    }

    pub async fn execute_change_set(&self, id: &str, client_token: &str) -> Result<(), AwsError> {
        let call = self.cloudformation.execute_change_set().change_set_name(id).client_request_token(client_token);
        call.send().await.map(|_| ()).map_err(|error| AwsError::new("ExecuteChangeSet", &self.region, error))
    }

    /// With the change sets of nested stacks.
    pub async fn delete_change_set(&self, id: &str) -> Result<(), AwsError> {
        let call = self.cloudformation.delete_change_set().change_set_name(id);
        call.send().await.map(|_| ()).map_err(|error| AwsError::new("DeleteChangeSet", &self.region, error))
    }
}

/// The words with which CloudFormation says that nothing would change: it has no status for it.
fn is_empty(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

fn resource_changes(answer: &DescribeChangeSetOutput) -> Vec<ResourceChange> {
    answer.changes().iter().filter_map(|change| change.resource_change().cloned()).collect()
}

fn change(resource: &ResourceChange) -> Change {
    let mut details: Vec<ChangeDetail> = Vec::new();
    for detail in resource.details() {
        let Some(target) = detail.target() else { continue };
        let attribute = target.attribute().map(|it| it.as_str()).unwrap_or_default();
        let path = target.path().and_then(|path| path.strip_prefix("/Properties/"));
        let found = ChangeDetail {
            name: path.map_or_else(|| target.name().unwrap_or(attribute).to_owned(), |path| path.replace('/', ".")),
            before: target.before_value().map(str::to_owned),
            after: target.after_value().map(str::to_owned),
            recreation: target.requires_recreation().map(|it| it.as_str()).unwrap_or("Never").to_owned(),
            cause: detail.causing_entity().map(str::to_owned),
        };
        // CloudFormation tells of one property several times: as changed, and for each thing that it hangs on.
        match details.iter_mut().find(|it| it.name == found.name) {
            Some(known) => {
                known.cause = known.cause.take().or(found.cause);
                known.before = known.before.take().or(found.before);
                known.after = known.after.take().or(found.after);
                if rank(&found.recreation) > rank(&known.recreation) {
                    known.recreation = found.recreation;
                }
            }
            None => details.push(found),
        }
    }
    Change {
        action: resource.action().map(|it| it.as_str()).unwrap_or_default().to_owned(),
        logical_id: resource.logical_resource_id().unwrap_or_default().to_owned(),
        physical_id: resource.physical_resource_id().map(str::to_owned),
        resource_type: resource.resource_type().unwrap_or_default().to_owned(),
        replacement: resource.replacement().map(|it| it.as_str().to_owned()),
        details,
        nested: Vec::new(),
    }
}

fn rank(recreation: &str) -> u8 {
    match recreation {
        "Always" => 2,
        "Conditionally" => 1,
        _ => 0,
    }
}
