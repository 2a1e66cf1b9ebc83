//! Extracts what the templates say about their resources, for events and reports that trace a
//! failed resource to its line and its parameters.

use indexmap::IndexMap;

use crate::catalog;
use crate::event::{ParameterBinding, ParameterSource, ResourceSource, TemplateSource};
use crate::mask::MASK;
use crate::template::{
    self, OfflineEnvironment, ResourceUses, StackEnvironment, Template, Templates,
};
use crate::yaml::Node;

/// Returns all templates of the tests, including nested ones.
pub fn sources(templates: &Templates) -> Vec<TemplateSource> {
    templates
        .iter()
        .map(|template| source(template, templates))
        .collect()
}

fn source(template: &Template, templates: &Templates) -> TemplateSource {
    // For loops over a parameter, the default is as good a guess as any region.
    let partition = catalog::partition_of("us-east-1");
    let place = StackEnvironment::new("us-east-1", partition.name, partition.dns_suffix);
    let parameter_values = IndexMap::new();
    let world = OfflineEnvironment(templates);
    let evaluator = template::evaluator(template, &place, &parameter_values, &world);
    let parameters = template.parameters.iter().map(|it| {
        let default = it
            .default_text()
            .filter(|_| it.default.as_ref().is_some_and(Node::is_scalar));
        let default = default.map(|text| if it.no_echo { MASK.to_owned() } else { text });
        (
            it.key.clone(),
            ParameterSource {
                line: it.at.line,
                default,
                no_echo: it.no_echo,
            },
        )
    });
    let resources = template::uses(&evaluator).into_iter().map(|(id, uses)| {
        let child = template.children.iter().find(|child| child.is(&id));
        let resource = resource(uses, child.map(|child| child.template.clone()), templates);
        (id, resource)
    });
    let mappings = template
        .root
        .get("Mappings")
        .map_or(&[][..], |mappings| mappings.entries())
        .iter();
    TemplateSource {
        template: template.relative.clone(),
        parameters: parameters.collect(),
        mappings: mappings
            .map(|(name, _)| (name.text.to_string(), name.at.line))
            .collect(),
        resources: resources.collect(),
    }
}

fn resource(uses: ResourceUses, child: Option<String>, templates: &Templates) -> ResourceSource {
    let nested = child.as_deref().and_then(|child| templates.get(child));
    let hides = |key: &str| {
        nested.is_some_and(|it| it.parameters.iter().any(|it| it.key == key && it.no_echo))
    };
    let binding = |(key, binding): (String, template::ParameterSourceExpression)| {
        let binding = match binding {
            template::ParameterSourceExpression::Text(_) if hides(&key) => {
                ParameterBinding::Value(MASK.to_owned())
            }
            template::ParameterSourceExpression::Text(text) => ParameterBinding::Value(text),
            template::ParameterSourceExpression::Parameter(name) => ParameterBinding::Ref(name),
            template::ParameterSourceExpression::MadeOf(names) => {
                ParameterBinding::MadeOf(names.into_iter().collect())
            }
        };
        (key, binding)
    };
    ResourceSource {
        line: uses.at.line,
        conditional: uses.conditional,
        parameters: uses.parameters.into_iter().collect(),
        depends_on: uses.resources.into_iter().collect(),
        template: child,
        gives: uses.gives.into_iter().map(binding).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::draft::tests::TempProject;

    #[test]
    fn a_template_and_the_one_that_it_nests() {
        let project = TempProject::new(&[
            (
                ".taskcat.yml",
                "project: {name: p, regions: [us-east-1]}\ntests: {t: {template: main.yaml, \
                 parameters: {Secret: x}}}\n",
            ),
            (
                "main.yaml",
                "Parameters:\n  Secret: {Type: String, NoEcho: true, Default: hush}\n  Env: {Type: \
                 String, Default: dev}\nMappings:\n  Sizes: {dev: {Size: s}}\nResources:\n  \
                 Inner:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      TemplateURL: \
                 inner.yaml\n      \
                 Parameters: {Key: word, Env: !Ref Env, Mix: !Sub '${Env}-x'}\n  \
                 Topic: {Type: AWS::SNS::Topic, DependsOn: Inner}\n",
            ),
            (
                "inner.yaml",
                "Parameters:\n  Key: {Type: String, NoEcho: true}\n  Env: {Type: String}\n  Mix: \
                 {Type: String}\nResources:\n  \
                 Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Mix}}\n",
            ),
        ]);
        let (templates, found) = Templates::load(project.root(), [("main.yaml".to_owned(), None)]);
        assert_eq!(found, []);
        let text = serde_json::to_string_pretty(&sources(&templates)).unwrap();
        insta::assert_snapshot!(text);
        assert!(!text.contains("hush") && !text.contains("word"));
    }
}
