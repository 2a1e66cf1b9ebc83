//! Time in the simulator: real time for what is shown, scaled time for how long things take.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How fast things happen.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Nominal seconds in a real one.
    speed: f64,
    /// The same moment by both clocks: what is shown never goes back, whatever becomes of the
    /// system's time.
    start: (Timestamp, Instant),
}

/// The speed that stands for an infinite one. What takes twelve hours in AWS is over within half a
/// millisecond, and yet things happen in their order: a stack's `TimeoutInMinutes` doesn't pass
/// before its resources are created.
const FASTEST: f64 = 1e8;

impl Clock {
    /// `speed` is positive, and may be infinite.
    pub fn new(speed: f64) -> Self {
        Self {
            speed: speed.min(FASTEST),
            start: (Timestamp::now(), Instant::now()),
        }
    }

    pub fn now(&self) -> Timestamp {
        let (at, since) = self.start;
        at.checked_add(since.elapsed()).unwrap_or(at)
    }

    /// How long something takes that takes `nominal` in AWS.
    pub fn scaled(&self, nominal: Duration) -> Duration {
        nominal.div_f64(self.speed.max(1e-3))
    }
}
