//! Pseudo-parameters whose value must be looked up in AWS: Availability Zones, SSM parameters,
//! secrets, objects and presigned URLs.

use std::ops::RangeInclusive;

use super::cell::NotKnownYet;
use super::syntax::{PseudoParameter, ValuePiece, ValuePieces};
use super::{CellContext, TestParameters, zones};
use crate::diagnostic::Diagnostic;
use crate::plan::{Lookup, LookupAnswer, LookupKind};
use crate::template::{Assumption, Unknown};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum StoredPseudo {
    /// `$[taskcat_genaz_N]` or `$[taskcat_getaz_N]`: the names of N Availability Zones, joined with
    /// commas.
    AvailabilityZones { count: usize },
    /// `$[taskcat_gensingleaz_N]` or `$[taskcat_getsingleaz_N]`: the name of the Nth zone, from 1.
    SingleAvailabilityZone { ordinal: usize },
    /// `$[taskcat_ssm_NAME]`
    SsmParameter { name: ValuePieces },
    /// `$[taskcat_secretsmanager_ID]`: a secret by its name or ARN.
    Secret { id: ValuePieces },
    /// `$[taskcat_getlicensecontent]/bucket/key`: an object's text. The rest of the value is its
    /// argument.
    LicenseContent {
        bucket: ValuePieces,
        key: ValuePieces,
    },
    /// `$[taskcat_presignedurl],bucket,key[,seconds]`. The rest of the value is its arguments.
    PresignedUrl {
        bucket: ValuePieces,
        key: ValuePieces,
        expires_seconds: u64,
    },
}

impl StoredPseudo {
    /// Returns the lookup; an error says what is missing in its argument.
    pub(super) fn lookup(
        &self,
        parameters: &TestParameters,
        scope: &CellContext,
    ) -> Result<Lookup, NotKnownYet> {
        let text = |pieces: &ValuePieces| settled(pieces, parameters, scope);
        let question = match self {
            StoredPseudo::AvailabilityZones { .. }
            | StoredPseudo::SingleAvailabilityZone { .. } => LookupKind::AvailabilityZones,
            StoredPseudo::SsmParameter { name } => LookupKind::SsmParameter { name: text(name)? },
            StoredPseudo::Secret { id } => LookupKind::Secret { id: text(id)? },
            StoredPseudo::LicenseContent { bucket, key } => LookupKind::Object {
                bucket: text(bucket)?,
                key: text(key)?,
            },
            StoredPseudo::PresignedUrl {
                bucket,
                key,
                expires_seconds,
            } => LookupKind::PresignedUrl {
                bucket: text(bucket)?,
                key: text(key)?,
                expires_seconds: *expires_seconds,
            },
        };
        Ok(Lookup {
            profile: scope.profile.to_owned(),
            region: scope.region.to_owned(),
            question,
        })
    }

    /// Returns the unknown value of a lookup, with what is known about its form.
    pub(super) fn unknown(&self, lookup: &Lookup) -> Unknown {
        let unknown = Unknown::asked(reason(lookup));
        let zones = |numbers: RangeInclusive<usize>| {
            let letters = numbers.map(|number| ('a'..='z').nth(number - 1));
            let names = letters.map(|letter| Some(format!("{}{}", lookup.region, letter?)));
            names.collect::<Option<Vec<_>>>()
        };
        let names = match self {
            StoredPseudo::AvailabilityZones { count } => zones(1..=*count),
            StoredPseudo::SingleAvailabilityZone { ordinal } if *ordinal > 0 => {
                zones(*ordinal..=*ordinal)
            }
            _ => None,
        };
        match names {
            Some(names) if !names.is_empty() => unknown.like(names.join(",")),
            _ => unknown.non_empty(),
        }
    }

    /// Returns what must hold for the lookup to have an answer.
    pub(super) fn assumption(&self, lookup: &Lookup, scope: &CellContext) -> Assumption {
        let zones = |count: usize| Assumption::AvailabilityZones {
            region: lookup.region.clone(),
            count,
            excluded: scope.az_blacklist.to_vec(),
        };
        match (self, &lookup.question) {
            (StoredPseudo::AvailabilityZones { count }, _) => zones(*count),
            (StoredPseudo::SingleAvailabilityZone { ordinal }, _) => zones(*ordinal),
            (_, LookupKind::SsmParameter { name }) => {
                Assumption::SsmParameter { name: name.clone() }
            }
            (_, LookupKind::Secret { id }) => Assumption::Secret { id: id.clone() },
            (
                _,
                LookupKind::Object { bucket, key } | LookupKind::PresignedUrl { bucket, key, .. },
            ) => Assumption::Object {
                bucket: bucket.clone(),
                key: key.clone(),
            },
            (_, LookupKind::AvailabilityZones) => zones(1),
        }
    }

    /// Returns the text of an answer, and whether it is a secret.
    pub(super) fn answered(
        &self,
        answer: &LookupAnswer,
        scope: &CellContext,
    ) -> Result<(String, bool), String> {
        match (self, answer) {
            (StoredPseudo::AvailabilityZones { count }, LookupAnswer::AvailabilityZones(found)) => {
                let names =
                    zones::first(found, *count, scope).map_err(|error| error.to_string())?;
                Ok((names.join(","), false))
            }
            (
                StoredPseudo::SingleAvailabilityZone { ordinal },
                LookupAnswer::AvailabilityZones(found),
            ) => {
                let names =
                    zones::first(found, *ordinal, scope).map_err(|error| error.to_string())?;
                Ok((names.last().copied().unwrap_or_default().to_owned(), false))
            }
            (StoredPseudo::SsmParameter { .. }, LookupAnswer::Text(text)) => {
                Ok((text.clone(), false))
            }
            // Anyone with a presigned URL can read the object, and a license is confidential.
            (
                StoredPseudo::Secret { .. }
                | StoredPseudo::LicenseContent { .. }
                | StoredPseudo::PresignedUrl { .. },
                LookupAnswer::Text(text),
            )
            | (_, LookupAnswer::Secret(text)) => Ok((text.clone(), true)),
            (_, LookupAnswer::Text(_) | LookupAnswer::AvailabilityZones(_)) => {
                Err("was answered with something else".to_owned())
            }
        }
    }

    /// Returns the arguments that may contain pseudo-parameters.
    pub(super) fn arguments(&self) -> Vec<&ValuePieces> {
        match self {
            StoredPseudo::AvailabilityZones { .. }
            | StoredPseudo::SingleAvailabilityZone { .. } => Vec::new(),
            StoredPseudo::SsmParameter { name } => vec![name],
            StoredPseudo::Secret { id } => vec![id],
            StoredPseudo::LicenseContent { bucket, key }
            | StoredPseudo::PresignedUrl { bucket, key, .. } => {
                vec![bucket, key]
            }
        }
    }
}

/// Describes a lookup for messages.
pub(super) fn described(lookup: &Lookup) -> String {
    let region = &lookup.region;
    match &lookup.question {
        LookupKind::AvailabilityZones => format!("the availability zones of {region}"),
        LookupKind::SsmParameter { name } => format!("SSM parameter {name} in {region}"),
        LookupKind::Secret { id } => format!("secret {id} in {region}"),
        LookupKind::Object { bucket, key } => format!("object s3://{bucket}/{key}"),
        LookupKind::PresignedUrl { bucket, key, .. } => {
            format!("a presigned URL of s3://{bucket}/{key}")
        }
    }
}

/// Returns the reason for the unknown value of a lookup.
fn reason(lookup: &Lookup) -> String {
    let region = &lookup.region;
    match &lookup.question {
        LookupKind::AvailabilityZones => format!("availability zones of {region}"),
        LookupKind::SsmParameter { name } => format!("SSM parameter {name}"),
        LookupKind::Secret { id } => format!("secret {id}"),
        LookupKind::Object { bucket, key } => format!("object s3://{bucket}/{key}"),
        LookupKind::PresignedUrl { bucket, key, .. } => {
            format!("presigned URL of s3://{bucket}/{key}")
        }
    }
}

/// Returns problems with arguments that aren't known before the lookups or that must not be shown.
pub(super) fn problems(parameters: &TestParameters) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for parameter in &parameters.parameters {
        for (kind, written) in parameter.pseudos() {
            let PseudoParameter::Stored(stored) = kind else {
                continue;
            };
            let inner = stored
                .arguments()
                .into_iter()
                .find_map(|pieces| unsettled(pieces, parameters));
            problems.extend(inner.map(|inner| {
                let message = format!("{inner} cannot be part of what {written} asks for");
                let help = "only values that are neither secret nor random nor asked of AWS can be";
                parameter.problem(message).help(help)
            }));
        }
    }
    problems
}

/// Returns the text of an argument. Pseudo-parameters reported by [`problems`] can't occur here and
/// are left out.
fn settled(
    pieces: &[ValuePiece],
    parameters: &TestParameters,
    scope: &CellContext,
) -> Result<String, NotKnownYet> {
    let text = |piece: &ValuePiece| match piece {
        ValuePiece::Literal(text) => Ok(text.clone()),
        ValuePiece::Pseudo {
            kind: PseudoParameter::Cell(of_cell),
            ..
        } => of_cell.value(scope),
        ValuePiece::Pseudo {
            kind: PseudoParameter::GetVal { parameter },
            ..
        } => {
            let items = parameters
                .get(parameter)
                .map_or(&[][..], |target| &target.items);
            let texts: Result<Vec<_>, _> = items
                .iter()
                .map(|item| settled(item, parameters, scope))
                .collect();
            texts.map(|texts| texts.join(","))
        }
        ValuePiece::Pseudo {
            kind: PseudoParameter::Random(_),
            ..
        }
        | ValuePiece::Pseudo {
            kind: PseudoParameter::Stored(_) | PseudoParameter::Output(_),
            ..
        } => Ok(String::new()),
    };
    pieces.iter().map(text).collect()
}

/// Returns the first pseudo-parameter in an argument, also through `getval`s, that needs a lookup
/// or must not be shown.
fn unsettled<'a>(pieces: &'a [ValuePiece], parameters: &'a TestParameters) -> Option<&'a str> {
    pieces.iter().find_map(|piece| match piece {
        ValuePiece::Literal(_)
        | ValuePiece::Pseudo {
            kind: PseudoParameter::Cell(_),
            ..
        } => None,
        ValuePiece::Pseudo {
            kind:
                PseudoParameter::Random(_)
                | PseudoParameter::Stored(_)
                | PseudoParameter::Output(_),
            written,
        } => Some(written.as_str()),
        ValuePiece::Pseudo {
            kind: PseudoParameter::GetVal { parameter },
            written,
        } => {
            let target = parameters.get(parameter)?;
            let hidden = target.no_echo
                || target
                    .items
                    .iter()
                    .any(|item| unsettled(item, parameters).is_some());
            hidden.then_some(written.as_str())
        }
    })
}
