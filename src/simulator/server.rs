//! The server: connections on the loopback interface, and their limits.
//!
//! A limited number of connections is served (`connections` chooses which is closed for another
//! one), some more get the response to come back later, and the rest wait in the system's queue.
//! Connections whose client sends nothing, or doesn't read the response, are closed. `dispatch`
//! routes requests to services.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use s3s::service::S3Service;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connections::{ConnectionLimiter, ConnectionSlot};
use super::dispatch::{self, Body, Reply};
use super::{Cloud, s3};
use crate::os;

/// The number of connections that are served at once; fewer if the process may open few files.
const MAX_CONNECTIONS: usize = 1024;
/// The number of connections that are being rejected at once.
const MAX_REJECTING: usize = 256;
/// The number of connections in the system's queue; it may allow fewer. Others retry with growing
/// intervals.
const BACKLOG: u32 = 4096;
/// The largest head of a request in bytes. AWS's own limits are lower.
const MAX_HEAD: usize = 64 * 1024;
/// How long a connection may be idle, or take to send the head of a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// The same for a connection that is rejected.
const REJECTED_IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a client may stop reading the response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// A running server.
pub(super) struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on the loopback interface: on `port`, or on any free port if it is 0.
    ///
    /// # Errors
    /// Fails if the port is in use or not permitted.
    pub(super) async fn start(port: u16, cloud: Arc<Cloud>) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // As `TcpListener::bind` does, for a port that was in use a moment ago.
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let acceptor = Acceptor {
            listener,
            served: ConnectionLimiter::new(connection_limit(MAX_CONNECTIONS, 3)),
            rejecting: Arc::new(Semaphore::new(connection_limit(MAX_REJECTING, 6))),
            s3: s3::service(cloud.clone()),
            cloud,
        };
        let task = tokio::spawn(acceptor.run(stop.clone()));
        Ok(Self {
            address,
            stop,
            task,
        })
    }

    /// Returns the address that the server listens on.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops when all responses are sent, or after `within`.
    pub(super) async fn stop(mut self, within: Duration) {
        self.stop.cancel();
        if timeout(within, &mut self.task).await.is_err() {
            // Dropping the task drops its connections.
            self.task.abort();
            let _ = self.task.await;
        }
    }
}

/// Returns the wanted number of connections, or fewer if they would use more than a fraction of the
/// files that the process may open: a client in the same process needs as many as the server.
fn connection_limit(wanted: usize, part: u64) -> usize {
    let files = os::open_files_limit().unwrap_or(u64::MAX);
    usize::try_from(files / part)
        .unwrap_or(usize::MAX)
        .clamp(16, wanted)
}

struct Acceptor {
    listener: TcpListener,
    served: Arc<ConnectionLimiter>,
    rejecting: Arc<Semaphore>,
    cloud: Arc<Cloud>,
    s3: S3Service,
}

impl Acceptor {
    async fn run(self, stop: CancellationToken) {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                (stream, admission) = self.next() => {
                    let watcher = graceful.watcher();
                    match admission {
                        Admission::Accepted(slot) => {
                            connections.spawn(self.serve(stream, slot, watcher))
                        }
                        Admission::Rejected(permit) => {
                            connections.spawn(reject(stream, permit, watcher))
                        }
                    };
                    // Forget connections that have ended.
                    while connections.try_join_next().is_some() {}
                }
            }
        }
        drop(self.listener);
        graceful.shutdown().await;
    }

    /// Accepts the next connection, once there is a slot of either kind.
    async fn next(&self) -> (TcpStream, Admission) {
        loop {
            let rejecting = self.rejecting.clone().acquire_owned().await;
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // The peer has disconnected already, or there are no file descriptors left:
                    // neither lasts.
                    tracing::debug!("simulator: accept: {error}");
                    sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            // Responses are small, and clients wait for them.
            let _ = stream.set_nodelay(true);
            match (self.served.acquire().await, rejecting) {
                (Some(slot), _) => return (stream, Admission::Accepted(slot)),
                (None, Ok(permit)) => return (stream, Admission::Rejected(permit)),
                // The semaphore is never closed.
                (None, Err(_)) => {}
            }
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        slot: ConnectionSlot,
        watcher: hyper_util::server::graceful::Watcher,
    ) -> impl Future<Output = ()> + Send + 'static {
        let cloud = self.cloud.clone();
        let s3 = self.s3.clone();
        let slot = Arc::new(slot);
        let request_slot = slot.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let cloud = cloud.clone();
            let s3 = s3.clone();
            let slot = request_slot.clone();
            async move {
                let reply = dispatch::answer(&cloud, &s3, &slot, request).await;
                slot.mark_idle();
                match reply {
                    Reply::Response(response) => Ok(response),
                    Reply::Cut => Err(ConnectionCut),
                }
            }
        });
        let connection = http(IDLE_TIMEOUT)
            .serve_connection(TokioIo::new(WriteTimeoutStream::new(stream)), service);
        let watched = watcher.watch(connection);
        async move {
            tokio::select! {
                // It doesn't matter how a connection ends.
                _ = watched => {}
                () = slot.closed() => {}
            }
        }
    }
}

enum Admission {
    Accepted(ConnectionSlot),
    Rejected(OwnedSemaphorePermit),
}

async fn reject(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service = service_fn(|_| async { Ok::<_, Infallible>(too_many_connections()) });
    let connection = http(REJECTED_IDLE_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(WriteTimeoutStream::new(stream)), service);
    let _ = timeout(REJECTED_IDLE_TIMEOUT * 2, watcher.watch(connection)).await;
    drop(permit);
}

/// Returns a response that makes clients retry.
fn too_many_connections() -> Response<Body> {
    const XML: &str = "<ErrorResponse><Error><Type>Receiver</Type><Code>ServiceUnavailable</Code>\
        <Message>The simulator has too many connections.</Message></Error></ErrorResponse>";
    let mut response = Response::new(Body::from(XML.to_owned()));
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    response
        .headers_mut()
        .insert("content-type", http::HeaderValue::from_static("text/xml"));
    response.headers_mut().insert(
        "x-taskcat-simulated",
        http::HeaderValue::from_static("true"),
    );
    response
}

fn http(idle: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(MAX_HEAD)
        .half_close(false);
    builder
}

/// The connection must be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct ConnectionCut;

/// A stream that fails if the client stops reading.
struct WriteTimeoutStream {
    stream: TcpStream,
    /// Runs while data wait to be sent.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl WriteTimeoutStream {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            stalled: None,
        }
    }

    fn with_write_timeout<T>(
        &mut self,
        context: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.stalled = None;
            return progress;
        }
        let stalled = self.stalled.get_or_insert_with(|| {
            Box::pin(tokio::time::sleep_until(Instant::now() + WRITE_TIMEOUT))
        });
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for WriteTimeoutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for WriteTimeoutStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(context, data);
        self.with_write_timeout(context, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.with_write_timeout(context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_flush(context);
        self.with_write_timeout(context, progress)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
