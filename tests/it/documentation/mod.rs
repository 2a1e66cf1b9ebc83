//! README and the pages of `docs`: their links lead somewhere, their examples work, and the pages
//! that are generated are current.

mod configuration_reference;
mod links;
mod markdown;
mod messages;
mod snippets;
