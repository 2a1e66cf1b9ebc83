//! A logging fake of everything that credentials come from, and what a run has asked of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::project::Project;
use crate::servers::{support, venv};
use crate::taskcat::Taskcat;

pub struct Sources {
    pub port: u16,
    /// A proxy that wants a user and a password.
    pub strict: u16,
    /// With TLS for `localhost`.
    pub tls: u16,
    log: PathBuf,
    child: Child,
    /// The fake serves while this is open.
    _open: ChildStdin,
    folder: TempDir,
}

impl Sources {
    pub fn start() -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let log = folder.path().join("calls.ndjson");
        let mut child = Command::new(venv("moto").join("bin/python"))
            .arg(support("credential_sources.py"))
            .arg(&log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let open = child.stdin.take().unwrap();
        let mut ports = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ports)
            .unwrap();
        let mut ports = ports.split_whitespace().map(|port| port.parse().unwrap());
        let [port, strict, tls] = std::array::from_fn(|_| ports.next().unwrap());
        Self {
            port,
            strict,
            tls,
            log,
            child,
            _open: open,
            folder,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The certificate of the port with TLS, signed by itself.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// `taskcat` with the fake as the proxy to all other hosts, which it refuses.
    pub fn taskcat(&self, project: &Project) -> Taskcat {
        Taskcat::offline(project)
            .env("HTTP_PROXY", self.url())
            .env("HTTPS_PROXY", self.url())
            .env("NO_PROXY", "127.0.0.1,localhost")
    }

    /// The same with the fake as AWS.
    pub fn as_aws(&self, project: &Project) -> Taskcat {
        self.taskcat(project).env("AWS_ENDPOINT_URL", self.url())
    }

    /// The calls so far: `GetCallerIdentity AKIA… token`, `GET /container`, `CONNECT host:443`;
    /// proxied ones say so.
    pub fn calls(&self) -> Vec<String> {
        self.raw().iter().map(shown).collect()
    }

    pub fn raw(&self) -> Vec<Value> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shown(call: &Value) -> String {
    let text = |key: &str| call[key].as_str().unwrap_or_default();
    let what = match (text("action"), text("method")) {
        ("", "CONNECT") => format!("CONNECT {}", text("host")),
        ("", method) => format!("{method} {}", text("path")),
        (action, _) => action.to_owned(),
    };
    let via = if text("via") == "direct" {
        ""
    } else {
        text("via")
    };
    [what.as_str(), text("key"), text("token"), via]
        .into_iter()
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Writes a file below the user's home.
pub fn home_file(project: &Project, name: &str, text: impl AsRef<[u8]>) {
    let path = project.home().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
