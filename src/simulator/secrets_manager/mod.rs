//! Secrets Manager: secrets with their current and previous value.
//!
//! - `store`: the secrets; `actions`: the actions

mod actions;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use store::{SecretDescription, SecretsManager};
