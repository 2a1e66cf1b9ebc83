//! The CloudFormation language, as far as a template can be known without AWS.
//!
//! [`Templates`] reads the templates of a project, each file once, with the nested ones that lie in it; a [`Template`]
//! is the tree with what its sections declare. Everything that is found wrong is a diagnostic with its place. Pure but
//! for reading the project's files. `plan` takes parameters from here, `lint` the list of files.
//!
//! - `long_form`: short tags become the functions that they stand for, so that nothing else needs to know two forms
//! - `sections`: a file's tree to a [`Template`]
//! - `url`: what a nested stack's `TemplateURL` can evaluate to
//! - `project`: files, and which template nests which

mod long_form;
mod project;
mod sections;
mod url;

use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Location, Position};
use crate::yaml::Node;

pub use project::Templates;

/// A template of the project.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// As messages name it.
    pub file: Arc<Path>,
    /// Relative to the project root, with `/`: the key under which it is staged, without the project's name.
    pub relative: String,
    /// In long form: `!Ref X` is `{"Ref": "X"}`, `!Sub …` is `{"Fn::Sub": …}`, each at the place of its value.
    pub root: Node,
    /// In the order of the file.
    pub parameters: Vec<Parameter>,
    /// Nested stacks whose template lies in the project.
    pub children: Vec<Child>,
}

/// An entry of the `Parameters` section
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>).
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub key: String,
    /// `Type` as written: `String`, `List<AWS::EC2::Subnet::Id>`, `AWS::SSM::Parameter::Value<String>`.
    pub kind: String,
    /// Absent also where it is null.
    pub default: Option<Node>,
    pub no_echo: bool,
    /// `AllowedValues`, as text.
    pub allowed_values: Vec<String>,
    /// Of the key.
    pub at: Position,
}

/// An `AWS::CloudFormation::Stack` and the local file that its `TemplateURL` leads to. Where the URL depends on a
/// condition, there is one for each file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    pub logical_id: String,
    /// Of the `TemplateURL`.
    pub at: Position,
    /// [`Template::relative`] of the nested template.
    pub template: String,
}

impl Template {
    pub fn location(&self, at: Position) -> Location {
        Location { file: self.file.clone(), at }
    }
}
