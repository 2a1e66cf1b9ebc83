//! CloudFormation: stacks that go through the service's states.
//!
//! Nothing runs in the background. What is to happen stands in a queue with its time; every call
//! first lets happen what is due by now, each thing at its own time, so that a stack's history
//! doesn't depend on who looked at it and when.
//!
//! - `stack`: what is known of a stack, its resources and events; `state`: all of them, and the
//!   queue
//! - `source`, `request`, `revision`: a template, what a call asks for, and both together,
//!   evaluated
//! - `constraints`: what the API's model says of a call's parameters
//! - `world`: what lies outside of a template, as the evaluator asks for it
//! - `engine`: what happens: creation, update, deletion, and the ways back
//! - `resource`: what a single resource is, and whether it is as it must be
//! - `stack_policy`: which resources updates may touch
//! - `change_set`; `answer`: what callers are shown

mod answer;
mod change_set;
mod constraints;
mod engine;
mod request;
pub mod resource;
mod revision;
mod stack;
mod stack_policy;
mod state;
mod template_source;
mod world;

use std::sync::Mutex;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::error::ServiceError;
use super::{Caller, Cloud, lock};
use engine::Engine;
use state::{CloudFormationState, Export};

pub use request::QueryRequest;

/// Stacks, change sets and exports of all accounts and regions.
#[derive(Default)]
pub struct CloudFormation {
    state: Mutex<CloudFormationState>,
}

/// What the service answers: the XML inside of `<ActionResult>`, or an error.
pub type XmlResult = Result<String, ServiceError>;

impl CloudFormation {
    /// Lets happen what is due by now, so that another service sees what stacks have made or
    /// deleted.
    pub fn catch_up(&self, cloud: &Cloud) {
        let mut state = lock(&self.state);
        let now = cloud.clock.now();
        Engine {
            cloud,
            state: &mut state,
            now,
        }
        .catch_up();
    }

    /// Carries out an action.
    ///
    /// # Errors
    /// The error that the service answers, in its words.
    pub fn call(&self, cloud: &Cloud, action: &str, request: &QueryRequest) -> XmlResult {
        let mut state = lock(&self.state);
        let now = cloud.clock.now();
        let mut engine = Engine {
            cloud,
            state: &mut state,
            now,
        };
        engine.catch_up();
        constraints::check(action, request)?;
        match action {
            "CreateStack" => engine.create_stack(request),
            "UpdateStack" => engine.update_stack(request),
            "DeleteStack" => engine.delete_stack(request),
            "UpdateTerminationProtection" => engine.update_termination_protection(request),
            "CreateChangeSet" => engine.create_change_set(request),
            "ExecuteChangeSet" => engine.execute_change_set(request),
            "DeleteChangeSet" => engine.delete_change_set(request),
            "CancelUpdateStack" => engine.cancel_update_stack(request),
            "ContinueUpdateRollback" => engine.continue_update_rollback(request),
            "RollbackStack" => engine.rollback_stack(request),
            "SetStackPolicy" => engine.set_stack_policy(request),
            "DetectStackDrift" => answer::detect_stack_drift(&mut engine, request),
            action => {
                answer::read(&engine, action, request).unwrap_or_else(|| Err(unknown(action)))
            }
        }
    }

    /// Adds an export of a stack that isn't here.
    pub fn add_export(&self, caller: &Caller, name: &str, value: &str) {
        let key = (
            caller.account.clone(),
            caller.region.clone(),
            name.to_owned(),
        );
        let export = Export {
            value: value.to_owned(),
            stack: None,
        };
        lock(&self.state).exports.insert(key, export);
    }

    /// Physical IDs and properties of the resources of a type that the caller's stacks have made.
    pub fn resources(&self, cloud: &Cloud, caller: &Caller, kind: &str) -> Vec<(String, Json)> {
        let mut state = lock(&self.state);
        let now = cloud.clock.now();
        Engine {
            cloud,
            state: &mut state,
            now,
        }
        .catch_up();
        let resources = state
            .stacks_of(caller)
            .flat_map(|(_, stack)| stack.resources.values());
        let is_there = |it: &&stack::ResourceRecord| &*it.kind == kind && !it.is_deleted();
        let shown = |it: &stack::ResourceRecord| {
            let properties = it
                .properties
                .iter()
                .map(|(name, value)| (name.clone(), value.to_json()));
            Some((
                it.physical_id.as_deref()?.to_owned(),
                properties.collect::<Map<_, _>>().into(),
            ))
        };
        resources.filter(is_there).filter_map(shown).collect()
    }

    /// The properties of a resource that a stack of the caller's has made, and since when it is as
    /// it is.
    pub fn resource(
        &self,
        cloud: &Cloud,
        caller: &Caller,
        kind: &str,
        physical_id: &str,
    ) -> Option<(Json, Timestamp)> {
        let mut state = lock(&self.state);
        let now = cloud.clock.now();
        Engine {
            cloud,
            state: &mut state,
            now,
        }
        .catch_up();
        let mut resources = state
            .stacks_of(caller)
            .flat_map(|(_, stack)| stack.resources.values());
        let found = resources
            .find(|it| &*it.kind == kind && it.physical_id.as_deref() == Some(physical_id))?;
        let properties = found
            .properties
            .iter()
            .map(|(name, value)| (name.clone(), value.to_json()));
        Some((properties.collect::<Map<_, _>>().into(), found.changed))
    }
}

fn unknown(action: &str) -> ServiceError {
    error(
        "InvalidAction",
        format!("Could not find operation {action} for version 2010-05-15"),
    )
}

/// Nearly everything that is refused is so under this code.
fn invalid(message: impl Into<String>) -> ServiceError {
    error("ValidationError", message)
}

fn error(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(400, code, message)
}
