//! What lies outside of a template: values that only AWS knows, and the templates of nested stacks.

use super::super::Template;
use super::super::value::{Unknown, Value};
use crate::yaml::Node;

/// Answers what the template itself can't. An error is the failure's message, in CloudFormation's
/// words.
///
/// What isn't overridden is unknown, as it is offline.
pub trait EvaluationEnvironment {
    /// Whether what parameters with `NoEcho` are is `****`, to everything but conditions: for what
    /// is shown.
    fn hides_secrets(&self) -> bool {
        false
    }

    /// Told of each thing that AWS must have for the stack to be launched, and that isn't known
    /// here.
    fn needs(&self, unknown: Unknown) -> Unknown {
        unknown
    }

    /// Whether a parameter's value only stands in for one that nobody knows, so that no constraint
    /// holds of it.
    fn is_made_up(&self, _parameter: &str) -> bool {
        false
    }

    /// What `Ref` gives for a resource.
    fn physical_id(&self, logical_id: &str) -> Result<Value, String> {
        Ok(Unknown::launched(format!("physical ID of {logical_id}")).into())
    }

    /// What `Fn::GetAtt` gives, but for outputs of nested stacks whose template is known.
    fn attribute(&self, logical_id: &str, attribute: &str) -> Result<Value, String> {
        Ok(match attribute.strip_prefix("Outputs.") {
            Some(output) => {
                Unknown::launched(format!("output {output} of nested stack {logical_id}")).into()
            }
            None => Unknown::launched(format!("attribute {attribute} of {logical_id}")).into(),
        })
    }

    /// `Fn::GetAZs`: a list of names.
    fn availability_zones(&self, region: &str) -> Result<Value, String> {
        Ok(Unknown::asked(format!("availability zones of {region}")).into())
    }

    /// `Fn::ImportValue`
    fn export(&self, name: &str) -> Result<Value, String> {
        Ok(self.needs(Unknown::asked(format!("export {name}"))).into())
    }

    /// `Fn::GetStackOutput`: of a stack's name or ARN, in a region of its own if one is named.
    fn stack_output(
        &self,
        stack: &str,
        output: &str,
        _region: Option<&str>,
    ) -> Result<Value, String> {
        Ok(self
            .needs(Unknown::asked(format!("output {output} of stack {stack}")))
            .into())
    }

    /// The value of an SSM parameter that a template's parameter of type
    /// `AWS::SSM::Parameter::Value<…>` names, of a list of values or of one.
    fn ssm_parameter(&self, name: &str, _is_list: bool) -> Result<Value, String> {
        Ok(self
            .needs(Unknown::asked(format!("SSM parameter {name}")))
            .into())
    }

    /// Whether there is a thing of a parameter's type (`AWS::EC2::KeyPair::KeyName`); none where
    /// that isn't known.
    fn exists(&self, _parameter_type: &str, _value: &str) -> Option<bool> {
        None
    }

    /// `{{resolve:service:reference}}`, with its braces.
    fn dynamic_reference(&self, reference: &str) -> Result<Value, String> {
        Ok(self
            .needs(Unknown::asked(format!("dynamic reference {reference}")))
            .into())
    }

    /// What `AWS::Include` puts in: the tree of the file at an S3 location, as it is read, since
    /// CloudFormation refuses short forms in it. None where it isn't known.
    fn included(&self, _location: &str) -> Result<Option<Node>, String> {
        Ok(None)
    }

    /// The template of a nested stack, by its evaluated `TemplateURL`.
    fn nested<'w>(
        &'w self,
        parent: &'w Template,
        logical_id: &str,
        url: &Value,
    ) -> NestedTemplate<'w>;
}

/// What a `TemplateURL` leads to.
#[derive(Clone, Debug)]
pub enum NestedTemplate<'w> {
    /// This template will be launched.
    Template(&'w Template),
    /// Nothing: the message says so.
    Missing(String),
    /// It can't be known; one of the project's templates may be the one, or a version of it.
    Unknown {
        unknown: Unknown,
        likely: Option<&'w Template>,
    },
}

/// Nobody is asked. Nested stacks are those of the project to which the `TemplateURL`s lead.
#[derive(Clone, Copy, Debug)]
pub struct OfflineEnvironment<'t>(pub &'t super::super::Templates);

impl EvaluationEnvironment for OfflineEnvironment<'_> {
    fn nested<'w>(
        &'w self,
        parent: &'w Template,
        logical_id: &str,
        url: &Value,
    ) -> NestedTemplate<'w> {
        let mut children = parent
            .children
            .iter()
            .filter(|child| child.is(logical_id) && child.fits(url));
        let child = children
            .next()
            .and_then(|child| self.0.get(&child.template));
        match (child, children.next()) {
            (Some(child), None) => NestedTemplate::Template(child),
            (likely, _) => NestedTemplate::Unknown {
                unknown: Unknown::asked(format!("template of nested stack {logical_id}")),
                likely,
            },
        }
    }
}

/// [`OfflineEnvironment`] for what is shown.
#[derive(Clone, Copy, Debug)]
pub struct HidingSecrets<'t>(pub OfflineEnvironment<'t>);

impl EvaluationEnvironment for HidingSecrets<'_> {
    fn hides_secrets(&self) -> bool {
        true
    }

    fn nested<'w>(
        &'w self,
        parent: &'w Template,
        logical_id: &str,
        url: &Value,
    ) -> NestedTemplate<'w> {
        self.0.nested(parent, logical_id, url)
    }
}
