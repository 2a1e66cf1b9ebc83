//! How long a test may take, and how often it is tried.

use std::time::Duration;

use crate::config::TestConfig;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The time limits of one test, from its configuration. The defaults are generous: they end what
/// would never end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestLimits {
    /// Hooks and stack until it has settled; each attempt of its own.
    pub test: Duration,
    /// Each hook that has no `config.timeout`.
    pub hook: Duration,
    /// The deletion of a stack, with all attempts.
    pub deletion: Duration,
    /// Number of times that a test is tried again after a failure that is AWS's.
    pub retries: u32,
}

impl Default for TestLimits {
    fn default() -> Self {
        Self {
            test: 12 * HOUR,
            hook: HOUR,
            deletion: 3 * HOUR,
            retries: 0,
        }
    }
}

impl TestLimits {
    pub fn of(test: &TestConfig) -> Self {
        let default = Self::default();
        Self {
            test: test.timeout.map_or(default.test, |it| it.0),
            hook: test.hook_timeout.map_or(default.hook, |it| it.0),
            deletion: test.delete_timeout.map_or(default.deletion, |it| it.0),
            retries: test.retries.unwrap_or(default.retries),
        }
    }
}
