//! Packages Lambda functions: each folder under `project.lambda_source_path` becomes
//! `<project.lambda_zip_path>/<name>/lambda.zip`.
//!
//! Follows TaskCat's `_lambda_build.py`, with one file per kind of build: `container` if there is a
//! `Dockerfile`, `pip` if there is a `requirements.txt`, otherwise only `archive`. `source` finds
//! the folders, including those in git submodules. Archives are reproducible, so that staging
//! uploads nothing if nothing changed. `run` calls [`package`] before staging, and turns
//! [`PackageProgress`] into events.

mod archive;
mod container;
mod error;
mod pip;
mod source;
mod tree;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

pub(crate) use error::PackageError;
pub(crate) use source::BuildMethod;

use crate::links::PathEscape;
use container::ContainerCli;
use source::LambdaSource;

/// Time limit for pip or a command of the container engine.
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);

/// What to package: the related keys of `project` in `.taskcat.yml`.
#[derive(Clone, Debug)]
pub(crate) struct PackageRequest {
    pub project_root: PathBuf,
    /// The folder of sources, relative to the project root. Nothing is packaged if it doesn't
    /// exist.
    pub lambda_source_path: PathBuf,
    /// The folder of archives, relative to the project root.
    pub lambda_zip_path: PathBuf,
    /// Package the same folders of each folder in `submodules/`, recursively.
    pub build_submodules: bool,
    /// Package files that links outside the project point to, too.
    pub follow_links: bool,
    pub selection: PackageSelection,
    /// The program that builds and runs images; `None` for the first of docker, podman, finch and
    /// nerdctl that works.
    pub container_cli: Option<OsString>,
}

/// Which Lambda functions to package; all by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackageSelection {
    /// The folder of a single function in the folder of sources. Those of submodules are left out,
    /// too.
    pub name: Option<String>,
    /// Paths of changed files, relative to the project root: functions without any of them are left
    /// out. If nothing has changed at all, all functions are packaged, as in TaskCat
    /// (`_lambda_build.py`), and those of submodules always are.
    pub changed: Option<Vec<String>>,
}

/// A finished archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LambdaArchive {
    /// The source folder, relative to the project root.
    pub lambda: String,
    /// The archive's path, relative to the project root.
    pub archive: String,
    pub path: PathBuf,
    /// False if the same archive existed already.
    pub changed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PackageProgress {
    /// A build has started; `lambda` as in [`LambdaArchive::lambda`].
    Started {
        lambda: String,
        build: BuildMethod,
    },
    Finished(LambdaArchive),
    Warning(String),
}

/// Finds what would be read or written outside of the project, without packaging anything.
pub(crate) fn escapes(request: &PackageRequest) -> Vec<PathEscape> {
    let source::FoundSources {
        lambdas, errors, ..
    } = source::find(request);
    // Docker handles links in its build context itself and doesn't follow them outside.
    let built_here = lambdas
        .iter()
        .filter(|lambda| lambda.build != BuildMethod::Docker);
    let listed = built_here
        .filter_map(|lambda| tree::list(&lambda.source, &lambda.skip, Some(&lambda.bounds)).err());
    let escape = |error| match error {
        PackageError::Outside(escape) => Some(escape),
        _ => None,
    };
    errors
        .into_iter()
        .chain(listed)
        .filter_map(escape)
        .collect()
}

/// Packages all Lambda functions, as many concurrently as there are cores; returns the archives in
/// the order of their folders.
///
/// If the future is dropped, pip and the container engine are killed, the container is removed, and
/// no partial archive is left.
///
/// # Errors
/// Each Lambda that could not be packaged; the others still are.
pub(crate) async fn package(
    request: &PackageRequest,
    progress: impl Fn(PackageProgress),
) -> Result<Vec<LambdaArchive>, Vec<PackageError>> {
    package_with(request, progress, None).await
}

/// Returns how the Lambda functions are built, each way once.
pub(crate) fn methods(request: &PackageRequest) -> Vec<BuildMethod> {
    let mut methods: Vec<BuildMethod> = Vec::new();
    for lambda in source::find(request).lambdas {
        if !methods.contains(&lambda.build) {
            methods.push(lambda.build);
        }
    }
    methods
}

/// Returns the program that would build images, and whether its engine answers.
pub(crate) async fn container_program(request: &PackageRequest) -> Option<(OsString, bool)> {
    let cli = ContainerCli::new(request.container_cli.as_deref(), None);
    cli.probe().await
}

/// Packages; `programs` replaces PATH in the search for the container engine and pip.
async fn package_with(
    request: &PackageRequest,
    progress: impl Fn(PackageProgress),
    programs: Option<&OsStr>,
) -> Result<Vec<LambdaArchive>, Vec<PackageError>> {
    let source::FoundSources {
        lambdas,
        warnings,
        mut errors,
    } = source::find(request);
    warnings
        .into_iter()
        .map(PackageProgress::Warning)
        .for_each(&progress);
    let container_cli = ContainerCli::new(request.container_cli.as_deref(), programs);
    let container_cli = &container_cli;
    let stop = CancellationToken::new();
    let _stop_when_dropped = stop.clone().drop_guard();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let progress = &progress;
    let stop = &stop;
    let mut results: Vec<_> =
        stream::iter(lambdas.into_iter().enumerate())
            .map(|(at, lambda)| async move {
                (at, build_one(&lambda, progress, container_cli, stop).await)
            })
            .buffer_unordered(cores)
            .collect()
            .await;
    results.sort_unstable_by_key(|(at, _)| *at);
    let mut archives = Vec::new();
    for (_, result) in results {
        match result {
            Ok(archive) => archives.extend(archive),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(archives)
    } else {
        Err(errors)
    }
}

/// Builds a Lambda; returns `None` for an image that creates other files than `lambda.zip`, with a
/// warning.
async fn build_one(
    lambda: &LambdaSource,
    progress: impl Fn(PackageProgress),
    container_cli: &ContainerCli<'_>,
    stop: &CancellationToken,
) -> Result<Option<LambdaArchive>, PackageError> {
    progress(PackageProgress::Started {
        lambda: lambda.name.clone(),
        build: lambda.build,
    });
    let built = match lambda.build {
        BuildMethod::Docker => container::build(lambda, container_cli).await?,
        BuildMethod::Pip => pip::build(lambda, container_cli.programs, stop).await?,
        BuildMethod::Plain => {
            let lambda = lambda.clone();
            let stop = stop.clone();
            let bounds = lambda.bounds.clone();
            blocking(move || {
                archive::write(
                    &lambda.source,
                    &lambda.skip,
                    Some(&bounds),
                    &lambda.archive,
                    &stop,
                )
            })
            .await?
        }
    };
    built
        .warnings
        .into_iter()
        .for_each(|warning| progress(PackageProgress::Warning(warning)));
    Ok(built.changed.map(|changed| {
        let archive = LambdaArchive {
            lambda: lambda.name.clone(),
            archive: lambda.archive_name.clone(),
            path: lambda.archive.clone(),
            changed,
        };
        progress(PackageProgress::Finished(archive.clone()));
        archive
    }))
}

/// The result of a build.
#[derive(Debug, Default)]
struct BuildResult {
    /// Whether the archive has changed; `None` if there is none.
    changed: Option<bool>,
    warnings: Vec<String>,
}

/// Runs file operations where blocking is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PackageError> + Send + 'static,
) -> Result<T, PackageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(PackageError::Stopped),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::fs::{self, File, Permissions};
    use std::io::{Read, Write};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::*;

    struct TempProject(tempfile::TempDir);

    impl TempProject {
        fn new(files: &[(&str, &str)]) -> Self {
            let project = Self(tempfile::tempdir().unwrap());
            for (name, content) in files {
                project.write(name, content.as_bytes());
            }
            project
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().canonicalize().unwrap().join(name)
        }

        fn write(&self, name: &str, content: &[u8]) {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        /// Returns archives and warnings, or all errors as text.
        async fn package(
            &self,
            programs: Option<&OsStr>,
        ) -> Result<(Vec<LambdaArchive>, Vec<String>), Vec<String>> {
            let request = PackageRequest {
                project_root: self.0.path().into(),
                lambda_source_path: "functions/source".into(),
                lambda_zip_path: "functions/packages".into(),
                build_submodules: true,
                follow_links: false,
                selection: PackageSelection::default(),
                container_cli: None,
            };
            self.package_as(&request, programs).await
        }

        async fn package_as(
            &self,
            request: &PackageRequest,
            programs: Option<&OsStr>,
        ) -> Result<(Vec<LambdaArchive>, Vec<String>), Vec<String>> {
            let warnings = RefCell::new(Vec::new());
            let finished = RefCell::new(Vec::new());
            let progress = |progress| match progress {
                PackageProgress::Warning(warning) => warnings.borrow_mut().push(warning),
                PackageProgress::Finished(archive) => finished.borrow_mut().push(archive),
                PackageProgress::Started { .. } => {}
            };
            let archives = package_with(request, progress, programs).await;
            let archives = archives
                .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
            let mut finished = finished.into_inner();
            finished.sort_by(|a, b| a.lambda.cmp(&b.lambda));
            let mut sorted = archives.clone();
            sorted.sort_by(|a, b| a.lambda.cmp(&b.lambda));
            assert_eq!(finished, sorted, "each archive is reported once");
            Ok((archives, warnings.into_inner()))
        }
    }

    /// Returns name, permissions and content of each entry.
    fn entries(archive: &Path) -> Vec<(String, u32, String)> {
        let mut zip = zip::ZipArchive::new(File::open(archive).unwrap()).unwrap();
        let entries = (0..zip.len()).map(|at| {
            let mut entry = zip.by_index(at).unwrap();
            assert_eq!(entry.last_modified(), Some(zip::DateTime::DEFAULT));
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            (
                entry.name().unwrap().into_owned(),
                entry.unix_mode().unwrap(),
                content,
            )
        });
        entries.collect()
    }

    fn entry(name: &str, mode: u32, content: &str) -> (String, u32, String) {
        (name.to_owned(), mode, content.to_owned())
    }

    #[tokio::test]
    async fn a_folder_becomes_an_archive_that_depends_on_content_alone() {
        let files = [
            ("f/b.py", "b"),
            ("f/a/z.py", "z"),
            ("f/a-x", "x"),
            ("f/run", "#!"),
            ("f/.hidden", "h"),
            ("f/ä", ""),
        ];
        let one = TempProject::new(&[]);
        let other = TempProject::new(&[]);
        for (name, content) in files {
            one.write(&format!("functions/source/{name}"), content.as_bytes());
        }
        for (name, content) in files.iter().rev() {
            other.write(&format!("functions/source/{name}"), content.as_bytes());
        }
        for project in [&one, &other] {
            fs::create_dir(project.path("functions/source/f/empty")).unwrap();
        }
        fs::set_permissions(
            one.path("functions/source/f/run"),
            Permissions::from_mode(0o755),
        )
        .unwrap();
        fs::set_permissions(
            other.path("functions/source/f/run"),
            Permissions::from_mode(0o700),
        )
        .unwrap();
        fs::set_permissions(
            other.path("functions/source/f/b.py"),
            Permissions::from_mode(0o600),
        )
        .unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH;
        File::options()
            .write(true)
            .open(other.path("functions/source/f/b.py"))
            .unwrap()
            .set_modified(old)
            .unwrap();

        let (archives, warnings) = one.package(None).await.unwrap();
        assert_eq!(warnings, [""; 0]);
        let expected = LambdaArchive {
            lambda: "functions/source/f".into(),
            archive: "functions/packages/f/lambda.zip".into(),
            path: one.path("functions/packages/f/lambda.zip"),
            changed: true,
        };
        assert_eq!(archives, std::slice::from_ref(&expected));
        let listed = [
            entry(".hidden", 0o100_644, "h"),
            entry("a-x", 0o100_644, "x"),
            entry("a/", 0o40_755, ""),
            entry("a/z.py", 0o100_644, "z"),
            entry("b.py", 0o100_644, "b"),
            entry("empty/", 0o40_755, ""),
            entry("run", 0o100_755, "#!"),
            entry("ä", 0o100_644, ""),
        ];
        assert_eq!(entries(&expected.path), listed);
        other.package(None).await.unwrap();
        let same = other.path("functions/packages/f/lambda.zip");
        assert_eq!(fs::read(&expected.path).unwrap(), fs::read(same).unwrap());
    }

    #[tokio::test]
    async fn an_archive_is_written_only_when_it_changes() {
        let project = TempProject::new(&[("functions/source/f/a", "1")]);
        let written = |project: &TempProject| {
            fs::metadata(project.path("functions/packages/f/lambda.zip"))
                .unwrap()
                .modified()
                .unwrap()
        };
        project.package(None).await.unwrap();
        let first = written(&project);
        let (archives, _) = project.package(None).await.unwrap();
        assert!(!archives[0].changed && written(&project) == first);
        project.write("functions/source/f/a", b"2");
        let (archives, _) = project.package(None).await.unwrap();
        assert!(archives[0].changed);
        assert_eq!(entries(&archives[0].path), [entry("a", 0o100_644, "2")]);
        let left: Vec<_> = fs::read_dir(project.path("functions/packages/f"))
            .unwrap()
            .collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
        let mode = fs::metadata(&archives[0].path)
            .unwrap()
            .permissions()
            .mode();
        assert_ne!(mode & 0o044, 0, "others may read it: {mode:o}");
    }

    #[tokio::test]
    async fn links_are_followed() {
        let project =
            TempProject::new(&[("shared/lib.py", "lib"), ("functions/source/f/a.py", "a")]);
        symlink("a.py", project.path("functions/source/f/link.py")).unwrap();
        symlink("../../../shared", project.path("functions/source/f/shared")).unwrap();
        symlink("nowhere", project.path("functions/source/f/dangling")).unwrap();
        symlink("../../shared", project.path("functions/source/g")).unwrap();
        let (archives, warnings) = project.package(None).await.unwrap();
        let dangling = project.path("functions/source/f/dangling");
        assert_eq!(
            warnings,
            [format!(
                "{dangling:?} is a dangling symbolic link, so it is not packaged"
            )]
        );
        let listed = [
            entry("a.py", 0o100_644, "a"),
            entry("link.py", 0o100_644, "a"),
            entry("shared/", 0o40_755, ""),
            entry("shared/lib.py", 0o100_644, "lib"),
        ];
        assert_eq!(entries(&archives[0].path), listed);
        assert_eq!(
            entries(&archives[1].path),
            [entry("lib.py", 0o100_644, "lib")]
        );
    }

    #[tokio::test]
    async fn all_errors_are_reported_and_the_rest_is_built() {
        let project = TempProject::new(&[
            ("functions/source/a.b/x", ""),
            ("functions/source/a.c/x", ""),
            ("functions/source/good/x", ""),
            ("functions/source/loop/x", ""),
            ("functions/source/notes.txt", ""),
        ]);
        symlink(".", project.path("functions/source/loop/again")).unwrap();
        symlink("nowhere", project.path("functions/source/gone")).unwrap();
        let errors = project.package(None).await.unwrap_err();
        let gone = project.path("functions/source/gone");
        let again = project.path("functions/source/loop/again");
        let expected = [
            format!("cannot read {gone:?}: no such file"),
            "functions/source/a.b and functions/source/a.c would become the same archive, \
             functions/packages/a/lambda.zip: what follows the last dot of a name does not count"
                .into(),
            format!(
                "{again:?} is a symbolic link to {:?}, which holds it: such an archive would have \
                 no end",
                project.path("functions/source/loop")
            ),
        ];
        assert_eq!(errors, expected);
        assert!(project.path("functions/packages/good/lambda.zip").is_file());
        assert!(
            !project.path("functions/packages/a").exists()
                && !project.path("functions/packages/loop/lambda.zip").exists()
        );
    }

    #[tokio::test]
    async fn submodules_are_packaged_as_deep_as_they_go() {
        let project = TempProject::new(&[
            ("functions/source/f/x", ""),
            ("submodules/one/functions/source/g/x", ""),
            ("submodules/one/submodules/two/functions/source/h.d/x", ""),
            ("submodules/none/README.md", ""),
            ("submodules/none/submodules/hidden/functions/source/i/x", ""),
        ]);
        let (archives, _) = project.package(None).await.unwrap();
        let found: Vec<_> = archives
            .iter()
            .map(|archive| archive.archive.as_str())
            .collect();
        let expected = [
            "functions/packages/f/lambda.zip",
            "submodules/one/functions/packages/g/lambda.zip",
            "submodules/one/submodules/two/functions/packages/h/lambda.zip",
        ];
        assert_eq!(found, expected);
        let request = PackageRequest {
            project_root: project.0.path().into(),
            lambda_source_path: "functions/source/".into(),
            lambda_zip_path: "./functions/../zips".into(),
            build_submodules: false,
            follow_links: false,
            selection: PackageSelection::default(),
            container_cli: None,
        };
        let (archives, _) = project.package_as(&request, None).await.unwrap();
        assert_eq!(
            archives
                .iter()
                .map(|archive| archive.archive.as_str())
                .collect::<Vec<_>>(),
            ["zips/f/lambda.zip"]
        );
        let elsewhere = tempfile::tempdir().unwrap();
        let elsewhere = elsewhere.path().canonicalize().unwrap();
        let request = PackageRequest {
            lambda_zip_path: elsewhere.clone(),
            build_submodules: true,
            ..request
        };
        let errors = project.package_as(&request, None).await.unwrap_err();
        assert_eq!(
            errors,
            [format!("{} is outside the project", elsewhere.display())]
        );
    }

    #[tokio::test]
    async fn a_missing_source_folder_is_ignored() {
        assert_eq!(
            TempProject::new(&[("a", "")]).package(None).await.unwrap(),
            (vec![], vec![])
        );
    }

    #[tokio::test]
    async fn archives_inside_the_source_folder_are_not_packaged() {
        let project = TempProject::new(&[("lambdas/f/x", "x")]);
        let request = |zip: &str| PackageRequest {
            project_root: project.0.path().into(),
            lambda_source_path: "lambdas".into(),
            lambda_zip_path: zip.into(),
            build_submodules: true,
            follow_links: false,
            selection: PackageSelection::default(),
            container_cli: None,
        };
        for zip in ["lambdas/zips", "lambdas", "lambdas/f/zips"] {
            for _ in 0..2 {
                let (archives, _) = project.package_as(&request(zip), None).await.unwrap();
                let listed = entries(&archives[0].path);
                assert_eq!(
                    listed.iter().filter(|entry| entry.0.ends_with('x')).count(),
                    1,
                    "{zip}"
                );
                assert!(
                    !listed.iter().any(|entry| entry.0.contains("lambda.zip")),
                    "{zip}"
                );
            }
            fs::remove_dir_all(project.path("lambdas/zips")).unwrap_or_default();
            fs::remove_file(project.path("lambdas/f/lambda.zip")).unwrap_or_default();
        }
    }

    #[tokio::test]
    async fn it_runs_beside_other_tasks_and_stops_when_dropped() {
        let project = TempProject::new(&[("functions/source/f/huge", "")]);
        File::options()
            .write(true)
            .open(project.path("functions/source/f/huge"))
            .unwrap()
            .set_len(1 << 36)
            .unwrap();
        let request = PackageRequest {
            project_root: project.0.path().into(),
            lambda_source_path: "functions/source".into(),
            lambda_zip_path: "zips".into(),
            build_submodules: false,
            follow_links: false,
            selection: PackageSelection::default(),
            container_cli: None,
        };
        let (started, mut has_started) = tokio::sync::mpsc::unbounded_channel();
        let running = tokio::spawn(async move {
            package(&request, |progress| started.send(progress).unwrap()).await
        });
        has_started.recv().await.unwrap();
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        for _ in 0..500 {
            if fs::read_dir(project.path("zips/f")).is_ok_and(|left| left.count() == 0) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the archive is still being written");
    }

    /// Builds a wheel, so that pip needs neither a network nor a build.
    fn wheel() -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let info = "greeting-1.0.dist-info";
        let files = [
            (
                "greeting/__init__.py".to_owned(),
                "def greet():\n    return 'hello'\n",
            ),
            (
                format!("{info}/METADATA"),
                "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
            ),
            (
                format!("{info}/WHEEL"),
                "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            ),
            (format!("{info}/RECORD"), "greeting/__init__.py,,\n"),
        ];
        for (name, content) in files {
            zip.start_file(name, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[tokio::test]
    #[ignore = "needs pip; run tests/run.sh"]
    async fn pip_installs_beside_a_copy() {
        let project = TempProject::new(&[
            ("functions/source/f/handler.py", "import greeting"),
            (
                "functions/source/f/requirements.txt",
                "./greeting-1.0-py3-none-any.whl\n",
            ),
        ]);
        project.write("functions/source/f/greeting-1.0-py3-none-any.whl", &wheel());
        let (archives, warnings) = project
            .package(Some(&crate::process::path_with_python_tools()))
            .await
            .unwrap();
        assert_eq!(warnings, [""; 0]);
        let listed = entries_by_name(&archives[0].path);
        for name in [
            "handler.py",
            "requirements.txt",
            "greeting/__init__.py",
            "greeting-1.0.dist-info/RECORD",
        ] {
            assert!(
                listed.iter().any(|entry| entry == name),
                "{name} is missing in {listed:?}"
            );
        }
        assert!(
            !listed
                .iter()
                .any(|name| name.ends_with(".pyc") || name.ends_with("direct_url.json")),
            "{listed:?}"
        );
        assert!(
            !project.path("functions/source/f/greeting").exists(),
            "the source stays as it is"
        );
        let (archives, _) = project
            .package(Some(&crate::process::path_with_python_tools()))
            .await
            .unwrap();
        assert!(!archives[0].changed, "the same bytes again");
    }

    fn entries_by_name(archive: &Path) -> Vec<String> {
        zip::ZipArchive::new(File::open(archive).unwrap())
            .unwrap()
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect()
    }

    #[tokio::test]
    #[ignore = "needs pip; run tests/run.sh"]
    async fn pip_is_found_as_a_module_of_python() {
        let programs = tempfile::tempdir().unwrap();
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venvs/taskcat/bin/python");
        program(
            programs.path(),
            "python3",
            &format!("exec {python:?} \"$@\""),
        );
        let project = TempProject::new(&[
            (
                "functions/source/f/logging.py",
                "raise Exception('not the module that pip wants')",
            ),
            (
                "functions/source/f/requirements.txt",
                "./greeting-1.0-py3-none-any.whl",
            ),
        ]);
        project.write("functions/source/f/greeting-1.0-py3-none-any.whl", &wheel());
        let (archives, _) = project
            .package(Some(programs.path().as_os_str()))
            .await
            .unwrap();
        assert!(
            entries_by_name(&archives[0].path)
                .iter()
                .any(|name| name == "greeting/__init__.py")
        );
    }

    #[tokio::test]
    #[ignore = "needs pip; run tests/run.sh"]
    async fn the_output_of_pip_is_in_the_error() {
        let project =
            TempProject::new(&[("functions/source/f/requirements.txt", "./nothing-here\n")]);
        let errors = project
            .package(Some(&crate::process::path_with_python_tools()))
            .await
            .unwrap_err();
        assert_eq!(errors.len(), 1);
        let start = "functions/source/f: `pip3 install` exited with code 1:\n  ";
        assert!(
            errors[0].starts_with(start) && errors[0].contains("nothing-here"),
            "{}",
            errors[0]
        );
        assert!(!project.path("functions/packages/f").exists());
    }

    #[tokio::test]
    async fn programs_are_missed_only_where_they_are_needed() {
        let nothing = tempfile::tempdir().unwrap();
        let project = TempProject::new(&[
            ("functions/source/image/Dockerfile", "FROM scratch"),
            ("functions/source/image/requirements.txt", ""),
            ("functions/source/plain/x", ""),
            ("functions/source/python/requirements.txt", ""),
        ]);
        let errors = project
            .package(Some(nothing.path().as_os_str()))
            .await
            .unwrap_err();
        let expected = [
            "functions/source/image has a Dockerfile, and none of `docker`, `podman`, `finch` and \
             `nerdctl` was found on PATH: install one, or build the Lambda without",
            "functions/source/python has a requirements.txt, and none of `pip3`, `pip` and \
             `python3` was found on \
             PATH: install Python with pip",
        ];
        assert_eq!(errors, expected);
        assert!(
            project
                .path("functions/packages/plain/lambda.zip")
                .is_file()
        );
    }

    /// Writes a shell script.
    fn program(folder: &Path, name: &str, script: &str) {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// An engine that isn't running is passed over for one that is.
    #[tokio::test]
    async fn the_first_engine_that_works_is_used() {
        let programs = tempfile::tempdir().unwrap();
        let folder = programs.path();
        let log = folder.join("log");
        let works = format!(
            "echo \"$(basename $0) $1\" >> {log:?}; if [ \"$1\" = cp ]; then echo zip > \
             \"$3/lambda.zip\"; fi"
        );
        program(folder, "docker", "echo 'no daemon' >&2; exit 1");
        program(folder, "podman", &works);
        program(folder, "nerdctl", &works);
        let project = TempProject::new(&[("functions/source/f/Dockerfile", "FROM scratch")]);
        let mut request = PackageRequest {
            project_root: project.0.path().into(),
            lambda_source_path: "functions/source".into(),
            lambda_zip_path: "functions/packages".into(),
            build_submodules: true,
            follow_links: false,
            selection: PackageSelection::default(),
            container_cli: None,
        };
        // The programs need those of the system.
        let path = std::env::var_os("PATH").unwrap();
        let path = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(path).unwrap();
        let calls = async |request: &PackageRequest| {
            fs::write(&log, "").unwrap();
            let packaged = project.package_as(request, Some(&path)).await;
            (packaged, fs::read_to_string(&log).unwrap())
        };
        let (packaged, called) = calls(&request).await;
        packaged.unwrap();
        let verbs = ["version", "build", "run", "cp", "rm"];
        let of = |engine: &str, verbs: &[&str]| -> String {
            verbs.iter().map(|it| format!("{engine} {it}\n")).collect()
        };
        assert_eq!(called, of("podman", &verbs));
        request.container_cli = Some("nerdctl".into());
        let (packaged, called) = calls(&request).await;
        packaged.unwrap();
        assert_eq!(called, of("nerdctl", &verbs[1..]));
        request.container_cli = Some("nonesuch".into());
        let (packaged, _) = calls(&request).await;
        let expected = "functions/source/f has a Dockerfile, and `nonesuch` was not found on PATH: \
            install it, or build the Lambda without";
        assert_eq!(packaged.unwrap_err(), [expected]);
    }

    #[tokio::test]
    async fn functions_are_selected_by_name_and_by_changes() {
        let project = TempProject::new(&[
            ("functions/source/first/a", ""),
            ("functions/source/second/deep/b", ""),
            ("submodules/other/functions/source/third/c", ""),
        ]);
        let check = async |name: Option<&str>, changed: Option<&[&str]>, expect: &[&str]| {
            let strings = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect();
            let request = PackageRequest {
                project_root: project.0.path().into(),
                lambda_source_path: "functions/source".into(),
                lambda_zip_path: "functions/packages".into(),
                build_submodules: true,
                follow_links: false,
                selection: PackageSelection {
                    name: name.map(str::to_owned),
                    changed: changed.map(strings),
                },
                container_cli: None,
            };
            let packaged = project.package_as(&request, None).await;
            let packaged = match packaged {
                Ok((archives, _)) => archives.into_iter().map(|it| it.lambda).collect(),
                Err(errors) => errors,
            };
            assert_eq!(packaged, expect, "{name:?} {changed:?}");
        };
        let first = "functions/source/first";
        let second = "functions/source/second";
        let third = "submodules/other/functions/source/third";
        check(None, None, &[first, second, third]).await;
        check(Some("first"), None, &[first]).await;
        check(Some("second"), Some(&["README.md"]), &[]).await;
        check(None, Some(&[]), &[first, second, third]).await;
        check(None, Some(&["README.md"]), &[third]).await;
        check(
            None,
            Some(&["functions/source/second/deep/b"]),
            &[second, third],
        )
        .await;
        check(None, Some(&["functions/source/fir"]), &[third]).await;
        let missing = "there is no Lambda function `frist` in functions/source; did you mean \
            `first`?";
        check(Some("frist"), None, &[missing]).await;
    }

    #[tokio::test]
    async fn without_an_engine_docker_fails() {
        let programs = tempfile::tempdir().unwrap();
        program(
            programs.path(),
            "docker",
            "echo 'ERROR: Cannot connect to the Docker daemon.' >&2; exit 1",
        );
        let project = TempProject::new(&[("functions/source/f/Dockerfile", "FROM scratch")]);
        let errors = project
            .package(Some(programs.path().as_os_str()))
            .await
            .unwrap_err();
        let start = "functions/source/f: `docker build` exited with code 1:\n  ";
        assert!(
            errors[0].starts_with(start) && errors[0].contains("Docker daemon"),
            "{}",
            errors[0]
        );
    }

    #[tokio::test]
    #[ignore = "needs a Docker engine that can pull an image; run tests/run.sh"]
    async fn an_image_of_the_docker_engine_makes_the_archive() {
        let dockerfile = "FROM public.ecr.aws/docker/library/busybox\n\
                          CMD mkdir -p /output/more && echo zip > /output/lambda.zip && echo 1 > \
                          /output/more/x\n";
        let project = TempProject::new(&[("functions/source/f/Dockerfile", dockerfile)]);
        let (archives, warnings) = project.package(None).await.unwrap();
        assert_eq!(
            (
                fs::read_to_string(&archives[0].path).unwrap().as_str(),
                warnings
            ),
            ("zip\n", vec![])
        );
        assert!(project.path("functions/packages/f/more/x").is_file());
        let (archives, _) = project.package(None).await.unwrap();
        assert!(!archives[0].changed);
    }
}
