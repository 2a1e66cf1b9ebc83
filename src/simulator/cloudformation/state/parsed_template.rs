//! Templates that callers have sent. Each text is parsed once while it is in use.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Weak};

use crate::diagnostic::{Diagnostic, Severity};
use crate::simulator::cloudformation::error::invalid;
use crate::simulator::error::ServiceError;
use crate::template::Template;
use crate::yaml::{self, NotWellFormed};

/// A template's text, and what was parsed from it.
pub(crate) struct ParsedTemplate {
    pub text: Arc<str>,
    pub template: Template,
}

/// The templates in use, by their texts.
#[derive(Default)]
pub(crate) struct TemplateCache(HashMap<Arc<str>, Weak<ParsedTemplate>>);

/// The number of templates above which unused ones are dropped.
const MAX_CACHED: usize = 256;

impl TemplateCache {
    /// # Errors
    /// Fails with `Template format error: …` and the position of the first error.
    pub(crate) fn read(&mut self, text: &str) -> Result<Arc<ParsedTemplate>, ServiceError> {
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

/// Returns CloudFormation's error for text that isn't a template: only the position if it isn't
/// well-formed, otherwise the first error.
fn parse_error(text: &str, diagnostics: &[Diagnostic]) -> ServiceError {
    if let Some(NotWellFormed { format, at }) = yaml::not_well_formed(text) {
        let line = at.line;
        let column = at.column;
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
