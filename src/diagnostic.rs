//! What is wrong with a user's file, and where.
//!
//! The readers of files (`yaml`, `config`, `template`, `plan`, `lint`) return all their diagnostics
//! at once; only `cli/error.rs` turns them into text. This module depends on nothing else.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A finding about a file: what is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether this is an error or a warning.
    pub severity: Severity,
    /// One lower-case sentence without a full stop that names the key or value in question.
    pub message: String,
    /// Where the problem is; absent if it isn't in a file (environment, command line).
    pub location: Option<Location>,
    /// What the user can do: the nearest known key, or the accepted values.
    pub help: Option<String>,
    /// A note on the location itself, such as `it opens here`.
    pub label: Option<Box<str>>,
    /// Other locations that are involved, each with a note.
    pub related: Box<[(Location, String)]>,
}

/// How serious a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Doesn't stop the command.
    Warning,
    /// Stops the command.
    Error,
}

/// A location in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The file, as the user named it.
    pub file: Arc<Path>,
    /// Line and column.
    pub at: Position,
}

/// Line and column, both from 1. Columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
}

impl Diagnostic {
    /// Creates an error without location or help.
    pub fn error(message: impl Into<String>) -> Self {
        let location = None;
        let help = None;
        let label = None;
        let related = Box::default();
        Self {
            severity: Severity::Error,
            message: message.into(),
            location,
            help,
            label,
            related,
        }
    }

    /// Creates a warning without location or help.
    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    /// Sets the location.
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// Sets the note on the location.
    pub fn label(mut self, label: impl Into<Box<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets the help.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Formats as `file:line:column: message (help)`, the one-line form for logs.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.file.display(),
            self.at.line,
            self.at.column
        )
    }
}
