//! Asks AWS, read-only, whether the assumptions of a forecast hold.
//!
//! Each kind of thing is asked about with at most one call per region, or page of its answer; only
//! objects and ARNs of secrets are asked about one by one. What can't be asked stays an assumption.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join, join_all};

use crate::aws::{Aws, AwsError, Clients, Ec2Lookup, ObjectLookup};
use crate::plan::AvailabilityZone;
use crate::plan::forecast::{Assumption, Fact, Facts, Forecast, Quota, QuotaUse, RegionFacts};

/// What to ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckScope {
    /// Everything.
    All,
    /// What a run doesn't look up itself and what is cheap to ask about: things that parameters
    /// name, stored values and exports.
    BeforeRun,
}

/// AWS's answers.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub facts: Facts,
    /// What couldn't be asked.
    pub failed: Vec<UnansweredCheck>,
}

/// A kind of thing that couldn't be asked about in a region.
#[derive(Debug)]
pub(crate) struct UnansweredCheck {
    /// The things: `key pairs`.
    pub things: &'static str,
    /// The IAM action that the call needs: `ec2:DescribeKeyPairs`.
    pub action: &'static str,
    pub profile: String,
    pub region: String,
    pub error: AwsError,
}

/// A kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Zones,
    /// What a parameter of a type names; the index in [`NAMED`].
    Named(usize),
    SsmParameters,
    Secrets,
    /// Secrets that are named by their ARNs.
    SecretArns,
    Exports,
    HostedZones,
    Objects,
}

/// A kind of thing in EC2 that a type of parameter names.
struct NamedKind {
    parameter_type: &'static str,
    things: &'static str,
    action: &'static str,
    lookup: Ec2Lookup,
}

const NAMED: [NamedKind; 8] = [
    named(
        "AWS::EC2::KeyPair::KeyName",
        ["key pairs", "ec2:DescribeKeyPairs"],
        ["DescribeKeyPairs", "key-name", "keyName"],
    ),
    named(
        "AWS::EC2::Image::Id",
        ["AMIs", "ec2:DescribeImages"],
        ["DescribeImages", "image-id", "imageId"],
    ),
    named(
        "AWS::EC2::Instance::Id",
        ["instances", "ec2:DescribeInstances"],
        ["DescribeInstances", "instance-id", "instanceId"],
    ),
    named(
        "AWS::EC2::Volume::Id",
        ["volumes", "ec2:DescribeVolumes"],
        ["DescribeVolumes", "volume-id", "volumeId"],
    ),
    named(
        "AWS::EC2::VPC::Id",
        ["VPCs", "ec2:DescribeVpcs"],
        ["DescribeVpcs", "vpc-id", "vpcId"],
    ),
    named(
        "AWS::EC2::Subnet::Id",
        ["subnets", "ec2:DescribeSubnets"],
        ["DescribeSubnets", "subnet-id", "subnetId"],
    ),
    named(
        "AWS::EC2::SecurityGroup::Id",
        ["security groups", "ec2:DescribeSecurityGroups"],
        ["DescribeSecurityGroups", "group-id", "groupId"],
    ),
    named(
        "AWS::EC2::SecurityGroup::GroupName",
        ["security groups", "ec2:DescribeSecurityGroups"],
        ["DescribeSecurityGroups", "group-name", "groupName"],
    ),
];

const HOSTED_ZONE: &str = "AWS::Route53::HostedZone::Id";
const ZONE: &str = "AWS::EC2::AvailabilityZone::Name";

const fn named(
    parameter_type: &'static str,
    [things, action]: [&'static str; 2],
    [operation, filter, element]: [&'static str; 3],
) -> NamedKind {
    NamedKind {
        parameter_type,
        things,
        action,
        lookup: Ec2Lookup {
            operation,
            filter,
            element,
        },
    }
}

impl Subject {
    /// Returns the kind of thing that an assumption about a stack in `region` is about; `None` if
    /// it can't be asked about.
    fn of(assumption: &Assumption, region: &str) -> Option<Self> {
        match assumption {
            Assumption::AvailabilityZones { region: of, .. } => {
                (of == region).then_some(Self::Zones)
            }
            Assumption::Named { parameter_type, .. } if parameter_type == ZONE => Some(Self::Zones),
            Assumption::Named { parameter_type, .. } if parameter_type == HOSTED_ZONE => {
                Some(Self::HostedZones)
            }
            Assumption::Named { parameter_type, .. } => {
                let is_it = |kind: &NamedKind| kind.parameter_type == parameter_type;
                NAMED.iter().position(is_it).map(Self::Named)
            }
            Assumption::SsmParameter { name } => {
                is_here(name, region).then_some(Self::SsmParameters)
            }
            Assumption::Secret { id } if id.starts_with("arn:") => {
                is_here(id, region).then_some(Self::SecretArns)
            }
            Assumption::Secret { .. } => Some(Self::Secrets),
            Assumption::Export { .. } => Some(Self::Exports),
            Assumption::Object { .. } => Some(Self::Objects),
            Assumption::StackOutput { .. }
            | Assumption::Url { .. }
            | Assumption::Macro { .. }
            | Assumption::ResourceType { .. }
            | Assumption::Value { .. } => None,
        }
    }

    fn is_in(self, scope: CheckScope) -> bool {
        scope == CheckScope::All || !matches!(self, Self::Zones | Self::HostedZones | Self::Objects)
    }

    /// Returns the name of the things, and the IAM action that asking about them needs.
    fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::Zones => ("availability zones", "ec2:DescribeAvailabilityZones"),
            Self::Named(kind) => (NAMED[kind].things, NAMED[kind].action),
            Self::SsmParameters => ("SSM parameters", "ssm:GetParameters"),
            Self::Secrets => ("secrets", "secretsmanager:ListSecrets"),
            Self::SecretArns => ("secrets", "secretsmanager:DescribeSecret"),
            Self::Exports => ("exports", "cloudformation:ListExports"),
            Self::HostedZones => ("hosted zones", "route53:ListHostedZones"),
            Self::Objects => ("objects", "s3:GetObject"),
        }
    }
}

/// Returns whether a name isn't an ARN of another region, where nobody looks it up.
fn is_here(name: &str, region: &str) -> bool {
    !name.starts_with("arn:") || name.split(':').nth(3) == Some(region)
}

/// What to ask about in a region.
#[derive(Default)]
struct RegionQuestions {
    /// Assumptions by the kind of thing that they are about.
    assumptions: BTreeMap<Subject, BTreeSet<Assumption>>,
    /// How much of each quota all tests use together.
    adds: BTreeMap<Quota, usize>,
}

/// Asks AWS about the assumptions of the configured cells.
pub(crate) async fn check_assumptions(
    forecast: &Forecast,
    aws: &Aws,
    scope: CheckScope,
) -> Checked {
    let mut questions: BTreeMap<(&str, &str), RegionQuestions> = BTreeMap::new();
    for cell in forecast.cells.iter().filter(|cell| cell.is_declared) {
        let here = questions.entry((&cell.profile, &cell.region)).or_default();
        for (quota, count) in cell.adds.iter().filter(|_| scope == CheckScope::All) {
            *here.adds.entry(*quota).or_default() += count;
        }
        for it in &cell.assumptions {
            if let Some(subject) = Subject::of(&it.assumption, &cell.region)
                && subject.is_in(scope)
            {
                let of_subject = here.assumptions.entry(subject).or_default();
                of_subject.insert(it.assumption.clone());
            }
        }
    }
    let asked = questions
        .into_iter()
        .map(|((profile, region), questions)| region_checked(profile, region, questions, aws));
    let mut checked = Checked::default();
    for (profile, region, facts, failed) in join_all(asked).await {
        *checked.facts.region_mut(profile, region) = facts;
        checked.failed.extend(failed);
    }
    checked
}

async fn region_checked<'q>(
    profile: &'q str,
    region: &'q str,
    questions: RegionQuestions,
    aws: &Aws,
) -> (&'q str, &'q str, RegionFacts, Vec<UnansweredCheck>) {
    let mut facts = RegionFacts::default();
    let mut failed = Vec::new();
    let clients = aws.clients(profile, region).await;
    let asked = questions
        .assumptions
        .into_iter()
        .map(async |(subject, assumptions)| {
            let answers = match subject {
                Subject::Objects => objects(assumptions, profile, &clients, aws).await,
                _ => answers(subject, assumptions, &clients).await,
            };
            (subject, answers)
        });
    let quotas = questions.adds.into_iter();
    let quotas = quotas
        .map(async |(quota, wanted)| (quota, quota_use(quota, wanted, region, &clients).await));
    let (asked, quotas) = join(join_all(asked), join_all(quotas)).await;
    let mut fail = |things, action, error| {
        failed.push(UnansweredCheck {
            things,
            action,
            profile: profile.to_owned(),
            region: region.to_owned(),
            error,
        });
    };
    for (quota, answer) in quotas {
        match answer {
            Ok(quota_use) => quota_use
                .into_iter()
                .for_each(|quota_use| facts.set_quota(quota, quota_use)),
            Err((action, error)) => fail("quotas", action, error),
        }
    }
    for (subject, answers) in asked {
        match answers {
            Ok(answers) => {
                answers
                    .zones
                    .into_iter()
                    .for_each(|zones| facts.set_zones(zones));
                for (assumption, fact) in answers.known {
                    facts.set(assumption, fact);
                }
            }
            Err(error) => {
                let (things, action) = subject.described();
                fail(things, action, error);
            }
        }
    }
    (profile, region, facts, failed)
}

/// Returns how much of a quota is used; `None` if its value isn't known. An error comes with the
/// IAM action that is needed.
async fn quota_use(
    quota: Quota,
    wanted: usize,
    region: &str,
    clients: &Clients,
) -> Result<Option<QuotaUse>, (&'static str, AwsError)> {
    let (service, code) = quota.codes();
    let limit = clients.service_quota(service, code).await;
    let Some(limit) = limit.map_err(|error| ("servicequotas:GetServiceQuota", error))? else {
        return Ok(None);
    };
    let count = async |operation, element, action| {
        let count = clients.count(operation, element).await;
        count.map_err(|error| (action, error))
    };
    let used = match quota {
        Quota::Vpcs => count("DescribeVpcs", "vpcId", "ec2:DescribeVpcs").await,
        Quota::Addresses => count("DescribeAddresses", "publicIp", "ec2:DescribeAddresses").await,
        Quota::InternetGateways => {
            let action = "ec2:DescribeInternetGateways";
            count("DescribeInternetGateways", "internetGatewayId", action).await
        }
        Quota::NatGateways => {
            let action = "ec2:DescribeNatGateways";
            count("DescribeNatGateways", "natGatewayId", action).await
        }
        Quota::Stacks => match clients.all_stacks().await {
            Ok(stacks) => Ok(stacks.len()),
            Err(error) => Err(("cloudformation:DescribeStacks", error)),
        },
    }?;
    Ok(Some(QuotaUse::new(quota, limit, used, wanted, region)))
}

/// Answers about one kind of thing.
#[derive(Default)]
struct Answers {
    zones: Option<Vec<AvailabilityZone>>,
    known: Vec<(Assumption, Fact)>,
}

async fn answers(
    subject: Subject,
    assumptions: BTreeSet<Assumption>,
    clients: &Clients,
) -> Result<Answers, AwsError> {
    let names: Vec<&str> = assumptions.iter().filter_map(name).collect();
    let exists = |is_there: bool| {
        if is_there {
            Fact::Exists
        } else {
            Fact::Missing
        }
    };
    let by_name = |found: &dyn Fn(&str) -> Fact| {
        let facts = assumptions
            .iter()
            .filter_map(|it| Some((it.clone(), found(name(it)?))));
        Answers {
            zones: None,
            known: facts.collect(),
        }
    };
    Ok(match subject {
        Subject::Zones => {
            let zones = clients.availability_zones().await?.into_iter();
            let zones: Vec<_> = zones
                .map(|(name, id)| AvailabilityZone { name, id })
                .collect();
            let has = |name: &str| exists(zones.iter().any(|zone| zone.name == name));
            let answers = by_name(&has);
            Answers {
                zones: Some(zones),
                ..answers
            }
        }
        Subject::Named(kind) => {
            let found = clients.existing(NAMED[kind].lookup, &names).await?;
            by_name(&|name| exists(found.contains(name)))
        }
        Subject::SsmParameters => {
            let found = clients.ssm_parameters(&names).await?;
            by_name(&|name| match found.get(name) {
                Some(Some(value)) => Fact::Value(value.clone()),
                Some(None) => Fact::Exists,
                None => Fact::Missing,
            })
        }
        Subject::Secrets => {
            let found = clients.secret_names(&names).await?;
            by_name(&|name| exists(found.contains(name)))
        }
        Subject::Exports => {
            let found = clients.exports().await?;
            by_name(&|name| match found.get(name) {
                Some(value) => Fact::Value(value.clone()),
                None => Fact::Missing,
            })
        }
        Subject::HostedZones => {
            let (found, is_truncated) = clients.hosted_zones().await?;
            let mut answers = by_name(&|name| exists(found.contains(name)));
            let is_certain = |fact: &Fact| *fact == Fact::Exists || !is_truncated;
            answers.known.retain(|(_, fact)| is_certain(fact));
            answers
        }
        Subject::SecretArns => {
            let mut found = BTreeSet::new();
            for arn in names {
                if clients.secret_exists(arn).await? {
                    found.insert(arn);
                }
            }
            by_name(&|name| exists(found.contains(name)))
        }
        // They may be in other regions.
        Subject::Objects => Answers::default(),
    })
}

/// Returns the name of the thing that an assumption is about.
fn name(assumption: &Assumption) -> Option<&str> {
    match assumption {
        Assumption::Named { name, .. }
        | Assumption::SsmParameter { name }
        | Assumption::Secret { id: name }
        | Assumption::Export { name } => Some(name),
        _ => None,
    }
}

/// Asks about objects, in the regions of their buckets.
async fn objects(
    assumptions: BTreeSet<Assumption>,
    profile: &str,
    clients: &Clients,
    aws: &Aws,
) -> Result<Answers, AwsError> {
    let mut answers = Answers::default();
    for assumption in assumptions {
        let Assumption::Object { bucket, key } = &assumption else {
            continue;
        };
        let lookup = match clients.object_lookup(bucket, key).await? {
            ObjectLookup::InRegion(region) => {
                let there = aws.clients(profile, &region).await;
                there.object_lookup(bucket, key).await?
            }
            here => here,
        };
        let fact = match lookup {
            ObjectLookup::Exists => Fact::Exists,
            ObjectLookup::Missing => Fact::Missing,
            ObjectLookup::InRegion(_) => continue,
        };
        answers.known.push((assumption, fact));
    }
    Ok(answers)
}
