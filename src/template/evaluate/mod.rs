//! Evaluates a template with parameter values in an environment, like CloudFormation.
//!
//! Evaluation is lazy: it skips what a condition excludes. Each expression results in a value, a
//! [`Failure`] with CloudFormation's message, or an [`Unknown`] with its reasons. A failure that
//! depends on something unknown is an [`UndecidedFailure`]. An [`EvaluationEnvironment`] provides
//! what isn't in the template; `plan` and the simulator have their own. Nothing here does I/O.
//!
//! - `parameters`: checks values against their declarations
//! - `conditions`, `rules`, `resources`, `outputs`: the sections
//! - `nested`: nested stacks
//! - `function`: the intrinsic functions

mod conditions;
mod dynamic_references;
mod environment;
mod examples;
pub(super) mod function;
mod nested;
mod outputs;
mod parameters;
mod resources;
mod rules;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use indexmap::IndexMap;

use self::dynamic_references::MisplacedSecret;
use super::Template;
use super::assumption::Assumption;
use super::expression::{Function, FunctionCall};
use super::macros::{Expanded, Macros};
use super::value::{
    Evaluated, Failure, FailureNote, Failures, NestingStack, Unknown, Value, together,
};
use crate::diagnostic::{Location, Position};
use crate::yaml::{self, Node};

pub use dynamic_references::StoredReference;
pub use environment::{
    EvaluationEnvironment, HidingSecrets, NestedTemplate, OfflineEnvironment, unknown_zones,
};
pub(super) use nested::{Ancestor, MAX_NESTED};

/// Limit of what one evaluation may produce, in bytes of text and [`VALUE`]s, nested stacks
/// included. The largest real projects need a fraction of a percent; a template that expands
/// exponentially soon reaches it.
const BUDGET: usize = 64 << 20;

/// The cost of a value besides its text. Less than the memory it takes, since most values are
/// short-lived.
const VALUE: usize = 16;

/// Maximum depth of nested expressions, conditions and nested stacks, counted together.
const MAX_DEPTH: usize = 250;

/// The region, account and name of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEnvironment {
    /// The region, such as `eu-west-1`.
    pub region: String,
    /// The partition: `aws`, `aws-cn`.
    pub partition: String,
    /// The value of `AWS::URLSuffix`.
    pub url_suffix: String,
    /// The account's 12-digit ID; `None` if unknown.
    pub account_id: Option<String>,
    /// The stack's name; `None` if unknown.
    pub stack_name: Option<String>,
    /// The stack's ARN; `None` before the launch.
    pub stack_id: Option<String>,
    /// The ARNs of the topics that get the stack's notifications.
    pub notification_arns: Vec<String>,
}

/// A parameter's value as passed to `CreateStack`, and where it was set.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterValue {
    /// A string (a list's items joined with commas), or unknown.
    pub value: Value,
    /// Notes for failures, such as `parameter InstanceType is set here`: the nearest location
    /// first, followed by those that the value came from.
    pub set: Vec<FailureNote>,
}

/// Parameter values by name.
pub type ParameterValues = IndexMap<String, ParameterValue>;

/// The result of evaluating a template.
#[derive(Clone, Debug, Default)]
pub struct EvaluatedStack {
    /// [`Template::relative`]; empty for a stack without a template.
    pub template: String,
    /// Declared parameters in the template's order: strings, lists or unknown. Those without a
    /// value are left out.
    pub parameters: IndexMap<String, Value>,
    /// The values of the conditions, in the template's order.
    pub conditions: IndexMap<String, ConditionValue>,
    /// The resources that exist or may exist, by logical ID; those whose condition is false are
    /// left out.
    pub resources: IndexMap<String, EvaluatedResource>,
    /// The outputs that exist or may exist, by logical ID.
    pub outputs: IndexMap<String, EvaluatedOutput>,
    /// Everything that CloudFormation would refuse, including nested stacks, in the order in which
    /// CloudFormation reports it.
    pub failures: Vec<Failure>,
    /// Failures that depend on something unknown.
    pub undecided: Vec<UndecidedFailure>,
    /// Macros that may change anything in the template.
    pub rewritten_by: Option<Unknown>,
    /// All macros in this template that only AWS can run, not those of nested stacks.
    pub macros_of_aws: Option<Unknown>,
    /// What is unknown because of the template's transforms.
    pub(in crate::template) macros: Macros,
}

/// An evaluated resource.
#[derive(Clone, Debug)]
pub struct EvaluatedResource {
    /// The type, such as `AWS::SNS::Topic`.
    pub kind: String,
    /// Position of the logical ID.
    pub at: Location,
    /// Whether the resource exists: true or unknown.
    pub exists: ConditionValue,
    /// The evaluated entry: `Type`, `Properties`, `DependsOn`, `DeletionPolicy` and so on, but not
    /// `Condition`. Members that failed are left out.
    pub body: IndexMap<String, Value>,
    /// Whether the entry has `Properties`, even if they failed.
    pub has_properties: bool,
    /// The evaluated nested stack, if the resource is an `AWS::CloudFormation::Stack` with a known
    /// template.
    pub nested: Option<Rc<EvaluatedStack>>,
}

/// An evaluated output.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluatedOutput {
    /// Whether the output exists: true or unknown.
    pub exists: ConditionValue,
    /// The evaluated `Value`, `Export` and `Description`. Members that failed are left out.
    pub body: IndexMap<String, Value>,
}

/// The value of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConditionValue {
    /// The condition is true.
    True,
    /// The condition is false.
    False,
    /// The value isn't known.
    Unknown(Unknown),
}

/// The part of a template that an expression belongs to, which determines how functions behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EvaluationScope {
    /// Resources, outputs and the arguments of transforms.
    Stack,
    /// `Conditions`, where resources and other stacks aren't available.
    Condition,
    /// `Rules`: like conditions, with additional functions.
    Rule,
}

impl EvaluationScope {
    /// Returns whether the expression belongs to a condition or a rule.
    pub(super) fn is_condition(self) -> bool {
        self != Self::Stack
    }
}

/// A failure that depends on something unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndecidedFailure {
    /// What isn't known.
    pub unknown: Unknown,
    /// What fails or may fail, such as `Template error: Unable to get mapping for …`, or what can't
    /// be checked.
    pub failure: Failure,
    /// What must hold so that it doesn't fail; `None` if it certainly fails in a part of the
    /// template that depends on something unknown.
    pub unless: Option<Assumption>,
}

/// A template during evaluation. Functions use it to evaluate their arguments.
pub struct Evaluator<'a> {
    pub(in crate::template) template: &'a Template,
    /// The template's tree after its transforms.
    pub(in crate::template) root: Cow<'a, Node>,
    pub(in crate::template) place: &'a StackEnvironment,
    pub(in crate::template) environment: &'a dyn EvaluationEnvironment,
    pub(in crate::template) macros: Macros,
    pub(in crate::template) parameters: IndexMap<String, Value>,
    /// Where each parameter was set.
    set: HashMap<String, Vec<FailureNote>>,
    /// The index of each entry of a section, by name; the last one of duplicates.
    entries: SectionEntries,
    /// Failures found before evaluation: parameters, transforms.
    pub(in crate::template) early: Vec<Failure>,
    conditions: RefCell<HashMap<String, conditions::ConditionState>>,
    /// Conditions whose evaluation isn't finished; a reference to one of them is circular.
    begun_conditions: RefCell<Vec<String>>,
    nested: RefCell<HashMap<String, Option<Rc<EvaluatedStack>>>>,
    /// The templates that nest this one, outermost first.
    ancestors: Vec<Ancestor>,
    pub(in crate::template) undecided: RefCell<Vec<UndecidedFailure>>,
    /// Misplaced secure strings in resources that certainly exist.
    misplaced: RefCell<Vec<MisplacedSecret>>,
    bounds: Rc<EvaluationLimits>,
}

/// Index of an entry in its section, by the section's name and the entry's.
type SectionEntries = HashMap<&'static str, HashMap<Box<str>, usize>>;

/// Limits that keep a hostile template from using all time, memory or stack. Shared with nested
/// stacks.
pub(in crate::template) struct EvaluationLimits {
    spent: Cell<usize>,
    depth: Cell<usize>,
    /// Number of nested stacks evaluated so far.
    stacks: Cell<usize>,
    evaluate_nested: EvaluateNested,
}

/// Evaluates a nested stack, including its transforms; passed in, since evaluating a whole template
/// belongs to a module above this one. Returns `None` for a template that nests itself with the
/// same parameters.
pub(in crate::template) type EvaluateNested = fn(
    template: &Template,
    place: &StackEnvironment,
    parameter_values: &ParameterValues,
    world: &dyn EvaluationEnvironment,
    limits: Rc<EvaluationLimits>,
    ancestors: Vec<Ancestor>,
) -> Option<EvaluatedStack>;

impl EvaluationLimits {
    pub(in crate::template) fn new(evaluate_nested: EvaluateNested) -> Self {
        Self {
            spent: Cell::default(),
            depth: Cell::default(),
            stacks: Cell::default(),
            evaluate_nested,
        }
    }
}

impl StackEnvironment {
    /// Creates the environment of a stack that doesn't exist yet, in an unknown account.
    pub fn new(region: &str, partition: &str, url_suffix: &str) -> Self {
        Self {
            region: region.to_owned(),
            partition: partition.to_owned(),
            url_suffix: url_suffix.to_owned(),
            account_id: None,
            stack_name: None,
            stack_id: None,
            notification_arns: Vec::new(),
        }
    }
}

impl<'a> Evaluator<'a> {
    /// Creates the evaluator of a template as written, which its transforms use. `limits` are those
    /// of the outermost stack, and `ancestors` the templates around this one.
    pub(in crate::template) fn of_written(
        template: &'a Template,
        place: &'a StackEnvironment,
        parameter_values: &ParameterValues,
        world: &'a dyn EvaluationEnvironment,
        limits: Rc<EvaluationLimits>,
        ancestors: Vec<Ancestor>,
    ) -> Self {
        let set = parameter_values.iter();
        let mut evaluator = Self {
            template,
            root: Cow::Borrowed(&template.root),
            place,
            environment: world,
            macros: Macros::of(&template.root),
            parameters: IndexMap::new(),
            set: set
                .map(|(key, given)| (key.clone(), given.set.clone()))
                .collect(),
            entries: entries_of(&template.root),
            early: Vec::new(),
            conditions: RefCell::default(),
            begun_conditions: RefCell::default(),
            nested: RefCell::default(),
            ancestors,
            undecided: RefCell::default(),
            misplaced: RefCell::default(),
            bounds: limits,
        };
        evaluator.take_parameters(parameter_values);
        evaluator
    }

    /// Creates the evaluator of the transformed tree. Conditions and nested stacks that the
    /// transforms evaluated belong to the original template and aren't kept.
    pub(in crate::template) fn of_expanded(self, expanded: Expanded) -> Self {
        let root = expanded.root.map_or(self.root, Cow::Owned);
        let mut early = self.early;
        early.extend(expanded.failures);
        Self {
            template: self.template,
            entries: entries_of(&root),
            root,
            place: self.place,
            environment: self.environment,
            macros: expanded.macros,
            parameters: self.parameters,
            set: self.set,
            early,
            conditions: RefCell::default(),
            begun_conditions: RefCell::default(),
            nested: RefCell::default(),
            ancestors: self.ancestors,
            undecided: self.undecided,
            misplaced: RefCell::default(),
            bounds: self.bounds,
        }
    }

    /// Returns the template after its transforms as JSON, or `None` if it has none. Functions that
    /// require AWS::LanguageExtensions are replaced by their values, if those are known.
    pub fn processed(&self) -> Option<serde_json::Value> {
        if !self.macros.are_any() && matches!(self.root, Cow::Borrowed(_)) {
            return None;
        }
        let sections = self
            .root
            .entries()
            .iter()
            .filter(|(key, _)| &*key.text != "Transform");
        Some(
            sections
                .map(|(key, section)| (key.text.to_string(), self.processed_node(section)))
                .collect(),
        )
    }

    fn processed_node(&self, node: &Node) -> serde_json::Value {
        const EXTENSIONS: [Function; 3] = [
            Function::FindInMap,
            Function::Length,
            Function::ToJsonString,
        ];
        let is_extension = |call: FunctionCall| {
            call.function
                .is_some_and(|function| EXTENSIONS.contains(&function))
        };
        if self.macros.has_language_extensions()
            && FunctionCall::of(node).is_some_and(is_extension)
            && let Ok(value) = self.value(node, EvaluationScope::Stack)
            && value.unknown().is_none()
        {
            return value.to_json();
        }
        match &node.value {
            yaml::NodeValue::Sequence(items) => {
                items.iter().map(|item| self.processed_node(item)).collect()
            }
            yaml::NodeValue::Mapping(entries) => entries
                .iter()
                .map(|(key, value)| (key.text.to_string(), self.processed_node(value)))
                .collect(),
            _ => node.to_json(),
        }
    }

    /// Returns a section's entries after transforms.
    pub(in crate::template) fn section(&self, name: &str) -> &[(Node, Node)] {
        self.root.get(name).map_or(&[], Node::entries)
    }

    /// Returns a section's entry with its key.
    pub(in crate::template) fn entry(&self, section: &str, key: &str) -> Option<(&Node, &Node)> {
        let index = *self.entries.get(section)?.get(key)?;
        self.section(section)
            .get(index)
            .map(|(key, entry)| (key, entry))
    }

    /// Evaluates an expression; returns all failures in it, not only the first.
    pub(in crate::template) fn value(&self, node: &Node, scope: EvaluationScope) -> Evaluated {
        let _deeper = self.deeper(node.at)?;
        self.spend(VALUE + node.text.len(), node.at)?;
        if let Some(scalar) = Value::of_scalar(node) {
            return Ok(scalar);
        }
        Ok(match &node.value {
            yaml::NodeValue::Sequence(items) => Value::List(self.list(items, scope)?),
            yaml::NodeValue::Mapping(entries) => match FunctionCall::of_value(node) {
                Some(call) => function::apply(self, &call, scope)?,
                None => Value::Map(self.map(entries, scope)?),
            },
            _ => Value::Null,
        })
    }

    /// Evaluates the items of a list and drops those that are `AWS::NoValue`.
    fn list(&self, items: &[Node], scope: EvaluationScope) -> Result<Vec<Value>, Failures> {
        let mut values = together(items.iter().map(|item| self.value(item, scope)))?;
        values.retain(|value| *value != Value::NoValue);
        Ok(values)
    }

    fn map(
        &self,
        entries: &[(Node, Node)],
        scope: EvaluationScope,
    ) -> Result<IndexMap<String, Value>, Failures> {
        let value =
            |(key, node): &(Node, Node)| Ok((key.text.to_string(), self.value(node, scope)?));
        let values = together(entries.iter().map(value))?;
        Ok(values
            .into_iter()
            .filter(|(_, value)| *value != Value::NoValue)
            .collect())
    }

    pub(in crate::template) fn location(&self, at: Position) -> Location {
        self.template.location(at)
    }

    pub(in crate::template) fn failure(&self, at: Position, message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            at: self.location(at),
            nested_in: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(in crate::template) fn fail(&self, at: Position, message: impl Into<String>) -> Failures {
        self.failure(at, message).into()
    }

    /// Records a failure that depends on something unknown.
    pub(in crate::template) fn undecided(&self, unknown: &Unknown, failure: Failure) {
        self.undecided.borrow_mut().push(UndecidedFailure {
            unknown: unknown.clone(),
            failure,
            unless: None,
        });
    }

    /// Records a failure that depends on whether an assumption about something unknown holds.
    pub(in crate::template) fn assumed(
        &self,
        unknown: &Unknown,
        failure: Failure,
        assumption: Assumption,
    ) {
        self.undecided.borrow_mut().push(UndecidedFailure {
            unknown: unknown.clone(),
            failure,
            unless: Some(assumption),
        });
    }

    /// Records a failure unless an unknown value meets a requirement.
    pub(in crate::template) fn required(
        &self,
        unknown: &Unknown,
        failure: Failure,
        requirement: String,
    ) {
        self.assumed(unknown, failure, Assumption::Value { requirement });
    }

    /// Counts produced text and values against the limit.
    pub(in crate::template) fn spend(&self, amount: usize, at: Position) -> Result<(), Failures> {
        let spent = self.bounds.spent.get().saturating_add(amount);
        self.bounds.spent.set(spent);
        if spent > BUDGET {
            Err(self.fail(at, "template expansion exceeds the limit of 64 MiB"))
        } else {
            Ok(())
        }
    }

    /// Counts a level of nesting until the guard is dropped.
    fn deeper(&self, at: Position) -> Result<DepthGuard, Failures> {
        let depth = self.bounds.depth.get();
        if depth >= MAX_DEPTH {
            return Err(self.fail(
                at,
                format!("expressions nest deeper than {MAX_DEPTH} levels"),
            ));
        }
        self.bounds.depth.set(depth + 1);
        Ok(DepthGuard(self.bounds.clone()))
    }
}

/// Returns the entries of the sections that are accessed by name.
fn entries_of(root: &Node) -> SectionEntries {
    let entries = |section| {
        let keys = root
            .get(section)
            .map_or(&[][..], Node::entries)
            .iter()
            .map(|(key, _)| key)
            .enumerate();
        let keys = keys
            .filter(|(_, key)| key.is_scalar())
            .map(|(index, key)| (key.text.clone(), index));
        (section, keys.collect())
    };
    ["Conditions", "Mappings", "Resources"].map(entries).into()
}

struct DepthGuard(Rc<EvaluationLimits>);

impl Drop for DepthGuard {
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() - 1);
    }
}

impl EvaluatedStack {
    /// Turns all failures into undecided ones.
    pub(in crate::template) fn hang_on(&mut self, unknown: &Unknown) {
        let failures = self.failures.drain(..);
        self.undecided
            .extend(failures.map(|failure| UndecidedFailure {
                unknown: unknown.clone(),
                failure,
                unless: None,
            }));
    }

    /// Returns macros that may change the resources, if there are any.
    pub fn doubt(&self) -> Option<Unknown> {
        self.macros.doubt()
    }

    /// Returns whether the template uses the Serverless Application Model.
    pub fn is_serverless(&self) -> bool {
        self.macros.is_serverless()
    }

    /// Prepends the nested stack to the path of every failure.
    fn nest_in(&mut self, nested_in: &NestingStack) {
        let undecided = self
            .undecided
            .iter_mut()
            .map(|undecided| &mut undecided.failure);
        for failure in self.failures.iter_mut().chain(undecided) {
            failure.nested_in.insert(0, nested_in.clone());
        }
    }
}

#[cfg(test)]
pub(in crate::template) mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::template::{Templates, evaluate, sections};

    pub fn template(text: &str) -> Template {
        let file: Arc<Path> = Arc::from(Path::new("t.yaml"));
        let (template, diagnostics) =
            sections::template(yaml::parse(&file, text), &file, "t.yaml".to_owned());
        template.unwrap_or_else(|| panic!("{diagnostics:?}\n{text}"))
    }

    pub fn place(region: &str) -> StackEnvironment {
        let (partition, url_suffix) = if region.starts_with("cn-") {
            ("aws-cn", "amazonaws.com.cn")
        } else {
            ("aws", "amazonaws.com")
        };
        StackEnvironment {
            stack_name: Some("stack".to_owned()),
            ..StackEnvironment::new(region, partition, url_suffix)
        }
    }

    pub fn parameter_values(parameters: &[(&str, &str)]) -> ParameterValues {
        let given = |value: &str| ParameterValue {
            value: Value::text(value),
            set: Vec::new(),
        };
        parameters
            .iter()
            .map(|(key, value)| ((*key).to_owned(), given(value)))
            .collect()
    }

    /// Evaluates a template in a region with these parameters, offline.
    pub fn stack(text: &str, region: &str, parameters: &[(&str, &str)]) -> EvaluatedStack {
        let templates = Templates::default();
        evaluate(
            &template(text),
            &place(region),
            &parameter_values(parameters),
            &OfflineEnvironment(&templates),
        )
    }

    /// Returns the failures as `line: message`.
    pub fn said(stack: &EvaluatedStack) -> Vec<String> {
        stack
            .failures
            .iter()
            .map(|it| format!("{}: {}", it.at.at.line, it.message))
            .collect()
    }

    #[test]
    fn entries_excluded_by_conditions_are_left_out() {
        let text = "
Parameters: {Env: {Type: String, Default: prod}}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsDev: !Not [!Condition IsProd]
  IsOurs: !Equals [!Ref AWS::AccountId, '123456789012']
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !If [IsProd, !Ref Env, !Ref Dev]}}
  Dev: {Type: AWS::SNS::Topic, Condition: IsDev, Properties: {TopicName: !GetAtt Dev}}
  Ours: {Type: AWS::SNS::Topic, Condition: IsOurs, Properties: {TopicName: !GetAtt Queue.QueueName}}
Outputs:
  Name: {Value: !GetAtt Queue.QueueName}
  Dev: {Condition: IsDev, Value: !Ref Dev}
";
        let stack = stack(text, "us-east-1", &[]);
        assert_eq!(said(&stack), [""; 0]);
        let ours = ConditionValue::Unknown(Unknown::asked("AWS::AccountId"));
        assert_eq!(stack.conditions["IsProd"], ConditionValue::True);
        assert_eq!(stack.conditions["IsDev"], ConditionValue::False);
        assert_eq!(stack.conditions["IsOurs"], ours);
        let resources: Vec<_> = stack
            .resources
            .iter()
            .map(|(id, it)| (id.as_str(), it.exists.clone()))
            .collect();
        assert_eq!(resources, [("Queue", ConditionValue::True), ("Ours", ours)]);
        assert_eq!(
            stack.resources["Queue"].properties().unwrap()["QueueName"],
            Value::text("prod")
        );
        assert_eq!(stack.outputs.len(), 1);
        assert_eq!(
            stack.outputs["Name"].value().unwrap().to_json()["Unknown"],
            "attribute QueueName of Queue"
        );
    }

    #[test]
    fn all_failures_are_reported_and_those_that_depend_on_something_unknown_are_undecided() {
        let text = "
Conditions:
  IsOurs: !Equals [!Ref AWS::AccountId, '123456789012']
  A: !Not [!Equals [a]]
  B: !Condition A
Resources:
  One: {Type: AWS::SNS::Topic, Properties: {TopicName: !GetAtt One, DisplayName: [!GetAtt Two, !If \
  [IsOurs, !GetAtt Three, x]]}}
  Two: {Type: AWS::SNS::Topic, Condition: IsOurs, Properties: {TopicName: !GetAtt Four}}
";
        let stack = stack(text, "us-east-1", &[]);
        let malformed = "Template error: every Fn::GetAtt object requires two non-empty \
            parameters, the resource name and \
                         the resource attribute";
        assert_eq!(
            said(&stack),
            [
                "4: Template error: every Fn::Equals object requires a list of 2 string \
                 parameters."
                    .to_owned(),
                format!("7: {malformed}"),
                format!("7: {malformed}"),
            ]
        );
        let undecided: Vec<_> = stack
            .undecided
            .iter()
            .map(|it| (&*it.failure.message, it.unknown.to_string()))
            .collect();
        let account = "AWS::AccountId".to_owned();
        assert_eq!(
            undecided,
            [(malformed, account.clone()), (malformed, account)]
        );
    }
}
