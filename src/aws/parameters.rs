//! SSM and Secrets Manager: values that a test's parameters are filled with.

use aws_sdk_ssm::types::ParameterType;

use super::endpoint::config_for;
use super::retry::partition;
use super::trace::Trace;
use super::{AwsError, Clients};

impl Clients {
    /// Returns the value of an SSM parameter, decrypted, and whether it is a `SecureString`.
    pub async fn ssm_parameter(&self, name: &str) -> Result<(String, bool), AwsError> {
        const OPERATION: &str = "GetParameter";
        let config = aws_sdk_ssm::config::Builder::from(&config_for(&self.config, "SSM"))
            .retry_partition(partition())
            .interceptor(self.retry_limits.clone())
            .interceptor(Trace)
            .build();
        let answer = aws_sdk_ssm::Client::from_conf(config)
            .get_parameter()
            .name(name)
            .with_decryption(true)
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, &self.region, error).named(name))?;
        let parameter = answer.parameter();
        let secure =
            parameter.and_then(|found| found.r#type()) == Some(&ParameterType::SecureString);
        match parameter.and_then(|found| found.value()) {
            Some(value) => Ok((value.to_owned(), secure)),
            None => Err(AwsError::unexpected(
                OPERATION,
                &self.region,
                format!("{name} has no value"),
            )),
        }
    }

    /// Returns the `SecretString` of a secret, by ARN or name.
    pub async fn secret(&self, id: &str) -> Result<String, AwsError> {
        const OPERATION: &str = "GetSecretValue";
        let config = aws_sdk_secretsmanager::config::Builder::from(&config_for(
            &self.config,
            "Secrets Manager",
        ))
        .retry_partition(partition())
        .interceptor(self.retry_limits.clone())
        .interceptor(Trace)
        .build();
        let answer = aws_sdk_secretsmanager::Client::from_conf(config)
            .get_secret_value()
            .secret_id(id)
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, &self.region, error).named(id))?;
        match answer.secret_string() {
            Some(value) => Ok(value.to_owned()),
            None => Err(AwsError::unexpected(
                OPERATION,
                &self.region,
                format!("{id} holds bytes, not text"),
            )),
        }
    }
}
