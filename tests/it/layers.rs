//! The house keeps its layers: who may know whom in `src/` is the table below, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module of `src/` and the modules that it may name with `crate::`. Lower rows know only rows
/// above them; the steps don't know each other.
const TABLE: &[(&str, &[&str])] = &[
    // These know nobody.
    ("mask", &[]),
    ("status", &[]),
    ("event", &["status"]),
    ("diagnostic", &[]),
    ("duration", &[]),
    ("catalog", &[]),
    ("process", &[]),
    ("input", &[]),
    ("report_files", &[]),
    ("links", &["diagnostic"]),
    // Files that users write.
    ("yaml", &["diagnostic", "input"]),
    ("template", &["diagnostic", "links", "mask", "yaml"]),
    ("properties", &["catalog", "template"]),
    ("config", &["diagnostic", "duration", "input", "yaml"]),
    (
        "plan",
        &[
            "catalog",
            "config",
            "diagnostic",
            "event",
            "mask",
            "properties",
            "template",
            "yaml",
        ],
    ),
    ("lint", &["diagnostic", "process"]),
    // AWS, and the steps that use it.
    (
        "pipeline",
        &["catalog", "diagnostic", "event", "plan", "template"],
    ),
    (
        "aws",
        &["catalog", "duration", "event", "input", "plan", "status"],
    ),
    ("package", &["input", "links", "process"]),
    (
        "stage",
        &[
            "aws",
            "catalog",
            "diagnostic",
            "event",
            "input",
            "links",
            "plan",
            "report_files",
        ],
    ),
    (
        "launch",
        &["aws", "event", "input", "mask", "plan", "process", "status"],
    ),
    ("watch", &["aws", "event", "status"]),
    ("teardown", &["aws", "catalog", "event", "plan", "status"]),
    // AWS on this machine: no step knows it, and it knows none.
    (
        "simulator",
        &[
            "catalog",
            "diagnostic",
            "duration",
            "input",
            "mask",
            "properties",
            "status",
            "template",
            "yaml",
        ],
    ),
    // What is told of a run.
    (
        "report",
        &["event", "input", "mask", "report_files", "status"],
    ),
    (
        "run",
        &[
            "aws",
            "diagnostic",
            "duration",
            "event",
            "input",
            "launch",
            "lint",
            "mask",
            "package",
            "pipeline",
            "plan",
            "report",
            "stage",
            "status",
            "teardown",
            "watch",
            "yaml",
        ],
    ),
    (
        "cli",
        &[
            "aws",
            "catalog",
            "config",
            "diagnostic",
            "duration",
            "event",
            "input",
            "launch",
            "links",
            "lint",
            "mask",
            "package",
            "pipeline",
            "plan",
            "report",
            "run",
            "simulator",
            "stage",
            "status",
            "template",
            "yaml",
        ],
    ),
];

#[test]
fn no_module_knows_one_that_it_should_not() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = TABLE
        .iter()
        .map(|(module, may)| (*module, may.iter().copied().collect()))
        .collect();
    let mut faults = Vec::new();
    let mut edges = 0;
    let mut unused = allowed.clone();
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let Some(module) = module_of(&file) else {
            continue;
        };
        let Some(may) = allowed.get(module.as_str()) else {
            faults.push(format!("{module} is not in the table"));
            continue;
        };
        for known in named(&fs::read_to_string(&file).unwrap()) {
            edges += 1;
            if let Some(unused) = unused.get_mut(module.as_str()) {
                unused.remove(known.as_str());
            }
            if known != module && !may.contains(known.as_str()) {
                faults.push(format!(
                    "{} names crate::{known}, which {module} may not know",
                    file.display()
                ));
            }
        }
    }
    let unused = unused
        .iter()
        .flat_map(|(module, known)| known.iter().map(move |known| (module, known)));
    faults.extend(unused.map(|(module, known)| format!("{module} may know {known}, and doesn't")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(
        edges > 50,
        "only {edges} edges were found: does this test still read the sources?"
    );
}

/// The binary of the Lambda takes the way to AWS and the mask of secrets from the library, and
/// nothing else; its own `crate::` is its own.
#[test]
fn the_lambda_knows_aws_and_masks_alone() {
    let mut edges = 0;
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin")) {
        let source = fs::read_to_string(&file).unwrap();
        for known in named(
            &source
                .replace("crate::", "")
                .replace("taskcat::", "crate::"),
        ) {
            edges += 1;
            assert!(
                ["aws", "mask"].contains(&known.as_str()),
                "{} names taskcat::{known}",
                file.display()
            );
        }
    }
    assert!(
        edges > 3,
        "only {edges} edges were found: does this test still read the sources?"
    );
}

/// The table itself: acyclic, since every row names rows above it alone.
#[test]
fn the_table_is_in_order() {
    let mut above = BTreeSet::new();
    for (module, may) in TABLE {
        for known in *may {
            // Two rows that stand side by side may be named in either order of the table, but not
            // in a circle.
            assert!(
                above.contains(known),
                "{module} may know {known}, which stands below it"
            );
        }
        above.insert(*module);
    }
}

#[test]
fn paths_are_found_in_all_their_forms() {
    let check = |source: &str, expect: &[&str]| assert_eq!(named(source), expect, "{source}");
    check("use crate::event::Events;", &["event"]);
    check(
        "use crate::{aws::Aws, plan::{Plan, StackPlan}, run};",
        &["aws", "plan", "run"],
    );
    check("fn f(at: crate::diagnostic::Position) {}", &["diagnostic"]);
    check("    // crate::run is above\n    //! [`crate::cli`]", &[]);
    check("pub(crate) fn f() {}\nuse super::event;", &[]);
}

/// The modules that a source names after `crate::`, in order; comments name nobody.
fn named(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_names(group)),
            None => found.push(identifier(rest)),
        }
    }
    found
}

/// The first name of each member of a braced list, up to its closing brace.
fn first_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(identifier(&group[start..at]));
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn identifier(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|it| it.is_ascii_alphanumeric() || *it == '_')
        .collect()
}

/// `src/<module>.rs` and everything under `src/<module>/`; the binary and the map are above all
/// modules.
fn module_of(file: &Path) -> Option<String> {
    let relative = file
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    let first = relative.iter().next().unwrap().to_str().unwrap();
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(module, "main" | "lib" | "bin")).then(|| module.to_owned())
}

pub fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
