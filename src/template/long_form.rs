//! Expands short tags to functions: `!Ref X` becomes `{"Ref": "X"}`, `!GetAtt a.b` becomes
//! `{"Fn::GetAtt": "a.b"}`.

use super::expression::key_of_tag;
use crate::yaml::{Node, NodeValue};

/// Converts a tree to long form.
pub(super) fn long_form(mut node: Node) -> Node {
    expand(&mut node);
    node
}

/// Works in place, since most nodes have no tag. Keys are skipped: `sections` reports functions as
/// keys.
fn expand(node: &mut Node) {
    match &mut node.value {
        NodeValue::Sequence(items) => items.iter_mut().for_each(expand),
        NodeValue::Mapping(entries) => entries.iter_mut().for_each(|(_, value)| expand(value)),
        _ => {}
    }
    let Some(tag) = node.tag.take() else { return };
    let name = key_of_tag(&tag);
    let at = node.at;
    let key = Node {
        value: NodeValue::String((&*name).into()),
        tag: None,
        text: name.into(),
        at,
    };
    let argument = std::mem::replace(
        node,
        Node {
            value: NodeValue::Null,
            tag: None,
            text: "".into(),
            at,
        },
    );
    node.value = NodeValue::Mapping(vec![(key, argument)]);
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::template::expression::FunctionCall;

    fn parse(text: &str) -> Node {
        crate::yaml::parse(&Arc::from(Path::new("t.yaml")), text)
            .root
            .unwrap()
    }

    #[test]
    fn tags_become_functions() {
        let check = |text: &str, json: &str| {
            assert_eq!(long_form(parse(text)).to_json().to_string(), json, "{text}")
        };
        check("!Ref X", r#"{"Ref":"X"}"#);
        check("!Condition C", r#"{"Condition":"C"}"#);
        check("!GetAtt a.b", r#"{"Fn::GetAtt":"a.b"}"#);
        check("[!Sub '${A}', plain]", r#"[{"Fn::Sub":"${A}"},"plain"]"#);
        check(
            "!If [C, !Ref A, {x: !Ref B}]",
            r#"{"Fn::If":["C",{"Ref":"A"},{"x":{"Ref":"B"}}]}"#,
        );
        check("!Mine {a: 1}", r#"{"Fn::Mine":{"a":1}}"#);
        check("a: {Fn::Sub: x}", r#"{"a":{"Fn::Sub":"x"}}"#);
        check("!GetAtt [a, b]", r#"{"Fn::GetAtt":["a","b"]}"#);
        check(
            "!Sub ['${A}', {A: !Ref B}]",
            r#"{"Fn::Sub":["${A}",{"A":{"Ref":"B"}}]}"#,
        );
        check(
            "!Transform {Name: !Ref X}",
            r#"{"Fn::Transform":{"Name":{"Ref":"X"}}}"#,
        );
        check("!Base64\n  Fn::Sub: x", r#"{"Fn::Base64":{"Fn::Sub":"x"}}"#);
        check("!Base64\n  - !Sub x", r#"{"Fn::Base64":[{"Fn::Sub":"x"}]}"#);
        check(
            "!And [!Condition A, !Not [!Condition B]]",
            r#"{"Fn::And":[{"Condition":"A"},{"Fn::Not":[{"Condition":"B"}]}]}"#,
        );
        check("!GetAZs ''", r#"{"Fn::GetAZs":""}"#);
        check("!Ref 010", r#"{"Ref":"010"}"#);
    }

    #[test]
    fn positions_are_kept() {
        let node = long_form(parse("a:\n  - !Ref X"));
        let item = &node.get("a").and_then(Node::as_sequence).unwrap()[0];
        let call = FunctionCall::of(item).unwrap();
        assert_eq!(
            (call.name, call.argument.at.line, call.argument.at.column),
            ("Ref", 2, 10)
        );
        assert_eq!(item.at, call.argument.at);
    }
}
