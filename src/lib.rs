//! The map of taskcat.

pub mod diagnostic;
pub mod event;
pub mod process;

pub mod yaml;

pub mod catalog;
pub mod config;
pub mod template;

pub mod plan;

pub mod stage;
