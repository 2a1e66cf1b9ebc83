//! The simulator: CloudFormation, S3, STS, EC2, SSM, Secrets Manager and a bit of IAM and
//! CodePipeline on the wire, with no AWS behind them.
//!
//! It evaluates templates with `template`, so what fails in it fails for a reason that
//! CloudFormation would give. It doesn't know the steps of a run, and they don't know it: they talk
//! to an endpoint. Nothing runs in the background: whoever asks first brings the state up to date.
//!
//! - `server` and `connections`: connections and their bounds; `origin`: requests that a page in a
//!   browser sends are refused; `dispatch`: which service a request is for; `caller`: whose it is
//! - `query` (awsQuery: CloudFormation, STS, IAM, EC2) and `json` (SSM, Secrets Manager,
//!   CodePipeline): the protocols; S3's is `s3s`'s
//! - one module a service
//! - `scenario`: what goes wrong on purpose; `fault`: how it goes wrong; `seed`: what is there from
//!   the start; `document`: how the files of both are read

pub mod clock;
pub mod cloudformation;
pub mod ec2;
pub mod s3;
pub mod scenario;
pub mod secrets_manager;
pub mod seed;
pub mod ssm;
pub mod sts;
pub mod xml;

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
mod server;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::Clock;
use scenario::{ResourceFacts, ResourceFault, Scenario};
use seed::Seeds;
use server::Server;

/// The account of callers whose access key doesn't name one.
pub const ACCOUNT_ID: &str = "123456789012";

/// Everything there is: accounts, regions, buckets, stacks.
pub struct Cloud {
    pub clock: Clock,
    pub cloudformation: cloudformation::CloudFormation,
    pub s3: s3::Store,
    pub ssm: ssm::ParameterStore,
    pub secrets: secrets_manager::SecretsManager,
    pub key_pairs: ec2::KeyPairs,
    pub scenario: Scenario,
    pub seeds: Seeds,
}

/// Who calls, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    pub region: String,
}

impl Cloud {
    /// An empty one.
    pub fn new(clock: Clock, scenario: Scenario) -> Self {
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

    /// The same with what is seeded.
    pub fn with_seeds(self, seeds: Seeds) -> Self {
        let cloud = Self { seeds, ..self };
        cloud.seeds.create_buckets(&cloud);
        cloud
    }

    /// What the scenario does to a resource whose creation, update or deletion begins now. To ask
    /// is an attempt, and attempts are counted. `takes` is as AWS's time; the clock scales it.
    pub fn resource_fault(&self, facts: &ResourceFacts) -> ResourceFault {
        self.scenario
            .resource_fault(facts, &|bucket| self.s3.is_empty(bucket))
    }
}

/// A running simulator. Dropped without [`Simulator::stop`], it stops with its runtime.
pub struct Simulator {
    cloud: Arc<Cloud>,
    server: Server,
}

/// How long [`Simulator::stop`] waits for answers that are on their way.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

impl Simulator {
    /// Listens on the loopback interface: on `port`, or on any free one for 0.
    ///
    /// # Errors
    /// The port is taken, or may not be used.
    pub async fn start(port: u16, cloud: Cloud) -> io::Result<Self> {
        let cloud = Arc::new(cloud);
        let server = Server::start(port, cloud.clone()).await?;
        Ok(Self { cloud, server })
    }

    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.cloud
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What clients take for their endpoint: `http://127.0.0.1:4566`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Takes no more requests, finishes those that are being answered, and cuts what takes longer
    /// than a few seconds.
    pub async fn stop(self) {
        self.server.stop(STOP_TIMEOUT).await;
    }
}

/// Takes a lock whoever panicked with it: the stores are whole between any two statements.
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
