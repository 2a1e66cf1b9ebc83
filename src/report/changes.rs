//! Describes the changes of a change set for whoever must approve it.

use std::iter;

use super::text;
use crate::event::{ReportedChange, ReportedChangeDetail};

/// Maximum length of a property's value in characters, so that two fit on a line.
const LONGEST_VALUE: usize = 60;

/// Returns `4 changes: 2 to add, 1 to modify, 1 to replace`. Changes in nested stacks count, the
/// nested stacks themselves don't.
pub fn summary(changes: &[ReportedChange]) -> String {
    let all = flat(changes);
    let count =
        |test: fn(&ReportedChange) -> bool| all.iter().filter(|change| test(change)).count();
    let kinds = [
        (count(|it| it.action == "Add"), "to add"),
        (
            count(|it| it.action == "Modify" && !is_replaced(it) && !may_be_replaced(it)),
            "to modify",
        ),
        (count(may_be_replaced), "perhaps to replace"),
        (count(is_replaced), "to replace"),
        (count(|it| it.action == "Remove"), "to delete"),
        (count(|it| it.action == "Import"), "to import"),
        (
            count(|it| it.action == "Dynamic"),
            "known only when it is done",
        ),
    ];
    let kinds: Vec<String> = kinds
        .iter()
        .filter(|it| it.0 > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    match all.len() {
        0 => "no resource changes".to_owned(),
        1 => format!("1 change: {}", kinds.join(", ")),
        number => format!("{number} changes: {}", kinds.join(", ")),
    }
}

/// Returns whether something is deleted or replaced, which may lose data.
pub fn is_destructive(changes: &[ReportedChange]) -> bool {
    flat(changes)
        .into_iter()
        .any(|it| it.action == "Remove" || is_replaced(it) || may_be_replaced(it))
}

/// Returns the deleted resources, including those in nested stacks: `Bucket (AWS::S3::Bucket)
/// shop-bucket`.
pub fn deleted(changes: &[ReportedChange]) -> Vec<String> {
    flat(changes)
        .into_iter()
        .filter(|it| it.action == "Remove")
        .map(resource)
        .collect()
}

/// Returns the resources that are or may be replaced.
pub fn replaced(changes: &[ReportedChange]) -> Vec<String> {
    flat(changes)
        .into_iter()
        .filter(|it| is_replaced(it) || may_be_replaced(it))
        .map(resource)
        .collect()
}

fn resource(change: &ReportedChange) -> String {
    let physical_id = change.physical_id.as_deref().unwrap_or_default();
    format!(
        "{} ({}) {physical_id}",
        change.logical_id, change.resource_type
    )
    .trim_end()
    .to_owned()
}

/// Returns one line per change, with changes in a nested stack below its own: a sign, the logical
/// ID, the type, and what changes. Below each, one line per property whose old or new value is
/// known.
pub fn lines(changes: &[ReportedChange]) -> Vec<String> {
    let mut rows = Vec::new();
    collect(changes, 0, &mut rows);
    let width = |column: fn(&ChangeLine) -> &str| {
        rows.iter()
            .map(|row| column(row).chars().count())
            .max()
            .unwrap_or(0)
    };
    let ids = width(|row| &row.id).min(60);
    let kinds = width(|row| &row.kind).min(60);
    let line = |row: &ChangeLine| {
        format!(
            "{:<9} {:<ids$}  {:<kinds$}  {}",
            row.sign, row.id, row.kind, row.what
        )
    };
    let of_row = |row: &ChangeLine| {
        let values = row
            .values
            .iter()
            .map(|value| format!("{:10}{}  {value}", "", "  ".repeat(row.depth)));
        iter::once(line(row).trim_end().to_owned())
            .chain(values)
            .collect::<Vec<_>>()
    };
    rows.iter().flat_map(of_row).collect()
}

struct ChangeLine {
    sign: &'static str,
    id: String,
    kind: String,
    what: String,
    values: Vec<String>,
    depth: usize,
}

fn collect(changes: &[ReportedChange], depth: usize, rows: &mut Vec<ChangeLine>) {
    for change in changes {
        let (valued, others): (Vec<_>, Vec<_>) = change
            .details
            .iter()
            .partition(|it| it.before.is_some() || it.after.is_some());
        let details: Vec<String> = others.into_iter().map(detail).collect();
        rows.push(ChangeLine {
            sign: sign(change),
            id: format!(
                "{}{}",
                "  ".repeat(depth),
                text::one_line(&change.logical_id)
            ),
            kind: text::one_line(&change.resource_type),
            what: details.join(", "),
            values: valued.into_iter().map(values).collect(),
            depth,
        });
        collect(&change.nested, depth + 1, rows);
    }
}

/// Returns a word for the action after a symbol.
pub(super) fn sign(change: &ReportedChange) -> &'static str {
    match change.action.as_str() {
        "Add" => "+ add",
        "Remove" => "- delete",
        "Import" => "+ import",
        "Dynamic" => "? dynamic",
        _ if is_replaced(change) => "! replace",
        _ if may_be_replaced(change) => "! perhaps",
        _ => "~ modify",
    }
}

/// Returns `Engine: mysql → postgres (replaces it)`.
fn values(detail: &ReportedChangeDetail) -> String {
    let told = |value: &Option<String>| {
        value.as_ref().map_or("–".to_owned(), |it| {
            text::shortened(&text::one_line(it), LONGEST_VALUE)
        })
    };
    let notes = notes(detail);
    let name = text::one_line(&detail.name);
    let before = told(&detail.before);
    let after = told(&detail.after);
    format!("{name}: {before} → {after}{notes}")
}

/// Returns `Engine (replaces it)` or `SubnetId (by Network)`.
fn detail(detail: &ReportedChangeDetail) -> String {
    format!("{}{}", text::one_line(&detail.name), notes(detail))
}

/// Returns ` (by Network, replaces it)` or nothing.
pub(super) fn notes(detail: &ReportedChangeDetail) -> String {
    let replaces = match detail.recreation.as_str() {
        "Always" => Some("replaces it".to_owned()),
        "Conditionally" => Some("may replace it".to_owned()),
        _ => None,
    };
    let cause = detail.cause.as_ref().map(|cause| format!("by {cause}"));
    let notes: Vec<String> = cause.into_iter().chain(replaces).collect();
    if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", text::one_line(&notes.join(", ")))
    }
}

fn is_replaced(change: &ReportedChange) -> bool {
    change.replacement.as_deref() == Some("True")
}

fn may_be_replaced(change: &ReportedChange) -> bool {
    change.replacement.as_deref() == Some("Conditional")
}

/// Returns all changes, without nested stacks whose own changes are known.
fn flat(changes: &[ReportedChange]) -> Vec<&ReportedChange> {
    let within = |change| -> Vec<&ReportedChange> {
        let change: &ReportedChange = change;
        if change.nested.is_empty() {
            vec![change]
        } else {
            flat(&change.nested)
        }
    };
    changes.iter().flat_map(within).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(action: &str, id: &str, kind: &str, replacement: &str) -> ReportedChange {
        let replacement = Some(replacement.to_owned()).filter(|it| !it.is_empty());
        let (action, logical_id, resource_type) =
            (action.to_owned(), id.to_owned(), kind.to_owned());
        ReportedChange {
            action,
            logical_id,
            resource_type,
            replacement,
            ..ReportedChange::default()
        }
    }

    fn changes() -> Vec<ReportedChange> {
        let detail = |name: &str, recreation: &str, cause: Option<&str>| ReportedChangeDetail {
            name: name.to_owned(),
            recreation: recreation.to_owned(),
            cause: cause.map(str::to_owned),
            ..ReportedChangeDetail::default()
        };
        let mut queue = change("Modify", "Queue", "AWS::SQS::Queue", "False");
        queue.details = vec![
            detail("VisibilityTimeout", "Never", None),
            detail("Tags", "Never", Some("Env")),
        ];
        let mut database = change("Modify", "Database", "AWS::RDS::DBInstance", "True");
        let value = |text: &str| Some(text.to_owned());
        database.details = vec![ReportedChangeDetail {
            before: value("mysql"),
            after: value("postgres\u{1b}[2J"),
            ..detail("Engine", "Always", None)
        }];
        let mut instance = change("Modify", "Server", "AWS::EC2::Instance", "Conditional");
        instance.details = vec![detail("SubnetId", "Conditionally", Some("Net"))];
        let mut nested = change("Modify", "Inner", "AWS::CloudFormation::Stack", "False");
        nested.nested = vec![
            change("Add", "Topic", "AWS::SNS::Topic", ""),
            change("Remove", "Old\u{1b}[2J", "AWS::SNS::Topic", ""),
        ];
        vec![queue, database, instance, nested]
    }

    #[test]
    fn a_line_each() {
        assert_eq!(
            lines(&changes()),
            [
                "~ modify  Queue     AWS::SQS::Queue             VisibilityTimeout, Tags (by Env)",
                "! replace Database  AWS::RDS::DBInstance",
                "            Engine: mysql → postgres (replaces it)",
                "! perhaps Server    AWS::EC2::Instance          SubnetId (by Net, may replace it)",
                "~ modify  Inner     AWS::CloudFormation::Stack",
                "+ add       Topic   AWS::SNS::Topic",
                "- delete    Old     AWS::SNS::Topic",
            ]
        );
    }

    #[test]
    fn in_one_line() {
        assert_eq!(
            summary(&changes()),
            "5 changes: 1 to add, 1 to modify, 1 perhaps to replace, 1 to replace, 1 to delete"
        );
        assert_eq!(
            summary(&[change("Add", "A", "T", "")]),
            "1 change: 1 to add"
        );
        assert_eq!(summary(&[]), "no resource changes");
        assert!(is_destructive(&changes()) && !is_destructive(&[change("Add", "A", "T", "")]));
    }
}
