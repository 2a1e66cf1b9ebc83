//! `taskcat doctor`: shows how AWS is called, what the project needs, and what prevents it.
//!
//! - `check`: the result of a check
//! - `access`: the clock, the regions and the permissions
//! - `programs`: the programs that the project needs

mod access;
mod check;
mod programs;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::discovery::CONFIGURATION;
use super::error::{CliError, ExitStatus, help};
use super::generate_iam_policy::policy_request;
use super::paths::path;
use super::project::CliProject;
use super::{AwsArgs, block_on, discovery, output, streams};
use crate::aws::{DEFAULT_PROFILE, Setup, explicit_profile, profile_argument};
use crate::catalog;
use crate::config::{self, BaseConfig, legacy};
use crate::iam_policy::PolicyPurpose;
use crate::input;
use crate::plan::{PlanDraft, profile_of};
use access::AccessCheck;
use check::{DoctorCheck, print_row};

/// Check credentials, permissions, regions, the clock and programs before a test run.
///
/// Checks every profile that the tests of the project use (`auth` in .taskcat.yml) or, outside of a
/// project, the one that --profile or the environment selects. Names the file and line, or the
/// variable, that sets each value, and asks STS for the identity. Then compares the clock with
/// AWS's, asks EC2 which regions are enabled, and lets IAM simulate whether the caller's policies
/// allow what `generate-iam-policy` lists (iam:SimulatePrincipalPolicy; without that permission,
/// two calls that change nothing are tried). Looks for the programs that the project needs: Git,
/// the container engine, pip, and those of hooks. Nothing is created or changed, and each check has
/// a time limit.
///
/// Exits with code 3 if AWS cannot be called with one of the profiles, refuses its clock, lacks a
/// region, or does not allow what taskcat calls; otherwise with 1 if a program is missing.
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
        let templates = project
            .as_ref()
            .map(|it| PlanDraft::templates(&it.loaded, &it.root, false).0);
        let needed = config
            .zip(templates.as_ref())
            .map(|(config, it)| policy_request(config, it, PolicyPurpose::Test));
        block_on(async {
            let (clients, _) = aws.connect(config)?;
            let mut checked = Vec::new();
            for profile in profiles {
                let setup = clients.setup(&profile.name, &profile.regions).await;
                let home = [clients.home_region(&profile.name).await];
                let check = AccessCheck {
                    aws: &clients,
                    profile: &profile.name,
                    regions: match &profile.regions[..] {
                        [] => &home,
                        regions => regions,
                    },
                    caller: setup.caller.as_ref(),
                    needed: needed.as_ref(),
                };
                let checks = check.results().await;
                let profile = CheckedProfile {
                    used: profile,
                    setup,
                    checks,
                };
                if let DoctorFormat::Text = self.format {
                    profile.print_text(checked.is_empty());
                }
                checked.push(profile);
            }
            let programs = programs::results(project.as_ref()).await;
            match self.format {
                DoctorFormat::Text => {
                    streams::print_line("");
                    programs.iter().for_each(DoctorCheck::print);
                }
                DoctorFormat::Json => {
                    let profiles: Vec<Value> =
                        checked.iter().map(CheckedProfile::to_json).collect();
                    let programs: Vec<Value> = programs.iter().map(DoctorCheck::to_json).collect();
                    let all = json!({ "profiles": profiles, "programs": programs });
                    streams::print_line(format_args!("{all:#}"));
                }
            }
            Ok(report(checked, &programs))
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

/// A profile, and what was found out.
struct CheckedProfile {
    used: UsedProfile,
    setup: Setup,
    checks: Vec<DoctorCheck>,
}

/// Prints the problems and returns the exit code: AWS's errors take precedence.
fn report(profiles: Vec<CheckedProfile>, programs: &[DoctorCheck]) -> ExitStatus {
    let mut exits = Vec::new();
    for profile in profiles {
        let name = shown(&profile.used.name);
        exits.extend(
            profile
                .setup
                .error
                .map(|error| CliError::aws(name, error).report()),
        );
        exits.extend(profile.checks.iter().filter_map(DoctorCheck::report));
    }
    exits.extend(programs.iter().filter_map(DoctorCheck::report));
    exits.first().copied().unwrap_or(ExitStatus::Passed)
}

impl CheckedProfile {
    fn print_text(&self, is_first: bool) {
        if !is_first {
            streams::print_line("");
        }
        let tests = Some(self.used.tests.join(", ")).filter(|tests| !tests.is_empty());
        let rows = self.setup.rows.iter();
        let rows = rows.map(|(name, value)| (*name, value.as_str()));
        let (heading, others): (Vec<_>, Vec<_>) = rows.partition(|(name, _)| *name == "profile");
        let tests = tests.iter().map(|tests| ("tests", tests.as_str()));
        for (name, value) in heading.into_iter().chain(tests).chain(others) {
            print_row(name, value);
        }
        self.checks.iter().for_each(DoctorCheck::print);
    }

    /// `{"name": "dev", "tests": […], "regions": […], "setup": {"region": …}, "error": null,
    /// "checks": […]}`
    fn to_json(&self) -> Value {
        let rows = self.setup.rows.iter().map(|(name, value)| {
            let key = name.to_lowercase().replace(' ', "_");
            (key, Value::from(value.as_str()))
        });
        let name = shown(&self.used.name);
        let error = self
            .setup
            .error
            .as_ref()
            .map(|error| json!({"message": error.of_profile(name), "help": help(error)}));
        json!({
            "name": name,
            "tests": self.used.tests,
            "regions": self.used.regions,
            "setup": rows.collect::<serde_json::Map<_, _>>(),
            "error": error,
            "checks": self.checks.iter().map(DoctorCheck::to_json).collect::<Vec<_>>(),
        })
    }
}
