//! Real projects: every verdict *would fail* that their tests get, in every region, stands in
//! `fixtures/corpus-verdicts.json` with the reason that makes it true. They lie beside the checkout, not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::project::Project;
use crate::taskcat::Taskcat;

/// What there is to know of a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fact {
    project: String,
    /// Whether the copy of the project has those of its submodules that the corpus has as projects, or none.
    submodules: Vec<bool>,
    /// With `<region>` for the name of the cell's region.
    message: String,
    /// `file:line`
    at: String,
    nested_in: Vec<String>,
    /// By test; undeclared regions are looked at too.
    cells: BTreeMap<String, Cells>,
    /// Why CloudFormation would refuse it indeed.
    #[serde(default)]
    because: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Cells {
    /// `all`
    All(String),
    In(BTreeSet<String>),
}

/// Message, place, and the nested stacks on the way.
type Key = (String, String, Vec<String>);

/// Regions by test.
type Regions = BTreeMap<String, BTreeSet<String>>;

/// Projects without a configuration, or with one that doesn't fit what is there.
const WITHOUT_PLAN: [(&str, &str); 3] = [
    ("ShahradR__aws-smtp-server", "./cdk.out/AwsSesIamRoleStack.template.json does not exist"),
    ("aws-ia__cfn-ps-microsoft-utilities", "no such file"),
    ("aws-quickstart__quickstart-mongodb", "the configuration has no tests"),
];

/// For a template that has no configuration.
const TUTORIAL: &str = "\
project: {name: tutorials, regions: [us-east-1, us-west-2]}
tests:
  tutorial:
    template: dockerized-tutorial-template.yml
    parameters: {TutorialImage: image, TutorialName: name, TutorialPort: 8888, TutorialAMI: ami-12345678}
";

/// Where a project of the corpus has its home as a submodule.
fn project_of(corpus: &Path, url: &str) -> Option<PathBuf> {
    let name = url.trim_end_matches(".git").rsplit('/').next()?;
    let name = if name == "quickstart-microsoft-utilities" { "cfn-ps-microsoft-utilities" } else { name };
    ["aws-quickstart", "aws-ia"].iter().map(|owner| corpus.join(format!("{owner}__{name}"))).find(|it| it.is_dir())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

fn copy_submodules(corpus: &Path, from: &Path, to: &Path, depth: usize) {
    let modules = fs::read_to_string(from.join(".gitmodules")).unwrap_or_default();
    let value = |key: &'static str| {
        modules.lines().filter_map(move |line| line.trim().strip_prefix(key)?.trim().strip_prefix('=').map(str::trim))
    };
    for (path, url) in value("path").zip(value("url")) {
        if let Some(module) = project_of(corpus, url).filter(|_| depth < 3) {
            copy(&module, &to.join(path));
            copy_submodules(corpus, &module, &to.join(path), depth + 1);
        }
    }
}

/// The verdicts of one project; none where it has no plan.
fn facts(corpus: &Path, name: &str, submodules: bool, cells: &mut usize) -> Vec<Fact> {
    let project = Project::empty(name);
    copy(&corpus.join(name), &project.path());
    if submodules {
        copy_submodules(corpus, &corpus.join(name), &project.path(), 0);
    }
    if name == "LLNL__radiuss-aws-tutorials" {
        project.write(".taskcat.yml", TUTORIAL);
    }
    let outcome = Taskcat::offline(&project).args(["plan", "--all-regions", "--format", "json"]).run();
    if let Some((_, why)) = WITHOUT_PLAN.iter().find(|(project, _)| *project == name) {
        outcome.assert_code(2).assert_says(why);
        return Vec::new();
    }
    assert!(matches!(outcome.code, Some(0 | 1)), "{name}: {}", outcome.stderr);
    let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all = Regions::new();
    let mut found: IndexMap<Key, Regions> = IndexMap::new();
    for cell in plan["cells"].as_array().unwrap() {
        *cells += 1;
        let (test, region) = (text(&cell["test"]), text(&cell["region"]));
        all.entry(test.clone()).or_default().insert(region.clone());
        for failure in cell["failures"].as_array().unwrap() {
            let at = format!("{}:{}", text(&failure["file"]), failure["line"]);
            let nested_in = failure["nested_in"].as_array().unwrap().iter().map(|it| text(&it["logical_id"]));
            let key = (text(&failure["message"]).replace(&region, "<region>"), at, nested_in.collect());
            found.entry(key).or_default().entry(test.clone()).or_default().insert(region.clone());
        }
    }
    let cells = |(test, regions): (String, BTreeSet<String>)| {
        let cells = if regions == all[&test] { Cells::All("all".to_owned()) } else { Cells::In(regions) };
        (test, cells)
    };
    let fact = |((message, at, nested_in), tests): (Key, Regions)| Fact {
        project: name.to_owned(),
        submodules: vec![submodules],
        message,
        at,
        nested_in,
        cells: tests.into_iter().map(cells).collect(),
        because: String::new(),
    };
    found.into_iter().map(fact).collect()
}

/// The same fact of both copies is one.
fn merge(facts: Vec<Fact>) -> Vec<Fact> {
    let mut merged: Vec<Fact> = Vec::new();
    for fact in facts {
        let same = |it: &&mut Fact| Fact { submodules: fact.submodules.clone(), ..(**it).clone() } == fact;
        match merged.iter_mut().find(same) {
            Some(known) => known.submodules.extend(&fact.submodules),
            None => merged.push(fact),
        }
    }
    merged
}

/// `UPDATE_VERDICTS=1` writes the file anew; the reasons of new verdicts have to be given by hand.
#[test]
fn every_verdict_has_its_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(corpus) = root.ancestors().map(|it| it.join("shared/corpus")).find(|it| it.is_dir()) else {
        eprintln!("skipped: there is no ../shared/corpus beside this checkout");
        return;
    };
    let names = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("__")).collect();
    names.sort();
    let mut cells = 0;
    let facts_of =
        |name: &String| [false, true].map(|submodules| facts(&corpus, name, submodules, &mut cells)).concat();
    let mut facts = merge(names.iter().flat_map(facts_of).collect());
    let path = root.join("fixtures/corpus-verdicts.json");
    let known: Vec<Fact> =
        fs::read_to_string(&path).map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default();
    for fact in &mut facts {
        let same = |it: &&Fact| it.project == fact.project && it.message == fact.message && it.at == fact.at;
        fact.because = known.iter().find(same).map(|it| it.because.clone()).unwrap_or_default();
    }
    if std::env::var_os("UPDATE_VERDICTS").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&facts).unwrap() + "\n").unwrap();
    }
    for fact in &facts {
        assert!(known.contains(fact), "a verdict that isn't in {}:\n{fact:#?}", path.display());
        assert!(!fact.because.is_empty(), "no reason is given for\n{fact:#?}");
    }
    for fact in &known {
        assert!(facts.contains(fact), "a verdict that is no longer given:\n{fact:#?}");
    }
    assert!(cells > 2_000, "only {cells} cells were looked at");
}
