//! The constraints of the API's model on a call's parameters, and the messages for violations.
//!
//! The service checks a call against the model before anything else, and reports all violations at
//! once: `2 validation errors detected: Value … at 'stackName' failed to satisfy constraint: …;
//! Value … at …`. The limits are those of
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html>; the
//! patterns are written as the service writes them.

use super::QueryRequest;
use crate::simulator::cloudformation::error::error;
use crate::simulator::error::ServiceError;

/// A constraint on a parameter.
#[derive(Clone, Copy, Debug)]
enum Constraint {
    Required,
    /// The least and the most characters.
    Length(usize, usize),
    /// A name or, where [`ParameterPattern`] allows it, an ARN.
    Matches(ParameterPattern),
    OneOf(&'static [&'static str]),
    /// Each item of a list is one of these values.
    EachOneOf(&'static [&'static str]),
    /// The most items of a list.
    AtMost(usize),
    /// A whole number within these limits.
    Between(u32, u32),
}

#[derive(Clone, Copy, Debug)]
enum ParameterPattern {
    Name,
    StackNameOrArn,
    ChangeSetNameOrArn,
    Token,
}

use crate::status::StackStatus;
use Constraint::{AtMost, Between, EachOneOf, Length, Matches, OneOf, Required};

/// The actions that require a stack's name or ARN in `StackName`.
const BY_STACK: &[&str] = &[
    "UpdateStack",
    "DeleteStack",
    "DescribeStackResource",
    "ListStackResources",
    "UpdateTerminationProtection",
    "ListChangeSets",
    "CreateChangeSet",
    "DescribeStackEvents",
    "SetStackPolicy",
    "GetStackPolicy",
    "CancelUpdateStack",
    "ContinueUpdateRollback",
    "RollbackStack",
    "DetectStackDrift",
    "DescribeStackResourceDrifts",
    "DetectStackResourceDrift",
];

const MAKES_STACK: &[&str] = &["CreateStack", "UpdateStack", "CreateChangeSet"];
const WITH_TOKEN: &[&str] = &[
    "CreateStack",
    "UpdateStack",
    "DeleteStack",
    "ExecuteChangeSet",
    "CancelUpdateStack",
    "ContinueUpdateRollback",
    "RollbackStack",
];
const WITH_TEMPLATE: &[&str] = &[
    "CreateStack",
    "UpdateStack",
    "CreateChangeSet",
    "ValidateTemplate",
    "GetTemplateSummary",
    "EstimateTemplateCost",
];
const OF_CHANGE_SET: &[&str] = &["DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet"];
const PAGED: &[&str] = &[
    "DescribeStacks",
    "DescribeStackEvents",
    "ListStacks",
    "ListStackResources",
    "ListChangeSets",
    "DescribeChangeSet",
    "ListExports",
    "ListImports",
];

const CAPABILITIES: &[&str] = &[
    "CAPABILITY_NAMED_IAM",
    "CAPABILITY_IAM",
    "CAPABILITY_AUTO_EXPAND",
];

const MAX_LENGTH: usize = usize::MAX;

/// Actions, the name of a parameter, and its constraints. An absent parameter only violates
/// [`Constraint::Required`].
const CONSTRAINTS: &[(&[&str], &str, &[Constraint])] = &[
    (
        &["CreateStack"],
        "StackName",
        &[Required, Length(1, 128), Matches(ParameterPattern::Name)],
    ),
    (
        BY_STACK,
        "StackName",
        &[
            Required,
            Length(1, MAX_LENGTH),
            Matches(ParameterPattern::StackNameOrArn),
        ],
    ),
    (
        OF_CHANGE_SET,
        "StackName",
        &[
            Length(1, MAX_LENGTH),
            Matches(ParameterPattern::StackNameOrArn),
        ],
    ),
    (
        &["CreateChangeSet"],
        "ChangeSetName",
        &[Required, Length(1, 128), Matches(ParameterPattern::Name)],
    ),
    (
        OF_CHANGE_SET,
        "ChangeSetName",
        &[
            Required,
            Length(1, 1600),
            Matches(ParameterPattern::ChangeSetNameOrArn),
        ],
    ),
    (
        &["GetTemplate"],
        "ChangeSetName",
        &[
            Length(1, 1600),
            Matches(ParameterPattern::ChangeSetNameOrArn),
        ],
    ),
    (&["CreateChangeSet"], "Description", &[Length(1, 1024)]),
    (&["CreateChangeSet"], "ClientToken", &[Length(1, 128)]),
    (
        &["CreateChangeSet"],
        "ChangeSetType",
        &[OneOf(&["CREATE", "UPDATE", "IMPORT"])],
    ),
    (
        &["CreateChangeSet", "CreateStack"],
        "OnStackFailure",
        &[OneOf(&["DO_NOTHING", "ROLLBACK", "DELETE"])],
    ),
    (
        &["CreateStack"],
        "OnFailure",
        &[OneOf(&["ROLLBACK", "DELETE", "DO_NOTHING"])],
    ),
    (
        &["CreateStack"],
        "TimeoutInMinutes",
        &[Between(1, u32::MAX)],
    ),
    (
        &["DeleteStack"],
        "DeletionMode",
        &[OneOf(&["STANDARD", "FORCE_DELETE_STACK"])],
    ),
    (
        &["GetTemplate"],
        "TemplateStage",
        &[OneOf(&["Original", "Processed"])],
    ),
    (
        &["ListStacks"],
        "StackStatusFilter",
        &[EachOneOf(StackStatus::TEXTS)],
    ),
    (
        &["DescribeStackResource", "DetectStackResourceDrift"],
        "LogicalResourceId",
        &[Required],
    ),
    (&["ListImports"], "ExportName", &[Required]),
    (
        &["UpdateTerminationProtection"],
        "EnableTerminationProtection",
        &[Required],
    ),
    (
        WITH_TOKEN,
        "ClientRequestToken",
        &[Length(1, 128), Matches(ParameterPattern::Token)],
    ),
    (WITH_TEMPLATE, "TemplateBody", &[Length(1, MAX_LENGTH)]),
    (WITH_TEMPLATE, "TemplateURL", &[Length(1, 5120)]),
    (MAKES_STACK, "Capabilities", &[EachOneOf(CAPABILITIES)]),
    (MAKES_STACK, "NotificationARNs", &[AtMost(5)]),
    (MAKES_STACK, "RoleARN", &[Length(20, 2048)]),
    (MAKES_STACK, "StackPolicyURL", &[Length(1, 5120)]),
    (MAKES_STACK, "StackPolicyBody", &[Length(1, 16_384)]),
    (
        MAKES_STACK,
        "RollbackConfiguration.MonitoringTimeInMinutes",
        &[Between(0, 180)],
    ),
    (
        MAKES_STACK,
        "RollbackConfiguration.RollbackTriggers",
        &[AtMost(5)],
    ),
    (MAKES_STACK, "Tags", &[AtMost(50)]),
    (PAGED, "NextToken", &[Length(1, 1024)]),
];

/// Checks a call against the model.
///
/// # Errors
/// Fails with all violations in one message.
pub(crate) fn check(action: &str, request: &QueryRequest) -> Result<(), ServiceError> {
    let constraints = CONSTRAINTS
        .iter()
        .filter(|(actions, ..)| actions.contains(&action));
    let mut violations: Vec<String> = constraints
        .flat_map(|(_, name, constraints)| violations_of(request, name, constraints))
        .collect();
    if MAKES_STACK.contains(&action) {
        violations.extend(tag_violations(request));
    }
    reject(&violations)
}

/// Returns an error with all violations.
fn reject(violations: &[String]) -> Result<(), ServiceError> {
    let errors = if violations.len() == 1 {
        "error"
    } else {
        "errors"
    };
    match violations {
        [] => Ok(()),
        violations => {
            let message = format!(
                "{} validation {errors} detected: {}",
                violations.len(),
                violations.join("; ")
            );
            Err(error("ValidationError", message))
        }
    }
}

fn violations_of(request: &QueryRequest, name: &str, constraints: &[Constraint]) -> Vec<String> {
    let list = request.list(name);
    let text = request.text(name);
    let at = lower_camel(name);
    let of_text = |value: &str, expect: String| violation(&format!("'{value}'"), &at, &expect);
    let of_list = |expect: String| violation(&format!("'[{}]'", list.join(", ")), &at, &expect);
    let one = |constraint: &Constraint| match (*constraint, text) {
        (Required, None) => Some(violation("null", &at, "Member must not be null")),
        (Length(least, _), Some(text)) if text.chars().count() < least => {
            Some(of_text(text, min_length(least)))
        }
        (Length(_, most), Some(text)) if text.chars().count() > most => {
            Some(of_text(text, max_length(most)))
        }
        (Matches(pattern), Some(text)) if !pattern.matches(text) => Some(of_text(
            text,
            format!(
                "Member must satisfy regular expression pattern: {}",
                pattern.text()
            ),
        )),
        (OneOf(values), Some(text)) if !values.contains(&text) => {
            Some(of_text(text, enum_values(values)))
        }
        (EachOneOf(values), _) if list.iter().any(|item| !values.contains(item)) => Some(of_list(
            format!("Member must satisfy constraint: [{}]", enum_values(values)),
        )),
        (AtMost(most), _) if count(request, name) > most => Some(of_list(max_length(most))),
        (Between(least, _), Some(text))
            if number(text).is_some_and(|number| number < least.into()) =>
        {
            Some(of_text(
                text,
                format!("Member must have value greater than or equal to {least}"),
            ))
        }
        (Between(_, most), Some(text))
            if number(text).is_some_and(|number| number > most.into()) =>
        {
            Some(of_text(
                text,
                format!("Member must have value less than or equal to {most}"),
            ))
        }
        _ => None,
    };
    constraints.iter().filter_map(one).collect()
}

/// Returns the number of items of a list, which may be structures.
fn count(request: &QueryRequest, name: &str) -> usize {
    request.list(name).len().max(request.structures(name).len())
}

fn tag_violations(request: &QueryRequest) -> Vec<String> {
    let mut violations = Vec::new();
    for (index, tag) in request.structures("Tags").iter().enumerate() {
        for (member, most) in [("Key", 128), ("Value", 256)] {
            let at = format!("tags.{}.member.{}", index + 1, lower_camel(member));
            let expect = match tag.get(member) {
                None => Some(("null".to_owned(), "Member must not be null".to_owned())),
                Some(&"") => Some(("''".to_owned(), min_length(1))),
                Some(text) if text.chars().count() > most => {
                    Some((format!("'{text}'"), max_length(most)))
                }
                Some(_) => None,
            };
            violations.extend(expect.map(|(value, expect)| violation(&value, &at, &expect)));
        }
    }
    violations
}

fn violation(value: &str, at: &str, expect: &str) -> String {
    format!("Value {value} at '{at}' failed to satisfy constraint: {expect}")
}

fn min_length(least: usize) -> String {
    format!("Member must have length greater than or equal to {least}")
}

fn max_length(most: usize) -> String {
    format!("Member must have length less than or equal to {most}")
}

fn enum_values(values: &[&str]) -> String {
    format!(
        "Member must satisfy enum value set: [{}]",
        values.join(", ")
    )
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Returns `stackName` for `StackName`, and `rollbackConfiguration.monitoringTimeInMinutes` for a
/// member of a structure.
fn lower_camel(name: &str) -> String {
    let lower = |part: &str| {
        let mut part = part.to_owned();
        part.get_mut(..1).map(str::make_ascii_lowercase);
        part
    };
    name.split('.').map(lower).collect::<Vec<_>>().join(".")
}

impl ParameterPattern {
    fn text(self) -> &'static str {
        match self {
            Self::Name => "[a-zA-Z][-a-zA-Z0-9]*",
            Self::StackNameOrArn => "[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*",
            Self::ChangeSetNameOrArn => "[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/]*",
            Self::Token => "[a-zA-Z0-9][-a-zA-Z0-9]*",
        }
    }

    fn matches(self, text: &str) -> bool {
        let starts = |is: fn(&u8) -> bool| text.as_bytes().first().is_some_and(is);
        let all = |more: &str| {
            text.bytes()
                .all(|c| c.is_ascii_alphanumeric() || more.as_bytes().contains(&c))
        };
        let is_name = starts(u8::is_ascii_alphabetic) && all("-");
        match self {
            Self::Name => is_name,
            Self::StackNameOrArn => is_name || text.starts_with("arn:") && all("-:/._+"),
            Self::ChangeSetNameOrArn => is_name || text.starts_with("arn:") && all("-:/"),
            Self::Token => starts(u8::is_ascii_alphanumeric) && all("-"),
        }
    }
}
