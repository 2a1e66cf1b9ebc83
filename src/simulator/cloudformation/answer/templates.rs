//! Templates: as they were sent, and what they ask for.

use std::sync::Arc;

use indexmap::IndexMap;

use super::super::engine::Engine;
use super::super::request::Request;
use super::super::revision::required_capabilities;
use super::super::source::Source;
use super::super::{Answer, ServiceError, invalid};
use super::{members, seen};
use crate::catalog;
use crate::simulator::Caller;
use crate::simulator::xml::Xml;
use crate::template::{self, Givens, Offline, Place, Templates};
use crate::yaml::Node;

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplate.html>
pub fn get_template(engine: &Engine, request: &Request) -> Answer {
    let source = match request.text("ChangeSetName") {
        Some(_) => {
            let (number, id) = super::super::change_set::find(engine, request)?;
            Some(engine.state.stack(number).change_sets[&id].source.clone())
        }
        None => {
            let name = request.required("StackName")?;
            match in_review(engine, request, name) {
                true => None,
                false => Some(of_stack(engine, request, name)?),
            }
        }
    };
    let mut xml = Xml::new();
    xml.optional("TemplateBody", source.map(|source| source.text.clone()));
    members(&mut xml, "StagesAvailable", ["Original", "Processed"]);
    Ok(xml.finish())
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ValidateTemplate.html>
pub fn validate_template(engine: &Engine, request: &Request) -> Answer {
    let source =
        sent(engine, request)?.ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
    let stack = evaluated(&source, request.caller);
    let is_of_template =
        |message: &str| !message.starts_with("Parameter") && !message.contains("Unable to get mapping");
    if let Some(failure) = stack.failures.iter().find(|failure| is_of_template(&failure.message)) {
        return Err(invalid(failure.message.clone()));
    }
    let mut xml = Xml::new();
    parameters(&mut xml, &source, false);
    about(&mut xml, &source, &stack);
    Ok(xml.finish())
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplateSummary.html>
pub fn get_template_summary(engine: &Engine, request: &Request) -> Answer {
    let source = match (sent(engine, request)?, request.text("StackName")) {
        (Some(source), _) => source,
        (None, Some(name)) if in_review(engine, request, name) => {
            return Err(invalid("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks."));
        }
        (None, Some(name)) => of_stack(engine, request, name)?,
        (None, None) => return Err(invalid("Either Template URL, Template Body or Stack Name must be specified.")),
    };
    let stack = evaluated(&source, request.caller);
    let mut xml = Xml::new();
    parameters(&mut xml, &source, true);
    about(&mut xml, &source, &stack);
    let declared = source.template.root.get("Resources").map_or(&[][..], Node::entries);
    let mut kinds: Vec<&str> = declared.iter().filter_map(|(_, entry)| Some(&*entry.get("Type")?.text)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    members(&mut xml, "ResourceTypes", kinds);
    xml.optional("Version", source.template.root.get("AWSTemplateFormatVersion").map(|version| &version.text));
    Ok(xml.finish())
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_EstimateTemplateCost.html>
pub fn estimate_template_cost(engine: &Engine, request: &Request) -> Answer {
    sent(engine, request)?.ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
    let mut xml = Xml::new();
    xml.text("Url", format!("https://calculator.aws/#/estimate?id={}", uuid::Uuid::new_v4().simple()));
    Ok(xml.finish())
}

/// A stack in review has no template yet: its change sets have.
fn in_review(engine: &Engine, request: &Request, name: &str) -> bool {
    seen(engine, request, name).is_ok_and(|number| engine.state.stack(number).status == "REVIEW_IN_PROGRESS")
}

fn of_stack(engine: &Engine, request: &Request, name: &str) -> Result<Arc<Source>, ServiceError> {
    let stack = engine.state.stack(seen(engine, request, name)?);
    let none = || invalid(format!("Stack with id {name} does not exist"));
    stack.revision.as_ref().map(|revision| revision.source.clone()).ok_or_else(none)
}

fn sent(engine: &Engine, request: &Request) -> Result<Option<Arc<Source>>, ServiceError> {
    let text = request.template(engine.cloud)?;
    // Nothing is kept of a template that only is looked at.
    text.map(|text| super::super::source::Sources::default().read(&text)).transpose()
}

/// With nothing known but the defaults.
fn evaluated(source: &Source, caller: &Caller) -> template::Stack {
    let partition = catalog::partition_of(&caller.region);
    let place = Place::new(&caller.region, partition.name, partition.dns_suffix);
    let givens: Givens = IndexMap::new();
    template::evaluate(&source.template, &place, &givens, &Offline(&Templates::default()))
}

fn parameters(xml: &mut Xml, source: &Source, in_full: bool) {
    let declared = source.template.root.get("Parameters");
    xml.element("Parameters", |xml| {
        for parameter in &source.template.parameters {
            let member = |name: &str| Some(&*declared?.get(&parameter.key)?.get(name)?.text);
            xml.element("member", |xml| {
                xml.text("ParameterKey", &parameter.key).optional("DefaultValue", parameter.default_text());
                if in_full {
                    xml.text("ParameterType", &parameter.kind);
                }
                xml.text("NoEcho", parameter.no_echo).optional("Description", member("Description"));
                if in_full && !parameter.allowed_values.is_empty() {
                    xml.element("ParameterConstraints", |xml| members(xml, "AllowedValues", &parameter.allowed_values));
                }
            });
        }
    });
}

fn about(xml: &mut Xml, source: &Source, stack: &template::Stack) {
    xml.optional("Description", source.template.root.get("Description").map(|description| &description.text));
    let required = required_capabilities(stack, &source.template);
    let kinds =
        stack.resources.values().map(|resource| resource.kind.as_str()).filter(|kind| kind.starts_with("AWS::IAM::"));
    let mut kinds: Vec<&str> = kinds.collect();
    kinds.sort_unstable();
    kinds.dedup();
    if !required.is_empty() {
        let because = format!("The following resource(s) require capabilities: [{}]", kinds.join(", "));
        xml.optional("CapabilitiesReason", (!kinds.is_empty()).then_some(because));
    }
    members(xml, "Capabilities", required);
    let transforms = source.template.root.get("Transform");
    let names = transforms.map(|it| it.as_sequence().map_or_else(|| vec![it], |items| items.iter().collect()));
    members(
        xml,
        "DeclaredTransforms",
        names.into_iter().flatten().filter(|it| it.is_scalar()).map(|it| it.text.to_string()),
    );
}
