//! A template with the values of its parameters.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use super::parsed_template::ParsedTemplate;
use crate::mask::Secrets;

/// A template with the values of its parameters, as the last call has set them for a stack.
#[derive(Clone)]
pub(crate) struct Revision {
    pub source: Arc<ParsedTemplate>,
    /// Values of declared parameters that were set.
    pub parameter_values: IndexMap<String, String>,
    /// Parameters whose values the simulator made up for the parent stack.
    pub(crate) made_up: BTreeSet<String>,
    /// As DescribeStacks shows them.
    pub parameters: Vec<StackParameter>,
    /// Values of SSM parameters when they were resolved.
    pub(crate) ssm_values: HashMap<String, String>,
    /// The resources of the template in order, with the logical IDs that each depends on.
    pub depends_on: IndexMap<String, Arc<[String]>>,
    pub imports: BTreeSet<String>,
}

/// A parameter as DescribeStacks shows it.
#[derive(Clone)]
pub(crate) struct StackParameter {
    pub key: String,
    pub value: String,
    /// The value of the SSM parameter that it names.
    pub resolved: Option<String>,
}

/// A revision that was accepted for an operation.
#[derive(Clone)]
pub(crate) struct AcceptedRevision {
    pub revision: Revision,
    /// Why the stack fails as soon as its operation begins.
    pub failure: Option<String>,
    /// Physical IDs of existing resources that are imported instead of created, by logical IDs.
    pub imports: BTreeMap<String, String>,
}

impl Revision {
    /// Returns a parameter's value, and the value of the SSM parameter that it names.
    fn value(&self, key: &str) -> Option<(String, Option<&String>)> {
        let parameter = self
            .source
            .template
            .parameters
            .iter()
            .find(|it| it.key == key)?;
        let value = self
            .parameter_values
            .get(key)
            .cloned()
            .or_else(|| parameter.default_text())?;
        let ssm_values = self
            .ssm_values
            .get(&value)
            .filter(|_| parameter.kind.starts_with("AWS::SSM::Parameter::Value<"));
        Some((value, ssm_values))
    }

    /// Returns the values of `NoEcho` parameters, which calls that describe a stack or its events
    /// mask
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>).
    pub(crate) fn secrets(&self) -> Secrets {
        let hidden = self
            .source
            .template
            .parameters
            .iter()
            .filter(|it| it.no_echo);
        let values = hidden.filter_map(|it| self.value(&it.key));
        Secrets::new(values.flat_map(|(value, stored)| {
            let stored = stored.cloned();
            std::iter::once(value).chain(stored)
        }))
    }
}

/// Returns the parameters of both revisions whose values differ.
pub(crate) fn changed_parameters(old: &Revision, new: &Revision) -> BTreeSet<String> {
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
