//! SSM and Secrets Manager: values that a test's parameters are filled with.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};
use aws_sdk_ssm::types::ParameterType;

use super::endpoint::config_for;
use super::retry::partition;
use super::trace::Trace;
use super::{AwsError, Clients};

/// The most names that one call of GetParameters takes.
const MAX_NAMES: usize = 10;

impl Clients {
    fn ssm(&self) -> aws_sdk_ssm::Client {
        let config = aws_sdk_ssm::config::Builder::from(&config_for(&self.config, "SSM"))
            .retry_partition(partition())
            .interceptor(self.retry_limits.clone())
            .interceptor(Trace)
            .build();
        aws_sdk_ssm::Client::from_conf(config)
    }

    fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::config::Builder::from(&config_for(
            &self.config,
            "Secrets Manager",
        ))
        .retry_partition(partition())
        .interceptor(self.retry_limits.clone())
        .interceptor(Trace)
        .build();
        aws_sdk_secretsmanager::Client::from_conf(config)
    }

    /// Returns the SSM parameters that are set, by their names and by their ARNs, with the version
    /// that they were asked for with; with their values, except for those of type `SecureString`.
    pub async fn ssm_parameters(
        &self,
        names: &[&str],
    ) -> Result<BTreeMap<String, Option<String>>, AwsError> {
        const OPERATION: &str = "GetParameters";
        let client = self.ssm();
        let mut found = BTreeMap::new();
        for names in names.chunks(MAX_NAMES) {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let answer = client
                .get_parameters()
                .set_names(Some(names))
                .send()
                .await
                .map_err(|error| AwsError::new(OPERATION, &self.region, error))?;
            for parameter in answer.parameters() {
                let selector = parameter.selector().unwrap_or_default();
                let is_secure = parameter.r#type() == Some(&ParameterType::SecureString);
                let value = parameter.value().filter(|_| !is_secure);
                let ids = [parameter.name(), parameter.arn()].into_iter().flatten();
                found.extend(ids.map(|id| (format!("{id}{selector}"), value.map(str::to_owned))));
            }
        }
        Ok(found)
    }

    /// Returns names and ARNs of the secrets whose names begin with one of these.
    pub async fn secret_names(&self, names: &[&str]) -> Result<BTreeSet<String>, AwsError> {
        const OPERATION: &str = "ListSecrets";
        let client = self.secrets_manager();
        let mut found = BTreeSet::new();
        for names in names.chunks(MAX_NAMES) {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let filter = Filter::builder()
                .key(FilterNameStringType::Name)
                .set_values(Some(names))
                .build();
            let mut pages = client
                .list_secrets()
                .filters(filter)
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| AwsError::new(OPERATION, &self.region, error))?;
                for secret in page.secret_list() {
                    let names = [secret.name(), secret.arn()].into_iter().flatten();
                    found.extend(names.map(str::to_owned));
                }
            }
        }
        Ok(found)
    }

    /// Returns whether a secret exists, which may belong to another account; its value isn't read.
    pub async fn secret_exists(&self, arn: &str) -> Result<bool, AwsError> {
        let client = self.secrets_manager();
        match client.describe_secret().secret_id(arn).send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(failed) if failed.is_resource_not_found_exception() => Ok(false),
                _ => Err(AwsError::new("DescribeSecret", &self.region, error).named(arn)),
            },
        }
    }

    /// Returns the value of an SSM parameter, decrypted, and whether it is a `SecureString`.
    pub async fn ssm_parameter(&self, name: &str) -> Result<(String, bool), AwsError> {
        const OPERATION: &str = "GetParameter";
        let answer = self
            .ssm()
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
        let answer = self
            .secrets_manager()
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
