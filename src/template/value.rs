//! The result of evaluating an expression: a value, parts of which may be unknown, or failures.

use std::collections::BTreeSet;
use std::fmt;

use indexmap::IndexMap;
use serde_json::Number;

use crate::diagnostic::Location;
use crate::yaml::{self, Node};

/// An evaluated value. Unknown values may be at any depth.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// A list.
    List(Vec<Value>),
    /// A map in the template's order.
    Map(IndexMap<String, Value>),
    /// Not known yet, or known only to AWS.
    Unknown(Unknown),
    /// `AWS::NoValue`, which removes the entry or item that contains it. Never inside a list or
    /// map.
    NoValue,
}

/// Either a value or everything that fails in it.
pub(super) type Evaluated = Result<Value, Failures>;

/// One or more reasons why a value isn't known, and what is known about it nevertheless.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    reasons: BTreeSet<UnknownReason>,
    form: UnknownForm,
}

/// What is known about an unknown value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnknownForm {
    /// Nothing.
    #[default]
    Any,
    /// It isn't empty.
    NonEmpty,
    /// It is a string like this example: not empty, with the same number of items if it is read as
    /// a comma-separated list, and different from another one with the same reasons if their
    /// examples differ.
    Like(String),
    /// It is the list of all Availability Zones of this region.
    Zones(String),
}

/// Maximum length of an example in bytes; longer ones aren't kept.
const MAX_EXAMPLE: usize = 4096;

/// Something that isn't known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownReason {
    /// When it becomes known.
    pub until: KnownWhen,
    /// A short noun phrase: `attribute Arn of Queue`, `availability zones of us-east-1`.
    pub what: String,
}

/// When an unknown value becomes known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KnownWhen {
    /// AWS knows it already: zones, exports, SSM parameters, the account.
    Asked,
    /// Known only after the stack is launched: physical IDs, attributes.
    Launched,
}

/// Why a template can't be launched: CloudFormation's message, and the location in the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// CloudFormation's message: `Template error: Unable to get mapping for
    /// RegionMap::eu-west-9::AMI`.
    pub message: String,
    /// The location of the cause.
    pub at: Location,
    /// The nested stacks that lead to the template, outermost first.
    pub nested_in: Vec<NestingStack>,
    /// Other locations involved, such as where a parameter's value is set.
    pub notes: Vec<FailureNote>,
}

/// Prefix of the failure's message for stacks that nest each other in a circle.
pub(super) const CIRCLE: &str = "circular nested stacks";
/// Prefix of the message for too many nested stacks.
pub(super) const TOO_MANY: &str = "too many nested stacks";

impl Failure {
    /// Returns whether launching the stack would create stacks endlessly.
    pub fn is_endless_nesting(&self) -> bool {
        self.message.starts_with(CIRCLE) || self.message.starts_with(TOO_MANY)
    }
}

/// A resource of type `AWS::CloudFormation::Stack` that leads to a failure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NestingStack {
    /// The resource's logical ID.
    pub logical_id: String,
    /// The location of the resource's `TemplateURL`.
    pub at: Location,
}

/// Another location that is involved in a failure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FailureNote {
    /// What is there: `parameter InstanceType is set here`.
    pub message: String,
    /// The location; absent for a value from the environment or the command line, which the message
    /// then names.
    pub at: Option<Location>,
    /// Whether the line may contain a secret and must not be shown.
    pub is_secret: bool,
}

/// One or more failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failures(Vec<Failure>);

impl Value {
    /// Creates a string.
    pub fn text(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// Resolves a scalar of a template by the rules of YAML 1.1: `Yes` is true, and `010` is 8.
    /// Returns `None` for lists and maps.
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

    /// Returns a scalar as a string, converted like CloudFormation does: `true`, `1.5`. `None` for
    /// lists, maps, null and unknown values.
    pub fn as_text(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Number(value) => Some(value.to_string()),
            Self::String(text) => Some(text.clone()),
            Self::Null | Self::List(_) | Self::Map(_) | Self::Unknown(_) | Self::NoValue => None,
        }
    }

    /// Returns everything unknown in the value at any depth; `None` if all of it is known.
    pub fn unknown(&self) -> Option<Unknown> {
        match self {
            Self::Unknown(unknown) => Some(unknown.clone()),
            Self::List(items) => Unknown::all(items.iter().filter_map(Self::unknown)),
            Self::Map(entries) => Unknown::all(entries.values().filter_map(Self::unknown)),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::NoValue => None,
        }
    }

    /// Returns the approximate memory usage in bytes.
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

    /// Converts to JSON, with unknown values as `{"Unknown": "<why>"}`; a lone `AWS::NoValue` is
    /// null.
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

    /// Returns the kind of value in words for a message.
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

/// Returns a scalar of a template as a string, converted like CloudFormation does: `true` for
/// `Yes`, `8` for `010`. Empty for null, lists and maps.
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
    /// Creates an unknown value that AWS knows: `availability zones of us-east-1`.
    pub fn asked(what: impl Into<String>) -> Self {
        Self {
            reasons: BTreeSet::from([UnknownReason {
                until: KnownWhen::Asked,
                what: what.into(),
            }]),
            form: UnknownForm::Any,
        }
    }

    /// Creates an unknown value that isn't known before the launch: `attribute Arn of Queue`.
    pub fn launched(what: impl Into<String>) -> Self {
        Self {
            reasons: BTreeSet::from([UnknownReason {
                until: KnownWhen::Launched,
                what: what.into(),
            }]),
            form: UnknownForm::Any,
        }
    }

    /// Combines several; `None` if there are none.
    pub fn all(unknowns: impl IntoIterator<Item = Self>) -> Option<Self> {
        unknowns.into_iter().reduce(Self::and)
    }

    /// Combines two. The combination may have any form, unless they have the same.
    pub fn and(mut self, other: Self) -> Self {
        if self != other {
            self.form = UnknownForm::Any;
        }
        self.reasons.extend(other.reasons);
        self
    }

    /// Returns the same unknown value with this form.
    pub fn with_form(self, form: UnknownForm) -> Self {
        Self { form, ..self }
    }

    /// Returns the same unknown value, which is a string like this example.
    pub fn like(self, example: impl Into<String>) -> Self {
        self.with_form(UnknownForm::Like(example.into()))
    }

    /// Returns the same unknown value, which isn't empty.
    pub fn non_empty(self) -> Self {
        match self.form {
            UnknownForm::Any => self.with_form(UnknownForm::NonEmpty),
            _ => self,
        }
    }

    /// Returns what is known about the value.
    pub fn form(&self) -> &UnknownForm {
        &self.form
    }

    /// Returns a string like the value, if it is known well enough.
    pub fn example(&self) -> Option<&str> {
        match &self.form {
            UnknownForm::Like(example) => Some(example),
            UnknownForm::Any | UnknownForm::NonEmpty | UnknownForm::Zones(_) => None,
        }
    }

    /// Returns the items of the value, read as a comma-separated list; `None` if their number isn't
    /// known.
    pub fn items(&self) -> Option<Vec<Value>> {
        let items = self.example()?.split(',').map(str::trim);
        Some(items.map(|item| self.clone().like(item).into()).collect())
    }

    /// Returns whether AWS knows the value already.
    pub fn needs_aws(&self) -> bool {
        self.reasons
            .iter()
            .any(|reason| reason.until == KnownWhen::Asked)
    }

    /// Returns an unknown value that depends on this one, with its own description. AWS knows it as
    /// soon as AWS knows one of the reasons.
    pub fn renamed(&self, what: impl Into<String>) -> Self {
        if self.needs_aws() {
            Self::asked(what)
        } else {
            Self::launched(what)
        }
    }

    /// Returns the reasons in order, each once.
    pub fn reasons(&self) -> impl Iterator<Item = &UnknownReason> {
        self.reasons.iter()
    }
}

/// The form of a string that is put together from known and unknown parts.
#[derive(Debug, Default)]
pub struct ConcatenatedForm {
    example: String,
    has_no_example: bool,
    is_non_empty: bool,
}

impl ConcatenatedForm {
    /// Appends a known part.
    pub fn push(&mut self, text: &str) {
        self.is_non_empty |= !text.is_empty();
        if !self.has_no_example && self.example.len() + text.len() <= MAX_EXAMPLE {
            self.example.push_str(text);
        } else {
            self.has_no_example = true;
        }
    }

    /// Appends an unknown part.
    pub fn push_unknown(&mut self, unknown: &Unknown) {
        match unknown.form() {
            UnknownForm::Like(example) => self.push(example),
            form => {
                self.has_no_example = true;
                self.is_non_empty |= *form != UnknownForm::Any;
            }
        }
    }

    /// Returns the form of the whole.
    pub fn finish(self) -> UnknownForm {
        match (self.has_no_example, self.is_non_empty) {
            (false, _) => UnknownForm::Like(self.example),
            (true, true) => UnknownForm::NonEmpty,
            (true, false) => UnknownForm::Any,
        }
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
    /// Combines several; `None` if there are none.
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

/// Formats as `file:line:column: message`, like a diagnostic.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// Combines results: all values, or all failures.
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
