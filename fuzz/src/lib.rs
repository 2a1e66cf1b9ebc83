//! taskcat's pure modules, without the rest of it.
//!
//! The whole library with the AWS SDK takes minutes to build under coverage instrumentation, and
//! nothing of it is fuzzed but these. They name each other with `crate::`, so they are declared
//! here under the names that they have in `../src/lib.rs`. A module that is fuzzed later is added
//! here, and its dependencies to Cargo.toml.

// Most of what stands in them is called by taskcat alone.
#![allow(dead_code, unused_imports)]

#[path = "../../src/diagnostic.rs"]
pub mod diagnostic;
#[path = "../../src/template/mod.rs"]
pub mod template;
#[path = "../../src/yaml/mod.rs"]
pub mod yaml;
