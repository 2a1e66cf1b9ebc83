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
const MAY_WAIT: Duration = Duration::from_millis(250);
/// How long a connection that is to be closed may take for it.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);

/// All seats.
pub struct Seats {
    free: Arc<Semaphore>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    connections: HashMap<u64, Connection>,
}

struct Connection {
    /// Since when it waits for its client; none while a request is carried out.
    waits_since: Option<Instant>,
    close: CancellationToken,
}

/// The seat of one connection; dropped, it is free again.
pub struct Seat {
    seats: Arc<Seats>,
    number: u64,
    close: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Seats {
    pub fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(count)),
            taken: Mutex::default(),
        })
    }

    /// A seat, or none where every connection is being served.
    pub async fn take(self: &Arc<Self>) -> Option<Seat> {
        let permit = match self.free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.close_longest_waiting() => {
                timeout(LEAVES_WITHIN, self.free.clone().acquire_owned())
                    .await
                    .ok()?
                    .ok()?
            }
            Err(_) => return None,
        };
        let close = CancellationToken::new();
        let mut taken = lock(&self.taken);
        let number = taken.next;
        taken.next += 1;
        let connection = Connection {
            waits_since: Some(Instant::now()),
            close: close.clone(),
        };
        taken.connections.insert(number, connection);
        Some(Seat {
            seats: self.clone(),
            number,
            close,
            _permit: permit,
        })
    }

    fn close_longest_waiting(&self) -> bool {
        let taken = lock(&self.taken);
        let waiting = taken
            .connections
            .values()
            .filter(|it| !it.close.is_cancelled());
        let longest = waiting
            .filter_map(|it| Some((it.waits_since?, it)))
            .min_by_key(|(since, _)| *since);
        let Some((_, connection)) = longest.filter(|(since, _)| since.elapsed() >= MAY_WAIT) else {
            return false;
        };
        connection.close.cancel();
        true
    }
}

impl Seat {
    /// Marks that a request has come in whole and is being carried out.
    pub fn serves(&self) {
        self.set(None);
    }

    /// Marks that it is the client's turn: to take the answer, and to ask again.
    pub fn waits(&self) {
        self.set(Some(Instant::now()));
    }

    fn set(&self, waits_since: Option<Instant>) {
        if let Some(connection) = lock(&self.seats.taken).connections.get_mut(&self.number) {
            connection.waits_since = waits_since;
        }
    }

    /// Ends when the connection is to be closed for another one.
    pub async fn close(&self) {
        self.close.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.seats.taken).connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_waiting_makes_room() {
        let seats = Seats::new(2);
        let first = seats.take().await.unwrap();
        let second = seats.take().await.unwrap();
        assert!(
            seats.take().await.is_none(),
            "neither has waited long enough"
        );
        tokio::time::advance(MAY_WAIT).await;
        first.serves();
        let leaving = async {
            second.close().await;
            drop(second);
        };
        let (third, ()) = tokio::join!(seats.take(), leaving);
        let third = third.unwrap();
        third.serves();
        tokio::time::advance(MAY_WAIT).await;
        assert!(seats.take().await.is_none(), "both are being served");
        first.waits();
        tokio::time::advance(MAY_WAIT).await;
        let leaving = async {
            first.close().await;
            drop(first);
        };
        let (fourth, ()) = tokio::join!(seats.take(), leaving);
        assert!(fourth.is_some());
    }
}
