//! The IAM policy that is needed to test or deploy a project's templates.
//!
//! CloudFormation acts with the permissions of its caller, unless a stack has a service role: the
//! policy has what the handlers of the templates' resource types call, and what this program calls
//! itself. Pure: `cli` reads the project and writes the policy.
//!
//! - `own_calls`: what this program calls
//! - `resources`: what CloudFormation calls for the templates' resources

mod own_calls;
mod resources;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::diagnostic::Location;
use crate::template::Template;

/// What the policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicyPurpose {
    /// Launching the templates as tests, and deleting the stacks.
    Test,
    /// Creating and updating permanent stacks.
    Deploy,
    /// Deleting what earlier runs left.
    Cleanup,
}

/// What the policy must allow.
pub(crate) struct PolicyRequest<'t> {
    pub purpose: PolicyPurpose,
    /// The partitions of the regions: `aws`.
    pub partitions: BTreeSet<&'static str>,
    /// All templates, nested ones included.
    pub templates: Vec<&'t Template>,
    /// Patterns of the names of stacks and buckets.
    pub stacks: BTreeSet<String>,
    pub buckets: BTreeSet<String>,
    /// ARNs, or patterns of them, of the service roles of stacks.
    pub roles: BTreeSet<String>,
    /// Whether parameters have values from Secrets Manager.
    pub has_secrets: bool,
    /// Whether tests update their stacks.
    pub has_updates: bool,
}

/// The policy, and the types that it lacks permissions for.
pub(crate) struct GeneratedPolicy {
    pub document: Value,
    pub uncovered: Vec<UncoveredType>,
}

/// A type whose schema names no permissions, and its first resource.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UncoveredType {
    pub name: String,
    pub location: Location,
}

impl PolicyRequest<'_> {
    /// Returns ARNs in each partition. `rest` follows the partition: `:s3:::tcat-*`.
    fn arns(&self, rest: &str) -> Vec<String> {
        let partitions = self.partitions.iter();
        partitions.map(|it| format!("arn:{it}{rest}")).collect()
    }
}

/// Returns the policy. Statements without resources of their own allow their actions on all:
/// CloudFormation chooses most names of resources.
pub(crate) fn generate(request: &PolicyRequest) -> GeneratedPolicy {
    let mut statements = own_calls::statements(request);
    let mut uncovered = Vec::new();
    statements.extend(resources::statements(request, &mut uncovered));
    GeneratedPolicy {
        document: json!({"Version": "2012-10-17", "Statement": statements}),
        uncovered,
    }
}

fn statement<'a>(
    sid: &str,
    actions: impl IntoIterator<Item = &'a str>,
    resources: &[String],
) -> Value {
    let actions: BTreeSet<&str> = actions.into_iter().collect();
    let resource = match resources {
        [] => Value::from("*"),
        resources => resources.into(),
    };
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    fn template(text: &str) -> Template {
        let file: Arc<Path> = Arc::from(Path::new("t.yml"));
        let (template, diagnostics) = Template::parse(&file, "t.yml".to_owned(), text);
        template.unwrap_or_else(|| panic!("{diagnostics:?}"))
    }

    fn policy(purpose: PolicyPurpose, template: &Template) -> GeneratedPolicy {
        generate(&PolicyRequest {
            purpose,
            partitions: BTreeSet::from(["aws", "aws-cn"]),
            templates: vec![template],
            stacks: BTreeSet::from(["tCaT-*".to_owned()]),
            buckets: BTreeSet::from(["tcat-*".to_owned()]),
            roles: BTreeSet::from(["arn:aws:iam::*:role/deploy".to_owned()]),
            has_secrets: false,
            has_updates: false,
        })
    }

    fn find<'p>(policy: &'p GeneratedPolicy, sid: &str) -> Option<&'p Value> {
        let mut statements = policy.document["Statement"].as_array().unwrap().iter();
        statements.find(|it| it["Sid"] == sid)
    }

    fn allows(policy: &GeneratedPolicy, action: &str) -> bool {
        let mut statements = policy.document["Statement"].as_array().unwrap().iter();
        statements.any(|it| it["Action"].as_array().unwrap().contains(&action.into()))
    }

    const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          Effect: Allow
          Action: 'sts:AssumeRole'
          Principal: {Service: [!Sub 'edgelambda.${AWS::URLSuffix}']}
  Function: {Type: AWS::Lambda::Function, Properties: {Role: !GetAtt Role.Arn}}
  Lookup: {Type: Custom::Lookup, Properties: {ServiceToken: !GetAtt Function.Arn}}
  Ready: {Type: AWS::CloudFormation::WaitConditionHandle}
  Build: {Type: AWS::CodeBuild::Project}
  Build2: {Type: AWS::CodeBuild::Project}
";

    #[test]
    fn a_policy_has_what_its_purpose_needs() {
        let template = template(TEMPLATE);
        let check = |purpose, action: &str, expect: bool| {
            let policy = policy(purpose, &template);
            assert_eq!(allows(&policy, action), expect, "{purpose:?} {action}");
        };
        for (action, expect) in [
            ("lambda:CreateFunction", [true, true, false]),
            ("lambda:UpdateFunctionCode", [false, true, false]),
            ("lambda:DeleteFunction", [true, true, true]),
            ("lambda:GetFunction", [true, true, true]),
            ("cloudformation:CreateStack", [true, false, false]),
            ("cloudformation:CreateChangeSet", [true, true, false]),
            ("cloudformation:ExecuteChangeSet", [true, true, false]),
            ("cloudformation:DeleteStack", [true, true, true]),
            ("s3:PutObject", [true, true, false]),
            ("s3:DeleteBucket", [true, false, true]),
            ("iam:PassRole", [true, true, true]),
            ("secretsmanager:GetSecretValue", [false, false, false]),
        ] {
            check(PolicyPurpose::Test, action, expect[0]);
            check(PolicyPurpose::Deploy, action, expect[1]);
            check(PolicyPurpose::Cleanup, action, expect[2]);
        }
    }

    #[test]
    fn roles_are_passed_to_named_services_only() {
        let template = template(TEMPLATE);
        let policy = policy(PolicyPurpose::Test, &template);
        assert_eq!(
            find(&policy, "PassRoles").unwrap()["Condition"]["StringEquals"]["iam:PassedToService"],
            json!([
                "edgelambda.amazonaws.com",
                "edgelambda.amazonaws.com.cn",
                "lambda.amazonaws.com"
            ])
        );
        let service_role = find(&policy, "PassServiceRoles").unwrap();
        assert_eq!(
            service_role["Resource"],
            json!(["arn:aws:iam::*:role/deploy"])
        );
        let others = policy.document["Statement"].as_array().unwrap();
        for other in others.iter().filter(|it| it["Condition"].is_null()) {
            assert!(
                !other["Action"]
                    .as_array()
                    .unwrap()
                    .contains(&"iam:PassRole".into())
            );
        }
        assert_eq!(
            find(&policy, "TaskcatStacks").unwrap()["Resource"],
            json!([
                "arn:aws:cloudformation:*:*:stack/tCaT-*/*",
                "arn:aws-cn:cloudformation:*:*:stack/tCaT-*/*"
            ])
        );
    }

    #[test]
    fn types_without_permissions_are_listed_once() {
        let template = template(TEMPLATE);
        let policy = policy(PolicyPurpose::Test, &template);
        let names: Vec<String> = policy
            .uncovered
            .iter()
            .map(|it| format!("{} {}", it.location, it.name))
            .collect();
        assert_eq!(names, ["t.yml:14:17 AWS::CodeBuild::Project"]);
        assert!(allows(&policy, "lambda:InvokeFunction"));
    }
}
