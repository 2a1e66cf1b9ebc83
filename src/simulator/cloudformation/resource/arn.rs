//! The ARNs of resources, in each service's own form.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
//! gives the forms. A type that isn't in the table gets `service:region:account:type/name`, which
//! is the usual one.

use super::pattern::Placeholders;

/// What follows `arn:partition:`; see `pattern`.
const ARN_PATTERNS: &[(&str, &str)] = &[
    (
        "AWS::AmazonMQ::Broker",
        "mq:{region}:{account}:broker:{BrokerName}:{id}",
    ),
    (
        "AWS::ApiGateway::RestApi",
        "apigateway:{region}::/restapis/{name}",
    ),
    (
        "AWS::AppSync::Api",
        "appsync:{region}:{account}:apis/{lower26}",
    ),
    (
        "AWS::AppSync::ApiKey",
        "appsync:{region}:{account}:apis/{ApiId}/apikeys/da2-{lower26}",
    ),
    (
        "AWS::AppSync::DataSource",
        "appsync:{region}:{account}:apis/{ApiId}/datasources/{Name}",
    ),
    (
        "AWS::AppSync::FunctionConfiguration",
        "appsync:{region}:{account}:apis/{ApiId}/functions/{lower26}",
    ),
    (
        "AWS::AppSync::GraphQLApi",
        "appsync:{region}:{account}:apis/{lower26}",
    ),
    (
        "AWS::AppSync::Resolver",
        "appsync:{region}:{account}:apis/{ApiId}/types/{TypeName}/resolvers/{FieldName}",
    ),
    (
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "autoscaling:{region}:{account}:scalingPolicy:{uuid}:resource/{ServiceNamespace}/{ResourceId}:policyName/{name}",
    ),
    (
        "AWS::AutoScaling::AutoScalingGroup",
        "autoscaling:{region}:{account}:autoScalingGroup:{uuid}:autoScalingGroupName/{name}",
    ),
    (
        "AWS::AutoScaling::ScalingPolicy",
        "autoscaling:{region}:{account}:scalingPolicy:{uuid}:autoScalingGroupName/{AutoScalingGroupName}:policyName/{name}",
    ),
    (
        "AWS::Backup::BackupPlan",
        "backup:{region}:{account}:backup-plan:{name}",
    ),
    (
        "AWS::Backup::BackupVault",
        "backup:{region}:{account}:backup-vault:{name}",
    ),
    (
        "AWS::Batch::JobDefinition",
        "batch:{region}:{account}:job-definition/{name}:1",
    ),
    (
        "AWS::CertificateManager::Certificate",
        "acm:{region}:{account}:certificate/{uuid}",
    ),
    (
        "AWS::CloudWatch::Alarm",
        "cloudwatch:{region}:{account}:alarm:{name}",
    ),
    (
        "AWS::CloudWatch::CompositeAlarm",
        "cloudwatch:{region}:{account}:alarm:{name}",
    ),
    (
        "AWS::CodeArtifact::Domain",
        "codeartifact:{region}:{account}:domain/{DomainName}",
    ),
    (
        "AWS::CodeArtifact::Repository",
        "codeartifact:{region}:{account}:repository/{DomainName}/{RepositoryName}",
    ),
    (
        "AWS::CodeCommit::Repository",
        "codecommit:{region}:{account}:{name}",
    ),
    (
        "AWS::CodePipeline::Pipeline",
        "codepipeline:{region}:{account}:{name}",
    ),
    (
        "AWS::Cognito::UserPool",
        "cognito-idp:{region}:{account}:userpool/{name}",
    ),
    (
        "AWS::DocDB::DBCluster",
        "rds:{region}:{account}:cluster:{name}",
    ),
    ("AWS::DocDB::DBInstance", "rds:{region}:{account}:db:{name}"),
    (
        "AWS::EC2::EIP",
        "ec2:{region}:{account}:elastic-ip/eipalloc-{hex17}",
    ),
    (
        "AWS::EC2::NatGateway",
        "ec2:{region}:{account}:natgateway/{name}",
    ),
    (
        "AWS::ECS::Service",
        "ecs:{region}:{account}:service/{Cluster|default}/{name}",
    ),
    (
        "AWS::ECS::TaskDefinition",
        "ecs:{region}:{account}:task-definition/{name}:1",
    ),
    (
        "AWS::EKS::Nodegroup",
        "eks:{region}:{account}:nodegroup/{name}/{uuid}",
    ),
    (
        "AWS::ElastiCache::CacheCluster",
        "elasticache:{region}:{account}:cluster:{name}",
    ),
    (
        "AWS::ElastiCache::ReplicationGroup",
        "elasticache:{region}:{account}:replicationgroup:{name}",
    ),
    (
        "AWS::ElasticLoadBalancing::LoadBalancer",
        "elasticloadbalancing:{region}:{account}:loadbalancer/{name}",
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "elasticloadbalancing:{region}:{account}:loadbalancer/{balancer}/{name}/{hex16}",
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "elasticloadbalancing:{region}:{account}:targetgroup/{name}/{hex16}",
    ),
    ("AWS::Events::Rule", "events:{region}:{account}:rule/{path}"),
    ("AWS::IAM::Group", "iam::{account}:group{Path|/}{name}"),
    (
        "AWS::IAM::InstanceProfile",
        "iam::{account}:instance-profile{Path|/}{name}",
    ),
    (
        "AWS::IAM::ManagedPolicy",
        "iam::{account}:policy{Path|/}{name}",
    ),
    (
        "AWS::IAM::OIDCProvider",
        "iam::{account}:oidc-provider/{host}",
    ),
    ("AWS::IAM::Role", "iam::{account}:role{Path|/}{name}"),
    (
        "AWS::IAM::ServerCertificate",
        "iam::{account}:server-certificate{Path|/}{name}",
    ),
    ("AWS::IAM::User", "iam::{account}:user{Path|/}{name}"),
    (
        "AWS::ImageBuilder::Component",
        "imagebuilder:{region}:{account}:component/{name}/{Version}/1",
    ),
    (
        "AWS::ImageBuilder::ContainerRecipe",
        "imagebuilder:{region}:{account}:container-recipe/{name}/{Version}",
    ),
    (
        "AWS::ImageBuilder::ImageRecipe",
        "imagebuilder:{region}:{account}:image-recipe/{name}/{Version}",
    ),
    (
        "AWS::KinesisFirehose::DeliveryStream",
        "firehose:{region}:{account}:deliverystream/{name}",
    ),
    (
        "AWS::Lambda::CodeSigningConfig",
        "lambda:{region}:{account}:code-signing-config:csc-{hex17}",
    ),
    (
        "AWS::Lambda::Function",
        "lambda:{region}:{account}:function:{name}",
    ),
    (
        "AWS::Lambda::LayerVersion",
        "lambda:{region}:{account}:layer:{name}:1",
    ),
    (
        "AWS::Logs::LogGroup",
        "logs:{region}:{account}:log-group:{name}:*",
    ),
    (
        "AWS::MSK::Cluster",
        "kafka:{region}:{account}:cluster/{name}/{uuid}-1",
    ),
    (
        "AWS::MSK::Configuration",
        "kafka:{region}:{account}:configuration/{Name}/{uuid}-1",
    ),
    (
        "AWS::Neptune::DBCluster",
        "rds:{region}:{account}:cluster:{name}",
    ),
    (
        "AWS::Neptune::DBInstance",
        "rds:{region}:{account}:db:{name}",
    ),
    (
        "AWS::OpenSearchService::Domain",
        "es:{region}:{account}:domain/{name}",
    ),
    (
        "AWS::RDS::DBCluster",
        "rds:{region}:{account}:cluster:{name}",
    ),
    ("AWS::RDS::DBInstance", "rds:{region}:{account}:db:{name}"),
    (
        "AWS::RDS::DBProxy",
        "rds:{region}:{account}:db-proxy:prx-{hex17}",
    ),
    (
        "AWS::RDS::DBSubnetGroup",
        "rds:{region}:{account}:subgrp:{name}",
    ),
    ("AWS::Route53::HostedZone", "route53:::hostedzone/{name}"),
    (
        "AWS::S3::AccessPoint",
        "s3:{region}:{account}:accesspoint/{name}",
    ),
    ("AWS::S3::Bucket", "s3:::{name}"),
    (
        "AWS::SNS::Subscription",
        "sns:{region}:{account}:{TopicArn}:{uuid}",
    ),
    ("AWS::SNS::Topic", "sns:{region}:{account}:{name}"),
    ("AWS::SQS::Queue", "sqs:{region}:{account}:{name}"),
    (
        "AWS::SecretsManager::Secret",
        "secretsmanager:{region}:{account}:secret:{name}-{mixed6}",
    ),
    (
        "AWS::StepFunctions::Activity",
        "states:{region}:{account}:activity:{name}",
    ),
    (
        "AWS::StepFunctions::StateMachine",
        "states:{region}:{account}:stateMachine:{name}",
    ),
    (
        "AWS::Transfer::Server",
        "transfer:{region}:{account}:server/s-{hex17}",
    ),
    (
        "AWS::Transfer::User",
        "transfer:{region}:{account}:user/{ServerId}/{UserName}",
    ),
    (
        "AWS::WAFv2::IPSet",
        "wafv2:{region}:{account}:{scope}/ipset/{parts}",
    ),
    (
        "AWS::WAFv2::RegexPatternSet",
        "wafv2:{region}:{account}:{scope}/regexpatternset/{parts}",
    ),
    (
        "AWS::WAFv2::RuleGroup",
        "wafv2:{region}:{account}:{scope}/rulegroup/{parts}",
    ),
    (
        "AWS::WAFv2::WebACL",
        "wafv2:{region}:{account}:{scope}/webacl/{parts}",
    ),
];

/// Services whose name in ARNs isn't their types' in lower case.
const SERVICES: &[(&str, &str)] = &[
    ("ACMPCA", "acm-pca"),
    ("AccessAnalyzer", "access-analyzer"),
    ("AmazonMQ", "mq"),
    ("ApiGatewayV2", "apigateway"),
    ("ApplicationAutoScaling", "application-autoscaling"),
    ("CertificateManager", "acm"),
    ("Cognito", "cognito-idp"),
    ("CodeStarConnections", "codestar-connections"),
    ("DirectoryService", "ds"),
    ("DocDB", "rds"),
    ("EFS", "elasticfilesystem"),
    ("EMR", "elasticmapreduce"),
    ("ElasticLoadBalancingV2", "elasticloadbalancing"),
    ("Elasticsearch", "es"),
    ("KinesisFirehose", "firehose"),
    ("MSK", "kafka"),
    ("Neptune", "rds"),
    ("NetworkFirewall", "network-firewall"),
    ("OpenSearchService", "es"),
    ("ResourceGroups", "resource-groups"),
    ("ServiceCatalog", "catalog"),
    ("StepFunctions", "states"),
];

/// Returns the ARN of a resource.
pub(super) fn arn(placeholders: &mut Placeholders) -> String {
    if placeholders.id.starts_with("arn:") {
        return placeholders.id.to_owned();
    }
    if let Some(arn) = child_arn(placeholders) {
        return arn;
    }
    let pattern = match ARN_PATTERNS
        .iter()
        .find(|(kind, _)| *kind == placeholders.declared.kind)
    {
        Some((_, pattern)) => format!(
            "arn:{{partition}}:{}",
            expand_special(placeholders, pattern)
        ),
        None => format!(
            "{}:{}/{{name}}",
            account_of(placeholders.declared.kind),
            kebab(placeholders.declared.type_name())
        ),
    };
    placeholders.expand(&pattern)
}

/// Returns the ARN of something else that belongs to the resource: `what` is `stream`.
pub(super) fn related_arn(placeholders: &mut Placeholders, what: &str) -> String {
    let pattern = format!(
        "{}:{}/{{lower10}}",
        account_of(placeholders.declared.kind),
        kebab(what)
    );
    placeholders.expand(&pattern)
}

/// Returns `arn:{partition}:sqs:{region}:{account}`.
fn account_of(kind: &str) -> String {
    let region = if has_no_region(kind) { "" } else { "{region}" };
    format!("arn:{{partition}}:{}:{region}:{{account}}", service(kind))
}

/// Expands placeholders that only ARNs have. `{parts}` is an ID without its last part, `{path}` all
/// of it.
fn expand_special(placeholders: &Placeholders, pattern: &str) -> String {
    let text = |path| {
        placeholders
            .declared
            .property(path)
            .and_then(|value| value.as_text())
            .unwrap_or_default()
    };
    let balancer = match text("Type").as_str() {
        "network" => "net",
        "gateway" => "gwy",
        _ => "app",
    };
    let scope = if text("Scope") == "CLOUDFRONT" {
        "global"
    } else {
        "regional"
    };
    let parts = placeholders
        .id
        .rsplit_once('|')
        .map_or(placeholders.id, |(parts, _)| parts)
        .replace('|', "/");
    let path = placeholders.id.replace('|', "/");
    let pattern = pattern.replace("{path}", &path);
    let pattern = pattern
        .replace("{balancer}", balancer)
        .replace("{scope}", scope)
        .replace("{parts}", &parts);
    pattern.replace("{host}", text("Url").trim_start_matches("https://"))
}

/// Returns the ARN of a resource whose ARN extends that of another one.
fn child_arn(placeholders: &mut Placeholders) -> Option<String> {
    let (path, above, own) = match placeholders.declared.kind {
        "AWS::ElasticLoadBalancingV2::Listener" => {
            ("LoadBalancerArn", ":loadbalancer/", ":listener/")
        }
        "AWS::ElasticLoadBalancingV2::ListenerRule" => {
            ("ListenerArn", ":listener/", ":listener-rule/")
        }
        _ => return None,
    };
    let parent = placeholders.declared.property(path)?.as_text()?;
    Some(placeholders.expand(&format!("{}/{{hex16}}", parent.replacen(above, own, 1))))
}

/// Returns the service's name in ARNs and host names.
pub(super) fn service(kind: &str) -> String {
    let service = kind.split("::").nth(1).unwrap_or(kind);
    let known = SERVICES.iter().find(|(name, _)| *name == service);
    known.map_or_else(
        || service.to_ascii_lowercase(),
        |(_, name)| (*name).to_owned(),
    )
}

/// Returns true for services whose resources belong to no region.
pub(super) fn has_no_region(kind: &str) -> bool {
    let service = kind.split("::").nth(1).unwrap_or_default();
    matches!(
        service,
        "IAM" | "CloudFront" | "Route53" | "Organizations" | "GlobalAccelerator"
    )
}

/// Returns `security-group` for `SecurityGroup`, `vpc-endpoint` for `VPCEndpoint`.
pub(super) fn kebab(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| letters[before]);
        let ends_capitals = letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase()
            && before.is_some_and(|before| !before.is_ascii_uppercase() || ends_capitals)
        {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::pattern::SeededText;
    use super::super::tests::{declared, properties};
    use super::*;

    #[test]
    fn arns_follow_the_form_of_their_service() {
        let check = |kind: &str, json: &str, expect: &str| {
            let properties = properties(json);
            let declared = declared(kind, &properties);
            let source = SeededText::from_seed("a");
            let mut placeholders = Placeholders {
                declared: &declared,
                id: "n",
                name: "n",
                addresses: source.clone(),
                source,
            };
            assert_eq!(arn(&mut placeholders), expect, "{kind}");
        };
        check("AWS::S3::Bucket", "{}", "arn:aws:s3:::n");
        check("AWS::IAM::Role", "{}", "arn:aws:iam::123456789012:role/n");
        check(
            "AWS::IAM::Role",
            r#"{"Path":"/a/"}"#,
            "arn:aws:iam::123456789012:role/a/n",
        );
        check(
            "AWS::Lambda::Function",
            "{}",
            "arn:aws:lambda:eu-west-1:123456789012:function:n",
        );
        check(
            "AWS::DynamoDB::Table",
            "{}",
            "arn:aws:dynamodb:eu-west-1:123456789012:table/n",
        );
        check(
            "AWS::SQS::Queue",
            "{}",
            "arn:aws:sqs:eu-west-1:123456789012:n",
        );
        check(
            "AWS::Logs::LogGroup",
            "{}",
            "arn:aws:logs:eu-west-1:123456789012:log-group:n:*",
        );
        check(
            "AWS::KMS::Key",
            "{}",
            "arn:aws:kms:eu-west-1:123456789012:key/n",
        );
        check(
            "AWS::EC2::SecurityGroup",
            "{}",
            "arn:aws:ec2:eu-west-1:123456789012:security-group/n",
        );
        check(
            "AWS::EC2::VPCEndpoint",
            "{}",
            "arn:aws:ec2:eu-west-1:123456789012:vpc-endpoint/n",
        );
        check(
            "AWS::ECS::Service",
            r#"{"Cluster":"c"}"#,
            "arn:aws:ecs:eu-west-1:123456789012:service/c/n",
        );
        check(
            "AWS::EKS::Cluster",
            "{}",
            "arn:aws:eks:eu-west-1:123456789012:cluster/n",
        );
        check(
            "AWS::RDS::DBInstance",
            "{}",
            "arn:aws:rds:eu-west-1:123456789012:db:n",
        );
        check(
            "AWS::ResourceGroups::Group",
            "{}",
            "arn:aws:resource-groups:eu-west-1:123456789012:group/n",
        );
        check(
            "AWS::CloudFront::Distribution",
            "{}",
            "arn:aws:cloudfront::123456789012:distribution/n",
        );
        let oidc = "arn:aws:iam::123456789012:oidc-provider/a.com/b";
        check(
            "AWS::IAM::OIDCProvider",
            r#"{"Url":"https://a.com/b"}"#,
            oidc,
        );
    }
}
