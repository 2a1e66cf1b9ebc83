//! A connection to a host: directly or through a proxy, with TLS where the URL asks for it.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiResolver, Name};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::proxy::{Proxies, Proxy, ProxyServer};
use super::tls;
use crate::input;

/// The longest answer of a proxy to CONNECT, in bytes.
const LONGEST_ANSWER: usize = 16 * 1024;

type BoxError = Box<dyn Error + Send + Sync>;

/// Why no connection was made. No byte of a request has left.
#[derive(Debug, thiserror::Error)]
pub(in crate::aws) enum ConnectError {
    #[error("cannot connect to {target}: {}", reason(.source))]
    Unreachable { target: String, source: BoxError },
    #[error("cannot connect to {target}: no connection within {} s", .limit.as_secs_f32())]
    TimedOut { target: String, limit: Duration },
    #[error("proxy {proxy} refused the connection to {target}: HTTP status {status}")]
    Refused {
        proxy: String,
        target: String,
        status: u16,
    },
    #[error("proxy {proxy} requires a user and password (HTTP status 407)")]
    Unauthorized { proxy: String, variable: String },
    #[error("proxy {proxy} cannot be used: only http:// and https:// proxies are supported")]
    Unsupported { proxy: String, variable: String },
    #[error("cannot connect to {target}: {}", certificate(.source))]
    Certificate {
        target: String,
        source: rustls::Error,
    },
}

impl ConnectError {
    /// Returns whether another attempt may succeed.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::Unauthorized { .. } | Self::Unsupported { .. } | Self::Certificate { .. } => {
                false
            }
        }
    }

    /// Returns what to do about the error.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Self::Unauthorized { variable, .. } => Some(format!(
                "set {variable} to \
                http://USER:PASSWORD@HOST:PORT"
            )),
            Self::Unsupported { variable, .. } => Some(format!(
                "set {variable} to an HTTP proxy, or add the host to NO_PROXY"
            )),
            Self::Certificate { .. } => Some(
                "if the certificate is issued by a private authority or an inspecting proxy, name \
                 a file with the \
                 authority's certificate: --ca-bundle FILE, AWS_CA_BUNDLE, or ca_bundle in the \
                 profile"
                    .to_owned(),
            ),
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Refused { .. } => None,
        }
    }
}

/// Returns the innermost cause, without the system's number.
fn reason(error: &BoxError) -> String {
    let mut innermost: &(dyn Error + 'static) = error.as_ref();
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let text = input::without_number(&text);
    text.strip_prefix("failed to lookup address information: ")
        .unwrap_or(text)
        .to_owned()
}

fn certificate(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is not signed by a trusted authority".to_owned()
        }
        error if tls::is_authority(error) => {
            "its certificate, signed by itself, is not trusted".to_owned()
        }
        rustls::Error::InvalidCertificate(error) => {
            format!("its certificate is not accepted: {error}")
        }
        error => format!("TLS failed: {error}"),
    }
}

/// A host whose addresses aren't known.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(in crate::aws) struct LookupError(io::Error);

impl LookupError {
    /// Returns whether no name server has answered. Rust tells only by the system's words for
    /// `EAI_AGAIN`: those of glibc and macOS, and of musl.
    pub(crate) fn is_temporary(&self) -> bool {
        let words = self.0.to_string();
        words.contains("Temporary failure") || words.contains("Try again")
    }
}

/// Looks up addresses as hyper does; its errors can be told from those of a connection.
#[derive(Clone, Debug)]
struct Resolver(GaiResolver);

impl Service<Name> for Resolver {
    type Response = GaiAddrs;
    type Error = LookupError;
    type Future = Pin<Box<dyn Future<Output = Result<GaiAddrs, LookupError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), LookupError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let lookup = self.0.call(name);
        Box::pin(async move { lookup.await.map_err(LookupError) })
    }
}

/// Makes connections for hyper's client.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tcp: HttpConnector<Resolver>,
    proxies: Arc<Proxies>,
    tls: Tls,
    limit: Option<Duration>,
}

/// Read when the first connection needs it: it takes milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls(Arc<OnceLock<Result<TlsConfig, rustls::Error>>>);

type TlsConfig = Arc<rustls::ClientConfig>;

impl Tls {
    pub(super) fn of(config: rustls::ClientConfig) -> Self {
        let tls = Self::default();
        let _ = tls.0.set(Ok(Arc::new(config)));
        tls
    }

    fn config(&self) -> Result<TlsConfig, rustls::Error> {
        self.0
            .get_or_init(|| tls::of_system().map(Arc::new))
            .clone()
    }
}

impl Connector {
    pub(super) fn new(proxies: Arc<Proxies>, tls: Tls, limit: Option<Duration>) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        Self {
            tcp,
            proxies,
            tls,
            limit,
        }
    }

    async fn connect(self, url: Uri) -> Result<Transport, ConnectError> {
        let proxy = self.proxies.of_url(&url).cloned();
        let target = match &proxy {
            Some(proxy) => format!("proxy {} ({})", proxy.shown, proxy.variable),
            None => origin(&url),
        };
        let Some(limit) = self.limit else {
            return self.open(&url, proxy).await;
        };
        let opened = tokio::time::timeout(limit, self.open(&url, proxy)).await;
        opened.unwrap_or(Err(ConnectError::TimedOut { target, limit }))
    }

    async fn open(&self, url: &Uri, proxy: Option<Arc<Proxy>>) -> Result<Transport, ConnectError> {
        let is_https = url.scheme() == Some(&Scheme::HTTPS);
        let Some(proxy) = proxy else {
            let stream = self.tcp(url, origin(url)).await?;
            let stream = if is_https {
                self.secure(stream, url).await?
            } else {
                stream
            };
            return Ok(Transport {
                stream: TokioIo::new(stream),
                is_forwarded: false,
            });
        };
        let Some(server) = &proxy.server else {
            let variable = proxy.variable.clone();
            let proxy = described(&proxy);
            return Err(ConnectError::Unsupported { proxy, variable });
        };
        let mut stream = self
            .tcp(&server.uri, format!("proxy {}", described(&proxy)))
            .await?;
        if server.uri.scheme() == Some(&Scheme::HTTPS) {
            stream = self.secure(stream, &server.uri).await?;
        }
        if is_https {
            tunnel(&mut stream, url, &proxy, server).await?;
            stream = self.secure(stream, url).await?;
        }
        Ok(Transport {
            stream: TokioIo::new(stream),
            is_forwarded: !is_https,
        })
    }

    async fn tcp(&self, url: &Uri, target: String) -> Result<Stream, ConnectError> {
        let connected = self.tcp.clone().call(url.clone()).await;
        let stream = connected.map_err(|error| ConnectError::Unreachable {
            target,
            source: error.into(),
        })?;
        Ok(Box::new(stream.into_inner()))
    }

    async fn secure(&self, stream: Stream, url: &Uri) -> Result<Stream, ConnectError> {
        let refused = |source| ConnectError::Certificate {
            target: origin(url),
            source,
        };
        let host = url
            .host()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_owned();
        let name = ServerName::try_from(host)
            .map_err(|error| refused(rustls::Error::General(error.to_string())))?;
        let config = self.tls.config().map_err(refused)?;
        match TlsConnector::from(config).connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(
                match error
                    .get_ref()
                    .and_then(|it| it.downcast_ref::<rustls::Error>())
                {
                    Some(inner) => refused(inner.clone()),
                    None => ConnectError::Unreachable {
                        target: origin(url),
                        source: error.into(),
                    },
                },
            ),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = Transport;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Transport, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        Box::pin(self.clone().connect(url))
    }
}

/// `https://sts.us-east-1.amazonaws.com`
fn origin(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("http");
    format!(
        "{scheme}://{}",
        url.authority().map(|it| it.as_str()).unwrap_or_default()
    )
}

/// `http://proxy:8080 (HTTPS_PROXY)`
fn described(proxy: &Proxy) -> String {
    format!("{} ({})", proxy.shown, proxy.variable)
}

/// Asks the proxy for a connection to the host.
async fn tunnel(
    stream: &mut Stream,
    url: &Uri,
    proxy: &Proxy,
    server: &ProxyServer,
) -> Result<(), ConnectError> {
    let host = url.host().unwrap_or_default();
    let port = url.port_u16().unwrap_or(443);
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(authorization) = &server.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let lost = |error: io::Error| ConnectError::Unreachable {
        target: format!("proxy {}", described(proxy)),
        source: error.into(),
    };
    stream.write_all(&request).await.map_err(lost)?;
    let status = answer(stream).await.map_err(lost)?;
    match status {
        200..300 => Ok(()),
        407 => Err(unauthorized(proxy)),
        status => Err(ConnectError::Refused {
            proxy: described(proxy),
            target: origin(url),
            status,
        }),
    }
}

/// Returns the error of a proxy that wants another user or password.
pub(super) fn unauthorized(proxy: &Proxy) -> ConnectError {
    ConnectError::Unauthorized {
        proxy: described(proxy),
        variable: proxy.variable.clone(),
    }
}

/// Returns the status of an answer without a body. Not a byte of what follows it is read.
async fn answer(stream: &mut Stream) -> io::Result<u16> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == LONGEST_ANSWER {
            return Err(io::Error::other("its answer is not HTTP"));
        }
        head.push(stream.read_u8().await?);
    }
    let status = head
        .split(|byte| *byte == b' ')
        .nth(1)
        .and_then(|word| std::str::from_utf8(word).ok());
    status
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| io::Error::other("its answer is not HTTP"))
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

type Stream = Box<dyn Duplex>;

/// What hyper writes requests to.
pub(super) struct Transport {
    stream: TokioIo<Stream>,
    /// A proxy reads the requests, and not the host.
    is_forwarded: bool,
}

impl Connection for Transport {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.is_forwarded)
    }
}

impl Read for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }
}
