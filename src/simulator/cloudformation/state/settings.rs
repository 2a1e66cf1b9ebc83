//! What a stack is created with besides its template and parameters.

/// The number under which [`super::state::CloudFormationState`] keeps a stack, deleted ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackNumber(pub usize);

/// What a stack was told besides its template and parameters.
#[derive(Clone, Debug, Default)]
pub struct StackSettings {
    pub tags: Vec<(String, String)>,
    pub capabilities: Vec<String>,
    pub notification_arns: Vec<String>,
    pub role_arn: Option<String>,
    pub timeout_minutes: Option<u32>,
    pub on_failure: OnFailure,
    pub disable_rollback: bool,
    pub is_protected: bool,
    pub rollback: RollbackConfiguration,
}

/// Alarms that are watched while a stack is created or updated, and how long after
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackConfiguration.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollbackConfiguration {
    pub monitoring_minutes: Option<u32>,
    /// ARN and type of each.
    pub triggers: Vec<(String, String)>,
}

/// What becomes of a stack that can't be created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    #[default]
    Rollback,
    Delete,
    DoNothing,
}

/// The stack that a nested one belongs to, and as which of its resources.
#[derive(Clone, Debug)]
pub struct ParentStack {
    pub parent: StackNumber,
    pub root: StackNumber,
    pub logical_id: String,
}
