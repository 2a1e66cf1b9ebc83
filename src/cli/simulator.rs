//! `taskcat simulator`, the simulator as a server for any AWS client; and `--local`, the simulator
//! in the process of a run.

use std::env;
use std::path::PathBuf;

use clap::Args;

use crate::aws::{AccessKeys, Aws};
use crate::os;
use crate::simulator::clock::Clock;
use crate::simulator::scenario::{self, Scenario};
use crate::simulator::seed::{self, Seeds};
use crate::simulator::{ACCOUNT_ID, Cloud, Simulator as Running};

use super::error::{CliError, ExitStatus};
use super::paths::path;
use super::{block_on, streams};

const SECRET_ACCESS_KEY: &str = "simulated";

const EXAMPLE: &str = "\
Example, in one terminal:
  taskcat simulator --port 4566

and in another, after the `export` lines that it prints:
  aws s3 mb s3://my-bucket
  taskcat test run

In one terminal, or in a script:
  taskcat simulator >simulator.env & sleep 1
  . ./simulator.env
  taskcat test run
  kill $!";

/// Run a local AWS simulator.
///
/// Simulates CloudFormation, S3, STS, EC2, SSM and Secrets Manager on this machine. CodePipeline
/// describes the pipelines of stacks, which never run.
///
/// Prints the environment variables that point AWS clients to it, and runs until it is interrupted.
/// Keeps everything in memory, listens on the loopback interface only, and doesn't verify
/// signatures. An access key of twelve digits is the account ID of the caller; any other key
/// belongs to the account 123456789012.
///
/// `taskcat test run --local` starts a simulator of its own.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct SimulatorArgs {
    /// Port to listen on [default: any free port].
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true
    )]
    port: u16,

    #[command(flatten)]
    behaviour: SimulatorBehavior,
}

/// Options for the simulator's behavior.
#[derive(Args)]
pub(super) struct SimulatorBehavior {
    /// Run the simulator FACTOR times faster than AWS; `inf` skips all waiting.
    #[arg(long, value_name = "FACTOR", default_value = "60", value_parser = speed)]
    speed: f64,

    /// Inject faults into the simulator, described by a YAML or JSON file (see
    /// docs/guides/scenarios.md).
    #[arg(long, value_name = "FILE", value_parser = path())]
    scenario: Option<PathBuf>,

    /// Fill the simulator from a YAML or JSON file: SSM parameters, secrets, buckets, exports, key
    /// pairs, images, hosted zones and VPCs (see docs/seeds.md). Can be repeated.
    #[arg(long, value_name = "FILE", value_parser = path())]
    seed: Vec<PathBuf>,
}

impl SimulatorBehavior {
    /// Reads the scenario and all seeds.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub(super) fn read(&self) -> Result<(Scenario, Seeds), CliError> {
        let mut problems = Vec::new();
        let (scenario, mut seeds) = match self.scenario.as_deref().map(scenario::read) {
            None => Default::default(),
            Some(Ok(read)) => read,
            Some(Err(diagnostics)) => {
                problems.extend(diagnostics);
                Default::default()
            }
        };
        for file in &self.seed {
            match seed::read(file) {
                Ok(more) => seeds.add(more),
                Err(diagnostics) => problems.extend(diagnostics),
            }
        }
        if problems.is_empty() {
            Ok((scenario, seeds))
        } else {
            Err(CliError::Diagnostics(problems))
        }
    }

    /// Returns a simulated cloud with this behavior and the seeded data.
    pub(super) fn cloud(&self, scenario: Scenario, seeds: Seeds) -> Cloud {
        Cloud::new(Clock::new(self.speed), scenario).with_seeds(seeds)
    }
}

impl SimulatorArgs {
    pub(super) fn run(self) -> Result<ExitStatus, CliError> {
        let (scenario, seeds) = self.behaviour.read()?;
        block_on(serve(self.port, self.behaviour.cloud(scenario, seeds)))
    }
}

async fn serve(port: u16, cloud: Cloud) -> Result<ExitStatus, CliError> {
    let mut signals =
        os::stop_signals().map_err(|error| CliError::local("cannot wait for signals", error))?;
    let running = start(port, cloud).await?;
    streams::print_line(environment(&running.endpoint_url()));
    if streams::has_failed() {
        // Without the printed address, nobody could use it.
        running.stop().await;
        return Ok(ExitStatus::Passed);
    }
    signals.recv().await;
    running.stop().await;
    Ok(ExitStatus::Passed)
}

async fn start(port: u16, cloud: Cloud) -> Result<Running, CliError> {
    let refused = |error| CliError::local(format!("cannot listen on 127.0.0.1:{port}"), error);
    Running::start(port, cloud).await.map_err(refused)
}

/// The simulator of a single run. Everything in it ends with the run.
pub(super) struct LocalSimulator(Running);

impl LocalSimulator {
    pub(super) async fn start(cloud: Cloud) -> Result<Self, CliError> {
        start(0, cloud).await.map(Self)
    }

    pub(super) fn aws(&self) -> Aws {
        let keys = AccessKeys {
            access_key_id: ACCOUNT_ID.to_owned(),
            secret_access_key: SECRET_ACCESS_KEY.to_owned(),
        };
        Aws::at(self.0.endpoint_url(), keys)
    }

    /// Returns environment variables that keep programs started by the run away from AWS, and send
    /// their AWS clients here.
    pub(super) fn hook_environment(&self) -> Vec<(String, Option<String>)> {
        let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let removed = names
            .filter(|name| name.starts_with("AWS_"))
            .map(|name| (name, None));
        let set = |(name, value): (&str, &str)| (name.to_owned(), Some(value.to_owned()));
        let mut environment: Vec<_> = removed
            .chain(variables(&self.0.endpoint_url()).map(set))
            .collect();
        // An explicitly named profile is not found, instead of reaching AWS.
        let none = [
            ("AWS_CONFIG_FILE", os::NULL_DEVICE),
            ("AWS_SHARED_CREDENTIALS_FILE", os::NULL_DEVICE),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        environment.extend(none.map(set));
        for name in ["NO_PROXY", "no_proxy"] {
            let others = env::var(name).ok().filter(|others| !others.is_empty());
            let others = others
                .map(|others| format!("{others},"))
                .unwrap_or_default();
            environment.push((
                name.to_owned(),
                Some(format!("{others}127.0.0.1,localhost")),
            ));
        }
        environment
    }

    pub(super) async fn stop(self) {
        self.0.stop().await;
    }
}

/// Returns lines for a shell.
fn environment(endpoint_url: &str) -> String {
    variables(endpoint_url)
        .map(|(name, value)| format!("export {name}={value}"))
        .join("\n")
}

/// Returns the variables that send AWS clients to the simulator.
fn variables(endpoint_url: &str) -> [(&'static str, &str); 5] {
    [
        ("AWS_ENDPOINT_URL", endpoint_url),
        ("AWS_ACCESS_KEY_ID", ACCOUNT_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ]
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed > 0.0 => Ok(speed),
        _ => Err("expected `inf` or a number greater than 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_above_zero() {
        let check =
            |text: &str, expect: Option<f64>| assert_eq!(speed(text).ok(), expect, "{text}");
        check("60", Some(60.0));
        check("0.5", Some(0.5));
        check("inf", Some(f64::INFINITY));
        check("0", None);
        check("-1", None);
        check("nan", None);
        check("fast", None);
    }
}
