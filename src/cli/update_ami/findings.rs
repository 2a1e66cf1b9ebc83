//! Why AMI IDs stay as they are: one finding for each cause, at the first AMI ID, with the others
//! beside it.

use std::path::Path;

use indexmap::IndexMap;

use super::lookup::{AmiAnswer, AmiLookup};
use super::{FILTERS_FILE, OutdatableAmi};
use crate::ami::{AmiEntry, ImageSource, MAP};
use crate::aws::{AwsError, ErrorKind};
use crate::catalog;
use crate::cli::error::{ExitStatus, help};
use crate::cli::output;
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::input;
use crate::spelling;
use crate::template::Template;

/// The most AMI IDs that a finding shows.
const MAX_SHOWN: usize = 4;

/// Findings by template and cause.
#[derive(Default)]
pub(super) struct Findings {
    by_cause: IndexMap<(String, String), AmiFinding>,
    is_unwritten: bool,
}

struct AmiFinding {
    diagnostic: Diagnostic,
    /// The AMI IDs that it concerns, each with its map key.
    concerned: Vec<(Location, String)>,
}

impl Findings {
    pub(super) fn is_empty(&self) -> bool {
        self.by_cause.is_empty()
    }

    /// Adds a finding about a single place.
    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        let key = (diagnostic.to_string(), String::new());
        let concerned = Vec::new();
        self.by_cause.insert(
            key,
            AmiFinding {
                diagnostic,
                concerned,
            },
        );
    }

    fn add_entry(&mut self, template: &Template, entry: &AmiEntry, diagnostic: Diagnostic) {
        let key = (template.relative.clone(), diagnostic.message.clone());
        let finding = self.by_cause.entry(key).or_insert_with(|| AmiFinding {
            diagnostic,
            concerned: Vec::new(),
        });
        let map_key = format!("{MAP}.{}.{}", entry.region, entry.codename);
        finding.concerned.push((entry.location.clone(), map_key));
    }

    /// Adds an AMI ID whose codename has no filters.
    pub(super) fn add_without_filters<'n>(
        &mut self,
        template: &Template,
        entry: &AmiEntry,
        codenames: impl Iterator<Item = &'n str>,
    ) {
        let codename = &entry.codename;
        let help = spelling::did_you_mean(codename, codenames).unwrap_or_else(|| {
            format!(
                "add them to the template's Metadata.{MAP}.Filters.{codename}, or to \
                 {FILTERS_FILE}"
            )
        });
        let message = format!("no filters are known for the codename `{codename}`");
        self.add_entry(template, entry, Diagnostic::warning(message).help(help));
    }

    /// Adds an AMI ID in a region that isn't enabled.
    pub(super) fn add_unusable_region(&mut self, ami: &OutdatableAmi) {
        let region = &ami.entry.region;
        let near = catalog::nearest_regions(region);
        let help = match near.first() {
            Some(near) if !catalog::is_known_region(region) => format!("did you mean `{near}`?"),
            _ => format!(
                "enable the region for the account, or set a profile for it: `auth: {{{region}: \
                 NAME}}` under `project` in .taskcat.yml"
            ),
        };
        let message = format!(
            "the region `{region}` is not enabled for profile {}",
            ami.lookup.profile
        );
        let warning = Diagnostic::warning(message).help(help);
        self.add_entry(ami.template, &ami.entry, warning);
    }

    /// Adds an AMI ID that no image was found for.
    pub(super) fn add_unanswered(&mut self, ami: &OutdatableAmi, answer: &AmiAnswer) {
        let codename = &ami.entry.codename;
        let diagnostic = match (answer, &ami.lookup.source) {
            (AmiAnswer::Newest(_), _) => return,
            (AmiAnswer::Failed(error), _) => failed(&ami.lookup, error),
            (AmiAnswer::OtherValue, _) => {
                let message =
                    format!("the SSM parameter of `{codename}` has a value other than an AMI ID");
                Diagnostic::warning(message)
                    .help("name a parameter with an AMI ID, such as one that ends with /image_id")
            }
            (AmiAnswer::Nothing, ImageSource::Parameter(name)) => {
                Diagnostic::warning(format!("the SSM parameter {name} doesn't exist"))
            }
            (AmiAnswer::Nothing, ImageSource::Filters(filters)) => {
                let message = format!("no image matches the filters of `{codename}`");
                Diagnostic::warning(message).help(format!("the filters are {}", shown(filters)))
            }
        };
        let diagnostic = Diagnostic {
            related: ami
                .filters
                .iter()
                .map(|it| (it.clone(), "filters".to_owned()))
                .collect(),
            ..diagnostic
        };
        self.add_entry(ami.template, &ami.entry, diagnostic);
    }

    /// Adds a file that cannot be written.
    pub(super) fn add_unwritten(&mut self, file: &Path, error: &std::io::Error) {
        self.is_unwritten = true;
        let message = format!("cannot change {}: {}", file.display(), input::reason(error));
        self.add(Diagnostic::error(message));
    }

    /// Prints all findings.
    pub(super) fn print(&self) {
        let diagnostics: Vec<Diagnostic> =
            self.by_cause.values().map(AmiFinding::diagnostic).collect();
        output::diagnostics(&diagnostics);
    }

    /// Returns the exit code if no AMI ID was outdated.
    pub(super) fn exit(&self) -> ExitStatus {
        let mut all = self.by_cause.values();
        if self.is_unwritten {
            ExitStatus::Unwritten
        } else if all.any(|it| it.diagnostic.severity == Severity::Error) {
            ExitStatus::Aws
        } else {
            ExitStatus::Passed
        }
    }
}

impl AmiFinding {
    /// Returns the finding with the AMI IDs that it concerns.
    fn diagnostic(&self) -> Diagnostic {
        let Some(((location, map_key), others)) = self.concerned.split_first() else {
            return self.diagnostic.clone();
        };
        let unchanged = match others.len() {
            0 => "it is unchanged".to_owned(),
            count => format!("this and {count} more are unchanged"),
        };
        let shown = others.iter().take(MAX_SHOWN - 1).cloned();
        let related = shown.chain(self.diagnostic.related.iter().cloned());
        Diagnostic {
            location: Some(location.clone()),
            label: Some(format!("{map_key}: {unchanged}").into()),
            related: related.collect(),
            ..self.diagnostic.clone()
        }
    }
}

fn failed(lookup: &AmiLookup, error: &AwsError) -> Diagnostic {
    let diagnostic = Diagnostic::error(error.of_profile(&lookup.profile));
    let denied = match lookup.source {
        ImageSource::Filters(_) => "allow ec2:DescribeImages",
        ImageSource::Parameter(_) => "allow ssm:GetParameter",
    };
    let help = match error.kind {
        ErrorKind::Denied => Some(denied.to_owned()),
        _ => help(error).map(str::to_owned),
    };
    Diagnostic { help, ..diagnostic }
}

/// Returns filters as text: `name=web-*, owner-alias=amazon`.
fn shown(filters: &[(String, Vec<String>)]) -> String {
    let texts = filters
        .iter()
        .map(|(name, values)| format!("{name}={}", values.join("|")));
    texts.collect::<Vec<_>>().join(", ")
}
