//! The interval of polling a stack.

use std::time::Duration;

/// Returns the interval by the time that the stack has been followed: most fast stacks finish in
/// the first seconds, and one that has taken ten minutes can wait four seconds more. A finished
/// stack is always noticed within five seconds.
pub(super) fn delay(age: Duration) -> Duration {
    Duration::from_millis(match age.as_secs() {
        0 if age.as_millis() < 300 => 100,
        0..10 => 500,
        10..60 => 1_000,
        60..300 => 2_000,
        _ => 4_000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_rarer_and_stay_under_five_seconds() {
        let check = |age: u64, expect: u64| {
            assert_eq!(
                delay(Duration::from_millis(age)),
                Duration::from_millis(expect),
                "{age} ms"
            );
        };
        check(0, 100);
        check(300, 500);
        check(9_999, 500);
        check(10_000, 1_000);
        check(60_000, 2_000);
        check(300_000, 4_000);
        check(100_000_000, 4_000);
    }
}
