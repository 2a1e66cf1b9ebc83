//! Finds the templates of a project.

use std::collections::HashSet;
use std::path::Path;

use walkdir::WalkDir;

use crate::cli::error::CliError;
use crate::diagnostic::Diagnostic;
use crate::input;
use crate::stage::exclude::Exclusions;
use crate::submodules;
use crate::template::{Template, Templates};
use crate::yaml::{self, Dialect, Node};

/// The extensions that templates have.
const EXTENSIONS: [&str; 4] = ["yaml", "yml", "json", "template"];

/// Directories of programs' dependencies and outputs.
const FOREIGN: [&str; 2] = ["node_modules", "cdk.out"];

/// Returns the paths of all templates that are staged with the project, sorted, except those in git
/// submodules.
///
/// # Errors
/// There is none.
pub(super) fn templates(root: &Path) -> Result<Vec<String>, CliError> {
    let exclusions = Exclusions::load(root, &[]).map_err(CliError::Diagnostics)?;
    let submodules = submodules::paths(root);
    let is_foreign = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_hidden = name.starts_with('.') && path != root;
        is_hidden || FOREIGN.contains(&&*name) || submodules.iter().any(|folder| path == folder)
    };
    let walk = WalkDir::new(root).sort_by_file_name().into_iter();
    let files = walk.filter_entry(|it| !is_foreign(it.path())).flatten();
    let mut found = Vec::new();
    for file in files.filter(|it| it.file_type().is_file()) {
        let path = file.path();
        let relative = path.strip_prefix(root).unwrap_or(path);
        let (Some(relative), Some(extension)) = (relative.to_str(), path.extension()) else {
            continue;
        };
        let is_candidate = EXTENSIONS.iter().any(|it| extension == *it);
        if is_candidate && !exclusions.excludes(relative) && is_template(path) {
            found.push(relative.to_owned());
        }
    }
    if found.is_empty() {
        let message = format!("no CloudFormation template was found in {}", root.display());
        let help = "name one with --main-template";
        return Err(CliError::Diagnostics(vec![
            Diagnostic::error(message).help(help),
        ]));
    }
    Ok(found)
}

/// Returns whether a file has resources with types of CloudFormation.
fn is_template(path: &Path) -> bool {
    // Parsing everything that is YAML or JSON would take long in a project with large data.
    let is_candidate = input::text(path).is_some_and(|text| text.contains("Resources"));
    if !is_candidate {
        return false;
    }
    let root = yaml::read_as(Dialect::CloudFormation, path).root;
    let resources = root.as_ref().and_then(|it| it.get("Resources"));
    resources
        .map(Node::entries)
        .unwrap_or_default()
        .iter()
        .any(|(_, resource)| {
            let kind = resource.get("Type").and_then(Node::as_str);
            kind.is_some_and(|it| it.contains("::"))
        })
}

/// Returns the templates that no other nests. In a circle, all are.
pub(super) fn roots(templates: &Templates) -> Vec<&Template> {
    let nested: HashSet<&str> = templates
        .iter()
        .flat_map(|parent| {
            let children = parent.children.iter();
            children.filter(|it| it.template != parent.relative)
        })
        .map(|it| it.template.as_str())
        .collect();
    let roots = templates
        .iter()
        .filter(|it| !nested.contains(&*it.relative));
    let roots: Vec<&Template> = roots.collect();
    if roots.is_empty() {
        templates.iter().collect()
    } else {
        roots
    }
}
