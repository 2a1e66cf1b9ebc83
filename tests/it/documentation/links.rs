//! Links and anchors resolve, and the book has every page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use regex::Regex;

use super::markdown::{Page, docs, documentation, page, root};
use crate::layers::sources;

#[test]
fn links_lead_to_pages_and_headings_that_exist() {
    let others = ["CONTRIBUTING.md", "pipeline/README.md", "schemas/README.md"];
    let pages = documentation()
        .into_iter()
        .chain(others.map(|path| page(Path::new(path))));
    let mut broken = Vec::new();
    let mut checked = 0;
    for page in pages {
        for (line, target) in page.links() {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            if let Some(reason) = reason_of_broken(&page, &target) {
                broken.push(format!(
                    "{}:{line}: {target}: {reason}",
                    page.path.display()
                ));
            }
        }
    }
    assert!(checked > 60, "only {checked} links were found");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn reason_of_broken(from: &Page, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let linked = if path.is_empty() {
        from.path.clone()
    } else {
        normalized(&from.path.parent().unwrap().join(path))
    };
    if !root().join(&linked).exists() {
        return Some(format!("no {}", linked.display()));
    }
    let is_page = linked
        .extension()
        .is_some_and(|extension| extension == "md");
    (is_page && !anchor.is_empty() && !page(&linked).anchors().contains(anchor))
        .then(|| format!("{} has no such heading", linked.display()))
}

/// A path without `..` in it.
fn normalized(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            normal.pop();
        } else {
            normal.push(component);
        }
    }
    normal
}

/// mdBook leaves out a page that the summary doesn't list.
#[test]
fn the_summary_lists_every_page() {
    let summary = page(Path::new("docs/SUMMARY.md"));
    let listed: BTreeSet<String> = summary.links().into_iter().map(|(_, path)| path).collect();
    let pages = docs().into_iter().map(|page| page.path);
    let pages: BTreeSet<String> = pages
        .map(|path| path.strip_prefix("docs").unwrap().display().to_string())
        .filter(|path| path != "SUMMARY.md")
        .collect();
    let missing: Vec<&String> = pages.difference(&listed).collect();
    assert!(
        missing.is_empty(),
        "add a line `- [Title](PAGE)` to docs/SUMMARY.md for {missing:?}"
    );
    assert_eq!(
        listed, pages,
        "docs/SUMMARY.md lists a page that doesn't exist"
    );
}

/// `--help`, hints and comments name pages of `docs`.
#[test]
fn pages_that_the_sources_name_exist() {
    let name = Regex::new(r"(?:^|[^/\w])(docs/[\w/-]+\.md)\b").unwrap();
    let mut named = 0;
    let mut missing = Vec::new();
    for file in sources(&root().join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("\n#[cfg(test)]\n").next().unwrap();
        for found in name.captures_iter(code) {
            named += 1;
            if !root().join(&found[1]).exists() {
                missing.push(format!("{}: {}", file.display(), &found[1]));
            }
        }
    }
    assert!(named > 3, "only {named} were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Somebody who finds the repository reads a page or two.
#[test]
fn readme_is_short_and_its_pictures_are_small() {
    let readme = page(Path::new("README.md"));
    let lines = readme.text.lines().count();
    assert!(lines <= 150, "README.md has {lines} lines");
    for picture in fs::read_dir(root().join("docs/pictures")).unwrap() {
        let picture = picture.unwrap();
        let size = picture.metadata().unwrap().len();
        assert!(size < 300_000, "{:?} has {size} bytes", picture.path());
    }
}
