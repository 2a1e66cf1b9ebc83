//! Finds the reference in a resource that a finding names: the engine reports it at the resource.

use crate::diagnostic::Position;
use crate::template::{Template, is_function_key};
use crate::yaml::Node;

/// The rules whose message names something that doesn't exist.
const RULES: [&str; 4] = ["F1010", "F1012", "F1018", "F1020"];

/// Returns the position of the reference, if the finding is about one and is reported at the entry
/// of a section.
pub(super) fn reference(
    rule: &str,
    message: &str,
    template: &Template,
    at: Position,
) -> Option<Position> {
    if !RULES.contains(&rule) {
        return None;
    }
    let mut sections = template.root.entries().iter();
    let (_, entry) = sections.find_map(|(_, section)| {
        let mut entries = section.entries().iter();
        entries.find(|(key, _)| key.at == at)
    })?;
    // The text between quotes.
    let mut quoted = message.split('\'').skip(1).step_by(2);
    quoted.find_map(|name| uses(entry, name, false))
}

/// Returns where a function uses the name.
fn uses(node: &Node, name: &str, in_function: bool) -> Option<Position> {
    if let Some(items) = node.as_sequence() {
        return items.iter().find_map(|item| uses(item, name, in_function));
    }
    if node.as_mapping().is_some() {
        let mut entries = node.entries().iter();
        return entries.find_map(|(key, value)| uses(value, name, is_function_key(&key.text)));
    }
    let text = node.as_str()?;
    let is_name = |rest: &str| rest.is_empty() || rest.starts_with('.');
    let names = text.strip_prefix(name).is_some_and(is_name)
        || text.contains(&format!("${{{name}}}"))
        || text.contains(&format!("${{{name}."));
    (in_function && names).then_some(node.at)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn references_are_found_in_their_entry() {
        let text = "Resources:\n  Other:\n    Type: A\n    Properties: {P: !Ref Gone}\n  \
            Topic:\n    Type: Gone\n    Properties:\n      Name: Gone\n      \
            Display: !GetAtt Gone.Name\n      Text: !Sub 'x ${Gone2}'\n";
        let file = Arc::from(Path::new("t.yaml"));
        let template = Template::parse(&file, "t.yaml".to_owned(), text).0.unwrap();
        let check = |rule: &str, message: &str, expect: Option<u32>| {
            let at = Position { line: 5, column: 3 };
            let found = reference(rule, message, &template, at);
            assert_eq!(found.map(|at| at.line), expect, "{message}");
        };
        check("F1020", "references non-existent resource 'Gone'", Some(9));
        check("F1018", "variable 'Gone2' is not defined", Some(10));
        check("F1018", "variable 'Gone3' is not defined", None);
        check("E3012", "'Gone'", None);
    }
}
