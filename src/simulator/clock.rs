//! Time in the simulator: real time stamps, scaled durations.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A clock that scales durations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Nominal seconds per real second.
    speed: f64,
    /// The same moment on both clocks: time stamps never go back, even if the system's time does.
    start: (Timestamp, Instant),
}

/// The speed that is used for an infinite one. What takes twelve hours in AWS is over within half a
/// millisecond, and yet things happen in order: a stack's `TimeoutInMinutes` doesn't pass before
/// its resources are created.
const FASTEST: f64 = 1e8;

impl Clock {
    /// Starts a clock. `speed` is positive, and may be infinite.
    pub(crate) fn new(speed: f64) -> Self {
        Self {
            speed: speed.min(FASTEST),
            start: (Timestamp::now(), Instant::now()),
        }
    }

    /// Returns the current time, which never goes back.
    pub(crate) fn now(&self) -> Timestamp {
        let (at, since) = self.start;
        at.checked_add(since.elapsed()).unwrap_or(at)
    }

    /// Returns the real duration of something that takes `nominal` in AWS.
    pub(crate) fn scaled(&self, nominal: Duration) -> Duration {
        nominal.div_f64(self.speed.max(1e-3))
    }
}
