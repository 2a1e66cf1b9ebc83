//! Roles of profiles: `role_arn` with `source_profile` or `credential_source`
//! (<https://docs.aws.amazon.com/cli/v1/userguide/cli-configure-role.html>), with MFA where
//! `mfa_serial` is set.

use std::future::Future;
use std::pin::Pin;

use aws_credential_types::Credentials;
use serde_json::{Value, json};

use super::super::profile_error::ProfileError;
use super::super::settings::{Settings, nearest_profile, searched};
use super::super::shared_config::Located;
use super::super::{AwsError, ErrorKind};
use super::mfa::CachedSession;
use super::{CredentialSources, FoundCredentials, Loaded, container, instance, keys, sts};

/// Where the AWS CLI keeps open sessions, below the user's home.
const CACHE: &str = ".aws/cli/cache";

/// Returns whether a profile has a role and no token file, which is another source's.
fn is_role(settings: &Settings, profile: &str) -> bool {
    let has = |key| settings.files.get(profile, key).is_some();
    has("role_arn") && !has("web_identity_token_file")
}

fn has_keys(settings: &Settings, profile: &str) -> bool {
    ["aws_access_key_id", "aws_secret_access_key"]
        .iter()
        .any(|key| settings.files.get(profile, key).is_some())
}

/// Returns the credentials of the profile's role, if it has one.
pub(super) async fn load(sources: &CredentialSources, profile: &str) -> Loaded {
    if !is_role(&sources.settings, profile) {
        return Ok(None);
    }
    assume(sources, profile.to_owned(), vec![profile.to_owned()])
        .await
        .map(Some)
}

/// `visited` are the profiles that lead here, this one included.
fn assume(
    sources: &CredentialSources,
    profile: String,
    visited: Vec<String>,
) -> Pin<Box<dyn Future<Output = Result<FoundCredentials, ProfileError>> + Send + '_>> {
    Box::pin(async move {
        let settings = &sources.settings;
        let get = |key| settings.files.get(&profile, key);
        let Some(role) = get("role_arn") else {
            return Err(ProfileError::new("no role"));
        };
        let role = AssumableRole {
            arn: role,
            profile: &profile,
            session_name: get("role_session_name"),
            external_id: get("external_id"),
            mfa_serial: get("mfa_serial"),
            // As botocore, which ignores what isn't a number.
            duration: get("duration_seconds").and_then(|it| it.text.trim().parse().ok()),
        };
        let cached = role
            .mfa_serial
            .map(|_| CachedSession::of(&role.arguments(), settings.environment.in_home(CACHE)));
        // The source's credentials aren't needed where a session is open.
        if let Some(credentials) = cached.as_ref().and_then(CachedSession::read) {
            return Ok(FoundCredentials {
                credentials,
                source: format!("{role}, in an open MFA session"),
            });
        }
        let (source, by) = match (get("source_profile"), get("credential_source")) {
            (Some(_), Some(other)) => {
                let message = format!(
                    "{other}: profile `{profile}` has both `source_profile` and `credential_source`"
                );
                return Err(ProfileError::new(message).help("delete one"));
            }
            (None, None) => {
                let message = format!(
                    "{}: profile `{profile}` has a role, but neither `source_profile` nor \
                     `credential_source`",
                    role.arn
                );
                return Err(ProfileError::new(message)
                    .help("name the profile whose credentials assume the role"));
            }
            (None, Some(named)) => (
                of_named_source(sources, &profile, named).await?,
                "credential_source",
            ),
            (Some(named), None) => (
                of_profile(sources, &profile, named, visited).await?,
                "source_profile",
            ),
        };
        let credentials = role.assume(sources, source.credentials).await?;
        if let Some(cached) = cached {
            cached.write(&credentials, role.arn.text);
        }
        Ok(FoundCredentials {
            credentials,
            source: format!("{role}, {by}: {}", source.source),
        })
    })
}

async fn of_named_source(
    sources: &CredentialSources,
    profile: &str,
    named: Located<'_>,
) -> Result<FoundCredentials, ProfileError> {
    let found = match named.text {
        "Environment" => keys::of_environment(&sources.settings.environment)?,
        "EcsContainer" => container::load(sources).await?,
        "Ec2InstanceMetadata" => instance::load(sources).await?,
        other => {
            let message = format!("{named}: `{other}` is not a source of credentials");
            return Err(ProfileError::new(message)
                .help("use Environment, EcsContainer or Ec2InstanceMetadata"));
        }
    };
    found.ok_or_else(|| {
        ProfileError::new(format!(
            "{named}: `{}` has no credentials for profile `{profile}`",
            named.text
        ))
    })
}

async fn of_profile(
    sources: &CredentialSources,
    profile: &str,
    named: Located<'_>,
    mut visited: Vec<String>,
) -> Result<FoundCredentials, ProfileError> {
    let settings = &sources.settings;
    let source = named.text;
    if !settings.files.has_profile(source) {
        let message = format!(
            "{named}: profile `{source}`, the source_profile of `{profile}`, doesn't exist in {}",
            searched(&settings.files)
        );
        let error = ProfileError::new(message).kind(ErrorKind::MissingProfile);
        return Err(error.help(nearest_profile(source, &settings.files)));
    }
    let is_known = visited.iter().any(|it| it == source);
    // A profile may have keys and a role that is assumed with them.
    if is_known && !(source == profile && has_keys(settings, source)) {
        let message = format!(
            "{named}: profile `{source}` is a source_profile of itself ({})",
            visited.join(" → ")
        );
        return Err(
            ProfileError::new(message).help("let the last profile have credentials of its own")
        );
    }
    visited.push(source.to_owned());
    if has_keys(settings, source) || !is_role(settings, source) {
        let found = sources.of_profile(source, false).await?;
        return found.ok_or_else(|| {
            let message = format!(
                "{named}: profile `{source}`, the source_profile of `{profile}`, has no credentials"
            );
            ProfileError::new(message).help(format!(
                "add keys, or an SSO or login session, to profile `{source}`"
            ))
        });
    }
    assume(sources, source.to_owned(), visited).await
}

/// What a profile says of its role.
struct AssumableRole<'a> {
    arn: Located<'a>,
    profile: &'a str,
    session_name: Option<Located<'a>>,
    external_id: Option<Located<'a>>,
    mfa_serial: Option<Located<'a>>,
    /// In seconds.
    duration: Option<i32>,
}

impl std::fmt::Display for AssumableRole<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "role {} ({})", self.arn.text, self.arn)
    }
}

impl AssumableRole<'_> {
    /// Returns the arguments of AssumeRole, sorted, without the code and a generated session name.
    fn arguments(&self) -> Vec<(&'static str, Value)> {
        let text = |name, value: Option<Located<'_>>| value.map(|it| (name, json!(it.text)));
        let arguments = [
            self.duration
                .map(|seconds| ("DurationSeconds", json!(seconds))),
            text("ExternalId", self.external_id),
            text("RoleArn", Some(self.arn)),
            text("RoleSessionName", self.session_name),
            text("SerialNumber", self.mfa_serial),
        ];
        arguments.into_iter().flatten().collect()
    }

    async fn assume(
        &self,
        sources: &CredentialSources,
        source: Credentials,
    ) -> Result<Credentials, ProfileError> {
        let code = match self.mfa_serial {
            Some(serial) => Some(sources.mfa.code(serial.text, self.arn.text).await?),
            None => None,
        };
        let text = |value: Option<Located<'_>>| value.map(|it| it.text.to_owned());
        let call = sts::client(sources, Some(source))?
            .assume_role()
            .role_arn(self.arn.text)
            .role_session_name(text(self.session_name).unwrap_or_else(sts::session_name))
            .set_external_id(text(self.external_id))
            .set_duration_seconds(self.duration)
            .set_serial_number(text(self.mfa_serial))
            .set_token_code(code);
        let answer = call.send().await.map_err(|error| {
            let error = AwsError::new("AssumeRole", &sources.region, error);
            sts::refused(
                format!("{self} of profile `{}` cannot be assumed", self.profile),
                &error,
            )
        })?;
        sts::credentials(answer.credentials())
    }
}
