//! Property tests of functions with arbitrary arguments.
//!
//! Expressions are built as trees, so that a text may contain characters that no file may contain.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::cidr::blocks;
use crate::diagnostic::Position;
use crate::template::evaluate::tests::{parameter_values, place};
use crate::template::{OfflineEnvironment, Templates, Value, evaluate, sections};
use crate::yaml::{self, Node, Parsed};

fn node(value: yaml::NodeValue, text: &str) -> Node {
    Node {
        value,
        tag: None,
        text: text.into(),
        at: Position { line: 1, column: 1 },
    }
}

fn text(content: &str) -> Node {
    node(yaml::NodeValue::String(content.into()), content)
}

fn list(items: impl IntoIterator<Item = Node>) -> Node {
    node(yaml::NodeValue::Sequence(items.into_iter().collect()), "")
}

fn map<const N: usize>(entries: [(&str, Node); N]) -> Node {
    node(
        yaml::NodeValue::Mapping(
            entries
                .into_iter()
                .map(|(key, value)| (text(key), value))
                .collect(),
        ),
        "",
    )
}

fn texts(items: &[String]) -> Node {
    list(items.iter().map(|item| text(item)))
}

/// Evaluates an expression with the parameter `P`. It is in a resource's metadata, where dynamic
/// references aren't resolved.
fn value(expression: Node, parameter: &str) -> Value {
    let root = map([
        ("Parameters", map([("P", map([("Type", text("String"))]))])),
        (
            "Resources",
            map([(
                "R",
                map([
                    ("Type", text("Custom::R")),
                    ("Metadata", map([("V", expression)])),
                ]),
            )]),
        ),
    ]);
    let file: Arc<Path> = Arc::from(Path::new("t.yaml"));
    let parsed = Parsed {
        root: Some(root),
        diagnostics: Vec::new(),
        complete: true,
    };
    let (template, diagnostics) = sections::template(parsed, &file, "t.yaml".to_owned());
    let template = template.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let place = place("eu-west-1");
    let parameter_values = parameter_values(&[("P", parameter)]);
    let stack = evaluate(
        &template,
        &place,
        &parameter_values,
        &OfflineEnvironment(&Templates::default()),
    );
    assert_eq!(stack.failures, []);
    match &stack.resources["R"].body["Metadata"] {
        Value::Map(metadata) => metadata["V"].clone(),
        other => panic!("{other:?}"),
    }
}

/// Generates any text without variables.
fn without_names() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('$', "S"))
}

proptest! {
    // A failing case should be added to the tables, not to a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sub_leaves_text_without_names_alone(content: String) {
        let mut content = content;
        while content.contains("${") {
            content = content.replace("${", "{$");
        }
        prop_assert_eq!(value(map([("Fn::Sub", text(&content))]), ""), Value::String(content));
    }

    #[test]
    fn sub_gives_back_what_is_marked_literal(pieces in prop::collection::vec(without_names(),
        0..5)) {
        let marked = text(&pieces.join("${!"));
        prop_assert_eq!(value(map([("Fn::Sub", marked)]), ""), Value::String(pieces.join("${")));
    }

    #[test]
    fn sub_is_join_of_its_pieces(before in without_names(), between in without_names(),
        after in without_names(), own: String,
            parameter in any::<String>().prop_filter("at most 4096 bytes", |it| it.len() <= 4096)) {
        let content = format!("{before}${{P}}{between}${{Own}}${{AWS::Region}}{after}");
        let sub = map([("Fn::Sub", list([text(&content), map([("Own", text(&own))])]))]);
        let reference = |name| map([("Ref", text(name))]);
        let parts = [text(&before), reference("P"), text(&between), text(&own),
            reference("AWS::Region"), text(&after)];
        let join = map([("Fn::Join", list([text(""), list(parts)]))]);
        prop_assert_eq!(value(sub, &parameter), value(join, &parameter));
    }

    #[test]
    fn split_undoes_join(delimiter in any::<String>().prop_filter("not empty", |it| !it.is_empty()),
        items in prop::collection::vec(any::<String>(), 1..9)) {
        // Neither inside an item nor across the ends of two.
        prop_assume!(items.join(&delimiter).matches(&*delimiter).count() == items.len() - 1);
        prop_assume!(items.join(&delimiter).split(&*delimiter).eq(items.iter().map(String::as_str)));
        let join = map([("Fn::Join", list([text(&delimiter), texts(&items)]))]);
        let split = map([("Fn::Split", list([text(&delimiter), join]))]);
        prop_assert_eq!(value(split, ""), Value::List(items.into_iter().map(Value::String).collect()));
    }

    #[test]
    fn split_undoes_join_of_items_without_the_delimiter(delimiter: char, items in prop::collection::vec(any::<String>(), 1..9)) {
        let items: Vec<String> = items.into_iter().map(|item| item.replace(delimiter,
            "")).collect();
        let delimiter = text(&delimiter.to_string());
        let join = map([("Fn::Join", list([delimiter.clone(), texts(&items)]))]);
        let split = map([("Fn::Split", list([delimiter, join]))]);
        prop_assert_eq!(value(split, ""), Value::List(items.into_iter().map(Value::String).collect()));
    }

    #[test]
    fn join_undoes_split(delimiter in "[ab]{1,2}", content in "[abc]{0,30}") {
        let split = map([("Fn::Split", list([text(&delimiter), text(&content)]))]);
        let join = map([("Fn::Join", list([text(&delimiter), split]))]);
        prop_assert_eq!(value(join, ""), Value::String(content));
    }

    #[test]
    fn select_takes_what_stands_there(items in prop::collection::vec(any::<String>(), 1..9),
        index: prop::sample::Index) {
        let index = index.index(items.len());
        let select = map([("Fn::Select", list([text(&index.to_string()), texts(&items)]))]);
        prop_assert_eq!(value(select, ""), Value::text(items[index].as_str()));
    }

    #[test]
    fn blocks_lie_side_by_side_inside_of_theirs(
        is_v6: bool, address: u128, mask in 0u32..=128, room in 0u32..=16, count in 1u32..=256,
    ) {
        let width = if is_v6 { 128 } else { 32 };
        let mask = mask % (width + 1);
        let room = room.min(width - mask);
        let bits = width - mask - room;
        let host = width - mask;
        let address = if is_v6 { address } else { address & u128::from(u32::MAX) };
        let first = if host == 128 { 0 } else { address >> host << host };
        let text = |first: u128, mask: u32| if is_v6 { format!("{}/{mask}", Ipv6Addr::from_bits(first)) } else { format!("{}/{mask}", Ipv4Addr::from_bits(u32::try_from(first).unwrap())) };
        let found = blocks(&text(first, mask), &count.to_string(), &bits.to_string());
        let Ok(found) = found else {
            prop_assert!(u64::from(count) > 1 << room);
            return Ok(());
        };
        prop_assert!(u64::from(count) <= 1 << room);
        prop_assert_eq!(found.len(), count as usize);
        let size = |bits: u32| 1u128.checked_shl(bits);
        for (index, part) in found.iter().enumerate() {
            // Each block begins where the previous one ends, and all are inside.
            let offset = size(bits).map_or(0, |size| size * index as u128);
            prop_assert_eq!(part.to_string(), text(first + offset, width - bits));
            if let (Some(size), Some(whole)) = (size(bits), size(host)) {
                prop_assert!(offset + size <= whole);
            }
        }
    }
}
