//! The environment of a template: values that only AWS knows, and the templates of nested stacks.

use super::super::Template;
use super::super::assumption::Assumption;
use super::super::value::{Unknown, UnknownForm, Value};
use super::dynamic_references::StoredReference;
use crate::yaml::Node;

/// Provides what the template itself doesn't contain. An error is the failure's message in
/// CloudFormation's words.
///
/// The default methods return unknown values, as offline.
pub trait EvaluationEnvironment {
    /// Returns whether values of `NoEcho` parameters are replaced by `****` everywhere except in
    /// conditions, for display.
    fn hides_secrets(&self) -> bool {
        false
    }

    /// Records something that must hold for the stack to be launched and that isn't known here.
    fn assume(&self, _assumption: Assumption) {}

    /// Returns whether a parameter's value is a placeholder for an unknown one, so that constraints
    /// don't apply to it.
    fn is_made_up(&self, _parameter: &str) -> bool {
        false
    }

    /// Returns the value of `Ref` for a resource.
    fn physical_id(&self, logical_id: &str) -> Result<Value, String> {
        Ok(Unknown::launched(format!("physical ID of {logical_id}")).into())
    }

    /// Returns the value of `Fn::GetAtt`, except for outputs of nested stacks with a known
    /// template.
    fn attribute(&self, logical_id: &str, attribute: &str) -> Result<Value, String> {
        Ok(match attribute.strip_prefix("Outputs.") {
            Some(output) => {
                Unknown::launched(format!("output {output} of nested stack {logical_id}")).into()
            }
            None => Unknown::launched(format!("attribute {attribute} of {logical_id}")).into(),
        })
    }

    /// Returns the value of `Fn::GetAZs`: a list of names.
    fn availability_zones(&self, region: &str) -> Result<Value, String> {
        Ok(unknown_zones(region))
    }

    /// Returns the value of `Fn::ImportValue`.
    fn export(&self, name: &str) -> Result<Value, String> {
        self.assume(Assumption::Export {
            name: name.to_owned(),
        });
        Ok(Unknown::asked(format!("export {name}")).into())
    }

    /// Returns the value of `Fn::GetStackOutput` for a stack's name or ARN, in another region if
    /// one is given.
    fn stack_output(
        &self,
        stack: &str,
        output: &str,
        region: Option<&str>,
    ) -> Result<Value, String> {
        self.assume(Assumption::StackOutput {
            stack: stack.to_owned(),
            output: output.to_owned(),
            region: region.map(str::to_owned),
        });
        Ok(Unknown::asked(format!("output {output} of stack {stack}")).into())
    }

    /// Returns the value of an SSM parameter that a template's parameter of type
    /// `AWS::SSM::Parameter::Value<…>` names; a list if the type is one.
    fn ssm_parameter(&self, name: &str, _is_list: bool) -> Result<Value, String> {
        self.assume(Assumption::SsmParameter {
            name: name.to_owned(),
        });
        Ok(Unknown::asked(format!("SSM parameter {name}"))
            .non_empty()
            .into())
    }

    /// Returns whether a thing of a parameter's type (`AWS::EC2::KeyPair::KeyName`) exists; `None`
    /// if that isn't known.
    fn exists(&self, _parameter_type: &str, _value: &str) -> Option<bool> {
        None
    }

    /// Returns the value of a dynamic reference `{{resolve:service:reference}}`, passed with its
    /// braces.
    fn dynamic_reference(&self, reference: &str) -> Result<Value, String> {
        if let Some(assumption) = StoredReference::of(reference).map(StoredReference::assumption) {
            self.assume(assumption);
        }
        Ok(Unknown::asked(format!("dynamic reference {reference}")).into())
    }

    /// Returns the snippet that `AWS::Include` inserts from an S3 location, as parsed, since
    /// CloudFormation refuses short forms in it. `None` if it isn't known.
    fn included(&self, _location: &str) -> Result<Option<Node>, String> {
        Ok(None)
    }

    /// Returns the template of a nested stack by its evaluated `TemplateURL`.
    fn nested<'w>(
        &'w self,
        parent: &'w Template,
        logical_id: &str,
        url: &Value,
    ) -> NestedTemplate<'w>;
}

/// Returns the unknown list of a region's Availability Zones.
pub fn unknown_zones(region: &str) -> Value {
    Unknown::asked(format!("availability zones of {region}"))
        .with_form(UnknownForm::Zones(region.to_owned()))
        .into()
}

/// The template that a `TemplateURL` points to.
#[derive(Clone, Debug)]
pub enum NestedTemplate<'w> {
    /// The template that will be launched.
    Template(&'w Template),
    /// No template that CloudFormation accepts.
    Missing {
        /// CloudFormation's message.
        message: String,
        /// The project's template that is most likely meant.
        likely: Option<&'w Template>,
    },
    /// Not known; possibly one of the project's templates or a version of it.
    Unknown {
        /// Why it isn't known.
        unknown: Unknown,
        /// The project's template that it most likely is.
        likely: Option<&'w Template>,
    },
}

/// An environment without AWS. Nested stacks use the project's templates that their `TemplateURL`s
/// point to.
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

/// An [`OfflineEnvironment`] that hides secrets, for display.
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
