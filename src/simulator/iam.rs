//! IAM: what clients ask before they begin. There are no users, roles or policies here.

use super::cloudformation::XmlResult;
use super::query::QueryForm;
use super::xml::XmlWriter;

/// Carries out an action; returns `None` if there is no such action.
pub(super) fn call(form: &QueryForm) -> Option<XmlResult> {
    match form.action.as_str() {
        "ListAccountAliases" => Some(Ok(no_aliases())),
        _ => None,
    }
}

/// Carries out `ListAccountAliases`.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html>
fn no_aliases() -> String {
    let mut xml = XmlWriter::new();
    xml.raw("AccountAliases", "").text("IsTruncated", false);
    xml.finish()
}
