//! Time in the simulator: real time for what is shown, scaled time for how long things take.

use std::time::Duration;

use jiff::Timestamp;

/// How fast things happen.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Nominal seconds in a real one; infinite: nothing takes any time.
    speed: f64,
}

impl Clock {
    /// `speed` is positive.
    pub fn new(speed: f64) -> Self {
        Self { speed }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// How long something takes that takes `nominal` in AWS.
    pub fn scaled(&self, nominal: Duration) -> Duration {
        nominal.div_f64(self.speed.max(1e-3))
    }
}
