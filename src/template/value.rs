//! What an expression of the template language comes to: a value, parts of which may be unknown, or
//! failures.

use std::collections::BTreeSet;
use std::fmt;

use indexmap::IndexMap;
use serde_json::Number;

use crate::diagnostic::Location;
use crate::yaml::{self, Node};

/// A value after evaluation. What is unknown may stand at any depth of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Value>),
    /// In the order of the template.
    Map(IndexMap<String, Value>),
    /// Only AWS knows, or nobody yet.
    Unknown(Unknown),
    /// `AWS::NoValue`: the entry or item that it stands in is left out. No list and no map holds
    /// one.
    NoValue,
}

/// Either a value or everything that fails in it.
pub(super) type Evaluated = Result<Value, Failures>;

/// Why a value isn't known: one reason or more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    reasons: BTreeSet<UnknownReason>,
}

/// One thing that would have to be known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownReason {
    pub until: KnownWhen,
    /// A short noun phrase: `attribute Arn of Queue`, `availability zones of us-east-1`.
    pub what: String,
}

/// Who will know, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KnownWhen {
    /// AWS knows already: zones, exports, stored values, the account.
    Asked,
    /// Nobody knows before the stack is launched: physical ids, attributes.
    Launched,
}

/// Why a template can't be launched: CloudFormation's words, and the place in the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// As CloudFormation words it:
    /// `Template error: Unable to get mapping for RegionMap::eu-west-9::AMI`.
    pub message: String,
    pub at: Location,
    /// Nested stacks that lead to the template, from the outermost.
    pub nested_in: Vec<NestingStack>,
    /// Further places that have a part in it: where a parameter's value is set.
    pub notes: Vec<FailureNote>,
}

/// How the message of a failure begins where stacks nest in a circle.
pub(super) const CIRCLE: &str = "nested stacks go round in a circle";
/// The same where there are too many of them.
pub(super) const TOO_MANY: &str = "the stack nests too many stacks";

impl Failure {
    /// Launched all the same, the stack would make stacks without an end.
    pub fn is_endless_nesting(&self) -> bool {
        self.message.starts_with(CIRCLE) || self.message.starts_with(TOO_MANY)
    }
}

/// A resource of type `AWS::CloudFormation::Stack` on the way to a failure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NestingStack {
    pub logical_id: String,
    /// Of the resource's `TemplateURL`.
    pub at: Location,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FailureNote {
    /// `parameter InstanceType is set here`
    pub message: String,
    /// Absent where a value comes from the environment or the command line; the message then says
    /// so.
    pub at: Option<Location>,
    /// A secret may stand there, so the line itself is not to be shown.
    pub is_secret: bool,
}

/// At least one failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failures(Vec<Failure>);

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// A scalar of a template, read by the rules of YAML 1.1: `Yes` is true, and `010` is 8. None
    /// for lists and maps.
    pub fn of_scalar(node: &Node) -> Option<Self> {
        Some(match &node.value {
            yaml::NodeValue::Null => Self::Null,
            yaml::NodeValue::Bool(value) => Self::Bool(*value),
            yaml::NodeValue::Int(value) => Self::Number((*value).into()),
            yaml::NodeValue::Float(value) => {
                Number::from_f64(*value).map_or_else(|| Self::text(&*node.text), Self::Number)
            }
            yaml::NodeValue::Timestamp(_) => Self::text(&*node.text),
            yaml::NodeValue::String(text) => Self::text(&**text),
            yaml::NodeValue::Sequence(_) | yaml::NodeValue::Mapping(_) => return None,
        })
    }

    /// Text as CloudFormation makes it of a scalar: `true`, `1.5`. None for lists, maps, null and
    /// what isn't known.
    pub fn as_text(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Number(value) => Some(value.to_string()),
            Self::String(text) => Some(text.clone()),
            Self::Null | Self::List(_) | Self::Map(_) | Self::Unknown(_) | Self::NoValue => None,
        }
    }

    /// Everything unknown in the value, at any depth; none if it is known as a whole.
    pub fn unknown(&self) -> Option<Unknown> {
        match self {
            Self::Unknown(unknown) => Some(unknown.clone()),
            Self::List(items) => Unknown::all(items.iter().filter_map(Self::unknown)),
            Self::Map(entries) => Unknown::all(entries.values().filter_map(Self::unknown)),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::NoValue => None,
        }
    }

    /// About how much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        let own = size_of::<Self>();
        match self {
            Self::String(text) => own + text.len(),
            Self::List(items) => own + items.iter().map(Self::size).sum::<usize>(),
            Self::Map(entries) => {
                own + entries
                    .iter()
                    .map(|(key, value)| key.len() + value.size())
                    .sum::<usize>()
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Unknown(_) | Self::NoValue => own,
        }
    }

    /// The value as JSON, what is unknown as `{"Unknown": "<why>"}`; `AWS::NoValue` alone is null.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null | Self::NoValue => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(value) => value.clone().into(),
            Self::String(text) => text.as_str().into(),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(entries) => serde_json::Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_json()))
                    .collect(),
            ),
            Self::Unknown(unknown) => serde_json::json!({ "Unknown": unknown.to_string() }),
        }
    }

    /// What the value is, in words for a message.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Null | Self::NoValue => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::String(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The text that CloudFormation makes of a scalar in a template, wherever it stands: `true` of
/// `Yes`, `8` of `010`. Empty for null, lists and maps.
pub(super) fn text_of(node: &Node) -> String {
    Value::of_scalar(node)
        .and_then(|value| value.as_text())
        .unwrap_or_default()
}

impl From<Unknown> for Value {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }
}

impl Unknown {
    /// AWS knows: `availability zones of us-east-1`.
    pub fn asked(what: impl Into<String>) -> Self {
        Self {
            reasons: BTreeSet::from([UnknownReason {
                until: KnownWhen::Asked,
                what: what.into(),
            }]),
        }
    }

    /// Nobody knows before launch: `attribute Arn of Queue`.
    pub fn launched(what: impl Into<String>) -> Self {
        Self {
            reasons: BTreeSet::from([UnknownReason {
                until: KnownWhen::Launched,
                what: what.into(),
            }]),
        }
    }

    /// All of them as one; none of none.
    pub fn all(unknowns: impl IntoIterator<Item = Self>) -> Option<Self> {
        unknowns.into_iter().reduce(Self::and)
    }

    pub fn and(mut self, other: Self) -> Self {
        self.reasons.extend(other.reasons);
        self
    }

    /// What hangs on it, by a name of its own: AWS knows that too as soon as it is asked for one of
    /// the reasons.
    pub fn renamed(&self, what: impl Into<String>) -> Self {
        if self
            .reasons
            .iter()
            .any(|reason| reason.until == KnownWhen::Asked)
        {
            Self::asked(what)
        } else {
            Self::launched(what)
        }
    }

    /// In order, each once.
    pub fn reasons(&self) -> impl Iterator<Item = &UnknownReason> {
        self.reasons.iter()
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, reason) in self.reasons.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(&reason.what)?;
        }
        Ok(())
    }
}

impl Failures {
    /// All of them as one; none of none.
    pub(super) fn all(failures: impl IntoIterator<Item = Self>) -> Option<Self> {
        failures.into_iter().reduce(Self::and)
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl From<Failure> for Failures {
    fn from(failure: Failure) -> Self {
        Self(vec![failure])
    }
}

impl IntoIterator for Failures {
    type Item = Failure;
    type IntoIter = std::vec::IntoIter<Failure>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// `file:line:column: message`, as a diagnostic reads.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// Results together: all values, or all failures.
pub(super) fn together<T>(
    results: impl IntoIterator<Item = Result<T, Failures>>,
) -> Result<Vec<T>, Failures> {
    let mut values = Vec::new();
    let mut failures = Vec::new();
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(failed) => failures.push(failed),
        }
    }
    match Failures::all(failures) {
        None => Ok(values),
        Some(failures) => Err(failures),
    }
}
