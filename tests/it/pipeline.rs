//! The pipeline that a user deploys: its template, and the phases of its buildspecs, run for real.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::pipelines::{PARAMETERS, X86_64, given, write_programs};
use crate::project::Project;
use crate::servers::{Kind, Server, boto3, support, venv};
use crate::taskcat::Taskcat;

fn pipeline(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pipeline").join(file)
}

/// A project whose root is a copy of the pipeline's folder.
fn project() -> Project {
    let project = Project::empty("pipeline");
    for file in [".taskcat.yml", "pipeline.yaml"] {
        project.write(file, &fs::read_to_string(pipeline(file)).unwrap());
    }
    project
}

#[test]
fn the_template_is_clean() {
    let output = Command::new(venv("taskcat").join("bin/cfn-lint")).arg(pipeline("pipeline.yaml")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let project = project();
    Taskcat::offline(&project).args(["plan"]).run().assert_code(0);
    Taskcat::without_credentials(&project).args(["lint", "--strict"]).run().assert_code(0);
}

tests_on!(simulator: it_deploys);

fn it_deploys(kind: Kind) {
    let (server, project) = (Server::take(kind), project());
    Taskcat::test_run(&project, &server).args(["-l"]).run().assert_code(0);
    server.standing(&["eu-central-1"]).assert_nothing();
}

/// A build on a server: what CodeBuild would give it, and where it left its results.
struct Build {
    server: Server,
    /// Its home and its results.
    own: Project,
    source: Project,
    variables: Vec<(String, String)>,
}

impl Build {
    /// Of the source, with the programs in a bucket.
    fn of(source: Project) -> Self {
        let server = Server::take(Kind::Simulator);
        let tools = format!("tools-{}", server.port());
        let own = Project::empty("build");
        // As good as the program, and faster to send.
        own.write("tools/taskcat", &format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_taskcat")));
        boto3(&server.endpoint(), "tools.py", &[&tools, own.path().join("tools/taskcat").to_str().unwrap()]);
        let variables = vec![("TOOLS".to_owned(), format!("s3://{tools}/tools/"))];
        Self { server, own, source, variables }
    }

    fn with(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.variables.push((variable.to_owned(), value.into()));
        self
    }

    fn run(&self, buildspec: &str) -> Output {
        let path = std::env::var("PATH").unwrap();
        let python = venv("pipeline").join("bin");
        Command::new(python.join("python"))
            .arg(support("buildspec.py"))
            .args([pipeline(buildspec), self.source.path(), self.own.path()])
            .env_clear()
            .env("PATH", format!("{}:{}:{path}", python.display(), venv("taskcat").join("bin").display()))
            .env("HOME", self.own.home())
            .env("AWS_ENDPOINT_URL", self.server.endpoint())
            .envs([("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")])
            .envs([
                ("AWS_REGION", "us-east-1"),
                ("AWS_DEFAULT_REGION", "us-east-1"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
            ])
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn the_test_stage_passes() {
    let source = Project::copy_of("first-run");
    let configuration = Project::empty("configuration");
    // The configuration from the bucket takes the place of the repository's.
    let text =
        source.read(".taskcat.yml").replace("regions: [us-east-1, eu-west-1, ap-southeast-2]", "regions: [us-east-1]");
    configuration.write("taskcat.yml", &text);
    let build = Build::of(source)
        .with("CODEBUILD_SRC_DIR_Configuration", configuration.path().to_str().unwrap())
        .with("TASKCAT_OVERRIDES", "AlarmAddress: overridden@example.com")
        .with("TASKCAT_ARGUMENTS", "-l");
    let output = build.run("buildspec.test.yml");
    assert!(output.status.success(), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_str(&build.own.read("artifacts/report.json")).unwrap();
    assert_eq!((&report["totals"]["cells"], &report["totals"]["passed"]), (&2.into(), &2.into()), "{report}");
    assert!(report["cells"].to_string().contains("overridden@example.com"));
    assert!(build.own.read("reports/taskcat/junit.xml").contains("<testsuite "));
    assert!(build.own.read("artifacts/index.html").contains("first-run"));
    // What was secret lies around nowhere.
    assert!(!build.source.path().join(".taskcat_overrides.yml").exists());
    assert!(build.server.standing(&["us-east-1"]).stacks.is_empty());
}

#[test]
fn the_test_stage_fails() {
    let build = Build::of(Project::copy_of("one-bad")).with("TASKCAT_ARGUMENTS", "-l");
    let output = build.run("buildspec.test.yml");
    assert!(!output.status.success(), "{}", said(&output));
    // The reports stand where they are looked for, all the same.
    assert!(build.own.read("reports/taskcat/junit.xml").contains("<failure "));
    assert!(build.own.read("artifacts/index.html").contains("CREATE_FAILED"));
    let standing = build.server.standing(&["us-east-1", "eu-west-1", "ap-southeast-2"]);
    assert!(standing.stacks.is_empty(), "{standing:#?}");
}

#[test]
fn a_run_that_was_killed_is_cleaned_up_after() {
    let source = Project::copy_of("first-run");
    // A hook that kills the run from within, when all is staged.
    source.write("kill.sh", "#!/bin/sh\nkill -9 $PPID\n");
    Command::new("chmod").args(["+x", "kill.sh"]).current_dir(source.path()).status().unwrap();
    source.replace(
        ".taskcat.yml",
        "  regions:",
        "  posthooks: [{type: script, config: {command: ./kill.sh}}]\n  regions:",
    );
    let build = Build::of(source).with("TASKCAT_ARGUMENTS", "-l");
    let output = build.run("buildspec.test.yml");
    assert!(!output.status.success(), "{}", said(&output));
    let standing = build.server.standing(&["us-east-1", "eu-west-1", "ap-southeast-2"]);
    assert!(standing.stacks.is_empty(), "{}\n{standing:#?}", said(&output));
}

#[test]
fn the_sync_stage_copies_the_merged_commit() {
    let source = Project::copy_of("first-run");
    let git = |args: &[&str]| {
        let settings =
            ["-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "protocol.file.allow=always"];
        let output = Command::new("git").args(settings).args(args).current_dir(source.path()).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "-b", "develop"]);
    source.write("old.txt", "goes with the merge");
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "first"]);
    // The merged commit is only in the repository that it is fetched from.
    let origin = source.path().with_file_name("origin.git");
    git(&["clone", "-q", "--bare", ".", origin.to_str().unwrap()]);
    git(&["remote", "add", "origin", origin.to_str().unwrap()]);
    git(&["rm", "-q", "old.txt"]);
    source.write("merged.txt", "came with the merge");
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "merged"]);
    let merged = git(&["rev-parse", "HEAD"]);
    git(&["push", "-q", "origin", "develop:main"]);
    git(&["reset", "-q", "--hard", "HEAD~1"]);
    assert!(source.path().join("old.txt").exists());

    let build = Build::of(source);
    let bucket = format!("production-{}", build.server.port());
    build.server.given(&["bucket", &bucket, "us-east-1"]);
    let build = build.with("PRODUCTION_BUCKET", &bucket).with("PRODUCTION_KEY_PREFIX", "shop");
    let first = build.run("buildspec.sync.yml");
    assert!(first.status.success(), "{}", said(&first));
    let keys = build.server.standing(&["us-east-1"]).keys(&bucket);
    assert!(keys.contains(&"shop/old.txt".to_owned()) && !keys.contains(&"shop/merged.txt".to_owned()), "{keys:?}");

    let build = build.with("MERGE_COMMIT", &merged);
    let second = build.run("buildspec.sync.yml");
    assert!(second.status.success(), "{}", said(&second));
    let keys = build.server.standing(&["us-east-1"]).keys(&bucket);
    assert!(!keys.contains(&"shop/old.txt".to_owned()) && keys.contains(&"shop/merged.txt".to_owned()), "{keys:?}");
    assert!(keys.iter().all(|key| !key.contains(".git/")), "{keys:?}");
    // The production stage takes the template out of the artifact.
    assert!(build.own.path().join("artifacts/templates/site.template.yaml").is_file());
    assert!(!build.own.path().join("artifacts/.git").exists());
}

/// A repository on GitHub, its pipeline in the simulator, and those who push to the one and look at the other.
struct Walk {
    server: Server,
    own: Project,
}

const TOKEN: &str = "ghp_0fTheTestsAndOfNobodyElse4711";
const REGION: &str = "us-east-1";

impl Walk {
    /// The pipeline as a user deploys it, for the project `deploy`: `main` is released, `develop` is pushed to.
    fn begin() -> Self {
        let walk = Self { server: Server::take(Kind::Simulator), own: Project::empty("walk") };
        walk.server.given(&["secret", REGION, "github/token", TOKEN]);
        walk.make_repository();
        walk.deploy();
        walk
    }

    fn make_repository(&self) {
        let bare = self.own.path().join("repositories/acme/shop.git");
        fs::create_dir_all(&bare).unwrap();
        self.git(&bare, &["init", "-q", "--bare", "-b", "main"]);
        let shop = Project::copy_of("deploy");
        for file in shop.files("") {
            self.own.write(&format!("shop/{file}"), &shop.read(&file));
        }
        let work = self.own.path().join("shop");
        self.git(&work, &["init", "-q", "-b", "main"]);
        self.git(&work, &["remote", "add", "origin", bare.to_str().unwrap()]);
        self.push("main", "the first release");
        self.git(&work, &["checkout", "-q", "-b", "develop"]);
    }

    fn deploy(&self) {
        let endpoint = self.server.endpoint();
        write_programs(&self.own.path().join("programs"), X86_64);
        let names = ["BucketParameter=ArtifactBucket", "PrefixParameter=ArtifactPrefix", "TestMachines=2"];
        let deploy = ["pipeline", "deploy", "shop-pipeline", "--yes", "--programs", "programs"];
        let deploy = Taskcat::at(&self.own, &endpoint).args(deploy).args(given(&PARAMETERS)).args(given(&names));
        deploy.run().assert_code(0).assert_says("1 deployed");
        // As good as the program, and faster to send.
        let standing = self.server.standing(&[REGION]);
        let stack = standing.stacks.iter().find(|stack| stack["name"] == "shop-pipeline").unwrap();
        let tools = |name: &str| stack["parameters"][name].as_str().unwrap().to_owned();
        let program = format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_taskcat"));
        let key = format!("{}taskcat", tools("ToolsPrefix"));
        self.server.given(&["object", &tools("ToolsBucket"), &key, &program]);
    }

    /// Commits everything and pushes it to the branch.
    fn push(&self, branch: &str, message: &str) -> String {
        let work = self.own.path().join("shop");
        self.git(&work, &["add", "."]);
        self.git(&work, &["commit", "-q", "-m", message]);
        self.git(&work, &["push", "-q", "origin", branch]);
        self.git(&work, &["rev-parse", "HEAD"])
    }

    fn git(&self, folder: &Path, args: &[&str]) -> String {
        let settings = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"];
        let output = Command::new("git").args(settings).args(args).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn released(&self) -> String {
        self.git(&self.own.path().join("repositories/acme/shop.git"), &["rev-parse", "main"])
    }

    /// Through the stages, with or without the approval.
    fn run(&self, number: u32, approve: bool) -> serde_json::Value {
        self.own.write("configuration/taskcat.yml", &self.own.read("shop/.taskcat.yml"));
        self.own.write(
            "configuration/production.json",
            r#"{"Parameters": {"Cidr": "10.2.0.0/16"}, "Tags": {"of": "production"}}"#,
        );
        let (own, python) = (self.own.path(), venv("pipeline").join("bin"));
        let path = std::env::var("PATH").unwrap();
        // What stands around the function needs more than AWS's command line does.
        let mut command = Command::new(venv("moto").join("bin/python"));
        command.arg(support("walk.py")).args([self.server.endpoint().as_str(), REGION, "shop-pipeline"]);
        command.args([own.join(format!("walk-{number}")), own.join("repositories")]).arg(TOKEN);
        command.arg(own.join("configuration")).arg(env!("CARGO_BIN_EXE_git-merge"));
        if approve {
            command.arg("approve");
        }
        let output = command
            .env_clear()
            .env("PATH", format!("{}:{}:{path}", python.display(), venv("taskcat").join("bin").display()))
            .env("HOME", self.own.home())
            .envs([("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")])
            .env("TASKCAT_ARGUMENTS", "")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The production stack's status; none where there is none.
    fn production(&self) -> Option<String> {
        let standing = self.server.standing(&[REGION]);
        let stack = standing.stacks.iter().find(|stack| stack["name"] == "shop")?;
        Some(stack["status"].as_str().unwrap().to_owned())
    }
}

#[test]
fn a_change_walks_through_all_five_stages() {
    let walk = Walk::begin();
    let stage = |walked: &serde_json::Value, name: &str| walked["stages"][name].as_str().unwrap_or("-").to_owned();

    // A good change, approved.
    walk.own.replace("shop/templates/shop.yaml", "VisibilityTimeout: 30", "VisibilityTimeout: 60");
    let pushed = walk.push("develop", "longer");
    let walked = walk.run(1, true);
    assert_eq!(stage(&walked, "Test"), "Taskcat2: built", "{walked:#}");
    let merged = walk.released();
    assert_eq!(walked["variables"]["Merge"]["mergeCommit"], merged.as_str(), "{walked:#}");
    assert_eq!(walked["variables"]["Source"]["CommitId"], pushed.as_str());
    assert_eq!(stage(&walked, "SyncToS3"), "Sync: built", "{walked:#}");
    assert_eq!(stage(&walked, "Production"), "Execute: CREATE_COMPLETE", "{walked:#}");
    assert_eq!(walk.production().as_deref(), Some("CREATE_COMPLETE"));
    let bucket = walked["buckets"]["ProductionBucket"].as_str().unwrap();
    let keys = walk.server.standing(&[REGION]).keys(bucket);
    assert!(keys.contains(&"shop/templates/network.yaml".to_owned()), "{keys:?}");

    // A bad one stops before the merge.
    walk.own.replace("shop/templates/shop.yaml", "VisibilityTimeout: 60", "QueueName: no name!");
    walk.push("develop", "broken");
    let walked = walk.run(2, true);
    assert!(stage(&walked, "Test").starts_with("Taskcat failed: build failed"), "{walked:#}");
    assert!(walked["stages"].get("GitMerge").is_none(), "{walked:#}");
    assert_eq!((walk.released(), walk.production().as_deref()), (merged, Some("CREATE_COMPLETE")));

    // Mended, but not approved: the change set is there, and nothing is changed.
    walk.own.replace("shop/templates/shop.yaml", "QueueName: no name!", "VisibilityTimeout: 90");
    walk.push("develop", "mended");
    let walked = walk.run(3, false);
    assert_eq!(stage(&walked, "Production"), "Approval failed: rejected", "{walked:#}");
    assert_eq!(walk.production().as_deref(), Some("CREATE_COMPLETE"));
    let walked = walk.run(4, true);
    assert_eq!(stage(&walked, "Production"), "Execute: UPDATE_COMPLETE", "{walked:#}");
    assert_eq!(walk.production().as_deref(), Some("UPDATE_COMPLETE"));

    // Of the tests' own stacks none is left.
    let standing = walk.server.standing(&[REGION]);
    assert!(standing.stack_names().iter().all(|name| name.starts_with("shop")), "{:?}", standing.stack_names());

    // The pipeline goes, and production stays, with a word on what it needs.
    let delete = Taskcat::at(&walk.own, &walk.server.endpoint()).args(["pipeline", "delete", "shop-pipeline", "--yes"]);
    let deleted = delete.run();
    deleted.assert_code(0).assert_says("The production stack shop stays").assert_says("ProductionRole");
    let standing = walk.server.standing(&[REGION]);
    // What the tests share between them is theirs.
    assert!(standing.buckets.keys().all(|name| name.starts_with("tcat-")), "{:?}", standing.buckets.keys());
    assert_eq!(walk.production().as_deref(), Some("UPDATE_COMPLETE"));
}
