//! Profiles of the AWS configuration files: their credentials, their region, and their endpoints by service.
//!
//! The SDK does the reading. This module adds what it lacks: an empty variable counts as not set, and a profile that
//! doesn't exist is named together with those that do.

use std::borrow::Cow;
use std::env;
use std::fmt;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{self, ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig, imds};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::retry::{retries, timeouts};
use super::{DEFAULT_PROFILE, HOME_REGION};

/// Loads a profile's configuration by the SDK's own rules. Where its credentials come from AWS, as those of a role do, they are
/// asked for in the region.
pub(super) async fn load(
    profile: &str,
    region: Region,
    endpoint_url: Option<&str>,
    call_timeout: Duration,
) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(retries())
        .timeout_config(timeouts(call_timeout))
        .credentials_provider(credentials(profile, region.clone()).await)
        .region(region);
    if profile != DEFAULT_PROFILE {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let loaded = loader.load().await;
    loaded.to_builder().service_config(ServiceSettings(loaded)).build()
}

/// Returns the region that the environment sets, else the profile's, else one that every account has. The SDK's own chain
/// asks instance metadata as well, which takes seconds where there is none.
pub(super) async fn home_region(profile: &str) -> Region {
    let of_profile = match profile {
        DEFAULT_PROFILE => ProfileFileRegionProvider::new(),
        name => ProfileFileRegionProvider::builder().profile_name(name).build(),
    };
    let set = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().filter_map(|name| env::var(name).ok());
    let of_environment = set.map(|value| value.trim().to_owned()).find(|value| !value.is_empty()).map(Region::new);
    let chain = RegionProviderChain::first_try(of_environment).or_else(of_profile);
    chain.region().await.unwrap_or_else(|| Region::from_static(HOME_REGION))
}

/// A named profile is taken from the profile files alone, as the AWS CLI does with `--profile`: variables in the
/// environment don't override what the user asked for. The default asks everything there is; instance metadata gets
/// two short tries, so that a machine without credentials says so quickly.
async fn credentials(profile: &str, region: Region) -> SharedCredentialsProvider {
    if profile != DEFAULT_PROFILE {
        if let Some(missing) = MissingProfile::check(profile).await {
            return SharedCredentialsProvider::new(missing);
        }
        let config = ProviderConfig::without_region().with_region(Some(region));
        let provider = ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile).build();
        return SharedCredentialsProvider::new(provider);
    }
    let imds = imds::Client::builder()
        .max_attempts(2)
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(1))
        .build();
    let chain = DefaultCredentialsChain::builder().region(region).imds_client(imds).build().await;
    let selected = env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty());
    let missing = match selected {
        Some(name) => MissingProfile::check(&name).await,
        None => None,
    };
    match missing {
        Some(missing) => SharedCredentialsProvider::new(UnlessFound { chain, missing }),
        None => SharedCredentialsProvider::new(chain),
    }
}

/// A profile that no configuration file has, in the place of its credentials.
#[derive(Clone, Debug)]
pub(super) struct MissingProfile {
    name: String,
    known: Vec<String>,
}

impl MissingProfile {
    /// Returns `None` for a profile that exists, and where the files can't be read: then the SDK says why.
    async fn check(name: &str) -> Option<Self> {
        let selected = Some(Cow::Owned(name.to_owned()));
        let files = Default::default();
        let profiles = profile::load(&Fs::real(), &Env::real(), &files, selected).await.ok()?;
        if profiles.get_profile(name).is_some() {
            return None;
        }
        let mut known: Vec<_> = profiles.profiles().map(str::to_owned).collect();
        known.sort_unstable();
        Some(Self { name: name.to_owned(), known })
    }
}

impl fmt::Display for MissingProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile `{}` doesn't exist (", self.name)?;
        match self.known.is_empty() {
            true => f.write_str("the AWS configuration files have no profiles)"),
            false => write!(f, "known: {})", self.known.join(", ")),
        }
    }
}

impl std::error::Error for MissingProfile {}

impl ProvideCredentials for MissingProfile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::invalid_configuration(self.clone())))
    }
}

/// The default chain where AWS_PROFILE names a profile that doesn't exist: other sources may have credentials all the same.
#[derive(Debug)]
struct UnlessFound {
    chain: DefaultCredentialsChain,
    missing: MissingProfile,
}

impl ProvideCredentials for UnlessFound {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            match self.chain.provide_credentials().await {
                Err(CredentialsError::CredentialsNotLoaded(_)) => {
                    Err(CredentialsError::invalid_configuration(self.missing.clone()))
                }
                answer => answer,
            }
        })
    }
}

/// The settings of services (`AWS_ENDPOINT_URL_S3`, a profile's `services` section) without the empty ones: a variable
/// that a CI leaves empty is not set, and the SDK panics over an empty URL.
#[derive(Debug)]
struct ServiceSettings(SdkConfig);

impl LoadServiceConfig for ServiceSettings {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        self.0.service_config()?.load_config(key).filter(|value| !value.trim().is_empty())
    }
}
