//! Errors that the engine doesn't find, with the IDs that cfn-lint has for them.
//!
//! An entry can be deleted with the version of the engine that finds its errors.

use std::path::PathBuf;

use super::{Finding, FindingLevel, LintSubject};
use crate::template::{Template, is_function_key};
use crate::yaml::Node;

/// An instance needs an image: its own, or that of a launch template
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-launchtemplate.html>).
pub(super) const IMAGE: &str = "E3673";

/// Returns the errors in a template with the values of its subject.
pub(super) fn findings(template: &Template, subject: &LintSubject) -> Vec<Finding> {
    if has_macro(template.root.get("Transform")) {
        return Vec::new();
    }
    let resources = template.root.get("Resources");
    let resources = resources.map_or(&[][..], Node::entries).iter();
    let without_image = resources.filter_map(|(id, resource)| {
        let is_instance = resource.get("Type").and_then(Node::as_str) == Some("AWS::EC2::Instance");
        let (key, properties) = entry(resource, "Properties")?;
        let has_image = properties.entries().iter().any(|(key, _)| {
            matches!(&*key.text, "ImageId" | "LaunchTemplate") || is_function_key(&key.text)
        });
        let is_error = is_instance
            && properties.as_mapping().is_some()
            && !has_image
            && !is_excluded(resource, subject);
        is_error.then(|| Finding {
            level: FindingLevel::Error,
            rule: IMAGE.to_owned(),
            message: "'ImageId' is a required property".to_owned(),
            short_description: "Validate if an ImageId is required".to_owned(),
            resource: Some(id.text.to_string()),
            location: template.location(key.at),
            template: PathBuf::from(&template.relative),
            only_in: Vec::new(),
        })
    });
    without_image.collect()
}

/// Returns whether a macro of the account may change the template.
fn has_macro(transform: Option<&Node>) -> bool {
    let Some(transform) = transform else {
        return false;
    };
    match transform.as_sequence() {
        Some(items) => items.iter().any(|item| has_macro(Some(item))),
        None => !transform.as_str().is_some_and(|it| it.starts_with("AWS::")),
    }
}

/// Returns whether the resource's condition is false with the values of the subject.
fn is_excluded(resource: &Node, subject: &LintSubject) -> bool {
    let Some(condition) = resource.get("Condition").and_then(Node::as_str) else {
        return false;
    };
    let mut conditions = subject.conditions.iter();
    conditions.any(|(name, value)| name == condition && !value)
}

fn entry<'n>(node: &'n Node, name: &str) -> Option<(&'n Node, &'n Node)> {
    let mut entries = node.entries().iter();
    let (key, value) = entries.find(|(key, _)| &*key.text == name)?;
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_instance_without_an_image_is_found() {
        let check = |before: &str, resource: &str, expect: &[u32]| {
            let text =
                format!("{before}Resources:\n  I:\n    Type: AWS::EC2::Instance\n{resource}");
            let file = Arc::from(Path::new("t.yaml"));
            let template = Template::parse(&file, "t.yaml".to_owned(), &text)
                .0
                .unwrap();
            let subject = LintSubject {
                conditions: vec![("Never".to_owned(), false), ("Always".to_owned(), true)],
                ..LintSubject::default()
            };
            let found = findings(&template, &subject);
            let lines: Vec<u32> = found.iter().map(|it| it.location.at.line).collect();
            assert_eq!(lines, expect, "{text}");
        };
        check("", "    Properties: {InstanceType: t3.micro}\n", &[4]);
        check("", "    Properties: {ImageId: ami-1}\n", &[]);
        check(
            "",
            "    Properties: {LaunchTemplate: {Version: '1'}}\n",
            &[],
        );
        check("", "    Properties: {'Fn::Transform': {Name: M}}\n", &[]);
        check(
            "",
            "    Condition: Never\n    Properties: {Monitoring: true}\n",
            &[],
        );
        check(
            "",
            "    Condition: Always\n    Properties: {Monitoring: true}\n",
            &[5],
        );
        check(
            "Transform: [Mine]\n",
            "    Properties: {Monitoring: true}\n",
            &[],
        );
        let extensions = "Transform: AWS::LanguageExtensions\n";
        check(extensions, "    Properties: {Monitoring: true}\n", &[5]);
    }
}
