//! A template together with the values it was given, evaluated as far as it can be before anything
//! is made.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use super::request::{Request, Sent};
use super::resource::{self, Capability};
use super::source::Source;
use super::stack::{Stack, StackNumber};
use super::state::State;
use super::world::{
    NO_EXPORT, Noted, Sight, Surroundings, is_failed_transform, is_unsupported_attribute,
};
use super::{ServiceError, error, invalid};
use crate::catalog;
use crate::diagnostic::Position;
use crate::mask::MASK;
use crate::simulator::{Caller, Cloud};
use crate::template::{
    self, Evaluator, Failure, Given, Givens, Place, Template, Unknown, Value, is_function_key,
};
use crate::yaml::Node;

/// What a stack was last asked to be.
#[derive(Clone)]
pub struct Revision {
    pub source: Arc<Source>,
    /// Of the declared parameters, those that were given a value.
    pub given: IndexMap<String, String>,
    /// Those whose values the simulator made up for the parent.
    made_up: BTreeSet<String>,
    /// As DescribeStacks shows them.
    pub parameters: Vec<Shown>,
    /// SSM parameters' values when they were asked for.
    stored: HashMap<String, String>,
    /// The resources that exist, in the template's order, with what must be there before each.
    pub depends_on: IndexMap<String, Arc<[String]>>,
    pub imports: BTreeSet<String>,
}

#[derive(Clone)]
pub struct Shown {
    pub key: String,
    pub value: String,
    /// What the SSM parameter that it names holds.
    pub resolved: Option<String>,
}

/// A revision that would be accepted.
pub struct Foreseen {
    pub revision: Revision,
    pub stack: template::Stack,
    /// Why the stack as a whole fails as soon as it is begun.
    pub fails: Option<String>,
}

/// What is left of it once it is decided: a revision that is begun with.
#[derive(Clone)]
pub struct Begun {
    pub revision: Revision,
    /// As in [`Foreseen`].
    pub fails: Option<String>,
    /// Physical IDs of existing resources that are taken over instead of created, by logical IDs.
    pub imports: BTreeMap<String, String>,
}

impl Foreseen {
    pub fn begun(self) -> Begun {
        Begun {
            revision: self.revision,
            fails: self.fails,
            imports: BTreeMap::new(),
        }
    }
}

/// The stack that a revision is for.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub caller: &'a Caller,
    pub name: &'a str,
    pub id: &'a str,
    pub notification_arns: &'a [String],
    /// None before there is one.
    pub number: Option<StackNumber>,
}

/// What the values of parameters are, given what was sent and what the stack has.
///
/// # Errors
/// A value that was never given is to be used again.
pub fn given(
    request: &Request,
    previous: Option<&Revision>,
) -> Result<IndexMap<String, String>, ServiceError> {
    let value = |sent: Sent| {
        if sent.uses_previous && sent.value.is_some_and(|value| !value.is_empty()) {
            let message =
                "Cannot specify usePreviousValue as true and non empty value for a parameter";
            return Err(invalid(format!(
                "Invalid input for parameter key {}. {message}",
                sent.key
            )));
        }
        let value = match previous.and_then(|revision| revision.given.get(sent.key)) {
            Some(value) if sent.uses_previous => Some(value.clone()),
            // The default goes on to count.
            None if sent.uses_previous && previous.is_some() => None,
            _ if sent.uses_previous => {
                let message = format!(
                    "Invalid input for parameter key {}. Cannot specify usePreviousValue as true \
                     for a parameter key not in the previous template",
                    sent.key
                );
                return Err(invalid(message));
            }
            _ => Some(sent.value.unwrap_or_default().to_owned()),
        };
        Ok(value.map(|value| (sent.key.to_owned(), value)))
    };
    let sent = request
        .sent_parameters()
        .into_iter()
        .map(value)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(sent.into_iter().flatten().collect())
}

/// Evaluates what is asked for against the stack as it stands now.
///
/// # Errors
/// What CloudFormation refuses at once: mistakes in the template, values that aren't allowed, types
/// that the region hasn't, capabilities that aren't acknowledged.
pub fn foresee(
    cloud: &Cloud,
    state: &State,
    target: Target,
    source: &Arc<Source>,
    given: IndexMap<String, String>,
    capabilities: &[String],
) -> Result<Foreseen, ServiceError> {
    let stack = target.number.map(|number| state.stack(number));
    let surroundings = surroundings(cloud, state, target.caller, &source.template, stack, None);
    foresee_in(surroundings, target, source, given, capabilities)
}

/// [`foresee`] for a nested stack that is about to be created or updated. `made_up` are the
/// parameters whose values the simulator made up.
///
/// # Errors
/// As for [`foresee`].
pub fn foresee_nested(
    cloud: &Cloud,
    state: &State,
    target: Target,
    source: &Arc<Source>,
    given: IndexMap<String, String>,
    made_up: &BTreeSet<String>,
    capabilities: &[String],
) -> Result<Foreseen, ServiceError> {
    let stack = target.number.map(|number| state.stack(number));
    let surroundings = surroundings(cloud, state, target.caller, &source.template, stack, None);
    let surroundings = Surroundings {
        is_nested: true,
        made_up: Cow::Borrowed(made_up),
        ..surroundings
    };
    foresee_in(surroundings, target, source, given, capabilities)
}

fn foresee_in(
    surroundings: Surroundings,
    target: Target,
    source: &Arc<Source>,
    given: IndexMap<String, String>,
    capabilities: &[String],
) -> Result<Foreseen, ServiceError> {
    let template = &source.template;
    let place = place(
        target.caller,
        target.name,
        target.id,
        target.notification_arns,
    );
    let evaluator = Evaluator::new(
        template,
        &place,
        &givens(&given, &surroundings),
        &surroundings,
    );
    let depends_on = depends_on(&evaluator);
    let mut foreseen = evaluator.stack();
    let made_up = surroundings.made_up.clone().into_owned();
    let Noted { stored, imports } = surroundings.noted.take();
    if !foreseen.failures.is_empty() {
        let sight = Sight {
            hides_made_up: true,
            ..surroundings.sight
        };
        let surroundings = Surroundings {
            sight,
            ..surroundings
        };
        let evaluator = Evaluator::new(
            template,
            &place,
            &givens(&given, &surroundings),
            &surroundings,
        );
        foreseen.failures = evaluator.stack().failures;
    }
    refuse_macros(&foreseen)?;
    let fails = refuse(&foreseen.failures, &template.root)?;
    refuse_types(&foreseen, &target.caller.region)?;
    refuse_capabilities(&foreseen, template, capabilities)?;
    let parameters = shown(template, &given, &stored);
    let revision = Revision {
        source: source.clone(),
        given,
        made_up,
        parameters,
        stored,
        depends_on,
        imports,
    };
    Ok(Foreseen {
        revision,
        stack: foreseen,
        fails,
    })
}

/// A revision that was accepted before, with the exports as they are now.
pub fn with_exports(cloud: &Cloud, state: &State, number: StackNumber, begun: Begun) -> Begun {
    let stack = state.stack(number);
    let Begun {
        mut revision,
        fails,
        imports: taken_over,
    } = begun;
    let otherwise = fails.filter(|reason| !reason.starts_with(NO_EXPORT));
    let template = &revision.source.template;
    let place = place(
        &stack.owner,
        &stack.name,
        &stack.id,
        &stack.settings.notification_arns,
    );
    let surroundings = surroundings(
        cloud,
        state,
        &stack.owner,
        template,
        Some(stack),
        Some(&revision.stored),
    );
    let evaluated = Evaluator::new(
        template,
        &place,
        &givens(&revision.given, &surroundings),
        &surroundings,
    )
    .stack();
    let missing = evaluated
        .failures
        .into_iter()
        .find(|it| it.message.starts_with(NO_EXPORT));
    let imports = surroundings.noted.take().imports;
    revision.imports = imports;
    Begun {
        revision,
        fails: missing.map(|it| it.message).or(otherwise),
        imports: taken_over,
    }
}

/// Asks the evaluator of a stack as it is now; none for a stack that was never begun.
pub fn now<T>(
    cloud: &Cloud,
    state: &State,
    number: StackNumber,
    ask: impl FnOnce(&Evaluator) -> T,
) -> Option<T> {
    let revision = state.stack(number).revision.as_ref()?;
    Some(evaluate(
        cloud,
        state,
        number,
        revision,
        Sight::default(),
        |evaluator| ask(&evaluator),
    ))
}

/// The same where everything that the simulator makes up is unknown.
pub fn without_made_up<T>(
    cloud: &Cloud,
    state: &State,
    number: StackNumber,
    ask: impl FnOnce(&Evaluator) -> T,
) -> Option<T> {
    let revision = state.stack(number).revision.as_ref()?;
    let sight = Sight {
        hides_made_up: true,
        ..Sight::default()
    };
    Some(evaluate(
        cloud,
        state,
        number,
        revision,
        sight,
        |evaluator| ask(&evaluator),
    ))
}

/// The same, where a failure that hangs on something made up counts for nothing: the answer then
/// has unknown values.
pub fn certain<T, F>(
    cloud: &Cloud,
    state: &State,
    number: StackNumber,
    ask: impl Fn(&Evaluator) -> Result<T, F>,
) -> Option<Result<T, F>> {
    match now(cloud, state, number, &ask) {
        Some(Err(_)) => without_made_up(cloud, state, number, ask),
        answer => answer,
    }
}

/// Asks the evaluator of a revision that a stack has or may get.
pub fn evaluate<T>(
    cloud: &Cloud,
    state: &State,
    number: StackNumber,
    revision: &Revision,
    sight: Sight,
    ask: impl FnOnce(Evaluator) -> T,
) -> T {
    let stack = state.stack(number);
    let template = &revision.source.template;
    let place = place(
        &stack.owner,
        &stack.name,
        &stack.id,
        &stack.settings.notification_arns,
    );
    let surroundings = surroundings(
        cloud,
        state,
        &stack.owner,
        template,
        Some(stack),
        Some(&revision.stored),
    );
    let surroundings = Surroundings {
        sight,
        made_up: Cow::Borrowed(&revision.made_up),
        ..surroundings
    };
    ask(Evaluator::new(
        template,
        &place,
        &givens(&revision.given, &surroundings),
        &surroundings,
    ))
}

/// The parameters of both revisions whose values differ.
pub fn changed_parameters(old: &Revision, new: &Revision) -> BTreeSet<String> {
    let declared = |revision: &Revision, key: &str| {
        revision
            .source
            .template
            .parameters
            .iter()
            .any(|it| it.key == key)
    };
    let keys = new
        .source
        .template
        .parameters
        .iter()
        .map(|it| &it.key)
        .filter(|key| declared(old, key));
    keys.filter(|key| old.value(key) != new.value(key))
        .cloned()
        .collect()
}

impl Revision {
    /// A parameter's value, and the stored one that it names.
    fn value(&self, key: &str) -> Option<(String, Option<&String>)> {
        let parameter = self
            .source
            .template
            .parameters
            .iter()
            .find(|it| it.key == key)?;
        let value = self
            .given
            .get(key)
            .cloned()
            .or_else(|| parameter.default_text())?;
        let stored = self
            .stored
            .get(&value)
            .filter(|_| parameter.kind.starts_with("AWS::SSM::Parameter::Value<"));
        Some((value, stored))
    }
}

fn surroundings<'a>(
    cloud: &'a Cloud,
    state: &'a State,
    caller: &'a Caller,
    template: &'a Template,
    stack: Option<&'a Stack>,
    stored: Option<&'a HashMap<String, String>>,
) -> Surroundings<'a> {
    let is_nested = stack.is_some_and(|stack| stack.nested_in.is_some());
    Surroundings {
        cloud,
        state,
        caller,
        template,
        stack,
        is_nested,
        made_up: Cow::Owned(BTreeSet::new()),
        sight: Sight::default(),
        stored,
        noted: RefCell::default(),
    }
}

fn place(caller: &Caller, name: &str, id: &str, notification_arns: &[String]) -> Place {
    let partition = catalog::partition_of(&caller.region);
    Place {
        account_id: Some(caller.account.clone()),
        stack_name: Some(name.to_owned()),
        stack_id: Some(id.to_owned()),
        notification_arns: notification_arns.to_vec(),
        ..Place::new(&caller.region, partition.name, partition.dns_suffix)
    }
}

fn givens(given: &IndexMap<String, String>, surroundings: &Surroundings) -> Givens {
    let one = |(key, value): (&String, &String)| {
        let is_hidden = surroundings.sight.hides_made_up && surroundings.made_up.contains(key);
        let unknown = || Unknown::launched(format!("parameter {key}")).into();
        let value = if is_hidden {
            unknown()
        } else {
            Value::text(value.as_str())
        };
        (
            key.clone(),
            Given {
                value,
                set: Vec::new(),
            },
        )
    };
    given.iter().map(one).collect()
}

fn depends_on(evaluator: &Evaluator) -> IndexMap<String, Arc<[String]>> {
    let found = template::dependencies(evaluator).into_iter();
    found
        .map(|(id, on)| (id, on.into_iter().map(|dependency| dependency.on).collect()))
        .collect()
}

/// Callers get the first failure. Some show only when the stack is begun, and their message is
/// returned: a macro that fails, of which what else fails may be the consequence; a missing export;
/// an attribute that a type lacks.
fn refuse(failures: &[Failure], root: &Node) -> Result<Option<String>, ServiceError> {
    let transform = failures
        .iter()
        .find(|failure| is_failed_transform(&failure.message));
    if let Some(failure) = transform {
        return Ok(Some(failure.message.clone()));
    }
    let is_late =
        |message: &str| message.starts_with(NO_EXPORT) || is_unsupported_attribute(message);
    match failures.iter().find(|failure| !is_late(&failure.message)) {
        Some(failure) => Err(invalid(failure.message.clone())),
        None => Ok(failures.first().map(|failure| late(failure, root))),
    }
}

/// The message of a failure that shows when the stack is begun; the service names the place of an
/// attribute.
fn late(failure: &Failure, root: &Node) -> String {
    let message = &failure.message;
    match is_unsupported_attribute(message)
        .then(|| path_to(root, failure.at.at))
        .flatten()
    {
        Some(path) => format!("[Error] {path}: {message}"),
        None => message.clone(),
    }
}

/// The path of keys and indexes to the innermost function that begins here:
/// `/Outputs/Name/Value/Fn::GetAtt`.
fn path_to(node: &Node, at: Position) -> Option<String> {
    let step = |name: &str, node: &Node| path_to(node, at).map(|rest| format!("/{name}{rest}"));
    let below = match node.as_sequence() {
        Some(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| step(&index.to_string(), item)),
        None => node.entries().iter().find_map(|(key, value)| {
            match is_function_key(&key.text) && value.at == at {
                true => Some(format!("/{}", key.text)),
                false => step(&key.text, value),
            }
        }),
    };
    below.or_else(|| (node.at == at && node.is_scalar()).then(String::new))
}

const UNRUNNABLE: &str = "the simulator can't run ";

/// Whether a stack was refused only since the simulator has no macros.
pub fn is_unrunnable(message: &str) -> bool {
    message.starts_with(UNRUNNABLE)
}

/// Macros run in an account, as Lambda functions; there is none here to run them.
fn refuse_macros(stack: &template::Stack) -> Result<(), ServiceError> {
    match &stack.macros_of_aws {
        Some(unknown) => Err(invalid(format!("{UNRUNNABLE}{unknown}"))),
        None => Ok(()),
    }
}

fn refuse_types(stack: &template::Stack, region: &str) -> Result<(), ServiceError> {
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

fn refuse_capabilities(
    stack: &template::Stack,
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

/// What a stack of this template must acknowledge.
pub fn required_capabilities(stack: &template::Stack, template: &Template) -> Vec<&'static str> {
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

fn shown(
    template: &Template,
    given: &IndexMap<String, String>,
    stored: &HashMap<String, String>,
) -> Vec<Shown> {
    let one = |parameter: &template::Parameter| {
        let value = given
            .get(&parameter.key)
            .cloned()
            .or_else(|| parameter.default_text())?;
        let is_stored = parameter.kind.starts_with("AWS::SSM::Parameter::Value<");
        let resolved = stored.get(&value).filter(|_| is_stored).cloned();
        let hidden = |text: String| {
            if parameter.no_echo {
                MASK.to_owned()
            } else {
                text
            }
        };
        Some(Shown {
            key: parameter.key.clone(),
            value: hidden(value),
            resolved: resolved.map(hidden),
        })
    };
    template.parameters.iter().filter_map(one).collect()
}
