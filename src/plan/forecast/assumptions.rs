//! Collects what must hold in AWS for a stack to be launched.
//!
//! What the stack creates itself isn't an assumption. Some assumptions are *ordinary*: they hold in
//! practically every account, so that a reader doesn't want to see them.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{RegionFacts, is_among};
use super::{CellAssumption, PossibleFailure, masked};
use crate::catalog;
use crate::mask::Secrets;
use crate::template::{Assumption, EvaluatedStack, UndecidedFailure, Value};

/// Finds the assumptions of a test in a region.
pub(super) struct AssumptionFinder<'a> {
    pub region: &'a str,
    pub facts: &'a RegionFacts,
    /// What the stack and its nested stacks create.
    pub created: BTreeSet<Assumption>,
    pub secrets: &'a Secrets,
}

impl AssumptionFinder<'_> {
    /// Returns the assumptions, those of the test's parameters first, and the failures that depend
    /// on something unknown, each once.
    pub(super) fn found(
        &self,
        of_parameters: &[(String, Assumption)],
        assumed: Vec<Assumption>,
        undecided: &[UndecidedFailure],
    ) -> (Vec<CellAssumption>, Vec<PossibleFailure>) {
        let mut assumptions = Vec::new();
        for (parameter, assumption) in of_parameters {
            self.add(&mut assumptions, assumption, Some(parameter));
        }
        for assumption in &assumed {
            self.add(&mut assumptions, assumption, None);
        }
        let mut possible = Vec::new();
        for it in undecided {
            if let Some(assumption) = &it.unless {
                if self.is_settled(assumption) || is_ordinary(assumption) {
                    continue;
                }
                if it.unknown.needs_aws() {
                    self.add(&mut assumptions, assumption, None);
                }
            }
            let failure = PossibleFailure {
                failure: masked(it.failure.clone(), self.secrets),
                depends_on: it
                    .unknown
                    .reasons()
                    .map(|reason| self.secrets.mask(&reason.what))
                    .collect(),
                is_certain_in_branch: it.unless.is_none(),
            };
            if !possible.contains(&failure) {
                possible.push(failure);
            }
        }
        (most_zones(assumptions), possible)
    }

    fn add(
        &self,
        assumptions: &mut Vec<CellAssumption>,
        assumption: &Assumption,
        parameter: Option<&String>,
    ) {
        if self.is_settled(assumption) {
            return;
        }
        let known = assumptions
            .iter_mut()
            .find(|known| known.assumption == *assumption);
        if let Some(known) = known {
            let is_new = |parameter: &&String| !known.parameters.contains(parameter);
            let parameter = parameter.filter(is_new).cloned();
            known.parameters.extend(parameter);
            return;
        }
        assumptions.push(CellAssumption {
            assumption: assumption.clone(),
            text: self.secrets.mask(&assumption.described(self.region)),
            parameters: parameter.into_iter().cloned().collect(),
            is_ordinary: is_ordinary(assumption),
        });
    }

    /// Returns whether an assumption needs no mention: the stack itself fulfills it, or AWS has
    /// answered.
    fn is_settled(&self, assumption: &Assumption) -> bool {
        is_among(&self.created, assumption) || self.facts.holds(assumption, self.region)
    }
}

/// Returns whether an assumption holds in practically every account: as many zones as every account
/// has in the region, and parameters that AWS publishes
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html>).
fn is_ordinary(assumption: &Assumption) -> bool {
    match assumption {
        Assumption::AvailabilityZones {
            region,
            count,
            excluded,
        } => count + excluded.len() <= catalog::zones_of_every_account(region),
        Assumption::SsmParameter { name } => {
            let is_arn = name.starts_with("arn:") && name.contains("::parameter/aws/service/");
            name.starts_with("/aws/service/") || is_arn
        }
        _ => false,
    }
}

/// Keeps only the greatest number of zones of each region.
fn most_zones(mut assumptions: Vec<CellAssumption>) -> Vec<CellAssumption> {
    let mut most: BTreeMap<(String, Vec<String>), (usize, Vec<String>)> = BTreeMap::new();
    for it in &assumptions {
        if let Assumption::AvailabilityZones {
            region,
            count,
            excluded,
        } = &it.assumption
        {
            let entry = most.entry((region.clone(), excluded.clone())).or_default();
            entry.0 = entry.0.max(*count);
            entry.1.extend(it.parameters.iter().cloned());
        }
    }
    assumptions.retain_mut(|it| match &it.assumption {
        Assumption::AvailabilityZones {
            region,
            count,
            excluded,
        } => {
            let greatest = most.get(&(region.clone(), excluded.clone()));
            let parameters = greatest
                .filter(|(most, _)| most == count)
                .map(|(_, parameters)| parameters.clone());
            let is_greatest = parameters.is_some();
            it.parameters = parameters.unwrap_or_default();
            is_greatest
        }
        _ => true,
    });
    assumptions
}

/// Returns what a stack and its nested stacks create, as the assumptions that it fulfills.
pub(super) fn created_by(stack: &EvaluatedStack) -> BTreeSet<Assumption> {
    let mut created = BTreeSet::new();
    add_created(stack, &mut created);
    created
}

fn add_created(stack: &EvaluatedStack, created: &mut BTreeSet<Assumption>) {
    for resource in stack.resources.values() {
        let named = |property: &str| resource.properties()?.get(property)?.as_text();
        created.extend(match resource.kind.as_str() {
            "AWS::SSM::Parameter" => named("Name").map(|name| Assumption::SsmParameter { name }),
            "AWS::SecretsManager::Secret" => named("Name").map(|id| Assumption::Secret { id }),
            "AWS::EC2::KeyPair" => named("KeyName").map(|name| Assumption::Named {
                parameter_type: "AWS::EC2::KeyPair::KeyName".to_owned(),
                name,
            }),
            _ => None,
        });
        if let Some(nested) = &resource.nested {
            add_created(nested, created);
        }
    }
    let exported = stack
        .outputs
        .values()
        .filter_map(|output| output.export_name());
    let names = exported.filter_map(Value::as_text);
    created.extend(names.map(|name| Assumption::Export { name }));
}
