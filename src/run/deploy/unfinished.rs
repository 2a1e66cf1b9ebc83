//! What remains of a deployment that is abandoned half-way.

use crate::event::{CellId, EventSender};

/// Warns of what remains when it is dropped before its end, as a second signal does.
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

    /// From now on this would remain.
    pub(crate) fn remains(&mut self, what: String) {
        self.remains = Some(what);
    }

    /// Nothing remains, or it has been said.
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
