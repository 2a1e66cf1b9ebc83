//! Elements that several actions return.

use crate::simulator::cloudformation::state::resource_record::{EventRecord, format_timestamp};
use crate::simulator::cloudformation::state::revision::Revision;
use crate::simulator::cloudformation::state::stack::StackRecord;
use crate::simulator::xml::XmlWriter;

/// Writes what DescribeStackEvents and DescribeEvents both show of an event.
pub(crate) fn write_event(xml: &mut XmlWriter, stack: &StackRecord, event: &EventRecord) {
    xml.text("EventId", event.name())
        .text("StackId", &stack.id)
        .text("OperationId", event.operation)
        .text("LogicalResourceId", &event.logical_id)
        .text(
            "PhysicalResourceId",
            event.physical_id.as_deref().unwrap_or_default(),
        )
        .text("ResourceType", &event.kind)
        .text("Timestamp", format_timestamp(event.at))
        .text("ResourceStatus", event.status.as_str())
        .optional("ResourceStatusReason", event.reason.as_deref())
        .optional("ResourceProperties", event_properties(stack, event))
        .optional("ClientRequestToken", event.token.as_deref());
}

/// Returns the properties of the resource that the event is about, as JSON without the values of
/// `NoEcho` parameters.
fn event_properties(stack: &StackRecord, event: &EventRecord) -> Option<String> {
    let properties = event.properties.as_ref()?;
    let object = properties
        .iter()
        .map(|(name, value)| (name.clone(), value.to_json()))
        .collect();
    let mut object = serde_json::Value::Object(object);
    if let Some(revision) = &stack.revision {
        revision.secrets().mask_json(&mut object);
    }
    Some(object.to_string())
}

/// Writes a list of strings.
pub(crate) fn members(
    xml: &mut XmlWriter,
    name: &str,
    texts: impl IntoIterator<Item = impl std::fmt::Display>,
) {
    xml.element(name, |xml| {
        for text in texts {
            xml.text("member", text);
        }
    });
}

/// Writes a revision's parameters; nothing if there are none.
pub(crate) fn write_parameters(xml: &mut XmlWriter, revision: &Revision) {
    if revision.parameters.is_empty() {
        return;
    }
    xml.element("Parameters", |xml| {
        for parameter in &revision.parameters {
            xml.element("member", |xml| {
                xml.text("ParameterKey", &parameter.key)
                    .text("ParameterValue", &parameter.value)
                    .optional("ResolvedValue", parameter.resolved.as_deref());
            });
        }
    });
}

/// Writes a list of tags.
pub(crate) fn write_tags(xml: &mut XmlWriter, tags: &[(String, String)]) {
    xml.element("Tags", |xml| {
        for (key, value) in tags {
            xml.element("member", |xml| {
                xml.text("Key", key).text("Value", value);
            });
        }
    });
}
