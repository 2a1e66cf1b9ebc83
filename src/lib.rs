//! The map of taskcat.

pub mod diagnostic;
pub mod event;
pub mod process;

pub mod yaml;

pub mod catalog;
pub mod config;
pub mod template;

pub mod lint;

pub mod plan;

pub mod package;
pub mod stage;

pub mod launch;
