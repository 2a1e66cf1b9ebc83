//! CloudFormation's statuses of stacks and of resources, and what each of them means.
//!
//! This is the only file that spells them. A status that isn't in this table keeps its text and is
//! judged by the words that all statuses consist of.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Declares an enum of statuses with their texts in CloudFormation's API.
macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`")] $variant,)+
            /// A status that isn't in this table, or one of taskcat's own.
            Other(Box<str>),
        }

        impl $name {
            /// Every status of the API, as CloudFormation writes them.
            pub const TEXTS: &[&str] = &[$($text),+];

            /// Returns the status as CloudFormation writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }

            /// Returns whether an operation is still in progress.
            pub fn is_in_progress(&self) -> bool {
                self.as_str().ends_with("_IN_PROGRESS")
            }

            /// Returns whether nothing more happens without another request.
            pub fn is_terminal(&self) -> bool {
                !self.is_in_progress()
            }

            /// Returns whether something failed; a completed rollback isn't a failed status.
            pub fn is_failed(&self) -> bool {
                self.as_str().ends_with("_FAILED")
            }

            /// Returns whether an operation has completed, including rollbacks and deletions.
            pub fn is_complete(&self) -> bool {
                self.as_str().ends_with("_COMPLETE")
            }

            /// Returns whether the status belongs to a rollback, completed or not.
            pub fn is_rollback(&self) -> bool {
                self.as_str().contains("ROLLBACK")
            }

            /// Returns whether the status belongs to an update, its rollback included.
            pub fn is_update(&self) -> bool {
                self.as_str().starts_with("UPDATE_")
            }

            /// Returns whether the status belongs to a deletion, completed or not.
            pub fn is_deletion(&self) -> bool {
                self.as_str().starts_with("DELETE_")
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Other(other.into()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<str>::deserialize(deserializer).map(|text| Self::from(&*text))
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                String::json_schema(generator)
            }
        }
    };
}

statuses! {
    /// The status of a stack
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html>).
    StackStatus {
        CreateInProgress = "CREATE_IN_PROGRESS",
        CreateFailed = "CREATE_FAILED",
        CreateComplete = "CREATE_COMPLETE",
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        RollbackFailed = "ROLLBACK_FAILED",
        RollbackComplete = "ROLLBACK_COMPLETE",
        DeleteInProgress = "DELETE_IN_PROGRESS",
        DeleteFailed = "DELETE_FAILED",
        DeleteComplete = "DELETE_COMPLETE",
        UpdateInProgress = "UPDATE_IN_PROGRESS",
        UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        UpdateComplete = "UPDATE_COMPLETE",
        UpdateFailed = "UPDATE_FAILED",
        UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
        UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
        UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
        ReviewInProgress = "REVIEW_IN_PROGRESS",
        ImportInProgress = "IMPORT_IN_PROGRESS",
        ImportComplete = "IMPORT_COMPLETE",
        ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS",
        ImportRollbackFailed = "IMPORT_ROLLBACK_FAILED",
        ImportRollbackComplete = "IMPORT_ROLLBACK_COMPLETE",
    }
}

statuses! {
    /// The status of a resource; in an event about a stack itself, the status of that stack
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html>).
    ResourceStatus {
        CreateInProgress = "CREATE_IN_PROGRESS",
        CreateFailed = "CREATE_FAILED",
        CreateComplete = "CREATE_COMPLETE",
        DeleteInProgress = "DELETE_IN_PROGRESS",
        DeleteFailed = "DELETE_FAILED",
        DeleteComplete = "DELETE_COMPLETE",
        DeleteSkipped = "DELETE_SKIPPED",
        UpdateInProgress = "UPDATE_IN_PROGRESS",
        UpdateFailed = "UPDATE_FAILED",
        UpdateComplete = "UPDATE_COMPLETE",
        ImportFailed = "IMPORT_FAILED",
        ImportComplete = "IMPORT_COMPLETE",
        ImportInProgress = "IMPORT_IN_PROGRESS",
        ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS",
        ImportRollbackFailed = "IMPORT_ROLLBACK_FAILED",
        ImportRollbackComplete = "IMPORT_ROLLBACK_COMPLETE",
        ExportFailed = "EXPORT_FAILED",
        ExportComplete = "EXPORT_COMPLETE",
        ExportInProgress = "EXPORT_IN_PROGRESS",
        ExportRollbackInProgress = "EXPORT_ROLLBACK_IN_PROGRESS",
        ExportRollbackFailed = "EXPORT_ROLLBACK_FAILED",
        ExportRollbackComplete = "EXPORT_ROLLBACK_COMPLETE",
        UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
        UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
        UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        RollbackComplete = "ROLLBACK_COMPLETE",
        RollbackFailed = "ROLLBACK_FAILED",
    }
}

statuses! {
    /// The status of a change set
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html>).
    ChangeSetStatus {
        CreatePending = "CREATE_PENDING",
        CreateInProgress = "CREATE_IN_PROGRESS",
        CreateComplete = "CREATE_COMPLETE",
        DeletePending = "DELETE_PENDING",
        DeleteInProgress = "DELETE_IN_PROGRESS",
        DeleteComplete = "DELETE_COMPLETE",
        DeleteFailed = "DELETE_FAILED",
        Failed = "FAILED",
    }
}

/// The operation on a stack or resource that a status reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Creation.
    Create,
    /// An update.
    Update,
    /// Deletion.
    Delete,
    /// An import.
    Import,
    /// A rollback.
    Rollback,
}

impl StackStatus {
    /// Returns the status of a stack that CloudFormation refused to create. The status is taskcat's
    /// own, since no such stack exists.
    pub fn launch_failed() -> Self {
        Self::Other("LAUNCH_FAILED".into())
    }

    /// Returns whether the stack matches its template or its last change set.
    pub fn is_deployed(&self) -> bool {
        matches!(self, Self::CreateComplete | Self::UpdateComplete)
    }

    /// Returns whether the last operation failed or was rolled back.
    pub fn is_unsuccessful(&self) -> bool {
        self.is_failed() || (self.is_rollback() && self.is_complete())
    }

    /// Returns the status without `_IN_PROGRESS`, for narrow columns.
    pub fn short(&self) -> &str {
        self.as_str()
            .strip_suffix("_IN_PROGRESS")
            .unwrap_or(self.as_str())
    }
}

impl ResourceStatus {
    /// Returns whether the resource was retained instead of deleted.
    pub fn is_skipped(&self) -> bool {
        self.as_str().ends_with("_SKIPPED")
    }

    /// Returns the operation that the status reports, or `None` if it names none.
    pub fn operation(&self) -> Option<Operation> {
        match self.as_str().split_once('_')?.0 {
            _ if self.is_rollback() => Some(Operation::Rollback),
            "CREATE" => Some(Operation::Create),
            "UPDATE" => Some(Operation::Update),
            "DELETE" => Some(Operation::Delete),
            "IMPORT" => Some(Operation::Import),
            _ => None,
        }
    }
}

/// The status in an event of a stack is that of the stack.
impl From<&ResourceStatus> for StackStatus {
    fn from(status: &ResourceStatus) -> Self {
        Self::from(status.as_str())
    }
}

impl From<&StackStatus> for ResourceStatus {
    fn from(status: &StackStatus) -> Self {
        Self::from(status.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back() {
        let check = |text: &str| {
            assert_eq!(StackStatus::from(text).as_str(), text);
            assert_eq!(ResourceStatus::from(text).to_string(), text);
            let json = serde_json::json!(text);
            assert_eq!(
                serde_json::to_value(serde_json::from_value::<StackStatus>(json.clone()).unwrap())
                    .unwrap(),
                json
            );
        };
        [
            "CREATE_COMPLETE",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "DELETE_SKIPPED",
            "SOMETHING_NEW",
            "",
        ]
        .into_iter()
        .for_each(check);
        assert_eq!(
            StackStatus::from("CREATE_COMPLETE"),
            StackStatus::CreateComplete
        );
        assert_eq!(
            format!("{:>18}", StackStatus::CreateComplete),
            "   CREATE_COMPLETE"
        );
    }

    #[test]
    fn stack_statuses_are_classified() {
        let check = |status: &str, terminal, deployed, unsuccessful, rollback| {
            let status = StackStatus::from(status);
            let found = (
                status.is_terminal(),
                status.is_deployed(),
                status.is_unsuccessful(),
                status.is_rollback(),
            );
            assert_eq!(
                found,
                (terminal, deployed, unsuccessful, rollback),
                "{status}"
            );
        };
        check("CREATE_IN_PROGRESS", false, false, false, false);
        check("CREATE_COMPLETE", true, true, false, false);
        check("CREATE_FAILED", true, false, true, false);
        check("ROLLBACK_IN_PROGRESS", false, false, false, true);
        check("ROLLBACK_COMPLETE", true, false, true, true);
        check("ROLLBACK_FAILED", true, false, true, true);
        check("UPDATE_COMPLETE", true, true, false, false);
        check(
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            false,
            false,
            false,
            false,
        );
        check("DELETE_FAILED", true, false, true, false);
        check("DELETE_COMPLETE", true, false, false, false);
        check("LAUNCH_FAILED", true, false, true, false);
        check("SOMETHING_NEW_IN_PROGRESS", false, false, false, false);
    }

    #[test]
    fn resource_statuses_have_an_operation() {
        let check = |status: &str, operation| {
            assert_eq!(
                ResourceStatus::from(status).operation(),
                operation,
                "{status}"
            )
        };
        check("CREATE_FAILED", Some(Operation::Create));
        check("IMPORT_COMPLETE", Some(Operation::Import));
        check("IMPORT_ROLLBACK_COMPLETE", Some(Operation::Rollback));
        check("UPDATE_ROLLBACK_IN_PROGRESS", Some(Operation::Rollback));
        check("DELETE_SKIPPED", Some(Operation::Delete));
        check("REVIEW_IN_PROGRESS", None);
        check("", None);
    }
}
