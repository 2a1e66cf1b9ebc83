//! Runs the `taskcat` binary on a project, in an environment that the test decides alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::Project;
use crate::servers::{Kind, Server, venv};

/// No run of these tests takes that long; one that hangs is ended and shown.
const DEADLINE: Duration = Duration::from_secs(150);

pub struct Taskcat {
    command: Command,
    project: PathBuf,
    unread: Option<Stream>,
    stdin: Option<String>,
}

/// What a program writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Output,
    Error,
}

impl Taskcat {
    /// The binary in the project's folder, with credentials that any local server takes.
    pub fn at(project: &Project, endpoint: &str) -> Self {
        Self::offline(project)
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", "testing")
            .env("AWS_SECRET_ACCESS_KEY", "testing")
    }

    /// `taskcat test run` on a server. moto enforces the Deny of a bucket's policy without its
    /// Condition, so there the policy is left out, as `--enable-sig-v2` does.
    pub fn test_run(project: &Project, server: &Server) -> Self {
        Self::test_run_at(project, server.kind, &server.endpoint())
    }

    /// The same through another endpoint: a proxy.
    pub fn test_run_at(project: &Project, kind: Kind, endpoint: &str) -> Self {
        let run = Self::at(project, endpoint).args(["test", "run"]);
        if kind == Kind::Moto {
            run.args(["--enable-sig-v2"])
        } else {
            run
        }
    }

    /// Without credentials: for what asks nobody.
    pub fn offline(project: &Project) -> Self {
        Self::program(env!("CARGO_BIN_EXE_taskcat"), project)
    }

    /// In an environment with nothing in it: no home, no PATH, no variable of AWS.
    pub fn bare(project: &Project) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskcat"));
        command.current_dir(project.path()).env_clear();
        Self {
            command,
            project: project.path(),
            unread: None,
            stdin: None,
        }
    }

    /// Another program in the same environment: the Python TaskCat.
    pub fn program(program: impl AsRef<std::ffi::OsStr>, project: &Project) -> Self {
        Self::with_path(
            program,
            project,
            std::env::var_os("PATH").unwrap_or_default(),
        )
    }

    /// With the programs of the Python TaskCat's virtual environment before those on PATH: cfn-lint
    /// and pip.
    pub fn with_python_tools(self) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let tools = std::iter::once(venv("taskcat").join("bin"));
        let path = std::env::join_paths(tools.chain(std::env::split_paths(&path))).unwrap();
        self.env("PATH", path)
    }

    fn with_path(
        program: impl AsRef<std::ffi::OsStr>,
        project: &Project,
        path: std::ffi::OsString,
    ) -> Self {
        let mut command = Command::new(program);
        command
            .current_dir(project.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", project.home())
            .env("TMPDIR", project.home())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        Self {
            command,
            project: project.path(),
            unread: None,
            stdin: None,
        }
    }

    pub fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// With a pipe that nobody reads for one of its streams.
    pub fn unread(mut self, stream: Stream) -> Self {
        self.unread = Some(stream);
        self
    }

    /// In a directory of the project.
    pub fn within(mut self, folder: &str) -> Self {
        self.command.current_dir(self.project.join(folder));
        self
    }

    /// With a text on standard input, which is empty otherwise.
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    pub fn run(self) -> Outcome {
        self.start().wait()
    }

    pub fn start(mut self) -> Running {
        // Files instead of pipes: nobody has to read them while the program runs, and nothing is a
        // terminal.
        let folder = self
            .project
            .with_file_name(format!("run-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        let file = |name| File::create(folder.join(name)).unwrap();
        self.command
            .stdin(std::process::Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        if let Some(text) = &self.stdin {
            fs::write(folder.join("stdin"), text).unwrap();
            self.command
                .stdin(File::open(folder.join("stdin")).unwrap());
        }
        if let Some(stream) = self.unread {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            match stream {
                Stream::Output => self.command.stdout(writer),
                Stream::Error => self.command.stderr(writer),
            };
        }
        Running {
            child: self.command.spawn().unwrap(),
            started: Instant::now(),
            folder,
            project: self.project,
        }
    }
}

pub struct Running {
    child: Child,
    started: Instant,
    folder: PathBuf,
    project: PathBuf,
}

impl Running {
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([&format!("-{signal}"), &self.child.id().to_string()])
            .status();
        assert!(
            status.unwrap().success(),
            "no process to send {signal} to: {}",
            self.stderr()
        );
    }

    /// Waits until something is so, as long as the program runs.
    pub fn wait_until(&mut self, what: &str, mut so: impl FnMut() -> bool) {
        while !so() {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "ended before {what}: {ended:?}\n{}",
                self.stderr()
            );
            assert!(
                self.started.elapsed() < DEADLINE,
                "never {what}\n{}",
                self.stderr()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.join("stderr")).unwrap()
    }

    pub fn wait(mut self) -> Outcome {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                self.started.elapsed() < DEADLINE,
                "does not end\n{}",
                self.stderr()
            );
            thread::sleep(Duration::from_millis(10));
        };
        Outcome {
            code: status.code(),
            stdout: fs::read_to_string(self.folder.join("stdout")).unwrap(),
            stderr: self.stderr(),
            elapsed: self.started.elapsed(),
            outputs: self.project.join("taskcat_outputs"),
        }
    }
}

/// A test that fails while the program runs leaves no process behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a program ended, and what it wrote.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
    outputs: PathBuf,
}

impl Outcome {
    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// On standard error, where everything for people goes.
    #[track_caller]
    pub fn assert_says(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text),
            "does not say {text:?}:\n{}",
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn assert_silent_about(&self, text: &str) -> &Self {
        assert!(
            !self.stderr.contains(text),
            "says {text:?}:\n{}",
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn assert_says_once(&self, text: &str) -> &Self {
        let count = self.stderr.matches(text).count();
        assert_eq!(count, 1, "says {text:?} {count} times:\n{}", self.stderr);
        self
    }

    /// For limits that are far above what the command takes.
    #[track_caller]
    pub fn assert_ended_within(&self, limit: Duration) -> &Self {
        assert!(
            self.elapsed < limit,
            "took {:?}:\n{}",
            self.elapsed,
            self.stderr
        );
        self
    }

    /// A file of `taskcat_outputs`.
    #[track_caller]
    pub fn output(&self, name: &str) -> String {
        fs::read_to_string(self.outputs.join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.stderr))
    }

    /// Every file of `taskcat_outputs` by name.
    pub fn outputs(&self) -> BTreeMap<String, String> {
        let files = fs::read_dir(&self.outputs).into_iter().flatten();
        files
            .map(|file| {
                let name = file.unwrap().file_name().into_string().unwrap();
                let text = self.output(&name);
                (name, text)
            })
            .collect()
    }

    #[track_caller]
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.output("report.json")).unwrap()
    }

    /// A cell of `report.json`.
    #[track_caller]
    pub fn cell(&self, test: &str, region: &str) -> Value {
        let report = self.report();
        let cells = report["cells"].as_array().unwrap();
        let cell = cells
            .iter()
            .find(|cell| cell["test"] == test && cell["region"] == region);
        cell.unwrap_or_else(|| panic!("no cell {test}/{region} in {report:#}"))
            .clone()
    }

    /// `test/region state` of every cell of `report.json`, in its order.
    #[track_caller]
    pub fn states(&self) -> Vec<String> {
        let report = self.report();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let cells = report["cells"].as_array().unwrap().iter();
        cells
            .map(|it| {
                format!(
                    "{}/{} {}",
                    text(&it["test"]),
                    text(&it["region"]),
                    text(&it["state"])
                )
            })
            .collect()
    }

    /// The events that happened, by their names, in order.
    pub fn events(&self) -> Vec<Value> {
        self.output("events.ndjson")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}
