//! How taskcat is installed: archives of a release, the action for GitHub, the formula for Homebrew,
//! the image, and hooks for pre-commit.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

const RELEASES: &str = "example/taskcat/releases/latest/download";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn file(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a script of `release`.
fn script(project: &Project, name: &str, args: &[&str]) -> Taskcat {
    let path = repository("release").join(name);
    Taskcat::program("bash", project)
        .args([path.to_str().unwrap()])
        .args(args.iter().copied())
}

/// This machine's target among those of a release.
fn target() -> String {
    let system = if cfg!(target_os = "macos") {
        "apple-darwin"
    } else {
        "unknown-linux-musl"
    };
    format!("{}-{system}", std::env::consts::ARCH)
}

/// A step of the action, on a runner whose files are in the project's directory. The server is a
/// directory.
fn step(project: &Project, name: &str) -> Taskcat {
    let temporary = project.home().join("runner");
    let program = temporary.join("taskcat");
    fs::create_dir_all(&temporary).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths([program].into_iter().chain(std::env::split_paths(&path)));
    script(project, "action.sh", &[name])
        .env("PATH", path.unwrap())
        .env("RUNNER_TEMP", temporary)
        .env("GITHUB_PATH", project.path().join("path"))
        .env("GITHUB_OUTPUT", project.path().join("output"))
        .env("GITHUB_ACTIONS", "true")
        .env("SERVER_URL", format!("file://{}", project.home().display()))
        .env("REPOSITORY", "example/taskcat")
}

/// Makes a release with the program under test.
fn release(project: &Project) -> String {
    let folder = project.home().join(RELEASES);
    let program = env!("CARGO_BIN_EXE_taskcat");
    let folder = folder.to_str().unwrap();
    script(project, "archive.sh", &[&target(), program, folder])
        .run()
        .assert_code(0);
    folder.to_owned()
}

#[test]
fn the_action_installs_a_release_and_runs_it() {
    let project = Project::copy_of("first-run");
    release(&project);
    let installed = step(&project, "install").run();
    installed.assert_code(0);
    assert!(installed.stdout.contains(env!("CARGO_PKG_VERSION")));
    let folder = project.home().join("runner/taskcat");
    assert_eq!(project.read("path").trim(), folder.to_str().unwrap());

    let run = step(&project, "run").env("ARGUMENTS", "test run --local -l -t 'pla*'");
    let outcome = run.run();
    outcome.assert_code(0).assert_says("3 passed");
    assert_eq!(project.read("output"), "exit-code=0\n");
    assert!(project.read("taskcat_outputs/index.html").contains("plain"));
}

#[test]
fn the_action_fails_with_the_run_and_annotates() {
    let project = Project::copy_of("first-run");
    release(&project);
    step(&project, "install").run().assert_code(0);
    let arguments = "test run --local -l --scenario broken.yml";
    let outcome = step(&project, "run").env("ARGUMENTS", arguments).run();
    outcome.assert_code(1);
    assert_eq!(outcome.stdout.matches("::error ").count(), 3);
    assert_eq!(project.read("output"), "exit-code=1\n");
    // Nothing in the arguments is run.
    let arguments = "--version '$(touch injected)'; touch injected";
    step(&project, "run").env("ARGUMENTS", arguments).run();
    assert!(!project.path().join("injected").exists());
}

#[test]
fn the_action_refuses_a_changed_archive() {
    let project = Project::copy_of("first-run");
    let folder = release(&project);
    let checksum = format!("{folder}/taskcat-{}.tar.gz.sha256", target());
    let text = fs::read_to_string(&checksum).unwrap();
    fs::write(&checksum, format!("{:064}{}", 0, &text[64..])).unwrap();
    let outcome = step(&project, "install").run();
    assert_ne!(outcome.code, Some(0));
    assert!(!project.path().join("path").exists());
}

/// Without a release, the action builds the source that it comes with, but not in place of a
/// version that is asked for.
#[test]
fn the_action_builds_its_source_without_a_release() {
    const CARGO: &str = "#!/bin/sh\necho \"$@\" >\"$LOG\"\nwhile [ \"$1\" != --root ]; do shift; \
        done\nmkdir -p \"$2/bin\"\ncp \"$PROGRAM\" \"$2/bin/\"\n";
    let project = Project::copy_of("first-run");
    let log = project.path().join("log");
    let install = || {
        let cargo = project.home().join("runner/taskcat/cargo");
        fs::create_dir_all(cargo.parent().unwrap()).unwrap();
        fs::write(&cargo, CARGO).unwrap();
        make_executable(&cargo);
        step(&project, "install")
            .env("LOG", &log)
            .env("PROGRAM", env!("CARGO_BIN_EXE_taskcat"))
    };
    let outcome = install().env("VERSION", "9.9.9").run();
    outcome.assert_code(1);
    assert!(outcome.stdout.contains("no release 9.9.9"));
    assert!(!log.exists());

    install().run().assert_code(0);
    let path = format!("--path {} --bin taskcat", env!("CARGO_MANIFEST_DIR"));
    assert!(
        project.read("log").contains(&path),
        "{}",
        project.read("log")
    );
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The formula has the address and checksum of each archive that it names.
#[test]
fn the_formula_is_filled_in() {
    let project = Project::empty("formula");
    let targets = ["aarch64-apple-darwin", "x86_64-apple-darwin"]
        .into_iter()
        .chain(["aarch64-unknown-linux-musl", "x86_64-unknown-linux-musl"]);
    project.write("program", "");
    let mut sums = BTreeSet::new();
    for target in targets {
        let args = [target, "program", "dist"];
        script(&project, "archive.sh", &args).run().assert_code(0);
        let sum = project.read(&format!("dist/taskcat-{target}.tar.gz.sha256"));
        sums.insert(sum.split(' ').next().unwrap().to_owned());
    }
    let args = ["1.2.3", "https://example.com/taskcat", "dist"];
    let outcome = script(&project, "formula.sh", &args).run();
    outcome.assert_code(0);
    let formula = &outcome.stdout;
    assert!(formula.starts_with("class Taskcat < Formula\n") && !formula.contains('@'));
    let url = "https://example.com/taskcat/releases/download/v1.2.3/taskcat-";
    assert_eq!(formula.matches(url).count(), 4, "{formula}");
    let sum = Regex::new(r"[0-9a-f]{64}").unwrap();
    let found: BTreeSet<String> = sum
        .find_iter(formula)
        .map(|sum| sum.as_str().to_owned())
        .collect();
    assert_eq!(found, sums);
}

/// The workflow, `cargo binstall`'s metadata, the formula and the action mean the same archives.
#[test]
fn archives_have_the_names_that_others_look_for() {
    let target = Regex::new(r"target: ([\w-]+), os").unwrap();
    let workflow = file(".github/workflows/release.yml");
    let built: BTreeSet<&str> = target
        .captures_iter(&workflow)
        .map(|found| found.extract::<1>().1[0])
        .collect();
    assert_eq!(built.len(), 5);
    let manifest = file("Cargo.toml");
    assert!(
        manifest.contains("releases/download/v{ version }/taskcat-{ target }{ archive-suffix }")
    );
    assert!(manifest.contains("bin-dir = \"taskcat-{ target }/{ bin }{ binary-ext }\""));
    let named =
        Regex::new(r"taskcat-((?:x86_64|aarch64)-[\w-]+?)(?:\.tar\.gz|\.zip|[{/\x22])").unwrap();
    for source in [
        &manifest,
        &file("release/taskcat.rb"),
        &file("docs/install.md"),
    ] {
        let names: BTreeSet<&str> = named
            .captures_iter(source)
            .map(|found| found.extract::<1>().1[0])
            .collect();
        assert!(!names.is_empty() && names.is_subset(&built), "{names:?}");
    }
}

/// The hooks that compile nothing, as pre-commit runs them.
#[test]
fn hooks_of_pre_commit_run_what_is_on_path() {
    let project = Project::copy_of("first-run");
    let hook = Regex::new(r"entry: (.+)\n  language: system\n").unwrap();
    let hooks = file(".pre-commit-hooks.yaml");
    let entries: Vec<&str> = hook
        .captures_iter(&hooks)
        .map(|found| found.extract::<1>().1[0])
        .collect();
    assert_eq!(entries, ["taskcat plan", "taskcat lint"]);
    for entry in entries {
        let mut words = entry.split(' ').skip(1).collect::<Vec<_>>();
        words.extend(["--project-root", "."]);
        Taskcat::offline(&project).args(words).run().assert_code(0);
    }
}

/// Builds the image with another program in the place of what its first stage makes, and looks into
/// it.
#[test]
#[ignore = "needs podman and root; run tests/run.sh"]
fn podman_builds_the_image() {
    let project = Project::empty("image");
    let stage = "stage/image";
    project.write(&format!("{stage}/etc/ssl/certs/ca-certificates.crt"), "");
    project.write(&format!("{stage}/usr/local/bin/x"), "");
    project.write(&format!("{stage}/tmp/x"), "");
    fs::copy(
        "/bin/busybox",
        project.path().join(stage).join("usr/local/bin/taskcat"),
    )
    .unwrap();
    project.write(
        "storage.conf",
        &format!(
            "[storage]\ndriver = \"vfs\"\nrunroot = {:?}\ngraphroot = {:?}\n",
            project.home().join("run"),
            project.home().join("storage")
        ),
    );
    let podman = |args: &[&str]| -> Outcome {
        Taskcat::program("podman", &project)
            .env(
                "CONTAINERS_STORAGE_CONF",
                project.path().join("storage.conf"),
            )
            .env("BUILDAH_ISOLATION", "chroot")
            .args(args.iter().copied())
            .run()
    };
    let context = format!("build={}", project.path().join("stage").display());
    let root = env!("CARGO_MANIFEST_DIR");
    podman(&["build", "--build-context", &context, "-t", "taskcat", root]).assert_code(0);
    let format = "{{.Config.User}} {{.Config.Entrypoint}} {{.Config.WorkingDir}}";
    let outcome = podman(&["image", "inspect", "--format", format, "taskcat"]);
    outcome.assert_code(0);
    assert_eq!(outcome.stdout.trim(), "65532:65532 [taskcat] /project");
}
