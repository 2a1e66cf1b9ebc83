//! Resource types that a region doesn't have.

use std::collections::BTreeSet;

use crate::catalog::{self, Offered};
use crate::diagnostic::Location;
use crate::template::{Failure, NestedIn, Resource, Stack, Templates, Truth, Undecided, Unknown};
use crate::yaml::Node;

/// What CloudFormation refuses of a stack and those nested in it; undecided where it isn't known whether a resource
/// exists or the region has its type. Each type is named once a template.
pub(super) fn check(stack: &Stack, region: &str, templates: &Templates) -> (Vec<Failure>, Vec<Undecided>) {
    let mut check = Check { region, templates, failures: Vec::new(), undecided: Vec::new() };
    check.stack(stack, &Truth::True, &mut Vec::new());
    (check.failures, check.undecided)
}

struct Check<'a> {
    region: &'a str,
    templates: &'a Templates,
    failures: Vec<Failure>,
    undecided: Vec<Undecided>,
}

impl Check<'_> {
    fn stack(&mut self, stack: &Stack, exists: &Truth, nested_in: &mut Vec<NestedIn>) {
        let mut named = BTreeSet::new();
        for (id, resource) in &stack.resources {
            let macros = stack.rewritten_by.iter().cloned().map(Truth::Unknown);
            let exists = Truth::all([exists.clone(), resource.exists.clone()].into_iter().chain(macros));
            let refused = match catalog::offers(self.region, &resource.kind) {
                Offered::No => Truth::True,
                Offered::Unlisted => {
                    let what = format!("whether {} has {}", self.region, resource.kind);
                    Truth::Unknown(Unknown::asked(what))
                }
                Offered::Yes | Offered::Unknown => Truth::False,
            };
            if refused != Truth::False && named.insert(&resource.kind) {
                self.refuse(id, resource, &Truth::all([exists.clone(), refused]), nested_in);
            }
            if let Some(nested) = &resource.nested {
                let at = self.place(id, resource, &["Properties", "TemplateURL"]);
                nested_in.push(NestedIn { logical_id: id.clone(), at });
                self.stack(nested, &exists, nested_in);
                nested_in.pop();
            }
        }
    }

    fn refuse(&mut self, id: &str, resource: &Resource, fails: &Truth, nested_in: &[NestedIn]) {
        let message = format!("Template format error: Unrecognized resource types: [{}]", resource.kind);
        let at = self.place(id, resource, &["Type"]);
        let failure = Failure { message, at, nested_in: nested_in.to_vec(), notes: Vec::new() };
        match fails {
            Truth::Unknown(unknown) => self.undecided.push(Undecided { unknown: unknown.clone(), failure }),
            Truth::True | Truth::False => self.failures.push(failure),
        }
    }

    /// The place of something in a resource; of one that a loop has made, the place of its logical id.
    fn place(&self, id: &str, resource: &Resource, path: &[&str]) -> Location {
        let file = &resource.at.file;
        let entry = self.templates.iter().find(|template| template.file == *file).and_then(|template| {
            let entry = template.root.get("Resources")?.get(id)?;
            path.iter().try_fold(entry, |node, key| node.get(key))
        });
        let at = entry.map_or(resource.at.at, |node: &Node| node.at);
        Location { file: file.clone(), at }
    }
}
