//! Which permissions CloudFormation needs for resources of a type.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::packed::unpack;

static PACKED: &[u8] = include_bytes!("../../schemas/resource-types-permissions.zst");

/// The IAM actions that the handlers of a resource type call, each sorted.
/// <https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandlerPermissions {
    /// Those of the handler that creates a resource.
    pub create: Vec<&'static str>,
    /// Those of the handler that reads one, which is called during every operation.
    pub read: Vec<&'static str>,
    /// Those of the handler that updates one.
    pub update: Vec<&'static str>,
    /// Those of the handler that deletes one.
    pub delete: Vec<&'static str>,
}

/// Returns the permissions for a type; `None` if its schema has none.
pub fn permissions(resource_type: &str) -> Option<HandlerPermissions> {
    let mut columns = table().get(resource_type)?.split('|').map(|column| {
        let actions = column.split(',').filter(|action| !action.is_empty());
        actions.collect::<Vec<_>>()
    });
    let mut next = || columns.next().unwrap_or_default();
    Some(HandlerPermissions {
        create: next(),
        read: next(),
        update: next(),
        delete: next(),
    })
}

fn table() -> &'static BTreeMap<&'static str, &'static str> {
    static TEXT: OnceLock<String> = OnceLock::new();
    static TABLE: OnceLock<BTreeMap<&str, &str>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let text = TEXT.get_or_init(|| unpack(PACKED).unwrap_or_default());
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(table().len(), 1756);
        let queue = permissions("AWS::SQS::Queue").unwrap();
        assert!(queue.create.contains(&"sqs:CreateQueue"));
        assert_eq!(queue.read, ["sqs:GetQueueAttributes", "sqs:ListQueueTags"]);
        assert!(queue.update.contains(&"sqs:SetQueueAttributes"));
        assert_eq!(queue.delete, ["sqs:DeleteQueue", "sqs:GetQueueAttributes"]);
        assert_eq!(permissions("Custom::Thing"), None);
    }
}
