//! Rewrites templates before evaluation: the `Transform` section and `Fn::Transform`
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/transform-section-structure.html>).
//!
//! Macros are applied from the most deeply nested one outward, followed by those of the `Transform`
//! section in their order. Two of them are implemented here; the results of others are unknown, and
//! [`Macros`] says what is affected.
//!
//! - `include`: `AWS::Include`, and macro calls inside of the template
//! - `language`: `AWS::LanguageExtensions`: loops, and functions where the basic language requires
//!   a name

mod include;
mod language;

use std::collections::HashSet;

use super::evaluate::Evaluator;
use super::macros::{
    Expanded, INCLUDE, LANGUAGE_EXTENSIONS, MacroCall, Macros, NamePattern, add, calls, is_call,
    named, top_level,
};
use super::value::{Failure, Unknown};
use crate::diagnostic::Position;
use crate::yaml::{Node, NodeValue};

pub(super) fn expanded(evaluator: &Evaluator) -> Expanded {
    let root = &evaluator.template.root;
    let macros = evaluator.macros.clone();
    let mut work = TransformState {
        evaluator,
        macros,
        failures: Vec::new(),
        told: HashSet::new(),
    };
    let mut tree = include::has_calls(root).then(|| include::expanded(&mut work, root));
    for call in top_level(root) {
        let before = tree.as_ref().unwrap_or(root);
        match call.name {
            Some(INCLUDE) => tree = Some(include::at_top_level(&mut work, before, &call)),
            Some(LANGUAGE_EXTENSIONS) => tree = Some(language::expanded(&mut work, before)),
            Some(_) => {}
            None => work.fail(call.at, include::MALFORMED),
        }
    }
    work.macros.settle_serverless(tree.as_ref().unwrap_or(root));
    Expanded {
        root: tree,
        macros: work.macros,
        failures: work.failures,
    }
}

/// The state that the transforms of a template share.
struct TransformState<'e> {
    evaluator: &'e Evaluator<'e>,
    macros: Macros,
    failures: Vec<Failure>,
    /// Recorded failures by position and message, since nested loops repeat the same mistake.
    told: HashSet<(Position, String)>,
}

impl TransformState<'_> {
    fn fail(&mut self, at: Position, message: impl Into<String>) {
        let message = message.into();
        if self.told.insert((at, message.clone())) {
            self.failures.push(self.evaluator.failure(at, message));
        }
    }

    /// Records what may fail, or can't be done, because of something unknown.
    fn doubt(&mut self, at: Position, unknown: &Unknown, message: impl Into<String>) {
        let message = message.into();
        if self.told.insert((at, message.clone())) {
            self.evaluator
                .undecided(unknown, self.evaluator.failure(at, message));
        }
    }

    fn made(&mut self, section: &str, names: NamePattern, unknown: Unknown) {
        self.macros.add_made(section, names, unknown);
    }
}

fn text(text: &str, at: Position) -> Node {
    Node {
        value: NodeValue::String(text.into()),
        tag: None,
        text: text.into(),
        at,
    }
}

fn sequence(items: Vec<Node>, at: Position) -> Node {
    Node {
        value: NodeValue::Sequence(items),
        tag: None,
        text: "".into(),
        at,
    }
}

fn mapping(entries: Vec<(Node, Node)>, at: Position) -> Node {
    Node {
        value: NodeValue::Mapping(entries),
        tag: None,
        text: "".into(),
        at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::evaluate::tests::{parameter_values, place, template};
    use crate::template::evaluate::{EvaluationEnvironment, NestedTemplate};
    use crate::template::value::Value as Evaluated;
    use crate::template::{EvaluatedStack, Template, evaluate};

    /// Files by S3 location.
    pub struct IncludedFiles<'a>(pub &'a [(&'a str, &'a str)]);

    impl EvaluationEnvironment for IncludedFiles<'_> {
        fn included(&self, location: &str) -> Result<Option<Node>, String> {
            let content = self
                .0
                .iter()
                .find(|(known, _)| *known == location)
                .map(|(_, content)| *content);
            let file = std::sync::Arc::from(std::path::Path::new("snippet.yaml"));
            Ok(content.and_then(|content| crate::yaml::parse(&file, content).root))
        }

        fn nested<'w>(&'w self, _: &'w Template, _: &str, _: &Evaluated) -> NestedTemplate<'w> {
            NestedTemplate::Unknown {
                unknown: Unknown::asked("template"),
                likely: None,
            }
        }
    }

    /// Returns the expanded template as JSON, without its `Parameters`, `Mappings` and `Transform`.
    pub fn expand(text: &str, files: &[(&str, &str)]) -> String {
        let template = template(text);
        let place = place("us-east-1");
        let world = IncludedFiles(files);
        let evaluator =
            crate::template::evaluator(&template, &place, &parameter_values(&[]), &world);
        let mut json = evaluator.root.to_json();
        if let Some(sections) = json.as_object_mut() {
            ["Parameters", "Mappings", "Transform"]
                .iter()
                .for_each(|section| drop(sections.remove(*section)));
        }
        json.to_string()
    }

    pub fn stack(text: &str, files: &[(&str, &str)]) -> EvaluatedStack {
        evaluate(
            &template(text),
            &place("us-east-1"),
            &parameter_values(&[]),
            &IncludedFiles(files),
        )
    }

    /// Returns failures as `line: message`, undecided ones as `line? message (why)`.
    pub fn said(text: &str, files: &[(&str, &str)]) -> Vec<String> {
        let stack = stack(text, files);
        let failures = stack
            .failures
            .iter()
            .map(|it| format!("{}: {}", it.at.at.line, it.message));
        let undecided = stack.undecided.iter().map(|it| {
            format!(
                "{}? {} ({})",
                it.failure.at.at.line, it.failure.message, it.unknown
            )
        });
        failures.chain(undecided).collect()
    }

    #[test]
    fn the_transform_section_is_parsed() {
        let check = |transform: &str, extensions: bool, serverless: bool, unknown: Option<&str>| {
            let macros =
                Macros::of(&template(&format!("Transform: {transform}\nResources: {{}}\n")).root);
            let found = macros.unknown().map(|unknown| unknown.to_string());
            assert_eq!(
                (
                    macros.has_language_extensions(),
                    macros.is_serverless(),
                    found.as_deref()
                ),
                (extensions, serverless, unknown),
                "{transform}"
            );
        };
        check("AWS::LanguageExtensions", true, false, None);
        check(
            "[AWS::LanguageExtensions, AWS::Serverless-2016-10-31]",
            true,
            true,
            None,
        );
        check(
            "[[AWS::LanguageExtensions, AWS::Serverless-2016-10-31]]",
            true,
            true,
            None,
        );
        check(
            "{Name: AWS::Include, Parameters: {Location: s3://b/a}}",
            false,
            false,
            None,
        );
        check(
            "[AWS::CodeDeployBlueGreen, AWS::SecretsManager-2020-07-23, AWS::ServiceCatalog]",
            false,
            false,
            None,
        );
        check("Mine", false, false, Some("macro Mine"));
        check(
            "[Mine, {Name: '123456789012::Yours'}]",
            false,
            false,
            Some("macro 123456789012::Yours, macro Mine"),
        );
        check(
            "AWS::Future-2099",
            false,
            false,
            Some("macro AWS::Future-2099"),
        );
        check("[]", false, false, None);
    }

    #[test]
    fn a_template_without_transforms_is_unchanged() {
        let template = template("Resources: {A: {Type: T, Properties: {P: !Ref AWS::Region}}}\n");
        let place = place("us-east-1");
        let world = IncludedFiles(&[]);
        let evaluator =
            crate::template::evaluator(&template, &place, &parameter_values(&[]), &world);
        assert_eq!(expanded(&evaluator).root, None);
    }

    #[test]
    fn serverless_models_create_resources() {
        let text = "Transform: AWS::Serverless-2016-10-31\nResources:\n  F: {Type: \
            AWS::Serverless::Function}\nOutputs:\n  \
                    Role: {Value: !GetAtt FRole.Arn}\n  Api: {Value: !Ref ServerlessRestApi}\n  F: \
                    {Value: !Ref F}\n";
        let stack = stack(text, &[]);
        assert_eq!(said(text, &[]), [""; 0]);
        let unknown =
            |output: &str| stack.outputs[output].value().unwrap().to_json()["Unknown"].to_string();
        assert_eq!(unknown("Role"), "\"attribute Arn of FRole\"");
        assert_eq!(unknown("Api"), "\"physical ID of ServerlessRestApi\"");
        assert_eq!(unknown("F"), "\"physical ID of F\"");
        let conditions = text.replace("Type: AWS", "Condition: C, Type: AWS");
        assert_eq!(
            said(&conditions, &[]),
            ["3: Template format error: Condition C is not defined."]
        );
    }

    #[test]
    fn a_serverless_transform_without_work_changes_nothing() {
        let check = |rest: &str, expected: Option<&str>, failures: &[&str]| {
            let text = format!("Transform: AWS::Serverless-2016-10-31\n{rest}");
            let template = template(&text);
            let place = place("us-east-1");
            let world = IncludedFiles(&[]);
            let evaluator =
                crate::template::evaluator(&template, &place, &parameter_values(&[]), &world);
            let found = evaluator
                .macros
                .only_aws_runs()
                .map(|unknown| unknown.to_string());
            assert_eq!(
                (found.as_deref(), said(&text, &[])),
                (
                    expected,
                    failures.iter().map(|it| (*it).to_owned()).collect()
                ),
                "{text}"
            );
        };
        let serverless = Some("macro AWS::Serverless-2016-10-31");
        check("Resources: {B: {Type: AWS::S3::Bucket}}\n", None, &[]);
        check(
            "Resources: {B: {Type: AWS::Serverless::Api}}\n",
            serverless,
            &[],
        );
        check(
            "Resources: {B: {Type: AWS::S3::Bucket, Connectors: {C: {Properties: {}}}}}\n",
            serverless,
            &[],
        );
        check(
            "Globals: {Function: {Timeout: 3}}\nResources: {B: {Type: AWS::S3::Bucket}}\n",
            serverless,
            &[],
        );
        let misspelt = "Invalid template resource property 'Propertys'";
        check(
            "Resources: {B: {Type: AWS::S3::Bucket, Propertys: {}}}\n",
            None,
            &[&format!("2: {misspelt}")],
        );
        check(
            "Resources: {B: {Type: AWS::S3::Bucket, Propertys: {}}, C: {Type: \
             AWS::Serverless::Api}}\n",
            serverless,
            &[],
        );
    }

    #[test]
    fn modules_have_resources_of_their_own() {
        let text = "Resources:\n  M: {Type: Org::Service::Thing::MODULE}\n  A: {Type: T, \
            DependsOn: MBucket, Properties: {P: !GetAtt MBucket.Arn, Q: !Ref M.Bucket}}\n  \
                    B: {Type: T, DependsOn: NBucket}\n";
        assert_eq!(
            said(text, &[]),
            [
                "4: Template format error: Unresolved resource dependencies [NBucket] in the \
                 Resources block of the template"
            ]
        );
    }

    #[test]
    fn a_macro_over_the_template_makes_everything_undecided() {
        let text = "Transform: Mine\nResources: {A: {Type: T, DependsOn: B}}\n";
        assert_eq!(
            said(text, &[]),
            [
                "2? Template format error: Unresolved resource dependencies [B] in the Resources \
                 block of the template \
              (macro Mine)"
            ]
        );
        assert_eq!(
            stack(text, &[]).rewritten_by.unwrap().to_string(),
            "macro Mine"
        );
    }
}
