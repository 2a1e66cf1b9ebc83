//! `taskcat generate-iam-policy`: derives the permissions for a project from its templates.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::error::{CliError, ExitStatus};
use super::paths::path;
use super::project::CliProject;
use super::{AwsArgs, output, streams};
use crate::catalog;
use crate::config::{BaseConfig, TestConfig};
use crate::diagnostic::{Diagnostic, Severity};
use crate::iam_policy::{self, PolicyPurpose, PolicyRequest};
use crate::input;
use crate::plan::{PlanDraft, valid_stack_name};
use crate::template::{Template, Templates};

/// IAM's limit for a managed policy, in characters without white space.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MAX_MANAGED: usize = 6_144;

/// Write the IAM policy that is needed to test or deploy a project.
///
/// The policy allows what taskcat calls itself, on the project's stacks and buckets, and what
/// CloudFormation calls with the same permissions for the resources of all templates, nested ones
/// included: the permissions of the handlers in CloudFormation's schemas. Roles may be passed only
/// to the services that need them. CloudFormation chooses most names of resources, so their actions
/// are allowed on all resources of the account.
///
/// Types whose schemas name no permissions are listed; add what they need. What a template's own
/// functions and macros call is not known either.
#[derive(Args)]
pub(super) struct GenerateIamPolicyArgs {
    /// File to write.
    #[arg(short, long, default_value = "./cfn_stack_policy.json", value_name = "FILE",
        value_parser = path())]
    output_file: PathBuf,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// What the role with the policy does.
    #[arg(long, value_enum, default_value_t = RoleUse::Test, value_name = "USE")]
    role_for: RoleUse,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleUse {
    /// Run tests: create stacks and delete them.
    Test,
    /// Create and update permanent stacks.
    Deploy,
    /// Delete what earlier runs left.
    Cleanup,
}

impl GenerateIamPolicyArgs {
    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        let project =
            CliProject::load(&self.project_root, ".taskcat.yml".as_ref(), aws, Vec::new())?;
        let (templates, diagnostics) = PlanDraft::templates(&project.loaded, &project.root, false);
        if diagnostics.iter().any(|it| it.severity == Severity::Error) {
            return Err(CliError::Diagnostics(project.with_warnings(diagnostics)));
        }
        output::diagnostics(&project.with_warnings(diagnostics));
        let generated = iam_policy::generate(&policy_request(
            &project.loaded.config,
            &templates,
            self.role_for.purpose(),
        ));
        let text = serde_json::to_string_pretty(&generated.document)
            .map_err(|error| CliError::local("the policy", error))?;
        input::write_whole(&self.output_file, (text + "\n").as_bytes()).map_err(|error| {
            let reason = input::reason(&error);
            CliError::unwritten(format_args!(
                "cannot write {}: {reason}",
                self.output_file.display()
            ))
        })?;
        let warnings = generated.uncovered.into_iter().map(|it| {
            let message = format!(
                "CloudFormation's schema of {} names no permissions",
                it.name
            );
            Diagnostic::warning(message)
                .at(it.location)
                .help("add the actions of its service that it needs to the policy")
        });
        output::diagnostics(&warnings.collect::<Vec<_>>());
        let size = generated.document.to_string().len();
        if size > MAX_MANAGED {
            let message = format!(
                "the policy has {size} characters, more than the {MAX_MANAGED} of a managed policy"
            );
            let help = "split its statements over several policies, which a role may have ten of";
            output::warning_with_help(&message, help);
        }
        streams::tell(format_args!("wrote {}", self.output_file.display()));
        Ok(ExitStatus::Passed)
    }
}

impl RoleUse {
    fn purpose(self) -> PolicyPurpose {
        match self {
            Self::Test => PolicyPurpose::Test,
            Self::Deploy => PolicyPurpose::Deploy,
            Self::Cleanup => PolicyPurpose::Cleanup,
        }
    }
}

/// Returns what a project's policy must allow.
pub(super) fn policy_request<'t>(
    config: &BaseConfig,
    templates: &'t Templates,
    purpose: PolicyPurpose,
) -> PolicyRequest<'t> {
    let tests = || config.tests.values();
    let regions = tests().flat_map(|it| it.regions.iter().flatten());
    let mut partitions: BTreeSet<&str> = regions
        .map(|region| catalog::partition_of(region).name)
        .collect();
    if partitions.is_empty() {
        partitions.insert("aws");
    }
    let buckets: BTreeSet<String> = tests().map(bucket).collect();
    let templates: Vec<&Template> = templates.iter().collect();
    PolicyRequest {
        purpose,
        roles: tests()
            .filter_map(|it| role(it, &partitions))
            .flatten()
            .collect(),
        partitions,
        stacks: stacks(config, purpose),
        buckets,
        has_secrets: has_secrets(config, &templates),
        has_updates: tests().any(|it| it.update_from.is_some()),
        templates,
    }
}

/// Returns patterns of the names of the tests' stacks, and of their nested stacks, whose names
/// begin with the same.
fn stacks(config: &BaseConfig, purpose: PolicyPurpose) -> BTreeSet<String> {
    let project = config.project.name.as_deref().unwrap_or_default();
    let given = |text: &Option<String>| text.clone().filter(|it| !it.is_empty());
    let pattern = |(test, settings): (&String, &TestConfig)| {
        let name = given(&settings.stack_name);
        let start = match (purpose, name) {
            (_, Some(name)) => name,
            (PolicyPurpose::Deploy, None) => format!("{project}-{test}"),
            (_, None) => match given(&settings.stack_name_prefix) {
                Some(prefix) => prefix,
                None if config.project.shorten_stack_name == Some(true) => {
                    format!("tCaT-{test}-")
                }
                None => format!("tCaT-{project}-"),
            },
        };
        format!("{}*", valid_stack_name(&start))
    };
    config.tests.iter().map(pattern).collect()
}

/// Returns the pattern of the names of a test's buckets.
fn bucket(test: &TestConfig) -> String {
    match test.given_bucket() {
        Some(name) if test.s3_regional_buckets == Some(true) => format!("{name}-*"),
        Some(name) => name.to_owned(),
        None => "tcat-*".to_owned(),
    }
}

/// Returns the ARNs of a test's service role, in each partition.
fn role(test: &TestConfig, partitions: &BTreeSet<&str>) -> Option<Vec<String>> {
    let role = test.role_name.as_deref().filter(|it| !it.is_empty())?;
    if role.starts_with("arn:") {
        return Some(vec![role.to_owned()]);
    }
    let name = role.trim_start_matches('/');
    let arns = partitions
        .iter()
        .map(|it| format!("arn:{it}:iam::*:role/{name}"));
    Some(arns.collect())
}

/// Returns whether parameters or templates read secrets.
fn has_secrets(config: &BaseConfig, templates: &[&Template]) -> bool {
    let parameters = config.tests.values().flat_map(|it| it.parameters.iter());
    let mut values = parameters.map(|(_, value)| value.text(&[]));
    let reads = |template: &&Template| {
        let text = input::text(&template.file);
        text.is_some_and(|it| it.contains("{{resolve:secretsmanager"))
    };
    values.any(|it| it.contains("_secretsmanager_")) || templates.iter().any(reads)
}
