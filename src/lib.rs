//! The map of taskcat.

pub mod diagnostic;
pub mod event;
pub mod yaml;

pub mod catalog;
pub mod config;
pub mod template;

pub mod plan;

pub mod aws;

pub mod stage;

pub mod launch;
pub mod watch;
pub mod teardown;

pub mod report;
