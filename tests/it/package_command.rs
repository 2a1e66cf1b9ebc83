//! `taskcat package` and `taskcat package-single`.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use crate::project::Project;
use crate::servers::{support, venv};
use crate::taskcat::{Outcome, Taskcat};

const CONFIG: &str = "project: {name: functions, regions: [us-east-1]}\n";

fn project() -> Project {
    let project = Project::empty("functions");
    project.write(".taskcat.yml", CONFIG);
    project.write("lambda_functions/source/first/index.py", "first\n");
    project.write("lambda_functions/source/second/lib/deep.py", "second\n");
    project
}

fn taskcat(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::offline(project).args(args.iter().copied()).run()
}

fn git(project: &Project, args: &[&str]) -> String {
    let user = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    let mut git = Command::new("git");
    git.arg("-C").arg(project.path()).args(user).args(args);
    let output = git.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{args:?}: {output:?}");
    text
}

const FIRST: &str = "lambda_functions/packages/first/lambda.zip";
const SECOND: &str = "lambda_functions/packages/second/lambda.zip";

#[track_caller]
fn assert_packaged(outcome: &Outcome, archives: &[&str]) {
    outcome.assert_code(0);
    let mut packaged: Vec<&str> = outcome.stdout.lines().collect();
    packaged.sort_unstable();
    assert_eq!(packaged, archives, "{}", outcome.stderr);
}

#[test]
fn all_functions_are_packaged() {
    let project = project();
    let outcome = taskcat(&project, &["package"]);
    assert_packaged(&outcome, &[FIRST, SECOND]);
    outcome
        .assert_says("packaging lambda_functions/source/first")
        .assert_says("2 packaged, 0 unchanged");
    assert!(project.path().join(FIRST).is_file());
    taskcat(&project, &["package"]).assert_says("0 packaged, 2 unchanged");
    // Folders of the command line and of the configuration.
    let outcome = taskcat(
        &project,
        &["package", "-s", "lambda_functions/source", "-z", "zips"],
    );
    assert_packaged(
        &outcome,
        &["zips/first/lambda.zip", "zips/second/lambda.zip"],
    );
    project.write(
        "other.yml",
        "project: {name: f, regions: [us-east-1], lambda_zip_path: more}\n",
    );
    let outcome = taskcat(&project, &["package", "-c", "other.yml"]);
    assert_packaged(
        &outcome,
        &["more/first/lambda.zip", "more/second/lambda.zip"],
    );
    let outcome = taskcat(&project, &["package", "-s", "nowhere"]);
    assert_packaged(&outcome, &[]);
    outcome.assert_says("no Lambda function in nowhere was packaged");
}

#[test]
fn packaging_that_is_disabled_or_impossible() {
    let project = project();
    let empty = Project::empty("empty");
    taskcat(&empty, &["package"])
        .assert_code(2)
        .assert_says(".taskcat.yml: no such file");
    let outcome = taskcat(&project, &["package", "-z", "../elsewhere"]);
    outcome.assert_code(2).assert_says("is outside the project");
    project.write("lambda_functions/source/image/Dockerfile", "FROM scratch\n");
    let outcome = taskcat(&project, &["package", "--container-cli", "nonesuch"]);
    outcome.assert_code(1).assert_says(
        "lambda_functions/source/image has a Dockerfile, and `nonesuch` was not found",
    );
    assert!(
        project.path().join(FIRST).is_file(),
        "the others are packaged"
    );
    project.write(
        ".taskcat.yml",
        "project: {name: f, regions: [us-east-1], package_lambda: false}\n",
    );
    let outcome = taskcat(&project, &["package"]);
    assert_packaged(&outcome, &[]);
    outcome.assert_says("packaging is disabled by `package_lambda: false`");
}

#[test]
fn a_single_function_needs_no_configuration() {
    let project = project();
    assert_packaged(
        &taskcat(&project, &["package-single", "-n", "first"]),
        &[FIRST],
    );
    fs::remove_file(project.path().join(".taskcat.yml")).unwrap();
    assert_packaged(
        &taskcat(&project, &["package-single", "-n", "second"]),
        &[SECOND],
    );
    let outcome = taskcat(&project, &["package-single", "-z", "zips"]);
    assert_packaged(
        &outcome,
        &["zips/first/lambda.zip", "zips/second/lambda.zip"],
    );
    taskcat(&project, &["package-single", "-n", "frist"])
        .assert_code(1)
        .assert_says("there is no Lambda function `frist`")
        .assert_says("did you mean `first`?");
}

#[test]
fn functions_that_differ_between_two_commits() {
    let project = project();
    let between = |from: &str, to: &str| taskcat(&project, &["package", "-f", from, "-t", to]);
    let outside = Taskcat::offline(&project).env("GIT_DIR", project.home());
    outside
        .args(["package", "-f", "HEAD", "-t", "HEAD"])
        .run()
        .assert_code(2)
        .assert_says("is not in a Git repository");
    git(&project, &["init", "--quiet", "--initial-branch", "main"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "--quiet", "-m", "1"]);
    let first = git(&project, &["rev-parse", "HEAD"]);
    project.write("lambda_functions/source/second/lib/deep.py", "changed\n");
    git(&project, &["commit", "--quiet", "-a", "-m", "2"]);
    git(&project, &["tag", "v2"]);
    assert_packaged(&between(&first, "HEAD"), &[SECOND]);
    assert_packaged(&between(&first[..9], "v2"), &[SECOND]);
    project.write("README.md", "");
    git(&project, &["add", "README.md"]);
    git(&project, &["commit", "--quiet", "-m", "3"]);
    assert_packaged(&between("v2", "main"), &[]);
    let outcome = between("main", "HEAD");
    assert_packaged(&outcome, &[FIRST, SECOND]);
    outcome.assert_says("every function is packaged, as in TaskCat");
    let outcome = taskcat(&project, &["package", "--from-ref", "HEAD"]);
    assert_packaged(&outcome, &[FIRST, SECOND]);
    outcome.assert_says("--from-ref and --to-ref count only together");
    let single = ["package-single", "-n", "first", "-f", &first, "-t", "v2"];
    assert_packaged(&taskcat(&project, &single), &[]);
    between("v3", "HEAD")
        .assert_code(2)
        .assert_says("--from-ref: the repository has no commit, branch or tag `v3`");
    taskcat(&project, &["package", "-f", "HEAD", "--to-ref=--output=x"])
        .assert_code(2)
        .assert_says("`--output=x`");

    // A project in a directory of the repository.
    let below = Taskcat::offline(&project).args(["package", "-c", "../.taskcat.yml"]);
    let below = below.args(["-p", "lambda_functions", "-s", "source", "-z", "zips"]);
    let outcome = below.args(["-f", &first, "-t", "v2"]).run();
    assert_packaged(&outcome, &["zips/second/lambda.zip"]);
}

/// Name and content of each entry, in the order of names.
fn entries(archive: &Path) -> Vec<(String, String)> {
    let mut zip = zip::ZipArchive::new(File::open(archive).unwrap()).unwrap();
    let entries = (0..zip.len()).map(|at| {
        let mut entry = zip.by_index(at).unwrap();
        let content = std::io::read_to_string(&mut entry).unwrap();
        (entry.name().unwrap().into_owned(), content)
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    entries
}

/// The same archives at the same paths, of a project with plain functions and one of submodules.
#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn the_python_taskcat_packages_the_same() {
    let packaged = |is_python: bool, args: &[&str], has_config: bool| {
        let project = project();
        project.write("submodules/other/lambda_functions/source/third/a", "a");
        if !has_config {
            fs::remove_file(project.path().join(".taskcat.yml")).unwrap();
        }
        let run = if is_python {
            let python = Taskcat::program(venv("taskcat").join("bin/python"), &project);
            python.args([support("taskcat_offline.py").to_str().unwrap()])
        } else {
            Taskcat::offline(&project)
        };
        run.with_python_tools()
            .args(args.iter().copied())
            .run()
            .assert_code(0);
        let archives = project.files(".").into_iter();
        let archives = archives.filter(|path| path.ends_with(".zip"));
        let entries = archives.map(|path| (entries(&project.path().join(&path)), path));
        entries.collect::<Vec<_>>()
    };
    for (args, has_config) in [
        (&["package"][..], true),
        (
            &["package", "-s", "lambda_functions/source", "-z", "zips"],
            true,
        ),
        (&["package", "--proj", ".", "--conf", ".taskcat.yml"], true),
        (&["package-single", "-n", "second"], false),
        (&["package-single"], false),
    ] {
        let ours = packaged(false, args, has_config);
        assert!(!ours.is_empty());
        assert_eq!(ours, packaged(true, args, has_config), "{args:?}");
    }
}

/// podman builds an image whose base is made from scratch, runs it, and its output is the archive.
/// In a mount namespace without the old hierarchies of control groups, and without what a container
/// in a container may not do.
#[test]
#[ignore = "needs podman and root; run tests/run.sh"]
fn podman_makes_an_archive() {
    let project = project();
    let busybox = "lambda_functions/source/image/busybox";
    project.write(
        "lambda_functions/source/image/Dockerfile",
        "FROM scratch\nCOPY busybox /bin/busybox\nCOPY message /message\n\
         CMD [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox mkdir -p /output/more && \
         /bin/busybox cp /message /output/lambda.zip && /bin/busybox touch /output/more/x\"]\n",
    );
    project.write(
        "lambda_functions/source/image/message",
        "made in a container\n",
    );
    fs::copy("/bin/busybox", project.path().join(busybox)).unwrap();
    project.write(
        "containers.conf",
        "[containers]\ncgroups = \"disabled\"\nnetns = \"host\"\n\
         default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
         [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n",
    );
    project.write(
        "storage.conf",
        &format!(
            "[storage]\ndriver = \"vfs\"\nrunroot = {:?}\ngraphroot = {:?}\n",
            project.home().join("run"),
            project.home().join("storage")
        ),
    );
    let in_namespace = |command: &str| {
        let script = format!(
            "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec {command}"
        );
        Taskcat::program("unshare", &project)
            .env("CONTAINERS_CONF", project.path().join("containers.conf"))
            .env(
                "CONTAINERS_STORAGE_CONF",
                project.path().join("storage.conf"),
            )
            .env("BUILDAH_ISOLATION", "chroot")
            .args(["--mount", "sh", "-c", &script])
            .run()
    };
    let taskcat = env!("CARGO_BIN_EXE_taskcat");
    // The engine is found by itself where docker's isn't running.
    let outcome = in_namespace(&format!("{taskcat} package-single -n image"));
    let archive = "lambda_functions/packages/image/lambda.zip";
    assert_packaged(&outcome, &[archive]);
    assert_eq!(project.read(archive), "made in a container\n");
    assert_eq!(
        project.files("lambda_functions/packages/image"),
        ["lambda.zip", "more/x"]
    );
    let again = format!("{taskcat} package-single -n image --container-cli podman");
    in_namespace(&again).assert_says("0 packaged, 1 unchanged");
    // No container is left.
    let left = in_namespace("podman ps --all --quiet");
    assert_eq!((left.code, left.stdout.as_str()), (Some(0), ""));

    // What the engine says is passed on.
    project.replace(
        "lambda_functions/source/image/Dockerfile",
        "/bin/busybox touch /output/more/x",
        "/bin/busybox false",
    );
    let outcome = in_namespace(&again);
    outcome
        .assert_code(1)
        .assert_says("lambda_functions/source/image: `podman run` exited with code 1");
    assert_eq!(in_namespace("podman ps --all --quiet").stdout, "");
}
