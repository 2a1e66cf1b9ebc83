//! The settings of a stack besides its template and parameters.

/// The number under which the state keeps a stack, deleted ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StackNumber(pub usize);

/// The settings of a stack besides its template and parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct StackSettings {
    pub tags: Vec<(String, String)>,
    pub capabilities: Vec<String>,
    pub notification_arns: Vec<String>,
    pub role_arn: Option<String>,
    pub timeout_minutes: Option<u32>,
    pub on_failure: OnFailure,
    pub disable_rollback: bool,
    /// A rollback deletes new resources even if they are to be retained.
    pub retain_except_on_create: bool,
    pub is_protected: bool,
    pub rollback: RollbackConfiguration,
}

/// Alarms that are monitored while a stack is created or updated, and for how long afterwards
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackConfiguration.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RollbackConfiguration {
    pub monitoring_minutes: Option<u32>,
    /// The ARN and type of each trigger.
    pub triggers: Vec<(String, String)>,
}

/// What happens to a stack that can't be created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnFailure {
    #[default]
    Rollback,
    Delete,
    DoNothing,
}

/// The parent and the root of a nested stack, and its logical ID in the parent.
#[derive(Clone, Debug)]
pub(crate) struct ParentStack {
    pub parent: StackNumber,
    pub root: StackNumber,
    pub logical_id: String,
}
