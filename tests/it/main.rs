//! End-to-end tests: they drive the real `taskcat` binary against servers that others wrote and
//! against its own simulator, and look at what it leaves there, what it sends and what it writes.
//!
//! `servers`, `aws`, `sources`, `proxy`, `project`, `taskcat` and `lambda` are the means; every
//! other module is one subject. What needs our simulator alone runs with `cargo test`. What needs
//! other servers, Python or a browser is ignored there, each test with its reason; `tests/run.sh`
//! installs all of that and runs everything.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

/// Declares functions of a server's kind as tests: of all servers, of the two that others wrote, or
/// of the one that can. Those of other servers are ignored by default; an attribute goes to the
/// simulator's test.
macro_rules! tests_on {
    (all: $($(#[$attribute:meta])* $name:ident),+ $(,)?) => {
        tests_on!(both: $($name),+);
        tests_on!(simulator: $($(#[$attribute])* $name),+);
    };
    (both: $($name:ident),+ $(,)?) => {
        tests_on!(ministack: $($name),+);
        tests_on!(moto: $($name),+);
    };
    (ministack: $($name:ident),+ $(,)?) => {
        mod ministack {
            $(
                #[test]
                #[ignore = "needs ministack; run tests/run.sh"]
                fn $name() { super::$name(crate::servers::Kind::Ministack) }
            )+
        }
    };
    (simulator: $($(#[$attribute:meta])* $name:ident),+ $(,)?) => {
        mod simulator {
            $(#[test] $(#[$attribute])* fn $name() { super::$name(crate::servers::Kind::Simulator) })+
        }
    };
    (moto: $($name:ident),+ $(,)?) => {
        mod moto {
            $(
                #[test]
                #[ignore = "needs moto; run tests/run.sh"]
                fn $name() { super::$name(crate::servers::Kind::Moto) }
            )+
        }
    };
}

mod arguments;
mod assumptions;
mod aws;
#[cfg(feature = "lambda")]
mod lambda;
mod project;
mod proxy;
mod servers;
mod sources;
mod taskcat;

mod buckets;
mod budgets;
mod changed_tests;
mod checking;
mod checkouts;
mod clean;
mod clock;
mod configuration;
mod corpus;
mod credential_chain;
mod credentials;
mod dependencies;
mod deploy_options;
mod deploying;
mod differential;
mod differential_stacks;
mod distribution;
mod doctor;
mod documentation;
mod emptying;
mod emulators;
mod exit_codes;
mod failed_checks;
mod failures;
mod faults;
mod generate_config;
mod generate_iam_policy;
mod generated;
#[cfg(feature = "lambda")]
mod git_merge;
mod github;
mod habits;
mod help;
mod hooks;
mod hosts;
mod inputs;
mod interruption;
mod layers;
mod leftovers;
mod limits;
mod linting;
mod local;
mod message_locations;
mod messages;
mod migrating;
mod network;
mod package_command;
mod packaging;
mod page;
mod permissions;
mod pipeline_command;
mod pipeline_configuration;
#[cfg(feature = "lambda")]
mod pipeline_events;
#[cfg(feature = "lambda")]
mod pipeline_guide;
#[cfg(feature = "lambda")]
mod pipeline_merging;
#[cfg(feature = "lambda")]
mod pipeline_permissions;
mod pipeline_rendered;
mod pipeline_template;
#[cfg(feature = "lambda")]
mod pipeline_walk;
mod plan_errors;
mod planning;
mod profiles;
mod project_discovery;
mod pytest_example;
mod redacting;
mod regions;
mod rendering;
mod report_folder;
mod reporting;
mod resuming;
mod retention;
mod retrying;
mod root_causes;
mod sample;
mod scenarios;
mod secrets;
mod seeds;
mod selection;
mod shared_buckets;
mod simulator;
mod stack_checks;
mod stacks;
mod symbolic_links;
mod terminal;
mod update_ami;
mod updating;
mod upload;
mod usage_errors;
mod verdicts;
