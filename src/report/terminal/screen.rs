//! The terminal for the library of progress bars. It ends each line with a line feed after its
//! text, while the library's own fills the line with spaces up to the edge.
//!
//! Adjacent filled lines are a single line to the terminal. If it is made narrower, it rewraps them
//! as one long text, and the library, which counts lines, moves the cursor up too little. Lines
//! that end are rewrapped separately, so that the distance can be calculated.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;

/// Returns rows and columns. Called at every redraw, since terminals are resized.
pub(super) type TerminalSize = Arc<dyn Fn() -> (usize, usize) + Send + Sync>;

pub(super) struct Screen {
    size: TerminalSize,
    /// Whether the terminal rewraps lines when it is made narrower.
    reflows: bool,
    drawing: Mutex<Drawing>,
}

struct Drawing {
    out: Box<dyn Write + Send>,
    /// Text to write at the next flush.
    pending: String,
    /// Whether the last line has its text but not its line feed, which is written only if another
    /// line follows.
    owes_end: bool,
    /// Widths of the lines on the screen.
    drawn: Vec<usize>,
}

impl Screen {
    pub(super) fn new(out: Box<dyn Write + Send>, size: TerminalSize, reflows: bool) -> Self {
        let drawing = Drawing {
            out,
            pending: String::new(),
            owes_end: false,
            drawn: Vec::new(),
        };
        Self {
            size,
            reflows,
            drawing: Mutex::new(drawing),
        }
    }

    fn drawing(&self) -> MutexGuard<'_, Drawing> {
        // A panic while the lock was held leaves at most half a drawing.
        self.drawing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the cursor, which ends the current drawing.
    fn go(&self, count: usize, letter: char) -> io::Result<()> {
        let mut drawing = self.drawing();
        drawing.owes_end = false;
        if count > 0 {
            drawing.pending.push_str(&format!("\u{1b}[{count}{letter}"));
        }
        Ok(())
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        u16::try_from((self.size)().1).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        u16::try_from((self.size)().0).unwrap_or(u16::MAX)
    }

    /// Moves up to the first of the drawn lines, including lines added by the terminal's
    /// rewrapping.
    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        let drawn = std::mem::take(&mut self.drawing().drawn);
        let columns = (self.size)().1.max(1);
        let more: usize = drawn
            .iter()
            .map(|width| width.div_ceil(columns).saturating_sub(1))
            .sum();
        if more == 0 || !self.reflows {
            return self.go(count, 'A');
        }
        self.go(count + more, 'A')?;
        self.drawing().pending.push_str("\r\u{1b}[J");
        Ok(())
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        self.go(count, 'B')
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        self.go(count, 'C')
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        self.go(count, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        let mut drawing = self.drawing();
        drawing.owes_end = false;
        drawing.pending.push_str(text);
        drawing.pending.push_str("\r\n");
        Ok(())
    }

    /// Writes a line of text, or the spaces up to its end.
    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut drawing = self.drawing();
        if text.chars().all(|c| c == ' ') {
            drawing.owes_end = true;
            return Ok(());
        }
        if std::mem::take(&mut drawing.owes_end) {
            drawing.pending.push_str("\r\n");
        }
        drawing.pending.push_str(text);
        drawing.drawn.push(console::measure_text_width(text));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let mut drawing = self.drawing();
        drawing.owes_end = false;
        drawing.pending.push_str("\r\u{1b}[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut drawing = self.drawing();
        let pending = std::mem::take(&mut drawing.pending);
        drawing.out.write_all(pending.as_bytes())?;
        drawing.out.flush()
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen")
            .field("reflows", &self.reflows)
            .finish_non_exhaustive()
    }
}
