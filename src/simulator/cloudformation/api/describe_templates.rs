//! Templates as they were sent, and their parameters and requirements.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use uuid::Uuid;

use super::elements::members;
use super::lookup::{find_change_set, visible_stack};
use crate::catalog;
use crate::simulator::Caller;
use crate::simulator::cloudformation::engine::Engine;
use crate::simulator::cloudformation::error::{XmlResult, invalid};
use crate::simulator::cloudformation::evaluation::revision::{self, required_capabilities};
use crate::simulator::cloudformation::evaluation::world::Visibility;
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::cloudformation::state::parsed_template::{ParsedTemplate, TemplateCache};
use crate::simulator::error::ServiceError;
use crate::simulator::xml::XmlWriter;
use crate::template::{self, OfflineEnvironment, ParameterValues, StackEnvironment, Templates};
use crate::yaml::Node;

/// Carries out `GetTemplate`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplate.html>
pub(super) fn get_template(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let stack_name = request.text("StackName").filter(|name| !name.is_empty());
    let (number, revision) = match (request.text("ChangeSetName"), stack_name) {
        (Some(name), None) if !name.starts_with("arn:") => {
            return Err(invalid("StackName is a required parameter."));
        }
        (Some(_), _) => {
            let (number, id) = find_change_set(engine, request)?;
            let change_set = &engine.state.stack(number).change_sets[&id];
            let Some(accepted) = &change_set.accepted else {
                return Ok(template_result(Some(&change_set.source.text)));
            };
            (number, Some(&accepted.revision))
        }
        (None, Some(name)) => {
            let number = visible_stack(engine, request, name)?;
            (number, engine.state.stack(number).revision.as_ref())
        }
        (None, None) => {
            return Err(invalid(
                "StackName is required if ChangeSetName is not specified.",
            ));
        }
    };
    // The template of a stack in review belongs to its change set.
    let Some(revision) = revision else {
        return Ok(template_result(None));
    };
    let processed = match request.text("TemplateStage") {
        Some("Original") => None,
        _ => revision::with_evaluator(
            engine.cloud,
            engine.state,
            number,
            revision,
            Visibility::default(),
            |it| it.processed(),
        ),
    };
    let body = processed.map(|json| json.to_string());
    Ok(template_result(
        body.as_deref().or(Some(&revision.source.text)),
    ))
}

fn template_result(body: Option<&str>) -> String {
    let mut xml = XmlWriter::new();
    xml.optional("TemplateBody", body);
    members(&mut xml, "StagesAvailable", ["Original", "Processed"]);
    xml.finish()
}

/// Carries out `ValidateTemplate`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ValidateTemplate.html>
pub(super) fn validate_template(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let source = sent_template(engine, request)?
        .ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
    let stack = evaluate_with_defaults(&source, request.caller);
    let is_of_template = |message: &str| {
        !message.starts_with("Parameter") && !message.contains("Unable to get mapping")
    };
    if let Some(failure) = stack
        .failures
        .iter()
        .find(|failure| is_of_template(&failure.message))
    {
        return Err(invalid(failure.message.clone()));
    }
    let mut xml = XmlWriter::new();
    write_parameters(&mut xml, &source, false);
    write_requirements(&mut xml, &source, &stack);
    Ok(xml.finish())
}

/// Carries out `GetTemplateSummary`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplateSummary.html>
pub(super) fn get_template_summary(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let source = match (sent_template(engine, request)?, request.text("StackName")) {
        (Some(source), _) => source,
        (None, Some(name)) => stack_template(engine, request, name)?,
        (None, None) => {
            return Err(invalid(
                "Either Template URL, Template Body or Stack Name must be specified.",
            ));
        }
    };
    let stack = evaluate_with_defaults(&source, request.caller);
    let root = &source.template.root;
    if let Some(failure) = stack
        .failures
        .iter()
        .find(|failure| failure.message.starts_with("Template format error"))
    {
        return Err(invalid(failure.message.clone()));
    }
    let mut xml = XmlWriter::new();
    write_parameters(&mut xml, &source, true);
    write_requirements(&mut xml, &source, &stack);
    let declared = root.get("Resources").map_or(&[][..], Node::entries);
    let mut by_type: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, entry) in declared {
        if let Some(kind) = entry.get("Type") {
            by_type.entry(&kind.text).or_default().push(&id.text);
        }
    }
    members(&mut xml, "ResourceTypes", by_type.keys());
    xml.optional(
        "Version",
        root.get("AWSTemplateFormatVersion")
            .map(|version| &version.text),
    );
    xml.optional(
        "Metadata",
        root.get("Metadata").map(|metadata| metadata.to_json()),
    );
    xml.element("ResourceIdentifierSummaries", |xml| {
        for (kind, ids) in &by_type {
            xml.element("member", |xml| {
                xml.text("ResourceType", kind);
                members(xml, "LogicalResourceIds", ids);
                let identifiers = identifiers(kind);
                if !identifiers.is_empty() {
                    members(xml, "ResourceIdentifiers", identifiers);
                }
            });
        }
    });
    Ok(xml.finish())
}

/// Carries out `EstimateTemplateCost`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_EstimateTemplateCost.html>
pub(super) fn estimate_template_cost(engine: &Engine, request: &QueryRequest) -> XmlResult {
    sent_template(engine, request)?
        .ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
    let mut xml = XmlWriter::new();
    xml.text(
        "Url",
        format!(
            "https://calculator.aws/#/estimate?id={}",
            Uuid::new_v4().simple()
        ),
    );
    Ok(xml.finish())
}

/// Returns the properties that identify a resource of the type when it is imported into a stack.
fn identifiers(kind: &str) -> Vec<&'static str> {
    // AWS was recorded to list none, though the type's schema has one.
    const NONE: [&str; 1] = ["AWS::SNS::Topic"];
    match catalog::resource_type(kind) {
        Some(known) if !NONE.contains(&kind) => known.primary_identifier,
        _ => Vec::new(),
    }
}

fn stack_template(
    engine: &Engine,
    request: &QueryRequest,
    name: &str,
) -> Result<Arc<ParsedTemplate>, ServiceError> {
    let stack = engine.state.stack(visible_stack(engine, request, name)?);
    let none = || invalid("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.");
    stack
        .revision
        .as_ref()
        .map(|revision| revision.source.clone())
        .ok_or_else(none)
}

fn sent_template(
    engine: &Engine,
    request: &QueryRequest,
) -> Result<Option<Arc<ParsedTemplate>>, ServiceError> {
    let text = request.template(engine.cloud)?;
    // Templates that are only validated aren't cached.
    text.map(|text| TemplateCache::default().read(&text))
        .transpose()
}

/// Evaluates a template with the default values of its parameters.
fn evaluate_with_defaults(source: &ParsedTemplate, caller: &Caller) -> template::EvaluatedStack {
    let partition = catalog::partition_of(&caller.region);
    let environment = StackEnvironment::new(&caller.region, partition.name, partition.dns_suffix);
    let parameter_values: ParameterValues = IndexMap::new();
    template::evaluate(
        &source.template,
        &environment,
        &parameter_values,
        &OfflineEnvironment(&Templates::default()),
    )
}

fn write_parameters(xml: &mut XmlWriter, source: &ParsedTemplate, in_full: bool) {
    let declared = source.template.root.get("Parameters");
    xml.element("Parameters", |xml| {
        for parameter in &source.template.parameters {
            let member = |name: &str| Some(&*declared?.get(&parameter.key)?.get(name)?.text);
            xml.element("member", |xml| {
                xml.text("ParameterKey", &parameter.key)
                    .optional("DefaultValue", parameter.default_text());
                if in_full {
                    xml.text("ParameterType", &parameter.kind);
                }
                xml.text("NoEcho", parameter.no_echo)
                    .optional("Description", member("Description"));
                if in_full {
                    xml.element("ParameterConstraints", |xml| {
                        if !parameter.allowed_values.is_empty() {
                            members(xml, "AllowedValues", &parameter.allowed_values);
                        }
                    });
                }
            });
        }
    });
}

fn write_requirements(
    xml: &mut XmlWriter,
    source: &ParsedTemplate,
    stack: &template::EvaluatedStack,
) {
    xml.optional(
        "Description",
        source
            .template
            .root
            .get("Description")
            .map(|description| &description.text),
    );
    let required = required_capabilities(stack, &source.template);
    let kinds = stack
        .resources
        .values()
        .map(|resource| resource.kind.as_str())
        .filter(|kind| kind.starts_with("AWS::IAM::"));
    let mut kinds: Vec<&str> = kinds.collect();
    kinds.sort_unstable();
    kinds.dedup();
    if !required.is_empty() {
        let because = format!(
            "The following resource(s) require capabilities: [{}]",
            kinds.join(", ")
        );
        xml.optional("CapabilitiesReason", (!kinds.is_empty()).then_some(because));
        members(xml, "Capabilities", required);
    }
    let transforms = source.template.root.get("Transform");
    let calls = transforms.map(|it| {
        it.as_sequence()
            .map_or_else(|| vec![it], |items| items.iter().collect())
    });
    let name = |call: &Node| {
        if call.is_scalar() {
            Some(call.text.to_string())
        } else {
            Some(call.get("Name")?.text.to_string())
        }
    };
    let names: Vec<String> = calls.into_iter().flatten().filter_map(name).collect();
    if !names.is_empty() {
        members(xml, "DeclaredTransforms", names);
    }
}
