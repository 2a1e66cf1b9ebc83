//! Time limits and retries of a test.

use std::time::Duration;

use crate::config::TestConfig;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The limits of a test. The defaults are generous: they stop only what would never end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestLimits {
    /// Limit for hooks and stack until the stack is complete; per attempt.
    pub test: Duration,
    /// Limit for each hook without a `config.timeout`.
    pub hook: Duration,
    /// Limit for the deletion of a stack, including retries.
    pub deletion: Duration,
    /// Number of retries after a failure that AWS is responsible for.
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
    /// Returns the limits of a test's configuration.
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
