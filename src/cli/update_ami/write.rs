//! Writes the changed templates, each as a whole or not at all.

use std::io;

use super::findings::Findings;
use super::streams;
use crate::ami::{self, AmiEdit, AmiEntry};
use crate::aws::Image;
use crate::diagnostic::Diagnostic;
use crate::input;
use crate::template::Template;

/// A template with outdated AMI IDs.
pub(super) struct ChangedFile<'t> {
    template: &'t Template,
    changes: Vec<AmiChange>,
}

struct AmiChange {
    entry: AmiEntry,
    image: Image,
    edit: AmiEdit,
}

impl<'t> ChangedFile<'t> {
    pub(super) fn new(template: &'t Template) -> Self {
        Self {
            template,
            changes: Vec::new(),
        }
    }

    /// Adds an AMI ID to replace.
    pub(super) fn replace(&mut self, entry: &AmiEntry, image: &Image) {
        self.changes.push(AmiChange {
            entry: entry.clone(),
            image: image.clone(),
            edit: AmiEdit {
                at: entry.location.at,
                old: entry.value.clone(),
                new: image.id.clone(),
            },
        });
    }
}

/// Changes the files, unless this is a dry run, and prints each change on a line of standard
/// output. Returns the changes with their files.
pub(super) fn write<'t>(
    files: impl Iterator<Item = ChangedFile<'t>>,
    is_dry_run: bool,
    findings: &mut Findings,
) -> Vec<(String, Image)> {
    let mut changed = Vec::new();
    for file in files {
        match change(&file, is_dry_run) {
            Ok(unfound) => {
                for change in file.changes {
                    if unfound.contains(&change.edit) {
                        findings.add(unwritable(&change));
                    } else {
                        print(&file.template.relative, &change);
                        changed.push((file.template.relative.clone(), change.image));
                    }
                }
            }
            Err(error) => findings.add_unwritten(&file.template.file, &error),
        }
    }
    changed
}

/// Replaces the file. Returns the edits that cannot be made.
fn change(file: &ChangedFile, is_dry_run: bool) -> io::Result<Vec<AmiEdit>> {
    let path = &file.template.file;
    let bytes = input::read(path, input::DOCUMENT).map_err(io::Error::other)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        io::Error::other("it is not in UTF-8, the only encoding that can be changed")
    })?;
    let edits: Vec<AmiEdit> = file.changes.iter().map(|it| it.edit.clone()).collect();
    let (new, unfound) = ami::apply(&text, &edits);
    if !is_dry_run && new != text {
        input::write_whole(path, new.as_bytes())?;
    }
    Ok(unfound.into_iter().cloned().collect())
}

fn print(file: &str, change: &AmiChange) {
    let AmiChange { entry, image, .. } = change;
    let old = if entry.value.is_empty() {
        "\"\""
    } else {
        &entry.value
    };
    let date = image.creation_date.split('T').next().unwrap_or_default();
    let details = [image.name.as_str(), date].into_iter();
    let details: Vec<&str> = details.filter(|it| !it.is_empty()).collect();
    streams::print_line(format_args!(
        "{file}:{}: {}/{}: {old} -> {} ({})",
        entry.location.at.line,
        entry.region,
        entry.codename,
        image.id,
        details.join(", ")
    ));
}

fn unwritable(change: &AmiChange) -> Diagnostic {
    let AmiChange { entry, image, .. } = change;
    let message = format!(
        "{}/{} cannot be changed to {}, since its value isn't written on one line without escapes",
        entry.region, entry.codename, image.id
    );
    Diagnostic::warning(message)
        .at(entry.location.clone())
        .help("write the AMI ID after its key, and run the command again")
}
