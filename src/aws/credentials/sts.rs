//! STS for credentials: how it is called, and roles that are assumed with a token of another
//! identity provider (`web_identity_token_file`).

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::{BehaviorVersion, IdentityCache, Region};
use aws_sdk_sts::types::Credentials as StsCredentials;

use super::super::profile_error::ProfileError;
use super::super::retry::{RetryLimits, partition, retries, timeouts};
use super::super::trace::Trace;
use super::super::{AwsError, ErrorKind};
use super::{CredentialSources, FoundCredentials, Loaded};
use crate::input;

/// Returns the client in the region that is called, without credentials for calls that aren't
/// signed.
pub(super) fn client(
    sources: &CredentialSources,
    credentials: Option<Credentials>,
) -> Result<Client, ProfileError> {
    let settings = &sources.settings;
    let (attempts, _) = settings.retries()?;
    let mut config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(sources.region.clone()))
        .http_client(sources.http.clone())
        .retry_config(retries())
        .retry_partition(partition())
        .timeout_config(timeouts(sources.call_timeout))
        .identity_cache(IdentityCache::no_cache())
        .interceptor(
            RetryLimits::new(Default::default())
                .with_attempts(attempts)
                .of_first_call(),
        )
        .interceptor(Trace);
    match settings.endpoint("STS") {
        Some(endpoint) => _ = config.set_endpoint_url(Some(endpoint.text)),
        None => {
            let variant = settings.endpoint_variant();
            config.set_use_fips(Some(variant.fips));
            config.set_use_dual_stack(Some(variant.dual_stack));
        }
    }
    config.set_credentials_provider(credentials.map(SharedCredentialsProvider::new));
    Ok(Client::from_conf(config.build()))
}

/// Returns a name for a session that has none.
pub(super) fn session_name() -> String {
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default();
    format!("taskcat-{}", since.as_secs())
}

/// # Errors
/// STS has answered without credentials.
pub(super) fn credentials(answer: Option<&StsCredentials>) -> Result<Credentials, ProfileError> {
    let answer = answer.ok_or_else(|| ProfileError::new("STS has answered without credentials"))?;
    let expiry = std::time::SystemTime::try_from(*answer.expiration()).ok();
    let token = Some(answer.session_token().to_owned());
    Ok(Credentials::new(
        answer.access_key_id(),
        answer.secret_access_key(),
        token,
        expiry,
        "sts",
    ))
}

/// Returns why STS gave no credentials in a region; in another it may.
pub(super) fn refused(what: String, error: &AwsError) -> ProfileError {
    let kind = match error.kind {
        ErrorKind::Credentials | ErrorKind::NotFound | ErrorKind::AlreadyExists => ErrorKind::Other,
        kind => kind,
    };
    let mut refused = ProfileError::new(format!("{what}: {}", error.answer())).kind(kind);
    refused.may_pass = error.may_pass();
    refused.help = error.help.clone();
    refused
}

/// Assumes a profile's own role with a token file; also that of `AWS_WEB_IDENTITY_TOKEN_FILE`,
/// which EKS sets.
pub(super) async fn web_identity(
    sources: &CredentialSources,
    profile: &str,
    with_environment: bool,
) -> Loaded {
    let settings = &sources.settings;
    let get = |variable: &str, key: &str| {
        let of_environment = settings
            .environment
            .get(variable)
            .filter(|_| with_environment);
        let of_environment = of_environment.map(|value| (value.to_owned(), variable.to_owned()));
        let of_profile = || {
            settings
                .files
                .get(profile, key)
                .map(|it| (it.text.to_owned(), it.to_string()))
        };
        of_environment
            .or_else(of_profile)
            .filter(|(value, _)| !value.is_empty())
    };
    let Some((path, origin)) = get("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file") else {
        return Ok(None);
    };
    let Some((role, role_origin)) = get("AWS_ROLE_ARN", "role_arn") else {
        let message = format!("{origin}: a token file is set, but no role");
        return Err(ProfileError::new(message).help("set AWS_ROLE_ARN, or role_arn in the profile"));
    };
    // botocore opens it as it is written.
    let token = input::read(path.as_ref(), input::DOCUMENT);
    let token = token.map_err(|error| {
        ProfileError::new(format!(
            "web identity token file {path} ({origin}): {error}"
        ))
    })?;
    let token = String::from_utf8_lossy(&token).into_owned();
    let name = get("AWS_ROLE_SESSION_NAME", "role_session_name")
        .map_or_else(session_name, |(name, _)| name);
    let call = client(sources, None)?
        .assume_role_with_web_identity()
        .role_arn(&role)
        .role_session_name(name);
    let answer = call
        .web_identity_token(token)
        .send()
        .await
        .map_err(|error| {
            let error = AwsError::new("AssumeRoleWithWebIdentity", &sources.region, error);
            refused(
                format!("role {role} ({role_origin}) cannot be assumed with the token in {path}"),
                &error,
            )
        })?;
    let credentials = credentials(answer.credentials())?;
    Ok(Some(FoundCredentials {
        credentials,
        source: format!("role {role} with the token in {path} ({origin})"),
    }))
}
