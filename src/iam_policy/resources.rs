//! What CloudFormation calls for the resources of templates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{PolicyPurpose, PolicyRequest, UncoveredType, statement};
use crate::catalog::{self, HandlerPermissions};
use crate::template::{Template, is_custom_resource};
use crate::yaml::Node;

const PASS_ROLE: &str = "iam:PassRole";

/// Types that CloudFormation handles itself, without permissions.
const WITHOUT_PERMISSIONS: [&str; 3] = [
    "AWS::CDK::Metadata",
    "AWS::CloudFormation::WaitCondition",
    "AWS::CloudFormation::WaitConditionHandle",
];

/// What AWS::Serverless makes of its types.
/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-generated-resources.html>
const SERVERLESS: [(&str, &[&str]); 7] = [
    (
        "AWS::Serverless::Function",
        &[
            "AWS::Lambda::Function",
            "AWS::Lambda::Permission",
            "AWS::IAM::Role",
        ],
    ),
    (
        "AWS::Serverless::Api",
        &[
            "AWS::ApiGateway::RestApi",
            "AWS::ApiGateway::Deployment",
            "AWS::ApiGateway::Stage",
        ],
    ),
    (
        "AWS::Serverless::HttpApi",
        &["AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"],
    ),
    ("AWS::Serverless::SimpleTable", &["AWS::DynamoDB::Table"]),
    (
        "AWS::Serverless::LayerVersion",
        &["AWS::Lambda::LayerVersion"],
    ),
    (
        "AWS::Serverless::StateMachine",
        &["AWS::StepFunctions::StateMachine", "AWS::IAM::Role"],
    ),
    (
        "AWS::Serverless::Application",
        &["AWS::CloudFormation::Stack"],
    ),
];

/// Services to which a type's handlers pass roles, where it isn't the one of its name.
const PASSED_TO: [(&str, &[&str]); 8] = [
    ("AWS::ApplicationAutoScaling", &["application-autoscaling"]),
    ("AWS::Batch", &["batch", "ecs-tasks"]),
    ("AWS::EC2", &["ec2", "vpc-flow-logs"]),
    ("AWS::ECS", &["ecs", "ecs-tasks"]),
    ("AWS::EKS", &["eks", "ec2", "pods.eks"]),
    ("AWS::KinesisFirehose", &["firehose"]),
    ("AWS::RDS", &["rds", "monitoring.rds"]),
    ("AWS::StepFunctions", &["states"]),
];

/// Returns the statements for all resources. Adds the types without permissions.
pub(super) fn statements(
    request: &PolicyRequest,
    uncovered: &mut Vec<UncoveredType>,
) -> Vec<Value> {
    let types = types(request, uncovered);
    let mut statements = Vec::new();
    let mut taken: BTreeSet<&str> = BTreeSet::from([PASS_ROLE]);
    for (sid, handler) in handlers(request) {
        let actions: BTreeSet<&str> = types.values().flat_map(handler).collect();
        let new: Vec<&str> = actions.into_iter().filter(|it| taken.insert(it)).collect();
        if !new.is_empty() {
            statements.push(statement(sid, new, &[]));
        }
    }
    statements.extend(pass_roles(request, &types));
    if !request.roles.is_empty() {
        let roles: Vec<String> = request.roles.iter().cloned().collect();
        let mut passed = statement("PassServiceRoles", [PASS_ROLE], &roles);
        passed["Condition"] = passed_to(["cloudformation.amazonaws.com".to_owned()]);
        statements.push(passed);
    }
    if request.purpose != PolicyPurpose::Cleanup
        && request
            .templates
            .iter()
            .any(|it| it.root.get("Transform").is_some())
    {
        let macros = request.arns(":cloudformation:*:*:transform/*");
        let actions = ["cloudformation:CreateChangeSet"];
        statements.push(statement("ExpandTransforms", actions, &macros));
    }
    if resources(request).any(|(_, _, name)| is_custom_resource(name)) {
        let functions = request.arns(":lambda:*:*:function:*");
        let actions = ["lambda:InvokeFunction"];
        statements.push(statement("InvokeCustomResources", actions, &functions));
    }
    statements
}

type Handler = fn(&HandlerPermissions) -> Vec<&'static str>;

fn handlers(request: &PolicyRequest) -> Vec<(&'static str, Handler)> {
    let read: (_, Handler) = ("ReadResources", |it| it.read.clone());
    let create: (_, Handler) = ("CreateResources", |it| it.create.clone());
    let update: (_, Handler) = ("UpdateResources", |it| it.update.clone());
    let delete: (_, Handler) = ("DeleteResources", |it| it.delete.clone());
    match request.purpose {
        PolicyPurpose::Test if request.has_updates => vec![read, create, update, delete],
        PolicyPurpose::Test => vec![read, create, delete],
        PolicyPurpose::Deploy => vec![read, create, update, delete],
        PolicyPurpose::Cleanup => vec![read, delete],
    }
}

/// Returns every resource with its template, and the name of its type.
fn resources<'t>(
    request: &PolicyRequest<'t>,
) -> impl Iterator<Item = (&'t Template, &'t Node, &'t str)> {
    let templates: Vec<&Template> = request.templates.clone();
    templates.into_iter().flat_map(|template| {
        let resources = template.root.get("Resources").map(Node::entries);
        let resources = resources.unwrap_or_default().iter();
        resources.filter_map(move |(_, resource)| {
            let kind = resource.get("Type")?;
            Some((template, kind, kind.as_str()?))
        })
    })
}

/// Returns the permissions of all types.
fn types(
    request: &PolicyRequest,
    uncovered: &mut Vec<UncoveredType>,
) -> BTreeMap<String, HandlerPermissions> {
    let mut types = BTreeMap::new();
    for (template, kind, name) in resources(request) {
        let expanded = SERVERLESS
            .iter()
            .find(|(serverless, _)| *serverless == name);
        let names = expanded.map_or_else(|| vec![name], |(_, names)| names.to_vec());
        for name in names {
            match catalog::permissions(name) {
                Some(permissions) => _ = types.insert(name.to_owned(), permissions),
                None if is_custom_resource(name) || WITHOUT_PERMISSIONS.contains(&name) => {}
                None if uncovered.iter().any(|it| it.name == name) => {}
                None => uncovered.push(UncoveredType {
                    name: name.to_owned(),
                    location: template.location(kind.at),
                }),
            }
        }
    }
    types
}

/// Allows to pass roles to the services that the templates' roles trust, and to those of the types
/// whose handlers pass roles.
fn pass_roles(
    request: &PolicyRequest,
    types: &BTreeMap<String, HandlerPermissions>,
) -> Option<Value> {
    let passes = |it: &HandlerPermissions| {
        let mut all = handlers(request).into_iter();
        all.any(|(_, handler)| handler(it).contains(&PASS_ROLE))
    };
    let passing = types.iter().filter(|(_, permissions)| passes(permissions));
    let mut services: BTreeSet<String> = passing.flat_map(|(name, _)| services_of(name)).collect();
    if services.is_empty() {
        return None;
    }
    for template in &request.templates {
        let mut open = vec![&template.root];
        while let Some(node) = open.pop() {
            if let Some(trust) = node.get("AssumeRolePolicyDocument") {
                trusted(trust, request, &mut services);
            }
            open.extend(node.as_sequence().unwrap_or_default());
            open.extend(node.entries().iter().map(|(_, value)| value));
        }
    }
    let mut passed = statement("PassRoles", [PASS_ROLE], &request.arns(":iam::*:role/*"));
    passed["Condition"] = passed_to(services);
    Some(passed)
}

fn passed_to(services: impl IntoIterator<Item = String>) -> Value {
    let services: Vec<String> = services.into_iter().collect();
    json!({"StringEquals": {"iam:PassedToService": services}})
}

fn services_of(type_name: &str) -> Vec<String> {
    let known = PASSED_TO
        .iter()
        .find(|(start, _)| type_name.starts_with(&format!("{start}::")));
    let own = type_name
        .split("::")
        .nth(1)
        .unwrap_or_default()
        .to_lowercase();
    let names = known.map_or_else(|| vec![own.as_str()], |(_, names)| names.to_vec());
    names
        .iter()
        .map(|it| format!("{it}.amazonaws.com"))
        .collect()
}

/// Adds the services that a trust policy names.
fn trusted(trust: &Node, request: &PolicyRequest, services: &mut BTreeSet<String>) {
    let mut open = vec![trust];
    while let Some(node) = open.pop() {
        // A text of its own, or one with `${AWS::URLSuffix}` in it.
        if let Some(text) = node.as_str() {
            let suffixes = request
                .partitions
                .iter()
                .filter_map(|it| catalog::partition(it));
            let texts = suffixes.map(|it| text.replace("${AWS::URLSuffix}", it.dns_suffix));
            services.extend(texts.filter(|it| is_service(it)));
        }
        open.extend(node.as_sequence().unwrap_or_default());
        open.extend(node.entries().iter().map(|(_, value)| value));
    }
}

/// Returns whether a text is the name of a service principal.
fn is_service(text: &str) -> bool {
    let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-');
    text.contains(".amazonaws.com") && text.chars().all(is_name)
}
