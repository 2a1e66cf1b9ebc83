//! The pipeline's template as tools check it, and its buildspecs, whose phases really run.
//! `pipeline_rendered` evaluates the template, `pipeline_walk` goes through all stages.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server, boto3, support, venv};
use crate::taskcat::{Outcome, Taskcat};

fn pipeline(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("pipeline")
        .join(file)
}

/// A project whose root is a copy of the pipeline's folder.
pub fn project() -> Project {
    let project = Project::empty("pipeline");
    for file in [".taskcat.yml", "pipeline.yaml"] {
        project.write(file, &fs::read_to_string(pipeline(file)).unwrap());
    }
    project
}

#[test]
#[ignore = "needs cfn-lint; run tests/run.sh"]
fn the_template_is_clean() {
    let output = Command::new(venv("taskcat").join("bin/cfn-lint"))
        .arg(pipeline("pipeline.yaml"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let project = project();
    Taskcat::offline(&project)
        .args(["plan"])
        .run()
        .assert_code(0);
    lint(&project).assert_code(0);
}

/// Checks the template by taskcat's own engine, and by the pipeline's rules for Guard.
fn lint(project: &Project) -> Outcome {
    let rules = pipeline("pipeline.guard");
    Taskcat::offline(project)
        .args(["lint", "--strict", "--guard-rules", rules.to_str().unwrap()])
        .run()
}

#[test]
fn the_rules_find_what_is_missing() {
    for (line, rule) in [
        ("BlockPublicAcls: true", "buckets_are_private"),
        (
            "Condition: {Bool: {aws:SecureTransport: \"false\"}}",
            "buckets_accept_tls_only",
        ),
        ("KmsKeyId: !GetAtt Key.Arn", "logs_are_encrypted_and_expire"),
        (
            "Condition:\n                  StringEquals:\n                    \
             codestar-connections:FullRepositoryId: !If [HasSubmodules, !Split [\",\", !Sub \
             \"${Repository},${SubmoduleRepositories}\"], !Ref Repository]",
            "connections_are_limited_to_repositories",
        ),
    ] {
        let project = project();
        let text = project.read("pipeline.yaml");
        assert!(text.contains(line), "{line}");
        project.write("pipeline.yaml", &text.replacen(line, "", 1));
        lint(&project).assert_code(1).assert_says(rule);
    }
}

#[test]
#[ignore = "needs checkov; run tests/run.sh"]
fn checkov_finds_nothing_without_a_reason() {
    let output = Command::new(venv("checkov").join("bin/checkov"))
        .arg("--config-file")
        .arg(pipeline("checkov.yaml"))
        .arg("--file")
        .arg(pipeline("pipeline.yaml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("Failed checks: 0"),
        "{}",
        said(&output)
    );
}

tests_on!(simulator: it_deploys);

fn it_deploys(kind: Kind) {
    let (server, project) = (Server::take(kind), project());
    Taskcat::test_run(&project, &server)
        .args(["-l"])
        .run()
        .assert_code(0);
    server.standing(&["eu-central-1"]).assert_nothing();
}

/// A build as CodeBuild runs it, against a server.
struct Build {
    server: Server,
    /// The build's home and its results.
    own: Project,
    source: Project,
    variables: Vec<(String, String)>,
}

impl Build {
    /// Prepares a build of the source, with the programs in a bucket.
    fn of(source: Project) -> Self {
        let server = Server::take(Kind::Simulator);
        let tools = format!("tools-{}", server.port());
        let own = Project::empty("build");
        // A script that runs the program is uploaded faster than the program.
        own.write(
            "tools/taskcat",
            &format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_taskcat")),
        );
        boto3(
            &server.endpoint(),
            "tools.py",
            &[&tools, own.path().join("tools/taskcat").to_str().unwrap()],
        );
        let variables = vec![("TOOLS".to_owned(), format!("s3://{tools}/tools/"))];
        Self {
            server,
            own,
            source,
            variables,
        }
    }

    fn with(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.variables.push((variable.to_owned(), value.into()));
        self
    }

    fn run(&self, buildspec: &str) -> Output {
        let python = venv("pipeline").join("bin");
        Command::new(python.join("python"))
            .arg(support("buildspec.py"))
            .args([pipeline(buildspec), self.source.path(), self.own.path()])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", python.display()))
            .env("HOME", self.own.home())
            .env("AWS_ENDPOINT_URL", self.server.endpoint())
            .envs([
                ("AWS_ACCESS_KEY_ID", "testing"),
                ("AWS_SECRET_ACCESS_KEY", "testing"),
            ])
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
#[ignore = "needs Python; run tests/run.sh"]
fn the_test_stage_passes() {
    let source = Project::copy_of("first-run");
    let configuration = Project::empty("configuration");
    // The configuration from the bucket replaces the repository's.
    let text = source.read(".taskcat.yml").replace(
        "regions: [us-east-1, eu-west-1, ap-southeast-2]",
        "regions: [us-east-1]",
    );
    configuration.write("taskcat.yml", &text);
    let build = Build::of(source)
        .with(
            "CODEBUILD_SRC_DIR_Configuration",
            configuration.path().to_str().unwrap(),
        )
        .with("TASKCAT_OVERRIDES", "AlarmAddress: overridden@example.com")
        .with("TASKCAT_ARGUMENTS", "-l");
    let output = build.run("buildspec.test.yml");
    assert!(output.status.success(), "{}", said(&output));
    let report: serde_json::Value =
        serde_json::from_str(&build.own.read("artifacts/report.json")).unwrap();
    assert_eq!(
        (&report["totals"]["cells"], &report["totals"]["passed"]),
        (&2.into(), &2.into()),
        "{report}"
    );
    assert!(
        report["cells"]
            .to_string()
            .contains("overridden@example.com")
    );
    assert!(
        build
            .own
            .read("reports/taskcat/junit.xml")
            .contains("<testsuite ")
    );
    assert!(build.own.read("artifacts/index.html").contains("first-run"));
    // The file with secrets was deleted.
    assert!(!build.source.path().join(".taskcat_overrides.yml").exists());
    assert!(build.server.standing(&["us-east-1"]).stacks.is_empty());
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_test_stage_fails() {
    let build = Build::of(Project::copy_of("one-bad")).with("TASKCAT_ARGUMENTS", "-l --no-check");
    let output = build.run("buildspec.test.yml");
    assert!(!output.status.success(), "{}", said(&output));
    // The reports are collected nevertheless.
    assert!(
        build
            .own
            .read("reports/taskcat/junit.xml")
            .contains("<failure ")
    );
    assert!(
        build
            .own
            .read("artifacts/index.html")
            .contains("CREATE_FAILED")
    );
    let standing = build
        .server
        .standing(&["us-east-1", "eu-west-1", "ap-southeast-2"]);
    assert!(standing.stacks.is_empty(), "{standing:#?}");
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_run_that_was_killed_is_cleaned_up_after() {
    let source = Project::copy_of("first-run");
    // A hook that kills the run after staging.
    source.write("kill.sh", "#!/bin/sh\nkill -9 $PPID\n");
    Command::new("chmod")
        .args(["+x", "kill.sh"])
        .current_dir(source.path())
        .status()
        .unwrap();
    source.replace(
        ".taskcat.yml",
        "  regions:",
        "  posthooks: [{type: script, config: {command: ./kill.sh}}]\n  regions:",
    );
    let build = Build::of(source).with("TASKCAT_ARGUMENTS", "-l");
    let output = build.run("buildspec.test.yml");
    assert!(!output.status.success(), "{}", said(&output));
    let standing = build
        .server
        .standing(&["us-east-1", "eu-west-1", "ap-southeast-2"]);
    assert!(
        standing.stacks.is_empty(),
        "{}\n{standing:#?}",
        said(&output)
    );
}

/// A build whose tests passed fails if something could not be deleted.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_build_fails_that_could_not_clean_up() {
    let build = Build::of(Project::copy_of("first-run"));
    let proxy = Proxy::with_faults(&build.server, &["DeleteStack=403:AccessDenied"]);
    let build = build
        .with("TASKCAT_ARGUMENTS", "-l --no-delete")
        .with("AWS_ENDPOINT_URL", proxy.endpoint());
    let output = build.run("buildspec.test.yml");
    let told = said(&output);
    assert!(!output.status.success(), "{told}");
    assert!(
        told.contains("passed") && told.contains("AccessDenied"),
        "{told}"
    );
}

/// Whatever a build installs runs with the permissions of its role. Templates are checked
/// nevertheless: by taskcat itself.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn templates_are_checked_without_installing_anything() {
    let source = Project::copy_of("deploy");
    source.replace(
        "templates/shop.yaml",
        "VisibilityTimeout: 30",
        "VisibilityTimeouts: 30",
    );
    let build = Build::of(source);
    let pip = build.own.home().join(".local/bin/pip");
    fs::create_dir_all(pip.parent().unwrap()).unwrap();
    fs::write(&pip, "#!/bin/sh\ntouch \"$HOME/installed\"\n").unwrap();
    fs::set_permissions(&pip, Permissions::from_mode(0o755)).unwrap();
    let output = build.run("buildspec.test.yml");
    let told = said(&output);
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("templates/shop.yaml:15"), "{told}");
    assert!(told.contains("VisibilityTimeouts"), "{told}");
    assert!(!build.own.home().join("installed").exists(), "{told}");
    assert!(!told.contains("launching"), "{told}");
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_sync_stage_copies_the_merged_commit() {
    let source = Project::copy_of("first-run");
    let git = |args: &[&str]| {
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
            .current_dir(source.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "-b", "develop"]);
    source.write("old.txt", "goes with the merge");
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "first"]);
    let tested = git(&["rev-parse", "HEAD"]);
    // The clone lacks the merged commit, which has to be fetched.
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
    let build = build
        .with("PRODUCTION_BUCKET", &bucket)
        .with("PRODUCTION_KEY_PREFIX", "shop");
    let first = build.run("buildspec.sync.yml");
    assert!(first.status.success(), "{}", said(&first));
    let keys = build.server.standing(&["us-east-1"]).keys(&bucket);
    let has =
        |keys: &[String], commit: &str, file: &str| keys.contains(&format!("shop/{commit}/{file}"));
    assert!(
        has(&keys, &tested, "old.txt") && !has(&keys, &tested, "merged.txt"),
        "{keys:?}"
    );

    let build = build.with("MERGE_COMMIT", &merged);
    let second = build.run("buildspec.sync.yml");
    assert!(second.status.success(), "{}", said(&second));
    let keys = build.server.standing(&["us-east-1"]).keys(&bucket);
    assert!(
        !has(&keys, &merged, "old.txt") && has(&keys, &merged, "merged.txt"),
        "{keys:?}"
    );
    // The files of a release that waits for its approval are kept.
    assert!(has(&keys, &tested, "old.txt"), "{keys:?}");
    assert!(keys.iter().all(|key| !key.contains(".git/")), "{keys:?}");
    // The production stage reads the template from the artifact.
    assert!(
        build
            .own
            .path()
            .join("artifacts/templates/site.template.yaml")
            .is_file()
    );
    assert!(!build.own.path().join("artifacts/.git").exists());
}
