//! The time that an invocation has for its work.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Kept back for the answer to CodePipeline, retries included; of short invocations a third.
const RESERVE: Duration = Duration::from_secs(15);

/// When the work must be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// From the time at which Lambda ends the invocation.
    pub fn of(end: SystemTime) -> Self {
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        Self(Instant::now() + left.saturating_sub(RESERVE.min(left / 3)))
    }

    pub fn at(self) -> Instant {
        self.0
    }

    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Seconds since the epoch, as GitHub counts.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// `14:05:09 UTC`, of seconds since the epoch.
pub fn clock(seconds: u64) -> String {
    let of_day = seconds % 86_400;
    format!(
        "{:02}:{:02}:{:02} UTC",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_kept_for_the_answer() {
        let work = |seconds| {
            Deadline::of(SystemTime::now() + Duration::from_secs(seconds))
                .left()
                .as_secs_f64()
        };
        assert!((work(300) - 285.0).abs() < 1.0, "{}", work(300));
        assert!((work(6) - 4.0).abs() < 1.0, "{}", work(6));
        assert_eq!(
            Deadline::of(SystemTime::now() - Duration::from_secs(9)).left(),
            Duration::ZERO
        );
    }

    #[test]
    fn the_clock_shows_the_time_of_day() {
        assert_eq!(clock(0), "00:00:00 UTC");
        assert_eq!(clock(1_764_122_709), "02:05:09 UTC");
    }
}
