//! The connections that are served at once, and which of them makes room when there are too many.
//!
//! A connection that waits for its client (for the rest of a request, for the next one, or until an
//! answer is taken) must not keep others out: when all seats are taken, the one that has waited
//! longest is closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::lock;

/// How long a connection may wait for its client before it can be closed for another one.
const MIN_IDLE: Duration = Duration::from_millis(250);
/// How long a connection that is to be closed may take for it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// All seats.
pub struct ConnectionLimiter {
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

/// The seat of one connection; dropped, it is free again.
pub struct ConnectionSlot {
    limiter: Arc<ConnectionLimiter>,
    number: u64,
    close: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionLimiter {
    pub fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(count)),
            open: Mutex::default(),
        })
    }

    /// A seat, or none where every connection is being served.
    pub async fn acquire(self: &Arc<Self>) -> Option<ConnectionSlot> {
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
    /// Marks that a request has come in whole and is being carried out.
    pub fn mark_busy(&self) {
        self.set(None);
    }

    /// Marks that it is the client's turn: to take the answer, and to ask again.
    pub fn mark_idle(&self) {
        self.set(Some(Instant::now()));
    }

    fn set(&self, idle_since: Option<Instant>) {
        if let Some(connection) = lock(&self.limiter.open).connections.get_mut(&self.number) {
            connection.idle_since = idle_since;
        }
    }

    /// Ends when the connection is to be closed for another one.
    pub async fn closed(&self) {
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
