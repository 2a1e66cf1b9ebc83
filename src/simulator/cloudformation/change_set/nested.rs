//! Change sets of nested stacks, which are created and deleted with their root's.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/change-sets-for-nested-stacks.html>

use super::super::engine::{Engine, asked};
use super::super::revision::{Foreseen, Target, foresee};
use super::super::stack::{STACK, StackNumber};
use super::{Action, ChangeSet, Changes};

impl Engine<'_> {
    /// Creates change sets for the nested stacks that exist and change, and for those that they nest. One that can't be
    /// worked out is left out: its stack will say why. The three texts are the name and ID of the stack's own change set, and the
    /// ID of its root's.
    pub(super) fn look_into(
        &mut self,
        number: StackNumber,
        [name, parent, root]: [&str; 3],
        foreseen: &Foreseen,
        changes: &mut Changes,
        nested: &mut Vec<(StackNumber, String)>,
    ) {
        let is_nested = |it: &&super::ResourceChange| it.kind == STACK && it.action == Action::Modify;
        let ids: Vec<String> = changes.by_name.iter().filter(is_nested).map(|it| it.logical_id.clone()).collect();
        for id in ids {
            let child = self.state.stack(number).resources.get(&id).and_then(|it| it.child);
            let wanted = foreseen.stack.resources.get(&id).and_then(|it| it.properties());
            let Some((child, (text, given))) = child.zip(wanted.and_then(|it| asked(self.cloud, it).ok())) else {
                continue;
            };
            let Ok(source) = self.state.sources.read(&text) else { continue };
            let stack = self.state.stack(child);
            let (owner, settings) = (stack.owner.clone(), stack.settings.clone());
            let target = Target {
                caller: &owner,
                name: &stack.name,
                id: &stack.id,
                notification_arns: &settings.notification_arns,
                number: Some(child),
            };
            let Ok(inner) = foresee(self.cloud, self.state, target, &source, given, &settings.capabilities) else {
                continue;
            };
            let mut inner_changes = self.changes(child, &inner, &settings, true);
            let own_name = format!("{name}-{id}");
            let own = self.new_change_set(&owner, &own_name, source, settings);
            self.look_into(child, [&own_name, &own.id, root], &inner, &mut inner_changes, nested);
            let change_set = ChangeSet {
                begun: Some(inner.begun()),
                changes: inner_changes,
                includes_nested_stacks: true,
                parent: Some(parent.to_owned()),
                root: Some(root.to_owned()),
                ..own
            };
            for list in [&mut changes.by_name, &mut changes.by_value] {
                if let Some(change) = list.iter_mut().find(|it| it.logical_id == id) {
                    change.change_set = Some(change_set.id.clone());
                }
            }
            nested.push((child, change_set.id.clone()));
            self.state.stack_mut(child).change_sets.insert(change_set.id.clone(), change_set);
        }
    }

    /// Deletes the change sets of nested stacks.
    pub(super) fn forget_nested(&mut self, nested: Vec<(StackNumber, String)>) {
        for (number, id) in nested {
            self.state.stack_mut(number).change_sets.shift_remove(&id);
        }
    }
}
