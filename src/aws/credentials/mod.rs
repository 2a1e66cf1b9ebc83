//! Who calls AWS with a profile: the sources of credentials, in boto3's order
//! (`botocore/credentials.py`, `create_credential_resolver`).
//!
//! Each source has a file. None of them runs a shell; those of containers and instances never go
//! through a proxy; and where `--endpoint-url` is given, none calls another host.
//! [`CredentialChain`] keeps what was found until it has to be renewed, and an error that can't
//! pass, so that it is found once and not once a region.

mod assume_role;
mod cache;
mod container;
mod instance;
mod keys;
mod login;
mod mfa;
mod process;
mod sso;
mod sts;
mod time;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use tokio::sync::Mutex;

use super::http::Http;
use super::is_url;
use super::profile_error::ProfileError;
use super::settings::{Settings, searched};

pub use mfa::{Mfa, MfaPrompt};

/// Credentials are renewed so long before they expire, as by boto3.
const RENEWAL: Duration = Duration::from_secs(15 * 60);
/// After a renewal that failed, the next is tried so much later.
const NEXT_RENEWAL: Duration = Duration::from_secs(60);

/// Credentials and where they are from.
#[derive(Clone, Debug)]
pub(super) struct FoundCredentials {
    pub credentials: Credentials,
    /// For people: `/home/u/.aws/credentials:3`, `role arn:aws:iam::…`.
    pub source: String,
}

/// What a source may return: nothing where it isn't set up.
type Loaded = Result<Option<FoundCredentials>, ProfileError>;

/// What sources need.
#[derive(Clone, Debug)]
pub(super) struct CredentialSources {
    pub settings: Arc<Settings>,
    /// For services of AWS.
    pub http: Http,
    /// For metadata: through no proxy.
    pub direct: Http,
    /// Where STS is asked.
    pub region: String,
    pub call_timeout: Duration,
    pub mfa: Mfa,
}

impl CredentialSources {
    /// Returns what the first source has that is set up.
    ///
    /// # Errors
    /// That source can't be used, or there is none.
    pub(super) async fn load(&self) -> Result<FoundCredentials, ProfileError> {
        let settings = &self.settings;
        settings.region()?;
        settings.retries()?;
        settings.s3()?;
        for service in ["STS", "CloudFormation", "S3", "EC2"] {
            if let Some(endpoint) = settings.endpoint(service).filter(|it| !is_url(&it.text)) {
                let message = format!(
                    "{}: invalid endpoint URL `{}`",
                    endpoint.origin, endpoint.text
                );
                return Err(
                    ProfileError::new(message).help("use something like http://localhost:4566")
                );
            }
        }
        if !settings.is_explicit
            && let Some(found) = keys::of_environment(&settings.environment)?
        {
            return Ok(found);
        }
        if let Some(found) = assume_role::load(self, &settings.profile).await? {
            return Ok(found);
        }
        if let Some(found) = self
            .of_profile(&settings.profile, !settings.is_explicit)
            .await?
        {
            return Ok(found);
        }
        if let Some(found) = keys::of_old_files(&settings.environment)? {
            return Ok(found);
        }
        if let Some(found) = container::load(self).await? {
            return Ok(found);
        }
        instance::load(self)
            .await?
            .ok_or_else(|| self.nothing_found())
    }

    /// Returns the credentials of the profile's own sources. `source_profile` leads here, too.
    fn of_profile<'a>(
        &'a self,
        profile: &'a str,
        with_environment: bool,
    ) -> Pin<Box<dyn Future<Output = Loaded> + Send + 'a>> {
        Box::pin(async move {
            if let Some(found) = sts::web_identity(self, profile, with_environment).await? {
                return Ok(Some(found));
            }
            if let Some(found) = sso::load(self, profile).await? {
                return Ok(Some(found));
            }
            if let Some(found) = keys::of_credentials_file(&self.settings, profile)? {
                return Ok(Some(found));
            }
            if let Some(found) = login::load(self, profile).await? {
                return Ok(Some(found));
            }
            if let Some(found) = process::load(&self.settings, profile).await? {
                return Ok(Some(found));
            }
            keys::of_config_file(&self.settings, profile)
        })
    }

    fn nothing_found(&self) -> ProfileError {
        let settings = &self.settings;
        let error = match settings.files.place_of(&settings.profile) {
            Some(_) => ProfileError::new(format!(
                "no credentials were found: {} has none",
                settings.described()
            )),
            None => ProfileError::new(format!(
                "no credentials were found in {}",
                searched(&settings.files)
            )),
        };
        let known = settings.files.profiles();
        let profiles = if known.is_empty() {
            String::new()
        } else {
            format!(" (profiles: {})", known.join(", "))
        };
        error.help(format!(
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws \
             sso login` or \
             `aws login`; --profile and `auth` in .taskcat.yml choose a profile{profiles}"
        ))
    }
}

/// The credentials of a profile, renewed before they expire.
pub(super) struct CredentialChain {
    sources: Result<CredentialSources, ProfileError>,
    state: Mutex<ChainState>,
}

#[derive(Default)]
struct ChainState {
    found: Option<FoundCredentials>,
    renew_at: Option<SystemTime>,
    /// What can't pass.
    failed: Option<ProfileError>,
}

impl fmt::Debug for CredentialChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialChain")
    }
}

impl CredentialChain {
    /// Creates a chain. An error of its sources is the error of every call.
    pub(super) fn new(sources: Result<CredentialSources, ProfileError>) -> Self {
        Self {
            sources,
            state: Mutex::default(),
        }
    }

    /// Returns the credentials and where they are from, renewed if they expire soon.
    pub(super) async fn found(&self) -> Result<FoundCredentials, ProfileError> {
        let sources = self.sources.as_ref().map_err(Clone::clone)?;
        let mut state = self.state.lock().await;
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let now = SystemTime::now();
        if let Some(found) = &state.found
            && state.renew_at.is_none_or(|at| now < at)
        {
            return Ok(found.clone());
        }
        let first = state.found.is_none();
        match sources.load().await {
            Ok(found) => {
                state.renew_at = found
                    .credentials
                    .expiry()
                    .map(|expiry| renewal(now, expiry));
                state.found = Some(found.clone());
                Ok(found)
            }
            Err(error) => {
                if let Some(found) = &state.found
                    && found
                        .credentials
                        .expiry()
                        .is_some_and(|expiry| now < expiry)
                {
                    let found = found.clone();
                    state.renew_at = Some(now + NEXT_RENEWAL);
                    return Ok(found);
                }
                if first && !error.may_pass {
                    state.failed = Some(error.clone());
                }
                Err(error)
            }
        }
    }
}

/// Returns when to renew credentials: early enough, and not with every call where they live for
/// minutes.
fn renewal(now: SystemTime, expiry: SystemTime) -> SystemTime {
    let left = expiry.duration_since(now).unwrap_or_default();
    now + left.saturating_sub(RENEWAL).max(left / 2)
}

impl ProvideCredentials for CredentialChain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let found = self
                .found()
                .await
                .map_err(CredentialsError::invalid_configuration)?;
            Ok(found.credentials)
        })
    }
}

/// `Expiration`s that are over are refused where boto3 refuses them.
fn is_over(expiry: Option<SystemTime>) -> bool {
    expiry.is_some_and(|expiry| expiry <= SystemTime::now())
}
