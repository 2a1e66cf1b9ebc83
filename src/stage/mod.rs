//! What goes to which bucket under which key.

pub mod exclude;
pub mod local;
