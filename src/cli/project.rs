//! Loads a project for commands: its configuration, its templates, and what to stage.

use std::collections::HashMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::error::CliError;
use super::{AwsArgs, assets, discovery, output};
use crate::catalog;
use crate::config::{self, CommandLineValue, LoadRequest, LoadedConfig, OnlyTest, Selection};
use crate::diagnostic::{Diagnostic, Severity};
use crate::event::{CellId, PredictedFailure};
use crate::input;
use crate::launch::hook;
use crate::links::{PathEscape, ProjectBoundary};
use crate::package::{self, PackageRequest, PackageSelection};
use crate::plan::forecast::{self, Facts, Forecast, MissingFiles, RegionScope, StagedState};
use crate::plan::{HookPlan, PlanDraft};
use crate::run::Staging;
use crate::simulator;
use crate::simulator::seed::Seeds;
use crate::spelling;
use crate::stage::exclude::Exclusions;
use crate::stage::{local, marker};
use crate::template::{Failure, Template, Templates};
use crate::yaml::Node;

pub(super) struct CliProject {
    pub root: PathBuf,
    /// How the configuration was loaded.
    pub request: LoadRequest,
    pub loaded: LoadedConfig,
    /// Whether links out of the project may be followed.
    pub follow_links: bool,
    /// The program that builds images of Lambda functions; `None` to search for one.
    pub container_cli: Option<OsString>,
}

impl CliProject {
    /// Loads the configuration of the project at `root`. `input_file`, a configuration or a
    /// template, is relative to it.
    pub(super) fn load(
        root: &Path,
        input_file: &Path,
        aws: &AwsArgs,
        command_line: Vec<CommandLineValue>,
    ) -> Result<Self, CliError> {
        Self::load_with(root, input_file, aws, command_line, None)
    }

    /// Loads the configuration with a test in place of its own.
    pub(super) fn load_with(
        root: &Path,
        input_file: &Path,
        aws: &AwsArgs,
        mut command_line: Vec<CommandLineValue>,
        only_test: Option<OnlyTest>,
    ) -> Result<Self, CliError> {
        let root = found_root(&discovery::locate(root, input_file))?;
        command_line.extend(
            aws.profile()
                .map(|name| argument("project.auth.default", name, "--profile")),
        );
        let home = env::home_dir();
        let request = LoadRequest {
            project_root: root.clone(),
            input_file: input_file.to_owned(),
            global_file: home.as_ref().map(|home| home.join(".taskcat.yml")),
            legacy_global_overrides: home
                .map(|home| home.join(".aws/taskcat_global_override.json")),
            env: env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            command_line,
            only_test,
        };
        let loaded = config::load(&request).map_err(CliError::Diagnostics)?;
        Ok(Self {
            root,
            request,
            loaded,
            follow_links: false,
            container_cli: None,
        })
    }

    /// Keeps only the selected tests and regions.
    pub(super) fn trim(&mut self, selection: &Selection) -> Result<(), CliError> {
        let found = self.loaded.trim(selection);
        if found.iter().any(|it| it.severity == Severity::Error) {
            return Err(CliError::Diagnostics(self.with_warnings(found)));
        }
        self.loaded.warnings.extend(found);
        Ok(())
    }

    /// Reads the templates, checks the tests against them, and prints warnings. Problems of single
    /// tests are left to the draft.
    pub(super) fn draft(&self, run_id: Uuid) -> Result<(PlanDraft, Templates), CliError> {
        let (templates, mut diagnostics) =
            PlanDraft::templates(&self.loaded, &self.root, self.follow_links);
        diagnostics.extend(self.lambda_paths_outside());
        let draft = PlanDraft::new(&self.loaded, &self.root, &templates, run_id);
        let tests = self.loaded.config.tests.values();
        let of_tests: Vec<Diagnostic> = tests
            .flat_map(|test| test.templates())
            .flat_map(|(_, template)| templates.problems(template))
            .collect();
        diagnostics.retain(|it| !of_tests.contains(it));
        match draft {
            Ok((draft, warnings))
                if diagnostics
                    .iter()
                    .all(|it| it.severity == Severity::Warning) =>
            {
                diagnostics.extend(warnings);
                output::diagnostics(&self.loaded.warnings);
                output::diagnostics(&diagnostics);
                Ok((draft, templates))
            }
            Ok((_, more)) | Err(more) => {
                diagnostics.extend(more);
                Err(CliError::Diagnostics(self.with_warnings(diagnostics)))
            }
        }
    }

    /// Returns the diagnostics after the configuration's warnings, which may explain them.
    pub(super) fn with_warnings(&self, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        self.loaded
            .warnings
            .iter()
            .cloned()
            .chain(diagnostics)
            .collect()
    }

    /// Returns an error if no test can be planned.
    pub(super) fn refuse_unplannable(draft: &PlanDraft) -> Result<(), CliError> {
        if draft.can_be_planned() {
            Ok(())
        } else {
            Err(CliError::Diagnostics(draft.problems()))
        }
    }

    /// Adds a problem to each test with a hook that cannot be run. With `path`, the PATH of the
    /// environment, its program must exist.
    pub(super) fn mark_bad_hooks(&self, draft: &mut PlanDraft, path: Option<&OsStr>) {
        let problem = |(test, place, plan): (&str, String, &HookPlan)| {
            let failure = hook::check(plan, &self.root, path).err()?;
            let problem = Diagnostic::error(format!("hook `{}`: {failure}", plan.kind)).help(
                "a hook's type is `script`, with a `config.command`, or NAME for a program \
                 taskcat-hook-NAME",
            );
            let problem = Diagnostic {
                location: self.loaded.location(&place),
                ..problem
            };
            Some((test.to_owned(), problem))
        };
        let problems: Vec<_> = draft.hooks().filter_map(problem).collect();
        for (test, problem) in problems {
            draft.add_problem(&test, problem);
        }
    }

    /// Adds a problem to each test whose own template is not staged.
    pub(super) fn mark_excluded(&self, draft: &mut PlanDraft) -> Result<(), CliError> {
        let exclusions = Exclusions::load(&self.root, &[]).map_err(CliError::Diagnostics)?;
        let excluded = draft
            .test_templates()
            .filter(|(_, template)| exclusions.excludes(template));
        let problem = |(test, template): (&str, &str)| {
            let message = format!(
                "template {template} is excluded from the upload, so it cannot be launched"
            );
            let help =
                "remove it from .taskcatignore, or move it out of a hidden or excluded directory";
            let location = self.loaded.location(&format!("tests.{test}.template"));
            let problem = Diagnostic {
                location,
                ..Diagnostic::error(message).help(help)
            };
            (test.to_owned(), problem)
        };
        let problems: Vec<_> = excluded.map(problem).collect();
        for (test, problem) in problems {
            draft.add_problem(&test, problem);
        }
        Ok(())
    }

    /// Returns the predicted failures of a cell with their locations, for the reports.
    pub(super) fn foreseen(
        &self,
        draft: &PlanDraft,
        templates: &Templates,
    ) -> HashMap<CellId, Vec<PredictedFailure>> {
        let Ok(forecast) = self.forecast(draft, &mut templates.clone(), RegionScope::Declared)
        else {
            return HashMap::new();
        };
        let of_cell = |cell: forecast::ForecastCell| {
            let id = CellId {
                test: cell.test.into(),
                region: cell.region.into(),
            };
            let possible = cell.possible.into_iter().map(|it| it.failure);
            let failures = cell.failures.into_iter().chain(possible);
            (
                id,
                failures.map(|failure| self.place_of(&failure)).collect(),
            )
        };
        let mut foreseen: HashMap<CellId, Vec<PredictedFailure>> =
            forecast.cells.into_iter().map(of_cell).collect();
        for (id, places) in &mut foreseen {
            let test = self.loaded.config.tests.get(&*id.test);
            if let Some(template) = test.and_then(|test| templates.get(test.template.as_deref()?)) {
                let all = std::iter::once(template).chain(templates.descendants(template));
                places.extend(all.flat_map(unknown_types));
            }
        }
        foreseen
    }

    fn place_of(&self, failure: &Failure) -> PredictedFailure {
        let file = failure
            .at
            .file
            .strip_prefix(&self.root)
            .unwrap_or(&failure.at.file);
        PredictedFailure {
            message: failure.message.clone(),
            file: file.to_string_lossy().into_owned(),
            line: failure.at.at.line,
            hint: None,
        }
    }

    /// Predicts every cell offline.
    pub(super) fn forecast(
        &self,
        draft: &PlanDraft,
        templates: &mut Templates,
        regions: RegionScope,
    ) -> Result<Forecast, CliError> {
        self.forecast_with(draft, templates, regions, &Facts::default())
    }

    /// Predicts every cell with what AWS has answered. Repeated as long as it needs files that
    /// weren't read.
    pub(super) fn forecast_with(
        &self,
        draft: &PlanDraft,
        templates: &mut Templates,
        regions: RegionScope,
        facts: &Facts,
    ) -> Result<Forecast, CliError> {
        let exclusions = Exclusions::load(&self.root, &[]).map_err(CliError::Diagnostics)?;
        let staged = |path: &str| self.staged(path, &exclusions);
        let mut missed = MissingFiles::default();
        loop {
            let forecast = draft.forecast(templates, &staged, regions, facts);
            if forecast.missed == MissingFiles::default() || forecast.missed == missed {
                return Ok(forecast);
            }
            missed = forecast.missed;
            let mut found = templates.load_more(&self.root, missed.templates.iter().cloned());
            found.extend(templates.load_included(&self.root, missed.included.iter().cloned()));
            if found.iter().any(|it| it.severity == Severity::Error) {
                return Err(CliError::Diagnostics(found));
            }
            output::diagnostics(&found);
        }
    }

    /// Refuses templates whose stacks nest endlessly, before any is launched. Templates are
    /// evaluated only if their files allow endless nesting.
    pub(super) fn refuse_endless(
        &self,
        draft: &PlanDraft,
        templates: &Templates,
    ) -> Result<(), CliError> {
        let tests = self.loaded.config.tests.values();
        let mut used = tests.filter_map(|test| templates.get(test.template.as_deref()?));
        if !used.any(|template| templates.may_nest_endlessly(template)) {
            return Ok(());
        }
        let forecast = self.forecast(draft, &mut templates.clone(), RegionScope::Declared)?;
        let mut refused: Vec<Diagnostic> = Vec::new();
        for cell in &forecast.cells {
            let possible = cell.possible.iter().map(|it| &it.failure);
            let failures = cell.failures.iter().chain(possible);
            for failure in failures.filter(|failure| failure.is_endless_nesting()) {
                let diagnostic = Diagnostic::error(failure.message.clone()).at(failure.at.clone());
                if !refused.contains(&diagnostic) {
                    refused.push(diagnostic);
                }
            }
        }
        if refused.is_empty() {
            Ok(())
        } else {
            Err(CliError::Diagnostics(refused))
        }
    }

    /// Returns whether a path of the project is staged.
    pub(super) fn staged(&self, path: &str, exclusions: &Exclusions) -> StagedState {
        let is_plain = path
            .split('/')
            .all(|piece| !matches!(piece, "" | "." | ".."));
        let mut folders = path
            .match_indices('/')
            .map(|(at, _)| self.root.join(&path[..at]));
        if is_plain
            && self.root.join(path).is_file()
            && !folders.any(|folder| folder.is_symlink())
            && !exclusions.excludes(path)
        {
            StagedState::Yes
        } else if exclusions.excludes_remote(path) {
            StagedState::Unknown
        } else {
            StagedState::No
        }
    }

    /// Returns errors for configured directories of Lambda functions outside of the project.
    pub(super) fn lambda_paths_outside(&self) -> Vec<Diagnostic> {
        let bounds = ProjectBoundary::new(&self.root, self.follow_links);
        let project = &self.loaded.config.project;
        let source = project
            .lambda_source_path
            .as_deref()
            .map(|path| ("lambda_source_path", bounds.check(Path::new(path))));
        let zip = project
            .lambda_zip_path
            .as_deref()
            .map(|path| ("lambda_zip_path", bounds.check_writable(Path::new(path))));
        let escapes = [source, zip]
            .into_iter()
            .flatten()
            .filter_map(|(key, checked)| Some((key, checked.err()?)));
        let diagnostic = |(key, escape): (&str, PathEscape)| {
            let help = "use a directory in the project, relative to its root";
            let location = self.loaded.location(&format!("project.{key}"));
            Diagnostic {
                location,
                ..Diagnostic::error(format!("`{key}`: {escape}")).help(help)
            }
        };
        escapes.map(diagnostic).collect()
    }

    /// Adds the buckets that the configuration names, which exist in the user's account, and those
    /// with the assets of a CDK app.
    pub(super) fn seed_buckets(&self, seeds: &mut Seeds) {
        for test in self.loaded.config.tests.values() {
            let template = test.template.as_deref();
            let regions = test.regions.as_deref();
            if let (Some(template), Some(regions)) = (template, regions)
                && let Err(error) = assets::seed(&self.root.join(template), regions, seeds)
            {
                output::warning_with_help(
                    &error,
                    "run `cdk synth` again; the assets of this template are missing",
                );
            }
            let region = test.regions.iter().flatten().next();
            if let (Some(bucket), Some(region), false) = (
                test.given_bucket(),
                region,
                test.s3_regional_buckets.unwrap_or_default(),
            ) {
                let bucket = bucket.replace(config::ACCOUNT_ID, simulator::ACCOUNT_ID);
                seeds.add_bucket(&bucket, region);
            }
        }
    }

    /// Returns what to package, whether or not the configuration disables packaging.
    pub(super) fn package_request(&self, selection: PackageSelection) -> PackageRequest {
        let project = &self.loaded.config.project;
        let path = |it: &Option<String>| it.clone().unwrap_or_default().into();
        PackageRequest {
            project_root: self.root.clone(),
            lambda_source_path: path(&project.lambda_source_path),
            lambda_zip_path: path(&project.lambda_zip_path),
            build_submodules: project.build_submodules != Some(false),
            follow_links: self.follow_links,
            selection,
            container_cli: self.container_cli.clone(),
        }
    }

    /// Returns what to package and stage.
    ///
    /// # Errors
    /// A path or a link leads outside of the project, or an exclusion cannot be read.
    pub(super) fn staging(
        &self,
        package_lambda: bool,
        exclude_prefixes: &[String],
    ) -> Result<Staging, CliError> {
        let mut outside = self.lambda_paths_outside();
        let project = &self.loaded.config.project;
        let package = (package_lambda && project.package_lambda != Some(false))
            .then(|| self.package_request(PackageSelection::default()));
        let exclusions =
            Exclusions::load(&self.root, exclude_prefixes).map_err(CliError::Diagnostics)?;
        let follow_links = self.follow_links;
        if outside.is_empty() {
            outside.extend(
                package
                    .iter()
                    .flat_map(package::escapes)
                    .map(|escape| escape.to_diagnostic()),
            );
        }
        outside.extend(local::links_outside(&self.root, &exclusions, follow_links));
        if !outside.is_empty() {
            return Err(CliError::Diagnostics(outside));
        }
        Ok(Staging {
            package,
            exclusions,
            follow_links,
            earlier: Vec::new(),
            marker_limit: marker::LIMIT,
        })
    }
}

/// Returns resources of a template whose type doesn't exist in any region, with the most similar
/// type.
fn unknown_types(template: &Template) -> Vec<PredictedFailure> {
    let resources = template
        .root
        .get("Resources")
        .map_or(&[][..], Node::entries)
        .iter();
    let types = resources.filter_map(|(_, resource)| resource.get("Type"));
    let unknown = types.filter_map(|node| {
        let name = node.as_str().filter(|name| name.starts_with("AWS::"))?;
        let near = match catalog::resource_type(name) {
            Some(_) => return None,
            None => spelling::nearest(name, catalog::resource_type_names())?,
        };
        Some(PredictedFailure {
            message: name.to_owned(),
            file: template.relative.clone(),
            line: node.at.line,
            hint: Some(format!("there is no type {name}; did you mean {near}?")),
        })
    });
    unknown.collect()
}

/// Returns the absolute path of a project's root.
pub(super) fn found_root(root: &Path) -> Result<PathBuf, CliError> {
    let shown = root.display();
    let refused = |message: String, help: &str| {
        Err(CliError::Diagnostics(vec![
            Diagnostic::error(message).help(help),
        ]))
    };
    match root.canonicalize() {
        Ok(found) if found.is_dir() => Ok(found),
        Ok(_) => refused(
            format!("the project root {shown} is not a directory"),
            "pass the project's directory; --input-file is for a configuration or template in it",
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => refused(
            format!("the project root {shown} doesn't exist"),
            "pass the project's directory with --project-root",
        ),
        Err(error) => refused(
            format!(
                "cannot read the project root {shown}: {}",
                input::reason(&error)
            ),
            "pass the project's directory with --project-root",
        ),
    }
}

/// Returns a value that overrides the configuration.
pub(super) fn argument(key: &str, value: &str, flag: &str) -> CommandLineValue {
    CommandLineValue {
        key: key.to_owned(),
        value: value.to_owned(),
        flag: flag.to_owned(),
    }
}
