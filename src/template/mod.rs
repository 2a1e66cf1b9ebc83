//! The CloudFormation template language, as far as it works without AWS.
//!
//! [`Templates`] reads the templates of a project, each file once, including nested ones in the
//! project; a [`Template`] is a tree with the declarations of its sections. Everything wrong is a
//! located diagnostic. Pure except for reading the project's files. `plan` gets the parameters from
//! here, `lint` the list of files.
//!
//! - `expression`: names of the intrinsic functions and forms of their arguments
//! - `substitution`: strings that contain `${…}`
//! - `long_form`: expands short tags to functions, so that only one form must be handled
//! - `sections`: converts a file's tree to a [`Template`]
//! - `parameter_uses`: what a template uses a parameter for
//! - `url`: finds the possible values of a nested stack's `TemplateURL`
//! - `project`: files, and which templates nest others
//! - `rendered`: the evaluated template as CloudFormation sees it, with secrets masked
//! - `transform`: rewrites a template before its evaluation: macros, includes, loops
//! - `branches`: values that known conditions exclude
//! - `graph`: dependencies, circles, and undeclared names
//! - `limits`: what CloudFormation refuses regardless of values

mod assumption;
mod branches;
mod evaluate;
mod expression;
mod graph;
mod limits;
mod long_form;
mod macros;
mod parameter_uses;
mod pattern;
mod project;
mod rendered;
mod sections;
mod stack;
mod substitution;
mod transform;
mod url;
mod value;

use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Location, Position};
use crate::mask::Secrets;
use crate::yaml::Node;

pub use assumption::Assumption;
pub use branches::is_excluded;
pub use evaluate::{
    ConditionValue, EvaluatedOutput, EvaluatedResource, EvaluatedStack, EvaluationEnvironment,
    Evaluator, HidingSecrets, NestedTemplate, OfflineEnvironment, ParameterValue, ParameterValues,
    StackEnvironment, StoredReference, UndecidedFailure, unknown_zones,
};
pub use expression::is_function_key;
pub use graph::{
    Dependency, ParameterSourceExpression, ReferencedValue, ResourceUses, dependencies, mentioned,
    order, uses,
};
pub use limits::is_custom_resource;
pub use project::Templates;
pub use rendered::rendered;
pub use stack::{evaluate, evaluated_stack, evaluator};
pub use value::{
    ConcatenatedForm, Failure, FailureNote, KnownWhen, NestingStack, Unknown, UnknownForm,
    UnknownReason, Value,
};

/// A template of the project.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The file as messages name it.
    pub file: Arc<Path>,
    /// The path relative to the project root, with `/`: its object key without the project's name.
    pub relative: String,
    /// The tree in long form: `!Ref X` is `{"Ref": "X"}`, `!Sub …` is `{"Fn::Sub": …}`, each at the
    /// position of its value.
    pub root: Node,
    /// The parameters in the order of the file.
    pub parameters: Vec<TemplateParameter>,
    /// Nested stacks whose template is in the project.
    pub children: Vec<NestedStackTemplate>,
}

/// Returns the values of the template's `NoEcho` parameters, both passed values and defaults.
pub fn secrets(template: &Template, parameter_values: &ParameterValues) -> Secrets {
    let hidden = template
        .parameters
        .iter()
        .filter(|parameter| parameter.no_echo);
    Secrets::new(
        hidden.filter_map(|parameter| match parameter_values.get(&parameter.key) {
            Some(given) => given.value.as_text(),
            None => parameter.default_text(),
        }),
    )
}

/// An entry of the `Parameters` section
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>).
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateParameter {
    /// The parameter's name.
    pub key: String,
    /// `Type` as written: `String`, `List<AWS::EC2::Subnet::Id>`,
    /// `AWS::SSM::Parameter::Value<String>`.
    pub kind: String,
    /// The default; also absent if it is null.
    pub default: Option<Node>,
    /// Whether `NoEcho` is true.
    pub no_echo: bool,
    /// `AllowedValues` as strings, converted like CloudFormation does: `true` for `Yes`.
    pub allowed_values: Vec<String>,
    /// Position of the key.
    pub at: Position,
}

/// An `AWS::CloudFormation::Stack` and the local file that its `TemplateURL` points to. If the URL
/// depends on a condition, there is one for each file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NestedStackTemplate {
    /// The logical ID of the nested stack.
    pub logical_id: String,
    /// Position of the `TemplateURL`.
    pub at: Position,
    /// [`Template::relative`] of the nested template.
    pub template: String,
    /// Whether the URL names a bucket: most likely somebody else's, where another template may have
    /// the same name. Like TaskCat, this counts the file among the project's nested templates, but
    /// doesn't assume that the stack uses it.
    pub names_its_bucket: bool,
}

impl TemplateParameter {
    /// Returns the default as a string, converted like CloudFormation does: `true` for `Yes`, `8`
    /// for `010`; a list's items joined with commas.
    pub fn default_text(&self) -> Option<String> {
        self.default
            .as_ref()
            .map(|default| texts_of(default).join(","))
    }

    /// Returns the items of the default as strings; one item if it isn't a list.
    pub fn default_texts(&self) -> Vec<String> {
        self.default.as_ref().map(texts_of).unwrap_or_default()
    }
}

fn texts_of(node: &Node) -> Vec<String> {
    node.as_sequence().map_or_else(
        || vec![value::text_of(node)],
        |items| items.iter().map(value::text_of).collect(),
    )
}

impl NestedStackTemplate {
    /// Returns whether the nested stack with that name, possibly created by a loop, uses this
    /// template.
    pub fn is(&self, logical_id: &str) -> bool {
        !self.names_its_bucket && macros::can_become(&self.logical_id, logical_id)
    }

    /// Returns whether an evaluated `TemplateURL` may point here: a known one ends with the file's
    /// name.
    pub fn fits(&self, url: &Value) -> bool {
        let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
        url.as_text().is_none_or(|url| {
            name(url.split(['?', '#']).next().unwrap_or_default()) == name(&self.template)
        })
    }
}

impl Template {
    /// Parses a template without its [`Template::children`] and returns everything that is wrong
    /// with it. There is an error exactly if there is no template.
    pub fn parse(
        file: &Arc<Path>,
        relative: String,
        text: &str,
    ) -> (Option<Self>, Vec<Diagnostic>) {
        sections::parse(file, relative, text)
    }

    /// Returns a parameter's declaration as written.
    pub fn declaration(&self, parameter: &TemplateParameter) -> Option<&Node> {
        self.root.get("Parameters")?.get(&parameter.key)
    }

    /// Returns the location of a position in the template's file.
    pub fn location(&self, at: Position) -> Location {
        Location {
            file: self.file.clone(),
            at,
        }
    }
}

#[cfg(test)]
pub(crate) mod corpus;
