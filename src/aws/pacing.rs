//! How often CloudFormation's APIs are called: one token bucket per API, whose rate throttling
//! lowers.
//!
//! CloudFormation's calls are limited per account, region and API, and shared with everybody else
//! there. Calls wait for their turn here, so that a hundred stacks in one region slow each other
//! down instead of being refused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Calls a second while AWS doesn't throttle.
const FULL_RATE: f64 = 20.0;
/// However hard it is throttled, an API is called this often a second.
const LOWEST_RATE: f64 = 1.0;
/// Calls that may go out at once after a quiet time.
const BURST: f64 = 20.0;

/// The token buckets of one region, by the API's name (`CreateStack`).
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<HashMap<String, TokenBucket>>);

#[derive(Debug)]
struct TokenBucket {
    rate: f64,
    tokens: f64,
    at: Instant,
}

impl Pace {
    /// Waits until the API may be called.
    pub(super) async fn turn(&self, api: &str) {
        let wait = self.with(api, TokenBucket::take);
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    /// Halves the API's rate: AWS has throttled a call.
    pub(super) fn throttled(&self, api: &str) {
        self.with(api, |bucket| {
            bucket.rate = (bucket.rate / 2.0).max(LOWEST_RATE)
        });
    }

    /// Raises the API's rate a little: a call succeeded.
    pub(super) fn succeeded(&self, api: &str) {
        self.with(api, |bucket| {
            bucket.rate = (bucket.rate * 1.05).min(FULL_RATE)
        });
    }

    fn with<T>(&self, api: &str, act: impl FnOnce(&mut TokenBucket) -> T) -> T {
        // A panic while holding the lock leaves plain numbers behind, which are as good as any.
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(api) {
            return act(bucket);
        }
        act(buckets.entry(api.to_owned()).or_default())
    }
}

impl Default for TokenBucket {
    fn default() -> Self {
        Self {
            rate: FULL_RATE,
            tokens: BURST,
            at: Instant::now(),
        }
    }
}

impl TokenBucket {
    /// Takes one token, on credit if there is none, and returns how long to wait until it is paid
    /// for.
    fn take(&mut self) -> Duration {
        let now = Instant::now();
        self.tokens =
            (self.tokens + now.duration_since(self.at).as_secs_f64() * self.rate).min(BURST);
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
            pace.turn("DescribeStacks").await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..FULL_RATE as usize {
            pace.turn("DescribeStacks").await;
        }
        assert!(
            (start.elapsed().as_secs_f64() - 1.0).abs() < 0.1,
            "{:?}",
            start.elapsed()
        );
        pace.turn("CreateStack").await;
        assert!(
            start.elapsed().as_secs_f64() < 1.1,
            "each API has a bucket of its own"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_the_rate_down_to_a_floor_and_success_restores_it() {
        let pace = Pace::default();
        let rate = || pace.with("CreateStack", |bucket| bucket.rate);
        pace.throttled("CreateStack");
        assert_eq!(rate(), FULL_RATE / 2.0);
        (0..20).for_each(|_| pace.throttled("CreateStack"));
        assert_eq!(rate(), LOWEST_RATE);
        (0..100).for_each(|_| pace.succeeded("CreateStack"));
        assert_eq!(rate(), FULL_RATE);
    }
}
