//! The simulator: CloudFormation, S3, STS, EC2, SSM, Secrets Manager and parts of IAM and
//! CodePipeline over HTTP.
//!
//! It evaluates templates with `template`, so that templates fail for CloudFormation's reasons. It
//! doesn't know the steps of a run, and they don't know it: they send requests to an endpoint.
//! Nothing runs in the background: every call first brings the state up to date.
//!
//! - `server` and `connections`: connections and their limits; `origin`: refuses requests that a
//!   web page sends; `dispatch`: routes requests to services; `caller`: the caller of a request
//! - `query` (awsQuery: CloudFormation, STS, IAM, EC2) and `json` (SSM, Secrets Manager,
//!   CodePipeline): the protocols; S3's is provided by `s3s`
//! - one module for each service
//! - `scenario`: faults and hidden resources; `fault`: applies faults to calls; `seed`: the initial
//!   contents; `document`: reads both kinds of files

#![warn(unreachable_pub)]

pub(crate) mod clock;
mod cloud_control;
pub(crate) mod cloudformation;
pub(crate) mod ec2;
pub(crate) mod s3;
pub(crate) mod scenario;
pub(crate) mod secrets_manager;
pub(crate) mod seed;
pub(crate) mod ssm;
pub(crate) mod sts;
pub(crate) mod xml;

mod caller;
mod code_pipeline;
mod connections;
mod dispatch;
mod document;
mod error;
mod fault;
mod iam;
mod json;
mod origin;
mod query;
mod route53;
mod server;
mod service_quotas;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::Clock;
use scenario::{ResourceFacts, ResourceFault, Scenario};
use seed::Seeds;
use server::Server;

/// The account of callers whose access key doesn't contain one.
pub(crate) const ACCOUNT_ID: &str = "123456789012";

/// All accounts and regions with their stacks, buckets, parameters and secrets.
pub(crate) struct Cloud {
    pub(crate) clock: Clock,
    pub(crate) cloudformation: cloudformation::CloudFormation,
    pub(crate) s3: s3::Store,
    pub(crate) ssm: ssm::ParameterStore,
    pub(crate) secrets: secrets_manager::SecretsManager,
    pub(crate) key_pairs: ec2::KeyPairs,
    pub(crate) scenario: Scenario,
    pub(crate) seeds: Seeds,
}

/// The account and the region of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Caller {
    /// Twelve digits.
    pub(crate) account: String,
    pub(crate) region: String,
}

impl Cloud {
    /// Returns an empty cloud.
    pub(crate) fn new(clock: Clock, scenario: Scenario) -> Self {
        Self {
            clock,
            cloudformation: cloudformation::CloudFormation::default(),
            s3: s3::Store::default(),
            ssm: ssm::ParameterStore::default(),
            secrets: secrets_manager::SecretsManager::default(),
            key_pairs: ec2::KeyPairs::default(),
            scenario,
            seeds: Seeds::default(),
        }
    }

    /// Returns the cloud with the seeds in it.
    pub(crate) fn with_seeds(self, seeds: Seeds) -> Self {
        let cloud = Self { seeds, ..self };
        cloud.seeds.create_buckets(&cloud);
        cloud
    }

    /// Returns the scenario's fault for a resource whose creation, update or deletion begins now.
    /// Each call counts as an attempt. `takes` is nominal time, which the clock scales.
    pub(crate) fn resource_fault(&self, facts: &ResourceFacts) -> ResourceFault {
        self.scenario
            .resource_fault(facts, &|bucket| self.s3.is_empty(bucket))
    }
}

/// A running simulator. If it is dropped without [`Simulator::stop`], it stops with its runtime.
pub(crate) struct Simulator {
    server: Server,
}

/// How long [`Simulator::stop`] waits for responses that are being sent.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

impl Simulator {
    /// Listens on the loopback interface: on `port`, or on any free port if it is 0.
    ///
    /// # Errors
    /// Fails if the port is in use or not permitted.
    pub(crate) async fn start(port: u16, cloud: Cloud) -> io::Result<Self> {
        let server = Server::start(port, Arc::new(cloud)).await?;
        Ok(Self { server })
    }

    /// Returns the address that the simulator listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Returns the endpoint for clients: `http://127.0.0.1:4566`.
    pub(crate) fn endpoint_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Stops accepting requests, finishes the current ones, and closes connections that take longer
    /// than a few seconds.
    pub(crate) async fn stop(self) {
        self.server.stop(STOP_TIMEOUT).await;
    }
}

/// Locks a mutex even if a thread has panicked with it: the stores are consistent between any two
/// statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn it_starts_and_stops() {
        let simulator = Simulator::start(
            0,
            Cloud::new(Clock::new(f64::INFINITY), Scenario::default()),
        )
        .await
        .unwrap();
        let address = simulator.address();
        assert!(address.ip().is_loopback());
        assert_eq!(simulator.endpoint_url(), format!("http://{address}"));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /bucket/key HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 22];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 404 Not Found");
        let taken = Simulator::start(
            address.port(),
            Cloud::new(Clock::new(1.0), Scenario::default()),
        )
        .await;
        assert_eq!(
            taken.err().map(|error| error.kind()),
            Some(io::ErrorKind::AddrInUse)
        );
        let started = Instant::now();
        simulator.stop().await;
        assert!(
            started.elapsed() < STOP_TIMEOUT,
            "an idle connection kept it"
        );
        assert!(TcpStream::connect(address).await.is_err());
    }
}
