//! What a stack's status means for a test.

use std::fmt;

/// A stack status in CloudFormation's words
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackStatus(String);

impl From<&str> for StackStatus {
    fn from(status: &str) -> Self {
        Self(status.to_owned())
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StackStatus {
    pub(super) fn in_progress() -> Self {
        Self::from("CREATE_IN_PROGRESS")
    }

    pub(super) fn deleted() -> Self {
        Self::from("DELETE_COMPLETE")
    }

    /// Nothing more happens by itself.
    pub fn is_at_rest(&self) -> bool {
        !self.0.ends_with("_IN_PROGRESS")
    }

    /// The one status that lets a test pass. TaskCat takes `UPDATE_COMPLETE` as well; a stack that somebody else updates
    /// while it is tested is not the stack that was to be tested.
    pub fn is_created(&self) -> bool {
        self.0 == "CREATE_COMPLETE"
    }

    /// The stack is what its last change set was to make of it.
    pub fn is_deployed(&self) -> bool {
        matches!(self.0.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE")
    }

    pub fn is_deleted(&self) -> bool {
        self.0 == "DELETE_COMPLETE"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        let check = |status: &str, at_rest, created, deleted| {
            let status = StackStatus::from(status);
            assert_eq!((status.is_at_rest(), status.is_created(), status.is_deleted()), (at_rest, created, deleted));
        };
        check("CREATE_IN_PROGRESS", false, false, false);
        check("CREATE_COMPLETE", true, true, false);
        check("CREATE_FAILED", true, false, false);
        check("ROLLBACK_COMPLETE", true, false, false);
        check("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", false, false, false);
        check("DELETE_FAILED", true, false, false);
        check("DELETE_COMPLETE", true, false, true);
    }
}
