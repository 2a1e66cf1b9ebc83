//! What is wrong with a file that a user wrote, and where.
//!
//! Readers of files (`yaml`, `config`, `template`, `plan`, `lint`) return all their diagnostics at
//! once; `cli/error.rs` alone turns them into text. This module knows nobody.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A finding about a file: what is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// One lower-case sentence without a full stop; it names the key or value that it is about.
    pub message: String,
    /// Where it stands; absent for what has no file (the environment, the command line).
    pub location: Option<Location>,
    /// What the user can do: the nearest known key, the accepted values.
    pub help: Option<String>,
    /// What is said of the place itself: `it opens here`.
    pub label: Option<Box<str>>,
    /// Other places that have a part in it, and what is said of each.
    pub related: Box<[(Location, String)]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Warning,
    Error,
}

/// A place in a file. Lines and columns count from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    pub file: Arc<Path>,
    pub at: Position,
}

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

impl Diagnostic {
    pub fn error(message: impl Into<String>) -> Self {
        let (location, help, label, related) = (None, None, None, Box::default());
        Self {
            severity: Severity::Error,
            message: message.into(),
            location,
            help,
            label,
            related,
        }
    }

    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    pub fn label(mut self, label: impl Into<Box<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// `file:line:column: message (help)`, the one-line form for logs.
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
