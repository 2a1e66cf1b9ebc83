//! From pieces to what a cell's stack is given.

use std::collections::HashMap;

use rand::Rng;

use super::random::Random;
use super::stored::{self, Stored};
use super::syntax::{Piece, Pseudo};
use super::{Parameter, Parameters, Scope};
use crate::mask::MASK;
use crate::plan::Answers;
use crate::template::Unknown;

/// What became of a value.
#[derive(Clone, PartialEq, Eq)]
pub enum Rendered {
    /// `secret`: show it nowhere.
    Value { text: String, secret: bool },
    /// Only a run, or AWS, knows.
    Unknown(Unknown),
    /// It can't be had; the text is the reason that the cell fails for.
    Error(String),
}

/// What a question without an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// In a run every question was asked.
    Error,
    /// Offline nothing was.
    Unknown,
}

impl Parameters {
    /// The values for one cell, in the order of the parameters. Chance speaks anew for each cell,
    /// but once for each value: a pseudo-parameter that stands twice in it gives the same text
    /// twice, as in TaskCat.
    pub fn render(
        &self,
        scope: &Scope,
        answers: &Answers,
        missing: Missing,
        rng: &mut impl Rng,
    ) -> Vec<(String, Rendered)> {
        let mut renderer = Renderer {
            parameters: self,
            scope,
            answers,
            missing,
            rng,
            done: HashMap::new(),
        };
        let render = |parameter: &Parameter| (parameter.key.clone(), renderer.parameter(parameter));
        self.parameters.iter().map(render).collect()
    }
}

struct Renderer<'a, R> {
    parameters: &'a Parameters,
    scope: &'a Scope<'a>,
    answers: &'a Answers,
    missing: Missing,
    rng: &'a mut R,
    /// So that a value is made once, however many take it by `getval`.
    done: HashMap<String, Rendered>,
}

impl<R: Rng> Renderer<'_, R> {
    fn parameter(&mut self, parameter: &Parameter) -> Rendered {
        if let Some(done) = self.done.get(&parameter.key) {
            return done.clone();
        }
        let items = parameter
            .items
            .iter()
            .map(|item| self.value(item))
            .collect::<Vec<_>>();
        let mut rendered = joined(items, ",");
        if let Rendered::Value { secret, .. } = &mut rendered {
            *secret |= parameter.no_echo;
        }
        self.done.insert(parameter.key.clone(), rendered.clone());
        rendered
    }

    fn value(&mut self, pieces: &[Piece]) -> Rendered {
        let mut drawn = HashMap::new();
        let pieces = pieces.iter().map(|piece| match piece {
            Piece::Literal(text) => Rendered::Value {
                text: text.clone(),
                secret: false,
            },
            Piece::Pseudo {
                kind: Pseudo::Cell(of_cell),
                ..
            } => match of_cell.value(self.scope) {
                Ok(text) => Rendered::Value {
                    text,
                    secret: false,
                },
                Err(not_known) => self.missing(not_known.to_string(), not_known.unknown()),
            },
            Piece::Pseudo {
                kind: Pseudo::Random(random),
                ..
            } => self.random(*random, &mut drawn),
            Piece::Pseudo {
                kind: Pseudo::Stored(stored),
                written,
            } => self.stored(stored, written),
            Piece::Pseudo {
                kind: Pseudo::GetVal { parameter },
                ..
            } => match self.parameters.get(parameter) {
                Some(target) => self.parameter(target),
                None => Rendered::Error(format!("{parameter} is no parameter of the test")),
            },
        });
        let pieces: Vec<_> = pieces.collect();
        joined(pieces, "")
    }

    fn random(&mut self, random: Random, drawn: &mut HashMap<Random, String>) -> Rendered {
        let text = drawn
            .entry(random)
            .or_insert_with(|| random.generate(self.rng))
            .clone();
        Rendered::Value {
            text,
            secret: random.is_secret(),
        }
    }

    fn stored(&self, stored: &Stored, written: &str) -> Rendered {
        let lookup = match stored.lookup(self.parameters, self.scope) {
            Ok(lookup) => lookup,
            Err(not_known) => return self.missing(not_known.to_string(), not_known.unknown()),
        };
        match self.answers.get(&lookup) {
            Some(Ok(answer)) => match stored.answered(answer, self.scope) {
                Ok((text, secret)) => Rendered::Value { text, secret },
                Err(reason) => Rendered::Error(format!("{written}: {reason}")),
            },
            Some(Err(reason)) => Rendered::Error(format!(
                "{written}: {}: {reason}",
                stored::described(&lookup)
            )),
            None => {
                let why = format!("needs an answer from AWS: {}", stored::described(&lookup));
                self.missing(why, stored::unknown(&lookup))
            }
        }
    }

    fn missing(&self, why: String, unknown: Unknown) -> Rendered {
        match self.missing {
            Missing::Error => Rendered::Error(why),
            Missing::Unknown => Rendered::Unknown(unknown),
        }
    }
}

/// The parts in a row: an error if one is, else unknown if one is, secret if one is.
fn joined(parts: Vec<Rendered>, separator: &str) -> Rendered {
    let mut texts = Vec::new();
    let mut any_secret = false;
    let mut unknowns = Vec::new();
    for part in parts {
        match part {
            Rendered::Value { text, secret } => {
                any_secret |= secret;
                texts.push(text);
            }
            Rendered::Unknown(unknown) => unknowns.push(unknown),
            Rendered::Error(_) => return part,
        }
    }
    match Unknown::all(unknowns) {
        Some(unknown) => Rendered::Unknown(unknown),
        None => Rendered::Value {
            text: texts.join(separator),
            secret: any_secret,
        },
    }
}

impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rendered::Value { secret: true, .. } => write!(f, "Value({MASK})"),
            Rendered::Value { text, .. } => write!(f, "Value({text:?})"),
            Rendered::Unknown(unknown) => write!(f, "Unknown({unknown})"),
            Rendered::Error(reason) => write!(f, "Error({reason:?})"),
        }
    }
}
