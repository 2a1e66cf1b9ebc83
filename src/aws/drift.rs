//! Drift detection: whether the resources of a stack still are what its template says.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html>

use std::time::Duration;

use aws_sdk_cloudformation::types::{
    StackDriftDetectionStatus, StackResourceDrift, StackResourceDriftStatus,
};
use tokio::time::sleep;

use super::{AwsError, Clients};

/// The pause between two looks at a drift detection.
const LOOK: Duration = Duration::from_secs(2);

/// The result of a drift detection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackDrift {
    /// The resources that differ.
    pub resources: Vec<DriftedResource>,
    /// Why the detection failed for at least one resource; absent if it didn't.
    pub failure: Option<String>,
}

/// A resource that differs from its template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftedResource {
    /// The logical ID.
    pub logical_id: String,
    /// `MODIFIED` or `DELETED`.
    pub status: String,
    /// The properties that differ, each with what was expected and what was found.
    pub differences: Vec<PropertyDifference>,
}

/// A property that differs from the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyDifference {
    /// The path of the property: `/VisibilityTimeout`.
    pub path: String,
    /// The value in the template.
    pub expected: String,
    /// The value of the resource.
    pub actual: String,
}

impl Clients {
    /// Detects the drift of a stack. The caller limits the time that it takes.
    ///
    /// # Errors
    /// A call was denied or failed.
    pub async fn stack_drift(&self, stack_id: &str) -> Result<StackDrift, AwsError> {
        const DETECT: &str = "DetectStackDrift";
        const STATUS: &str = "DescribeStackDriftDetectionStatus";
        let begun = self.cloudformation.detect_stack_drift();
        let begun = begun.stack_name(stack_id).send().await;
        let begun = begun.map_err(|error| AwsError::new(DETECT, &self.region, error))?;
        let id = begun.stack_drift_detection_id().unwrap_or_default();
        let (failure, count) = loop {
            let look = self.cloudformation.describe_stack_drift_detection_status();
            let found = look.stack_drift_detection_id(id).send().await;
            let found = found.map_err(|error| AwsError::new(STATUS, &self.region, error))?;
            let reason = found.detection_status_reason().unwrap_or("no reason given");
            match found.detection_status() {
                Some(StackDriftDetectionStatus::DetectionInProgress) => sleep(LOOK).await,
                Some(StackDriftDetectionStatus::DetectionFailed) => {
                    break (Some(reason.to_owned()), None);
                }
                _ => break (None, found.drifted_stack_resource_count()),
            }
        };
        let resources = match count {
            Some(0) => Vec::new(),
            _ => self.drifted_resources(stack_id).await?,
        };
        Ok(StackDrift { resources, failure })
    }

    async fn drifted_resources(&self, stack_id: &str) -> Result<Vec<DriftedResource>, AwsError> {
        const OPERATION: &str = "DescribeStackResourceDrifts";
        let mut drifted = Vec::new();
        let mut next = None;
        loop {
            let page = self
                .cloudformation
                .describe_stack_resource_drifts()
                .stack_name(stack_id)
                .stack_resource_drift_status_filters(StackResourceDriftStatus::Modified)
                .stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted)
                .set_next_token(next)
                .send()
                .await
                .map_err(|error| AwsError::new(OPERATION, &self.region, error))?;
            drifted.extend(page.stack_resource_drifts().iter().map(drifted_resource));
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(drifted);
            }
        }
    }
}

fn drifted_resource(drift: &StackResourceDrift) -> DriftedResource {
    let differences = drift.property_differences().iter();
    let differences = differences.map(|it| PropertyDifference {
        path: it.property_path().unwrap_or_default().to_owned(),
        expected: it.expected_value().unwrap_or_default().to_owned(),
        actual: it.actual_value().unwrap_or_default().to_owned(),
    });
    let status = drift.stack_resource_drift_status();
    DriftedResource {
        logical_id: drift.logical_resource_id().unwrap_or_default().to_owned(),
        status: status.map_or("", |it| it.as_str()).to_owned(),
        differences: differences.collect(),
    }
}
