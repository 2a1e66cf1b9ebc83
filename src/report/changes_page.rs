//! Writes `changes.html` and `changes.json`: what the change sets of a deployment would do, for
//! whoever must approve it.
//!
//! The files are written as soon as a change set exists, since it may be approved much later and
//! elsewhere. Unlike the terminal, the page shows every value in full.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;

use super::{EventConsumer, at_path, changes, replace, text};
use crate::event::{CellId, EventKind, ReportedChange, ReportedChangeDetail, RunEvent};

const PAGE: &str = include_str!("changes.html");

/// Writes both files to a folder.
pub struct ChangesPage {
    folder: PathBuf,
    title: String,
    /// The stacks' names by cell.
    names: Vec<(CellId, String)>,
    warnings: Vec<(CellId, String)>,
    stacks: Vec<StackChanges>,
}

/// The changes of a change set, as in `changes.json`.
#[derive(Serialize)]
struct StackChanges {
    #[serde(skip)]
    cell: CellId,
    stack_name: String,
    region: String,
    change_set: String,
    /// Summary such as `2 changes: 1 to add, 1 to replace`.
    summary: String,
    /// Whether something is deleted or replaced.
    destructive: bool,
    warnings: Vec<String>,
    /// What executing the change set does besides changing resources.
    options: Vec<String>,
    changes: Vec<ReportedChange>,
}

/// A row of the page's table: a resource, or a property of the one above.
#[derive(Serialize, Default)]
struct ChangeRow {
    sign: &'static str,
    id: String,
    kind: String,
    property: String,
    before: String,
    after: String,
    notes: String,
    destructive: bool,
}

#[derive(Serialize)]
struct StackView<'s> {
    name: &'s str,
    region: &'s str,
    change_set: &'s str,
    summary: &'s str,
    warnings: &'s [String],
    options: &'s [String],
    rows: Vec<ChangeRow>,
}

#[derive(Serialize)]
struct PageView<'s> {
    title: &'s str,
    stacks: Vec<StackView<'s>>,
}

impl ChangesPage {
    /// Creates a consumer that writes to this folder.
    pub fn new(folder: &Path) -> Self {
        let (names, warnings, stacks) = Default::default();
        Self {
            folder: folder.to_owned(),
            title: String::new(),
            names,
            warnings,
            stacks,
        }
    }

    fn add(
        &mut self,
        cell: &CellId,
        change_set: &str,
        changes: &[ReportedChange],
        options: &[String],
    ) {
        let name = self
            .names
            .iter()
            .find(|(it, _)| it == cell)
            .map(|(_, name)| name.clone());
        self.stacks.push(StackChanges {
            cell: cell.clone(),
            stack_name: name.unwrap_or_default(),
            region: cell.region.to_string(),
            change_set: change_set.to_owned(),
            summary: changes::summary(changes),
            destructive: changes::is_destructive(changes),
            warnings: self
                .warnings
                .iter()
                .filter(|(it, _)| it == cell)
                .map(|(_, message)| message.clone())
                .collect(),
            options: options.to_vec(),
            changes: changes.to_vec(),
        });
    }

    fn write(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder).map_err(|error| at_path(&self.folder, error))?;
        let json = serde_json::to_string_pretty(&self.stacks).map_err(io::Error::other)?;
        replace(&self.folder.join("changes.json"), |out| {
            writeln!(out, "{json}")
        })?;
        let page = self.render().map_err(io::Error::other)?;
        replace(&self.folder.join("changes.html"), |out| {
            out.write_all(page.as_bytes())
        })
    }

    fn render(&self) -> Result<String, minijinja::Error> {
        let stacks = self.stacks.iter().map(|stack| StackView {
            name: &stack.stack_name,
            region: &stack.region,
            change_set: &stack.change_set,
            summary: &stack.summary,
            warnings: &stack.warnings,
            options: &stack.options,
            rows: rows(&stack.changes, 0),
        });
        let mut environment = Environment::new();
        // The extension of the name enables escaping.
        environment.add_template("changes.html", PAGE)?;
        let view = PageView {
            title: &self.title,
            stacks: stacks.collect(),
        };
        environment
            .get_template("changes.html")?
            .render(Value::from(Serde(view)))
    }
}

impl EventConsumer for ChangesPage {
    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        match &event.kind {
            EventKind::RunStarted(started) => {
                self.title = text::one_line(&started.project);
                self.names = started
                    .cells
                    .iter()
                    .map(|it| (it.id.clone(), it.stack_name.clone()))
                    .collect();
            }
            EventKind::Warning {
                cell: Some(cell),
                message,
            } => {
                self.warnings.push((cell.clone(), text::one_line(message)));
            }
            EventKind::ChangeSetCreated {
                cell,
                change_set,
                changes,
                options,
                ..
            } => {
                self.add(cell, change_set, changes, options);
                return self.write();
            }
            EventKind::CellFinished {
                cell,
                reason: Some(reason),
                ..
            } if reason == "unchanged" => {
                for stack in self.stacks.iter_mut().filter(|it| it.cell == *cell) {
                    stack.summary = "no changes".to_owned();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write()
    }
}

fn rows(changes: &[ReportedChange], depth: usize) -> Vec<ChangeRow> {
    let mut rows = Vec::new();
    for change in changes {
        rows.push(ChangeRow {
            sign: changes::sign(change),
            id: format!(
                "{}{}",
                "\u{2003}".repeat(depth),
                text::one_line(&change.logical_id)
            ),
            kind: text::one_line(&change.resource_type),
            notes: text::one_line(change.physical_id.as_deref().unwrap_or_default()),
            destructive: change.nested.is_empty()
                && changes::is_destructive(std::slice::from_ref(change)),
            ..ChangeRow::default()
        });
        rows.extend(change.details.iter().map(property));
        rows.extend(self::rows(&change.nested, depth + 1));
    }
    rows
}

fn property(detail: &ReportedChangeDetail) -> ChangeRow {
    let shown = |value: &Option<String>| {
        value
            .as_deref()
            .map(|it| text::clean(it).into_owned())
            .unwrap_or_default()
    };
    ChangeRow {
        property: text::one_line(&detail.name),
        before: shown(&detail.before),
        after: shown(&detail.after),
        notes: changes::notes(detail)
            .trim_matches([' ', '(', ')'])
            .to_owned(),
        destructive: detail.recreation == "Always",
        ..ChangeRow::default()
    }
}
