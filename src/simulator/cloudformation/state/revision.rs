//! A template together with the values of its parameters.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use super::parsed_template::ParsedTemplate;

/// What a stack was last asked to be.
#[derive(Clone)]
pub struct Revision {
    pub source: Arc<ParsedTemplate>,
    /// Of the declared parameters, those that were given a value.
    pub parameter_values: IndexMap<String, String>,
    /// Those whose values the simulator made up for the parent.
    pub(crate) made_up: BTreeSet<String>,
    /// As DescribeStacks shows them.
    pub parameters: Vec<StackParameter>,
    /// SSM parameters' values when they were asked for.
    pub(crate) ssm_values: HashMap<String, String>,
    /// The resources that exist, in the template's order, with what must be there before each.
    pub depends_on: IndexMap<String, Arc<[String]>>,
    pub imports: BTreeSet<String>,
}

#[derive(Clone)]
pub struct StackParameter {
    pub key: String,
    pub value: String,
    /// What the SSM parameter that it names holds.
    pub resolved: Option<String>,
}

/// What is left of it once it is decided: a revision that is begun with.
#[derive(Clone)]
pub struct AcceptedRevision {
    pub revision: Revision,
    /// As in [`EvaluatedRevision`].
    pub failure: Option<String>,
    /// Physical IDs of existing resources that are taken over instead of created, by logical IDs.
    pub imports: BTreeMap<String, String>,
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
