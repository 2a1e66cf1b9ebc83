//! The origin of a resolved value.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Location, Position};

/// The source that gave a value its final form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ValueOrigin {
    /// TaskCat's defaults.
    Default,
    /// The location of the key or list item in a file.
    File(Location),
    /// The name of the environment variable.
    Environment(Arc<str>),
    /// The flag that the user passed: `--bucket-name`.
    CommandLine(Arc<str>),
    /// The name of the project's directory, for a project without a name.
    ProjectRoot,
}

impl ValueOrigin {
    /// Returns the location for a diagnostic about the value.
    pub fn location(&self) -> Option<&Location> {
        match self {
            ValueOrigin::File(location) => Some(location),
            _ => None,
        }
    }
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueOrigin::Default => f.write_str("default"),
            ValueOrigin::File(location) => location.fmt(f),
            ValueOrigin::Environment(variable) => f.write_str(variable),
            ValueOrigin::CommandLine(flag) => f.write_str(flag),
            ValueOrigin::ProjectRoot => f.write_str("name of the project root"),
        }
    }
}

/// The source that a layer is read from. It converts positions to origins and locates diagnostics.
#[derive(Clone, Debug)]
pub(super) enum LayerSource {
    File(Arc<Path>),
    Environment(Arc<str>),
    CommandLine(Arc<str>),
}

impl LayerSource {
    pub(super) fn origin(&self, at: Position) -> ValueOrigin {
        match self {
            LayerSource::File(file) => ValueOrigin::File(Location {
                file: file.clone(),
                at,
            }),
            LayerSource::Environment(variable) => ValueOrigin::Environment(variable.clone()),
            LayerSource::CommandLine(flag) => ValueOrigin::CommandLine(flag.clone()),
        }
    }

    /// Adds the source to a diagnostic: a location in a file, or the name of the variable or flag
    /// before the message.
    pub(super) fn place(&self, mut diagnostic: Diagnostic, at: Position) -> Diagnostic {
        match self {
            LayerSource::File(file) => diagnostic.at(Location {
                file: file.clone(),
                at,
            }),
            LayerSource::Environment(name) | LayerSource::CommandLine(name) => {
                diagnostic.message = format!("{name}: {}", diagnostic.message);
                diagnostic
            }
        }
    }
}
