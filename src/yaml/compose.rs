//! From the parser's events to the tree: aliases, merge keys, tags, duplicate keys, and the limits on all of them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag, options};

use super::Parsed;
use super::node::{Node, Value};
use super::scalar::{self, Malformed};
use super::syntax::{explain, too_deep};
use crate::diagnostic::{Diagnostic, Location, Position};

/// How deep a tree may be, aliases expanded. Deep enough for any template; shallow enough to recurse over.
pub const MAX_DEPTH: usize = 128;

/// How many nodes may be copied because of anchors and aliases.
const MAX_COPIED_NODES: usize = 250_000;

/// How many diagnostics of one file are kept: a file that is wrong everywhere is wrong once.
const MAX_DIAGNOSTICS: usize = 200;

const CORE: &str = "tag:yaml.org,2002:";

pub fn compose(file: &Arc<Path>, text: &str) -> Parsed {
    let options = options! {
        // Both as libyaml and PyYAML read.
        bom_inside_document_as_content: true,
        block_scalar_eof_without_line_feed: true,
        // An unknown anchor is reported here, and what follows it is still read.
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut composer = Composer {
        file,
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        copied: 0,
        ended: false,
        diagnostics: Vec::new(),
    };
    let root = composer.document();
    Parsed { root, diagnostics: composer.diagnostics }
}

struct Composer<'a> {
    file: &'a Arc<Path>,
    parser: Parser<'a, StrInput<'a>>,
    /// Finished nodes by their anchor's id.
    anchors: HashMap<usize, Anchored>,
    copied: usize,
    /// Set where reading cannot go on: whatever is open ends there.
    ended: bool,
    diagnostics: Vec<Diagnostic>,
}

struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

/// A mapping key as far as it makes two entries the same.
#[derive(PartialEq, Eq, Hash)]
struct KeyIdentity {
    is_text: bool,
    text: Box<str>,
}

impl<'a> Composer<'a> {
    /// The first document; a second one is pointed out and left alone.
    fn document(&mut self) -> Option<Node> {
        let mut root = None;
        while let Some((event, span)) = self.next() {
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    self.warn(span.start, "only the first document of the file is read; here another one starts");
                    break;
                }
                _ if event.is_node() => root = Some(self.node(event, span, 1)),
                _ => {}
            }
        }
        root
    }

    /// The next event; none after a syntax error.
    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        if self.ended {
            return None;
        }
        match self.parser.next()? {
            Ok(next) => Some(next),
            Err(error) => {
                let mark = *error.marker();
                self.ended = true;
                let location = self.location(position(mark));
                self.push(explain(error.kind()).at(location));
                None
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Node {
        let anchor = event.anchor_id();
        let at = position(span.start);
        if depth > MAX_DEPTH {
            self.ended = true;
            let location = self.location(at);
            self.push(too_deep().at(location));
            return null(at);
        }
        let node = match event {
            Event::Scalar(text, style, _, tag) => self.scalar(&text, style, tag.as_deref(), span),
            Event::SequenceStart(_, _, tag) => {
                let items = self.sequence(depth);
                Node { value: Value::Sequence(items), tag: collection_tag(tag.as_deref()), text: "".into(), at }
            }
            Event::MappingStart(_, _, tag) => {
                let entries = self.mapping(depth);
                Node { value: Value::Mapping(entries), tag: collection_tag(tag.as_deref()), text: "".into(), at }
            }
            Event::Alias(id) => self.alias(id, span, depth),
            Event::UnresolvedAlias(name) => {
                self.error(span.start, format!("`*{name}` refers to an anchor that does not stand before it"));
                null(at)
            }
            _ => null(at),
        };
        if let Some(id) = anchor {
            self.remember(id, &node, span);
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
                Some((event, span)) if event.is_node() => self.node(event, span, depth + 1),
                _ => null(key.at),
            };
            if is_merge {
                self.merge(value, &mut merged);
            } else if key.is_scalar() {
                own.push((key, value));
            } else {
                self.error(span.start, format!("a key is a single value, not {}", key.kind_name()));
            }
        }
        self.warn_of_duplicates(&own);
        with_merged(merged, own)
    }

    /// Adds what stands under a `<<`. In a list the earlier mapping wins, so it goes last.
    fn merge(&mut self, value: Node, into: &mut Vec<(Node, Node)>) {
        let at = value.at;
        match value.value {
            Value::Mapping(entries) => into.extend(entries),
            Value::Sequence(items) => {
                for item in items.into_iter().rev() {
                    match item.value {
                        Value::Mapping(entries) => into.extend(entries),
                        _ => self.error_at(item.at, format!("`<<` takes mappings, and this is {}", item.kind_name())),
                    }
                }
            }
            _ => self.error_at(at, format!("`<<` takes a mapping or a list of mappings, not {}", value.kind_name())),
        }
    }

    fn warn_of_duplicates(&mut self, entries: &[(Node, Node)]) {
        let mut seen: HashMap<KeyIdentity, Position> = HashMap::new();
        for (key, _) in entries {
            if let Some(first) = seen.insert(identity(key), key.at) {
                let location = self.location(key.at);
                self.push(
                    Diagnostic::warning(format!("`{}` stands twice in this mapping; the later one counts", key.text))
                        .at(location)
                        .help(format!("the earlier one is at line {}, column {}", first.line, first.column)),
                );
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Node {
        // The parser writes an absent value as a `~` that takes no room.
        let absent = style == ScalarStyle::Plain && text == "~" && span.start == span.end;
        let text = if absent { "" } else { text };
        let at = position(span.start);
        let core = tag.map(|tag| (tag, tag.suffix_in_namespace(CORE)));
        let (value, tag) = match core {
            None if style == ScalarStyle::Plain => (self.resolved(scalar::resolve(text), text, at), None),
            None => (Value::String(text.into()), None),
            // The lone `!` says: text, whatever it looks like.
            Some((tag, None)) if tag.parts() == ("", "!") => (Value::String(text.into()), None),
            Some((tag, None)) => (Value::String(text.into()), Some(tag.original().into())),
            Some((tag, Some(name))) => match scalar::construct(&name, text) {
                Some(Ok(value)) => (value, None),
                Some(Err(Malformed(message))) => {
                    self.error_at(at, format!("{message}, as its tag `{}` asks", tag.original()));
                    (Value::String(text.into()), None)
                }
                None => (Value::String(text.into()), Some(tag.original().into())),
            },
        };
        Node { value, tag, text: text.into(), at }
    }

    fn resolved(&mut self, value: Result<Value, Malformed>, text: &str, at: Position) -> Value {
        value.unwrap_or_else(|Malformed(message)| {
            let location = self.location(at);
            self.push(
                Diagnostic::warning(format!("{message}; it is read as text")).at(location).help("put it in quotes"),
            );
            Value::String(text.into())
        })
    }

    fn alias(&mut self, id: usize, span: Span, depth: usize) -> Node {
        let Some(anchored) = self.anchors.get(&id) else {
            self.error(span.start, "the alias stands inside the node that it refers to");
            return null(position(span.start));
        };
        if depth + anchored.depth > MAX_DEPTH {
            self.error(span.start, format!("aliases nest the file deeper than {MAX_DEPTH} levels"));
            return null(position(span.start));
        }
        let nodes = anchored.nodes;
        if !self.afford(nodes, span) {
            return null(position(span.start));
        }
        self.anchors.get(&id).map_or_else(|| null(position(span.start)), |anchored| anchored.node.clone())
    }

    fn remember(&mut self, id: usize, node: &Node, span: Span) {
        let (nodes, depth) = measure(node);
        if self.afford(nodes, span) {
            self.anchors.insert(id, Anchored { node: node.clone(), nodes, depth });
        }
    }

    /// Whether so many nodes may still be copied. The first refusal is an error and ends the reading.
    fn afford(&mut self, nodes: usize, span: Span) -> bool {
        let was_within = self.copied <= MAX_COPIED_NODES;
        self.copied = self.copied.saturating_add(nodes);
        let within = self.copied <= MAX_COPIED_NODES;
        if was_within && !within {
            self.ended = true;
            self.error(span.start, format!("anchors and aliases expand to more than {MAX_COPIED_NODES} values"));
        }
        within
    }

    fn location(&self, at: Position) -> Location {
        Location { file: self.file.clone(), at }
    }

    fn error(&mut self, mark: Marker, message: impl Into<String>) {
        self.error_at(position(mark), message);
    }

    fn error_at(&mut self, at: Position, message: impl Into<String>) {
        let location = self.location(at);
        self.push(Diagnostic::error(message).at(location));
    }

    fn warn(&mut self, mark: Marker, message: impl Into<String>) {
        let location = self.location(position(mark));
        self.push(Diagnostic::warning(message).at(location));
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        let same = self.diagnostics.iter().filter(|d| d.severity == diagnostic.severity).count();
        if same < MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        }
    }
}

fn null(at: Position) -> Node {
    Node { value: Value::Null, tag: None, text: "".into(), at }
}

fn position(mark: Marker) -> Position {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: count(mark.line()), column: count(mark.col()).saturating_add(1) }
}

/// A collection's tag as far as it says something: `!!map` and its like do not.
fn collection_tag(tag: Option<&Tag>) -> Option<Box<str>> {
    let tag = tag?;
    let says_nothing = match tag.suffix_in_namespace(CORE) {
        Some(name) => matches!(&*name, "map" | "seq" | "set" | "omap" | "pairs"),
        None => tag.parts() == ("", "!"),
    };
    (!says_nothing).then(|| tag.original().into())
}

/// A plain `<<`, or a scalar that is tagged as one.
fn is_merge_key(event: &Event) -> bool {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, _, None) => text == "<<",
        Event::Scalar(_, _, _, Some(tag)) => tag.suffix_in_namespace(CORE).as_deref() == Some("merge"),
        _ => false,
    }
}

/// Text and what only looks like it are different keys: `1` and `"1"`.
fn identity(key: &Node) -> KeyIdentity {
    match &key.value {
        Value::String(text) => KeyIdentity { is_text: true, text: text.clone() },
        _ => KeyIdentity { is_text: false, text: key.to_json().to_string().into() },
    }
}

/// Merged entries come first and give way to later ones of the same key, in their place, as in PyYAML's dictionaries.
/// Duplicates among a mapping's own entries stay.
fn with_merged(merged: Vec<(Node, Node)>, own: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    if merged.is_empty() {
        return own;
    }
    let mut places: HashMap<KeyIdentity, usize> = HashMap::new();
    let mut entries: Vec<(Node, Node)> = Vec::new();
    let mut put = |entries: &mut Vec<(Node, Node)>, entry: (Node, Node), may_add_place: bool| {
        let key = identity(&entry.0);
        match places.get(&key).and_then(|place| entries.get_mut(*place)) {
            Some(slot) => *slot = entry,
            None => {
                if may_add_place {
                    places.insert(key, entries.len());
                }
                entries.push(entry);
            }
        }
    };
    for entry in merged {
        put(&mut entries, entry, true);
    }
    for entry in own {
        put(&mut entries, entry, false);
    }
    entries
}

/// How many nodes a tree has, and how deep it is.
fn measure(node: &Node) -> (usize, usize) {
    let (nodes, depth) = match &node.value {
        Value::Sequence(items) => items.iter().map(measure).fold((0, 0), add),
        Value::Mapping(entries) => entries.iter().flat_map(|(k, v)| [measure(k), measure(v)]).fold((0, 0), add),
        _ => (0, 0),
    };
    (nodes + 1, depth + 1)
}

fn add((nodes, depth): (usize, usize), (more, other): (usize, usize)) -> (usize, usize) {
    (nodes + more, depth.max(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as JSON, and every diagnostic as `line:column: message (help)`.
    fn read(text: &str) -> (serde_json::Value, Vec<String>) {
        let file: Arc<Path> = Arc::from(Path::new("f"));
        let parsed = compose(&file, text);
        let said = parsed.diagnostics.iter().map(|d| d.to_string().trim_start_matches("f:").to_owned()).collect();
        (parsed.root.map_or(serde_json::json!("(no document)"), |root| root.to_json()), said)
    }

    #[track_caller]
    fn check(text: &str, expect: &str, diagnostics: &[&str]) {
        let (tree, said) = read(text);
        assert_eq!((tree.to_string().as_str(), said), (expect, diagnostics.iter().map(|d| (*d).to_owned()).collect()));
    }

    #[test]
    fn documents_and_scalars() {
        check("", r#""(no document)""#, &[]);
        check("# nothing\n", r#""(no document)""#, &[]);
        check("---\n", "null", &[]);
        check("a:\nb: ~\nc: ''\nd: !!str\ne: \"~\"", r#"{"a":null,"b":null,"c":"","d":"","e":"~"}"#, &[]);
        check("a: |\n  x\n  y", r#"{"a":"x\ny"}"#, &[]);
        check("a: ! 010\nb: !!int '010'", r#"{"a":"010","b":8}"#, &[]);
        check("{\t\"a\": [1, true, null],\n\t\"b\\/\": \"\\ud83d\\ude00\"}", r#"{"a":[1,true,null],"b/":"😀"}"#, &[]);
        check(
            "a: 1\n---\nb: 2\n",
            r#"{"a":1}"#,
            &["2:1: only the first document of the file is read; here another one starts"],
        );
    }

    #[test]
    fn merge_keys_as_in_pyyaml() {
        check("b: &b {x: 1, y: 2}\na: {<<: *b, y: 3, z: 4}", r#"{"b":{"x":1,"y":2},"a":{"x":1,"y":3,"z":4}}"#, &[]);
        check("a: {y: 3, <<: {x: 1, y: 2}}", r#"{"a":{"x":1,"y":3}}"#, &[]);
        check("a: {<<: [{x: 1}, {x: 2, y: 2}]}", r#"{"a":{"x":1,"y":2}}"#, &[]);
        check("a: {'<<': {x: 1}}", r#"{"a":{"<<":{"x":1}}}"#, &[]);
        check(
            "a: {<<: 1, y: 2}",
            r#"{"a":{"y":2}}"#,
            &["1:9: `<<` takes a mapping or a list of mappings, not a whole number"],
        );
        check("a: {<<: [x]}", r#"{"a":{}}"#, &["1:10: `<<` takes mappings, and this is text"]);
    }

    #[test]
    fn local_tags_are_kept_and_core_tags_are_not() {
        let file: Arc<Path> = Arc::from(Path::new("f"));
        let root =
            compose(&file, "a: !Ref 010\nb: !GetAtt [x, y]\nc: !!map {}\nd: !Sub\n  - x\ne: !!foo x\n").root.unwrap();
        let tag = |key: &str| root.get(key).and_then(|node| node.tag.as_deref());
        assert_eq!(
            ["a", "b", "c", "d", "e"].map(tag),
            [Some("!Ref"), Some("!GetAtt"), None, Some("!Sub"), Some("!!foo")]
        );
        assert_eq!(root.get("a").and_then(Node::as_str), Some("010"));
        let at = |key: &str| root.get(key).map(|node| (node.at.line, node.at.column));
        assert_eq!(["a", "b", "d"].map(at), [Some((1, 9)), Some((2, 12)), Some((5, 3))]);
    }

    #[test]
    fn columns_count_characters() {
        let root = compose(&Arc::from(Path::new("f")), "\u{FEFF}ü😀: x\n").root.unwrap();
        let (key, value) = &root.entries()[0];
        assert_eq!((key.at, value.at), (Position { line: 1, column: 1 }, Position { line: 1, column: 5 }));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        check(
            "a: 1\nb: 2\na: 3\n",
            r#"{"a":3,"b":2}"#,
            &["3:1: `a` stands twice in this mapping; the later one counts (the earlier one is at line 1, column 1)"],
        );
        check("1: a\n'1': b\n", r#"{"1":"b"}"#, &[]);
        check(
            "a: *x\nb: *y\nc: 1\n",
            r#"{"a":null,"b":null,"c":1}"#,
            &[
                "1:4: `*x` refers to an anchor that does not stand before it",
                "2:4: `*y` refers to an anchor that does not stand before it",
            ],
        );
        check("a: &a [1, *a]", r#"{"a":[1,null]}"#, &["1:11: the alias stands inside the node that it refers to"]);
        check("? [x]\n: 1\n", "{}", &["1:3: a key is a single value, not a list"]);
        check(
            "a: 2012-13-01\n",
            r#"{"a":"2012-13-01"}"#,
            &["1:4: `2012-13-01` looks like a date that does not exist; it is read as text (put it in quotes)"],
        );
        check("a: !!int x\n", r#"{"a":"x"}"#, &["1:10: `x` is not a whole number, as its tag `!!int` asks"]);
    }

    #[test]
    fn a_syntax_error_keeps_what_stands_before_it() {
        check(
            "a: 1\nb: [1, 2\nc: 3\n",
            r#"{"a":1,"b":[1]}"#,
            &["3:2: a `:` stands where no key can be (is a bracket or a quote before it left open?)"],
        );
        check("a: 1\nb: 'x\n", r#"{"a":1,"b":null}"#, &["2:4: a quote is never closed (it opens here)"]);
        check(
            "a: 1\n b: 2\n",
            r#"{"a":"1 b"}"#,
            &["2:3: a `:` stands where no key can be (put a value that contains `: ` in quotes, or mend the \
                 indentation)"],
        );
    }

    #[test]
    fn hostile_files_end_in_an_error() {
        let laughs = (1..20).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
            let m = n - 1;
            format!("{text}a{n}: &a{n} [*a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}]\n")
        });
        let (_, said) = read(&laughs);
        assert_eq!(said.len(), 1);
        assert!(said[0].ends_with("anchors and aliases expand to more than 250000 values"), "{said:?}");

        let deep = "[".repeat(100_000);
        let (_, said) = read(&deep);
        assert_eq!(said, ["1:129: the file nests deeper than 128 levels"]);

        let ladder = (1..200).fold("a0: &a0 [x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [*a{}]\n", n - 1));
        let (_, said) = read(&ladder);
        assert!(said.iter().any(|d| d.contains("aliases nest the file deeper than 128 levels")), "{said:?}");
    }

    #[test]
    fn many_warnings_hide_no_error() {
        let (_, said) = read(&format!("{}b: *x\n", "a: 1\n".repeat(5000)));
        assert_eq!(said.len(), MAX_DIAGNOSTICS + 1);
        assert!(said.iter().any(|d| d.contains("`*x` refers")));
    }
}
