//! Evaluates a template with the values of its parameters, as far as that is possible before
//! anything is created.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use super::world::{
    ExternalReferences, NO_EXPORT, StackWorld, Visibility, is_failed_transform,
    is_unsupported_attribute,
};
use crate::catalog;
use crate::diagnostic::Position;
use crate::mask::MASK;
use crate::simulator::cloudformation::error::{error, invalid};
use crate::simulator::cloudformation::resource::{self, Capability};
use crate::simulator::cloudformation::state::CloudFormationState;
use crate::simulator::cloudformation::state::parsed_template::ParsedTemplate;
use crate::simulator::cloudformation::state::revision::{
    AcceptedRevision, Revision, StackParameter,
};
use crate::simulator::cloudformation::state::settings::StackNumber;
use crate::simulator::cloudformation::state::stack::StackRecord;
use crate::simulator::error::ServiceError;
use crate::simulator::{Caller, Cloud};
use crate::template::{
    self, Evaluator, Failure, ParameterValue, ParameterValues, StackEnvironment, Template, Unknown,
    Value, is_function_key,
};
use crate::yaml::Node;

/// An evaluated revision that CloudFormation would accept.
pub(crate) struct EvaluatedRevision {
    pub revision: Revision,
    pub stack: template::EvaluatedStack,
    /// Why the stack fails as soon as its operation begins.
    pub failure: Option<String>,
}

impl EvaluatedRevision {
    /// Returns the type of each resource.
    pub(crate) fn resource_types(&self) -> impl Iterator<Item = &str> {
        self.stack
            .resources
            .values()
            .map(|resource| &*resource.kind)
    }

    /// Returns the revision for an operation.
    pub(crate) fn accept(self) -> AcceptedRevision {
        AcceptedRevision {
            revision: self.revision,
            failure: self.failure,
            imports: BTreeMap::new(),
        }
    }
}

/// The stack that a revision is for.
#[derive(Clone, Copy)]
pub(crate) struct RevisionTarget<'a> {
    pub caller: &'a Caller,
    pub name: &'a str,
    pub id: &'a str,
    pub notification_arns: &'a [String],
    /// None if the stack doesn't exist yet.
    pub number: Option<StackNumber>,
}

/// Evaluates a template against the stack as it is now.
///
/// # Errors
/// Fails if CloudFormation would refuse the call: for errors in the template, invalid values, types
/// that the region doesn't have, or missing capabilities.
pub(crate) fn evaluate_revision(
    cloud: &Cloud,
    state: &CloudFormationState,
    target: RevisionTarget,
    source: &Arc<ParsedTemplate>,
    parameter_values: IndexMap<String, String>,
    capabilities: &[String],
) -> Result<EvaluatedRevision, ServiceError> {
    let stack = target.number.map(|number| state.stack(number));
    let world = stack_world(cloud, state, target.caller, &source.template, stack, None);
    evaluate_in_world(world, target, source, parameter_values, capabilities)
}

/// Does what [`evaluate_revision`] does for a nested stack. `made_up` are the parameters whose
/// values the simulator made up.
///
/// # Errors
/// Fails as [`evaluate_revision`] does.
pub(crate) fn evaluate_nested_revision(
    cloud: &Cloud,
    state: &CloudFormationState,
    target: RevisionTarget,
    source: &Arc<ParsedTemplate>,
    parameter_values: IndexMap<String, String>,
    made_up: &BTreeSet<String>,
    capabilities: &[String],
) -> Result<EvaluatedRevision, ServiceError> {
    let stack = target.number.map(|number| state.stack(number));
    let world = stack_world(cloud, state, target.caller, &source.template, stack, None);
    let world = StackWorld {
        is_nested: true,
        made_up: Cow::Borrowed(made_up),
        ..world
    };
    evaluate_in_world(world, target, source, parameter_values, capabilities)
}

fn evaluate_in_world(
    world: StackWorld,
    target: RevisionTarget,
    source: &Arc<ParsedTemplate>,
    parameter_values: IndexMap<String, String>,
    capabilities: &[String],
) -> Result<EvaluatedRevision, ServiceError> {
    let template = &source.template;
    let environment = stack_environment(
        target.caller,
        target.name,
        target.id,
        target.notification_arns,
    );
    let evaluator = template::evaluator(
        template,
        &environment,
        &evaluator_parameters(&parameter_values, &world),
        &world,
    );
    let depends_on = depends_on(&evaluator);
    let mut evaluated = template::evaluated_stack(evaluator);
    let made_up = world.made_up.clone().into_owned();
    let ExternalReferences {
        ssm_values,
        imports,
    } = world.references.take();
    if !evaluated.failures.is_empty() {
        let visibility = Visibility {
            hides_made_up: true,
            ..world.visibility
        };
        let world = StackWorld {
            visibility,
            ..world
        };
        let evaluator = template::evaluator(
            template,
            &environment,
            &evaluator_parameters(&parameter_values, &world),
            &world,
        );
        evaluated.failures = template::evaluated_stack(evaluator).failures;
    }
    check_macros(&evaluated)?;
    let failure = check_failures(&evaluated.failures, &template.root)?;
    check_types(&evaluated, &target.caller.region)?;
    check_capabilities(&evaluated, template, capabilities)?;
    let parameters = stack_parameters(template, &parameter_values, &ssm_values);
    let revision = Revision {
        source: source.clone(),
        parameter_values,
        made_up,
        parameters,
        ssm_values,
        depends_on,
        imports,
    };
    Ok(EvaluatedRevision {
        revision,
        stack: evaluated,
        failure,
    })
}

/// Returns an accepted revision, checked against the exports as they are now.
pub(crate) fn with_current_exports(
    cloud: &Cloud,
    state: &CloudFormationState,
    number: StackNumber,
    accepted: AcceptedRevision,
) -> AcceptedRevision {
    let stack = state.stack(number);
    let AcceptedRevision {
        mut revision,
        failure,
        imports: taken_over,
    } = accepted;
    let otherwise = failure.filter(|reason| !reason.starts_with(NO_EXPORT));
    let template = &revision.source.template;
    let (environment, world) = surroundings(cloud, state, stack, &revision);
    let evaluated = template::evaluate(
        template,
        &environment,
        &evaluator_parameters(&revision.parameter_values, &world),
        &world,
    );
    let missing = evaluated
        .failures
        .into_iter()
        .find(|it| it.message.starts_with(NO_EXPORT));
    let imports = world.references.take().imports;
    revision.imports = imports;
    AcceptedRevision {
        revision,
        failure: missing.map(|it| it.message).or(otherwise),
        imports: taken_over,
    }
}

/// Calls `ask` with the evaluator of a stack as it is now; returns none for a stack that has no
/// template yet.
pub(crate) fn evaluate_current<T>(
    cloud: &Cloud,
    state: &CloudFormationState,
    number: StackNumber,
    ask: impl FnOnce(&Evaluator) -> T,
) -> Option<T> {
    let revision = state.stack(number).revision.as_ref()?;
    Some(with_evaluator(
        cloud,
        state,
        number,
        revision,
        Visibility::default(),
        |evaluator| ask(&evaluator),
    ))
}

/// Does what [`evaluate_current`] does, with everything unknown that the simulator made up.
pub(crate) fn evaluate_without_made_up<T>(
    cloud: &Cloud,
    state: &CloudFormationState,
    number: StackNumber,
    ask: impl FnOnce(&Evaluator) -> T,
) -> Option<T> {
    let revision = state.stack(number).revision.as_ref()?;
    let visibility = Visibility {
        hides_made_up: true,
        ..Visibility::default()
    };
    Some(with_evaluator(
        cloud,
        state,
        number,
        revision,
        visibility,
        |evaluator| ask(&evaluator),
    ))
}

/// Does what [`evaluate_current`] does, but ignores failures that depend on made-up values: the
/// result then contains unknown values.
pub(crate) fn evaluate_leniently<T, F>(
    cloud: &Cloud,
    state: &CloudFormationState,
    number: StackNumber,
    ask: impl Fn(&Evaluator) -> Result<T, F>,
) -> Option<Result<T, F>> {
    match evaluate_current(cloud, state, number, &ask) {
        Some(Err(_)) => evaluate_without_made_up(cloud, state, number, ask),
        answer => answer,
    }
}

/// Returns the message of the first failure, of which there is one at least.
pub(crate) fn first_message(failures: Vec<Failure>) -> String {
    debug_assert!(
        !failures.is_empty(),
        "an evaluation failed without a failure"
    );
    let first = failures.into_iter().next();
    first.map_or_else(|| "Internal Failure".to_owned(), |failure| failure.message)
}

/// Calls `ask` with the evaluator of a revision that a stack has or may get.
pub(crate) fn with_evaluator<T>(
    cloud: &Cloud,
    state: &CloudFormationState,
    number: StackNumber,
    revision: &Revision,
    visibility: Visibility,
    ask: impl FnOnce(Evaluator) -> T,
) -> T {
    let stack = state.stack(number);
    let template = &revision.source.template;
    let (environment, world) = surroundings(cloud, state, stack, revision);
    let world = StackWorld {
        visibility,
        made_up: Cow::Borrowed(&revision.made_up),
        ..world
    };
    ask(template::evaluator(
        template,
        &environment,
        &evaluator_parameters(&revision.parameter_values, &world),
        &world,
    ))
}

/// Returns what the evaluation of a revision that a stack has or may get depends on.
fn surroundings<'a>(
    cloud: &'a Cloud,
    state: &'a CloudFormationState,
    stack: &'a StackRecord,
    revision: &'a Revision,
) -> (StackEnvironment, StackWorld<'a>) {
    let environment = stack_environment(
        &stack.owner,
        &stack.name,
        &stack.id,
        &stack.settings.notification_arns,
    );
    let world = stack_world(
        cloud,
        state,
        &stack.owner,
        &revision.source.template,
        Some(stack),
        Some(&revision.ssm_values),
    );
    (environment, world)
}

fn stack_world<'a>(
    cloud: &'a Cloud,
    state: &'a CloudFormationState,
    caller: &'a Caller,
    template: &'a Template,
    stack: Option<&'a StackRecord>,
    ssm_values: Option<&'a HashMap<String, String>>,
) -> StackWorld<'a> {
    let is_nested = stack.is_some_and(|stack| stack.nested_in.is_some());
    StackWorld {
        cloud,
        state,
        caller,
        template,
        stack,
        is_nested,
        made_up: Cow::Owned(BTreeSet::new()),
        visibility: Visibility::default(),
        ssm_values,
        references: RefCell::default(),
    }
}

fn stack_environment(
    caller: &Caller,
    name: &str,
    id: &str,
    notification_arns: &[String],
) -> StackEnvironment {
    let partition = catalog::partition_of(&caller.region);
    StackEnvironment {
        account_id: Some(caller.account.clone()),
        stack_name: Some(name.to_owned()),
        stack_id: Some(id.to_owned()),
        notification_arns: notification_arns.to_vec(),
        ..StackEnvironment::new(&caller.region, partition.name, partition.dns_suffix)
    }
}

fn evaluator_parameters(
    parameter_values: &IndexMap<String, String>,
    world: &StackWorld,
) -> ParameterValues {
    let one = |(key, value): (&String, &String)| {
        let is_hidden = world.visibility.hides_made_up && world.made_up.contains(key);
        let unknown = || Unknown::launched(format!("parameter {key}")).into();
        let value = if is_hidden {
            unknown()
        } else {
            Value::text(value.as_str())
        };
        (
            key.clone(),
            ParameterValue {
                value,
                set: Vec::new(),
            },
        )
    };
    parameter_values.iter().map(one).collect()
}

fn depends_on(evaluator: &Evaluator) -> IndexMap<String, Arc<[String]>> {
    let found = template::dependencies(evaluator).into_iter();
    found
        .map(|(id, on)| (id, on.into_iter().map(|dependency| dependency.on).collect()))
        .collect()
}

/// Returns the first failure as an error. Failures that CloudFormation reports only when the
/// operation begins are returned as a message: a failed macro, which may cause the other failures;
/// a missing export; an attribute that a type doesn't have.
fn check_failures(failures: &[Failure], root: &Node) -> Result<Option<String>, ServiceError> {
    let transform = failures
        .iter()
        .find(|failure| is_failed_transform(&failure.message));
    if let Some(failure) = transform {
        return Ok(Some(failure.message.clone()));
    }
    let is_deferred =
        |message: &str| message.starts_with(NO_EXPORT) || is_unsupported_attribute(message);
    match failures
        .iter()
        .find(|failure| !is_deferred(&failure.message))
    {
        Some(failure) => Err(invalid(failure.message.clone())),
        None => Ok(failures
            .first()
            .map(|failure| deferred_message(failure, root))),
    }
}

/// Returns the message of a failure that is reported when the operation begins; CloudFormation adds
/// the path of an unsupported attribute.
fn deferred_message(failure: &Failure, root: &Node) -> String {
    let message = &failure.message;
    match is_unsupported_attribute(message)
        .then(|| path_to(root, failure.at.at))
        .flatten()
    {
        Some(path) => format!("[Error] {path}: {message}"),
        None => message.clone(),
    }
}

/// Returns the path of keys and indexes to the innermost function at a position:
/// `/Outputs/Name/Value/Fn::GetAtt`.
fn path_to(node: &Node, at: Position) -> Option<String> {
    let step = |name: &str, node: &Node| path_to(node, at).map(|rest| format!("/{name}{rest}"));
    let below = match node.as_sequence() {
        Some(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| step(&index.to_string(), item)),
        None => node.entries().iter().find_map(|(key, value)| {
            if is_function_key(&key.text) && value.at == at {
                Some(format!("/{}", key.text))
            } else {
                step(&key.text, value)
            }
        }),
    };
    below.or_else(|| (node.at == at && node.is_scalar()).then(String::new))
}

const UNSUPPORTED_MACRO: &str = "the simulator can't run ";

/// Returns whether a template was refused only because the simulator has no macros.
pub(crate) fn is_unsupported_macro(message: &str) -> bool {
    message.starts_with(UNSUPPORTED_MACRO)
}

/// Macros are Lambda functions in an account, which the simulator can't run.
fn check_macros(stack: &template::EvaluatedStack) -> Result<(), ServiceError> {
    match &stack.macros_of_aws {
        Some(unknown) => Err(invalid(format!("{UNSUPPORTED_MACRO}{unknown}"))),
        None => Ok(()),
    }
}

fn check_types(stack: &template::EvaluatedStack, region: &str) -> Result<(), ServiceError> {
    let kinds = stack.resources.values().map(|it| it.kind.as_str());
    let mut unknown: Vec<&str> = kinds
        .filter(|kind| catalog::is_unrecognized(region, kind))
        .collect();
    unknown.dedup();
    match unknown.as_slice() {
        [] => Ok(()),
        kinds => Err(invalid(format!(
            "Template format error: Unrecognized resource types: [{}]",
            kinds.join(", ")
        ))),
    }
}

fn check_capabilities(
    stack: &template::EvaluatedStack,
    template: &Template,
    acknowledged: &[String],
) -> Result<(), ServiceError> {
    let has = |name: &str| acknowledged.iter().any(|found| found == name);
    let required = required_capabilities(stack, template);
    let missing = |name: &&str| match *name {
        "CAPABILITY_IAM" => !has("CAPABILITY_IAM") && !has("CAPABILITY_NAMED_IAM"),
        name => !has(name),
    };
    let missing: Vec<&str> = required.into_iter().filter(missing).collect();
    match missing.as_slice() {
        [] => Ok(()),
        names => Err(error(
            "InsufficientCapabilitiesException",
            format!("Requires capabilities : [{}]", names.join(", ")),
        )),
    }
}

/// Returns the capabilities that a stack of this template requires.
pub(crate) fn required_capabilities(
    stack: &template::EvaluatedStack,
    template: &Template,
) -> Vec<&'static str> {
    let needs = stack.resources.values().filter_map(|found| {
        resource::capability(&found.kind, |name| {
            found.properties().is_some_and(|set| set.contains_key(name))
        })
    });
    let mut required = Vec::new();
    match needs.reduce(|a, b| if a == Capability::NamedIam { a } else { b }) {
        Some(Capability::Iam) => required.push("CAPABILITY_IAM"),
        Some(Capability::NamedIam) => required.push("CAPABILITY_NAMED_IAM"),
        None => {}
    }
    if template.root.get("Transform").is_some() {
        required.push("CAPABILITY_AUTO_EXPAND");
    }
    required
}

fn stack_parameters(
    template: &Template,
    parameter_values: &IndexMap<String, String>,
    ssm_values: &HashMap<String, String>,
) -> Vec<StackParameter> {
    let one = |parameter: &template::TemplateParameter| {
        let value = parameter_values
            .get(&parameter.key)
            .cloned()
            .or_else(|| parameter.default_text())?;
        let is_stored = parameter.kind.starts_with("AWS::SSM::Parameter::Value<");
        let resolved = ssm_values.get(&value).filter(|_| is_stored).cloned();
        let hidden = |text: String| {
            if parameter.no_echo {
                MASK.to_owned()
            } else {
                text
            }
        };
        Some(StackParameter {
            key: parameter.key.clone(),
            value: hidden(value),
            resolved: resolved.map(hidden),
        })
    };
    template.parameters.iter().filter_map(one).collect()
}
