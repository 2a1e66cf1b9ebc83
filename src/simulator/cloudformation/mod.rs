//! CloudFormation: stacks that go through the service's statuses.
//!
//! Nothing runs in the background. Actions are queued with their time; every call first carries out
//! what is due by then, each action at its own time, so that a stack's history doesn't depend on
//! when callers look at it.
//!
//! Each module imports only those above it:
//!
//! - `error`: what actions answer, and the errors that they share
//! - `resource`: what a single resource is, and whether its properties are valid
//! - `state`: all stacks, their change sets, exports and scheduled actions
//! - `request`: what a call asks for, and the constraints of the API's model
//! - `evaluation`: templates evaluated for a stack, and compared with what it has
//! - `engine`: what happens: creation, update, deletion, import, and rollbacks
//! - `api`: the actions, and what they answer

mod api;
mod engine;
mod error;
mod evaluation;
mod request;
pub(crate) mod resource;
mod state;

use std::sync::Mutex;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::{Caller, Cloud, lock};
use engine::Engine;
use error::internal;
use state::resource_record::ResourceRecord;
use state::{CloudFormationState, Export};

pub(crate) use error::XmlResult;
pub(crate) use request::QueryRequest;

/// Stacks, change sets and exports of all accounts and regions.
#[derive(Default)]
pub(crate) struct CloudFormation {
    state: Mutex<CloudFormationState>,
}

impl CloudFormation {
    /// Carries out what is due by now, so that other services see what stacks have created or
    /// deleted.
    pub(crate) fn catch_up(&self, cloud: &Cloud) {
        let mut state = lock(&self.state);
        Engine::new(cloud, &mut state).catch_up();
    }

    /// Carries out an action.
    ///
    /// # Errors
    /// The error that the service answers, in its words.
    pub(crate) fn call(&self, cloud: &Cloud, action: &str, request: &QueryRequest) -> XmlResult {
        let mut state = lock(&self.state);
        let mut engine = Engine::new(cloud, &mut state);
        engine.catch_up();
        let result = api::call(&mut engine, action, request);
        match &state.defect {
            Some(defect) => Err(internal(defect)),
            None => result,
        }
    }

    /// Adds an export of a stack that the simulator doesn't have.
    pub(crate) fn add_export(&self, caller: &Caller, name: &str, value: &str) {
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

    /// Returns physical IDs and properties of the resources of a type in the caller's stacks.
    pub(crate) fn resources(
        &self,
        cloud: &Cloud,
        caller: &Caller,
        kind: &str,
    ) -> Vec<(String, Json)> {
        let mut state = lock(&self.state);
        Engine::new(cloud, &mut state).catch_up();
        let resources = state
            .stacks_of(caller)
            .flat_map(|(_, stack)| stack.resources.values());
        let is_there = |it: &&ResourceRecord| &*it.kind == kind && !it.is_deleted();
        let shown = |it: &ResourceRecord| {
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

    /// Returns the properties of a resource in a stack of the caller's, and when it was last
    /// changed.
    pub(crate) fn resource(
        &self,
        cloud: &Cloud,
        caller: &Caller,
        kind: &str,
        physical_id: &str,
    ) -> Option<(Json, Timestamp)> {
        let mut state = lock(&self.state);
        Engine::new(cloud, &mut state).catch_up();
        let mut resources = state
            .stacks_of(caller)
            .flat_map(|(_, stack)| stack.resources.values());
        let found = resources
            .find(|it| &*it.kind == kind && it.physical_id.as_deref() == Some(physical_id))
            .filter(|it| !it.is_deleted())?;
        let properties = found
            .properties
            .iter()
            .map(|(name, value)| (name.clone(), value.to_json()));
        Some((properties.collect::<Map<_, _>>().into(), found.changed))
    }
}
