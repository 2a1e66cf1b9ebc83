//! Runs other programs: limits their output and time, and kills them with their children, even if
//! this process itself is killed.
//!
//! `package`, `launch::hook` and `lint::cfn_lint` run pip, docker, hooks and cfn-lint with this
//! module and interpret their output themselves. Arguments are visible to every user of the
//! machine, so secrets are passed only through standard input.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

use crate::os;

/// How long to wait for the output of a program that has exited. A process that it left in the
/// background may hold the pipes open for as long as it lives.
const GRACE: Duration = Duration::from_millis(500);

/// Number of bytes kept of a stream, from its end.
const KEPT: usize = 64 * 1024;

/// Runs `command` to its end, at most for `limit`, with `stdin` as its input.
///
/// The program gets a process group of its own. The whole group is killed when the time limit is
/// reached, when the future is dropped and when this process is killed. If the program exits by
/// itself, what it left in the background keeps running.
///
/// # Errors
/// The program can't be started: [`io::ErrorKind::NotFound`] if it doesn't exist or the interpreter
/// in its first line doesn't.
pub(crate) async fn run(
    mut command: Command,
    stdin: Vec<u8>,
    limit: Duration,
) -> io::Result<FinishedProcess> {
    command.stdin(if stdin.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    });
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    os::in_own_group(command.as_std_mut());
    let mut group = ProcessGroup::new(command.spawn()?);
    let mut stdout = group.leader.stdout.take();
    let mut stderr = group.leader.stderr.take();
    let mut from_stdout = vec![0; 8192];
    let mut from_stderr = vec![0; 8192];
    let mut input = group.leader.stdin.take();
    let feeding = async move {
        if let Some(pipe) = &mut input {
            // A program needn't read its input, so a broken pipe isn't an error.
            let _ = pipe.write_all(&stdin).await;
        }
    };
    tokio::pin!(feeding);

    let mut finished = FinishedProcess {
        end: ExitReason::TimedOut(limit),
        stdout: OutputTail::default(),
        stderr: OutputTail::default(),
        output: OutputTail::default(),
    };
    let mut fed = false;
    let mut ended = false;
    let mut timed_out = false;
    let mut deadline = Instant::now().checked_add(limit);
    while !ended || stdout.is_some() || stderr.is_some() {
        tokio::select! {
            read = read_some(&mut stdout, &mut from_stdout), if stdout.is_some() => {
                finished.stdout.push(read);
                finished.output.push(read);
            }
            read = read_some(&mut stderr, &mut from_stderr), if stderr.is_some() => {
                finished.stderr.push(read);
                finished.output.push(read);
            }
            status = group.leader.wait(), if !ended => {
                ended = true;
                deadline = Some(Instant::now() + GRACE);
                let status = status?;
                if !timed_out {
                    finished.end = ExitReason::of(status);
                }
            }
            () = &mut feeding, if !fed => fed = true,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                if ended {
                    break;
                }
                timed_out = true;
                deadline = None;
                group.kill();
            }
        }
    }
    Ok(finished)
}

/// Returns a command for a program found on `path`, which is also passed on to it; without `path`,
/// on the PATH of this process.
pub(crate) fn command(program: impl AsRef<OsStr>, path: Option<&OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command
}

/// Returns a command for the system's shell, found like that of [`command`].
pub(crate) fn shell(line: &str, path: Option<&OsStr>) -> Command {
    let mut shell = Command::from(os::shell(line));
    if let Some(path) = path {
        shell.env("PATH", path);
    }
    shell
}

/// The result of a program that has ended, with the end of its output.
#[derive(Clone, Debug)]
pub(crate) struct FinishedProcess {
    pub end: ExitReason,
    pub stdout: OutputTail,
    pub stderr: OutputTail,
    /// Both streams in the order of arrival.
    pub output: OutputTail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitReason {
    Exited(i32),
    /// Ended by a signal, with its number.
    Signalled(i32),
    /// Killed because it reached the time limit.
    TimedOut(Duration),
}

impl ExitReason {
    pub(crate) fn is_success(self) -> bool {
        self == Self::Exited(0)
    }

    fn of(status: ExitStatus) -> Self {
        match status.code() {
            Some(code) => Self::Exited(code),
            None => Self::Signalled(os::signal(status)),
        }
    }
}

/// Reads after "the program": `exited with code 3`.
impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Signalled(signal) => write!(f, "was ended by signal {signal}"),
            Self::TimedOut(limit) => write!(f, "was killed after {} s", limit.as_secs_f64()),
        }
    }
}

/// The end of a stream. Dropped bytes are only counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputTail {
    bytes: VecDeque<u8>,
    dropped: u64,
}

impl OutputTail {
    fn push(&mut self, read: &[u8]) {
        self.bytes.extend(read);
        let excess = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..excess);
        self.dropped += excess as u64;
    }

    /// Returns the kept text in whole lines. A line that lost its beginning is left out, so that no
    /// part of a word (or of a secret) is shown.
    pub(crate) fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        match (self.dropped, text.split_once('\n')) {
            (0, _) => text.into_owned(),
            (_, Some((_, whole_lines))) => whole_lines.to_owned(),
            (_, None) => String::new(),
        }
    }
}

/// Returns the last `count` lines that aren't blank, each shortened to a readable length.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    const LONGEST: usize = 400;
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let shown = lines
        .iter()
        .skip(lines.len().saturating_sub(count))
        .map(|line| match line.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", line.get(..end).unwrap_or(line)),
            None => (*line).to_owned(),
        });
    shown.collect::<Vec<_>>().join("\n")
}

/// Returns output to append to a message: a colon and indented lines; empty for no output.
pub(crate) fn indented(output: &str) -> String {
    let mut text = if output.is_empty() {
        String::new()
    } else {
        ":".to_owned()
    };
    for line in output.lines() {
        text.push_str("\n  ");
        text.push_str(line);
    }
    text
}

/// Reads what is available; closes the pipe at the end of the stream.
async fn read_some<'b>(
    pipe: &mut Option<impl AsyncRead + Unpin>,
    buffer: &'b mut [u8],
) -> &'b [u8] {
    let read = match pipe {
        Some(open) => open.read(buffer).await.unwrap_or(0),
        None => 0,
    };
    if read == 0 {
        *pipe = None;
    }
    buffer.get(..read).unwrap_or_default()
}

/// A child process that leads its process group.
struct ProcessGroup {
    leader: Child,
    guard: Option<OrphanGuard>,
}

impl ProcessGroup {
    fn new(leader: Child) -> Self {
        let guard = leader.id().and_then(OrphanGuard::of);
        Self { leader, guard }
    }

    /// Kills the group, unless the child has already been reaped: then its process ID may belong to
    /// another process.
    fn kill(&self) {
        if let Some(id) = self.leader.id() {
            os::kill_tree(id);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(guard) = &mut self.guard {
            guard.dismiss();
        }
        self.kill();
    }
}

/// A program that kills a process group at the end of this process, however it ends.
struct OrphanGuard(Child);

impl OrphanGuard {
    /// Starts a guard; `None` if the system has none.
    fn of(group: u32) -> Option<Self> {
        let mut guard = Command::from(os::orphan_guard(group)?);
        guard.kill_on_drop(true);
        guard.spawn().ok().map(Self)
    }

    /// Kills the guard before its input ends, which it would take for the end of this process.
    fn dismiss(&mut self) {
        // Can't fail, since the guard is still running.
        let _ = self.0.start_kill();
    }
}

/// Returns a word, quoted for a POSIX shell where that is needed.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Returns a PATH for tests that starts with the Python tools that `tests/setup.sh` installs: pip
/// and cfn-lint.
#[cfg(test)]
pub fn path_with_python_tools() -> std::ffi::OsString {
    let tools = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venvs/taskcat/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(tools).chain(std::env::split_paths(&path))).unwrap()
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, Signal};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    async fn check(
        script: &str,
        stdin: &str,
        limit_ms: Option<u64>,
        end: ExitReason,
        stdout: &str,
        stderr: &str,
    ) {
        let limit = limit_ms.map_or(LONG, Duration::from_millis);
        let finished = run(sh(script), stdin.into(), limit).await.unwrap();
        assert_eq!(
            (finished.end, finished.stdout.text().as_str()),
            (end, stdout),
            "{script}"
        );
        assert_eq!(finished.stderr.text(), stderr, "{script}");
    }

    #[tokio::test]
    async fn ends_and_streams() {
        check(
            "cat; echo no >&2",
            "a\nb",
            None,
            ExitReason::Exited(0),
            "a\nb",
            "no\n",
        )
        .await;
        check("exit 3", "", None, ExitReason::Exited(3), "", "").await;
        check("cat", "", None, ExitReason::Exited(0), "", "").await;
        check("kill -TERM $$", "", None, ExitReason::Signalled(15), "", "").await;
        let limit = Duration::from_millis(100);
        check(
            "echo first; sleep 60",
            "",
            Some(100),
            ExitReason::TimedOut(limit),
            "first\n",
            "",
        )
        .await;
        // More input than fits into a pipe, and nobody reads it.
        check(
            "exit 4",
            &"x".repeat(1 << 20),
            None,
            ExitReason::Exited(4),
            "",
            "",
        )
        .await;
    }

    #[tokio::test]
    async fn a_missing_program_is_not_found() {
        let error = run(Command::new("no-such-program-anywhere"), Vec::new(), LONG)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn output_is_bounded_to_whole_lines() {
        let finished = run(sh("seq 1 100000"), Vec::new(), LONG).await.unwrap();
        let text = finished.stdout.text();
        assert!(
            finished.stdout.dropped > 0 && text.len() <= KEPT,
            "{}",
            text.len()
        );
        let first: u64 = text.lines().next().unwrap().parse().unwrap();
        assert_eq!(text.lines().count() as u64, 100_000 - first + 1);
        assert_eq!(last_lines(&text, 2), "99999\n100000");
    }

    #[test]
    fn long_lines_are_cut() {
        let shown = last_lines(&format!("a\n\n{}\n", "ä".repeat(1000)), 5);
        assert_eq!(shown, format!("a\n{}…", "ä".repeat(400)));
    }

    #[tokio::test]
    async fn background_processes_are_not_awaited() {
        let started = Instant::now();
        let finished = run(sh("sleep 30 & echo $!"), Vec::new(), LONG)
            .await
            .unwrap();
        assert!(finished.end.is_success() && started.elapsed() < Duration::from_secs(10));
        let left: i32 = finished.stdout.text().trim().parse().unwrap();
        assert!(
            is_alive(left),
            "a background process of a program that ended by itself lives on"
        );
        rustix::process::kill_process(Pid::from_raw(left).unwrap(), Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn children_die_with_the_future() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("pid");
        let script = format!(
            "sleep 60 & echo $! > {0}.new; mv {0}.new {0}; wait",
            note.display()
        );
        let running = tokio::spawn(run(sh(&script), Vec::new(), LONG));
        let pid = loop {
            match std::fs::read_to_string(&note) {
                Ok(text) => break text.trim().parse().unwrap(),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        assert!(is_alive(pid));
        running.abort();
        for _ in 0..200 {
            if !is_alive(pid) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the grandchild {pid} outlived the future");
    }

    /// Returns false for a process that has ended, or for a zombie that hasn't been reaped.
    fn is_alive(pid: i32) -> bool {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        matches!(state.rsplit(')').next().and_then(|rest| rest.trim().chars().next()),
            Some(state) if state != 'Z')
    }
}
