//! Lints the templates of a project with the chosen engine.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::cfn_lint::{self, LintTarget};
use super::suppression::TemplateSuppressions;
use super::{Finding, GuardRuleFile, RuleSelection, merged};
use crate::diagnostic::Diagnostic;
use crate::event::CellId;
use crate::process::{ExitReason, indented};
use crate::submodules;
use crate::template::Templates;

/// What to lint, and how.
#[derive(Clone, Debug)]
pub(crate) struct LintJob {
    pub project_root: PathBuf,
    pub templates: Arc<Templates>,
    pub subjects: Vec<LintSubject>,
    /// Errors of files that aren't templates.
    pub broken: Vec<Finding>,
    pub engine: LintEngineKind,
    pub selection: RuleSelection,
    #[cfg_attr(
        not(feature = "lint"),
        expect(dead_code, reason = "only the engine reads it")
    )]
    pub guard_rules: Vec<GuardRuleFile>,
}

/// A template with the values of a test in a region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LintSubject {
    /// [`crate::template::Template::relative`].
    pub template: String,
    /// The region; without it, the template must hold in some region.
    pub region: Option<String>,
    /// The stack's name, if it is known.
    pub stack_name: Option<String>,
    /// The values that are known and differ from the defaults, by name.
    pub parameters: Vec<(String, String)>,
    /// Parameters whose value isn't known, but isn't the default either.
    pub unknown: Vec<String>,
    /// The conditions whose value is known.
    pub conditions: Vec<(String, bool)>,
    /// The tests and regions that use the template like that.
    pub cells: Vec<CellId>,
}

/// What lints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LintEngineKind {
    /// The engine in this process.
    Builtin,
    /// cfn-lint on PATH.
    CfnLint,
    /// Both, with their findings merged.
    Both,
}

impl Default for LintEngineKind {
    /// Returns the engine in this process, if it has one.
    fn default() -> Self {
        if cfg!(feature = "lint") {
            Self::Builtin
        } else {
            Self::CfnLint
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LintOutcome {
    /// `cfn-lint` isn't on PATH.
    Absent,
    Findings {
        /// The findings, sorted by template and location.
        findings: Vec<Finding>,
        /// What could not be linted as requested.
        warnings: Vec<String>,
        /// The templates that were linted, as the caller named them.
        linted: Vec<PathBuf>,
    },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LintError {
    #[error("cannot run `cfn-lint`: {0}")]
    Start(io::Error),
    #[error("`cfn-lint` {end} and linted nothing{}", indented(output))]
    Failed { end: ExitReason, output: String },
    #[error("`cfn-lint` cannot work with its settings{}", indented(&messages.join("\n")))]
    Settings { messages: Vec<String> },
    #[error("`cfn-lint` wrote no findings that can be read: {0}")]
    Output(serde_json::Error),
    #[error("the lint engine cannot be used: {0}")]
    #[cfg_attr(not(feature = "lint"), expect(dead_code))]
    Engine(String),
    /// Guard rules, or the choice of rules, are not valid.
    #[error("{0}")]
    #[cfg_attr(not(feature = "lint"), expect(dead_code))]
    Rules(Box<Diagnostic>),
    #[error("this build of taskcat has no lint engine; use `--engine cfn-lint`")]
    #[cfg_attr(feature = "lint", expect(dead_code))]
    NoEngine,
}

/// Lints all subjects, except those in git submodules.
///
/// # Errors
/// An engine failed, which says nothing about the templates.
pub(crate) async fn run(job: &LintJob) -> Result<LintOutcome, LintError> {
    let mut warnings = Vec::new();
    let submodules = submodules::paths(&job.project_root);
    let is_own = |template: &str| {
        let path = job.project_root.join(template);
        !submodules.iter().any(|folder| path.starts_with(folder))
    };
    let mut job = job.clone();
    job.subjects.retain(|subject| is_own(&subject.template));
    job.broken
        .retain(|it| is_own(&it.template.to_string_lossy()));
    let mut findings = match job.engine {
        LintEngineKind::Builtin => builtin(&job, &mut warnings).await?,
        LintEngineKind::CfnLint => match with_cfn_lint(&job, &mut warnings).await? {
            Some(findings) => findings,
            None => return Ok(LintOutcome::Absent),
        },
        LintEngineKind::Both => {
            let builtin = builtin(&job, &mut warnings).await?;
            match with_cfn_lint(&job, &mut warnings).await? {
                Some(other) => merged::merged(builtin, other),
                None => return Ok(LintOutcome::Absent),
            }
        }
    };
    let broken = job.broken.iter();
    findings.extend(
        broken
            .filter(|it| job.selection.reports(it, false))
            .cloned(),
    );
    findings.sort_by(|a, b| (&a.location, &a.rule).cmp(&(&b.location, &b.rule)));
    let mut linted: Vec<PathBuf> = Vec::new();
    for subject in &job.subjects {
        let path = PathBuf::from(&subject.template);
        if !linted.contains(&path) {
            linted.push(path);
        }
    }
    Ok(LintOutcome::Findings {
        findings,
        warnings,
        linted,
    })
}

/// Returns the findings of cfn-lint, which reads the project's `.cfnlintrc` itself; `None` if it
/// isn't there.
async fn with_cfn_lint(
    job: &LintJob,
    warnings: &mut Vec<String>,
) -> Result<Option<Vec<Finding>>, LintError> {
    let targets: Vec<LintTarget> = job
        .subjects
        .iter()
        .map(|subject| LintTarget {
            path: subject.template.clone().into(),
            regions: subject.region.iter().cloned().collect(),
        })
        .collect();
    let Some((mut findings, more)) = cfn_lint::run(&targets, &job.project_root).await? else {
        return Ok(None);
    };
    warnings.extend(more);
    // Its own settings have decided about the rest.
    let mut suppressions = SuppressionsByTemplate::default();
    findings.retain(|finding| {
        let suppressions = suppressions.of(job, finding);
        job.selection.reports(finding, true) && !suppressions.hides_by_comment(finding)
    });
    Ok(Some(findings))
}

#[cfg(feature = "lint")]
async fn builtin(job: &LintJob, warnings: &mut Vec<String>) -> Result<Vec<Finding>, LintError> {
    let job = job.clone();
    let done = tokio::task::spawn_blocking(move || super::builtin::lint(&job)).await;
    let (findings, more) =
        done.unwrap_or_else(|error| Err(LintError::Engine(error.to_string())))?;
    warnings.extend(more);
    Ok(findings)
}

/// Returns the errors in properties that CloudFormation would refuse, for each subject, without
/// those that are ignored; nothing without an engine in this process.
///
/// # Errors
/// The engine can't be used.
#[cfg(feature = "lint")]
pub(crate) fn property_errors(job: &LintJob) -> Result<Vec<Vec<Finding>>, LintError> {
    super::builtin::property_errors(job)
}

#[cfg(not(feature = "lint"))]
pub(crate) fn property_errors(_: &LintJob) -> Result<Vec<Vec<Finding>>, LintError> {
    Ok(Vec::new())
}

#[cfg(not(feature = "lint"))]
async fn builtin(_: &LintJob, _: &mut Vec<String>) -> Result<Vec<Finding>, LintError> {
    Err(LintError::NoEngine)
}

/// What each template suppresses, read once.
#[derive(Default)]
struct SuppressionsByTemplate(HashMap<PathBuf, TemplateSuppressions>);

impl SuppressionsByTemplate {
    /// Returns what a finding's template suppresses.
    fn of(&mut self, job: &LintJob, finding: &Finding) -> &TemplateSuppressions {
        let read = || {
            let template = job.templates.get(&finding.template.to_string_lossy());
            template.map(TemplateSuppressions::of).unwrap_or_default()
        };
        self.0.entry(finding.template.clone()).or_insert_with(read)
    }
}
