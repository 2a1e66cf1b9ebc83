//! Lints with the engine in this process: every template with the values of each test in each
//! region.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use cloudformation_validate::template_model::EntityType;
use cloudformation_validate::{Diagnostic, Severity};

use super::additions;
use super::corrections::{is_as_written, is_property_error, is_unused, is_wrong};
use super::document::LintDocument;
use super::engine::{self, LintEngine, LintGuardRules};
use super::pinpoint;
use super::suppression::TemplateSuppressions;
use super::{Finding, FindingLevel, LintEngineKind, LintError, LintJob, LintSubject};
use crate::event::CellId;
use crate::template::Template;
use crate::yaml::Node;

/// Checks every subject. Returns the findings, each once, and what could not be checked.
///
/// # Errors
/// A Guard rule file isn't valid, a selected rule doesn't exist, or the engine can't be used.
pub(super) fn lint(job: &LintJob) -> Result<(Vec<Finding>, Vec<String>), LintError> {
    let guard = LintGuardRules::compile(&job.guard_rules).map_err(LintError::Rules)?;
    if job.engine == LintEngineKind::Builtin {
        let mut known: Vec<&str> = engine::rule_ids().collect();
        known.push(additions::IMAGE);
        known.extend(guard.names());
        let unknown = job.selection.unknown(&known);
        unknown.map_or(Ok(()), |it| Err(LintError::Rules(Box::new(it))))?;
    }
    let DistinctChecks { checks, .. } = DistinctChecks::of(job);
    let engine = LintEngine::whole().map_err(LintError::Engine)?;
    let checker = TemplateChecker::new(job, &engine, &guard);
    let done = in_parallel(&checks, |check| checker.lint(check));
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
    let DistinctChecks { checks, of_subject } = DistinctChecks::of(job);
    let engine = LintEngine::of_schemas().map_err(LintError::Engine)?;
    let guard = LintGuardRules::default();
    let checker = TemplateChecker::new(job, &engine, &guard);
    let done = in_parallel(&checks, |check| checker.property_errors(check));
    let errors = |index: usize| done.get(index).cloned().unwrap_or_default();
    Ok(of_subject.into_iter().map(errors).collect())
}

/// Something to check once, and the tests and regions that it stands for.
struct LintCheck<'a> {
    subject: &'a LintSubject,
    /// Whether it is the template's first check, which evaluates the Guard rules, too.
    is_first: bool,
    /// About how many lines the template has.
    lines: u32,
    cells: BTreeSet<CellId>,
}

/// Subjects that differ in what the engine sees.
struct DistinctChecks<'a> {
    checks: Vec<LintCheck<'a>>,
    /// For each subject of the job, the index of its check.
    of_subject: Vec<usize>,
}

impl<'a> DistinctChecks<'a> {
    fn of(job: &'a LintJob) -> Self {
        let mut checks: Vec<LintCheck> = Vec::new();
        let mut of_subject = Vec::new();
        let mut known = BTreeMap::new();
        let mut templates = BTreeMap::new();
        for subject in &job.subjects {
            let is_first = !templates.contains_key(&subject.template);
            let (uses_stack_name, lines) =
                *templates.entry(&subject.template).or_insert_with(|| {
                    let root = job.templates.get(&subject.template).map(|it| &it.root);
                    root.map_or((false, 0), |it| (uses_stack_name(it), last_line(it)))
                });
            let key = (
                &subject.template,
                &subject.region,
                subject.stack_name.as_ref().filter(|_| uses_stack_name),
                &subject.parameters,
                &subject.unknown,
                &subject.conditions,
            );
            let index = *known.entry(key).or_insert(checks.len());
            if index == checks.len() {
                checks.push(LintCheck {
                    subject,
                    is_first,
                    lines,
                    cells: BTreeSet::new(),
                });
            }
            if let Some(check) = checks.get_mut(index) {
                check.cells.extend(subject.cells.iter().cloned());
            }
            of_subject.push(index);
        }
        Self { checks, of_subject }
    }
}

/// Returns the line of the last entry of the last section.
fn last_line(root: &Node) -> u32 {
    let sections = root.entries().iter();
    let lines = sections.map(|(key, section)| {
        let last = section.entries().last();
        last.map_or(key.at.line, |(key, _)| key.at.line)
    });
    lines.max().unwrap_or_default()
}

/// Returns whether a part of a template uses the name of its stack, which the stack's ID contains.
fn uses_stack_name(node: &Node) -> bool {
    let uses = |text: &str| text.contains("AWS::StackName") || text.contains("AWS::StackId");
    let mut items = node.as_sequence().unwrap_or_default().iter();
    let mut entries = node.entries().iter();
    uses(&node.text) || items.any(uses_stack_name) || entries.any(|(_, it)| uses_stack_name(it))
}

/// What was found in a template.
#[derive(Default)]
struct CheckedTemplate {
    of_rules: Vec<Finding>,
    /// Guard evaluates the template as written, so that it is the same for every test.
    of_guard: Vec<Finding>,
}

/// Checks templates with the values of their subjects.
struct TemplateChecker<'a> {
    job: &'a LintJob,
    engine: &'a LintEngine,
    guard: &'a LintGuardRules,
    written: ByTemplate<WrittenPlaces>,
    suppressions: ByTemplate<TemplateSuppressions>,
}

impl<'a> TemplateChecker<'a> {
    fn new(job: &'a LintJob, engine: &'a LintEngine, guard: &'a LintGuardRules) -> Self {
        Self {
            job,
            engine,
            guard,
            written: ByTemplate::default(),
            suppressions: ByTemplate::default(),
        }
    }

    fn lint(&self, check: &LintCheck) -> Result<CheckedTemplate, String> {
        let subject = check.subject;
        let Some(template) = self.job.templates.get(&subject.template) else {
            return Ok(CheckedTemplate::default());
        };
        let document = LintDocument::of(template, &subject.unknown);
        let mut found = self.found(&document, subject)?;
        if found.iter().any(|it| is_as_written(&it.rule_id)) {
            let written = self.written.of(template);
            let written = written.get_or_init(|| self.written(template));
            let written = written.as_ref().map_err(Clone::clone)?;
            found.retain(|it| !is_as_written(&it.rule_id) || written.contains(&place(it)));
        }
        let of_guard = if check.is_first {
            self.guard.check(&document)?
        } else {
            Vec::new()
        };
        let suppressions = self.suppressions.of(template);
        let suppressions = suppressions.get_or_init(|| TemplateSuppressions::of(template));
        let selection = &self.job.selection;
        let is_reported = |it: &Finding| {
            let is_hidden = suppressions.hides(it) && !selection.is_mandatory(&it.rule);
            !is_hidden && selection.reports(it, suppressions.includes(&it.rule))
        };
        let finding = |it| finding(it, template, &document, self.guard);
        let right = right(found, template, &document, subject);
        let of_guard = of_guard.into_iter().map(finding);
        let of_rules = right.map(finding);
        let of_rules = of_rules.chain(additions::findings(template, subject));
        Ok(CheckedTemplate {
            of_rules: of_rules.filter(is_reported).collect(),
            of_guard: of_guard.filter(is_reported).collect(),
        })
    }

    /// Returns what is found in the template without the values of a test.
    fn written(&self, template: &Template) -> WrittenPlaces {
        let document = LintDocument::of(template, &[]);
        let found = self.engine.check(&document, &LintSubject::default())?;
        Ok(found.iter().map(place).collect())
    }

    /// Returns the errors in properties; none for a template that the engine can't read.
    fn property_errors(&self, check: &LintCheck) -> Vec<Finding> {
        let subject = check.subject;
        let Some(template) = self.job.templates.get(&subject.template) else {
            return Vec::new();
        };
        let document = LintDocument::for_schemas(template, &subject.unknown);
        let mut found = self.found(&document, subject).unwrap_or_default();
        found.retain(|it| is_property_error(&it.rule_id));
        let right = right(found, template, &document, subject);
        let findings = right.map(|it| finding(it, template, &document, self.guard));
        let suppressions = self.suppressions.of(template);
        let suppressions = suppressions.get_or_init(|| TemplateSuppressions::of(template));
        let selection = &self.job.selection;
        findings
            .filter(|it| !suppressions.hides(it) && selection.reports(it, false))
            .collect()
    }

    fn found(
        &self,
        document: &LintDocument,
        subject: &LintSubject,
    ) -> Result<Vec<Diagnostic>, String> {
        let found = self.engine.check(document, subject)?;
        match found.iter().find(|it| it.rule_id == engine::UNREADABLE) {
            Some(unreadable) => Err(unreadable.message.clone()),
            None => Ok(found),
        }
    }
}

/// Leaves out findings that are wrong or concern what the subject doesn't use.
fn right(
    found: Vec<Diagnostic>,
    template: &Template,
    document: &LintDocument,
    subject: &LintSubject,
) -> impl Iterator<Item = Diagnostic> {
    found.into_iter().filter(|it| {
        let line = it.location.as_ref().map(|span| span.start_line);
        !is_wrong(it, template, line.and_then(|it| document.position(it)))
            && !is_unused(it, template, subject)
    })
}

/// What is found in a template without the values of a test.
type WrittenPlaces = Result<BTreeSet<FindingPlace>, String>;

/// A finding's rule, logical ID and path. The lines of two documents may differ, since defaults may
/// have been left out.
type FindingPlace = (String, Option<String>, Option<String>);

/// Something about each template, determined once and on demand.
struct ByTemplate<T>(Mutex<HashMap<String, Arc<OnceLock<T>>>>);

impl<T> Default for ByTemplate<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> ByTemplate<T> {
    /// Returns what is stored about a template; `OnceLock` lets only one thread determine it.
    fn of(&self, template: &Template) -> Arc<OnceLock<T>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(template.relative.clone()).or_default())
    }
}

fn place(found: &Diagnostic) -> FindingPlace {
    let entity = found.entity.as_ref();
    let entity = entity.map(|entity| entity.logical_id.clone());
    (found.rule_id.clone(), entity, found.property_path.clone())
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

/// Returns the results of all checks in their order. The largest templates are checked first, so
/// that no thread is left with one at the end.
fn in_parallel<'c, R: Send>(
    checks: &'c [LintCheck<'c>],
    work: impl Fn(&'c LintCheck<'c>) -> R + Sync,
) -> Vec<R> {
    let mut order: Vec<_> = checks.iter().enumerate().collect();
    order.sort_by_key(|(_, check)| Reverse(check.lines));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let share = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((index, check)) = order.get(index) else {
                return done;
            };
            done.push((*index, work(check)));
        }
    };
    thread::scope(|scope| {
        let started = (0..threads.min(checks.len())).map(|_| {
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
