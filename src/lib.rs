//! The map of taskcat.
//!
//! taskcat reads `.taskcat.yml`, determines every *test × region* (a **cell**), stages the project
//! to S3, launches the stacks concurrently, follows their events, writes reports, and finally
//! deletes everything that it created, even after errors.
//!
//! # Data flow
//!
//! ```text
//! .taskcat.yml, overrides, environment, flags ──▶ config ─┐
//! templates ──────────────────────────────────▶ template ─┼─▶ plan ──▶ run ──▶ exit code
//! what only AWS knows ─────────────────────────────▶ aws ─┘            │
//!        ┌────────────────────────────────────────────────────────────┘
//!        ├─▶ lint, package, stage
//!        ├─▶ launch ─▶ watch ─▶ teardown, for each test in each region
//!        └─▶ events ─▶ journal, report
//! ```
//!
//! # Layers
//!
//! The modules are listed from the lowest layer up. A lower one never imports a higher one:
//!
//! 1. [`diagnostic`], [`duration`], [`event`], [`input`], [`json_schema`], [`mask`], [`process`],
//!    [`report_files`], [`spelling`], [`status`], [`submodules`], [`wildcard`], [`yaml`] and
//!    [`catalog`] depend on (almost) nothing else.
//! 2. [`template`] and [`config`] read files; [`properties`] checks the properties of resources;
//!    [`plan`] combines them; [`ami`] finds and replaces AMI IDs; [`iam_policy`] derives
//!    permissions. All are pure: no call leaves the machine.
//! 3. [`aws`] is the only importer of `aws_sdk_*`; [`pipeline`] contains the stack of the CI/CD
//!    pipeline.
//! 4. [`lint`], [`package`], [`stage`], [`launch`], [`watch`] and [`teardown`] are the steps. They
//!    never import each other.
//! 5. [`report`] consumes events and imports no step.
//! 6. [`simulator`] simulates AWS on the wire. It imports [`template`] and [`catalog`]; only
//!    [`cli`] imports it.
//! 7. [`run`] executes the steps in order; [`cli`] is the only module that prints, exits and reads
//!    the environment.
//!
//! A second binary, `src/bin/git-merge`, is the Lambda function that merges what a pipeline has
//! tested.
//!
//! `tests/it/layers.rs` reads the imports and fails on an edge that isn't in its table.
//!
//! # Invariants
//!
//! * **Events are the only way out of the steps.** The dispatcher in [`run`] stamps, orders,
//!   redacts and counts them; every report is a fold of them, so a recorded run renders to the same
//!   reports.
//! * **The journal is written first.** What is about to be created is on disk before the call that
//!   creates it.
//! * **A cell fails alone.** Anything that goes wrong with one test in one region becomes that
//!   cell's verdict.
//! * **Everything that the run created is deleted**, and nothing else.
//! * **Secrets** (`NoEcho` parameters, generated passwords, fetched secrets) are masked before
//!   anything is shown.
//! * **One seam**: the endpoint and its credentials. The same requests go to AWS and to any
//!   replacement; every report says if the endpoint only simulates AWS.

// In tests, helper modules are `pub` for each other.
#![cfg_attr(not(test), warn(missing_docs, unreachable_pub))]
// Without the steps, some functions of the lower modules have no callers.
#![cfg_attr(not(feature = "cli"), allow(dead_code))]

pub mod diagnostic;
pub(crate) mod duration;
pub mod event;
pub(crate) mod input;
pub(crate) mod json_schema;
pub(crate) mod links;
pub mod mask;
pub(crate) mod os;
#[cfg(feature = "aws")]
pub(crate) mod process;
pub(crate) mod report_files;
pub(crate) mod spelling;
pub mod status;
pub(crate) mod submodules;
pub(crate) mod wildcard;
pub mod yaml;

pub mod catalog;
pub mod config;
pub mod template;

pub(crate) mod properties;

pub mod plan;

#[cfg(feature = "cli")]
pub(crate) mod ami;
#[cfg(feature = "cli")]
pub(crate) mod iam_policy;

#[cfg(feature = "aws")]
pub(crate) mod pipeline;

#[cfg(feature = "aws")]
pub mod aws;

#[cfg(feature = "aws")]
pub(crate) mod lint;
#[cfg(feature = "lint")]
pub use lint::EngineAllocator;
#[cfg(feature = "aws")]
pub(crate) mod package;
#[cfg(feature = "aws")]
pub(crate) mod stage;

#[cfg(feature = "aws")]
pub(crate) mod launch;

#[cfg(feature = "aws")]
pub(crate) mod watch;

#[cfg(feature = "aws")]
pub(crate) mod teardown;

pub mod report;

#[cfg(feature = "aws")]
pub(crate) mod run;

#[cfg(feature = "simulator")]
pub mod simulator;

#[cfg(feature = "cli")]
pub mod cli;
