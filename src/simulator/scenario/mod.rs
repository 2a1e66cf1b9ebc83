//! Scenarios: the scenario file as types, and which faults it has for resources and calls.
//!
//! `read` reads a file and reports all its errors. CloudFormation asks for faults of resources, the
//! protocols ask for faults of calls (`fault` applies them), and S3 and CloudFormation ask what is
//! hidden. The doc comments are the descriptions in `schemas/scenario.schema.json`, which is
//! generated from these types.

mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::lock;
use super::seed::SeedFile;
use crate::duration::HumanDuration;
pub(crate) use crate::wildcard::{Wildcard, matches_wildcard};
pub(crate) use read::read;

/// Faults for taskcat's simulator
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ScenarioFile {
    /// Resources that fail, time out, take long, or have given attributes
    pub resources: Vec<ResourceRule>,
    /// Attributes of resources by their logical IDs, for Fn::GetAtt: {Rand: {Value: abc}}
    pub attributes: BTreeMap<String, Map<String, Json>>,
    /// Calls that are throttled, denied, delayed or not answered
    pub calls: Vec<CallRule>,
    /// Stacks and buckets that are hidden for a while after their creation
    pub hidden: Vec<HiddenRule>,
    /// Regions that are not enabled for the account
    pub disabled_regions: Vec<Wildcard>,
    /// How far the clock in the Date header of responses is ahead
    pub clock_ahead: Option<HumanDuration>,
    /// The initial contents of the simulator
    pub seeds: SeedFile,
}

/// What happens to resources of stacks; all conditions must hold
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ResourceRule {
    /// Name of the stack; `*` stands for any characters, `?` for one
    pub stack: Option<Wildcard>,
    /// Logical ID of the resource
    pub logical_id: Option<Wildcard>,
    /// Type of the resource: AWS::S3::Bucket
    #[serde(rename = "type")]
    pub resource_type: Option<Wildcard>,
    /// Regions; default: all
    pub regions: Vec<Wildcard>,
    /// Account IDs; default: all
    pub accounts: Vec<Wildcard>,
    /// Operation on the resource; default: create
    pub phase: ResourcePhase,
    /// How long it takes in AWS; the simulator's speed shortens it
    pub takes: Option<HumanDuration>,
    /// Reason with which it fails
    pub fails: Option<String>,
    /// It fails because a response doesn't come in time: the signals of a wait condition or a
    /// creation policy, or the response of a custom resource
    pub times_out: bool,
    /// The failure is found by this validation before anything of the stack is created; only for
    /// the phase `create`
    pub validation: Option<ValidationName>,
    /// Path of the property that the validation is about: Tags/0/Key
    pub property: Option<String>,
    /// The failure is the refusal of this Hook: Acme::Naming::Hook
    pub hook: Option<String>,
    /// When it stops failing; default: never
    pub until: Option<FailureEnd>,
    /// What Fn::GetAtt returns for its attributes, such as the data of a custom resource or a wait
    /// condition
    pub attributes: Map<String, Json>,
}

/// A validation before the deployment
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ValidationName {
    /// A property is invalid
    Property,
    /// The name is taken
    NameConflict,
}

/// When a resource stops failing; if both are given, both must hold
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FailureEnd {
    /// After this number of failures
    pub attempts: Option<NonZeroU32>,
    /// Once this bucket is empty or deleted
    pub bucket_is_empty: Option<String>,
}

/// Operation on a resource
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResourcePhase {
    #[default]
    Create,
    Update,
    Delete,
    /// Rollback to the state before a failed update
    Rollback,
}

/// What happens to calls of an API; all conditions must hold
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallRule {
    /// Service: cloudformation, s3, sts, ec2, ssm, secretsmanager or codepipeline; wildcards are
    /// allowed
    pub service: Wildcard,
    /// Action: CreateStack, Put*; default: all
    #[serde(default)]
    pub action: Option<Wildcard>,
    /// Name of the stack, bucket, parameter or secret that the call is about
    #[serde(default)]
    pub name: Option<Wildcard>,
    /// Regions; default: all
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// Account IDs of callers; default: all
    #[serde(default)]
    pub accounts: Vec<Wildcard>,
    /// What happens to the call
    pub fault: FaultKind,
    /// Whether the fault comes before or after the call takes effect; default: before
    #[serde(default)]
    pub phase: CallPhase,
    /// Error code of the fault `error`; default: InternalFailure
    #[serde(default)]
    pub code: Option<String>,
    /// Message of the faults `error` and `deny`
    #[serde(default)]
    pub message: Option<String>,
    /// HTTP status of the fault `error`; default: 500
    #[serde(default)]
    #[schemars(range(min = 400, max = 599))]
    pub status: Option<u16>,
    /// How long the faults `delay` and `hang` hold the call, in real time; default: 30s
    #[serde(default, rename = "for")]
    pub lasts: Option<HumanDuration>,
    /// Number of calls that succeed first
    #[serde(default)]
    pub skip: u32,
    /// After those, only every n-th call is affected
    #[serde(default)]
    pub every: Option<NonZeroU32>,
    /// Largest number of calls that are affected; default: unlimited
    #[serde(default)]
    pub times: Option<NonZeroU32>,
}

/// When a fault is applied
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CallPhase {
    /// The call has no effect, or takes effect late if the fault is `delay`
    #[default]
    Before,
    /// The call takes effect, and only its response is lost, replaced or late
    After,
}

/// What happens to a call
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FaultKind {
    /// The service answers that there are too many requests
    Throttle,
    /// The caller is not allowed to do that
    Deny,
    /// An error of your choice
    Error,
    /// The response comes late
    Delay,
    /// No response comes, and after a while the connection is closed
    Hang,
    /// The connection is closed at once
    Cut,
}

/// A stack or bucket that is hidden for a while
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HiddenRule {
    /// Kind of resource
    pub kind: HiddenKind,
    /// Name; default: any
    #[serde(default)]
    pub name: Option<Wildcard>,
    /// Regions; default: all
    #[serde(default)]
    pub regions: Vec<Wildcard>,
    /// For how long after its creation, in AWS; the simulator's speed shortens it
    #[serde(rename = "for")]
    pub lasts: HumanDuration,
}

/// What can be hidden
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HiddenKind {
    Stack,
    Bucket,
}

/// A scenario, with counts of calls and attempts. The default one has no faults.
#[derive(Debug, Default)]
pub(crate) struct Scenario {
    file: ScenarioFile,
    /// For each rule for calls: the number of calls that matched it, and of those that were
    /// affected.
    calls: Mutex<Vec<(u64, u64)>>,
    attempts: Mutex<HashMap<AttemptKey, u32>>,
    /// The rules that have matched something.
    matched: Arc<Mutex<BTreeSet<RuleId>>>,
}

/// A rule by its list in the file and its index: `resources[0]`.
type RuleId = (&'static str, usize);

/// The rules of a scenario, and which of them have matched something; it outlives the simulator.
#[derive(Debug, Default)]
pub(crate) struct RuleUsage {
    rules: Vec<RuleId>,
    matched: Arc<Mutex<BTreeSet<RuleId>>>,
}

impl RuleUsage {
    /// Returns the rules that have matched nothing so far: `resources[0]`.
    pub(crate) fn unmatched_rules(&self) -> Vec<String> {
        let matched = lock(&self.matched);
        let unmatched_rules = self.rules.iter().filter(|rule| !matched.contains(*rule));
        unmatched_rules
            .map(|(list, index)| format!("{list}[{index}]"))
            .collect()
    }
}

/// A rule, and the account, region, stack and logical ID of a resource.
type AttemptKey = (usize, String, String, String, String);

/// A resource that is about to be created, updated or deleted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceFacts<'a> {
    pub account: &'a str,
    pub region: &'a str,
    /// The stack's name.
    pub stack: &'a str,
    pub logical_id: &'a str,
    pub resource_type: &'a str,
    pub phase: ResourcePhase,
}

/// What happens to a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceFault {
    /// Nominal time.
    pub takes: Option<Duration>,
    /// The reason of the failure.
    pub fails: Option<String>,
    /// Whether it fails because a response doesn't come in time.
    pub times_out: bool,
    /// The Hook that refuses it.
    pub hook: Option<String>,
}

/// A validation that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailedValidation<'s> {
    pub name: ValidationName,
    pub property: Option<&'s str>,
    pub reason: &'s str,
}

/// A call that has just come in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallFacts<'a> {
    pub service: &'a str,
    pub action: &'a str,
    pub account: &'a str,
    pub region: &'a str,
    /// The name of the stack, bucket, parameter or secret that it is about.
    pub name: Option<&'a str>,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallFault {
    Throttle,
    Deny {
        message: Option<String>,
    },
    Error {
        status: u16,
        code: String,
        message: String,
    },
    Delay(Duration),
    Hang(Duration),
    Cut,
}

/// How long `delay` and `hang` hold a call by default.
const DEFAULT_HOLD: Duration = Duration::from_secs(30);

impl Scenario {
    /// Returns the scenario of a file.
    pub(crate) fn new(file: ScenarioFile) -> Self {
        let calls = Mutex::new(vec![(0, 0); file.calls.len()]);
        Self {
            file,
            calls,
            attempts: Mutex::default(),
            matched: Arc::default(),
        }
    }

    /// Returns a record of the rules that match something from now on.
    pub(crate) fn usage(&self) -> RuleUsage {
        let resources = (0..self.file.resources.len()).map(|index| ("resources", index));
        let calls = (0..self.file.calls.len()).map(|index| ("calls", index));
        RuleUsage {
            rules: resources.chain(calls).collect(),
            matched: self.matched.clone(),
        }
    }

    /// Returns the fault for a resource; each call counts as an attempt. Of the rules that apply,
    /// the first with a time and the first with a failure count.
    pub(crate) fn resource_fault(
        &self,
        facts: &ResourceFacts,
        is_empty: &dyn Fn(&str) -> bool,
    ) -> ResourceFault {
        let mut fault = ResourceFault::default();
        for (index, rule) in self
            .file
            .resources
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.applies(facts))
        {
            lock(&self.matched).insert(("resources", index));
            fault.takes = fault.takes.or(rule.takes.map(|it| it.0));
            let is_first = fault.fails.is_none() && !fault.times_out;
            if is_first && rule.is_fatal() && self.still_fails(index, rule, facts, is_empty) {
                fault.fails.clone_from(&rule.fails);
                fault.times_out = rule.times_out;
                fault.hook.clone_from(&rule.hook);
            }
        }
        fault
    }

    /// Returns whether any validation fails.
    pub(crate) fn has_validations(&self) -> bool {
        let rules = &self.file.resources;
        rules.iter().any(|rule| rule.validation.is_some())
    }

    /// Returns the validations that a resource fails before its stack is created.
    pub(crate) fn failed_validations(&self, facts: &ResourceFacts) -> Vec<FailedValidation<'_>> {
        let rules = self.file.resources.iter().enumerate();
        let failing = rules.filter_map(|(index, rule)| {
            let name = rule.validation.filter(|_| rule.applies(facts))?;
            lock(&self.matched).insert(("resources", index));
            Some(FailedValidation {
                name,
                property: rule.property.as_deref(),
                reason: rule.fails.as_deref()?,
            })
        });
        failing.collect()
    }

    fn still_fails(
        &self,
        index: usize,
        rule: &ResourceRule,
        facts: &ResourceFacts,
        is_empty: &dyn Fn(&str) -> bool,
    ) -> bool {
        let Some(until) = &rule.until else {
            return true;
        };
        let full = until
            .bucket_is_empty
            .as_deref()
            .is_some_and(|bucket| !is_empty(bucket));
        let early = until.attempts.is_some_and(|allowed| {
            let owned = |text: &str| text.to_owned();
            let key = (
                index,
                owned(facts.account),
                owned(facts.region),
                owned(facts.stack),
                owned(facts.logical_id),
            );
            let mut attempts = lock(&self.attempts);
            let failed = attempts.entry(key).or_default();
            let fails = *failed < allowed.get();
            *failed += u32::from(fails);
            fails
        });
        full || early
    }

    /// Returns the value of an attribute if the file sets it: in the resource's own entry, else in
    /// the first rule that does.
    pub(crate) fn attribute(&self, facts: &ResourceFacts, name: &str) -> Option<&Json> {
        let own = self
            .file
            .attributes
            .get(facts.logical_id)
            .and_then(|attributes| attributes.get(name));
        let mut rules = self
            .file
            .resources
            .iter()
            .filter(|rule| rule.is_about(facts));
        own.or_else(|| rules.find_map(|rule| rule.attributes.get(name)))
    }

    /// Returns the fault for a call, which is counted. The first rule that applies counts.
    pub(crate) fn call_fault(&self, facts: &CallFacts) -> Option<(CallPhase, CallFault)> {
        if self.file.calls.is_empty() {
            return None;
        }
        let mut counts = lock(&self.calls);
        let rules = self.file.calls.iter().zip(counts.iter_mut());
        // Every rule counts the calls that match it, whichever rule applies.
        let hits: Vec<&CallRule> = rules
            .filter_map(|(rule, counts)| rule.hits(facts, counts).then_some(rule))
            .collect();
        let matched = counts
            .iter()
            .enumerate()
            .filter(|(_, (seen, _))| *seen > 0)
            .map(|(index, _)| ("calls", index));
        lock(&self.matched).extend(matched);
        hits.first().map(|rule| (rule.phase, rule.to_fault()))
    }

    /// Returns whether a rule denies every call of an IAM action (`s3:PutObject`) to an account.
    pub(crate) fn denies(&self, account: &str, action: &str) -> bool {
        let Some((service, name)) = action.split_once(':') else {
            return false;
        };
        self.file.calls.iter().any(|rule| {
            let is_permanent = rule.name.is_none()
                && rule.regions.is_empty()
                && rule.times.is_none()
                && rule.every.is_none();
            rule.fault == FaultKind::Deny
                && is_permanent
                && rule.service.matches(service)
                && rule.action.as_ref().is_none_or(|it| it.matches(name))
                && (rule.accounts.is_empty() || rule.accounts.iter().any(|it| it.matches(account)))
        })
    }

    /// Returns by how much the clock of AWS is ahead.
    pub(crate) fn clock_ahead(&self) -> Option<Duration> {
        self.file.clock_ahead.map(|it| it.0)
    }

    /// Returns whether the region is disabled for the account.
    pub(crate) fn is_disabled(&self, region: &str) -> bool {
        self.file
            .disabled_regions
            .iter()
            .any(|pattern| pattern.matches(region))
    }

    /// Returns the nominal time for which a new stack or bucket is hidden.
    pub(crate) fn hidden_for(
        &self,
        kind: HiddenKind,
        region: &str,
        name: &str,
    ) -> Option<Duration> {
        let applies = |rule: &&HiddenRule| {
            rule.kind == kind
                && matches_any(&rule.regions, region)
                && matches_optional(rule.name.as_ref(), name)
        };
        self.file
            .hidden
            .iter()
            .find(applies)
            .map(|rule| rule.lasts.0)
    }
}

impl ResourceRule {
    fn is_fatal(&self) -> bool {
        (self.fails.is_some() || self.times_out) && self.validation.is_none()
    }

    fn applies(&self, facts: &ResourceFacts) -> bool {
        self.phase == facts.phase && self.is_about(facts)
    }

    fn is_about(&self, facts: &ResourceFacts) -> bool {
        matches_optional(self.stack.as_ref(), facts.stack)
            && matches_optional(self.logical_id.as_ref(), facts.logical_id)
            && matches_optional(self.resource_type.as_ref(), facts.resource_type)
            && matches_any(&self.regions, facts.region)
            && matches_any(&self.accounts, facts.account)
    }
}

impl CallRule {
    fn hits(&self, facts: &CallFacts, (seen, hit): &mut (u64, u64)) -> bool {
        let about = self.service.matches(facts.service)
            && matches_optional(self.action.as_ref(), facts.action)
            && self
                .name
                .as_ref()
                .is_none_or(|name| facts.name.is_some_and(|found| name.matches(found)))
            && matches_any(&self.regions, facts.region)
            && matches_any(&self.accounts, facts.account);
        if !about {
            return false;
        }
        *seen += 1;
        let number = seen.saturating_sub(self.skip.into());
        let due = number > 0
            && self
                .every
                .is_none_or(|every| number % u64::from(every.get()) == 0);
        let hits = due && self.times.is_none_or(|times| *hit < u64::from(times.get()));
        *hit += u64::from(hits);
        hits
    }

    fn to_fault(&self) -> CallFault {
        let lasts = self.lasts.map_or(DEFAULT_HOLD, |it| it.0);
        match self.fault {
            FaultKind::Throttle => CallFault::Throttle,
            FaultKind::Deny => CallFault::Deny {
                message: self.message.clone(),
            },
            FaultKind::Error => CallFault::Error {
                status: self.status.unwrap_or(500),
                code: self
                    .code
                    .clone()
                    .unwrap_or_else(|| "InternalFailure".to_owned()),
                message: self
                    .message
                    .clone()
                    .unwrap_or_else(|| "Fault injected by the scenario.".to_owned()),
            },
            FaultKind::Delay => CallFault::Delay(lasts),
            FaultKind::Hang => CallFault::Hang(lasts),
            FaultKind::Cut => CallFault::Cut,
        }
    }
}

fn matches_optional(pattern: Option<&Wildcard>, text: &str) -> bool {
    pattern.is_none_or(|pattern| pattern.matches(text))
}

/// Returns whether a pattern matches; an empty list matches everything.
fn matches_any(patterns: &[Wildcard], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(text))
}

#[cfg(test)]
mod tests;
