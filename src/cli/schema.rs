//! `taskcat schema`: prints the published JSON Schemas.

use clap::{Args, ValueEnum};

use super::error::ExitStatus;
use super::streams;

/// Print the JSON Schema of the configuration, or of a file that taskcat reads or writes.
///
/// For an editor with the YAML language server, write the schema of the configuration to a file and
/// name it in the first line of `.taskcat.yml`:
///
///   taskcat schema > .taskcat.schema.json
///
///   # yaml-language-server: $schema=.taskcat.schema.json
#[derive(Args)]
pub(super) struct SchemaArgs {
    /// What the schema describes.
    #[arg(value_enum, default_value_t = SchemaName::Config, value_name = "NAME")]
    name: SchemaName,
}

#[derive(Clone, Copy, ValueEnum)]
enum SchemaName {
    /// `.taskcat.yml`.
    Config,
    /// `report.json` of `test run`.
    Report,
    /// The output of `plan --format json`.
    Plan,
    /// The output of `lint --format json`.
    Lint,
    /// Scenario files of the simulator.
    Scenario,
    /// Seed files of the simulator.
    Seed,
}

impl SchemaArgs {
    pub(super) fn run(self) -> ExitStatus {
        streams::print(match self.name {
            SchemaName::Config => include_str!("../../schemas/taskcat-config.schema.json"),
            SchemaName::Report => include_str!("../../schemas/report.schema.json"),
            SchemaName::Plan => include_str!("../../schemas/plan.schema.json"),
            SchemaName::Lint => include_str!("../../schemas/lint.schema.json"),
            SchemaName::Scenario => include_str!("../../schemas/scenario.schema.json"),
            SchemaName::Seed => include_str!("../../schemas/seed.schema.json"),
        });
        ExitStatus::Passed
    }
}
