//! IAM: what clients ask of the account before they begin. It has no users, roles or policies of
//! its own.

use super::cloudformation::XmlResult;
use super::query::QueryForm;
use super::xml::XmlWriter;

/// The answer to an action, or `None` where IAM here has no such action.
pub fn call(form: &QueryForm) -> Option<XmlResult> {
    match form.action.as_str() {
        "ListAccountAliases" => Some(Ok(no_aliases())),
        _ => None,
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html>
fn no_aliases() -> String {
    let mut xml = XmlWriter::new();
    xml.raw("AccountAliases", "").text("IsTruncated", false);
    xml.finish()
}
