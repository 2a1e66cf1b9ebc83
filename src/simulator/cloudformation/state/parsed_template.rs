//! Templates that callers have sent, each text parsed once while it is in use.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Weak};

use crate::diagnostic::{Diagnostic, Severity};
use crate::simulator::cloudformation::error::invalid;
use crate::simulator::error::ServiceError;
use crate::template::Template;
use crate::yaml::{self, NotWellFormed};

/// A template's text, and what it says.
pub struct ParsedTemplate {
    pub text: Arc<str>,
    pub template: Template,
}

/// Those in use, by their texts.
#[derive(Default)]
pub struct TemplateCache(HashMap<Arc<str>, Weak<ParsedTemplate>>);

/// With so many texts, those that nobody uses any more are thrown out.
const MAX_CACHED: usize = 256;

impl TemplateCache {
    /// # Errors
    /// `Template format error: …`, with the place of the first mistake.
    pub fn read(&mut self, text: &str) -> Result<Arc<ParsedTemplate>, ServiceError> {
        if let Some(known) = self.0.get(text).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let (template, diagnostics) =
            Template::parse(&Arc::from(Path::new("template")), String::new(), text);
        let Some(template) = template else {
            return Err(parse_error(text, &diagnostics));
        };
        let text: Arc<str> = Arc::from(text);
        let source = Arc::new(ParsedTemplate {
            text: text.clone(),
            template,
        });
        if self.0.len() >= MAX_CACHED {
            self.0.retain(|_, source| source.strong_count() > 0);
        }
        self.0.insert(text, Arc::downgrade(&source));
        Ok(source)
    }
}

/// What CloudFormation says of a text that is no template: the place alone for what isn't
/// well-formed, and otherwise the first thing that is wrong.
fn parse_error(text: &str, diagnostics: &[Diagnostic]) -> ServiceError {
    if let Some(NotWellFormed { format, at }) = yaml::not_well_formed(text) {
        let (line, column) = (at.line, at.column);
        return invalid(format!(
            "Template format error: {format} not well-formed. (line {line}, column {column})"
        ));
    }
    let error = diagnostics.iter().find(|it| it.severity == Severity::Error);
    invalid(
        error.map_or("Template format error: unsupported structure.", |error| {
            &error.message
        }),
    )
}
