//! One reader for every YAML and JSON file that a user writes: configurations and templates.
//!
//! It gives a tree in which every node knows its position, with scalars resolved as PyYAML's `SafeLoader` resolves them
//! (YAML 1.1: `010` is 8, `Yes` is true, `2012-10-17` is a date), since that is what the files were written for.
//! What the keys mean is left to `config` and `template`.

use crate::diagnostic::Position;

/// A value with its place in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub value: Value,
    /// The local tag as written, with its `!`: `!Ref`, `!GetAtt`. Core tags (`!!str`) are resolved and not kept.
    pub tag: Option<Box<str>>,
    /// A scalar's source text, before resolution (`010` for 8); empty for collections.
    pub text: Box<str>,
    pub at: Position,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A YAML 1.1 timestamp, in the form that Python's `str()` gives it: `2012-10-17`, `2001-12-14 21:59:43.100000`.
    Timestamp(Box<str>),
    String(Box<str>),
    Sequence(Vec<Node>),
    /// Entries in the order of the file, merge keys (`<<`) expanded. Later duplicates win in [`Node::get`].
    Mapping(Vec<(Node, Node)>),
}
