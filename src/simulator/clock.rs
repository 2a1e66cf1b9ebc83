//! Time in the simulator: real time for what is shown, scaled time for how long things take.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How fast things happen.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Nominal seconds in a real one; infinite: nothing takes any time.
    speed: f64,
    /// The same moment by both clocks: what is shown never goes back, whatever becomes of the system's time.
    start: (Timestamp, Instant),
}

impl Clock {
    /// `speed` is positive.
    pub fn new(speed: f64) -> Self {
        Self { speed, start: (Timestamp::now(), Instant::now()) }
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
