//! The key on Windows, which has no such signal. A console passes keys on one by one without a
//! change of its settings, and Ctrl-C doesn't count as one.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use console::{Key, Term};

use crate::report::terminal::{Options, StatusRequest};

/// Listens as long as it exists.
pub(in crate::cli) struct StatusListener {
    over: Arc<AtomicBool>,
}

impl StatusListener {
    /// There is no signal to listen to.
    pub(in crate::cli) fn listen(_: &Options) -> Self {
        Self {
            over: Arc::default(),
        }
    }

    /// Listens to the key, if there is a keyboard and a live view. Call it after all prompts of
    /// other programs (such as a password for credentials).
    pub(in crate::cli) fn read_keys(&mut self, view: &mut Options) {
        if !view.is_live() || !io::stdin().is_terminal() {
            return;
        }
        let asked = view.asked.clone();
        let over = self.over.clone();
        // It ends with the process if no key arrives.
        let thread = thread::Builder::new().name("keys".into());
        view.has_key = thread.spawn(move || wait_for_keys(&asked, &over)).is_ok();
    }
}

impl Drop for StatusListener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn wait_for_keys(asked: &StatusRequest, over: &AtomicBool) {
    let terminal = Term::stderr();
    while let Ok(key) = terminal.read_key() {
        match key {
            _ if over.load(Ordering::Relaxed) => return,
            Key::Char(key) if super::is_key(key) => asked.ask(),
            _ => {}
        }
    }
}
