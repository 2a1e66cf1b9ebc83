//! Asks AWS about the assumptions of a forecast, for `taskcat plan --check` and before a run.

use std::collections::{BTreeMap, BTreeSet};

use super::error::CliError;
use super::output;
use super::project::CliProject;
use crate::aws::{Aws, ErrorKind};
use crate::plan::PlanDraft;
use crate::plan::forecast::{Facts, Forecast, ForecastVerdict, RegionScope};
use crate::run::{CheckScope, UnansweredCheck, check_assumptions};
use crate::template::Templates;

/// Asks about every assumption of a draft's tests and returns the answers. Prints what couldn't be
/// asked.
///
/// # Errors
/// No question was answered, for want of credentials.
pub(super) async fn facts(
    project: &CliProject,
    draft: &PlanDraft,
    templates: &mut Templates,
    aws: &Aws,
) -> Result<Facts, CliError> {
    let forecast = project.forecast(draft, templates, RegionScope::Declared)?;
    let checked = check_assumptions(&forecast, aws, CheckScope::All).await;
    let lacks_credentials = |failed: &&UnansweredCheck| {
        failed.error.is(ErrorKind::Credentials) || failed.error.is(ErrorKind::MissingProfile)
    };
    if let Some(failed) = checked.failed.iter().find(lacks_credentials) {
        return Err(CliError::aws(&failed.profile, failed.error.clone()));
    }
    warn(&checked.failed);
    Ok(checked.facts)
}

/// Refuses each test and region that would fail because of what doesn't exist in its account;
/// `before` is its prediction without AWS. Names the IAM actions that were denied.
pub(super) async fn refuse_missing(
    project: &CliProject,
    draft: &mut PlanDraft,
    templates: &mut Templates,
    before: &Forecast,
    aws: &Aws,
) -> Result<(), CliError> {
    let checked = check_assumptions(before, aws, CheckScope::BeforeRun).await;
    if let Some(actions) = denied_actions(&checked.failed) {
        output::warning_with_help(
            &format!("cannot check first whether what the tests need exists: {actions} denied"),
            "allow these IAM actions, or skip the check with --no-check",
        );
    }
    if checked.facts.is_empty() {
        return Ok(());
    }
    let scope = RegionScope::Declared;
    let after = project.forecast_with(draft, templates, scope, &checked.facts)?;
    for (before, after) in before.cells.iter().zip(&after.cells) {
        let is_refused = after.verdict() == ForecastVerdict::WouldFail;
        if before.verdict() != ForecastVerdict::WouldFail
            && is_refused
            && let Some(failure) = after.failures.first()
        {
            let file = failure.at.file.strip_prefix(&project.root);
            let file = file.unwrap_or(&failure.at.file).display();
            let line = failure.at.at.line;
            let reason = format!("{file}:{line}: {}", failure.message);
            draft.refuse(&after.test, &after.region, reason);
        }
    }
    Ok(())
}

/// Returns the IAM actions that were denied, separated by commas.
fn denied_actions(failed: &[UnansweredCheck]) -> Option<String> {
    let denied = failed.iter().filter(|it| it.error.is(ErrorKind::Denied));
    let actions: BTreeSet<&str> = denied.map(|it| it.action).collect();
    let actions: Vec<&str> = actions.into_iter().collect();
    (!actions.is_empty()).then(|| actions.join(", "))
}

/// Warns about what couldn't be asked, and names the IAM actions that it needs.
fn warn(failed: &[UnansweredCheck]) {
    let mut by_reason: BTreeMap<(&str, String), BTreeSet<&str>> = BTreeMap::new();
    for it in failed {
        let answer = it.error.answer();
        let regions = by_reason.entry((it.things, answer)).or_default();
        regions.insert(&it.region);
    }
    for ((things, answer), regions) in by_reason {
        let regions: Vec<&str> = regions.into_iter().collect();
        output::warning(&format!(
            "cannot check {things} in {}: {answer}",
            regions.join(", ")
        ));
    }
    if let Some(actions) = denied_actions(failed) {
        let help = "an IAM policy with these actions allows the check";
        let message = format!("these IAM actions are needed and denied: {actions}");
        output::warning_with_help(&message, help);
    }
}
