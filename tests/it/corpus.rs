//! Real projects, which lie beside the checkout, not in it. Every verdict *would fail* that their
//! tests get, in every region, is in `fixtures/corpus-verdicts.json`, and every result of their
//! local runs in `fixtures/corpus-local.json`, each failure with the reason why AWS would give it
//! as well.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};
use crate::verdicts::assert_one_verdict;

/// What there is to know of a verdict, or of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fact {
    project: String,
    /// Whether the copy of the project has those of its submodules that the corpus has as projects,
    /// or none. Local runs have what the user's account and own files supply as well, then.
    submodules: Vec<bool>,
    /// With `<region>` for the name of the cell's region; [`PASSED`].
    message: String,
    /// `file:line`; empty where nothing failed.
    at: String,
    nested_in: Vec<String>,
    /// By test; undeclared regions are looked at too.
    cells: BTreeMap<String, Cells>,
    /// Why it fails in AWS as well, or what made it pass.
    #[serde(default)]
    because: String,
}

/// The message of what passed.
const PASSED: &str = "passed";

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
    (
        "ShahradR__aws-smtp-server",
        "./cdk.out/AwsSesIamRoleStack.template.json does not exist",
    ),
    ("aws-ia__cfn-ps-microsoft-utilities", "no such file"),
    (
        "aws-quickstart__quickstart-mongodb",
        "the configuration has no tests",
    ),
];

/// Values that a project's configuration leaves to the user's own file.
const OVERRIDES: [(&str, &str); 1] = [(
    "aws-quickstart__quickstart-hashicorp-vault",
    "AccessCIDR: 10.0.0.0/16\nKeyPairName: cikey\nDomainName: vault.example.com\n",
)];

/// What projects expect in the user's account: their key pairs, and the certificate of
/// `quickstart-jfrog-artifactory`.
const SEEDS: &str = "\
key_pairs: [{name: cikey}, {name: override}]
secrets:
- {name: override, keys: {Certificate: text, CertificateKey: text, CertificateDomain: example.com, \
license: text}}
";

/// For a template that has no configuration.
const TUTORIAL: &str = "\
project: {name: tutorials, regions: [us-east-1]}
tests:
  tutorial:
    template: dockerized-tutorial-template.yml
    parameters: {TutorialImage: image, TutorialName: name, TutorialPort: 8888, TutorialAMI: \
    ami-12345678}
";

/// Where a project of the corpus has its home as a submodule.
fn project_of(corpus: &Path, url: &str) -> Option<PathBuf> {
    let name = url.trim_end_matches(".git").rsplit('/').next()?;
    let name = if name == "quickstart-microsoft-utilities" {
        "cfn-ps-microsoft-utilities"
    } else {
        name
    };
    ["aws-quickstart", "aws-ia"]
        .iter()
        .map(|owner| corpus.join(format!("{owner}__{name}")))
        .find(|it| it.is_dir())
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

/// Whether there were any.
fn copy_submodules(corpus: &Path, from: &Path, to: &Path, depth: usize) -> bool {
    let modules = fs::read_to_string(from.join(".gitmodules")).unwrap_or_default();
    let value = |key: &'static str| {
        modules.lines().filter_map(move |line| {
            line.trim()
                .strip_prefix(key)?
                .trim()
                .strip_prefix('=')
                .map(str::trim)
        })
    };
    let mut has_any = false;
    for (path, url) in value("path").zip(value("url")) {
        if let Some(module) = project_of(corpus, url).filter(|_| depth < 3) {
            copy(&module, &to.join(path));
            copy_submodules(corpus, &module, &to.join(path), depth + 1);
            has_any = true;
        }
    }
    has_any
}

pub fn copy_of(corpus: &Path, name: &str) -> Project {
    let project = Project::empty(name);
    copy(&corpus.join(name), &project.path());
    if name == "LLNL__radiuss-aws-tutorials" {
        project.write(".taskcat.yml", TUTORIAL);
    }
    project
}

/// Whether the project has no plan, and the program says why.
fn has_no_plan(name: &str, outcome: &Outcome) -> bool {
    let Some((_, why)) = WITHOUT_PLAN.iter().find(|(project, _)| *project == name) else {
        assert!(
            matches!(outcome.code, Some(0 | 1)),
            "{name}: {}",
            outcome.stderr
        );
        return false;
    };
    outcome.assert_code(2).assert_says(why);
    true
}

/// One test in one region, with everything that it failed of.
struct Cell {
    test: String,
    region: String,
    found: Vec<Key>,
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}

/// What the cells have in common.
fn facts_of(name: &str, submodules: bool, cells: Vec<Cell>) -> Vec<Fact> {
    let mut all = Regions::new();
    let mut found: IndexMap<Key, Regions> = IndexMap::new();
    for Cell {
        test,
        region,
        found: keys,
    } in cells
    {
        all.entry(test.clone()).or_default().insert(region.clone());
        for (message, at, path) in keys {
            let key = (message.replace(&region, "<region>"), at, path);
            found
                .entry(key)
                .or_default()
                .entry(test.clone())
                .or_default()
                .insert(region.clone());
        }
    }
    let cells = |(test, regions): (String, BTreeSet<String>)| {
        let cells = if regions == all[&test] {
            Cells::All("all".to_owned())
        } else {
            Cells::In(regions)
        };
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

/// The verdicts of one project; none where it has no plan.
fn verdicts(corpus: &Path, name: &str, submodules: bool, cells: &mut usize) -> Vec<Fact> {
    let project = copy_of(corpus, name);
    if submodules {
        copy_submodules(corpus, &corpus.join(name), &project.path(), 0);
    }
    let outcome = Taskcat::offline(&project)
        .args(["plan", "--all-regions", "--format", "json"])
        .run();
    if has_no_plan(name, &outcome) {
        return Vec::new();
    }
    let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let key = |failure: &Value| {
        let at = format!("{}:{}", text(&failure["file"]), failure["line"]);
        let nested_in = failure["nested_in"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| text(&it["logical_id"]));
        (text(&failure["message"]), at, nested_in.collect())
    };
    let cell = |cell: &Value| Cell {
        test: text(&cell["test"]),
        region: text(&cell["region"]),
        found: cell["failures"]
            .as_array()
            .unwrap()
            .iter()
            .map(key)
            .collect(),
    };
    let planned: Vec<Cell> = plan["cells"].as_array().unwrap().iter().map(cell).collect();
    *cells += planned.len();
    facts_of(name, submodules, planned)
}

/// The results of one project's local run; none where it has no plan, or where nothing is supplied
/// that it lacked alone.
fn results(corpus: &Path, name: &str, supplied: bool) -> Vec<Fact> {
    let project = copy_of(corpus, name);
    let mut run = Taskcat::bare(&project).args(["test", "run", "--local", "-l", "--speed", "inf"]);
    if supplied {
        let overrides = OVERRIDES.iter().find(|(project, _)| *project == name);
        if let Some((_, values)) = overrides {
            project.write(".taskcat_overrides.yml", values);
        }
        if !copy_submodules(corpus, &corpus.join(name), &project.path(), 0) && overrides.is_none() {
            return Vec::new();
        }
        project.write("../seeds.yml", SEEDS);
        run = run.args(["--seed", "../seeds.yml"]);
    }
    let outcome = run.run();
    if has_no_plan(name, &outcome) {
        return Vec::new();
    }
    let found = |cell: &Value| {
        let cause = &cell["root_cause"];
        if cause.is_null() {
            return (text(&cell["state"]), String::new(), Vec::new());
        }
        let source = &cause["source"];
        let at = if source.is_null() {
            String::new()
        } else {
            format!("{}:{}", text(&source["template"]), source["line"])
        };
        (
            text(&cause["reason"]),
            at,
            cause["path"].as_array().unwrap().iter().map(text).collect(),
        )
    };
    let cell = |cell: &Value| Cell {
        test: text(&cell["test"]),
        region: text(&cell["region"]),
        found: vec![found(cell)],
    };
    let cells = outcome.report()["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(cell)
        .collect();
    facts_of(name, supplied, cells)
}

/// The same fact of both copies is one.
fn merge(facts: Vec<Fact>) -> Vec<Fact> {
    let mut merged: Vec<Fact> = Vec::new();
    for fact in facts {
        let same = |it: &&mut Fact| {
            Fact {
                submodules: fact.submodules.clone(),
                ..(**it).clone()
            } == fact
        };
        match merged.iter_mut().find(same) {
            Some(known) => known.submodules.extend(&fact.submodules),
            None => merged.push(fact),
        }
    }
    merged
}

/// The corpus, and the names of its projects.
pub fn corpus() -> (PathBuf, Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = root.ancestors().map(|it| it.join("shared/corpus"));
    let corpus = folders
        .find(|it| it.is_dir())
        .expect("shared/corpus lies beside this checkout");
    let names = fs::read_dir(&corpus)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("__")).collect();
    names.sort();
    (corpus, names)
}

/// `UPDATE_VERDICTS=1` writes the file anew; the reasons of what is new have to be given by hand.
fn compare(mut facts: Vec<Fact>, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(file);
    let known: Vec<Fact> = fs::read_to_string(&path)
        .map(|text| serde_json::from_str(&text).unwrap())
        .unwrap_or_default();
    for fact in &mut facts {
        let same = |it: &&Fact| {
            let is_same =
                it.project == fact.project && it.message == fact.message && it.at == fact.at;
            is_same && (fact.message != PASSED || it.submodules == fact.submodules)
        };
        fact.because = known
            .iter()
            .find(same)
            .map(|it| it.because.clone())
            .unwrap_or_default();
    }
    if std::env::var_os("UPDATE_VERDICTS").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&facts).unwrap() + "\n").unwrap();
    }
    for fact in &facts {
        assert!(
            known.contains(fact),
            "a fact that isn't in {}:\n{fact:#?}",
            path.display()
        );
        assert!(
            fact.message == PASSED || !fact.because.is_empty(),
            "no reason is given for\n{fact:#?}"
        );
    }
    for fact in &known {
        assert!(
            facts.contains(fact),
            "a fact that is no longer true:\n{fact:#?}"
        );
    }
}

#[test]
#[ignore = "needs ../shared/corpus; run tests/run.sh"]
fn every_verdict_has_its_reason() {
    let (corpus, names) = corpus();
    let mut cells = 0;
    let of_project = |name: &String| {
        [false, true]
            .map(|submodules| verdicts(&corpus, name, submodules, &mut cells))
            .concat()
    };
    compare(
        merge(names.iter().flat_map(of_project).collect()),
        "corpus-verdicts.json",
    );
    assert!(cells > 2_000, "only {cells} cells were looked at");
}

#[test]
#[ignore = "needs ../shared/corpus; run tests/run.sh"]
fn every_local_failure_has_its_reason() {
    let (corpus, names) = corpus();
    let waiting = Mutex::new(names.into_iter());
    let results_of = |name: String| {
        [false, true]
            .map(|supplied| results(&corpus, &name, supplied))
            .concat()
    };
    let worker = || {
        std::iter::from_fn(|| waiting.lock().unwrap().next())
            .flat_map(results_of)
            .collect::<Vec<_>>()
    };
    let mut facts = std::thread::scope(|scope| {
        let other = scope.spawn(worker);
        let own = worker();
        [own, other.join().unwrap()].concat()
    });
    facts.sort_by_key(|fact| fact.project.clone());
    compare(merge(facts), "corpus-local.json");
}

#[test]
#[ignore = "needs ../shared/corpus; run tests/run.sh"]
fn plan_and_local_runs_agree() {
    let (corpus, names) = corpus();
    let compared: usize = names
        .iter()
        .map(|name| assert_one_verdict(&copy_of(&corpus, name)))
        .sum();
    assert!(compared > 100, "only {compared} were compared");
}

/// Zones, key pairs and public SSM parameters are unknown to `plan`, and decide nothing. Every
/// verdict *would fail* is in `fixtures/corpus-verdicts.json` with its reason; of the other cells,
/// at most 15 % may be undecided.
#[test]
#[ignore = "needs ../shared/corpus; run tests/run.sh"]
fn most_cells_are_decided() {
    let (corpus, names) = corpus();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for name in &names {
        for submodules in [false, true] {
            let project = copy_of(&corpus, name);
            let has_any =
                submodules && copy_submodules(&corpus, &corpus.join(name), &project.path(), 0);
            if submodules != has_any {
                continue;
            }
            let outcome = Taskcat::offline(&project)
                .args(["plan", "--format", "json"])
                .run();
            if has_no_plan(name, &outcome) {
                continue;
            }
            let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
            for (verdict, count) in plan["summary"].as_object().unwrap() {
                *counts.entry(verdict.clone()).or_default() += count.as_u64().unwrap();
            }
        }
    }
    println!("{counts:?}");
    let launch = counts["would_launch"] + counts["would_launch_if"];
    assert!(
        launch * 100 >= (launch + counts["undecided"]) * 85,
        "{counts:?}"
    );
}
