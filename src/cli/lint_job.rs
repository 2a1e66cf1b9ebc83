//! Determines what to lint: the templates of a project's tests with their values, or templates by
//! themselves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::error::CliError;
use super::output;
use super::project::CliProject;
use crate::diagnostic::{Diagnostic, Severity};
use crate::event::CellId;
use crate::input;
use crate::lint::{
    self, CfnLintSettings, Finding, GuardRuleFile, LintEngineKind, LintJob, LintSubject,
    RuleSelection,
};
use crate::plan::PlanDraft;
use crate::plan::forecast::{Forecast, ForecastCell, ForecastStack, RegionScope};
use crate::template::{Failure, Template, TemplateParameter, Templates};

/// What the command line chooses.
#[derive(Clone, Debug, Default)]
pub(super) struct LintChoice {
    pub engine: LintEngineKind,
    pub selection: RuleSelection,
    pub guard_rules: Vec<PathBuf>,
}

impl LintChoice {
    /// Returns the chosen rules with those of the project's `.cfnlintrc`.
    fn selection(&self, settings: &CfnLintSettings) -> RuleSelection {
        let mut selection = self.selection.clone();
        // cfn-lint reads its settings itself.
        if self.engine != LintEngineKind::CfnLint {
            selection.ignore.extend_from_slice(&settings.ignore_checks);
            selection.include.clone_from(&settings.include_checks);
            selection.mandatory.clone_from(&settings.mandatory_checks);
        }
        selection
    }

    fn guard_rules(&self, configured: Vec<PathBuf>) -> Result<Vec<GuardRuleFile>, CliError> {
        let mut files: Vec<GuardRuleFile> = Vec::new();
        for path in self.guard_rules.iter().cloned().chain(configured) {
            let read = GuardRuleFile::read_all(&path);
            let read = read.map_err(|error| CliError::Diagnostics(vec![error]))?;
            files.extend(read);
        }
        let mut names = BTreeSet::new();
        files.retain(|file| names.insert(file.name.clone()));
        Ok(files)
    }
}

impl CliProject {
    /// Returns what to lint before the predicted tests are launched.
    pub(super) fn lint_job(
        &self,
        forecast: &Forecast,
        templates: &Templates,
    ) -> Result<LintJob, CliError> {
        let (settings, warnings) =
            CfnLintSettings::read(&self.root).map_err(CliError::Diagnostics)?;
        output::diagnostics(&warnings);
        self.job(
            templates.clone(),
            Some(forecast),
            Vec::new(),
            &settings,
            &LintChoice::default(),
        )
    }

    /// Returns what to lint, even if tests cannot be planned: then their templates are linted
    /// without their values. Errors of templates are findings.
    pub(super) fn lint_job_of_templates(
        &self,
        settings: &CfnLintSettings,
        choice: &LintChoice,
    ) -> Result<LintJob, CliError> {
        let (mut templates, mut diagnostics) =
            PlanDraft::templates(&self.loaded, &self.root, self.follow_links);
        let broken = self.broken(&templates, &mut diagnostics);
        if diagnostics.iter().any(|it| it.severity == Severity::Error) {
            return Err(CliError::Diagnostics(self.with_warnings(diagnostics)));
        }
        output::diagnostics(&diagnostics);
        // A constant ID makes names of stacks, and so the findings, reproducible.
        let run_id = Uuid::new_v5(&Uuid::nil(), b"taskcat lint");
        let draft = PlanDraft::new(&self.loaded, &self.root, &templates, run_id);
        let forecast = match &draft {
            Ok((draft, _)) => Some(self.forecast(draft, &mut templates, RegionScope::Declared)?),
            Err(_) => None,
        };
        self.job(templates, forecast.as_ref(), broken, settings, choice)
    }

    /// Adds what the lint engine finds in the properties of resources that certainly exist to the
    /// failures of a forecast, for the regions of the tests.
    pub(super) fn check_properties(
        &self,
        forecast: &mut Forecast,
        templates: &Templates,
    ) -> Result<(), CliError> {
        let (settings, _) = CfnLintSettings::read(&self.root).unwrap_or_default();
        let choice = LintChoice::default();
        let job = LintJob {
            project_root: self.root.clone(),
            templates: Arc::new(templates.clone()),
            subjects: with_all_values(forecast),
            broken: Vec::new(),
            engine: LintEngineKind::Builtin,
            selection: choice.selection(&settings),
            guard_rules: Vec::new(),
        };
        let found = lint::property_errors(&job)
            .map_err(|error| CliError::Usage(format!("{error}; --lint-disable skips it")))?;
        let mut found = found.into_iter();
        for cell in forecast.cells.iter_mut().filter(|it| it.is_declared) {
            for stack in &cell.stacks {
                let findings = found.next().unwrap_or_default();
                let refused = findings.iter().filter_map(|it| refusal(it, stack));
                for failure in refused {
                    let place = |it: &Failure| (it.at.clone(), it.nested_in.len());
                    let is_known = cell.failures.iter().any(|it| place(it) == place(&failure));
                    if !is_known {
                        cell.failures.push(failure);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the errors of files that aren't templates from the diagnostics, among which those of
    /// nested templates are warnings.
    fn broken(&self, templates: &Templates, diagnostics: &mut Vec<Diagnostic>) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        for diagnostic in templates.broken_files().flat_map(|(_, of_file)| of_file) {
            if let Some(finding) = self.finding_of_reader(diagnostic) {
                findings.push(finding);
                diagnostics.retain(|it| {
                    (&it.location, &it.message) != (&diagnostic.location, &diagnostic.message)
                });
            }
        }
        findings
    }

    fn finding_of_reader(&self, diagnostic: &Diagnostic) -> Option<Finding> {
        let file = &diagnostic.location.as_ref()?.file;
        let relative = file.strip_prefix(&self.root).unwrap_or(file);
        Finding::of_reader(diagnostic, relative.to_owned())
    }

    fn job(
        &self,
        templates: Templates,
        forecast: Option<&Forecast>,
        broken: Vec<Finding>,
        settings: &CfnLintSettings,
        choice: &LintChoice,
    ) -> Result<LintJob, CliError> {
        let mut subjects = forecast.map(with_values).unwrap_or_default();
        subjects.extend(self.without_values(&templates, &subjects));
        if choice.engine != LintEngineKind::CfnLint {
            subjects.retain(|it| !settings.ignores(&self.root, &it.template));
        }
        let config = &self.loaded.config;
        let configured = [&config.general.guard_rules, &config.project.guard_rules];
        let configured = configured.into_iter().flatten().flatten();
        let configured = configured.map(|path| self.root.join(path)).collect();
        Ok(LintJob {
            project_root: self.root.clone(),
            templates: Arc::new(templates),
            subjects,
            broken,
            engine: choice.engine,
            selection: choice.selection(settings),
            guard_rules: choice.guard_rules(configured)?,
        })
    }

    /// Returns the templates of tests that no stack of the forecast uses, for each region of the
    /// tests: nested templates that a condition excludes, and those of tests that cannot be
    /// planned.
    fn without_values(&self, templates: &Templates, known: &[LintSubject]) -> Vec<LintSubject> {
        let known: BTreeSet<&str> = known.iter().map(|it| it.template.as_str()).collect();
        let mut subjects = Vec::new();
        for (name, test) in &self.loaded.config.tests {
            let Some(template) = test.template.as_deref().and_then(|it| templates.get(it)) else {
                continue;
            };
            let all = std::iter::once(template).chain(templates.descendants(template));
            let unknown = all.filter(|it| !known.contains(it.relative.as_str()));
            let regions = test.regions.as_deref().unwrap_or_default();
            for template in unknown {
                subjects.extend(regions.iter().map(|region| LintSubject {
                    cells: vec![CellId {
                        test: name.as_str().into(),
                        region: region.as_str().into(),
                    }],
                    ..of_template(template, Some(region))
                }));
                if regions.is_empty() {
                    subjects.push(of_template(template, None));
                }
            }
        }
        subjects
    }
}

/// Returns the templates of all stacks with the values that tests and parents give them.
fn with_values(forecast: &Forecast) -> Vec<LintSubject> {
    let of_cell = |cell: &ForecastCell| {
        let stacks = cell.stacks.iter();
        stacks
            .map(|stack| with_values_of(cell, stack))
            .collect::<Vec<_>>()
    };
    forecast.cells.iter().flat_map(of_cell).collect()
}

fn with_values_of(cell: &ForecastCell, stack: &ForecastStack) -> LintSubject {
    LintSubject {
        template: stack.template.clone(),
        region: Some(cell.region.clone()),
        stack_name: stack.stack_name.clone(),
        parameters: stack.parameters.clone(),
        unknown: stack.unknown.clone(),
        conditions: stack.conditions.clone(),
        cells: vec![CellId {
            test: cell.test.as_str().into(),
            region: cell.region.as_str().into(),
        }],
    }
}

/// Returns the templates of all stacks of configured regions with all their values: a default that
/// a test keeps is what its stack gets.
fn with_all_values(forecast: &Forecast) -> Vec<LintSubject> {
    let declared = forecast.cells.iter().filter(|it| it.is_declared);
    let stacks = declared.flat_map(|cell| cell.stacks.iter().map(move |it| (cell, it)));
    let subject = |(cell, stack): (&ForecastCell, &ForecastStack)| {
        let mut subject = with_values_of(cell, stack);
        subject.parameters.extend(stack.defaults.iter().cloned());
        subject
    };
    stacks.map(subject).collect()
}

/// Returns the failure of a resource that certainly exists.
fn refusal(finding: &Finding, stack: &ForecastStack) -> Option<Failure> {
    let resource = finding.resource.as_ref()?;
    let Finding { message, rule, .. } = finding;
    stack.certain.contains(resource).then(|| Failure {
        message: format!(
            "Properties validation failed for resource {resource} with message:\n{message} ({rule})"
        ),
        at: finding.location.clone(),
        nested_in: stack.nested_in.clone(),
        notes: Vec::new(),
    })
}

/// Returns a template without values. A list that is empty by default is one that has to be given.
fn of_template(template: &Template, region: Option<&String>) -> LintSubject {
    let is_empty_list = |it: &&TemplateParameter| {
        let is_list = it.kind.starts_with("List<") || it.kind == "CommaDelimitedList";
        is_list && it.default_text().as_deref() == Some("")
    };
    let unknown = template.parameters.iter().filter(is_empty_list);
    LintSubject {
        template: template.relative.clone(),
        region: region.cloned(),
        unknown: unknown.map(|it| it.key.clone()).collect(),
        ..LintSubject::default()
    }
}

/// Templates to lint without a configuration.
pub(super) struct StandaloneTemplates {
    /// The directory that contains all of them.
    root: PathBuf,
    /// Relative to the root.
    templates: Vec<String>,
}

impl StandaloneTemplates {
    /// Finds the files, which are relative to `root` or absolute.
    pub(super) fn find(root: &Path, named: &[PathBuf]) -> Result<Self, CliError> {
        let mut files = Vec::new();
        let mut problems = Vec::new();
        for path in named {
            let shown = path.display();
            match root.join(path).canonicalize() {
                Ok(file) if file.is_dir() => {
                    let message = format!("{shown} is a directory, not a template");
                    let help = format!("to lint the project there, use '--project-root {shown}'");
                    problems.push(Diagnostic::error(message).help(help));
                }
                Ok(file) => files.push(file),
                Err(error) => {
                    let reason = input::reason(&error);
                    let message = format!("cannot read the template {shown}: {reason}");
                    problems.push(Diagnostic::error(message));
                }
            }
        }
        if !problems.is_empty() {
            return Err(CliError::Diagnostics(problems));
        }
        let mut folder = root.to_owned();
        while !files.iter().all(|file| file.starts_with(&folder)) {
            folder.pop();
        }
        let relative = |file: &PathBuf| {
            let relative = file.strip_prefix(&folder).unwrap_or(file);
            relative.to_string_lossy().into_owned()
        };
        Ok(Self {
            templates: files.iter().map(relative).collect(),
            root: folder,
        })
    }

    /// Returns what to lint: each template, without what it nests, for the regions of the settings.
    pub(super) fn job(
        self,
        settings: &CfnLintSettings,
        choice: &LintChoice,
        follow_links: bool,
    ) -> Result<LintJob, CliError> {
        let Self {
            root,
            templates: named,
        } = self;
        let asked = named.iter().map(|it| (it.clone(), None));
        let (templates, mut diagnostics) = Templates::load_following(&root, follow_links, asked);
        let mut broken = Vec::new();
        let mut subjects = Vec::new();
        for name in &named {
            let of_reader = templates.broken(name).unwrap_or_default();
            diagnostics.retain(|it| !of_reader.contains(it));
            let findings = of_reader
                .iter()
                .filter_map(|it| Finding::of_reader(it, name.into()));
            broken.extend(findings);
            let Some(template) = templates.get(name) else {
                continue;
            };
            subjects.extend(
                settings
                    .regions
                    .iter()
                    .map(|region| of_template(template, Some(region))),
            );
            if settings.regions.is_empty() {
                subjects.push(of_template(template, None));
            }
        }
        if diagnostics.iter().any(|it| it.severity == Severity::Error) {
            return Err(CliError::Diagnostics(diagnostics));
        }
        output::diagnostics(&diagnostics);
        subjects.retain(|it| !settings.ignores(&root, &it.template));
        Ok(LintJob {
            project_root: root,
            templates: Arc::new(templates),
            subjects,
            broken,
            engine: choice.engine,
            selection: choice.selection(settings),
            guard_rules: choice.guard_rules(Vec::new())?,
        })
    }
}
