//! Lints with the engine in this process: every template with the values of each test in each
//! region.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cloudformation_validate::template_model::EntityType;
use cloudformation_validate::{Diagnostic, Severity};

use super::corrections::{is_as_written, is_property_error, is_unused, is_wrong};
use super::document::LintDocument;
use super::engine::{self, LintEngine, LintGuardRules};
use super::pinpoint;
use super::{Finding, FindingLevel, LintError, LintJob, LintSubject};
use crate::event::CellId;
use crate::template::Template;

/// Checks every subject. Returns the findings, each once, and what could not be checked.
///
/// # Errors
/// A Guard rule file isn't valid, or the engine can't be used.
pub(super) fn lint(job: &LintJob) -> Result<(Vec<Finding>, Vec<String>), LintError> {
    let guard = LintGuardRules::compile(&job.guard_rules).map_err(LintError::GuardRules)?;
    let engine = LintEngine::whole().map_err(LintError::Engine)?;
    let checks = distinct(&job.subjects);
    let done = in_parallel(&checks, |check| check.run(job, &engine, &guard));
    let mut findings = MergedFindings::default();
    let mut warnings = BTreeSet::new();
    for (check, result) in checks.iter().zip(done) {
        match result {
            Ok(found) => {
                let of_rules = found.of_rules.into_iter();
                of_rules.for_each(|it| findings.add(it, Some(&check.cells)));
                let of_guard = found.of_guard.into_iter();
                of_guard.for_each(|it| findings.add(it, None));
            }
            Err(reason) => {
                let template = &check.subject.template;
                warnings.insert(format!("{template} could not be checked: {reason}"));
            }
        }
    }
    Ok((findings.finish(&checks), warnings.into_iter().collect()))
}

/// Returns the errors in properties of each subject that CloudFormation would refuse.
pub(super) fn property_errors(job: &LintJob) -> Result<Vec<Vec<Finding>>, LintError> {
    let guard = LintGuardRules::compile(&[]).map_err(LintError::GuardRules)?;
    let engine = LintEngine::of_schemas().map_err(LintError::Engine)?;
    let checks = distinct(&job.subjects);
    let done = in_parallel(&checks, |check| check.run(job, &engine, &guard));
    let of_subject = |subject: &LintSubject| {
        let index = checks
            .iter()
            .position(|check| check.subject.is_alike(subject));
        let found = index.and_then(|index| done.get(index)?.as_ref().ok());
        let found = found
            .map(|found| found.of_rules.iter())
            .into_iter()
            .flatten();
        let errors = found.filter(|it| is_property_error(&it.rule));
        errors.cloned().collect()
    };
    Ok(job.subjects.iter().map(of_subject).collect())
}

/// Something to check once, and the tests and regions that it stands for.
struct LintCheck<'a> {
    subject: &'a LintSubject,
    /// Whether it is the template's first check, which evaluates the Guard rules, too.
    is_first: bool,
    cells: BTreeSet<CellId>,
}

/// Returns subjects that differ in what the engine sees.
fn distinct(subjects: &[LintSubject]) -> Vec<LintCheck<'_>> {
    let mut checks: Vec<LintCheck> = Vec::new();
    let mut known = BTreeMap::new();
    let mut templates = BTreeSet::new();
    for subject in subjects {
        let key = (
            &subject.template,
            &subject.region,
            &subject.stack_name,
            &subject.parameters,
            &subject.unknown,
            &subject.conditions,
        );
        let index = *known.entry(key).or_insert(checks.len());
        if index == checks.len() {
            checks.push(LintCheck {
                subject,
                is_first: templates.insert(&subject.template),
                cells: BTreeSet::new(),
            });
        }
        if let Some(check) = checks.get_mut(index) {
            check.cells.extend(subject.cells.iter().cloned());
        }
    }
    checks
}

/// What was found in a template.
#[derive(Default)]
struct CheckedTemplate {
    of_rules: Vec<Finding>,
    /// Guard evaluates the template as written, so that it is the same for every test.
    of_guard: Vec<Finding>,
}

impl LintCheck<'_> {
    fn run(
        &self,
        job: &LintJob,
        engine: &LintEngine,
        guard: &LintGuardRules,
    ) -> Result<CheckedTemplate, String> {
        let Some(template) = job.templates.get(&self.subject.template) else {
            return Ok(CheckedTemplate::default());
        };
        let document = LintDocument::of(template, &self.subject.unknown);
        let found = engine.check(&document, self.subject)?;
        if let Some(unreadable) = found.iter().find(|it| it.rule_id == engine::UNREADABLE) {
            return Err(unreadable.message.clone());
        }
        let found = self.as_written(found, template, engine)?;
        let right = found.into_iter().filter(|it| {
            let line = it.location.as_ref().map(|span| span.start_line);
            !is_wrong(it, template, line.and_then(|it| document.position(it)))
                && !is_unused(it, template, self.subject)
        });
        let of_guard = if self.is_first {
            guard.check(&document)?
        } else {
            Vec::new()
        };
        let finding = |it| finding(it, template, &document, guard);
        Ok(CheckedTemplate {
            of_rules: right.map(finding).collect(),
            of_guard: of_guard.into_iter().map(finding).collect(),
        })
    }
}

impl LintCheck<'_> {
    /// Leaves out findings about the way that the template is written that are there only with
    /// these values.
    fn as_written(
        &self,
        mut found: Vec<Diagnostic>,
        template: &Template,
        engine: &LintEngine,
    ) -> Result<Vec<Diagnostic>, String> {
        if !found.iter().any(|it| is_as_written(&it.rule_id)) {
            return Ok(found);
        }
        let without_values = LintSubject {
            template: self.subject.template.clone(),
            ..LintSubject::default()
        };
        let written = engine.check(&LintDocument::of(template, &[]), &without_values)?;
        // The lines may differ, since defaults may have been left out.
        let place = |it: &Diagnostic| {
            let entity = it.entity.as_ref().map(|entity| entity.logical_id.clone());
            (it.rule_id.clone(), entity, it.property_path.clone())
        };
        let written: BTreeSet<_> = written.iter().map(place).collect();
        found.retain(|it| !is_as_written(&it.rule_id) || written.contains(&place(it)));
        Ok(found)
    }
}

fn finding(
    found: Diagnostic,
    template: &Template,
    document: &LintDocument,
    guard: &LintGuardRules,
) -> Finding {
    let at = found.location.as_ref().map(|span| span.start_line);
    let at = at.and_then(|line| document.position(line));
    let at = at.map(|at| {
        let reference = pinpoint::reference(&found.rule_id, &found.message, template, at);
        reference.unwrap_or(at)
    });
    let description = engine::description(&found.rule_id).map(str::to_owned);
    let description = description.or_else(|| guard.description(&found.rule_id));
    Finding {
        level: match found.severity {
            Severity::Fatal | Severity::Error => FindingLevel::Error,
            Severity::Warn => FindingLevel::Warning,
            Severity::Info | Severity::Debug => FindingLevel::Info,
        },
        short_description: description.unwrap_or_default(),
        rule: found.rule_id,
        message: found.message,
        resource: found
            .entity
            .filter(|entity| entity.entity_type == EntityType::Resource)
            .map(|entity| entity.logical_id),
        location: template.location(at.unwrap_or(template.root.at)),
        template: PathBuf::from(&template.relative),
        only_in: Vec::new(),
    }
}

/// Findings, each with the tests and regions that it holds for.
#[derive(Default)]
struct MergedFindings(BTreeMap<FindingKey, (Finding, Option<BTreeSet<CellId>>)>);

/// Template, line, column, rule and message.
type FindingKey = (PathBuf, (u32, u32), String, String);

impl MergedFindings {
    /// Adds a finding and where it holds; `None` for everywhere.
    fn add(&mut self, finding: Finding, cells: Option<&BTreeSet<CellId>>) {
        let at = finding.location.at;
        let key = (
            finding.template.clone(),
            (at.line, at.column),
            finding.rule.clone(),
            finding.message.clone(),
        );
        let added = (finding, cells.map(|_| BTreeSet::new()));
        let (_, known) = self.0.entry(key).or_insert(added);
        if let (Some(known), Some(cells)) = (known, cells) {
            known.extend(cells.iter().cloned());
        }
    }

    /// Returns the findings in order; those that don't hold for all that use the template say so.
    fn finish(self, checks: &[LintCheck]) -> Vec<Finding> {
        let mut all: BTreeMap<&str, BTreeSet<&CellId>> = BTreeMap::new();
        for check in checks {
            let cells = all.entry(&check.subject.template).or_default();
            cells.extend(&check.cells);
        }
        let of_template = |finding: &Finding| {
            let template = finding.template.to_string_lossy();
            all.get(&*template).map_or(0, BTreeSet::len)
        };
        let finished = self.0.into_values().map(|(mut finding, cells)| {
            let some = cells.filter(|cells| cells.len() < of_template(&finding));
            finding.only_in = some.into_iter().flatten().collect();
            finding
        });
        finished.collect()
    }
}

/// Returns all results in the order of the items.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let share = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return done;
            };
            done.push((index, work(item)));
        }
    };
    thread::scope(|scope| {
        let started = (0..threads.min(items.len())).map(|_| {
            thread::Builder::new()
                .stack_size(engine::STACK)
                .spawn_scoped(scope, share)
        });
        let started: Vec<_> = started.flatten().collect();
        let mut done: Vec<(usize, R)> = Vec::new();
        for thread in started {
            done.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        // Without threads, the work is done here.
        done.extend(share());
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, result)| result).collect()
    })
}
