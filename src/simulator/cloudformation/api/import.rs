//! Change sets that import existing resources into a stack.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources.html>

use std::collections::BTreeMap;

use crate::catalog;
use crate::simulator::cloudformation::engine::Engine;
use crate::simulator::cloudformation::error::invalid;
use crate::simulator::cloudformation::evaluation::revision::EvaluatedRevision;
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::cloudformation::state::change_set::{
    ChangeAction, ResourceChange, ResourceChanges, ResourceToImport,
};
use crate::simulator::cloudformation::state::resource_record::OutputRecord;
use crate::simulator::cloudformation::state::settings::StackNumber;
use crate::simulator::error::ServiceError;
use crate::template::Value;

/// Reads `ResourcesToImport`.
///
/// # Errors
/// Fails if the list is empty, or if a member lacks its logical ID, type or identifier.
pub(super) fn resources_to_import(
    request: &QueryRequest,
) -> Result<Vec<ResourceToImport>, ServiceError> {
    let import = |members: BTreeMap<&str, &str>| {
        let logical_id = (*members.get("LogicalResourceId")?).to_owned();
        let kind = (*members.get("ResourceType")?).to_owned();
        let physical_id = identifier(&kind, &members)?;
        Some(ResourceToImport {
            logical_id,
            kind,
            physical_id,
        })
    };
    let imports = request
        .structures("ResourcesToImport")
        .into_iter()
        .map(import)
        .collect::<Option<Vec<_>>>();
    let none = || {
        invalid(
            "Each resource to import must have a logical ID, a resource type and a resource \
             identifier.",
        )
    };
    let imports = imports.ok_or_else(none)?;
    if imports.is_empty() {
        Err(invalid(
            "At least one resource to import must be specified for an import change set.",
        ))
    } else {
        Ok(imports)
    }
}

/// Returns the physical ID: the parts of the type's primary identifier in order, separated by `|`.
fn identifier(kind: &str, members: &BTreeMap<&str, &str>) -> Option<String> {
    let entry = |number: usize, part: &str| {
        members.get(format!("ResourceIdentifier.entry.{number}.{part}").as_str())
    };
    let given: Vec<(&str, &str)> = (1..)
        .map_while(|number| Some((*entry(number, "key")?, *entry(number, "value")?)))
        .collect();
    let known = catalog::resource_type(kind)
        .map(|it| it.primary_identifier)
        .unwrap_or_default();
    let value = |name: &&str| {
        given
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value)
    };
    let in_order: Vec<&str> = known.iter().filter_map(value).collect();
    let parts = if in_order.len() == given.len() {
        in_order
    } else {
        given.iter().map(|(_, value)| *value).collect()
    };
    (!parts.is_empty()).then(|| parts.join("|"))
}

/// # Errors
/// Fails if a resource isn't in the template or has no deletion policy, and if the template adds
/// outputs.
pub(super) fn check(
    imports: &[ResourceToImport],
    evaluated: &EvaluatedRevision,
    outputs: &[OutputRecord],
) -> Result<(), ServiceError> {
    let resources = &evaluated.stack.resources;
    let named = |ids: Vec<&str>| ids.join(", ");
    let missing: Vec<&str> = imports
        .iter()
        .map(|it| it.logical_id.as_str())
        .filter(|id| !resources.contains_key(*id))
        .collect();
    if !missing.is_empty() {
        return Err(invalid(format!(
            "Resources [{}] do not exist in the template",
            named(missing)
        )));
    }
    let unprotected: Vec<&str> = imports
        .iter()
        .map(|it| it.logical_id.as_str())
        .filter(|id| {
            resources
                .get(*id)
                .is_none_or(|it| !it.body.contains_key("DeletionPolicy"))
        })
        .collect();
    if !unprotected.is_empty() {
        return Err(invalid(format!(
            "The following resources to import [{}] must have DeletionPolicy attribute specified \
             in the template.",
            named(unprotected)
        )));
    }
    if evaluated
        .stack
        .outputs
        .keys()
        .any(|key| outputs.iter().all(|it| it.key != *key))
    {
        return Err(invalid(
            "As part of the import operation, you cannot modify or add [Outputs]",
        ));
    }
    Ok(())
}

impl Engine<'_> {
    /// Turns additions of resources that exist already into imports, and returns their physical IDs
    /// by logical IDs. Only resources are imported whose name is written in the template, whose
    /// deletion policy retains them, and which belong to no stack.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html>
    pub(crate) fn import_existing(
        &self,
        number: StackNumber,
        evaluated: &EvaluatedRevision,
        changes: &mut ResourceChanges,
    ) -> BTreeMap<String, String> {
        let written = evaluated.revision.source.template.root.get("Resources");
        let owner = &self.state.stack(number).owner;
        let existing = |change: &ResourceChange| {
            let id = &change.logical_id;
            let wanted = evaluated
                .stack
                .resources
                .get(id)
                .filter(|_| change.action == ChangeAction::Add)?;
            let [name] = catalog::resource_type(&wanted.kind)?.primary_identifier[..] else {
                return None;
            };
            // CloudFormation doesn't look for names that are computed by a function.
            written?
                .get(id)?
                .get("Properties")?
                .get(name)
                .filter(|it| it.is_scalar())?;
            let policy = wanted.body.get("DeletionPolicy").and_then(Value::as_text);
            policy.filter(|policy| matches!(policy.as_str(), "Retain" | "RetainExceptOnCreate"))?;
            let name = wanted.properties()?.get(name)?.as_text()?;
            self.exists_outside(owner, &wanted.kind, &name)
                .then(|| (id.clone(), name))
        };
        let found: BTreeMap<String, String> = changes.by_name.iter().filter_map(existing).collect();
        for change in changes.by_name.iter_mut().chain(&mut changes.by_value) {
            if let Some(physical_id) = found.get(&change.logical_id) {
                change.action = ChangeAction::Import;
                change.physical_id = Some(physical_id.clone());
            }
        }
        found
    }
}

/// Turns additions into imports.
///
/// # Errors
/// Fails if the change set would change anything else.
pub(super) fn mark_imports(
    imports: &[ResourceToImport],
    changes: &mut ResourceChanges,
) -> Result<(), ServiceError> {
    let is_imported = |it: &ResourceChange| {
        it.action == ChangeAction::Add
            && imports
                .iter()
                .any(|import| import.logical_id == it.logical_id)
    };
    let others: Vec<&str> = changes
        .by_value
        .iter()
        .filter(|it| !is_imported(it))
        .map(|it| it.logical_id.as_str())
        .collect();
    if !others.is_empty() {
        return Err(invalid(format!(
            "You have modified resources [{}] in your template that are not being imported. \
             Update, create or delete \
             operations cannot be executed during import operations.",
            others.join(", ")
        )));
    }
    for list in [&mut changes.by_name, &mut changes.by_value] {
        for change in list {
            let import = imports.iter().find(|it| it.logical_id == change.logical_id);
            change.action = ChangeAction::Import;
            change.physical_id = import.map(|it| it.physical_id.clone());
        }
    }
    Ok(())
}
