//! `taskcat update-ami`: replaces outdated AMI IDs in templates.
//!
//! - `lookup`: asks EC2 and SSM
//! - `findings`: why an AMI ID stays as it is
//! - `write`: changes the files

mod findings;
mod lookup;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;

use super::error::{CliError, ExitStatus};
use super::paths::path;
use super::project::CliProject;
use super::{AwsArgs, Verbosity, block_on, output, streams};
use crate::ami::{self, AmiEntry, AmiFilters};
use crate::aws::{Aws, DEFAULT_PROFILE, Image};
use crate::config::TestConfig;
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::plan::{PlanDraft, profile_of};
use crate::submodules;
use crate::template::{Template, Templates};
use findings::Findings;
use lookup::{AmiAnswer, AmiLookup};
use write::ChangedFile;

/// The filters of a project, if it has any. TaskCat's own file has the same name.
const FILTERS_FILE: &str = "amiupdater.cfg.yml";

/// Replace outdated AMI IDs in templates with those of the newest images.
///
/// Updates `Mappings.AWSAMIRegionMap` (region, codename, AMI ID) in the templates of all tests and
/// in those that they nest, except in git submodules. Changes only the IDs and keeps every other
/// byte of the files.
///
/// Filters of EC2's DescribeImages select the images of a codename: those in
/// `Metadata.AWSAMIRegionMap.Filters` of the template, those in the filters file, or TaskCat's own
/// for names such as AMZNLINUX2 and US2204HVM. With `ssm-parameter: /aws/service/…` instead of
/// filters, the ID is the value of that parameter. What cannot be looked up stays as it is, with a
/// warning.
///
/// Exits with code 100 if AMI IDs were outdated, and with 0 if all are up to date.
#[derive(Args)]
pub(super) struct UpdateAmiArgs {
    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// File with filters of codenames under `global.AMIs`, relative to the project root [default:
    /// amiupdater.cfg.yml if it exists].
    #[arg(long, value_name = "FILE", value_parser = path())]
    filters: Option<PathBuf>,

    /// Print what would change, without changing anything; the exit code is the same.
    #[arg(long, visible_alias = "check")]
    dry_run: bool,
}

/// An AMI ID, and how the newest one is found.
struct OutdatableAmi<'t> {
    template: &'t Template,
    entry: AmiEntry,
    lookup: AmiLookup,
    /// Where the filters are written.
    filters: Option<Location>,
}

impl UpdateAmiArgs {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        let project =
            CliProject::load(&self.project_root, ".taskcat.yml".as_ref(), aws, Vec::new())?;
        let (templates, diagnostics) = PlanDraft::templates(&project.loaded, &project.root, false);
        let is_error = |it: &Diagnostic| it.severity == Severity::Error;
        if diagnostics.iter().any(is_error) {
            return Err(CliError::Diagnostics(project.with_warnings(diagnostics)));
        }
        output::diagnostics(&project.with_warnings(diagnostics));
        block_on(self.update(&project, &templates, aws, verbosity))
    }

    async fn update(
        &self,
        project: &CliProject,
        templates: &Templates,
        aws: &AwsArgs,
        verbosity: Verbosity,
    ) -> Result<ExitStatus, CliError> {
        let templates = own_templates(project, templates);
        let filters = self.filters(project, &templates)?;
        let (amis, mut findings) = find(project, &templates, &filters);
        if amis.is_empty() {
            return Ok(nothing_to_look_up(findings));
        }
        let (clients, _) = aws.connect(Some(&project.loaded.config))?;
        let amis = in_usable_regions(project, &clients, amis, &mut findings).await?;
        let lookups: BTreeSet<AmiLookup> = amis.iter().map(|it| it.lookup.clone()).collect();
        let answers = lookup::newest(&clients, lookups).await;
        let mut changes: BTreeMap<&str, ChangedFile> = BTreeMap::new();
        for ami in &amis {
            let Some(answer) = answers.get(&ami.lookup) else {
                continue;
            };
            match answer {
                AmiAnswer::Newest(image) if image.id != ami.entry.value => {
                    let key = ami.template.relative.as_str();
                    let file = changes.entry(key);
                    let file = file.or_insert_with(|| ChangedFile::new(ami.template));
                    file.replace(&ami.entry, image);
                }
                AmiAnswer::Newest(_) => {}
                answer => findings.add_unanswered(ami, answer),
            }
        }
        let changed = write::write(changes.into_values(), self.dry_run, &mut findings);
        findings.print();
        if !verbosity.quiet {
            streams::tell(summary(&changed, amis.len(), self.dry_run));
        }
        Ok(match (changed.len(), findings.exit()) {
            (1.., ExitStatus::Unwritten) => ExitStatus::Unwritten,
            (1.., _) => ExitStatus::Changed,
            (0, exit) => exit,
        })
    }

    fn filters(
        &self,
        project: &CliProject,
        templates: &[&Template],
    ) -> Result<AmiFilters, CliError> {
        let (mut filters, warnings) = AmiFilters::of(templates.iter().copied());
        output::diagnostics(&warnings);
        let file = match &self.filters {
            Some(file) => Some(project.root.join(file)),
            None => Some(project.root.join(FILTERS_FILE)).filter(|it| it.exists()),
        };
        if let Some(file) = file {
            let warnings = filters.add_file(&file).map_err(CliError::Diagnostics)?;
            output::diagnostics(&warnings);
        }
        Ok(filters)
    }
}

/// Returns the templates outside of git submodules.
fn own_templates<'t>(project: &CliProject, templates: &'t Templates) -> Vec<&'t Template> {
    let submodules = submodules::paths(&project.root);
    let is_own = |template: &&Template| {
        let file = project.root.join(&template.relative);
        !submodules.iter().any(|folder| file.starts_with(folder))
    };
    templates.iter().filter(is_own).collect()
}

/// Returns the AMI IDs whose codenames have filters. The others are found, too, if they have AMI
/// IDs: maps may contain other things, such as types of instances.
fn find<'t>(
    project: &CliProject,
    templates: &[&'t Template],
    filters: &AmiFilters,
) -> (Vec<OutdatableAmi<'t>>, Findings) {
    let mut findings = Findings::default();
    let mut amis = Vec::new();
    let test = project.loaded.config.tests.values().next();
    for &template in templates {
        let entries = ami::entries(template).into_iter();
        for entry in entries.filter(|it| !it.is_parameter()) {
            match filters.get(&template.relative, &entry.codename) {
                Some(filter) => {
                    let lookup = AmiLookup {
                        region: entry.region.clone(),
                        profile: profile(test, &entry.region),
                        source: filter.source.clone(),
                    };
                    amis.push(OutdatableAmi {
                        template,
                        entry,
                        lookup,
                        filters: filter.location.clone(),
                    });
                }
                None if entry.is_ami() => {
                    findings.add_without_filters(template, &entry, filters.codenames());
                }
                None => {}
            }
        }
    }
    (amis, findings)
}

/// Returns the profile for a region. Public images have the same IDs for every account, so one
/// test's `auth` does for all.
fn profile(test: Option<&TestConfig>, region: &str) -> String {
    test.map_or(DEFAULT_PROFILE, |test| profile_of(test, region))
        .to_owned()
}

fn nothing_to_look_up(findings: Findings) -> ExitStatus {
    if findings.is_empty() {
        output::warning_with_help(
            "no template has an AMI ID in Mappings.AWSAMIRegionMap that could be outdated",
            "`taskcat update-ami --help` says what is updated",
        );
        return ExitStatus::Passed;
    }
    findings.print();
    ExitStatus::Usage
}

/// Returns the AMI IDs in regions that can be used: those that `auth` has a profile for, and those
/// that are enabled for the account of the default profile, as in TaskCat.
async fn in_usable_regions<'t>(
    project: &CliProject,
    clients: &Aws,
    amis: Vec<OutdatableAmi<'t>>,
    findings: &mut Findings,
) -> Result<Vec<OutdatableAmi<'t>>, CliError> {
    let test = project.loaded.config.tests.values().next();
    let default = profile(test, "default");
    let auth = test.and_then(|test| test.auth.as_ref());
    let has_profile = |region: &str| auth.is_some_and(|auth| auth.contains_key(region));
    if amis.iter().all(|it| has_profile(&it.entry.region)) {
        return Ok(amis);
    }
    let enabled = clients
        .regions(&default)
        .await
        .map_err(|error| CliError::aws(&default, error))?;
    let (usable, others) = amis
        .into_iter()
        .partition(|ami| has_profile(&ami.entry.region) || enabled.contains(&ami.entry.region));
    let others: Vec<OutdatableAmi> = others;
    for ami in &others {
        findings.add_unusable_region(ami);
    }
    Ok(usable)
}

fn summary(changed: &[(String, Image)], all: usize, is_dry_run: bool) -> String {
    if changed.is_empty() {
        return format!("no AMI ID of {all} was changed");
    }
    let files: BTreeSet<&str> = changed.iter().map(|(file, _)| file.as_str()).collect();
    let would = if is_dry_run {
        "would update"
    } else {
        "updated"
    };
    format!(
        "{would} {} of {all} AMI IDs in {} {}",
        changed.len(),
        files.len(),
        if files.len() == 1 {
            "template"
        } else {
            "templates"
        }
    )
}
