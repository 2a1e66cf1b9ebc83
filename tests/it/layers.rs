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
    ("os", &[]),
    ("process", &["os"]),
    ("input", &["os"]),
    ("json_schema", &[]),
    ("report_files", &[]),
    ("spelling", &[]),
    ("submodules", &[]),
    ("wildcard", &[]),
    ("links", &["diagnostic"]),
    // Files that users write.
    ("yaml", &["diagnostic", "input"]),
    (
        "template",
        &[
            "diagnostic",
            "links",
            "mask",
            "spelling",
            "submodules",
            "yaml",
        ],
    ),
    ("properties", &["catalog", "template"]),
    (
        "config",
        &[
            "diagnostic",
            "duration",
            "input",
            "json_schema",
            "spelling",
            "wildcard",
            "yaml",
        ],
    ),
    (
        "plan",
        &[
            "catalog",
            "config",
            "diagnostic",
            "event",
            "json_schema",
            "mask",
            "properties",
            "spelling",
            "submodules",
            "template",
            "yaml",
        ],
    ),
    ("iam_policy", &["catalog", "diagnostic", "template", "yaml"]),
    (
        "ami",
        &["catalog", "diagnostic", "spelling", "template", "yaml"],
    ),
    (
        "lint",
        &[
            "diagnostic",
            "event",
            "input",
            "json_schema",
            "process",
            "spelling",
            "submodules",
            "template",
            "yaml",
        ],
    ),
    // AWS, and the steps that use it.
    (
        "pipeline",
        &[
            "catalog",
            "diagnostic",
            "event",
            "input",
            "plan",
            "template",
        ],
    ),
    (
        "aws",
        &[
            "catalog", "duration", "event", "input", "plan", "spelling", "status",
        ],
    ),
    ("package", &["input", "links", "os", "process", "spelling"]),
    (
        "stage",
        &[
            "aws",
            "catalog",
            "diagnostic",
            "event",
            "input",
            "links",
            "os",
            "plan",
            "report_files",
        ],
    ),
    (
        "launch",
        &[
            "aws", "duration", "event", "input", "mask", "plan", "process", "status",
        ],
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
            "json_schema",
            "mask",
            "os",
            "properties",
            "spelling",
            "status",
            "template",
            "wildcard",
            "yaml",
        ],
    ),
    // What is told of a run.
    (
        "report",
        &[
            "event",
            "input",
            "json_schema",
            "mask",
            "os",
            "report_files",
            "status",
        ],
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
            "os",
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
            "ami",
            "aws",
            "catalog",
            "config",
            "diagnostic",
            "duration",
            "event",
            "iam_policy",
            "input",
            "launch",
            "links",
            "lint",
            "mask",
            "os",
            "package",
            "pipeline",
            "plan",
            "process",
            "report",
            "run",
            "simulator",
            "spelling",
            "stage",
            "status",
            "submodules",
            "template",
            "yaml",
        ],
    ),
];

/// The modules of `simulator/cloudformation`, as in [`TABLE`]: state is below the engine, and the
/// engine below the actions.
const CLOUDFORMATION: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("resource", &[]),
    ("state", &["error", "resource"]),
    ("request", &["error", "state"]),
    ("evaluation", &["error", "request", "resource", "state"]),
    ("engine", &["error", "evaluation", "resource", "state"]),
    (
        "api",
        &[
            "engine",
            "error",
            "evaluation",
            "request",
            "resource",
            "state",
        ],
    ),
];

#[test]
fn modules_of_cloudformation_import_lower_ones_only() {
    check_folder(&["simulator", "cloudformation"], CLOUDFORMATION);
}

/// Checks the modules of a folder against its table. No module may import an item of the folder's
/// own `mod.rs`, which is above all of them.
fn check_folder(folder: &[&str], table: &[(&str, &[&str])]) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let path = folder
        .iter()
        .fold(source.clone(), |path, name| path.join(name));
    let mut unused: BTreeMap<&str, BTreeSet<&str>> = table
        .iter()
        .map(|(module, allowed)| (*module, allowed.iter().copied().collect()))
        .collect();
    let mut faults = Vec::new();
    for (position, (module, allowed)) in table.iter().enumerate() {
        let above = &table[..position];
        let upward = allowed
            .iter()
            .find(|it| above.iter().all(|(lower, _)| lower != *it));
        faults.extend(upward.map(|it| format!("{module} is listed before {it}")));
    }
    for file in sources(&path) {
        let own = module_path(&source, &file);
        let Some(module) = own.get(folder.len()) else {
            continue;
        };
        let Some((module, allowed)) = table.iter().find(|(name, _)| name == module) else {
            faults.push(format!("{module} is not in the table"));
            continue;
        };
        for path in paths(&fs::read_to_string(&file).unwrap(), &own) {
            let Some(name) = path
                .get(folder.len())
                .filter(|_| path.iter().zip(folder).all(|(one, other)| one == other))
            else {
                continue;
            };
            if let Some(unused) = unused.get_mut(module) {
                unused.remove(name.as_str());
            }
            if name != module && !allowed.contains(&name.as_str()) {
                faults.push(format!(
                    "{} imports {}, which {module} may not",
                    file.display(),
                    path.join("::")
                ));
            }
        }
    }
    let unused = unused
        .iter()
        .flat_map(|(module, names)| names.iter().map(move |name| (module, name)));
    faults.extend(unused.map(|(module, name)| format!("{module} may import {name}, and doesn't")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Circles of neighbours that stay: their folder, their modules, and why.
const CIRCLES: &[(&str, &[&str], &str)] = &[
    (
        "plan::parameters",
        &["keywords", "stored", "syntax"],
        "the grammar is recursive: an argument of a pseudo-parameter may hold pseudo-parameters",
    ),
    (
        "simulator",
        &[
            "cloud_control",
            "cloudformation",
            "code_pipeline",
            "dispatch",
            "ec2",
            "fault",
            "iam",
            "json",
            "query",
            "route53",
            "s3",
            "scenario",
            "secrets_manager",
            "seed",
            "service_quotas",
            "ssm",
            "sts",
        ],
        "protocols dispatch to the services that are written with them",
    ),
    (
        "simulator::cloudformation::resource",
        &["arn", "pattern"],
        "an ARN has generated parts, and a generated value may be an ARN",
    ),
];

/// Modules of one folder import each other in no circle but those of [`CIRCLES`]. What they import
/// from modules in between counts for the module of the folder that it is in; unit tests don't
/// count.
#[test]
fn modules_of_a_folder_form_no_circle() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<_> = sources(&source)
        .into_iter()
        .map(|file| (module_path(&source, &file), file))
        .collect();
    let modules: BTreeSet<&[String]> = files.iter().map(|(own, _)| own.as_slice()).collect();
    let mut folders: BTreeMap<&[String], BTreeMap<&str, BTreeSet<String>>> = BTreeMap::new();
    for (own, file) in &files {
        let text = fs::read_to_string(file).unwrap();
        let code = text
            .split("\n#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        for path in paths(code, own) {
            let shared = own.iter().zip(&path).take_while(|(a, b)| a == b).count();
            let is_module = modules.contains(path.get(..=shared).unwrap_or_default());
            if let Some(importer) = own.get(shared).filter(|_| is_module) {
                let folder = folders.entry(&own[..shared]).or_default();
                let imported = folder.entry(importer).or_default();
                imported.insert(path[shared].clone());
            }
        }
    }
    let mut found = BTreeSet::new();
    for (folder, imports) in &folders {
        for module in imports.keys() {
            let reached = reached(module, imports);
            let circle: Vec<&str> = reached
                .iter()
                .copied()
                .filter(|other| self::reached(other, imports).contains(module))
                .collect();
            if circle.len() > 1 {
                found.insert((folder.join("::"), circle));
            }
        }
    }
    let listed: BTreeSet<(String, Vec<&str>)> = CIRCLES
        .iter()
        .map(|(folder, circle, _)| ((*folder).to_owned(), circle.to_vec()))
        .collect();
    assert_eq!(found, listed);
}

/// Returns the modules that a module imports, itself or by others.
fn reached<'m>(
    module: &'m str,
    imports: &'m BTreeMap<&str, BTreeSet<String>>,
) -> BTreeSet<&'m str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![module];
    while let Some(next) = open.pop() {
        for imported in imports.get(next).into_iter().flatten() {
            if reached.insert(imported.as_str()) {
                open.push(imported);
            }
        }
    }
    reached
}

/// Returns the names that lead to the module of a file: `simulator`, `s3` for
/// `simulator/s3/mod.rs`.
fn module_path(source: &Path, file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(source).unwrap().with_extension("");
    let mut names: Vec<String> = relative
        .iter()
        .map(|name| name.to_str().unwrap().to_owned())
        .collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

/// Returns the absolute paths that a source names after `crate::` and `super::`; `own` is the path
/// of its module.
fn paths(source: &str, own: &[String]) -> Vec<Vec<String>> {
    let code: String = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let tests = code.find("\nmod tests {").unwrap_or(code.len());
    let mut found = Vec::new();
    for keyword in ["crate::", "super::"] {
        for (at, _) in code.match_indices(keyword) {
            let is_start = !code[..at].ends_with(|it: char| it.is_alphanumeric() || it == '_');
            if !is_start || code[..at].ends_with("super::") {
                continue;
            }
            let mut rest = &code[at..];
            let mut base = Vec::new();
            if keyword == "crate::" {
                rest = &rest[keyword.len()..];
            } else {
                base = own.to_vec();
                if at > tests {
                    base.push("tests".to_owned());
                }
                while let Some(next) = rest.strip_prefix("super::") {
                    base.pop();
                    rest = next;
                }
            }
            branches(rest, &base, &mut found);
        }
    }
    found
}

/// Adds the paths of a use tree: `a::{b, c::d}` names `a::b` and `a::c::d`.
fn branches(tree: &str, base: &[String], found: &mut Vec<Vec<String>>) {
    let tree = tree.trim_start();
    if let Some(group) = tree.strip_prefix('{') {
        let mut depth = 0;
        let mut start = 0;
        for (at, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    if !group[start..at].trim().is_empty() {
                        branches(&group[start..at], base, found);
                    }
                    start = at + 1;
                    if character == '}' {
                        return;
                    }
                }
                _ => {}
            }
        }
        return;
    }
    let name = identifier(tree);
    if name.is_empty() || name == "self" {
        found.push(base.to_vec());
        return;
    }
    let path: Vec<String> = base.iter().cloned().chain([name.clone()]).collect();
    match tree[name.len()..].strip_prefix("::") {
        Some(rest) => branches(rest, &path, found),
        None => found.push(path),
    }
}

#[test]
fn use_trees_are_resolved() {
    let check = |source: &str, expect: &[&str]| {
        let own = ["a", "b"].map(str::to_owned);
        let found: Vec<String> = paths(source, &own)
            .iter()
            .map(|path| path.join("::"))
            .collect();
        assert_eq!(found, expect, "{source}");
    };
    check(
        "use crate::x::{y, z::{self, w}};",
        &["x::y", "x::z", "x::z::w"],
    );
    check("use super::c::d;", &["a::c::d"]);
    check("use super::super::e;", &["e"]);
    check("\nmod tests {\n    use super::*;\n}", &["a::b"]);
    check("// crate::x", &[]);
}

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
