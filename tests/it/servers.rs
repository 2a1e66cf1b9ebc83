//! The servers that stand in for AWS: ministack and moto, written by others, started from their
//! virtual environments, and taskcat's own simulator.
//!
//! A test takes a server for itself and gives it back at its end; the next test that takes it finds
//! it empty. So tests run side by side without seeing each other, and a server is started only as
//! often as tests run at once. What stands on a server is asked of it with AWS's SDK ([`Aws`]),
//! never with the code under test.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::aws::Aws;

/// Which server. What one of them lacks is named in the test that leaves it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Creates stacks in the background, writes events of resources, checks parameters. Version
    /// 1.5.33.
    Ministack,
    /// Creates stacks before it answers, writes two events a stack. Version 5.2.5.
    Moto,
    /// taskcat's own, as a server of its own.
    Simulator,
}

/// The account that a server takes its callers for.
impl Kind {
    pub fn account_id(self) -> &'static str {
        match self {
            Self::Ministack => "000000000000",
            Self::Moto | Self::Simulator => "123456789012",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ministack => "ministack",
            Self::Moto => "moto",
            Self::Simulator => "simulator",
        }
    }

    /// A path that answers once the server is ready, and the one that empties it; the simulator is
    /// started anew instead.
    fn paths(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Ministack => ("/_ministack/health", Some("/_ministack/reset")),
            Self::Moto => ("/moto-api/data.json", Some("/moto-api/reset")),
            Self::Simulator => ("/no-bucket?location", None),
        }
    }

    /// Whatever it is, it ends when its standard input closes.
    fn command(self, port: u16) -> Command {
        match self {
            Self::Ministack | Self::Moto => {
                let mut command = Command::new(venv(self.name()).join("bin/python"));
                command
                    .arg(support("serve.py"))
                    .args([self.name(), &port.to_string()]);
                command
            }
            Self::Simulator => {
                let mut command = Command::new("sh");
                let program = env!("CARGO_BIN_EXE_taskcat");
                let script = r#""$0" simulator --speed 100 --port "$1" <&- & cat; kill $!"#;
                command.args(["-c", script, program, &port.to_string()]);
                command
            }
        }
    }

    fn idle(self) -> &'static Mutex<Vec<Process>> {
        static IDLE: [Mutex<Vec<Process>>; 3] = [const { Mutex::new(Vec::new()) }; 3];
        &IDLE[self as usize]
    }
}

/// A server that one test has for itself.
pub struct Server {
    pub kind: Kind,
    process: Option<Process>,
}

/// A running server. It ends when its standard input closes, so with this process, however that
/// ends.
struct Process {
    child: Child,
    port: u16,
    open: ChildStdin,
}

impl Server {
    /// An empty server.
    pub fn take(kind: Kind) -> Self {
        let idle = kind.idle().lock().unwrap().pop();
        let process = idle.unwrap_or_else(|| Process::start(kind));
        if let (_, Some(reset)) = kind.paths() {
            assert_eq!(
                http(process.port, "POST", reset),
                Some(200),
                "{kind:?} could not be emptied"
            );
        }
        Self {
            kind,
            process: Some(process),
        }
    }

    pub fn port(&self) -> u16 {
        self.process.as_ref().unwrap().port
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// What stands on the server now.
    pub fn standing(&self, regions: &[&str]) -> Standing {
        let aws = Aws::at(&self.endpoint());
        block_on(async {
            let mut stacks = Vec::new();
            for region in regions {
                stacks.extend(aws.stacks(region).await);
            }
            Standing {
                stacks,
                buckets: aws.buckets().await,
            }
        })
    }

    /// Puts something there: [`Aws::put`] says what there is.
    pub fn given(&self, what: &[&str]) -> Value {
        block_on(Aws::at(&self.endpoint()).put(what))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = self.process.take().unwrap();
        if thread::panicking() || self.kind.paths().1.is_none() {
            // What a test left running in it is nobody else's.
            process.end();
        } else {
            self.kind.idle().lock().unwrap().push(process);
        }
    }
}

impl Process {
    fn start(kind: Kind) -> Self {
        // The port is free when it is chosen; when another process takes it first, the next one is
        // tried.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let mut child = kind
                .command(port)
                .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"))
                .env_remove("AWS_ENDPOINT_URL")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let open = child.stdin.take().unwrap();
            let started = Instant::now();
            while child.try_wait().unwrap().is_none() {
                if http(port, "GET", kind.paths().0).is_some() {
                    return Self { child, port, open };
                }
                assert!(
                    started.elapsed() < Duration::from_secs(60),
                    "{kind:?} does not answer"
                );
                thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("{kind:?} does not start");
    }

    fn end(mut self) {
        drop(self.open);
        let _ = self.child.wait();
    }
}

/// What stands on a server.
#[derive(Debug)]
pub struct Standing {
    /// Stacks that are not deleted, nested ones included: `region`, `name`, `status`, `parent`,
    /// `parameters`, `tags`.
    pub stacks: Vec<Value>,
    /// By name: `region`, `tags`, `policy`, `public_access_block`, `objects` with `md5` and `size`
    /// by key.
    pub buckets: BTreeMap<String, Value>,
}

impl Standing {
    pub fn assert_nothing(&self) {
        assert!(
            self.stacks.is_empty() && self.buckets.is_empty(),
            "left behind: {self:#?}"
        );
    }

    /// `name@region` of every stack, sorted.
    pub fn stack_names(&self) -> Vec<String> {
        let name = |stack: &Value| {
            format!(
                "{}@{}",
                stack["name"].as_str().unwrap(),
                stack["region"].as_str().unwrap()
            )
        };
        let mut names: Vec<String> = self.stacks.iter().map(name).collect();
        names.sort();
        names
    }

    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let bucket = self
            .buckets
            .get(bucket)
            .unwrap_or_else(|| panic!("no bucket {bucket}: {self:#?}"));
        by_name(&bucket["objects"]).into_keys().collect()
    }
}

/// A virtual environment; `tests/setup.sh` makes them, quickly where they are there already.
pub fn venv(name: &str) -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let venvs = MADE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let status = Command::new(root.join("tests/setup.sh")).status().unwrap();
        assert!(status.success(), "tests/setup.sh: {status}");
        root.join("target/venvs")
    });
    venvs.join(name)
}

/// A program under `tests/python`.
pub fn support(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/python")
        .join(name)
}

/// Runs one of the programs under `tests/python` that talk to a server with boto3, and reads its
/// JSON.
pub fn boto3(endpoint: &str, program: &str, args: &[&str]) -> Value {
    let output = Command::new(venv("moto").join("bin/python"))
        .arg(support(program))
        .arg(endpoint)
        .args(args)
        .env_remove("AWS_ENDPOINT_URL")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn by_name(object: &Value) -> BTreeMap<String, Value> {
    object
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The status of a request, or `None` where nobody answers.
fn http(port: u16, method: &str, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .ok()?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: \
        0\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}
