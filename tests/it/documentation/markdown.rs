//! Reads Markdown as far as the tests need it: headings, links and blocks of code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page, with its path relative to the repository.
pub struct Page {
    pub path: PathBuf,
    pub text: String,
}

/// A block of code.
#[derive(Debug)]
pub struct Block {
    /// The page and the line where it begins, for messages.
    pub place: String,
    pub language: String,
    pub text: String,
    /// The items of a comment `<!-- test: …; … -->` above it.
    pub directives: Vec<String>,
}

impl Block {
    /// The rest of the directive that begins with a word.
    pub fn directive(&self, word: &str) -> Option<&str> {
        self.all_directives(word).next()
    }

    pub fn all_directives(&self, word: &str) -> impl Iterator<Item = &str> {
        let matching = self.directives.iter().filter_map(move |directive| {
            let rest = directive.strip_prefix(word)?;
            (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim())
        });
        matching.into_iter()
    }
}

/// README and every page of `docs`.
pub fn documentation() -> Vec<Page> {
    let mut pages = vec![page(Path::new("README.md"))];
    pages.extend(docs());
    pages
}

/// The pages of `docs`, sorted by path.
pub fn docs() -> Vec<Page> {
    let files = walkdir::WalkDir::new(root().join("docs")).sort_by_file_name();
    let files = files.into_iter().map(|entry| entry.unwrap().into_path());
    let pages = files.filter(|path| path.extension().is_some_and(|it| it == "md"));
    pages
        .map(|path| page(path.strip_prefix(root()).unwrap()))
        .collect()
}

pub fn page(path: &Path) -> Page {
    let text = fs::read_to_string(root().join(path));
    Page {
        path: path.to_owned(),
        text: text.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    }
}

impl Page {
    /// Its numbered lines outside of blocks of code.
    pub fn prose(&self) -> Vec<(usize, &str)> {
        let mut inside = false;
        let mut prose = Vec::new();
        for (at, line) in self.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                inside = !inside;
            } else if !inside {
                prose.push((at + 1, line));
            }
        }
        assert!(!inside, "{}: a block isn't closed", self.path.display());
        prose
    }

    pub fn blocks(&self) -> Vec<Block> {
        let comment = Regex::new(r"^<!-- test: (.*) -->$").unwrap();
        let mut blocks = Vec::new();
        let mut directives = Vec::new();
        let mut lines = self.text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            if let Some(found) = comment.captures(line) {
                directives = found[1].split("; ").map(str::to_owned).collect();
                continue;
            }
            if let Some(language) = line.trim_start().strip_prefix("```") {
                let content = lines.by_ref().map(|(_, line)| line);
                let content = content.take_while(|line| !line.trim_start().starts_with("```"));
                blocks.push(Block {
                    place: format!("{}:{}", self.path.display(), at + 1),
                    language: language.trim().to_owned(),
                    text: content.map(|line| format!("{line}\n")).collect(),
                    directives: std::mem::take(&mut directives),
                });
            }
            assert!(
                directives.is_empty() || line.trim().is_empty(),
                "{}:{}: a test comment without a block below it",
                self.path.display(),
                at + 1
            );
        }
        blocks
    }

    /// The targets of its links and images, each with its line.
    pub fn links(&self) -> Vec<(usize, String)> {
        let link = Regex::new(r#"\]\(([^()\s]+)\)|(?:src|href)="([^"]+)""#).unwrap();
        let code = Regex::new(r"`[^`]*`").unwrap();
        let mut links = Vec::new();
        for (at, line) in self.prose() {
            // The text of a link may be code, but nothing in code is a link.
            let line = code.replace_all(line, "code");
            let found = link.captures_iter(&line);
            let found = found.filter_map(|it| it.get(1).or_else(|| it.get(2)));
            links.extend(found.map(|it| (at, it.as_str().to_owned())));
        }
        links
    }

    /// The anchors of its headings, as GitHub and mdBook name them.
    pub fn anchors(&self) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        for (_, line) in self.prose() {
            let heading = line.trim_start_matches('#');
            if heading.len() == line.len() || !heading.starts_with(' ') {
                continue;
            }
            let kept = heading.trim().to_lowercase();
            let kept = kept
                .chars()
                .filter(|char| char.is_alphanumeric() || " -_".contains(*char));
            let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let numbered = (1..).map(|count| format!("{anchor}-{count}"));
            let free = std::iter::once(anchor.clone()).chain(numbered);
            let free = free.into_iter().find(|it| !anchors.contains(it));
            anchors.extend(free);
        }
        anchors
    }
}
