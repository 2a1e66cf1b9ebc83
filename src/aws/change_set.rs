//! CloudFormation's change sets: created, found, read, executed, deleted.

use std::time::Duration;

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetType, DeploymentMode, OnStackFailure, ResourceChange,
};
use tokio::time::{Instant, sleep, timeout};

use super::cloudformation::{parameters, tags};
use super::{AwsError, Clients, INVISIBLE};
use crate::duration::HumanDuration;
use crate::event::{ReportedChange, ReportedChangeDetail};
use crate::status::ChangeSetStatus;

/// The wait between two polls of a change set that CloudFormation is working out; it doubles up to
/// the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// What the last call may take when the limit is over.
const CALL: Duration = Duration::from_secs(2);

/// What CreateChangeSet is asked for. All capabilities are acknowledged; nested stacks are looked
/// into.
#[derive(Clone, Debug)]
pub struct CreateChangeSet<'a> {
    /// The stack's name or ARN.
    pub stack_name: &'a str,
    /// The change set's name.
    pub change_set: &'a str,
    /// Whether the stack doesn't exist yet, or only in review.
    pub creates: bool,
    /// The template's URL in S3.
    pub template_url: &'a str,
    /// Key and value.
    pub parameters: Vec<(&'a str, &'a str)>,
    /// Keys and values of the stack's tags.
    pub tags: &'a [(String, String)],
    /// ARN of the service role that CloudFormation assumes; absent to use the caller's credentials.
    pub role_arn: Option<&'a str>,
    /// Makes the call safe to repeat.
    pub client_token: &'a str,
    /// What it does besides changing resources.
    pub options: ChangeSetOptions,
}

/// Options of a change set and of its execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeSetOptions {
    /// What happens to a new stack whose creation fails.
    pub on_stack_failure: StackFailureAction,
    /// Existing resources with the names of new ones are imported into the stack.
    pub import_existing_resources: bool,
    /// Resources that were changed outside of the stack are changed back.
    pub revert_drift: bool,
    /// If the execution is rolled back, new resources are deleted even if their `DeletionPolicy` is
    /// `Retain`.
    pub retain_except_on_create: bool,
}

/// What happens to a new stack whose creation fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StackFailureAction {
    /// It is deleted, since CloudFormation can't update it.
    #[default]
    Delete,
    /// Its resources are deleted; the stack itself remains.
    Rollback,
    /// It remains with its resources.
    DoNothing,
}

/// A change set as DescribeChangeSet shows it, without its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    /// The change set's ARN.
    pub id: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// The change set's status.
    pub status: ChangeSetStatus,
    /// `AVAILABLE`, `EXECUTE_IN_PROGRESS`, …
    pub execution_status: String,
    /// Key and value, as the stack would get them.
    pub tags: Vec<(String, String)>,
}

impl ChangeSet {
    /// Returns the value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Returns whether its execution has begun.
    pub fn is_executed(&self) -> bool {
        self.execution_status.starts_with("EXECUTE_")
    }
}

impl AwsError {
    /// Returns the error for a request that has not come to its end.
    pub fn unfinished(operation: &'static str, region: &str, status: &str) -> Self {
        Self::unexpected(
            operation,
            region,
            format!("not finished; the last status is {status}"),
        )
    }
}

impl Clients {
    /// Returns the IDs of the change set and of its stack.
    ///
    /// `OnStackFailure` is about the creation of stacks; `DELETE` is valid for change sets of the
    /// type `CREATE` alone
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>).
    pub async fn create_change_set(
        &self,
        request: &CreateChangeSet<'_>,
    ) -> Result<(String, String), AwsError> {
        const OPERATION: &str = "CreateChangeSet";
        let options = request.options;
        let on_failure = request.creates.then_some(match options.on_stack_failure {
            StackFailureAction::Delete => OnStackFailure::Delete,
            StackFailureAction::Rollback => OnStackFailure::Rollback,
            StackFailureAction::DoNothing => OnStackFailure::DoNothing,
        });
        // The API knows existing stacks alone to have drifted.
        let mode =
            (options.revert_drift && !request.creates).then_some(DeploymentMode::RevertDrift);
        let imports = options.import_existing_resources.then_some(true);
        let answer = self
            .cloudformation
            .create_change_set()
            .stack_name(request.stack_name)
            .change_set_name(request.change_set)
            .change_set_type(if request.creates {
                ChangeSetType::Create
            } else {
                ChangeSetType::Update
            })
            .template_url(request.template_url)
            .set_parameters(Some(parameters(&request.parameters)))
            .set_tags(Some(tags(request.tags)))
            .capabilities(Capability::CapabilityIam)
            .capabilities(Capability::CapabilityNamedIam)
            .capabilities(Capability::CapabilityAutoExpand)
            .include_nested_stacks(true)
            .set_role_arn(request.role_arn.map(str::to_owned))
            .set_on_stack_failure(on_failure)
            .set_deployment_mode(mode)
            .set_import_existing_resources(imports)
            .client_token(request.client_token)
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, &self.region, error))?;
        let unexpected = |what| AwsError::unexpected(OPERATION, &self.region, what);
        let id = answer
            .id()
            .ok_or_else(|| unexpected("the answer names no change set"))?;
        let stack_id = answer
            .stack_id()
            .ok_or_else(|| unexpected("the answer names no stack"))?;
        Ok((id.to_owned(), stack_id.to_owned()))
    }

    /// Waits until the change set is worked out, nested ones too, and returns what it does to
    /// resources; `None` where nothing would change at all. A change set without resources can
    /// still change outputs or tags.
    ///
    /// # Errors
    /// Why it could not be worked out, or not within `limit`. That nothing would change is no
    /// error.
    pub async fn changes(
        &self,
        id: &str,
        limit: Duration,
    ) -> Result<Option<Vec<ReportedChange>>, AwsError> {
        // A call that is never answered must not outlast the limit either.
        match timeout(limit + CALL, self.changes_until(id, Instant::now(), limit)).await {
            Ok(changes) => changes,
            Err(_) => {
                let message = format!("not worked out within {}: no answer", HumanDuration(limit));
                Err(AwsError::unexpected(
                    "CreateChangeSet",
                    &self.region,
                    message,
                ))
            }
        }
    }

    async fn changes_until(
        &self,
        id: &str,
        start: Instant,
        limit: Duration,
    ) -> Result<Option<Vec<ReportedChange>>, AwsError> {
        let first = self.worked_out(id, start, limit).await?;
        let status = status_of(&first);
        if status != ChangeSetStatus::CreateComplete {
            let reason = first.status_reason().unwrap_or(status.as_str());
            return if is_empty(reason) {
                Ok(None)
            } else {
                Err(AwsError::unexpected(
                    "CreateChangeSet",
                    &self.region,
                    reason,
                ))
            };
        }
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
                Some(nested) => Box::pin(self.changes_until(nested, start, limit))
                    .await?
                    .unwrap_or_default(),
                None => Vec::new(),
            };
            changes.push(ReportedChange {
                nested,
                ..change(&resource)
            });
        }
        Ok(Some(changes))
    }

    /// Waits until CloudFormation has computed the change set, or given up, and returns it.
    async fn worked_out(
        &self,
        id: &str,
        start: Instant,
        limit: Duration,
    ) -> Result<DescribeChangeSetOutput, AwsError> {
        let mut wait = FIRST_WAIT;
        loop {
            let last = match self.describe_change_set(id, None).await {
                Ok(answer) => match status_of(&answer) {
                    status @ (ChangeSetStatus::CreatePending
                    | ChangeSetStatus::CreateInProgress) => status.to_string(),
                    _ => return Ok(answer),
                },
                Err(error) if error.may_pass() => error.to_string(),
                Err(error) if is_missing(&error) && start.elapsed() < INVISIBLE => {
                    error.to_string()
                }
                Err(error) => return Err(error),
            };
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                let message = format!("not worked out within {}: {last}", HumanDuration(limit));
                return Err(AwsError::unexpected(
                    "CreateChangeSet",
                    &self.region,
                    message,
                ));
            }
            sleep(wait.min(left)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Returns the change set of that name; `None` where there is none.
    pub async fn find_change_set(
        &self,
        stack: &str,
        name: &str,
    ) -> Result<Option<ChangeSet>, AwsError> {
        let call = self
            .cloudformation
            .describe_change_set()
            .stack_name(stack)
            .change_set_name(name);
        let answer = call
            .send()
            .await
            .map_err(|error| AwsError::new("DescribeChangeSet", &self.region, error));
        match answer {
            Ok(answer) => Ok(Some(change_set(&answer))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the names of a stack's change sets; none where there is no such stack.
    pub async fn change_set_names(&self, stack: &str) -> Result<Vec<String>, AwsError> {
        let mut pages = self
            .cloudformation
            .list_change_sets()
            .stack_name(stack)
            .into_paginator()
            .send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            match page.map_err(|error| AwsError::new("ListChangeSets", &self.region, error)) {
                Ok(page) => names.extend(
                    page.summaries()
                        .iter()
                        .filter_map(|it| it.change_set_name().map(str::to_owned)),
                ),
                Err(error) if is_missing(&error) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        Ok(names)
    }

    async fn describe_change_set(
        &self,
        id: &str,
        token: Option<String>,
    ) -> Result<DescribeChangeSetOutput, AwsError> {
        let call = self
            .cloudformation
            .describe_change_set()
            .change_set_name(id)
            .set_next_token(token);
        let call = call.include_property_values(true);
        call.send()
            .await
            .map_err(|error| AwsError::new("DescribeChangeSet", &self.region, error))
    }

    /// Requests the execution of a change set.
    pub async fn execute_change_set(
        &self,
        id: &str,
        options: ChangeSetOptions,
        client_token: &str,
    ) -> Result<(), AwsError> {
        let except_new = options.retain_except_on_create.then_some(true);
        let call = self
            .cloudformation
            .execute_change_set()
            .change_set_name(id)
            .set_retain_except_on_create(except_new)
            .client_request_token(client_token);
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| AwsError::new("ExecuteChangeSet", &self.region, error))
    }

    /// Deletes a change set with those of nested stacks.
    pub async fn delete_change_set(&self, id: &str) -> Result<(), AwsError> {
        let call = self.cloudformation.delete_change_set().change_set_name(id);
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| AwsError::new("DeleteChangeSet", &self.region, error))
    }
}

fn change_set(answer: &DescribeChangeSetOutput) -> ChangeSet {
    let tags = answer
        .tags()
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    ChangeSet {
        id: answer.change_set_id().unwrap_or_default().to_owned(),
        stack_id: answer.stack_id().unwrap_or_default().to_owned(),
        status: status_of(answer),
        execution_status: answer
            .execution_status()
            .map(|it| it.as_str().to_owned())
            .unwrap_or_default(),
        tags: tags.collect(),
    }
}

fn status_of(answer: &DescribeChangeSetOutput) -> ChangeSetStatus {
    ChangeSetStatus::from(
        answer
            .status()
            .map(|status| status.as_str())
            .unwrap_or_default(),
    )
}

/// Returns whether the change set or its stack doesn't exist, for which CloudFormation has no code.
fn is_missing(error: &AwsError) -> bool {
    error
        .code
        .as_deref()
        .is_some_and(|code| code.starts_with("ChangeSetNotFound"))
        || error.is_of_missing_stack()
}

/// Returns whether CloudFormation says that nothing would change; it has no status for it.
fn is_empty(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

fn resource_changes(answer: &DescribeChangeSetOutput) -> Vec<ResourceChange> {
    answer
        .changes()
        .iter()
        .filter_map(|change| change.resource_change().cloned())
        .collect()
}

fn change(resource: &ResourceChange) -> ReportedChange {
    let mut details: Vec<ReportedChangeDetail> = Vec::new();
    for detail in resource.details() {
        let Some(target) = detail.target() else {
            continue;
        };
        let attribute = target.attribute().map(|it| it.as_str()).unwrap_or_default();
        let path = target
            .path()
            .and_then(|path| path.strip_prefix("/Properties/"));
        let found = ReportedChangeDetail {
            name: path.map_or_else(
                || target.name().unwrap_or(attribute).to_owned(),
                |path| path.replace('/', "."),
            ),
            before: target.before_value().map(str::to_owned),
            after: target.after_value().map(str::to_owned),
            recreation: target
                .requires_recreation()
                .map(|it| it.as_str())
                .unwrap_or("Never")
                .to_owned(),
            cause: detail.causing_entity().map(str::to_owned),
        };
        // CloudFormation tells of one property several times: as changed, and for each thing that
        // it hangs on.
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
    ReportedChange {
        action: resource
            .action()
            .map(|it| it.as_str())
            .unwrap_or_default()
            .to_owned(),
        logical_id: resource
            .logical_resource_id()
            .unwrap_or_default()
            .to_owned(),
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
