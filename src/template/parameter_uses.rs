//! What a template uses a parameter for.

use super::Template;
use super::expression::{Expression, Function, FunctionCall, Select};
use crate::yaml::Node;

impl Template {
    /// Returns how many items the parameter's value must have at least: one more than the highest
    /// index by which an item of it is selected; none if no item is.
    pub fn selected_items(&self, parameter: &str) -> usize {
        let mut most = 0;
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            if let Some(index) = selected_index(node, parameter) {
                most = most.max(index + 1);
            }
            open.extend(node.as_sequence().unwrap_or_default());
            open.extend(node.entries().iter().map(|(_, value)| value));
        }
        most
    }

    /// Returns whether a resource of the type gets the parameter's value as that property.
    pub fn sets_property(&self, parameter: &str, resource_type: &str, property: &str) -> bool {
        let resources = self.root.get("Resources").map(Node::entries);
        let mut resources = resources.unwrap_or_default().iter().map(|(_, it)| it);
        resources.any(|resource| {
            let value = resource.get("Properties").and_then(|it| it.get(property));
            resource.get("Type").and_then(Node::as_str) == Some(resource_type)
                && value.is_some_and(|it| is_ref(it, parameter))
        })
    }
}

fn is_ref(node: &Node, parameter: &str) -> bool {
    matches!(Expression::of(node), Expression::Ref(name) if &*name.text == parameter)
}

/// Returns the index by which the node selects an item of the parameter.
fn selected_index(node: &Node, parameter: &str) -> Option<usize> {
    let call = FunctionCall::of(node).filter(|it| it.function == Some(Function::Select))?;
    let select = Select::of(call.argument)?;
    let index = select.index.text.parse().ok()?;
    is_ref(select.list, parameter).then_some(index)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_highest_index_counts() {
        let text = "Parameters: {Zones: {Type: CommaDelimitedList}}\nResources:\n  S:\n    Type: \
                    AWS::EC2::Subnet\n    Properties:\n      AvailabilityZone: !Select ['2', !Ref \
                    Zones]\n      CidrBlock: !Select [7, !Ref Others]\nOutputs: {Z: {Value: \
                    !Select [0, !Ref Zones]}}\n";
        let file: Arc<Path> = Arc::from(Path::new("t.yml"));
        let template = Template::parse(&file, "t.yml".to_owned(), text).0.unwrap();
        assert_eq!(template.selected_items("Zones"), 3);
        assert_eq!(template.selected_items("None"), 0);
    }

    #[test]
    fn properties_that_are_the_value_of_a_parameter() {
        let text =
            "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref Name}}\n";
        let file: Arc<Path> = Arc::from(Path::new("t.yml"));
        let template = Template::parse(&file, "t.yml".to_owned(), text).0.unwrap();
        let sets = |name, property| template.sets_property(name, "AWS::S3::Bucket", property);
        assert!(sets("Name", "BucketName"));
        assert!(!sets("Other", "BucketName") && !sets("Name", "Tags"));
    }
}
