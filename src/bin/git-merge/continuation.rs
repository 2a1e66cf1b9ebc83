//! What one job hands over to the next if its own invocation is too short.
//!
//! A job that succeeds with a continuation token isn't over: CodePipeline sends another one that
//! has the token. All that must be known then is in it, since the next invocation may meet another
//! process.

use serde::{Deserialize, Serialize};

use crate::stop::Later;

/// Times that a job is handed over at most. GitHub's limits last an hour at most, and CodePipeline
/// comes again after about half a minute.
pub const MOST_HANDOVERS: u32 = 120;
/// Times that time may run out without GitHub asking for patience.
pub const MOST_SLOW: u32 = 3;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Continuation {
    /// How often the job was handed over, this time included.
    pub handovers: u32,
    /// How often because time had run out.
    pub slow: u32,
    /// Seconds since the epoch before which GitHub doesn't want to be asked.
    pub not_before: u64,
}

impl Continuation {
    /// What came with the job: of the first one, nothing.
    pub fn of(token: Option<&str>) -> Option<Self> {
        token.map_or_else(
            || Some(Self::default()),
            |token| serde_json::from_str(token).ok(),
        )
    }

    /// Returns what is handed over to the next job, or `None` if there were too many already.
    pub fn next(self, later: &Later) -> Option<Self> {
        let next = Self {
            handovers: self.handovers.saturating_add(1),
            slow: self
                .slow
                .saturating_add(u32::from(later.not_before.is_none())),
            not_before: later.not_before.unwrap_or_default(),
        };
        (next.handovers <= MOST_HANDOVERS && next.slow <= MOST_SLOW).then_some(next)
    }

    pub fn token(self) -> String {
        serde_json::json!(self).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(not_before: Option<u64>) -> Later {
        Later {
            not_before,
            why: "because".into(),
        }
    }

    #[test]
    fn a_token_comes_back_as_it_went() {
        let first = Continuation::of(None).unwrap();
        assert_eq!(first, Continuation::default());
        let second = first.next(&later(Some(1_700_000_000))).unwrap();
        assert_eq!(
            second.token(),
            r#"{"handovers":1,"slow":0,"notBefore":1700000000}"#
        );
        assert_eq!(Continuation::of(Some(&second.token())), Some(second));
        for other in [
            "",
            "d-ABCDEF",
            "{}",
            r#"{"handovers":-1,"slow":0,"notBefore":0}"#,
        ] {
            assert_eq!(Continuation::of(Some(other)), None, "{other}");
        }
    }

    #[test]
    fn patience_has_an_end() {
        let count = |not_before| {
            let handed_over = |it: &Continuation| it.next(&later(not_before));
            std::iter::successors(Some(Continuation::default()), handed_over)
                .skip(1)
                .count()
        };
        assert_eq!(count(Some(1)), MOST_HANDOVERS as usize);
        assert_eq!(count(None), MOST_SLOW as usize);
    }
}
