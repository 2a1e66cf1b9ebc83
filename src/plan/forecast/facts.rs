//! What AWS has answered about the assumptions of a forecast.

use std::collections::{BTreeMap, BTreeSet};

use super::quotas::{Quota, QuotaUse};
use crate::plan::AvailabilityZone;
use crate::template::Assumption;

/// What is known about the accounts, by profile and region; empty offline.
#[derive(Clone, Debug, Default)]
pub struct Facts(BTreeMap<(String, String), RegionFacts>);

/// What is known about a profile's account in a region.
#[derive(Clone, Debug, Default)]
pub struct RegionFacts {
    zones: Option<Vec<AvailabilityZone>>,
    quotas: BTreeMap<Quota, QuotaUse>,
    known: BTreeMap<Assumption, Fact>,
}

/// What is known about the subject of an assumption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It doesn't exist.
    Missing,
    /// It exists.
    Exists,
    /// It exists and has this value.
    Value(String),
}

impl Facts {
    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(RegionFacts::is_empty)
    }

    /// Returns what is known in a region with a profile.
    pub fn of(&self, profile: &str, region: &str) -> RegionFacts {
        let key = (profile.to_owned(), region.to_owned());
        self.0.get(&key).cloned().unwrap_or_default()
    }

    /// Returns the facts of a region to add to.
    pub fn region_mut(&mut self, profile: &str, region: &str) -> &mut RegionFacts {
        let key = (profile.to_owned(), region.to_owned());
        self.0.entry(key).or_default()
    }
}

impl RegionFacts {
    fn is_empty(&self) -> bool {
        self.zones.is_none() && self.quotas.is_empty() && self.known.is_empty()
    }

    /// Adds the region's Availability Zones.
    pub fn set_zones(&mut self, zones: Vec<AvailabilityZone>) {
        self.zones = Some(zones);
    }

    /// Adds how much of a quota is used.
    pub fn set_quota(&mut self, quota: Quota, quota_use: QuotaUse) {
        self.quotas.insert(quota, quota_use);
    }

    /// Returns how much of a quota is used, if that is known.
    pub(super) fn quota(&self, quota: Quota) -> Option<QuotaUse> {
        self.quotas.get(&quota).copied()
    }

    /// Adds what is known about the subject of an assumption.
    pub fn set(&mut self, assumption: Assumption, fact: Fact) {
        self.known.insert(assumption, fact);
    }

    /// Returns what is known about the subject of an assumption.
    pub fn get(&self, assumption: &Assumption) -> Option<&Fact> {
        self.known.get(assumption)
    }

    /// Returns the region's Availability Zones, if they are known.
    pub fn zones(&self) -> Option<&[AvailabilityZone]> {
        self.zones.as_deref()
    }

    /// Returns whether an assumption about a stack in `region` certainly holds.
    pub(super) fn holds(&self, assumption: &Assumption, region: &str) -> bool {
        match assumption {
            Assumption::AvailabilityZones {
                region: of,
                count,
                excluded,
            } if of == region => self.zones.as_ref().is_some_and(|zones| {
                let usable = zones.iter().filter(|zone| !excluded.contains(&zone.id));
                usable.count() >= *count
            }),
            other => matches!(self.get(other), Some(Fact::Exists | Fact::Value(_))),
        }
    }

    /// Forgets what doesn't exist yet but is created by the stack itself. Returns whether there was
    /// anything to forget.
    pub(super) fn forget_missing(&mut self, created: &BTreeSet<Assumption>) -> bool {
        let known = self.known.len();
        self.known
            .retain(|assumption, fact| *fact != Fact::Missing || !is_among(created, assumption));
        self.known.len() < known
    }
}

/// Returns whether the stack itself fulfills an assumption.
pub(super) fn is_among(created: &BTreeSet<Assumption>, assumption: &Assumption) -> bool {
    match assumption {
        // Versions count from 1 with each parameter.
        Assumption::SsmParameter { name } => {
            let name = name.split(':').next().unwrap_or_default().to_owned();
            created.contains(&Assumption::SsmParameter { name })
        }
        other => created.contains(other),
    }
}
