//! What is printed outside of a run's reports: diagnostics with the line they are about, errors, the log of `--debug`.

use std::env;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::Verbosity;
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::report::Consumer;
use crate::report::terminal;

/// Prints every diagnostic with its line of source, as rustc does.
pub(super) fn diagnostics(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let source = diagnostic.location.as_ref().and_then(|at| fs::read_to_string(&at.file).ok());
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let place = diagnostic.location.as_ref().zip(source.as_deref());
        let message = match (&diagnostic.location, place) {
            // A file whose lines can't be shown is at least named.
            (Some(location), None) => format!("{}: {}", near(&location.file).display(), diagnostic.message),
            _ => diagnostic.message.clone(),
        };
        print(level, &message, place, diagnostic.help.as_deref());
    }
}

/// Prints `error: …` and, below it, what can be done.
pub(super) fn error(message: &str, help: Option<&str>) {
    print(Level::ERROR, message, None, help);
}

/// Prints `warning: …`.
pub(super) fn warning(message: &str) {
    print(Level::WARNING, message, None, None);
}

fn print(level: Level<'_>, message: &str, place: Option<(&Location, &str)>, help: Option<&str>) {
    let title = level.primary_title(message);
    let mut group = match place {
        Some((location, source)) => title.element(
            Snippet::source(source)
                .path(near(&location.file).to_string_lossy())
                .annotation(AnnotationKind::Primary.span(span(location, source))),
        ),
        None => Group::with_title(title),
    };
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    anstream::eprintln!("{}", Renderer::styled().render(&[group]));
}

/// A path as the user would write it here.
fn near(path: &Path) -> &Path {
    env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path)
}

/// The word at a location, in bytes: diagnostics know where something begins, and what it is ends with the word.
fn span(location: &Location, source: &str) -> std::ops::Range<usize> {
    let line = usize::try_from(location.at.line).unwrap_or(usize::MAX).saturating_sub(1);
    let column = usize::try_from(location.at.column).unwrap_or(usize::MAX).saturating_sub(1);
    let start_of_line: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = &source[start_of_line..];
    let start = start_of_line + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at);
    let word = source[start..].find(|c: char| c.is_whitespace() || c == ':').unwrap_or(source.len() - start);
    start..start + word
}

/// Sends the product's own log to stderr, for `--debug`.
pub(super) fn log_to_stderr() {
    let ours = Targets::new().with_target("taskcat", LevelFilter::DEBUG).with_default(LevelFilter::WARN);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).with_target(false);
    tracing_subscriber::registry().with(layer).with(ours).init();
}

/// The view of a run on stderr, by what stderr is.
pub(super) fn terminal(verbosity: Verbosity, minimal: bool, report: Option<String>) -> Box<dyn Consumer> {
    let stderr = io::stderr();
    let colour = anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never;
    terminal::consumer(terminal::Options {
        quiet: verbosity.quiet,
        minimal,
        // A log between the lines would tear the live view apart.
        is_terminal: stderr.is_terminal() && !verbosity.debug,
        width: None,
        colour,
        report,
    })
}
