//! What the caller of AWS may do, and where: the clock, the regions, and the permissions.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::super::error::ExitStatus;
use super::check::DoctorCheck;
use crate::aws::{Aws, AwsError, CallerIdentity, Clients, PolicySource};
use crate::iam_policy::{self, PolicyRequest};

/// Time limit for the calls of a check.
const LIMIT: Duration = Duration::from_secs(20);

/// "In most cases, a request must reach AWS within five minutes of the time stamp in the request."
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-signing.html>
const MAX_SKEW: u64 = 300;

/// The statements of a policy about this program's own calls.
const OWN_STATEMENTS: &str = "Taskcat";

/// Depends on the service that a role is passed to, which a simulation isn't told.
const PASS_ROLE: &str = "iam:PassRole";

/// Never the name of a stack of a project. Describing it needs a permission and changes nothing.
const NO_STACK: &str = "taskcat-doctor";

const ALLOW: &str = "allow them with the policy that `taskcat generate-iam-policy` writes";

/// A profile whose access is checked.
pub(super) struct AccessCheck<'a> {
    pub aws: &'a Aws,
    pub profile: &'a str,
    /// The regions that are used, at least one.
    pub regions: &'a [String],
    /// `None` if AWS cannot be called.
    pub caller: Option<&'a CallerIdentity>,
    /// What the project needs; `None` outside of a project.
    pub needed: Option<&'a PolicyRequest<'a>>,
}

impl AccessCheck<'_> {
    /// Returns the results. Each check has a time limit.
    pub(super) async fn results(&self) -> Vec<DoctorCheck> {
        let clock = self.clock().await;
        let Some(caller) = self.caller else {
            let why = "AWS cannot be called with this profile";
            let skipped = ["enabled", "permissions"].map(|it| DoctorCheck::not_checked(it, why));
            return std::iter::once(clock).chain(skipped).collect();
        };
        vec![
            clock,
            limited("enabled", self.enabled_regions(caller)).await,
            limited("permissions", self.permissions(caller)).await,
        ]
    }

    async fn clock(&self) -> DoctorCheck {
        let mut ahead = None;
        for region in self.regions {
            ahead = ahead.or(self.clients(region).await.seconds_ahead());
        }
        match ahead {
            Some(ahead) => clock_result(ahead),
            None => DoctorCheck::not_checked("clock", "no response from AWS"),
        }
    }

    async fn clients(&self, region: &str) -> std::sync::Arc<Clients> {
        self.aws.clients(self.profile, region).await
    }

    /// Asks in the regions one after the other, since one that isn't enabled doesn't answer.
    async fn enabled_regions(&self, caller: &CallerIdentity) -> DoctorCheck {
        let mut refusal = None;
        for region in self.regions {
            match self.clients(region).await.disabled_regions().await {
                Ok(disabled) => return regions_result(self.regions, &disabled, caller),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        let why = refusal.map(|it| it.to_string()).unwrap_or_default();
        DoctorCheck::not_checked("enabled", &why).warning(
            format!("cannot check which regions are enabled: {why}"),
            "allow ec2:DescribeRegions",
        )
    }

    async fn permissions(&self, caller: &CallerIdentity) -> DoctorCheck {
        let Some(needed) = self.needed else {
            return DoctorCheck::not_checked("permissions", "no project needs any here");
        };
        let Some(region) = self.regions.first() else {
            return DoctorCheck::not_checked("permissions", "no region is used");
        };
        let clients = self.clients(region).await;
        let principal = match PolicySource::of(caller) {
            PolicySource::Principal(arn) => Ok(arn),
            PolicySource::RoleName(name) => clients.role_arn(&name).await.map_err(Some),
            PolicySource::Root => {
                let text = "all allowed to the root user, whom only policies of an organization \
                            restrict (not checked)";
                return DoctorCheck::new("permissions", text);
            }
            PolicySource::Other => Err(None),
        };
        let simulated = match principal {
            Ok(arn) => simulate(&clients, &arn, needed).await.map_err(Some),
            Err(error) => Err(error),
        };
        match simulated {
            Ok(decided) => decided.to_result(&caller.arn),
            Err(error) => try_calls(&clients, error.as_ref()).await,
        }
    }
}

async fn limited(name: &'static str, check: impl Future<Output = DoctorCheck>) -> DoctorCheck {
    let result = tokio::time::timeout(LIMIT, check).await;
    result.unwrap_or_else(|_| {
        let why = format!("no answer within {} s", LIMIT.as_secs());
        DoctorCheck::not_checked(name, &why).warning(
            format!("cannot check what is {name}: {why}"),
            "check the network and the endpoint",
        )
    })
}

fn clock_result(ahead: i64) -> DoctorCheck {
    let seconds = ahead.unsigned_abs();
    let side = if ahead > 0 { "behind" } else { "ahead of" };
    if seconds <= 1 {
        return DoctorCheck::new("clock", "the same time as AWS");
    }
    let text = format!("{seconds} s {side} AWS");
    if seconds <= MAX_SKEW {
        return DoctorCheck::new("clock", text);
    }
    let message = format!(
        "the clock of this machine is {} min {side} AWS, which refuses requests that are signed \
         more than 5 min off",
        seconds / 60
    );
    DoctorCheck::new("clock", text).error(
        ExitStatus::Aws,
        message,
        "synchronize the clock, such as with NTP; only some of the calls correct the difference",
    )
}

fn regions_result(
    used: &[String],
    disabled: &BTreeSet<String>,
    caller: &CallerIdentity,
) -> DoctorCheck {
    let (off, on): (Vec<_>, Vec<_>) = used
        .iter()
        .map(String::as_str)
        .partition(|it| disabled.contains(*it));
    let shown = |names: &[&str]| match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    if off.is_empty() {
        return DoctorCheck::new("enabled", shown(&on));
    }
    let text = format!("{}; not enabled: {}", shown(&on), shown(&off));
    let account = &caller.account_id;
    off.iter()
        .fold(DoctorCheck::new("enabled", text), |result, region| {
            result.error(
            ExitStatus::Aws,
            format!("the region {region} is not enabled in account {account}"),
            format!(
                "enable it with `aws account enable-region --region-name {region}`, or remove it \
                 from `regions`"
            ),
        )
        })
}

/// What a simulation of policies decided.
#[derive(Default)]
struct SimulatedActions {
    count: usize,
    /// Of this program's calls.
    denied_calls: BTreeSet<String>,
    /// Of those that CloudFormation may make for resources.
    denied_to_resources: BTreeSet<String>,
    has_pass_role: bool,
}

/// Simulates the policies of a user or role for every statement of the policy that is needed.
async fn simulate(
    clients: &Clients,
    principal: &str,
    needed: &PolicyRequest<'_>,
) -> Result<SimulatedActions, AwsError> {
    let document = iam_policy::generate(needed).document;
    let mut decided = SimulatedActions::default();
    let statements = document["Statement"].as_array();
    for statement in statements.into_iter().flatten() {
        let mut actions = strings(&statement["Action"]);
        let all = actions.len();
        actions.retain(|it| *it != PASS_ROLE);
        decided.has_pass_role |= actions.len() < all;
        if actions.is_empty() {
            continue;
        }
        let resources = strings(&statement["Resource"]);
        let denied = clients
            .denied_actions(principal, &actions, &resources)
            .await?;
        decided.count += actions.len();
        let is_own = statement["Sid"]
            .as_str()
            .is_some_and(|sid| sid.starts_with(OWN_STATEMENTS));
        if is_own {
            decided.denied_calls.extend(denied);
        } else {
            decided.denied_to_resources.extend(denied);
        }
    }
    Ok(decided)
}

/// Returns a string, or those of a list.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

impl SimulatedActions {
    fn to_result(&self, arn: &str) -> DoctorCheck {
        let denied = self.denied_calls.len() + self.denied_to_resources.len();
        let pass_role = if self.has_pass_role {
            "iam:PassRole, "
        } else {
            ""
        };
        let text = format!(
            "{} of {} actions allowed (simulated by IAM); not checked: {pass_role}policies of \
             sessions and of resources",
            self.count.saturating_sub(denied),
            self.count
        );
        let mut result = DoctorCheck::new("permissions", text);
        let shown = |actions: &BTreeSet<String>| {
            actions
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        if !self.denied_calls.is_empty() {
            let actions = shown(&self.denied_calls);
            let message =
                format!("the policies of {arn} do not allow what taskcat calls: {actions}");
            result = result.error(ExitStatus::Aws, message, ALLOW);
        }
        if !self.denied_to_resources.is_empty() {
            let actions = shown(&self.denied_to_resources);
            let message = format!(
                "the policies of {arn} do not allow what CloudFormation may call for the \
                 resources: {actions}"
            );
            result = result.warning(message, ALLOW);
        }
        result
    }
}

/// Tries calls that change nothing, where policies cannot be simulated.
async fn try_calls(clients: &Clients, refusal: Option<&AwsError>) -> DoctorCheck {
    let stacks = clients.describe_stack(NO_STACK).await.err();
    let buckets = clients.list_buckets(NO_STACK).await.err();
    let tried = [
        ("cloudformation:DescribeStacks", stacks),
        ("s3:ListAllMyBuckets", buckets),
    ];
    let allowed: Vec<&str> = tried
        .iter()
        .filter_map(|(action, error)| error.is_none().then_some(*action))
        .collect();
    let allowed = match allowed[..] {
        [] => "none".to_owned(),
        _ => allowed.join(", "),
    };
    let why = refusal.map_or_else(
        || "IAM cannot simulate this kind of caller".to_owned(),
        ToString::to_string,
    );
    let text = format!("allowed when tried: {allowed}; the others were not checked");
    let mut result = DoctorCheck::new("permissions", text);
    for (action, error) in tried {
        if let Some(error) = error {
            let message = format!("{action} failed: {error}");
            result = result.error(ExitStatus::Aws, message, ALLOW);
        }
    }
    result.warning(
        format!("most permissions cannot be checked without changing something: {why}"),
        "allow iam:SimulatePrincipalPolicy and iam:GetRole to let IAM simulate them",
    )
}
