//! AWS, as the steps see it: plain calls with plain types. The only importer of `aws_sdk_*`.
//!
//! [`Aws`] hands out [`Clients`] per profile and region; credentials, HTTP connections and retries
//! are shared by profile. An endpoint (`--endpoint-url`, `AWS_ENDPOINT_URL`, a profile's `services`
//! section) leads elsewhere than to AWS; buckets are then addressed by path, and checksums are
//! plain. Files and environment are read by [`settings`] and [`shared_config`], credentials found
//! by [`credentials`], and requests sent by [`http`]: by boto3's rules, where the SDK has others.
//! [`Aws::at`] calls one endpoint with given keys, and reads neither environment nor files.

mod access;
mod change_set;
mod cloud_control;
mod cloudformation;
mod codepipeline;
mod credentials;
mod drift;
mod ec2;
mod endpoint;
mod environment;
mod error;
mod get_url;
mod http;
mod new_buckets;
mod operation_events;
mod pacing;
mod parameters;
mod profile;
mod profile_error;
mod quotas;
mod retry;
mod s3;
mod server_clock;
mod settings;
mod setup;
mod shared_config;
mod signed;
mod simulated;
mod stack_resource;
mod sts;
mod trace;

pub use access::PolicySource;
pub use change_set::{ChangeSet, ChangeSetOptions, CreateChangeSet, StackFailureAction};
pub use cloudformation::{CreateStack, Stack};
pub use codepipeline::{ActionState, JobFailure, JobSuccess, StageState};
pub use credentials::{Mfa, MfaPrompt};
pub use drift::{DriftedResource, PropertyDifference, StackDrift};
pub use ec2::{Ec2Lookup, Image};
pub use endpoint::is_url;
pub use error::{AwsError, ErrorKind};
pub use get_url::{UrlAnswer, UrlError};
pub use operation_events::{CheckedOperation, FailedCheck};
pub use s3::{Bucket, Object, ObjectLookup, PART_SIZE};
pub use setup::Setup;
pub use sts::CallerIdentity;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use tokio::sync::Mutex;
use uuid::Uuid;

use endpoint::{config_for, endpoint_override};
use http::Http;
use new_buckets::NewBuckets;
use pacing::Pace;
use profile::Profile;
use retry::{RetryLimits, retries, timeouts};
use server_clock::ServerClock;
use settings::{AddressingStyle, Overrides, S3Settings};
use simulated::Simulated;
use trace::Trace;

use crate::catalog;
pub use crate::plan::{
    DEFAULT_PROFILE, EXPLICIT_DEFAULT_PROFILE, explicit_profile, profile_argument,
};

/// How long AWS may not see a bucket, stack or change set after its creation: what isn't found by
/// then was not created.
pub const INVISIBLE: Duration = Duration::from_secs(60);

/// How long one attempt of a call may take unless [`Aws::with_call_timeout`] sets another limit.
/// Uploads of files, which may go over a slow line, may take [`UPLOAD_FACTOR`] times as long.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How many times as long uploads of files may take.
pub const UPLOAD_FACTOR: u32 = 10;

/// Returns a token that makes one call safe to repeat, whatever the API calls it.
pub fn request_token() -> String {
    format!("taskcat-{}", Uuid::new_v4().simple())
}

/// The entry to AWS: one per process.
pub struct Aws {
    target: AwsTarget,
    /// Of one attempt.
    call_timeout: Duration,
    simulated: Simulated,
    /// By profile and partition. Credentials that come from STS are asked for in the region that
    /// was called first.
    profiles: Mutex<HashMap<(String, &'static str), Profile>>,
    clients: Mutex<HashMap<(String, String), Arc<Clients>>>,
}

/// Where AWS is, and who calls it.
enum AwsTarget {
    /// As the environment and the profiles say, but for the endpoint, where one is given.
    Configured { overrides: Overrides, mfa: Mfa },
    /// One endpoint and one pair of keys, whatever the profile.
    Fixed {
        endpoint_url: String,
        keys: AccessKeys,
    },
}

/// An access key and its secret.
pub struct AccessKeys {
    /// The access key's ID.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
}

/// The region where none is set: one that every account has.
const HOME_REGION: &str = "us-east-1";

/// What can be called with one profile's credentials in one region.
pub struct Clients {
    region: String,
    /// Where S3 really is, when it isn't AWS.
    s3_endpoint: Option<String>,
    config: SdkConfig,
    http: Http,
    call_timeout: Duration,
    simulated: Simulated,
    server_clock: ServerClock,
    cloudformation: aws_sdk_cloudformation::Client,
    s3: aws_sdk_s3::Client,
    pace: Arc<Pace>,
    retry_limits: RetryLimits,
    new_buckets: NewBuckets,
}

impl Aws {
    /// `endpoint_url` overrides the environment's and the profile's endpoint for every service.
    pub fn new(endpoint_url: Option<String>) -> Self {
        let overrides = Overrides {
            endpoint_url,
            ..Overrides::default()
        };
        Self::of(AwsTarget::Configured {
            overrides,
            mfa: Mfa::default(),
        })
    }

    /// Trusts the certificates in a file instead of the system's, whatever environment and profile
    /// say.
    pub fn with_ca_bundle(mut self, path: Option<PathBuf>) -> Self {
        if let AwsTarget::Configured { overrides, .. } = &mut self.target {
            overrides.ca_bundle = path;
        }
        self
    }

    /// Says where MFA codes come from. Roles that need one can't be assumed otherwise.
    pub fn with_mfa(mut self, source: Mfa) -> Self {
        if let AwsTarget::Configured { mfa, .. } = &mut self.target {
            *mfa = source;
        }
        self
    }

    /// Calls `endpoint_url`, a plain `http://` one, with these keys for every profile. No variable,
    /// profile, proxy or metadata service is asked.
    pub fn at(endpoint_url: String, keys: AccessKeys) -> Self {
        Self::of(AwsTarget::Fixed { endpoint_url, keys })
    }

    fn of(target: AwsTarget) -> Self {
        Self {
            target,
            call_timeout: CALL_TIMEOUT,
            simulated: Simulated::default(),
            profiles: Mutex::default(),
            clients: Mutex::default(),
        }
    }

    /// Limits each attempt of a call.
    pub fn with_call_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = limit;
        self
    }

    /// Returns whether an answer so far said that it only simulates AWS. Known after the first
    /// call.
    pub fn is_simulated(&self) -> bool {
        self.simulated.is_known()
    }

    /// Returns the clients for a profile in a region.
    pub async fn clients(&self, profile: &str, region: &str) -> Arc<Clients> {
        let mut clients = self.clients.lock().await;
        let key = (profile.to_owned(), region.to_owned());
        if let Some(found) = clients.get(&key) {
            return found.clone();
        }
        let profile = self.profile(profile, region).await;
        let made = Arc::new(Clients::new(
            region,
            &profile,
            self.call_timeout,
            self.simulated.clone(),
        ));
        clients.insert(key, made.clone());
        made
    }

    async fn profile(&self, profile: &str, region: &str) -> Profile {
        let mut profiles = self.profiles.lock().await;
        let key = (profile.to_owned(), catalog::partition_of(region).name);
        profiles
            .entry(key)
            .or_insert_with(|| self.load(profile, region))
            .clone()
    }

    fn load(&self, profile: &str, region: &str) -> Profile {
        match &self.target {
            AwsTarget::Configured { overrides, mfa } => {
                Profile::load(profile, region, overrides, mfa, self.call_timeout)
            }
            AwsTarget::Fixed { endpoint_url, keys } => {
                Profile::of(fixed_config(endpoint_url, keys, self.call_timeout))
            }
        }
    }

    /// Returns the identity of a profile, and the region in which STS was asked: the first of
    /// `regions` that can be used. Credentials that come from STS themselves, those of an assumed
    /// role, are asked for there as well.
    ///
    /// # Errors
    /// No region can be used, which is said for the first.
    pub async fn identify(
        &self,
        profile: &str,
        regions: &[String],
    ) -> Result<(CallerIdentity, String), AwsError> {
        let mut first = None;
        for region in regions {
            if first.is_some() {
                let key = (profile.to_owned(), catalog::partition_of(region).name);
                self.profiles
                    .lock()
                    .await
                    .insert(key, self.load(profile, region));
                self.clients
                    .lock()
                    .await
                    .retain(|(known, _), _| known != profile);
            }
            match self.clients(profile, region).await.caller_identity().await {
                Ok(identity) => return Ok((identity, region.clone())),
                // Where there are no credentials at all, no region has them.
                Err(error) if error.is(ErrorKind::MissingProfile) => return Err(error),
                Err(error) if error.is(ErrorKind::Credentials) && error.code.is_none() => {
                    return Err(error);
                }
                // Every region has the same endpoint.
                Err(error) if error.is_unanswered() && self.has_endpoint(profile, region).await => {
                    return Err(error);
                }
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| {
            AwsError::unexpected("GetCallerIdentity", "", "no region to ask in")
        }))
    }

    /// Returns whether the user sets an endpoint for STS.
    async fn has_endpoint(&self, profile: &str, region: &str) -> bool {
        let clients = self.clients(profile, region).await;
        endpoint_override(&clients.config, "STS").is_some()
    }

    /// Returns the profile's own region.
    pub async fn home_region(&self, profile: &str) -> String {
        match &self.target {
            AwsTarget::Configured { overrides, .. } => profile::home_region(profile, overrides),
            AwsTarget::Fixed { .. } => HOME_REGION.to_owned(),
        }
    }
}

/// Builds the configuration for fixed keys; the SDK's loader would read the environment.
fn fixed_config(endpoint_url: &str, keys: &AccessKeys, call_timeout: Duration) -> SdkConfig {
    let keys = Credentials::new(
        &keys.access_key_id,
        &keys.secret_access_key,
        None,
        None,
        "given",
    );
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .retry_config(retries())
        .timeout_config(timeouts(call_timeout))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .endpoint_url(endpoint_url)
        .http_client(Http::direct())
        .build()
}

impl Clients {
    fn new(region: &str, profile: &Profile, call_timeout: Duration, simulated: Simulated) -> Self {
        let config = profile
            .config
            .to_builder()
            .region(Region::new(region.to_owned()))
            .build();
        let s3_endpoint = endpoint_override(&config, "S3");
        let new_buckets = NewBuckets::default();
        let pace = Arc::new(Pace::default());
        let retry_limits = RetryLimits::new(pace.clone()).with_attempts(profile.attempts);
        let cloudformation =
            aws_sdk_cloudformation::config::Builder::from(&config_for(&config, "CloudFormation"))
                .retry_partition(retry::partition())
                .interceptor(retry_limits.clone())
                .interceptor(Trace)
                .interceptor(simulated.clone());
        let mut s3 = aws_sdk_s3::config::Builder::from(&config_for(&config, "S3"))
            .retry_partition(retry::partition())
            .retry_classifier(new_buckets.clone())
            .interceptor(new_buckets.clone())
            .interceptor(retry_limits.clone())
            .interceptor(Trace);
        let S3Settings {
            addressing_style,
            use_accelerate_endpoint,
            use_dualstack_endpoint,
        } = profile.s3;
        if let Some(style) = addressing_style {
            s3 = s3.force_path_style(style == AddressingStyle::Path);
        }
        if s3_endpoint.is_some() {
            // Stand-ins for S3 know neither bucket host names nor trailing checksums.
            s3 = s3
                .force_path_style(addressing_style != Some(AddressingStyle::Virtual))
                .request_checksum_calculation(
                    aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired,
                )
                .response_checksum_validation(
                    aws_sdk_s3::config::ResponseChecksumValidation::WhenRequired,
                );
        } else {
            if use_dualstack_endpoint {
                s3 = s3.use_dual_stack(true);
            }
            if use_accelerate_endpoint {
                s3 = s3.accelerate(true);
            }
        }
        Self {
            region: region.to_owned(),
            s3_endpoint,
            cloudformation: aws_sdk_cloudformation::Client::from_conf(cloudformation.build()),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            config,
            http: profile.http.clone(),
            call_timeout,
            simulated,
            server_clock: ServerClock::default(),
            pace,
            retry_limits,
            new_buckets,
        }
    }

    /// Returns the region that is called.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns by how many seconds AWS's clock is ahead of this machine's, by the newest response
    /// of STS; negative if it is behind.
    pub fn seconds_ahead(&self) -> Option<i64> {
        self.server_clock.seconds_ahead()
    }

    /// Returns the endpoint of S3 if the user sets one.
    pub fn s3_endpoint(&self) -> Option<&str> {
        self.s3_endpoint.as_deref()
    }
}
