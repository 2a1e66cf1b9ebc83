//! `taskcat simulator`: the simulator as a server for any AWS client.

use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::simulator::clock::Clock;
use crate::simulator::scenario::{self, Scenario};
use crate::simulator::{ACCOUNT_ID, Cloud, Simulator as Running};

use super::block_on;
use super::error::{CliError, Exit};

/// Answers as S3, STS, EC2, SSM and Secrets Manager, on this machine and with no AWS. CloudFormation knows no operation
/// yet.
///
/// Prints the environment that sends AWS clients to it, and runs until it is interrupted. What it holds is gone then.
/// It listens on the loopback interface alone and verifies no signatures. An access key of twelve digits is the
/// caller's account ID; any other belongs to the account 123456789012.
#[derive(Args)]
pub struct Simulator {
    /// Port to listen on; without it, any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,

    /// How many times faster than AWS things happen; `inf` takes no time at all.
    #[arg(long, value_name = "FACTOR", default_value = "60", value_parser = speed)]
    speed: f64,

    /// What goes wrong on purpose: a file in YAML or JSON, as schemas/scenario.schema.json describes it.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
}

impl Simulator {
    pub fn run(self) -> Result<Exit, CliError> {
        let scenario = match &self.scenario {
            Some(file) => scenario::read(file).map_err(CliError::Diagnostics)?,
            None => Scenario::default(),
        };
        block_on(serve(self.port, Cloud::new(Clock::new(self.speed), scenario)))
    }
}

async fn serve(port: u16, cloud: Cloud) -> Result<Exit, CliError> {
    let unheard = |error| CliError::local("can't wait for signals", error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let refused = |error| CliError::local(format!("can't listen on 127.0.0.1:{port}"), error);
    let running = Running::start(port, cloud).await.map_err(refused)?;
    anstream::println!("{}", environment(&running.endpoint_url()));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    running.stop().await;
    Ok(Exit::Passed)
}

/// For a shell to read: `eval "$(…)"` takes it as it stands.
fn environment(endpoint_url: &str) -> String {
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint_url),
        ("AWS_ACCESS_KEY_ID", ACCOUNT_ID),
        ("AWS_SECRET_ACCESS_KEY", "simulated"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ];
    variables.map(|(name, value)| format!("export {name}={value}")).join("\n")
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed > 0.0 => Ok(speed),
        _ => Err("a number above zero".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_above_zero() {
        let check = |text: &str, expect: Option<f64>| assert_eq!(speed(text).ok(), expect, "{text}");
        check("60", Some(60.0));
        check("0.5", Some(0.5));
        check("inf", Some(f64::INFINITY));
        check("0", None);
        check("-1", None);
        check("nan", None);
        check("fast", None);
    }
}
