//! How fast templates are read, from their text to the sections: `cargo bench --bench parse`.
//!
//! The templates are those of the real projects in `../shared/corpus`, or of `fixtures` where these
//! aren't there. Reading from the disk isn't counted. Each row is the best of many rounds, since
//! everything else on the machine only slows it. Then come texts of 1 MB that were made to be slow:
//! each has to be read, or refused, in the time of so many tokens. The tables of resource types
//! come first: what the first question costs, which unpacks them, and what the second does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use taskcat::catalog;
use taskcat::template::Template;

const TIME_PER_ROW: Duration = Duration::from_secs(5);

fn main() {
    // `cargo test --all-targets` runs this as well, and wants no measurement.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    for which in ["first", "second"] {
        asked(&format!("{which} question where a type exists"), || {
            catalog::offers("eu-west-1", "AWS::S3::Bucket")
        });
        asked(&format!("{which} question what a type looks like"), || {
            catalog::resource_type("AWS::S3::Bucket")
        });
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = root
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("shared/corpus"))
        .find(|folder| folder.is_dir());
    let folder = corpus.unwrap_or_else(|| root.join("fixtures"));
    println!("templates of {}", folder.display());
    let mut templates = Vec::new();
    find(&folder, &mut templates);
    let (json, yaml): (Vec<Read>, Vec<Read>) = templates
        .into_iter()
        .partition(|(_, text)| text.trim_start().starts_with('{'));
    measure("YAML", &yaml);
    measure("JSON", &json);
    for (name, start, unit, end) in HOSTILE {
        let text = format!(
            "{start}{}{end}",
            unit.repeat((MEGABYTE - start.len() - end.len()) / unit.len())
        );
        hostile(name, &text);
    }
    let keys: String = (0..MEGABYTE / 14)
        .map(|n| format!("key-{n:05}: v\n"))
        .collect();
    hostile("many different keys", &keys);
    let anchors: String = (0..MEGABYTE / 22)
        .map(|n| format!("- &a{n:05} x\n- *a{n:05}\n"))
        .collect();
    hostile("many different anchors", &anchors);
    let nested = format!(
        "{}{}{}",
        "&a [".repeat(100),
        "x, ".repeat(300_000),
        "]".repeat(100)
    );
    hostile("anchors around each other", &nested);
}

/// Texts that repeat one thing: what stands before it, what is repeated, and what stands after it.
const HOSTILE: &[(&str, &str, &str, &str)] = &[
    ("one key again and again", "", "a: 1\n", ""),
    ("one anchor again and again", "", "- &a x\n", ""),
    (
        "aliases of a long text",
        "- &a aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
        "- *a\n",
        "",
    ),
    ("aliases of nothing", "", "- *a\n", ""),
    ("merge keys", "b: &b {k: v}\nm:\n", "  <<: *b\n", ""),
    ("short tags", "", "- !If [a, !Sub b, !Ref c]\n", ""),
    ("small lists", "", "- [a, b]\n", ""),
    ("pairs in a list", "[", "a: b,", "]"),
    ("numbers in JSON", "[", "1,", "1]"),
    ("keys in loose JSON", "{", "\"k\":\"v\",", "}"),
    ("open brackets", "", "[", ""),
    ("open entries", "", "- ", ""),
    ("explicit keys", "", "? a\n", ""),
    ("a long text", "a: ", "b", ""),
    ("a long key", "", "k", ": v"),
    ("a long number", "a: ", "1", ""),
    ("escapes", "a: \"", "\\n", "\""),
    ("a block of lines", "a: |\n", "  b\n", ""),
    ("blocks", "", "- |\n  b\n", ""),
    ("blank lines", "", "\n", ""),
    ("comments", "", "# c\n", ""),
    ("comments after items", "", "- a # c\n", ""),
    ("documents", "", "---\n", ""),
    ("bad resources", "Resources:\n", "  R: x\n", ""),
    ("bad keys", "Resources: {}\nMetadata:\n", "  1: x\n", ""),
];

const MEGABYTE: usize = 1_000_000;

/// The time that one question takes.
fn asked<T>(name: &str, question: impl FnOnce() -> T) {
    let started = Instant::now();
    std::hint::black_box(question());
    println!("{name}: {:.1} µs", started.elapsed().as_secs_f64() * 1e6);
}

/// The time that one text takes, whatever comes of it.
fn hostile(name: &str, text: &str) {
    let file = Arc::from(Path::new("t.yaml"));
    let best = (0..3).map(|_| {
        let started = Instant::now();
        std::hint::black_box(Template::parse(&file, String::new(), text));
        started.elapsed()
    });
    println!(
        "{name}: {:.1} ms",
        best.min().unwrap_or_default().as_secs_f64() * 1e3
    );
}

type Read = (Arc<Path>, String);

fn measure(name: &str, templates: &[Read]) {
    let bytes: usize = templates.iter().map(|(_, text)| text.len()).sum();
    let mut best = Duration::MAX;
    let started = Instant::now();
    while started.elapsed() < TIME_PER_ROW {
        let round = Instant::now();
        for (file, text) in templates {
            let (template, diagnostics) = Template::parse(file, String::new(), text);
            assert!(template.is_some(), "{}: {diagnostics:?}", file.display());
        }
        best = best.min(round.elapsed());
    }
    let rate = bytes as f64 / best.as_secs_f64() / 1e6;
    let size = bytes as f64 / 1e6;
    println!(
        "{name}: {} templates, {size:.2} MB, {:.1} ms, {rate:.1} MB/s",
        templates.len(),
        best.as_secs_f64() * 1e3
    );
}

/// Every file that is a template, in order, with its text.
fn find(folder: &Path, templates: &mut Vec<Read>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            find(&path, templates);
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let file: Arc<Path> = Arc::from(path);
        if text.contains("Resources") && Template::parse(&file, String::new(), &text).0.is_some() {
            templates.push((file, text));
        }
    }
}
