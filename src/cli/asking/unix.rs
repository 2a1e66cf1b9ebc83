//! The signal SIGUSR1 and the key, on systems of the Unix family.
//!
//! Keys arrive one by one only if the terminal neither collects lines nor echoes input. These
//! settings belong to the terminal rather than the process, so they are restored on every exit, and
//! aren't changed in the background.

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

/// How long waiting for a key may delay the end of the thread.
const WAIT: Duration = Duration::from_millis(200);
/// The exit code of a process ended by SIGQUIT, as in shells.
const QUIT: i32 = 128 + 3;

/// Listens as long as it exists.
pub(in crate::cli) struct StatusListener {
    listeners: Vec<JoinHandle<()>>,
    keys: Option<KeyListener>,
}

impl StatusListener {
    /// Listens to the signal. Call it before the run, since without a listener the signal ends the
    /// process. Requires a runtime.
    pub(in crate::cli) fn listen(view: &Options) -> Self {
        // If signals can't be caught, only keys are used.
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

    /// Also listens to the key, if there is a keyboard and a live view. Call it after all prompts
    /// of other programs (such as a password for credentials).
    pub(in crate::cli) fn read_keys(&mut self, view: &mut Options) {
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

/// The thread that waits for keys. Dropping it in any way restores the terminal.
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
        // A process in the background isn't notified when it comes to the foreground.
        terminal.settle();
        let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut ready, Some(&wait)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) if ready[0].revents().contains(PollFlags::IN) => {}
            // The terminal is closed.
            _ => return,
        }
        // In the background, reading would stop the process; at the end, input belongs to the
        // shell.
        if !is_in_foreground() || over.load(Ordering::Relaxed) {
            thread::sleep(WAIT);
            continue;
        }
        let mut typed = [0; 64];
        match rustix::io::read(&stdin, &mut typed) {
            Ok(0) => return,
            Ok(count)
                if typed[..count]
                    .iter()
                    .any(|key| super::is_key(char::from(*key))) =>
            {
                asked.ask()
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// The terminal's original settings, and whether they are currently changed.
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

    /// Changes the settings so that keys arrive one by one.
    fn enter(&self) {
        *self.keys() = KeyMode {
            wanted: true,
            in_force: false,
        };
        self.settle();
    }

    /// Applies the settings as soon as the process is in the foreground; changing them from the
    /// background would stop the process.
    fn settle(&self) {
        let mut keys = self.keys();
        if !keys.wanted || keys.in_force || !is_in_foreground() {
            return;
        }
        let mut settings = self.before.clone();
        // Keys such as Ctrl-C still send signals.
        settings
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        settings.special_codes[SpecialCodeIndex::VMIN] = 1;
        settings.special_codes[SpecialCodeIndex::VTIME] = 0;
        keys.in_force = tcsetattr(io::stdin(), OptionalActions::Now, &settings).is_ok();
    }

    /// Restores the terminal. In the background, the shell has done so already.
    fn leave(&self) {
        let keys = std::mem::take(&mut *self.keys());
        if keys.in_force && is_in_foreground() {
            // Fails only if the terminal is closed.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        }
    }

    fn keys(&self) -> MutexGuard<'_, KeyMode> {
        // A panic while the lock was held leaves two valid flags.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_in_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// Restores the terminal while the process is stopped, and before a signal ends it.
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
                // Since that signal is caught, it no longer stops the process; this one does, and
                // also only if there is a shell that can continue the process.
                let _ = kill_process(getpid(), Signal::TTOU);
                tokio::time::sleep(WAIT).await;
                terminal.enter();
            }
            // Another signal may have stopped the process, and the shell may have changed the
            // terminal meanwhile.
            _ = go_on.recv() => terminal.enter(),
            _ = quit.recv() => {
                terminal.leave();
                process::exit(QUIT);
            }
        }
    }
}
