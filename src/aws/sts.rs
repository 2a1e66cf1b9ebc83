//! STS: who the credentials belong to.

use super::endpoint::{config_for, endpoint_override};
use super::retry::partition;
use super::trace::Trace;
use super::{AwsError, Clients};

/// Whom STS takes the caller for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The account's 12-digit ID.
    pub account_id: String,
    /// The second part of the caller's ARN: AWS's own word on where we are, for partitions younger
    /// than this code too.
    pub partition: String,
    /// The caller's ARN.
    pub arn: String,
}

impl Clients {
    /// Names the endpoint that did not answer, where it is not AWS's own.
    fn reached(&self, error: AwsError) -> AwsError {
        match endpoint_override(&self.config, "STS") {
            Some(url) if error.is_unanswered() && !error.message.contains(&url) => {
                error.named(&url)
            }
            _ => error,
        }
    }

    /// Asks STS who the caller is.
    pub async fn caller_identity(&self) -> Result<CallerIdentity, AwsError> {
        const OPERATION: &str = "GetCallerIdentity";
        let config = aws_sdk_sts::config::Builder::from(&config_for(&self.config, "STS"))
            .retry_partition(partition())
            .interceptor(self.retry_limits.of_first_call())
            .interceptor(Trace)
            .interceptor(self.simulated.clone())
            .interceptor(self.server_clock.clone())
            .build();
        let answer = aws_sdk_sts::Client::from_conf(config)
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| self.reached(AwsError::new(OPERATION, &self.region, error)))?;
        let arn = answer.arn().unwrap_or_default();
        match (answer.account(), arn.split(':').nth(1)) {
            (Some(account_id), Some(partition)) => Ok(CallerIdentity {
                account_id: account_id.to_owned(),
                partition: partition.to_owned(),
                arn: arn.to_owned(),
            }),
            _ => Err(AwsError::unexpected(
                OPERATION,
                &self.region,
                "the answer names no account",
            )),
        }
    }
}
