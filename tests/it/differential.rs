//! The Python TaskCat 0.9.58 beside ours, on the same server: the same stacks, parameters, tags and
//! objects.
//!
//! Where the two differ on purpose, the difference is named here and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::project::Project;
use crate::proxy::{Calls, Proxy, form_list};
use crate::servers::{Kind, Server, Standing, support, venv};
use crate::taskcat::Taskcat;

tests_on!(all: #[ignore = "needs the Python TaskCat; run tests/run.sh"] the_same_stacks_parameters_tags_and_objects);

/// The simulator is CloudFormation enough for the Python TaskCat: it launches, follows, reports and
/// deletes.
#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn the_python_taskcat_runs_green_in_the_simulator() {
    let server = Server::take(Kind::Simulator);
    let project = Project::copy_of("first-run");
    let outcome = Taskcat::program(venv("taskcat").join("bin/python"), &project)
        .with_python_tools()
        .env("AWS_ENDPOINT_URL", server.endpoint())
        .env("AWS_ACCESS_KEY_ID", "testing")
        .env("AWS_SECRET_ACCESS_KEY", "testing")
        .args([
            support("taskcat_offline.py").to_str().unwrap(),
            "test",
            "run",
            "-l",
            "-t",
            "plain",
        ])
        .run();
    outcome
        .assert_code(0)
        .assert_says("CREATE_COMPLETE")
        .assert_says("DELETE_COMPLETE");
    let standing = server.standing(&REGIONS);
    assert!(standing.stacks.is_empty(), "{standing:#?}");
}

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

/// One of the two, after `test run --no-delete` of the sample.
struct Run {
    project: Project,
    calls: Calls,
    standing: Standing,
}

impl Run {
    fn of(kind: Kind, python: bool) -> Self {
        let server = Server::take(kind);
        let proxy = Proxy::before(&server);
        let project = Project::copy_of("sample");
        let run = if python {
            Taskcat::program(venv("taskcat").join("bin/python"), &project)
                .env("AWS_ENDPOINT_URL", proxy.endpoint())
                .env("AWS_ACCESS_KEY_ID", "testing")
                .env("AWS_SECRET_ACCESS_KEY", "testing")
                .args([
                    support("taskcat_offline.py").to_str().unwrap(),
                    "test",
                    "run",
                ])
        } else {
            Taskcat::at(&project, &proxy.endpoint()).args(["test", "run"])
        };
        // moto's reading of bucket policies, see `Taskcat::test_run`.
        let run = if kind == Kind::Moto {
            run.args(["-e"])
        } else {
            run
        };
        run.with_python_tools()
            .args(["-l", "-n"])
            .run()
            .assert_code(0);
        let standing = server.standing(&REGIONS);
        Self {
            project,
            calls: proxy.calls(),
            standing,
        }
    }

    /// By test and region: what CreateStack was given, with what is random in every run put in
    /// brackets.
    fn launches(&self) -> BTreeMap<(String, String), Launch> {
        let launches = self.calls.of("CreateStack").into_iter().map(|call| {
            let parameters = form_list(
                call,
                "Parameters.member",
                ["ParameterKey", "ParameterValue"],
            );
            let bucket = parameters
                .iter()
                .find(|[key, _]| key == "ArtifactBucket")
                .unwrap()[1]
                .clone();
            let run_id = call["form"]["StackName"]
                .as_str()
                .unwrap()
                .rsplit('-')
                .next()
                .unwrap()
                .to_owned();
            let plain = |text: &str| text.replace(&bucket, "<bucket>").replace(&run_id, "<id>");
            let field = |name: &str| plain(call["form"][name].as_str().unwrap_or_default());
            let name = field("StackName");
            let test = name.split('-').nth_back(1).unwrap().to_owned();
            let template = field("TemplateURL")
                .split_once("<bucket>")
                .unwrap()
                .1
                .to_owned();
            let launch = Launch {
                name,
                template,
                disable_rollback: field("DisableRollback"),
                parameters: parameters
                    .iter()
                    .map(|[key, value]| (key.clone(), shape(key, &plain(value))))
                    .collect(),
                tags: form_list(call, "Tags.member", ["Key", "Value"])
                    .into_iter()
                    .map(|tag| tag.map(|it| shape_of_id(&it)))
                    .collect(),
            };
            ((test, call["region"].as_str().unwrap().to_owned()), launch)
        });
        launches.collect()
    }

    /// The objects of the bucket that has any, by key without archives; TaskCat leaves a second
    /// bucket, which is empty.
    fn objects(&self) -> BTreeMap<String, Value> {
        let full: Vec<&Value> = self
            .standing
            .buckets
            .values()
            .filter(|it| it["objects"] != serde_json::json!({}))
            .collect();
        assert_eq!(full.len(), 1, "{:#?}", self.standing.buckets);
        let objects = full[0]["objects"].as_object().unwrap();
        objects
            .iter()
            .map(|(key, value)| (key.clone(), value["md5"].clone()))
            .collect()
    }
}

#[derive(Debug, PartialEq)]
struct Launch {
    name: String,
    template: String,
    disable_rollback: String,
    parameters: BTreeMap<String, String>,
    tags: BTreeSet<[String; 2]>,
}

fn the_same_stacks_parameters_tags_and_objects(kind: Kind) {
    let ours = Run::of(kind, false);
    let theirs = Run::of(kind, true);

    let (our_launches, their_launches) = (ours.launches(), theirs.launches());
    assert_eq!(
        our_launches.keys().collect::<Vec<_>>(),
        their_launches.keys().collect::<Vec<_>>()
    );
    assert_eq!(our_launches.len(), 6);
    for (cell, mut our) in our_launches {
        let their = &their_launches[&cell];
        // TaskCat forgets a parameter whose default in the template is a number, whatever the
        // configuration says.
        assert_eq!(
            our.parameters.remove("RetentionDays").as_deref(),
            (cell.0 == "full").then_some("7")
        );
        // TaskCat sends a list as Python prints it.
        if cell.0 == "full" {
            let list = our.parameters.insert(
                "Approvers".into(),
                "['first@example.com', 'sample-orders@example.com']".into(),
            );
            assert_eq!(
                list.as_deref(),
                Some("first@example.com,sample-orders@example.com")
            );
        }
        // TaskCat gives each stack the tags of all tests that it has come to, in one list.
        assert!(
            our.tags.is_subset(&their.tags),
            "{cell:?}: {:?} of {:?}",
            our.tags,
            their.tags
        );
        our.tags = their.tags.clone();
        assert_eq!(&our, their, "{cell:?}");
    }

    let is_archive = |key: &String| key.ends_with("/lambda.zip");
    let (mut our_objects, mut their_objects) = (ours.objects(), theirs.objects());
    assert_eq!(
        our_objects.keys().collect::<Vec<_>>(),
        their_objects.keys().collect::<Vec<_>>()
    );
    our_objects.retain(|key, _| !is_archive(key));
    their_objects.retain(|key, _| !is_archive(key));
    assert_eq!(our_objects, their_objects);
    // TaskCat's archives are other bytes in each run; what is in them is compared.
    for function in ["label", "notify"] {
        let archive = format!("lambda_functions/packages/{function}/lambda.zip");
        let content = |run: &Run| archived(&run.project.path().join(&archive));
        assert_eq!(content(&ours), content(&theirs), "{archive}");
    }

    let (our_calls, their_calls) = (ours.calls.0.len(), theirs.calls.0.len());
    assert!(
        our_calls < their_calls,
        "{our_calls} calls against TaskCat's {their_calls}\n{}",
        ours.calls.summary()
    );
}

/// What is random keeps its length and its classes of characters.
fn shape(key: &str, value: &str) -> String {
    match key {
        "AdminPassword" | "ReaderPassword" | "RepeatedPassword" | "Suffix"
            if !value.is_empty() && value != "none" =>
        {
            let has = |class: fn(&char) -> bool| value.chars().any(|it| class(&it));
            let classes = [
                ("lower", has(char::is_ascii_lowercase)),
                ("upper", has(char::is_ascii_uppercase)),
                ("digit", has(char::is_ascii_digit)),
                ("special", has(char::is_ascii_punctuation)),
            ];
            let classes: Vec<&str> = classes
                .iter()
                .filter(|(_, has)| *has)
                .map(|(name, _)| *name)
                .collect();
            format!("<{} of {}>", value.len(), classes.join(", "))
        }
        "DeploymentId" | "CorrelationId" => shape_of_id(value),
        "Label" => value
            .chars()
            .map(|it| if it.is_ascii_digit() { '0' } else { it })
            .collect(),
        _ => value.to_owned(),
    }
}

/// UUIDs, with and without hyphens. TaskCat's `genuuid` is of version 1, which tells the machine
/// and the time; ours is 4.
fn shape_of_id(value: &str) -> String {
    match uuid::Uuid::try_parse(value) {
        Ok(_) => format!("<uuid in {} characters>", value.len()),
        Err(_) => value.to_owned(),
    }
}

/// An archive's files with their bytes. Left out is what pip writes anew each time: compiled
/// modules, and the folder that it was given with the list of checksums that has it in.
fn archived(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let name = file.name().unwrap().to_string();
        let written_anew = [".pyc", ".dist-info/RECORD", ".dist-info/direct_url.json"];
        if file.is_dir() || written_anew.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.insert(name, bytes);
    }
    files
}

/// `config show` of every project here against what TaskCat resolves. Layers beside the project's
/// file are in `every-key`.
#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn configurations_resolve_as_taskcat_resolves_them() {
    let projects = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/projects");
    let mut compared = 0;
    for entry in fs::read_dir(projects).unwrap() {
        let scenario = entry.unwrap().file_name().into_string().unwrap();
        // No configuration, one that nobody can read, and those with keys that TaskCat lacks.
        let left_out = ["metadata-only", "bad-config"];
        let own = ["checks", "dependencies", "update"];
        if left_out.iter().chain(&own).any(|it| *it == scenario) {
            continue;
        }
        let project = Project::copy_of(&scenario);
        let home = project.home();
        if project.path().join("home").is_dir() {
            fs::rename(
                project.path().join("home/.taskcat.yml"),
                home.join(".taskcat.yml"),
            )
            .unwrap();
        }
        let variables = [
            ("TASKCAT_PROJECT_OWNER", "environment@example.com"),
            ("TASKCAT_PROJECT_PACKAGE_LAMBDA", "FALSE"),
        ];
        let mut ours = Taskcat::offline(&project).args(["config", "show", "--format", "json"]);
        let mut theirs = Command::new(venv("taskcat").join("bin/python"));
        theirs
            .arg(support("resolved.py"))
            .current_dir(project.path())
            .env("HOME", &home);
        if scenario == "every-key" {
            for (name, value) in variables {
                ours = ours.env(name, value);
                theirs.env(name, value);
            }
        }
        let ours = ours.run();
        ours.assert_code(0);
        let theirs = theirs.output().unwrap();
        assert!(
            theirs.status.success(),
            "{scenario}: {}",
            String::from_utf8_lossy(&theirs.stderr)
        );
        let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let (mut ours, mut theirs) = (parsed(ours.stdout.as_bytes()), parsed(&theirs.stdout));
        // TaskCat makes a text of a list, as Python prints it; `sample` and `every-key` have one.
        assert_eq!(
            lists_as_python_prints(&mut ours, &mut theirs),
            scenario == "sample" || scenario == "every-key"
        );
        // TaskCat's file of overrides resets the ACL to its default.
        if scenario == "every-key" {
            assert_eq!(theirs["project"]["s3_object_acl"], "private");
            theirs["project"]["s3_object_acl"] = "bucket-owner-full-control".into();
        }
        assert_eq!(ours, theirs, "{scenario}");
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

/// Takes out parameters that are a list in ours and a Python list's text in theirs; true if there
/// were any.
fn lists_as_python_prints(ours: &mut Value, theirs: &mut Value) -> bool {
    let (Some(ours), Some(theirs)) = (ours.as_object_mut(), theirs.as_object_mut()) else {
        return false;
    };
    let mut found = false;
    for (key, our) in ours.iter_mut() {
        let Some(their) = theirs.get_mut(key) else {
            continue;
        };
        if our.is_array()
            && their
                .as_str()
                .is_some_and(|text| text.starts_with('[') && text.ends_with(']'))
        {
            (*our, *their) = (Value::Null, Value::Null);
            found = true;
        } else {
            found |= lists_as_python_prints(our, their);
        }
    }
    found
}
