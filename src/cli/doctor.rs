//! `taskcat doctor`: shows how AWS is called, and what prevents it.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::discovery::CONFIGURATION;
use super::error::{CliError, ExitStatus, help};
use super::paths::path;
use super::project::CliProject;
use super::{AwsArgs, block_on, discovery, output, streams};
use crate::aws::{DEFAULT_PROFILE, Setup, explicit_profile, profile_argument};
use crate::catalog;
use crate::config::{self, BaseConfig, legacy};
use crate::input;
use crate::plan::profile_of;

/// Check the profiles, credentials, regions and network settings for calls to AWS.
///
/// Checks every profile that the tests of the project use (`auth` in .taskcat.yml) or, outside of a
/// project, the one that --profile or the environment selects. Names the file and line, or the
/// variable, that sets each value, and asks STS for the identity. Exits with code 3 if AWS cannot
/// be called with one of the profiles.
#[derive(Args)]
pub(super) struct DoctorArgs {
    /// Configuration or template, relative to the project root.
    #[arg(short, long, default_value = CONFIGURATION, value_name = "FILE", value_parser = path())]
    input_file: PathBuf,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Output format.
    #[arg(short, long, value_enum, default_value_t = DoctorFormat::Text)]
    format: DoctorFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum DoctorFormat {
    Text,
    Json,
}

/// A profile and what it is used for.
struct UsedProfile {
    name: String,
    tests: Vec<String>,
    regions: Vec<String>,
}

impl DoctorArgs {
    pub(super) fn run(mut self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        self.project_root = discovery::locate(&self.project_root, &self.input_file);
        let project = if self.is_in_project() {
            Some(CliProject::load(
                &self.project_root,
                &self.input_file,
                aws,
                Vec::new(),
            )?)
        } else {
            None
        };
        if let Some(project) = &project {
            output::diagnostics(&project.loaded.warnings);
        }
        let config = project.as_ref().map(|it| &it.loaded.config);
        let mut profiles = config.map(used_profiles).unwrap_or_default();
        if profiles.is_empty() {
            let name = aws.profile().map_or(DEFAULT_PROFILE, explicit_profile);
            profiles.push(UsedProfile {
                name: name.to_owned(),
                tests: Vec::new(),
                regions: Vec::new(),
            });
        }
        block_on(async {
            let (clients, _) = aws.connect(config)?;
            let mut checked = Vec::new();
            for profile in profiles {
                let setup = clients.setup(&profile.name, &profile.regions).await;
                if let DoctorFormat::Text = self.format {
                    print_text(&profile, &setup, checked.is_empty());
                }
                checked.push((profile, setup));
            }
            if let DoctorFormat::Json = self.format {
                let profiles: Vec<Value> = checked.iter().map(to_json).collect();
                streams::print_line(format_args!("{:#}", json!({ "profiles": profiles })));
            }
            let mut exit = ExitStatus::Passed;
            for (profile, setup) in checked {
                if let Some(error) = setup.error {
                    exit = CliError::aws(shown(&profile.name), error).report();
                }
            }
            Ok(exit)
        })
    }

    /// Whether there is a configuration to look at, or one is asked for.
    fn is_in_project(&self) -> bool {
        self.input_file != Path::new(CONFIGURATION)
            || config::project_file(&self.project_root).is_some()
            || input::is_given(&self.project_root.join(legacy::PROJECT_FILE))
    }
}

/// The profiles of all tests and regions, in the order of the configuration. A profile is called in
/// each partition that it is used in.
fn used_profiles(config: &BaseConfig) -> Vec<UsedProfile> {
    let mut used: Vec<UsedProfile> = Vec::new();
    for (test, settings) in &config.tests {
        for region in settings.regions.iter().flatten() {
            let name = profile_of(settings, region);
            let partition = catalog::partition_of(region);
            let is_same = |it: &&mut UsedProfile| {
                let region = it.regions.first().map(String::as_str).unwrap_or_default();
                it.name == name && catalog::partition_of(region) == partition
            };
            let Some(known) = used.iter_mut().find(is_same) else {
                used.push(UsedProfile {
                    name: name.to_owned(),
                    tests: vec![test.clone()],
                    regions: vec![region.clone()],
                });
                continue;
            };
            if !known.tests.contains(test) {
                known.tests.push(test.clone());
            }
            if !known.regions.contains(region) {
                known.regions.push(region.clone());
            }
        }
    }
    used
}

fn shown(profile: &str) -> &str {
    profile_argument(profile).unwrap_or(DEFAULT_PROFILE)
}

fn print_text(profile: &UsedProfile, setup: &Setup, is_first: bool) {
    if !is_first {
        streams::print_line("");
    }
    let tests = Some(profile.tests.join(", ")).filter(|tests| !tests.is_empty());
    let rows = setup
        .rows
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let (heading, others): (Vec<_>, Vec<_>) = rows.partition(|(name, _)| *name == "profile");
    let tests = tests.iter().map(|tests| ("tests", tests.as_str()));
    for (name, value) in heading.into_iter().chain(tests).chain(others) {
        streams::print_line(format_args!("{name:<12} {value}"));
    }
}

/// `{"name": "dev", "tests": […], "regions": […], "setup": {"region": …}, "error": null}`
fn to_json((profile, setup): &(UsedProfile, Setup)) -> Value {
    let rows = setup.rows.iter().map(|(name, value)| {
        let key = name.to_lowercase().replace(' ', "_");
        (key, Value::from(value.as_str()))
    });
    let error = setup.error.as_ref().map(
        |error| json!({"message": error.of_profile(shown(&profile.name)), "help": help(error)}),
    );
    json!({
        "name": shown(&profile.name),
        "tests": profile.tests,
        "regions": profile.regions,
        "setup": rows.collect::<serde_json::Map<_, _>>(),
        "error": error,
    })
}
