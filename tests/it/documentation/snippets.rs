//! Every block of code in README and `docs` is run or read.
//!
//! Blocks of `sh` and `console` run in a copy of `fixtures/projects/first-run`, against the
//! simulator; those of `yaml` and `json` are read as what their keys say. A comment in front of a
//! block says what differs: `<!-- test: ITEM; ITEM -->`, with these items:
//!
//! - `project NAME`: another fixture; `repository`: a copy of this repository's first files
//! - `exit CODE`: how the last command ends
//! - `file PATH`: a file that must exist, relative to the project
//! - `continue`: in the project of the block before it
//! - `by MODULE` or `by FILE`: another test runs it. The options of its commands are checked here.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use regex::{Captures, Regex};

use super::markdown::{Block, Page, documentation, root};
use crate::project::Project;
use crate::simulator::Simulator;
use crate::taskcat::{Outcome, Taskcat};

/// Stands for cargo, so that no test builds: it runs the program that is tested.
const CARGO: &str = r#"#!/bin/sh
set -eu
test -f Cargo.toml || case "$*" in *--git*) ;; *) echo "no Cargo.toml in $PWD" >&2; exit 101 ;; esac
case "$1" in
  install) exit 0 ;;
  run) while [ "$1" != -- ]; do shift; done; shift; exec taskcat "$@" ;;
  *) echo "cargo $1 is not expected" >&2; exit 101 ;;
esac
"#;

/// Starts a simulator with a scenario or seed file, and ends it.
const SIMULATOR: &str = r#"
taskcat simulator OPTION given.yml >given.env &
until grep -q DEFAULT_REGION given.env; do
  kill -0 $! 2>/dev/null || { wait $!; exit; }
  sleep 0.05
done
kill $!
"#;

/// Where the blocks of a page run.
struct Playground {
    simulator: Simulator,
    project: Project,
}

impl Playground {
    fn new() -> Self {
        Self {
            simulator: Simulator::start(&["--speed", "1000"]),
            project: Project::empty("none"),
        }
    }

    /// Prepares the project that a block runs in.
    fn prepare(&mut self, block: &Block) {
        if block.directive("continue").is_none() {
            self.project = if block.directive("repository").is_some() {
                repository()
            } else {
                Project::copy_of(block.directive("project").unwrap_or("first-run"))
            };
        }
        for file in block.all_directives("file") {
            self.project.write(file, "");
        }
    }

    /// Runs lines in bash, with the program and a stand-in for cargo on PATH.
    fn run(&self, lines: &str) -> Outcome {
        let programs = self.project.home().join("bin");
        fs::create_dir_all(&programs).unwrap();
        fs::write(programs.join("cargo"), CARGO).unwrap();
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(programs.join("cargo"), executable).unwrap();
        let taskcat = Path::new(env!("CARGO_BIN_EXE_taskcat")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let path = [programs, taskcat.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&path));
        Taskcat::program("bash", &self.project)
            .args(["-euo", "pipefail", "-c", lines])
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("AWS_ENDPOINT_URL", self.simulator.endpoint())
            .env("AWS_ACCESS_KEY_ID", "testing")
            .env("AWS_SECRET_ACCESS_KEY", "testing")
            .run()
    }

    fn check(&mut self, block: &Block) -> Result<(), String> {
        let place = &block.place;
        if let Some(by) = block.directive("by") {
            is_tested(by).map_err(|reason| format!("{place}: {reason}"))?;
            return commands(&block.text)
                .iter()
                .try_for_each(|command| self.parse(place, command));
        }
        match block.language.as_str() {
            "sh" => self.check_lines(block),
            "console" => self.check_session(block),
            "yaml" => self.check_yaml(block),
            "groovy" => self.check_ci(block),
            "json" => serde_json::from_str::<serde_json::Value>(&block.text)
                .map(|_| ())
                .map_err(|error| format!("{place}: {error}")),
            "text" => Ok(()),
            other => Err(format!("{place}: nothing tests a block of `{other}`")),
        }
    }

    fn check_lines(&mut self, block: &Block) -> Result<(), String> {
        self.prepare(block);
        let expected = block.directive("exit").map_or(0, |it| it.parse().unwrap());
        ended(&block.place, &self.run(&block.text), expected)
    }

    /// Commands after `$ ` and what they print, with other times, durations and IDs.
    fn check_session(&mut self, block: &Block) -> Result<(), String> {
        self.prepare(block);
        let text = format!("\n{}", block.text);
        let mut exchanges = text.split("\n$ ").skip(1).peekable();
        while let Some(exchange) = exchanges.next() {
            let (command, expected) = exchange.split_once('\n').unwrap_or((exchange, ""));
            let outcome = self.run(&format!("{command} 2>&1"));
            let code = match exchanges.peek() {
                Some(_) => 0,
                None => block.directive("exit").map_or(0, |it| it.parse().unwrap()),
            };
            ended(&block.place, &outcome, code)?;
            let (found, expected) = (normal(&outcome.stdout), normal(expected));
            if !is_like(&expected, &found) {
                let place = &block.place;
                return Err(format!(
                    "{place}: `{command}` prints\n{found}\nnot\n{expected}"
                ));
            }
        }
        Ok(())
    }

    fn check_yaml(&mut self, block: &Block) -> Result<(), String> {
        let keys = top_level_keys(&block.text);
        let has = |names: &[&str]| names.iter().any(|name| keys.contains(name));
        if has(&["jobs", "phases", "script"]) || keys.contains("taskcat") {
            return self.check_ci(block);
        }
        self.prepare(block);
        if has(&["general", "project", "tests"]) {
            self.project.write(".taskcat.yml", &block.text);
            let outcome = Taskcat::offline(&self.project)
                .args(["config", "show"])
                .run();
            return ended(&block.place, &outcome, 0);
        }
        if keys.contains("repos") {
            let hooks = fs::read_to_string(root().join(".pre-commit-hooks.yaml")).unwrap();
            let id = Regex::new(r"\bid: ([\w-]+)").unwrap();
            let unknown = id
                .captures_iter(&block.text)
                .find(|id| !hooks.contains(&format!("- id: {}\n", &id[1])));
            return match unknown {
                Some(id) => Err(format!("{}: no hook `{}`", block.place, &id[1])),
                None => Ok(()),
            };
        }
        let option = if has(&["resources", "calls"]) {
            "--scenario"
        } else {
            "--seed"
        };
        self.project.write("given.yml", &block.text);
        self.project.write("given.env", "");
        let lines = SIMULATOR.replace("OPTION", option);
        ended(&block.place, &self.run(&lines), 0)
    }

    /// A CI system's file installs taskcat before it runs it, and what it runs passes.
    fn check_ci(&mut self, block: &Block) -> Result<(), String> {
        self.prepare(block);
        let line = Regex::new(r"(?m)^\s*(?:- run: |- |steps \{ sh ')(.+?)(?:' \})?$").unwrap();
        // The action's input.
        let text = block.text.replace("  arguments: ", "  - run: taskcat ");
        let lines: Vec<String> = line
            .captures_iter(&text)
            .map(|found| found[1].to_owned())
            .collect();
        let is_run = |line: &&String| line.starts_with("taskcat ");
        let installs = |line: &String| {
            let ways = ["cargo install ", "aws s3 cp ", "uses: OWNER/NAME@"];
            ways.iter().any(|way| line.contains(way))
        };
        let first = lines.iter().position(|line| is_run(&line));
        let first = first.ok_or_else(|| format!("{}: it runs no taskcat", block.place))?;
        if block.language != "groovy" && !lines[..first].iter().any(installs) {
            return Err(format!("{}: it doesn't install what it runs", block.place));
        }
        let run: Vec<&str> = lines.iter().filter(is_run).map(String::as_str).collect();
        ended(&block.place, &self.run(&run.join("\n")), 0)
    }

    /// Parses a command's options, without running it.
    fn parse(&self, place: &str, command: &str) -> Result<(), String> {
        ended(place, &self.run(&format!("{command} --help")), 0)
    }
}

/// The first files of this repository, for commands that are run in a clone.
fn repository() -> Project {
    let project = Project::empty("clone");
    project.write("Cargo.toml", "");
    let sample = Project::copy_of("first-run");
    for file in sample.files("") {
        let target = format!("fixtures/projects/first-run/{file}");
        project.write(&target, &sample.read(&file));
    }
    project
}

fn ended(place: &str, outcome: &Outcome, code: i32) -> Result<(), String> {
    if outcome.code == Some(code) {
        return Ok(());
    }
    let Outcome { stdout, stderr, .. } = outcome;
    let found = outcome.code;
    Err(format!(
        "{place}: exit code {found:?}, not {code}\n{stdout}{stderr}"
    ))
}

/// Another test must exist: a module of these, or a script.
fn is_tested(by: &str) -> Result<(), String> {
    let (module, test) = by.split_once("::").unwrap_or((by, ""));
    let file = if module.contains('/') {
        PathBuf::from(module)
    } else {
        Path::new("tests/it").join(format!("{module}.rs"))
    };
    let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
    if !text.contains(&format!("fn {test}")) && !module.contains('/') || text.is_empty() {
        return Err(format!("no test `{by}` in {}", file.display()));
    }
    Ok(())
}

/// The commands of taskcat in lines of a shell, without comments and redirections.
fn commands(lines: &str) -> Vec<String> {
    let joined = lines.replace("\\\n", " ");
    let own = joined.lines().filter(|line| line.starts_with("taskcat "));
    let cut = Regex::new(r" +(?:#|[0-9]?>|\||&).*$").unwrap();
    own.map(|line| cut.replace(line, "").into_owned()).collect()
}

fn top_level_keys(yaml: &str) -> BTreeSet<&str> {
    let lines = yaml
        .lines()
        .filter(|line| !line.starts_with([' ', '#', '-']));
    lines
        .filter_map(|line| Some(line.split_once(':')?.0))
        .collect()
}

/// What differs from run to run, replaced by what doesn't.
fn normal(text: &str) -> String {
    const VARYING: [(&str, &str); 6] = [
        (r"\x1b\[[0-9;]*m", ""),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
        (r"\b\d+(?:\.\d+)?s\b *", "<duration> "),
        (r"[0-9a-f]{32}", "<id>"),
        (r"/[^\s:]*/(?:first-run|clone)/", ""),
        (r" +(?:\n|$)", "\n"),
    ];
    let replaced = VARYING.iter().fold(text.to_owned(), |text, (varying, by)| {
        let varying = Regex::new(varying).unwrap();
        varying.replace_all(&text, |_: &Captures| *by).into_owned()
    });
    replaced.trim().to_owned()
}

/// A line `…` stands for any number of lines.
fn is_like(expected: &str, found: &str) -> bool {
    let parts: Vec<&str> = expected.split("\n…\n").collect();
    let mut rest = found;
    for (at, part) in parts.iter().enumerate() {
        let part = part.trim_start_matches("…\n").trim_end_matches("\n…");
        match rest.find(part) {
            Some(start) if start == 0 || at > 0 || expected.starts_with('…') => {
                rest = &rest[start + part.len()..];
            }
            _ => return false,
        }
    }
    rest.is_empty() || expected.ends_with('…')
}

fn check(page: &Page) -> Vec<String> {
    let mut playground = Playground::new();
    let blocks = page.blocks();
    let mut faults: Vec<String> = blocks
        .iter()
        .filter_map(|block| playground.check(block).err())
        .collect();
    let command = Regex::new(r"`(taskcat [^`]+)`").unwrap();
    for (line, text) in page.prose() {
        let place = format!("{}:{line}", page.path.display());
        for found in command.captures_iter(text) {
            faults.extend(playground.parse(&place, &found[1]).err());
        }
    }
    faults
}

/// Pages of a part of the documentation, which the tests below divide among each other.
fn check_pages(of: impl Fn(&str) -> bool) {
    let pages = documentation();
    let pages: Vec<&Page> = pages
        .iter()
        .filter(|page| of(page.path.to_str().unwrap()))
        .collect();
    assert!(!pages.is_empty());
    let faults: Vec<String> = pages.into_iter().flat_map(check).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn examples_of_the_readme_work() {
    check_pages(|path| path == "README.md");
}

#[test]
fn examples_of_the_guides_work() {
    check_pages(|path| path.starts_with("docs/guides/"));
}

#[test]
fn examples_for_ci_systems_work() {
    check_pages(|path| path.starts_with("docs/ci/"));
}

#[test]
fn examples_of_other_pages_work() {
    let others = ["README.md", "docs/guides/", "docs/ci/"];
    check_pages(|path| !others.iter().any(|other| path.starts_with(other)));
}
