//! Calls about change sets: they are created, executed and deleted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::super::engine::{Engine, new_id};
use super::super::request::Request;
use super::super::revision::{self, Begun, Foreseen};
use super::super::source::Source;
use super::super::stack::{OnFailure, Settings, Stack, StackNumber};
use super::super::world::is_failed_transform;
use super::super::{Answer, ServiceError, error, invalid};
use super::nested::Parent;
use super::{ChangeSet, ChangeSetKind, Changes, Execution, import};
use crate::catalog;
use crate::simulator::Caller;
use crate::simulator::xml::Xml;
use crate::status::{ChangeSetStatus, StackStatus};

/// Nominally, to work one out.
const TAKES: Duration = Duration::from_secs(3);

const NO_CHANGES: &str = "The submitted information didn't contain changes. Submit different \
    information to create a change set.";

/// What a new change set is for.
struct Subject {
    /// The stack, if it exists.
    number: Option<StackNumber>,
    kind: ChangeSetKind,
    stack_name: String,
    stack_id: String,
}

impl Engine<'_> {
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>
    pub fn create_change_set(&mut self, request: &Request) -> Answer {
        let name = request.required("ChangeSetName")?;
        let subject = self.subject_of(request, name)?;
        if subject
            .number
            .is_some_and(|number| self.state.stack(number).change_set_named(name).is_some())
        {
            return Err(error(
                "AlreadyExistsException",
                format!(
                    "ChangeSet {name} cannot be created due to a mismatch with existing attribute \
                     Template"
                ),
            ));
        }
        let updates = subject
            .number
            .filter(|_| subject.kind != ChangeSetKind::Create && !self.is_new(&subject));
        let (source, asked, settings) = match updates {
            Some(number) => self.asked_of_update(number, request)?,
            None => self.asked_of_creation(request)?,
        };
        let mut settings = on_stack_failure(request, settings)?;
        // Unlike UpdateStack, a change set doesn't keep those that the stack has.
        settings.capabilities = request
            .list("Capabilities")
            .into_iter()
            .map(str::to_owned)
            .collect();
        // Change sets don't ask for the acknowledgement of transforms: they show what comes of
        // them.
        let mut acknowledged = settings.clone();
        acknowledged
            .capabilities
            .push("CAPABILITY_AUTO_EXPAND".to_owned());
        let target = (
            subject.stack_name.as_str(),
            subject.stack_id.as_str(),
            updates,
        );
        let foreseen = match self.foresee_for(request.caller, target, &source, asked, &acknowledged)
        {
            Ok(foreseen) => match foreseen
                .fails
                .clone()
                .filter(|reason| is_failed_transform(reason))
            {
                Some(reason) => Err(reason),
                None => Ok(foreseen),
            },
            Err(error) => return Err(error),
        };
        if let Ok(foreseen) = &foreseen {
            request.allow_types(
                foreseen
                    .stack
                    .resources
                    .values()
                    .map(|resource| &*resource.kind),
            )?;
        }
        let number = subject.number.unwrap_or_else(|| {
            let settings = Settings::default();
            let number = self.add_stack(
                request.caller,
                &subject.stack_name,
                &subject.stack_id,
                settings,
                None,
                self.now,
            );
            let stack = self.state.stack_mut(number);
            stack.becomes(
                StackStatus::ReviewInProgress,
                Some("User Initiated".to_owned()),
                self.now,
            );
            number
        });
        let mut change_set = self.new_change_set(request.caller, name, source, settings);
        change_set.kind = subject.kind;
        change_set.description = request.text("Description").map(str::to_owned);
        change_set.includes_nested_stacks = request.flag("IncludeNestedStacks");
        change_set.imports_existing = request.flag("ImportExistingResources");
        self.fill(number, &mut change_set, foreseen)?;
        let mut xml = Xml::new();
        xml.text("Id", &change_set.id)
            .text("StackId", &subject.stack_id);
        self.state
            .stack_mut(number)
            .change_sets
            .insert(change_set.id.clone(), change_set);
        Ok(xml.finish())
    }

    /// Whether the stack comes into being with the change set.
    fn is_new(&self, subject: &Subject) -> bool {
        subject
            .number
            .is_none_or(|number| self.state.stack(number).status == StackStatus::ReviewInProgress)
    }

    /// An empty one, of an update.
    pub(super) fn new_change_set(
        &self,
        caller: &Caller,
        name: &str,
        source: Arc<Source>,
        settings: Settings,
    ) -> ChangeSet {
        ChangeSet {
            id: change_set_id(caller, name),
            name: name.to_owned(),
            description: None,
            operation: Uuid::new_v4(),
            created: self.now,
            ready: self
                .now
                .checked_add(self.cloud.clock.scaled(TAKES))
                .unwrap_or(self.now),
            kind: ChangeSetKind::Update,
            source,
            begun: None,
            settings,
            changes: Changes::default(),
            refused: None,
            execution: Execution::Available,
            includes_nested_stacks: false,
            imports_existing: false,
            nested: Vec::new(),
            parent: None,
            root: None,
        }
    }

    /// Works out what the change set does.
    fn fill(
        &mut self,
        number: StackNumber,
        change_set: &mut ChangeSet,
        foreseen: Result<Foreseen, String>,
    ) -> Result<(), ServiceError> {
        let foreseen = match foreseen {
            Ok(foreseen) => foreseen,
            Err(reason) => {
                change_set.refused = Some(reason);
                return Ok(());
            }
        };
        let includes_nested_stacks = change_set.includes_nested_stacks;
        let mut changes = self.changes(
            number,
            &foreseen,
            &change_set.settings,
            includes_nested_stacks,
        );
        if let ChangeSetKind::Import(imports) = &change_set.kind {
            import::check(imports, &foreseen, &self.state.stack(number).outputs)?;
            import::settle(imports, &mut changes)?;
        }
        let existing = match change_set.imports_existing
            && !matches!(change_set.kind, ChangeSetKind::Import(_))
        {
            true => self.import_existing(number, &foreseen, &mut changes),
            false => BTreeMap::new(),
        };
        if change_set.includes_nested_stacks {
            let parent = Parent {
                number,
                name: &change_set.name,
                id: &change_set.id,
                root: &change_set.id,
                settings: &change_set.settings,
            };
            change_set.refused = self
                .look_into(&parent, &foreseen, &mut changes, &mut change_set.nested)
                .err();
        }
        let is_idle = change_set.kind == ChangeSetKind::Update
            && changes.by_name.is_empty()
            && !self.would_change(number, &foreseen)
            && change_set.settings.tags == self.state.stack(number).settings.tags;
        change_set.refused = change_set
            .refused
            .take()
            .or_else(|| is_idle.then(|| NO_CHANGES.to_owned()));
        change_set.changes = changes;
        change_set.begun = Some(Begun {
            imports: existing,
            ..foreseen.begun()
        });
        Ok(())
    }

    /// The stack that a new change set is for, and what it does to it.
    fn subject_of(&self, request: &Request, change_set: &str) -> Result<Subject, ServiceError> {
        let name = request.required("StackName")?;
        let number = self
            .state
            .find(request.caller, name)
            .filter(|number| !self.state.stack(*number).is_deleted());
        let in_review = number
            .is_some_and(|number| self.state.stack(number).status == StackStatus::ReviewInProgress);
        let kind = match (request.text("ChangeSetType").unwrap_or("UPDATE"), number) {
            ("CREATE", Some(_)) if !in_review => {
                return Err(invalid(format!(
                    "Stack [{name}] already exists and cannot be created again with the changeSet \
                     [{change_set}]."
                )));
            }
            ("UPDATE", None) => return Err(invalid(format!("Stack [{name}] does not exist"))),
            ("CREATE", _) => ChangeSetKind::Create,
            ("UPDATE", Some(_)) if in_review => ChangeSetKind::Create,
            ("UPDATE", Some(_)) => ChangeSetKind::Update,
            ("IMPORT", _) => ChangeSetKind::Import(import::read(request)?),
            (other, _) => {
                return Err(invalid(format!(
                    "1 validation error detected: Value '{other}' at 'changeSetType' failed to \
                     satisfy constraint: \
                     Member must satisfy enum value set: [IMPORT, UPDATE, CREATE]"
                )));
            }
        };
        if let Some(number) = number.filter(|_| !in_review) {
            self.must_be_updatable(number)?;
        }
        let existing = number.map(|number| self.state.stack(number));
        let stack_name = existing.map_or_else(
            || request.required("StackName").map(str::to_owned),
            |it| Ok(it.name.to_string()),
        )?;
        let stack_id = existing.map_or_else(
            || new_id(request.caller, &stack_name),
            |it| it.id.to_string(),
        );
        Ok(Subject {
            number,
            kind,
            stack_name,
            stack_id,
        })
    }

    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html>
    pub fn execute_change_set(&mut self, request: &Request) -> Answer {
        let (number, id) = find(self, request)?;
        let change_set = &self.state.stack(number).change_sets[&id];
        let (status, execution) = change_set.status(self.now);
        if execution != "AVAILABLE" {
            // A change set that was worked out is what its execution has come to.
            let status = if status == ChangeSetStatus::CreateComplete {
                execution
            } else {
                status.as_str()
            };
            let message =
                format!("ChangeSet [{id}] cannot be executed in its current status of [{status}]");
            return Err(error("InvalidChangeSetStatus", message));
        }
        if change_set.root.is_some() {
            let message =
                format!("Cannot execute change set [{id}]: it belongs to its root's change set");
            return Err(error("InvalidChangeSetStatus", message));
        }
        let kind = change_set.kind.clone();
        if kind == ChangeSetKind::Update {
            self.must_be_updatable(number)?;
        }
        let Some(begun) = change_set.begun.clone() else {
            return Ok(String::new());
        };
        let mut settings = change_set.settings.clone();
        if request.flag("DisableRollback") {
            settings.on_failure = OnFailure::DoNothing;
            settings.disable_rollback = true;
        }
        let nested = change_set.nested.clone();
        // Exports may have come and gone meanwhile.
        let begun = revision::with_exports(self.cloud, self.state, number, begun);
        let token = request.token("ExecuteChangeSet");
        let stack = self.state.stack_mut(number);
        stack.token = token;
        // The others were worked out for a stack that is another one now.
        let others = stack
            .change_sets
            .extract_if(.., |other, it| *other != id && !it.is_executed());
        let outdated: Vec<_> = others.flat_map(|(_, it)| it.nested).collect();
        self.forget_nested(outdated);
        self.execute_nested(nested);
        let stack = self.state.stack_mut(number);
        if let Some(change_set) = stack.change_sets.get_mut(&id) {
            change_set.execution = Execution::Running;
        }
        stack.change_set_id = Some(id);
        match kind {
            ChangeSetKind::Create => {
                stack.settings = settings;
                self.begin_creation(number, begun, self.now);
                // As if the stack in review were updated.
                self.state.stack_mut(number).updated = Some(self.now);
            }
            ChangeSetKind::Update => self.begin_update(number, begun, Some(settings), self.now),
            ChangeSetKind::Import(imports) => {
                self.begin_import(number, begun, settings, &imports, self.now)
            }
        }
        Ok(String::new())
    }

    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteChangeSet.html>
    pub fn delete_change_set(&mut self, request: &Request) -> Answer {
        let (number, id) = match find(self, request) {
            Ok(found) => found,
            Err(error) if error.code == "ChangeSetNotFound" => return Ok(String::new()),
            Err(error) => return Err(error),
        };
        let stack = self.state.stack_mut(number);
        match stack.change_sets.get(&id) {
            Some(change_set) if change_set.execution == Execution::Running => {
                let message = format!(
                    "The change set [{id}] cannot be deleted in its current status of \
                     [EXECUTE_IN_PROGRESS]"
                );
                Err(error("InvalidChangeSetStatus", message))
            }
            _ => {
                let removed = stack.change_sets.shift_remove(&id);
                self.forget_nested(removed.map(|it| it.nested).unwrap_or_default());
                Ok(String::new())
            }
        }
    }
}

impl Stack {
    /// A change set that waits for its execution.
    pub fn change_set_named(&self, name: &str) -> Option<&ChangeSet> {
        self.change_sets
            .values()
            .find(|it| it.name == name && !it.is_executed())
    }

    /// The stack has been changed by something else than a change set.
    pub fn outdate_change_sets(&mut self) {
        for change_set in self
            .change_sets
            .values_mut()
            .filter(|it| it.execution == Execution::Available)
        {
            change_set.execution = Execution::Obsolete;
        }
    }
}

/// `OnStackFailure` of a change set is what `OnFailure` is of a stack.
fn on_stack_failure(request: &Request, settings: Settings) -> Result<Settings, ServiceError> {
    let on_failure = match request.text("OnStackFailure") {
        None => return Ok(settings),
        Some("ROLLBACK") => OnFailure::Rollback,
        Some("DELETE") => OnFailure::Delete,
        Some("DO_NOTHING") => OnFailure::DoNothing,
        Some(other) => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'onStackFailure' failed to \
                 satisfy constraint: Member \
                 must satisfy enum value set: [DELETE, DO_NOTHING, ROLLBACK]"
            )));
        }
    };
    Ok(Settings {
        on_failure,
        disable_rollback: on_failure == OnFailure::DoNothing,
        ..settings
    })
}

fn change_set_id(caller: &Caller, name: &str) -> String {
    let partition = catalog::partition_of(&caller.region).name;
    let (region, account) = (&caller.region, &caller.account);
    format!(
        "arn:{partition}:cloudformation:{region}:{account}:changeSet/{name}/{}",
        Uuid::new_v4()
    )
}

/// The change set that a call is about, by its ARN or by its name and its stack's: the stack, and
/// the ARN. Those of deleted stacks are still found by their ARNs.
///
/// # Errors
/// There is no such change set.
pub fn find(engine: &Engine, request: &Request) -> Result<(StackNumber, String), ServiceError> {
    let asked = request.required("ChangeSetName")?;
    let missing = || {
        ServiceError::new(
            404,
            "ChangeSetNotFound",
            format!("ChangeSet [{asked}] does not exist"),
        )
    };
    if asked.starts_with("arn:") {
        let mut stacks = engine.state.of(request.caller);
        let found = stacks.find(|(_, stack)| stack.change_sets.contains_key(asked));
        return found
            .map(|(number, _)| (number, asked.to_owned()))
            .ok_or_else(missing);
    }
    let none =
        || invalid("StackName must be specified if ChangeSetName is not specified as an ARN.");
    let stack_name = request
        .text("StackName")
        .filter(|name| !name.is_empty())
        .ok_or_else(none)?;
    let no_stack = || invalid(format!("Stack [{stack_name}] does not exist"));
    let number = engine
        .state
        .find(request.caller, stack_name)
        .ok_or_else(no_stack)?;
    let stack = engine.state.stack(number);
    let executed = || stack.change_sets.values().rev().find(|it| it.name == asked);
    let found = stack.change_set_named(asked).or_else(executed);
    found.map(|it| (number, it.id.clone())).ok_or_else(missing)
}
