//! The CloudFormation language, as far as a template can be known without AWS.
//!
//! [`Templates`] reads the templates of a project, each file once, with the nested ones that lie in
//! it; a [`Template`] is the tree with what its sections declare. Everything that is found wrong is
//! a diagnostic with its place. Pure but for reading the project's files. `plan` takes parameters
//! from here, `lint` the list of files.
//!
//! - `expression`: the intrinsic functions' names and the shapes of their arguments
//! - `substitution`: texts with `${…}` in them
//! - `long_form`: short tags become the functions that they stand for, so that nothing else needs
//!   to know two forms
//! - `sections`: a file's tree to a [`Template`]
//! - `url`: what a nested stack's `TemplateURL` can evaluate to
//! - `project`: files, and which template nests which
//! - `rendered`: what a template comes to, as CloudFormation sees it; `secrets` keeps what must not
//!   be shown out of it
//! - `transform`: what rewrites a template before it is evaluated: macros, includes, loops
//! - `graph`: what depends on what, circles, and names that lead nowhere
//! - `limits`: what is refused of a template as it stands, whatever its values

mod evaluate;
mod expression;
mod graph;
mod limits;
mod long_form;
mod macros;
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

pub use evaluate::{
    ConditionValue, EvaluatedOutput, EvaluatedResource, EvaluatedStack, EvaluationEnvironment,
    Evaluator, HidingSecrets, NestedTemplate, OfflineEnvironment, ParameterValue, ParameterValues,
    StackEnvironment, UndecidedFailure,
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
pub use value::{Failure, FailureNote, KnownWhen, NestingStack, Unknown, UnknownReason, Value};

/// A template of the project.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// As messages name it.
    pub file: Arc<Path>,
    /// Relative to the project root, with `/`: the key under which it is staged, without the
    /// project's name.
    pub relative: String,
    /// In long form: `!Ref X` is `{"Ref": "X"}`, `!Sub …` is `{"Fn::Sub": …}`, each at the place of
    /// its value.
    pub root: Node,
    /// In the order of the file.
    pub parameters: Vec<TemplateParameter>,
    /// Nested stacks whose template lies in the project.
    pub children: Vec<NestedStackTemplate>,
}

/// Returns the values of the template's `NoEcho` parameters, given ones and defaults.
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
    pub key: String,
    /// `Type` as written: `String`, `List<AWS::EC2::Subnet::Id>`,
    /// `AWS::SSM::Parameter::Value<String>`.
    pub kind: String,
    /// Absent also where it is null.
    pub default: Option<Node>,
    pub no_echo: bool,
    /// `AllowedValues`, as CloudFormation makes text of them: `true` of `Yes`.
    pub allowed_values: Vec<String>,
    /// Of the key.
    pub at: Position,
}

/// An `AWS::CloudFormation::Stack` and the local file that its `TemplateURL` leads to. Where the
/// URL depends on a condition, there is one for each file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NestedStackTemplate {
    pub logical_id: String,
    /// Of the `TemplateURL`.
    pub at: Position,
    /// [`Template::relative`] of the nested template.
    pub template: String,
    /// The URL has its bucket written out: in all likelihood somebody else's, where another
    /// template may have the same name. As TaskCat does, the file is counted among the project's
    /// nested templates, but no stack is taken to be made of it.
    pub names_its_bucket: bool,
}

impl TemplateParameter {
    /// The default as CloudFormation makes text of it: `true` of `Yes`, `8` of `010`; a list's
    /// items with commas between them.
    pub fn default_text(&self) -> Option<String> {
        self.default
            .as_ref()
            .map(|default| texts_of(default).join(","))
    }

    /// The texts of the default's items; one where it is no list.
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
    /// Whether it is what the nested stack of that name, which a loop may have made, is made of.
    pub fn is(&self, logical_id: &str) -> bool {
        !self.names_its_bucket && macros::can_become(&self.logical_id, logical_id)
    }

    /// Whether an evaluated `TemplateURL` may lead here: a known one ends with the file's name.
    pub fn fits(&self, url: &Value) -> bool {
        let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
        url.as_text().is_none_or(|url| {
            name(url.split(['?', '#']).next().unwrap_or_default()) == name(&self.template)
        })
    }
}

impl Template {
    /// The template in a text, without its [`Template::children`], and all that is wrong with it:
    /// at least one error exactly where there is no template.
    pub fn parse(
        file: &Arc<Path>,
        relative: String,
        text: &str,
    ) -> (Option<Self>, Vec<Diagnostic>) {
        sections::parse(file, relative, text)
    }

    /// A parameter's entry, as it is written.
    pub fn declaration(&self, parameter: &TemplateParameter) -> Option<&Node> {
        self.root.get("Parameters")?.get(&parameter.key)
    }

    pub fn location(&self, at: Position) -> Location {
        Location {
            file: self.file.clone(),
            at,
        }
    }
}

#[cfg(test)]
pub(crate) mod corpus;
