//! Actions on change sets: they are created, executed and deleted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::import;
use super::lookup::find_change_set;
use super::nested_change_sets::ParentChangeSet;
use crate::catalog;
use crate::simulator::Caller;
use crate::simulator::cloudformation::engine::{BY_USER, Engine, new_id};
use crate::simulator::cloudformation::error::{XmlResult, error, internal, invalid};
use crate::simulator::cloudformation::evaluation::comparison::resource_changes;
use crate::simulator::cloudformation::evaluation::revision::{self, EvaluatedRevision};
use crate::simulator::cloudformation::evaluation::world::is_failed_transform;
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::cloudformation::state::change_set::{
    ChangeSetRecord, ChangeSetType, ExecutionStatus, ResourceChanges,
};
use crate::simulator::cloudformation::state::parsed_template::ParsedTemplate;
use crate::simulator::cloudformation::state::revision::AcceptedRevision;
use crate::simulator::cloudformation::state::settings::{OnFailure, StackNumber, StackSettings};
use crate::simulator::error::ServiceError;
use crate::simulator::xml::XmlWriter;
use crate::status::{ChangeSetStatus, StackStatus};

/// The nominal time to compute a change set.
const CHANGE_SET_DURATION: Duration = Duration::from_secs(3);

const NO_CHANGES: &str = "The submitted information didn't contain changes. Submit different \
    information to create a change set.";

/// What a new change set is for.
struct ChangeSetTarget {
    /// The stack, if it exists.
    number: Option<StackNumber>,
    kind: ChangeSetType,
    stack_name: String,
    stack_id: String,
}

impl Engine<'_> {
    /// Carries out `CreateChangeSet`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>
    pub(crate) fn create_change_set(&mut self, request: &QueryRequest) -> XmlResult {
        let name = request.required("ChangeSetName")?;
        let target = self.change_set_target(request, name)?;
        if target
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
        let updates = target
            .number
            .filter(|_| target.kind != ChangeSetType::Create && !self.is_new(&target));
        let (source, asked, settings) = match updates {
            Some(number) => self.update_request(number, request)?,
            None => self.creation_request(request)?,
        };
        let mut settings = on_stack_failure(request, settings)?;
        // Unlike an update, a change set doesn't keep the stack's capabilities.
        settings.capabilities = request
            .list("Capabilities")
            .into_iter()
            .map(str::to_owned)
            .collect();
        // Change sets don't require CAPABILITY_AUTO_EXPAND: they show the result of transforms.
        let mut acknowledged = settings.clone();
        acknowledged
            .capabilities
            .push("CAPABILITY_AUTO_EXPAND".to_owned());
        let stack = (
            target.stack_name.as_str(),
            target.stack_id.as_str(),
            updates,
        );
        let evaluated =
            match self.evaluate_for(request.caller, stack, &source, asked, &acknowledged) {
                Ok(evaluated) => match evaluated
                    .failure
                    .clone()
                    .filter(|reason| is_failed_transform(reason))
                {
                    Some(reason) => Err(reason),
                    None => Ok(evaluated),
                },
                Err(error) => return Err(error),
            };
        if let Ok(evaluated) = &evaluated {
            request.check_resource_types(evaluated.resource_types())?;
        }
        let number = target.number.unwrap_or_else(|| {
            let settings = StackSettings::default();
            let number = self.add_stack(
                request.caller,
                &target.stack_name,
                &target.stack_id,
                settings,
                None,
                self.now,
            );
            let stack = self.state.stack_mut(number);
            stack.set_status(
                StackStatus::ReviewInProgress,
                Some(BY_USER.to_owned()),
                self.now,
            );
            number
        });
        let mut change_set = self.new_change_set(request.caller, name, source, settings);
        change_set.kind = target.kind;
        change_set.description = request.text("Description").map(str::to_owned);
        change_set.includes_nested_stacks = request.flag("IncludeNestedStacks");
        change_set.imports_existing = request.flag("ImportExistingResources");
        self.compute_changes(number, &mut change_set, evaluated)?;
        let mut xml = XmlWriter::new();
        xml.text("Id", &change_set.id)
            .text("StackId", &target.stack_id);
        self.state
            .stack_mut(number)
            .change_sets
            .insert(change_set.id.clone(), change_set);
        Ok(xml.finish())
    }

    /// Returns whether the change set creates the stack.
    fn is_new(&self, target: &ChangeSetTarget) -> bool {
        target
            .number
            .is_none_or(|number| self.state.stack(number).status == StackStatus::ReviewInProgress)
    }

    /// Returns an empty change set for an update.
    pub(crate) fn new_change_set(
        &self,
        caller: &Caller,
        name: &str,
        source: Arc<ParsedTemplate>,
        settings: StackSettings,
    ) -> ChangeSetRecord {
        ChangeSetRecord {
            id: change_set_id(caller, name),
            name: name.to_owned(),
            description: None,
            operation: Uuid::new_v4(),
            created: self.now,
            ready: self
                .now
                .checked_add(self.cloud.clock.scaled(CHANGE_SET_DURATION))
                .unwrap_or(self.now),
            kind: ChangeSetType::Update,
            source,
            accepted: None,
            settings,
            changes: ResourceChanges::default(),
            failure: None,
            execution: ExecutionStatus::Available,
            includes_nested_stacks: false,
            imports_existing: false,
            nested: Vec::new(),
            parent: None,
            root: None,
        }
    }

    /// Computes the changes of the change set.
    fn compute_changes(
        &mut self,
        number: StackNumber,
        change_set: &mut ChangeSetRecord,
        evaluated: Result<EvaluatedRevision, String>,
    ) -> Result<(), ServiceError> {
        let evaluated = match evaluated {
            Ok(evaluated) => evaluated,
            Err(reason) => {
                change_set.failure = Some(reason);
                return Ok(());
            }
        };
        let includes_nested_stacks = change_set.includes_nested_stacks;
        let mut changes = resource_changes(
            self.cloud,
            self.state,
            number,
            &evaluated,
            &change_set.settings,
            includes_nested_stacks,
        );
        if let ChangeSetType::Import(imports) = &change_set.kind {
            import::check(imports, &evaluated, &self.state.stack(number).outputs)?;
            import::mark_imports(imports, &mut changes)?;
        }
        let existing = if change_set.imports_existing
            && !matches!(change_set.kind, ChangeSetType::Import(_))
        {
            self.import_existing(number, &evaluated, &mut changes)
        } else {
            BTreeMap::new()
        };
        if change_set.includes_nested_stacks {
            let parent = ParentChangeSet {
                number,
                name: &change_set.name,
                id: &change_set.id,
                root: &change_set.id,
                settings: &change_set.settings,
            };
            change_set.failure = self
                .create_nested_change_sets(
                    &parent,
                    &evaluated,
                    &mut changes,
                    &mut change_set.nested,
                )
                .err();
        }
        let is_idle = change_set.kind == ChangeSetType::Update
            && changes.by_name.is_empty()
            && !self.would_change(number, &evaluated)
            && change_set.settings.tags == self.state.stack(number).settings.tags;
        change_set.failure = change_set
            .failure
            .take()
            .or_else(|| is_idle.then(|| NO_CHANGES.to_owned()));
        change_set.changes = changes;
        change_set.accepted = Some(AcceptedRevision {
            imports: existing,
            ..evaluated.accept()
        });
        Ok(())
    }

    /// Returns the stack that a new change set is for, and the type of the change set.
    fn change_set_target(
        &self,
        request: &QueryRequest,
        change_set: &str,
    ) -> Result<ChangeSetTarget, ServiceError> {
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
            ("CREATE", _) => ChangeSetType::Create,
            ("UPDATE", Some(_)) if in_review => ChangeSetType::Create,
            ("UPDATE", Some(_)) => ChangeSetType::Update,
            ("IMPORT", _) => ChangeSetType::Import(import::resources_to_import(request)?),
            (other, _) => {
                return Err(invalid(format!(
                    "1 validation error detected: Value '{other}' at 'changeSetType' failed to \
                     satisfy constraint: \
                     Member must satisfy enum value set: [IMPORT, UPDATE, CREATE]"
                )));
            }
        };
        if let Some(number) = number.filter(|_| !in_review) {
            self.check_updatable(number)?;
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
        Ok(ChangeSetTarget {
            number,
            kind,
            stack_name,
            stack_id,
        })
    }

    /// Carries out `ExecuteChangeSet`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html>
    pub(crate) fn execute_change_set(&mut self, request: &QueryRequest) -> XmlResult {
        let (number, id) = find_change_set(self, request)?;
        let change_set = &self.state.stack(number).change_sets[&id];
        let (status, execution) = change_set.status(self.now);
        if execution != "AVAILABLE" {
            // Once a change set is created, its execution status counts.
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
        if kind == ChangeSetType::Update {
            self.check_updatable(number)?;
        }
        let Some(accepted) = change_set.accepted.clone() else {
            debug_assert!(false, "{id} is available without a revision");
            return Err(internal(&format!("{id} is available without a revision")));
        };
        let mut settings = change_set.settings.clone();
        if request.flag("DisableRollback") {
            settings.on_failure = OnFailure::DoNothing;
            settings.disable_rollback = true;
        }
        settings.retain_except_on_create = request.flag("RetainExceptOnCreate");
        let nested = change_set.nested.clone();
        // Exports may have been added or deleted in the meantime.
        let accepted = revision::with_current_exports(self.cloud, self.state, number, accepted);
        let token = request.token("ExecuteChangeSet");
        let stack = self.state.stack_mut(number);
        stack.token = token;
        // The other change sets were computed for the stack as it was before.
        let others = stack
            .change_sets
            .extract_if(.., |other, it| *other != id && !it.is_executed());
        let outdated: Vec<_> = others.flat_map(|(_, it)| it.nested).collect();
        self.delete_nested_change_sets(outdated);
        self.execute_nested_change_sets(nested);
        let stack = self.state.stack_mut(number);
        if let Some(change_set) = stack.change_sets.get_mut(&id) {
            change_set.execution = ExecutionStatus::ExecuteInProgress;
        }
        stack.change_set_id = Some(id);
        match kind {
            ChangeSetType::Create => {
                stack.settings = settings;
                self.begin_creation(number, accepted, self.now);
                // CloudFormation shows this as an update of the stack in review.
                self.state.stack_mut(number).updated = Some(self.now);
            }
            ChangeSetType::Update => self.begin_update(number, accepted, Some(settings), self.now),
            ChangeSetType::Import(imports) => {
                self.begin_import(number, accepted, settings, &imports, self.now)
            }
        }
        Ok(String::new())
    }

    /// Carries out `DeleteChangeSet`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteChangeSet.html>
    pub(crate) fn delete_change_set(&mut self, request: &QueryRequest) -> XmlResult {
        let (number, id) = match find_change_set(self, request) {
            Ok(found) => found,
            Err(error) if error.code == "ChangeSetNotFound" => return Ok(String::new()),
            Err(error) => return Err(error),
        };
        let stack = self.state.stack_mut(number);
        match stack.change_sets.get(&id) {
            Some(change_set) if change_set.execution == ExecutionStatus::ExecuteInProgress => {
                let message = format!(
                    "The change set [{id}] cannot be deleted in its current status of \
                     [EXECUTE_IN_PROGRESS]"
                );
                Err(error("InvalidChangeSetStatus", message))
            }
            _ => {
                let removed = stack.change_sets.shift_remove(&id);
                self.delete_nested_change_sets(removed.map(|it| it.nested).unwrap_or_default());
                Ok(String::new())
            }
        }
    }
}

/// Applies `OnStackFailure`, which is to a change set what `OnFailure` is to a stack.
fn on_stack_failure(
    request: &QueryRequest,
    settings: StackSettings,
) -> Result<StackSettings, ServiceError> {
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
    Ok(StackSettings {
        on_failure,
        disable_rollback: on_failure == OnFailure::DoNothing,
        ..settings
    })
}

fn change_set_id(caller: &Caller, name: &str) -> String {
    let partition = catalog::partition_of(&caller.region).name;
    let region = &caller.region;
    let account = &caller.account;
    format!(
        "arn:{partition}:cloudformation:{region}:{account}:changeSet/{name}/{}",
        Uuid::new_v4()
    )
}
