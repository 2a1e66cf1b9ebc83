//! Resolves parsed values to the values for a stack.

use std::collections::HashMap;

use rand::Rng;

use super::random::RandomPseudo;
use super::stored::{self, StoredPseudo};
use super::syntax::{PseudoOutput, PseudoParameter, ValuePiece};
use super::{CellContext, OutputValues, ParsedParameter, TestParameters, getval};
use crate::event::CellId;
use crate::mask::MASK;
use crate::plan::LookupAnswers;
use crate::template::{ConcatenatedForm, Unknown};

/// The result of resolving a value.
#[derive(Clone, PartialEq, Eq)]
pub enum RenderedValue {
    /// A resolved value.
    Value {
        /// The value as CreateStack takes it.
        text: String,
        /// Whether it must not be shown.
        secret: bool,
    },
    /// A value that only a run or AWS knows.
    Unknown(Unknown),
    /// No value, with the reason for the test's failure.
    Error(String),
}

/// What a missing answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingAnswer {
    /// An error: in a run, everything was looked up.
    Error,
    /// An unknown value: offline, nothing was looked up.
    Unknown,
}

impl TestParameters {
    /// Replaces rendered values by those of another version of the test wherever both versions are
    /// written alike, so that random values are the same in both.
    pub fn keep_shared(
        &self,
        rendered: &mut [(String, RenderedValue)],
        other: &Self,
        of_other: &[(String, RenderedValue)],
    ) {
        for (key, value) in rendered {
            let shared = of_other.iter().find(|(name, _)| name == key);
            if let Some((_, shared)) = shared.filter(|_| self.is_alike(other, key)) {
                *value = shared.clone();
            }
        }
    }

    /// Returns whether both versions have the same text for a parameter, and for those that it
    /// refers to.
    fn is_alike(&self, other: &Self, key: &str) -> bool {
        let (Some(own), Some(others)) = (self.get(key), other.get(key)) else {
            return false;
        };
        let mut targets = getval::targets(own);
        own.items == others.items && targets.all(|(target, _)| self.is_alike(other, target))
    }

    /// Resolves the values for one test in one region, in the order of the parameters. Random
    /// values are generated once per value: a pseudo-parameter that occurs twice in it has the same
    /// text twice, as in TaskCat.
    pub fn render(
        &self,
        scope: &CellContext,
        answers: &LookupAnswers,
        missing: MissingAnswer,
        rng: &mut impl Rng,
    ) -> Vec<(String, RenderedValue)> {
        let mut renderer = ParameterRenderer {
            parameters: self,
            scope,
            answers,
            missing,
            rng,
            done: HashMap::new(),
        };
        let render =
            |parameter: &ParsedParameter| (parameter.key.clone(), renderer.parameter(parameter));
        self.parameters.iter().map(render).collect()
    }
}

struct ParameterRenderer<'a, R> {
    parameters: &'a TestParameters,
    scope: &'a CellContext<'a>,
    answers: &'a LookupAnswers,
    missing: MissingAnswer,
    rng: &'a mut R,
    /// Resolved values, so that each is resolved once even if several `getval`s refer to it.
    done: HashMap<String, RenderedValue>,
}

impl<R: Rng> ParameterRenderer<'_, R> {
    fn parameter(&mut self, parameter: &ParsedParameter) -> RenderedValue {
        if let Some(done) = self.done.get(&parameter.key) {
            return done.clone();
        }
        let items = parameter
            .items
            .iter()
            .map(|item| self.value(item))
            .collect::<Vec<_>>();
        let mut rendered = joined(items, ",");
        if let RenderedValue::Value { secret, .. } = &mut rendered {
            *secret |= parameter.no_echo;
        }
        self.done.insert(parameter.key.clone(), rendered.clone());
        rendered
    }

    fn value(&mut self, pieces: &[ValuePiece]) -> RenderedValue {
        let mut drawn = HashMap::new();
        let pieces = pieces.iter().map(|piece| match piece {
            ValuePiece::Literal(text) => RenderedValue::Value {
                text: text.clone(),
                secret: false,
            },
            ValuePiece::Pseudo {
                kind: PseudoParameter::Cell(of_cell),
                ..
            } => match of_cell.value(self.scope) {
                Ok(text) => RenderedValue::Value {
                    text,
                    secret: false,
                },
                Err(not_known) => self.missing(not_known.to_string(), not_known.unknown()),
            },
            ValuePiece::Pseudo {
                kind: PseudoParameter::Random(random),
                ..
            } => self.random(*random, &mut drawn),
            ValuePiece::Pseudo {
                kind: PseudoParameter::Stored(stored),
                written,
            } => self.stored(stored, written),
            ValuePiece::Pseudo {
                kind: PseudoParameter::Output(output),
                ..
            } => self.output(output),
            ValuePiece::Pseudo {
                kind: PseudoParameter::GetVal { parameter },
                ..
            } => match self.parameters.get(parameter) {
                Some(target) => self.parameter(target),
                None => RenderedValue::Error(format!("the test has no parameter {parameter}")),
            },
        });
        let pieces: Vec<_> = pieces.collect();
        joined(pieces, "")
    }

    fn random(
        &mut self,
        random: RandomPseudo,
        drawn: &mut HashMap<RandomPseudo, String>,
    ) -> RenderedValue {
        let text = drawn
            .entry(random)
            .or_insert_with(|| random.generate(self.rng))
            .clone();
        RenderedValue::Value {
            text,
            secret: random.is_secret(),
        }
    }

    fn output(&self, output: &PseudoOutput) -> RenderedValue {
        let reference = output.in_region(self.scope.region);
        match self.scope.outputs {
            // Replaced when the other stack is complete.
            OutputValues::Later => RenderedValue::Value {
                text: reference.to_string(),
                secret: false,
            },
            OutputValues::Known(known) => known.get(&reference).cloned().unwrap_or_else(|| {
                let CellId { test, region } = &reference.cell;
                let key = &reference.key;
                let what = format!("output {key} of {test} in {region}");
                RenderedValue::Unknown(Unknown::launched(what))
            }),
        }
    }

    fn stored(&self, stored: &StoredPseudo, written: &str) -> RenderedValue {
        let lookup = match stored.lookup(self.parameters, self.scope) {
            Ok(lookup) => lookup,
            Err(not_known) => return self.missing(not_known.to_string(), not_known.unknown()),
        };
        match self.answers.get(&lookup) {
            Some(Ok(answer)) => match stored.answered(answer, self.scope) {
                Ok((text, secret)) => RenderedValue::Value { text, secret },
                Err(reason) => RenderedValue::Error(format!("{written}: {reason}")),
            },
            Some(Err(reason)) => RenderedValue::Error(format!(
                "{written}: {}: {reason}",
                stored::described(&lookup)
            )),
            None => {
                let why = format!("needs an answer from AWS: {}", stored::described(&lookup));
                self.missing(why, stored.unknown(&lookup))
            }
        }
    }

    fn missing(&self, why: String, unknown: Unknown) -> RenderedValue {
        match self.missing {
            MissingAnswer::Error => RenderedValue::Error(why),
            MissingAnswer::Unknown => RenderedValue::Unknown(unknown),
        }
    }
}

/// Joins the parts: an error if one is, else unknown if one is, secret if one is.
fn joined(parts: Vec<RenderedValue>, separator: &str) -> RenderedValue {
    let mut texts = Vec::new();
    let mut any_secret = false;
    let mut unknowns = Vec::new();
    let mut form = ConcatenatedForm::default();
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            form.push(separator);
        }
        match part {
            RenderedValue::Value { text, secret } => {
                any_secret |= secret;
                form.push(&text);
                texts.push(text);
            }
            RenderedValue::Unknown(unknown) => {
                form.push_unknown(&unknown);
                unknowns.push(unknown);
            }
            RenderedValue::Error(_) => return part,
        }
    }
    match Unknown::all(unknowns) {
        // An example with a secret in it could be shown.
        Some(unknown) if any_secret => RenderedValue::Unknown(unknown.non_empty()),
        Some(unknown) => RenderedValue::Unknown(unknown.with_form(form.finish())),
        None => RenderedValue::Value {
            text: texts.join(separator),
            secret: any_secret,
        },
    }
}

impl std::fmt::Debug for RenderedValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RenderedValue::Value { secret: true, .. } => write!(f, "Value({MASK})"),
            RenderedValue::Value { text, .. } => write!(f, "Value({text:?})"),
            RenderedValue::Unknown(unknown) => write!(f, "Unknown({unknown})"),
            RenderedValue::Error(reason) => write!(f, "Error({reason:?})"),
        }
    }
}
