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

/// Of everything that is listed, so much comes at once.
pub(crate) const PAGE: usize = 100;

/// A page of a list: what comes after the place that the token names, and the token of what is
/// left.
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

/// The place that the token names, if there is one.
///
/// # Errors
/// It is no token of ours, or lies beyond the last place.
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

pub(crate) fn page_token(position: usize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("next:{position}"))
}

pub(crate) fn token_position(token: &str) -> Option<usize> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes)
        .ok()?
        .strip_prefix("next:")?
        .parse()
        .ok()
}

/// A list under its name, and the token where there is more.
pub(crate) fn list_result(name: &str, page: (XmlWriter, Option<String>)) -> String {
    let mut xml = XmlWriter::new();
    xml.raw(name, &page.0.finish())
        .optional("NextToken", page.1);
    xml.finish()
}
