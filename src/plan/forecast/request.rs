//! What would be sent to create a stack, as far as it is known.

use crate::diagnostic::Location;
use crate::mask::MASK;
use crate::plan::parameters::RenderedValue;
use crate::template::{
    Assumption, Failure, FailureNote, ParameterValue, ParameterValues, Unknown, Value,
};

/// What would be sent to create a stack.
#[derive(Default)]
pub(super) struct StackRequest {
    pub parameter_values: ParameterValues,
    /// The parameters with secrets masked.
    pub shown: Vec<(String, Value)>,
    pub secrets: Vec<String>,
    pub failures: Vec<Failure>,
    /// What must hold for the values to be found, by parameter.
    pub assumptions: Vec<(String, Assumption)>,
}

impl StackRequest {
    /// Adds a parameter; `declared` is its location in the template.
    pub(super) fn take(
        &mut self,
        key: String,
        rendered: RenderedValue,
        note: &FailureNote,
        declared: Location,
    ) {
        let (value, is_secret) = match rendered {
            RenderedValue::Value { text, secret } => (Value::String(text), secret),
            RenderedValue::Unknown(unknown) => (unknown.into(), false),
            RenderedValue::Error(reason) => {
                let message = format!("parameter {key}: {reason}");
                let failure = Failure {
                    message,
                    at: declared,
                    nested_in: Vec::new(),
                    notes: vec![note.clone()],
                };
                self.failures.push(failure);
                (Unknown::asked(format!("parameter {key}")).into(), false)
            }
        };
        let shown = if is_secret {
            Value::text(MASK)
        } else {
            value.clone()
        };
        if is_secret {
            self.secrets.extend(value.as_text());
        }
        self.shown.push((key.clone(), shown));
        let set = FailureNote {
            is_secret: note.is_secret || is_secret,
            ..note.clone()
        };
        self.parameter_values.insert(
            key,
            ParameterValue {
                value,
                set: vec![set],
            },
        );
    }
}
