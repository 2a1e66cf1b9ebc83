//! How people ask a run for the state of its stacks: by the signal SIGUSR1, and by the key `s`
//! where the view is live.
//!
//! Keys come one by one only if the terminal neither collects lines nor shows what is typed. These
//! settings are the terminal's and not the process's, so they are taken back on every way out, and
//! left alone in the background.

use std::io::{self, IsTerminal};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpgrp, getpid, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::report::terminal::{Options, StatusRequest};

const KEYS: &[u8] = b"sS";
/// How long the wait for a key may keep a thread that is no longer needed.
const WAIT: Duration = Duration::from_millis(200);
/// The exit code of a process that SIGQUIT ends, as shells tell it.
const QUIT: i32 = 128 + 3;

/// Listens for as long as it is held.
pub(super) struct StatusListener {
    listeners: Vec<JoinHandle<()>>,
    keys: Option<KeyListener>,
}

impl StatusListener {
    /// Listens to the signal. To be called before the run: one that nobody listens to ends the
    /// process. Wants a runtime.
    pub(super) fn listen(view: &Options) -> Self {
        // Where signals can't be caught there is nothing to listen to.
        let signals = signal(SignalKind::user_defined1()).ok();
        let asked = view.asked.clone();
        Self {
            listeners: signals
                .map(|it| tokio::spawn(listen(it, asked)))
                .into_iter()
                .collect(),
            keys: None,
        }
    }

    /// Listens to the key as well, where there is a keyboard and a view that it belongs to. Not
    /// before all questions that other programs may have (a password for credentials) are answered.
    pub(super) fn read_keys(&mut self, view: &mut Options) {
        if !view.is_live() || !io::stdin().is_terminal() {
            return;
        }
        let listen = |of: Signal| signal(SignalKind::from_raw(of.as_raw())).ok();
        let (Some(stop), Some(go_on), Some(quit)) = (
            listen(Signal::TSTP),
            listen(Signal::CONT),
            listen(Signal::QUIT),
        ) else {
            return;
        };
        self.keys = KeyListener::listen(view.asked.clone());
        if let Some(keys) = &self.keys {
            self.listeners.push(tokio::spawn(look_after(
                keys.terminal.clone(),
                stop,
                go_on,
                quit,
            )));
            view.has_key = true;
        }
    }
}

impl Drop for StatusListener {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}

async fn listen(mut signals: Signals, asked: StatusRequest) {
    while signals.recv().await.is_some() {
        asked.ask();
    }
}

/// The thread that waits for keys. When this is dropped, by whatever way, the terminal is as it
/// was.
struct KeyListener {
    terminal: Arc<TerminalSettings>,
    over: Arc<AtomicBool>,
}

impl KeyListener {
    fn listen(asked: StatusRequest) -> Option<Self> {
        let terminal = Arc::new(TerminalSettings::new()?);
        terminal.enter();
        let keys = Self {
            terminal: terminal.clone(),
            over: Arc::default(),
        };
        let over = keys.over.clone();
        thread::Builder::new()
            .name("keys".into())
            .spawn(move || wait_for_keys(&asked, &terminal, &over))
            .ok()?;
        Some(keys)
    }
}

impl Drop for KeyListener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.terminal.leave();
    }
}

fn wait_for_keys(asked: &StatusRequest, terminal: &TerminalSettings, over: &AtomicBool) {
    let stdin = io::stdin();
    let wait = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(WAIT.subsec_nanos()),
    };
    while !over.load(Ordering::Relaxed) {
        // Nobody tells a process that went on in the background that it has come to the foreground.
        terminal.settle();
        let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut ready, Some(&wait)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) if ready[0].revents().contains(PollFlags::IN) => {}
            // The terminal is gone.
            _ => return,
        }
        // In the background, reading would stop the process; and what is typed at the end is the
        // shell's.
        if !is_in_foreground() || over.load(Ordering::Relaxed) {
            thread::sleep(WAIT);
            continue;
        }
        let mut typed = [0; 64];
        match rustix::io::read(&stdin, &mut typed) {
            Ok(0) => return,
            Ok(count) if typed[..count].iter().any(|key| KEYS.contains(key)) => asked.ask(),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// The terminal's settings: as they were, and whether they are as keys need them.
struct TerminalSettings {
    before: Termios,
    keys: Mutex<KeyMode>,
}

#[derive(Default)]
struct KeyMode {
    wanted: bool,
    in_force: bool,
}

impl TerminalSettings {
    fn new() -> Option<Self> {
        Some(Self {
            before: tcgetattr(io::stdin()).ok()?,
            keys: Mutex::default(),
        })
    }

    /// From now on keys come one by one, whatever has become of the terminal meanwhile.
    fn enter(&self) {
        *self.keys() = KeyMode {
            wanted: true,
            in_force: false,
        };
        self.settle();
    }

    /// Makes it so as soon as the terminal is this process's: setting it from the background would
    /// stop the process.
    fn settle(&self) {
        let mut keys = self.keys();
        if !keys.wanted || keys.in_force || !is_in_foreground() {
            return;
        }
        let mut settings = self.before.clone();
        // Signals of keys (Ctrl-C) stay signals.
        settings
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        settings.special_codes[SpecialCodeIndex::VMIN] = 1;
        settings.special_codes[SpecialCodeIndex::VTIME] = 0;
        keys.in_force = tcsetattr(io::stdin(), OptionalActions::Now, &settings).is_ok();
    }

    /// The terminal is as it was before. In the background it is the shell's already.
    fn leave(&self) {
        let keys = std::mem::take(&mut *self.keys());
        if keys.in_force && is_in_foreground() {
            // A terminal that can't be set any more is gone.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        }
    }

    fn keys(&self) -> MutexGuard<'_, KeyMode> {
        // A panic while it was held leaves two flags, which are as good as before.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_in_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// Gives the terminal back while the process is stopped, and before it ends without coming to its
/// end.
async fn look_after(
    terminal: Arc<TerminalSettings>,
    mut stop: Signals,
    mut go_on: Signals,
    mut quit: Signals,
) {
    loop {
        tokio::select! {
            _ = stop.recv() => {
                terminal.leave();
                // That signal no longer stops the process, since it is listened to; this one does,
                // and like that one only where a shell is there that could let the process go on.
                let _ = kill_process(getpid(), Signal::TTOU);
                tokio::time::sleep(WAIT).await;
                terminal.enter();
            }
            // It may have been stopped by another signal, and the shell has set the terminal to its
            // liking meanwhile.
            _ = go_on.recv() => terminal.enter(),
            _ = quit.recv() => {
                terminal.leave();
                process::exit(QUIT);
            }
        }
    }
}
