//! Emulators that others wrote: the lines of `docs/emulators.md` are run, and what an emulator
//! refuses is reported in words.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::Project;
use crate::servers::{Kind, Server, support, venv};
use crate::taskcat::{Outcome, Taskcat};

/// What AWS Emulator's guide says of it, in front of the simulator.
struct Emulator {
    server: Server,
    project: Project,
    port: u16,
    child: Child,
    /// It serves while this is open.
    _open: ChildStdin,
}

impl Emulator {
    /// Starts an emulator that lacks the named calls.
    fn lacking(calls: &[&str]) -> Self {
        let server = Server::take(Kind::Simulator);
        let project = Project::copy_of("undeclared-parameter");
        let mut child = Command::new(venv("moto").join("bin/python"))
            .arg(support("emulator.py"))
            .arg(server.port().to_string())
            .arg(project.home())
            .args(calls)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let open = child.stdin.take().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        Self {
            server,
            project,
            port: port.trim().parse().unwrap(),
            child,
            _open: open,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        let folder = format!(".aws/emulator/{}", self.port);
        self.project.home().join(folder).join(name)
    }

    fn replace(&self, name: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.file(name)).unwrap();
        assert!(text.contains(old), "{old:?} is not in {text}");
        fs::write(self.file(name), text.replace(old, new)).unwrap();
    }

    /// Runs the lines of the guide, or what is made of them.
    fn run(&self, changed: impl Fn(String) -> String) -> Outcome {
        let lines = lines("AWS Emulator", 1).replace("9297", &self.port.to_string());
        shell(&self.project, &changed(lines), "").run()
    }

    fn assert_nothing_left(&self) {
        self.server.standing(&["us-east-1"]).assert_nothing();
    }

    /// How often an API was called.
    fn count(&self, action: &str) -> usize {
        let log = fs::read_to_string(self.file("calls.ndjson")).unwrap();
        let calls = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        calls.filter(|call| call["action"] == action).count()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of one of the code blocks below a heading of the guide.
fn lines(heading: &str, block: usize) -> String {
    const GUIDE: &str = include_str!("../../docs/emulators.md");
    let (_, section) = GUIDE.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let after = section.split("```sh\n").nth(block + 1).unwrap();
    after.split("```").next().unwrap().to_owned()
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Lines of a shell, which ends with the first that fails; programs of a virtual environment are on
/// PATH, and `taskcat`.
fn shell(project: &Project, lines: &str, environment: &str) -> Taskcat {
    let programs = PathBuf::from(env!("CARGO_BIN_EXE_taskcat"));
    let mut path = vec![programs.parent().unwrap().to_owned()];
    if !environment.is_empty() {
        path.push(venv(environment).join("bin"));
    }
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    Taskcat::program("sh", project)
        .args(["-euc", lines])
        .env("PATH", std::env::join_paths(path).unwrap())
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_lines_for_aws_emulator_pass_and_leave_nothing() {
    let emulator = Emulator::lacking(&[]);
    let outcome = emulator.run(|lines| lines);
    outcome.assert_code(0).assert_says("1 passed");
    assert!(
        outcome.stdout.contains("emulator_credentials:2"),
        "{}",
        outcome.stdout
    );
    assert_eq!(emulator.count("CreateStack"), 1);
    emulator.assert_nothing_left();

    // The emulator's own configuration file names the certificate, too.
    let own = |lines: String| lines.replace("export AWS_CA_BUNDLE=", ": ");
    emulator.run(own).assert_code(0);
    emulator.assert_nothing_left();
}

/// The lines for ministack and moto start the servers that they name; in place of LocalStack the
/// simulator answers.
#[test]
#[ignore = "needs ministack and moto; run tests/run.sh"]
fn the_lines_for_other_emulators_pass() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("undeclared-parameter");
    let localstack = lines("LocalStack", 1).replace("4566", &server.port().to_string());
    shell(&project, &localstack, "").run().assert_code(0);
    server.standing(&["us-east-1"]).assert_nothing();

    for (name, port) in [("ministack", "4566"), ("moto", "5000")] {
        let free = free_port();
        let at_free = |block| lines(name, block).replace(port, &free.to_string());
        let start = format!("exec env {}", at_free(0));
        let mut running = shell(&project, &start, name).start();
        let started = Instant::now();
        running.wait_until("it listens", || {
            TcpStream::connect(("127.0.0.1", free)).is_ok()
        });
        shell(&project, &at_free(1), "").run().assert_code(0);
        assert!(started.elapsed() < Duration::from_secs(120));
        running.signal("TERM");
        // Its port is free again when the test is over.
        while TcpStream::connect(("127.0.0.1", free)).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_certificate_that_nothing_vouches_for_is_one_error() {
    let emulator = Emulator::lacking(&[]);
    emulator.replace("config", "ca_bundle", "# ca_bundle");
    let outcome = emulator.run(|lines| {
        let without_bundle = lines.replace("export AWS_CA_BUNDLE=", ": ");
        without_bundle.replace("taskcat doctor\n", "")
    });
    outcome
        .assert_code(3)
        .assert_says("its certificate is not signed by a trusted authority")
        .assert_says("--ca-bundle FILE, AWS_CA_BUNDLE, or ca_bundle");
    outcome.assert_says_once("error:");
    outcome.assert_ended_within(Duration::from_secs(8));
    assert_eq!(emulator.count("GetCallerIdentity"), 0);
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn keys_of_another_run_of_the_emulator_are_refused_in_its_words() {
    for (key, code) in [
        ("aws_access_key_id = EMULATOR", "InvalidClientTokenId"),
        ("aws_secret_access_key = ", "SignatureDoesNotMatch"),
    ] {
        let emulator = Emulator::lacking(&[]);
        emulator.replace("emulator_credentials", key, &format!("{key}0"));
        let outcome = emulator.run(|lines| lines.replace("taskcat doctor\n", ""));
        outcome
            .assert_code(3)
            .assert_says(code)
            .assert_says("AWS_PROFILE");
        outcome.assert_says_once("error:");
        outcome.assert_ended_within(Duration::from_secs(8));
    }
}

/// A call that the emulator lacks won't be there in a minute either.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_call_that_the_emulator_lacks_is_named_at_once() {
    for (call, code) in [
        ("GetCallerIdentity", 3),
        ("CreateBucket", 3),
        ("PutObject", 3),
        ("CreateStack", 1),
        ("DescribeStackEvents", 1),
        ("DeleteStack", 4),
    ] {
        let emulator = Emulator::lacking(&[call]);
        let outcome = emulator.run(|lines| lines.replace("taskcat doctor\n", ""));
        outcome
            .assert_code(code)
            .assert_says(&format!("the endpoint does not implement {call}"))
            .assert_says("HTTP status 501");
        assert!(
            outcome.elapsed < Duration::from_secs(20),
            "{call}: {:?}",
            outcome.elapsed
        );
        assert!(
            emulator.count(call) <= 6,
            "{call}: {}",
            emulator.count(call)
        );
    }
}
