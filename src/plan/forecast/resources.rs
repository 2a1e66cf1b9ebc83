//! Checks individual resources for what CloudFormation refuses: types that a region doesn't have,
//! and properties that the type doesn't accept.

use std::collections::BTreeSet;

use crate::catalog::{self, Availability};
use crate::diagnostic::Location;
use crate::properties;
use crate::template::{
    Assumption, ConditionValue, EvaluatedResource, EvaluatedStack, Failure, NestingStack,
    Templates, UndecidedFailure, Unknown,
};
use crate::yaml::Node;

/// Checks a stack and its nested stacks. The failure is undecided if the existence of the resource
/// or of its type in the region is unknown. Each type is reported once per template.
pub(super) fn check(
    stack: &EvaluatedStack,
    region: &str,
    templates: &Templates,
) -> (Vec<Failure>, Vec<UndecidedFailure>) {
    let mut check = ResourceCheck {
        region,
        templates,
        failures: Vec::new(),
        undecided: Vec::new(),
    };
    check.stack(stack, &ConditionValue::True, &mut Vec::new());
    (check.failures, check.undecided)
}

struct ResourceCheck<'a> {
    region: &'a str,
    templates: &'a Templates,
    failures: Vec<Failure>,
    undecided: Vec<UndecidedFailure>,
}

/// What CloudFormation refuses if a condition holds.
struct PossibleRefusal {
    message: String,
    at: Location,
    /// What must hold so that it isn't refused.
    unless: Option<Assumption>,
}

impl ResourceCheck<'_> {
    fn stack(
        &mut self,
        stack: &EvaluatedStack,
        exists: &ConditionValue,
        nested_in: &mut Vec<NestingStack>,
    ) {
        let mut named = BTreeSet::new();
        for (id, resource) in &stack.resources {
            let macros = stack.doubt().map(ConditionValue::Unknown);
            let exists = ConditionValue::all(
                [exists.clone(), resource.exists.clone()]
                    .into_iter()
                    .chain(macros),
            );
            let refused = self.refuses_type(stack, &resource.kind);
            if refused != ConditionValue::False && named.insert(&resource.kind) {
                let message = format!(
                    "Template format error: Unrecognized resource types: [{}]",
                    resource.kind
                );
                let at = self.place(id, resource, &["Type"]);
                // Only the unknown list of the region's types is an assumption.
                let unless = (exists == ConditionValue::True || refused != ConditionValue::True)
                    .then(|| Assumption::ResourceType {
                        name: resource.kind.clone(),
                    });
                self.refuse(
                    PossibleRefusal {
                        message,
                        at,
                        unless,
                    },
                    &ConditionValue::all([exists.clone(), refused]),
                    nested_in,
                );
            }
            if let Some(refusal) = resource
                .created_with()
                .and_then(|set| properties::refusal(&resource.kind, &set))
            {
                let pointer = format!("Properties{}", refusal.pointer());
                let at = self.place(id, resource, &pointer.split('/').collect::<Vec<_>>());
                let refusal = PossibleRefusal {
                    message: refusal.message(id),
                    at,
                    unless: None,
                };
                self.refuse(refusal, &exists, nested_in);
            }
            if let Some(nested) = &resource.nested {
                let at = self.place(id, resource, &["Properties", "TemplateURL"]);
                nested_in.push(NestingStack {
                    logical_id: id.clone(),
                    at,
                });
                self.stack(nested, &exists, nested_in);
                nested_in.pop();
            }
        }
    }

    fn refuses_type(&self, stack: &EvaluatedStack, kind: &str) -> ConditionValue {
        // The Serverless transform replaces them.
        if stack.is_serverless() && kind.starts_with("AWS::Serverless::") {
            return ConditionValue::False;
        }
        match catalog::offers(self.region, kind) {
            Availability::Unlisted => ConditionValue::Unknown(Unknown::asked(format!(
                "whether {} has {kind}",
                self.region
            ))),
            _ => ConditionValue::of(catalog::is_unrecognized(self.region, kind)),
        }
    }

    fn refuse(
        &mut self,
        refusal: PossibleRefusal,
        fails: &ConditionValue,
        nested_in: &[NestingStack],
    ) {
        let failure = Failure {
            message: refusal.message,
            at: refusal.at,
            nested_in: nested_in.to_vec(),
            notes: Vec::new(),
        };
        match fails {
            ConditionValue::Unknown(unknown) => self.undecided.push(UndecidedFailure {
                unknown: unknown.clone(),
                failure,
                unless: refusal.unless,
            }),
            ConditionValue::True | ConditionValue::False => self.failures.push(failure),
        }
    }

    /// Returns the location of a value in a resource, or of its nearest ancestor; for a resource
    /// created by a loop, the location of its logical ID.
    fn place(&self, id: &str, resource: &EvaluatedResource, path: &[&str]) -> Location {
        let file = &resource.at.file;
        let entry = self
            .templates
            .iter()
            .find(|template| template.file == *file)
            .and_then(|template| {
                let entry = template.root.get("Resources")?.get(id)?;
                // Values below a function have no location.
                let step = |node: &'_ Node, key: &str| match key.parse::<usize>() {
                    Ok(index) if node.as_sequence().is_some() => {
                        node.as_sequence()?.get(index).cloned()
                    }
                    _ => node.get(key).cloned(),
                };
                let mut node = entry.get(path.first()?)?.clone();
                for key in &path[1..] {
                    let Some(next) = step(&node, key) else { break };
                    node = next;
                }
                Some(node.at)
            });
        let at = entry.unwrap_or(resource.at.at);
        Location {
            file: file.clone(),
            at,
        }
    }
}
