//! SSM: parameters, and the public ones under `/aws/service/`, of which templates mostly read AMI
//! IDs.
//!
//! - `store`: the parameters; `public`: those that AWS publishes
//! - `actions`: the actions; `filter`: the filters of DescribeParameters
//! - `name`: names of parameters

mod actions;
mod filter;
mod name;
mod public;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use name::check_name;
pub(crate) use store::{ParameterDescription, ParameterStore, SsmParameterType};
