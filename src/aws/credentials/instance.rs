//! The role of an EC2 instance, from the instance metadata service: version 2, and version 1 where
//! there is no other
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>). Never
//! through a proxy.

use std::time::{Duration, SystemTime};

use super::super::http::{HttpAnswer, UnsignedRequest};
use super::super::profile_error::ProfileError;
use super::{CredentialSources, FoundCredentials, Loaded, RENEWAL, container};

const DEFAULT_ENDPOINT: &str = "http://169.254.169.254";
const DEFAULT_ENDPOINT_IPV6: &str = "http://[fd00:ec2::254]";
const ROLES: &str = "latest/meta-data/iam/security-credentials/";
const TOKEN_SECONDS: &str = "21600";

/// Where the service is, and how long it is waited for.
struct MetadataService<'a> {
    sources: &'a CredentialSources,
    endpoint: String,
    limit: Duration,
    attempts: u32,
}

/// Returns the credentials of the instance, if this is one and has a role.
pub(super) async fn load(sources: &CredentialSources) -> Loaded {
    let settings = &sources.settings;
    let is_disabled = settings.environment.get("AWS_EC2_METADATA_DISABLED");
    if is_disabled.is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let service = MetadataService {
        sources,
        endpoint: endpoint(sources)?,
        limit: Duration::from_secs(
            settings
                .number(
                    &["AWS_METADATA_SERVICE_TIMEOUT"],
                    "metadata_service_timeout",
                )?
                .unwrap_or(1)
                .into(),
        ),
        attempts: settings
            .number(
                &["AWS_METADATA_SERVICE_NUM_ATTEMPTS"],
                "metadata_service_num_attempts",
            )?
            .unwrap_or(1),
    };
    let Some(token) = service.token().await else {
        return Ok(None);
    };
    if token.is_none()
        && settings.flag(
            &["AWS_EC2_METADATA_V1_DISABLED"],
            "ec2_metadata_v1_disabled",
        ) == Some(true)
    {
        let message = format!(
            "{} gave no token for version 2, and version 1 is disabled",
            service.endpoint
        );
        return Err(ProfileError::new(message)
            .help("unset AWS_EC2_METADATA_V1_DISABLED, or enable version 2"));
    }
    let token = token.as_deref();
    let Some(role) = service
        .get(ROLES, token)
        .await
        .and_then(|answer| String::from_utf8(answer.body).ok())
    else {
        return Ok(None);
    };
    let role = role.lines().next().unwrap_or_default().trim();
    let Some(answer) = service.get(&format!("{ROLES}{role}"), token).await else {
        return Ok(None);
    };
    let Ok(credentials) = container::credentials(&answer.json()) else {
        return Ok(None);
    };
    let mut credentials = credentials;
    // The service hands out old credentials where it is disturbed; AWS takes them for some time.
    let soon = SystemTime::now() + RENEWAL;
    if credentials.expiry().is_some_and(|expiry| expiry < soon) {
        *credentials.expiry_mut() = Some(soon);
    }
    Ok(Some(FoundCredentials {
        credentials,
        source: format!("EC2 instance role {role} ({})", service.endpoint),
    }))
}

fn endpoint(sources: &CredentialSources) -> Result<String, ProfileError> {
    let settings = &sources.settings;
    let endpoint = settings.setting(
        &["AWS_EC2_METADATA_SERVICE_ENDPOINT"],
        "ec2_metadata_service_endpoint",
    );
    if let Some(endpoint) = endpoint {
        let url = endpoint.text.trim();
        if !super::super::is_url(url) {
            let message = format!(
                "{}: expected a URL such as {DEFAULT_ENDPOINT}, found `{url}`",
                endpoint.origin
            );
            return Err(ProfileError::new(message));
        }
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let mode = settings.setting(
        &["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"],
        "ec2_metadata_service_endpoint_mode",
    );
    let is_ipv6 = mode.is_some_and(|mode| mode.text.trim().eq_ignore_ascii_case("ipv6"))
        || settings.flag(&["AWS_IMDS_USE_IPV6"], "imds_use_ipv6") == Some(true);
    Ok(if is_ipv6 {
        DEFAULT_ENDPOINT_IPV6
    } else {
        DEFAULT_ENDPOINT
    }
    .to_owned())
}

impl MetadataService<'_> {
    /// Returns the token of version 2, `Some(None)` if only version 1 answers, and `None` if
    /// nothing does.
    async fn token(&self) -> Option<Option<String>> {
        for _ in 0..self.attempts {
            let headers = vec![(
                "x-aws-ec2-metadata-token-ttl-seconds",
                TOKEN_SECONDS.to_owned(),
            )];
            match self.ask("PUT", "latest/api/token", headers).await {
                Some(HttpAnswer { status: 200, body }) => {
                    return Some(String::from_utf8(body).ok());
                }
                Some(HttpAnswer { status: 400, .. }) => return None,
                Some(HttpAnswer {
                    status: 403..=405, ..
                }) => return Some(None),
                // As botocore: version 1 may answer where version 2 doesn't.
                _ => {}
            }
        }
        Some(None)
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Option<HttpAnswer> {
        for _ in 0..self.attempts {
            let headers = token
                .map(|token| ("x-aws-ec2-metadata-token", token.to_owned()))
                .into_iter()
                .collect();
            let answer = self.ask("GET", path, headers).await;
            if let Some(answer) =
                answer.filter(|answer| answer.status == 200 && !answer.body.is_empty())
            {
                return Some(answer);
            }
        }
        None
    }

    async fn ask(
        &self,
        method: &'static str,
        path: &str,
        headers: Vec<(&'static str, String)>,
    ) -> Option<HttpAnswer> {
        let url = format!("{}/{path}", self.endpoint);
        let query = UnsignedRequest {
            method,
            url: &url,
            headers,
            body: String::new(),
            limit: self.limit,
        };
        self.sources.direct.ask(query).await.ok()
    }
}
