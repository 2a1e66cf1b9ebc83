//! Requests to what a stack has launched, over the proxies and with the certificates of a profile,
//! but without its credentials.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use tokio::time::timeout;

use super::Clients;
use super::http::{ConnectError, Http, find, innermost};

/// How much of a body is read, in bytes.
const LONGEST_BODY: usize = 1024 * 1024;

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct UrlAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The first MiB of the body.
    pub body: String,
}

/// Why a URL gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct UrlError {
    message: String,
    /// Whether another attempt may succeed.
    pub may_pass: bool,
    /// Whether the server's certificate was refused.
    pub is_certificate: bool,
}

impl Clients {
    /// Gets a URL once. Redirects aren't followed.
    ///
    /// # Errors
    /// The URL is wrong, or there was no answer within `limit`.
    pub async fn get_url(
        &self,
        url: &str,
        verify_tls: bool,
        limit: Duration,
    ) -> Result<UrlAnswer, UrlError> {
        let http = if verify_tls {
            self.http.clone()
        } else {
            let unverified = self.http.without_verification();
            unverified.map_err(|error| UrlError::of(error.to_string(), false))?
        };
        let answer = timeout(limit, send(&http, url, limit)).await;
        answer.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", limit.as_secs_f32());
            Err(UrlError::of(message, true))
        })
    }
}

async fn send(http: &Http, url: &str, limit: Duration) -> Result<UrlAnswer, UrlError> {
    let mut request = HttpRequest::new(SdkBody::empty());
    if request.set_uri(url).is_err() {
        return Err(UrlError::of("it is not a URL".to_owned(), false));
    }
    // A connection of an earlier attempt may lead to a server that has been replaced.
    for (name, value) in [
        ("connection", "close"),
        ("user-agent", "taskcat"),
        ("accept", "*/*"),
    ] {
        request.headers_mut().insert(name, value);
    }
    let connector = http.connector(Some(limit), Some(limit));
    let answer = connector
        .call(request)
        .await
        .map_err(UrlError::unanswered)?;
    let status = answer.status().as_u16();
    let mut stream = ByteStream::new(answer.into_body());
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| UrlError::of(innermost(&error), true))?;
        body.extend_from_slice(&chunk);
        if body.len() >= LONGEST_BODY {
            body.truncate(LONGEST_BODY);
            break;
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(UrlAnswer { status, body })
}

impl UrlError {
    fn of(message: String, may_pass: bool) -> Self {
        Self {
            message,
            may_pass,
            is_certificate: false,
        }
    }

    fn unanswered(error: ConnectorError) -> Self {
        match find::<ConnectError>(&error) {
            Some(connect) => Self {
                message: connect.to_string(),
                may_pass: connect.may_pass(),
                is_certificate: matches!(connect, ConnectError::Certificate { .. }),
            },
            None => Self::of(innermost(&error), true),
        }
    }
}
