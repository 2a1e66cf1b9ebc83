//! Checks a complete stack: the `checks` of a test's configuration.
//!
//! Each kind that calls somebody has its file. `run` calls [`run`] for each check, and reports the
//! results. Every wait ends at the check's own limit.

mod address;
mod command;
mod drift;
mod http;
mod resource;
mod tcp;

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::aws::Clients;
use crate::duration::HumanDuration;
use crate::event::{CellId, CheckResult, StackOutput};
use crate::plan::{CheckPlan, CheckSubject, OutputText, PlannedParameter};

/// The stack that is checked.
pub(crate) struct CheckedStack<'a> {
    pub cell: &'a CellId,
    pub stack_name: &'a str,
    pub stack_id: &'a str,
    pub outputs: &'a [StackOutput],
    pub parameters: &'a [PlannedParameter],
    pub clients: &'a Clients,
    /// Whether the stack exists only in a simulation of AWS.
    pub is_simulated: bool,
    pub project_root: &'a Path,
    /// Changes to the environment of programs; `None` removes a variable.
    pub environment: &'a [(String, Option<String>)],
}

/// Makes a check.
pub(crate) async fn run(plan: &CheckPlan, stack: &CheckedStack<'_>) -> CheckResult {
    let checking = async {
        match &plan.subject {
            CheckSubject::Http { .. } => http::check(plan, stack).await,
            CheckSubject::Tcp { address } => tcp::check(address, plan, stack).await,
            CheckSubject::Output { key, matches } => output(key, matches, stack),
            CheckSubject::Resource {
                logical_id,
                property,
                identifier,
            } => resource::check(logical_id, property.as_ref(), identifier.as_ref(), stack).await,
            CheckSubject::Drift => drift::check(stack).await,
            CheckSubject::Command(command) => command::check(command, plan, stack).await,
        }
    };
    // Those that repeat attempts and those that run a program end earlier, and say more.
    let limit = plan.timeout.saturating_add(Duration::from_secs(5));
    let checked = timeout(limit, checking).await;
    checked
        .unwrap_or_else(|_| {
            Err(CheckFailure::new(format!(
                "no result within {}",
                HumanDuration(plan.timeout)
            )))
        })
        .unwrap_or_else(CheckFailure::into_result)
}

/// Why a check failed.
struct CheckFailure {
    reason: String,
    expected: Option<String>,
    found: Option<String>,
}

type Checked = Result<CheckResult, CheckFailure>;

impl CheckFailure {
    /// The check could not be made.
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            expected: None,
            found: None,
        }
    }

    /// Something else than expected was found; `subject` is what was looked at.
    fn found(subject: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let expected = expected.into();
        let found = found.into();
        Self {
            reason: format!("{subject}: expected {expected}, found {found}"),
            expected: Some(expected),
            found: Some(found),
        }
    }

    fn into_result(self) -> CheckResult {
        let Self {
            reason,
            expected,
            found,
        } = self;
        CheckResult::Failed {
            reason,
            expected,
            found,
        }
    }
}

/// Checks an output.
fn output(key: &str, matches: &regex::Regex, stack: &CheckedStack<'_>) -> Checked {
    match stack.output(key) {
        Some(value) if matches.is_match(value) => Ok(CheckResult::Passed),
        Some(value) => Err(CheckFailure::found(
            &format!("output {key}"),
            format!("a match of `{matches}`"),
            format!("`{value}`"),
        )),
        None => Err(no_output(key)),
    }
}

fn no_output(key: &str) -> CheckFailure {
    CheckFailure::new(format!("the stack has no output {key}"))
}

impl CheckedStack<'_> {
    fn output(&self, key: &str) -> Option<&str> {
        let found = self.outputs.iter().find(|it| it.key == key)?;
        Some(&found.value)
    }

    /// Returns a text with the stack's outputs in it.
    fn resolve(&self, text: &OutputText) -> Result<String, CheckFailure> {
        text.resolve(|key| self.output(key)).map_err(no_output)
    }
}

/// The result of one of several attempts.
enum CheckAttempt {
    Passed,
    /// Another attempt may pass.
    Failed(CheckFailure),
    /// No other attempt will pass.
    FailedForGood(CheckFailure),
}

/// Repeats an attempt until it passes or the check's time is over. `attempt` gets the time that is
/// left.
async fn repeat(plan: &CheckPlan, attempt: impl AsyncFn(Duration) -> CheckAttempt) -> Checked {
    let started = Instant::now();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let left = plan.timeout.saturating_sub(started.elapsed());
        let mut failure = match attempt(left).await {
            CheckAttempt::Passed => return Ok(CheckResult::Passed),
            CheckAttempt::FailedForGood(failure) => return Err(failure),
            CheckAttempt::Failed(failure) => failure,
        };
        if started.elapsed() + plan.interval >= plan.timeout {
            if attempts > 1 {
                let limit = HumanDuration(plan.timeout);
                failure.reason += &format!(" ({attempts} attempts in {limit})");
            }
            return Err(failure);
        }
        sleep(plan.interval).await;
    }
}
