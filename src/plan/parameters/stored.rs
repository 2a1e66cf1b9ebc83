//! Pseudo-parameters whose value AWS holds: availability zones, SSM parameters, secrets, objects
//! and presigned URLs. They become [`Lookup`]s first and, when those are answered, texts.

use super::cell::NotKnown;
use super::syntax::{Piece, Pieces, Pseudo};
use super::{Parameters, Scope, zones};
use crate::diagnostic::Diagnostic;
use crate::plan::{Answer, Lookup, Question};
use crate::template::Unknown;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stored {
    /// `$[taskcat_genaz_N]`, `$[taskcat_getaz_N]`: the names of N availability zones, joined with
    /// commas.
    AvailabilityZones { count: usize },
    /// `$[taskcat_gensingleaz_N]`, `$[taskcat_getsingleaz_N]`: the name of the Nth zone, from 1.
    SingleAvailabilityZone { ordinal: usize },
    /// `$[taskcat_ssm_NAME]`
    SsmParameter { name: Pieces },
    /// `$[taskcat_secretsmanager_ID]`: a secret by its name or ARN.
    Secret { id: Pieces },
    /// `$[taskcat_getlicensecontent]/bucket/key`: the object's text. Takes the rest of the value as
    /// its argument.
    LicenseContent { bucket: Pieces, key: Pieces },
    /// `$[taskcat_presignedurl],bucket,key[,seconds]`. Takes the rest of the value as its
    /// arguments.
    PresignedUrl {
        bucket: Pieces,
        key: Pieces,
        expires_seconds: u64,
    },
}

impl Stored {
    /// The question to AWS. The error is what its argument lacks.
    pub fn lookup(&self, parameters: &Parameters, scope: &Scope) -> Result<Lookup, NotKnown> {
        let text = |pieces: &Pieces| settled(pieces, parameters, scope);
        let question = match self {
            Stored::AvailabilityZones { .. } | Stored::SingleAvailabilityZone { .. } => {
                Question::AvailabilityZones
            }
            Stored::SsmParameter { name } => Question::SsmParameter { name: text(name)? },
            Stored::Secret { id } => Question::Secret { id: text(id)? },
            Stored::LicenseContent { bucket, key } => Question::Object {
                bucket: text(bucket)?,
                key: text(key)?,
            },
            Stored::PresignedUrl {
                bucket,
                key,
                expires_seconds,
            } => Question::PresignedUrl {
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

    /// What the answer makes of it: its text, and whether that is a secret.
    pub fn answered(&self, answer: &Answer, scope: &Scope) -> Result<(String, bool), String> {
        match (self, answer) {
            (Stored::AvailabilityZones { count }, Answer::AvailabilityZones(found)) => {
                let names =
                    zones::first(found, *count, scope).map_err(|error| error.to_string())?;
                Ok((names.join(","), false))
            }
            (Stored::SingleAvailabilityZone { ordinal }, Answer::AvailabilityZones(found)) => {
                let names =
                    zones::first(found, *ordinal, scope).map_err(|error| error.to_string())?;
                Ok((names.last().copied().unwrap_or_default().to_owned(), false))
            }
            (Stored::SsmParameter { .. }, Answer::Text(text)) => Ok((text.clone(), false)),
            // A presigned URL lets whoever reads it read the object, and a licence is the user's
            // own.
            (
                Stored::Secret { .. } | Stored::LicenseContent { .. } | Stored::PresignedUrl { .. },
                Answer::Text(text),
            )
            | (_, Answer::Secret(text)) => Ok((text.clone(), true)),
            (_, Answer::Text(_) | Answer::AvailabilityZones(_)) => {
                Err("was answered with something else".to_owned())
            }
        }
    }

    /// The arguments that may hold pseudo-parameters.
    pub fn arguments(&self) -> Vec<&Pieces> {
        match self {
            Stored::AvailabilityZones { .. } | Stored::SingleAvailabilityZone { .. } => Vec::new(),
            Stored::SsmParameter { name } => vec![name],
            Stored::Secret { id } => vec![id],
            Stored::LicenseContent { bucket, key } | Stored::PresignedUrl { bucket, key, .. } => {
                vec![bucket, key]
            }
        }
    }
}

/// What was asked for, as people say it.
pub fn described(lookup: &Lookup) -> String {
    let region = &lookup.region;
    match &lookup.question {
        Question::AvailabilityZones => format!("the availability zones of {region}"),
        Question::SsmParameter { name } => format!("SSM parameter {name} in {region}"),
        Question::Secret { id } => format!("secret {id} in {region}"),
        Question::Object { bucket, key } => format!("object s3://{bucket}/{key}"),
        Question::PresignedUrl { bucket, key, .. } => {
            format!("a presigned URL of s3://{bucket}/{key}")
        }
    }
}

/// The same as the reason why a value is unknown.
pub fn unknown(lookup: &Lookup) -> Unknown {
    let region = &lookup.region;
    Unknown::asked(match &lookup.question {
        Question::AvailabilityZones => format!("availability zones of {region}"),
        Question::SsmParameter { name } => format!("SSM parameter {name}"),
        Question::Secret { id } => format!("secret {id}"),
        Question::Object { bucket, key } => format!("object s3://{bucket}/{key}"),
        Question::PresignedUrl { bucket, key, .. } => {
            format!("presigned URL of s3://{bucket}/{key}")
        }
    })
}

/// Arguments that are not known when the questions are collected, or that must not be shown.
pub fn problems(parameters: &Parameters) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for parameter in &parameters.parameters {
        for (kind, written) in parameter.pseudos() {
            let Pseudo::Stored(stored) = kind else {
                continue;
            };
            let inner = stored
                .arguments()
                .into_iter()
                .find_map(|pieces| unsettled(pieces, parameters));
            problems.extend(inner.map(|inner| {
                let message = format!("{inner} can't be part of what {written} asks for");
                let help = "only values that are neither secret nor random nor asked of AWS can be";
                parameter.problem(message).help(help)
            }));
        }
    }
    problems
}

/// The text of an argument. What [`problems`] finds does not occur here, and is left out.
fn settled(pieces: &[Piece], parameters: &Parameters, scope: &Scope) -> Result<String, NotKnown> {
    let text = |piece: &Piece| match piece {
        Piece::Literal(text) => Ok(text.clone()),
        Piece::Pseudo {
            kind: Pseudo::Cell(of_cell),
            ..
        } => of_cell.value(scope),
        Piece::Pseudo {
            kind: Pseudo::GetVal { parameter },
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
        Piece::Pseudo {
            kind: Pseudo::Random(_) | Pseudo::Stored(_),
            ..
        } => Ok(String::new()),
    };
    pieces.iter().map(text).collect()
}

/// The first pseudo-parameter in an argument, also by way of `getval`s, that a cell can't answer by
/// itself or show.
fn unsettled<'a>(pieces: &'a [Piece], parameters: &'a Parameters) -> Option<&'a str> {
    pieces.iter().find_map(|piece| match piece {
        Piece::Literal(_)
        | Piece::Pseudo {
            kind: Pseudo::Cell(_),
            ..
        } => None,
        Piece::Pseudo {
            kind: Pseudo::Random(_) | Pseudo::Stored(_),
            written,
        } => Some(written.as_str()),
        Piece::Pseudo {
            kind: Pseudo::GetVal { parameter },
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
