//! What remains of a deployment that is interrupted.

use crate::event::{CellId, EventSender};

/// Warns of what remains if it is dropped before the deployment has ended, as by a second signal.
pub(crate) struct Unfinished<'e> {
    cell: CellId,
    events: &'e EventSender,
    remains: Option<String>,
}

impl<'e> Unfinished<'e> {
    pub(crate) fn new(cell: &CellId, events: &'e EventSender) -> Self {
        Self {
            cell: cell.clone(),
            events,
            remains: None,
        }
    }

    /// Notes what would remain from now on.
    pub(crate) fn remains(&mut self, what: String) {
        self.remains = Some(what);
    }

    /// Notes that nothing remains, or that it was reported.
    pub(crate) fn ends(&mut self) {
        self.remains = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(what) = self.remains.take() {
            self.events.warn(Some(&self.cell), what);
        }
    }
}
