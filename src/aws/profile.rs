//! One profile as the SDK's clients take it: settings, credentials and the way to the network, all
//! of our own.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::config::{BehaviorVersion, IdentityCache};
use aws_smithy_types::retry::RetryMode;
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::HOME_REGION;
use super::credentials::{CredentialChain, CredentialSources, Mfa};
use super::environment::Environment;
use super::http::{Http, Proxies};
use super::retry::{retries, timeouts};
use super::settings::{Overrides, S3Settings, Settings};
use crate::catalog;

/// What is known of a profile before a region is.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// Without a region.
    pub config: SdkConfig,
    pub http: Http,
    pub s3: S3Settings,
    /// The most attempts of a call, where the user limits them.
    pub attempts: Option<u32>,
    /// None where credentials are given.
    pub chain: Option<Arc<CredentialChain>>,
}

impl Profile {
    /// Reads environment and files. What is wrong with them is what every call fails with.
    pub(super) fn load(
        name: &str,
        region: &str,
        overrides: &Overrides,
        mfa: &Mfa,
        call_timeout: Duration,
    ) -> Self {
        let loaded = Settings::load(name, overrides).map(Arc::new);
        let proxies = || Proxies::of(&Environment::of_process());
        let settings = loaded.as_ref().ok();
        let http = match settings {
            Some(settings) => Http::new(proxies(), settings.ca_bundle().as_ref()),
            None => Http::new(proxies(), None),
        };
        let usable = http.as_ref().map_or_else(|_| Http::direct(), Clone::clone);
        let sources = loaded.as_ref().map_err(Clone::clone).and_then(|settings| {
            Ok(CredentialSources {
                settings: settings.clone(),
                http: http.clone()?,
                direct: Http::direct(),
                region: region.to_owned(),
                call_timeout,
                mfa: mfa.clone(),
            })
        });
        let chain = Arc::new(CredentialChain::new(sources));
        let (attempts, is_adaptive) = settings
            .and_then(|it| it.retries().ok())
            .unwrap_or_default();
        let retries = if is_adaptive {
            retries().with_retry_mode(RetryMode::Adaptive)
        } else {
            retries()
        };
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .retry_config(retries)
            .timeout_config(timeouts(call_timeout))
            .identity_cache(IdentityCache::no_cache())
            .credentials_provider(SharedCredentialsProvider::new(
                chain.clone() as Arc<dyn ProvideCredentials>
            ))
            .http_client(usable.clone());
        if let Some(settings) = settings {
            let checksums = |variable, key| settings.setting(&[variable], key).map(|it| it.text);
            let requests = checksums(
                "AWS_REQUEST_CHECKSUM_CALCULATION",
                "request_checksum_calculation",
            );
            let answers = checksums(
                "AWS_RESPONSE_CHECKSUM_VALIDATION",
                "response_checksum_validation",
            );
            let app_name = settings.setting(&["AWS_SDK_UA_APP_ID"], "sdk_ua_app_id");
            config.set_request_checksum_calculation(requests.and_then(|it| it.trim().parse().ok()));
            config.set_response_checksum_validation(answers.and_then(|it| it.trim().parse().ok()));
            config.set_app_name(app_name.and_then(|it| AppName::new(it.text).ok()));
            let variant = settings.endpoint_variant();
            config.set_use_fips(Some(variant.fips));
            config.set_use_dual_stack(Some(variant.dual_stack));
            config = config.service_config(ServiceSettings(settings.clone()));
        }
        let s3 = settings.and_then(|it| it.s3().ok()).unwrap_or_default();
        Self {
            config: config.build(),
            http: usable,
            s3,
            attempts,
            chain: Some(chain),
        }
    }

    /// Returns a profile that takes nothing from environment and files.
    pub(super) fn of(config: SdkConfig) -> Self {
        Self {
            config,
            http: Http::direct(),
            s3: S3Settings::default(),
            attempts: None,
            chain: None,
        }
    }
}

/// Returns the region that the environment sets, else the profile's, else one that every account of
/// its partition has. A region of the environment in another partition than the profile's own can't
/// be meant for it.
pub(super) fn home_region(profile: &str, overrides: &Overrides) -> String {
    let Ok(settings) = Settings::load(profile, overrides) else {
        return HOME_REGION.to_owned();
    };
    let set = settings.region().ok().flatten().map(|it| it.text);
    let own = settings.in_profile("region").map(|it| it.text.to_owned());
    let role = settings
        .in_profile("role_arn")
        .and_then(|it| it.text.split(':').nth(1));
    let partition = match &own {
        Some(own) => Some(catalog::partition_of(own).name),
        None => role.and_then(catalog::partition).map(|it| it.name),
    };
    let is_of_partition =
        |region: &String| partition.is_none_or(|name| catalog::partition_of(region).name == name);
    let home = match partition {
        Some("aws-cn") => "cn-north-1",
        Some("aws-us-gov") => "us-gov-west-1",
        _ => HOME_REGION,
    };
    set.filter(is_of_partition)
        .or(own)
        .unwrap_or_else(|| home.to_owned())
}

/// The settings of services: `AWS_ENDPOINT_URL_S3`, a profile's `services` section.
#[derive(Debug)]
struct ServiceSettings(Arc<Settings>);

impl LoadServiceConfig for ServiceSettings {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let settings = &self.0;
        if key.env() == "AWS_ENDPOINT_URL" {
            return settings.endpoint(key.service_id()).map(|it| it.text);
        }
        let service = key.service_id().replace(' ', "_");
        let variable = format!("{}_{}", key.env(), service.to_uppercase());
        let of_environment = settings
            .environment
            .first_of(&[variable.as_str(), key.env()]);
        let of_service = || {
            settings
                .files
                .service(&settings.profile, &service.to_lowercase(), key.profile())
        };
        let of_profile = || {
            of_service()
                .or_else(|| settings.in_profile(key.profile()))
                .map(|it| it.text)
        };
        of_environment
            .map(|(_, value)| value)
            .or_else(of_profile)
            .map(str::to_owned)
    }
}
