//! Limits the number of open connections, and chooses which one is closed when there are too many.
//!
//! A connection that waits for its client (for the rest of a request, for the next request, or
//! until a response is read) must not keep others out: when all slots are in use, the connection
//! that has been idle longest is closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::lock;

/// How long a connection must be idle before it can be closed for another one.
const MIN_IDLE: Duration = Duration::from_millis(250);
/// How long a connection that is being closed may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The slots for connections.
pub(super) struct ConnectionLimiter {
    free: Arc<Semaphore>,
    open: Mutex<OpenConnections>,
}

#[derive(Default)]
struct OpenConnections {
    next: u64,
    connections: HashMap<u64, Connection>,
}

struct Connection {
    /// Since when it waits for its client; none while a request is carried out.
    idle_since: Option<Instant>,
    close: CancellationToken,
}

/// The slot of one connection, which is released when dropped.
pub(super) struct ConnectionSlot {
    limiter: Arc<ConnectionLimiter>,
    number: u64,
    close: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionLimiter {
    /// Returns a limiter with this number of slots.
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(count)),
            open: Mutex::default(),
        })
    }

    /// Returns a slot, or none if every connection is busy.
    pub(super) async fn acquire(self: &Arc<Self>) -> Option<ConnectionSlot> {
        let permit = match self.free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.close_longest_idle() => {
                timeout(CLOSE_TIMEOUT, self.free.clone().acquire_owned())
                    .await
                    .ok()?
                    .ok()?
            }
            Err(_) => return None,
        };
        let close = CancellationToken::new();
        let mut open = lock(&self.open);
        let number = open.next;
        open.next += 1;
        let connection = Connection {
            idle_since: Some(Instant::now()),
            close: close.clone(),
        };
        open.connections.insert(number, connection);
        Some(ConnectionSlot {
            limiter: self.clone(),
            number,
            close,
            _permit: permit,
        })
    }

    fn close_longest_idle(&self) -> bool {
        let open = lock(&self.open);
        let idle = open
            .connections
            .values()
            .filter(|it| !it.close.is_cancelled());
        let longest = idle
            .filter_map(|it| Some((it.idle_since?, it)))
            .min_by_key(|(since, _)| *since);
        let Some((_, connection)) = longest.filter(|(since, _)| since.elapsed() >= MIN_IDLE) else {
            return false;
        };
        connection.close.cancel();
        true
    }
}

impl ConnectionSlot {
    /// Marks that a complete request is being carried out.
    pub(super) fn mark_busy(&self) {
        self.set(None);
    }

    /// Marks that the connection waits for its client to read the response, or to send another
    /// request.
    pub(super) fn mark_idle(&self) {
        self.set(Some(Instant::now()));
    }

    fn set(&self, idle_since: Option<Instant>) {
        if let Some(connection) = lock(&self.limiter.open).connections.get_mut(&self.number) {
            connection.idle_since = idle_since;
        }
    }

    /// Completes when the connection must be closed for another one.
    pub(super) async fn closed(&self) {
        self.close.cancelled().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        lock(&self.limiter.open).connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_connection_is_closed() {
        let limiter = ConnectionLimiter::new(2);
        let first = limiter.acquire().await.unwrap();
        let second = limiter.acquire().await.unwrap();
        assert!(
            limiter.acquire().await.is_none(),
            "neither has waited long enough"
        );
        tokio::time::advance(MIN_IDLE).await;
        first.mark_busy();
        let closing = async {
            second.closed().await;
            drop(second);
        };
        let (third, ()) = tokio::join!(limiter.acquire(), closing);
        let third = third.unwrap();
        third.mark_busy();
        tokio::time::advance(MIN_IDLE).await;
        assert!(limiter.acquire().await.is_none(), "both are being served");
        first.mark_idle();
        tokio::time::advance(MIN_IDLE).await;
        let closing = async {
            first.closed().await;
            drop(first);
        };
        let (fourth, ()) = tokio::join!(limiter.acquire(), closing);
        assert!(fourth.is_some());
    }
}
