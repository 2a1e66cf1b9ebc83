//! The role of a container (ECS, EKS Pod Identity, CodeBuild), from the service that
//! `AWS_CONTAINER_CREDENTIALS_*` names
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>). Never
//! through a proxy, which could answer with credentials of its own.

use std::net::IpAddr;
use std::time::Duration;

use aws_credential_types::Credentials;
use http::Uri;

use super::super::http::UnsignedRequest;
use super::super::profile_error::ProfileError;
use super::{CredentialSources, FoundCredentials, Loaded, time};
use crate::input;

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// Hosts that credentials are taken from without TLS: those of ECS and EKS, and this one.
const HOSTS: [&str; 4] = [
    "169.254.170.2",
    "169.254.170.23",
    "fd00:ec2::23",
    "localhost",
];
/// botocore's.
const LIMIT: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Returns the credentials of the container, if this is one.
pub(super) async fn load(sources: &CredentialSources) -> Loaded {
    let environment = &sources.settings.environment;
    let (variable, url) = match (environment.get(RELATIVE), environment.get(FULL)) {
        (Some(path), _) => (RELATIVE, format!("http://169.254.170.2{}", path.trim())),
        (None, Some(url)) => (FULL, url.trim().to_owned()),
        (None, None) => return Ok(None),
    };
    check(variable, &url)?;
    let refused = |reason: String| {
        ProfileError::new(format!(
            "no credentials of the container ({variable}): {reason}"
        ))
        .may_pass()
    };
    let mut attempt = 1;
    loop {
        let headers = headers(sources)?;
        let query = UnsignedRequest {
            method: "GET",
            url: &url,
            headers,
            body: String::new(),
            limit: LIMIT,
        };
        let reason = match sources.direct.ask(query).await {
            Ok(answer) if answer.status == 200 => {
                let credentials = credentials(&answer.json());
                let credentials =
                    credentials.map_err(|reason| refused(format!("{url} {reason}")))?;
                return Ok(Some(FoundCredentials {
                    credentials,
                    source: format!("container ({variable}: {url})"),
                }));
            }
            Ok(answer) => format!("{url} answered with HTTP status {}", answer.status),
            Err(error) => error.message,
        };
        if attempt == ATTEMPTS {
            return Err(refused(reason));
        }
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

fn check(variable: &str, url: &str) -> Result<(), ProfileError> {
    let uri = Uri::try_from(url).ok();
    let host = uri
        .as_ref()
        .and_then(Uri::host)
        .map(|host| host.trim_matches(['[', ']']));
    let Some(host) = host else {
        return Err(ProfileError::new(format!(
            "{variable}: `{url}` is not a URL"
        )));
    };
    let is_loopback = host
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    let is_secure = uri.as_ref().and_then(Uri::scheme_str) == Some("https");
    if is_secure || is_loopback || HOSTS.contains(&host) {
        return Ok(());
    }
    let message =
        format!("{variable}: credentials are not taken from the host `{host}` without TLS");
    Err(ProfileError::new(message).help(format!(
        "use https://, a loopback address, or one of {}",
        HOSTS.join(", ")
    )))
}

/// Returns the headers of a request. The token file is read for each: EKS replaces it.
fn headers(sources: &CredentialSources) -> Result<Vec<(&'static str, String)>, ProfileError> {
    let environment = &sources.settings.environment;
    let mut headers = vec![("accept", "application/json".to_owned())];
    let (origin, token) = match (environment.get(TOKEN_FILE), environment.get(TOKEN)) {
        (Some(path), _) => {
            let read = input::read(path.as_ref(), input::DOCUMENT);
            let bytes =
                read.map_err(|error| ProfileError::new(format!("{TOKEN_FILE}: {path}: {error}")))?;
            (TOKEN_FILE, String::from_utf8_lossy(&bytes).into_owned())
        }
        (None, Some(token)) => (TOKEN, token.to_owned()),
        (None, None) => return Ok(headers),
    };
    if token.contains(['\r', '\n']) {
        let message = format!("{origin}: the token has a line end, which no HTTP header can carry");
        return Err(ProfileError::new(message).help("write the token without a line end"));
    }
    headers.push(("authorization", token));
    Ok(headers)
}

/// Reads the credentials that metadata services answer with. The error says what is missing.
pub(super) fn credentials(answer: &serde_json::Value) -> Result<Credentials, String> {
    let text = |key: &str| {
        answer[key]
            .as_str()
            .ok_or_else(|| format!("answered without `{key}`"))
    };
    let expiry = time::parse(text("Expiration")?)
        .ok_or("answered with an `Expiration` that is not a time")?;
    let token = Some(text("Token")?.to_owned());
    Ok(Credentials::new(
        text("AccessKeyId")?,
        text("SecretAccessKey")?,
        token,
        Some(expiry),
        "metadata",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_containers_are_asked_without_tls() {
        for url in [
            "http://169.254.170.2/x",
            "http://127.0.0.1:1/",
            "http://[::1]:1/",
            "http://localhost/",
            "https://h/",
        ] {
            assert_eq!(check(FULL, url), Ok(()), "{url}");
        }
        for url in ["http://h/", "http://10.0.0.1/", "x"] {
            assert!(check(FULL, url).is_err(), "{url}");
        }
    }
}
