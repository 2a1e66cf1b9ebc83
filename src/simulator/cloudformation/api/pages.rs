//! Lists in pages.
//!
//! A token names the position at which the next page begins, so that items that are added meanwhile
//! shift nothing.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::simulator::cloudformation::error::invalid;
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::error::ServiceError;
use crate::simulator::xml::XmlWriter;

/// The number of items in a page.
pub(crate) const PAGE: usize = 100;

/// Writes a page of a list, and returns it with the token of the next page.
pub(crate) fn page<T>(
    request: &QueryRequest,
    items: &[T],
    mut show: impl FnMut(&mut XmlWriter, &T),
) -> Result<(XmlWriter, Option<String>), ServiceError> {
    let start = page_start(request, items.len())?.unwrap_or(0);
    let end = items.len().min(start + PAGE);
    let mut xml = XmlWriter::new();
    for item in &items[start..end] {
        xml.element("member", |xml| show(xml, item));
    }
    Ok((xml, (end < items.len()).then(|| page_token(end))))
}

/// Returns the position that the request's token names, if it has one.
///
/// # Errors
/// Fails if the token isn't one of the simulator's, or names a position beyond `last`.
pub(crate) fn page_start(
    request: &QueryRequest,
    last: usize,
) -> Result<Option<usize>, ServiceError> {
    let Some(token) = request.text("NextToken").filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let bad = || invalid("The specified NextToken is invalid.");
    token_position(token)
        .filter(|position| *position <= last)
        .map(Some)
        .ok_or_else(bad)
}

/// Returns the token for a position.
pub(crate) fn page_token(position: usize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("next:{position}"))
}

/// Returns the position that a token names.
pub(crate) fn token_position(token: &str) -> Option<usize> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes)
        .ok()?
        .strip_prefix("next:")?
        .parse()
        .ok()
}

/// Returns a list under its name, with the token of the next page if there is one.
pub(crate) fn list_result(name: &str, page: (XmlWriter, Option<String>)) -> String {
    let mut xml = XmlWriter::new();
    xml.raw(name, &page.0.finish())
        .optional("NextToken", page.1);
    xml.finish()
}
