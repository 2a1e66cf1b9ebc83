//! Loads `.taskcat.yml` and everything else that configures tests: finds, checks and merges it, and
//! keeps every value's origin.
//!
//! The layers, later ones overriding earlier ones: defaults, `~/.taskcat.yml`, the project file, a
//! template's `Metadata.taskcat`, `.taskcat_overrides.yml`, `TASKCAT_…` variables, the command
//! line. Parameters, tags and profiles are inverted, as in TaskCat: the general ones override the
//! project's, which override the tests'.
//!
//! Nothing here reads the environment or the home directory: `cli` does and passes them in a
//! [`LoadRequest`]. What the values mean for AWS is left to `plan`.

mod check;
mod ci;
mod dependency;
mod file;
mod layers;
pub mod legacy;
mod merge;
mod origin;
pub mod schema;
pub mod show;
mod trim;
mod validate;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Location, Severity};
use merge::{ConfigLayer, ConfigSetting, PROPAGATED_KEYS, SettingContent, SettingSection};

pub use check::{
    CheckConfig, HttpCheckConfig, OutputCheckConfig, ResourceCheckConfig, TcpCheckConfig,
};
pub use dependency::{PulledInTest, TestReference, add_dependencies};
pub use layers::project_file;
pub use merge::OnlyTest;
pub use origin::ValueOrigin;
pub use schema::{
    ACCOUNT_ID, BaseConfig, ConfiguredParameter, GeneralConfig, HookData, ProjectConfig, TestConfig,
};
pub use trim::Selection;

/// What to load.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// The project's root folder.
    pub project_root: PathBuf,
    /// The configuration or template to load, relative to the project root.
    pub input_file: PathBuf,
    /// Path of `~/.taskcat.yml`; it needn't exist.
    pub global_file: Option<PathBuf>,
    /// Path of `~/.aws/taskcat_global_override.json`; it needn't exist.
    pub legacy_global_overrides: Option<PathBuf>,
    /// Environment variables; `TASKCAT_…` are used, and those with the branch that a CI system
    /// builds.
    pub env: Vec<(String, String)>,
    /// Values from the command line.
    pub command_line: Vec<CommandLineValue>,
    /// The test that replaces all others.
    pub only_test: Option<OnlyTest>,
}

/// A value from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLineValue {
    /// The key to set: `project.s3_bucket`, `project.auth.default`, or `tests.*.s3_bucket` for
    /// every test.
    pub key: String,
    /// `true` or `false` for a boolean, comma-separated for a list.
    pub value: String,
    /// The flag that the user passed: `--bucket-name`.
    pub flag: String,
}

/// A resolved configuration.
#[derive(Clone, Debug)]
pub struct LoadedConfig {
    /// The merged configuration.
    pub config: BaseConfig,
    /// Where each value came from.
    pub origins: ValueOrigins,
    /// Warnings about the files and values.
    pub warnings: Vec<Diagnostic>,
    /// The branch that a CI system builds, if this runs in one.
    pub ci_branch: Option<String>,
}

/// The origin of each value by its path: `project.name`, `tests.default.parameters.KeyName`,
/// `project.regions.0`.
#[derive(Clone, Debug, Default)]
pub struct ValueOrigins(HashMap<String, ValueOrigin>);

/// Finds, checks and merges all layers.
///
/// # Errors
/// Returns all diagnostics, including warnings, if one of them is an error.
pub fn load(request: &LoadRequest) -> Result<LoadedConfig, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let mut layer = layers::defaults();
    layer.add(layers::global(request, &mut diagnostics));
    let input = layers::input(request, &mut diagnostics);
    layer.add(input.project);
    if let Some(template) = input.template {
        // Naming a template as the input file selects its tests; the project file then only
        // contributes settings.
        let tests: Vec<String> = template.tests.keys().cloned().collect();
        layer.add(template);
        layer.tests.retain(|name, _| tests.contains(name));
    }
    layer.add(layers::overrides(request, &mut diagnostics));
    layer.add(layers::environment(request, &mut diagnostics));
    let command_line = layers::command_line(request, &layer.tests, &mut diagnostics);
    layer.add(command_line);
    if let Some(only) = &request.only_test {
        layer.replace_tests(only);
    }

    name_project(&mut layer, request, &mut diagnostics);
    diagnostics.extend(stack_names(&layer));
    diagnostics.extend(unreached(&layer));
    let config = serde_json::from_value(layer.to_json());
    if let Err(error) = &config {
        diagnostics.push(Diagnostic::error(format!(
            "the configuration does not match its schema: {error}"
        )));
    }
    match config {
        Ok(config) if !has_errors(&diagnostics) => Ok(LoadedConfig {
            config,
            origins: ValueOrigins::of(&layer),
            warnings: diagnostics,
            ci_branch: ci::branch(&request.env),
        }),
        _ => Err(diagnostics),
    }
}

impl LoadedConfig {
    /// Returns the origin of the value at the path.
    pub fn origin(&self, path: &str) -> Option<&ValueOrigin> {
        self.origins.0.get(path)
    }

    /// Returns the location in a file where the value at the path was set.
    pub fn location(&self, path: &str) -> Option<Location> {
        self.origin(path)?.location().cloned()
    }

    /// Returns the configuration in TaskCat's own format.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(&self.config).unwrap_or_default()
    }
}

impl ValueOrigins {
    fn of(layer: &ConfigLayer) -> Self {
        let mut origins = ValueOrigins::default();
        for (name, section) in [
            ("general", &layer.general),
            ("project", &layer.project),
            ("tests", &layer.tests),
        ] {
            origins.gather(section, name);
        }
        origins
    }

    fn gather(&mut self, section: &SettingSection, path: &str) {
        for (key, setting) in section {
            let path = format!("{path}.{key}");
            match &setting.content {
                SettingContent::Section(section) => self.gather(section, &path),
                SettingContent::List(items) => {
                    for (n, item) in items.iter().enumerate() {
                        self.0.insert(format!("{path}.{n}"), item.origin.clone());
                        if let SettingContent::Section(section) = &item.content {
                            self.gather(section, &format!("{path}.{n}"));
                        }
                    }
                }
                SettingContent::Value(_) => {}
            }
            self.0.insert(path, setting.origin.clone());
        }
    }
}

/// Names a project without a name after its directory. If files are broken, it doesn't, since the
/// name may be in one of them.
fn name_project(layer: &mut ConfigLayer, request: &LoadRequest, diagnostics: &mut Vec<Diagnostic>) {
    let named = layer
        .project
        .get("name")
        .is_some_and(|name| name.to_json() != "");
    if named || has_errors(diagnostics) {
        return;
    }
    match directory_name(&request.project_root) {
        Some(name) => {
            let message =
                format!("the project has no name; using the name of its directory, `{name}`");
            diagnostics.push(Diagnostic::warning(message).help("set project.name"));
            layer.project.insert(
                "name".to_owned(),
                ConfigSetting::new(SettingContent::Value(name.into()), ValueOrigin::ProjectRoot),
            );
        }
        None => {
            diagnostics.push(Diagnostic::error("the project has no name").help("set project.name"))
        }
    }
}

fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// Returns the name of the project's directory, limited to the characters allowed in project names.
fn directory_name(project_root: &Path) -> Option<String> {
    let root = project_root.canonicalize().ok()?;
    let name = root.file_name()?.to_string_lossy().to_lowercase();
    let words = name
        .split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()))
        .filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-");
    (!name.is_empty()).then_some(name)
}

/// Checks that a test has only one of `stack_name`, `stack_name_prefix` and `stack_name_suffix`
/// (`TestObj._assert_param_combo`).
fn stack_names(layer: &ConfigLayer) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (name, test) in &layer.tests {
        let keys = ["stack_name", "stack_name_prefix", "stack_name_suffix"];
        let mut given = keys
            .iter()
            .filter_map(|key| test.as_section()?.get(*key))
            .filter(|setting| setting.to_json() != "");
        if let Some(second) = given.nth(1) {
            let message = format!("test `{name}` has more than one of {}", keys.join(", "));
            diagnostics.push(at_origin(
                Diagnostic::error(message).help("keep one of them"),
                &second.origin,
            ));
        }
    }
    diagnostics
}

/// Warns about variables and flags that set a key of the project but don't reach a test, since the
/// test inherited the key from a file. This is TaskCat's behavior, but it surprises.
fn unreached(layer: &ConfigLayer) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for key in PROPAGATED_KEYS {
        let Some(project) = layer.project.get(key) else {
            continue;
        };
        match project.origin {
            // `--regions` narrows the tests' regions: see `trim`.
            ValueOrigin::CommandLine(_) if key == "regions" => continue,
            ValueOrigin::CommandLine(_) | ValueOrigin::Environment(_) => {}
            _ => continue,
        }
        for (name, test) in &layer.tests {
            let own = test.as_section().and_then(|test| test.get(key));
            if let Some(own) = own.filter(|own| own.inherited && own.to_json() != project.to_json())
            {
                let message = format!(
                    "{}: it does not affect `tests.{name}.{key}`, which is {}",
                    project.origin, own.origin
                );
                diagnostics
                    .push(Diagnostic::warning(message).help(format!("set tests.{name}.{key}")));
            }
        }
    }
    diagnostics
}

fn at_origin(diagnostic: Diagnostic, origin: &ValueOrigin) -> Diagnostic {
    match origin.location() {
        Some(location) => diagnostic.at(location.clone()),
        None => diagnostic,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;

    /// A project in its own directory, with these files.
    pub(super) struct TempProject {
        directory: tempfile::TempDir,
        pub(super) request: LoadRequest,
    }

    impl TempProject {
        pub(super) fn new(files: &[(&str, &str)]) -> Self {
            let directory = tempfile::Builder::new()
                .prefix("My_Project.")
                .tempdir()
                .unwrap();
            let root = directory.path().join("project");
            fs::create_dir(&root).unwrap();
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            let request = LoadRequest {
                project_root: root,
                input_file: "./.taskcat.yml".into(),
                ..LoadRequest::default()
            };
            Self { directory, request }
        }

        pub(super) fn env(mut self, name: &str, value: &str) -> Self {
            self.request.env.push((name.to_owned(), value.to_owned()));
            self
        }

        pub(super) fn argument(mut self, key: &str, value: &str, flag: &str) -> Self {
            let argument = CommandLineValue {
                key: key.to_owned(),
                value: value.to_owned(),
                flag: flag.to_owned(),
            };
            self.request.command_line.push(argument);
            self
        }

        #[track_caller]
        pub(super) fn load(&self) -> LoadedConfig {
            load(&self.request)
                .unwrap_or_else(|diagnostics| panic!("{}", self.said(&diagnostics).join("\n")))
        }

        /// Returns diagnostics as lines, with paths relative to the project.
        pub(super) fn said(&self, diagnostics: &[Diagnostic]) -> Vec<String> {
            let root = format!("{}/", self.request.project_root.display());
            diagnostics
                .iter()
                .map(|diagnostic| diagnostic.to_string().replace(&root, ""))
                .collect()
        }

        /// Returns all diagnostics of the project, whether or not there are errors.
        pub(super) fn all_said(&self) -> Vec<String> {
            match load(&self.request) {
                Ok(loaded) => self.said(&loaded.warnings),
                Err(diagnostics) => self.said(&diagnostics),
            }
        }

        pub(super) fn path(&self) -> &Path {
            self.directory.path()
        }
    }

    fn set(config: &mut Value, path: &str, value: Value) -> Option<Value> {
        let (parents, key) = path.rsplit_once('.').unwrap();
        let parent = parents
            .split('.')
            .try_fold(config, |node, key| node.get_mut(key))
            .unwrap();
        parent
            .as_object_mut()
            .unwrap()
            .insert(key.to_owned(), value)
    }

    fn scenario_request(folder: &Path) -> LoadRequest {
        let text =
            fs::read_to_string(folder.join("request.json")).unwrap_or_else(|_| "{}".to_owned());
        let given: Value = serde_json::from_str(&text).unwrap();
        let pairs = given["env"].as_object().cloned().unwrap_or_default();
        let arguments = given["command_line"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        LoadRequest {
            project_root: folder.join("project"),
            input_file: given["input"].as_str().unwrap_or(".taskcat.yml").into(),
            global_file: Some(folder.join("home/.taskcat.yml")),
            legacy_global_overrides: Some(folder.join("home/.aws/taskcat_global_override.json")),
            env: pairs
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            command_line: arguments
                .iter()
                .map(|a| CommandLineValue {
                    key: text(&a[0]),
                    value: text(&a[1]),
                    flag: text(&a[2]),
                })
                .collect(),
            only_test: None,
        }
    }

    /// `expected.json` is what TaskCat itself resolves; `expect.py` beside the scenarios generates
    /// it.
    #[test]
    fn scenarios_resolve_as_in_taskcat() {
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config");
        let mut checked = 0;
        for entry in fs::read_dir(scenarios).unwrap() {
            let folder = entry.unwrap().path();
            let Ok(expected) = fs::read_to_string(folder.join("expected.json")) else {
                continue;
            };
            let mut expected: Value = serde_json::from_str(&expected).unwrap();
            let differences = fs::read_to_string(folder.join("differences.json"))
                .unwrap_or_else(|_| "{}".to_owned());
            for (path, value) in
                serde_json::from_str::<serde_json::Map<_, _>>(&differences).unwrap()
            {
                let taskcats = set(&mut expected, &path, value.clone());
                assert_ne!(
                    taskcats,
                    Some(value),
                    "{}: {path} is no difference",
                    folder.display()
                );
            }
            let loaded = load(&scenario_request(&folder))
                .unwrap_or_else(|said| panic!("{}: {said:#?}", folder.display()));
            assert_eq!(loaded.to_json(), expected, "{}", folder.display());
            checked += 1;
        }
        assert!(checked >= 20, "only {checked} scenarios were found");
    }

    /// Real projects and what TaskCat resolves for them, in a folder beside the checkout.
    fn corpus() -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders = root.ancestors().map(|folder| folder.join("shared/corpus"));
        folders
            .find(|path| path.is_dir())
            .expect("shared/corpus lies beside the checkout")
    }

    fn corpus_request(project: &Path) -> LoadRequest {
        LoadRequest {
            project_root: project.to_owned(),
            input_file: ".taskcat.yml".into(),
            ..LoadRequest::default()
        }
    }

    #[test]
    #[ignore = "needs ../shared/corpus; run tests/run.sh"]
    fn projects_of_the_corpus_resolve_as_in_taskcat() {
        let corpus = corpus();
        let mut checked = 0;
        for entry in fs::read_dir(corpus.join("expected")).unwrap() {
            let file = entry.unwrap().path();
            let expected: Value =
                serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            let loaded = load(&corpus_request(&corpus.join(file.file_stem().unwrap()))).unwrap();
            assert_eq!(loaded.to_json(), expected["config"], "{}", file.display());
            // The output can be read again, with the same result.
            let shown = crate::yaml::parse(
                &std::sync::Arc::from(Path::new("shown")),
                &show::yaml(&loaded),
            );
            assert_eq!(
                shown.root.unwrap().to_json(),
                expected["config"],
                "{}",
                file.display()
            );
            checked += 1;
        }
        assert_eq!(checked, 12);
    }

    /// Deterministic damage to real files never causes a panic.
    #[test]
    fn damaged_files_never_panic() {
        let mut texts = vec![
            b"a: &a [*a, !Ref x, 'q', \"\\u00e9\", {b: 010}]\n<<: *a\n? [k]\n: |\n  x\n".to_vec(),
        ];
        let projects =
            fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/projects")).unwrap();
        let mut projects: Vec<_> = projects
            .map(|entry| entry.unwrap().path().join(".taskcat.yml"))
            .collect();
        projects.sort();
        texts.extend(projects.iter().filter_map(|path| fs::read(path).ok()));
        let project = TempProject::new(&[(".taskcat.yml", "")]);
        let file = project.request.project_root.join(".taskcat.yml");
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below.max(1) as u64) as usize
        };
        let strange = b"\0\t\n :-[]{}&*!|>'\"%@`,#?<~\xff\xc3\xef\xbb\xbf0x";
        let mut accepted = 0;
        let mut refused = 0;
        for round in 0..300 {
            let mut bytes = texts[round % texts.len()].clone();
            for _ in 0..=random(6) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, strange[random(strange.len())]),
                    2 if !bytes.is_empty() => bytes[at] = strange[random(strange.len())],
                    _ => {
                        let end = (at + random(40)).min(bytes.len());
                        let copy = bytes[at.min(end)..end].to_vec();
                        let to = random(bytes.len());
                        bytes.splice(to..to, copy);
                    }
                }
            }
            fs::write(&file, &bytes).unwrap();
            match load(&project.request) {
                Ok(loaded) => {
                    accepted += 1;
                    show::with_origin(&loaded);
                }
                Err(said) => {
                    refused += 1;
                    assert!(
                        said.iter()
                            .any(|diagnostic| diagnostic.severity == Severity::Error)
                    );
                }
            }
        }
        assert!(
            accepted > 0 && refused > 0,
            "{accepted} accepted, {refused} refused"
        );
    }

    #[test]
    fn every_value_knows_its_origin() {
        let project = TempProject::new(&[
            (
                ".taskcat.yml",
                "project:\n  name: p\n  regions: [us-east-1,\n    us-west-2]\n  parameters: {A: \
              1}\ntests:\n  t:\n    template: t.yaml\n    parameters: {A: 2, B: 3}\n",
            ),
            (".taskcat_overrides.yml", "B: 4\n"),
        ])
        .env("TASKCAT_PROJECT_OWNER", "me")
        .argument("project.auth.default", "admin", "--profile");
        let loaded = project.load();
        let root = format!("{}/", project.request.project_root.display());
        let check = |path: &str, expect: &str| {
            let origin = loaded
                .origin(path)
                .map(|origin| origin.to_string().replace(&root, ""));
            assert_eq!(origin.as_deref(), Some(expect), "{path}");
        };
        check("project.name", ".taskcat.yml:2:3");
        check("project.regions.1", ".taskcat.yml:4:5");
        check("tests.t.regions", ".taskcat.yml:3:3");
        check("tests.t.regions.0", ".taskcat.yml:3:13");
        check("tests.t", ".taskcat.yml:7:3");
        check("tests.t.parameters.A", ".taskcat.yml:5:16");
        check("tests.t.parameters.B", ".taskcat_overrides.yml:1:1");
        check("project.owner", "TASKCAT_PROJECT_OWNER");
        check("tests.t.auth.default", "--profile");
        check("project.package_lambda", "default");
        assert_eq!(loaded.origin("project.nothing"), None);
    }

    #[test]
    fn a_project_without_a_name_is_called_after_its_directory() {
        let mut project = TempProject::new(&[("My_Templates (v2)/.taskcat.yml", "tests: {}\n")]);
        project.request.project_root.push("My_Templates (v2)");
        assert_eq!(
            project.load().config.project.name.as_deref(),
            Some("my-templates-v2")
        );
        assert_eq!(
            project.all_said(),
            [
                "the project has no name; using the name of its directory, `my-templates-v2` (set \
                 project.name)"
            ]
        );
        project.request.project_root = "/".into();
        project.request.input_file = project
            .path()
            .join("project/My_Templates (v2)/.taskcat.yml");
        assert_eq!(
            project.all_said(),
            ["the project has no name (set project.name)"]
        );
    }

    #[test]
    fn missing_settings_are_an_error() {
        let project = TempProject::new(&[]);
        let root = project.request.project_root.display();
        assert_eq!(
            project.all_said()[0].replace(&format!("{root}/"), ""),
            "cannot read .taskcat.yml: no such file (create it, with `project: {name: NAME, \
             regions: [REGION]}` and \
             `tests: {default: {template: TEMPLATE}}`, or name the project's root with \
             --project-root, or a template \
             with --input-file)"
        );
    }

    #[test]
    fn stack_name_keys_exclude_each_other() {
        let text = "project: {name: p}\ntests:\n  t: {stack_name: a, stack_name_prefix: b, \
            stack_name_suffix: ''}\n  \
                    u: {stack_name: '', stack_name_suffix: c}\n";
        assert_eq!(
            TempProject::new(&[(".taskcat.yml", text)]).all_said(),
            [
                ".taskcat.yml:3:22: test `t` has more than one of stack_name, stack_name_prefix, \
                 stack_name_suffix \
                 (keep one of them)"
            ]
        );
    }

    #[test]
    fn a_value_that_does_not_reach_a_test_is_pointed_out() {
        let text = "project: {name: p, s3_bucket: file, regions: [us-east-1]}\ntests: {t: {}, u: \
            {s3_bucket: own}}\n";
        let project =
            TempProject::new(&[(".taskcat.yml", text)]).env("TASKCAT_PROJECT_S3_BUCKET", "env");
        let expect = "TASKCAT_PROJECT_S3_BUCKET: it does not affect `tests.t.s3_bucket`, which is \
            .taskcat.yml:1:20 \
                      (set tests.t.s3_bucket)";
        assert_eq!(project.all_said(), [expect]);
        // A flag for every test reaches them all; `--regions` narrows them later.
        let project = TempProject::new(&[(".taskcat.yml", text)])
            .argument("project.s3_bucket", "flag", "--bucket-name")
            .argument("tests.*.s3_bucket", "flag", "--bucket-name")
            .argument("project.regions", "us-west-2", "--regions");
        assert_eq!(project.all_said(), [""; 0]);
        let buckets = project
            .load()
            .config
            .tests
            .into_values()
            .map(|test| test.s3_bucket)
            .collect::<Vec<_>>();
        assert_eq!(buckets, [Some("flag".to_owned()), Some("flag".to_owned())]);
    }

    #[test]
    fn accessors_follow_taskcat() {
        let test: TestConfig =
            serde_json::from_value(json!({"auth": {"us-east-1": "a"}, "s3_bucket": ""})).unwrap();
        assert_eq!(
            (
                test.profile("us-east-1"),
                test.profile("us-east-2"),
                test.given_bucket()
            ),
            (Some("a"), None, None)
        );
        let test: TestConfig =
            serde_json::from_value(json!({"auth": {"default": "d"}, "s3_bucket": "b"})).unwrap();
        assert_eq!(
            (test.profile("us-east-1"), test.given_bucket()),
            (Some("d"), Some("b"))
        );
    }
}
