//! A recording proxy between a program and a server, so that tests can count calls and read what was sent.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::servers::{Server, support, venv};

pub struct Proxy {
    port: u16,
    log: PathBuf,
    child: Child,
    /// The proxy serves while this is open.
    _open: ChildStdin,
    _folder: TempDir,
}

impl Proxy {
    pub fn before(server: &Server) -> Self {
        Self::with_faults(server, &[])
    }

    /// Starts a proxy that makes some calls fail, before or after they take effect: `tests/support/faults.py` says how a
    /// fault is written.
    pub fn with_faults(server: &Server, faults: &[&str]) -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let log = folder.path().join("calls.ndjson");
        let mut child = Command::new(venv("moto").join("bin/python"))
            .arg(support("proxy.py"))
            .arg(server.port().to_string())
            .arg(&log)
            .args(faults)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let open = child.stdin.take().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { port: port.trim().parse().unwrap(), log, child, _open: open, _folder: folder }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The calls so far, in the order of their answers.
    pub fn calls(&self) -> Calls {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        Calls(log.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Recorded calls; their fields are `tests/support/proxy.py`'s.
#[derive(Debug)]
pub struct Calls(pub Vec<Value>);

impl Calls {
    pub fn of(&self, action: &str) -> Vec<&Value> {
        self.0.iter().filter(|call| call["action"] == action).collect()
    }

    pub fn count(&self, action: &str) -> usize {
        self.of(action).len()
    }

    /// How often each action was called, for a message that helps.
    pub fn summary(&self) -> String {
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        for call in &self.0 {
            *counts.entry(format!("{}.{}", call["service"], call["action"]).replace('"', "")).or_default() += 1;
        }
        counts.iter().map(|(action, count)| format!("{count:4} {action}\n")).collect()
    }
}

/// The numbered members of a list in a query: `form_list(call, "Parameters.member", ["ParameterKey", "ParameterValue"])`.
pub fn form_list<const N: usize>(call: &Value, list: &str, fields: [&str; N]) -> Vec<[String; N]> {
    let field = |index: usize, name: &str| call["form"][format!("{list}.{index}.{name}")].as_str();
    (1..)
        .take_while(|index| fields.iter().any(|name| field(*index, name).is_some()))
        .map(|index| fields.map(|name| field(index, name).unwrap_or_default().to_owned()))
        .collect()
}
