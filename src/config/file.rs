//! Reads a configuration file.

use std::path::Path;
use std::sync::Arc;

use super::has_errors;
use super::origin::LayerSource;
use crate::diagnostic::{Diagnostic, Location, Position};
use crate::yaml::{self, Node};

/// The beginning of a file.
pub(super) const START: Position = Position { line: 1, column: 1 };

/// Returns a file's tree, or `None` if the file is empty or broken.
pub(super) fn read(file: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<(LayerSource, Node)> {
    let parsed = yaml::read(file);
    let failed = has_errors(&parsed.diagnostics);
    diagnostics.extend(parsed.diagnostics);
    if failed {
        return None;
    }
    let file: Arc<Path> = Arc::from(file);
    match parsed.root.filter(|root| !root.is_null()) {
        Some(root) => Some((LayerSource::File(file), root)),
        None => {
            let location = Location { file, at: START };
            diagnostics.push(Diagnostic::warning("the file is empty").at(location));
            None
        }
    }
}
