//! Checks configuration and templates before AWS is called.
//!
//! Creating a [`PlanDraft`] finds everything that is wrong with templates, parameters and names,
//! all at once and with locations. Problems of a test are kept with the test and don't stop others.
//! The draft determines the calls to AWS, and `build` creates the plan from it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::bucket::BucketChoice;
use super::check::{CheckPlan, CheckReader};
use super::names::StackNaming;
use super::place::{ProfileRegion, ProjectDraft};
use super::profile_name::profile_of;
use super::role::StackRole;
use super::update::{GitVersion, PreviousDraft, UpdateDraft};
use super::values::{self, TemplateParameters, TemplateParametersReader};
use super::{HookPlan, ProfileRegions, TestLimits, git};
use crate::catalog;
use crate::config::{HookData, LoadedConfig, TestConfig, TestReference};
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::event::CellId;
use crate::spelling::nearest;
use crate::submodules;
use crate::template::{Template, Templates};
use crate::yaml::Node;

/// Tags that identify a run's stacks; the user can't set them.
pub const OWN_TAGS: [&str; 3] = ["taskcat-id", "taskcat-project-name", "taskcat-test-name"];

/// The configured tests, checked against their templates.
#[derive(Clone, Debug)]
pub struct PlanDraft {
    pub(super) run_id: Uuid,
    pub(super) project_root: PathBuf,
    pub(super) project: ProjectDraft,
    pub(super) tests: Vec<TestDraft>,
    /// The project's git branch, if a parameter needs it.
    pub(super) git_branch: Option<String>,
    /// Why a test can't be launched in a region, by test and region.
    pub(super) refusals: BTreeMap<(String, String), String>,
    /// The folders of git submodules that aren't checked out.
    pub(super) absent_submodules: Vec<String>,
}

/// The service role of a test's stacks.
#[derive(Clone, Debug)]
pub(super) struct RoleDraft {
    pub role: StackRole,
    /// Where it is configured.
    pub location: Option<Location>,
}

#[derive(Clone, Debug)]
pub(super) struct TestDraft {
    pub name: String,
    /// The template's path, relative to the project root, with `/`.
    pub template: String,
    pub stack_name: String,
    /// The regions of the test, each once.
    pub places: Vec<ProfileRegion>,
    /// Additional regions whose buckets get the project's files (`artifact_regions`).
    pub artifact_places: Vec<ProfileRegion>,
    pub bucket: BucketChoice,
    pub az_blacklist: Vec<String>,
    pub role: Option<RoleDraft>,
    /// The test's tags, without the run's own.
    pub tags: Vec<(String, String)>,
    pub prehooks: Vec<HookPlan>,
    pub posthooks: Vec<HookPlan>,
    pub checks: Vec<CheckPlan>,
    /// The tests that it depends on.
    pub depends_on: Vec<TestReference>,
    /// Where those are configured.
    pub depends_on_at: Option<Location>,
    pub limits: TestLimits,
    pub values: TemplateParameters,
    pub update: UpdateDraft,
    /// Why the test can't be planned; if there are problems, it fails in each of its regions.
    pub problems: Vec<Diagnostic>,
}

impl PlanDraft {
    /// Reads the templates that the tests name and those nested in them. `follow_links` allows
    /// links that lead outside of the project.
    pub fn templates(
        loaded: &LoadedConfig,
        project_root: &Path,
        follow_links: bool,
    ) -> (Templates, Vec<Diagnostic>) {
        let asked = loaded.config.tests.iter().flat_map(|(name, test)| {
            test.templates().map(move |(key, template)| {
                let location = loaded.location(&format!("tests.{name}.{key}"));
                (template.to_owned(), location)
            })
        });
        Templates::load_following(project_root, follow_links, asked)
    }

    /// Checks the tests against `templates` and returns the draft with warnings. Errors concern the
    /// configuration as a whole and are returned with all other diagnostics. Problems of a single
    /// test are in [`PlanDraft::problems`]. A test whose template leads out of the project is
    /// skipped, since that has been reported with the template.
    pub fn new(
        loaded: &LoadedConfig,
        project_root: &Path,
        templates: &Templates,
        run_id: Uuid,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut drafter = PlanDrafter {
            loaded,
            project_root,
            run_id,
            values: TemplateParametersReader::new(loaded),
            diagnostics: Vec::new(),
        };
        if loaded.config.tests.is_empty() {
            drafter.diagnostics.push(
                Diagnostic::error("the configuration has no tests").help("add one under tests"),
            );
        }
        let tests = loaded
            .config
            .tests
            .iter()
            .filter_map(|(name, test)| drafter.test(name, test, templates));
        let mut tests: Vec<TestDraft> = tests.collect();
        drafter.stack_names_differ(&mut tests);
        drafter.unknown_regions(&tests);
        let wrong = TestDraft::dependency_problems(loaded, &tests, templates);
        drafter.diagnostics.extend(wrong);
        let git_branch = git_branch(&mut tests, project_root, loaded.ci_branch.as_deref());
        let mut diagnostics = drafter.diagnostics;
        diagnostics.extend(drafter.values.into_warnings());
        let project = ProjectDraft::of(loaded);
        let draft = Self {
            run_id,
            project_root: project_root.to_owned(),
            project,
            tests,
            git_branch,
            refusals: BTreeMap::new(),
            absent_submodules: submodules::absent(project_root),
        };
        if diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
        {
            diagnostics.splice(0..0, draft.problems());
            return Err(diagnostics);
        }
        Ok((draft, diagnostics))
    }

    /// Returns everything that keeps tests from being planned, each once.
    pub fn problems(&self) -> Vec<Diagnostic> {
        let mut problems: Vec<Diagnostic> = Vec::new();
        for problem in self.tests.iter().flat_map(|test| &test.problems) {
            // A wrong value is wrong in every test that has it.
            if !problems.contains(problem) {
                problems.push(problem.clone());
            }
        }
        problems
    }

    /// Adds a reason why a test can't be planned.
    pub fn add_problem(&mut self, test: &str, problem: Diagnostic) {
        if let Some(test) = self.tests.iter_mut().find(|it| it.name == test) {
            test.problems.push(problem);
        }
    }

    /// Sets the version that a test updates its stack from: the test of the same name in a draft of
    /// that version. The problems of the earlier test are then this one's.
    pub fn set_earlier(&mut self, test: &str, earlier: Self, version: GitVersion) {
        let earlier = earlier.tests.into_iter().find(|it| it.name == test);
        let test = self.tests.iter_mut().find(|it| it.name == test);
        let (Some(test), Some(earlier)) = (test, earlier) else {
            return;
        };
        test.problems.extend(earlier.problems);
        test.update.previous = Some(PreviousDraft {
            template: earlier.template,
            values: earlier.values,
            version: Some(version),
        });
    }

    /// Refuses a test in a region.
    pub fn refuse(&mut self, test: &str, region: &str, reason: String) {
        let key = (test.to_owned(), region.to_owned());
        self.refusals.insert(key, reason);
    }

    /// Returns whether there is a test that can be planned.
    pub fn can_be_planned(&self) -> bool {
        self.tests.iter().any(|test| test.problems.is_empty())
    }

    /// Creates the draft of an upload: the buckets of every test, without launches. Templates and
    /// parameters aren't checked, so that a project can be staged before it can be tested.
    pub fn of_buckets(loaded: &LoadedConfig, project_root: &Path, run_id: Uuid) -> Self {
        let tests = loaded.config.tests.iter().map(|(name, test)| {
            let mut artifact_places = places(test, test.regions.as_deref().unwrap_or_default());
            artifact_places.extend(places_of_artifacts(test));
            TestDraft {
                artifact_places,
                ..TestDraft::new(name, BucketChoice::of(test))
            }
        });
        let tests = tests.collect();
        let project = ProjectDraft::of(loaded);
        Self {
            run_id,
            project_root: project_root.to_owned(),
            project,
            tests,
            git_branch: None,
            refusals: BTreeMap::new(),
            absent_submodules: Vec::new(),
        }
    }

    /// Returns the hooks of all tests, each with its test and its path in the configuration.
    pub fn hooks(&self) -> impl Iterator<Item = (&str, String, &HookPlan)> {
        self.tests.iter().flat_map(|test| {
            let of_stage = |stage: &'static str, hooks| {
                let path = move |index| format!("tests.{}.{stage}.{index}", test.name);
                std::iter::Iterator::enumerate(<[HookPlan]>::iter(hooks))
                    .map(move |(index, hook)| (test.name.as_str(), path(index), hook))
            };
            of_stage("prehooks", &test.prehooks).chain(of_stage("posthooks", &test.posthooks))
        })
    }

    /// Returns the tests and their templates, relative to the project root, with `/`.
    pub fn test_templates(&self) -> impl Iterator<Item = (&str, &str)> {
        let planned = self.tests.iter().filter(|test| !test.template.is_empty());
        planned.map(|test| (test.name.as_str(), test.template.as_str()))
    }

    /// Keeps only these cells, and those that they depend on. Returns the latter, each with the
    /// test that depends on it.
    pub fn keep(&mut self, cells: &[CellId]) -> Vec<(CellId, String)> {
        let mut cells = cells.to_vec();
        let added = self.with_dependencies(&mut cells);
        for test in &mut self.tests {
            let name = test.name.as_str();
            let is_kept = |region: &str| {
                let mut cells = cells.iter();
                cells.any(|it| &*it.test == name && &*it.region == region)
            };
            test.places.retain(|place| is_kept(&place.region));
        }
        self.tests.retain(|test| !test.places.is_empty());
        added
    }

    /// Keeps every `of`-th cell, starting from the `part`-th (both count from 1), in the order of
    /// the configuration, and what they depend on. Together, runs of all parts test everything,
    /// and what isn't depended on once. Returns as [`PlanDraft::keep`].
    pub fn keep_part(&mut self, part: usize, of: usize) -> Vec<(CellId, String)> {
        let cells = self.tests.iter().flat_map(|test| {
            let cell = |place: &ProfileRegion| CellId {
                test: test.name.as_str().into(),
                region: place.region.as_str().into(),
            };
            test.places.iter().map(cell)
        });
        let of_part = cells
            .enumerate()
            .filter(|(index, _)| index % of == part - 1);
        let cells: Vec<CellId> = of_part.map(|(_, cell)| cell).collect();
        self.keep(&cells)
    }

    /// Returns the profiles whose identity must be known, each with the regions where STS can be
    /// called.
    pub fn profiles(&self) -> Vec<ProfileRegions> {
        let mut profiles: Vec<ProfileRegions> = Vec::new();
        let planned = self.tests.iter().filter(|test| test.problems.is_empty());
        let launched = planned.clone().flat_map(|test| &test.places);
        for place in launched.chain(planned.flat_map(|test| &test.artifact_places)) {
            let partition = catalog::partition_of(&place.region).name;
            let known = profiles
                .iter_mut()
                .find(|it| it.profile == place.profile && it.partition == partition);
            match known {
                Some(known) if known.regions.contains(&place.region) => {}
                Some(known) => known.regions.push(place.region.clone()),
                None => {
                    let profile = place.profile.clone();
                    let regions = vec![place.region.clone()];
                    profiles.push(ProfileRegions {
                        profile,
                        partition,
                        regions,
                    });
                }
            }
        }
        profiles
    }
}

impl TestDraft {
    /// Creates a test without launches.
    fn new(name: &str, bucket: BucketChoice) -> Self {
        Self {
            name: name.to_owned(),
            bucket,
            template: String::new(),
            stack_name: String::new(),
            places: Vec::new(),
            artifact_places: Vec::new(),
            az_blacklist: Vec::new(),
            role: None,
            tags: Vec::new(),
            prehooks: Vec::new(),
            posthooks: Vec::new(),
            checks: Vec::new(),
            depends_on: Vec::new(),
            depends_on_at: None,
            limits: TestLimits::default(),
            values: TemplateParameters::default(),
            update: UpdateDraft::default(),
            problems: Vec::new(),
        }
    }
}

struct PlanDrafter<'a> {
    loaded: &'a LoadedConfig,
    project_root: &'a Path,
    run_id: Uuid,
    values: TemplateParametersReader<'a>,
    diagnostics: Vec<Diagnostic>,
}

impl PlanDrafter<'_> {
    fn test(&mut self, name: &str, test: &TestConfig, templates: &Templates) -> Option<TestDraft> {
        let path = format!("tests.{name}");
        // With a selection of regions, a test may have none left.
        let is_narrowed = self.loaded.origin(&format!("{path}.regions.0")).is_some();
        if test
            .regions
            .as_ref()
            .is_none_or(|regions| regions.is_empty() && !is_narrowed)
        {
            self.error(
                &path,
                format!("test `{name}` has no regions"),
                "set project.regions",
            );
        }
        let Some(template) = &test.template else {
            self.error(
                &path,
                format!("test `{name}` has no template"),
                "set project.template",
            );
            return None;
        };
        let places = places(test, test.regions.as_deref().unwrap_or_default());
        let Some(template) = templates.get(template) else {
            let problems = self.template_problems(name, "template", template, templates);
            let template = template.clone();
            let stack_name = self.stack_name(name, test);
            let draft = TestDraft::new(name, BucketChoice::of(test));
            return (!problems.is_empty()).then_some(TestDraft {
                depends_on: test.dependencies().collect(),
                template,
                stack_name,
                places,
                problems,
                ..draft
            });
        };
        let mut artifact_places = places_of_artifacts(test);
        artifact_places.retain(|place| !places.contains(place));
        let (values, mut problems) = self.values.test(name, values::PARAMETERS, test, template);
        let update = self.update(name, test, templates, &mut problems);
        let reader = CheckReader {
            loaded: self.loaded,
            project_root: self.project_root,
            test: name,
            template,
        };
        let (checks, wrong) = reader.read(test.checks.as_deref().unwrap_or_default());
        problems.extend(wrong);
        let role = self.role(name, test).unwrap_or_else(|problem| {
            problems.push(*problem);
            None
        });
        Some(TestDraft {
            template: template.relative.clone(),
            stack_name: self.stack_name(name, test),
            places,
            artifact_places,
            az_blacklist: test.az_blacklist.clone().unwrap_or_default(),
            role,
            tags: self.tags(name, test),
            prehooks: self.hooks(&format!("{path}.prehooks"), test.prehooks.as_deref()),
            posthooks: self.hooks(&format!("{path}.posthooks"), test.posthooks.as_deref()),
            checks,
            depends_on: test.dependencies().collect(),
            depends_on_at: self.loaded.location(&format!("{path}.depends_on")),
            limits: TestLimits::of(test),
            values,
            update,
            problems,
            ..TestDraft::new(name, BucketChoice::of(test))
        })
    }

    /// Reads from which version the test updates its stack, and what the update may not do.
    fn update(
        &mut self,
        name: &str,
        test: &TestConfig,
        templates: &Templates,
        problems: &mut Vec<Diagnostic>,
    ) -> UpdateDraft {
        let mut update = UpdateDraft {
            previous: None,
            forbid_replacement: test.forbid_replacement.clone().unwrap_or_default(),
            is_idempotent: test.idempotent == Some(true),
        };
        let Some(earlier) = test.earlier(test) else {
            if test.forbid_replacement.is_some() {
                let message = format!("`forbid_replacement` of test `{name}` needs `update_from`");
                let help = "name the earlier template or its parameters under `update_from`";
                let location = self
                    .loaded
                    .location(&format!("tests.{name}.forbid_replacement"));
                problems.push(Diagnostic {
                    location,
                    ..Diagnostic::error(message).help(help)
                });
            }
            return update;
        };
        if test.earlier_revision().is_some() {
            return update;
        }
        let path = earlier.template.as_deref().unwrap_or_default();
        let Some(previous) = templates.get(path) else {
            problems.extend(self.template_problems(name, "update_from.template", path, templates));
            return update;
        };
        problems.extend(unknown_resources(self.loaded, name, previous));
        let section = "update_from.parameters";
        let (values, more) = self.values.test(name, section, &earlier, previous);
        problems.extend(
            more.into_iter()
                .filter(|it| !problems.contains(it))
                .collect::<Vec<_>>(),
        );
        update.previous = Some(PreviousDraft {
            template: previous.relative.clone(),
            values,
            version: None,
        });
        update
    }

    fn role(&self, name: &str, test: &TestConfig) -> Result<Option<RoleDraft>, Box<Diagnostic>> {
        let Some(text) = test.role_name.as_deref().filter(|role| !role.is_empty()) else {
            return Ok(None);
        };
        let location = self.loaded.location(&format!("tests.{name}.role_name"));
        match StackRole::parse(text) {
            Ok(role) => Ok(Some(RoleDraft { role, location })),
            Err(error) => {
                let diagnostic =
                    Diagnostic::error(format!("`role_name` of test `{name}`: {text} {error}"));
                Err(Box::new(Diagnostic {
                    location,
                    ..diagnostic
                }))
            }
        }
    }

    /// Returns why the template can't be used. A missing file is reported at the test's own line.
    fn template_problems(
        &self,
        name: &str,
        key: &str,
        template: &str,
        templates: &Templates,
    ) -> Vec<Diagnostic> {
        let mut problems = templates.problems(template);
        if templates.broken(template).is_none() {
            let location = self.loaded.location(&format!("tests.{name}.{key}"));
            problems
                .iter_mut()
                .for_each(|problem| problem.location = location.clone());
        }
        problems
    }

    fn stack_name(&self, name: &str, test: &TestConfig) -> String {
        let project = &self.loaded.config.project;
        let naming = StackNaming {
            name: test.stack_name.as_deref(),
            prefix: test.stack_name_prefix.as_deref(),
            suffix: test.stack_name_suffix.as_deref(),
            shorten: project.shorten_stack_name.unwrap_or_default(),
        };
        naming.stack_name(
            project.name.as_deref().unwrap_or_default(),
            name,
            self.run_id,
        )
    }

    /// Returns the test's own tags. CloudFormation refuses duplicate keys, so the run's tags take
    /// precedence.
    fn tags(&mut self, name: &str, test: &TestConfig) -> Vec<(String, String)> {
        let mut tags = Vec::new();
        for (key, value) in test.tags.iter().flatten() {
            if OWN_TAGS.contains(&key.as_str()) {
                let message = format!(
                    "tag `{key}` of test `{name}` is ignored: taskcat sets it on every stack"
                );
                let location = self.loaded.location(&format!("tests.{name}.tags.{key}"));
                self.diagnostics.push(Diagnostic {
                    location,
                    ..Diagnostic::warning(message)
                });
            } else {
                tags.push((key.clone(), value.clone()));
            }
        }
        tags
    }

    fn hooks(&mut self, path: &str, hooks: Option<&[HookData]>) -> Vec<HookPlan> {
        let mut plans = Vec::new();
        for (index, hook) in hooks.unwrap_or_default().iter().enumerate() {
            match &hook.kind {
                Some(kind) => {
                    let config = serde_json::Value::Object(hook.config.clone().unwrap_or_default());
                    plans.push(HookPlan {
                        kind: kind.clone(),
                        config,
                    });
                }
                None => {
                    let help = "`script`, or NAME for a program taskcat-hook-NAME";
                    self.error(
                        &format!("{path}.{index}"),
                        "the hook has no type".to_owned(),
                        help,
                    );
                }
            }
        }
        plans
    }

    /// Reports stacks with the same name in the same account and region; the later test can't be
    /// planned.
    fn stack_names_differ(&self, tests: &mut [TestDraft]) {
        let mut taken: HashMap<(String, String, String), String> = HashMap::new();
        for test in tests {
            for place in &test.places {
                let key = (
                    test.stack_name.clone(),
                    place.region.clone(),
                    place.profile.clone(),
                );
                let Some(other) = taken.insert(key, test.name.clone()) else {
                    continue;
                };
                let name = &test.name;
                let stack = &test.stack_name;
                let region = &place.region;
                let message =
                    format!("tests `{other}` and `{name}` both launch a stack {stack} in {region}");
                let path = ["stack_name", "stack_name_suffix", "stack_name_prefix"]
                    .map(|key| format!("tests.{name}.{key}"));
                let path = path
                    .into_iter()
                    .find(|path| self.loaded.origin(path).is_some());
                let location = self
                    .loaded
                    .location(&path.unwrap_or_else(|| format!("tests.{name}")));
                let diagnostic = Diagnostic::error(message).help("give them different names");
                test.problems.push(Diagnostic {
                    location,
                    ..diagnostic
                });
                break;
            }
        }
    }

    /// Warns about each unknown region once: it may be a new region or a typo.
    fn unknown_regions(&mut self, tests: &[TestDraft]) {
        let mut seen = HashSet::new();
        for test in tests {
            for place in test.places.iter().chain(&test.artifact_places) {
                if !catalog::is_known_region(&place.region) && seen.insert(&place.region) {
                    let location = self.region_location(&test.name, &place.region);
                    self.diagnostics.push(Diagnostic {
                        location,
                        ..unknown_region(&place.region)
                    });
                }
            }
        }
    }

    /// Returns the location of a test's region, or of the list that the test inherits.
    fn region_location(&self, name: &str, region: &str) -> Option<Location> {
        let test = self.loaded.config.tests.get(name)?;
        let lists = [
            ("regions", &test.regions),
            ("artifact_regions", &test.artifact_regions),
        ];
        lists.into_iter().find_map(|(key, regions)| {
            let index = regions.as_ref()?.iter().position(|it| it == region)?;
            self.loaded.location(&format!("tests.{name}.{key}.{index}"))
        })
    }

    fn error(&mut self, path: &str, message: String, help: &str) {
        let diagnostic = Diagnostic::error(message).help(help);
        self.diagnostics.push(Diagnostic {
            location: self.loaded.location(path),
            ..diagnostic
        });
    }
}

/// Asks git for the branch if a parameter needs it. Where git knows none, as on the detached HEAD
/// of a CI system's checkout, the branch is the one that the CI system builds.
fn git_branch(
    tests: &mut [TestDraft],
    project_root: &Path,
    ci_branch: Option<&str>,
) -> Option<String> {
    tests
        .iter()
        .find_map(|test| test.values.parameters.needs_git_branch())?;
    let error = match (git::branch(project_root), ci_branch) {
        (Ok(branch), _) => return Some(branch),
        (Err(_), Some(branch)) => return Some(git::last_component(branch).to_owned()),
        (Err(error), None) => error,
    };
    for test in tests {
        let Some((key, location)) = test.values.parameters.needs_git_branch() else {
            continue;
        };
        let message = format!("parameter {key}: $[taskcat_git_branch]: {error}");
        let problem = Diagnostic {
            location: location.cloned(),
            ..Diagnostic::error(message)
        };
        test.problems.push(problem);
    }
    None
}

/// Returns the warning about an unknown region, with similar names.
pub fn unknown_region(region: &str) -> Diagnostic {
    let near: Vec<String> = catalog::nearest_regions(region)
        .iter()
        .map(|near| format!("`{near}`"))
        .collect();
    let warning = Diagnostic::warning(format!("unknown region `{region}`"));
    if near.is_empty() {
        warning
    } else {
        warning.help(format!("did you mean {}?", near.join(" or ")))
    }
}

/// Returns an error for each name in `forbid_replacement` that the earlier template doesn't have.
pub fn unknown_resources(
    loaded: &LoadedConfig,
    test: &str,
    previous: &Template,
) -> Vec<Diagnostic> {
    let config = loaded.config.tests.get(test);
    let forbidden = config.and_then(|it| it.forbid_replacement.as_deref());
    let named = forbidden.unwrap_or_default().iter().enumerate();
    let unknown = named.filter(|(_, name)| resource_names(previous).all(|it| it != *name));
    let diagnostic = |(index, name): (usize, &String)| {
        let file = &previous.relative;
        let message = format!("`forbid_replacement`: {file} has no resource `{name}`");
        let near = nearest(name, resource_names(previous));
        Diagnostic {
            location: loaded.location(&format!("tests.{test}.forbid_replacement.{index}")),
            help: near.map(|near| format!("did you mean `{near}`?")),
            ..Diagnostic::error(message)
        }
    };
    unknown.map(diagnostic).collect()
}

fn resource_names(template: &Template) -> impl Iterator<Item = &str> {
    let resources = template.root.get("Resources");
    let entries = resources.map(Node::entries).unwrap_or_default();
    entries.iter().map(|(name, _)| &*name.text)
}

fn places(test: &TestConfig, regions: &[String]) -> Vec<ProfileRegion> {
    let mut places = Vec::new();
    for region in regions {
        let place = ProfileRegion {
            region: region.clone(),
            profile: profile_of(test, region).to_owned(),
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

fn places_of_artifacts(test: &TestConfig) -> Vec<ProfileRegion> {
    places(test, test.artifact_regions.as_deref().unwrap_or_default())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::config::{self, LoadRequest};

    pub const RUN: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

    /// A project in its own folder.
    pub struct TempProject {
        folder: tempfile::TempDir,
    }

    impl TempProject {
        pub fn new(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = folder.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Self { folder }
        }

        pub fn root(&self) -> &Path {
            self.folder.path()
        }

        /// Creates the draft like a run; errors of templates are returned with those of the draft.
        pub fn draft(&self) -> Result<(PlanDraft, Vec<Diagnostic>), Vec<Diagnostic>> {
            let root = self.folder.path();
            let request = LoadRequest {
                project_root: root.to_owned(),
                input_file: ".taskcat.yml".into(),
                ..LoadRequest::default()
            };
            let loaded = config::load(&request)?;
            let (templates, mut diagnostics) = PlanDraft::templates(&loaded, root, false);
            match PlanDraft::new(&loaded, root, &templates, RUN) {
                Ok((draft, mut warnings)) => {
                    let problems = draft.problems();
                    diagnostics.retain(|diagnostic| !problems.contains(diagnostic));
                    diagnostics.extend(problems);
                    diagnostics.append(&mut warnings);
                    let failed = diagnostics
                        .iter()
                        .any(|diagnostic| diagnostic.severity == Severity::Error);
                    if failed {
                        Err(diagnostics)
                    } else {
                        Ok((draft, diagnostics))
                    }
                }
                Err(mut errors) => {
                    diagnostics.retain(|diagnostic| !errors.contains(diagnostic));
                    diagnostics.append(&mut errors);
                    Err(diagnostics)
                }
            }
        }

        pub fn said(&self, diagnostics: &[Diagnostic]) -> Vec<String> {
            let root = format!("{}/", self.folder.path().display());
            let said = diagnostics.iter().map(|it| match it.severity {
                Severity::Error => it.to_string().replace(&root, ""),
                Severity::Warning => format!("warning: {}", it.to_string().replace(&root, "")),
            });
            said.collect()
        }
    }

    const TEMPLATE: &str = "Parameters:\n  KeyName: {Type: String}\n  VpcId: {Type: String}\n  \
                            Size: {Type: Number, Default: 3}\nResources: {}\n";

    /// A project with the templates `t.yaml` and `u.yaml`; the latter declares no parameters.
    fn project(config: &[&str]) -> TempProject {
        let config = config.join("\n");
        TempProject::new(&[
            (".taskcat.yml", &config),
            ("t.yaml", TEMPLATE),
            ("u.yaml", "Resources: {}\n"),
        ])
    }

    fn refused(config: &[&str], expect: &[&str]) {
        let project = project(config);
        match project.draft() {
            Ok((draft, _)) => panic!("{config:?}\n{draft:?}"),
            Err(diagnostics) => assert_eq!(project.said(&diagnostics), expect, "{config:?}"),
        }
    }

    fn warned(config: &[&str], expect: &[&str]) -> PlanDraft {
        let project = project(config);
        let (draft, diagnostics) = project
            .draft()
            .unwrap_or_else(|errors| panic!("{config:?}\n{errors:?}"));
        assert_eq!(project.said(&diagnostics), expect, "{config:?}");
        draft
    }

    #[test]
    fn every_required_parameter_is_listed() {
        refused(
            &[
                "project: {name: p, template: t.yaml, regions: [us-east-1]}",
                "tests:",
                "  one: {}",
                "  two: {parameters: {KeyName: k}}",
            ],
            &[
                ".taskcat.yml:3:3: test `one` has no value for parameters that t.yaml requires: \
                 KeyName, VpcId (set them under tests.one.parameters or project.parameters)",
                ".taskcat.yml:4:3: test `two` has no value for parameters that t.yaml requires: \
                 VpcId (set them under tests.two.parameters or project.parameters)",
            ],
        );
    }

    #[test]
    fn undeclared_parameters_are_dropped_with_a_warning() {
        // `KeyName` is declared by one of the templates that get it.
        let draft = warned(
            &[
                "project: {name: p, regions: [us-east-1], parameters: {KeyName: k, Nowhere: x}}",
                "tests:",
                "  one: {template: t.yaml, parameters: {VpcID: a, VpcId: b}}",
                "  two: {template: u.yaml}",
            ],
            &[
                "warning: .taskcat.yml:3:40: ignoring parameter `VpcID`: t.yaml does not declare \
                 it \
                 (did you mean `VpcId`?)",
                "warning: .taskcat.yml:1:67: ignoring parameter `Nowhere`: none of t.yaml, \
                 u.yaml declares it",
            ],
        );
        assert_eq!(draft.tests[0].values.unsent, ["Size"]);
    }

    #[test]
    fn wrong_values_are_found_before_anything_is_asked() {
        refused(
            &[
                "project: {name: p, template: t.yaml, regions: [us-east-1],",
                "  parameters: {KeyName: '$[taskcat_genas_1]'}}",
                "tests:",
                "  one: {parameters: {VpcId: '$[taskcat_getval_Nix]'}}",
                "  two: {parameters: {VpcId: '$[taskcat_getval_VpcId]'}}",
            ],
            &[
                ".taskcat.yml:2:16: parameter KeyName: unknown pseudo-parameter $[taskcat_genas_1] \
                 (did you mean $[taskcat_genaz_2]?)",
                ".taskcat.yml:4:22: parameter VpcId: $[taskcat_getval_Nix] names parameter Nix, \
                 which the test doesn't have",
                ".taskcat.yml:5:22: parameter VpcId: circular getval: VpcId -> VpcId",
            ],
        );
    }

    #[test]
    fn templates_and_regions_are_needed() {
        refused(
            &[
                "project: {name: p}",
                "tests:",
                "  one: {regions: [us-east-1]}",
                "  two: {template: gone.yaml}",
            ],
            &[
                ".taskcat.yml:4:9: template gone.yaml does not exist",
                ".taskcat.yml:3:3: test `one` has no template (set project.template)",
                ".taskcat.yml:4:3: test `two` has no regions (set project.regions)",
            ],
        );
        refused(
            &["project: {name: p}"],
            &["the configuration has no tests (add one under tests)"],
        );
    }

    /// Problems of a test don't stop other tests.
    #[test]
    fn problems_stay_with_their_tests() {
        let project = project(&[
            "project: {name: p, regions: [us-east-1], parameters: {KeyName: k}, role_name: a b}",
            "tests:",
            "  one: {template: t.yaml, role_name: ci/deploy}",
            "  two: {template: u.yaml}",
            "  three: {template: gone.yaml, role_name: x}",
            "  four: {template: u.yaml, role_name: x, stack_name: same}",
            "  five: {template: u.yaml, role_name: x, stack_name: same}",
        ]);
        let loaded = config::load(&LoadRequest {
            project_root: project.root().to_owned(),
            input_file: ".taskcat.yml".into(),
            ..LoadRequest::default()
        });
        let loaded = loaded.unwrap();
        let (templates, _) = PlanDraft::templates(&loaded, project.root(), false);
        let (draft, warnings) = PlanDraft::new(&loaded, project.root(), &templates, RUN).unwrap();
        assert_eq!(warnings, []);
        let problems: Vec<_> = draft
            .tests
            .iter()
            .map(|test| project.said(&test.problems).join("\n"))
            .collect();
        assert_eq!(
            problems,
            [
                ".taskcat.yml:3:3: test `one` has no value for parameters that t.yaml requires: \
                 VpcId (set them \
                 under tests.one.parameters or project.parameters)",
                ".taskcat.yml:1:68: `role_name` of test `two`: a b is not the name of an IAM role \
                 (letters, digits and \
                 +=,.@_-, at most 64 of them)",
                ".taskcat.yml:5:11: template gone.yaml does not exist",
                "",
                ".taskcat.yml:7:42: tests `four` and `five` both launch a stack same in us-east-1 \
                 (give them different \
                 names)",
            ]
        );
        assert!(draft.can_be_planned());
        assert_eq!(draft.problems().len(), 4);
    }

    #[test]
    fn hooks_have_a_type() {
        refused(
            &[
                "project: {name: p, template: u.yaml, regions: [us-east-1]}",
                "tests:",
                "  one: {prehooks: [{type: script}, {config: {}}]}",
            ],
            &[
                ".taskcat.yml:3:36: the hook has no type (`script`, or NAME for a program \
                 taskcat-hook-NAME)",
            ],
        );
    }

    #[test]
    fn tests_do_not_share_a_stack() {
        refused(
            &[
                "project: {name: p, template: u.yaml, regions: [us-east-1, us-east-2]}",
                "tests:",
                "  one: {stack_name: same}",
                "  two: {stack_name: same}",
            ],
            &[
                ".taskcat.yml:4:9: tests `one` and `two` both launch a stack same in us-east-1 \
               (give them different names)",
            ],
        );
        // The same name is allowed in another region or account.
        warned(
            &[
                "project: {name: p, template: u.yaml}",
                "tests:",
                "  one: {stack_name: same, regions: [us-east-1]}",
                "  two: {stack_name: same, regions: [us-east-2]}",
                "  three: {stack_name: same, regions: [us-east-1], auth: {default: x}}",
            ],
            &[],
        );
    }

    #[test]
    fn own_tags_win() {
        let draft = warned(
            &[
                "project: {name: p, template: u.yaml, regions: [us-east-1]}",
                "tests:",
                "  one: {tags: {taskcat-id: x, Cost: '1'}}",
            ],
            &[
                "warning: .taskcat.yml:3:16: tag `taskcat-id` of test `one` is ignored: taskcat \
                 sets it on every stack",
            ],
        );
        assert_eq!(draft.tests[0].tags, [("Cost".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn profiles_are_asked_where_their_tests_run() {
        let draft = warned(
            &[
                "project: {name: p, template: u.yaml, auth: {us-gov-west-1: gov},",
                "  regions: [ap-east-1, cn-north-1, us-gov-west-1, eu-west-1, ap-east-1]}",
                "tests: {one: {}, two: {regions: [eu-west-1], artifact_regions: [sa-east-1], auth: \
                 {sa-east-1: south}}}",
            ],
            &[],
        );
        let profiles = draft.profiles();
        let profiles: Vec<_> = profiles
            .iter()
            .map(|it| (it.profile.as_str(), it.partition, it.regions.join(" ")))
            .collect();
        assert_eq!(
            profiles,
            [
                ("default", "aws", "ap-east-1 eu-west-1".to_owned()),
                ("default", "aws-cn", "cn-north-1".to_owned()),
                ("gov", "aws-us-gov", "us-gov-west-1".to_owned()),
                ("south", "aws", "sa-east-1".to_owned()),
            ]
        );
        let regions: Vec<_> = draft.tests[0]
            .places
            .iter()
            .map(|place| place.region.as_str())
            .collect();
        assert_eq!(
            regions,
            ["ap-east-1", "cn-north-1", "us-gov-west-1", "eu-west-1"]
        );
    }

    #[test]
    fn the_branch_is_asked_of_git_where_it_is_needed() {
        let project = TempProject::new(&[
            (
                ".taskcat.yml",
                "project: {name: p, template: t.yaml, regions: [us-east-1]}\n\
                 tests: {one: {parameters: {KeyName: '$[taskcat_git_branch]', VpcId: x}}}\n",
            ),
            ("t.yaml", TEMPLATE),
        ]);
        let said = project.said(&project.draft().unwrap_err());
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with(".taskcat.yml:2:28: parameter KeyName: $[taskcat_git_branch]: "),
            "{said:?}"
        );
        assert!(said[0].contains("is not in a git repository"), "{said:?}");
        let init = std::process::Command::new("git")
            .args(["init", "--quiet", "--initial-branch", "feature/login"])
            .arg(project.folder.path())
            .status();
        assert!(init.unwrap().success());
        assert_eq!(
            project.draft().unwrap().0.git_branch.as_deref(),
            Some("login")
        );
    }
}
