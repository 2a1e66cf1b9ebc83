//! Physical IDs, which `Ref` returns, and the names in them.
//!
//! Types that the tables don't list follow the catalog's primary identifier, which `Ref` returns
//! for most types.

use super::identity_table::{GENERATED_NAMES, NAME_PROPERTIES, NON_UNIQUE_NAMES, PHYSICAL_IDS};
use super::pattern::{LOWER, Placeholders, SeededText, UPPER, is_documented};
use super::{DeclaredResource, arn};
use crate::catalog::{ResourceType, resource_type};
use crate::properties::is_true;
use crate::template::{Value, is_custom_resource};

/// The maximum length of generated names if no limit is listed.
const DEFAULT_LIMIT: usize = 128;

/// Services that require names in lower case.
const LOWER_CASE: &[&str] = &[
    "AWS::S3::",
    "AWS::RDS::",
    "AWS::DocDB::",
    "AWS::Neptune::",
    "AWS::ElastiCache::",
    "AWS::Redshift::",
    "AWS::OpenSearchService::",
    "AWS::Elasticsearch::",
    "AWS::ECR::",
];

/// Returns a new physical ID, which is random except for what the template sets.
pub(crate) fn physical_id(declared: &DeclaredResource) -> String {
    new_physical_id(declared, SeededText::random())
}

fn new_physical_id(declared: &DeclaredResource, mut source: SeededText) -> String {
    if is_custom_resource(declared.kind) {
        return format!(
            "{}_{}_{}",
            declared.stack_name,
            declared.logical_id,
            source.text(UPPER, 8)
        );
    }
    let known = resource_type(declared.kind);
    let name = name(declared, known.as_ref(), &mut source);
    let mut placeholders = Placeholders {
        declared,
        id: "",
        name: &name,
        addresses: source.clone(),
        source,
    };
    let id = match PHYSICAL_IDS.iter().find(|(kind, _)| *kind == declared.kind) {
        Some((_, pattern)) => Some(placeholders.expand(pattern)),
        None => known.map(|known| from_primary_identifier(&mut placeholders, &known)),
    };
    // A pattern may consist of properties that aren't set or aren't text.
    id.filter(|id| !id.is_empty()).unwrap_or(name)
}

/// Returns whether the physical ID is made up: a name that CloudFormation generates, or an ID whose
/// form AWS doesn't document.
pub(crate) fn has_made_up_id(declared: &DeclaredResource) -> bool {
    if is_custom_resource(declared.kind) {
        return true;
    }
    let known = resource_type(declared.kind);
    match PHYSICAL_IDS.iter().find(|(kind, _)| *kind == declared.kind) {
        Some((_, "{name}")) => declared_name_text(declared, known.as_ref()).is_none(),
        Some((_, pattern)) => !is_documented(pattern),
        None => match known
            .as_ref()
            .map(|known| known.primary_identifier.as_slice())
        {
            Some([identifier]) if identifier.ends_with("Arn") => false,
            _ => declared_name_text(declared, known.as_ref()).is_none(),
        },
    }
}

/// Returns the name that the template sets, if it must be unique.
pub(crate) fn declared_name<'a>(declared: &DeclaredResource<'a>) -> Option<&'a str> {
    let property = match NAME_PROPERTIES
        .iter()
        .find(|(kind, ..)| *kind == declared.kind)
    {
        Some((_, property, _)) => property,
        None => {
            let known = resource_type(declared.kind)?;
            identifying(&known)
                .filter(|property| property.ends_with("Name") || property.ends_with("Identifier"))?
        }
    };
    match declared.property(property)? {
        Value::String(name) if !name.is_empty() => Some(name),
        _ => None,
    }
}

/// Returns the property that identifies a resource by itself and that a template may set.
fn identifying(known: &ResourceType) -> Option<&'static str> {
    match known.primary_identifier[..] {
        [property] if !known.read_only.contains(&property) => Some(property),
        _ => None,
    }
}

/// Returns the property that names a resource, unique or not.
fn name_property(kind: &str, known: Option<&ResourceType>) -> Option<&'static str> {
    let named = NAME_PROPERTIES
        .iter()
        .find(|(found, ..)| *found == kind)
        .map(|(_, property, _)| *property);
    named
        .or_else(|| {
            NON_UNIQUE_NAMES
                .iter()
                .find(|(found, _)| *found == kind)
                .map(|(_, property)| *property)
        })
        .or_else(|| known.and_then(identifying))
}

/// Returns whether a property names a resource of the type.
pub(super) fn is_name(kind: &str, property: &str) -> bool {
    name_property(kind, resource_type(kind).as_ref()) == Some(property)
}

/// Returns the name that the template sets, unique or not.
fn declared_name_text(declared: &DeclaredResource, known: Option<&ResourceType>) -> Option<String> {
    let property = name_property(declared.kind, known)?;
    declared
        .property(property)?
        .as_text()
        .filter(|name| !name.is_empty())
}

/// Returns the name that the template sets, or a generated one.
fn name(
    declared: &DeclaredResource,
    known: Option<&ResourceType>,
    source: &mut SeededText,
) -> String {
    let row = NAME_PROPERTIES
        .iter()
        .find(|(kind, ..)| *kind == declared.kind);
    let limit = row.map_or(DEFAULT_LIMIT, |(.., limit)| *limit);
    let pattern = GENERATED_NAMES
        .iter()
        .find(|(kind, _)| *kind == declared.kind)
        .map(|(_, pattern)| *pattern);
    let made = |pattern: &str, source: &SeededText| {
        Placeholders {
            declared,
            id: "",
            name: "",
            addresses: source.clone(),
            source: source.clone(),
        }
        .expand(pattern)
    };
    declared_name_text(declared, known)
        .or_else(|| pattern.map(|pattern| made(pattern, source)))
        .unwrap_or_else(|| {
            let is_fifo = ["FifoQueue", "FifoTopic"]
                .iter()
                .filter_map(|property| declared.property(property)?.as_text());
            // The services require this suffix, and CloudFormation's generated names have it.
            let ending = if is_fifo.into_iter().any(|text| is_true(&text)) {
                ".fifo"
            } else {
                ""
            };
            new_name(declared, limit - ending.len(), source) + ending
        })
}

/// Returns `stack-logical-RANDOM`, with the stack's name and the logical ID shortened to the
/// service's limit.
fn new_name(declared: &DeclaredResource, limit: usize, source: &mut SeededText) -> String {
    const RANDOM: usize = 12;
    let lower = LOWER_CASE
        .iter()
        .any(|service| declared.kind.starts_with(service));
    let room = limit.saturating_sub(RANDOM + 2);
    let stack = declared.stack_name;
    let logical = declared.logical_id;
    let for_stack = stack
        .len()
        .min((room / 2).max(room.saturating_sub(logical.len())));
    let for_logical = logical.len().min(room.saturating_sub(for_stack));
    let stack = start(stack, for_stack).trim_end_matches('-');
    let logical = start(logical, for_logical);
    if lower {
        format!("{stack}-{logical}-{}", source.text(LOWER, RANDOM)).to_ascii_lowercase()
    } else {
        format!("{stack}-{logical}-{}", source.text(UPPER, RANDOM))
    }
}

/// Returns the first bytes of a text, fewer if a character would be cut.
fn start(text: &str, length: usize) -> &str {
    let mut end = length.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Returns the ID that the catalog's primary identifier describes.
fn from_primary_identifier(placeholders: &mut Placeholders, known: &ResourceType) -> String {
    let parts: Vec<_> = known
        .primary_identifier
        .iter()
        .map(|path| part(placeholders, known, path))
        .collect();
    parts.join("|")
}

fn part(placeholders: &mut Placeholders, known: &ResourceType, path: &str) -> String {
    if let Some(text) = placeholders
        .declared
        .property(path)
        .and_then(|value| value.as_text())
    {
        return text;
    }
    let read_only = known.read_only.contains(&path);
    if read_only && path.to_ascii_lowercase().ends_with("arn") {
        return arn::arn(placeholders);
    }
    match path {
        "AccountId" | "RegistryId" => placeholders.declared.account.to_owned(),
        "AttachmentType" if placeholders.declared.property("VpnGatewayId").is_some() => {
            "VGW".to_owned()
        }
        "AttachmentType" => "IGW".to_owned(),
        // `Id` of older types is the name as well.
        "Id" if known.primary_identifier.len() == 1 && !known.name.starts_with("AWS::EC2::") => {
            placeholders.name.to_owned()
        }
        _ if read_only && path.ends_with("Id") && known.name.starts_with("AWS::EC2::") => {
            placeholders.expand(&format!(
                "{}-{{hex17}}",
                arn::kebab(placeholders.declared.type_name())
            ))
        }
        _ if read_only && path.ends_with("Id") => placeholders.expand("{lower10}"),
        _ => placeholders.name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{declared, properties};
    use super::*;

    /// In forms, `#` is a hexadecimal digit, `^` an upper-case letter or a digit, `~` a lower-case
    /// letter or a digit.
    fn looks_like(id: &str, form: &str) -> bool {
        id.len() == form.len()
            && id
                .chars()
                .zip(form.chars())
                .all(|(letter, form)| match form {
                    '#' => letter.is_ascii_digit() || ('a'..='f').contains(&letter),
                    '^' => letter.is_ascii_digit() || letter.is_ascii_uppercase(),
                    '~' => letter.is_ascii_digit() || letter.is_ascii_lowercase(),
                    _ => letter == form,
                })
    }

    #[test]
    fn physical_ids_have_the_form_of_aws() {
        let check = |kind: &str, json: &str, form: &str| {
            let properties = properties(json);
            let id = physical_id(&declared(kind, &properties));
            assert!(looks_like(&id, form), "{kind} {id} {form}");
        };
        check("AWS::EC2::VPC", "{}", "vpc-#################");
        check("AWS::EC2::Subnet", "{}", "subnet-#################");
        check(
            "AWS::EC2::VPCGatewayAttachment",
            r#"{"VpcId":"vpc-1","InternetGatewayId":"igw-1"}"#,
            "IGW|vpc-1",
        );
        check(
            "AWS::EC2::VPCGatewayAttachment",
            r#"{"VpcId":"vpc-1","VpnGatewayId":"vgw-1"}"#,
            "VGW|vpc-1",
        );
        let route = r#"{"RouteTableId":"rtb-1","DestinationCidrBlock":"0.0.0.0/0"}"#;
        check("AWS::EC2::Route", route, "rtb-1|0.0.0.0/0");
        check("AWS::EC2::KeyPair", r#"{"KeyName":"mine"}"#, "mine");
        check("AWS::EC2::Host", "{}", "host-#################");
        check("AWS::S3::Bucket", "{}", "tcat-web-a1b2-thing-~~~~~~~~~~~~");
        check("AWS::S3::Bucket", r#"{"BucketName":"mine"}"#, "mine");
        check("AWS::S3::BucketPolicy", r#"{"Bucket":"mine"}"#, "mine");
        check("AWS::IAM::Role", "{}", "tcat-web-a1b2-Thing-^^^^^^^^^^^^");
        check(
            "AWS::IAM::Policy",
            r#"{"PolicyName":"mine"}"#,
            "tcat--Thin-^^^^^^^^^^^^",
        );
        check(
            "AWS::IAM::ManagedPolicy",
            r#"{"ManagedPolicyName":"p","Path":"/a/"}"#,
            "arn:aws:iam::123456789012:policy/a/p",
        );
        check(
            "AWS::SNS::Topic",
            r#"{"TopicName":"t"}"#,
            "arn:aws:sns:eu-west-1:123456789012:t",
        );
        check(
            "AWS::SQS::Queue",
            r#"{"QueueName":"q"}"#,
            "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
        );
        check(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            r#"{"Name":"lb","Type":"network"}"#,
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/lb/################",
        );
        let above = r#"{"LoadBalancerArn":"arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/lb/0"}"#;
        check(
            "AWS::ElasticLoadBalancingV2::Listener",
            above,
            "arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/lb/0/################",
        );
        check(
            "AWS::SQS::Queue",
            r#"{"FifoQueue":true}"#,
            "https://sqs.eu-west-1.amazonaws.com/123456789012/tcat-web-a1b2-Thing-^^^^^^^^^^^^.fifo",
        );
        check(
            "AWS::WAFv2::IPSet",
            r#"{"Scope":"REGIONAL","Name":"n"}"#,
            "n|########-####-####-####-############|REGIONAL",
        );
        check(
            "AWS::KMS::Key",
            "{}",
            "########-####-####-####-############",
        );
        check(
            "AWS::Lambda::Version",
            r#"{"FunctionName":"arn:aws:lambda:eu-west-1:1:function:f"}"#,
            "arn:aws:lambda:eu-west-1:123456789012:function:f:1",
        );
        let handle = r#"{"Handle":"https://w.s3.eu-west-1.amazonaws.com/arn%3Aaws%3Acloudformation%3Aa%3A1%3Astack%2Fs%2Fu%2FReady?X=1"}"#;
        check(
            "AWS::CloudFormation::WaitCondition",
            handle,
            "arn:aws:cloudformation:a:1:stack/s/u/Ready",
        );
        check(
            "AWS::Glue::Table",
            r#"{"CatalogId":"1","DatabaseName":"d","TableInput":{"Name":"t"}}"#,
            "t",
        );
        check(
            "AWS::Glue::Partition",
            r#"{"CatalogId":"1","DatabaseName":"d","TableName":"t"}"#,
            "1|d|t|tcat-web-a1b2-Thing-^^^^^^^^^^^^",
        );
        check(
            "AWS::ImageBuilder::Component",
            r#"{"Name":"c","Version":"1.0.0"}"#,
            "arn:aws:imagebuilder:eu-west-1:123456789012:component/c/1.0.0/1",
        );
        check("Custom::Thing", "{}", "tcat-web-a1b2_Thing_^^^^^^^^");
        check("Acme::Web::Site", "{}", "tcat-web-a1b2-Thing-^^^^^^^^^^^^");
    }

    #[test]
    fn generated_names_respect_length_limits() {
        let properties = properties("{}");
        let check = |kind: &str, stack_name: &str, logical_id: &str, expect: &str| {
            let declared = DeclaredResource {
                stack_name,
                logical_id,
                ..declared(kind, &properties)
            };
            let limit = NAME_PROPERTIES
                .iter()
                .find(|(name, ..)| *name == kind)
                .map_or(DEFAULT_LIMIT, |(.., limit)| *limit);
            let name = new_name(&declared, limit, &mut SeededText::random());
            let (start, random) = name.rsplit_once('-').unwrap();
            assert_eq!((start, random.len()), (expect, 12), "{kind}");
            assert!(name.len() <= limit);
        };
        let long = "tcat-quickstart-microsoft-activedirectory";
        let short = "Role";
        let target_group = "AWS::ElasticLoadBalancingV2::TargetGroup";
        check(
            "AWS::IAM::Role",
            long,
            short,
            "tcat-quickstart-microsoft-activedirectory-Role",
        );
        check(target_group, long, short, "tcat-quickstar-Role");
        check(
            target_group,
            long,
            "WebServersTargetGroup",
            "tcat-quic-WebServer",
        );
        check(
            target_group,
            "s",
            "WebServersTargetGroup",
            "s-WebServersTargetG",
        );
        check("AWS::RDS::DBInstance", "Web-Stack", "DB", "web-stack-db");
    }

    #[test]
    fn declared_names_are_found() {
        let check = |kind: &str, json: &str, expect: Option<&str>| {
            let properties = properties(json);
            assert_eq!(
                declared_name(&declared(kind, &properties)),
                expect,
                "{kind}"
            );
        };
        check("AWS::S3::Bucket", r#"{"BucketName":"b"}"#, Some("b"));
        check("AWS::S3::Bucket", "{}", None);
        check("AWS::S3::Bucket", r#"{"BucketName":""}"#, None);
        check("AWS::S3::BucketPolicy", r#"{"Bucket":"b"}"#, None);
        check("AWS::SNS::Topic", r#"{"TopicName":"t"}"#, Some("t"));
        check("AWS::IAM::Policy", r#"{"PolicyName":"p"}"#, None);
        check(
            "AWS::ECR::Repository",
            r#"{"RepositoryName":"r"}"#,
            Some("r"),
        );
        check("AWS::DynamoDB::Table", r#"{"TableName":"t"}"#, Some("t"));
        check("AWS::EC2::SecurityGroup", r#"{"GroupName":"g"}"#, None);
        check("AWS::Lambda::Url", r#"{"TargetFunctionArn":"f"}"#, None);
        check("Custom::Thing", r#"{"Name":"n"}"#, None);
    }

    /// All placeholders are expanded for listed types and others, and all listed properties exist.
    #[test]
    fn every_listed_type_gets_a_physical_id() {
        let properties = properties("{}");
        for kind in NAME_PROPERTIES
            .iter()
            .map(|(kind, ..)| kind)
            .chain(PHYSICAL_IDS.iter().map(|(kind, _)| kind))
        {
            assert!(resource_type(kind).is_some(), "{kind}");
            let id = physical_id(&declared(kind, &properties));
            assert!(!id.contains(['{', '}']), "{kind} {id}");
        }
        for (kind, property) in NAME_PROPERTIES
            .iter()
            .map(|(kind, name, _)| (kind, name))
            .chain(NON_UNIQUE_NAMES.iter().map(|(a, b)| (a, b)))
        {
            assert!(
                resource_type(kind).is_some_and(|known| known.shape(property).is_some()),
                "{kind} {property}"
            );
        }
    }
}
