//! A root cause; `root_cause` finds it.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::source::TemplateLocation;
use crate::event::CellParameter;
use crate::status::ResourceStatus;

/// What failed first. `Display` formats it as one paragraph: `Network/Subnet (AWS::EC2::Subnet)
/// CREATE_FAILED: reason`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RootCause {
    /// What kind of thing failed.
    pub kind: CauseKind,
    /// The text that every report shows.
    pub text: String,
    /// What failed: the logical IDs from the test's own stack down, or the name of a check or hook;
    /// empty for the stack itself.
    pub path: Vec<String>,
    /// The resource's type, such as `AWS::EC2::Subnet`; absent if it isn't a resource.
    pub resource_type: Option<String>,
    /// CloudFormation's status of what failed.
    pub status: Option<ResourceStatus>,
    /// The reason in CloudFormation's, AWS's or the hook's words.
    pub reason: String,
    /// The ID of the event that it was read from.
    pub event_id: Option<String>,
    /// When it failed. RFC 3339, UTC.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub at: Option<Timestamp>,
    /// Where the template declares what failed, or the configuration the check.
    pub source: Option<TemplateLocation>,
    /// The parameters that its properties use; secrets are masked.
    pub parameters: Vec<CellParameter>,
    /// What to do about it, if the cause is a well-known one.
    pub hint: Option<String>,
}

/// The kind of thing that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// A resource of the stack or of a nested one.
    Resource,
    /// A stack as a whole, for example because of a timeout or a failed transform.
    Stack,
    /// The stack could not be launched.
    Launch,
    /// A hook failed.
    Hook,
    /// A check of the complete stack failed.
    Check,
    /// Nothing more is known than that it failed.
    Unknown,
}

impl RootCause {
    pub(super) fn new(
        kind: CauseKind,
        path: Vec<String>,
        resource_type: Option<String>,
        status: Option<ResourceStatus>,
        reason: &str,
    ) -> Self {
        let place = path.join("/");
        let reason = reason.trim().to_owned();
        let status_of = status.as_ref().map_or("failed", ResourceStatus::as_str);
        let text = match (kind, &resource_type) {
            (CauseKind::Resource, Some(resource_type)) => {
                format!("{place} ({resource_type}) {status_of}: {reason}")
            }
            (CauseKind::Launch, _) => format!("could not be launched: {reason}"),
            (CauseKind::Hook | CauseKind::Check, _) => format!("{place} failed: {reason}"),
            (CauseKind::Unknown, _) if status.is_none() => reason.clone(),
            _ if place.is_empty() => format!("stack {status_of}: {reason}"),
            _ => format!("stack {place} {status_of}: {reason}"),
        };
        let event_id = None;
        let at = None;
        let source = None;
        let parameters = Vec::new();
        let hint = None;
        Self {
            kind,
            text,
            path,
            resource_type,
            status,
            reason,
            event_id,
            at,
            source,
            parameters,
            hint,
        }
    }

    /// Returns the lines that every report shows below the text: the location in the template, the
    /// parameter values, the hint.
    pub fn notes(&self) -> Vec<String> {
        let place = self.source.as_ref().map(|it| {
            let is_configuration = it
                .template
                .rsplit('/')
                .next()
                .is_some_and(|name| name.starts_with(".taskcat"));
            let is_set = is_configuration || self.kind == CauseKind::Check;
            let verb = if is_set { "set" } else { "declared" };
            format!("{verb} at {}:{}", it.template, it.line)
        });
        let values = self
            .parameters
            .iter()
            .map(|it| format!("{}={}", it.key, it.value))
            .collect::<Vec<_>>();
        let values = (!values.is_empty()).then(|| format!("with {}", values.join(", ")));
        let hint = self.hint.as_ref().map(|hint| format!("hint: {hint}"));
        [place, values, hint].into_iter().flatten().collect()
    }
}

impl fmt::Display for RootCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
