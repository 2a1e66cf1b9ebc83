//! Templates evaluated for a stack: what it would be, and what an update would change.
//!
//! - `world`: what lies outside of a template, as the evaluator asks for it
//! - `revision`: a template with the values of its parameters, evaluated; `nested`: what a nested
//!   stack's properties ask for
//! - `comparison`: what an update does with each resource, and why; `context`: a resource and its
//!   values as change sets show them

pub mod comparison;
pub mod context;
pub mod nested;
pub mod revision;
pub mod world;
