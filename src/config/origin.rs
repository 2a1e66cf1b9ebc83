//! Where a resolved value came from.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Location, Position};

/// The place that gave a value its final form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// TaskCat's defaults.
    Default,
    /// The key, or the item of a list, in a file.
    File(Location),
    /// The name of the environment variable.
    Environment(Arc<str>),
    /// The flag as the user knows it: `--bucket-name`.
    CommandLine(Arc<str>),
    /// The name of the project's directory, for a project without a name.
    ProjectRoot,
}

impl Origin {
    /// Where a diagnostic about the value points.
    pub fn location(&self) -> Option<&Location> {
        match self {
            Origin::File(location) => Some(location),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(location) => location.fmt(f),
            Origin::Environment(variable) => f.write_str(variable),
            Origin::CommandLine(flag) => f.write_str(flag),
            Origin::ProjectRoot => f.write_str("name of the project root"),
        }
    }
}

/// What a layer is read from: it turns positions into origins, and carries diagnostics to where
/// they can be found.
#[derive(Clone, Debug)]
pub enum Source {
    File(Arc<Path>),
    Environment(Arc<str>),
    CommandLine(Arc<str>),
}

impl Source {
    pub fn origin(&self, at: Position) -> Origin {
        match self {
            Source::File(file) => Origin::File(Location {
                file: file.clone(),
                at,
            }),
            Source::Environment(variable) => Origin::Environment(variable.clone()),
            Source::CommandLine(flag) => Origin::CommandLine(flag.clone()),
        }
    }

    /// A diagnostic with its place: a location in a file, or the name of the variable or flag in
    /// front.
    pub fn place(&self, mut diagnostic: Diagnostic, at: Position) -> Diagnostic {
        match self {
            Source::File(file) => diagnostic.at(Location {
                file: file.clone(),
                at,
            }),
            Source::Environment(name) | Source::CommandLine(name) => {
                diagnostic.message = format!("{name}: {}", diagnostic.message);
                diagnostic
            }
        }
    }
}
