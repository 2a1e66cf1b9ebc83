//! How often one account and region is asked: a bucket of tokens that throttling makes leak more slowly.
//!
//! CloudFormation's read calls are limited per account and region, and shared with everybody else there. Polls pass
//! through here, so that a hundred stacks in one region slow each other down instead of being refused.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Polls a second while AWS doesn't complain.
const FULL_RATE: f64 = 20.0;
/// However hard it is throttled, a region is asked this often a second.
const LOWEST_RATE: f64 = 1.0;
/// Polls that may go out at once after a quiet time.
const BURST: f64 = 20.0;

pub(super) struct Pace(Mutex<State>);

struct State {
    rate: f64,
    tokens: f64,
    at: Instant,
}

impl Default for Pace {
    fn default() -> Self {
        Self(Mutex::new(State { rate: FULL_RATE, tokens: BURST, at: Instant::now() }))
    }
}

impl Pace {
    /// Waits for the caller's turn.
    pub async fn turn(&self) {
        let wait = self.lock().take();
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    /// AWS throttled a call: half the rate from now on.
    pub fn throttled(&self) {
        let mut state = self.lock();
        state.rate = (state.rate / 2.0).max(LOWEST_RATE);
    }

    /// A call went through: the rate recovers, slowly.
    pub fn succeeded(&self) {
        let mut state = self.lock();
        state.rate = (state.rate * 1.05).min(FULL_RATE);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic while holding the lock leaves plain numbers behind, which are as good as any.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    /// Takes one token, on credit if there is none, and says how long to wait until it is paid for.
    fn take(&mut self) -> Duration {
        let now = Instant::now();
        self.tokens = (self.tokens + now.duration_since(self.at).as_secs_f64() * self.rate).min(BURST);
        self.at = now;
        self.tokens -= 1.0;
        Duration::from_secs_f64((-self.tokens / self.rate).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_the_rest_is_spread() {
        let pace = Pace::default();
        let start = Instant::now();
        for _ in 0..BURST as usize {
            pace.turn().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..FULL_RATE as usize {
            pace.turn().await;
        }
        assert!((start.elapsed().as_secs_f64() - 1.0).abs() < 0.1, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_the_rate_down_to_a_floor_and_success_restores_it() {
        let pace = Pace::default();
        pace.throttled();
        assert_eq!(pace.lock().rate, FULL_RATE / 2.0);
        (0..20).for_each(|_| pace.throttled());
        assert_eq!(pace.lock().rate, LOWEST_RATE);
        (0..100).for_each(|_| pace.succeeded());
        assert_eq!(pace.lock().rate, FULL_RATE);
    }
}
