//! Walks changes through all stages of a pipeline in the simulator as CodePipeline would
//! (`tests/python/walk.py`): with artifacts, variables, locks and permissions as AWS documents
//! them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::pipeline_command::{PARAMETERS, X86_64, given, write_programs};
use crate::project::Project;
use crate::servers::{Kind, Server, support, venv};
use crate::taskcat::{Outcome, Taskcat};

pub const TOKEN: &str = "ghp_0fTheTestsAndOfNobodyElse4711";
pub const REGION: &str = "us-east-1";
pub const PRODUCTION: &str =
    r#"{"Parameters": {"Cidr": "10.2.0.0/16"}, "Tags": {"of": "production"}}"#;

/// A repository on GitHub with its pipeline in the simulator.
pub struct Walk {
    pub server: Server,
    pub own: Project,
    process: Option<Process>,
    is_configured: bool,
}

/// The process `walk.py`.
struct Process {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Walk {
    /// Deploys the pipeline as a user would, for the project `deploy`. Pushes go to `develop`,
    /// releases to `main`.
    pub fn begin(parameters: &[&str]) -> Self {
        let mut walk = Self {
            server: Server::take(Kind::Simulator),
            own: Project::empty("walk"),
            process: None,
            is_configured: false,
        };
        walk.server
            .given(&["secret", REGION, "github/token", TOKEN]);
        let shop = Project::copy_of("deploy");
        for file in shop.files("") {
            walk.own.write(&format!("shop/{file}"), &shop.read(&file));
        }
        walk.make_repository("acme/shop", "shop");
        walk.git("shop", &["checkout", "-q", "-b", "develop"]);
        walk.git("shop", &["push", "-q", "origin", "develop"]);
        walk.deploy(parameters);
        walk.process = Some(walk.start());
        walk
    }

    /// Creates a repository on GitHub with the files of a folder as the first commit of `main`.
    pub fn make_repository(&self, name: &str, folder: &str) {
        let bare = self.own.path().join(format!("repositories/{name}.git"));
        fs::create_dir_all(&bare).unwrap();
        git(&bare, &["init", "-q", "--bare", "-b", "main"]);
        self.git(folder, &["init", "-q", "-b", "main"]);
        self.git(folder, &["remote", "add", "origin", bare.to_str().unwrap()]);
        self.git(folder, &["add", "."]);
        self.git(folder, &["commit", "-q", "-m", "the first release"]);
        self.git(folder, &["push", "-q", "origin", "main"]);
    }

    fn deploy(&self, parameters: &[&str]) {
        write_programs(&self.own.path().join("programs"), X86_64);
        let names = [
            "BucketParameter=ArtifactBucket",
            "PrefixParameter=ArtifactPrefix",
            "TestMachines=2",
        ];
        let deploy = [
            "pipeline",
            "deploy",
            "shop-pipeline",
            "--yes",
            "--programs",
            "programs",
        ];
        let parameters = [&PARAMETERS[..], &names, parameters].concat();
        self.taskcat(&deploy)
            .args(given(&parameters))
            .run()
            .assert_code(0)
            .assert_says("1 deployed");
        self.replace_program();
    }

    /// Takes over a pipeline that was deployed as `shop-pipeline`, with its repositories in
    /// `repositories`.
    pub fn of(server: Server, own: Project) -> Self {
        let mut walk = Self {
            server,
            own,
            process: None,
            is_configured: true,
        };
        walk.replace_program();
        walk.process = Some(walk.start());
        walk
    }

    /// Replaces the uploaded program with a script that runs it, which is uploaded faster.
    fn replace_program(&self) {
        let stack = self.stack("shop-pipeline").unwrap();
        let tools = |name: &str| stack["parameters"][name].as_str().unwrap().to_owned();
        let program = format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_taskcat"));
        let key = format!("{}taskcat", tools("ToolsPrefix"));
        self.server
            .given(&["object", &tools("ToolsBucket"), &key, &program]);
    }

    fn start(&self) -> Process {
        let (own, python) = (self.own.path(), venv("pipeline").join("bin"));
        let path = std::env::var("PATH").unwrap();
        // The servers around the function need packages that the AWS CLI's environment lacks.
        let mut child = Command::new(venv("moto").join("bin/python"))
            .arg(support("walk.py"))
            .args([self.server.endpoint().as_str(), REGION, "shop-pipeline"])
            .args([own.join("walk"), own.join("repositories")])
            .args([TOKEN, env!("CARGO_BIN_EXE_git-merge")])
            .env_clear()
            .env("PATH", format!("{}:{path}", python.display()))
            .env("HOME", self.own.home())
            .envs([
                ("AWS_ACCESS_KEY_ID", "testing"),
                ("AWS_SECRET_ACCESS_KEY", "testing"),
            ])
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Process {
            child,
            commands,
            answers,
        }
    }

    /// Sends a command to `walk.py` and returns the answer.
    #[track_caller]
    pub fn command(&mut self, command: &Value) -> Walked {
        let process = self.process.as_mut().unwrap();
        writeln!(process.commands, "{command}").unwrap();
        let mut line = String::new();
        process.answers.read_line(&mut line).unwrap();
        Walked(
            serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("walk.py: {error}: {line:?}")),
        )
    }

    /// Uploads the repository's configuration of the tests with production's, which starts the
    /// pipeline.
    pub fn configure(&mut self) -> Walked {
        let taskcat = self.own.read("shop/.taskcat.yml");
        self.configure_with(&taskcat, PRODUCTION)
    }

    pub fn configure_with(&mut self, taskcat: &str, production: &str) -> Walked {
        self.own.write("configuration/taskcat.yml", taskcat);
        self.own.write("configuration/production.json", production);
        let folder = self.own.path().join("configuration");
        self.is_configured = true;
        self.command(&json!({"configuration": folder}))
    }

    /// Runs the pipeline up to the approval. The first execution is started by the upload of the
    /// configuration, later ones by a push.
    pub fn run(&mut self) -> Walked {
        match self.is_configured {
            true => self.command(&json!({"push": "develop"})),
            false => self.configure(),
        }
    }

    pub fn approve(&mut self, approve: bool) -> Walked {
        self.command(&json!({"approve": approve}))
    }

    /// Commits everything and pushes it to `develop`.
    pub fn push(&self, message: &str) -> String {
        self.git("shop", &["add", "."]);
        self.git("shop", &["commit", "-q", "-m", message]);
        self.git("shop", &["push", "-q", "origin", "develop"]);
        self.git("shop", &["rev-parse", "HEAD"])
    }

    pub fn git(&self, folder: &str, args: &[&str]) -> String {
        git(&self.own.path().join(folder), args)
    }

    pub fn released(&self) -> String {
        self.git("repositories/acme/shop.git", &["rev-parse", "main"])
    }

    pub fn taskcat(&self, args: &[&str]) -> Taskcat {
        Taskcat::at(&self.own, &self.server.endpoint()).args(args.iter().copied())
    }

    pub fn stack(&self, name: &str) -> Option<Value> {
        self.server
            .standing(&[REGION])
            .stacks
            .into_iter()
            .find(|stack| stack["name"] == name)
    }

    /// Returns the production stack's status, if the stack exists.
    pub fn production(&self) -> Option<String> {
        Some(self.stack("shop")?["status"].as_str().unwrap().to_owned())
    }

    /// Returns the files of the production bucket, by key.
    pub fn files(&self, walked: &Walked) -> Value {
        let bucket = walked.0["buckets"]["ProductionBucket"].as_str().unwrap();
        self.server.standing(&[REGION]).buckets[bucket]["objects"].clone()
    }

    /// Returns the releases whose files are in the production bucket.
    pub fn releases(&self, walked: &Walked) -> Vec<String> {
        let files = self.files(walked);
        let folder = |key: &String| key.split('/').nth(1).unwrap().to_owned();
        let mut found: Vec<String> = files.as_object().unwrap().keys().map(folder).collect();
        found.retain(|release| release != ".released");
        found.dedup();
        found
    }

    pub fn delete(&self) -> Outcome {
        self.taskcat(&["pipeline", "delete", "shop-pipeline", "--yes"])
            .run()
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        if let Some(Process {
            mut child,
            commands,
            ..
        }) = self.process.take()
        {
            drop(commands);
            let _ = child.wait();
        }
    }
}

pub fn git(folder: &Path, args: &[&str]) -> String {
    let settings = [
        "-c",
        "user.name=Tester",
        "-c",
        "user.email=tester@example.com",
        "-c",
        "protocol.file.allow=always",
    ];
    let output = Command::new("git")
        .args(settings)
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An answer of `walk.py`.
pub struct Walked(pub Value);

impl Walked {
    /// Returns the result of a stage in the latest execution.
    pub fn stage(&self, name: &str) -> &str {
        self.last()["stages"][name].as_str().unwrap_or("-")
    }

    pub fn last(&self) -> &Value {
        self.0["executions"].as_array().unwrap().last().unwrap()
    }

    pub fn variable(&self, namespace: &str, name: &str) -> &str {
        self.last()["variables"][namespace][name]
            .as_str()
            .unwrap_or_else(|| panic!("{:#}", self.0))
    }

    /// Asserts how the result of a stage in the latest execution begins.
    #[track_caller]
    pub fn assert_stage(&self, name: &str, begin: &str) -> &Self {
        let found = self.stage(name);
        assert!(found.starts_with(begin), "{name}: {found}\n{:#}", self.0);
        self
    }

    /// Asserts that no role was denied anything.
    #[track_caller]
    pub fn assert_allowed(&self) -> &Self {
        assert_eq!(self.0["denied"], json!([]), "{:#}", self.0["executions"]);
        self
    }
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_change_walks_through_all_five_stages() {
    let mut walk = Walk::begin(&[]);

    // A good change is approved.
    walk.own.replace(
        "shop/templates/shop.yaml",
        "VisibilityTimeout: 30",
        "VisibilityTimeout: 60",
    );
    let pushed = walk.push("longer");
    let walked = walk.run();
    walked.assert_allowed();
    assert_eq!(walked.stage("Test"), "Taskcat2: built", "{:#}", walked.0);
    let merged = walk.released();
    assert_eq!(
        walked.variable("Merge", "mergeCommit"),
        merged,
        "{:#}",
        walked.0
    );
    assert_eq!(walked.variable("Source", "CommitId"), pushed);
    assert_eq!(walked.stage("SyncToS3"), "Sync: built", "{:#}", walked.0);
    assert_eq!(
        walked.stage("Production"),
        "Approval: waiting",
        "{:#}",
        walked.0
    );
    let files = walk.files(&walked);
    assert!(
        files
            .get(format!("shop/{merged}/templates/network.yaml"))
            .is_some(),
        "{files:#}"
    );
    // The mail to the approver summarizes the changes, and links to the page with all of them.
    let (asked, id) = (
        &walked.last()["approval"],
        walked.last()["id"].as_str().unwrap(),
    );
    let told = asked["CustomData"].as_str().unwrap();
    assert!(
        told.contains("3 changes: 3 to add") && told.contains(&merged),
        "{told}"
    );
    let page = format!("changes/{id}/changes.html");
    assert!(
        asked["ExternalEntityLink"]
            .as_str()
            .unwrap()
            .ends_with(&page),
        "{asked}"
    );
    let bucket = walked.0["buckets"]["ArtifactBucket"].as_str().unwrap();
    assert!(walk.server.standing(&[REGION]).keys(bucket).contains(&page));
    let walked = walk.approve(true);
    assert_eq!(walked.stage("Production"), "Prune: built", "{:#}", walked.0);
    assert_eq!(walk.production().as_deref(), Some("CREATE_COMPLETE"));
    let prefix = format!("shop/{merged}/");
    assert_eq!(
        walk.stack("shop").unwrap()["parameters"]["ArtifactPrefix"],
        prefix.as_str()
    );

    // A bad change stops before the merge.
    walk.own.replace(
        "shop/templates/shop.yaml",
        "VisibilityTimeout: 60",
        "QueueName: no name!",
    );
    walk.push("broken");
    let walked = walk.run();
    assert!(
        walked
            .stage("Test")
            .starts_with("Taskcat failed: build failed"),
        "{:#}",
        walked.0
    );
    assert_eq!(walked.stage("GitMerge"), "-", "{:#}", walked.0);
    // The approvers get a mail with the reason, and the reports are kept.
    let mail = walked.0["messages"][0]
        .as_str()
        .unwrap_or_else(|| panic!("{:#}", walked.0));
    assert!(
        mail.contains("main in us-east-1: ") && mail.contains("Queue"),
        "{mail}"
    );
    let kept = walk.server.standing(&[REGION]).keys(bucket);
    let pages = kept
        .iter()
        .filter(|key| key.starts_with("reports/") && key.ends_with("/index.html"));
    assert_eq!(pages.count(), 4, "{kept:?}");
    assert_eq!(
        (walk.released(), walk.production().as_deref()),
        (merged, Some("CREATE_COMPLETE"))
    );

    // The fixed change is rejected: its change set is not executed.
    walk.own.replace(
        "shop/templates/shop.yaml",
        "QueueName: no name!",
        "VisibilityTimeout: 90",
    );
    walk.push("mended");
    walk.run();
    let walked = walk.approve(false);
    assert_eq!(
        walked.stage("Production"),
        "Approval failed: rejected",
        "{:#}",
        walked.0
    );
    assert_eq!(walk.production().as_deref(), Some("CREATE_COMPLETE"));
    walk.run();
    let walked = walk.approve(true);
    assert_eq!(walked.last()["status"], "Succeeded", "{:#}", walked.0);
    assert_eq!(walk.production().as_deref(), Some("UPDATE_COMPLETE"));

    // All stacks of the tests were deleted.
    let standing = walk.server.standing(&[REGION]);
    assert!(
        standing
            .stack_names()
            .iter()
            .all(|name| name.starts_with("shop")),
        "{:?}",
        standing.stack_names()
    );

    // Deleting the pipeline keeps the production stack, and says what it needs.
    let deleted = walk.delete();
    deleted
        .assert_code(0)
        .assert_says("The production stack shop is kept")
        .assert_says("ProductionRole");
    let standing = walk.server.standing(&[REGION]);
    // The staging buckets that tests share are not the pipeline's.
    assert!(
        standing
            .buckets
            .keys()
            .all(|name| name.starts_with("tcat-")),
        "{:?}",
        standing.buckets.keys()
    );
    assert_eq!(walk.production().as_deref(), Some("UPDATE_COMPLETE"));
}

/// Adds a Lambda function to the stack, whose code comes from the production bucket.
fn add_function(walk: &Walk) {
    walk.own.write(
        "shop/lambda_functions/source/greet/index.py",
        "def handler(event, context):\n    return 1\n",
    );
    let function = "  Greet:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:role/greet
      Code: {S3Bucket: !Ref ArtifactBucket, S3Key: \
      !Sub \"${ArtifactPrefix}lambda_functions/packages/greet/lambda.zip\"}
Outputs:";
    walk.own
        .replace("shop/templates/shop.yaml", "Outputs:", function);
    walk.own
        .write("shop/.gitignore", "lambda_functions/packages\n");
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn changed_lambda_code_comes_into_production() {
    let mut walk = Walk::begin(&["KeptReleases=2"]);
    add_function(&walk);
    walk.push("a function");
    walk.run();
    let walked = walk.approve(true);
    walked.assert_allowed();
    let archive = |walk: &Walk, walked: &Walked| {
        let key = format!(
            "shop/{}/lambda_functions/packages/greet/lambda.zip",
            walked.variable("Merge", "mergeCommit")
        );
        walk.files(walked)[key]["md5"].as_str().map(str::to_owned)
    };
    let first = archive(&walk, &walked).expect("the archive was copied");

    // The release branch has code of its own, which no tested archive contains.
    walk.git("shop", &["checkout", "-q", "main"]);
    walk.git("shop", &["pull", "-q", "origin", "main"]);
    walk.own.write(
        "shop/lambda_functions/source/greet/hotfix.py",
        "fixed = True\n",
    );
    walk.git("shop", &["add", "."]);
    walk.git("shop", &["commit", "-q", "-m", "a hotfix"]);
    walk.git("shop", &["push", "-q", "origin", "main"]);
    walk.git("shop", &["checkout", "-q", "develop"]);
    walk.own.write(
        "shop/lambda_functions/source/greet/index.py",
        "def handler(event, context):\n    return 2\n",
    );
    walk.push("other code");
    let walked = walk.run();
    // CloudFormation compares only bucket and key.
    let told = walked.last()["approval"]["CustomData"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        told.contains("to modify") && told.contains(&walk.released()),
        "{told}"
    );
    let second = archive(&walk, &walked).unwrap();
    assert_ne!(first, second);
    // While the second release waits, both are kept.
    assert_eq!(walk.releases(&walked).len(), 2);
    let walked = walk.approve(true);
    assert_eq!(walked.last()["status"], "Succeeded", "{:#}", walked.0);
    let stack = walk.stack("shop").unwrap();
    assert_eq!(stack["status"], "UPDATE_COMPLETE");
    assert_eq!(
        stack["parameters"]["ArtifactPrefix"],
        format!("shop/{}/", walk.released())
    );

    // The released archive was tested.
    let tested = checksums(
        &walk.own.path().join("walk"),
        "output/artifacts/packages/lambda_functions/packages/greet/lambda.zip",
    );
    assert!(tested.contains(&second), "{tested:?}");

    // Executing the next release deletes the files of the first one, and those of the rejected one
    // before it.
    let second = walk.released();
    for (number, approve) in [(3, false), (4, true)] {
        walk.own.write(
            "shop/lambda_functions/source/greet/index.py",
            &format!("handler = {number}\n"),
        );
        walk.push("still other code");
        walk.run();
        let walked = walk.approve(approve);
        walked.assert_allowed();
    }
    let walked = walk.command(&json!({"status": true}));
    let mut expect = vec![second, walk.released()];
    expect.sort();
    assert_eq!(walk.releases(&walked), expect);
}

/// Returns the contents of all files below a folder whose paths have this end.
fn files_of<'e>(folder: &Path, end: &'e str) -> impl Iterator<Item = Vec<u8>> + 'e {
    let all = walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .map(|it| it.into_path());
    all.filter(move |path| path.ends_with(end))
        .map(|path| fs::read(path).unwrap())
}

fn contents(folder: &Path, end: &str) -> Vec<String> {
    files_of(folder, end)
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .collect()
}

fn checksums(folder: &Path, end: &str) -> Vec<String> {
    let hex = |bytes| {
        Md5::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    files_of(folder, end).map(hex).collect()
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn submodules_are_fetched_by_the_connection() {
    let mut walk = Walk::begin(&["SubmoduleRepositories=acme/lib"]);
    walk.own.write(
        "lib/network.yaml",
        &walk.own.read("shop/templates/network.yaml"),
    );
    walk.make_repository("acme/lib", "lib");
    let library = walk.own.path().join("repositories/acme/lib.git");
    walk.git(
        "shop",
        &[
            "submodule",
            "--quiet",
            "add",
            library.to_str().unwrap(),
            "submodules/lib",
        ],
    );
    // The address that people use who authenticate with a key.
    walk.own.write(
        "shop/.gitmodules",
        "[submodule \"submodules/lib\"]\n\tpath = submodules/lib\n\turl = \
         git@github.com:acme/lib.git\n",
    );
    walk.own.replace(
        "shop/templates/shop.yaml",
        "templates/network.yaml",
        "submodules/lib/network.yaml",
    );
    walk.push("a library");
    let walked = walk.run();
    walked.assert_allowed();
    assert_eq!(
        walked.stage("Production"),
        "Approval: waiting",
        "{:#}",
        walked.0
    );
    let files = walk.files(&walked);
    assert!(
        files
            .get(format!(
                "shop/{}/submodules/lib/network.yaml",
                walk.released()
            ))
            .is_some(),
        "{files:#}"
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn an_approval_executes_what_was_shown() {
    let mut walk = Walk::begin(&[]);
    walk.own.replace(
        "shop/templates/shop.yaml",
        "VisibilityTimeout: 30",
        "VisibilityTimeout: 60",
    );
    walk.push("first");
    let walked = walk.run();
    let first = walked.variable("Merge", "mergeCommit").to_owned();
    // While the first change waits, a second one is tested, merged and copied.
    walk.own.replace(
        "shop/templates/shop.yaml",
        "VisibilityTimeout: 60",
        "VisibilityTimeout: 90",
    );
    walk.own.replace(
        "shop/templates/network.yaml",
        "CidrBlock: !Ref Cidr",
        "CidrBlock: 10.9.0.0/16",
    );
    walk.push("second");
    let walked = walk.run();
    let second = walked.variable("Merge", "mergeCommit").to_owned();
    assert_eq!(
        (walked.stage("SyncToS3"), walked.stage("Production")),
        ("Sync: built", "waiting"),
        "{:#}",
        walked.0
    );
    let walked = walk.approve(true);
    walked.assert_allowed();
    assert_eq!(
        walked.0["executions"][0]["status"], "Succeeded",
        "{:#}",
        walked.0
    );
    let prefix = |walk: &Walk| {
        walk.stack("shop").unwrap()["parameters"]["ArtifactPrefix"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(prefix(&walk), format!("shop/{first}/"));
    // The files of the second release were not pruned, and its page shows all changes, in nested
    // stacks, too.
    assert_eq!(
        walked.stage("Production"),
        "Approval: waiting",
        "{:#}",
        walked.0
    );
    let pages = contents(
        &walk.own.path().join("walk"),
        "output/artifacts/changes.html",
    );
    let page = pages
        .iter()
        .find(|page| page.contains("<code>60</code>"))
        .unwrap_or_else(|| panic!("{pages:#?}"));
    for shown in [
        "VisibilityTimeout",
        "<code>90</code>",
        "CidrBlock",
        "10.9.0.0",
    ] {
        assert!(page.contains(shown), "no {shown} in {page}");
    }
    let walked = walk.approve(true);
    assert_eq!(walked.last()["status"], "Succeeded", "{:#}", walked.0);
    assert_eq!(prefix(&walk), format!("shop/{second}/"));
}
