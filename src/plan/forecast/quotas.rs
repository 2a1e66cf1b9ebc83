//! What stacks add of the things that an account may only have a number of.

use std::collections::BTreeMap;

use crate::catalog;
use crate::diagnostic::Location;
use crate::template::{ConditionValue, EvaluatedStack, Failure};

/// A quota that tests reach most often
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>,
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quota {
    /// VPCs per region.
    Vpcs,
    /// Elastic IP addresses per region.
    Addresses,
    /// Internet gateways per region.
    InternetGateways,
    /// NAT gateways per Availability Zone.
    NatGateways,
    /// Stacks per region.
    Stacks,
}

/// The value of a quota in a region, and how much of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaUse {
    /// How many are allowed.
    pub limit: usize,
    /// How many there are.
    pub used: usize,
    /// How many all tests in the region add together.
    pub wanted: usize,
}

impl QuotaUse {
    /// Returns how much of a quota of this value is used in a region, and wanted by all tests. The
    /// quota of NAT gateways is one per zone, and which zones they will be in isn't known.
    pub fn new(quota: Quota, value: usize, used: usize, wanted: usize, region: &str) -> Self {
        let limit = match quota {
            Quota::NatGateways => value * catalog::zones_of_every_account(region),
            _ => value,
        };
        Self {
            limit,
            used,
            wanted,
        }
    }
}

impl Quota {
    /// Returns the codes of the service and of the quota in Service Quotas.
    pub fn codes(self) -> (&'static str, &'static str) {
        match self {
            Self::Vpcs => ("vpc", "L-F678F1CE"),
            Self::Addresses => ("ec2", "L-0263D0A3"),
            Self::InternetGateways => ("vpc", "L-A4707A72"),
            Self::NatGateways => ("vpc", "L-FE5A380F"),
            Self::Stacks => ("cloudformation", "L-0485CB21"),
        }
    }

    /// Returns the name of the things.
    pub fn things(self) -> &'static str {
        match self {
            Self::Vpcs => "VPCs",
            Self::Addresses => "Elastic IP addresses",
            Self::InternetGateways => "internet gateways",
            Self::NatGateways => "NAT gateways",
            Self::Stacks => "stacks",
        }
    }

    /// Returns the quota that a resource counts toward.
    fn of(resource_type: &str) -> Option<Self> {
        match resource_type {
            "AWS::EC2::VPC" => Some(Self::Vpcs),
            "AWS::EC2::EIP" => Some(Self::Addresses),
            "AWS::EC2::InternetGateway" => Some(Self::InternetGateways),
            "AWS::EC2::NatGateway" => Some(Self::NatGateways),
            "AWS::CloudFormation::Stack" => Some(Self::Stacks),
            _ => None,
        }
    }
}

/// What a stack certainly adds, nested stacks included, and where the first of each is declared;
/// the stack itself at `start`.
pub(super) fn added_by(
    stack: &EvaluatedStack,
    start: Location,
) -> BTreeMap<Quota, (usize, Location)> {
    let mut added = BTreeMap::from([(Quota::Stacks, (1, start))]);
    add(stack, &mut added);
    added
}

fn add(stack: &EvaluatedStack, added: &mut BTreeMap<Quota, (usize, Location)>) {
    let resources = stack.resources.values();
    for resource in resources.filter(|it| it.exists == ConditionValue::True) {
        if let Some(quota) = Quota::of(&resource.kind) {
            let entry = added
                .entry(quota)
                .or_insert_with(|| (0, resource.at.clone()));
            entry.0 += 1;
        }
        if let Some(nested) = &resource.nested {
            add(nested, added);
        }
    }
}

/// Returns the failure of a stack that alone exceeds a quota; the message is ours, since each
/// service has its own.
pub(super) fn exceeded(
    quota: Quota,
    quota_use: QuotaUse,
    added: usize,
    at: Location,
) -> Option<Failure> {
    let QuotaUse { limit, used, .. } = quota_use;
    (used + added > limit).then(|| Failure {
        message: format!(
            "the quota of {limit} {} is exceeded: {used} exist, and the stack adds {added}",
            quota.things()
        ),
        at,
        nested_in: Vec::new(),
        notes: Vec::new(),
    })
}

/// Returns what must hold if all tests together exceed a quota, but none of them does alone.
pub(super) fn shared(quota: Quota, quota_use: QuotaUse, region: &str) -> Option<String> {
    let QuotaUse {
        limit,
        used,
        wanted,
    } = quota_use;
    (used + wanted > limit).then(|| {
        let things = quota.things();
        format!(
            "not all tests in {region} run at once: they add {wanted} {things} to {used}, and \
             {limit} are allowed"
        )
    })
}
