//! Evaluates templates for a stack.
//!
//! - `world`: what templates refer to outside of themselves
//! - `revision`: evaluates a template with the values of its parameters; `nested`: the properties
//!   of nested stacks
//! - `comparison`: what an update does with each resource, and why; `context`: resources and values
//!   as change sets show them

pub(crate) mod comparison;
pub(crate) mod context;
mod details;
pub(crate) mod nested;
pub(crate) mod revision;
pub(crate) mod world;
