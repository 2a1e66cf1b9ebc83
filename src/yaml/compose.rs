//! Builds the tree from the parser's events: aliases, merge keys, tags, and the limits on each of
//! them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag, options};

use super::findings::{YamlFindings, shown};
use super::node::{Node, NodeValue};
use super::scalar::{self, MalformedScalar};
use super::syntax::{MAX_DEPTH, explain, too_deep, two_tags};
use super::{Dialect, Parsed};
use crate::diagnostic::{Diagnostic, Position, Severity};

/// How many nodes may be copied because of anchors and aliases.
const MAX_COPIED_NODES: usize = 250_000;

/// How many bytes of text may be copied with them.
const MAX_COPIED_BYTES: usize = 16 * 1024 * 1024;

const CORE: &str = "tag:yaml.org,2002:";

pub(super) fn compose(file: &Arc<Path>, text: &str, dialect: Dialect) -> Parsed {
    let options = options! {
        // As libyaml and PyYAML do.
        bom_inside_document_as_content: true,
        block_scalar_eof_without_line_feed: true,
        // Unknown anchors are reported here, and parsing continues after them.
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut composer = Composer {
        text,
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        made: TreeSize::default(),
        copied: TreeSize::default(),
        ended: false,
        findings: YamlFindings::new(file, dialect),
    };
    let root = composer.document();
    Parsed {
        root,
        diagnostics: composer.findings.into_diagnostics(),
        complete: !composer.ended,
    }
}

struct Composer<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// Finished nodes by the parser's anchor ID.
    anchors: HashMap<usize, AnchoredNode>,
    /// Size of all nodes so far, copies included.
    made: TreeSize,
    /// Size of the nodes copied because of anchors and aliases.
    copied: TreeSize,
    /// Whether parsing can't continue; open collections end here.
    ended: bool,
    findings: YamlFindings<'a>,
}

struct AnchoredNode {
    node: Node,
    size: TreeSize,
    depth: usize,
}

/// The size of one or several trees.
#[derive(Clone, Copy, Default)]
struct TreeSize {
    nodes: usize,
    /// Bytes of text in the scalars.
    bytes: usize,
}

impl TreeSize {
    fn plus(self, other: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(other.nodes),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_sub(other.nodes),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

impl<'a> Composer<'a> {
    /// Returns the first document; reports a second one and ignores it.
    fn document(&mut self) -> Option<Node> {
        let mut root = None;
        while let Some((event, span)) = self.next() {
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    self.findings.warning(position(span.start), || {
                        "only the first document of the file is read; another one starts here"
                            .to_owned()
                    });
                    break;
                }
                _ if event.is_node() => root = Some(self.node(event, span, 1)),
                _ => {}
            }
        }
        root
    }

    /// Returns the next event, or `None` after a syntax error.
    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        if self.ended {
            return None;
        }
        match self.parser.next()? {
            Ok(next) => Some(next),
            Err(error) => {
                let mark = *error.marker();
                // A tag ends the previous node, so the parser never expects a second tag.
                let rest = mark
                    .byte_offset()
                    .and_then(|offset| self.text.get(offset..))
                    .unwrap_or_default();
                let before = self
                    .text
                    .get(..self.text.len() - rest.len())
                    .unwrap_or_default();
                let explained = two_tags(before, rest).unwrap_or_else(|| explain(error.kind()));
                self.ended = true;
                self.findings
                    .add(Severity::Error, position(mark), || explained);
                None
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Node {
        let anchor = event.anchor_id();
        let at = position(span.start);
        if depth > MAX_DEPTH {
            self.ended = true;
            self.findings.add(Severity::Error, at, too_deep);
            return null(at);
        }
        let before = self.made;
        self.made.nodes += 1;
        let node = match event {
            Event::Scalar(text, style, _, tag) => self.scalar(&text, style, tag.as_deref(), span),
            Event::SequenceStart(_, _, tag) => {
                let items = self.sequence(depth);
                let tag = self.collection_tag(tag.as_deref(), at);
                Node {
                    value: NodeValue::Sequence(items),
                    tag,
                    text: "".into(),
                    at,
                }
            }
            Event::MappingStart(_, _, tag) => {
                let entries = self.mapping(depth);
                let tag = self.collection_tag(tag.as_deref(), at);
                Node {
                    value: NodeValue::Mapping(entries),
                    tag,
                    text: "".into(),
                    at,
                }
            }
            Event::Alias(id) => self.alias(id, at, depth),
            Event::UnresolvedAlias(name) => {
                self.refuse_alias(at);
                self.findings.error(at, || {
                    format!(
                        "`*{}` refers to an anchor that is not defined before it",
                        shown(&name)
                    )
                });
                null(at)
            }
            _ => null(at),
        };
        if let Some(id) = anchor {
            self.remember(id, &node, self.made.minus(before), at);
        }
        node
    }

    fn sequence(&mut self, depth: usize) -> Vec<Node> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next() {
            if event == Event::SequenceEnd {
                break;
            }
            if event.is_node() {
                items.push(self.node(event, span, depth + 1));
            }
        }
        items
    }

    fn mapping(&mut self, depth: usize) -> Vec<(Node, Node)> {
        let mut merged = Vec::new();
        let mut own = Vec::new();
        while let Some((event, span)) = self.next() {
            if event == Event::MappingEnd {
                break;
            }
            if !event.is_node() {
                continue;
            }
            let is_merge = is_merge_key(&event);
            let key = self.node(event, span, depth + 1);
            let value = match self.next() {
                Some((event, span)) if event.is_node() => {
                    if is_merge && !event.is_alias() {
                        self.refuse_merge(key.at);
                    }
                    self.node(event, span, depth + 1)
                }
                _ => null(key.at),
            };
            if is_merge {
                self.merge(value, &mut merged);
            } else if key.is_scalar() {
                own.push((key, value));
            } else {
                self.findings.error(position(span.start), || {
                    format!("a key is a single value, not {}", key.kind_name())
                });
            }
        }
        let own = self.findings.settle_duplicates(own);
        if merged.is_empty() {
            own
        } else {
            with_merged(merged, own, self.findings.dialect)
        }
    }

    /// Merges the value of a `<<` key. In a list the earlier mapping wins, so it is added last.
    fn merge(&mut self, value: Node, into: &mut Vec<(Node, Node)>) {
        let at = value.at;
        match value.value {
            NodeValue::Mapping(entries) => into.extend(entries),
            NodeValue::Sequence(items) => {
                for item in items.into_iter().rev() {
                    match item.value {
                        NodeValue::Mapping(entries) => into.extend(entries),
                        _ => self.findings.error(item.at, || {
                            format!("`<<` takes mappings, and this is {}", item.kind_name())
                        }),
                    }
                }
            }
            _ => self.findings.error(at, || {
                format!(
                    "`<<` takes a mapping or a list of mappings, not {}",
                    value.kind_name()
                )
            }),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Node {
        // The parser represents an absent value as a `~` of zero length.
        let absent = style == ScalarStyle::Plain && text == "~" && span.start == span.end;
        let text = if absent { "" } else { text };
        self.made.bytes += text.len();
        let at = position(span.start);
        let (value, tag) = match tag {
            None if style == ScalarStyle::Plain => (self.resolved(text, at), None),
            None => (NodeValue::String(text.into()), None),
            Some(tag) => self.tagged(text, tag, at),
        };
        Node {
            value,
            tag,
            text: text.into(),
            at,
        }
    }

    fn resolved(&mut self, text: &str, at: Position) -> NodeValue {
        scalar::resolve(text, self.findings.dialect).unwrap_or_else(|MalformedScalar(message)| {
            self.findings.add(Severity::Warning, at, || {
                Diagnostic::warning(format!("{message}; it is read as text"))
                    .help("put it in quotes")
            });
            NodeValue::String(text.into())
        })
    }

    /// Resolves a scalar with a tag; also returns the tag if it isn't a core tag.
    fn tagged(&mut self, text: &str, tag: &Tag, at: Position) -> (NodeValue, Option<Box<str>>) {
        let Some(name) = tag.suffix_in_namespace(CORE) else {
            // A lone `!` makes any scalar a string.
            let kept = (tag.parts() != ("", "!")).then(|| tag.original().into());
            return (NodeValue::String(text.into()), kept);
        };
        self.refuse_core_tag(&name, at);
        match scalar::construct(&name, text) {
            Some(Ok(value)) => (value, None),
            Some(Err(MalformedScalar(message))) => {
                self.findings.error(at, || {
                    format!(
                        "{message}, as its tag `{}` requires",
                        shown(&tag.original())
                    )
                });
                (NodeValue::String(text.into()), None)
            }
            None => (NodeValue::String(text.into()), Some(tag.original().into())),
        }
    }

    /// Returns a collection's tag, or `None` for core tags such as `!!map`.
    fn collection_tag(&mut self, tag: Option<&Tag>, at: Position) -> Option<Box<str>> {
        let tag = tag?;
        let says_nothing = match tag.suffix_in_namespace(CORE) {
            Some(name) => {
                self.refuse_core_tag(&name, at);
                matches!(&*name, "map" | "seq" | "set" | "omap" | "pairs")
            }
            None => tag.parts() == ("", "!"),
        };
        (!says_nothing).then(|| tag.original().into())
    }

    fn alias(&mut self, id: usize, at: Position, depth: usize) -> Node {
        self.refuse_alias(at);
        let Some(AnchoredNode {
            size,
            depth: own_depth,
            ..
        }) = self.anchors.get(&id)
        else {
            self.findings.error(at, || {
                "the alias is inside the node that it refers to".to_owned()
            });
            return null(at);
        };
        let size = *size;
        if depth + own_depth > MAX_DEPTH {
            self.findings.error(at, || {
                format!("aliases nest the file deeper than {MAX_DEPTH} levels")
            });
            return null(at);
        }
        if !self.afford(size, at) {
            return null(at);
        }
        self.made = self.made.plus(size);
        self.anchors
            .get(&id)
            .map_or_else(|| null(at), |anchored| anchored.node.clone())
    }

    fn remember(&mut self, id: usize, node: &Node, size: TreeSize, at: Position) {
        if self.afford(size, at) {
            self.anchors.insert(
                id,
                AnchoredNode {
                    node: node.clone(),
                    size,
                    depth: depth_of(node),
                },
            );
        }
    }

    /// Returns whether a tree of this size may still be copied. The first refusal is an error and
    /// ends parsing.
    fn afford(&mut self, size: TreeSize, at: Position) -> bool {
        let within =
            |size: TreeSize| size.nodes <= MAX_COPIED_NODES && size.bytes <= MAX_COPIED_BYTES;
        let was_within = within(self.copied);
        self.copied = self.copied.plus(size);
        if was_within && !within(self.copied) {
            self.ended = true;
            self.findings.error(at, || {
                if self.copied.nodes > MAX_COPIED_NODES {
                    format!("anchors and aliases expand to more than {MAX_COPIED_NODES} values")
                } else {
                    format!(
                        "anchors and aliases expand to more than {} MiB",
                        MAX_COPIED_BYTES / 1024 / 1024
                    )
                }
            });
        }
        within(self.copied)
    }

    /// CloudFormation doesn't support aliases, merge keys and some of YAML's tags
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html>,
    /// until 2024). It refuses every alias with this message; an anchor without an alias is
    /// accepted.
    fn refuse_alias(&mut self, at: Position) {
        if self.findings.dialect == Dialect::CloudFormation {
            self.findings.add(Severity::Error, at, || {
                Diagnostic::error(
                    "Template error: YAML aliases are not allowed in CloudFormation templates",
                )
                .help("write out the value in place of the alias")
            });
        }
    }

    /// No documentation says what CloudFormation does with a `<<` without an alias, so this is a
    /// warning, like cfn-lint's W1100.
    fn refuse_merge(&mut self, at: Position) {
        if self.findings.dialect == Dialect::CloudFormation {
            self.findings.warning(at, || {
                "CloudFormation does not support merge keys (`<<`)".to_owned()
            });
        }
    }

    /// Warns for the same reason.
    fn refuse_core_tag(&mut self, name: &str, at: Position) {
        if self.findings.dialect == Dialect::CloudFormation
            && matches!(name, "binary" | "omap" | "pairs" | "set" | "timestamp")
        {
            self.findings.warning(at, || {
                format!("CloudFormation does not support the tag `!!{name}`")
            });
        }
    }
}

fn null(at: Position) -> Node {
    Node {
        value: NodeValue::Null,
        tag: None,
        text: "".into(),
        at,
    }
}

fn position(mark: Marker) -> Position {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position {
        line: count(mark.line()),
        column: count(mark.col()).saturating_add(1),
    }
}

/// Returns whether an event is a plain `<<` or a scalar tagged as a merge key.
fn is_merge_key(event: &Event) -> bool {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, _, None) => text == "<<",
        Event::Scalar(_, _, _, Some(tag)) => {
            tag.suffix_in_namespace(CORE).as_deref() == Some("merge")
        }
        _ => false,
    }
}

/// Merges entries like PyYAML's dictionaries: merged entries come first, and a later entry with the
/// same key replaces them in place. Duplicates among a mapping's own entries are kept.
fn with_merged(
    merged: Vec<(Node, Node)>,
    own: Vec<(Node, Node)>,
    dialect: Dialect,
) -> Vec<(Node, Node)> {
    let merged_end = merged.len();
    let mut all: Vec<Option<(Node, Node)>> = merged.into_iter().chain(own).map(Some).collect();
    // For each entry in the result, its index in `all`.
    let mut kept: Vec<usize> = Vec::with_capacity(all.len());
    let mut places = HashMap::new();
    for (index, (key, _)) in all.iter().flatten().enumerate() {
        let key = dialect.identity(key);
        match places
            .get(&key)
            .and_then(|place: &usize| kept.get_mut(*place))
        {
            Some(slot) => *slot = index,
            None => {
                if index < merged_end {
                    places.insert(key, kept.len());
                }
                kept.push(index);
            }
        }
    }
    drop(places);
    kept.into_iter()
        .filter_map(|index| all.get_mut(index).and_then(Option::take))
        .collect()
}

/// Returns the number of levels in a tree.
fn depth_of(node: &Node) -> usize {
    let below = match &node.value {
        NodeValue::Sequence(items) => items.iter().map(depth_of).max(),
        NodeValue::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| depth_of(key).max(depth_of(value)))
            .max(),
        _ => None,
    };
    1 + below.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::findings::MAX_DIAGNOSTICS;
    use super::*;

    fn compose_as(dialect: Dialect, text: &str) -> Parsed {
        compose(&Arc::from(Path::new("f")), text, dialect)
    }

    /// Returns the tree as JSON and every diagnostic as `line:column: message (help)`.
    fn read_as(dialect: Dialect, text: &str) -> (serde_json::Value, Vec<String>) {
        let parsed = compose_as(dialect, text);
        let said = parsed
            .diagnostics
            .iter()
            .map(|d| d.to_string().trim_start_matches("f:").to_owned())
            .collect();
        (
            parsed
                .root
                .map_or(serde_json::json!("(no document)"), |root| root.to_json()),
            said,
        )
    }

    fn read(text: &str) -> (serde_json::Value, Vec<String>) {
        read_as(Dialect::PyYaml, text)
    }

    #[track_caller]
    fn check_as(dialect: Dialect, text: &str, expect: &str, diagnostics: &[&str]) {
        let (tree, said) = read_as(dialect, text);
        assert_eq!(
            (tree.to_string().as_str(), said),
            (
                expect,
                diagnostics.iter().map(|d| (*d).to_owned()).collect()
            )
        );
    }

    #[track_caller]
    fn check(text: &str, expect: &str, diagnostics: &[&str]) {
        check_as(Dialect::PyYaml, text, expect, diagnostics);
    }

    /// Parses as a template and prefixes each diagnostic with its severity.
    #[track_caller]
    fn check_template(text: &str, expect: &str, diagnostics: &[(Severity, &str)]) {
        let told: Vec<_> = diagnostics.iter().map(|(_, said)| *said).collect();
        check_as(Dialect::CloudFormation, text, expect, &told);
        let severities = compose_as(Dialect::CloudFormation, text)
            .diagnostics
            .into_iter()
            .map(|it| it.severity);
        assert_eq!(
            severities.collect::<Vec<_>>(),
            diagnostics
                .iter()
                .map(|(severity, _)| *severity)
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn documents_and_scalars() {
        check("", r#""(no document)""#, &[]);
        check("# nothing\n", r#""(no document)""#, &[]);
        check("---\n", "null", &[]);
        check(
            "a:\nb: ~\nc: ''\nd: !!str\ne: \"~\"",
            r#"{"a":null,"b":null,"c":"","d":"","e":"~"}"#,
            &[],
        );
        check("a: |\n  x\n  y", r#"{"a":"x\ny"}"#, &[]);
        check("a: ! 010\nb: !!int '010'", r#"{"a":"010","b":8}"#, &[]);
        check(
            "{\t\"a\": [1, true, null],\n\t\"b\\/\": \"\\ud83d\\ude00\"}",
            r#"{"a":[1,true,null],"b/":"😀"}"#,
            &[],
        );
        check(
            "a: 1\n---\nb: 2\n",
            r#"{"a":1}"#,
            &["2:1: only the first document of the file is read; another one starts here"],
        );
    }

    #[test]
    fn merge_keys_as_in_pyyaml() {
        check(
            "b: &b {x: 1, y: 2}\na: {<<: *b, y: 3, z: 4}",
            r#"{"b":{"x":1,"y":2},"a":{"x":1,"y":3,"z":4}}"#,
            &[],
        );
        check("a: {y: 3, <<: {x: 1, y: 2}}", r#"{"a":{"x":1,"y":3}}"#, &[]);
        check(
            "a: {<<: [{x: 1}, {x: 2, y: 2}]}",
            r#"{"a":{"x":1,"y":2}}"#,
            &[],
        );
        check("a: {'<<': {x: 1}}", r#"{"a":{"<<":{"x":1}}}"#, &[]);
        check(
            "a: {<<: 1, y: 2}",
            r#"{"a":{"y":2}}"#,
            &["1:9: `<<` takes a mapping or a list of mappings, not a whole number"],
        );
        check(
            "a: {<<: [x]}",
            r#"{"a":{}}"#,
            &["1:10: `<<` takes mappings, and this is text"],
        );
    }

    #[test]
    fn local_tags_are_kept_and_core_tags_are_not() {
        let root = compose_as(
            Dialect::CloudFormation,
            "a: !Ref 010\nb: !GetAtt [x, y]\nc: !!map {}\nd: !Sub\n  - x\ne: !!foo x\n",
        )
        .root
        .unwrap();
        let tag = |key: &str| root.get(key).and_then(|node| node.tag.as_deref());
        assert_eq!(
            ["a", "b", "c", "d", "e"].map(tag),
            [
                Some("!Ref"),
                Some("!GetAtt"),
                None,
                Some("!Sub"),
                Some("!!foo")
            ]
        );
        assert_eq!(root.get("a").and_then(Node::as_str), Some("010"));
        let at = |key: &str| root.get(key).map(|node| (node.at.line, node.at.column));
        assert_eq!(
            ["a", "b", "d"].map(at),
            [Some((1, 9)), Some((2, 12)), Some((5, 3))]
        );
    }

    #[test]
    fn columns_count_characters() {
        let root = compose_as(Dialect::PyYaml, "\u{FEFF}ü😀: x\n")
            .root
            .unwrap();
        let (key, value) = &root.entries()[0];
        assert_eq!(
            (key.at, value.at),
            (
                Position { line: 1, column: 1 },
                Position { line: 1, column: 5 }
            )
        );
    }

    #[test]
    fn short_tags_are_allowed_on_every_kind_of_node() {
        let check = |text: &str, tag: &str, expect: &str| {
            let parsed = compose_as(Dialect::CloudFormation, text);
            assert_eq!(parsed.diagnostics, [], "{text}");
            let root = parsed.root.unwrap();
            let value = root.get("a").unwrap();
            assert_eq!(
                (value.tag.as_deref(), value.to_json().to_string().as_str()),
                (Some(tag), expect),
                "{text}"
            );
        };
        check("a: !Ref b", "!Ref", r#""b""#);
        check("a: !Ref\n  b", "!Ref", r#""b""#);
        check("a: !Ref 'b'", "!Ref", r#""b""#);
        check("a: !Ref", "!Ref", r#""""#);
        check("a: !Ref true", "!Ref", r#""true""#);
        check("{a: !Ref b}", "!Ref", r#""b""#);
        check("a: !Sub |\n  b\n  c\n", "!Sub", r#""b\nc\n""#);
        check("a: !Sub >-\n  b\n  c\n", "!Sub", r#""b c""#);
        check("a: !Sub b\n  c", "!Sub", r#""b c""#);
        check("a: !GetAtt b.c", "!GetAtt", r#""b.c""#);
        check("a: !GetAtt [b, c]", "!GetAtt", r#"["b","c"]"#);
        check("a: !GetAtt\n- b\n- c", "!GetAtt", r#"["b","c"]"#);
        check("a: !GetAtt\n  - b\n  - c", "!GetAtt", r#"["b","c"]"#);
        check("a: !Sub ['${b}', {b: c}]", "!Sub", r#"["${b}",{"b":"c"}]"#);
        check("a: !Sub\n- b\n- c: d", "!Sub", r#"["b",{"c":"d"}]"#);
        check(
            "a: !Transform {Name: b, Parameters: {c: d}}",
            "!Transform",
            r#"{"Name":"b","Parameters":{"c":"d"}}"#,
        );
        check("a: !Transform\n  Name: b", "!Transform", r#"{"Name":"b"}"#);
        check(
            "a: !Base64\n  'Fn::Sub': b",
            "!Base64",
            r#"{"Fn::Sub":"b"}"#,
        );
        check(
            "a: !If [b, !Ref c, !If [d, !Ref e, {f: !Ref g}]]",
            "!If",
            r#"["b","c",["d","e",{"f":"g"}]]"#,
        );
        check("a: !Condition b", "!Condition", r#""b""#);
        check("a: !Equals [!Ref b, '']", "!Equals", r#"["b",""]"#);
        check("a: !GetAZs ''", "!GetAZs", r#""""#);
        check("a: &b !Ref c", "!Ref", r#""c""#);
        check("a: !Ref &b c", "!Ref", r#""c""#);
        check("a: !Mine::Own b", "!Mine::Own", r#""b""#);
    }

    #[test]
    fn unsupported_yaml_is_reported() {
        use Severity::{Error, Warning};
        check_template(
            "a: 1\nb: 2\na: 3\n",
            r#"{"a":3,"b":2}"#,
            &[(
                Warning,
                "3:1: duplicate key `a`; CloudFormation takes the later one silently (the earlier \
                 one is at line 1, column 1)",
            )],
        );
        // Keys are strings, even if they look like other scalars.
        check_template(
            "yes: 1\n'yes': 2\n",
            r#"{"yes":2}"#,
            &[(
                Warning,
                "2:1: duplicate key `yes`; CloudFormation takes the later one silently (the \
                 earlier one is at line 1, column 1)",
            )],
        );
        // Keys under different parents, or with different case, aren't duplicates.
        check_template(
            "a: {x: 1}\nb: {x: 1}\nA: {X: 1, x: 2}",
            r#"{"a":{"x":1},"b":{"x":1},"A":{"X":1,"x":2}}"#,
            &[],
        );
        let alias = "Template error: YAML aliases are not allowed in CloudFormation templates \
            (write out the value in place of the alias)";
        check_template("a: &a 1\nb: 2", r#"{"a":1,"b":2}"#, &[]);
        check_template(
            "a: &a 1\nb: *a\nc: *a",
            r#"{"a":1,"b":1,"c":1}"#,
            &[
                (Error, &format!("2:4: {alias}")),
                (Error, &format!("3:4: {alias}")),
            ],
        );
        // Overriding a merged key isn't a duplicate.
        check_template(
            "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}",
            r#"{"a":{"x":1,"y":2},"b":{"x":3,"y":2}}"#,
            &[(Error, &format!("2:9: {alias}"))],
        );
        check_template(
            "b: {<<: {x: 1}, x: 3}",
            r#"{"b":{"x":3}}"#,
            &[(
                Warning,
                "1:5: CloudFormation does not support merge keys (`<<`)",
            )],
        );
        check_template(
            "b: {'<<': {x: 1}, x: 3}",
            r#"{"b":{"<<":{"x":1},"x":3}}"#,
            &[],
        );
        check_template(
            "a: !!set {x}\nb: !!binary eA==\nc: !!str 1\nd: !!map {}",
            r#"{"a":{"x":null},"b":"eA==","c":"1","d":{}}"#,
            &[
                (
                    Warning,
                    "1:10: CloudFormation does not support the tag `!!set`",
                ),
                (
                    Warning,
                    "2:13: CloudFormation does not support the tag `!!binary`",
                ),
            ],
        );
        check_template(
            "a: 2012-10-17\nb: 2012-13-01",
            r#"{"a":"2012-10-17","b":"2012-13-01"}"#,
            &[],
        );
        check_template("a: 010\nb: 1:30\nc: Yes", r#"{"a":8,"b":90,"c":true}"#, &[]);
    }

    #[test]
    fn problems_are_reported_with_their_location() {
        check(
            "a: 1\nb: 2\na: 3\n",
            r#"{"a":3,"b":2}"#,
            &[
                "3:1: duplicate key `a`; the later one counts (the earlier one is at line 1, \
                 column 1)",
            ],
        );
        check("1: a\n'1': b\n", r#"{"1":"b"}"#, &[]);
        check(
            "a: *x\nb: *y\nc: 1\n",
            r#"{"a":null,"b":null,"c":1}"#,
            &[
                "1:4: `*x` refers to an anchor that is not defined before it",
                "2:4: `*y` refers to an anchor that is not defined before it",
            ],
        );
        check(
            "a: &a [1, *a]",
            r#"{"a":[1,null]}"#,
            &["1:11: the alias is inside the node that it refers to"],
        );
        check(
            "? [x]\n: 1\n",
            "{}",
            &["1:3: a key is a single value, not a list"],
        );
        check(
            "a: 2012-13-01\n",
            r#"{"a":"2012-13-01"}"#,
            &[
                "1:4: `2012-13-01` looks like a date that does not exist; it is read as text (put \
                 it in quotes)",
            ],
        );
        check(
            "a: !!int x\n",
            r#"{"a":"x"}"#,
            &["1:10: `x` is not a whole number, as its tag `!!int` requires"],
        );
    }

    #[test]
    fn a_syntax_error_keeps_the_content_before_it() {
        check(
            "a: 1\nb: [1, 2\nc: 3\n",
            r#"{"a":1,"b":[1]}"#,
            &[
                "3:2: a `:` where no key is allowed (is a bracket or a quote before it left \
                 open?)",
            ],
        );
        check(
            "a: 1\nb: 'x\n",
            r#"{"a":1,"b":null}"#,
            &["2:4: unclosed quote"],
        );
        check(
            "a: 1\n b: 2\n",
            r#"{"a":"1 b"}"#,
            &[
                "2:3: a `:` where no key is allowed (put a value that contains `: ` in quotes, \
                 or fix the indentation)",
            ],
        );
    }

    #[test]
    fn hostile_files_are_an_error() {
        let laughs = (1..20).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
            let m = n - 1;
            format!("{text}a{n}: &a{n} [*a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}]\n")
        });
        let (_, said) = read(&laughs);
        assert_eq!(said.len(), 1);
        assert!(
            said[0].ends_with("anchors and aliases expand to more than 250000 values"),
            "{said:?}"
        );

        let deep = "[".repeat(100_000);
        let (_, said) = read(&deep);
        assert_eq!(said, ["1:129: the file nests deeper than 128 levels"]);

        // A few long texts are as bad as many nodes.
        let long = format!(
            "a: &a {}\nb: [{}]\n",
            "x".repeat(1 << 20),
            "*a, ".repeat(16)
        );
        let (_, said) = read(&long);
        assert_eq!(
            said,
            ["2:65: anchors and aliases expand to more than 16 MiB"]
        );

        // Anchors around each other would each be counted again.
        let nested = format!(
            "{}{}{}",
            "&a [".repeat(100),
            "x, ".repeat(200_000),
            "]".repeat(100)
        );
        let (_, said) = read(&nested);
        assert_eq!(
            said,
            ["1:396: anchors and aliases expand to more than 250000 values"]
        );

        let ladder = (1..200).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
            format!("{text}a{n}: &a{n} [*a{}]\n", n - 1)
        });
        let (_, said) = read(&ladder);
        assert!(
            said.iter()
                .any(|d| d.contains("aliases nest the file deeper than 128 levels")),
            "{said:?}"
        );
    }

    #[test]
    fn long_texts_are_shortened() {
        let (_, said) = read(&format!(
            "? {0}\n: 1\n? {0}\n: 2\na: *{0}\n",
            "k".repeat(5000)
        ));
        let shown = format!("{}…", "k".repeat(60));
        assert_eq!(
            said,
            [
                format!(
                    "3:3: duplicate key `{shown}`; the later one counts (the earlier one is at \
                     line 1, \
                     column 3)"
                ),
                format!("5:4: `*{shown}` refers to an anchor that is not defined before it"),
            ]
        );
    }

    #[test]
    fn many_keys_are_compared_as_few_are() {
        let many: String = (0..100).map(|n| format!("k{n}: v\n")).collect();
        let (_, said) = read(&format!("{many}k7: w\n"));
        assert_eq!(
            said,
            [
                "101:1: duplicate key `k7`; the later one counts (the earlier one is at line 8, \
                 column 1)"
            ]
        );
    }

    #[test]
    fn many_warnings_do_not_hide_errors() {
        let (_, said) = read(&format!("{}b: *x\n", "a: 1\n".repeat(5000)));
        assert_eq!(said.len(), MAX_DIAGNOSTICS + 1);
        assert!(said.iter().any(|d| d.contains("`*x` refers")));
    }
}
