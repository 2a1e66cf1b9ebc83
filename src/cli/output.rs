//! Prints everything outside of a run's reports: diagnostics with their source lines, errors, the
//! log of `--debug`.

use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::span::span;
use super::{Verbosity, stdin, streams};
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::input;
use crate::mask::MASK;
use crate::report::EventConsumer;
use crate::report::github::inert;
use crate::report::terminal;
use crate::template::Failure;

/// Prints every diagnostic with its source line, like rustc.
pub(super) fn diagnostics(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let Some(location) = &diagnostic.location else {
            print(level, &diagnostic.message, diagnostic.help.as_deref());
            continue;
        };
        let primary = SourceAnnotation {
            at: location,
            kind: AnnotationKind::Primary,
            label: diagnostic.label.as_deref().map(str::to_owned),
            is_secret: false,
        };
        let related = diagnostic.related.iter().map(|(at, label)| {
            let label = Some(label.clone());
            SourceAnnotation {
                at,
                kind: AnnotationKind::Context,
                label,
                is_secret: false,
            }
        });
        let places: Vec<_> = std::iter::once(primary).chain(related).collect();
        let mut group = snippets(
            Group::with_title(level.primary_title(&diagnostic.message)),
            &places,
        );
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help));
        }
        streams::tell(inert(&Renderer::styled().render(&[group])));
    }
}

/// Prints `error: …` and the help below it.
pub(super) fn error(message: &str, help: Option<&str>) {
    print(Level::ERROR, message, help);
}

/// Prints `warning: …`.
pub(super) fn warning(message: &str) {
    print(Level::WARNING, message, None);
}

/// Prints `warning: …` and the help below it.
pub(super) fn warning_with_help(message: &str, help: &str) {
    print(Level::WARNING, message, Some(help));
}

/// Prints `note: …` and the help below it.
pub(super) fn note(message: &str, help: &str) {
    print(Level::NOTE, message, Some(help));
}

fn print(level: Level<'_>, message: &str, help: Option<&str>) {
    let mut group = Group::with_title(level.primary_title(message));
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    streams::tell(inert(&Renderer::styled().render(&[group])));
}

/// Formats why a template cannot be launched with the source lines involved: where it fails, the
/// nested stacks that lead there, and where parameters were set. `notes` are added below.
pub(super) fn failure(failure: &Failure, notes: &[String]) -> String {
    let here = failure.nested_in.iter().find(|it| it.at == failure.at);
    let label = here.map(|it| format!("nested stack {}", it.logical_id));
    let mut places = vec![SourceAnnotation {
        at: &failure.at,
        kind: AnnotationKind::Primary,
        label,
        is_secret: false,
    }];
    let context = |at, label| SourceAnnotation {
        at,
        kind: AnnotationKind::Context,
        label: Some(label),
        is_secret: false,
    };
    for nested_in in failure
        .nested_in
        .iter()
        .rev()
        .filter(|it| it.at != failure.at)
    {
        places.push(context(
            &nested_in.at,
            format!("in nested stack {}", nested_in.logical_id),
        ));
    }
    let placed = failure
        .notes
        .iter()
        .filter_map(|note| Some((note, note.at.as_ref()?)));
    places.extend(placed.map(|(note, at)| SourceAnnotation {
        is_secret: note.is_secret,
        ..context(at, note.message.clone())
    }));
    let secret = places.iter().filter(|place| place.is_secret);
    let secret = secret.map(|it| {
        format!(
            "{} ({})",
            it.label.as_deref().unwrap_or_default(),
            near_place(it.at)
        )
    });
    let unplaced = failure
        .notes
        .iter()
        .filter(|note| note.at.is_none())
        .map(|note| note.message.clone());
    let notes: Vec<String> = secret
        .chain(unplaced)
        .chain(notes.iter().cloned())
        .collect();
    let group = snippets(
        Group::with_title(Level::ERROR.primary_title(&failure.message)),
        &places,
    );
    let group = group.elements(notes.iter().map(|note| Level::NOTE.message(note)));
    inert(&Renderer::styled().render(&[group])).into_owned()
}

/// A location in a file with its kind and label.
struct SourceAnnotation<'a> {
    at: &'a Location,
    kind: AnnotationKind,
    label: Option<String>,
    /// Whether only the line's number may be shown.
    is_secret: bool,
}

/// Adds each file once, in the order of the locations; a file that cannot be read is named.
fn snippets<'a>(mut group: Group<'a>, places: &[SourceAnnotation<'a>]) -> Group<'a> {
    let mut files: Vec<&Path> = Vec::new();
    for place in places.iter().filter(|place| !place.is_secret) {
        let file = &place.at.file;
        if files.contains(&&**file) {
            continue;
        }
        files.push(file);
        let here: Vec<_> = places
            .iter()
            .filter(|other| other.at.file == *file && !other.is_secret)
            .collect();
        let name = near(file).to_string_lossy().into_owned();
        group = match input::text(file) {
            Some(source) => {
                let secrets = places
                    .iter()
                    .filter(|other| other.at.file == *file && other.is_secret);
                let source = without_lines(source, secrets.map(|place| place.at.at.line));
                let annotation = |place: &&SourceAnnotation| -> Annotation<'a> {
                    place
                        .kind
                        .span(span(place.at, &source))
                        .label(place.label.clone())
                };
                let annotations: Vec<_> = here.iter().map(annotation).collect();
                group.element(Snippet::source(source).path(name).annotations(annotations))
            }
            None => group.elements(here.iter().map(|place| {
                let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
                Origin::path(name.clone())
                    .line(count(place.at.at.line))
                    .char_column(count(place.at.at.column))
            })),
        };
    }
    group
}

/// Masks the source on secret lines, which may be shown between others.
fn without_lines(source: String, lines: impl Iterator<Item = u32>) -> String {
    let lines: Vec<u32> = lines.collect();
    if lines.is_empty() {
        return source;
    }
    let masked = (1..)
        .zip(source.split_inclusive('\n'))
        .map(|(number, line)| {
            if lines.contains(&number) {
                Cow::Owned(format!("{MASK}\n"))
            } else {
                Cow::Borrowed(line)
            }
        });
    masked.collect()
}

/// Returns `file:line` with a path relative to the working directory.
pub(super) fn near_place(location: &Location) -> String {
    format!("{}:{}", near(&location.file).display(), location.at.line)
}

/// Returns a path relative to the working directory.
fn near(path: &Path) -> &Path {
    if stdin::is_from_stdin(path) {
        return Path::new("<stdin>");
    }
    env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path)
}

/// Sends taskcat's own log to stderr, for `--debug`.
pub(super) fn log_to_stderr() {
    let ours = Targets::new()
        .with_target("taskcat", LevelFilter::DEBUG)
        .with_default(LevelFilter::WARN);
    // The simulator's S3 server logs intentional errors, which are noise.
    let ours = ours.with_target("s3s", LevelFilter::OFF);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(|| LogWriter)
        .with_ansi(false)
        .with_target(false);
    tracing_subscriber::registry().with(layer).with(ours).init();
}

/// A writer to stderr in which foreign text contains no commands for a CI system.
struct LogWriter;

impl Write for LogWriter {
    /// The log arrives in whole messages.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        streams::tell_in_line(inert(&String::from_utf8_lossy(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the consumer that shows a run on stderr, depending on its kind.
pub(super) fn terminal(
    verbosity: Verbosity,
    minimal: bool,
    report: Option<String>,
) -> Box<dyn EventConsumer> {
    terminal::consumer(view(verbosity, minimal, report))
}

/// Returns the consumer that only prints lines, for commands that ask questions.
pub(super) fn log(verbosity: Verbosity) -> Box<dyn EventConsumer> {
    terminal::consumer(terminal::Options {
        is_terminal: false,
        ..view(verbosity, false, None)
    })
}

/// Returns the options of that consumer.
pub(super) fn view(
    verbosity: Verbosity,
    minimal: bool,
    report: Option<String>,
) -> terminal::Options {
    let stderr = io::stderr();
    let colour = anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never;
    terminal::Options {
        quiet: verbosity.quiet,
        minimal,
        // Log lines would break the live view.
        is_terminal: stderr.is_terminal() && !verbosity.debug,
        colour,
        reflows: reflows(),
        report,
        ..terminal::Options::default()
    }
}

/// Returns whether the terminal rewraps lines when it is made narrower: all but xterm, screen and
/// the console do.
fn reflows() -> bool {
    let is_set = |name: &str| env::var_os(name).is_some();
    let kind = env::var("TERM").unwrap_or_default();
    let is_screen = kind.starts_with("screen") && !is_set("TMUX");
    !is_set("XTERM_VERSION") && !is_screen && kind != "linux"
}
