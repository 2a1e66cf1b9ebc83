//! IAM Identity Center: credentials for a session that `aws sso login` has opened, of `sso_session`
//! and of the older `sso_start_url`
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html>).

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::super::endpoint::aws_url;
use super::super::http::UnsignedRequest;
use super::super::profile_error::ProfileError;
use super::super::shared_config::Located;
use super::{CredentialSources, FoundCredentials, Loaded, cache, time};
use crate::input;

const CACHE: &str = ".aws/sso/cache";
/// Sessions are renewed so long before they end.
const RENEWAL: Duration = Duration::from_secs(15 * 60);

/// What a profile and its `[sso-session]` set.
struct SsoSession<'a> {
    profile: &'a str,
    /// Of the `[sso-session]`.
    name: Option<&'a str>,
    start_url: &'a str,
    region: &'a str,
    account_id: &'a str,
    role: &'a str,
    at: Located<'a>,
}

/// Returns the credentials of the profile's SSO session, if it has one.
pub(super) async fn load(sources: &CredentialSources, profile: &str) -> Loaded {
    let Some(session) = SsoSession::of(sources, profile)? else {
        return Ok(None);
    };
    let token = session.token(sources).await?;
    let credentials = session.credentials(sources, &token).await?;
    let source = format!(
        "SSO account {} role {} ({})",
        session.account_id, session.role, session.at
    );
    Ok(Some(FoundCredentials {
        credentials,
        source,
    }))
}

impl<'a> SsoSession<'a> {
    /// Returns the session of a profile, or `None` if it has neither account nor role.
    fn of(sources: &'a CredentialSources, profile: &'a str) -> Result<Option<Self>, ProfileError> {
        let files = &sources.settings.files;
        let of_profile = |key: &str| files.get(profile, key);
        let Some(at) = of_profile("sso_account_id").or_else(|| of_profile("sso_role_name")) else {
            return Ok(None);
        };
        let name = of_profile("sso_session");
        if let Some(name) = name {
            let Some(keys) = files.sso_session_keys(name.text) else {
                let message = format!(
                    "{name}: the section [sso-session {}] doesn't exist",
                    name.text
                );
                return Err(ProfileError::new(message).help("create it with `aws configure sso`"));
            };
            let differing = keys.filter_map(|key| {
                Some((key, of_profile(key)?, files.sso_session(name.text, key)?))
            });
            if let Some((key, own, other)) = differing
                .into_iter()
                .find(|(_, own, other)| own.text != other.text)
            {
                let message = format!(
                    "{own}: `{key}` has another value in [sso-session {}] ({other})",
                    name.text
                );
                return Err(ProfileError::new(message)
                    .help(format!("delete `{key}` from profile `{profile}`")));
            }
        }
        let get = |key: &str| {
            name.and_then(|name| files.sso_session(name.text, key))
                .or_else(|| of_profile(key))
        };
        let required = |key: &str| {
            get(key)
                .filter(|it| !it.text.is_empty())
                .map(|it| it.text)
                .ok_or_else(|| {
                    ProfileError::new(format!(
                        "{at}: profile `{profile}` uses SSO, but `{key}` isn't set"
                    ))
                    .help(format!(
                        "complete it with `aws configure sso --profile {profile}`"
                    ))
                })
        };
        Ok(Some(Self {
            profile,
            name: name.map(|it| it.text),
            start_url: required("sso_start_url")?,
            region: required("sso_region")?,
            account_id: required("sso_account_id")?,
            role: required("sso_role_name")?,
            at,
        }))
    }

    fn login(&self) -> String {
        format!("log in with `aws sso login --profile {}`", self.profile)
    }

    fn path(&self, sources: &CredentialSources) -> PathBuf {
        let key = Sha1::digest(self.name.unwrap_or(self.start_url));
        sources
            .settings
            .environment
            .in_home(CACHE)
            .join(cache::name(key))
    }

    /// Returns the access token of the session, renewed where it can be.
    async fn token(&self, sources: &CredentialSources) -> Result<String, ProfileError> {
        let path = self.path(sources);
        let refused = |reason: &str| {
            let name = self.name.unwrap_or(self.start_url);
            ProfileError::new(format!(
                "the SSO session {name} of profile `{}` {reason}",
                self.profile
            ))
            .help(self.login())
        };
        let bytes = input::read(&path, input::DOCUMENT)
            .map_err(|error| refused(&format!("isn't open ({}: {error})", path.display())))?;
        let mut cached: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let unreadable = || refused(&format!("cannot be read from {}", path.display()));
        let mut expiry = cached["expiresAt"]
            .as_str()
            .and_then(time::parse)
            .ok_or_else(unreadable)?;
        let now = SystemTime::now();
        if self.name.is_some()
            && expiry < now + RENEWAL
            && let Some(renewed) = self.renew(sources, &cached).await
        {
            cache::write(&path, &renewed);
            expiry = renewed["expiresAt"]
                .as_str()
                .and_then(time::parse)
                .unwrap_or(expiry);
            cached = renewed;
        }
        if expiry <= now {
            return Err(refused(&format!("has expired at {}", time::format(expiry))));
        }
        cached["accessToken"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(unreadable)
    }

    /// Asks for a new token; nothing where that isn't possible.
    async fn renew(&self, sources: &CredentialSources, cached: &Value) -> Option<Value> {
        let text = |key: &str| cached[key].as_str();
        let registration = time::parse(text("registrationExpiresAt")?)?;
        if registration <= SystemTime::now() {
            return None;
        }
        let body = json!({
            "clientId": text("clientId")?,
            "clientSecret": text("clientSecret")?,
            "grantType": "refresh_token",
            "refreshToken": text("refreshToken")?,
        });
        let url = format!("{}/token", self.endpoint(sources, "SSO OIDC", "oidc"));
        let headers = vec![("content-type", "application/json".to_owned())];
        let limit = sources.call_timeout;
        let query = UnsignedRequest {
            method: "POST",
            url: &url,
            headers,
            body: body.to_string(),
            limit,
        };
        let answer = sources
            .http
            .ask(query)
            .await
            .ok()
            .filter(|answer| answer.status == 200)?
            .json();
        let seconds = answer["expiresIn"].as_u64()?;
        let mut renewed = json!({
            "startUrl": self.start_url,
            "region": self.region,
            "accessToken": answer["accessToken"].as_str()?,
            "expiresAt": time::format(SystemTime::now() + Duration::from_secs(seconds)),
            "clientId": text("clientId")?,
            "clientSecret": text("clientSecret")?,
            "registrationExpiresAt": text("registrationExpiresAt")?,
        });
        if let Some(token) = answer["refreshToken"].as_str() {
            renewed["refreshToken"] = json!(token);
        }
        Some(renewed)
    }

    async fn credentials(
        &self,
        sources: &CredentialSources,
        token: &str,
    ) -> Result<Credentials, ProfileError> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("role_name", self.role)
            .append_pair("account_id", self.account_id)
            .finish();
        let url = format!(
            "{}/federation/credentials?{query}",
            self.endpoint(sources, "SSO", "portal.sso")
        );
        let headers = vec![("x-amz-sso_bearer_token", token.to_owned())];
        let query = UnsignedRequest {
            method: "GET",
            url: &url,
            headers,
            body: String::new(),
            limit: sources.call_timeout,
        };
        let refused = |reason: String| {
            let message = format!(
                "SSO gives profile `{}` no credentials for account {} and role {}: {reason}",
                self.profile, self.account_id, self.role
            );
            ProfileError::new(message)
        };
        let answer = sources.http.ask(query).await.map_err(|error| {
            let mut refused = refused(error.message).may_pass();
            refused.help = error.help;
            refused
        })?;
        let json = answer.json();
        let message = json["message"].as_str().unwrap_or_default();
        match answer.status {
            200 => {}
            401 => {
                return Err(
                    refused(format!("the session has ended ({message})")).help(self.login())
                );
            }
            status @ 500.. => return Err(refused(format!("HTTP status {status}")).may_pass()),
            status => {
                let help =
                    "check sso_account_id and sso_role_name, and that the role is assigned to you";
                return Err(
                    refused(format!("HTTP status {status} {message}").trim().to_owned()).help(help),
                );
            }
        }
        let found = &json["roleCredentials"];
        let text = |key: &str| {
            found[key]
                .as_str()
                .ok_or_else(|| refused(format!("the answer has no `{key}`")))
        };
        let expiry = found["expiration"]
            .as_u64()
            .map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        let token = Some(text("sessionToken")?.to_owned());
        Ok(Credentials::new(
            text("accessKeyId")?,
            text("secretAccessKey")?,
            token,
            expiry,
            "sso",
        ))
    }

    fn endpoint(&self, sources: &CredentialSources, service_id: &str, host: &str) -> String {
        let own = sources
            .settings
            .endpoint(service_id)
            .map(|it| it.text.trim_end_matches('/').to_owned());
        let variant = sources.settings.endpoint_variant();
        own.unwrap_or_else(|| aws_url(host, self.region, variant))
    }
}
