//! Validations before a stack is created: those that the scenario lets fail.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>

use jiff::Timestamp;

use super::Engine;
use crate::simulator::cloudformation::state::check::CheckKind;
use crate::simulator::cloudformation::state::settings::StackNumber;
use crate::simulator::scenario::{ResourceFacts, ResourcePhase, ValidationName};

impl Engine<'_> {
    /// Records the failed validations of a stack that is about to be created, and returns the
    /// stack's status reason if there are any.
    pub(crate) fn validate(&mut self, number: StackNumber, at: Timestamp) -> Option<String> {
        if !self.cloud.scenario.has_validations() {
            return None;
        }
        let stack = self.stack(number);
        let declared = stack.revision.as_ref()?.depends_on.keys().cloned();
        let mut found = Vec::new();
        for id in declared {
            let kind = stack.declared_type(&id);
            let facts = ResourceFacts {
                account: &stack.owner.account,
                region: &stack.owner.region,
                stack: &stack.name,
                logical_id: &id,
                resource_type: &kind,
                phase: ResourcePhase::Create,
            };
            for failed in self.cloud.scenario.failed_validations(&facts) {
                let check = CheckKind::Validation {
                    name: api_name(failed.name),
                    property: failed.property.map(str::to_owned),
                };
                let reason = failed.reason.to_owned();
                found.push((failed.name, id.clone(), kind.clone(), check, reason));
            }
        }
        let (first, ..) = *found.first()?;
        for (_, id, kind, check, reason) in found {
            let stack = self.state.stack_mut(number);
            stack.record_check(&id, kind, check, reason, at);
        }
        Some(format!(
            "The following hook(s)/validation failed: [{}]. To troubleshoot Early Validation \
             errors, use the DescribeEvents API for detailed failure information.",
            hook_name(first)
        ))
    }
}

fn api_name(name: ValidationName) -> &'static str {
    match name {
        ValidationName::Property => "PROPERTY_VALIDATION",
        ValidationName::NameConflict => "NAME_CONFLICT_VALIDATION",
    }
}

/// Returns the name of a validation in a status reason.
fn hook_name(name: ValidationName) -> &'static str {
    match name {
        ValidationName::Property => "AWS::EarlyValidation::PropertyValidation",
        ValidationName::NameConflict => "AWS::EarlyValidation::ResourceExistenceCheck",
    }
}
