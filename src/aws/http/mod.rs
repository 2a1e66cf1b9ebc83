//! The HTTP client of all calls: those of the SDK, those signed here, and those that credentials
//! come from.
//!
//! The SDK's own client reads proxies and certificates from the environment by other rules than
//! boto3, and its errors name no proxy. This one is hyper's with our connections: [`proxy`] decides
//! where to connect, [`tls`] whom to trust.

mod connect;
mod proxy;
mod tls;

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::retry::ErrorKind;
use http::header::PROXY_AUTHORIZATION;
use http::uri::Scheme;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::profile_error::ProfileError;
use super::settings::Setting;
use connect::{Connector, Tls};

pub(super) use connect::{ConnectError, LookupError};
pub(super) use proxy::Proxies;

/// One for everything that is called in the same way. Clones share their connections.
#[derive(Clone)]
pub(super) struct Http(Arc<Shared>);

struct Shared {
    proxies: Arc<Proxies>,
    tls: Tls,
    /// By limits of connecting and reading.
    connectors: Mutex<HashMap<Limits, SharedHttpConnector>>,
}

type Limits = (Option<Duration>, Option<Duration>);

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    /// Trusts the certificates of a bundle, or the system's.
    ///
    /// # Errors
    /// The bundle can't be read.
    pub(super) fn new(proxies: Proxies, ca_bundle: Option<&Setting>) -> Result<Self, ProfileError> {
        let tls = match ca_bundle {
            Some(bundle) => Tls::of(tls::of_bundle(bundle, Path::new(&bundle.text))?),
            None => Tls::default(),
        };
        Ok(Self::of(proxies, tls))
    }

    /// Returns a client that accepts every certificate.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub(super) fn without_verification(&self) -> Result<Self, rustls::Error> {
        let shared = Shared {
            proxies: self.0.proxies.clone(),
            tls: Tls::of(tls::unverified()?),
            connectors: Mutex::default(),
        };
        Ok(Self(Arc::new(shared)))
    }

    /// Returns a client that uses no proxy.
    pub(super) fn direct() -> Self {
        Self::of(Proxies::default(), Tls::default())
    }

    fn of(proxies: Proxies, tls: Tls) -> Self {
        Self(Arc::new(Shared {
            proxies: Arc::new(proxies),
            tls,
            connectors: Mutex::default(),
        }))
    }

    /// Returns a connector that sends requests within these limits.
    pub(super) fn connector(
        &self,
        connect: Option<Duration>,
        read: Option<Duration>,
    ) -> SharedHttpConnector {
        let mut connectors = self
            .0
            .connectors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let made = connectors.entry((connect, read)).or_insert_with(|| {
            let connector = Connector::new(self.0.proxies.clone(), self.0.tls.clone(), connect);
            let client = Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .build(connector);
            SharedHttpConnector::new(Requests {
                client,
                proxies: self.0.proxies.clone(),
                read,
            })
        });
        made.clone()
    }
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.connector(settings.connect_timeout(), settings.read_timeout())
    }
}

struct Requests {
    client: Client<Connector, SdkBody>,
    proxies: Arc<Proxies>,
    read: Option<Duration>,
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requests")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs_f32())]
struct ReadTimeout(Duration);

impl HttpConnector for Requests {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        // Requests to https:// hosts go through a tunnel, which the proxy has agreed to before.
        let forwarded = self
            .proxies
            .of_url(request.uri())
            .filter(|_| request.uri().scheme() != Some(&Scheme::HTTPS));
        let forwarded = forwarded.cloned();
        let server = forwarded.as_ref().and_then(|proxy| proxy.server.as_ref());
        if let Some(authorization) = server.and_then(|server| server.authorization.as_ref()) {
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        let captured = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || connection(&captured));
        }
        let answer = self.client.request(request);
        let read = self.read;
        HttpConnectorFuture::new(async move {
            let answer = match read {
                None => answer.await,
                Some(limit) => match tokio::time::timeout(limit, answer).await {
                    Ok(answer) => answer,
                    Err(_) => return Err(ConnectorError::timeout(ReadTimeout(limit).into())),
                },
            };
            let answer = answer.map_err(|error| classified(error.into()))?;
            if let Some(proxy) = forwarded.filter(|_| answer.status() == 407) {
                return Err(ConnectorError::user(connect::unauthorized(&proxy).into()));
            }
            let answer = HttpResponse::try_from(answer.map(SdkBody::from_body_1_x));
            answer.map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Lets the SDK close a connection on which a call has failed.
fn connection(captured: &CaptureConnection) -> Option<ConnectionMetadata> {
    captured.connection_metadata().as_ref()?;
    let captured = captured.clone();
    let poison = move || {
        if let Some(connected) = captured.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    Some(
        ConnectionMetadata::builder()
            .proxied(false)
            .poison_fn(poison)
            .build(),
    )
}

/// Classifies an error for the SDK, which repeats calls whose connection was lost or not made, and
/// no others.
fn classified(error: Box<dyn Error + Send + Sync>) -> ConnectorError {
    if let Some(connect) = find::<ConnectError>(error.as_ref()) {
        return match connect {
            ConnectError::TimedOut { .. } => ConnectorError::timeout(error),
            connect if connect.may_pass() => ConnectorError::io(error),
            _ => ConnectorError::user(error),
        };
    }
    match find::<hyper::Error>(error.as_ref()) {
        Some(hyper) if hyper.is_timeout() => ConnectorError::timeout(error),
        Some(hyper) if hyper.is_user() => ConnectorError::user(error),
        Some(hyper) if hyper.is_incomplete_message() => {
            ConnectorError::other(error, Some(ErrorKind::TransientError))
        }
        _ => ConnectorError::io(error),
    }
}

/// Returns the first error of a type below another.
pub(super) fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An answer, whole.
pub(super) struct HttpAnswer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// Returns the body as JSON; null where it isn't.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A request of those that credentials come from: without a signature, and short.
pub(super) struct UnsignedRequest<'q> {
    pub method: &'static str,
    pub url: &'q str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// Of connecting and of the answer each.
    pub limit: Duration,
}

/// Why a query got no answer. Names the host or the proxy.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct NoAnswer {
    pub message: String,
    pub help: Option<String>,
}

impl Http {
    /// Sends a request and returns the whole answer.
    pub(super) async fn ask(&self, query: UnsignedRequest<'_>) -> Result<HttpAnswer, NoAnswer> {
        let failed = |message: String| NoAnswer {
            message: format!("{}: {message}", query.url),
            help: None,
        };
        let mut request = HttpRequest::new(SdkBody::from(query.body));
        let is_built =
            request.set_method(query.method).is_ok() && request.set_uri(query.url).is_ok();
        if !is_built {
            return Err(failed("it is not a URL".to_owned()));
        }
        for (name, value) in query.headers {
            let set = request.headers_mut().try_insert(name, value);
            set.map_err(|_| {
                failed(format!(
                    "the value of the header `{name}` has characters that HTTP doesn't allow"
                ))
            })?;
        }
        tracing::debug!(
            "{} {}",
            query.method,
            query.url.split('?').next().unwrap_or_default()
        );
        let limit = Some(query.limit);
        let answer =
            self.connector(limit, limit)
                .call(request)
                .await
                .map_err(|error| match find(&error) {
                    Some(connect) => {
                        let connect: &ConnectError = connect;
                        NoAnswer {
                            message: connect.to_string(),
                            help: connect.help(),
                        }
                    }
                    None => failed(innermost(&error)),
                })?;
        let status = answer.status().as_u16();
        let body = ByteStream::new(answer.into_body()).collect();
        let body = tokio::time::timeout(query.limit, body)
            .await
            .map_err(|_| failed("the answer stalls".to_owned()))?;
        Ok(HttpAnswer {
            status,
            body: body.map_err(|error| failed(innermost(&error)))?.to_vec(),
        })
    }
}

/// Returns the text of the innermost cause, without the system's number.
pub(super) fn innermost(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => crate::input::without_number(&error.to_string()).to_owned(),
    }
}
